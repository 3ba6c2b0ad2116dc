/* One connection alone, its seal left open: whatever the fuzzer says comes
 * from an authentic peer.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef FUZZ_PEER_H
#define FUZZ_PEER_H

#include "fuzz.h"

#include "simbase.h"
#include "udtprivate.h"

#define FUZZ_RECEIVE_LIMIT (1u << 20)
#define FUZZ_SEND_LIMIT (256u << 10)

typedef struct
{
  UdtConnection *conn;
  SimMemory memory;
  SimRandom random;
  UdtTime now;
  uint64_t number; /* of the next packet from the peer */
  uint64_t accepted, released;
  uint8_t out[UDT_MAX_PACKET];
} FuzzPeer;

/* Connected: the peer's settings have come. */
void fuzz_peer_init (FuzzPeer *peer);
void fuzz_peer_finish (FuzzPeer *peer);
/* A packet with these frames, sealed and numbered; in a block of its size. */
UdtStatus fuzz_peer_frames (FuzzPeer *peer, const uint8_t *frames, size_t len);
UdtStatus fuzz_peer_raw (FuzzPeer *peer, const uint8_t *data, size_t len);
/* Everything the connection has to send goes nowhere. */
void fuzz_peer_output (FuzzPeer *peer);
void fuzz_peer_release (void *owner);

#endif /* FUZZ_PEER_H */
