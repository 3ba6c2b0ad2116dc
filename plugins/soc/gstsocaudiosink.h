/* The base of all audio sinks: a loudspeaker that plays PCM.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef GST_SOC_AUDIO_SINK_H
#define GST_SOC_AUDIO_SINK_H

#include <gst/base/gstbasesink.h>

#include "hal.h"

G_BEGIN_DECLS

#define GST_TYPE_SOC_AUDIO_SINK (gst_soc_audio_sink_get_type ())
G_DECLARE_DERIVABLE_TYPE (GstSocAudioSink, gst_soc_audio_sink, GST,
                          SOC_AUDIO_SINK, GstBaseSink)

struct _GstSocAudioSinkClass
{
  GstBaseSinkClass parent_class;

  const HalFamily *family;
};

void gst_soc_audio_sink_class_setup (GstSocAudioSinkClass *klass,
                                     const HalFamily *family,
                                     const gchar *long_name,
                                     const gchar *description);

/* A subclass that adds nothing, and its registration as an element. */
#define GST_SOC_AUDIO_SINK_DEFINE(Type, type, element, family, long_name,      \
                                  description)                                 \
  typedef GstSocAudioSink Type;                                                \
  typedef GstSocAudioSinkClass Type##Class;                                    \
  GType type##_get_type (void);                                                \
  G_DEFINE_TYPE (Type, type, GST_TYPE_SOC_AUDIO_SINK)                          \
  GST_ELEMENT_REGISTER_DEFINE (element, #element, GST_RANK_NONE,               \
                               type##_get_type ())                             \
  static void type##_class_init (Type##Class *klass)                           \
  {                                                                            \
    gst_soc_audio_sink_class_setup (klass, family, long_name, description);    \
  }                                                                            \
  static void type##_init (Type *sink)                                         \
  {                                                                            \
  }                                                                            \
  struct _GstSocAudioDummy

G_END_DECLS

#endif /* GST_SOC_AUDIO_SINK_H */
