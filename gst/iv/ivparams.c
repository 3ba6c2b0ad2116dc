/* Parameters that a peer sends: "key1=value1&key2=value2".
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure. The program gets them as they came, so what the interface forbids in
 * them is refused here: an empty key, and `/`, `+` and a second `=` anywhere.
 * Keys that begin with `_` are the interface's own; `_crypto=off`, which apps
 * send, asks for what there is not and is left to the program to ignore.
 */
#include "ivmodule.h"

#include <string.h>

/* Some apps put a name before the first: "ipc.flv?", "voice?". */
static const gchar *
skip_name (const gchar *params)
{
  const gchar *mark = strpbrk (params, "?=&");

  return mark != NULL && *mark == '?' ? mark + 1 : params;
}

/* One "key=value", up to `end`. */
static gboolean
check_pair (const gchar *pair, const gchar *end)
{
  const gchar *equals = memchr (pair, '=', (gsize)(end - pair));

  if (equals == NULL || equals == pair)
    return FALSE;
  if (pair[0] == '_' && !g_str_has_prefix (pair, "_crypto="))
    return FALSE;
  return memchr (equals + 1, '=', (gsize)(end - equals - 1)) == NULL;
}

static gboolean
is_plain (const gchar *params)
{
  const gchar *c;

  for (c = params; *c != '\0'; c++)
    if (*c == '/' || *c == '+' || (guchar)*c < 0x20 || *c == 0x7f)
      return FALSE;
  return TRUE;
}

gboolean
iv_params_check (const gchar *params)
{
  gsize len = strlen (params);
  const gchar *pair;

  if (len == 0 || len > IV_MAX_COMMAND
      || !g_utf8_validate (params, (gssize)len, NULL) || !is_plain (params))
    return FALSE;
  pair = skip_name (params);
  while (pair != NULL) {
    const gchar *end = strchr (pair, '&');

    if (!check_pair (pair, end != NULL ? end : params + len))
      return FALSE;
    pair = end != NULL ? end + 1 : NULL;
  }
  return TRUE;
}
