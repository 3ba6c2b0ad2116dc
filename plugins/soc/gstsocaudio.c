/* What audio sources and sinks share; see gstsocaudio.h.
 *
 * Threads: the streaming thread opens, uses and closes the device; the lock
 * protects the pointer for unlock, which interrupts from any thread.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstsocaudio.h"

#include "gstsocerror.h"

void
gst_soc_audio_init (GstSocAudio *audio)
{
  g_mutex_init (&audio->lock);
  audio->number = -1;
}

void
gst_soc_audio_clear (GstSocAudio *audio)
{
  g_free (audio->library_path);
  g_mutex_clear (&audio->lock);
}

void
gst_soc_audio_install_properties (GObjectClass *object_class,
                                  const gchar *device_blurb)
{
  const GParamFlags flags
      = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

  g_object_class_install_property (
      object_class, GST_SOC_AUDIO_PROP_LIBRARY_PATH,
      g_param_spec_string (
          "library-path", "Library path",
          "Directories of the vendor's libraries, ':' between them (default: "
          "the usual ones)",
          NULL, flags));
  g_object_class_install_property (object_class, GST_SOC_AUDIO_PROP_DEVICE,
                                   g_param_spec_int ("device", "Device",
                                                     device_blurb, -1, 255, -1,
                                                     flags));
}

gboolean
gst_soc_audio_set_property (GstSocAudio *audio, guint id, const GValue *value)
{
  switch (id) {
    case GST_SOC_AUDIO_PROP_LIBRARY_PATH:
      g_free (audio->library_path);
      audio->library_path = g_value_dup_string (value);
      return TRUE;
    case GST_SOC_AUDIO_PROP_DEVICE:
      audio->number = g_value_get_int (value);
      return TRUE;
    default:
      return FALSE;
  }
}

gboolean
gst_soc_audio_get_property (GstSocAudio *audio, guint id, GValue *value)
{
  switch (id) {
    case GST_SOC_AUDIO_PROP_LIBRARY_PATH:
      g_value_set_string (value, audio->library_path);
      return TRUE;
    case GST_SOC_AUDIO_PROP_DEVICE:
      g_value_set_int (value, audio->number);
      return TRUE;
    default:
      return FALSE;
  }
}

static gboolean
open_context (GstSocAudio *audio, GstElement *element, const HalFamily *family)
{
  HalError error = { 0 };
  HalEnv env = { 0 };
  gchar *path;
  HalStatus status;

  GST_OBJECT_LOCK (element);
  path = g_strdup (audio->library_path);
  GST_OBJECT_UNLOCK (element);
  env.library_path = path;
  status = hal_context_acquire (family, &env, NULL, &audio->context, &error);
  g_free (path);
  if (status != HAL_OK)
    gst_soc_post_error (element, &error);
  return status == HAL_OK;
}

GstStateChangeReturn
gst_soc_audio_change_state (GstSocAudio *audio, GstElement *element,
                            GstElementClass *parent_class,
                            const HalFamily *family, GstStateChange transition)
{
  GstStateChangeReturn result;

  if (transition == GST_STATE_CHANGE_NULL_TO_READY
      && !open_context (audio, element, family))
    return GST_STATE_CHANGE_FAILURE;
  result = parent_class->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_READY_TO_NULL
      || (transition == GST_STATE_CHANGE_NULL_TO_READY
          && result == GST_STATE_CHANGE_FAILURE)) {
    hal_context_release (audio->context);
    audio->context = NULL;
  }
  return result;
}

gboolean
gst_soc_audio_open (GstSocAudio *audio, GstElement *element,
                    HalAudioConfig *config)
{
  HalError error = { 0 };
  HalAudio *device = NULL;

  GST_OBJECT_LOCK (element);
  config->device = audio->number;
  GST_OBJECT_UNLOCK (element);
  if (hal_audio_open (audio->context, config, &device, &error) != HAL_OK) {
    gst_soc_post_error (element, &error);
    return FALSE;
  }
  hal_audio_get_config (device, config);
  g_mutex_lock (&audio->lock);
  audio->device = device;
  hal_audio_interrupt (device, audio->flushing);
  g_mutex_unlock (&audio->lock);
  return TRUE;
}

void
gst_soc_audio_close (GstSocAudio *audio)
{
  HalAudio *device;

  g_mutex_lock (&audio->lock);
  device = audio->device;
  audio->device = NULL;
  g_mutex_unlock (&audio->lock);
  hal_audio_close (device);
}

void
gst_soc_audio_set_flushing (GstSocAudio *audio, gboolean flushing)
{
  g_mutex_lock (&audio->lock);
  audio->flushing = flushing;
  if (audio->device != NULL)
    hal_audio_interrupt (audio->device, flushing);
  g_mutex_unlock (&audio->lock);
}
