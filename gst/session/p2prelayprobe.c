/* Asks a TURN server what it has against us.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Over UDP, with the first of the addresses that libnice was given. The first
 * request brings the realm and the nonce (error 401), the second proves user
 * and password: 401 again means that one of them is wrong, 437 (no such
 * allocation) that both are right.
 *
 * Threads: see the header. No lock.
 */
#include "p2prelayprobe.h"

#include <gio/gio.h>
#include <openssl/crypto.h>
#include <string.h>
#include <stun/usages/turn.h>

/* Requests, and the time to the second one; twice as much to each that follows.
 */
#define TRIES 4
#define FIRST_WAIT_MS 250
/* Replies looked at; what else comes to the port is not worth more. */
#define MAX_REPLIES 16

#define ERROR_UNAUTHORIZED 401
#define ERROR_STALE_NONCE 438
#define ERROR_NO_ALLOCATION 437

struct _P2pRelayProbe
{
  GMainContext *context;
  P2pRelayProbeDone done;
  gpointer user;
  gchar *name, *password; /* of the account */
  GSocket *socket;        /* NULL: there is nothing to ask with */
  GSource *readable, *timeout;
  guint tries, replies;
  gboolean proving; /* the request carries user and password */
  StunAgent agent;
  guint8 request[1024];
  gsize request_len;
};

/* The last thing that a probe does: its owner may free it. */
static void
finish (P2pRelayProbe *probe, const gchar *answer)
{
  probe->done (FALSE, answer, probe->user);
}

static void
stop_source (GSource **source)
{
  if (*source == NULL)
    return;
  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

/* -- Requests -------------------------------------------------------------- */

static gboolean on_timeout (gpointer user);

static void
send_request (P2pRelayProbe *probe)
{
  guint wait_ms = FIRST_WAIT_MS << probe->tries++;

  g_socket_send (probe->socket, (const gchar *)probe->request,
                 probe->request_len, NULL, NULL);
  stop_source (&probe->timeout);
  probe->timeout = g_timeout_source_new (wait_ms);
  g_source_set_callback (probe->timeout, on_timeout, probe, NULL);
  g_source_attach (probe->timeout, probe->context);
}

/* `challenge` NULL: without user and password. */
static void
ask (P2pRelayProbe *probe, StunMessage *challenge)
{
  gboolean prove = challenge != NULL;
  StunMessage request;

  probe->tries = 0;
  probe->proving = prove;
  probe->request_len = stun_usage_turn_create_refresh (
      &probe->agent, &request, probe->request, sizeof probe->request, challenge,
      0, prove ? (guint8 *)probe->name : NULL, prove ? strlen (probe->name) : 0,
      prove ? (guint8 *)probe->password : NULL,
      prove ? strlen (probe->password) : 0,
      STUN_USAGE_TURN_COMPATIBILITY_RFC5766);
  send_request (probe);
}

static gboolean
on_timeout (gpointer user)
{
  P2pRelayProbe *probe = user;

  if (probe->socket == NULL)
    finish (probe, "it gave us no address");
  else if (probe->tries < TRIES)
    send_request (probe);
  else
    finish (probe, "it does not answer");
  return G_SOURCE_REMOVE;
}

/* -- Replies --------------------------------------------------------------- */

static void
judge (P2pRelayProbe *probe, int code)
{
  gchar text[64];

  if (code == ERROR_UNAUTHORIZED && probe->proving) {
    finish (probe, "it refuses the user or the password (error 401)");
  } else if (code == ERROR_NO_ALLOCATION) {
    probe->done (TRUE,
                 "it knows the user and the password, but gave us no address; "
                 "it may be full, or not be allowed to",
                 probe->user);
  } else {
    g_snprintf (text, sizeof text, "it answers with error %d", code);
    finish (probe, text);
  }
}

/* TRUE: it was the last. */
static gboolean
take_reply (P2pRelayProbe *probe, const guint8 *data, gsize len)
{
  StunMessage reply;
  int code = 0;

  switch (stun_agent_validate (&probe->agent, &reply, data, len, NULL, NULL)) {
    case STUN_VALIDATION_SUCCESS:
    case STUN_VALIDATION_UNKNOWN_ATTRIBUTE:
      break;
    default:
      return FALSE; /* not of this, or not authentic */
  }
  if (stun_message_get_class (&reply) != STUN_ERROR
      || stun_message_find_error (&reply, &code) != STUN_MESSAGE_RETURN_SUCCESS)
    return FALSE;
  if ((code == ERROR_UNAUTHORIZED && !probe->proving)
      || code == ERROR_STALE_NONCE) {
    ask (probe, &reply);
    return FALSE;
  }
  judge (probe, code);
  return TRUE;
}

static gboolean
on_readable (GSocket *socket, GIOCondition condition, gpointer user)
{
  P2pRelayProbe *probe = user;
  guint8 data[2048];
  GError *error = NULL;
  gboolean refused;
  gssize n;

  n = g_socket_receive (socket, (gchar *)data, sizeof data, NULL, &error);
  refused = g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
  g_clear_error (&error);
  if (refused) {
    finish (probe, "nobody listens there");
    return G_SOURCE_REMOVE;
  }
  if (n > 0 && ++probe->replies > MAX_REPLIES) {
    finish (probe, "it talks nonsense");
    return G_SOURCE_REMOVE;
  }
  if (n > 0 && take_reply (probe, data, (gsize)n))
    return G_SOURCE_REMOVE;
  return G_SOURCE_CONTINUE;
}

/* -- Birth and death ------------------------------------------------------- */

static const P2pIceServer *
find_udp (P2pIceServers *servers)
{
  const P2pIceServer *relays;
  guint i, n = p2p_ice_servers_get_relays (servers, &relays);

  for (i = 0; i < n; i++)
    if (!relays[i].tcp)
      return &relays[i];
  return NULL;
}

static GSocket *
open_socket (const P2pIceServer *relay)
{
  GSocketAddress *address
      = g_inet_socket_address_new_from_string (relay->address, relay->port);
  GSocket *socket = NULL;

  if (address == NULL)
    return NULL;
  socket = g_socket_new (g_socket_address_get_family (address),
                         G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, NULL);
  if (socket != NULL) {
    g_socket_set_blocking (socket, FALSE);
    if (!g_socket_connect (socket, address, NULL, NULL))
      g_clear_object (&socket);
  }
  g_object_unref (address);
  return socket;
}

P2pRelayProbe *
p2p_relay_probe_new (P2pIceServers *servers, GMainContext *context,
                     P2pRelayProbeDone done, gpointer user)
{
  P2pRelayProbe *probe = g_new0 (P2pRelayProbe, 1);
  const P2pIceServer *relay = find_udp (servers);

  probe->context = context;
  probe->done = done;
  probe->user = user;
  probe->name = g_strdup (p2p_ice_servers_get_user (servers));
  probe->password = g_strdup (p2p_ice_servers_get_password (servers));
  if (relay != NULL)
    probe->socket = open_socket (relay);
  if (probe->socket == NULL) {
    /* By TCP alone: then no more can be said than what is known. */
    probe->timeout = g_timeout_source_new (0);
    g_source_set_callback (probe->timeout, on_timeout, probe, NULL);
    g_source_attach (probe->timeout, context);
    return probe;
  }
  stun_agent_init (&probe->agent, STUN_ALL_KNOWN_ATTRIBUTES,
                   STUN_COMPATIBILITY_RFC5389,
                   STUN_AGENT_USAGE_LONG_TERM_CREDENTIALS);
  probe->readable = g_socket_create_source (probe->socket, G_IO_IN, NULL);
  g_source_set_callback (probe->readable, G_SOURCE_FUNC (on_readable), probe,
                         NULL);
  g_source_attach (probe->readable, context);
  ask (probe, NULL);
  return probe;
}

void
p2p_relay_probe_free (P2pRelayProbe *probe)
{
  if (probe == NULL)
    return;
  stop_source (&probe->readable);
  stop_source (&probe->timeout);
  g_clear_object (&probe->socket);
  if (probe->password != NULL)
    OPENSSL_cleanse (probe->password, strlen (probe->password));
  OPENSSL_cleanse (probe->request, sizeof probe->request);
  g_free (probe->name);
  g_free (probe->password);
  g_free (probe);
}
