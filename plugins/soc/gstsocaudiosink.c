/* The base of all audio sinks: talk, to the loudspeaker. The vendor's queue
 * paces; rendering is in time with the clock as for any sink.
 *
 * Threads: the streaming thread writes; what unlock does is gstsocaudio.c's.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstsocaudiosink.h"

#include "gstsocaudio.h"
#include "gstsocerror.h"

#define WRITE_TIMEOUT (2 * HAL_SECOND)
#define CAPS                                                                   \
  "audio/x-raw, format = (string) S16LE, "                                     \
  "layout = (string) interleaved, rate = (int) [ 8000, 96000 ], "              \
  "channels = (int) 1"

typedef GstSocAudio GstSocAudioSinkPrivate;

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE (GstSocAudioSink, gst_soc_audio_sink,
                                     GST_TYPE_BASE_SINK);

static GstSocAudio *
audio_of (gpointer sink)
{
  return gst_soc_audio_sink_get_instance_private (GST_SOC_AUDIO_SINK (sink));
}

static void
gst_soc_audio_sink_set_property (GObject *object, guint id, const GValue *value,
                                 GParamSpec *pspec)
{
  GST_OBJECT_LOCK (object);
  if (!gst_soc_audio_set_property (audio_of (object), id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  GST_OBJECT_UNLOCK (object);
}

static void
gst_soc_audio_sink_get_property (GObject *object, guint id, GValue *value,
                                 GParamSpec *pspec)
{
  GST_OBJECT_LOCK (object);
  if (!gst_soc_audio_get_property (audio_of (object), id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  GST_OBJECT_UNLOCK (object);
}

static GstStateChangeReturn
gst_soc_audio_sink_change_state (GstElement *element, GstStateChange transition)
{
  return gst_soc_audio_change_state (
      audio_of (element), element,
      GST_ELEMENT_CLASS (gst_soc_audio_sink_parent_class),
      GST_SOC_AUDIO_SINK_GET_CLASS (element)->family, transition);
}

static gboolean
gst_soc_audio_sink_set_caps (GstBaseSink *base, GstCaps *caps)
{
  const GstStructure *structure = gst_caps_get_structure (caps, 0);
  HalAudioConfig config;
  gint rate = 0;

  gst_soc_audio_close (audio_of (base));
  gst_structure_get_int (structure, "rate", &rate);
  hal_audio_config_init (&config);
  config.output = true;
  config.rate = (guint)rate;
  return gst_soc_audio_open (audio_of (base), GST_ELEMENT (base), &config);
}

static gboolean
gst_soc_audio_sink_stop (GstBaseSink *base)
{
  gst_soc_audio_close (audio_of (base));
  return TRUE;
}

static gboolean
gst_soc_audio_sink_unlock (GstBaseSink *base)
{
  gst_soc_audio_set_flushing (audio_of (base), TRUE);
  return TRUE;
}

static gboolean
gst_soc_audio_sink_unlock_stop (GstBaseSink *base)
{
  gst_soc_audio_set_flushing (audio_of (base), FALSE);
  return TRUE;
}

static GstFlowReturn
gst_soc_audio_sink_render (GstBaseSink *base, GstBuffer *buffer)
{
  HalAudio *device = audio_of (base)->device;
  HalError error = { 0 };
  GstMapInfo map;
  HalStatus status;

  if (device == NULL)
    return GST_FLOW_NOT_NEGOTIATED;
  gst_buffer_map (buffer, &map, GST_MAP_READ);
  status = hal_audio_write (device, map.data, map.size, WRITE_TIMEOUT, &error);
  gst_buffer_unmap (buffer, &map);
  if (status == HAL_OK)
    return GST_FLOW_OK;
  if (status == HAL_INTERRUPTED)
    return gst_base_sink_wait_preroll (base);
  if (status == HAL_TIMEOUT) {
    error.status = status;
    g_strlcpy (error.text, "The loudspeaker takes no sound", sizeof error.text);
  }
  gst_soc_post_error (GST_ELEMENT (base), &error);
  return GST_FLOW_ERROR;
}

static void
gst_soc_audio_sink_finalize (GObject *object)
{
  gst_soc_audio_clear (audio_of (object));
  G_OBJECT_CLASS (gst_soc_audio_sink_parent_class)->finalize (object);
}

static void
gst_soc_audio_sink_init (GstSocAudioSink *sink)
{
  gst_soc_audio_init (audio_of (sink));
}

static void
gst_soc_audio_sink_class_init (GstSocAudioSinkClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstBaseSinkClass *base_class = GST_BASE_SINK_CLASS (klass);

  object_class->set_property = gst_soc_audio_sink_set_property;
  object_class->get_property = gst_soc_audio_sink_get_property;
  object_class->finalize = gst_soc_audio_sink_finalize;
  GST_ELEMENT_CLASS (klass)->change_state = gst_soc_audio_sink_change_state;
  base_class->set_caps = gst_soc_audio_sink_set_caps;
  base_class->stop = gst_soc_audio_sink_stop;
  base_class->unlock = gst_soc_audio_sink_unlock;
  base_class->unlock_stop = gst_soc_audio_sink_unlock_stop;
  base_class->render = gst_soc_audio_sink_render;
  gst_soc_audio_install_properties (
      object_class, "Number of the audio output (-1: the usual one)");
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
