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

/* Bytes in the queue. Of a live stream they only have to be more than a latency
 * may need, also of one that is not encoded; time is what limits it. */
#define LOSSLESS_BYTES (1 << 20)
#define LIVE_BYTES (16 << 20)
/* How much longer than `latency` frames of a live stream wait here. */
#define QUEUE_TIME_US (2 * G_TIME_SPAN_SECOND)
/* What an item takes beside its payload: one of no bytes counts as well. */
#define ITEM_BYTES 256
#define CAPS_BYTES 4096

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
frame_size (GBytes *payload)
{
  return ITEM_BYTES + g_bytes_get_size (payload);
}

static gsize
item_size (const GstUdtItem *item)
{
  if (item->type == GST_UDT_ITEM_CAPS)
    return CAPS_BYTES;
  return item->payload != NULL ? frame_size (item->payload) : ITEM_BYTES;
}

static gboolean
is_frame (const GstUdtItem *item)
{
  return item->type == GST_UDT_ITEM_FRAME;
}

static gboolean
is_sync (const GstUdtItem *item)
{
  return is_frame (item) && !(item->frame.flags & P2P_FRAME_DELTA_UNIT);
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
remove_item (GstUdtSrc *src, GList *link)
{
  src->bytes -= item_size (link->data);
  gst_udt_item_free (link->data);
  g_queue_delete_link (&src->queue, link);
}

/* Forgets the frames before `keep`, or all, and the formats that were for those
 * alone. */
static void
drop_before (GstUdtSrc *src, GList *keep)
{
  GList *walk = src->queue.head;
  guint count = 0;

  while (walk != NULL && walk != keep) {
    GList *next = walk->next, *before = walk->prev;
    GstUdtItem *item = walk->data;

    if (is_frame (item)) {
      remove_item (src, walk);
      count++;
    } else if (item->type == GST_UDT_ITEM_CAPS && before != NULL
               && ((GstUdtItem *)before->data)->type == GST_UDT_ITEM_CAPS) {
      remove_item (src, before);
    }
    walk = next;
  }
  if (count == 0)
    return;
  if (keep != NULL)
    ((GstUdtItem *)keep->data)->gap = TRUE;
  else
    src->wait_sync = TRUE;
  GST_INFO_OBJECT (src, "downstream is behind: %u frames forgotten", count);
}

/* The first frame not older than `oldest_us` from which a decoder can go on
 * such that no more than `max_bytes` remain. `last`: the newest such frame,
 * whatever the limits. */
static GList *
find_cut (GstUdtSrc *src, gsize max_bytes, gint64 oldest_us, GList **last)
{
  gsize bytes = src->bytes;
  GList *walk;

  *last = NULL;
  for (walk = src->queue.head; walk != NULL; walk = walk->next) {
    GstUdtItem *item = walk->data;

    if (is_sync (item)) {
      *last = walk;
      if (bytes <= max_bytes && item->arrival_us >= oldest_us)
        return walk;
    }
    bytes -= item_size (item);
  }
  return NULL;
}

static const GstUdtItem *
oldest_frame (GstUdtSrc *src)
{
  GList *walk = src->queue.head;

  while (walk != NULL && !is_frame (walk->data))
    walk = walk->next;
  return walk != NULL ? walk->data : NULL;
}

/* Whether a frame of `size` that has come now is too much, or those before it
 * have waited for too long. */
static gboolean
is_over_limit (GstUdtSrc *src, gsize size, gint64 now_us)
{
  const GstUdtItem *oldest = oldest_frame (src);

  return oldest != NULL
         && (src->bytes + size > LIVE_BYTES
             || oldest->arrival_us < now_us - src->latency_us - QUEUE_TIME_US);
}

/* TRUE: everything was forgotten. */
static gboolean
enforce_limits (GstUdtSrc *src, gsize size, gint64 now_us)
{
  GList *cut, *last;

  if (!is_over_limit (src, size, now_us))
    return FALSE;
  cut = size < LIVE_BYTES
            ? find_cut (src, LIVE_BYTES - size, now_us - src->latency_us, &last)
            : NULL;
  drop_before (src, cut);
  return cut == NULL;
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
  gboolean delta = (frame->flags & P2P_FRAME_DELTA_UNIT) != 0;
  gsize size = frame_size (payload);
  GstUdtItem *item;

  if (src->kind == P2P_WIRE_DATA) {
    if (oldest_frame (src) != NULL && src->bytes + size > LOSSLESS_BYTES) {
      src->held = TRUE;
      return FALSE;
    }
  } else {
    *lost = enforce_limits (src, size, arrival_us) && delta;
    if (src->wait_sync && delta)
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

/* Lock held. */
static void
begin_running_time (GstUdtSrc *src)
{
  gint64 now_us = g_get_monotonic_time ();
  GList *walk, *cut, *last;

  p2p_timeline_reset (src->timeline);
  for (walk = src->queue.head; walk != NULL; walk = walk->next)
    ((GstUdtItem *)walk->data)->sampled = FALSE;
  cut = find_cut (src, G_MAXSIZE, now_us - src->latency_us, &last);
  if (cut == NULL)
    cut = last;
  if (src->kind != P2P_WIRE_DATA && cut != NULL)
    drop_before (src, cut);
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
    if (src->resumed)
      begin_running_time (src);
    src->resumed = FALSE;
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
gst_udt_src_resume (GstUdtSrc *src)
{
  g_mutex_lock (&src->lock);
  src->resumed = TRUE;
  g_mutex_unlock (&src->lock);
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
