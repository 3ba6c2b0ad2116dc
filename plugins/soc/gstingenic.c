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

static void
setup_video (GstSocVideoSrcClass *klass)
{
  gst_soc_video_src_class_add_sensor_config (
      klass,
      "The sensor to set up: name, i2c-address, i2c-adapter, width, height, "
      "fps, on T40 and T41 also interface, clock, mode, reset-gpio, "
      "power-down-gpio, power-gpio, as name=value with commas between (NULL: "
      "the program around has set up sensor and ISP)");
  gst_soc_video_src_class_add_input_channel (
      klass, 255,
      "Output of the ISP (FrameSource) that feeds the encoder; several streams "
      "of one size may share one (-1: the number of the stream)");
  gst_soc_video_src_class_setup (
      klass, &hal_ingenic, "Ingenic Encoder Source",
      "Live video from an encoder channel of Ingenic chips");
}

GST_SOC_VIDEO_SRC_DEFINE (GstIngenicVencSrc, gst_ingenic_venc_src,
                          ingenicvencsrc, setup_video);

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
