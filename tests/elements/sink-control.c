/* p2psink and the application: states, settings, pads, signals, messages.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "sink-util.h"
#include <string.h>

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
  GstBus *bus = gst_bus_new ();
  GstMessage *message;
  GError *warning = NULL;

  gst_element_set_bus (sink, bus);
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

  /* Above READY a change is refused, and whoever made it is told. */
  fail_unless (gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING) == NULL);
  g_object_set (sink, "max-viewers", 9, NULL);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING);
  fail_unless (message != NULL);
  gst_message_parse_warning (message, &warning, NULL);
  fail_unless (
      g_error_matches (warning, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS)
      && strstr (warning->message, "max-viewers") != NULL);
  g_clear_error (&warning);
  gst_message_unref (message);
  g_object_get (sink, "max-viewers", &config, NULL);
  fail_unless_equals_int (GPOINTER_TO_INT (config), 5);
  gst_element_set_state (sink, GST_STATE_NULL);
  gst_element_set_bus (sink, NULL);
  gst_object_unref (bus);
  gst_object_unref (sink);
}

GST_END_TEST;

/* With a URI it is a viewer, and what it sends is one offer, there before its
 * streams and gone after them. */
GST_START_TEST (test_talk)
{
  GstElement *sink = make_sink ();
  GstPad *pads[2];
  guint i, round;

  g_object_set (sink, "device-id", NULL, "uri",
                "p2p://camera-2?action=voice&channel=1", NULL);
  pads[0] = gst_element_request_pad_simple (sink, "audio_%u");
  for (round = 0; round < 2; round++) {
    gst_element_set_state (sink, GST_STATE_READY);
    fail_unless_equals_int (fake_config (fake_endpoint ())->role,
                            P2P_ROLE_VIEWER);
    fail_unless_equals_string (fake_config (fake_endpoint ())->device_id,
                               "camera-2");
    fail_unless (fake_offer_params () == NULL);
    gst_element_set_state (sink, GST_STATE_PLAYING);
    fail_unless_equals_string (fake_offer_params (), "action=voice&channel=1");
    fail_unless (fake_stream_config (fake_stream ("audio_0"))->offer != NULL);
    if (round == 0)
      pads[1] = gst_element_request_pad_simple (sink, "data_%u");
    fail_unless (fake_stream_config (fake_stream ("data_0"))->offer != NULL);
    gst_element_set_state (sink, GST_STATE_NULL);
    fail_unless (fake_offer_params () == NULL);
    fail_unless (fake_endpoint () == NULL);
  }
  /* And the other way round again. */
  g_object_set (sink, "device-id", "camera-1", "uri", NULL, NULL);
  gst_element_set_state (sink, GST_STATE_PAUSED);
  fail_unless (fake_offer_params () == NULL);
  fail_unless (fake_stream_config (fake_stream ("audio_0"))->offer == NULL);
  gst_element_set_state (sink, GST_STATE_NULL);
  for (i = 0; i < 2; i++) {
    gst_element_release_request_pad (sink, pads[i]);
    gst_object_unref (pads[i]);
  }
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

static GstMessage *
pop_end (GstElement *pipeline, GstClockTime timeout)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message
      = gst_bus_timed_pop_filtered (bus, timeout,
                                    GST_MESSAGE_EOS | GST_MESSAGE_ERROR);

  gst_object_unref (bus);
  return message;
}

/* A device without streams, for its commands alone: a pipeline of which the
 * application wants the end (gst-launch-1.0 -e) has it, whenever it was said.
 */
GST_START_TEST (test_end_without_pads)
{
  static const GstState states[]
      = { GST_STATE_READY, GST_STATE_PAUSED, GST_STATE_PLAYING };
  GstElement *pipeline = gst_pipeline_new (NULL), *sink = make_sink ();
  GstMessage *message;
  GstEvent *eos;
  guint32 seqnum;
  GstPad *pad;
  guint i;

  gst_bin_add (GST_BIN (pipeline), sink);
  for (i = 0; i < G_N_ELEMENTS (states); i++) {
    /* With a pad it has to come from upstream; when that is gone, no more. */
    pad = gst_element_request_pad_simple (sink, "video_0");
    fail_if (GST_OBJECT_FLAG_IS_SET (sink, GST_ELEMENT_FLAG_SOURCE));
    gst_element_release_request_pad (sink, pad);
    gst_object_unref (pad);

    gst_element_set_state (pipeline, states[i]);
    eos = gst_event_new_eos ();
    seqnum = gst_event_get_seqnum (eos);
    fail_unless (gst_element_send_event (pipeline, eos));
    if (states[i] != GST_STATE_PLAYING)
      fail_unless (pop_end (pipeline, 0) == NULL);
    gst_element_set_state (pipeline, GST_STATE_PLAYING);
    message = pop_end (pipeline, 30 * GST_SECOND);
    fail_unless (message != NULL);
    fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_EOS);
    fail_unless_equals_int (gst_message_get_seqnum (message), seqnum);
    gst_message_unref (message);
    /* It is forgotten with the run that it ended. */
    gst_element_set_state (pipeline, GST_STATE_READY);
    gst_element_set_state (pipeline, GST_STATE_PLAYING);
    fail_unless (pop_end (pipeline, 0) == NULL);
    gst_element_set_state (pipeline, GST_STATE_NULL);
  }
  gst_object_unref (pipeline);
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
    /* Once is enough, however often it is offered. */
    fail_if (gst_pad_send_event (any, gst_event_new_caps (caps)));
    message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
    fail_unless (message == NULL);
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
  fake_relay_missing ("turn.example:3478", "it does not answer");
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_WARNING);
  gst_message_unref (message);
  gst_element_set_bus (sink, NULL);
  gst_element_set_state (sink, GST_STATE_NULL);
  gst_object_unref (bus);
  gst_object_unref (sink);
}

GST_END_TEST;

/* What the session finds wrong fails NULL to READY, in its words. */
/* A wrong key: an error, once, and the device is left alone. From NULL it can
 * be tried again. One that was let in before goes on trying. */
GST_START_TEST (test_talk_refused)
{
  GstElement *sink = make_sink ();
  GstBus *bus = gst_bus_new ();
  GstMessage *message;
  GError *error = NULL;
  GstHarness *h;
  GstPad *pad;

  g_object_set (sink, "device-id", NULL, "uri", "p2p://camera-2?action=voice",
                NULL);
  h = gst_harness_new_with_element (sink, "audio_0", NULL);
  gst_element_set_bus (sink, bus);
  gst_harness_set_src_caps_str (h, "audio/x-opus, rate=(int)48000");
  fail_unless_equals_int (gst_harness_push (h, make_buffer ("a", 0)),
                          GST_FLOW_OK);
  /* Away at first, and only then found to have another key. */
  fake_step (P2P_STEP_SERVER, FALSE, "no-answer", "offline", NULL);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_WARNING);
  gst_message_unref (message);
  fake_step (P2P_STEP_AUTH, FALSE, "check-failure", "wrong key", NULL);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_ERROR);
  gst_message_parse_error (message, &error, NULL);
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
                                GST_RESOURCE_ERROR_NOT_AUTHORIZED));
  g_clear_error (&error);
  gst_message_unref (message);
  fail_unless (fake_endpoint () == NULL);
  fail_unless_equals_int (gst_harness_push (h, make_buffer ("b", 1)),
                          GST_FLOW_ERROR);
  /* A pad that comes now has nowhere to go, and is no trouble. */
  pad = gst_element_request_pad_simple (sink, "audio_%u");
  gst_element_release_request_pad (sink, pad);
  gst_object_unref (pad);

  gst_element_set_state (sink, GST_STATE_NULL);
  gst_element_set_state (sink, GST_STATE_PLAYING);
  fail_unless (fake_endpoint () != NULL);
  fake_step (P2P_STEP_TRANSPORT, TRUE, NULL, NULL, "direct");
  fake_step (P2P_STEP_AUTH, FALSE, "check-failure", "wrong key", NULL);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_WARNING);
  gst_message_unref (message);
  fail_unless (fake_endpoint () != NULL);
  gst_element_set_bus (sink, NULL);
  gst_harness_teardown (h);
  gst_object_unref (bus);
  gst_object_unref (sink);
}

GST_END_TEST;

/* Each mark that a viewer crosses is a message that says whose it is. */
GST_START_TEST (test_watermarks)
{
  static const struct
  {
    unsigned event;
    const gchar *name;
  } events[] = {
    { IV_WATERMARK_WARN, "warn" },
    { IV_WATERMARK_HIGH, "high" },
    { IV_WATERMARK_LOW, "low" },
  };
  GstElement *sink = make_sink ();
  GstBus *bus = gst_bus_new ();
  GstStructure *stats, *peer;
  guint64 bytes, time;
  guint i;

  gst_element_set_bus (sink, bus);
  gst_element_set_state (sink, GST_STATE_PAUSED);
  for (i = 0; i < G_N_ELEMENTS (events); i++) {
    GstMessage *message;
    const GstStructure *s;

    fake_watermark ("viewer-7", events[i].event, 1000 + i, 20 + i);
    message = gst_bus_pop_filtered (bus, GST_MESSAGE_ELEMENT);
    s = gst_message_get_structure (message);
    fail_unless (gst_structure_has_name (s, "iv-watermark"));
    fail_unless_equals_string (gst_structure_get_string (s, "event"),
                               events[i].name);
    fail_unless_equals_string (gst_structure_get_string (s, "peer"),
                               "viewer-7");
    fail_unless (gst_structure_get_uint64 (s, "level-bytes", &bytes));
    fail_unless (gst_structure_get_uint64 (s, "level-time", &time));
    fail_unless_equals_uint64 (bytes, 1000 + i);
    fail_unless_equals_uint64 (time, (20 + i) * GST_USECOND);
    gst_message_unref (message);
  }
  g_object_get (sink, "stats", &stats, NULL);
  peer = g_value_dup_boxed (
      gst_value_array_get_value (gst_structure_get_value (stats, "peers"), 0));
  fail_unless (gst_structure_get (peer, "level-bytes", G_TYPE_UINT64, &bytes,
                                  "level-time-us", G_TYPE_UINT64, &time, NULL));
  fail_unless_equals_uint64 (bytes, 5678);
  fail_unless_equals_uint64 (time, 910);
  gst_structure_free (peer);
  gst_structure_free (stats);
  gst_element_set_state (sink, GST_STATE_NULL);
  gst_element_set_bus (sink, NULL);
  gst_object_unref (bus);
  gst_object_unref (sink);
}

GST_END_TEST;

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
sink_control_suite (void)
{
  Suite *suite = suite_create ("p2psink, control");
  TCase *tcase = tcase_create ("sink_control");

  GST_ELEMENT_REGISTER (p2psink, NULL);
  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_states);
  tcase_add_test (tcase, test_settings_reach_the_session);
  tcase_add_test (tcase, test_pad_names);
  tcase_add_test (tcase, test_pads_in_any_state);
  tcase_add_test (tcase, test_end_without_pads);
  tcase_add_test (tcase, test_strays);
  tcase_add_test (tcase, test_signals);
  tcase_add_test (tcase, test_steps);
  tcase_add_test (tcase, test_talk);
  tcase_add_test (tcase, test_talk_refused);
  tcase_add_test (tcase, test_watermarks);
  tcase_add_test (tcase, test_acquire_fails);
  return suite;
}

GST_CHECK_MAIN (sink_control);
