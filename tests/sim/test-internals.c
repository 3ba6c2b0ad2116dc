/* Cases that reach into the engine, because no path lasts long enough.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * 32 bits of a packet number travel; four thousand million packets later they
 * begin anew. The counters of a fresh connection are set shortly before that.
 */
#include "simtest.h"

#include "udtprivate.h"

#include <string.h>

static void
set_numbers (Sim *sim, uint64_t start)
{
  for (unsigned i = 0; i < 2; i++) {
    UdtConnection *conn = sim->peer[i].conn;
    UdtConnection *other = sim->peer[!i].conn;

    conn->next_number = conn->path_number = conn->round_end = start;
    other->seen.next = other->seen.floor = start;
  }
}

static void
numbers_wrap (SimTest *test)
{
  static const uint64_t starts[]
      = { UINT64_C (1) << 31, UINT64_C (1) << 32, UINT64_C (7) << 32,
          (UINT64_C (1) << 61) + UINT32_MAX };

  for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
    SimConfig config;
    SimSourceConfig source;
    SimFlow *flow;
    Sim *sim;

    sim_config_init (&config);
    for (unsigned j = 0; j < 2; j++) {
      config.link[j].loss = 0.03;
      config.link[j].reorder = 0.05;
      config.link[j].reorder_delay = 20 * SIM_MS;
      config.link[j].duplicate = 0.05;
    }
    sim = sim_new (&config, test->seed);
    set_numbers (sim, starts[i] - 700);
    sim_connect (sim);
    sim_source_bulk (&source, 1, 4000000);
    sim_source_add (sim, 0, &source);
    sim_source_command (&source, 2);
    source.interval = 5 * SIM_MS;
    sim_source_add (sim, 1, &source);
    flow = sim_flow_find (&sim->peer[0], 1);
    sim_run_for (sim, 6 * SIM_SECOND);
    CHECK_EQUAL (test, flow->bytes_delivered, 4000000);
    for (unsigned j = 0; j < 2; j++)
      CHECK (test, sim->peer[j].conn->next_number > starts[i] + 100);
    sim_finish (sim);
    sim_test_end (test, sim);
  }
}

/* Every number is rebuilt from its low half, near and far. */
static void
numbers_expand (SimTest *test)
{
  SimRandom random;

  sim_random_init (&random, test->seed);
  for (unsigned i = 0; i < 200000; i++) {
    uint64_t expected
        = sim_random_next (&random) >> sim_random_range (&random, 2, 40);
    int64_t away = (int64_t)sim_random_range (&random, 0, UINT32_MAX)
                   - (int64_t)(UINT32_MAX / 2);
    uint64_t number = expected + (uint64_t)away;

    if ((away < 0 && number > expected) || number > UDT_NUMBER_MAX)
      continue;
    if (udt_number_expand (expected, (uint32_t)number) != number) {
      sim_test_fail (test, __FILE__, __LINE__, "%llx near %llx",
                     (unsigned long long)number, (unsigned long long)expected);
      return;
    }
  }
}

static void
forget_windows (Sim *sim, void *arg, uint64_t value)
{
  UdtConnection *conn = sim->peer[0].conn;

  (void)arg;
  for (unsigned i = 0; i < conn->flows_out_size; i++)
    if (conn->flows_out[i].used)
      conn->flows_out[i].limit = conn->flows_out[i].id_limit = UINT64_MAX / 2;
  if (value)
    sim_at (sim, sim->now + SIM_MS, forget_windows, arg, value - 1);
}

/* A sender that ignores what its peer has room for gains nothing: the peer
 * keeps to its limit (checked after each event), and all arrives in the end. */
static void
windows_ignored (SimTest *test)
{
  SimConfig config;
  SimSourceConfig source;
  UdtStats stats;
  SimFlow *flow;
  Sim *sim;

  sim_config_init (&config);
  config.udt[1].receive_limit = 512 << 10;
  sim = sim_new (&config, test->seed);
  sim_connect (sim);
  sim_source_bulk (&source, 1, 3000000);
  source.size = 20000;
  sim_source_add (sim, 0, &source);
  flow = sim_flow_find (&sim->peer[0], 1);
  sim_flow_hold (flow, true);
  sim_at (sim, sim->now, forget_windows, NULL, 3000);
  sim_run_for (sim, 4 * SIM_SECOND);
  sim_peer_stats (&sim->peer[1], &stats);
  CHECK_LEAST (test, stats.refused_limit, 1);
  CHECK_MOST (test, stats.receive_buffered, config.udt[1].receive_limit);
  sim_flow_hold (flow, false);
  sim_run_for (sim, 20 * SIM_SECOND);
  CHECK_EQUAL (test, flow->bytes_delivered, 3000000);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* ---- a peer that lies ---- */

#define LIES 2000
#define GIANT_SYMBOL 1000

typedef struct
{
  uint64_t told;
  SimRandom random;
} Liar;

/* A piece, or a repair, of a message larger than those that are taken. */
static void
write_giant (UdtWriter *w, uint32_t total, bool repair)
{
  UdtDataFrame data = { .flags = UDT_DATA_PART, .flow = 40, .total = total };
  UdtRepairFrame symbol
      = { .flow = 40, .total = total, .symbol = GIANT_SYMBOL };
  uint32_t len = repair ? symbol.symbol : 20;

  data.len = len;
  if (repair)
    udt_repair_write_header (w, &symbol);
  else
    udt_data_write_header (w, &data);
  memset (w->at, 0, len);
  w->at += len;
}

/* Acknowledges, or misses, what was never sent, begins messages beyond all
 * limits; its packet numbers jump. All of it is sealed as it should be. */
static void
lie (Sim *sim, void *arg, uint64_t left)
{
  Liar *liar = arg;
  const UdtConnection *conn = sim->peer[0].conn;
  uint64_t never
      = conn->next_number + sim_random_range (&liar->random, 0, UINT32_MAX);
  uint64_t jump = sim_random_range (&liar->random, 0, UINT32_MAX / 2 - 1);
  UdtHeader header
      = { conn->config.local_id, (uint32_t)(conn->seen.next + jump) };
  UdtRange ranges[2] = { { never, never + 3 }, { 0, conn->next_number - 1 } };
  uint8_t packet[1400];
  UdtWriter w = { packet + UDT_HEADER_SIZE, packet + 1300 };
  uint32_t times[] = { (uint32_t)sim_random_next (&liar->random) };

  udt_header_write (packet, &header);
  switch (liar->told % 4) {
    case 0:
      udt_ack_write (&w, ranges, 2, times, 1, 0);
      break;
    case 1:
      ranges[1] = ranges[0];
      ranges[0] = (UdtRange){ 0, conn->next_number - 1 };
      udt_nak_write (&w, ranges, 2);
      break;
    default:
      write_giant (&w, conn->own.max_message + 1 + (uint32_t)left,
                   liar->told % 4 == 3);
      break;
  }
  memset (w.at, 0, UDT_TAG_SIZE);
  liar->told++;
  sim_peer_input (&sim->peer[0], packet,
                  (size_t)(w.at - packet) + UDT_TAG_SIZE);
  if (left > 1)
    sim_at (sim, sim->now + SIM_MS, lie, arg, left - 1);
}

static uint64_t
trace_beside (SimTest *test, bool lies)
{
  Liar liar = { 0 };
  SimSourceConfig source;
  SimConfig config;
  UdtStats stats;
  uint64_t trace;
  Sim *sim;

  sim_random_init (&liar.random, test->seed);
  sim_config_init (&config);
  config.null_seal = true;
  config.udt[0].max_message = 100000;
  config.link[0].loss = config.link[1].loss = 0.02;
  sim = sim_new (&config, test->seed);
  sim_connect (sim);
  sim_source_video (&source, 1, 4000000);
  sim_source_add (sim, 0, &source);
  if (lies)
    sim_at (sim, SIM_SECOND, lie, &liar, LIES);
  sim_run_until (sim, 4 * SIM_SECOND);
  trace = sim->trace;
  sim_peer_stats (&sim->peer[0], &stats);
  CHECK_EQUAL (test, stats.refused_malformed, lies ? LIES : 0);
  CHECK_EQUAL (test, liar.told, lies ? LIES : 0);
  sim_finish (sim);
  sim_test_end (test, sim);
  return trace;
}

/* They change a counter and nothing else: each packet of the stream leaves at
 * the same moment with the same bytes. */
static void
hostile_acknowledgements (SimTest *test)
{
  uint64_t honest = trace_beside (test, false);

  CHECK (test, trace_beside (test, true) == honest);
}

static const SimCase cases[] = {
  { "numbers-wrap", numbers_wrap, 3 },
  { "numbers-expand", numbers_expand, 0 },
  { "windows-ignored", windows_ignored, 0 },
  { "hostile-acknowledgements", hostile_acknowledgements, 3 },
  { NULL },
};

int
main (int argc, char **argv)
{
  const SimCase *const tables[] = { cases, NULL };

  return sim_test_main (argc, argv, tables);
}
