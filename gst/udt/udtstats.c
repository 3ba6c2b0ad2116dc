/* Counters and estimates for the outside.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtprivate.h"

/* Headers per packet of data, and of each 100 bytes of video. */
#define PACKET_OVERHEAD 45
#define HEADER_SHARE 5

void
udt_rate_note (UdtConnection *conn, const UdtFlowOut *flow, uint32_t bytes)
{
  UdtRateMeter *m = &conn->other_live;

  if (flow->config.service > UDT_CLASS_AUDIO)
    return;
  m->bytes += bytes + PACKET_OVERHEAD;
  if (conn->now - m->start < SECOND)
    return;
  m->rate = m->bytes * SECOND / (conn->now - m->start);
  m->bytes = 0;
  m->start = conn->now;
}

/* What is left for video of what may be sent, in bytes per second. */
static uint64_t
video_target (const UdtConnection *conn, UdtTime now)
{
  uint64_t target = conn->congestion->target (conn->law);
  const UdtRateMeter *m = &conn->other_live;
  const UdtLossMeter *loss = &conn->loss_meter;
  uint64_t per_mille = 1000 + 10 * HEADER_SHARE;

  if (now < m->start + 2 * SECOND)
    target -= m->rate < target / 2 ? m->rate : target / 2;
  if (loss->packets > 0)
    per_mille += (uint64_t)loss->lost * 1000 / loss->packets;
  if (loss->warrants)
    per_mille += 10 * UDT_REPAIR_SHARE;
  return target * 1000 / per_mille;
}

void
udt_connection_get_stats (const UdtConnection *conn, UdtTime now,
                          UdtStats *stats)
{
  *stats = conn->stats;
  stats->rtt = conn->min_rtt == UDT_NEVER ? 0 : conn->srtt;
  stats->rtt_variation = conn->min_rtt == UDT_NEVER ? 0 : conn->rttvar;
  stats->min_rtt = conn->min_rtt == UDT_NEVER ? 0 : conn->min_rtt;
  stats->queue_delay = conn->queue_delay;
  stats->pacing_rate = conn->congestion->rate (conn->law) * 8;
  stats->target_bitrate = video_target (conn, now) * 8;
  stats->window = conn->congestion->window (conn->law);
  stats->bytes_in_flight = conn->bytes_in_flight;
  stats->mtu = conn->mtu;
  stats->send_buffered = conn->buffered;
  stats->send_unsent = conn->unsent_bytes;
  stats->receive_buffered = conn->in_bytes;
  if (conn->loss_meter.packets > 0)
    stats->loss_per_mille = (uint32_t)((uint64_t)conn->loss_meter.lost * 1000
                                       / conn->loss_meter.packets);
}

UdtStatus
udt_connection_get_flow_stats (const UdtConnection *conn, uint16_t flow,
                               UdtTime now, UdtFlowStats *stats)
{
  uint32_t i;

  for (i = 0; i < conn->flows_out_size; i++) {
    const UdtFlowOut *f = &conn->flows_out[i];
    const UdtOut *out = f->head;

    if (!f->used || f->closing || f->flow != flow)
      continue;
    memset (stats, 0, sizeof *stats);
    stats->buffered = f->buffered;
    stats->unsent = f->unsent_bytes;
    stats->messages_sent = f->messages_sent;
    stats->messages_dropped = f->messages_dropped;
    stats->messages_acknowledged = f->messages_acked;
    stats->bytes_acknowledged = f->bytes_acked;
    while (out != NULL && out->state != OUT_LIVE)
      out = out->next;
    if (out != NULL && now > out->submitted)
      stats->oldest_age = now - out->submitted;
    return UDT_OK;
  }
  return UDT_ERR_NO_FLOW;
}
