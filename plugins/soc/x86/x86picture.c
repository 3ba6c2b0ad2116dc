/* Cameras and test pictures, each one pipeline with a tee that streams are
 * branches of.
 *
 * Threads: the context's lock protects the list and the counts; branches come
 * and go with no lock but the pipeline's own. `failed` is written by whatever
 * thread posts an error, under `lock`.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "x86.h"

#define TEST_PREFIX "test:"
#define START_TIMEOUT (5 * GST_SECOND)

struct _X86Picture
{
  gchar *device; /* constant */
  gint refs;     /* protected by the context's lock */
  GstElement *pipeline, *tee;
  GMutex lock;
  /* Protected by lock. */
  gboolean failed;
  HalError error;
};

static GstBusSyncReply
on_message (GstBus *bus, GstMessage *message, gpointer data)
{
  X86Picture *picture = data;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    g_mutex_lock (&picture->lock);
    if (!picture->failed)
      x86_fail_from_message (message, "pipeline", &picture->error);
    picture->failed = TRUE;
    g_mutex_unlock (&picture->lock);
  }
  gst_message_unref (message);
  return GST_BUS_DROP;
}

gboolean
x86_picture_failed (X86Picture *picture, HalError *error)
{
  gboolean failed;

  g_mutex_lock (&picture->lock);
  failed = picture->failed;
  if (failed && error != NULL)
    *error = picture->error;
  g_mutex_unlock (&picture->lock);
  return failed;
}

static void
on_decoded (GstElement *decoder, GstPad *pad, gpointer data)
{
  GstPad *sink = gst_element_get_static_pad (data, "sink");

  if (!gst_pad_is_linked (sink))
    gst_pad_link (pad, sink);
  gst_object_unref (sink);
}

/* Motion that every encoder can follow: rings that move outwards. */
static GstElement *
make_test_picture (const gchar *pattern)
{
  GstElement *source = gst_element_factory_make ("videotestsrc", NULL);

  if (source == NULL)
    return NULL;
  g_object_set (source, "is-live", TRUE, NULL);
  if (pattern[0] != '\0')
    gst_util_set_object_arg (G_OBJECT (source), "pattern", pattern);
  if (g_str_equal (pattern, "zone-plate"))
    g_object_set (source, "kx2", 20, "ky2", 20, "kt", 3, NULL);
  return source;
}

static gboolean
build (X86Picture *picture, const HalStreamConfig *config)
{
  gboolean test = g_str_has_prefix (picture->device, TEST_PREFIX);
  GstElement *filter = gst_element_factory_make ("capsfilter", NULL);
  GstElement *decoder = NULL, *source;
  GstCaps *caps;

  picture->tee = gst_element_factory_make ("tee", NULL);
  if (test) {
    source = make_test_picture (picture->device + strlen (TEST_PREFIX));
  } else {
    source = gst_element_factory_make ("v4l2src", NULL);
    decoder = gst_element_factory_make ("decodebin", NULL);
  }
  if (source == NULL || filter == NULL || picture->tee == NULL
      || (!test && decoder == NULL)) {
    gst_clear_object (&source);
    gst_clear_object (&filter);
    gst_clear_object (&decoder);
    return FALSE;
  }
  g_object_set (picture->tee, "allow-not-linked", TRUE, NULL);
  gst_bin_add_many (GST_BIN (picture->pipeline), source, filter, picture->tee,
                    NULL);
  if (test) {
    caps = gst_caps_new_simple (
        "video/x-raw", "format", G_TYPE_STRING, "I420", "width", G_TYPE_INT,
        (gint)config->width, "height", G_TYPE_INT, (gint)config->height,
        "framerate", GST_TYPE_FRACTION,
        (gint)(config->input_fps != 0 ? config->input_fps : config->fps_num),
        (gint)(config->input_fps != 0 ? 1 : config->fps_den), NULL);
    gst_element_link_many (source, filter, picture->tee, NULL);
  } else {
    g_object_set (source, "device", picture->device, NULL);
    caps = gst_caps_from_string ("video/x-raw; image/jpeg");
    gst_bin_add (GST_BIN (picture->pipeline), decoder);
    g_signal_connect (decoder, "pad-added", G_CALLBACK (on_decoded),
                      picture->tee);
    gst_element_link_many (source, filter, decoder, NULL);
  }
  g_object_set (filter, "caps", caps, NULL);
  gst_caps_unref (caps);
  return TRUE;
}

static void
free_picture (X86Picture *picture)
{
  GstBus *bus = gst_element_get_bus (picture->pipeline);

  gst_element_set_state (picture->pipeline, GST_STATE_NULL);
  gst_bus_set_sync_handler (bus, NULL, NULL, NULL);
  gst_object_unref (bus);
  gst_object_unref (picture->pipeline);
  g_mutex_clear (&picture->lock);
  g_free (picture->device);
  g_free (picture);
}

static HalStatus
start (X86Context *context, X86Picture *picture, HalError *error)
{
  GstBus *bus = gst_element_get_bus (picture->pipeline);

  gst_bus_set_sync_handler (bus, on_message, picture, NULL);
  gst_object_unref (bus);
  gst_pipeline_use_clock (GST_PIPELINE (picture->pipeline), context->clock);
  if (gst_element_set_state (picture->pipeline, GST_STATE_PLAYING)
          == GST_STATE_CHANGE_FAILURE
      || gst_element_get_state (picture->pipeline, NULL, NULL, START_TIMEOUT)
             == GST_STATE_CHANGE_FAILURE) {
    if (x86_picture_failed (picture, error))
      return error != NULL ? error->status : HAL_VENDOR;
    return hal_fail (error, HAL_NO_DEVICE, picture->device, 0, NULL,
                     "%s does not start", picture->device);
  }
  return HAL_OK;
}

X86Picture *
x86_picture_get (X86Context *context, const HalStreamConfig *config,
                 HalError *error)
{
  const gchar *device = config->device != NULL && config->device[0] != '\0'
                            ? config->device
                            : TEST_PREFIX;
  X86Picture *picture = NULL;
  HalStatus status = HAL_OK;
  GList *l;

  g_mutex_lock (&context->lock);
  for (l = context->pictures; l != NULL && picture == NULL; l = l->next) {
    X86Picture *one = l->data;

    if (g_str_equal (one->device, device))
      picture = one;
  }
  if (picture == NULL) {
    picture = g_new0 (X86Picture, 1);
    picture->device = g_strdup (device);
    picture->pipeline = gst_object_ref_sink (gst_pipeline_new ("x86-picture"));
    g_mutex_init (&picture->lock);
    if (build (picture, config))
      status = start (context, picture, error);
    else
      status = hal_fail (error, HAL_NOT_FOUND, "", 0,
                         "install gstreamer1.0-plugins-base and -good",
                         "a part of the pipeline for %s is missing", device);
    if (status == HAL_OK)
      context->pictures = g_list_prepend (context->pictures, picture);
    else
      g_clear_pointer (&picture, free_picture);
  }
  if (picture != NULL)
    picture->refs++;
  g_mutex_unlock (&context->lock);
  return picture;
}

void
x86_picture_unref (X86Context *context, X86Picture *picture)
{
  gboolean last;

  g_mutex_lock (&context->lock);
  last = --picture->refs == 0;
  if (last)
    context->pictures = g_list_remove (context->pictures, picture);
  g_mutex_unlock (&context->lock);
  if (last)
    free_picture (picture);
}

gboolean
x86_picture_add (X86Picture *picture, GstElement *branch, HalError *error)
{
  GstPad *sink = gst_element_get_static_pad (branch, "sink");
  GstPad *src;
  gboolean good;

  gst_bin_add (GST_BIN (picture->pipeline), gst_object_ref (branch));
  good = gst_element_sync_state_with_parent (branch);
  src = gst_element_request_pad_simple (picture->tee, "src_%u");
  good = good && gst_pad_link (src, sink) == GST_PAD_LINK_OK;
  gst_object_unref (src);
  gst_object_unref (sink);
  if (!good) {
    if (!x86_picture_failed (picture, error))
      hal_fail (error, HAL_VENDOR, "", 0, NULL, "the encoder does not start");
    x86_picture_remove (picture, branch);
  }
  return good;
}

void
x86_picture_remove (X86Picture *picture, GstElement *branch)
{
  GstPad *sink = gst_element_get_static_pad (branch, "sink");
  GstPad *src = gst_pad_get_peer (sink);

  /* The tee lets go first, which it can at any time, as the branch begins with
   * a queue that never waits. A branch that is stopped and still linked refuses
   * the next picture, and that would end the source for all. */
  if (src != NULL) {
    gst_pad_unlink (src, sink);
    gst_element_release_request_pad (picture->tee, src);
    gst_object_unref (src);
  }
  gst_object_unref (sink);
  gst_element_set_locked_state (branch, TRUE);
  gst_element_set_state (branch, GST_STATE_NULL);
  gst_bin_remove (GST_BIN (picture->pipeline), branch);
}

GstClockTime
x86_picture_base_time (X86Picture *picture)
{
  return gst_element_get_base_time (picture->pipeline);
}
