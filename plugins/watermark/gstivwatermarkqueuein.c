/* iv-watermark-queue, the sink pad: what comes in, waits or is dropped.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * On upstream's streaming thread, but for what is not serialized. Nothing that
 * is in the queue is ever dropped: a stream is cut where it comes in, before a
 * frame, and goes on with one that needs none before it. Buffers are let go of
 * without the lock, since that may run anybody's code.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstivwatermarkqueue.h"

#define GST_CAT_DEFAULT gst_iv_watermark_queue_debug

/* Buffers that may count as one frame: a picture in slices. A stream that says
 * the same time for ever is cut all the same. */
#define MAX_FRAME_BUFFERS 256

/* -- The queue (lock) ------------------------------------------------------ */

static gboolean
ends_skipping (GstMiniObject *object)
{
  return GST_IS_EVENT (object)
         && (GST_EVENT_TYPE (object) == GST_EVENT_SEGMENT
             || GST_EVENT_TYPE (object) == GST_EVENT_STREAM_START);
}

static void
append (GstIvWatermarkQueue *queue, GstMiniObject *object, guint64 bytes,
        GstClockTimeDiff start)
{
  IvQueueItem item = { object, bytes, start };

  gst_queue_array_push_tail_struct (queue->items, &item);
  queue->bytes += bytes;
  if (ends_skipping (object))
    queue->restarts++;
  iv_queue_wake (queue);
}

/* What was in it, to be freed with free_items(), without the lock. */
static GstQueueArray *
empty (GstIvWatermarkQueue *queue)
{
  GstQueueArray *items = queue->items;

  queue->items = gst_queue_array_new_for_struct (sizeof (IvQueueItem), 64);
  queue->bytes = 0;
  queue->restarts = 0;
  queue->eos = FALSE;
  queue->skipping = FALSE;
  queue->dropping = FALSE;
  queue->discont_owed = FALSE;
  queue->frame_pts = GST_CLOCK_TIME_NONE;
  gst_segment_init (&queue->segment, GST_FORMAT_UNDEFINED);
  queue->end = GST_CLOCK_STIME_NONE;
  queue->dropped_time = 0;
  return items;
}

static void
free_items (GstQueueArray *items)
{
  IvQueueItem *item;

  while ((item = gst_queue_array_pop_head_struct (items)) != NULL)
    if (!GST_IS_QUERY (item->object))
      gst_mini_object_unref (item->object);
  gst_queue_array_free (items);
}

/* What sticks outlives a flush, but for what a flush takes off every pad; it
 * is not yet known beyond this. Before the task goes on. */
static void
keep_sticky (GstIvWatermarkQueue *queue, GstQueueArray *items)
{
  guint i, length = gst_queue_array_get_length (items);

  for (i = 0; i < length; i++) {
    IvQueueItem *item = gst_queue_array_peek_nth_struct (items, i);

    if (GST_IS_EVENT (item->object) && GST_EVENT_IS_STICKY (item->object)
        && GST_EVENT_TYPE (item->object) != GST_EVENT_SEGMENT
        && GST_EVENT_TYPE (item->object) != GST_EVENT_EOS)
      gst_pad_store_sticky_event (queue->srcpad, GST_EVENT_CAST (item->object));
  }
}

/* -- Time (lock) ----------------------------------------------------------- */

static GstClockTimeDiff
to_running_time (GstIvWatermarkQueue *queue, GstClockTime time)
{
  guint64 running;
  gint sign;

  if (queue->segment.format != GST_FORMAT_TIME
      || !GST_CLOCK_TIME_IS_VALID (time))
    return GST_CLOCK_STIME_NONE;
  sign = gst_segment_to_running_time_full (&queue->segment, GST_FORMAT_TIME,
                                           time, &running);
  if (sign == 0 || running > G_MAXINT64)
    return GST_CLOCK_STIME_NONE;
  return sign * (GstClockTimeDiff)running - queue->dropped_time;
}

/* What was dropped is no time that waits in here: from now on time counts as
 * if it had never been. */
static void
pass_drop (GstIvWatermarkQueue *queue, GstBuffer *buffer)
{
  GstClockTimeDiff start
      = to_running_time (queue, GST_BUFFER_DTS_OR_PTS (buffer));

  if (GST_CLOCK_STIME_IS_VALID (start) && GST_CLOCK_STIME_IS_VALID (queue->end)
      && start > queue->end)
    queue->dropped_time += start - queue->end;
}

/* The running time at which it starts: with no timestamp, where the one before
 * it ended. */
static GstClockTimeDiff
pass_time (GstIvWatermarkQueue *queue, GstClockTime time, GstClockTime duration)
{
  GstClockTimeDiff start = to_running_time (queue, time);
  GstClockTimeDiff end = start;

  if (!GST_CLOCK_STIME_IS_VALID (start))
    return queue->end;
  if (GST_CLOCK_TIME_IS_VALID (duration))
    end = to_running_time (queue, time + duration);
  if (!GST_CLOCK_STIME_IS_VALID (end))
    end = start;
  /* Pictures that are shown out of order do not turn time back. */
  if (!GST_CLOCK_STIME_IS_VALID (queue->end) || end > queue->end)
    queue->end = end;
  return start;
}

static GstClockTimeDiff
pass_buffer (GstIvWatermarkQueue *queue, GstBuffer *buffer)
{
  if (queue->discont_owed)
    pass_drop (queue, buffer);
  return pass_time (queue, GST_BUFFER_DTS_OR_PTS (buffer),
                    GST_BUFFER_DURATION (buffer));
}

/* -- What is taken (lock) -------------------------------------------------- */

/* What comes between two buffers of one frame must not cut it in two. */
static gboolean
is_same_frame (GstIvWatermarkQueue *queue, GstBuffer *buffer)
{
  GstClockTime pts = GST_BUFFER_PTS (buffer);

  if (!queue->video || !GST_CLOCK_TIME_IS_VALID (queue->frame_pts)
      || queue->frame_buffers >= MAX_FRAME_BUFFERS)
    return FALSE;
  return GST_CLOCK_TIME_IS_VALID (pts) ? pts == queue->frame_pts : queue->parts;
}

/* FALSE: dropped. */
static gboolean
sift (GstIvWatermarkQueue *queue, GstBuffer *buffer)
{
  gboolean delta = GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  gboolean full = queue->when_full == GST_IV_WATERMARK_QUEUE_DROP
                  && iv_watermark_is_paused (&queue->watermark);

  queue->buffers_in++;
  queue->bytes_in += gst_buffer_get_size (buffer);
  queue->delta_seen |= delta;
  if (is_same_frame (queue, buffer)) {
    queue->frame_buffers++;
  } else {
    queue->frame_pts = GST_BUFFER_PTS (buffer);
    queue->frame_buffers = 1;
    if (full)
      queue->dropping = TRUE;
    else if (!delta)
      queue->dropping = FALSE;
  }
  if (!queue->dropping)
    return TRUE;
  queue->discont_owed = TRUE;
  queue->buffers_dropped++;
  queue->bytes_dropped += gst_buffer_get_size (buffer);
  iv_queue_want_key_unit (queue);
  return FALSE;
}

static GstBuffer *
mark_discont (GstIvWatermarkQueue *queue, GstBuffer *buffer)
{
  if (!queue->discont_owed)
    return buffer;
  queue->discont_owed = FALSE;
  buffer = gst_buffer_make_writable (buffer);
  GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  return buffer;
}

/* -- Chains ---------------------------------------------------------------- */

/* Until there is room, if it is to be waited for. */
static GstFlowReturn
wait_for_room (GstIvWatermarkQueue *queue)
{
  for (;;) {
    if (queue->flow != GST_FLOW_OK)
      return queue->flow;
    if (queue->eos || (queue->skipping && queue->restarts == 0))
      return GST_FLOW_EOS;
    if (queue->when_full != GST_IV_WATERMARK_QUEUE_PAUSE
        || !iv_watermark_is_paused (&queue->watermark))
      return GST_FLOW_OK;
    GST_LOG_OBJECT (queue, "waiting for room");
    g_cond_wait (&queue->changed, &queue->lock);
  }
}

GstFlowReturn
iv_queue_chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  GstIvWatermarkQueue *queue = GST_IV_WATERMARK_QUEUE (parent);
  GstFlowReturn flow;

  g_mutex_lock (&queue->lock);
  flow = wait_for_room (queue);
  if (flow == GST_FLOW_OK && sift (queue, buffer)) {
    GstClockTimeDiff start = pass_buffer (queue, buffer);

    buffer = mark_discont (queue, buffer);
    append (queue, GST_MINI_OBJECT_CAST (buffer), gst_buffer_get_size (buffer),
            start);
    buffer = NULL;
  }
  g_mutex_unlock (&queue->lock);
  gst_clear_buffer (&buffer);
  if (flow == GST_FLOW_OK)
    iv_queue_check_level (queue, FALSE);
  return flow;
}

typedef struct
{
  GstIvWatermarkQueue *queue;
  GList *dropped;
  guint64 bytes;
  GstClockTimeDiff start; /* of the first that is taken */
} Sieve;

static gboolean
sift_one (GstBuffer **buffer, guint i, gpointer user)
{
  Sieve *sieve = user;
  GstClockTimeDiff start;

  if (!sift (sieve->queue, *buffer)) {
    sieve->dropped = g_list_prepend (sieve->dropped, *buffer);
    *buffer = NULL;
    return TRUE;
  }
  start = pass_buffer (sieve->queue, *buffer);
  if (sieve->bytes == 0)
    sieve->start = start;
  sieve->bytes += gst_buffer_get_size (*buffer);
  *buffer = mark_discont (sieve->queue, *buffer);
  return TRUE;
}

GstFlowReturn
iv_queue_chain_list (GstPad *pad, GstObject *parent, GstBufferList *list)
{
  GstIvWatermarkQueue *queue = GST_IV_WATERMARK_QUEUE (parent);
  Sieve sieve = { queue, NULL, 0, GST_CLOCK_STIME_NONE };
  GstFlowReturn flow;

  /* Its members are exchanged. */
  list = gst_buffer_list_make_writable (list);
  g_mutex_lock (&queue->lock);
  flow = wait_for_room (queue);
  if (flow == GST_FLOW_OK) {
    gst_buffer_list_foreach (list, sift_one, &sieve);
    if (gst_buffer_list_length (list) > 0) {
      append (queue, GST_MINI_OBJECT_CAST (list), sieve.bytes, sieve.start);
      list = NULL;
    }
  }
  g_mutex_unlock (&queue->lock);
  g_list_free_full (sieve.dropped, (GDestroyNotify)gst_buffer_unref);
  gst_clear_buffer_list (&list);
  if (flow == GST_FLOW_OK)
    iv_queue_check_level (queue, FALSE);
  return flow;
}

/* -- Events ---------------------------------------------------------------- */

static void
flush_start (GstIvWatermarkQueue *queue)
{
  g_mutex_lock (&queue->lock);
  queue->flow = GST_FLOW_FLUSHING;
  iv_queue_wake (queue);
  g_mutex_unlock (&queue->lock);
  /* Until its iteration has ended. */
  gst_pad_pause_task (queue->srcpad);
}

/* What the sink still holds is its own to flush or to send. */
static void
flush_stop (GstIvWatermarkQueue *queue)
{
  GstQueueArray *items;

  g_mutex_lock (&queue->lock);
  items = empty (queue);
  g_mutex_unlock (&queue->lock);
  keep_sticky (queue, items);
  free_items (items);
  g_mutex_lock (&queue->lock);
  iv_queue_start (queue);
  g_mutex_unlock (&queue->lock);
  iv_queue_check_level (queue, FALSE);
}

static void
read_caps (GstIvWatermarkQueue *queue, GstEvent *event)
{
  const GstStructure *structure;
  const gchar *alignment;
  GstCaps *caps;

  gst_event_parse_caps (event, &caps);
  queue->video = queue->parts = FALSE;
  if (gst_caps_get_size (caps) == 0)
    return;
  structure = gst_caps_get_structure (caps, 0);
  alignment = gst_structure_get_string (structure, "alignment");
  queue->video
      = g_str_has_prefix (gst_structure_get_name (structure), "video/");
  queue->parts = queue->video && g_strcmp0 (alignment, "nal") == 0;
}

/* The start of a GAP; of other events, none. */
static GstClockTimeDiff
pass_event (GstIvWatermarkQueue *queue, GstEvent *event)
{
  GstClockTime time, duration;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      queue->eos = FALSE;
      queue->delta_seen = FALSE;
      break;
    case GST_EVENT_SEGMENT:
      queue->eos = FALSE;
      gst_event_copy_segment (event, &queue->segment);
      queue->end = GST_CLOCK_STIME_NONE;
      break;
    case GST_EVENT_CAPS:
      read_caps (queue, event);
      break;
    case GST_EVENT_EOS:
      queue->eos = TRUE;
      break;
    case GST_EVENT_GAP:
      gst_event_parse_gap (event, &time, &duration);
      return pass_time (queue, time, duration);
    default:
      break;
  }
  return GST_CLOCK_STIME_NONE;
}

static GstFlowReturn
take_event (GstIvWatermarkQueue *queue, GstEvent *event)
{
  gboolean eos = GST_EVENT_TYPE (event) == GST_EVENT_EOS;
  GstFlowReturn flow;

  g_mutex_lock (&queue->lock);
  flow = queue->flow;
  /* What sticks is kept for when data can flow again; after an EOS only a new
   * stream or segment is anything. */
  if (flow == GST_FLOW_NOT_LINKED || flow < GST_FLOW_EOS) {
    if (GST_EVENT_IS_STICKY (event) && !eos)
      flow = GST_FLOW_OK;
  }
  if (flow == GST_FLOW_OK && queue->eos
      && !ends_skipping (GST_MINI_OBJECT_CAST (event)))
    flow = GST_FLOW_EOS;
  if (flow == GST_FLOW_OK) {
    GstClockTimeDiff start = pass_event (queue, event);

    append (queue, GST_MINI_OBJECT_CAST (event), 0, start);
    event = NULL;
  }
  g_mutex_unlock (&queue->lock);
  if (event != NULL)
    gst_event_unref (event);
  /* No buffer will follow that would tell. */
  if (eos && (flow == GST_FLOW_NOT_LINKED || flow < GST_FLOW_EOS))
    GST_ELEMENT_FLOW_ERROR (queue, flow);
  return flow;
}

GstFlowReturn
iv_queue_sink_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  GstIvWatermarkQueue *queue = GST_IV_WATERMARK_QUEUE (parent);
  gboolean ok;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_FLUSH_START:
      ok = gst_pad_push_event (queue->srcpad, event);
      flush_start (queue);
      break;
    case GST_EVENT_FLUSH_STOP:
      ok = gst_pad_push_event (queue->srcpad, event);
      flush_stop (queue);
      break;
    default:
      if (GST_EVENT_IS_SERIALIZED (event))
        return take_event (queue, event);
      ok = gst_pad_push_event (queue->srcpad, event);
      break;
  }
  return ok ? GST_FLOW_OK : GST_FLOW_ERROR;
}

/* -- Queries --------------------------------------------------------------- */

/* It is the asker's: when this returns, it is nowhere in here. */
static void
take_back (GstIvWatermarkQueue *queue, GstQuery *query)
{
  guint i, length = gst_queue_array_get_length (queue->items);
  IvQueueItem taken;

  for (i = 0; i < length; i++) {
    IvQueueItem *item = gst_queue_array_peek_nth_struct (queue->items, i);

    if (item->object == GST_MINI_OBJECT_CAST (query)) {
      gst_queue_array_drop_struct (queue->items, i, &taken);
      return;
    }
  }
}

/* Behind all that came before it. */
static gboolean
ask_in_order (GstIvWatermarkQueue *queue, GstQuery *query)
{
  gboolean result = FALSE;

  g_mutex_lock (&queue->lock);
  if (queue->flow == GST_FLOW_OK) {
    append (queue, GST_MINI_OBJECT_CAST (query), 0, GST_CLOCK_STIME_NONE);
    while (queue->query_running == query
           || (queue->flow == GST_FLOW_OK && queue->query_done != query))
      g_cond_wait (&queue->answered, &queue->lock);
    if (queue->query_done == query)
      result = queue->query_result;
    else
      take_back (queue, query);
    queue->query_done = NULL;
  }
  g_mutex_unlock (&queue->lock);
  return result;
}

/* Another queue in front: what is held from here on. */
static gboolean
answer_level (GstIvWatermarkQueue *queue, GstQuery *query)
{
  guint64 bytes;

  iv_queue_check_level (queue, TRUE);
  g_mutex_lock (&queue->lock);
  bytes = iv_queue_get_bytes (queue);
  g_mutex_unlock (&queue->lock);
  gst_structure_set (gst_query_writable_structure (query), IV_SINK_LEVEL_BYTES,
                     G_TYPE_UINT64, bytes, NULL);
  return TRUE;
}

gboolean
iv_queue_sink_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  GstIvWatermarkQueue *queue = GST_IV_WATERMARK_QUEUE (parent);
  const GstStructure *structure = gst_query_get_structure (query);

  if (GST_QUERY_TYPE (query) == GST_QUERY_CUSTOM && structure != NULL
      && gst_structure_has_name (structure, IV_SINK_LEVEL))
    return answer_level (queue, query);
  if (GST_QUERY_IS_SERIALIZED (query))
    return ask_in_order (queue, query);
  return gst_pad_query_default (pad, parent, query);
}

/* -- Activation ------------------------------------------------------------ */

gboolean
iv_queue_sink_activate (GstPad *pad, GstObject *parent, GstPadMode mode,
                        gboolean active)
{
  GstIvWatermarkQueue *queue = GST_IV_WATERMARK_QUEUE (parent);
  GstQueueArray *items;

  if (mode != GST_PAD_MODE_PUSH)
    return FALSE;
  g_mutex_lock (&queue->lock);
  if (active) {
    queue->eos = FALSE;
    iv_queue_start (queue);
    g_mutex_unlock (&queue->lock);
    return TRUE;
  }
  queue->flow = GST_FLOW_FLUSHING;
  iv_queue_wake (queue);
  g_mutex_unlock (&queue->lock);
  /* Once upstream's thread is out. */
  GST_PAD_STREAM_LOCK (pad);
  g_mutex_lock (&queue->lock);
  items = empty (queue);
  iv_queue_forget_level (queue);
  g_mutex_unlock (&queue->lock);
  GST_PAD_STREAM_UNLOCK (pad);
  free_items (items);
  return TRUE;
}
