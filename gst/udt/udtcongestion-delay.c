/* The default law: delivered rate and queueing delay.
 *
 * It keeps the highest delivered rate of the last rounds as its model of the
 * path and paces at that, with a short probe above it every few rounds. The
 * lowest queueing delay of each round, which jitter cannot raise, tells whether
 * a queue stands: above the target for two rounds (or far above it for one) the
 * model falls to what was delivered and the queue is drained. Loss is ignored:
 * what random loss takes off the delivered rate is added back, as measured in
 * rounds that were not probing.
 *
 * A stream that does not fill the path has little delivered and learns of more
 * by the trains that its frames are (udttrain.c). What becomes of others is
 * udtcongestion-beside.c's.
 *
 * Phases: START doubles per round until a queue forms or the rate no longer
 * grows; DRAIN empties the queue; CRUISE; LOOK for others.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtcongestion-delay.h"

#include <string.h>

#define START_RATE (6000000u / 8) /* bytes per second */
#define START_WINDOW 32           /* packets */
/* What one large packet may make of these: it takes the bottleneck a while that
 * small ones do not take. */
#define SLOWEST_START (750000u / 8)
#define FASTEST_START (16000000u / 8)
#define LEAST_START_WINDOW 8
#define MOST_START_WINDOW 96
#define START_QUEUE (50 * MS)
#define MIN_RATE (100000u / 8)
#define MIN_WINDOW 8 /* packets */
/* Packets a round: with fewer, no queue is ours and no rate the path's. */
#define TRICKLE 2
#define CYCLE 8         /* rounds from probe to probe */
#define PROBE_PACKETS 2 /* a round trip more, at least */
#define START_FLAT_ROUNDS 3
#define START_LATE_ACKS 4 /* in a row: a queue forms */
#define LATE_ACKS 6
/* Of modest bursts, after a fast one has queued. */
#define BURST_WAIT (1 * SECOND)

/* Who has had little to send is taken for such a one for so long. */
#define THIN_TIME (1 * SECOND)
/* Loss, per mille beyond that of the path, and packets of it, that belie what
 * trains said. */
#define POLICED_LOSS 200
#define POLICED_LEAST 5
/* The peer's, at most. */
#define ACK_DELAY (10 * MS)
/* The lowest round trip is remembered for so long. */
#define BASE_WINDOW (60 * SECOND)

static UdtTime
target_delay (const Law *law)
{
  UdtTime target = law->min_rtt / 4;

  if (target < MIN_TARGET)
    target = MIN_TARGET;
  if (target > MAX_TARGET)
    target = MAX_TARGET;
  return target + law->target_boost;
}

static void
law_init (void *state, uint32_t mtu, UdtTime now)
{
  Law *law = state;

  memset (law, 0, sizeof *law);
  law->mtu = mtu;
  law->start_window = (uint64_t)START_WINDOW * mtu;
  law->start_rate = START_RATE;
}

static void
law_on_sent (void *state, uint64_t bytes, uint64_t in_flight, UdtTime now)
{
}

static void
find_model (Law *law)
{
  unsigned i;

  law->model = 0;
  for (i = 0; i < ROUNDS; i++) {
    if (law->best[i] > law->model)
      law->model = law->best[i];
  }
}

void
udt_law_set_model (Law *law, uint64_t rate)
{
  unsigned i;

  for (i = 0; i < ROUNDS; i++)
    law->best[i] = rate;
  law->model = rate;
}

static void
take_rate (Law *law, const UdtAckBatch *batch)
{
  uint64_t rate = batch->rate;

  if (rate == 0 || batch->resumed)
    return;
  rate += rate * law->loss / 1000;
  if (rate > law->round_rate)
    law->round_rate = rate;
  if (batch->app_limited && rate <= law->model)
    return;
  if (!batch->app_limited)
    law->round_limited = false;
  if (rate > law->best[law->slot])
    law->best[law->slot] = rate;
  if (rate > law->model)
    law->model = rate;
}

static void
enter_drain (Law *law)
{
  /* Under a thin stream a queue stands because the path has become slower, and
   * one step down is not enough. */
  law->settled_at = law->now + (law->limited ? 0 : law->srtt);
  law->phase = DRAIN;
  law->over_rounds = 0;
}

/* The queue stands: fall to what gets through. */
static void
back_off (Law *law)
{
  if (law->round_rate > 0)
    udt_trust_check (&law->trust, law->model, law->round_rate, law->now);
  if (law->round_rate > 0 && law->round_rate < law->model)
    udt_law_set_model (law, law->round_rate);
  udt_law_stand (law);
  enter_drain (law);
}

static void
start_round (Law *law)
{
  UdtTime limit = target_delay (law);

  if (law->round_has_delay && law->round_delay > limit) {
    enter_drain (law);
    return;
  }
  if (law->round_limited)
    return;
  if (law->model > law->flat_rate + law->flat_rate / 4) {
    law->flat_rate = law->model;
    law->flat_rounds = 0;
  } else if (++law->flat_rounds >= START_FLAT_ROUNDS) {
    enter_drain (law);
  }
}

static void
steady_round (Law *law)
{
  UdtTime target = target_delay (law);

  if (!law->round_has_delay)
    return;
  if (law->phase == LOOK)
    return;
  if (law->now < law->settled_at)
    return;
  if (law->round_delay > target) {
    law->over_rounds++;
    if (law->over_rounds >= 2 || law->round_delay > 2 * target) {
      back_off (law);
      return;
    }
  } else {
    law->over_rounds = 0;
    if (law->round_delay < MIN_TARGET / 2) {
      udt_law_forget_boost (law, law->target_boost / 2);
    } else if (law->round_delay < target / 2) {
      law->backoffs = 0;
      if (law->target_boost > 0)
        law->target_boost -= law->target_boost < MS ? law->target_boost : MS;
    }
  }
  if (law->phase != CRUISE)
    return;
  /* What a probe found shows a round later. If it was more, the next one is
   * bolder and comes at once. */
  if (law->cycle == 1) {
    law->bold = !law->round_limited && law->over_rounds == 0
                && law->model > law->probe_from + law->probe_from / 10;
    law->cycle = law->bold ? 0 : 2;
  } else if (!law->round_limited || law->cycle == 0) {
    law->cycle = (law->cycle + 1) % CYCLE;
  }
  if (law->cycle == 0)
    law->probe_from = law->model;
}

/* A path that throws away what short trains said it would carry. */
static void
judge_trust (Law *law)
{
  uint64_t total = law->round_acked + law->round_lost;

  if (law->round_lost < (uint64_t)POLICED_LEAST * law->mtu
      || law->round_lost * 1000 < total * (law->loss + POLICED_LOSS))
    return;
  if (udt_trust_check (&law->trust, law->model, law->round_rate, law->now)
      && law->trust.before < law->model)
    udt_law_set_model (law, law->trust.before);
}

/* The frames of a stream that does not fill the path are short trains. They go
 * out at twice the model, which shows if there is more to be had, until one of
 * them queues. */
static void
judge_bursts (Law *law)
{
  if (law->round_peak > target_delay (law) / 2)
    law->burst_after = law->now + BURST_WAIT;
  law->round_peak = 0;
}

static void
end_round (Law *law, uint64_t in_flight)
{
  bool trickle = law->round_limited
                 && law->round_acked + in_flight < (uint64_t)TRICKLE * law->mtu;

  udt_law_measure_loss (law);
  judge_trust (law);
  judge_bursts (law);
  if (!law->round_resumed && !trickle) {
    if (law->phase == START)
      start_round (law);
    else
      steady_round (law);
  }
  if (!law->round_limited && law->phase == CRUISE) {
    law->slot = (law->slot + 1) % ROUNDS;
    law->best[law->slot] = 0;
    find_model (law);
  }
  law->limited = law->round_limited;
  if (law->limited)
    law->thin_until = law->now + THIN_TIME;
  law->round_has_delay = false;
  law->round_resumed = false;
  law->round_limited = true;
  law->round_rate = 0;
  law->round_acked = law->round_lost = 0;
}

static uint64_t
flight_for (const Law *law, UdtTime time)
{
  return law->model * time / SECOND;
}

static uint64_t
within (uint64_t value, uint64_t least, uint64_t most)
{
  return value < least ? least : value > most ? most : value;
}

/* A packet probe went alone over an idle path, before there was anything to
 * send: how long it took more than small ones tells about the rate. */
static void
plan_start (Law *law, const UdtAckBatch *batch)
{
  uint64_t rate, window;

  if (law->phase != START || law->round_rate > 0 || batch->in_flight > 0
      || !batch->has_delay || batch->acked < law->mtu
      || batch->acked > 2ull * law->mtu || law->start_planned)
    return;
  law->start_planned = true;
  rate = batch->acked * SECOND / (batch->delay_min > 0 ? batch->delay_min : 1);
  window = rate * (law->min_rtt + START_QUEUE) / SECOND;
  law->start_rate = within (rate, SLOWEST_START, FASTEST_START);
  law->start_window = within (window, (uint64_t)LEAST_START_WINDOW * law->mtu,
                              (uint64_t)MOST_START_WINDOW * law->mtu);
}

/* The start ended on a few late acknowledgements, a busy host's perhaps, before
 * any of them gave a rate. What would be left of it is the least rate there is,
 * at which none ever comes: the start has to be made once more, by half. */
static void
start_again (Law *law)
{
  law->phase = START;
  law->start_rate = within (law->start_rate / 2, SLOWEST_START, FASTEST_START);
  law->start_window
      = within (law->start_window / 2, (uint64_t)LEAST_START_WINDOW * law->mtu,
                (uint64_t)MOST_START_WINDOW * law->mtu);
  law->late_acks = 0;
  law->flat_rounds = 0;
  law->flat_rate = 0;
}

/* Between the ends of rounds, which a growing queue puts off: every packet has
 * been late for a while. */
static void
watch_queue (Law *law, const UdtAckBatch *batch)
{
  UdtTime limit = target_delay (law);

  law->last_delay = batch->delay_min;
  if (batch->in_flight + batch->acked < (uint64_t)TRICKLE * law->mtu) {
    law->late_acks = 0;
    return;
  }
  if (law->phase != START)
    limit *= 2;
  if (batch->delay_min <= limit || batch->now < law->settled_at) {
    law->late_acks = 0;
    return;
  }
  if (law->late_acks++ == 0)
    law->late_since = batch->now;
  if (law->phase == START) {
    if (law->late_acks >= START_LATE_ACKS)
      enter_drain (law);
    return;
  }
  if (law->phase == LOOK || law->late_acks < LATE_ACKS || batch->rate == 0
      || batch->now - law->late_since < law->min_rtt / 2 + MIN_TARGET)
    return;
  law->late_acks = 0;
  law->round_rate = batch->rate;
  back_off (law);
}

void
udt_law_enter_cruise (Law *law)
{
  law->phase = CRUISE;
  law->cycle = 3;
  law->bold = false;
}

/* Who sends little has little that is delivered, and learns by that little if
 * there is more. */
static void
take_trains (Law *law, const UdtAckBatch *batch)
{
  uint64_t rate;

  if ((law->phase != CRUISE && law->phase != LOOK) || law->doubting
      || batch->now >= law->thin_until || batch->resumed || !batch->has_delay
      || batch->delay_min > MIN_TARGET)
    return;
  rate = udt_trust_raise (&law->trust, batch->trains, law->model, batch->now,
                          batch->srtt);
  if (rate <= law->model)
    return;
  law->best[law->slot] = rate;
  law->model = rate;
  /* There is nobody to look for. */
  if (law->phase == LOOK)
    udt_law_end_look (law, batch->now);
}

/* The connection forgets its lowest round trip after some seconds, because
 * paths change. A queue that others keep full for so long would look empty
 * then: a longer memory adds what has been forgotten. */
static UdtTime
find_base (Law *law, const UdtAckBatch *batch)
{
  UdtTime before, forgotten;

  if (law->base_now == 0 || batch->now - law->base_at > BASE_WINDOW / 2) {
    law->base_before = law->base_now == 0 ? batch->min_rtt : law->base_now;
    law->base_now = batch->min_rtt;
    law->base_at = batch->now;
  }
  if (batch->min_rtt < law->base_now)
    law->base_now = batch->min_rtt;
  before = law->min_rtt;
  law->min_rtt
      = law->base_now < law->base_before ? law->base_now : law->base_before;
  /* A queue stood all along, and lost what was taken for the path's loss. */
  if (before > law->min_rtt + MIN_TARGET / 2) {
    law->loss = 0;
    law->doubt_after = 0;
  }
  forgotten = batch->min_rtt - law->min_rtt;
  /* What acknowledges the last packet of a few has waited for more. */
  if (batch->now < law->thin_until)
    forgotten = forgotten > ACK_DELAY ? forgotten - ACK_DELAY : 0;
  return forgotten;
}

static void
law_on_ack (void *state, const UdtAckBatch *acked)
{
  Law *law = state;
  UdtAckBatch copy = *acked, *batch = &copy;
  UdtTime forgotten;

  law->now = batch->now;
  forgotten = find_base (law, batch);
  batch->delay_min += forgotten;
  batch->delay_max += forgotten;
  law->srtt = batch->srtt;
  plan_start (law, batch);
  law->round_acked += batch->acked;
  take_rate (law, batch);
  /* Only what filled the window says that more would go through. */
  if (law->phase == START
      && batch->in_flight + batch->acked > law->start_window / 2)
    law->start_window += batch->acked;
  if (batch->resumed)
    law->round_resumed = true;
  if (batch->has_delay && !batch->resumed
      && (!law->round_has_delay || batch->delay_min < law->round_delay)) {
    law->round_delay = batch->delay_min;
    law->round_has_delay = true;
  }
  if (batch->has_delay && !batch->resumed && batch->delay_min > law->round_peak)
    law->round_peak = batch->delay_min;
  if (batch->has_delay && !batch->resumed)
    watch_queue (law, batch);
  if (law->phase == DRAIN && !batch->resumed
      && (batch->in_flight <= flight_for (law, law->min_rtt)
          || (batch->has_delay && batch->delay_max < target_delay (law) / 2))) {
    if (law->model == 0)
      start_again (law);
    else
      udt_law_enter_cruise (law);
  }
  udt_law_look (law, batch);
  take_trains (law, batch);
  if (batch->round)
    end_round (law, batch->in_flight);
}

static void
law_on_loss (void *state, const UdtLossBatch *batch)
{
  Law *law = state;

  law->round_lost += batch->lost;
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

/* A quarter more; where that is less than a train of packets, and would show
 * nothing, the train. So who has little gains more by it than who has much. */
static uint64_t
probe_rate (const Law *law)
{
  uint64_t rate = law->model, train;

  if (law->bold)
    return rate * 2;
  if (law->srtt == 0)
    return rate * 5 / 4;
  train = (uint64_t)PROBE_PACKETS * law->mtu * SECOND / law->srtt;
  return rate + within (train, rate / 4, rate / 2);
}

static uint64_t
law_rate (const void *state)
{
  const Law *law = state;
  uint64_t rate = law->model;

  switch (law->phase) {
    case START:
      rate *= 2;
      /* The first flight gives no rate yet: its acknowledgements count. */
      if (law->srtt > 0 && rate < law->start_window * SECOND / law->srtt)
        rate = law->start_window * SECOND / law->srtt;
      return rate > law->start_rate ? rate : law->start_rate;
    case DRAIN:
      /* The start may have ended before it measured anything. */
      if (rate == 0)
        rate = law->start_rate / 4;
      rate = law->last_delay > 2 * target_delay (law) ? rate / 2 : rate * 3 / 4;
      break;
    case LOOK:
      rate /= 2;
      break;
    case CRUISE:
      if (law->limited)
        rate = law->now >= law->burst_after ? rate * 2 : rate * 11 / 10;
      else if (law->cycle == 0)
        rate = probe_rate (law);
      else if (law->cycle == 2)
        rate = rate * 9 / 10;
      break;
  }
  return rate > MIN_RATE ? rate : MIN_RATE;
}

static uint64_t
law_window (const void *state)
{
  const Law *law = state;
  uint64_t window, least = (uint64_t)START_WINDOW * law->mtu;

  if (law->phase == START) {
    if (law->start_planned)
      least = (uint64_t)LEAST_START_WINDOW * law->mtu;
    window = 3 * flight_for (law, law->min_rtt) + least;
    return window > law->start_window ? window : law->start_window;
  }
  window = 2 * flight_for (law, law->min_rtt)
           + flight_for (law, target_delay (law))
           + (uint64_t)MIN_WINDOW * law->mtu;
  return window > least ? window : least;
}

static uint64_t
law_target (const void *state)
{
  const Law *law = state;
  uint64_t rate = law->model;

  if (law->phase == START)
    return rate > START_RATE ? rate : START_RATE;
  return rate * 17 / 20;
}

const UdtCongestion udt_congestion_delay = {
  .name = "delay",
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
