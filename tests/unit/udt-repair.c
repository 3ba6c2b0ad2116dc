/* Redundancy between two engines: what is lost comes back without a round trip,
 * is not repeated, counts as lost all the same, and costs nothing where nothing
 * is lost. And what a receiver gives up by itself.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udt-pair.h"
#include "udtprivate.h"

#define INTERVAL (33 * PAIR_MS)
#define FAR (60 * PAIR_MS)
#define FRAME 14000

static const UdtFlowConfig video = { .service = UDT_CLASS_VIDEO,
                                     .order = UDT_ORDER_STRICT,
                                     .deadline = 400 * PAIR_MS };
static const UdtFlowConfig audio = { .service = UDT_CLASS_AUDIO,
                                     .order = UDT_ORDER_STRICT,
                                     .deadline = 400 * PAIR_MS };

static void
begin (Pair *pair, UdtTime delay)
{
  UdtConfig config;

  udt_config_init (&config);
  config.max_mtu = config.mtu;
  config.keep_alive_interval = 0;
  CHECK (pair_init (pair, &config, 0));
  pair->delay = delay;
  pair_run (pair, 500 * PAIR_MS);
  CHECK_EQ (udt_connection_open_flow (pair->conn[0], 1, &video, pair->now),
            UDT_OK);
  CHECK_EQ (udt_connection_open_flow (pair->conn[0], 2, &audio, pair->now),
            UDT_OK);
}

/* The path has lost so much lately, as far as end 0 knows. */
static void
make_lossy (Pair *pair, unsigned per_mille)
{
  UdtLossMeter *meter = &pair->conn[0]->loss_meter;

  meter->packets = 1000;
  meter->lost = meter->bursts = per_mille;
  meter->halved = pair->now;
  meter->warrants = true;
  for (uint16_t id = 1; id <= 2; id++) {
    UdtFlowOut *flow = udt_find_flow_out (pair->conn[0], id);

    if (flow != NULL)
      flow->interval = 20 * PAIR_MS;
  }
}

static unsigned
take (Pair *pair, UdtTime *slowest, UdtTime sent)
{
  UdtReceived message;
  unsigned n = 0;

  while (pair_receive (pair, 1, &message)) {
    if (message.completed - sent > *slowest)
      *slowest = message.completed - sent;
    n++;
  }
  return n;
}

static UdtStats
stats_of (const Pair *pair, unsigned i)
{
  UdtStats stats;

  udt_connection_get_stats (pair->conn[i], pair->now, &stats);
  return stats;
}

/* Frames of which one packet each is lost. */
static void
no_round_trip (void)
{
  UdtTime slowest = 0;
  UdtStats sender, receiver;
  Pair pair;

  begin (&pair, FAR);
  for (unsigned i = 0; i < 40; i++) {
    UdtTime sent = pair.now;

    make_lossy (&pair, 60);
    /* Another one of its packets each time, and none of what is not of it. */
    pair.lose_every[0] = 14;
    pair.sent[0] = i % 13;
    CHECK_EQ (pair_send (&pair, 1, FRAME, 0), UDT_OK);
    pair_run (&pair, INTERVAL);
    pair.lose_every[0] = 0;
    /* Half a round trip and the time it took to send. */
    pair_run (&pair, FAR);
    CHECK_EQ (take (&pair, &slowest, sent), 1);
    pair_run (&pair, 3 * FAR);
  }
  sender = stats_of (&pair, 0);
  receiver = stats_of (&pair, 1);
  CHECK (receiver.packets_recovered >= 30);
  CHECK_EQ (receiver.messages_missed, 0);
  /* What was lost is known to be, and yet nothing went again. */
  CHECK_EQ (sender.packets_lost, 40);
  CHECK_EQ (sender.packets_retransmitted, 0);
  CHECK_EQ (sender.send_buffered, 0);
  CHECK_EQ (sender.messages_dropped, 0);
  pair_clear (&pair);
}

/* At most a fifth more, however bad the path. */
static void
bounded (void)
{
  UdtStats stats;
  UdtTime slowest = 0;
  Pair pair;

  begin (&pair, FAR);
  for (unsigned i = 0; i < 100; i++) {
    make_lossy (&pair, 300);
    pair_send (&pair, 1, FRAME, 0);
    pair_run (&pair, INTERVAL);
    take (&pair, &slowest, pair.now);
  }
  stats = stats_of (&pair, 0);
  CHECK (stats.repairs_sent > 100);
  CHECK_RANGE (stats.repair_bytes_sent, FRAME * 10, FRAME * 100 / 5);
  pair_clear (&pair);
}

static void
none_when_clean (void)
{
  UdtTime slowest = 0;
  Pair pair;

  begin (&pair, FAR);
  for (unsigned i = 0; i < 100; i++) {
    pair_send (&pair, 1, FRAME, 0);
    pair_send (&pair, 2, 160, 0);
    pair_run (&pair, INTERVAL);
    take (&pair, &slowest, pair.now);
  }
  CHECK_EQ (stats_of (&pair, 0).repairs_sent, 0);
  pair_clear (&pair);
}

/* A repeat is there before the next frame. */
static void
none_when_near (void)
{
  UdtTime slowest = 0;
  Pair pair;

  begin (&pair, 2 * PAIR_MS);
  for (unsigned i = 0; i < 100; i++) {
    make_lossy (&pair, 50);
    pair_send (&pair, 1, FRAME, 0);
    pair_run (&pair, INTERVAL);
    take (&pair, &slowest, pair.now);
  }
  CHECK_EQ (stats_of (&pair, 0).repairs_sent, 0);
  pair_clear (&pair);
}

/* A short message is followed by a copy, in another packet, a while later. */
static void
copy_of_sound (void)
{
  UdtReceived message;
  unsigned before;
  Pair pair;

  begin (&pair, FAR);
  for (unsigned i = 0; i < 8; i++) {
    bool got;

    make_lossy (&pair, 50);
    pair.conn[0]->repair_budget = 4000;
    before = pair.sent[0];
    pair_send (&pair, 2, 160, 0);
    /* The first packet is lost, whatever else comes. */
    pair.cut[0] = true;
    pair_run (&pair, 0);
    CHECK_EQ (pair.sent[0], before + 1);
    pair.cut[0] = false;
    pair_run (&pair, FAR + 12 * PAIR_MS);
    got = pair_receive (&pair, 1, &message);
    CHECK (got);
    CHECK_EQ (got ? message.id : 0, i);
    CHECK_EQ (got ? message.size : 0, 160);
    pair_run (&pair, 20 * PAIR_MS);
  }
  CHECK_EQ (stats_of (&pair, 1).packets_recovered, 8);
  pair_clear (&pair);
}

/* Messages of one and two blocks, with a header that ends anywhere: every byte
 * comes back. */
static void
all_bytes (void)
{
  static uint8_t payload[200000];
  static const size_t sizes[] = { 1, 300, 1301, 5200, 80000, 200000 };
  UdtConfig config;
  Pair pair;

  for (size_t i = 0; i < sizeof payload; i++)
    payload[i] = (uint8_t)(i * 7 + (i >> 8) * 31);
  udt_config_init (&config);
  CHECK (pair_init (&pair, &config, 0));
  pair.delay = FAR;
  pair_run (&pair, 500 * PAIR_MS);
  CHECK_EQ (udt_connection_open_flow (pair.conn[0], 1, &video, pair.now),
            UDT_OK);
  for (unsigned i = 0; i < 60; i++) {
    size_t size = sizes[i % 6];
    UdtMessage message = { .header = payload,
                           .header_len = size < 64 ? size : i,
                           .payload = payload + (size < 64 ? size : i) };
    UdtReceived received;

    message.payload_len = size - message.header_len;
    make_lossy (&pair, 100);
    pair.conn[0]->repair_budget = 60000;
    pair.lose_every[0] = 11 + i % 5;
    CHECK_EQ (udt_connection_send (pair.conn[0], 1, &message, pair.now),
              UDT_OK);
    pair_run (&pair, 350 * PAIR_MS);
    if (udt_connection_receive (pair.conn[1], &received, pair.now) != UDT_OK)
      continue;
    CHECK_EQ (received.size, sizes[received.id % 6]);
    CHECK_MEM (received.data, payload, received.size);
    pair_free (&pair.memory, received.data);
  }
  CHECK (stats_of (&pair, 1).packets_recovered > 100);
  CHECK (stats_of (&pair, 1).messages_received >= 55);
  pair_clear (&pair);
}

/* The sender cannot say that it gave a message up: what is whole behind it goes
 * out when its time is over, and not before. */
static void
released_without_word (void)
{
  UdtReceived message;
  Pair pair;

  begin (&pair, 10 * PAIR_MS);
  pair_send (&pair, 1, 3000, 0);
  pair.lose_every[0] = 2;
  pair.sent[0] = 0;
  pair_run (&pair, 5 * PAIR_MS);
  pair.lose_every[0] = 0;
  pair_send (&pair, 1, 500, 0);
  pair_flush (&pair, 0);
  /* From here on nothing gets through. */
  pair.cut[0] = pair.cut[1] = true;
  pair_run (&pair, 380 * PAIR_MS);
  CHECK (!pair_receive (&pair, 1, &message));
  pair_run (&pair, 40 * PAIR_MS);
  CHECK (pair_receive (&pair, 1, &message));
  CHECK_EQ (message.id, 1);
  CHECK (message.gap);
  CHECK_EQ (stats_of (&pair, 1).messages_expired, 1);
  CHECK_EQ (pair.last[1][UDT_EVENT_GAP].count, 1);
  /* The sender comes to the same end when it can speak again. */
  pair.cut[0] = pair.cut[1] = false;
  pair_run (&pair, 2000 * PAIR_MS);
  CHECK_EQ (stats_of (&pair, 1).messages_missed, 1);
  CHECK (!pair_receive (&pair, 1, &message));
  CHECK_EQ (pair_send (&pair, 1, 500, 0), UDT_OK);
  pair_run (&pair, 100 * PAIR_MS);
  CHECK (pair_receive (&pair, 1, &message));
  CHECK (!message.gap);
  pair_clear (&pair);
}

static const CheckCase cases[] = {
  { "no-round-trip", no_round_trip },
  { "bounded", bounded },
  { "none-when-clean", none_when_clean },
  { "none-when-near", none_when_near },
  { "copy-of-sound", copy_of_sound },
  { "all-bytes", all_bytes },
  { "released-without-word", released_without_word },
};

CHECK_MAIN (cases)
