/* Which bit rate a stream gets that several viewers share, and how it gets
 * there, in virtual time.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "check.h"

#include "ivbitrate.h"

#define KBIT 1000u
#define MBIT 1000000u
#define TICK 100000u /* us */
#define MAX_VIEWERS 16

typedef struct
{
  BitratePolicy policy;
  BitrateViewer viewers[MAX_VIEWERS];
  size_t n;
  uint64_t now;
  unsigned changes;
} Bench;

/* Paths in Kbit/s, ended by 0. */
static void
watch (Bench *b, const unsigned *kbits)
{
  for (b->n = 0; kbits[b->n] != 0; b->n++)
    b->viewers[b->n].bitrate = (uint64_t)kbits[b->n] * KBIT;
}

#define WATCH(b, ...) watch (b, (const unsigned[]){ __VA_ARGS__, 0 })

static Bench
bench (uint64_t min, uint64_t max, uint64_t start)
{
  Bench b = { .now = 7 * TICK };

  bitrate_policy_init (&b.policy);
  b.policy.min = min;
  b.policy.max = max;
  b.policy.start = start;
  b.changes = bitrate_policy_limit (&b.policy);
  return b;
}

/* The policy keeps its own laws at every step. */
static void
run (Bench *b, unsigned ticks)
{
  while (ticks-- > 0) {
    uint64_t before = b->policy.current, after;
    bool changed;

    b->now += TICK;
    changed = bitrate_policy_update (&b->policy, b->viewers, b->n, b->now);
    after = b->policy.current;
    CHECK_EQ (changed, before != after);
    b->changes += changed;
    CHECK (b->policy.max == 0 || after <= b->policy.max);
    if (b->n > 0 && before != 0 && after > before)
      CHECK (after <= before + before / 5);
  }
}

static uint64_t
settled (Bench *b)
{
  run (b, 300);
  return b->policy.current;
}

/* -- One viewer ------------------------------------------------------------ */

static void
begins_at_the_maximum (void)
{
  Bench b = bench (128 * KBIT, 2 * MBIT, 0);

  CHECK_EQ (b.policy.current, 2 * MBIT);
  WATCH (&b, 50000);
  b.changes = 0;
  CHECK_EQ (settled (&b), 2 * MBIT);
  CHECK_EQ (b.changes, 0);
}

static void
begins_at_the_start (void)
{
  Bench b = bench (128 * KBIT, 2 * MBIT, 500 * KBIT);

  CHECK_EQ (b.policy.current, 500 * KBIT);
  WATCH (&b, 50000);
  run (&b, 1);
  CHECK_EQ (b.policy.current, 500 * KBIT);
  CHECK_EQ (settled (&b), 2 * MBIT);
}

static void
start_within_the_maximum (void)
{
  Bench b = bench (128 * KBIT, 2 * MBIT, 5 * MBIT);

  CHECK_EQ (b.policy.current, 2 * MBIT);
}

static void
without_a_maximum (void)
{
  Bench b = bench (128 * KBIT, 0, 0);

  CHECK_EQ (b.policy.current, 0);
  WATCH (&b, 5100);
  run (&b, 1);
  CHECK_EQ (b.policy.current, 5100 * KBIT);
}

static void
falls_at_once (void)
{
  Bench b = bench (128 * KBIT, 4 * MBIT, 0);

  WATCH (&b, 17000);
  run (&b, 20);
  WATCH (&b, 1700);
  run (&b, 1);
  CHECK_EQ (b.policy.current, 1700 * KBIT);
}

static void
rises_in_steps (void)
{
  Bench b = bench (128 * KBIT, 4 * MBIT, 0);
  unsigned ticks = 0;

  WATCH (&b, 1700);
  run (&b, 10);
  WATCH (&b, 17000);
  b.changes = 0;
  for (ticks = 0; b.policy.current < 4 * MBIT && ticks < 1000; ticks++)
    run (&b, 1);
  /* Five steps of a fifth, a quarter of a second apart: three ticks. */
  CHECK_EQ (b.changes, 5);
  CHECK_RANGE (ticks, 13, 16);
}

static void
waits_after_a_fall (void)
{
  Bench b = bench (128 * KBIT, 4 * MBIT, 0);

  WATCH (&b, 1000);
  run (&b, 1);
  WATCH (&b, 9000);
  run (&b, 9);
  CHECK_EQ (b.policy.current, 1 * MBIT);
  run (&b, 1);
  CHECK_EQ (b.policy.current, 1200 * KBIT);
}

/* A peak is not what was there all the time. */
static void
peaks_do_not_count (void)
{
  Bench b = bench (128 * KBIT, 4 * MBIT, 0);
  unsigned i;

  WATCH (&b, 1000);
  run (&b, 20);
  for (i = 0; i < 40; i++) {
    WATCH (&b, 3900);
    run (&b, 2);
    WATCH (&b, 1010);
    run (&b, 1);
  }
  CHECK_EQ (b.policy.current, 1 * MBIT);
}

static void
small_changes_are_not_made (void)
{
  Bench b = bench (128 * KBIT, 4 * MBIT, 0);

  WATCH (&b, 1000);
  run (&b, 20);
  b.changes = 0;
  WATCH (&b, 960);
  run (&b, 50);
  WATCH (&b, 1040);
  run (&b, 50);
  CHECK_EQ (b.changes, 0);
}

static void
never_below_the_minimum (void)
{
  Bench b = bench (300 * KBIT, 4 * MBIT, 0);

  WATCH (&b, 40);
  run (&b, 1);
  CHECK_EQ (b.policy.current, 300 * KBIT);
  CHECK (b.viewers[0].left_out);
}

static void
nobody_watches (void)
{
  Bench b = bench (128 * KBIT, 4 * MBIT, 3 * MBIT);

  WATCH (&b, 400);
  run (&b, 20);
  CHECK_EQ (b.policy.current, 400 * KBIT);
  b.n = 0;
  run (&b, 1);
  CHECK_EQ (b.policy.current, 3 * MBIT);
}

static void
limits_may_change (void)
{
  Bench b = bench (128 * KBIT, 4 * MBIT, 0);

  WATCH (&b, 9000);
  run (&b, 20);
  b.policy.max = 1 * MBIT;
  CHECK (bitrate_policy_limit (&b.policy));
  CHECK_EQ (b.policy.current, 1 * MBIT);
  CHECK (!bitrate_policy_limit (&b.policy));
  b.policy.max = 2 * MBIT;
  CHECK (!bitrate_policy_limit (&b.policy));
  CHECK_EQ (settled (&b), 2 * MBIT);
  b.policy.min = b.policy.max = 3 * MBIT;
  CHECK (bitrate_policy_limit (&b.policy));
  CHECK_EQ (b.policy.current, 3 * MBIT);
}

/* -- Several --------------------------------------------------------------- */

static void
the_lowest_counts (void)
{
  Bench b = bench (128 * KBIT, 4 * MBIT, 0);

  WATCH (&b, 30000, 1500, 9000);
  CHECK_EQ (settled (&b), 1500 * KBIT);
}

/* One at home and one on a bad phone: both are served. */
static void
two_meet (void)
{
  Bench b = bench (128 * KBIT, 4 * MBIT, 0);

  WATCH (&b, 90000, 600);
  CHECK_EQ (settled (&b), 600 * KBIT);
}

static void
below_the_minimum_does_not_count (void)
{
  Bench b = bench (128 * KBIT, 800 * KBIT, 0);

  WATCH (&b, 90000, 110);
  CHECK_EQ (settled (&b), 800 * KBIT);
  CHECK (b.viewers[1].left_out && !b.viewers[0].left_out);
}

static void
an_eighth_is_the_least (void)
{
  Bench b = bench (128 * KBIT, 4 * MBIT, 0);

  WATCH (&b, 90000, 490);
  CHECK_EQ (settled (&b), 4 * MBIT);
  CHECK (b.viewers[1].left_out);
}

/* One of five takes no more than half, two of five do. */
static void
few_take_less (void)
{
  Bench b = bench (128 * KBIT, 4 * MBIT, 0);

  WATCH (&b, 9000, 9000, 9000, 2100, 9000);
  CHECK_EQ (settled (&b), 2100 * KBIT);
  WATCH (&b, 9000, 9000, 9000, 1000, 9000);
  CHECK_EQ (settled (&b), 4 * MBIT);
  WATCH (&b, 9000, 9000, 1000, 1000, 9000);
  CHECK_EQ (settled (&b), 1 * MBIT);
}

/* Most are bad: the picture is theirs, and the good ones see it, too. */
static void
the_many_decide (void)
{
  Bench b = bench (128 * KBIT, 4 * MBIT, 0);

  WATCH (&b, 300, 300, 300, 90000);
  CHECK_EQ (settled (&b), 300 * KBIT);
}

static void
comes_back_when_clearly_better (void)
{
  Bench b = bench (128 * KBIT, 4 * MBIT, 0);

  WATCH (&b, 9000, 9000, 9000, 9000, 1900);
  CHECK_EQ (settled (&b), 4 * MBIT);
  /* To and fro at the limit: the others notice nothing. */
  b.changes = 0;
  b.viewers[4].bitrate = 2400 * KBIT;
  run (&b, 20);
  b.viewers[4].bitrate = 1900 * KBIT;
  run (&b, 20);
  CHECK_EQ (b.changes, 0);
  b.viewers[4].bitrate = 2600 * KBIT;
  run (&b, 1);
  CHECK_EQ (b.policy.current, 2600 * KBIT);
}

/* Whatever the paths do: less than a quarter of the viewers never cost the
 * others more than half, less than a half of them never more than seven
 * eighths.
 */
static void
random_paths (void)
{
  uint64_t random = 12345;
  unsigned round, all_good = 0, few_bad = 0, many_bad = 0;

  for (round = 0; round < 5000; round++) {
    Bench b = bench (100 * KBIT, 4 * MBIT, 0);
    size_t who, bad = 0;

    b.n = 1 + round % MAX_VIEWERS;
    for (who = 0; who < b.n; who++) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      b.viewers[who].bitrate
          = (random >> 60) < 3 ? (random >> 33) % (4 * MBIT) : 20 * MBIT;
      bad += b.viewers[who].bitrate < 4 * MBIT;
    }
    run (&b, 1);
    CHECK (b.policy.current >= 100 * KBIT);
    if (bad == 0)
      CHECK_EQ (b.policy.current, 4 * MBIT);
    else if (4 * bad < b.n)
      CHECK (b.policy.current >= 2 * MBIT);
    else if (2 * bad < b.n)
      CHECK (b.policy.current >= 500 * KBIT);
    all_good += bad == 0;
    few_bad += bad > 0 && 4 * bad < b.n;
    many_bad += 4 * bad >= b.n;
  }
  /* It has seen each of them. */
  CHECK (all_good > 100 && few_bad > 100 && many_bad > 100);
}

/* The median, against a naive one: with a viewer that gets next to nothing the
 * rest is what it was. Many equal ones, too. */
static void
random_medians (void)
{
  uint64_t random = 99;
  unsigned round;

  for (round = 0; round < 3000; round++) {
    Bench b = bench (1, 0, 0);
    uint64_t sorted[MAX_VIEWERS], median, limit, expected = UINT64_MAX;
    size_t i, k, below = 0;

    b.n = 1 + round % MAX_VIEWERS;
    for (i = 0; i < b.n; i++) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      b.viewers[i].bitrate = 1000 + (random >> 40) % (round % 3 ? 5 : 100000);
      for (k = i; k > 0 && sorted[k - 1] > b.viewers[i].bitrate; k--)
        sorted[k] = sorted[k - 1];
      sorted[k] = b.viewers[i].bitrate;
    }
    median = sorted[b.n / 2];
    for (i = 0; i < b.n; i++)
      below += sorted[i] < median / 2;
    limit = 4 * below < b.n ? median / 2 : median / 8;
    for (i = b.n; i-- > 0;)
      if (sorted[i] >= limit)
        expected = sorted[i];
    run (&b, 1);
    CHECK_EQ (b.policy.current, expected);
  }
}

static const CheckCase cases[] = {
  { "begins-at-the-maximum", begins_at_the_maximum },
  { "begins-at-the-start", begins_at_the_start },
  { "start-within-the-maximum", start_within_the_maximum },
  { "without-a-maximum", without_a_maximum },
  { "falls-at-once", falls_at_once },
  { "rises-in-steps", rises_in_steps },
  { "waits-after-a-fall", waits_after_a_fall },
  { "peaks-do-not-count", peaks_do_not_count },
  { "small-changes-are-not-made", small_changes_are_not_made },
  { "never-below-the-minimum", never_below_the_minimum },
  { "nobody-watches", nobody_watches },
  { "limits-may-change", limits_may_change },
  { "the-lowest-counts", the_lowest_counts },
  { "two-meet", two_meet },
  { "below-the-minimum-does-not-count", below_the_minimum_does_not_count },
  { "an-eighth-is-the-least", an_eighth_is_the_least },
  { "few-take-less", few_take_less },
  { "the-many-decide", the_many_decide },
  { "comes-back-when-clearly-better", comes_back_when_clearly_better },
  { "random-paths", random_paths },
  { "random-medians", random_medians },
};

CHECK_MAIN (cases)
