/* The default law beside others.
 *
 * A queue that stands after falling back twice is somebody else's: the target
 * rises until there is a fair share, what overflows is shed, and every few
 * seconds the rate is halved for a moment to see if he is still there, for
 * others like us leave when they can. Who came while a queue stood takes it for
 * the length of the path and what it loses for the path's loss: who loses that
 * much doubts it, and looks.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtcongestion-delay.h"

/* Beside somebody who fills the queue: how often to look if he is still there,
 * and for how long at most. */
#define LOOK_EVERY (3 * SECOND)
#define MAX_LOOK_EVERY (12 * SECOND)
#define LOOK_DELAYS 6
/* Loss beyond what the path has anyway, per mille, and what is left then. */
#define CONTENDED_LOSS 10
#define SHED 80
#define MAX_LOSS_CREDIT 100 /* per mille */
/* Deviations of loss by chance that are none. */
#define LUCK 3
/* The same for who loses so much, per mille, and does not see a queue: one that
 * has stood since before he came would look like this. */
#define DOUBTFUL_LOSS 10
#define DOUBT_AFTER (1 * SECOND)
#define MAX_DOUBT_AFTER (60 * SECOND)
/* So many of a calm path show what it loses. */
#define CALM_PACKETS 128
/* The target rises by this. */
#define BOOST (15 * MS)
#define MAX_CONTENDED_TARGET (120 * MS)

/* The queue is empty: he has gone, or only paused. */
void
udt_law_forget_boost (Law *law, UdtTime boost)
{
  if (law->target_boost > law->known_boost || law->now >= law->known_until)
    law->known_boost = law->target_boost;
  if (law->target_boost > 0)
    law->known_until = law->now + LOOK_EVERY;
  law->target_boost = boost;
  law->backoffs = 0;
}

/* A queue stood, and the rate falls back. */
void
udt_law_stand (Law *law)
{
  law->backoffs++;
  if (law->known_boost > law->target_boost && law->now < law->known_until) {
    /* He is still there. */
    law->target_boost = law->known_boost;
    law->known_boost = 0;
    law->look_every *= 2;
    if (law->look_every > MAX_LOOK_EVERY)
      law->look_every = MAX_LOOK_EVERY;
    law->look_at = law->now + law->look_every;
  } else if (law->backoffs >= 2) {
    /* It does not go away by itself: somebody else fills the queue. Stand
     * beside him rather than starve. */
    if (law->target_boost == 0) {
      law->look_every = LOOK_EVERY;
      law->look_at = law->now + LOOK_EVERY;
    }
    law->target_boost += BOOST;
    if (law->target_boost > MAX_CONTENDED_TARGET)
      law->target_boost = MAX_CONTENDED_TARGET;
  }
}

/* More was lost than the path loses, and by more than chance has it. */
static bool
lost_more (const Law *law, uint64_t total)
{
  uint64_t expected = total * law->loss / 1000, chance, more;

  if (law->round_lost * 1000 < total * (law->loss + CONTENDED_LOSS))
    return false;
  /* The square of the deviation, of packets that are lost one by one. */
  chance = expected * law->mtu;
  more = law->round_lost - expected;
  return more * more > LUCK * LUCK * chance;
}

/* Beside somebody who fills the queue, what it has no room for is shed by all
 * in equal parts. */
static void
share_full_queue (Law *law, uint64_t total)
{
  if (total < 10ull * law->mtu || law->shed || !lost_more (law, total)) {
    law->shed = false;
    return;
  }
  /* Not twice for what was sent before the first. */
  law->shed = true;
  udt_law_set_model (law, law->model * SHED / 100);
}

/* A queue that stands loses packets when it is full, and there is none longer
 * than that. What is lost while delays are low, lower than they have been, is
 * the path's. */
static void
note_calm_loss (Law *law, uint64_t total)
{
  if (!law->round_has_delay)
    return;
  if (law->round_delay > law->most_delay)
    law->most_delay = law->round_delay;
  if (law->most_delay < MIN_TARGET || law->round_peak > law->most_delay / 2)
    return;
  law->calm += total;
  law->calm_lost += law->round_lost;
  if (law->calm > CALM_PACKETS * (uint64_t)law->mtu * 4) {
    law->calm /= 2;
    law->calm_lost /= 2;
    law->most_delay -= law->most_delay / 8;
  }
}

static bool
is_path_loss (const Law *law)
{
  return law->calm > CALM_PACKETS * (uint64_t)law->mtu
         && law->calm_lost * 2000 >= law->calm * law->loss;
}

void
udt_law_measure_loss (Law *law)
{
  uint64_t total = law->round_acked + law->round_lost;
  uint32_t loss;

  if (law->target_boost > 0) {
    share_full_queue (law, total);
    return;
  }

  /* Not the loss that a probe or the start caused itself. */
  if (total < 20ull * law->mtu || law->phase == START
      || (law->phase == CRUISE && law->cycle <= 2))
    return;
  note_calm_loss (law, total);
  loss = (uint32_t)(law->round_lost * 1000 / total);
  if (loss > MAX_LOSS_CREDIT)
    loss = MAX_LOSS_CREDIT;
  law->loss = (7 * law->loss + loss) / 8;
  if (law->loss >= DOUBTFUL_LOSS && law->doubt_after == 0) {
    law->doubt_after = DOUBT_AFTER;
    law->doubt_at = law->now + law->doubt_after;
  }
}

static void
start_look (Law *law, UdtTime now, UdtTime time, bool doubting)
{
  law->phase = LOOK;
  law->look_until = now + time;
  law->doubting = doubting;
}

void
udt_law_end_look (Law *law, UdtTime now)
{
  if (!law->doubting)
    law->look_at = now + law->look_every;
  law->doubting = false;
  udt_law_enter_cruise (law);
}

/* Is it the path that is long and loses packets, or a queue that has been full
 * all along? More and more rarely. */
static void
start_doubt (Law *law, UdtTime now)
{
  UdtTime time = law->min_rtt < MAX_TARGET ? law->min_rtt : MAX_TARGET;

  start_look (law, now, time + LOOK_DELAYS * MIN_TARGET, true);
  law->doubt_after *= 2;
  if (law->doubt_after > MAX_DOUBT_AFTER)
    law->doubt_after = MAX_DOUBT_AFTER;
  law->doubt_at = law->look_until + law->doubt_after;
}

/* Others like us would leave as soon as they can: make room, and see. */
void
udt_law_look (Law *law, const UdtAckBatch *batch)
{
  if (law->phase == CRUISE && law->target_boost > 0
      && batch->now >= law->look_at) {
    start_look (law, batch->now, LOOK_DELAYS * (batch->delay_min + MIN_TARGET),
                false);
    return;
  }
  if (law->phase == CRUISE && !law->limited && law->doubt_after > 0
      && law->loss >= DOUBTFUL_LOSS && batch->now >= law->doubt_at
      && !is_path_loss (law)) {
    start_doubt (law, batch->now);
    return;
  }
  if (law->phase != LOOK)
    return;
  if (!law->doubting && batch->has_delay && !batch->resumed
      && batch->delay_min < MIN_TARGET / 2)
    udt_law_forget_boost (law, 0);
  else if (batch->now < law->look_until)
    return;
  udt_law_end_look (law, batch->now);
}
