/* The socket of a direct path, past libnice.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libnice moves one datagram a call and looks at each of them. STUN and TURN
 * are its business, the engine's packets are not. They leave by its socket,
 * many a call; they come in by a second socket on the same address and port,
 * told apart in the kernel by the first byte, many a call. Where a kernel has
 * no such thing they come in by libnice, as everything did.
 *
 * Threads: all on the thread that owns the context.
 */
#ifndef P2P_DIRECT_H
#define P2P_DIRECT_H

#include <gio/gio.h>
#include "p2ptrain.h"

G_BEGIN_DECLS

/* The first byte of a packet of the engine is this or above: outside of STUN,
 * DTLS and TURN (RFC 7983). */
#define P2P_FIRST_ENGINE_BYTE 0xc0

typedef struct _P2pDirect P2pDirect;

/* `data` is writable and valid during the call, which must not free the direct.
 */
typedef void (*P2pDirectFunc) (guint8 *data, gsize len, gpointer user);

/* Makes what this thread's paths have in common. */
void p2p_direct_prepare (void);

/* `shared`: libnice's socket. `buffer`: the kernel's, bytes, of ours. */
P2pDirect *p2p_direct_new (GSocket *shared, gint buffer, GMainContext *context,
                           P2pDirectFunc func, gpointer user);
/* All comes in by libnice again. Accepts NULL. */
void p2p_direct_free (P2pDirect *direct);

gboolean p2p_direct_is_of (P2pDirect *direct, GSocket *shared);
gboolean p2p_direct_is_open (P2pDirect *direct);
void p2p_direct_set_destination (P2pDirect *direct, const struct sockaddr *to);
const struct sockaddr *p2p_direct_get_destination (P2pDirect *direct);

P2pTrain *p2p_direct_take_train (P2pDirect *direct);
/* FALSE: the socket is full, something is left. */
gboolean p2p_direct_send (P2pDirect *direct, P2pTrain *train);

G_END_DECLS

#endif /* P2P_DIRECT_H */
