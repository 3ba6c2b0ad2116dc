/* Queries and events that p2psink answers as a whole: it has as many inputs as
 * streams, and the defaults of GstElement would choose one at random. Its end,
 * too, is that of all of them.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: any; nothing here holds the sink's lock while it asks others.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <gst/video/video.h>
#include "gstp2psink.h"

#define GST_CAT_DEFAULT gst_p2p_sink_debug

/* -- End of stream --------------------------------------------------------- */

/* The message goes out once every pad has ended, in PLAYING; without pads, when
 * the application has sent the event. */
void
gst_p2p_sink_check_eos (GstP2pSink *sink, guint32 seqnum)
{
  GList *pads = gst_p2p_sink_get_pads (sink), *walk;
  GstMessage *message = NULL;
  gboolean all;

  g_mutex_lock (&sink->lock);
  all = pads != NULL || sink->end_wanted;
  if (seqnum != 0)
    sink->eos_seqnum = seqnum;
  for (walk = pads; walk != NULL; walk = walk->next)
    all = all && GST_P2P_SINK_PAD (walk->data)->eos;
  if (all && sink->playing && !sink->eos_posted) {
    sink->eos_posted = TRUE;
    message = gst_message_new_eos (GST_OBJECT_CAST (sink));
    if (sink->eos_seqnum != 0)
      gst_message_set_seqnum (message, sink->eos_seqnum);
  }
  g_mutex_unlock (&sink->lock);
  gst_p2p_sink_free_pads (pads);
  if (message != NULL)
    gst_element_post_message (GST_ELEMENT_CAST (sink), message);
}

/* The application wants it, and there are no pads. */
static void
end_without_pads (GstP2pSink *sink, guint32 seqnum)
{
  g_mutex_lock (&sink->lock);
  sink->end_wanted = TRUE;
  g_mutex_unlock (&sink->lock);
  gst_p2p_sink_check_eos (sink, seqnum);
}

/* -- Queries --------------------------------------------------------------- */

gboolean
gst_p2p_sink_answer_level (GstP2pSink *sink, GstP2pSinkPad *only,
                           GstQuery *query)
{
  GList *pads = gst_p2p_sink_get_pads (sink), *walk;
  guint64 least, most, level = 0;

  g_mutex_lock (&sink->lock);
  for (walk = pads; walk != NULL; walk = walk->next) {
    GstP2pSinkPad *pad = walk->data;

    if (pad->stream == NULL || (only != NULL && pad != only))
      continue;
    p2p_stream_get_backlog (pad->stream, &least, &most);
    level += least;
  }
  g_mutex_unlock (&sink->lock);
  gst_p2p_sink_free_pads (pads);
  gst_structure_set (gst_query_writable_structure (query), "level-bytes",
                     G_TYPE_UINT64, level, NULL);
  return TRUE;
}

/* The element waits for its slowest input, and no longer than its most
 * impatient one allows. */
static gboolean
answer_latency (GstP2pSink *sink, GstQuery *query)
{
  GList *pads = gst_p2p_sink_get_pads (sink), *walk;
  GstClockTime min = 0, max = GST_CLOCK_TIME_NONE;
  gboolean live = FALSE;

  for (walk = pads; walk != NULL; walk = walk->next) {
    GstQuery *peer_query = gst_query_new_latency ();
    GstClockTime peer_min, peer_max;
    gboolean peer_live;

    if (gst_pad_peer_query (walk->data, peer_query)) {
      gst_query_parse_latency (peer_query, &peer_live, &peer_min, &peer_max);
      if (peer_live) {
        live = TRUE;
        min = MAX (min, peer_min);
        /* GST_CLOCK_TIME_NONE is the greatest value: no limit. */
        max = MIN (max, peer_max);
      }
    }
    gst_query_unref (peer_query);
  }
  gst_p2p_sink_free_pads (pads);
  GST_DEBUG_OBJECT (sink,
                    "live %d, latency %" GST_TIME_FORMAT
                    " to %" GST_TIME_FORMAT,
                    live, GST_TIME_ARGS (min), GST_TIME_ARGS (max));
  gst_query_set_latency (query, live, min, max);
  return TRUE;
}

/* The default would ask a pad chosen at random. */
gboolean
gst_p2p_sink_query (GstElement *element, GstQuery *query)
{
  GstP2pSink *sink = GST_P2P_SINK (element);
  const GstStructure *structure;
  GList *pads, *walk;
  gboolean ok = FALSE;

  if (GST_QUERY_TYPE (query) == GST_QUERY_LATENCY)
    return answer_latency (sink, query);
  structure = gst_query_get_structure (query);
  if (GST_QUERY_TYPE (query) == GST_QUERY_CUSTOM && structure != NULL
      && gst_structure_has_name (structure, "iv-sink-level"))
    return gst_p2p_sink_answer_level (sink, NULL, query);

  pads = gst_p2p_sink_get_pads (sink);
  for (walk = pads; walk != NULL && !ok; walk = walk->next)
    ok = gst_pad_peer_query (walk->data, query);
  gst_p2p_sink_free_pads (pads);
  return ok;
}

/* -- Events ---------------------------------------------------------------- */

static void
take_latency (GstP2pSink *sink, GstEvent *event)
{
  GstClockTime latency;

  gst_event_parse_latency (event, &latency);
  g_mutex_lock (&sink->lock);
  sink->latency = GST_CLOCK_TIME_IS_VALID (latency) ? latency : 0;
  g_mutex_unlock (&sink->lock);
  GST_DEBUG_OBJECT (sink, "latency %" GST_TIME_FORMAT, GST_TIME_ARGS (latency));
}

/* Audio has no key units. */
static gboolean
is_for (GstPad *pad, GstEvent *event)
{
  return GST_P2P_SINK_PAD (pad)->kind != P2P_WIRE_AUDIO
         || !gst_video_event_is_force_key_unit (event);
}

gboolean
gst_p2p_sink_send_event (GstElement *element, GstEvent *event)
{
  GstP2pSink *sink = GST_P2P_SINK (element);
  GList *pads = gst_p2p_sink_get_pads (sink), *walk;
  /* A demuxer takes a seek on any of its pads for all of them. */
  gboolean once = GST_EVENT_TYPE (event) == GST_EVENT_SEEK;
  gboolean ok = GST_EVENT_TYPE (event) == GST_EVENT_LATENCY;

  if (GST_EVENT_TYPE (event) == GST_EVENT_LATENCY)
    take_latency (sink, event);
  if (GST_EVENT_TYPE (event) == GST_EVENT_EOS && pads == NULL) {
    end_without_pads (sink, gst_event_get_seqnum (event));
    ok = TRUE;
  }
  for (walk = pads; walk != NULL; walk = walk->next) {
    GstPad *pad = walk->data;

    if (!GST_EVENT_IS_UPSTREAM (event)) {
      ok |= gst_pad_send_event (pad, gst_event_ref (event));
    } else if (is_for (pad, event)) {
      ok |= gst_pad_push_event (pad, gst_event_ref (event));
      if (ok && once)
        break;
    }
  }
  gst_p2p_sink_free_pads (pads);
  gst_event_unref (event);
  return ok;
}
