/* iv_av.h as documented: IV_AV_API 1, and what both shapes share.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define IV_AV_API 1
#define IV_EXPORT __attribute__ ((visibility ("default")))
#include "iv_av.h"
#include "ivmodule.h"

G_STATIC_ASSERT (IV_AVT_EVENT_P2P_BUTT == 7);
G_STATIC_ASSERT (sizeof (iv_avt_event_e) == sizeof (unsigned));
G_STATIC_ASSERT (sizeof (p2p_keep_alive_cfg) == 2);
G_STATIC_ASSERT (sizeof (iv_p2p_send_stats_s) == 16);
G_STATIC_ASSERT (sizeof (iv_p2p_parm_s) == 8 * sizeof (void *));
G_STATIC_ASSERT (sizeof (iv_cm_memory_s) == 3 * sizeof (void *));

IV_EXPORT int
iv_avt_p2p_init (const iv_p2p_parm_s *p)
{
  IvParams params = { 0 };

  if (p == NULL)
    return IV_ERR_AVT_INIT_PRM_NULL;
  params.calls.api = 1;
  params.calls.send_init = p->p2p_handle_send_init_cb;
  params.calls.send_get = p->p2p_handle_send_get_cb;
  params.calls.send_stop = p->p2p_handle_send_stop_cb;
  params.calls.event = p->p2p_handle_event_notify_cb;
  params.calls.recv_init = p->p2p_handle_recv_init_cb;
  params.calls.recv_voice = p->p2p_handle_recv_voice_cb;
  params.calls.command = p->p2p_handle_command_cb;
  params.keep_alive_s = p->p2p_keep_alive.time_inter_s;
  params.keep_alive_attempts = p->p2p_keep_alive.max_attempt_num;
  params.interval_ms = IV_DEFAULT_INTERVAL_MS;
  return iv_module_init (&params);
}

IV_EXPORT int
iv_avt_p2p_exit (void)
{
  return iv_module_exit ();
}

IV_EXPORT int
iv_avt_p2p_set_buf_watermark (size_t low_mark, size_t warn_mark,
                              size_t high_mark)
{
  return iv_module_set_watermark (low_mark, warn_mark, high_mark);
}

IV_EXPORT int
iv_avt_p2p_set_handle_watermark (void *handle, size_t low_mark,
                                 size_t warn_mark, size_t high_mark)
{
  if (handle == NULL)
    return IV_ERR_AVT_INPUT_PARAM_NULL;
  return iv_channel_set_watermark (handle, low_mark, warn_mark, high_mark);
}

IV_EXPORT size_t
iv_avt_p2p_get_send_buf (void *handle)
{
  return handle != NULL ? iv_channel_get_level (handle) : 0;
}

IV_EXPORT iv_p2p_send_stats_s
iv_avt_p2p_get_send_status (void *handle)
{
  iv_p2p_send_stats_s stats = { 0 };
  IvSendStats s = { 0 };

  if (handle != NULL)
    iv_channel_get_stats (handle, &s);
  stats.inst_net_rate = s.net_rate;
  stats.ave_sent_rate = s.sent_rate;
  stats.sum_sent_acked = s.acked;
  return stats;
}
