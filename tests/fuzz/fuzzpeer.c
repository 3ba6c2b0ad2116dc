/* One connection alone. See fuzzpeer.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzzpeer.h"

#include <string.h>

#define LOCAL_ID 0x11223344
#define MAX_PACKETS_AT_ONCE 4096

static void *
peer_alloc (void *user, size_t size)
{
  return sim_memory_alloc (&((FuzzPeer *)user)->memory, size);
}

static void
peer_free (void *user, void *block)
{
  FuzzPeer *peer = user;

  sim_memory_free (&peer->memory, block);
  FUZZ_CHECK (!peer->memory.broken);
}

static uint64_t
peer_random (void *user)
{
  return sim_random_next (&((FuzzPeer *)user)->random);
}

static bool
peer_seal (void *user, uint64_t packet_number, const uint8_t *aad,
           size_t aad_len, uint8_t *data, size_t len)
{
  (void)user, (void)packet_number, (void)aad, (void)aad_len;
  memset (data + len, 0, UDT_TAG_SIZE);
  return true;
}

static bool
peer_open (void *user, uint64_t packet_number, const uint8_t *aad,
           size_t aad_len, uint8_t *data, size_t len)
{
  (void)user, (void)packet_number, (void)aad, (void)aad_len, (void)data;
  return len >= UDT_TAG_SIZE;
}

void
fuzz_peer_release (void *owner)
{
  ((FuzzPeer *)owner)->released++;
}

void
fuzz_peer_init (FuzzPeer *peer)
{
  UdtEnv env = { .user = peer,
                 .alloc = peer_alloc,
                 .free = peer_free,
                 .random = peer_random,
                 .seal = peer_seal,
                 .open = peer_open };
  UdtSettingsFrame settings = { .version = UDT_VERSION,
                                .latency = 200000,
                                .max_message = UDT_MAX_MESSAGE,
                                .flow_window = UDT_MAX_MESSAGE,
                                .id_window = UDT_ID_WINDOW };
  UdtConfig config;
  uint8_t frame[64];
  UdtWriter w = { frame, frame + sizeof frame };

  memset (peer, 0, sizeof *peer);
  udt_config_init (&config);
  config.local_id = LOCAL_ID;
  config.remote_id = 5;
  config.receive_limit = FUZZ_RECEIVE_LIMIT;
  config.send_limit = FUZZ_SEND_LIMIT;
  config.max_message = FUZZ_RECEIVE_LIMIT / 2;
  peer->now = 1000000;
  peer->conn = udt_connection_new (&config, &env, peer->now);
  FUZZ_CHECK (peer->conn);
  udt_settings_write (&w, &settings);
  FUZZ_CHECK (fuzz_peer_frames (peer, frame, (size_t)(w.at - frame)) == UDT_OK);
}

void
fuzz_peer_finish (FuzzPeer *peer)
{
  udt_connection_free (peer->conn);
  FUZZ_CHECK (!peer->memory.used && !peer->memory.blocks);
  FUZZ_CHECK (peer->released == peer->accepted);
}

UdtStatus
fuzz_peer_raw (FuzzPeer *peer, const uint8_t *data, size_t len)
{
  uint8_t *copy = malloc (len ? len : 1);
  UdtStatus status;

  if (!copy)
    abort ();
  if (len)
    memcpy (copy, data, len);
  status = udt_connection_input (peer->conn, copy, len, peer->now);
  free (copy);
  return status;
}

UdtStatus
fuzz_peer_frames (FuzzPeer *peer, const uint8_t *frames, size_t len)
{
  uint8_t packet[UDT_MAX_PACKET];
  UdtHeader header = { LOCAL_ID, (uint32_t)peer->number++ };

  if (len > sizeof packet - UDT_HEADER_SIZE - UDT_TAG_SIZE)
    len = sizeof packet - UDT_HEADER_SIZE - UDT_TAG_SIZE;
  udt_header_write (packet, &header);
  memcpy (packet + UDT_HEADER_SIZE, frames, len);
  memset (packet + UDT_HEADER_SIZE + len, 0, UDT_TAG_SIZE);
  return fuzz_peer_raw (peer, packet, UDT_HEADER_SIZE + len + UDT_TAG_SIZE);
}

void
fuzz_peer_output (FuzzPeer *peer)
{
  UdtStats stats;
  unsigned n = 0;

  if (udt_connection_next_time (peer->conn) <= peer->now)
    udt_connection_tick (peer->conn, peer->now);
  while (udt_connection_output (peer->conn, peer->out, sizeof peer->out,
                                peer->now))
    FUZZ_CHECK (++n <= MAX_PACKETS_AT_ONCE);
  FUZZ_CHECK (udt_connection_next_time (peer->conn) > peer->now);
  udt_connection_get_stats (peer->conn, peer->now, &stats);
  FUZZ_CHECK (stats.receive_buffered <= FUZZ_RECEIVE_LIMIT);
  FUZZ_CHECK (stats.send_buffered <= FUZZ_SEND_LIMIT);
}
