/* Discovery on the local network: interfaces, sockets, packets.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2plan.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

#ifndef IP_MULTICAST_ALL
#define IP_MULTICAST_ALL 49
#endif

static gboolean
is_wanted (const struct ifaddrs *ifa, const gchar *only)
{
  const struct sockaddr_in *in = (const struct sockaddr_in *)ifa->ifa_addr;
  gchar text[INET_ADDRSTRLEN];

  if (!ifa->ifa_addr || ifa->ifa_addr->sa_family != AF_INET
      || !(ifa->ifa_flags & IFF_UP)
      || !(ifa->ifa_flags & (IFF_MULTICAST | IFF_LOOPBACK)))
    return FALSE;
  if (!only)
    return TRUE;
  inet_ntop (AF_INET, &in->sin_addr, text, sizeof text);
  return strcmp (only, ifa->ifa_name) == 0 || strcmp (only, text) == 0;
}

guint
p2p_lan_interfaces (const gchar *only, P2pInterface *out)
{
  struct ifaddrs *all, *ifa;
  guint n = 0, i;

  if (getifaddrs (&all) != 0)
    return 0;
  for (ifa = all; ifa && n < P2P_LAN_MAX_INTERFACES; ifa = ifa->ifa_next) {
    gint index
        = is_wanted (ifa, only) ? (gint)if_nametoindex (ifa->ifa_name) : 0;

    for (i = 0; i < n && out[i].index != index; i++)
      ;
    if (index == 0 || i < n)
      continue; /* not wanted, or its second address */
    out[n].index = index;
    g_strlcpy (out[n].name, ifa->ifa_name, sizeof out[n].name);
    n++;
  }
  freeifaddrs (all);
  return n;
}

GSocket *
p2p_lan_open_receiver (guint16 port, GError **error)
{
  g_autoptr (GSocket) socket
      = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM,
                      G_SOCKET_PROTOCOL_UDP, error);
  g_autoptr (GSocketAddress) address
      = g_inet_socket_address_new_from_string (P2P_LAN_GROUP, port);

  if (!socket)
    return NULL;
  g_socket_set_blocking (socket, FALSE);
  /* Not what others on this machine have joined. */
  g_socket_set_option (socket, IPPROTO_IP, IP_MULTICAST_ALL, 0, NULL);
  /* Bound to the group, it gets nothing else; shared with other devices. */
  if (!g_socket_bind (socket, address, TRUE, error))
    return NULL;
  return g_steal_pointer (&socket);
}

void
p2p_lan_join (GSocket *receiver, const P2pInterface *interface)
{
  struct ip_mreqn request = { .imr_ifindex = interface->index };

  inet_pton (AF_INET, P2P_LAN_GROUP, &request.imr_multiaddr);
  /* EADDRINUSE, joined already, is the usual answer; an interface that cannot
   * be joined now is tried again. */
  (void)setsockopt (g_socket_get_fd (receiver), IPPROTO_IP, IP_ADD_MEMBERSHIP,
                    &request, sizeof request);
}

void
p2p_lan_write_body (const P2pLanBody *body, guint8 *out)
{
  out[0] = body->purpose;
  out[1] = 0;
  out[2] = body->port >> 8;
  out[3] = body->port & 0xff;
  memcpy (out + 4, body->instance, P2P_LAN_INSTANCE);
  memcpy (out + 4 + P2P_LAN_INSTANCE, body->challenge, P2P_CHALLENGE_BYTES);
}

gboolean
p2p_lan_read_body (const guint8 *in, P2pLanBody *body)
{
  if (in[0] != P2P_LAN_FOR_VIEWER && in[0] != P2P_LAN_FOR_TWIN)
    return FALSE;
  body->purpose = in[0];
  body->port = in[2] << 8 | in[3];
  memcpy (body->instance, in + 4, P2P_LAN_INSTANCE);
  memcpy (body->challenge, in + 4 + P2P_LAN_INSTANCE, P2P_CHALLENGE_BYTES);
  return TRUE;
}
