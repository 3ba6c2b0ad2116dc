/* The elements, on simulated encoders: what a pipeline and its application see.
 *
 *   hal-elements TARGET [CASE]
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "elements.h"

static const ElementCases *const files[]
    = { &element_streams, &element_faults };

static void
check_clean (void)
{
  CHECK_EQ (sim->gets, sim->releases);
  CHECK_EQ (sim->creates, sim->destroys);
  CHECK_EQ (sim->order_errors, 0);
}

static gboolean
run (const ElementCases *file, const CheckCase *one)
{
  sim->reset ();
  check_failures = *file->failures = 0;
  one->run ();
  check_clean ();
  return check_failures == 0 && *file->failures == 0;
}

int
main (int argc, char **argv)
{
  guint i, k, n = 0, failed = 0;

  if (!soc_util_init (argc > 1 ? argv[1] : NULL))
    return 2;
  setvbuf (stdout, NULL, _IOLBF, 0);
  for (i = 0; i < G_N_ELEMENTS (files); i++) {
    for (k = 0; k < files[i]->n; k++) {
      const CheckCase *one = &files[i]->cases[k];
      gboolean good;

      if (argc > 2 && strstr (one->name, argv[2]) == NULL)
        continue;
      good = run (files[i], one);
      printf ("%sok %u - %s\n", good ? "" : "not ", ++n, one->name);
      failed += !good;
    }
  }
  printf ("1..%u\n", n);
  soc_util_deinit ();
  return failed > 0 || n == 0;
}
