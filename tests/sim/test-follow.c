/* Video whose encoder follows: what its few packets tell about the rate of the
 * path, where they are right and where they are not. Goals set beforehand, as
 * in test-targets.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What such a stream sends over a slow link is little, a frame is a few
 * packets, and by those alone is to be found that there is more again. When
 * the link falls and when it returns, within a group of frames, depends on the
 * seed. $P2P_SOAK runs many.
 */
#include "simtest.h"

#include <stdlib.h>

#define MBIT ((uint64_t)1000000)
#define VIDEO 1
#define BITRATE (4 * MBIT)
#define KEY_WEIGHT 5
/* With 10 s of it behind him, an encoder is at its maximum. */
#define FALL (10 * SIM_SECOND)
#define LOW_TIME (6 * SIM_SECOND)
#define BACK_TIME (8 * SIM_SECOND)
#define STEADY_TIME (30 * SIM_SECOND)
#define GROUP_TIME (2 * SIM_SECOND)
#define LATENCY (400 * SIM_MS)
#define IN_TIME (60 * SIM_MS)
#define SEEDS 4
#define SOAK_SEEDS 200

typedef struct
{
  SimLinkConfig link;
  UdtTime slack;      /* of timers */
  uint64_t low, high; /* bit/s: while it is down, and afterwards */
  UdtTime p99;        /* of frames, from a second after the fall on */
  double in_time;     /* share of the frames, a second after the return */
  uint64_t rate;      /* bit/s of video again, from two seconds on */
  uint64_t overflow;  /* packets; 0: no matter */
} Goal;

static Sim *
start (SimTest *test, const Goal *goal, UdtTime fall, UdtTime back, UdtTime end)
{
  SimSourceConfig source;
  SimConfig config;
  Sim *sim;

  sim_config_init (&config);
  sim_config_both (&config, &goal->link);
  for (int i = 0; i < 2; i++) {
    SimLinkConfig *link = &config.link[i];

    if (goal->low) {
      link->rate_steps[0] = (SimStep){ fall, goal->low };
      link->rate_steps[1] = (SimStep){ back, goal->high };
      link->n_rate_steps = 2;
    }
    config.udt[i].latency = LATENCY;
  }
  config.timer_slack = goal->slack;
  sim = sim_new (&config, test->seed);
  sim_connect (sim);
  sim_source_video (&source, VIDEO, BITRATE);
  source.follow = true;
  source.key_weight = KEY_WEIGHT;
  source.stop = end;
  sim_source_add (sim, 0, &source);
  return sim;
}

/* Of the frames submitted from `from` on: the share that came within 60 ms
 * above the one-way delay; on a link that is filled by them, above what it
 * would take if each left at once. */
static double
share_in_time (const Goal *goal, const SimFlow *video, UdtTime from)
{
  double all = 0, good = 0;
  UdtTime free_at = 0;

  for (size_t i = 0; i < video->n_messages; i++) {
    const SimMessage *m = &video->messages[i];
    UdtTime least = m->submitted;

    if (m->submitted < from)
      continue;
    if (goal->high < 5 * BITRATE) {
      free_at = free_at > m->submitted ? free_at : m->submitted;
      free_at += m->size * (UdtTime)8 * SIM_SECOND / goal->high;
      least = free_at;
    }
    all++;
    good += m->delivered && m->handed <= least + goal->link.delay + IN_TIME;
  }
  return all > 0 ? good / all : 0;
}

static int
by_size (const void *a, const void *b)
{
  UdtTime left = *(const UdtTime *)a, right = *(const UdtTime *)b;

  return left < right ? -1 : left > right;
}

/* Of the frames submitted between that came. */
static UdtTime
p99_between (const SimFlow *video, UdtTime from, UdtTime until)
{
  UdtTime *delays = calloc (video->n_messages + 1, sizeof *delays), p99;
  size_t n = 0;

  if (!delays)
    abort ();
  for (size_t i = 0; i < video->n_messages; i++) {
    const SimMessage *m = &video->messages[i];

    if (m->submitted >= from && m->submitted < until && m->delivered)
      delays[n++] = m->handed - m->submitted;
  }
  qsort (delays, n, sizeof *delays, by_size);
  p99 = n ? delays[n * 99 / 100] : UDT_NEVER;
  free (delays);
  return p99;
}

static uint64_t
rate_between (const SimFlow *video, UdtTime from, UdtTime until)
{
  uint64_t bytes = 0;

  for (size_t i = 0; i < video->n_messages; i++) {
    const SimMessage *m = &video->messages[i];

    if (m->submitted >= from && m->submitted < until)
      bytes += m->size;
  }
  return bytes * 8 * SIM_SECOND / (until - from);
}

/* ---- a link that falls and returns ---- */

static void
fall (SimTest *test, const Goal *goal)
{
  UdtTime fall = FALL + test->seed * 7919 * SIM_MS % GROUP_TIME;
  UdtTime back = fall + LOW_TIME + test->seed * 6421 * SIM_MS % GROUP_TIME;
  Sim *sim = start (test, goal, fall, back, back + BACK_TIME);
  double in_time;
  SimFlow *video;
  uint64_t rate;
  UdtTime p99;

  sim_run_until (sim, back + BACK_TIME + SIM_SECOND);
  if (!sim->failed) {
    video = sim_flow_find (&sim->peer[0], VIDEO);
    p99 = p99_between (video, fall + SIM_SECOND, back);
    in_time = share_in_time (goal, video, back + SIM_SECOND);
    rate = rate_between (video, back + 2 * SIM_SECOND,
                         back + 2 * SIM_SECOND + GROUP_TIME);
    sim_test_note (test,
                   "low: p99 %.1f ms; back: %.4f in time after a second, "
                   "%.2f Mbit/s after two",
                   (double)p99 / 1e3, in_time, (double)rate / 1e6);
    CHECK_MOST (test, p99, goal->p99);
    CHECK_LEAST (test, in_time, goal->in_time);
    CHECK_LEAST (test, rate, goal->rate);
  }
  sim_finish (sim);
  sim_test_end (test, sim);
}

static const SimLinkConfig path
    = { .rate = 20 * MBIT, .delay = 20 * SIM_MS, .queue_limit = 125000 };

/* Filled again as soon as it is back. */
static void
from_2_to_5 (SimTest *test)
{
  fall (test, &(Goal){ .link = path,
                       .low = 2 * MBIT,
                       .high = 5 * MBIT,
                       .p99 = 300 * SIM_MS,
                       .in_time = 0.98,
                       .rate = 3 * MBIT });
}

static void
from_2_to_10 (SimTest *test)
{
  fall (test, &(Goal){ .link = path,
                       .low = 2 * MBIT,
                       .high = 10 * MBIT,
                       .p99 = 300 * SIM_MS,
                       .in_time = 1,
                       .rate = 3.5 * MBIT });
}

static void
from_2_to_20 (SimTest *test)
{
  fall (test, &(Goal){ .link = path,
                       .low = 2 * MBIT,
                       .high = 20 * MBIT,
                       .p99 = 300 * SIM_MS,
                       .in_time = 1,
                       .rate = 3.5 * MBIT });
}

/* A frame is two packets, at times one. */
static void
from_1_to_20 (SimTest *test)
{
  fall (test, &(Goal){ .link = path,
                       .low = MBIT,
                       .high = 20 * MBIT,
                       .p99 = 400 * SIM_MS,
                       .in_time = 1,
                       .rate = 2 * MBIT });
}

/* A host whose timers are late, on a path that is never quite still. */
static void
from_busy (SimTest *test)
{
  Goal goal = { .link = path,
                .slack = 2 * SIM_MS,
                .low = 2 * MBIT,
                .high = 20 * MBIT,
                .p99 = 350 * SIM_MS,
                .in_time = 1,
                .rate = 3.5 * MBIT };

  goal.link.jitter = SIM_JITTER_UNIFORM;
  goal.link.jitter_amount = 2 * SIM_MS;
  fall (test, &goal);
}

/* Of its packets one of 250 takes some 30 ms longer, and those behind it. */
static void
from_wifi (SimTest *test)
{
  Goal goal = { .link = path,
                .low = 2 * MBIT,
                .high = 20 * MBIT,
                .p99 = 350 * SIM_MS,
                .in_time = 0.95,
                .rate = 3 * MBIT };

  goal.link.jitter = SIM_JITTER_WIFI;
  fall (test, &goal);
}

/* ---- where short trains say too much ---- */

/* Half a minute, from the tenth second on: frames come, in time, and the
 * encoder is asked for most of what there is. */
static void
steady (SimTest *test, const Goal *goal)
{
  UdtTime end = FALL + STEADY_TIME;
  Sim *sim = start (test, goal, 0, 0, end);
  SimFlow *video;
  SimReport r;
  uint64_t rate;
  UdtTime p99;

  sim_run_until (sim, end + SIM_SECOND);
  if (!sim->failed) {
    video = sim_flow_find (&sim->peer[0], VIDEO);
    sim_flow_report (video, LATENCY, &r);
    p99 = p99_between (video, FALL, end);
    rate = rate_between (video, FALL, end);
    sim_test_note (
        test,
        "%llu of %llu frames, p99 %.1f ms, %.2f Mbit/s, %llu packets "
        "overflowed",
        (unsigned long long)r.delivered, (unsigned long long)r.accepted,
        (double)p99 / 1e3, (double)rate / 1e6,
        (unsigned long long)sim_link_stats (sim->link[0])->overflowed);
    CHECK_LEAST (test, r.delivered, goal->in_time * (double)r.accepted);
    if (goal->overflow)
      CHECK_MOST (test, sim_link_stats (sim->link[0])->overflowed,
                  goal->overflow);
    CHECK_MOST (test, p99, goal->p99);
    CHECK_LEAST (test, rate, goal->rate);
  }
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* Two frames pass at ten times the rate of what follows, as where the access
 * network shapes with a bucket. */
static void
bucket (SimTest *test)
{
  steady (test, &(Goal){ .link = { .rate = 3 * MBIT,
                                   .delay = 20 * SIM_MS,
                                   .queue_limit = 125000,
                                   .bucket = 20000,
                                   .bucket_rate = 30 * MBIT },
                         .p99 = 350 * SIM_MS,
                         .in_time = 0.98,
                         .rate = 1.8 * MBIT });
}

/* What throws away instead of making wait. */
static void
policer (SimTest *test)
{
  steady (test, &(Goal){ .link = { .rate = 3 * MBIT,
                                   .delay = 20 * SIM_MS,
                                   .queue_limit = 6000,
                                   .bucket = 40000,
                                   .bucket_rate = 30 * MBIT },
                         .p99 = 450 * SIM_MS,
                         .overflow = 4000,
                         .in_time = 0.8,
                         .rate = 1.5 * MBIT });
}

/* Everything arrives in clumps, as a radio or an idle network card has it. */
static void
clumps (SimTest *test)
{
  steady (test, &(Goal){ .link = { .rate = 5 * MBIT,
                                   .delay = 20 * SIM_MS,
                                   .queue_limit = 125000,
                                   .clump = 5 * SIM_MS },
                         .p99 = 250 * SIM_MS,
                         .in_time = 0.99,
                         .rate = 2.5 * MBIT });
}

/* Somebody else comes and goes, and takes three fifths of the link. */
static void
others (SimTest *test)
{
  steady (test, &(Goal){ .link = { .rate = 5 * MBIT,
                                   .delay = 20 * SIM_MS,
                                   .queue_limit = 125000,
                                   .cross_rate = 3 * MBIT,
                                   .cross_on = 2 * SIM_SECOND,
                                   .cross_off = 2 * SIM_SECOND },
                         .p99 = 450 * SIM_MS,
                         .in_time = 0.92,
                         .rate = 1.5 * MBIT });
}

/* ---- */

static const SimCase cases[] = {
  { "from-2-to-5", from_2_to_5, SEEDS, SOAK_SEEDS },
  { "from-2-to-10", from_2_to_10, SEEDS, SOAK_SEEDS },
  { "from-2-to-20", from_2_to_20, SEEDS, SOAK_SEEDS },
  { "from-1-to-20", from_1_to_20, SEEDS, SOAK_SEEDS },
  { "from-busy", from_busy, SEEDS, SOAK_SEEDS },
  { "from-wifi", from_wifi, SEEDS, SOAK_SEEDS },
  { "bucket", bucket, SEEDS, SOAK_SEEDS },
  { "policer", policer, SEEDS, SOAK_SEEDS },
  { "clumps", clumps, SEEDS, SOAK_SEEDS },
  { "others", others, SEEDS, SOAK_SEEDS },
  { NULL },
};

int
main (int argc, char **argv)
{
  const SimCase *const tables[] = { cases, NULL };

  return sim_test_main (argc, argv, tables);
}
