/* Between the link and udtsrc's streaming thread.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The queue is bounded. Of a stream that may lose frames the oldest are
 * forgotten when downstream does not keep up, up to a frame that can be entered
 * at; of one that may not, the sender is made to wait.
 *
 * Threads: callbacks in the link's thread, the rest in the streaming thread.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstp2pcaps.h"
#include "gstudtsrc.h"

#define GST_CAT_DEFAULT gst_udt_src_debug

#define LOSSLESS_BYTES (1 << 20)
#define LIVE_BYTES (4 << 20)

void
gst_udt_item_free (gpointer data)
{
  GstUdtItem *item = data;

  gst_clear_caps (&item->caps);
  g_clear_pointer (&item->payload, g_bytes_unref);
  g_free (item);
}

/* -- The queue (lock held) ------------------------------------------------- */

static gsize
item_size (const GstUdtItem *item)
{
  return item->payload != NULL ? g_bytes_get_size (item->payload) : 0;
}

/* The streaming thread is to be woken once the lock is free: it would run into
 * it, sleep again, and have to be woken twice. */
static void
add_item (GstUdtSrc *src, GstUdtItem *item)
{
  src->bytes += item_size (item);
  g_queue_push_tail (&src->queue, item);
}

static void
drop_frames (GstUdtSrc *src)
{
  GList *walk = src->queue.head;
  guint count = 0;

  while (walk != NULL) {
    GList *next = walk->next;

    if (((GstUdtItem *)walk->data)->type == GST_UDT_ITEM_FRAME) {
      gst_udt_item_free (walk->data);
      g_queue_delete_link (&src->queue, walk);
      count++;
    }
    walk = next;
  }
  src->bytes = 0;
  src->wait_sync = TRUE;
  GST_INFO_OBJECT (src, "downstream is behind: %u frames forgotten", count);
}

/* -- From the link --------------------------------------------------------- */

static GstUdtItem *
item_new (GstUdtItemType type)
{
  GstUdtItem *item = g_new0 (GstUdtItem, 1);

  item->type = type;
  return item;
}

static void
push_new (GstUdtSrc *src, GstUdtItem *item)
{
  g_mutex_lock (&src->lock);
  add_item (src, item);
  g_mutex_unlock (&src->lock);
  g_cond_broadcast (&src->cond);
}

static void
on_event (UdtLink *link, const UdtLinkEvent *event, gpointer user)
{
  GstUdtSrc *src = user;

  gst_udt_settings_event (&src->settings, GST_ELEMENT_CAST (src), event);
}

static void
on_opened (UdtLink *link, P2pWireKind kind, const gchar *peer, gpointer user)
{
  GstUdtSrc *src = user;

  GST_INFO_OBJECT (src, "a stream from %s", peer);
  g_mutex_lock (&src->lock);
  src->kind = kind;
  src->wait_sync = src->held = FALSE;
  add_item (src, item_new (GST_UDT_ITEM_START));
  g_mutex_unlock (&src->lock);
  g_cond_broadcast (&src->cond);
}

static void
on_caps (UdtLink *link, const gchar *text, gpointer user)
{
  GstUdtSrc *src = user;
  GstUdtItem *item;
  GstCaps *any = gst_caps_new_any ();
  GstCaps *caps = gst_p2p_caps_from_wire (text, any);

  gst_caps_unref (any);
  if (caps == NULL) {
    GST_WARNING_OBJECT (src, "the sender's format is not taken: %s", text);
    return;
  }
  item = item_new (GST_UDT_ITEM_CAPS);
  item->caps = caps;
  push_new (src, item);
}

static gboolean
take_frame (GstUdtSrc *src, GBytes *payload, const P2pWireFrame *frame,
            gint64 arrival_us, gint64 age_us, gboolean gap, gboolean *lost)
{
  gsize size = g_bytes_get_size (payload);
  GstUdtItem *item;

  if (src->kind == P2P_WIRE_DATA) {
    if (src->bytes > 0 && src->bytes + size > LOSSLESS_BYTES) {
      src->held = TRUE;
      return FALSE;
    }
  } else {
    if (src->bytes + size > LIVE_BYTES) {
      drop_frames (src);
      *lost = TRUE;
    }
    if (src->wait_sync && (frame->flags & P2P_FRAME_DELTA_UNIT))
      return TRUE;
  }
  item = item_new (GST_UDT_ITEM_FRAME);
  item->payload = g_bytes_ref (payload);
  item->frame = *frame;
  item->arrival_us = arrival_us;
  item->age_us = age_us;
  item->gap = gap || src->wait_sync;
  src->wait_sync = FALSE;
  add_item (src, item);
  return TRUE;
}

static gboolean
on_frame (UdtLink *link, GBytes *payload, const P2pWireFrame *frame,
          gint64 arrival_us, gint64 age_us, gboolean gap, gpointer user)
{
  GstUdtSrc *src = user;
  gboolean lost = FALSE, taken;

  g_mutex_lock (&src->lock);
  taken = take_frame (src, payload, frame, arrival_us, age_us, gap, &lost);
  g_mutex_unlock (&src->lock);
  g_cond_broadcast (&src->cond);
  if (lost)
    udt_link_request_key_unit (link, FALSE, 0);
  return taken;
}

static void
on_end (UdtLink *link, gpointer user)
{
  push_new (user, item_new (GST_UDT_ITEM_END));
}

const UdtLinkCallbacks gst_udt_src_callbacks = {
  .event = on_event,
  .opened = on_opened,
  .caps = on_caps,
  .frame = on_frame,
  .end = on_end,
};

/* -- Time ------------------------------------------------------------------ */

static gint64
running_time_now (GstUdtSrc *src)
{
  GstClock *clock = gst_element_get_clock (GST_ELEMENT_CAST (src));
  gint64 now;

  if (clock == NULL)
    return (g_get_monotonic_time () - src->start_us) * GST_USECOND;
  now = GST_CLOCK_DIFF (gst_element_get_base_time (GST_ELEMENT_CAST (src)),
                        gst_clock_get_time (clock));
  gst_object_unref (clock);
  return now;
}

/* Lock held: the frames that have come, up to another stream, of whose sender
 * nothing is known yet. All of them first: the quickest decides for all. */
static void
sample_queue (GstUdtSrc *src)
{
  gint64 now = running_time_now (src);
  gint64 now_us = g_get_monotonic_time ();
  GList *walk;

  for (walk = src->queue.head; walk != NULL; walk = walk->next) {
    GstUdtItem *item = walk->data;

    if (item->type == GST_UDT_ITEM_START)
      break;
    if (item->type != GST_UDT_ITEM_FRAME || item->sampled)
      continue;
    item->sampled = TRUE;
    if (item->frame.sent == P2P_WIRE_TIME_NONE)
      continue;
    /* What it waited at the sender is not the path's doing. */
    p2p_timeline_sample (
        src->timeline, item->frame.sent + item->age_us * (gint64)GST_USECOND,
        now - (now_us - item->arrival_us) * (gint64)GST_USECOND);
  }
}

gint64
gst_udt_src_map (GstUdtSrc *src, gint64 time, gint64 latency)
{
  gint64 local;

  if (latency == P2P_WIRE_TIME_NONE)
    latency = 0;
  /* When a sink at the sender would have shown it: that moment, here. */
  if (time == P2P_WIRE_TIME_NONE
      || !p2p_timeline_map (src->timeline, time + latency, &local))
    return P2P_WIRE_TIME_NONE;
  return local;
}

/* -- For the streaming thread ---------------------------------------------- */

GstUdtItem *
gst_udt_src_next_item (GstUdtSrc *src)
{
  GstUdtItem *item = NULL;
  gboolean resume = FALSE;

  g_mutex_lock (&src->lock);
  while (!src->flushing && g_queue_is_empty (&src->queue))
    g_cond_wait (&src->cond, &src->lock);
  if (!src->flushing) {
    sample_queue (src);
    item = g_queue_pop_head (&src->queue);
    src->bytes -= item_size (item);
    resume = src->held && src->bytes <= LOSSLESS_BYTES / 2;
    if (resume)
      src->held = FALSE;
  }
  g_mutex_unlock (&src->lock);
  if (resume)
    udt_link_resume (src->settings.link);
  return item;
}

void
gst_udt_src_clear (GstUdtSrc *src)
{
  g_mutex_lock (&src->lock);
  g_queue_clear_full (&src->queue, gst_udt_item_free);
  src->bytes = 0;
  src->held = src->wait_sync = FALSE;
  g_mutex_unlock (&src->lock);
}
