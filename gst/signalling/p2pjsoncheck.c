/* Whether a text from the network may be given to a JSON parser.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A scanner with one bit of state per level: object or array. Each scan_…
 * function moves the cursor behind what it has accepted, or says no.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2pjsoncheck.h"

#include <string.h>

typedef struct
{
  const gchar *at;
  const gchar *end;
} Cursor;

static void
skip_space (Cursor *c)
{
  while (
      c->at < c->end
      && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
    c->at++;
}

/* 0 at the end, which no valid text contains otherwise. */
static gchar
peek (const Cursor *c)
{
  return c->at < c->end ? *c->at : 0;
}

static gboolean
take (Cursor *c, gchar wanted)
{
  if (peek (c) != wanted)
    return FALSE;
  c->at++;
  return TRUE;
}

static gboolean
scan_word (Cursor *c, const gchar *word)
{
  gsize len = strlen (word);

  if ((gsize)(c->end - c->at) < len || memcmp (c->at, word, len) != 0)
    return FALSE;
  c->at += len;
  return TRUE;
}

static gboolean
scan_digits (Cursor *c)
{
  const gchar *start = c->at;

  while (g_ascii_isdigit (peek (c)))
    c->at++;
  return c->at > start;
}

static gboolean
scan_number (Cursor *c)
{
  take (c, '-');
  if (!take (c, '0') && !scan_digits (c))
    return FALSE;
  if (take (c, '.') && !scan_digits (c))
    return FALSE;
  if (take (c, 'e') || take (c, 'E')) {
    if (!take (c, '+'))
      take (c, '-');
    return scan_digits (c);
  }
  return TRUE;
}

static gboolean
scan_hex4 (Cursor *c, guint *value)
{
  guint i;

  *value = 0;
  for (i = 0; i < 4; i++) {
    gint digit = g_ascii_xdigit_value (peek (c));

    if (digit < 0)
      return FALSE;
    *value = *value << 4 | digit;
    c->at++;
  }
  return TRUE;
}

/* What follows a backslash. */
static gboolean
scan_escape (Cursor *c)
{
  guint high, low;

  if (!take (c, 'u')) {
    gchar escape = peek (c);

    if (escape == 0 || !strchr ("\"\\/bfnrt", escape))
      return FALSE;
    c->at++;
    return TRUE;
  }
  if (!scan_hex4 (c, &high) || high == 0)
    return FALSE;
  if (high < 0xd800 || high > 0xdfff)
    return TRUE;
  return high < 0xdc00 && take (c, '\\') && take (c, 'u') && scan_hex4 (c, &low)
         && low >= 0xdc00 && low <= 0xdfff;
}

static gboolean
scan_string (Cursor *c)
{
  if (!take (c, '"'))
    return FALSE;
  while (c->at < c->end) {
    guchar byte = *c->at++;

    if (byte == '"')
      return TRUE;
    if (byte < 0x20 || (byte == '\\' && !scan_escape (c)))
      return FALSE;
  }
  return FALSE;
}

static gboolean
scan_scalar (Cursor *c)
{
  switch (peek (c)) {
    case '"':
      return scan_string (c);
    case 't':
      return scan_word (c, "true");
    case 'f':
      return scan_word (c, "false");
    case 'n':
      return scan_word (c, "null");
    default:
      return scan_number (c);
  }
}

/* The name and the colon of an object's member. */
static gboolean
scan_name (Cursor *c)
{
  skip_space (c);
  if (!scan_string (c))
    return FALSE;
  skip_space (c);
  return take (c, ':');
}

/* Closes levels and crosses the comma, up to where the next value starts, or to
 * depth 0. */
static gboolean
scan_after_value (Cursor *c, guint *depth, const gboolean *is_object)
{
  while (*depth > 0) {
    gboolean object = is_object[*depth - 1];

    skip_space (c);
    if (take (c, ','))
      return !object || scan_name (c);
    if (!take (c, object ? '}' : ']'))
      return FALSE;
    (*depth)--;
  }
  return TRUE;
}

static gboolean
scan_object (Cursor *c)
{
  gboolean is_object[P2P_JSON_MAX_DEPTH];
  guint depth = 0;

  if (peek (c) != '{')
    return FALSE;
  do {
    gchar first;
    gboolean empty;

    skip_space (c);
    first = peek (c);
    if (first != '{' && first != '[') {
      if (!scan_scalar (c))
        return FALSE;
    } else {
      if (depth == P2P_JSON_MAX_DEPTH)
        return FALSE;
      c->at++;
      is_object[depth++] = first == '{';
      skip_space (c);
      empty = peek (c) == (first == '{' ? '}' : ']');
      if (!empty) {
        if (first == '{' && !scan_name (c))
          return FALSE;
        continue;
      }
    }
    if (!scan_after_value (c, &depth, is_object))
      return FALSE;
  } while (depth > 0);
  return TRUE;
}

gboolean
p2p_json_check (const gchar *text, gsize len, gsize max_len)
{
  Cursor c = { text, text + len };

  if (len == 0 || len > max_len || !g_utf8_validate_len (text, len, NULL))
    return FALSE;
  skip_space (&c);
  if (!scan_object (&c))
    return FALSE;
  skip_space (&c);
  return c.at == c.end;
}
