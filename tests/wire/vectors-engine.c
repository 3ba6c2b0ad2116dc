/* Packets of the engine: every frame alone, and two connections that talk.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "vectors.h"

#include "p2pmessage.h"
#include "udtprivate.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- what the code reads in a frame ---- */

static void
put_ranges (const UdtRange *ranges, size_t n)
{
  vector_open ("ranges", '[');
  for (size_t i = 0; i < n; i++) {
    vector_open (NULL, '[');
    vector_number (NULL, ranges[i].first);
    vector_number (NULL, ranges[i].last);
    vector_close (']');
  }
  vector_close (']');
}

static void
put_ack (const UdtAckFrame *ack)
{
  UdtRange ranges[UDT_MAX_ACK_RANGES];
  uint32_t times[UDT_MAX_ACK_TIMES + 1];
  size_t n_times = udt_ack_times (ack, times, UDT_MAX_ACK_TIMES + 1);

  vector_number ("largest", ack->largest);
  vector_number ("delay", ack->delay);
  vector_number ("arrival", ack->arrival);
  put_ranges (ranges, udt_ack_ranges (ack, ranges, UDT_MAX_ACK_RANGES));
  vector_open ("times", '[');
  for (size_t i = 1; i < n_times; i++)
    vector_number (NULL, times[i]);
  vector_close (']');
}

static void
put_data (const UdtDataFrame *data)
{
  vector_number ("flags", data->flags);
  vector_number ("flow", data->flow);
  vector_number ("epoch", data->epoch);
  vector_number ("id", data->id);
  vector_number ("total", data->total);
  vector_number ("offset", data->offset);
  vector_number ("age", data->age);
  if (data->flags & UDT_DATA_LIVE)
    vector_number ("deadline", data->deadline);
  vector_number ("length", data->len);
}

static void
put_repair (const UdtRepairFrame *repair)
{
  vector_number ("flags", repair->flags);
  vector_number ("flow", repair->flow);
  vector_number ("epoch", repair->epoch);
  vector_number ("id", repair->id);
  vector_number ("total", repair->total);
  vector_number ("symbol", repair->symbol);
  vector_number ("index", repair->index);
  vector_number ("age", repair->age);
  if (repair->flags & UDT_DATA_LIVE)
    vector_number ("deadline", repair->deadline);
  vector_number ("length", repair->symbol);
}

static void
put_settings (const UdtSettingsFrame *settings)
{
  vector_number ("version", settings->version);
  vector_number ("latency", settings->latency);
  vector_number ("largest message", settings->max_message);
  vector_number ("flow window", settings->flow_window);
  vector_number ("id window", settings->id_window);
}

static void
put_frame (const UdtFrame *frame, size_t len)
{
  static const char *const names[]
      = { "PADDING", "PING",   "SETTINGS",   "ACK",   "NAK",   "DATA",
          "DROP",    "WINDOW", "FLOW_RESET", "CLOSE", "REPAIR" };
  UdtRange ranges[UDT_MAX_NAK_RANGES];

  vector_open (NULL, '{');
  vector_text ("type", names[frame->type], strlen (names[frame->type]));
  switch (frame->type) {
    case UDT_FRAME_PADDING:
      vector_number ("count", len);
      break;
    case UDT_FRAME_PING:
      break;
    case UDT_FRAME_SETTINGS:
      put_settings (&frame->settings);
      break;
    case UDT_FRAME_ACK:
      put_ack (&frame->ack);
      break;
    case UDT_FRAME_NAK:
      put_ranges (ranges,
                  udt_nak_ranges (&frame->nak, ranges, UDT_MAX_NAK_RANGES));
      break;
    case UDT_FRAME_DATA:
      put_data (&frame->data);
      break;
    case UDT_FRAME_DROP:
      vector_number ("flags", frame->drop.flags);
      vector_number ("flow", frame->drop.flow);
      vector_number ("epoch", frame->drop.epoch);
      vector_number ("first", frame->drop.first);
      vector_number ("count", frame->drop.end - frame->drop.first);
      break;
    case UDT_FRAME_WINDOW:
      vector_number ("epoch", frame->window.epoch);
      vector_number ("floor", frame->window.floor);
      vector_number ("bytes", frame->window.bytes);
      break;
    case UDT_FRAME_FLOW_RESET:
      vector_number ("flow", frame->reset.flow);
      vector_number ("epoch", frame->reset.epoch);
      break;
    case UDT_FRAME_CLOSE:
      vector_number ("code", frame->close.code);
      vector_text ("reason", (const char *)frame->close.reason,
                   frame->close.reason_len);
      break;
    case UDT_FRAME_REPAIR:
      put_repair (&frame->repair);
      break;
  }
  vector_close ('}');
}

static void
put_frames (const uint8_t *data, size_t len)
{
  UdtFrame frame;
  size_t at = 0, used;

  vector_open ("frames", '[');
  for (; at < len; at += used) {
    used = udt_frame_parse (data + at, len - at, &frame);
    if (used == 0) {
      fprintf (stderr, "our own frame at %zu of %zu is malformed\n", at, len);
      exit (1);
    }
    put_frame (&frame, used);
  }
  vector_close (']');
}

/* ---- every frame ---- */

static uint8_t buffer[2048];
static UdtWriter writer;

static void
emit (const char *name)
{
  size_t len = (size_t)(writer.at - buffer);

  vector_begin ("frames", name);
  vector_hex ("hex", buffer, len);
  vector_open ("want", '{');
  put_frames (buffer, len);
  vector_close ('}');
  vector_end ();
  writer.at = buffer;
}

static void
append (size_t len, uint8_t first)
{
  vector_count (writer.at, len, first);
  writer.at += len;
}

static void
control_frames (void)
{
  UdtSettingsFrame settings = { 1, 200000, 8 << 20, 8 << 20, 4096 };
  UdtSettingsFrame least = { 1, 0, 1, 1, 1 };
  UdtDropFrame drop = { UDT_DATA_STRICT, 65535, 3, 1000, 1001 };
  UdtDropFrame drops = { 0, 0, 0, 0, UDT_MAX_DROP_COUNT };
  UdtWindowFrame window = { 63, 64, 1 << 30 };
  UdtFlowResetFrame reset = { 16384, 16383 };
  UdtCloseFrame close = { 0xffffffff, (const uint8_t *)"peer-gone", 9 };
  UdtCloseFrame silent = { 0, NULL, 0 };

  udt_settings_write (&writer, &settings);
  emit ("settings");
  udt_settings_write (&writer, &least);
  emit ("settings-least");
  *writer.at++ = UDT_FRAME_PING;
  memset (writer.at, 0, 5);
  writer.at += 5;
  emit ("ping-and-padding");
  udt_drop_write (&writer, &drop);
  emit ("drop");
  udt_drop_write (&writer, &drops);
  emit ("drop-all");
  udt_window_write (&writer, &window);
  emit ("window");
  udt_flow_reset_write (&writer, &reset);
  emit ("flow-reset");
  udt_close_write (&writer, &close);
  emit ("close");
  udt_close_write (&writer, &silent);
  emit ("close-silent");
}

static void
number_frames (void)
{
  static const UdtRange one[] = { { 0, 0 } };
  static const UdtRange newest_first[]
      = { { UDT_NUMBER_MAX - 4, UDT_NUMBER_MAX }, { 70000, 70100 }, { 5, 8 } };
  static const UdtRange ascending[]
      = { { 0, 0 }, { 2, 70 }, { 100000, 100000 } };
  static const uint32_t time[] = { 77 };
  /* The clock has wrapped, and one packet overtook another. */
  static const uint32_t times[]
      = { 500, 300, 0xffffff00, 0xffffff10, 0xfffffe00, 0xfffff000 };

  udt_ack_write (&writer, one, 1, time, 1, 0);
  emit ("ack-of-one");
  udt_ack_write (&writer, newest_first, 3, times, 6, 12345);
  emit ("ack");
  udt_nak_write (&writer, one, 1);
  emit ("nak-of-one");
  udt_nak_write (&writer, ascending, 3);
  emit ("nak");
}

static void
data_frames (void)
{
  UdtDataFrame whole = { .flow = 1, .id = 2, .len = 3, .total = 3 };
  UdtDataFrame part = { .flags = UDT_DATA_FLAGS & ~UDT_MESSAGE_SYNC,
                        .flow = 300,
                        .epoch = 4,
                        .id = 70000,
                        .total = 1 << 20,
                        .offset = 12345,
                        .age = 1 << 20,
                        .deadline = 500,
                        .len = 70 };
  UdtDataFrame empty = { .flags = UDT_MESSAGE_SYNC, .flow = 16 };
  UdtRepairFrame repair = { .flags = UDT_DATA_LIVE | UDT_DATA_STRICT,
                            .flow = 17,
                            .epoch = 1,
                            .id = 9,
                            .total = 3000,
                            .symbol = 100,
                            .index = 31,
                            .age = 1000,
                            .deadline = 200 };

  udt_data_write_header (&writer, &whole);
  append (3, 1);
  emit ("data");
  udt_data_write_header (&writer, &part);
  append (70, 1);
  *writer.at++ = UDT_FRAME_PING;
  emit ("data-part");
  udt_data_write_header (&writer, &empty);
  emit ("data-empty");
  udt_repair_write_header (&writer, &repair);
  append (100, 7);
  emit ("repair");
}

void
vectors_frames (void)
{
  writer = (UdtWriter){ buffer, buffer + sizeof buffer };
  control_frames ();
  number_frames ();
  data_frames ();
}

/* ---- two connections ---- */

#define DELAY (60 * MS) /* one way */
#define QUEUE 1024
#define FRAMES 60
#define FRAME_INTERVAL (33 * MS)

typedef struct
{
  uint8_t data[UDT_MAX_PACKET];
  size_t len;
  UdtTime due;
} Datagram;

typedef struct
{
  UdtConnection *conn;
  P2pRecord *record;
  const char *name;
  uint64_t random;
  uint64_t number; /* of the packet sealed last */
  size_t plain_len;
  uint8_t plain[UDT_MAX_PACKET];
  Datagram queue[QUEUE]; /* on the way to this end */
  unsigned head, tail;
} End;

static End ends[2];
static UdtTime now;
static bool outage;
static unsigned packets;

static void *
engine_alloc (void *user, size_t size)
{
  (void)user;
  return malloc (size);
}

static void
engine_free (void *user, void *block)
{
  (void)user;
  free (block);
}

static uint64_t
engine_random (void *user)
{
  End *end = user;

  return end->random
         = end->random * 6364136223846793005u + 1442695040888963407u;
}

static bool
engine_seal (void *user, uint64_t number, const uint8_t *aad, size_t aad_len,
             uint8_t *data, size_t len)
{
  End *end = user;

  end->number = number;
  end->plain_len = len;
  memcpy (end->plain, data, len);
  return p2p_record_seal (end->record, number, aad, aad_len, data, len);
}

static bool
engine_open (void *user, uint64_t number, const uint8_t *aad, size_t aad_len,
             uint8_t *data, size_t len)
{
  End *end = user;

  return p2p_record_open (end->record, number, aad, aad_len, data, len);
}

static void
put_message (const UdtReceived *message, const char *from)
{
  vector_begin ("message", from);
  vector_number ("flow", message->flow);
  vector_number ("id", message->id);
  vector_number ("flags", message->flags);
  vector_hex ("hex", message->data, message->size);
  vector_end ();
}

/* Every 11th packet is lost, and all in an outage. */
static void
send_all (End *end)
{
  End *other = &ends[end == &ends[0]];

  for (;;) {
    Datagram *datagram = &other->queue[other->tail % QUEUE];
    bool lost;

    datagram->len = udt_connection_output (end->conn, datagram->data,
                                           sizeof datagram->data, now);
    if (!datagram->len)
      return;
    datagram->due = now + DELAY;
    lost = outage || ++packets % 11 == 0;
    vector_begin ("packet", end->name);
    vector_bool ("lost", lost);
    vector_hex ("hex", datagram->data, datagram->len);
    vector_open ("want", '{');
    vector_number ("number", end->number);
    put_frames (end->plain, end->plain_len);
    vector_close ('}');
    vector_end ();
    if (!lost && ++other->tail - other->head > QUEUE)
      exit (1);
  }
}

static void
serve (End *end)
{
  UdtReceived message;
  UdtEvent event;

  for (; end->head < end->tail && end->queue[end->head % QUEUE].due <= now;
       end->head++) {
    Datagram *datagram = &end->queue[end->head % QUEUE];

    udt_connection_input (end->conn, datagram->data, datagram->len, now);
  }
  udt_connection_tick (end->conn, now);
  while (udt_connection_event (end->conn, &event) == UDT_OK)
    ;
  while (udt_connection_receive (end->conn, &message, now) == UDT_OK) {
    put_message (&message, ends[end == &ends[0]].name);
    free (message.data);
  }
  send_all (end);
}

static void
run_for (UdtTime time)
{
  for (UdtTime end = now + time; now < end; now += MS) {
    serve (&ends[0]);
    serve (&ends[1]);
  }
}

static void
end_init (End *end, const char *name, const P2pSessionKeys *keys, P2pAead aead)
{
  UdtEnv env = { .user = end,
                 .alloc = engine_alloc,
                 .free = engine_free,
                 .random = engine_random,
                 .seal = engine_seal,
                 .open = engine_open };
  UdtConfig config;

  udt_config_init (&config);
  config.local_id = keys->receive_id;
  config.remote_id = keys->send_id;
  config.latency = 400 * MS;
  config.keep_alive_interval = SECOND;
  end->name = name;
  end->record = p2p_record_new (keys, aead);
  end->conn = udt_connection_new (&config, &env, now);
  if (!end->record || !end->conn)
    exit (1);
}

static void
forget (void *owner)
{
  (void)owner;
}

static void
say (End *end, uint16_t flow, size_t size, unsigned flags)
{
  static uint8_t content[20000];
  static uint8_t header[] = "header";
  UdtMessage message = { .header = header,
                         .header_len = size > 100 ? sizeof header : 0,
                         .payload = content,
                         .payload_len = size,
                         .flags = flags,
                         .release = forget };

  if (!content[1])
    for (size_t i = 0; i < sizeof content; i++)
      content[i] = (uint8_t)(i * i / 7 + i);
  if (udt_connection_send (end->conn, flow, &message, now) != UDT_OK)
    exit (1);
}

static void
film (unsigned frames)
{
  for (unsigned i = 0; i < frames; i++) {
    say (&ends[0], 16, i ? 2500 + i : 9000,
         i == 0       ? UDT_MESSAGE_SYNC
         : i % 5 == 3 ? UDT_MESSAGE_DELTA | UDT_MESSAGE_DISPOSABLE
                      : UDT_MESSAGE_DELTA);
    if (i % 16 == 0)
      say (&ends[1], 1, i, 0);
    run_for (FRAME_INTERVAL);
  }
}

static void
lives (void)
{
  static const UdtFlowConfig video = { .service = UDT_CLASS_VIDEO,
                                       .order = UDT_ORDER_STRICT,
                                       .deadline = UDT_DEADLINE_RECEIVER };
  static const UdtFlowConfig command
      = { .service = UDT_CLASS_COMMAND, .order = UDT_ORDER_STRICT };
  static const UdtFlowConfig file
      = { .service = UDT_CLASS_BULK, .order = UDT_ORDER_NONE };

  udt_connection_open_flow (ends[0].conn, 16, &video, now);
  udt_connection_open_flow (ends[0].conn, 20, &file, now);
  udt_connection_open_flow (ends[1].conn, 1, &command, now);
  run_for (100 * MS);
  film (FRAMES);
  say (&ends[0], 20, 20000, 0);
  run_for (100 * MS);
  /* What is out when the path fails is given up; the flow goes. */
  outage = true;
  say (&ends[0], 16, 3000, UDT_MESSAGE_SYNC);
  say (&ends[0], 16, 3000, UDT_MESSAGE_DELTA);
  run_for (SECOND);
  outage = false;
  run_for (SECOND);
  udt_connection_close_flow (ends[0].conn, 16, now);
  run_for (4 * SECOND);
  udt_connection_close (ends[0].conn, 7, "closed", 0, now);
  run_for (SECOND);
}

void
vectors_connection (void)
{
  for (P2pAead aead = P2P_AEAD_AES_128_GCM; aead <= P2P_AEAD_CHACHA20_POLY1305;
       aead++) {
    P2pSessionKeys client = { .send_id = 0x01020304, .receive_id = 0xfffffffe };
    P2pSessionKeys server = { .send_id = 0xfffffffe, .receive_id = 0x01020304 };

    memset (ends, 0, sizeof ends);
    now = SECOND;
    vector_count (client.send_secret, 32, (uint8_t)aead);
    vector_count (client.receive_secret, 32, 100);
    memcpy (server.send_secret, client.receive_secret, 32);
    memcpy (server.receive_secret, client.send_secret, 32);
    vector_begin ("connection", p2p_aead_name (aead));
    vector_hex ("client", client.send_secret, 32);
    vector_hex ("server", server.send_secret, 32);
    vector_number ("client id", client.send_id);
    vector_number ("server id", server.send_id);
    vector_end ();
    end_init (&ends[0], "client", &client, aead);
    end_init (&ends[1], "server", &server, aead);
    lives ();
    for (unsigned i = 0; i < 2; i++) {
      udt_connection_free (ends[i].conn);
      p2p_record_free (ends[i].record);
    }
  }
}
