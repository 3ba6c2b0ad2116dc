/**
 * SECTION:element-p2psink
 * @title: p2psink
 * @short_description: streams straight to everyone who watches this device
 *
 * p2psink makes a device of the pipeline: viewers that know its id and its key
 * find it through the signaller, and each gets the encoded streams over a path
 * of its own, encrypted. Streams are encoded once, however many watch, and the
 * pipeline runs on when nobody does.
 *
 * With `uri` instead of `device-id` it is the voice of a viewer: its streams go
 * to that device, whose p2psrc has pads for them.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 videotestsrc is-live=1 ! x264enc tune=zerolatency ! \
 *     h264parse ! p2psink device-id=camera-1 key-file=camera-1.key
 * ]|
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: the application's (states, properties, requests of pads), the
 * session's (gstp2psinksession.c), each pad's streaming thread. The
 * sink's lock is never held across a signal, a message, an event or a call of
 * the session that waits. See docs/threads.md.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <string.h>
#include "gstp2pcaps.h"
#include "gstp2pcommands.h"
#include "gstp2pmessages.h"
#include "gstp2pproperties.h"
#include "gstp2psink.h"

GST_DEBUG_CATEGORY (gst_p2p_sink_debug);
#define GST_CAT_DEFAULT gst_p2p_sink_debug

enum {
  PROP_STATS = GST_P2P_PROP_OWN,
  PROP_FOLLOW, /* the first of GST_P2P_FOLLOW_… */
};

guint gst_p2p_sink_signals[GST_P2P_SINK_N_SIGNALS];

/* In this order: a pad is requested from the first template that fits. */
static GstStaticPadTemplate video_template
    = GST_STATIC_PAD_TEMPLATE ("video_%u", GST_PAD_SINK, GST_PAD_REQUEST,
                               GST_STATIC_CAPS (GST_P2P_VIDEO_CAPS));
static GstStaticPadTemplate audio_template
    = GST_STATIC_PAD_TEMPLATE ("audio_%u", GST_PAD_SINK, GST_PAD_REQUEST,
                               GST_STATIC_CAPS (GST_P2P_AUDIO_CAPS));
static GstStaticPadTemplate data_template
    = GST_STATIC_PAD_TEMPLATE ("data_%u", GST_PAD_SINK, GST_PAD_REQUEST,
                               GST_STATIC_CAPS_ANY);

G_DEFINE_TYPE (GstP2pSink, gst_p2p_sink, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE (p2psink, "p2psink", GST_RANK_NONE,
                             GST_TYPE_P2P_SINK)

GList *
gst_p2p_sink_get_pads (GstP2pSink *sink)
{
  GList *pads = NULL, *walk;

  GST_OBJECT_LOCK (sink);
  for (walk = GST_ELEMENT_CAST (sink)->sinkpads; walk != NULL;
       walk = walk->next)
    pads = g_list_prepend (pads, gst_object_ref (walk->data));
  GST_OBJECT_UNLOCK (sink);
  return g_list_reverse (pads);
}

void
gst_p2p_sink_free_pads (GList *pads)
{
  g_list_free_full (pads, gst_object_unref);
}

/* -- Pads ------------------------------------------------------------------ */

/* Without pads nothing is upstream of it: it is where its pipeline begins, and
 * where a bin sends what the application has for its sources. */
static void
pads_changed (GstP2pSink *sink)
{
  GST_OBJECT_LOCK (sink);
  if (GST_ELEMENT_CAST (sink)->sinkpads == NULL)
    GST_OBJECT_FLAG_SET (sink, GST_ELEMENT_FLAG_SOURCE);
  else
    GST_OBJECT_FLAG_UNSET (sink, GST_ELEMENT_FLAG_SOURCE);
  GST_OBJECT_UNLOCK (sink);
}

/* NULL: `name` is taken, or does not belong to `kind`. */
static gchar *
choose_name (GstP2pSink *sink, P2pWireKind kind, const gchar *name)
{
  P2pWireKind named_kind;
  guint number;

  if (name == NULL || g_str_has_suffix (name, "%u")) {
    g_mutex_lock (&sink->lock);
    number = sink->next_number[kind]++;
    g_mutex_unlock (&sink->lock);
  } else {
    if (!gst_p2p_pad_name_parse (name, &named_kind, &number)
        || named_kind != kind)
      return NULL;
    g_mutex_lock (&sink->lock);
    if (number >= sink->next_number[kind] && number < G_MAXUINT)
      sink->next_number[kind] = number + 1;
    g_mutex_unlock (&sink->lock);
  }
  return g_strdup_printf ("%s_%u", gst_p2p_kind_name (kind), number);
}

/* The pad is inactive. */
static void
drop_pad_stream (GstP2pSink *sink, GstP2pSinkPad *pad)
{
  P2pStream *stream;

  g_mutex_lock (&sink->lock);
  stream = gst_p2p_sink_pad_steal_stream (pad);
  g_mutex_unlock (&sink->lock);
  if (stream != NULL)
    p2p_stream_unpublish (stream);
}

static GstPad *
gst_p2p_sink_request_new_pad (GstElement *element, GstPadTemplate *templ,
                              const gchar *name, const GstCaps *caps)
{
  GstP2pSink *sink = GST_P2P_SINK (element);
  const gchar *templ_name = GST_PAD_TEMPLATE_NAME_TEMPLATE (templ);
  P2pWireKind kind = P2P_WIRE_DATA;
  gboolean running, stopped;
  gchar *pad_name;
  GstPad *pad;

  if (g_str_has_prefix (templ_name, "video"))
    kind = P2P_WIRE_VIDEO;
  else if (g_str_has_prefix (templ_name, "audio"))
    kind = P2P_WIRE_AUDIO;
  pad_name = choose_name (sink, kind, name);
  if (pad_name == NULL) {
    GST_WARNING_OBJECT (sink, "no pad can be named \"%s\"", name);
    return NULL;
  }
  pad = gst_p2p_sink_pad_new (templ, pad_name, kind,
                              name != NULL && strchr (name, '%') == NULL,
                              &sink->follow);
  g_free (pad_name);
  g_mutex_lock (&sink->lock);
  running = sink->published;
  if (running)
    gst_p2p_sink_pad_publish (GST_P2P_SINK_PAD (pad), sink->endpoint,
                              sink->offer);
  g_mutex_unlock (&sink->lock);
  if (running)
    gst_pad_set_active (pad, TRUE);
  gst_object_ref_sink (pad);
  if (!gst_element_add_pad (element, pad)) {
    drop_pad_stream (sink, GST_P2P_SINK_PAD (pad));
    g_clear_pointer (&pad, gst_object_unref);
    return NULL;
  }
  pads_changed (sink);
  /* A change of state may have come in between, either way. */
  g_mutex_lock (&sink->lock);
  sink->end_wanted = FALSE;
  if (sink->published)
    gst_p2p_sink_pad_publish (GST_P2P_SINK_PAD (pad), sink->endpoint,
                              sink->offer);
  stopped = running && !sink->published;
  g_mutex_unlock (&sink->lock);
  if (stopped)
    drop_pad_stream (sink, GST_P2P_SINK_PAD (pad));
  gst_object_unref (pad);
  return pad;
}

static void
gst_p2p_sink_release_pad (GstElement *element, GstPad *gpad)
{
  GstP2pSink *sink = GST_P2P_SINK (element);
  GstP2pSinkPad *pad = GST_P2P_SINK_PAD (gpad);

  gst_object_ref (pad);
  /* Wakes the streaming thread and waits until it has left. */
  gst_pad_set_active (gpad, FALSE);
  drop_pad_stream (sink, pad);
  gst_element_remove_pad (element, gpad);
  gst_object_unref (pad);
  pads_changed (sink);
  /* It may have been the last that had not ended. */
  gst_p2p_sink_check_eos (sink, 0);
}

/* -- States ---------------------------------------------------------------- */

static gboolean
open_endpoint (GstP2pSink *sink)
{
  P2pRole role = P2P_ROLE_DEVICE;
  gchar *params = NULL;
  P2pEndpoint *endpoint
      = gst_p2p_settings_acquire (&sink->settings, GST_ELEMENT_CAST (sink),
                                  &role, &params);

  if (endpoint == NULL) {
    g_free (params);
    return FALSE;
  }
  g_mutex_lock (&sink->lock);
  sink->endpoint = endpoint;
  sink->role = role;
  g_free (sink->params);
  sink->params = params;
  g_mutex_unlock (&sink->lock);
  return TRUE;
}

/* Says goodbye, and waits for callbacks but those that it is called from. What
 * was published stays, and goes nowhere. */
void
gst_p2p_sink_hang_up (GstP2pSink *sink)
{
  P2pEndpoint *endpoint = NULL;
  guint listener;

  g_mutex_lock (&sink->lock);
  listener = sink->listener;
  sink->listener = 0;
  if (listener != 0)
    endpoint = g_steal_pointer (&sink->endpoint);
  g_mutex_unlock (&sink->lock);
  if (listener == 0)
    return;
  p2p_endpoint_remove_listener (endpoint, listener);
  p2p_endpoint_release (endpoint);
}

static void
close_endpoint (GstP2pSink *sink)
{
  P2pEndpoint *endpoint;

  g_mutex_lock (&sink->lock);
  endpoint = g_steal_pointer (&sink->endpoint);
  g_mutex_unlock (&sink->lock);
  if (endpoint != NULL)
    p2p_endpoint_release (endpoint);
}

/* Settings may still change in READY, and PAUSED to READY closes. */
static gboolean
reopen_if_changed (GstP2pSink *sink)
{
  gboolean changed;

  GST_OBJECT_LOCK (sink);
  changed = sink->settings.changed;
  GST_OBJECT_UNLOCK (sink);
  if (!changed && sink->endpoint != NULL)
    return TRUE;
  close_endpoint (sink);
  return open_endpoint (sink);
}

static gboolean
start (GstP2pSink *sink)
{
  GList *pads, *walk;

  if (!reopen_if_changed (sink))
    return FALSE;
  pads = gst_p2p_sink_get_pads (sink);
  g_mutex_lock (&sink->lock);
  sink->published = TRUE;
  sink->server_lost = FALSE;
  sink->was_connected = FALSE;
  sink->refused = FALSE;
  if (sink->role == P2P_ROLE_VIEWER)
    sink->offer = p2p_endpoint_offer (sink->endpoint, sink->params);
  sink->eos_posted = FALSE;
  if (!sink->end_wanted)
    sink->eos_seqnum = 0;
  sink->running_offset = 0;
  sink->rebase = FALSE;
  sink->latency = 0;
  for (walk = pads; walk != NULL; walk = walk->next)
    gst_p2p_sink_pad_publish (walk->data, sink->endpoint, sink->offer);
  /* Others may have started it: what it tells at once waits for the lock. */
  sink->listener
      = p2p_endpoint_add_listener (sink->endpoint, &gst_p2p_sink_listener,
                                   gst_object_ref (sink));
  p2p_endpoint_start (sink->endpoint);
  g_mutex_unlock (&sink->lock);
  gst_p2p_sink_free_pads (pads);
  return TRUE;
}

/* The pads are inactive by now. The device goes before its streams: viewers see
 * it leave, and wait for it, rather than each stream end for good. */
static void
stop (GstP2pSink *sink)
{
  GList *pads, *walk, *streams = NULL;
  P2pOffer *offer;

  gst_p2p_sink_hang_up (sink);
  close_endpoint (sink);
  pads = gst_p2p_sink_get_pads (sink);
  g_mutex_lock (&sink->lock);
  sink->published = sink->end_wanted = FALSE;
  offer = g_steal_pointer (&sink->offer);
  for (walk = pads; walk != NULL; walk = walk->next) {
    P2pStream *stream = gst_p2p_sink_pad_steal_stream (walk->data);

    if (stream != NULL)
      streams = g_list_prepend (streams, stream);
  }
  g_mutex_unlock (&sink->lock);
  g_list_free_full (streams, (GDestroyNotify)p2p_stream_unpublish);
  if (offer != NULL)
    p2p_offer_close (offer);
  gst_p2p_sink_free_pads (pads);
}

static void
set_playing (GstP2pSink *sink, gboolean playing)
{
  GstClock *clock
      = playing ? gst_element_get_clock (GST_ELEMENT_CAST (sink)) : NULL;
  GList *pads = gst_p2p_sink_get_pads (sink), *walk;

  g_mutex_lock (&sink->lock);
  sink->playing = playing;
  if (playing) {
    GstClockTime base_time
        = gst_element_get_base_time (GST_ELEMENT_CAST (sink));

    /* A pause moves the base time by its length. Anything earlier means that
     * running time began again, and then nothing needs to be added to it. */
    if (clock != NULL && sink->running_offset > 0
        && GST_CLOCK_DIFF (base_time, gst_clock_get_time (clock))
               < sink->running_offset)
      sink->running_offset = 0;
    gst_p2p_steady_time_update (&sink->steady, clock, base_time);
  }
  /* In a pause times are still taken from the clock until it is known that
   * nothing comes. */
  for (walk = pads; walk != NULL; walk = walk->next)
    gst_p2p_sink_pad_wake (walk->data);
  g_mutex_unlock (&sink->lock);
  gst_clear_object (&clock);
  gst_p2p_sink_free_pads (pads);
}

static void
drop_clock (GstP2pSink *sink)
{
  g_mutex_lock (&sink->lock);
  gst_p2p_steady_time_clear (&sink->steady);
  g_mutex_unlock (&sink->lock);
}

/* Never ASYNC: there is nothing to preroll, and a viewer may never come. */
static GstStateChangeReturn
gst_p2p_sink_change_state (GstElement *element, GstStateChange transition)
{
  GstP2pSink *sink = GST_P2P_SINK (element);
  GstStateChangeReturn result;

  switch (transition) {
    case GST_STATE_CHANGE_NULL_TO_READY:
      if (!open_endpoint (sink))
        return GST_STATE_CHANGE_FAILURE;
      break;
    case GST_STATE_CHANGE_READY_TO_PAUSED:
      if (!start (sink))
        return GST_STATE_CHANGE_FAILURE;
      break;
    case GST_STATE_CHANGE_PAUSED_TO_PLAYING:
    case GST_STATE_CHANGE_PLAYING_TO_PLAYING: /* another base time */
      set_playing (sink, TRUE);
      break;
    case GST_STATE_CHANGE_PLAYING_TO_PAUSED:
      set_playing (sink, FALSE);
      break;
    default:
      break;
  }

  result = GST_ELEMENT_CLASS (gst_p2p_sink_parent_class)
               ->change_state (element, transition);

  switch (transition) {
    case GST_STATE_CHANGE_READY_TO_PAUSED:
      if (result == GST_STATE_CHANGE_FAILURE)
        stop (sink);
      break;
    case GST_STATE_CHANGE_PAUSED_TO_PLAYING:
      /* Whatever ended in PAUSED is told now. */
      gst_p2p_sink_check_eos (sink, 0);
      break;
    case GST_STATE_CHANGE_PAUSED_TO_READY:
      stop (sink);
      drop_clock (sink);
      break;
    case GST_STATE_CHANGE_READY_TO_NULL:
      close_endpoint (sink);
      break;
    default:
      break;
  }
  return result;
}

/* -- Object ---------------------------------------------------------------- */

static void
gst_p2p_sink_kick_viewer (GstP2pSink *sink, const gchar *peer)
{
  g_mutex_lock (&sink->lock);
  if (peer == NULL || sink->endpoint == NULL
      || !p2p_endpoint_kick (sink->endpoint, peer))
    GST_WARNING_OBJECT (sink, "no viewer \"%s\" to kick", GST_STR_NULL (peer));
  g_mutex_unlock (&sink->lock);
}

static void
gst_p2p_sink_send_command (GstP2pSink *sink, const gchar *peer, GBytes *command,
                           GstPromise *promise)
{
  g_mutex_lock (&sink->lock);
  if (sink->endpoint != NULL) {
    gst_p2p_send_command (sink->endpoint, peer, command, promise);
    g_mutex_unlock (&sink->lock);
    return;
  }
  g_mutex_unlock (&sink->lock);
  gst_p2p_send_command (NULL, peer, command, promise);
}

/* What its encoders together shall have, bit/s. */
static guint64
get_target (GstP2pSink *sink)
{
  GList *pads = gst_p2p_sink_get_pads (sink), *walk;
  guint64 target = 0;

  for (walk = pads; walk != NULL; walk = walk->next) {
    GstP2pFollow *follow = GST_P2P_SINK_PAD (walk->data)->follow;

    if (follow != NULL)
      target += gst_p2p_follow_get_target (follow);
  }
  gst_p2p_sink_free_pads (pads);
  return target;
}

static void
set_follow (GstP2pSink *sink, guint which, const GValue *value)
{
  GList *pads, *walk;

  gst_p2p_follow_set_property (&sink->follow, GST_ELEMENT_CAST (sink), which,
                               value);
  pads = gst_p2p_sink_get_pads (sink);
  for (walk = pads; walk != NULL; walk = walk->next)
    gst_p2p_sink_pad_look (walk->data, sink);
  gst_p2p_sink_free_pads (pads);
}

static GstStructure *
get_stats (GstP2pSink *sink)
{
  GstStructure *stats;

  g_mutex_lock (&sink->lock);
  stats = gst_p2p_stats_structure_new (sink->endpoint);
  g_mutex_unlock (&sink->lock);
  gst_structure_set (stats, "target-bitrate-bps", G_TYPE_UINT64,
                     get_target (sink), NULL);
  return stats;
}

static gboolean
is_follow (guint id)
{
  return id >= PROP_FOLLOW && id < PROP_FOLLOW + GST_P2P_FOLLOW_N_PROPERTIES;
}

static void
gst_p2p_sink_set_property (GObject *object, guint id, const GValue *value,
                           GParamSpec *pspec)
{
  GstP2pSink *sink = GST_P2P_SINK (object);

  if (is_follow (id))
    set_follow (sink, id - PROP_FOLLOW, value);
  else if (!gst_p2p_settings_set_property (&sink->settings,
                                           GST_ELEMENT_CAST (sink), id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
gst_p2p_sink_get_property (GObject *object, guint id, GValue *value,
                           GParamSpec *pspec)
{
  GstP2pSink *sink = GST_P2P_SINK (object);

  if (id == PROP_STATS)
    g_value_take_boxed (value, get_stats (sink));
  else if (id == PROP_FOLLOW + GST_P2P_FOLLOW_TARGET_BITRATE)
    g_value_set_uint (value, (guint)MIN (get_target (sink), G_MAXUINT));
  else if (is_follow (id))
    gst_p2p_follow_get_property (&sink->follow, GST_ELEMENT_CAST (sink),
                                 id - PROP_FOLLOW, value);
  else if (!gst_p2p_settings_get_property (&sink->settings,
                                           GST_ELEMENT_CAST (sink), id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
gst_p2p_sink_finalize (GObject *object)
{
  GstP2pSink *sink = GST_P2P_SINK (object);

  gst_p2p_settings_clear (&sink->settings);
  gst_p2p_follow_settings_clear (&sink->follow);
  g_free (sink->params);
  g_mutex_clear (&sink->lock);
  G_OBJECT_CLASS (gst_p2p_sink_parent_class)->finalize (object);
}

/* Whoever says no has the last word. */
static gboolean
all_must_agree (GSignalInvocationHint *hint, GValue *result,
                const GValue *answer, gpointer data)
{
  gboolean allowed = g_value_get_boolean (answer);

  g_value_set_boolean (result, allowed);
  return allowed;
}

static gboolean
default_authorize (GstP2pSink *sink, const gchar *peer,
                   const GstStructure *info)
{
  return TRUE;
}

static void
install_signals (GstP2pSinkClass *klass)
{
  GType type = G_TYPE_FROM_CLASS (klass);

  /**
   * GstP2pSink::authorize:
   * @peer: id of a viewer that has proved the key
   * @info: what is known of it
   *
   * Returns: %FALSE to refuse the viewer. One refusal is enough.
   */
  gst_p2p_sink_signals[GST_P2P_SINK_SIGNAL_AUTHORIZE]
      = g_signal_new_class_handler ("authorize", type, G_SIGNAL_RUN_LAST,
                                    G_CALLBACK (default_authorize),
                                    all_must_agree, NULL, NULL, G_TYPE_BOOLEAN,
                                    2, G_TYPE_STRING, GST_TYPE_STRUCTURE);
  gst_p2p_sink_signals[GST_P2P_SINK_SIGNAL_VIEWER_ADDED]
      = g_signal_new ("viewer-added", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                      NULL, G_TYPE_NONE, 2, G_TYPE_STRING, GST_TYPE_STRUCTURE);
  gst_p2p_sink_signals[GST_P2P_SINK_SIGNAL_VIEWER_REMOVED]
      = g_signal_new ("viewer-removed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                      NULL, G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_STRING);
  gst_p2p_sink_signals[GST_P2P_SINK_SIGNAL_REQUEST_ADDED]
      = g_signal_new ("request-added", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                      NULL, G_TYPE_NONE, 3, G_TYPE_STRING, G_TYPE_UINT,
                      GST_TYPE_STRUCTURE);
  gst_p2p_sink_signals[GST_P2P_SINK_SIGNAL_REQUEST_REMOVED]
      = g_signal_new ("request-removed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                      NULL, G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_UINT);
  /**
   * GstP2pSink::kick-viewer:
   * @peer: id of a present viewer
   *
   * Says goodbye to the viewer.
   */
  gst_p2p_sink_signals[GST_P2P_SINK_SIGNAL_KICK_VIEWER]
      = g_signal_new_class_handler ("kick-viewer", type,
                                    G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
                                    G_CALLBACK (gst_p2p_sink_kick_viewer), NULL,
                                    NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
  gst_p2p_sink_signals[GST_P2P_SINK_SIGNAL_COMMAND]
      = gst_p2p_install_commands (type, G_CALLBACK (gst_p2p_sink_send_command));
}

static void
gst_p2p_sink_class_init (GstP2pSinkClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (gst_p2p_sink_debug, "p2psink", 0,
                           "streams to the viewers of a device");

  object_class->set_property = gst_p2p_sink_set_property;
  object_class->get_property = gst_p2p_sink_get_property;
  object_class->finalize = gst_p2p_sink_finalize;
  gst_p2p_settings_install (object_class, TRUE);
  gst_p2p_install_stats (
      object_class, PROP_STATS,
      "application/x-p2p-stats, with one structure for each viewer");
  gst_p2p_follow_install (object_class, PROP_FOLLOW);
  install_signals (klass);

  element_class->change_state = gst_p2p_sink_change_state;
  element_class->request_new_pad = gst_p2p_sink_request_new_pad;
  element_class->release_pad = gst_p2p_sink_release_pad;
  element_class->send_event = gst_p2p_sink_send_event;
  element_class->query = gst_p2p_sink_query;
  gst_element_class_add_static_pad_template_with_gtype (element_class,
                                                        &video_template,
                                                        GST_TYPE_P2P_SINK_PAD);
  gst_element_class_add_static_pad_template_with_gtype (element_class,
                                                        &audio_template,
                                                        GST_TYPE_P2P_SINK_PAD);
  gst_element_class_add_static_pad_template_with_gtype (element_class,
                                                        &data_template,
                                                        GST_TYPE_P2P_SINK_PAD);
  gst_element_class_set_static_metadata (
      element_class, "P2P Sink", "Sink/Network",
      "Streams audio, video and data straight to everyone who watches this "
      "device, through NATs, encrypted",
      "the iv-p2p authors <iv-p2p@iv-p2p.invalid>");
}

static void
gst_p2p_sink_init (GstP2pSink *sink)
{
  gst_p2p_settings_init (&sink->settings);
  gst_p2p_follow_settings_init (&sink->follow);
  g_mutex_init (&sink->lock);
  GST_OBJECT_FLAG_SET (sink, GST_ELEMENT_FLAG_SINK);
  pads_changed (sink);
}
