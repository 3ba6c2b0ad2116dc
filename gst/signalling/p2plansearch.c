/* Probes: who looks for a device on the local network.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each probe is a sealed box with a fresh salt, so no two have anything in
 * common and nothing in them tells which device is meant. The answer names the
 * salt of the probe, which says under which key to open it.
 *
 * Threads: that of the signaller's context. The owner may free the prober from
 * within its callback.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2plan.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* Answers come to recent probes only. */
#define MAX_SALTS (8 * P2P_LAN_MAX_INTERFACES)
#define MAX_READS 32

struct _P2pLanProber
{
  P2pSignaller *signaller;
  guint8 body[P2P_LAN_BODY];
  P2pLanAnswered answered;
  gpointer user;
  GSocket *socket;
  GSource *readable;
  guint8 salts[MAX_SALTS][P2P_BOX_SALT];
  guint64 sent;
  gboolean freed;
  gboolean busy;
};

static void
handle (P2pLanProber *prober, const guint8 *data, gsize len,
        GSocketAddress *from)
{
  guint n = MIN (prober->sent, MAX_SALTS), i;
  guint8 plain[P2P_LAN_BODY];
  P2pLanBody body;

  if (len != P2P_LAN_ANSWER)
    return;
  for (i = 0; i < n && memcmp (prober->salts[i], data, P2P_BOX_SALT); i++)
    ;
  if (i == n
      || !p2p_box_open (prober->signaller->credential, P2P_BOX_LAN_ANSWER, data,
                        data + P2P_BOX_SALT, len - P2P_BOX_SALT, plain,
                        sizeof plain)
      || !p2p_lan_read_body (plain, &body))
    return;
  prober->answered (&body, data,
                    g_inet_socket_address_get_address (
                        G_INET_SOCKET_ADDRESS (from)),
                    prober->user);
}

static void
really_free (P2pLanProber *prober)
{
  p2p_source_clear (&prober->readable);
  g_socket_close (prober->socket, NULL);
  g_object_unref (prober->socket);
  g_free (prober);
}

static gboolean
on_readable (GSocket *socket, GIOCondition condition, gpointer user)
{
  P2pLanProber *prober = user;
  guint8 data[P2P_LAN_ANSWER + 1];
  guint i;

  prober->busy = TRUE;
  for (i = 0; i < MAX_READS && !prober->freed; i++) {
    g_autoptr (GSocketAddress) from = NULL;
    gssize n = g_socket_receive_from (socket, &from, (gchar *)data, sizeof data,
                                      NULL, NULL);

    /* An error is an old probe's (port unreachable): the queue goes on. */
    if (n < 0)
      break;
    handle (prober, data, n, from);
  }
  prober->busy = FALSE;
  if (!prober->freed)
    return G_SOURCE_CONTINUE;
  really_free (prober);
  return G_SOURCE_REMOVE;
}

P2pLanProber *
p2p_lan_prober_new (P2pSignaller *signaller, const P2pLanBody *probe,
                    P2pLanAnswered answered, gpointer user, GError **error)
{
  P2pLanProber *prober;
  GSocket *socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM,
                                  G_SOCKET_PROTOCOL_UDP, error);

  if (!socket)
    return NULL;
  prober = g_new0 (P2pLanProber, 1);
  prober->signaller = signaller;
  p2p_lan_write_body (probe, prober->body);
  prober->answered = answered;
  prober->user = user;
  prober->socket = socket;
  g_socket_set_blocking (socket, FALSE);
  g_socket_set_multicast_ttl (socket, 1);
  prober->readable = g_socket_create_source (socket, G_IO_IN, NULL);
  g_source_set_callback (prober->readable,
                         (GSourceFunc)(void (*) (void))on_readable, prober,
                         NULL);
  g_source_attach (prober->readable, signaller->context);
  return prober;
}

void
p2p_lan_prober_free (P2pLanProber *prober)
{
  if (!prober)
    return;
  prober->freed = TRUE;
  if (!prober->busy)
    really_free (prober);
}

static gboolean
send_on (P2pLanProber *prober, const P2pInterface *interface)
{
  struct ip_mreqn request = { .imr_ifindex = interface->index };
  struct sockaddr_in to = { .sin_family = AF_INET };
  guint16 port = prober->signaller->uri->port;
  int fd = g_socket_get_fd (prober->socket);
  GBytes *box;
  ssize_t n;

  inet_pton (AF_INET, P2P_LAN_GROUP, &to.sin_addr);
  to.sin_port = g_htons (port ? port : P2P_LAN_PORT);
  if (setsockopt (fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request))
    return FALSE;
  box = p2p_box_seal (prober->signaller->credential, P2P_BOX_LAN_PROBE, NULL,
                      prober->body, P2P_LAN_BODY,
                      prober->salts[prober->sent % MAX_SALTS]);
  prober->sent++;
  n = sendto (fd, g_bytes_get_data (box, NULL), g_bytes_get_size (box),
              MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof to);
  g_bytes_unref (box);
  return n >= 0;
}

guint
p2p_lan_prober_send (P2pLanProber *prober)
{
  P2pInterface interfaces[P2P_LAN_MAX_INTERFACES];
  guint n = p2p_lan_interfaces (prober->signaller->uri->host, interfaces);
  guint sent = 0, i;

  for (i = 0; i < n; i++)
    sent += send_on (prober, &interfaces[i]);
  return sent;
}
