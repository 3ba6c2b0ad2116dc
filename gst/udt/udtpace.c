/* The pace of data: a bucket of bytes that fills at the rate of the congestion
 * law, and is woken for when it holds a train of packets.
 *
 * Timers come late: by a millisecond on an idle host, by many on a busy one.
 * While data waits for its turn the bucket goes on filling for that long, or
 * the host's timers and not the path would set the rate.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtprivate.h"

#define TRAIN_PACKETS 3
#define TRAIN_TIME (1 * MS)
#define MAX_CATCH_UP (20 * MS)
/* So many times lower than it is by now. */
#define VERY_LOW 4

static int64_t
train_bytes (const UdtConnection *conn)
{
  uint64_t rate = conn->congestion->rate (conn->law);
  uint64_t bytes = rate * TRAIN_TIME / SECOND;
  uint64_t least = (uint64_t)TRAIN_PACKETS * conn->mtu;

  return (int64_t)(bytes > least ? bytes : least);
}

/* When there is enough for the train that was last waited for. */
static UdtTime
fill_time (const UdtConnection *conn, uint64_t rate)
{
  UdtTime wait = conn->pace_missing * SECOND / (rate > 0 ? rate : 1);

  return conn->pace_from + (wait < SECOND ? wait : SECOND);
}

void
udt_pace_refill (UdtConnection *conn, UdtTime now)
{
  uint64_t rate = conn->congestion->rate (conn->law);
  UdtTime elapsed = now - conn->tokens_at;
  int64_t most = train_bytes (conn);

  if (conn->pace_waiting && now > conn->pace_time) {
    UdtTime late = now - conn->pace_time;

    if (late > MAX_CATCH_UP)
      late = MAX_CATCH_UP;
    most += (int64_t)(late * rate / SECOND);
  }
  if (elapsed > SECOND)
    elapsed = SECOND;
  /* Fractions of a byte stay in the clock. */
  if (elapsed * rate < SECOND)
    return;
  conn->tokens += (int64_t)(elapsed * rate / SECOND);
  conn->tokens_at = now;
  if (conn->tokens > most)
    conn->tokens = most;
}

void
udt_pace_spend (UdtConnection *conn, size_t bytes, UdtTime now)
{
  uint64_t rate = conn->congestion->rate (conn->law);
  int64_t missing, train, waiting;

  conn->tokens -= (int64_t)bytes;
  if (conn->tokens > 0)
    return;
  conn->pace_waiting = true;
  /* The last packets of a frame do not wait for a full train. */
  train = train_bytes (conn);
  waiting = (int64_t)(conn->unsent_bytes + conn->repair_bytes_due);
  if (conn->mask_lost == 0 && waiting < train)
    train = waiting + 1;
  missing = train - conn->tokens;
  conn->pace_from = now;
  conn->pace_missing = (uint64_t)missing;
  conn->pace_rate = rate;
  conn->pace_time = fill_time (conn, rate);
}

/* The rate may have changed: what was to wait by a very low one does so no
 * longer. */
void
udt_pace_update (UdtConnection *conn)
{
  uint64_t rate;

  if (conn->pace_time <= conn->now)
    return;
  rate = conn->congestion->rate (conn->law);
  if (rate < VERY_LOW * conn->pace_rate)
    return;
  conn->pace_rate = rate;
  conn->pace_time = fill_time (conn, rate);
}
