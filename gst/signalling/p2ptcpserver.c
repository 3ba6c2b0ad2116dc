/* The device's side of TCP: listens, and lets in who proves the key.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A stranger costs one Guest, of which there are few, each for a short time.
 * All who fail are refused by the same bytes at the same time after their first
 * byte, whatever was wrong; to an unknown device id and to a wrong key the very
 * same happens, since the id only goes into the key.
 *
 * Threads: that of the signaller's context. The server owns its guests; a guest
 * that proves the key becomes a channel, which owns the link from then on.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2ptcp.h"

#include <string.h>
#include <sys/socket.h>

#define MAX_LISTENERS 8
#define BACKLOG 64
/* Per dispatch, so that a flood leaves time for others. */
#define MAX_ACCEPTS 16

struct _P2pTcpServer
{
  P2pSignaller *signaller;
  P2pTcpFindChallenge find;
  gpointer user;
  GSocket *listeners[MAX_LISTENERS];
  GSource *sources[MAX_LISTENERS];
  guint n_listeners;
  guint16 port;
  GQueue guests; /* oldest first */
  P2pBucket bucket;
  P2pSources limits;
};

typedef struct
{
  P2pTcpServer *server;
  GList *link_in_queue;
  P2pLink *link;
  P2pSource *source;
  GSource *timer; /* until it must have proved the key; then, if
                     it did not, until it is told */
  gboolean refused;
  gchar *from;
  guint8 challenge[P2P_CHALLENGE_BYTES];
} Guest;

/* The link stays: it is somebody else's now, or gone. */
static void
guest_forget (Guest *guest, gboolean proved)
{
  g_queue_delete_link (&guest->server->guests, guest->link_in_queue);
  p2p_sources_leave (guest->source, proved);
  if (proved)
    p2p_bucket_give_back (&guest->server->bucket);
  p2p_source_clear (&guest->timer);
  g_free (guest->from);
  g_free (guest);
}

static void
guest_drop (Guest *guest)
{
  P2pLink *link = guest->link;

  guest_forget (guest, FALSE);
  p2p_link_free (link);
}

static gboolean
tell_refused (gpointer user)
{
  Guest *guest = user;
  P2pLink *link = guest->link;

  if (!guest->server->find)
    p2p_link_send (link, P2P_FRAME_REFUSED, "", 0);
  guest_forget (guest, FALSE);
  p2p_link_finish (link);
  return G_SOURCE_REMOVE;
}

static void
refuse (Guest *guest)
{
  P2pSignaller *signaller = guest->server->signaller;
  gint64 due
      = p2p_link_get_first_us (guest->link) + signaller->timing.refuse * 1000LL;
  gint64 wait = (due - g_get_monotonic_time ()) / 1000;

  if (guest->refused)
    return;
  guest->refused = TRUE;
  p2p_link_stop_reading (guest->link);
  p2p_source_clear (&guest->timer);
  guest->timer
      = p2p_signaller_timer (signaller, MAX (wait, 0), tell_refused, guest);
  p2p_signaller_reject (signaller, guest->from);
}

/* Time is up. */
static gboolean
handshake_timeout (gpointer user)
{
  Guest *guest = user;

  if (p2p_link_get_first_us (guest->link) != 0)
    refuse (guest);
  else
    guest_drop (guest);
  return G_SOURCE_REMOVE;
}

static void
send_busy (Guest *guest, P2pEnvelope *envelope)
{
  GBytes *bytes = p2p_envelope_seal (envelope, P2P_ENVELOPE_CLOSE,
                                     P2P_REASON_BUSY, strlen (P2P_REASON_BUSY));
  P2pLink *link = guest->link;

  p2p_link_send (link, P2P_FRAME_ENVELOPE, g_bytes_get_data (bytes, NULL),
                 g_bytes_get_size (bytes));
  g_bytes_unref (bytes);
  p2p_envelope_free (envelope);
  guest_forget (guest, TRUE);
  p2p_link_finish (link);
}

/* The guest is a viewer. */
static void
let_in (Guest *guest, P2pEnvelope *envelope, P2pEnvelopeKind kind,
        const guint8 *body, gsize len)
{
  P2pSignaller *signaller = guest->server->signaller;
  P2pLink *link = guest->link;
  P2pChannel *channel;

  if (signaller->n_channels >= P2P_SIGNAL_MAX_CHANNELS) {
    send_busy (guest, envelope);
    return;
  }
  channel = p2p_channel_new (signaller);
  p2p_channel_set_remote (channel, guest->from);
  guest_forget (guest, TRUE);
  p2p_tcp_channel_adopt (channel, link);
  p2p_channel_ready (channel, envelope);
  p2p_channel_deliver (channel, kind, body, len);
}

static void
on_frame (P2pLink *link, guint8 type, const guint8 *data, gsize len,
          gpointer user)
{
  Guest *guest = user;
  P2pTcpServer *server = guest->server;
  const guint8 *channel_id;
  guint8 body[P2P_SIGNAL_MAX_MESSAGE];
  P2pEnvelope *envelope;
  P2pEnvelopeKind kind;
  guint64 number;
  gsize body_len;

  if (type != P2P_FRAME_ENVELOPE
      || !p2p_envelope_peek (data, len, P2P_ROLE_VIEWER, &channel_id, &number)
      || number != 0
      || (server->find
          && !server->find (server->user, channel_id, guest->challenge))) {
    refuse (guest);
    return;
  }
  envelope = p2p_envelope_new (server->signaller->credential, P2P_ROLE_DEVICE,
                               guest->challenge, channel_id);
  if (p2p_envelope_open (envelope, data, len, &kind, body, &body_len)
      != P2P_ENVELOPE_OK) {
    p2p_envelope_free (envelope);
    refuse (guest);
    return;
  }
  let_in (guest, envelope, kind, body, body_len);
}

static void
on_garbage (P2pLink *link, gpointer user)
{
  refuse (user);
}

static void
on_lost (P2pLink *link, const gchar *why, gpointer user)
{
  Guest *guest = user;
  P2pSignaller *signaller = p2p_signaller_ref (guest->server->signaller);

  if (p2p_link_get_first_us (link) != 0 && !guest->refused)
    p2p_signaller_reject (signaller, guest->from);
  if (!signaller->stopped)
    guest_drop (guest);
  p2p_signaller_unref (signaller);
}

static const P2pLinkCallbacks link_callbacks
    = { on_frame, on_garbage, on_lost };

static void
greet (Guest *guest)
{
  guint8 hello[P2P_TCP_HELLO_BYTES] = { 0 };

  p2p_random (guest->challenge, P2P_CHALLENGE_BYTES);
  memcpy (hello, P2P_TCP_MAGIC, 4);
  hello[4] = P2P_ENVELOPE_VERSION;
  memcpy (hello + 8, guest->challenge, P2P_CHALLENGE_BYTES);
  p2p_link_send (guest->link, P2P_FRAME_HELLO, hello, sizeof hello);
}

static void
welcome (P2pTcpServer *server, GSocket *socket, GInetAddress *address,
         P2pSource *source)
{
  P2pSignaller *signaller = server->signaller;
  Guest *guest;

  /* Who came first has had time to prove the key, most of all in a flood. */
  if (g_queue_get_length (&server->guests) >= P2P_TCP_MAX_UNPROVED)
    guest_drop (g_queue_peek_head (&server->guests));
  guest = g_new0 (Guest, 1);
  guest->server = server;
  guest->source = source;
  guest->from = g_inet_address_to_string (address);
  g_queue_push_tail (&server->guests, guest);
  guest->link_in_queue = g_queue_peek_tail_link (&server->guests);
  guest->link
      = p2p_link_new (socket, signaller->context, &link_callbacks, guest);
  guest->timer = p2p_signaller_timer (signaller, signaller->timing.handshake,
                                      handshake_timeout, guest);
  if (!server->find)
    greet (guest);
}

/* FALSE: nobody waits. */
static gboolean
accept_one (P2pTcpServer *server, GSocket *listener)
{
  P2pSignaller *signaller = server->signaller;
  gint64 now = g_get_monotonic_time ();
  g_autoptr (GSocket) socket = g_socket_accept (listener, NULL, NULL);
  g_autoptr (GSocketAddress) remote = NULL;
  GInetAddress *address;
  P2pSource *source = NULL;

  if (!socket)
    return FALSE;
  remote = g_socket_get_remote_address (socket, NULL);
  if (!remote)
    return TRUE; /* gone already */
  address = g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (remote));
  if (p2p_bucket_take (&server->bucket, now))
    source = p2p_sources_enter (&server->limits, address, now);
  if (!source) {
    g_autofree gchar *from = g_inet_address_to_string (address);

    p2p_signaller_reject (signaller, from);
    return TRUE;
  }
  welcome (server, socket, address, source);
  return TRUE;
}

static gboolean
on_acceptable (GSocket *listener, GIOCondition condition, gpointer user)
{
  P2pTcpServer *server = user;
  P2pSignaller *signaller = p2p_signaller_ref (server->signaller);
  gboolean more = TRUE;
  guint i;

  for (i = 0; i < MAX_ACCEPTS && more && !signaller->stopped; i++)
    more = accept_one (server, listener);
  p2p_signaller_unref (signaller);
  return G_SOURCE_CONTINUE;
}

P2pTcpServer *
p2p_tcp_server_new (P2pSignaller *signaller, P2pTcpFindChallenge find,
                    gpointer user)
{
  P2pTcpServer *server = g_new0 (P2pTcpServer, 1);

  server->signaller = signaller;
  server->find = find;
  server->user = user;
  g_queue_init (&server->guests);
  p2p_bucket_init (&server->bucket, P2P_TCP_RATE, P2P_TCP_BURST,
                   g_get_monotonic_time ());
  p2p_sources_init (&server->limits, P2P_TCP_RATE_PER_SOURCE,
                    P2P_TCP_BURST_PER_SOURCE, P2P_TCP_MAX_UNPROVED_PER_SOURCE);
  return server;
}

void
p2p_tcp_server_free (P2pTcpServer *server)
{
  guint i;

  if (!server)
    return;
  while (!g_queue_is_empty (&server->guests))
    guest_drop (g_queue_peek_head (&server->guests));
  for (i = 0; i < server->n_listeners; i++) {
    p2p_source_clear (&server->sources[i]);
    g_socket_close (server->listeners[i], NULL);
    g_object_unref (server->listeners[i]);
  }
  g_free (server);
}

gboolean
p2p_tcp_server_listen (P2pTcpServer *server, GSocketAddress *address,
                       GError **error)
{
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GSocketAddress) bound = NULL;
  g_autoptr (GSocketAddress) same_port = NULL;
  GInetSocketAddress *inet = G_INET_SOCKET_ADDRESS (address);
  GSource *source;

  /* "localhost" is two addresses: any port, but one for both. */
  if (g_inet_socket_address_get_port (inet) == 0 && server->port != 0)
    address = same_port
        = g_inet_socket_address_new (g_inet_socket_address_get_address (inet),
                                     server->port);

  g_return_val_if_fail (server->n_listeners < MAX_LISTENERS, FALSE);
  socket = g_socket_new (g_socket_address_get_family (address),
                         G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, error);
  if (!socket)
    return FALSE;
  g_socket_set_blocking (socket, FALSE);
  g_socket_set_listen_backlog (socket, BACKLOG);
  if (!g_socket_bind (socket, address, TRUE, error)
      || !g_socket_listen (socket, error))
    return FALSE;
  bound = g_socket_get_local_address (socket, error);
  if (!bound)
    return FALSE;
  if (server->n_listeners == 0)
    server->port
        = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound));

  source = g_socket_create_source (socket, G_IO_IN, NULL);
  g_source_set_callback (source, (GSourceFunc)(void (*) (void))on_acceptable,
                         server, NULL);
  g_source_attach (source, server->signaller->context);
  server->sources[server->n_listeners] = source;
  server->listeners[server->n_listeners++] = g_steal_pointer (&socket);
  return TRUE;
}

guint16
p2p_tcp_server_get_port (P2pTcpServer *server)
{
  return server->port;
}
