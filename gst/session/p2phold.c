/* When to look at a socket again; see p2phold.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "p2phold.h"

/* So many close together that holding is tried again. */
#define CLOSE_ENOUGH 2

void
p2p_hold_looked (P2pHold *hold, guint datagrams, gint64 now)
{
  if (hold->until != 0) {
    gboolean paid = datagrams >= 2;

    /* Each row of holds ends with one that finds nothing. */
    hold->vain = !paid && !hold->paid;
    hold->paid = paid;
  }
  hold->until = 0;
  if (datagrams == 0)
    return;
  hold->close = now - hold->last <= P2P_HOLD_US ? hold->close + 1 : 0;
  hold->last = now;
  if (datagrams < P2P_HOLD_FEW && (!hold->vain || hold->close >= CLOSE_ENOUGH))
    hold->until = now + P2P_HOLD_US;
}
