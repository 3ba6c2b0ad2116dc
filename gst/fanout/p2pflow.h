/* One stream on its way to one peer: a flow of that peer's engine, and what
 * waits for room in it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The header of a frame is made once, its payload is referenced by each peer's
 * engine. A live flow, one whose frames have a deadline, drops when it must,
 * and then up to the next keyframe, for this peer alone. Another never does:
 * what the engine cannot take waits here, and the source is asked to wait long
 * before that. Who to tell of what, and when enough waits, is the owner's
 * decision; so is the clock. All on one thread, the network thread.
 */
#ifndef P2P_FLOW_H
#define P2P_FLOW_H

#include <glib.h>
#include "p2pitems.h"
#include "udt.h"

G_BEGIN_DECLS

typedef struct
{
  UdtConnection *engine;
  guint16 id;
  gboolean live;
  gboolean waiting_sync;
  guint64 frames; /* given to the engine */
  guint64 bytes;  /* of them */
  guint64 dropped;
  GQueue pending; /* not live: the engine was full */
  guint64 pending_bytes;
} P2pFlow;

typedef struct
{
  GBytes *payload;
  const P2pWireFrame *frame;
  guint8 header[P2P_WIRE_MAX_FRAME_HEADER];
  gsize header_len;
  gboolean force;
} P2pOutFrame;

typedef enum {
  P2P_FLOW_SENT, /* or waits here */
  P2P_FLOW_LOST, /* live: there is no room for it */
  P2P_FLOW_TOO_BIG,
  P2P_FLOW_CLOSED, /* no more is taken at all */
} P2pFlowResult;

/* Whether nothing of such a stream is ever dropped. */
gboolean p2p_flow_is_lossless (P2pWireKind kind, gint deadline_ms);
/* Of the engine's flow. */
UdtTime p2p_flow_deadline (P2pWireKind kind, gint deadline_ms);

/* The item must live as long as the frame. FALSE: it cannot be sent at all. */
gboolean p2p_flow_make_frame (const P2pItem *item, P2pOutFrame *frame);

/* Opens the flow in the engine; `flow` is all zero, or closed. */
UdtStatus p2p_flow_open (P2pFlow *flow, UdtConnection *engine, guint16 id,
                         const UdtFlowConfig *config, gint64 now);
void p2p_flow_configure (P2pFlow *flow, const UdtFlowConfig *config,
                         gint64 now);
/* Forgets what waits here. */
void p2p_flow_clear (P2pFlow *flow);

/* Bytes that have not left; `ended`: those that the peer does not have yet. A
 * session that is closed behind the end of its streams must not overtake what
 * was lost on the way: then only what the peer has is off our hands. */
guint64 p2p_flow_backlog (const P2pFlow *flow, gboolean ended, gint64 now);
/* The same of a flow of the engine that has no P2pFlow. */
guint64 p2p_flow_backlog_of (UdtConnection *engine, guint16 id, gboolean ended,
                             gint64 now);

/* Whether the stream can go on with this frame, as a flow that lost something
 * does with a keyframe only. What is left out is counted. */
gboolean p2p_flow_enter (P2pFlow *flow, const P2pOutFrame *frame);
P2pFlowResult p2p_flow_send (P2pFlow *flow, const P2pOutFrame *frame,
                             gint64 now);
/* The frame is lost for this peer, which goes on with a keyframe, unless
 * nothing depended on it. TRUE: a key unit is needed. */
gboolean p2p_flow_drop (P2pFlow *flow, const P2pOutFrame *frame);
/* The engine has room again. TRUE: nothing waits here any more. */
gboolean p2p_flow_flush (P2pFlow *flow, gint64 now);

G_END_DECLS

#endif /* P2P_FLOW_H */
