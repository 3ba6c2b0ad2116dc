/**
 * SECTION:element-fhvencsrc
 * @title: fhvencsrc
 *
 * One encoder channel of a Fullhan chip as a live source. Sensor and ISP are
 * run by another program; an output of the scaler is bound to the channel.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 fhvencsrc bitrate=2000000 ! h264parse !
 *     iv-watermark-queue when-full=drop ! p2psink device-id=camera-1
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
#include "fullhan/fullhan.h"

typedef struct
{
  GstSocVideoSrc parent;
  /* Protected by the object lock. */
  gint group, channel;
} GstFullhanVencSrc;

typedef GstSocVideoSrcClass GstFullhanVencSrcClass;

GType gst_fullhan_venc_src_get_type (void);
G_DEFINE_TYPE (GstFullhanVencSrc, gst_fullhan_venc_src, GST_TYPE_SOC_VIDEO_SRC);
GST_ELEMENT_REGISTER_DEFINE (fhvencsrc, "fhvencsrc", GST_RANK_NONE,
                             gst_fullhan_venc_src_get_type ());

enum {
  PROP_0,
  PROP_INPUT_GROUP,
  PROP_INPUT_CHANNEL,
};

static void
gst_fullhan_venc_src_set_property (GObject *object, guint id,
                                   const GValue *value, GParamSpec *pspec)
{
  GstFullhanVencSrc *src = (GstFullhanVencSrc *)object;

  GST_OBJECT_LOCK (src);
  switch (id) {
    case PROP_INPUT_GROUP:
      src->group = g_value_get_int (value);
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
gst_fullhan_venc_src_get_property (GObject *object, guint id, GValue *value,
                                   GParamSpec *pspec)
{
  GstFullhanVencSrc *src = (GstFullhanVencSrc *)object;

  GST_OBJECT_LOCK (src);
  switch (id) {
    case PROP_INPUT_GROUP:
      g_value_set_int (value, src->group);
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
gst_fullhan_venc_src_add_config (GstSocVideoSrc *base,
                                 HalContextConfig *context,
                                 HalStreamConfig *stream)
{
  GstFullhanVencSrc *src = (GstFullhanVencSrc *)base;

  GST_OBJECT_LOCK (src);
  stream->input_group = src->group;
  stream->input_channel = src->channel;
  GST_OBJECT_UNLOCK (src);
}

static void
gst_fullhan_venc_src_class_init (GstFullhanVencSrcClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags
      = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

  object_class->set_property = gst_fullhan_venc_src_set_property;
  object_class->get_property = gst_fullhan_venc_src_get_property;
  klass->add_config = gst_fullhan_venc_src_add_config;
  g_object_class_install_property (
      object_class, PROP_INPUT_GROUP,
      g_param_spec_int ("input-group", "Input group",
                        "Group of the scaler (VPSS) that feeds the encoder, on "
                        "chips that have "
                        "groups (-1: 0)",
                        -1, 255, -1, flags));
  g_object_class_install_property (
      object_class, PROP_INPUT_CHANNEL,
      g_param_spec_int (
          "input-channel", "Input channel",
          "Output of the scaler that feeds the encoder (-1: the number of the "
          "stream)",
          -1, 3, -1, flags));
  gst_soc_video_src_class_setup (
      klass, &hal_fullhan, "Fullhan Encoder Source",
      "Live video from an encoder channel of Fullhan chips");
}

static void
gst_fullhan_venc_src_init (GstFullhanVencSrc *src)
{
  src->group = src->channel = -1;
}

GST_SOC_AUDIO_SRC_DEFINE (GstFullhanAudioSrc, gst_fullhan_audio_src, fhaudiosrc,
                          &hal_fullhan, "Fullhan Audio Source",
                          "Live sound from the microphone of Fullhan chips");

GST_SOC_AUDIO_SINK_DEFINE (GstFullhanAudioSink, gst_fullhan_audio_sink,
                           fhaudiosink, &hal_fullhan, "Fullhan Audio Sink",
                           "Sound to the loudspeaker of Fullhan chips");

static gboolean
register_elements (GstPlugin *plugin)
{
  gboolean ok = GST_ELEMENT_REGISTER (fhvencsrc, plugin);

  ok |= GST_ELEMENT_REGISTER (fhaudiosrc, plugin);
  ok |= GST_ELEMENT_REGISTER (fhaudiosink, plugin);
  return ok;
}

const GstSocFamily gst_soc_fullhan = {
  .family = &hal_fullhan,
  .video_source = "fhvencsrc",
  .audio_source = "fhaudiosrc",
  .register_elements = register_elements,
};
