/* From the vendor's clock to another one; see halclock.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "halclock.h"

#include <string.h>

/* No crystal is off by more; a steeper line is noise. */
#define MAX_SLOPE 500e-6
/* A line wants some length: over less, readings a few microseconds off make
 * an arbitrary slope. */
#define MIN_SPAN (2 * HAL_SECOND)
/* How fast a difference between two estimates is worked off. */
#define SLEW 1e-3
/* One sample is kept of so long. */
#define BUCKET HAL_SECOND
/* A reading is never better than this. */
#define LEAST_COST (5 * HAL_USECOND)

static double
difference (uint64_t a, uint64_t b)
{
  return a >= b ? (double)(a - b) : -(double)(b - a);
}

static double
slewed (const HalClockMap *map, uint64_t vendor)
{
  double elapsed = difference (vendor, map->corrected_at);
  double worked_off = elapsed > 0 ? elapsed * SLEW : 0;

  if (map->correction > worked_off)
    return map->correction - worked_off;
  if (map->correction < -worked_off)
    return map->correction + worked_off;
  return 0;
}

/* The mapping as a distance from local_base. */
static double
apply (const HalClockMap *map, uint64_t vendor)
{
  double distance = difference (vendor, map->vendor_base);

  return distance * (1 + map->slope) + slewed (map, vendor);
}

void
hal_clock_map_init (HalClockMap *map)
{
  memset (map, 0, sizeof *map);
}

bool
hal_clock_map_ready (const HalClockMap *map)
{
  return map->n > 0;
}

/* Weighted least squares. Coordinates are relative to the newest sample, so
 * that doubles have digits to spare: the line passes offset beside it. */
static void
fit (const HalClockMap *map, double *ret_offset, double *ret_slope)
{
  const HalClockSample *newest = &map->samples[map->newest];
  double n = 0, x = 0, y = 0, xx = 0, xy = 0, oldest = 0, spread;
  unsigned i;

  for (i = 0; i < map->n; i++) {
    const HalClockSample *sample = &map->samples[i];
    double error = (double)(sample->cost + LEAST_COST);
    double weight = 1 / (error * error);
    double dx = difference (sample->vendor, newest->vendor);
    double dy = difference (sample->local, newest->local) - dx;

    n += weight;
    x += weight * dx;
    y += weight * dy;
    xx += weight * dx * dx;
    xy += weight * dx * dy;
    if (dx < oldest)
      oldest = dx;
  }
  spread = xx - x * x / n;
  *ret_slope = map->slope;
  if (map->n >= 3 && -oldest >= (double)MIN_SPAN && spread > 0)
    *ret_slope = (xy - x * y / n) / spread;
  if (*ret_slope > MAX_SLOPE)
    *ret_slope = MAX_SLOPE;
  if (*ret_slope < -MAX_SLOPE)
    *ret_slope = -MAX_SLOPE;
  *ret_offset = (y - *ret_slope * x) / n;
}

static void
begin (HalClockMap *map, const HalClockSample *sample)
{
  map->samples[0] = *sample;
  map->n = 1;
  map->newest = 0;
  map->began = sample->vendor;
  map->vendor_base = sample->vendor;
  map->local_base = sample->local;
  map->slope = 0;
  map->correction = 0;
  map->corrected_at = sample->vendor;
}

bool
hal_clock_map_add (HalClockMap *map, uint64_t vendor, uint64_t local,
                   uint64_t cost)
{
  HalClockSample sample = { vendor, local, cost };
  double before, off, offset, slope;

  if (map->n == 0) {
    begin (map, &sample);
    return false;
  }
  before = apply (map, vendor);
  off = difference (local, map->local_base) - before;
  if (off > (double)(HAL_CLOCK_JUMP + cost)
      || off < -(double)(HAL_CLOCK_JUMP + cost)) {
    begin (map, &sample);
    map->jumps++;
    return true;
  }
  if (vendor < map->began || vendor - map->began >= BUCKET) {
    map->newest = (map->newest + 1) % HAL_CLOCK_SAMPLES;
    if (map->n < HAL_CLOCK_SAMPLES)
      map->n++;
    map->samples[map->newest] = sample;
    map->began = vendor;
  } else if (cost < map->samples[map->newest].cost) {
    map->samples[map->newest] = sample;
  } else {
    return false;
  }
  fit (map, &offset, &slope);
  /* The new line passes offset beside the newest sample, which is this one;
   * the correction keeps the value of the old line there. */
  map->correction = before - difference (local, map->local_base) - offset;
  map->local_base
      = offset < 0 ? local - (uint64_t)(-offset) : local + (uint64_t)offset;
  map->vendor_base = vendor;
  map->slope = slope;
  map->corrected_at = vendor;
  return false;
}

uint64_t
hal_clock_map_apply (const HalClockMap *map, uint64_t vendor)
{
  double distance;

  if (map->n == 0)
    return HAL_TIME_NONE;
  distance = apply (map, vendor);
  if (distance < 0) {
    uint64_t back = (uint64_t)-distance;

    return back < map->local_base ? map->local_base - back : 0;
  }
  return map->local_base + (uint64_t)distance;
}

double
hal_clock_map_drift (const HalClockMap *map)
{
  return map->slope * 1e6;
}
