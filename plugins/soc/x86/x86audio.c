/* Sound of the family x86: a microphone of the machine, or a test tone.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "x86.h"

#define BYTES_PER_SAMPLE 2

typedef struct
{
  HalAudio base;
  GstElement *pipeline, *sink;
  GstAdapter *adapter; /* cuts what comes into frames */
  GstClockTime pts;    /* of its first byte, by the pipeline's clock */
  guint32 sequence;
} X86Audio;

/* device -1: a tone; else the number of an ALSA card. */
static gchar *
describe (const HalAudioConfig *config)
{
  gchar *source
      = config->device < 0
            ? g_strdup_printf ("audiotestsrc is-live=true samplesperbuffer=%u",
                               config->samples)
            : g_strdup_printf ("alsasrc device=hw:%d", config->device);
  gchar *text = g_strdup_printf (
      "%s ! audioconvert ! audioresample ! audio/x-raw, format=S16LE, "
      "layout=interleaved, rate=%u, channels=%u ! "
      "appsink name=sink sync=false async=false max-buffers=50",
      source, config->rate, config->channels);

  g_free (source);
  return text;
}

HalStatus
x86_audio_open (HalContext *base, const HalAudioConfig *config,
                HalAudio **ret_audio, HalError *error)
{
  X86Context *context = (X86Context *)base;
  X86Audio *audio = g_new0 (X86Audio, 1);
  gchar *text = describe (config);
  GError *gerror = NULL;
  HalStatus status = HAL_OK;

  hal_audio_init (&audio->base, base, config);
  audio->pipeline = gst_parse_launch (text, &gerror);
  g_free (text);
  if (audio->pipeline == NULL) {
    status
        = hal_fail (error, HAL_NOT_FOUND, "", 0,
                    "install gstreamer1.0-plugins-base", "%s", gerror->message);
    g_error_free (gerror);
    hal_audio_finish (&audio->base);
    g_free (audio);
    return status;
  }
  g_clear_error (&gerror);
  gst_object_ref_sink (audio->pipeline);
  audio->sink = gst_bin_get_by_name (GST_BIN (audio->pipeline), "sink");
  audio->adapter = gst_adapter_new ();
  gst_pipeline_use_clock (GST_PIPELINE (audio->pipeline), context->clock);
  if (gst_element_set_state (audio->pipeline, GST_STATE_PLAYING)
      == GST_STATE_CHANGE_FAILURE) {
    status = x86_fail_from_bus (audio->pipeline, "alsasrc", error);
    x86_audio_close (&audio->base);
    return status;
  }
  *ret_audio = &audio->base;
  return HAL_OK;
}

void
x86_audio_close (HalAudio *base)
{
  X86Audio *audio = (X86Audio *)base;

  gst_element_set_state (audio->pipeline, GST_STATE_NULL);
  gst_object_unref (audio->sink);
  gst_object_unref (audio->pipeline);
  g_object_unref (audio->adapter);
  hal_audio_finish (base);
  g_free (audio);
}

static void
take_sample (X86Audio *audio, GstSample *sample)
{
  GstBuffer *buffer = gst_sample_get_buffer (sample);

  if (gst_adapter_available (audio->adapter) == 0)
    audio->pts = gst_element_get_base_time (audio->pipeline)
                 + gst_segment_to_running_time (gst_sample_get_segment (sample),
                                                GST_FORMAT_TIME,
                                                GST_BUFFER_PTS (buffer));
  gst_adapter_push (audio->adapter, gst_buffer_ref (buffer));
  gst_sample_unref (sample);
}

HalStatus
x86_audio_read (HalAudio *base, uint64_t slice, HalFrame *frame,
                HalError *error)
{
  X86Audio *audio = (X86Audio *)base;
  gsize whole
      = (gsize)base->config.samples * base->config.channels * BYTES_PER_SAMPLE;

  while (gst_adapter_available (audio->adapter) < whole) {
    GstSample *sample
        = gst_app_sink_try_pull_sample (GST_APP_SINK (audio->sink), slice);

    if (sample == NULL) {
      GstBus *bus = gst_element_get_bus (audio->pipeline);
      gboolean failed = gst_bus_have_pending (bus);

      gst_object_unref (bus);
      if (!failed || !gst_app_sink_is_eos (GST_APP_SINK (audio->sink)))
        return HAL_AGAIN;
      x86_fail_from_bus (audio->pipeline, "alsasrc", error);
      return HAL_ENDED;
    }
    take_sample (audio, sample);
  }
  frame->pts = frame->raw_pts = audio->pts;
  frame->sequence = audio->sequence++;
  return hal_segments_add (&base->segments,
                           gst_adapter_map (audio->adapter, whole), whole, 0,
                           error);
}

HalStatus
x86_audio_release (HalAudio *base, HalError *error)
{
  X86Audio *audio = (X86Audio *)base;
  gsize whole
      = (gsize)base->config.samples * base->config.channels * BYTES_PER_SAMPLE;

  gst_adapter_unmap (audio->adapter);
  gst_adapter_flush (audio->adapter, whole);
  audio->pts += gst_util_uint64_scale_int (base->config.samples, GST_SECOND,
                                           (gint)base->config.rate);
  return HAL_OK;
}
