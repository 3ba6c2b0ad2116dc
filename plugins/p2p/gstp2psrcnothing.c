/* p2psrc: telling that the device has nothing for its request, when that is so.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A device says that there are no more streams for now before its application
 * may have heard of the request; one that answers each request by itself begins
 * its stream a moment later. So it is waited for a little before anybody is
 * warned, on the system's clock: the pipeline's may stand still.
 *
 * The clock's thread only looks, under the source's lock; the message is posted
 * by GStreamer's worker. It holds no reference to the source.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstp2psrc.h"

#define GRACE (3 * GST_SECOND)

typedef struct
{
  GWeakRef src;
} Watch;

static void
watch_free (gpointer data)
{
  Watch *watch = data;

  g_weak_ref_clear (&watch->src);
  g_free (watch);
}

static void
warn (GstElement *element, gpointer unused)
{
  GST_ELEMENT_WARNING (element, RESOURCE, NOT_FOUND,
                       ("The device has no stream for this request"),
                       ("Streams that it begins later will come"));
}

static gboolean
on_time (GstClock *clock, GstClockTime time, GstClockID id, gpointer user)
{
  GstP2pSrc *src = g_weak_ref_get (&((Watch *)user)->src);
  gboolean tell;

  if (src == NULL)
    return TRUE;
  g_mutex_lock (&src->lock);
  tell = src->nothing_id == id && src->complete && !src->any_stream;
  if (src->nothing_id == id)
    gst_p2p_src_unwatch_nothing (src);
  g_mutex_unlock (&src->lock);
  if (tell)
    gst_element_call_async (GST_ELEMENT_CAST (src), warn, NULL, NULL);
  gst_object_unref (src);
  return TRUE;
}

void
gst_p2p_src_watch_nothing (GstP2pSrc *src)
{
  GstClock *clock;
  Watch *watch;

  if (src->nothing_id != NULL || src->any_stream || src->accepts)
    return;
  clock = gst_system_clock_obtain ();
  watch = g_new0 (Watch, 1);
  g_weak_ref_init (&watch->src, src);
  src->nothing_id
      = gst_clock_new_single_shot_id (clock,
                                      gst_clock_get_time (clock) + GRACE);
  gst_clock_id_wait_async (src->nothing_id, on_time, watch, watch_free);
  gst_object_unref (clock);
}

void
gst_p2p_src_unwatch_nothing (GstP2pSrc *src)
{
  if (src->nothing_id == NULL)
    return;
  gst_clock_id_unschedule (src->nothing_id);
  gst_clock_id_unref (src->nothing_id);
  src->nothing_id = NULL;
}
