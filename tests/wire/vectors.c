/* The writer of vectors, and the program. See vectors.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   wire-vectors golden       those that are the same each time
 *   wire-vectors boxes        those with random parts
 *   wire-vectors connection   two engines that talk over a path with losses
 */
#include "vectors.h"

#include <stdio.h>
#include <string.h>

static bool first; /* of its object or list */

static void
put_key (const char *key)
{
  if (!first)
    fputs (", ", stdout);
  first = false;
  if (key)
    printf ("\"%s\": ", key);
}

void
vector_open (const char *key, char bracket)
{
  put_key (key);
  putchar (bracket);
  first = true;
}

void
vector_close (char bracket)
{
  putchar (bracket);
  first = false;
}

void
vector_begin (const char *kind, const char *name)
{
  putchar ('{');
  first = true;
  vector_text ("kind", kind, strlen (kind));
  if (name)
    vector_text ("name", name, strlen (name));
}

void
vector_end (void)
{
  puts ("}");
}

void
vector_number (const char *key, uint64_t value)
{
  put_key (key);
  printf ("%llu", (unsigned long long)value);
}

void
vector_signed (const char *key, int64_t value)
{
  put_key (key);
  printf ("%lld", (long long)value);
}

void
vector_bool (const char *key, bool value)
{
  put_key (key);
  fputs (value ? "true" : "false", stdout);
}

void
vector_hex (const char *key, const void *data, size_t len)
{
  const uint8_t *bytes = data;

  put_key (key);
  putchar ('"');
  for (size_t i = 0; i < len; i++)
    printf ("%02x", bytes[i]);
  putchar ('"');
}

void
vector_text (const char *key, const char *text, size_t len)
{
  put_key (key);
  putchar ('"');
  for (size_t i = 0; i < len; i++) {
    if (text[i] == '"' || text[i] == '\\')
      putchar ('\\');
    putchar (text[i]);
  }
  putchar ('"');
}

void
vector_count (uint8_t *out, size_t len, uint8_t value)
{
  for (size_t i = 0; i < len; i++)
    out[i] = (uint8_t)(value + i);
}

int
main (int argc, char **argv)
{
  const char *which = argc == 2 ? argv[1] : "";

  if (!strcmp (which, "golden")) {
    vectors_frames ();
    vectors_session ();
    vectors_signalling ();
    vectors_udt ();
  } else if (!strcmp (which, "boxes")) {
    vectors_boxes ();
  } else if (!strcmp (which, "connection")) {
    vectors_connection ();
  } else {
    fputs ("wire-vectors golden|boxes|connection\n", stderr);
    return 2;
  }
  return 0;
}
