/* The event loop: one heap, virtual time, and the life of a simulation.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Events at the same time run in the order in which they were made, so a run
 * depends on its seed and on nothing else. One thread per simulation.
 */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_LIMIT (30 * SIM_SECOND)
/* Draining may take long, but not stand still. */
#define STALL_LIMIT (30 * SIM_SECOND)
#define SETTLE_TIME (15 * SIM_SECOND)
#define QUIET_TIME (60 * SIM_SECOND)
/* Two keep-alives and their answers at most per interval and side, and one
 * interval for where the window begins. */
#define QUIET_PACKETS(interval)                                                \
  ((interval) ? 2 * (QUIET_TIME / (interval) + 1) : 0)
#define CLOSE_LIMIT (30 * SIM_SECOND)
#define CLOSE_CODE 77
#define CLOSE_REASON "end of the run"

static bool
before (const SimEvent *a, const SimEvent *b)
{
  return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void
sim_at (Sim *sim, UdtTime when, SimCallback call, void *arg, uint64_t value)
{
  SimEvent event
      = { when < sim->now ? sim->now : when, sim->order++, call, arg, value };
  size_t at = sim->n_events++;

  if (at == sim->heap_size) {
    sim->heap_size = sim->heap_size ? sim->heap_size * 2 : 256;
    sim->heap = realloc (sim->heap, sim->heap_size * sizeof *sim->heap);
    if (!sim->heap)
      abort ();
  }
  while (at && before (&event, &sim->heap[(at - 1) / 2])) {
    sim->heap[at] = sim->heap[(at - 1) / 2];
    at = (at - 1) / 2;
  }
  sim->heap[at] = event;
}

static SimEvent
pop (Sim *sim)
{
  SimEvent first = sim->heap[0], last = sim->heap[--sim->n_events];
  size_t at = 0, child;

  while ((child = at * 2 + 1) < sim->n_events) {
    if (child + 1 < sim->n_events
        && before (&sim->heap[child + 1], &sim->heap[child]))
      child++;
    if (!before (&sim->heap[child], &last))
      break;
    sim->heap[at] = sim->heap[child];
    at = child;
  }
  sim->heap[at] = last;
  return first;
}

void
sim_fail (Sim *sim, const char *format, ...)
{
  va_list args;
  int n;

  if (sim->failed)
    return;
  sim->failed = true;
  n = snprintf (sim->failure, sizeof sim->failure,
                "seed %llu, at %.6f s: ", (unsigned long long)sim->seed,
                (double)sim->now / 1e6);
  va_start (args, format);
  vsnprintf (sim->failure + n, sizeof sim->failure - (size_t)n, format, args);
  va_end (args);
}

bool
sim_run_to (Sim *sim, bool (*done) (Sim *sim, void *user), void *user,
            UdtTime limit)
{
  while (!sim->failed) {
    if (done && done (sim, user))
      return true;
    if (!sim->n_events || sim->heap[0].at > limit) {
      sim->now = limit > sim->now ? limit : sim->now;
      return !done;
    }
    SimEvent event = pop (sim);

    sim->now = event.at;
    sim->events++;
    event.call (sim, event.arg, event.value);
  }
  return false;
}

void
sim_run_until (Sim *sim, UdtTime when)
{
  sim_run_to (sim, NULL, NULL, when);
}

void
sim_run_for (Sim *sim, UdtTime time)
{
  sim_run_until (sim, sim->now + time);
}

void
sim_config_both (SimConfig *config, const SimLinkConfig *link)
{
  config->link[0] = config->link[1] = *link;
}

void
sim_config_init (SimConfig *config)
{
  SimLinkConfig link = { .rate = 20000000, .delay = 20 * SIM_MS };

  memset (config, 0, sizeof *config);
  link.queue_limit = link.rate / 8 / 10;
  sim_config_both (config, &link);
  for (int i = 0; i < 2; i++) {
    udt_config_init (&config->udt[i]);
    config->udt[i].local_id = 0x10203040u + (unsigned)i;
    config->udt[i].remote_id = 0x10203040u + !i;
  }
}

Sim *
sim_new (const SimConfig *config, uint64_t seed)
{
  Sim *sim = calloc (1, sizeof *sim);

  if (!sim || !(sim->content = malloc (SIM_CONTENT_BYTES + 8)))
    abort ();
  sim->seed = seed;
  sim->config = *config;
  sim_random_init (&sim->random, seed);
  for (size_t i = 0; i < SIM_CONTENT_BYTES; i += 8) {
    uint64_t word = sim_random_next (&sim->random);

    memcpy (sim->content + i, &word, 8);
  }
  for (unsigned i = 0; i < 2; i++)
    sim->link[i] = sim_link_new (sim, i, &config->link[i]);
  for (unsigned i = 0; i < 2; i++)
    if (!sim_peer_init (&sim->peer[i], sim, i))
      sim_fail (sim, "peer %u: the engine refused its configuration", i);
  return sim;
}

void
sim_free (Sim *sim)
{
  SimPacket *packet;
  SimSource *source;

  if (!sim)
    return;
  for (unsigned i = 0; i < 2; i++)
    sim_peer_clear (&sim->peer[i]);
  for (unsigned i = 0; i < 2; i++)
    sim_link_free (sim->link[i]);
  while ((packet = sim->packets)) {
    sim->packets = packet->all;
    free (packet);
  }
  while ((source = sim->sources)) {
    sim->sources = source->next;
    free (source);
  }
  free (sim->heap);
  free (sim->content);
  free (sim);
}

static bool
both_connected (Sim *sim, void *user)
{
  (void)user;
  return sim->peer[0].connected && sim->peer[1].connected;
}

bool
sim_connect (Sim *sim)
{
  for (unsigned i = 0; i < 2; i++)
    if (!sim->failed)
      sim_peer_service (&sim->peer[i]);
  if (!sim_run_to (sim, both_connected, NULL, sim->now + CONNECT_LIMIT))
    sim_fail (sim, "not connected after %u s",
              (unsigned)(CONNECT_LIMIT / SIM_SECOND));
  return !sim->failed;
}

/* ---- the end of a run ---- */

static bool
all_drained (Sim *sim, void *user)
{
  (void)user;
  for (unsigned i = 0; i < 2; i++) {
    if (!sim_link_is_idle (sim->link[i]))
      return false;
    for (unsigned j = 0; j < SIM_MAX_FLOWS; j++)
      if (sim->peer[i].flows[j].used && sim->peer[i].flows[j].open
          && !sim_flow_is_drained (&sim->peer[i].flows[j]))
        return false;
  }
  return true;
}

static uint64_t
released (const Sim *sim)
{
  uint64_t sum = 0;

  for (unsigned i = 0; i < 2; i++)
    for (unsigned j = 0; j < SIM_MAX_FLOWS; j++)
      sum += sim->peer[i].flows[j].released;
  return sum;
}

static void
drain (Sim *sim)
{
  uint64_t before;

  do {
    before = released (sim);
    if (sim_run_to (sim, all_drained, NULL, sim->now + STALL_LIMIT))
      return;
  } while (released (sim) != before);
  sim_fail (sim, "not drained, and no progress in %u s",
            (unsigned)(STALL_LIMIT / SIM_SECOND));
}

static void
check_quiet (Sim *sim)
{
  uint64_t before[2], sent;

  /* On a path that behaves: repairing what is lost is not noise. */
  for (unsigned i = 0; i < 2; i++)
    sim_link_calm (sim->link[i]);
  sim_run_for (sim, SETTLE_TIME);
  for (unsigned i = 0; i < 2; i++)
    before[i] = sim->peer[i].packets_out;
  sim_run_for (sim, QUIET_TIME);
  for (unsigned i = 0; i < 2; i++) {
    UdtTime a = sim->peer[0].config.keep_alive_interval;
    UdtTime b = sim->peer[1].config.keep_alive_interval;

    sent = sim->peer[i].packets_out - before[i];
    if (sent > QUIET_PACKETS (a) + QUIET_PACKETS (b))
      sim_fail (sim, "peer %u not quiet: %llu packets in %u s of nothing to do",
                i, (unsigned long long)sent,
                (unsigned)(QUIET_TIME / SIM_SECOND));
  }
}

static bool
both_closed (Sim *sim, void *user)
{
  (void)user;
  for (unsigned i = 0; i < 2; i++)
    if (!sim->peer[i].closed || !udt_connection_is_finished (sim->peer[i].conn))
      return false;
  return true;
}

static void
check_close (Sim *sim)
{
  SimPeer *peer = sim->peer;

  if (sim->failed)
    return;
  udt_connection_close (peer[0].conn, CLOSE_CODE, CLOSE_REASON, 0,
                        sim_peer_now (&peer[0]));
  sim_peer_service (&peer[0]);
  if (!sim_run_to (sim, both_closed, NULL, sim->now + CLOSE_LIMIT)) {
    sim_fail (sim, "close not finished: closed %llu %llu",
              (unsigned long long)peer[0].closed,
              (unsigned long long)peer[1].closed);
    return;
  }
  if (peer[0].closed_by_peer || !peer[1].closed_by_peer
      || peer[1].close_code != CLOSE_CODE
      || strcmp (peer[1].close_reason, CLOSE_REASON))
    sim_fail (sim, "close told wrongly: code %u, reason \"%s\"",
              (unsigned)peer[1].close_code, peer[1].close_reason);
}

bool
sim_abandon (Sim *sim)
{
  for (unsigned i = 0; i < 2; i++)
    sim_peer_finish (&sim->peer[i]);
  sim->freed = true;
  return !sim->failed;
}

bool
sim_finish (Sim *sim)
{
  for (SimSource *source = sim->sources; source; source = source->next)
    source->stopped = true;
  for (unsigned i = 0; i < 2; i++)
    if (!sim->failed)
      sim_peer_service (&sim->peer[i]);
  drain (sim);
  for (unsigned i = 0; i < 2 && !sim->failed; i++)
    for (unsigned j = 0; j < SIM_MAX_FLOWS; j++)
      if (sim->peer[i].flows[j].used)
        sim_flow_check_end (&sim->peer[i].flows[j]);
  if (!sim->failed)
    check_quiet (sim);
  check_close (sim);
  return sim_abandon (sim);
}
