/* Named networks with ceilings in virtual time.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A ceiling is what the path allows plus a margin; a change that makes
 * something slower fails here. --verbose prints what was measured.
 */
#include "simtest.h"

#include <string.h>

#define MBIT ((uint64_t)1000000)
#define MB ((uint64_t)1000000)

/* ---- bulk ---- */

typedef struct
{
  SimLinkConfig link;
  uint64_t bytes;
  double share;     /* of the link's rate that must be reached,
                       headers and losses not subtracted */
  UdtTime start_up; /* allowed on top */
} Bulk;

static void
bulk (SimTest *test, const Bulk *bulk)
{
  SimConfig config;
  SimSourceConfig source;
  SimReport report;
  SimFlow *flow;
  Sim *sim;
  UdtTime start, ceiling;
  UdtStats stats;

  sim_config_init (&config);
  sim_config_both (&config, &bulk->link);
  for (int i = 0; i < 2; i++)
    if (!config.link[i].queue_limit)
      config.link[i].queue_limit = bulk->link.rate / 8 / 10;
  /* Loss of what is said back is another case. */
  config.link[1].loss = bulk->link.loss / 4;
  sim = sim_new (&config, test->seed);
  sim_connect (sim);
  sim_source_bulk (&source, 1, bulk->bytes);
  start = sim->now;
  sim_source_add (sim, 0, &source);
  flow = sim_flow_find (&sim->peer[0], 1);
  ceiling = (UdtTime)((double)bulk->bytes * 8e6
                      / ((double)bulk->link.rate * bulk->share))
            + bulk->start_up;
  while (!sim->failed && flow && flow->bytes_delivered < bulk->bytes
         && sim->now < start + 10 * ceiling)
    sim_run_for (sim, 10 * SIM_MS);
  if (flow) {
    sim_flow_report (flow, 0, &report);
    sim_peer_stats (&sim->peer[0], &stats);
    sim_test_note (
        test, "%.3f s of %.3f, %.1f Mbit/s, mtu %u, repeated %.2f%%",
        (double)(report.completed - start) / 1e6, (double)ceiling / 1e6,
        (double)report.bytes * 8 / (double)(report.completed - start),
        (unsigned)stats.mtu,
        100.0 * (double)stats.bytes_retransmitted / (double)report.bytes);
    CHECK_EQUAL (test, report.bytes, bulk->bytes);
    CHECK_MOST (test, report.completed - start, ceiling);
  }
  sim_finish (sim);
  sim_test_end (test, sim);
}

static void
bulk_clean (SimTest *test)
{
  bulk (test, &(Bulk){ .link = { .rate = 20 * MBIT, .delay = 20 * SIM_MS },
                       .bytes = 10 * MB,
                       .share = 0.85,
                       .start_up = SIM_SECOND });
}

static void
bulk_fast (SimTest *test)
{
  bulk (test, &(Bulk){ .link = { .rate = 100 * MBIT, .delay = 25 * SIM_MS },
                       .bytes = 40 * MB,
                       .share = 0.85,
                       .start_up = SIM_SECOND });
}

static void
bulk_lan (SimTest *test)
{
  bulk (test,
        &(Bulk){ .link
                 = { .rate = 100 * MBIT, .delay = 200, .queue_limit = 150000 },
                 .bytes = 20 * MB,
                 .share = 0.85,
                 .start_up = SIM_SECOND });
}

static void
bulk_lossy (SimTest *test)
{
  bulk (test,
        &(Bulk){ .link
                 = { .rate = 100 * MBIT, .delay = 25 * SIM_MS, .loss = 0.01 },
                 .bytes = 40 * MB,
                 .share = 0.8,
                 .start_up = SIM_SECOND });
}

static void
bulk_very_lossy (SimTest *test)
{
  bulk (test,
        &(Bulk){ .link
                 = { .rate = 20 * MBIT, .delay = 50 * SIM_MS, .loss = 0.05 },
                 .bytes = 10 * MB,
                 .share = 0.75,
                 .start_up = 2 * SIM_SECOND });
}

static void
bulk_long (SimTest *test)
{
  bulk (test, &(Bulk){ .link = { .rate = 50 * MBIT, .delay = 150 * SIM_MS },
                       .bytes = 20 * MB,
                       .share = 0.7,
                       .start_up = 4 * SIM_SECOND });
}

static void
bulk_satellite (SimTest *test)
{
  bulk (test,
        &(Bulk){ .link
                 = { .rate = 10 * MBIT, .delay = 300 * SIM_MS, .loss = 0.005 },
                 .bytes = 5 * MB,
                 .share = 0.6,
                 .start_up = 6 * SIM_SECOND });
}

static void
bulk_slow (SimTest *test)
{
  bulk (test, &(Bulk){ .link = { .rate = MBIT / 2, .delay = 40 * SIM_MS },
                       .bytes = MB / 2,
                       .share = 0.8,
                       .start_up = SIM_SECOND });
}

static void
bulk_bursty (SimTest *test)
{
  bulk (test, &(Bulk){ .link = { .rate = 20 * MBIT,
                                 .delay = 20 * SIM_MS,
                                 .burst_enter = 0.002,
                                 .burst_leave = 0.1,
                                 .burst_loss = 0.7 },
                       .bytes = 10 * MB,
                       .share = 0.75,
                       .start_up = SIM_SECOND });
}

static void
bulk_reordered (SimTest *test)
{
  bulk (test, &(Bulk){ .link = { .rate = 20 * MBIT,
                                 .delay = 20 * SIM_MS,
                                 .reorder = 0.05,
                                 .reorder_delay = 8 * SIM_MS },
                       .bytes = 10 * MB,
                       .share = 0.8,
                       .start_up = SIM_SECOND });
}

static void
bulk_doubled (SimTest *test)
{
  bulk (test, &(Bulk){ .link = { .rate = 20 * MBIT,
                                 .delay = 20 * SIM_MS,
                                 .duplicate = 0.3 },
                       .bytes = 10 * MB,
                       .share = 0.8,
                       .start_up = SIM_SECOND });
}

static void
bulk_wifi (SimTest *test)
{
  bulk (test, &(Bulk){ .link = { .rate = 30 * MBIT,
                                 .delay = 5 * SIM_MS,
                                 .jitter = SIM_JITTER_WIFI },
                       .bytes = 10 * MB,
                       .share = 0.7,
                       .start_up = SIM_SECOND });
}

/* ---- live ---- */

typedef struct
{
  SimLinkConfig link;
  uint64_t video;         /* bit/s */
  bool follow;            /* an encoder that obeys */
  bool audio, file, back; /* back: the same audio the other way */
  UdtTime duration;
  UdtTime latency;        /* the viewer's */
  double frames, sound;   /* shares that must arrive */
  UdtTime mean, p99, max; /* of frames; 0: not checked */
  UdtTime sound_p99, sound_max;
  UdtTime file_ceiling; /* 10 MB done after this */
  double overhead;      /* bytes on the wire per accepted byte */
} Live;

static void
check_live (SimTest *test, const Live *live, Sim *sim, UdtTime start)
{
  SimFlow *video = sim_flow_find (&sim->peer[0], 1);
  SimFlow *audio = sim_flow_find (&sim->peer[0], 2);
  SimFlow *file = sim_flow_find (&sim->peer[0], 3);
  SimReport report;

  sim_flow_report (video, 0, &report);
  sim_test_note (
      test,
      "video %llu of %llu, keys %llu of %llu, mean %.1f p50 %.1f p99 %.1f "
      "max %.1f ms",
      (unsigned long long)report.delivered, (unsigned long long)report.accepted,
      (unsigned long long)report.keys_delivered,
      (unsigned long long)report.keys, (double)report.mean / 1e3,
      (double)report.p50 / 1e3, (double)report.p99 / 1e3,
      (double)report.max / 1e3);
  CHECK_LEAST (test, report.delivered,
               live->frames * (double)(live->duration / 33334));
  if (live->mean)
    CHECK_MOST (test, report.mean, live->mean);
  if (live->p99)
    CHECK_MOST (test, report.p99, live->p99);
  if (live->max)
    CHECK_MOST (test, report.max, live->max);
  if (audio) {
    sim_flow_report (audio, 0, &report);
    sim_test_note (test, "audio %llu of %llu, mean %.1f p99 %.1f max %.1f ms",
                   (unsigned long long)report.delivered,
                   (unsigned long long)report.accepted,
                   (double)report.mean / 1e3, (double)report.p99 / 1e3,
                   (double)report.max / 1e3);
    CHECK_LEAST (test, report.delivered,
                 live->sound * (double)(live->duration / (20 * SIM_MS)));
    if (live->sound_p99)
      CHECK_MOST (test, report.p99, live->sound_p99);
    if (live->sound_max)
      CHECK_MOST (test, report.max, live->sound_max);
  }
  if (file) {
    sim_flow_report (file, 0, &report);
    sim_test_note (test, "file %.2f MB, %.2f s", (double)report.bytes / 1e6,
                   (double)(report.completed - start) / 1e6);
    CHECK_EQUAL (test, report.bytes, 10 * MB);
    CHECK_MOST (test, report.completed - start, live->file_ceiling);
  }
  if (live->overhead > 0) {
    double ratio = (double)sim->peer[0].bytes_out
                   / (double)sim->peer[0].payload_bytes_out;

    sim_test_note (test, "%.3f bytes sent per byte", ratio);
    CHECK_MOST (test, ratio, live->overhead);
  }
}

static void
run_live (SimTest *test, const Live *live)
{
  SimConfig config;
  SimSourceConfig source;
  Sim *sim;
  UdtTime start;

  sim_config_init (&config);
  sim_config_both (&config, &live->link);
  for (int i = 0; i < 2; i++) {
    if (!config.link[i].queue_limit)
      config.link[i].queue_limit = live->link.rate / 8 / 5;
    if (live->latency)
      config.udt[i].latency = live->latency;
  }
  sim = sim_new (&config, test->seed);
  sim_connect (sim);
  start = sim->now;
  sim_source_video (&source, 1, live->video);
  source.follow = live->follow;
  source.stop = start + live->duration;
  sim_source_add (sim, 0, &source);
  if (live->audio) {
    sim_source_audio (&source, 2);
    source.stop = start + live->duration;
    sim_source_add (sim, 0, &source);
  }
  if (live->back) {
    sim_source_audio (&source, 2);
    source.stop = start + live->duration;
    sim_source_add (sim, 1, &source);
  }
  if (live->file) {
    sim_source_bulk (&source, 3, 10 * MB);
    sim_source_add (sim, 0, &source);
  }
  sim_run_until (sim, start + live->duration + SIM_SECOND);
  if (!sim->failed)
    check_live (test, live, sim, start);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* The largest keyframe alone takes this link 120 ms. */
static const SimLinkConfig home = { .rate = 10 * MBIT, .delay = 10 * SIM_MS };

static void
live_clean (SimTest *test)
{
  run_live (test, &(Live){ .link = home,
                           .video = 4 * MBIT,
                           .audio = true,
                           .back = true,
                           .duration = 30 * SIM_SECOND,
                           .frames = 1,
                           .sound = 1,
                           .mean = 32 * SIM_MS,
                           .max = 165 * SIM_MS,
                           .sound_max = 75 * SIM_MS,
                           .sound_p99 = 30 * SIM_MS,
                           .overhead = 1.12 });
}

static void
live_with_file (SimTest *test)
{
  run_live (test, &(Live){ .link = home,
                           .video = 4 * MBIT,
                           .audio = true,
                           .file = true,
                           .duration = 60 * SIM_SECOND,
                           .frames = 0.999,
                           .sound = 0.999,
                           .mean = 40 * SIM_MS,
                           .max = 175 * SIM_MS,
                           .sound_max = 120 * SIM_MS,
                           .file_ceiling = 30 * SIM_SECOND });
}

static void
live_loss_2 (SimTest *test)
{
  run_live (test, &(Live){ .link = { .rate = 20 * MBIT,
                                     .delay = 30 * SIM_MS,
                                     .loss = 0.02 },
                           .video = 4 * MBIT,
                           .audio = true,
                           .back = true,
                           .duration = 30 * SIM_SECOND,
                           .latency = 300 * SIM_MS,
                           .frames = 0.999,
                           .sound = 0.999,
                           .mean = 90 * SIM_MS,
                           .max = 300 * SIM_MS,
                           .overhead = 1.3 });
}

static void
live_loss_5 (SimTest *test)
{
  run_live (test, &(Live){ .link = { .rate = 20 * MBIT,
                                     .delay = 50 * SIM_MS,
                                     .loss = 0.05,
                                     .jitter = SIM_JITTER_UNIFORM,
                                     .jitter_amount = 8 * SIM_MS },
                           .video = 4 * MBIT,
                           .audio = true,
                           .duration = 30 * SIM_SECOND,
                           .latency = 400 * SIM_MS,
                           .frames = 0.98,
                           .sound = 0.995,
                           .mean = 170 * SIM_MS,
                           .max = 460 * SIM_MS,
                           .overhead = 1.35 });
}

static void
live_wifi (SimTest *test)
{
  run_live (test, &(Live){ .link = { .rate = 20 * MBIT,
                                     .delay = 15 * SIM_MS,
                                     .jitter = SIM_JITTER_WIFI },
                           .video = 4 * MBIT,
                           .audio = true,
                           .duration = 30 * SIM_SECOND,
                           .latency = 300 * SIM_MS,
                           .frames = 0.995,
                           .sound = 0.995,
                           .mean = 50 * SIM_MS,
                           .max = 220 * SIM_MS });
}

static void
live_freezes (SimTest *test)
{
  run_live (test, &(Live){ .link = { .rate = 20 * MBIT,
                                     .delay = 15 * SIM_MS,
                                     .freeze_first = SIM_SECOND,
                                     .freeze_every = 1500 * SIM_MS,
                                     .freeze_for = 150 * SIM_MS,
                                     .freeze_count = 20 },
                           .video = 4 * MBIT,
                           .audio = true,
                           .duration = 32 * SIM_SECOND,
                           .latency = 400 * SIM_MS,
                           .frames = 1,
                           .sound = 0.999,
                           .mean = 40 * SIM_MS,
                           .max = 200 * SIM_MS });
}

static void
live_bursts (SimTest *test)
{
  run_live (test, &(Live){ .link = { .rate = 20 * MBIT,
                                     .delay = 20 * SIM_MS,
                                     .burst_enter = 0.003,
                                     .burst_leave = 0.15,
                                     .burst_loss = 0.8 },
                           .video = 4 * MBIT,
                           .audio = true,
                           .duration = 30 * SIM_SECOND,
                           .latency = 300 * SIM_MS,
                           .frames = 0.99,
                           .sound = 0.99,
                           .mean = 75 * SIM_MS,
                           .max = 320 * SIM_MS });
}

static SimLinkConfig
falling_link (void)
{
  SimLinkConfig link
      = { .rate = 20 * MBIT, .delay = 20 * SIM_MS, .queue_limit = 125000 };

  link.rate_steps[0] = (SimStep){ 10 * SIM_SECOND, 2 * MBIT };
  link.rate_steps[1] = (SimStep){ 16 * SIM_SECOND, 20 * MBIT };
  link.n_rate_steps = 2;
  return link;
}

static void
live_step_fixed (SimTest *test)
{
  /* Six of 25 s carry half of the stream at most, and no keyframe within its
   * deadline. */
  run_live (test, &(Live){ .link = falling_link (),
                           .video = 4 * MBIT,
                           .audio = true,
                           .duration = 25 * SIM_SECOND,
                           .latency = 400 * SIM_MS,
                           .frames = 0.7,
                           .sound = 0.9,
                           .p99 = 600 * SIM_MS });
}

static void
live_step_follow (SimTest *test)
{
  run_live (test, &(Live){ .link = falling_link (),
                           .video = 4 * MBIT,
                           .follow = true,
                           .audio = true,
                           .duration = 25 * SIM_SECOND,
                           .latency = 400 * SIM_MS,
                           .frames = 0.88,
                           .sound = 0.93,
                           .p99 = 400 * SIM_MS });
}

static void
live_cross_traffic (SimTest *test)
{
  run_live (test, &(Live){ .link = { .rate = 10 * MBIT,
                                     .delay = 15 * SIM_MS,
                                     .cross_rate = 7 * MBIT,
                                     .cross_on = SIM_SECOND,
                                     .cross_off = SIM_SECOND },
                           .video = 2 * MBIT,
                           .follow = true,
                           .audio = true,
                           .duration = 30 * SIM_SECOND,
                           .latency = 300 * SIM_MS,
                           .frames = 0.97,
                           .sound = 0.97,
                           .mean = 120 * SIM_MS });
}

/* ---- odd ones ---- */

/* A host sleeps: its clock leaps ahead by ten seconds, then lies back. */
static void
clock_leaps (SimTest *test)
{
  SimConfig config;
  SimSourceConfig source;
  Sim *sim;

  sim_config_init (&config);
  sim = sim_new (&config, test->seed);
  sim_connect (sim);
  sim_source_bulk (&source, 1, 20 * MB);
  sim_source_add (sim, 0, &source);
  sim_source_command (&source, 2);
  sim_source_add (sim, 1, &source);
  for (unsigned i = 0; i < 2; i++) {
    sim_run_for (sim, 2 * SIM_SECOND);
    sim_peer_jump_clock (&sim->peer[i], 10 * (int64_t)SIM_SECOND);
    sim_run_for (sim, 2 * SIM_SECOND);
    sim_peer_jump_clock (&sim->peer[i], -200 * (int64_t)SIM_MS);
  }
  sim_run_for (sim, 20 * SIM_SECOND);
  CHECK_EQUAL (test, sim->peer[0].dead + sim->peer[1].dead, 0);
  CHECK_EQUAL (test, sim_flow_find (&sim->peer[0], 1)->bytes_delivered,
               20 * MB);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* An hour of two clocks 200 ppm apart: latencies and ages do not creep. */
static void
clocks_drift (SimTest *test)
{
  SimConfig config;
  SimSourceConfig source;
  SimReport report;
  UdtStats stats;
  Sim *sim;

  sim_config_init (&config);
  config.clock_drift[0] = 100e-6;
  config.clock_drift[1] = -100e-6;
  sim = sim_new (&config, test->seed);
  sim_connect (sim);
  sim_source_audio (&source, 1);
  sim_source_add (sim, 0, &source);
  sim_run_for (sim, 3600 * SIM_SECOND);
  sim_peer_stats (&sim->peer[0], &stats);
  CHECK_MOST (test, stats.queue_delay, 15 * SIM_MS);
  sim_finish (sim);
  sim_flow_report (sim_flow_find (&sim->peer[0], 1), 0, &report);
  CHECK_LEAST (test, report.delivered, 179000);
  CHECK_EQUAL (test, report.missing, 0);
  CHECK_MOST (test, report.max, 30 * SIM_MS);
  sim_test_end (test, sim);
}

/* Five seconds without any network are survived: what is reliable goes on,
 * what is live is given up. */
static void
outage (SimTest *test)
{
  SimConfig config;
  SimSourceConfig source;
  SimFlow *video;
  Sim *sim;

  sim_config_init (&config);
  for (int i = 0; i < 2; i++) {
    config.link[i].down_from = 5 * SIM_SECOND;
    config.link[i].down_until = 10 * SIM_SECOND;
  }
  sim = sim_new (&config, test->seed);
  sim_connect (sim);
  sim_source_video (&source, 1, 2 * MBIT);
  sim_source_add (sim, 0, &source);
  sim_source_command (&source, 2);
  sim_source_add (sim, 0, &source);
  sim_source_add (sim, 1, &source);
  video = sim_flow_find (&sim->peer[0], 1);
  sim_run_until (sim, 11 * SIM_SECOND);
  /* Frames come again within a second of the network's return. */
  CHECK_LEAST (test, video->last_handed, 10900 * SIM_MS);
  sim_run_until (sim, 20 * SIM_SECOND);
  CHECK_LEAST (test, video->drops_told, 100);
  CHECK_EQUAL (test, sim->peer[0].dead + sim->peer[1].dead, 0);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* Sixteen flows each way at once. */
static void
many_flows (SimTest *test)
{
  SimConfig config;
  Sim *sim;

  sim_config_init (&config);
  config.link[0].loss = config.link[1].loss = 0.02;
  sim = sim_new (&config, test->seed);
  sim_connect (sim);
  for (uint16_t i = 0; i < SIM_MAX_FLOWS; i++)
    for (unsigned peer = 0; peer < 2; peer++) {
      SimSourceConfig source;

      sim_source_command (&source, (uint16_t)(i * 4096 + 7));
      source.interval = (10 + i) * SIM_MS;
      source.size = 20 + i * 217u;
      source.config.service = (UdtClass)(i % 4);
      source.config.order = i % 3 ? UDT_ORDER_STRICT : UDT_ORDER_NONE;
      source.config.priority = (uint8_t)i;
      sim_source_add (sim, peer, &source);
    }
  sim_run_for (sim, 5 * SIM_SECOND);
  sim_finish (sim);
  sim_test_end (test, sim);
}

static const SimCase cases[] = {
  { "bulk-clean", bulk_clean, 3 },
  { "bulk-fast", bulk_fast },
  { "bulk-lan", bulk_lan },
  { "bulk-loss-1", bulk_lossy },
  { "bulk-loss-5", bulk_very_lossy, 3 },
  { "bulk-long", bulk_long },
  { "bulk-satellite", bulk_satellite, 3 },
  { "bulk-slow", bulk_slow, 3 },
  { "bulk-bursty", bulk_bursty, 3 },
  { "bulk-reordered", bulk_reordered, 3 },
  { "bulk-doubled", bulk_doubled },
  { "bulk-wifi", bulk_wifi, 3 },
  { "live-clean", live_clean },
  { "live-with-file", live_with_file },
  { "live-loss-2", live_loss_2, 3 },
  { "live-loss-5", live_loss_5, 3 },
  { "live-wifi", live_wifi, 3 },
  { "live-freezes", live_freezes, 3 },
  { "live-bursts", live_bursts, 3 },
  { "live-step-fixed", live_step_fixed },
  { "live-step-follow", live_step_follow },
  { "live-cross-traffic", live_cross_traffic, 3 },
  { "clock-leaps", clock_leaps },
  { "clocks-drift", clocks_drift },
  { "outage", outage, 3 },
  { "many-flows", many_flows },
  { NULL },
};

int
main (int argc, char **argv)
{
  const SimCase *const tables[] = { cases, NULL };

  return sim_test_main (argc, argv, tables);
}
