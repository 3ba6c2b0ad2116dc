/* One end: the engine, its surroundings (memory, sealing, clock, socket) and
 * the loop that drives it the way a network thread does.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Everything the engine promises about single calls is checked here: packet
 * numbers, sizes, memory, limits, and that it never asks to be called again
 * without having anything to do.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

/* More than this at one instant is a loop that does not end. */
#define MAX_ROUNDS 64
#define MAX_PACKETS_AT_ONCE 4096
/* A full socket is tried again after this. */
#define SOCKET_RETRY (2 * SIM_MS)
/* What the engine may keep beside received messages for each of them. */
#define MESSAGE_OVERHEAD 256
/* Repair packets that wait for more, 128 at most, in a pool that stays. */
#define REPAIR_MEMORY (128 * (UDT_MAX_PACKET + 32) + 256)

static void *
env_alloc (void *user, size_t size)
{
  return sim_memory_alloc (&((SimPeer *)user)->memory, size);
}

static void
env_free (void *user, void *block)
{
  SimPeer *peer = user;

  sim_memory_free (&peer->memory, block);
  if (peer->memory.broken)
    sim_fail (peer->sim, "peer %u: freed a block twice, or not its own",
              peer->index);
}

static uint64_t
env_random (void *user)
{
  return sim_random_next (&((SimPeer *)user)->random);
}

static bool
holds (const uint8_t *data, size_t len, const uint8_t *wanted)
{
  const uint8_t *end = data + len, *at = data;

  while (end - at >= SIM_WATCH_BYTES
         && (at = memchr (at, wanted[0],
                          (size_t)(end - at) - SIM_WATCH_BYTES + 1))) {
    if (!memcmp (at, wanted, SIM_WATCH_BYTES))
      return true;
    at++;
  }
  return false;
}

static bool
env_seal (void *user, uint64_t packet_number, const uint8_t *aad,
          size_t aad_len, uint8_t *data, size_t len)
{
  SimPeer *peer = user;

  if (!sim_number_set_add (&peer->numbers, packet_number))
    sim_fail (peer->sim, "peer %u: packet number %llu used again", peer->index,
              (unsigned long long)packet_number);
  peer->sealed_watches = 0;
  for (uint32_t i = 0; i < peer->n_watches; i++)
    if (holds (data, len, peer->watch[i]))
      peer->sealed_watches |= (uint32_t)1 << i;
  if (peer->sim->config.null_seal)
    memset (data + len, 0, UDT_TAG_SIZE);
  else
    sim_seal (&peer->seal_out, packet_number, aad, aad_len, data, len);
  return true;
}

static bool
env_open (void *user, uint64_t packet_number, const uint8_t *aad,
          size_t aad_len, uint8_t *data, size_t len)
{
  SimPeer *peer = user;

  if (peer->sim->config.null_seal)
    return len >= UDT_TAG_SIZE;
  return sim_open (&peer->seal_in, packet_number, aad, aad_len, data, len);
}

SimPeer *
sim_peer_other (SimPeer *peer)
{
  return &peer->sim->peer[!peer->index];
}

bool
sim_peer_init (SimPeer *peer, Sim *sim, unsigned index)
{
  UdtEnv env = { .user = peer,
                 .alloc = env_alloc,
                 .free = env_free,
                 .random = env_random,
                 .seal = env_seal,
                 .open = env_open };

  peer->sim = sim;
  peer->index = index;
  peer->config = sim->config.udt[index];
  peer->clock_offset = sim->config.clock_offset[index];
  peer->clock_drift = sim->config.clock_drift[index];
  peer->reading = true;
  sim_random_init (&peer->random, sim->seed * 4 + index);
  for (int i = 0; i < 2; i++) {
    peer->seal_out.key[i] = sim_mix (sim->seed * 8 + index * 2 + (unsigned)i);
    peer->seal_in.key[i] = sim_mix (sim->seed * 8 + !index * 2 + (unsigned)i);
  }
  peer->conn = udt_connection_new (&peer->config, &env, sim_peer_now (peer));
  return peer->conn != NULL;
}

/* This host's monotonic clock. */
UdtTime
sim_peer_now (const SimPeer *peer)
{
  UdtTime now = peer->sim->now;

  if (peer->clock_drift != 0)
    now = (UdtTime)((double)now * (1 + peer->clock_drift));
  return (UdtTime)((int64_t)now + peer->clock_offset);
}

void
sim_peer_stats (const SimPeer *peer, UdtStats *stats)
{
  udt_connection_get_stats (peer->conn, sim_peer_now (peer), stats);
}

static void
check_stats (SimPeer *peer)
{
  UdtStats stats;
  const UdtConfig *config = &peer->config;
  uint64_t most;

  sim_peer_stats (peer, &stats);
  if (stats.send_buffered > config->send_limit)
    sim_fail (peer->sim, "peer %u: %zu bytes in a send buffer of %zu",
              peer->index, stats.send_buffered, config->send_limit);
  if (stats.send_unsent > stats.send_buffered)
    sim_fail (peer->sim, "peer %u: %zu bytes unsent of %zu", peer->index,
              stats.send_unsent, stats.send_buffered);
  if (stats.receive_buffered > config->receive_limit)
    sim_fail (peer->sim, "peer %u: %zu bytes in a receive buffer of %zu",
              peer->index, stats.receive_buffered, config->receive_limit);
  if (!peer->memory_base)
    return;
  /* Messages that came and are not handed out, and nothing that grows with
   * packets, losses or time. */
  most = peer->memory_base + config->receive_limit + REPAIR_MEMORY
         + (uint64_t)MESSAGE_OVERHEAD * (peer->memory.blocks + 1);
  if (peer->memory.used > most)
    sim_fail (peer->sim, "peer %u: %zu bytes of memory, %llu before messages",
              peer->index, peer->memory.used,
              (unsigned long long)peer->memory_base);
}

static void
handle_dropped (SimPeer *peer, const UdtEvent *event)
{
  SimFlow *flow = sim_flow_find (peer, event->flow);

  peer->drops++;
  if (!flow) {
    sim_fail (peer->sim, "peer %u: drop on flow %u, never opened", peer->index,
              event->flow);
    return;
  }
  if (flow->expect_all)
    sim_fail (peer->sim, "peer %u: flow %u without deadline lost %u messages",
              peer->index, event->flow, (unsigned)event->count);
  flow->drops_told += event->count;
  flow->last_drop = peer->sim->now;
  flow->need_sync |= event->need_sync;
}

static void
handle_gap (SimPeer *peer, const UdtEvent *event)
{
  SimFlow *flow = sim_flow_find (sim_peer_other (peer), event->flow);

  peer->gaps++;
  if (!flow || flow->expect_all)
    sim_fail (peer->sim, "peer %u: gap of %u messages on flow %u", peer->index,
              (unsigned)event->count, event->flow);
  else
    flow->gaps_told += event->count;
}

static void
handle_event (SimPeer *peer, const UdtEvent *event)
{
  switch (event->type) {
    case UDT_EVENT_CONNECTED:
      if (peer->connected++)
        sim_fail (peer->sim, "peer %u: connected twice", peer->index);
      break;
    case UDT_EVENT_WRITABLE:
      peer->writable++;
      if (!peer->told_full)
        sim_fail (peer->sim, "peer %u: writable, but was not full",
                  peer->index);
      peer->told_full = false;
      sim_source_writable (peer);
      break;
    case UDT_EVENT_FLOW_OPENED:
      if (!sim_flow_find (sim_peer_other (peer), event->flow))
        sim_fail (peer->sim, "peer %u: flow %u opened by nobody", peer->index,
                  event->flow);
      break;
    case UDT_EVENT_DROPPED:
      handle_dropped (peer, event);
      break;
    case UDT_EVENT_GAP:
      handle_gap (peer, event);
      break;
    case UDT_EVENT_FLOW_RESET:
      peer->resets++;
      break;
    case UDT_EVENT_PATH_MTU:
      peer->path_mtus++;
      peer->path_mtu = event->value;
      break;
    case UDT_EVENT_CLOSED:
      if (peer->closed++)
        sim_fail (peer->sim, "peer %u: closed twice", peer->index);
      peer->close_code = event->code;
      peer->closed_by_peer = event->by_peer;
      memcpy (peer->close_reason, event->reason, sizeof peer->close_reason);
      break;
    case UDT_EVENT_DEAD:
      peer->dead++;
      break;
  }
}

static unsigned
marks (const UdtStats *before, const UdtStats *after)
{
  unsigned result = 0;

  if (after->packets_retransmitted != before->packets_retransmitted)
    result |= SIM_MARK_RETRANSMIT;
  if (after->acks_sent != before->acks_sent)
    result |= SIM_MARK_ACK;
  if (after->naks_sent != before->naks_sent)
    result |= SIM_MARK_NAK;
  if (after->probes_sent != before->probes_sent)
    result |= SIM_MARK_PROBE;
  if (after->payload_bytes_sent != before->payload_bytes_sent)
    result |= SIM_MARK_PAYLOAD;
  return result;
}

/* Every byte that leaves, and when. */
static void
trace (Sim *sim, const SimPacket *packet)
{
  uint64_t state = sim->trace ^ sim->now;
  uint64_t word;

  for (size_t i = 0; i + 8 <= packet->len; i += 8) {
    memcpy (&word, packet->data + i, 8);
    state = (state ^ word) * 0xff51afd7ed558ccdu;
    state ^= state >> 29;
  }
  sim->trace = sim_mix (state + packet->len);
}

static bool
socket_takes (SimPeer *peer)
{
  uint64_t n = ++peer->send_attempts;

  return !peer->send_fail_first || n < peer->send_fail_first
         || n - peer->send_fail_first >= peer->send_fail_count;
}

static void
retry (Sim *sim, void *arg, uint64_t value)
{
  (void)sim, (void)value;
  sim_peer_service (arg);
}

/* One packet out. False: nothing to send, or the socket is full. */
static bool
send_one (SimPeer *peer, UdtTime now)
{
  Sim *sim = peer->sim;
  SimPacket *packet = sim_packet_new (sim);
  UdtStats before, after;

  if (sim->mark_packets)
    sim_peer_stats (peer, &before);
  peer->calls++;
  packet->len
      = udt_connection_output (peer->conn, packet->data, UDT_MAX_PACKET, now);
  if (!packet->len) {
    sim_packet_free (sim, packet);
    return false;
  }
  if (packet->len > peer->config.max_mtu)
    sim_fail (sim, "peer %u: a packet of %zu bytes, at most %u allowed",
              peer->index, packet->len, peer->config.max_mtu);
  if (peer->instant != sim->now)
    peer->instant_packets = 0;
  peer->instant = sim->now;
  if (++peer->instant_packets > MAX_PACKETS_AT_ONCE)
    sim_fail (sim, "peer %u: more than %u packets at one instant", peer->index,
              MAX_PACKETS_AT_ONCE);
  if (sim->mark_packets) {
    sim_peer_stats (peer, &after);
    packet->marks = marks (&before, &after);
  }
  packet->watched = peer->sealed_watches;
  trace (sim, packet);
  if (!socket_takes (peer)) {
    peer->send_failures++;
    udt_connection_send_failed (peer->conn, now);
    sim_packet_free (sim, packet);
    sim_at (sim, sim->now + SOCKET_RETRY, retry, peer, 0);
    return false;
  }
  peer->packets_out++;
  peer->bytes_out += packet->len;
  sim_link_send (sim->link[peer->index], packet);
  return true;
}

static bool
take_messages (SimPeer *peer, UdtTime now)
{
  UdtReceived message;
  bool any = false;

  while (peer->reading && !peer->sim->failed
         && udt_connection_receive (peer->conn, &message, now) == UDT_OK) {
    any = true;
    peer->calls++;
    sim_flow_received (peer, &message);
    sim_memory_free (&peer->memory, message.data);
  }
  return any;
}

static void wake (Sim *sim, void *arg, uint64_t value);

static void
arm (SimPeer *peer, UdtTime now)
{
  Sim *sim = peer->sim;
  UdtTime next = udt_connection_next_time (peer->conn), late = 0;

  peer->wake_generation++;
  if (next == UDT_NEVER || sim->failed)
    return;
  if (next <= now)
    next = now + 1; /* only after a refused packet */
  if (sim->config.timer_slack)
    late = sim_random_range (&sim->random, 0, sim->config.timer_slack);
  sim_at (sim, sim->now + (next - now) + late, wake, peer,
          peer->wake_generation);
}

/* False: nothing moved. */
static bool
serve_once (SimPeer *peer, UdtTime now, uint64_t refused)
{
  Sim *sim = peer->sim;
  UdtEvent event;
  bool progress = peer->serve_again;

  peer->serve_again = false;
  if (udt_connection_next_time (peer->conn) <= now)
    udt_connection_tick (peer->conn, now);
  while (!sim->failed && udt_connection_event (peer->conn, &event) == UDT_OK) {
    handle_event (peer, &event);
    progress = true;
  }
  progress |= take_messages (peer, now);
  while (!sim->failed && peer->send_failures == refused && send_one (peer, now))
    progress = true;
  return progress;
}

void
sim_peer_service (SimPeer *peer)
{
  Sim *sim = peer->sim;
  UdtTime now = sim_peer_now (peer);
  unsigned rounds = 0;
  uint64_t refused = peer->send_failures;

  if (sim->freed || sim->failed)
    return;
  if (peer->serving) {
    /* The application sends from within one of our calls to it. */
    peer->serve_again = true;
    return;
  }
  peer->serving = true;
  while (!sim->failed && serve_once (peer, now, refused))
    if (++rounds > MAX_ROUNDS)
      sim_fail (sim, "peer %u: work without end at one instant", peer->index);
  peer->serving = false;
  if (sim->failed)
    return;
  if (peer->send_failures == refused
      && udt_connection_next_time (peer->conn) <= now)
    sim_fail (sim, "peer %u: asks to be called now, has nothing to do",
              peer->index);
  check_stats (peer);
  arm (peer, now);
}

static void
wake (Sim *sim, void *arg, uint64_t value)
{
  SimPeer *peer = arg;

  (void)sim;
  if (value != peer->wake_generation || sim->freed)
    return;
  peer->wakes++;
  sim_peer_service (peer);
}

void
sim_peer_input (SimPeer *peer, uint8_t *data, size_t len)
{
  if (peer->sim->freed)
    return;
  if (!peer->memory_base && peer->connected)
    peer->memory_base = peer->memory.used;
  peer->calls++;
  udt_connection_input (peer->conn, data, len, sim_peer_now (peer));
  sim_peer_service (peer);
}

void
sim_peer_jump_clock (SimPeer *peer, int64_t by)
{
  peer->clock_offset += by;
  peer->clock_jumped = true;
  sim_peer_service (peer);
}

void
sim_peer_finish (SimPeer *peer)
{
  udt_connection_free (peer->conn);
  peer->conn = NULL;
  for (unsigned i = 0; i < SIM_MAX_FLOWS; i++) {
    SimFlow *flow = &peer->flows[i];

    if (flow->used && flow->released != flow->n_messages)
      sim_fail (peer->sim, "peer %u: flow %u released %llu of %zu messages",
                peer->index, flow->id, (unsigned long long)flow->released,
                flow->n_messages);
  }
  if (peer->memory.used || peer->memory.blocks)
    sim_fail (peer->sim, "peer %u: %llu blocks of memory left", peer->index,
              (unsigned long long)peer->memory.blocks);
}

void
sim_peer_clear (SimPeer *peer)
{
  struct
  {
    void *next;
  } * owner;

  udt_connection_free (peer->conn);
  peer->conn = NULL;
  for (unsigned i = 0; i < SIM_MAX_FLOWS; i++)
    sim_flow_clear (&peer->flows[i]);
  while ((owner = peer->owners)) {
    peer->owners = owner->next;
    free (owner);
  }
  sim_number_set_clear (&peer->numbers);
}
