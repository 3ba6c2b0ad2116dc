/* The check in front of the JSON parser: whatever it lets through, json-glib
 * takes as one object, no deeper than allowed.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzz.h"

#include "p2pjsoncheck.h"
#include "p2psignaller.h"

#include <json-glib/json-glib.h>
#include <string.h>

static void walk (JsonNode *node, guint depth);

static void
walk_member (JsonObject *object, const gchar *name, JsonNode *node,
             gpointer depth)
{
  FUZZ_CHECK (g_utf8_validate (name, -1, NULL));
  walk (node, GPOINTER_TO_UINT (depth));
}

static void
walk (JsonNode *node, guint depth)
{
  if (JSON_NODE_HOLDS_OBJECT (node)) {
    FUZZ_CHECK (depth < P2P_JSON_MAX_DEPTH);
    json_object_foreach_member (json_node_get_object (node), walk_member,
                                GUINT_TO_POINTER (depth + 1));
  } else if (JSON_NODE_HOLDS_ARRAY (node)) {
    JsonArray *array = json_node_get_array (node);
    guint i;

    FUZZ_CHECK (depth < P2P_JSON_MAX_DEPTH);
    for (i = 0; i < json_array_get_length (array); i++)
      walk (json_array_get_element (array, i), depth + 1);
  } else if (json_node_get_value_type (node) == G_TYPE_STRING) {
    FUZZ_CHECK (g_utf8_validate (json_node_get_string (node), -1, NULL));
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const gchar *text = (const gchar *)data;
  JsonParser *parser;

  if (!p2p_json_check (text, size, P2P_SIGNAL_MAX_MESSAGE))
    return 0;
  FUZZ_CHECK (size <= P2P_SIGNAL_MAX_MESSAGE);
  FUZZ_CHECK (memchr (data, 0, size) == NULL);
  parser = json_parser_new ();
  FUZZ_CHECK (json_parser_load_from_data (parser, text, (gssize)size, NULL));
  FUZZ_CHECK (JSON_NODE_HOLDS_OBJECT (json_parser_get_root (parser)));
  walk (json_parser_get_root (parser), 0);
  g_object_unref (parser);
  return 0;
}
