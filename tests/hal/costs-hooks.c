/* Counting of copies and allocations; see costs-hooks.h.
 *
 * Threads: hooks run in any; the counters are atomic.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "costs-hooks.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SMALL 64

static atomic_bool counting;
static atomic_size_t copied;
static atomic_uint allocations;
static atomic_long blocks;
/* The thread that counts, and with it the simulation, is left out. */
static _Thread_local bool is_counter;

void
hooks_start (void)
{
  is_counter = true;
  atomic_store (&copied, 0);
  atomic_store (&allocations, 0);
  atomic_store (&counting, true);
}

void
hooks_stop (void)
{
  atomic_store (&counting, false);
}

size_t
hooks_copied (void)
{
  return atomic_load (&copied);
}

unsigned
hooks_allocations (void)
{
  return atomic_load (&allocations);
}

long
hooks_blocks (void)
{
  return atomic_load (&blocks);
}

#if !COSTS_SANITIZED

void *__libc_malloc (size_t size);
void *__libc_calloc (size_t n, size_t size);
void *__libc_realloc (void *memory, size_t size);
void *__libc_memalign (size_t alignment, size_t size);
void __libc_free (void *memory);

/* Plugins are to find these. */
#pragma GCC visibility push(default)

static void
count_allocation (void)
{
  atomic_fetch_add_explicit (&blocks, 1, memory_order_relaxed);
  if (atomic_load_explicit (&counting, memory_order_relaxed) && !is_counter)
    atomic_fetch_add (&allocations, 1);
}

void *
malloc (size_t size)
{
  count_allocation ();
  return __libc_malloc (size);
}

void *
calloc (size_t n, size_t size)
{
  count_allocation ();
  return __libc_calloc (n, size);
}

void *
realloc (void *memory, size_t size)
{
  count_allocation ();
  if (memory != NULL)
    atomic_fetch_sub_explicit (&blocks, 1, memory_order_relaxed);
  return __libc_realloc (memory, size);
}

void
free (void *memory)
{
  if (memory != NULL)
    atomic_fetch_sub_explicit (&blocks, 1, memory_order_relaxed);
  __libc_free (memory);
}

int
posix_memalign (void **ret_memory, size_t alignment, size_t size)
{
  count_allocation ();
  *ret_memory = __libc_memalign (alignment, size);
  return *ret_memory != NULL ? 0 : ENOMEM;
}

void *
aligned_alloc (size_t alignment, size_t size)
{
  count_allocation ();
  return __libc_memalign (alignment, size);
}

void *
memcpy (void *restrict to, const void *restrict from, size_t size)
{
  if (size >= SMALL && atomic_load_explicit (&counting, memory_order_relaxed)
      && !is_counter)
    atomic_fetch_add (&copied, size);
  return memmove (to, from, size);
}

#pragma GCC visibility pop

#endif
