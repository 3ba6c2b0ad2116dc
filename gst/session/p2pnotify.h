/* The notify thread: tells listeners, in order, what happens on an endpoint,
 * and waits for them as long as they like.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any thread posts; the thread itself is started with the first event. Nothing
 * is posted for nobody.
 */
#ifndef P2P_NOTIFY_H
#define P2P_NOTIFY_H

#include "p2pendpoint.h"

G_BEGIN_DECLS

typedef struct _P2pNotify P2pNotify;

/* `endpoint` is only handed on to listeners. */
P2pNotify *p2p_notify_new (P2pEndpoint * endpoint);
/* What is queued is dropped. Waits for a callback that runs, unless called
 * from it: then the thread ends after it. */
void p2p_notify_free (P2pNotify * notify);

guint p2p_notify_add (P2pNotify * notify, const P2pListener * listener,
    gpointer user);
void p2p_notify_remove (P2pNotify * notify, guint id);

void p2p_notify_step (P2pNotify * notify, const P2pStep * step);
void p2p_notify_peer_added (P2pNotify * notify, const P2pPeerInfo * peer);
void p2p_notify_peer_removed (P2pNotify * notify, const gchar * peer,
    const gchar * reason);
void p2p_notify_request_added (P2pNotify * notify, const gchar * peer,
    guint request, const gchar * params);
void p2p_notify_request_removed (P2pNotify * notify, const gchar * peer,
    guint request);

void p2p_notify_offer_added (P2pNotify * notify, const gchar * peer,
    guint offer, const gchar * params);
void p2p_notify_offer_removed (P2pNotify * notify, const gchar * peer,
    guint offer);

/* Nothing is queued if no listener wants it. */
void p2p_notify_watermark (P2pNotify * notify, const gchar * peer,
    unsigned event, guint64 level_bytes, guint64 level_us);

void p2p_notify_relay_missing (P2pNotify * notify, const gchar * server,
    const gchar * answer);

/* Runs `func` on the notify thread, behind all that was posted before; in any
 * case, once: when the endpoint ends first, on whatever thread finds that out. */
void p2p_notify_run (P2pNotify * notify, GDestroyNotify func, gpointer data);
/* Asks the listeners, on the calling thread, which waits. NULL: no reply. */
GBytes *p2p_notify_command (P2pNotify * notify, const gchar * peer,
    GBytes * command);

/* FALSE: no listener decides, the viewer is welcome. TRUE: `decided` comes on
 * the notify thread, or is not called at all when the endpoint ends first;
 * `destroy` is called in either case. */
typedef void (*P2pNotifyDecided) (gboolean accepted, gpointer user);
gboolean p2p_notify_authorize (P2pNotify * notify, const P2pPeerInfo * peer,
    P2pNotifyDecided decided, gpointer user, GDestroyNotify destroy);

G_END_DECLS

#endif /* P2P_NOTIFY_H */
