/* The test programs of the simulator: named cases, seeds, TAP.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   test-x [NAME…] [--seed N] [--count N] [--seconds N] [--list] [--verbose]
 *
 * A NAME chooses every case that contains it. A failure prints the seed; the
 * same program with --seed and the case's name shows it again.
 */
#ifndef SIM_TEST_H
#define SIM_TEST_H

#include "sim.h"

typedef struct
{
  const char *name;
  uint64_t seed;
  uint64_t count; /* --count, or 0 */
  double seconds; /* --seconds, or 0 */
  bool verbose;
  bool replay; /* a seed was asked for */
  bool failed;
} SimTest;

typedef struct
{
  const char *name;
  void (*run) (SimTest *test);
  unsigned seeds; /* how many to run by default; 0: one */
  unsigned soak;  /* with $P2P_SOAK; 0: no more than that */
} SimCase;

/* Fewer than `n` where each takes long, under a sanitizer: $SIM_FEWER is what to
 * divide by. At least one is left. */
unsigned sim_test_fewer (unsigned n);

int sim_test_main (int argc, char **argv, const SimCase *const *tables);

void sim_test_fail (SimTest *test, const char *file, int line,
                    const char *format, ...)
    __attribute__ ((format (printf, 4, 5)));
void sim_test_note (SimTest *test, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));
/* Takes over the simulation's failure, if it has one, counts its virtual time
 * and frees it. */
void sim_test_end (SimTest *test, Sim *sim);
/* Wall clock, for --seconds and the report of speed alone. */
double sim_test_clock (void);

#define CHECK(test, condition)                                                 \
  do {                                                                         \
    if (!(condition))                                                          \
      sim_test_fail (test, __FILE__, __LINE__, "%s", #condition);              \
  } while (0)

/* Compares numbers and prints both. */
#define CHECK_MOST(test, value, limit)                                         \
  do {                                                                         \
    double value_ = (double)(value), limit_ = (double)(limit);                 \
    if (value_ > limit_)                                                       \
      sim_test_fail (test, __FILE__, __LINE__, "%s is %g, at most %g allowed", \
                     #value, value_, limit_);                                  \
  } while (0)

#define CHECK_LEAST(test, value, limit)                                        \
  do {                                                                         \
    double value_ = (double)(value), limit_ = (double)(limit);                 \
    if (value_ < limit_)                                                       \
      sim_test_fail (test, __FILE__, __LINE__, "%s is %g, at least %g wanted", \
                     #value, value_, limit_);                                  \
  } while (0)

#define CHECK_EQUAL(test, value, wanted)                                       \
  do {                                                                         \
    double value_ = (double)(value), wanted_ = (double)(wanted);               \
    if (value_ != wanted_)                                                     \
      sim_test_fail (test, __FILE__, __LINE__, "%s is %g, not %g", #value,     \
                     value_, wanted_);                                         \
  } while (0)

#endif /* SIM_TEST_H */
