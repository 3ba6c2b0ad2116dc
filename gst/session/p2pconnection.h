/* The encrypted connection of one session: DTLS handshake, sealed engine
 * packets and timers over whichever path there is.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Paths come and go below it (p2p_connection_use_path()); the keys and the engine's
 * state stay.
 *
 * Threads: all on the thread that owns the context. Callbacks come from the
 * dispatch of the link's own source, never from inside a call of the owner or
 * of libnice; each may close the link.
 */
#ifndef P2P_CONNECTION_H
#define P2P_CONNECTION_H

#include <glib.h>
#include "p2phandshake.h"
#include "p2ppath.h"
#include "udt.h"

G_BEGIN_DECLS

typedef struct _P2pConnection P2pConnection;

typedef struct
{
  /* Keys stand and the engine runs: messages can be sent, flows opened. */
  void (*ready) (P2pConnection * link, gpointer user);
  /* First authentic packet of the peer. */
  void (*connected) (P2pConnection * link, gpointer user);
  /* The handshake failed: `detail` for a person. */
  void (*failed) (P2pConnection * link, const gchar * detail, gpointer user);
  /* Takes over `message->data` (g_free). */
  void (*message) (P2pConnection * link, UdtReceived * message, gpointer user);
  /* DROPPED, GAP, FLOW_RESET, WRITABLE. */
  void (*event) (P2pConnection * link, const UdtEvent * event, gpointer user);
  /* After input, output and messages of one round. */
  void (*round) (P2pConnection * link, gpointer user);
  /* The peer said goodbye: what it had sent comes as message() now, all of it,
   * flows that are held excepted; finished() follows. */
  void (*closing) (P2pConnection * link, gpointer user);
  /* The peer said goodbye (`reason` may be empty), ours was acknowledged, or
   * the peer no longer answers (`dead`). The last callback. */
  void (*finished) (P2pConnection * link, gboolean dead, const gchar * reason,
      gpointer user);
} P2pConnectionCallbacks;

typedef struct
{
  GMainContext *context;
  P2pIdentity *identity;
  gboolean client;              /* of the handshake: the viewer */
  guint8 peer_fingerprint[P2P_FINGERPRINT_BYTES];
  P2pAead aead;
  guint latency_ms;
  gsize send_limit, receive_limit;
  guint keep_alive_interval_s, keep_alive_attempts;
} P2pConnectionConfig;

P2pConnection *p2p_connection_new (const P2pConnectionConfig * config,
    const P2pConnectionCallbacks * callbacks, gpointer user);
/* At once, without a word to the peer. No callback comes after this. */
void p2p_connection_free (P2pConnection * link);

/* Send through `path` from now on; NULL: none. The link does not own it. */
void p2p_connection_use_path (P2pConnection * link, P2pPath * path);
/* A datagram from any path of this session. TRUE: a packet of the engine that
 * the peer sent and no one altered. */
gboolean p2p_connection_input (P2pConnection * link, guint8 * data, gsize len);

/* Goodbye: what is in the send buffer goes first, for at most `drain_ms`. */
void p2p_connection_close (P2pConnection * link, const gchar * reason, guint drain_ms);

/* NULL before ready(). Whoever sends through it calls p2p_connection_wake(). */
UdtConnection *p2p_connection_get_engine (P2pConnection * link);
void p2p_connection_wake (P2pConnection * link);
/* Does what is due, if anything is, as its source would in the loop's next turn.
 * Not from a callback. */
void p2p_connection_run (P2pConnection * link, gint64 now);

/* Monotonic; of the last authentic packet, 0: none. */
gint64 p2p_connection_get_last_received (P2pConnection * link);
/* Datagrams that were neither handshake nor authentic. */
guint64 p2p_connection_get_refused (P2pConnection * link);

G_END_DECLS

#endif /* P2P_CONNECTION_H */
