/* Opening and reading packets.
 *
 * In this order: size, connection ID, seal, replay, syntax of every frame,
 * room for what it brings. Only then does anything change; a packet refused at
 * any step is counted and not acknowledged, so that its sender repeats what
 * there was no room for.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtprivate.h"

typedef struct
{
  bool eliciting; /* wants an ACK */
  bool urgent;    /* ... at once */
} Wants;

/* Syntax, and what can be said without looking at flows. */
static bool
frames_are_valid (const UdtConnection *conn, const uint8_t *data, size_t len,
                  Wants *wants)
{
  UdtFrame frame;
  UdtRange ranges[UDT_MAX_NAK_RANGES];
  size_t at, n;

  for (at = 0; at < len; at += n) {
    n = udt_frame_parse (data + at, len - at, &frame);
    if (n == 0)
      return false;
    switch (frame.type) {
      case UDT_FRAME_PADDING:
        continue;
      case UDT_FRAME_ACK:
        if (frame.ack.largest >= conn->next_number)
          return false;
        continue;
      case UDT_FRAME_NAK: {
        size_t count = udt_nak_ranges (&frame.nak, ranges, UDT_MAX_NAK_RANGES);

        if (ranges[count - 1].last >= conn->next_number)
          return false;
        wants->urgent = true;
        break;
      }
      case UDT_FRAME_DATA:
        if (frame.data.total > conn->own.max_message)
          return false;
        break;
      case UDT_FRAME_REPAIR:
        if (frame.repair.total > conn->own.max_message)
          return false;
        break;
      case UDT_FRAME_PING:
      case UDT_FRAME_SETTINGS:
      case UDT_FRAME_CLOSE:
        wants->urgent = true;
        break;
      case UDT_FRAME_DROP:
      case UDT_FRAME_WINDOW:
      case UDT_FRAME_FLOW_RESET:
        break;
    }
    wants->eliciting = true;
  }
  return true;
}

static bool
takes_data (const UdtConnection *conn)
{
  return conn->life == LIFE_OPEN || conn->life == LIFE_DRAINING;
}

static bool
have_room (UdtConnection *conn, const uint8_t *data, size_t len)
{
  UdtFrame frame;
  uint32_t frames = 0;
  size_t at, n;

  if (!takes_data (conn))
    return true;
  for (at = 0; at < len; at += n) {
    n = udt_frame_parse (data + at, len - at, &frame);
    if (frame.type == UDT_FRAME_DATA
        && !udt_data_has_room (conn, &frame.data, ++frames, false))
      return false;
    if (frame.type == UDT_FRAME_REPAIR
        && !udt_repair_has_room (conn, &frame.repair, ++frames))
      return false;
    if (frame.type == UDT_FRAME_DROP && !udt_drop_has_room (conn, &frame.drop))
      return false;
    if (frame.type == UDT_FRAME_FLOW_RESET && !udt_events_have_room (conn))
      return false;
  }
  return true;
}

static void
apply_frame (UdtConnection *conn, const UdtFrame *frame, uint64_t number,
             UdtTime now)
{
  switch (frame->type) {
    case UDT_FRAME_ACK:
      udt_ack_received (conn, &frame->ack, now);
      return;
    case UDT_FRAME_NAK:
      udt_nak_received (conn, &frame->nak, now);
      return;
    case UDT_FRAME_CLOSE:
      udt_closed_by_peer (conn, &frame->close);
      return;
    default:
      break;
  }
  if (!takes_data (conn))
    return;
  switch (frame->type) {
    case UDT_FRAME_SETTINGS:
      udt_settings_received (conn, &frame->settings, number);
      break;
    case UDT_FRAME_DATA:
      udt_data_received (conn, &frame->data, now);
      break;
    case UDT_FRAME_REPAIR:
      udt_repair_received (conn, &frame->repair, now);
      break;
    case UDT_FRAME_DROP:
      udt_drop_received (conn, &frame->drop, now);
      break;
    case UDT_FRAME_WINDOW:
      udt_window_received (conn, &frame->window, number);
      break;
    case UDT_FRAME_FLOW_RESET:
      udt_reset_received (conn, &frame->reset);
      break;
    default:
      break;
  }
}

static UdtStatus
refuse (uint64_t *counter)
{
  (*counter)++;
  return UDT_ERR_PACKET;
}

UdtStatus
udt_connection_input (UdtConnection *conn, uint8_t *packet, size_t len,
                      UdtTime now)
{
  UdtHeader header;
  UdtFrame frame;
  Wants wants = { false, false };
  uint64_t number;
  uint8_t *data = packet + UDT_HEADER_SIZE;
  size_t at, n;

  now = udt_advance (conn, now);
  if (conn->life == LIFE_FINISHED)
    return UDT_ERR_CLOSED;
  if (len < UDT_HEADER_SIZE + UDT_TAG_SIZE + 1)
    return refuse (&conn->stats.refused_truncated);
  if (!udt_header_parse (packet, len, &header)
      || header.id != conn->config.local_id)
    return refuse (&conn->stats.refused_other_id);
  if (len > UDT_MAX_PACKET)
    return refuse (&conn->stats.refused_limit);
  number = udt_number_expand (conn->seen.next, header.low_number);
  if (!conn->env.open (conn->env.user, number, packet, UDT_HEADER_SIZE, data,
                       len - UDT_HEADER_SIZE))
    return refuse (&conn->stats.refused_forged);
  len -= UDT_HEADER_SIZE + UDT_TAG_SIZE;
  if (!udt_seen_is_new (&conn->seen, number))
    return refuse (&conn->stats.refused_replayed);
  if (!frames_are_valid (conn, data, len, &wants))
    return refuse (&conn->stats.refused_malformed);
  if (!have_room (conn, data, len))
    return refuse (&conn->stats.refused_limit);

  conn->stats.packets_received++;
  conn->stats.bytes_received += len + UDT_HEADER_SIZE + UDT_TAG_SIZE;
  conn->last_heard = now;
  conn->pings_unanswered = 0;
  udt_arrived (conn, number, wants.eliciting, wants.urgent, now);
  for (at = 0; at < len; at += n) {
    n = udt_frame_parse (data + at, len - at, &frame);
    apply_frame (conn, &frame, number, now);
    if (conn->life == LIFE_FINISHED)
      break;
  }
  return UDT_OK;
}
