/* The elements, on simulated encoders: faults, slow pipelines, and the rest.
 * Waits are for messages, buffers and calls of the encoder, never for time.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>

#include "elements.h"

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

static const CheckCase cases[] = {
  { "faults", test_faults },
  { "unlock", test_unlock },
  { "slow-downstream", test_slow_downstream },
  { "pause", test_pause },
  { "buffers-come-again", test_buffers_come_again },
  { "device-provider", test_device_provider },
  { "latency", test_latency },
  { "snapshot", test_snapshot },
  { "talk", test_talk },
  { "attach", test_attach },
};

const ElementCases element_faults
    = { cases, G_N_ELEMENTS (cases), &check_failures };
