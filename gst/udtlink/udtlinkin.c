/* The stream that comes from a peer.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Network thread only.
 *
 * Control messages and frames travel on different flows and may overtake each
 * other. What a frame still lacks (the announcement, its caps, room with the
 * application) makes the stream hold its flow: what was received already waits
 * here, what is behind it in the engine, and the sender is slowed down or
 * drops.
 */
#include "udtlink-private.h"

#include <string.h>

/* Frames that were announced with the end and neither come nor are said to be
 * given up. */
#define END_PATIENCE_US (2 * G_USEC_PER_SEC)

static void
pending_caps_free (gpointer data)
{
  UdtPendingCaps *pending = data;

  g_free (pending->caps);
  g_free (pending);
}

static void
received_free (gpointer data)
{
  UdtReceived *message = data;

  g_free (message->data);
  g_free (message);
}

static gboolean
is_live (UdtLinkPeer *peer)
{
  return peer->state == UDT_PEER_UP;
}

static void
hold (UdtLinkPeer *peer, gboolean held)
{
  if (peer->held == held || peer->flow == 0 || !is_live (peer)
      || (held && peer->closing))
    return;
  peer->held = held;
  udt_connection_hold_flow (peer->conn, peer->flow, held);
  peer->due = 0;
}

/* -- To the application ---------------------------------------------------- */

static void
check_end (UdtLinkPeer *peer)
{
  UdtLink *link = peer->link;

  if (!peer->end_known || peer->told_end || !peer->announced
      || !g_queue_is_empty (&peer->stash)
      || (peer->next_id < peer->end_frames
          && peer->delivered + peer->missed < peer->end_frames))
    return;
  peer->told_end = TRUE;
  link->ended = TRUE;
  if (link->callbacks.end != NULL)
    link->callbacks.end (link, link->user);
}

static void
tell_caps (UdtLinkPeer *peer, UdtPendingCaps *pending)
{
  UdtLink *link = peer->link;

  peer->caps_version = pending->version;
  if (link->callbacks.caps != NULL)
    link->callbacks.caps (link, pending->caps, link->user);
  pending_caps_free (pending);
}

/* TRUE: the caps of `version` have been told, or there are none. */
static gboolean
reach_caps (UdtLinkPeer *peer, guint8 version)
{
  GList *l;

  if (peer->caps_version == version)
    return TRUE;
  for (l = peer->caps.head; l != NULL; l = l->next)
    if (((UdtPendingCaps *)l->data)->version == version)
      break;
  if (l == NULL)
    return FALSE;
  /* Those before it were for frames that never came. */
  while (peer->caps.head != l)
    pending_caps_free (g_queue_pop_head (&peer->caps));
  tell_caps (peer, g_queue_pop_head (&peer->caps));
  return TRUE;
}

/* FALSE: no room, and `m` is as it was. */
static gboolean
tell_frame (UdtLinkPeer *peer, UdtReceived *m, gsize header_len,
            const P2pWireFrame *frame)
{
  UdtLink *link = peer->link;
  GBytes *whole = g_bytes_new_take (m->data, m->size);
  GBytes *payload
      = g_bytes_new_from_bytes (whole, header_len, m->size - header_len);
  gboolean taken = TRUE;

  if (link->callbacks.frame != NULL)
    taken
        = link->callbacks.frame (link, payload, frame, (gint64)m->first_arrival,
                                 (gint64)m->age, m->gap, link->user);
  g_bytes_unref (payload);
  if (taken)
    g_bytes_unref (whole);
  else
    m->data = g_bytes_unref_to_data (whole, &m->size);
  return taken;
}

/* FALSE: not now. */
static gboolean
deliver (UdtLinkPeer *peer, UdtReceived *m)
{
  P2pWireFrame frame;
  gsize header_len;

  if (!peer->announced)
    return FALSE;
  if (!p2p_wire_read_frame (m->data, m->size, &frame, &header_len)) {
    g_free (m->data);
    udt_peer_close (peer, "protocol-error", 0);
    return TRUE;
  }
  if (!reach_caps (peer, frame.caps_version)
      || !tell_frame (peer, m, header_len, &frame))
    return FALSE;
  peer->delivered++;
  peer->next_id = m->id + 1;
  return TRUE;
}

static void
deliver_stash (UdtLinkPeer *peer)
{
  UdtReceived *m;

  while ((m = g_queue_peek_head (&peer->stash)) != NULL) {
    if (!deliver (peer, m))
      return;
    g_free (g_queue_pop_head (&peer->stash));
  }
}

void
udt_in_retry (UdtLinkPeer *peer)
{
  if (!peer->announced)
    return;
  deliver_stash (peer);
  if (g_queue_is_empty (&peer->stash))
    hold (peer, FALSE);
  check_end (peer);
}

/* -- From the peer --------------------------------------------------------- */

void
udt_in_message (UdtLinkPeer *peer, UdtReceived *message)
{
  /* One stream a connection, and not after its end. */
  if (peer->flow == 0)
    peer->flow = message->flow;
  if (message->flow != peer->flow || peer->told_end) {
    g_free (message->data);
    return;
  }
  if (g_queue_is_empty (&peer->stash) && deliver (peer, message)) {
    check_end (peer);
    return;
  }
  g_queue_push_tail (&peer->stash, g_memdup2 (message, sizeof *message));
  hold (peer, TRUE);
}

void
udt_in_gap (UdtLinkPeer *peer, guint16 flow, guint32 count)
{
  if (peer->flow == 0 && flow >= P2P_WIRE_FIRST_STREAM_FLOW)
    peer->flow = flow;
  if (flow != peer->flow)
    return;
  peer->missed += count;
  check_end (peer);
}

static void
on_open (UdtLinkPeer *peer, const P2pWireControl *message)
{
  UdtLink *link = peer->link;

  if (peer->announced || (peer->flow != 0 && peer->flow != message->stream)) {
    udt_peer_close (peer, "protocol-error", 0);
    return;
  }
  peer->announced = TRUE;
  peer->flow = message->stream;
  if (link->callbacks.opened != NULL)
    link->callbacks.opened (link, message->kind, peer->name, link->user);
  udt_in_retry (peer);
}

static void
on_caps (UdtLinkPeer *peer, const P2pWireControl *message)
{
  UdtPendingCaps *pending;

  if (!p2p_wire_check_caps (message->text.data, message->text.len)
      || message->caps_version == 0
      || g_queue_get_length (&peer->caps) >= UDT_LINK_MAX_CAPS) {
    udt_peer_close (peer, "protocol-error", 0);
    return;
  }
  pending = g_new (UdtPendingCaps, 1);
  pending->version = message->caps_version;
  pending->caps = g_strndup (message->text.data, message->text.len);
  g_queue_push_tail (&peer->caps, pending);
  /* The first ones at once: downstream can get ready before the first frame. */
  if (peer->caps_version == 0 && peer->delivered == 0)
    tell_caps (peer, g_queue_pop_head (&peer->caps));
  udt_in_retry (peer);
}

void
udt_in_control (UdtLinkPeer *peer, const P2pWireControl *message)
{
  if (message->type == P2P_WIRE_STREAM_OPEN) {
    on_open (peer, message);
    return;
  }
  if (message->type < P2P_WIRE_STREAM_CAPS
      || message->type > P2P_WIRE_STREAM_CLOSE)
    return;
  if (!peer->announced || message->stream != peer->flow) {
    udt_peer_close (peer, "protocol-error", 0);
    return;
  }
  switch (message->type) {
    case P2P_WIRE_STREAM_CAPS:
      on_caps (peer, message);
      break;
    case P2P_WIRE_STREAM_END:
      peer->end_known = TRUE;
      peer->end_frames = message->frames;
      peer->end_since = peer->link->now;
      check_end (peer);
      break;
    default:
      /* Goes without an end: a goodbye follows. */
      break;
  }
}

/* A gap at the very end may never be told. */
gint64
udt_in_tick (UdtLinkPeer *peer)
{
  gint64 when = peer->end_since + END_PATIENCE_US;
  UdtStats stats;

  if (!peer->end_known || peer->told_end || !g_queue_is_empty (&peer->stash))
    return G_MAXINT64;
  udt_connection_get_stats (peer->conn, (UdtTime)peer->link->now, &stats);
  if (stats.receive_buffered > 0 || when > peer->link->now)
    return MAX (when, peer->link->now + END_PATIENCE_US / 4);
  peer->next_id = peer->end_frames;
  check_end (peer);
  return G_MAXINT64;
}

/* -- The end of the connection --------------------------------------------- */

void
udt_in_keep (UdtLinkPeer *peer)
{
  hold (peer, FALSE);
  peer->closing = TRUE;
}

gboolean
udt_in_is_pending (UdtLinkPeer *peer)
{
  return peer->announced && peer->closing && peer->end_known && !peer->told_end
         && !g_queue_is_empty (&peer->stash);
}

void
udt_in_close (UdtLinkPeer *peer)
{
  UdtLink *link = peer->link;

  /* All that will ever come has come. */
  if (peer->closing && peer->end_known && !link->stopping)
    peer->next_id = peer->end_frames;
  check_end (peer);
  if (peer->announced && !peer->told_end && link->callbacks.closed != NULL)
    link->callbacks.closed (link, link->user);
  g_queue_clear_full (&peer->stash, received_free);
  g_queue_clear_full (&peer->caps, pending_caps_free);
}

void
udt_in_send_key_units (UdtLink *link)
{
  P2pWireControl m = { 0 };
  guint wanted;

  g_mutex_lock (&link->lock);
  wanted = link->key_units;
  m.all_headers = link->key_headers != 0;
  m.count = link->key_count;
  link->key_units = link->key_headers = 0;
  g_mutex_unlock (&link->lock);
  if (wanted == 0 || link->source == NULL || !link->source->announced
      || link->source->state != UDT_PEER_UP)
    return;
  m.type = P2P_WIRE_KEY_UNIT;
  m.stream = link->source->flow;
  udt_peer_send_control (link->source, &m);
}
