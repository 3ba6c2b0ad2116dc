/* Sent packets: acknowledged, lost, or not heard of.
 *
 * The table is a ring by packet number. Packets in flight are linked in order
 * of number; those counted as lost stay linked for a while in a second list,
 * so that a late acknowledgement shows how much reordering to tolerate and
 * cancels a repeat that is not yet out.
 *
 * Three ways to find a loss: the peer's NAK; the gaps in its ACKs, past a
 * tolerance in packets and in time; and the expiry, armed by our own oldest
 * packet in flight and by nothing that the peer sends.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtprivate.h"

/* Longer than a round trip by this, and nothing was heard: the path stood
 * still. */
#define FREEZE (50 * MS)

UdtSent *
udt_sent_at (UdtConnection *conn, uint64_t number)
{
  UdtSent *sent = &conn->sent[number & conn->sent_mask];

  return sent->number == number && sent->state != SENT_NONE ? sent : NULL;
}

static void
list_append (UdtConnection *conn, UdtSentList *list, UdtSent *sent)
{
  sent->next = UDT_NUMBER_NONE;
  sent->prev = list->tail;
  if (list->tail != UDT_NUMBER_NONE)
    conn->sent[list->tail & conn->sent_mask].next = sent->number;
  else
    list->head = sent->number;
  list->tail = sent->number;
}

static void
list_remove (UdtConnection *conn, UdtSentList *list, UdtSent *sent)
{
  if (sent->prev != UDT_NUMBER_NONE)
    conn->sent[sent->prev & conn->sent_mask].next = sent->next;
  else
    list->head = sent->next;
  if (sent->next != UDT_NUMBER_NONE)
    conn->sent[sent->next & conn->sent_mask].prev = sent->prev;
  else
    list->tail = sent->prev;
}

static bool
grow (UdtConnection *conn)
{
  uint32_t size = conn->sent_size * 2, i;
  UdtSent *bigger;

  if (size > conn->config.packets_in_flight)
    return false;
  bigger = conn->env.alloc (conn->env.user, size * sizeof *bigger);
  if (bigger == NULL) {
    /* Make do with what there is, rather than ask with every packet; of less
     * than this nothing is left for data, so ask again soon. */
    if (conn->sent_size >= 2 * UDT_SENT_RESERVE)
      conn->config.packets_in_flight = conn->sent_size;
    else
      conn->blocked_until = conn->now + UDT_SEND_RETRY;
    return false;
  }
  memset (bigger, 0, size * sizeof *bigger);
  for (i = 0; i < conn->sent_size; i++) {
    if (conn->sent[i].state != SENT_NONE)
      bigger[conn->sent[i].number & (size - 1)] = conn->sent[i];
  }
  conn->env.free (conn->env.user, conn->sent);
  conn->sent = bigger;
  conn->sent_size = size;
  conn->sent_mask = size - 1;
  return true;
}

/* The slot of the next number is free or can be made so. */
bool
udt_sent_have_room (UdtConnection *conn)
{
  while (conn->in_flight.head != UDT_NUMBER_NONE
         && conn->next_number - conn->in_flight.head >= conn->sent_size) {
    if (!grow (conn))
      return false;
  }
  return true;
}

/* Packets that may still be sent before the table is full. */
uint32_t
udt_sent_room (const UdtConnection *conn)
{
  uint64_t used = conn->in_flight.head == UDT_NUMBER_NONE
                      ? 0
                      : conn->next_number - conn->in_flight.head;

  return used < conn->config.packets_in_flight
             ? conn->config.packets_in_flight - (uint32_t)used
             : 0;
}

/* A record for the next number. */
UdtSent *
udt_sent_add (UdtConnection *conn, UdtTime now)
{
  UdtSent *sent = &conn->sent[conn->next_number & conn->sent_mask];

  if (sent->state == SENT_LOST)
    list_remove (conn, &conn->lost, sent);
  memset (sent, 0, sizeof *sent);
  sent->number = conn->next_number;
  sent->sent = now;
  return sent;
}

/* Nothing is in flight because our own pace is below a packet or two a round
 * trip. It is to show if it could be faster. */
static bool
paused_by_pace (const UdtConnection *conn)
{
  return conn->pace_waiting
         && conn->congestion->rate (conn->law) * conn->srtt
                < 2 * (uint64_t)conn->mtu * SECOND;
}

void
udt_sent_commit (UdtConnection *conn, UdtSent *sent, size_t size,
                 bool eliciting, UdtTime now)
{
  sent->size = (uint16_t)size;
  if (!eliciting) {
    sent->state = SENT_NONE;
    return;
  }
  if (conn->in_flight.head == UDT_NUMBER_NONE)
    conn->flight_since = now;
  if (conn->in_flight.head == UDT_NUMBER_NONE && !paused_by_pace (conn)) {
    /* Idle until now: the rate counts from here. */
    conn->delivered_sent = now;
    conn->has_delivered_arrival = false;
  }
  sent->state = SENT_IN_FLIGHT;
  sent->delivered = conn->delivered;
  sent->delivered_sent = conn->delivered_sent;
  sent->delivered_arrival = conn->delivered_arrival;
  if (!conn->has_delivered_arrival)
    sent->delivered_sent = UDT_NEVER;
  /* Until a packet sent after the pause is acknowledged. */
  if (conn->app_limited_until != 0
      && (conn->largest_acked == UDT_NUMBER_NONE
          || conn->largest_acked < conn->app_limited_until))
    sent->flags |= SENT_APP_LIMITED;
  list_append (conn, &conn->in_flight, sent);
  conn->bytes_in_flight += size;
  conn->congestion->on_sent (conn->law, size, conn->bytes_in_flight, now);
}

/* --- What becomes of the items of a packet --- */

/* NULL for what is not of a flow of ours. */
static UdtFlowOut *
flow_of (UdtConnection *conn, const UdtItem *item)
{
  return item->kind != ITEM_WINDOW ? &conn->flows_out[item->slot] : NULL;
}

static void
item_done (UdtConnection *conn, UdtItem *item)
{
  UdtFlowOut *flow = flow_of (conn, item);

  switch (item->kind) {
    case ITEM_DATA:
      if (item->out->generation == item->out_generation
          && udt_copies_first (conn, item)) {
        item->out->pieces--;
        udt_protect_piece_arrived (conn, item);
        /* It may have ended by that. */
        if (item->out->generation == item->out_generation)
          udt_out_check_done (conn, flow, item->out);
      }
      break;
    case ITEM_DROP:
      if (item->out->generation == item->out_generation)
        udt_out_remove (conn, flow, item->out);
      break;
    case ITEM_REPAIR:
      if (item->out->generation == item->out_generation)
        udt_repair_resolved (conn, item, true);
      break;
    case ITEM_RESET:
      if (flow->used && flow->closing && flow->epoch == item->epoch)
        udt_flow_out_free_slot (conn, flow);
      break;
    case ITEM_WINDOW:
    default:
      break;
  }
  udt_item_give (conn, item);
}

static void
item_lost (UdtConnection *conn, UdtItem *item)
{
  UdtFlowOut *flow = flow_of (conn, item);
  UdtFlowIn *in;

  switch (item->kind) {
    case ITEM_DATA:
      if (item->out->generation == item->out_generation
          && !udt_copies_left (conn, item)) {
        if (!udt_protect_piece_lost (conn, item))
          udt_lost_insert (conn, flow, item);
        return;
      }
      break;
    case ITEM_REPAIR:
      if (item->out->generation == item->out_generation)
        udt_repair_resolved (conn, item, false);
      break;
    case ITEM_DROP:
      if (item->out->generation == item->out_generation) {
        item->out->state = OUT_DROPPED;
        flow->dropped_pending++;
        conn->mask_drop |= UINT64_C (1) << flow->slot;
      }
      break;
    case ITEM_RESET:
      if (flow->used && flow->closing && flow->epoch == item->epoch)
        conn->mask_reset |= UINT64_C (1) << flow->slot;
      break;
    case ITEM_WINDOW:
      in = &conn->flows_in[item->slot];
      if (in->used && !in->reset && in->epoch == item->epoch)
        udt_window_update (conn, in, true);
      break;
    default:
      break;
  }
  udt_item_give (conn, item);
}

/* Leaves flight; its items are the caller's. */
static UdtItem *
leave_flight (UdtConnection *conn, UdtSent *sent)
{
  UdtItem *items = sent->items;

  list_remove (conn, &conn->in_flight, sent);
  conn->bytes_in_flight -= sent->size;
  sent->items = NULL;
  sent->state = SENT_NONE;
  return items;
}

/* `counts`: a loss of the path, not a packet that never left. */
void
udt_sent_lose (UdtConnection *conn, UdtSent *sent, bool counts)
{
  UdtItem *item = leave_flight (conn, sent), *next;

  if (sent->flags & SENT_HAS_SETTINGS)
    conn->settings_due = !conn->settings_confirmed;
  if (sent->flags & SENT_PROBE) {
    udt_mtu_probe_result (conn, sent, false);
    counts = false;
  }
  if (item != NULL && item->next == NULL && item->kind == ITEM_DATA) {
    sent->late_item = item;
    sent->late_generation = item->generation;
  }
  for (; item != NULL; item = next) {
    next = item->next;
    item_lost (conn, item);
  }
  if (!counts)
    return;
  sent->state = SENT_LOST;
  sent->lost_at = conn->now;
  list_append (conn, &conn->lost, sent);
  conn->stats.packets_lost++;
  udt_loss_meter_lost (conn, sent);
  udt_mtu_note (conn, sent, false);
}

static void
acked_flags (UdtConnection *conn, const UdtSent *sent)
{
  if (sent->flags & SENT_HAS_SETTINGS)
    conn->settings_confirmed = true, conn->settings_due = false;
  if (sent->flags & SENT_HAS_NAK)
    udt_nak_confirmed (conn, sent->number);
  if (sent->flags & SENT_HAS_ACK)
    udt_ack_confirmed (conn, sent->ack_floor);
  if (sent->flags & SENT_HAS_CLOSE)
    udt_close_confirmed (conn);
}

/* --- Acknowledgement --- */

typedef struct
{
  UdtAckBatch batch;
  UdtSent newest; /* copy of the newest packet acked */
  uint32_t newest_arrival;
  bool any, has_arrival;
} Acked;

static void
note_delivery (UdtConnection *conn, Acked *acked, const UdtSent *sent,
               bool has_arrival, uint32_t arrival, UdtTime now)
{
  UdtTime delay, measured;

  conn->delivered += sent->size;
  acked->batch.acked += sent->size;
  if (!acked->any || sent->number > acked->newest.number) {
    acked->newest = *sent;
    acked->has_arrival = has_arrival;
    acked->newest_arrival = arrival;
  }
  acked->any = true;
  if (!has_arrival)
    return;
  delay = udt_delay_sample (conn, sent->sent, arrival, now, &measured);
  udt_trains_add (&conn->trains, sent->sent, sent->size, measured);
  if (!acked->batch.has_delay || delay < acked->batch.delay_min)
    acked->batch.delay_min = delay;
  if (!acked->batch.has_delay || delay > acked->batch.delay_max)
    acked->batch.delay_max = delay;
  acked->batch.has_delay = true;
}

static void
ack_packet (UdtConnection *conn, Acked *acked, UdtSent *sent, bool has_arrival,
            uint32_t arrival, UdtTime now)
{
  UdtItem *item, *next;

  if (sent->number >= conn->path_number)
    note_delivery (conn, acked, sent, has_arrival, arrival, now);
  udt_mtu_note (conn, sent, true);
  udt_loss_meter_acked (conn, sent);
  if (sent->flags & SENT_PROBE)
    udt_mtu_probe_result (conn, sent, true);
  acked_flags (conn, sent);
  for (item = leave_flight (conn, sent); item != NULL; item = next) {
    next = item->next;
    item_done (conn, item);
  }
}

/* It was not lost after all: tolerate that much reordering from now on. */
static void
ack_late (UdtConnection *conn, UdtSent *sent, UdtTime now)
{
  UdtItem *item = sent->late_item;
  UdtTime late = now - sent->lost_at, most = conn->srtt / 2;

  list_remove (conn, &conn->lost, sent);
  sent->state = SENT_NONE;
  conn->stats.packets_lost--;
  udt_loss_meter_late (conn);
  if (most > UDT_MAX_REORDER_WAIT)
    most = UDT_MAX_REORDER_WAIT;
  conn->reorder_window += late / 2 + MS;
  if (conn->reorder_window > most)
    conn->reorder_window = most;
  conn->reorder_calm = now + 5 * SECOND;
  acked_flags (conn, sent);
  if (item == NULL || item->generation != sent->late_generation)
    return;
  if (item->queued)
    udt_lost_remove (conn, &conn->flows_out[item->slot], item);
  else if (item->parked)
    udt_protect_unpark (item);
  else
    return;
  item_done (conn, item);
}

/* Walks a list and the ranges together, both from the oldest. */
typedef struct
{
  UdtRange ranges[UDT_MAX_ACK_RANGES];
  uint32_t times[UDT_MAX_ACK_TIMES + 1];
  uint64_t times_before[UDT_MAX_ACK_RANGES]; /* received above a range */
  size_t n, n_times;
} AckView;

static void
view_ack (const UdtAckFrame *frame, AckView *view)
{
  uint64_t above = 0;
  size_t i;

  view->n = udt_ack_ranges (frame, view->ranges, UDT_MAX_ACK_RANGES);
  view->n_times = udt_ack_times (frame, view->times, UDT_MAX_ACK_TIMES + 1);
  for (i = 0; i < view->n; i++) {
    view->times_before[i] = above;
    above += view->ranges[i].last - view->ranges[i].first + 1;
  }
}

/* Moves *at (an index into the ranges, newest first) to the range that may hold
 * `number`; true if it does. */
static bool
view_has (const AckView *view, size_t *at, uint64_t number)
{
  while (*at > 0 && view->ranges[*at - 1].last < number)
    (*at)--;
  return *at > 0 && view->ranges[*at - 1].first <= number;
}

static bool
view_time (const AckView *view, size_t at, uint64_t number, uint32_t *arrival)
{
  uint64_t index
      = view->times_before[at - 1] + (view->ranges[at - 1].last - number);

  if (index >= view->n_times)
    return false;
  *arrival = view->times[index];
  return true;
}

static void
ack_in_flight (UdtConnection *conn, const AckView *view, Acked *acked,
               UdtTime now)
{
  uint64_t largest = view->ranges[0].last, number, next;
  size_t at = view->n;

  for (number = conn->in_flight.head;
       number != UDT_NUMBER_NONE && number <= largest; number = next) {
    UdtSent *sent = &conn->sent[number & conn->sent_mask];
    uint32_t arrival = 0;
    bool timed;

    next = sent->next;
    if (!view_has (view, &at, number))
      continue;
    timed = view_time (view, at, number, &arrival);
    ack_packet (conn, acked, sent, timed, arrival, now);
  }
}

static void
ack_lost (UdtConnection *conn, const AckView *view, UdtTime now)
{
  uint64_t number, next;
  UdtTime keep = 2 * conn->srtt + SECOND / 2;
  uint32_t i;

  /* Not in order of number, but short: kept for two round trips. */
  for (number = conn->lost.head; number != UDT_NUMBER_NONE; number = next) {
    UdtSent *sent = &conn->sent[number & conn->sent_mask];

    next = sent->next;
    if (now - sent->sent > keep) {
      list_remove (conn, &conn->lost, sent);
      sent->state = SENT_NONE;
      continue;
    }
    for (i = 0; i < view->n && view->ranges[i].first > number; i++) {
    }
    if (i < view->n && number <= view->ranges[i].last)
      ack_late (conn, sent, now);
  }
}

/* At which rate did the bytes up to the newest acked packet arrive? */
static void
sample_rate (UdtConnection *conn, Acked *acked)
{
  const UdtSent *newest = &acked->newest;
  UdtTime interval, arrivals;
  uint64_t bytes;

  if (acked->has_arrival && newest->delivered_sent != UDT_NEVER) {
    int32_t gap
        = udt_serial_diff (acked->newest_arrival, newest->delivered_arrival);

    arrivals = gap > 0 ? (UdtTime)gap : 0;
    interval = newest->sent - newest->delivered_sent;
    if (arrivals > interval)
      interval = arrivals;
    bytes = conn->delivered - newest->delivered;
    if (interval > 0 && arrivals > 0) {
      acked->batch.rate = bytes * SECOND / interval;
      acked->batch.app_limited = newest->flags & SENT_APP_LIMITED;
      if (acked->batch.rate > conn->round_rate)
        conn->round_rate = acked->batch.rate;
    }
  }
  conn->delivered_sent = newest->sent;
  if (acked->has_arrival) {
    conn->delivered_arrival = acked->newest_arrival;
    conn->has_delivered_arrival = true;
  }
}

static void
learn (UdtConnection *conn, Acked *acked, const UdtAckFrame *frame, UdtTime now)
{
  UdtAckBatch *batch = &acked->batch;
  const UdtSent *newest = &acked->newest;
  UdtTime heard = conn->delivered_at > conn->flight_since ? conn->delivered_at
                                                          : conn->flight_since;

  /* A clock that has gone back stands still, and round trips look short. */
  if (newest->number == frame->largest && newest->sent >= conn->stood_still)
    udt_rtt_sample (conn, now - newest->sent, frame->delay, now);
  /* A path that stood still and then delivered everything at once. */
  if (conn->delivered_at != 0 && now - heard > conn->srtt + FREEZE)
    conn->resumed_until = conn->next_number;
  conn->delivered_at = now;
  if (newest->sent > conn->newest_acked_sent)
    conn->newest_acked_sent = newest->sent;
  sample_rate (conn, acked);
  batch->now = now;
  batch->in_flight = conn->bytes_in_flight;
  batch->srtt = conn->srtt;
  batch->min_rtt = conn->min_rtt == UDT_NEVER ? 0 : conn->min_rtt;
  batch->resumed = newest->number < conn->resumed_until;
  batch->trains = udt_trains_rate (&conn->trains, now);
  if (newest->number >= conn->round_end) {
    batch->round = true;
    conn->round_end = conn->next_number;
    /* The best of a round: single samples catch clumps and pauses. */
    if (conn->round_rate > 0)
      conn->stats.delivery_rate = conn->round_rate * 8;
    conn->round_rate = 0;
  }
  if (batch->has_delay && !batch->resumed) {
    conn->queue_delay = (3 * conn->queue_delay + batch->delay_min) / 4;
    conn->queue_empty_at = now + conn->queue_delay;
  }
  conn->congestion->on_ack (conn->law, batch);
  udt_pace_update (conn);
}

bool
udt_ack_received (UdtConnection *conn, const UdtAckFrame *frame, UdtTime now)
{
  AckView view;
  Acked acked;

  if (frame->largest >= conn->next_number)
    return false;
  conn->stats.acks_received++;
  view_ack (frame, &view);
  memset (&acked, 0, sizeof acked);
  if (conn->largest_acked == UDT_NUMBER_NONE
      || frame->largest > conn->largest_acked)
    conn->largest_acked = frame->largest;
  ack_in_flight (conn, &view, &acked, now);
  if (conn->lost.head != UDT_NUMBER_NONE)
    ack_lost (conn, &view, now);
  if (acked.any) {
    conn->expiries = 0;
    conn->probes_owed = 0;
    learn (conn, &acked, frame, now);
  }
  udt_detect_losses (conn, now);
  return true;
}

/* --- Loss --- */

static void
report_loss (UdtConnection *conn, uint64_t lost, UdtTime now)
{
  UdtLossBatch batch = { now, lost, conn->bytes_in_flight };

  if (lost > 0)
    conn->congestion->on_loss (conn->law, &batch);
}

UdtTime
udt_reorder_time (const UdtConnection *conn)
{
  UdtTime rtt = conn->latest_rtt > conn->srtt ? conn->latest_rtt : conn->srtt;

  rtt += rtt / 8 + conn->reorder_window;
  return rtt < 2 * MS ? 2 * MS : rtt;
}

/* Packets below the newest acknowledged one that are overdue. */
void
udt_detect_losses (UdtConnection *conn, UdtTime now)
{
  UdtTime wait = udt_reorder_time (conn);
  uint64_t number, next, lost = 0;

  conn->loss_time = UDT_NEVER;
  if (conn->largest_acked == UDT_NUMBER_NONE)
    return;
  if (conn->reorder_window > 0 && now > conn->reorder_calm) {
    conn->reorder_window /= 2;
    conn->reorder_calm = now + 5 * SECOND;
  }
  for (number = conn->in_flight.head;
       number != UDT_NUMBER_NONE && number < conn->largest_acked;
       number = next) {
    UdtSent *sent = &conn->sent[number & conn->sent_mask];

    next = sent->next;
    if ((conn->largest_acked - number >= UDT_REORDER_PACKETS
         && conn->newest_acked_sent >= sent->sent + conn->reorder_window)
        || sent->sent + wait <= now) {
      if (!(sent->flags & SENT_PROBE))
        lost += sent->size;
      udt_sent_lose (conn, sent, true);
    } else if (conn->loss_time == UDT_NEVER) {
      conn->loss_time = sent->sent + wait;
    }
  }
  report_loss (conn, lost, now);
}

bool
udt_nak_received (UdtConnection *conn, const UdtNakFrame *frame, UdtTime now)
{
  UdtRange ranges[UDT_MAX_NAK_RANGES];
  size_t n = udt_nak_ranges (frame, ranges, UDT_MAX_NAK_RANGES), i;
  uint64_t number, lost = 0;

  if (n == 0 || ranges[n - 1].last >= conn->next_number)
    return false;
  conn->stats.naks_received++;
  for (i = 0; i < n && conn->in_flight.head != UDT_NUMBER_NONE; i++) {
    number = ranges[i].first;
    if (number < conn->in_flight.head)
      number = conn->in_flight.head;
    for (; number <= ranges[i].last; number++) {
      UdtSent *sent = udt_sent_at (conn, number);

      if (sent == NULL || sent->state != SENT_IN_FLIGHT)
        continue;
      if (!(sent->flags & SENT_PROBE))
        lost += sent->size;
      udt_sent_lose (conn, sent, true);
      if (conn->in_flight.head == UDT_NUMBER_NONE)
        break;
    }
  }
  report_loss (conn, lost, now);
  return true;
}

void
udt_sent_free_all (UdtConnection *conn)
{
  /* Items live in a pool that goes as a whole. */
  if (conn->sent != NULL)
    conn->env.free (conn->env.user, conn->sent);
  conn->sent = NULL;
  conn->in_flight.head = conn->in_flight.tail = UDT_NUMBER_NONE;
  conn->lost.head = conn->lost.tail = UDT_NUMBER_NONE;
}
