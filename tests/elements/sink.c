/* p2psink against a session that the test plays (fakeendpoint.h): what goes
 * out, when, and what comes back. No network, no time that passes by itself.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>
#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/check/gsttestclock.h>
#include <gst/video/video.h>
#include "fakeendpoint.h"
#include "gstp2psink.h"

#define H264                                                                   \
  "video/x-h264, stream-format=(string)byte-stream, "                          \
  "alignment=(string)au, width=(int)320, height=(int)240"
#define AAC                                                                    \
  "audio/mpeg, mpegversion=(int)4, stream-format=(string)raw, "                \
  "rate=(int)48000, channels=(int)1, codec_data=(buffer)1188"
#define FLV "video/x-flv, streamheader=(buffer)< 464c5601, 120000 >"

static GstStaticPadTemplate any_src
    = GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                               GST_STATIC_CAPS_ANY);

static GstElement *
make_sink (void)
{
  GstElement *sink = gst_element_factory_make ("p2psink", NULL);

  fail_unless (sink != NULL);
  g_object_set (sink, "device-id", "camera-1", "key", "correct horse battery",
                NULL);
  return sink;
}

/* A live source: what a harness is. Its clock stands still. */
static GstHarness *
make_live (const gchar *pad)
{
  GstElement *sink = make_sink ();
  GstHarness *h = gst_harness_new_with_element (sink, pad, NULL);

  gst_object_unref (sink);
  return h;
}

static GstBuffer *
make_buffer (const gchar *text, GstClockTime pts)
{
  GstBuffer *buffer = gst_buffer_new_wrapped (g_strdup (text), strlen (text));

  GST_BUFFER_PTS (buffer) = pts;
  return buffer;
}

static void
assert_payload (const FakePush *push, const gchar *text)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (push->payload, &size);

  fail_unless_equals_int (size, strlen (text));
  fail_unless (size == 0 || memcmp (data, text, size) == 0);
}

/* -- A file: a source that is not live, pushing from its own thread ---------
 */

typedef struct
{
  GstElement *sink;
  GstPad *pad, *sink_pad;
  GstTestClock *clock;
  GstBus *bus;
  GThread *thread;
  GstBuffer *buffer;
  GstFlowReturn flow;
} File;

static void
file_open (File *file, const gchar *pad, const gchar *caps)
{
  GstSegment segment;
  GstCaps *parsed;

  memset (file, 0, sizeof (*file));
  file->sink = make_sink ();
  file->clock = GST_TEST_CLOCK (gst_test_clock_new ());
  file->bus = gst_bus_new ();
  gst_element_set_bus (file->sink, file->bus);
  gst_element_set_clock (file->sink, GST_CLOCK (file->clock));
  gst_element_set_base_time (file->sink, 0);
  file->sink_pad = gst_element_request_pad_simple (file->sink, pad);
  file->pad = gst_pad_new_from_static_template (&any_src, "src");
  gst_pad_set_active (file->pad, TRUE);
  fail_unless_equals_int (gst_pad_link (file->pad, file->sink_pad),
                          GST_PAD_LINK_OK);
  fail_unless_equals_int (gst_element_set_state (file->sink, GST_STATE_PAUSED),
                          GST_STATE_CHANGE_SUCCESS);
  gst_pad_push_event (file->pad, gst_event_new_stream_start ("file"));
  if (caps != NULL) {
    parsed = gst_caps_from_string (caps);
    gst_pad_push_event (file->pad, gst_event_new_caps (parsed));
    gst_caps_unref (parsed);
  }
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (file->pad, gst_event_new_segment (&segment));
}

static gpointer
file_thread (gpointer user)
{
  File *file = user;

  file->flow = gst_pad_push (file->pad, file->buffer);
  return NULL;
}

static void
file_push (File *file, GstBuffer *buffer)
{
  file->buffer = buffer;
  file->thread = g_thread_new ("file", file_thread, file);
}

static GstFlowReturn
file_join (File *file)
{
  g_thread_join (file->thread);
  return file->flow;
}

static void
file_close (File *file)
{
  gst_element_set_state (file->sink, GST_STATE_NULL);
  gst_element_release_request_pad (file->sink, file->sink_pad);
  gst_object_unref (file->sink_pad);
  gst_object_unref (file->pad);
  gst_element_set_bus (file->sink, NULL);
  gst_object_unref (file->sink);
  gst_object_unref (file->bus);
  gst_object_unref (file->clock);
}

/* -- Tests ----------------------------------------------------------------- */

/* There is nothing to wait for: no change of state is asynchronous, and the
 * session begins at PAUSED with everything published. */
GST_START_TEST (test_states)
{
  GstElement *sink = make_sink ();
  GstPad *pad = gst_element_request_pad_simple (sink, "video_%u");

  fail_unless_equals_int (gst_element_set_state (sink, GST_STATE_READY),
                          GST_STATE_CHANGE_SUCCESS);
  fail_unless (fake_endpoint () != NULL);
  fail_if (fake_is_started (fake_endpoint ()));
  fail_unless_equals_int (gst_element_set_state (sink, GST_STATE_PAUSED),
                          GST_STATE_CHANGE_SUCCESS);
  fail_unless (fake_is_started (fake_endpoint ()));
  fail_unless (fake_stream ("video_0") != NULL);
  fail_unless_equals_int (gst_element_set_state (sink, GST_STATE_PLAYING),
                          GST_STATE_CHANGE_SUCCESS);
  fail_unless_equals_int (gst_element_set_state (sink, GST_STATE_READY),
                          GST_STATE_CHANGE_SUCCESS);
  fail_unless (fake_stream ("video_0") == NULL);
  fail_unless_equals_int (gst_element_set_state (sink, GST_STATE_PLAYING),
                          GST_STATE_CHANGE_SUCCESS);
  fail_unless (fake_stream ("video_0") != NULL);
  fail_unless_equals_int (gst_element_set_state (sink, GST_STATE_NULL),
                          GST_STATE_CHANGE_SUCCESS);
  fail_unless_equals_int (p2p_endpoint_count_alive (), 0);
  gst_element_release_request_pad (sink, pad);
  gst_object_unref (pad);
  gst_object_unref (sink);
}

GST_END_TEST;

/* Settings reach the session as they were given; those changed in READY too. */
GST_START_TEST (test_settings_reach_the_session)
{
  GstElement *sink = make_sink ();
  const P2pEndpointConfig *config;

  g_object_set (sink, "signaller", "tcp://127.0.0.1:7000", "max-viewers", 5,
                "low-watermark", 1, "warn-watermark", 2, "high-watermark", 3,
                "keep-alive-interval", 4, "keep-alive-attempts", 6, NULL);
  gst_util_set_object_arg (G_OBJECT (sink), "ice-transport-policy", "relay");
  gst_element_set_state (sink, GST_STATE_READY);
  config = fake_config (fake_endpoint ());
  fail_unless_equals_int (config->role, P2P_ROLE_DEVICE);
  fail_unless_equals_string (config->device_id, "camera-1");
  fail_unless_equals_string (config->signaller, "tcp://127.0.0.1:7000");
  fail_unless (config->relay_only);
  fail_unless_equals_int (config->max_viewers, 5);
  fail_unless_equals_int (config->low_watermark, 1);
  fail_unless_equals_int (config->warn_watermark, 2);
  fail_unless_equals_int (config->high_watermark, 3);
  fail_unless_equals_int (config->keep_alive_interval_s, 4);
  fail_unless_equals_int (config->keep_alive_attempts, 6);

  g_object_set (sink, "device-id", "camera-2", NULL);
  gst_element_set_state (sink, GST_STATE_PAUSED);
  config = fake_config (fake_endpoint ());
  fail_unless_equals_string (config->device_id, "camera-2");

  /* Above READY a change is refused. */
  g_object_set (sink, "max-viewers", 9, NULL);
  g_object_get (sink, "max-viewers", &config, NULL);
  fail_unless_equals_int (GPOINTER_TO_INT (config), 5);
  gst_element_set_state (sink, GST_STATE_NULL);
  gst_object_unref (sink);
}

GST_END_TEST;

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

/* A file is paced by the clock: nothing in PAUSED, each frame at its time plus
 * the pipeline's latency, in decoding order. */
GST_START_TEST (test_file_is_paced)
{
  File file;
  GstBuffer *buffer;
  GstClockID id;
  const FakePush *push;

  file_open (&file, "video_0", H264);
  buffer = make_buffer ("frame", 3 * GST_SECOND);
  GST_BUFFER_DTS (buffer) = 2 * GST_SECOND;
  file_push (&file, buffer);
  gst_element_send_event (file.sink, gst_event_new_latency (GST_SECOND));
  fail_unless_equals_int (gst_element_set_state (file.sink, GST_STATE_PLAYING),
                          GST_STATE_CHANGE_SUCCESS);

  gst_test_clock_wait_for_next_pending_id (file.clock, &id);
  fail_unless_equals_uint64 (gst_clock_id_get_time (id), 3 * GST_SECOND);
  gst_clock_id_unref (id);
  fail_unless_equals_int (fake_stream_count (fake_stream ("video_0")), 0);

  /* A pause takes it back, and it waits again afterwards. */
  gst_element_set_state (file.sink, GST_STATE_PAUSED);
  while (gst_test_clock_peek_id_count (file.clock) > 0)
    g_thread_yield ();
  gst_element_set_state (file.sink, GST_STATE_PLAYING);
  gst_test_clock_wait_for_next_pending_id (file.clock, NULL);
  fail_unless_equals_int (fake_stream_count (fake_stream ("video_0")), 0);

  fail_unless (gst_test_clock_crank (file.clock));
  fail_unless_equals_int (file_join (&file), GST_FLOW_OK);
  push = fake_stream_wait (fake_stream ("video_0"), 1);
  fail_unless_equals_int64 (push->frame.sent, 3 * GST_SECOND);
  fail_unless_equals_int64 (push->frame.latency, GST_SECOND);
  fail_if (push->force);
  file_close (&file);
}

GST_END_TEST;

/* A flush and each change of state end the wait for the clock. */
GST_START_TEST (test_file_is_unblocked)
{
  File file;

  file_open (&file, "video_0", H264);
  gst_element_set_state (file.sink, GST_STATE_PLAYING);
  file_push (&file, make_buffer ("frame", GST_SECOND));
  gst_test_clock_wait_for_next_pending_id (file.clock, NULL);
  gst_pad_push_event (file.pad, gst_event_new_flush_start ());
  fail_unless_equals_int (file_join (&file), GST_FLOW_FLUSHING);
  gst_pad_push_event (file.pad, gst_event_new_flush_stop (FALSE));
  gst_pad_push_event (file.pad, gst_event_new_stream_start ("file"));
  {
    GstSegment segment;

    gst_segment_init (&segment, GST_FORMAT_TIME);
    gst_pad_push_event (file.pad, gst_event_new_segment (&segment));
  }
  file_push (&file, make_buffer ("frame", GST_SECOND));
  gst_test_clock_wait_for_next_pending_id (file.clock, NULL);
  gst_element_set_state (file.sink, GST_STATE_READY);
  fail_unless_equals_int (file_join (&file), GST_FLOW_FLUSHING);
  file_close (&file);
}

GST_END_TEST;

/* After a flushing seek running time begins at zero again, while the clock has
 * gone on: the frames are paced all the same, and their times go on as well. */
GST_START_TEST (test_file_after_seek)
{
  GstSegment segment;
  File file;
  const FakePush *push;

  file_open (&file, "video_0", H264);
  gst_element_set_state (file.sink, GST_STATE_PLAYING);
  gst_test_clock_set_time (file.clock, 100 * GST_SECOND);
  gst_pad_push_event (file.pad, gst_event_new_flush_start ());
  gst_pad_push_event (file.pad, gst_event_new_flush_stop (TRUE));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.time = 30 * GST_SECOND;
  gst_pad_push_event (file.pad, gst_event_new_segment (&segment));
  file_push (&file, make_buffer ("first", 30 * GST_SECOND));
  gst_test_clock_wait_for_next_pending_id (file.clock, NULL);
  fail_unless (gst_test_clock_crank (file.clock));
  fail_unless_equals_int (file_join (&file), GST_FLOW_OK);
  push = fake_stream_wait (fake_stream ("video_0"), 1);
  fail_unless_equals_int64 (push->frame.pts, 100 * GST_SECOND);
  file_push (&file, make_buffer ("second", 31 * GST_SECOND));
  gst_test_clock_wait_for_next_pending_id (file.clock, NULL);
  fail_unless (gst_test_clock_crank (file.clock));
  file_join (&file);
  push = fake_stream_wait (fake_stream ("video_0"), 2);
  fail_unless_equals_int64 (push->frame.pts, 101 * GST_SECOND);
  fail_unless_equals_int64 (push->frame.sent, 101 * GST_SECOND);
  file_close (&file);
}

GST_END_TEST;

/* What may not be dropped waits for the slowest viewer, until there is room, or
 * a flush. */
GST_START_TEST (test_file_waits_for_room)
{
  P2pStream *stream;
  File file;

  file_open (&file, "data_0", NULL);
  gst_element_set_state (file.sink, GST_STATE_PLAYING);
  stream = fake_stream ("data_0");
  fake_stream_set_full (stream, TRUE);
  file_push (&file, make_buffer ("bytes", GST_CLOCK_TIME_NONE));
  fake_stream_wait_refused (stream, 1);
  fake_stream_set_full (stream, FALSE);
  fail_unless_equals_int (file_join (&file), GST_FLOW_OK);
  assert_payload (fake_stream_wait (stream, 1), "bytes");

  fake_stream_set_full (stream, TRUE);
  file_push (&file, make_buffer ("more", GST_CLOCK_TIME_NONE));
  fake_stream_wait_refused (stream, 2);
  gst_pad_push_event (file.pad, gst_event_new_flush_start ());
  fail_unless_equals_int (file_join (&file), GST_FLOW_FLUSHING);
  fail_unless_equals_int (fake_stream_count (stream), 1);
  file_close (&file);
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

/* EOS of a pad ends its stream alone. The element says so once all have ended,
 * in PLAYING, under the event's number; a released pad counts no more. */
GST_START_TEST (test_eos)
{
  GstElement *sink = make_sink ();
  GstHarness *video = gst_harness_new_with_element (sink, "video_0", NULL);
  GstHarness *audio = gst_harness_new_with_element (sink, "audio_0", NULL);
  GstBus *bus = gst_bus_new ();
  GstEvent *eos = gst_event_new_eos ();
  guint32 seqnum = gst_event_get_seqnum (eos);
  GstMessage *message;

  gst_element_set_bus (sink, bus);
  gst_harness_set_src_caps_str (video, H264);
  gst_harness_set_src_caps_str (audio, AAC);
  gst_element_set_state (sink, GST_STATE_PAUSED);
  gst_harness_push_event (video, eos);
  fail_unless_equals_int (fake_stream_ends (fake_stream ("video_0")), 1);
  fail_unless_equals_int (fake_stream_ends (fake_stream ("audio_0")), 0);
  gst_element_set_state (sink, GST_STATE_PLAYING);
  fail_if (gst_bus_have_pending (bus)
           && gst_bus_pop_filtered (bus, GST_MESSAGE_EOS) != NULL);

  gst_element_set_state (sink, GST_STATE_PAUSED);
  gst_pad_unlink (audio->srcpad, GST_PAD_PEER (audio->srcpad));
  {
    GstPad *pad = gst_element_get_static_pad (sink, "audio_0");

    gst_element_release_request_pad (sink, pad);
    gst_object_unref (pad);
  }
  fail_unless (gst_bus_pop_filtered (bus, GST_MESSAGE_EOS) == NULL);
  gst_element_set_state (sink, GST_STATE_PLAYING);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_EOS);
  fail_unless (message != NULL);
  fail_unless_equals_int (gst_message_get_seqnum (message), seqnum);
  gst_message_unref (message);

  gst_element_set_bus (sink, NULL);
  gst_object_unref (bus);
  gst_harness_teardown (audio);
  gst_harness_teardown (video);
  gst_object_unref (sink);
}

GST_END_TEST;

/* FLUSH_STOP takes the end back. */
GST_START_TEST (test_flush_clears_eos)
{
  File file;
  GstMessage *message;

  file_open (&file, "video_0", H264);
  gst_element_set_state (file.sink, GST_STATE_PLAYING);
  gst_pad_push_event (file.pad, gst_event_new_eos ());
  message = gst_bus_pop_filtered (file.bus, GST_MESSAGE_EOS);
  fail_unless (message != NULL);
  gst_message_unref (message);
  gst_pad_push_event (file.pad, gst_event_new_flush_start ());
  gst_pad_push_event (file.pad, gst_event_new_flush_stop (TRUE));
  gst_pad_push_event (file.pad, gst_event_new_eos ());
  message = gst_bus_pop_filtered (file.bus, GST_MESSAGE_EOS);
  fail_unless (message != NULL);
  gst_message_unref (message);
  fail_unless_equals_int (fake_stream_ends (fake_stream ("video_0")), 2);
  file_close (&file);
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

/* Names are counted by kind; a chosen one is kept, and not given twice. */
GST_START_TEST (test_pad_names)
{
  static const gchar *const asked[]
      = { "video_%u", "video_%u", "audio_%u", "video_7",
          "video_%u", "data_0",   "data_%u" };
  static const gchar *const given[]
      = { "video_0", "video_1", "audio_0", "video_7",
          "video_8", "data_0",  "data_1" };
  GstElement *sink = make_sink ();
  guint i;

  for (i = 0; i < G_N_ELEMENTS (asked); i++) {
    GstPad *pad = gst_element_request_pad_simple (sink, asked[i]);

    fail_unless (pad != NULL);
    fail_unless_equals_string (GST_PAD_NAME (pad), given[i]);
    gst_object_unref (pad);
  }
  fail_unless (gst_element_request_pad_simple (sink, "video_x") == NULL);
  gst_object_unref (sink);
}

GST_END_TEST;

/* Pads come and go in every state, with their settings. */
GST_START_TEST (test_pads_in_any_state)
{
  static const GstState states[] = { GST_STATE_NULL, GST_STATE_READY,
                                     GST_STATE_PAUSED, GST_STATE_PLAYING };
  GstElement *sink = make_sink ();
  guint i;

  for (i = 0; i < G_N_ELEMENTS (states); i++) {
    const P2pStreamConfig *config;
    GstPad *pad;

    gst_element_set_state (sink, states[i]);
    pad = gst_element_request_pad_simple (sink, "data_3");
    fail_unless (pad != NULL);
    g_object_set (pad, "deadline", 250, "match", "action=file", "priority", 2,
                  NULL);
    if (states[i] >= GST_STATE_PAUSED) {
      fail_unless (gst_pad_is_active (pad));
      config = fake_stream_config (fake_stream ("data_3"));
      fail_unless_equals_int (config->kind, P2P_WIRE_DATA);
      fail_unless_equals_int (config->deadline_ms, 250);
      fail_unless_equals_int (config->priority, 2);
      fail_unless_equals_string (config->match, "action=file");
    }
    gst_element_release_request_pad (sink, pad);
    fail_unless (fake_stream ("data_3") == NULL);
    gst_object_unref (pad);
  }
  gst_element_set_state (sink, GST_STATE_NULL);
  gst_object_unref (sink);
}

GST_END_TEST;

/* A link that fits nowhere else ends on a data pad; what should have been
 * parsed or encoded does not, unless the pad was asked for by name. */
GST_START_TEST (test_strays)
{
  static const gchar *const strays[] = {
    "video/x-h264, stream-format=avc, alignment=au, codec_data=(buffer)01",
    "video/x-raw, format=I420, width=16, height=16",
    "audio/x-raw, format=S16LE, rate=8000, channels=1, layout=interleaved",
  };
  GstElement *sink = make_sink ();
  GstBus *bus = gst_bus_new ();
  guint i;

  gst_element_set_bus (sink, bus);
  gst_element_set_state (sink, GST_STATE_PLAYING);
  for (i = 0; i < G_N_ELEMENTS (strays); i++) {
    GstPad *any = gst_element_request_pad_simple (sink, "data_%u");
    GstPad *named = gst_element_request_pad_simple (sink, "data_9");
    GstCaps *caps = gst_caps_from_string (strays[i]);
    GstMessage *message;

    gst_pad_send_event (any, gst_event_new_stream_start ("any"));
    gst_pad_send_event (named, gst_event_new_stream_start ("named"));
    fail_if (gst_pad_send_event (any, gst_event_new_caps (caps)));
    message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
    fail_unless (message != NULL);
    gst_message_unref (message);
    fail_unless (gst_pad_send_event (named, gst_event_new_caps (caps)));
    gst_caps_unref (caps);
    gst_element_release_request_pad (sink, any);
    gst_element_release_request_pad (sink, named);
    gst_object_unref (any);
    gst_object_unref (named);
  }
  gst_element_set_state (sink, GST_STATE_NULL);
  gst_element_set_bus (sink, NULL);
  gst_object_unref (bus);
  gst_object_unref (sink);
}

GST_END_TEST;

static gboolean
on_authorize (GstElement *sink, const gchar *peer, const GstStructure *info,
              gpointer user)
{
  g_string_append_printf (user, "authorize %s %s;", peer,
                          gst_structure_get_string (info, "path"));
  return !g_str_equal (peer, "stranger");
}

static gboolean
yes (GstElement *sink, const gchar *peer, const GstStructure *info,
     gpointer user)
{
  return TRUE;
}

static void
on_viewer_added (GstElement *sink, const gchar *peer, const GstStructure *info,
                 gpointer user)
{
  g_string_append_printf (user, "added %s;", peer);
}

static void
on_viewer_removed (GstElement *sink, const gchar *peer, const gchar *reason,
                   gpointer user)
{
  g_string_append_printf (user, "removed %s %s;", peer, reason);
}

static void
on_request_added (GstElement *sink, const gchar *peer, guint request,
                  const GstStructure *info, gpointer user)
{
  g_string_append_printf (user, "request %s %u %s %s [%s];", peer, request,
                          gst_structure_get_string (info, "action"),
                          gst_structure_get_string (info, "name"),
                          gst_structure_get_string (info, "params"));
}

static void
on_request_removed (GstElement *sink, const gchar *peer, guint request,
                    gpointer user)
{
  g_string_append_printf (user, "request %s %u ends;", peer, request);
}

/* The signals, in the words of the application. */
GST_START_TEST (test_signals)
{
  GstElement *sink = make_sink ();
  GString *log = g_string_new (NULL);
  GstStructure *stats;

  gst_element_set_state (sink, GST_STATE_PAUSED);
  fail_unless (fake_authorize ("anyone"));
  g_signal_connect (sink, "authorize", G_CALLBACK (on_authorize), log);
  g_signal_connect (sink, "authorize", G_CALLBACK (yes), NULL);
  g_signal_connect (sink, "viewer-added", G_CALLBACK (on_viewer_added), log);
  g_signal_connect (sink, "viewer-removed", G_CALLBACK (on_viewer_removed),
                    log);
  g_signal_connect (sink, "request-added", G_CALLBACK (on_request_added), log);
  g_signal_connect (sink, "request-removed", G_CALLBACK (on_request_removed),
                    log);
  fail_unless (fake_authorize ("friend"));
  fail_if (fake_authorize ("stranger"));
  fake_peer_added ("friend");
  fake_request_added ("friend", 4, "action=file&name=a%20b&=&9=x");
  fake_request_removed ("friend", 4);
  fake_peer_removed ("friend", "peer-gone");
  fail_unless_equals_string (
      log->str, "authorize friend direct;"
                "authorize stranger direct;added friend;"
                "request friend 4 file a b [action=file&name=a%20b&=&9=x];"
                "request friend 4 ends;removed friend peer-gone;");
  g_signal_emit_by_name (sink, "kick-viewer", "friend");
  fail_unless_equals_string (fake_kicked (), "friend");

  g_object_get (sink, "stats", &stats, NULL);
  fail_unless (gst_structure_has_name (stats, "application/x-p2p-stats"));
  fail_unless (gst_structure_has_field_typed (stats, "peers", GST_TYPE_ARRAY));
  gst_structure_free (stats);
  gst_element_set_state (sink, GST_STATE_NULL);
  gst_object_unref (sink);
  g_string_free (log, TRUE);
}

GST_END_TEST;

/* A step is a message; a server that is lost is one warning, however often it
 * is tried again. */
GST_START_TEST (test_steps)
{
  GstElement *sink = make_sink ();
  GstBus *bus = gst_bus_new ();
  const GstStructure *structure;
  GstMessage *message;
  guint elapsed, i;

  gst_element_set_bus (sink, bus);
  gst_element_set_state (sink, GST_STATE_PAUSED);
  fake_step (P2P_STEP_PUNCH, TRUE, NULL, NULL, "relay");
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_ELEMENT);
  structure = gst_message_get_structure (message);
  fail_unless (gst_structure_has_name (structure, "p2p-step"));
  fail_unless_equals_string (gst_structure_get_string (structure, "step"),
                             "punch");
  fail_unless_equals_string (gst_structure_get_string (structure, "status"),
                             "ok");
  fail_unless_equals_string (gst_structure_get_string (structure, "peer"),
                             "peer-1");
  fail_unless_equals_string (gst_structure_get_string (structure, "reason"),
                             "");
  fail_unless_equals_string (gst_structure_get_string (structure, "path"),
                             "relay");
  fail_unless (gst_structure_get_uint (structure, "elapsed-ms", &elapsed));
  fail_unless_equals_int (elapsed, 12);
  gst_message_unref (message);

  for (i = 0; i < 3; i++) {
    fake_step (P2P_STEP_SERVER, FALSE, "heartbeat-error", "no route", NULL);
    message = gst_bus_pop_filtered (bus, GST_MESSAGE_ELEMENT);
    structure = gst_message_get_structure (message);
    fail_unless_equals_string (gst_structure_get_string (structure, "reason"),
                               "heartbeat-error");
    fail_if (gst_structure_has_field (structure, "path"));
    gst_message_unref (message);
    message
        = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
    fail_unless ((message != NULL) == (i == 0));
    if (message != NULL) {
      fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_WARNING);
      gst_message_unref (message);
    }
  }
  gst_element_set_bus (sink, NULL);
  gst_element_set_state (sink, GST_STATE_NULL);
  gst_object_unref (bus);
  gst_object_unref (sink);
}

GST_END_TEST;

/* What the session finds wrong fails NULL to READY, in its words. */
GST_START_TEST (test_acquire_fails)
{
  GstElement *sink = make_sink ();
  GstBus *bus = gst_bus_new ();
  GstMessage *message;
  GError *error;

  gst_element_set_bus (sink, bus);
  fake_fail_acquire (P2P_ENDPOINT_ERROR_CONFLICT, "another element has it");
  fail_unless_equals_int (gst_element_set_state (sink, GST_STATE_READY),
                          GST_STATE_CHANGE_FAILURE);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  gst_message_parse_error (message, &error, NULL);
  fail_unless (
      g_error_matches (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS));
  fail_unless_equals_string (error->message, "another element has it");
  g_error_free (error);
  gst_message_unref (message);
  /* And works when it is put right. */
  fail_unless_equals_int (gst_element_set_state (sink, GST_STATE_READY),
                          GST_STATE_CHANGE_SUCCESS);
  gst_element_set_state (sink, GST_STATE_NULL);
  gst_element_set_bus (sink, NULL);
  gst_object_unref (bus);
  gst_object_unref (sink);
}

GST_END_TEST;

static Suite *
sink_suite (void)
{
  Suite *suite = suite_create ("p2psink");
  TCase *tcase = tcase_create ("sink");

  GST_ELEMENT_REGISTER (p2psink, NULL);
  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_states);
  tcase_add_test (tcase, test_settings_reach_the_session);
  tcase_add_test (tcase, test_live_frame);
  tcase_add_test (tcase, test_flags);
  tcase_add_test (tcase, test_before_segment);
  tcase_add_test (tcase, test_bytes_have_no_time);
  tcase_add_test (tcase, test_pool_is_copied);
  tcase_add_test (tcase, test_memories_and_lists);
  tcase_add_test (tcase, test_formats);
  tcase_add_test (tcase, test_headers);
  tcase_add_test (tcase, test_gap);
  tcase_add_test (tcase, test_file_is_paced);
  tcase_add_test (tcase, test_file_is_unblocked);
  tcase_add_test (tcase, test_file_after_seek);
  tcase_add_test (tcase, test_file_waits_for_room);
  tcase_add_test (tcase, test_live_is_forced);
  tcase_add_test (tcase, test_key_unit);
  tcase_add_test (tcase, test_eos);
  tcase_add_test (tcase, test_flush_clears_eos);
  tcase_add_test (tcase, test_latency);
  tcase_add_test (tcase, test_sink_level);
  tcase_add_test (tcase, test_pad_names);
  tcase_add_test (tcase, test_pads_in_any_state);
  tcase_add_test (tcase, test_strays);
  tcase_add_test (tcase, test_signals);
  tcase_add_test (tcase, test_steps);
  tcase_add_test (tcase, test_acquire_fails);
  return suite;
}

GST_CHECK_MAIN (sink);
