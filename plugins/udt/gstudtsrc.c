/* udtsrc: the stream of whom it calls, or of who calls it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads and lock: see gstudtsrc.h.
 */
/**
 * SECTION:element-udtsrc
 * @title: udtsrc
 * @see_also: udtsink
 *
 * Receives what a udtsink sends: its format, its flags and its times.
 *
 * |[
 * gst-launch-1.0 udtsrc uri=udt://192.0.2.1:7001 key-file=udt.key ! \
 *     decodebin ! autovideosink
 * ]|
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstp2pcaps.h"
#include "gstp2pproperties.h"
#include "gstudtsrc.h"

#include <gst/video/video.h>

GST_DEBUG_CATEGORY (gst_udt_src_debug);
#define GST_CAT_DEFAULT gst_udt_src_debug

#define DEFAULT_LATENCY_MS 200
#define MAX_LATENCY_MS 60000

enum {
  PROP_LATENCY = GST_UDT_PROP_OWN,
};

static GstStaticPadTemplate src_template
    = GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                               GST_STATIC_CAPS_ANY);

G_DEFINE_TYPE_WITH_CODE (GstUdtSrc, gst_udt_src, GST_TYPE_PUSH_SRC, {
  static const GInterfaceInfo info = { gst_udt_uri_handler_init };

  g_type_add_interface_static (g_define_type_id, GST_TYPE_URI_HANDLER, &info);
  GST_DEBUG_CATEGORY_INIT (gst_udt_src_debug, "udtsrc", 0, "udtsrc");
})
GST_ELEMENT_REGISTER_DEFINE (udtsrc, "udtsrc", GST_RANK_PRIMARY,
                             GST_TYPE_UDT_SRC)

/* -- Data ------------------------------------------------------------------ */

/* The sender came again: a new group, everything before data once more. */
static void
begin_stream (GstUdtSrc *src)
{
  GstPad *pad = GST_BASE_SRC_PAD (src);
  GstEvent *event;
  gchar *id;

  p2p_timeline_reset (src->timeline);
  src->discont = TRUE;
  if (src->streams++ == 0)
    return;
  id = gst_pad_create_stream_id (pad, GST_ELEMENT_CAST (src), NULL);
  event = gst_event_new_stream_start (id);
  gst_event_set_group_id (event, gst_util_group_id_next ());
  g_free (id);
  gst_pad_push_event (pad, event);
}

static void
drop_headers (GstUdtSrc *src)
{
  g_list_free_full (src->headers, (GDestroyNotify)gst_buffer_unref);
  src->headers = NULL;
}

static gboolean
take_caps (GstUdtSrc *src, GstCaps *caps)
{
  drop_headers (src);
  if (gst_udt_kind_of_caps (caps) == P2P_WIRE_DATA)
    src->headers = gst_p2p_caps_get_headers (caps);
  return gst_base_src_set_caps (GST_BASE_SRC_CAST (src), caps);
}

/* Decoding may begin before running time zero, where a timestamp cannot go: the
 * segment begins later then. */
static void
make_room_for (GstUdtSrc *src, gint64 pts, gint64 dts)
{
  gint64 lowest = G_MAXINT64;
  GstSegment segment;

  if (pts != P2P_WIRE_TIME_NONE)
    lowest = pts;
  if (dts != P2P_WIRE_TIME_NONE)
    lowest = MIN (lowest, dts);
  if (lowest >= -(gint64)src->ts_offset)
    return;
  src->ts_offset = (-lowest + GST_SECOND - 1) / GST_SECOND * GST_SECOND;
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.position = src->ts_offset;
  gst_base_src_new_segment (GST_BASE_SRC_CAST (src), &segment);
}

static GstClockTime
to_timestamp (GstUdtSrc *src, gint64 running_time)
{
  return running_time == P2P_WIRE_TIME_NONE
             ? GST_CLOCK_TIME_NONE
             : (GstClockTime)(running_time + (gint64)src->ts_offset);
}

static GstClockTime
duration_of (const GstUdtItem *item)
{
  return item->frame.duration >= 0 ? (GstClockTime)item->frame.duration
                                   : GST_CLOCK_TIME_NONE;
}

/* NULL: it was a gap. */
static GstBuffer *
make_buffer (GstUdtSrc *src, const GstUdtItem *item)
{
  gint64 pts = gst_udt_src_map (src, item->frame.pts, item->frame.latency);
  gint64 dts = gst_udt_src_map (src, item->frame.dts, item->frame.latency);
  GstBuffer *buffer;

  make_room_for (src, pts, dts);
  src->discont |= item->gap;
  if ((item->frame.flags & P2P_FRAME_GAP)
      && g_bytes_get_size (item->payload) == 0) {
    if (pts != P2P_WIRE_TIME_NONE)
      gst_pad_push_event (GST_BASE_SRC_PAD (src),
                          gst_event_new_gap (to_timestamp (src, pts),
                                             duration_of (item)));
    return NULL;
  }
  buffer = gst_buffer_new_wrapped_bytes (item->payload);
  gst_p2p_flags_from_wire (item->frame.flags, buffer);
  GST_BUFFER_PTS (buffer) = to_timestamp (src, pts);
  GST_BUFFER_DTS (buffer) = to_timestamp (src, dts);
  GST_BUFFER_DURATION (buffer) = duration_of (item);
  return buffer;
}

static GstBuffer *
with_headers (GstUdtSrc *src, GstBuffer *buffer)
{
  if (src->discont)
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  src->discont = FALSE;
  return buffer;
}

/* A header of the caps, which the sender left out. */
static GstBuffer *
next_header (GstUdtSrc *src)
{
  GstBuffer *header = gst_buffer_copy (src->headers->data);

  gst_buffer_unref (src->headers->data);
  src->headers = g_list_delete_link (src->headers, src->headers);
  GST_BUFFER_FLAG_SET (header, GST_BUFFER_FLAG_HEADER);
  return header;
}

static GstFlowReturn
gst_udt_src_create (GstPushSrc *push, GstBuffer **buffer)
{
  GstUdtSrc *src = GST_UDT_SRC (push);
  GstFlowReturn flow = GST_FLOW_OK;

  *buffer = src->headers != NULL ? next_header (src) : NULL;
  while (*buffer == NULL && flow == GST_FLOW_OK) {
    GstUdtItem *item = gst_udt_src_next_item (src);

    if (item == NULL)
      return GST_FLOW_FLUSHING;
    switch (item->type) {
      case GST_UDT_ITEM_START:
        begin_stream (src);
        break;
      case GST_UDT_ITEM_CAPS:
        if (!take_caps (src, item->caps))
          flow = GST_FLOW_NOT_NEGOTIATED;
        else if (src->headers != NULL)
          *buffer = next_header (src);
        break;
      case GST_UDT_ITEM_FRAME:
        *buffer = make_buffer (src, item);
        break;
      case GST_UDT_ITEM_END:
        flow = GST_FLOW_EOS;
        break;
    }
    gst_udt_item_free (item);
  }
  if (*buffer != NULL)
    with_headers (src, *buffer);
  return flow;
}

/* -- States, events, queries ----------------------------------------------- */

static gboolean
make_link (GstElement *element)
{
  GstUdtSrc *src = GST_UDT_SRC (element);
  UdtLinkConfig config = { .max_callers = 1 };

  GST_OBJECT_LOCK (src);
  config.latency_ms = src->latency;
  src->latency_us = (gint64)src->latency * 1000;
  GST_OBJECT_UNLOCK (src);
  return gst_udt_settings_make_link (&src->settings, element, &config,
                                     &gst_udt_src_callbacks);
}

/* It may have been made in READY, where settings can still change. */
static gboolean
remake_if_changed (GstUdtSrc *src)
{
  GstElement *element = GST_ELEMENT_CAST (src);
  gboolean changed;

  GST_OBJECT_LOCK (src);
  changed = src->settings.changed;
  GST_OBJECT_UNLOCK (src);
  return changed
             ? gst_udt_settings_remake_link (&src->settings, element, make_link)
             : make_link (element);
}

static gboolean
gst_udt_src_start (GstBaseSrc *base)
{
  GstUdtSrc *src = GST_UDT_SRC (base);

  p2p_timeline_reset (src->timeline);
  src->streams = 0;
  src->ts_offset = 0;
  src->discont = TRUE;
  src->start_us = g_get_monotonic_time ();
  return remake_if_changed (src)
         && gst_udt_settings_start_link (&src->settings,
                                         GST_ELEMENT_CAST (src));
}

static gboolean
gst_udt_src_stop (GstBaseSrc *base)
{
  GstUdtSrc *src = GST_UDT_SRC (base);

  gst_udt_settings_stop_link (&src->settings, GST_ELEMENT_CAST (src));
  gst_udt_src_clear (src);
  drop_headers (src);
  return TRUE;
}

static GstStateChangeReturn
gst_udt_src_change_state (GstElement *element, GstStateChange transition)
{
  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING)
    gst_udt_src_resume (GST_UDT_SRC (element));
  return gst_udt_settings_change_state (&GST_UDT_SRC (element)->settings,
                                        element, transition,
                                        gst_udt_src_parent_class, make_link);
}

static void
set_flushing (GstUdtSrc *src, gboolean flushing)
{
  g_mutex_lock (&src->lock);
  src->flushing = flushing;
  g_cond_broadcast (&src->cond);
  g_mutex_unlock (&src->lock);
}

static gboolean
gst_udt_src_unlock (GstBaseSrc *base)
{
  set_flushing (GST_UDT_SRC (base), TRUE);
  return TRUE;
}

static gboolean
gst_udt_src_unlock_stop (GstBaseSrc *base)
{
  set_flushing (GST_UDT_SRC (base), FALSE);
  return TRUE;
}

static gboolean
gst_udt_src_is_seekable (GstBaseSrc *base)
{
  return FALSE;
}

static gboolean
gst_udt_src_event (GstBaseSrc *base, GstEvent *event)
{
  GstUdtSrc *src = GST_UDT_SRC (base);
  gboolean all_headers;
  guint count;

  if (gst_video_event_is_force_key_unit (event)
      && gst_video_event_parse_upstream_force_key_unit (event, NULL,
                                                        &all_headers, &count)) {
    udt_link_request_key_unit (src->settings.link, all_headers, count);
    return TRUE;
  }
  return GST_BASE_SRC_CLASS (gst_udt_src_parent_class)->event (base, event);
}

static gboolean
gst_udt_src_query (GstBaseSrc *base, GstQuery *query)
{
  GstUdtSrc *src = GST_UDT_SRC (base);
  GstClockTime latency;

  if (GST_QUERY_TYPE (query) != GST_QUERY_LATENCY)
    return GST_BASE_SRC_CLASS (gst_udt_src_parent_class)->query (base, query);
  GST_OBJECT_LOCK (src);
  latency = src->latency * GST_MSECOND;
  GST_OBJECT_UNLOCK (src);
  gst_query_set_latency (query, TRUE, latency, GST_CLOCK_TIME_NONE);
  return TRUE;
}

/* -- Object ---------------------------------------------------------------- */

static void
store (gpointer data, guint id, const GValue *value)
{
  GstUdtSrc *src = data;

  src->settings.changed = TRUE;
  src->latency = g_value_get_uint (value);
}

static void
gst_udt_src_set_property (GObject *object, guint id, const GValue *value,
                          GParamSpec *pspec)
{
  GstUdtSrc *src = GST_UDT_SRC (object);

  if (gst_udt_settings_set_property (&src->settings, GST_ELEMENT_CAST (src), id,
                                     value))
    return;
  if (id != PROP_LATENCY) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    return;
  }
  gst_p2p_store_setting (GST_ELEMENT_CAST (src), store, src, id, value);
}

static void
gst_udt_src_get_property (GObject *object, guint id, GValue *value,
                          GParamSpec *pspec)
{
  GstUdtSrc *src = GST_UDT_SRC (object);

  if (gst_udt_settings_get_property (&src->settings, GST_ELEMENT_CAST (src), id,
                                     value))
    return;
  if (id != PROP_LATENCY) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    return;
  }
  GST_OBJECT_LOCK (src);
  g_value_set_uint (value, src->latency);
  GST_OBJECT_UNLOCK (src);
}

static void
gst_udt_src_finalize (GObject *object)
{
  GstUdtSrc *src = GST_UDT_SRC (object);

  gst_udt_src_clear (src);
  gst_udt_settings_clear (&src->settings);
  p2p_timeline_free (src->timeline);
  g_cond_clear (&src->cond);
  g_mutex_clear (&src->lock);
  G_OBJECT_CLASS (gst_udt_src_parent_class)->finalize (object);
}

static void
gst_udt_src_class_init (GstUdtSrcClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSrcClass *base_class = GST_BASE_SRC_CLASS (klass);

  object_class->set_property = gst_udt_src_set_property;
  object_class->get_property = gst_udt_src_get_property;
  object_class->finalize = gst_udt_src_finalize;
  gst_udt_settings_install (object_class);
  gst_p2p_install_uint (
      object_class, PROP_LATENCY, "latency", "Latency",
      "Milliseconds for jitter and repairs, reported to the pipeline and "
      "announced to the sender",
      0, MAX_LATENCY_MS, DEFAULT_LATENCY_MS);

  element_class->change_state = gst_udt_src_change_state;
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (
      element_class, "UDT Source", "Source/Network",
      "Receives a stream over UDP, encrypted and repaired",
      "the iv-p2p authors");
  gst_type_mark_as_plugin_api (GST_TYPE_UDT_MODE, 0);

  base_class->start = gst_udt_src_start;
  base_class->stop = gst_udt_src_stop;
  base_class->unlock = gst_udt_src_unlock;
  base_class->unlock_stop = gst_udt_src_unlock_stop;
  base_class->is_seekable = gst_udt_src_is_seekable;
  base_class->event = gst_udt_src_event;
  base_class->query = gst_udt_src_query;
  GST_PUSH_SRC_CLASS (klass)->create = gst_udt_src_create;
}

static void
gst_udt_src_init (GstUdtSrc *src)
{
  gst_udt_settings_init (&src->settings);
  src->latency = DEFAULT_LATENCY_MS;
  src->timeline = p2p_timeline_new ();
  g_queue_init (&src->queue);
  g_mutex_init (&src->lock);
  g_cond_init (&src->cond);
  gst_base_src_set_live (GST_BASE_SRC_CAST (src), TRUE);
  gst_base_src_set_format (GST_BASE_SRC_CAST (src), GST_FORMAT_TIME);
  gst_base_src_set_do_timestamp (GST_BASE_SRC_CAST (src), FALSE);
}
