/* Giving messages up: deadlines, dependencies, and what is told to whom.
 *
 * A message that can no longer arrive in time is neither sent nor repeated. It
 * is dropped together with those that depend on it, up to the next sync point;
 * the payloads are released at once, and a record of the ids stays in the flow
 * until the peer has acknowledged a DROP for them. Neighbouring records merge,
 * so that a long outage costs one record a flow.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtprivate.h"

/* When a packet that leaves at `now` arrives, to compare with a deadline: the
 * way itself does not count. A receiver counts from when a message arrives that
 * nothing has held up, and cannot do otherwise with a clock of its own; what
 * counts is what comes on top, such as the queue. That was last measured some
 * time ago and has been draining ever since. */
UdtTime
udt_arrival_time (const UdtConnection *conn, UdtTime now)
{
  return now < conn->queue_empty_at ? conn->queue_empty_at : now;
}

UdtTime
udt_deadline_of (const UdtConnection *conn, const UdtFlowOut *flow,
                 UdtTime submitted)
{
  UdtTime deadline = flow->config.deadline;

  if (deadline == UDT_DEADLINE_NONE)
    return UDT_NEVER;
  if (deadline == UDT_DEADLINE_RECEIVER) {
    /* Not known yet: nothing is late before the peer has said what late is. */
    deadline = conn->connected && conn->peer.latency < UDT_MAX_RECEIVER_DEADLINE
                   ? conn->peer.latency
                   : UDT_MAX_RECEIVER_DEADLINE;
  }
  return submitted > UDT_NEVER - 1 - deadline ? UDT_NEVER
                                              : submitted + deadline;
}

void
udt_set_deadlines (UdtConnection *conn, UdtFlowOut *flow)
{
  UdtOut *out;

  for (out = flow->head; out != NULL; out = out->next)
    out->deadline = udt_deadline_of (conn, flow, out->submitted);
}

void
udt_forget_pieces (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out)
{
  UdtItem *item = flow->lost_head, *next;

  for (; item != NULL && item->out->id <= out->id; item = next) {
    next = item->next;
    if (item->out == out) {
      udt_lost_remove (conn, flow, item);
      udt_item_give (conn, item);
    }
  }
  udt_protect_end (conn, out);
  out->generation++;
  out->pieces = 0;
}

static void
mark_dropped (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out)
{
  out->state = OUT_DROPPED;
  flow->dropped_pending++;
  conn->mask_drop |= UINT64_C (1) << flow->slot;
  flow->messages_dropped++;
  conn->stats.messages_dropped++;
}

/* Joins `out` to the record before it if that one is not in flight. Returns the
 * record that holds its ids now. */
static UdtOut *
merge_back (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out)
{
  UdtOut *before = out->prev;

  if (before == NULL || before->state != OUT_DROPPED
      || before->id + before->count != out->id
      || before->count + out->count > UDT_MAX_DROP_COUNT)
    return out;
  before->count += out->count;
  udt_out_remove (conn, flow, out);
  return before;
}

static UdtOut *
drop_one (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out)
{
  UdtOut *next = out->next;

  udt_forget_pieces (conn, flow, out);
  udt_out_release (conn, flow, out);
  out->unsent_at = out->size;
  mark_dropped (conn, flow, out);
  merge_back (conn, flow, out);
  return next;
}

void
udt_drop (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out)
{
  bool breaks = !(out->flags & UDT_MESSAGE_DISPOSABLE);
  uint32_t count = 1;
  UdtOut *next = drop_one (conn, flow, out);

  if (breaks) {
    while (next != NULL
           && !(next->state == OUT_LIVE && (next->flags & UDT_MESSAGE_SYNC))) {
      if (next->state == OUT_LIVE && (next->flags & UDT_MESSAGE_DELTA)) {
        next = drop_one (conn, flow, next);
        count++;
      } else {
        next = next->next;
      }
    }
    if (next == NULL)
      flow->broken = true;
  }
  udt_out_skip_sent (conn, flow);
  udt_event_push (conn, UDT_EVENT_DROPPED, flow->flow, count,
                  breaks && flow->broken && flow->uses_sync, 0);
  udt_check_writable (conn);
}

void
udt_drop_refused (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out)
{
  mark_dropped (conn, flow, out);
  if (!(out->flags & UDT_MESSAGE_DISPOSABLE))
    flow->broken = true;
  merge_back (conn, flow, out);
}

/* First message of the flow that still has something to send. */
static UdtOut *
first_pending (const UdtFlowOut *flow)
{
  UdtOut *lost = flow->lost_head != NULL ? flow->lost_head->out : NULL;

  if (lost == NULL)
    return flow->unsent;
  if (flow->unsent == NULL || lost->id < flow->unsent->id)
    return lost;
  return flow->unsent;
}

UdtOut *
udt_first_live (const UdtFlowOut *flow)
{
  UdtOut *out = flow->head; /* not `buffered`: a message may be empty */

  while (out != NULL && out->state != OUT_LIVE)
    out = out->next;
  return out;
}

/* Nothing was heard for two expiries and for as long as it takes for more than
 * a few acknowledgements to be lost: what is in flight has not arrived. */
static UdtTime
silent_from (const UdtConnection *conn)
{
  return conn->expiries >= 2 ? conn->silent_since + UDT_SILENCE : UDT_NEVER;
}

bool
udt_connection_is_silent (const UdtConnection *conn, UdtTime now)
{
  return silent_from (conn) <= now;
}

static uint64_t
all_flows (const UdtConnection *conn)
{
  return conn->class_mask[0] | conn->class_mask[1] | conn->class_mask[2]
         | conn->class_mask[3];
}

void
udt_drop_late (UdtConnection *conn, UdtTime now)
{
  uint64_t mask = conn->mask_unsent | conn->mask_lost;
  UdtTime arrival = udt_arrival_time (conn, now);

  udt_repair_drop_late (conn, arrival);
  mask |= conn->mask_lost;
  for (; mask != 0; mask &= mask - 1) {
    UdtFlowOut *flow = &conn->flows_out[__builtin_ctzll (mask)];
    UdtOut *out;

    while ((out = first_pending (flow)) != NULL && out->deadline < arrival)
      udt_drop (conn, flow, out);
  }
  udt_drop_unheard (conn, now);
}

void
udt_drop_unheard (UdtConnection *conn, UdtTime now)
{
  uint64_t mask = silent_from (conn) <= now ? all_flows (conn) : 0;

  for (; mask != 0; mask &= mask - 1) {
    UdtFlowOut *flow = &conn->flows_out[__builtin_ctzll (mask)];
    UdtOut *out;

    while ((out = udt_first_live (flow)) != NULL && out->deadline < now)
      udt_drop (conn, flow, out);
  }
}

/* When the first message in flight has to be given up on a silent path. */
static UdtTime
unheard_time (const UdtConnection *conn)
{
  UdtTime silent = silent_from (conn), first = UDT_NEVER;
  uint64_t mask = silent != UDT_NEVER ? all_flows (conn) : 0;

  for (; mask != 0; mask &= mask - 1) {
    const UdtOut *out
        = udt_first_live (&conn->flows_out[__builtin_ctzll (mask)]);

    if (out != NULL && out->deadline < first)
      first = out->deadline;
  }
  if (first == UDT_NEVER)
    return UDT_NEVER;
  return first + 1 > silent ? first + 1 : silent;
}

UdtTime
udt_drop_time (const UdtConnection *conn)
{
  uint64_t mask = conn->mask_unsent | conn->mask_lost;
  UdtTime first = UDT_NEVER, unheard = unheard_time (conn);

  for (; mask != 0; mask &= mask - 1) {
    const UdtOut *out
        = first_pending (&conn->flows_out[__builtin_ctzll (mask)]);

    if (out != NULL && out->deadline < first)
      first = out->deadline;
  }
  if (udt_repair_deadline (conn) < first)
    first = udt_repair_deadline (conn);
  if (first == UDT_NEVER)
    return unheard;
  if (first < udt_arrival_time (conn, conn->now))
    return conn->now;
  return first + 1 < unheard ? first + 1 : unheard;
}

uint32_t
udt_connection_drop_pending (UdtConnection *conn, uint16_t flow, UdtTime now)
{
  UdtFlowOut *f = udt_find_flow_out (conn, flow);
  uint64_t before;
  UdtOut *out, *next;

  if (f == NULL || f->config.deadline == UDT_DEADLINE_NONE)
    return 0;
  udt_advance (conn, now);
  before = f->messages_dropped;
  for (out = f->head; out != NULL; out = next) {
    next = out->next;
    if (out->state == OUT_LIVE) {
      udt_drop (conn, f, out);
      /* The list has changed behind us; what is left of it is short. */
      next = f->head;
      while (next != NULL && next->state != OUT_LIVE)
        next = next->next;
    }
  }
  if (f->messages_dropped != before)
    f->broken = true;
  return (uint32_t)(f->messages_dropped - before);
}
