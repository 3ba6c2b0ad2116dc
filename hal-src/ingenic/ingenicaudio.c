/* Microphone and loudspeaker of Ingenic chips: PCM, encoded elsewhere.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ingenicprivate.h"

#define CHANNEL 0
/* The analogue ones; a digital microphone is input 0. */
#define DEFAULT_INPUT 1
#define DEFAULT_OUTPUT 0
#define FRAMES_QUEUED 20
#define BYTES_PER_SAMPLE 2
/* How long the library is left alone when its queue is full. */
#define FULL_PAUSE (5 * HAL_MSECOND)
/* The library's volume in steps of 0.5 dB: silence, and no gain. */
#define VOLUME_SILENCE (-30)
#define VOLUME_UNITY 60

static const IngenicApi *
api_of (const IngenicAudio *audio)
{
  return &((IngenicContext *)audio->base.context)->library.api;
}

static void
fill_attr (const HalAudioConfig *config, IngenicAudioAttr *attr)
{
  memset (attr, 0, sizeof *attr);
  attr->rate = config->rate;
  attr->bits = INGENIC_AUDIO_BITS;
  attr->sound_mode = INGENIC_AUDIO_MONO;
  attr->n_frames = FRAMES_QUEUED;
  attr->samples = config->samples;
  attr->n_channels = 1;
}

static int
volume_of (const HalAudioConfig *config)
{
  return VOLUME_SILENCE
         + (VOLUME_UNITY - VOLUME_SILENCE) * config->volume / 100;
}

static HalStatus
open_input (IngenicAudio *audio, HalError *error)
{
  const IngenicApi *api = api_of (audio);
  hal_u64 param[INGENIC_OUT_SIZE / 8] = { 0 };
  const char *call = "IMP_AI_SetPubAttr";
  bool enabled = false;
  IngenicAudioAttr attr;
  HalStatus status;
  int code;

  fill_attr (&audio->base.config, &attr);
  hal_put_s32 (param, offsetof (IngenicAudioParam, depth), FRAMES_QUEUED);
  errno = 0;
  code = api->ai_set_attr (audio->device, &attr);
  if (code == 0) {
    call = "IMP_AI_Enable";
    code = api->ai_enable (audio->device);
    enabled = code == 0;
  }
  if (code == 0) {
    call = "IMP_AI_SetChnParam";
    code = api->ai_set_param (audio->device, CHANNEL, param);
  }
  if (code == 0) {
    call = "IMP_AI_EnableChn";
    code = api->ai_enable_chn (audio->device, CHANNEL);
  }
  if (code != 0) {
    status = ingenic_fail (error, call, code);
    if (enabled)
      api->ai_disable (audio->device);
    return status;
  }
  if (audio->base.config.volume >= 0 && api->ai_set_volume != NULL)
    api->ai_set_volume (audio->device, CHANNEL,
                        volume_of (&audio->base.config));
  return HAL_OK;
}

static HalStatus
open_output (IngenicAudio *audio, HalError *error)
{
  const IngenicApi *api = api_of (audio);
  const char *call = "IMP_AO_SetPubAttr";
  bool enabled = false;
  IngenicAudioAttr attr;
  HalStatus status;
  int code;

  fill_attr (&audio->base.config, &attr);
  errno = 0;
  code = api->ao_set_attr (audio->device, &attr);
  if (code == 0) {
    call = "IMP_AO_Enable";
    code = api->ao_enable (audio->device);
    enabled = code == 0;
  }
  if (code == 0) {
    call = "IMP_AO_EnableChn";
    code = api->ao_enable_chn (audio->device, CHANNEL);
  }
  if (code != 0) {
    status = ingenic_fail (error, call, code);
    if (enabled)
      api->ao_disable (audio->device);
    return status;
  }
  if (audio->base.config.volume >= 0 && api->ao_set_volume != NULL)
    api->ao_set_volume (audio->device, CHANNEL,
                        volume_of (&audio->base.config));
  return HAL_OK;
}

HalStatus
ingenic_audio_open (HalContext *base, const HalAudioConfig *config,
                    HalAudio **ret_audio, HalError *error)
{
  int usual = config->output ? DEFAULT_OUTPUT : DEFAULT_INPUT;
  IngenicAudio *audio;
  HalStatus status;

  if (config->channels > 1)
    return hal_fail (error, HAL_UNSUPPORTED, "", 0, NULL,
                     "sound has one channel on Ingenic chips");
  if (config->samples * 100 % config->rate != 0)
    return hal_fail (error, HAL_INVALID, "", 0, NULL,
                     "frames of sound are multiples of 10 ms; %u samples are "
                     "not",
                     config->samples);
  audio = calloc (1, sizeof *audio);
  if (audio == NULL)
    return hal_fail (error, HAL_NO_MEMORY, "", 0, NULL, "out of memory");
  hal_audio_init (&audio->base, base, config);
  audio->device = config->device >= 0 ? config->device : usual;
  status
      = config->output ? open_output (audio, error) : open_input (audio, error);
  if (status != HAL_OK) {
    hal_audio_finish (&audio->base);
    free (audio);
    return status;
  }
  *ret_audio = &audio->base;
  return HAL_OK;
}

void
ingenic_audio_close (HalAudio *base)
{
  IngenicAudio *audio = (IngenicAudio *)base;
  const IngenicApi *api = api_of (audio);

  if (base->config.output) {
    api->ao_disable_chn (audio->device, CHANNEL);
    api->ao_disable (audio->device);
  } else {
    api->ai_disable_chn (audio->device, CHANNEL);
    api->ai_disable (audio->device);
  }
  hal_audio_finish (base);
  free (audio);
}

HalStatus
ingenic_audio_read (HalAudio *base, uint64_t slice, HalFrame *frame,
                    HalError *error)
{
  IngenicAudio *audio = (IngenicAudio *)base;
  const IngenicApi *api = api_of (audio);
  const uint8_t *data;
  HalStatus status;
  int64_t pts;
  int32_t length;
  int code;

  if (api->ai_poll (audio->device, CHANNEL, (unsigned)(slice / HAL_MSECOND))
      != 0)
    return HAL_AGAIN;
  memset (audio->frame, 0, sizeof audio->frame);
  errno = 0;
  code = api->ai_get_frame (audio->device, CHANNEL, audio->frame,
                            INGENIC_AUDIO_NO_BLOCK);
  if (code != 0 && errno == EINTR)
    return HAL_AGAIN;
  if (code != 0)
    return ingenic_fail (error, "IMP_AI_GetFrame", code);
  data = hal_get_ptr (audio->frame, offsetof (IngenicAudioFrame, address));
  length = hal_get_s32 (audio->frame, offsetof (IngenicAudioFrame, length));
  if (length < 0 || length % BYTES_PER_SAMPLE != 0
      || length > (int32_t)(base->config.samples * BYTES_PER_SAMPLE * 2))
    status = hal_fail (
        error, HAL_INSANE, "IMP_AI_GetFrame", 0,
        "the structures of this SDK version differ from the known ones",
        "a frame of %d bytes", (int)length);
  else
    status = hal_segments_add (&base->segments, data, (size_t)length, 0, error);
  if (status != HAL_OK) {
    api->ai_release_frame (audio->device, CHANNEL, audio->frame);
    return status;
  }
  pts = hal_get_s64 (audio->frame, offsetof (IngenicAudioFrame, pts));
  frame->raw_pts = (uint64_t)pts;
  frame->pts = ingenic_time ((IngenicContext *)base->context, pts);
  frame->sequence
      = hal_get_u32 (audio->frame, offsetof (IngenicAudioFrame, sequence));
  return HAL_OK;
}

HalStatus
ingenic_audio_release (HalAudio *base, HalError *error)
{
  IngenicAudio *audio = (IngenicAudio *)base;
  int code;

  errno = 0;
  code
      = api_of (audio)->ai_release_frame (audio->device, CHANNEL, audio->frame);
  if (code != 0)
    return ingenic_fail (error, "IMP_AI_ReleaseFrame", code);
  return HAL_OK;
}

HalStatus
ingenic_audio_write (HalAudio *base, const void *data, size_t size,
                     uint64_t slice, HalError *error)
{
  IngenicAudio *audio = (IngenicAudio *)base;
  const IngenicApi *api = api_of (audio);
  hal_u64 state[INGENIC_OUT_SIZE / 8] = { 0 };
  int code;

  /* With room in the queue, sending does not block; without, it would for as
   * long as it likes. */
  if (api->ao_query (audio->device, CHANNEL, state) == 0
      && hal_get_s32 (state, offsetof (IngenicAudioState, free)) == 0) {
    struct timespec pause
        = { 0, (long)(slice < FULL_PAUSE ? slice : FULL_PAUSE) };

    nanosleep (&pause, NULL);
    return HAL_AGAIN;
  }
  memset (audio->frame, 0, sizeof audio->frame);
  hal_put_u32 (audio->frame, offsetof (IngenicAudioFrame, bits),
               INGENIC_AUDIO_BITS);
  hal_put_u32 (audio->frame, offsetof (IngenicAudioFrame, sound_mode),
               INGENIC_AUDIO_MONO);
  hal_put_ptr (audio->frame, offsetof (IngenicAudioFrame, address),
               (void *)data);
  hal_put_s32 (audio->frame, offsetof (IngenicAudioFrame, length),
               (int32_t)size);
  errno = 0;
  code = api->ao_send_frame (audio->device, CHANNEL, audio->frame,
                             INGENIC_AUDIO_BLOCK);
  if (code != 0)
    return ingenic_fail (error, "IMP_AO_SendFrame", code);
  return HAL_OK;
}
