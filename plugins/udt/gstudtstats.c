/* Statistics as a structure.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure functions.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstudtsettings.h"

static GstStructure *
peer_to_structure (const UdtLinkPeerStats *peer)
{
  const UdtStats *e = &peer->engine;

  return gst_structure_new (
      "application/x-udt-peer-stats", "address", G_TYPE_STRING, peer->address,
      "connected-us", G_TYPE_UINT64,
      (guint64)MAX (g_get_monotonic_time () - peer->connected_us, 0), "rtt-us",
      G_TYPE_UINT64, (guint64)e->rtt, "rtt-variation-us", G_TYPE_UINT64,
      (guint64)e->rtt_variation, "min-rtt-us", G_TYPE_UINT64,
      (guint64)e->min_rtt, "queue-delay-us", G_TYPE_UINT64,
      (guint64)e->queue_delay, "pacing-rate-bps", G_TYPE_UINT64, e->pacing_rate,
      "delivery-rate-bps", G_TYPE_UINT64, e->delivery_rate,
      "target-bitrate-bps", G_TYPE_UINT64, e->target_bitrate, "loss-per-mille",
      G_TYPE_UINT, e->loss_per_mille, "mtu-bytes", G_TYPE_UINT, e->mtu,
      "backlog-bytes", G_TYPE_UINT64, peer->backlog, "sent-bytes",
      G_TYPE_UINT64, e->bytes_sent, "received-bytes", G_TYPE_UINT64,
      e->bytes_received, "sent-payload-bytes", G_TYPE_UINT64,
      e->payload_bytes_sent, "received-payload-bytes", G_TYPE_UINT64,
      e->payload_bytes_received, "sent-packets", G_TYPE_UINT64, e->packets_sent,
      "received-packets", G_TYPE_UINT64, e->packets_received, "lost-packets",
      G_TYPE_UINT64, e->packets_lost, "retransmitted-packets", G_TYPE_UINT64,
      e->packets_retransmitted, "repaired-packets", G_TYPE_UINT64,
      e->packets_repaired, "sent-repair-bytes", G_TYPE_UINT64,
      e->repair_bytes_sent, "recovered-packets", G_TYPE_UINT64,
      e->packets_recovered, "refused-packets", G_TYPE_UINT64,
      e->refused_truncated + e->refused_other_id + e->refused_forged
          + e->refused_replayed + e->refused_malformed + e->refused_limit,
      "sent-frames", G_TYPE_UINT64, peer->frames_sent, "received-frames",
      G_TYPE_UINT64, peer->frames_received, "dropped-frames", G_TYPE_UINT64,
      peer->frames_dropped, "missed-frames", G_TYPE_UINT64, peer->frames_missed,
      NULL);
}

GstStructure *
gst_udt_stats_to_structure (const UdtLinkStats *stats)
{
  static const UdtLinkStats none;
  GstStructure *structure;
  GValue peers = G_VALUE_INIT;
  guint i;

  if (stats == NULL)
    stats = &none;
  structure = gst_structure_new (
      "application/x-udt-stats", "sent-datagrams", G_TYPE_UINT64,
      stats->datagrams_sent, "received-datagrams", G_TYPE_UINT64,
      stats->datagrams_received, "send-calls", G_TYPE_UINT64, stats->send_calls,
      "receive-calls", G_TYPE_UINT64, stats->receive_calls, "wake-ups",
      G_TYPE_UINT64, stats->wake_ups, "send-errors", G_TYPE_UINT64,
      stats->send_errors, "refused-datagrams", G_TYPE_UINT64,
      stats->refused_datagrams, "rejected-callers", G_TYPE_UINT64,
      stats->rejected_callers, "calls", G_TYPE_UINT64, stats->calls,
      "reconnects", G_TYPE_UINT64, stats->reconnects, "segmentation-offload",
      G_TYPE_BOOLEAN, stats->segmentation, "receive-offload", G_TYPE_BOOLEAN,
      stats->coalescing, NULL);
  g_value_init (&peers, GST_TYPE_ARRAY);
  for (i = 0; stats->peers != NULL && i < stats->peers->len; i++) {
    GValue value = G_VALUE_INIT;

    g_value_init (&value, GST_TYPE_STRUCTURE);
    g_value_take_boxed (&value, peer_to_structure (
                                    g_ptr_array_index (stats->peers, i)));
    gst_value_array_append_and_take_value (&peers, &value);
  }
  gst_structure_take_value (structure, "peers", &peers);
  return structure;
}
