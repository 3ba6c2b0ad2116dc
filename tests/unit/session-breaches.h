/* What a peer that has the key can say against the rules: an endpoint of ours
 * is made to, on its network thread, past all that would keep it from it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: everything here is called on the network thread of the endpoint that
 * `peer` belongs to.
 */
#ifndef SESSION_BREACHES_H
#define SESSION_BREACHES_H

#include "p2pendpoint-private.h"

#define BREACH_CAPS                                                            \
  "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au"
#define BREACH_OFFER 77 /* number of the offer that streams are said under */

/* Any message on any flow; it aborts if the engine does not take it. */
void say (P2pPeer *peer, guint16 flow, gconstpointer data, gsize len);
void say_control (P2pPeer *peer, P2pWireControl m);
/* With `size` zeros behind the header. */
void say_command (P2pPeer *peer, guint16 flow, P2pWireCommand wire, gsize size);
void say_frame (P2pPeer *peer, guint16 flow);
void say_offer (P2pPeer *peer, guint32 id);
void say_stream (P2pPeer *peer, guint16 flow, guint32 request);
void say_caps (P2pPeer *peer, guint16 flow, guint8 version, const gchar *text);

typedef struct
{
  const gchar *name;
  void (*run) (P2pPeer *peer);
} Breach;

/* Each costs a viewer its session. */
#define BREACHES 25
extern const Breach breaches[BREACHES];

/* Two of them that a device can commit too. */
void breach_reply_to_nothing (P2pPeer *peer);
void breach_flood_of_unknown_flows (P2pPeer *peer);

#endif /* SESSION_BREACHES_H */
