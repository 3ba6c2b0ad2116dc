/* The base of all video sources: one encoder channel as a live source.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef GST_SOC_VIDEO_SRC_H
#define GST_SOC_VIDEO_SRC_H

#include <gst/base/gstpushsrc.h>

#include "gstsocreader.h"
#include "gstsoctimeline.h"
#include "hal.h"

G_BEGIN_DECLS

#define GST_TYPE_SOC_VIDEO_SRC (gst_soc_video_src_get_type ())
G_DECLARE_DERIVABLE_TYPE (GstSocVideoSrc, gst_soc_video_src, GST, SOC_VIDEO_SRC,
                          GstPushSrc)

/**
 * GstSocVideoSrcClass:
 * @family: the family that the element is of; set in class_init
 * @add_config: a subclass puts the values of properties that it keeps itself
 *   into the configuration; strings must live as long as the element. May be
 *   %NULL
 */
struct _GstSocVideoSrcClass
{
  GstPushSrcClass parent_class;

  const HalFamily *family;
  void (*add_config) (GstSocVideoSrc *src, HalContextConfig *context,
                      HalStreamConfig *stream);
};

/* For class_init of subclasses: family, metadata and the pad template with the
 * codecs. */
void gst_soc_video_src_class_setup (GstSocVideoSrcClass *klass,
                                    const HalFamily *family,
                                    const gchar *long_name,
                                    const gchar *description);

/* For class_init of subclasses: properties that not all families have. The base
 * keeps their values and puts them into the configuration. */
void gst_soc_video_src_class_add_input_group (GstSocVideoSrcClass *klass,
                                              gint max, const gchar *blurb);
void gst_soc_video_src_class_add_input_channel (GstSocVideoSrcClass *klass,
                                                gint max, const gchar *blurb);
void gst_soc_video_src_class_add_sensor_config (GstSocVideoSrcClass *klass,
                                                const gchar *blurb);
void gst_soc_video_src_class_add_device (GstSocVideoSrcClass *klass,
                                         const gchar *blurb);
void gst_soc_video_src_class_add_roi (GstSocVideoSrcClass *klass,
                                      const gchar *blurb);
void gst_soc_video_src_class_add_encoder (GstSocVideoSrcClass *klass,
                                          const gchar *blurb);
void gst_soc_video_src_class_add_attach (GstSocVideoSrcClass *klass,
                                         const gchar *blurb);

/* A subclass with the properties that setup (klass) adds, and its registration
 * as an element. */
#define GST_SOC_VIDEO_SRC_DEFINE(Type, type, element, setup)                   \
  typedef GstSocVideoSrc Type;                                                 \
  typedef GstSocVideoSrcClass Type##Class;                                     \
  GType type##_get_type (void);                                                \
  G_DEFINE_TYPE (Type, type, GST_TYPE_SOC_VIDEO_SRC)                           \
  GST_ELEMENT_REGISTER_DEFINE (element, #element, GST_RANK_NONE,               \
                               type##_get_type ())                             \
  static void type##_class_init (Type##Class *klass)                           \
  {                                                                            \
    setup (klass);                                                             \
  }                                                                            \
  static void type##_init (Type *src)                                          \
  {                                                                            \
  }                                                                            \
  struct _GstSocVideoDummy

G_END_DECLS

#endif /* GST_SOC_VIDEO_SRC_H */
