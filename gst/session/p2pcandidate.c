/* ICE candidates as text (RFC 8839, 5.1), read with suspicion.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A candidate makes us send packets to an address that the peer chose. The peer
 * has proved the key, still only literals of single hosts are taken: no names
 * (they would be looked up), no multicast or broadcast, no port 0.
 *
 * Pure: no state, any thread.
 */
#include "p2pmessage.h"

#include <arpa/inet.h>
#include <string.h>

#define CANDIDATE_MAX_CHARS 320

static const gchar *const kind_names[] = { "host", "srflx", "prflx", "relay" };

static gboolean
is_ice_char (gchar c)
{
  return g_ascii_isalnum (c) || c == '+' || c == '/';
}

static gboolean
check_ipv4 (const guint8 *ip)
{
  return ip[0] != 0 && ip[0] < 224;
}

/* Whether packets may be sent to `text`. Copies the normal form. */
static gboolean
read_address (const gchar *text, gchar *out)
{
  guint8 bytes[16];
  static const guint8 none[16] = { 0 };

  if (strlen (text) > P2P_ADDRESS_MAX)
    return FALSE;
  if (inet_pton (AF_INET, text, bytes) == 1) {
    if (!check_ipv4 (bytes))
      return FALSE;
  } else if (inet_pton (AF_INET6, text, bytes) == 1) {
    if (bytes[0] == 0xff || memcmp (bytes, none, 16) == 0)
      return FALSE;
    /* IPv4 in IPv6 clothes is judged as what it is. */
    if (memcmp (bytes, none, 10) == 0 && bytes[10] == 0xff && bytes[11] == 0xff
        && !check_ipv4 (bytes + 12))
      return FALSE;
  } else {
    return FALSE;
  }
  g_strlcpy (out, text, P2P_ADDRESS_MAX + 1);
  return TRUE;
}

static gboolean
read_number (const gchar *text, guint64 max, guint64 *value)
{
  guint64 v;

  if (!g_ascii_string_to_unsigned (text, 10, 0, max, &v, NULL))
    return FALSE;
  *value = v;
  return TRUE;
}

static gboolean
read_kind (const gchar *text, P2pCandidateKind *kind)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (kind_names); i++) {
    if (g_str_equal (text, kind_names[i])) {
      *kind = (P2pCandidateKind)i;
      return TRUE;
    }
  }
  return FALSE;
}

static gboolean
read_foundation (const gchar *text, gchar *out)
{
  gsize i, len = strlen (text);

  if (len == 0 || len > P2P_ICE_FOUNDATION_MAX)
    return FALSE;
  for (i = 0; i < len; i++)
    if (!is_ice_char (text[i]))
      return FALSE;
  memcpy (out, text, len + 1);
  return TRUE;
}

/* What follows the type: pairs of name and value, of which only the related
 * address means something here. */
static gboolean
read_extensions (gchar **tokens, guint n, P2pCandidate *candidate)
{
  guint64 port;
  guint i;

  if (n % 2 != 0)
    return FALSE;
  for (i = 0; i < n; i += 2) {
    if (g_str_equal (tokens[i], "raddr")) {
      /* "Any" stands for "not told" there. */
      if (!read_address (tokens[i + 1], candidate->base_address))
        candidate->base_address[0] = '\0';
    } else if (g_str_equal (tokens[i], "rport")) {
      if (!read_number (tokens[i + 1], 65535, &port))
        return FALSE;
      candidate->base_port = (guint16)port;
    }
  }
  return TRUE;
}

static gboolean
read_tokens (gchar **tokens, P2pCandidate *candidate)
{
  guint n = g_strv_length (tokens);
  guint64 priority, port;
  P2pCandidate c = { 0 };

  if (n < 8 || n > 24)
    return FALSE;
  if (!g_str_has_prefix (tokens[0], "candidate:")
      || !read_foundation (tokens[0] + strlen ("candidate:"), c.foundation))
    return FALSE;
  if (!g_str_equal (tokens[1], "1")
      || g_ascii_strcasecmp (tokens[2], "udp") != 0)
    return FALSE;
  if (!read_number (tokens[3], G_MAXINT32, &priority)
      || !read_address (tokens[4], c.address)
      || !read_number (tokens[5], 65535, &port) || port == 0)
    return FALSE;
  if (!g_str_equal (tokens[6], "typ") || !read_kind (tokens[7], &c.kind))
    return FALSE;
  c.priority = (guint32)priority;
  c.port = (guint16)port;
  if (!read_extensions (tokens + 8, n - 8, &c))
    return FALSE;
  *candidate = c;
  return TRUE;
}

gboolean
p2p_candidate_read (const gchar *text, gsize len, P2pCandidate *candidate)
{
  gchar line[CANDIDATE_MAX_CHARS + 1];
  gchar **tokens;
  gboolean ok;
  gsize i;

  if (len == 0 || len > CANDIDATE_MAX_CHARS)
    return FALSE;
  for (i = 0; i < len; i++)
    if (!g_ascii_isprint (text[i]))
      return FALSE;
  memcpy (line, text, len);
  line[len] = '\0';
  tokens = g_strsplit (line, " ", 0);
  ok = read_tokens (tokens, candidate);
  g_strfreev (tokens);
  return ok;
}

gchar *
p2p_candidate_write (const P2pCandidate *candidate)
{
  GString *s = g_string_new (NULL);

  g_string_printf (s, "candidate:%s 1 UDP %u %s %u typ %s",
                   candidate->foundation, candidate->priority,
                   candidate->address, candidate->port,
                   kind_names[candidate->kind]);
  if (candidate->base_address[0] != '\0')
    g_string_append_printf (s, " raddr %s rport %u", candidate->base_address,
                            candidate->base_port);
  return g_string_free (s, FALSE);
}
