/* Asks a TURN server what it has against us.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libnice only says, after a while, that it got no address of the relay. So when
 * none has come a request is sent that needs user and password and can change
 * nothing there: to end an allocation that we do not have.
 *
 * Threads: all on the thread that owns the context, callback included.
 */
#ifndef P2P_RELAY_PROBE_H
#define P2P_RELAY_PROBE_H

#include "p2piceservers.h"

G_BEGIN_DECLS

typedef struct _P2pRelayProbe P2pRelayProbe;

/* `trusted`: it knows user and password. `answer`: what it said, or that it said
 * nothing, for a person. Once, never from within p2p_relay_probe_new(); the
 * probe may be freed then. */
typedef void (*P2pRelayProbeDone) (gboolean trusted, const gchar *answer,
                                   gpointer user);

/* `servers` is used in this call only. */
P2pRelayProbe *p2p_relay_probe_new (P2pIceServers *servers,
                                    GMainContext *context,
                                    P2pRelayProbeDone done, gpointer user);
/* No callback after this. Accepts NULL. */
void p2p_relay_probe_free (P2pRelayProbe *probe);

G_END_DECLS

#endif /* P2P_RELAY_PROBE_H */
