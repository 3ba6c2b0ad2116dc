/* The test programs in plain C: named cases, checks that go on after a failure,
 * TAP.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   session-wire [NAME…]      runs every case whose name contains a NAME
 *
 * One translation unit per program includes this. Cases run one after the other
 * in one thread.
 */
#ifndef CHECK_H
#define CHECK_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct
{
  const char *name;
  void (*run) (void);
} CheckCase;

/* After so many failures of one case the rest is counted, not printed. */
#define CHECK_MAX_PRINTED 20

static unsigned check_failures;

static inline bool
check_that (bool ok, const char *file, int line, const char *what)
{
  if (!ok && check_failures++ < CHECK_MAX_PRINTED)
    printf ("# %s:%d: not true: %s\n", file, line, what);
  return ok;
}

static inline bool
check_equal (int64_t a, int64_t b, const char *file, int line, const char *what)
{
  if (a != b && check_failures++ < CHECK_MAX_PRINTED)
    printf ("# %s:%d: %s: %" PRId64 " and %" PRId64 "\n", file, line, what, a,
            b);
  return a == b;
}

static inline bool
check_range (double value, double least, double most, const char *file,
             int line, const char *what)
{
  bool ok = value >= least && value <= most;

  if (!ok && check_failures++ < CHECK_MAX_PRINTED)
    printf ("# %s:%d: %s is %g, not from %g to %g\n", file, line, what, value,
            least, most);
  return ok;
}

/* All of them give whether it was so. */
#define CHECK(condition)                                                       \
  check_that ((condition), __FILE__, __LINE__, #condition)
#define CHECK_EQ(a, b)                                                         \
  check_equal ((int64_t)(a), (int64_t)(b), __FILE__, __LINE__, #a " = " #b)
#define CHECK_RANGE(value, least, most)                                        \
  check_range ((double)(value), (double)(least), (double)(most), __FILE__,     \
               __LINE__, #value)
#define CHECK_MEM(a, b, len) CHECK (memcmp (a, b, len) == 0)
#define CHECK_STR(a, b) CHECK (strcmp (a, b) == 0)

#define CHECK_MAIN(cases)                                                      \
  int main (int argc, char **argv)                                             \
  {                                                                            \
    return check_main (argc, argv, cases, sizeof cases / sizeof cases[0]);     \
  }

static inline int
check_main (int argc, char **argv, const CheckCase *cases, size_t count)
{
  unsigned number = 0, failed = 0;

  setvbuf (stdout, NULL, _IOLBF, 0);
  for (size_t i = 0; i < count; i++) {
    bool wanted = argc < 2;

    for (int j = 1; j < argc; j++)
      wanted |= strstr (cases[i].name, argv[j]) != NULL;
    if (!wanted)
      continue;
    check_failures = 0;
    cases[i].run ();
    if (check_failures > CHECK_MAX_PRINTED)
      printf ("# %u failures in all\n", check_failures);
    printf ("%sok %u - %s\n", check_failures > 0 ? "not " : "", ++number,
            cases[i].name);
    failed += check_failures > 0;
  }
  printf ("1..%u\n", number);
  /* A misspelt name must not pass for a test. */
  return failed > 0 || number == 0;
}

#endif /* CHECK_H */
