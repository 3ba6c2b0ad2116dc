/* Loss lists against a plain list of flags.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any set of lost numbers is compressed, written in as little room as there
 * is, and read again: what comes out is the set, or the lower part of it that
 * fitted. Then any bytes are read as a loss list.
 */
#include "fuzz.h"

#include "udtframes.h"

#include <string.h>

#define SPAN 4096

static size_t
ranges_of (const bool *lost, uint64_t base, UdtRange *out, size_t max)
{
  size_t n = 0;

  for (unsigned i = 0; i < SPAN; i++) {
    if (!lost[i])
      continue;
    if (i && lost[i - 1]) {
      out[n - 1].last = base + i;
      continue;
    }
    if (n == max)
      break;
    out[n].first = out[n].last = base + i;
    n++;
  }
  return n;
}

/* What the frame names, put back into flags, must be the flags up to there. */
static void
check_set (const bool *lost, uint64_t base, const uint8_t *data, size_t size,
           size_t written)
{
  UdtRange ranges[UDT_MAX_NAK_RANGES];
  bool found[SPAN] = { false };
  UdtNakFrame frame;
  uint64_t last;

  FUZZ_CHECK (udt_nak_parse (data, size, &frame) == size);
  FUZZ_CHECK (udt_nak_ranges (&frame, ranges, UDT_MAX_NAK_RANGES) == written);
  last = ranges[written - 1].last;
  for (size_t i = 0; i < written; i++)
    for (uint64_t n = ranges[i].first; n <= ranges[i].last; n++) {
      FUZZ_CHECK (n >= base && n - base < SPAN);
      found[n - base] = true;
    }
  FUZZ_CHECK (!memcmp (found, lost, (size_t)(last - base + 1)));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  FuzzInput in = { data, data + size };
  static const uint64_t bases[]
      = { 0, 60, 16380, (1u << 30) - 100, UDT_NUMBER_MAX - SPAN + 1 };
  bool lost[SPAN] = { false };
  UdtRange ranges[UDT_MAX_NAK_RANGES];
  uint8_t out[2048];
  uint64_t base = bases[fuzz_u8 (&in) % 5];
  size_t room = 3 + fuzz_u16 (&in) % (sizeof out - 2), n, written;
  unsigned at = 0;
  UdtWriter w = { out, out + room };
  UdtFrame frame;

  if (size)
    udt_frame_parse (data, size, &frame);
  while (fuzz_left (&in) && at < SPAN) {
    uint8_t skip = fuzz_u8 (&in), run = fuzz_u8 (&in) % 32;

    at += skip;
    while (run-- && at < SPAN)
      lost[at++] = true;
  }
  n = ranges_of (lost, base, ranges, UDT_MAX_NAK_RANGES);
  if (!n)
    return 0;
  written = udt_nak_write (&w, ranges, n);
  FUZZ_CHECK (written <= n);
  FUZZ_CHECK (w.at <= w.end);
  if (!written)
    FUZZ_CHECK (w.at == out);
  else
    check_set (lost, base, out, (size_t)(w.at - out), written);
  return 0;
}
