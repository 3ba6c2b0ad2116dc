/* What the engine borrows from this host; see p2pborrow.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: any.
 */
#include "p2pborrow.h"

#include <glib.h>
#include <openssl/rand.h>
#include <string.h>

/* NULL is an answer: the engine does without, this once. */
static void *
env_alloc (void *user, size_t size)
{
  return g_try_malloc (size);
}

static void
env_free (void *user, void *block)
{
  g_free (block);
}

static uint64_t
env_random (void *user)
{
  uint64_t value;

  if (RAND_bytes ((unsigned char *)&value, sizeof value) != 1)
    value = (uint64_t)g_random_int () << 32 | g_random_int ();
  return value;
}

void
p2p_borrow_env (UdtEnv *env, void *user)
{
  memset (env, 0, sizeof *env);
  env->user = user;
  env->alloc = env_alloc;
  env->free = env_free;
  env->random = env_random;
}
