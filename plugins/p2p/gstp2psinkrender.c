/* What a pad of p2psink does with data: when it goes out, and as what.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: everything here runs in the pad's streaming thread. It waits with
 * the sink's lock released, for three things: the clock, PLAYING, and room at
 * the slowest viewer of a stream that may lose nothing. A flush, a state change
 * or the pad's release ends each wait.
 *
 * A live source paces itself: what it brings goes out at once, and nobody who
 * watches can hold it up. A file would run through in a moment: for it the
 * element is a synchronised sink, and each frame leaves at its time.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstp2pcaps.h"
#include "gstp2psink.h"
#include "p2pflow.h"

#define GST_CAT_DEFAULT gst_p2p_sink_debug

/* How long EOS waits for the last bytes to leave, and how often it looks. */
#define DRAIN_LIMIT_US (2 * G_TIME_SPAN_SECOND)
#define DRAIN_STEP_US (10 * G_TIME_SPAN_MILLISECOND)

/* Running time, negative before the segment's start; P2P_WIRE_TIME_NONE. */
static gint64
running_time (GstP2pSinkPad *pad, GstClockTime timestamp)
{
  guint64 value;
  gint sign;

  if (pad->segment.format != GST_FORMAT_TIME
      || !GST_CLOCK_TIME_IS_VALID (timestamp))
    return P2P_WIRE_TIME_NONE;
  sign = gst_segment_to_running_time_full (&pad->segment, GST_FORMAT_TIME,
                                           timestamp, &value);
  if (sign == 0 || value > G_MAXINT64)
    return P2P_WIRE_TIME_NONE;
  return sign > 0 ? (gint64)value : -(gint64)value;
}

static gint64
add_offset (gint64 time, GstClockTimeDiff offset)
{
  return time == P2P_WIRE_TIME_NONE ? time : time + offset;
}

/* Whether upstream is live. Asked once a segment; an upstream that does not
 * know is not. */
static gboolean
is_live (GstP2pSinkPad *pad)
{
  GstQuery *query;

  if (pad->live_known)
    return pad->live;
  query = gst_query_new_latency ();
  pad->live = FALSE;
  if (gst_pad_peer_query (GST_PAD_CAST (pad), query))
    gst_query_parse_latency (query, &pad->live, NULL, NULL);
  gst_query_unref (query);
  pad->live_known = TRUE;
  GST_DEBUG_OBJECT (pad, "upstream is %s", pad->live ? "live" : "not live");
  return pad->live;
}

/* Lock held, given up while waiting. FALSE: look at the state again. */
static gboolean
wait_clock (GstP2pSinkPad *pad, GstP2pSink *sink, gint64 when)
{
  gint64 target = (gint64)sink->steady.base_time + when;
  GstClockReturn result;
  GstClockID id;

  if (sink->steady.clock == NULL || target <= 0)
    return TRUE;
  id = gst_clock_new_single_shot_id (sink->steady.clock, target);
  pad->clock_id = id;
  g_mutex_unlock (&sink->lock);
  result = gst_clock_id_wait (id, NULL);
  g_mutex_lock (&sink->lock);
  pad->clock_id = NULL;
  gst_clock_id_unref (id);
  return result != GST_CLOCK_UNSCHEDULED;
}

/* Lock held. The first timed buffer after a flush that reset running time takes
 * place now, whatever its own running time says. */
static void
rebase (GstP2pSink *sink, gint64 when)
{
  gint64 now;

  if (!sink->rebase || !gst_p2p_steady_time_now (&sink->steady, &now))
    return;
  sink->rebase = FALSE;
  sink->running_offset = MAX (now - when, 0);
}

/* A synchronised sink's wait, in PLAYING for `when`, the frame's running time.
 * `offset`: what is to be added to its times. */
static GstFlowReturn
wait_turn (GstP2pSinkPad *pad, GstP2pSink *sink, gint64 when,
           GstClockTimeDiff *offset)
{
  GstFlowReturn flow = GST_FLOW_OK;

  g_mutex_lock (&sink->lock);
  while (TRUE) {
    if (pad->flushing) {
      flow = GST_FLOW_FLUSHING;
      break;
    }
    if (!sink->playing) {
      g_cond_wait (&pad->cond, &sink->lock);
      continue;
    }
    if (when == P2P_WIRE_TIME_NONE)
      break;
    rebase (sink, when);
    if (wait_clock (pad, sink, when + sink->running_offset + sink->latency))
      break;
  }
  *offset = sink->running_offset;
  if (pad->flushing)
    flow = GST_FLOW_FLUSHING;
  g_mutex_unlock (&sink->lock);
  return flow;
}

/* The frame as it goes out now. */
static void
stamp (GstP2pSink *sink, const P2pWireFrame *frame, P2pWireFrame *wire)
{
  gint64 now;

  *wire = *frame;
  g_mutex_lock (&sink->lock);
  wire->latency = sink->latency;
  if (!gst_p2p_steady_time_now (&sink->steady, &now)) {
    /* Without a clock nobody paces us: the frame is taken to be on time. */
    now = frame->dts != P2P_WIRE_TIME_NONE ? frame->dts : frame->pts;
    now = now != P2P_WIRE_TIME_NONE ? now + wire->latency : 0;
  }
  wire->sent = now + sink->steady.offset;
  wire->pts = add_offset (frame->pts, sink->steady.offset);
  wire->dts = add_offset (frame->dts, sink->steady.offset);
  g_mutex_unlock (&sink->lock);
}

/* Lock not held. Waits until writable() was called after `seen`. */
static GstFlowReturn
wait_writable (GstP2pSinkPad *pad, GstP2pSink *sink, guint seen)
{
  gboolean flushing;

  g_mutex_lock (&sink->lock);
  while (!pad->flushing && !sink->refused && pad->writable_count == seen)
    g_cond_wait (&pad->cond, &sink->lock);
  flushing = pad->flushing;
  g_mutex_unlock (&sink->lock);
  return flushing ? GST_FLOW_FLUSHING : GST_FLOW_OK;
}

/* A stream of which nothing may be missing cannot go on without it. */
static GstFlowReturn
refuse (GstP2pSinkPad *pad, GstP2pSink *sink, gsize size)
{
  gboolean told = pad->too_big_told;
  gint deadline;

  GST_OBJECT_LOCK (pad);
  deadline = pad->deadline;
  GST_OBJECT_UNLOCK (pad);
  pad->too_big_told = TRUE;
  if (p2p_flow_is_lossless (pad->kind, deadline)) {
    GST_ELEMENT_ERROR (sink, STREAM, FORMAT,
                       ("A buffer of %" G_GSIZE_FORMAT
                        " bytes cannot be sent: one has at most %u",
                        size, P2P_STREAM_MAX_PAYLOAD),
                       ("Let what is before pad %s make smaller ones",
                        GST_PAD_NAME (pad)));
    return GST_FLOW_ERROR;
  }
  if (!told)
    GST_ELEMENT_WARNING (sink, STREAM, FORMAT,
                         ("A frame of %" G_GSIZE_FORMAT
                          " bytes is left out: one has at most %u",
                          size, P2P_STREAM_MAX_PAYLOAD),
                         ("On pad %s; the next ones are left out without a "
                          "word",
                          GST_PAD_NAME (pad)));
  return GST_FLOW_OK;
}

static GstFlowReturn
push (GstP2pSinkPad *pad, GstP2pSink *sink, GBytes *payload,
      const P2pWireFrame *frame, gboolean force)
{
  P2pStream *stream;
  P2pWireFrame wire;
  gboolean refused;
  guint seen;

  while (TRUE) {
    g_mutex_lock (&sink->lock);
    stream = pad->flushing ? NULL : pad->stream;
    seen = pad->writable_count;
    refused = sink->refused;
    g_mutex_unlock (&sink->lock);
    if (stream == NULL)
      return GST_FLOW_FLUSHING;
    /* The error has been posted. */
    if (refused)
      return GST_FLOW_ERROR;

    stamp (sink, frame, &wire);
    switch (p2p_stream_push (stream, payload, &wire, force)) {
      case P2P_PUSH_OK:
        return GST_FLOW_OK;
      case P2P_PUSH_CLOSED:
        return GST_FLOW_FLUSHING;
      case P2P_PUSH_TOO_BIG:
        return refuse (pad, sink, g_bytes_get_size (payload));
      case P2P_PUSH_FULL:
        GST_LOG_OBJECT (pad, "waiting for the slowest viewer");
        if (wait_writable (pad, sink, seen) != GST_FLOW_OK)
          return GST_FLOW_FLUSHING;
        break;
    }
  }
}

/* The headers in the caps reach every viewer, also one that comes later, from
 * the caps; the buffers with the same bytes that follow the caps are left out.
 */
static gboolean
is_expected_header (GstP2pSinkPad *pad, GstBuffer *buffer)
{
  GstBuffer *header;
  GstMapInfo map;
  gboolean same;

  if (pad->headers == NULL)
    return FALSE;
  header = pad->headers->data;
  if (!GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_HEADER)
      || gst_buffer_get_size (buffer) != gst_buffer_get_size (header)
      || !gst_buffer_map (header, &map, GST_MAP_READ)) {
    g_list_free_full (pad->headers, (GDestroyNotify)gst_buffer_unref);
    pad->headers = NULL;
    return FALSE;
  }
  same = gst_buffer_memcmp (buffer, 0, map.data, map.size) == 0;
  gst_buffer_unmap (header, &map);
  if (same) {
    gst_buffer_unref (header);
    pad->headers = g_list_delete_link (pad->headers, pad->headers);
  }
  return same;
}

/* Before the segment's start: a decoder needs it, nobody shall see it. */
static gboolean
is_preroll (GstP2pSinkPad *pad, GstBuffer *buffer)
{
  GstClockTime end = GST_BUFFER_PTS (buffer);

  if (pad->segment.format != GST_FORMAT_TIME || pad->segment.rate < 0.0
      || !GST_CLOCK_TIME_IS_VALID (end))
    return FALSE;
  if (GST_BUFFER_DURATION_IS_VALID (buffer))
    end += GST_BUFFER_DURATION (buffer);
  return end < pad->segment.start;
}

static GstFlowReturn
render (GstP2pSinkPad *pad, GstP2pSink *sink, GBytes *payload,
        P2pWireFrame *frame)
{
  GstClockTimeDiff offset = 0;
  gboolean live = is_live (pad);
  GstFlowReturn flow;

  if (!live) {
    flow
        = wait_turn (pad, sink,
                     frame->dts != P2P_WIRE_TIME_NONE ? frame->dts : frame->pts,
                     &offset);
    if (flow != GST_FLOW_OK)
      return flow;
  }
  frame->pts = add_offset (frame->pts, offset);
  frame->dts = add_offset (frame->dts, offset);
  return push (pad, sink, payload, frame, live);
}

static GstFlowReturn
render_buffer (GstP2pSinkPad *pad, GstP2pSink *sink, GstBuffer *buffer)
{
  P2pWireFrame frame = {
    0,
  };
  GstFlowReturn flow;
  GBytes *payload;

  if (!pad->have_caps && pad->kind != P2P_WIRE_DATA)
    goto no_caps;
  if (is_expected_header (pad, buffer))
    return GST_FLOW_OK;
  payload = gst_p2p_buffer_to_bytes (buffer);
  if (payload == NULL)
    goto not_readable;

  frame.flags = gst_p2p_flags_to_wire (buffer);
  if (is_preroll (pad, buffer))
    frame.flags |= P2P_FRAME_DECODE_ONLY;
  frame.pts = running_time (pad, GST_BUFFER_PTS (buffer));
  frame.dts = running_time (pad, GST_BUFFER_DTS (buffer));
  frame.duration = GST_BUFFER_DURATION_IS_VALID (buffer)
                       ? (gint64)MIN (GST_BUFFER_DURATION (buffer), G_MAXINT64)
                       : P2P_WIRE_TIME_NONE;
  flow = render (pad, sink, payload, &frame);
  g_bytes_unref (payload);
  return flow;

no_caps:
  GST_ELEMENT_ERROR (
      sink, STREAM, FORMAT,
      ("The data for pad %s has no format", GST_PAD_NAME (pad)),
      ("Bytes of no declared format go to a data pad: name it, as in "
       "\"sink.data_0\""));
  return GST_FLOW_NOT_NEGOTIATED;

not_readable:
  GST_ELEMENT_ERROR (sink, RESOURCE, READ,
                     ("A buffer on pad %s cannot be read", GST_PAD_NAME (pad)),
                     (NULL));
  return GST_FLOW_ERROR;
}

GstFlowReturn
gst_p2p_sink_pad_chain (GstPad *gpad, GstObject *parent, GstBuffer *buffer)
{
  GstFlowReturn flow;

  flow = render_buffer (GST_P2P_SINK_PAD (gpad), GST_P2P_SINK (parent), buffer);
  gst_buffer_unref (buffer);
  return flow;
}

GstFlowReturn
gst_p2p_sink_pad_chain_list (GstPad *gpad, GstObject *parent,
                             GstBufferList *list)
{
  GstFlowReturn flow = GST_FLOW_OK;
  guint i, n = gst_buffer_list_length (list);

  for (i = 0; i < n && flow == GST_FLOW_OK; i++)
    flow = render_buffer (GST_P2P_SINK_PAD (gpad), GST_P2P_SINK (parent),
                          gst_buffer_list_get (list, i));
  gst_buffer_list_unref (list);
  return flow;
}

/* A frame without bytes: the receiver's stream advances without data. It must
 * not count as a point where decoding can begin. */
void
gst_p2p_sink_pad_render_gap (GstP2pSinkPad *pad, GstP2pSink *sink,
                             GstClockTime timestamp, GstClockTime duration)
{
  P2pWireFrame frame = {
    0,
  };
  GBytes *nothing;

  if (!pad->have_caps)
    return;
  frame.flags = P2P_FRAME_GAP;
  if (pad->kind == P2P_WIRE_VIDEO)
    frame.flags |= P2P_FRAME_DELTA_UNIT | P2P_FRAME_DROPPABLE;
  frame.pts = running_time (pad, timestamp);
  frame.dts = P2P_WIRE_TIME_NONE;
  if (frame.pts == P2P_WIRE_TIME_NONE)
    return;
  frame.duration = GST_CLOCK_TIME_IS_VALID (duration)
                       ? (gint64)MIN (duration, G_MAXINT64)
                       : P2P_WIRE_TIME_NONE;
  nothing = g_bytes_new_static (NULL, 0);
  render (pad, sink, nothing, &frame);
  g_bytes_unref (nothing);
}

void
gst_p2p_sink_pad_drain (GstP2pSinkPad *pad, GstP2pSink *sink)
{
  gint64 now = g_get_monotonic_time ();
  gint64 limit = now + DRAIN_LIMIT_US;
  guint64 least, most;

  g_mutex_lock (&sink->lock);
  while (!pad->flushing && pad->stream != NULL && now < limit) {
    p2p_stream_get_backlog (pad->stream, &least, &most);
    if (most == 0)
      break;
    g_cond_wait_until (&pad->cond, &sink->lock,
                       MIN (now + DRAIN_STEP_US, limit));
    now = g_get_monotonic_time ();
  }
  g_mutex_unlock (&sink->lock);
}
