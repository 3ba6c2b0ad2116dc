/* How fast an encoder shall be, of how much each viewer's path carries.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure: numbers and the time go in, a number comes out. No GLib, GStreamer,
 * clock or lock; whoever owns a BitratePolicy serialises the calls.
 *
 * The stream is encoded once, so one bit rate serves all. It is the lowest that
 * any viewer's path carries, within limits that keep a bad path from ruining
 * the picture of all others:
 *  - a viewer whose path carries less than `min` does not count;
 *  - nor does one whose path carries less than an eighth of what the median
 *    viewer could get (the upper one of two);
 *  - nor one below half of that, as long as such viewers are less than a
 *    quarter of all.
 * Who does not count loses frames up to the next keyframe, and counts again
 * when its path carries a quarter more than the limit, so that nobody sways
 * between the two. If nobody reaches `min` the bit rate is `min`.
 *
 * It falls at once, and rises by at most a fifth each quarter of a second, to
 * what has been there all that time, and not within a second after a fall.
 * Changes of less than a twentieth are not made.
 * Without viewers it is what it was at the beginning.
 */
#ifndef IV_BITRATE_H
#define IV_BITRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rises are so far apart, and the first one from a fall so far. */
#define BITRATE_POLICY_RISE_US 250000
#define BITRATE_POLICY_HOLD_US 1000000
#define BITRATE_POLICY_RISE_PERCENT 20
#define BITRATE_POLICY_STEP_PERCENT 5
/* Shares of what the median viewer can get, and of the viewers. */
#define BITRATE_POLICY_FLOOR 8
#define BITRATE_POLICY_FEW_FLOOR 2
#define BITRATE_POLICY_FEW 4
/* Of viewers beyond so many no account is taken. */
#define BITRATE_POLICY_MAX_VIEWERS 1024

typedef struct
{
  uint64_t bitrate; /* bit/s of this stream that its path carries */
  bool left_out;    /* in and out: it does not count. False at first */
} BitrateViewer;

typedef struct
{
  /* To be set at any time; bit/s. */
  uint64_t min;
  uint64_t max;   /* 0: as much as the viewers can get */
  uint64_t start; /* 0: `max` */

  uint64_t current; /* the answer; 0: none yet */
  bool served;      /* somebody watches */
  uint64_t lowest;  /* that could have been since the last rise */
  uint64_t rise_at; /* us */
} BitratePolicy;

void bitrate_policy_init (BitratePolicy *policy);

/* At the beginning, and when a limit was changed: true if `current` is another
 * one by that. */
bool bitrate_policy_limit (BitratePolicy *policy);

/* A few times a second: true if `current` has changed. */
bool bitrate_policy_update (BitratePolicy *policy, BitrateViewer *viewers,
                            size_t n, uint64_t now_us);

#endif /* IV_BITRATE_H */
