/* iv-watermark-queue: how much has not left the device, and who is told.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The level is the queue's own and, if the sink behind it answers the query
 * iv-sink-level, what that still holds. In between two answers the sink is
 * taken to hold all that it got since; before an event is told on that ground
 * it is asked again, so that events are never a guess. Any thread may look at
 * the level; one at a time asks, and one at a time tells, in order.
 *
 * A sink answers in bytes. Their time is known all the same: what it holds is
 * the last that it got, and the start of that was written down.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <gst/video/video.h>
#include "gstivwatermarkqueue.h"

#define GST_CAT_DEFAULT gst_iv_watermark_queue_debug

/* A sink that does not answer may have been replaced by one that does. */
#define ASK_AGAIN_INTERVAL GST_SECOND
/* An encoder that ignores a request is asked again, but not with each frame. */
#define KEY_UNIT_INTERVAL GST_SECOND
/* Longer records are kept, the times of the oldest then as if earlier. */
#define MAX_SENT 1024

/* -- Levels (lock) --------------------------------------------------------- */

guint64
iv_queue_get_sink_bytes (GstIvWatermarkQueue *queue)
{
  if (!queue->sink_answers)
    return 0;
  return queue->sink_bytes + (queue->pushed - queue->pushed_before);
}

/* What is being pushed counts where nobody else counts it. */
guint64
iv_queue_get_bytes (GstIvWatermarkQueue *queue)
{
  guint64 own = queue->bytes;

  if (!queue->sink_answers)
    own += queue->in_flight.bytes;
  return own + iv_queue_get_sink_bytes (queue);
}

static GstClockTimeDiff
get_oldest (GstIvWatermarkQueue *queue)
{
  guint i, length = gst_queue_array_get_length (queue->items);

  if (iv_queue_get_sink_bytes (queue) > 0
      && !gst_queue_array_is_empty (queue->sent)) {
    IvQueueSent *sent = gst_queue_array_peek_head_struct (queue->sent);

    return sent->start;
  }
  if (queue->in_flight.bytes > 0)
    return queue->in_flight.start;
  for (i = 0; i < length; i++) {
    IvQueueItem *item = gst_queue_array_peek_nth_struct (queue->items, i);

    if (GST_CLOCK_STIME_IS_VALID (item->start))
      return item->start;
  }
  return GST_CLOCK_STIME_NONE;
}

guint64
iv_queue_get_time (GstIvWatermarkQueue *queue)
{
  GstClockTimeDiff oldest = get_oldest (queue);

  if (!GST_CLOCK_STIME_IS_VALID (oldest)
      || !GST_CLOCK_STIME_IS_VALID (queue->end) || queue->end < oldest)
    return 0;
  return (guint64) (queue->end - oldest);
}

/* The level may change, in a way that matters, although nothing flows. */
gboolean
iv_queue_is_watching (GstIvWatermarkQueue *queue)
{
  return queue->sink_answers && (iv_watermark_is_raised (&queue->watermark)
      || queue->pushed != queue->pushed_before);
}

/* Of what the sink got, the last `bytes` are still there. */
static void
trim_sent (GstIvWatermarkQueue *queue, guint64 bytes)
{
  while (!gst_queue_array_is_empty (queue->sent)) {
    IvQueueSent *oldest = gst_queue_array_peek_head_struct (queue->sent);

    if (bytes > 0 && queue->sent_bytes - oldest->bytes < bytes)
      return;
    queue->sent_bytes -= oldest->bytes;
    gst_queue_array_pop_head_struct (queue->sent);
  }
}

void
iv_queue_forget_sent (GstIvWatermarkQueue *queue)
{
  gst_queue_array_clear (queue->sent);
  queue->sent_bytes = 0;
}

void
iv_queue_has_pushed (GstIvWatermarkQueue *queue, const IvQueueItem *item)
{
  IvQueueSent sent = { item->bytes, item->start };

  queue->pushed += item->bytes;
  if (!queue->sink_answers) {
    queue->pushed_before = queue->pushed;
    return;
  }
  if (item->bytes == 0)
    return;
  gst_queue_array_push_tail_struct (queue->sent, &sent);
  queue->sent_bytes += item->bytes;
  if (gst_queue_array_get_length (queue->sent) > MAX_SENT) {
    IvQueueSent *oldest = gst_queue_array_pop_head_struct (queue->sent);
    IvQueueSent merged = *oldest;

    oldest = gst_queue_array_peek_head_struct (queue->sent);
    oldest->bytes += merged.bytes;
    oldest->start = merged.start;
  }
}

void
iv_queue_forget_level (GstIvWatermarkQueue *queue)
{
  iv_watermark_reset (&queue->watermark);
  iv_queue_forget_sent (queue);
  queue->sink_answers = FALSE;
  queue->asked = GST_CLOCK_TIME_NONE;
  queue->sink_bytes = 0;
  queue->pushed_before = queue->pushed;
  queue->paused_since = GST_CLOCK_TIME_NONE;
}

/* -- Events (lock) --------------------------------------------------------- */

void
iv_queue_want_key_unit (GstIvWatermarkQueue *queue)
{
  GstClockTime now;

  if (!queue->dropping || !queue->delta_seen
      || iv_watermark_is_paused (&queue->watermark))
    return;
  now = gst_clock_get_time (queue->clock);
  if (GST_CLOCK_TIME_IS_VALID (queue->key_asked)
      && now < queue->key_asked + KEY_UNIT_INTERVAL)
    return;
  queue->key_asked = now;
  queue->key_owed = TRUE;
  queue->key_requests++;
}

static void
add_notice (GstIvWatermarkQueue *queue, const gchar *event, guint64 bytes,
    guint64 time)
{
  IvQueueNotice *notice = g_new (IvQueueNotice, 1);

  notice->event = event;
  notice->bytes = bytes;
  notice->time = time;
  g_queue_push_tail (&queue->notices, notice);
}

static void
count_pause (GstIvWatermarkQueue *queue)
{
  gboolean paused = iv_watermark_is_paused (&queue->watermark);
  gboolean was_paused = GST_CLOCK_TIME_IS_VALID (queue->paused_since);

  if (paused == was_paused)
    return;
  if (paused) {
    queue->paused_since = gst_clock_get_time (queue->clock);
    return;
  }
  queue->paused_total += gst_clock_get_time (queue->clock)
      - queue->paused_since;
  queue->paused_since = GST_CLOCK_TIME_NONE;
  g_cond_broadcast (&queue->changed);
  iv_queue_want_key_unit (queue);
}

static void
evaluate (GstIvWatermarkQueue *queue)
{
  guint64 bytes = iv_queue_get_bytes (queue);
  guint64 time = iv_queue_get_time (queue);
  guint events = iv_watermark_update (&queue->watermark, bytes, time);

  if (events & IV_WATERMARK_WARN) {
    queue->warns++;
    add_notice (queue, "warn", bytes, time);
  }
  if (events & IV_WATERMARK_HIGH) {
    queue->highs++;
    add_notice (queue, "high", bytes, time);
  }
  if (events & IV_WATERMARK_LOW) {
    queue->lows++;
    add_notice (queue, "low", bytes, time);
  }
  count_pause (queue);
}

/* -- Asking ---------------------------------------------------------------- */

static gboolean
must_ask (GstIvWatermarkQueue *queue)
{
  GstClockTime now, interval;
  IvWatermark trial = queue->watermark;

  interval = queue->sink_answers ? IV_QUEUE_TICK : ASK_AGAIN_INTERVAL;
  now = gst_clock_get_time (queue->clock);
  if (!GST_CLOCK_TIME_IS_VALID (queue->asked) || now >= queue->asked + interval)
    return TRUE;
  return queue->sink_answers && iv_watermark_update (&trial,
      iv_queue_get_bytes (queue), iv_queue_get_time (queue)) != 0;
}

/* With the lock, which is given up meanwhile. What is pushed in the meantime
 * may or may not be in the answer: it counts as not, until the next. */
static void
ask (GstIvWatermarkQueue *queue)
{
  guint64 pushed = queue->pushed, bytes = 0;
  GstQuery *query;
  gboolean answered;

  queue->asking = TRUE;
  queue->asked = gst_clock_get_time (queue->clock);
  g_mutex_unlock (&queue->lock);
  query = gst_query_new_custom (GST_QUERY_CUSTOM,
      gst_structure_new (IV_SINK_LEVEL, IV_SINK_LEVEL_BYTES, G_TYPE_UINT64,
          G_GUINT64_CONSTANT (0), NULL));
  answered = gst_pad_peer_query (queue->srcpad, query)
      && gst_structure_get_uint64 (gst_query_get_structure (query),
      IV_SINK_LEVEL_BYTES, &bytes);
  gst_query_unref (query);
  g_mutex_lock (&queue->lock);
  queue->asking = FALSE;
  queue->sink_answers = answered;
  queue->sink_bytes = bytes;
  if (answered) {
    queue->pushed_before = pushed;
    trim_sent (queue, iv_queue_get_sink_bytes (queue));
  } else {
    queue->pushed_before = queue->pushed;
    iv_queue_forget_sent (queue);
  }
  GST_TRACE_OBJECT (queue, "the sink %s: %" G_GUINT64_FORMAT " bytes",
      answered ? "answers" : "does not answer", bytes);
}

/* -- Telling --------------------------------------------------------------- */

static void
tell (GstIvWatermarkQueue *queue, const IvQueueNotice *notice)
{
  GST_INFO_OBJECT (queue, "%s: %" G_GUINT64_FORMAT " bytes, %" GST_TIME_FORMAT,
      notice->event, notice->bytes, GST_TIME_ARGS (notice->time));
  gst_element_post_message (GST_ELEMENT_CAST (queue),
      gst_message_new_element (GST_OBJECT_CAST (queue),
          gst_structure_new ("iv-watermark",
              "event", G_TYPE_STRING, notice->event,
              "level-bytes", G_TYPE_UINT64, notice->bytes,
              "level-time", G_TYPE_UINT64, notice->time, NULL)));
  g_signal_emit_by_name (queue, "watermark", notice->event, notice->bytes,
      notice->time);
}

static void
tell_all (GstIvWatermarkQueue *queue)
{
  IvQueueNotice *notice;

  if (queue->telling)
    return;
  queue->telling = TRUE;
  while ((notice = g_queue_pop_head (&queue->notices)) != NULL) {
    g_mutex_unlock (&queue->lock);
    tell (queue, notice);
    g_free (notice);
    g_mutex_lock (&queue->lock);
  }
  queue->telling = FALSE;
}

void
iv_queue_check_level (GstIvWatermarkQueue *queue)
{
  gboolean key_owed;

  g_mutex_lock (&queue->lock);
  /* Whoever asks goes on from here with what it learns. */
  if (!queue->asking) {
    if (must_ask (queue))
      ask (queue);
    evaluate (queue);
  }
  tell_all (queue);
  key_owed = queue->key_owed;
  queue->key_owed = FALSE;
  g_mutex_unlock (&queue->lock);
  if (!key_owed)
    return;
  GST_DEBUG_OBJECT (queue, "asking for a key unit");
  if (!gst_pad_push_event (queue->sinkpad,
          gst_video_event_new_upstream_force_key_unit (GST_CLOCK_TIME_NONE,
              FALSE, 0)))
    GST_DEBUG_OBJECT (queue, "nobody upstream makes key units");
}
