/* Flow control of the receiving side.
 *
 * The receive limit R covers every byte of every message that is not yet
 * handed out. One flow gets at most R / 2; the flows that the application
 * holds share R / 2 among them. So a held file can fill its part and no more,
 * and live flows always find the other half.
 *
 * A window says: from message `floor` on (all before it are settled) you may
 * have started this many bytes. It may also shrink; the newest packet wins.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtprivate.h"

size_t
udt_flow_share (const UdtConnection *conn, const UdtFlowIn *flow)
{
  size_t half = conn->config.receive_limit / 2;
  unsigned held;

  if (!flow->held)
    return half;
  held = (unsigned)__builtin_popcountll (conn->in_held & conn->in_used);
  return half / (held > 0 ? held : 1);
}

uint64_t
udt_flow_window (const UdtConnection *conn, const UdtFlowIn *flow)
{
  size_t share = udt_flow_share (conn, flow);
  size_t others = conn->in_bytes - flow->bytes;
  size_t room = conn->config.receive_limit > others
                    ? conn->config.receive_limit - others
                    : 0;

  if (share > room)
    share = room;
  return share > flow->settled_bytes ? share - flow->settled_bytes : 0;
}

void
udt_window_update (UdtConnection *conn, UdtFlowIn *flow, bool force)
{
  size_t share = udt_flow_share (conn, flow);
  uint64_t window;

  if (flow->reset || flow->window_due)
    return;
  window = udt_flow_window (conn, flow);
  if (!force && flow->moved < share / 4
      && flow->floor - flow->announced_floor < UDT_ID_WINDOW / 4
      && !(flow->announced < share / 2
           && window >= flow->announced + share / 4))
    return;
  flow->window_due = true;
  /* What it will say when it goes out may be less than all. */
  conn->window_tight = true;
  conn->in_window_due |= UINT64_C (1) << flow->slot;
}
