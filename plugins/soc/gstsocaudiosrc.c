/* The base of all audio sources; see gstsocaudiosrc.h.
 *
 * Threads: the streaming thread reads, copies and gives back; `timeline` and
 * what follows from caps are its own. What unlock does is gstsocaudio.c's.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstsocaudiosrc.h"

#include <string.h>

#include "gstsocaudio.h"
#include "gstsocerror.h"
#include "gstsoctimeline.h"

GST_DEBUG_CATEGORY_STATIC (soc_audio_src_debug);
#define GST_CAT_DEFAULT soc_audio_src_debug

#define BYTES_PER_SAMPLE 2
#define DEFAULT_RATE 8000
#define DEFAULT_CHANNELS 1
#define DEFAULT_TIMEOUT (5 * GST_SECOND)
#define CAPS                                                                   \
  "audio/x-raw, format = (string) " GST_AUDIO_S16LE                            \
  ", layout = (string) interleaved, rate = (int) [ 8000, 96000 ], "            \
  "channels = (int) [ 1, 2 ]"
#define GST_AUDIO_S16LE "S16LE"

typedef struct
{
  GstSocAudio audio;

  guint64 timeout; /* protected by the object lock */

  /* Of the streaming thread. */
  HalAudioConfig config;
  GstSocTimeline *timeline;
  guint64 timeline_jumps;
  GstClockTime next_pts;
  gboolean discont;
  GstBufferPool *pool;
} GstSocAudioSrcPrivate;

enum {
  PROP_TIMEOUT = GST_SOC_AUDIO_PROP_LAST,
};

G_DEFINE_ABSTRACT_TYPE_WITH_CODE (
    GstSocAudioSrc, gst_soc_audio_src, GST_TYPE_PUSH_SRC,
    G_ADD_PRIVATE (GstSocAudioSrc)
        GST_DEBUG_CATEGORY_INIT (soc_audio_src_debug, "socaudiosrc", 0,
                                 "SoC audio sources"));

#define PRIVATE(src) gst_soc_audio_src_get_instance_private (src)

static GstSocAudio *
audio_of (gpointer src)
{
  GstSocAudioSrcPrivate *priv = PRIVATE (GST_SOC_AUDIO_SRC (src));

  return &priv->audio;
}

static void
gst_soc_audio_src_set_property (GObject *object, guint id, const GValue *value,
                                GParamSpec *pspec)
{
  GstSocAudioSrcPrivate *priv = PRIVATE (GST_SOC_AUDIO_SRC (object));

  GST_OBJECT_LOCK (object);
  if (id == PROP_TIMEOUT)
    priv->timeout = g_value_get_uint64 (value);
  else if (!gst_soc_audio_set_property (&priv->audio, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  GST_OBJECT_UNLOCK (object);
}

static void
gst_soc_audio_src_get_property (GObject *object, guint id, GValue *value,
                                GParamSpec *pspec)
{
  GstSocAudioSrcPrivate *priv = PRIVATE (GST_SOC_AUDIO_SRC (object));

  GST_OBJECT_LOCK (object);
  if (id == PROP_TIMEOUT)
    g_value_set_uint64 (value, priv->timeout);
  else if (!gst_soc_audio_get_property (&priv->audio, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  GST_OBJECT_UNLOCK (object);
}

static GstStateChangeReturn
gst_soc_audio_src_change_state (GstElement *element, GstStateChange transition)
{
  return gst_soc_audio_change_state (
      audio_of (element), element,
      GST_ELEMENT_CLASS (gst_soc_audio_src_parent_class),
      GST_SOC_AUDIO_SRC_GET_CLASS (element)->family, transition);
}

static GstCaps *
gst_soc_audio_src_fixate (GstBaseSrc *base, GstCaps *caps)
{
  GstStructure *structure;

  caps = gst_caps_make_writable (gst_caps_truncate (caps));
  structure = gst_caps_get_structure (caps, 0);
  gst_structure_fixate_field_nearest_int (structure, "rate", DEFAULT_RATE);
  gst_structure_fixate_field_nearest_int (structure, "channels",
                                          DEFAULT_CHANNELS);
  return GST_BASE_SRC_CLASS (gst_soc_audio_src_parent_class)
      ->fixate (base, caps);
}

static void
close_audio (GstSocAudioSrc *src)
{
  GstSocAudioSrcPrivate *priv = PRIVATE (src);

  gst_soc_audio_close (&priv->audio);
  if (priv->pool != NULL)
    gst_buffer_pool_set_active (priv->pool, FALSE);
  gst_clear_object (&priv->pool);
}

static gsize
frame_bytes (const HalAudioConfig *config)
{
  return (gsize)config->samples * config->channels * BYTES_PER_SAMPLE;
}

static gboolean
make_pool (GstSocAudioSrc *src, GstCaps *caps)
{
  GstSocAudioSrcPrivate *priv = PRIVATE (src);
  GstStructure *config;

  priv->pool = gst_buffer_pool_new ();
  config = gst_buffer_pool_get_config (priv->pool);
  gst_buffer_pool_config_set_params (config, caps,
                                     (guint)frame_bytes (&priv->config), 2, 0);
  return gst_buffer_pool_set_config (priv->pool, config)
         && gst_buffer_pool_set_active (priv->pool, TRUE);
}

static gboolean
gst_soc_audio_src_set_caps (GstBaseSrc *base, GstCaps *caps)
{
  GstSocAudioSrc *src = GST_SOC_AUDIO_SRC (base);
  GstSocAudioSrcPrivate *priv = PRIVATE (src);
  const GstStructure *structure = gst_caps_get_structure (caps, 0);
  gint rate = 0, channels = 0;

  close_audio (src);
  gst_structure_get_int (structure, "rate", &rate);
  gst_structure_get_int (structure, "channels", &channels);
  hal_audio_config_init (&priv->config);
  priv->config.rate = (guint)rate;
  priv->config.channels = (guint)channels;
  return gst_soc_audio_open (&priv->audio, GST_ELEMENT (src), &priv->config)
         && make_pool (src, caps);
}

static gboolean
gst_soc_audio_src_start (GstBaseSrc *base)
{
  GstSocAudioSrcPrivate *priv = PRIVATE (GST_SOC_AUDIO_SRC (base));

  priv->timeline_jumps = G_MAXUINT64;
  priv->next_pts = GST_CLOCK_TIME_NONE;
  priv->discont = TRUE;
  return TRUE;
}

static gboolean
gst_soc_audio_src_stop (GstBaseSrc *base)
{
  GstSocAudioSrcPrivate *priv = PRIVATE (GST_SOC_AUDIO_SRC (base));

  close_audio (GST_SOC_AUDIO_SRC (base));
  g_clear_pointer (&priv->timeline, gst_soc_timeline_unref);
  return TRUE;
}

static gboolean
gst_soc_audio_src_unlock (GstBaseSrc *base)
{
  gst_soc_audio_set_flushing (audio_of (base), TRUE);
  return TRUE;
}

static gboolean
gst_soc_audio_src_unlock_stop (GstBaseSrc *base)
{
  gst_soc_audio_set_flushing (audio_of (base), FALSE);
  return TRUE;
}

/* Copies a frame, channels together. */
static void
copy_samples (guint8 *to, const HalFrame *frame, const HalAudioConfig *config)
{
  gsize at = 0, k, n;
  guint i;

  if (!config->planar || frame->n_segments < 2) {
    for (i = 0; i < frame->n_segments; i++) {
      memcpy (to + at, frame->segments[i].data, frame->segments[i].size);
      at += frame->segments[i].size;
    }
    return;
  }
  n = frame->segments[0].size / BYTES_PER_SAMPLE;
  for (i = 0; i < frame->n_segments; i++) {
    for (k = 0; k < n; k++)
      memcpy (to + (k * frame->n_segments + i) * BYTES_PER_SAMPLE,
              frame->segments[i].data + k * BYTES_PER_SAMPLE, BYTES_PER_SAMPLE);
  }
}

/* The capture time of the first sample. Within half a frame of where the last
 * one ended it is taken as that end: samples are contiguous. */
static GstClockTime
map_time (GstSocAudioSrc *src, guint64 vendor_pts, GstClockTime duration)
{
  GstSocAudioSrcPrivate *priv = PRIVATE (src);
  GstClock *clock = gst_element_get_clock (GST_ELEMENT (src));
  GstClockTime base = gst_element_get_base_time (GST_ELEMENT (src)), pts = 0;
  GstSocTimeline *timeline;
  gboolean jumped = FALSE;

  if (clock != NULL) {
    timeline = gst_soc_timeline_get (priv->audio.context, clock);
    if (timeline != priv->timeline)
      priv->timeline_jumps = G_MAXUINT64;
    gst_soc_timeline_unref (priv->timeline);
    priv->timeline = timeline;
    pts = gst_soc_timeline_map (timeline, vendor_pts, duration,
                                &priv->timeline_jumps, &jumped);
    pts = pts > base ? pts - base : 0;
    gst_object_unref (clock);
  }
  if (GST_CLOCK_TIME_IS_VALID (priv->next_pts)) {
    GstClockTimeDiff off = GST_CLOCK_DIFF (priv->next_pts, pts);

    if (ABS (off) < (GstClockTimeDiff)duration / 2)
      pts = priv->next_pts + off / 16; /* drift, a little at a time */
    else
      priv->discont = TRUE;
  }
  priv->discont |= jumped;
  return pts;
}

static GstBuffer *
make_buffer (GstSocAudioSrc *src, const HalFrame *frame)
{
  GstSocAudioSrcPrivate *priv = PRIVATE (src);
  GstBuffer *buffer = NULL;
  GstMapInfo map;

  if (frame->size > frame_bytes (&priv->config)
      || gst_buffer_pool_acquire_buffer (priv->pool, &buffer, NULL)
             != GST_FLOW_OK)
    return NULL;
  gst_buffer_map (buffer, &map, GST_MAP_WRITE);
  copy_samples (map.data, frame, &priv->config);
  gst_buffer_unmap (buffer, &map);
  gst_buffer_set_size (buffer, (gssize)frame->size);
  return buffer;
}

static GstFlowReturn
read_failed (GstSocAudioSrc *src, HalStatus status, HalError *error)
{
  if (status == HAL_INTERRUPTED)
    return GST_FLOW_FLUSHING;
  if (status == HAL_TIMEOUT) {
    error->status = status;
    g_strlcpy (error->text, "No sound came in time", sizeof error->text);
    g_strlcpy (error->hint, "is the codec set up?", sizeof error->hint);
  }
  gst_soc_post_error (GST_ELEMENT (src), error);
  return GST_FLOW_ERROR;
}

static GstFlowReturn
gst_soc_audio_src_create (GstPushSrc *push, GstBuffer **ret_buffer)
{
  GstSocAudioSrc *src = GST_SOC_AUDIO_SRC (push);
  GstSocAudioSrcPrivate *priv = PRIVATE (src);
  GstClockTime duration, pts;
  HalError error = { 0 };
  GstBuffer *buffer;
  HalStatus status;
  guint64 timeout;
  HalFrame frame;

  GST_OBJECT_LOCK (src);
  timeout = priv->timeout != 0 ? priv->timeout : G_MAXUINT64;
  GST_OBJECT_UNLOCK (src);
  status = hal_audio_read (priv->audio.device, timeout, &frame, &error);
  if (status != HAL_OK)
    return read_failed (src, status, &error);
  duration = gst_util_uint64_scale_int (
      frame.size / (BYTES_PER_SAMPLE * priv->config.channels), GST_SECOND,
      (gint)priv->config.rate);
  buffer = make_buffer (src, &frame);
  pts = map_time (src, frame.pts, duration);
  hal_audio_release (priv->audio.device, NULL);
  if (buffer == NULL) {
    GST_ELEMENT_ERROR (src, RESOURCE, NO_SPACE_LEFT, ("Out of memory."),
                       (NULL));
    return GST_FLOW_ERROR;
  }
  GST_BUFFER_PTS (buffer) = pts;
  GST_BUFFER_DURATION (buffer) = duration;
  if (priv->discont)
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  priv->discont = FALSE;
  priv->next_pts = pts + duration;
  *ret_buffer = buffer;
  return GST_FLOW_OK;
}

static gboolean
gst_soc_audio_src_query (GstBaseSrc *base, GstQuery *query)
{
  GstSocAudioSrcPrivate *priv = PRIVATE (GST_SOC_AUDIO_SRC (base));
  GstClockTime frame;

  if (GST_QUERY_TYPE (query) != GST_QUERY_LATENCY || priv->config.rate == 0)
    return GST_BASE_SRC_CLASS (gst_soc_audio_src_parent_class)
        ->query (base, query);
  frame = gst_util_uint64_scale_int (priv->config.samples, GST_SECOND,
                                     (gint)priv->config.rate);
  gst_query_set_latency (query, TRUE, frame, GST_CLOCK_TIME_NONE);
  return TRUE;
}

static void
gst_soc_audio_src_finalize (GObject *object)
{
  GstSocAudioSrcPrivate *priv = PRIVATE (GST_SOC_AUDIO_SRC (object));

  gst_soc_audio_clear (&priv->audio);
  G_OBJECT_CLASS (gst_soc_audio_src_parent_class)->finalize (object);
}

static void
gst_soc_audio_src_init (GstSocAudioSrc *src)
{
  GstSocAudioSrcPrivate *priv = PRIVATE (src);

  gst_soc_audio_init (&priv->audio);
  priv->timeout = DEFAULT_TIMEOUT;
  gst_base_src_set_live (GST_BASE_SRC (src), TRUE);
  gst_base_src_set_format (GST_BASE_SRC (src), GST_FORMAT_TIME);
}

static void
gst_soc_audio_src_class_init (GstSocAudioSrcClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstBaseSrcClass *base_class = GST_BASE_SRC_CLASS (klass);
  const GParamFlags flags
      = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

  object_class->set_property = gst_soc_audio_src_set_property;
  object_class->get_property = gst_soc_audio_src_get_property;
  object_class->finalize = gst_soc_audio_src_finalize;
  GST_ELEMENT_CLASS (klass)->change_state = gst_soc_audio_src_change_state;
  base_class->fixate = gst_soc_audio_src_fixate;
  base_class->set_caps = gst_soc_audio_src_set_caps;
  base_class->start = gst_soc_audio_src_start;
  base_class->stop = gst_soc_audio_src_stop;
  base_class->unlock = gst_soc_audio_src_unlock;
  base_class->unlock_stop = gst_soc_audio_src_unlock_stop;
  base_class->query = gst_soc_audio_src_query;
  GST_PUSH_SRC_CLASS (klass)->create = gst_soc_audio_src_create;
  gst_soc_audio_install_properties (
      object_class, "Number of the audio input (-1: the usual one)");
  g_object_class_install_property (
      object_class, PROP_TIMEOUT,
      g_param_spec_uint64 (
          "timeout", "Timeout",
          "Nanoseconds without sound that are an error (0: wait for ever)", 0,
          G_MAXUINT64, DEFAULT_TIMEOUT, flags));
  gst_type_mark_as_plugin_api (GST_TYPE_SOC_AUDIO_SRC, 0);
}

void
gst_soc_audio_src_class_setup (GstSocAudioSrcClass *klass,
                               const HalFamily *family, const gchar *long_name,
                               const gchar *description)
{
  static GstStaticPadTemplate src_template
      = GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                                 GST_STATIC_CAPS (CAPS));

  klass->family = family;
  gst_element_class_set_static_metadata (
      GST_ELEMENT_CLASS (klass), long_name, "Source/Audio/Hardware",
      description, "the iv-p2p authors <iv-p2p@iv-p2p.invalid>");
  gst_element_class_add_static_pad_template (GST_ELEMENT_CLASS (klass),
                                             &src_template);
}
