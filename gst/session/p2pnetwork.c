/* Notices that this host's addresses change: Wi-Fi to cable, a new lease, a
 * modem that dials again.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A netlink socket of our own on the network thread. GNetworkMonitor would tell
 * the context that happened to create it, which here comes and goes.
 * Changes come in bursts; the tick looks a moment after the last one.
 */
#include "p2pendpoint-private.h"

#include <glib-unix.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SETTLE_MS 300

/* The viewer makes new paths; a device that has moved asks for one. */
static void
look_at_peer (P2pPeer *peer)
{
  if (peer->state != P2P_PEER_UP || peer->path == NULL)
    return;
  if (p2p_path_local_is_present (peer->path)
      && !p2p_path_is_relayed (peer->path))
    return;
  if (peer->role == P2P_ROLE_VIEWER)
    p2p_peer_restart (peer);
  else
    p2p_peer_ask_restart (peer);
}

static gboolean
on_settled (gpointer user)
{
  P2pEndpoint *endpoint = user;
  guint i;

  g_clear_pointer (&endpoint->network_settle, g_source_unref);
  p2p_signaller_network_changed (endpoint->signaller);
  for (i = 0; i < endpoint->peers->len; i++)
    look_at_peer (g_ptr_array_index (endpoint->peers, i));
  if (endpoint->config.role == P2P_ROLE_VIEWER && endpoint->redial != NULL)
    p2p_viewer_dial (endpoint);
  return G_SOURCE_REMOVE;
}

static gboolean
on_netlink (gint fd, GIOCondition condition, gpointer user)
{
  P2pEndpoint *endpoint = user;
  gchar buffer[8192];
  gssize n;

  /* What it says does not matter; that it says something does. */
  while ((n = recv (fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0)
    ;
  if (endpoint->network_settle != NULL) {
    g_source_destroy (endpoint->network_settle);
    g_source_unref (endpoint->network_settle);
  }
  endpoint->network_settle = g_timeout_source_new (SETTLE_MS);
  g_source_set_callback (endpoint->network_settle, on_settled, endpoint, NULL);
  g_source_attach (endpoint->network_settle, endpoint->context);
  return G_SOURCE_CONTINUE;
}

void
p2p_network_watch (P2pEndpoint *endpoint)
{
  struct sockaddr_nl address;
  gint fd = socket (AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    NETLINK_ROUTE);

  if (fd < 0)
    return;
  memset (&address, 0, sizeof address);
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (bind (fd, (struct sockaddr *)&address, sizeof address) < 0) {
    close (fd);
    return;
  }
  endpoint->network_fd = fd;
  endpoint->network_source = g_unix_fd_source_new (fd, G_IO_IN);
  g_source_set_callback (endpoint->network_source, G_SOURCE_FUNC (on_netlink),
                         endpoint, NULL);
  g_source_attach (endpoint->network_source, endpoint->context);
}

void
p2p_network_unwatch (P2pEndpoint *endpoint)
{
  if (endpoint->network_settle != NULL) {
    g_source_destroy (endpoint->network_settle);
    g_clear_pointer (&endpoint->network_settle, g_source_unref);
  }
  if (endpoint->network_source == NULL)
    return;
  g_source_destroy (endpoint->network_source);
  g_clear_pointer (&endpoint->network_source, g_source_unref);
  close (endpoint->network_fd);
}
