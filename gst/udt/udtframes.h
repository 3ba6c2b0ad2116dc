/* The frames of a packet: layouts in docs/wire.md, "Engine packets".
 *
 * Each parser takes a pointer and a length and returns how many bytes the
 * frame takes, type byte included, or 0 if it is truncated or breaks a rule.
 * Parsed frames point into the packet. Each writer returns false and leaves
 * the writer where it was if there is no room.
 *
 * Pure functions, any thread.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef UDT_FRAMES_H
#define UDT_FRAMES_H

#include "udt.h"
#include "udtfec.h"
#include "udtnumber.h"

#define UDT_VERSION 1

typedef enum {
  UDT_FRAME_PADDING = 0x00,
  UDT_FRAME_PING = 0x01,
  UDT_FRAME_SETTINGS = 0x02,
  UDT_FRAME_ACK = 0x03,
  UDT_FRAME_NAK = 0x04,
  UDT_FRAME_DATA = 0x05,
  UDT_FRAME_DROP = 0x06,
  UDT_FRAME_WINDOW = 0x07,
  UDT_FRAME_FLOW_RESET = 0x08,
  UDT_FRAME_CLOSE = 0x09,
  UDT_FRAME_REPAIR = 0x0a,
} UdtFrameType;

/* Limits of one frame. */
#define UDT_MAX_ACK_RANGES 64
#define UDT_MAX_ACK_TIMES 64
#define UDT_MAX_NAK_RANGES 64
#define UDT_MAX_DROP_COUNT (UINT64_C (1) << 32)

/* Bits of the flags byte of DATA, REPAIR and DROP above those of
 * UdtMessageFlags. */
#define UDT_DATA_STRICT 0x08 /* the flow delivers in order */
#define UDT_DATA_PART 0x10   /* total and offset follow */
#define UDT_DATA_LIVE 0x20   /* a deadline follows */
#define UDT_DATA_FLAGS 0x3f

/* Packet numbers first..last, both received or both missing. */
typedef struct
{
  uint64_t first, last;
} UdtRange;

typedef struct
{
  uint64_t version;
  uint64_t latency;     /* microseconds */
  uint64_t max_message; /* bytes */
  uint64_t flow_window; /* bytes a flow may have outstanding at first */
  uint64_t id_window;   /* messages a flow may be ahead of its floor */
} UdtSettingsFrame;

typedef struct
{
  uint64_t largest;
  uint64_t delay;    /* microseconds since `largest` arrived */
  uint32_t arrival;  /* of `largest`, low 32 bits of the clock */
  uint32_t n_ranges; /* the newest first */
  uint32_t n_times;  /* of the received numbers below `largest` */
  const uint8_t *ranges, *ranges_end;
  const uint8_t *times, *times_end;
} UdtAckFrame;

typedef struct
{
  uint32_t n_ranges; /* ascending */
  const uint8_t *ranges, *ranges_end;
} UdtNakFrame;

typedef struct
{
  uint8_t flags;
  uint16_t flow;
  uint64_t epoch;
  uint64_t id;
  uint32_t total, offset;
  uint64_t age;      /* microseconds */
  uint32_t deadline; /* milliseconds from submission; UDT_DATA_LIVE */
  const uint8_t *data;
  uint32_t len;
} UdtDataFrame;

/* Repair symbol `index` of a message cut into symbols of `symbol` bytes, the
 * last one filled up with zeros. */
typedef struct
{
  uint8_t flags; /* no UDT_DATA_PART */
  uint16_t flow;
  uint64_t epoch;
  uint64_t id;
  uint32_t total, symbol, index;
  uint64_t age;
  uint32_t deadline;
  const uint8_t *data; /* `symbol` bytes */
} UdtRepairFrame;

/* Messages first <= id < end are given up. */
typedef struct
{
  uint8_t flags; /* UDT_DATA_STRICT or 0 */
  uint16_t flow;
  uint64_t epoch;
  uint64_t first, end;
} UdtDropFrame;

typedef struct
{
  uint64_t epoch;
  uint64_t floor; /* all messages below it are settled */
  uint64_t bytes; /* that those from `floor` on may total */
} UdtWindowFrame;

typedef struct
{
  uint16_t flow;
  uint64_t epoch;
} UdtFlowResetFrame;

typedef struct
{
  uint64_t code;
  const uint8_t *reason;
  uint32_t reason_len;
} UdtCloseFrame;

typedef struct
{
  UdtFrameType type;
  union
  {
    UdtSettingsFrame settings;
    UdtAckFrame ack;
    UdtNakFrame nak;
    UdtDataFrame data;
    UdtDropFrame drop;
    UdtWindowFrame window;
    UdtFlowResetFrame reset;
    UdtCloseFrame close;
    UdtRepairFrame repair;
  };
} UdtFrame;

size_t udt_settings_parse (const uint8_t *data, size_t len,
                           UdtSettingsFrame *frame);
size_t udt_ack_parse (const uint8_t *data, size_t len, UdtAckFrame *frame);
size_t udt_nak_parse (const uint8_t *data, size_t len, UdtNakFrame *frame);
size_t udt_data_parse (const uint8_t *data, size_t len, UdtDataFrame *frame);
size_t udt_drop_parse (const uint8_t *data, size_t len, UdtDropFrame *frame);
size_t udt_window_parse (const uint8_t *data, size_t len,
                         UdtWindowFrame *frame);
size_t udt_flow_reset_parse (const uint8_t *data, size_t len,
                             UdtFlowResetFrame *frame);
size_t udt_close_parse (const uint8_t *data, size_t len, UdtCloseFrame *frame);
size_t udt_repair_parse (const uint8_t *data, size_t len,
                         UdtRepairFrame *frame);

/* Any frame. A run of padding is one frame. */
size_t udt_frame_parse (const uint8_t *data, size_t len, UdtFrame *frame);

/* Expand the ranges of a parsed frame; return how many, at most `max`. */
size_t udt_ack_ranges (const UdtAckFrame *frame, UdtRange *out, size_t max);
size_t udt_nak_ranges (const UdtNakFrame *frame, UdtRange *out, size_t max);
/* Arrival of each of the newest received numbers, `largest` first. */
size_t udt_ack_times (const UdtAckFrame *frame, uint32_t *out, size_t max);

bool udt_settings_write (UdtWriter *w, const UdtSettingsFrame *frame);
/* Ranges newest first, times of `largest` first (at least one of each). Writes
 * what fits; false only if not even the first range does. */
bool udt_ack_write (UdtWriter *w, const UdtRange *ranges, size_t n_ranges,
                    const uint32_t *times, size_t n_times, uint64_t delay);
/* Ascending; writes what fits and returns how many ranges. */
size_t udt_nak_write (UdtWriter *w, const UdtRange *ranges, size_t n_ranges);
/* Header of a DATA frame for `len` bytes, which the caller appends. */
size_t udt_data_header_size (const UdtDataFrame *frame);
bool udt_data_write_header (UdtWriter *w, const UdtDataFrame *frame);
bool udt_drop_write (UdtWriter *w, const UdtDropFrame *frame);
bool udt_window_write (UdtWriter *w, const UdtWindowFrame *frame);
bool udt_flow_reset_write (UdtWriter *w, const UdtFlowResetFrame *frame);
bool udt_close_write (UdtWriter *w, const UdtCloseFrame *frame);
/* Header of a REPAIR frame for `symbol` bytes, which the caller appends. */
size_t udt_repair_header_size (const UdtRepairFrame *frame);
bool udt_repair_write_header (UdtWriter *w, const UdtRepairFrame *frame);

/* How a message is cut for REPAIR: its symbols, and the blocks that they are
 * dealt out to in turn. */
static inline uint32_t
udt_symbols (uint32_t total, uint32_t symbol)
{
  return (total + symbol - 1) / symbol;
}

static inline uint32_t
udt_blocks (uint32_t symbols)
{
  return (symbols + UDT_FEC_MAX_SYMBOLS - 1) / UDT_FEC_MAX_SYMBOLS;
}

#endif /* UDT_FRAMES_H */
