/* The family x86: the vtable, and errors of private pipelines.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "x86.h"

static uint32_t
codec_caps (void)
{
  uint32_t caps = 0;

  if (x86_encoder_find (HAL_CODEC_H264, NULL) != NULL)
    caps |= HAL_CAP_H264;
  if (x86_encoder_find (HAL_CODEC_H265, NULL) != NULL)
    caps |= HAL_CAP_H265;
  if (x86_encoder_find (HAL_CODEC_JPEG, NULL) != NULL)
    caps |= HAL_CAP_JPEG;
  return caps;
}

static void
fill_info (HalInfo *info)
{
  gchar *version = gst_version_string ();

  g_strlcpy (info->generation, "gstreamer", sizeof info->generation);
  g_snprintf (info->version, sizeof info->version, "%s", version);
  g_free (version);
  info->caps = codec_caps () | HAL_CAP_SET_BITRATE | HAL_CAP_SET_GOP
               | HAL_CAP_SET_FRAMERATE | HAL_CAP_IDR | HAL_CAP_CLOCK
               | HAL_CAP_STREAM_FD | HAL_CAP_AUDIO_IN;
}

static HalStatus
x86_probe (const HalEnv *env, HalInfo *info, HalError *error)
{
  if (!gst_is_initialized ())
    return hal_fail (error, HAL_NO_DEVICE, "", 0, NULL,
                     "GStreamer is not initialised");
  if (codec_caps () == 0)
    return hal_fail (error, HAL_NOT_FOUND, "", 0,
                     "install gstreamer1.0-plugins-ugly or -bad",
                     "there is no encoder for video");
  fill_info (info);
  return HAL_OK;
}

static HalStatus
x86_open (const HalEnv *env, const HalContextConfig *config,
          HalContext **ret_context, HalError *error)
{
  HalInfo info = { 0 };
  X86Context *context;
  HalStatus status = x86_probe (env, &info, error);

  if (status != HAL_OK)
    return status;
  context = g_new0 (X86Context, 1);
  context->base.info = info;
  context->clock = gst_system_clock_obtain ();
  g_mutex_init (&context->lock);
  *ret_context = &context->base;
  return HAL_OK;
}

static void
x86_close (HalContext *base)
{
  X86Context *context = (X86Context *)base;

  g_assert (context->pictures == NULL);
  gst_object_unref (context->clock);
  g_mutex_clear (&context->lock);
  g_free (context);
}

static HalStatus
x86_clock (HalContext *base, uint64_t *ret_ns, HalError *error)
{
  *ret_ns = gst_clock_get_time (((X86Context *)base)->clock);
  return HAL_OK;
}

HalStatus
x86_fail_from_message (GstMessage *message, const gchar *call, HalError *error)
{
  HalStatus status = HAL_VENDOR;
  GError *gerror = NULL;
  gchar *debug = NULL;

  gst_message_parse_error (message, &gerror, &debug);
  if (gerror->domain == GST_RESOURCE_ERROR) {
    switch (gerror->code) {
      case GST_RESOURCE_ERROR_NOT_FOUND:
        status = HAL_NO_DEVICE;
        break;
      case GST_RESOURCE_ERROR_BUSY:
        status = HAL_BUSY;
        break;
      case GST_RESOURCE_ERROR_NOT_AUTHORIZED:
        status = HAL_NO_PERMISSION;
        break;
      case GST_RESOURCE_ERROR_OPEN_READ:
      case GST_RESOURCE_ERROR_OPEN_WRITE:
      case GST_RESOURCE_ERROR_OPEN_READ_WRITE:
        status = debug != NULL && strstr (debug, "ermission") != NULL
                     ? HAL_NO_PERMISSION
                     : HAL_NO_DEVICE;
        break;
      default:
        break;
    }
  }
  hal_fail (error, status, call, gerror->code, NULL, "%s: %s",
            GST_MESSAGE_SRC (message) != NULL
                ? GST_OBJECT_NAME (GST_MESSAGE_SRC (message))
                : call,
            gerror->message);
  g_error_free (gerror);
  g_free (debug);
  return status;
}

HalStatus
x86_fail_from_bus (GstElement *pipeline, const gchar *call, HalError *error)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  HalStatus status;

  if (message != NULL) {
    status = x86_fail_from_message (message, call, error);
    gst_message_unref (message);
  } else {
    status = hal_fail (error, HAL_VENDOR, call, 0, NULL, "%s failed", call);
  }
  gst_object_unref (bus);
  return status;
}

const HalFamily hal_x86 = {
  .name = "x86",
  .long_name = "PC",
  .max_streams = X86_MAX_STREAMS,
  .max_width = X86_MAX_WIDTH,
  .max_height = X86_MAX_HEIGHT,
  .probe = x86_probe,
  .open = x86_open,
  .close = x86_close,
  .clock = x86_clock,
  .stream_create = x86_stream_create,
  .stream_destroy = x86_stream_destroy,
  .stream_start = x86_stream_start,
  .stream_stop = x86_stream_stop,
  .stream_fd = x86_stream_fd,
  .get_frame = x86_get_frame,
  .release_frame = x86_release_frame,
  .set = x86_set,
  .request_idr = x86_request_idr,
  .audio_open = x86_audio_open,
  .audio_close = x86_audio_close,
  .audio_read = x86_audio_read,
  .audio_release = x86_audio_release,
};
