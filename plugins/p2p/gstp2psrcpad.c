/* A pad of p2psrc and its queue.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: the network thread puts in, the pad's task takes out; the source's
 * lock is between them. The network thread never waits: a stream that may lose
 * nothing is told to hold its frames, any other forgets its oldest, up to where
 * a decoder can go on.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <gst/video/video.h>
#include "gstp2pcaps.h"
#include "gstp2psrc.h"

#define GST_CAT_DEFAULT gst_p2p_src_debug

/* Bytes in a queue. A live stream's limit only has to be more than any latency
 * may need; time is what limits it (GST_P2P_SRC_QUEUE_TIME_US). */
#define LIVE_BYTES (16u << 20)
#define DATA_BYTES (1u << 20)

enum {
  PROP_0,
  PROP_PEER,
  PROP_REQUEST,
};

G_DEFINE_TYPE (GstP2pSrcPad, gst_p2p_src_pad, GST_TYPE_PAD)

/* -- Times ----------------------------------------------------------------- */

GstP2pTimes *
gst_p2p_times_new (void)
{
  GstP2pTimes *times = g_atomic_rc_box_new0 (GstP2pTimes);

  times->timeline = p2p_timeline_new ();
  return times;
}

GstP2pTimes *
gst_p2p_times_ref (GstP2pTimes *times)
{
  return g_atomic_rc_box_acquire (times);
}

static void
times_clear (gpointer data)
{
  GstP2pTimes *times = data;

  p2p_timeline_free (times->timeline);
}

void
gst_p2p_times_unref (GstP2pTimes *times)
{
  g_atomic_rc_box_release_full (times, times_clear);
}

/* -- Items ----------------------------------------------------------------- */

GstP2pItem *
gst_p2p_item_new (gint type, guint number)
{
  GstP2pItem *item = g_new0 (GstP2pItem, 1);

  item->type = type;
  item->number = number;
  item->pts = item->dts = P2P_WIRE_TIME_NONE;
  return item;
}

void
gst_p2p_item_free (GstP2pItem *item)
{
  gst_clear_caps (&item->caps);
  g_clear_pointer (&item->payload, g_bytes_unref);
  g_free (item);
}

static gboolean
is_frame (const GstP2pItem *item)
{
  return item->type == GST_P2P_ITEM_FRAME;
}

static gboolean
is_sync (const GstP2pItem *item)
{
  return is_frame (item) && !(item->frame.flags & P2P_FRAME_DELTA_UNIT);
}

static gsize
item_size (const GstP2pItem *item)
{
  return item->payload != NULL ? g_bytes_get_size (item->payload) : 0;
}

/* -- The queue (lock held) ------------------------------------------------- */

static void
add_item (GstP2pSrcPad *pad, GstP2pItem *item)
{
  pad->bytes += item_size (item);
  g_queue_push_tail (&pad->queue, item);
}

void
gst_p2p_src_pad_push_item (GstP2pSrcPad *pad, GstP2pItem *item)
{
  add_item (pad, item);
  g_cond_broadcast (&pad->cond);
}

GstP2pItem *
gst_p2p_src_pad_pop_item (GstP2pSrcPad *pad)
{
  GstP2pItem *item = g_queue_pop_head (&pad->queue);

  pad->bytes -= item_size (item);
  if (pad->held && pad->bytes <= DATA_BYTES / 2 && pad->in_stream != NULL) {
    pad->held = FALSE;
    p2p_in_stream_resume (pad->in_stream);
  }
  return item;
}

void
gst_p2p_src_wake_pads (GstP2pSrc *src)
{
  GList *walk;

  for (walk = src->pads; walk != NULL; walk = walk->next)
    g_cond_broadcast (&GST_P2P_SRC_PAD (walk->data)->cond);
}

void
gst_p2p_src_pad_request_key_unit (GstP2pSrcPad *pad, gboolean all_headers,
                                  guint count)
{
  if (pad->in_stream != NULL && pad->kind != P2P_WIRE_AUDIO)
    p2p_in_stream_request_key_unit (pad->in_stream, all_headers, count);
}

/* Removes the frames before `keep`, or all; what else is in the queue stays.
 * TRUE: some were. */
static gboolean
drop_before (GstP2pSrcPad *pad, GList *keep)
{
  GList *walk = pad->queue.head;
  guint count = 0;

  while (walk != NULL && walk != keep) {
    GList *next = walk->next;
    GstP2pItem *item = walk->data;

    if (is_frame (item)) {
      pad->bytes -= item_size (item);
      g_queue_delete_link (&pad->queue, walk);
      gst_p2p_item_free (item);
      count++;
    }
    walk = next;
  }
  if (count > 0 && keep != NULL)
    ((GstP2pItem *)keep->data)->gap = TRUE;
  if (count > 0)
    GST_INFO_OBJECT (pad, "downstream is behind: %u frames forgotten", count);
  return count > 0;
}

void
gst_p2p_src_pad_drop_frames (GstP2pSrcPad *pad)
{
  if (drop_before (pad, NULL))
    pad->wait_sync = TRUE;
}

void
gst_p2p_src_pad_stop (GstP2pSrcPad *pad)
{
  pad->stopped = TRUE;
  gst_p2p_src_pad_drop_frames (pad);
  if (pad->held && pad->in_stream != NULL) {
    pad->held = FALSE;
    p2p_in_stream_resume (pad->in_stream);
  }
}

static gint64
newest_arrival (GstP2pSrcPad *pad)
{
  GList *walk;

  for (walk = pad->queue.tail; walk != NULL; walk = walk->prev) {
    if (is_frame (walk->data))
      return ((GstP2pItem *)walk->data)->arrival_us;
  }
  return 0;
}

/* The first frame from which a decoder can go on such that the queue is within
 * the limits. `last`: the newest such frame, whatever the limits. */
static GList *
find_cut (GstP2pSrcPad *pad, gsize max_bytes, gint64 oldest_us, GList **last)
{
  gsize bytes = pad->bytes;
  GList *walk;

  *last = NULL;
  for (walk = pad->queue.head; walk != NULL; walk = walk->next) {
    GstP2pItem *item = walk->data;

    if (is_sync (item)) {
      *last = walk;
      if (bytes <= max_bytes && item->arrival_us >= oldest_us)
        return walk;
    }
    bytes -= item_size (item);
  }
  return NULL;
}

void
gst_p2p_src_pad_trim (GstP2pSrcPad *pad, gint64 age_us)
{
  GList *last, *cut;

  if (pad->kind == P2P_WIRE_DATA)
    return;
  cut = find_cut (pad, G_MAXSIZE, g_get_monotonic_time () - age_us, &last);
  if (cut == NULL)
    cut = last;
  if (cut != NULL)
    drop_before (pad, cut);
}

static gboolean
is_over_limit (GstP2pSrcPad *pad, gint64 oldest_us)
{
  GList *walk;

  if (pad->bytes > LIVE_BYTES)
    return TRUE;
  for (walk = pad->queue.head; walk != NULL; walk = walk->next) {
    if (is_frame (walk->data))
      return ((GstP2pItem *)walk->data)->arrival_us < oldest_us;
  }
  return FALSE;
}

static void
enforce_limits (GstP2pSrcPad *pad)
{
  gint64 oldest_us
      = newest_arrival (pad) - pad->src->latency_us - GST_P2P_SRC_QUEUE_TIME_US;
  GList *cut, *last;

  if (!is_over_limit (pad, oldest_us))
    return;
  cut = find_cut (pad, LIVE_BYTES, oldest_us, &last);
  if (cut != NULL) {
    drop_before (pad, cut);
  } else {
    gst_p2p_src_pad_drop_frames (pad);
    gst_p2p_src_pad_request_key_unit (pad, FALSE, 0);
  }
}

gboolean
gst_p2p_src_pad_take_frame (GstP2pSrcPad *pad, GBytes *payload,
                            const P2pWireFrame *frame, gint64 arrival_us,
                            gint64 age_us, gboolean gap)
{
  gboolean delta = (frame->flags & P2P_FRAME_DELTA_UNIT) != 0;
  GstP2pItem *item;

  if (pad->refused || pad->stopped)
    return TRUE;
  if (pad->kind == P2P_WIRE_DATA) {
    if (pad->bytes > 0
        && pad->bytes + g_bytes_get_size (payload) > DATA_BYTES) {
      pad->held = TRUE;
      return FALSE;
    }
  } else if (pad->wait_sync && delta) {
    return TRUE;
  }

  item = gst_p2p_item_new (GST_P2P_ITEM_FRAME, 0);
  item->payload = g_bytes_ref (payload);
  item->frame = *frame;
  item->arrival_us = arrival_us;
  item->age_us = age_us;
  item->gap = gap || pad->wait_sync;
  pad->wait_sync = FALSE;
  if (pad->src->playing)
    gst_p2p_src_map_item (pad, item);
  add_item (pad, item);
  if (pad->kind != P2P_WIRE_DATA)
    enforce_limits (pad);
  return TRUE;
}

void
gst_p2p_src_pad_clear (GstP2pSrcPad *pad)
{
  GstP2pItem *item;

  while ((item = g_queue_pop_head (&pad->queue)) != NULL)
    gst_p2p_item_free (item);
  pad->bytes = 0;
  g_clear_pointer (&pad->in_stream, p2p_in_stream_unref);
}

/* -- Events and queries from downstream ------------------------------------ */

static gboolean
src_pad_event (GstPad *gpad, GstObject *parent, GstEvent *event)
{
  GstP2pSrcPad *pad = GST_P2P_SRC_PAD (gpad);
  GstP2pSrc *src = GST_P2P_SRC (parent);
  gboolean ok = FALSE, all_headers;
  guint count;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_LATENCY:
    case GST_EVENT_QOS:
    case GST_EVENT_RECONFIGURE:
      ok = TRUE;
      break;
    case GST_EVENT_CUSTOM_UPSTREAM:
      if (!gst_video_event_is_force_key_unit (event)
          || !gst_video_event_parse_upstream_force_key_unit (event, NULL,
                                                             &all_headers,
                                                             &count))
        break;
      g_mutex_lock (&src->lock);
      ok = pad->in_stream != NULL;
      gst_p2p_src_pad_request_key_unit (pad, all_headers, count);
      g_mutex_unlock (&src->lock);
      break;
    default:
      /* Seeks among them: this is live. */
      GST_DEBUG_OBJECT (pad, "no use for %" GST_PTR_FORMAT, event);
      break;
  }
  gst_event_unref (event);
  return ok;
}

static gboolean
src_pad_query (GstPad *gpad, GstObject *parent, GstQuery *query)
{
  if (gst_p2p_src_answer (GST_P2P_SRC (parent), query))
    return TRUE;
  return gst_pad_query_default (gpad, parent, query);
}

static gboolean
src_pad_activate_mode (GstPad *gpad, GstObject *parent, GstPadMode mode,
                       gboolean active)
{
  GstP2pSrcPad *pad = GST_P2P_SRC_PAD (gpad);

  if (mode != GST_PAD_MODE_PUSH)
    return FALSE;
  g_mutex_lock (&pad->src->lock);
  pad->flushing = !active;
  g_cond_broadcast (&pad->cond);
  g_mutex_unlock (&pad->src->lock);
  if (active)
    return gst_pad_start_task (gpad, gst_p2p_src_pad_loop, pad, NULL);
  return gst_pad_stop_task (gpad);
}

/* -- Object ---------------------------------------------------------------- */

static void
gst_p2p_src_pad_get_property (GObject *object, guint id, GValue *value,
                              GParamSpec *pspec)
{
  GstP2pSrcPad *pad = GST_P2P_SRC_PAD (object);
  GstElement *src = gst_pad_get_parent_element (GST_PAD_CAST (pad));

  if (src != NULL)
    g_mutex_lock (&GST_P2P_SRC (src)->lock);
  switch (id) {
    case PROP_PEER:
      g_value_set_string (value, pad->peer);
      break;
    case PROP_REQUEST:
      g_value_set_uint (value, pad->request);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  if (src != NULL) {
    g_mutex_unlock (&GST_P2P_SRC (src)->lock);
    gst_object_unref (src);
  }
}

static void
gst_p2p_src_pad_finalize (GObject *object)
{
  GstP2pSrcPad *pad = GST_P2P_SRC_PAD (object);

  gst_p2p_src_pad_clear (pad);
  g_list_free_full (pad->headers, (GDestroyNotify)gst_buffer_unref);
  gst_clear_caps (&pad->caps);
  gst_clear_object (&pad->stream);
  g_clear_pointer (&pad->times, gst_p2p_times_unref);
  g_free (pad->peer);
  g_free (pad->stream_id);
  g_cond_clear (&pad->cond);
  G_OBJECT_CLASS (gst_p2p_src_pad_parent_class)->finalize (object);
}

static void
gst_p2p_src_pad_class_init (GstP2pSrcPadClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  object_class->get_property = gst_p2p_src_pad_get_property;
  object_class->finalize = gst_p2p_src_pad_finalize;
  g_object_class_install_property (object_class, PROP_PEER,
                                   g_param_spec_string ("peer", "Peer",
                                                        "Whose stream it is",
                                                        NULL, flags));
  g_object_class_install_property (
      object_class, PROP_REQUEST,
      g_param_spec_uint ("request", "Request",
                         "Number of the request that it answers, or of what "
                         "the viewer sends",
                         0, G_MAXUINT, 0, flags));
}

static void
gst_p2p_src_pad_init (GstP2pSrcPad *pad)
{
  GstPad *gpad = GST_PAD_CAST (pad);

  g_queue_init (&pad->queue);
  g_cond_init (&pad->cond);
  pad->flushing = TRUE;
  gst_pad_set_activatemode_function (gpad, src_pad_activate_mode);
  gst_pad_set_event_function (gpad, src_pad_event);
  gst_pad_set_query_function (gpad, src_pad_query);
  gst_pad_use_fixed_caps (gpad);
}

GstP2pSrcPad *
gst_p2p_src_pad_new (GstP2pSrc *src, const gchar *name, P2pWireKind kind,
                     const gchar *stream_id)
{
  static const GstStreamType types[] = {
    [P2P_WIRE_VIDEO] = GST_STREAM_TYPE_VIDEO,
    [P2P_WIRE_AUDIO] = GST_STREAM_TYPE_AUDIO,
    [P2P_WIRE_DATA] = GST_STREAM_TYPE_UNKNOWN,
  };
  GstPadTemplate *templ;
  GstP2pSrcPad *pad;
  gchar *templ_name;

  templ_name = g_strconcat (gst_p2p_kind_name (kind), "_%u", NULL);
  templ = gst_element_class_get_pad_template (GST_ELEMENT_GET_CLASS (src),
                                              templ_name);
  g_free (templ_name);
  pad = g_object_new (GST_TYPE_P2P_SRC_PAD, "name", name, "direction",
                      GST_PAD_SRC, "template", templ, NULL);
  gst_object_ref_sink (pad);
  pad->src = src;
  pad->kind = kind;
  pad->stream_id = g_strdup (stream_id);
  pad->stream
      = gst_stream_new (stream_id, NULL, types[kind], GST_STREAM_FLAG_NONE);
  return pad;
}
