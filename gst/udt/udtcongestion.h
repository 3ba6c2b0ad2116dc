/* Congestion laws: how fast and how much a connection may send.
 *
 * A law is a table of functions over a block of state that the connection
 * allocates; it has no other memory, clock or randomness, so laws can be
 * compared in the simulator. Rates are bytes per second. All calls come from
 * the thread of the connection.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef UDT_CONGESTION_H
#define UDT_CONGESTION_H

#include "udt.h"

/* What one acknowledgement taught. */
typedef struct
{
  UdtTime now;
  uint64_t acked;        /* bytes, first heard of now */
  uint64_t in_flight;    /* bytes, afterwards */
  UdtTime srtt, min_rtt; /* 0: no sample yet */
  bool has_delay;
  UdtTime delay_min, delay_max; /* queueing delay of the packets acked */
  uint64_t rate;                /* at which they arrived; 0: unknown */
  bool app_limited;             /* ... while there was nothing more to send */
  uint64_t trains;              /* by short trains of packets; 0: unknown */
  bool round;                   /* a round trip has passed since the last */
  bool resumed;                 /* after a silence of the path: its delays and
                                   rates say nothing about queues */
} UdtAckBatch;

typedef struct
{
  UdtTime now;
  uint64_t lost;      /* bytes */
  uint64_t in_flight; /* bytes, afterwards */
} UdtLossBatch;

struct _UdtCongestion
{
  const char *name;
  size_t state_size;
  void (*init) (void *state, uint32_t mtu, UdtTime now);
  void (*on_sent) (void *state, uint64_t bytes, uint64_t in_flight,
                   UdtTime now);
  void (*on_ack) (void *state, const UdtAckBatch *batch);
  void (*on_loss) (void *state, const UdtLossBatch *batch);
  /* Nothing but probes got through for several expiries. */
  void (*on_expiry) (void *state, UdtTime now);
  /* Time passes; called from udt_connection_tick() when `next_time` is due. */
  void (*on_tick) (void *state, UdtTime now);
  UdtTime (*next_time) (const void *state); /* UDT_NEVER: not needed */
  uint64_t (*rate) (const void *state);
  uint64_t (*window) (const void *state); /* bytes in flight allowed */
  uint64_t (*target) (const void *state); /* what media should send */
};

/* The default: delivered rate and queueing delay; random loss is ignored. */
extern const UdtCongestion udt_congestion_delay;
/* UDT's, mended: fills the queue, falls with every loss. */
extern const UdtCongestion udt_congestion_aimd;

#endif /* UDT_CONGESTION_H */
