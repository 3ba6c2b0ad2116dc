/* What the elements tell: p2p-step messages, structures for signals, stats.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Functions without state. They post messages and therefore run application
 * code: call them without any lock.
 */
#ifndef GST_P2P_MESSAGES_H
#define GST_P2P_MESSAGES_H

#include <gst/gst.h>
#include "p2pendpoint.h"

G_BEGIN_DECLS

GstMessage *gst_p2p_step_message_new (GstElement *element, const P2pStep *step);
GstStructure *gst_p2p_peer_structure_new (const P2pPeerInfo *peer);
/* `endpoint` may be NULL: everything is zero then. */
GstMessage *gst_p2p_watermark_message_new (GstElement *element,
                                           const gchar *peer, unsigned event,
                                           guint64 level_bytes,
                                           guint64 level_us);
/* Posts a warning: the session's relay_missing(). */
void gst_p2p_warn_of_relay (GstElement *element, const gchar *server,
                            const gchar *answer);
GstStructure *gst_p2p_stats_structure_new (P2pEndpoint *endpoint);

G_END_DECLS

#endif /* GST_P2P_MESSAGES_H */
