/* The audio of a simulated libdsp.so: a saw-tooth in, and what goes out is
 * counted. One thread at a time.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>
#include <time.h>

#include "simfullhan.h"

static struct
{
  bool ready, in, out;
  FhSoundConfig in_config, out_config;
  uint64_t pts;
} sound;

API (AC_Init) (void)
{
  if (sound.ready)
    atomic_fetch_add (&sim_engine_control ()->order_errors, 1);
  sound.ready = true;
  return 0;
}

API (AC_DeInit) (void)
{
  if (!sound.ready || sound.in || sound.out)
    atomic_fetch_add (&sim_engine_control ()->order_errors, 1);
  memset (&sound, 0, sizeof sound);
  return 0;
}

API (AC_Set_Config) (FhSoundConfig *config)
{
  if (!sound.ready)
    return NOT_INIT;
  if (config->bits != 16 || config->samples == 0 || config->encoding != 0
      || config->channels < 1 || config->channels > 2
      || (config->input != FH_SOUND_MICROPHONE
          && config->input != FH_SOUND_SPEAKER))
    return PARAM;
  if (config->input == FH_SOUND_SPEAKER)
    sound.out_config = *config;
  else
    sound.in_config = *config;
  return 0;
}

API (AC_AI_Enable) (void)
{
  if (sound.in_config.rate == 0)
    return NOT_READY;
  sound.in = true;
  sound.pts = sim_engine_now ();
  return 0;
}

API (AC_AI_Disable) (void)
{
  sound.in = false;
  return 0;
}

API (AC_AI_GetFrameWithPts) (FhSound *frame, uint64_t *us)
{
  SimControl *control = sim_engine_control ();
  uint32_t bytes = sound.in_config.samples * sound.in_config.channels * 2, i;
  uint64_t due;

  if (!sound.in)
    return NOT_READY;
  if (frame->data == NULL || frame->size < bytes)
    return PARAM;
  due = sound.pts
        + (uint64_t)sound.in_config.samples * 1000000 / sound.in_config.rate;
  if (control->mode == SIM_REALTIME && due > sim_engine_now ()) {
    uint64_t us_left = due - sim_engine_now ();
    struct timespec nap = { 0, (long)(us_left % 1000000) * 1000 };

    nanosleep (&nap, NULL);
  }
  sound.pts = due;
  for (i = 0; i < bytes / 2; i++) {
    int16_t sample = (int16_t)(i * 64);

    memcpy (frame->data + i * 2, &sample, 2);
  }
  frame->size = bytes;
  *us = sound.pts;
  atomic_fetch_add (&control->audio_gets, 1);
  atomic_fetch_add (&control->audio_releases, 1);
  return 0;
}

API (AC_AO_Enable) (void)
{
  if (sound.out_config.rate == 0)
    return NOT_READY;
  sound.out = true;
  return 0;
}

API (AC_AO_Disable) (void)
{
  sound.out = false;
  return 0;
}

API (AC_AO_SendFrame) (FhSound *frame)
{
  if (!sound.out)
    return NOT_READY;
  if (frame->data == NULL
      || frame->size
             != sound.out_config.samples * sound.out_config.channels * 2)
    return PARAM;
  atomic_fetch_add (&sim_engine_control ()->audio_plays, 1);
  return 0;
}
