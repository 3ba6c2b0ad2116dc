/* Handshakes between two ends over a link that loses, doubles, delays and
 * reorders, in virtual time.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keys and random numbers are OpenSSL's, so contents differ from run to run;
 * what happens when is given by the seed.
 */
#include <malloc.h>

#include "check.h"
#include "p2phandshake.h"

#define MS 1000
#define MAX_IN_FLIGHT 256

/* -- A link ---------------------------------------------------------------- */

enum {
  CLIENT,
  SERVER,
};

typedef struct
{
  gint64 when;
  guint order;
  gint to;
  gsize len;
  guint8 data[P2P_HANDSHAKE_MTU];
} Datagram;

typedef struct _World World;

typedef struct
{
  World *world;
  gint index;
  P2pHandshake *handshake;
  guint sent;  /* datagrams */
  gint64 done; /* when, or -1 */
  guint drop;  /* so many of the next datagrams */
  guint lost;  /* which one is lost: 1 is the first */
} End;

struct _World
{
  gint64 now;
  guint64 random;
  gint64 delay;
  gint64 jitter;
  gdouble loss;
  gdouble twice;
  guint order;
  guint count;
  Datagram queue[MAX_IN_FLIGHT];
  End end[2];
};

static P2pIdentity *identity[2];

static gdouble
uniform (World *world)
{
  guint64 z = (world->random += G_GUINT64_CONSTANT (0x9e3779b97f4a7c15));

  z = (z ^ z >> 30) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * G_GUINT64_CONSTANT (0x94d049bb133111eb);
  return (gdouble)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

/* A datagram holds whole records, all of DTLS 1.2 or the first hello. */
static void
check_records (const guint8 *data, gsize len)
{
  gsize at = 0;

  CHECK (len <= P2P_HANDSHAKE_MTU);
  while (len - at >= 13) {
    CHECK (data[at] >= 20 && data[at] <= 22);
    CHECK (data[at + 1] == 0xfe
           && (data[at + 2] == 0xfd || data[at + 2] == 0xff));
    at += 13 + ((gsize)data[at + 11] << 8 | data[at + 12]);
    if (!CHECK (at <= len))
      return;
  }
  CHECK_EQ (at, len);
}

static void
link_send (const guint8 *data, gsize len, gpointer user)
{
  End *end = user;
  World *world = end->world;
  guint copies = uniform (world) < world->twice ? 2 : 1;

  check_records (data, len);
  CHECK (p2p_handshake_is_datagram (data, len));
  end->sent++;
  if (end->sent == end->lost)
    return;
  if (end->drop > 0) {
    end->drop--;
    return;
  }
  while (copies-- > 0) {
    Datagram *datagram = &world->queue[world->count];

    if (uniform (world) < world->loss || world->count == MAX_IN_FLIGHT)
      continue;
    datagram->when = world->now + world->delay
                     + (gint64)(uniform (world) * (gdouble)world->jitter);
    datagram->order = world->order++;
    datagram->to = 1 - end->index;
    datagram->len = len;
    memcpy (datagram->data, data, len);
    world->count++;
  }
}

/* `wrong`: bit 0, the client expects another certificate; bit 1, the server. */
static void
world_start (World *world, guint wrong)
{
  static const guint8 other[P2P_FINGERPRINT_BYTES] = { 1, 2, 3 };

  for (gint i = SERVER; i >= CLIENT; i--) {
    End *end = &world->end[i];
    const guint8 *expected = p2p_identity_get_fingerprint (identity[1 - i]);

    end->world = world;
    end->index = i;
    end->done = -1;
    end->handshake = p2p_handshake_new (identity[i], i == CLIENT,
                                        wrong & (1u << i) ? other : expected,
                                        link_send, end, world->now, NULL);
    CHECK (end->handshake != NULL);
  }
}

static void
world_clear (World *world)
{
  p2p_handshake_free (world->end[CLIENT].handshake);
  p2p_handshake_free (world->end[SERVER].handshake);
}

static gint
world_first (World *world)
{
  gint first = -1;

  for (guint i = 0; i < world->count; i++) {
    Datagram *a = &world->queue[i];

    if (first < 0 || a->when < world->queue[first].when
        || (a->when == world->queue[first].when
            && a->order < world->queue[first].order))
      first = (gint)i;
  }
  return first;
}

static void
end_note (End *end, P2pHandshakeState state)
{
  if (state == P2P_HANDSHAKE_DONE && end->done < 0)
    end->done = end->world->now;
}

/* The next datagram or timer; FALSE: nothing will ever happen again, or not
 * before `until`. */
static gboolean
world_step (World *world, gint64 until)
{
  gint first = world_first (world);
  gint64 next = first >= 0 ? world->queue[first].when : G_MAXINT64;
  End *due = NULL;

  for (gint i = CLIENT; i <= SERVER; i++) {
    gint64 timer = p2p_handshake_next_time (world->end[i].handshake);

    if (timer < next) {
      next = timer;
      due = &world->end[i];
    }
  }
  if (next == G_MAXINT64 || next > until)
    return FALSE;
  CHECK (next >= world->now);
  world->now = next;
  if (due != NULL) {
    end_note (due, p2p_handshake_tick (due->handshake, world->now));
    CHECK (p2p_handshake_next_time (due->handshake) > world->now);
  } else {
    Datagram datagram = world->queue[first];
    End *end = &world->end[datagram.to];
    guint8 *copy = g_memdup2 (datagram.data, datagram.len);

    world->queue[first] = world->queue[--world->count];
    end_note (end, p2p_handshake_input (end->handshake, copy, datagram.len,
                                        world->now));
    g_free (copy);
  }
  return TRUE;
}

static void
world_run (World *world, gint64 until)
{
  for (guint steps = 0; world_step (world, until); steps++) {
    if (!CHECK (steps < 5000))
      return;
  }
}

static P2pHandshakeState
end_state (End *end)
{
  return p2p_handshake_tick (end->handshake, end->world->now);
}

static bool
end_says (const End *end, const gchar *text)
{
  const gchar *error = p2p_handshake_get_error (end->handshake);

  return error != NULL && strstr (error, text) != NULL;
}

static void
check_keys (World *world)
{
  P2pSessionKeys client, server;

  if (!CHECK (p2p_handshake_get_keys (world->end[CLIENT].handshake, &client))
      || !CHECK (
          p2p_handshake_get_keys (world->end[SERVER].handshake, &server)))
    return;
  CHECK_MEM (client.send_secret, server.receive_secret, 32);
  CHECK_MEM (client.receive_secret, server.send_secret, 32);
  CHECK (memcmp (client.send_secret, client.receive_secret, 32) != 0);
  CHECK_EQ (client.send_id, server.receive_id);
  CHECK_EQ (client.receive_id, server.send_id);
  CHECK (client.send_id != 0 && client.receive_id != 0);
  CHECK (client.send_id != client.receive_id);
  CHECK (p2p_handshake_get_error (world->end[CLIENT].handshake) == NULL);
  p2p_session_keys_clear (&client);
  for (gsize i = 0; i < sizeof client; i++)
    CHECK (((guint8 *)&client)[i] == 0);
}

/* -- Between two of us ----------------------------------------------------- */

static void
test_identity (void)
{
  const guint8 *a = p2p_identity_get_fingerprint (identity[0]);
  P2pIdentity *more = p2p_identity_ref (identity[0]);

  CHECK (memcmp (a, p2p_identity_get_fingerprint (identity[1]), 32) != 0);
  p2p_identity_unref (more);
  CHECK (p2p_identity_get_fingerprint (identity[0]) == a);
}

static void
test_first_byte (void)
{
  for (guint i = 0; i < 256; i++) {
    guint8 byte = (guint8)i;

    CHECK (p2p_handshake_is_datagram (&byte, 1) == (i >= 20 && i <= 63));
    CHECK (!p2p_handshake_is_datagram (&byte, 0));
  }
}

/* Two round trips, two datagrams each way, and no timer. */
static void
test_two_round_trips (void)
{
  World world = { .delay = 20 * MS };

  world_start (&world, 0);
  world_run (&world, G_MAXINT64);
  CHECK_EQ (world.end[SERVER].done, 60 * MS);
  CHECK_EQ (world.end[CLIENT].done, 80 * MS);
  CHECK_EQ (world.end[CLIENT].sent, 2);
  CHECK_EQ (world.end[SERVER].sent, 2);
  CHECK_EQ (world.now, 80 * MS);
  check_keys (&world);
  world_clear (&world);
}

/* A path slower than the first timer: repetitions, but no more time. */
static void
test_slow_path (void)
{
  World world = { .delay = 400 * MS };

  world_start (&world, 0);
  world_run (&world, G_MAXINT64);
  CHECK_EQ (world.end[SERVER].done, 1200 * MS);
  CHECK_EQ (world.end[CLIENT].done, 1600 * MS);
  CHECK_RANGE (world.end[CLIENT].sent, 3, 12);
  CHECK_RANGE (world.end[SERVER].sent, 3, 16);
  check_keys (&world);
  world_clear (&world);
}

static void
test_bad_links (void)
{
  gint64 slowest = 0;

  for (guint seed = 1; seed <= 200; seed++) {
    World world = { .delay = 10 * MS,
                    .jitter = 60 * MS,
                    .loss = 0.3,
                    .twice = 0.2,
                    .random = seed };

    world_start (&world, 0);
    world_run (&world, G_MAXINT64);
    if (!CHECK (world.end[CLIENT].done >= 0 && world.end[SERVER].done >= 0))
      printf ("# seed %u\n", seed);
    else
      check_keys (&world);
    slowest = MAX (slowest, world.end[CLIENT].done);
    CHECK (world.end[CLIENT].sent < 40 && world.end[SERVER].sent < 40);
    world_clear (&world);
  }
  printf ("# 30 %% lost: the slowest of 200 took %d ms\n", (int)(slowest / MS));
}

/* The server is done when the client is not: it answers each repetition. */
static void
test_last_flight_lost (void)
{
  World world = { .delay = 20 * MS };
  End *server = &world.end[SERVER], *client = &world.end[CLIENT];

  world_start (&world, 0);
  while (server->done < 0 && world_step (&world, G_MAXINT64))
    if (server->sent == 1)
      server->drop = 3;
  CHECK_EQ (server->done, 60 * MS);
  CHECK_EQ (p2p_handshake_next_time (server->handshake), G_MAXINT64);
  world_run (&world, G_MAXINT64);
  /* 40 ms, then 100, 200 and 400 ms later. */
  CHECK_EQ (client->done, 780 * MS);
  CHECK_EQ (server->sent, 5);
  check_keys (&world);
  world_clear (&world);
}

/* Each of the four flights, lost once, costs the time of one timer. */
static void
test_each_flight_lost (void)
{
  for (guint flight = 0; flight < 4; flight++) {
    World world = { .delay = 20 * MS };

    world.end[flight % 2].lost = 1 + flight / 2;
    world_start (&world, 0);
    world_run (&world, G_MAXINT64);
    CHECK_RANGE (world.end[CLIENT].done, 140 * MS, 180 * MS);
    check_keys (&world);
    world_clear (&world);
  }
}

/* A hundred copies of everything make nobody talk more. */
static void
test_copies (void)
{
  World world = { .delay = 20 * MS };

  world_start (&world, 0);
  while (world.count > 0) {
    gint first = world_first (&world);
    Datagram datagram = world.queue[first];
    End *end = &world.end[datagram.to];

    world.queue[first] = world.queue[--world.count];
    world.now = datagram.when;
    for (guint i = 0; i < 100; i++)
      p2p_handshake_input (end->handshake, datagram.data, datagram.len,
                           datagram.when + i);
  }
  CHECK_EQ (world.end[CLIENT].sent, 2);
  CHECK_EQ (world.end[SERVER].sent, 2);
  check_keys (&world);
  world_clear (&world);
}

static void
test_no_answer (void)
{
  World world = { .loss = 1 };

  world_start (&world, 0);
  world_run (&world, G_MAXINT64);
  CHECK_EQ (world.now, P2P_HANDSHAKE_EXPIRY_US);
  for (gint i = CLIENT; i <= SERVER; i++) {
    P2pHandshake *handshake = world.end[i].handshake;
    P2pSessionKeys keys;

    CHECK_EQ (end_state (&world.end[i]), P2P_HANDSHAKE_FAILED);
    CHECK (end_says (&world.end[i], "within 10 s"));
    CHECK (!p2p_handshake_get_keys (handshake, &keys));
    CHECK_EQ (p2p_handshake_next_time (handshake), G_MAXINT64);
  }
  /* At 0, 0.1, 0.3, 0.7, 1.5 s and every second from then on. */
  CHECK_EQ (world.end[CLIENT].sent, 13);
  CHECK_EQ (world.end[SERVER].sent, 0);
  world_clear (&world);
}

/* Both ends say what is wrong, whoever noticed, and then are silent. */
static void
test_wrong_fingerprint (void)
{
  for (guint wrong = 1; wrong <= 3; wrong++) {
    World world = { .delay = 20 * MS, .twice = 1 };

    world_start (&world, wrong);
    world_run (&world, G_MAXINT64);
    CHECK (world.now < 200 * MS);
    for (gint i = CLIENT; i <= SERVER; i++) {
      End *end = &world.end[i];
      /* The server shows its certificate first. */
      gboolean noticed = wrong == 2 ? i == SERVER : i == CLIENT;

      CHECK_EQ (end_state (end), P2P_HANDSHAKE_FAILED);
      CHECK (end_says (end, noticed ? "is not the one whose fingerprint"
                                    : "refused our certificate"));
    }
    world_clear (&world);
  }
}

/* The alert is lost twice: the other end's repetitions bring it back. */
static void
test_alert_lost (void)
{
  World world = { .delay = 20 * MS };

  world_start (&world, 1);
  while (world.end[SERVER].sent == 0 && world_step (&world, G_MAXINT64))
    ;
  world.end[CLIENT].drop = 2;
  world_run (&world, G_MAXINT64);
  CHECK_RANGE (world.now, 300 * MS, 500 * MS);
  CHECK (end_says (&world.end[SERVER], "refused our certificate"));
  world_clear (&world);
}

/* Both failed for reasons of their own, and both alerts are under way: neither
 * answers the other's. */
static void
test_two_alerts (void)
{
  World world = { .delay = 60 * MS };
  End *server = &world.end[SERVER];
  Datagram flight;

  world_start (&world, 1);
  while (server->sent == 0 && world_step (&world, G_MAXINT64))
    ;
  flight = world.queue[world_first (&world)];
  while (world.end[CLIENT].sent < 3 && world_step (&world, G_MAXINT64))
    ;
  /* The server is shown its own certificate. */
  CHECK_EQ (p2p_handshake_input (server->handshake, flight.data, flight.len,
                                 world.now),
            P2P_HANDSHAKE_FAILED);
  world_run (&world, G_MAXINT64);
  CHECK_RANGE (world.end[CLIENT].sent, 3, 4);
  CHECK_RANGE (server->sent, 2, 4);
  world_clear (&world);
}

/* What is no DTLS, or nearly, changes nothing for those who shake hands. */
static void
test_garbage (void)
{
  World world = { .delay = 20 * MS, .random = 7 };

  world_start (&world, 0);
  do {
    for (gint i = CLIENT; i <= SERVER; i++) {
      guint8 garbage[64];

      for (gsize j = 0; j < sizeof garbage; j++)
        garbage[j] = (guint8)(uniform (&world) * 256);
      for (guint type = 0; type < 256; type++) {
        garbage[0] = (guint8)type;
        /* Not one of their version: that could be an alert or a hello. */
        garbage[1] = 0x03;
        end_note (&world.end[i],
                  p2p_handshake_input (world.end[i].handshake, garbage,
                                       type % sizeof garbage, world.now));
      }
    }
  } while (world_step (&world, G_MAXINT64));
  CHECK_EQ (world.end[CLIENT].done, 80 * MS);
  CHECK_EQ (world.end[SERVER].done, 60 * MS);
  check_keys (&world);
  world_clear (&world);
}

/* Every byte of every flight altered, every flight cut: it fails or it goes on,
 * it does not succeed with other keys. */
static void
test_altered (void)
{
  guint done = 0, failed = 0;

  for (guint round = 0; round < 400; round++) {
    World world = { .delay = 20 * MS, .random = round };
    guint flight = round % 4, seen = 0;

    world_start (&world, 0);
    do {
      gint first = world_first (&world);

      if (first >= 0 && seen++ == flight) {
        Datagram *datagram = &world.queue[first];
        gsize at = (gsize)(uniform (&world) * (gdouble)datagram->len);

        if (round % 8 < 4)
          datagram->data[at] ^= (guint8)(1 + uniform (&world) * 255);
        else
          datagram->len = at;
      }
    } while (world_step (&world, G_MAXINT64));
    if (world.end[CLIENT].done >= 0 && world.end[SERVER].done >= 0) {
      check_keys (&world);
      done++;
    } else {
      failed++;
    }
    world_clear (&world);
  }
  printf ("# %u done all the same, %u failed\n", done, failed);
  CHECK (done > 0 && failed > 0);
}

static void
test_time_backwards (void)
{
  World world = { .now = 5 * G_USEC_PER_SEC, .delay = 20 * MS };
  gint64 next;

  world_start (&world, 0);
  next = p2p_handshake_next_time (world.end[CLIENT].handshake);
  CHECK_EQ (next, world.now + P2P_HANDSHAKE_TIMER_US);
  p2p_handshake_tick (world.end[CLIENT].handshake, 0);
  CHECK_EQ (world.end[CLIENT].sent, 1);
  CHECK_EQ (p2p_handshake_next_time (world.end[CLIENT].handshake), next);
  world_run (&world, G_MAXINT64);
  check_keys (&world);
  world_clear (&world);
}

/* Printed, for those who size a device. */
static void
test_memory (void)
{
  World world = { .delay = 20 * MS };
  gsize before, running, done, freed;

  world_start (&world, 0);
  world_run (&world, G_MAXINT64);
  world_clear (&world);
  memset (&world, 0, sizeof world);
  world.delay = 20 * MS;
  before = mallinfo2 ().uordblks;
  world_start (&world, 0);
  while (world.end[SERVER].sent == 0 && world_step (&world, G_MAXINT64))
    ;
  running = mallinfo2 ().uordblks - before;
  world_run (&world, G_MAXINT64);
  done = mallinfo2 ().uordblks - before;
  world_clear (&world);
  freed = mallinfo2 ().uordblks - before;
  printf ("# one end: %zu bytes under way, %zu when done; both freed: %zd\n",
          running / 2, done / 2, (gssize)freed);
}

static const CheckCase cases[] = {
  { "identity", test_identity },
  { "first byte", test_first_byte },
  { "two round trips", test_two_round_trips },
  { "slow path", test_slow_path },
  { "bad links", test_bad_links },
  { "last flight lost", test_last_flight_lost },
  { "each flight lost once", test_each_flight_lost },
  { "a hundred copies", test_copies },
  { "no answer", test_no_answer },
  { "wrong fingerprint", test_wrong_fingerprint },
  { "alert lost", test_alert_lost },
  { "two alerts", test_two_alerts },
  { "garbage", test_garbage },
  { "altered flights", test_altered },
  { "time goes back", test_time_backwards },
  { "memory", test_memory },
};

int
main (int argc, char **argv)
{
  int result;

  identity[0] = p2p_identity_new (NULL);
  identity[1] = p2p_identity_new (NULL);
  result = check_main (argc, argv, cases, G_N_ELEMENTS (cases));
  p2p_identity_unref (identity[0]);
  p2p_identity_unref (identity[1]);
  return result;
}
