/* p2psrc and data: what its pads push, in which order and at which times.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "source-util.h"
#include <gst/video/video.h>
#include <string.h>

/* Pads come with everything that belongs before data, once all streams are
 * known; the series ends when the last has its format. */
GST_START_TEST (test_pads)
{
  P2pInStream *video, *audio;
  GstMessage *message;
  GstStreamCollection *collection = NULL;
  GstEvent *event;
  gchar *peer;
  guint request;
  GstPad *pad;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = fake_open ("video_0", P2P_WIRE_VIDEO, 1);
  audio = fake_open ("audio_0", P2P_WIRE_AUDIO, 1);
  fake_caps (video, H264);
  fake_complete ();
  expect (&rig, "element", "added video_0");
  expect_start (&rig, "video_0", "video/x-h264");
  fake_caps (audio, AAC);
  expect (&rig, "element", "added audio_0");
  expect (&rig, "element", "no-more-pads");
  expect_start (&rig, "audio_0", "audio/mpeg");

  message = gst_bus_pop_filtered (rig.bus, GST_MESSAGE_STREAM_COLLECTION);
  fail_unless (message != NULL);
  gst_message_parse_stream_collection (message, &collection);
  fail_unless_equals_int (gst_stream_collection_get_size (collection), 2);
  gst_object_unref (collection);
  gst_message_unref (message);

  pad = gst_element_get_static_pad (rig.src, "audio_0");
  event = gst_pad_get_sticky_event (pad, GST_EVENT_STREAM_COLLECTION, 0);
  fail_unless (event != NULL);
  gst_event_unref (event);
  g_object_get (pad, "peer", &peer, "request", &request, NULL);
  fail_unless_equals_string (peer, "peer-1");
  fail_unless_equals_int (request, 3);
  g_free (peer);
  gst_object_unref (pad);
  rig_close (&rig, video, audio);
}

GST_END_TEST;

/* Whoever links the first pad that comes gets the picture, whatever order the
 * device has opened its streams in; a stream without a format, or with one that
 * is not taken, keeps no other back. */
GST_START_TEST (test_order_of_pads)
{
  static const gchar *const names[]
      = { "data_0", "audio_0", "video_10", "video_9", "video_0", "video_1" };
  static const gchar *const caps[]
      = { "text/plain", AAC, H264, H264, NULL, "video/x-raw" };
  static const gchar *const order[]
      = { "video_9", "video_10", "audio_0", "data_0" };
  static const P2pWireKind kinds[]
      = { P2P_WIRE_DATA,  P2P_WIRE_AUDIO, P2P_WIRE_VIDEO,
          P2P_WIRE_VIDEO, P2P_WIRE_VIDEO, P2P_WIRE_VIDEO };
  P2pInStream *streams[G_N_ELEMENTS (names)];
  guint i, round;
  gchar *line;
  Rig rig;

  for (round = 0; round < 20; round++) {
    rig_open (&rig);
    rig_play (&rig);
    for (i = 0; i < G_N_ELEMENTS (names); i++) {
      streams[i] = fake_open (names[i], kinds[i], 1);
      if (caps[i] != NULL)
        fake_caps (streams[i], caps[i]);
    }
    fake_complete ();
    for (i = 0; i < G_N_ELEMENTS (order); i++) {
      line = g_strconcat ("added ", order[i], NULL);
      expect (&rig, "element", line);
      g_free (line);
    }
    fake_caps (streams[4], H264);
    expect (&rig, "element", "added video_0");
    expect (&rig, "element", "no-more-pads");
    for (i = 2; i < G_N_ELEMENTS (names); i++)
      p2p_in_stream_unref (streams[i]);
    rig_close (&rig, streams[0], streams[1]);
  }
}

GST_END_TEST;

/* All pads of a session are one group; the next session's another. */
GST_START_TEST (test_groups)
{
  P2pInStream *video, *audio;
  GstPad *pads[2];
  guint groups[3], i;
  GstEvent *event;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = fake_open ("video_0", P2P_WIRE_VIDEO, 1);
  audio = fake_open ("audio_0", P2P_WIRE_AUDIO, 1);
  fake_complete ();
  fake_caps (video, H264);
  fake_caps (audio, AAC);
  expect_start (&rig, "video_0", "video/x-h264");
  expect_start (&rig, "audio_0", "audio/mpeg");
  pads[0] = gst_element_get_static_pad (rig.src, "video_0");
  pads[1] = gst_element_get_static_pad (rig.src, "audio_0");
  for (i = 0; i < 2; i++) {
    event = gst_pad_get_sticky_event (pads[i], GST_EVENT_STREAM_START, 0);
    fail_unless (gst_event_parse_group_id (event, &groups[i]));
    gst_event_unref (event);
  }
  fail_unless_equals_int (groups[0], groups[1]);

  fake_close (video, TRUE);
  video = fake_open ("video_0", P2P_WIRE_VIDEO, 2);
  fake_caps (video, H264);
  fake_complete ();
  expect_start (&rig, "video_0", "video/x-h264");
  event = gst_pad_get_sticky_event (pads[0], GST_EVENT_STREAM_START, 0);
  fail_unless (gst_event_parse_group_id (event, &groups[2]));
  gst_event_unref (event);
  fail_if (groups[2] == groups[0]);
  gst_object_unref (pads[0]);
  gst_object_unref (pads[1]);
  rig_close (&rig, video, audio);
}

GST_END_TEST;

/* A frame keeps its bytes (the same memory), flags and duration; differences of
 * times survive exactly. */
GST_START_TEST (test_frame)
{
  static const gchar bytes[] = "key";
  GBytes *payload = g_bytes_new_static (bytes, 3);
  P2pWireFrame frame = {
    0,
  };
  GstClockTime start;
  gint64 arrival_us;
  P2pInStream *video;
  GstBuffer *buffer;
  GstMapInfo map;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = open_video (&rig);
  frame.pts = 1000 * (gint64)GST_SECOND;
  frame.dts = frame.pts - 40 * (gint64)GST_MSECOND;
  frame.sent = frame.pts;
  frame.duration = 20 * GST_MSECOND;
  frame.flags = P2P_FRAME_MARKER;
  arrival_us = g_get_monotonic_time ();
  fake_frame (video, payload, &frame, arrival_us, FALSE);
  /* It came in the first 40 ms, so decoding begins before zero. */
  expect (&rig, "video_0", "segment 1");
  expect (&rig, "video_0", "key discont");
  buffer = last_buffer (&rig);
  fail_unless (gst_buffer_map (buffer, &map, GST_MAP_READ));
  fail_unless (map.data == (gconstpointer)bytes);
  gst_buffer_unmap (buffer, &map);
  fail_unless_equals_uint64 (GST_BUFFER_DURATION (buffer), 20 * GST_MSECOND);
  fail_unless (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_MARKER));
  fail_unless_equals_uint64 (GST_BUFFER_PTS (buffer) - GST_BUFFER_DTS (buffer),
                             40 * GST_MSECOND);
  start = GST_BUFFER_PTS (buffer);
  gst_buffer_unref (buffer);

  frame.pts += 33333333;
  frame.dts += 33333333;
  frame.sent += 33333333;
  frame.flags = DELTA;
  fake_frame (video, payload, &frame, arrival_us + 33333, FALSE);
  expect (&rig, "video_0", "key delta");
  buffer = last_buffer (&rig);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (buffer) - start, 33333333);
  gst_buffer_unref (buffer);
  g_bytes_unref (payload);
  rig_close (&rig, video, NULL);
}

GST_END_TEST;

/* What belonged together at the sender belongs together here, whichever of the
 * streams was first: one mapping for all, and the sender's latency counted. */
GST_START_TEST (test_lip_sync)
{
  GBytes *payload = g_bytes_new_static ("x", 1);
  P2pInStream *video, *audio;
  P2pWireFrame frame = {
    0,
  };
  GstClockTime times[2];
  gint64 arrival_us;
  GstBuffer *buffer;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = fake_open ("video_0", P2P_WIRE_VIDEO, 1);
  audio = fake_open ("audio_0", P2P_WIRE_AUDIO, 1);
  fake_complete ();
  fake_caps (video, H264);
  fake_caps (audio, AAC);
  expect_start (&rig, "video_0", "video/x-h264");
  expect_start (&rig, "audio_0", "audio/mpeg");
  frame.dts = frame.duration = P2P_WIRE_TIME_NONE;
  frame.pts = 50 * (gint64)GST_SECOND;
  frame.latency = 2 * GST_SECOND;
  frame.sent = 51 * (gint64)GST_SECOND;
  arrival_us = g_get_monotonic_time ();
  fake_frame (audio, payload, &frame, arrival_us, FALSE);
  expect (&rig, "audio_0", "x discont");
  buffer = last_buffer (&rig);
  times[0] = GST_BUFFER_PTS (buffer);
  gst_buffer_unref (buffer);
  /* The same moment of the sender, encoded later, arrives later. */
  frame.sent = 52 * (gint64)GST_SECOND;
  fake_frame (video, payload, &frame, arrival_us + G_USEC_PER_SEC, FALSE);
  expect (&rig, "video_0", "x discont");
  buffer = last_buffer (&rig);
  times[1] = GST_BUFFER_PTS (buffer);
  gst_buffer_unref (buffer);
  fail_unless_equals_uint64 (times[0], times[1]);
  /* Sent a second before it is due: here a second after arrival. */
  fail_unless (times[0] >= GST_SECOND && times[0] < 2 * GST_SECOND);
  g_bytes_unref (payload);
  rig_close (&rig, video, audio);
}

GST_END_TEST;

/* In PAUSED nothing flows; what came meanwhile is not lost to the decoder, only
 * what is too old for the latency is, where newer frames can stand alone. */
GST_START_TEST (test_paused)
{
  P2pInStream *video;
  Rig rig;

  rig_open (&rig);
  gst_element_set_state (rig.src, GST_STATE_PAUSED);
  video = open_video (&rig);
  send_frame (video, "old-key", 0, 0, 900000);
  send_frame (video, "old", 0, DELTA, 800000);
  send_frame (video, "new-key", 0, 0, 1000);
  send_frame (video, "new", 0, DELTA, 1000);
  rig_play (&rig);
  expect (&rig, "video_0", "segment 1");
  expect (&rig, "video_0", "new-key discont");
  expect (&rig, "video_0", "new delta");
  rig_close (&rig, video, NULL);
}

GST_END_TEST;

/* A key unit that downstream wants is asked of the sender, for that stream. */
GST_START_TEST (test_key_unit)
{
  P2pInStream *video;
  GstEvent *event;
  GstPad *peer;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = open_video (&rig);
  send_frame (video, "key", 0, 0, 0);
  expect (&rig, "video_0", "key discont");
  peer = g_hash_table_lookup (rig.peers, "video_0");
  event = gst_video_event_new_upstream_force_key_unit (GST_CLOCK_TIME_NONE,
                                                       TRUE, 1);
  fail_unless (gst_pad_push_event (peer, event));
  fake_wait_key_units (video, 1);
  event = gst_event_new_seek (1.0, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH,
                              GST_SEEK_TYPE_SET, 0, GST_SEEK_TYPE_NONE, 0);
  fail_if (gst_pad_push_event (peer, event));
  fail_unless_equals_int (fake_key_units (video), 1);
  rig_close (&rig, video, NULL);
}

GST_END_TEST;

/* Downstream is blocked: a live stream forgets what is too old, goes on with a
 * keyframe, and asks for one if there is none. */
GST_START_TEST (test_live_forgets)
{
  P2pInStream *video;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = open_video (&rig);
  rig_block (&rig, TRUE);
  send_frame (video, "k0", 0, 0, 10000000);
  expect (&rig, "video_0", "segment 10");
  expect (&rig, "video_0", "k0 discont");
  /* The task is blocked with k0; these wait. */
  fail_unless (send_frame (video, "d1", 1, DELTA, 9000000));
  fail_unless (send_frame (video, "k2", 2, 0, 5000000));
  fail_unless (send_frame (video, "d3", 3, DELTA, 4000000));
  fail_unless_equals_int (fake_key_units (video), 0);
  /* Too long a time with one keyframe only, itself too old. */
  fail_unless (send_frame (video, "d4", 4, DELTA, 0));
  fail_unless_equals_int (fake_key_units (video), 1);
  fail_unless (send_frame (video, "d5", 5, DELTA, 0));
  fail_unless (send_frame (video, "k6", 6, 0, 0));
  rig_block (&rig, FALSE);
  expect (&rig, "video_0", "k6 discont");
  rig_close (&rig, video, NULL);
}

GST_END_TEST;

/* Data is never dropped: the session is told to hold it, and to go on. */
GST_START_TEST (test_data_is_held)
{
  P2pInStream *data;
  GBytes *big = g_bytes_new_take (g_malloc0 (600000), 600000);
  P2pWireFrame frame = {
    0,
  };
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  data = fake_open ("data_0", P2P_WIRE_DATA, 1);
  fake_complete ();
  frame.pts = frame.dts = frame.duration = P2P_WIRE_TIME_NONE;
  rig_block (&rig, TRUE);
  fail_unless (send_frame (data, "small", 0, 0, 0));
  /* No format: none was declared. */
  expect_start (&rig, "data_0", NULL);
  expect (&rig, "data_0", "small discont");
  fail_unless (fake_frame (data, big, &frame, g_get_monotonic_time (), FALSE));
  fail_if (fake_frame (data, big, &frame, g_get_monotonic_time (), FALSE));
  rig_block (&rig, FALSE);
  fake_wait_resumed (data, 1);
  fail_unless (fake_frame (data, big, &frame, g_get_monotonic_time (), FALSE));
  g_bytes_unref (big);
  rig_close (&rig, data, NULL);
}

GST_END_TEST;

/* A container's headers come from its caps, to each viewer first. */
GST_START_TEST (test_headers)
{
  P2pInStream *data;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  data = fake_open ("data_0", P2P_WIRE_DATA, 1);
  fake_complete ();
  fake_caps (data, "video/x-flv, streamheader=(buffer)< 4142, 4344 >");
  expect_start (&rig, "data_0", "video/x-flv");
  send_frame (data, "tag", 0, 0, 0);
  expect (&rig, "data_0", "AB discont header");
  expect (&rig, "data_0", "CD header");
  expect (&rig, "data_0", "tag");
  rig_close (&rig, data, NULL);
}

GST_END_TEST;

/* A gap moves the stream on without data. */
GST_START_TEST (test_gap)
{
  P2pInStream *video;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = open_video (&rig);
  send_frame (video, "", 0, P2P_FRAME_GAP | DELTA, 0);
  expect (&rig, "video_0", "gap");
  rig_close (&rig, video, NULL);
}

GST_END_TEST;

/* EOS of one stream is EOS of its pad; the sender may begin it again. */
GST_START_TEST (test_eos_of_one)
{
  P2pInStream *video, *audio;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = fake_open ("video_0", P2P_WIRE_VIDEO, 1);
  audio = fake_open ("audio_0", P2P_WIRE_AUDIO, 1);
  fake_complete ();
  fake_caps (video, H264);
  fake_caps (audio, AAC);
  expect_start (&rig, "video_0", "video/x-h264");
  expect_start (&rig, "audio_0", "audio/mpeg");
  send_frame (video, "last", 1, 0, 0);
  fake_end (video);
  expect (&rig, "video_0", "last discont");
  expect (&rig, "video_0", "eos");
  send_frame (audio, "on", 1, 0, 0);
  expect (&rig, "audio_0", "on discont");
  send_frame (video, "again", 2, 0, 0);
  expect_start (&rig, "video_0", "video/x-h264");
  expect (&rig, "video_0", "again discont");
  rig_close (&rig, video, audio);
}

GST_END_TEST;

/* EOS sent to the element (gst-launch-1.0 -e) ends every pad. */
GST_START_TEST (test_eos_from_the_application)
{
  P2pInStream *video;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = open_video (&rig);
  send_frame (video, "key", 0, 0, 0);
  expect (&rig, "video_0", "key discont");
  fail_unless (gst_element_send_event (rig.src, gst_event_new_eos ()));
  expect (&rig, "video_0", "eos");
  /* Nothing more is asked of the device. */
  fail_if (fake_has_request ());
  rig_close (&rig, video, NULL);
}

GST_END_TEST;

/* In a session that is being made, before anything came: the end is said at
 * once, also by a sink that waits for a pad and will never see it end. */
GST_START_TEST (test_eos_before_streams)
{
  P2pInStream *video, *audio;
  GstMessage *message;
  gboolean early;
  Rig rig;

  for (early = FALSE; early <= TRUE; early++) {
    rig_open (&rig);
    if (early)
      fail_unless (gst_element_send_event (rig.src, gst_event_new_eos ()));
    rig_play (&rig);
    if (!early) {
      /* It has no format yet, so no pad. */
      video = fake_open ("video_0", P2P_WIRE_VIDEO, 1);
      fail_unless (gst_element_send_event (rig.src, gst_event_new_eos ()));
      p2p_in_stream_unref (video);
    }
    fail_if (fake_has_request ());
    message = gst_bus_pop_filtered (rig.bus, GST_MESSAGE_ERROR);
    fail_unless (message != NULL);
    gst_message_unref (message);
    /* It is forgotten with the run that it ended. */
    gst_element_set_state (rig.src, GST_STATE_READY);
    rig_play (&rig);
    audio = fake_open ("audio_0", P2P_WIRE_AUDIO, 1);
    fake_complete ();
    fake_caps (audio, AAC);
    expect_start (&rig, "audio_0", "audio/mpeg");
    rig_close (&rig, audio, NULL);
  }
}

GST_END_TEST;

/* Pads end that are not there yet, and those in PAUSED; the device is not asked
 * for more; and what it still sends does not begin anew. */
GST_START_TEST (test_eos_in_paused)
{
  P2pInStream *video, *audio;
  GstEvent *eos = gst_event_new_eos (), *seen;
  guint32 seqnum = gst_event_get_seqnum (eos);
  GstPad *peer;
  Rig rig;

  rig_open (&rig);
  gst_element_set_state (rig.src, GST_STATE_PAUSED);
  video = fake_open ("video_0", P2P_WIRE_VIDEO, 1);
  audio = fake_open ("audio_0", P2P_WIRE_AUDIO, 1);
  fake_caps (video, H264);
  fake_caps (audio, AAC);
  send_frame (video, "unseen", 0, 0, 0);
  /* The streams are not complete: no pad so far. */
  fail_unless (gst_element_send_event (rig.src, eos));
  fail_if (fake_has_request ());
  expect_start (&rig, "video_0", "video/x-h264");
  expect (&rig, "video_0", "eos");
  expect_start (&rig, "audio_0", "audio/mpeg");
  expect (&rig, "audio_0", "eos");
  expect (&rig, "element", "added video_0");
  expect (&rig, "element", "added audio_0");
  expect (&rig, "element", "no-more-pads");
  peer = gst_element_get_static_pad (rig.src, "audio_0");
  seen = gst_pad_get_sticky_event (peer, GST_EVENT_EOS, 0);
  fail_unless_equals_int (gst_event_get_seqnum (seen), seqnum);
  gst_event_unref (seen);
  gst_object_unref (peer);
  rig_close (&rig, video, audio);
}

GST_END_TEST;

static void
expect_error (Rig *rig, GQuark domain, gint code)
{
  GstMessage *message = gst_bus_timed_pop_filtered (rig->bus, 30 * GST_SECOND,
                                                    GST_MESSAGE_ERROR);
  GError *error = NULL;

  fail_unless (message != NULL);
  gst_message_parse_error (message, &error, NULL);
  fail_unless (g_error_matches (error, domain, code), "%s", error->message);
  g_error_free (error);
  gst_message_unref (message);
}

static void
open_two (Rig *rig, P2pInStream **video, P2pInStream **audio)
{
  rig_open (rig);
  rig_play (rig);
  *video = fake_open ("video_0", P2P_WIRE_VIDEO, 1);
  *audio = fake_open ("audio_0", P2P_WIRE_AUDIO, 1);
  fake_complete ();
  fake_caps (*video, H264);
  fake_caps (*audio, AAC);
  expect_start (rig, "video_0", "video/x-h264");
  expect_start (rig, "audio_0", "audio/mpeg");
}

/* Downstream of one pad wants no more: that pad ends, and stays so whatever
 * comes; the other goes on until its own is done. */
GST_START_TEST (test_eos_from_downstream)
{
  P2pInStream *video, *audio;
  Rig rig;

  open_two (&rig, &video, &audio);
  rig_set_flow (&rig, GST_FLOW_EOS);
  send_frame (video, "enough", 1, 0, 0);
  expect (&rig, "video_0", "enough discont");
  expect (&rig, "video_0", "eos");
  rig_set_flow (&rig, GST_FLOW_OK);
  send_frame (video, "more", 2, 0, 0);
  fake_close (video, TRUE);
  video = fake_open ("video_0", P2P_WIRE_VIDEO, 1);
  fake_caps (video, H264);
  fake_complete ();
  send_frame (video, "again", 3, 0, 0);
  fake_end (video);
  send_frame (audio, "on", 1, 0, 0);
  expect (&rig, "audio_0", "on discont");
  rig_set_flow (&rig, GST_FLOW_EOS);
  send_frame (audio, "enough", 2, 0, 0);
  expect (&rig, "audio_0", "enough");
  expect (&rig, "audio_0", "eos");
  fail_unless (gst_bus_pop_filtered (rig.bus, GST_MESSAGE_ERROR) == NULL);
  /* It can still go; nothing of it was pushed behind its end. */
  fake_close (video, FALSE);
  expect (&rig, "element", "added video_0");
  expect (&rig, "element", "added audio_0");
  expect (&rig, "element", "no-more-pads");
  expect (&rig, "element", "removed video_0");
  rig_expect_nothing (&rig, "video_0");
  rig_close (&rig, audio, NULL);
}

GST_END_TEST;

/* Data that is held back for a pad that ends is let go. */
GST_START_TEST (test_eos_lets_go)
{
  GBytes *big = g_bytes_new_take (g_malloc0 (600000), 600000);
  P2pWireFrame frame = {
    0,
  };
  P2pInStream *data;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  data = fake_open ("data_0", P2P_WIRE_DATA, 1);
  fake_complete ();
  frame.pts = frame.dts = frame.duration = P2P_WIRE_TIME_NONE;
  rig_block (&rig, TRUE);
  rig_set_flow (&rig, GST_FLOW_EOS);
  send_frame (data, "small", 0, 0, 0);
  expect_start (&rig, "data_0", NULL);
  expect (&rig, "data_0", "small discont");
  fail_unless (fake_frame (data, big, &frame, g_get_monotonic_time (), FALSE));
  fail_if (fake_frame (data, big, &frame, g_get_monotonic_time (), FALSE));
  rig_block (&rig, FALSE);
  expect (&rig, "data_0", "eos");
  fake_wait_resumed (data, 1);
  fail_unless (fake_frame (data, big, &frame, g_get_monotonic_time (), FALSE));
  g_bytes_unref (big);
  rig_close (&rig, data, NULL);
}

GST_END_TEST;

/* One pad that nobody takes ends nothing; all of them are an error. An error of
 * one is the element's. */
GST_START_TEST (test_flow_errors)
{
  P2pInStream *video, *audio;
  Rig rig;

  open_two (&rig, &video, &audio);
  expect (&rig, "element", "added video_0");
  expect (&rig, "element", "added audio_0");
  expect (&rig, "element", "no-more-pads");
  rig_set_flow (&rig, GST_FLOW_NOT_LINKED);
  send_frame (video, "one", 1, 0, 0);
  expect (&rig, "video_0", "one discont");
  send_frame (video, "two", 2, 0, 0);
  expect (&rig, "video_0", "two");
  fail_unless (gst_bus_pop_filtered (rig.bus, GST_MESSAGE_ERROR) == NULL);
  send_frame (audio, "one", 1, 0, 0);
  expect (&rig, "audio_0", "one discont");
  expect (&rig, "audio_0", "eos");
  expect_error (&rig, GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED);
  rig_close (&rig, video, audio);

  open_two (&rig, &video, &audio);
  rig_set_flow (&rig, GST_FLOW_ERROR);
  send_frame (video, "one", 1, 0, 0);
  expect (&rig, "video_0", "one discont");
  expect (&rig, "video_0", "eos");
  expect_error (&rig, GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED);
  rig_close (&rig, video, audio);
}

GST_END_TEST;

static Suite *
source_suite (void)
{
  Suite *suite = suite_create ("p2psrc, data");
  TCase *tcase = tcase_create ("source");

  GST_ELEMENT_REGISTER (p2psrc, NULL);
  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_pads);
  tcase_add_test (tcase, test_order_of_pads);
  tcase_add_test (tcase, test_groups);
  tcase_add_test (tcase, test_frame);
  tcase_add_test (tcase, test_lip_sync);
  tcase_add_test (tcase, test_paused);
  tcase_add_test (tcase, test_key_unit);
  tcase_add_test (tcase, test_live_forgets);
  tcase_add_test (tcase, test_data_is_held);
  tcase_add_test (tcase, test_headers);
  tcase_add_test (tcase, test_gap);
  tcase_add_test (tcase, test_eos_of_one);
  tcase_add_test (tcase, test_eos_from_the_application);
  tcase_add_test (tcase, test_eos_before_streams);
  tcase_add_test (tcase, test_eos_in_paused);
  tcase_add_test (tcase, test_eos_from_downstream);
  tcase_add_test (tcase, test_eos_lets_go);
  tcase_add_test (tcase, test_flow_errors);
  return suite;
}

GST_CHECK_MAIN (source);
