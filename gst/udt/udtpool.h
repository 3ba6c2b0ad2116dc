/* Records of one size, taken and given back in O(1), got from the allocator in
 * chunks up to a limit.
 *
 * The first pointer of a free record links it; the rest of a record keeps what
 * was last in it (zero at first), so that generation counters survive. Chunks
 * go back when the pool is cleared. One thread at a time.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef UDT_POOL_H
#define UDT_POOL_H

#include "udt.h"

/* Grows by as many records as it has, from a sixteenth of `per_chunk` to all of
 * it: most connections need few. */
typedef struct
{
  const UdtEnv *env;
  size_t size;
  uint32_t per_chunk, limit;
  uint32_t made, free_count;
  void *free, *chunks;
} UdtPool;

void udt_pool_init (UdtPool *pool, const UdtEnv *env, size_t size,
                    uint32_t per_chunk, uint32_t limit);
/* At least `n` records can be taken without failing. */
bool udt_pool_reserve (UdtPool *pool, uint32_t n);
/* NULL: at the limit or out of memory. */
void *udt_pool_take (UdtPool *pool);
void udt_pool_give (UdtPool *pool, void *record);
void udt_pool_clear (UdtPool *pool);

/* An array of `*size` elements of `each` bytes, or none yet, gets twice as
 * many, `first` or more, `most` at the most; the new ones are zero. False: out
 * of memory or at the limit, and nothing has changed. */
bool udt_array_grow (const UdtEnv *env, void *array, uint32_t *size,
                     size_t each, uint32_t first, uint32_t most);

#endif /* UDT_POOL_H */
