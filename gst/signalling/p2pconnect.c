/* Finding and reaching a host.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: that of the context. Reference counted, since a resolution that was
 * cancelled still ends in its callback.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2pconnect.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct
{
  P2pConnector *connector;
  GSocket *socket;
  GSource *source;
} Attempt;

struct _P2pConnector
{
  gint ref_count;
  gboolean done; /* nothing calls back any more */
  GMainContext *context;
  guint16 port;
  P2pConnectDone connect_done;
  P2pResolveDone resolve_done;
  gpointer user;
  GCancellable *cancellable;
  GPtrArray *addresses;
  guint next_address;
  GPtrArray *attempts;
  GSource *stagger;
  GSource *timeout;
  gchar *last_error;
};

static gboolean next_attempt (gpointer user);

static void
clear_source (GSource **source)
{
  if (*source) {
    g_source_destroy (*source);
    g_source_unref (*source);
    *source = NULL;
  }
}

static void
attempt_free (gpointer data)
{
  Attempt *attempt = data;

  clear_source (&attempt->source);
  g_clear_object (&attempt->socket);
  g_free (attempt);
}

static void
connector_unref (P2pConnector *connector)
{
  if (!g_atomic_int_dec_and_test (&connector->ref_count))
    return;
  g_object_unref (connector->cancellable);
  g_ptr_array_unref (connector->addresses);
  g_ptr_array_unref (connector->attempts);
  g_main_context_unref (connector->context);
  g_free (connector->last_error);
  g_free (connector);
}

/* Everything goes but the memory. */
static void
shut (P2pConnector *connector)
{
  connector->done = TRUE;
  clear_source (&connector->stagger);
  clear_source (&connector->timeout);
  g_ptr_array_set_size (connector->attempts, 0);
  g_cancellable_cancel (connector->cancellable);
}

void
p2p_connector_free (P2pConnector *connector)
{
  if (!connector)
    return;
  shut (connector);
  connector_unref (connector);
}

static void
finish (P2pConnector *connector, GSocket *socket, const gchar *error)
{
  g_autofree gchar *text = g_strdup (error);

  g_atomic_int_inc (&connector->ref_count);
  shut (connector);
  if (connector->resolve_done)
    connector->resolve_done (error ? NULL : connector->addresses, text,
                             connector->user);
  else
    connector->connect_done (socket, text, connector->user);
  connector_unref (connector);
}

static void
set_last_error (P2pConnector *connector, const gchar *text)
{
  g_free (connector->last_error);
  connector->last_error = g_strdup (text);
}

static GSource *
after (P2pConnector *connector, guint ms, GSourceFunc func)
{
  GSource *source = g_timeout_source_new (ms);

  g_source_set_callback (source, func, connector, NULL);
  g_source_attach (source, connector->context);
  return source;
}

/* Goes on with the next address, or gives up when none is left or pending. */
static void
attempt_failed (P2pConnector *connector, const gchar *why)
{
  set_last_error (connector, why);
  if (connector->next_address < connector->addresses->len) {
    clear_source (&connector->stagger);
    connector->stagger = after (connector, 0, next_attempt);
  } else if (connector->attempts->len == 0) {
    finish (connector, NULL, connector->last_error);
  }
}

static gboolean
on_connected (GSocket *socket, GIOCondition condition, gpointer user)
{
  Attempt *attempt = user;
  P2pConnector *connector = attempt->connector;
  g_autoptr (GError) error = NULL;

  if (g_socket_check_connect_result (socket, &error)) {
    g_object_ref (socket); /* the attempts go before the callback */
    finish (connector, socket, NULL);
    g_object_unref (socket);
  } else {
    g_ptr_array_remove_fast (connector->attempts, attempt);
    attempt_failed (connector, error->message);
  }
  return G_SOURCE_REMOVE;
}

static gboolean
next_attempt (gpointer user)
{
  P2pConnector *connector = user;
  GSocketAddress *address;
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket = NULL;
  Attempt *attempt;

  clear_source (&connector->stagger);
  address = connector->addresses->pdata[connector->next_address++];
  socket = g_socket_new (g_socket_address_get_family (address),
                         G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, &error);
  if (socket) {
    g_socket_set_blocking (socket, FALSE);
    if (g_socket_connect (socket, address, NULL, &error)) {
      finish (connector, socket, NULL);
      return G_SOURCE_REMOVE;
    }
  }
  if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_PENDING)) {
    attempt_failed (connector, error->message);
    return G_SOURCE_REMOVE;
  }
  attempt = g_new0 (Attempt, 1);
  attempt->connector = connector;
  attempt->socket = g_steal_pointer (&socket);
  attempt->source = g_socket_create_source (attempt->socket, G_IO_OUT, NULL);
  g_source_set_callback (attempt->source,
                         (GSourceFunc)(void (*) (void))on_connected, attempt,
                         NULL);
  g_source_attach (attempt->source, connector->context);
  g_ptr_array_add (connector->attempts, attempt);
  if (connector->next_address < connector->addresses->len)
    connector->stagger
        = after (connector, P2P_CONNECT_STAGGER_MS, next_attempt);
  return G_SOURCE_REMOVE;
}

static gboolean
on_timeout (gpointer user)
{
  P2pConnector *connector = user;

  finish (connector, NULL,
          connector->last_error ? connector->last_error
          : connector->addresses->len > 0
              ? "no answer (connection timed out)"
              : "its name could not be resolved in time");
  return G_SOURCE_REMOVE;
}

static gboolean
have_addresses (gpointer user)
{
  P2pConnector *connector = user;

  clear_source (&connector->stagger);
  if (connector->resolve_done)
    finish (connector, NULL, NULL);
  else
    next_attempt (connector);
  return G_SOURCE_REMOVE;
}

static void
on_resolved (GObject *resolver, GAsyncResult *result, gpointer user)
{
  P2pConnector *connector = user;
  g_autoptr (GError) error = NULL;
  GList *list = g_resolver_lookup_by_name_finish (G_RESOLVER (resolver), result,
                                                  &error);
  GList *l;

  if (!connector->done) {
    for (l = list; l && connector->addresses->len < P2P_CONNECT_MAX_ADDRESSES;
         l = l->next)
      g_ptr_array_add (connector->addresses,
                       g_inet_socket_address_new (l->data, connector->port));
    if (connector->addresses->len > 0)
      have_addresses (connector);
    else
      finish (connector, NULL, error ? error->message : "it has no address");
  }
  g_resolver_free_addresses (list);
  connector_unref (connector);
}

static P2pConnector *
start (GMainContext *context, const gchar *host, guint16 port, guint timeout_ms)
{
  P2pConnector *connector = g_new0 (P2pConnector, 1);
  GSocketAddress *address;
  GResolver *resolver;

  connector->ref_count = 1;
  connector->context = g_main_context_ref (context);
  connector->port = port;
  connector->cancellable = g_cancellable_new ();
  connector->addresses = g_ptr_array_new_with_free_func (g_object_unref);
  connector->attempts = g_ptr_array_new_with_free_func (attempt_free);
  connector->timeout = after (connector, timeout_ms, on_timeout);

  address = g_inet_socket_address_new_from_string (host, port);
  if (address) {
    g_ptr_array_add (connector->addresses, address);
    connector->stagger = after (connector, 0, have_addresses);
    return connector;
  }
  g_atomic_int_inc (&connector->ref_count);
  g_main_context_push_thread_default (context);
  resolver = g_resolver_get_default ();
  g_resolver_lookup_by_name_async (resolver, host, connector->cancellable,
                                   on_resolved, connector);
  g_object_unref (resolver);
  g_main_context_pop_thread_default (context);
  return connector;
}

P2pConnector *
p2p_connector_new (GMainContext *context, const gchar *host, guint16 port,
                   guint timeout_ms, P2pConnectDone done, gpointer user)
{
  P2pConnector *connector = start (context, host, port, timeout_ms);

  connector->connect_done = done;
  connector->user = user;
  return connector;
}

P2pConnector *
p2p_resolver_new (GMainContext *context, const gchar *host, guint16 port,
                  guint timeout_ms, P2pResolveDone done, gpointer user)
{
  P2pConnector *connector = start (context, host, port, timeout_ms);

  connector->resolve_done = done;
  connector->user = user;
  return connector;
}

gboolean
p2p_socket_is_at_home (int fd)
{
  union
  {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } address;
  socklen_t len = sizeof address;
  gboolean at_home;
  int probe;

  if (getsockname (fd, &address.any, &len) != 0)
    return TRUE;
  /* The same place in both. */
  address.v4.sin_port = 0;
  probe = socket (address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0)
    return TRUE;
  at_home = bind (probe, &address.any, len) == 0 || errno != EADDRNOTAVAIL;
  close (probe);
  return at_home;
}
