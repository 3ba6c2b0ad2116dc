/**
 * SECTION:element-ingenicvencsrc
 * @title: ingenicvencsrc
 *
 * One encoder channel of an Ingenic chip as a live source. Sensor and ISP are
 * set up by the first source that has a sensor-config, or by the program
 * around.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 ingenicvencsrc bitrate=2000000
 *     sensor-config=name=gc2053,i2c-address=0x37,width=1920,height=1080 !
 *     h264parse ! iv-watermark-queue when-full=drop !
 *     p2psink device-id=camera-1
 * ]|
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstsocaudiosink.h"
#include "gstsocaudiosrc.h"
#include "gstsocelements.h"
#include "gstsocvideosrc.h"
#include "ingenic/ingenic.h"

typedef struct
{
  GstSocVideoSrc parent;
  /* Protected by the object lock. */
  const gchar *sensor_config; /* interned; NULL: none */
  gint channel;
} GstIngenicVencSrc;

typedef GstSocVideoSrcClass GstIngenicVencSrcClass;

GType gst_ingenic_venc_src_get_type (void);
G_DEFINE_TYPE (GstIngenicVencSrc, gst_ingenic_venc_src, GST_TYPE_SOC_VIDEO_SRC);
GST_ELEMENT_REGISTER_DEFINE (ingenicvencsrc, "ingenicvencsrc", GST_RANK_NONE,
                             gst_ingenic_venc_src_get_type ());

enum {
  PROP_0,
  PROP_SENSOR_CONFIG,
  PROP_INPUT_CHANNEL,
};

static void
gst_ingenic_venc_src_set_property (GObject *object, guint id,
                                   const GValue *value, GParamSpec *pspec)
{
  GstIngenicVencSrc *src = (GstIngenicVencSrc *)object;

  GST_OBJECT_LOCK (src);
  switch (id) {
    case PROP_SENSOR_CONFIG:
      /* Interned, for what is handed on outlives the lock. */
      src->sensor_config = g_intern_string (g_value_get_string (value));
      break;
    case PROP_INPUT_CHANNEL:
      src->channel = g_value_get_int (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (src);
}

static void
gst_ingenic_venc_src_get_property (GObject *object, guint id, GValue *value,
                                   GParamSpec *pspec)
{
  GstIngenicVencSrc *src = (GstIngenicVencSrc *)object;

  GST_OBJECT_LOCK (src);
  switch (id) {
    case PROP_SENSOR_CONFIG:
      g_value_set_string (value, src->sensor_config);
      break;
    case PROP_INPUT_CHANNEL:
      g_value_set_int (value, src->channel);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (src);
}

static void
gst_ingenic_venc_src_add_config (GstSocVideoSrc *base,
                                 HalContextConfig *context,
                                 HalStreamConfig *stream)
{
  GstIngenicVencSrc *src = (GstIngenicVencSrc *)base;

  GST_OBJECT_LOCK (src);
  context->sensor_config = src->sensor_config;
  stream->input_channel = src->channel;
  GST_OBJECT_UNLOCK (src);
}

static void
gst_ingenic_venc_src_class_init (GstIngenicVencSrcClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags
      = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

  object_class->set_property = gst_ingenic_venc_src_set_property;
  object_class->get_property = gst_ingenic_venc_src_get_property;
  klass->add_config = gst_ingenic_venc_src_add_config;
  g_object_class_install_property (
      object_class, PROP_SENSOR_CONFIG,
      g_param_spec_string (
          "sensor-config", "Sensor configuration",
          "The sensor to set up: name, i2c-address, i2c-adapter, width, "
          "height, fps, as name=value with commas between (NULL: the program "
          "around has set up sensor and ISP)",
          NULL, flags));
  g_object_class_install_property (
      object_class, PROP_INPUT_CHANNEL,
      g_param_spec_int (
          "input-channel", "Input channel",
          "Output of the ISP (FrameSource) that feeds the encoder; several "
          "streams of one size may share one (-1: the number of the stream)",
          -1, 255, -1, flags));
  gst_soc_video_src_class_setup (
      klass, &hal_ingenic, "Ingenic Encoder Source",
      "Live video from an encoder channel of Ingenic chips");
}

static void
gst_ingenic_venc_src_init (GstIngenicVencSrc *src)
{
  src->channel = -1;
}

GST_SOC_AUDIO_SRC_DEFINE (GstIngenicAudioSrc, gst_ingenic_audio_src,
                          ingenicaudiosrc, &hal_ingenic, "Ingenic Audio Source",
                          "Live sound from the microphone of Ingenic chips");

GST_SOC_AUDIO_SINK_DEFINE (GstIngenicAudioSink, gst_ingenic_audio_sink,
                           ingenicaudiosink, &hal_ingenic, "Ingenic Audio Sink",
                           "Sound to the loudspeaker of Ingenic chips");

static gboolean
register_elements (GstPlugin *plugin)
{
  gboolean ok = GST_ELEMENT_REGISTER (ingenicvencsrc, plugin);

  ok |= GST_ELEMENT_REGISTER (ingenicaudiosrc, plugin);
  ok |= GST_ELEMENT_REGISTER (ingenicaudiosink, plugin);
  return ok;
}

const GstSocFamily gst_soc_ingenic = {
  .family = &hal_ingenic,
  .video_source = "ingenicvencsrc",
  .audio_source = "ingenicaudiosrc",
  .register_elements = register_elements,
};
