/* One direction of the path: a bottleneck with a queue, then the way.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A packet meets, in this order: the cut by size, the queue (dropped when it
 * is full), the bottleneck's rate, loss, damage, delay with jitter, freezes,
 * and at last the other end. Belongs to its simulation's thread.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

struct _SimLink
{
  Sim *sim;
  unsigned from;
  SimLinkConfig config;
  SimLinkStats stats;
  SimRandom random;
  SimFilter filter;
  void *filter_user;

  SimPacket *head, **tail; /* waiting at or leaving the bottleneck */
  size_t queued;           /* bytes of it */
  bool serving;
  double tokens; /* bytes that may pass at bucket_rate */
  UdtTime tokens_at;
  uint64_t offered; /* counts our packets at the bottleneck's exit */
  bool burst;       /* in the bad state of Gilbert-Elliott */
  bool calm;
  UdtTime last_arrival;
  uint64_t in_flight; /* ours, anywhere on the link */
  bool cross_busy;
  UdtTime cross_until;
};

#define CROSS_PACKET 1200
#define WIFI_MEAN 1000.0
#define WIFI_SLOT 7500
#define WIFI_RARE 0.004 /* share of packets that meet contention */
#define WIFI_RARE_SLOTS 4.0

SimPacket *
sim_packet_new (Sim *sim)
{
  SimPacket *packet = sim->spare;

  if (packet) {
    sim->spare = packet->next;
  } else {
    if (!(packet = malloc (sizeof *packet)))
      abort ();
    packet->all = sim->packets;
    sim->packets = packet;
  }
  packet->next = NULL;
  packet->marks = 0;
  packet->watched = 0;
  packet->cross = false;
  return packet;
}

void
sim_packet_free (Sim *sim, SimPacket *packet)
{
  packet->next = sim->spare;
  sim->spare = packet;
}

static size_t
weight (const SimPacket *packet)
{
  return packet->len + SIM_IP_UDP_OVERHEAD;
}

static uint64_t
step_value (const SimStep *steps, size_t n, UdtTime now, uint64_t value)
{
  for (size_t i = 0; i < n && steps[i].at <= now; i++)
    value = steps[i].value;
  return value;
}

static uint64_t
rate_now (const SimLink *link)
{
  return step_value (link->config.rate_steps, link->config.n_rate_steps,
                     link->sim->now, link->config.rate);
}

static size_t
mtu_now (const SimLink *link)
{
  return step_value (link->config.mtu_steps, link->config.n_mtu_steps,
                     link->sim->now, link->config.mtu);
}

static void
discard (SimLink *link, SimPacket *packet)
{
  if (!packet->cross)
    link->in_flight--;
  sim_packet_free (link->sim, packet);
}

/* ---- the way after the bottleneck ---- */

static UdtTime
jitter (SimLink *link)
{
  const SimLinkConfig *config = &link->config;
  double value = 0;

  switch (config->jitter) {
    case SIM_JITTER_NONE:
      return 0;
    case SIM_JITTER_UNIFORM:
      return sim_random_range (&link->random, 0, config->jitter_amount);
    case SIM_JITTER_GAUSS:
      value = sim_random_gauss (&link->random) * (double)config->jitter_amount;
      return value > 0 ? (UdtTime)value : 0;
    case SIM_JITTER_WIFI:
      value = sim_random_exponential (&link->random, WIFI_MEAN);
      if (sim_random_chance (&link->random, WIFI_RARE))
        value += (double)sim_random_poisson (&link->random, WIFI_RARE_SLOTS)
                 * WIFI_SLOT;
      return (UdtTime)value;
  }
  return 0;
}

static UdtTime
after_freeze (const SimLink *link, UdtTime arrival)
{
  const SimLinkConfig *config = &link->config;
  UdtTime since, start;

  if (link->calm || !config->freeze_for || arrival < config->freeze_first)
    return arrival;
  since = arrival - config->freeze_first;
  start = config->freeze_first;
  if (config->freeze_every) {
    uint64_t nth = since / config->freeze_every;

    if (config->freeze_count && nth >= config->freeze_count)
      return arrival;
    start += nth * config->freeze_every;
  }
  return arrival - start < config->freeze_for ? start + config->freeze_for
                                              : arrival;
}

static void
arrive (Sim *sim, void *arg, uint64_t value)
{
  SimLink *link = arg;
  SimPacket *packet = (SimPacket *)(uintptr_t)value;
  UdtTime transit = sim->now - packet->sent;

  link->stats.delivered++;
  link->stats.delivered_bytes += packet->len;
  if (transit > link->stats.max_transit)
    link->stats.max_transit = transit;
  sim_peer_input (&sim->peer[!link->from], packet->data, packet->len);
  discard (link, packet);
}

static void
propagate (SimLink *link, SimPacket *packet)
{
  Sim *sim = link->sim;
  UdtTime arrival = sim->now + link->config.delay + jitter (link);

  if (sim_random_chance (&link->random, link->config.reorder)) {
    /* Goes round; those behind it do not wait. */
    link->stats.reordered++;
    sim_at (sim, after_freeze (link, arrival + link->config.reorder_delay),
            arrive, link, (uintptr_t)packet);
    return;
  }
  if (link->config.clump)
    arrival += link->config.clump - arrival % link->config.clump;
  if (!link->config.jitter_reorders && arrival < link->last_arrival)
    arrival = link->last_arrival;
  arrival = after_freeze (link, arrival);
  if (arrival > link->last_arrival)
    link->last_arrival = arrival;
  sim_at (sim, arrival, arrive, link, (uintptr_t)packet);
}

static bool
is_lost (SimLink *link)
{
  const SimLinkConfig *config = &link->config;
  uint64_t nth = link->offered++;
  bool lost = false;

  if (link->sim->now >= config->down_from
      && link->sim->now < config->down_until)
    return true;
  if (config->mask_words) {
    nth %= config->mask_words * 64;
    lost = config->loss_mask[nth / 64] >> nth % 64 & 1;
  }
  if (config->burst_enter > 0) {
    if (sim_random_chance (&link->random, link->burst ? config->burst_leave
                                                      : config->burst_enter))
      link->burst = !link->burst;
    if (link->burst && sim_random_chance (&link->random, config->burst_loss))
      lost = true;
  }
  return sim_random_chance (&link->random, config->loss) || lost;
}

static void
damage (SimLink *link, SimPacket *packet)
{
  if (packet->len && sim_random_chance (&link->random, link->config.corrupt)) {
    size_t at = sim_random_range (&link->random, 0, packet->len - 1);

    packet->data[at] ^= (uint8_t)(1u << sim_random_range (&link->random, 0, 7));
    link->stats.corrupted++;
  }
  if (packet->len && sim_random_chance (&link->random, link->config.truncate)) {
    packet->len = sim_random_range (&link->random, 0, packet->len - 1);
    link->stats.corrupted++;
  }
}

static void
leave_bottleneck (SimLink *link, SimPacket *packet)
{
  if (packet->cross) {
    discard (link, packet);
    return;
  }
  if (link->filter && link->filter (link->filter_user, link->sim, packet)) {
    link->stats.filtered++;
    discard (link, packet);
    return;
  }
  if (is_lost (link)) {
    link->stats.lost++;
    discard (link, packet);
    return;
  }
  if (sim_random_chance (&link->random, link->config.duplicate)) {
    SimPacket *copy = sim_packet_new (link->sim);
    SimPacket *all = copy->all;

    *copy = *packet;
    copy->all = all;
    link->in_flight++;
    link->stats.duplicated++;
    propagate (link, copy);
  }
  damage (link, packet);
  propagate (link, packet);
}

/* ---- the bottleneck ---- */

static void serve (SimLink *link);

static void
served (Sim *sim, void *arg, uint64_t value)
{
  SimLink *link = arg;
  SimPacket *packet = link->head;

  (void)sim, (void)value;
  if (!(link->head = packet->next))
    link->tail = &link->head;
  packet->next = NULL;
  link->queued -= weight (packet);
  link->serving = false;
  leave_bottleneck (link, packet);
  serve (link);
}

/* What is in the bucket passes at its rate. */
static UdtTime
serving_time (SimLink *link, double bytes, uint64_t rate)
{
  const SimLinkConfig *config = &link->config;
  UdtTime since = link->sim->now - link->tokens_at, takes = 0;

  if (rate == 0)
    return 0;
  if (config->bucket) {
    double fast;

    link->tokens_at = link->sim->now;
    link->tokens += (double)since * (double)rate / 8e6;
    if (link->tokens > (double)config->bucket)
      link->tokens = (double)config->bucket;
    fast = bytes < link->tokens ? bytes : link->tokens;
    takes = (UdtTime)(fast * 8e6 / (double)config->bucket_rate);
    link->tokens -= fast;
    bytes -= fast;
  }
  takes += (UdtTime)(bytes * 8e6 / (double)rate);
  /* What came in meanwhile has been used up. */
  if (bytes > 0)
    link->tokens_at = link->sim->now + takes;
  return takes;
}

static void
serve (SimLink *link)
{
  UdtTime takes;

  if (link->serving || !link->head)
    return;
  link->serving = true;
  takes = serving_time (link, (double)weight (link->head), rate_now (link));
  sim_at (link->sim, link->sim->now + takes, served, link, 0);
}

static void
enqueue (SimLink *link, SimPacket *packet)
{
  size_t limit = link->config.queue_limit;

  if (!rate_now (link) && !link->head) {
    leave_bottleneck (link, packet);
    return;
  }
  if (limit && link->queued + weight (packet) > limit) {
    if (!packet->cross)
      link->stats.overflowed++;
    discard (link, packet);
    return;
  }
  link->queued += weight (packet);
  if (link->queued > link->stats.max_queue)
    link->stats.max_queue = link->queued;
  *link->tail = packet;
  link->tail = &packet->next;
  serve (link);
}

void
sim_link_send (SimLink *link, SimPacket *packet)
{
  size_t mtu = mtu_now (link);

  packet->sent = link->sim->now;
  packet->index = link->stats.offered++;
  link->stats.offered_bytes += packet->len;
  link->in_flight++;
  if (mtu && packet->len > mtu) {
    link->stats.oversized++;
    discard (link, packet);
    return;
  }
  enqueue (link, packet);
}

/* ---- someone else's packets ---- */

static void
cross (Sim *sim, void *arg, uint64_t value)
{
  SimLink *link = arg;
  const SimLinkConfig *config = &link->config;
  SimPacket *packet;
  double gap
      = (CROSS_PACKET + SIM_IP_UDP_OVERHEAD) * 8e6 / (double)config->cross_rate;

  (void)value;
  if (config->cross_on && sim->now >= link->cross_until) {
    double mean
        = (double)(link->cross_busy ? config->cross_off : config->cross_on);

    link->cross_busy = !link->cross_busy;
    link->cross_until
        = sim->now + (UdtTime)sim_random_exponential (&link->random, mean) + 1;
  }
  if (config->cross_on && !link->cross_busy) {
    sim_at (sim, link->cross_until, cross, link, 0);
    return;
  }
  packet = sim_packet_new (sim);
  packet->cross = true;
  packet->len = CROSS_PACKET;
  packet->sent = sim->now;
  enqueue (link, packet);
  sim_at (sim, sim->now + (UdtTime)sim_random_exponential (&link->random, gap),
          cross, link, 0);
}

/* ---- */

SimLink *
sim_link_new (Sim *sim, unsigned from, const SimLinkConfig *config)
{
  SimLink *link = calloc (1, sizeof *link);

  if (!link)
    abort ();
  link->sim = sim;
  link->from = from;
  link->config = *config;
  link->tail = &link->head;
  sim_random_init (&link->random, sim->seed * 4 + 2 + from);
  if (config->cross_rate)
    sim_at (sim, 0, cross, link, 0);
  return link;
}

void
sim_link_free (SimLink *link)
{
  free (link);
}

void
sim_link_set_filter (SimLink *link, SimFilter filter, void *user)
{
  link->filter = filter;
  link->filter_user = user;
}

SimLinkConfig *
sim_link_config (SimLink *link)
{
  return &link->config;
}

const SimLinkStats *
sim_link_stats (const SimLink *link)
{
  return &link->stats;
}

UdtTime
sim_link_outage (const SimLink *link)
{
  const SimLinkConfig *config = &link->config;
  UdtTime down = 0;

  if (config->down_from < link->sim->now)
    down = (config->down_until < link->sim->now ? config->down_until
                                                : link->sim->now)
           - config->down_from;
  return down > config->freeze_for ? down : config->freeze_for;
}

void
sim_link_calm (SimLink *link)
{
  SimLinkConfig *config = &link->config;

  config->loss = config->burst_enter = config->reorder = 0;
  config->duplicate = config->corrupt = config->truncate = 0;
  config->mask_words = 0;
  link->burst = false;
  link->calm = true;
}

bool
sim_link_is_idle (const SimLink *link)
{
  return !link->in_flight;
}
