/* The base of all video sources; see gstsocvideosrc.h.
 *
 * NULL to READY loads the vendor's libraries, so that what is missing is said
 * there; the encoder channel is made and started by the streaming thread when
 * it knows what downstream takes, which for a live source is in PLAYING.
 *
 * Threads and locks: gstsocvideosrc-private.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <string.h>

#include "gstsoccaps.h"
#include "gstsocenums.h"
#include "gstsocerror.h"
#include "gstsocvideosrc-private.h"

GST_DEBUG_CATEGORY_STATIC (soc_video_src_debug);
#define GST_CAT_DEFAULT soc_video_src_debug

G_DEFINE_ABSTRACT_TYPE_WITH_CODE (
    GstSocVideoSrc, gst_soc_video_src, GST_TYPE_PUSH_SRC,
    G_ADD_PRIVATE (GstSocVideoSrc)
        GST_DEBUG_CATEGORY_INIT (soc_video_src_debug, "socvideosrc", 0,
                                 "SoC video sources"));

#define PRIVATE(src) gst_soc_video_src_priv (src)

GstSocVideoSrcPrivate *
gst_soc_video_src_priv (GstSocVideoSrc *src)
{
  return gst_soc_video_src_get_instance_private (src);
}

static void
add_config (GstSocVideoSrc *src, HalContextConfig *context,
            HalStreamConfig *stream)
{
  GstSocVideoSrcClass *klass = GST_SOC_VIDEO_SRC_GET_CLASS (src);
  GstSocVideoSrcPrivate *priv = PRIVATE (src);

  GST_OBJECT_LOCK (src);
  context->sensor_config = priv->sensor_config;
  GST_OBJECT_UNLOCK (src);
  if (klass->add_config != NULL)
    klass->add_config (src, context, stream);
}

static gboolean
gst_soc_video_src_event (GstBaseSrc *base, GstEvent *event)
{
  if (gst_soc_video_src_handle_upstream (GST_SOC_VIDEO_SRC (base), event))
    return TRUE;
  return GST_BASE_SRC_CLASS (gst_soc_video_src_parent_class)
      ->event (base, event);
}

static gboolean
gst_soc_video_src_send_event (GstElement *element, GstEvent *event)
{
  if (gst_soc_video_src_handle_upstream (GST_SOC_VIDEO_SRC (element), event)) {
    gst_event_unref (event);
    return TRUE;
  }
  return GST_ELEMENT_CLASS (gst_soc_video_src_parent_class)
      ->send_event (element, event);
}

/* --- Opening and closing ------------------------------------------------- */

static gboolean
open_context (GstSocVideoSrc *src)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  GstSocVideoSrcClass *klass = GST_SOC_VIDEO_SRC_GET_CLASS (src);
  HalContextConfig config = { 0 };
  HalContext *context = NULL;
  HalStreamConfig stream;
  HalError error = { 0 };
  HalEnv env = { 0 };
  gchar *path, *refused;
  HalStatus status;

  GST_OBJECT_LOCK (src);
  path = g_strdup (priv->library_path);
  refused = g_strdup (priv->refused);
  stream = priv->want;
  GST_OBJECT_UNLOCK (src);
  if (refused != NULL) {
    GST_ELEMENT_ERROR (src, RESOURCE, SETTINGS, ("%s", refused), (NULL));
    g_free (refused);
    g_free (path);
    return FALSE;
  }
  env.library_path = path;
  add_config (src, &config, &stream);
  status = hal_stream_config_check (&stream, &error);
  if (status == HAL_OK)
    status
        = hal_context_acquire (klass->family, &env, &config, &context, &error);
  g_free (path);
  if (status != HAL_OK) {
    gst_soc_post_error (GST_ELEMENT (src), &error);
    return FALSE;
  }
  GST_OBJECT_LOCK (src);
  priv->context = context;
  GST_OBJECT_UNLOCK (src);
  GST_INFO_OBJECT (src, "%s %s, version '%s', chip '%s'",
                   hal_family_long_name (klass->family),
                   hal_context_info (context)->generation,
                   hal_context_info (context)->version,
                   hal_context_info (context)->chip);
  return TRUE;
}

static void
close_context (GstSocVideoSrc *src)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  HalContext *context;

  GST_OBJECT_LOCK (src);
  context = priv->context;
  priv->context = NULL;
  GST_OBJECT_UNLOCK (src);
  hal_context_release (context);
}

static void
close_stream (GstSocVideoSrc *src)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  GstSocReader *reader;
  HalStream *stream;

  g_mutex_lock (&priv->stream_lock);
  g_mutex_lock (&priv->reader_lock);
  reader = priv->reader;
  stream = priv->stream;
  priv->reader = NULL;
  priv->stream = NULL;
  g_mutex_unlock (&priv->reader_lock);
  g_mutex_unlock (&priv->stream_lock);
  gst_soc_reader_free (reader);
  hal_stream_destroy (stream);
}

/* Makes and starts the encoder channel with what properties and downstream
 * say. */
static gboolean
open_stream (GstSocVideoSrc *src, const GstCaps *allowed)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  HalContextConfig unused = { 0 };
  HalStreamConfig config;
  GstSocReader *reader = NULL;
  HalStream *stream = NULL;
  HalError error = { 0 };
  guint64 timeout;
  guint max_queued;
  HalStatus status;

  GST_OBJECT_LOCK (src);
  config = priv->want;
  timeout = priv->timeout;
  max_queued = priv->max_queued;
  GST_OBJECT_UNLOCK (src);
  add_config (src, &unused, &config);
  if (!gst_soc_caps_to_config (allowed, &config)) {
    GST_ELEMENT_ERROR (src, STREAM, FORMAT,
                       ("Downstream takes no %s.",
                        hal_codec_name (config.codec)),
                       ("set codec to what it takes, or add a parser; it takes "
                        "%" GST_PTR_FORMAT,
                        allowed));
    return FALSE;
  }
  status = hal_stream_create (priv->context, &config, &stream, &error);
  if (status == HAL_OK) {
    reader = gst_soc_reader_new (stream, max_queued,
                                 timeout != 0 ? timeout : G_MAXUINT64, &error);
    if (reader == NULL)
      hal_stream_destroy (stream);
  }
  if (reader == NULL) {
    gst_soc_post_error (GST_ELEMENT (src), &error);
    return FALSE;
  }
  /* Caps decided about the frame rate; of a stream that ran before, all was
   * decided elsewhere. */
  GST_OBJECT_LOCK (src);
  priv->want.fps_num = config.fps_num;
  priv->want.fps_den = config.fps_den;
  GST_OBJECT_UNLOCK (src);
  if (config.attach)
    gst_soc_video_src_adopt_settings (src, stream);
  g_mutex_lock (&priv->stream_lock);
  g_mutex_lock (&priv->reader_lock);
  priv->stream = stream;
  priv->reader = reader;
  gst_soc_reader_set_flushing (reader, priv->flushing);
  gst_soc_reader_set_discard (reader, priv->discard);
  g_mutex_unlock (&priv->reader_lock);
  g_mutex_unlock (&priv->stream_lock);
  return TRUE;
}

static gboolean
gst_soc_video_src_negotiate (GstBaseSrc *base)
{
  GstSocVideoSrc *src = GST_SOC_VIDEO_SRC (base);
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  GstCaps *mine, *allowed;
  gboolean good;

  /* The caps of what comes are set when it comes. */
  if (priv->stream != NULL)
    return TRUE;
  mine = gst_pad_get_pad_template_caps (GST_BASE_SRC_PAD (base));
  allowed = gst_pad_peer_query_caps (GST_BASE_SRC_PAD (base), mine);
  good = open_stream (src, allowed);
  gst_caps_unref (allowed);
  gst_caps_unref (mine);
  return good;
}

static gboolean
gst_soc_video_src_start (GstBaseSrc *base)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (GST_SOC_VIDEO_SRC (base));

  priv->timeline_jumps = G_MAXUINT64;
  priv->last_pts = GST_CLOCK_TIME_NONE;
  priv->discont = TRUE;
  priv->keyframe_wanted = priv->keyframe_asked = FALSE;
  priv->keyframe_asked_time = 0;
  GST_OBJECT_LOCK (base);
  priv->jumps = priv->pushed = priv->pushed_bytes = 0;
  priv->drift = 0;
  GST_OBJECT_UNLOCK (base);
  return TRUE;
}

static gboolean
gst_soc_video_src_stop (GstBaseSrc *base)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (GST_SOC_VIDEO_SRC (base));

  close_stream (GST_SOC_VIDEO_SRC (base));
  g_clear_pointer (&priv->timeline, gst_soc_timeline_unref);
  gst_clear_caps (&priv->caps);
  priv->caps_memo.valid = FALSE;
  return TRUE;
}

static void
set_flushing (GstBaseSrc *base, gboolean flushing)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (GST_SOC_VIDEO_SRC (base));

  g_mutex_lock (&priv->reader_lock);
  priv->flushing = flushing;
  if (priv->reader != NULL)
    gst_soc_reader_set_flushing (priv->reader, flushing);
  g_mutex_unlock (&priv->reader_lock);
}

static gboolean
gst_soc_video_src_unlock (GstBaseSrc *base)
{
  set_flushing (base, TRUE);
  return TRUE;
}

static gboolean
gst_soc_video_src_unlock_stop (GstBaseSrc *base)
{
  set_flushing (base, FALSE);
  return TRUE;
}

static void
set_discard (GstSocVideoSrc *src, gboolean discard)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);

  g_mutex_lock (&priv->reader_lock);
  priv->discard = discard;
  if (priv->reader != NULL)
    gst_soc_reader_set_discard (priv->reader, discard);
  g_mutex_unlock (&priv->reader_lock);
}

static GstStateChangeReturn
gst_soc_video_src_change_state (GstElement *element, GstStateChange transition)
{
  GstSocVideoSrc *src = GST_SOC_VIDEO_SRC (element);
  GstStateChangeReturn result;

  switch (transition) {
    case GST_STATE_CHANGE_NULL_TO_READY:
      if (!open_context (src))
        return GST_STATE_CHANGE_FAILURE;
      break;
    case GST_STATE_CHANGE_PAUSED_TO_PLAYING:
      set_discard (src, FALSE);
      break;
    default:
      break;
  }
  result = GST_ELEMENT_CLASS (gst_soc_video_src_parent_class)
               ->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED)
    set_discard (src, TRUE);
  else if (transition == GST_STATE_CHANGE_READY_TO_NULL
           || (transition == GST_STATE_CHANGE_NULL_TO_READY
               && result == GST_STATE_CHANGE_FAILURE))
    close_context (src);
  return result;
}

/* --- Frames ----------------------------------------------------------------
 */

static GstClockTime
frame_interval (GstSocVideoSrc *src)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  guint num, den;

  GST_OBJECT_LOCK (src);
  num = priv->want.fps_num;
  den = priv->want.fps_den;
  GST_OBJECT_UNLOCK (src);
  return gst_util_uint64_scale_int (GST_SECOND, (gint)den, (gint)num);
}

static void
put_times (GstSocVideoSrc *src, const GstSocFrame *frame)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  GstClock *clock = gst_element_get_clock (GST_ELEMENT (src));
  GstClockTime base = gst_element_get_base_time (GST_ELEMENT (src));
  GstClockTime interval = frame_interval (src), pts = 0;
  GstSocTimeline *timeline;
  gboolean jumped = FALSE;

  if (clock != NULL) {
    /* The timeline of this clock; it is the same one nearly always. */
    timeline = gst_soc_timeline_get (priv->context, clock);
    if (timeline != priv->timeline)
      priv->timeline_jumps = G_MAXUINT64;
    gst_soc_timeline_unref (priv->timeline);
    priv->timeline = timeline;
    pts = gst_soc_timeline_map (timeline, frame->pts, interval,
                                &priv->timeline_jumps, &jumped);
    pts = pts > base ? pts - base : 0;
    gst_object_unref (clock);
  }
  if (GST_CLOCK_TIME_IS_VALID (priv->last_pts) && pts <= priv->last_pts)
    pts = priv->last_pts + 1;
  priv->last_pts = pts;
  GST_BUFFER_PTS (frame->buffer) = GST_BUFFER_DTS (frame->buffer) = pts;
  GST_BUFFER_DURATION (frame->buffer) = interval;
  GST_OBJECT_LOCK (src);
  priv->jumps += jumped;
  if (priv->timeline != NULL)
    priv->drift = gst_soc_timeline_drift (priv->timeline);
  priv->pushed++;
  priv->pushed_bytes += gst_buffer_get_size (frame->buffer);
  GST_OBJECT_UNLOCK (src);
  priv->discont |= jumped;
  if (priv->discont)
    GST_BUFFER_FLAG_SET (frame->buffer, GST_BUFFER_FLAG_DISCONT);
  priv->discont = FALSE;
}

/* Caps by the parameter sets of a keyframe, if they are others than before. */
static gboolean
put_caps (GstSocVideoSrc *src, GstBuffer *buffer)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  HalStreamConfig config;
  GstMapInfo map;
  GstCaps *caps;
  gboolean good = TRUE, same;

  hal_stream_get_config (priv->stream, &config);
  gst_buffer_map (buffer, &map, GST_MAP_READ);
  caps = gst_soc_caps_from_frame (config.codec, map.data, map.size, &config,
                                  &priv->caps_memo, &same);
  gst_buffer_unmap (buffer, &map);
  if (same)
    return TRUE;
  if (caps == NULL && priv->caps == NULL) {
    GST_ELEMENT_ERROR (
        src, STREAM, FORMAT,
        ("The first keyframe has no parameter sets that can be read."), (NULL));
    return FALSE;
  }
  if (caps != NULL
      && (priv->caps == NULL || !gst_caps_is_equal (caps, priv->caps))) {
    GST_INFO_OBJECT (src, "caps %" GST_PTR_FORMAT, caps);
    good = gst_base_src_set_caps (GST_BASE_SRC (src), caps);
    gst_caps_replace (&priv->caps, caps);
  }
  gst_clear_caps (&caps);
  return good;
}

static GstFlowReturn
gst_soc_video_src_create (GstPushSrc *push, GstBuffer **ret_buffer)
{
  GstSocVideoSrc *src = GST_SOC_VIDEO_SRC (push);
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  HalError error = { 0 };
  GstSocFrame frame;

  if (!gst_soc_reader_pop (priv->reader, &frame, &error)) {
    if (error.status == HAL_INTERRUPTED)
      return GST_FLOW_FLUSHING;
    gst_soc_post_error (GST_ELEMENT (src), &error);
    return GST_FLOW_ERROR;
  }
  if (frame.key && !put_caps (src, frame.buffer)) {
    gst_buffer_unref (frame.buffer);
    return GST_FLOW_NOT_NEGOTIATED;
  }
  put_times (src, &frame);
  if (frame.key)
    gst_soc_video_src_answer_keyframe (src, GST_BUFFER_PTS (frame.buffer));
  gst_soc_video_src_ask_keyframe (src);
  GST_LOG_OBJECT (src, "%" GST_PTR_FORMAT, frame.buffer);
  *ret_buffer = frame.buffer;
  return GST_FLOW_OK;
}

static gboolean
gst_soc_video_src_query (GstBaseSrc *base, GstQuery *query)
{
  GstSocVideoSrc *src = GST_SOC_VIDEO_SRC (base);
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  GstClockTime interval;
  guint max_queued;

  if (GST_QUERY_TYPE (query) != GST_QUERY_LATENCY)
    return GST_BASE_SRC_CLASS (gst_soc_video_src_parent_class)
        ->query (base, query);
  interval = frame_interval (src);
  GST_OBJECT_LOCK (src);
  max_queued = priv->max_queued;
  GST_OBJECT_UNLOCK (src);
  gst_query_set_latency (query, TRUE, interval, interval * max_queued);
  return TRUE;
}

/* --- The class ---------------------------------------------------------- */

static void
gst_soc_video_src_finalize (GObject *object)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (GST_SOC_VIDEO_SRC (object));

  g_free (priv->library_path);
  g_free (priv->refused);
  g_mutex_clear (&priv->stream_lock);
  g_mutex_clear (&priv->reader_lock);
  g_mutex_clear (&priv->keyframe_lock);
  G_OBJECT_CLASS (gst_soc_video_src_parent_class)->finalize (object);
}

static void
gst_soc_video_src_init (GstSocVideoSrc *src)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);

  g_mutex_init (&priv->stream_lock);
  g_mutex_init (&priv->reader_lock);
  g_mutex_init (&priv->keyframe_lock);
  gst_soc_video_src_init_settings (src);
  gst_base_src_set_live (GST_BASE_SRC (src), TRUE);
  gst_base_src_set_format (GST_BASE_SRC (src), GST_FORMAT_TIME);
  gst_base_src_set_do_timestamp (GST_BASE_SRC (src), FALSE);
}

static void
gst_soc_video_src_class_init (GstSocVideoSrcClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSrcClass *base_class = GST_BASE_SRC_CLASS (klass);

  object_class->finalize = gst_soc_video_src_finalize;
  element_class->change_state = gst_soc_video_src_change_state;
  element_class->send_event = gst_soc_video_src_send_event;
  base_class->negotiate = gst_soc_video_src_negotiate;
  base_class->start = gst_soc_video_src_start;
  base_class->stop = gst_soc_video_src_stop;
  base_class->unlock = gst_soc_video_src_unlock;
  base_class->unlock_stop = gst_soc_video_src_unlock_stop;
  base_class->event = gst_soc_video_src_event;
  base_class->query = gst_soc_video_src_query;
  GST_PUSH_SRC_CLASS (klass)->create = gst_soc_video_src_create;
  gst_soc_video_src_install_properties (object_class);
  gst_soc_video_src_install_signals (object_class);
  gst_type_mark_as_plugin_api (GST_TYPE_SOC_VIDEO_SRC, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_SOC_CODEC, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_SOC_RATE_CONTROL, 0);
}

void
gst_soc_video_src_class_setup (GstSocVideoSrcClass *klass,
                               const HalFamily *family, const gchar *long_name,
                               const gchar *description)
{
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstCaps *caps = gst_soc_caps_template ();

  klass->family = family;
  gst_element_class_set_metadata (element_class, long_name,
                                  "Source/Video/Hardware", description,
                                  "the iv-p2p authors <iv-p2p@iv-p2p.invalid>");
  gst_element_class_add_pad_template (element_class,
                                      gst_pad_template_new ("src", GST_PAD_SRC,
                                                            GST_PAD_ALWAYS,
                                                            caps));
  gst_caps_unref (caps);
}
