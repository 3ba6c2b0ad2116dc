/* The timeline between two clocks, over simulated paths in virtual time.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A camera sends 25 video frames and 47 audio frames a second; its clock
 * differs from the viewer's. A path adds its least delay, jitter, loss,
 * freezes. Each frame that arrives is given to the timeline and mapped. What it
 * should have been mapped to is known exactly: its time on the viewer's clock
 * plus the path's least delay.
 */
#include <stdlib.h>

#include "check.h"
#include "p2ptimeline.h"

#define MS INT64_C (1000000)
#define SECOND (1000 * MS)
#define VIDEO_NS (40 * MS)
#define AUDIO_NS 21333333
#define MAX_FRAMES 300000

typedef struct
{
  int64_t dts;     /* sender */
  int64_t sent;    /* sender */
  int64_t arrived; /* receiver */
  int64_t ideal;   /* receiver, of dts */
  int64_t mapped;  /* receiver, of dts */
  bool audio;
} Frame;

typedef struct
{
  double ppm;        /* positive: the sender's clock is slow */
  int64_t offset;    /* between the clocks */
  int64_t path;      /* least delay */
  int64_t step;      /* added from step_from to step_to */
  int64_t step_from; /* all of these: true time, that is the receiver's */
  int64_t step_to;
  bool queue;     /* the step is a queue, not another route */
  int64_t jitter; /* mean of an exponential distribution */
  double loss;
  int64_t first_late; /* the first frame, then less and less over 1 s */
  int64_t freeze_every;
  int64_t freeze;
  int64_t seconds;
  uint64_t seed;
} World;

typedef struct
{
  Frame *frame; /* in order of arrival */
  size_t frames;
  double drift;
  P2pTimeline *timeline;
} Run;

static uint64_t
next_random (uint64_t *state)
{
  uint64_t z = (*state += UINT64_C (0x9e3779b97f4a7c15));

  z = (z ^ z >> 30) * UINT64_C (0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C (0x94d049bb133111eb);
  return z ^ z >> 31;
}

static double
uniform (uint64_t *state)
{
  return ((double)(next_random (state) >> 11) + 0.5) / 9007199254740992.0;
}

/* -log of a uniform number: exponential, mean 1. By halving, without libm. */
static double
exponential (uint64_t *state)
{
  double x = uniform (state), y, term, sum = 0;
  int halves = 0;

  while (x < 0.5) {
    x *= 2;
    halves++;
  }
  y = 1 - x;
  term = y;
  for (int i = 1; i < 60; i++, term *= y)
    sum += term / i;
  return sum + halves * 0.69314718055994531;
}

static int
by_arrival (const void *a, const void *b)
{
  const Frame *x = a, *y = b;

  if (x->arrived != y->arrived)
    return x->arrived < y->arrived ? -1 : 1;
  return x->dts < y->dts ? -1 : x->dts > y->dts;
}

static int64_t
step_at (const World *world, int64_t when)
{
  return when >= world->step_from && when < world->step_to ? world->step : 0;
}

static int64_t
path_delay (const World *world, int64_t when, uint64_t *random)
{
  int64_t delay = world->path + step_at (world, when);
  int64_t into
      = world->freeze_every > 0 ? when % world->freeze_every : INT64_MAX;

  delay += (int64_t)((double)world->jitter * exponential (random));
  if (when < SECOND)
    delay += world->first_late * (SECOND - when) / SECOND;
  if (when >= world->freeze_every && into < world->freeze
      && delay < world->freeze - into)
    delay = world->freeze - into + world->path;
  return delay;
}

static void
make_frames (const World *world, Run *run, bool audio, uint64_t *random)
{
  int64_t interval = audio ? AUDIO_NS : VIDEO_NS;

  for (int64_t dts = 0; dts < world->seconds * SECOND; dts += interval) {
    /* An encoder takes some time, which differs. */
    int64_t sent = dts + (audio ? MS : 15 * MS) + next_random (random) % MS;
    double rate = 1 + world->ppm * 1e-6;
    int64_t when = (int64_t)((double)sent * rate);
    Frame frame = { dts, sent, 0, 0, 0, audio };

    if (uniform (random) < world->loss)
      continue;
    frame.arrived = when + path_delay (world, when, random) + world->offset;
    frame.ideal = (int64_t)((double)dts * rate) + world->offset + world->path
                  + (world->queue ? 0 : step_at (world, when));
    if (CHECK (run->frames < MAX_FRAMES))
      run->frame[run->frames++] = frame;
  }
}

static Run
run_world (const World *world)
{
  Run run = { malloc (MAX_FRAMES * sizeof (Frame)), 0, 0, NULL };
  uint64_t random = world->seed;

  run.timeline = p2p_timeline_new ();
  make_frames (world, &run, false, &random);
  make_frames (world, &run, true, &random);
  qsort (run.frame, run.frames, sizeof (Frame), by_arrival);
  for (size_t i = 0; i < run.frames; i++) {
    Frame *frame = &run.frame[i];

    p2p_timeline_sample (run.timeline, frame->sent, frame->arrived);
    CHECK (p2p_timeline_map (run.timeline, frame->dts, &frame->mapped));
  }
  run.drift = p2p_timeline_get_drift_ppm (run.timeline);
  return run;
}

static void
run_clear (Run *run)
{
  free (run->frame);
  p2p_timeline_free (run->timeline);
}

static void
check_error (const Run *run, int64_t from, int64_t to, double least_ms,
             double most_ms)
{
  double least = 1e9, most = -1e9;

  for (size_t i = 0; i < run->frames; i++) {
    const Frame *frame = &run->frame[i];
    double error = (double)(frame->mapped - frame->ideal) / MS;

    if (frame->dts < from || frame->dts >= to)
      continue;
    least = error < least ? error : least;
    most = error > most ? error : most;
  }
  printf ("# from %d s to %d s: %.2f to %.2f ms\n", (int)(from / SECOND),
          (int)(to / SECOND), least, most);
  CHECK_RANGE (least, least_ms, most_ms);
  CHECK_RANGE (most, least_ms, most_ms);
}

/* Whatever the path does: order is kept within a stream, and a time once mapped
 * is always mapped the same, whichever stream asks; so what was together stays
 * together. */
static void
check_order (Run *run)
{
  Frame *last[2] = { NULL, NULL };

  for (size_t i = 0; i < run->frames; i++) {
    Frame *frame = &run->frame[i], *before = last[frame->audio];

    if (before != NULL && frame->dts > before->dts)
      CHECK (frame->mapped > before->mapped);
    if (before != NULL && frame->dts < before->dts)
      CHECK (frame->mapped < before->mapped);
    last[frame->audio] = frame;
  }
}

/* Differences survive to the nanosecond but for `steps` corrections, each of
 * `most` or less. */
static void
check_differences (const Run *run, int64_t from, unsigned steps, int64_t most)
{
  int64_t shift = 0, end = INT64_MIN;
  unsigned changes = 0;
  const Frame *last = NULL;

  for (size_t i = 0; i < run->frames; i++) {
    const Frame *frame = &run->frame[i];

    if (frame->audio || frame->dts < from || frame->dts < end)
      continue;
    if (last != NULL && frame->mapped - frame->dts != shift) {
      int64_t change = frame->mapped - frame->dts - shift;

      changes++;
      CHECK_RANGE (change, -most, most);
    }
    shift = frame->mapped - frame->dts;
    end = frame->dts;
    last = frame;
  }
  printf ("# %u corrections seen by the video\n", changes);
  CHECK (changes <= steps);
}

/* -- Cases ----------------------------------------------------------------- */

/* 3600 s at 200 ppm are 720 ms: 360 steps; some more while it settles. */
static void
test_hour (double ppm)
{
  World world = { .ppm = ppm,
                  .offset = -987654 * MS,
                  .path = 25 * MS,
                  .jitter = 4 * MS,
                  .loss = 0.02,
                  .seconds = 3600,
                  .seed = 1 };
  Run run = run_world (&world);

  check_order (&run);
  check_error (&run, 0, 5 * SECOND, -3, 12);
  check_error (&run, 5 * SECOND, 3600 * SECOND, -5, 5);
  check_differences (&run, 5 * SECOND, 400, 2 * MS);
  CHECK_RANGE (run.drift, ppm - 5, ppm + 5);
  run_clear (&run);
}

static void
test_hour_slow (void)
{
  test_hour (200);
}

static void
test_hour_fast (void)
{
  test_hour (-200);
}

static void
test_equal_clocks (void)
{
  World world = { .offset = 5 * SECOND, .path = 10 * MS, .seconds = 600 };
  Run run = run_world (&world);

  check_order (&run);
  check_error (&run, 0, 600 * SECOND, -0.1, 2.1);
  check_differences (&run, SECOND, 0, 0);
  CHECK_RANGE (run.drift, -0.5, 0.5);
  run_clear (&run);
}

static void
test_jitter (void)
{
  for (uint64_t seed = 1; seed <= 20; seed++) {
    World world = { .ppm = seed % 2 ? 150 : -150,
                    .path = 60 * MS,
                    .jitter = 20 * MS,
                    .loss = 0.05,
                    .seconds = 180,
                    .seed = seed };
    Run run = run_world (&world);

    check_order (&run);
    check_error (&run, 10 * SECOND, 180 * SECOND, -5, 6);
    check_differences (&run, 10 * SECOND, 170, 2 * MS);
    run_clear (&run);
  }
}

/* The first keyframe waits 800 ms in a queue that then drains within 1 s. At
 * half speed the mapping has caught up 1.6 s after the first low point. */
static void
test_late_first_frame (void)
{
  World world = { .ppm = 100,
                  .path = 25 * MS,
                  .jitter = 2 * MS,
                  .first_late = 800 * MS,
                  .seconds = 60,
                  .seed = 3 };
  Run run = run_world (&world);

  check_order (&run);
  check_error (&run, 0, 2500 * MS, -3, 850);
  check_error (&run, 2500 * MS, 60 * SECOND, -5, 5);
  run_clear (&run);
}

/* The route becomes 80 ms longer, and two minutes later short again. */
static void
test_route_change (void)
{
  for (int sign = -1; sign <= 1; sign++) {
    World world = { .ppm = 200 * sign,
                    .path = 25 * MS,
                    .step = 80 * MS,
                    .step_from = 120 * SECOND,
                    .step_to = 240 * SECOND,
                    .jitter = 3 * MS,
                    .seconds = 400,
                    .seed = 4 };
    Run run = run_world (&world);

    check_order (&run);
    check_error (&run, 10 * SECOND, 119 * SECOND, -5, 5);
    /* Believed after 10 s, and then followed. */
    check_error (&run, 121 * SECOND, 160 * SECOND, -88, 6);
    check_error (&run, 160 * SECOND, 239 * SECOND, -5, 6);
    check_error (&run, 241 * SECOND, 270 * SECOND, -6, 86);
    check_error (&run, 270 * SECOND, 400 * SECOND, -6, 6);
    CHECK_RANGE (run.drift, 200 * sign - 40, 200 * sign + 40);
    run_clear (&run);
  }
}

/* Every half minute nothing arrives for 4 s, then all of it at once. Nothing is
 * to be learned from that. */
static void
test_freezes (void)
{
  World world = { .ppm = -50,
                  .path = 40 * MS,
                  .jitter = 2 * MS,
                  .freeze_every = 30 * SECOND,
                  .freeze = 4 * SECOND,
                  .seconds = 300,
                  .seed = 5 };
  Run run = run_world (&world);

  check_order (&run);
  check_error (&run, 2 * SECOND, 300 * SECOND, -5, 5);
  check_differences (&run, 2 * SECOND, 40, 2 * MS);
  run_clear (&run);
}

/* For 8 s everything waits 250 ms in a queue. It is no reason to show what
 * comes later later. */
static void
test_queue (void)
{
  for (int sign = -1; sign <= 1; sign++) {
    World world = { .ppm = 100 * sign,
                    .path = 40 * MS,
                    .step = 250 * MS,
                    .step_from = 60 * SECOND,
                    .step_to = 68 * SECOND,
                    .queue = true,
                    .jitter = 2 * MS,
                    .seconds = 120,
                    .seed = 6 };
    Run run = run_world (&world);

    check_order (&run);
    check_error (&run, 2 * SECOND, 120 * SECOND, -5, 5);
    check_differences (&run, 2 * SECOND, 10, 2 * MS);
    run_clear (&run);
  }
}

/* The receiver was suspended for 3 s: a jump that is none of the path's. */
static void
test_jump (void)
{
  P2pTimeline *timeline = p2p_timeline_new ();
  int64_t last = INT64_MIN, local;

  for (int64_t t = 0; t < 60 * SECOND; t += VIDEO_NS) {
    int64_t jump = t >= 30 * SECOND ? -3 * SECOND : 0;

    p2p_timeline_sample (timeline, t, t + 10 * MS + jump);
    CHECK (p2p_timeline_map (timeline, t, &local));
    CHECK (local > last);
    last = local;
    if (t >= 37 * SECOND)
      CHECK_RANGE (local - (t + 10 * MS + jump), -2 * MS, 2 * MS);
  }
  p2p_timeline_free (timeline);
}

/* Streams that lie seconds apart, asked in any order, get the same answers. */
static void
test_streams_agree (void)
{
  enum { TIMES = 4000, APART = 200 };
  static int64_t answer[TIMES];
  P2pTimeline *timeline = p2p_timeline_new ();
  int64_t local;

  for (int i = 0; i < TIMES; i++) {
    int64_t sent = i * 20 * MS;
    /* 500 ppm: a correction every 4 s. */
    int64_t arrived = sent + 300 * MS + i * 10000;

    p2p_timeline_sample (timeline, sent, arrived);
    CHECK (p2p_timeline_map (timeline, sent, &answer[i]));
    if (i >= APART) {
      CHECK (p2p_timeline_map (timeline, sent - APART * 20 * MS, &local));
      CHECK_EQ (local, answer[i - APART]);
    }
  }
  CHECK (answer[TIMES - 1] - answer[0] > (TIMES - 1) * 20 * MS + 30 * MS);
  p2p_timeline_free (timeline);
}

/* What is mapped before the first frame leaves the pipeline may still move. */
static void
test_before_first_map (void)
{
  P2pTimeline *timeline = p2p_timeline_new ();
  int64_t local = 77;

  CHECK (!p2p_timeline_map (timeline, 0, &local));
  CHECK_EQ (local, 77);
  p2p_timeline_sample (timeline, 0, 900 * MS);
  p2p_timeline_sample (timeline, 10 * MS, 60 * MS);
  CHECK (p2p_timeline_map (timeline, 0, &local));
  CHECK_EQ (local, 50 * MS);
  p2p_timeline_reset (timeline);
  CHECK (!p2p_timeline_map (timeline, 0, &local));
  p2p_timeline_sample (timeline, 5 * SECOND, SECOND);
  CHECK (p2p_timeline_map (timeline, 5 * SECOND, &local));
  CHECK_EQ (local, SECOND);
  CHECK (p2p_timeline_get_drift_ppm (timeline) == 0);
  p2p_timeline_free (timeline);
}

/* A peer can send any number as a time. */
static void
test_nonsense (void)
{
  static const int64_t times[] = {
    INT64_MIN, INT64_MIN + 1, -(INT64_C (1) << 60), -SECOND,       -1,       0,
    1,         SECOND,        INT64_C (1) << 60,    INT64_MAX - 1, INT64_MAX
  };
  enum { TIMES = sizeof times / sizeof times[0] };
  uint64_t random = 9;
  int64_t local;

  for (int round = 0; round < 2000; round++) {
    P2pTimeline *timeline = p2p_timeline_new ();

    for (int i = 0; i < 60; i++) {
      p2p_timeline_sample (timeline, times[next_random (&random) % TIMES],
                           times[next_random (&random) % TIMES]);
      p2p_timeline_map (timeline, times[next_random (&random) % TIMES], &local);
    }
    p2p_timeline_free (timeline);
  }
}

/* One data stream with times of next week must not hold up the others. */
static void
test_far_ahead (void)
{
  P2pTimeline *timeline = p2p_timeline_new ();
  int64_t local = 0;

  for (int64_t t = 0; t < 60 * SECOND; t += VIDEO_NS) {
    p2p_timeline_sample (timeline, t, t + 10 * MS - t / 5000);
    p2p_timeline_map (timeline, t + 604800 * SECOND, &local);
    p2p_timeline_map (timeline, t, &local);
  }
  CHECK_RANGE (local - (60 * SECOND - VIDEO_NS), -4 * MS, 2 * MS);
  p2p_timeline_free (timeline);
}

static const CheckCase cases[] = {
  { "an hour, sender 200 ppm slow", test_hour_slow },
  { "an hour, sender 200 ppm fast", test_hour_fast },
  { "equal clocks: not one correction", test_equal_clocks },
  { "heavy jitter and loss", test_jitter },
  { "late first frame", test_late_first_frame },
  { "route change and back", test_route_change },
  { "freezes", test_freezes },
  { "queue", test_queue },
  { "receiver suspended", test_jump },
  { "streams agree", test_streams_agree },
  { "before the first frame is mapped", test_before_first_map },
  { "nonsense", test_nonsense },
  { "one stream far ahead", test_far_ahead },
};

CHECK_MAIN (cases)
