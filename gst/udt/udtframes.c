/* Frames: parsers and writers. See udtframes.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtframes.h"

/* A reader behind the type byte, which must be there and match. */
static bool
begin (UdtReader *r, const uint8_t *data, size_t len, UdtFrameType type)
{
  uint8_t found;

  r->at = data;
  r->end = data + len;
  return udt_read_u8 (r, &found) && found == type;
}

static size_t
taken (const UdtReader *r, const uint8_t *data)
{
  return (size_t)(r->at - data);
}

static bool
read_flow (UdtReader *r, uint16_t *flow)
{
  uint64_t value;

  if (!udt_read_varint (r, &value) || value > UINT16_MAX)
    return false;
  *flow = (uint16_t)value;
  return true;
}

static bool
read_u32_varint (UdtReader *r, uint32_t max, uint32_t *out)
{
  uint64_t value;

  if (!udt_read_varint (r, &value) || value > max)
    return false;
  *out = (uint32_t)value;
  return true;
}

/* --- SETTINGS: length-prefixed, so that later versions can add fields --- */

size_t
udt_settings_parse (const uint8_t *data, size_t len, UdtSettingsFrame *frame)
{
  UdtReader r, body;
  UdtSettingsFrame f;
  uint64_t size;

  if (!begin (&r, data, len, UDT_FRAME_SETTINGS) || !udt_read_varint (&r, &size)
      || size > udt_reader_left (&r))
    return 0;
  body.at = r.at;
  body.end = r.at + size;
  if (!udt_read_varint (&body, &f.version)
      || !udt_read_varint (&body, &f.latency)
      || !udt_read_varint (&body, &f.max_message)
      || !udt_read_varint (&body, &f.flow_window)
      || !udt_read_varint (&body, &f.id_window))
    return 0;
  if (f.version < 1 || f.max_message < 1 || f.flow_window < f.max_message
      || f.id_window < 1)
    return 0;
  r.at += size;
  *frame = f;
  return taken (&r, data);
}

bool
udt_settings_write (UdtWriter *w, const UdtSettingsFrame *frame)
{
  UdtWriter t = *w;
  uint64_t size = udt_varint_size (frame->version)
                  + udt_varint_size (frame->latency)
                  + udt_varint_size (frame->max_message)
                  + udt_varint_size (frame->flow_window)
                  + udt_varint_size (frame->id_window);

  if (!udt_write_u8 (&t, UDT_FRAME_SETTINGS) || !udt_write_varint (&t, size)
      || !udt_write_varint (&t, frame->version)
      || !udt_write_varint (&t, frame->latency)
      || !udt_write_varint (&t, frame->max_message)
      || !udt_write_varint (&t, frame->flow_window)
      || !udt_write_varint (&t, frame->id_window))
    return false;
  *w = t;
  return true;
}

/* --- ACK --- */

size_t
udt_ack_parse (const uint8_t *data, size_t len, UdtAckFrame *frame)
{
  UdtReader r;
  UdtAckFrame f;
  uint64_t floor, run, gap, received;
  uint32_t i;

  if (!begin (&r, data, len, UDT_FRAME_ACK) || !udt_read_varint (&r, &f.largest)
      || !udt_read_varint (&r, &f.delay) || !udt_read_u32 (&r, &f.arrival)
      || !read_u32_varint (&r, UDT_MAX_ACK_RANGES, &f.n_ranges)
      || f.n_ranges < 1)
    return 0;
  f.ranges = r.at;
  if (!udt_read_varint (&r, &run) || run > f.largest)
    return 0;
  floor = f.largest - run;
  received = run + 1;
  for (i = 1; i < f.n_ranges; i++) {
    /* At least one number is missing between two ranges. */
    if (!udt_read_varint (&r, &gap) || !udt_read_varint (&r, &run))
      return 0;
    if (gap + 2 > floor || run > floor - gap - 2)
      return 0;
    floor -= gap + 2 + run;
    received += run + 1;
  }
  f.ranges_end = r.at;
  if (!read_u32_varint (&r, UDT_MAX_ACK_TIMES, &f.n_times)
      || f.n_times >= received)
    return 0;
  f.times = r.at;
  for (i = 0; i < f.n_times; i++) {
    uint64_t delta;

    if (!udt_read_varint (&r, &delta) || delta > UINT32_MAX)
      return 0;
  }
  f.times_end = r.at;
  *frame = f;
  return taken (&r, data);
}

size_t
udt_ack_ranges (const UdtAckFrame *frame, UdtRange *out, size_t max)
{
  UdtReader r = { frame->ranges, frame->ranges_end };
  uint64_t gap, run, last = frame->largest;
  size_t i;

  for (i = 0; i < frame->n_ranges && i < max; i++) {
    if (i > 0) {
      if (!udt_read_varint (&r, &gap))
        break;
      last = out[i - 1].first - gap - 2;
    }
    if (!udt_read_varint (&r, &run))
      break;
    out[i].last = last;
    out[i].first = last - run;
  }
  return i;
}

size_t
udt_ack_times (const UdtAckFrame *frame, uint32_t *out, size_t max)
{
  UdtReader r = { frame->times, frame->times_end };
  uint64_t delta;
  size_t i;

  if (max == 0)
    return 0;
  out[0] = frame->arrival;
  for (i = 1; i < max && i <= frame->n_times; i++) {
    if (!udt_read_varint (&r, &delta))
      break;
    out[i] = out[i - 1] - (uint32_t)udt_unzigzag (delta);
  }
  return i;
}

bool
udt_ack_write (UdtWriter *w, const UdtRange *ranges, size_t n_ranges,
               const uint32_t *times, size_t n_times, uint64_t delay)
{
  /* Both counts stay below 128: two bytes hold them, rewritten at the end. */
  UdtWriter t = *w;
  uint8_t *count_at;
  size_t n, m;
  uint64_t received;

  if (n_ranges > UDT_MAX_ACK_RANGES)
    n_ranges = UDT_MAX_ACK_RANGES;
  if (n_times > UDT_MAX_ACK_TIMES)
    n_times = UDT_MAX_ACK_TIMES;
  if (!udt_write_u8 (&t, UDT_FRAME_ACK)
      || !udt_write_varint (&t, ranges[0].last) || !udt_write_varint (&t, delay)
      || !udt_write_u32 (&t, times[0]))
    return false;
  count_at = t.at;
  if (udt_writer_left (&t) < 2 + 8 + 2)
    return false;
  t.at += 2;
  t.end -= 2; /* kept for the second count */
  udt_write_varint (&t, ranges[0].last - ranges[0].first);
  received = ranges[0].last - ranges[0].first + 1;
  for (n = 1; n < n_ranges; n++) {
    UdtWriter before = t;

    if (!udt_write_varint (&t, ranges[n - 1].first - ranges[n].last - 2)
        || !udt_write_varint (&t, ranges[n].last - ranges[n].first)) {
      t = before;
      break;
    }
    received += ranges[n].last - ranges[n].first + 1;
  }
  count_at[0] = 0x40;
  count_at[1] = (uint8_t)n;
  t.end += 2;
  count_at = t.at;
  t.at += 2;
  for (m = 1; m < n_times && m < received; m++) {
    if (!udt_write_varint (&t, udt_zigzag (
                                   udt_serial_diff (times[m - 1], times[m]))))
      break;
  }
  count_at[0] = 0x40;
  count_at[1] = (uint8_t)(m - 1);
  *w = t;
  return true;
}

/* --- NAK --- */

size_t
udt_nak_parse (const uint8_t *data, size_t len, UdtNakFrame *frame)
{
  UdtReader r;
  UdtNakFrame f;
  uint64_t skip, run, next = 0;
  uint32_t i;

  if (!begin (&r, data, len, UDT_FRAME_NAK)
      || !read_u32_varint (&r, UDT_MAX_NAK_RANGES, &f.n_ranges)
      || f.n_ranges < 1)
    return 0;
  f.ranges = r.at;
  for (i = 0; i < f.n_ranges; i++) {
    if (!udt_read_varint (&r, &skip) || !udt_read_varint (&r, &run))
      return 0;
    /* A later range begins at least one number behind the one before. */
    next += skip;
    if (next > UDT_NUMBER_MAX || run > UDT_NUMBER_MAX - next)
      return 0;
    next += run + 2;
  }
  f.ranges_end = r.at;
  *frame = f;
  return taken (&r, data);
}

size_t
udt_nak_ranges (const UdtNakFrame *frame, UdtRange *out, size_t max)
{
  UdtReader r = { frame->ranges, frame->ranges_end };
  uint64_t skip, run, next = 0;
  size_t i;

  for (i = 0; i < frame->n_ranges && i < max; i++) {
    if (!udt_read_varint (&r, &skip) || !udt_read_varint (&r, &run))
      break;
    out[i].first = next + skip;
    out[i].last = out[i].first + run;
    next = out[i].last + 2;
  }
  return i;
}

size_t
udt_nak_write (UdtWriter *w, const UdtRange *ranges, size_t n_ranges)
{
  UdtWriter t = *w;
  uint8_t *count_at;
  uint64_t next = 0;
  size_t n;

  if (n_ranges > UDT_MAX_NAK_RANGES)
    n_ranges = UDT_MAX_NAK_RANGES;
  if (!udt_write_u8 (&t, UDT_FRAME_NAK) || udt_writer_left (&t) < 2)
    return 0;
  count_at = t.at;
  t.at += 2;
  for (n = 0; n < n_ranges; n++) {
    UdtWriter before = t;

    if (!udt_write_varint (&t, ranges[n].first - next)
        || !udt_write_varint (&t, ranges[n].last - ranges[n].first)) {
      t = before;
      break;
    }
    next = ranges[n].last + 2;
  }
  if (n == 0)
    return 0;
  count_at[0] = 0x40;
  count_at[1] = (uint8_t)n;
  *w = t;
  return n;
}

/* --- DATA --- */

static bool
read_deadline (UdtReader *r, uint8_t flags, uint32_t *deadline)
{
  *deadline = 0;
  return !(flags & UDT_DATA_LIVE)
         || (read_u32_varint (r, UINT32_MAX, deadline) && *deadline > 0);
}

static bool
write_deadline (UdtWriter *w, uint8_t flags, uint32_t deadline)
{
  return !(flags & UDT_DATA_LIVE) || udt_write_varint (w, deadline);
}

static size_t
deadline_size (uint8_t flags, uint32_t deadline)
{
  return flags & UDT_DATA_LIVE ? udt_varint_size (deadline) : 0;
}

size_t
udt_data_parse (const uint8_t *data, size_t len, UdtDataFrame *frame)
{
  UdtReader r;
  UdtDataFrame f;

  if (!begin (&r, data, len, UDT_FRAME_DATA) || !udt_read_u8 (&r, &f.flags)
      || (f.flags & ~UDT_DATA_FLAGS) != 0 || !read_flow (&r, &f.flow)
      || !udt_read_varint (&r, &f.epoch) || !udt_read_varint (&r, &f.id))
    return 0;
  if (f.flags & UDT_DATA_PART) {
    if (!read_u32_varint (&r, UDT_MAX_MESSAGE, &f.total)
        || !read_u32_varint (&r, UDT_MAX_MESSAGE, &f.offset))
      return 0;
  }
  if (!udt_read_varint (&r, &f.age) || !read_deadline (&r, f.flags, &f.deadline)
      || !read_u32_varint (&r, UDT_MAX_PACKET, &f.len)
      || f.len > udt_reader_left (&r))
    return 0;
  if (!(f.flags & UDT_DATA_PART)) {
    f.total = f.len;
    f.offset = 0;
  } else if (f.len == 0 || f.offset > f.total || f.len > f.total - f.offset)
    return 0;
  f.data = r.at;
  r.at += f.len;
  *frame = f;
  return taken (&r, data);
}

size_t
udt_data_header_size (const UdtDataFrame *frame)
{
  size_t size = 2 + udt_varint_size (frame->flow)
                + udt_varint_size (frame->epoch) + udt_varint_size (frame->id)
                + udt_varint_size (frame->age) + udt_varint_size (frame->len)
                + deadline_size (frame->flags, frame->deadline);

  if (frame->flags & UDT_DATA_PART)
    size += udt_varint_size (frame->total) + udt_varint_size (frame->offset);
  return size;
}

bool
udt_data_write_header (UdtWriter *w, const UdtDataFrame *frame)
{
  UdtWriter t = *w;

  if (!udt_write_u8 (&t, UDT_FRAME_DATA) || !udt_write_u8 (&t, frame->flags)
      || !udt_write_varint (&t, frame->flow)
      || !udt_write_varint (&t, frame->epoch)
      || !udt_write_varint (&t, frame->id))
    return false;
  if ((frame->flags & UDT_DATA_PART)
      && (!udt_write_varint (&t, frame->total)
          || !udt_write_varint (&t, frame->offset)))
    return false;
  if (!udt_write_varint (&t, frame->age)
      || !write_deadline (&t, frame->flags, frame->deadline)
      || !udt_write_varint (&t, frame->len)
      || udt_writer_left (&t) < frame->len)
    return false;
  *w = t;
  return true;
}

/* --- DROP --- */

size_t
udt_drop_parse (const uint8_t *data, size_t len, UdtDropFrame *frame)
{
  UdtReader r;
  UdtDropFrame f;
  uint64_t count;

  if (!begin (&r, data, len, UDT_FRAME_DROP) || !udt_read_u8 (&r, &f.flags)
      || (f.flags & ~UDT_DATA_STRICT) != 0 || !read_flow (&r, &f.flow)
      || !udt_read_varint (&r, &f.epoch) || !udt_read_varint (&r, &f.first)
      || !udt_read_varint (&r, &count))
    return 0;
  if (count < 1 || count > UDT_MAX_DROP_COUNT
      || f.first > UDT_NUMBER_MAX - count)
    return 0;
  f.end = f.first + count;
  *frame = f;
  return taken (&r, data);
}

bool
udt_drop_write (UdtWriter *w, const UdtDropFrame *frame)
{
  UdtWriter t = *w;

  if (!udt_write_u8 (&t, UDT_FRAME_DROP) || !udt_write_u8 (&t, frame->flags)
      || !udt_write_varint (&t, frame->flow)
      || !udt_write_varint (&t, frame->epoch)
      || !udt_write_varint (&t, frame->first)
      || !udt_write_varint (&t, frame->end - frame->first))
    return false;
  *w = t;
  return true;
}

/* --- WINDOW --- */

size_t
udt_window_parse (const uint8_t *data, size_t len, UdtWindowFrame *frame)
{
  UdtReader r;
  UdtWindowFrame f;

  if (!begin (&r, data, len, UDT_FRAME_WINDOW)
      || !udt_read_varint (&r, &f.epoch) || !udt_read_varint (&r, &f.floor)
      || !udt_read_varint (&r, &f.bytes))
    return 0;
  *frame = f;
  return taken (&r, data);
}

bool
udt_window_write (UdtWriter *w, const UdtWindowFrame *frame)
{
  UdtWriter t = *w;

  if (!udt_write_u8 (&t, UDT_FRAME_WINDOW)
      || !udt_write_varint (&t, frame->epoch)
      || !udt_write_varint (&t, frame->floor)
      || !udt_write_varint (&t, frame->bytes))
    return false;
  *w = t;
  return true;
}

/* --- FLOW_RESET --- */

size_t
udt_flow_reset_parse (const uint8_t *data, size_t len, UdtFlowResetFrame *frame)
{
  UdtReader r;
  UdtFlowResetFrame f;

  if (!begin (&r, data, len, UDT_FRAME_FLOW_RESET) || !read_flow (&r, &f.flow)
      || !udt_read_varint (&r, &f.epoch))
    return 0;
  *frame = f;
  return taken (&r, data);
}

bool
udt_flow_reset_write (UdtWriter *w, const UdtFlowResetFrame *frame)
{
  UdtWriter t = *w;

  if (!udt_write_u8 (&t, UDT_FRAME_FLOW_RESET)
      || !udt_write_varint (&t, frame->flow)
      || !udt_write_varint (&t, frame->epoch))
    return false;
  *w = t;
  return true;
}

/* --- CLOSE --- */

size_t
udt_close_parse (const uint8_t *data, size_t len, UdtCloseFrame *frame)
{
  UdtReader r;
  UdtCloseFrame f;

  if (!begin (&r, data, len, UDT_FRAME_CLOSE) || !udt_read_varint (&r, &f.code)
      || f.code > UINT32_MAX
      || !read_u32_varint (&r, UDT_MAX_CLOSE_REASON, &f.reason_len)
      || f.reason_len > udt_reader_left (&r))
    return 0;
  f.reason = r.at;
  r.at += f.reason_len;
  *frame = f;
  return taken (&r, data);
}

bool
udt_close_write (UdtWriter *w, const UdtCloseFrame *frame)
{
  UdtWriter t = *w;

  if (!udt_write_u8 (&t, UDT_FRAME_CLOSE) || !udt_write_varint (&t, frame->code)
      || !udt_write_varint (&t, frame->reason_len)
      || udt_writer_left (&t) < frame->reason_len)
    return false;
  if (frame->reason_len > 0)
    memcpy (t.at, frame->reason, frame->reason_len);
  t.at += frame->reason_len;
  *w = t;
  return true;
}

/* --- REPAIR --- */

size_t
udt_repair_parse (const uint8_t *data, size_t len, UdtRepairFrame *frame)
{
  UdtReader r;
  UdtRepairFrame f;
  uint32_t symbols;

  if (!begin (&r, data, len, UDT_FRAME_REPAIR) || !udt_read_u8 (&r, &f.flags)
      || (f.flags & ~(UDT_DATA_FLAGS & ~UDT_DATA_PART)) != 0
      || !read_flow (&r, &f.flow) || !udt_read_varint (&r, &f.epoch)
      || !udt_read_varint (&r, &f.id)
      || !read_u32_varint (&r, UDT_MAX_MESSAGE, &f.total)
      || !read_u32_varint (&r, UDT_MAX_PACKET, &f.symbol)
      || !read_u32_varint (&r, UINT32_MAX, &f.index)
      || !udt_read_varint (&r, &f.age)
      || !read_deadline (&r, f.flags, &f.deadline))
    return 0;
  if (f.total < 1 || f.symbol < 1 || f.symbol > udt_reader_left (&r))
    return 0;
  symbols = udt_symbols (f.total, f.symbol);
  if (udt_blocks (symbols) > UDT_FEC_MAX_BLOCKS
      || f.index >= udt_blocks (symbols) * UDT_FEC_MAX_REPAIRS)
    return 0;
  f.data = r.at;
  r.at += f.symbol;
  *frame = f;
  return taken (&r, data);
}

size_t
udt_repair_header_size (const UdtRepairFrame *frame)
{
  return 2 + udt_varint_size (frame->flow) + udt_varint_size (frame->epoch)
         + udt_varint_size (frame->id) + udt_varint_size (frame->total)
         + udt_varint_size (frame->symbol) + udt_varint_size (frame->index)
         + udt_varint_size (frame->age)
         + deadline_size (frame->flags, frame->deadline);
}

bool
udt_repair_write_header (UdtWriter *w, const UdtRepairFrame *frame)
{
  UdtWriter t = *w;

  if (!udt_write_u8 (&t, UDT_FRAME_REPAIR) || !udt_write_u8 (&t, frame->flags)
      || !udt_write_varint (&t, frame->flow)
      || !udt_write_varint (&t, frame->epoch)
      || !udt_write_varint (&t, frame->id)
      || !udt_write_varint (&t, frame->total)
      || !udt_write_varint (&t, frame->symbol)
      || !udt_write_varint (&t, frame->index)
      || !udt_write_varint (&t, frame->age)
      || !write_deadline (&t, frame->flags, frame->deadline)
      || udt_writer_left (&t) < frame->symbol)
    return false;
  *w = t;
  return true;
}

/* --- Any --- */

size_t
udt_frame_parse (const uint8_t *data, size_t len, UdtFrame *frame)
{
  size_t n = 0;

  if (len == 0)
    return 0;
  frame->type = (UdtFrameType)data[0];
  switch (data[0]) {
    case UDT_FRAME_PADDING:
      while (n < len && data[n] == UDT_FRAME_PADDING)
        n++;
      return n;
    case UDT_FRAME_PING:
      return 1;
    case UDT_FRAME_SETTINGS:
      return udt_settings_parse (data, len, &frame->settings);
    case UDT_FRAME_ACK:
      return udt_ack_parse (data, len, &frame->ack);
    case UDT_FRAME_NAK:
      return udt_nak_parse (data, len, &frame->nak);
    case UDT_FRAME_DATA:
      return udt_data_parse (data, len, &frame->data);
    case UDT_FRAME_DROP:
      return udt_drop_parse (data, len, &frame->drop);
    case UDT_FRAME_WINDOW:
      return udt_window_parse (data, len, &frame->window);
    case UDT_FRAME_FLOW_RESET:
      return udt_flow_reset_parse (data, len, &frame->reset);
    case UDT_FRAME_CLOSE:
      return udt_close_parse (data, len, &frame->close);
    case UDT_FRAME_REPAIR:
      return udt_repair_parse (data, len, &frame->repair);
    default:
      return 0;
  }
}
