/* Which packet numbers arrived: the replay window and what acknowledgements
 * are made from.
 *
 * A bitmap of the newest UDT_SEEN_WINDOW numbers and the arrival times of the
 * newest UDT_SEEN_TIMES. No allocation; adding costs O(1), listing ranges
 * O(ranges + words). Belongs to the thread of its connection.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef UDT_SEEN_H
#define UDT_SEEN_H

#include "udtframes.h"

#define UDT_SEEN_WINDOW 8192 /* numbers; older ones count as replayed */
#define UDT_SEEN_TIMES 256

typedef struct
{
  uint64_t next;  /* highest number that arrived, plus one */
  uint64_t floor; /* below it nothing needs to be told again */
  uint64_t bits[UDT_SEEN_WINDOW / 64];
  uint32_t arrival[UDT_SEEN_TIMES];
} UdtSeen;

void udt_seen_init (UdtSeen *seen);
/* True: `number` is new and within the window. */
bool udt_seen_is_new (const UdtSeen *seen, uint64_t number);
void udt_seen_add (UdtSeen *seen, uint64_t number, uint32_t arrival);
/* Ranges from `floor` up, the newest first. */
size_t udt_seen_ranges (const UdtSeen *seen, UdtRange *out, size_t max);
/* Arrival times of the numbers in `ranges`, the newest first. */
size_t udt_seen_times (const UdtSeen *seen, const UdtRange *ranges,
                       size_t n_ranges, uint32_t *out, size_t max);

#endif /* UDT_SEEN_H */
