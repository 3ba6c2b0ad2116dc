/* Finding and reaching a host: names, several addresses, without blocking.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names are resolved by GResolver; the addresses are tried in its order, a new
 * one each P2P_CONNECT_STAGGER_MS, and the first that connects wins (the idea
 * of RFC 8305), so that a dead IPv6 route costs a quarter of a second.
 *
 * Threads: that of the context. The callback comes once, never from within
 * new(), and not after free(), which it may call.
 */
#ifndef P2P_CONNECT_H
#define P2P_CONNECT_H

#include <gio/gio.h>

G_BEGIN_DECLS

#define P2P_CONNECT_STAGGER_MS 250
#define P2P_CONNECT_MAX_ADDRESSES 8

typedef struct _P2pConnector P2pConnector;

/* `socket`: connected and not blocking, or NULL, then `error` says why. */
typedef void (*P2pConnectDone) (GSocket *socket, const gchar *error,
                                gpointer user);
/* `addresses`: of GSocketAddress, or NULL. */
typedef void (*P2pResolveDone) (GPtrArray *addresses, const gchar *error,
                                gpointer user);

P2pConnector *p2p_connector_new (GMainContext *context, const gchar *host,
                                 guint16 port, guint timeout_ms,
                                 P2pConnectDone done, gpointer user);
/* Stops at the addresses, without connecting. */
P2pConnector *p2p_resolver_new (GMainContext *context, const gchar *host,
                                guint16 port, guint timeout_ms,
                                P2pResolveDone done, gpointer user);
void p2p_connector_free (P2pConnector *connector);

/* Whether this host still has the address that the socket sends from. */
gboolean p2p_socket_is_at_home (int fd);
/* Why a connection ends that is not. */
#define P2P_MOVED_TEXT "this host has another address now"

G_END_DECLS

#endif /* P2P_CONNECT_H */
