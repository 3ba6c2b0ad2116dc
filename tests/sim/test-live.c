/* Live video where a repeat has time for two or three round trips and no more:
 * frames that do not come whole, over hundreds of short sessions.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A session begins with a keyframe at the moment when both ends know each
 * other, so that the loss of the path is not known yet when most is at stake.
 * What one lost frame takes along, up to the next keyframe, counts as lost,
 * too. --count N runs so many sessions of each case; --seed N one of them.
 */
#include "simtest.h"

#include <stdio.h>

#define MBIT ((uint64_t)1000000)
#define VIDEO 1
#define AUDIO 2
#define DURATION (6 * SIM_SECOND)
/* A quick look; the figures hold for thousands. */
#define SESSIONS 25

typedef struct
{
  SimLinkConfig link;
  UdtTime latency;
  UdtTime slack;
  uint64_t video; /* bit/s */
  unsigned group;
  bool audio;
  bool still;      /* nothing for a while before the first frame */
  double most;     /* lost frames of a million */
  UdtTime typical; /* the median frame's delay; 0: no matter */
  double overhead; /* bytes sent per byte of payload; 0: no matter */
} Live;

typedef struct
{
  uint64_t frames, lost, late, keys_lost, sessions_hit;
  uint64_t payload, bytes;
  double median; /* sum */
} Tally;

static void
one_session (SimTest *test, const Live *live, uint64_t seed, Tally *tally)
{
  SimSourceConfig source;
  SimConfig config;
  SimReport r;
  SimSource *camera;
  uint64_t lost;
  Sim *sim;

  sim_config_init (&config);
  sim_config_both (&config, &live->link);
  for (int i = 0; i < 2; i++) {
    config.link[i].queue_limit = live->link.rate / 8 / 5;
    config.udt[i].latency = live->latency;
  }
  config.timer_slack = live->slack;
  sim = sim_new (&config, seed);
  test->seed = seed;
  sim_connect (sim);
  if (live->still)
    sim_run_for (sim, SIM_SECOND);
  sim_source_video (&source, VIDEO, live->video);
  source.group = live->group;
  source.key_weight = 5;
  source.stop = sim->now + DURATION;
  camera = sim_source_add (sim, 0, &source);
  if (live->audio) {
    sim_source_audio (&source, AUDIO);
    source.stop = sim->now + DURATION;
    sim_source_add (sim, 0, &source);
  }
  sim_run_for (sim, DURATION + SIM_SECOND);
  if (!sim->failed) {
    /* The receiver's clock starts with the first arrival. */
    sim_flow_report (sim_flow_find (&sim->peer[0], VIDEO),
                     live->latency + live->link.delay + 2 * SIM_MS, &r);
    lost = camera->frames - r.delivered;
    tally->frames += camera->frames;
    tally->lost += lost;
    tally->late += r.late;
    tally->keys_lost += r.keys - r.keys_delivered;
    tally->sessions_hit += lost > 0;
    tally->median += (double)r.p50;
    tally->bytes += sim->peer[0].bytes_out;
    tally->payload += sim->peer[0].payload_bytes_out;
    if (lost > 0)
      sim_test_note (test, "seed %llu: %llu lost, %llu keys",
                     (unsigned long long)seed, (unsigned long long)lost,
                     (unsigned long long)(r.keys - r.keys_delivered));
  }
  sim_finish (sim);
  sim_test_end (test, sim);
}

static void
run (SimTest *test, const Live *live)
{
  uint64_t first = test->seed, n;
  uint64_t count = test->count ? test->count : sim_test_fewer (SESSIONS);
  Tally tally = { 0 };
  double lost;

  if (test->replay && !test->count)
    count = 1;
  for (n = 0; n < count; n++)
    one_session (test, live, first + n, &tally);
  lost = (double)(tally.lost + tally.late) * 1e6 / (double)tally.frames;
  sim_test_note (test,
                 "%llu sessions, %llu frames, %llu lost, %llu late, %llu keys, "
                 "%llu hit: %.0f of a million; median %.1f ms, %.3f bytes",
                 (unsigned long long)count, (unsigned long long)tally.frames,
                 (unsigned long long)tally.lost, (unsigned long long)tally.late,
                 (unsigned long long)tally.keys_lost,
                 (unsigned long long)tally.sessions_hit, lost,
                 tally.median / (double)count / 1e3,
                 (double)tally.bytes / (double)tally.payload);
  CHECK_MOST (test, lost, live->most);
  if (live->typical)
    CHECK_MOST (test, tally.median / (double)count, live->typical);
  if (live->overhead > 0)
    CHECK_MOST (test, (double)tally.bytes / (double)tally.payload,
                live->overhead);
}

/* What the cases differ from. */
static const Live nearby
    = { .link = { .rate = 20 * MBIT, .delay = 25 * SIM_MS },
        .latency = 200 * SIM_MS,
        .video = 2 * MBIT,
        .group = 30,
        .most = 100 };

static void
short_2 (SimTest *test)
{
  Live live = nearby;

  live.link.loss = 0.02;
  run (test, &live);
}

static void
short_2_jitter (SimTest *test)
{
  Live live = nearby;

  live.link.loss = 0.02;
  live.link.jitter = SIM_JITTER_UNIFORM;
  live.link.jitter_amount = 8 * SIM_MS;
  run (test, &live);
}

/* Both ends on a machine that has too much to do. */
static void
short_2_busy (SimTest *test)
{
  Live live = nearby;

  live.slack = 20 * SIM_MS;
  live.audio = true;
  live.link.loss = 0.02;
  live.link.jitter = SIM_JITTER_GAUSS;
  live.link.jitter_amount = 10 * SIM_MS;
  run (test, &live);
}

static void
short_5 (SimTest *test)
{
  Live live = nearby;

  live.link.loss = 0.05;
  run (test, &live);
}

static void
short_bursts (SimTest *test)
{
  Live live = nearby;

  live.most = 500;
  /* Four packets at a time, two of a hundred in all. */
  live.link.burst_enter = 0.005;
  live.link.burst_leave = 0.25;
  live.link.burst_loss = 1;
  run (test, &live);
}

static void
short_slow (SimTest *test)
{
  Live live = nearby;

  live.link.rate = 5 * MBIT;
  live.link.loss = 0.02;
  run (test, &live);
}

static void
far_5 (SimTest *test)
{
  Live live = nearby;

  live.latency = 400 * SIM_MS;
  live.video = 4 * MBIT;
  live.group = 60;
  live.typical = 65 * SIM_MS;
  live.overhead = 1.25;
  live.link.delay = 50 * SIM_MS;
  live.link.loss = 0.05;
  live.link.jitter = SIM_JITTER_UNIFORM;
  live.link.jitter_amount = 8 * SIM_MS;
  run (test, &live);
}

static void
short_2_still (SimTest *test)
{
  Live live = nearby;

  live.still = true;
  live.link.loss = 0.02;
  run (test, &live);
}

static const SimCase cases[] = {
  { "short-2", short_2 },
  { "short-2-still", short_2_still },
  { "short-2-jitter", short_2_jitter },
  { "short-2-busy", short_2_busy },
  { "short-5", short_5 },
  { "short-bursts", short_bursts },
  { "short-slow", short_slow },
  { "far-5", far_5 },
  { NULL },
};

int
main (int argc, char **argv)
{
  const SimCase *const tables[] = { cases, NULL };

  return sim_test_main (argc, argv, tables);
}
