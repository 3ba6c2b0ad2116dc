/* When to look at a socket again.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * At the rates of cameras a thread's waking up costs more than the datagrams
 * that it finds. Those of a frame come one behind the other, some tens of
 * microseconds apart: whoever wakes up for the first and looks again
 * P2P_HOLD_US later has most of them at once. That is worth it only where
 * several come together, so a hold that brought fewer than two, behind none
 * that brought more, is the last until datagrams come in quick succession
 * again.
 *
 * Threads: one at a time; time is a parameter.
 */
#ifndef P2P_HOLD_H
#define P2P_HOLD_H

#include <glib.h>

G_BEGIN_DECLS

#define P2P_HOLD_US 1000
/* As many datagrams are not few. */
#define P2P_HOLD_FEW 16

typedef struct
{
  gint64 until;  /* not to be looked at before; 0: whenever it has something */
  gint64 last;   /* when something was found */
  guint close;   /* looks that found something so soon after the one before */
  gboolean paid; /* the last hold was worth it */
  gboolean vain; /* they are not */
} P2pHold;

/* Nothing has shown yet that it is worth it. */
#define P2P_HOLD_INIT                                                          \
  {                                                                            \
    .vain = TRUE                                                               \
  }

static inline gboolean
p2p_hold_is_on (const P2pHold *hold, gint64 now)
{
  return hold->until > now;
}

/* What a look at the socket has found. */
void p2p_hold_looked (P2pHold *hold, guint datagrams, gint64 now);

G_END_DECLS

#endif /* P2P_HOLD_H */
