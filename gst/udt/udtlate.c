/* Giving up what comes too late, by the receiver itself.
 *
 * A message of a live flow says how long after its submission it is wanted. A
 * strict flow need not wait for the sender's word that an earlier message was
 * given up, which an outage delays for as long as it lasts: when the time of
 * an incomplete message has passed, so has that of all before it, and what is
 * whole behind them goes out.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtprivate.h"

/* Behind the newest message of the flow whose time is over; the time of the
 * first one left is noted down. */
static uint64_t
expired_end (UdtFlowIn *flow, UdtTime now)
{
  uint64_t end = flow->floor;
  const UdtIn *in;

  flow->expiry = UDT_NEVER;
  for (in = flow->messages; in != NULL; in = in->flow_next) {
    if (in->expiry > now) {
      if (in->expiry < flow->expiry)
        flow->expiry = in->expiry;
    } else if (in->id >= end) {
      end = in->complete ? in->id : in->id + 1;
    }
  }
  return end;
}

void
udt_expire_late (UdtConnection *conn, UdtTime now)
{
  uint64_t mask = conn->in_used;

  for (; mask != 0; mask &= mask - 1) {
    UdtFlowIn *flow = &conn->flows_in[__builtin_ctzll (mask)];

    if (flow->expiry > now || flow->reset)
      continue;
    conn->stats.messages_expired
        += udt_in_give_up (conn, flow, flow->floor, expired_end (flow, now));
  }
}

UdtTime
udt_expire_time (const UdtConnection *conn)
{
  uint64_t mask = conn->in_used;
  UdtTime time = UDT_NEVER;

  for (; mask != 0; mask &= mask - 1) {
    const UdtFlowIn *flow = &conn->flows_in[__builtin_ctzll (mask)];

    if (!flow->reset && flow->expiry < time)
      time = flow->expiry;
  }
  return time;
}
