/* Flows: what was sent, and whether what arrives is exactly that.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A simulation sees both ends, so every message that is handed out is compared
 * with the one that was submitted: bytes, flags, order, number and time.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

/* A live message that is there in time may still wait for one before it, until
 * the news that this one was given up has come: from the deadline on a few
 * crossings of the path, some of them lost. "Grossly late" begins beyond. */
#define LATE_MARGIN (200 * SIM_MS)
#define LATE_CROSSINGS 6
#define MAX_RECEIVER_DEADLINE (500 * SIM_MS)
#define FREED_BYTE 0xdd
#define AGE_TOLERANCE (2 * SIM_MS)

/* Lives until the end of the simulation, so that a second release is seen. */
typedef struct _Owner Owner;
struct _Owner
{
  Owner *next;
  SimFlow *flow;
  size_t index;
  uint32_t generation;
  uint8_t *block;
  size_t size;
  bool released;
};

static void
content_copy (const SimFlow *flow, uint64_t id, uint32_t offset, uint8_t *out,
              size_t size)
{
  const uint8_t *pool = flow->sender->sim->content;
  uint64_t start
      = sim_mix (((uint64_t)flow->id << 40) ^ ((uint64_t)flow->generation << 56)
                 ^ (id * 2 + flow->sender->index));
  size_t at = (start % SIM_CONTENT_BYTES + offset) % SIM_CONTENT_BYTES;

  while (size) {
    size_t n = SIM_CONTENT_BYTES - at;

    n = n < size ? n : size;
    memcpy (out, pool + at, n);
    out += n;
    size -= n;
    at = 0;
  }
}

static bool
content_equals (const SimFlow *flow, uint64_t id, const uint8_t *data,
                size_t size)
{
  uint8_t expected[4096];

  for (size_t at = 0; at < size; at += sizeof expected) {
    size_t n = size - at < sizeof expected ? size - at : sizeof expected;

    content_copy (flow, id, (uint32_t)at, expected, n);
    if (memcmp (expected, data + at, n))
      return false;
  }
  return true;
}

SimFlow *
sim_flow_find (SimPeer *sender, uint16_t id)
{
  for (unsigned i = 0; i < SIM_MAX_FLOWS; i++)
    if (sender->flows[i].used && sender->flows[i].id == id)
      return &sender->flows[i];
  return NULL;
}

SimFlow *
sim_flow_open (Sim *sim, unsigned index, uint16_t id,
               const UdtFlowConfig *config)
{
  SimPeer *peer = &sim->peer[index];
  SimFlow *flow = NULL;

  for (unsigned i = 0; i < SIM_MAX_FLOWS && !flow; i++)
    if (!peer->flows[i].used)
      flow = &peer->flows[i];
  if (!flow)
    abort ();
  if (udt_connection_open_flow (peer->conn, id, config, sim_peer_now (peer))
      != UDT_OK) {
    sim_fail (sim, "peer %u: flow %u cannot be opened", index, id);
    return NULL;
  }
  memset (flow, 0, sizeof *flow);
  flow->used = flow->open = true;
  flow->sender = peer;
  flow->id = id;
  flow->config = *config;
  flow->expect_all = config->deadline == UDT_DEADLINE_NONE;
  return flow;
}

void
sim_flow_close (SimFlow *flow)
{
  SimPeer *peer = flow->sender;

  flow->open = false;
  flow->expect_all = false;
  if (udt_connection_close_flow (peer->conn, flow->id, sim_peer_now (peer))
      != UDT_OK)
    sim_fail (peer->sim, "peer %u: flow %u cannot be closed", peer->index,
              flow->id);
  if (flow->released != flow->n_messages)
    sim_fail (peer->sim, "peer %u: closed flow %u still holds messages",
              peer->index, flow->id);
  sim_peer_service (peer);
}

void
sim_flow_reopen (SimFlow *flow)
{
  SimPeer *peer = flow->sender;

  if (udt_connection_open_flow (peer->conn, flow->id, &flow->config,
                                sim_peer_now (peer))
      != UDT_OK)
    sim_fail (peer->sim, "peer %u: flow %u cannot be opened again", peer->index,
              flow->id);
  flow->generation++;
  flow->open = true;
  flow->expect_all = flow->config.deadline == UDT_DEADLINE_NONE;
  flow->n_messages = 0;
  flow->released = flow->delivered = flow->bytes_delivered = 0;
  flow->next_id = 0;
  flow->need_sync = false;
}

void
sim_flow_hold (SimFlow *flow, bool hold)
{
  SimPeer *receiver = sim_peer_other (flow->sender);

  flow->held = hold;
  udt_connection_hold_flow (receiver->conn, flow->id, hold);
  sim_peer_service (receiver);
}

/* ---- sending ---- */

static void
release (void *arg)
{
  Owner *owner = arg;
  Sim *sim = owner->flow->sender->sim;

  if (owner->released) {
    sim_fail (sim, "flow %u: message %zu released twice", owner->flow->id,
              owner->index);
    return;
  }
  owner->released = true;
  owner->flow->released++;
  owner->flow->messages[owner->index].released = true;
  /* Anything sent from here on from this memory is found at the receiver. */
  memset (owner->block, FREED_BYTE, owner->size);
  free (owner->block);
  owner->block = NULL;
}

static UdtTime
resolve_deadline (const SimFlow *flow)
{
  UdtTime latency;

  if (flow->config.deadline != UDT_DEADLINE_RECEIVER)
    return flow->config.deadline;
  latency = sim_peer_other (flow->sender)->config.latency;
  return latency && latency < MAX_RECEIVER_DEADLINE ? latency
                                                    : MAX_RECEIVER_DEADLINE;
}

static Owner *
make_owner (SimFlow *flow, uint32_t size)
{
  Owner *owner = calloc (1, sizeof *owner);

  if (!owner || !(owner->block = malloc (size ? size : 1)))
    abort ();
  owner->flow = flow;
  owner->index = flow->n_messages;
  owner->generation = flow->generation;
  owner->size = size;
  content_copy (flow, flow->n_messages, 0, owner->block, size);
  return owner;
}

static void
record (SimFlow *flow, Owner *owner, unsigned flags)
{
  SimMessage *message;

  if (flow->n_messages == flow->capacity) {
    flow->capacity = flow->capacity ? flow->capacity * 2 : 64;
    flow->messages
        = realloc (flow->messages, flow->capacity * sizeof *flow->messages);
    if (!flow->messages)
      abort ();
  }
  message = &flow->messages[flow->n_messages++];
  memset (message, 0, sizeof *message);
  message->size = (uint32_t)owner->size;
  message->flags = (uint8_t)flags;
  message->submitted = flow->sender->sim->now;
  message->deadline = resolve_deadline (flow);
}

static void
count_refusal (SimFlow *flow, UdtStatus status)
{
  SimPeer *peer = flow->sender;

  switch (status) {
    case UDT_ERR_FULL:
      flow->refused_full++;
      peer->told_full = true;
      break;
    case UDT_ERR_TOO_LATE:
      flow->refused_late++;
      break;
    case UDT_ERR_DEPENDS:
      flow->refused_depends++;
      flow->need_sync = true;
      break;
    case UDT_ERR_CLOSED:
    case UDT_ERR_NO_MEMORY:
      break;
    default:
      sim_fail (peer->sim, "peer %u: sending on flow %u gave %d", peer->index,
                flow->id, status);
  }
}

UdtStatus
sim_flow_send (SimFlow *flow, uint32_t size, unsigned flags)
{
  SimPeer *peer = flow->sender;
  Owner *owner = make_owner (flow, size);
  /* How a message is divided between the two is the application's affair. */
  size_t header = (size_t)(flow->n_messages * 7) % (UDT_MAX_HEADER + 1);
  UdtMessage message = { .owner = owner, .release = release, .flags = flags };
  UdtStatus status;
  size_t slot = flow->n_messages;

  header = header < size ? header : size;
  message.header = owner->block;
  message.header_len = header;
  message.payload = owner->block + header;
  message.payload_len = size - header;
  record (flow, owner, flags);
  peer->calls++;
  status = udt_connection_send (peer->conn, flow->id, &message,
                                sim_peer_now (peer));
  if (status != UDT_OK) {
    if (owner->released)
      sim_fail (peer->sim, "flow %u: a refused message was released", flow->id);
    /* One that comes too late has a number, so that the peer learns of it. */
    flow->n_messages = slot + (status == UDT_ERR_TOO_LATE);
    flow->released += status == UDT_ERR_TOO_LATE;
    flow->messages[slot].refused = true;
    free (owner->block);
    free (owner);
    count_refusal (flow, status);
    return status;
  }
  owner->next = peer->owners;
  peer->owners = owner;
  flow->bytes_accepted += size;
  peer->payload_bytes_out += size;
  sim_peer_service (peer);
  return UDT_OK;
}

bool
sim_flow_is_drained (SimFlow *flow)
{
  UdtFlowStats stats;
  SimPeer *peer = flow->sender;

  /* Released is acknowledged or given up, and cheaper to ask. */
  if (flow->released != flow->n_messages)
    return false;
  if (udt_connection_get_flow_stats (peer->conn, flow->id, sim_peer_now (peer),
                                     &stats)
      != UDT_OK)
    return false;
  return !stats.buffered;
}

bool
sim_flow_all_delivered (SimFlow *flow)
{
  return flow->delivered == flow->n_messages;
}

uint32_t
sim_watch (SimFlow *flow, uint64_t id, uint32_t offset)
{
  SimPeer *peer = flow->sender;

  if (peer->n_watches == SIM_MAX_WATCHES)
    abort ();
  content_copy (flow, id, offset, peer->watch[peer->n_watches],
                SIM_WATCH_BYTES);
  return (uint32_t)1 << peer->n_watches++;
}

/* ---- receiving ---- */

static void
check_order (SimFlow *flow, const UdtReceived *message)
{
  Sim *sim = flow->sender->sim;

  if (flow->config.order != UDT_ORDER_STRICT)
    return;
  if (message->id < flow->next_id)
    sim_fail (sim, "flow %u: message %llu after %llu", flow->id,
              (unsigned long long)message->id,
              (unsigned long long)flow->next_id - 1);
  if (message->gap != (message->id > flow->next_id))
    sim_fail (sim, "flow %u: message %llu after %llu, gap %s", flow->id,
              (unsigned long long)message->id,
              (unsigned long long)flow->next_id - 1,
              message->gap ? "claimed" : "hidden");
  if (flow->expect_all && message->id != flow->next_id)
    sim_fail (sim, "flow %u: message %llu instead of %llu", flow->id,
              (unsigned long long)message->id,
              (unsigned long long)flow->next_id);
  flow->next_id = message->id + 1;
}

static void
check_times (SimPeer *receiver, SimFlow *flow, const UdtReceived *message)
{
  Sim *sim = receiver->sim;
  const SimMessage *sent = &flow->messages[message->id];
  const SimLinkStats *link = sim_link_stats (sim->link[!receiver->index]);
  const SimLinkStats *back = sim_link_stats (sim->link[receiver->index]);
  UdtTime arrived, waited = sim->now - sent->submitted, late;

  if (receiver->clock_jumped || flow->sender->clock_jumped
      || receiver->clock_drift != 0 || flow->sender->clock_drift != 0)
    return;
  arrived = (UdtTime)((int64_t)message->first_arrival - receiver->clock_offset);
  if (message->completed < message->first_arrival || arrived > sim->now
      || arrived < sent->submitted)
    sim_fail (sim, "flow %u: message %llu arrived at impossible times",
              flow->id, (unsigned long long)message->id);
  else if (message->age > arrived - sent->submitted + AGE_TOLERANCE
           || arrived - sent->submitted
                  > message->age + link->max_transit + AGE_TOLERANCE)
    sim_fail (sim, "flow %u: message %llu claims %llu us with its sender",
              flow->id, (unsigned long long)message->id,
              (unsigned long long)message->age);
  late = sent->deadline + LATE_MARGIN + sim_link_outage (sim->link[0])
         + sim_link_outage (sim->link[1])
         + LATE_CROSSINGS * (link->max_transit + back->max_transit);
  if (sent->deadline != UDT_DEADLINE_NONE && !flow->held && waited > late)
    sim_fail (sim,
              "flow %u: message %llu handed out after %llu us, deadline %llu, "
              "path at most %llu; first byte came after %llu, last after %llu",
              flow->id, (unsigned long long)message->id,
              (unsigned long long)waited, (unsigned long long)sent->deadline,
              (unsigned long long)link->max_transit,
              (unsigned long long)(arrived - sent->submitted),
              (unsigned long long)(arrived - sent->submitted
                                   + message->completed
                                   - message->first_arrival));
}

void
sim_flow_received (SimPeer *receiver, const UdtReceived *message)
{
  Sim *sim = receiver->sim;
  SimFlow *flow = sim_flow_find (sim_peer_other (receiver), message->flow);
  SimMessage *sent;

  if (!flow || message->id >= flow->n_messages) {
    sim_fail (sim, "peer %u: message %llu of flow %u was never sent",
              receiver->index, (unsigned long long)message->id, message->flow);
    return;
  }
  sent = &flow->messages[message->id];
  if (sent->refused)
    sim_fail (sim, "flow %u: message %llu was refused, yet it came", flow->id,
              (unsigned long long)message->id);
  if (flow->held)
    sim_fail (sim, "flow %u: held, but handed out", flow->id);
  if (sent->delivered)
    sim_fail (sim, "flow %u: message %llu handed out twice", flow->id,
              (unsigned long long)message->id);
  if (message->size != sent->size
      || !content_equals (flow, message->id, message->data, message->size))
    sim_fail (sim, "flow %u: message %llu has wrong bytes (%zu, sent %u)",
              flow->id, (unsigned long long)message->id, message->size,
              (unsigned)sent->size);
  if (message->flags != sent->flags)
    sim_fail (sim, "flow %u: message %llu has flags %x, sent %x", flow->id,
              (unsigned long long)message->id, message->flags,
              (unsigned)sent->flags);
  check_order (flow, message);
  check_times (receiver, flow, message);
  sent->delivered = true;
  sent->handed = flow->last_handed = sim->now;
  flow->delivered++;
  flow->bytes_delivered += message->size;
}

void
sim_flow_check_end (SimFlow *flow)
{
  Sim *sim = flow->sender->sim;
  uint64_t missing = flow->n_messages - flow->delivered;

  if (flow->released != flow->n_messages)
    sim_fail (sim, "flow %u: %llu of %zu messages released", flow->id,
              (unsigned long long)flow->released, flow->n_messages);
  if (flow->expect_all && missing)
    sim_fail (sim, "flow %u: %llu of %zu messages never came", flow->id,
              (unsigned long long)missing, flow->n_messages);
}

void
sim_flow_clear (SimFlow *flow)
{
  free (flow->messages);
  flow->messages = NULL;
}

/* ---- reports ---- */

static int
compare_times (const void *a, const void *b)
{
  UdtTime x = *(const UdtTime *)a, y = *(const UdtTime *)b;

  return (x > y) - (x < y);
}

void
sim_flow_report (const SimFlow *flow, UdtTime late, SimReport *report)
{
  UdtTime *delays = malloc ((flow->n_messages + 1) * sizeof *delays);
  UdtTime sum = 0;
  size_t n = 0;

  if (!delays)
    abort ();
  memset (report, 0, sizeof *report);
  for (size_t i = 0; i < flow->n_messages; i++) {
    const SimMessage *message = &flow->messages[i];
    bool key = message->flags & UDT_MESSAGE_SYNC;

    if (message->refused)
      continue;
    report->accepted++;
    report->keys += key;
    if (!message->delivered)
      continue;
    report->keys_delivered += key;
    delays[n] = message->handed - message->submitted;
    report->late += late && delays[n] > late;
    sum += delays[n++];
  }
  qsort (delays, n, sizeof *delays, compare_times);
  report->delivered = n;
  report->missing = report->accepted - n;
  report->bytes = flow->bytes_delivered;
  report->completed = flow->last_handed;
  if (n) {
    report->mean = sum / n;
    report->p50 = delays[n / 2];
    report->p99 = delays[n * 99 / 100];
    report->max = delays[n - 1];
  }
  free (delays);
}
