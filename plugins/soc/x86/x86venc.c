/* Streams of the family x86: a branch from the picture's tee to an appsink.
 *
 * Threads: appsink's callback and the probe run in the branch's threads and
 * use the eventfd and atomics; the rest is as in halbackend.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "x86.h"

#include <gst/video/video.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Encoded frames that wait for the reader. */
#define MAX_WAITING 8

typedef struct
{
  HalStream base;
  X86Picture *picture;
  const X86Encoder *kind;
  GstElement *branch, *rate, *encoder, *sink;
  int event;
  gint gop;          /* atomic */
  gint until_key;    /* atomic */
  GstSample *sample; /* the frame that is out */
  GstMapInfo map;
  guint32 sequence;
} X86Stream;

static GstFlowReturn
on_sample (GstAppSink *sink, gpointer data)
{
  X86Stream *stream = data;
  guint64 one = 1;
  gssize done;

  do {
    done = write (stream->event, &one, sizeof one);
  } while (done < 0 && errno == EINTR);
  return GST_FLOW_OK;
}

/* Before each picture that goes into the encoder: one in gop is to be a key
 * picture. */
static GstPadProbeReturn
on_picture (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  X86Stream *stream = data;

  if (g_atomic_int_dec_and_test (&stream->until_key)) {
    GstPad *src = gst_element_get_static_pad (stream->encoder, "src");

    g_atomic_int_set (&stream->until_key, g_atomic_int_get (&stream->gop));
    gst_pad_send_event (src, gst_video_event_new_upstream_force_key_unit (
                                 GST_CLOCK_TIME_NONE, TRUE, 0));
    gst_object_unref (src);
  }
  return GST_PAD_PROBE_OK;
}

static GstCaps *
raw_caps (const HalStreamConfig *config)
{
  return gst_caps_new_simple ("video/x-raw", "width", G_TYPE_INT,
                              (gint)config->width, "height", G_TYPE_INT,
                              (gint)config->height, "framerate",
                              GST_TYPE_FRACTION, (gint)config->fps_num,
                              (gint)config->fps_den, "pixel-aspect-ratio",
                              GST_TYPE_FRACTION, 1, 1, NULL);
}

static const gchar *
profile_name (const HalStreamConfig *config)
{
  switch (config->profile) {
    case HAL_PROFILE_BASELINE:
      return "constrained-baseline";
    case HAL_PROFILE_MAIN:
      return "main";
    case HAL_PROFILE_HIGH:
      return "high";
    default:
      return NULL;
  }
}

static GstCaps *
encoded_caps (const HalStreamConfig *config)
{
  GstCaps *caps;

  if (config->codec == HAL_CODEC_JPEG)
    return gst_caps_new_empty_simple ("image/jpeg");
  caps = gst_caps_new_simple (config->codec == HAL_CODEC_H265 ? "video/x-h265"
                                                              : "video/x-h264",
                              "stream-format", G_TYPE_STRING, "byte-stream",
                              "alignment", G_TYPE_STRING, "au", NULL);
  if (config->codec == HAL_CODEC_H264 && profile_name (config) != NULL)
    gst_caps_set_simple (caps, "profile", G_TYPE_STRING, profile_name (config),
                         NULL);
  return caps;
}

static GstElement *
make_filter (GstCaps *caps)
{
  GstElement *filter = gst_element_factory_make ("capsfilter", NULL);

  if (filter != NULL)
    g_object_set (filter, "caps", caps, NULL);
  gst_caps_unref (caps);
  return filter;
}

static GstElement *
make_sink (X86Stream *stream)
{
  GstAppSinkCallbacks callbacks = { .new_sample = on_sample };
  GstElement *sink = gst_element_factory_make ("appsink", NULL);

  g_object_set (sink, "sync", FALSE, "async", FALSE, "max-buffers", MAX_WAITING,
                "drop", FALSE, "enable-last-sample", FALSE, NULL);
  gst_app_sink_set_callbacks (GST_APP_SINK (sink), &callbacks, stream, NULL);
  return sink;
}

static const gchar *
parser_of (HalCodec codec)
{
  return codec == HAL_CODEC_H264   ? "h264parse"
         : codec == HAL_CODEC_H265 ? "h265parse"
                                   : "identity";
}

/* queue ! videorate ! videoscale ! videoconvert ! caps ! encoder ! parser !
 * caps ! appsink. The queue drops pictures, never encoded frames. */
static gboolean
build (X86Stream *stream, HalError *error)
{
  const HalStreamConfig *config = &stream->base.config;
  GstElement *parts[9] = { NULL };
  GstPad *pad;
  guint i;

  stream->branch = gst_object_ref_sink (gst_bin_new (NULL));
  parts[0] = gst_element_factory_make ("queue", NULL);
  parts[1] = gst_element_factory_make ("videorate", NULL);
  parts[2] = gst_element_factory_make ("videoscale", NULL);
  parts[3] = gst_element_factory_make ("videoconvert", NULL);
  parts[4] = stream->rate = make_filter (raw_caps (config));
  parts[5] = stream->encoder = x86_encoder_make (stream->kind, config, error);
  parts[6] = gst_element_factory_make (parser_of (config->codec), NULL);
  parts[7] = make_filter (encoded_caps (config));
  parts[8] = stream->sink = make_sink (stream);
  for (i = 0; i < G_N_ELEMENTS (parts); i++) {
    if (parts[i] != NULL) {
      gst_bin_add (GST_BIN (stream->branch), parts[i]);
    } else {
      if (i != 5)
        hal_fail (error, HAL_NOT_FOUND, "", 0,
                  "install gstreamer1.0-plugins-base, -good and -bad",
                  "a part of the encoding pipeline is missing");
      return FALSE;
    }
  }
  gst_util_set_object_arg (G_OBJECT (parts[0]), "leaky", "downstream");
  g_object_set (parts[0], "max-size-buffers", 4, "max-size-bytes", 0,
                "max-size-time", G_GUINT64_CONSTANT (0), NULL);
  g_object_set (parts[1], "skip-to-first", TRUE, NULL);
  if (config->codec != HAL_CODEC_JPEG)
    g_object_set (parts[6], "config-interval", -1, NULL);
  for (i = 1; i < G_N_ELEMENTS (parts); i++) {
    if (!gst_element_link (parts[i - 1], parts[i])) {
      hal_fail (error, HAL_UNSUPPORTED, "", 0, NULL,
                "%s cannot make what is asked of it", stream->kind->factory);
      return FALSE;
    }
  }
  pad = gst_element_get_static_pad (parts[0], "sink");
  gst_element_add_pad (stream->branch, gst_ghost_pad_new ("sink", pad));
  gst_object_unref (pad);
  if (config->codec != HAL_CODEC_JPEG) {
    pad = gst_element_get_static_pad (stream->encoder, "sink");
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_picture, stream,
                       NULL);
    gst_object_unref (pad);
  }
  return TRUE;
}

HalStatus
x86_stream_create (HalContext *base, const HalStreamConfig *config,
                   HalStream **ret_stream, HalError *error)
{
  X86Stream *stream;
  HalError why = { .status = HAL_VENDOR };
  const X86Encoder *kind = x86_encoder_find (config->codec, config->encoder);

  if (kind == NULL)
    return hal_fail (error, HAL_NOT_FOUND, "", 0,
                     "leave encoder empty to take the best one there is",
                     "there is no encoder %s for %s",
                     config->encoder != NULL ? config->encoder : "",
                     hal_codec_name (config->codec));
  stream = g_new0 (X86Stream, 1);
  hal_stream_init (&stream->base, base, config);
  if (config->width == 0 || config->height == 0) {
    stream->base.config.width = X86_DEFAULT_WIDTH;
    stream->base.config.height = X86_DEFAULT_HEIGHT;
  }
  stream->kind = kind;
  stream->event = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
  /* The picture needs the device's name, which is only in the caller's. */
  {
    HalStreamConfig full = stream->base.config;

    full.device = config->device;
    stream->picture = x86_picture_get ((X86Context *)base, &full, &why);
  }
  if (stream->event < 0 || stream->picture == NULL) {
    if (stream->picture != NULL)
      hal_fail (&why, HAL_NO_MEMORY, "eventfd", 0, NULL,
                "no file descriptor left");
    x86_stream_destroy (&stream->base);
    if (error != NULL)
      *error = why;
    return why.status;
  }
  *ret_stream = &stream->base;
  return HAL_OK;
}

void
x86_stream_destroy (HalStream *base)
{
  X86Stream *stream = (X86Stream *)base;

  if (stream->picture != NULL)
    x86_picture_unref ((X86Context *)base->context, stream->picture);
  if (stream->event >= 0)
    close (stream->event);
  hal_stream_finish (base);
  g_free (stream);
}

static void
drop_branch (X86Stream *stream)
{
  guint64 value;

  gst_clear_object (&stream->branch);
  stream->encoder = stream->rate = stream->sink = NULL;
  while (read (stream->event, &value, sizeof value) > 0)
    ;
}

HalStatus
x86_stream_start (HalStream *base, HalError *error)
{
  X86Stream *stream = (X86Stream *)base;
  HalError why = { .status = HAL_VENDOR };

  g_atomic_int_set (&stream->gop, (gint)base->config.gop);
  g_atomic_int_set (&stream->until_key, (gint)base->config.gop + 1);
  if (!build (stream, &why)
      || !x86_picture_add (stream->picture, stream->branch, &why)) {
    drop_branch (stream);
    if (error != NULL)
      *error = why;
    return why.status;
  }
  return HAL_OK;
}

void
x86_stream_stop (HalStream *base)
{
  X86Stream *stream = (X86Stream *)base;

  x86_picture_remove (stream->picture, stream->branch);
  drop_branch (stream);
}

int
x86_stream_fd (HalStream *base)
{
  return ((X86Stream *)base)->event;
}

HalStatus
x86_get_frame (HalStream *base, HalFrame *frame, HalError *error)
{
  X86Stream *stream = (X86Stream *)base;
  GstClockTime running;
  GstBuffer *buffer;
  guint64 value;
  HalError why;
  HalStatus status;

  if (read (stream->event, &value, sizeof value) < 0
      || (stream->sample
          = gst_app_sink_try_pull_sample (GST_APP_SINK (stream->sink), 0))
             == NULL) {
    if (!x86_picture_failed (stream->picture, &why))
      return HAL_AGAIN;
    if (error != NULL)
      *error = why;
    /* It will not pass: not HAL_VENDOR, which is tried again. */
    return why.status == HAL_VENDOR ? HAL_ENDED : why.status;
  }
  buffer = gst_sample_get_buffer (stream->sample);
  gst_buffer_map (buffer, &stream->map, GST_MAP_READ);
  status = hal_segments_add (&base->segments, stream->map.data,
                             stream->map.size, 0, error);
  running
      = gst_segment_to_running_time (gst_sample_get_segment (stream->sample),
                                     GST_FORMAT_TIME, GST_BUFFER_PTS (buffer));
  if (GST_CLOCK_TIME_IS_VALID (running))
    frame->pts = frame->raw_pts
        = x86_picture_base_time (stream->picture) + running;
  frame->sequence = stream->sequence++;
  if (status != HAL_OK)
    x86_release_frame (base, NULL);
  return status;
}

HalStatus
x86_release_frame (HalStream *base, HalError *error)
{
  X86Stream *stream = (X86Stream *)base;

  gst_buffer_unmap (gst_sample_get_buffer (stream->sample), &stream->map);
  g_clear_pointer (&stream->sample, gst_sample_unref);
  return HAL_OK;
}

HalStatus
x86_set (HalStream *base, const HalStreamConfig *want, uint32_t what,
         HalError *error)
{
  X86Stream *stream = (X86Stream *)base;
  GstCaps *caps;

  if (what & HAL_SET_GOP) {
    gint left = g_atomic_int_get (&stream->until_key);

    g_atomic_int_set (&stream->gop, (gint)want->gop);
    if (left > (gint)want->gop)
      g_atomic_int_set (&stream->until_key, (gint)want->gop);
  }
  if (stream->encoder == NULL)
    return HAL_OK;
  if (what & (HAL_SET_BITRATE | HAL_SET_MAX_BITRATE))
    x86_encoder_set_bitrate (stream->kind, stream->encoder, want);
  if (what & HAL_SET_FRAMERATE) {
    caps = raw_caps (want);
    g_object_set (stream->rate, "caps", caps, NULL);
    gst_caps_unref (caps);
  }
  return HAL_OK;
}

HalStatus
x86_request_idr (HalStream *base, HalError *error)
{
  /* The next picture asks. */
  g_atomic_int_set (&((X86Stream *)base)->until_key, 1);
  return HAL_OK;
}
