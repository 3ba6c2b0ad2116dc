/**
 * SECTION:element-ambavencsrc
 * @title: ambavencsrc
 *
 * One encoder of an Ambarella chip as a live source. The sensor and what is
 * before the encoder are set up by the vendor's programs. With attach=true the
 * stream is one that another program runs, which is read and goes on
 * afterwards; else it is configured, started and stopped by the element.
 *
 * There is no source of sound: on these chips it is ALSA's (alsasrc).
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 ambavencsrc attach=true ! h264parse !
 *     iv-watermark-queue when-full=drop ! p2psink device-id=camera-1
 * ]|
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "ambarella/ambarella.h"
#include "gstsocelements.h"
#include "gstsocvideosrc.h"

static void
setup_video (GstSocVideoSrcClass *klass)
{
  gst_soc_video_src_class_add_attach (
      klass,
      "Read a stream that another program runs: it has its own settings, of "
      "which bitrate and gop-size may be changed while playing, and goes on "
      "afterwards");
  gst_soc_video_src_class_add_input_channel (
      klass, 255,
      "Canvas (source buffer) that feeds the encoder, without attach (-1: as "
      "the vendor's programs have set it)");
  gst_soc_video_src_class_setup (klass, &hal_ambarella,
                                 "Ambarella Encoder Source",
                                 "Live video from an encoder of Ambarella "
                                 "chips");
}

GST_SOC_VIDEO_SRC_DEFINE (GstAmbarellaVencSrc, gst_ambarella_venc_src,
                          ambavencsrc, setup_video);

static gboolean
register_elements (GstPlugin *plugin)
{
  return GST_ELEMENT_REGISTER (ambavencsrc, plugin);
}

const GstSocFamily gst_soc_ambarella = {
  .family = &hal_ambarella,
  .video_source = "ambavencsrc",
  .register_elements = register_elements,
};
