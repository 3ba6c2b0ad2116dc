/* The elements, on simulated encoders: what a pipeline and its application see.
 * Waits are for messages, buffers and calls of the encoder, never for time.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>
#include <gst/video/video.h>
#include <stdlib.h>

#include "soc-util.h"
#include "unit/check.h"

static void
check_clean (void)
{
  CHECK_EQ (sim->gets, sim->releases);
  CHECK_EQ (sim->creates, sim->destroys);
  CHECK_EQ (sim->order_errors, 0);
}

/* NULL is a failure. */
static GstSample *
must_pull (Camera *camera)
{
  GstSample *sample = pull (camera);

  CHECK (sample != NULL);
  return sample;
}

/* A frame, thrown away. */
static void
pull_one (Camera *camera)
{
  GstSample *sample = must_pull (camera);

  if (sample != NULL)
    gst_sample_unref (sample);
}

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
  Camera camera = make ("gop-size=10000 framerate=200/1");
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

/* --- Faults ------------------------------------------------------------------
 */

static void
expect_failure (const gchar *properties, GQuark domain, gint code,
                const gchar *words)
{
  Camera camera = make (properties);
  GQuark is_domain = 0;
  gint is_code = 0;
  gchar *text;

  gst_element_set_state (camera.pipeline, GST_STATE_PLAYING);
  text = wait_message (&camera, GST_MESSAGE_ERROR, &is_domain, &is_code);
  CHECK_EQ (is_domain, domain);
  CHECK_EQ (is_code, code);
  if (!CHECK (strstr (text, words) != NULL))
    printf ("# %s\n", text);
  g_free (text);
  drop (&camera);
}

static void
test_faults (void)
{
  gchar *missing
      = g_strdup_printf ("%s was not found in /nonexistent", soc->library);

  expect_failure ("library-path=/nonexistent", GST_RESOURCE_ERROR,
                  GST_RESOURCE_ERROR_NOT_FOUND, missing);
  expect_failure ("bitrate=12", GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
                  "12 bit/s: did you mean kbit/s?");
  atomic_store (&sim->busy_creates, 1);
  expect_failure ("", GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_BUSY,
                  soc->create_call);
  atomic_store (&sim->refuse_creates, 1);
  expect_failure ("", GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT,
                  soc->memory);
  atomic_store (&sim->create_errno, EACCES);
  atomic_store (&sim->create_code, soc->denied);
  expect_failure ("", GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_AUTHORIZED,
                  "no permission");
  atomic_store (&sim->get_errno, ENODEV);
  atomic_store (&sim->get_code, soc->gone);
  expect_failure ("", GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
                  "failed: ");
  atomic_store (&sim->get_code, 0);
  atomic_store (&sim->stop_after, 3);
  expect_failure ("timeout=50000000 ! fakesink async=false fakesrc is-live=1",
                  GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ,
                  "No frame came for 50 ms");
  atomic_store (&sim->stop_after, 0);
  atomic_store (&sim->get_failures, 1000000);
  expect_failure ("", GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_ENCODE,
                  soc->get_error);
  g_free (missing);
}

/* The sensor has stopped and nothing ends the wait but unlock. */
static void
test_unlock (void)
{
  Camera camera = make ("timeout=0");

  atomic_store (&sim->stop_after, 1);
  CHECK (play (&camera));
  pull_one (&camera);
  CHECK_EQ (gst_element_set_state (camera.pipeline, GST_STATE_READY),
            GST_STATE_CHANGE_SUCCESS);
  atomic_store (&sim->stop_after, 0);
  CHECK (play (&camera));
  pull_one (&camera);
  drop (&camera);
}

/* Downstream takes nothing for long: frames are lost up to a keyframe, which
 * was asked for, and the first frame after the gap says so. */
static void
test_slow_downstream (void)
{
  Camera camera = make ("max-queued-frames=4 gop-size=10000 framerate=200/1");
  guint64 dropped = 0;
  gboolean found = FALSE;
  guint i;

  sim->mode = SIM_REALTIME;
  CHECK (play (&camera));
  pull_one (&camera);
  while (dropped < 20) {
    GstStructure *stats = NULL;

    g_object_get (camera.src, "stats", &stats, NULL);
    gst_structure_get_uint64 (stats, "dropped-frames", &dropped);
    gst_structure_free (stats);
  }
  CHECK (sim->idr_requests > 0);
  for (i = 0; i < 20 && !found; i++) {
    GstSample *sample = must_pull (&camera);

    if (sample == NULL)
      break;
    if (is_discont (sample)) {
      CHECK (is_key (sample));
      found = TRUE;
    }
    gst_sample_unref (sample);
  }
  CHECK (found);
  drop (&camera);
}

static void
test_pause (void)
{
  Camera camera = make ("gop-size=10000");
  GstSample *sample;
  gboolean key = FALSE;
  guint i;

  CHECK (play (&camera));
  pull_one (&camera);
  gst_element_set_state (camera.pipeline, GST_STATE_PAUSED);
  gst_element_get_state (camera.pipeline, NULL, NULL, PATIENCE);
  /* What was on its way at the pause. */
  while ((sample = gst_app_sink_try_pull_sample (GST_APP_SINK (camera.sink), 0))
         != NULL)
    gst_sample_unref (sample);
  CHECK (play (&camera));
  for (i = 0; i < 4 && !key; i++) {
    sample = must_pull (&camera);
    if (sample == NULL)
      break;
    key = is_key (sample) && is_discont (sample);
    gst_sample_unref (sample);
  }
  CHECK (key);
  drop (&camera);
}

/* --- Costs -------------------------------------------------------------------
 */

/* Many frames, few buffers: they come again, and their memory with them once
 * it has grown to the size of frames. */
static void
test_buffers_come_again (void)
{
  Camera camera = make ("max-queued-frames=4");
  GHashTable *buffers = g_hash_table_new (NULL, NULL);
  GHashTable *memories = g_hash_table_new (NULL, NULL);
  guint i;

  CHECK (play (&camera));
  for (i = 0; i < 400; i++) {
    GstSample *sample = must_pull (&camera);
    GstBuffer *buffer;

    if (sample == NULL)
      break;
    buffer = gst_sample_get_buffer (sample);
    g_hash_table_add (buffers, buffer);
    g_hash_table_add (memories, gst_buffer_peek_memory (buffer, 0));
    gst_sample_unref (sample);
  }
  CHECK_RANGE (g_hash_table_size (buffers), 1, 10);
  CHECK_RANGE (g_hash_table_size (memories), 1, 20);
  g_hash_table_unref (buffers);
  g_hash_table_unref (memories);
  drop (&camera);
}

static void
test_cycles (void)
{
  Camera camera = make ("");
  guint fds = 0, i;

  for (i = 0; i < 100; i++) {
    CHECK (play (&camera));
    if (i % 2 == 0)
      pull_one (&camera);
    gst_element_set_state (camera.pipeline,
                           i % 3 == 0 ? GST_STATE_READY : GST_STATE_NULL);
    if (i == 4)
      fds = count_fds ();
  }
  gst_element_set_state (camera.pipeline, GST_STATE_NULL);
  CHECK_RANGE (count_fds (), 0, fds);
  drop (&camera);
}

/* --- What is there
 * ------------------------------------------------------------ */

static void
test_device_provider (void)
{
  GstDeviceProvider *provider
      = gst_device_provider_factory_get_by_name ("socdeviceprovider");
  gboolean found = FALSE;
  GList *devices, *l;

  if (!CHECK (provider != NULL))
    return;
  g_setenv ("IV_P2P_SOC_LIBRARY_PATH", path, TRUE);
  CHECK (gst_device_provider_start (provider));
  devices = gst_device_provider_get_devices (provider);
  for (l = devices; l != NULL; l = l->next) {
    GstElement *element = gst_device_create_element (l->data, NULL);

    CHECK (element != NULL);
    if (g_str_equal (GST_OBJECT_NAME (gst_element_get_factory (element)),
                     soc->source))
      found = gst_device_has_classes (l->data, "Video/Source");
    gst_object_unref (element);
  }
  CHECK (found);
  g_list_free_full (devices, gst_object_unref);
  gst_device_provider_stop (provider);
  gst_object_unref (provider);
}

static void
test_latency (void)
{
  Camera camera = make ("framerate=20/1 max-queued-frames=8");
  GstQuery *query = gst_query_new_latency ();
  GstClockTime min, max;
  gboolean live;

  CHECK (play (&camera));
  pull_one (&camera);
  CHECK (gst_element_query (camera.src, query));
  gst_query_parse_latency (query, &live, &min, &max);
  CHECK (live);
  CHECK_EQ (min, 50 * GST_MSECOND);
  CHECK_EQ (max, 400 * GST_MSECOND);
  gst_query_unref (query);
  drop (&camera);
}

static void
test_snapshot (void)
{
  Camera camera = make ("");
  GstSample *sample = NULL;
  GstMapInfo map;

  CHECK (play (&camera));
  pull_one (&camera);
  g_signal_emit_by_name (camera.src, "snapshot", &sample);
  if (soc->audio_source == NULL) {
    GQuark domain;
    gint code;
    gchar *words = wait_message (&camera, GST_MESSAGE_WARNING, &domain, &code);

    CHECK (sample == NULL && strstr (words, "codec=jpeg") != NULL);
    g_free (words);
  } else if (CHECK (sample != NULL)) {
    gst_buffer_map (gst_sample_get_buffer (sample), &map, GST_MAP_READ);
    CHECK (map.size > 4 && map.data[0] == 0xff && map.data[1] == 0xd8);
    gst_buffer_unmap (gst_sample_get_buffer (sample), &map);
    gst_sample_unref (sample);
  }
  pull_one (&camera);
  drop (&camera);
}

/* A stream that another program runs has its own settings, which properties
 * show; what belongs to that program is refused, and the stream goes on. */
static void
test_attach (void)
{
  HalStreamConfig theirs;
  Camera camera = { NULL, NULL, NULL };
  guint bitrate, gop;
  GQuark domain;
  gint code;
  gchar *text;

  if (sim->run_elsewhere == NULL)
    return;
  hal_stream_config_init (&theirs);
  theirs.width = 640;
  theirs.height = 360;
  theirs.bitrate = 1234000;
  theirs.gop = 17;
  /* It ends with the last one that has the device open, which is simulated. */
  camera = make ("attach=true bitrate=8000000 rate-control=vbr");
  CHECK_EQ (gst_element_set_state (camera.pipeline, GST_STATE_READY),
            GST_STATE_CHANGE_SUCCESS);
  sim->run_elsewhere (0, &theirs);
  CHECK (play (&camera));
  pull_one (&camera);
  g_object_get (camera.src, "bitrate", &bitrate, "gop-size", &gop, NULL);
  CHECK_EQ (bitrate, 1234000);
  CHECK_EQ (gop, 17);
  gst_util_set_object_arg (G_OBJECT (camera.src), "framerate", "5/1");
  text = wait_message (&camera, GST_MESSAGE_WARNING, &domain, &code);
  CHECK (domain == GST_RESOURCE_ERROR && code == GST_RESOURCE_ERROR_SETTINGS);
  CHECK (strstr (text, "framerate of an attached stream") != NULL);
  g_free (text);
  g_object_set (camera.src, "bitrate", 500000, NULL);
  {
    uint32_t is;
    unsigned is_gop, fps;
    int min, max;

    sim->settings (0, &is, &is_gop, &fps, &min, &max);
    CHECK_EQ (is, 500000);
    CHECK_EQ (fps, 25);
  }
  CHECK_EQ (gst_element_set_state (camera.pipeline, GST_STATE_READY),
            GST_STATE_CHANGE_SUCCESS);
  CHECK (sim->is_elsewhere (0));
  drop (&camera);
}

static void
test_talk (void)
{
  gchar *text;
  Camera camera = { NULL, NULL, NULL };
  GstMessage *message;
  GstBus *bus;

  if (soc->audio_sink == NULL)
    return;
  text = g_strdup_printf ("audiotestsrc num-buffers=20 samplesperbuffer=333 ! "
                          "audio/x-raw,rate=8000 ! %s library-path=%s "
                          "sync=false",
                          soc->audio_sink, path);
  camera.pipeline = gst_parse_launch (text, NULL);
  bus = gst_element_get_bus (camera.pipeline);
  CHECK (play (&camera));
  message = gst_bus_timed_pop_filtered (bus, PATIENCE,
                                        GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  CHECK (message != NULL && GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS);
  if (message != NULL)
    gst_message_unref (message);
  CHECK_EQ (sim->audio_plays, 20 * 333 / soc->audio_samples);
  gst_element_set_state (camera.pipeline, GST_STATE_NULL);
  gst_object_unref (bus);
  gst_object_unref (camera.pipeline);
  g_free (text);
}

static const struct
{
  const char *name;
  void (*run) (void);
} all[] = {
  { "stream", test_stream },
  { "caps-decide", test_caps_decide },
  { "wrong-caps", test_wrong_caps },
  { "together", test_together },
  { "force-key-unit", test_force_key_unit },
  { "bitrate", test_bitrate },
  { "running-settings", test_running_settings },
  { "roi", test_roi },
  { "faults", test_faults },
  { "unlock", test_unlock },
  { "slow-downstream", test_slow_downstream },
  { "pause", test_pause },
  { "buffers-come-again", test_buffers_come_again },
  { "cycles", test_cycles },
  { "device-provider", test_device_provider },
  { "latency", test_latency },
  { "snapshot", test_snapshot },
  { "talk", test_talk },
  { "attach", test_attach },
};

int
main (int argc, char **argv)
{
  guint i, n = 0, failed = 0;

  if (!soc_util_init (argc > 1 ? argv[1] : NULL))
    return 2;
  setvbuf (stdout, NULL, _IOLBF, 0);
  for (i = 0; i < G_N_ELEMENTS (all); i++) {
    if (argc > 2 && strstr (all[i].name, argv[2]) == NULL)
      continue;
    sim->reset ();
    check_failures = 0;
    all[i].run ();
    check_clean ();
    printf ("%sok %u - %s\n", check_failures > 0 ? "not " : "", ++n,
            all[i].name);
    failed += check_failures > 0;
  }
  printf ("1..%u\n", n);
  soc_util_deinit ();
  return failed > 0 || n == 0;
}
