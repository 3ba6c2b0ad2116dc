/* When a socket is looked at again (p2phold.h), in time that the cases make.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "check.h"
#include "p2phold.h"

#include <glib.h>

#define SECOND G_GINT64_CONSTANT (1000000)
#define MAX_TIMES 4096

typedef struct
{
  gint64 times[MAX_TIMES]; /* when datagrams come */
  guint n, next;
  P2pHold hold;
  guint wakes, vain;
  gint64 worst; /* how long one was left lying */
} Socket;

static void
add (Socket *socket, gint64 when)
{
  if (CHECK (socket->n < MAX_TIMES))
    socket->times[socket->n++] = when;
}

/* `count` datagrams, so far apart, for each of 30 frames. */
static void
add_frames (Socket *socket, guint count, gint64 apart)
{
  guint frame, i;

  for (frame = 0; frame < 30; frame++)
    for (i = 0; i < count; i++)
      add (socket, SECOND + frame * SECOND / 30 + i * apart);
}

static void
look (Socket *socket, gint64 now)
{
  guint n = 0;

  while (socket->next < socket->n && socket->times[socket->next] <= now) {
    gint64 lay = now - socket->times[socket->next++];

    socket->worst = MAX (socket->worst, lay);
    n++;
  }
  socket->wakes++;
  socket->vain += n == 0;
  p2p_hold_looked (&socket->hold, n, now);
}

/* As a thread does that has nothing else to do. */
static void
run (Socket *socket)
{
  gint64 now = 0;

  while (socket->next < socket->n || socket->hold.until != 0) {
    now = p2p_hold_is_on (&socket->hold, now)
              ? socket->hold.until
              : MAX (now, socket->times[socket->next]);
    look (socket, now);
  }
}

/* One after the other, as a network card hands them over. */
static void
frame_in_a_row (void)
{
  Socket socket = { 0 };

  add_frames (&socket, 57, 10);
  run (&socket);
  /* For the first, and for all the others. */
  CHECK_EQ (socket.wakes, 60);
  CHECK_EQ (socket.vain, 0);
}

static void
frame_from_a_slower_link (void)
{
  Socket socket = { 0 };

  add_frames (&socket, 57, 120);
  run (&socket);
  /* Seven milliseconds, eight of them at a time. */
  CHECK_RANGE (socket.wakes, 30 * 7, 30 * 9);
  CHECK (socket.worst <= P2P_HOLD_US);
}

/* An acknowledgement a frame is not waited for in vain. */
static void
one_at_a_time (void)
{
  Socket socket = { 0 };

  add_frames (&socket, 1, 0);
  run (&socket);
  CHECK_EQ (socket.wakes, 31);
  CHECK_EQ (socket.vain, 1);
}

/* Where no two come together nothing is held up. */
static void
far_apart (void)
{
  Socket socket = { 0 };

  add_frames (&socket, 10, 3 * P2P_HOLD_US / 2);
  run (&socket);
  CHECK_EQ (socket.wakes, 301);
  CHECK_EQ (socket.worst, 0);
}

static void
begins_again (void)
{
  Socket socket = { 0 };

  add_frames (&socket, 1, 0);
  run (&socket);
  socket.n = socket.next = 0;
  socket.wakes = 0;
  add_frames (&socket, 57, 10);
  /* Time went on. */
  for (guint i = 0; i < socket.n; i++)
    socket.times[i] += 2 * SECOND;
  run (&socket);
  /* Three looks until it is seen that they come close together. */
  CHECK_RANGE (socket.wakes, 60, 63);
}

/* What comes in heaps needs no collecting. */
static void
many_at_once (void)
{
  P2pHold hold = { 0 };

  p2p_hold_looked (&hold, P2P_HOLD_FEW, SECOND);
  CHECK (!p2p_hold_is_on (&hold, SECOND));
  p2p_hold_looked (&hold, P2P_HOLD_FEW - 1, SECOND + 10);
  CHECK (p2p_hold_is_on (&hold, SECOND + 10 + P2P_HOLD_US - 1));
  CHECK (!p2p_hold_is_on (&hold, SECOND + 10 + P2P_HOLD_US));
}

static const CheckCase cases[] = {
  { "frame-in-a-row", frame_in_a_row },
  { "frame-from-a-slower-link", frame_from_a_slower_link },
  { "one-at-a-time", one_at_a_time },
  { "far-apart", far_apart },
  { "begins-again", begins_again },
  { "many-at-once", many_at_once },
};

CHECK_MAIN (cases)
