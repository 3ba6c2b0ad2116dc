/* Statistics: a snapshot that the network thread makes, and copies of it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: the snapshot is made on the network thread, at every tick while
 * there are peers and at every change, and lies under the endpoint's lock.
 */
#include "p2pendpoint-private.h"

static void
peer_stats_free (gpointer data)
{
  P2pPeerStats *stats = data;

  g_free (stats->id);
  g_free (stats->path);
  g_free (stats->local_address);
  g_free (stats->remote_address);
  g_free (stats);
}

void
p2p_endpoint_stats_free (P2pEndpointStats *stats)
{
  if (stats == NULL)
    return;
  g_ptr_array_set_free_func (stats->peers, peer_stats_free);
  g_ptr_array_unref (stats->peers);
  g_free (stats);
}

static void
take_engine (P2pPeer *peer, P2pPeerStats *s)
{
  UdtStats e;

  udt_connection_get_stats (peer->engine, (UdtTime)g_get_monotonic_time (), &e);
  s->rtt_us = e.rtt;
  s->min_rtt_us = e.min_rtt;
  s->queue_delay_us = e.queue_delay;
  s->pacing_rate = e.pacing_rate;
  s->delivery_rate = e.delivery_rate;
  s->target_bitrate = e.target_bitrate;
  s->bytes_sent = e.bytes_sent;
  s->bytes_received = e.bytes_received;
  s->payload_bytes_sent = e.payload_bytes_sent;
  s->payload_bytes_received = e.payload_bytes_received;
  s->packets_sent = e.packets_sent;
  s->packets_received = e.packets_received;
  s->packets_lost = e.packets_lost;
  s->packets_retransmitted = e.packets_retransmitted;
  s->packets_repaired = e.packets_repaired;
  s->send_buffer_bytes = e.send_buffered;
  s->receive_buffer_bytes = e.receive_buffered;
  s->mtu = e.mtu;
}

static P2pPeerStats *
take_peer (P2pPeer *peer)
{
  P2pPeerStats *s = g_new0 (P2pPeerStats, 1);
  P2pPeerInfo info;

  p2p_peer_fill_info (peer, &info);
  s->id = g_strdup (info.id);
  s->path = g_strdup (info.path);
  s->local_address = g_strdup (info.local_address);
  s->remote_address = g_strdup (info.remote_address);
  s->requests = peer->remote_requests->len;
  s->connected_us = peer->connected_us;
  s->frames_sent = peer->frames_sent;
  s->frames_received = peer->frames_received;
  s->frames_dropped = peer->frames_dropped;
  s->frames_missed = peer->frames_missed;
  s->level_bytes = peer->level_bytes;
  s->level_us = peer->level_us;
  s->low_count = peer->mark_counts[0];
  s->warn_count = peer->mark_counts[1];
  s->high_count = peer->mark_counts[2];
  s->paused = p2p_peer_is_paused (peer);
  if (peer->engine != NULL)
    take_engine (peer, s);
  return s;
}

void
p2p_endpoint_take_snapshot (P2pEndpoint *endpoint)
{
  P2pEndpointStats *stats = g_new0 (P2pEndpointStats, 1);
  P2pEndpointStats *old;
  guint i;

  stats->online = endpoint->online;
  stats->reconnects = endpoint->reconnects;
  stats->wake_ups = endpoint->wake_ups;
  stats->refused_packets = endpoint->refused_of_gone;
  stats->refused_messages = endpoint->refused_messages;
  if (endpoint->signaller != NULL)
    stats->rejected_attempts = p2p_signaller_get_rejected (endpoint->signaller);
  stats->peers = g_ptr_array_new ();
  for (i = 0; i < endpoint->peers->len; i++) {
    P2pPeer *peer = g_ptr_array_index (endpoint->peers, i);

    if (peer->state > P2P_PEER_UP)
      continue;
    if (peer->connection != NULL)
      stats->refused_packets += p2p_connection_get_refused (peer->connection);
    g_ptr_array_add (stats->peers, take_peer (peer));
  }
  g_mutex_lock (&endpoint->lock);
  old = endpoint->snapshot;
  endpoint->snapshot = stats;
  g_mutex_unlock (&endpoint->lock);
  p2p_endpoint_stats_free (old);
}

static gpointer
copy_peer (gconstpointer data, gpointer unused)
{
  P2pPeerStats *copy = g_memdup2 (data, sizeof (P2pPeerStats));

  copy->id = g_strdup (copy->id);
  copy->path = g_strdup (copy->path);
  copy->local_address = g_strdup (copy->local_address);
  copy->remote_address = g_strdup (copy->remote_address);
  return copy;
}

P2pEndpointStats *
p2p_endpoint_get_stats (P2pEndpoint *endpoint)
{
  P2pEndpointStats *stats = g_new0 (P2pEndpointStats, 1);

  g_mutex_lock (&endpoint->lock);
  *stats = *endpoint->snapshot;
  stats->peers = g_ptr_array_copy (endpoint->snapshot->peers, copy_peer, NULL);
  g_mutex_unlock (&endpoint->lock);
  return stats;
}
