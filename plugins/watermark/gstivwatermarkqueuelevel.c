/* iv-watermark-queue: how much has not left the device, and who is told.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The level is the queue's own and, if the sink behind it answers the query
 * iv-sink-level, what that still holds. What was pushed since it was asked, or
 * is being pushed, may be in there or gone already: the level lies between two
 * bounds. An event is told only if both agree; where they do not, the sink is
 * asked again after the push, or at the next tick. So events are never a guess.
 * Any thread may look at the level; one at a time asks, and one at a time
 * tells, in order.
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

typedef struct
{
  guint64 bytes, time;
} Level;

/* What the sink holds at the most. */
static guint64
get_sink_limit (GstIvWatermarkQueue *queue)
{
  return queue->sink_bytes + (queue->pushed - queue->pushed_before)
         + queue->in_flight.bytes;
}

static GstClockTimeDiff
get_oldest_sent (GstIvWatermarkQueue *queue, guint64 bytes)
{
  guint i, length = gst_queue_array_get_length (queue->sent);
  guint64 left = queue->sent_bytes;

  for (i = 0; i < length; i++) {
    IvQueueSent *sent = gst_queue_array_peek_nth_struct (queue->sent, i);

    /* The last `bytes` begin in here. */
    if (left - sent->bytes < bytes)
      return sent->start;
    left -= sent->bytes;
  }
  return GST_CLOCK_STIME_NONE;
}

static GstClockTimeDiff
get_oldest_queued (GstIvWatermarkQueue *queue)
{
  guint i, length = gst_queue_array_get_length (queue->items);

  for (i = 0; i < length; i++) {
    IvQueueItem *item = gst_queue_array_peek_nth_struct (queue->items, i);

    if (GST_CLOCK_STIME_IS_VALID (item->start))
      return item->start;
  }
  return GST_CLOCK_STIME_NONE;
}

/* With so much in the sink. */
static Level
get_level (GstIvWatermarkQueue *queue, guint64 sink_bytes)
{
  Level level = { queue->bytes + sink_bytes, 0 };
  GstClockTimeDiff oldest = GST_CLOCK_STIME_NONE;

  if (sink_bytes > 0)
    oldest = get_oldest_sent (queue, sink_bytes);
  /* What is being pushed counts where nobody else counts it. */
  if (!queue->sink_answers) {
    level.bytes += queue->in_flight.bytes;
    if (queue->in_flight.bytes > 0)
      oldest = queue->in_flight.start;
  }
  if (!GST_CLOCK_STIME_IS_VALID (oldest))
    oldest = get_oldest_queued (queue);
  if (GST_CLOCK_STIME_IS_VALID (oldest) && GST_CLOCK_STIME_IS_VALID (queue->end)
      && queue->end > oldest)
    level.time = (guint64)(queue->end - oldest);
  return level;
}

static void
get_bounds (GstIvWatermarkQueue *queue, Level *least, Level *most)
{
  *least = get_level (queue, iv_queue_get_sink_bytes (queue));
  *most = *least;
  if (queue->sink_answers && get_sink_limit (queue) != queue->sink_bytes)
    *most = get_level (queue, get_sink_limit (queue));
}

guint64
iv_queue_get_sink_bytes (GstIvWatermarkQueue *queue)
{
  return queue->sink_answers ? queue->sink_bytes : 0;
}

guint64
iv_queue_get_bytes (GstIvWatermarkQueue *queue)
{
  return get_level (queue, iv_queue_get_sink_bytes (queue)).bytes;
}

guint64
iv_queue_get_time (GstIvWatermarkQueue *queue)
{
  return get_level (queue, iv_queue_get_sink_bytes (queue)).time;
}

/* The level may change, in a way that matters, although nothing flows. */
gboolean
iv_queue_is_watching (GstIvWatermarkQueue *queue)
{
  return queue->sink_answers
         && (iv_watermark_is_raised (&queue->watermark)
             || queue->pushed != queue->pushed_before);
}

/* What is older than all that the sink can hold is gone. */
static void
trim_sent (GstIvWatermarkQueue *queue)
{
  guint64 bytes = get_sink_limit (queue);

  while (!gst_queue_array_is_empty (queue->sent)) {
    IvQueueSent *oldest = gst_queue_array_peek_head_struct (queue->sent);

    if (queue->sent_bytes - oldest->bytes < bytes)
      return;
    queue->sent_bytes -= oldest->bytes;
    gst_queue_array_pop_head_struct (queue->sent);
  }
}

static void
forget_sent (GstIvWatermarkQueue *queue)
{
  gst_queue_array_clear (queue->sent);
  queue->sent_bytes = 0;
}

/* The sink may have it from now on, or not until it has been pushed. */
void
iv_queue_will_push (GstIvWatermarkQueue *queue, const IvQueueItem *item)
{
  IvQueueSent sent = { item->bytes, item->start };

  queue->in_flight = sent;
  if (item->bytes == 0)
    return;
  /* Before the first answer it may be one that answers. */
  if (!queue->sink_answers && GST_CLOCK_TIME_IS_VALID (queue->asked)
      && !queue->asking)
    return;
  gst_queue_array_push_tail_struct (queue->sent, &sent);
  queue->sent_bytes += item->bytes;
  if (gst_queue_array_get_length (queue->sent) > MAX_SENT) {
    IvQueueSent first
        = *(IvQueueSent *)gst_queue_array_pop_head_struct (queue->sent);
    IvQueueSent *second = gst_queue_array_peek_head_struct (queue->sent);

    second->bytes += first.bytes;
    second->start = first.start;
  }
}

void
iv_queue_has_pushed (GstIvWatermarkQueue *queue)
{
  queue->pushed += queue->in_flight.bytes;
  queue->in_flight.bytes = 0;
  if (!queue->sink_answers)
    queue->pushed_before = queue->pushed;
}

void
iv_queue_forget_level (GstIvWatermarkQueue *queue)
{
  iv_watermark_reset (&queue->watermark);
  forget_sent (queue);
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
  queue->paused_total
      += gst_clock_get_time (queue->clock) - queue->paused_since;
  queue->paused_since = GST_CLOCK_TIME_NONE;
  g_cond_broadcast (&queue->changed);
  iv_queue_want_key_unit (queue);
}

static void
evaluate (GstIvWatermarkQueue *queue)
{
  IvWatermark trial = queue->watermark;
  guint64 bytes, time;
  Level least, most;
  guint events;

  get_bounds (queue, &least, &most);
  bytes = least.bytes;
  time = least.time;
  events = iv_watermark_update (&trial, bytes, time);
  trial = queue->watermark;
  if (iv_watermark_update (&trial, most.bytes, most.time) != events)
    return;
  queue->watermark = trial;
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

/* Something would be told, if the level were this. */
static gboolean
would_tell (GstIvWatermarkQueue *queue, const Level *level)
{
  IvWatermark trial = queue->watermark;

  return iv_watermark_update (&trial, level->bytes, level->time) != 0;
}

static gboolean
must_ask (GstIvWatermarkQueue *queue, gboolean exact)
{
  GstClockTime now, interval;
  Level least, most;

  /* Nobody is linked yet, or is flushing. */
  if (queue->flow != GST_FLOW_OK)
    return FALSE;
  interval = queue->sink_answers ? IV_QUEUE_TICK : ASK_AGAIN_INTERVAL;
  now = gst_clock_get_time (queue->clock);
  if (!GST_CLOCK_TIME_IS_VALID (queue->asked) || now >= queue->asked + interval)
    return TRUE;
  if (!queue->sink_answers || exact)
    return exact && queue->sink_answers;
  get_bounds (queue, &least, &most);
  return would_tell (queue, &least) || would_tell (queue, &most);
}

/* With the lock, which is given up meanwhile. What is pushed in the meantime
 * may or may not be in the answer. */
static void
ask (GstIvWatermarkQueue *queue)
{
  guint64 pushed = queue->pushed, bytes = 0;
  GstQuery *query;
  gboolean answered;

  queue->asking = TRUE;
  queue->asked = gst_clock_get_time (queue->clock);
  g_mutex_unlock (&queue->lock);
  query = gst_query_new_custom (
      GST_QUERY_CUSTOM,
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
    trim_sent (queue);
  } else {
    queue->pushed_before = queue->pushed;
    forget_sent (queue);
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
  gst_element_post_message (
      GST_ELEMENT_CAST (queue),
      gst_message_new_element (GST_OBJECT_CAST (queue),
                               gst_structure_new ("iv-watermark", "event",
                                                  G_TYPE_STRING, notice->event,
                                                  "level-bytes", G_TYPE_UINT64,
                                                  notice->bytes, "level-time",
                                                  G_TYPE_UINT64, notice->time,
                                                  NULL)));
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
iv_queue_check_level (GstIvWatermarkQueue *queue, gboolean exact)
{
  gboolean key_owed;

  g_mutex_lock (&queue->lock);
  /* Whoever asks goes on from here with what it learns. */
  if (!queue->asking) {
    if (must_ask (queue, exact))
      ask (queue);
    evaluate (queue);
    /* The task relies on this thread for what it has pushed meanwhile. */
    while (queue->in_flight.bytes == 0 && !queue->asking
           && must_ask (queue, FALSE)) {
      ask (queue);
      evaluate (queue);
    }
    /* The task may be asleep, for lack of anything to do until now. */
    if (iv_queue_is_watching (queue))
      g_cond_signal (&queue->arrived);
  }
  tell_all (queue);
  key_owed = queue->key_owed;
  queue->key_owed = FALSE;
  g_mutex_unlock (&queue->lock);
  if (!key_owed)
    return;
  GST_DEBUG_OBJECT (queue, "asking for a key unit");
  if (!gst_pad_push_event (queue->sinkpad,
                           gst_video_event_new_upstream_force_key_unit (
                               GST_CLOCK_TIME_NONE, FALSE, 0)))
    GST_DEBUG_OBJECT (queue, "nobody upstream makes key units");
}
