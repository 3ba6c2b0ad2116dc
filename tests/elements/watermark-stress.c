/* iv-watermark-queue while everything happens at once: what may not be seen is
 * a hang, a leak, a crash, or a keyframe's successor without the keyframe.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each story runs until a number of things have happened, not for a time.
 */
#include <gst/video/video.h>
#include "watermark-util.h"

/* Frames between two keyframes. */
#define GOP 8

/* Valgrind runs one thread at a time, and that slowly. */
static guint
rounds (guint count)
{
  return g_getenv ("P2P_VALGRIND") != NULL ? count / 20 : count;
}

/* A segment follows a flush before any data does. */
static GMutex source;

typedef struct
{
  GstHarness *h; /* where it happens */
  GMutex lock;
  GCond reached;
  guint count, goal;
} Counter;

static void
counter_init (Counter *counter, GstHarness *h, guint goal)
{
  counter->h = h;
  g_mutex_init (&counter->lock);
  g_cond_init (&counter->reached);
  counter->count = 0;
  counter->goal = goal;
}

static void
counter_step (Counter *counter)
{
  g_mutex_lock (&counter->lock);
  if (++counter->count == counter->goal)
    g_cond_signal (&counter->reached);
  g_mutex_unlock (&counter->lock);
}

static void
counter_wait (Counter *counter)
{
  g_mutex_lock (&counter->lock);
  while (counter->count < counter->goal)
    g_cond_wait (&counter->reached, &counter->lock);
  g_mutex_unlock (&counter->lock);
}

static void
counter_clear (Counter *counter)
{
  g_cond_clear (&counter->reached);
  g_mutex_clear (&counter->lock);
}

/* -- Helpers --------------------------------------------------------------- */

/* In the system's time, with a sink that holds up to 60 bytes for a while. */
static guint sink_level;

static GstPadProbeReturn
on_query (GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
  const GstStructure *structure = gst_query_get_structure (info->data);

  if (structure == NULL || !gst_structure_has_name (structure, "iv-sink-level"))
    return GST_PAD_PROBE_OK;
  gst_structure_set (gst_query_writable_structure (info->data), "level-bytes",
                     G_TYPE_UINT64,
                     (guint64)(g_atomic_int_add (&sink_level, 23) % 61), NULL);
  return GST_PAD_PROBE_HANDLED;
}

static GstHarness *
make_harness (const gchar *launch, gboolean answers)
{
  GstHarness *h = gst_harness_new_parse (launch);

  gst_harness_set_drop_buffers (h, TRUE);
  gst_harness_set_src_caps_str (h, H264);
  if (answers)
    gst_pad_add_probe (h->sinkpad,
                       GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM
                           | GST_PAD_PROBE_TYPE_PUSH,
                       on_query, NULL, NULL);
  return h;
}

static GstElement *
find_queue (GstHarness *h)
{
  GstElement *queue = gst_harness_find_element (h, "iv-watermark-queue");

  fail_unless (queue != NULL);
  return queue;
}

static void
change_settings (gpointer thread, gpointer user)
{
  static guint turn;
  GstHarness *h = ((Counter *)user)->h;
  GstElement *queue = find_queue (h);
  guint64 level;

  turn++;
  gst_util_set_object_arg (G_OBJECT (queue), "when-full",
                           turn % 3 == 0 ? "pause" : "drop");
  g_object_set (queue, "high-watermark", 30 + turn % 60, "warn-watermark",
                20 + turn % 50, "low-watermark", turn % 30, NULL);
  g_object_get (queue, "level-bytes", &level, NULL);
  gst_object_unref (queue);
  counter_step (user);
}

static void
flush (gpointer thread, gpointer user)
{
  GstHarness *h = ((Counter *)user)->h;
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (h, gst_event_new_flush_start ());
  g_mutex_lock (&source);
  gst_harness_push_event (h, gst_event_new_flush_stop (TRUE));
  gst_harness_push_event (h, gst_event_new_segment (&segment));
  g_mutex_unlock (&source);
  counter_step (user);
}

static void
change_caps (gpointer thread, gpointer user)
{
  static guint turn;
  GstHarness *h = ((Counter *)user)->h;
  GstCaps *caps = gst_caps_from_string (turn++ % 2 ? H264 : H264_NAL);

  g_mutex_lock (&source);
  gst_harness_push_event (h, gst_event_new_caps (caps));
  g_mutex_unlock (&source);
  gst_caps_unref (caps);
  counter_step (user);
}

static void
ask (gpointer thread, gpointer user)
{
  GstHarness *h = ((Counter *)user)->h;
  GstQuery *query = gst_query_new_allocation (NULL, FALSE);
  GstElement *queue = find_queue (h);
  GstStructure *stats;

  gst_pad_peer_query (h->srcpad, query);
  gst_query_unref (query);
  query = gst_query_new_latency ();
  gst_pad_peer_query (h->sinkpad, query);
  gst_query_unref (query);
  g_object_get (queue, "stats", &stats, NULL);
  gst_structure_free (stats);
  gst_object_unref (queue);
  counter_step (user);
}

static void
push_frame (gpointer thread, gpointer user)
{
  Counter *counter = user;
  guint number = counter->count;

  g_mutex_lock (&source);
  gst_harness_push (counter->h,
                    bench_buffer (10, number, number % GOP == 0 ? KEY : DELTA));
  g_mutex_unlock (&source);
  counter_step (counter);
}

/* -- Stories --------------------------------------------------------------- */

/* Data, flushes, new caps, questions, settings and key unit requests, each from
 * a thread of its own. */
static void
run_everything (const gchar *launch, gboolean answers)
{
  static const GFunc things[]
      = { push_frame, flush, change_caps, ask, change_settings };
  GstHarness *h = make_harness (launch, answers);
  GstHarnessThread *threads[G_N_ELEMENTS (things)], *events;
  Counter counters[G_N_ELEMENTS (things)];
  GstElement *queue = find_queue (h);
  GstEvent *request
      = gst_video_event_new_upstream_force_key_unit (GST_CLOCK_TIME_NONE, FALSE,
                                                     0);
  guint i;

  events = gst_harness_stress_send_upstream_event_start (h, request);
  for (i = 0; i < G_N_ELEMENTS (things); i++) {
    counter_init (&counters[i], h, rounds (300));
    threads[i]
        = gst_harness_stress_custom_start (h, NULL, things[i], &counters[i],
                                           i == 0 ? 0 : 100);
  }
  for (i = 0; i < G_N_ELEMENTS (things); i++)
    counter_wait (&counters[i]);
  gst_harness_stress_thread_stop (events);
  gst_event_unref (request);
  /* The settings first; then whoever waits for room gets it. */
  for (i = G_N_ELEMENTS (things); i-- > 0;) {
    gst_harness_stress_thread_stop (threads[i]);
    counter_clear (&counters[i]);
    g_object_set (queue, "when-full", 1, NULL);
  }
  gst_object_unref (queue);
  gst_harness_teardown (h);
}

GST_START_TEST (test_everything)
{
  run_everything (SMALL_QUEUE "when-full=drop", FALSE);
}

GST_END_TEST;

GST_START_TEST (test_everything_with_a_sink_that_answers)
{
  run_everything (SMALL_QUEUE "when-full=drop", TRUE);
}

GST_END_TEST;

typedef struct
{
  guint next; /* what may come without a hole */
  guint taken, holes;
} Order;

/* After a hole: a keyframe, and marked. */
static GstPadProbeReturn
on_buffer (GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  guint number = (guint)(GST_BUFFER_PTS (buffer) / FRAME_TIME);
  Order *order = user;

  if (number != order->next) {
    order->holes++;
    fail_unless (number > order->next);
    fail_unless_equals_int (number % GOP, 0);
    fail_unless (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DISCONT));
  }
  order->taken++;
  order->next = number + 1;
  return GST_PAD_PROBE_OK;
}

/* A source that is faster than the sink, which now and then is full itself. */
GST_START_TEST (test_holes)
{
  GstHarness *h = make_harness (SMALL_QUEUE "when-full=drop", TRUE);
  guint i, count = rounds (100000);
  Order order = { 0, 0, 0 };
  GstElement *queue = find_queue (h);
  GstStructure *stats;
  guint64 dropped;

  gst_pad_add_probe (h->sinkpad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, &order,
                     NULL);
  for (i = 0; i < count; i++)
    fail_unless_equals_int (
        gst_harness_push (h, bench_buffer (10, i, i % GOP == 0 ? KEY : DELTA)),
        GST_FLOW_OK);
  g_object_get (queue, "stats", &stats, NULL);
  fail_unless (gst_structure_get_uint64 (stats, "buffers-dropped", &dropped));
  gst_structure_free (stats);
  gst_object_unref (queue);
  gst_harness_teardown (h);
  fail_unless (order.holes > 0);
  fail_unless (order.taken > 0 && order.taken + dropped <= count);
}

GST_END_TEST;

typedef struct
{
  GstHarness *h;
  guint number;
  Counter pushed;
} Source;

/* Until it is refused. */
static gpointer
push_frames (gpointer user)
{
  Source *source = user;
  GstFlowReturn flow;

  do {
    flow = gst_harness_push (source->h,
                             bench_buffer (10, source->number,
                                           source->number % GOP == 0 ? KEY
                                                                     : DELTA));
    source->number++;
    counter_step (&source->pushed);
  } while (flow == GST_FLOW_OK);
  return GINT_TO_POINTER (flow);
}

static void
start_stream (GstHarness *h)
{
  GstCaps *caps = gst_caps_from_string (H264);
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (h, gst_event_new_stream_start ("stress"));
  gst_harness_push_event (h, gst_event_new_caps (caps));
  gst_harness_push_event (h, gst_event_new_segment (&segment));
  gst_caps_unref (caps);
}

/* Stopped at any moment, in either mode, from either depth. */
static void
run_states (const gchar *launch, gboolean answers)
{
  GstHarness *h = make_harness (launch, answers);
  GstElement *queue = find_queue (h);
  guint i, count = rounds (600);
  GstFlowReturn flow;

  for (i = 0; i < count; i++) {
    Source source = { h, 0 };
    GThread *thread;

    counter_init (&source.pushed, h, 1 + i % 13 % 5);
    thread = g_thread_new ("source", push_frames, &source);
    counter_wait (&source.pushed);
    gst_element_set_state (queue,
                           i % 3 == 0 ? GST_STATE_NULL : GST_STATE_READY);
    flow = GPOINTER_TO_INT (g_thread_join (thread));
    fail_unless_equals_int (flow, GST_FLOW_FLUSHING);
    counter_clear (&source.pushed);
    fail_unless_equals_int (gst_element_set_state (queue, GST_STATE_PLAYING),
                            GST_STATE_CHANGE_SUCCESS);
    start_stream (h);
  }
  gst_object_unref (queue);
  gst_harness_teardown (h);
}

GST_START_TEST (test_states)
{
  run_states (SMALL_QUEUE "when-full=pause", FALSE);
  run_states (SMALL_QUEUE "when-full=drop", FALSE);
}

GST_END_TEST;

GST_START_TEST (test_states_with_a_sink_that_answers)
{
  run_states (SMALL_QUEUE "when-full=pause", TRUE);
  run_states (SMALL_QUEUE "when-full=drop", TRUE);
}

GST_END_TEST;

static Suite *
watermark_stress_suite (void)
{
  Suite *suite = suite_create ("iv-watermark-queue under stress");
  TCase *tcase = tcase_create ("stress");

  suite_add_tcase (suite, tcase);
  tcase_set_timeout (tcase, 120);
  tcase_add_test (tcase, test_everything);
  tcase_add_test (tcase, test_everything_with_a_sink_that_answers);
  tcase_add_test (tcase, test_holes);
  tcase_add_test (tcase, test_states);
  tcase_add_test (tcase, test_states_with_a_sink_that_answers);
  return suite;
}

GST_CHECK_MAIN (watermark_stress);
