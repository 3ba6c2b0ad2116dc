/* Beside others: a CUBIC flow, and sessions like itself.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "simshare.h"
#include "simtest.h"

#include <stdio.h>

#define MBIT ((uint64_t)1000000)
#define WARM_UP (15 * SIM_SECOND)
#define MEASURED (45 * SIM_SECOND)

typedef struct
{
  uint64_t rate;
  UdtTime delay;
  UdtTime queue; /* as the time that it takes to empty */
} Path;

static const Path paths[] = {
  { 10 * MBIT, 10 * SIM_MS, 50 * SIM_MS },
  { 10 * MBIT, 20 * SIM_MS, 100 * SIM_MS },
  { 20 * MBIT, 20 * SIM_MS, 40 * SIM_MS },
  { 20 * MBIT, 40 * SIM_MS, 100 * SIM_MS },
  { 50 * MBIT, 15 * SIM_MS, 60 * SIM_MS },
};

#define N_PATHS (sizeof paths / sizeof *paths)

static SimShare *
make (const Path *path)
{
  return sim_share_new (path->rate, path->delay,
                        path->rate / 8 * path->queue / SIM_SECOND);
}

static const char *
name_of (const Path *path, char *name, size_t size)
{
  snprintf (name, size, "%u Mbit/s, %u ms RTT, %u ms queue",
            (unsigned)(path->rate / MBIT), (unsigned)(2 * path->delay / SIM_MS),
            (unsigned)(path->queue / SIM_MS));
  return name;
}

/* Of what both got, what was the session's. */
static void
beside_cubic (SimTest *test, bool first)
{
  char name[64];

  for (size_t i = 0; i < sim_test_fewer (N_PATHS); i++) {
    SimShare *share = make (&paths[i]);
    unsigned us
        = sim_share_add_session (share, NULL, first ? 1 : 5 * SIM_SECOND);
    unsigned cubic = sim_share_add_cubic (share, first ? 5 * SIM_SECOND : 1);
    double ours, theirs, part;

    sim_share_run_until (share, WARM_UP);
    ours = (double)sim_share_passed (share, us);
    theirs = (double)sim_share_passed (share, cubic);
    sim_share_run_until (share, WARM_UP + MEASURED);
    ours = (double)sim_share_passed (share, us) - ours;
    theirs = (double)sim_share_passed (share, cubic) - theirs;
    part = ours / (ours + theirs);
    sim_test_note (test, "%s: %.3f, together %.3f of the link",
                   name_of (&paths[i], name, sizeof name), part,
                   (ours + theirs) * 8e6 / (double)(paths[i].rate * MEASURED));
    CHECK_LEAST (test, part, 0.25);
    CHECK_MOST (test, part, 0.75);
    CHECK_LEAST (test, (ours + theirs) * 8e6,
                 0.9 * (double)(paths[i].rate * MEASURED));
    sim_share_free (share);
  }
}

static void
before_cubic (SimTest *test)
{
  beside_cubic (test, true);
}

static void
after_cubic (SimTest *test)
{
  beside_cubic (test, false);
}

/* `n` that come `apart` after each other. What is measured begins WARM_UP after
 * the first, or after the last where they come late. */
static void
like_itself (SimTest *test, unsigned n, UdtTime apart, UdtTime measured,
             double jain)
{
  const UdtTime begin
      = WARM_UP + (apart > 3 * SIM_SECOND ? (n - 1) * apart : 0);
  char name[64];

  for (size_t i = 0; i < sim_test_fewer (N_PATHS); i++) {
    SimShare *share = make (&paths[i]);
    double sum = 0, squares = 0, got[8];
    UdtTime longest, mean;

    for (unsigned j = 0; j < n; j++)
      sim_share_add_session (share, NULL, 1 + j * apart);
    sim_share_run_until (share, begin);
    sim_share_longest_wait (share, NULL);
    for (unsigned j = 0; j < n; j++)
      got[j] = (double)sim_share_passed (share, j);
    sim_share_run_until (share, begin + measured);
    for (unsigned j = 0; j < n; j++) {
      got[j] = (double)sim_share_passed (share, j) - got[j];
      sum += got[j];
      squares += got[j] * got[j];
    }
    longest = sim_share_longest_wait (share, &mean);
    sim_test_note (test,
                   "%s: Jain %.3f, together %.3f of the link, queue mean %.1f "
                   "longest %.1f ms",
                   name_of (&paths[i], name, sizeof name),
                   sum * sum / (n * squares),
                   sum * 8e6 / (double)(paths[i].rate * measured),
                   (double)mean / 1e3, (double)longest / 1e3);
    CHECK_LEAST (test, sum * sum / (n * squares), jain);
    CHECK_LEAST (test, sum * 8e6, 0.9 * (double)(paths[i].rate * measured));
    sim_share_free (share);
  }
}

static void
two_sessions (SimTest *test)
{
  like_itself (test, 2, 3 * SIM_SECOND, MEASURED, 0.9);
}

static void
four_sessions (SimTest *test)
{
  /* Shares move to and fro over some seconds. */
  like_itself (test, 4, 3 * SIM_SECOND, 2 * MEASURED, 0.9);
}

/* The first one has had the link for itself for long. */
static void
late_comer (SimTest *test)
{
  like_itself (test, 2, 20 * SIM_SECOND, 30 * SIM_SECOND, 0.9);
}

/* At the same moment, or anywhere within the other's first rounds. Of 300 runs
 * two were below 0.9. */
static void
close_together (SimTest *test)
{
  UdtTime apart = (UdtTime)(test->seed - 1) * 37 * SIM_MS;

  like_itself (test, 2, apart, MEASURED, 0.85);
}

static const SimCase cases[] = {
  { "before-cubic", before_cubic },
  { "after-cubic", after_cubic },
  { "two-sessions", two_sessions },
  { "four-sessions", four_sessions },
  { "late-comer", late_comer },
  { "close-together", close_together, 2, 60 },
  { NULL },
};

int
main (int argc, char **argv)
{
  const SimCase *const tables[] = { cases, NULL };

  return sim_test_main (argc, argv, tables);
}
