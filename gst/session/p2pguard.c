/* Callbacks that end when their owner says so.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: see the header.
 */
#include "p2pguard.h"

void
p2p_guard_init (P2pGuard *guard)
{
  g_mutex_init (&guard->lock);
  g_cond_init (&guard->left);
  guard->inside = NULL;
  guard->depth = 0;
  guard->closed = FALSE;
}

void
p2p_guard_clear (P2pGuard *guard)
{
  g_mutex_clear (&guard->lock);
  g_cond_clear (&guard->left);
}

gboolean
p2p_guard_enter (P2pGuard *guard)
{
  gboolean entered;

  g_mutex_lock (&guard->lock);
  entered = !guard->closed;
  if (entered) {
    guard->inside = g_thread_self ();
    guard->depth++;
  }
  g_mutex_unlock (&guard->lock);
  return entered;
}

void
p2p_guard_leave (P2pGuard *guard)
{
  g_mutex_lock (&guard->lock);
  if (--guard->depth == 0) {
    guard->inside = NULL;
    /* Nobody else waits, and telling nobody is a system call, too. */
    if (guard->closed)
      g_cond_broadcast (&guard->left);
  }
  g_mutex_unlock (&guard->lock);
}

void
p2p_guard_close (P2pGuard *guard)
{
  g_mutex_lock (&guard->lock);
  guard->closed = TRUE;
  while (guard->inside != NULL && guard->inside != g_thread_self ())
    g_cond_wait (&guard->left, &guard->lock);
  g_mutex_unlock (&guard->lock);
}
