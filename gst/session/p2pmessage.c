/* Messages of session setup: JSON in and out.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure: no I/O, no state, any thread.
 */
#include "p2pmessage.h"

#include <json-glib/json-glib.h>
#include <string.h>

#define MAX_LIST 16 /* entries looked at of "transports", "aead" */

static const struct
{
  P2pMessageType type;
  const gchar *name;
} type_names[] = {
  { P2P_MESSAGE_OFFER, "offer" },
  { P2P_MESSAGE_ANSWER, "answer" },
  { P2P_MESSAGE_CANDIDATES, "candidates" },
  { P2P_MESSAGE_END_OF_CANDIDATES, "end-of-candidates" },
  { P2P_MESSAGE_RESTART, "restart" },
  { P2P_MESSAGE_BYE, "bye" },
};

const gchar *
p2p_aead_name (P2pAead aead)
{
  switch (aead) {
    case P2P_AEAD_AES_128_GCM:
      return "aes-128-gcm";
    case P2P_AEAD_CHACHA20_POLY1305:
      return "chacha20-poly1305";
    default:
      return NULL;
  }
}

/* -- Writing --------------------------------------------------------------- */

static const gchar *
type_name (P2pMessageType type)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (type_names); i++)
    if (type_names[i].type == type)
      return type_names[i].name;
  return NULL;
}

static void
add_string (JsonBuilder *builder, const gchar *name, const gchar *value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, value);
}

static void
add_hex (JsonBuilder *builder, const gchar *name, const guint8 *data, gsize len)
{
  GString *hex = g_string_sized_new (2 * len);
  gsize i;

  for (i = 0; i < len; i++)
    g_string_append_printf (hex, "%02x", data[i]);
  add_string (builder, name, hex->str);
  g_string_free (hex, TRUE);
}

/* The preferred one first: an answer names just one. */
static void
add_aeads (JsonBuilder *builder, const P2pMessage *message)
{
  guint aead;

  json_builder_set_member_name (builder, "aead");
  json_builder_begin_array (builder);
  json_builder_add_string_value (builder, p2p_aead_name (message->preferred));
  for (aead = P2P_AEAD_AES_128_GCM; aead <= P2P_AEAD_CHACHA20_POLY1305; aead++)
    if (aead != message->preferred && (message->aeads & (1u << aead)))
      json_builder_add_string_value (builder, p2p_aead_name ((P2pAead)aead));
  json_builder_end_array (builder);
}

static void
add_description (JsonBuilder *builder, const P2pMessage *message)
{
  json_builder_set_member_name (builder, "transports");
  json_builder_begin_array (builder);
  json_builder_add_string_value (builder, P2P_MESSAGE_TRANSPORT);
  json_builder_end_array (builder);
  add_aeads (builder, message);
  add_hex (builder, "fingerprint", message->fingerprint, P2P_FINGERPRINT_BYTES);
  add_string (builder, "ufrag", message->ufrag);
  add_string (builder, "pwd", message->pwd);
  if (message->previous[0] != '\0')
    add_string (builder, "previous", message->previous);
}

static void
add_candidates (JsonBuilder *builder, const P2pMessage *message)
{
  guint i;

  json_builder_set_member_name (builder, "candidates");
  json_builder_begin_array (builder);
  for (i = 0; i < message->n_candidates; i++) {
    gchar *text = p2p_candidate_write (&message->candidates[i]);

    json_builder_add_string_value (builder, text);
    g_free (text);
  }
  json_builder_end_array (builder);
  json_builder_set_member_name (builder, "complete");
  json_builder_add_boolean_value (builder, message->complete);
}

gchar *
p2p_message_write (const P2pMessage *message)
{
  JsonBuilder *builder = json_builder_new ();
  JsonNode *root;
  gchar *text;

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "v");
  json_builder_add_int_value (builder, P2P_MESSAGE_VERSION);
  add_string (builder, "type", type_name (message->type));
  add_string (builder, "session", message->session);
  json_builder_set_member_name (builder, "generation");
  json_builder_add_int_value (builder, message->generation);
  switch (message->type) {
    case P2P_MESSAGE_OFFER:
    case P2P_MESSAGE_ANSWER:
      add_description (builder, message);
      add_candidates (builder, message);
      break;
    case P2P_MESSAGE_CANDIDATES:
      add_candidates (builder, message);
      break;
    case P2P_MESSAGE_BYE:
      add_string (builder, "reason", message->reason);
      break;
    default:
      break;
  }
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  text = json_to_string (root, FALSE);
  json_node_unref (root);
  g_object_unref (builder);
  return text;
}

/* -- Reading --------------------------------------------------------------- */

static const gchar *
get_string (JsonObject *object, const gchar *name)
{
  JsonNode *node = json_object_get_member (object, name);

  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node)
      || json_node_get_value_type (node) != G_TYPE_STRING)
    return NULL;
  return json_node_get_string (node);
}

static gboolean
get_uint (JsonObject *object, const gchar *name, guint max, guint *value)
{
  JsonNode *node = json_object_get_member (object, name);
  gint64 v;

  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node)
      || json_node_get_value_type (node) != G_TYPE_INT64)
    return FALSE;
  v = json_node_get_int (node);
  if (v < 0 || v > max)
    return FALSE;
  *value = (guint)v;
  return TRUE;
}

static JsonArray *
get_array (JsonObject *object, const gchar *name)
{
  JsonNode *node = json_object_get_member (object, name);

  if (node == NULL || !JSON_NODE_HOLDS_ARRAY (node))
    return NULL;
  return json_node_get_array (node);
}

static const gchar *
get_element (JsonArray *array, guint i)
{
  JsonNode *node = json_array_get_element (array, i);

  if (!JSON_NODE_HOLDS_VALUE (node)
      || json_node_get_value_type (node) != G_TYPE_STRING)
    return NULL;
  return json_node_get_string (node);
}

static gboolean
read_session (const gchar *text, gchar *out)
{
  gsize i;

  if (text == NULL || strlen (text) != P2P_SESSION_ID_CHARS)
    return FALSE;
  for (i = 0; i < P2P_SESSION_ID_CHARS; i++)
    if (!g_ascii_isxdigit (text[i]) || g_ascii_isupper (text[i]))
      return FALSE;
  memcpy (out, text, P2P_SESSION_ID_CHARS + 1);
  return TRUE;
}

static gboolean
read_ice_string (const gchar *text, gsize min, gsize max, gchar *out)
{
  gsize i, len;

  if (text == NULL)
    return FALSE;
  len = strlen (text);
  if (len < min || len > max)
    return FALSE;
  for (i = 0; i < len; i++)
    if (!g_ascii_isalnum (text[i]) && text[i] != '+' && text[i] != '/')
      return FALSE;
  memcpy (out, text, len + 1);
  return TRUE;
}

static gboolean
read_fingerprint (const gchar *text, guint8 *out)
{
  gsize i;

  if (text == NULL || strlen (text) != 2 * P2P_FINGERPRINT_BYTES)
    return FALSE;
  for (i = 0; i < P2P_FINGERPRINT_BYTES; i++) {
    gint high = g_ascii_xdigit_value (text[2 * i]);
    gint low = g_ascii_xdigit_value (text[2 * i + 1]);

    if (high < 0 || low < 0)
      return FALSE;
    out[i] = (guint8)(high << 4 | low);
  }
  return TRUE;
}

static gboolean
read_transports (JsonArray *array)
{
  guint i, n;

  if (array == NULL)
    return FALSE;
  n = MIN (json_array_get_length (array), MAX_LIST);
  for (i = 0; i < n; i++)
    if (g_strcmp0 (get_element (array, i), P2P_MESSAGE_TRANSPORT) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
read_aeads (JsonArray *array, P2pMessage *message)
{
  guint i, n, aead;

  if (array == NULL)
    return FALSE;
  n = MIN (json_array_get_length (array), MAX_LIST);
  for (i = 0; i < n; i++) {
    const gchar *name = get_element (array, i);

    for (aead = P2P_AEAD_AES_128_GCM; aead <= P2P_AEAD_CHACHA20_POLY1305;
         aead++) {
      if (g_strcmp0 (name, p2p_aead_name ((P2pAead)aead)) != 0)
        continue;
      if (message->aeads == 0)
        message->preferred = (P2pAead)aead;
      message->aeads |= 1u << aead;
    }
  }
  return message->aeads != 0;
}

static const gchar *
read_description (JsonObject *object, P2pMessage *message)
{
  const gchar *previous = get_string (object, "previous");

  if (!read_transports (get_array (object, "transports")))
    return "no transport in common";
  if (!read_aeads (get_array (object, "aead"), message))
    return "no cipher in common";
  if (!read_fingerprint (get_string (object, "fingerprint"),
                         message->fingerprint))
    return "bad fingerprint";
  if (!read_ice_string (get_string (object, "ufrag"), 4, P2P_ICE_UFRAG_MAX,
                        message->ufrag))
    return "bad ufrag";
  if (!read_ice_string (get_string (object, "pwd"), 22, P2P_ICE_PWD_MAX,
                        message->pwd))
    return "bad pwd";
  if (previous != NULL && !read_session (previous, message->previous))
    return "bad previous session";
  return NULL;
}

/* A candidate that cannot be used (a kind of a later version, a name) is passed
 * over; the session may stand without it. */
static const gchar *
read_candidates (JsonObject *object, P2pMessage *message)
{
  JsonArray *array = get_array (object, "candidates");
  JsonNode *complete = json_object_get_member (object, "complete");
  guint i, n;

  if (array == NULL)
    return "no candidates";
  n = json_array_get_length (array);
  if (n > P2P_MESSAGE_MAX_CANDIDATES)
    return "too many candidates";
  for (i = 0; i < n; i++) {
    const gchar *text = get_element (array, i);

    if (text == NULL)
      return "bad candidate";
    if (p2p_candidate_read (text, strlen (text),
                            &message->candidates[message->n_candidates]))
      message->n_candidates++;
  }
  message->complete = complete != NULL && JSON_NODE_HOLDS_VALUE (complete)
                      && json_node_get_value_type (complete) == G_TYPE_BOOLEAN
                      && json_node_get_boolean (complete);
  return NULL;
}

/* Reasons go into messages and logs: lower case words and hyphens only. */
static const gchar *
read_reason (const gchar *text, P2pMessage *message)
{
  gsize i, len;

  if (text == NULL)
    return "no reason";
  len = strlen (text);
  if (len == 0 || len > P2P_MESSAGE_MAX_REASON)
    return "bad reason";
  for (i = 0; i < len; i++)
    if (!g_ascii_islower (text[i]) && text[i] != '-')
      return "bad reason";
  memcpy (message->reason, text, len + 1);
  return NULL;
}

static P2pMessageType
read_type (const gchar *name)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (type_names); i++)
    if (g_str_equal (name, type_names[i].name))
      return type_names[i].type;
  return P2P_MESSAGE_UNKNOWN;
}

static const gchar *
read_object (JsonObject *object, P2pMessage *message)
{
  const gchar *type = get_string (object, "type");
  guint version;

  if (!get_uint (object, "v", G_MAXINT, &version) || version < 1)
    return "no version";
  if (type == NULL)
    return "no type";
  message->type = read_type (type);
  if (message->type == P2P_MESSAGE_UNKNOWN)
    return NULL;
  if (!read_session (get_string (object, "session"), message->session))
    return "bad session";
  if (!get_uint (object, "generation", P2P_MESSAGE_MAX_GENERATION,
                 &message->generation))
    return "bad generation";
  switch (message->type) {
    case P2P_MESSAGE_OFFER:
    case P2P_MESSAGE_ANSWER: {
      const gchar *why = read_description (object, message);

      return why != NULL ? why : read_candidates (object, message);
    }
    case P2P_MESSAGE_CANDIDATES:
      return read_candidates (object, message);
    case P2P_MESSAGE_BYE:
      return read_reason (get_string (object, "reason"), message);
    default:
      return NULL;
  }
}

gboolean
p2p_message_read (const gchar *text, gsize len, P2pMessage *message,
                  const gchar **why)
{
  JsonParser *parser = json_parser_new_immutable ();
  P2pMessage *m = g_new0 (P2pMessage, 1);
  const gchar *refused = "not a JSON object";
  JsonNode *root;

  if (json_parser_load_from_data (parser, text, (gssize)len, NULL)) {
    root = json_parser_get_root (parser);
    if (root != NULL && JSON_NODE_HOLDS_OBJECT (root))
      refused = read_object (json_node_get_object (root), m);
  }
  if (refused == NULL)
    *message = *m;
  else if (why != NULL)
    *why = refused;
  g_free (m);
  g_object_unref (parser);
  return refused == NULL;
}
