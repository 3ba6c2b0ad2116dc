/* Frame codecs: every frame survives a round trip, every truncation of it is
 * refused, and no bytes at all make a parser read past its end (which the
 * sanitizer builds watch).
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "check.h"
#include "udtframes.h"

#include <stdlib.h>

static uint8_t buffer[UDT_MAX_PACKET];

static UdtWriter
writer (void)
{
  UdtWriter w = { buffer, buffer + sizeof buffer };

  return w;
}

/* Parses `len` bytes in a block of exactly that size. */
static size_t
parse_exactly (const uint8_t *data, size_t len, UdtFrame *frame)
{
  uint8_t *copy = malloc (len > 0 ? len : 1);
  size_t n;

  memcpy (copy, data, len);
  n = udt_frame_parse (copy, len, frame);
  free (copy);
  return n;
}

/* The frame in `buffer` takes all of it, and nothing less is a frame. */
static void
check_extent (const UdtWriter *w, UdtFrame *frame)
{
  size_t len = (size_t)(w->at - buffer);

  for (size_t i = 0; i < len; i++)
    CHECK_EQ (parse_exactly (buffer, i, frame), 0);
  buffer[len] = 0xff;
  CHECK_EQ (udt_frame_parse (buffer, len + 1, frame), len);
}

/* A writer without room writes nothing. */
#define CHECK_NO_ROOM(w, call)                                                 \
  do {                                                                         \
    size_t full = (size_t)((w).at - buffer);                                   \
    for (size_t n_ = 0; n_ < full; n_++) {                                     \
      UdtWriter small = { buffer, buffer + n_ };                               \
      UdtWriter *t = &small;                                                   \
      CHECK (!(call));                                                         \
      CHECK (small.at == buffer);                                              \
    }                                                                          \
  } while (0)

static void
settings (void)
{
  UdtSettingsFrame in = { 1, 200000, 1 << 20, 2 << 20, 4096 };
  UdtFrame out;
  UdtWriter w = writer ();

  CHECK (udt_settings_write (&w, &in));
  check_extent (&w, &out);
  CHECK_EQ (out.type, UDT_FRAME_SETTINGS);
  CHECK_EQ (out.settings.version, 1);
  CHECK_EQ (out.settings.latency, 200000);
  CHECK_EQ (out.settings.max_message, 1 << 20);
  CHECK_EQ (out.settings.flow_window, 2 << 20);
  CHECK_EQ (out.settings.id_window, 4096);
  CHECK_NO_ROOM (w, udt_settings_write (t, &in));
}

static void
settings_of_later_versions (void)
{
  UdtSettingsFrame in = { 2, 1, 1, 1, 1 };
  UdtFrame out;
  UdtWriter w = writer ();

  CHECK (udt_settings_write (&w, &in));
  buffer[1] += 3; /* three more bytes of fields */
  memset (w.at, 0x25, 3);
  w.at += 3;
  check_extent (&w, &out);
  CHECK_EQ (out.settings.version, 2);
}

static void
settings_rules (void)
{
  static const UdtSettingsFrame bad[] = {
    { 0, 1, 1, 1, 1 },
    { 1, 1, 0, 1, 1 },
    { 1, 1, 2, 1, 1 },
    { 1, 1, 1, 1, 0 },
  };
  UdtFrame out;

  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    UdtWriter w = writer ();

    CHECK (udt_settings_write (&w, &bad[i]));
    CHECK_EQ (udt_frame_parse (buffer, (size_t)(w.at - buffer), &out), 0);
  }
}

static void
acks (void)
{
  static const UdtRange ranges[] = {
    { 1000, 1010 }, { 900, 998 }, { 50, 50 }, { 3, 48 }, { 0, 1 },
  };
  static const uint32_t times[] = { 5000, 4990, 4995, 4000, UINT32_MAX - 5 };
  UdtRange got[UDT_MAX_ACK_RANGES];
  uint32_t when[UDT_MAX_ACK_TIMES + 1];
  UdtFrame out;
  UdtWriter w = writer ();

  CHECK (udt_ack_write (&w, ranges, 5, times, 5, 1234));
  check_extent (&w, &out);
  CHECK_EQ (out.ack.largest, 1010);
  CHECK_EQ (out.ack.delay, 1234);
  CHECK_EQ (udt_ack_ranges (&out.ack, got, UDT_MAX_ACK_RANGES), 5);
  CHECK_MEM (got, ranges, sizeof ranges);
  CHECK_EQ (udt_ack_ranges (&out.ack, got, 2), 2);
  CHECK_EQ (udt_ack_times (&out.ack, when, UDT_MAX_ACK_TIMES + 1), 5);
  CHECK_MEM (when, times, sizeof times);
}

/* With little room an ACK gets shorter, not wrong. */
static void
acks_in_little_room (void)
{
  UdtRange ranges[UDT_MAX_ACK_RANGES], got[UDT_MAX_ACK_RANGES];
  uint32_t times[UDT_MAX_ACK_TIMES + 1];
  UdtFrame out;
  size_t before = 0;

  for (size_t i = 0; i < UDT_MAX_ACK_RANGES; i++) {
    ranges[i].last = UDT_NUMBER_MAX - i * 100000;
    ranges[i].first = ranges[i].last - 500;
    times[i] = (uint32_t)(0 - i * 777);
  }
  times[UDT_MAX_ACK_TIMES] = 7;
  for (size_t room = 0; room < 600; room++) {
    UdtWriter w = { buffer, buffer + room };
    size_t n;

    if (!udt_ack_write (&w, ranges, UDT_MAX_ACK_RANGES, times,
                        UDT_MAX_ACK_TIMES + 1, 1)) {
      CHECK (w.at == buffer);
      CHECK (room < 40);
      continue;
    }
    CHECK_EQ (parse_exactly (buffer, (size_t)(w.at - buffer), &out),
              w.at - buffer);
    udt_frame_parse (buffer, (size_t)(w.at - buffer), &out);
    n = udt_ack_ranges (&out.ack, got, UDT_MAX_ACK_RANGES);
    CHECK (n >= before && n >= 1);
    before = n;
    CHECK_MEM (got, ranges, n * sizeof *got);
  }
  CHECK_EQ (before, UDT_MAX_ACK_RANGES);
}

static void
ack_rules (void)
{
  /* largest, delay, arrival, ranges, run, … */
  static const uint8_t below_zero[] = { 3, 5, 0, 0, 0, 0, 0, 1, 6, 0 };
  static const uint8_t no_range[] = { 3, 5, 0, 0, 0, 0, 0, 0, 0 };
  static const uint8_t gap_below_zero[]
      = { 3, 5, 0, 0, 0, 0, 0, 2, 1, 3, 0, 0 };
  static const uint8_t second_below_zero[]
      = { 3, 5, 0, 0, 0, 0, 0, 2, 1, 0, 3, 0 };
  static const uint8_t times_of_nothing[] = { 3, 5, 0, 0, 0, 0, 0, 1, 0, 1, 0 };
  static const uint8_t fits[] = { 3, 5, 0, 0, 0, 0, 0, 2, 1, 0, 2, 0 };
  UdtFrame out;

  CHECK_EQ (udt_frame_parse (below_zero, sizeof below_zero, &out), 0);
  CHECK_EQ (udt_frame_parse (no_range, sizeof no_range, &out), 0);
  CHECK_EQ (udt_frame_parse (gap_below_zero, sizeof gap_below_zero, &out), 0);
  CHECK_EQ (udt_frame_parse (second_below_zero, sizeof second_below_zero, &out),
            0);
  CHECK_EQ (udt_frame_parse (times_of_nothing, sizeof times_of_nothing, &out),
            0);
  CHECK_EQ (udt_frame_parse (fits, sizeof fits, &out), sizeof fits);
}

static void
naks (void)
{
  static const UdtRange ranges[] = {
    { 0, 0 },
    { 2, 4 },
    { 100, 100 },
    { 1u << 20, 1u << 21 },
    { UDT_NUMBER_MAX - 1, UDT_NUMBER_MAX },
  };
  UdtRange got[UDT_MAX_NAK_RANGES];
  UdtFrame out;
  UdtWriter w = writer ();

  CHECK_EQ (udt_nak_write (&w, ranges, 5), 5);
  check_extent (&w, &out);
  CHECK_EQ (udt_nak_ranges (&out.nak, got, UDT_MAX_NAK_RANGES), 5);
  CHECK_MEM (got, ranges, sizeof ranges);
  CHECK_EQ (udt_nak_ranges (&out.nak, got, 3), 3);
}

static void
nak_rules (void)
{
  static const uint8_t none[] = { 4, 0 };
  static const uint8_t too_many[] = { 4, 0x40, UDT_MAX_NAK_RANGES + 1, 0, 0 };
  static const uint8_t past_the_end[]
      = { 4, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 };
  UdtFrame out;

  CHECK_EQ (udt_frame_parse (none, sizeof none, &out), 0);
  CHECK_EQ (udt_frame_parse (too_many, sizeof too_many, &out), 0);
  CHECK_EQ (udt_frame_parse (past_the_end, sizeof past_the_end, &out), 0);
}

static void
data_frames (void)
{
  static const UdtDataFrame in[] = {
    { .flags = UDT_MESSAGE_SYNC, .flow = 1, .len = 5 },
    { .flags = UDT_DATA_STRICT, .flow = 65535, .epoch = 70, .id = 1u << 31 },
    { .flags = UDT_DATA_PART | UDT_MESSAGE_DELTA,
      .total = UDT_MAX_MESSAGE,
      .offset = UDT_MAX_MESSAGE - 700,
      .len = 700,
      .age = 1u << 30 },
    { .flags = UDT_DATA_LIVE, .flow = 2, .deadline = 400, .len = 9 },
  };

  for (size_t i = 0; i < sizeof in / sizeof *in; i++) {
    UdtFrame out;
    UdtWriter w = writer ();

    CHECK (udt_data_write_header (&w, &in[i]));
    CHECK_EQ (w.at - buffer, udt_data_header_size (&in[i]));
    memset (w.at, (int)(i + 1), in[i].len);
    w.at += in[i].len;
    check_extent (&w, &out);
    CHECK_EQ (out.data.flags, in[i].flags);
    CHECK_EQ (out.data.flow, in[i].flow);
    CHECK_EQ (out.data.epoch, in[i].epoch);
    CHECK_EQ (out.data.id, in[i].id);
    CHECK_EQ (out.data.age, in[i].age);
    CHECK_EQ (out.data.deadline, in[i].deadline);
    CHECK_EQ (out.data.len, in[i].len);
    CHECK_EQ (out.data.offset, in[i].offset);
    CHECK_EQ (out.data.total,
              in[i].flags & UDT_DATA_PART ? in[i].total : in[i].len);
    CHECK (out.data.data + out.data.len == w.at);
    CHECK_NO_ROOM (w, udt_data_write_header (t, &in[i]));
  }
}

static void
data_rules (void)
{
  /* flags, flow, epoch, id, total, offset, age, length, bytes */
  static const uint8_t past_total[] = { 5, 0x10, 0, 0, 0, 4, 3, 0, 2, 0, 0 };
  static const uint8_t empty_part[] = { 5, 0x10, 0, 0, 0, 4, 3, 0, 0 };
  static const uint8_t flags[] = { 5, 0x40, 0, 0, 0, 0, 0 };
  static const uint8_t no_deadline[] = { 5, 0x20, 0, 0, 0, 0, 0, 0 };
  static const uint8_t big_flow[] = { 5, 0, 0x80, 1, 0, 0, 0, 0, 0, 0 };
  static const uint8_t fits[] = { 5, 0x10, 0, 0, 0, 4, 2, 0, 2, 0, 0 };
  UdtFrame out;

  CHECK_EQ (udt_frame_parse (past_total, sizeof past_total, &out), 0);
  CHECK_EQ (udt_frame_parse (empty_part, sizeof empty_part, &out), 0);
  CHECK_EQ (udt_frame_parse (flags, sizeof flags, &out), 0);
  CHECK_EQ (udt_frame_parse (no_deadline, sizeof no_deadline, &out), 0);
  CHECK_EQ (udt_frame_parse (big_flow, sizeof big_flow, &out), 0);
  CHECK_EQ (udt_frame_parse (fits, sizeof fits, &out), sizeof fits);
}

static void
repair_frames (void)
{
  static const UdtRepairFrame in[] = {
    { .flags = UDT_MESSAGE_SYNC, .total = 1, .symbol = 1 },
    { .flags = UDT_DATA_STRICT | UDT_DATA_LIVE | UDT_MESSAGE_DELTA,
      .flow = 65535,
      .epoch = 70,
      .id = 1u << 31,
      .total = 1024 * 1300,
      .symbol = 1300,
      .index = UDT_FEC_MAX_REPAIRS * UDT_FEC_MAX_BLOCKS - 1,
      .age = 1u << 30,
      .deadline = 500 },
    { .total = 10, .symbol = 700, .index = UDT_FEC_MAX_REPAIRS - 1 },
  };

  for (size_t i = 0; i < sizeof in / sizeof *in; i++) {
    UdtFrame out;
    UdtWriter w = writer ();

    CHECK (udt_repair_write_header (&w, &in[i]));
    CHECK_EQ (w.at - buffer, udt_repair_header_size (&in[i]));
    memset (w.at, (int)(i + 1), in[i].symbol);
    w.at += in[i].symbol;
    check_extent (&w, &out);
    CHECK_EQ (out.repair.flags, in[i].flags);
    CHECK_EQ (out.repair.flow, in[i].flow);
    CHECK_EQ (out.repair.epoch, in[i].epoch);
    CHECK_EQ (out.repair.id, in[i].id);
    CHECK_EQ (out.repair.total, in[i].total);
    CHECK_EQ (out.repair.symbol, in[i].symbol);
    CHECK_EQ (out.repair.index, in[i].index);
    CHECK_EQ (out.repair.age, in[i].age);
    CHECK_EQ (out.repair.deadline, in[i].deadline);
    CHECK (out.repair.data + out.repair.symbol == w.at);
    CHECK_NO_ROOM (w, udt_repair_write_header (t, &in[i]));
  }
}

static void
repair_rules (void)
{
  /* flags, flow, epoch, id, total, symbol, index, age, bytes */
  static const uint8_t fits[] = { 10, 0, 0, 0, 0, 4, 2, 31, 0, 0, 0 };
  static const uint8_t flags[] = { 10, 0x10, 0, 0, 0, 4, 2, 0, 0, 0, 0 };
  static const uint8_t nothing[] = { 10, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0 };
  static const uint8_t no_symbol[] = { 10, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0 };
  static const uint8_t index[] = { 10, 0, 0, 0, 0, 4, 2, 32, 0, 0, 0 };
  static const uint8_t blocks[]
      = { 10, 0, 0, 0, 0, 0x44, 0x01, 1, 0, 0, 0 }; /* 1025 symbols */
  static const uint8_t no_deadline[]
      = { 10, 0x20, 0, 0, 0, 4, 2, 0, 0, 0, 0, 0 };
  UdtFrame out;

  CHECK_EQ (udt_frame_parse (fits, sizeof fits, &out), sizeof fits);
  CHECK_EQ (udt_frame_parse (flags, sizeof flags, &out), 0);
  CHECK_EQ (udt_frame_parse (nothing, sizeof nothing, &out), 0);
  CHECK_EQ (udt_frame_parse (no_symbol, sizeof no_symbol, &out), 0);
  CHECK_EQ (udt_frame_parse (index, sizeof index, &out), 0);
  CHECK_EQ (udt_frame_parse (blocks, sizeof blocks, &out), 0);
  CHECK_EQ (udt_frame_parse (no_deadline, sizeof no_deadline, &out), 0);
}

static void
small_frames (void)
{
  UdtDropFrame drop = { UDT_DATA_STRICT, 300, 2, 77, 78 };
  UdtWindowFrame window = { 5, 1u << 20, 3u << 20 };
  UdtFlowResetFrame reset = { 9, 20000 };
  UdtCloseFrame close = { UINT32_MAX, (const uint8_t *)"bye", 3 };
  UdtFrame out;
  UdtWriter w = writer ();

  CHECK (udt_drop_write (&w, &drop));
  check_extent (&w, &out);
  CHECK_EQ (out.drop.first, 77);
  CHECK_EQ (out.drop.end, 78);
  CHECK_EQ (out.drop.flow, 300);
  CHECK_NO_ROOM (w, udt_drop_write (t, &drop));

  w = writer ();
  CHECK (udt_window_write (&w, &window));
  check_extent (&w, &out);
  CHECK_EQ (out.window.floor, 1u << 20);
  CHECK_EQ (out.window.bytes, 3u << 20);
  CHECK_NO_ROOM (w, udt_window_write (t, &window));

  w = writer ();
  CHECK (udt_flow_reset_write (&w, &reset));
  check_extent (&w, &out);
  CHECK_EQ (out.reset.epoch, 20000);
  CHECK_NO_ROOM (w, udt_flow_reset_write (t, &reset));

  w = writer ();
  CHECK (udt_close_write (&w, &close));
  check_extent (&w, &out);
  CHECK_EQ (out.close.code, UINT32_MAX);
  CHECK_EQ (out.close.reason_len, 3);
  CHECK_MEM (out.close.reason, "bye", 3);
  CHECK_NO_ROOM (w, udt_close_write (t, &close));
}

static void
small_frame_rules (void)
{
  static const uint8_t drop_of_none[] = { 6, 0, 1, 1, 5, 0 };
  static const uint8_t drop_flags[] = { 6, 1, 1, 1, 5, 1 };
  static const uint8_t long_reason[66 + 3] = { 9, 0, 0x40, 65 };
  UdtFrame out;

  CHECK_EQ (udt_frame_parse (drop_of_none, sizeof drop_of_none, &out), 0);
  CHECK_EQ (udt_frame_parse (drop_flags, sizeof drop_flags, &out), 0);
  CHECK_EQ (udt_frame_parse (long_reason, sizeof long_reason, &out), 0);
  for (unsigned type = 11; type < 256; type++) {
    uint8_t unknown[16] = { (uint8_t)type };

    CHECK_EQ (udt_frame_parse (unknown, sizeof unknown, &out), 0);
  }
}

static void
padding_is_one_frame (void)
{
  UdtFrame out;

  memset (buffer, 0, 50);
  buffer[50] = UDT_FRAME_PING;
  CHECK_EQ (udt_frame_parse (buffer, 51, &out), 50);
  CHECK_EQ (udt_frame_parse (buffer + 50, 1, &out), 1);
}

/* Whatever the bytes: a frame ends within them, its ranges are in order, and
 * its data lies inside. */
static void
any_bytes (void)
{
  uint32_t state = 1;
  unsigned accepted = 0;

  for (unsigned round = 0; round < 200000; round++) {
    uint8_t bytes[40];
    size_t len, n;
    UdtFrame out;
    UdtRange ranges[UDT_MAX_ACK_RANGES];

    for (size_t i = 0; i < sizeof bytes; i++) {
      state = state * 1664525 + 1013904223;
      bytes[i] = (uint8_t)(state >> 24) >> (state >> 20 & 7);
    }
    bytes[0] %= 11;
    len = state % (sizeof bytes + 1);
    n = parse_exactly (bytes, len, &out);
    CHECK (n <= len);
    if (n == 0)
      continue;
    /* The copy is gone: frames point into what was parsed. */
    accepted++;
    CHECK_EQ (udt_frame_parse (bytes, len, &out), n);
    if (out.type == UDT_FRAME_ACK) {
      size_t count = udt_ack_ranges (&out.ack, ranges, UDT_MAX_ACK_RANGES);

      CHECK_EQ (count, out.ack.n_ranges);
      for (size_t i = 0; i < count; i++) {
        CHECK (ranges[i].first <= ranges[i].last);
        CHECK (i == 0 || ranges[i].last + 1 < ranges[i - 1].first);
      }
    } else if (out.type == UDT_FRAME_NAK) {
      size_t count = udt_nak_ranges (&out.nak, ranges, UDT_MAX_NAK_RANGES);

      CHECK_EQ (count, out.nak.n_ranges);
      for (size_t i = 0; i < count; i++) {
        CHECK (ranges[i].first <= ranges[i].last);
        CHECK (i == 0 || ranges[i].first > ranges[i - 1].last + 1);
      }
    } else if (out.type == UDT_FRAME_DATA) {
      CHECK (out.data.data + out.data.len == bytes + n);
      CHECK (out.data.offset + out.data.len <= out.data.total);
    }
  }
  CHECK (accepted > 10000);
}

static const CheckCase cases[] = {
  { "settings", settings },
  { "settings-of-later-versions", settings_of_later_versions },
  { "settings-rules", settings_rules },
  { "acks", acks },
  { "acks-in-little-room", acks_in_little_room },
  { "ack-rules", ack_rules },
  { "naks", naks },
  { "nak-rules", nak_rules },
  { "data-frames", data_frames },
  { "data-rules", data_rules },
  { "repair-frames", repair_frames },
  { "repair-rules", repair_rules },
  { "small-frames", small_frames },
  { "small-frame-rules", small_frame_rules },
  { "padding-is-one-frame", padding_is_one_frame },
  { "any-bytes", any_bytes },
};

CHECK_MAIN (cases)
