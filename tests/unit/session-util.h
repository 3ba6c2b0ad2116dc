/* Endpoints for tests: what their listeners and callbacks saw, and waiting for
 * it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Everything that callbacks write lies under one lock, `world`; WAIT_FOR() waits
 * on its condition, which every callback signals. A wait that does not come true
 * is a failure, never a pause.
 */
#ifndef SESSION_UTIL_H
#define SESSION_UTIL_H

#include "p2pendpoint.h"

#define KEY "a key for these tests only"

extern GMutex world;
extern GCond changed;

typedef struct
{
  unsigned event;               /* IV_WATERMARK_… */
  gchar peer[64];
  guint64 bytes, us;
} Mark;

/* -- A side: an endpoint and its listener ---------------------------------- */

typedef struct
{
  P2pEndpoint *endpoint;
  guint listener;
  guint steps[5][2];            /* by step, failed and ok */
  gchar *reasons[5];            /* of the last failure */
  gchar *path;                  /* of the last punch */
  guint added, removed;
  gchar *peer;                  /* added last */
  gchar *removed_reason;
  guint requests_added, requests_removed;
  guint offers_added, offers_removed;
  guint offer;                  /* added last */
  guint request;                /* the same */
  gchar *params;                /* of either */
  guint asked;
  gboolean refuse;              /* answer of authorize */
  gboolean stall;               /* authorize waits while this is set */
  GArray *marks;                /* Mark, in the order told */
  guint relay_missing;
  gchar *relay;                 /* that, and what it said */
} Side;

void side_config (P2pEndpointConfig * config, P2pRole role,
    const gchar * uri);
void side_open (Side * side, const P2pEndpointConfig * config);
void side_close (Side * side);

/* -- Received streams ------------------------------------------------------ */

typedef struct
{
  gchar *name;
  gchar *peer;
  guint request;
  gchar *params;
  P2pWireKind kind;
  guint epoch;
  P2pInStream *in;
  GPtrArray *frames;            /* GBytes */
  GArray *headers;              /* P2pWireFrame */
  GPtrArray *caps;              /* text, in the order told */
  GArray *caps_at;              /* number of frames before each */
  guint gaps;
  gboolean ended, closed, lost;
  gboolean refuse;              /* FALSE from stream_frame */
} Received;

typedef struct
{
  P2pRequest *request;
  GPtrArray *streams;           /* Received, in the order opened */
  guint complete;
  gboolean refuse_new;          /* streams begin with `refuse` */
  gboolean stuck;               /* the network thread hangs in stream_frame */
} Wish;

void wish_open (Wish * wish, Side * side, const gchar * params);
/* What viewers offer. */
void wish_accept (Wish * wish, Side * side, const gchar * match);
void wish_close (Wish * wish);
/* The newest of that name, or NULL. With `world` held. */
Received *wish_find (Wish * wish, const gchar * name);

/* -- Published streams ----------------------------------------------------- */

typedef struct
{
  P2pStream *stream;
  guint key_units, writable;
  guint sent;                   /* frames, numbered in their payload */
  gboolean force;               /* it cannot wait */
} Source;

void source_open (Source * source, Side * side, P2pWireKind kind,
    const gchar * name, const gchar * match, gint deadline_ms);
void source_offer (Source * source, P2pOffer * offer, Side * side,
    P2pWireKind kind, const gchar * name);
void source_close (Source * source);
/* A frame of `size` bytes whose content follows from the stream's name and its
 * number. */
P2pPushResult source_push (Source * source, guint size, gboolean key);
GBytes *make_payload (const gchar * name, guint number, guint size);
/* Whether frame `number` of `name` is what was sent. */
gboolean payload_matches (GBytes * payload, const gchar * name,
    guint number);

guint free_port (void);
gchar *tcp_uri (guint port);
guint count_threads (void);
guint count_fds (void);

/* Long enough for valgrind on a busy machine; nothing waits it out unless it
 * fails. */
#define WAIT_SECONDS (g_getenv ("P2P_VALGRIND") != NULL ? 120 : 20)

/* What nobody signals (an endpoint that is gone, a descriptor) is looked at
 * again after a while. */
#define WAIT_FOR(condition)                                                    \
  G_STMT_START {                                                               \
    gint64 until_ = g_get_monotonic_time ()                                    \
        + WAIT_SECONDS * G_TIME_SPAN_SECOND;                                   \
    gint64 now_;                                                               \
    g_mutex_lock (&world);                                                     \
    while (!(condition)                                                        \
        && (now_ = g_get_monotonic_time ()) < until_)                          \
      g_cond_wait_until (&changed, &world,                                     \
          now_ + 100 * G_TIME_SPAN_MILLISECOND);                               \
    if (!(condition))                                                          \
      g_error ("%s:%d: waited in vain for: %s", __FILE__, __LINE__,            \
          #condition);                                                         \
    g_mutex_unlock (&world);                                                   \
  } G_STMT_END

#endif /* SESSION_UTIL_H */
