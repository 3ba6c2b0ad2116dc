/* udtsink and udtsrc: times across pauses, starts and flushes of either end,
 * and the largest buffers. Each end has a clock that the test moves.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>

#define KEY "0123456789abcdef0123456789abcdef"
#define H264                                                                   \
  "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au"
#define RAW                                                                    \
  "video/x-raw, format=(string)BGRx, width=(int)1920, height=(int)1080, "      \
  "framerate=(fraction)25/1"

/* The system's clock. */
#define NO_START GST_CLOCK_TIME_NONE
/* The sender's clock shows SENDER_START when the receiver's shows
 * RECEIVER_START. */
#define SENDER_START (10 * GST_SECOND)
#define RECEIVER_START (50 * GST_SECOND)
/* Long enough for a busy machine. */
#define LATENCY_MS 20000
/* What the way from one to the other takes in fact, at the very most. */
#define TOLERANCE (2 * GST_SECOND)

typedef struct
{
  GstHarness *sink, *src;
} Pair;

static GstHarness *
make_end (const gchar *name, const gchar *uri, GstClockTime start)
{
  gboolean sink = g_str_equal (name, "udtsink");
  GstElement *element = gst_element_factory_make (name, NULL);
  GstHarness *harness;

  fail_unless (element != NULL);
  g_object_set (element, "uri", uri, "key", KEY, NULL);
  if (!sink)
    g_object_set (element, "latency", LATENCY_MS, NULL);
  harness = gst_harness_new_with_element (element, sink ? "sink" : NULL,
                                          sink ? NULL : "src");
  gst_object_unref (element);
  if (GST_CLOCK_TIME_IS_VALID (start)) {
    gst_harness_use_testclock (harness);
    gst_harness_set_time (harness, start);
  } else {
    gst_harness_use_systemclock (harness);
  }
  return harness;
}

static GstHarness *
make_source (GstHarness *sink, GstClockTime start)
{
  GstHarness *src;
  guint port;
  gchar *uri;

  g_object_get (sink->element, "bound-port", &port, NULL);
  uri = g_strdup_printf ("udt://127.0.0.1:%u", port);
  src = make_end ("udtsrc", uri, start);
  g_free (uri);
  gst_harness_play (src);
  return src;
}

/* That there is a receiver shows in its wanting a key unit. */
static void
wait_for_receiver (GstHarness *sink)
{
  gboolean found = FALSE;

  while (!found) {
    GstEvent *event = gst_harness_pull_upstream_event (sink);

    fail_unless (event != NULL);
    found = gst_event_has_name (event, "GstForceKeyUnit");
    gst_event_unref (event);
  }
}

static Pair
make_pair (const gchar *caps)
{
  Pair pair;

  pair.sink
      = make_end ("udtsink", "udt://127.0.0.1:0?mode=listener", SENDER_START);
  gst_harness_set_src_caps_str (pair.sink, caps);
  gst_harness_play (pair.sink);
  pair.src = make_source (pair.sink, RECEIVER_START);
  wait_for_receiver (pair.sink);
  return pair;
}

static void
free_pair (Pair *pair)
{
  gst_harness_teardown (pair->src);
  gst_harness_teardown (pair->sink);
}

static void
advance (Pair *pair, GstClockTime by)
{
  GstTestClock *clock = gst_harness_get_testclock (pair->sink);

  gst_test_clock_advance_time (clock, by);
  gst_object_unref (clock);
  clock = gst_harness_get_testclock (pair->src);
  gst_test_clock_advance_time (clock, by);
  gst_object_unref (clock);
}

static GstClockTime
now_of (GstHarness *harness)
{
  GstTestClock *clock = gst_harness_get_testclock (harness);
  GstClockTime now = gst_clock_get_time (GST_CLOCK (clock));

  gst_object_unref (clock);
  return now;
}

static GstBuffer *
make_frame (GstClockTime pts, gsize size, GstBufferFlags flags)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);

  gst_buffer_memset (buffer, 0, 1, size);
  GST_BUFFER_PTS (buffer) = GST_BUFFER_DTS (buffer) = pts;
  GST_BUFFER_FLAG_SET (buffer, flags);
  return buffer;
}

/* A frame of now, that the receiver shows now, by its running time. */
static void
assert_on_time (Pair *pair)
{
  GstClockTime base = gst_element_get_base_time (pair->sink->element);
  GstClockTime here = gst_element_get_base_time (pair->src->element);
  GstClockTimeDiff late;
  GstBuffer *buffer;

  fail_unless_equals_int (
      gst_harness_push (pair->sink,
                        make_frame (now_of (pair->sink) - base, 100, 0)),
      GST_FLOW_OK);
  buffer = gst_harness_pull (pair->src);
  fail_unless (buffer != NULL);
  late = GST_CLOCK_DIFF (GST_BUFFER_PTS (buffer), now_of (pair->src) - here);
  if (ABS (late) > (GstClockTimeDiff)TOLERANCE)
    fail ("the frame is %" G_GINT64_FORMAT " ms late", late / 1000000);
  gst_buffer_unref (buffer);
}

static void
set_state (GstHarness *harness, GstState state)
{
  fail_unless (gst_element_set_state (harness->element, state)
               != GST_STATE_CHANGE_FAILURE);
}

/* The sender pauses for a minute: its running time stands still, ours does not,
 * and what comes afterwards is on time all the same. */
GST_START_TEST (test_sender_pauses)
{
  Pair pair = make_pair (H264);

  assert_on_time (&pair);
  set_state (pair.sink, GST_STATE_PAUSED);
  advance (&pair, GST_SECOND * 60);
  gst_element_set_base_time (pair.sink->element, GST_SECOND * 60);
  set_state (pair.sink, GST_STATE_PLAYING);
  assert_on_time (&pair);
  free_pair (&pair);
}
GST_END_TEST;

/* The sender stops without an end and starts again: running time begins at
 * zero, on a connection that goes on. */
GST_START_TEST (test_sender_restarts)
{
  Pair pair = make_pair (H264);
  GstSegment segment;

  assert_on_time (&pair);
  set_state (pair.sink, GST_STATE_READY);
  advance (&pair, GST_SECOND * 20);
  gst_element_set_base_time (pair.sink->element, now_of (pair.sink));
  set_state (pair.sink, GST_STATE_PLAYING);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (pair.sink, gst_event_new_stream_start ("again"));
  gst_harness_set_src_caps_str (pair.sink, H264);
  gst_harness_push_event (pair.sink, gst_event_new_segment (&segment));
  assert_on_time (&pair);
  free_pair (&pair);
}
GST_END_TEST;

static GstClockTime
system_now (void)
{
  GstClock *clock = gst_system_clock_obtain ();
  GstClockTime now = gst_clock_get_time (clock);

  gst_object_unref (clock);
  return now;
}

/* A file is sought in after a while: running time begins at zero while the
 * clock goes on. The frame goes out now, and the next at its distance. */
GST_START_TEST (test_seek_in_a_file)
{
  GstHarness *sink
      = make_end ("udtsink", "udt://127.0.0.1:0?mode=listener", NO_START);
  const GstClockTime step = 100 * GST_MSECOND;
  const GstClockTime base = system_now () - 30 * GST_SECOND;
  GstClockTime first = 0, pts;
  GstSegment segment;
  GstHarness *src;
  guint i;

  g_object_set (sink->element, "sync", TRUE, NULL);
  gst_harness_set_live (sink, FALSE);
  gst_element_set_base_time (sink->element, base);
  gst_harness_set_src_caps_str (sink, H264);
  gst_harness_play (sink);
  src = make_source (sink, NO_START);
  wait_for_receiver (sink);
  gst_harness_push (sink, make_frame (0, 100, 0));
  gst_buffer_unref (gst_harness_pull (src));

  /* Half a minute goes by. */
  gst_element_set_base_time (sink->element, base - 30 * GST_SECOND);
  gst_harness_push_event (sink, gst_event_new_flush_start ());
  gst_harness_push_event (sink, gst_event_new_flush_stop (TRUE));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (sink, gst_event_new_segment (&segment));
  for (i = 0; i < 3; i++) {
    GstClockTimeDiff distance;
    GstBuffer *buffer;

    fail_unless_equals_int (gst_harness_push (sink,
                                              make_frame (i * step, 100, 0)),
                            GST_FLOW_OK);
    buffer = gst_harness_pull (src);
    pts = GST_BUFFER_PTS (buffer);
    gst_buffer_unref (buffer);
    distance = GST_CLOCK_DIFF (pts, system_now ());
    if (ABS (distance) > (GstClockTimeDiff)TOLERANCE)
      fail ("the frame is %" G_GINT64_FORMAT " ms late", distance / 1000000);
    if (i == 0)
      first = pts;
  }
  /* The mapping may be corrected meanwhile, but not by half. */
  fail_unless (pts > first + step && pts < first + 3 * step);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
}
GST_END_TEST;

/* The receiver pauses: frames that waited are not shown later than those that
 * come now. */
GST_START_TEST (test_receiver_pauses)
{
  Pair pair = make_pair (H264);

  assert_on_time (&pair);
  set_state (pair.src, GST_STATE_PAUSED);
  advance (&pair, GST_SECOND * 60);
  gst_element_set_base_time (pair.src->element, GST_SECOND * 60);
  set_state (pair.src, GST_STATE_PLAYING);
  assert_on_time (&pair);
  free_pair (&pair);
}
GST_END_TEST;

/* As for any sink: nothing is taken behind the end until another start, and
 * then it is a new stream, for whoever comes. */
GST_START_TEST (test_start_after_the_end)
{
  Pair pair = make_pair (H264);
  GstSegment segment;
  GstEvent *event;

  assert_on_time (&pair);
  gst_harness_push_event (pair.sink, gst_event_new_eos ());
  do {
    event = gst_harness_pull_event (pair.src);
    fail_unless (event != NULL);
    gst_event_unref (event);
  } while (GST_EVENT_TYPE (event) != GST_EVENT_EOS);
  gst_harness_teardown (pair.src);
  set_state (pair.sink, GST_STATE_READY);
  set_state (pair.sink, GST_STATE_PLAYING);
  pair.src = make_source (pair.sink, RECEIVER_START);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (pair.sink, gst_event_new_stream_start ("again"));
  gst_harness_set_src_caps_str (pair.sink, H264);
  gst_harness_push_event (pair.sink, gst_event_new_segment (&segment));
  wait_for_receiver (pair.sink);
  assert_on_time (&pair);
  free_pair (&pair);
}
GST_END_TEST;

/* A picture that is not encoded goes as one, too; one buffer that is larger
 * than any message can be ends a stream of which nothing may be missing. */
GST_START_TEST (test_large_buffers)
{
  Pair pair = make_pair (RAW);
  const gsize size = 1920 * 1080 * 4;
  GstBus *bus = gst_bus_new ();
  GstMessage *message;
  GstBuffer *buffer;

  gst_element_set_bus (pair.sink->element, bus);
  fail_unless_equals_int (gst_harness_push (pair.sink,
                                            make_frame (SENDER_START, size, 0)),
                          GST_FLOW_OK);
  buffer = gst_harness_pull (pair.src);
  fail_unless_equals_int (gst_buffer_get_size (buffer), size);
  gst_buffer_unref (buffer);

  fail_unless_equals_int (
      gst_harness_push (pair.sink, make_frame (SENDER_START, 2 * size, 0)),
      GST_FLOW_OK);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING);
  fail_unless (message != NULL);
  gst_message_unref (message);
  fail_unless_equals_int (gst_harness_push (pair.sink,
                                            make_frame (SENDER_START, 100, 0)),
                          GST_FLOW_OK);
  buffer = gst_harness_pull (pair.src);
  fail_unless_equals_int (gst_buffer_get_size (buffer), 100);
  gst_buffer_unref (buffer);

  gst_harness_set_src_caps_str (pair.sink, "application/octet-stream");
  fail_unless_equals_int (
      gst_harness_push (pair.sink, make_frame (SENDER_START, 2 * size, 0)),
      GST_FLOW_ERROR);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  fail_unless (message != NULL);
  gst_message_unref (message);
  gst_element_set_bus (pair.sink->element, NULL);
  gst_object_unref (bus);
  free_pair (&pair);
}
GST_END_TEST;

static Suite *
udt_times_suite (void)
{
  Suite *suite = suite_create ("udt-times");
  TCase *tc = tcase_create ("times");

  suite_add_tcase (suite, tc);
  tcase_add_test (tc, test_sender_pauses);
  tcase_add_test (tc, test_sender_restarts);
  tcase_add_test (tc, test_seek_in_a_file);
  tcase_add_test (tc, test_receiver_pauses);
  tcase_add_test (tc, test_start_after_the_end);
  tcase_add_test (tc, test_large_buffers);
  return suite;
}

GST_CHECK_MAIN (udt_times);
