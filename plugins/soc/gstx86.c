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

static void
setup_video (GstSocVideoSrcClass *klass)
{
  gst_soc_video_src_class_add_device (
      klass, "A camera (/dev/video0), or test: and a pattern of videotestsrc "
             "(default: a test picture)");
  gst_soc_video_src_class_add_encoder (
      klass, "The factory of the encoder (default: the best there is)");
  gst_soc_video_src_class_setup (
      klass, &hal_x86, "PC Encoder Source",
      "Live encoded video from a camera of a PC, or a test picture");
}

GST_SOC_VIDEO_SRC_DEFINE (GstX86VencSrc, gst_x86_venc_src, x86vencsrc,
                          setup_video);

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
