/* Microphone and loudspeaker of HiSilicon and Goke: PCM, encoded elsewhere.
 *
 * The libraries have encoders for sound, but put a header of their own before
 * each frame; raw samples have none. Volume is a matter of /dev/acodec, which
 * the program that sets up the board opens.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hisiprivate.h"

#define CHANNEL 0
#define BITS_16 1
#define MODE_I2S_MASTER 0
#define STEREO 1
#define FRAMES_QUEUED 30
#define BYTES_PER_SAMPLE 2

static const HisiLibrary *
library_of (const HisiAudio *audio)
{
  return &((HisiContext *)audio->base.context)->library;
}

static void
fill_attr (const HalAudioConfig *config, HisiV4AioAttr *attr)
{
  memset (attr, 0, sizeof *attr);
  attr->rate = config->rate;
  attr->bits = BITS_16;
  attr->mode = MODE_I2S_MASTER;
  attr->sound_mode = config->channels > 1 ? STEREO : 0;
  attr->n_frames = FRAMES_QUEUED;
  attr->samples = config->samples;
  attr->n_channels = config->channels;
}

static HalStatus
open_input (HisiAudio *audio, HalError *error)
{
  const HisiLibrary *library = library_of (audio);
  const HisiApi *api = &library->api;
  uint32_t param[HISI_OUT_SIZE / 4] = { 0 };
  const char *call = "AI_SetPubAttr";
  HisiV4AioAttr attr;
  int32_t code;

  fill_attr (&audio->base.config, &attr);
  code = api->ai_set_attr (audio->device, &attr);
  if (code == 0) {
    call = "AI_Enable";
    code = api->ai_enable (audio->device);
    if (code == 0) {
      /* Frames are only handed to users if asked for. */
      if (api->ai_get_param != NULL && api->ai_set_param != NULL
          && api->ai_get_param (audio->device, CHANNEL, param) == 0) {
        param[0] = FRAMES_QUEUED;
        api->ai_set_param (audio->device, CHANNEL, param);
      }
      call = "AI_EnableChn";
      code = api->ai_enable_chn (audio->device, CHANNEL);
      if (code != 0)
        api->ai_disable (audio->device);
    }
  }
  return code == 0 ? HAL_OK : hisi_fail (error, library->layout, call, code);
}

static HalStatus
open_output (HisiAudio *audio, HalError *error)
{
  const HisiLibrary *library = library_of (audio);
  const HisiApi *api = &library->api;
  const char *call = "AO_SetPubAttr";
  HisiV4AioAttr attr;
  int32_t code;

  fill_attr (&audio->base.config, &attr);
  code = api->ao_set_attr (audio->device, &attr);
  if (code == 0) {
    call = "AO_Enable";
    code = api->ao_enable (audio->device);
    if (code == 0) {
      call = "AO_EnableChn";
      code = api->ao_enable_chn (audio->device, CHANNEL);
      if (code != 0)
        api->ao_disable (audio->device);
    }
  }
  return code == 0 ? HAL_OK : hisi_fail (error, library->layout, call, code);
}

HalStatus
hisi_audio_open (HalContext *base, const HalAudioConfig *config,
                 HalAudio **ret_audio, HalError *error)
{
  HisiAudio *audio;
  HalStatus status;

  if (config->output && config->channels > 1)
    return hal_fail (error, HAL_UNSUPPORTED, "", 0, NULL,
                     "the loudspeaker has one channel");
  audio = calloc (1, sizeof *audio);
  if (audio == NULL)
    return hal_fail (error, HAL_NO_MEMORY, "", 0, NULL, "out of memory");
  hal_audio_init (&audio->base, base, config);
  audio->base.config.planar = config->channels > 1;
  audio->device = config->device >= 0 ? config->device : 0;
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
hisi_audio_close (HalAudio *base)
{
  HisiAudio *audio = (HisiAudio *)base;
  const HisiApi *api = &library_of (audio)->api;

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

static HalStatus
fail_or_again (HisiAudio *audio, unsigned module, const char *call,
               int32_t code, HalError *error)
{
  const HisiLayout *layout = library_of (audio)->layout;

  if (code == HISI_ERROR (module, layout->buffer_empty)
      || (code == -1 && errno == EINTR))
    return HAL_AGAIN;
  return hisi_fail (error, layout, call, code);
}

HalStatus
hisi_audio_read (HalAudio *base, uint64_t slice, HalFrame *frame,
                 HalError *error)
{
  HisiAudio *audio = (HisiAudio *)base;
  const HisiLibrary *library = library_of (audio);
  const HisiLayout *layout = library->layout;
  unsigned i, channels = base->config.channels;
  uint32_t length;
  HalStatus status;
  int32_t code;

  memset (audio->frame, 0, sizeof audio->frame);
  memset (audio->echo, 0, sizeof audio->echo);
  code
      = library->api.ai_get_frame (audio->device, CHANNEL, audio->frame,
                                   audio->echo, (int32_t)(slice / HAL_MSECOND));
  if (code != 0)
    return fail_or_again (audio, HISI_MOD_AI, "AI_GetFrame", code, error);
  length = hal_get_u32 (audio->frame, layout->audio_frame.length);
  status = HAL_OK;
  if (length > base->config.samples * BYTES_PER_SAMPLE * 2
      || length % BYTES_PER_SAMPLE != 0)
    status = hal_fail (
        error, HAL_INSANE, "AI_GetFrame", 0,
        "the structures of this SDK version differ from the known ones",
        "a frame of %u bytes", (unsigned)length);
  /* One plane per channel, the length is that of each. */
  for (i = 0; status == HAL_OK && i < channels; i++)
    status = hal_segments_add (&base->segments,
                               hal_get_ptr (audio->frame,
                                            layout->audio_frame.address
                                                + i * sizeof (void *)),
                               length, i, error);
  if (status != HAL_OK) {
    library->api.ai_release_frame (audio->device, CHANNEL, audio->frame,
                                   audio->echo);
    return status;
  }
  frame->raw_pts = hal_get_u64 (audio->frame, layout->audio_frame.pts);
  frame->pts = hal_micro_clock_ns (&((HisiContext *)base->context)->clock,
                                   frame->raw_pts);
  frame->sequence = hal_get_u32 (audio->frame, layout->audio_frame.sequence);
  return HAL_OK;
}

HalStatus
hisi_audio_release (HalAudio *base, HalError *error)
{
  HisiAudio *audio = (HisiAudio *)base;
  const HisiLibrary *library = library_of (audio);
  int32_t code = library->api.ai_release_frame (audio->device, CHANNEL,
                                                audio->frame, audio->echo);

  if (code != 0)
    return hisi_fail (error, library->layout, "AI_ReleaseFrame", code);
  return HAL_OK;
}

HalStatus
hisi_audio_write (HalAudio *base, const void *data, size_t size, uint64_t slice,
                  HalError *error)
{
  HisiAudio *audio = (HisiAudio *)base;
  const HisiLibrary *library = library_of (audio);
  const HisiLayout *layout = library->layout;
  int32_t code;

  memset (audio->frame, 0, sizeof audio->frame);
  hal_put_u32 (audio->frame, 0, BITS_16);
  hal_put_ptr (audio->frame, layout->audio_frame.address, (void *)data);
  hal_put_u64 (audio->frame, layout->audio_frame.pts,
               audio->written * 1000000 / base->config.rate);
  hal_put_u32 (audio->frame, layout->audio_frame.sequence, audio->sequence);
  hal_put_u32 (audio->frame, layout->audio_frame.length, (uint32_t)size);
  code = library->api.ao_send_frame (audio->device, CHANNEL, audio->frame,
                                     (int32_t)(slice / HAL_MSECOND));
  if (code
      == HISI_ERROR (HISI_MOD_AO, layout->generation == HISI_V5 ? 0x17 : 15))
    return HAL_AGAIN;
  if (code != 0)
    return hisi_fail (error, layout, "AO_SendFrame", code);
  audio->sequence++;
  audio->written += base->config.samples;
  return HAL_OK;
}
