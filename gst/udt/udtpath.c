/* What is known of the path: round trip, queueing delay, packet size.
 *
 * Queueing delay is the one-way delay of a packet, by two clocks that need not
 * agree, above the lowest seen in the last UDT_DELAY_WINDOW or so.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtprivate.h"

#define UDT_DELAY_WINDOW (10 * SECOND)
#define UDT_MIN_RTT_WINDOW (10 * SECOND)
#define CLOCK_LEAP (500 * MS)
#define MTU_TRIES 2             /* lost probes until a size counts as too big */
#define MTU_TRIES_LOSSY 5       /* ... where other packets are lost, too */
#define MTU_LOSSY 200           /* one of so many */
#define MTU_IDLE (5 * SECOND)   /* no probing without data for so long */
#define MTU_STEP 16             /* search ends within this */
#define MTU_RETRY (60 * SECOND) /* after a black hole */
#define MTU_AGAIN (180 * SECOND) /* after a search that ended below the top */
#define MTU_BLACK_HOLE 8         /* big packets lost in a row */

/* --- Round trip --- */

void
udt_rtt_sample (UdtConnection *conn, UdtTime rtt, UdtTime ack_delay,
                UdtTime now)
{
  UdtTime adjusted, difference;
  bool first = conn->min_rtt == UDT_NEVER;

  if (rtt == 0)
    rtt = 1;
  /* The lowest of this half of the window and of the one before. */
  if (first || now - conn->min_rtt_at > UDT_MIN_RTT_WINDOW / 2) {
    conn->min_rtt_before = first ? rtt : conn->min_rtt_now;
    conn->min_rtt_now = rtt;
    conn->min_rtt_at = now;
  }
  if (rtt < conn->min_rtt_now)
    conn->min_rtt_now = rtt;
  conn->min_rtt = conn->min_rtt_now < conn->min_rtt_before
                      ? conn->min_rtt_now
                      : conn->min_rtt_before;
  if (ack_delay > UDT_MAX_ACK_DELAY)
    ack_delay = UDT_MAX_ACK_DELAY;
  adjusted = rtt > conn->min_rtt + ack_delay ? rtt - ack_delay : rtt;
  conn->latest_rtt = adjusted;
  if (first) {
    conn->srtt = adjusted;
    conn->rttvar = adjusted / 2;
    return;
  }
  difference
      = adjusted > conn->srtt ? adjusted - conn->srtt : conn->srtt - adjusted;
  conn->rttvar = (3 * conn->rttvar + difference) / 4;
  conn->srtt = (7 * conn->srtt + adjusted) / 8;
}

UdtTime
udt_delay_sample (UdtConnection *conn, UdtTime sent, uint32_t arrival,
                  UdtTime now, UdtTime *measured)
{
  UdtDelayFloor *f = &conn->delay_floor;
  int32_t delay, lowest;
  UdtTime queue, most;

  if (!conn->has_delay_base) {
    conn->has_delay_base = true;
    conn->delay_base = arrival - (uint32_t)sent;
  }
  delay = udt_serial_diff (arrival - (uint32_t)sent, conn->delay_base);
  if (now - f->start > UDT_DELAY_WINDOW / 2) {
    f->previous = f->current;
    f->has_previous = f->has_current;
    f->has_current = false;
    f->start = now;
  }
  if (!f->has_current || delay < f->current) {
    f->current = delay;
    f->has_current = true;
  }
  lowest = f->current;
  if (f->has_previous && f->previous < lowest)
    lowest = f->previous;
  queue = *measured = (UdtTime)((int64_t)delay - lowest);
  /* It cannot be more than the round trip has grown by; if it is, one of the
   * clocks has leapt, and all begins anew. */
  most = conn->min_rtt == UDT_NEVER || now - sent < conn->min_rtt
             ? 0
             : now - sent - conn->min_rtt;
  if (queue > most && conn->min_rtt != UDT_NEVER) {
    if (queue > most + CLOCK_LEAP) {
      f->current = delay - (int32_t)(most < CLOCK_LEAP ? most : CLOCK_LEAP);
      f->has_previous = false;
    }
    queue = most;
  }
  return queue;
}

void
udt_path_init (UdtConnection *conn, UdtTime now)
{
  conn->srtt = UDT_INITIAL_RTT;
  conn->rttvar = UDT_INITIAL_RTT / 2;
  conn->latest_rtt = 0;
  conn->min_rtt = UDT_NEVER;
  conn->has_delay_base = false;
  memset (&conn->delay_floor, 0, sizeof conn->delay_floor);
  conn->delay_floor.start = now;
  conn->queue_delay = conn->queue_empty_at = 0;
  udt_trains_init (&conn->trains);
  conn->path_number = conn->next_number;
  conn->reorder_window = 0;
  conn->reorder_calm = now;
  conn->expiries = 0;
  conn->probes_owed = 0;
  conn->app_limited_until = 0;
  conn->round_end = conn->next_number;
  conn->resumed_until = 0;
  conn->delivered_at = 0;
  conn->has_delivered_arrival = false;
  conn->congestion->init (conn->law, conn->mtu, now);
  conn->tokens = 0;
  conn->tokens_at = now;
  conn->pace_time = 0;
}

/* --- Packet size --- */

/* The largest size first: it works on nearly every path. Then halving. */
void
udt_mtu_start (UdtConnection *conn, UdtTime at)
{
  conn->probe_low = conn->mtu;
  conn->probe_high = conn->max_mtu;
  conn->probe_size = conn->max_mtu;
  conn->probe_tries = 0;
  conn->probing = conn->max_mtu >= conn->mtu + MTU_STEP;
  conn->probe_in_flight = false;
  conn->probe_time = at;
  conn->large_lost = 0;
}

UdtTime
udt_mtu_time (const UdtConnection *conn)
{
  if (!conn->probing || conn->probe_in_flight || !conn->connected
      || !conn->settings_confirmed || conn->life != LIFE_OPEN
      || conn->expiries > 0 || conn->now > conn->data_time + MTU_IDLE)
    return UDT_NEVER;
  return conn->probe_time;
}

bool
udt_mtu_probe_due (const UdtConnection *conn, UdtTime now)
{
  return udt_mtu_time (conn) <= now;
}

static void
next_size (UdtConnection *conn)
{
  conn->probe_tries = 0;
  if (conn->probe_high < conn->probe_low + MTU_STEP) {
    /* Not for ever: paths change, and so may bad luck. */
    udt_mtu_start (conn, conn->now + MTU_AGAIN);
    return;
  }
  conn->probe_size = (uint16_t)((conn->probe_low + conn->probe_high + 1) / 2);
}

static uint8_t
mtu_tries (const UdtConnection *conn)
{
  /* Of the probes themselves none is counted there. */
  return conn->stats.packets_lost * MTU_LOSSY > conn->next_number
             ? MTU_TRIES_LOSSY
             : MTU_TRIES;
}

void
udt_mtu_probe_result (UdtConnection *conn, const UdtSent *sent, bool arrived)
{
  conn->probe_in_flight = false;
  if (!conn->probing || sent->size != conn->probe_size)
    return;
  conn->probe_time = conn->now + conn->srtt;
  if (arrived) {
    if (sent->size > conn->mtu) {
      conn->mtu = sent->size;
      udt_event_push (conn, UDT_EVENT_PATH_MTU, 0, 0, false, conn->mtu);
    }
    conn->probe_low = sent->size;
    next_size (conn);
  } else if (++conn->probe_tries >= mtu_tries (conn)) {
    conn->probe_high = (uint16_t)(conn->probe_size - 1);
    next_size (conn);
  }
}

/* Big packets vanish while the path carries others: back to what every path
 * must carry. A queue that overflows loses a row of them in a moment; a hole
 * takes all of them for as long as it is there. */
void
udt_mtu_note (UdtConnection *conn, const UdtSent *sent, bool arrived)
{
  if (sent->size <= UDT_MIN_MTU || (sent->flags & SENT_PROBE))
    return;
  if (arrived) {
    conn->large_lost = 0;
    return;
  }
  if (conn->large_lost++ == 0)
    conn->large_lost_from = conn->large_lost_to = sent->sent;
  if (sent->sent < conn->large_lost_from)
    conn->large_lost_from = sent->sent;
  if (sent->sent > conn->large_lost_to)
    conn->large_lost_to = sent->sent;
  if (conn->large_lost < MTU_BLACK_HOLE || conn->mtu <= UDT_MIN_MTU
      || conn->large_lost_to - conn->large_lost_from < conn->srtt)
    return;
  conn->mtu = UDT_MIN_MTU;
  udt_mtu_start (conn, conn->now + MTU_RETRY);
  udt_event_push (conn, UDT_EVENT_PATH_MTU, 0, 0, false, conn->mtu);
}

void
udt_connection_path_changed (UdtConnection *conn, uint16_t max_mtu, UdtTime now)
{
  now = udt_advance (conn, now);
  if (max_mtu != 0) {
    conn->max_mtu = max_mtu < UDT_MAX_PACKET ? max_mtu : UDT_MAX_PACKET;
    if (conn->max_mtu < conn->config.mtu)
      conn->max_mtu = conn->config.mtu;
  }
  if (conn->mtu != conn->config.mtu) {
    conn->mtu = conn->config.mtu;
    udt_event_push (conn, UDT_EVENT_PATH_MTU, 0, 0, false, conn->mtu);
  }
  udt_path_init (conn, now);
  udt_mtu_start (conn, now);
  conn->reorder_wait = 0;
}
