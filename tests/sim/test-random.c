/* Random networks with random applications: only the invariants matter.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Seed n is network n, for ever. --count N runs that many, --seconds N goes on
 * for that long; --seed N runs the one network N.
 */
#include "simtest.h"

#include <stdio.h>

#define DEFAULT_COUNT 1000

static UdtTime
random_time (SimRandom *random, UdtTime low, UdtTime high)
{
  return sim_random_range (random, low, high);
}

static void
random_link (SimRandom *random, SimLinkConfig *link)
{
  static const uint64_t rates[]
      = { 300000, 1000000, 2000000, 5000000, 10000000, 20000000, 50000000 };

  uint64_t lowest;

  *link = (SimLinkConfig){ .rate = rates[sim_random_range (random, 0, 6)] };
  lowest = link->rate;
  link->delay = sim_random_range (random, 0, 3)
                    ? random_time (random, 0, 60 * SIM_MS)
                    : random_time (random, 0, 400 * SIM_MS);
  link->queue_limit
      = (size_t)(link->rate / 8 * sim_random_range (random, 10, 1000) / 1000)
        + 4000;
  link->jitter = (SimJitter)sim_random_range (random, 0, 3);
  link->jitter_amount = random_time (random, 0, 20 * SIM_MS);
  link->jitter_reorders = sim_random_chance (random, 0.2);
  if (sim_random_chance (random, 0.5))
    link->loss = sim_random_unit (random) * 0.1;
  if (sim_random_chance (random, 0.3)) {
    link->burst_enter = sim_random_unit (random) * 0.01;
    link->burst_leave = 0.05 + sim_random_unit (random) * 0.5;
    link->burst_loss = sim_random_unit (random);
  }
  if (sim_random_chance (random, 0.3))
    link->reorder = sim_random_unit (random) * 0.2;
  link->reorder_delay = random_time (random, 1, 100 * SIM_MS);
  if (sim_random_chance (random, 0.3))
    link->duplicate = sim_random_unit (random) * 0.2;
  if (sim_random_chance (random, 0.3))
    link->corrupt = sim_random_unit (random) * 0.05;
  if (sim_random_chance (random, 0.1))
    link->truncate = sim_random_unit (random) * 0.02;
  if (sim_random_chance (random, 0.3))
    link->mtu = sim_random_range (random, 1200, 1500);
  if (sim_random_chance (random, 0.2)) {
    link->freeze_first = random_time (random, 0, 3 * SIM_SECOND);
    link->freeze_every = random_time (random, 300 * SIM_MS, 3 * SIM_SECOND);
    link->freeze_for = random_time (random, 0, link->freeze_every / 2);
  }
  if (sim_random_chance (random, 0.1)) {
    link->down_from = random_time (random, 2 * SIM_SECOND, 5 * SIM_SECOND);
    link->down_until
        = link->down_from + random_time (random, 0, 4 * SIM_SECOND);
  }
  if (sim_random_chance (random, 0.2)) {
    link->rate_steps[0] = (SimStep){ random_time (random, 0, 5 * SIM_SECOND),
                                     rates[sim_random_range (random, 0, 6)] };
    link->n_rate_steps = 1;
    if (link->rate_steps[0].value < lowest)
      lowest = link->rate_steps[0].value;
  }
  if (sim_random_chance (random, 0.2)) {
    /* Half of the link at most, or nothing of ours would ever get through. */
    link->cross_rate = lowest / 2;
    link->cross_on = link->cross_off = SIM_SECOND / 2;
  }
}

static void
random_source (SimRandom *random, SimSourceConfig *source, uint16_t flow)
{
  switch (sim_random_range (random, 0, 4)) {
    case 0:
    case 1:
      sim_source_video (source, flow,
                        sim_random_range (random, 100000, 6000000));
      source->group = (unsigned)sim_random_range (random, 1, 90);
      source->follow = sim_random_chance (random, 0.5);
      break;
    case 2:
      sim_source_audio (source, flow);
      break;
    case 3:
      sim_source_command (source, flow);
      source->size = (uint32_t)sim_random_range (random, 1, 5000);
      break;
    default:
      sim_source_bulk (source, flow, sim_random_range (random, 1, 3000000));
      source->size = (uint32_t)sim_random_range (random, 1000, 200000);
      break;
  }
  if (sim_random_chance (random, 0.3)) {
    source->config.service = (UdtClass)sim_random_range (random, 0, 3);
    source->config.priority = (uint8_t)sim_random_range (random, 0, 255);
  }
  if (sim_random_chance (random, 0.2))
    source->config.order = UDT_ORDER_NONE;
  if (sim_random_chance (random, 0.2))
    source->config.deadline = random_time (random, 20 * SIM_MS, 2 * SIM_SECOND);
  source->start = random_time (random, 0, 2 * SIM_SECOND);
}

static void
random_config (SimRandom *random, SimConfig *config)
{
  sim_config_init (config);
  for (int i = 0; i < 2; i++) {
    random_link (random, &config->link[i]);
    if (sim_random_chance (random, 0.3))
      config->udt[i].latency = random_time (random, 0, SIM_SECOND);
    if (sim_random_chance (random, 0.3))
      config->udt[i].max_mtu
          = (uint16_t)sim_random_range (random, 1200, UDT_MAX_PACKET);
    config->clock_offset[i] = (int64_t)(sim_random_next (random) >> 20);
  }
  if (sim_random_chance (random, 0.5))
    config->link[1] = config->link[0];
  if (sim_random_chance (random, 0.5))
    config->timer_slack = random_time (random, 0, 10 * SIM_MS);
}

/* What applications and networks do now and then. */
static void
disturb (Sim *sim, SimRandom *random)
{
  SimPeer *peer = &sim->peer[sim_random_range (random, 0, 1)];
  SimFlow *flow = &peer->flows[sim_random_range (random, 0, 3)];

  switch (sim_random_range (random, 0, 7)) {
    case 0:
      udt_connection_path_changed (peer->conn, 0, sim_peer_now (peer));
      break;
    case 1:
      peer->send_fail_first = peer->send_attempts + 1;
      peer->send_fail_count = sim_random_range (random, 1, 30);
      break;
    case 2:
      if (flow->used && flow->open)
        udt_connection_drop_pending (peer->conn, flow->id, sim_peer_now (peer));
      break;
    case 3:
      if (flow->used && flow->open && flow->expect_all)
        sim_flow_hold (flow, !flow->held);
      break;
    default:
      return;
  }
  sim_peer_service (peer);
}

static void
one_network (SimTest *test, uint64_t seed)
{
  SimRandom random;
  SimConfig config;
  Sim *sim;
  unsigned sources;

  sim_random_init (&random, seed ^ 0x6e6574776f726bu);
  random_config (&random, &config);
  sim = sim_new (&config, seed);
  test->seed = seed;
  sim_connect (sim);
  sources = (unsigned)sim_random_range (&random, 1, 5);
  for (unsigned i = 0; i < sources; i++) {
    SimSourceConfig source;

    random_source (&random, &source,
                   (uint16_t)(sim_random_next (&random) * 8 + i));
    if (!sim->failed)
      sim_source_add (sim, (unsigned)sim_random_range (&random, 0, 1), &source);
  }
  for (unsigned i = 0; i < 16 && !sim->failed; i++) {
    sim_run_for (sim, SIM_SECOND / 2);
    disturb (sim, &random);
  }
  for (unsigned i = 0; i < 2; i++)
    for (unsigned j = 0; j < SIM_MAX_FLOWS; j++)
      if (!sim->failed && sim->peer[i].flows[j].held)
        sim_flow_hold (&sim->peer[i].flows[j], false);
  sim_finish (sim);
  sim_test_end (test, sim);
}

static void
networks (SimTest *test)
{
  uint64_t first = test->seed, n = 0;
  uint64_t count = test->count ? test->count : sim_test_fewer (DEFAULT_COUNT);
  double start = sim_test_clock ();

  if (test->replay && !test->count && test->seconds <= 0)
    count = 1;
  while (test->seconds > 0 ? sim_test_clock () - start < test->seconds
                           : n < count)
    one_network (test, first + n++);
  printf ("# %llu random networks\n", (unsigned long long)n);
}

static const SimCase cases[] = {
  { "random-networks", networks },
  { NULL },
};

int
main (int argc, char **argv)
{
  const SimCase *const tables[] = { cases, NULL };

  return sim_test_main (argc, argv, tables);
}
