/* p2psink and the encoder that follows: who is found, what is set, in which
 * unit, and what is given back.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Encoders are the test's own, under names that p2psink knows; what the paths
 * carry is what the test says. The encoder is set by a thread of GStreamer's:
 * the test waits for notifies, which also come one after the other.
 */
#include "fakeencoder.h"
#include "gstp2pencoder.h"
#include "sink-util.h"
#include <string.h>

/* -- A camera -------------------------------------------------------------- */

static GMutex lock;
static GCond changed;
static guint notified; /* of target-bitrate, in all */

static void
on_target (GObject *object, GParamSpec *spec, gpointer unused)
{
  g_mutex_lock (&lock);
  notified++;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&lock);
}

static void
on_notify (GObject *object, GParamSpec *spec, gpointer unused)
{
  g_mutex_lock (&lock);
  g_cond_broadcast (&changed);
  g_mutex_unlock (&lock);
}

static guint
number_of (gpointer object, const gchar *name)
{
  guint value;

  g_object_get (object, name, &value, NULL);
  return value;
}

/* A hang here is a value that never came. */
static void
wait_number (gpointer object, const gchar *name, guint value)
{
  g_mutex_lock (&lock);
  while (number_of (object, name) != value)
    g_cond_wait (&changed, &lock);
  g_mutex_unlock (&lock);
}

static int
control_of (gpointer encoder, const gchar *name)
{
  GstStructure *controls;
  int value = -1;

  g_object_get (encoder, "extra-controls", &controls, NULL);
  gst_structure_get_int (controls, name, &value);
  gst_structure_free (controls);
  return value;
}

typedef struct
{
  GstElement *pipeline, *net, *encoder;
} Camera;

/* `chain`: from an appsrc to the sink; an encoder in it is called "enc". */
static void
camera_open (Camera *camera, const gchar *chain, const gchar *settings)
{
  gchar *line = g_strdup_printf (
      "appsrc name=in is-live=true format=time caps=\"%s\" ! %s ! p2psink "
      "name=net device-id=camera-1 key=correct-horse-battery %s",
      H264, chain, settings);
  GError *error = NULL;

  camera->pipeline = gst_parse_launch (line, &error);
  fail_unless (camera->pipeline != NULL && error == NULL, "%s", line);
  g_free (line);
  camera->net = gst_bin_get_by_name (GST_BIN (camera->pipeline), "net");
  camera->encoder = gst_bin_get_by_name (GST_BIN (camera->pipeline), "enc");
  g_signal_connect (camera->net, "notify::target-bitrate",
                    G_CALLBACK (on_target), NULL);
  if (camera->encoder != NULL)
    g_signal_connect (camera->encoder, "notify", G_CALLBACK (on_notify), NULL);
}

static void
push_one (Camera *camera, const gchar *name)
{
  GstElement *in = gst_bin_get_by_name (GST_BIN (camera->pipeline), name);
  GstBuffer *buffer = make_buffer ("frame", 0);
  GstFlowReturn flow;

  g_signal_emit_by_name (in, "push-buffer", buffer, &flow);
  fail_unless_equals_int (flow, GST_FLOW_OK);
  gst_buffer_unref (buffer);
  gst_object_unref (in);
}

/* It has come as far as the session, and the encoder has been looked for. */
static void
camera_play (Camera *camera)
{
  guint before;

  g_mutex_lock (&lock);
  before = notified;
  g_mutex_unlock (&lock);
  fail_if (gst_element_set_state (camera->pipeline, GST_STATE_PLAYING)
           == GST_STATE_CHANGE_FAILURE);
  push_one (camera, "in");
  fake_stream_wait (fake_stream ("video_0"), 1);
  g_mutex_lock (&lock);
  while (notified == before)
    g_cond_wait (&changed, &lock);
  g_mutex_unlock (&lock);
}

static void
camera_close (Camera *camera)
{
  gst_element_set_state (camera->pipeline, GST_STATE_NULL);
  g_clear_object (&camera->encoder);
  gst_object_unref (camera->net);
  gst_object_unref (camera->pipeline);
}

/* Paths in kbit/s, ended by 0; what it would have on a good path comes back. */
static guint64
paths (const gchar *stream, const guint *kbits)
{
  BitrateViewer viewers[8] = { { 0 } };
  gsize n;

  for (n = 0; kbits[n] != 0; n++)
    viewers[n].bitrate = (guint64)kbits[n] * 1000;
  return fake_stream_targets (fake_stream (stream), viewers, n);
}

#define PATHS(...) paths ("video_0", (const guint[]){ __VA_ARGS__, 0 })
#define NOBODY() paths ("video_0", (const guint[]){ 0 })

/* A fall, and the notify of it. */
static void
fall_to (guint kbits)
{
  guint before;

  g_mutex_lock (&lock);
  before = notified;
  g_mutex_unlock (&lock);
  PATHS (kbits);
  g_mutex_lock (&lock);
  while (notified == before)
    g_cond_wait (&changed, &lock);
  g_mutex_unlock (&lock);
}

/* What was told last has been carried out when the next is told: after this
 * all up to `kbits` has been. */
static void
barrier (guint kbits)
{
  fall_to (kbits);
  fall_to (kbits / 2);
}

/* -- The encoder on the way up --------------------------------------------- */

GST_START_TEST (test_follows)
{
  GstStructure *stats;
  guint64 target;
  Camera camera;

  camera_open (&camera, "nvh264enc name=enc ! queue ! identity ! capsfilter",
               "");
  fail_unless_equals_int (number_of (camera.net, "target-bitrate"), 0);
  camera_play (&camera);
  wait_number (camera.net, "target-bitrate", 2000000);
  fail_unless_equals_uint64 (PATHS (50000), 2000000);
  PATHS (50000, 600, 9000);
  wait_number (camera.encoder, "bitrate", 600);
  fail_unless_equals_int (number_of (camera.net, "target-bitrate"), 600000);
  g_object_get (camera.net, "stats", &stats, NULL);
  fail_unless (gst_structure_get_uint64 (stats, "target-bitrate-bps", &target));
  fail_unless_equals_uint64 (target, 600000);
  gst_structure_free (stats);
  /* Nobody is left: as it was. */
  NOBODY ();
  wait_number (camera.encoder, "bitrate", 2000);
  camera_close (&camera);
}

GST_END_TEST;

/* What the user had set is there again after a stop, and still the most. */
GST_START_TEST (test_gives_back)
{
  Camera camera;

  camera_open (&camera, "nvh264enc name=enc bitrate=1500", "");
  camera_play (&camera);
  wait_number (camera.net, "target-bitrate", 1500000);
  PATHS (700);
  wait_number (camera.encoder, "bitrate", 700);
  gst_element_set_state (camera.pipeline, GST_STATE_READY);
  wait_number (camera.encoder, "bitrate", 1500);
  wait_number (camera.net, "target-bitrate", 0);
  camera_play (&camera);
  wait_number (camera.net, "target-bitrate", 1500000);
  PATHS (700);
  wait_number (camera.encoder, "bitrate", 700);
  gst_element_set_state (camera.pipeline, GST_STATE_READY);
  wait_number (camera.encoder, "bitrate", 1500);
  camera_close (&camera);
}

GST_END_TEST;

GST_START_TEST (test_limits)
{
  Camera camera;

  camera_open (&camera, "nvh264enc name=enc",
               "max-bitrate=1000000 min-bitrate=400000 start-bitrate=700000");
  camera_play (&camera);
  wait_number (camera.encoder, "bitrate", 700);
  fail_unless_equals_uint64 (PATHS (500), 1000000);
  wait_number (camera.encoder, "bitrate", 500);
  PATHS (50);
  wait_number (camera.encoder, "bitrate", 400);
  /* They can be changed at any time. */
  g_object_set (camera.net, "min-bitrate", 450000, NULL);
  wait_number (camera.encoder, "bitrate", 450);
  g_object_set (camera.net, "max-bitrate", 420000, NULL);
  wait_number (camera.encoder, "bitrate", 420);
  camera_close (&camera);
}

GST_END_TEST;

/* Who takes the event is not set as well. */
GST_START_TEST (test_event_comes_first)
{
  FakeEncoder *encoder;
  Camera camera;

  camera_open (&camera, "nvh264enc name=enc", "");
  encoder = (FakeEncoder *)camera.encoder;
  encoder->obeys = TRUE;
  camera_play (&camera);
  wait_number (camera.net, "target-bitrate", 2000000);
  barrier (600);
  GST_OBJECT_LOCK (encoder);
  fail_unless (encoder->asked == 600000 || encoder->asked == 300000);
  GST_OBJECT_UNLOCK (encoder);
  fail_unless_equals_int (number_of (camera.encoder, "bitrate"), 2000);
  camera_close (&camera);
}

GST_END_TEST;

#define SHARED                                                                 \
  "nvh264enc name=enc ! tee name=t t. ! queue ! fakesink async=false t. ! "    \
  "queue"

/* Behind a branch others get the stream, too. */
GST_START_TEST (test_stops_at_branches)
{
  Camera camera;

  camera_open (&camera, SHARED, "");
  camera_play (&camera);
  barrier (600);
  fail_unless_equals_int (number_of (camera.encoder, "bitrate"), 2000);
  camera_close (&camera);

  camera_open (&camera, SHARED, "encoder=enc");
  camera_play (&camera);
  wait_number (camera.net, "target-bitrate", 2000000);
  PATHS (600);
  wait_number (camera.encoder, "bitrate", 600);
  camera_close (&camera);
}

GST_END_TEST;

/* Units are not guessed, and what takes no changes gets none: what the paths
 * carry is told all the same. */
GST_START_TEST (test_leaves_others_alone)
{
  static const gchar *const chains[]
      = { "ourenc name=enc", "nvh265enc name=enc" };
  Camera camera;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (chains); i++) {
    camera_open (&camera, chains[i], "");
    camera_play (&camera);
    barrier (600);
    fail_unless_equals_int (number_of (camera.encoder, "bitrate"), 2000);
    camera_close (&camera);
  }
}

GST_END_TEST;

GST_START_TEST (test_other_ways_to_set)
{
  Camera camera;

  camera_open (&camera, "mpph264enc name=enc", "");
  camera_play (&camera);
  wait_number (camera.net, "target-bitrate", 2000000);
  PATHS (612);
  wait_number (camera.encoder, "bps", 612000);
  camera_close (&camera);

  camera_open (&camera, "v4l2h264enc name=enc", "");
  camera_play (&camera);
  wait_number (camera.net, "target-bitrate", 2000000);
  PATHS (612);
  g_mutex_lock (&lock);
  while (control_of (camera.encoder, "video_bitrate") != 612000)
    g_cond_wait (&changed, &lock);
  g_mutex_unlock (&lock);
  fail_unless_equals_int (control_of (camera.encoder, "repeat_sequence_header"),
                          1);
  camera_close (&camera);
}

GST_END_TEST;

GST_START_TEST (test_adapt_is_a_choice)
{
  Camera camera;

  camera_open (&camera, "nvh264enc name=enc", "adapt=false");
  camera_play (&camera);
  barrier (600);
  fail_unless_equals_int (number_of (camera.encoder, "bitrate"), 2000);
  g_object_set (camera.net, "adapt", TRUE, NULL);
  wait_number (camera.encoder, "bitrate", 300);
  g_object_set (camera.net, "adapt", FALSE, NULL);
  wait_number (camera.encoder, "bitrate", 2000);
  camera_close (&camera);
}

GST_END_TEST;

static void
set_by_hand (GstElement *net, GParamSpec *spec, gpointer encoder)
{
  g_object_set (encoder, "bitrate", 3000, NULL);
}

/* The user's last word is the most. */
GST_START_TEST (test_set_by_hand)
{
  Camera camera;
  gulong handler;

  camera_open (&camera, "nvh264enc name=enc", "");
  camera_play (&camera);
  wait_number (camera.net, "target-bitrate", 2000000);
  PATHS (600);
  wait_number (camera.encoder, "bitrate", 600);
  /* Before each change of ours, so that it is not in the midst of one. */
  handler = g_signal_connect (camera.net, "notify::target-bitrate",
                              G_CALLBACK (set_by_hand), camera.encoder);
  PATHS (200);
  wait_number (camera.encoder, "bitrate", 200);
  g_signal_handler_disconnect (camera.net, handler);
  fail_unless_equals_uint64 (PATHS (200), 3000000);
  NOBODY ();
  wait_number (camera.encoder, "bitrate", 3000);
  camera_close (&camera);
}

GST_END_TEST;

/* Each pad has its own encoder; the element tells the sum. */
GST_START_TEST (test_several_pads)
{
  GstElement *second;
  Camera camera;

  camera_open (&camera,
               "nvh264enc name=enc ! net.video_0 appsrc name=in2 is-live=true "
               "format=time caps=\"" H264 "\" ! nvh264enc name=enc2 "
               "bitrate=500 ! net.video_1 appsrc name=in3 is-live=true "
               "format=time caps=image/jpeg ! mpph264enc name=enc3 ! "
               "net.video_2 fakesrc num-buffers=0 ! fakesink name=unused "
               "async=false fakesrc num-buffers=0",
               "");
  second = gst_bin_get_by_name (GST_BIN (camera.pipeline), "enc2");
  g_signal_connect (second, "notify", G_CALLBACK (on_notify), NULL);
  camera_play (&camera);
  push_one (&camera, "in2");
  push_one (&camera, "in3");
  fake_stream_wait (fake_stream ("video_2"), 1);
  wait_number (camera.net, "target-bitrate", 2500000);
  PATHS (1000);
  wait_number (camera.encoder, "bitrate", 1000);
  wait_number (camera.net, "target-bitrate", 1500000);
  fail_unless_equals_int (number_of (second, "bitrate"), 500);
  paths ("video_1", (const guint[]){ 250, 0 });
  wait_number (second, "bitrate", 250);
  /* Pictures that stand alone have no bit rate. */
  fail_unless_equals_uint64 (paths ("video_2", (const guint[]){ 250, 0 }), 0);
  gst_object_unref (second);
  camera_close (&camera);
}

GST_END_TEST;

/* -- Real ones ------------------------------------------------------------- */

static void
check_unit (const gchar *factory, guint64 set, guint64 got)
{
  GstElement *encoder = gst_element_factory_make (factory, NULL);

  fail_unless (encoder != NULL, "%s", factory);
  gst_p2p_encoder_set_bitrate (encoder, set);
  fail_unless_equals_uint64 (gst_p2p_encoder_get_bitrate (encoder), got);
  gst_object_unref (encoder);
}

GST_START_TEST (test_units)
{
  check_unit ("x264enc", 712345, 712000);
  check_unit ("x264enc", 1, 1000);
  check_unit ("x264enc", 0, 2048000);
  check_unit ("openh264enc", 712345, 712345);
  check_unit ("nvh264enc", 712345, 712000);
  check_unit ("mpph264enc", 712345, 712345);
  check_unit ("v4l2h264enc", 712345, 712345);
  /* Neither known nor able to. */
  check_unit ("nvh265enc", 712345, 0);
  check_unit ("ourenc", 712345, 0);
}

GST_END_TEST;

/* What costs a keyframe is not done for a little; a fall is, always. */
GST_START_TEST (test_worth)
{
  GstElement *restarts = gst_element_factory_make ("x265enc", NULL);
  GstElement *other = gst_element_factory_make ("x264enc", NULL);

  fail_unless (other != NULL);
  fail_unless (gst_p2p_encoder_is_worth (other, 1000000, 1100000));
  fail_unless (gst_p2p_encoder_is_worth (other, 1000000, 900000));
  if (restarts != NULL) {
    fail_if (gst_p2p_encoder_is_worth (restarts, 1000000, 1400000));
    fail_unless (gst_p2p_encoder_is_worth (restarts, 1000000, 1500000));
    fail_unless (gst_p2p_encoder_is_worth (restarts, 1000000, 900000));
    gst_object_unref (restarts);
  }
  gst_object_unref (other);
}

GST_END_TEST;

/* Bins may stand around the encoder, in between, and around the sink. */
GST_START_TEST (test_across_bins)
{
  GstElement *pipeline = gst_pipeline_new (NULL), *found;
  GstElement *first = gst_parse_bin_from_description (
      "videotestsrc ! x264enc name=enc ! h264parse", TRUE, NULL);
  GstElement *second
      = gst_parse_bin_from_description ("queue ! identity", TRUE, NULL);
  GstElement *third
      = gst_parse_bin_from_description ("capsfilter ! fakesink name=last", TRUE,
                                        NULL);
  GstElement *last = gst_bin_get_by_name (GST_BIN (third), "last");
  GstPad *pad = gst_element_get_static_pad (last, "sink");

  gst_bin_add_many (GST_BIN (pipeline), first, second, third, NULL);
  fail_unless (gst_p2p_encoder_find (pad, NULL) == NULL);
  fail_unless (gst_element_link_many (first, second, third, NULL));
  found = gst_p2p_encoder_find (pad, NULL);
  fail_unless (found != NULL);
  fail_unless_equals_string (GST_OBJECT_NAME (found), "enc");
  gst_object_unref (found);
  found = gst_p2p_encoder_find (pad, "enc");
  fail_unless (found != NULL);
  gst_object_unref (found);
  fail_unless (gst_p2p_encoder_find (pad, "identity0") == NULL);
  fail_unless (gst_p2p_encoder_find (pad, "nobody") == NULL);
  gst_object_unref (pad);
  gst_object_unref (last);
  gst_object_unref (pipeline);
}

GST_END_TEST;

static Suite *
sink_follow_suite (void)
{
  Suite *suite = suite_create ("p2psink, encoders that follow");
  TCase *tcase = tcase_create ("sink_follow");

  GST_ELEMENT_REGISTER (p2psink, NULL);
  fake_encoder_register ("nvh264enc", fake_encoder_live_class);
  fake_encoder_register ("ourenc", fake_encoder_live_class);
  fake_encoder_register ("nvh265enc", fake_encoder_fixed_class);
  fake_encoder_register ("mpph264enc", fake_encoder_bps_class);
  fake_encoder_register ("v4l2h264enc", fake_encoder_controls_class);
  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_follows);
  tcase_add_test (tcase, test_gives_back);
  tcase_add_test (tcase, test_limits);
  tcase_add_test (tcase, test_event_comes_first);
  tcase_add_test (tcase, test_stops_at_branches);
  tcase_add_test (tcase, test_leaves_others_alone);
  tcase_add_test (tcase, test_other_ways_to_set);
  tcase_add_test (tcase, test_adapt_is_a_choice);
  tcase_add_test (tcase, test_set_by_hand);
  tcase_add_test (tcase, test_several_pads);
  tcase_add_test (tcase, test_units);
  tcase_add_test (tcase, test_worth);
  tcase_add_test (tcase, test_across_bins);
  return suite;
}

GST_CHECK_MAIN (sink_follow);
