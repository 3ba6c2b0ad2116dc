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

static void
setup_video (GstSocVideoSrcClass *klass)
{
  gst_soc_video_src_class_add_input_group (
      klass, 255,
      "Group of the scaler (VPSS) that feeds the encoder, on chips that have "
      "groups (-1: 0)");
  /* The scaler has four outputs. */
  gst_soc_video_src_class_add_input_channel (
      klass, 3,
      "Output of the scaler that feeds the encoder (-1: the number of the "
      "stream)");
  gst_soc_video_src_class_setup (
      klass, &hal_fullhan, "Fullhan Encoder Source",
      "Live video from an encoder channel of Fullhan chips");
}

GST_SOC_VIDEO_SRC_DEFINE (GstFullhanVencSrc, gst_fullhan_venc_src, fhvencsrc,
                          setup_video);

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
