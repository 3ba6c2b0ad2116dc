/* UDT's law, for comparison: the rate grows by a step for each 10 ms without
 * loss, the larger the further it is from what the path has shown it can do,
 * and falls by an eighth once a round trip with loss.
 *
 * Without two of UDT's defects: a loss before anything was delivered does not
 * set the rate to nothing, and the start ends at what was delivered, not at the
 * reciprocal of it. Deaf to delay all the same: it fills the queue.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtcongestion.h"

#include <string.h>

#define MS 1000u
#define SECOND 1000000u

#define STEP_TIME (10 * MS)
#define START_RATE (6000000u / 8) /* bytes per second */
#define START_WINDOW 32           /* packets */
#define MIN_RATE (100000u / 8)
#define SPARE_WINDOW 16 /* packets */
#define MOST_STEPS 100  /* at once, after a pause */
#define UNKNOWN_RTT (100 * MS)

typedef struct
{
  uint32_t mtu;
  bool started; /* past the start */
  uint64_t start_window;
  uint64_t rate, capacity;
  UdtTime srtt;
  UdtTime stepped, decreased;
  uint64_t before_loss; /* rate at the last decrease */
} Law;

static void
law_init (void *state, uint32_t mtu, UdtTime now)
{
  Law *law = state;

  memset (law, 0, sizeof *law);
  law->mtu = mtu;
  law->start_window = (uint64_t)START_WINDOW * mtu;
  law->rate = START_RATE;
  law->stepped = now;
}

static void
law_on_sent (void *state, uint64_t bytes, uint64_t in_flight, UdtTime now)
{
}

static UdtTime
round_trip (const Law *law)
{
  return law->srtt > 0 ? law->srtt : UNKNOWN_RTT;
}

/* Bytes per second that one step adds: for each decade of spare capacity ten
 * times as much, a packet per step at a Gbit/s or so. */
static uint64_t
step_size (const Law *law)
{
  uint64_t spare = law->capacity > law->rate ? law->capacity - law->rate : 0;
  uint64_t decade = 1;

  /* The estimate is of no worth beyond where loss set in. */
  if (law->rate > law->before_loss && spare > law->capacity / 9)
    spare = law->capacity / 9;
  while (decade < spare * 8)
    decade *= 10;
  /* Packets per step: 1.5e-6 of it by the packet's size, at least 0.01. */
  spare = decade * 3 / 2 / 10000;
  return spare > law->mtu ? spare : law->mtu;
}

static void
law_on_ack (void *state, const UdtAckBatch *batch)
{
  Law *law = state;
  unsigned steps;

  law->srtt = batch->srtt;
  if (batch->rate > law->capacity)
    law->capacity = batch->rate;
  if (!law->started) {
    if (batch->in_flight + batch->acked > law->start_window / 2)
      law->start_window += batch->acked;
    law->rate = law->start_window * SECOND / round_trip (law);
    law->stepped = batch->now;
    return;
  }
  for (steps = 0; batch->now - law->stepped >= STEP_TIME; steps++) {
    if (steps == MOST_STEPS || batch->app_limited) {
      law->stepped = batch->now;
      break;
    }
    law->stepped += STEP_TIME;
    law->rate += step_size (law);
  }
}

static void
law_on_loss (void *state, const UdtLossBatch *batch)
{
  Law *law = state;

  if (!law->started) {
    law->started = true;
    if (law->capacity > 0 && law->capacity < law->rate)
      law->rate = law->capacity;
  } else if (batch->now - law->decreased < round_trip (law)) {
    return;
  }
  law->before_loss = law->rate;
  law->rate = law->rate * 8 / 9;
  if (law->rate < MIN_RATE)
    law->rate = MIN_RATE;
  law->decreased = law->stepped = batch->now;
}

static void
law_on_expiry (void *state, UdtTime now)
{
}

static void
law_on_tick (void *state, UdtTime now)
{
}

static UdtTime
law_next_time (const void *state)
{
  return UDT_NEVER;
}

static uint64_t
law_rate (const void *state)
{
  const Law *law = state;

  return law->rate > MIN_RATE ? law->rate : MIN_RATE;
}

static uint64_t
law_window (const void *state)
{
  const Law *law = state;

  if (!law->started)
    return law->start_window;
  return law->rate * (round_trip (law) + STEP_TIME) / SECOND
         + (uint64_t)SPARE_WINDOW * law->mtu;
}

static uint64_t
law_target (const void *state)
{
  const Law *law = state;

  return law->rate * 17 / 20;
}

const UdtCongestion udt_congestion_aimd = {
  .name = "aimd",
  .state_size = sizeof (Law),
  .init = law_init,
  .on_sent = law_on_sent,
  .on_ack = law_on_ack,
  .on_loss = law_on_loss,
  .on_expiry = law_on_expiry,
  .on_tick = law_on_tick,
  .next_time = law_next_time,
  .rate = law_rate,
  .window = law_window,
  .target = law_target,
};
