/* Signaller URIs: parsing, checking, hiding of passwords.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure functions. Error texts never contain the URI itself, which may have a
 * password in it.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2psignalpriv.h"

#include <string.h>
#include <openssl/crypto.h>

#define MAX_URI 2048
#define MQTT_PORT 1883
#define MQTTS_PORT 8883

static const struct
{
  const gchar *name;
  P2pScheme scheme;
} schemes[] = {
  { "lan", P2P_SCHEME_LAN },
  { "tcp", P2P_SCHEME_TCP },
  { "mqtt", P2P_SCHEME_MQTT },
  { "mqtts", P2P_SCHEME_MQTTS },
};

GQuark
p2p_signaller_error_quark (void)
{
  return g_quark_from_static_string ("p2p-signaller-error-quark");
}

void
p2p_signal_uri_free (P2pSignalUri *uri)
{
  if (!uri)
    return;
  if (uri->password)
    OPENSSL_cleanse (uri->password, strlen (uri->password));
  g_free (uri->user);
  g_free (uri->password);
  g_free (uri->host);
  g_free (uri->ca_file);
  g_free (uri);
}

static void
set_error (GError **error, const gchar *text)
{
  g_set_error_literal (error, P2P_SIGNALLER_ERROR, P2P_SIGNALLER_ERROR_URI,
                       text);
}

static gboolean
parse_scheme (const gchar *text, P2pScheme *scheme, const gchar **rest,
              GError **error)
{
  gsize i;

  for (i = 0; text && i < G_N_ELEMENTS (schemes); i++) {
    gsize len = strlen (schemes[i].name);

    if (g_ascii_strncasecmp (text, schemes[i].name, len) == 0
        && strncmp (text + len, "://", 3) == 0) {
      *scheme = schemes[i].scheme;
      *rest = text + len + 3;
#ifndef HAVE_MQTT
      if (*scheme == P2P_SCHEME_MQTT || *scheme == P2P_SCHEME_MQTTS) {
        g_set_error (error, P2P_SIGNALLER_ERROR,
                     P2P_SIGNALLER_ERROR_UNSUPPORTED,
                     "%s:// is not part of this build (needs libmosquitto)",
                     schemes[i].name);
        return FALSE;
      }
#endif
      return TRUE;
    }
  }
  set_error (error, "a signaller is lan://, tcp://HOST:PORT, "
                    "mqtt://[USER:PASSWORD@]HOST[:PORT] or mqtts://…");
  return FALSE;
}

/* HOST, HOST:PORT, [IPV6], [IPV6]:PORT, :PORT. `port` stays -1 without one. */
static gboolean
parse_host (const gchar *text, gsize len, gchar **host, gint64 *port,
            GError **error)
{
  g_autofree gchar *copy = g_strndup (text, len);
  gchar *colon, *name = copy;

  if (*copy == '[') {
    gchar *bracket = strchr (copy, ']');

    if (!bracket || (bracket[1] != 0 && bracket[1] != ':')) {
      set_error (error, "an IPv6 address is written [ADDRESS]:PORT");
      return FALSE;
    }
    colon = bracket[1] ? bracket + 1 : NULL;
    *bracket = 0;
    name++;
  } else {
    colon = strchr (copy, ':');
    if (colon && strchr (colon + 1, ':')) {
      set_error (error, "an IPv6 address is written [ADDRESS]:PORT");
      return FALSE;
    }
  }
  if (colon) {
    guint64 number;

    if (!g_ascii_string_to_unsigned (colon + 1, 10, 0, 65535, &number, NULL)) {
      set_error (error,
                 "the port of the signaller is not a number below 65536");
      return FALSE;
    }
    *port = (gint64)number;
    *colon = 0;
  }
  for (colon = name; *colon; colon++) {
    if (!g_ascii_isalnum (*colon) && !strchr (".-_:%", *colon)) {
      set_error (error, "the signaller's host has an odd character in it");
      return FALSE;
    }
  }
  *host = *name ? g_strdup (name) : NULL;
  return TRUE;
}

static gboolean
parse_user (P2pSignalUri *uri, const gchar *text, gsize len, GError **error)
{
  g_autofree gchar *copy = g_strndup (text, len);
  gchar *colon = strchr (copy, ':');

  if (colon) {
    uri->password = g_uri_unescape_string (colon + 1, NULL);
    OPENSSL_cleanse (colon + 1, strlen (colon + 1));
    *colon = 0;
  }
  uri->user = g_uri_unescape_string (copy, NULL);
  if (!uri->user || !*uri->user || (colon && !uri->password)) {
    set_error (error, "user and password of the signaller cannot be read "
                      "(special characters are written as %XX)");
    return FALSE;
  }
  return TRUE;
}

static gboolean
parse_query (P2pSignalUri *uri, const gchar *query, GError **error)
{
  if (!g_str_has_prefix (query, "ca-file=") || strchr (query, '&')
      || uri->scheme != P2P_SCHEME_MQTTS) {
    set_error (error,
               "the only parameter of a signaller is mqtts://…?ca-file=");
    return FALSE;
  }
  uri->ca_file = g_uri_unescape_string (query + strlen ("ca-file="), NULL);
  if (!uri->ca_file || !g_file_test (uri->ca_file, G_FILE_TEST_IS_REGULAR)) {
    g_set_error (error, P2P_SIGNALLER_ERROR, P2P_SIGNALLER_ERROR_FILE,
                 "there is no CA file %s", uri->ca_file ? uri->ca_file : "");
    return FALSE;
  }
  return TRUE;
}

static gboolean
check (P2pSignalUri *uri, P2pRole role, gint64 port, GError **error)
{
  switch (uri->scheme) {
    case P2P_SCHEME_LAN:
      if (port == 0) {
        set_error (error, "a lan:// port is 1 to 65535");
        return FALSE;
      }
      uri->port = port > 0 ? port : 0;
      break;
    case P2P_SCHEME_TCP:
      if (!uri->host || port < 0 || (port == 0 && role == P2P_ROLE_VIEWER)) {
        set_error (
            error,
            role == P2P_ROLE_VIEWER
                ? "a tcp:// signaller names the device: tcp://HOST:PORT"
                : "a tcp:// signaller says where to listen: tcp://HOST:PORT, "
                  "with 0.0.0.0 or [::] for everywhere");
        return FALSE;
      }
      uri->port = port;
      break;
    default:
      if (!uri->host || port == 0) {
        set_error (error, "an mqtt:// signaller names the broker: "
                          "mqtt://[USER:PASSWORD@]HOST[:PORT]");
        return FALSE;
      }
      uri->port = port > 0                          ? port
                  : uri->scheme == P2P_SCHEME_MQTTS ? MQTTS_PORT
                                                    : MQTT_PORT;
      break;
  }
  if (uri->user && uri->scheme != P2P_SCHEME_MQTT
      && uri->scheme != P2P_SCHEME_MQTTS) {
    set_error (error, "only mqtt:// and mqtts:// have a user and a password");
    return FALSE;
  }
  return TRUE;
}

P2pSignalUri *
p2p_signal_uri_parse (const gchar *text, P2pRole role, GError **error)
{
  g_autoptr (P2pSignalUri) uri = g_new0 (P2pSignalUri, 1);
  const gchar *rest, *at, *query;
  gint64 port = -1;
  gsize len;

  if (text && (strlen (text) > MAX_URI || !g_utf8_validate (text, -1, NULL))) {
    set_error (error, "the signaller's URI is too long or not text");
    return NULL;
  }
  if (!parse_scheme (text, &uri->scheme, &rest, error))
    return NULL;
  len = strcspn (rest, "?");
  query = rest[len] == '?' ? rest + len + 1 : NULL;
  /* A password may have been typed with an @ in it: the last one counts. */
  at = g_strrstr_len (rest, len, "@");
  if (at) {
    if (!parse_user (uri, rest, at - rest, error))
      return NULL;
    len -= at + 1 - rest;
    rest = at + 1;
  }
  if (len > 0 && rest[len - 1] == '/')
    len--;
  if (!parse_host (rest, len, &uri->host, &port, error)
      || (query && !parse_query (uri, query, error))
      || !check (uri, role, port, error))
    return NULL;
  return g_steal_pointer (&uri);
}

gboolean
p2p_signaller_check_uri (const gchar *uri, P2pRole role, GError **error)
{
  g_autoptr (P2pSignalUri) parsed = p2p_signal_uri_parse (uri, role, error);

  return parsed != NULL;
}

gchar *
p2p_signaller_redact_uri (const gchar *uri)
{
  const gchar *start, *at, *colon;
  gsize len;

  if (!uri)
    return g_strdup ("");
  start = strstr (uri, "://");
  start = start ? start + 3 : uri;
  len = strcspn (start, "?");
  at = g_strrstr_len (start, len, "@");
  colon = at ? memchr (start, ':', at - start) : NULL;
  if (!colon)
    return g_strdup (uri);
  return g_strdup_printf ("%.*s:***%s", (gint)(colon - uri), uri, at);
}
