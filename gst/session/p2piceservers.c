/* STUN and TURN servers.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: see the header. No lock.
 */
#include "p2piceservers.h"
#include "p2pendpoint.h"

#include <gio/gio.h>
#include <string.h>

#define DEFAULT_PORT 3478
#define WAIT_MS 1000 /* for names, before going on without */
#define FRESH_US (5 * 60 * G_USEC_PER_SEC)

typedef struct
{
  P2pIceServersReady ready;
  gpointer user;
} Waiter;

/* One URI, and the addresses of its host: at most one of each family. */
typedef struct
{
  gchar *host; /* NULL: not configured */
  guint16 port;
  gchar addresses[2][46];
  guint n_addresses;
  gboolean pending;
  gint64 looked_up_us;
} Host;

struct _P2pIceServers
{
  Host stun, turn;
  gchar *user, *password;
  gboolean udp, tcp;
  P2pIceServer stun_server;
  P2pIceServer relays[P2P_ICE_SERVERS_MAX];
  GCancellable *cancellable;
  GSource *timeout;
  GSList *waiters;
};

typedef struct
{
  P2pIceServers *servers; /* valid unless cancelled */
  Host *host;
} Lookup;

/* -- URIs ------------------------------------------------------------------ */

/* Secrets may stand in the URI, so the text never quotes it. */
static gboolean
fail (GError **error, const gchar *property, const gchar *what)
{
  g_set_error (error, P2P_ENDPOINT_ERROR, P2P_ENDPOINT_ERROR_SETTINGS, "%s: %s",
               property, what);
  return FALSE;
}

static gboolean
take_host (Host *host, GUri *uri, const gchar *property, GError **error)
{
  const gchar *name = g_uri_get_host (uri);
  gint port = g_uri_get_port (uri);
  GInetAddress *literal;

  if (name == NULL || name[0] == '\0' || strlen (name) > 253)
    return fail (error, property,
                 "no host name; write stun://HOST:PORT or "
                 "turn://USER:PASSWORD@HOST:PORT");
  if (port == 0 || port > 65535)
    return fail (error, property, "the port is out of range");
  host->host = g_strdup (name);
  host->port = port < 0 ? DEFAULT_PORT : (guint16)port;
  literal = g_inet_address_new_from_string (name);
  if (literal != NULL) {
    g_strlcpy (host->addresses[0], name, sizeof host->addresses[0]);
    host->n_addresses = 1;
    host->looked_up_us = G_MAXINT64;
    g_object_unref (literal);
  }
  return TRUE;
}

static gboolean
take_stun (P2pIceServers *servers, const gchar *text, GError **error)
{
  GUri *uri = g_uri_parse (text, G_URI_FLAGS_NONE, NULL);
  gboolean ok;

  if (uri == NULL || g_strcmp0 (g_uri_get_scheme (uri), "stun") != 0)
    ok = fail (error, "stun-server", "not a URI like stun://HOST:PORT");
  else
    ok = take_host (&servers->stun, uri, "stun-server", error);
  g_clear_pointer (&uri, g_uri_unref);
  return ok;
}

static gboolean
take_transport (P2pIceServers *servers, GUri *uri, GError **error)
{
  const gchar *query = g_uri_get_query (uri);

  servers->udp = servers->tcp = TRUE;
  if (query == NULL || query[0] == '\0')
    return TRUE;
  if (g_str_equal (query, "transport=udp"))
    servers->tcp = FALSE;
  else if (g_str_equal (query, "transport=tcp"))
    servers->udp = FALSE;
  else
    return fail (error, "turn-server",
                 "only transport=udp or transport=tcp may follow the ?");
  return TRUE;
}

static gboolean
take_turn (P2pIceServers *servers, const gchar *text, GError **error)
{
  GUri *uri;
  const gchar *scheme;
  gboolean ok;

  /* libnice 0.1.21 takes TURN_TLS and then talks in the clear. */
  if (g_str_has_prefix (text, "turns:"))
    return fail (
        error, "turn-server",
        "turns:// is not supported, it would "
        "not be encrypted; use turn:// (what goes through the relay is "
        "encrypted end to end in any case)");
  uri = g_uri_parse (text, G_URI_FLAGS_HAS_PASSWORD, NULL);
  scheme = uri != NULL ? g_uri_get_scheme (uri) : NULL;
  if (g_strcmp0 (scheme, "turn") != 0) {
    ok = fail (error, "turn-server",
               "not a URI like turn://USER:PASSWORD@HOST:PORT?transport=udp");
  } else if (g_uri_get_user (uri) == NULL || g_uri_get_password (uri) == NULL) {
    ok = fail (
        error, "turn-server",
        "user or password is missing; write "
        "turn://USER:PASSWORD@HOST:PORT, with %3A for a colon in either");
  } else {
    servers->user = g_strdup (g_uri_get_user (uri));
    servers->password = g_strdup (g_uri_get_password (uri));
    ok = take_host (&servers->turn, uri, "turn-server", error)
         && take_transport (servers, uri, error);
  }
  g_clear_pointer (&uri, g_uri_unref);
  return ok;
}

P2pIceServers *
p2p_ice_servers_new (const gchar *stun, const gchar *turn, GError **error)
{
  P2pIceServers *servers = g_new0 (P2pIceServers, 1);

  servers->cancellable = g_cancellable_new ();
  if ((stun != NULL && stun[0] != '\0' && !take_stun (servers, stun, error))
      || (turn != NULL && turn[0] != '\0'
          && !take_turn (servers, turn, error))) {
    p2p_ice_servers_free (servers);
    return NULL;
  }
  return servers;
}

void
p2p_ice_servers_free (P2pIceServers *servers)
{
  if (servers == NULL)
    return;
  g_cancellable_cancel (servers->cancellable);
  g_object_unref (servers->cancellable);
  if (servers->timeout != NULL) {
    g_source_destroy (servers->timeout);
    g_source_unref (servers->timeout);
  }
  g_slist_free_full (servers->waiters, g_free);
  if (servers->password != NULL)
    memset (servers->password, 0, strlen (servers->password));
  g_free (servers->user);
  g_free (servers->password);
  g_free (servers->stun.host);
  g_free (servers->turn.host);
  g_free (servers);
}

/* -- Names ----------------------------------------------------------------- */

static void
call_waiters (P2pIceServers *servers)
{
  if (servers->timeout != NULL) {
    g_source_destroy (servers->timeout);
    g_clear_pointer (&servers->timeout, g_source_unref);
  }
  /* One at a time, off the list first: a callback may forget another. */
  while (servers->waiters != NULL) {
    Waiter *waiter = servers->waiters->data;

    servers->waiters = g_slist_delete_link (servers->waiters, servers->waiters);
    waiter->ready (waiter->user);
    g_free (waiter);
  }
}

static void
keep_addresses (Host *host, GList *addresses)
{
  gboolean have[2] = { FALSE, FALSE };
  GList *l;

  host->n_addresses = 0;
  for (l = addresses; l != NULL && host->n_addresses < 2; l = l->next) {
    gboolean v6 = g_inet_address_get_family (l->data) == G_SOCKET_FAMILY_IPV6;
    gchar *text;

    if (have[v6])
      continue;
    have[v6] = TRUE;
    text = g_inet_address_to_string (l->data);
    g_strlcpy (host->addresses[host->n_addresses++], text,
               sizeof host->addresses[0]);
    g_free (text);
  }
}

static void
on_looked_up (GObject *source, GAsyncResult *result, gpointer user)
{
  Lookup *lookup = user;
  GError *error = NULL;
  GList *addresses
      = g_resolver_lookup_by_name_finish (G_RESOLVER (source), result, &error);

  if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
    P2pIceServers *servers = lookup->servers;

    lookup->host->pending = FALSE;
    if (addresses != NULL) {
      keep_addresses (lookup->host, addresses);
      lookup->host->looked_up_us = g_get_monotonic_time ();
    }
    if (!servers->stun.pending && !servers->turn.pending)
      call_waiters (servers);
  }
  g_clear_error (&error);
  g_resolver_free_addresses (addresses);
  g_free (lookup);
}

static void
look_up (P2pIceServers *servers, Host *host)
{
  GResolver *resolver;
  Lookup *lookup;

  if (host->host == NULL || host->pending)
    return;
  if (host->n_addresses > 0
      && (host->looked_up_us == G_MAXINT64
          || g_get_monotonic_time () - host->looked_up_us < FRESH_US))
    return;
  host->pending = TRUE;
  lookup = g_new0 (Lookup, 1);
  lookup->servers = servers;
  lookup->host = host;
  resolver = g_resolver_get_default ();
  g_resolver_lookup_by_name_async (resolver, host->host, servers->cancellable,
                                   on_looked_up, lookup);
  g_object_unref (resolver);
}

static gboolean
on_waited (gpointer user)
{
  call_waiters (user);
  return G_SOURCE_REMOVE;
}

void
p2p_ice_servers_refresh (P2pIceServers *servers)
{
  look_up (servers, &servers->stun);
  look_up (servers, &servers->turn);
}

void
p2p_ice_servers_when_ready (P2pIceServers *servers, P2pIceServersReady ready,
                            gpointer user)
{
  Waiter *waiter;

  p2p_ice_servers_refresh (servers);
  /* Addresses that are merely old serve until the new ones are there. */
  if ((!servers->stun.pending || servers->stun.n_addresses > 0)
      && (!servers->turn.pending || servers->turn.n_addresses > 0)) {
    ready (user);
    return;
  }
  waiter = g_new0 (Waiter, 1);
  waiter->ready = ready;
  waiter->user = user;
  servers->waiters = g_slist_append (servers->waiters, waiter);
  if (servers->timeout == NULL) {
    servers->timeout = g_timeout_source_new (WAIT_MS);
    g_source_set_callback (servers->timeout, on_waited, servers, NULL);
    g_source_attach (servers->timeout, g_main_context_get_thread_default ());
  }
}

void
p2p_ice_servers_forget (P2pIceServers *servers, gpointer user)
{
  GSList *l = servers->waiters;

  while (l != NULL) {
    GSList *next = l->next;
    Waiter *waiter = l->data;

    if (waiter->user == user) {
      servers->waiters = g_slist_delete_link (servers->waiters, l);
      g_free (waiter);
    }
    l = next;
  }
}

/* -- What is known --------------------------------------------------------- */

const P2pIceServer *
p2p_ice_servers_get_stun (P2pIceServers *servers)
{
  if (servers->stun.n_addresses == 0)
    return NULL;
  g_strlcpy (servers->stun_server.address, servers->stun.addresses[0],
             sizeof servers->stun_server.address);
  servers->stun_server.port = servers->stun.port;
  return &servers->stun_server;
}

guint
p2p_ice_servers_get_relays (P2pIceServers *servers, const P2pIceServer **relays)
{
  guint i, n = 0, tcp;

  for (tcp = 0; tcp < 2; tcp++) {
    if (tcp ? !servers->tcp : !servers->udp)
      continue;
    for (i = 0; i < servers->turn.n_addresses; i++) {
      P2pIceServer *relay = &servers->relays[n++];

      g_strlcpy (relay->address, servers->turn.addresses[i],
                 sizeof relay->address);
      relay->port = servers->turn.port;
      relay->tcp = tcp;
    }
  }
  *relays = servers->relays;
  return n;
}

const gchar *
p2p_ice_servers_get_user (P2pIceServers *servers)
{
  return servers->user;
}

const gchar *
p2p_ice_servers_get_password (P2pIceServers *servers)
{
  return servers->password;
}

gboolean
p2p_ice_servers_has_relay (P2pIceServers *servers)
{
  return servers->turn.host != NULL;
}

gchar *
p2p_ice_servers_dup_relay_name (P2pIceServers *servers)
{
  const Host *turn = &servers->turn;

  if (turn->host == NULL)
    return NULL;
  return g_strdup_printf (strchr (turn->host, ':') != NULL ? "[%s]:%u"
                                                           : "%s:%u",
                          turn->host, turn->port);
}

gboolean
p2p_ice_servers_has_stun (P2pIceServers *servers)
{
  return servers->stun.host != NULL;
}
