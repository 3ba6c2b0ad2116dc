/* UDT4's defects of connecting, closing, trust and path.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "defects.h"

#include <string.h>

#define RTT (40 * SIM_MS)

/* Defect 11. Whoever knows address and id can inject into UDT. A genuine
 * packet is caught on the way; each of its bits is turned, it is cut at every
 * length and played again: every one is refused, and nothing changes. */
typedef struct
{
  SimPacket packet;
  bool have;
} Caught;

static bool
catch_one (void *user, Sim *sim, const SimPacket *packet)
{
  Caught *caught = user;

  (void)sim;
  if (!caught->have && packet->marks & SIM_MARK_PAYLOAD) {
    caught->packet = *packet;
    caught->have = true;
  }
  return false;
}

static uint64_t
refused (const UdtStats *stats)
{
  return stats->refused_truncated + stats->refused_other_id
         + stats->refused_forged + stats->refused_replayed
         + stats->refused_malformed;
}

static void
inject (SimTest *test, SimPeer *peer, const Caught *caught, size_t len,
        size_t bit)
{
  uint8_t data[UDT_MAX_PACKET + 64];
  UdtStats before, after;

  memcpy (data, caught->packet.data, sizeof data);
  if (bit < len * 8)
    data[bit / 8] ^= (uint8_t)(1u << bit % 8);
  sim_peer_stats (peer, &before);
  CHECK_EQUAL (test,
               udt_connection_input (peer->conn, data, len,
                                     sim_peer_now (peer)),
               UDT_ERR_PACKET);
  sim_peer_stats (peer, &after);
  CHECK_EQUAL (test, refused (&after) - refused (&before), 1);
  CHECK_EQUAL (test, after.messages_received, before.messages_received);
  CHECK_EQUAL (test, after.acks_received, before.acks_received);
}

static void
forgeries (SimTest *test)
{
  Sim *sim = defect_sim (test, NULL);
  SimFlow *flow = sim_flow_open (sim, 0, 1, &flow_reliable);
  static Caught caught;

  caught.have = false;
  sim_link_set_filter (sim->link[0], catch_one, &caught);
  sim_flow_send (flow, 300, 0);
  sim_run_for (sim, SIM_SECOND);
  CHECK (test, caught.have);
  for (size_t bit = 0; bit < caught.packet.len * 8 && !test->failed; bit++)
    inject (test, &sim->peer[1], &caught, caught.packet.len, bit);
  for (size_t len = 0; len <= caught.packet.len && !test->failed; len++)
    inject (test, &sim->peer[1], &caught, len, SIZE_MAX);
  /* To its own sender, too. */
  inject (test, &sim->peer[0], &caught, caught.packet.len, SIZE_MAX);
  CHECK_EQUAL (test, flow->delivered, 1);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* A hostile path: altered, cut, doubled and late packets all the time, and
 * everything that is reliable arrives once, in order, with its bytes. */
static void
hostile_path (SimTest *test)
{
  SimConfig config;
  UdtStats stats;
  Sim *sim;

  sim_config_init (&config);
  for (int i = 0; i < 2; i++) {
    config.link[i].corrupt = 0.1;
    config.link[i].truncate = 0.05;
    config.link[i].duplicate = 0.2;
    config.link[i].reorder = 0.1;
    config.link[i].reorder_delay = 30 * SIM_MS;
  }
  sim = defect_sim (test, &config);
  steady_source (sim, 0, 1, 5 * SIM_MS, 700);
  steady_source (sim, 1, 1, 5 * SIM_MS, 700);
  sim_run_for (sim, 5 * SIM_SECOND);
  sim_peer_stats (&sim->peer[1], &stats);
  CHECK_LEAST (test, stats.refused_forged, 50);
  CHECK_LEAST (test, stats.refused_replayed, 50);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* Defect 14. UDT's cookie fails whoever connects across the turn of a minute.
 * Whatever the clocks say, and however far apart they are, connecting takes
 * the same time, and so does all that follows. */
static void
any_clock (SimTest *test)
{
  static const uint64_t offsets[] = { 0,
                                      59990000,
                                      60000000 - 1,
                                      UINT32_MAX - 10000,
                                      (uint64_t)1 << 40,
                                      (uint64_t)1 << 62 };
  UdtTime first = 0;

  for (size_t i = 0; i < 6; i++)
    for (size_t j = 0; j < 6; j++) {
      SimConfig config;
      SimFlow *flow;
      Sim *sim;

      sim_config_init (&config);
      config.clock_offset[0] = (int64_t)offsets[i];
      config.clock_offset[1] = (int64_t)offsets[j];
      sim = defect_sim (test, &config);
      flow = sim_flow_open (sim, 0, 1, &flow_bulk);
      for (unsigned k = 0; k < 5; k++)
        sim_flow_send (flow, 50000, 0);
      sim_run_for (sim, SIM_SECOND);
      CHECK (test, sim_flow_all_delivered (flow));
      if (!first)
        first = flow->last_handed;
      CHECK_EQUAL (test, flow->last_handed, first);
      sim_finish (sim);
      sim_test_end (test, sim);
    }
}

/* Defect 15. UDT's goodbye is sent once; if it is lost, the peer notices
 * after five seconds, and close() may block for three minutes. */
static void
lost_goodbye (SimTest *test)
{
  for (unsigned lost = 0; lost <= 2; lost++) {
    Sim *sim = defect_sim (test, NULL);
    Drop drop = { .left = lost };
    UdtTime start;

    sim_run_for (sim, SIM_SECOND * 5);
    sim_link_set_filter (sim->link[0], drop_some, &drop);
    start = sim->now;
    udt_connection_close (sim->peer[0].conn, 5, "bye", 0,
                          sim_peer_now (&sim->peer[0]));
    sim_peer_service (&sim->peer[0]);
    while (!sim->failed && !(sim->peer[1].closed && sim->peer[0].closed)
           && sim->now < start + 10 * SIM_SECOND)
      sim_run_for (sim, SIM_MS);
    CHECK_MOST (test, sim->now - start, 15 * RTT);
    CHECK_EQUAL (test, sim->peer[1].close_code, 5);
    CHECK (test, sim->peer[1].closed_by_peer);
    CHECK (test, !strcmp (sim->peer[1].close_reason, "bye"));
    sim_run_for (sim, 5 * SIM_SECOND);
    CHECK (test, udt_connection_is_finished (sim->peer[0].conn));
    CHECK (test, udt_connection_is_finished (sim->peer[1].conn));
    sim_abandon (sim);
    sim_test_end (test, sim);
  }
}

/* With the peer gone, a close with much still to send ends as well. */
static void
close_without_peer (SimTest *test)
{
  Sim *sim = defect_sim (test, NULL);
  SimFlow *flow = sim_flow_open (sim, 0, 1, &flow_bulk);
  UdtTime start;

  sim_link_config (sim->link[0])->down_until = UDT_NEVER;
  flow->expect_all = false;
  for (unsigned i = 0; i < 5; i++)
    sim_flow_send (flow, 50000, 0);
  sim_run_for (sim, SIM_SECOND);
  start = sim->now;
  udt_connection_close (sim->peer[0].conn, 0, NULL, 500 * SIM_MS,
                        sim_peer_now (&sim->peer[0]));
  CHECK_EQUAL (test, sim_flow_send (flow, 10, 0), UDT_ERR_CLOSED);
  sim_peer_service (&sim->peer[0]);
  while (!sim->failed && !sim->peer[0].closed
         && sim->now < start + 20 * SIM_SECOND)
    sim_run_for (sim, SIM_MS);
  CHECK_MOST (test, sim->now - start, 5 * SIM_SECOND);
  CHECK (test, udt_connection_is_finished (sim->peer[0].conn));
  sim_abandon (sim);
  sim_test_end (test, sim);
}

/* A close that may drain sends the rest first. */
static void
close_drains (SimTest *test)
{
  Sim *sim = defect_sim (test, NULL);
  SimFlow *flow = sim_flow_open (sim, 0, 1, &flow_bulk);

  sim_link_config (sim->link[0])->loss = 0.1;
  for (unsigned i = 0; i < 10; i++)
    sim_flow_send (flow, 30000, 0);
  udt_connection_close (sim->peer[0].conn, 0, NULL, 10 * SIM_SECOND,
                        sim_peer_now (&sim->peer[0]));
  sim_peer_service (&sim->peer[0]);
  sim_run_for (sim, 20 * SIM_SECOND);
  CHECK (test, sim_flow_all_delivered (flow));
  CHECK (test, sim->peer[1].closed);
  CHECK (test, udt_connection_is_finished (sim->peer[0].conn));
  sim_abandon (sim);
  sim_test_end (test, sim);
}

/* An empty message is one too: with nothing else to send, a close that drains
 * waits for it, and repeats it. */
static void
close_drains_empty_message (SimTest *test)
{
  Sim *sim = defect_sim (test, NULL);
  SimFlow *flow = sim_flow_open (sim, 0, 1, &flow_bulk);

  sim_connect (sim);
  sim_link_config (sim->link[0])->loss = 1;
  sim_flow_send (flow, 0, 0);
  udt_connection_close (sim->peer[0].conn, 0, NULL, 10 * SIM_SECOND,
                        sim_peer_now (&sim->peer[0]));
  sim_peer_service (&sim->peer[0]);
  sim_run_for (sim, 100 * SIM_MS);
  sim_link_config (sim->link[0])->loss = 0;
  sim_run_for (sim, 5 * SIM_SECOND);
  CHECK (test, sim_flow_all_delivered (flow));
  CHECK (test, sim->peer[1].closed);
  CHECK (test, udt_connection_is_finished (sim->peer[0].conn));
  sim_abandon (sim);
  sim_test_end (test, sim);
}

/* What a receiver has no room for waits, and begins when there is room again,
 * also if it needs all of its flow's window. */
static void
room_comes_back (SimTest *test)
{
  SimConfig config;
  SimFlow *held[2], *flow;
  Sim *sim;

  sim_config_init (&config);
  config.udt[1].receive_limit = 400000;
  sim = defect_sim (test, &config);
  for (uint16_t i = 0; i < 2; i++)
    held[i] = sim_flow_open (sim, 0, i, &flow_bulk);
  flow = sim_flow_open (sim, 0, 2, &flow_bulk);
  sim_connect (sim);
  for (unsigned i = 0; i < 2; i++) {
    sim_flow_hold (held[i], true);
    sim_flow_send (held[i], i ? 95000 : 190000, 0);
    sim_run_for (sim, SIM_SECOND);
  }
  sim_flow_send (flow, 150000, 0);
  sim_run_for (sim, SIM_SECOND);
  CHECK (test, !sim_flow_all_delivered (flow));
  for (unsigned i = 0; i < 2; i++)
    sim_flow_hold (held[i], false);
  sim_run_for (sim, 5 * SIM_SECOND);
  CHECK (test, sim_flow_all_delivered (flow));
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* A peer that vanished is noticed by the keep-alives, not after minutes. */
static void
dead_peer (SimTest *test)
{
  SimConfig config;
  Sim *sim;
  UdtTime start;

  sim_config_init (&config);
  for (int i = 0; i < 2; i++) {
    config.udt[i].keep_alive_interval = 2 * SIM_SECOND;
    config.udt[i].keep_alive_attempts = 3;
  }
  sim = defect_sim (test, &config);
  sim_run_for (sim, 20 * SIM_SECOND);
  CHECK_EQUAL (test, sim->peer[0].dead + sim->peer[1].dead, 0);
  start = sim->now;
  sim_link_config (sim->link[0])->down_until = UDT_NEVER;
  sim_link_config (sim->link[1])->down_until = UDT_NEVER;
  while (!sim->failed && !sim->peer[0].dead
         && sim->now < start + 60 * SIM_SECOND)
    sim_run_for (sim, 10 * SIM_MS);
  CHECK_LEAST (test, sim->now - start, 3 * SIM_SECOND);
  CHECK_MOST (test, sim->now - start, 10 * SIM_SECOND);
  sim_abandon (sim);
  sim_test_end (test, sim);
}

/* Defect 16. UDT never looks for the path's packet size, ... */
static void
finds_packet_size (SimTest *test)
{
  static const size_t mtus[] = { 1472, 1452, 1384, 1260, 1200 };

  for (size_t i = 0; i < 5; i++) {
    SimConfig config;
    SimSourceConfig bulk;
    UdtStats stats;
    Sim *sim;

    sim_config_init (&config);
    config.link[0].mtu = mtus[i];
    sim = defect_sim (test, &config);
    sim_source_bulk (&bulk, 1, 10000000);
    sim_source_add (sim, 0, &bulk);
    sim_run_for (sim, 10 * SIM_SECOND);
    sim_peer_stats (&sim->peer[0], &stats);
    CHECK_MOST (test, stats.mtu, mtus[i]);
    CHECK_LEAST (test, stats.mtu, mtus[i] - mtus[i] / 20);
    /* Probing is cheap. */
    CHECK_MOST (test, sim_link_stats (sim->link[0])->oversized, 15);
    sim_finish (sim);
    sim_test_end (test, sim);
  }
}

/* ... stalls for ever when that size shrinks under way, ... */
static void
packet_size_shrinks (SimTest *test)
{
  SimConfig config;
  SimSourceConfig bulk;
  SimFlow *flow;
  Sim *sim;

  sim_config_init (&config);
  config.link[0].mtu = 1472;
  config.link[0].mtu_steps[0] = (SimStep){ 5 * SIM_SECOND, 1250 };
  config.link[0].n_mtu_steps = 1;
  sim = defect_sim (test, &config);
  sim_source_bulk (&bulk, 1, (uint64_t)1 << 40);
  sim_source_add (sim, 0, &bulk);
  flow = sim_flow_find (&sim->peer[0], 1);
  sim_run_until (sim, 10 * SIM_SECOND);
  CHECK_LEAST (test, goodput (flow, 8 * SIM_SECOND, 10 * SIM_SECOND), 13e6);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* ... also where all messages fill a packet and none arrives any more. */
static void
all_packets_too_large (SimTest *test)
{
  for (unsigned interval = 1; interval <= 20; interval += 3) {
    SimConfig config;
    UdtStats stats;
    SimFlow *flow;
    Sim *sim;

    sim_config_init (&config);
    config.link[0].mtu = 1472;
    config.link[0].mtu_steps[0] = (SimStep){ 5 * SIM_SECOND, 1250 };
    config.link[0].n_mtu_steps = 1;
    sim = defect_sim (test, &config);
    steady_source (sim, 0, 1, interval * SIM_MS, 1316);
    flow = sim_flow_find (&sim->peer[0], 1);
    sim_run_until (sim, 5 * SIM_SECOND - 1);
    sim_peer_stats (&sim->peer[0], &stats);
    CHECK_LEAST (test, stats.mtu, 1400);
    sim_run_until (sim, 6 * SIM_SECOND);
    sim_peer_stats (&sim->peer[0], &stats);
    CHECK_EQUAL (test, stats.mtu, 1200);
    CHECK_LEAST (test, flow->delivered, 5800 / interval);
    sim_finish (sim);
    sim_test_end (test, sim);
  }
}

/* ... and does not survive a change of path. */
static void
path_changes (SimTest *test)
{
  SimConfig config;
  SimSourceConfig video;
  SimReport report;
  SimFlow *flow;
  Sim *sim;

  sim_config_init (&config);
  sim = defect_sim (test, &config);
  sim_source_video (&video, 1, 2000000);
  sim_source_add (sim, 0, &video);
  flow = sim_flow_find (&sim->peer[0], 1);
  for (unsigned i = 0; i < 4; i++) {
    sim_run_for (sim, 3 * SIM_SECOND);
    for (unsigned j = 0; j < 2; j++) {
      sim_link_config (sim->link[j])->delay = i % 2 ? 20 * SIM_MS : 70 * SIM_MS;
      sim_link_config (sim->link[j])->rate = i % 2 ? 20000000 : 6000000;
      udt_connection_path_changed (sim->peer[j].conn, 0,
                                   sim_peer_now (&sim->peer[j]));
      sim_peer_service (&sim->peer[j]);
    }
  }
  sim_run_for (sim, 3 * SIM_SECOND);
  sim_flow_report (flow, 0, &report);
  CHECK_LEAST (test, report.delivered, (double)report.accepted * 0.98);
  CHECK_EQUAL (test, sim->peer[0].dead + sim->peer[1].dead, 0);
  sim_finish (sim);
  sim_test_end (test, sim);
}

const SimCase defects_session[] = {
  { "defect-11-forgeries", forgeries },
  { "defect-11-hostile-path", hostile_path, 3 },
  { "defect-14-any-clock", any_clock },
  { "defect-15-lost-goodbye", lost_goodbye, 3 },
  { "defect-15-close-without-peer", close_without_peer },
  { "defect-15-close-drains", close_drains, 3 },
  { "defect-15-close-drains-empty-message", close_drains_empty_message },
  { "defect-15-room-comes-back", room_comes_back },
  { "defect-15-dead-peer", dead_peer },
  { "defect-16-finds-packet-size", finds_packet_size },
  { "defect-16-packet-size-shrinks", packet_size_shrinks },
  { "defect-16-all-packets-too-large", all_packets_too_large },
  { "defect-16-path-changes", path_changes, 3 },
  { NULL },
};
