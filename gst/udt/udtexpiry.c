/* When nothing is heard: the expiry of packets in flight.
 *
 * Armed by our own oldest packet and by nothing that the peer sends. What newer
 * packets have overtaken is not its business, see udtloss.c.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtprivate.h"

UdtTime
udt_expiry_interval (const UdtConnection *conn)
{
  UdtTime interval = conn->srtt + 4 * conn->rttvar + UDT_MAX_ACK_DELAY;

  return interval < UDT_MIN_EXPIRY ? UDT_MIN_EXPIRY : interval;
}

/* Of a long flight several ACKs tell, one after the other: silence begins when
 * the second one does not come. */
static UdtTime
ack_spacing (const UdtConnection *conn)
{
  uint64_t packets = conn->in_flight.tail - conn->in_flight.head + 1, rate;

  if (packets <= 2 * UDT_ACK_EVERY)
    return 0;
  rate = conn->congestion->rate (conn->law);
  return (uint64_t)UDT_ACK_EVERY * conn->mtu * SECOND / (rate > 0 ? rate : 1);
}

UdtTime
udt_expiry_time (const UdtConnection *conn)
{
  UdtTime since, interval;

  if (conn->in_flight.head == UDT_NUMBER_NONE)
    return UDT_NEVER;
  since = conn->sent[conn->in_flight.head & conn->sent_mask].sent;
  if (conn->expiries > 0 && conn->last_expiry > since)
    since = conn->last_expiry;
  interval = udt_expiry_interval (conn) + ack_spacing (conn);
  /* What a newer one has overtaken is found without probes. */
  if (conn->largest_acked != UDT_NUMBER_NONE
      && conn->in_flight.head < conn->largest_acked
      && interval < udt_reorder_time (conn) + UDT_MAX_ACK_DELAY)
    interval = udt_reorder_time (conn) + UDT_MAX_ACK_DELAY;
  /* Two packets an expiry are no load: the first few come without delay. */
  if (conn->expiries > 2) {
    UdtTime most = interval > UDT_MAX_EXPIRY ? interval : UDT_MAX_EXPIRY;

    interval <<= conn->expiries < 8 ? conn->expiries - 2 : 6;
    if (interval > most)
      interval = most;
  }
  return since + interval;
}

/* The oldest packet is repeated, with one more for luck; the rest stay in
 * flight until an acknowledgement tells. */
static void
expire (UdtConnection *conn, UdtTime now)
{
  uint32_t n;

  if (conn->expiries++ == 0)
    conn->silent_since
        = conn->sent[conn->in_flight.head & conn->sent_mask].sent;
  conn->last_expiry = now;
  udt_protect_give_up (conn);
  conn->probes_owed = conn->in_flight.head != conn->in_flight.tail ? 2 : 1;
  for (n = 0; n < 2 && conn->in_flight.head != UDT_NUMBER_NONE; n++)
    udt_sent_lose (conn, &conn->sent[conn->in_flight.head & conn->sent_mask],
                   true);
  udt_drop_unheard (conn, now);
  if (conn->expiries == 3)
    conn->congestion->on_expiry (conn->law, now);
}

void
udt_loss_tick (UdtConnection *conn, UdtTime now)
{
  UdtSent *oldest;

  if (conn->loss_time <= now)
    udt_detect_losses (conn, now);
  /* An MTU probe that vanished is an answer, and nothing to repeat. */
  while (
      udt_expiry_time (conn) <= now
      && ((oldest = &conn->sent[conn->in_flight.head & conn->sent_mask])->flags
          & SENT_PROBE))
    udt_sent_lose (conn, oldest, false);
  if (udt_expiry_time (conn) <= now)
    expire (conn, now);
}
