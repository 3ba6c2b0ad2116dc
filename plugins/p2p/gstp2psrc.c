/**
 * SECTION:element-p2psrc
 * @title: p2psrc
 * @short_description: what a device streams to its viewer
 *
 * p2psrc finds a device through the signaller, asks it for what the URI's
 * parameters say, and has a pad for each stream that comes. It connects again
 * by itself after every loss of the network, the signaller or the device.
 *
 * With `device-id` instead of `uri` it is the ear of a device: it has a pad for
 * each stream that a viewer's p2psink sends, until that viewer goes.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 p2psrc uri=p2p://camera-1 key-file=camera-1.key ! decodebin !
 * \ autovideosink
 * ]|
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: the application's (states, properties, queries). The others are in
 * gstp2psrcsession.c and gstp2psrcpush.c. The source's lock is never held
 * across a signal, a message, an event or a call of the session that waits. See
 * docs/threads.md.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <gst/video/video.h>
#include <string.h>
#include "gstp2pcaps.h"
#include "gstp2pcommands.h"
#include "gstp2pmessages.h"
#include "gstp2pproperties.h"
#include "gstp2psrc.h"

GST_DEBUG_CATEGORY (gst_p2p_src_debug);
#define GST_CAT_DEFAULT gst_p2p_src_debug

enum {
  PROP_STATS = GST_P2P_PROP_OWN,
};

guint gst_p2p_src_command_signal;

static GstStaticPadTemplate video_template
    = GST_STATIC_PAD_TEMPLATE ("video_%u", GST_PAD_SRC, GST_PAD_SOMETIMES,
                               GST_STATIC_CAPS (GST_P2P_VIDEO_CAPS));
static GstStaticPadTemplate audio_template
    = GST_STATIC_PAD_TEMPLATE ("audio_%u", GST_PAD_SRC, GST_PAD_SOMETIMES,
                               GST_STATIC_CAPS (GST_P2P_AUDIO_CAPS));
static GstStaticPadTemplate data_template
    = GST_STATIC_PAD_TEMPLATE ("data_%u", GST_PAD_SRC, GST_PAD_SOMETIMES,
                               GST_STATIC_CAPS_ANY);

static void gst_p2p_src_uri_handler_init (gpointer iface, gpointer data);

G_DEFINE_TYPE_WITH_CODE (GstP2pSrc, gst_p2p_src, GST_TYPE_ELEMENT,
                         G_IMPLEMENT_INTERFACE (GST_TYPE_URI_HANDLER,
                                                gst_p2p_src_uri_handler_init))
GST_ELEMENT_REGISTER_DEFINE (p2psrc, "p2psrc", GST_RANK_PRIMARY,
                             GST_TYPE_P2P_SRC)

/* -- What is announced about the pads -------------------------------------- */

/* Lock held. */
static GstStreamCollection *
make_collection (GstP2pSrc *src)
{
  GstStreamCollection *collection = gst_stream_collection_new (src->params);
  GList *walk;

  for (walk = src->pads; walk != NULL; walk = walk->next)
    gst_stream_collection_add_stream (
        collection, gst_object_ref (GST_P2P_SRC_PAD (walk->data)->stream));
  return collection;
}

/* Lock held. */
static gboolean
all_exposed (GstP2pSrc *src)
{
  gboolean any = FALSE;
  GList *walk;

  for (walk = src->pads; walk != NULL; walk = walk->next) {
    GstP2pSrcPad *pad = walk->data;

    if (!pad->exposed && !pad->refused && !pad->dead)
      return FALSE;
    any = any || pad->exposed;
  }
  return any;
}

void
gst_p2p_src_check_pads (GstP2pSrc *src)
{
  GstStreamCollection *collection = NULL;
  gboolean last = FALSE;

  g_mutex_lock (&src->lock);
  if (src->complete && src->collection_stale) {
    src->collection_stale = FALSE;
    gst_clear_object (&src->collection);
    src->collection = make_collection (src);
    collection = gst_object_ref (src->collection);
  }
  if (src->complete && !src->no_more_pads && src->exposing == 0
      && all_exposed (src))
    last = src->no_more_pads = TRUE;
  g_mutex_unlock (&src->lock);

  if (collection != NULL) {
    gst_element_post_message (
        GST_ELEMENT_CAST (src),
        gst_message_new_stream_collection (GST_OBJECT_CAST (src), collection));
    gst_object_unref (collection);
  }
  if (last) {
    GST_DEBUG_OBJECT (src, "no more pads");
    gst_element_no_more_pads (GST_ELEMENT_CAST (src));
  }
}

/* -- Queries and events ---------------------------------------------------- */

gboolean
gst_p2p_src_answer (GstP2pSrc *src, GstQuery *query)
{
  GstClockTime latency;
  GstFormat format;
  gchar *uri;

  switch (GST_QUERY_TYPE (query)) {
    case GST_QUERY_LATENCY:
      GST_OBJECT_LOCK (src);
      latency = src->settings.latency * GST_MSECOND;
      GST_OBJECT_UNLOCK (src);
      gst_query_set_latency (query, TRUE, latency,
                             latency + GST_P2P_SRC_QUEUE_TIME_US * GST_USECOND);
      return TRUE;
    case GST_QUERY_SEEKING:
      gst_query_parse_seeking (query, &format, NULL, NULL, NULL);
      gst_query_set_seeking (query, format, FALSE, 0, -1);
      return TRUE;
    case GST_QUERY_SCHEDULING:
      /* Not BANDWIDTH_LIMITED: playbin3 would buffer before it plays. */
      gst_query_set_scheduling (query, GST_SCHEDULING_FLAG_SEQUENTIAL, 1, -1,
                                0);
      gst_query_add_scheduling_mode (query, GST_PAD_MODE_PUSH);
      return TRUE;
    case GST_QUERY_URI:
      uri = gst_uri_handler_get_uri (GST_URI_HANDLER (src));
      gst_query_set_uri (query, uri);
      g_free (uri);
      return TRUE;
    case GST_QUERY_DURATION:
      /* Nobody knows when a live stream ends. */
      return FALSE;
    default:
      return FALSE;
  }
}

static gboolean
gst_p2p_src_query (GstElement *element, GstQuery *query)
{
  return gst_p2p_src_answer (GST_P2P_SRC (element), query);
}

/* Lock held. */
static GList *
copy_exposed_pads (GstP2pSrc *src)
{
  GList *copy = NULL, *walk;

  for (walk = src->pads; walk != NULL; walk = walk->next) {
    if (GST_P2P_SRC_PAD (walk->data)->exposed)
      copy = g_list_prepend (copy, gst_object_ref (walk->data));
  }
  return copy;
}

static gboolean
ask_for_key_units (GstP2pSrc *src, GstEvent *event)
{
  gboolean all_headers;
  guint count;
  GList *walk;

  if (!gst_video_event_is_force_key_unit (event)
      || !gst_video_event_parse_upstream_force_key_unit (event, NULL,
                                                         &all_headers, &count))
    return FALSE;
  g_mutex_lock (&src->lock);
  for (walk = src->pads; walk != NULL; walk = walk->next)
    gst_p2p_src_pad_request_key_unit (walk->data, all_headers, count);
  g_mutex_unlock (&src->lock);
  return TRUE;
}

/* The application ends the streams: what is queued goes, what comes is not
 * wanted any more. Before the element runs it is remembered, as GstBaseSrc
 * does. */
static gboolean
take_eos (GstP2pSrc *src, GstEvent *event)
{
  g_mutex_lock (&src->lock);
  src->end_wanted = TRUE;
  src->end_seqnum = gst_event_get_seqnum (event);
  g_mutex_unlock (&src->lock);
  gst_p2p_src_end (src);
  return TRUE;
}

static gboolean
push_to_all (GstP2pSrc *src, GstEvent *event)
{
  GList *pads, *walk;
  gboolean ok = FALSE;

  g_mutex_lock (&src->lock);
  pads = copy_exposed_pads (src);
  g_mutex_unlock (&src->lock);
  for (walk = pads; walk != NULL; walk = walk->next)
    ok |= gst_pad_push_event (walk->data, gst_event_ref (event));
  g_list_free_full (pads, gst_object_unref);
  return ok;
}

/* The default would choose a pad at random. */
static gboolean
gst_p2p_src_send_event (GstElement *element, GstEvent *event)
{
  GstP2pSrc *src = GST_P2P_SRC (element);
  gboolean ok;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_EOS:
      ok = take_eos (src, event);
      break;
    case GST_EVENT_LATENCY:
      ok = TRUE;
      break;
    case GST_EVENT_CUSTOM_UPSTREAM:
      ok = ask_for_key_units (src, event);
      break;
    default:
      ok = GST_EVENT_IS_DOWNSTREAM (event) && push_to_all (src, event);
      break;
  }
  gst_event_unref (event);
  return ok;
}

/* -- States ---------------------------------------------------------------- */

static gboolean
open_endpoint (GstP2pSrc *src)
{
  P2pRole role = P2P_ROLE_VIEWER;
  gchar *params = NULL;
  P2pEndpoint *endpoint
      = gst_p2p_settings_acquire (&src->settings, GST_ELEMENT_CAST (src), &role,
                                  &params);

  if (endpoint == NULL) {
    g_free (params);
    return FALSE;
  }
  g_mutex_lock (&src->lock);
  src->endpoint = endpoint;
  src->accepts = role == P2P_ROLE_DEVICE;
  g_free (src->params);
  src->params = params;
  g_mutex_unlock (&src->lock);
  return TRUE;
}

static void
close_endpoint (GstP2pSrc *src)
{
  P2pEndpoint *endpoint;

  g_mutex_lock (&src->lock);
  endpoint = g_steal_pointer (&src->endpoint);
  g_mutex_unlock (&src->lock);
  if (endpoint != NULL)
    p2p_endpoint_release (endpoint);
}

/* Settings may still change in READY, and PAUSED to READY closes. */
static gboolean
reopen_if_changed (GstP2pSrc *src)
{
  gboolean changed;

  GST_OBJECT_LOCK (src);
  changed = src->settings.changed;
  GST_OBJECT_UNLOCK (src);
  if (!changed && src->endpoint != NULL)
    return TRUE;
  close_endpoint (src);
  return open_endpoint (src);
}

static gboolean
start (GstP2pSrc *src)
{
  P2pRequest *request;
  gboolean end;

  if (!reopen_if_changed (src))
    return FALSE;
  GST_OBJECT_LOCK (src);
  src->latency_us = src->settings.latency * (gint64)1000;
  GST_OBJECT_UNLOCK (src);
  src->have_epoch = src->complete = src->no_more_pads = FALSE;
  src->was_connected = src->trouble_told = src->any_stream = FALSE;
  p2p_timeline_reset (src->times->timeline);
  memset (src->next_number, 0, sizeof src->next_number);
  gst_flow_combiner_reset (src->combiner);

  if (src->accepts)
    request = p2p_endpoint_accept (src->endpoint, NULL,
                                   &gst_p2p_src_request_callbacks, src);
  else
    request = p2p_endpoint_request (src->endpoint, src->params,
                                    &gst_p2p_src_request_callbacks, src);
  /* In a session that others already have, the end may be told at once: not
   * before all of this is done. */
  g_mutex_lock (&src->lock);
  src->request = request;
  src->listener
      = p2p_endpoint_add_listener (src->endpoint, &gst_p2p_src_listener,
                                   gst_object_ref (src));
  p2p_endpoint_start (src->endpoint);
  end = src->end_wanted;
  g_mutex_unlock (&src->lock);
  if (end)
    gst_p2p_src_end (src);
  return TRUE;
}

/* After this nothing new comes. The tasks still run. */
static void
stop_session (GstP2pSrc *src)
{
  P2pEndpoint *endpoint;
  P2pRequest *request;
  GList *walk;
  guint id;

  g_mutex_lock (&src->lock);
  endpoint = src->endpoint;
  id = src->listener;
  src->listener = 0;
  g_mutex_unlock (&src->lock);
  /* Waits for one that is just giving up, which then leaves the rest to us. */
  if (id != 0)
    p2p_endpoint_remove_listener (endpoint, id);
  g_mutex_lock (&src->lock);
  request = g_steal_pointer (&src->request);
  g_mutex_unlock (&src->lock);
  if (request != NULL)
    p2p_request_close (request);

  g_mutex_lock (&src->lock);
  gst_p2p_src_unwatch_nothing (src);
  for (walk = src->pads; walk != NULL; walk = walk->next) {
    GST_P2P_SRC_PAD (walk->data)->flushing = TRUE;
    g_cond_broadcast (&GST_P2P_SRC_PAD (walk->data)->cond);
  }
  /* A pad may only be made inactive before or after it is added. */
  while (src->exposing > 0)
    g_cond_wait (&src->cond, &src->lock);
  g_mutex_unlock (&src->lock);
}

static void
remove_pads (GstP2pSrc *src)
{
  GList *pads, *walk;

  g_mutex_lock (&src->lock);
  pads = g_steal_pointer (&src->pads);
  gst_clear_object (&src->collection);
  src->collection_stale = FALSE;
  src->complete = src->end_wanted = FALSE;
  g_mutex_unlock (&src->lock);

  for (walk = pads; walk != NULL; walk = walk->next) {
    GstP2pSrcPad *pad = walk->data;

    gst_pad_set_active (GST_PAD_CAST (pad), FALSE);
    g_mutex_lock (&src->lock);
    gst_p2p_src_pad_clear (pad);
    g_mutex_unlock (&src->lock);
    if (pad->dead)
      continue; /* the worker takes it off the element */
    if (pad->exposed) {
      gst_flow_combiner_remove_pad (src->combiner, GST_PAD_CAST (pad));
      gst_element_remove_pad (GST_ELEMENT_CAST (src), GST_PAD_CAST (pad));
    }
  }
  g_list_free_full (pads, gst_object_unref);
}

static void
set_playing (GstP2pSrc *src, gboolean playing)
{
  GstClock *clock
      = playing ? gst_element_get_clock (GST_ELEMENT_CAST (src)) : NULL;
  GList *walk;

  g_mutex_lock (&src->lock);
  src->playing = playing;
  gst_clear_object (&src->clock);
  src->clock = clock;
  if (playing) {
    src->base_time = gst_element_get_base_time (GST_ELEMENT_CAST (src));
    src->start_us = g_get_monotonic_time ();
    /* Our running time stood still, the sender's did not. */
    p2p_timeline_reset (src->times->timeline);
    for (walk = src->pads; walk != NULL; walk = walk->next) {
      p2p_timeline_reset (GST_P2P_SRC_PAD (walk->data)->times->timeline);
      gst_p2p_src_pad_trim (walk->data, src->latency_us);
    }
    gst_p2p_src_map_queued (src);
  }
  gst_p2p_src_wake_pads (src);
  g_mutex_unlock (&src->lock);
}

static GstStateChangeReturn
gst_p2p_src_change_state (GstElement *element, GstStateChange transition)
{
  GstP2pSrc *src = GST_P2P_SRC (element);
  GstStateChangeReturn result;

  switch (transition) {
    case GST_STATE_CHANGE_NULL_TO_READY:
      if (!open_endpoint (src))
        return GST_STATE_CHANGE_FAILURE;
      break;
    case GST_STATE_CHANGE_READY_TO_PAUSED:
      if (!start (src))
        return GST_STATE_CHANGE_FAILURE;
      break;
    case GST_STATE_CHANGE_PAUSED_TO_PLAYING:
      set_playing (src, TRUE);
      break;
    case GST_STATE_CHANGE_PLAYING_TO_PAUSED:
      set_playing (src, FALSE);
      break;
    case GST_STATE_CHANGE_PAUSED_TO_READY:
      stop_session (src);
      break;
    default:
      break;
  }

  result = GST_ELEMENT_CLASS (gst_p2p_src_parent_class)
               ->change_state (element, transition);

  switch (transition) {
    case GST_STATE_CHANGE_READY_TO_PAUSED:
      if (result == GST_STATE_CHANGE_FAILURE) {
        stop_session (src);
        remove_pads (src);
        break;
      }
      /* Live: no data before PLAYING. */
      result = GST_STATE_CHANGE_NO_PREROLL;
      break;
    case GST_STATE_CHANGE_PLAYING_TO_PAUSED:
      if (result != GST_STATE_CHANGE_FAILURE)
        result = GST_STATE_CHANGE_NO_PREROLL;
      break;
    case GST_STATE_CHANGE_PAUSED_TO_READY:
      remove_pads (src);
      close_endpoint (src);
      break;
    case GST_STATE_CHANGE_READY_TO_NULL:
      close_endpoint (src);
      break;
    default:
      break;
  }
  return result;
}

/* -- URI handler ----------------------------------------------------------- */

static GstURIType
gst_p2p_src_uri_get_type (GType type)
{
  return GST_URI_SRC;
}

static const gchar *const *
gst_p2p_src_uri_get_protocols (GType type)
{
  static const gchar *const protocols[] = { "p2p", NULL };

  return protocols;
}

static gchar *
gst_p2p_src_uri_get_uri (GstURIHandler *handler)
{
  GstP2pSrc *src = GST_P2P_SRC (handler);
  gchar *uri;

  GST_OBJECT_LOCK (src);
  uri = g_strdup (src->settings.uri);
  GST_OBJECT_UNLOCK (src);
  return uri;
}

static gboolean
gst_p2p_src_uri_set_uri (GstURIHandler *handler, const gchar *uri,
                         GError **error)
{
  GstP2pSrc *src = GST_P2P_SRC (handler);
  gboolean late;

  GST_OBJECT_LOCK (src);
  late = GST_STATE (src) > GST_STATE_READY;
  GST_OBJECT_UNLOCK (src);
  if (late) {
    g_set_error (error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE,
                 "The URI can be changed in NULL and READY only");
    return FALSE;
  }
  if (!gst_p2p_uri_parse (uri, NULL, NULL, error))
    return FALSE;
  g_object_set (src, "uri", uri, NULL);
  return TRUE;
}

static void
gst_p2p_src_uri_handler_init (gpointer iface, gpointer data)
{
  GstURIHandlerInterface *handler = iface;

  handler->get_type = gst_p2p_src_uri_get_type;
  handler->get_protocols = gst_p2p_src_uri_get_protocols;
  handler->get_uri = gst_p2p_src_uri_get_uri;
  handler->set_uri = gst_p2p_src_uri_set_uri;
}

/* -- Object ---------------------------------------------------------------- */

static void
gst_p2p_src_send_command (GstP2pSrc *src, const gchar *peer, GBytes *command,
                          GstPromise *promise)
{
  g_mutex_lock (&src->lock);
  if (src->endpoint != NULL) {
    gst_p2p_send_command (src->endpoint, peer, command, promise);
    g_mutex_unlock (&src->lock);
    return;
  }
  g_mutex_unlock (&src->lock);
  gst_p2p_send_command (NULL, peer, command, promise);
}

static void
gst_p2p_src_set_property (GObject *object, guint id, const GValue *value,
                          GParamSpec *pspec)
{
  GstP2pSrc *src = GST_P2P_SRC (object);

  if (!gst_p2p_settings_set_property (&src->settings, GST_ELEMENT_CAST (src),
                                      id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
gst_p2p_src_get_property (GObject *object, guint id, GValue *value,
                          GParamSpec *pspec)
{
  GstP2pSrc *src = GST_P2P_SRC (object);

  if (id == PROP_STATS) {
    g_mutex_lock (&src->lock);
    g_value_take_boxed (value, gst_p2p_stats_structure_new (src->endpoint));
    g_mutex_unlock (&src->lock);
    return;
  }
  if (!gst_p2p_settings_get_property (&src->settings, GST_ELEMENT_CAST (src),
                                      id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
gst_p2p_src_finalize (GObject *object)
{
  GstP2pSrc *src = GST_P2P_SRC (object);

  gst_clear_object (&src->clock);
  gst_flow_combiner_unref (src->combiner);
  gst_p2p_times_unref (src->times);
  gst_p2p_settings_clear (&src->settings);
  g_free (src->params);
  g_cond_clear (&src->cond);
  g_mutex_clear (&src->lock);
  G_OBJECT_CLASS (gst_p2p_src_parent_class)->finalize (object);
}

static void
gst_p2p_src_class_init (GstP2pSrcClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (gst_p2p_src_debug, "p2psrc", 0,
                           "receives the streams of a device");

  object_class->set_property = gst_p2p_src_set_property;
  object_class->get_property = gst_p2p_src_get_property;
  object_class->finalize = gst_p2p_src_finalize;
  gst_p2p_settings_install (object_class, FALSE);
  gst_p2p_install_stats (
      object_class, PROP_STATS,
      "application/x-p2p-stats, with one structure for each peer");
  gst_p2p_src_command_signal
      = gst_p2p_install_commands (G_TYPE_FROM_CLASS (klass),
                                  G_CALLBACK (gst_p2p_src_send_command));

  element_class->change_state = gst_p2p_src_change_state;
  element_class->send_event = gst_p2p_src_send_event;
  element_class->query = gst_p2p_src_query;
  gst_element_class_add_static_pad_template_with_gtype (element_class,
                                                        &video_template,
                                                        GST_TYPE_P2P_SRC_PAD);
  gst_element_class_add_static_pad_template_with_gtype (element_class,
                                                        &audio_template,
                                                        GST_TYPE_P2P_SRC_PAD);
  gst_element_class_add_static_pad_template_with_gtype (element_class,
                                                        &data_template,
                                                        GST_TYPE_P2P_SRC_PAD);
  gst_element_class_set_static_metadata (
      element_class, "P2P Source", "Source/Network",
      "Receives audio, video and data straight from a device, through NATs, "
      "encrypted",
      "the iv-p2p authors <iv-p2p@iv-p2p.invalid>");
}

static void
gst_p2p_src_init (GstP2pSrc *src)
{
  gst_p2p_settings_init (&src->settings);
  g_mutex_init (&src->lock);
  g_cond_init (&src->cond);
  src->combiner = gst_flow_combiner_new ();
  src->times = gst_p2p_times_new ();
  GST_OBJECT_FLAG_SET (src, GST_ELEMENT_FLAG_SOURCE);
}
