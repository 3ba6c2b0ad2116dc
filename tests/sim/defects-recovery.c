/* UDT4's defects of loss recovery: stalls, drops that take their neighbours
 * along, lost reports, refused sends.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "defects.h"

#define RTT (40 * SIM_MS)

/* Message `id` of `flow`: how long it took. */
static UdtTime
delay_of (const SimFlow *flow, uint64_t id)
{
  if (id >= flow->n_messages || !flow->messages[id].delivered)
    return UDT_NEVER;
  return flow->messages[id].handed - flow->messages[id].submitted;
}

/* Defect 1. UDT repairs a lost retransmission by its expiry timer alone, and
 * any packet of the peer arms that anew: with traffic both ways the hole stays
 * for ever. Here a message is lost once, twice and three times amid traffic in
 * both directions, and each loss may cost one round trip and a little. */
static void
two_way_stall (SimTest *test)
{
  for (unsigned losses = 1; losses <= 4; losses++) {
    Sim *sim = defect_sim (test, NULL);
    Drop drop = { .left = losses };
    SimFlow *flow;

    steady_source (sim, 0, 1, 5 * SIM_MS, 400);
    steady_source (sim, 1, 1, 5 * SIM_MS, 400);
    flow = sim_flow_find (&sim->peer[0], 1);
    drop.watched = sim_watch (flow, 200, 0);
    sim_link_set_filter (sim->link[0], drop_some, &drop);
    sim_run_for (sim, 4 * SIM_SECOND);
    CHECK_EQUAL (test, drop.dropped, losses);
    CHECK_MOST (test, delay_of (flow, 200),
                RTT / 2 + losses * (RTT + 20 * SIM_MS));
    CHECK_LEAST (test, flow->n_messages, 690);
    sim_finish (sim);
    sim_test_end (test, sim);
  }
}

/* The same with one packet only: nothing behind it shows the gap, so the
 * expiry timer alone must find it, although the peer never stops sending. */
static void
two_way_tail (SimTest *test)
{
  Sim *sim = defect_sim (test, NULL);
  Drop drop = { .left = 2 };
  SimFlow *flow = sim_flow_open (sim, 0, 1, &flow_reliable);

  steady_source (sim, 1, 1, 5 * SIM_MS, 400);
  sim_run_for (sim, SIM_SECOND);
  drop.watched = sim_watch (flow, 0, 0);
  sim_link_set_filter (sim->link[0], drop_some, &drop);
  sim_flow_send (flow, 400, 0);
  sim_run_for (sim, 2 * SIM_SECOND);
  CHECK_EQUAL (test, drop.dropped, 2);
  CHECK_MOST (test, delay_of (flow, 0), 8 * RTT);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* Defect 2. UDT's drop of a late message names one packet too many, and the
 * reliable message that owns it is lost. Here the message before, the one
 * behind and a reliable flow lose packets at the same time; only the message
 * whose time has passed may be missing, on both ends' account. */
static void
drop_takes_one (SimTest *test)
{
  UdtFlowConfig live = { .service = UDT_CLASS_VIDEO,
                         .order = UDT_ORDER_STRICT,
                         .deadline = 200 * SIM_MS };
  Sim *sim = defect_sim (test, NULL);
  Drop lost = { .left = 1000 };
  SimFlow *flow, *bulk;

  sim->mark_packets = true;
  flow = sim_flow_open (sim, 0, 1, &live);
  bulk = sim_flow_open (sim, 0, 2, &flow_reliable);
  /* Three packets each: the middle one of message 2 never arrives. */
  lost.watched = sim_watch (flow, 2, 1300);
  sim_link_set_filter (sim->link[0], drop_some, &lost);
  for (unsigned i = 0; i < 8; i++) {
    sim_flow_send (flow, 3000, UDT_MESSAGE_SYNC);
    sim_flow_send (bulk, 3000, 0);
    sim_run_for (sim, 50 * SIM_MS);
  }
  sim_run_for (sim, SIM_SECOND);
  for (unsigned i = 0; i < 8; i++) {
    CHECK (test, (i == 2) == (delay_of (flow, i) == UDT_NEVER));
    CHECK (test, delay_of (bulk, i) != UDT_NEVER);
  }
  CHECK_LEAST (test, lost.dropped, 2);
  CHECK_EQUAL (test, flow->drops_told, 1);
  CHECK_EQUAL (test, flow->gaps_told, 1);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* The neighbours themselves are lost once, just before the drop. */
static void
drop_spares_lost_neighbours (SimTest *test)
{
  UdtFlowConfig live = { .service = UDT_CLASS_VIDEO,
                         .order = UDT_ORDER_STRICT,
                         .deadline = 200 * SIM_MS };
  Sim *sim = defect_sim (test, NULL);
  SimFlow *flow = sim_flow_open (sim, 0, 1, &live);
  Drop lost = { .left = 1000, .watched = sim_watch (flow, 1, 0) };

  sim_link_set_filter (sim->link[0], drop_some, &lost);
  sim_flow_send (flow, 1000, UDT_MESSAGE_SYNC);
  sim_flow_send (flow, 1000, UDT_MESSAGE_SYNC);
  sim_run_for (sim, 100 * SIM_MS);
  /* From here on everything is lost until shortly before message 1 expires. */
  lost = (Drop){ .left = 1000 };
  sim_flow_send (flow, 1000, UDT_MESSAGE_SYNC);
  sim_flow_send (flow, 1000, UDT_MESSAGE_SYNC);
  sim_run_for (sim, 60 * SIM_MS);
  lost = (Drop){ .left = 1000, .watched = 1 };
  sim_run_for (sim, SIM_SECOND);
  CHECK (test, delay_of (flow, 1) == UDT_NEVER);
  CHECK_MOST (test, delay_of (flow, 2), 200 * SIM_MS);
  CHECK_MOST (test, delay_of (flow, 3), 200 * SIM_MS);
  CHECK_EQUAL (test, flow->drops_told, 1);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* Defect 3. UDT never drops what it has not sent yet, and notices late. */
static void
unsent_expires (SimTest *test)
{
  UdtFlowConfig live = { .service = UDT_CLASS_VIDEO,
                         .order = UDT_ORDER_STRICT,
                         .deadline = 100 * SIM_MS };
  SimConfig config;
  SimFlow *flow;
  Sim *sim;
  UdtStats stats;
  UdtTime start;

  sim_config_init (&config);
  config.link[0].rate = 1000000;
  config.link[0].queue_limit = 20000;
  sim = defect_sim (test, &config);
  flow = sim_flow_open (sim, 0, 1, &live);
  start = sim->now;
  /* Three seconds' worth on this link. */
  for (unsigned i = 0; i < 40; i++)
    sim_flow_send (flow, 10000, UDT_MESSAGE_SYNC);
  sim_run_for (sim, 115 * SIM_MS);
  sim_peer_stats (&sim->peer[0], &stats);
  CHECK_LEAST (test, flow->drops_told, 30);
  CHECK_MOST (test, flow->last_drop - start, 105 * SIM_MS);
  CHECK_EQUAL (test, stats.send_unsent, 0);
  /* The way is clear at once for what comes next. */
  sim_run_for (sim, 200 * SIM_MS);
  sim_flow_send (flow, 1000, UDT_MESSAGE_SYNC);
  sim_run_for (sim, 300 * SIM_MS);
  CHECK_MOST (test, delay_of (flow, flow->n_messages - 1), 60 * SIM_MS);
  CHECK_MOST (test, sim_link_stats (sim->link[0])->offered_bytes, 50000);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* With nothing to hear from the network and nothing else to do, the sender
 * learns of it at the deadline, not when some other timer comes by: at once
 * when two expiries have shown that the path is silent. */
#define SILENT_AFTER (340 * SIM_MS)

static void
drop_is_told_on_time (SimTest *test)
{
  for (UdtTime deadline = 37 * SIM_MS; deadline < SIM_SECOND;
       deadline += 61 * SIM_MS) {
    UdtFlowConfig live = { .service = UDT_CLASS_VIDEO,
                           .order = UDT_ORDER_STRICT,
                           .deadline = deadline };
    Sim *sim = defect_sim (test, NULL);
    SimFlow *flow = sim_flow_open (sim, 0, 1, &live);
    UdtTime start;

    sim_run_for (sim, SIM_SECOND);
    sim_link_config (sim->link[0])->down_from = sim->now;
    sim_link_config (sim->link[0])->down_until = sim->now + 2 * SIM_SECOND;
    start = sim->now;
    sim_flow_send (flow, 1000, UDT_MESSAGE_SYNC);
    sim_run_for (sim, 3 * SIM_SECOND);
    CHECK_EQUAL (test, flow->drops_told, 1);
    CHECK_MOST (test, flow->last_drop - start,
                (deadline > SILENT_AFTER ? deadline : SILENT_AFTER) + SIM_MS);
    CHECK_LEAST (test, flow->last_drop - start + RTT, deadline);
    sim_finish (sim);
    sim_test_end (test, sim);
  }
}

/* Defect 7. UDT can throw away the first packet for a connection that has just
 * been made. Here both ends send with the very first packets. */
static void
first_packet_counts (SimTest *test)
{
  SimConfig config;
  SimFlow *flow[2];
  Sim *sim;
  UdtStats stats;

  sim_config_init (&config);
  sim = sim_new (&config, test->seed);
  for (unsigned i = 0; i < 2; i++) {
    flow[i] = sim_flow_open (sim, i, 1, &flow_reliable);
    sim_flow_send (flow[i], 500, 0);
  }
  sim_run_for (sim, 5 * SIM_SECOND);
  for (unsigned i = 0; i < 2; i++) {
    sim_peer_stats (&sim->peer[i], &stats);
    CHECK_MOST (test, delay_of (flow[i], 0), RTT / 2 + 2 * SIM_MS);
    CHECK_EQUAL (test, stats.packets_retransmitted, 0);
  }
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* ... and if the very first packets are lost, that costs no more than any
 * other loss, and the connection still comes up. */
static void
first_packets_lost (SimTest *test)
{
  SimConfig config;
  SimFlow *flow;
  Sim *sim;
  Drop drop = { .left = 3 };

  sim_config_init (&config);
  sim = sim_new (&config, test->seed);
  sim_link_set_filter (sim->link[0], drop_some, &drop);
  flow = sim_flow_open (sim, 0, 1, &flow_reliable);
  sim_flow_send (flow, 500, 0);
  sim_run_for (sim, 5 * SIM_SECOND);
  CHECK_EQUAL (test, drop.dropped, 3);
  CHECK_MOST (test, delay_of (flow, 0), 3 * SIM_SECOND);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* Defect 17. When the loss report itself is lost, an implementation without
 * periodic reports waits for ever. */
static void
lost_report (SimTest *test)
{
  for (unsigned reports = 1; reports <= 3; reports++) {
    Sim *sim = defect_sim (test, NULL);
    Drop data = { .left = 1 },
         naks = { .left = reports, .marks = SIM_MARK_NAK };
    SimFlow *flow;

    steady_source (sim, 0, 1, 10 * SIM_MS, 400);
    flow = sim_flow_find (&sim->peer[0], 1);
    data.watched = sim_watch (flow, 50, 0);
    sim_link_set_filter (sim->link[0], drop_some, &data);
    sim_link_set_filter (sim->link[1], drop_some, &naks);
    sim_run_for (sim, 3 * SIM_SECOND);
    CHECK_EQUAL (test, data.dropped, 1);
    CHECK_LEAST (test, naks.dropped, 1);
    CHECK_MOST (test, delay_of (flow, 50), 3 * RTT + 20 * SIM_MS);
    sim_finish (sim);
    sim_test_end (test, sim);
  }
}

/* All that the receiver says is lost for a while, from the loss on. */
static void
lost_reports_and_acks (SimTest *test)
{
  Sim *sim = defect_sim (test, NULL);
  Drop data = { .left = 1 }, all = { .left = 30 };
  SimFlow *flow;

  steady_source (sim, 0, 1, 10 * SIM_MS, 400);
  flow = sim_flow_find (&sim->peer[0], 1);
  data.watched = sim_watch (flow, 50, 0);
  all.from = sim->now + 50 * 10 * SIM_MS;
  sim_link_set_filter (sim->link[0], drop_some, &data);
  sim_link_set_filter (sim->link[1], drop_some, &all);
  sim_run_for (sim, 4 * SIM_SECOND);
  CHECK_EQUAL (test, all.dropped, 30);
  CHECK_MOST (test, delay_of (flow, 50), SIM_SECOND);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* Defect 18. UDT ignores a full socket: the packet is gone and only found out
 * by the peer's report, a round trip later at best. */
static void
refused_send (SimTest *test)
{
  for (unsigned n = 1; n <= 12; n += 11) {
    Sim *sim = defect_sim (test, NULL);
    SimPeer *peer = &sim->peer[0];
    SimFlow *flow = sim_flow_open (sim, 0, 1, &flow_reliable);

    sim_run_for (sim, SIM_SECOND);
    peer->send_fail_first = peer->send_attempts + 1;
    peer->send_fail_count = n;
    sim_flow_send (flow, 400, 0);
    sim_run_for (sim, SIM_SECOND);
    CHECK_EQUAL (test, peer->send_failures, n);
    /* The socket is tried again every 2 ms; nothing else may be waited for. */
    CHECK_MOST (test, delay_of (flow, 0), RTT / 2 + n * 2 * SIM_MS + SIM_MS);
    sim_finish (sim);
    sim_test_end (test, sim);
  }
}

/* ... and is no sign of congestion. */
static void
refused_send_is_no_loss (SimTest *test)
{
  Sim *sim = defect_sim (test, NULL);
  SimPeer *peer = &sim->peer[0];
  SimSourceConfig bulk;
  UdtStats before, after;
  SimFlow *flow;

  sim_source_bulk (&bulk, 1, (uint64_t)1 << 40);
  sim_source_add (sim, 0, &bulk);
  sim_run_for (sim, 4 * SIM_SECOND);
  flow = sim_flow_find (peer, 1);
  sim_peer_stats (peer, &before);
  peer->send_fail_first = peer->send_attempts + 1;
  peer->send_fail_count = 5;
  sim_run_for (sim, 100 * SIM_MS);
  sim_peer_stats (peer, &after);
  CHECK_EQUAL (test, peer->send_failures, 5);
  CHECK_EQUAL (test, after.packets_lost, before.packets_lost);
  sim_run_for (sim, SIM_SECOND);
  CHECK_LEAST (test, goodput (flow, sim->now - SIM_SECOND, sim->now), 15e6);
  sim_abandon (sim);
  sim_test_end (test, sim);
}

const SimCase defects_recovery[] = {
  { "defect-01-two-way-stall", two_way_stall, 3 },
  { "defect-01-two-way-tail", two_way_tail, 3 },
  { "defect-02-drop-takes-one", drop_takes_one, 3 },
  { "defect-02-drop-spares-lost-neighbours", drop_spares_lost_neighbours, 3 },
  { "defect-03-unsent-expires", unsent_expires, 3 },
  { "defect-03-drop-is-told-on-time", drop_is_told_on_time, 0 },
  { "defect-07-first-packet-counts", first_packet_counts, 3 },
  { "defect-07-first-packets-lost", first_packets_lost, 3 },
  { "defect-17-lost-report", lost_report, 3 },
  { "defect-17-lost-reports-and-acks", lost_reports_and_acks, 3 },
  { "defect-18-refused-send", refused_send, 3 },
  { "defect-18-refused-send-is-no-loss", refused_send_is_no_loss, 3 },
  { NULL },
};
