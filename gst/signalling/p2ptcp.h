/* What tcp:// and lan:// share: channels over a TCP connection, and the
 * device's server for them.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: that of the signaller's context.
 */
#ifndef P2P_TCP_H
#define P2P_TCP_H

#include "p2plimit.h"
#include "p2plink.h"
#include "p2psignalpriv.h"

G_BEGIN_DECLS

/* Connections that have not proved the key: in all, and of one source. */
#define P2P_TCP_MAX_UNPROVED 64
#define P2P_TCP_MAX_UNPROVED_PER_SOURCE 16
/* Attempts a second; those that prove the key do not count. */
#define P2P_TCP_RATE 100
#define P2P_TCP_BURST 200
#define P2P_TCP_RATE_PER_SOURCE 20
#define P2P_TCP_BURST_PER_SOURCE 60

/* A hello's body: magic, version, three zero bytes, challenge. */
#define P2P_TCP_MAGIC "IVP2"
#define P2P_TCP_HELLO_BYTES (8 + P2P_CHALLENGE_BYTES)

/* Viewer: connects. With a challenge (lan) the channel is ready as soon as the
 * connection stands; without one (tcp) the device's hello brings it, and
 * `channel_id` is NULL too. */
void p2p_tcp_channel_connect (P2pChannel *channel, const gchar *host,
                              guint16 port, const guint8 *challenge,
                              const guint8 *channel_id);
/* Device: `link`, whose other side has proved the key, is the channel's. */
/* Of a signaller: ends its channels whose connection comes from an address that
 * is gone. */
void p2p_tcp_network_changed (P2pSignaller *signaller);
void p2p_tcp_channel_adopt (P2pChannel *channel, P2pLink *link);
gboolean p2p_tcp_channel_send (P2pChannel *channel, GBytes *envelope);
void p2p_tcp_channel_close (P2pChannel *channel);

typedef struct _P2pTcpServer P2pTcpServer;

/* Finds, and uses up, the challenge given out for a channel id. */
typedef gboolean (*P2pTcpFindChallenge) (gpointer user,
                                         const guint8 *channel_id,
                                         guint8 *challenge);

/* Without `find` each connection is greeted with its own challenge and refused
 * in words; with it, nothing is ever said to who has not proved the key. */
P2pTcpServer *p2p_tcp_server_new (P2pSignaller *signaller,
                                  P2pTcpFindChallenge find, gpointer user);
void p2p_tcp_server_free (P2pTcpServer *server);
gboolean p2p_tcp_server_listen (P2pTcpServer *server, GSocketAddress *address,
                                GError **error);
/* Of the first listener. */
guint16 p2p_tcp_server_get_port (P2pTcpServer *server);

G_END_DECLS

#endif /* P2P_TCP_H */
