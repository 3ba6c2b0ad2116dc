/* From the vendor's clock to another one, with the drift between them tracked.
 *
 * Pairs of readings go in; timestamps of the first clock come out on the
 * second. Of each second the pair counts that took the least time to read, for
 * it can be off by so much; a line is laid through those of the last half
 * minute, by weights of how good they are. What
 * comes out follows that line, but slowly, so that differences between
 * timestamps survive; it jumps only where one of the clocks did.
 *
 * Plain data, the caller serialises.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef HAL_CLOCK_H
#define HAL_CLOCK_H

#include "hal.h"

#define HAL_CLOCK_SAMPLES 32
/* How often readings are worth taking. */
#define HAL_CLOCK_INTERVAL (200 * HAL_MSECOND)
/* Further off than this a clock has jumped rather than drifted. */
#define HAL_CLOCK_JUMP (40 * HAL_MSECOND)

typedef struct
{
  uint64_t vendor, local;
  uint64_t cost; /* how long reading the pair took */
} HalClockSample;

typedef struct
{
  HalClockSample samples[HAL_CLOCK_SAMPLES]; /* a ring, one a second */
  unsigned n, newest;
  uint64_t began; /* the second of the newest one, vendor time */
  /* The line: local = local_base + (vendor - vendor_base) * (1 + slope). */
  uint64_t vendor_base, local_base;
  double slope;
  /* What is added to the line so that no estimate shows as a step; goes to
   * zero. */
  double correction;
  uint64_t corrected_at; /* vendor time */
  uint64_t jumps;
} HalClockMap;

void hal_clock_map_init (HalClockMap *map);
/* Returns true if this pair shows that a clock jumped: the mapping begins
 * anew. */
bool hal_clock_map_add (HalClockMap *map, uint64_t vendor, uint64_t local,
                        uint64_t cost);
bool hal_clock_map_ready (const HalClockMap *map);
/* HAL_TIME_NONE before the first pair. */
uint64_t hal_clock_map_apply (const HalClockMap *map, uint64_t vendor);
/* How much faster the local clock is, in parts per million. */
double hal_clock_map_drift (const HalClockMap *map);

#endif /* HAL_CLOCK_H */
