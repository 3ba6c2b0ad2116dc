/* The task of a pad of p2psrc: what comes out of the queue goes downstream, in
 * the order that GStreamer wants it and at the times of this pipeline.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: everything from gst_p2p_src_pad_loop() down runs in the pad's task,
 * which holds the pad's STREAM_LOCK, as tasks do, and the source's lock only
 * while it looks at shared state. The mapping of times is done where a frame is
 * put into the queue, under the lock.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstp2pcaps.h"
#include "gstp2psrc.h"

#define GST_CAT_DEFAULT gst_p2p_src_debug

/* -- Time (lock held) ------------------------------------------------------ */

static gint64
running_time_now (GstP2pSrc *src)
{
  if (src->clock == NULL)
    return (g_get_monotonic_time () - src->start_us) * GST_USECOND;
  return GST_CLOCK_DIFF (src->base_time, gst_clock_get_time (src->clock));
}

static void
sample (GstP2pSrcPad *pad, const GstP2pItem *item)
{
  gint64 ago_us = g_get_monotonic_time () - item->arrival_us;

  if (item->frame.sent == P2P_WIRE_TIME_NONE)
    return;
  /* What it waited at the sender is not the path's doing. */
  p2p_timeline_sample (pad->times->timeline,
                       item->frame.sent + item->age_us * GST_USECOND,
                       running_time_now (pad->src) - ago_us * GST_USECOND);
}

static gint64
map (GstP2pSrcPad *pad, gint64 sender_time, gint64 sender_latency)
{
  gint64 local;

  if (sender_latency == P2P_WIRE_TIME_NONE)
    sender_latency = 0;
  /* When a sink at the sender would have shown it: that moment, here. */
  if (sender_time == P2P_WIRE_TIME_NONE
      || !p2p_timeline_map (pad->times->timeline, sender_time + sender_latency,
                            &local))
    return P2P_WIRE_TIME_NONE;
  return local;
}

static void
place (GstP2pSrcPad *pad, GstP2pItem *item)
{
  item->pts = map (pad, item->frame.pts, item->frame.latency);
  item->dts = map (pad, item->frame.dts, item->frame.latency);
  item->mapped = TRUE;
}

void
gst_p2p_src_map_item (GstP2pSrcPad *pad, GstP2pItem *item)
{
  sample (pad, item);
  place (pad, item);
}

typedef void (*ItemFunc) (GstP2pSrcPad *pad, GstP2pItem *item);

static void
for_each_unmapped (GstP2pSrc *src, ItemFunc func)
{
  GList *pads, *items;

  for (pads = src->pads; pads != NULL; pads = pads->next) {
    for (items = GST_P2P_SRC_PAD (pads->data)->queue.head; items != NULL;
         items = items->next) {
      GstP2pItem *item = items->data;

      if (item->type == GST_P2P_ITEM_FRAME && !item->mapped)
        func (pads->data, item);
    }
  }
}

static void
sample_item (GstP2pSrcPad *pad, GstP2pItem *item)
{
  sample (pad, item);
}

static void
give_up_times (GstP2pSrcPad *pad, GstP2pItem *item)
{
  item->mapped = TRUE;
}

void
gst_p2p_src_map_queued (GstP2pSrc *src)
{
  /* All samples first: the quickest of them decides for all. */
  for_each_unmapped (src, sample_item);
  for_each_unmapped (src, place);
}

void
gst_p2p_src_unmap_queued (GstP2pSrc *src)
{
  GList *pads;

  if (!src->playing) {
    for (pads = src->pads; pads != NULL; pads = pads->next) {
      if (GST_P2P_SRC_PAD (pads->data)->kind != P2P_WIRE_DATA)
        gst_p2p_src_pad_drop_frames (pads->data);
    }
  }
  for_each_unmapped (src, give_up_times);
}

/* -- Beginning of a stream ------------------------------------------------- */

static void
push_segment (GstP2pSrcPad *pad)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.position = pad->ts_offset;
  gst_pad_push_event (GST_PAD_CAST (pad), gst_event_new_segment (&segment));
}

static void
set_caps (GstP2pSrcPad *pad, GstCaps *caps)
{
  gst_caps_replace (&pad->caps, caps);
  gst_stream_set_caps (pad->stream, caps);
  g_list_free_full (pad->headers, (GDestroyNotify)gst_buffer_unref);
  pad->headers = NULL;
  if (caps != NULL && pad->kind == P2P_WIRE_DATA)
    pad->headers = gst_p2p_caps_get_headers (caps);
}

static void
push_caps (GstP2pSrcPad *pad)
{
  if (pad->caps != NULL)
    gst_pad_push_event (GST_PAD_CAST (pad), gst_event_new_caps (pad->caps));
}

static void
push_stream_start (GstP2pSrcPad *pad, GstP2pSrc *src)
{
  GstEvent *event = gst_event_new_stream_start (pad->stream_id);
  GstStreamCollection *collection = NULL;

  gst_event_set_group_id (event, pad->start_group);
  gst_event_set_stream (event, pad->stream);
  gst_pad_push_event (GST_PAD_CAST (pad), event);

  g_mutex_lock (&src->lock);
  if (src->collection != NULL)
    collection = gst_object_ref (src->collection);
  g_mutex_unlock (&src->lock);
  if (collection != NULL) {
    gst_pad_push_event (GST_PAD_CAST (pad),
                        gst_event_new_stream_collection (collection));
    gst_object_unref (collection);
  }
}

/* Lock held. A pad that the worker is about to remove still has our name. */
static gboolean
name_is_taken (GstP2pSrcPad *pad, GstP2pSrc *src)
{
  GList *walk;

  for (walk = src->pads; walk != NULL; walk = walk->next) {
    GstP2pSrcPad *other = walk->data;

    if (other->dead
        && g_str_equal (GST_OBJECT_NAME (other), GST_OBJECT_NAME (pad)))
      return TRUE;
  }
  return FALSE;
}

static gint
compare_pads (const GstP2pSrcPad *a, const GstP2pSrcPad *b)
{
  guint na = 0, nb = 0;
  P2pWireKind kind;

  if (a->kind != b->kind)
    return a->kind < b->kind ? -1 : 1;
  gst_p2p_pad_name_parse (GST_OBJECT_NAME (a), &kind, &na);
  gst_p2p_pad_name_parse (GST_OBJECT_NAME (b), &kind, &nb);
  return na < nb ? -1 : na > nb;
}

/* Lock held. Pads are added one after the other, as applications expect of a
 * demuxer, and a device's in this order: video, audio, data, each by number. So
 * whoever links the first that comes gets the picture. A stream whose format is
 * not known yet keeps nobody waiting. */
static gboolean
is_its_turn (GstP2pSrcPad *pad, GstP2pSrc *src)
{
  GList *walk;

  if (src->exposing > 0 || name_is_taken (pad, src))
    return FALSE;
  for (walk = src->pads; walk != NULL && !src->accepts; walk = walk->next) {
    GstP2pSrcPad *other = walk->data;

    if (!other->exposed && other->has_caps && other->in_stream != NULL
        && !other->dead && compare_pads (other, pad) < 0)
      return FALSE;
  }
  return TRUE;
}

static void
expose (GstP2pSrcPad *pad, GstP2pSrc *src)
{
  gboolean add;

  g_mutex_lock (&src->lock);
  while (!pad->flushing && !pad->exposed && !is_its_turn (pad, src))
    g_cond_wait (&pad->cond, &src->lock);
  add = !pad->exposed && !pad->flushing;
  if (add) {
    pad->exposed = TRUE;
    src->exposing++;
    gst_flow_combiner_add_pad (src->combiner, GST_PAD_CAST (pad));
  }
  g_mutex_unlock (&src->lock);
  if (!add)
    return;
  gst_element_add_pad (GST_ELEMENT_CAST (src), GST_PAD_CAST (pad));
  g_mutex_lock (&src->lock);
  src->exposing--;
  g_cond_broadcast (&src->cond);
  gst_p2p_src_wake_pads (src);
  g_mutex_unlock (&src->lock);
  gst_p2p_src_check_pads (src);
}

void
gst_p2p_src_pad_begin (GstP2pSrcPad *pad)
{
  GstP2pSrc *src = pad->src;

  if (!pad->start_pending)
    return;
  pad->start_pending = FALSE;
  pad->ended = FALSE;
  pad->discont = TRUE;
  gst_p2p_src_check_pads (src);
  push_stream_start (pad, src);
  push_caps (pad);
  push_segment (pad);
  expose (pad, src);
}

/* -- Data ------------------------------------------------------------------ */

static GstClockTime
to_timestamp (GstP2pSrcPad *pad, gint64 running_time)
{
  if (running_time == P2P_WIRE_TIME_NONE)
    return GST_CLOCK_TIME_NONE;
  return running_time + (gint64)pad->ts_offset;
}

/* Decoding may begin before running time zero, where a timestamp cannot go: the
 * segment begins later then. */
static void
make_room_for (GstP2pSrcPad *pad, const GstP2pItem *item)
{
  gint64 lowest = G_MAXINT64;

  if (item->pts != P2P_WIRE_TIME_NONE)
    lowest = item->pts;
  if (item->dts != P2P_WIRE_TIME_NONE)
    lowest = MIN (lowest, item->dts);
  if (lowest >= -(gint64)pad->ts_offset)
    return;
  pad->ts_offset = (-lowest + GST_SECOND - 1) / GST_SECOND * GST_SECOND;
  push_segment (pad);
}

static GstFlowReturn
push_headers (GstP2pSrcPad *pad)
{
  GstFlowReturn flow = GST_FLOW_OK;

  while (pad->headers != NULL && flow == GST_FLOW_OK) {
    GstBuffer *header = gst_buffer_copy (pad->headers->data);

    gst_buffer_unref (pad->headers->data);
    pad->headers = g_list_delete_link (pad->headers, pad->headers);
    GST_BUFFER_FLAG_SET (header, GST_BUFFER_FLAG_HEADER);
    if (pad->discont)
      GST_BUFFER_FLAG_SET (header, GST_BUFFER_FLAG_DISCONT);
    pad->discont = FALSE;
    flow = gst_pad_push (GST_PAD_CAST (pad), header);
  }
  return flow;
}

static gboolean
is_gap_only (const GstP2pItem *item)
{
  return (item->frame.flags & P2P_FRAME_GAP)
         && g_bytes_get_size (item->payload) == 0;
}

static GstClockTime
duration_of (const GstP2pItem *item)
{
  return item->frame.duration >= 0 ? (GstClockTime)item->frame.duration
                                   : GST_CLOCK_TIME_NONE;
}

static void
push_gap (GstP2pSrcPad *pad, const GstP2pItem *item)
{
  GstClockTime timestamp = to_timestamp (pad, item->pts);

  if (GST_CLOCK_TIME_IS_VALID (timestamp))
    gst_pad_push_event (GST_PAD_CAST (pad),
                        gst_event_new_gap (timestamp, duration_of (item)));
}

static void
push_frame (GstP2pSrcPad *pad, GstP2pItem *item)
{
  GstBuffer *buffer;
  GstFlowReturn flow;

  gst_p2p_src_pad_begin (pad);
  make_room_for (pad, item);
  if (item->gap)
    pad->discont = TRUE;
  if (is_gap_only (item)) {
    push_gap (pad, item);
    return;
  }
  flow = push_headers (pad);
  if (flow == GST_FLOW_OK) {
    buffer = gst_buffer_new_wrapped_bytes (item->payload);
    gst_p2p_flags_from_wire (item->frame.flags, buffer);
    if (pad->discont)
      GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
    pad->discont = FALSE;
    GST_BUFFER_PTS (buffer) = to_timestamp (pad, item->pts);
    GST_BUFFER_DTS (buffer) = to_timestamp (pad, item->dts);
    GST_BUFFER_DURATION (buffer) = duration_of (item);
    GST_LOG_OBJECT (pad, "%" GST_PTR_FORMAT, buffer);
    flow = gst_pad_push (GST_PAD_CAST (pad), buffer);
  }
  gst_p2p_src_pad_take_flow (pad, flow);
}

/* -- The task -------------------------------------------------------------- */

/* Lock held. */
static gboolean
may_go (GstP2pSrc *src, const GstP2pItem *item)
{
  switch (item->type) {
    case GST_P2P_ITEM_START:
      /* The collection is to be complete before the first stream begins. */
      return src->complete || src->accepts;
    case GST_P2P_ITEM_FRAME:
      /* Live: no data in PAUSED. */
      return src->playing;
    default:
      return TRUE;
  }
}

/* NULL: the pad is being deactivated. */
static GstP2pItem *
next_item (GstP2pSrcPad *pad, GstP2pSrc *src)
{
  GstP2pItem *item = NULL;

  g_mutex_lock (&src->lock);
  while (!pad->flushing) {
    GstP2pItem *head = g_queue_peek_head (&pad->queue);

    if (head != NULL && may_go (src, head)) {
      item = gst_p2p_src_pad_pop_item (pad);
      break;
    }
    g_cond_wait (&pad->cond, &src->lock);
  }
  g_mutex_unlock (&src->lock);
  return item;
}

void
gst_p2p_src_pad_loop (gpointer data)
{
  GstP2pSrcPad *pad = data;
  GstP2pSrc *src = pad->src;
  GstP2pItem *item = next_item (pad, src);

  if (item == NULL) {
    gst_pad_pause_task (GST_PAD_CAST (pad));
    return;
  }
  /* Behind the end a pad can only go. */
  if (pad->done && item->type != GST_P2P_ITEM_REMOVE) {
    gst_p2p_item_free (item);
    return;
  }
  switch (item->type) {
    case GST_P2P_ITEM_START:
      pad->start_pending = TRUE;
      pad->start_group = item->number;
      pad->ended = FALSE;
      set_caps (pad, NULL);
      break;
    case GST_P2P_ITEM_CAPS:
      set_caps (pad, item->caps);
      if (pad->start_pending)
        gst_p2p_src_pad_begin (pad);
      else
        push_caps (pad);
      break;
    case GST_P2P_ITEM_FRAME:
      push_frame (pad, item);
      break;
    case GST_P2P_ITEM_END:
      gst_p2p_src_pad_push_end (pad, item->number);
      break;
    case GST_P2P_ITEM_REMOVE:
      gst_p2p_src_pad_push_removal (pad);
      break;
  }
  gst_p2p_item_free (item);
}
