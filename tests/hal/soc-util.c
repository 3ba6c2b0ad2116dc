/* What the tests of elements on simulated encoders share; see soc-util.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "soc-util.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define VIDEO                                                                  \
  "video/x-h264, stream-format=byte-stream, alignment=au, profile=high, "      \
  "framerate=25/1, level=(string)4, "
#define SENSOR                                                                 \
  "sensor-config=name=gc2053,i2c-address=0x37,width=1920,height=1080,fps=25"

static const SocTarget targets[] = {
  {
      .name = "hisi-v4",
      .source = "hisivencsrc",
      .audio_source = "hisiaudiosrc",
      .audio_sink = "hisiaudiosink",
      .directory = "hisi/v4",
      .library = "libmpi.so",
      .settings = "",
      .caps = VIDEO "width=1280, height=720",
      .create_call = "VENC_CreateChn",
      .set_call = "VENC_SetChnAttr",
      .get_error = "VENC_GetStream failed: no buffer",
      .memory = "mmz",
      .denied = 16,
      .gone = 5,
      .told_max = TRUE,
      .audio_samples = 160,
  },
  {
      .name = "fullhan-a",
      .source = "fhvencsrc",
      .audio_source = "fhaudiosrc",
      .audio_sink = "fhaudiosink",
      .directory = "fullhan/a",
      .library = "libdsp.so",
      .settings = "",
      .caps = VIDEO "width=1920, height=1080",
      .create_call = "FH_VENC_CreateChn",
      .set_call = "FH_VENC_SetRcChangeParam",
      .get_error = "FH_VENC_GetStream failed",
      .memory = "memory",
      .denied = -1001,
      .gone = -ENODEV,
      .audio_samples = 160,
  },
  {
      .name = "ingenic-t31",
      .source = "ingenicvencsrc",
      .audio_source = "ingenicaudiosrc",
      .audio_sink = "ingenicaudiosink",
      .directory = "ingenic/t31",
      .library = "libimp.so",
      .settings = SENSOR,
      .caps = VIDEO "width=1920, height=1080",
      .create_call = "IMP_Encoder_CreateChn",
      .set_call = "IMP_Encoder_SetChnBitRate",
      .get_error = "IMP_Encoder_GetStream failed",
      .memory = "rmem",
      .denied = -1,
      .gone = -1,
      .audio_samples = 160,
  },
  {
      .name = "ambarella",
      .source = "ambavencsrc",
      .directory = "ambarella",
      .library = "libiav.so",
      .settings = "",
      .caps = VIDEO "width=1280, height=720",
      .create_call = "IAV_IOC_SET_STREAM_CONFIG",
      .set_call = "IAV_IOC_SET_STREAM_CONFIG",
      .get_error = "IAV_IOC_QUERY_DESC failed",
      .memory = "set aside",
      .denied = -1,
      .gone = -1,
      .told_max = TRUE,
  },
};

const SocTarget *soc;
SimControl *sim;
gchar *path;
static void *handle;

gboolean
soc_util_init (const gchar *name)
{
  const gchar *base = g_getenv ("HAL_SIM_DIR");
  SimControlFunc func;
  gchar *library;
  guint i;

  gst_init (NULL, NULL);
  for (i = 0; name != NULL && i < G_N_ELEMENTS (targets); i++) {
    if (g_str_equal (targets[i].name, name))
      soc = &targets[i];
  }
  if (soc == NULL) {
    fprintf (stderr, "usage: TARGET [CASE]; targets:");
    for (i = 0; i < G_N_ELEMENTS (targets); i++)
      fprintf (stderr, " %s", targets[i].name);
    fprintf (stderr, "\n");
    return FALSE;
  }
  path = g_build_filename (base != NULL ? base : ".", soc->directory, NULL);
  library = g_build_filename (path, soc->library, NULL);
  handle = dlopen (library, RTLD_LAZY | RTLD_GLOBAL | RTLD_NODELETE);
  g_free (library);
  if (handle == NULL) {
    fprintf (stderr, "%s\n", dlerror ());
    return FALSE;
  }
  *(void **)&func = dlsym (handle, "sim_control");
  sim = func ();
  return TRUE;
}

void
soc_util_deinit (void)
{
  g_free (path);
  dlclose (handle);
  /* The leaks tracer reports here. */
  gst_deinit ();
}

Camera
make_with_sink (const gchar *properties, const gchar *sink)
{
  gchar *text
      = g_strdup_printf ("%s name=src library-path=%s %s %s ! %s name=sink",
                         soc->source, path, soc->settings, properties, sink);
  Camera camera = { gst_parse_launch (text, NULL), NULL, NULL };

  camera.src = gst_bin_get_by_name (GST_BIN (camera.pipeline), "src");
  camera.sink = gst_bin_get_by_name (GST_BIN (camera.pipeline), "sink");
  g_free (text);
  return camera;
}

Camera
make (const gchar *properties)
{
  return make_with_sink (properties,
                         "appsink sync=false max-buffers=1 drop=false");
}

void
drop (Camera *camera)
{
  gst_element_set_state (camera->pipeline, GST_STATE_NULL);
  gst_object_unref (camera->src);
  gst_object_unref (camera->sink);
  gst_object_unref (camera->pipeline);
}

gboolean
play (Camera *camera)
{
  return gst_element_set_state (camera->pipeline, GST_STATE_PLAYING)
         != GST_STATE_CHANGE_FAILURE;
}

GstSample *
pull (Camera *camera)
{
  return gst_app_sink_try_pull_sample (GST_APP_SINK (camera->sink), PATIENCE);
}

gboolean
is_key (GstSample *sample)
{
  return !GST_BUFFER_FLAG_IS_SET (gst_sample_get_buffer (sample),
                                  GST_BUFFER_FLAG_DELTA_UNIT);
}

gboolean
is_discont (GstSample *sample)
{
  return GST_BUFFER_FLAG_IS_SET (gst_sample_get_buffer (sample),
                                 GST_BUFFER_FLAG_DISCONT);
}

gchar *
wait_message (Camera *camera, GstMessageType types, GQuark *ret_domain,
              gint *ret_code)
{
  GstBus *bus = gst_element_get_bus (camera->pipeline);
  GstMessage *message = gst_bus_timed_pop_filtered (bus, PATIENCE, types);
  GError *error = NULL;
  gchar *text = NULL;

  gst_object_unref (bus);
  if (message == NULL)
    return g_strdup ("");
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  else
    gst_message_parse_warning (message, &error, NULL);
  *ret_domain = error->domain;
  *ret_code = error->code;
  text = g_strdup (error->message);
  g_error_free (error);
  gst_message_unref (message);
  return text;
}

uint32_t
encoder_bitrate (void)
{
  uint32_t bitrate;
  unsigned gop, fps;
  int min, max;

  sim->settings (0, &bitrate, &gop, &fps, &min, &max);
  return bitrate;
}

static guint
count_entries (const gchar *name)
{
  DIR *dir = opendir (name);
  guint n = 0;

  while (dir != NULL && readdir (dir) != NULL)
    n++;
  if (dir != NULL)
    closedir (dir);
  return n;
}

guint
count_fds (void)
{
  return count_entries ("/proc/self/fd");
}

guint
count_threads (void)
{
  return count_entries ("/proc/self/task");
}
