/* What of a stream is on its way from the element's threads to the network
 * thread: formats, frames and the end, in order.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A P2pItems has no lock: its owner's guards it, for every call. Items taken
 * out of it belong to who took them.
 */
#ifndef P2P_ITEMS_H
#define P2P_ITEMS_H

#include <glib.h>
#include "p2pwire.h"

G_BEGIN_DECLS

typedef enum {
  P2P_ITEM_CAPS,
  P2P_ITEM_FRAME,
  P2P_ITEM_END,
} P2pItemType;

typedef struct
{
  P2pItemType type;
  gchar *caps;     /* CAPS */
  guint8 version;  /* CAPS */
  GBytes *payload; /* FRAME, as are those that follow */
  P2pWireFrame frame;
  gboolean force;
} P2pItem;

typedef struct
{
  GQueue queue; /* of P2pItem */
  guint64 bytes;
  gboolean skipping; /* up to a keyframe */
  guint64 skipped;   /* frames */
} P2pItems;

void p2p_items_init (P2pItems *items);
void p2p_items_clear (P2pItems *items);

/* TRUE: it was empty, the network thread has to be woken. */
gboolean p2p_items_add_caps (P2pItems *items, const gchar *caps,
                             guint8 version);
gboolean p2p_items_add_frame (P2pItems *items, GBytes *payload,
                              const P2pWireFrame *frame, guint8 caps_version,
                              gboolean force);
gboolean p2p_items_add_end (P2pItems *items);

/* Whether this frame of a live stream is left out, since the network thread
 * does not keep up: more than a multiple of `mark` lies here. */
gboolean p2p_items_skip (P2pItems *items, const P2pWireFrame *frame,
                         guint64 mark);

/* Empties it into `queue`, which need not be initialized. The bytes, which are
 * returned, still count until the owner subtracts them from `bytes`: when they
 * have been counted elsewhere. */
guint64 p2p_items_take (P2pItems *items, GQueue *queue);
void p2p_item_free (gpointer item);

G_END_DECLS

#endif /* P2P_ITEMS_H */
