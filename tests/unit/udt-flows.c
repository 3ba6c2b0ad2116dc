/* Flows: whose turn it is, what is given up and who is told, what waits for
 * whom, and that memory runs out without harm.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udt-pair.h"
#include "udtprivate.h"

/* What a connection may take: as it begins, and with a live flow of 2 Mbit/s. */
#define IDLE_BYTES 14000
#define LIVE_BYTES 20000

static const UdtFlowConfig command
    = { .service = UDT_CLASS_COMMAND, .order = UDT_ORDER_STRICT };
static const UdtFlowConfig audio = { .service = UDT_CLASS_AUDIO };
static const UdtFlowConfig video
    = { .service = UDT_CLASS_VIDEO, .order = UDT_ORDER_STRICT };
static const UdtFlowConfig bulk
    = { .service = UDT_CLASS_BULK, .order = UDT_ORDER_STRICT };
static const UdtFlowConfig live = { .service = UDT_CLASS_VIDEO,
                                    .order = UDT_ORDER_STRICT,
                                    .deadline = 100 * PAIR_MS };

static const UdtFlowConfig slower = { .service = UDT_CLASS_VIDEO,
                                      .order = UDT_ORDER_STRICT,
                                      .deadline = 200 * PAIR_MS };

static void
begin (Pair *pair)
{
  UdtConfig config;

  udt_config_init (&config);
  /* Packets stay of one size, and nothing speaks unasked. */
  config.max_mtu = config.mtu;
  config.keep_alive_interval = 0;
  CHECK (pair_init (pair, &config, 0));
  pair_run (pair, 200 * PAIR_MS);
  CHECK_EQ (pair->events[0][UDT_EVENT_CONNECTED], 1);
  CHECK_EQ (pair->events[1][UDT_EVENT_CONNECTED], 1);
}

static void
open_flow (Pair *pair, uint16_t flow, const UdtFlowConfig *config)
{
  CHECK_EQ (udt_connection_open_flow (pair->conn[0], flow, config, pair->now),
            UDT_OK);
}

/* The flows of the messages that end 1 has, in order of completion. */
static size_t
arrivals (Pair *pair, uint16_t *flows, size_t max)
{
  UdtReceived message;
  size_t n = 0;

  while (n < max && pair_receive (pair, 1, &message))
    flows[n++] = message.flow;
  return n;
}

static void
classes_in_order (void)
{
  uint16_t flows[8];
  Pair pair;

  begin (&pair);
  open_flow (&pair, 4, &bulk);
  open_flow (&pair, 3, &video);
  open_flow (&pair, 2, &audio);
  open_flow (&pair, 1, &command);
  for (uint16_t flow = 4; flow >= 1; flow--)
    CHECK_EQ (pair_send (&pair, flow, 5000, 0), UDT_OK);
  pair_run (&pair, 200 * PAIR_MS);
  CHECK_EQ (arrivals (&pair, flows, 8), 4);
  for (uint16_t i = 0; i < 4; i++)
    CHECK_EQ (flows[i], i + 1);
  pair_clear (&pair);
}

static void
priorities_in_order (void)
{
  UdtFlowConfig low = bulk, high = bulk;
  uint16_t flows[8];
  Pair pair;

  begin (&pair);
  low.priority = 9;
  high.priority = 3;
  open_flow (&pair, 1, &low);
  open_flow (&pair, 2, &high);
  pair_send (&pair, 1, 5000, 0);
  pair_send (&pair, 2, 5000, 0);
  /* ... and they can change while messages wait. */
  pair_send (&pair, 1, 5000, 0);
  pair_run (&pair, 200 * PAIR_MS);
  CHECK_EQ (arrivals (&pair, flows, 8), 3);
  CHECK_EQ (flows[0], 2);
  low.priority = 0;
  CHECK_EQ (udt_connection_configure_flow (pair.conn[0], 1, &low, pair.now),
            UDT_OK);
  pair_send (&pair, 2, 5000, 0);
  pair_send (&pair, 1, 5000, 0);
  pair_run (&pair, 200 * PAIR_MS);
  CHECK_EQ (arrivals (&pair, flows, 8), 2);
  CHECK_EQ (flows[0], 1);
  pair_clear (&pair);
}

/* Two flows of one class and priority end at about the same time. */
static void
equals_take_turns (void)
{
  Pair pair;
  UdtFlowStats a, b;

  begin (&pair);
  open_flow (&pair, 1, &bulk);
  open_flow (&pair, 2, &bulk);
  CHECK_EQ (pair_send (&pair, 1, 200000, 0), UDT_OK);
  CHECK_EQ (pair_send (&pair, 2, 200000, 0), UDT_OK);
  pair_run (&pair, 60 * PAIR_MS);
  udt_connection_get_flow_stats (pair.conn[0], 1, pair.now, &a);
  udt_connection_get_flow_stats (pair.conn[0], 2, pair.now, &b);
  CHECK (a.unsent < 200000);
  CHECK_RANGE ((double)a.unsent - (double)b.unsent, -3000, 3000);
  pair_run (&pair, 2000 * PAIR_MS);
  pair_clear (&pair);
}

/* While new video waits, repeats get half of what is sent. */
static void
repeats_are_capped (void)
{
  Pair pair;
  UdtStats before, after;
  UdtFlowConfig slow = video;

  begin (&pair);
  open_flow (&pair, 1, &slow);
  CHECK_EQ (pair_send (&pair, 1, 30000, 0), UDT_OK);
  /* All of it is lost, and then there is another. */
  pair.cut[0] = true;
  pair_run (&pair, 25 * PAIR_MS);
  pair.cut[0] = false;
  CHECK_EQ (pair_send (&pair, 1, 300000, 0), UDT_OK);
  udt_connection_get_stats (pair.conn[0], pair.now, &before);
  pair_run (&pair, 150 * PAIR_MS);
  udt_connection_get_stats (pair.conn[0], pair.now, &after);
  CHECK (after.bytes_retransmitted - before.bytes_retransmitted > 0);
  CHECK (after.bytes_retransmitted - before.bytes_retransmitted
         < (after.bytes_sent - before.bytes_sent) / 2 + 5000);
  pair_run (&pair, 3000 * PAIR_MS);
  CHECK_EQ (pair.released, 2);
  pair_clear (&pair);
}

/* A message that is late before it was sent costs nothing on the wire. */
static void
late_messages_stay (void)
{
  Pair pair;
  UdtReceived message;
  UdtFlowStats stats;
  UdtTime sent_at;
  unsigned packets;

  begin (&pair);
  open_flow (&pair, 1, &live);
  pair.cut[0] = true;
  sent_at = pair.now;
  CHECK_EQ (pair_send (&pair, 1, 400, UDT_MESSAGE_SYNC), UDT_OK);
  for (unsigned i = 0; i < 4; i++)
    CHECK_EQ (pair_send (&pair, 1, 100000, UDT_MESSAGE_SYNC), UDT_OK);
  while (pair.events[0][UDT_EVENT_DROPPED] == 0
         && pair.now < sent_at + 200 * PAIR_MS)
    pair_run (&pair, PAIR_MS);
  /* At the deadline, to the millisecond of this loop. */
  CHECK_RANGE (pair.now - sent_at, 100 * PAIR_MS, 102 * PAIR_MS);
  /* The one that was out already is not given up before it is known lost. */
  pair_run (&pair, 150 * PAIR_MS);
  udt_connection_get_flow_stats (pair.conn[0], 1, pair.now, &stats);
  CHECK_EQ (stats.messages_dropped, 5);
  CHECK_EQ (stats.unsent, 0);
  CHECK_EQ (pair.released, 5);
  packets = pair.sent[0];
  pair.cut[0] = false;
  pair_run (&pair, 1000 * PAIR_MS);
  CHECK (pair.sent[0] - packets < 20);
  CHECK (!pair_receive (&pair, 1, &message));
  /* The receiver knows, and the next one says so. */
  CHECK_EQ (pair.last[1][UDT_EVENT_GAP].count, 5);
  CHECK_EQ (pair_send (&pair, 1, 10, UDT_MESSAGE_SYNC), UDT_OK);
  pair_run (&pair, 100 * PAIR_MS);
  CHECK (pair_receive (&pair, 1, &message));
  CHECK_EQ (message.id, 5);
  CHECK (message.gap);
  pair_clear (&pair);
}

static void
reliable_messages_are_never_dropped (void)
{
  Pair pair;
  UdtReceived message;

  begin (&pair);
  open_flow (&pair, 1, &bulk);
  CHECK_EQ (pair_send (&pair, 1, 50000, 0), UDT_OK);
  CHECK_EQ (udt_connection_drop_pending (pair.conn[0], 1, pair.now), 0);
  pair.cut[0] = true;
  pair_run (&pair, 20000 * PAIR_MS);
  pair.cut[0] = false;
  pair_run (&pair, 3000 * PAIR_MS);
  CHECK (pair_receive (&pair, 1, &message));
  CHECK_EQ (message.size, 50000);
  CHECK_EQ (pair.events[0][UDT_EVENT_DROPPED], 0);
  pair_clear (&pair);
}

static void
run_until_drop (Pair *pair)
{
  for (unsigned i = 0; i < 200 && !pair->events[0][UDT_EVENT_DROPPED]; i++)
    pair_run (pair, PAIR_MS);
}

/* Frames after a dropped one go with it, up to the next keyframe. */
static void
dependents_go_too (void)
{
  Pair pair;
  UdtReceived message;
  static const unsigned flags[]
      = { UDT_MESSAGE_SYNC, UDT_MESSAGE_DELTA, UDT_MESSAGE_DELTA,
          UDT_MESSAGE_SYNC, UDT_MESSAGE_DELTA };

  begin (&pair);
  open_flow (&pair, 1, &slower);
  /* The first is lost with its repeats; the others could still make it. */
  pair.cut[0] = true;
  CHECK_EQ (pair_send (&pair, 1, 400, flags[0]), UDT_OK);
  pair_run (&pair, 190 * PAIR_MS);
  for (unsigned i = 1; i < 5; i++)
    CHECK_EQ (pair_send (&pair, 1, 400, flags[i]), UDT_OK);
  run_until_drop (&pair);
  pair.cut[0] = false;
  CHECK_EQ (pair.last[0][UDT_EVENT_DROPPED].count, 3);
  CHECK (!pair.last[0][UDT_EVENT_DROPPED].need_sync);
  pair_run (&pair, 180 * PAIR_MS);
  CHECK (pair_receive (&pair, 1, &message));
  CHECK_EQ (message.id, 3);
  CHECK (message.gap);
  CHECK (pair_receive (&pair, 1, &message));
  CHECK_EQ (message.id, 4);
  CHECK (!message.gap);
  pair_clear (&pair);
}

static void
without_keyframe_one_is_wanted (void)
{
  Pair pair;
  UdtFlowStats stats;

  begin (&pair);
  open_flow (&pair, 1, &live);
  CHECK_EQ (pair_send (&pair, 1, 400, UDT_MESSAGE_SYNC), UDT_OK);
  CHECK_EQ (pair_send (&pair, 1, 400, UDT_MESSAGE_DELTA), UDT_OK);
  CHECK_EQ (udt_connection_drop_pending (pair.conn[0], 1, pair.now), 2);
  CHECK_EQ (pair.released, 2);
  CHECK_EQ (pair_send (&pair, 1, 400, UDT_MESSAGE_DELTA), UDT_ERR_DEPENDS);
  pair_run (&pair, 50 * PAIR_MS);
  CHECK (pair.last[0][UDT_EVENT_DROPPED].need_sync);
  CHECK_EQ (pair.last[1][UDT_EVENT_GAP].count, 2);
  CHECK_EQ (pair_send (&pair, 1, 400, UDT_MESSAGE_SYNC), UDT_OK);
  CHECK_EQ (pair_send (&pair, 1, 400, UDT_MESSAGE_DELTA), UDT_OK);
  udt_connection_get_flow_stats (pair.conn[0], 1, pair.now, &stats);
  CHECK_EQ (stats.messages_dropped, 3);
  pair_clear (&pair);
}

/* What nothing depends on takes nothing with it. */
static void
disposables_go_alone (void)
{
  Pair pair;
  UdtReceived message;

  begin (&pair);
  open_flow (&pair, 1, &slower);
  pair_send (&pair, 1, 10, UDT_MESSAGE_SYNC);
  pair_run (&pair, 100 * PAIR_MS);
  CHECK (pair_receive (&pair, 1, &message));
  pair.cut[0] = true;
  pair_send (&pair, 1, 400, UDT_MESSAGE_DELTA | UDT_MESSAGE_DISPOSABLE);
  pair_run (&pair, 190 * PAIR_MS);
  pair_send (&pair, 1, 400, UDT_MESSAGE_DELTA);
  run_until_drop (&pair);
  pair.cut[0] = false;
  CHECK_EQ (pair.last[0][UDT_EVENT_DROPPED].count, 1);
  CHECK (!pair.last[0][UDT_EVENT_DROPPED].need_sync);
  pair_run (&pair, 180 * PAIR_MS);
  CHECK (pair_receive (&pair, 1, &message));
  CHECK_EQ (message.id, 2);
  pair_clear (&pair);
}

/* A loss in one flow holds up no other. */
static void
flows_do_not_wait (void)
{
  Pair pair;
  UdtReceived message;

  begin (&pair);
  open_flow (&pair, 1, &video);
  open_flow (&pair, 2, &audio);
  pair.cut[0] = true;
  pair_send (&pair, 1, 400, 0);
  pair_run (&pair, PAIR_MS);
  pair.cut[0] = false;
  pair_send (&pair, 1, 400, 0);
  pair_send (&pair, 2, 400, 0);
  pair_run (&pair, pair.delay + PAIR_MS);
  CHECK (pair_receive (&pair, 1, &message));
  CHECK_EQ (message.flow, 2);
  CHECK (!pair_receive (&pair, 1, &message));
  pair_run (&pair, 100 * PAIR_MS);
  CHECK (pair_receive (&pair, 1, &message));
  CHECK_EQ (message.id, 0);
  CHECK (pair_receive (&pair, 1, &message));
  CHECK_EQ (message.id, 1);
  pair_clear (&pair);
}

/* A held file stops its sender, within its share; live video goes on. */
static void
held_flow_starves_nobody (void)
{
  Pair pair;
  UdtConfig config;
  UdtReceived message;
  UdtStats stats;
  size_t got = 0;

  udt_config_init (&config);
  config.receive_limit = 512u << 10;
  config.max_message = 64u << 10;
  CHECK (pair_init (&pair, &config, 0));
  pair_run (&pair, 200 * PAIR_MS);
  open_flow (&pair, 1, &bulk);
  open_flow (&pair, 2, &video);
  udt_connection_hold_flow (pair.conn[1], 1, true);
  for (unsigned i = 0; i < 20; i++)
    CHECK_EQ (pair_send (&pair, 1, 60000, 0), UDT_OK);
  pair_run (&pair, 5000 * PAIR_MS);
  udt_connection_get_stats (pair.conn[1], pair.now, &stats);
  CHECK (stats.receive_buffered > 100000);
  CHECK (stats.receive_buffered <= 256u << 10);
  CHECK (!pair_receive (&pair, 1, &message));
  for (unsigned i = 0; i < 50; i++) {
    CHECK_EQ (pair_send (&pair, 2, 20000, 0), UDT_OK);
    pair_run (&pair, 33 * PAIR_MS);
    while (pair_receive (&pair, 1, &message)) {
      CHECK_EQ (message.flow, 2);
      got++;
    }
  }
  CHECK (got >= 48);
  udt_connection_hold_flow (pair.conn[1], 1, false);
  got = 0;
  for (unsigned i = 0; i < 100; i++) {
    pair_run (&pair, 50 * PAIR_MS);
    while (pair_receive (&pair, 1, &message))
      got += message.flow == 1;
  }
  CHECK_EQ (got, 20);
  pair_clear (&pair);
}

static void
full_and_writable (void)
{
  Pair pair;
  UdtConfig config;
  unsigned taken = 0;

  udt_config_init (&config);
  config.send_limit = 100000;
  CHECK (pair_init (&pair, &config, 0));
  pair_run (&pair, 100 * PAIR_MS);
  open_flow (&pair, 1, &bulk);
  CHECK_EQ (pair_send (&pair, 1, 100001, 0), UDT_ERR_TOO_BIG);
  while (pair_send (&pair, 1, 10000, 0) == UDT_OK)
    taken++;
  /* Bulk leaves some of it to the others. */
  CHECK_EQ (taken, 8);
  open_flow (&pair, 2, &audio);
  while (pair_send (&pair, 2, 10000, 0) == UDT_OK)
    taken++;
  CHECK_EQ (taken, 10);
  CHECK_EQ (pair_send (&pair, 1, 10000, 0), UDT_ERR_FULL);
  CHECK_EQ (pair.events[0][UDT_EVENT_WRITABLE], 0);
  pair_run (&pair, 500 * PAIR_MS);
  CHECK_EQ (pair.events[0][UDT_EVENT_WRITABLE], 1);
  CHECK_EQ (pair_send (&pair, 1, 10000, 0), UDT_OK);
  CHECK_EQ (pair.released, 10);
  pair_clear (&pair);
}

/* A flow closed and opened again is another one, even to late packets. */
static void
flows_open_again (void)
{
  Pair pair;
  UdtReceived message;

  begin (&pair);
  open_flow (&pair, 7, &video);
  pair_send (&pair, 7, 300, 0);
  pair_run (&pair, 50 * PAIR_MS);
  CHECK (pair_receive (&pair, 1, &message));
  pair_send (&pair, 7, 50000, 0);
  pair_run (&pair, 3 * PAIR_MS);
  CHECK_EQ (udt_connection_close_flow (pair.conn[0], 7, pair.now), UDT_OK);
  CHECK_EQ (pair.released, 2);
  CHECK_EQ (pair_send (&pair, 7, 1, 0), UDT_ERR_NO_FLOW);
  open_flow (&pair, 7, &video);
  pair_send (&pair, 7, 500, 0);
  pair_run (&pair, 100 * PAIR_MS);
  CHECK_EQ (pair.events[1][UDT_EVENT_FLOW_RESET], 1);
  CHECK_EQ (pair.events[1][UDT_EVENT_FLOW_OPENED], 2);
  CHECK (pair_receive (&pair, 1, &message));
  CHECK_EQ (message.id, 0);
  CHECK_EQ (message.size, 500);
  CHECK (!pair_receive (&pair, 1, &message));
  /* Slots come back: many more than there are. */
  for (unsigned i = 0; i < 300; i++) {
    CHECK_EQ (udt_connection_close_flow (pair.conn[0], 7, pair.now), UDT_OK);
    open_flow (&pair, 7, &video);
    CHECK_EQ (pair_send (&pair, 7, i + 1, 0), UDT_OK);
    pair_run (&pair, 30 * PAIR_MS);
    CHECK (pair_receive (&pair, 1, &message));
    CHECK_EQ (message.size, i + 1);
  }
  pair_clear (&pair);
}

/* Ids and bytes of a flow across the numbers at which their forms on the wire
 * and half of their bits begin anew, with losses of all sorts. */
static void
ids_across (uint64_t at)
{
  Pair pair;
  UdtReceived message;
  UdtFlowOut *out;
  UdtFlowIn *in;
  uint64_t next = at - 200, bytes = (UINT64_C (1) << 32) - 100000;

  begin (&pair);
  open_flow (&pair, 7, &bulk);
  CHECK_EQ (pair_send (&pair, 7, 300, 0), UDT_OK);
  pair_run (&pair, 500 * PAIR_MS);
  CHECK (pair_receive (&pair, 1, &message));
  pair_run (&pair, 500 * PAIR_MS);
  out = &pair.conn[0]->flows_out[0];
  in = &pair.conn[1]->flows_in[0];
  CHECK (out->used && out->head == NULL && in->used && in->messages == NULL);
  out->next_id = out->window_floor = in->floor = in->announced_floor = next;
  out->id_limit = next + UDT_ID_WINDOW;
  out->started += bytes;
  out->limit += bytes;
  pair.lose_every[0] = 7;
  pair.lose_every[1] = 5;
  for (unsigned i = 0; i < 400; i++) {
    CHECK_EQ (pair_send (&pair, 7, 100 + i, 0), UDT_OK);
    pair_run (&pair, 2 * PAIR_MS);
  }
  pair_run (&pair, 3000 * PAIR_MS);
  for (unsigned i = 0; i < 400; i++) {
    if (!CHECK (pair_receive (&pair, 1, &message)))
      break;
    CHECK_EQ (message.id, next + i);
    CHECK_EQ (message.size, 100 + i);
    CHECK (!message.gap);
  }
  CHECK (!pair_receive (&pair, 1, &message));
  CHECK_EQ (pair.released, 401);
  pair_clear (&pair);
}

static void
ids_wrap (void)
{
  ids_across (UINT64_C (1) << 14);
  ids_across (UINT64_C (1) << 30);
  ids_across (UINT64_C (1) << 32);
  ids_across (UINT64_C (1) << 60);
}

static void
what_cannot_leave_is_not_lost (void)
{
  Pair pair;
  UdtReceived message;
  UdtStats stats;
  uint8_t packet[UDT_MAX_PACKET];

  begin (&pair);
  open_flow (&pair, 1, &video);
  pair_send (&pair, 1, 30000, 0);
  for (unsigned i = 0; i < 40; i++) {
    if (udt_connection_output (pair.conn[0], packet, sizeof packet, pair.now))
      udt_connection_send_failed (pair.conn[0], pair.now);
    /* It does not ask to be called again at once. */
    CHECK (udt_connection_next_time (pair.conn[0]) > pair.now);
    pair.now += PAIR_MS;
  }
  udt_connection_get_stats (pair.conn[0], pair.now, &stats);
  CHECK_EQ (stats.packets_lost, 0);
  pair_run (&pair, 300 * PAIR_MS);
  CHECK (pair_receive (&pair, 1, &message));
  CHECK_EQ (message.size, 30000);
  pair_clear (&pair);
}

static void
header_and_payload (void)
{
  Pair pair;
  UdtReceived got;
  uint8_t header[UDT_MAX_HEADER], payload[3000];
  UdtMessage message = { .header = header,
                         .header_len = sizeof header,
                         .payload = payload,
                         .payload_len = sizeof payload };

  for (size_t i = 0; i < sizeof header; i++)
    header[i] = (uint8_t)(i + 1);
  for (size_t i = 0; i < sizeof payload; i++)
    payload[i] = (uint8_t)(i * 7);
  begin (&pair);
  open_flow (&pair, 1, &video);
  pair.lose_every[0] = 3;
  CHECK_EQ (udt_connection_send (pair.conn[0], 1, &message, pair.now), UDT_OK);
  pair_run (&pair, 500 * PAIR_MS);
  CHECK_EQ (udt_connection_receive (pair.conn[1], &got, pair.now), UDT_OK);
  CHECK_EQ (got.size, sizeof header + sizeof payload);
  CHECK_MEM (got.data, header, sizeof header);
  CHECK_MEM (got.data + sizeof header, payload, sizeof payload);
  pair_free (&pair.memory, got.data);
  message.header_len = UDT_MAX_HEADER + 1;
  CHECK_EQ (udt_connection_send (pair.conn[0], 1, &message, pair.now),
            UDT_ERR_ARGUMENT);
  pair_clear (&pair);
}

/* Everything above in small, with loss, while the nth allocation fails. */
static unsigned
faulty_run (size_t fail_at, size_t *calls)
{
  UdtConfig config;
  UdtReceived message;
  unsigned accepted = 0;
  Pair pair;

  udt_config_init (&config);
  if (pair_init (&pair, &config, fail_at)) {
    pair.lose_every[0] = 9;
    pair_run (&pair, 100 * PAIR_MS);
    udt_connection_open_flow (pair.conn[0], 1, &live, pair.now);
    udt_connection_open_flow (pair.conn[0], 2, &bulk, pair.now);
    for (unsigned i = 0; i < 60; i++) {
      accepted += pair_send (&pair, 1, 7000,
                             i % 8 ? UDT_MESSAGE_DELTA : UDT_MESSAGE_SYNC)
                  == UDT_OK;
      accepted += pair_send (&pair, 2, 20000, 0) == UDT_OK;
      pair.cut[0] = i > 20 && i < 24;
      pair_run (&pair, 10 * PAIR_MS);
      while (pair_receive (&pair, 1, &message)) {
      }
    }
    udt_connection_close (pair.conn[0], 1, "done", 2000 * PAIR_MS, pair.now);
    pair_run (&pair, 4000 * PAIR_MS);
    CHECK (udt_connection_is_finished (pair.conn[0]));
    CHECK_EQ (pair.events[0][UDT_EVENT_CLOSED], 1);
    CHECK_EQ (pair.released, accepted);
  }
  *calls = pair.memory.calls;
  pair_clear (&pair);
  return accepted;
}

static void
memory_runs_out (void)
{
  size_t calls, all;
  unsigned without = faulty_run (0, &all);

  CHECK (without > 60);
  CHECK (all > 100);
  for (size_t n = 1; n <= all; n++)
    faulty_run (n, &calls);
}

/* Memory that never comes back: whatever happens then, no call loops. */
static void
memory_stays_out (void)
{
  size_t calls, all;

  faulty_run (0, &all);
  for (size_t n = 3; n <= all; n += 7)
    faulty_run (n | PAIR_FAIL_FOR_EVER, &calls);
}

/* 2 Mbit/s for five seconds, keyframes five times as large as the others, 50 ms
 * round trip: both ends together, beside what is in messages. */
static void
a_live_flow_takes_little (void)
{
  enum { FRAME = 7300, KEYFRAME = 5 * FRAME };
  UdtConfig config;
  UdtReceived message;
  unsigned received = 0;
  Pair pair;

  udt_config_init (&config);
  pair_init (&pair, &config, 0);
  pair.delay = 25 * PAIR_MS;
  pair_run (&pair, 200 * PAIR_MS);
  CHECK (pair.memory.bytes < 2 * IDLE_BYTES);
  udt_connection_open_flow (pair.conn[0], 1, &live, pair.now);
  for (unsigned i = 0; i < 150; i++) {
    CHECK_EQ (pair_send (&pair, 1, i % 30 ? FRAME : KEYFRAME,
                         i % 30 ? UDT_MESSAGE_DELTA : UDT_MESSAGE_SYNC),
              UDT_OK);
    pair_run (&pair, 33 * PAIR_MS);
    while (pair_receive (&pair, 1, &message))
      received++;
  }
  CHECK (received > 140);
  /* What is left are tables: no message is under way. */
  pair_run (&pair, 500 * PAIR_MS);
  while (pair_receive (&pair, 1, &message))
    received++;
  CHECK_EQ (received, 150);
  CHECK (pair.memory.bytes < 2 * LIVE_BYTES);
  CHECK (pair.memory.most_bytes < 2 * LIVE_BYTES + KEYFRAME * 3 / 2);
  pair_clear (&pair);
}

static const CheckCase cases[] = {
  { "classes-in-order", classes_in_order },
  { "priorities-in-order", priorities_in_order },
  { "equals-take-turns", equals_take_turns },
  { "repeats-are-capped", repeats_are_capped },
  { "late-messages-stay", late_messages_stay },
  { "reliable-messages-are-never-dropped",
    reliable_messages_are_never_dropped },
  { "dependents-go-too", dependents_go_too },
  { "without-keyframe-one-is-wanted", without_keyframe_one_is_wanted },
  { "disposables-go-alone", disposables_go_alone },
  { "flows-do-not-wait", flows_do_not_wait },
  { "held-flow-starves-nobody", held_flow_starves_nobody },
  { "full-and-writable", full_and_writable },
  { "flows-open-again", flows_open_again },
  { "ids-wrap", ids_wrap },
  { "what-cannot-leave-is-not-lost", what_cannot_leave_is_not_lost },
  { "header-and-payload", header_and_payload },
  { "memory-runs-out", memory_runs_out },
  { "memory-stays-out", memory_stays_out },
  { "a-live-flow-takes-little", a_live_flow_takes_little },
};

CHECK_MAIN (cases)
