/* Published streams: from the element's thread to every viewer.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: streaming threads append to a queue under the stream's lock and
 * wake the network thread only when it was empty; the network thread takes the
 * whole queue and hands each item to every viewer.
 */
#include "p2pendpoint-private.h"

#include <string.h>

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
  p2p_items_clear (&stream->items);
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

    stats->frames_sent += out->flow.frames;
    stats->frames_dropped += out->flow.dropped;
  }
}

/* With the lock held: whether a source that can wait shall. A source always
 * has marks, or a file would fill the memory. */
static gboolean
is_waiting (P2pStream *stream)
{
  guint bound = get_high (stream);
  IvWatermarkMarks marks;

  p2p_endpoint_take_marks (stream->endpoint, &marks);
  if (marks.low == 0 && marks.warn == 0 && marks.high == 0)
    marks.low = bound / 2;
  marks.high = bound;
  iv_watermark_set_marks (&stream->watermark, &marks, NULL);
  iv_watermark_update (&stream->watermark, stream->most + stream->items.bytes,
                       0);
  return iv_watermark_is_paused (&stream->watermark);
}

/* `taken`: bytes of items that the outs have by now. */
static void
publish_backlog (P2pStream *stream, guint64 taken)
{
  guint64 least = G_MAXUINT64, most = 0;
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
  stream->items.bytes -= taken;
  writable = stream->full && !is_waiting (stream);
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
  if (stream->outs->len == 0)
    p2p_stream_tell_targets (stream, g_get_monotonic_time ());
}

/* -- Network thread: key units --------------------------------------------- */

static void
ask_key_unit (P2pStream *stream, gint64 now)
{
  gboolean headers = p2p_key_units_ask (&stream->key_units, now);

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
  if (p2p_key_units_want (&stream->key_units, all_headers, now))
    ask_key_unit (stream, now);
}

static gboolean
someone_waits (P2pStream *stream)
{
  guint i;

  for (i = 0; i < stream->outs->len; i++) {
    P2pOutStream *out = g_ptr_array_index (stream->outs, i);

    if (out->flow.waiting_sync && !p2p_peer_is_paused (out->peer)
        && !p2p_peer_is_silent (out->peer))
      return TRUE;
  }
  return FALSE;
}

void
p2p_stream_tick (P2pStream *stream, gint64 now)
{
  if (stream->config.kind != P2P_WIRE_AUDIO && !stream->ended
      && p2p_key_units_due (&stream->key_units, someone_waits (stream)) <= now)
    ask_key_unit (stream, now);
  p2p_stream_update_backlog (stream);
  p2p_stream_tell_targets (stream, now);
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
fan_out (P2pStream *stream, const P2pItem *item)
{
  P2pOutFrame frame;
  guint i;

  if (!p2p_flow_make_frame (item, &frame))
    return;
  if (!(item->frame.flags & P2P_FRAME_DELTA_UNIT))
    p2p_key_units_came (&stream->key_units);
  /* Backwards: one that is overrun leaves. */
  for (i = stream->outs->len; i-- > 0;)
    p2p_out_send_frame (g_ptr_array_index (stream->outs, i), &frame);
}

static void
take_caps (P2pStream *stream, const P2pItem *item)
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
take_item (P2pStream *stream, const P2pItem *item)
{
  guint i;

  switch (item->type) {
    case P2P_ITEM_CAPS:
      take_caps (stream, item);
      begin_again (stream);
      break;
    case P2P_ITEM_FRAME:
      begin_again (stream);
      fan_out (stream, item);
      break;
    case P2P_ITEM_END:
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
  GQueue items;
  guint64 taken;
  P2pItem *item;

  g_mutex_lock (&stream->lock);
  taken = p2p_items_take (&stream->items, &items);
  g_mutex_unlock (&stream->lock);
  if (g_queue_is_empty (&items))
    return;
  while ((item = g_queue_pop_head (&items)) != NULL) {
    take_item (stream, item);
    p2p_item_free (item);
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
  p2p_items_init (&stream->items);
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
unlock_and_wake (P2pStream *stream, gboolean wake)
{
  g_mutex_unlock (&stream->lock);
  if (wake)
    p2p_endpoint_post_streams (stream->endpoint);
}

gboolean
p2p_stream_set_caps (P2pStream *stream, const gchar *caps)
{
  if (!p2p_wire_check_caps (caps, strlen (caps)))
    return FALSE;
  g_mutex_lock (&stream->lock);
  if (stream->closed) {
    g_mutex_unlock (&stream->lock);
    return FALSE;
  }
  if (stream->have_caps)
    stream->caps_version++;
  stream->have_caps = TRUE;
  unlock_and_wake (stream, p2p_items_add_caps (&stream->items, caps,
                                               stream->caps_version));
  return TRUE;
}

/* With the lock held. */
static P2pPushResult
admit (P2pStream *stream, const P2pWireFrame *frame, gboolean force,
       gboolean *skip)
{
  const P2pStreamConfig *config = &stream->config;

  *skip = FALSE;
  if (stream->closed)
    return P2P_PUSH_CLOSED;
  if (!p2p_flow_is_lossless (config->kind, config->deadline_ms)) {
    *skip = p2p_items_skip (&stream->items, frame, get_high (stream));
    return P2P_PUSH_OK;
  }
  if (force || !is_waiting (stream))
    return P2P_PUSH_OK;
  stream->full = TRUE;
  return P2P_PUSH_FULL;
}

P2pPushResult
p2p_stream_push (P2pStream *stream, GBytes *payload, const P2pWireFrame *frame,
                 gboolean force)
{
  P2pPushResult result;
  gboolean skip;

  if (g_bytes_get_size (payload) > P2P_STREAM_MAX_PAYLOAD)
    return P2P_PUSH_TOO_BIG;
  g_mutex_lock (&stream->lock);
  result = admit (stream, frame, force, &skip);
  if (result != P2P_PUSH_OK || skip)
    g_mutex_unlock (&stream->lock);
  else
    unlock_and_wake (stream,
                     p2p_items_add_frame (&stream->items, payload, frame,
                                          stream->caps_version, force));
  return result;
}

void
p2p_stream_end (P2pStream *stream)
{
  g_mutex_lock (&stream->lock);
  unlock_and_wake (stream, p2p_items_add_end (&stream->items));
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
  *least = stream->viewers > 0 ? stream->least + stream->items.bytes : 0;
  *most = stream->viewers > 0 ? stream->most + stream->items.bytes : 0;
  g_mutex_unlock (&stream->lock);
}

void
p2p_stream_get_stats (P2pStream *stream, P2pStreamStats *stats)
{
  g_mutex_lock (&stream->lock);
  *stats = stream->stats;
  if (stats->viewers > 0)
    stats->queued_bytes += stream->items.bytes;
  stats->frames_dropped += stream->items.skipped;
  g_mutex_unlock (&stream->lock);
}
