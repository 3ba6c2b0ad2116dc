/* Makes sure that a callback neither runs nor begins after its owner has let
 * go, without a lock being held while it runs.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     if (p2p_guard_enter (&guard)) {
 *       callback (user);
 *       p2p_guard_leave (&guard);
 *     }
 *
 * p2p_guard_close() refuses later entries and waits for the one under way,
 * unless that is the caller itself. One thread enters, at most nested; any
 * thread closes.
 */
#ifndef P2P_GUARD_H
#define P2P_GUARD_H

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  GMutex lock;                  /* leaf: nothing is taken under it */
  GCond left;
  GThread *inside;              /* NULL: nobody */
  guint depth;
  gboolean closed;
} P2pGuard;

void p2p_guard_init (P2pGuard * guard);
void p2p_guard_clear (P2pGuard * guard);
gboolean p2p_guard_enter (P2pGuard * guard);
void p2p_guard_leave (P2pGuard * guard);
void p2p_guard_close (P2pGuard * guard);

G_END_DECLS

#endif /* P2P_GUARD_H */
