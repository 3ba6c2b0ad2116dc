/* Building packets, and when the next one may go.
 *
 * Control frames go first and neither wait for the pace nor for the window;
 * data does both, in short trains. What udt_output_time() promises is what
 * udt_connection_output() does: the same questions in the same order.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtprivate.h"

/* Not worth starting another piece below this room. */
#define MIN_PIECE 64
/* Bytes of a message's age, after any time that it may be repeated in. */
#define AGE_SIZE 4

typedef struct
{
  UdtWriter w;
  UdtSent *sent;
  unsigned pieces;
  bool eliciting;
  bool any;
} Builder;

static bool
window_open (const UdtConnection *conn)
{
  return conn->bytes_in_flight + conn->mtu
         <= conn->congestion->window (conn->law);
}

static bool
sends_data (const UdtConnection *conn)
{
  return conn->life == LIFE_OPEN || conn->life == LIFE_DRAINING;
}

/* --- Frames --- */

static void
link_item (Builder *b, UdtItem *item)
{
  item->prev = NULL;
  item->next = b->sent->items;
  b->sent->items = item;
  b->eliciting = true;
  b->any = true;
}

static void
put_close (UdtConnection *conn, Builder *b)
{
  UdtCloseFrame frame = { conn->close_code, (const uint8_t *)conn->close_reason,
                          (uint32_t)strlen (conn->close_reason) };

  if (!conn->close_due || !udt_close_write (&b->w, &frame))
    return;
  conn->close_due = false;
  b->sent->flags |= SENT_HAS_CLOSE;
  b->eliciting = b->any = true;
}

static void
put_settings (UdtConnection *conn, Builder *b)
{
  if (!conn->settings_due || !udt_settings_write (&b->w, &conn->own))
    return;
  conn->settings_due = false;
  b->sent->flags |= SENT_HAS_SETTINGS;
  b->eliciting = b->any = true;
}

static void
put_resets (UdtConnection *conn, Builder *b)
{
  while (conn->mask_reset != 0) {
    UdtFlowOut *flow = &conn->flows_out[__builtin_ctzll (conn->mask_reset)];
    UdtFlowResetFrame frame = { flow->flow, flow->epoch };
    UdtItem *item;

    if (udt_writer_left (&b->w) < 16)
      return;
    item = udt_item_take (conn, ITEM_RESET, flow->slot);
    if (item == NULL)
      return;
    item->epoch = flow->epoch;
    udt_flow_reset_write (&b->w, &frame);
    link_item (b, item);
    conn->mask_reset &= conn->mask_reset - 1;
  }
}

static void
put_windows (UdtConnection *conn, Builder *b)
{
  while (conn->in_window_due != 0) {
    UdtFlowIn *flow = &conn->flows_in[__builtin_ctzll (conn->in_window_due)];
    UdtWindowFrame frame;
    UdtItem *item;

    if (udt_writer_left (&b->w) < 32)
      return;
    item = udt_item_take (conn, ITEM_WINDOW, flow->slot);
    if (item == NULL)
      return;
    frame.epoch = item->epoch = flow->epoch;
    frame.floor = flow->announced_floor = flow->floor;
    frame.bytes = flow->announced = udt_flow_window (conn, flow);
    flow->moved = 0;
    flow->window_due = false;
    udt_window_write (&b->w, &frame);
    link_item (b, item);
    conn->in_window_due &= conn->in_window_due - 1;
  }
}

static void
give_epoch (UdtConnection *conn, UdtFlowOut *flow)
{
  if (flow->has_epoch)
    return;
  flow->has_epoch = true;
  flow->epoch = conn->next_epoch++;
}

/* Splits a run that reaches past what the peer can note down. */
static bool
fit_run (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out)
{
  UdtOut *rest;
  uint32_t generation;

  if (out->id >= flow->id_limit)
    return false;
  if (out->id + out->count <= flow->id_limit)
    return true;
  rest = udt_pool_take (&conn->out_pool);
  if (rest == NULL)
    return false;
  generation = rest->generation;
  memset (rest, 0, offsetof (UdtOut, header));
  rest->generation = generation;
  rest->state = OUT_DROPPED;
  rest->id = flow->id_limit;
  rest->count = out->id + out->count - flow->id_limit;
  out->count -= rest->count;
  rest->prev = out;
  rest->next = out->next;
  if (out->next != NULL)
    out->next->prev = rest;
  else
    flow->tail = rest;
  out->next = rest;
  flow->dropped_pending++;
  return true;
}

static bool
put_drop (UdtConnection *conn, Builder *b, UdtFlowOut *flow, UdtOut *out)
{
  UdtDropFrame frame;
  UdtItem *item;

  if (udt_writer_left (&b->w) < 40 || !fit_run (conn, flow, out))
    return false;
  item = udt_item_take (conn, ITEM_DROP, flow->slot);
  if (item == NULL)
    return false;
  give_epoch (conn, flow);
  frame.flags = flow->config.order == UDT_ORDER_STRICT ? UDT_DATA_STRICT : 0;
  frame.flow = flow->flow;
  frame.epoch = flow->epoch;
  frame.first = out->id;
  frame.end = out->id + out->count;
  udt_drop_write (&b->w, &frame);
  item->out = out;
  item->out_generation = out->generation;
  link_item (b, item);
  out->state = OUT_TOLD;
  if (--flow->dropped_pending == 0)
    conn->mask_drop &= ~(UINT64_C (1) << flow->slot);
  return true;
}

static void
put_drops (UdtConnection *conn, Builder *b)
{
  uint64_t mask = conn->mask_drop;

  for (; mask != 0; mask &= mask - 1) {
    UdtFlowOut *flow = &conn->flows_out[__builtin_ctzll (mask)];
    UdtOut *out = flow->head;

    for (; out != NULL && flow->dropped_pending > 0; out = out->next) {
      if (out->state == OUT_DROPPED && !put_drop (conn, b, flow, out))
        break;
    }
  }
}

static bool
drops_to_send (const UdtConnection *conn)
{
  uint64_t mask = conn->mask_drop;

  for (; mask != 0; mask &= mask - 1) {
    const UdtFlowOut *flow = &conn->flows_out[__builtin_ctzll (mask)];
    const UdtOut *out = flow->head;

    while (out != NULL && out->state != OUT_DROPPED)
      out = out->next;
    if (out != NULL && out->id < flow->id_limit)
      return true;
  }
  return false;
}

/* --- DATA --- */

static void
copy_bytes (uint8_t *to, const UdtOut *out, uint32_t offset, uint32_t len)
{
  if (offset < out->header_len) {
    uint32_t n = out->header_len - offset;

    if (n > len)
      n = len;
    memcpy (to, out->header + offset, n);
    to += n;
    offset += n;
    len -= n;
  }
  if (len > 0)
    memcpy (to, out->payload + (offset - out->header_len), len);
}

/* In milliseconds from submission; 0: none. */
static uint32_t
deadline_of (const UdtOut *out)
{
  UdtTime deadline;

  if (out->deadline == UDT_NEVER)
    return 0;
  deadline = (out->deadline - out->submitted) / MS + 1;
  return deadline < UINT32_MAX ? (uint32_t)deadline : 0;
}

/* So that a live piece fits as well when it is older. */
static size_t
room_to_age (const UdtOut *out, UdtTime age)
{
  size_t size = udt_varint_size (age);

  return out->deadline != UDT_NEVER && size < AGE_SIZE ? AGE_SIZE - size : 0;
}

/* `repeat`: a live piece that was sent before stays in one piece, because two
 * halves are twice as easily lost. It waits for a packet of its own if need be.
 */
static bool
write_data (UdtConnection *conn, Builder *b, UdtFlowOut *flow, UdtOut *out,
            uint32_t offset, uint32_t want, bool repeat, uint32_t *len)
{
  UdtDataFrame frame;
  size_t left = udt_writer_left (&b->w), head;
  size_t spare = repeat ? 0 : room_to_age (out, conn->now - out->submitted);

  frame.flags = out->flags;
  if (flow->config.order == UDT_ORDER_STRICT)
    frame.flags |= UDT_DATA_STRICT;
  frame.flow = flow->flow;
  frame.epoch = flow->epoch;
  frame.id = out->id;
  frame.total = out->size;
  frame.offset = offset;
  frame.age = conn->now - out->submitted;
  frame.deadline = deadline_of (out);
  if (frame.deadline > 0)
    frame.flags |= UDT_DATA_LIVE;
  frame.len = want;
  if (offset > 0 || want < out->size
      || udt_data_header_size (&frame) + spare + want > left)
    frame.flags |= UDT_DATA_PART;
  head = udt_data_header_size (&frame) + spare;
  if (head + want > left) {
    /* Half a symbol is as bad a loss as a whole one. */
    if (left < head + MIN_PIECE
        || (((repeat && out->deadline != UDT_NEVER) || out->protection != NULL)
            && b->any))
      return false;
    frame.len = (uint32_t)(left - head);
  }
  udt_data_write_header (&b->w, &frame);
  copy_bytes (b->w.at, out, offset, frame.len);
  b->w.at += frame.len;
  *len = frame.len;
  return true;
}

/* A lost piece again; what does not fit stays lost. */
static bool
put_repeat (UdtConnection *conn, Builder *b, UdtFlowOut *flow, uint32_t *len)
{
  UdtItem *item = flow->lost_head;
  UdtOut *out = item->out;

  if (!write_data (conn, b, flow, out, item->offset, item->len, true, len))
    return false;
  conn->stats.bytes_retransmitted += *len;
  if (*len < item->len) {
    UdtItem *part = udt_item_take (conn, ITEM_DATA, flow->slot);

    /* Reserved by the caller. */
    part->out = out;
    part->out_generation = out->generation;
    part->offset = item->offset;
    part->len = *len;
    out->pieces++;
    udt_protect_piece_added (out, part->offset);
    item->offset += *len;
    item->len -= *len;
    item->generation++;
    link_item (b, part);
    return true;
  }
  udt_lost_remove (conn, flow, item);
  item->generation++;
  link_item (b, item);
  if (item->copy)
    item->copy = false;
  else
    udt_copies_plan (conn, item);
  return true;
}

static bool
put_new (UdtConnection *conn, Builder *b, UdtFlowOut *flow, uint32_t *len)
{
  UdtOut *out = flow->unsent;
  uint32_t want;
  UdtItem *item;

  give_epoch (conn, flow);
  if (!out->started && out->protection == NULL)
    udt_protect (conn, flow, out);
  want = udt_protect_cut (out, out->unsent_at, out->size - out->unsent_at);
  if (!write_data (conn, b, flow, out, out->unsent_at, want, false, len))
    return false;
  if (*len < want)
    udt_protect_piece_added (out, out->unsent_at);
  item = udt_item_take (conn, ITEM_DATA, flow->slot);
  item->out = out;
  item->out_generation = out->generation;
  item->offset = out->unsent_at;
  item->len = *len;
  if (!out->started) {
    out->started = true;
    out->base = flow->started;
    flow->started += out->size;
    flow->messages_sent++;
    conn->stats.messages_sent++;
  }
  out->unsent_at += *len;
  out->pieces++;
  flow->unsent_bytes -= *len;
  conn->unsent_bytes -= *len;
  conn->stats.payload_bytes_sent += *len;
  link_item (b, item);
  udt_out_skip_sent (conn, flow);
  if (out->unsent_at == out->size)
    udt_protect_sent (conn, flow, out);
  return true;
}

/* A repair symbol goes as a whole or not at all. */
static bool
put_repair (UdtConnection *conn, Builder *b, UdtFlowOut *flow, uint32_t *len)
{
  unsigned queue = flow->config.service == UDT_CLASS_AUDIO ? 0 : 1;
  UdtProtected *p = udt_repair_due (conn, queue);
  UdtRepairFrame frame;
  UdtItem *item;

  frame.flags = p->out->flags;
  if (flow->config.order == UDT_ORDER_STRICT)
    frame.flags |= UDT_DATA_STRICT;
  frame.flow = flow->flow;
  frame.epoch = flow->epoch;
  frame.id = p->out->id;
  frame.total = p->out->size;
  frame.symbol = p->symbol;
  frame.index = p->sent;
  frame.age = conn->now - p->out->submitted;
  frame.deadline = deadline_of (p->out);
  if (frame.deadline > 0)
    frame.flags |= UDT_DATA_LIVE;
  if (!udt_repair_write_header (&b->w, &frame)) {
    /* Packets have become smaller. */
    if (!b->any)
      udt_repair_cancel (conn, p);
    return false;
  }
  udt_repair_make (p, b->w.at);
  b->w.at += p->symbol;
  *len = p->symbol;
  item = udt_item_take (conn, ITEM_REPAIR, flow->slot);
  item->out = p->out;
  item->out_generation = p->out->generation;
  item->offset = frame.index;
  link_item (b, item);
  udt_repair_sent (conn, p, udt_repair_header_size (&frame) + p->symbol);
  return true;
}

static bool
put_turn (UdtConnection *conn, Builder *b, UdtFlowOut *flow, UdtTurn turn,
          uint32_t *len)
{
  switch (turn) {
    case UDT_TURN_REPEAT:
      /* A copy must not share the fate of its original. */
      if (b->pieces > 0 && flow->lost_head->copy)
        return false;
      if (!put_repeat (conn, b, flow, len))
        return false;
      conn->stats.packets_retransmitted++;
      return true;
    case UDT_TURN_REPAIR:
      return put_repair (conn, b, flow, len);
    case UDT_TURN_NEW:
    default:
      if (!put_new (conn, b, flow, len))
        return false;
      udt_repair_earn (conn, flow, *len);
      udt_rate_note (conn, flow, *len);
      return true;
  }
}

static void
put_data (UdtConnection *conn, Builder *b)
{
  /* Two a piece: the second for a repeat that has to be split. */
  if (!udt_pool_reserve (&conn->item_pool, 2))
    return;
  while (b->pieces < UDT_MAX_PIECES_PER_PACKET
         && udt_writer_left (&b->w) >= MIN_PIECE) {
    UdtTurn turn;
    uint32_t len = 0;
    UdtFlowOut *flow;

    if (!udt_pool_reserve (&conn->item_pool, 2))
      return;
    flow = udt_schedule (conn, &turn);
    if (flow == NULL || !put_turn (conn, b, flow, turn, &len))
      return;
    udt_schedule_served (conn, flow, turn, len);
    b->sent->flags |= SENT_HAS_DATA;
    b->pieces++;
  }
}

/* --- The packet --- */

static bool
data_due (const UdtConnection *conn)
{
  return sends_data (conn) && udt_sent_room (conn) > UDT_SENT_RESERVE
         && udt_has_data_to_send (conn)
         && (conn->probes_owed > 0 || window_open (conn));
}

/* An ACK goes with data that is about to go. */
static UdtTime
ack_out_time (const UdtConnection *conn)
{
  if (conn->ack_time != UDT_NEVER && conn->pace_time > conn->ack_time
      && conn->pace_time - conn->ack_time <= UDT_ACK_RIDE && data_due (conn))
    return conn->pace_time;
  return conn->ack_time;
}

static bool
control_due (const UdtConnection *conn, UdtTime now)
{
  if (conn->close_due || ack_out_time (conn) <= now)
    return true;
  if (!sends_data (conn))
    return false;
  return conn->settings_due || conn->nak_time <= now || conn->in_window_due != 0
         || conn->mask_reset != 0 || conn->ping_due || drops_to_send (conn);
}

static void
put_control (UdtConnection *conn, Builder *b, UdtTime now, bool with_data)
{
  bool news = conn->ack_owed >= 2 || (conn->ack_owed > 0 && !with_data);

  put_close (conn, b);
  if (sends_data (conn))
    put_settings (conn, b);
  if (udt_ack_due (conn, now) || news || conn->nak_time <= now)
    b->any |= udt_write_ack (conn, &b->w, b->sent, now);
  if (!sends_data (conn))
    return;
  if (udt_write_nak (conn, &b->w, b->sent, now))
    b->eliciting = b->any = true;
  put_resets (conn, b);
  put_windows (conn, b);
  put_drops (conn, b);
}

/* Between packets made to elicit an ACK while live frames come without a hole.
 */
#define QUIET_PING_INTERVAL (200 * MS)

/* Pure ACKs are not acknowledged. One a round trip asks for it, so that what was
 * reported can be forgotten: each hole is another range in every ACK. Where
 * nothing is missing only our own RTT is to stay known, which is not worth
 * waking the peer up between two live frames. */
static UdtTime
ping_interval (const UdtConnection *conn, const UdtSent *sent, UdtTime now)
{
  uint64_t next = conn->seen.next, oldest = conn->seen.floor;
  UdtTime interval = conn->srtt + 10 * MS;

  if (next > UDT_SEEN_WINDOW && next - UDT_SEEN_WINDOW > oldest)
    oldest = next - UDT_SEEN_WINDOW;
  if (sent->ack_floor == oldest && interval < QUIET_PING_INTERVAL
      && now - conn->bulk_arrival > QUIET_PING_INTERVAL)
    return QUIET_PING_INTERVAL;
  return interval;
}

static void
put_ping (UdtConnection *conn, Builder *b, UdtTime now)
{
  bool wanted = conn->ping_due || (conn->probes_owed > 0 && !b->eliciting)
                || (b->any && !b->eliciting && conn->life == LIFE_OPEN
                    && (b->sent->flags & SENT_HAS_ACK)
                    && now - conn->ping_time
                           >= ping_interval (conn, b->sent, now)
                    && conn->seen.next - conn->seen.floor > 64);

  if (!wanted || !udt_write_u8 (&b->w, UDT_FRAME_PING))
    return;
  conn->ping_due = false;
  b->sent->flags |= SENT_PING;
  b->eliciting = b->any = true;
}

static size_t
seal (UdtConnection *conn, Builder *b, uint8_t *packet, UdtTime now)
{
  UdtHeader header = { conn->config.remote_id, (uint32_t)conn->next_number };
  uint8_t *data = packet + UDT_HEADER_SIZE;
  size_t len = (size_t)(b->w.at - data), size;
  UdtSent *sent = b->sent;
  bool ok;

  udt_header_write (packet, &header);
  ok = conn->env.seal (conn->env.user, conn->next_number, packet,
                       UDT_HEADER_SIZE, data, len);
  size = UDT_HEADER_SIZE + len + UDT_TAG_SIZE;
  conn->last_output = conn->next_number++;
  if (b->eliciting)
    conn->ping_time = now;
  udt_sent_commit (conn, sent, size, b->eliciting, now);
  if (!ok) {
    udt_connection_send_failed (conn, now);
    return 0;
  }
  conn->stats.packets_sent++;
  conn->stats.bytes_sent += size;
  return size;
}

static void
begin (UdtConnection *conn, Builder *b, uint8_t *packet, uint16_t size,
       UdtTime now)
{
  memset (b, 0, sizeof *b);
  b->w.at = packet + UDT_HEADER_SIZE;
  b->w.end = packet + size - UDT_TAG_SIZE;
  b->sent = udt_sent_add (conn, now);
}

static size_t
put_probe (UdtConnection *conn, uint8_t *packet, UdtTime now)
{
  Builder b;

  begin (conn, &b, packet, conn->probe_size, now);
  udt_write_u8 (&b.w, UDT_FRAME_PING);
  memset (b.w.at, UDT_FRAME_PADDING, udt_writer_left (&b.w));
  b.w.at = b.w.end;
  b.sent->flags |= SENT_PROBE;
  b.eliciting = b.any = true;
  conn->probe_in_flight = true;
  conn->stats.probes_sent++;
  return seal (conn, &b, packet, now);
}

size_t
udt_connection_output (UdtConnection *conn, uint8_t *packet, size_t capacity,
                       UdtTime now)
{
  Builder b;
  bool control, data;
  size_t size;

  now = udt_advance (conn, now);
  if (conn->life == LIFE_FINISHED || capacity < UDT_MAX_PACKET
      || now < conn->blocked_until)
    return 0;
  if (sends_data (conn)) {
    /* One that is the last of its twins may be too late. */
    udt_copies_tick (conn, now);
    udt_drop_late (conn, now);
  }
  control = control_due (conn, now);
  data = data_due (conn);
  if (!data)
    conn->pace_waiting = false;
  if (data && conn->probes_owed == 0 && now < conn->pace_time)
    data = false;
  if (!control && !data && conn->probes_owed == 0
      && !udt_mtu_probe_due (conn, now)) {
    if (window_open (conn) && !udt_has_data_to_send (conn))
      conn->app_limited_until = conn->next_number;
    return 0;
  }
  if (!udt_sent_have_room (conn))
    return 0;
  if (!control && !data && conn->probes_owed == 0)
    return put_probe (conn, packet, now);
  begin (conn, &b, packet, conn->mtu, now);
  put_control (conn, &b, now, data);
  if (data) {
    udt_pace_refill (conn, now);
    put_data (conn, &b);
  }
  put_ping (conn, &b, now);
  if (!b.any) {
    /* No memory for what has to be noted down: not again at once. */
    b.sent->state = SENT_NONE;
    conn->blocked_until = now + UDT_SEND_RETRY;
    return 0;
  }
  if (b.eliciting && conn->probes_owed > 0)
    conn->probes_owed--;
  size = seal (conn, &b, packet, now);
  if (b.pieces > 0)
    conn->data_time = now;
  if (b.pieces > 0)
    udt_pace_spend (conn, size, now);
  return size;
}

/* When a repair that is to keep its distance may go. */
static UdtTime
repairs_later (const UdtConnection *conn)
{
  UdtTime time = udt_repair_time (conn);

  if (time == UDT_NEVER || time <= conn->now || !sends_data (conn)
      || !window_open (conn) || udt_sent_room (conn) <= UDT_SENT_RESERVE)
    return UDT_NEVER;
  return time > conn->pace_time ? time : conn->pace_time;
}

UdtTime
udt_output_time (const UdtConnection *conn)
{
  UdtTime time = UDT_NEVER;

  if (udt_sent_room (conn) == 0)
    return UDT_NEVER;
  if (control_due (conn, conn->now)
      || (conn->probes_owed > 0 && sends_data (conn))) {
    time = conn->now;
  } else {
    if (ack_out_time (conn) < time)
      time = ack_out_time (conn);
    if (sends_data (conn) && conn->nak_time < time)
      time = conn->nak_time;
    if (udt_mtu_time (conn) < time)
      time = udt_mtu_time (conn);
    if (data_due (conn) && conn->pace_time < time)
      time = conn->pace_time;
    if (repairs_later (conn) < time)
      time = repairs_later (conn);
    if (sends_data (conn) && conn->copies_time < time)
      time = conn->copies_time;
  }
  if (time != UDT_NEVER && time < conn->blocked_until)
    time = conn->blocked_until;
  return time;
}

void
udt_connection_send_failed (UdtConnection *conn, UdtTime now)
{
  UdtSent *sent = udt_sent_at (conn, conn->last_output);

  now = udt_advance (conn, now);
  conn->blocked_until = now + UDT_SEND_RETRY;
  if (conn->last_output == UDT_NUMBER_NONE)
    return;
  if (sent != NULL && sent->state == SENT_IN_FLIGHT) {
    if (sent->flags & SENT_PING)
      conn->ping_due = true;
    if (sent->flags & SENT_HAS_CLOSE)
      conn->close_due = conn->life == LIFE_CLOSING;
    udt_sent_lose (conn, sent, false);
  }
  if (conn->seen.next > 0 && conn->ack_time > now)
    conn->ack_time = now;
  conn->last_output = UDT_NUMBER_NONE;
}
