/* Rates: token buckets, one for all and one by source.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A table of fixed size: when it is full, the source that was quiet for longest
 * makes room. Who has that many addresses meets the common bucket.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2plimit.h"

#include <string.h>

void
p2p_bucket_init (P2pBucket *bucket, guint rate, guint burst, gint64 now_us)
{
  bucket->rate = rate;
  bucket->burst = burst;
  bucket->tokens = burst;
  bucket->last_us = now_us;
}

gboolean
p2p_bucket_take (P2pBucket *bucket, gint64 now_us)
{
  bucket->tokens
      += (now_us - bucket->last_us) * (gdouble)bucket->rate / G_USEC_PER_SEC;
  bucket->tokens = MIN (bucket->tokens, bucket->burst);
  bucket->last_us = now_us;
  if (bucket->tokens < 1)
    return FALSE;
  bucket->tokens -= 1;
  return TRUE;
}

void
p2p_bucket_give_back (P2pBucket *bucket)
{
  bucket->tokens = MIN (bucket->tokens + 1, bucket->burst);
}

void
p2p_sources_init (P2pSources *sources, guint rate, guint burst, guint max_open)
{
  memset (sources, 0, sizeof *sources);
  sources->rate = rate;
  sources->burst = burst;
  sources->max_open = max_open;
}

static void
get_prefix (GInetAddress *address, guint8 *prefix)
{
  static const guint8 mapped[12] = { [10] = 0xff, [11] = 0xff };
  const guint8 *bytes = g_inet_address_to_bytes (address);

  memset (prefix, 0, 8);
  if (g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV4)
    memcpy (prefix, bytes, 4);
  else if (memcmp (bytes, mapped, sizeof mapped) == 0)
    memcpy (prefix, bytes + sizeof mapped, 4);
  else
    memcpy (prefix, bytes, 8);
}

P2pSource *
p2p_sources_enter (P2pSources *sources, GInetAddress *address, gint64 now_us)
{
  guint8 prefix[8];
  P2pSource *found = NULL;
  guint i;

  get_prefix (address, prefix);
  for (i = 0; i < P2P_SOURCES_MAX; i++) {
    P2pSource *source = &sources->sources[i];

    if (source->used_us != 0
        && memcmp (source->prefix, prefix, sizeof prefix) == 0) {
      found = source;
      break;
    }
    if (source->open == 0 && (!found || source->used_us < found->used_us))
      found = source;
  }
  if (!found)
    return NULL;
  if (found->used_us == 0 || memcmp (found->prefix, prefix, sizeof prefix)) {
    memcpy (found->prefix, prefix, sizeof prefix);
    p2p_bucket_init (&found->bucket, sources->rate, sources->burst, now_us);
  }
  found->used_us = MAX (now_us, 1);
  if (found->open >= sources->max_open
      || !p2p_bucket_take (&found->bucket, now_us))
    return NULL;
  found->open++;
  return found;
}

void
p2p_sources_leave (P2pSource *source, gboolean proved)
{
  source->open--;
  if (proved)
    p2p_bucket_give_back (&source->bucket);
}

void
p2p_seen_init (P2pSeen *seen, guint max)
{
  seen->ids = g_malloc0_n (max, P2P_SEEN_ID);
  seen->max = max;
  seen->count = 0;
}

void
p2p_seen_clear (P2pSeen *seen)
{
  g_clear_pointer (&seen->ids, g_free);
}

/* A search from end to end: only who has the key gets anything in here, and
 * not often. */
gboolean
p2p_seen_has (const P2pSeen *seen, const guint8 *id)
{
  guint n = MIN (seen->count, seen->max), i;

  for (i = 0; i < n; i++) {
    if (memcmp (seen->ids + i * P2P_SEEN_ID, id, P2P_SEEN_ID) == 0)
      return TRUE;
  }
  return FALSE;
}

gboolean
p2p_seen_add (P2pSeen *seen, const guint8 *id)
{
  if (p2p_seen_has (seen, id))
    return FALSE;
  memcpy (seen->ids + seen->count % seen->max * P2P_SEEN_ID, id, P2P_SEEN_ID);
  seen->count++;
  return TRUE;
}
