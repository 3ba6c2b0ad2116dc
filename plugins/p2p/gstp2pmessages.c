/* What the elements tell: p2p-step messages, structures for signals, stats.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstp2pmessages.h"

/* `peer` and `reason` are always there, empty if there is none, so that a
 * program need not ask first. */
GstMessage *
gst_p2p_step_message_new (GstElement *element, const P2pStep *step)
{
  GstStructure *structure
      = gst_structure_new ("p2p-step", "step", G_TYPE_STRING,
                           p2p_step_kind_name (step->step), "status",
                           G_TYPE_STRING, step->ok ? "ok" : "failed", "peer",
                           G_TYPE_STRING, step->peer != NULL ? step->peer : "",
                           "reason", G_TYPE_STRING,
                           step->reason != NULL ? step->reason : "", NULL);

  if (step->path != NULL)
    gst_structure_set (structure, "path", G_TYPE_STRING, step->path, NULL);
  gst_structure_set (structure, "elapsed-ms", G_TYPE_UINT, step->elapsed_ms,
                     NULL);
  if (step->detail != NULL)
    gst_structure_set (structure, "detail", G_TYPE_STRING, step->detail, NULL);
  return gst_message_new_element (GST_OBJECT_CAST (element), structure);
}

/* As of iv-watermark-queue, for one viewer. */
GstMessage *
gst_p2p_watermark_message_new (GstElement *element, const gchar *peer,
                               unsigned event, guint64 level_bytes,
                               guint64 level_us)
{
  const gchar *name = event == IV_WATERMARK_LOW    ? "low"
                      : event == IV_WATERMARK_WARN ? "warn"
                                                   : "high";

  return gst_message_new_element (
      GST_OBJECT_CAST (element),
      gst_structure_new ("iv-watermark", "event", G_TYPE_STRING, name,
                         "level-bytes", G_TYPE_UINT64, level_bytes,
                         "level-time", G_TYPE_UINT64, level_us * GST_USECOND,
                         "peer", G_TYPE_STRING, peer, NULL));
}

static void
set_text (GstStructure *structure, const gchar *name, const gchar *text)
{
  if (text != NULL)
    gst_structure_set (structure, name, G_TYPE_STRING, text, NULL);
}

GstStructure *
gst_p2p_peer_structure_new (const P2pPeerInfo *peer)
{
  GstStructure *structure
      = gst_structure_new ("application/x-p2p-peer", "peer", G_TYPE_STRING,
                           peer->id, "latency-ms", G_TYPE_UINT,
                           peer->latency_ms, NULL);

  set_text (structure, "path", peer->path);
  set_text (structure, "local-address", peer->local_address);
  set_text (structure, "remote-address", peer->remote_address);
  return structure;
}

static GstStructure *
peer_stats_structure (const P2pPeerStats *peer, gint64 now_us)
{
  GstStructure *structure
      = gst_structure_new ("application/x-p2p-peer-stats", "peer",
                           G_TYPE_STRING, peer->id, NULL);
  gint64 connected_us
      = peer->connected_us > 0 ? MAX (now_us - peer->connected_us, 0) : 0;

  set_text (structure, "path", peer->path);
  set_text (structure, "local-address", peer->local_address);
  set_text (structure, "remote-address", peer->remote_address);
  gst_structure_set (
      structure, "requests", G_TYPE_UINT, peer->requests, "connected-ms",
      G_TYPE_UINT64, (guint64)connected_us / 1000, "rtt-us", G_TYPE_UINT64,
      peer->rtt_us, "min-rtt-us", G_TYPE_UINT64, peer->min_rtt_us,
      "queue-delay-us", G_TYPE_UINT64, peer->queue_delay_us, "pacing-rate-bps",
      G_TYPE_UINT64, peer->pacing_rate, "delivery-rate-bps", G_TYPE_UINT64,
      peer->delivery_rate, "target-bitrate-bps", G_TYPE_UINT64,
      peer->target_bitrate, "sent-bytes", G_TYPE_UINT64, peer->bytes_sent,
      "received-bytes", G_TYPE_UINT64, peer->bytes_received,
      "sent-payload-bytes", G_TYPE_UINT64, peer->payload_bytes_sent,
      "received-payload-bytes", G_TYPE_UINT64, peer->payload_bytes_received,
      "sent-packets", G_TYPE_UINT64, peer->packets_sent, "received-packets",
      G_TYPE_UINT64, peer->packets_received, "lost-packets", G_TYPE_UINT64,
      peer->packets_lost, "retransmitted-packets", G_TYPE_UINT64,
      peer->packets_retransmitted, "repaired-packets", G_TYPE_UINT64,
      peer->packets_repaired, "sent-frames", G_TYPE_UINT64, peer->frames_sent,
      "received-frames", G_TYPE_UINT64, peer->frames_received, "dropped-frames",
      G_TYPE_UINT64, peer->frames_dropped, "missed-frames", G_TYPE_UINT64,
      peer->frames_missed, "send-buffer-bytes", G_TYPE_UINT64,
      peer->send_buffer_bytes, "receive-buffer-bytes", G_TYPE_UINT64,
      peer->receive_buffer_bytes, "mtu-bytes", G_TYPE_UINT, peer->mtu,
      "level-bytes", G_TYPE_UINT64, peer->level_bytes, "level-time-us",
      G_TYPE_UINT64, peer->level_us, "paused", G_TYPE_BOOLEAN, peer->paused,
      "low-count", G_TYPE_UINT64, peer->low_count, "warn-count", G_TYPE_UINT64,
      peer->warn_count, "high-count", G_TYPE_UINT64, peer->high_count, NULL);
  return structure;
}

static void
take_peers (GstStructure *structure, const GPtrArray *peers)
{
  gint64 now_us = g_get_monotonic_time ();
  GValue array = G_VALUE_INIT;
  guint i;

  gst_value_array_init (&array, peers != NULL ? peers->len : 0);
  for (i = 0; peers != NULL && i < peers->len; i++) {
    GValue item = G_VALUE_INIT;

    g_value_init (&item, GST_TYPE_STRUCTURE);
    g_value_take_boxed (&item,
                        peer_stats_structure (g_ptr_array_index (peers, i),
                                              now_us));
    gst_value_array_append_and_take_value (&array, &item);
  }
  gst_structure_take_value (structure, "peers", &array);
}

void
gst_p2p_warn_of_relay (GstElement *element, const gchar *server,
                       const gchar *answer)
{
  GST_ELEMENT_WARNING (
      element, RESOURCE, NOT_AUTHORIZED,
      ("There is no relay to fall back on: %s: %s", server, answer),
      ("Check the user, the password (one that is limited in time may have run "
       "out) and the address in \"turn-server\", and what the relay's log "
       "says; "
       "sessions that need no relay go on"));
}

GstStructure *
gst_p2p_stats_structure_new (P2pEndpoint *endpoint)
{
  static const P2pEndpointStats none = {
    FALSE,
  };
  P2pEndpointStats *stats = NULL;
  const P2pEndpointStats *shown = &none;
  GstStructure *structure;

  if (endpoint != NULL)
    shown = stats = p2p_endpoint_get_stats (endpoint);
  structure
      = gst_structure_new ("application/x-p2p-stats", "online", G_TYPE_BOOLEAN,
                           shown->online, "rejected-attempts", G_TYPE_UINT64,
                           shown->rejected_attempts, "refused-packets",
                           G_TYPE_UINT64, shown->refused_packets,
                           "refused-messages", G_TYPE_UINT64,
                           shown->refused_messages, "reconnects", G_TYPE_UINT64,
                           shown->reconnects, "wake-ups", G_TYPE_UINT64,
                           shown->wake_ups, NULL);
  take_peers (structure, shown->peers);
  if (stats != NULL)
    p2p_endpoint_stats_free (stats);
  return structure;
}
