/* Work done in the engine, counted, not timed.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Defect 12: UDT walks through its whole buffer for a retransmission, for a
 * received message and for an address. This program is linked with an engine
 * whose compiler counts every basic block it runs; the same work is done with
 * little and with much around it, and the cost of one step may hardly grow.
 */
#include "simtest.h"

#include <stdlib.h>

/* Sixteen times as much around may cost so much more per step. */
#define GROWTH 2.0

/* What the compiler calls at each block. The counter is this program's only
 * global; the program has one thread. */
static uint64_t blocks;
void __sanitizer_cov_trace_pc (void);

void
__sanitizer_cov_trace_pc (void)
{
  blocks++;
}

static const UdtFlowConfig reliable
    = { .service = UDT_CLASS_BULK, .order = UDT_ORDER_STRICT };
static const UdtFlowConfig unordered
    = { .service = UDT_CLASS_BULK, .order = UDT_ORDER_NONE };

static Sim *
start (SimTest *test)
{
  SimConfig config;
  Sim *sim;

  sim_config_init (&config);
  for (int i = 0; i < 2; i++) {
    config.udt[i].max_message = UDT_MAX_MESSAGE;
    config.udt[i].send_limit = 32 << 20;
    config.udt[i].receive_limit = 32 << 20;
    config.link[i].queue_limit = 8 << 20;
  }
  sim = sim_new (&config, test->seed);
  sim_connect (sim);
  sim_run_for (sim, SIM_SECOND);
  return sim;
}

static void
compare (SimTest *test, const char *what, double little, double much)
{
  sim_test_note (test, "%s: %.0f blocks, with much around %.0f", what, little,
                 much);
  if (little <= 0 || much > little * GROWTH + 50)
    sim_test_fail (
        test, __FILE__, __LINE__,
        "%s costs %.0f blocks, and %.0f with sixteen times as much around",
        what, little, much);
}

/* Sending a message behind `n` others, none of which can leave. */
static double
cost_of_send (SimTest *test, unsigned n)
{
  Sim *sim = start (test);
  SimFlow *flow = sim_flow_open (sim, 0, 1, &reliable);
  double cost;

  sim_link_config (sim->link[0])->rate = 10000;
  for (unsigned i = 0; i < n; i++)
    sim_flow_send (flow, 1000, 0);
  blocks = 0;
  for (unsigned i = 0; i < 50; i++)
    sim_flow_send (flow, 1000, 0);
  cost = (double)blocks / 50;
  sim_abandon (sim);
  sim_test_end (test, sim);
  return cost;
}

static void
send_behind_many (SimTest *test)
{
  compare (test, "a send", cost_of_send (test, 250), cost_of_send (test, 4000));
}

/* A whole transfer of `n` messages with loss: retransmissions reach far back
 * into the buffer. Per message. */
static double
cost_of_transfer (SimTest *test, unsigned n, const UdtFlowConfig *config)
{
  Sim *sim = start (test);
  SimFlow *flow = sim_flow_open (sim, 0, 1, config);
  double cost;

  sim_link_config (sim->link[0])->loss = 0.05;
  blocks = 0;
  for (unsigned i = 0; i < n; i++)
    if (sim_flow_send (flow, 1000, 0) != UDT_OK)
      CHECK (test, !"accepted");
  while (!sim->failed && !sim_flow_is_drained (flow)
         && sim->now < 200 * SIM_SECOND)
    sim_run_for (sim, SIM_SECOND / 10);
  cost = (double)blocks / n;
  CHECK (test, sim_flow_all_delivered (flow));
  sim_finish (sim);
  sim_test_end (test, sim);
  return cost;
}

static void
transfer_of_many (SimTest *test)
{
  compare (test, "a message repeated in order",
           cost_of_transfer (test, 500, &reliable),
           cost_of_transfer (test, 8000, &reliable));
}

static void
transfer_of_many_unordered (SimTest *test)
{
  compare (test, "a message in any order",
           cost_of_transfer (test, 500, &unordered),
           cost_of_transfer (test, 8000, &unordered));
}

/* Reading `n` messages that all became ready at once. */
static double
cost_of_reading (SimTest *test, unsigned n)
{
  Sim *sim = start (test);
  SimFlow *flow = sim_flow_open (sim, 0, 1, &reliable);
  double cost;

  sim_flow_hold (flow, true);
  for (unsigned i = 0; i < n; i++)
    sim_flow_send (flow, 100, 0);
  sim_run_for (sim, 10 * SIM_SECOND);
  blocks = 0;
  sim_flow_hold (flow, false);
  cost = (double)blocks / n;
  CHECK_EQUAL (test, flow->delivered, n);
  sim_finish (sim);
  sim_test_end (test, sim);
  return cost;
}

static void
reading_of_many (SimTest *test)
{
  compare (test, "a read", cost_of_reading (test, 60),
           cost_of_reading (test, 960));
}

/* Fragments of one large message with holes all over it. */
static double
cost_of_fragments (SimTest *test, uint32_t size)
{
  Sim *sim = start (test);
  SimFlow *flow = sim_flow_open (sim, 0, 1, &reliable);
  double cost;

  sim_link_config (sim->link[0])->loss = 0.2;
  blocks = 0;
  sim_flow_send (flow, size, 0);
  while (!sim->failed && !sim_flow_is_drained (flow)
         && sim->now < 100 * SIM_SECOND)
    sim_run_for (sim, SIM_SECOND / 10);
  cost = (double)blocks / (size / 1000.0);
  CHECK (test, sim_flow_all_delivered (flow));
  sim_finish (sim);
  sim_test_end (test, sim);
  return cost;
}

static void
fragments_of_large (SimTest *test)
{
  compare (test, "a fragment", cost_of_fragments (test, 400000),
           cost_of_fragments (test, 6400000));
}

/* A packet that is refused, beside `n` messages that wait at either end. What
 * one session is flooded with must not hold up those that share its thread. */
static double
cost_of_refusal (SimTest *test, unsigned n)
{
  Sim *sim = start (test);
  SimFlow *flow = sim_flow_open (sim, 0, 1, &unordered);
  SimRandom random;
  UdtStats before, after;
  double cost;

  sim_random_init (&random, test->seed);
  sim_link_config (sim->link[0])->loss = 0.2;
  for (unsigned i = 0; i < n; i++)
    sim_flow_send (flow, 1000, 0);
  sim_run_for (sim, SIM_SECOND / 20);
  sim_peer_stats (&sim->peer[1], &before);
  blocks = 0;
  for (unsigned i = 0; i < 1000; i++) {
    uint8_t data[64];
    UdtTime now = sim_peer_now (&sim->peer[1]);

    for (size_t j = 0; j < sizeof data; j++)
      data[j] = (uint8_t)sim_random_next (&random);
    /* Every other one is addressed to us. */
    if (i & 1) {
      data[0] = 0xc0;
      for (unsigned j = 0; j < 4; j++)
        data[1 + j] = (uint8_t)(sim->peer[1].config.local_id >> (24 - 8 * j));
    }
    udt_connection_input (sim->peer[1].conn, data, sizeof data, now);
  }
  cost = (double)blocks / 1000;
  sim_peer_stats (&sim->peer[1], &after);
  CHECK_EQUAL (test, after.refused_forged - before.refused_forged, 500);
  CHECK_EQUAL (test, after.refused_other_id - before.refused_other_id, 500);
  sim->lossy_close = true;
  sim_abandon (sim);
  sim_test_end (test, sim);
  return cost;
}

#define REFUSAL_BLOCKS 40

static void
refusal_is_cheap (SimTest *test)
{
  double little = cost_of_refusal (test, 250);
  double much = cost_of_refusal (test, 4000);

  sim_test_note (test, "a refusal: %.1f blocks, with much around %.1f", little,
                 much);
  CHECK_MOST (test, little, REFUSAL_BLOCKS);
  CHECK_MOST (test, much, REFUSAL_BLOCKS);
}

static const SimCase cases[] = {
  { "defect-12-send-behind-many", send_behind_many },
  { "defect-12-transfer-of-many", transfer_of_many },
  { "defect-12-transfer-of-many-unordered", transfer_of_many_unordered },
  { "defect-12-reading-of-many", reading_of_many },
  { "defect-12-fragments-of-large", fragments_of_large },
  { "refusal-is-cheap", refusal_is_cheap },
  { NULL },
};

int
main (int argc, char **argv)
{
  const SimCase *const tables[] = { cases, NULL };

  return sim_test_main (argc, argv, tables);
}
