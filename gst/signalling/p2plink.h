/* Frames over a TCP connection: tcp:// and lan:// signalling.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A frame is a 16-bit length, big-endian, a type byte and a body; the length
 * counts type and body. Memory grows with what has arrived, never with what a
 * length announces.
 *
 * Threads: that of the context. Callbacks may free the link.
 */
#ifndef P2P_LINK_H
#define P2P_LINK_H

#include <gio/gio.h>
#include "p2penvelope.h"

G_BEGIN_DECLS

#define P2P_FRAME_MAX (1 + P2P_ENVELOPE_MAX)
/* What may wait for a slow reader; a channel says far less. */
#define P2P_LINK_MAX_QUEUE (64 * 1024)
/* For what was sent last to arrive, when this side is done. */
#define P2P_LINK_LINGER_MS 1000

typedef enum {
  P2P_FRAME_HELLO = 1, /* device: magic, version, challenge */
  P2P_FRAME_ENVELOPE = 2,
  P2P_FRAME_REFUSED = 3, /* device, tcp: the key was not proved */
} P2pFrameType;

typedef struct _P2pLink P2pLink;

typedef struct
{
  void (*frame) (P2pLink *link, guint8 type, const guint8 *body, gsize len,
                 gpointer user);
  /* A length out of bounds; nothing is read any more. */
  void (*garbage) (P2pLink *link, gpointer user);
  /* The connection is gone; only free() is left to do. */
  void (*lost) (P2pLink *link, const gchar *why, gpointer user);
} P2pLinkCallbacks;

/* Takes a reference of the socket, which must be connected. */
P2pLink *p2p_link_new (GSocket *socket, GMainContext *context,
                       const P2pLinkCallbacks *callbacks, gpointer user);
/* The link changes hands. */
void p2p_link_set_callbacks (P2pLink *link, const P2pLinkCallbacks *callbacks,
                             gpointer user);
/* Closes at once. */
void p2p_link_free (P2pLink *link);
/* Frees it as soon as the other side has all that was sent, without callbacks;
 * within P2P_LINK_LINGER_MS. */
void p2p_link_finish (P2pLink *link);
/* FALSE: the queue is full or the connection gone. lost() follows. */
gboolean p2p_link_send (P2pLink *link, P2pFrameType type, gconstpointer body,
                        gsize len);
/* No frame any more: what comes is left unread. */
void p2p_link_stop_reading (P2pLink *link);
gboolean p2p_link_is_at_home (P2pLink *link);
/* When the first byte came (monotonic, microseconds); 0: none yet. */
gint64 p2p_link_get_first_us (P2pLink *link);

G_END_DECLS

#endif /* P2P_LINK_H */
