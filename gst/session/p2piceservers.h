/* STUN and TURN servers: their URIs, and their addresses once looked up.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libnice would look names up by itself, but warns through the log when that
 * fails and cannot be told to stop waiting; so it gets addresses only.
 *
 * Threads: checking from any; the rest on the thread whose default context the
 * answers come to.
 */
#ifndef P2P_ICE_SERVERS_H
#define P2P_ICE_SERVERS_H

#include <glib.h>

G_BEGIN_DECLS

#define P2P_ICE_SERVERS_MAX 4   /* relay entries: addresses by transports */

typedef struct
{
  gchar address[46];
  guint16 port;
  gboolean tcp;
} P2pIceServer;

typedef struct _P2pIceServers P2pIceServers;

/* Either may be NULL. Errors: P2P_ENDPOINT_ERROR_SETTINGS. */
P2pIceServers *p2p_ice_servers_new (const gchar * stun, const gchar * turn,
    GError ** error);
/* Cancels what is under way; callbacks that wait are not called. */
void p2p_ice_servers_free (P2pIceServers * servers);

/* Calls back once, at the latest after a second: at once (from within) if all
 * is known. Looks names up anew when what is known is old. */
typedef void (*P2pIceServersReady) (gpointer user);
void p2p_ice_servers_when_ready (P2pIceServers * servers,
    P2pIceServersReady ready, gpointer user);
/* Looks up what is not known or old, for whoever comes next. */
void p2p_ice_servers_refresh (P2pIceServers * servers);
void p2p_ice_servers_forget (P2pIceServers * servers, gpointer user);

/* NULL: none (yet). */
const P2pIceServer *p2p_ice_servers_get_stun (P2pIceServers * servers);
guint p2p_ice_servers_get_relays (P2pIceServers * servers,
    const P2pIceServer ** relays);
const gchar *p2p_ice_servers_get_user (P2pIceServers * servers);
const gchar *p2p_ice_servers_get_password (P2pIceServers * servers);
gboolean p2p_ice_servers_has_relay (P2pIceServers * servers);
/* HOST:PORT as configured, without user and password; NULL: none. */
gchar *p2p_ice_servers_dup_relay_name (P2pIceServers * servers);
gboolean p2p_ice_servers_has_stun (P2pIceServers * servers);

G_END_DECLS

#endif /* P2P_ICE_SERVERS_H */
