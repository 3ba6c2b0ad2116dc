/* Redundancy, the sender's side: when, how much, and what came of it.
 *
 * Where the path loses packets at random and a repeat would take longer than
 * the time to the next message, the messages of live flows are cut into symbols
 * of a packet each and followed by repair packets, as many as the measured loss
 * and its bursts ask for, within a share of the live bytes that saves up over a
 * short while. A short message gets a copy, a little later.
 *
 * A lost piece of such a message is parked as long as repairs may still make up
 * for it. The peer keeps every repair that it acknowledges, so that the
 * acknowledgements tell whether it has recovered a block; if it cannot have,
 * all that is missing there is repeated at once.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtprivate.h"

/* Repair bytes that may be saved up. */
#define MAX_SAVED (64 << 10)
/* Loss that warrants redundancy, and that no longer does, per mille. */
#define LOSS_BEGIN 5
#define LOSS_END 2
#define LOSS_LEAST 4 /* packets */
#define METER_TIME (4 * SECOND)
/* A loss with a longer queue than this may be the queue's. */
#define METER_QUEUE (20 * MS)
/* Beside a symbol in its packet: frame header, and what else may be there. */
#define HEADER_ROOM 26
#define CONTROL_ROOM 38
/* Shorter messages are cut smaller than packets, so that one repair more is
 * not half of them. */
#define FEW_SYMBOLS 5
#define SHORT_SYMBOL 240
#define COPY_DELAY (10 * MS)
/* From this many expiries in a row on nothing waits for repairs. */
#define EXPIRIES_PATIENT 2

/* --- Loss --- */

static void
forget_old_losses (UdtConnection *conn)
{
  UdtLossMeter *m = &conn->loss_meter;

  if (conn->now - m->halved < METER_TIME)
    return;
  m->packets /= 2;
  m->lost /= 2;
  m->bursts /= 2;
  m->halved = conn->now;
}

static bool
is_congested (const UdtConnection *conn)
{
  UdtTime limit = conn->min_rtt == UDT_NEVER ? 0 : conn->min_rtt / 4;

  return conn->queue_delay > (limit > METER_QUEUE ? limit : METER_QUEUE);
}

static void
judge_loss (UdtLossMeter *m)
{
  uint64_t lost = (uint64_t)m->lost * 1000;

  if (m->warrants)
    m->warrants = lost >= (uint64_t)m->packets * LOSS_END && m->lost > 0;
  else
    m->warrants
        = lost >= (uint64_t)m->packets * LOSS_BEGIN && m->lost >= LOSS_LEAST;
}

void
udt_loss_meter_acked (UdtConnection *conn, const UdtSent *sent)
{
  if (!(sent->flags & SENT_HAS_DATA))
    return;
  forget_old_losses (conn);
  conn->loss_meter.packets++;
  judge_loss (&conn->loss_meter);
}

void
udt_loss_meter_lost (UdtConnection *conn, const UdtSent *sent)
{
  UdtLossMeter *m = &conn->loss_meter;

  if (!(sent->flags & SENT_HAS_DATA) || is_congested (conn)
      || conn->expiries > 0)
    return;
  forget_old_losses (conn);
  m->packets++;
  m->lost++;
  if (m->bursts == 0 || sent->number != m->last_lost + 1)
    m->bursts++;
  m->last_lost = sent->number;
  judge_loss (m);
}

void
udt_loss_meter_late (UdtConnection *conn)
{
  UdtLossMeter *m = &conn->loss_meter;

  if (m->lost > 0)
    m->lost--;
  if (m->bursts > m->lost)
    m->bursts = m->lost;
  judge_loss (m);
}

/* --- How much --- */

static bool
is_live (const UdtFlowOut *flow)
{
  return flow->config.deadline != UDT_DEADLINE_NONE
         && (flow->config.service == UDT_CLASS_AUDIO
             || flow->config.service == UDT_CLASS_VIDEO);
}

void
udt_repair_earn (UdtConnection *conn, const UdtFlowOut *flow, uint32_t bytes)
{
  if (!is_live (flow))
    return;
  conn->repair_budget += bytes * UDT_REPAIR_SHARE / 100;
  if (conn->repair_budget > MAX_SAVED)
    conn->repair_budget = MAX_SAVED;
}

/* A repeat comes later than the message after it. */
static bool
is_wanted (const UdtConnection *conn, const UdtFlowOut *flow)
{
  UdtTime repeat = conn->srtt + conn->srtt / 8 + udt_ack_delay (conn);

  return conn->loss_meter.warrants && conn->connected && is_live (flow)
         && flow->interval > 0 && repeat > flow->interval;
}

static uint64_t
square_root (uint64_t n)
{
  uint64_t root = 0, bit = UINT64_C (1) << 31;

  for (; bit > 0; bit >>= 1) {
    if ((root | bit) * (root | bit) <= n)
      root |= bit;
  }
  return root;
}

/* For a block of `k`: the loss expected of it, plus two deviations. */
static unsigned
repairs_for (const UdtConnection *conn, unsigned k)
{
  const UdtLossMeter *m = &conn->loss_meter;
  uint64_t packets = m->packets > 0 ? m->packets : 1;
  uint64_t bursts = m->bursts > 0 ? m->bursts : 1;
  uint64_t mean = (uint64_t)(k + k / 6 + 1) * m->lost * 1000 / packets;
  uint64_t variance = mean * m->lost / bursts;
  uint64_t wanted = (mean + 2 * square_root (variance * 1000) + 500) / 1000;

  if (wanted < 1)
    wanted = 1;
  return wanted < UDT_FEC_MAX_REPAIRS ? (unsigned)wanted : UDT_FEC_MAX_REPAIRS;
}

/* --- A protected message --- */

static UdtBlock *
block_at (UdtProtected *p, uint32_t offset)
{
  return &p->block[offset / p->symbol % p->blocks];
}

static bool
choose_symbol (const UdtConnection *conn, const UdtFlowOut *flow,
               const UdtOut *out, UdtProtected *p)
{
  uint32_t most
      = conn->mtu - UDT_HEADER_SIZE - UDT_TAG_SIZE - HEADER_ROOM - CONTROL_ROOM;
  uint32_t symbols = udt_symbols (out->size, most);

  if (symbols < FEW_SYMBOLS && out->size >= FEW_SYMBOLS * SHORT_SYMBOL
      && flow->config.service == UDT_CLASS_VIDEO)
    symbols = FEW_SYMBOLS;
  if (udt_blocks (symbols) > UDT_FEC_MAX_BLOCKS)
    return false;
  p->symbol = (uint16_t)((out->size + symbols - 1) / symbols);
  p->symbols = (uint16_t)udt_symbols (out->size, p->symbol);
  p->blocks = (uint16_t)udt_blocks (p->symbols);
  return true;
}

void
udt_protect (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out)
{
  UdtProtected *p;
  unsigned i;

  if (!is_wanted (conn, flow) || out->size == 0)
    return;
  p = udt_pool_take (&conn->protected_pool);
  if (p == NULL)
    return;
  memset (p, 0, sizeof *p);
  if (!choose_symbol (conn, flow, out, p)) {
    udt_pool_give (&conn->protected_pool, p);
    return;
  }
  p->out = out;
  p->slot = flow->slot;
  p->repairs
      = (uint16_t)(p->symbols == 1
                       ? 1
                       : p->blocks
                             * repairs_for (conn, (p->symbols + p->blocks - 1u)
                                                      / p->blocks));
  for (i = 0; i < p->symbols; i++)
    p->block[i % p->blocks].pending++;
  for (i = 0; i < p->repairs; i++)
    p->block[i % p->blocks].open++;
  out->protection = p;
}

uint32_t
udt_protect_cut (const UdtOut *out, uint32_t offset, uint32_t len)
{
  uint32_t most;

  if (out->protection == NULL)
    return len;
  most = out->protection->symbol - offset % out->protection->symbol;
  return len < most ? len : most;
}

void
udt_protect_piece_added (UdtOut *out, uint32_t offset)
{
  if (out->protection != NULL)
    block_at (out->protection, offset)->pending++;
}

static unsigned
queue_of (const UdtConnection *conn, const UdtProtected *p)
{
  return conn->flows_out[p->slot].config.service == UDT_CLASS_AUDIO ? 0 : 1;
}

static size_t
repair_size (const UdtProtected *p)
{
  return p->symbol + UDT_HEADER_SIZE + UDT_TAG_SIZE + HEADER_ROOM;
}

static void
unqueue_from (UdtRepairQueue *queue, UdtProtected *p)
{
  UdtProtected *before = NULL, *at = queue->head;

  while (at != NULL && at != p) {
    before = at;
    at = at->next;
  }
  if (at == NULL)
    return;
  if (before != NULL)
    before->next = p->next;
  else
    queue->head = p->next;
  if (queue->tail == p)
    queue->tail = before;
}

/* Short queues: what is in them leaves within milliseconds. */
static void
unqueue (UdtConnection *conn, UdtProtected *p)
{
  if (!p->queued)
    return;
  /* Its flow may have changed its class since. */
  unqueue_from (&conn->repair_queue[0], p);
  unqueue_from (&conn->repair_queue[1], p);
  conn->repair_bytes_due -= (p->repairs - p->sent) * repair_size (p);
  p->queued = false;
}

void
udt_protect_end (UdtConnection *conn, UdtOut *out)
{
  UdtProtected *p = out->protection;

  if (p == NULL)
    return;
  if (p->queued)
    conn->repair_budget += (int64_t)((p->repairs - p->sent) * repair_size (p));
  unqueue (conn, p);
  while (p->parked != NULL) {
    UdtItem *item = p->parked;

    udt_protect_unpark (item);
    udt_item_give (conn, item);
  }
  out->protection = NULL;
  udt_pool_give (&conn->protected_pool, p);
}

/* --- Pieces --- */

void
udt_protect_unpark (UdtItem *item)
{
  UdtProtected *p = item->out->protection;

  if (item->prev != NULL)
    item->prev->next = item->next;
  else
    p->parked = item->next;
  if (item->next != NULL)
    item->next->prev = item->prev;
  item->next = item->prev = NULL;
  item->parked = false;
  block_at (p, item->offset)->parked--;
}

static bool
is_recovered (const UdtBlock *block)
{
  return block->pending <= block->arrived;
}

/* The peer has the whole block: what was lost of it has arrived after all. */
static void
block_recovered (UdtConnection *conn, UdtProtected *p, UdtBlock *block)
{
  UdtItem *item = p->parked, *next;
  UdtOut *out = p->out;

  for (; item != NULL && block->parked > 0; item = next) {
    next = item->next;
    if (block_at (p, item->offset) != block)
      continue;
    udt_protect_unpark (item);
    block->pending--;
    out->pieces--;
    udt_item_give (conn, item);
  }
}

/* The peer has all of it, whatever of it is still in flight or to be repeated.
 * Ends the message. */
static bool
end_recovered (UdtConnection *conn, UdtProtected *p)
{
  UdtFlowOut *flow = &conn->flows_out[p->slot];
  UdtOut *out = p->out;
  unsigned i;

  if (udt_out_has_unsent (out))
    return false;
  for (i = 0; i < p->blocks; i++) {
    if (!is_recovered (&p->block[i]))
      return false;
  }
  udt_forget_pieces (conn, flow, out);
  udt_out_check_done (conn, flow, out);
  return true;
}

static void
block_failed (UdtConnection *conn, UdtProtected *p, UdtBlock *block)
{
  UdtFlowOut *flow = &conn->flows_out[p->slot];
  UdtItem *item = p->parked, *next;

  block->failed = true;
  for (; item != NULL; item = next) {
    next = item->next;
    if (block_at (p, item->offset) != block)
      continue;
    udt_protect_unpark (item);
    udt_lost_insert (conn, flow, item);
  }
}

/* May end the message and with it `p`. */
static void
check_block (UdtConnection *conn, UdtProtected *p, UdtBlock *block)
{
  if (is_recovered (block)) {
    if (!end_recovered (conn, p))
      block_recovered (conn, p, block);
  } else if (block->parked > block->arrived + block->open) {
    block_failed (conn, p, block);
  }
}

void
udt_protect_piece_arrived (UdtConnection *conn, UdtItem *item)
{
  UdtProtected *p = item->out->protection;
  UdtBlock *block;

  if (p == NULL)
    return;
  block = block_at (p, item->offset);
  block->pending--;
  check_block (conn, p, block);
}

bool
udt_protect_piece_lost (UdtConnection *conn, UdtItem *item)
{
  UdtProtected *p = item->out->protection;
  UdtBlock *block;

  if (p == NULL)
    return false;
  block = block_at (p, item->offset);
  if (!is_recovered (block)
      && (block->failed || conn->expiries >= EXPIRIES_PATIENT))
    return false;
  item->prev = NULL;
  item->next = p->parked;
  if (p->parked != NULL)
    p->parked->prev = item;
  p->parked = item;
  item->parked = true;
  block->parked++;
  check_block (conn, p, block);
  return true;
}

void
udt_repair_resolved (UdtConnection *conn, UdtItem *item, bool arrived)
{
  UdtProtected *p = item->out->protection;
  UdtBlock *block;

  if (p == NULL)
    return;
  block = &p->block[item->offset % p->blocks];
  block->open--;
  block->arrived += arrived;
  check_block (conn, p, block);
}

void
udt_protect_give_up (UdtConnection *conn)
{
  uint32_t i, j;

  if (conn->expiries < EXPIRIES_PATIENT)
    return;
  for (i = 0; i < conn->flows_out_size; i++) {
    UdtFlowOut *flow = &conn->flows_out[i];
    UdtOut *out;

    if (!flow->used)
      continue;
    for (out = flow->head; out != NULL; out = out->next) {
      UdtProtected *p = out->protection;

      for (j = 0; p != NULL && j < p->blocks; j++)
        block_failed (conn, p, &p->block[j]);
    }
  }
}

/* --- Repairs --- */

/* Forgets those from `repairs` on, the last first. May end the message. */
static void
plan_fewer (UdtConnection *conn, UdtProtected *p, unsigned repairs)
{
  UdtOut *out = p->out;
  uint32_t generation = out->generation;

  while (p->repairs > repairs) {
    UdtBlock *block = &p->block[--p->repairs % p->blocks];

    block->open--;
    check_block (conn, p, block);
    if (out->generation != generation)
      return;
  }
}

void
udt_protect_sent (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out)
{
  UdtProtected *p = out->protection;
  UdtRepairQueue *queue;
  size_t affordable;

  if (p == NULL || p->queued || p->sent > 0)
    return;
  affordable = conn->repair_budget > 0
                   ? (size_t)conn->repair_budget / repair_size (p)
                   : 0;
  if (affordable < p->repairs) {
    plan_fewer (conn, p, (unsigned)affordable);
    if (out->protection == NULL || p->repairs == 0)
      return;
  }
  conn->repair_budget -= (int64_t)(p->repairs * repair_size (p));
  conn->repair_bytes_due += p->repairs * repair_size (p);
  p->due = conn->now;
  /* Next to each other both would be lost. */
  if (p->symbols == 1)
    p->due += flow->interval / 2 < COPY_DELAY ? flow->interval / 2 : COPY_DELAY;
  queue = &conn->repair_queue[queue_of (conn, p)];
  p->queued = true;
  p->next = NULL;
  if (queue->tail != NULL)
    queue->tail->next = p;
  else
    queue->head = p;
  queue->tail = p;
}

UdtProtected *
udt_repair_due (const UdtConnection *conn, unsigned queue)
{
  UdtProtected *p = conn->repair_queue[queue].head;

  return p != NULL && p->due <= conn->now ? p : NULL;
}

UdtTime
udt_repair_time (const UdtConnection *conn)
{
  const UdtProtected *audio = conn->repair_queue[0].head;
  const UdtProtected *video = conn->repair_queue[1].head;
  UdtTime time = audio != NULL ? audio->due : UDT_NEVER;

  return video != NULL && video->due < time ? video->due : time;
}

uint32_t
udt_repair_make (const UdtProtected *p, uint8_t *to)
{
  uint32_t index = p->sent, row = index / p->blocks, column = 0;
  uint32_t symbol = index % p->blocks;

  memset (to, 0, p->symbol);
  for (; symbol < p->symbols; symbol += p->blocks, column++) {
    uint32_t offset = symbol * p->symbol, end = offset + p->symbol;
    uint8_t factor = udt_fec_coefficient (row, column), *at = to;

    if (end > p->out->size)
      end = p->out->size;
    if (offset < p->out->header_len) {
      uint32_t stop = end < p->out->header_len ? end : p->out->header_len;

      udt_fec_add (at, p->out->header + offset, stop - offset, factor);
      at += stop - offset;
      offset = stop;
    }
    if (offset < end)
      udt_fec_add (at, p->out->payload + (offset - p->out->header_len),
                   end - offset, factor);
  }
  return index;
}

void
udt_repair_sent (UdtConnection *conn, UdtProtected *p, size_t bytes)
{
  conn->repair_bytes_due -= repair_size (p);
  conn->stats.repairs_sent++;
  conn->stats.repair_bytes_sent += bytes;
  p->sent++;
  if (p->sent == p->repairs)
    unqueue (conn, p);
}

/* What they were to make up for is lost, then. */
void
udt_repair_cancel (UdtConnection *conn, UdtProtected *p)
{
  conn->repair_budget += (int64_t)((p->repairs - p->sent) * repair_size (p));
  unqueue (conn, p);
  plan_fewer (conn, p, p->sent);
}

/* Of one flow they are in order of deadline, and few flows have any. */
void
udt_repair_drop_late (UdtConnection *conn, UdtTime arrival)
{
  unsigned i;

  for (i = 0; i < 2; i++) {
    UdtProtected *p;

    while ((p = conn->repair_queue[i].head) != NULL
           && p->out->deadline < arrival)
      udt_repair_cancel (conn, p);
  }
}

UdtTime
udt_repair_deadline (const UdtConnection *conn)
{
  UdtTime first = UDT_NEVER;
  unsigned i;

  for (i = 0; i < 2; i++) {
    const UdtProtected *p = conn->repair_queue[i].head;

    if (p != NULL && p->out->deadline < first)
      first = p->out->deadline;
  }
  return first;
}
