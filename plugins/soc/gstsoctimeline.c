/* One mapping from a vendor's clock to a pipeline's; see gstsoctimeline.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstsoctimeline.h"

#include "halclock.h"

/* A frame that would be older than this, or of the future, shows that the
 * vendor's clock was set anew. */
#define MAX_AGE (5 * GST_SECOND)

struct _GstSocTimeline
{
  /* Protected by list_lock. */
  gint refs;
  /* Constant. */
  HalContext *context;
  GstClock *clock;
  gboolean has_clock;
  GMutex lock;
  /* Protected by lock. */
  HalClockMap map;
  GstClockTime sampled; /* when, by clock */
  guint64 jumps;
};

static GMutex list_lock;
static GList *timelines; /* protected by list_lock */

GstSocTimeline *
gst_soc_timeline_get (HalContext *context, GstClock *clock)
{
  GstSocTimeline *timeline = NULL;
  GList *l;

  g_mutex_lock (&list_lock);
  for (l = timelines; l != NULL && timeline == NULL; l = l->next) {
    GstSocTimeline *one = l->data;

    if (one->context == context && one->clock == clock)
      timeline = one;
  }
  if (timeline == NULL) {
    timeline = g_new0 (GstSocTimeline, 1);
    timeline->context = context;
    timeline->clock = gst_object_ref (clock);
    timeline->has_clock
        = (hal_context_info (context)->caps & HAL_CAP_CLOCK) != 0;
    timeline->sampled = GST_CLOCK_TIME_NONE;
    g_mutex_init (&timeline->lock);
    hal_clock_map_init (&timeline->map);
    timelines = g_list_prepend (timelines, timeline);
  }
  timeline->refs++;
  g_mutex_unlock (&list_lock);
  return timeline;
}

void
gst_soc_timeline_unref (GstSocTimeline *timeline)
{
  gboolean last;

  if (timeline == NULL)
    return;
  g_mutex_lock (&list_lock);
  last = --timeline->refs == 0;
  if (last)
    timelines = g_list_remove (timelines, timeline);
  g_mutex_unlock (&list_lock);
  if (!last)
    return;
  gst_object_unref (timeline->clock);
  g_mutex_clear (&timeline->lock);
  g_free (timeline);
}

/* Called with the lock. Reads both clocks, the vendor's between two readings
 * of the other one. */
static void
sample (GstSocTimeline *timeline, gboolean anew)
{
  GstClockTime before, after;
  guint64 vendor;

  before = gst_clock_get_time (timeline->clock);
  if (hal_context_clock (timeline->context, &vendor, NULL) != HAL_OK)
    return;
  after = gst_clock_get_time (timeline->clock);
  if (anew) {
    hal_clock_map_init (&timeline->map);
    timeline->jumps++;
  }
  if (hal_clock_map_add (&timeline->map, vendor, before + (after - before) / 2,
                         after - before))
    timeline->jumps++;
  timeline->sampled = after;
}

static gboolean
is_plausible (GstClockTime mapped, GstClockTime now, GstClockTime interval)
{
  return GST_CLOCK_TIME_IS_VALID (mapped) && mapped <= now + interval
         && mapped + MAX_AGE >= now;
}

GstClockTime
gst_soc_timeline_map (GstSocTimeline *timeline, guint64 pts,
                      GstClockTime interval, guint64 *last_jumps,
                      gboolean *ret_jumped)
{
  GstClockTime now, mapped = GST_CLOCK_TIME_NONE;

  g_mutex_lock (&timeline->lock);
  now = gst_clock_get_time (timeline->clock);
  if (timeline->has_clock && pts != HAL_TIME_NONE) {
    if (!GST_CLOCK_TIME_IS_VALID (timeline->sampled)
        || now - timeline->sampled >= HAL_CLOCK_INTERVAL)
      sample (timeline, FALSE);
    mapped = hal_clock_map_apply (&timeline->map, pts);
    if (!is_plausible (mapped, now, interval)) {
      sample (timeline, TRUE);
      mapped = hal_clock_map_apply (&timeline->map, pts);
    }
  }
  /* Without a clock to go by, or with timestamps that are not of that clock:
   * the time of arrival. */
  if (!is_plausible (mapped, now, interval))
    mapped = now;
  *ret_jumped = *last_jumps != G_MAXUINT64 && *last_jumps != timeline->jumps;
  *last_jumps = timeline->jumps;
  g_mutex_unlock (&timeline->lock);
  return mapped;
}

gdouble
gst_soc_timeline_drift (GstSocTimeline *timeline)
{
  gdouble drift;

  g_mutex_lock (&timeline->lock);
  drift = hal_clock_map_drift (&timeline->map);
  g_mutex_unlock (&timeline->lock);
  return drift;
}
