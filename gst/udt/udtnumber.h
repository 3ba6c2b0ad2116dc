/* Packet numbers and variable-length integers.
 *
 * Packet numbers count to 2^62 and travel as their low 32 bits; they are
 * rebuilt here and nowhere else. Integers of 1, 2, 4 or 8 bytes carry their
 * length in the two high bits of the first byte, big endian. Every reader has
 * a pointer and an end and fails rather than pass it.
 *
 * Pure functions, any thread.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef UDT_NUMBER_H
#define UDT_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define UDT_NUMBER_MAX ((UINT64_C (1) << 62) - 1)
#define UDT_NUMBER_NONE UINT64_MAX

/* The number whose low 32 bits are `low` and that lies nearest to `expected`,
 * the highest number seen plus one. */
static inline uint64_t
udt_number_expand (uint64_t expected, uint32_t low)
{
  const uint64_t window = UINT64_C (1) << 32;
  uint64_t number = (expected & ~(window - 1)) | low;

  if (number + window / 2 <= expected && number + window <= UDT_NUMBER_MAX)
    return number + window;
  if (number > expected + window / 2 && number >= window)
    return number - window;
  return number;
}

/* a - b of two 32-bit clocks or counters that wrap. */
static inline int32_t
udt_serial_diff (uint32_t a, uint32_t b)
{
  return (int32_t)(a - b);
}

typedef struct
{
  const uint8_t *at, *end;
} UdtReader;

typedef struct
{
  uint8_t *at, *end;
} UdtWriter;

static inline size_t
udt_reader_left (const UdtReader *r)
{
  return (size_t)(r->end - r->at);
}

static inline size_t
udt_writer_left (const UdtWriter *w)
{
  return (size_t)(w->end - w->at);
}

static inline size_t
udt_varint_size (uint64_t value)
{
  if (value < (1u << 6))
    return 1;
  if (value < (1u << 14))
    return 2;
  if (value < (1u << 30))
    return 4;
  return 8;
}

static inline bool
udt_read_u8 (UdtReader *r, uint8_t *value)
{
  if (r->at >= r->end)
    return false;
  *value = *r->at++;
  return true;
}

static inline bool
udt_read_u32 (UdtReader *r, uint32_t *value)
{
  if (udt_reader_left (r) < 4)
    return false;
  *value = (uint32_t)r->at[0] << 24 | (uint32_t)r->at[1] << 16
           | (uint32_t)r->at[2] << 8 | r->at[3];
  r->at += 4;
  return true;
}

static inline bool
udt_read_varint (UdtReader *r, uint64_t *value)
{
  size_t size, i;
  uint64_t v;

  if (r->at >= r->end)
    return false;
  size = (size_t)1 << (*r->at >> 6);
  if (udt_reader_left (r) < size)
    return false;
  v = *r->at & 0x3f;
  for (i = 1; i < size; i++)
    v = v << 8 | r->at[i];
  r->at += size;
  *value = v;
  return true;
}

static inline bool
udt_write_u8 (UdtWriter *w, uint8_t value)
{
  if (w->at >= w->end)
    return false;
  *w->at++ = value;
  return true;
}

static inline bool
udt_write_u32 (UdtWriter *w, uint32_t value)
{
  if (udt_writer_left (w) < 4)
    return false;
  w->at[0] = (uint8_t)(value >> 24);
  w->at[1] = (uint8_t)(value >> 16);
  w->at[2] = (uint8_t)(value >> 8);
  w->at[3] = (uint8_t)value;
  w->at += 4;
  return true;
}

static inline bool
udt_write_varint (UdtWriter *w, uint64_t value)
{
  size_t size = udt_varint_size (value), i;
  static const uint8_t prefix[9] = { 0, 0x00, 0x40, 0, 0x80, 0, 0, 0, 0xc0 };

  if (value > UDT_NUMBER_MAX || udt_writer_left (w) < size)
    return false;
  for (i = 0; i < size; i++)
    w->at[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
  w->at[0] |= prefix[size];
  w->at += size;
  return true;
}

/* Signed values, small magnitudes first. */
static inline uint64_t
udt_zigzag (int64_t value)
{
  return value < 0 ? ((uint64_t)(-(value + 1)) << 1 | 1) : (uint64_t)value << 1;
}

static inline int64_t
udt_unzigzag (uint64_t value)
{
  return value & 1 ? -(int64_t)(value >> 1) - 1 : (int64_t)(value >> 1);
}

#endif /* UDT_NUMBER_H */
