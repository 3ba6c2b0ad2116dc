/* The audio of HiSilicon's simulated library: a saw-tooth in, and what goes out
 * is counted. One thread at a time.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "simhisi.h"

static struct
{
  bool set, enabled, channel, held;
  uint32_t rate, samples, sequence;
  uint64_t pts;
  int16_t *memory;
} ai, ao;

static int32_t
audio_set (bool *set, uint32_t *rate, uint32_t *samples, int32_t device,
           const HisiV4AioAttr *attr)
{
  if (device != 0 || attr->bits != 1 || attr->samples == 0)
    return HISI_ERROR (HISI_MOD_AI, PARAM);
  *set = true;
  *rate = attr->rate;
  *samples = attr->samples;
  return 0;
}

API (AI_SetPubAttr, ai_set_pub_attr) (int32_t device, const HisiV4AioAttr *a)
{
  return audio_set (&ai.set, &ai.rate, &ai.samples, device, a);
}

API (AI_Enable, ai_enable) (int32_t device)
{
  ai.enabled = ai.set;
  return ai.set ? 0 : HISI_ERROR (HISI_MOD_AI, PERM);
}

API (AI_Disable, ai_disable) (int32_t device)
{
  if (ai.held)
    atomic_fetch_add (&sim_engine_control ()->order_errors, 1);
  free (ai.memory);
  memset (&ai, 0, sizeof ai);
  return 0;
}

API (AI_EnableChn, ai_enable_chn) (int32_t device, int32_t chn)
{
  ai.channel = ai.enabled;
  ai.memory = calloc (ai.samples, 2 * sizeof *ai.memory);
  ai.pts = sim_engine_now ();
  return ai.enabled ? 0 : HISI_ERROR (HISI_MOD_AI, PERM);
}

API (AI_DisableChn, ai_disable_chn) (int32_t device, int32_t chn)
{
  ai.channel = false;
  return 0;
}

API (AI_GetFrame, ai_get_frame)
(int32_t device, int32_t chn, AudioFrame *frame, void *echo, int32_t ms)
{
  SimControl *control = sim_engine_control ();
  uint64_t due = ai.pts + (uint64_t)ai.samples * 1000000 / ai.rate;
  uint32_t i;

  if (!ai.channel)
    return HISI_ERROR (HISI_MOD_AI, PERM);
  if (control->mode == SIM_REALTIME) {
    struct timespec nap = { 0, 0 };
    uint64_t now = sim_engine_now ();
    uint64_t wait = due > now ? due - now : 0;

    if (wait > (uint64_t)ms * 1000)
      wait = (uint64_t)ms * 1000;
    nap.tv_nsec = (long)wait * 1000;
    nanosleep (&nap, NULL);
    if (sim_engine_now () < due)
      return HISI_ERROR (HISI_MOD_AI, EMPTY);
  }
  ai.pts = due;
  for (i = 0; i < ai.samples; i++)
    ai.memory[i] = ai.memory[ai.samples + i] = (int16_t)(i * 64);
  sim_check_out (frame, sizeof *frame);
  memset (frame, 0, sizeof *frame);
  frame->bits = 1;
  frame->address[0] = (uint8_t *)ai.memory;
  frame->address[1] = (uint8_t *)(ai.memory + ai.samples);
  frame->length = ai.samples * 2;
  frame->pts = ai.pts;
  frame->sequence = ai.sequence++;
  ai.held = true;
  atomic_fetch_add (&control->audio_gets, 1);
  return 0;
}

API (AI_ReleaseFrame, ai_release_frame)
(int32_t device, int32_t chn, const AudioFrame *frame, const void *echo)
{
  if (!ai.held)
    atomic_fetch_add (&sim_engine_control ()->order_errors, 1);
  ai.held = false;
  memset (ai.memory, SIM_POISON, ai.samples * 2 * sizeof *ai.memory);
  atomic_fetch_add (&sim_engine_control ()->audio_releases, 1);
  return 0;
}

API (AO_SetPubAttr, ao_set_pub_attr) (int32_t device, const HisiV4AioAttr *a)
{
  return audio_set (&ao.set, &ao.rate, &ao.samples, device, a);
}

API (AO_Enable, ao_enable) (int32_t device)
{
  ao.enabled = ao.set;
  return ao.set ? 0 : HISI_ERROR (HISI_MOD_AO, PERM);
}

API (AO_Disable, ao_disable) (int32_t device)
{
  memset (&ao, 0, sizeof ao);
  return 0;
}

API (AO_EnableChn, ao_enable_chn) (int32_t device, int32_t chn)
{
  ao.channel = ao.enabled;
  return ao.enabled ? 0 : HISI_ERROR (HISI_MOD_AO, PERM);
}

API (AO_DisableChn, ao_disable_chn) (int32_t device, int32_t chn)
{
  ao.channel = false;
  return 0;
}

API (AO_SendFrame, ao_send_frame)
(int32_t device, int32_t chn, const AudioFrame *frame, int32_t ms)
{
  if (!ao.channel)
    return HISI_ERROR (HISI_MOD_AO, PERM);
  if (frame->length != ao.samples * 2 || frame->address[0] == NULL)
    return HISI_ERROR (HISI_MOD_AO, PARAM);
  atomic_fetch_add (&sim_engine_control ()->audio_plays, 1);
  return 0;
}
