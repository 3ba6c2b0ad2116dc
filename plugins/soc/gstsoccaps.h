/* Between caps and streams.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef GST_SOC_CAPS_H
#define GST_SOC_CAPS_H

#include <gst/gst.h>

#include "hal.h"

G_BEGIN_DECLS

/* What a source can give: of all codecs, of one. */
GstCaps *gst_soc_caps_template (void);
GstCaps *gst_soc_caps_of_codec (HalCodec codec);
/* Takes size, frame rate and profile that downstream insists on. FALSE: it
 * takes nothing of this codec. */
gboolean gst_soc_caps_to_config (const GstCaps *allowed,
                                 HalStreamConfig *config);

/* Of what caps were made last, so that they are made anew only for something
 * else. Zero at first. */
typedef struct
{
  gboolean valid;
  guint8 sps[256];
  gsize size;
  guint width, height, fps_num, fps_den;
} GstSocCapsMemo;

/* What really came: size, profile and level of the parameter sets in the
 * keyframe, or the configuration where they do not say. NULL: no parameter set
 * in it or, with *ret_same, the same as before. */
GstCaps *gst_soc_caps_from_frame (HalCodec codec, const guint8 *data,
                                  gsize size, const HalStreamConfig *config,
                                  GstSocCapsMemo *memo, gboolean *ret_same);

G_END_DECLS

#endif /* GST_SOC_CAPS_H */
