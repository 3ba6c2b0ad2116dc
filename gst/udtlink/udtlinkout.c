/* The stream on its way to the peers: encoded once, a backlog for each.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The element's threads append to a queue under the link's lock; the network
 * thread takes the whole queue and gives each item to every peer. The header of
 * a frame is made once, its payload is referenced by each peer's engine.
 *
 * A stream with a deadline drops frames for a peer that falls behind, and then
 * goes on with a keyframe, for this peer alone. One without never does: the
 * source is asked to wait, or, if it cannot, the peer loses the stream.
 */
#include "udtlink-private.h"

#include <string.h>

#define KEY_UNIT_WINDOW_US (100 * 1000)
#define KEY_UNIT_REPEAT_US (G_USEC_PER_SEC)
/* What may lie in the queue when the network thread is late, in multiples of
 * the high watermark. */
#define QUEUE_MARKS 4
/* What the end counts for: not nothing. */
#define END_BYTES 1
#define PRIORITY 8

void
udt_item_free (gpointer data)
{
  UdtItem *item = data;

  g_free (item->caps);
  if (item->payload != NULL)
    g_bytes_unref (item->payload);
  g_free (item);
}

static void
pending_free (gpointer data)
{
  UdtPending *pending = data;

  g_bytes_unref (pending->payload);
  g_free (pending);
}

/* -- Key units ------------------------------------------------------------- */

static void
ask_key_unit (UdtLink *link)
{
  gboolean headers = link->key_wanted_headers;

  link->key_wanted = link->key_wanted_headers = FALSE;
  link->key_asked_us = link->now;
  if (link->callbacks.key_unit != NULL)
    link->callbacks.key_unit (link, headers, link->user);
}

void
udt_out_want_key_unit (UdtLink *link, gboolean all_headers)
{
  /* Each sound of audio stands for itself. */
  if (link->current.kind == P2P_WIRE_AUDIO || link->ended || !link->begun)
    return;
  link->key_wanted = TRUE;
  link->key_wanted_headers |= all_headers;
  if (link->key_asked_us == 0
      || link->now - link->key_asked_us >= KEY_UNIT_WINDOW_US)
    ask_key_unit (link);
}

static gboolean
someone_waits (UdtLink *link)
{
  guint i;

  for (i = 0; i < link->peers->len; i++) {
    UdtLinkPeer *peer = g_ptr_array_index (link->peers, i);

    if (peer->state == UDT_PEER_UP && peer->open && peer->waiting_sync)
      return TRUE;
  }
  return FALSE;
}

gint64
udt_out_tick (UdtLink *link)
{
  gint64 when = G_MAXINT64;

  if (link->ended || !link->begun || link->current.kind == P2P_WIRE_AUDIO)
    return when;
  if (link->key_wanted)
    when = link->key_asked_us + KEY_UNIT_WINDOW_US;
  else if (link->key_asked_us != 0 && someone_waits (link))
    when = link->key_asked_us + KEY_UNIT_REPEAT_US;
  if (when > link->now)
    return when;
  ask_key_unit (link);
  return link->now + KEY_UNIT_REPEAT_US;
}

/* -- Backlog --------------------------------------------------------------- */

static guint64
in_engine (UdtLinkPeer *peer, guint16 flow)
{
  UdtFlowStats stats;

  if (peer->conn == NULL
      || udt_connection_get_flow_stats (peer->conn, flow,
                                        (UdtTime)peer->link->now, &stats)
             != UDT_OK)
    return 0;
  return peer->link->ended ? stats.buffered : stats.unsent;
}

guint64
udt_out_backlog (UdtLinkPeer *peer)
{
  guint64 backlog;

  if (!peer->open)
    return 0;
  backlog = in_engine (peer, UDT_LINK_STREAM) + peer->pending_bytes;
  if (peer->link->ended)
    backlog += in_engine (peer, P2P_WIRE_CONTROL_FLOW)
               + g_queue_get_length (&peer->control) + (peer->end_owed ? 1 : 0);
  return backlog;
}

/* `taken`: bytes of items that the peers have by now. */
void
udt_out_publish (UdtLink *link, guint64 taken)
{
  guint high = link->config.high_watermark;
  guint64 most = 0;
  gboolean tell;
  guint i, up = 0;

  for (i = 0; i < link->peers->len; i++) {
    UdtLinkPeer *peer = g_ptr_array_index (link->peers, i);

    if (peer->state != UDT_PEER_UP || peer->overflowed)
      continue;
    up++;
    most = MAX (most, udt_out_backlog (peer));
  }
  g_mutex_lock (&link->lock);
  link->most = most;
  link->n_up = up;
  link->queued_bytes -= taken;
  tell = (link->full && most + link->queued_bytes <= high - high / 4)
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
  return stream->deadline_ms == 0
         || (stream->deadline_ms < 0 && stream->kind == P2P_WIRE_DATA);
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
  if (is_lossless (stream))
    config->deadline = UDT_DEADLINE_NONE;
  else if (stream->deadline_ms < 0)
    config->deadline = UDT_DEADLINE_RECEIVER;
  else
    config->deadline = (UdtTime)stream->deadline_ms * 1000;
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
  m.frames = peer->frames;
  udt_peer_send_control (peer, &m);
}

static void
end_peer (UdtLinkPeer *peer)
{
  if (!peer->open || peer->ended)
    return;
  send_caps (peer);
  if (g_queue_is_empty (&peer->pending))
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
  if (udt_connection_open_flow (peer->conn, UDT_LINK_STREAM, &config,
                                (UdtTime)link->now)
      != UDT_OK)
    return;
  peer->open = TRUE;
  peer->waiting_sync = TRUE;
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
  g_queue_clear_full (&peer->pending, pending_free);
  peer->pending_bytes = 0;
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

typedef struct
{
  GBytes *payload;
  const P2pWireFrame *frame;
  const guint8 *header;
  gsize header_len;
  gboolean force;
} OutFrame;

static void
release_payload (void *owner)
{
  g_bytes_unref (owner);
}

static UdtStatus
submit (UdtLinkPeer *peer, GBytes *payload, const guint8 *header,
        gsize header_len, guint flags)
{
  UdtMessage message = { 0 };
  UdtStatus status;
  gsize len;

  message.header = header;
  message.header_len = header_len;
  message.payload = g_bytes_get_data (payload, &len);
  message.payload_len = len;
  message.owner = g_bytes_ref (payload);
  message.release = release_payload;
  message.flags = flags;
  status = udt_connection_send (peer->conn, UDT_LINK_STREAM, &message,
                                (UdtTime)peer->link->now);
  if (status == UDT_OK)
    peer->frames++;
  else
    g_bytes_unref (payload);
  peer->due = 0;
  return status;
}

static guint
engine_flags (guint16 flags)
{
  guint f = flags & P2P_FRAME_DELTA_UNIT ? UDT_MESSAGE_DELTA : UDT_MESSAGE_SYNC;

  if (flags & P2P_FRAME_DROPPABLE)
    f |= UDT_MESSAGE_DISPOSABLE;
  return f;
}

static void
drop (UdtLinkPeer *peer, const OutFrame *frame)
{
  peer->dropped++;
  if (frame->frame->flags & P2P_FRAME_DROPPABLE)
    return;
  peer->waiting_sync = TRUE;
  udt_out_want_key_unit (peer->link, FALSE);
}

static void
send_live (UdtLinkPeer *peer, const OutFrame *frame)
{
  UdtStatus status;

  if (udt_out_backlog (peer) >= peer->link->config.high_watermark) {
    drop (peer, frame);
    return;
  }
  status = submit (peer, frame->payload, frame->header, frame->header_len,
                   engine_flags (frame->frame->flags));
  if (status != UDT_OK && status != UDT_ERR_CLOSED)
    drop (peer, frame);
}

static void
send_lossless (UdtLinkPeer *peer, const OutFrame *frame)
{
  UdtStatus status = UDT_ERR_FULL;
  UdtPending *pending;

  if (frame->force
      && udt_out_backlog (peer) >= peer->link->config.high_watermark) {
    overflow (peer);
    return;
  }
  if (g_queue_is_empty (&peer->pending))
    status = submit (peer, frame->payload, frame->header, frame->header_len,
                     UDT_MESSAGE_SYNC);
  if (status == UDT_ERR_FULL || status == UDT_ERR_NO_MEMORY) {
    pending = g_new (UdtPending, 1);
    pending->payload = g_bytes_ref (frame->payload);
    memcpy (pending->header, frame->header, frame->header_len);
    pending->header_len = frame->header_len;
    g_queue_push_tail (&peer->pending, pending);
    peer->pending_bytes += g_bytes_get_size (frame->payload);
  } else if (status == UDT_ERR_TOO_BIG) {
    /* It cannot be had without a hole any more. */
    overflow (peer);
  }
}

void
udt_out_writable (UdtLinkPeer *peer)
{
  UdtPending *pending;

  while ((pending = g_queue_peek_head (&peer->pending)) != NULL) {
    UdtStatus status = submit (peer, pending->payload, pending->header,
                               pending->header_len, UDT_MESSAGE_SYNC);

    if (status == UDT_ERR_FULL || status == UDT_ERR_NO_MEMORY)
      return;
    peer->pending_bytes -= g_bytes_get_size (pending->payload);
    pending_free (g_queue_pop_head (&peer->pending));
  }
  if (peer->end_owed)
    send_end (peer);
}

static void
send_frame (UdtLinkPeer *peer, const OutFrame *frame)
{
  /* Where a stream can be entered: with a frame that needs none before it. */
  if (peer->waiting_sync) {
    if (frame->frame->flags & P2P_FRAME_DELTA_UNIT) {
      peer->dropped += peer->frames > 0 ? 1 : 0;
      return;
    }
    peer->waiting_sync = FALSE;
  }
  send_caps (peer);
  if (is_lossless (&peer->link->current))
    send_lossless (peer, frame);
  else
    send_live (peer, frame);
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
  udt_connection_configure_flow (peer->conn, UDT_LINK_STREAM, data,
                                 (UdtTime)peer->link->now);
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
fan_out (UdtLink *link, const UdtItem *item)
{
  guint8 header[P2P_WIRE_MAX_FRAME_HEADER];
  OutFrame frame;

  frame.header_len = p2p_wire_write_frame (&item->frame, header, sizeof header);
  if (frame.header_len == 0)
    return;
  frame.header = header;
  frame.payload = item->payload;
  frame.frame = &item->frame;
  frame.force = item->force;
  if (!(item->frame.flags & P2P_FRAME_DELTA_UNIT))
    link->key_wanted = FALSE;
  for_each_open (link, send_frame_to, &frame);
}

static void
take_item (UdtLink *link, UdtItem *item)
{
  switch (item->type) {
    case UDT_ITEM_CAPS:
      g_free (link->caps);
      link->caps = g_steal_pointer (&item->caps);
      link->version = item->version;
      begin (link);
      break;
    case UDT_ITEM_FRAME:
      begin (link);
      fan_out (link, item);
      break;
    case UDT_ITEM_END:
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
  UdtItem *item;

  g_mutex_lock (&link->lock);
  items = link->items;
  g_queue_init (&link->items);
  taken = link->queued_bytes;
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
    udt_item_free (item);
  }
  udt_out_publish (link, taken);
}

/* -- From any thread ------------------------------------------------------- */

/* With the lock held, which it releases. */
static void
append_and_unlock (UdtLink *link, UdtItem *item)
{
  gboolean was_empty = g_queue_is_empty (&link->items);

  g_queue_push_tail (&link->items, item);
  g_mutex_unlock (&link->lock);
  if (was_empty)
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
  UdtItem *item;

  if (!p2p_wire_check_caps (caps, strlen (caps)))
    return FALSE;
  item = g_new0 (UdtItem, 1);
  item->type = UDT_ITEM_CAPS;
  item->caps = g_strdup (caps);
  g_mutex_lock (&link->lock);
  /* 0 is "none". */
  if (++link->caps_version == 0)
    link->caps_version = 1;
  item->version = link->caps_version;
  append_and_unlock (link, item);
  return TRUE;
}

/* With the lock held: whether this frame of a live stream is left out, since
 * the network thread does not keep up. */
static gboolean
skip (UdtLink *link, const P2pWireFrame *frame)
{
  if (link->queued_bytes >= (guint64)QUEUE_MARKS * link->config.high_watermark)
    link->skipping = TRUE;
  else if (!(frame->flags & P2P_FRAME_DELTA_UNIT))
    link->skipping = FALSE;
  return link->skipping;
}

UdtLinkPush
udt_link_push (UdtLink *link, GBytes *payload, const P2pWireFrame *frame,
               gboolean force, gboolean wait)
{
  UdtLinkPush refused = UDT_LINK_PUSH_OK;
  UdtItem *item;

  g_mutex_lock (&link->lock);
  if (wait && link->n_up == 0) {
    link->nobody = TRUE;
    refused = UDT_LINK_PUSH_NOBODY;
  } else if (is_lossless (&link->stream)) {
    if (!force
        && link->most + link->queued_bytes >= link->config.high_watermark) {
      link->full = TRUE;
      refused = UDT_LINK_PUSH_FULL;
    }
  } else if (skip (link, frame)) {
    g_mutex_unlock (&link->lock);
    return UDT_LINK_PUSH_OK;
  }
  if (refused != UDT_LINK_PUSH_OK || link->end_pushed) {
    g_mutex_unlock (&link->lock);
    return refused;
  }
  item = g_new0 (UdtItem, 1);
  item->type = UDT_ITEM_FRAME;
  item->payload = g_bytes_ref (payload);
  item->frame = *frame;
  item->frame.caps_version = link->caps_version;
  item->force = force;
  link->queued_bytes += g_bytes_get_size (payload);
  append_and_unlock (link, item);
  return UDT_LINK_PUSH_OK;
}

void
udt_link_end (UdtLink *link)
{
  UdtItem *item = g_new0 (UdtItem, 1);

  item->type = UDT_ITEM_END;
  g_mutex_lock (&link->lock);
  link->end_pushed = TRUE;
  link->queued_bytes += END_BYTES;
  append_and_unlock (link, item);
}

guint64
udt_link_get_backlog (UdtLink *link)
{
  guint64 backlog;

  g_mutex_lock (&link->lock);
  backlog = link->n_up > 0 ? link->most + link->queued_bytes : 0;
  g_mutex_unlock (&link->lock);
  return backlog;
}
