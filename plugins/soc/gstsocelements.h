/* The elements of each family, and how the plugin finds them.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef GST_SOC_ELEMENTS_H
#define GST_SOC_ELEMENTS_H

#include <gst/gst.h>

#include "hal.h"

G_BEGIN_DECLS

/* What a family brings to the plugin. */
typedef struct
{
  const HalFamily *family;
  /* Factories, for the device provider; audio_source may be NULL. */
  const gchar *video_source, *audio_source;
  gboolean (*register_elements) (GstPlugin *plugin);
} GstSocFamily;

extern const GstSocFamily gst_soc_x86;
extern const GstSocFamily gst_soc_hisi;
extern const GstSocFamily gst_soc_fullhan;
extern const GstSocFamily gst_soc_ingenic;
extern const GstSocFamily gst_soc_ambarella;

/* All of them, NULL at the end; see plugin.c. */
extern const GstSocFamily *const gst_soc_families[];

GST_ELEMENT_REGISTER_DECLARE (hisivencsrc);
GST_ELEMENT_REGISTER_DECLARE (hisiaudiosrc);
GST_ELEMENT_REGISTER_DECLARE (hisiaudiosink);
GST_ELEMENT_REGISTER_DECLARE (fhvencsrc);
GST_ELEMENT_REGISTER_DECLARE (fhaudiosrc);
GST_ELEMENT_REGISTER_DECLARE (fhaudiosink);
GST_ELEMENT_REGISTER_DECLARE (ingenicvencsrc);
GST_ELEMENT_REGISTER_DECLARE (ingenicaudiosrc);
GST_ELEMENT_REGISTER_DECLARE (ingenicaudiosink);
GST_ELEMENT_REGISTER_DECLARE (ambavencsrc);
GST_ELEMENT_REGISTER_DECLARE (x86vencsrc);
GST_ELEMENT_REGISTER_DECLARE (x86audiosrc);

GST_DEVICE_PROVIDER_REGISTER_DECLARE (socdeviceprovider);

G_END_DECLS

#endif /* GST_SOC_ELEMENTS_H */
