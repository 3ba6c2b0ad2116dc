/* A program written from the interface's page alone, and in its newer shape
 * with IV_AV_API 2: that it compiles, that every name has the size and the
 * value it had, and that the library answers.
 *
 * What covers each row of the page's tables, here and elsewhere:
 *
 *   iv_avt_p2p_init          null, settings; iv-calls: ask, exit-and-init
 *   iv_avt_p2p_exit          outside, settings; iv-loopback: exit-…;
 *                            iv-calls: exit/…, blocked; iv-newer:
 *                            exit-while-asking
 *   ..._set_buf_watermark    marks; iv-loopback: watermarks, no-marks
 *   ..._get_send_buf         outside; iv-loopback: watermarks, no-marks,
 *                            stream (not a handle any more); iv-calls: stopped
 *   ..._get_send_status      the same, and its structure below
 *   p2p_handle_send_init_cb  iv-loopback: stream (params, peer), params,
 *                            refused (NULL)
 *   p2p_handle_send_get_cb   iv-loopback: stream (the end, its order, every
 *                            byte), stream-own-memory (no free function),
 *                            watermarks (the pause), blocked; every 10 ms:
 *                            the bench's part iv
 *   p2p_handle_send_stop_cb  iv-loopback: stream, exit-open; iv-calls: stopped
 *   ..._event_notify_cb      its enumeration below; iv-util.c (a handle with
 *                            marks, and with nothing else)
 *   p2p_handle_recv_init_cb  iv-loopback: talk
 *   p2p_handle_recv_voice_cb iv-loopback: talk (its end too); iv-newer (stop)
 *   p2p_handle_command_cb    iv-loopback: commands (lengths both ways, NULL,
 *                            free); fuzz-iv-command
 *   iv_p2p_parm_s            sizes, null
 *   p2p_keep_alive_cfg       sizes; lab, iv_test.py: pulling-pauses-… (a
 *                            viewer that dies without a word)
 *   iv_avt_event_e           values; and that they happen:
 *     PEER_READY             iv-util.c, each device; again: lab, flv-…-nats
 *     PEER_CONNECT_FAIL      lab, flv-…-nats: no broker
 *     PEER_ERROR             lab, flv-…-nats: the broker goes
 *     PEER_ADDR_CHANGED      lab, flv-…-nats: the host has one more address
 *     WATERMARK_…            iv-loopback: watermarks; lab: a throttled link
 *     7 to 9                 iv-newer
 *   iv_p2p_send_stats_s      sizes; iv-loopback: stream (sum_sent_acked);
 *                            iv-newer (both rates, link_mode)
 *   memory                   the bench's part iv
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "iv_av.h"

#include "check.h"

static void *
test_flv_send_init (const char *params, const char *peer)
{
  return malloc (1);
}

static iv_cm_memory_s
test_flv_send_data (void *handle)
{
  iv_cm_memory_s memory = { NULL, 0, NULL };

  return memory;
}

static int
test_flv_send_stop (void *handle)
{
  free (handle);
  return 0;
}

static void
test_p2p_notify (iv_avt_event_e event, void *handle)
{
}

static void *
test_recv_data_init (const char *params, const char *peer)
{
  return NULL;
}

#if IV_AV_API == 2
static void
test_recv_data (void *handle, uint8_t *recv_buf, size_t recv_len, uint8_t *stop)
{
  *stop = 1;
}
#else
static void
test_recv_data (void *handle, uint8_t *recv_buf, size_t recv_len)
{
}
#endif

static iv_cm_memory_s
test_command_handle (const char *command, size_t cmd_len, const char *peer)
{
  iv_cm_memory_s memory = { NULL, 0, NULL };

  return memory;
}

/* As on the page, which leaves the rest unset. */
static void
fill (iv_p2p_parm_s *cb)
{
  /* What was on the stack. */
  memset (cb, 0xa5, sizeof *cb);
#if IV_AV_API == 2
  memset (&cb->p2p_init_params, 0, sizeof cb->p2p_init_params);
#endif
  cb->p2p_handle_send_init_cb = test_flv_send_init;
  cb->p2p_handle_send_get_cb = test_flv_send_data;
  cb->p2p_handle_send_stop_cb = test_flv_send_stop;
  cb->p2p_handle_event_notify_cb = test_p2p_notify;
  cb->p2p_handle_recv_init_cb = test_recv_data_init;
  cb->p2p_handle_recv_voice_cb = test_recv_data;
  cb->p2p_handle_command_cb = test_command_handle;
}

/* -- Names, values, sizes -------------------------------------------------- */

static void
test_values (void)
{
  CHECK_EQ (IV_AVT_EVENT_P2P_PEER_READY, 0);
  CHECK_EQ (IV_AVT_EVENT_P2P_PEER_CONNECT_FAIL, 1);
  CHECK_EQ (IV_AVT_EVENT_P2P_PEER_ERROR, 2);
  CHECK_EQ (IV_AVT_EVENT_P2P_PEER_ADDR_CHANGED, 3);
  CHECK_EQ (IV_AVT_EVENT_P2P_WATERMARK_LOW, 4);
  CHECK_EQ (IV_AVT_EVENT_P2P_WATERMARK_WARN, 5);
  CHECK_EQ (IV_AVT_EVENT_P2P_WATERMARK_HIGH, 6);
#if IV_AV_API == 2
  CHECK_EQ (IV_AVT_EVENT_P2P_LOCAL_NET_READY, 7);
  CHECK_EQ (IV_AVT_EVENT_P2P_LINK_DISCONNECT, 8);
  CHECK_EQ (IV_AVT_EVENT_P2P_CLI_SEND_CLOSE, 9);
  CHECK_EQ (IV_AVT_EVENT_P2P_BUTT, 10);
#else
  CHECK_EQ (IV_AVT_EVENT_P2P_BUTT, 7);
#endif
  CHECK_EQ (IV_ERR_NONE, 0);
  CHECK_EQ (IV_ERR_AVT_INIT_PRM_NULL, -300);
  CHECK_EQ (IV_ERR_AVT_INIT_CB_NULL, -301);
  CHECK_EQ (IV_ERR_AVT_INIT_PRM_RANGE, -302);
  CHECK_EQ (IV_ERR_AVT_REQ_CHN_BUSY, -303);
  CHECK_EQ (IV_ERR_AVT_SEND_STREAM_TOO_BIG, -304);
  CHECK_EQ (IV_ERR_AVT_CHN_NOT_EXIT, -305);
  CHECK_EQ (IV_ERR_AVT_NEED_IDR_FRAME, -306);
  CHECK_EQ (IV_ERR_AVT_MALLOC_BUFFER_FAILED, -307);
  CHECK_EQ (IV_ERR_AVT_FAILED, -308);
  CHECK_EQ (IV_ERR_AVT_INPUT_PARAM_NULL, -309);
  CHECK_EQ (IV_ERR_AVT_INPUT_PARAM_INVAILD, -310);
  CHECK_EQ (IV_ERR_AVT_SEND_DATA_TIMEOUT, -311);
  CHECK_EQ (IV_ERR_AVT_STATE_ERROR, -312);
  CHECK_EQ (IV_ERR_AVT_VIDEO_DATA_ERROR, -313);
  CHECK_EQ (IV_ERR_SYS_NOT_SUPPORT, -105);
  CHECK_EQ (IV_ERR_SYS_MALLOC_FAIL, -108);
  CHECK_EQ (IV_ERR_SYS_COMMUNICATE_FAIL, -109);
  CHECK_EQ (IV_ERR_SYS_COMMUNICATE_TIMEOUT, -110);
  CHECK_EQ (IV_ERR_SYS_MAX_RETRY_COUNT, -111);
  CHECK_EQ (IV_ERR_KP_PRM_NULL, -900);
  CHECK_EQ (IV_ERR_KP_REGISTER_FAILED, -901);
  CHECK_EQ (IV_ERR_KP_SEND_FAILED, -902);
  CHECK_EQ (IV_ERR_KP_GET_TIMEOUT, -903);
  CHECK_EQ (IV_ERR_DEVICE_OFFLINE, -1001);
}

#if IV_AV_API == 2
static void
test_newer_values (void)
{
  CHECK_EQ (IV_AVT_P2P_LOG_DISABLE, 0);
  CHECK_EQ (IV_AVT_P2P_LOG_ERROR, 1);
  CHECK_EQ (IV_AVT_P2P_LOG_WARN, 2);
  CHECK_EQ (IV_AVT_P2P_LOG_INFO, 3);
  CHECK_EQ (IV_AVT_P2P_LOG_DEBUG, 4);
  CHECK_EQ (IV_AVT_P2P_LOG_VERBOSE, 5);
  CHECK_EQ (IV_AVT_P2P_NIC_NORMAL, 0);
  CHECK_EQ (IV_AVT_P2P_NIC_NAT_EX, 1);
  CHECK_EQ (IV_AVT_P2P_TP_UDP, 0);
  CHECK_EQ (IV_AVT_P2P_TP_TCP, 1);
  CHECK_EQ (IV_AVT_P2P_TP_AUTO, 2);
}

/* The order of the members, and that none is between them. */
static void
test_newer_sizes (void)
{
#define FOLLOWS(type, member, after)                                           \
  CHECK_EQ (offsetof (type, member),                                           \
            (offsetof (type, after) + sizeof ((type *)NULL)->after             \
             + _Alignof(__typeof__ (((type *)NULL)->member)) - 1)              \
                / _Alignof(__typeof__ (((type *)NULL)->member))                \
                * _Alignof(__typeof__ (((type *)NULL)->member)))
  CHECK_EQ (offsetof (p2p_init_params_s, log_level), 0);
  FOLLOWS (p2p_init_params_s, log_file_path, log_level);
  FOLLOWS (p2p_init_params_s, log_file_size, log_file_path);
  FOLLOWS (p2p_init_params_s, mtu_size, log_file_size);
  FOLLOWS (p2p_init_params_s, nic_type, mtu_size);
  FOLLOWS (p2p_init_params_s, sender_interval_ms, nic_type);
  FOLLOWS (p2p_init_params_s, keepalive_interval_s, sender_interval_ms);
  FOLLOWS (p2p_init_params_s, access_retry_times, keepalive_interval_s);
  FOLLOWS (p2p_init_params_s, protocol, access_retry_times);
  FOLLOWS (p2p_init_params_s, proxy_ip, protocol);
  FOLLOWS (p2p_init_params_s, proxy_port, proxy_ip);
  FOLLOWS (p2p_init_params_s, loopback_port, proxy_port);
  FOLLOWS (p2p_init_params_s, thread_policy, loopback_port);
  FOLLOWS (p2p_init_params_s, thread_priority, thread_policy);
  FOLLOWS (p2p_init_params_s, need_pre_connect, thread_priority);
  CHECK_EQ (offsetof (local_net_info_s, probe_port), 0);
  FOLLOWS (local_net_info_s, trans_port, probe_port);
  FOLLOWS (local_net_info_s, local_addr, trans_port);
  FOLLOWS (local_net_info_s, vendor_id, local_addr);
  FOLLOWS (local_net_info_s, device_id, vendor_id);
  FOLLOWS (iv_p2p_parm_s, p2p_init_params, p2p_keep_alive);
  FOLLOWS (iv_p2p_parm_s, net_info, p2p_init_params);
}
#endif

static void
test_sizes (void)
{
  iv_p2p_send_stats_s stats = { 0 };
  p2p_keep_alive_cfg keep_alive = { 10, 3 };

  CHECK_EQ (sizeof keep_alive, 2);
  CHECK_EQ (sizeof (iv_cm_memory_s), 3 * sizeof (void *));
  CHECK_EQ (sizeof stats.inst_net_rate, 4);
  CHECK_EQ (sizeof stats.ave_sent_rate, 4);
  CHECK_EQ (sizeof stats.sum_sent_acked, 8);
  CHECK_EQ (offsetof (iv_p2p_parm_s, p2p_keep_alive), 7 * sizeof (void *));
#if IV_AV_API == 2
  CHECK_EQ (offsetof (iv_p2p_send_stats_s, link_mode), 16);
#else
  CHECK_EQ (sizeof stats, 16);
  CHECK_EQ (sizeof (iv_avt_init_parm_s), 8 * sizeof (void *));
#endif
}

/* -- Marks ----------------------------------------------------------------- */

typedef struct
{
  size_t low, warn, high;
  int status;
} Marks;

static void
test_marks (void)
{
  static const Marks table[] = {
    { 200 * 1024, 400 * 1024, 500 * 1024, IV_ERR_NONE },
    { 0, 0, 0, IV_ERR_NONE },
    { 1, 1, 1, IV_ERR_NONE },
    { 0, 400, 500, IV_ERR_NONE },
    { SIZE_MAX - 2, SIZE_MAX - 1, SIZE_MAX, IV_ERR_NONE },
    { 200, 0, 500, IV_ERR_AVT_INPUT_PARAM_INVAILD },
    { 200, 400, 0, IV_ERR_AVT_INPUT_PARAM_INVAILD },
    { 200, 0, 0, IV_ERR_AVT_INPUT_PARAM_INVAILD },
    { 401, 400, 500, IV_ERR_AVT_INPUT_PARAM_INVAILD },
    { 200, 501, 500, IV_ERR_AVT_INPUT_PARAM_INVAILD },
    { 500, 400, 200, IV_ERR_AVT_INPUT_PARAM_INVAILD },
  };
  size_t i;

  for (i = 0; i < sizeof table / sizeof table[0]; i++) {
    const Marks *m = &table[i];

    CHECK_EQ (iv_avt_p2p_set_buf_watermark (m->low, m->warn, m->high),
              m->status);
  }
}

/* -- Misuse ---------------------------------------------------------------- */

static void
test_outside (void)
{
  int nothing;

  CHECK_EQ (iv_avt_p2p_exit (), IV_ERR_AVT_STATE_ERROR);
  CHECK_EQ (iv_avt_p2p_exit (), IV_ERR_AVT_STATE_ERROR);
  CHECK_EQ (iv_avt_p2p_get_send_buf (NULL), 0);
  CHECK_EQ (iv_avt_p2p_get_send_buf (&nothing), 0);
  CHECK_EQ (iv_avt_p2p_get_send_status (NULL).sum_sent_acked, 0);
  CHECK_EQ (iv_avt_p2p_get_send_status (&nothing).inst_net_rate, 0);
  CHECK_EQ (iv_avt_p2p_set_handle_watermark (NULL, 1, 2, 3),
            IV_ERR_AVT_INPUT_PARAM_NULL);
  CHECK_EQ (iv_avt_p2p_set_handle_watermark (&nothing, 1, 2, 3),
            IV_ERR_AVT_STATE_ERROR);
}

static void
test_null (void)
{
  iv_p2p_parm_s cb;

  CHECK_EQ (iv_avt_p2p_init (NULL), IV_ERR_AVT_INIT_PRM_NULL);
#define WITHOUT(member)                                                        \
  fill (&cb);                                                                  \
  cb.member = NULL;                                                            \
  CHECK_EQ (iv_avt_p2p_init (&cb), IV_ERR_AVT_INIT_CB_NULL)
  WITHOUT (p2p_handle_send_init_cb);
  WITHOUT (p2p_handle_send_get_cb);
  WITHOUT (p2p_handle_send_stop_cb);
  WITHOUT (p2p_handle_event_notify_cb);
  WITHOUT (p2p_handle_recv_init_cb);
  WITHOUT (p2p_handle_recv_voice_cb);
  WITHOUT (p2p_handle_command_cb);
  CHECK_EQ (iv_avt_p2p_exit (), IV_ERR_AVT_STATE_ERROR);
}

/* -- Settings -------------------------------------------------------------- */

#define GOOD                                                                   \
  "[p2p]\ndevice-id=camera-1\nsignaller=tcp://127.0.0.1:0\n"                   \
  "key=a key for these tests only\n"

typedef struct
{
  const char *text;
  int status;
} Settings;

static char config_name[] = "/tmp/iv-page-XXXXXX";

static int
init_with (const char *text, mode_t mode)
{
  FILE *file = fopen (config_name, "w");
  iv_p2p_parm_s cb;

  fputs (text, file);
  fclose (file);
  chmod (config_name, mode);
  fill (&cb);
  return iv_avt_p2p_init (&cb);
}

static void
test_settings (void)
{
  static const Settings table[] = {
    { GOOD, IV_ERR_NONE },
    { GOOD "max-viewers=4\nlow-watermark=0\nwarn-watermark=0\n"
           "high-watermark=0\ncaps=video/mpegts\nkeep-alive-interval=5\n",
      IV_ERR_NONE },
    { "", IV_ERR_AVT_INIT_PRM_RANGE },
    { "device-id=camera-1\n", IV_ERR_AVT_INIT_PRM_RANGE },
    { "[p2p]\n", IV_ERR_AVT_INIT_PRM_RANGE },
    { "[p2p\n", IV_ERR_AVT_INIT_PRM_RANGE },
    { "[p2p]\ndevice-id\n", IV_ERR_AVT_INIT_PRM_RANGE },
    { GOOD "no-such-key=1\n", IV_ERR_AVT_INIT_PRM_RANGE },
    { GOOD "max-viewers=many\n", IV_ERR_AVT_INIT_PRM_RANGE },
    { GOOD "max-viewers=-1\n", IV_ERR_AVT_INIT_PRM_RANGE },
    { GOOD "max-viewers=0\n", IV_ERR_AVT_INIT_PRM_RANGE },
    { GOOD "low-watermark=600000\n", IV_ERR_AVT_INIT_PRM_RANGE },
    { GOOD "stun-server=nonsense\n", IV_ERR_AVT_INIT_PRM_RANGE },
    { GOOD "ice-transport-policy=relay\n", IV_ERR_AVT_INIT_PRM_RANGE },
    { GOOD "ice-transport-policy=maybe\n", IV_ERR_AVT_INIT_PRM_RANGE },
    { GOOD "caps=(((\n", IV_ERR_AVT_INIT_PRM_RANGE },
    { GOOD "key-file=/nonexistent\n", IV_ERR_AVT_INIT_PRM_RANGE },
  };
  size_t i;
  int fd = mkstemp (config_name);

  close (fd);
  setenv ("IV_P2P_CONF", config_name, 1);
  for (i = 0; i < sizeof table / sizeof table[0]; i++) {
    int status = init_with (table[i].text, 0600);

    if (!CHECK_EQ (status, table[i].status))
      printf ("# row %zu: %s\n", i, table[i].text);
    if (status == IV_ERR_NONE) {
      iv_p2p_parm_s cb;

      fill (&cb);
      CHECK_EQ (iv_avt_p2p_init (&cb), IV_ERR_AVT_STATE_ERROR);
      CHECK_EQ (iv_avt_p2p_exit (), IV_ERR_NONE);
    }
    CHECK_EQ (iv_avt_p2p_exit (), IV_ERR_AVT_STATE_ERROR);
  }
  /* A key that others can read. */
  CHECK_EQ (init_with (GOOD, 0644), IV_ERR_AVT_INIT_PRM_RANGE);
  unlink (config_name);
  iv_p2p_parm_s cb;

  fill (&cb);
  CHECK_EQ (iv_avt_p2p_init (&cb), IV_ERR_AVT_FAILED);
}

#if IV_AV_API == 2
static void
test_newer (void)
{
  unsigned char reply[16];
  size_t len = sizeof reply;

  iv_avt_set_mtu (100);
  CHECK_EQ (iv_avt_get_mtu (), 500);
  iv_avt_set_mtu (9000);
  CHECK_EQ (iv_avt_get_mtu (), 1200);
  iv_avt_set_p2p_log_level (IV_eLOG_DEBUG);
  CHECK_EQ (iv_avt_get_p2p_log_level (), IV_eLOG_DEBUG);
  CHECK_EQ (iv_avt_p2p_send_command (NULL, "x", 1, reply, &len, 1),
            IV_ERR_AVT_INPUT_PARAM_NULL);
  CHECK_EQ (iv_avt_p2p_send_command ("a", "x", 1, reply, NULL, 1),
            IV_ERR_AVT_INPUT_PARAM_NULL);
  CHECK_EQ (iv_avt_p2p_send_command ("a", "x", 0, reply, &len, 1),
            IV_ERR_AVT_INPUT_PARAM_INVAILD);
  CHECK_EQ (iv_avt_p2p_send_command ("a", "x", 16385, reply, &len, 1),
            IV_ERR_AVT_INPUT_PARAM_INVAILD);
  CHECK_EQ (iv_avt_p2p_send_command ("a", "x", 1, reply, &len, 1),
            IV_ERR_AVT_STATE_ERROR);
}
#endif

static const CheckCase cases[] = {
  { "values", test_values },
  { "sizes", test_sizes },
  { "marks", test_marks },
  { "outside", test_outside },
  { "null", test_null },
  { "settings", test_settings },
#if IV_AV_API == 2
  { "newer-values", test_newer_values },
  { "newer-sizes", test_newer_sizes },
  { "newer", test_newer },
#endif
};

CHECK_MAIN (cases)
