/* Packet numbers: rebuilding them, integers on the wire, the replay window and
 * the ranges that acknowledgements are made from, against a naive model.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "check.h"
#include "udtprivate.h"

#include <stdlib.h>

static void
numbers_are_rebuilt (void)
{
  static const uint64_t around[] = { 0,
                                     1,
                                     1u << 31,
                                     UINT32_MAX,
                                     (uint64_t)UINT32_MAX + 1,
                                     ((uint64_t)7 << 32) - 1,
                                     (uint64_t)7 << 32,
                                     UDT_NUMBER_MAX - 5 };

  for (size_t i = 0; i < sizeof around / sizeof *around; i++)
    for (int64_t away = -100000; away <= 100000; away += 777) {
      uint64_t number = around[i] + (uint64_t)away;

      if (number > UDT_NUMBER_MAX)
        continue;
      CHECK_EQ (udt_number_expand (around[i], (uint32_t)number), number);
    }
}

static void
far_numbers_are_rebuilt (void)
{
  uint64_t expected = (uint64_t)5 << 32;

  CHECK_EQ (udt_number_expand (expected, (uint32_t)(expected - (1u << 31) + 1)),
            expected - (1u << 31) + 1);
  CHECK_EQ (udt_number_expand (expected, (uint32_t)(expected + (1u << 31))),
            expected + (1u << 31));
}

static void
integers (void)
{
  static const uint64_t values[] = {
    0, 1, 63, 64, 16383, 16384, 1 << 29, (1 << 30) - 1, 1 << 30, UDT_NUMBER_MAX
  };

  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    uint8_t bytes[8];
    UdtWriter w = { bytes, bytes + 8 };
    UdtReader r;
    uint64_t got = 0;
    size_t len;

    CHECK (udt_write_varint (&w, values[i]));
    len = (size_t)(w.at - bytes);
    CHECK_EQ (len, udt_varint_size (values[i]));
    for (size_t n = 0; n < len; n++) {
      r = (UdtReader){ bytes, bytes + n };
      CHECK (!udt_read_varint (&r, &got));
      w = (UdtWriter){ bytes, bytes + n };
      CHECK (!udt_write_varint (&w, values[i]));
    }
    r = (UdtReader){ bytes, bytes + len };
    CHECK (udt_read_varint (&r, &got));
    CHECK_EQ (got, values[i]);
  }
  {
    uint8_t bytes[8];
    UdtWriter w = { bytes, bytes + 8 };

    CHECK (!udt_write_varint (&w, UDT_NUMBER_MAX + 1));
  }
}

static void
zigzag (void)
{
  static const int64_t values[]
      = { 0, -1, 1, INT32_MAX, INT32_MIN, -1000000, 1000000 };

  for (size_t i = 0; i < sizeof values / sizeof *values; i++)
    CHECK_EQ (udt_unzigzag (udt_zigzag (values[i])), values[i]);
  CHECK_EQ (udt_zigzag (-1), 1);
  CHECK_EQ (udt_zigzag (1), 2);
}

static void
replays_are_seen (void)
{
  UdtSeen seen;

  udt_seen_init (&seen);
  for (uint64_t i = 0; i < 3 * UDT_SEEN_WINDOW; i += 2) {
    CHECK (udt_seen_is_new (&seen, i));
    udt_seen_add (&seen, i, 0);
    CHECK (!udt_seen_is_new (&seen, i));
  }
  CHECK (udt_seen_is_new (&seen, seen.next - 2));
  CHECK (udt_seen_is_new (&seen, seen.next - UDT_SEEN_WINDOW + 2));
  /* Below the window nothing can be told from a replay. */
  CHECK (!udt_seen_is_new (&seen, seen.next - UDT_SEEN_WINDOW - 2));
  CHECK (!udt_seen_is_new (&seen, 1));
  CHECK (UDT_SEEN_WINDOW >= 4096);
}

static void
jumps_forget (void)
{
  UdtSeen seen;
  UdtRange ranges[4];

  udt_seen_init (&seen);
  for (uint64_t i = 0; i < 100; i++)
    udt_seen_add (&seen, i, 0);
  udt_seen_add (&seen, 10 * UDT_SEEN_WINDOW, 0);
  CHECK_EQ (udt_seen_ranges (&seen, ranges, 4), 1);
  CHECK_EQ (ranges[0].first, 10 * UDT_SEEN_WINDOW);
  udt_seen_add (&seen, 10 * UDT_SEEN_WINDOW + UDT_SEEN_WINDOW - 1, 0);
  CHECK_EQ (udt_seen_ranges (&seen, ranges, 4), 2);
  CHECK_EQ (ranges[1].last, 10 * UDT_SEEN_WINDOW);
}

#define MODEL (5 * UDT_SEEN_WINDOW)

/* What udt_seen_ranges() should say, by looking at each number. */
static size_t
model_ranges (const uint8_t *got, uint64_t next, uint64_t floor, UdtRange *out,
              size_t max)
{
  uint64_t low = next > UDT_SEEN_WINDOW ? next - UDT_SEEN_WINDOW : 0;
  size_t n = 0;

  if (floor > low)
    low = floor;
  for (uint64_t i = next; i-- > low;) {
    if (!got[i])
      continue;
    if (n > 0 && out[n - 1].first == i + 1) {
      out[n - 1].first = i;
      continue;
    }
    if (n == max)
      break;
    out[n].first = out[n].last = i;
    n++;
  }
  return n;
}

static void
ranges_match_the_model (void)
{
  uint8_t *got = malloc (MODEL);
  uint32_t *when = malloc (MODEL * sizeof *when);

  for (unsigned seed = 1; seed <= 12; seed++) {
    uint32_t state = seed;
    uint64_t next = 0;
    UdtSeen seen;

    memset (got, 0, MODEL);
    udt_seen_init (&seen);
    for (unsigned step = 0; step < 4000; step++) {
      UdtRange a[UDT_MAX_ACK_RANGES], b[UDT_MAX_ACK_RANGES];
      uint32_t times[40];
      uint64_t number;
      size_t n, m, at = 0;

      state = state * 1664525 + 1013904223;
      number = next + (state >> 28) % (seed + 1);
      if ((state >> 16 & 7) == 0 && next > 300)
        number = next - 1 - (state >> 8) % 300;
      if ((state & 0xffff) < 8)
        number = next + 500 * seed;
      if (number >= MODEL)
        break;
      CHECK_EQ (udt_seen_is_new (&seen, number), !got[number]);
      if (got[number])
        continue;
      udt_seen_add (&seen, number, state);
      got[number] = 1;
      when[number] = state;
      if (number >= next)
        next = number + 1;
      if ((state >> 12 & 63) == 0)
        seen.floor = next > 200 ? next - 200 : 0;
      n = udt_seen_ranges (&seen, a, UDT_MAX_ACK_RANGES);
      m = model_ranges (got, next, seen.floor, b, UDT_MAX_ACK_RANGES);
      if (!CHECK_EQ (n, m) || !CHECK_MEM (a, b, n * sizeof *a))
        goto done;
      m = udt_seen_times (&seen, a, n, times, 40);
      for (size_t i = 0; i < n && at < m; i++)
        for (uint64_t k = a[i].last + 1; k-- > a[i].first && at < m;)
          CHECK_EQ (times[at++], when[k]);
    }
  }
done:
  free (got);
  free (when);
}

static void
headers (void)
{
  static const UdtHeader in = { 0x01020304, 0xfffffffe };
  uint8_t bytes[UDT_HEADER_SIZE];
  UdtHeader out;
  uint32_t id;
  uint8_t packet[64] = { 0 };

  udt_header_write (bytes, &in);
  CHECK_EQ (bytes[0], 0xc0);
  for (size_t n = 0; n < sizeof bytes; n++)
    CHECK (!udt_header_parse (bytes, n, &out));
  CHECK (udt_header_parse (bytes, sizeof bytes, &out));
  CHECK_EQ (out.id, in.id);
  CHECK_EQ (out.low_number, in.low_number);
  memcpy (packet, bytes, sizeof bytes);
  CHECK (udt_packet_peek_id (packet, sizeof packet, &id));
  CHECK_EQ (id, in.id);
  CHECK (!udt_packet_peek_id (packet, UDT_HEADER_SIZE + UDT_TAG_SIZE, &id));
  /* STUN, DTLS, TURN, RTP, and what later versions may use. */
  for (unsigned first = 0; first < 256; first++) {
    bytes[0] = (uint8_t)first;
    CHECK_EQ (udt_header_parse (bytes, sizeof bytes, &out), first == 0xc0);
  }
}

static const CheckCase cases[] = {
  { "numbers-are-rebuilt", numbers_are_rebuilt },
  { "far-numbers-are-rebuilt", far_numbers_are_rebuilt },
  { "integers", integers },
  { "zigzag", zigzag },
  { "replays-are-seen", replays_are_seen },
  { "jumps-forget", jumps_forget },
  { "ranges-match-the-model", ranges_match_the_model },
  { "headers", headers },
};

CHECK_MAIN (cases)
