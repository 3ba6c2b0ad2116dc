/* Runs named cases and prints TAP.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The wall clock is read here and nowhere else, for the report of speed and
 * for --seconds; no check depends on it.
 */
#include "simtest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_NAMES 32

typedef struct
{
  const char *names[MAX_NAMES];
  size_t n_names;
  uint64_t seed, count;
  bool seed_given, list, verbose;
  double seconds;
  unsigned ran, failed;
} Run;

/* One per program; the cases of a program run one after the other. */
static UdtTime virtual_time;

double
sim_test_clock (void)
{
  struct timespec now;

  timespec_get (&now, TIME_UTC);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void
sim_test_fail (SimTest *test, const char *file, int line, const char *format,
               ...)
{
  const char *slash = strrchr (file, '/');
  va_list args;

  test->failed = true;
  printf ("# %s, seed %llu: %s:%d: ", test->name,
          (unsigned long long)test->seed, slash ? slash + 1 : file, line);
  va_start (args, format);
  vprintf (format, args);
  va_end (args);
  putchar ('\n');
}

void
sim_test_note (SimTest *test, const char *format, ...)
{
  va_list args;

  if (!test->verbose)
    return;
  printf ("#   %s: ", test->name);
  va_start (args, format);
  vprintf (format, args);
  va_end (args);
  putchar ('\n');
}

void
sim_test_end (SimTest *test, Sim *sim)
{
  if (sim->failed)
    sim_test_fail (test, __FILE__, __LINE__, "%s", sim->failure);
  virtual_time += sim->now;
  sim_free (sim);
}

unsigned
sim_test_fewer (unsigned n)
{
  const char *fewer = getenv ("SIM_FEWER");
  unsigned by = fewer ? (unsigned)strtoul (fewer, NULL, 10) : 1;

  return by > 1 ? (n + by - 1) / by : n;
}

static bool
is_chosen (const Run *run, const char *name)
{
  for (size_t i = 0; i < run->n_names; i++)
    if (strstr (name, run->names[i]))
      return true;
  return !run->n_names;
}

static unsigned
seeds_of (const Run *run, const SimCase *a_case)
{
  if (run->seed_given)
    return 1;
  if (a_case->soak && getenv ("P2P_SOAK"))
    return a_case->soak;
  return a_case->seeds ? sim_test_fewer (a_case->seeds) : 1;
}

static void
run_case (Run *run, const SimCase *a_case)
{
  unsigned seeds = seeds_of (run, a_case);
  bool failed = false;

  for (unsigned i = 0; i < seeds; i++) {
    SimTest test = { .name = a_case->name,
                     .seed = run->seed + i,
                     .count = run->count,
                     .seconds = run->seconds,
                     .verbose = run->verbose,
                     .replay = run->seed_given };

    a_case->run (&test);
    failed |= test.failed;
  }
  printf ("%s %u - %s\n", failed ? "not ok" : "ok", ++run->ran, a_case->name);
  fflush (stdout);
  run->failed += failed;
}

static bool
parse (Run *run, int argc, char **argv)
{
  for (int i = 1; i < argc; i++) {
    const char *argument = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;

    if (!strcmp (argument, "--list"))
      run->list = true;
    else if (!strcmp (argument, "--verbose"))
      run->verbose = true;
    else if (!strcmp (argument, "--seed") && value) {
      run->seed = strtoull (argv[++i], NULL, 0);
      run->seed_given = true;
    } else if (!strcmp (argument, "--count") && value)
      run->count = strtoull (argv[++i], NULL, 0);
    else if (!strcmp (argument, "--seconds") && value)
      run->seconds = strtod (argv[++i], NULL);
    else if (argument[0] != '-' && run->n_names < MAX_NAMES)
      run->names[run->n_names++] = argument;
    else
      return false;
  }
  return true;
}

int
sim_test_main (int argc, char **argv, const SimCase *const *tables)
{
  Run run = { .seed = 1 };
  unsigned chosen = 0;
  double start = sim_test_clock (), took;

  if (!parse (&run, argc, argv)) {
    fprintf (stderr,
             "usage: %s [NAME…] [--seed N] [--count N] [--seconds N]"
             " [--list] [--verbose]\n",
             argv[0]);
    return 2;
  }
  for (size_t t = 0; tables[t]; t++)
    for (const SimCase *c = tables[t]; c->name; c++) {
      chosen += is_chosen (&run, c->name);
      if (run.list)
        puts (c->name);
    }
  if (run.list)
    return 0;
  if (!chosen) {
    fprintf (stderr, "%s: no such case\n", argv[0]);
    return 2;
  }
  printf ("1..%u\n", chosen);
  for (size_t t = 0; tables[t]; t++)
    for (const SimCase *c = tables[t]; c->name; c++)
      if (is_chosen (&run, c->name))
        run_case (&run, c);
  took = sim_test_clock () - start;
  printf ("# %.0f s of virtual time in %.2f s: %.0f times real time\n",
          (double)virtual_time / 1e6, took,
          took > 0 ? (double)virtual_time / 1e6 / took : 0);
  return run.failed ? 1 : 0;
}
