/* The simulator itself: it does what it says, and its checks can fail.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each invariant is broken once on purpose here; a check that never fires
 * proves nothing.
 */
#include "simtest.h"

#include <pthread.h>
#include <string.h>

static const UdtFlowConfig reliable
    = { .service = UDT_CLASS_BULK, .order = UDT_ORDER_STRICT };

/* ---- the pieces ---- */

static void
seal_detects (SimTest *test)
{
  SimSeal seal = { .key = { 1, 2 } }, other = { .key = { 1, 3 } };
  uint8_t plain[61], aad[12] = { 3 }, sealed[61 + UDT_TAG_SIZE];

  for (size_t i = 0; i < sizeof plain; i++)
    plain[i] = (uint8_t)i;
  for (size_t bit = 0; bit < sizeof sealed * 8; bit++) {
    memcpy (sealed, plain, sizeof plain);
    sim_seal (&seal, 9, aad, sizeof aad, sealed, sizeof plain);
    sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    CHECK (test, !sim_open (&seal, 9, aad, sizeof aad, sealed, sizeof sealed));
  }
  memcpy (sealed, plain, sizeof plain);
  sim_seal (&seal, 9, aad, sizeof aad, sealed, sizeof plain);
  CHECK (test, memcmp (sealed, plain, sizeof plain));
  CHECK (test, !sim_open (&seal, 10, aad, sizeof aad, sealed, sizeof sealed));
  CHECK (test, !sim_open (&other, 9, aad, sizeof aad, sealed, sizeof sealed));
  CHECK (test, !sim_open (&seal, 9, aad, 11, sealed, sizeof sealed));
  CHECK (test, !sim_open (&seal, 9, aad, sizeof aad, sealed, 15));
  CHECK (test, sim_open (&seal, 9, aad, sizeof aad, sealed, sizeof sealed));
  CHECK (test, !memcmp (sealed, plain, sizeof plain));
}

static void
memory_counts (SimTest *test)
{
  SimMemory memory = { 0 };
  void *a = sim_memory_alloc (&memory, 100), *b, *c;

  memory.fail_first = 2;
  memory.fail_count = 1;
  b = sim_memory_alloc (&memory, 10);
  c = sim_memory_alloc (&memory, 20);
  CHECK (test, a && !b && c);
  CHECK_EQUAL (test, memory.used, 120);
  CHECK_EQUAL (test, memory.refused, 1);
  sim_memory_free (&memory, a);
  sim_memory_free (&memory, c);
  CHECK_EQUAL (test, memory.used, 0);
  CHECK_EQUAL (test, memory.peak, 120);
  CHECK (test, !memory.broken);
}

static void
numbers_are_unique (SimTest *test)
{
  SimNumberSet set = { 0 };

  CHECK (test, sim_number_set_add (&set, 1000));
  CHECK (test, sim_number_set_add (&set, 1001));
  CHECK (test, sim_number_set_add (&set, 90000));
  CHECK (test, !sim_number_set_add (&set, 1001));
  CHECK (test, !sim_number_set_add (&set, 5));
  sim_number_set_clear (&set);
}

/* ---- the path ---- */

/* A bulk transfer of 2 MB; what the link says of it. */
static Sim *
transfer (SimTest *test, const SimLinkConfig *link, uint64_t total)
{
  SimConfig config;
  SimSourceConfig bulk;
  Sim *sim;

  sim_config_init (&config);
  sim_config_both (&config, link);
  sim = sim_new (&config, test->seed);
  sim_source_bulk (&bulk, 1, total);
  if (sim_connect (sim)) {
    sim_source_add (sim, 0, &bulk);
    sim_run_for (sim, 20 * SIM_SECOND);
  }
  return sim;
}

static void
link_obeys (SimTest *test)
{
  SimLinkConfig link = {
    .rate = 8000000, .delay = 30 * SIM_MS, .queue_limit = 60000, .mtu = 1300
  };
  Sim *sim = transfer (test, &link, 2000000);
  const SimLinkStats *stats = sim_link_stats (sim->link[0]);
  SimFlow *flow = sim_flow_find (&sim->peer[0], 1);
  SimReport report = { 0 };

  if (flow)
    sim_flow_report (flow, 0, &report);
  CHECK_EQUAL (test, report.bytes, 2000000);
  /* 2 MB at 1 MB/s cannot take less than 2 s. */
  CHECK_LEAST (test, report.completed, 2 * SIM_SECOND);
  CHECK_MOST (test, stats->max_queue, 60000);
  CHECK_MOST (test, stats->max_transit,
              30 * SIM_MS + (60000 + 1400) * SIM_SECOND / 1000000);
  CHECK_LEAST (test, stats->oversized, 1);
  sim_finish (sim);
  sim_test_end (test, sim);
}

static void
link_impairs (SimTest *test)
{
  SimLinkConfig link = { .rate = 8000000,
                         .delay = 30 * SIM_MS,
                         .queue_limit = 100000,
                         .loss = 0.02,
                         .duplicate = 0.03,
                         .corrupt = 0.02,
                         .truncate = 0.01,
                         .reorder = 0.02,
                         .reorder_delay = 10 * SIM_MS };
  Sim *sim = transfer (test, &link, 4000000);
  const SimLinkStats *stats = sim_link_stats (sim->link[0]);
  double n = (double)stats->offered;

  CHECK_LEAST (test, stats->offered, 3000);
  CHECK_LEAST (test, (double)stats->lost, 0.013 * n);
  CHECK_MOST (test, (double)stats->lost, 0.027 * n);
  CHECK_LEAST (test, (double)stats->duplicated, 0.02 * n);
  CHECK_LEAST (test, (double)stats->corrupted, 0.02 * n);
  CHECK_LEAST (test, (double)stats->reordered, 0.013 * n);
  sim_finish (sim);
  sim_test_end (test, sim);
}

static void
link_bursts (SimTest *test)
{
  /* 5 % of the time bad, 8 packets on average. */
  SimLinkConfig link = { .rate = 8000000,
                         .delay = 10 * SIM_MS,
                         .queue_limit = 100000,
                         .burst_enter = 0.0065,
                         .burst_leave = 0.125,
                         .burst_loss = 0.9 };
  Sim *sim = transfer (test, &link, 4000000);
  const SimLinkStats *stats = sim_link_stats (sim->link[0]);

  CHECK_LEAST (test, (double)stats->lost, 0.02 * (double)stats->offered);
  CHECK_MOST (test, (double)stats->lost, 0.09 * (double)stats->offered);
  sim_finish (sim);
  sim_test_end (test, sim);
}

/* ---- the same seed gives the same run ---- */

static uint64_t
busy_run (SimTest *test, uint64_t seed)
{
  SimConfig config;
  SimSourceConfig video, audio, bulk;
  Sim *sim;
  uint64_t trace;

  sim_config_init (&config);
  for (int i = 0; i < 2; i++) {
    config.link[i].loss = 0.02;
    config.link[i].jitter = SIM_JITTER_WIFI;
  }
  config.timer_slack = 500;
  sim = sim_new (&config, seed);
  sim_source_video (&video, 1, 2000000);
  sim_source_audio (&audio, 2);
  sim_source_bulk (&bulk, 3, 500000);
  if (sim_connect (sim)) {
    sim_source_add (sim, 0, &video);
    sim_source_add (sim, 1, &audio);
    sim_source_add (sim, 1, &bulk);
    sim_run_for (sim, 5 * SIM_SECOND);
    sim_finish (sim);
  }
  trace = sim->trace;
  if (test) {
    sim_test_end (test, sim);
  } else {
    if (sim->failed)
      trace = 0;
    sim_free (sim);
  }
  return trace;
}

static void
same_seed_same_bytes (SimTest *test)
{
  uint64_t first = busy_run (test, test->seed);

  CHECK (test, first == busy_run (test, test->seed));
  CHECK (test, first != busy_run (test, test->seed + 1));
}

static void *
busy_thread (void *arg)
{
  uint64_t *value = arg;

  *value = busy_run (NULL, *value);
  return NULL;
}

/* Two connections in two threads share nothing: same bytes as alone. With
 * thread checking on, a global in the engine is a report. */
static void
threads_share_nothing (SimTest *test)
{
  uint64_t alone = busy_run (test, test->seed), result[2];
  pthread_t threads[2];

  for (int i = 0; i < 2; i++) {
    result[i] = test->seed;
    if (pthread_create (&threads[i], NULL, busy_thread, &result[i]))
      CHECK (test, !"thread");
  }
  for (int i = 0; i < 2; i++) {
    pthread_join (threads[i], NULL);
    CHECK (test, result[i] == alone);
  }
}

/* ---- every check fires ---- */

typedef void (*Sabotage) (Sim *sim, SimFlow *flow);

static void
change_content (Sim *sim, SimFlow *flow)
{
  (void)flow;
  for (size_t i = 0; i < SIM_CONTENT_BYTES; i += 100)
    sim->content[i] ^= 1;
}

static void
hide_delivery (Sim *sim, SimFlow *flow)
{
  (void)sim;
  flow->next_id += 1; /* the next one comes as if again */
}

static void
claim_delivered (Sim *sim, SimFlow *flow)
{
  (void)sim;
  for (size_t i = 0; i < flow->n_messages; i++)
    flow->messages[i].delivered = true;
}

static void
claim_sent_later (Sim *sim, SimFlow *flow)
{
  (void)sim;
  flow->messages[flow->n_messages - 1].submitted += SIM_SECOND;
}

static void
reuse_number (Sim *sim, SimFlow *flow)
{
  (void)flow;
  memset (sim->peer[0].numbers.bits, 0xff, sim->peer[0].numbers.words * 8);
}

static void
shrink_limit (Sim *sim, SimFlow *flow)
{
  (void)flow;
  sim->peer[0].config.send_limit = 10;
}

static void
leak_memory (Sim *sim, SimFlow *flow)
{
  (void)flow;
  /* Counted, never freed, and freed for real so that no tool complains. */
  sim->peer[0].memory.blocks++;
}

static void
forget_release (Sim *sim, SimFlow *flow)
{
  (void)sim;
  flow->released--;
}

static void
change_flags (Sim *sim, SimFlow *flow)
{
  (void)sim;
  flow->messages[flow->n_messages - 1].flags ^= UDT_MESSAGE_SYNC;
}

static void
checks_fire (SimTest *test)
{
  static const struct
  {
    Sabotage sabotage;
    const char *says;
  } cases[] = {
    { change_content, "wrong bytes" }, { hide_delivery, "flow 1: message" },
    { claim_delivered, "twice" },      { claim_sent_later, "impossible times" },
    { reuse_number, "used again" },    { shrink_limit, "send buffer" },
    { leak_memory, "memory left" },    { forget_release, "not drained" },
    { change_flags, "flags" },         { NULL, NULL },
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    SimConfig config;
    Sim *sim;
    SimFlow *flow;

    sim_config_init (&config);
    sim = sim_new (&config, test->seed);
    if (sim_connect (sim) && (flow = sim_flow_open (sim, 0, 1, &reliable))) {
      sim_flow_send (flow, 5000, 0);
      sim_run_for (sim, SIM_SECOND);
      sim_flow_send (flow, 5000, 0);
      if (cases[i].sabotage)
        cases[i].sabotage (sim, flow);
      sim_finish (sim);
    }
    if (!cases[i].says) {
      sim_test_end (test, sim);
      continue;
    }
    if (!sim->failed || !strstr (sim->failure, cases[i].says))
      sim_test_fail (test, __FILE__, __LINE__, "wanted \"%s\", got \"%s\"",
                     cases[i].says, sim->failure);
    /* What was leaked on purpose has served. */
    sim_free (sim);
  }
}

static const SimCase cases[] = {
  { "sim-seal-detects", seal_detects },
  { "sim-memory-counts", memory_counts },
  { "sim-numbers-are-unique", numbers_are_unique },
  { "sim-link-obeys", link_obeys },
  { "sim-link-impairs", link_impairs },
  { "sim-link-bursts", link_bursts },
  { "sim-same-seed-same-bytes", same_seed_same_bytes },
  { "sim-threads-share-nothing", threads_share_nothing },
  { "sim-checks-fire", checks_fire },
  { NULL },
};

int
main (int argc, char **argv)
{
  const SimCase *const tables[] = { cases, NULL };

  return sim_test_main (argc, argv, tables);
}
