/* Records of one size. See udtpool.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtpool.h"

#include <string.h>

/* A chunk begins with a link to the one before it, padded so that records are
 * aligned as the allocator aligns blocks. */
#define CHUNK_HEAD 16
/* The first chunk is that part of a whole one. */
#define FIRST_CHUNK 16

void
udt_pool_init (UdtPool *pool, const UdtEnv *env, size_t size,
               uint32_t per_chunk, uint32_t limit)
{
  memset (pool, 0, sizeof *pool);
  pool->env = env;
  pool->size = (size + 15) & ~(size_t)15;
  pool->per_chunk = per_chunk;
  pool->limit = limit;
}

static bool
grow (UdtPool *pool)
{
  uint32_t n = pool->per_chunk / FIRST_CHUNK, i;
  uint8_t *chunk;

  if (n < pool->made)
    n = pool->made;
  if (n == 0)
    n = 1;
  if (n > pool->per_chunk)
    n = pool->per_chunk;
  if (n > pool->limit - pool->made)
    n = pool->limit - pool->made;
  if (n == 0)
    return false;
  chunk = pool->env->alloc (pool->env->user, CHUNK_HEAD + n * pool->size);
  if (chunk == NULL)
    return false;
  memset (chunk, 0, CHUNK_HEAD + n * pool->size);
  *(void **)chunk = pool->chunks;
  pool->chunks = chunk;
  for (i = n; i-- > 0;)
    udt_pool_give (pool, chunk + CHUNK_HEAD + i * pool->size);
  pool->made += n;
  return true;
}

bool
udt_pool_reserve (UdtPool *pool, uint32_t n)
{
  while (pool->free_count < n) {
    if (!grow (pool))
      return false;
  }
  return true;
}

void *
udt_pool_take (UdtPool *pool)
{
  void *record;

  if (pool->free == NULL && !grow (pool))
    return NULL;
  record = pool->free;
  pool->free = *(void **)record;
  pool->free_count--;
  return record;
}

void
udt_pool_give (UdtPool *pool, void *record)
{
  *(void **)record = pool->free;
  pool->free = record;
  pool->free_count++;
}

void
udt_pool_clear (UdtPool *pool)
{
  while (pool->chunks != NULL) {
    void *chunk = pool->chunks;

    pool->chunks = *(void **)chunk;
    pool->env->free (pool->env->user, chunk);
  }
  pool->free = NULL;
  pool->made = pool->free_count = 0;
}

bool
udt_array_grow (const UdtEnv *env, void *array, uint32_t *size, size_t each,
                uint32_t first, uint32_t most)
{
  uint32_t n = *size * 2;
  uint8_t *bigger, *old;

  memcpy (&old, array, sizeof old);
  if (n < first)
    n = first;
  if (n > most)
    n = most;
  if (n == *size)
    return false;
  bigger = env->alloc (env->user, n * each);
  if (bigger == NULL)
    return false;
  if (old != NULL) {
    memcpy (bigger, old, *size * each);
    env->free (env->user, old);
  }
  memset (bigger + *size * each, 0, (n - *size) * each);
  memcpy (array, &bigger, sizeof bigger);
  *size = n;
  return true;
}
