/* iv-watermark-queue: what it tells, when it pauses and what it drops, each as
 * a story between a source and a sink that the test plays.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <gst/video/video.h>
#include "watermark-util.h"

/* -- Pause ----------------------------------------------------------------- */

/* The sink stops taking. What is in its hands counts, since it says nothing of
 * it. The source fills the queue beyond high, and waits from then on: not
 * merely until there is room below high, but until less than low is left. */
GST_START_TEST (test_pause)
{
  Bench bench;
  GThread *source;
  guint i;

  bench_open (&bench, SMALL_QUEUE, DATA);
  bench_shut_gate (&bench);
  source = bench_push_many (&bench, 10, 0, 8);
  bench_expect (&bench, "warn", 50);
  bench_expect (&bench, "high", 60);
  bench_wait_waiting (&bench, 1);
  fail_unless_equals_uint64 (bench_get (&bench, "level-bytes"), 60);
  for (i = 0; i < 4; i++) {
    bench_pass_one (&bench, TRUE);
    bench_expect_nothing (&bench);
    fail_unless_equals_uint64 (bench_get (&bench, "level-bytes"), 50 - 10 * i);
  }
  bench_pass_one (&bench, TRUE);
  bench_expect (&bench, "low", 10);
  fail_unless_equals_int (bench_join (source), GST_FLOW_OK);
  bench_open_gate (&bench);
  for (i = 0; i < 8; i++)
    bench_expect_next (&bench, i, FALSE);
  bench_expect_nothing (&bench);
  fail_unless_equals_uint64 (bench_stat (&bench, "buffers-dropped"), 0);
  fail_unless_equals_uint64 (bench_stat (&bench, "low-count"), 1);
  bench_close (&bench);
}

GST_END_TEST;

/* Ten milliseconds a buffer: the same by time. */
GST_START_TEST (test_pause_by_time)
{
  Bench bench;
  GThread *source;
  guint i;

  bench_open (&bench, SHORT_QUEUE, DATA);
  bench_shut_gate (&bench);
  source = bench_push_many (&bench, 1, 0, 7);
  bench_expect (&bench, "warn", 5);
  bench_expect (&bench, "high", 6);
  bench_wait_waiting (&bench, 1);
  fail_unless_equals_uint64 (bench_get (&bench, "level-time"), 6 * FRAME_TIME);
  for (i = 0; i < 4; i++)
    bench_pass_one (&bench, TRUE);
  bench_expect_nothing (&bench);
  bench_pass_one (&bench, TRUE);
  bench_expect (&bench, "low", 1);
  fail_unless_equals_int (bench_join (source), GST_FLOW_OK);
  bench_close (&bench);
}

GST_END_TEST;

/* All marks 0: nothing is told, nothing waits, and the level is there to be
 * read. */
GST_START_TEST (test_no_marks)
{
  Bench bench;
  guint i;

  bench_open (&bench,
              "iv-watermark-queue low-watermark=0 warn-watermark=0 "
              "high-watermark=0",
              DATA);
  bench_shut_gate (&bench);
  for (i = 0; i < 50; i++)
    fail_unless_equals_int (bench_push (&bench, 100000, i, KEY), GST_FLOW_OK);
  fail_unless_equals_uint64 (bench_get (&bench, "level-bytes"), 5000000);
  fail_unless_equals_uint64 (bench_get (&bench, "level-time"), 50 * FRAME_TIME);
  bench_expect_nothing (&bench);
  bench_close (&bench);
}

GST_END_TEST;

/* Marks that are out of order on the way from one set to another are not used;
 * with marks of 0 upstream goes on, and no low is told. */
GST_START_TEST (test_marks_change)
{
  Bench bench;
  GThread *source;

  bench_open (&bench, SMALL_QUEUE, DATA);
  bench_shut_gate (&bench);
  source = bench_push_many (&bench, 10, 0, 30);
  bench_expect (&bench, "warn", 50);
  bench_expect (&bench, "high", 60);
  bench_wait_waiting (&bench, 1);
  g_object_set (bench.queue, "low-watermark", 5000, NULL);
  bench_wait_waiting (&bench, 2);
  bench_expect_nothing (&bench);
  g_object_set (bench.queue, "warn-watermark", 0, "low-watermark", 0,
                "high-watermark", 0, NULL);
  fail_unless_equals_int (bench_join (source), GST_FLOW_OK);
  fail_unless_equals_uint64 (bench_get (&bench, "level-bytes"), 300);
  bench_expect_nothing (&bench);
  /* And back, to ones that the level is above already. */
  g_object_set (bench.queue, "warn-watermark", 100, NULL);
  bench_expect (&bench, "warn", 300);
  bench_close (&bench);
}

GST_END_TEST;

/* Wrong marks are said so before anything runs. */
GST_START_TEST (test_wrong_marks)
{
  static const gchar *const wrong[] = {
    "iv-watermark-queue high-watermark=1000",
    "iv-watermark-queue low-watermark=500000",
    "iv-watermark-queue warn-watermark=600000",
    "iv-watermark-queue low-time=5",
    "iv-watermark-queue low-time=5 high-time=4",
    "iv-watermark-queue warn-time=5 high-time=4",
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (wrong); i++) {
    GstElement *queue = gst_parse_launch (wrong[i], NULL);
    GstBus *bus = gst_bus_new ();
    GstMessage *message;
    GError *error;

    gst_element_set_bus (queue, bus);
    fail_unless_equals_int (gst_element_set_state (queue, GST_STATE_READY),
                            GST_STATE_CHANGE_FAILURE);
    message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
    fail_unless (message != NULL);
    gst_message_parse_error (message, &error, NULL);
    fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
                                  GST_RESOURCE_ERROR_SETTINGS));
    g_error_free (error);
    gst_message_unref (message);
    g_object_set (queue, "low-watermark", 0, "warn-watermark", 0,
                  "high-watermark", 0, "low-time", G_GUINT64_CONSTANT (0),
                  "warn-time", G_GUINT64_CONSTANT (0), "high-time",
                  G_GUINT64_CONSTANT (0), NULL);
    fail_unless_equals_int (gst_element_set_state (queue, GST_STATE_READY),
                            GST_STATE_CHANGE_SUCCESS);
    gst_element_set_state (queue, GST_STATE_NULL);
    gst_element_set_bus (queue, NULL);
    gst_object_unref (bus);
    gst_object_unref (queue);
  }
}

GST_END_TEST;

/* -- Drop ------------------------------------------------------------------ */

/* A keyframe and what follows fill the queue. What comes then is dropped, a
 * keyframe too, without anybody waiting. As the level falls below low a key
 * unit is asked for, once; frames that need what was dropped are dropped as
 * well; the keyframe goes on, marked as the first after a hole. */
GST_START_TEST (test_drop)
{
  Bench bench;
  guint i;

  bench_open (&bench, SMALL_QUEUE "when-full=drop", H264);
  bench_take_key_requests (&bench);
  bench_shut_gate (&bench);
  for (i = 0; i < 6; i++)
    bench_push (&bench, 10, i, i == 0 ? KEY : DELTA);
  bench_expect (&bench, "warn", 50);
  bench_expect (&bench, "high", 60);
  bench_push (&bench, 10, 6, DELTA);
  bench_push (&bench, 10, 7, KEY);
  bench_push (&bench, 10, 8, DELTA);
  fail_unless_equals_uint64 (bench_get (&bench, "level-bytes"), 60);
  fail_unless_equals_int (bench_take_key_requests (&bench), 0);
  for (i = 0; i < 5; i++)
    bench_pass_one (&bench, TRUE);
  bench_expect (&bench, "low", 10);
  bench_push (&bench, 10, 9, DELTA);
  bench_push (&bench, 10, 10, DELTA);
  fail_unless_equals_int (bench_take_key_requests (&bench), 1);
  bench_push (&bench, 10, 11, KEY);
  bench_push (&bench, 10, 12, DELTA);
  bench_open_gate (&bench);
  for (i = 0; i < 6; i++)
    bench_expect_next (&bench, i, FALSE);
  bench_expect_next (&bench, 11, TRUE);
  bench_expect_next (&bench, 12, FALSE);
  bench_expect_nothing (&bench);
  fail_unless_equals_uint64 (bench_stat (&bench, "buffers-dropped"), 5);
  fail_unless_equals_uint64 (bench_stat (&bench, "bytes-dropped"), 50);
  fail_unless_equals_uint64 (bench_stat (&bench, "key-unit-requests"), 1);
  bench_close (&bench);
}

GST_END_TEST;

/* Over again within a second: no second request. An encoder that has ignored
 * the first for a second hears of it again. */
GST_START_TEST (test_key_unit_requests)
{
  Bench bench;
  guint i, round, number = 0;

  bench_open (&bench, SMALL_QUEUE "when-full=drop", H264);
  bench_take_key_requests (&bench);
  for (round = 0; round < 3; round++) {
    bench_shut_gate (&bench);
    bench_push (&bench, 10, number++, KEY);
    /* What went before is counted no more once this one is at the sink. */
    bench_wait_at_gate (&bench);
    for (i = 0; i < 7; i++)
      bench_push (&bench, 10, number++, DELTA);
    bench_open_gate (&bench);
    bench_expect (&bench, "warn", 50);
    bench_expect (&bench, "high", 60);
    for (i = 0; i < 6; i++)
      gst_buffer_unref (gst_harness_pull (bench.h));
    gst_message_unref (gst_bus_timed_pop_filtered (bench.bus,
                                                   GST_CLOCK_TIME_NONE,
                                                   GST_MESSAGE_ELEMENT));
    bench_push (&bench, 10, number++, DELTA);
    fail_unless_equals_int (bench_take_key_requests (&bench),
                            round == 0 ? 1 : 0);
  }
  gst_test_clock_advance_time (bench.clock, GST_SECOND - 1);
  bench_push (&bench, 10, number++, DELTA);
  fail_unless_equals_int (bench_take_key_requests (&bench), 0);
  gst_test_clock_advance_time (bench.clock, 1);
  bench_push (&bench, 10, number++, DELTA);
  bench_push (&bench, 10, number++, DELTA);
  fail_unless_equals_int (bench_take_key_requests (&bench), 1);
  bench_close (&bench);
}

GST_END_TEST;

/* Slices: the picture in which the level rises is still taken whole, and a
 * keyframe that was begun to be dropped is dropped to its end. */
GST_START_TEST (test_drop_whole_frames)
{
  Bench bench;
  guint i;

  bench_open (&bench, SMALL_QUEUE "when-full=drop", H264_NAL);
  bench_shut_gate (&bench);
  for (i = 0; i < 10; i++)
    bench_push (&bench, 10, 0, KEY);
  bench_expect (&bench, "warn", 50);
  bench_expect (&bench, "high", 60);
  fail_unless_equals_uint64 (bench_get (&bench, "level-bytes"), 100);
  bench_push (&bench, 10, 1, KEY);
  for (i = 0; i < 9; i++)
    bench_pass_one (&bench, TRUE);
  bench_expect (&bench, "low", 10);
  bench_push (&bench, 10, 1, KEY);
  fail_unless_equals_uint64 (bench_get (&bench, "level-bytes"), 10);
  bench_push (&bench, 10, 2, KEY);
  bench_push (&bench, 10, 2, KEY);
  fail_unless_equals_uint64 (bench_get (&bench, "level-bytes"), 30);
  bench_close (&bench);
}

GST_END_TEST;

/* A stream that never says a new time is cut all the same. */
GST_START_TEST (test_time_stands_still)
{
  Bench bench;
  guint i;

  bench_open (&bench, SMALL_QUEUE "when-full=drop", H264_NAL);
  bench_shut_gate (&bench);
  for (i = 0; i < 5000; i++)
    fail_unless_equals_int (bench_push (&bench, 10, 0, DELTA), GST_FLOW_OK);
  fail_unless (bench_get (&bench, "level-bytes") < 5000);
  bench_close (&bench);
}

GST_END_TEST;

/* Sound has no keyframes: it goes on as soon as there is room, and nobody is
 * asked for one. */
GST_START_TEST (test_drop_audio)
{
  Bench bench;
  guint i;

  bench_open (&bench, SMALL_QUEUE "when-full=drop", "audio/x-opus");
  bench_take_key_requests (&bench);
  bench_shut_gate (&bench);
  for (i = 0; i < 9; i++)
    bench_push (&bench, 10, i, KEY);
  for (i = 0; i < 5; i++)
    bench_pass_one (&bench, TRUE);
  bench_expect (&bench, "warn", 50);
  bench_expect (&bench, "high", 60);
  bench_expect (&bench, "low", 10);
  bench_push (&bench, 10, 9, KEY);
  bench_open_gate (&bench);
  for (i = 0; i < 6; i++)
    bench_expect_next (&bench, i, FALSE);
  bench_expect_next (&bench, 9, TRUE);
  fail_unless_equals_int (bench_take_key_requests (&bench), 0);
  bench_close (&bench);
}

GST_END_TEST;

/* Out of a list goes what a hole makes useless, and the rest stays a list. */
GST_START_TEST (test_drop_lists)
{
  Bench bench;
  GstBufferList *list = gst_buffer_list_new ();
  guint i;

  bench_open (&bench, SMALL_QUEUE "when-full=drop", H264);
  bench_shut_gate (&bench);
  for (i = 0; i < 7; i++)
    bench_push (&bench, 10, i, i == 0 ? KEY : DELTA);
  for (i = 0; i < 5; i++)
    bench_pass_one (&bench, TRUE);
  bench_expect (&bench, "warn", 50);
  bench_expect (&bench, "high", 60);
  bench_expect (&bench, "low", 10);
  for (i = 7; i < 12; i++)
    gst_buffer_list_add (list, bench_buffer (10, i, i == 9 ? KEY : DELTA));
  fail_unless_equals_int (gst_pad_push_list (bench.h->srcpad, list),
                          GST_FLOW_OK);
  bench_expect_nothing (&bench);
  fail_unless_equals_uint64 (bench_get (&bench, "level-bytes"), 40);
  bench_open_gate (&bench);
  for (i = 0; i < 6; i++)
    bench_expect_next (&bench, i, FALSE);
  bench_expect_next (&bench, 9, TRUE);
  bench_expect_next (&bench, 10, FALSE);
  bench_expect_next (&bench, 11, FALSE);
  bench_close (&bench);
}

GST_END_TEST;

/* Time that was dropped does not wait in the queue: the keyframe a second later
 * does not fill it at once. */
GST_START_TEST (test_dropped_time)
{
  Bench bench;
  guint i;

  bench_open (&bench, SHORT_QUEUE "when-full=drop", H264);
  bench_shut_gate (&bench);
  for (i = 0; i < 100; i++)
    bench_push (&bench, 1, i, i == 0 ? KEY : DELTA);
  bench_expect (&bench, "warn", 5);
  bench_expect (&bench, "high", 6);
  for (i = 0; i < 5; i++)
    bench_pass_one (&bench, TRUE);
  bench_expect (&bench, "low", 1);
  bench_push (&bench, 1, 100, KEY);
  bench_expect_nothing (&bench);
  fail_unless_equals_uint64 (bench_get (&bench, "level-time"), 2 * FRAME_TIME);
  bench_close (&bench);
}

GST_END_TEST;

/* -- What the sink holds --------------------------------------------------- */

/* The queue is empty, the sink is not: that is the level. As it falls while
 * nothing flows, the next look at it tells. */
GST_START_TEST (test_sink_level)
{
  Bench bench;
  GThread *source;

  bench_open (&bench, SMALL_QUEUE, DATA);
  bench.holds = TRUE;
  bench_answer (&bench, 0);
  bench_push (&bench, 30, 0, KEY);
  bench_wait_through (&bench, 1);
  bench_push (&bench, 21, 3, KEY);
  bench_expect (&bench, "warn", 51);
  bench_expect (&bench, "high", 51);
  bench_wait_through (&bench, 2);
  fail_unless_equals_uint64 (bench_get (&bench, "level-bytes"), 51);
  source = bench_push_many (&bench, 1, 4, 1);
  bench_wait_waiting (&bench, 1);
  bench_answer (&bench, 20);
  bench_tick (&bench);
  bench_expect_nothing (&bench);
  bench_answer (&bench, 19);
  bench_tick (&bench);
  bench_expect (&bench, "low", 19);
  fail_unless_equals_int (bench_join (source), GST_FLOW_OK);
  bench_close (&bench);
}

GST_END_TEST;

/* A sink that sends at once: however much went there since it was last asked,
 * nothing is told that it would deny. */
GST_START_TEST (test_fast_sink)
{
  Bench bench;
  guint i;

  bench_open (&bench, SMALL_QUEUE, DATA);
  bench_answer (&bench, 0);
  for (i = 0; i < 100; i++) {
    bench_push (&bench, 15, i, KEY);
    bench_wait_through (&bench, i + 1);
    gst_buffer_unref (gst_harness_pull (bench.h));
  }
  bench_expect_nothing (&bench);
  gst_test_clock_advance_time (bench.clock, GST_SECOND);
  fail_unless_equals_uint64 (bench_get (&bench, "level-bytes"), 0);
  bench_close (&bench);
}

GST_END_TEST;

/* What the sink holds is the last that it got: five buffers of ten bytes are
 * fifty milliseconds. */
GST_START_TEST (test_sink_time)
{
  Bench bench;
  guint i;

  bench_open (&bench, SHORT_QUEUE, DATA);
  bench.holds = TRUE;
  bench_answer (&bench, 0);
  for (i = 0; i < 20; i++) {
    if (i >= 5)
      bench_answer (&bench, 40);
    gst_test_clock_advance_time (bench.clock, FRAME_TIME);
    bench_push (&bench, 10, i, KEY);
    bench_wait_through (&bench, i + 1);
    if (i == 4)
      bench_expect (&bench, "warn", 50);
  }
  gst_test_clock_advance_time (bench.clock, FRAME_TIME);
  fail_unless_equals_uint64 (bench_get (&bench, "level-bytes"), 50);
  fail_unless_equals_uint64 (bench_get (&bench, "level-time"), 5 * FRAME_TIME);
  bench_answer (&bench, 11);
  gst_test_clock_advance_time (bench.clock, FRAME_TIME);
  fail_unless_equals_uint64 (bench_get (&bench, "level-time"), 2 * FRAME_TIME);
  bench_answer (&bench, 10);
  gst_test_clock_advance_time (bench.clock, FRAME_TIME);
  fail_unless_equals_uint64 (bench_get (&bench, "level-time"), FRAME_TIME);
  bench_expect (&bench, "low", 10);
  bench_close (&bench);
}

GST_END_TEST;

/* Two in a row: the one in front counts what the other holds. */
GST_START_TEST (test_queue_answers)
{
  Bench bench;
  GstQuery *query
      = gst_query_new_custom (GST_QUERY_CUSTOM,
                              gst_structure_new_empty ("iv-sink-level"));
  guint64 level;

  bench_open (&bench, SMALL_QUEUE, DATA);
  bench_shut_gate (&bench);
  bench_push (&bench, 7, 0, KEY);
  bench_push (&bench, 8, 1, KEY);
  fail_unless (gst_pad_peer_query (bench.h->srcpad, query));
  fail_unless (gst_structure_get_uint64 (gst_query_get_structure (query),
                                         "level-bytes", &level));
  fail_unless_equals_uint64 (level, 15);
  gst_query_unref (query);
  bench_close (&bench);
}

GST_END_TEST;

static Suite *
watermark_queue_suite (void)
{
  Suite *suite = suite_create ("iv-watermark-queue");
  TCase *pause = tcase_create ("pause"), *drop = tcase_create ("drop");
  TCase *sink = tcase_create ("sink");

  suite_add_tcase (suite, pause);
  tcase_add_test (pause, test_pause);
  tcase_add_test (pause, test_pause_by_time);
  tcase_add_test (pause, test_no_marks);
  tcase_add_test (pause, test_marks_change);
  tcase_add_test (pause, test_wrong_marks);
  suite_add_tcase (suite, drop);
  tcase_add_test (drop, test_drop);
  tcase_add_test (drop, test_key_unit_requests);
  tcase_add_test (drop, test_drop_whole_frames);
  tcase_add_test (drop, test_time_stands_still);
  tcase_add_test (drop, test_drop_audio);
  tcase_add_test (drop, test_drop_lists);
  tcase_add_test (drop, test_dropped_time);
  suite_add_tcase (suite, sink);
  tcase_add_test (sink, test_sink_level);
  tcase_add_test (sink, test_fast_sink);
  tcase_add_test (sink, test_sink_time);
  tcase_add_test (sink, test_queue_answers);
  return suite;
}

GST_CHECK_MAIN (watermark_queue);
