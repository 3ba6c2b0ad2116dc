/* iv-watermark-queue, the source pad: the task that pushes.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The task takes one item at a time and pushes it without the lock. With
 * nothing to push it waits for an item; while the sink still holds what the
 * level counts, it looks at that every now and then, so that a low level is
 * noticed although nothing flows. It lives on after EOS for the same reason.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstivwatermarkqueue.h"

#define GST_CAT_DEFAULT gst_iv_watermark_queue_debug

/* -- The task -------------------------------------------------------------- */

void
iv_queue_wake (GstIvWatermarkQueue *queue)
{
  g_cond_broadcast (&queue->arrived);
  if (queue->tick != NULL)
    gst_clock_id_unschedule (queue->tick);
  if (queue->flow != GST_FLOW_OK) {
    g_cond_broadcast (&queue->changed);
    g_cond_broadcast (&queue->answered);
  }
}

/* For an item, or for the next look at the level. */
static void
wait_for_item (GstIvWatermarkQueue *queue)
{
  GstClockID tick;

  if (!iv_queue_is_watching (queue)) {
    g_cond_wait (&queue->arrived, &queue->lock);
    return;
  }
  tick = gst_clock_new_single_shot_id (queue->clock,
                                       gst_clock_get_time (queue->clock)
                                           + IV_QUEUE_TICK);
  queue->tick = tick;
  g_mutex_unlock (&queue->lock);
  gst_clock_id_wait (tick, NULL);
  g_mutex_lock (&queue->lock);
  queue->tick = NULL;
  g_mutex_unlock (&queue->lock);
  gst_clock_id_unref (tick);
  iv_queue_check_level (queue, FALSE);
  g_mutex_lock (&queue->lock);
}

/* Out of the queue, into `item`; the lock is held before and after. */
static GstFlowReturn
take (GstIvWatermarkQueue *queue, IvQueueItem *item)
{
  while (queue->flow == GST_FLOW_OK && gst_queue_array_is_empty (queue->items))
    wait_for_item (queue);
  if (queue->flow != GST_FLOW_OK)
    return queue->flow;
  *item = *(IvQueueItem *)gst_queue_array_pop_head_struct (queue->items);
  queue->bytes -= item->bytes;
  if (GST_IS_QUERY (item->object))
    queue->query_running = GST_QUERY_CAST (item->object);
  if (GST_IS_EVENT (item->object)
      && (GST_EVENT_TYPE (item->object) == GST_EVENT_SEGMENT
          || GST_EVENT_TYPE (item->object) == GST_EVENT_STREAM_START)) {
    queue->restarts--;
    queue->skipping = FALSE;
  }
  return GST_FLOW_OK;
}

/* Downstream has had enough of this segment, not of what sticks. */
static gboolean
is_skipped (GstMiniObject *object)
{
  return !GST_IS_QUERY (object)
         && !(GST_IS_EVENT (object) && GST_EVENT_IS_STICKY (object));
}

static GstFlowReturn
push (GstIvWatermarkQueue *queue, GstMiniObject *object)
{
  gboolean result;

  if (GST_IS_BUFFER (object))
    return gst_pad_push (queue->srcpad, GST_BUFFER_CAST (object));
  if (GST_IS_BUFFER_LIST (object))
    return gst_pad_push_list (queue->srcpad, GST_BUFFER_LIST_CAST (object));
  if (GST_IS_EVENT (object)) {
    /* What it does to data shows with the data. */
    gst_pad_push_event (queue->srcpad, GST_EVENT_CAST (object));
    return GST_FLOW_OK;
  }
  result = gst_pad_peer_query (queue->srcpad, GST_QUERY_CAST (object));
  g_mutex_lock (&queue->lock);
  queue->query_running = NULL;
  queue->query_done = GST_QUERY_CAST (object);
  queue->query_result = result;
  g_cond_broadcast (&queue->answered);
  g_mutex_unlock (&queue->lock);
  return GST_FLOW_OK;
}

/* With the lock, which it gives up: the task ends with the flow. If upstream
 * is through, nobody is left to find out by pushing. */
static void
stop (GstIvWatermarkQueue *queue)
{
  GstFlowReturn flow = queue->flow;
  gboolean eos = queue->eos;

  gst_pad_pause_task (queue->srcpad);
  iv_queue_wake (queue);
  g_mutex_unlock (&queue->lock);
  GST_DEBUG_OBJECT (queue, "stopped: %s", gst_flow_get_name (flow));
  if (eos && (flow == GST_FLOW_NOT_LINKED || flow < GST_FLOW_EOS)) {
    GST_ELEMENT_FLOW_ERROR (queue, flow);
    gst_pad_push_event (queue->srcpad, gst_event_new_eos ());
  }
}

static void
loop (gpointer pad)
{
  GstIvWatermarkQueue *queue = GST_IV_WATERMARK_QUEUE (GST_PAD_PARENT (pad));
  GstFlowReturn flow = GST_FLOW_OK;
  gboolean skipped;
  IvQueueItem item;

  g_mutex_lock (&queue->lock);
  if (take (queue, &item) != GST_FLOW_OK) {
    stop (queue);
    return;
  }
  skipped = queue->skipping && is_skipped (item.object);
  if (!skipped)
    iv_queue_will_push (queue, &item);
  g_mutex_unlock (&queue->lock);

  if (skipped)
    gst_mini_object_unref (item.object);
  else
    flow = push (queue, item.object);

  g_mutex_lock (&queue->lock);
  iv_queue_has_pushed (queue);
  if (flow == GST_FLOW_EOS) {
    queue->skipping = TRUE;
    g_cond_broadcast (&queue->changed);
  } else if (flow != GST_FLOW_OK) {
    if (queue->flow == GST_FLOW_OK)
      queue->flow = flow;
    stop (queue);
    return;
  }
  g_mutex_unlock (&queue->lock);
  if (item.bytes > 0)
    iv_queue_check_level (queue, FALSE);
}

void
iv_queue_start (GstIvWatermarkQueue *queue)
{
  if (!gst_pad_is_active (queue->srcpad))
    return;
  queue->flow = GST_FLOW_OK;
  gst_pad_start_task (queue->srcpad, loop, queue->srcpad, NULL);
}

/* -- Events ---------------------------------------------------------------- */

gboolean
iv_queue_src_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  GstIvWatermarkQueue *queue = GST_IV_WATERMARK_QUEUE (parent);

  if (GST_EVENT_TYPE (event) == GST_EVENT_RECONFIGURE) {
    g_mutex_lock (&queue->lock);
    if (queue->flow == GST_FLOW_NOT_LINKED)
      iv_queue_start (queue);
    /* Perhaps it is another sink. */
    queue->asked = GST_CLOCK_TIME_NONE;
    g_mutex_unlock (&queue->lock);
  }
  return gst_pad_push_event (queue->sinkpad, event);
}

/* -- Queries --------------------------------------------------------------- */

/* What can wait in here is a delay that may happen: bounded by high-time, or
 * by nothing that is known. What is dropped instead bounds what others may
 * keep upstream. */
static gboolean
answer_latency (GstIvWatermarkQueue *queue, GstQuery *query)
{
  GstClockTime min, max, limit;
  gboolean live, drops;

  if (!gst_pad_peer_query (queue->sinkpad, query))
    return FALSE;
  gst_query_parse_latency (query, &live, &min, &max);
  g_mutex_lock (&queue->lock);
  limit = queue->watermark.time.high;
  drops = queue->when_full == GST_IV_WATERMARK_QUEUE_DROP;
  g_mutex_unlock (&queue->lock);
  if (limit == 0)
    max = GST_CLOCK_TIME_NONE;
  else if (drops)
    max = MIN (max, limit);
  else if (GST_CLOCK_TIME_IS_VALID (max))
    max = limit < GST_CLOCK_TIME_NONE - max ? max + limit : GST_CLOCK_TIME_NONE;
  gst_query_set_latency (query, live, min, max);
  return TRUE;
}

/* Where downstream is: behind upstream by what waits in here. */
static gboolean
answer_position (GstIvWatermarkQueue *queue, GstQuery *query)
{
  GstFormat format;
  gint64 position, own = 0;

  if (!gst_pad_peer_query (queue->sinkpad, query))
    return FALSE;
  gst_query_parse_position (query, &format, &position);
  g_mutex_lock (&queue->lock);
  if (format == GST_FORMAT_BYTES)
    own = (gint64)queue->bytes;
  else if (format == GST_FORMAT_TIME)
    own = (gint64)iv_queue_get_time (queue);
  g_mutex_unlock (&queue->lock);
  if (position >= 0)
    gst_query_set_position (query, format, MAX (position - own, 0));
  return TRUE;
}

gboolean
iv_queue_src_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  GstIvWatermarkQueue *queue = GST_IV_WATERMARK_QUEUE (parent);

  switch (GST_QUERY_TYPE (query)) {
    case GST_QUERY_LATENCY:
      return answer_latency (queue, query);
    case GST_QUERY_POSITION:
      return answer_position (queue, query);
    default:
      return gst_pad_query_default (pad, parent, query);
  }
}

/* -- Activation ------------------------------------------------------------ */

gboolean
iv_queue_src_activate (GstPad *pad, GstObject *parent, GstPadMode mode,
                       gboolean active)
{
  GstIvWatermarkQueue *queue = GST_IV_WATERMARK_QUEUE (parent);

  if (mode != GST_PAD_MODE_PUSH)
    return FALSE;
  g_mutex_lock (&queue->lock);
  if (active) {
    iv_queue_start (queue);
    g_mutex_unlock (&queue->lock);
    return TRUE;
  }
  queue->flow = GST_FLOW_FLUSHING;
  iv_queue_wake (queue);
  g_mutex_unlock (&queue->lock);
  return gst_pad_stop_task (pad);
}
