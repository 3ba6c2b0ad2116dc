/* p2p://DEVICE-ID?PARAMS, and PARAMS as a structure.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure functions. Parsed by hand, because a device id is not a host name: it
 * is case-sensitive and may have an underscore.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <string.h>
#include "gstp2psettings.h"

#define SCHEME "p2p://"

/* Secrets are never in a URI: they would end up in logs, in lists of recent
 * files and on other people's screens. */
static const gchar *const secret_params[]
    = { "key", "key-file", "token", "token-file", "password" };

static gboolean
is_secret (const gchar *name, gsize len)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (secret_params); i++) {
    if (strlen (secret_params[i]) == len
        && g_ascii_strncasecmp (name, secret_params[i], len) == 0)
      return TRUE;
  }
  return FALSE;
}

static gboolean
check_params (const gchar *params, GError **error)
{
  const gchar *at, *end;
  gsize len = strlen (params);

  if (len > P2P_WIRE_MAX_PARAMS) {
    g_set_error (error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI,
                 "What follows the '?' in the URI is %" G_GSIZE_FORMAT
                 " bytes long; "
                 "at most %d can be sent",
                 len, P2P_WIRE_MAX_PARAMS);
    return FALSE;
  }
  for (at = params; *at != '\0'; at++) {
    if ((guchar)*at <= ' ' || *at == 0x7f || *at == '#') {
      g_set_error (error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI,
                   "The URI contains the character 0x%02x; write it as %%%02X",
                   (guchar)*at, (guchar)*at);
      return FALSE;
    }
  }
  for (at = params; *at != '\0'; at = *end != '\0' ? end + 1 : end) {
    end = at + strcspn (at, "&");
    if (is_secret (at, strcspn (at, "=&"))) {
      g_set_error (error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI,
                   "A secret does not belong into the URI: use the property "
                   "\"key-file\" or \"key\"");
      return FALSE;
    }
  }
  return TRUE;
}

gboolean
gst_p2p_uri_parse (const gchar *uri, gchar **device_id, gchar **params,
                   GError **error)
{
  const gchar *id, *query;
  gsize id_len;
  gchar *found;

  if (uri == NULL || g_ascii_strncasecmp (uri, SCHEME, strlen (SCHEME)) != 0) {
    g_set_error (error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI,
                 "The URI does not begin with " SCHEME);
    return FALSE;
  }
  if (!g_utf8_validate (uri, -1, NULL)) {
    g_set_error (error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI,
                 "The URI is not valid UTF-8");
    return FALSE;
  }
  id = uri + strlen (SCHEME);
  id_len = strcspn (id, "/?");
  /* Some callers normalise p2p://camera-1 to p2p://camera-1/. */
  query = id + id_len;
  if (*query == '/')
    query++;
  if (*query == '?') {
    query++;
  } else if (*query != '\0') {
    g_set_error (error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI,
                 "The URI has a path; it is " SCHEME "DEVICE-ID?PARAMS");
    return FALSE;
  }

  found = g_strndup (id, id_len);
  if (strpbrk (found, ":@") != NULL) {
    g_set_error (
        error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI,
        "The URI names a device, by its id alone: where it is found is "
        "said by the property \"signaller\"");
    g_free (found);
    return FALSE;
  }
  if (!p2p_device_id_check (found, error) || !check_params (query, error)) {
    g_free (found);
    return FALSE;
  }
  if (device_id != NULL)
    *device_id = g_strdup (found);
  if (params != NULL)
    *params = g_strdup (query);
  g_free (found);
  return TRUE;
}

gchar *
gst_p2p_uri_build (const gchar *device_id, const gchar *params)
{
  gboolean bare = params == NULL || *params == '\0';

  return g_strconcat (SCHEME, device_id, bare ? NULL : "?", params, NULL);
}

/* Field names that survive gst_structure_to_string() and back. */
static gboolean
is_field_name (const gchar *name)
{
  if (!g_ascii_isalpha (*name))
    return FALSE;
  while (g_ascii_isalnum (*name) || strchr ("-_.", *name) != NULL) {
    if (*name == '\0')
      return TRUE;
    name++;
  }
  return FALSE;
}

GstStructure *
gst_p2p_params_to_structure (const gchar *params)
{
  GstStructure *structure
      = gst_structure_new_empty ("application/x-p2p-request");
  gchar **pairs, **pair;

  if (params == NULL)
    params = "";
  pairs = g_strsplit (params, "&", -1);
  for (pair = pairs; *pair != NULL; pair++) {
    gchar *value = strchr (*pair, '=');
    gchar *plain;

    if (value != NULL)
      *value++ = '\0';
    plain = g_uri_unescape_string (value != NULL ? value : "", NULL);
    if (plain != NULL && g_utf8_validate (plain, -1, NULL)
        && is_field_name (*pair))
      gst_structure_set (structure, *pair, G_TYPE_STRING, plain, NULL);
    g_free (plain);
  }
  g_strfreev (pairs);
  gst_structure_set (structure, "params", G_TYPE_STRING, params, NULL);
  return structure;
}
