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
                      .overhead = 1.215 });
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
                      .overhead = 1.23 });
}

/* ---- beside a file ---- */

/* A frame alone takes this link 6 ms, a keyframe 31. */
static const SimLinkConfig home = { .rate = 10 * MBIT, .delay = 10 * SIM_MS };

static void
file_beside (SimTest *test)
{
  run (test, &(Goal){ .link = home,
                      .video = 2 * MBIT,
                      .audio = true,
                      .file = true,
                      .duration = 60 * SIM_SECOND,
                      .least = 1,
                      .every_key = true,
                      .mean = 25 * SIM_MS,
                      .max = 100 * SIM_MS,
                      .file_done = 14 * SIM_SECOND });
}

static void
file_beside_wifi (SimTest *test)
{
  SimLinkConfig link = home;

  link.jitter = SIM_JITTER_WIFI;
  run (test, &(Goal){ .link = link,
                      .video = 2 * MBIT,
                      .audio = true,
                      .file = true,
                      .duration = 60 * SIM_SECOND,
                      .latency = 400 * SIM_MS,
                      .least = 1,
                      .every_key = true,
                      .mean = 60 * SIM_MS,
                      .max = 350 * SIM_MS,
                      .file_done = 16 * SIM_SECOND });
}

static void
file_beside_freezes (SimTest *test)
{
  SimLinkConfig link = home;

  link.freeze_first = SIM_SECOND;
  link.freeze_every = 3 * SIM_SECOND;
  link.freeze_for = 150 * SIM_MS;
  link.freeze_count = 20;
  run (test, &(Goal){ .link = link,
                      .video = 2 * MBIT,
                      .audio = true,
                      .file = true,
                      .duration = 60 * SIM_SECOND,
                      .latency = 400 * SIM_MS,
                      .least = 1,
                      .every_key = true,
                      .mean = 60 * SIM_MS,
                      .max = 350 * SIM_MS,
                      .file_done = 16 * SIM_SECOND });
}

/* ---- a link that falls and returns ---- */

#define FALL (10 * SIM_SECOND)
#define RETURN (16 * SIM_SECOND)

/* Frames submitted from `from` to `until`: the share that came within `limit`,
 * and the slowest one of those that came. */
static double
share_within (const SimFlow *flow, UdtTime from, UdtTime until, UdtTime limit,
              UdtTime *slowest)
{
  unsigned all = 0, good = 0;

  *slowest = 0;
  for (size_t i = 0; i < flow->n_messages; i++) {
    const SimMessage *message = &flow->messages[i];
    UdtTime delay = message->handed - message->submitted;

    if (message->submitted < from || message->submitted >= until)
      continue;
    all++;
    good += message->delivered && delay <= limit;
    if (message->delivered && delay > *slowest)
      *slowest = delay;
  }
  return all ? (double)good / all : 0;
}

static void
fall (SimTest *test, bool follow, UdtTime p99)
{
  Goal goal
      = { .link
          = { .rate = 20 * MBIT, .delay = 20 * SIM_MS, .queue_limit = 125000 },
          .video = 4 * MBIT,
          .follow = follow,
          .duration = 25 * SIM_SECOND,
          .latency = 400 * SIM_MS };
  SimReport r;
  SimFlow *video;
  UdtTime slowest;
  double share;
  Sim *sim;

  goal.link.rate_steps[0] = (SimStep){ FALL, 2 * MBIT };
  goal.link.rate_steps[1] = (SimStep){ RETURN, 20 * MBIT };
  goal.link.n_rate_steps = 2;
  sim = start (test, &goal);
  sim_run_for (sim, goal.duration + SIM_SECOND);
  if (!sim->failed) {
    video = sim_flow_find (&sim->peer[0], VIDEO);
    sim_flow_report (video, goal.latency, &r);
    note_frames (test, &r);
    CHECK_MOST (test, r.p99, p99);
    /* What follows the fall for more than a second is in step with it. */
    share = share_within (video, FALL + SIM_SECOND, RETURN, SIM_SECOND / 5,
                          &slowest);
    sim_test_note (test, "low: %.1f%% within 200 ms, slowest %.1f ms",
                   100 * share, (double)slowest / 1e3);
    if (follow)
      CHECK_LEAST (test, share, 0.95);
    share = share_within (video, RETURN + SIM_SECOND, goal.duration,
                          SIM_SECOND / 10, &slowest);
    sim_test_note (test, "back: %.1f%% within 100 ms, slowest %.1f ms",
                   100 * share, (double)slowest / 1e3);
    CHECK_EQUAL (test, share, 1);
  }
  sim_finish (sim);
  sim_test_end (test, sim);
}

static void
fall_follow (SimTest *test)
{
  fall (test, true, 300 * SIM_MS);
}

static void
fall_fixed (SimTest *test)
{
  fall (test, false, 600 * SIM_MS);
}

/* A file over it: how fast the new rate is found, either way. */
static void
fall_bulk (SimTest *test)
{
  Goal goal = {
    .link = { .rate = 20 * MBIT, .delay = 20 * SIM_MS, .queue_limit = 125000 }
  };
  SimSourceConfig source;
  SimConfig config;
  UdtStats stats;
  SimFlow *file;
  uint64_t before;
  Sim *sim;

  goal.link.rate_steps[0] = (SimStep){ FALL, 2 * MBIT };
  goal.link.rate_steps[1] = (SimStep){ RETURN, 20 * MBIT };
  goal.link.n_rate_steps = 2;
  sim_config_init (&config);
  sim_config_both (&config, &goal.link);
  sim = sim_new (&config, test->seed);
  sim_connect (sim);
  sim_source_bulk (&source, FILE_FLOW, 400 * MB);
  sim_source_add (sim, 0, &source);
  sim_run_until (sim, FALL + SIM_SECOND);
  file = sim_flow_find (&sim->peer[0], FILE_FLOW);
  sim_peer_stats (&sim->peer[0], &stats);
  sim_test_note (test, "a second after the fall: pace %.2f, queue %.1f ms",
                 (double)stats.pacing_rate / 1e6,
                 (double)stats.queue_delay / 1e3);
  CHECK_MOST (test, stats.pacing_rate, 2.6 * MBIT);
  sim_run_until (sim, RETURN + 2 * SIM_SECOND);
  before = file->bytes_delivered;
  sim_run_for (sim, SIM_SECOND);
  sim_test_note (test, "two seconds after the return: %.2f Mbit/s",
                 (double)(file->bytes_delivered - before) * 8e-6);
  CHECK_LEAST (test, (file->bytes_delivered - before) * 8, 17 * MBIT);
  sim->lossy_close = true;
  sim_abandon (sim);
  sim_test_end (test, sim);
}

/* ---- the beginning ---- */

/* Half a second after the connection stands, a camera begins with a keyframe
 * and goes on at `bitrate`, with a file beside it or not. How long that first
 * one takes, and how long the queue gets meanwhile. */
static void
begin_with_key (SimTest *test, const SimLinkConfig *link, uint64_t bitrate,
                bool file, UdtTime first, UdtTime queue)
{
  SimSourceConfig source;
  SimConfig config;
  SimFlow *video;
  UdtTime delay;
  double longest;
  Sim *sim;

  sim_config_init (&config);
  sim_config_both (&config, link);
  sim = sim_new (&config, test->seed);
  sim_connect (sim);
  sim_run_for (sim, SIM_SECOND / 2);
  sim_source_video (&source, VIDEO, bitrate);
  source.key_weight = KEY_WEIGHT;
  source.config.deadline = 2 * SIM_SECOND;
  sim_source_add (sim, 0, &source);
  if (file) {
    sim_source_bulk (&source, FILE_FLOW, MB / 5);
    sim_source_add (sim, 0, &source);
  }
  sim_run_for (sim, 3 * SIM_SECOND);
  video = sim_flow_find (&sim->peer[0], VIDEO);
  delay = video->messages[0].handed - video->messages[0].submitted;
  longest = (double)sim_link_stats (sim->link[0])->max_queue * 8e6
            / (double)link->rate;
  sim_test_note (test, "%u bytes after %.1f ms, queue of %.1f ms at most",
                 (unsigned)video->messages[0].size, (double)delay / 1e3,
                 longest / 1e3);
  CHECK (test, video->messages[0].delivered);
  CHECK_MOST (test, delay, first);
  CHECK_MOST (test, longest, queue);
  sim_finish (sim);
  sim_test_end (test, sim);
}

static void
begin_far (SimTest *test)
{
  /* 50 ms on the way and up to 38 in the bottleneck; no round trip more. */
  begin_with_key (test,
                  &(SimLinkConfig){ .rate = 20 * MBIT,
                                    .delay = 50 * SIM_MS,
                                    .queue_limit = 500000 },
                  4 * MBIT, false, 120 * SIM_MS, 20 * SIM_MS);
}

static void
begin_slow (SimTest *test)
{
  /* The keyframe alone is 50 ms of this link. */
  begin_with_key (test,
                  &(SimLinkConfig){ .rate = 400000,
                                    .delay = 20 * SIM_MS,
                                    .queue_limit = 100000 },
                  MBIT / 8, true, 150 * SIM_MS, 200 * SIM_MS);
}

/* ---- packet size ---- */

/* The largest size is found whatever is lost, also of the probes. */
static void
size_despite_loss (SimTest *test)
{
  SimSourceConfig source;
  SimConfig config;
  UdtStats stats;
  Sim *sim;

  sim_config_init (&config);
  config.link[0].loss = config.link[1].loss = 0.1;
  sim = sim_new (&config, test->seed);
  sim_connect (sim);
  sim_source_audio (&source, AUDIO);
  sim_source_add (sim, 0, &source);
  sim_run_for (sim, 10 * SIM_SECOND);
  sim_peer_stats (&sim->peer[0], &stats);
  CHECK_EQUAL (test, stats.mtu, UDT_MAX_PACKET);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* A path that carries more than it did is noticed within minutes. */
static void
size_grows (SimTest *test)
{
  SimSourceConfig source;
  SimConfig config;
  UdtStats stats;
  Sim *sim;

  sim_config_init (&config);
  for (int i = 0; i < 2; i++) {
    config.link[i].mtu = 1300;
    config.link[i].mtu_steps[0] = (SimStep){ 60 * SIM_SECOND, 1500 };
    config.link[i].n_mtu_steps = 1;
  }
  sim = sim_new (&config, test->seed);
  sim_connect (sim);
  sim_source_audio (&source, AUDIO);
  sim_source_add (sim, 0, &source);
  sim_run_for (sim, 30 * SIM_SECOND);
  sim_peer_stats (&sim->peer[0], &stats);
  CHECK_LEAST (test, stats.mtu, 1284);
  CHECK_MOST (test, stats.mtu, 1300);
  /* The search is over, not going on. */
  CHECK_MOST (test, stats.probes_sent, 50);
  sim_run_for (sim, 240 * SIM_SECOND);
  sim_peer_stats (&sim->peer[0], &stats);
  CHECK_EQUAL (test, stats.mtu, UDT_MAX_PACKET);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* ---- files ---- */

/* Of what the link can carry of payload, when nothing is wasted.
 * Acknowledgements are lost as well. */
static void
goodput_slack (SimTest *test, const SimLinkConfig *link, uint64_t bytes,
               UdtTime slack, double least)
{
  /* A packet's share that is payload: IP, UDP, our header, tag and frame. */
  double payload = 1428.0 / (UDT_MAX_PACKET + SIM_IP_UDP_OVERHEAD);
  double limit = (double)link->rate * (1 - link->loss) * payload;
  SimSourceConfig source;
  SimConfig config;
  const SimLinkStats *way;
  UdtTime began, warm;
  uint64_t before;
  UdtStats stats;
  SimFlow *file;
  double share, lost, repeated;
  Sim *sim;

  sim_config_init (&config);
  sim_config_both (&config, link);
  for (int i = 0; i < 2; i++) {
    config.link[i].queue_limit = link->rate / 8 / 10;
    config.udt[i].send_limit = config.udt[i].receive_limit = 16 << 20;
  }
  config.timer_slack = slack;
  sim = sim_new (&config, test->seed);
  sim_connect (sim);
  sim_source_bulk (&source, FILE_FLOW, bytes);
  sim_source_add (sim, 0, &source);
  file = sim_flow_find (&sim->peer[0], FILE_FLOW);
  began = sim->now;
  /* A file as such, its first seconds apart. */
  sim_run_for (sim, 3 * SIM_SECOND);
  before = file->bytes_delivered;
  warm = sim->now;
  sim_run_for (sim, 20 * SIM_SECOND);
  share = (double)(file->bytes_delivered - before) * 8e6
          / (double)(sim->now - warm) / limit;
  sim_peer_stats (&sim->peer[0], &stats);
  way = sim_link_stats (sim->link[0]);
  lost = (double)(way->lost + way->overflowed) / (double)way->offered;
  repeated
      = (double)stats.bytes_retransmitted / (double)stats.payload_bytes_sent;
  sim_test_note (test,
                 "%.4f of the limit, %.4f from the start; repeated %.2f%%, "
                 "mtu %u",
                 share,
                 (double)file->bytes_delivered * 8e6
                     / (double)(sim->now - began) / limit,
                 100.0 * repeated, (unsigned)stats.mtu);
  CHECK_LEAST (test, share, least);
  /* What arrived is not repeated. */
  CHECK_MOST (test, repeated, lost / (1 - lost) + 0.002);
  sim->lossy_close = true;
  sim_abandon (sim);
  sim_test_end (test, sim);
}

static void
goodput (SimTest *test, const SimLinkConfig *link, uint64_t bytes, double least)
{
  goodput_slack (test, link, bytes, 0, least);
}

static void
goodput_clean (SimTest *test)
{
  goodput (test, &(SimLinkConfig){ .rate = 100 * MBIT, .delay = 25 * SIM_MS },
           400 * MB, 0.99);
}

static void
goodput_loss_1 (SimTest *test)
{
  goodput (test,
           &(SimLinkConfig){
               .rate = 100 * MBIT, .delay = 25 * SIM_MS, .loss = 0.01 },
           400 * MB, 0.985);
}

static void
goodput_loss_5 (SimTest *test)
{
  goodput (test,
           &(SimLinkConfig){
               .rate = 20 * MBIT, .delay = 50 * SIM_MS, .loss = 0.05 },
           400 * MB, 0.985);
}

/* Timers of a host are late, by a millisecond or by several, and the path is
 * filled all the same. */
static void
goodput_late_timers (SimTest *test)
{
  static const SimLinkConfig link
      = { .rate = 100 * MBIT, .delay = 25 * SIM_MS };

  goodput_slack (test, &link, 400 * MB, 2 * SIM_MS, 0.97);
  goodput_slack (test, &link, 400 * MB, 10 * SIM_MS, 0.97);
}

/* ---- */

static const SimCase cases[] = {
  { "loss-far", loss_far, 5 },
  { "loss-far-audio", loss_far_audio, 3 },
  { "file-beside", file_beside, 3 },
  { "file-beside-wifi", file_beside_wifi, 3 },
  { "file-beside-freezes", file_beside_freezes, 3 },
  { "fall-follow", fall_follow, 3 },
  { "fall-fixed", fall_fixed, 3 },
  { "fall-bulk", fall_bulk, 3 },
  { "begin-far", begin_far, 3 },
  { "begin-slow", begin_slow, 3 },
  { "size-despite-loss", size_despite_loss, 30 },
  { "size-grows", size_grows },
  { "goodput-clean", goodput_clean },
  { "goodput-loss-1", goodput_loss_1, 3 },
  { "goodput-loss-5", goodput_loss_5, 3 },
  { "goodput-late-timers", goodput_late_timers },
  { NULL },
};

int
main (int argc, char **argv)
{
  const SimCase *const tables[] = { cases, NULL };

  return sim_test_main (argc, argv, tables);
}
