/* iv-watermark-queue between others: latency, flushes, errors and ends,
 * queries, gaps.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "watermark-util.h"

static GstPadProbeReturn
on_latency (GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
  if (GST_QUERY_TYPE (info->data) != GST_QUERY_LATENCY)
    return GST_PAD_PROBE_OK;
  gst_query_set_latency (info->data, TRUE, 30 * GST_MSECOND,
                         *(GstClockTime *)user);
  return GST_PAD_PROBE_HANDLED;
}

static void
assert_latency (GstClockTime upstream_max, const gchar *launch,
                GstClockTime expected)
{
  GstQuery *query = gst_query_new_latency ();
  GstClockTime min, max;
  gboolean live;
  Bench bench;

  bench_open (&bench, launch, DATA);
  gst_pad_add_probe (bench.h->srcpad,
                     GST_PAD_PROBE_TYPE_QUERY_UPSTREAM
                         | GST_PAD_PROBE_TYPE_PUSH,
                     on_latency, &upstream_max, NULL);
  fail_unless (gst_pad_peer_query (bench.h->sinkpad, query));
  gst_query_parse_latency (query, &live, &min, &max);
  fail_unless (live);
  fail_unless_equals_uint64 (min, 30 * GST_MSECOND);
  fail_unless_equals_uint64 (max, expected);
  gst_query_unref (query);
  bench_close (&bench);
}

/* It adds what may wait in it; what it drops instead is no more than its mark,
 * whatever upstream could keep. */
GST_START_TEST (test_latency)
{
  GstClockTime none = GST_CLOCK_TIME_NONE, ms = GST_MSECOND;

  assert_latency (80 * ms, SMALL_QUEUE, none);
  assert_latency (80 * ms, SMALL_QUEUE "when-full=drop", none);
  assert_latency (80 * ms, SHORT_QUEUE, 130 * ms);
  assert_latency (none, SHORT_QUEUE, none);
  assert_latency (none - 2, SHORT_QUEUE, none);
  assert_latency (80 * ms, SHORT_QUEUE "when-full=drop", 50 * ms);
  assert_latency (40 * ms, SHORT_QUEUE "when-full=drop", 40 * ms);
  assert_latency (none, SHORT_QUEUE "when-full=drop", 50 * ms);
}

GST_END_TEST;

/* A flush ends the source's wait, empties the queue and tells that it is. */
GST_START_TEST (test_flush)
{
  Bench bench;
  GstSegment segment;
  GThread *source;

  bench_open (&bench, SMALL_QUEUE, DATA);
  bench_shut_gate (&bench);
  source = bench_push_many (&bench, 10, 0, 8);
  bench_expect (&bench, "warn", 50);
  bench_expect (&bench, "high", 60);
  bench_wait_waiting (&bench, 1);
  fail_unless (gst_harness_push_event (bench.h, gst_event_new_flush_start ()));
  fail_unless_equals_int (bench_join (source), GST_FLOW_FLUSHING);
  fail_unless (
      gst_harness_push_event (bench.h, gst_event_new_flush_stop (TRUE)));
  bench_expect (&bench, "low", 0);
  fail_unless_equals_uint64 (bench_get (&bench, "level-bytes"), 0);
  fail_unless_equals_uint64 (bench_get (&bench, "level-time"), 0);
  while (gst_harness_buffers_in_queue (bench.h) > 0)
    gst_buffer_unref (gst_harness_pull (bench.h));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (bench.h, gst_event_new_segment (&segment));
  fail_unless_equals_int (bench_push (&bench, 10, 20, KEY), GST_FLOW_OK);
  bench_expect_next (&bench, 20, FALSE);
  bench_close (&bench);
}

GST_END_TEST;

/* Caps that were still in the queue are in force after a flush. */
GST_START_TEST (test_flush_keeps_caps)
{
  Bench bench;
  GstCaps *caps = gst_caps_from_string (H264), *current;
  GstSegment segment;

  bench_open (&bench, SMALL_QUEUE, DATA);
  bench_shut_gate (&bench);
  bench_push (&bench, 10, 0, KEY);
  bench_wait_at_gate (&bench);
  gst_harness_push_event (bench.h, gst_event_new_caps (caps));
  gst_harness_push_event (bench.h, gst_event_new_flush_start ());
  gst_harness_push_event (bench.h, gst_event_new_flush_stop (TRUE));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (bench.h, gst_event_new_segment (&segment));
  fail_unless_equals_int (bench_push (&bench, 10, 20, KEY), GST_FLOW_OK);
  bench_wait_through (&bench, 2);
  current = gst_pad_get_current_caps (bench.h->sinkpad);
  fail_unless (gst_caps_is_equal (current, caps));
  gst_caps_unref (current);
  gst_caps_unref (caps);
  bench_close (&bench);
}

GST_END_TEST;

/* Stopped while the source waits for a sink that is full: it is let go, and
 * nothing is remembered. */
GST_START_TEST (test_stop)
{
  Bench bench;
  GThread *source;

  bench_open (&bench, SMALL_QUEUE, DATA);
  bench.holds = TRUE;
  bench_answer (&bench, 0);
  bench_push (&bench, 60, 0, KEY);
  bench_expect (&bench, "warn", 60);
  bench_expect (&bench, "high", 60);
  source = bench_push_many (&bench, 10, 1, 1);
  bench_wait_waiting (&bench, 1);
  gst_element_set_state (bench.queue, GST_STATE_READY);
  fail_unless_equals_int (bench_join (source), GST_FLOW_FLUSHING);
  fail_unless_equals_uint64 (bench_get (&bench, "level-bytes"), 0);
  bench_expect_nothing (&bench);
  bench_close (&bench);
}

GST_END_TEST;

/* After EOS downstream, the source hears so; with a new segment it goes on. */
GST_START_TEST (test_downstream_eos)
{
  Bench bench;
  GstSegment segment;

  bench_open (&bench, SMALL_QUEUE, DATA);
  bench.flow = GST_FLOW_EOS;
  bench_push (&bench, 1, 0, KEY);
  bench_wait_through (&bench, 1);
  while (bench_push (&bench, 1, 1, KEY) == GST_FLOW_OK)
    g_thread_yield ();
  fail_unless_equals_int (bench_push (&bench, 1, 1, KEY), GST_FLOW_EOS);
  bench.flow = GST_FLOW_OK;
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (bench.h, gst_event_new_segment (&segment));
  fail_unless_equals_int (bench_push (&bench, 1, 2, KEY), GST_FLOW_OK);
  bench_expect_next (&bench, 2, FALSE);
  bench_close (&bench);
}

GST_END_TEST;

/* Nobody there: the source hears so, until somebody is. */
GST_START_TEST (test_not_linked)
{
  Bench bench;

  bench_open (&bench, SMALL_QUEUE, DATA);
  bench.flow = GST_FLOW_NOT_LINKED;
  bench_push (&bench, 1, 0, KEY);
  bench_wait_through (&bench, 1);
  while (bench_push (&bench, 1, 1, KEY) == GST_FLOW_OK)
    g_thread_yield ();
  fail_unless_equals_int (bench_push (&bench, 1, 1, KEY), GST_FLOW_NOT_LINKED);
  bench.flow = GST_FLOW_OK;
  gst_harness_push_upstream_event (bench.h, gst_event_new_reconfigure ());
  fail_unless_equals_int (bench_push (&bench, 1, 2, KEY), GST_FLOW_OK);
  do {
    GstBuffer *buffer = gst_harness_pull (bench.h);
    gboolean last = GST_BUFFER_PTS (buffer) == 2 * FRAME_TIME;

    gst_buffer_unref (buffer);
    if (last)
      break;
  } while (TRUE);
  bench_close (&bench);
}

GST_END_TEST;

/* EOS is not held up by a pause, stays behind the data, and low is told after
 * it when the sink has sent all. */
GST_START_TEST (test_eos)
{
  Bench bench;
  GstEvent *event;
  gboolean eos;

  bench_open (&bench, SMALL_QUEUE, DATA);
  bench.holds = TRUE;
  bench_answer (&bench, 0);
  bench_push (&bench, 60, 0, KEY);
  bench_expect (&bench, "warn", 60);
  bench_expect (&bench, "high", 60);
  fail_unless (gst_harness_push_event (bench.h, gst_event_new_eos ()));
  fail_unless_equals_int (bench_push (&bench, 1, 1, KEY), GST_FLOW_EOS);
  do {
    event = gst_harness_pull_event (bench.h);
    eos = GST_EVENT_TYPE (event) == GST_EVENT_EOS;
    gst_event_unref (event);
  } while (!eos);
  bench_answer (&bench, 0);
  bench_tick (&bench);
  bench_expect (&bench, "low", 0);
  bench_close (&bench);
}

GST_END_TEST;

static gpointer
ask_allocation (gpointer user)
{
  Bench *bench = user;
  GstQuery *query = gst_query_new_allocation (NULL, TRUE);
  gboolean answered = gst_pad_peer_query (bench->h->srcpad, query);

  gst_query_unref (query);
  return GINT_TO_POINTER (answered);
}

/* A question about memory waits for the data before it; a flush takes it back,
 * in front of the sink and at it. */
GST_START_TEST (test_serialized_query)
{
  Bench bench;
  GstAllocationParams params;
  GThread *source;

  bench_open (&bench, SMALL_QUEUE, DATA);
  gst_allocation_params_init (&params);
  gst_harness_set_propose_allocator (bench.h, NULL, &params);
  fail_unless (GPOINTER_TO_INT (ask_allocation (&bench)));
  bench_shut_gate (&bench);
  bench_push (&bench, 10, 0, KEY);
  bench_wait_at_gate (&bench);
  source = g_thread_new ("source", ask_allocation, &bench);
  bench_pass_one (&bench, FALSE);
  fail_unless (GPOINTER_TO_INT (g_thread_join (source)));
  bench_push (&bench, 10, 0, KEY);
  bench_wait_at_gate (&bench);
  gst_harness_push_event (bench.h, gst_event_new_flush_start ());
  fail_if (GPOINTER_TO_INT (ask_allocation (&bench)));
  gst_harness_push_event (bench.h, gst_event_new_flush_stop (TRUE));
  bench_close (&bench);
}

GST_END_TEST;

static void
on_watermark (GstElement *queue, const gchar *event, guint64 bytes,
              guint64 time, gpointer user)
{
  GString *told = user;

  g_string_append_printf (told, "%s %u;", event, (guint)bytes);
}

/* The signal says what the message says. */
GST_START_TEST (test_signal)
{
  Bench bench;
  GString *told = g_string_new (NULL);
  guint i;

  bench_open (&bench, SMALL_QUEUE "when-full=drop", DATA);
  g_signal_connect (bench.queue, "watermark", G_CALLBACK (on_watermark), told);
  bench_shut_gate (&bench);
  for (i = 0; i < 6; i++)
    bench_push (&bench, 10, i, KEY);
  fail_unless_equals_string (told->str, "warn 50;high 60;");
  bench_close (&bench);
  g_string_free (told, TRUE);
}

GST_END_TEST;

/* Sparse streams say how time passes without data: it waits like data. */
GST_START_TEST (test_gap)
{
  Bench bench;

  bench_open (&bench, SHORT_QUEUE, DATA);
  bench_shut_gate (&bench);
  bench_push (&bench, 1, 0, KEY);
  gst_harness_push_event (bench.h,
                          gst_event_new_gap (FRAME_TIME, 6 * FRAME_TIME));
  fail_unless_equals_uint64 (bench_get (&bench, "level-time"), 7 * FRAME_TIME);
  bench_expect (&bench, "warn", 1);
  bench_expect (&bench, "high", 1);
  bench_close (&bench);
}

GST_END_TEST;

static Suite *
watermark_flow_suite (void)
{
  Suite *suite = suite_create ("iv-watermark-queue, between others");
  TCase *rest = tcase_create ("rest");

  suite_add_tcase (suite, rest);
  tcase_add_test (rest, test_latency);
  tcase_add_test (rest, test_flush);
  tcase_add_test (rest, test_flush_keeps_caps);
  tcase_add_test (rest, test_stop);
  tcase_add_test (rest, test_downstream_eos);
  tcase_add_test (rest, test_not_linked);
  tcase_add_test (rest, test_eos);
  tcase_add_test (rest, test_serialized_query);
  tcase_add_test (rest, test_signal);
  tcase_add_test (rest, test_gap);
  return suite;
}

GST_CHECK_MAIN (watermark_flow);
