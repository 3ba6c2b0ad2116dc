/* What short trains of packets tell about the rate of the path.
 *
 * Pure: no clock, no memory but the structures here. They belong to the thread
 * of the connection. See udttrain.c.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef UDT_TRAIN_H
#define UDT_TRAIN_H

#include "udt.h"

/* Trains that have to agree. */
#define UDT_TRAINS 4

typedef struct
{
  UdtTime at; /* when its first packet left */
  uint64_t rate;
} UdtTrainSample;

typedef struct
{
  /* The train under way */
  UdtTime first_sent, last_sent;
  uint32_t packets;
  uint64_t bytes; /* behind the first packet */
  bool sampled;
  /* The last ones; the newest is that of the train under way if it has one. */
  UdtTrainSample samples[UDT_TRAINS];
  uint32_t newest, n;
} UdtTrains;

void udt_trains_init (UdtTrains *trains);
/* A packet arrived, `delay` later than it would have through empty queues. In
 * the order in which they were sent; others are left out. */
void udt_trains_add (UdtTrains *trains, UdtTime sent, uint32_t size,
                     UdtTime delay);
/* What the path carries at least, in bytes per second; 0: not known. */
uint64_t udt_trains_rate (const UdtTrains *trains, UdtTime now);

/* How far trains are to be believed: a path may let short bursts pass faster
 * than what follows. */
typedef struct
{
  UdtTime not_before;
  UdtTime wait, failed_at; /* of the last time */
  UdtTime raised_at;
  bool raised;     /* by their word, */
  uint64_t before; /* and was this */
} UdtTrust;

/* The rate that `trains` makes of `rate`, at most twice that much a round
 * trip. */
uint64_t udt_trust_raise (UdtTrust *trust, uint64_t trains, uint64_t rate,
                          UdtTime now, UdtTime srtt);
/* `delivered` was all that came through of `rate`. True: trains were not right.
 */
bool udt_trust_check (UdtTrust *trust, uint64_t rate, uint64_t delivered,
                      UdtTime now);

#endif /* UDT_TRAIN_H */
