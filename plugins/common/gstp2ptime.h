/* Running time that goes on.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A receiver takes the sender's times for those of one clock. The sender's
 * running time is none: it stands still in a pause, begins at zero in another
 * start, and leaps when the pipeline changes its clock; each shows as another
 * base time or clock. What is added to it on the wire makes up for that.
 *
 * Threads: the owner's.
 */
#ifndef GST_P2P_TIME_H
#define GST_P2P_TIME_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  GstClock *clock; /* NULL: none yet */
  GstClockTime base_time;
  GstClockTimeDiff offset; /* to be added to running time */
} GstP2pSteadyTime;

/* From now on running time is that of `clock` (NULL: as it was). */
void gst_p2p_steady_time_update (GstP2pSteadyTime *steady, GstClock *clock,
                                 GstClockTime base_time);
/* Begins anew. */
void gst_p2p_steady_time_clear (GstP2pSteadyTime *steady);
/* FALSE: no clock. */
gboolean gst_p2p_steady_time_now (const GstP2pSteadyTime *steady,
                                  gint64 *running_time);

G_END_DECLS

#endif /* GST_P2P_TIME_H */
