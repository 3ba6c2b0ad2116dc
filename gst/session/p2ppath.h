/* One try at a network path to the peer: a libnice agent with one stream of one
 * component.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Gathers, trickles, checks, and from the first working pair on carries
 * datagrams. A later or better path is another P2pPath: the session moves, the
 * old one is closed.
 *
 * Threads: all on the thread that owns `context`, callbacks included. libnice
 * emits its signals from inside its own calls; they are only noted there, and
 * told from a clean stack a moment later, so that a callback may close the
 * path. Only datagrams are handed on at once: that callback must not.
 */
#ifndef P2P_PATH_H
#define P2P_PATH_H

#include <glib.h>
#include "p2piceservers.h"
#include "p2pmessage.h"
#include "p2ptrain.h"

G_BEGIN_DECLS

typedef struct _P2pPath P2pPath;

typedef struct
{
  /* p2p_path_take_candidates() has something. */
  void (*candidates) (P2pPath * path, gpointer user);
  /* Datagrams can be sent, or now go another way than before. */
  void (*usable) (P2pPath * path, gpointer user);
  /* No pair works, or the one that did no longer does. */
  void (*failed) (P2pPath * path, gpointer user);
  /* `data` is writable and valid during the call. */
  void (*datagram) (P2pPath * path, guint8 * data, gsize len, gpointer user);
} P2pPathCallbacks;

typedef struct
{
  GMainContext *context;
  P2pIceServers *servers;       /* may be NULL */
  gboolean controlling;
  gboolean relay_only;
  /* Whether the peer may be on this very machine: candidates of the loopback
   * interface count too. Without any other interface they always do. */
  gboolean loopback;
  /* Agents that still close in the background; outlives the path. */
  guint *closing;
} P2pPathConfig;

/* Starts to gather at once: the host candidates can be taken when this returns.
 * NULL: no address, or out of sockets. */
P2pPath *p2p_path_new (const P2pPathConfig * config,
    const P2pPathCallbacks * callbacks, gpointer user);
/* No callback comes after this. The agent lets go of its relay allocations in
 * the background. Accepts NULL. */
void p2p_path_close (P2pPath * path);

void p2p_path_get_credentials (P2pPath * path, gchar * ufrag, gchar * pwd);
/* Candidates not taken yet, at most `max`. `complete`: there will be no more. */
guint p2p_path_take_candidates (P2pPath * path, P2pCandidate * out,
    guint max, gboolean * complete);

gboolean p2p_path_set_remote (P2pPath * path, const gchar * ufrag,
    const gchar * pwd);
void p2p_path_add_remote (P2pPath * path, const P2pCandidate * candidates,
    guint n, gboolean complete);

typedef enum
{
  P2P_PATH_SENT,
  P2P_PATH_BUSY,                /* the socket is full; try again in a moment */
  P2P_PATH_ERROR,
} P2pPathSend;

P2pPathSend p2p_path_send (P2pPath * path, const guint8 * data, gsize len);

/* The same with many: an empty train, to be filled with p2p_path_add(). What
 * the network does not take now stays in it (P2P_PATH_BUSY). */
P2pTrain *p2p_path_take_train (P2pPath * path);
void p2p_path_add (P2pPath * path, P2pTrain * train, gsize len);
P2pPathSend p2p_path_send_train (P2pPath * path, P2pTrain * train);

gboolean p2p_path_is_usable (P2pPath * path);
gboolean p2p_path_is_relayed (P2pPath * path);
/* Of the chosen pair; NULL before there is one. */
const gchar *p2p_path_get_local (P2pPath * path);
const gchar *p2p_path_get_remote (P2pPath * path);
/* Whether the address of the chosen pair is still one of this host. */
gboolean p2p_path_local_is_present (P2pPath * path);
typedef enum
{
  P2P_PATH_RELAY_UNKNOWN,       /* none is set, or it is too early to ask */
  P2P_PATH_RELAY_LATE,          /* another way works; of it nothing has come */
  P2P_PATH_RELAY_MISSING,       /* nothing will come */
  P2P_PATH_RELAY_THERE,
} P2pPathRelay;

P2pPathRelay p2p_path_get_relay (P2pPath * path);
/* The relay has refused us, all candidates are known, and those have had their
 * time. */
gboolean p2p_path_is_hopeless (P2pPath * path, gint64 now);
/* Who is to blame for a failure, as far as can be told: a P2P_REASON_*. */
const gchar *p2p_path_get_blame (P2pPath * path, const gchar ** detail);

G_END_DECLS

#endif /* P2P_PATH_H */
