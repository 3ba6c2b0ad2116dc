/* The base of all audio sources: a microphone as a live source of PCM.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef GST_SOC_AUDIO_SRC_H
#define GST_SOC_AUDIO_SRC_H

#include <gst/base/gstpushsrc.h>

#include "hal.h"

G_BEGIN_DECLS

#define GST_TYPE_SOC_AUDIO_SRC (gst_soc_audio_src_get_type ())
G_DECLARE_DERIVABLE_TYPE (GstSocAudioSrc, gst_soc_audio_src, GST, SOC_AUDIO_SRC,
                          GstPushSrc)

struct _GstSocAudioSrcClass
{
  GstPushSrcClass parent_class;

  const HalFamily *family;
};

void gst_soc_audio_src_class_setup (GstSocAudioSrcClass *klass,
                                    const HalFamily *family,
                                    const gchar *long_name,
                                    const gchar *description);

/* A subclass that adds nothing, and its registration as an element. */
#define GST_SOC_AUDIO_SRC_DEFINE(Type, type, element, family, long_name,       \
                                 description)                                  \
  typedef GstSocAudioSrc Type;                                                 \
  typedef GstSocAudioSrcClass Type##Class;                                     \
  GType type##_get_type (void);                                                \
  G_DEFINE_TYPE (Type, type, GST_TYPE_SOC_AUDIO_SRC)                           \
  GST_ELEMENT_REGISTER_DEFINE (element, #element, GST_RANK_NONE,               \
                               type##_get_type ())                             \
  static void type##_class_init (Type##Class *klass)                           \
  {                                                                            \
    gst_soc_audio_src_class_setup (klass, family, long_name, description);     \
  }                                                                            \
  static void type##_init (Type *src)                                          \
  {                                                                            \
  }                                                                            \
  struct _GstSocAudioDummy

G_END_DECLS

#endif /* GST_SOC_AUDIO_SRC_H */
