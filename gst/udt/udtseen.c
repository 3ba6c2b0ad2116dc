/* Which packet numbers arrived. See udtseen.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtseen.h"

#define WORDS (UDT_SEEN_WINDOW / 64)

void
udt_seen_init (UdtSeen *seen)
{
  memset (seen, 0, sizeof *seen);
}

static uint64_t
lowest_kept (const UdtSeen *seen)
{
  return seen->next > UDT_SEEN_WINDOW ? seen->next - UDT_SEEN_WINDOW : 0;
}

static bool
has (const UdtSeen *seen, uint64_t number)
{
  return seen->bits[(number / 64) % WORDS] >> (number % 64) & 1;
}

bool
udt_seen_is_new (const UdtSeen *seen, uint64_t number)
{
  if (number >= seen->next)
    return true;
  return number >= lowest_kept (seen) && !has (seen, number);
}

void
udt_seen_add (UdtSeen *seen, uint64_t number, uint32_t arrival)
{
  if (number >= seen->next) {
    if (number - seen->next >= UDT_SEEN_WINDOW) {
      memset (seen->bits, 0, sizeof seen->bits);
    } else {
      /* Slots of the numbers between still hold those of a window ago. */
      uint64_t n = seen->next;

      while (n <= number) {
        if (n % 64 == 0 && number - n >= 63) {
          seen->bits[(n / 64) % WORDS] = 0;
          n += 64;
        } else {
          seen->bits[(n / 64) % WORDS] &= ~(UINT64_C (1) << (n % 64));
          n++;
        }
      }
    }
    seen->next = number + 1;
  }
  seen->bits[(number / 64) % WORDS] |= UINT64_C (1) << (number % 64);
  if (seen->next - number <= UDT_SEEN_TIMES)
    seen->arrival[number % UDT_SEEN_TIMES] = arrival;
}

static int
highest_bit (uint64_t word)
{
  return 63 - __builtin_clzll (word);
}

/* Highest number in [low, from] whose bit is `set`; false: none. */
static bool
find_down (const UdtSeen *seen, uint64_t from, uint64_t low, bool set,
           uint64_t *found)
{
  uint64_t at = from;

  for (;;) {
    uint64_t word = seen->bits[(at / 64) % WORDS];
    unsigned bit = at % 64;

    if (!set)
      word = ~word;
    if (bit < 63)
      word &= (UINT64_C (2) << bit) - 1;
    if (word != 0) {
      *found = at - bit + (unsigned)highest_bit (word);
      return *found >= low;
    }
    if (at - bit <= low || at < 64)
      return false;
    at = at - bit - 1;
  }
}

size_t
udt_seen_ranges (const UdtSeen *seen, UdtRange *out, size_t max)
{
  uint64_t low = lowest_kept (seen), at, hole;
  size_t n = 0;

  if (seen->floor > low)
    low = seen->floor;
  if (seen->next == 0 || low >= seen->next)
    return 0;
  at = seen->next - 1;
  while (n < max && find_down (seen, at, low, true, &at)) {
    out[n].last = at;
    if (!find_down (seen, at, low, false, &hole)) {
      out[n++].first = low;
      break;
    }
    out[n++].first = hole + 1;
    if (hole <= low)
      break;
    at = hole;
  }
  return n;
}

size_t
udt_seen_times (const UdtSeen *seen, const UdtRange *ranges, size_t n_ranges,
                uint32_t *out, size_t max)
{
  size_t n = 0, i;

  for (i = 0; i < n_ranges; i++) {
    uint64_t number = ranges[i].last;

    for (;; number--) {
      if (n == max || seen->next - number > UDT_SEEN_TIMES)
        return n;
      out[n++] = seen->arrival[number % UDT_SEEN_TIMES];
      if (number == ranges[i].first)
        break;
    }
  }
  return n;
}
