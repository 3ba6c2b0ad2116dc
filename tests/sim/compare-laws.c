/* The congestion laws side by side, as a table in Markdown: the one in
 * docs/congestion.md comes from here.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   compare-laws [SEEDS]      the mean of so many runs; 3 by default
 *
 * As a test it checks that the default law is no worse than the other where
 * that is why it is the default.
 */
#include "sim.h"
#include "simshare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MBIT ((uint64_t)1000000)
#define MB ((uint64_t)1000000)
/* The default law may be so much worse in a row. */
#define TOLERANCE 0.85
/* Headers of IP, UDP, packet and frame in a packet of the largest size. */
#define PAYLOAD_SHARE (1428.0 / 1500)

typedef enum {
  GOODPUT,     /* a file: share of what the link can carry */
  QUEUE,       /* the same: mean queueing delay in ms */
  FRAMES_MEAN, /* live video: mean delay of frames in ms */
  FRAMES_P99,
  FRAMES_SHARE, /* that came within the deadline */
  SHARE,        /* of what is sent beside CUBIC */
  FAIRNESS,     /* Jain's index of two sessions */
} Measure;

typedef struct
{
  const char *name;
  Measure measure;
  SimLinkConfig link;
  uint64_t video; /* bit/s */
  bool file, follow;
  bool larger; /* is better */
} Row;

static const Row rows[] = {
  { "file, 100 Mbit/s, 50 ms: share of the limit",
    GOODPUT,
    { .rate = 100 * MBIT, .delay = 25 * SIM_MS },
    0,
    true,
    false,
    true },
  { "the same, 1 % loss",
    GOODPUT,
    { .rate = 100 * MBIT, .delay = 25 * SIM_MS, .loss = 0.01 },
    0,
    true,
    false,
    true },
  { "file, 20 Mbit/s, 100 ms, 5 % loss",
    GOODPUT,
    { .rate = 20 * MBIT, .delay = 50 * SIM_MS, .loss = 0.05 },
    0,
    true,
    false,
    true },
  { "file, 30 Mbit/s, 10 ms, Wi-Fi jitter",
    GOODPUT,
    { .rate = 30 * MBIT, .delay = 5 * SIM_MS, .jitter = SIM_JITTER_WIFI },
    0,
    true,
    false,
    true },
  { "file, 20 Mbit/s, 40 ms: queueing delay, ms",
    QUEUE,
    { .rate = 20 * MBIT, .delay = 20 * SIM_MS },
    0,
    true,
    false,
    false },
  { "2 Mbit/s video beside a file, 10 Mbit/s, 20 ms: mean delay, ms",
    FRAMES_MEAN,
    { .rate = 10 * MBIT, .delay = 10 * SIM_MS },
    2 * MBIT,
    true,
    false,
    false },
  { "the same: 99 of 100 frames, ms",
    FRAMES_P99,
    { .rate = 10 * MBIT, .delay = 10 * SIM_MS },
    2 * MBIT,
    true,
    false,
    false },
  { "the same over Wi-Fi jitter: 99 of 100, ms",
    FRAMES_P99,
    { .rate = 10 * MBIT, .delay = 10 * SIM_MS, .jitter = SIM_JITTER_WIFI },
    2 * MBIT,
    true,
    false,
    false },
  { "4 Mbit/s video, 20 Mbit/s, 100 ms, 5 % loss: frames within 400 ms",
    FRAMES_SHARE,
    { .rate = 20 * MBIT,
      .delay = 50 * SIM_MS,
      .loss = 0.05,
      .jitter = SIM_JITTER_UNIFORM,
      .jitter_amount = 8 * SIM_MS },
    4 * MBIT,
    false,
    false,
    true },
  { "an encoder that follows, link from 20 to 2 Mbit/s for 6 s: 99 of 100, ms",
    FRAMES_P99,
    { .rate = 20 * MBIT,
      .delay = 20 * SIM_MS,
      .rate_steps
      = { { 10 * SIM_SECOND, 2 * MBIT }, { 16 * SIM_SECOND, 20 * MBIT } },
      .n_rate_steps = 2 },
    4 * MBIT,
    false,
    true,
    false },
  { "the same: frames within 400 ms",
    FRAMES_SHARE,
    { .rate = 20 * MBIT,
      .delay = 20 * SIM_MS,
      .rate_steps
      = { { 10 * SIM_SECOND, 2 * MBIT }, { 16 * SIM_SECOND, 20 * MBIT } },
      .n_rate_steps = 2 },
    4 * MBIT,
    false,
    true,
    true },
  { "beside CUBIC, 20 Mbit/s, 40 ms, queue of 100 ms: share",
    SHARE,
    { .rate = 20 * MBIT, .delay = 20 * SIM_MS },
    0,
    true,
    false,
    true },
  { "two sessions, the same link: Jain's index",
    FAIRNESS,
    { .rate = 20 * MBIT, .delay = 20 * SIM_MS },
    0,
    true,
    false,
    true },
};

static const UdtCongestion *const laws[]
    = { &udt_congestion_delay, &udt_congestion_aimd };
#define N_LAWS (sizeof laws / sizeof *laws)
#define N_ROWS (sizeof rows / sizeof *rows)

static void
give_up (const Sim *sim)
{
  fprintf (stderr, "%s\n", sim->failure);
  exit (1);
}

static Sim *
start (const Row *row, const UdtCongestion *law, uint64_t seed)
{
  SimSourceConfig source;
  SimConfig config;
  Sim *sim;

  sim_config_init (&config);
  sim_config_both (&config, &row->link);
  for (int i = 0; i < 2; i++) {
    config.link[i].queue_limit = row->link.rate / 8 / 10;
    config.udt[i].congestion = law;
    config.udt[i].latency = 400 * SIM_MS;
    config.udt[i].send_limit = config.udt[i].receive_limit = 16 << 20;
  }
  config.link[1].loss = 0;
  sim = sim_new (&config, seed);
  sim_connect (sim);
  if (row->video) {
    sim_source_video (&source, 1, row->video);
    source.key_weight = 5;
    source.follow = row->follow;
    source.stop = sim->now + 25 * SIM_SECOND;
    sim_source_add (sim, 0, &source);
  }
  if (row->file) {
    sim_source_bulk (&source, 2, row->video ? 15 * MB : 400 * MB);
    sim_source_add (sim, 0, &source);
  }
  return sim;
}

static double
measure_file (const Row *row, Sim *sim)
{
  SimFlow *file = sim_flow_find (&sim->peer[0], 2);
  double queue = 0;
  uint64_t before;
  UdtStats stats;

  sim_run_for (sim, 3 * SIM_SECOND);
  before = file->bytes_delivered;
  for (unsigned i = 0; i < 200; i++) {
    sim_run_for (sim, 15 * SIM_SECOND / 200);
    sim_peer_stats (&sim->peer[0], &stats);
    /* The engine's own idea of it begins anew when a queue never empties. */
    queue += ((double)stats.rtt - 2 * (double)row->link.delay) / 1e3 / 200;
  }
  if (row->measure == QUEUE)
    return queue;
  return (double)(file->bytes_delivered - before) * 8 / 15
         / ((double)row->link.rate * (1 - row->link.loss) * PAYLOAD_SHARE);
}

static double
measure_video (const Row *row, Sim *sim)
{
  SimFlow *video = sim_flow_find (&sim->peer[0], 1);
  SimReport report;

  sim_run_for (sim, 26 * SIM_SECOND);
  sim_flow_report (video, 400 * SIM_MS, &report);
  switch (row->measure) {
    case FRAMES_MEAN:
      return (double)report.mean / 1e3;
    case FRAMES_P99:
      return (double)report.p99 / 1e3;
    default:
      /* Of those the camera made, whether taken or not. */
      return (double)(report.delivered - report.late) / (25e6 / 33333 + 1);
  }
}

static double
measure_sharing (const Row *row, const UdtCongestion *law)
{
  SimShare *share
      = sim_share_new (row->link.rate, row->link.delay, row->link.rate / 80);
  double a, b;

  sim_share_add_session (share, law, 1);
  if (row->measure == SHARE)
    sim_share_add_cubic (share, 5 * SIM_SECOND);
  else
    sim_share_add_session (share, law, 5 * SIM_SECOND);
  sim_share_run_until (share, 15 * SIM_SECOND);
  a = (double)sim_share_passed (share, 0);
  b = (double)sim_share_passed (share, 1);
  sim_share_run_until (share, 60 * SIM_SECOND);
  a = (double)sim_share_passed (share, 0) - a;
  b = (double)sim_share_passed (share, 1) - b;
  sim_share_free (share);
  return row->measure == SHARE ? a / (a + b)
                               : (a + b) * (a + b) / (2 * (a * a + b * b));
}

static double
measure (const Row *row, const UdtCongestion *law, uint64_t seed)
{
  double value;
  Sim *sim;

  if (row->measure == SHARE || row->measure == FAIRNESS)
    return measure_sharing (row, law);
  sim = start (row, law, seed);
  value = row->video ? measure_video (row, sim) : measure_file (row, sim);
  sim_abandon (sim);
  /* What is cut short is not what counts here; what went wrong before is. */
  if (sim->failed && !strstr (sim->failure, "released"))
    give_up (sim);
  sim_free (sim);
  return value;
}

int
main (int argc, char **argv)
{
  unsigned seeds = argc > 1 ? (unsigned)strtoul (argv[1], NULL, 10) : 3;
  unsigned worse = 0;

  printf ("| |");
  for (size_t j = 0; j < N_LAWS; j++)
    printf (" %s |", laws[j]->name);
  printf ("\n| --- |");
  for (size_t j = 0; j < N_LAWS; j++)
    printf (" ---: |");
  printf ("\n");
  for (size_t i = 0; i < N_ROWS; i++) {
    double value[N_LAWS] = { 0 };

    printf ("| %s |", rows[i].name);
    for (size_t j = 0; j < N_LAWS; j++) {
      for (unsigned k = 0; k < seeds; k++)
        value[j] += measure (&rows[i], laws[j], k + 1) / seeds;
      printf (value[j] < 2 ? " %.3f |" : " %.1f |", value[j]);
    }
    printf ("\n");
    fflush (stdout);
    /* Half the link is the best share, not all of it. */
    if (rows[i].measure == SHARE)
      continue;
    worse += rows[i].larger ? value[0] < TOLERANCE * value[1]
                            : value[0] * TOLERANCE > value[1];
  }
  return worse > 0;
}
