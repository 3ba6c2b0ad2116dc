/* Several senders behind one bottleneck. See simshare.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All delays are the same for all, so both ways are plain queues and the next
 * event is the earliest of a handful. CUBIC follows RFC 8312, with perfect
 * selective acknowledgements: it learns of each loss when the packet behind it
 * is acknowledged, and loses no time over repeating.
 */
#include "simshare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SENDERS 8
#define WIRE_OVERHEAD 28
#define CUBIC_PACKET 1500
#define CUBIC_START 10
#define CUBIC_C 0.4
#define CUBIC_BETA 0.7
#define BULK_MESSAGE 65536
#define RING 16384 /* packets on the way in one direction */

typedef struct
{
  uint8_t sender;
  bool lost; /* CUBIC: what comes back is the news of it */
  uint16_t len;
  UdtTime at, sent;
  uint8_t data[UDT_MAX_PACKET];
} Packet;

typedef struct
{
  Packet *packets;
  uint32_t head, tail;
} Ring;

typedef struct
{
  double window, threshold; /* packets */
  double most, k;
  UdtTime epoch, recovery;
  uint32_t in_flight;
  UdtTime min_rtt;
} Cubic;

typedef struct
{
  bool is_cubic, started;
  UdtTime start;
  UdtConnection *conn[2];
  Cubic cubic;
  uint64_t passed;
} Sender;

struct _SimShare
{
  uint64_t rate;
  UdtTime delay, now, free_at, longest, waited;
  uint64_t waits;
  size_t limit, queued;
  Ring bottleneck, out, back;
  Sender senders[MAX_SENDERS];
  unsigned n_senders;
};

static const uint8_t content[BULK_MESSAGE];

/* ---- plumbing ---- */

static Packet *
push (Ring *ring)
{
  if (ring->tail - ring->head == RING)
    abort ();
  return &ring->packets[ring->tail++ % RING];
}

static Packet *
first (const Ring *ring)
{
  return ring->head == ring->tail ? NULL : &ring->packets[ring->head % RING];
}

static void *
env_alloc (void *user, size_t size)
{
  (void)user;
  return malloc (size);
}

static void
env_free (void *user, void *block)
{
  (void)user;
  free (block);
}

static uint64_t
env_random (void *user)
{
  (void)user;
  return 4;
}

static bool
env_seal (void *user, uint64_t number, const uint8_t *aad, size_t aad_len,
          uint8_t *data, size_t len)
{
  (void)user, (void)number, (void)aad, (void)aad_len;
  memset (data + len, 0, UDT_TAG_SIZE);
  return true;
}

static bool
env_open (void *user, uint64_t number, const uint8_t *aad, size_t aad_len,
          uint8_t *data, size_t len)
{
  (void)user, (void)number, (void)aad, (void)aad_len, (void)data, (void)len;
  return true;
}

static void
release (void *owner)
{
  (void)owner;
}

static void cubic_lost (SimShare *share, Sender *sender, UdtTime sent);

/* What comes back needs no more than its header, for CUBIC. */
static void
answer (SimShare *share, const Packet *packet, bool lost)
{
  Packet *news = push (&share->back);

  news->sender = packet->sender;
  news->len = 0;
  news->lost = lost;
  news->sent = packet->sent;
  news->at = share->now + share->delay;
}

static bool
send_packet (SimShare *share, unsigned index, const uint8_t *data, size_t len)
{
  size_t weight = (data ? len + WIRE_OVERHEAD : CUBIC_PACKET);
  Packet *packet;

  if (share->queued + weight > share->limit)
    return false;
  packet = push (&share->bottleneck);
  packet->sender = (uint8_t)index;
  packet->len = (uint16_t)weight;
  packet->sent = share->now;
  packet->lost = false;
  if (data)
    memcpy (packet->data, data, len);
  share->queued += weight;
  if (share->free_at < share->now)
    share->free_at = share->now;
  share->waited += share->free_at - share->now;
  share->waits++;
  if (share->free_at - share->now > share->longest)
    share->longest = share->free_at - share->now;
  share->free_at += weight * 8 * 1000000 / share->rate;
  packet->at = share->free_at;
  return true;
}

/* ---- CUBIC ---- */

static void
cubic_send (SimShare *share, unsigned index)
{
  Sender *sender = &share->senders[index];
  Cubic *c = &sender->cubic;

  while (c->in_flight < (uint32_t)c->window) {
    c->in_flight++;
    if (send_packet (share, index, NULL, 0))
      continue;
    /* Dropped: the packets before it and a round trip tell. */
    cubic_lost (share, sender, share->now);
    return;
  }
}

static void
cubic_lost (SimShare *share, Sender *sender, UdtTime sent)
{
  Packet lost = { .sender = (uint8_t)(sender - share->senders), .sent = sent };
  Packet *news = push (&share->out);

  /* Known when the packet behind it would have arrived. */
  *news = lost;
  news->lost = true;
  news->len = 0;
  news->at = share->free_at + share->delay;
}

static void
cubic_back_off (Cubic *c, UdtTime now)
{
  c->most = c->window < c->most ? c->window * (1 + CUBIC_BETA) / 2 : c->window;
  c->window *= CUBIC_BETA;
  if (c->window < 2)
    c->window = 2;
  c->threshold = c->window;
  c->recovery = now;
  c->epoch = 0;
}

static void
cubic_grow (Cubic *c, UdtTime now, UdtTime rtt)
{
  double t, wanted, reno;

  if (c->window < c->threshold) {
    c->window += 1;
    return;
  }
  if (c->epoch == 0) {
    c->epoch = now;
    c->k = c->window < c->most ? cbrt ((c->most - c->window) / CUBIC_C) : 0;
    if (c->most < c->window)
      c->most = c->window;
  }
  t = (double)(now - c->epoch + c->min_rtt) / 1e6;
  wanted = CUBIC_C * (t - c->k) * (t - c->k) * (t - c->k) + c->most;
  reno = c->most * CUBIC_BETA
         + 3 * (1 - CUBIC_BETA) / (1 + CUBIC_BETA) * t / ((double)rtt / 1e6);
  if (reno > wanted)
    wanted = reno;
  if (wanted > 1.5 * c->window)
    wanted = 1.5 * c->window;
  c->window += wanted > c->window ? (wanted - c->window) / c->window
                                  : 0.01 / c->window;
}

static void
cubic_news (SimShare *share, const Packet *news)
{
  Sender *sender = &share->senders[news->sender];
  Cubic *c = &sender->cubic;
  UdtTime rtt = share->now - news->sent;

  c->in_flight--;
  if (c->min_rtt == 0 || rtt < c->min_rtt)
    c->min_rtt = rtt;
  if (!news->lost)
    cubic_grow (c, share->now, rtt);
  else if (news->sent > c->recovery)
    cubic_back_off (c, share->now);
  cubic_send (share, news->sender);
}

/* ---- sessions ---- */

static void
fill (SimShare *share, Sender *sender)
{
  UdtMessage message
      = { .payload = content, .payload_len = BULK_MESSAGE, .release = release };

  while (udt_connection_send (sender->conn[0], 1, &message, share->now)
         == UDT_OK)
    ;
}

static void
flush (SimShare *share, unsigned index, unsigned end)
{
  Sender *sender = &share->senders[index];
  uint8_t data[UDT_MAX_PACKET];
  size_t len;

  while ((len = udt_connection_output (sender->conn[end], data, sizeof data,
                                       share->now))) {
    if (end == 0) {
      send_packet (share, index, data, len);
    } else {
      Packet *packet = push (&share->back);

      packet->sender = (uint8_t)index;
      packet->len = (uint16_t)len;
      packet->at = share->now + share->delay;
      memcpy (packet->data, data, len);
    }
  }
}

static void
service (SimShare *share, unsigned index, unsigned end)
{
  Sender *sender = &share->senders[index];
  UdtReceived message;
  UdtEvent event;

  udt_connection_tick (sender->conn[end], share->now);
  while (udt_connection_event (sender->conn[end], &event) == UDT_OK)
    ;
  while (udt_connection_receive (sender->conn[end], &message, share->now)
         == UDT_OK)
    free (message.data);
  if (end == 0)
    fill (share, sender);
  flush (share, index, end);
}

static void
start_sender (SimShare *share, unsigned index)
{
  Sender *sender = &share->senders[index];

  sender->started = true;
  if (sender->is_cubic) {
    cubic_send (share, index);
    return;
  }
  for (unsigned end = 0; end < 2; end++)
    service (share, index, end);
}

/* ---- */

SimShare *
sim_share_new (uint64_t rate, UdtTime delay, size_t queue_limit)
{
  SimShare *share = calloc (1, sizeof *share);
  Ring *rings[3];

  if (!share)
    abort ();
  rings[0] = &share->bottleneck;
  rings[1] = &share->out;
  rings[2] = &share->back;
  for (unsigned i = 0; i < 3; i++)
    if (!(rings[i]->packets = malloc (RING * sizeof (Packet))))
      abort ();
  share->rate = rate;
  share->delay = delay;
  share->limit = queue_limit;
  share->now = 1;
  return share;
}

void
sim_share_free (SimShare *share)
{
  for (unsigned i = 0; i < share->n_senders; i++)
    for (unsigned end = 0; end < 2; end++)
      udt_connection_free (share->senders[i].conn[end]);
  free (share->bottleneck.packets);
  free (share->out.packets);
  free (share->back.packets);
  free (share);
}

static Sender *
add (SimShare *share, UdtTime start)
{
  Sender *sender = &share->senders[share->n_senders++];

  if (share->n_senders > MAX_SENDERS)
    abort ();
  sender->start = start;
  return sender;
}

unsigned
sim_share_add_session (SimShare *share, const UdtCongestion *law, UdtTime start)
{
  static const UdtFlowConfig bulk
      = { .service = UDT_CLASS_BULK, .order = UDT_ORDER_STRICT };
  UdtEnv env = { .alloc = env_alloc,
                 .free = env_free,
                 .random = env_random,
                 .seal = env_seal,
                 .open = env_open };
  Sender *sender = add (share, start);
  UdtConfig config;

  udt_config_init (&config);
  config.congestion = law;
  for (unsigned end = 0; end < 2; end++) {
    config.local_id = end + 1;
    config.remote_id = 2 - end;
    sender->conn[end] = udt_connection_new (&config, &env, start);
    if (!sender->conn[end])
      abort ();
  }
  udt_connection_open_flow (sender->conn[0], 1, &bulk, start);
  return share->n_senders - 1;
}

unsigned
sim_share_add_cubic (SimShare *share, UdtTime start)
{
  Sender *sender = add (share, start);

  sender->is_cubic = true;
  sender->cubic.window = CUBIC_START;
  sender->cubic.threshold = 1e9;
  return share->n_senders - 1;
}

static UdtTime
next_time (const SimShare *share)
{
  const Ring *rings[] = { &share->bottleneck, &share->out, &share->back };
  UdtTime next = UDT_NEVER;

  for (unsigned i = 0; i < 3; i++) {
    const Packet *packet = first (rings[i]);

    if (packet && packet->at < next)
      next = packet->at;
  }
  for (unsigned i = 0; i < share->n_senders; i++) {
    const Sender *sender = &share->senders[i];

    if (!sender->started && sender->start < next)
      next = sender->start;
    for (unsigned end = 0; end < 2 && sender->started && !sender->is_cubic;
         end++) {
      UdtTime time = udt_connection_next_time (sender->conn[end]);

      if (time < next)
        next = time;
    }
  }
  return next;
}

static void
leave_bottleneck (SimShare *share)
{
  const Packet *packet = first (&share->bottleneck);
  Packet *on;

  share->queued -= packet->len;
  share->senders[packet->sender].passed += packet->len;
  on = push (&share->out);
  *on = *packet;
  on->at = share->now + share->delay;
  share->bottleneck.head++;
}

static void
arrive (SimShare *share, Ring *ring, unsigned end)
{
  Packet *packet = first (ring);
  unsigned index = packet->sender;
  Sender *sender = &share->senders[index];

  ring->head++;
  if (sender->is_cubic) {
    if (end == 1)
      answer (share, packet, packet->lost);
    else
      cubic_news (share, packet);
    return;
  }
  udt_connection_input (sender->conn[end], packet->data,
                        packet->len - (end ? WIRE_OVERHEAD : 0), share->now);
  service (share, index, end);
}

static void
step (SimShare *share)
{
  const Packet *packet;

  while ((packet = first (&share->bottleneck)) && packet->at <= share->now)
    leave_bottleneck (share);
  while ((packet = first (&share->out)) && packet->at <= share->now)
    arrive (share, &share->out, 1);
  while ((packet = first (&share->back)) && packet->at <= share->now)
    arrive (share, &share->back, 0);
  for (unsigned i = 0; i < share->n_senders; i++) {
    Sender *sender = &share->senders[i];

    if (!sender->started && sender->start <= share->now)
      start_sender (share, i);
    for (unsigned end = 0; end < 2 && sender->started && !sender->is_cubic;
         end++)
      if (udt_connection_next_time (sender->conn[end]) <= share->now)
        service (share, i, end);
  }
}

void
sim_share_run_until (SimShare *share, UdtTime time)
{
  UdtTime next;

  while ((next = next_time (share)) <= time) {
    /* Never twice at one instant: a refusal is tried again in the next. */
    share->now = next > share->now ? next : share->now + 1;
    step (share);
  }
  share->now = time;
}

uint64_t
sim_share_passed (const SimShare *share, unsigned sender)
{
  return share->senders[sender].passed;
}

UdtTime
sim_share_longest_wait (SimShare *share, UdtTime *mean)
{
  UdtTime longest = share->longest;

  if (mean)
    *mean = share->waits ? share->waited / share->waits : 0;
  share->longest = share->waited = share->waits = 0;
  return longest;
}
