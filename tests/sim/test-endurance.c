/* A day, a flood, and a path that loses half.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Nothing may creep: memory, delay, counters that come round. And what does not
 * open is counted and otherwise has not been.
 */
#include "simtest.h"
#include "udtprivate.h"

#include <string.h>

#define HOUR (3600 * SIM_SECOND)
#define TALK (20 * SIM_SECOND) /* of each hour */

/* Counters that would take weeks to come round begin near their ends. */
static void
age_counters (Sim *sim)
{
  for (unsigned i = 0; i < 2; i++) {
    UdtConnection *conn = sim->peer[i].conn, *other = sim->peer[!i].conn;
    uint64_t start = (UINT64_C (1) << 32) - 5000;
    UdtPool *pools[] = { &conn->out_pool, &conn->item_pool };
    void *record;

    conn->next_number = conn->path_number = conn->round_end = start;
    other->seen.next = other->seen.floor = start;
    for (unsigned j = 0; j < 2; j++)
      for (record = pools[j]->free; record; record = *(void **)record) {
        uint32_t *generation = j == 0 ? &((UdtOut *)record)->generation
                                      : &((UdtItem *)record)->generation;

        *generation = UINT32_MAX - 20;
      }
    conn->turn = UINT64_MAX - 1000;
    conn->ready_order = UINT64_MAX / 2;
    conn->next_epoch = 100000;
  }
}

/* One command a second for a day, each way; twenty seconds of sound an hour; a
 * clip at noon. The clocks of the ends differ and run apart. */
static void
a_day (SimTest *test)
{
  SimSourceConfig source;
  SimConfig config;
  SimReport report;
  size_t memory[2] = { 0, 0 };
  UdtStats stats;
  Sim *sim;

  sim_config_init (&config);
  for (int i = 0; i < 2; i++)
    config.link[i].loss = 0.01;
  config.clock_drift[0] = 100e-6;
  config.clock_drift[1] = -100e-6;
  config.clock_offset[0] = UINT32_MAX - 1000000;
  config.clock_offset[1] = (int64_t)1 << 50;
  sim = sim_new (&config, test->seed);
  age_counters (sim);
  sim_connect (sim);
  for (unsigned i = 0; i < 2; i++) {
    sim_source_command (&source, 1);
    source.interval = SIM_SECOND;
    sim_source_add (sim, i, &source);
  }
  for (unsigned hour = 0; hour < 24 && !sim->failed; hour++) {
    /* Flows come and go. */
    uint16_t flow = (uint16_t)(2 + hour % 12);
    SimFlow *sound = sim_flow_find (&sim->peer[0], flow);

    sim_source_audio (&source, flow);
    source.stop = sim->now + TALK;
    if (!sound) {
      sim_source_add (sim, 0, &source);
      sound = sim_flow_find (&sim->peer[0], flow);
    } else {
      sim_flow_reopen (sound);
      for (unsigned i = 0; i < 100 && !sim->failed; i++)
        sim_flow_send (sound, 160, 0);
    }
    sim_run_for (sim, TALK + 10 * SIM_SECOND);
    if (hour == 12) {
      sim_source_bulk (&source, 14, 20000000);
      sim_source_add (sim, 1, &source);
    }
    sim_run_for (sim, HOUR - TALK - 20 * SIM_SECOND);
    sim_flow_report (sound, 0, &report);
    CHECK_LEAST (test, report.delivered, 0.99 * (double)report.accepted);
    sim_flow_close (sound);
    sim_run_for (sim, 10 * SIM_SECOND);
    for (unsigned i = 0; i < 2; i++) {
      if (hour == 2)
        memory[i] = sim->peer[i].memory.used;
      /* The clip makes tables grow, once. */
      if (hour > 2)
        CHECK_MOST (test, sim->peer[i].memory.used,
                    memory[i] + (hour >= 12 ? 600000 : 20000));
    }
  }
  for (unsigned i = 0; i < 2; i++) {
    sim_peer_stats (&sim->peer[i], &stats);
    CHECK_EQUAL (test, sim->peer[i].dead, 0);
    CHECK_MOST (test, stats.queue_delay, 15 * SIM_MS);
    CHECK_LEAST (test, stats.messages_received, 86000);
    sim_flow_report (sim_flow_find (&sim->peer[i], 1), 0, &report);
    sim_test_note (test, "commands: mean %.1f max %.1f ms, memory %zu",
                   (double)report.mean / 1e3, (double)report.max / 1e3,
                   sim->peer[i].memory.used);
    /* The newest may be on its way. */
    CHECK_MOST (test, report.missing, 1);
    CHECK_MOST (test, report.max, SIM_SECOND);
  }
  CHECK_EQUAL (test, sim_flow_find (&sim->peer[1], 14)->bytes_delivered,
               20000000);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* ---- the flood ---- */

#define CAUGHT 64
#define FLOOD_FROM SIM_SECOND

typedef struct
{
  SimPacket packets[CAUGHT];
  unsigned n;
  uint64_t injected;
  SimRandom random;
} Flood;

static bool
catch_some (void *user, Sim *sim, const SimPacket *packet)
{
  Flood *flood = user;

  /* One that overtakes its original would be no copy either. */
  if (packet->index % 16 == 0 && sim->now < FLOOD_FROM - SIM_SECOND / 5)
    flood->packets[flood->n++ % CAUGHT] = *packet;
  return false;
}

/* Garbage, other people's packets, altered ones, copies of old ones, and
 * numbers from anywhere, ten thousand a second at each end. */
static void
inject (Sim *sim, void *arg, uint64_t value)
{
  Flood *flood = arg;
  uint8_t data[UDT_MAX_PACKET + 64];
  size_t len = sim_random_range (&flood->random, 0, sizeof data);
  unsigned end = (unsigned)(value & 1);

  for (size_t i = 0; i < len; i++)
    data[i] = (uint8_t)sim_random_next (&flood->random);
  if (flood->n > 0 && sim_random_chance (&flood->random, 0.8)) {
    const SimPacket *old = &flood->packets[sim_random_range (
        &flood->random, 0, (flood->n < CAUGHT ? flood->n : CAUGHT) - 1)];

    len = old->len;
    memcpy (data, old->data, len);
    end = 1;
    switch (sim_random_range (&flood->random, 0, 3)) {
      case 0:
        break; /* a replay */
      case 1:
        data[sim_random_range (&flood->random, 0, len - 1)] ^= 1;
        break;
      case 2:
        len = sim_random_range (&flood->random, 0, len - 1);
        break;
      default:
        /* A jump of the packet number, with a seal that does not fit. */
        data[5 + sim_random_range (&flood->random, 0, 3)]
            ^= (uint8_t)sim_random_range (&flood->random, 1, 255);
        break;
    }
  }
  flood->injected++;
  sim_peer_input (&sim->peer[end], data, len);
  if (value > 1)
    sim_at (sim, sim->now + 100, inject, arg, value - 1);
}

static uint64_t
live_trace (SimTest *test, bool flooded)
{
  static Flood flood;
  SimSourceConfig source;
  SimConfig config;
  UdtStats stats;
  uint64_t trace;
  Sim *sim;

  memset (&flood, 0, sizeof flood);
  sim_random_init (&flood.random, test->seed);
  sim_config_init (&config);
  /* A copy of a packet that was lost would be no copy. */
  config.link[1].loss = 0.02;
  sim = sim_new (&config, test->seed);
  sim_connect (sim);
  sim_source_video (&source, 1, 4000000);
  sim_source_add (sim, 0, &source);
  sim_source_command (&source, 2);
  sim_source_add (sim, 1, &source);
  sim_link_set_filter (sim->link[0], catch_some, &flood);
  if (flooded)
    sim_at (sim, FLOOD_FROM, inject, &flood, 30000);
  sim_run_until (sim, 5 * SIM_SECOND);
  trace = sim->trace;
  sim_peer_stats (&sim->peer[1], &stats);
  if (flooded) {
    uint64_t refused = stats.refused_truncated + stats.refused_other_id
                       + stats.refused_forged + stats.refused_replayed
                       + stats.refused_limit;

    sim_peer_stats (&sim->peer[0], &stats);
    refused += stats.refused_truncated + stats.refused_other_id
               + stats.refused_forged + stats.refused_replayed
               + stats.refused_limit;
    CHECK_EQUAL (test, refused, flood.injected);
    CHECK_EQUAL (test, flood.injected, 30000);
    CHECK_LEAST (test, flood.n, 10);
  }
  sim_finish (sim);
  sim_test_end (test, sim);
  return trace;
}

/* Every packet of the stream leaves at the same moment with the same bytes as
 * if there had been no flood. */
static void
a_flood (SimTest *test)
{
  uint64_t calm = live_trace (test, false);

  CHECK (test, live_trace (test, true) == calm);
}

/* What asks for what was lost is lost as well, and asked for. That must not feed
 * itself without bounds, even where half of all gets lost: some tens of packets
 * a second, not thousands. */
static void
half_is_lost (SimTest *test)
{
  const UdtFlowConfig config
      = { .service = UDT_CLASS_COMMAND, .order = UDT_ORDER_STRICT };
  SimConfig paths;
  Sim *sim;
  SimFlow *flow;
  UdtStats before, after;

  sim_config_init (&paths);
  paths.link[0].loss = paths.link[1].loss = 0.5;
  sim = sim_new (&paths, test->seed);
  flow = sim_flow_open (sim, 0, 0, &config);
  sim_connect (sim);
  for (unsigned i = 0; i < 20; i++) {
    sim_flow_send (flow, 100, 0);
    sim_run_for (sim, SIM_SECOND);
  }
  sim_run_for (sim, 20 * SIM_SECOND);
  CHECK_EQUAL (test, flow->delivered, 20);
  sim_peer_stats (&sim->peer[0], &before);
  CHECK_MOST (test, before.packets_sent, 5000);
  sim_run_for (sim, 60 * SIM_SECOND);
  sim_peer_stats (&sim->peer[0], &after);
  CHECK_MOST (test, after.packets_sent - before.packets_sent, 3000);
  sim_abandon (sim);
  sim_test_end (test, sim);
}

static const SimCase cases[] = {
  { "a-day", a_day },
  { "a-flood", a_flood, 3 },
  { "half-is-lost", half_is_lost, 20 },
  { NULL },
};

int
main (int argc, char **argv)
{
  const SimCase *const tables[] = { cases, NULL };

  return sim_test_main (argc, argv, tables);
}
