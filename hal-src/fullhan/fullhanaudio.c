/* Microphone and loudspeaker of Fullhan: PCM of 16 bits, encoded elsewhere.
 * The library copies into and from memory of ours, and blocks for a frame at
 * most.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fullhanprivate.h"

#define BITS 16
#define BYTES_PER_SAMPLE 2
#define LPCM 0
#define DEFAULT_VOLUME 31

static FhContext *
context_of (const HalAudio *base)
{
  return (FhContext *)base->context;
}

static HalStatus
enable (FhContext *context, const HalAudioConfig *config, HalError *error)
{
  const FhApi *api = &context->library.api;
  FhSoundConfig sound = { 0 };
  const char *call = "FH_AC_Set_Config";
  int32_t code;

  sound.input = config->device >= 0 ? (uint32_t)config->device
                : config->output    ? FH_SOUND_SPEAKER
                                    : FH_SOUND_MICROPHONE;
  sound.rate = config->rate;
  sound.bits = BITS;
  sound.encoding = LPCM;
  sound.channels = config->channels;
  sound.samples = config->samples;
  sound.volume
      = config->volume >= 0 ? (uint32_t)config->volume : DEFAULT_VOLUME;
  code = api->ac_config (&sound);
  if (code == 0) {
    call = config->output ? "FH_AC_AO_Enable" : "FH_AC_AI_Enable";
    code = config->output ? api->ao_enable () : api->ai_enable ();
  }
  if (code != 0)
    return fh_fail (error, call, code);
  if (config->volume >= 0 && config->output && api->ao_volume != NULL)
    api->ao_volume (config->volume);
  if (config->volume >= 0 && !config->output && api->ai_volume != NULL)
    api->ai_volume (config->volume);
  return HAL_OK;
}

/* Both directions share what FH_AC_Init opens. */
static HalStatus
open_sound (FhContext *context, const HalAudioConfig *config, HalError *error)
{
  HalStatus status = HAL_OK;
  int32_t code;

  pthread_mutex_lock (&context->vendor_lock);
  if (context->n_audio == 0) {
    code = context->library.api.ac_init ();
    if (code != 0)
      status = fh_fail (error, "FH_AC_Init", code);
  }
  if (status == HAL_OK) {
    status = enable (context, config, error);
    if (status == HAL_OK)
      context->n_audio++;
    else if (context->n_audio == 0)
      context->library.api.ac_exit ();
  }
  pthread_mutex_unlock (&context->vendor_lock);
  return status;
}

HalStatus
fh_audio_open (HalContext *base, const HalAudioConfig *config,
               HalAudio **ret_audio, HalError *error)
{
  FhAudio *audio = calloc (1, sizeof *audio);
  HalStatus status;

  if (audio == NULL)
    return hal_fail (error, HAL_NO_MEMORY, "", 0, NULL, "out of memory");
  hal_audio_init (&audio->base, base, config);
  audio->size = config->samples * config->channels * BYTES_PER_SAMPLE;
  audio->memory = malloc (audio->size);
  status = audio->memory == NULL
               ? hal_fail (error, HAL_NO_MEMORY, "", 0, NULL, "out of memory")
               : open_sound ((FhContext *)base, config, error);
  if (status != HAL_OK) {
    hal_audio_finish (&audio->base);
    free (audio->memory);
    free (audio);
    return status;
  }
  *ret_audio = &audio->base;
  return HAL_OK;
}

void
fh_audio_close (HalAudio *base)
{
  FhAudio *audio = (FhAudio *)base;
  FhContext *context = context_of (base);
  const FhApi *api = &context->library.api;

  pthread_mutex_lock (&context->vendor_lock);
  if (base->config.output)
    api->ao_disable ();
  else
    api->ai_disable ();
  if (--context->n_audio == 0)
    api->ac_exit ();
  pthread_mutex_unlock (&context->vendor_lock);
  hal_audio_finish (base);
  free (audio->memory);
  free (audio);
}

HalStatus
fh_audio_read (HalAudio *base, uint64_t slice, HalFrame *frame, HalError *error)
{
  FhAudio *audio = (FhAudio *)base;
  FhSound sound = { audio->size, audio->memory };
  uint64_t us = 0;
  int32_t code;

  errno = 0;
  code = context_of (base)->library.api.ai_get (&sound, &us);
  if (code == FH_ERROR_EMPTY || (code == -1 && errno == EINTR))
    return HAL_AGAIN;
  if (code != 0)
    return fh_fail (error, "FH_AC_AI_GetFrameWithPts", code);
  if (sound.size > audio->size || sound.size % BYTES_PER_SAMPLE != 0
      || sound.data != audio->memory)
    return hal_fail (
        error, HAL_INSANE, "FH_AC_AI_GetFrameWithPts", 0,
        "the structures of this SDK version differ from the known ones",
        "a frame of %u bytes", (unsigned)sound.size);
  frame->raw_pts = us;
  frame->pts = hal_micro_clock_ns (&context_of (base)->clock, us);
  frame->sequence = audio->sequence++;
  return hal_segments_add (&base->segments, audio->memory, sound.size, 0,
                           error);
}

HalStatus
fh_audio_release (HalAudio *base, HalError *error)
{
  return HAL_OK;
}

HalStatus
fh_audio_write (HalAudio *base, const void *data, size_t size, uint64_t slice,
                HalError *error)
{
  FhSound sound = { (uint32_t)size, (uint8_t *)data };
  int32_t code;

  errno = 0;
  code = context_of (base)->library.api.ao_send (&sound);
  if (code == -1 && (errno == EINTR || errno == EAGAIN))
    return HAL_AGAIN;
  return code == 0 ? HAL_OK : fh_fail (error, "FH_AC_AO_SendFrame", code);
}
