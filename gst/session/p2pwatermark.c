/* What waits for one viewer, and its marks.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All on the network thread, but for p2p_endpoint_take_marks() and
 * p2p_endpoint_high_watermark(), which any thread may call.
 *
 * The level of a viewer is what has not left for it of the streams whose source
 * does not wait: it has to be told, or frames have to be dropped, and that goes
 * for all of them together. Between HIGH and LOW nothing more of its live
 * streams is taken for that viewer; then each goes on with a keyframe, which is
 * asked for at LOW and not before. Streams whose source can wait have marks of
 * their own, see p2pstream.c: they always fill what they are given.
 */
#include "p2pendpoint-private.h"

/* What bounds memory where the settings say nothing. */
#define DEFAULT_BOUND 512000

static guint
get (const guint *number)
{
  return (guint)g_atomic_int_get ((const gint *)number);
}

void
p2p_endpoint_take_marks (P2pEndpoint *endpoint, IvWatermarkMarks *marks)
{
  marks->low = get (&endpoint->config.low_watermark);
  marks->warn = get (&endpoint->config.warn_watermark);
  marks->high = get (&endpoint->config.high_watermark);
}

guint
p2p_endpoint_high_watermark (P2pEndpoint *endpoint)
{
  guint high = get (&endpoint->config.high_watermark);

  if (high > 0)
    return high;
  return MAX (get (&endpoint->config.warn_watermark), DEFAULT_BOUND);
}

/* -- The level ------------------------------------------------------------- */

/* Of two streams that wait the one that has waited longer tells the time. */
static void
measure (P2pPeer *peer)
{
  UdtTime now = (UdtTime)g_get_monotonic_time ();
  UdtFlowStats stats;
  guint i;

  peer->level_bytes = peer->level_us = 0;
  for (i = 0; i < peer->outs->len; i++) {
    P2pOutStream *out = g_ptr_array_index (peer->outs, i);

    if (!p2p_out_is_counted (out)
        || udt_connection_get_flow_stats (peer->engine, out->flow.id, now,
                                          &stats)
               != UDT_OK)
      continue;
    peer->level_bytes += stats.unsent + out->flow.pending_bytes;
    if (stats.unsent > 0)
      peer->level_us = MAX (peer->level_us, stats.oldest_age);
  }
}

/* Streams that lost something meanwhile can go on. */
static void
go_on (P2pPeer *peer)
{
  guint i;

  for (i = 0; i < peer->outs->len; i++) {
    P2pOutStream *out = g_ptr_array_index (peer->outs, i);

    if (out->stream != NULL && out->flow.waiting_sync)
      p2p_stream_want_key_unit (out->stream, FALSE);
  }
}

static void
tell (P2pPeer *peer, unsigned events)
{
  static const unsigned order[]
      = { IV_WATERMARK_LOW, IV_WATERMARK_WARN, IV_WATERMARK_HIGH };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (order); i++) {
    if (!(events & order[i]))
      continue;
    peer->mark_counts[i]++;
    p2p_notify_watermark (peer->endpoint->notify, peer->id, order[i],
                          peer->level_bytes, peer->level_us);
  }
}

void
p2p_peer_update_level (P2pPeer *peer)
{
  IvWatermarkMarks marks;
  gboolean was_paused = iv_watermark_is_paused (&peer->watermark);

  if (peer->engine == NULL || peer->state != P2P_PEER_UP)
    return;
  p2p_endpoint_take_marks (peer->endpoint, &marks);
  /* Between two of the three being set they may be out of order for once. */
  iv_watermark_set_marks (&peer->watermark, &marks, NULL);
  measure (peer);
  tell (peer, iv_watermark_update (&peer->watermark, peer->level_bytes, 0));
  if (was_paused && !iv_watermark_is_paused (&peer->watermark))
    go_on (peer);
}

void
p2p_peer_watch_level (P2pPeer *peer)
{
  if (peer->unheard && !p2p_peer_is_silent (peer)) {
    peer->unheard = FALSE;
    if (!p2p_peer_is_paused (peer))
      go_on (peer);
  }
  if (iv_watermark_is_raised (&peer->watermark))
    p2p_peer_update_level (peer);
}

gboolean
p2p_peer_is_silent (const P2pPeer *peer)
{
  return peer->engine != NULL
         && udt_connection_is_silent (peer->engine,
                                      (UdtTime)g_get_monotonic_time ());
}

gboolean
p2p_peer_is_paused (const P2pPeer *peer)
{
  return iv_watermark_is_paused (&peer->watermark);
}
