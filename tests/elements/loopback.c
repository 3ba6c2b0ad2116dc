/* Camera and viewers together: what one sends is what the others get.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>
#include <gio/gio.h>
#include <gst/video/video.h>
#include "loopback.h"

#define FRAME (40 * GST_MSECOND)
#define DELTA GST_BUFFER_FLAG_DELTA_UNIT
#define FRAMES 150
#define N_STREAMS 4

/* Nothing may be late here, on however busy a machine. */
static void
never_drop (Camera *camera)
{
  GList *pads;

  for (pads = camera->sink->sinkpads; pads != NULL; pads = pads->next)
    g_object_set (pads->data, "deadline", 0, NULL);
}

static void
push (GstAppSrc *src, GstBuffer *buffer)
{
  fail_unless_equals_int (gst_app_src_push_buffer (src, buffer), GST_FLOW_OK);
}

/* Running time of the camera, about now: a live frame's timestamp. */
static GstClockTime
camera_time (Camera *camera)
{
  return gst_element_get_current_running_time (camera->pipeline);
}

static guint
flags_of (GstBuffer *buffer)
{
  return GST_BUFFER_FLAGS (buffer)
         & (DELTA | GST_BUFFER_FLAG_HEADER | GST_BUFFER_FLAG_MARKER
            | GST_BUFFER_FLAG_DROPPABLE);
}

/* Four streams of all kinds, of frames of all sizes: every byte, flag, duration
 * and format as sent. Times keep their differences: the same time is the same
 * time on every stream. */
GST_START_TEST (test_bytes_times_and_flags)
{
  static const gchar *const names[N_STREAMS]
      = { "video_0", "audio_0", "audio_1", "data_0" };
  static const gchar *const caps[N_STREAMS] = { H264, AAC, OPUS, DATA };
  gchar *signaller = free_signaller ();
  GPtrArray *sent[N_STREAMS];
  GstAppSrc *sources[N_STREAMS];
  GstClockTime start;
  Camera camera;
  Viewer viewer;
  guint i, n;

  camera_open (&camera, signaller);
  for (i = 0; i < N_STREAMS; i++) {
    sources[i] = camera_add (&camera, names[i], caps[i]);
    sent[i] = g_ptr_array_new_with_free_func ((GDestroyNotify)gst_buffer_unref);
  }
  never_drop (&camera);
  camera_start (&camera);
  viewer_open (&viewer, signaller, NULL, NULL);
  viewer_start (&viewer);
  camera_wait_requests (&camera, 1);
  /* The first frame of each is what makes formats known. */
  start = camera_time (&camera);
  for (n = 0; n < FRAMES; n++) {
    for (i = 0; i < N_STREAMS; i++) {
      gsize size = n % 50 == 0 ? 60000 : (n * 37 + i * 11) % 4000 + 1;
      GstBuffer *buffer
          = make_frame (n * N_STREAMS + i, size, start + n * FRAME,
                        i == 0 && n % 50 != 0 ? DELTA : 0);

      GST_BUFFER_DURATION (buffer) = FRAME + n;
      if (n % 3 == 0)
        GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_MARKER);
      if (n % 7 == 1)
        GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DROPPABLE);
      g_ptr_array_add (sent[i], gst_buffer_ref (buffer));
      push (sources[i], buffer);
    }
    /* In step with the viewer, as an encoder would be. */
    viewer_wait (&viewer, names[n % N_STREAMS], n + 1);
  }

  for (i = 0; i < N_STREAMS; i++) {
    GstCaps *expected = gst_caps_from_string (caps[i]);
    Stream *stream;

    viewer_wait (&viewer, names[i], FRAMES);
    stream = viewer_stream (&viewer, names[i]);
    fail_unless (gst_caps_is_strictly_equal (stream->caps, expected));
    gst_caps_unref (expected);
    for (n = 0; n < FRAMES; n++) {
      GstBuffer *in = g_ptr_array_index (sent[i], n);
      GstBuffer *out = g_ptr_array_index (stream->buffers, n);
      GstBuffer *beside
          = g_ptr_array_index (viewer_stream (&viewer, names[0])->buffers, n);

      fail_unless_equals_int (gst_buffer_get_size (in),
                              gst_buffer_get_size (out));
      fail_unless (frame_checksum (in) == frame_checksum (out));
      fail_unless_equals_int (flags_of (in), flags_of (out));
      fail_unless_equals_uint64 (GST_BUFFER_DURATION (in),
                                 GST_BUFFER_DURATION (out));
      fail_unless_equals_uint64 (GST_BUFFER_PTS (out), GST_BUFFER_PTS (beside));
    }
    g_ptr_array_unref (sent[i]);
  }
  viewer_close (&viewer);
  camera_close (&camera);
  g_free (signaller);
}

GST_END_TEST;

/* A viewer that comes makes the encoder start with a key unit, and one that
 * wants another gets it through. */
GST_START_TEST (test_key_units)
{
  gchar *signaller = free_signaller ();
  GstAppSrc *video;
  Camera camera;
  Viewer viewer;
  GstPad *pad;
  guint before;

  camera_open (&camera, signaller);
  video = camera_add (&camera, "video_0", H264);
  camera_start (&camera);
  push (video, make_frame (0, 100, camera_time (&camera), 0));
  viewer_open (&viewer, signaller, NULL, NULL);
  viewer_start (&viewer);
  camera_wait_key_units (&camera, 1);
  /* A delta unit is nothing to begin with. */
  push (video, make_frame (1, 100, camera_time (&camera), DELTA));
  push (video, make_frame (2, 100, camera_time (&camera), 0));
  fail_if (GST_BUFFER_FLAG_IS_SET (viewer_wait (&viewer, "video_0", 1), DELTA));

  before = camera.key_units;
  pad = gst_element_get_static_pad (viewer_stream (&viewer, "video_0")->sink,
                                    "sink");
  fail_unless (
      gst_pad_push_event (pad, gst_video_event_new_upstream_force_key_unit (
                                   GST_CLOCK_TIME_NONE, TRUE, 1)));
  gst_object_unref (pad);
  camera_wait_key_units (&camera, before + 1);
  fail_unless (camera.headers_wanted);
  viewer_close (&viewer);
  camera_close (&camera);
  g_free (signaller);
}

GST_END_TEST;

/* EOS of one stream ends that pad alone; when the last has ended, both
 * pipelines have. */
GST_START_TEST (test_eos)
{
  gchar *signaller = free_signaller ();
  GstAppSrc *video, *audio;
  GstMessage *message;
  Camera camera;
  Viewer viewer;

  camera_open (&camera, signaller);
  video = camera_add (&camera, "video_0", H264);
  audio = camera_add (&camera, "audio_0", AAC);
  never_drop (&camera);
  camera_start (&camera);
  viewer_open (&viewer, signaller, NULL, NULL);
  viewer_start (&viewer);
  camera_wait_requests (&camera, 1);
  push (video, make_frame (0, 100, camera_time (&camera), 0));
  push (audio, make_frame (0, 100, camera_time (&camera), 0));
  viewer_wait (&viewer, "video_0", 1);
  viewer_wait (&viewer, "audio_0", 1);
  gst_app_src_end_of_stream (audio);
  viewer_wait_eos (&viewer, "audio_0");
  push (video, make_frame (1, 100, camera_time (&camera), DELTA));
  viewer_wait (&viewer, "video_0", 2);
  fail_unless_equals_int (viewer_stream (&viewer, "video_0")->eos, 0);
  gst_app_src_end_of_stream (video);
  message = gst_bus_timed_pop_filtered (camera.bus, GST_CLOCK_TIME_NONE,
                                        GST_MESSAGE_EOS);
  gst_message_unref (message);
  message = gst_bus_timed_pop_filtered (viewer.bus, GST_CLOCK_TIME_NONE,
                                        GST_MESSAGE_EOS);
  gst_message_unref (message);
  viewer_close (&viewer);
  camera_close (&camera);
  g_free (signaller);
}

GST_END_TEST;

/* The camera goes and comes back, its clock from zero: the viewer's pads stay,
 * no EOS, a new group, a discontinuity, and a frame to begin with. */
GST_START_TEST (test_camera_comes_back)
{
  gchar *signaller = free_signaller ();
  GstAppSrc *video;
  GstBuffer *buffer;
  Camera camera;
  Viewer viewer;
  Stream *stream;
  GstClockTime before;

  camera_open (&camera, signaller);
  video = camera_add (&camera, "video_0", H264);
  never_drop (&camera);
  camera_start (&camera);
  viewer_open (&viewer, signaller, NULL, NULL);
  viewer_start (&viewer);
  camera_wait_requests (&camera, 1);
  push (video, make_frame (0, 100, camera_time (&camera), 0));
  push (video, make_frame (1, 100, camera_time (&camera), DELTA));
  before = GST_BUFFER_PTS (viewer_wait (&viewer, "video_0", 2));

  gst_element_set_state (camera.pipeline, GST_STATE_NULL);
  camera_start (&camera);
  camera_wait_requests (&camera, 2);
  push (video, make_frame (2, 100, camera_time (&camera), DELTA));
  push (video, make_frame (3, 100, camera_time (&camera), 0));
  buffer = viewer_wait (&viewer, "video_0", 3);
  fail_if (GST_BUFFER_FLAG_IS_SET (buffer, DELTA));
  fail_unless (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DISCONT));
  fail_unless (GST_BUFFER_PTS (buffer) > before);
  stream = viewer_stream (&viewer, "video_0");
  fail_unless_equals_int (stream->groups->len, 2);
  fail_if (g_array_index (stream->groups, guint, 0)
           == g_array_index (stream->groups, guint, 1));
  fail_unless_equals_int (stream->eos, 0);
  fail_unless_equals_int (viewer.streams->len, 1);
  viewer_close (&viewer);
  camera_close (&camera);
  g_free (signaller);
}

GST_END_TEST;

static guint
count_peers (GstElement *element, guint *requests)
{
  GstStructure *stats;
  const GValue *peers;
  guint count, i, n;

  *requests = 0;
  g_object_get (element, "stats", &stats, NULL);
  peers = gst_structure_get_value (stats, "peers");
  count = gst_value_array_get_size (peers);
  for (i = 0; i < count; i++) {
    const GstStructure *peer
        = gst_value_get_structure (gst_value_array_get_value (peers, i));

    fail_unless (gst_structure_get_uint (peer, "requests", &n));
    *requests += n;
  }
  gst_structure_free (stats);
  return count;
}

/* Two sources that name the same device share one session, each with its own
 * request, which pads answer by their match. */
GST_START_TEST (test_shared_session)
{
  gchar *signaller = free_signaller ();
  GstAppSrc *main_stream, *sub_stream;
  Viewer one, two;
  Camera camera;
  guint requests;
  GstPad *pad;

  camera_open (&camera, signaller);
  main_stream = camera_add (&camera, "video_0", H264);
  sub_stream = camera_add (&camera, "video_1", H264);
  pad = gst_element_get_static_pad (camera.sink, "video_0");
  g_object_set (pad, "match", "action=live&channel=0", "deadline", 0, NULL);
  gst_object_unref (pad);
  pad = gst_element_get_static_pad (camera.sink, "video_1");
  g_object_set (pad, "match", "action=live&channel=1", "deadline", 0, NULL);
  gst_object_unref (pad);
  camera_start (&camera);
  viewer_open (&one, signaller, "p2p://camera-1?action=live&channel=0", NULL);
  viewer_open (&two, signaller, "p2p://camera-1?action=live&channel=1", NULL);
  viewer_start (&one);
  viewer_start (&two);
  camera_wait_requests (&camera, 2);
  push (main_stream, make_frame (1, 1000, camera_time (&camera), 0));
  push (sub_stream, make_frame (2, 500, camera_time (&camera), 0));
  fail_unless_equals_int (gst_buffer_get_size (
                              viewer_wait (&one, "video_0", 1)),
                          1000);
  fail_unless_equals_int (gst_buffer_get_size (
                              viewer_wait (&two, "video_1", 1)),
                          500);
  fail_unless_equals_int (one.streams->len, 1);
  fail_unless_equals_int (two.streams->len, 1);
  /* Statistics are a moment old. */
  while (count_peers (camera.sink, &requests) != 1 || requests != 2)
    g_thread_yield ();
  fail_unless_equals_int (count_peers (one.src, &requests), 1);

  /* One goes, the other stays. */
  viewer_close (&one);
  push (sub_stream, make_frame (3, 600, camera_time (&camera), DELTA));
  fail_unless_equals_int (gst_buffer_get_size (
                              viewer_wait (&two, "video_1", 2)),
                          600);
  viewer_close (&two);
  camera_close (&camera);
  g_free (signaller);
}

GST_END_TEST;

/* Eight viewers, each with everything; one that stops taking harms none. What
 * shares an endpoint shares its session, so each finds the camera at another of
 * this machine's own addresses. */
GST_START_TEST (test_many_viewers)
{
  enum { VIEWERS = 8 };
  gchar *signaller = free_signaller ();
  const gchar *port = strrchr (signaller, ':');
  Viewer viewers[VIEWERS];
  GstAppSrc *video;
  Camera camera;
  gchar *uri;
  guint i, n;

  uri = g_strconcat ("tcp://0.0.0.0", port, NULL);
  camera_open (&camera, uri);
  g_free (uri);
  video = camera_add (&camera, "video_0", H264);
  never_drop (&camera);
  camera_start (&camera);
  for (i = 0; i < VIEWERS; i++) {
    uri = g_strdup_printf ("tcp://127.0.0.%u%s", i + 1, port);
    viewer_open (&viewers[i], uri, NULL, NULL);
    viewer_start (&viewers[i]);
    g_free (uri);
  }
  camera_wait_requests (&camera, VIEWERS);
  push (video, make_frame (0, 20000, camera_time (&camera), 0));
  for (i = 0; i < VIEWERS; i++)
    viewer_wait (&viewers[i], "video_0", 1);
  viewer_block (&viewers[0], "video_0", TRUE);
  for (n = 1; n < FRAMES; n++) {
    push (video, make_frame (n, 5000, camera_time (&camera), DELTA));
    viewer_wait (&viewers[1 + n % (VIEWERS - 1)], "video_0", n + 1);
  }
  for (i = 1; i < VIEWERS; i++) {
    viewer_wait (&viewers[i], "video_0", FRAMES);
    for (n = 0; n < FRAMES; n++) {
      GstBuffer *sent = make_frame (n, n == 0 ? 20000 : 5000, 0, 0);

      fail_unless (
          frame_checksum (sent)
          == frame_checksum (viewer_wait (&viewers[i], "video_0", n + 1)));
      gst_buffer_unref (sent);
    }
  }
  fail_unless (viewer_count (&viewers[0], "video_0") <= 1);
  viewer_block (&viewers[0], "video_0", FALSE);
  for (i = 0; i < VIEWERS; i++)
    viewer_close (&viewers[i]);
  camera_close (&camera);
  g_free (signaller);
}

GST_END_TEST;

static guint64
count_rejected (GstElement *element)
{
  GstStructure *stats;
  guint64 count;

  g_object_get (element, "stats", &stats, NULL);
  fail_unless (gst_structure_get_uint64 (stats, "rejected-attempts", &count));
  gst_structure_free (stats);
  return count;
}

/* Wrong key and unknown device look the same: an error that says so, no pad;
 * the camera counts it and tells. */
GST_START_TEST (test_strangers)
{
  static const gchar *const uris[] = { "p2p://camera-1", "p2p://camera-2" };
  gchar *signaller = free_signaller ();
  gchar *texts[2], *reason;
  Camera camera;
  guint i;

  camera_open (&camera, signaller);
  camera_add (&camera, "video_0", H264);
  camera_start (&camera);
  for (i = 0; i < 2; i++) {
    GstMessage *message;
    GError *error;
    Viewer viewer;

    viewer_open (&viewer, signaller, uris[i],
                 i == 0 ? "another key, of somebody else" : KEY);
    viewer_start (&viewer);
    message = gst_bus_timed_pop_filtered (viewer.bus, GST_CLOCK_TIME_NONE,
                                          GST_MESSAGE_ERROR);
    gst_message_parse_error (message, &error, NULL);
    fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
                                  GST_RESOURCE_ERROR_NOT_AUTHORIZED));
    texts[i] = g_strdup (error->message);
    g_error_free (error);
    gst_message_unref (message);
    fail_unless_equals_int (viewer.streams->len, 0);
    viewer_close (&viewer);
  }
  /* Attempts are counted, and told of in one message for some time. */
  reason = wait_step (camera.bus, "auth", "failed");
  fail_unless_equals_string (reason, "check-failure");
  g_free (reason);
  while (count_rejected (camera.sink) < 2)
    g_thread_yield ();
  fail_unless_equals_string (texts[0], texts[1]);
  g_free (texts[0]);
  g_free (texts[1]);
  fail_unless_equals_int (camera.requests, 0);
  camera_close (&camera);
  g_free (signaller);
}

GST_END_TEST;

static gboolean
refuse (GstElement *sink, const gchar *peer, const GstStructure *info,
        gpointer user)
{
  return FALSE;
}

/* The application has the last word on who watches, before and after. */
GST_START_TEST (test_authorize_and_kick)
{
  gchar *signaller = free_signaller (), *reason;
  Viewer viewer, refused;
  GstAppSrc *video;
  Camera camera;

  camera_open (&camera, signaller);
  video = camera_add (&camera, "video_0", H264);
  camera_start (&camera);
  viewer_open (&viewer, signaller, NULL, NULL);
  viewer_start (&viewer);
  camera_wait_requests (&camera, 1);
  push (video, make_frame (0, 100, camera_time (&camera), 0));
  viewer_wait (&viewer, "video_0", 1);
  g_signal_emit_by_name (camera.sink, "kick-viewer", camera.last_viewer);
  camera_wait_removed (&camera, 1);
  fail_unless_equals_string (camera.last_reason, "kicked");
  fail_unless_equals_int (viewer_stream (&viewer, "video_0")->eos, 0);
  viewer_close (&viewer);

  g_signal_connect (camera.sink, "authorize", G_CALLBACK (refuse), NULL);
  viewer_open (&refused, signaller, NULL, NULL);
  viewer_start (&refused);
  reason = wait_step (refused.bus, "auth", "failed");
  fail_unless_equals_string (reason, "refused");
  g_free (reason);
  fail_unless_equals_int (camera.requests, 1);
  fail_unless_equals_int (refused.streams->len, 0);
  viewer_close (&refused);
  camera_close (&camera);
  g_free (signaller);
}

GST_END_TEST;

/* A viewer that goes is told of at once; the pipeline runs on, and the next one
 * begins with a key unit of its own. */
GST_START_TEST (test_viewer_goes)
{
  gchar *signaller = free_signaller ();
  GstAppSrc *video;
  Camera camera;
  Viewer viewer;
  guint i;

  camera_open (&camera, signaller);
  video = camera_add (&camera, "video_0", H264);
  camera_start (&camera);
  for (i = 0; i < 3; i++) {
    viewer_open (&viewer, signaller, NULL, NULL);
    viewer_start (&viewer);
    camera_wait_requests (&camera, i + 1);
    camera_wait_key_units (&camera, i + 1);
    push (video, make_frame (i, 100, camera_time (&camera), 0));
    viewer_wait (&viewer, "video_0", 1);
    viewer_close (&viewer);
    camera_wait_removed (&camera, i + 1);
    push (video, make_frame (i, 100, camera_time (&camera), DELTA));
  }
  camera_close (&camera);
  g_free (signaller);
}

GST_END_TEST;

/* A server that accepts and never says a word: every state is reached all the
 * same, and left. */
GST_START_TEST (test_mute_server)
{
  GSocketListener *listener = g_socket_listener_new ();
  guint16 port = g_socket_listener_add_any_inet_port (listener, NULL, NULL);
  gchar *signaller = g_strdup_printf ("tcp://127.0.0.1:%u", port);
  Viewer viewer;
  guint i;

  for (i = 0; i < 3; i++) {
    viewer_open (&viewer, signaller, NULL, NULL);
    fail_unless_equals_int (gst_element_set_state (viewer.pipeline,
                                                   GST_STATE_PAUSED),
                            GST_STATE_CHANGE_NO_PREROLL);
    fail_unless_equals_int (gst_element_set_state (viewer.pipeline,
                                                   GST_STATE_PLAYING),
                            GST_STATE_CHANGE_SUCCESS);
    fail_unless_equals_int (gst_element_set_state (viewer.pipeline,
                                                   GST_STATE_READY),
                            GST_STATE_CHANGE_SUCCESS);
    fail_unless_equals_int (gst_element_set_state (viewer.pipeline,
                                                   GST_STATE_PLAYING),
                            GST_STATE_CHANGE_SUCCESS);
    viewer_close (&viewer);
  }
  g_object_unref (listener);
  g_free (signaller);
}

GST_END_TEST;

static Suite *
loopback_suite (void)
{
  Suite *suite = suite_create ("loopback");
  TCase *tcase = tcase_create ("loopback");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_bytes_times_and_flags);
  tcase_add_test (tcase, test_key_units);
  tcase_add_test (tcase, test_eos);
  tcase_add_test (tcase, test_camera_comes_back);
  tcase_add_test (tcase, test_shared_session);
  tcase_add_test (tcase, test_many_viewers);
  tcase_add_test (tcase, test_strangers);
  tcase_add_test (tcase, test_authorize_and_kick);
  tcase_add_test (tcase, test_viewer_goes);
  tcase_add_test (tcase, test_mute_server);
  return suite;
}

GST_CHECK_MAIN (loopback);
