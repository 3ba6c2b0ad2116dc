/* UDT4's defects of rate, timers and buffers.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "defects.h"

#define RTT (40 * SIM_MS)
/* After this nothing of the start of a connection is left to do. */
#define SETTLE (15 * SIM_SECOND)
#define ENDLESS ((uint64_t)1 << 40)

/* Defect 4. A loss before the first rate is known sets UDT to 16 packets a
 * second: 60 kB took over a second on a path of 0.1 ms. Each of the first
 * twenty packets is lost in turn. */
static void
early_loss_collapse (SimTest *test)
{
  for (unsigned nth = 0; nth < 20; nth++) {
    SimConfig config;
    Sim *sim;
    SimFlow *flow;
    Drop drop = { .marks = SIM_MARK_PAYLOAD };
    UdtTime start;

    sim_config_init (&config);
    config.link[0].delay = config.link[1].delay = 50;
    sim = defect_sim (test, &config);
    flow = sim_flow_open (sim, 0, 1, &flow_bulk);
    drop.skip = nth;
    drop.left = 1;
    sim_link_set_filter (sim->link[0], drop_some, &drop);
    start = sim->now;
    for (unsigned i = 0; i < 6; i++)
      sim_flow_send (flow, 10000, 0);
    sim_run_for (sim, 2 * SIM_SECOND);
    CHECK_EQUAL (test, drop.dropped, 1);
    CHECK (test, sim_flow_all_delivered (flow));
    CHECK_MOST (test, flow->last_handed - start, 150 * SIM_MS);
    sim_finish (sim);
    sim_test_end (test, sim);
  }
}

/* Defect 5. The rate at which UDT leaves slow start is the reciprocal of what
 * it should be. The start ends by loss here, by a burst of ten packets; the
 * second after it must carry most of what the link can. */
static void
start_ends_sanely (SimTest *test)
{
  for (unsigned at = 100; at <= 500; at += 100) {
    Sim *sim = defect_sim (test, NULL);
    Drop drop = { .left = 10, .from = sim->now + at * SIM_MS };
    SimSourceConfig bulk;
    SimFlow *flow;

    sim_source_bulk (&bulk, 1, ENDLESS);
    sim_source_add (sim, 0, &bulk);
    sim_link_set_filter (sim->link[0], drop_some, &drop);
    flow = sim_flow_find (&sim->peer[0], 1);
    sim_run_for (sim, 2 * SIM_SECOND);
    CHECK_EQUAL (test, drop.dropped, 10);
    CHECK_LEAST (test, goodput (flow, sim->now - SIM_SECOND, sim->now), 14e6);
    sim_abandon (sim);
    sim_test_end (test, sim);
  }
}

/* Defect 6. UDT looks at its timers when a packet comes, or after 100 ms. A
 * single message is acknowledged within a round trip and an acknowledgement's
 * delay, with no other packet to help, ... */
static void
timers_are_exact (SimTest *test)
{
  Sim *sim = defect_sim (test, NULL);
  SimFlow *flow = sim_flow_open (sim, 0, 1, &flow_reliable);
  uint64_t before[2];

  sim_run_for (sim, SETTLE);
  for (unsigned i = 0; i < 5; i++) {
    sim_flow_send (flow, 100, 0);
    sim_run_for (sim, RTT + 15 * SIM_MS);
    CHECK (test, sim_flow_is_drained (flow));
    sim_run_for (sim, SIM_SECOND);
  }
  /* ... and with nothing to do there is nothing to wake up for. */
  sim_run_for (sim, SETTLE);
  for (unsigned i = 0; i < 2; i++)
    before[i] = sim->peer[i].wakes;
  sim_run_for (sim, 60 * SIM_SECOND);
  for (unsigned i = 0; i < 2; i++)
    CHECK_MOST (test, sim->peer[i].wakes - before[i], 40);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* The engine is called only when it asked to be, and again 20 ms later than
 * it asked: nothing but time is lost. */
static void
timers_may_be_late (SimTest *test)
{
  SimConfig config;
  Sim *sim;

  sim_config_init (&config);
  config.timer_slack = 20 * SIM_MS;
  config.link[0].loss = config.link[1].loss = 0.05;
  sim = defect_sim (test, &config);
  steady_source (sim, 0, 1, 10 * SIM_MS, 900);
  steady_source (sim, 1, 1, 10 * SIM_MS, 900);
  sim_run_for (sim, 5 * SIM_SECOND);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* Defect 8. UDT's estimate of the path comes from gaps between two packets,
 * and breaks where the network hands packets over in clumps. */
static void
estimate_in_clumps (SimTest *test)
{
  SimConfig config;
  SimSourceConfig bulk;
  Sim *sim;

  sim_config_init (&config);
  config.link[0].freeze_every = 12 * SIM_MS;
  config.link[0].freeze_for = 10 * SIM_MS;
  sim = defect_sim (test, &config);
  sim_source_bulk (&bulk, 1, ENDLESS);
  sim_source_add (sim, 0, &bulk);
  sim_run_for (sim, 3 * SIM_SECOND);
  for (unsigned i = 0; i < 50; i++) {
    UdtStats stats;

    sim_run_for (sim, 37 * SIM_MS);
    sim_peer_stats (&sim->peer[0], &stats);
    CHECK_LEAST (test, stats.delivery_rate, 13e6);
    CHECK_MOST (test, stats.delivery_rate, 27e6);
  }
  CHECK_LEAST (test,
               goodput (sim_flow_find (&sim->peer[0], 1), sim->now - SIM_SECOND,
                        sim->now),
               15e6);
  sim_abandon (sim);
  sim_test_end (test, sim);
}

/* Defect 9. UDT advertises a buffer and still drops what finds no room. A
 * receiver that does not read stops its sender; nothing is sent in vain. */
static void
full_receiver (SimTest *test)
{
  SimConfig config;
  SimSourceConfig bulk;
  UdtStats stats;
  SimFlow *flow;
  Sim *sim;
  uint64_t sent;

  sim_config_init (&config);
  config.udt[1].receive_limit = 1 << 20;
  sim = defect_sim (test, &config);
  sim_source_bulk (&bulk, 1, 4000000);
  sim_source_add (sim, 0, &bulk);
  flow = sim_flow_find (&sim->peer[0], 1);
  sim_flow_hold (flow, true);
  sim_run_for (sim, 5 * SIM_SECOND);
  sent = sim_link_stats (sim->link[0])->offered_bytes;
  CHECK_LEAST (test, sent, 500000);
  CHECK_MOST (test, sent, 1.15 * (1 << 20));
  sim_run_for (sim, 10 * SIM_SECOND);
  /* Standing still is not a reason to repeat anything. */
  CHECK_MOST (test, sim_link_stats (sim->link[0])->offered_bytes - sent, 20000);
  sim_flow_hold (flow, false);
  sim_run_for (sim, 10 * SIM_SECOND);
  CHECK_EQUAL (test, flow->bytes_delivered, 4000000);
  sim_peer_stats (&sim->peer[1], &stats);
  CHECK_EQUAL (test, stats.refused_limit, 0);
  sim_peer_stats (&sim->peer[0], &stats);
  CHECK_MOST (test, stats.bytes_retransmitted, 80000);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* A held flow stops itself and no other. */
static void
full_flow_harms_no_other (SimTest *test)
{
  SimConfig config;
  SimSourceConfig bulk;
  SimReport report;
  SimFlow *held, *live;
  Sim *sim;

  sim_config_init (&config);
  config.udt[1].receive_limit = 1 << 20;
  sim = defect_sim (test, &config);
  sim_source_bulk (&bulk, 1, 4000000);
  sim_source_add (sim, 0, &bulk);
  steady_source (sim, 0, 2, 10 * SIM_MS, 500);
  held = sim_flow_find (&sim->peer[0], 1);
  live = sim_flow_find (&sim->peer[0], 2);
  sim_flow_hold (held, true);
  sim_run_for (sim, 10 * SIM_SECOND);
  sim_flow_report (live, 0, &report);
  CHECK_LEAST (test, report.delivered, 980);
  CHECK_MOST (test, report.max, 150 * SIM_MS);
  sim_flow_hold (held, false);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* Defect 10, first half. UDT knows loss alone and fills any buffer. Behind a
 * queue of two seconds the delay must stay near the path's own. */
static void
no_standing_queue (SimTest *test)
{
  SimConfig config;
  SimSourceConfig bulk;
  SimReport report;
  Sim *sim;

  sim_config_init (&config);
  config.link[0].queue_limit = 20000000 / 8 * 2;
  sim = defect_sim (test, &config);
  sim_source_bulk (&bulk, 1, ENDLESS);
  sim_source_add (sim, 0, &bulk);
  sim_run_for (sim, 3 * SIM_SECOND);
  /* Small messages of a class that overtakes the file show the path's delay:
   * what they wait for is in the network, not in the engine. */
  steady_source (sim, 0, 2, 20 * SIM_MS, 100);
  sim_run_for (sim, 5 * SIM_SECOND);
  sim_flow_report (sim_flow_find (&sim->peer[0], 2), 0, &report);
  CHECK_MOST (test, report.p50, 20 * SIM_MS + 50 * SIM_MS);
  CHECK_MOST (test, report.max, 20 * SIM_MS + 150 * SIM_MS);
  CHECK_LEAST (test,
               goodput (sim_flow_find (&sim->peer[0], 1),
                        sim->now - 4 * SIM_SECOND, sim->now),
               16e6);
  sim_abandon (sim);
  sim_test_end (test, sim);
}

/* Second half: random loss is no congestion. */
static void
random_loss_is_no_congestion (SimTest *test)
{
  static const double losses[] = { 0.001, 0.01, 0.03 };

  for (size_t i = 0; i < 3; i++) {
    SimConfig config;
    SimSourceConfig bulk;
    Sim *sim;

    sim_config_init (&config);
    config.link[0].loss = losses[i];
    sim = defect_sim (test, &config);
    sim_source_bulk (&bulk, 1, ENDLESS);
    sim_source_add (sim, 0, &bulk);
    sim_run_for (sim, 8 * SIM_SECOND);
    CHECK_LEAST (test,
                 goodput (sim_flow_find (&sim->peer[0], 1),
                          sim->now - 5 * SIM_SECOND, sim->now),
                 20e6 * (1 - losses[i]) * 0.75);
    sim_abandon (sim);
    sim_test_end (test, sim);
  }
}

/* Defect 13. UDT makes a system call and a copy per packet and waits busily.
 * The engine hands out packets in batches where there is a rate to speak of,
 * so that one wake-up of the network thread moves several, ... */
static void
packets_in_batches (SimTest *test)
{
  SimConfig config;
  SimSourceConfig bulk;
  uint64_t wakes, packets;
  Sim *sim;

  sim_config_init (&config);
  config.link[0].rate = 100000000;
  config.link[0].queue_limit = 100000000 / 8 / 10;
  sim = defect_sim (test, &config);
  sim_source_bulk (&bulk, 1, ENDLESS);
  sim_source_add (sim, 0, &bulk);
  sim_run_for (sim, 3 * SIM_SECOND);
  wakes = sim->peer[0].wakes;
  packets = sim->peer[0].packets_out;
  sim_run_for (sim, 2 * SIM_SECOND);
  wakes = sim->peer[0].wakes - wakes;
  packets = sim->peer[0].packets_out - packets;
  CHECK_LEAST (test, packets, 10000);
  CHECK_MOST (test, wakes, packets / 2);
  CHECK_MOST (test, wakes / 2, 2500);
  sim_abandon (sim);
  sim_test_end (test, sim);
}

/* ... and holds references to what it sends, not copies. */
static void
payload_is_not_copied (SimTest *test)
{
  SimConfig config;
  size_t before;
  SimFlow *flow;
  Sim *sim;

  sim_config_init (&config);
  config.udt[0].send_limit = 8 << 20;
  sim = defect_sim (test, &config);
  flow = sim_flow_open (sim, 0, 1, &flow_bulk);
  sim_flow_send (flow, 100, 0);
  sim_run_for (sim, SIM_SECOND);
  before = sim->peer[0].memory.used;
  while (sim_flow_send (flow, 1 << 20, 0) == UDT_OK && !sim->failed)
    ;
  CHECK_LEAST (test, flow->bytes_accepted, 7 << 20);
  CHECK_MOST (test, sim->peer[0].memory.used - before, 256 << 10);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* Nothing is allocated per packet: over seconds of traffic with loss, the
 * sender allocates nothing and the receiver once per message. */
static void
no_allocation_per_packet (SimTest *test)
{
  SimConfig config;
  uint64_t calls[2], messages;
  SimSourceConfig video;
  SimFlow *flow;
  Sim *sim;

  sim_config_init (&config);
  config.link[0].loss = config.link[1].loss = 0.03;
  sim = defect_sim (test, &config);
  sim_source_video (&video, 1, 4000000);
  sim_source_add (sim, 0, &video);
  flow = sim_flow_find (&sim->peer[0], 1);
  sim_run_for (sim, 3 * SIM_SECOND);
  messages = flow->n_messages;
  for (unsigned i = 0; i < 2; i++)
    calls[i] = sim->peer[i].memory.calls;
  sim_run_for (sim, 5 * SIM_SECOND);
  messages = flow->n_messages - messages;
  CHECK_LEAST (test, messages, 140);
  CHECK_MOST (test, sim->peer[0].memory.calls - calls[0], messages + 20);
  CHECK_MOST (test, sim->peer[1].memory.calls - calls[1], messages + 20);
  sim_finish (sim);
  sim_test_end (test, sim);
}

const SimCase defects_rate[] = {
  { "defect-04-early-loss-collapse", early_loss_collapse },
  { "defect-05-start-ends-sanely", start_ends_sanely },
  { "defect-06-timers-are-exact", timers_are_exact, 3 },
  { "defect-06-timers-may-be-late", timers_may_be_late, 3 },
  { "defect-08-estimate-in-clumps", estimate_in_clumps },
  { "defect-09-full-receiver", full_receiver },
  { "defect-09-full-flow-harms-no-other", full_flow_harms_no_other },
  { "defect-10-no-standing-queue", no_standing_queue },
  { "defect-10-random-loss-is-no-congestion", random_loss_is_no_congestion },
  { "defect-13-packets-in-batches", packets_in_batches },
  { "defect-13-payload-is-not-copied", payload_is_not_copied },
  { "defect-13-no-allocation-per-packet", no_allocation_per_packet },
  { NULL },
};
