/* The IoT Video P2P interface: a device sends streams to who watches it, hears
 * them, and answers their commands.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One library serves two shapes of this header. The first is the documented
 * one. With -DIV_AV_API=2 it is the newer one: the voice callback can stop the
 * talker, there are events 7 to 9, a link mode in the statistics, more
 * parameters, and commands to the peer. A program is compiled with one of them
 * throughout; functions whose arguments differ have a symbol for each.
 *
 * Who calls what on which thread. The library calls the program on threads of
 * its own. What concerns one handle is called one after the other: init, then
 * get and the watermark events, then stop, and nothing after that. A callback
 * that takes its time holds up its own handle and no other. Commands are called
 * one at a time. All functions may be called from any thread, and from within
 * any callback. `params` and `peer` are valid during the call only.
 *
 * What the interface leaves to the platform (the device's name, its key,
 * servers) comes from the file that the environment variable IV_P2P_CONF names,
 * else from /etc/iv-p2p.conf.
 */
#ifndef IV_AV_H
#define IV_AV_H

#include "iv_cm.h"
#include "iv_err.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef IV_AV_API
#define IV_AV_API 1
#endif
#if IV_AV_API != 1 && IV_AV_API != 2
#error "IV_AV_API is 1 or 2"
#endif

/* A function of the second shape goes by its own name to the linker. */
#define IV_AV_STRING_(x) #x
#define IV_AV_STRING(x) IV_AV_STRING_ (x)
#if IV_AV_API == 2
#define IV_AV_SYMBOL(name)                                                     \
  __asm__(IV_AV_STRING (__USER_LABEL_PREFIX__) #name "_2")
#else
#define IV_AV_SYMBOL(name)
#endif

/* Of a command, in bytes. */
#define MAX_SIZE_OF_PARAMS 3000

/* -- Events ---------------------------------------------------------------- */

typedef enum {
  IV_AVT_EVENT_P2P_PEER_READY = 0,        /* can be reached from now on */
  IV_AVT_EVENT_P2P_PEER_CONNECT_FAIL = 1, /* the server cannot be reached */
  IV_AVT_EVENT_P2P_PEER_ERROR = 2,        /* the network is gone */
  IV_AVT_EVENT_P2P_PEER_ADDR_CHANGED = 3, /* paths are made anew, by itself */
  IV_AVT_EVENT_P2P_WATERMARK_LOW = 4,  /* below low: data is asked for again */
  IV_AVT_EVENT_P2P_WATERMARK_WARN = 5, /* above warn: no more than that */
  IV_AVT_EVENT_P2P_WATERMARK_HIGH = 6, /* above high: no data is asked for */
#if IV_AV_API == 2
  IV_AVT_EVENT_P2P_LOCAL_NET_READY = 7, /* can be found on the local network */
  IV_AVT_EVENT_P2P_LINK_DISCONNECT = 8, /* a peer has gone */
  IV_AVT_EVENT_P2P_CLI_SEND_CLOSE = 9,  /* a peer has stopped talking */
#endif
  IV_AVT_EVENT_P2P_BUTT
} iv_avt_event_e;

/* -- Parameters ------------------------------------------------------------ */

/* Either of them 0: off. */
typedef struct p2p_keep_alive_s
{
  uint8_t time_inter_s;    /* at most this long between two rounds; 5 to 10 */
  uint8_t max_attempt_num; /* probes a round, 10 at most; 3 */
} p2p_keep_alive_cfg;

typedef p2p_keep_alive_cfg p2p_keep_alive_s;

#if IV_AV_API == 2
typedef enum {
  IV_AVT_P2P_LOG_DISABLE = 0,
  IV_AVT_P2P_LOG_ERROR = 1,
  IV_AVT_P2P_LOG_WARN = 2,
  IV_AVT_P2P_LOG_INFO = 3,
  IV_AVT_P2P_LOG_DEBUG = 4,
  IV_AVT_P2P_LOG_VERBOSE = 5,
} iv_avt_p2p_log_level_e;

typedef enum {
  IV_AVT_P2P_NIC_NORMAL = 0,
  IV_AVT_P2P_NIC_NAT_EX = 1,
} iv_avt_p2p_nic_type_e;

typedef enum {
  IV_AVT_P2P_TP_UDP = 0,
  IV_AVT_P2P_TP_TCP = 1,
  IV_AVT_P2P_TP_AUTO = 2,
} iv_avt_p2p_tp_type_e;

/* 0 and NULL stand for the default; see docs/iv_av.md for what each does. */
typedef struct
{
  iv_avt_p2p_log_level_e log_level;
  const char *log_file_path;
  uint32_t log_file_size; /* twice that on disk, at most */
  uint32_t mtu_size;      /* 500 to 1460 */
  iv_avt_p2p_nic_type_e nic_type;
  uint32_t sender_interval_ms; /* 10: between two calls of send_get */
  uint32_t keepalive_interval_s;
  uint32_t access_retry_times;
  iv_avt_p2p_tp_type_e protocol;
  const char *proxy_ip;
  uint32_t proxy_port;
  uint32_t loopback_port;
  int thread_policy;   /* 0 SCHED_OTHER, 1 SCHED_FIFO, 2 SCHED_RR */
  int thread_priority; /* 0 to 99 */
  uint32_t need_pre_connect;
} p2p_init_params_s;

typedef struct
{
  int probe_port;
  int trans_port;
  char local_addr[64];
  char *vendor_id;
  char *device_id;
} local_net_info_s;
#endif

/* None of the callbacks may be NULL. */
typedef struct iv_avt_init_parm_s
{
  /* A peer asks for a stream: "action=live&channel=0". The handle is the
   * program's own; NULL refuses the request. */
  void *(*p2p_handle_send_init_cb) (const char *params, const char *peer);
  /* Every 10 ms. `buf` NULL: nothing now; with a size of (size_t) -1: the
   * stream has ended. */
  iv_cm_memory_s (*p2p_handle_send_get_cb) (void *handle);
  int (*p2p_handle_send_stop_cb) (void *handle);
  /* `handle` is NULL except for watermarks. */
  void (*p2p_handle_event_notify_cb) (iv_avt_event_e event, void *handle);
  /* A peer talks. */
  void *(*p2p_handle_recv_init_cb) (const char *params, const char *peer);
  /* NULL and 0 at the end. */
#if IV_AV_API == 2
  void (*p2p_handle_recv_voice_cb) (void *handle, uint8_t *recv_buf,
                                    size_t recv_len, uint8_t *stop);
#else
  void (*p2p_handle_recv_voice_cb) (void *handle, uint8_t *recv_buf,
                                    size_t recv_len);
#endif
  /* The reply, writable. NULL or a size of 0: the peer is told that its channel
   * is closed. */
  iv_cm_memory_s (*p2p_handle_command_cb) (const char *command, size_t cmd_len,
                                           const char *peer);
  p2p_keep_alive_cfg p2p_keep_alive;
#if IV_AV_API == 2
  p2p_init_params_s p2p_init_params;
  local_net_info_s net_info;
#endif
} iv_avt_init_parm_s;

typedef iv_avt_init_parm_s iv_p2p_parm_s;

typedef struct
{
  uint32_t inst_net_rate;  /* of the network now, bytes a second */
  uint32_t ave_sent_rate;  /* acknowledged in the last second, bytes */
  uint64_t sum_sent_acked; /* acknowledged since the start, bytes */
#if IV_AV_API == 2
  uint32_t link_mode; /* 0 none, 1 direct, 2 relayed */
#endif
} iv_p2p_send_stats_s;

/* -- Functions ------------------------------------------------------------- */

/* Copies what it is given. 0, or an IV_ERR_AVT_… of iv_err.h, as of every
 * function that returns an int. */
int iv_avt_p2p_init (const iv_p2p_parm_s *pstInitParm)
    IV_AV_SYMBOL (iv_avt_p2p_init);

/* Every open handle has had its stop callback when this returns; within a
 * callback: every other one, and its own when that callback has returned. */
int iv_avt_p2p_exit (void);

/* Bytes; for all handles, those open now included. They must rise in this
 * order. All 0: no events, and no pause but where memory ends. */
int iv_avt_p2p_set_buf_watermark (size_t low_mark, size_t warn_mark,
                                  size_t high_mark);

/* An extension: the same for one handle alone, from its init on. */
int iv_avt_p2p_set_handle_watermark (void *handle, size_t low_mark,
                                     size_t warn_mark, size_t high_mark);

/* Bytes that have not been sent; 0 for what is not a handle (any more). */
size_t iv_avt_p2p_get_send_buf (void *handle);

/* All 0 for what is not a handle (any more). */
iv_p2p_send_stats_s iv_avt_p2p_get_send_status (void *handle)
    IV_AV_SYMBOL (iv_avt_p2p_get_send_status);

#if IV_AV_API == 2
/* Waits for the reply; not on a thread that must not wait. `msg_len`: 1 to
 * 16384. `recv_len`: the room in `recv_buf`, then the length of the reply, also
 * when that was too big. `timeout_ms` 0: 7500. 0, or an IV_ERR_AVT_… of
 * iv_err.h. */
int iv_avt_p2p_send_command (const char *peer, const char *msg, size_t msg_len,
                             unsigned char *recv_buf, size_t *recv_len,
                             uint32_t timeout_ms);

/* Taken as the nearest of 500 to 1200, and given back; the engine finds the size
 * that fits by itself. */
void iv_avt_set_mtu (uint32_t mtu);
uint32_t iv_avt_get_mtu (void);

void iv_avt_set_p2p_log_level (iv_sys_log_level_type_e level);
iv_sys_log_level_type_e iv_avt_get_p2p_log_level (void);
#endif

#ifdef __cplusplus
}
#endif

#endif /* IV_AV_H */
