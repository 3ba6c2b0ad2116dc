/* Rates: how many attempts of strangers are looked at, in total and by source;
 * and which 16-byte ids were seen before.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Constant memory. Time is a parameter: monotonic, microseconds. One thread.
 */
#ifndef P2P_LIMIT_H
#define P2P_LIMIT_H

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct
{
  guint rate; /* a second */
  guint burst;
  gdouble tokens;
  gint64 last_us;
} P2pBucket;

void p2p_bucket_init (P2pBucket *bucket, guint rate, guint burst,
                      gint64 now_us);
gboolean p2p_bucket_take (P2pBucket *bucket, gint64 now_us);
/* The attempt was a good one: it shall not count. */
void p2p_bucket_give_back (P2pBucket *bucket);

#define P2P_SOURCES_MAX 64

/* By IPv4 address or IPv6 /64: who has one address there has them all. */
typedef struct
{
  guint8 prefix[8];
  P2pBucket bucket;
  guint open;     /* connections that have not proved the key */
  gint64 used_us; /* 0: free */
} P2pSource;

typedef struct
{
  guint rate, burst, max_open;
  P2pSource sources[P2P_SOURCES_MAX];
} P2pSources;

void p2p_sources_init (P2pSources *sources, guint rate, guint burst,
                       guint max_open);
/* NULL: refused. Otherwise `open` counts it, until p2p_sources_leave(). */
P2pSource *p2p_sources_enter (P2pSources *sources, GInetAddress *address,
                              gint64 now_us);
void p2p_sources_leave (P2pSource *source, gboolean proved);

/* Ids seen, the last `max` of them. */
#define P2P_SEEN_ID 16

typedef struct
{
  guint8 *ids;
  guint max;
  guint64 count; /* ever */
} P2pSeen;

void p2p_seen_init (P2pSeen *seen, guint max);
void p2p_seen_clear (P2pSeen *seen);
gboolean p2p_seen_has (const P2pSeen *seen, const guint8 *id);
/* FALSE: it was there already. */
gboolean p2p_seen_add (P2pSeen *seen, const guint8 *id);

G_END_DECLS

#endif /* P2P_LIMIT_H */
