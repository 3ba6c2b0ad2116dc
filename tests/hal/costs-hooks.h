/* Counting of copies and allocations in this process, by functions of the C
 * library that are this program's own. Those of the thread that counts, in
 * which the simulated encoders work, are left out; GLib's slices are among them
 * with G_SLICE=always-malloc.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef COSTS_HOOKS_H
#define COSTS_HOOKS_H

#include <stddef.h>

/* Sanitizers have functions of their own in the same places. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COSTS_SANITIZED 1
#else
#define COSTS_SANITIZED 0
#endif

void hooks_start (void);
void hooks_stop (void);
/* Bytes in copies of 64 bytes and more. */
size_t hooks_copied (void);
unsigned hooks_allocations (void);
/* Allocated and not freed, of all threads, since the program began. */
long hooks_blocks (void);

#endif /* COSTS_HOOKS_H */
