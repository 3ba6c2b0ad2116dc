/* The state of the default law, which udtcongestion-delay.c drives and
 * udtcongestion-beside.c has a part of. Nobody else's.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef UDT_CONGESTION_DELAY_H
#define UDT_CONGESTION_DELAY_H

#include "udtcongestion.h"
#include "udttrain.h"

#define MS 1000u
#define SECOND 1000000u

#define ROUNDS 10 /* the model remembers */
#define MIN_TARGET (10 * MS)
#define MAX_TARGET (40 * MS)

typedef enum { START, DRAIN, CRUISE, LOOK } Phase;

typedef struct
{
  uint32_t mtu;
  Phase phase;
  bool start_planned;
  unsigned cycle; /* round within CRUISE */
  uint64_t start_window, start_rate;
  uint64_t probe_from; /* the model when the probe began */
  bool bold;           /* the last probe found more */
  bool limited;        /* last round: not enough to send */
  unsigned late_acks;  /* in a row */
  UdtTime late_since, last_delay;
  UdtTime burst_after; /* modest ones until then */
  UdtTime now;
  unsigned flat_rounds;
  uint64_t flat_rate;
  uint64_t best[ROUNDS]; /* delivered rate by round */
  unsigned slot;
  uint64_t model; /* the highest of them */
  UdtTime min_rtt, srtt;
  UdtTime base_now, base_before, base_at;
  /* This round */
  UdtTime round_delay, round_peak;
  bool round_has_delay, round_limited, round_resumed;
  uint64_t round_rate, round_acked, round_lost;
  /* Queue */
  unsigned over_rounds, backoffs;
  UdtTime settled_at; /* what was under way then has arrived */
  UdtTime target_boost;
  bool shed; /* last round */
  UdtTime look_at, look_until, look_every;
  UdtTime known_boost, known_until; /* he was there not long ago */
  uint32_t loss;                    /* per mille, averaged */
  bool doubting;                    /* LOOK for the length of the path */
  UdtTime doubt_at, doubt_after;
  UdtTime most_delay;       /* that all of a round had, lately */
  uint64_t calm, calm_lost; /* bytes, while delays were lower */
  UdtTime thin_until;       /* little to send, not long ago */
  UdtTrust trust;           /* in short trains */
} Law;

/* --- udtcongestion-delay.c --- */
void udt_law_set_model (Law *law, uint64_t rate);
void udt_law_enter_cruise (Law *law);

/* --- udtcongestion-beside.c --- */
/* A queue stood, and the rate falls back. */
void udt_law_stand (Law *law);
/* The queue is empty: he has gone, or only paused. */
void udt_law_forget_boost (Law *law, UdtTime boost);
/* At the end of a round. */
void udt_law_measure_loss (Law *law);
void udt_law_look (Law *law, const UdtAckBatch *batch);
void udt_law_end_look (Law *law, UdtTime now);

#endif /* UDT_CONGESTION_DELAY_H */
