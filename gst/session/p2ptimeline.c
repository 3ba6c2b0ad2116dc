/* Maps the sender's running time to the receiver's.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The delay of a sample is arrival minus departure: the offset between the two
 * clocks, plus the path's least delay, plus what the network added this time.
 * Only the last part is never negative, so the low points are what is followed.
 *
 *   windows   Low points of WINDOW_NS of arrivals, the last WINDOWS of them. By
 *             arrival, since after a freeze everything comes at once and the
 *             last of it is on time. Their lowest, carried to now along the
 *             drift, is where the mapping should be. A lower delay is believed
 *             at once; a higher one when it has lasted for all windows: neither
 *             jitter nor a freeze nor a burst looks like another route.
 *   blocks    Low points of BLOCK_WINDOWS windows, the last BLOCKS of them. The
 *             median of the slopes between them is the drift (Theil and Sen);
 *             outliers do not move it. Where a block does not continue the one
 *             before, the route changed: no slope is taken across.
 *   segments  The mapping: each begins at a sender time beyond what was mapped
 *             when it was made, and holds for ever after. An upward correction
 *             is a jump. After a downward one the mapping runs at half speed
 *             until it has fallen back by the correction, so that it never goes
 *             backwards and no two times become one.
 *
 * How fast it corrects. Until something has been mapped: at once. In the first
 * EARLY_NS: down at once, by all of it, since the first samples (a keyframe, a
 * queue) may be very late. Later: P2P_TIMELINE_STEP_NS once a second, more than
 * enough for two clocks; of an error above GROSS_NS, which no clock makes, an
 * eighth; of one above JUMP_NS, all.
 *
 * Threads: the owner's.
 */
#include "p2ptimeline.h"

#include <stdlib.h>
#include <string.h>

#define MS_NS INT64_C (1000000)
#define SECOND_NS (1000 * MS_NS)

#define WINDOW_NS SECOND_NS
#define WINDOWS 10
/* What is older says nothing, if only because of the drift. */
#define WINDOW_MAX_AGE_NS (60 * SECOND_NS)

#define BLOCK_WINDOWS 8
#define BLOCKS 32
/* A block that lies this far off the one before is of another route. Clocks
 * make a third of that in the time of a block. */
#define ROUTE_NS (5 * MS_NS)
/* Slopes are taken between blocks this far apart or more. */
#define SLOPE_BLOCKS 3
/* Beyond what crystals do: ignored. */
#define MAX_DRIFT 500e-6

#define EARLY_NS (5 * SECOND_NS)
#define EARLY_INTERVAL_NS (100 * MS_NS)
#define INTERVAL_NS SECOND_NS
#define GROSS_NS (20 * MS_NS)
#define GROSS_SHARE 8
#define JUMP_NS (500 * MS_NS)

/* A minute of corrections, or 6 s of the early ones: by so much streams may lie
 * apart and still agree exactly. */
#define SEGMENTS 64
/* What is mapped this far ahead of what arrives does not hold corrections up;
 * it is nonsense. */
#define MAX_AHEAD_NS (10 * SECOND_NS)

/* Sums of four cannot overflow. */
#define MAX_TIME (INT64_C (1) << 60)

typedef struct
{
  int64_t time;  /* arrival */
  int64_t delay; /* arrival minus departure */
} Point;

typedef struct
{
  Point low;
  uint32_t route;
} Block;

typedef struct
{
  int64_t start;  /* sender time */
  int64_t local;  /* of `start`; not used in the very first segment */
  int64_t offset; /* local minus sender time, once fallen back */
} Segment;

struct _P2pTimeline
{
  bool started;       /* there was a sample */
  int64_t first;      /* arrival of the first one */
  int64_t now;        /* latest arrival */
  int64_t newest;     /* latest departure */
  int64_t window_end; /* of the open window */
  Point open;         /* its low point */

  Point window[WINDOWS]; /* closed ones, a ring */
  unsigned windows;      /* closed since the start */

  Block block[BLOCKS]; /* a ring */
  unsigned blocks;
  double drift; /* of delay per time */

  bool mapped;         /* something was */
  int64_t last_mapped; /* latest sender time */
  int64_t corrected;   /* when, by arrival */
  bool ever_corrected;
  Segment segment[SEGMENTS]; /* a ring */
  unsigned segments;         /* made since the start */
};

P2pTimeline *
p2p_timeline_new (void)
{
  return calloc (1, sizeof (P2pTimeline));
}

void
p2p_timeline_free (P2pTimeline *timeline)
{
  free (timeline);
}

void
p2p_timeline_reset (P2pTimeline *timeline)
{
  memset (timeline, 0, sizeof *timeline);
}

double
p2p_timeline_get_drift_ppm (const P2pTimeline *timeline)
{
  return timeline->drift * 1e6;
}

/* -- Drift ----------------------------------------------------------------- */

/* The delay of `point`, had it been measured at `time`. */
static int64_t
delay_at (const P2pTimeline *timeline, Point point, int64_t time)
{
  return point.delay + (int64_t)(timeline->drift * (double)(time - point.time));
}

static int
compare_doubles (const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

static void
estimate_drift (P2pTimeline *timeline)
{
  static const unsigned max_slopes = BLOCKS * (BLOCKS - 1) / 2;
  double slopes[BLOCKS * (BLOCKS - 1) / 2];
  unsigned oldest = timeline->blocks > BLOCKS ? timeline->blocks - BLOCKS : 0;
  unsigned count = 0;

  for (unsigned i = oldest; i < timeline->blocks; i++) {
    const Block *a = &timeline->block[i % BLOCKS];

    for (unsigned j = i + SLOPE_BLOCKS; j < timeline->blocks; j++) {
      const Block *b = &timeline->block[j % BLOCKS];

      if (a->route != b->route || count == max_slopes)
        break;
      slopes[count++] = (double)(b->low.delay - a->low.delay)
                        / (double)(b->low.time - a->low.time);
    }
  }
  /* After a change of route the old drift is better than none. */
  if (count == 0)
    return;
  qsort (slopes, count, sizeof slopes[0], compare_doubles);
  timeline->drift = slopes[count / 2];
  if (timeline->drift > MAX_DRIFT)
    timeline->drift = MAX_DRIFT;
  else if (timeline->drift < -MAX_DRIFT)
    timeline->drift = -MAX_DRIFT;
}

/* BLOCK_WINDOWS more windows have been closed. */
static void
close_block (P2pTimeline *timeline)
{
  Block block = { 0 };

  for (unsigned i = 0; i < BLOCK_WINDOWS; i++) {
    Point point = timeline->window[(timeline->windows - 1 - i) % WINDOWS];

    if (i == 0
        || delay_at (timeline, point, timeline->now)
               < delay_at (timeline, block.low, timeline->now))
      block.low = point;
  }
  if (timeline->blocks > 0) {
    const Block *before = &timeline->block[(timeline->blocks - 1) % BLOCKS];
    int64_t off
        = block.low.delay - delay_at (timeline, before->low, block.low.time);

    block.route = before->route;
    if (off > ROUTE_NS || off < -ROUTE_NS)
      block.route++;
  }
  timeline->block[timeline->blocks++ % BLOCKS] = block;
  estimate_drift (timeline);
}

/* -- Where the mapping should be ------------------------------------------- */

static void
add_to_window (P2pTimeline *timeline, Point point)
{
  if (timeline->started && point.time < timeline->window_end) {
    if (point.delay < timeline->open.delay)
      timeline->open = point;
    return;
  }
  if (timeline->started) {
    timeline->window[timeline->windows++ % WINDOWS] = timeline->open;
    if (timeline->windows % BLOCK_WINDOWS == 0)
      close_block (timeline);
  }
  timeline->open = point;
  timeline->window_end = point.time + WINDOW_NS;
}

static int64_t
target_offset (const P2pTimeline *timeline)
{
  int64_t lowest = delay_at (timeline, timeline->open, timeline->now);

  for (unsigned i = 1; i <= WINDOWS && i <= timeline->windows; i++) {
    Point point = timeline->window[(timeline->windows - i) % WINDOWS];
    int64_t delay;

    if (timeline->now - point.time > WINDOW_MAX_AGE_NS)
      break;
    delay = delay_at (timeline, point, timeline->now);
    if (delay < lowest)
      lowest = delay;
  }
  return lowest;
}

/* -- The mapping ----------------------------------------------------------- */

static int64_t
segment_map (const Segment *segment, bool first, int64_t time)
{
  int64_t shifted = time + segment->offset, ramp;

  if (first || time < segment->start)
    return shifted;
  ramp = segment->local + (time - segment->start) / 2;
  return shifted > ramp ? shifted : ramp;
}

static int64_t
mapping (const P2pTimeline *timeline, int64_t time)
{
  unsigned oldest
      = timeline->segments > SEGMENTS ? timeline->segments - SEGMENTS : 0;
  unsigned i = timeline->segments - 1;

  while (i > oldest && time < timeline->segment[i % SEGMENTS].start)
    i--;
  return segment_map (&timeline->segment[i % SEGMENTS], i == 0, time);
}

/* From the first sender time on that nobody has asked for. */
static void
set_offset (P2pTimeline *timeline, int64_t offset)
{
  Segment *last = &timeline->segment[(timeline->segments - 1) % SEGMENTS];
  Segment segment = { 0, 0, offset };

  if (timeline->mapped)
    segment.start = timeline->last_mapped + 1;
  if (!timeline->mapped
      || (timeline->segments > 1 && segment.start <= last->start)) {
    last->offset = offset;
    return;
  }
  segment.local = mapping (timeline, segment.start);
  timeline->segment[timeline->segments++ % SEGMENTS] = segment;
}

/* How much of `error` to correct now; 0: nothing yet. */
static int64_t
correction (const P2pTimeline *timeline, int64_t error)
{
  int64_t size = error < 0 ? -error : error;
  bool early = error < 0 && timeline->now - timeline->first < EARLY_NS;
  int64_t interval = early ? EARLY_INTERVAL_NS : INTERVAL_NS;

  if (!timeline->mapped)
    return error;
  if (size < P2P_TIMELINE_STEP_NS
      || (timeline->ever_corrected
          && timeline->now - timeline->corrected < interval))
    return 0;
  if (early || size > JUMP_NS)
    return error;
  if (size > GROSS_NS)
    return error / GROSS_SHARE;
  return error < 0 ? -P2P_TIMELINE_STEP_NS : P2P_TIMELINE_STEP_NS;
}

static void
correct (P2pTimeline *timeline)
{
  int64_t offset
      = timeline->segment[(timeline->segments - 1) % SEGMENTS].offset;
  int64_t change = correction (timeline, target_offset (timeline) - offset);

  if (change == 0)
    return;
  set_offset (timeline, offset + change);
  if (timeline->mapped) {
    timeline->corrected = timeline->now;
    timeline->ever_corrected = true;
  }
}

static bool
in_range (int64_t time)
{
  return time >= -MAX_TIME && time <= MAX_TIME;
}

void
p2p_timeline_sample (P2pTimeline *timeline, int64_t sent, int64_t arrived)
{
  Point point;

  if (!in_range (sent) || !in_range (arrived))
    return;
  point.delay = arrived - sent;
  if (!timeline->started) {
    timeline->first = timeline->now = arrived;
    timeline->newest = sent;
    timeline->segment[0] = (Segment){ 0, 0, point.delay };
    timeline->segments = 1;
  }
  if (arrived > timeline->now)
    timeline->now = arrived;
  if (sent > timeline->newest)
    timeline->newest = sent;
  point.time = timeline->now;
  add_to_window (timeline, point);
  timeline->started = true;
  correct (timeline);
}

bool
p2p_timeline_map (P2pTimeline *timeline, int64_t sender_time,
                  int64_t *local_time)
{
  if (!timeline->started || !in_range (sender_time))
    return false;
  *local_time = mapping (timeline, sender_time);
  if (sender_time - timeline->newest <= MAX_AHEAD_NS
      && (!timeline->mapped || sender_time > timeline->last_mapped)) {
    timeline->mapped = true;
    timeline->last_mapped = sender_time;
  }
  return true;
}
