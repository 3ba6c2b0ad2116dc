/* What of a stream is on its way to the network thread.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Everything is under the owner's lock.
 */
#include "p2pitems.h"

/* What may lie here when the network thread is late, in multiples of the mark
 * for a peer's backlog. */
#define QUEUE_MARKS 4
/* What the end of a stream counts for: not nothing. */
#define END_BYTES 1

void
p2p_item_free (gpointer data)
{
  P2pItem *item = data;

  g_free (item->caps);
  if (item->payload != NULL)
    g_bytes_unref (item->payload);
  g_free (item);
}

void
p2p_items_init (P2pItems *items)
{
  *items = (P2pItems){ .queue = G_QUEUE_INIT };
}

void
p2p_items_clear (P2pItems *items)
{
  g_queue_clear_full (&items->queue, p2p_item_free);
  items->bytes = 0;
}

static gboolean
add (P2pItems *items, P2pItem *item)
{
  gboolean was_empty = g_queue_is_empty (&items->queue);

  g_queue_push_tail (&items->queue, item);
  return was_empty;
}

gboolean
p2p_items_add_caps (P2pItems *items, const gchar *caps, guint8 version)
{
  P2pItem *item = g_new0 (P2pItem, 1);

  item->type = P2P_ITEM_CAPS;
  item->caps = g_strdup (caps);
  item->version = version;
  return add (items, item);
}

gboolean
p2p_items_add_frame (P2pItems *items, GBytes *payload,
                     const P2pWireFrame *frame, guint8 caps_version,
                     gboolean force)
{
  P2pItem *item = g_new0 (P2pItem, 1);

  item->type = P2P_ITEM_FRAME;
  item->payload = g_bytes_ref (payload);
  item->frame = *frame;
  item->frame.caps_version = caps_version;
  item->force = force;
  items->bytes += g_bytes_get_size (payload);
  return add (items, item);
}

gboolean
p2p_items_add_end (P2pItems *items)
{
  P2pItem *item = g_new0 (P2pItem, 1);

  item->type = P2P_ITEM_END;
  items->bytes += END_BYTES;
  return add (items, item);
}

gboolean
p2p_items_skip (P2pItems *items, const P2pWireFrame *frame, guint64 mark)
{
  if (items->bytes >= QUEUE_MARKS * mark)
    items->skipping = TRUE;
  else if (!(frame->flags & P2P_FRAME_DELTA_UNIT))
    items->skipping = FALSE;
  if (items->skipping)
    items->skipped++;
  return items->skipping;
}

guint64
p2p_items_take (P2pItems *items, GQueue *queue)
{
  *queue = items->queue;
  g_queue_init (&items->queue);
  return items->bytes;
}
