/* udt://[HOST]:PORT[?PARAM=VALUE&…], and the interface to it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstudtsettings.h"

#include <string.h>

#define SCHEME "udt"

/* What may stand in a URI. Secrets may not: they would end up in logs, in lists
 * of recent files and on other people's screens. */
static const gchar *const params[] = { "mode",
                                       "local-address",
                                       "local-port",
                                       "insecure",
                                       "keep-alive-interval",
                                       "keep-alive-attempts",
                                       "latency",
                                       "deadline",
                                       "max-callers",
                                       "high-watermark",
                                       "wait-for-connection" };

static gboolean
is_param (const gchar *name)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (params); i++)
    if (g_str_equal (params[i], name))
      return TRUE;
  return FALSE;
}

G_GNUC_PRINTF (2, 3)
static gboolean
bad_uri (GError **error, const gchar *format, ...)
{
  va_list args;

  va_start (args, format);
  if (error != NULL)
    *error = g_error_new_valist (GST_URI_ERROR, GST_URI_ERROR_BAD_URI, format,
                                 args);
  va_end (args);
  return FALSE;
}

/* Makes the value of a parameter; FALSE: not one. */
static gboolean
parse_param (GstElement *element, const gchar *name, const gchar *text,
             GValue *value, GError **error)
{
  GParamSpec *pspec;

  if (g_str_has_prefix (name, "key") || strstr (name, "pass") != NULL
      || strstr (name, "token") != NULL) {
    if (!is_param (name))
      return bad_uri (error,
                      "A secret does not belong into the URI: use the "
                      "property \"key-file\" or \"key\" instead of \"%s\"",
                      name);
  }
  pspec
      = is_param (name)
            ? g_object_class_find_property (G_OBJECT_GET_CLASS (element), name)
            : NULL;
  if (pspec == NULL)
    return bad_uri (error, "There is no parameter \"%s\"", name);
  g_value_init (value, pspec->value_type);
  if (text == NULL || !gst_value_deserialize (value, text)
      || g_param_value_validate (pspec, value)) {
    g_value_unset (value);
    return bad_uri (error, "The value of the parameter \"%s\" makes no sense",
                    name);
  }
  return TRUE;
}

static gboolean
apply_params (GstElement *element, GHashTable *table, gboolean set,
              GError **error)
{
  GHashTableIter iter;
  gpointer name, text;

  if (table == NULL)
    return TRUE;
  g_hash_table_iter_init (&iter, table);
  while (g_hash_table_iter_next (&iter, &name, &text)) {
    GValue value = G_VALUE_INIT;

    if (!parse_param (element, name, text, &value, error))
      return FALSE;
    if (set)
      g_object_set_property (G_OBJECT (element), name, &value);
    g_value_unset (&value);
  }
  return TRUE;
}

/* GstUri cannot tell port 0, any that is free, from none. */
static gboolean
has_port (GstUri *uri, const gchar *text)
{
  const gchar *authority = strstr (text, "://");
  gsize len;

  if (gst_uri_get_port (uri) != GST_URI_NO_PORT)
    return gst_uri_get_port (uri) <= G_MAXUINT16;
  if (authority == NULL)
    return FALSE;
  authority += 3;
  len = strcspn (authority, "/?#");
  return len >= 2 && strncmp (authority + len - 2, ":0", 2) == 0;
}

static gboolean
check_uri (GstUri *uri, const gchar *text, GstElement *element, GError **error)
{
  GHashTable *table;
  const gchar *path;
  gboolean ok;

  if (g_strcmp0 (gst_uri_get_scheme (uri), SCHEME) != 0)
    return bad_uri (error, "The URI does not begin with %s", SCHEME "://");
  if (gst_uri_get_userinfo (uri) != NULL)
    return bad_uri (error,
                    "There are no users here: use the property "
                    "\"%s\"",
                    "key-file");
  path = gst_uri_get_path (uri);
  ok = (path == NULL || *path == '\0' || g_str_equal (path, "/"))
       && gst_uri_get_fragment (uri) == NULL;
  g_free ((gchar *)path);
  if (!ok)
    return bad_uri (error, "The URI is %s", SCHEME "://HOST:PORT?PARAMS");
  if (!has_port (uri, text))
    return bad_uri (error, "The URI has no port: %s", SCHEME "://HOST:PORT");
  table = gst_uri_get_query_table (uri);
  ok = apply_params (element, table, FALSE, error);
  if (table != NULL)
    g_hash_table_unref (table);
  return ok;
}

/* Brackets are the URI's, not the address's. */
static gchar *
plain_host (const gchar *host)
{
  gsize len = host != NULL ? strlen (host) : 0;

  if (len == 0 || g_str_equal (host, "*"))
    return NULL;
  if (len > 2 && host[0] == '[' && host[len - 1] == ']')
    return g_strndup (host + 1, len - 2);
  return g_strdup (host);
}

static void
take_uri (GstUdtSettings *settings, GstElement *element, const gchar *text,
          GstUri *uri)
{
  GHashTable *table = gst_uri_get_query_table (uri);

  GST_OBJECT_LOCK (element);
  g_free (settings->uri);
  settings->uri = g_strdup (text);
  g_clear_pointer (&settings->uri_error, g_free);
  settings->changed = TRUE;
  g_free (settings->host);
  settings->host = plain_host (gst_uri_get_host (uri));
  settings->port = gst_uri_get_port (uri);
  if (!settings->mode_given)
    settings->mode
        = settings->host == NULL ? GST_UDT_MODE_LISTENER : GST_UDT_MODE_CALLER;
  GST_OBJECT_UNLOCK (element);
  apply_params (element, table, TRUE, NULL);
  if (table != NULL)
    g_hash_table_unref (table);
}

gboolean
gst_udt_settings_set_uri (GstUdtSettings *settings, GstElement *element,
                          const gchar *text, GError **error)
{
  GstUri *uri = NULL;
  gboolean ok;

  if (text == NULL || *text == '\0') {
    GST_OBJECT_LOCK (element);
    g_clear_pointer (&settings->uri, g_free);
    g_clear_pointer (&settings->uri_error, g_free);
    settings->changed = TRUE;
    GST_OBJECT_UNLOCK (element);
    return TRUE;
  }
  uri = gst_uri_from_string (text);
  if (uri == NULL)
    return bad_uri (error, "Not a URI: it is %s", SCHEME "://HOST:PORT");
  ok = check_uri (uri, text, element, error);
  if (ok)
    take_uri (settings, element, text, uri);
  gst_uri_unref (uri);
  return ok;
}

/* -- GstURIHandler --------------------------------------------------------- */

static GstURIType
get_uri_type (GType type)
{
  return g_str_equal (g_type_name (type), "GstUdtSink") ? GST_URI_SINK
                                                        : GST_URI_SRC;
}

static const gchar *const *
get_protocols (GType type)
{
  static const gchar *const protocols[] = { SCHEME, NULL };

  return protocols;
}

static gchar *
get_uri (GstURIHandler *handler)
{
  gchar *uri;

  g_object_get (handler, "uri", &uri, NULL);
  return uri;
}

static gboolean
set_uri (GstURIHandler *handler, const gchar *uri, GError **error)
{
  GstElement *element = GST_ELEMENT (handler);

  if (GST_STATE (element) > GST_STATE_READY) {
    g_set_error (error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE,
                 "The URI can be changed in NULL and READY only");
    return FALSE;
  }
  return gst_udt_settings_set_uri (gst_udt_settings_of (element), element, uri,
                                   error);
}

void
gst_udt_uri_handler_init (gpointer data, gpointer unused)
{
  GstURIHandlerInterface *iface = data;

  iface->get_type = get_uri_type;
  iface->get_protocols = get_protocols;
  iface->get_uri = get_uri;
  iface->set_uri = set_uri;
}
