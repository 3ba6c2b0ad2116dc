/* One stream on its way to one peer.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All on the network thread. Each (request, stream) is one flow of the engine.
 * A stream with a deadline drops when it must, and then up to the next
 * keyframe, for this peer alone; one without never does: what the engine cannot
 * take waits here, and the source is asked to wait long before that.
 *
 * A stream that has left (unpublished, or ended and begun again) leaves an
 * orphan behind: the flow stays open until all of it has arrived.
 */
#include "p2pendpoint-private.h"

#include <string.h>

/* How long the flow of an orphan stays after all was acknowledged: the
 * receiver's application may still hold it up. */
#define ORPHAN_US (30 * G_USEC_PER_SEC)
#define ORPHAN_MAX_US (120 * G_USEC_PER_SEC)
#define PRIORITY_DEFAULT 8

typedef struct
{
  GBytes *payload;
  guint8 header[P2P_WIRE_MAX_FRAME_HEADER];
  gsize header_len;
} Pending;

static UdtTime
now_us (void)
{
  return (UdtTime)g_get_monotonic_time ();
}

static void
pending_free (gpointer data)
{
  Pending *pending = data;

  g_bytes_unref (pending->payload);
  g_free (pending);
}

/* -- Birth and death ------------------------------------------------------- */

static void
flow_config (P2pStream *stream, UdtFlowConfig *config)
{
  gint deadline, priority;

  g_mutex_lock (&stream->lock);
  deadline = stream->config.deadline_ms;
  priority = stream->config.priority;
  g_mutex_unlock (&stream->lock);
  config->order = UDT_ORDER_STRICT;
  config->service = stream->config.kind == P2P_WIRE_VIDEO   ? UDT_CLASS_VIDEO
                    : stream->config.kind == P2P_WIRE_AUDIO ? UDT_CLASS_AUDIO
                                                            : UDT_CLASS_BULK;
  config->priority
      = (guint8)(priority < 0 ? PRIORITY_DEFAULT : MIN (priority, 255));
  if (deadline > 0)
    config->deadline = (UdtTime)deadline * 1000;
  else if (deadline < 0 && stream->config.kind != P2P_WIRE_DATA)
    config->deadline = UDT_DEADLINE_RECEIVER;
  else
    config->deadline = UDT_DEADLINE_NONE;
}

static gboolean
flow_in_use (P2pPeer *peer, guint16 flow)
{
  guint i;

  for (i = 0; i < peer->outs->len; i++)
    if (((P2pOutStream *)g_ptr_array_index (peer->outs, i))->flow == flow)
      return TRUE;
  return FALSE;
}

static guint16
take_flow (P2pPeer *peer)
{
  guint16 flow;

  do {
    flow = peer->next_flow++;
    if (peer->next_flow < P2P_WIRE_FIRST_STREAM_FLOW)
      peer->next_flow = P2P_WIRE_FIRST_STREAM_FLOW;
  } while (flow_in_use (peer, flow));
  return flow;
}

static void
announce (P2pOutStream *out)
{
  P2pWireControl m = { 0 };

  m.type = P2P_WIRE_STREAM_OPEN;
  m.stream = out->flow;
  m.request = out->request;
  m.kind = out->stream->config.kind;
  m.text = p2p_wire_text (out->stream->config.name);
  p2p_peer_send_control (out->peer, &m);
}

P2pOutStream *
p2p_out_open (P2pPeer *peer, P2pStream *stream, guint32 request)
{
  P2pOutStream *out;
  UdtFlowConfig config;

  if (peer->engine == NULL || peer->state > P2P_PEER_UP
      || peer->outs->len >= P2P_MAX_OUT_STREAMS)
    return NULL;
  out = g_new0 (P2pOutStream, 1);
  out->peer = peer;
  out->stream = stream;
  out->request = request;
  out->flow = take_flow (peer);
  out->waiting_sync = TRUE;
  g_queue_init (&out->pending);
  flow_config (stream, &config);
  out->live = config.deadline != UDT_DEADLINE_NONE;
  if (udt_connection_open_flow (peer->engine, out->flow, &config, now_us ())
      != UDT_OK) {
    g_free (out);
    return NULL;
  }
  g_ptr_array_add (peer->outs, out);
  g_ptr_array_add (stream->outs, out);
  announce (out);
  p2p_out_send_caps (out);
  p2p_stream_outs_changed (stream);
  if (stream->ended)
    p2p_out_end (out);
  else
    p2p_stream_want_key_unit (stream, TRUE);
  return out;
}

void
p2p_out_reconfigure (P2pOutStream *out)
{
  UdtFlowConfig config;

  flow_config (out->stream, &config);
  out->live = config.deadline != UDT_DEADLINE_NONE;
  udt_connection_configure_flow (out->peer->engine, out->flow, &config,
                                 now_us ());
}

static void
leave_stream (P2pOutStream *out)
{
  P2pStream *stream = out->stream;

  if (stream == NULL)
    return;
  out->stream = NULL;
  stream->frames_of_gone += out->frames;
  stream->dropped_of_gone += out->dropped;
  g_ptr_array_remove_fast (stream->outs, out);
  p2p_stream_outs_changed (stream);
}

void
p2p_out_detach (P2pOutStream *out, const gchar *why)
{
  P2pWireControl m = { 0 };

  leave_stream (out);
  m.type = P2P_WIRE_STREAM_CLOSE;
  m.stream = out->flow;
  m.text = p2p_wire_text (why != NULL ? why : "");
  p2p_peer_send_control (out->peer, &m);
  if (why != NULL)
    p2p_out_free (out);
  else
    out->empty_since = -g_get_monotonic_time ();
}

void
p2p_out_free (P2pOutStream *out)
{
  leave_stream (out);
  g_ptr_array_remove_fast (out->peer->outs, out);
  if (out->peer->engine != NULL)
    udt_connection_close_flow (out->peer->engine, out->flow, now_us ());
  g_queue_clear_full (&out->pending, pending_free);
  g_free (out);
}

/* -- Frames ---------------------------------------------------------------- */

/* A session that is closed behind the end of its streams must not overtake
 * what was lost on the way: then only what the viewer has is off our hands. */
static guint64
in_engine (P2pOutStream *out, guint16 flow)
{
  UdtFlowStats stats;

  if (udt_connection_get_flow_stats (out->peer->engine, flow, now_us (), &stats)
      != UDT_OK)
    return 0;
  return out->stream != NULL && out->stream->ended ? stats.buffered
                                                   : stats.unsent;
}

guint64
p2p_out_get_backlog (P2pOutStream *out)
{
  guint64 backlog = in_engine (out, out->flow) + out->pending_bytes;

  if (out->stream != NULL && out->stream->ended)
    backlog += in_engine (out, P2P_WIRE_CONTROL_FLOW)
               + g_queue_get_length (&out->peer->control);
  return backlog;
}

/* Of one viewer. */
void
p2p_out_get_stats (P2pOutStream *out, P2pStreamStats *stats)
{
  UdtFlowStats flow;
  UdtStats engine;

  memset (stats, 0, sizeof *stats);
  if (udt_connection_get_flow_stats (out->peer->engine, out->flow, now_us (),
                                     &flow)
      != UDT_OK)
    return;
  udt_connection_get_stats (out->peer->engine, now_us (), &engine);
  stats->queued_bytes = out->pending_bytes;
  stats->unsent_bytes = flow.unsent;
  stats->unacknowledged_bytes = flow.buffered;
  stats->sent_bytes = out->bytes;
  stats->acknowledged_bytes = flow.bytes_acknowledged;
  stats->rtt_us = engine.rtt;
  stats->min_rtt_us = engine.min_rtt;
  stats->queue_delay_us = engine.queue_delay;
  stats->pacing_rate = engine.pacing_rate;
  stats->delivery_rate = engine.delivery_rate;
}

void
p2p_out_send_caps (P2pOutStream *out)
{
  P2pStream *stream = out->stream;
  P2pWireControl m = { 0 };

  if (stream->caps == NULL
      || (out->caps_sent && out->caps_version == stream->version))
    return;
  out->caps_sent = TRUE;
  out->caps_version = stream->version;
  m.type = P2P_WIRE_STREAM_CAPS;
  m.stream = out->flow;
  m.caps_version = stream->version;
  m.text = p2p_wire_text (stream->caps);
  p2p_peer_send_control (out->peer, &m);
}

static void
release_payload (void *owner)
{
  g_bytes_unref (owner);
}

static UdtStatus
submit (P2pOutStream *out, GBytes *payload, const guint8 *header,
        gsize header_len, guint flags)
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
  status
      = udt_connection_send (out->peer->engine, out->flow, &message, now_us ());
  if (status == UDT_OK) {
    out->frames++;
    out->bytes += header_len + len;
    out->peer->frames_sent++;
    p2p_peer_media (out->peer);
  } else {
    g_bytes_unref (payload);
  }
  return status;
}

static guint
engine_flags (P2pWireKind kind, guint16 flags)
{
  guint f = flags & P2P_FRAME_DELTA_UNIT ? UDT_MESSAGE_DELTA : UDT_MESSAGE_SYNC;

  if (flags & P2P_FRAME_DROPPABLE)
    f |= UDT_MESSAGE_DISPOSABLE;
  return f;
}

/* Lost for this peer, which goes on with a keyframe, unless nothing depended on
 * the frame. */
static void
drop (P2pOutStream *out, const P2pOutFrame *frame)
{
  out->dropped++;
  out->peer->frames_dropped++;
  if (frame->frame->flags & P2P_FRAME_DROPPABLE)
    return;
  out->waiting_sync = TRUE;
  p2p_stream_want_key_unit (out->stream, FALSE);
}

static void
send_live (P2pOutStream *out, const P2pOutFrame *frame)
{
  UdtStatus status;

  if (p2p_out_get_backlog (out)
      >= p2p_endpoint_high_watermark (out->peer->endpoint)) {
    drop (out, frame);
    return;
  }
  p2p_out_send_caps (out);
  status
      = submit (out, frame->payload, frame->header, frame->header_len,
                engine_flags (out->stream->config.kind, frame->frame->flags));
  if (status != UDT_OK && status != UDT_ERR_CLOSED)
    drop (out, frame);
}

static void
send_lossless (P2pOutStream *out, const P2pOutFrame *frame)
{
  Pending *pending;
  UdtStatus status = UDT_ERR_FULL;

  if (frame->force
      && p2p_out_get_backlog (out)
             >= p2p_endpoint_high_watermark (out->peer->endpoint)) {
    p2p_out_detach (out, P2P_REASON_OVERFLOW);
    return;
  }
  p2p_out_send_caps (out);
  if (g_queue_is_empty (&out->pending))
    status
        = submit (out, frame->payload, frame->header, frame->header_len,
                  engine_flags (out->stream->config.kind, frame->frame->flags));
  if (status == UDT_ERR_FULL) {
    pending = g_new (Pending, 1);
    pending->payload = g_bytes_ref (frame->payload);
    memcpy (pending->header, frame->header, frame->header_len);
    pending->header_len = frame->header_len;
    g_queue_push_tail (&out->pending, pending);
    out->pending_bytes += g_bytes_get_size (frame->payload);
  } else if (status == UDT_ERR_TOO_BIG) {
    out->dropped++;
    out->peer->frames_dropped++;
  }
}

/* Where a stream can be entered: with a frame that needs none before it. */
void
p2p_out_send_frame (P2pOutStream *out, const P2pOutFrame *frame)
{
  if (out->waiting_sync) {
    if (frame->frame->flags & P2P_FRAME_DELTA_UNIT) {
      if (out->frames > 0) {
        out->dropped++;
        out->peer->frames_dropped++;
      }
      return;
    }
    out->waiting_sync = FALSE;
  }
  if (out->live)
    send_live (out, frame);
  else
    send_lossless (out, frame);
}

static void
send_end (P2pOutStream *out)
{
  P2pWireControl m = { 0 };

  out->end_owed = FALSE;
  m.type = P2P_WIRE_STREAM_END;
  m.stream = out->flow;
  m.frames = out->frames;
  p2p_peer_send_control (out->peer, &m);
}

void
p2p_out_end (P2pOutStream *out)
{
  p2p_out_send_caps (out);
  if (g_queue_is_empty (&out->pending))
    send_end (out);
  else
    out->end_owed = TRUE;
}

void
p2p_out_writable (P2pOutStream *out)
{
  Pending *pending;

  while ((pending = g_queue_peek_head (&out->pending)) != NULL) {
    if (submit (out, pending->payload, pending->header, pending->header_len,
                UDT_MESSAGE_SYNC)
        == UDT_ERR_FULL)
      return;
    out->pending_bytes -= g_bytes_get_size (pending->payload);
    pending_free (g_queue_pop_head (&out->pending));
  }
  if (out->end_owed)
    send_end (out);
}

gboolean
p2p_out_tick (P2pOutStream *out, gint64 now)
{
  UdtFlowStats stats;

  if (out->stream != NULL)
    return FALSE;
  /* Negative: when it became an orphan, and something was left. */
  if (out->empty_since < 0 && now + out->empty_since >= ORPHAN_MAX_US)
    return TRUE;
  if (out->empty_since >= 0)
    return now - out->empty_since >= ORPHAN_US;
  if (g_queue_is_empty (&out->pending)
      && (udt_connection_get_flow_stats (out->peer->engine, out->flow,
                                         (UdtTime)now, &stats)
              != UDT_OK
          || stats.buffered == 0))
    out->empty_since = now;
  return FALSE;
}
