/* The elements, on simulated encoders: streams, keyframes and settings.
 * Waits are for messages, buffers and calls of the encoder, never for time.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <gst/video/video.h>

#include "elements.h"

/* --- Streams ----------------------------------------------------------------
 */

static void
test_stream (void)
{
  Camera camera = make ("");
  GstClockTime last = 0;
  guint i;

  sim->mode = SIM_REALTIME;
  CHECK (play (&camera));
  for (i = 0; i < 30; i++) {
    GstSample *sample = must_pull (&camera);
    GstBuffer *buffer;

    if (sample == NULL)
      break;
    buffer = gst_sample_get_buffer (sample);
    if (i == 0) {
      GstCaps *caps = gst_caps_from_string (soc->caps);

      CHECK (gst_caps_is_equal (gst_sample_get_caps (sample), caps));
      CHECK (is_key (sample) && is_discont (sample));
      gst_caps_unref (caps);
    } else {
      CHECK (GST_BUFFER_PTS (buffer) > last);
      CHECK_RANGE (GST_BUFFER_PTS (buffer) - last, 30 * GST_MSECOND,
                   50 * GST_MSECOND);
      CHECK (!is_discont (sample));
    }
    CHECK_EQ (GST_BUFFER_DURATION (buffer), 40 * GST_MSECOND);
    last = GST_BUFFER_PTS (buffer);
    gst_sample_unref (sample);
  }
  drop (&camera);
}

static void
test_caps_decide (void)
{
  static const struct
  {
    const gchar *properties, *caps;
  } table[] = {
    { "! video/x-h264,width=640,height=480,framerate=15/1",
      "video/x-h264,width=640,height=480,framerate=15/1" },
    { "codec=h265 ! video/x-h265,width=320,height=240",
      "video/x-h265,width=320,height=240,profile=main,tier=main" },
    { "codec=jpeg framerate=5/1 ! image/jpeg,width=320,height=240",
      "image/jpeg,parsed=true,width=320,height=240,framerate=5/1" },
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    Camera camera = make (table[i].properties);
    GstCaps *caps = gst_caps_from_string (table[i].caps);
    GstSample *sample;

    CHECK (play (&camera));
    sample = must_pull (&camera);
    if (sample != NULL) {
      CHECK (gst_caps_is_subset (gst_sample_get_caps (sample), caps));
      gst_sample_unref (sample);
    }
    gst_caps_unref (caps);
    drop (&camera);
  }
}

static void
test_wrong_caps (void)
{
  Camera camera = make ("codec=h265 ! video/x-h264");
  GQuark domain = 0;
  gint code = 0;
  gchar *text;

  CHECK (play (&camera));
  text = wait_message (&camera, GST_MESSAGE_ERROR, &domain, &code);
  CHECK_EQ (domain, GST_STREAM_ERROR);
  CHECK (strstr (text, "H.265") != NULL);
  g_free (text);
  drop (&camera);
}

/* Main stream, sub stream and sound of one process: one context. */
static void
test_together (void)
{
  gchar *sound
      = g_strdup_printf ("%s library-path=%s num-buffers=20 ! fakesink",
                         soc->audio_source, path);
  gchar *text = g_strdup_printf (
      "%s library-path=%s %s num-buffers=20 ! fakesink "
      "%s stream-id=1 codec=h265 library-path=%s %s num-buffers=20 ! "
      "fakesink %s",
      soc->source, path, soc->settings, soc->source, path, soc->settings,
      soc->audio_source != NULL ? sound : "");
  Camera camera = { gst_parse_launch (text, NULL), NULL, NULL };
  GstBus *bus = gst_element_get_bus (camera.pipeline);
  GstMessage *message;

  sim->mode = SIM_REALTIME;
  CHECK (play (&camera));
  message = gst_bus_timed_pop_filtered (bus, PATIENCE,
                                        GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  CHECK (message != NULL && GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS);
  if (message != NULL)
    gst_message_unref (message);
  CHECK_EQ (sim->creates, 2);
  CHECK_EQ (sim->audio_gets, soc->audio_source != NULL ? 20 : 0);
  gst_element_set_state (camera.pipeline, GST_STATE_NULL);
  gst_object_unref (bus);
  gst_object_unref (camera.pipeline);
  g_free (sound);
  g_free (text);
}

/* --- Keyframes --------------------------------------------------------------
 */

static GstPadProbeReturn
count_answers (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  if (gst_video_event_is_force_key_unit (GST_PAD_PROBE_INFO_EVENT (info)))
    g_atomic_int_inc ((gint *)data);
  return GST_PAD_PROBE_OK;
}

static void
ask (Camera *camera, gboolean by_element)
{
  GstEvent *event
      = gst_video_event_new_upstream_force_key_unit (GST_CLOCK_TIME_NONE, TRUE,
                                                     1);

  if (by_element) {
    CHECK (gst_element_send_event (camera->src, event));
  } else {
    GstPad *pad = gst_element_get_static_pad (camera->sink, "sink");

    CHECK (gst_pad_push_event (pad, event));
    gst_object_unref (pad);
  }
}

static void
test_force_key_unit (void)
{
  /* A queue that is full asks for a keyframe of its own: not this one. */
  Camera camera
      = make ("gop-size=10000 framerate=200/1 max-queued-frames=1000");
  GstPad *pad = gst_element_get_static_pad (camera.src, "src");
  gint answers = 0;
  guint round, i;

  sim->mode = SIM_REALTIME;
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, count_answers,
                     &answers, NULL);
  gst_object_unref (pad);
  CHECK (play (&camera));
  pull_one (&camera);
  for (round = 0; round < 4; round++) {
    guint before = sim->idr_requests;
    gboolean key = FALSE;

    /* The encoder takes its time, so that the requests meet. */
    atomic_store (&sim->idr_delay, 20);
    for (i = 0; i < 5; i++)
      ask (&camera, round % 2 == 0);
    for (i = 0; i < 200 && !key; i++) {
      GstSample *sample = must_pull (&camera);

      if (sample == NULL)
        return;
      key = is_key (sample);
      gst_sample_unref (sample);
    }
    CHECK (key);
    CHECK_EQ (sim->idr_requests - before, 1);
    CHECK_EQ (g_atomic_int_get (&answers), round + 1);
  }
  drop (&camera);
}

/* --- Settings that change ---------------------------------------------------
 */

static void
test_bitrate (void)
{
  Camera camera = make ("bitrate=1000000");
  GQuark domain = 0;
  guint bitrate = 0;
  gint code = 0;
  gchar *text;

  CHECK (play (&camera));
  pull_one (&camera);
  CHECK_EQ (encoder_bitrate (), 1000000);
  g_object_set (camera.src, "bitrate", 3000000, NULL);
  CHECK_EQ (encoder_bitrate (), 3000000);
  /* A sink that knows the network asks by an event. */
  gst_element_send_event (
      camera.src,
      gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM,
                            gst_structure_new ("GstP2pBitrateRequest",
                                               "bitrate", G_TYPE_UINT, 1500000,
                                               NULL)));
  CHECK_EQ (encoder_bitrate (), 1500000);
  /* kbit/s are refused in words, and nothing changes. */
  g_object_set (camera.src, "bitrate", 2000, NULL);
  text = wait_message (&camera, GST_MESSAGE_WARNING, &domain, &code);
  CHECK_EQ (domain, GST_RESOURCE_ERROR);
  CHECK_EQ (code, GST_RESOURCE_ERROR_SETTINGS);
  CHECK (strstr (text, "2000 bit/s: did you mean kbit/s?") != NULL);
  g_free (text);
  CHECK_EQ (encoder_bitrate (), 1500000);
  g_object_get (camera.src, "bitrate", &bitrate, NULL);
  CHECK_EQ (bitrate, 1500000);
  /* So is what the encoder does not take. */
  atomic_store (&sim->refuse_sets, 1);
  g_object_set (camera.src, "bitrate", 2500000, NULL);
  text = wait_message (&camera, GST_MESSAGE_WARNING, &domain, &code);
  if (!CHECK (strstr (text, soc->set_call) != NULL))
    printf ("# %s\n", text);
  g_free (text);
  g_object_get (camera.src, "bitrate", &bitrate, NULL);
  CHECK_EQ (bitrate, 1500000);
  drop (&camera);
}

static void
test_running_settings (void)
{
  Camera camera = make ("input-framerate=30");
  uint32_t bitrate;
  unsigned gop, fps;
  int min, max;
  guint i;

  CHECK (play (&camera));
  pull_one (&camera);
  g_object_set (camera.src, "gop-size", 33, "qp-max", 40, "qp-min", 22, NULL);
  gst_util_set_object_arg (G_OBJECT (camera.src), "framerate", "10/1");
  gst_util_set_object_arg (G_OBJECT (camera.src), "rate-control", "vbr");
  g_object_set (camera.src, "max-bitrate", 5000000, NULL);
  sim->settings (0, &bitrate, &gop, &fps, &min, &max);
  CHECK_EQ (bitrate, soc->told_max ? 5000000 : 2000000);
  CHECK_EQ (gop, 33);
  CHECK_EQ (fps, 10);
  CHECK_EQ (min, 22);
  CHECK_EQ (max, 40);
  /* The caps follow. */
  for (i = 0; i < 80; i++) {
    GstSample *sample = must_pull (&camera);
    gint num = 0, den = 0;

    if (sample == NULL)
      break;
    gst_structure_get_fraction (
        gst_caps_get_structure (gst_sample_get_caps (sample), 0), "framerate",
        &num, &den);
    gst_sample_unref (sample);
    if (num == 10)
      break;
  }
  CHECK (i < 80);
  drop (&camera);
}

static GValue
regions (const gchar *text)
{
  GValue array = G_VALUE_INIT;
  gchar *copy = g_strdup (text); /* it is written to */

  g_value_init (&array, GST_TYPE_ARRAY);
  CHECK (gst_value_deserialize (&array, copy));
  g_free (copy);
  return array;
}

static void
test_roi (void)
{
  Camera camera = make ("");
  GValue one = regions ("<(GstStructure)\"roi,x=16,y=32,w=320,h=160,"
                        "qp-delta=-6\">");
  GValue bad = regions ("<(GstStructure)\"roi,x=16,y=32\">");
  GValue back = G_VALUE_INIT;
  GQuark domain = 0;
  gint code = 0;
  gchar *text;

  if (g_object_class_find_property (G_OBJECT_GET_CLASS (camera.src), "roi")
      != NULL) {
    CHECK (play (&camera));
    pull_one (&camera);
    g_object_set_property (G_OBJECT (camera.src), "roi", &one);
    CHECK_EQ (sim->roi[0].width, 320);
    CHECK_EQ (sim->roi[0].qp, -6);
    g_object_set_property (G_OBJECT (camera.src), "roi", &bad);
    text = wait_message (&camera, GST_MESSAGE_WARNING, &domain, &code);
    CHECK (strstr (text, "region 0 does not have x, y, w, h") != NULL);
    g_free (text);
    g_value_init (&back, GST_TYPE_ARRAY);
    g_object_get_property (G_OBJECT (camera.src), "roi", &back);
    CHECK_EQ (gst_value_compare (&back, &one), GST_VALUE_EQUAL);
    g_value_unset (&back);
  }
  g_value_unset (&one);
  g_value_unset (&bad);
  drop (&camera);
}

static const CheckCase cases[] = {
  { "stream", test_stream },
  { "caps-decide", test_caps_decide },
  { "wrong-caps", test_wrong_caps },
  { "together", test_together },
  { "force-key-unit", test_force_key_unit },
  { "bitrate", test_bitrate },
  { "running-settings", test_running_settings },
  { "roi", test_roi },
};

const ElementCases element_streams
    = { cases, G_N_ELEMENTS (cases), &check_failures };
