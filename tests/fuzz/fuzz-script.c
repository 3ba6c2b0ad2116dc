/* Whole lives of two connections, written by the fuzzer.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The input is a sequence of things that applications and networks do. All
 * invariants of the simulator hold throughout, and at the end every reliable
 * message has arrived, everything is released and both sides are silent.
 */
#include "fuzz.h"

#include "sim.h"

#include <string.h>

#define MAX_STEPS 200
#define MAX_FRAMES 64
#define TIGHT_LIMIT 400000 /* bytes that wait for an application */
#define DRAIN_LIMIT (60 * SIM_SECOND)
#define FLOWS 6

static const UdtFlowConfig configs[FLOWS] = {
  { .service = UDT_CLASS_COMMAND, .order = UDT_ORDER_STRICT },
  { .service = UDT_CLASS_AUDIO,
    .order = UDT_ORDER_NONE,
    .deadline = 100 * SIM_MS },
  { .service = UDT_CLASS_VIDEO,
    .order = UDT_ORDER_STRICT,
    .deadline = UDT_DEADLINE_RECEIVER },
  { .service = UDT_CLASS_VIDEO,
    .order = UDT_ORDER_STRICT,
    .deadline = 300 * SIM_MS,
    .priority = 3 },
  { .service = UDT_CLASS_BULK, .order = UDT_ORDER_STRICT },
  { .service = UDT_CLASS_BULK, .order = UDT_ORDER_NONE, .priority = 1 },
};

typedef struct
{
  Sim *sim;
  FuzzInput in;
  uint64_t masks[2];
} Script;

static void
send (Script *script, uint8_t op)
{
  SimFlow *flow = &script->sim->peer[op & 1].flows[(op >> 1) % FLOWS];
  uint32_t size = fuzz_u8 (&script->in);
  uint8_t kind = (uint8_t)(size & 3);

  /* Many are small, some are large. */
  size = kind ? size * size / 8 + kind : size * 600;
  if (flow->open)
    sim_flow_send (flow, size,
                   kind == 1   ? UDT_MESSAGE_SYNC
                   : kind == 2 ? UDT_MESSAGE_DELTA
                   : kind == 3 ? UDT_MESSAGE_DELTA | UDT_MESSAGE_DISPOSABLE
                               : 0);
}

/* Bytes of the fuzzer's choice, in clear view of no key. */
static void
inject (Script *script, uint8_t op)
{
  SimPeer *peer = &script->sim->peer[op & 1];
  uint8_t packet[64];
  size_t len = fuzz_u8 (&script->in) % sizeof packet;

  for (size_t i = 0; i < len; i++)
    packet[i] = fuzz_u8 (&script->in);
  if (len >= 9 && op & 2) { /* looks like one of ours */
    packet[0] = 0xc0;
    memcpy (packet + 1, "\x10\x20\x30", 3);
    packet[4] = (uint8_t)(0x40 + peer->index);
  }
  sim_peer_input (peer, packet, len);
}

static void
change_link (Script *script, uint8_t op)
{
  SimLinkConfig *link = sim_link_config (script->sim->link[op & 1]);
  uint8_t value = fuzz_u8 (&script->in);

  switch (op >> 1 & 7) {
    case 0:
      for (unsigned i = 0; i < 8; i++)
        script->masks[op & 1]
            = script->masks[op & 1] << 8 | fuzz_u8 (&script->in);
      link->loss_mask = &script->masks[op & 1];
      link->mask_words = 1;
      break;
    case 1:
      link->mask_words = 0;
      break;
    case 2:
      link->rate = 100000 + (uint64_t)value * value * 500;
      break;
    case 3:
      link->delay = (UdtTime)value * 500;
      break;
    case 4:
      link->duplicate = value / 1024.0;
      link->corrupt = value / 2048.0;
      break;
    case 5:
      link->reorder = value / 512.0;
      link->reorder_delay = (UdtTime)value * 200;
      break;
    case 6:
      link->down_from = script->sim->now;
      link->down_until = script->sim->now + (UdtTime)value * 4 * SIM_MS;
      break;
    default:
      link->mtu = value < 100 ? 1200u + value : 0;
      break;
  }
}

/* Pictures at 30 a second, the first of them whole. */
static void
film (Script *script, SimFlow *flow)
{
  unsigned frames = fuzz_u8 (&script->in) % MAX_FRAMES + 1;
  uint32_t size = 500 + (uint32_t)fuzz_u8 (&script->in) * 80;

  for (unsigned i = 0; i < frames && flow->open && !script->sim->failed; i++) {
    sim_flow_send (flow, i ? size : size * 3,
                   i ? UDT_MESSAGE_DELTA : UDT_MESSAGE_SYNC);
    sim_run_for (script->sim, SIM_SECOND / 30);
  }
}

/* What takes longer than one byte to say. */
static void
more (Script *script, uint8_t op)
{
  Sim *sim = script->sim;
  SimPeer *peer = &sim->peer[op & 1];
  SimLinkConfig *link = sim_link_config (sim->link[op & 1]);
  uint8_t value = fuzz_u8 (&script->in);

  switch (op >> 1 & 7) {
    case 0:
      link->loss = value / 512.0;
      break;
    case 1:
      link->burst_enter = value / 2048.0;
      link->burst_leave = 0.3;
      link->burst_loss = 0.9;
      break;
    case 2:
    case 3:
      film (script, &peer->flows[2 + value % 2]);
      break;
    case 4: /* more than a window of what must arrive */
      for (unsigned i = 0; i < value % 32u && peer->flows[4].open; i++)
        sim_flow_send (&peer->flows[4], 60000, 0);
      break;
    case 5:
      /* Of messages that are out the simulator knows one deadline. */
      peer = sim_peer_other (peer);
      if (!sim_peer_other (peer)->flows[2].n_messages) {
        peer->config.latency = (UdtTime)value * 2 * SIM_MS;
        udt_connection_set_latency (peer->conn, peer->config.latency,
                                    sim_peer_now (peer));
        sim_peer_service (peer);
      }
      break;
    case 6: /* both move to another path */
      for (unsigned i = 0; i < 2; i++) {
        SimPeer *end = &sim->peer[i];

        sim_link_config (sim->link[i])->delay = (UdtTime)value * 500;
        udt_connection_path_changed (end->conn, 1200u + value,
                                     sim_peer_now (end));
        sim_peer_service (end);
      }
      break;
    default:
      sim_run_for (sim, (UdtTime)value * 100 * SIM_MS);
      break;
  }
}

static void
other (Script *script, uint8_t op)
{
  SimPeer *peer = &script->sim->peer[op & 1];
  SimFlow *flow = &peer->flows[fuzz_u8 (&script->in) % FLOWS];

  switch (op >> 1 & 7) {
    case 0:
      if (flow->open && flow->expect_all)
        sim_flow_hold (flow, !flow->held);
      break;
    case 1:
      if (flow->open)
        udt_connection_drop_pending (peer->conn, flow->id, sim_peer_now (peer));
      break;
    case 2:
      udt_connection_path_changed (peer->conn, 0, sim_peer_now (peer));
      break;
    case 3:
      peer->send_fail_first = peer->send_attempts + 1;
      peer->send_fail_count = fuzz_u8 (&script->in) % 32;
      break;
    case 4:
      sim_peer_jump_clock (peer,
                           (int64_t)fuzz_u16 (&script->in) * 1000 - 2000000);
      break;
    case 5:
      if (flow->open && flow->config.deadline != UDT_DEADLINE_NONE)
        sim_flow_close (flow);
      break;
    case 6:
      peer->memory.fail_first = peer->memory.calls + 1;
      peer->memory.fail_count = fuzz_u8 (&script->in) % 8;
      break;
    default:
      udt_connection_tick (peer->conn, sim_peer_now (peer));
      break;
  }
  sim_peer_service (peer);
}

static void
settle (Script *script)
{
  Sim *sim = script->sim;

  for (unsigned i = 0; i < 2; i++) {
    SimLinkConfig *link = sim_link_config (sim->link[i]);

    link->mask_words = 0;
    link->loss = link->loss < 0.1 ? link->loss : 0.1;
    link->burst_enter = 0;
    link->mtu = 0;
    link->rate = 10000000;
    sim->peer[i].memory.fail_count = 0;
    sim->peer[i].send_fail_count = 0;
    for (unsigned j = 0; j < FLOWS; j++)
      if (!sim->failed && sim->peer[i].flows[j].held)
        sim_flow_hold (&sim->peer[i].flows[j], false);
  }
}

static bool
both_finished (Sim *sim, void *user)
{
  (void)user;
  return udt_connection_is_finished (sim->peer[0].conn)
         && udt_connection_is_finished (sim->peer[1].conn);
}

/* A close that lets everything arrive first. */
static void
close_drained (Sim *sim)
{
  SimPeer *peer = &sim->peer[0];

  udt_connection_close (peer->conn, 7, "drained", DRAIN_LIMIT,
                        sim_peer_now (peer));
  sim_peer_service (peer);
  if (!sim_run_to (sim, both_finished, NULL, sim->now + 2 * DRAIN_LIMIT))
    sim_fail (sim, "a close that drains does not end");
  for (unsigned i = 0; i < FLOWS && !sim->failed; i++)
    if (peer->flows[i].expect_all && !sim_flow_all_delivered (&peer->flows[i]))
      sim_fail (sim, "flow %u: %llu of %zu messages arrived before the close",
                i, (unsigned long long)peer->flows[i].delivered,
                peer->flows[i].n_messages);
  sim_abandon (sim);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Script script = { .in = { data, data + size } };
  SimConfig config;
  uint8_t first = fuzz_u8 (&script.in);
  Sim *sim;

  sim_config_init (&config);
  /* Clocks may go back, but not to before the beginning of time. */
  config.clock_offset[0] = config.clock_offset[1] = 3600 * (int64_t)SIM_SECOND;
  config.timer_slack = first % 4 * SIM_MS;
  for (unsigned i = 0; i < 2 && first & 8; i++)
    config.udt[i].receive_limit = TIGHT_LIMIT;
  sim = script.sim = sim_new (&config, 1);
  for (uint16_t i = 0; i < FLOWS; i++)
    for (unsigned peer = 0; peer < 2; peer++)
      sim_flow_open (sim, peer, i, &configs[i]);
  for (unsigned i = 0; i < MAX_STEPS && fuzz_left (&script.in); i++) {
    uint8_t op = fuzz_u8 (&script.in);

    if (sim->failed)
      break;
    if (op < 0x60)
      send (&script, op);
    else if (op < 0xa0)
      sim_run_for (sim, (UdtTime)(op - 0x5f) * (op - 0x5f) * 100);
    else if (op < 0xb0)
      inject (&script, op);
    else if (op < 0xc0)
      more (&script, op);
    else if (op < 0xe0)
      change_link (&script, op);
    else
      other (&script, op);
  }
  settle (&script);
  /* Clocks that leap and links that are down for long do end a connection. */
  if (sim->peer[0].dead || sim->peer[1].dead)
    sim_abandon (sim);
  else if (first & 4)
    close_drained (sim);
  else
    sim_finish (sim);
  if (sim->failed)
    fprintf (stderr, "%s\n", sim->failure);
  FUZZ_CHECK (!sim->failed);
  sim_free (sim);
  return 0;
}
