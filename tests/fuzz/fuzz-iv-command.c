/* A peer's command on its way to the program and the reply on its way back, as
 * iv_av.h hands them over.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The first four bytes say how large a reply the program gives and whether it
 * has a free function; bit 24 makes the command longer than it may be.
 */
#include "fuzz.h"

#include <string.h>

#include "ivmodule.h"

#define ADDED 3000

static const gchar *expected;
static size_t expected_len, reply_len;
static gboolean with_free;
static guint calls, frees;

static void
on_free (uint8_t *buf, size_t size)
{
  FUZZ_CHECK (size == reply_len);
  frees++;
  g_free (buf);
}

static iv_cm_memory_s
on_command (const char *command, size_t len, const char *peer)
{
  static uint8_t own[P2P_COMMAND_MAX + 2];
  iv_cm_memory_s memory = { own, reply_len, NULL };

  calls++;
  FUZZ_CHECK (len == expected_len && len > 0 && len <= 3000);
  FUZZ_CHECK (memcmp (command, expected, len) == 0 && command[len] == '\0');
  FUZZ_CHECK (strcmp (peer, "peer") == 0);
  if (with_free) {
    memory.buf = g_malloc0 (reply_len + 1);
    memory.buf_free_fn = on_free;
  }
  return memory;
}

static void
run (const gchar *command, size_t len)
{
  IvModule module = { .refs = 1 };
  GBytes *bytes = g_bytes_new (command, len), *reply;
  gboolean allowed = len > 0 && len <= 3000;

  g_mutex_init (&module.lock);
  g_cond_init (&module.changed);
  module.calls.command = on_command;
  expected = command;
  expected_len = len;
  calls = frees = 0;
  reply = iv_command_run (&module, "peer", bytes);
  FUZZ_CHECK (calls == (allowed ? 1 : 0));
  FUZZ_CHECK (frees == (allowed && with_free ? 1 : 0));
  FUZZ_CHECK ((reply != NULL)
              == (allowed && reply_len > 0 && reply_len <= P2P_COMMAND_MAX));
  FUZZ_CHECK (reply == NULL || g_bytes_get_size (reply) == reply_len);
  FUZZ_CHECK (module.refs == 1 && !module.in_command);
  g_clear_pointer (&reply, g_bytes_unref);
  g_bytes_unref (bytes);
  g_mutex_clear (&module.lock);
  g_cond_clear (&module.changed);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  FuzzInput in = { data, data + size };
  uint32_t how = fuzz_u32 (&in);
  size_t left = fuzz_left (&in);
  size_t added = how & 1u << 24 ? ADDED : 0;
  gchar *command = g_malloc0 (left + added + 1);

  iv_log_set_level (IV_LOG_NONE);
  memcpy (command, in.at, left);
  reply_len = (how & 0xffffff) % (P2P_COMMAND_MAX + 2);
  with_free = how >> 31;
  run (command, left + added);
  g_free (command);
  return 0;
}
