/* Every frame parser of the engine on any bytes.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A parser takes no more than it was given, fails on every shorter prefix of
 * what it took (no frame but SETTINGS and padding ends early), and what it
 * understood survives being written and parsed again.
 */
#include "fuzz.h"

#include "udtframes.h"

#include <string.h>

#define ROOM 4096

static void
check_ack (const UdtAckFrame *ack)
{
  UdtRange ranges[UDT_MAX_ACK_RANGES], again[UDT_MAX_ACK_RANGES];
  uint32_t times[UDT_MAX_ACK_TIMES + 1], times_again[UDT_MAX_ACK_TIMES + 1];
  uint8_t out[ROOM];
  UdtWriter w = { out, out + sizeof out };
  UdtAckFrame copy;
  size_t n = udt_ack_ranges (ack, ranges, UDT_MAX_ACK_RANGES);
  size_t m = udt_ack_times (ack, times, UDT_MAX_ACK_TIMES + 1);

  FUZZ_CHECK (n == ack->n_ranges && n >= 1);
  FUZZ_CHECK (m == ack->n_times + 1);
  FUZZ_CHECK (ranges[0].last == ack->largest);
  for (size_t i = 0; i < n; i++) {
    FUZZ_CHECK (ranges[i].first <= ranges[i].last);
    FUZZ_CHECK (ranges[i].last <= UDT_NUMBER_MAX);
    if (i)
      FUZZ_CHECK (ranges[i].last + 1 < ranges[i - 1].first);
  }
  FUZZ_CHECK (udt_ack_write (&w, ranges, n, times, m, ack->delay));
  FUZZ_CHECK (udt_ack_parse (out, (size_t)(w.at - out), &copy)
              == (size_t)(w.at - out));
  FUZZ_CHECK (udt_ack_ranges (&copy, again, UDT_MAX_ACK_RANGES) == n);
  FUZZ_CHECK (!memcmp (ranges, again, n * sizeof *ranges));
  /* The writer stops one short of what a frame may hold. */
  m = m > UDT_MAX_ACK_TIMES ? UDT_MAX_ACK_TIMES : m;
  FUZZ_CHECK (udt_ack_times (&copy, times_again, UDT_MAX_ACK_TIMES + 1) == m);
  FUZZ_CHECK (!memcmp (times, times_again, m * sizeof *times));
  FUZZ_CHECK (copy.delay == ack->delay);
}

static void
check_nak (const UdtNakFrame *nak)
{
  UdtRange ranges[UDT_MAX_NAK_RANGES], again[UDT_MAX_NAK_RANGES];
  uint8_t out[ROOM];
  UdtWriter w = { out, out + sizeof out };
  UdtNakFrame copy;
  size_t n = udt_nak_ranges (nak, ranges, UDT_MAX_NAK_RANGES);

  FUZZ_CHECK (n == nak->n_ranges && n >= 1);
  for (size_t i = 0; i < n; i++) {
    FUZZ_CHECK (ranges[i].first <= ranges[i].last);
    FUZZ_CHECK (ranges[i].last <= UDT_NUMBER_MAX);
    if (i)
      FUZZ_CHECK (ranges[i - 1].last + 1 < ranges[i].first);
  }
  FUZZ_CHECK (udt_nak_write (&w, ranges, n) == n);
  FUZZ_CHECK (udt_nak_parse (out, (size_t)(w.at - out), &copy)
              == (size_t)(w.at - out));
  FUZZ_CHECK (udt_nak_ranges (&copy, again, UDT_MAX_NAK_RANGES) == n);
  FUZZ_CHECK (!memcmp (ranges, again, n * sizeof *ranges));
}

static void
check_data (const uint8_t *data, size_t taken, const UdtDataFrame *frame)
{
  uint8_t out[ROOM];
  UdtWriter w = { out, out + sizeof out };
  UdtDataFrame copy;
  size_t size;

  FUZZ_CHECK (frame->data >= data && frame->data + frame->len == data + taken);
  FUZZ_CHECK (frame->total <= UDT_MAX_MESSAGE);
  FUZZ_CHECK (frame->offset <= frame->total
              && frame->len <= frame->total - frame->offset);
  FUZZ_CHECK (udt_data_write_header (&w, frame));
  FUZZ_CHECK ((size_t)(w.at - out) == udt_data_header_size (frame));
  memcpy (w.at, frame->data, frame->len);
  size = (size_t)(w.at - out) + frame->len;
  FUZZ_CHECK (udt_data_parse (out, size, &copy) == size);
  FUZZ_CHECK (copy.flags == frame->flags && copy.flow == frame->flow
              && copy.epoch == frame->epoch && copy.id == frame->id
              && copy.total == frame->total && copy.offset == frame->offset
              && copy.age == frame->age && copy.len == frame->len
              && copy.deadline == frame->deadline);
}

static void
check_repair (const uint8_t *data, size_t taken, const UdtRepairFrame *frame)
{
  uint8_t out[ROOM];
  UdtWriter w = { out, out + sizeof out };
  UdtRepairFrame copy;
  uint32_t symbols = udt_symbols (frame->total, frame->symbol);
  size_t size;

  FUZZ_CHECK (frame->data >= data
              && frame->data + frame->symbol == data + taken);
  FUZZ_CHECK (symbols >= 1
              && symbols <= UDT_FEC_MAX_SYMBOLS * UDT_FEC_MAX_BLOCKS);
  FUZZ_CHECK (frame->index / udt_blocks (symbols) < UDT_FEC_MAX_REPAIRS);
  FUZZ_CHECK (udt_repair_write_header (&w, frame));
  FUZZ_CHECK ((size_t)(w.at - out) == udt_repair_header_size (frame));
  memcpy (w.at, frame->data, frame->symbol);
  size = (size_t)(w.at - out) + frame->symbol;
  FUZZ_CHECK (udt_repair_parse (out, size, &copy) == size);
  FUZZ_CHECK (copy.flags == frame->flags && copy.flow == frame->flow
              && copy.epoch == frame->epoch && copy.id == frame->id
              && copy.total == frame->total && copy.symbol == frame->symbol
              && copy.index == frame->index && copy.age == frame->age
              && copy.deadline == frame->deadline);
}

static void
check_close (const uint8_t *data, size_t taken, const UdtCloseFrame *frame)
{
  uint8_t out[ROOM];
  UdtWriter w = { out, out + sizeof out };
  UdtCloseFrame copy;

  FUZZ_CHECK (frame->reason_len <= UDT_MAX_CLOSE_REASON);
  FUZZ_CHECK (frame->reason >= data
              && frame->reason + frame->reason_len == data + taken);
  FUZZ_CHECK (udt_close_write (&w, frame));
  FUZZ_CHECK (udt_close_parse (out, (size_t)(w.at - out), &copy));
  FUZZ_CHECK (copy.code == frame->code && copy.reason_len == frame->reason_len
              && !memcmp (copy.reason, frame->reason, copy.reason_len));
}

/* The rest hold numbers only: written and parsed, they are the same. */
static void
check_plain (const UdtFrame *frame)
{
  uint8_t out[ROOM];
  UdtWriter w = { out, out + sizeof out };
  UdtFrame copy;
  bool written;

  memset (&copy, 0, sizeof copy);
  if (frame->type == UDT_FRAME_SETTINGS)
    written = udt_settings_write (&w, &frame->settings);
  else if (frame->type == UDT_FRAME_DROP)
    written = udt_drop_write (&w, &frame->drop);
  else if (frame->type == UDT_FRAME_WINDOW)
    written = udt_window_write (&w, &frame->window);
  else
    written = udt_flow_reset_write (&w, &frame->reset);
  FUZZ_CHECK (written);
  FUZZ_CHECK (udt_frame_parse (out, (size_t)(w.at - out), &copy)
              == (size_t)(w.at - out));
  if (frame->type == UDT_FRAME_SETTINGS)
    FUZZ_CHECK (
        !memcmp (&copy.settings, &frame->settings, sizeof copy.settings));
  else if (frame->type == UDT_FRAME_DROP)
    FUZZ_CHECK (copy.drop.flow == frame->drop.flow
                && copy.drop.flags == frame->drop.flags
                && copy.drop.first == frame->drop.first
                && copy.drop.end == frame->drop.end
                && copy.drop.epoch == frame->drop.epoch);
  else if (frame->type == UDT_FRAME_WINDOW)
    FUZZ_CHECK (copy.window.epoch == frame->window.epoch
                && copy.window.floor == frame->window.floor
                && copy.window.bytes == frame->window.bytes);
  else
    FUZZ_CHECK (copy.reset.flow == frame->reset.flow
                && copy.reset.epoch == frame->reset.epoch);
}

static void
check_prefixes (const uint8_t *data, size_t taken)
{
  /* In blocks of exactly their size, so that reading on is noticed. */
  for (size_t n = 0; n < taken && n < 80; n++) {
    uint8_t *cut = malloc (n ? n : 1);
    UdtFrame frame;

    if (!cut)
      abort ();
    memcpy (cut, data, n);
    FUZZ_CHECK (udt_frame_parse (cut, n, &frame) == 0);
    free (cut);
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  while (size) {
    UdtFrame frame;
    size_t taken;

    memset (&frame, 0, sizeof frame);
    taken = udt_frame_parse (data, size, &frame);
    FUZZ_CHECK (taken <= size);
    if (!taken)
      break;
    switch (frame.type) {
      case UDT_FRAME_PADDING:
      case UDT_FRAME_PING:
        break;
      case UDT_FRAME_ACK:
        check_ack (&frame.ack);
        break;
      case UDT_FRAME_NAK:
        check_nak (&frame.nak);
        break;
      case UDT_FRAME_DATA:
        check_data (data, taken, &frame.data);
        break;
      case UDT_FRAME_REPAIR:
        check_repair (data, taken, &frame.repair);
        break;
      case UDT_FRAME_CLOSE:
        check_close (data, taken, &frame.close);
        break;
      default:
        check_plain (&frame);
        break;
    }
    if (frame.type != UDT_FRAME_PADDING)
      check_prefixes (data, taken);
    data += taken;
    size -= taken;
  }
  return 0;
}
