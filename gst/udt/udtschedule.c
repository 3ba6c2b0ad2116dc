/* Whose turn it is.
 *
 * Strict order of the classes: commands, audio, repeats of video by deadline,
 * its repair packets, new video, bulk. Within a class the lowest priority
 * number, then the flow that was served longest ago. Repeats of video get at
 * most half of what video sends while there is new video, so that a burst of
 * loss cannot stop the picture. A flow whose peer has no room is passed over.
 *
 * Cost: the flows that have something to send, at most UDT_MAX_FLOWS.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtprivate.h"

/* Repeats may be this far ahead of new video, in bytes. */
#define REPEAT_BURST 2400

static bool
within_window (const UdtFlowOut *flow, const UdtOut *out)
{
  uint64_t base = out->started ? out->base : flow->started;

  return base + out->size <= flow->limit && out->id < flow->id_limit;
}

static bool
can_repeat (const UdtFlowOut *flow)
{
  return flow->lost_head != NULL && within_window (flow, flow->lost_head->out);
}

static bool
can_send_new (const UdtFlowOut *flow)
{
  return flow->unsent != NULL && within_window (flow, flow->unsent);
}

static bool
goes_before (const UdtFlowOut *a, const UdtFlowOut *b)
{
  if (b == NULL)
    return true;
  if (a->config.priority != b->config.priority)
    return a->config.priority < b->config.priority;
  return a->served < b->served;
}

/* The best flow of `mask` with something that may go now. */
static UdtFlowOut *
best (UdtConnection *conn, uint64_t mask, bool new_only)
{
  UdtFlowOut *found = NULL;

  for (; mask != 0; mask &= mask - 1) {
    UdtFlowOut *flow = &conn->flows_out[__builtin_ctzll (mask)];

    if ((can_send_new (flow) || (!new_only && can_repeat (flow)))
        && goes_before (flow, found))
      found = flow;
  }
  return found;
}

static UdtFlowOut *
most_urgent_repeat (UdtConnection *conn, uint64_t mask)
{
  UdtFlowOut *found = NULL;

  for (; mask != 0; mask &= mask - 1) {
    UdtFlowOut *flow = &conn->flows_out[__builtin_ctzll (mask)];

    if (can_repeat (flow)
        && (found == NULL
            || flow->lost_head->out->deadline
                   < found->lost_head->out->deadline))
      found = flow;
  }
  return found;
}

static UdtFlowOut *
video_turn (UdtConnection *conn, uint64_t mask, UdtTurn *turn)
{
  UdtFlowOut *flow = most_urgent_repeat (conn, mask & conn->mask_lost);
  UdtFlowOut *fresh = best (conn, mask & conn->mask_unsent, true);
  UdtProtected *due = udt_repair_due (conn, 1);

  if (flow != NULL && (fresh == NULL || conn->repeat_debt < REPEAT_BURST)) {
    *turn = UDT_TURN_REPEAT;
    return flow;
  }
  if (due != NULL) {
    *turn = UDT_TURN_REPAIR;
    return &conn->flows_out[due->slot];
  }
  *turn = UDT_TURN_NEW;
  return fresh;
}

UdtFlowOut *
udt_schedule (UdtConnection *conn, UdtTurn *turn)
{
  uint64_t any = conn->mask_unsent | conn->mask_lost;
  UdtProtected *due;
  UdtFlowOut *flow;
  unsigned c;

  for (c = UDT_CLASS_COMMAND; c <= UDT_CLASS_BULK; c++) {
    uint64_t mask = any & conn->class_mask[c];

    if (c == UDT_CLASS_VIDEO) {
      flow = video_turn (conn, mask, turn);
      if (flow != NULL)
        return flow;
      continue;
    }
    flow = best (conn, mask, false);
    if (flow != NULL) {
      *turn = can_repeat (flow) ? UDT_TURN_REPEAT : UDT_TURN_NEW;
      return flow;
    }
    due = c == UDT_CLASS_AUDIO ? udt_repair_due (conn, 0) : NULL;
    if (due != NULL) {
      *turn = UDT_TURN_REPAIR;
      return &conn->flows_out[due->slot];
    }
  }
  return NULL;
}

void
udt_schedule_served (UdtConnection *conn, UdtFlowOut *flow, UdtTurn turn,
                     uint32_t bytes)
{
  flow->served = ++conn->turn;
  if (flow->config.service != UDT_CLASS_VIDEO || turn == UDT_TURN_REPAIR)
    return;
  if (turn == UDT_TURN_REPEAT)
    conn->repeat_debt += bytes;
  else
    conn->repeat_debt -= bytes;
  if (conn->repeat_debt < 0)
    conn->repeat_debt = 0;
  else if (conn->repeat_debt > 2 * REPEAT_BURST)
    conn->repeat_debt = 2 * REPEAT_BURST;
}

bool
udt_has_data_to_send (const UdtConnection *conn)
{
  uint64_t mask = conn->mask_unsent | conn->mask_lost;

  for (; mask != 0; mask &= mask - 1) {
    const UdtFlowOut *flow = &conn->flows_out[__builtin_ctzll (mask)];

    if (can_send_new (flow) || can_repeat (flow))
      return true;
  }
  return udt_repair_time (conn) <= conn->now;
}
