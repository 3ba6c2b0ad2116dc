/* Arrivals: what to acknowledge, what to ask for again, and when.
 *
 * An ACK goes out for every few packets that ask for one, at the latest after
 * min (10 ms, RTT / 4), at once when a hole appears. A hole is asked for with a
 * NAK as soon as reordering, as measured on this path, cannot explain it, then
 * periodically until the NAK itself is acknowledged: from there on the sender
 * owns the hole, because a repeat has a new number and is a new hole if lost.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtprivate.h"

#define FIRST_MISSING 8   /* ranges that there is room for at first */
#define MAX_NAK_BACKOFF 4 /* doublings of the time to the next NAK */

UdtTime
udt_ack_delay (const UdtConnection *conn)
{
  UdtTime delay = conn->srtt / 4;

  if (delay > UDT_MAX_ACK_DELAY)
    delay = UDT_MAX_ACK_DELAY;
  if (delay < UDT_MIN_ACK_DELAY)
    delay = UDT_MIN_ACK_DELAY;
  return delay;
}

static UdtTime
nak_interval (const UdtConnection *conn)
{
  UdtTime interval = conn->srtt + 4 * conn->rttvar;

  return interval < UDT_MIN_NAK_INTERVAL ? UDT_MIN_NAK_INTERVAL : interval;
}

static void
update_nak_time (UdtConnection *conn)
{
  uint32_t i;

  conn->nak_time = UDT_NEVER;
  for (i = 0; i < conn->n_missing; i++) {
    if (conn->missing[i].due < conn->nak_time)
      conn->nak_time = conn->missing[i].due;
  }
}

static void
remove_missing (UdtConnection *conn, uint32_t i)
{
  conn->n_missing--;
  memmove (&conn->missing[i], &conn->missing[i + 1],
           (conn->n_missing - i) * sizeof conn->missing[0]);
}

/* For one more range; they move. */
static bool
has_room (UdtConnection *conn)
{
  return conn->n_missing < conn->missing_size
         || udt_array_grow (&conn->env, &conn->missing, &conn->missing_size,
                            sizeof *conn->missing, FIRST_MISSING,
                            UDT_MAX_MISSING);
}

/* Numbers first..last were passed over. The oldest range makes room: its
 * sender finds it by itself. */
static void
add_missing (UdtConnection *conn, uint64_t first, uint64_t last, UdtTime now)
{
  UdtMissing *m;

  if (!has_room (conn)) {
    /* Without any memory, too, the sender finds all by itself. */
    if (conn->n_missing == 0)
      return;
    remove_missing (conn, 0);
  }
  if (last - first >= UDT_SEEN_WINDOW)
    first = last - UDT_SEEN_WINDOW + 1;
  m = &conn->missing[conn->n_missing++];
  m->first = first;
  m->last = last;
  m->found = now;
  m->due = now + conn->reorder_wait;
  m->nak_number = UDT_NUMBER_NONE;
  m->backoff = 0;
  if (m->due < conn->nak_time)
    conn->nak_time = m->due;
}

/* A number below the highest arrived: nothing was lost, it was overtaken. */
static void
fill_missing (UdtConnection *conn, uint64_t number, UdtTime now)
{
  uint32_t i;

  for (i = conn->n_missing; i-- > 0;) {
    UdtMissing *m = &conn->missing[i];

    if (number > m->last)
      return;
    if (number < m->first)
      continue;
    if (now - m->found > conn->reorder_wait) {
      UdtTime wait = (now - m->found) + (now - m->found) / 4;

      conn->reorder_wait
          = wait < UDT_MAX_REORDER_WAIT ? wait : UDT_MAX_REORDER_WAIT;
    }
    conn->reorder_wait_at = now;
    if (m->first == m->last) {
      remove_missing (conn, i);
    } else if (number == m->first) {
      m->first++;
    } else if (number == m->last) {
      m->last--;
    } else {
      UdtMissing upper = *m;

      upper.first = number + 1;
      m->last = number - 1;
      if (has_room (conn)) {
        m = &conn->missing[i];
        memmove (m + 2, m + 1,
                 (conn->n_missing - i - 1) * sizeof conn->missing[0]);
        m[1] = upper;
        conn->n_missing++;
      }
    }
    update_nak_time (conn);
    return;
  }
}

void
udt_arrived (UdtConnection *conn, uint64_t number, bool eliciting, bool urgent,
             UdtTime now)
{
  uint64_t next = conn->seen.next;
  uint32_t every
      = next < UDT_EARLY_PACKETS ? UDT_ACK_EVERY_EARLY : UDT_ACK_EVERY;

  /* Tolerance wears off while nothing is overtaken. */
  if (conn->reorder_wait > 0 && now - conn->reorder_wait_at > 5 * SECOND) {
    conn->reorder_wait /= 2;
    conn->reorder_wait_at = now;
  }
  if (number > next) {
    add_missing (conn, next, number - 1, now);
    urgent = true;
  } else if (number < next) {
    fill_missing (conn, number, now);
  }
  udt_seen_add (&conn->seen, number, (uint32_t)now);
  if (number >= next)
    conn->largest_arrival = now;
  conn->ack_news++;
  if (!eliciting)
    return;
  conn->ack_owed++;
  if (urgent || conn->ack_owed >= every)
    conn->ack_time = now;
  else if (conn->ack_time == UDT_NEVER)
    conn->ack_time = now + udt_ack_delay (conn);
}

bool
udt_ack_due (const UdtConnection *conn, UdtTime now)
{
  return conn->ack_time <= now;
}

bool
udt_write_ack (UdtConnection *conn, UdtWriter *w, UdtSent *sent, UdtTime now)
{
  UdtRange ranges[UDT_MAX_ACK_RANGES];
  uint32_t times[UDT_MAX_ACK_TIMES + 1];
  size_t n, m, wanted;

  n = udt_seen_ranges (&conn->seen, ranges, UDT_MAX_ACK_RANGES);
  if (n == 0)
    return false;
  /* The arrivals since the last ACK, and some more in case that was lost. */
  wanted = conn->ack_news + 4;
  if (wanted > UDT_MAX_ACK_TIMES + 1)
    wanted = UDT_MAX_ACK_TIMES + 1;
  m = udt_seen_times (&conn->seen, ranges, n, times, wanted);
  if (m == 0)
    return false;
  if (!udt_ack_write (w, ranges, n, times, m, now - conn->largest_arrival))
    return false;
  sent->flags |= SENT_HAS_ACK;
  sent->ack_floor = n < UDT_MAX_ACK_RANGES ? ranges[0].first : 0;
  conn->ack_owed = 0;
  conn->ack_news = 0;
  conn->ack_time = UDT_NEVER;
  conn->stats.acks_sent++;
  return true;
}

/* The peer knows everything up to `floor`. */
void
udt_ack_confirmed (UdtConnection *conn, uint64_t floor)
{
  if (floor > conn->seen.floor)
    conn->seen.floor = floor;
}

/* When a hole has been asked for in vain, much is lost, NAKs as well,
 * and each of those is a hole for the peer then, and so to and fro: a packet
 * for each hole each time would breed more of them than get through. They are
 * asked for together, and ever more rarely. */
static bool
asks_with (const UdtMissing *missing, UdtTime interval, UdtTime now)
{
  return missing->due <= now
         || (missing->nak_number != UDT_NUMBER_NONE
             && now - missing->asked >= interval);
}

bool
udt_write_nak (UdtConnection *conn, UdtWriter *w, UdtSent *sent, UdtTime now)
{
  UdtRange ranges[UDT_MAX_NAK_RANGES];
  uint32_t index[UDT_MAX_NAK_RANGES];
  UdtTime interval = nak_interval (conn);
  uint32_t i, n = 0;
  size_t written;

  if (conn->nak_time > now)
    return false;
  for (i = 0; i < conn->n_missing && n < UDT_MAX_NAK_RANGES; i++) {
    if (!asks_with (&conn->missing[i], interval, now))
      continue;
    ranges[n].first = conn->missing[i].first;
    ranges[n].last = conn->missing[i].last;
    /* Ranges that touch are one on the wire. */
    index[n++] = i;
    if (n > 1 && ranges[n - 1].first == ranges[n - 2].last + 1) {
      n--;
      break;
    }
  }
  written = udt_nak_write (w, ranges, n);
  for (i = 0; i < written; i++) {
    UdtMissing *m = &conn->missing[index[i]];

    m->nak_number = sent->number;
    m->asked = now;
    m->due = now + (interval << m->backoff);
    if (m->backoff < MAX_NAK_BACKOFF)
      m->backoff++;
  }
  update_nak_time (conn);
  if (written == 0)
    return false;
  sent->flags |= SENT_HAS_NAK;
  conn->stats.naks_sent++;
  return true;
}

void
udt_nak_confirmed (UdtConnection *conn, uint64_t number)
{
  uint32_t i;

  for (i = conn->n_missing; i-- > 0;) {
    if (conn->missing[i].nak_number == number)
      remove_missing (conn, i);
  }
  update_nak_time (conn);
}
