/* Last chances: a repeat that there is no time to repeat again goes several
 * times.
 *
 * How many depends on the loss of the path. The copies keep a distance, because
 * packets next to each other are lost together. They and the original are
 * twins: one piece of the message, which has arrived with the first of them and
 * is lost with the last.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtprivate.h"

/* One packet lost of so many: a repeat is worth a copy, or two. */
#define LOSSY 200
#define VERY_LOSSY 100
/* From one copy to the next, if there is time. */
#define DISTANCE (8 * MS)

/* There is time for this repeat to arrive and not for another one. */
static bool
is_last_chance (const UdtConnection *conn, const UdtOut *out)
{
  UdtTime again = udt_arrival_time (conn, conn->now) + conn->srtt
                  + conn->srtt / 4 + 2 * conn->rttvar + UDT_MAX_ACK_DELAY;

  return out->deadline != UDT_NEVER && out->deadline < again;
}

static unsigned
copies_worth (const UdtConnection *conn)
{
  uint64_t lost = conn->stats.packets_lost;

  if (lost * VERY_LOSSY > conn->next_number)
    return 2;
  return lost * LOSSY > conn->next_number ? 1 : 0;
}

static void
unref (UdtConnection *conn, UdtTwins *twins)
{
  if (--twins->refs == 0)
    udt_pool_give (&conn->twins_pool, twins);
}

static void
plan (UdtConnection *conn, UdtTwins *twins, UdtTime due)
{
  UdtCopy *copy = &conn->copies[conn->n_copies++];

  copy->due = due;
  copy->twins = twins;
  twins->refs++;
  if (due < conn->copies_time)
    conn->copies_time = due;
}

void
udt_copies_plan (UdtConnection *conn, UdtItem *item)
{
  UdtTime left, distance;
  unsigned copies, i;
  UdtTwins *twins;

  copies = is_last_chance (conn, item->out) ? copies_worth (conn) : 0;
  if (copies == 0 || conn->n_copies + copies > UDT_MAX_COPIES)
    return;
  twins = udt_pool_take (&conn->twins_pool);
  if (twins == NULL)
    return;
  twins->refs = 1;
  twins->arrived = false;
  twins->slot = item->slot;
  twins->out = item->out;
  twins->out_generation = item->out_generation;
  twins->offset = item->offset;
  twins->len = item->len;
  item->twins = twins;
  left = item->out->deadline > conn->now ? item->out->deadline - conn->now : 0;
  distance = left / 4 < DISTANCE ? left / 4 : DISTANCE;
  for (i = 1; i <= copies; i++)
    plan (conn, twins, conn->now + i * distance);
}

/* It is no piece of its own: the first of the twins to arrive is the piece. One
 * that is too late is still needed if the others are lost, to end the message.
 * False: no memory now. */
static bool
make_item (UdtConnection *conn, UdtTwins *twins)
{
  bool late = twins->out->deadline < udt_arrival_time (conn, conn->now);
  UdtItem *item;

  if (twins->arrived || twins->out->generation != twins->out_generation
      || (late && twins->refs > 1))
    return true;
  item = udt_item_take (conn, ITEM_DATA, twins->slot);
  if (item == NULL)
    return false;
  item->out = twins->out;
  item->out_generation = twins->out_generation;
  item->offset = twins->offset;
  item->len = twins->len;
  item->copy = true;
  item->twins = twins;
  twins->refs++;
  udt_lost_insert (conn, &conn->flows_out[twins->slot], item);
  return true;
}

/* Those whose time has come go with the next packets. */
void
udt_copies_tick (UdtConnection *conn, UdtTime now)
{
  uint32_t i, kept = 0;

  if (conn->copies_time > now)
    return;
  conn->copies_time = UDT_NEVER;
  for (i = 0; i < conn->n_copies; i++) {
    UdtCopy *copy = &conn->copies[i];

    if (copy->due <= now && make_item (conn, copy->twins)) {
      unref (conn, copy->twins);
      continue;
    }
    if (copy->due <= now)
      copy->due = now + UDT_SEND_RETRY;
    if (copy->due < conn->copies_time)
      conn->copies_time = copy->due;
    conn->copies[kept++] = *copy;
  }
  conn->n_copies = kept;
}

/* Short walks: the oldest lost pieces come first, and these are of them. */
static void
forget_queued (UdtConnection *conn, const UdtTwins *twins)
{
  UdtFlowOut *flow = &conn->flows_out[twins->slot];
  UdtItem *item = flow->lost_head, *next;

  for (; item != NULL && item->out->id <= twins->out->id; item = next) {
    next = item->next;
    if (item->twins == twins) {
      udt_lost_remove (conn, flow, item);
      udt_item_give (conn, item);
    }
  }
}

bool
udt_copies_first (UdtConnection *conn, UdtItem *item)
{
  UdtTwins *twins = item->twins;

  if (twins == NULL)
    return true;
  if (twins->arrived)
    return false;
  twins->arrived = true;
  if (conn->copies_queued > 0 && twins->refs > 1)
    forget_queued (conn, twins);
  return true;
}

bool
udt_copies_left (UdtConnection *conn, UdtItem *item)
{
  if (item->twins == NULL)
    return false;
  if (item->twins->arrived || item->twins->refs > 1)
    return true;
  udt_copies_forget (conn, item);
  return false;
}

void
udt_copies_forget (UdtConnection *conn, UdtItem *item)
{
  if (item->twins != NULL)
    unref (conn, item->twins);
  item->twins = NULL;
}
