/* Regions of interest as the value of a property.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef GST_SOC_ROI_H
#define GST_SOC_ROI_H

#include <gst/gst.h>

#include "hal.h"

G_BEGIN_DECLS

/* An array of structures with x, y, w, h (int) and qp-delta or qp (int). */
GParamSpec *gst_soc_roi_param_spec (const gchar *blurb, GParamFlags flags);
/* FALSE: *ret_refused says why; config is as it was. */
gboolean gst_soc_roi_from_value (const GValue *value, HalStreamConfig *config,
                                 gchar **ret_refused);
void gst_soc_roi_to_value (const HalStreamConfig *config, GValue *value);

G_END_DECLS

#endif /* GST_SOC_ROI_H */
