/* One stream on its way to one peer.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Everything is on the network thread.
 */
#include "p2pflow.h"

#include <string.h>

typedef struct
{
  GBytes *payload;
  guint8 header[P2P_WIRE_MAX_FRAME_HEADER];
  gsize header_len;
} Pending;

static void
pending_free (gpointer data)
{
  Pending *pending = data;

  g_bytes_unref (pending->payload);
  g_free (pending);
}

/* -- Kinds ----------------------------------------------------------------- */

gboolean
p2p_flow_is_lossless (P2pWireKind kind, gint deadline_ms)
{
  return deadline_ms == 0 || (deadline_ms < 0 && kind == P2P_WIRE_DATA);
}

UdtTime
p2p_flow_deadline (P2pWireKind kind, gint deadline_ms)
{
  if (p2p_flow_is_lossless (kind, deadline_ms))
    return UDT_DEADLINE_NONE;
  if (deadline_ms < 0)
    return UDT_DEADLINE_RECEIVER;
  return (UdtTime)deadline_ms * 1000;
}

gboolean
p2p_flow_make_frame (const P2pItem *item, P2pOutFrame *frame)
{
  frame->payload = item->payload;
  frame->frame = &item->frame;
  frame->force = item->force;
  frame->header_len = p2p_wire_write_frame (&item->frame, frame->header,
                                            sizeof frame->header);
  return frame->header_len > 0;
}

static guint
engine_flags (guint16 flags)
{
  guint f = flags & P2P_FRAME_DELTA_UNIT ? UDT_MESSAGE_DELTA : UDT_MESSAGE_SYNC;

  if (flags & P2P_FRAME_DROPPABLE)
    f |= UDT_MESSAGE_DISPOSABLE;
  return f;
}

/* -- Life ------------------------------------------------------------------ */

UdtStatus
p2p_flow_open (P2pFlow *flow, UdtConnection *engine, guint16 id,
               const UdtFlowConfig *config, gint64 now)
{
  UdtStatus status
      = udt_connection_open_flow (engine, id, config, (UdtTime)now);

  if (status != UDT_OK)
    return status;
  flow->engine = engine;
  flow->id = id;
  flow->live = config->deadline != UDT_DEADLINE_NONE;
  flow->waiting_sync = TRUE;
  g_queue_init (&flow->pending);
  return UDT_OK;
}

void
p2p_flow_configure (P2pFlow *flow, const UdtFlowConfig *config, gint64 now)
{
  flow->live = config->deadline != UDT_DEADLINE_NONE;
  udt_connection_configure_flow (flow->engine, flow->id, config, (UdtTime)now);
}

void
p2p_flow_clear (P2pFlow *flow)
{
  g_queue_clear_full (&flow->pending, pending_free);
  flow->pending_bytes = 0;
}

/* -- Backlog --------------------------------------------------------------- */

guint64
p2p_flow_backlog_of (UdtConnection *engine, guint16 id, gboolean ended,
                     gint64 now)
{
  UdtFlowStats stats;

  if (engine == NULL
      || udt_connection_get_flow_stats (engine, id, (UdtTime)now, &stats)
             != UDT_OK)
    return 0;
  return ended ? stats.buffered : stats.unsent;
}

guint64
p2p_flow_backlog (const P2pFlow *flow, gboolean ended, gint64 now)
{
  return p2p_flow_backlog_of (flow->engine, flow->id, ended, now)
         + flow->pending_bytes;
}

/* -- Frames ---------------------------------------------------------------- */

static void
release_payload (void *owner)
{
  g_bytes_unref (owner);
}

static UdtStatus
submit (P2pFlow *flow, GBytes *payload, const guint8 *header, gsize header_len,
        guint flags, gint64 now)
{
  UdtMessage message = { 0 };
  UdtStatus status;
  gsize len;

  message.header = header;
  message.header_len = header_len;
  message.payload = g_bytes_get_data (payload, &len);
  message.payload_len = len;
  message.owner = g_bytes_ref (payload);
  message.release = release_payload;
  message.flags = flags;
  status = udt_connection_send (flow->engine, flow->id, &message, (UdtTime)now);
  if (status == UDT_OK) {
    flow->frames++;
    flow->bytes += header_len + len;
  } else {
    g_bytes_unref (payload);
  }
  return status;
}

static gboolean
is_full (UdtStatus status)
{
  return status == UDT_ERR_FULL || status == UDT_ERR_NO_MEMORY;
}

static void
keep (P2pFlow *flow, const P2pOutFrame *frame)
{
  Pending *pending = g_new (Pending, 1);

  pending->payload = g_bytes_ref (frame->payload);
  memcpy (pending->header, frame->header, frame->header_len);
  pending->header_len = frame->header_len;
  g_queue_push_tail (&flow->pending, pending);
  flow->pending_bytes += g_bytes_get_size (frame->payload);
}

gboolean
p2p_flow_enter (P2pFlow *flow, const P2pOutFrame *frame)
{
  if (!flow->waiting_sync)
    return TRUE;
  if (frame->frame->flags & P2P_FRAME_DELTA_UNIT) {
    if (flow->frames > 0)
      flow->dropped++;
    return FALSE;
  }
  flow->waiting_sync = FALSE;
  return TRUE;
}

P2pFlowResult
p2p_flow_send (P2pFlow *flow, const P2pOutFrame *frame, gint64 now)
{
  UdtStatus status = UDT_ERR_FULL;

  if (g_queue_is_empty (&flow->pending))
    status = submit (flow, frame->payload, frame->header, frame->header_len,
                     engine_flags (frame->frame->flags), now);
  if (status == UDT_OK)
    return P2P_FLOW_SENT;
  if (status == UDT_ERR_CLOSED)
    return P2P_FLOW_CLOSED;
  if (flow->live)
    return P2P_FLOW_LOST;
  if (!is_full (status))
    return status == UDT_ERR_TOO_BIG ? P2P_FLOW_TOO_BIG : P2P_FLOW_CLOSED;
  keep (flow, frame);
  return P2P_FLOW_SENT;
}

gboolean
p2p_flow_drop (P2pFlow *flow, const P2pOutFrame *frame)
{
  flow->dropped++;
  if (frame->frame->flags & P2P_FRAME_DROPPABLE)
    return FALSE;
  flow->waiting_sync = TRUE;
  return TRUE;
}

gboolean
p2p_flow_flush (P2pFlow *flow, gint64 now)
{
  Pending *pending;

  while ((pending = g_queue_peek_head (&flow->pending)) != NULL) {
    if (is_full (submit (flow, pending->payload, pending->header,
                         pending->header_len, UDT_MESSAGE_SYNC, now)))
      return FALSE;
    flow->pending_bytes -= g_bytes_get_size (pending->payload);
    pending_free (g_queue_pop_head (&flow->pending));
  }
  return TRUE;
}
