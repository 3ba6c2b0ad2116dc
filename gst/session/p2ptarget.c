/* What each viewer's path carries of a stream of video.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All on the network thread. The engine says what all video on a path should
 * have. Streams that follow (targets() gave them a nominal bit rate) share that
 * in proportion to their nominal ones, after those that do not have taken what
 * they take.
 */
#include "p2pendpoint-private.h"

/* Bytes that are acknowledged are counted for so long. */
#define METER_US (G_USEC_PER_SEC)
/* Of a stream that has not said what it would have. */
#define NOMINAL_UNKNOWN 2000000

/* Bit/s of a stream that does not follow. */
static guint64
meter (P2pOutStream *out, gint64 now)
{
  gint64 since = now - out->metered_us;
  UdtFlowStats stats;

  if (out->metered_us != 0 && since < METER_US)
    return out->metered_rate;
  if (udt_connection_get_flow_stats (out->peer->engine, out->flow.id,
                                     (UdtTime)now, &stats)
      != UDT_OK)
    return out->metered_rate;
  if (out->metered_us != 0)
    out->metered_rate = (stats.bytes_acknowledged - out->metered_bytes) * 8
                        * G_USEC_PER_SEC / (guint64)since;
  out->metered_bytes = stats.bytes_acknowledged;
  out->metered_us = now;
  return out->metered_rate;
}

static guint64
share (P2pOutStream *out, gint64 now)
{
  GPtrArray *outs = out->peer->outs;
  guint64 own = out->stream->nominal, all = 0, taken = 0;
  UdtStats stats;
  guint i;

  udt_connection_get_stats (out->peer->engine, (UdtTime)now, &stats);
  if (own == 0)
    own = NOMINAL_UNKNOWN;
  for (i = 0; i < outs->len; i++) {
    P2pOutStream *other = g_ptr_array_index (outs, i);

    if (other == out)
      all += own;
    else if (other->stream == NULL
             || other->stream->config.kind != P2P_WIRE_VIDEO)
      continue;
    else if (other->stream->nominal != 0)
      all += other->stream->nominal;
    else
      taken += meter (other, now);
  }
  if (taken >= stats.target_bitrate)
    return 0;
  return (guint64)((double)(stats.target_bitrate - taken) * (double)own
                   / (double)all);
}

void
p2p_stream_tell_targets (P2pStream *stream, gint64 now)
{
  BitrateViewer viewers[BITRATE_POLICY_MAX_VIEWERS];
  P2pOutStream *who[BITRATE_POLICY_MAX_VIEWERS];
  gsize i, n = 0;

  if (stream->callbacks.targets == NULL || stream->config.kind != P2P_WIRE_VIDEO
      || !p2p_guard_enter (&stream->guard))
    return;
  for (i = 0; i < stream->outs->len && n < G_N_ELEMENTS (who); i++) {
    P2pOutStream *out = g_ptr_array_index (stream->outs, i);

    if (out->peer->engine == NULL)
      continue;
    viewers[n].bitrate = share (out, now);
    viewers[n].left_out = out->left_out;
    who[n++] = out;
  }
  stream->nominal
      = stream->callbacks.targets (stream, viewers, n, stream->user);
  p2p_guard_leave (&stream->guard);
  while (n-- > 0)
    who[n]->left_out = viewers[n].left_out;
}
