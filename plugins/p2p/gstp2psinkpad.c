/* A request pad of p2psink: properties, events, queries, and the stream that it
 * publishes. What happens to data is in gstp2psinkrender.c.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: the pad's streaming thread runs the event function for serialized
 * events; the network thread runs the stream's callbacks, which take the sink's
 * lock shortly and push nothing; key unit requests go upstream from GStreamer's
 * worker for asynchronous calls.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <gst/video/video.h>
#include <string.h>
#include "gstp2pcaps.h"
#include "gstp2psink.h"

#define GST_CAT_DEFAULT gst_p2p_sink_debug

enum {
  PROP_0,
  PROP_DEADLINE,
  PROP_MATCH,
  PROP_PRIORITY,
};

#define DEFAULT_DEADLINE -1
#define MAX_DEADLINE_MS 60000
#define DEFAULT_PRIORITY -1
#define MAX_PRIORITY 255

G_DEFINE_TYPE (GstP2pSinkPad, gst_p2p_sink_pad, GST_TYPE_PAD)

/* NULL: the pad is on no element (any more). Unref it. */
static GstP2pSink *
get_sink (GstP2pSinkPad *pad)
{
  GstElement *parent = gst_pad_get_parent_element (GST_PAD_CAST (pad));

  return parent != NULL ? GST_P2P_SINK (parent) : NULL;
}

/* -- The stream ------------------------------------------------------------ */

typedef struct
{
  GstP2pSinkPad *pad;
  gboolean all_headers;
} KeyUnit;

static void
key_unit_free (gpointer data)
{
  KeyUnit *key_unit = data;

  gst_object_unref (key_unit->pad);
  g_free (key_unit);
}

static void
send_key_unit (GstElement *element, gpointer data)
{
  KeyUnit *key_unit = data;
  GstP2pSinkPad *pad = key_unit->pad;
  GstEvent *event;

  /* From here on another request is a new one. */
  g_atomic_int_set (&pad->key_unit_pending, 0);
  event = gst_video_event_new_upstream_force_key_unit (GST_CLOCK_TIME_NONE,
                                                       key_unit->all_headers,
                                                       pad->key_units++);
  GST_DEBUG_OBJECT (pad, "asking upstream for a key unit");
  if (!gst_pad_push_event (GST_PAD_CAST (pad), event))
    GST_DEBUG_OBJECT (pad, "nobody upstream makes key units");
}

static void
on_key_unit (P2pStream *stream, gboolean all_headers, gpointer user)
{
  GstP2pSinkPad *pad = user;
  GstP2pSink *sink;
  KeyUnit *key_unit;

  if (pad->kind == P2P_WIRE_AUDIO)
    return;
  if (!g_atomic_int_compare_and_exchange (&pad->key_unit_pending, 0, 1))
    return;
  sink = get_sink (pad);
  if (sink == NULL) {
    g_atomic_int_set (&pad->key_unit_pending, 0);
    return;
  }
  key_unit = g_new (KeyUnit, 1);
  key_unit->pad = gst_object_ref (pad);
  key_unit->all_headers = all_headers;
  /* Elements upstream may take their time, which the network has not. */
  gst_element_call_async (GST_ELEMENT_CAST (sink), send_key_unit, key_unit,
                          key_unit_free);
  gst_object_unref (sink);
}

static void
on_writable (P2pStream *stream, gpointer user)
{
  GstP2pSinkPad *pad = user;
  GstP2pSink *sink = get_sink (pad);

  if (sink == NULL)
    return;
  g_mutex_lock (&sink->lock);
  pad->writable_count++;
  g_cond_broadcast (&pad->cond);
  g_mutex_unlock (&sink->lock);
  gst_object_unref (sink);
}

static guint64
on_targets (P2pStream *stream, BitrateViewer *viewers, gsize n, gpointer user)
{
  GstP2pSinkPad *pad = user;
  GstP2pSink *sink = get_sink (pad);
  guint64 nominal = 0;

  if (sink != NULL && pad->follow != NULL)
    nominal = gst_p2p_follow_update (pad->follow, GST_ELEMENT_CAST (sink),
                                     GST_PAD_CAST (pad), viewers, n);
  g_clear_object (&sink);
  return nominal;
}

/* `name` is borrowed. */
static void
fill_config (GstP2pSinkPad *pad, const gchar *name, P2pStreamConfig *config)
{
  memset (config, 0, sizeof *config);
  config->kind = pad->kind;
  config->name = name;
  config->match = pad->match;
  config->priority = pad->priority;
  config->deadline_ms = pad->deadline;
}

void
gst_p2p_sink_pad_publish (GstP2pSinkPad *pad, P2pEndpoint *endpoint,
                          P2pOffer *offer)
{
  static const P2pStreamCallbacks callbacks
      = { on_key_unit, on_writable, on_targets };
  P2pStreamConfig config;
  gchar *name;

  if (pad->stream != NULL || endpoint == NULL)
    return;
  name = gst_pad_get_name (pad);
  fill_config (pad, name, &config);
  config.offer = offer;
  pad->stream = p2p_endpoint_publish (endpoint, &config, &callbacks, pad);
  g_free (name);
}

P2pStream *
gst_p2p_sink_pad_steal_stream (GstP2pSinkPad *pad)
{
  return g_steal_pointer (&pad->stream);
}

void
gst_p2p_sink_pad_wake (GstP2pSinkPad *pad)
{
  if (pad->clock_id != NULL)
    gst_clock_id_unschedule (pad->clock_id);
  g_cond_broadcast (&pad->cond);
}

/* -- An encoder that follows ----------------------------------------------- */

/* The one that the sink's setting is for: of the pads for video, the one that
 * has been there longest. */
static gboolean
is_first_video (GstP2pSinkPad *pad, GstP2pSink *sink)
{
  GList *pads = gst_p2p_sink_get_pads (sink), *walk = pads;
  gboolean first;

  while (walk != NULL && GST_P2P_SINK_PAD (walk->data)->kind != P2P_WIRE_VIDEO)
    walk = walk->next;
  first = walk != NULL && walk->data == pad;
  gst_p2p_sink_free_pads (pads);
  return first;
}

static void
follow_stop (GstP2pSinkPad *pad, GstP2pSink *sink)
{
  if (pad->follow != NULL)
    gst_p2p_follow_stop (pad->follow, GST_ELEMENT_CAST (sink),
                         GST_PAD_CAST (pad));
}

/* Pictures that each stand alone have a quality, not a bit rate. */
static void
follow_caps (GstP2pSinkPad *pad, GstP2pSink *sink, GstCaps *caps)
{
  const GstStructure *structure = gst_caps_get_structure (caps, 0);
  gboolean flushing;

  if (pad->follow == NULL)
    return;
  if (gst_structure_has_name (structure, "image/jpeg")) {
    follow_stop (pad, sink);
    return;
  }
  gst_p2p_follow_start (pad->follow, GST_ELEMENT_CAST (sink),
                        GST_PAD_CAST (pad), is_first_video (pad, sink));
  /* The pad may have become inactive meanwhile, and nothing stops it then. */
  g_mutex_lock (&sink->lock);
  flushing = pad->flushing;
  g_mutex_unlock (&sink->lock);
  if (flushing)
    follow_stop (pad, sink);
}

void
gst_p2p_sink_pad_look (GstP2pSinkPad *pad, GstP2pSink *sink)
{
  if (pad->follow != NULL)
    gst_p2p_follow_look (pad->follow, GST_ELEMENT_CAST (sink),
                         GST_PAD_CAST (pad));
}

/* -- Events ---------------------------------------------------------------- */

static void
forget_headers (GstP2pSinkPad *pad)
{
  g_list_free_full (pad->headers, (GDestroyNotify)gst_buffer_unref);
  pad->headers = NULL;
}

/* What a format lacks that video and audio pads take in another form. NULL: it
 * is none of those. */
static const gchar *
find_hint (GstCaps *caps)
{
  static const struct
  {
    const gchar *name, *hint;
  } hints[] = {
    { "video/x-h264", "H.264 is taken as stream-format=byte-stream, "
                      "alignment=au: put h264parse in front" },
    { "video/x-h265", "H.265 is taken as stream-format=byte-stream, "
                      "alignment=au: put h265parse in front" },
    { "video/x-raw", "Video is taken encoded: put an encoder in front, "
                     "x264enc for example" },
    { "audio/x-raw", "Audio is taken encoded: put an encoder in front, "
                     "avenc_aac or opusenc for example" },
  };
  guint i;

  if (gst_caps_get_size (caps) != 1)
    return NULL;
  for (i = 0; i < G_N_ELEMENTS (hints); i++) {
    if (gst_structure_has_name (gst_caps_get_structure (caps, 0),
                                hints[i].name))
      return hints[i].hint;
  }
  return NULL;
}

/* A data pad takes anything, and so it is where a link ends that fits nowhere
 * else: raw pictures, an H.264 that was not parsed. Who means it names the pad.
 */
static gboolean
is_stray (GstP2pSinkPad *pad, GstCaps *caps, GError **error)
{
  const gchar *hint = find_hint (caps);

  if (pad->kind != P2P_WIRE_DATA || pad->named || hint == NULL)
    return FALSE;
  g_set_error_literal (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT, hint);
  return TRUE;
}

static gboolean
set_caps (GstP2pSinkPad *pad, GstP2pSink *sink, GstCaps *caps)
{
  GError *error = NULL;
  gchar *text;
  gboolean ok;

  if (is_stray (pad, caps, &error))
    goto refused;
  text = gst_p2p_caps_to_wire (caps, &error);
  if (text == NULL)
    goto refused;
  GST_DEBUG_OBJECT (pad, "caps %s", text);
  ok = pad->stream != NULL && p2p_stream_set_caps (pad->stream, text);
  g_free (text);
  if (!ok) {
    g_set_error (&error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
                 "The session does not take this format");
    goto refused;
  }

  pad->have_caps = TRUE;
  pad->refusal_told = FALSE;
  /* Only containers have headers that count as data: a codec's are in its
   * frames, or in its caps alone. */
  forget_headers (pad);
  if (pad->kind == P2P_WIRE_DATA)
    pad->headers = gst_p2p_caps_get_headers (caps);
  return TRUE;

refused:
  if (!pad->refusal_told)
    GST_ELEMENT_ERROR (sink, STREAM, FORMAT, ("%s", error->message),
                       ("pad %s, caps %" GST_PTR_FORMAT, GST_PAD_NAME (pad),
                        caps));
  pad->refusal_told = TRUE;
  g_error_free (error);
  return FALSE;
}

static void
set_flushing (GstP2pSinkPad *pad, GstP2pSink *sink, gboolean flushing)
{
  g_mutex_lock (&sink->lock);
  pad->flushing = flushing;
  gst_p2p_sink_pad_wake (pad);
  g_mutex_unlock (&sink->lock);
}

static void
flush_stop (GstP2pSinkPad *pad, GstP2pSink *sink, GstEvent *event)
{
  gboolean reset_time;

  gst_event_parse_flush_stop (event, &reset_time);
  g_mutex_lock (&sink->lock);
  pad->flushing = FALSE;
  pad->eos = FALSE;
  sink->eos_posted = FALSE;
  if (reset_time && gst_event_get_seqnum (event) != sink->flush_seqnum) {
    sink->flush_seqnum = gst_event_get_seqnum (event);
    sink->rebase = TRUE;
  }
  g_mutex_unlock (&sink->lock);
  gst_segment_init (&pad->segment, GST_FORMAT_UNDEFINED);
  pad->live_known = FALSE;
}

static void
stream_start (GstP2pSinkPad *pad, GstP2pSink *sink)
{
  g_mutex_lock (&sink->lock);
  pad->eos = FALSE;
  sink->eos_posted = FALSE;
  g_mutex_unlock (&sink->lock);
  pad->live_known = FALSE;
}

static void
end_of_stream (GstP2pSinkPad *pad, GstP2pSink *sink, guint32 seqnum)
{
  if (pad->stream != NULL)
    p2p_stream_end (pad->stream);
  /* The application may stop us as soon as it hears of the end. */
  gst_p2p_sink_pad_drain (pad, sink);
  g_mutex_lock (&sink->lock);
  pad->eos = !pad->flushing;
  g_mutex_unlock (&sink->lock);
  gst_p2p_sink_check_eos (sink, seqnum);
}

static gboolean
sink_pad_event (GstPad *gpad, GstObject *parent, GstEvent *event)
{
  GstP2pSinkPad *pad = GST_P2P_SINK_PAD (gpad);
  GstP2pSink *sink = GST_P2P_SINK (parent);
  gboolean ok = TRUE;
  GstClockTime timestamp, duration;
  GstCaps *caps;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      stream_start (pad, sink);
      break;
    case GST_EVENT_CAPS:
      gst_event_parse_caps (event, &caps);
      ok = set_caps (pad, sink, caps);
      if (ok)
        follow_caps (pad, sink, caps);
      break;
    case GST_EVENT_SEGMENT:
      gst_event_copy_segment (event, &pad->segment);
      pad->live_known = FALSE;
      break;
    case GST_EVENT_GAP:
      gst_event_parse_gap (event, &timestamp, &duration);
      gst_p2p_sink_pad_render_gap (pad, sink, timestamp, duration);
      break;
    case GST_EVENT_EOS:
      end_of_stream (pad, sink, gst_event_get_seqnum (event));
      break;
    case GST_EVENT_FLUSH_START:
      set_flushing (pad, sink, TRUE);
      break;
    case GST_EVENT_FLUSH_STOP:
      flush_stop (pad, sink, event);
      break;
    default:
      /* A sink: nothing goes further. */
      break;
  }
  gst_event_unref (event);
  return ok;
}

/* -- Queries --------------------------------------------------------------- */

static void
explain_refusal (GstP2pSinkPad *pad, GstQuery *query)
{
  const gchar *hint;
  GstCaps *caps;

  gst_query_parse_accept_caps (query, &caps);
  hint = find_hint (caps);
  GST_WARNING_OBJECT (pad, "%" GST_PTR_FORMAT " is not taken here. %s", caps,
                      hint != NULL ? hint : "Data pads take any format");
}

static gboolean
sink_pad_query (GstPad *gpad, GstObject *parent, GstQuery *query)
{
  GstP2pSinkPad *pad = GST_P2P_SINK_PAD (gpad);
  const GstStructure *structure;
  gboolean ok, accepted;

  switch (GST_QUERY_TYPE (query)) {
    case GST_QUERY_ACCEPT_CAPS:
      ok = gst_pad_query_default (gpad, parent, query);
      if (ok) {
        gst_query_parse_accept_caps_result (query, &accepted);
        if (!accepted)
          explain_refusal (pad, query);
      }
      return ok;
    case GST_QUERY_ALLOCATION:
      return FALSE;
    case GST_QUERY_CUSTOM:
      structure = gst_query_get_structure (query);
      if (structure != NULL
          && gst_structure_has_name (structure, "iv-sink-level"))
        return gst_p2p_sink_answer_level (GST_P2P_SINK (parent), pad, query);
      return FALSE;
    default:
      return gst_pad_query_default (gpad, parent, query);
  }
}

/* -- Activation ------------------------------------------------------------ */

static gboolean
sink_pad_activate_mode (GstPad *gpad, GstObject *parent, GstPadMode mode,
                        gboolean active)
{
  GstP2pSinkPad *pad = GST_P2P_SINK_PAD (gpad);

  if (mode != GST_PAD_MODE_PUSH)
    return FALSE;
  if (active) {
    /* No streaming thread yet. */
    gst_segment_init (&pad->segment, GST_FORMAT_UNDEFINED);
    pad->have_caps = pad->refusal_told = FALSE;
    forget_headers (pad);
  }
  if (parent == NULL) {
    /* Not added yet: nobody else knows the pad. */
    pad->flushing = !active;
    return TRUE;
  }
  set_flushing (pad, GST_P2P_SINK (parent), !active);
  if (!active)
    follow_stop (pad, GST_P2P_SINK (parent));
  if (active)
    stream_start (pad, GST_P2P_SINK (parent));
  return TRUE;
}

/* -- Object ---------------------------------------------------------------- */

static void
gst_p2p_sink_pad_set_property (GObject *object, guint id, const GValue *value,
                               GParamSpec *pspec)
{
  GstP2pSinkPad *pad = GST_P2P_SINK_PAD (object);
  GstP2pSink *sink = get_sink (pad);
  P2pStreamConfig config;
  gchar *name;

  if (sink != NULL)
    g_mutex_lock (&sink->lock);
  switch (id) {
    case PROP_DEADLINE:
      pad->deadline = g_value_get_int (value);
      break;
    case PROP_MATCH:
      g_free (pad->match);
      pad->match = g_value_dup_string (value);
      break;
    case PROP_PRIORITY:
      pad->priority = g_value_get_int (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  if (pad->stream != NULL) {
    name = gst_pad_get_name (pad);
    fill_config (pad, name, &config);
    p2p_stream_set_config (pad->stream, &config);
    g_free (name);
  }
  if (sink != NULL) {
    g_mutex_unlock (&sink->lock);
    gst_object_unref (sink);
  }
}

static void
gst_p2p_sink_pad_get_property (GObject *object, guint id, GValue *value,
                               GParamSpec *pspec)
{
  GstP2pSinkPad *pad = GST_P2P_SINK_PAD (object);
  GstP2pSink *sink = get_sink (pad);

  if (sink != NULL)
    g_mutex_lock (&sink->lock);
  switch (id) {
    case PROP_DEADLINE:
      g_value_set_int (value, pad->deadline);
      break;
    case PROP_MATCH:
      g_value_set_string (value, pad->match);
      break;
    case PROP_PRIORITY:
      g_value_set_int (value, pad->priority);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  if (sink != NULL) {
    g_mutex_unlock (&sink->lock);
    gst_object_unref (sink);
  }
}

static void
gst_p2p_sink_pad_finalize (GObject *object)
{
  GstP2pSinkPad *pad = GST_P2P_SINK_PAD (object);

  g_assert (pad->stream == NULL);
  forget_headers (pad);
  g_clear_pointer (&pad->follow, gst_p2p_follow_unref);
  g_free (pad->match);
  g_cond_clear (&pad->cond);
  G_OBJECT_CLASS (gst_p2p_sink_pad_parent_class)->finalize (object);
}

static void
gst_p2p_sink_pad_class_init (GstP2pSinkPadClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GParamFlags flags
      = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

  object_class->set_property = gst_p2p_sink_pad_set_property;
  object_class->get_property = gst_p2p_sink_pad_get_property;
  object_class->finalize = gst_p2p_sink_pad_finalize;

  g_object_class_install_property (
      object_class, PROP_DEADLINE,
      g_param_spec_int (
          "deadline", "Deadline",
          "Milliseconds after which a frame is no longer worth sending; 0: "
          "never dropped; -1: what the receiver's latency allows, on data pads "
          "0",
          -1, MAX_DEADLINE_MS, DEFAULT_DEADLINE, flags));
  g_object_class_install_property (
      object_class, PROP_MATCH,
      g_param_spec_string ("match", "Match",
                           "Which requests this pad answers, for example "
                           "action=live&channel=0; unset: every live one",
                           NULL, flags));
  g_object_class_install_property (
      object_class, PROP_PRIORITY,
      g_param_spec_int (
          "priority", "Priority",
          "Place in the order of sending, 0 is the highest; -1: by kind", -1,
          MAX_PRIORITY, DEFAULT_PRIORITY, flags));
}

static void
gst_p2p_sink_pad_init (GstP2pSinkPad *pad)
{
  g_cond_init (&pad->cond);
  pad->deadline = DEFAULT_DEADLINE;
  pad->priority = DEFAULT_PRIORITY;
  gst_segment_init (&pad->segment, GST_FORMAT_UNDEFINED);
}

GstPad *
gst_p2p_sink_pad_new (GstPadTemplate *templ, const gchar *name,
                      P2pWireKind kind, gboolean named,
                      GstP2pFollowSettings *follow)
{
  GstP2pSinkPad *pad
      = g_object_new (GST_TYPE_P2P_SINK_PAD, "name", name, "direction",
                      GST_PAD_SINK, "template", templ, NULL);
  GstPad *gpad = GST_PAD_CAST (pad);

  pad->kind = kind;
  pad->named = named;
  if (kind == P2P_WIRE_VIDEO)
    pad->follow = gst_p2p_follow_new (follow);
  gst_pad_set_activatemode_function (gpad, sink_pad_activate_mode);
  gst_pad_set_event_function (gpad, sink_pad_event);
  gst_pad_set_query_function (gpad, sink_pad_query);
  gst_pad_set_chain_function (gpad, gst_p2p_sink_pad_chain);
  gst_pad_set_chain_list_function (gpad, gst_p2p_sink_pad_chain_list);
  return gpad;
}
