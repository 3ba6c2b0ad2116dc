/* Parameters of a request, as iv_av.h lets them through to the program: the
 * verdict is that of a judge who takes them apart in the simplest way.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzz.h"

#include <string.h>

#include "ivmodule.h"

/* "name=value" without any of what the interface forbids. */
static gboolean
judge_pair (const gchar *pair)
{
  gchar **sides = g_strsplit (pair, "=", -1);
  gboolean ok = g_strv_length (sides) == 2 && sides[0][0] != '\0'
                && (sides[0][0] != '_' || g_str_equal (sides[0], "_crypto"));

  g_strfreev (sides);
  return ok;
}

static gboolean
judge (const gchar *params)
{
  gchar *name = g_strdup (params);
  gchar **pairs;
  gboolean ok = params[0] != '\0' && strlen (params) <= 3000
                && g_utf8_validate (params, -1, NULL);
  guint i;

  for (i = 0; params[i] != '\0'; i++)
    ok = ok && strchr ("/+", params[i]) == NULL && !g_ascii_iscntrl (params[i]);
  /* What stands before the first `?` is a name, if it is not a pair yet. */
  name[strcspn (name, "?=&")] = '\0';
  if (params[strlen (name)] == '?')
    params += strlen (name) + 1;
  g_free (name);
  pairs = g_strsplit (params, "&", -1);
  ok = ok && pairs[0] != NULL;
  for (i = 0; pairs[i] != NULL; i++)
    ok = ok && judge_pair (pairs[i]);
  g_strfreev (pairs);
  return ok;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  gchar *params = g_strndup ((const gchar *)data, size);

  FUZZ_CHECK (iv_params_check (params) == judge (params));
  g_free (params);
  return 0;
}
