/* The applications that send: a camera, a microphone, commands, a file.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "sim.h"

#include <stdlib.h>

#define FRAME_INTERVAL 33333 /* 30 a second */
#define POLICY_INTERVAL (100 * SIM_MS)
#define AUDIO_INTERVAL (20 * SIM_MS)
#define AUDIO_SIZE 160
#define COMMAND_INTERVAL (250 * SIM_MS)
#define COMMAND_SIZE 120
#define BULK_SIZE 65536

void
sim_source_video (SimSourceConfig *config, uint16_t flow, uint64_t bitrate)
{
  *config
      = (SimSourceConfig){ .kind = SIM_SOURCE_VIDEO,
                           .flow = flow,
                           .bitrate = bitrate,
                           .min_bitrate = 200000,
                           .interval = FRAME_INTERVAL,
                           .group = 60,
                           .key_weight = 8,
                           .config = { .service = UDT_CLASS_VIDEO,
                                       .order = UDT_ORDER_STRICT,
                                       .deadline = UDT_DEADLINE_RECEIVER } };
}

void
sim_source_audio (SimSourceConfig *config, uint16_t flow)
{
  *config
      = (SimSourceConfig){ .kind = SIM_SOURCE_STEADY,
                           .flow = flow,
                           .interval = AUDIO_INTERVAL,
                           .size = AUDIO_SIZE,
                           .config = { .service = UDT_CLASS_AUDIO,
                                       .order = UDT_ORDER_STRICT,
                                       .deadline = UDT_DEADLINE_RECEIVER } };
}

void
sim_source_command (SimSourceConfig *config, uint16_t flow)
{
  *config = (SimSourceConfig){ .kind = SIM_SOURCE_STEADY,
                               .flow = flow,
                               .interval = COMMAND_INTERVAL,
                               .size = COMMAND_SIZE,
                               .config = { .service = UDT_CLASS_COMMAND,
                                           .order = UDT_ORDER_STRICT } };
}

void
sim_source_bulk (SimSourceConfig *config, uint16_t flow, uint64_t total)
{
  *config = (SimSourceConfig){ .kind = SIM_SOURCE_BULK,
                               .flow = flow,
                               .size = BULK_SIZE,
                               .total = total,
                               .config = { .service = UDT_CLASS_BULK,
                                           .order = UDT_ORDER_STRICT } };
}

/* As the elements do it: ten times a second, by the same policy. */
static uint64_t
followed_rate (SimSource *source)
{
  BitratePolicy *policy = &source->policy;
  BitrateViewer viewer = { 0 };
  UdtStats stats;

  if (policy->current == 0) {
    policy->min = source->config.min_bitrate;
    policy->max = source->config.bitrate;
    bitrate_policy_limit (policy);
  }
  if (source->sim->now >= source->policy_at) {
    source->policy_at = source->sim->now + POLICY_INTERVAL;
    sim_peer_stats (source->flow->sender, &stats);
    viewer.bitrate = stats.target_bitrate;
    bitrate_policy_update (policy, &viewer, 1, source->sim->now);
  }
  return policy->current;
}

static uint32_t
frame_size (SimSource *source, bool key)
{
  const SimSourceConfig *config = &source->config;
  uint64_t units, bytes;
  uint64_t rate = config->follow ? followed_rate (source) : config->bitrate;

  /* A group's bytes, shared out by weight. */
  units = config->group - 1 + config->key_weight;
  bytes = rate * config->interval / SIM_SECOND / 8 * config->group / units;
  if (key)
    bytes *= config->key_weight;
  /* Real frames differ from each other. */
  bytes = bytes * sim_random_range (&source->sim->random, 80, 120) / 100;
  return (uint32_t)(bytes ? bytes : 1);
}

static void
send_frame (SimSource *source)
{
  const SimSourceConfig *config = &source->config;
  SimFlow *flow = source->flow;
  bool key = source->in_group == 0;
  uint32_t size;
  UdtStatus status;

  if (!key && flow->need_sync) {
    source->keys_forced++;
    source->in_group = 0;
    key = true;
  }
  size = frame_size (source, key);
  if (key)
    flow->need_sync = false;
  status
      = sim_flow_send (flow, size, key ? UDT_MESSAGE_SYNC : UDT_MESSAGE_DELTA);
  if (status == UDT_OK) {
    source->sent_bytes += size;
    source->in_group = (source->in_group + 1) % config->group;
  } else {
    source->in_group = 0; /* what follows would miss this frame */
  }
  source->frames++;
}

static void
send_bulk (SimSource *source)
{
  while (!source->done && !source->stopped && !source->sim->failed) {
    uint64_t left = source->config.total - source->sent_bytes;
    uint32_t size
        = left < source->config.size ? (uint32_t)left : source->config.size;
    UdtStatus status = sim_flow_send (source->flow, size, 0);

    if (status == UDT_ERR_FULL)
      return; /* goes on when writable */
    if (status != UDT_OK) {
      source->stopped = true;
      return;
    }
    source->sent_bytes += size;
    source->done = source->sent_bytes >= source->config.total;
  }
}

static void
tick (Sim *sim, void *arg, uint64_t value)
{
  SimSource *source = arg;
  const SimSourceConfig *config = &source->config;

  if (source->stopped || sim->freed || sim->failed)
    return;
  if (config->stop && sim->now >= config->stop) {
    source->done = true;
    return;
  }
  if (!source->flow)
    return;
  switch (config->kind) {
    case SIM_SOURCE_VIDEO:
      send_frame (source);
      break;
    case SIM_SOURCE_STEADY:
      if (sim_flow_send (source->flow, config->size, 0) == UDT_OK)
        source->sent_bytes += config->size;
      source->frames++;
      break;
    case SIM_SOURCE_BULK:
      send_bulk (source);
      return;
  }
  sim_at (sim, sim->now + config->interval, tick, source, value);
}

SimSource *
sim_source_add (Sim *sim, unsigned peer, const SimSourceConfig *config)
{
  SimSource *source = calloc (1, sizeof *source);

  if (!source)
    abort ();
  source->sim = sim;
  source->config = *config;
  source->next = sim->sources;
  sim->sources = source;
  source->flow = sim_flow_open (sim, peer, config->flow, &config->config);
  sim_at (sim, sim->now + config->start, tick, source, peer);
  return source;
}

void
sim_source_writable (SimPeer *peer)
{
  for (SimSource *source = peer->sim->sources; source; source = source->next)
    if (source->flow && source->flow->sender == peer
        && source->config.kind == SIM_SOURCE_BULK)
      send_bulk (source);
}

bool
sim_source_all_done (Sim *sim)
{
  for (SimSource *source = sim->sources; source; source = source->next)
    if (!source->done || !sim_flow_is_drained (source->flow))
      return false;
  return true;
}
