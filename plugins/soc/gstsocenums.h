/* Enumerations of the SoC elements' properties.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef GST_SOC_ENUMS_H
#define GST_SOC_ENUMS_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* The values are HalCodec's. */
#define GST_TYPE_SOC_CODEC (gst_soc_codec_get_type ())
GType gst_soc_codec_get_type (void);
/* The values are HalRateControl's. */
#define GST_TYPE_SOC_RATE_CONTROL (gst_soc_rate_control_get_type ())
GType gst_soc_rate_control_get_type (void);

G_END_DECLS

#endif /* GST_SOC_ENUMS_H */
