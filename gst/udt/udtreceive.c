/* Reassembly and delivery.
 *
 * A message gets its block when its first piece arrives and keeps a list of
 * the byte ranges still missing. Settled ids (complete or given up) are bits
 * above a floor, so that each message is delivered once however often its
 * pieces come. A strict flow hands out when the floor passes; the others at
 * once. Nothing here can fail once udt_data_has_room() has made room.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtprivate.h"

static uint64_t
bit (const UdtFlowIn *flow)
{
  return UINT64_C (1) << flow->slot;
}

/* --- Epochs: which openings of flows are over --- */

static bool
epoch_is_over (const UdtConnection *conn, uint64_t epoch)
{
  if (epoch >= conn->epochs_next)
    return false;
  if (conn->epochs_next - epoch > UDT_EPOCH_WINDOW)
    return true;
  return conn->epochs_closed[(epoch / 64) % (UDT_EPOCH_WINDOW / 64)]
             >> (epoch % 64)
         & 1;
}

static void
epoch_seen (UdtConnection *conn, uint64_t epoch)
{
  uint64_t e = conn->epochs_next;

  if (epoch < e)
    return;
  if (epoch - e >= UDT_EPOCH_WINDOW)
    e = epoch - UDT_EPOCH_WINDOW + 1;
  for (; e <= epoch; e++)
    conn->epochs_closed[(e / 64) % (UDT_EPOCH_WINDOW / 64)]
        &= ~(UINT64_C (1) << (e % 64));
  conn->epochs_next = epoch + 1;
}

static void
epoch_over (UdtConnection *conn, uint64_t epoch)
{
  epoch_seen (conn, epoch);
  if (conn->epochs_next - epoch <= UDT_EPOCH_WINDOW)
    conn->epochs_closed[(epoch / 64) % (UDT_EPOCH_WINDOW / 64)]
        |= UINT64_C (1) << (epoch % 64);
}

/* --- Messages --- */

static UdtIn **
bucket_of (UdtConnection *conn, uint8_t slot, uint64_t id)
{
  return &conn->buckets[(id + (uint64_t)slot * 37) % UDT_IN_BUCKETS];
}

UdtIn *
udt_in_find (UdtConnection *conn, const UdtFlowIn *flow, uint64_t id)
{
  UdtIn *in = *bucket_of (conn, flow->slot, id);

  while (in != NULL && (in->id != id || in->slot != flow->slot))
    in = in->bucket_next;
  return in;
}

static void
unlink_in (UdtConnection *conn, UdtFlowIn *flow, UdtIn *in)
{
  UdtIn **at = bucket_of (conn, in->slot, in->id);

  while (*at != in)
    at = &(*at)->bucket_next;
  *at = in->bucket_next;
  if (in->flow_prev != NULL)
    in->flow_prev->flow_next = in->flow_next;
  else
    flow->messages = in->flow_next;
  if (in->flow_next != NULL)
    in->flow_next->flow_prev = in->flow_prev;
}

static void
free_holes (UdtConnection *conn, UdtIn *in)
{
  while (in->holes != NULL) {
    UdtHole *hole = in->holes;

    in->holes = hole->next;
    udt_pool_give (&conn->hole_pool, hole);
  }
  in->last_hole = NULL;
}

static void
account (UdtConnection *conn, UdtFlowIn *flow, const UdtIn *in)
{
  conn->in_bytes -= in->size;
  flow->bytes -= in->size;
}

/* Gives back a message that is not ready. */
static void
discard_in (UdtConnection *conn, UdtFlowIn *flow, UdtIn *in)
{
  unlink_in (conn, flow, in);
  free_holes (conn, in);
  udt_repairs_free (conn, in);
  account (conn, flow, in);
  conn->env.free (conn->env.user, in->data);
  udt_pool_give (&conn->in_pool, in);
}

/* --- Flows --- */

UdtFlowIn *
udt_flow_in_find (UdtConnection *conn, uint64_t epoch)
{
  uint64_t mask = conn->in_used;

  for (; mask != 0; mask &= mask - 1) {
    UdtFlowIn *flow = &conn->flows_in[__builtin_ctzll (mask)];

    if (flow->epoch == epoch && !flow->reset)
      return flow;
  }
  return NULL;
}

static void
free_flow (UdtConnection *conn, UdtFlowIn *flow)
{
  epoch_over (conn, flow->epoch);
  conn->in_used &= ~bit (flow);
  conn->in_ready &= ~bit (flow);
  conn->in_held &= ~bit (flow);
  conn->in_window_due &= ~bit (flow);
  udt_pool_give (&conn->settled_pool, flow->settled);
  flow->settled = NULL;
  flow->used = false;
}

static void
reset_flow (UdtConnection *conn, UdtFlowIn *flow)
{
  while (flow->messages != NULL)
    discard_in (conn, flow, flow->messages);
  flow->reset = true;
  flow->window_due = false;
  conn->in_window_due &= ~bit (flow);
  epoch_over (conn, flow->epoch);
  udt_event_push (conn, UDT_EVENT_FLOW_RESET, flow->flow, 0, false, 0);
  if (flow->ready_head == NULL)
    free_flow (conn, flow);
}

static bool
is_held (const UdtConnection *conn, uint16_t flow)
{
  uint32_t i;

  for (i = 0; i < conn->n_held; i++) {
    if (conn->held[i] == flow)
      return true;
  }
  return false;
}

/* Another opening of the same flow: the newer one ends the older. True: this
 * one is the older. */
static bool
superseded (UdtConnection *conn, uint16_t flow, uint64_t epoch)
{
  uint64_t mask = conn->in_used;

  for (; mask != 0; mask &= mask - 1) {
    UdtFlowIn *other = &conn->flows_in[__builtin_ctzll (mask)];

    if (other->reset || other->flow != flow)
      continue;
    if (other->epoch > epoch)
      return true;
    reset_flow (conn, other);
  }
  return false;
}

/* Flows move. The room for their events comes with them. */
static bool
grow_flows (UdtConnection *conn)
{
  return udt_array_grow (&conn->env, &conn->flows_in, &conn->flows_in_size,
                         sizeof *conn->flows_in, UDT_FIRST_FLOWS, UDT_MAX_FLOWS)
         && udt_events_have_room (conn);
}

/* The flow of a frame. *refused: there is no room for a new one. NULL without:
 * it is over, ignore the frame. */
static UdtFlowIn *
flow_for (UdtConnection *conn, uint16_t id, uint64_t epoch, bool strict,
          bool *refused)
{
  UdtFlowIn *flow = udt_flow_in_find (conn, epoch);
  uint32_t slot;

  *refused = false;
  if (flow != NULL || epoch_is_over (conn, epoch))
    return flow;
  if (~conn->in_used == 0 || !udt_events_have_room (conn)) {
    *refused = true;
    return NULL;
  }
  if (superseded (conn, id, epoch)) {
    epoch_over (conn, epoch);
    return NULL;
  }
  slot = (uint32_t)__builtin_ctzll (~conn->in_used);
  if (!udt_pool_reserve (&conn->settled_pool, 1)
      || (slot >= conn->flows_in_size && !grow_flows (conn))) {
    *refused = true;
    return NULL;
  }
  flow = &conn->flows_in[slot];
  memset (flow, 0, sizeof *flow);
  flow->settled = udt_pool_take (&conn->settled_pool);
  memset (flow->settled, 0, UDT_SETTLED_SIZE);
  flow->used = true;
  flow->slot = (uint8_t)slot;
  flow->flow = id;
  flow->epoch = epoch;
  flow->strict = strict;
  flow->held = is_held (conn, id);
  flow->announced = conn->own.flow_window;
  flow->expiry = UDT_NEVER;
  conn->in_used |= bit (flow);
  if (flow->held)
    conn->in_held |= bit (flow);
  epoch_seen (conn, epoch);
  udt_event_push (conn, UDT_EVENT_FLOW_OPENED, id, 0, false, 0);
  return flow;
}

/* --- Settled ids --- */

bool
udt_in_is_settled (const UdtFlowIn *flow, uint64_t id)
{
  return id < flow->floor
         || (flow->settled[(id / 64) % (UDT_ID_WINDOW / 64)] >> (id % 64) & 1);
}

static void
settle (UdtFlowIn *flow, uint64_t id)
{
  flow->settled[(id / 64) % (UDT_ID_WINDOW / 64)] |= UINT64_C (1) << (id % 64);
}

static void
make_ready (UdtConnection *conn, UdtFlowIn *flow, UdtIn *in)
{
  unlink_in (conn, flow, in);
  in->gap = flow->gap && in->id >= flow->gap_id;
  if (in->gap)
    flow->gap = false;
  in->ready_next = NULL;
  in->order = conn->ready_order++;
  if (flow->ready_tail != NULL)
    flow->ready_tail->ready_next = in;
  else
    flow->ready_head = in;
  flow->ready_tail = in;
  flow->settled_bytes += in->size;
  conn->in_ready |= bit (flow);
}

static void
advance_floor (UdtConnection *conn, UdtFlowIn *flow)
{
  while (flow->settled[(flow->floor / 64) % (UDT_ID_WINDOW / 64)]
             >> (flow->floor % 64)
         & 1) {
    flow->settled[(flow->floor / 64) % (UDT_ID_WINDOW / 64)]
        &= ~(UINT64_C (1) << (flow->floor % 64));
    if (flow->strict) {
      UdtIn *in = udt_in_find (conn, flow, flow->floor);

      if (in != NULL) {
        make_ready (conn, flow, in);
      } else {
        flow->gap = true;
        flow->gap_id = flow->floor;
      }
    }
    flow->floor++;
  }
  if (flow->messages == NULL)
    flow->expiry = UDT_NEVER;
}

/* --- DATA --- */

static bool
room_for (const UdtConnection *conn, const UdtFlowIn *flow, uint32_t size)
{
  if (conn->in_bytes + size > conn->config.receive_limit)
    return false;
  return flow->bytes + size <= udt_flow_share (conn, flow);
}

/* The crossing itself is not known, so it comes on top. */
static UdtTime
expiry_of (const UdtIn *in, uint32_t deadline)
{
  UdtTime time = (UdtTime)deadline * MS;

  if (deadline == 0)
    return UDT_NEVER;
  return in->first_arrival + (time > in->age ? time - in->age : 0);
}

static UdtIn *
make_in (UdtConnection *conn, UdtFlowIn *flow, const UdtDataFrame *frame)
{
  const UdtEnv *env = &conn->env;
  size_t size = frame->total > 0 ? frame->total : 1;
  UdtIn *in, **bucket;
  UdtHole *hole;
  void *block;

  in = udt_pool_take (&conn->in_pool);
  if (in == NULL)
    return NULL;
  hole = udt_pool_take (&conn->hole_pool);
  block = hole == NULL ? NULL
          : env->message_alloc != NULL
              ? env->message_alloc (env->user, flow->flow, size)
              : env->alloc (env->user, size);
  if (block == NULL) {
    if (hole != NULL)
      udt_pool_give (&conn->hole_pool, hole);
    udt_pool_give (&conn->in_pool, in);
    return NULL;
  }
  memset (in, 0, sizeof *in);
  in->id = frame->id;
  in->slot = flow->slot;
  in->size = frame->total;
  in->flags = frame->flags
              & (UDT_MESSAGE_SYNC | UDT_MESSAGE_DELTA | UDT_MESSAGE_DISPOSABLE);
  in->data = block;
  hole->next = hole->prev = NULL;
  hole->start = 0;
  hole->end = frame->total;
  in->holes = in->last_hole = hole;
  bucket = bucket_of (conn, flow->slot, frame->id);
  in->bucket_next = *bucket;
  *bucket = in;
  in->flow_next = flow->messages;
  if (flow->messages != NULL)
    flow->messages->flow_prev = in;
  flow->messages = in;
  conn->in_bytes += in->size;
  flow->bytes += in->size;
  in->first_arrival = conn->now;
  /* Nobody waits for longer; what is told beyond this is no time. */
  in->age = frame->age < UDT_MAX_LATENCY ? frame->age : UDT_MAX_LATENCY;
  in->expiry = expiry_of (in, frame->deadline);
  if (flow->strict && in->expiry < flow->expiry)
    flow->expiry = in->expiry;
  return in;
}

bool
udt_data_has_room (UdtConnection *conn, const UdtDataFrame *frame,
                   uint32_t frames, bool recovers)
{
  bool refused;
  UdtIn *in;
  UdtFlowIn *flow = flow_for (conn, frame->flow, frame->epoch,
                              frame->flags & UDT_DATA_STRICT, &refused);

  if (flow == NULL)
    return !refused;
  if (udt_in_is_settled (flow, frame->id))
    return true;
  if (frame->id - flow->floor >= UDT_ID_WINDOW)
    return false;
  /* One piece can split a hole in two; a new message has one at once. */
  in = udt_in_find (conn, flow, frame->id);
  if (in != NULL && in->repairs != NULL)
    recovers = true;
  if (!udt_pool_reserve (&conn->hole_pool,
                         frames + 1 + (recovers ? UDT_RECOVERY_HOLES : 0)))
    return false;
  if (in != NULL)
    return true;
  if (!room_for (conn, flow, frame->total)) {
    udt_window_update (conn, flow, true);
    conn->window_tight = true;
    return false;
  }
  return make_in (conn, flow, frame) != NULL;
}

uint32_t
udt_in_fill (UdtConnection *conn, UdtIn *in, uint32_t start, uint32_t end,
             const uint8_t *data)
{
  UdtHole *hole = in->holes, *next;
  uint32_t filled = 0;

  /* New data: only the last hole, the rest of the message, can matter. */
  if (in->last_hole != NULL && start >= in->last_hole->start)
    hole = in->last_hole;
  for (; hole != NULL && hole->start < end; hole = next) {
    uint32_t a = start > hole->start ? start : hole->start;
    uint32_t b = end < hole->end ? end : hole->end;

    next = hole->next;
    if (a >= b)
      continue;
    memcpy (in->data + a, data + (a - start), b - a);
    filled += b - a;
    if (a > hole->start && b < hole->end) {
      UdtHole *upper = udt_pool_take (&conn->hole_pool);

      upper->start = b;
      upper->end = hole->end;
      upper->next = next;
      upper->prev = hole;
      if (next != NULL)
        next->prev = upper;
      hole->end = a;
      hole->next = upper;
      if (in->last_hole == hole)
        in->last_hole = upper;
      break;
    }
    if (a > hole->start) {
      hole->end = a;
    } else if (b < hole->end) {
      hole->start = b;
      break;
    } else {
      if (hole->prev != NULL)
        hole->prev->next = next;
      else
        in->holes = next;
      if (next != NULL)
        next->prev = hole->prev;
      else
        in->last_hole = hole->prev;
      udt_pool_give (&conn->hole_pool, hole);
    }
  }
  return filled;
}

void
udt_in_complete (UdtConnection *conn, UdtFlowIn *flow, UdtIn *in, UdtTime now)
{
  free_holes (conn, in);
  udt_repairs_free (conn, in);
  in->complete = true;
  in->completed = now;
  conn->stats.messages_received++;
  settle (flow, in->id);
  if (!flow->strict)
    make_ready (conn, flow, in);
  advance_floor (conn, flow);
}

void
udt_data_received (UdtConnection *conn, const UdtDataFrame *frame, UdtTime now)
{
  UdtFlowIn *flow = udt_flow_in_find (conn, frame->epoch);
  UdtIn *in;
  uint32_t filled;

  if (!(frame->flags & UDT_DATA_LIVE))
    conn->bulk_arrival = now;
  if (flow == NULL || udt_in_is_settled (flow, frame->id))
    return;
  in = udt_in_find (conn, flow, frame->id);
  if (in == NULL || in->complete || in->size != frame->total)
    return;
  if (in->last_hole != NULL && frame->offset < in->last_hole->start)
    conn->stats.packets_repaired++;
  filled = udt_in_fill (conn, in, frame->offset, frame->offset + frame->len,
                        frame->data);
  conn->stats.payload_bytes_received += filled;
  udt_recover (conn, in);
  if (in->holes == NULL || in->size == 0)
    udt_in_complete (conn, flow, in, now);
}

/* --- DROP, FLOW_RESET --- */

bool
udt_drop_has_room (UdtConnection *conn, const UdtDropFrame *frame)
{
  bool refused;
  UdtFlowIn *flow = flow_for (conn, frame->flow, frame->epoch,
                              frame->flags & UDT_DATA_STRICT, &refused);

  if (flow == NULL)
    return !refused;
  return frame->end <= flow->floor || frame->end - flow->floor <= UDT_ID_WINDOW;
}

/* Room may have come back: flows whose windows were cut learn of it. In full,
 * where all of it is back: a message may need the whole window, and what has not
 * begun to come frees no more. */
static void
relax_windows (UdtConnection *conn)
{
  uint64_t mask = conn->window_tight ? conn->in_used : 0;
  bool tight = false;

  for (; mask != 0; mask &= mask - 1) {
    UdtFlowIn *flow = &conn->flows_in[__builtin_ctzll (mask)];
    size_t share = udt_flow_share (conn, flow);
    bool cut = flow->announced < share;

    udt_window_update (conn, flow,
                       cut && udt_flow_window (conn, flow) == share);
    tight = tight || cut || flow->window_due;
  }
  conn->window_tight = tight;
}

uint32_t
udt_in_give_up (UdtConnection *conn, UdtFlowIn *flow, uint64_t first,
                uint64_t end)
{
  uint64_t id = first > flow->floor ? first : flow->floor;
  uint32_t count = 0;

  for (; id < end; id++) {
    UdtIn *in;

    if (udt_in_is_settled (flow, id))
      continue;
    in = udt_in_find (conn, flow, id);
    if (in != NULL)
      discard_in (conn, flow, in);
    settle (flow, id);
    if (!flow->strict && !flow->gap) {
      flow->gap = true;
      flow->gap_id = id;
    }
    count++;
  }
  if (count == 0)
    return 0;
  conn->stats.messages_missed += count;
  udt_event_push (conn, UDT_EVENT_GAP, flow->flow, count, false, 0);
  advance_floor (conn, flow);
  udt_window_update (conn, flow, true);
  relax_windows (conn);
  return count;
}

void
udt_drop_received (UdtConnection *conn, const UdtDropFrame *frame, UdtTime now)
{
  UdtFlowIn *flow = udt_flow_in_find (conn, frame->epoch);

  if (flow != NULL)
    udt_in_give_up (conn, flow, frame->first, frame->end);
}

void
udt_reset_received (UdtConnection *conn, const UdtFlowResetFrame *frame)
{
  UdtFlowIn *flow = udt_flow_in_find (conn, frame->epoch);

  if (flow != NULL)
    reset_flow (conn, flow);
  else
    epoch_over (conn, frame->epoch);
  relax_windows (conn);
}

/* --- Delivery --- */

static UdtFlowIn *
next_ready (UdtConnection *conn)
{
  uint64_t mask = conn->in_ready & ~conn->in_held;
  UdtFlowIn *found = NULL;

  for (; mask != 0; mask &= mask - 1) {
    UdtFlowIn *flow = &conn->flows_in[__builtin_ctzll (mask)];

    if (found == NULL || flow->ready_head->order < found->ready_head->order)
      found = flow;
  }
  return found;
}

UdtStatus
udt_connection_receive (UdtConnection *conn, UdtReceived *message, UdtTime now)
{
  UdtFlowIn *flow = next_ready (conn);
  UdtIn *in;

  if (flow == NULL)
    return UDT_ERR_EMPTY;
  udt_advance (conn, now);
  in = flow->ready_head;
  flow->ready_head = in->ready_next;
  if (flow->ready_head == NULL) {
    flow->ready_tail = NULL;
    conn->in_ready &= ~bit (flow);
  }
  message->flow = flow->flow;
  message->data = in->data;
  message->size = in->size;
  message->first_arrival = in->first_arrival;
  message->age = in->age;
  message->completed = in->completed;
  message->id = in->id;
  message->gap = in->gap;
  message->flags = in->flags;
  account (conn, flow, in);
  flow->settled_bytes -= in->size;
  flow->moved += in->size;
  udt_pool_give (&conn->in_pool, in);
  udt_window_update (conn, flow, false);
  if (flow->reset && flow->ready_head == NULL)
    free_flow (conn, flow);
  relax_windows (conn);
  return UDT_OK;
}

void
udt_connection_hold_flow (UdtConnection *conn, uint16_t flow, bool hold)
{
  uint64_t mask = conn->in_used;
  uint32_t i;

  for (i = 0; i < conn->n_held && conn->held[i] != flow; i++) {
  }
  if (hold == (i < conn->n_held))
    return;
  if (hold && conn->n_held == UDT_MAX_HELD)
    return;
  if (hold)
    conn->held[conn->n_held++] = flow;
  else
    conn->held[i] = conn->held[--conn->n_held];
  for (; mask != 0; mask &= mask - 1) {
    UdtFlowIn *f = &conn->flows_in[__builtin_ctzll (mask)];

    if (f->flow != flow)
      continue;
    f->held = hold;
    if (hold)
      conn->in_held |= bit (f);
    else
      conn->in_held &= ~bit (f);
    udt_window_update (conn, f, true);
  }
}

void
udt_in_free_all (UdtConnection *conn)
{
  uint64_t mask = conn->in_used;

  for (; mask != 0; mask &= mask - 1) {
    UdtFlowIn *flow = &conn->flows_in[__builtin_ctzll (mask)];

    while (flow->messages != NULL)
      discard_in (conn, flow, flow->messages);
    while (flow->ready_head != NULL) {
      UdtIn *in = flow->ready_head;

      flow->ready_head = in->ready_next;
      conn->env.free (conn->env.user, in->data);
      udt_pool_give (&conn->in_pool, in);
    }
  }
}
