/**
 * SECTION:element-hisivencsrc
 * @title: hisivencsrc
 *
 * One encoder channel of a HiSilicon or Goke chip as a live source. Sensor,
 * ISP and scaler are run by another program; the channel is bound to an output
 * of the scaler.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 hisivencsrc bitrate=2000000 ! h264parse !
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
#include "hisi/hisi.h"

static void
setup_video (GstSocVideoSrcClass *klass)
{
  gst_soc_video_src_class_add_input_group (
      klass, 255, "Group of the scaler (VPSS) that feeds the encoder (-1: 0)");
  gst_soc_video_src_class_add_input_channel (
      klass, 255,
      "Output of the scaler that feeds the encoder (-1: the number of the "
      "stream)");
  gst_soc_video_src_class_add_roi (
      klass,
      "Parts of the picture that get more bits or fewer: up to 8 structures "
      "with x, y, w, h and qp-delta, or qp for the quantiser itself (v4 and "
      "Goke)");
  gst_soc_video_src_class_setup (
      klass, &hal_hisi, "HiSilicon Encoder Source",
      "Live video from an encoder channel of HiSilicon and Goke chips");
}

GST_SOC_VIDEO_SRC_DEFINE (GstHisiVencSrc, gst_hisi_venc_src, hisivencsrc,
                          setup_video);

GST_SOC_AUDIO_SRC_DEFINE (
    GstHisiAudioSrc, gst_hisi_audio_src, hisiaudiosrc, &hal_hisi,
    "HiSilicon Audio Source",
    "Live sound from the microphone of HiSilicon and Goke chips");

GST_SOC_AUDIO_SINK_DEFINE (
    GstHisiAudioSink, gst_hisi_audio_sink, hisiaudiosink, &hal_hisi,
    "HiSilicon Audio Sink",
    "Sound to the loudspeaker of HiSilicon and Goke chips");

static gboolean
register_elements (GstPlugin *plugin)
{
  gboolean ok = GST_ELEMENT_REGISTER (hisivencsrc, plugin);

  ok |= GST_ELEMENT_REGISTER (hisiaudiosrc, plugin);
  ok |= GST_ELEMENT_REGISTER (hisiaudiosink, plugin);
  return ok;
}

const GstSocFamily gst_soc_hisi = {
  .family = &hal_hisi,
  .video_source = "hisivencsrc",
  .audio_source = "hisiaudiosrc",
  .register_elements = register_elements,
};
