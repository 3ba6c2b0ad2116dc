/* udtsink and udtsrc, over 127.0.0.1 and ::1: data, caps, flags and times as
 * they were sent, ends, and coming back.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "udt-util.h"

#define H264_2                                                                 \
  "video/x-h264, stream-format=(string)byte-stream, "                          \
  "alignment=(string)au, width=(int)320, height=(int)240"

static void
check_frame (GstBuffer *buffer, guint number, gsize size, GstBufferFlags flags)
{
  const guint mask = GST_BUFFER_FLAG_DELTA_UNIT | GST_BUFFER_FLAG_MARKER
                     | GST_BUFFER_FLAG_DROPPABLE | GST_BUFFER_FLAG_HEADER;
  GstMapInfo map;

  fail_unless (buffer != NULL);
  fail_unless_equals_int (gst_buffer_get_size (buffer), size);
  fail_unless (gst_buffer_map (buffer, &map, GST_MAP_READ));
  /* The first byte is right, and each is as the one before: a check for each of
   * half a million would take its time. */
  fail_unless_equals_int (map.data[0], (guint8)number);
  fail_unless_equals_int (memcmp (map.data, map.data + 1, size - 1), 0);
  gst_buffer_unmap (buffer, &map);
  fail_unless_equals_int (GST_BUFFER_FLAGS (buffer) & mask, flags & mask);
}

static const GstBufferFlags some_flags[]
    = { 0, GST_BUFFER_FLAG_DELTA_UNIT,
        GST_BUFFER_FLAG_DELTA_UNIT | GST_BUFFER_FLAG_MARKER,
        GST_BUFFER_FLAG_DELTA_UNIT | GST_BUFFER_FLAG_DROPPABLE };

static GstCaps *
current_caps (GstHarness *harness)
{
  return gst_pad_get_current_caps (harness->sinkpad);
}

static void
fail_unless_caps (GstHarness *harness, const gchar *expected)
{
  GstCaps *caps = current_caps (harness), *wanted;

  wanted = gst_caps_from_string (expected);
  fail_unless (caps != NULL && gst_caps_is_equal (caps, wanted));
  gst_caps_unref (caps);
  gst_caps_unref (wanted);
}

static GstEvent *
pull_event_of_type (GstHarness *harness, GstEventType type)
{
  GstEvent *event;

  while ((event = gst_harness_pull_event (harness)) != NULL) {
    if (GST_EVENT_TYPE (event) == type)
      return event;
    gst_event_unref (event);
  }
  return NULL;
}

static void
run_stream (gboolean sink_listens, const gchar *host, const gchar *key)
{
  Pair pair = make_pair (sink_listens, host, key);
  GstClockTime first_pts = 0, first_dts = 0, last_dts = 0;
  GstEvent *event;
  guint i;

  gst_harness_set_src_caps_str (pair.sink, H264);
  wait_for_key_unit_request (pair.sink);
  for (i = 0; i < 20; i++) {
    GstBuffer *got;

    if (i == 10)
      gst_harness_set_src_caps_str (pair.sink, H264_2);
    fail_unless_equals_int (gst_harness_push (pair.sink,
                                              make_frame (i, 1000 + 3000 * i,
                                                          some_flags[i % 4])),
                            GST_FLOW_OK);
    got = gst_harness_pull (pair.src);
    check_frame (got, i, 1000 + 3000 * i, some_flags[i % 4]);
    fail_unless_caps (pair.src, i < 10 ? H264 : H264_2);
    if (i == 0) {
      first_pts = GST_BUFFER_PTS (got);
      first_dts = GST_BUFFER_DTS (got);
      fail_unless_equals_uint64 (first_pts - first_dts, 40 * GST_MSECOND);
      fail_unless (GST_BUFFER_FLAG_IS_SET (got, GST_BUFFER_FLAG_DISCONT));
    }
    /* The mapping of the clocks may be corrected on the way, never so that time
     * goes backwards. */
    fail_unless (GST_BUFFER_PTS (got) > GST_BUFFER_DTS (got));
    fail_unless (i == 0 || GST_BUFFER_DTS (got) > last_dts);
    fail_unless (ABS (GST_CLOCK_DIFF (first_pts + i * 40 * GST_MSECOND,
                                      GST_BUFFER_PTS (got)))
                 < (gint64)GST_SECOND);
    last_dts = GST_BUFFER_DTS (got);
    fail_unless_equals_uint64 (GST_BUFFER_DURATION (got), 40 * GST_MSECOND);
    gst_buffer_unref (got);
  }
  fail_unless (gst_harness_push_event (pair.sink, gst_event_new_eos ()));
  event = pull_event_of_type (pair.src, GST_EVENT_EOS);
  fail_unless (event != NULL);
  gst_event_unref (event);
  free_pair (&pair);
}

GST_START_TEST (test_sink_listens)
{
  run_stream (TRUE, "127.0.0.1", KEY);
}
GST_END_TEST;

GST_START_TEST (test_source_listens)
{
  run_stream (FALSE, "127.0.0.1", KEY);
}
GST_END_TEST;

/* As for any sink: nothing is taken behind the end until a flush, and then it
 * is a new stream, for whoever comes. */
GST_START_TEST (test_flush_after_the_end)
{
  Pair pair = make_pair (TRUE, "127.0.0.1", KEY);
  guint port = bound_port (pair.sink);
  GstSegment segment;
  GstEvent *event;
  GstBuffer *got;
  gchar *uri;

  gst_harness_set_src_caps_str (pair.sink, H264);
  wait_for_key_unit_request (pair.sink);
  gst_harness_push (pair.sink, make_frame (0, 1000, 0));
  gst_buffer_unref (gst_harness_pull (pair.src));
  fail_unless (gst_harness_push_event (pair.sink, gst_event_new_eos ()));
  event = pull_event_of_type (pair.src, GST_EVENT_EOS);
  fail_unless (event != NULL);
  gst_event_unref (event);
  fail_unless_equals_int (gst_harness_push (pair.sink, make_frame (1, 10, 0)),
                          GST_FLOW_EOS);
  gst_harness_teardown (pair.src);

  gst_harness_push_event (pair.sink, gst_event_new_flush_start ());
  fail_unless (
      gst_harness_push_event (pair.sink, gst_event_new_flush_stop (TRUE)));
  fail_unless_equals_int (bound_port (pair.sink), port);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  fail_unless (
      gst_harness_push_event (pair.sink, gst_event_new_segment (&segment)));
  uri = g_strdup_printf ("udt://127.0.0.1:%u", port);
  pair.src = make_end ("udtsrc", uri, KEY);
  g_free (uri);
  gst_harness_play (pair.src);
  wait_for_key_unit_request (pair.sink);
  fail_unless_equals_int (gst_harness_push (pair.sink, make_frame (2, 2000, 0)),
                          GST_FLOW_OK);
  got = gst_harness_pull (pair.src);
  check_frame (got, 2, 2000, 0);
  gst_buffer_unref (got);
  fail_unless_caps (pair.src, H264);
  free_pair (&pair);
}
GST_END_TEST;

GST_START_TEST (test_insecure)
{
  run_stream (TRUE, "127.0.0.1", NULL);
  run_stream (FALSE, "127.0.0.1", NULL);
}
GST_END_TEST;

GST_START_TEST (test_ipv6)
{
  run_stream (TRUE, "[::1]", KEY);
}
GST_END_TEST;

/* -- Pipelines ------------------------------------------------------------- */

static void
wait_for_eos (GstElement *pipeline)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message
      = gst_bus_timed_pop_filtered (bus, 30 * GST_SECOND,
                                    GST_MESSAGE_EOS | GST_MESSAGE_ERROR);

  fail_unless (message != NULL);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_EOS);
  gst_message_unref (message);
  gst_object_unref (bus);
}

G_GNUC_PRINTF (1, 2) static GstElement *launch (const gchar *format, ...)
{
  GError *error = NULL;
  GstElement *pipeline;
  va_list args;
  gchar *line;

  va_start (args, format);
  line = g_strdup_vprintf (format, args);
  va_end (args);
  pipeline = gst_parse_launch (line, &error);
  fail_unless (pipeline != NULL && error == NULL);
  g_free (line);
  return pipeline;
}

static guint
port_of (GstElement *pipeline)
{
  GstElement *element = gst_bin_get_by_name (GST_BIN (pipeline), "u");
  guint port;

  g_object_get (element, "bound-port", &port, NULL);
  gst_object_unref (element);
  return port;
}

/* A file, of which nothing may be missing, faster than any clock, to a receiver
 * that comes later. */
GST_START_TEST (test_file)
{
  gchar *in = NULL, *out = NULL, *bytes, *got;
  GstElement *sender, *receiver;
  const gsize size = 5000000;
  GRand *rand = g_rand_new_with_seed (3);
  gsize i, len;

  close (g_file_open_tmp ("udt-in-XXXXXX", &in, NULL));
  close (g_file_open_tmp ("udt-out-XXXXXX", &out, NULL));
  bytes = g_malloc (size);
  for (i = 0; i < size; i++)
    bytes[i] = (gchar)g_rand_int (rand);
  fail_unless (g_file_set_contents (in, bytes, size, NULL));

  sender = launch ("filesrc location=%s ! udtsink name=u deadline=0 "
                   "uri=\"udt://127.0.0.1:0?mode=listener\" key=" KEY,
                   in);
  fail_unless (gst_element_set_state (sender, GST_STATE_PLAYING)
               != GST_STATE_CHANGE_FAILURE);
  receiver = launch ("udtsrc uri=udt://127.0.0.1:%u key=" KEY
                     " ! filesink location=%s",
                     port_of (sender), out);
  fail_unless (gst_element_set_state (receiver, GST_STATE_PLAYING)
               != GST_STATE_CHANGE_FAILURE);
  wait_for_eos (sender);
  gst_element_set_state (sender, GST_STATE_NULL);
  wait_for_eos (receiver);
  gst_element_set_state (receiver, GST_STATE_NULL);
  fail_unless (g_file_get_contents (out, &got, &len, NULL));
  fail_unless_equals_int (len, size);
  fail_unless (memcmp (bytes, got, size) == 0);

  gst_object_unref (sender);
  gst_object_unref (receiver);
  g_unlink (in);
  g_unlink (out);
  g_free (in);
  g_free (out);
  g_free (bytes);
  g_free (got);
  g_rand_free (rand);
}
GST_END_TEST;

/* Downstream wants no more, and the application wants the end while nobody is
 * there: both are the end of the pipeline. */
GST_START_TEST (test_ends_of_the_receiver)
{
  Pair pair = make_pair (TRUE, "127.0.0.1", KEY);
  GstElement *receiver = launch ("udtsrc uri=udt://127.0.0.1:%u key=" KEY
                                 " ! identity eos-after=2 ! fakesink",
                                 bound_port (pair.sink));
  guint i;

  gst_harness_set_src_caps_str (pair.sink, H264);
  wait_for_key_unit_request (pair.sink);
  gst_element_set_state (receiver, GST_STATE_PLAYING);
  wait_for_key_unit_request (pair.sink);
  for (i = 0; i < 4; i++)
    gst_harness_push (pair.sink, make_frame (i, 100, 0));
  wait_for_eos (receiver);
  gst_element_set_state (receiver, GST_STATE_NULL);
  gst_object_unref (receiver);
  free_pair (&pair);

  receiver = launch ("udtsrc uri=\"udt://127.0.0.1:0?mode=listener\" key=" KEY
                     " ! fakesink");
  gst_element_set_state (receiver, GST_STATE_PLAYING);
  fail_unless (gst_element_send_event (receiver, gst_event_new_eos ()));
  wait_for_eos (receiver);
  gst_element_set_state (receiver, GST_STATE_NULL);
  gst_object_unref (receiver);
}
GST_END_TEST;

/* Of a file that waits for its first receiver, and of a sink that nothing is
 * linked to: an end that the application wants comes through. */
GST_START_TEST (test_end_without_receiver)
{
  static const gchar *const sources[] = {
    "fakesrc sizetype=2 ! application/x-test ! queue ! ",
    "videotestsrc ! video/x-raw,width=16,height=16 ! ",
    "",
  };
  guint i, k;

  for (i = 0; i < G_N_ELEMENTS (sources); i++) {
    GstElement *sender = launch ("pipeline. ( %s udtsink name=u key=" KEY
                                 " uri=\"udt://127.0.0.1:0?mode=listener\" )",
                                 sources[i]);

    /* Again: the last run's end is not this one's. */
    for (k = 0; k < 2; k++) {
      gst_element_set_state (sender, GST_STATE_PLAYING);
      fail_unless (gst_element_send_event (sender, gst_event_new_eos ()));
      wait_for_eos (sender);
      gst_element_set_state (sender, GST_STATE_READY);
    }
    gst_element_set_state (sender, GST_STATE_NULL);
    gst_object_unref (sender);
  }
}
GST_END_TEST;

static gint waits;

static void
count_waits (GstDebugCategory *category, GstDebugLevel level, const gchar *file,
             const gchar *function, gint line, GObject *object,
             GstDebugMessage *message, gpointer user)
{
  if (strcmp (gst_debug_message_get (message), "waiting for a peer") == 0)
    g_atomic_int_inc (&waits);
}

static gpointer
push_one (gpointer harness)
{
  return GINT_TO_POINTER (gst_harness_push (harness, make_frame (0, 50, 0)));
}

/* A frame may be waiting for a receiver already while the bin is still on its
 * way to PLAYING: that must not wait, too. Then PAUSED and PLAYING, and the
 * end. */
GST_START_TEST (test_wait_holds_up_no_state)
{
  GstHarness *h = make_end ("udtsink", "udt://127.0.0.1:0?mode=listener", KEY);
  GstElementClass *klass = GST_ELEMENT_GET_CLASS (h->element);
  GThread *thread;
  guint i;

  gst_debug_set_threshold_for_name ("udtsink", GST_LEVEL_LOG);
  gst_debug_remove_log_function (gst_debug_log_default);
  gst_debug_add_log_function (count_waits, NULL, NULL);
  gst_harness_set_src_caps_str (h, H264);
  gst_harness_set_live (h, FALSE);
  thread = g_thread_new ("push", push_one, h);
  while (g_atomic_int_get (&waits) == 0)
    g_thread_yield ();
  for (i = 0; i < 100; i++)
    fail_unless_equals_int (
        klass->change_state (h->element, GST_STATE_CHANGE_PAUSED_TO_PLAYING),
        GST_STATE_CHANGE_SUCCESS);
  for (i = 0; i < 100; i++) {
    fail_unless (gst_element_set_state (h->element, GST_STATE_PAUSED)
                 != GST_STATE_CHANGE_FAILURE);
    fail_unless (gst_element_set_state (h->element, GST_STATE_PLAYING)
                 != GST_STATE_CHANGE_FAILURE);
  }
  gst_element_set_state (h->element, GST_STATE_NULL);
  fail_unless_equals_int (GPOINTER_TO_INT (g_thread_join (thread)),
                          GST_FLOW_FLUSHING);
  gst_debug_remove_log_function (count_waits);
  gst_harness_teardown (h);
}
GST_END_TEST;

/* The sender goes and comes back: a new group, DISCONT, caps again, no EOS. */
GST_START_TEST (test_reconnect)
{
  GstHarness *sink, *src;
  guint port, group = 0, again = 0;
  GstBuffer *buffer;
  GstEvent *event;
  gchar *uri;

  src = make_end ("udtsrc", "udt://127.0.0.1:0?mode=listener", KEY);
  gst_harness_play (src);
  port = bound_port (src);
  uri = g_strdup_printf ("udt://127.0.0.1:%u", port);

  sink = make_end ("udtsink", uri, KEY);
  gst_harness_set_src_caps_str (sink, H264);
  gst_harness_play (sink);
  wait_for_key_unit_request (sink);
  fail_unless_equals_int (gst_harness_push (sink, make_frame (1, 100, 0)),
                          GST_FLOW_OK);
  buffer = gst_harness_pull (src);
  check_frame (buffer, 1, 100, 0);
  gst_buffer_unref (buffer);
  event = pull_event_of_type (src, GST_EVENT_STREAM_START);
  gst_event_parse_group_id (event, &group);
  gst_event_unref (event);
  gst_harness_teardown (sink);

  sink = make_end ("udtsink", uri, KEY);
  gst_harness_set_src_caps_str (sink, H264_2);
  gst_harness_play (sink);
  wait_for_key_unit_request (sink);
  fail_unless_equals_int (gst_harness_push (sink, make_frame (2, 100, 0)),
                          GST_FLOW_OK);
  buffer = gst_harness_pull (src);
  check_frame (buffer, 2, 100, 0);
  fail_unless (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DISCONT));
  gst_buffer_unref (buffer);
  event = pull_event_of_type (src, GST_EVENT_STREAM_START);
  gst_event_parse_group_id (event, &again);
  gst_event_unref (event);
  fail_unless (again != group);
  fail_unless_caps (src, H264_2);
  while ((event = gst_harness_try_pull_event (src)) != NULL) {
    fail_unless (GST_EVENT_TYPE (event) != GST_EVENT_EOS);
    gst_event_unref (event);
  }
  gst_harness_teardown (sink);
  gst_harness_teardown (src);
  g_free (uri);
}
GST_END_TEST;

GST_START_TEST (test_key_unit)
{
  Pair pair = make_pair (TRUE, "127.0.0.1", KEY);
  guint i;

  gst_harness_set_src_caps_str (pair.sink, H264);
  /* The first for the newcomer. */
  for (i = 0; i < 2; i++) {
    wait_for_key_unit_request (pair.sink);
    fail_unless_equals_int (gst_harness_push (pair.sink, make_frame (i, 50, 0)),
                            GST_FLOW_OK);
    gst_buffer_unref (gst_harness_pull (pair.src));
    fail_unless (gst_harness_push_upstream_event (
        pair.src,
        gst_event_new_custom (
            GST_EVENT_CUSTOM_UPSTREAM,
            gst_structure_new ("GstForceKeyUnit", "running-time",
                               GST_TYPE_CLOCK_TIME, GST_CLOCK_TIME_NONE,
                               "all-headers", G_TYPE_BOOLEAN, TRUE, "count",
                               G_TYPE_UINT, 0, NULL))));
  }
  free_pair (&pair);
}
GST_END_TEST;

#ifdef HAVE_WATERMARK
/* -- Behind a watermark queue ---------------------------------------------- */

static GstPadProbeReturn
hold (GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
  return GST_PAD_PROBE_OK;
}

/* The event of a mark; frees its message. */
static gchar *
mark_of (GstMessage *message, guint64 *level)
{
  const GstStructure *s = gst_message_get_structure (message);
  gchar *event = NULL;

  if (gst_structure_has_name (s, "iv-watermark")) {
    event = g_strdup (gst_structure_get_string (s, "event"));
    fail_unless (gst_structure_get_uint64 (s, "level-bytes", level));
  }
  gst_message_unref (message);
  return event;
}

static void
expect_mark (GstBus *bus, const gchar *expected, guint64 least, guint64 most)
{
  guint64 level = 0;
  gchar *event;

  while ((event = mark_of (gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE,
                                                       GST_MESSAGE_ELEMENT),
                           &level))
         == NULL)
    ;
  fail_unless_equals_string (event, expected);
  fail_unless (level >= least && level <= most);
  g_free (event);
}

/* First the network and the receiver take as much as they have room for, and
 * the level may rise and fall; high comes behind a warn in any case. */
static void
push_until_high (GstHarness *sink, GstBus *bus, guint64 least, guint64 most)
{
  gchar *event = NULL, *before = NULL;
  guint i;

  for (i = 0; g_strcmp0 (event, "high") != 0; i++) {
    GstMessage *message;

    gst_harness_push (sink, make_frame (i, 50000, 0));
    while (g_strcmp0 (event, "high") != 0
           && (message = gst_bus_pop_filtered (bus, GST_MESSAGE_ELEMENT))
                  != NULL) {
      guint64 level = 0;
      gchar *mark = mark_of (message, &level);

      if (mark == NULL)
        continue;
      g_free (before);
      before = event;
      event = mark;
      if (g_strcmp0 (event, "high") == 0)
        fail_unless (level >= least && level <= most);
    }
  }
  fail_unless_equals_string (before, "warn");
  g_free (before);
  g_free (event);
}

/* Without anybody, in NULL, and while all is taken, nothing is held. */
static void
expect_no_level (GstElement *sink)
{
  GstQuery *query
      = gst_query_new_custom (GST_QUERY_CUSTOM,
                              gst_structure_new_empty ("iv-sink-level"));
  guint64 level = 1;

  fail_unless (gst_element_query (sink, query));
  fail_unless (gst_structure_get_uint64 (gst_query_get_structure (query),
                                         "level-bytes", &level));
  fail_unless_equals_uint64 (level, 0);
  gst_query_unref (query);
}

/* The receiver takes nothing: what piles up in udtsink counts for the queue,
 * which drops long before the sink would let the receiver go. */
GST_START_TEST (test_watermark_queue)
{
  GstElement *bin, *udtsink;
  GstHarness *sink, *src;
  GError *error = NULL;
  GstBus *bus;
  gulong probe;
  gchar *uri;
  guint i;

  bin = gst_parse_bin_from_description (
      "iv-watermark-queue name=q when-full=drop low-watermark=100000 "
      "warn-watermark=200000 high-watermark=300000 ! "
      "udtsink name=u uri=\"udt://127.0.0.1:0?mode=listener\" deadline=0 "
      "key=" KEY,
      TRUE, &error);
  fail_unless (bin != NULL && error == NULL);
  udtsink = gst_bin_get_by_name (GST_BIN (bin), "u");
  expect_no_level (udtsink);
  bus = gst_bus_new ();
  sink = gst_harness_new_with_element (bin, "sink", NULL);
  gst_element_set_bus (bin, bus);
  gst_harness_use_systemclock (sink);
  gst_harness_play (sink);
  expect_no_level (udtsink);
  g_object_get (udtsink, "bound-port", &i, NULL);
  uri = g_strdup_printf ("udt://127.0.0.1:%u", i);
  src = make_end ("udtsrc", uri, KEY);
  probe
      = gst_pad_add_probe (GST_PAD_PEER (src->sinkpad),
                           GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER,
                           hold, NULL, NULL);
  gst_harness_play (src);
  gst_harness_set_src_caps_str (sink, H264);
  wait_for_key_unit_request (sink);
  push_until_high (sink, bus, 300001, 300000 + 100000);
  gst_pad_remove_probe (GST_PAD_PEER (src->sinkpad), probe);
  expect_mark (bus, "low", 0, 99999);
  gst_element_set_bus (bin, NULL);
  gst_harness_teardown (sink);
  gst_harness_teardown (src);
  gst_object_unref (bus);
  gst_object_unref (udtsink);
  gst_object_unref (bin);
  g_free (uri);
}
GST_END_TEST;
#endif

GST_START_TEST (test_stats)
{
  Pair pair = make_pair (TRUE, "127.0.0.1", KEY);
  GstStructure *stats = NULL;
  const GValue *peers = NULL;
  guint i;

  gst_harness_set_src_caps_str (pair.sink, H264);
  wait_for_key_unit_request (pair.sink);
  for (i = 0; peers == NULL || gst_value_array_get_size (peers) == 0; i++) {
    gst_clear_structure (&stats);
    gst_harness_push (pair.sink, make_frame (i, 50, 0));
    gst_buffer_unref (gst_harness_pull (pair.src));
    g_object_get (pair.sink->element, "stats", &stats, NULL);
    fail_unless (gst_structure_has_name (stats, "application/x-udt-stats"));
    peers = gst_structure_get_value (stats, "peers");
  }
  fail_unless (gst_structure_has_field (
      gst_value_get_structure (gst_value_array_get_value (peers, 0)),
      "rtt-us"));
  gst_structure_free (stats);
  free_pair (&pair);
}
GST_END_TEST;

static Suite *
udt_loopback_suite (void)
{
  Suite *suite = suite_create ("udt-loopback");
  TCase *tc = tcase_create ("general");

  suite_add_tcase (suite, tc);
  tcase_add_test (tc, test_sink_listens);
  tcase_add_test (tc, test_source_listens);
  tcase_add_test (tc, test_flush_after_the_end);
  tcase_add_test (tc, test_insecure);
  tcase_add_test (tc, test_ipv6);
  tcase_add_test (tc, test_file);
  tcase_add_test (tc, test_ends_of_the_receiver);
  tcase_add_test (tc, test_end_without_receiver);
  tcase_add_test (tc, test_wait_holds_up_no_state);
  tcase_add_test (tc, test_reconnect);
  tcase_add_test (tc, test_key_unit);
  tcase_add_test (tc, test_stats);
#ifdef HAVE_WATERMARK
  tcase_add_test (tc, test_watermark_queue);
#endif
  return suite;
}

GST_CHECK_MAIN (udt_loopback);
