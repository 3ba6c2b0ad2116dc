/* What short trains of packets tell about the rate of the path.
 *
 * The packets of a frame leave next to each other, and the bottleneck takes
 * its time for each. From when the first left until the last arrived, less the
 * way through empty queues, it has carried all but the first: that many bytes
 * in that time is what it carries at least, whatever else was in its queue and
 * however much jitter there was. Both only make it less, as does a receiver
 * that takes several packets at once: it is the time of the last that counts,
 * and the length of the way, not the time between them. So few packets suffice,
 * and a stream that is thin for its path finds that out by any of its frames.
 *
 * It is too much where a burst passes faster than what follows it (a token
 * bucket, a radio that saves up turns), and where the way was measured while a
 * queue stood. Therefore several trains have to agree, what they say is taken
 * by steps, each of which shows in the delays if it was too large, and when a
 * queue gives them the lie they are not listened to for a while, twice as long
 * each time.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udttrain.h"

#include <string.h>

#define MS 1000u
#define SECOND 1000000u

/* A pause as long as this ends a train, and so do as many packets. */
#define MAX_PAUSE (3 * MS)
#define MAX_PACKETS 64
/* Behind the first packet. */
#define LEAST_BYTES 400
/* Clocks are not finer. */
#define LEAST_TIME 100
/* Older ones tell of another path. */
#define MAX_AGE (1 * SECOND)
/* Not listened to for so long, after they were wrong. */
#define FIRST_WAIT (1 * SECOND)
#define MAX_WAIT (32 * SECOND)
/* What was wrong so long ago is forgotten. */
#define FORGIVEN (60 * SECOND)

void
udt_trains_init (UdtTrains *trains)
{
  memset (trains, 0, sizeof *trains);
}

static void
begin_train (UdtTrains *trains, UdtTime sent)
{
  trains->first_sent = trains->last_sent = sent;
  trains->packets = 1;
  trains->bytes = 0;
  trains->sampled = false;
}

static void
add_sample (UdtTrains *trains, uint64_t rate)
{
  UdtTrainSample *sample;

  if (!trains->sampled) {
    trains->newest = (trains->newest + 1) % UDT_TRAINS;
    trains->n += trains->n < UDT_TRAINS;
    trains->sampled = true;
    sample = &trains->samples[trains->newest];
    sample->at = trains->first_sent;
    sample->rate = 0;
  }
  /* Each part of a train is a train. */
  sample = &trains->samples[trains->newest];
  if (rate > sample->rate)
    sample->rate = rate;
}

void
udt_trains_add (UdtTrains *trains, UdtTime sent, uint32_t size, UdtTime delay)
{
  UdtTime time;

  if (trains->packets > 0 && sent < trains->last_sent)
    return;
  if (trains->packets == 0 || trains->packets == MAX_PACKETS
      || sent - trains->last_sent > MAX_PAUSE) {
    begin_train (trains, sent);
    return;
  }
  trains->last_sent = sent;
  trains->packets++;
  trains->bytes += size;
  time = sent - trains->first_sent + delay;
  if (trains->bytes >= LEAST_BYTES)
    add_sample (trains, trains->bytes * SECOND
                            / (time > LEAST_TIME ? time : LEAST_TIME));
}

/* The lowest but one: a single bad moment is no reason to doubt the others. */
uint64_t
udt_trains_rate (const UdtTrains *trains, UdtTime now)
{
  uint64_t lowest = UINT64_MAX, second = UINT64_MAX;
  uint32_t i;

  if (trains->n < UDT_TRAINS)
    return 0;
  for (i = 0; i < UDT_TRAINS; i++) {
    uint64_t rate = trains->samples[i].rate;

    if (now > trains->samples[i].at && now - trains->samples[i].at > MAX_AGE)
      return 0;
    if (rate < lowest) {
      second = lowest;
      lowest = rate;
    } else if (rate < second) {
      second = rate;
    }
  }
  return second;
}

/* --- Trust --- */

uint64_t
udt_trust_raise (UdtTrust *trust, uint64_t trains, uint64_t rate, UdtTime now,
                 UdtTime srtt)
{
  if (trains <= rate || now < trust->not_before
      || now - trust->raised_at < srtt)
    return rate;
  if (!trust->raised)
    trust->before = rate;
  trust->raised_at = now;
  trust->raised = true;
  return trains < 2 * rate ? trains : 2 * rate;
}

bool
udt_trust_check (UdtTrust *trust, uint64_t rate, uint64_t delivered,
                 UdtTime now)
{
  if (!trust->raised || delivered * 4 > rate * 3)
    return false;
  if (trust->wait == 0 || now - trust->failed_at > FORGIVEN)
    trust->wait = FIRST_WAIT;
  else if (trust->wait < MAX_WAIT)
    trust->wait *= 2;
  trust->failed_at = now;
  trust->not_before = now + trust->wait;
  trust->raised = false;
  return true;
}
