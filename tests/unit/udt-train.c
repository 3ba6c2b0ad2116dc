/* Short trains of packets: what rate they tell, and when they are believed.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "check.h"
#include "udtprivate.h"

#define PACKET 1472
#define MBIT (1000000 / 8)
#define FRAME (33 * MS)

/* A frame of `n` packets that leave at once at `at`, through a bottleneck of
 * `rate` in which `queue` waits; the last is `late` later. */
static void
frame (UdtTrains *trains, UdtTime at, unsigned n, uint64_t rate, UdtTime queue,
       UdtTime late)
{
  for (unsigned i = 0; i < n; i++)
    udt_trains_add (trains, at, PACKET,
                    queue + (i + 1) * (PACKET * SECOND / rate)
                        + (i + 1 == n ? late : 0));
}

static UdtTime
frames (UdtTrains *trains, UdtTime at, unsigned count, unsigned n,
        uint64_t rate)
{
  for (; count > 0; count--, at += FRAME)
    frame (trains, at, n, rate, 0, 0);
  return at;
}

static void
some_have_to_agree (void)
{
  UdtTrains trains;
  UdtTime now;

  udt_trains_init (&trains);
  CHECK_EQ (udt_trains_rate (&trains, SECOND), 0);
  now = frames (&trains, SECOND, UDT_TRAINS - 1, 4, 20 * MBIT);
  CHECK_EQ (udt_trains_rate (&trains, now), 0);
  now = frames (&trains, now, 1, 4, 20 * MBIT);
  CHECK (udt_trains_rate (&trains, now) > 14 * MBIT);
}

/* Never more than there is, whatever the length, and most of it. */
static void
never_more_than_there_is (void)
{
  static const uint64_t rates[] = { 1, 2, 5, 10, 20, 100 };

  for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
    for (unsigned n = 2; n <= 64; n++) {
      uint64_t rate = rates[i] * MBIT, got;
      UdtTrains trains;
      UdtTime now;

      udt_trains_init (&trains);
      now = frames (&trains, SECOND, UDT_TRAINS + 2, n, rate);
      got = udt_trains_rate (&trains, now);
      CHECK (got <= rate + rate / 50);
      CHECK (got >= rate * (n - 1) / n / 2);
    }
}

static void
queue_and_jitter_make_it_less (void)
{
  uint64_t rate = 20 * MBIT, still, late, queued;
  UdtTrains trains;
  UdtTime now = SECOND;

  udt_trains_init (&trains);
  now = frames (&trains, now, UDT_TRAINS, 4, rate);
  still = udt_trains_rate (&trains, now);
  /* One late packet is no reason to doubt the others. */
  frame (&trains, now, 4, rate, 20 * MS, 20 * MS);
  CHECK_EQ (udt_trains_rate (&trains, now), still);
  now += FRAME;
  for (unsigned i = 0; i < UDT_TRAINS; i++, now += FRAME)
    frame (&trains, now, 3, rate, 0, 5 * MS);
  late = udt_trains_rate (&trains, now);
  CHECK (late < still);
  for (unsigned i = 0; i < UDT_TRAINS; i++, now += FRAME)
    frame (&trains, now, 4, rate, 30 * MS, 0);
  queued = udt_trains_rate (&trains, now);
  CHECK (queued < 2 * MBIT);
}

/* All at once at the end of a clump: the time of the last counts. */
static void
clumps_do_not_deceive (void)
{
  UdtTrains trains;
  UdtTime now = SECOND;

  udt_trains_init (&trains);
  for (unsigned i = 0; i < 2 * UDT_TRAINS; i++, now += FRAME)
    for (unsigned j = 0; j < 4; j++)
      udt_trains_add (&trains, now, PACKET, 24 * MS);
  CHECK (udt_trains_rate (&trains, now) <= 2 * MBIT);
}

static void
old_ones_and_lone_packets_tell_nothing (void)
{
  UdtTrains trains;
  UdtTime now;

  udt_trains_init (&trains);
  now = frames (&trains, SECOND, 20, 1, 20 * MBIT);
  CHECK_EQ (udt_trains_rate (&trains, now), 0);
  now = frames (&trains, now, UDT_TRAINS, 4, 20 * MBIT);
  CHECK (udt_trains_rate (&trains, now) > 0);
  CHECK_EQ (udt_trains_rate (&trains, now + 2 * SECOND), 0);
  /* What was sent before the newest is left out. */
  udt_trains_add (&trains, SECOND, PACKET, 0);
  CHECK (udt_trains_rate (&trains, now) > 0);
}

static void
paced_packets_are_no_faster_than_their_pace (void)
{
  UdtTrains trains;
  UdtTime now = SECOND;

  udt_trains_init (&trains);
  for (unsigned i = 0; i < 2 * UDT_TRAINS; i++, now += FRAME)
    for (unsigned j = 0; j < 10; j++)
      udt_trains_add (&trains, now + j * 2 * MS, PACKET, 100);
  CHECK (udt_trains_rate (&trains, now) <= PACKET * SECOND / (2 * MS));
}

static void
trust_rises_by_steps (void)
{
  UdtTrust trust = { 0 };
  UdtTime now = SECOND, rtt = 40 * MS;
  uint64_t rate = 2 * MBIT;

  rate = udt_trust_raise (&trust, 20 * MBIT, rate, now, rtt);
  CHECK_EQ (rate, 4 * MBIT);
  /* Once a round trip. */
  CHECK_EQ (udt_trust_raise (&trust, 20 * MBIT, rate, now + rtt / 2, rtt),
            rate);
  rate = udt_trust_raise (&trust, 20 * MBIT, rate, now + rtt, rtt);
  CHECK_EQ (rate, 8 * MBIT);
  rate = udt_trust_raise (&trust, 9 * MBIT, rate, now + 2 * rtt, rtt);
  CHECK_EQ (rate, 9 * MBIT);
  /* Never less. */
  CHECK_EQ (udt_trust_raise (&trust, MBIT, rate, now + 3 * rtt, rtt), rate);
  CHECK_EQ (trust.before, 2 * MBIT);
}

/* A queue gives them the lie: not again for a second, then for two, and so on;
 * after a long time all is forgiven. */
static void
trust_is_lost (void)
{
  UdtTrust trust = { 0 };
  UdtTime now = SECOND, wait = SECOND, rtt = 40 * MS;

  /* Without their word nothing is their fault. */
  CHECK (!udt_trust_check (&trust, 20 * MBIT, MBIT, now));
  for (unsigned i = 0; i < 8; i++) {
    udt_trust_raise (&trust, 20 * MBIT, 2 * MBIT, now, rtt);
    CHECK (!udt_trust_check (&trust, 4 * MBIT, 3.5 * MBIT, now));
    CHECK (udt_trust_check (&trust, 4 * MBIT, 2 * MBIT, now));
    CHECK (!udt_trust_check (&trust, 4 * MBIT, 2 * MBIT, now));
    CHECK_EQ (udt_trust_raise (&trust, 20 * MBIT, 2 * MBIT, now + wait - 1,
                               rtt),
              2 * MBIT);
    now += wait;
    if (wait < 32 * SECOND)
      wait *= 2;
  }
  now += 100 * SECOND;
  udt_trust_raise (&trust, 20 * MBIT, 2 * MBIT, now, rtt);
  CHECK (udt_trust_check (&trust, 4 * MBIT, 2 * MBIT, now));
  CHECK_EQ (trust.not_before, now + SECOND);
}

static const CheckCase cases[] = {
  { "some-have-to-agree", some_have_to_agree },
  { "never-more-than-there-is", never_more_than_there_is },
  { "queue-and-jitter-make-it-less", queue_and_jitter_make_it_less },
  { "clumps-do-not-deceive", clumps_do_not_deceive },
  { "old-ones-and-lone-packets-tell-nothing",
    old_ones_and_lone_packets_tell_nothing },
  { "paced-packets-are-no-faster-than-their-pace",
    paced_packets_are_no_faster_than_their_pace },
  { "trust-rises-by-steps", trust_rises_by_steps },
  { "trust-is-lost", trust_is_lost },
};

CHECK_MAIN (cases)
