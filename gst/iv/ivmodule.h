/* What lies between the interface's two shapes and the session.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The module is what iv_avt_p2p_init() makes and iv_avt_p2p_exit() ends.
 *
 * Locks, outermost first: the registry's (ivmodule.c: which module there is),
 * the module's (its lists, and what network and notify threads write into
 * channels and talks), the pool's. None is held while the program is called.
 * Threads: requests and steps come on the endpoint's notify thread, what is
 * received on its network thread, commands on threads of the session; the
 * program is called on the pool's, for commands on the session's.
 */
#ifndef IV_MODULE_H
#define IV_MODULE_H

#include "iv_cm.h"
#include "iv_err.h"
#include "ivconfig.h"
#include "ivpool.h"
#include "ivwatermark.h"

G_BEGIN_DECLS

#define IV_DEFAULT_INTERVAL_MS 10
#define IV_MAX_INTERVAL_MS 1000
#define IV_MAX_KEEP_ALIVE_ATTEMPTS 10
#define IV_MIN_MTU 500
#define IV_MAX_INIT_MTU 1460
#define IV_MAX_MTU 1200
#define IV_DEFAULT_MTU 1200
/* Of a channel, if no mark says more: what an app may cost in the worst case.
 */
#define IV_CHANNEL_BYTES (512 * 1024)
/* One block of the program's. */
#define IV_MAX_BLOCK (16u << 20)
/* Of a talker, waiting for the program. */
#define IV_TALK_BYTES (128 * 1024)
#define IV_MAX_TALKS 64
#define IV_MAX_EVENTS 256
#define IV_MAX_COMMAND 3000        /* that the program gets */
#define IV_MAX_SENT_COMMAND 16384  /* that it sends */
#define IV_COMMAND_TIMEOUT_MS 7500 /* of one that it sends */

/* As in iv_av.h, which has either shape and is not included here. */
enum {
  IV_EVENT_READY,
  IV_EVENT_CONNECT_FAIL,
  IV_EVENT_ERROR,
  IV_EVENT_ADDR_CHANGED,
  IV_EVENT_LOW,
  IV_EVENT_WARN,
  IV_EVENT_HIGH,
  IV_EVENT_LOCAL_NET_READY,
  IV_EVENT_DISCONNECT,
  IV_EVENT_SEND_CLOSE,
};

typedef struct
{
  guint api; /* 1 or 2 */
  void *(*send_init) (const char *params, const char *peer);
  iv_cm_memory_s (*send_get) (void *handle);
  int (*send_stop) (void *handle);
  /* The enumeration's type is compatible with unsigned int. */
  void (*event) (unsigned event, void *handle);
  void *(*recv_init) (const char *params, const char *peer);
  void (*recv_voice) (void *handle, uint8_t *data, size_t len);
  void (*recv_voice_stop) (void *handle, uint8_t *data, size_t len,
                           uint8_t *stop);
  iv_cm_memory_s (*command) (const char *command, size_t len, const char *peer);
} IvCallbacks;

typedef struct
{
  IvCallbacks calls;
  guint keep_alive_s, keep_alive_attempts;
  guint interval_ms;
  int thread_policy, thread_priority;
} IvParams;

typedef struct
{
  guint32 net_rate, sent_rate, link_mode;
  guint64 acked;
} IvSendStats;

typedef struct _IvModule IvModule;
typedef struct _IvChannel IvChannel;
typedef struct _IvNetwork IvNetwork;

struct _IvModule
{
  gint refs; /* [atomic] */
  IvCallbacks calls;
  P2pEndpoint *endpoint;
  IvPool *pool;
  gchar *caps;
  guint listener;
  P2pRequest *talkers;
  IvNetwork *network;

  GMutex lock;
  GCond changed; /* a serial is done; commands */
  /* [lock] */
  gboolean closing;
  GPtrArray *channels; /* IvChannel */
  GPtrArray *talks;    /* IvTalk */
  gboolean in_command;

  /* Events without a handle, ivevents.c. */
  IvSerial events;
  GQueue event_queue; /* [lock] */
  enum {
    IV_SERVER_UNKNOWN,
    IV_SERVER_REACHED,
    IV_SERVER_LOST,
    IV_SERVER_UNREACHABLE,
  } server; /* notify thread's */
};

/* -- ivmodule.c ------------------------------------------------------------ */

/* Whether all callbacks are there. */
int iv_module_check (const IvParams *params);
int iv_module_init (const IvParams *params);
int iv_module_exit (void);
/* A reference to the one there is, or NULL. */
IvModule *iv_module_get (void);
IvModule *iv_module_ref (IvModule *module);
void iv_module_unref (IvModule *module);
/* With the module's lock: takes it off its list. */
void iv_module_done (IvModule *module, GPtrArray *list, gpointer item);

int iv_module_set_watermark (size_t low, size_t warn, size_t high);
/* The marks for all; `generation` is another number after each change. */
void iv_module_get_marks (IvWatermarkMarks *marks, guint *generation);

/* -- ivchannel.c: what is sent to one request ------------------------------ */

void iv_channel_open (IvModule *module, const gchar *peer, guint request,
                      const gchar *params);
/* NULL: every one. */
void iv_channel_close (IvModule *module, const gchar *peer, guint request);
void iv_channel_close_all (IvModule *module);
size_t iv_channel_get_level (void *handle);
void iv_channel_get_stats (void *handle, IvSendStats *stats);
int iv_channel_set_watermark (void *handle, size_t low, size_t warn,
                              size_t high);
gboolean iv_marks_take (IvWatermarkMarks *marks, size_t low, size_t warn,
                        size_t high);

/* -- ivtalk.c: what a peer sends ------------------------------------------- */

extern const P2pRequestCallbacks iv_talk_callbacks;
void iv_talk_close_all (IvModule *module);

/* -- ivcommand.c ----------------------------------------------------------- */

GBytes *iv_command_run (IvModule *module, const gchar *peer, GBytes *command);
int iv_command_send (const char *peer, const char *msg, size_t msg_len,
                     unsigned char *recv_buf, size_t *recv_len,
                     guint timeout_ms);

/* -- ivevents.c ------------------------------------------------------------ */

void iv_events_init (IvModule *module);
void iv_events_end (IvModule *module);
void iv_events_post (IvModule *module, guint event);
void iv_events_step (IvModule *module, const P2pStep *step);

/* -- ivnetwork.c: addresses that change ------------------------------------ */

IvNetwork *iv_network_new (IvModule *module);
void iv_network_free (IvNetwork *network);

/* -- ivparams.c: what comes from the network ------------------------------- */

/* "key=value&key=value" as the interface has it. */
gboolean iv_params_check (const gchar *params);

/* -- ivlog.c --------------------------------------------------------------- */

enum {
  IV_LOG_NONE,
  IV_LOG_ERROR,
  IV_LOG_WARN,
  IV_LOG_INFO,
  IV_LOG_DEBUG,
};

void iv_log (guint level, const gchar *format, ...) G_GNUC_PRINTF (2, 3);
void iv_log_set_level (guint level);
guint iv_log_get_level (void);
/* NULL: standard error. `size`: of the file, after which a new one is begun
 * and the old one kept once; 0: no limit. */
void iv_log_set_file (const gchar *path, guint64 size);

G_END_DECLS

#endif /* IV_MODULE_H */
