/* Running time that goes on.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: the owner's.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstp2ptime.h"

gboolean
gst_p2p_steady_time_now (const GstP2pSteadyTime *steady, gint64 *running_time)
{
  if (steady->clock == NULL)
    return FALSE;
  *running_time
      = GST_CLOCK_DIFF (steady->base_time, gst_clock_get_time (steady->clock));
  return TRUE;
}

void
gst_p2p_steady_time_update (GstP2pSteadyTime *steady, GstClock *clock,
                            GstClockTime base_time)
{
  gint64 before, now;

  if (clock == NULL
      || (clock == steady->clock && base_time == steady->base_time))
    return;
  if (clock == steady->clock) {
    steady->offset += GST_CLOCK_DIFF (steady->base_time, base_time);
  } else if (gst_p2p_steady_time_now (steady, &before)) {
    now = GST_CLOCK_DIFF (base_time, gst_clock_get_time (clock));
    steady->offset += before - now;
  }
  gst_object_replace ((GstObject **)&steady->clock, GST_OBJECT_CAST (clock));
  steady->base_time = base_time;
}

void
gst_p2p_steady_time_clear (GstP2pSteadyTime *steady)
{
  gst_clear_object (&steady->clock);
  steady->base_time = 0;
  steady->offset = 0;
}
