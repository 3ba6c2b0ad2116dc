/* The record of packet numbers that arrived, against a list of flags.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Numbers arrive in any order; whether one is new, which ranges there are, and
 * when each arrived must be what the simplest possible model says, and must be
 * the same after a trip through an ACK frame.
 */
#include "fuzz.h"

#include "udtseen.h"

#include <string.h>

#define SPAN (1u << 16) /* numbers that the model knows */
#define MAX_STEPS 400

typedef struct
{
  uint64_t base;
  bool arrived[SPAN];
  uint32_t at[SPAN];
  uint64_t next, floor;
} Model;

static Model model;

static bool
model_is_new (uint64_t number)
{
  if (number >= model.next)
    return true;
  if (model.next - number > UDT_SEEN_WINDOW)
    return false;
  return !model.arrived[number - model.base];
}

/* Ranges the slow way, newest first. */
static size_t
model_ranges (UdtRange *out, size_t max)
{
  uint64_t low = model.base, number = model.next;
  size_t n = 0;
  bool open = false;

  if (model.next > UDT_SEEN_WINDOW && model.next - UDT_SEEN_WINDOW > low)
    low = model.next - UDT_SEEN_WINDOW;
  if (model.floor > low)
    low = model.floor;
  while (number-- > low) {
    if (!model.arrived[number - model.base]) {
      open = false;
    } else if (open) {
      out[n - 1].first = number;
    } else {
      if (n == max)
        break;
      out[n].first = out[n].last = number;
      n++;
      open = true;
    }
  }
  return n;
}

static void
check_frame (const UdtRange *ranges, size_t n, const uint32_t *times, size_t m)
{
  uint8_t out[512];
  UdtWriter w = { out, out + sizeof out };
  UdtRange again[UDT_MAX_ACK_RANGES];
  uint32_t times_again[UDT_MAX_ACK_TIMES + 1];
  UdtAckFrame frame;
  size_t got;

  FUZZ_CHECK (udt_ack_write (&w, ranges, n, times, m, 7));
  FUZZ_CHECK (udt_ack_parse (out, (size_t)(w.at - out), &frame)
              == (size_t)(w.at - out));
  got = udt_ack_ranges (&frame, again, UDT_MAX_ACK_RANGES);
  FUZZ_CHECK (got >= 1 && got <= n);
  FUZZ_CHECK (!memcmp (again, ranges, got * sizeof *again));
  got = udt_ack_times (&frame, times_again, UDT_MAX_ACK_TIMES + 1);
  FUZZ_CHECK (got >= 1 && got <= m);
  FUZZ_CHECK (!memcmp (times_again, times, got * sizeof *times));
}

static void
compare (const UdtSeen *seen)
{
  UdtRange real[UDT_MAX_ACK_RANGES], wanted[UDT_MAX_ACK_RANGES];
  uint32_t times[UDT_MAX_ACK_TIMES];
  size_t n = udt_seen_ranges (seen, real, UDT_MAX_ACK_RANGES), m, k = 0;

  FUZZ_CHECK (n == model_ranges (wanted, UDT_MAX_ACK_RANGES));
  FUZZ_CHECK (!n || !memcmp (real, wanted, n * sizeof *real));
  if (!n)
    return;
  m = udt_seen_times (seen, real, n, times, UDT_MAX_ACK_TIMES);
  for (size_t i = 0; i < n; i++)
    for (uint64_t number = real[i].last + 1; number-- > real[i].first;) {
      if (k == m)
        break;
      FUZZ_CHECK (times[k++] == model.at[number - model.base]);
    }
  FUZZ_CHECK (k == m);
  if (m)
    check_frame (real, n, times, m);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  FuzzInput in = { data, data + size };
  UdtSeen seen;
  uint32_t clock = 0;

  /* Cheap to forget: only as much as the last run touched. */
  memset (model.arrived, 0, sizeof model.arrived);
  model.next = model.floor = model.base = 0;
  udt_seen_init (&seen);
  /* Far up on the number line, too. */
  if (fuzz_u8 (&in) & 1) {
    model.base = UDT_NUMBER_MAX - SPAN + 1;
    model.next = model.floor = model.base;
    seen.next = seen.floor = model.base;
  }
  for (unsigned step = 0; step < MAX_STEPS && fuzz_left (&in); step++) {
    uint8_t op = fuzz_u8 (&in);
    uint64_t number;

    if (op < 0x10) { /* what is known needs not be told again */
      uint64_t floor = model.floor + (uint64_t)op * op;

      if (floor <= model.next)
        model.floor = seen.floor = floor;
      compare (&seen);
      continue;
    }
    if (op < 0xc0) /* near the end */
      number = model.next + op % 16;
    else if (op < 0xe0) /* a leap */
      number = model.next + fuzz_u16 (&in) % (UDT_SEEN_WINDOW * 2);
    else /* from the past */
      number = model.next - fuzz_u16 (&in) % (UDT_SEEN_WINDOW + 70);
    if (op >= 0x10 && op < 0xc0 && op & 0x10)
      number = number >= 16 ? number - 16 : 0;
    if (number < model.base || number - model.base >= SPAN)
      continue;
    FUZZ_CHECK (udt_seen_is_new (&seen, number) == model_is_new (number));
    if (!model_is_new (number))
      continue;
    clock += (uint32_t)fuzz_u8 (&in) << (op % 24);
    udt_seen_add (&seen, number, clock);
    model.arrived[number - model.base] = true;
    model.at[number - model.base] = clock;
    if (number >= model.next)
      model.next = number + 1;
    FUZZ_CHECK (!udt_seen_is_new (&seen, number));
    if (op & 1)
      compare (&seen);
  }
  compare (&seen);
  return 0;
}
