/* Flows and messages to send, from udt_connection_send() to their release.
 *
 * A flow keeps its messages in a list by id. A message leaves the list when
 * every piece of it is acknowledged, or, given up, when the peer has
 * acknowledged being told so. Payloads are released as soon as they can no
 * longer be needed.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtprivate.h"

/* This part of the send buffer is not for files. */
#define BULK_RESERVE 8
#define MAX_INTERVAL (1 * SECOND)

static uint64_t
bit (const UdtFlowOut *flow)
{
  return UINT64_C (1) << flow->slot;
}

UdtFlowOut *
udt_find_flow_out (UdtConnection *conn, uint16_t flow)
{
  uint32_t i;

  for (i = 0; i < conn->flows_out_size; i++) {
    UdtFlowOut *f = &conn->flows_out[i];

    if (f->used && !f->closing && f->flow == flow)
      return f;
  }
  return NULL;
}

/* --- Flows --- */

static bool
config_is_valid (const UdtFlowConfig *config)
{
  return config != NULL && (unsigned)config->service <= UDT_CLASS_BULK
         && (unsigned)config->order <= UDT_ORDER_STRICT;
}

static bool
takes_calls (const UdtConnection *conn)
{
  return conn->life == LIFE_OPEN;
}

/* Flows move. */
static bool
grow_flows (UdtConnection *conn)
{
  if (!udt_array_grow (&conn->env, &conn->flows_out, &conn->flows_out_size,
                       sizeof *conn->flows_out, UDT_FIRST_FLOWS, UDT_MAX_FLOWS))
    return false;
  /* Room for their events comes with them, if it can; the least there is has
   * been enough for a connection's own. */
  udt_events_have_room (conn);
  return true;
}

UdtStatus
udt_connection_open_flow (UdtConnection *conn, uint16_t flow,
                          const UdtFlowConfig *config, UdtTime now)
{
  UdtFlowOut *f;
  uint32_t i;

  if (!config_is_valid (config))
    return UDT_ERR_ARGUMENT;
  if (!takes_calls (conn))
    return UDT_ERR_CLOSED;
  if (udt_find_flow_out (conn, flow) != NULL)
    return UDT_ERR_ARGUMENT;
  for (i = 0; i < conn->flows_out_size && conn->flows_out[i].used; i++) {
  }
  if (i == UDT_MAX_FLOWS)
    return UDT_ERR_FULL;
  if (i == conn->flows_out_size && !grow_flows (conn))
    return UDT_ERR_NO_MEMORY;
  f = &conn->flows_out[i];
  udt_advance (conn, now);
  memset (f, 0, sizeof *f);
  f->used = true;
  f->slot = (uint8_t)i;
  f->flow = flow;
  f->config = *config;
  f->limit = conn->peer.flow_window;
  f->id_limit = conn->peer.id_window;
  conn->class_mask[config->service] |= bit (f);
  return UDT_OK;
}

UdtStatus
udt_connection_configure_flow (UdtConnection *conn, uint16_t flow,
                               const UdtFlowConfig *config, UdtTime now)
{
  UdtFlowOut *f;

  if (!config_is_valid (config))
    return UDT_ERR_ARGUMENT;
  f = udt_find_flow_out (conn, flow);
  if (f == NULL)
    return UDT_ERR_NO_FLOW;
  /* The order is agreed with the first packet. */
  if (config->order != f->config.order)
    return UDT_ERR_ARGUMENT;
  udt_advance (conn, now);
  conn->class_mask[f->config.service] &= ~bit (f);
  conn->class_mask[config->service] |= bit (f);
  f->config = *config;
  udt_set_deadlines (conn, f);
  return UDT_OK;
}

void
udt_flow_out_free_slot (UdtConnection *conn, UdtFlowOut *flow)
{
  conn->class_mask[flow->config.service] &= ~bit (flow);
  conn->mask_unsent &= ~bit (flow);
  conn->mask_lost &= ~bit (flow);
  conn->mask_drop &= ~bit (flow);
  conn->mask_reset &= ~bit (flow);
  flow->used = false;
}

void
udt_flow_out_clear (UdtConnection *conn, UdtFlowOut *flow)
{
  while (flow->lost_head != NULL) {
    UdtItem *item = flow->lost_head;

    udt_lost_remove (conn, flow, item);
    udt_item_give (conn, item);
  }
  while (flow->head != NULL) {
    UdtOut *out = flow->head;

    if (out->state == OUT_LIVE) {
      udt_out_release (conn, flow, out);
      flow->messages_dropped++;
      conn->stats.messages_dropped++;
    }
    udt_out_remove (conn, flow, out);
  }
  conn->mask_drop &= ~bit (flow);
}

UdtStatus
udt_connection_close_flow (UdtConnection *conn, uint16_t flow, UdtTime now)
{
  UdtFlowOut *f = udt_find_flow_out (conn, flow);

  if (f == NULL)
    return UDT_ERR_NO_FLOW;
  udt_advance (conn, now);
  udt_flow_out_clear (conn, f);
  if (f->has_epoch && conn->life != LIFE_FINISHED) {
    f->closing = true;
    conn->mask_reset |= bit (f);
  } else {
    udt_flow_out_free_slot (conn, f);
  }
  udt_check_writable (conn);
  return UDT_OK;
}

/* --- Messages --- */

bool
udt_out_has_unsent (const UdtOut *out)
{
  return !out->started || out->unsent_at < out->size;
}

void
udt_out_skip_sent (UdtConnection *conn, UdtFlowOut *flow)
{
  while (flow->unsent != NULL
         && (flow->unsent->state != OUT_LIVE
             || !udt_out_has_unsent (flow->unsent)))
    flow->unsent = flow->unsent->next;
  if (flow->unsent != NULL)
    conn->mask_unsent |= bit (flow);
  else
    conn->mask_unsent &= ~bit (flow);
}

static void
append (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out)
{
  out->next = NULL;
  out->prev = flow->tail;
  if (flow->tail != NULL)
    flow->tail->next = out;
  else
    flow->head = out;
  flow->tail = out;
  if (out->state == OUT_LIVE && flow->unsent == NULL) {
    flow->unsent = out;
    conn->mask_unsent |= bit (flow);
  }
}

void
udt_out_remove (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out)
{
  if (flow->unsent == out) {
    flow->unsent = out->next;
    udt_out_skip_sent (conn, flow);
  }
  if (out->state == OUT_DROPPED && --flow->dropped_pending == 0)
    conn->mask_drop &= ~bit (flow);
  if (out->prev != NULL)
    out->prev->next = out->next;
  else
    flow->head = out->next;
  if (out->next != NULL)
    out->next->prev = out->prev;
  else
    flow->tail = out->prev;
  udt_protect_end (conn, out);
  out->generation++;
  udt_pool_give (&conn->out_pool, out);
}

void
udt_out_release (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out)
{
  size_t unsent = out->size - out->unsent_at;

  conn->buffered -= out->size;
  flow->buffered -= out->size;
  conn->unsent_bytes -= unsent;
  flow->unsent_bytes -= unsent;
  if (out->release != NULL)
    out->release (out->owner);
  out->release = NULL;
  out->owner = NULL;
  out->payload = NULL;
}

void
udt_out_check_done (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out)
{
  if (out->state != OUT_LIVE || out->pieces > 0 || udt_out_has_unsent (out))
    return;
  flow->messages_acked++;
  flow->bytes_acked += out->size;
  udt_out_release (conn, flow, out);
  udt_out_remove (conn, flow, out);
  udt_check_writable (conn);
}

void
udt_check_writable (UdtConnection *conn)
{
  const UdtPool *pool = &conn->out_pool;

  if (!conn->full_told
      || conn->buffered > conn->config.send_limit - conn->config.send_limit / 4
      || (pool->free_count == 0 && pool->made == pool->limit))
    return;
  conn->full_told = false;
  udt_event_push (conn, UDT_EVENT_WRITABLE, 0, 0, false, 0);
}

/* A record with the next id, not yet in the list. */
static UdtStatus
make_out (UdtConnection *conn, UdtFlowOut *flow, const UdtMessage *message,
          UdtOut **made)
{
  UdtOut *out = udt_pool_take (&conn->out_pool);
  uint32_t generation;

  if (out == NULL) {
    if (conn->out_pool.made < conn->out_pool.limit)
      return UDT_ERR_NO_MEMORY;
    conn->full_told = true;
    return UDT_ERR_FULL;
  }
  generation = out->generation;
  memset (out, 0, offsetof (UdtOut, header));
  out->generation = generation;
  out->id = flow->next_id++;
  out->count = 1;
  out->flags = (uint8_t)message->flags;
  out->size = (uint32_t)(message->header_len + message->payload_len);
  out->header_len = (uint8_t)message->header_len;
  out->submitted = conn->now;
  out->deadline = udt_deadline_of (conn, flow, conn->now);
  *made = out;
  return UDT_OK;
}

/* Time between messages, so that a pause does not count. */
static void
note_interval (UdtFlowOut *flow, UdtTime now)
{
  UdtTime interval = now - flow->last_submitted;

  if (flow->last_submitted != 0 && interval < MAX_INTERVAL)
    flow->interval
        = flow->interval == 0 ? interval : (7 * flow->interval + interval) / 8;
  flow->last_submitted = now;
}

static UdtStatus
check_message (UdtConnection *conn, const UdtFlowOut *flow, const UdtMessage *m)
{
  const unsigned known
      = UDT_MESSAGE_SYNC | UDT_MESSAGE_DELTA | UDT_MESSAGE_DISPOSABLE;
  size_t size, limit = conn->config.send_limit;

  if (m->header_len > UDT_MAX_HEADER || (m->header_len > 0 && !m->header)
      || (m->payload_len > 0 && !m->payload) || (m->flags & ~known) != 0
      || (m->flags & (UDT_MESSAGE_SYNC | UDT_MESSAGE_DELTA))
             == (UDT_MESSAGE_SYNC | UDT_MESSAGE_DELTA))
    return UDT_ERR_ARGUMENT;
  if (m->payload_len > UDT_MAX_MESSAGE)
    return UDT_ERR_TOO_BIG;
  size = m->header_len + m->payload_len;
  if (size > conn->peer.max_message || size > conn->config.send_limit)
    return UDT_ERR_TOO_BIG;
  if (flow->broken && (m->flags & UDT_MESSAGE_DELTA))
    return UDT_ERR_DEPENDS;
  /* Files leave room for what is live, unless there is nothing else. */
  if (flow->config.service == UDT_CLASS_BULK && conn->buffered > 0)
    limit -= limit / BULK_RESERVE;
  if (conn->buffered + size > limit) {
    conn->full_told = true;
    return UDT_ERR_FULL;
  }
  return UDT_OK;
}

UdtStatus
udt_connection_send (UdtConnection *conn, uint16_t flow,
                     const UdtMessage *message, UdtTime now)
{
  UdtFlowOut *f;
  UdtOut *out;
  UdtStatus status;

  if (!takes_calls (conn))
    return UDT_ERR_CLOSED;
  f = udt_find_flow_out (conn, flow);
  if (f == NULL)
    return UDT_ERR_NO_FLOW;
  now = udt_advance (conn, now);
  status = check_message (conn, f, message);
  if (status == UDT_ERR_DEPENDS) {
    f->messages_dropped++;
    conn->stats.messages_dropped++;
  }
  if (status != UDT_OK)
    return status;
  status = make_out (conn, f, message, &out);
  if (status != UDT_OK)
    return status;
  note_interval (f, now);
  if (message->flags & (UDT_MESSAGE_SYNC | UDT_MESSAGE_DELTA))
    f->uses_sync = true;
  if (udt_arrival_time (conn, now) > out->deadline) {
    out->state = OUT_DROPPED;
    append (conn, f, out);
    udt_drop_refused (conn, f, out);
    return UDT_ERR_TOO_LATE;
  }
  if (message->flags & UDT_MESSAGE_SYNC)
    f->broken = false;
  out->payload = message->payload;
  out->owner = message->owner;
  out->release = message->release;
  if (message->header_len > 0)
    memcpy (out->header, message->header, message->header_len);
  conn->buffered += out->size;
  f->buffered += out->size;
  conn->unsent_bytes += out->size;
  f->unsent_bytes += out->size;
  append (conn, f, out);
  return UDT_OK;
}

/* --- Items: what packets carry --- */

UdtItem *
udt_item_take (UdtConnection *conn, UdtItemKind kind, uint8_t slot)
{
  UdtItem *item = udt_pool_take (&conn->item_pool);
  uint32_t generation;

  if (item == NULL)
    return NULL;
  generation = item->generation;
  memset (item, 0, sizeof *item);
  item->generation = generation;
  item->kind = (uint8_t)kind;
  item->slot = slot;
  return item;
}

void
udt_item_give (UdtConnection *conn, UdtItem *item)
{
  udt_copies_forget (conn, item);
  item->generation++;
  udt_pool_give (&conn->item_pool, item);
}

/* Losses come in order of number, so nearly always at the end. */
void
udt_lost_insert (UdtConnection *conn, UdtFlowOut *flow, UdtItem *item)
{
  UdtItem *after = flow->lost_tail;

  while (
      after != NULL
      && (after->out->id > item->out->id
          || (after->out->id == item->out->id && after->offset > item->offset)))
    after = after->prev;
  item->prev = after;
  item->next = after != NULL ? after->next : flow->lost_head;
  if (item->next != NULL)
    item->next->prev = item;
  else
    flow->lost_tail = item;
  if (after != NULL)
    after->next = item;
  else
    flow->lost_head = item;
  item->queued = true;
  conn->copies_queued += item->copy;
  conn->mask_lost |= bit (flow);
}

void
udt_lost_remove (UdtConnection *conn, UdtFlowOut *flow, UdtItem *item)
{
  if (item->prev != NULL)
    item->prev->next = item->next;
  else
    flow->lost_head = item->next;
  if (item->next != NULL)
    item->next->prev = item->prev;
  else
    flow->lost_tail = item->prev;
  item->next = item->prev = NULL;
  item->queued = false;
  conn->copies_queued -= item->copy;
  if (flow->lost_head == NULL)
    conn->mask_lost &= ~bit (flow);
}

/* --- What the peer says about our flows --- */

/* `bytes` count from the first message that the peer has not settled. That one
 * is still in our list unless everything sent is settled. */
static void
apply_window (UdtFlowOut *flow)
{
  UdtOut *out = flow->head;
  uint64_t base = flow->started;

  while (out != NULL && out->id + out->count <= flow->window_floor)
    out = out->next;
  if (out != NULL && out->started)
    base = out->base;
  flow->limit = base + flow->window_bytes;
}

void
udt_window_received (UdtConnection *conn, const UdtWindowFrame *frame,
                     uint64_t number)
{
  uint32_t i;

  for (i = 0; i < conn->flows_out_size; i++) {
    UdtFlowOut *f = &conn->flows_out[i];

    if (!f->used || f->closing || !f->has_epoch || f->epoch != frame->epoch)
      continue;
    if (f->window_seen && number < f->window_number)
      return;
    if (frame->floor > f->next_id) {
      conn->stats.refused_malformed++;
      return;
    }
    f->window_seen = true;
    f->window_number = number;
    f->window_floor = frame->floor;
    f->window_bytes = frame->bytes;
    f->id_limit = frame->floor + conn->peer.id_window;
    apply_window (f);
    return;
  }
}

static void
drop_too_big (UdtConnection *conn, UdtFlowOut *flow)
{
  UdtOut *out = flow->head, *next;

  /* Taken before the peer's limit was known. */
  for (; out != NULL; out = next) {
    next = out->next;
    if (out->state == OUT_LIVE && out->size > conn->peer.max_message) {
      udt_drop (conn, flow, out);
      next = flow->head;
    }
  }
}

void
udt_settings_received (UdtConnection *conn, const UdtSettingsFrame *frame,
                       uint64_t number)
{
  uint32_t i;

  if (conn->connected && number < conn->peer_settings_number)
    return;
  conn->peer_settings_number = number;
  conn->peer = *frame;
  if (conn->peer.latency > UDT_MAX_LATENCY)
    conn->peer.latency = UDT_MAX_LATENCY;
  for (i = 0; i < conn->flows_out_size; i++) {
    UdtFlowOut *f = &conn->flows_out[i];

    if (!f->used || f->closing)
      continue;
    if (!f->window_seen) {
      f->limit = conn->peer.flow_window;
      f->id_limit = conn->peer.id_window;
    }
    if (!conn->connected)
      drop_too_big (conn, f);
    udt_set_deadlines (conn, f);
  }
  if (!conn->connected) {
    conn->connected = true;
    udt_event_push (conn, UDT_EVENT_CONNECTED, 0, 0, false, 0);
  }
}
