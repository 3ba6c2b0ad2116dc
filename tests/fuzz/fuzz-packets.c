/* Any packets, forged and authentic, into a live connection.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The peer is authentic and says whatever it likes, between our own sending,
 * reading and waiting. Nothing may crash, hang, grow beyond its limits or
 * leak.
 */
#include "fuzzpeer.h"

#include <string.h>

#define MAX_STEPS 300
/* Beside what the receive limit counts: tables, records and their chunks. */
#define MEMORY_LIMIT (FUZZ_RECEIVE_LIMIT + (4u << 20))
#define FLOWS 4

static const UdtFlowConfig configs[FLOWS] = {
  { .service = UDT_CLASS_COMMAND, .order = UDT_ORDER_STRICT },
  { .service = UDT_CLASS_AUDIO,
    .order = UDT_ORDER_NONE,
    .deadline = 100 * SIM_MS },
  { .service = UDT_CLASS_VIDEO,
    .order = UDT_ORDER_STRICT,
    .deadline = UDT_DEADLINE_RECEIVER },
  { .service = UDT_CLASS_BULK, .order = UDT_ORDER_STRICT },
};

static void
take_all (FuzzPeer *peer)
{
  UdtReceived message;
  UdtEvent event;
  volatile uint8_t sum = 0;

  while (udt_connection_event (peer->conn, &event) == UDT_OK)
    FUZZ_CHECK (memchr (event.reason, 0, sizeof event.reason));
  while (udt_connection_receive (peer->conn, &message, peer->now) == UDT_OK) {
    FUZZ_CHECK (message.size <= FUZZ_RECEIVE_LIMIT / 2);
    for (size_t i = 0; i < message.size; i++)
      sum = (uint8_t)(sum + message.data[i]);
    sim_memory_free (&peer->memory, message.data);
  }
}

static void
send (FuzzPeer *peer, FuzzInput *in, uint8_t op)
{
  static const uint8_t zeros[20000];
  UdtMessage message = { .payload = zeros,
                         .owner = peer,
                         .release = fuzz_peer_release,
                         .flags = op >> 2 & 7 };

  message.payload_len = (size_t)fuzz_u8 (in) * 75;
  if (udt_connection_send (peer->conn, op & 3, &message, peer->now) == UDT_OK)
    peer->accepted++;
}

static void
manage (FuzzPeer *peer, FuzzInput *in, uint8_t op)
{
  uint8_t flow = fuzz_u8 (in);

  switch (op & 15) {
    case 0:
      udt_connection_hold_flow (peer->conn, flow % 8, flow & 0x80);
      break;
    case 1:
      udt_connection_close_flow (peer->conn, flow % FLOWS, peer->now);
      break;
    case 2:
      udt_connection_open_flow (peer->conn, flow % FLOWS,
                                &configs[flow % FLOWS], peer->now);
      break;
    case 3:
      udt_connection_drop_pending (peer->conn, flow % FLOWS, peer->now);
      break;
    case 4:
      udt_connection_path_changed (peer->conn, 0, peer->now);
      break;
    case 5:
      udt_connection_send_failed (peer->conn, peer->now);
      break;
    case 6:
      udt_connection_set_latency (peer->conn, (UdtTime)flow * 10000, peer->now);
      break;
    case 7:
      if (flow > 0xf0)
        udt_connection_close (peer->conn, flow, "fuzz", flow & 1 ? 1000 : 0,
                              peer->now);
      break;
    default:
      take_all (peer);
      break;
  }
}

static void
packet (FuzzPeer *peer, FuzzInput *in, uint8_t op)
{
  size_t len = fuzz_u8 (in);

  len = op & 1 ? len * 6 : len;
  if (len > fuzz_left (in))
    len = fuzz_left (in);
  if (op & 0x40) {
    fuzz_peer_raw (peer, in->at, len);
  } else {
    peer->number += op >> 1 & 7; /* some never come */
    fuzz_peer_frames (peer, in->at, len);
  }
  in->at += len;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  FuzzInput in = { data, data + size };
  FuzzPeer peer;

  fuzz_peer_init (&peer);
  for (uint16_t i = 0; i < FLOWS; i++)
    udt_connection_open_flow (peer.conn, i, &configs[i], peer.now);
  for (unsigned i = 0; i < MAX_STEPS && fuzz_left (&in); i++) {
    uint8_t op = fuzz_u8 (&in);

    if (op < 0x80)
      packet (&peer, &in, op);
    else if (op < 0xb0)
      send (&peer, &in, op);
    else if (op < 0xe0)
      peer.now += (UdtTime)(op - 0xaf) * (op - 0xaf) * 50;
    else
      manage (&peer, &in, op);
    fuzz_peer_output (&peer);
    FUZZ_CHECK (peer.memory.used <= MEMORY_LIMIT);
  }
  take_all (&peer);
  fuzz_peer_finish (&peer);
  return 0;
}
