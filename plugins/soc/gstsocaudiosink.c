/* The base of all audio sinks: talk, to the loudspeaker. The vendor's queue
 * paces; rendering is in time with the clock as for any sink.
 *
 * Threads: the streaming thread writes; `audio_lock` protects the pointer for
 * unlock, which interrupts from any thread.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstsocaudiosink.h"

#include "gstsocerror.h"

#define WRITE_TIMEOUT (2 * HAL_SECOND)
#define CAPS                                                                   \
  "audio/x-raw, format = (string) S16LE, "                                     \
  "layout = (string) interleaved, rate = (int) [ 8000, 96000 ], "              \
  "channels = (int) 1"

typedef struct
{
  HalContext *context; /* constant after READY, until NULL */

  GMutex audio_lock;
  HalAudio *audio;   /* protected by audio_lock; read by the streaming thread */
  gboolean flushing; /* protected by audio_lock */

  /* Protected by the object lock. */
  gchar *library_path;
  gint device;
} GstSocAudioSinkPrivate;

enum {
  PROP_0,
  PROP_LIBRARY_PATH,
  PROP_DEVICE,
};

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE (GstSocAudioSink, gst_soc_audio_sink,
                                     GST_TYPE_BASE_SINK);

#define PRIVATE(sink) gst_soc_audio_sink_get_instance_private (sink)

static void
gst_soc_audio_sink_set_property (GObject *object, guint id, const GValue *value,
                                 GParamSpec *pspec)
{
  GstSocAudioSinkPrivate *priv = PRIVATE (GST_SOC_AUDIO_SINK (object));

  GST_OBJECT_LOCK (object);
  switch (id) {
    case PROP_LIBRARY_PATH:
      g_free (priv->library_path);
      priv->library_path = g_value_dup_string (value);
      break;
    case PROP_DEVICE:
      priv->device = g_value_get_int (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (object);
}

static void
gst_soc_audio_sink_get_property (GObject *object, guint id, GValue *value,
                                 GParamSpec *pspec)
{
  GstSocAudioSinkPrivate *priv = PRIVATE (GST_SOC_AUDIO_SINK (object));

  GST_OBJECT_LOCK (object);
  switch (id) {
    case PROP_LIBRARY_PATH:
      g_value_set_string (value, priv->library_path);
      break;
    case PROP_DEVICE:
      g_value_set_int (value, priv->device);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (object);
}

static gboolean
open_context (GstSocAudioSink *sink)
{
  GstSocAudioSinkPrivate *priv = PRIVATE (sink);
  HalError error = { 0 };
  HalEnv env = { 0 };
  gchar *path;
  HalStatus status;

  GST_OBJECT_LOCK (sink);
  path = g_strdup (priv->library_path);
  GST_OBJECT_UNLOCK (sink);
  env.library_path = path;
  status = hal_context_acquire (GST_SOC_AUDIO_SINK_GET_CLASS (sink)->family,
                                &env, NULL, &priv->context, &error);
  g_free (path);
  if (status != HAL_OK)
    gst_soc_post_error (GST_ELEMENT (sink), &error);
  return status == HAL_OK;
}

static void
close_audio (GstSocAudioSink *sink)
{
  GstSocAudioSinkPrivate *priv = PRIVATE (sink);
  HalAudio *audio;

  g_mutex_lock (&priv->audio_lock);
  audio = priv->audio;
  priv->audio = NULL;
  g_mutex_unlock (&priv->audio_lock);
  hal_audio_close (audio);
}

static GstStateChangeReturn
gst_soc_audio_sink_change_state (GstElement *element, GstStateChange transition)
{
  GstSocAudioSink *sink = GST_SOC_AUDIO_SINK (element);
  GstSocAudioSinkPrivate *priv = PRIVATE (sink);
  GstStateChangeReturn result;

  if (transition == GST_STATE_CHANGE_NULL_TO_READY && !open_context (sink))
    return GST_STATE_CHANGE_FAILURE;
  result = GST_ELEMENT_CLASS (gst_soc_audio_sink_parent_class)
               ->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_READY_TO_NULL
      || (transition == GST_STATE_CHANGE_NULL_TO_READY
          && result == GST_STATE_CHANGE_FAILURE)) {
    hal_context_release (priv->context);
    priv->context = NULL;
  }
  return result;
}

static gboolean
gst_soc_audio_sink_set_caps (GstBaseSink *base, GstCaps *caps)
{
  GstSocAudioSink *sink = GST_SOC_AUDIO_SINK (base);
  GstSocAudioSinkPrivate *priv = PRIVATE (sink);
  const GstStructure *structure = gst_caps_get_structure (caps, 0);
  HalAudioConfig config;
  HalError error = { 0 };
  HalAudio *audio = NULL;
  gint rate = 0;

  close_audio (sink);
  gst_structure_get_int (structure, "rate", &rate);
  hal_audio_config_init (&config);
  config.output = true;
  config.rate = (guint)rate;
  GST_OBJECT_LOCK (sink);
  config.device = priv->device;
  GST_OBJECT_UNLOCK (sink);
  if (hal_audio_open (priv->context, &config, &audio, &error) != HAL_OK) {
    gst_soc_post_error (GST_ELEMENT (sink), &error);
    return FALSE;
  }
  g_mutex_lock (&priv->audio_lock);
  priv->audio = audio;
  hal_audio_interrupt (audio, priv->flushing);
  g_mutex_unlock (&priv->audio_lock);
  return TRUE;
}

static gboolean
gst_soc_audio_sink_stop (GstBaseSink *base)
{
  close_audio (GST_SOC_AUDIO_SINK (base));
  return TRUE;
}

static void
set_flushing (GstBaseSink *base, gboolean flushing)
{
  GstSocAudioSinkPrivate *priv = PRIVATE (GST_SOC_AUDIO_SINK (base));

  g_mutex_lock (&priv->audio_lock);
  priv->flushing = flushing;
  if (priv->audio != NULL)
    hal_audio_interrupt (priv->audio, flushing);
  g_mutex_unlock (&priv->audio_lock);
}

static gboolean
gst_soc_audio_sink_unlock (GstBaseSink *base)
{
  set_flushing (base, TRUE);
  return TRUE;
}

static gboolean
gst_soc_audio_sink_unlock_stop (GstBaseSink *base)
{
  set_flushing (base, FALSE);
  return TRUE;
}

static GstFlowReturn
gst_soc_audio_sink_render (GstBaseSink *base, GstBuffer *buffer)
{
  GstSocAudioSink *sink = GST_SOC_AUDIO_SINK (base);
  GstSocAudioSinkPrivate *priv = PRIVATE (sink);
  HalError error = { 0 };
  GstMapInfo map;
  HalStatus status;

  if (priv->audio == NULL)
    return GST_FLOW_NOT_NEGOTIATED;
  gst_buffer_map (buffer, &map, GST_MAP_READ);
  status = hal_audio_write (priv->audio, map.data, map.size, WRITE_TIMEOUT,
                            &error);
  gst_buffer_unmap (buffer, &map);
  if (status == HAL_OK)
    return GST_FLOW_OK;
  if (status == HAL_INTERRUPTED)
    return gst_base_sink_wait_preroll (base);
  if (status == HAL_TIMEOUT) {
    error.status = status;
    g_strlcpy (error.text, "The loudspeaker takes no sound", sizeof error.text);
  }
  gst_soc_post_error (GST_ELEMENT (sink), &error);
  return GST_FLOW_ERROR;
}

static void
gst_soc_audio_sink_finalize (GObject *object)
{
  GstSocAudioSinkPrivate *priv = PRIVATE (GST_SOC_AUDIO_SINK (object));

  g_free (priv->library_path);
  g_mutex_clear (&priv->audio_lock);
  G_OBJECT_CLASS (gst_soc_audio_sink_parent_class)->finalize (object);
}

static void
gst_soc_audio_sink_init (GstSocAudioSink *sink)
{
  GstSocAudioSinkPrivate *priv = PRIVATE (sink);

  g_mutex_init (&priv->audio_lock);
  priv->device = -1;
}

static void
gst_soc_audio_sink_class_init (GstSocAudioSinkClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstBaseSinkClass *base_class = GST_BASE_SINK_CLASS (klass);
  const GParamFlags flags
      = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

  object_class->set_property = gst_soc_audio_sink_set_property;
  object_class->get_property = gst_soc_audio_sink_get_property;
  object_class->finalize = gst_soc_audio_sink_finalize;
  GST_ELEMENT_CLASS (klass)->change_state = gst_soc_audio_sink_change_state;
  base_class->set_caps = gst_soc_audio_sink_set_caps;
  base_class->stop = gst_soc_audio_sink_stop;
  base_class->unlock = gst_soc_audio_sink_unlock;
  base_class->unlock_stop = gst_soc_audio_sink_unlock_stop;
  base_class->render = gst_soc_audio_sink_render;
  g_object_class_install_property (
      object_class, PROP_LIBRARY_PATH,
      g_param_spec_string (
          "library-path", "Library path",
          "Directories of the vendor's libraries, ':' between them (default: "
          "the usual ones)",
          NULL, flags));
  g_object_class_install_property (
      object_class, PROP_DEVICE,
      g_param_spec_int ("device", "Device",
                        "Number of the audio output (-1: the usual one)", -1,
                        255, -1, flags));
  gst_type_mark_as_plugin_api (GST_TYPE_SOC_AUDIO_SINK, 0);
}

void
gst_soc_audio_sink_class_setup (GstSocAudioSinkClass *klass,
                                const HalFamily *family, const gchar *long_name,
                                const gchar *description)
{
  static GstStaticPadTemplate sink_template
      = GST_STATIC_PAD_TEMPLATE ("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                                 GST_STATIC_CAPS (CAPS));

  klass->family = family;
  gst_element_class_set_static_metadata (
      GST_ELEMENT_CLASS (klass), long_name, "Sink/Audio/Hardware", description,
      "the iv-p2p authors <iv-p2p@iv-p2p.invalid>");
  gst_element_class_add_static_pad_template (GST_ELEMENT_CLASS (klass),
                                             &sink_template);
}
