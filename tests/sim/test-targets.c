/* What the engine is for, in figures: live video on bad paths, live video
 * beside files, and links that fall and return.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unlike the named networks, whose ceilings follow what was measured, these
 * are goals set beforehand. --verbose prints how far from them each run is.
 */
#include "simtest.h"

#include <string.h>

#define MBIT ((uint64_t)1000000)
#define MB ((uint64_t)1000000)
#define VIDEO 1
#define AUDIO 2
#define FILE_FLOW 3
/* Keyframes are so many times larger than others. */
#define KEY_WEIGHT 5

typedef struct
{
  SimLinkConfig link;
  uint64_t video; /* bit/s */
  bool follow, audio, file;
  UdtTime duration, latency;
  double least; /* share of the frames that must arrive */
  bool every_key;
  UdtTime mean, p50, p99, max; /* of frames, in decode order; 0: no matter */
  double overhead;             /* bytes sent per byte of payload; 0: any */
  UdtTime file_done;
} Goal;

static Sim *
start (SimTest *test, const Goal *goal)
{
  SimConfig config;
  SimSourceConfig source;
  Sim *sim;

  sim_config_init (&config);
  sim_config_both (&config, &goal->link);
  for (int i = 0; i < 2; i++) {
    if (!config.link[i].queue_limit)
      config.link[i].queue_limit = goal->link.rate / 8 / 5;
    if (goal->latency)
      config.udt[i].latency = goal->latency;
  }
  sim = sim_new (&config, test->seed);
  sim_connect (sim);
  sim_source_video (&source, VIDEO, goal->video);
  source.follow = goal->follow;
  source.key_weight = KEY_WEIGHT;
  source.stop = sim->now + goal->duration;
  sim_source_add (sim, 0, &source);
  if (goal->audio) {
    sim_source_audio (&source, AUDIO);
    source.stop = sim->now + goal->duration;
    sim_source_add (sim, 0, &source);
  }
  if (goal->file) {
    sim_source_bulk (&source, FILE_FLOW, 10 * MB);
    sim_source_add (sim, 0, &source);
  }
  return sim;
}

static void
note_frames (SimTest *test, const SimReport *r)
{
  sim_test_note (test,
                 "%llu of %llu frames, keys %llu of %llu, mean %.1f p50 %.1f "
                 "p99 %.1f max %.1f ms",
                 (unsigned long long)r->delivered,
                 (unsigned long long)r->accepted,
                 (unsigned long long)r->keys_delivered,
                 (unsigned long long)r->keys, (double)r->mean / 1e3,
                 (double)r->p50 / 1e3, (double)r->p99 / 1e3,
                 (double)r->max / 1e3);
}

static void
check_frames (SimTest *test, const Goal *goal, Sim *sim)
{
  SimFlow *video = sim_flow_find (&sim->peer[0], VIDEO);
  SimReport r;

  sim_flow_report (video, goal->latency, &r);
  note_frames (test, &r);
  CHECK_LEAST (test, r.delivered - r.late,
               goal->least * (double)(goal->duration / 33334));
  if (goal->every_key) {
    CHECK_EQUAL (test, r.keys_delivered, r.keys);
    CHECK_LEAST (test, r.keys, goal->duration / (2 * SIM_SECOND));
  }
  if (goal->mean)
    CHECK_MOST (test, r.mean, goal->mean);
  if (goal->p50)
    CHECK_MOST (test, r.p50, goal->p50);
  if (goal->p99)
    CHECK_MOST (test, r.p99, goal->p99);
  if (goal->max)
    CHECK_MOST (test, r.max, goal->max);
}

static void
check_bytes (SimTest *test, const Goal *goal, Sim *sim)
{
  UdtStats stats;
  double ratio
      = (double)sim->peer[0].bytes_out / (double)sim->peer[0].payload_bytes_out;

  sim_peer_stats (&sim->peer[0], &stats);
  sim_test_note (test,
                 "%.3f bytes sent per byte, repairs %.1f%%, repeats %.1f%%, "
                 "loss %u per mille, mtu %u",
                 ratio,
                 100.0 * (double)stats.repair_bytes_sent
                     / (double)stats.payload_bytes_sent,
                 100.0 * (double)stats.bytes_retransmitted
                     / (double)stats.payload_bytes_sent,
                 (unsigned)stats.loss_per_mille, (unsigned)stats.mtu);
  if (goal->overhead > 0)
    CHECK_MOST (test, ratio, goal->overhead);
}

static void
run (SimTest *test, const Goal *goal)
{
  Sim *sim = start (test, goal);
  UdtTime began = sim->now;
  SimReport r;

  sim_run_for (sim, goal->duration + SIM_SECOND);
  if (!sim->failed) {
    check_frames (test, goal, sim);
    check_bytes (test, goal, sim);
  }
  if (!sim->failed && goal->audio) {
    sim_flow_report (sim_flow_find (&sim->peer[0], AUDIO), 0, &r);
    sim_test_note (test, "audio %llu of %llu, mean %.1f p99 %.1f max %.1f ms",
                   (unsigned long long)r.delivered,
                   (unsigned long long)r.accepted, (double)r.mean / 1e3,
                   (double)r.p99 / 1e3, (double)r.max / 1e3);
    CHECK_LEAST (test, r.delivered, goal->least * (double)r.accepted);
  }
  if (!sim->failed && goal->file) {
    sim_flow_report (sim_flow_find (&sim->peer[0], FILE_FLOW), 0, &r);
    sim_test_note (test, "file %.2f MB, %.2f s", (double)r.bytes / 1e6,
                   (double)(r.completed - began) / 1e6);
    CHECK_EQUAL (test, r.bytes, 10 * MB);
    CHECK_MOST (test, r.completed - began, goal->file_done);
  }
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* ---- redundancy ---- */

static const SimLinkConfig far_and_lossy = { .rate = 20 * MBIT,
                                             .delay = 50 * SIM_MS,
                                             .loss = 0.05,
                                             .jitter = SIM_JITTER_UNIFORM,
                                             .jitter_amount = 8 * SIM_MS };

static void
loss_far (SimTest *test)
{
  run (test, &(Goal){ .link = far_and_lossy,
                      .video = 4 * MBIT,
                      .duration = 60 * SIM_SECOND,
                      .latency = 400 * SIM_MS,
                      .least = 0.999,
                      .every_key = true,
                      .p50 = 65 * SIM_MS,
                      .overhead = 1.25 });
}

static void
loss_far_audio (SimTest *test)
{
  run (test, &(Goal){ .link = far_and_lossy,
                      .video = 4 * MBIT,
                      .audio = true,
                      .duration = 60 * SIM_SECOND,
                      .latency = 400 * SIM_MS,
                      .least = 0.999,
                      .every_key = true,
                      .p50 = 65 * SIM_MS,
                      .overhead = 1.27 });
}

/* ---- */

static const SimCase cases[] = {
  { "loss-far", loss_far, 5 },
  { "loss-far-audio", loss_far_audio, 3 },
  { NULL },
};

int
main (int argc, char **argv)
{
  const SimCase *const tables[] = { cases, NULL };

  return sim_test_main (argc, argv, tables);
}
