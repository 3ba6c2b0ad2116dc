/* One stream on its way to one peer.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All on the network thread. Each (request, stream) is one flow of the engine,
 * see p2pflow.h.
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

/* -- Birth and death ------------------------------------------------------- */

static void
flow_config (P2pStream *stream, UdtFlowConfig *config)
{
  P2pWireKind kind = stream->config.kind;
  gint deadline, priority;

  g_mutex_lock (&stream->lock);
  deadline = stream->config.deadline_ms;
  priority = stream->config.priority;
  g_mutex_unlock (&stream->lock);
  config->order = UDT_ORDER_STRICT;
  config->service = kind == P2P_WIRE_VIDEO   ? UDT_CLASS_VIDEO
                    : kind == P2P_WIRE_AUDIO ? UDT_CLASS_AUDIO
                                             : UDT_CLASS_BULK;
  config->priority
      = (guint8)(priority < 0 ? PRIORITY_DEFAULT : MIN (priority, 255));
  config->deadline = p2p_flow_deadline (kind, deadline);
}

static gboolean
flow_in_use (P2pPeer *peer, guint16 flow)
{
  guint i;

  for (i = 0; i < peer->outs->len; i++)
    if (((P2pOutStream *)g_ptr_array_index (peer->outs, i))->flow.id == flow)
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
  m.stream = out->flow.id;
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
  flow_config (stream, &config);
  if (p2p_flow_open (&out->flow, peer->engine, take_flow (peer), &config,
                     g_get_monotonic_time ())
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
  p2p_flow_configure (&out->flow, &config, g_get_monotonic_time ());
}

static void
leave_stream (P2pOutStream *out)
{
  P2pStream *stream = out->stream;

  if (stream == NULL)
    return;
  out->stream = NULL;
  stream->frames_of_gone += out->flow.frames;
  stream->dropped_of_gone += out->flow.dropped;
  g_ptr_array_remove_fast (stream->outs, out);
  p2p_stream_outs_changed (stream);
}

void
p2p_out_detach (P2pOutStream *out, const gchar *why)
{
  P2pWireControl m = { 0 };

  leave_stream (out);
  m.type = P2P_WIRE_STREAM_CLOSE;
  m.stream = out->flow.id;
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
    udt_connection_close_flow (out->peer->engine, out->flow.id,
                               (UdtTime)g_get_monotonic_time ());
  p2p_flow_clear (&out->flow);
  g_free (out);
}

/* -- Frames ---------------------------------------------------------------- */

guint64
p2p_out_get_backlog (P2pOutStream *out)
{
  P2pPeer *peer = out->peer;
  gboolean ended = out->stream != NULL && out->stream->ended;
  gint64 now = g_get_monotonic_time ();
  guint64 backlog;

  backlog = p2p_flow_backlog (&out->flow, ended, now);
  if (ended)
    backlog
        += p2p_flow_backlog_of (peer->engine, P2P_WIRE_CONTROL_FLOW, TRUE, now)
           + g_queue_get_length (&peer->control);
  return backlog;
}

/* Of one viewer. */
void
p2p_out_get_stats (P2pOutStream *out, P2pStreamStats *stats)
{
  UdtTime now = (UdtTime)g_get_monotonic_time ();
  UdtFlowStats flow;
  UdtStats engine;

  memset (stats, 0, sizeof *stats);
  if (udt_connection_get_flow_stats (out->peer->engine, out->flow.id, now,
                                     &flow)
      != UDT_OK)
    return;
  udt_connection_get_stats (out->peer->engine, now, &engine);
  stats->queued_bytes = out->flow.pending_bytes;
  stats->unsent_bytes = flow.unsent;
  stats->unacknowledged_bytes = flow.buffered;
  stats->sent_bytes = out->flow.bytes;
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
  m.stream = out->flow.id;
  m.caps_version = stream->version;
  m.text = p2p_wire_text (stream->caps);
  p2p_peer_send_control (out->peer, &m);
}

/* While nothing is taken, or heard, a keyframe would be lost as well, and cost
 * all the others. */
void
p2p_out_lost_sync (P2pOutStream *out)
{
  out->flow.waiting_sync = TRUE;
  if (p2p_peer_is_silent (out->peer))
    out->peer->unheard = TRUE;
  else if (!p2p_peer_is_paused (out->peer))
    p2p_stream_want_key_unit (out->stream, FALSE);
}

/* Lost for this peer, see p2p_flow_drop(). */
static void
drop (P2pOutStream *out, const P2pOutFrame *frame)
{
  if (p2p_flow_drop (&out->flow, frame))
    p2p_out_lost_sync (out);
}

static void
send_frame (P2pOutStream *out, const P2pOutFrame *frame)
{
  p2p_out_send_caps (out);
  switch (p2p_flow_send (&out->flow, frame, g_get_monotonic_time ())) {
    case P2P_FLOW_LOST:
      drop (out, frame);
      break;
    case P2P_FLOW_TOO_BIG:
      out->flow.dropped++;
      break;
    case P2P_FLOW_SENT:
    case P2P_FLOW_CLOSED:
      break;
  }
}

/* What the flow did since it had these numbers is the peer's as well. */
static void
account (P2pOutStream *out, guint64 frames, guint64 dropped)
{
  out->peer->frames_dropped += out->flow.dropped - dropped;
  if (out->flow.frames == frames)
    return;
  out->peer->frames_sent += out->flow.frames - frames;
  p2p_peer_media (out->peer);
}

gboolean
p2p_out_is_counted (const P2pOutStream *out)
{
  return out->flow.live || out->forced;
}

/* A source that does not wait, of a stream that drops nothing. */
static gboolean
is_overrun (P2pOutStream *out)
{
  return !out->flow.live && out->forced
         && p2p_out_get_backlog (out)
                > p2p_endpoint_high_watermark (out->peer->endpoint);
}

void
p2p_out_send_frame (P2pOutStream *out, const P2pOutFrame *frame)
{
  guint64 frames = out->flow.frames, dropped = out->flow.dropped;
  gboolean counted;

  out->forced = frame->force;
  counted = p2p_out_is_counted (out);
  if (counted)
    p2p_peer_update_level (out->peer);
  if (out->flow.live && p2p_peer_is_paused (out->peer)) {
    drop (out, frame);
  } else if (p2p_flow_enter (&out->flow, frame)) {
    if (is_overrun (out)) {
      p2p_out_detach (out, P2P_REASON_OVERFLOW);
      return;
    }
    send_frame (out, frame);
  }
  account (out, frames, dropped);
  if (counted)
    p2p_peer_update_level (out->peer);
}

static void
send_end (P2pOutStream *out)
{
  P2pWireControl m = { 0 };

  out->end_owed = FALSE;
  m.type = P2P_WIRE_STREAM_END;
  m.stream = out->flow.id;
  m.frames = out->flow.frames;
  p2p_peer_send_control (out->peer, &m);
}

void
p2p_out_end (P2pOutStream *out)
{
  p2p_out_send_caps (out);
  if (g_queue_is_empty (&out->flow.pending))
    send_end (out);
  else
    out->end_owed = TRUE;
}

void
p2p_out_writable (P2pOutStream *out)
{
  guint64 frames = out->flow.frames, dropped = out->flow.dropped;
  gboolean empty = p2p_flow_flush (&out->flow, g_get_monotonic_time ());

  account (out, frames, dropped);
  if (empty && out->end_owed)
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
  if (g_queue_is_empty (&out->flow.pending)
      && (udt_connection_get_flow_stats (out->peer->engine, out->flow.id,
                                         (UdtTime)now, &stats)
              != UDT_OK
          || stats.buffered == 0))
    out->empty_since = now;
  return FALSE;
}
