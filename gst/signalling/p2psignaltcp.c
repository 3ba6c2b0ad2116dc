/* tcp://: the device listens at an address, the viewer knows it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: that of the signaller's context. Tcp (P2pSignaller.transport)
 * belongs to the signaller, from start to stop. A viewer has no server to
 * reach: it is ONLINE from the start, and each channel says what became of it.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2pconnect.h"
#include "p2ptcp.h"

typedef struct
{
  P2pTcpServer *server; /* device, while it listens */
  P2pConnector *resolver;
  GSource *retry;
} Tcp;

static void listen_begin (P2pSignaller *signaller);

static gboolean
on_retry (gpointer user)
{
  P2pSignaller *signaller = user;
  Tcp *tcp = signaller->transport;

  p2p_source_clear (&tcp->retry);
  listen_begin (signaller);
  return G_SOURCE_REMOVE;
}

static void
listen_failed (P2pSignaller *signaller, const gchar *reason,
               const gchar *detail)
{
  Tcp *tcp = signaller->transport;

  p2p_tcp_server_free (tcp->server);
  tcp->server = NULL;
  tcp->retry
      = p2p_signaller_timer (signaller, p2p_signaller_backoff (signaller),
                             on_retry, signaller);
  p2p_signaller_set_state (signaller, P2P_SIGNALLER_OFFLINE, reason, detail);
}

static void
on_addresses (GPtrArray *addresses, const gchar *error, gpointer user)
{
  P2pSignaller *signaller = user;
  Tcp *tcp = signaller->transport;
  g_autoptr (GError) listen_error = NULL;
  g_autofree gchar *detail = NULL;
  guint i;

  tcp->server = p2p_tcp_server_new (signaller, NULL, NULL);
  for (i = 0; addresses && i < addresses->len && !listen_error; i++) {
    p2p_tcp_server_listen (tcp->server, addresses->pdata[i], &listen_error);
  }
  g_clear_pointer (&tcp->resolver, p2p_connector_free);
  if (error || listen_error) {
    gboolean in_use
        = g_error_matches (listen_error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);

    detail = g_strdup_printf (in_use ? "cannot listen at %s: %s (is another "
                                       "device running there?)"
                                     : "cannot listen at %s: %s",
                              signaller->redacted,
                              error ? error : listen_error->message);
    listen_failed (signaller,
                   in_use ? P2P_REASON_DUPLICATE : P2P_REASON_HEARTBEAT,
                   detail);
    return;
  }
  signaller->port = p2p_tcp_server_get_port (tcp->server);
  p2p_signaller_backoff_reset (signaller);
  p2p_signaller_set_state (signaller, P2P_SIGNALLER_ONLINE, NULL, NULL);
}

static void
listen_begin (P2pSignaller *signaller)
{
  Tcp *tcp = signaller->transport;

  tcp->resolver
      = p2p_resolver_new (signaller->context, signaller->uri->host,
                          signaller->uri->port, signaller->timing.connect,
                          on_addresses, signaller);
}

static void
tcp_start (P2pSignaller *signaller)
{
  signaller->transport = g_new0 (Tcp, 1);
  if (signaller->role == P2P_ROLE_DEVICE)
    listen_begin (signaller);
  else
    p2p_signaller_set_state (signaller, P2P_SIGNALLER_ONLINE, NULL, NULL);
}

static void
tcp_stop (P2pSignaller *signaller)
{
  Tcp *tcp = g_steal_pointer (&signaller->transport);

  p2p_tcp_server_free (tcp->server);
  p2p_connector_free (tcp->resolver);
  p2p_source_clear (&tcp->retry);
  g_free (tcp);
}

static void
tcp_open (P2pSignaller *signaller, P2pChannel *channel)
{
  p2p_tcp_channel_connect (channel, signaller->uri->host, signaller->uri->port,
                           NULL, NULL);
}

const P2pTransportOps p2p_transport_tcp = {
  .start = tcp_start,
  .stop = tcp_stop,
  .open = tcp_open,
  .send = p2p_tcp_channel_send,
  .close = p2p_tcp_channel_close,
  .network_changed = p2p_tcp_network_changed,
};
