/* A link with a record of all that it said, for tests.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Callbacks come from the link's thread and only note; the test waits on a
 * condition, never for time to pass.
 */
#ifndef UDTLINK_UTIL_H
#define UDTLINK_UTIL_H

#include <glib.h>
#include "udtlink.h"

#define END_KEY "0123456789abcdef0123456789abcdef"

typedef struct
{
  UdtLink *link;
  GMutex lock;
  GCond cond;
  /* [lock] */
  guint connected, disconnected, failed, rejected, unheard;
  gboolean final;
  gchar *reason; /* of the last event that had one */
  guint key_units, writable;
  guint opened, ended, closed;
  P2pWireKind kind;
  GPtrArray *caps;   /* strings */
  GPtrArray *frames; /* GBytes */
  GArray *headers;   /* P2pWireFrame */
  guint64 bytes;
  guint gaps;
  gboolean full; /* take no frames */
  guint refused; /* frames, for that */
} End;

/* Loopback, IPv4 unless said otherwise; `key` NULL: insecure. */
void end_config (UdtLinkConfig *config, gboolean listener, gboolean sender,
                 guint port);
End *end_new (const UdtLinkConfig *config, const gchar *key);
void end_free (End *end);

/* Waits until `condition` holds, at most 30 s; gives whether it does. */
#define END_WAIT(end, condition)                                               \
  ({                                                                           \
    End *e_ = (end);                                                           \
    gint64 until_ = g_get_monotonic_time () + 30 * G_USEC_PER_SEC;             \
    gboolean ok_;                                                              \
    g_mutex_lock (&e_->lock);                                                  \
    while (!(ok_ = (condition))                                                \
           && g_cond_wait_until (&e_->cond, &e_->lock, until_))                \
      ;                                                                        \
    ok_ = (condition);                                                         \
    g_mutex_unlock (&e_->lock);                                                \
    ok_;                                                                       \
  })

/* A frame with `size` bytes that depend on `number`; waits for room. */
void end_push (End *end, guint number, gsize size, guint16 flags);
/* Whether frame `index` is what end_push() made of `number`. */
gboolean end_has (End *end, guint index, guint number, gsize size);

#endif /* UDTLINK_UTIL_H */
