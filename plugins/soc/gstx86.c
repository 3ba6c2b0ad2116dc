/**
 * SECTION:element-x86vencsrc
 * @title: x86vencsrc
 *
 * A camera of a PC, or a test picture, through the best encoder that GStreamer
 * has there. It behaves like the sources of camera chips, for trying out
 * without one.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 x86vencsrc ! h264parse ! iv-watermark-queue ! p2psink
 * device-id=camera-1
 * ]|
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstsocaudiosrc.h"
#include "gstsocelements.h"
#include "gstsocvideosrc.h"
#include "x86/x86.h"

typedef struct
{
  GstSocVideoSrc parent;
  /* Protected by the object lock; interned, so that a configuration may point
   * to them for ever. */
  const gchar *device, *encoder;
} GstX86VencSrc;

typedef GstSocVideoSrcClass GstX86VencSrcClass;

GType gst_x86_venc_src_get_type (void);
G_DEFINE_TYPE (GstX86VencSrc, gst_x86_venc_src, GST_TYPE_SOC_VIDEO_SRC);
GST_ELEMENT_REGISTER_DEFINE (x86vencsrc, "x86vencsrc", GST_RANK_NONE,
                             gst_x86_venc_src_get_type ());

enum {
  PROP_0,
  PROP_DEVICE,
  PROP_ENCODER,
};

static void
gst_x86_venc_src_set_property (GObject *object, guint id, const GValue *value,
                               GParamSpec *pspec)
{
  GstX86VencSrc *src = (GstX86VencSrc *)object;

  GST_OBJECT_LOCK (src);
  switch (id) {
    case PROP_DEVICE:
      src->device = g_intern_string (g_value_get_string (value));
      break;
    case PROP_ENCODER:
      src->encoder = g_intern_string (g_value_get_string (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (src);
}

static void
gst_x86_venc_src_get_property (GObject *object, guint id, GValue *value,
                               GParamSpec *pspec)
{
  GstX86VencSrc *src = (GstX86VencSrc *)object;

  GST_OBJECT_LOCK (src);
  switch (id) {
    case PROP_DEVICE:
      g_value_set_string (value, src->device);
      break;
    case PROP_ENCODER:
      g_value_set_string (value, src->encoder);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (src);
}

static void
gst_x86_venc_src_add_config (GstSocVideoSrc *base, HalContextConfig *context,
                             HalStreamConfig *stream)
{
  GstX86VencSrc *src = (GstX86VencSrc *)base;

  GST_OBJECT_LOCK (src);
  stream->device = src->device;
  stream->encoder = src->encoder;
  GST_OBJECT_UNLOCK (src);
}

static void
gst_x86_venc_src_class_init (GstX86VencSrcClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags
      = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

  object_class->set_property = gst_x86_venc_src_set_property;
  object_class->get_property = gst_x86_venc_src_get_property;
  klass->add_config = gst_x86_venc_src_add_config;
  g_object_class_install_property (
      object_class, PROP_DEVICE,
      g_param_spec_string (
          "device", "Device",
          "A camera (/dev/video0), or test: and a pattern of videotestsrc "
          "(default: a test picture)",
          NULL, flags));
  g_object_class_install_property (
      object_class, PROP_ENCODER,
      g_param_spec_string (
          "encoder", "Encoder",
          "The factory of the encoder (default: the best there is)", NULL,
          flags));
  gst_soc_video_src_class_setup (
      klass, &hal_x86, "PC Encoder Source",
      "Live encoded video from a camera of a PC, or a test picture");
}

static void
gst_x86_venc_src_init (GstX86VencSrc *src)
{
}

GST_SOC_AUDIO_SRC_DEFINE (
    GstX86AudioSrc, gst_x86_audio_src, x86audiosrc, &hal_x86, "PC Audio Source",
    "Live sound from a microphone of a PC, or a test tone");

static gboolean
register_elements (GstPlugin *plugin)
{
  gboolean ok = GST_ELEMENT_REGISTER (x86vencsrc, plugin);

  ok |= GST_ELEMENT_REGISTER (x86audiosrc, plugin);
  return ok;
}

const GstSocFamily gst_soc_x86 = {
  .family = &hal_x86,
  .video_source = "x86vencsrc",
  .audio_source = "x86audiosrc",
  .register_elements = register_elements,
};
