/* Reading and writing vendors' structures by offset.
 *
 * The structures of one vendor differ by generation and SDK version. Each
 * family declares them once, for the compiler to lay out and for the layout
 * tests to check, and makes a table of offsets of each version; the code that
 * works with them goes by the table alone. Output structures are allocated
 * larger than any version known and zeroed, so that a newer library that
 * writes more does no harm.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef HAL_LAYOUT_H
#define HAL_LAYOUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* 64-bit members are aligned to 8 on ARM, MIPS o32 and all 64-bit targets, but
 * to 4 on i386: with these a build for i386 has the layout of ARM. */
typedef uint64_t hal_u64 __attribute__ ((aligned (8)));
typedef int64_t hal_s64 __attribute__ ((aligned (8)));

/* A member that this version does not have. */
#define HAL_NO_OFFSET UINT16_MAX

#define HAL_LAYOUT_ACCESSORS(name, type)                                       \
  static inline type hal_get_##name (const void *base, size_t offset)          \
  {                                                                            \
    type value;                                                                \
    memcpy (&value, (const char *)base + offset, sizeof value);                \
    return value;                                                              \
  }                                                                            \
  static inline void hal_put_##name (void *base, size_t offset, type value)    \
  {                                                                            \
    memcpy ((char *)base + offset, &value, sizeof value);                      \
  }

HAL_LAYOUT_ACCESSORS (u16, uint16_t)
HAL_LAYOUT_ACCESSORS (u32, uint32_t)
HAL_LAYOUT_ACCESSORS (s32, int32_t)
HAL_LAYOUT_ACCESSORS (u64, uint64_t)
HAL_LAYOUT_ACCESSORS (s64, int64_t)
HAL_LAYOUT_ACCESSORS (ptr, void *)

/* The digits after prefix in a version string, as one number per part:
 * "1.1.6" gives 1, 1, 6. Returns how many parts were found. */
static inline unsigned
hal_version_parts (const char *text, unsigned *parts, unsigned max)
{
  unsigned n = 0;

  while (n < max && *text >= '0' && *text <= '9') {
    unsigned value = 0;

    while (*text >= '0' && *text <= '9' && value < 100000)
      value = value * 10 + (unsigned)(*text++ - '0');
    parts[n++] = value;
    if (*text != '.')
      break;
    text++;
  }
  return n;
}

#endif /* HAL_LAYOUT_H */
