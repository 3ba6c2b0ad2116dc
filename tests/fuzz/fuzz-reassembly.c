/* Reassembly and order against an array of bytes.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pieces of messages come in any order, overlapping and repeated, repair
 * symbols among them, and ranges of messages are given up. A message must come
 * out exactly once, when the model says it is whole and its turn has come, with
 * its bytes.
 */
#include "fuzzpeer.h"

#include <string.h>

#define IDS 24
#define MAX_SIZE 2000
#define MAX_STEPS 400
#define FIRST_FLOW 40
#define REPAIRS (2 * UDT_FEC_MAX_REPAIRS)

typedef enum {
  WAITING,
  WHOLE,
  DROPPED,
} Fate;

typedef struct
{
  uint32_t size;
  bool have[MAX_SIZE];
  uint32_t missing;
  uint32_t symbol; /* bytes; of its repairs */
  bool repairs[REPAIRS];
  Fate fate;
  bool out;
} Message;

typedef struct
{
  bool strict;
  Message messages[IDS];
  uint64_t order[IDS]; /* in which they must come out */
  unsigned n_order, n_out;
  uint64_t next; /* strict: the lowest not settled */
} Flow;

static uint8_t
byte_of (unsigned flow, uint64_t id, uint32_t offset)
{
  return (uint8_t)(flow * 101 + id * 31 + offset * 7 + (offset >> 8));
}

static void
settle (Flow *flow, uint64_t id, Fate fate)
{
  flow->messages[id].fate = fate;
  if (!flow->strict && fate == WHOLE)
    flow->order[flow->n_order++] = id;
  while (flow->next < IDS && flow->messages[flow->next].fate != WAITING) {
    if (flow->strict && flow->messages[flow->next].fate == WHOLE)
      flow->order[flow->n_order++] = flow->next;
    flow->next++;
  }
}

/* Each block has as many repairs as symbols that miss a byte. */
static bool
is_whole (const Message *message)
{
  uint32_t symbols = udt_symbols (message->size, message->symbol);
  uint32_t blocks = udt_blocks (symbols);

  for (uint32_t block = 0; block < blocks; block++) {
    unsigned lost = 0, repairs = 0;

    for (uint32_t s = block; s < symbols; s += blocks) {
      bool gone = false;

      for (uint32_t i = s * message->symbol;
           i < (s + 1) * message->symbol && i < message->size; i++)
        gone |= !message->have[i];
      lost += gone;
    }
    for (uint32_t i = block; i < REPAIRS; i += blocks)
      repairs += message->repairs[i];
    if (lost > repairs)
      return false;
  }
  return true;
}

static void
add_repair (FuzzPeer *peer, FuzzInput *in, Flow *flows, unsigned which)
{
  Flow *flow = &flows[which];
  uint64_t id = fuzz_u8 (in) % IDS;
  Message *message = &flow->messages[id];
  uint32_t symbols = udt_symbols (message->size, message->symbol);
  uint32_t blocks = udt_blocks (symbols);
  uint8_t frame[1500];
  UdtWriter w = { frame, frame + sizeof frame };
  UdtRepairFrame repair = { .flow = (uint16_t)(FIRST_FLOW + which),
                            .epoch = which,
                            .id = id,
                            .total = message->size,
                            .symbol = message->symbol,
                            .flags = flow->strict ? UDT_DATA_STRICT : 0 };

  repair.index = fuzz_u8 (in) % (blocks * UDT_FEC_MAX_REPAIRS);
  FUZZ_CHECK (udt_repair_write_header (&w, &repair));
  memset (w.at, 0, message->symbol);
  for (uint32_t s = repair.index % blocks; s < symbols; s += blocks)
    for (uint32_t i = 0;
         i < message->symbol && s * message->symbol + i < message->size; i++)
      w.at[i] ^= udt_gf_multiply (byte_of (which, id, s * message->symbol + i),
                                  udt_fec_coefficient (repair.index / blocks,
                                                       s / blocks));
  FUZZ_CHECK (
      fuzz_peer_frames (peer, frame, (size_t)(w.at - frame) + message->symbol)
      == UDT_OK);
  message->repairs[repair.index] = true;
  if (message->fate == WAITING && is_whole (message))
    settle (flow, id, WHOLE);
}

static void
add_piece (FuzzPeer *peer, FuzzInput *in, Flow *flows, unsigned which)
{
  Flow *flow = &flows[which];
  uint64_t id = fuzz_u8 (in) % IDS;
  Message *message = &flow->messages[id];
  uint8_t bytes[1400], frame[1500];
  UdtWriter w = { frame, frame + sizeof frame };
  UdtDataFrame piece
      = { .flow = (uint16_t)(FIRST_FLOW + which),
          .epoch = which,
          .id = id,
          .total = message->size,
          .flags = UDT_DATA_PART | (flow->strict ? UDT_DATA_STRICT : 0) };

  piece.offset = fuzz_u16 (in) % message->size;
  piece.len = fuzz_u16 (in) % sizeof bytes + 1;
  if (piece.len > message->size - piece.offset)
    piece.len = message->size - piece.offset;
  for (uint32_t i = 0; i < piece.len; i++)
    bytes[i] = byte_of (which, id, piece.offset + i);
  FUZZ_CHECK (udt_data_write_header (&w, &piece));
  memcpy (w.at, bytes, piece.len);
  FUZZ_CHECK (fuzz_peer_frames (peer, frame, (size_t)(w.at - frame) + piece.len)
              == UDT_OK);
  if (message->fate != WAITING)
    return;
  for (uint32_t i = 0; i < piece.len; i++) {
    message->missing -= !message->have[piece.offset + i];
    message->have[piece.offset + i] = true;
  }
  if (!message->missing || is_whole (message))
    settle (flow, id, WHOLE);
}

static void
drop_range (FuzzPeer *peer, FuzzInput *in, Flow *flows, unsigned which)
{
  Flow *flow = &flows[which];
  uint8_t frame[64];
  UdtWriter w = { frame, frame + sizeof frame };
  UdtDropFrame drop = { .flow = (uint16_t)(FIRST_FLOW + which),
                        .epoch = which,
                        .flags = flow->strict ? UDT_DATA_STRICT : 0 };

  drop.first = fuzz_u8 (in) % IDS;
  drop.end = drop.first + 1 + fuzz_u8 (in) % 3;
  if (drop.end > IDS)
    drop.end = IDS;
  FUZZ_CHECK (udt_drop_write (&w, &drop));
  FUZZ_CHECK (fuzz_peer_frames (peer, frame, (size_t)(w.at - frame)) == UDT_OK);
  for (uint64_t id = drop.first; id < drop.end; id++)
    if (flow->messages[id].fate == WAITING)
      settle (flow, id, DROPPED);
}

static bool
gap_before (const Flow *flow, uint64_t id)
{
  while (id--) {
    if (flow->messages[id].fate == DROPPED)
      return true;
    if (flow->messages[id].fate == WHOLE)
      return false;
  }
  return false;
}

static void
check_out (FuzzPeer *peer, Flow *flows)
{
  UdtReceived got;

  while (udt_connection_receive (peer->conn, &got, peer->now) == UDT_OK) {
    unsigned which = got.flow - FIRST_FLOW;
    Flow *flow;

    FUZZ_CHECK (which < 2);
    flow = &flows[which];
    FUZZ_CHECK (flow->n_out < flow->n_order);
    FUZZ_CHECK (got.id == flow->order[flow->n_out]);
    flow->n_out++;
    FUZZ_CHECK (got.size == flow->messages[got.id].size);
    for (uint32_t i = 0; i < got.size; i++)
      FUZZ_CHECK (got.data[i] == byte_of (which, got.id, i));
    if (flow->strict)
      FUZZ_CHECK (got.gap == gap_before (flow, got.id));
    sim_memory_free (&peer->memory, got.data);
  }
  for (unsigned i = 0; i < 2; i++)
    FUZZ_CHECK (flows[i].n_out == flows[i].n_order);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static Flow flows[2];
  FuzzInput in = { data, data + size };
  UdtEvent event;
  FuzzPeer peer;

  memset (flows, 0, sizeof flows);
  flows[0].strict = true;
  for (unsigned i = 0; i < 2; i++)
    for (unsigned id = 0; id < IDS; id++) {
      /* Sizes are the input's choice, small ones among them. */
      uint8_t pick = id < 4 ? fuzz_u8 (&in) : (uint8_t)(id * 40);

      flows[i].messages[id].size
          = pick % 4 ? pick % 60 + 1u : pick * 7u % MAX_SIZE + 1u;
      flows[i].messages[id].missing = flows[i].messages[id].size;
      flows[i].messages[id].symbol = flows[i].messages[id].size / (id + 2) + 16;
    }
  fuzz_peer_init (&peer);
  for (unsigned step = 0; step < MAX_STEPS && fuzz_left (&in); step++) {
    uint8_t op = fuzz_u8 (&in);

    if (op % 16 < 10)
      add_piece (&peer, &in, flows, op >> 4 & 1);
    else if (op % 16 < 14)
      add_repair (&peer, &in, flows, op >> 4 & 1);
    else
      drop_range (&peer, &in, flows, op >> 4 & 1);
    peer.now += op;
    if (op & 0x20)
      check_out (&peer, flows);
    while (udt_connection_event (peer.conn, &event) == UDT_OK)
      ;
  }
  check_out (&peer, flows);
  fuzz_peer_finish (&peer);
  return 0;
}
