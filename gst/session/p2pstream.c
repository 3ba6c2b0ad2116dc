/* Published streams: from the element's thread to every viewer.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: streaming threads append to a queue under the stream's lock and
 * wake the network thread only when it was empty; the network thread takes the
 * whole queue and hands each item to every viewer. The header of a frame is
 * made once, its payload is referenced by each viewer's engine.
 *
 * Key units: the first request is passed on at once, those within the next
 * KEY_UNIT_WINDOW_US are merged into one at its end, unless the keyframe comes
 * before. While viewers still wait for one it is asked for again.
 */
#include "p2pendpoint-private.h"

#include <string.h>

#define KEY_UNIT_WINDOW_US (100 * 1000)
#define KEY_UNIT_REPEAT_US (G_USEC_PER_SEC)
/* What may lie in the queue when the network thread is late, in multiples of
 * the high watermark. */
#define QUEUE_MARKS 4
/* What the end of a stream counts for in the queue: not nothing. */
#define END_BYTES 1

typedef enum {
  ITEM_CAPS,
  ITEM_FRAME,
  ITEM_END,
} ItemType;

typedef struct
{
  ItemType type;
  gchar *caps;
  guint8 version;
  GBytes *payload;
  P2pWireFrame frame;
  gboolean force;
} Item;

static void
item_free (gpointer data)
{
  Item *item = data;

  g_free (item->caps);
  if (item->payload != NULL)
    g_bytes_unref (item->payload);
  g_free (item);
}

static guint
get_high (P2pStream *stream)
{
  return p2p_endpoint_high_watermark (stream->endpoint);
}

/* -- References ------------------------------------------------------------ */

P2pStream *
p2p_stream_ref (P2pStream *stream)
{
  g_atomic_int_inc (&stream->refs);
  return stream;
}

void
p2p_stream_unref (P2pStream *stream)
{
  if (!g_atomic_int_dec_and_test (&stream->refs))
    return;
  g_queue_clear_full (&stream->items, item_free);
  g_ptr_array_unref (stream->outs);
  g_free (stream->caps);
  g_free ((gchar *)stream->config.name);
  g_free ((gchar *)stream->config.match);
  g_free ((gchar *)stream->config.only_peer);
  if (stream->config.offer != NULL)
    p2p_offer_unref (stream->config.offer);
  p2p_guard_clear (&stream->guard);
  g_mutex_clear (&stream->lock);
  p2p_endpoint_unref (stream->endpoint);
  g_free (stream);
}

/* -- Network thread: viewers ----------------------------------------------- */

static gboolean
matches (const P2pStreamConfig *config, P2pPeer *peer,
         const P2pRemoteRequest *request)
{
  if (config->offer != request->offer)
    return FALSE;
  if (config->only_peer != NULL && !g_str_equal (config->only_peer, peer->id))
    return FALSE;
  if (config->only_request != 0)
    return config->only_request == request->id;
  return request->offer != NULL
         || p2p_wire_match (config->match, request->params,
                            strlen (request->params));
}

gboolean
p2p_stream_matches (P2pStream *stream, P2pPeer *peer,
                    const P2pRemoteRequest *request)
{
  gboolean yes;

  g_mutex_lock (&stream->lock);
  yes = !stream->closed && matches (&stream->config, peer, request);
  g_mutex_unlock (&stream->lock);
  return yes;
}

void
p2p_stream_attach_all (P2pStream *stream)
{
  GPtrArray *peers = stream->endpoint->peers;
  guint i, j;

  for (i = 0; i < peers->len; i++) {
    P2pPeer *peer = g_ptr_array_index (peers, i);

    for (j = 0; peer->state == P2P_PEER_UP && j < peer->remote_requests->len;
         j++) {
      P2pRemoteRequest *request = g_ptr_array_index (peer->remote_requests, j);

      if (p2p_stream_matches (stream, peer, request))
        p2p_out_open (peer, stream, request->id);
    }
  }
}

/* Of the most backlogged viewer. */
static void
take_stats (P2pStream *stream, P2pOutStream *worst, P2pStreamStats *stats)
{
  guint i;

  if (worst != NULL)
    p2p_out_get_stats (worst, stats);
  else
    memset (stats, 0, sizeof *stats);
  stats->viewers = stream->outs->len;
  stats->frames_sent = stream->frames_of_gone;
  stats->frames_dropped = stream->dropped_of_gone;
  for (i = 0; i < stream->outs->len; i++) {
    P2pOutStream *out = g_ptr_array_index (stream->outs, i);

    stats->frames_sent += out->frames;
    stats->frames_dropped += out->dropped;
  }
}

/* `taken`: bytes of items that the outs have by now. */
static void
publish_backlog (P2pStream *stream, guint64 taken)
{
  guint64 least = G_MAXUINT64, most = 0;
  guint room = get_high (stream) - get_high (stream) / 8;
  P2pOutStream *worst = NULL;
  P2pStreamStats stats;
  gboolean writable;
  guint i;

  for (i = 0; i < stream->outs->len; i++) {
    P2pOutStream *out = g_ptr_array_index (stream->outs, i);
    guint64 backlog = p2p_out_get_backlog (out);

    if (worst == NULL || backlog > most)
      worst = out;
    least = MIN (least, backlog);
    most = MAX (most, backlog);
  }
  take_stats (stream, worst, &stats);
  g_mutex_lock (&stream->lock);
  stream->stats = stats;
  stream->least = stream->outs->len > 0 ? least : 0;
  stream->most = most;
  stream->queued_bytes -= taken;
  writable = stream->full && most + stream->queued_bytes <= room;
  if (writable)
    stream->full = FALSE;
  g_mutex_unlock (&stream->lock);
  if (writable && stream->callbacks.writable != NULL
      && p2p_guard_enter (&stream->guard)) {
    stream->callbacks.writable (stream, stream->user);
    p2p_guard_leave (&stream->guard);
  }
}

void
p2p_stream_update_backlog (P2pStream *stream)
{
  publish_backlog (stream, 0);
}

void
p2p_stream_outs_changed (P2pStream *stream)
{
  g_mutex_lock (&stream->lock);
  stream->viewers = stream->outs->len;
  g_mutex_unlock (&stream->lock);
  p2p_stream_update_backlog (stream);
}

/* -- Network thread: key units --------------------------------------------- */

static void
ask_key_unit (P2pStream *stream, gint64 now)
{
  gboolean headers = stream->key_headers;

  stream->key_wanted = FALSE;
  stream->key_headers = FALSE;
  stream->key_asked_us = now;
  if (stream->callbacks.key_unit != NULL && p2p_guard_enter (&stream->guard)) {
    stream->callbacks.key_unit (stream, headers, stream->user);
    p2p_guard_leave (&stream->guard);
  }
}

void
p2p_stream_want_key_unit (P2pStream *stream, gboolean all_headers)
{
  gint64 now = g_get_monotonic_time ();

  /* Each sound of audio stands for itself. */
  if (stream->config.kind == P2P_WIRE_AUDIO || stream->ended)
    return;
  stream->key_headers |= all_headers;
  stream->key_wanted = TRUE;
  if (stream->key_asked_us == 0
      || now - stream->key_asked_us >= KEY_UNIT_WINDOW_US)
    ask_key_unit (stream, now);
}

static gboolean
someone_waits (P2pStream *stream)
{
  guint i;

  for (i = 0; i < stream->outs->len; i++)
    if (((P2pOutStream *)g_ptr_array_index (stream->outs, i))->waiting_sync)
      return TRUE;
  return FALSE;
}

void
p2p_stream_tick (P2pStream *stream, gint64 now)
{
  if (stream->key_wanted && now - stream->key_asked_us >= KEY_UNIT_WINDOW_US)
    ask_key_unit (stream, now);
  else if (stream->key_asked_us != 0 && !stream->ended
           && stream->config.kind != P2P_WIRE_AUDIO
           && now - stream->key_asked_us >= KEY_UNIT_REPEAT_US
           && someone_waits (stream))
    ask_key_unit (stream, now);
  p2p_stream_update_backlog (stream);
}

/* -- Network thread: items ------------------------------------------------- */

/* What comes after the end is a new stream to the viewers. */
static void
begin_again (P2pStream *stream)
{
  if (!stream->ended)
    return;
  stream->ended = FALSE;
  while (stream->outs->len > 0)
    p2p_out_detach (g_ptr_array_index (stream->outs, 0), NULL);
  p2p_stream_attach_all (stream);
}

static void
fan_out (P2pStream *stream, const Item *item)
{
  guint8 header[P2P_WIRE_MAX_FRAME_HEADER];
  P2pOutFrame frame;
  guint i;

  frame.header_len = p2p_wire_write_frame (&item->frame, header, sizeof header);
  if (frame.header_len == 0)
    return;
  frame.header = header;
  frame.payload = item->payload;
  frame.frame = &item->frame;
  frame.force = item->force;
  if (!(item->frame.flags & P2P_FRAME_DELTA_UNIT))
    stream->key_wanted = FALSE;
  /* Backwards: one that is overrun leaves. */
  for (i = stream->outs->len; i-- > 0;)
    p2p_out_send_frame (g_ptr_array_index (stream->outs, i), &frame);
}

static void
take_caps (P2pStream *stream, const Item *item)
{
  gboolean first = stream->caps == NULL;
  guint i;

  g_free (stream->caps);
  stream->caps = g_strdup (item->caps);
  stream->version = item->version;
  /* Later ones go with the first frame that needs them. */
  for (i = 0; first && i < stream->outs->len; i++)
    p2p_out_send_caps (g_ptr_array_index (stream->outs, i));
}

static void
take_item (P2pStream *stream, const Item *item)
{
  guint i;

  switch (item->type) {
    case ITEM_CAPS:
      take_caps (stream, item);
      begin_again (stream);
      break;
    case ITEM_FRAME:
      begin_again (stream);
      fan_out (stream, item);
      break;
    case ITEM_END:
      if (stream->ended)
        break;
      stream->ended = TRUE;
      for (i = 0; i < stream->outs->len; i++)
        p2p_out_end (g_ptr_array_index (stream->outs, i));
      break;
  }
}

static void
wake_peers (P2pStream *stream)
{
  guint i;

  for (i = 0; i < stream->outs->len; i++)
    p2p_connection_wake (((P2pOutStream *)g_ptr_array_index (stream->outs, i))
                             ->peer->connection);
}

void
p2p_stream_drain (P2pStream *stream)
{
  GQueue items = G_QUEUE_INIT;
  guint64 taken;
  Item *item;

  g_mutex_lock (&stream->lock);
  if (g_queue_is_empty (&stream->items)) {
    g_mutex_unlock (&stream->lock);
    return;
  }
  items = stream->items;
  g_queue_init (&stream->items);
  taken = stream->queued_bytes;
  g_mutex_unlock (&stream->lock);
  while ((item = g_queue_pop_head (&items)) != NULL) {
    take_item (stream, item);
    item_free (item);
  }
  wake_peers (stream);
  publish_backlog (stream, taken);
}

/* -- Any thread ------------------------------------------------------------ */

static void
copy_config (P2pStream *stream, const P2pStreamConfig *config)
{
  stream->config = *config;
  stream->config.name = g_strdup (config->name);
  stream->config.only_peer = g_strdup (config->only_peer);
  if (config->offer != NULL)
    p2p_offer_ref (config->offer);
  stream->config.match = g_strdup (config->match != NULL ? config->match : "");
}

static void
add_stream (P2pEndpoint *endpoint, gpointer data)
{
  P2pStream *stream = data;

  g_ptr_array_add (endpoint->streams, p2p_stream_ref (stream));
  p2p_stream_attach_all (stream);
  p2p_stream_drain (stream);
}

P2pStream *
p2p_endpoint_publish (P2pEndpoint *endpoint, const P2pStreamConfig *config,
                      const P2pStreamCallbacks *callbacks, gpointer user)
{
  P2pStream *stream = g_new0 (P2pStream, 1);

  stream->refs = 1;
  stream->endpoint = p2p_endpoint_ref (endpoint);
  p2p_guard_init (&stream->guard);
  g_mutex_init (&stream->lock);
  g_queue_init (&stream->items);
  stream->outs = g_ptr_array_new ();
  if (callbacks != NULL)
    stream->callbacks = *callbacks;
  stream->user = user;
  copy_config (stream, config);
  p2p_endpoint_post (endpoint, add_stream, p2p_stream_ref (stream),
                     (GDestroyNotify)p2p_stream_unref);
  return stream;
}

static void
remove_stream (P2pEndpoint *endpoint, gpointer data)
{
  P2pStream *stream = data;

  p2p_stream_drain (stream);
  while (stream->outs->len > 0)
    p2p_out_detach (g_ptr_array_index (stream->outs, 0), NULL);
  if (g_ptr_array_remove (endpoint->streams, stream))
    p2p_stream_unref (stream);
}

void
p2p_stream_unpublish (P2pStream *stream)
{
  g_mutex_lock (&stream->lock);
  stream->closed = TRUE;
  g_mutex_unlock (&stream->lock);
  p2p_guard_close (&stream->guard);
  /* Takes over our reference. */
  p2p_endpoint_post (stream->endpoint, remove_stream, stream,
                     (GDestroyNotify)p2p_stream_unref);
}

static void
reconfigure (P2pEndpoint *endpoint, gpointer data)
{
  P2pStream *stream = data;
  guint i;

  for (i = 0; i < stream->outs->len; i++)
    p2p_out_reconfigure (g_ptr_array_index (stream->outs, i));
}

void
p2p_stream_set_config (P2pStream *stream, const P2pStreamConfig *config)
{
  g_mutex_lock (&stream->lock);
  /* Kind and name are what the stream is; only the rest can change. */
  g_free ((gchar *)stream->config.match);
  stream->config.match = g_strdup (config->match != NULL ? config->match : "");
  stream->config.priority = config->priority;
  stream->config.deadline_ms = config->deadline_ms;
  g_mutex_unlock (&stream->lock);
  p2p_endpoint_post (stream->endpoint, reconfigure, p2p_stream_ref (stream),
                     (GDestroyNotify)p2p_stream_unref);
}

/* With the lock held, which it releases. */
static void
append_and_unlock (P2pStream *stream, Item *item)
{
  gboolean was_empty = g_queue_is_empty (&stream->items);

  g_queue_push_tail (&stream->items, item);
  g_mutex_unlock (&stream->lock);
  if (was_empty)
    p2p_endpoint_post_streams (stream->endpoint);
}

gboolean
p2p_stream_set_caps (P2pStream *stream, const gchar *caps)
{
  Item *item;

  if (!p2p_wire_check_caps (caps, strlen (caps)))
    return FALSE;
  item = g_new0 (Item, 1);
  item->type = ITEM_CAPS;
  item->caps = g_strdup (caps);
  g_mutex_lock (&stream->lock);
  if (stream->closed) {
    g_mutex_unlock (&stream->lock);
    item_free (item);
    return FALSE;
  }
  if (stream->have_caps)
    stream->caps_version++;
  stream->have_caps = TRUE;
  item->version = stream->caps_version;
  append_and_unlock (stream, item);
  return TRUE;
}

static gboolean
is_lossless (P2pStream *stream)
{
  return stream->config.deadline_ms == 0
         || (stream->config.deadline_ms < 0
             && stream->config.kind == P2P_WIRE_DATA);
}

/* With the lock held: whether this frame of a live stream is left out, since
 * the network thread does not keep up. */
static gboolean
skip (P2pStream *stream, const P2pWireFrame *frame)
{
  gboolean delta = (frame->flags & P2P_FRAME_DELTA_UNIT) != 0;

  if (stream->queued_bytes >= (guint64)QUEUE_MARKS * get_high (stream))
    stream->skipping = TRUE;
  else if (!delta)
    stream->skipping = FALSE;
  if (stream->skipping)
    stream->skipped++;
  return stream->skipping;
}

P2pPushResult
p2p_stream_push (P2pStream *stream, GBytes *payload, const P2pWireFrame *frame,
                 gboolean force)
{
  Item *item;

  g_mutex_lock (&stream->lock);
  if (stream->closed) {
    g_mutex_unlock (&stream->lock);
    return P2P_PUSH_CLOSED;
  }
  if (is_lossless (stream)) {
    if (!force && stream->most + stream->queued_bytes >= get_high (stream)) {
      stream->full = TRUE;
      g_mutex_unlock (&stream->lock);
      return P2P_PUSH_FULL;
    }
  } else if (skip (stream, frame)) {
    g_mutex_unlock (&stream->lock);
    return P2P_PUSH_OK;
  }
  item = g_new0 (Item, 1);
  item->type = ITEM_FRAME;
  item->payload = g_bytes_ref (payload);
  item->frame = *frame;
  item->frame.caps_version = stream->caps_version;
  item->force = force;
  stream->queued_bytes += g_bytes_get_size (payload);
  append_and_unlock (stream, item);
  return P2P_PUSH_OK;
}

void
p2p_stream_end (P2pStream *stream)
{
  Item *item = g_new0 (Item, 1);

  item->type = ITEM_END;
  g_mutex_lock (&stream->lock);
  stream->queued_bytes += END_BYTES;
  append_and_unlock (stream, item);
}

guint
p2p_stream_count_viewers (P2pStream *stream)
{
  guint n;

  g_mutex_lock (&stream->lock);
  n = stream->viewers;
  g_mutex_unlock (&stream->lock);
  return n;
}

void
p2p_stream_get_backlog (P2pStream *stream, guint64 *least, guint64 *most)
{
  g_mutex_lock (&stream->lock);
  *least = stream->viewers > 0 ? stream->least + stream->queued_bytes : 0;
  *most = stream->viewers > 0 ? stream->most + stream->queued_bytes : 0;
  g_mutex_unlock (&stream->lock);
}

void
p2p_stream_get_stats (P2pStream *stream, P2pStreamStats *stats)
{
  g_mutex_lock (&stream->lock);
  *stats = stream->stats;
  if (stats->viewers > 0)
    stats->queued_bytes += stream->queued_bytes;
  stats->frames_dropped += stream->skipped;
  g_mutex_unlock (&stream->lock);
}
