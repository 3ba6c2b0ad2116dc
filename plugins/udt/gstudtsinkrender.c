/* What udtsink does with data: when it goes out, and as what.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: the streaming thread. It waits, with no lock held but the
 * STREAM_LOCK that it has by nature, for room at the slowest peer of a stream
 * that may lose nothing, and for the first peer; unlock() ends each wait.
 *
 * A live source paces itself: what it brings goes out at once, and nobody who
 * receives can hold it up. A file would run through in a moment: for it the
 * element is a synchronised sink, and each timed frame leaves at its time.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstp2pcaps.h"
#include "gstudtsink.h"
#include "p2pflow.h"

#define GST_CAT_DEFAULT gst_udt_sink_debug

/* How long the end of a live stream waits for the last bytes to arrive. */
#define DRAIN_LIVE_US (2 * G_TIME_SPAN_SECOND)
#define DRAIN_STEP_US (10 * G_TIME_SPAN_MILLISECOND)

/* Asked once a stream; an upstream that does not know is not live. */
static gboolean
is_live (GstUdtSink *sink)
{
  GstQuery *query;

  if (sink->live_known)
    return sink->live;
  query = gst_query_new_latency ();
  sink->live = FALSE;
  if (gst_pad_peer_query (GST_BASE_SINK_PAD (sink), query))
    gst_query_parse_latency (query, &sink->live, NULL, NULL);
  gst_query_unref (query);
  sink->live_known = TRUE;
  GST_DEBUG_OBJECT (sink, "upstream is %s", sink->live ? "live" : "not live");
  return sink->live;
}

/* -- Caps ------------------------------------------------------------------ */

static void
set_stream (GstUdtSink *sink)
{
  UdtLinkStream stream;

  stream.kind = gst_udt_kind_of_caps (sink->caps);
  GST_OBJECT_LOCK (sink);
  stream.deadline_ms = sink->deadline;
  GST_OBJECT_UNLOCK (sink);
  sink->lossless = p2p_flow_is_lossless (stream.kind, stream.deadline_ms);
  sink->too_big_told = FALSE;
  udt_link_set_stream (sink->settings.link, &stream);
}

void
gst_udt_sink_apply_deadline (GstUdtSink *sink)
{
  set_stream (sink);
}

/* Video follows, but for what has no bit rate to set: pictures that each stand
 * alone. Anything else, a container for example, if its encoder is named. */
static void
follow_caps (GstUdtSink *sink, GstCaps *caps)
{
  const GstStructure *structure = gst_caps_get_structure (caps, 0);
  gboolean follows = gst_udt_kind_of_caps (caps) == P2P_WIRE_VIDEO
                     && !gst_structure_has_name (structure, "image/jpeg")
                     && !gst_structure_has_name (structure, "video/x-raw");

  GST_OBJECT_LOCK (sink);
  follows |= sink->follow_settings.encoder != NULL;
  GST_OBJECT_UNLOCK (sink);
  if (follows)
    gst_p2p_follow_start (sink->follow, GST_ELEMENT_CAST (sink),
                          GST_BASE_SINK_PAD (sink), TRUE);
  else
    gst_p2p_follow_stop (sink->follow, GST_ELEMENT_CAST (sink),
                         GST_BASE_SINK_PAD (sink));
}

gboolean
gst_udt_sink_set_caps (GstBaseSink *base, GstCaps *caps)
{
  GstUdtSink *sink = GST_UDT_SINK (base);
  GError *error = NULL;
  gchar *text = gst_p2p_caps_to_wire (caps, &error);

  if (text == NULL) {
    GST_ELEMENT_ERROR (sink, STREAM, FORMAT, ("%s", error->message), (NULL));
    g_error_free (error);
    return FALSE;
  }
  gst_caps_replace (&sink->caps, caps);
  g_list_free_full (sink->headers, (GDestroyNotify)gst_buffer_unref);
  sink->headers = NULL;
  if (gst_udt_kind_of_caps (caps) == P2P_WIRE_DATA)
    sink->headers = gst_p2p_caps_get_headers (caps);
  set_stream (sink);
  udt_link_set_caps (sink->settings.link, text);
  follow_caps (sink, caps);
  g_free (text);
  return TRUE;
}

/* The headers in the caps reach every peer, also one that comes later, from the
 * caps; the buffers with the same bytes that follow the caps are left out. */
static gboolean
is_expected_header (GstUdtSink *sink, GstBuffer *buffer)
{
  GstBuffer *header;
  GstMapInfo map;
  gboolean same = FALSE;

  if (sink->headers == NULL)
    return FALSE;
  header = sink->headers->data;
  if (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_HEADER)
      && gst_buffer_get_size (buffer) == gst_buffer_get_size (header)
      && gst_buffer_map (header, &map, GST_MAP_READ)) {
    same = gst_buffer_memcmp (buffer, 0, map.data, map.size) == 0;
    gst_buffer_unmap (header, &map);
  }
  if (same) {
    gst_buffer_unref (header);
    sink->headers = g_list_delete_link (sink->headers, sink->headers);
  } else {
    g_list_free_full (sink->headers, (GDestroyNotify)gst_buffer_unref);
    sink->headers = NULL;
  }
  return same;
}

/* -- Time ------------------------------------------------------------------ */

/* P2P_WIRE_TIME_NONE: no clock. */
static gint64
clock_running_time (GstUdtSink *sink)
{
  gint64 now;

  return gst_p2p_steady_time_now (&sink->steady, &now) ? now
                                                       : P2P_WIRE_TIME_NONE;
}

/* A pause, another start or another clock may have come since. */
static void
update_clock (GstUdtSink *sink)
{
  GstElement *element = GST_ELEMENT_CAST (sink);
  GstBaseSink *base = GST_BASE_SINK_CAST (sink);
  GstClock *clock = gst_element_get_clock (element);
  GstClockTimeDiff added = gst_base_sink_get_ts_offset (base);
  GstClockTimeDiff offset = sink->steady.offset;

  gst_p2p_steady_time_update (&sink->steady, clock,
                              gst_element_get_base_time (element));
  gst_clear_object (&clock);
  /* A pause moves the base time by its length. Anything earlier means that
   * running time began again, and then nothing needs to be added to it. */
  if (offset != sink->steady.offset && added > 0
      && clock_running_time (sink) < added)
    gst_base_sink_set_ts_offset (base, 0);
}

/* Running time begins again. `rebase`: while the clock goes on. */
void
gst_udt_sink_reset_time (GstUdtSink *sink, gboolean rebase)
{
  sink->live_known = FALSE;
  sink->rebase = rebase;
  gst_base_sink_set_ts_offset (GST_BASE_SINK_CAST (sink), 0);
}

void
gst_udt_sink_get_times (GstBaseSink *base, GstBuffer *buffer,
                        GstClockTime *start, GstClockTime *end)
{
  GstUdtSink *sink = GST_UDT_SINK (base);

  *start = *end = GST_CLOCK_TIME_NONE;
  if (is_live (sink))
    return;
  update_clock (sink);
  /* In decode order, which is that of sending. */
  *start = GST_BUFFER_DTS_OR_PTS (buffer);
}

static gint64
running_time (GstUdtSink *sink, GstClockTime timestamp)
{
  GstSegment *segment = &GST_BASE_SINK_CAST (sink)->segment;
  guint64 value;
  gint sign;

  if (segment->format != GST_FORMAT_TIME
      || !GST_CLOCK_TIME_IS_VALID (timestamp))
    return P2P_WIRE_TIME_NONE;
  sign = gst_segment_to_running_time_full (segment, GST_FORMAT_TIME, timestamp,
                                           &value);
  if (sign == 0 || value > G_MAXINT64 / 2)
    return P2P_WIRE_TIME_NONE;
  return (sign > 0 ? (gint64)value : -(gint64)value)
         + gst_base_sink_get_ts_offset (GST_BASE_SINK_CAST (sink));
}

/* After a wait for a peer, or a flush that reset running time, the frame's turn
 * is now, and those behind it follow at their distance. */
static void
rebase (GstUdtSink *sink, GstBuffer *buffer)
{
  GstBaseSink *base = GST_BASE_SINK_CAST (sink);
  gint64 when = running_time (sink, GST_BUFFER_DTS_OR_PTS (buffer));
  gint64 now;

  update_clock (sink);
  now = clock_running_time (sink);
  if (!gst_base_sink_get_sync (base) || when == P2P_WIRE_TIME_NONE
      || now == P2P_WIRE_TIME_NONE)
    return;
  now -= (gint64)gst_base_sink_get_latency (base);
  if (now > when)
    gst_base_sink_set_ts_offset (base, gst_base_sink_get_ts_offset (base) + now
                                           - when);
}

/* A time as the receivers are told. */
static gint64
wire_time (GstUdtSink *sink, gint64 time)
{
  return time != P2P_WIRE_TIME_NONE ? time + sink->steady.offset : time;
}

static void
fill_frame (GstUdtSink *sink, GstBuffer *buffer, P2pWireFrame *frame)
{
  update_clock (sink);
  frame->flags = gst_p2p_flags_to_wire (buffer);
  frame->pts = wire_time (sink, running_time (sink, GST_BUFFER_PTS (buffer)));
  frame->dts = wire_time (sink, running_time (sink, GST_BUFFER_DTS (buffer)));
  frame->duration
      = GST_BUFFER_DURATION_IS_VALID (buffer)
            ? (gint64)MIN (GST_BUFFER_DURATION (buffer), P2P_WIRE_MAX_TIME)
            : P2P_WIRE_TIME_NONE;
  frame->latency
      = (gint64)gst_base_sink_get_latency (GST_BASE_SINK_CAST (sink));
  frame->sent = wire_time (sink, clock_running_time (sink));
  if (frame->sent != P2P_WIRE_TIME_NONE)
    return;
  /* Without a clock nobody paces us: the frame is taken to be on time. */
  frame->sent = frame->dts != P2P_WIRE_TIME_NONE ? frame->dts : frame->pts;
  frame->sent
      = frame->sent != P2P_WIRE_TIME_NONE ? frame->sent + frame->latency : 0;
}

/* -- Data ------------------------------------------------------------------ */

/* `end_wanted`: by the application. */
static guint
writable_count (GstUdtSink *sink, gboolean *end_wanted)
{
  guint count;

  g_mutex_lock (&sink->lock);
  count = sink->writable_count;
  *end_wanted = sink->end_wanted;
  g_mutex_unlock (&sink->lock);
  return count;
}

/* Until writable() was called after `seen`. As where the base class waits for
 * the clock, the lock that render holds is given back meanwhile: PAUSED to
 * PLAYING takes it, and must not wait for the network. */
static GstFlowReturn
wait_writable (GstUdtSink *sink, GstBuffer *buffer, guint seen)
{
  GstBaseSink *base = GST_BASE_SINK_CAST (sink);
  gboolean flushing, interrupted;
  guint unlocks;

  g_mutex_lock (&sink->lock);
  unlocks = sink->unlocks;
  if (!sink->flushing) {
    GST_BASE_SINK_PREROLL_UNLOCK (base);
    while (sink->unlocks == unlocks && sink->writable_count == seen)
      g_cond_wait (&sink->cond, &sink->lock);
    g_mutex_unlock (&sink->lock);
    GST_BASE_SINK_PREROLL_LOCK (base);
    g_mutex_lock (&sink->lock);
  }
  flushing = sink->flushing;
  interrupted = sink->unlocks != unlocks;
  g_mutex_unlock (&sink->lock);
  /* Who wants the lock is still to come, and wakes us: a flush, the end, or
   * PAUSED, in which case it goes on in PLAYING. */
  if (flushing)
    return gst_base_sink_wait_preroll (base);
  if (!interrupted)
    return GST_FLOW_OK;
  if (GST_PAD_IS_FLUSHING (GST_BASE_SINK_PAD (base)))
    return GST_FLOW_FLUSHING;
  return gst_base_sink_do_preroll (base, GST_MINI_OBJECT_CAST (buffer));
}

/* A stream of which nothing may be missing cannot go on without it. */
static GstFlowReturn
refuse (GstUdtSink *sink, gsize size)
{
  gboolean told = sink->too_big_told;

  sink->too_big_told = TRUE;
  if (sink->lossless) {
    GST_ELEMENT_ERROR (sink, STREAM, FORMAT,
                       ("A buffer of %" G_GSIZE_FORMAT
                        " bytes cannot be sent: one has at most %u",
                        size, (guint)UDT_LINK_MAX_PAYLOAD),
                       ("Let upstream make smaller ones"));
    return GST_FLOW_ERROR;
  }
  if (!told)
    GST_ELEMENT_WARNING (sink, STREAM, FORMAT,
                         ("A frame of %" G_GSIZE_FORMAT
                          " bytes is left out: one has at most %u",
                          size, (guint)UDT_LINK_MAX_PAYLOAD),
                         ("The next ones are left out without a word"));
  return GST_FLOW_OK;
}

static GstFlowReturn
push (GstUdtSink *sink, GstBuffer *buffer, GBytes *payload)
{
  gboolean live = is_live (sink), patient, waited = FALSE;
  GstFlowReturn flow = GST_FLOW_OK;
  P2pWireFrame frame = { 0 };

  GST_OBJECT_LOCK (sink);
  patient = !live && sink->wait_for_connection;
  GST_OBJECT_UNLOCK (sink);
  if (!live && GST_CLOCK_TIME_IS_VALID (GST_BUFFER_DTS_OR_PTS (buffer))) {
    waited = sink->rebase;
    sink->rebase = FALSE;
  }
  while (flow == GST_FLOW_OK) {
    gboolean end_wanted;
    guint seen = writable_count (sink, &end_wanted);

    if (waited)
      rebase (sink, buffer);
    fill_frame (sink, buffer, &frame);
    switch (udt_link_push (sink->settings.link, payload, &frame, live,
                           patient && !end_wanted)) {
      case UDT_LINK_PUSH_OK:
        return GST_FLOW_OK;
      case UDT_LINK_PUSH_TOO_BIG:
        return refuse (sink, g_bytes_get_size (payload));
      case UDT_LINK_PUSH_NOBODY:
        GST_LOG_OBJECT (sink, "waiting for a peer");
        waited = TRUE;
        break;
      case UDT_LINK_PUSH_FULL:
        GST_LOG_OBJECT (sink, "waiting for the slowest peer");
        break;
    }
    flow = wait_writable (sink, buffer, seen);
  }
  return flow;
}

GstFlowReturn
gst_udt_sink_render (GstBaseSink *base, GstBuffer *buffer)
{
  GstUdtSink *sink = GST_UDT_SINK (base);
  GstFlowReturn flow;
  GBytes *payload;

  if (is_expected_header (sink, buffer))
    return GST_FLOW_OK;
  payload = gst_p2p_buffer_to_bytes (buffer);
  if (payload == NULL) {
    GST_ELEMENT_ERROR (sink, RESOURCE, READ, ("A buffer cannot be read"),
                       (NULL));
    return GST_FLOW_ERROR;
  }
  flow = push (sink, buffer, payload);
  g_bytes_unref (payload);
  return flow;
}

/* A frame without bytes: the receiver's stream advances without data. It must
 * not count as a point where decoding can begin. */
void
gst_udt_sink_render_gap (GstUdtSink *sink, GstEvent *event)
{
  P2pWireFrame frame = { 0 };
  GstClockTime timestamp, duration;
  GBytes *nothing;

  if (sink->caps == NULL || gst_udt_kind_of_caps (sink->caps) == P2P_WIRE_DATA)
    return;
  gst_event_parse_gap (event, &timestamp, &duration);
  frame.flags = P2P_FRAME_GAP;
  if (gst_udt_kind_of_caps (sink->caps) == P2P_WIRE_VIDEO)
    frame.flags |= P2P_FRAME_DELTA_UNIT | P2P_FRAME_DROPPABLE;
  update_clock (sink);
  frame.pts = wire_time (sink, running_time (sink, timestamp));
  frame.dts = P2P_WIRE_TIME_NONE;
  if (frame.pts == P2P_WIRE_TIME_NONE)
    return;
  frame.duration = GST_CLOCK_TIME_IS_VALID (duration)
                       ? (gint64)MIN (duration, P2P_WIRE_MAX_TIME)
                       : P2P_WIRE_TIME_NONE;
  frame.sent = wire_time (sink, clock_running_time (sink));
  if (frame.sent == P2P_WIRE_TIME_NONE)
    frame.sent = frame.pts;
  nothing = g_bytes_new_static (NULL, 0);
  udt_link_push (sink->settings.link, nothing, &frame, FALSE, FALSE);
  g_bytes_unref (nothing);
}

void
gst_udt_sink_drain (GstUdtSink *sink)
{
  gint64 now = g_get_monotonic_time ();
  gint64 limit = is_live (sink) ? now + DRAIN_LIVE_US : G_MAXINT64;

  g_mutex_lock (&sink->lock);
  /* A peer that no longer answers is gone after a while, and waited for no
   * longer. */
  while (!sink->flushing && now < limit
         && udt_link_get_backlog (sink->settings.link) > 0) {
    g_cond_wait_until (&sink->cond, &sink->lock,
                       MIN (now + DRAIN_STEP_US, limit));
    now = g_get_monotonic_time ();
  }
  g_mutex_unlock (&sink->lock);
}
