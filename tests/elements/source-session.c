/* p2psrc and its surroundings: states, the session that comes and goes, hostile
 * peers, players that ask.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "source-util.h"
#include <gst/check/gsttestclock.h>
#include <string.h>

/* Live: no preroll, and the request begins at PAUSED. */
GST_START_TEST (test_states)
{
  Rig rig;

  rig_open (&rig);
  fail_unless_equals_int (gst_element_set_state (rig.src, GST_STATE_READY),
                          GST_STATE_CHANGE_SUCCESS);
  fail_if (fake_has_request ());
  fail_unless_equals_int (gst_element_set_state (rig.src, GST_STATE_PAUSED),
                          GST_STATE_CHANGE_NO_PREROLL);
  fail_unless_equals_string (fake_request_params (), "action=live&channel=0");
  fail_unless (fake_is_started (fake_endpoint ()));
  fail_unless_equals_int (fake_config (fake_endpoint ())->role,
                          P2P_ROLE_VIEWER);
  fail_unless_equals_int (fake_config (fake_endpoint ())->latency_ms, 200);
  fail_unless_equals_string (fake_config (fake_endpoint ())->device_id,
                             "camera-1");
  fail_unless_equals_int (gst_element_set_state (rig.src, GST_STATE_PLAYING),
                          GST_STATE_CHANGE_SUCCESS);
  fail_unless_equals_int (gst_element_set_state (rig.src, GST_STATE_PAUSED),
                          GST_STATE_CHANGE_NO_PREROLL);
  fail_unless_equals_int (gst_element_set_state (rig.src, GST_STATE_READY),
                          GST_STATE_CHANGE_SUCCESS);
  fail_if (fake_has_request ());
  rig_close (&rig, NULL, NULL);
  fail_unless_equals_int (p2p_endpoint_count_alive (), 0);
}

GST_END_TEST;

/* The network is lost and comes back: no EOS, the same pads, everything that
 * comes before data again, and a mapping of its own. */
GST_START_TEST (test_reconnect)
{
  GstBuffer *buffer;
  P2pInStream *video;
  GstClockTime before;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = open_video (&rig);
  send_frame (video, "one", 500 * (gint64)GST_SECOND, 0, 0);
  expect (&rig, "video_0", "one discont");
  buffer = last_buffer (&rig);
  before = GST_BUFFER_PTS (buffer);
  gst_buffer_unref (buffer);

  fake_close (video, TRUE);
  video = fake_open ("video_0", P2P_WIRE_VIDEO, 2);
  fake_caps (video, H264);
  fake_complete ();
  expect_start (&rig, "video_0", "video/x-h264");
  /* The sender's running time began again. */
  send_frame (video, "two", 0, 0, 0);
  expect (&rig, "video_0", "two discont");
  buffer = last_buffer (&rig);
  fail_unless (GST_BUFFER_PTS (buffer) > before);
  fail_unless (GST_BUFFER_PTS (buffer) < before + 60 * GST_SECOND);
  gst_buffer_unref (buffer);
  expect (&rig, "element", "added video_0");
  expect (&rig, "element", "no-more-pads");
  rig_close (&rig, video, NULL);
}

GST_END_TEST;

/* A pad that the sender took away ends and goes; one of that name may come
 * later. So does a pad that did not come back with its session. */
GST_START_TEST (test_removal)
{
  P2pInStream *video, *audio;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = fake_open ("video_0", P2P_WIRE_VIDEO, 1);
  audio = fake_open ("audio_0", P2P_WIRE_AUDIO, 1);
  fake_complete ();
  fake_caps (video, H264);
  expect (&rig, "element", "added video_0");
  fake_caps (audio, AAC);
  expect (&rig, "element", "added audio_0");
  expect (&rig, "element", "no-more-pads");
  expect_start (&rig, "audio_0", "audio/mpeg");
  fake_close (audio, FALSE);
  expect (&rig, "audio_0", "eos");
  expect (&rig, "element", "removed audio_0");
  audio = fake_open ("audio_0", P2P_WIRE_AUDIO, 1);
  fake_caps (audio, AAC);
  expect (&rig, "element", "added audio_0");

  fake_close (video, TRUE);
  fake_close (audio, TRUE);
  video = fake_open ("video_0", P2P_WIRE_VIDEO, 2);
  fake_caps (video, H264);
  fake_complete ();
  expect (&rig, "element", "removed audio_0");
  rig_close (&rig, video, NULL);
}

GST_END_TEST;

/* What a hostile peer may say about a stream, and its kind: refused, told once,
 * and nothing of it reaches the pipeline. */
GST_START_TEST (test_hostile_streams)
{
  static const gchar *const formats[] = {
    "ANY",
    "EMPTY",
    "",
    "video/x-h264",
    "video/x-raw, format=I420",
    H264 "; " H264,
    "video/x-h264(memory:DMABuf), stream-format=byte-stream, "
    "alignment=au",
    "video/x-h264, stream-format=byte-stream, alignment={ au, nal }",
    H264 ", inner=(GstStructure)\"a;\"",
    H264 ", when=(GDate)2026-01-01",
    H264 ", nested=<<<<<<1>>>>>>",
    H264 ", range=(int)[ 1, 5 ]",
    H264 ", caps=(GstCaps)\"video/x-raw\"",
  };
  static const gchar *const names[]
      = { "video_x",          "video_",   "video_01", "audio_0",
          "video_4294967296", "x",        "",         "video_0/../x",
          "video_-1",         "video_+1", "video_ 1" };
  P2pInStream *stream;
  GstMessage *message;
  Rig rig;
  guint i;

  rig_open (&rig);
  rig_play (&rig);
  for (i = 0; i < G_N_ELEMENTS (names); i++) {
    stream = fake_open (names[i], P2P_WIRE_VIDEO, 1);
    fail_unless (fake_is_refused (stream), "%s", names[i]);
    fake_caps (stream, H264);
    fail_unless (send_frame (stream, "x", 0, 0, 0));
    fake_end (stream);
    fake_close (stream, FALSE);
  }
  fake_complete ();
  for (i = 0; i < G_N_ELEMENTS (formats); i++) {
    stream = fake_open ("video_0", P2P_WIRE_VIDEO, 1);
    fail_if (fake_is_refused (stream));
    fake_caps (stream, formats[i]);
    fail_unless (send_frame (stream, "x", 0, 0, 0));
    message
        = gst_bus_timed_pop_filtered (rig.bus, GST_CLOCK_TIME_NONE,
                                      GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
    fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_WARNING);
    gst_message_unref (message);
    fake_close (stream, TRUE);
  }
  /* More streams than a request may have. */
  for (i = 0; i < GST_P2P_SRC_MAX_PADS + 2; i++) {
    gchar *name = g_strdup_printf ("data_%u", i);

    stream = fake_open (name, P2P_WIRE_DATA, 1);
    /* One place is video_0's. */
    fail_unless (fake_is_refused (stream) == (i >= GST_P2P_SRC_MAX_PADS - 1));
    p2p_in_stream_unref (stream);
    g_free (name);
  }
  g_mutex_lock (&rig.lock);
  for (i = 0; i < rig.log->len; i++)
    fail_if (g_str_has_prefix (g_ptr_array_index (rig.log, i), "video"));
  g_mutex_unlock (&rig.lock);
  rig_close (&rig, NULL, NULL);
}

GST_END_TEST;

/* A device that never let us in is an error, and the end of trying; one that
 * served us before is waited for, and told of once an outage. */
GST_START_TEST (test_refused_by_the_device)
{
  GstMessage *message;
  GError *error;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  fake_step (P2P_STEP_AUTH, FALSE, "check-failure", "wrong key", NULL);
  message = gst_bus_pop_filtered (rig.bus, GST_MESSAGE_ELEMENT);
  fail_unless (message != NULL);
  gst_message_unref (message);
  message = gst_bus_pop_filtered (rig.bus, GST_MESSAGE_ERROR);
  fail_unless (message != NULL);
  gst_message_parse_error (message, &error, NULL);
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
                                GST_RESOURCE_ERROR_NOT_AUTHORIZED));
  fail_unless (strstr (error->message, "wrong key") != NULL);
  g_error_free (error);
  gst_message_unref (message);
  fail_if (fake_has_request ());
  rig_close (&rig, NULL, NULL);

  rig_open (&rig);
  rig_play (&rig);
  fake_step (P2P_STEP_MEDIA, TRUE, NULL, NULL, "direct");
  fake_step (P2P_STEP_AUTH, FALSE, "check-failure", "wrong key", NULL);
  fake_step (P2P_STEP_AUTH, FALSE, "check-failure", "wrong key", NULL);
  message
      = gst_bus_pop_filtered (rig.bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_WARNING);
  gst_message_unref (message);
  fail_unless (
      gst_bus_pop_filtered (rig.bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR)
      == NULL);
  fail_unless (fake_has_request ());
  rig_close (&rig, NULL, NULL);
}

GST_END_TEST;

/* A relay that will not be there when it is needed is told of while it is not.
 */
GST_START_TEST (test_relay_missing)
{
  GstMessage *message;
  GError *error;
  gchar *debug;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  fake_relay_missing ("turn.example:3478", "it does not let us in");
  message
      = gst_bus_pop_filtered (rig.bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_WARNING);
  gst_message_parse_warning (message, &error, &debug);
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
                                GST_RESOURCE_ERROR_NOT_AUTHORIZED));
  fail_unless_equals_string (error->message,
                             "There is no relay to fall back on: "
                             "turn.example:3478: it does not let us in");
  fail_unless (strstr (debug, "\"turn-server\"") != NULL);
  g_error_free (error);
  g_free (debug);
  gst_message_unref (message);
  fail_unless (fake_has_request ());
  rig_close (&rig, NULL, NULL);
}

GST_END_TEST;

/* Nothing to see is said, not left to be guessed. */
GST_START_TEST (test_no_streams)
{
  GstClock *clock = gst_test_clock_new ();
  GstMessage *message;
  Rig rig;

  gst_system_clock_set_default (clock);
  rig_open (&rig);
  rig_play (&rig);
  fake_complete ();
  fail_unless_equals_int (gst_test_clock_peek_id_count (GST_TEST_CLOCK (clock)),
                          1);
  fail_unless (gst_test_clock_crank (GST_TEST_CLOCK (clock)));
  message = gst_bus_timed_pop_filtered (rig.bus, GST_CLOCK_TIME_NONE,
                                        GST_MESSAGE_WARNING);
  gst_message_unref (message);
  /* Stopped while it waits once more. */
  fake_complete ();
  rig_close (&rig, NULL, NULL);
  gst_system_clock_set_default (NULL);
  gst_object_unref (clock);
}

GST_END_TEST;

/* But not of a device whose application answers a moment later, nor when the
 * last stream has ended. */
GST_START_TEST (test_late_stream)
{
  GstClock *clock = gst_test_clock_new ();
  P2pInStream *video;
  Rig rig;

  gst_system_clock_set_default (clock);
  rig_open (&rig);
  rig_play (&rig);
  fake_complete ();
  video = open_video (&rig);
  fail_unless (gst_test_clock_crank (GST_TEST_CLOCK (clock)));
  send_frame (video, "one", 500 * (gint64)GST_SECOND, 0, 0);
  expect (&rig, "video_0", "one discont");
  fake_end (video);
  fake_close (video, FALSE);
  expect (&rig, "video_0", "eos");
  expect (&rig, "element", "added video_0");
  expect (&rig, "element", "no-more-pads");
  expect (&rig, "element", "removed video_0");
  fail_unless_equals_int (gst_test_clock_peek_id_count (GST_TEST_CLOCK (clock)),
                          0);
  fail_unless (gst_bus_pop_filtered (rig.bus, GST_MESSAGE_WARNING) == NULL);
  rig_close (&rig, NULL, NULL);
  gst_system_clock_set_default (NULL);
  gst_object_unref (clock);
}

GST_END_TEST;

/* Players ask; a live source answers. */
GST_START_TEST (test_queries)
{
  GstClockTime min, max;
  GstSchedulingFlags flags;
  gboolean live, seekable;
  P2pInStream *video;
  GstQuery *query;
  GstPad *peer;
  gchar *uri;
  Rig rig;

  rig_open (&rig);
  g_object_set (rig.src, "latency", 300, NULL);
  rig_play (&rig);
  video = open_video (&rig);
  peer = g_hash_table_lookup (rig.peers, "video_0");

  query = gst_query_new_latency ();
  fail_unless (gst_pad_peer_query (peer, query));
  gst_query_parse_latency (query, &live, &min, &max);
  fail_unless (live);
  fail_unless_equals_uint64 (min, 300 * GST_MSECOND);
  fail_unless (max > min);
  gst_query_unref (query);

  query = gst_query_new_seeking (GST_FORMAT_TIME);
  fail_unless (gst_pad_peer_query (peer, query));
  gst_query_parse_seeking (query, NULL, &seekable, NULL, NULL);
  fail_if (seekable);
  gst_query_unref (query);

  query = gst_query_new_duration (GST_FORMAT_TIME);
  fail_if (gst_pad_peer_query (peer, query));
  gst_query_unref (query);

  query = gst_query_new_scheduling ();
  fail_unless (gst_pad_peer_query (peer, query));
  fail_unless (gst_query_has_scheduling_mode (query, GST_PAD_MODE_PUSH));
  fail_if (gst_query_has_scheduling_mode (query, GST_PAD_MODE_PULL));
  gst_query_parse_scheduling (query, &flags, NULL, NULL, NULL);
  /* Players would buffer: a live source has nothing to wait for. */
  fail_if (flags & GST_SCHEDULING_FLAG_BANDWIDTH_LIMITED);
  gst_query_unref (query);

  query = gst_query_new_uri ();
  fail_unless (gst_element_query (rig.src, query));
  gst_query_parse_uri (query, &uri);
  fail_unless_equals_string (uri, "p2p://camera-1?action=live&channel=0");
  g_free (uri);
  gst_query_unref (query);
  rig_close (&rig, video, NULL);
}

GST_END_TEST;

/* The URI, as players set it: checked at once, and not while it is in use. */
GST_START_TEST (test_uri)
{
  static const struct
  {
    const gchar *uri;
    gboolean good;
  } cases[] = {
    { "p2p://camera-1", TRUE },
    { "p2p://camera-1/", TRUE },
    { "p2p://Camera_1.Front?action=live&channel=0", TRUE },
    { "p2p://camera-1/?a=b%20c", TRUE },
    { "p2p://", FALSE },
    { "p2p://camera 1", FALSE },
    { "p2p://camera-1/path", FALSE },
    { "p2p://user@camera-1", FALSE },
    { "p2p://camera-1:80", FALSE },
    { "p2p://camera-1#x", FALSE },
    { "p2p://camera-1?a=b c", FALSE },
    { "p2p://camera-1?a=b#c", FALSE },
    { "p2p://camera-1?key=hunter2hunter2", FALSE },
    { "p2p://camera-1?a=b&Token=hunter2", FALSE },
    { "http://camera-1", FALSE },
    { "p2p://0123456789012345678901234567890123456789012345678901234567890123"
      "4",
      FALSE },
  };
  GstURIHandler *handler;
  GstElement *made;
  GError *error = NULL;
  gchar *uri;
  Rig rig;
  guint i;

  rig_open (&rig);
  handler = GST_URI_HANDLER (rig.src);
  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    fail_unless (gst_uri_handler_set_uri (handler, cases[i].uri, &error)
                     == cases[i].good,
                 "%s", cases[i].uri);
    fail_unless ((error == NULL) == cases[i].good);
    if (error != NULL)
      fail_if (strstr (error->message, "hunter2") != NULL);
    g_clear_error (&error);
  }
  uri = g_strconcat ("p2p://camera-1?", NULL);
  uri = g_realloc (uri, strlen (uri) + P2P_WIRE_MAX_PARAMS + 2);
  i = strlen (uri);
  memset (uri + i, 'a', P2P_WIRE_MAX_PARAMS + 1);
  uri[i + P2P_WIRE_MAX_PARAMS + 1] = '\0';
  fail_if (gst_uri_handler_set_uri (handler, uri, NULL));
  uri[i + P2P_WIRE_MAX_PARAMS] = '\0';
  fail_unless (gst_uri_handler_set_uri (handler, uri, NULL));
  g_free (uri);

  fail_unless (gst_uri_handler_set_uri (handler, "p2p://camera-1", NULL));
  gst_element_set_state (rig.src, GST_STATE_PAUSED);
  fail_unless_equals_string (fake_request_params (), "");
  fail_if (gst_uri_handler_set_uri (handler, "p2p://camera-2", &error));
  fail_unless (g_error_matches (error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE));
  g_clear_error (&error);
  uri = gst_uri_handler_get_uri (handler);
  fail_unless_equals_string (uri, "p2p://camera-1");
  g_free (uri);
  rig_close (&rig, NULL, NULL);

  made = gst_element_make_from_uri (GST_URI_SRC, "p2p://camera-1", NULL, NULL);
  fail_unless (GST_IS_P2P_SRC (made));
  gst_object_unref (made);
}

GST_END_TEST;

static Suite *
source_session_suite (void)
{
  Suite *suite = suite_create ("p2psrc, session");
  TCase *tcase = tcase_create ("source_session");

  GST_ELEMENT_REGISTER (p2psrc, NULL);
  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_states);
  tcase_add_test (tcase, test_reconnect);
  tcase_add_test (tcase, test_removal);
  tcase_add_test (tcase, test_hostile_streams);
  tcase_add_test (tcase, test_refused_by_the_device);
  tcase_add_test (tcase, test_relay_missing);
  tcase_add_test (tcase, test_no_streams);
  tcase_add_test (tcase, test_late_stream);
  tcase_add_test (tcase, test_queries);
  tcase_add_test (tcase, test_uri);
  return suite;
}

GST_CHECK_MAIN (source_session);
