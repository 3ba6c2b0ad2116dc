/* See watermark-util.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The gate is a probe on the harness's sink pad: the queue's task waits in it
 * as it would in a sink whose network is slow.
 */
#include <string.h>
#include <gst/video/video.h>
#include "watermark-util.h"

/* The one whose log is listened to. */
static Bench *listening;

/* The only trace of a thread that waits is what it says of it. */
static void
on_log (GstDebugCategory *category, GstDebugLevel level, const gchar *file,
        const gchar *function, gint line, GObject *object,
        GstDebugMessage *message, gpointer user)
{
  Bench *bench = listening;

  if (bench == NULL || object != G_OBJECT (bench->queue)
      || strcmp (gst_debug_message_get (message), "waiting for room") != 0)
    return;
  g_mutex_lock (&bench->lock);
  bench->waiting++;
  g_cond_broadcast (&bench->changed);
  g_mutex_unlock (&bench->lock);
}

/* -- The sink -------------------------------------------------------------- */

static GstPadProbeReturn
on_data (GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
  Bench *bench = user;
  GstPadProbeReturn result = GST_PAD_PROBE_OK;

  g_mutex_lock (&bench->lock);
  bench->at_gate++;
  g_cond_broadcast (&bench->changed);
  while (bench->closed && bench->permits == 0)
    g_cond_wait (&bench->changed, &bench->lock);
  if (bench->closed)
    bench->permits--;
  bench->at_gate--;
  bench->through++;
  if (bench->holds)
    bench->level += gst_buffer_get_size (GST_PAD_PROBE_INFO_BUFFER (info));
  if (bench->flow != GST_FLOW_OK) {
    if (info->type & GST_PAD_PROBE_TYPE_BUFFER)
      gst_buffer_unref (info->data);
    else
      gst_buffer_list_unref (info->data);
    info->data = NULL;
    GST_PAD_PROBE_INFO_FLOW_RETURN (info) = bench->flow;
    result = GST_PAD_PROBE_HANDLED;
  }
  g_cond_broadcast (&bench->changed);
  g_mutex_unlock (&bench->lock);
  return result;
}

/* A flush ends a sink's wait. */
static GstPadProbeReturn
on_flush (GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
  if (GST_EVENT_TYPE (info->data) == GST_EVENT_FLUSH_START)
    bench_open_gate (user);
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
on_query (GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
  GstQuery *query = info->data;
  const GstStructure *structure = gst_query_get_structure (query);
  Bench *bench = user;
  gboolean answers;

  if (structure == NULL || !gst_structure_has_name (structure, "iv-sink-level"))
    return GST_PAD_PROBE_OK;
  g_mutex_lock (&bench->lock);
  bench->asked++;
  answers = bench->answers;
  gst_structure_set (gst_query_writable_structure (query), "level-bytes",
                     G_TYPE_UINT64, bench->level, NULL);
  g_cond_broadcast (&bench->changed);
  g_mutex_unlock (&bench->lock);
  return answers ? GST_PAD_PROBE_HANDLED : GST_PAD_PROBE_OK;
}

void
bench_shut_gate (Bench *bench)
{
  g_mutex_lock (&bench->lock);
  bench->closed = TRUE;
  bench->permits = 0;
  g_mutex_unlock (&bench->lock);
}

void
bench_open_gate (Bench *bench)
{
  g_mutex_lock (&bench->lock);
  bench->closed = FALSE;
  g_cond_broadcast (&bench->changed);
  g_mutex_unlock (&bench->lock);
}

void
bench_pass_one (Bench *bench, gboolean another)
{
  guint through;

  g_mutex_lock (&bench->lock);
  through = bench->through + 1;
  bench->permits++;
  g_cond_broadcast (&bench->changed);
  while (bench->through < through || (another && bench->at_gate == 0))
    g_cond_wait (&bench->changed, &bench->lock);
  g_mutex_unlock (&bench->lock);
}

void
bench_wait_at_gate (Bench *bench)
{
  g_mutex_lock (&bench->lock);
  while (bench->at_gate == 0)
    g_cond_wait (&bench->changed, &bench->lock);
  g_mutex_unlock (&bench->lock);
}

void
bench_wait_through (Bench *bench, guint count)
{
  g_mutex_lock (&bench->lock);
  while (bench->through < count)
    g_cond_wait (&bench->changed, &bench->lock);
  g_mutex_unlock (&bench->lock);
}

void
bench_answer (Bench *bench, guint64 level)
{
  g_mutex_lock (&bench->lock);
  bench->answers = TRUE;
  bench->level = level;
  g_mutex_unlock (&bench->lock);
}

void
bench_tick (Bench *bench)
{
  guint asked;

  g_mutex_lock (&bench->lock);
  asked = bench->asked;
  g_mutex_unlock (&bench->lock);
  gst_test_clock_wait_for_next_pending_id (bench->clock, NULL);
  fail_unless (gst_test_clock_crank (bench->clock));
  g_mutex_lock (&bench->lock);
  while (bench->asked == asked)
    g_cond_wait (&bench->changed, &bench->lock);
  g_mutex_unlock (&bench->lock);
}

/* -- The source ------------------------------------------------------------ */

GstBuffer *
bench_buffer (guint size, guint number, guint flags)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);

  gst_buffer_memset (buffer, 0, (guint8)number, size);
  GST_BUFFER_PTS (buffer) = number * FRAME_TIME;
  GST_BUFFER_DURATION (buffer) = FRAME_TIME;
  GST_BUFFER_FLAG_SET (buffer, flags);
  return buffer;
}

GstFlowReturn
bench_push (Bench *bench, guint size, guint number, guint flags)
{
  return gst_harness_push (bench->h, bench_buffer (size, number, flags));
}

typedef struct
{
  Bench *bench;
  guint size, number, count;
} Many;

static gpointer
push_many (gpointer user)
{
  Many *many = user;
  GstFlowReturn flow = GST_FLOW_OK;

  while (many->count-- > 0 && flow == GST_FLOW_OK)
    flow = bench_push (many->bench, many->size, many->number++, KEY);
  g_free (many);
  return GINT_TO_POINTER (flow);
}

GThread *
bench_push_many (Bench *bench, guint size, guint number, guint count)
{
  Many *many = g_new (Many, 1);

  *many = (Many){ bench, size, number, count };
  return g_thread_new ("source", push_many, many);
}

GstFlowReturn
bench_join (GThread *thread)
{
  return GPOINTER_TO_INT (g_thread_join (thread));
}

void
bench_wait_waiting (Bench *bench, guint count)
{
  g_mutex_lock (&bench->lock);
  while (bench->waiting < count)
    g_cond_wait (&bench->changed, &bench->lock);
  g_mutex_unlock (&bench->lock);
}

guint
bench_take_key_requests (Bench *bench)
{
  GstEvent *event;
  guint count = 0;

  while ((event = gst_harness_try_pull_upstream_event (bench->h)) != NULL) {
    if (gst_video_event_is_force_key_unit (event))
      count++;
    gst_event_unref (event);
  }
  return count;
}

/* -- What is told ---------------------------------------------------------- */

void
bench_expect (Bench *bench, const gchar *event, guint64 bytes)
{
  GstMessage *message
      = gst_bus_timed_pop_filtered (bench->bus, GST_CLOCK_TIME_NONE,
                                    GST_MESSAGE_ELEMENT);
  const GstStructure *s = gst_message_get_structure (message);
  guint64 level, time;

  fail_unless (gst_structure_has_name (s, "iv-watermark"));
  fail_unless_equals_string (gst_structure_get_string (s, "event"), event);
  fail_unless (gst_structure_get_uint64 (s, "level-bytes", &level));
  fail_unless (gst_structure_get_uint64 (s, "level-time", &time));
  fail_unless_equals_uint64 (level, bytes);
  gst_message_unref (message);
}

void
bench_expect_nothing (Bench *bench)
{
  GstMessage *message = gst_bus_pop_filtered (bench->bus, GST_MESSAGE_ELEMENT);

  if (message != NULL)
    fail ("told %" GST_PTR_FORMAT, gst_message_get_structure (message));
}

guint64
bench_get (Bench *bench, const gchar *property)
{
  guint64 value;

  g_object_get (bench->queue, property, &value, NULL);
  return value;
}

guint64
bench_stat (Bench *bench, const gchar *name)
{
  GstStructure *stats;
  guint64 value;

  g_object_get (bench->queue, "stats", &stats, NULL);
  fail_unless (gst_structure_get_uint64 (stats, name, &value));
  gst_structure_free (stats);
  return value;
}

/* -- The bench ------------------------------------------------------------- */

void
bench_open (Bench *bench, const gchar *launch, const gchar *caps)
{
  memset (bench, 0, sizeof *bench);
  g_mutex_init (&bench->lock);
  g_cond_init (&bench->changed);
  bench->clock = GST_TEST_CLOCK (gst_test_clock_new ());
  gst_system_clock_set_default (GST_CLOCK_CAST (bench->clock));
  bench->queue = gst_parse_launch (launch, NULL);
  fail_unless (bench->queue != NULL);
  gst_object_ref_sink (bench->queue);
  bench->bus = gst_bus_new ();
  gst_element_set_bus (bench->queue, bench->bus);
  listening = bench;
  gst_debug_set_threshold_for_name ("iv-watermark-queue", GST_LEVEL_LOG);
  gst_debug_remove_log_function (gst_debug_log_default);
  gst_debug_add_log_function (on_log, NULL, NULL);
  bench->h = gst_harness_new_with_element (bench->queue, "sink", "src");
  gst_pad_add_probe (bench->h->sinkpad,
                     GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST,
                     on_data, bench, NULL);
  gst_pad_add_probe (bench->h->sinkpad, GST_PAD_PROBE_TYPE_EVENT_FLUSH,
                     on_flush, bench, NULL);
  gst_pad_add_probe (bench->h->sinkpad,
                     GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM
                         | GST_PAD_PROBE_TYPE_PUSH,
                     on_query, bench, NULL);
  gst_harness_set_src_caps_str (bench->h, caps);
}

void
bench_close (Bench *bench)
{
  bench_open_gate (bench);
  gst_harness_teardown (bench->h);
  gst_debug_remove_log_function (on_log);
  listening = NULL;
  gst_element_set_bus (bench->queue, NULL);
  gst_object_unref (bench->bus);
  ASSERT_OBJECT_REFCOUNT (bench->queue, "queue", 1);
  gst_object_unref (bench->queue);
  gst_system_clock_set_default (NULL);
  gst_object_unref (bench->clock);
  g_cond_clear (&bench->changed);
  g_mutex_clear (&bench->lock);
}

void
bench_expect_next (Bench *bench, guint number, gboolean discont)
{
  GstBuffer *buffer = gst_harness_pull (bench->h);

  fail_unless (buffer != NULL);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (buffer), number * FRAME_TIME);
  fail_unless_equals_int (GST_BUFFER_FLAG_IS_SET (buffer,
                                                  GST_BUFFER_FLAG_DISCONT),
                          discont);
  gst_buffer_unref (buffer);
}
