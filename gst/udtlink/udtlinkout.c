/* The stream on its way to the peers: encoded once, a backlog for each.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The element's threads append to a queue under the link's lock; the network
 * thread takes the whole queue and gives each item to every peer, whose backlog
 * is a P2pFlow. If a stream without a deadline cannot wait for a peer, the peer
 * loses the stream.
 */
#include "udtlink-private.h"

#include <string.h>

#define PRIORITY 8

/* -- Key units ------------------------------------------------------------- */

static void
ask_key_unit (UdtLink *link)
{
  gboolean headers = p2p_key_units_ask (&link->asked_for, link->now);

  if (link->callbacks.key_unit != NULL)
    link->callbacks.key_unit (link, headers, link->user);
}

void
udt_out_want_key_unit (UdtLink *link, gboolean all_headers)
{
  /* Each sound of audio stands for itself. */
  if (link->current.kind == P2P_WIRE_AUDIO || link->ended || !link->begun)
    return;
  if (p2p_key_units_want (&link->asked_for, all_headers, link->now))
    ask_key_unit (link);
}

static gboolean
is_silent (UdtLinkPeer *peer)
{
  return udt_connection_is_silent (peer->conn, (UdtTime)peer->link->now);
}

/* While nothing is heard a keyframe would be lost as well, and cost all the
 * others. */
void
udt_out_lost_sync (UdtLinkPeer *peer)
{
  peer->out.waiting_sync = TRUE;
  if (is_silent (peer))
    peer->unheard = TRUE;
  else
    udt_out_want_key_unit (peer->link, FALSE);
}

void
udt_out_listen (UdtLinkPeer *peer)
{
  if (!peer->unheard || is_silent (peer))
    return;
  peer->unheard = FALSE;
  if (peer->open && peer->out.waiting_sync)
    udt_out_want_key_unit (peer->link, FALSE);
}

static gboolean
someone_waits (UdtLink *link)
{
  guint i;

  for (i = 0; i < link->peers->len; i++) {
    UdtLinkPeer *peer = g_ptr_array_index (link->peers, i);

    if (peer->state == UDT_PEER_UP && peer->open && peer->out.waiting_sync
        && !is_silent (peer))
      return TRUE;
  }
  return FALSE;
}

gint64
udt_out_tick (UdtLink *link)
{
  gint64 when;

  if (link->ended || !link->begun || link->current.kind == P2P_WIRE_AUDIO)
    return G_MAXINT64;
  when = p2p_key_units_due (&link->asked_for, someone_waits (link));
  if (when > link->now)
    return when;
  ask_key_unit (link);
  return link->now + P2P_KEY_UNIT_REPEAT_US;
}

/* -- Backlog --------------------------------------------------------------- */

guint64
udt_out_backlog (UdtLinkPeer *peer)
{
  gboolean ended = peer->link->ended;
  gint64 now = peer->link->now;
  guint64 backlog;

  if (!peer->open)
    return 0;
  backlog = p2p_flow_backlog (&peer->out, ended, now);
  if (ended)
    backlog
        += p2p_flow_backlog_of (peer->conn, P2P_WIRE_CONTROL_FLOW, TRUE, now)
           + g_queue_get_length (&peer->control) + (peer->end_owed ? 1 : 0);
  return backlog;
}

/* `taken`: bytes of items that the peers have by now. */
void
udt_out_publish (UdtLink *link, guint64 taken)
{
  guint high = link->config.high_watermark;
  guint64 least = G_MAXUINT64, most = 0, backlog;
  gboolean tell;
  guint i, up = 0;

  for (i = 0; i < link->peers->len; i++) {
    UdtLinkPeer *peer = g_ptr_array_index (link->peers, i);

    if (peer->state != UDT_PEER_UP || peer->overflowed)
      continue;
    up++;
    backlog = udt_out_backlog (peer);
    least = MIN (least, backlog);
    most = MAX (most, backlog);
  }
  g_mutex_lock (&link->lock);
  link->least = least;
  link->most = most;
  link->n_up = up;
  link->items.bytes -= taken;
  tell = (link->full && most + link->items.bytes <= high - high / 4)
         || (link->nobody && up > 0);
  if (tell)
    link->full = link->nobody = FALSE;
  g_mutex_unlock (&link->lock);
  if (tell && link->callbacks.writable != NULL)
    link->callbacks.writable (link, link->user);
}

/* -- The flow of a peer ---------------------------------------------------- */

static gboolean
is_lossless (const UdtLinkStream *stream)
{
  return p2p_flow_is_lossless (stream->kind, stream->deadline_ms);
}

/* What the receiver is told: whether it may forget frames, or has to make us
 * wait. */
static P2pWireKind
wire_kind (const UdtLinkStream *stream)
{
  if (is_lossless (stream))
    return P2P_WIRE_DATA;
  return stream->kind == P2P_WIRE_DATA ? P2P_WIRE_VIDEO : stream->kind;
}

static void
flow_config (UdtLink *link, UdtFlowConfig *config)
{
  const UdtLinkStream *stream = &link->current;

  config->priority = PRIORITY;
  config->order = UDT_ORDER_STRICT;
  config->service = stream->kind == P2P_WIRE_AUDIO ? UDT_CLASS_AUDIO
                    : is_lossless (stream)         ? UDT_CLASS_BULK
                                                   : UDT_CLASS_VIDEO;
  config->deadline = p2p_flow_deadline (stream->kind, stream->deadline_ms);
}

static void
send_caps (UdtLinkPeer *peer)
{
  UdtLink *link = peer->link;
  P2pWireControl m = { 0 };

  if (link->caps == NULL || peer->caps_sent == link->version)
    return;
  peer->caps_sent = link->version;
  m.type = P2P_WIRE_STREAM_CAPS;
  m.stream = UDT_LINK_STREAM;
  m.caps_version = link->version;
  m.text = udt_wire_text (link->caps);
  udt_peer_send_control (peer, &m);
}

static void
send_end (UdtLinkPeer *peer)
{
  P2pWireControl m = { 0 };

  peer->end_owed = FALSE;
  peer->ended = TRUE;
  m.type = P2P_WIRE_STREAM_END;
  m.stream = UDT_LINK_STREAM;
  m.frames = peer->out.frames;
  udt_peer_send_control (peer, &m);
}

static void
end_peer (UdtLinkPeer *peer)
{
  if (!peer->open || peer->ended)
    return;
  send_caps (peer);
  if (g_queue_is_empty (&peer->out.pending))
    send_end (peer);
  else
    peer->end_owed = TRUE;
}

/* Once it is known what the stream is. */
void
udt_out_open (UdtLinkPeer *peer)
{
  UdtLink *link = peer->link;
  UdtFlowConfig config;
  P2pWireControl m = { 0 };

  if (peer->open || peer->overflowed || !link->begun
      || peer->state != UDT_PEER_UP)
    return;
  flow_config (link, &config);
  if (p2p_flow_open (&peer->out, peer->conn, UDT_LINK_STREAM, &config,
                     link->now)
      != UDT_OK)
    return;
  peer->open = TRUE;
  m.type = P2P_WIRE_STREAM_OPEN;
  m.stream = UDT_LINK_STREAM;
  m.kind = wire_kind (&link->current);
  m.text = udt_wire_text ("stream");
  udt_peer_send_control (peer, &m);
  send_caps (peer);
  if (link->ended)
    end_peer (peer);
  else
    udt_out_want_key_unit (link, TRUE);
}

void
udt_out_clear (UdtLinkPeer *peer)
{
  p2p_flow_clear (&peer->out);
}

/* Tells the peer that this was not all, and goes on without it. */
static void
overflow (UdtLinkPeer *peer)
{
  P2pWireControl m = { 0 };

  peer->overflowed = TRUE;
  peer->open = FALSE;
  udt_out_clear (peer);
  m.type = P2P_WIRE_STREAM_CLOSE;
  m.stream = UDT_LINK_STREAM;
  udt_peer_send_control (peer, &m);
  udt_peer_close (peer, "overflow", 0);
}

/* -- Frames ---------------------------------------------------------------- */

static void
drop (UdtLinkPeer *peer, const P2pOutFrame *frame)
{
  if (p2p_flow_drop (&peer->out, frame))
    udt_out_lost_sync (peer);
}

void
udt_out_writable (UdtLinkPeer *peer)
{
  gboolean empty = p2p_flow_flush (&peer->out, peer->link->now);

  peer->due = 0;
  if (empty && peer->end_owed)
    send_end (peer);
}

static gboolean
is_full (UdtLinkPeer *peer)
{
  return udt_out_backlog (peer) >= peer->link->config.high_watermark;
}

static void
send_frame (UdtLinkPeer *peer, const P2pOutFrame *frame)
{
  P2pFlow *flow = &peer->out;

  if (!p2p_flow_enter (flow, frame))
    return;
  send_caps (peer);
  if (flow->live && is_full (peer)) {
    drop (peer, frame);
    return;
  }
  if (!flow->live && frame->force && is_full (peer)) {
    overflow (peer);
    return;
  }
  peer->due = 0;
  switch (p2p_flow_send (flow, frame, peer->link->now)) {
    case P2P_FLOW_LOST:
      drop (peer, frame);
      break;
    case P2P_FLOW_TOO_BIG:
      /* It cannot be had without a hole any more. */
      overflow (peer);
      break;
    case P2P_FLOW_SENT:
    case P2P_FLOW_CLOSED:
      break;
  }
}

/* -- Items ----------------------------------------------------------------- */

typedef void (*PeerFunc) (UdtLinkPeer *peer, gconstpointer data);

static void
for_each_open (UdtLink *link, PeerFunc func, gconstpointer data)
{
  guint i;

  for (i = 0; i < link->peers->len; i++) {
    UdtLinkPeer *peer = g_ptr_array_index (link->peers, i);

    if (peer->state == UDT_PEER_UP && peer->open)
      func (peer, data);
  }
}

static void
send_frame_to (UdtLinkPeer *peer, gconstpointer data)
{
  send_frame (peer, data);
}

static void
end_to (UdtLinkPeer *peer, gconstpointer data)
{
  end_peer (peer);
}

static void
configure (UdtLinkPeer *peer, gconstpointer data)
{
  p2p_flow_configure (&peer->out, data, peer->link->now);
}

static void
begin (UdtLink *link)
{
  guint i;

  if (link->begun)
    return;
  link->begun = TRUE;
  for (i = 0; i < link->peers->len; i++)
    udt_out_open (g_ptr_array_index (link->peers, i));
}

static void
fan_out (UdtLink *link, const P2pItem *item)
{
  P2pOutFrame frame;

  if (!p2p_flow_make_frame (item, &frame))
    return;
  if (!(item->frame.flags & P2P_FRAME_DELTA_UNIT))
    p2p_key_units_came (&link->asked_for);
  for_each_open (link, send_frame_to, &frame);
}

static void
take_item (UdtLink *link, P2pItem *item)
{
  switch (item->type) {
    case P2P_ITEM_CAPS:
      g_free (link->caps);
      link->caps = g_steal_pointer (&item->caps);
      link->version = item->version;
      begin (link);
      break;
    case P2P_ITEM_FRAME:
      begin (link);
      fan_out (link, item);
      break;
    case P2P_ITEM_END:
      begin (link);
      link->ended = TRUE;
      for_each_open (link, end_to, NULL);
      break;
  }
}

void
udt_out_drain (UdtLink *link)
{
  GQueue items;
  guint64 taken;
  gboolean changed;
  UdtFlowConfig config;
  P2pItem *item;

  g_mutex_lock (&link->lock);
  taken = p2p_items_take (&link->items, &items);
  changed = link->stream_changed;
  link->stream_changed = FALSE;
  if (changed)
    link->current = link->stream;
  g_mutex_unlock (&link->lock);

  if (changed) {
    flow_config (link, &config);
    for_each_open (link, configure, &config);
  }
  if (g_queue_is_empty (&items))
    return;
  while ((item = g_queue_pop_head (&items)) != NULL) {
    take_item (link, item);
    p2p_item_free (item);
  }
  udt_out_publish (link, taken);
}

/* -- From any thread ------------------------------------------------------- */

/* With the lock held, which it releases. */
static void
unlock_and_wake (UdtLink *link, gboolean wake)
{
  g_mutex_unlock (&link->lock);
  if (wake)
    udt_link_wake (link);
}

void
udt_link_set_stream (UdtLink *link, const UdtLinkStream *stream)
{
  g_mutex_lock (&link->lock);
  link->stream = *stream;
  link->stream_changed = TRUE;
  g_mutex_unlock (&link->lock);
  udt_link_wake (link);
}

gboolean
udt_link_set_caps (UdtLink *link, const gchar *caps)
{
  if (!p2p_wire_check_caps (caps, strlen (caps)))
    return FALSE;
  g_mutex_lock (&link->lock);
  /* 0 is "none". */
  if (++link->caps_version == 0)
    link->caps_version = 1;
  unlock_and_wake (link,
                   p2p_items_add_caps (&link->items, caps, link->caps_version));
  return TRUE;
}

UdtLinkPush
udt_link_push (UdtLink *link, GBytes *payload, const P2pWireFrame *frame,
               gboolean force, gboolean wait)
{
  guint high = link->config.high_watermark;
  UdtLinkPush refused = UDT_LINK_PUSH_OK;
  gboolean skip = FALSE;

  if (g_bytes_get_size (payload) > UDT_LINK_MAX_PAYLOAD)
    return UDT_LINK_PUSH_TOO_BIG;
  g_mutex_lock (&link->lock);
  if (wait && link->n_up == 0) {
    link->nobody = TRUE;
    refused = UDT_LINK_PUSH_NOBODY;
  } else if (!is_lossless (&link->stream)) {
    skip = p2p_items_skip (&link->items, frame, high);
  } else if (!force && link->most + link->items.bytes >= high) {
    link->full = TRUE;
    refused = UDT_LINK_PUSH_FULL;
  }
  if (refused != UDT_LINK_PUSH_OK || skip || link->end_pushed)
    g_mutex_unlock (&link->lock);
  else
    unlock_and_wake (link, p2p_items_add_frame (&link->items, payload, frame,
                                                link->caps_version, force));
  return refused;
}

void
udt_link_end (UdtLink *link)
{
  g_mutex_lock (&link->lock);
  link->end_pushed = TRUE;
  unlock_and_wake (link, p2p_items_add_end (&link->items));
}

static guint64
with_items (UdtLink *link, const guint64 *backlog)
{
  guint64 bytes;

  g_mutex_lock (&link->lock);
  bytes = link->n_up > 0 ? *backlog + link->items.bytes : 0;
  g_mutex_unlock (&link->lock);
  return bytes;
}

guint64
udt_link_get_backlog (UdtLink *link)
{
  return with_items (link, &link->most);
}

guint64
udt_link_get_level (UdtLink *link)
{
  return with_items (link, &link->least);
}
