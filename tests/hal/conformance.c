/* The conformance suite: which cases apply to a target, and running them.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "harness.h"

#include <stdio.h>
#include <string.h>

const HalCodec conformance_codecs[N_CODECS]
    = { HAL_CODEC_H264, HAL_CODEC_H265, HAL_CODEC_JPEG };

static const ConformanceGroup *const groups[]
    = { &conformance_open, &conformance_frames, &conformance_control,
        &conformance_time, &conformance_attach };

uint32_t
target_caps (void)
{
  static uint32_t caps;
  HalContext *context;

  if (caps == 0) {
    context = open_context ();
    if (context != NULL)
      caps = hal_context_info (context)->caps;
    hal_context_release (context);
  }
  return caps;
}

bool
has_codec (HalCodec codec)
{
  static const uint32_t bits[] = { HAL_CAP_H264, HAL_CAP_H265, HAL_CAP_JPEG };

  return (target_caps () & bits[codec]) != 0;
}

#define LOOK(a, b) look (#a, #b, a, b)

static bool
look (const char *a, const char *b, unsigned is, unsigned should)
{
  if (is != should)
    printf ("# %s is %u, %s is %u\n", a, is, b, should);
  return is == should;
}

bool
is_clean (void)
{
  SimControl *sim = target_sim ();
  bool clean = true;

  if (sim == NULL)
    return true;
  clean &= LOOK (sim->gets, sim->releases);
  clean &= LOOK (sim->audio_gets, sim->audio_releases);
  clean &= LOOK (sim->creates, sim->destroys);
  clean &= LOOK (sim->inits, sim->exits);
  clean &= LOOK (sim->order_errors, 0);
  clean &= LOOK (sim->double_inits, 0);
  clean &= LOOK (sim->dirty, 0);
  return clean;
}

static bool
applies (const ConformanceCase *one, int argc, char **argv)
{
  bool wanted = argc < 1;
  int i;

  for (i = 0; i < argc; i++)
    wanted |= strstr (one->name, argv[i]) != NULL;
  return wanted && ((one->needs & SIM) == 0 || target_sim () != NULL)
         && (one->needs & ~SIM & ~(target_caps () & ~target->without)) == 0;
}

static bool
run (const ConformanceGroup *group, const ConformanceCase *one)
{
  bool good;

  sim_begin ();
  *group->failures = 0;
  one->run ();
  good = is_clean () && *group->failures == 0;
  sim_begin ();
  return good;
}

static int
run_all (int argc, char **argv)
{
  unsigned i, k, n = 0, failed = 0;

  for (i = 0; i < sizeof groups / sizeof groups[0]; i++) {
    for (k = 0; k < groups[i]->n; k++) {
      const ConformanceCase *one = &groups[i]->cases[k];
      bool good;

      if (!applies (one, argc, argv))
        continue;
      good = run (groups[i], one);
      printf ("%sok %u - %s\n", good ? "" : "not ", ++n, one->name);
      failed += !good;
    }
  }
  printf ("1..%u\n", n);
  take_clear ();
  return failed > 0 || n == 0;
}

int
main (int argc, char **argv)
{
  unsigned i;

  setvbuf (stdout, NULL, _IOLBF, 0);
  for (i = 0; argc > 1 && i < conformance_n_targets; i++) {
    if (strcmp (conformance_targets[i].name, argv[1]) == 0)
      target = &conformance_targets[i];
  }
  if (target == NULL) {
    fprintf (stderr, "usage: %s TARGET [CASE...]; targets:", argv[0]);
    for (i = 0; i < conformance_n_targets; i++)
      fprintf (stderr, " %s", conformance_targets[i].name);
    fprintf (stderr, "\n");
    return 2;
  }
  sim_begin ();
  return run_all (argc - 2, argv + 2);
}
