/* p2psink and live sources: what goes out, and what comes back.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "sink-util.h"
#include <gst/video/video.h>
#include <string.h>

/* A live frame goes out at once, as it is: not copied, with its times, flags
 * and format. */
GST_START_TEST (test_live_frame)
{
  GstHarness *h = make_live ("video_0");
  GstBuffer *buffer = make_buffer ("frame", 5 * GST_SECOND);
  const FakePush *push;
  P2pStream *stream;
  GstMapInfo map;

  gst_harness_set_upstream_latency (h, 40 * GST_MSECOND);
  gst_element_send_event (h->element, gst_event_new_latency (50 * GST_MSECOND));
  gst_harness_set_src_caps_str (h, H264);
  gst_harness_set_time (h, 6 * GST_SECOND);
  GST_BUFFER_DTS (buffer) = 4 * GST_SECOND;
  GST_BUFFER_DURATION (buffer) = 33 * GST_MSECOND;
  GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT
                                   | GST_BUFFER_FLAG_MARKER
                                   | GST_BUFFER_FLAG_DROPPABLE);
  gst_buffer_map (buffer, &map, GST_MAP_READ);
  gst_buffer_unmap (buffer, &map);
  fail_unless_equals_int (gst_harness_push (h, buffer), GST_FLOW_OK);

  stream = fake_stream ("video_0");
  fail_unless (stream != NULL);
  fail_unless (strstr (fake_stream_caps (stream), "video/x-h264") != NULL);
  push = fake_stream_wait (stream, 1);
  assert_payload (push, "frame");
  fail_unless (g_bytes_get_data (push->payload, NULL) == map.data);
  fail_unless_equals_int64 (push->frame.pts, 5 * GST_SECOND);
  fail_unless_equals_int64 (push->frame.dts, 4 * GST_SECOND);
  fail_unless_equals_int64 (push->frame.duration, 33 * GST_MSECOND);
  fail_unless_equals_int64 (push->frame.sent, 6 * GST_SECOND);
  fail_unless_equals_int64 (push->frame.latency, 50 * GST_MSECOND);
  fail_unless_equals_int (push->frame.flags,
                          P2P_FRAME_DELTA_UNIT | P2P_FRAME_MARKER
                              | P2P_FRAME_DROPPABLE
                              | (push->frame.flags & P2P_FRAME_DISCONT));
  fail_unless (push->force);
  gst_harness_teardown (h);
}

GST_END_TEST;

/* Each flag crosses alone, and no other does. */
GST_START_TEST (test_flags)
{
  static const guint gst[]
      = { GST_BUFFER_FLAG_DELTA_UNIT,  GST_BUFFER_FLAG_DISCONT,
          GST_BUFFER_FLAG_HEADER,      GST_BUFFER_FLAG_MARKER,
          GST_BUFFER_FLAG_DROPPABLE,   GST_BUFFER_FLAG_GAP,
          GST_BUFFER_FLAG_DECODE_ONLY, GST_BUFFER_FLAG_CORRUPTED,
          GST_BUFFER_FLAG_LIVE };
  static const guint wire[]
      = { P2P_FRAME_DELTA_UNIT,  P2P_FRAME_DISCONT,   P2P_FRAME_HEADER,
          P2P_FRAME_MARKER,      P2P_FRAME_DROPPABLE, P2P_FRAME_GAP,
          P2P_FRAME_DECODE_ONLY, P2P_FRAME_CORRUPTED, 0 };
  GstHarness *h = make_live ("video_0");
  guint i;

  gst_harness_set_src_caps_str (h, H264);
  for (i = 0; i < G_N_ELEMENTS (gst); i++) {
    GstBuffer *buffer = make_buffer ("x", i * GST_SECOND);

    GST_BUFFER_FLAG_SET (buffer, gst[i]);
    gst_harness_push (h, buffer);
    fail_unless_equals_int (
        fake_stream_get (fake_stream ("video_0"), i)->frame.flags, wire[i]);
  }
  gst_harness_teardown (h);
}

GST_END_TEST;

/* Times before the segment's start are negative, not zero, and what nobody may
 * see is marked. */
GST_START_TEST (test_before_segment)
{
  GstHarness *h = make_live ("video_0");
  GstBuffer *buffer;
  GstSegment segment;
  const FakePush *push;

  gst_harness_set_src_caps_str (h, H264);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = 10 * GST_SECOND;
  gst_harness_push_event (h, gst_event_new_segment (&segment));

  buffer = make_buffer ("key", 10 * GST_SECOND);
  GST_BUFFER_DTS (buffer) = 9 * GST_SECOND;
  gst_harness_push (h, buffer);
  push = fake_stream_wait (fake_stream ("video_0"), 1);
  fail_unless_equals_int64 (push->frame.pts, 0);
  fail_unless_equals_int64 (push->frame.dts, -(gint64)GST_SECOND);
  fail_if (push->frame.flags & P2P_FRAME_DECODE_ONLY);

  gst_harness_push (h, make_buffer ("early", 8 * GST_SECOND));
  push = fake_stream_wait (fake_stream ("video_0"), 2);
  fail_unless_equals_int64 (push->frame.pts, -2 * (gint64)GST_SECOND);
  fail_unless (push->frame.flags & P2P_FRAME_DECODE_ONLY);
  fail_unless_equals_int64 (push->frame.dts, P2P_WIRE_TIME_NONE);
  gst_harness_teardown (h);
}

GST_END_TEST;

/* Bytes in a BYTES segment have no times. */
GST_START_TEST (test_bytes_have_no_time)
{
  GstHarness *h = make_live ("data_0");
  const FakePush *push;
  GstSegment segment;

  gst_harness_push_event (h, gst_event_new_stream_start ("bytes"));
  gst_segment_init (&segment, GST_FORMAT_BYTES);
  gst_harness_push_event (h, gst_event_new_segment (&segment));
  gst_harness_push (h, make_buffer ("bytes", 5));
  push = fake_stream_wait (fake_stream ("data_0"), 1);
  fail_unless_equals_int64 (push->frame.pts, P2P_WIRE_TIME_NONE);
  fail_unless_equals_int64 (push->frame.duration, P2P_WIRE_TIME_NONE);
  fail_unless (fake_stream_caps (fake_stream ("data_0")) == NULL);
  gst_harness_teardown (h);
}

GST_END_TEST;

/* A viewer that stalls must not drain the encoder's pool: such buffers are
 * copied. */
GST_START_TEST (test_pool_is_copied)
{
  GstHarness *h = make_live ("video_0");
  GstBufferPool *pool = gst_buffer_pool_new ();
  GstStructure *config = gst_buffer_pool_get_config (pool);
  const FakePush *push;
  GstBuffer *buffer;
  GstMapInfo map;

  gst_buffer_pool_config_set_params (config, NULL, 16, 1, 1);
  gst_buffer_pool_set_config (pool, config);
  gst_buffer_pool_set_active (pool, TRUE);
  gst_harness_set_src_caps_str (h, H264);
  fail_unless_equals_int (gst_buffer_pool_acquire_buffer (pool, &buffer, NULL),
                          GST_FLOW_OK);
  gst_buffer_memset (buffer, 0, 'p', 16);
  gst_buffer_map (buffer, &map, GST_MAP_READ);
  gst_buffer_unmap (buffer, &map);
  gst_harness_push (h, buffer);
  push = fake_stream_wait (fake_stream ("video_0"), 1);
  assert_payload (push, "pppppppppppppppp");
  fail_if (g_bytes_get_data (push->payload, NULL) == map.data);
  /* The pool's only buffer is back, while the session holds the bytes. */
  fail_unless_equals_int (gst_buffer_pool_acquire_buffer (pool, &buffer, NULL),
                          GST_FLOW_OK);
  gst_buffer_unref (buffer);
  gst_buffer_pool_set_active (pool, FALSE);
  gst_object_unref (pool);
  gst_harness_teardown (h);
}

GST_END_TEST;

/* Buffers of several memories and lists of buffers arrive whole. */
GST_START_TEST (test_memories_and_lists)
{
  GstHarness *h = make_live ("video_0");
  GstBufferList *list = gst_buffer_list_new ();
  GstBuffer *buffer = make_buffer ("one", 0);

  gst_harness_set_src_caps_str (h, H264);
  buffer = gst_buffer_append (buffer, make_buffer ("two", 0));
  gst_buffer_list_add (list, buffer);
  gst_buffer_list_add (list, make_buffer ("three", 1));
  fail_unless_equals_int (gst_pad_push_list (h->srcpad, list), GST_FLOW_OK);
  fail_unless_equals_int (fake_stream_count (fake_stream ("video_0")), 2);
  assert_payload (fake_stream_get (fake_stream ("video_0"), 0), "onetwo");
  assert_payload (fake_stream_get (fake_stream ("video_0"), 1), "three");
  gst_harness_teardown (h);
}

GST_END_TEST;

/* Formats that the pads do not take are refused where they are set. */
GST_START_TEST (test_formats)
{
  static const struct
  {
    const gchar *pad, *caps;
    gboolean taken;
  } cases[] = {
    { "video_0", H264, TRUE },
    { "video_0", "video/x-h265, stream-format=byte-stream, alignment=au",
      TRUE },
    { "video_0", "image/jpeg", TRUE },
    { "video_0", "video/x-h264, stream-format=avc, alignment=au", FALSE },
    { "video_0", "video/x-h264, stream-format=byte-stream, alignment=nal",
      FALSE },
    { "video_0", "video/x-h264", FALSE },
    { "video_0", "video/x-raw, format=I420, width=16, height=16", FALSE },
    { "audio_0", AAC, TRUE },
    { "audio_0", "audio/x-opus, rate=48000, channels=1", TRUE },
    { "audio_0", "audio/x-alaw, rate=8000, channels=1", TRUE },
    { "audio_0", "audio/x-mulaw, rate=8000, channels=1", TRUE },
    { "audio_0", "audio/mpeg, mpegversion=1, layer=3", FALSE },
    { "data_0", FLV, TRUE },
    { "data_0", "video/mpegts, packetsize=188", TRUE },
    { "data_0", "application/x-anything, n=5", TRUE },
    /* Which the receiver would refuse. */
    { "data_0", "application/x-odd, inner=(GstStructure)[a;]", FALSE },
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstHarness *h = make_live (cases[i].pad);
    GstCaps *caps = gst_caps_from_string (cases[i].caps);
    GstFlowReturn flow;

    fail_unless (caps != NULL, "%s", cases[i].caps);
    gst_harness_push_event (h, gst_event_new_stream_start ("formats"));
    /* Pushing would always say yes: the event is sticky. */
    fail_unless (gst_pad_send_event (GST_PAD_PEER (h->srcpad),
                                     gst_event_new_caps (caps))
                     == cases[i].taken,
                 "%s", cases[i].caps);
    gst_caps_unref (caps);
    if (!cases[i].taken && !g_str_has_prefix (cases[i].pad, "data")) {
      GstSegment segment;

      gst_segment_init (&segment, GST_FORMAT_TIME);
      gst_harness_push_event (h, gst_event_new_segment (&segment));
      flow = gst_harness_push (h, make_buffer ("x", 0));
      fail_unless_equals_int (flow, GST_FLOW_NOT_NEGOTIATED);
      fail_unless_equals_int (fake_stream_count (fake_stream (cases[i].pad)),
                              0);
    }
    gst_harness_teardown (h);
  }
}

GST_END_TEST;

/* A container's headers travel in the caps, for viewers that come later; the
 * buffers that repeat them are left out, once. */
GST_START_TEST (test_headers)
{
  static const guint8 first[] = { 0x46, 0x4c, 0x56, 0x01 };
  static const guint8 second[] = { 0x12, 0, 0 };
  GstHarness *h = make_live ("data_0");
  GstBuffer *buffer;
  guint round;

  gst_harness_set_src_caps_str (h, FLV);
  for (round = 0; round < 2; round++) {
    buffer = gst_buffer_new_memdup (first, sizeof (first));
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_HEADER);
    gst_harness_push (h, buffer);
    buffer = gst_buffer_new_memdup (second, sizeof (second));
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_HEADER);
    gst_harness_push (h, buffer);
    gst_harness_push (h, make_buffer ("tag", 0));
    /* The second time they are data: somebody wanted them there. */
    fail_unless_equals_int (fake_stream_count (fake_stream ("data_0")),
                            round == 0 ? 1 : 4);
  }
  assert_payload (fake_stream_get (fake_stream ("data_0"), 0), "tag");
  gst_harness_teardown (h);
}

GST_END_TEST;

/* A gap crosses as a frame without bytes that no decoder may begin with. */
GST_START_TEST (test_gap)
{
  GstHarness *h = make_live ("video_0");
  const FakePush *push;

  gst_harness_set_src_caps_str (h, H264);
  gst_harness_push_event (h, gst_event_new_gap (GST_SECOND, 2 * GST_SECOND));
  push = fake_stream_wait (fake_stream ("video_0"), 1);
  assert_payload (push, "");
  fail_unless_equals_int64 (push->frame.pts, GST_SECOND);
  fail_unless_equals_int64 (push->frame.duration, 2 * GST_SECOND);
  fail_unless_equals_int (push->frame.flags, P2P_FRAME_GAP
                                                 | P2P_FRAME_DELTA_UNIT
                                                 | P2P_FRAME_DROPPABLE);
  gst_harness_teardown (h);
}

GST_END_TEST;

/* A live stream never waits for a viewer: it says so to the session. */
GST_START_TEST (test_live_is_forced)
{
  GstHarness *h = make_live ("data_0");

  gst_harness_set_src_caps_str (h, "application/x-meta");
  fake_stream_set_full (fake_stream ("data_0"), TRUE);
  fail_unless_equals_int (gst_harness_push (h, make_buffer ("x", 0)),
                          GST_FLOW_OK);
  fail_unless (fake_stream_wait (fake_stream ("data_0"), 1)->force);
  gst_harness_teardown (h);
}

GST_END_TEST;

/* A viewer's wish for a key unit goes upstream, on its own pad. */
GST_START_TEST (test_key_unit)
{
  GstHarness *h = make_live ("video_0");
  GstEvent *event;
  gboolean all_headers;

  gst_harness_set_src_caps_str (h, H264);
  fake_stream_key_unit (fake_stream ("video_0"), TRUE);
  do {
    event = gst_harness_pull_upstream_event (h);
    fail_unless (event != NULL);
    if (gst_video_event_is_force_key_unit (event))
      break;
    gst_event_unref (event);
  } while (TRUE);
  fail_unless (gst_video_event_parse_upstream_force_key_unit (event, NULL,
                                                              &all_headers,
                                                              NULL));
  fail_unless (all_headers);
  gst_event_unref (event);
  gst_harness_teardown (h);
}

GST_END_TEST;

/* The slowest live input decides how long all wait. */
GST_START_TEST (test_latency)
{
  GstElement *sink = make_sink ();
  GstHarness *video = gst_harness_new_with_element (sink, "video_0", NULL);
  GstHarness *audio = gst_harness_new_with_element (sink, "audio_0", NULL);
  GstQuery *query = gst_query_new_latency ();
  GstClockTime min;
  gboolean live;

  gst_harness_set_upstream_latency (video, 30 * GST_MSECOND);
  gst_harness_set_upstream_latency (audio, 70 * GST_MSECOND);
  fail_unless (gst_element_query (sink, query));
  gst_query_parse_latency (query, &live, &min, NULL);
  fail_unless (live);
  fail_unless_equals_uint64 (min, 70 * GST_MSECOND);
  gst_query_unref (query);
  gst_harness_teardown (audio);
  gst_harness_teardown (video);
  gst_object_unref (sink);
}

GST_END_TEST;

#ifdef HAVE_WATERMARK
static void
expect_mark (GstBus *bus, const gchar *event, guint64 bytes)
{
  GstMessage *message = gst_bus_timed_pop_filtered (bus, 30 * GST_SECOND,
                                                    GST_MESSAGE_ELEMENT);
  const GstStructure *s = gst_message_get_structure (message);
  guint64 level;

  fail_unless (gst_structure_has_name (s, "iv-watermark"));
  fail_unless_equals_string (gst_structure_get_string (s, "event"), event);
  fail_unless (gst_structure_get_uint64 (s, "level-bytes", &level));
  /* What is being pushed may count for the queue still. */
  fail_unless (level >= bytes && level <= bytes + strlen ("frame"));
  gst_message_unref (message);
}

/* A watermark queue in front counts what the least backlogged viewer waits
 * for. */
GST_START_TEST (test_behind_watermark_queue)
{
  GstElement *bin = gst_bin_new (NULL), *sink = make_sink ();
  GstElement *queue = gst_element_factory_make ("iv-watermark-queue", NULL);
  GstBus *bus = gst_bus_new ();
  GstHarness *h;
  GstPad *pad;

  fail_unless (queue != NULL);
  g_object_set (queue, "low-watermark", 100, "warn-watermark", 1000,
                "high-watermark", 3000, NULL);
  gst_bin_add_many (GST_BIN (bin), queue, sink, NULL);
  fail_unless (gst_element_link_pads (queue, "src", sink, "video_0"));
  pad = gst_element_get_static_pad (queue, "sink");
  gst_element_add_pad (bin, gst_ghost_pad_new ("sink", pad));
  gst_object_unref (pad);
  h = gst_harness_new_with_element (bin, "sink", NULL);
  gst_element_set_bus (bin, bus);
  gst_harness_set_src_caps_str (h, H264);
  fake_stream_set_backlog (fake_stream ("video_0"), 2000, 90000);
  gst_harness_push (h, make_buffer ("frame", 0));
  expect_mark (bus, "warn", 2000);
  fake_stream_set_backlog (fake_stream ("video_0"), 3001, 90000);
  expect_mark (bus, "high", 3001);
  fake_stream_set_backlog (fake_stream ("video_0"), 0, 90000);
  expect_mark (bus, "low", 0);
  fake_stream_set_backlog (fake_stream ("video_0"), 0, 0);
  gst_element_set_bus (bin, NULL);
  gst_harness_teardown (h);
  gst_object_unref (bus);
  gst_object_unref (bin);
}

GST_END_TEST;
#endif

/* How much the least backlogged viewer still has to get: of the element, and of
 * one pad. */
GST_START_TEST (test_sink_level)
{
  GstElement *sink = make_sink ();
  GstHarness *video = gst_harness_new_with_element (sink, "video_0", NULL);
  GstHarness *audio = gst_harness_new_with_element (sink, "audio_0", NULL);
  GstQuery *query;
  guint64 level;

  fake_stream_set_backlog (fake_stream ("video_0"), 1000, 5000);
  fake_stream_set_backlog (fake_stream ("audio_0"), 20, 30);
  query = gst_query_new_custom (GST_QUERY_CUSTOM,
                                gst_structure_new_empty ("iv-sink-level"));
  fail_unless (gst_element_query (sink, query));
  fail_unless (gst_structure_get_uint64 (gst_query_get_structure (query),
                                         "level-bytes", &level));
  fail_unless_equals_uint64 (level, 1020);
  fail_unless (gst_pad_peer_query (audio->srcpad, query));
  fail_unless (gst_structure_get_uint64 (gst_query_get_structure (query),
                                         "level-bytes", &level));
  fail_unless_equals_uint64 (level, 20);
  gst_query_unref (query);
  /* Nobody waits for these at teardown. */
  fake_stream_set_backlog (fake_stream ("video_0"), 0, 0);
  fake_stream_set_backlog (fake_stream ("audio_0"), 0, 0);
  gst_harness_teardown (audio);
  gst_harness_teardown (video);
  gst_object_unref (sink);
}

GST_END_TEST;

static Suite *
sink_suite (void)
{
  Suite *suite = suite_create ("p2psink, live");
  TCase *tcase = tcase_create ("sink");

  GST_ELEMENT_REGISTER (p2psink, NULL);
  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_live_frame);
  tcase_add_test (tcase, test_flags);
  tcase_add_test (tcase, test_before_segment);
  tcase_add_test (tcase, test_bytes_have_no_time);
  tcase_add_test (tcase, test_pool_is_copied);
  tcase_add_test (tcase, test_memories_and_lists);
  tcase_add_test (tcase, test_formats);
  tcase_add_test (tcase, test_headers);
  tcase_add_test (tcase, test_gap);
  tcase_add_test (tcase, test_live_is_forced);
  tcase_add_test (tcase, test_key_unit);
  tcase_add_test (tcase, test_latency);
  tcase_add_test (tcase, test_sink_level);
#ifdef HAVE_WATERMARK
  tcase_add_test (tcase, test_behind_watermark_queue);
#endif
  return suite;
}

GST_CHECK_MAIN (sink);
