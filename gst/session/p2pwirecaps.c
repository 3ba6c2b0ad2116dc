/* What is checked about two strings of the peer before others parse them: caps
 * and the parameters of a request.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GStreamer's caps parser goes down one level of the C stack for every list in
 * a list, so a string of 1 KB can overrun the stack of a thread. It also makes
 * any type that is named to it, caps within caps among them. So the string must
 * first match a grammar that is much smaller than what that parser takes, and
 * in which nobody can be of two minds about where a quoted string ends:
 *
 *   caps  = name *( "," field "=" value )
 *   value = [ "(" type ")" ] ( list | string | token )
 *   list  = "<" [ values ] ">" / "{" [ values ] "}" / "[" values "]"
 *
 * Blanks may stand between any two of these. Types are those that live in caps
 * of media, and hold nothing but themselves.
 *
 * Threads: no state at all.
 */
#include "p2pwire.h"

#include <string.h>

/* -- Caps ------------------------------------------------------------------ */

typedef struct
{
  const char *at;
  const char *end;
  unsigned depth; /* brackets open */
} Scan;

static const char *const caps_types[] = {
  "int",
  "i",
  "gint",
  "uint",
  "u",
  "guint",
  "gint64",
  "guint64",
  "float",
  "f",
  "gfloat",
  "double",
  "d",
  "gdouble",
  "boolean",
  "bool",
  "b",
  "gboolean",
  "string",
  "str",
  "s",
  "gchararray",
  "fraction",
  "GstFraction",
  "buffer",
  "GstBuffer",
  "bitmask",
  "GstBitmask",
  "GstVideoMultiviewFlagsSet",
};

static bool
is_letter (char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit (char c)
{
  return c >= '0' && c <= '9';
}

static char
peek (const Scan *scan)
{
  return scan->at < scan->end ? *scan->at : '\0';
}

static void
skip_blanks (Scan *scan)
{
  while (peek (scan) == ' ')
    scan->at++;
}

static bool
take (Scan *scan, char c)
{
  skip_blanks (scan);
  if (peek (scan) != c)
    return false;
  scan->at++;
  return true;
}

static bool
enter (Scan *scan, char c)
{
  return take (scan, c) && ++scan->depth <= P2P_WIRE_MAX_CAPS_DEPTH;
}

static bool
leave (Scan *scan, char c)
{
  scan->depth--;
  return take (scan, c);
}

/* Letters, digits and the marks that GStreamer leaves unquoted; 0: none. */
static size_t
take_token (Scan *scan)
{
  const char *start;

  skip_blanks (scan);
  start = scan->at;
  while (is_letter (peek (scan)) || is_digit (peek (scan))
         || (peek (scan) != '\0' && strchr ("_-+/:.", peek (scan)) != NULL))
    scan->at++;
  return (size_t)(scan->at - start);
}

static bool
take_name (Scan *scan)
{
  skip_blanks (scan);
  return is_letter (peek (scan)) && take_token (scan) > 0;
}

static bool
take_type (Scan *scan)
{
  const char *start;
  size_t len;

  skip_blanks (scan);
  start = scan->at;
  len = take_token (scan);
  for (size_t i = 0; i < sizeof caps_types / sizeof caps_types[0]; i++) {
    if (strlen (caps_types[i]) == len
        && memcmp (caps_types[i], start, len) == 0)
      return true;
  }
  return false;
}

/* What follows a backslash: an octal byte or the character itself. An octal
 * byte must not smuggle in a control character. */
static bool
take_escape (Scan *scan)
{
  char c = peek (scan);
  unsigned byte = 0;

  if (c == '\0')
    return false;
  if (!is_digit (c)) {
    scan->at++;
    return true;
  }
  if (c > '3')
    return false;
  for (int i = 0; i < 3; i++) {
    c = peek (scan);
    if (c < '0' || c > '7')
      return false;
    byte = byte << 3 | (unsigned)(c - '0');
    scan->at++;
  }
  return byte >= 0x20 && byte != 0x7f;
}

/* Brackets in a string are harmless as long as everybody agrees that it is one.
 * GStreamer escapes them; those that are not count, and only upward. */
static bool
take_string (Scan *scan)
{
  unsigned depth = scan->depth;

  if (!take (scan, '"'))
    return false;
  while (scan->at < scan->end) {
    char c = *scan->at++;

    if (c == '"')
      return true;
    if (c == '\\' && !take_escape (scan))
      return false;
    if (strchr ("<{[(", c) != NULL && ++depth > P2P_WIRE_MAX_CAPS_DEPTH)
      return false;
  }
  return false;
}

/* Goes down at most P2P_WIRE_MAX_CAPS_DEPTH levels. */
static bool
take_value (Scan *scan)
{
  static const char open[] = "<{[", close[] = ">}]";
  const char *bracket;

  skip_blanks (scan);
  if (peek (scan) == '('
      && !(enter (scan, '(') && take_type (scan) && leave (scan, ')')))
    return false;
  skip_blanks (scan);
  if (peek (scan) == '"')
    return take_string (scan);
  bracket = peek (scan) != '\0' ? strchr (open, peek (scan)) : NULL;
  if (bracket == NULL)
    return take_token (scan) > 0;

  if (!enter (scan, *bracket))
    return false;
  skip_blanks (scan);
  if (peek (scan) != close[bracket - open]) {
    do {
      if (!take_value (scan))
        return false;
    } while (take (scan, ','));
  }
  return leave (scan, close[bracket - open]);
}

bool
p2p_wire_check_caps (const char *caps, size_t len)
{
  Scan scan = { caps, caps + len, 0 };
  const char *name;

  if (len == 0 || len > P2P_WIRE_MAX_CAPS || !p2p_wire_check_text (caps, len))
    return false;

  /* A media type has a slash; ANY, EMPTY and NONE have none. */
  skip_blanks (&scan);
  name = scan.at;
  if (!take_name (&scan)
      || memchr (name, '/', (size_t)(scan.at - name)) == NULL)
    return false;
  while (take (&scan, ',')) {
    if (!take_name (&scan) || !take (&scan, '=') || !take_value (&scan))
      return false;
  }
  skip_blanks (&scan);
  return scan.at == scan.end;
}

/* -- Parameters ------------------------------------------------------------ */

typedef struct
{
  P2pWireString key;
  P2pWireString value;
} Parameter;

static bool
same (P2pWireString a, P2pWireString b)
{
  return a.len == b.len && (a.len == 0 || memcmp (a.data, b.data, a.len) == 0);
}

/* Takes the next "key=value" off `rest`; false: none left. */
static bool
next_parameter (P2pWireString *rest, Parameter *parameter)
{
  while (rest->len > 0) {
    const char *end = memchr (rest->data, '&', rest->len);
    size_t len = end != NULL ? (size_t)(end - rest->data) : rest->len;
    const char *equals = memchr (rest->data, '=', len);
    size_t key_len = equals != NULL ? (size_t)(equals - rest->data) : len;
    size_t skip = key_len < len ? key_len + 1 : len;

    parameter->key = (P2pWireString){ rest->data, key_len };
    parameter->value = (P2pWireString){ rest->data + skip, len - skip };
    len += end != NULL ? 1 : 0;
    rest->data += len;
    rest->len -= len;
    if (key_len > 0)
      return true;
  }
  return false;
}

/* The first one counts. */
static bool
find_parameter (P2pWireString params, P2pWireString key, P2pWireString *value)
{
  Parameter parameter;

  while (next_parameter (&params, &parameter)) {
    if (same (parameter.key, key)) {
      *value = parameter.value;
      return true;
    }
  }
  return false;
}

bool
p2p_wire_match (const char *match, const char *params, size_t params_len)
{
  static const P2pWireString action = { "action", 6 }, live = { "live", 4 };
  P2pWireString request = { params, params_len };
  P2pWireString all, rest, wanted, value;
  Parameter parameter;
  bool empty = true;

  all = rest = (P2pWireString){ match, match != NULL ? strlen (match) : 0 };
  while (next_parameter (&rest, &parameter)) {
    empty = false;
    if (!find_parameter (all, parameter.key, &wanted)
        || !find_parameter (request, parameter.key, &value)
        || !same (wanted, value))
      return false;
  }
  if (!empty)
    return true;
  return !find_parameter (request, action, &value) || same (value, live);
}
