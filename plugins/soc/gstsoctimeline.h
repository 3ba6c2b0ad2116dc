/* One mapping from a vendor's clock to a pipeline's, for all elements that
 * have both in common: sound and picture of a camera stay together because
 * they are mapped by the same line.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef GST_SOC_TIMELINE_H
#define GST_SOC_TIMELINE_H

#include <gst/gst.h>

#include "hal.h"

G_BEGIN_DECLS

typedef struct _GstSocTimeline GstSocTimeline;

/* The one of these two clocks; made if there is none. */
GstSocTimeline *gst_soc_timeline_get (HalContext *context, GstClock *clock);
void gst_soc_timeline_unref (GstSocTimeline *timeline);

/* Maps a vendor's timestamp to the time of the pipeline's clock. interval is
 * the usual distance of timestamps. *ret_jumped: the vendor's clock was set
 * anew since the last call for this stream; *last_jumps is the caller's memory
 * of that, G_MAXUINT64 at first. */
GstClockTime gst_soc_timeline_map (GstSocTimeline *timeline, guint64 pts,
                                   GstClockTime interval, guint64 *last_jumps,
                                   gboolean *ret_jumped);
gdouble gst_soc_timeline_drift (GstSocTimeline *timeline);

G_END_DECLS

#endif /* GST_SOC_TIMELINE_H */
