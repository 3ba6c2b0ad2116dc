/* udtsink: one stream to whom it calls, or to all who call it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The element is properties, states and messages; the protocol is the link's.
 * Threads and lock: see gstudtsink.h.
 */
/**
 * SECTION:element-udtsink
 * @title: udtsink
 * @see_also: udtsrc
 *
 * Sends a stream of any format over UDP: encrypted, repaired, and never later
 * than the receiver can use it.
 *
 * |[
 * gst-launch-1.0 -e videotestsrc is-live=true ! x264enc tune=zerolatency ! \
 *     h264parse ! udtsink uri=udt://:7001?mode=listener key-file=udt.key
 * ]|
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstp2pproperties.h"
#include "gstudtsink.h"

#include <gst/video/video.h>

GST_DEBUG_CATEGORY (gst_udt_sink_debug);
#define GST_CAT_DEFAULT gst_udt_sink_debug

#define DEFAULT_DEADLINE_MS (-1)
#define MAX_DEADLINE_MS 60000
#define DEFAULT_MAX_CALLERS 16
#define DEFAULT_HIGH_WATERMARK 1048576
#define MIN_HIGH_WATERMARK 16384
#define MAX_HIGH_WATERMARK (256 << 20)

enum {
  PROP_DEADLINE = GST_UDT_PROP_OWN,
  PROP_MAX_CALLERS,
  PROP_HIGH_WATERMARK,
  PROP_WAIT_FOR_CONNECTION,
  PROP_FOLLOW, /* the first of GST_P2P_FOLLOW_… */
};

static GstStaticPadTemplate sink_template
    = GST_STATIC_PAD_TEMPLATE ("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                               GST_STATIC_CAPS_ANY);

G_DEFINE_TYPE_WITH_CODE (GstUdtSink, gst_udt_sink, GST_TYPE_BASE_SINK, {
  static const GInterfaceInfo info = { gst_udt_uri_handler_init };

  g_type_add_interface_static (g_define_type_id, GST_TYPE_URI_HANDLER, &info);
  GST_DEBUG_CATEGORY_INIT (gst_udt_sink_debug, "udtsink", 0, "udtsink");
})
GST_ELEMENT_REGISTER_DEFINE (udtsink, "udtsink", GST_RANK_PRIMARY,
                             GST_TYPE_UDT_SINK)

/* -- What the link tells (its thread) -------------------------------------- */

static void
on_event (UdtLink *link, const UdtLinkEvent *event, gpointer user)
{
  GstUdtSink *sink = user;

  gst_udt_settings_event (&sink->settings, GST_ELEMENT_CAST (sink), event);
}

typedef struct
{
  gboolean all_headers;
} KeyUnit;

static void
send_key_unit (GstElement *element, gpointer data)
{
  KeyUnit *key = data;

  gst_pad_push_event (GST_BASE_SINK_PAD (element),
                      gst_video_event_new_upstream_force_key_unit (
                          GST_CLOCK_TIME_NONE, key->all_headers, 0));
}

static void
on_key_unit (UdtLink *link, gboolean all_headers, gpointer user)
{
  KeyUnit *key = g_new (KeyUnit, 1);

  /* Upstream may take its time; the network does not wait for that. */
  key->all_headers = all_headers;
  gst_element_call_async (GST_ELEMENT_CAST (user), send_key_unit, key, g_free);
}

static void
on_writable (UdtLink *link, gpointer user)
{
  GstUdtSink *sink = user;

  g_mutex_lock (&sink->lock);
  sink->writable_count++;
  g_cond_broadcast (&sink->cond);
  g_mutex_unlock (&sink->lock);
}

static void
on_targets (UdtLink *link, BitrateViewer *viewers, gsize n, gpointer user)
{
  GstUdtSink *sink = user;

  gst_p2p_follow_update (sink->follow, GST_ELEMENT_CAST (sink),
                         GST_BASE_SINK_PAD (sink), viewers, n);
}

static const UdtLinkCallbacks callbacks = {
  .event = on_event,
  .key_unit = on_key_unit,
  .writable = on_writable,
  .targets = on_targets,
};

/* -- The link -------------------------------------------------------------- */

static gboolean
make_link (GstElement *element)
{
  GstUdtSink *sink = GST_UDT_SINK (element);
  UdtLinkConfig config = { .sender = TRUE };

  GST_OBJECT_LOCK (sink);
  config.max_callers = sink->max_callers;
  config.high_watermark = sink->high_watermark;
  GST_OBJECT_UNLOCK (sink);
  return gst_udt_settings_make_link (&sink->settings, element, &config,
                                     &callbacks);
}

static gboolean
gst_udt_sink_start (GstBaseSink *base)
{
  GstUdtSink *sink = GST_UDT_SINK (base);

  sink->ended = FALSE;
  if (!make_link (GST_ELEMENT_CAST (sink)))
    return FALSE;
  gst_udt_sink_apply_deadline (sink);
  return gst_udt_settings_start_link (&sink->settings, GST_ELEMENT_CAST (sink));
}

static gboolean
gst_udt_sink_stop (GstBaseSink *base)
{
  GstUdtSink *sink = GST_UDT_SINK (base);

  gst_udt_settings_stop_link (&sink->settings, GST_ELEMENT_CAST (sink));
  gst_caps_replace (&sink->caps, NULL);
  g_list_free_full (sink->headers, (GDestroyNotify)gst_buffer_unref);
  sink->headers = NULL;
  gst_p2p_steady_time_clear (&sink->steady);
  return TRUE;
}

/* -- An end that the application wants ------------------------------------- */

/* Where nothing is upstream, nothing else will bring the end. */
static void
check_unlinked_end (GstUdtSink *sink)
{
  GstMessage *message = NULL;

  if (gst_pad_is_linked (GST_BASE_SINK_PAD (sink)))
    return;
  g_mutex_lock (&sink->lock);
  if (sink->playing && sink->end_wanted) {
    sink->end_wanted = FALSE;
    message = gst_message_new_eos (GST_OBJECT_CAST (sink));
    gst_message_set_seqnum (message, sink->end_seqnum);
  }
  g_mutex_unlock (&sink->lock);
  if (message != NULL)
    gst_element_post_message (GST_ELEMENT_CAST (sink), message);
}

/* A file that waits here for the first peer holds up its source, and that the
 * application: from now on nobody is waited for, so that the end gets here. */
static gboolean
gst_udt_sink_send_event (GstElement *element, GstEvent *event)
{
  GstUdtSink *sink = GST_UDT_SINK (element);

  if (GST_EVENT_TYPE (event) != GST_EVENT_EOS)
    return GST_ELEMENT_CLASS (gst_udt_sink_parent_class)
        ->send_event (element, event);
  g_mutex_lock (&sink->lock);
  sink->end_wanted = TRUE;
  sink->end_seqnum = gst_event_get_seqnum (event);
  sink->writable_count++;
  g_cond_broadcast (&sink->cond);
  g_mutex_unlock (&sink->lock);
  gst_event_unref (event);
  check_unlinked_end (sink);
  return TRUE;
}

static void
set_playing (GstUdtSink *sink, gboolean playing)
{
  g_mutex_lock (&sink->lock);
  sink->playing = playing;
  g_mutex_unlock (&sink->lock);
  check_unlinked_end (sink);
}

static void
forget_end (GstUdtSink *sink)
{
  g_mutex_lock (&sink->lock);
  sink->end_wanted = FALSE;
  g_mutex_unlock (&sink->lock);
}

/* -- States ---------------------------------------------------------------- */

/* The link is there from READY on, where settings may still change. */
static gboolean
renew_if_changed (GstUdtSink *sink)
{
  GstElement *element = GST_ELEMENT_CAST (sink);
  gboolean renew;

  GST_OBJECT_LOCK (sink);
  renew = sink->settings.changed || sink->settings.link == NULL;
  GST_OBJECT_UNLOCK (sink);
  if (!renew)
    return TRUE;
  if (!gst_udt_settings_renew_link (&sink->settings, element, make_link))
    return FALSE;
  gst_udt_sink_apply_deadline (sink);
  return TRUE;
}

/* A flush or another start behind the end: what follows is another stream.
 * Those who have got the end are done with us; whoever comes now gets the new
 * one. */
static gboolean
begin_again (GstUdtSink *sink)
{
  GST_INFO_OBJECT (sink, "a new stream behind the end of the last one");
  sink->ended = FALSE;
  if (!gst_udt_settings_renew_link (&sink->settings, GST_ELEMENT_CAST (sink),
                                    make_link))
    return FALSE;
  gst_udt_sink_apply_deadline (sink);
  return sink->caps == NULL
         || gst_udt_sink_set_caps (GST_BASE_SINK_CAST (sink), sink->caps);
}

static gboolean
begin_data (GstUdtSink *sink)
{
  gst_udt_sink_reset_time (sink, FALSE);
  if (!sink->ended)
    return renew_if_changed (sink);
  gst_caps_replace (&sink->caps, NULL);
  return begin_again (sink);
}

static GstStateChangeReturn
gst_udt_sink_change_state (GstElement *element, GstStateChange transition)
{
  GstUdtSink *sink = GST_UDT_SINK (element);
  GstStateChangeReturn result;

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !begin_data (sink))
    return GST_STATE_CHANGE_FAILURE;
  result = gst_udt_settings_change_state (&sink->settings, element, transition,
                                          gst_udt_sink_parent_class, make_link);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING)
    set_playing (sink, result != GST_STATE_CHANGE_FAILURE);
  else if (transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED)
    set_playing (sink, FALSE);
  /* The link begins and ends with READY, data does with PAUSED. */
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    forget_end (sink);
    gst_p2p_follow_stop (sink->follow, element, GST_BASE_SINK_PAD (sink));
  }
  return result;
}

static void
set_flushing (GstUdtSink *sink, gboolean flushing)
{
  g_mutex_lock (&sink->lock);
  sink->flushing = flushing;
  if (flushing)
    sink->unlocks++;
  g_cond_broadcast (&sink->cond);
  g_mutex_unlock (&sink->lock);
}

static gboolean
gst_udt_sink_unlock (GstBaseSink *base)
{
  set_flushing (GST_UDT_SINK (base), TRUE);
  return TRUE;
}

static gboolean
gst_udt_sink_unlock_stop (GstBaseSink *base)
{
  set_flushing (GST_UDT_SINK (base), FALSE);
  return TRUE;
}

static gboolean
gst_udt_sink_event (GstBaseSink *base, GstEvent *event)
{
  GstUdtSink *sink = GST_UDT_SINK (base);
  gboolean again = FALSE, reset_time, ok;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
    case GST_EVENT_SEGMENT:
      sink->live_known = FALSE;
      break;
    case GST_EVENT_GAP:
      gst_udt_sink_render_gap (sink, event);
      break;
    case GST_EVENT_EOS:
      sink->ended = TRUE;
      udt_link_end (sink->settings.link);
      gst_udt_sink_drain (sink);
      break;
    case GST_EVENT_FLUSH_STOP:
      gst_event_parse_flush_stop (event, &reset_time);
      if (reset_time)
        gst_udt_sink_reset_time (sink, TRUE);
      again = sink->ended;
      forget_end (sink);
      break;
    default:
      break;
  }
  ok = GST_BASE_SINK_CLASS (gst_udt_sink_parent_class)->event (base, event);
  return again ? begin_again (sink) && ok : ok;
}

/* iv-sink-level: what the least backlogged receiver has still to get. */
static gboolean
answer_level (GstUdtSink *sink, GstQuery *query)
{
  guint64 level = 0;

  GST_OBJECT_LOCK (sink);
  if (sink->settings.link != NULL)
    level = udt_link_get_level (sink->settings.link);
  GST_OBJECT_UNLOCK (sink);
  gst_structure_set (gst_query_writable_structure (query), "level-bytes",
                     G_TYPE_UINT64, level, NULL);
  return TRUE;
}

static gboolean
is_level (GstQuery *query)
{
  return GST_QUERY_TYPE (query) == GST_QUERY_CUSTOM
         && gst_query_get_structure (query) != NULL
         && gst_structure_has_name (gst_query_get_structure (query),
                                    "iv-sink-level");
}

/* Of the pad. */
static gboolean
gst_udt_sink_query (GstBaseSink *base, GstQuery *query)
{
  if (is_level (query))
    return answer_level (GST_UDT_SINK (base), query);
  return GST_BASE_SINK_CLASS (gst_udt_sink_parent_class)->query (base, query);
}

/* Of the element. */
static gboolean
gst_udt_sink_element_query (GstElement *element, GstQuery *query)
{
  if (is_level (query))
    return answer_level (GST_UDT_SINK (element), query);
  return GST_ELEMENT_CLASS (gst_udt_sink_parent_class)->query (element, query);
}

/* -- Object ---------------------------------------------------------------- */

static gboolean
is_follow (guint id)
{
  return id >= PROP_FOLLOW && id < PROP_FOLLOW + GST_P2P_FOLLOW_N_PROPERTIES;
}

static void
store (gpointer data, guint id, const GValue *value)
{
  GstUdtSink *sink = data;

  sink->settings.changed = TRUE;
  switch (id) {
    case PROP_DEADLINE:
      sink->deadline = g_value_get_int (value);
      break;
    case PROP_MAX_CALLERS:
      sink->max_callers = g_value_get_uint (value);
      break;
    case PROP_HIGH_WATERMARK:
      sink->high_watermark = g_value_get_uint (value);
      break;
    default:
      sink->wait_for_connection = g_value_get_boolean (value);
      break;
  }
}

static void
gst_udt_sink_set_property (GObject *object, guint id, const GValue *value,
                           GParamSpec *pspec)
{
  GstUdtSink *sink = GST_UDT_SINK (object);

  if (gst_udt_settings_set_property (&sink->settings, GST_ELEMENT_CAST (sink),
                                     id, value))
    return;
  if (is_follow (id)) {
    gst_p2p_follow_set_property (&sink->follow_settings,
                                 GST_ELEMENT_CAST (sink), id - PROP_FOLLOW,
                                 value);
    gst_p2p_follow_look (sink->follow, GST_ELEMENT_CAST (sink),
                         GST_BASE_SINK_PAD (sink));
    return;
  }
  switch (id) {
    case PROP_DEADLINE:
    case PROP_MAX_CALLERS:
    case PROP_HIGH_WATERMARK:
    case PROP_WAIT_FOR_CONNECTION:
      gst_p2p_store_setting (GST_ELEMENT_CAST (sink), store, sink, id, value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
}

static void
gst_udt_sink_get_property (GObject *object, guint id, GValue *value,
                           GParamSpec *pspec)
{
  GstUdtSink *sink = GST_UDT_SINK (object);

  if (gst_udt_settings_get_property (&sink->settings, GST_ELEMENT_CAST (sink),
                                     id, value))
    return;
  if (id == PROP_FOLLOW + GST_P2P_FOLLOW_TARGET_BITRATE) {
    guint64 target = gst_p2p_follow_get_target (sink->follow);

    g_value_set_uint (value, (guint)MIN (target, G_MAXUINT));
    return;
  }
  if (is_follow (id)) {
    gst_p2p_follow_get_property (&sink->follow_settings,
                                 GST_ELEMENT_CAST (sink), id - PROP_FOLLOW,
                                 value);
    return;
  }
  GST_OBJECT_LOCK (sink);
  switch (id) {
    case PROP_DEADLINE:
      g_value_set_int (value, sink->deadline);
      break;
    case PROP_MAX_CALLERS:
      g_value_set_uint (value, sink->max_callers);
      break;
    case PROP_HIGH_WATERMARK:
      g_value_set_uint (value, sink->high_watermark);
      break;
    case PROP_WAIT_FOR_CONNECTION:
      g_value_set_boolean (value, sink->wait_for_connection);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  GST_OBJECT_UNLOCK (sink);
}

static void
gst_udt_sink_finalize (GObject *object)
{
  GstUdtSink *sink = GST_UDT_SINK (object);

  gst_udt_settings_clear (&sink->settings);
  gst_p2p_follow_unref (sink->follow);
  gst_p2p_follow_settings_clear (&sink->follow_settings);
  g_cond_clear (&sink->cond);
  g_mutex_clear (&sink->lock);
  G_OBJECT_CLASS (gst_udt_sink_parent_class)->finalize (object);
}

static void
install_properties (GObjectClass *klass)
{
  gst_udt_settings_install (klass);
  g_object_class_install_property (
      klass, PROP_DEADLINE,
      g_param_spec_int ("deadline", "Deadline",
                        "Milliseconds after which a frame is given up; 0: "
                        "never; -1: what the receiver's latency allows "
                        "for audio and video, never for anything else",
                        -1, MAX_DEADLINE_MS, DEFAULT_DEADLINE_MS,
                        GST_P2P_SETTING));
  gst_p2p_install_uint (klass, PROP_MAX_CALLERS, "max-callers", "Most Callers",
                        "Count of callers that a listener serves at one time",
                        1, UDT_LINK_MAX_CALLERS, DEFAULT_MAX_CALLERS);
  gst_p2p_install_uint (
      klass, PROP_HIGH_WATERMARK, "high-watermark", "High Watermark",
      "Bytes waiting for a peer at which no more is taken for it",
      MIN_HIGH_WATERMARK, MAX_HIGH_WATERMARK, DEFAULT_HIGH_WATERMARK);
  g_object_class_install_property (
      klass, PROP_WAIT_FOR_CONNECTION,
      g_param_spec_boolean (
          "wait-for-connection", "Wait for Connection",
          "Whether a source that is not live waits while there is nobody to "
          "send to; a live one never does",
          TRUE, GST_P2P_SETTING));
  /* Its max-bitrate takes the place of GstBaseSink's, which would hold data
   * back: that one stays off. */
  gst_p2p_follow_install (klass, PROP_FOLLOW);
}

static void
gst_udt_sink_class_init (GstUdtSinkClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSinkClass *base_class = GST_BASE_SINK_CLASS (klass);

  object_class->set_property = gst_udt_sink_set_property;
  object_class->get_property = gst_udt_sink_get_property;
  object_class->finalize = gst_udt_sink_finalize;
  install_properties (object_class);

  element_class->change_state = gst_udt_sink_change_state;
  element_class->query = gst_udt_sink_element_query;
  element_class->send_event = gst_udt_sink_send_event;
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_set_static_metadata (
      element_class, "UDT Sink", "Sink/Network",
      "Sends a stream over UDP, encrypted and repaired", "the iv-p2p authors");
  gst_type_mark_as_plugin_api (GST_TYPE_UDT_MODE, 0);

  base_class->start = gst_udt_sink_start;
  base_class->stop = gst_udt_sink_stop;
  base_class->unlock = gst_udt_sink_unlock;
  base_class->unlock_stop = gst_udt_sink_unlock_stop;
  base_class->event = gst_udt_sink_event;
  base_class->query = gst_udt_sink_query;
  base_class->set_caps = gst_udt_sink_set_caps;
  base_class->get_times = gst_udt_sink_get_times;
  base_class->render = gst_udt_sink_render;
}

static void
gst_udt_sink_init (GstUdtSink *sink)
{
  GstBaseSink *base = GST_BASE_SINK_CAST (sink);

  gst_udt_settings_init (&sink->settings);
  gst_p2p_follow_settings_init (&sink->follow_settings);
  sink->follow = gst_p2p_follow_new (&sink->follow_settings);
  sink->deadline = DEFAULT_DEADLINE_MS;
  sink->max_callers = DEFAULT_MAX_CALLERS;
  sink->high_watermark = DEFAULT_HIGH_WATERMARK;
  sink->wait_for_connection = TRUE;
  g_mutex_init (&sink->lock);
  g_cond_init (&sink->cond);
  /* Bins send the application's EOS to sources: see send_event. */
  GST_OBJECT_FLAG_SET (sink, GST_ELEMENT_FLAG_SOURCE);
  /* A pipeline must start without anybody there. */
  gst_base_sink_set_async_enabled (base, FALSE);
  gst_base_sink_set_last_sample_enabled (base, FALSE);
  /* Nothing is decoded or drawn here. */
  gst_base_sink_set_processing_deadline (base, 0);
}
