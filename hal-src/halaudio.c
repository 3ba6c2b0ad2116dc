/* Audio: what is the same for all families about a microphone or a
 * loudspeaker. One thread at a time reads or writes; interrupt comes from any.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "halbackend.h"

#define MAX_FAILURES 16
#define FAILURE_PAUSE (2 * HAL_MSECOND)
#define FRAMES_PER_SECOND 50
#define MAX_RATE 96000
#define MAX_CHANNELS 2
#define MAX_SAMPLES 8192
#define BYTES_PER_SAMPLE 2

void
hal_audio_config_init (HalAudioConfig *config)
{
  memset (config, 0, sizeof *config);
  config->rate = 8000;
  config->channels = 1;
  config->device = -1;
  config->volume = -1;
}

void
hal_audio_init (HalAudio *audio, HalContext *context,
                const HalAudioConfig *config)
{
  audio->context = context;
  audio->config = *config;
  audio->wake.fd = -1;
}

void
hal_audio_finish (HalAudio *audio)
{
  hal_wake_finish (&audio->wake);
  free (audio->segments.items);
  free (audio->partial);
  audio->segments.items = NULL;
  audio->partial = NULL;
}

static HalStatus
check_config (const HalContext *context, const HalAudioConfig *config,
              HalError *error)
{
  uint32_t cap = config->output ? HAL_CAP_AUDIO_OUT : HAL_CAP_AUDIO_IN;

  if (context->family->audio_open == NULL || (context->info.caps & cap) == 0)
    return hal_fail (error, HAL_UNSUPPORTED, "", 0, NULL, "%s has no audio %s",
                     context->family->long_name,
                     config->output ? "output" : "input");
  if (config->rate < 8000 || config->rate > MAX_RATE || config->channels < 1
      || config->channels > MAX_CHANNELS || config->samples > MAX_SAMPLES
      || config->volume > 100)
    return hal_fail (
        error, HAL_INVALID, "", 0, NULL,
        "audio of %u Hz, %u channels, %u samples a frame is not possible",
        config->rate, config->channels, config->samples);
  return HAL_OK;
}

static size_t
frame_size (const HalAudio *audio)
{
  return (size_t)audio->config.samples * audio->config.channels
         * BYTES_PER_SAMPLE;
}

HalStatus
hal_audio_open (HalContext *context, const HalAudioConfig *config,
                HalAudio **ret_audio, HalError *error)
{
  HalAudioConfig full = *config;
  HalAudio *audio = NULL;
  HalStatus status = check_config (context, config, error);

  if (status != HAL_OK)
    return status;
  if (full.samples == 0)
    full.samples = full.rate / FRAMES_PER_SECOND;
  status = context->family->audio_open (context, &full, &audio, error);
  if (status != HAL_OK)
    return status;
  audio->partial = full.output ? malloc (frame_size (audio)) : NULL;
  if (!hal_wake_init (&audio->wake)
      || (full.output && audio->partial == NULL)) {
    context->family->audio_close (audio);
    return hal_fail (error, HAL_NO_MEMORY, "", 0, NULL,
                     "out of memory or file descriptors");
  }
  *ret_audio = audio;
  return HAL_OK;
}

void
hal_audio_get_config (HalAudio *audio, HalAudioConfig *ret_config)
{
  *ret_config = audio->config;
}

void
hal_audio_close (HalAudio *audio)
{
  if (audio == NULL)
    return;
  if (audio->out)
    hal_audio_release (audio, NULL);
  audio->context->family->audio_close (audio);
}

/* What to do after one try: HAL_AGAIN to go on, anything else to return. */
static HalStatus
after_try (HalAudio *audio, HalStatus status, uint64_t deadline)
{
  bool failed = status == HAL_VENDOR;

  if (status == HAL_OK)
    audio->failures = 0;
  if (status != HAL_AGAIN && !failed)
    return status;
  if (failed && ++audio->failures >= MAX_FAILURES)
    return status;
  if (hal_wake_wait (&audio->wake, -1, failed ? FAILURE_PAUSE : 0)
      == HAL_INTERRUPTED)
    return HAL_INTERRUPTED;
  return hal_monotonic () >= deadline ? HAL_TIMEOUT : HAL_AGAIN;
}

static uint64_t
deadline_of (uint64_t timeout)
{
  uint64_t now = hal_monotonic ();

  return timeout < UINT64_MAX - now ? now + timeout : UINT64_MAX;
}

static uint64_t
slice_until (uint64_t deadline)
{
  uint64_t now = hal_monotonic ();
  uint64_t left = deadline > now ? deadline - now : 0;

  return left < HAL_WAIT_SLICE ? left : HAL_WAIT_SLICE;
}

HalStatus
hal_audio_read (HalAudio *audio, uint64_t timeout, HalFrame *ret_frame,
                HalError *error)
{
  uint64_t deadline = deadline_of (timeout);
  HalStatus status;
  HalFrame frame;
  unsigned i;

  if (audio->out || audio->config.output)
    return hal_fail (error, HAL_INVALID, "", 0, NULL,
                     audio->out ? "the last frame was not released"
                                : "not an input");
  if (hal_wake_wait (&audio->wake, -1, 0) == HAL_INTERRUPTED)
    return HAL_INTERRUPTED;
  do {
    memset (&frame, 0, sizeof frame);
    frame.pts = HAL_TIME_NONE;
    audio->segments.n = 0;
    status = audio->context->family->audio_read (audio, slice_until (deadline),
                                                 &frame, error);
    status = after_try (audio, status, deadline);
  } while (status == HAL_AGAIN);
  if (status != HAL_OK)
    return status;
  audio->out = true;
  frame.segments = audio->segments.items;
  frame.n_segments = audio->segments.n;
  frame.key = true;
  for (i = 0; i < frame.n_segments; i++)
    frame.size += frame.segments[i].size;
  *ret_frame = frame;
  return HAL_OK;
}

HalStatus
hal_audio_release (HalAudio *audio, HalError *error)
{
  if (!audio->out)
    return hal_fail (error, HAL_INVALID, "", 0, NULL, "no frame is out");
  audio->out = false;
  return audio->context->family->audio_release (audio, error);
}

static HalStatus
write_frame (HalAudio *audio, const uint8_t *data, uint64_t deadline,
             HalError *error)
{
  HalStatus status;

  if (hal_wake_wait (&audio->wake, -1, 0) == HAL_INTERRUPTED)
    return HAL_INTERRUPTED;
  do {
    status
        = audio->context->family->audio_write (audio, data, frame_size (audio),
                                               slice_until (deadline), error);
    status = after_try (audio, status, deadline);
  } while (status == HAL_AGAIN);
  return status;
}

HalStatus
hal_audio_write (HalAudio *audio, const void *data, size_t size,
                 uint64_t timeout, HalError *error)
{
  uint64_t deadline = deadline_of (timeout);
  const uint8_t *from = data;
  size_t whole = frame_size (audio);
  HalStatus status;

  if (!audio->config.output)
    return hal_fail (error, HAL_INVALID, "", 0, NULL, "not an output");
  while (size > 0) {
    size_t part = whole - audio->partial_size;

    if (part > size)
      part = size;
    memcpy (audio->partial + audio->partial_size, from, part);
    audio->partial_size += part;
    from += part;
    size -= part;
    if (audio->partial_size < whole)
      break;
    audio->partial_size = 0;
    status = write_frame (audio, audio->partial, deadline, error);
    if (status != HAL_OK)
      return status;
  }
  return HAL_OK;
}

void
hal_audio_interrupt (HalAudio *audio, bool on)
{
  hal_wake_set (&audio->wake, on);
}
