/* The audio of a simulated libimp.so: a saw-tooth in, and what goes out is
 * counted. One thread at a time.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "simingenic.h"

#define INPUT 1
#define OUTPUT 0
#define ROOM 20

static struct
{
  bool set, enabled, depth, channel, held;
  uint32_t rate, samples, sequence;
  uint64_t pts;
  int16_t *memory;
} ai, ao;

static bool
good_attr (const IngenicAudioAttr *attr)
{
  return attr->bits == 16 && attr->sound_mode == 1 && attr->n_channels == 1
         && attr->samples > 0 && attr->rate % 100 == 0
         && attr->samples % (attr->rate / 100) == 0 && attr->n_frames >= 2
         && attr->n_frames <= 50;
}

API (AI_SetPubAttr) (int device, IngenicAudioAttr *attr)
{
  if (device != INPUT || !good_attr (attr))
    return -1;
  ai.set = true;
  ai.rate = attr->rate;
  ai.samples = attr->samples;
  return 0;
}

API (AI_Enable) (int device)
{
  if (device != INPUT || !ai.set || ai.enabled)
    return out_of_order ();
  ai.enabled = true;
  return 0;
}

API (AI_SetChnParam) (int device, int channel, const IngenicAudioParam *param)
{
  if (device != INPUT || channel != 0 || !ai.enabled || ai.channel)
    return out_of_order ();
  ai.depth = param->depth > 0;
  return ai.depth ? 0 : -1;
}

API (AI_EnableChn) (int device, int channel)
{
  if (device != INPUT || channel != 0 || !ai.depth)
    return out_of_order ();
  ai.channel = true;
  ai.memory = calloc (ai.samples, sizeof *ai.memory);
  ai.pts = sim_engine_now ();
  return 0;
}

API (AI_DisableChn) (int device, int channel)
{
  if (device != INPUT || !ai.channel || ai.held)
    return out_of_order ();
  ai.channel = false;
  free (ai.memory);
  ai.memory = NULL;
  return 0;
}

API (AI_Disable) (int device)
{
  if (device != INPUT || !ai.enabled || ai.channel)
    return out_of_order ();
  memset (&ai, 0, sizeof ai);
  return 0;
}

API (AI_SetVol) (int device, int channel, int volume)
{
  return ai.channel && volume >= -30 && volume <= 120 ? 0 : -1;
}

static uint64_t
due (void)
{
  return ai.pts + (uint64_t)ai.samples * 1000000 / ai.rate;
}

API (AI_PollingFrame) (int device, int channel, unsigned ms)
{
  uint64_t now = sim_engine_now ();
  uint64_t wait = due () > now ? due () - now : 0;
  struct timespec nap = { 0, 0 };

  if (!ai.channel)
    return -1;
  if (sim_engine_control ()->mode != SIM_REALTIME)
    return 0;
  if (wait > (uint64_t)ms * 1000)
    wait = (uint64_t)ms * 1000;
  nap.tv_nsec = (long)wait * 1000;
  nanosleep (&nap, NULL);
  return sim_engine_now () >= due () ? 0 : -1;
}

API (AI_GetFrame)
(int device, int channel, IngenicAudioFrame *frame, uint32_t block)
{
  uint32_t i;

  if (!ai.channel || ai.held || block != INGENIC_AUDIO_NO_BLOCK)
    return out_of_order ();
  ai.pts = due ();
  for (i = 0; i < ai.samples; i++)
    ai.memory[i] = (int16_t)(i * 64);
  sim_check_out (frame, sizeof *frame);
  frame->bits = 16;
  frame->sound_mode = 1;
  frame->address = (uint8_t *)ai.memory;
  frame->length = (int32_t)(ai.samples * sizeof *ai.memory);
  frame->pts = (int64_t)ai.pts;
  frame->sequence = (int32_t)ai.sequence++;
  ai.held = true;
  atomic_fetch_add (&sim_engine_control ()->audio_gets, 1);
  return 0;
}

API (AI_ReleaseFrame) (int device, int channel, IngenicAudioFrame *frame)
{
  if (!ai.held || frame->address != (uint8_t *)ai.memory)
    return out_of_order ();
  ai.held = false;
  memset (ai.memory, SIM_POISON, ai.samples * sizeof *ai.memory);
  atomic_fetch_add (&sim_engine_control ()->audio_releases, 1);
  return 0;
}

API (AO_SetPubAttr) (int device, IngenicAudioAttr *attr)
{
  if (device != OUTPUT || !good_attr (attr))
    return -1;
  ao.set = true;
  ao.samples = attr->samples;
  return 0;
}

API (AO_Enable) (int device)
{
  if (device != OUTPUT || !ao.set || ao.enabled)
    return out_of_order ();
  ao.enabled = true;
  return 0;
}

API (AO_EnableChn) (int device, int channel)
{
  if (device != OUTPUT || channel != 0 || !ao.enabled)
    return out_of_order ();
  ao.channel = true;
  return 0;
}

API (AO_DisableChn) (int device, int channel)
{
  if (device != OUTPUT || !ao.channel)
    return out_of_order ();
  ao.channel = false;
  return 0;
}

API (AO_Disable) (int device)
{
  if (device != OUTPUT || !ao.enabled || ao.channel)
    return out_of_order ();
  memset (&ao, 0, sizeof ao);
  return 0;
}

API (AO_SetVol) (int device, int channel, int volume)
{
  return ao.channel && volume >= -30 && volume <= 120 ? 0 : -1;
}

/* Every third time the queue is full. */
API (AO_QueryChnStat) (int device, int channel, IngenicAudioState *state)
{
  if (!ao.channel)
    return -1;
  sim_check_out (state, sizeof *state);
  state->total = ROOM;
  state->free = ao.sequence++ % 3 == 0 ? 0 : 1;
  state->busy = ROOM - state->free;
  return 0;
}

API (AO_SendFrame)
(int device, int channel, IngenicAudioFrame *frame, uint32_t block)
{
  if (!ao.channel)
    return out_of_order ();
  if (frame->length != (int32_t)(ao.samples * 2) || frame->address == NULL)
    return -1;
  atomic_fetch_add (&sim_engine_control ()->audio_plays, 1);
  return 0;
}
