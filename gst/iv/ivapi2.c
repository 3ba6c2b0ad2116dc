/* iv_av.h in the newer shape: IV_AV_API 2.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define IV_AV_API 2
#define IV_EXPORT __attribute__ ((visibility ("default")))
#include "iv_av.h"
#include "ivmodule.h"

#define MAX_PRIORITY 99

G_STATIC_ASSERT (IV_AVT_EVENT_P2P_BUTT == 10);
G_STATIC_ASSERT (sizeof (iv_avt_event_e) == sizeof (unsigned));
G_STATIC_ASSERT (IV_AVT_EVENT_P2P_CLI_SEND_CLOSE == (int)IV_EVENT_SEND_CLOSE);
G_STATIC_ASSERT (G_STRUCT_OFFSET (iv_p2p_send_stats_s, link_mode) == 16);
G_STATIC_ASSERT (G_STRUCT_OFFSET (iv_p2p_parm_s, p2p_init_params)
                 == 8 * sizeof (void *));
G_STATIC_ASSERT (G_STRUCT_OFFSET (local_net_info_s, vendor_id) == 72);
#if GLIB_SIZEOF_VOID_P == 8
G_STATIC_ASSERT (sizeof (iv_p2p_send_stats_s) == 24);
G_STATIC_ASSERT (sizeof (p2p_init_params_s) == 80);
G_STATIC_ASSERT (sizeof (local_net_info_s) == 88);
#else
G_STATIC_ASSERT (sizeof (p2p_init_params_s) == 60);
G_STATIC_ASSERT (sizeof (local_net_info_s) == 80);
#endif

static gint mtu = IV_DEFAULT_MTU; /* [atomic] */

/* Structures that a program left partly unset still make a sensible start. */
static void
take_init_params (IvParams *params, const p2p_init_params_s *p)
{
  guint interval = p->sender_interval_ms;

  params->interval_ms = interval == 0 ? IV_DEFAULT_INTERVAL_MS
                                      : MIN (interval, IV_MAX_INTERVAL_MS);
  params->thread_policy = CLAMP (p->thread_policy, 0, 2);
  params->thread_priority = CLAMP (p->thread_priority, 0, MAX_PRIORITY);
  if (params->thread_policy != 0)
    params->thread_priority = MAX (params->thread_priority, 1);
  g_atomic_int_set (&mtu, p->mtu_size == 0
                              ? IV_DEFAULT_MTU
                              : (gint)CLAMP (p->mtu_size, IV_MIN_MTU,
                                             IV_MAX_INIT_MTU));
}

IV_EXPORT int
iv_avt_p2p_init (const iv_p2p_parm_s *p)
{
  IvParams params = { 0 };
  int status;

  if (p == NULL)
    return IV_ERR_AVT_INIT_PRM_NULL;
  params.calls.api = 2;
  params.calls.send_init = p->p2p_handle_send_init_cb;
  params.calls.send_get = p->p2p_handle_send_get_cb;
  params.calls.send_stop = p->p2p_handle_send_stop_cb;
  params.calls.event = p->p2p_handle_event_notify_cb;
  params.calls.recv_init = p->p2p_handle_recv_init_cb;
  params.calls.recv_voice_stop = p->p2p_handle_recv_voice_cb;
  params.calls.command = p->p2p_handle_command_cb;
  params.keep_alive_s = p->p2p_keep_alive.time_inter_s;
  params.keep_alive_attempts = p->p2p_keep_alive.max_attempt_num;
  status = iv_module_check (&params);
  if (status != IV_ERR_NONE)
    return status;
  take_init_params (&params, &p->p2p_init_params);
  iv_log_set_level ((guint)p->p2p_init_params.log_level);
  iv_log_set_file (p->p2p_init_params.log_file_path,
                   p->p2p_init_params.log_file_size);
  return iv_module_init (&params);
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
  stats.link_mode = s.link_mode;
  return stats;
}

IV_EXPORT int
iv_avt_p2p_send_command (const char *peer, const char *msg, size_t msg_len,
                         unsigned char *recv_buf, size_t *recv_len,
                         uint32_t timeout_ms)
{
  return iv_command_send (peer, msg, msg_len, recv_buf, recv_len, timeout_ms);
}

IV_EXPORT void
iv_avt_set_mtu (uint32_t new_mtu)
{
  g_atomic_int_set (&mtu, (gint)CLAMP (new_mtu, IV_MIN_MTU, IV_MAX_MTU));
}

IV_EXPORT uint32_t
iv_avt_get_mtu (void)
{
  return (uint32_t)g_atomic_int_get (&mtu);
}

IV_EXPORT void
iv_avt_set_p2p_log_level (iv_sys_log_level_type_e level)
{
  iv_log_set_level ((guint)level);
}

IV_EXPORT iv_sys_log_level_type_e
iv_avt_get_p2p_log_level (void)
{
  return (iv_sys_log_level_type_e)iv_log_get_level ();
}
