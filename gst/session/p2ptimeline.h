/* Maps the sender's running time to the receiver's, one mapping for all streams
 * of a request, so that what was together stays together.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each frame brings a sample: when it left (sender's running time) and when it
 * arrived (receiver's running time). The samples with the least delay of each
 * window give the offset between the two clocks plus the path's least delay; a
 * line through several windows gives the drift. The mapping is a function of
 * the sender's time alone, so two streams agree whatever order their frames
 * arrive in, and it is piecewise: between corrections it is a pure shift, so
 * that differences survive exactly; a correction is made only when the
 * error has grown to P2P_TIMELINE_STEP_NS, and takes effect from a sender time
 * not mapped yet. After one downward the mapping runs at half speed until it has
 * fallen back, so that it never goes backwards. How fast it corrects is said in
 * p2ptimeline.c.
 *
 * Pure: no clock, no lock, no GLib. Times in nanoseconds.
 */
#ifndef P2P_TIMELINE_H
#define P2P_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#define P2P_TIMELINE_STEP_NS 2000000    /* 2 ms */

typedef struct _P2pTimeline P2pTimeline;

P2pTimeline *p2p_timeline_new (void);
void p2p_timeline_free (P2pTimeline * timeline);

/* Forgets everything: new sender, or it started again. */
void p2p_timeline_reset (P2pTimeline * timeline);

/* A frame left the sender at `sent` and arrived here at `arrived`. */
void p2p_timeline_sample (P2pTimeline * timeline, int64_t sent,
    int64_t arrived);

/* Receiver's running time of `sender_time`; false before the first sample. */
bool p2p_timeline_map (P2pTimeline * timeline, int64_t sender_time,
    int64_t * local_time);

/* Estimated drift, parts per million: positive, sender's clock is slow. */
double p2p_timeline_get_drift_ppm (const P2pTimeline * timeline);

#endif /* P2P_TIMELINE_H */
