/* Two ends of a handshake and somebody between them who does what the input
 * says: delivers, loses, repeats, alters, makes up, lets time pass.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whatever that is, the ends do not crash, do not talk without end, do not
 * come back from an end state, and, if both are done, hold the same keys.
 */
#include "fuzz.h"

#include <string.h>

#include "p2phandshake.h"

#define MAX_STEPS 64
#define QUEUE 32
#define MADE_UP 1500

/* What one end may send for each thing that happens to it: a flight, or one
 * again. */
#define MAX_ANSWER 4

typedef struct
{
  P2pHandshake *handshake;
  P2pHandshakeState state;
  guint sent, allowed;
  guint first, last; /* of those that it sent and nobody delivered */
  gsize len[QUEUE];
  guint8 data[QUEUE][P2P_HANDSHAKE_MTU];
} End;

static P2pIdentity *identity[2];
static End end[2];

static void
on_send (const guint8 *datagram, gsize len, gpointer user)
{
  End *from = user;

  FUZZ_CHECK (len > 0 && len <= P2P_HANDSHAKE_MTU);
  FUZZ_CHECK (p2p_handshake_is_datagram (datagram, len));
  from->sent++;
  if (from->last - from->first == QUEUE)
    from->first++;
  from->len[from->last % QUEUE] = len;
  memcpy (from->data[from->last++ % QUEUE], datagram, len);
}

static void
note (End *at, P2pHandshakeState state)
{
  P2pSessionKeys keys;

  FUZZ_CHECK (at->state == P2P_HANDSHAKE_RUNNING || at->state == state);
  at->state = state;
  at->allowed += MAX_ANSWER;
  FUZZ_CHECK (at->sent <= at->allowed);
  FUZZ_CHECK ((state == P2P_HANDSHAKE_FAILED)
              == (p2p_handshake_get_error (at->handshake) != NULL));
  FUZZ_CHECK ((state == P2P_HANDSHAKE_DONE)
              == p2p_handshake_get_keys (at->handshake, &keys));
}

static void
give (End *to, const guint8 *datagram, gsize len, gint64 now)
{
  guint8 *copy = g_memdup2 (datagram, len);

  note (to, p2p_handshake_input (to->handshake, copy, len, now));
  g_free (copy);
}

static void
made_up (FuzzInput *in, End *to, gint64 now)
{
  guint8 datagram[MADE_UP];
  gsize len = fuzz_u16 (in) % MADE_UP;

  len = MIN (len, fuzz_left (in));
  for (gsize i = 0; i < len; i++)
    datagram[i] = fuzz_u8 (in);
  give (to, datagram, len, now);
}

static void
altered (FuzzInput *in, End *from, End *to, gint64 now)
{
  guint index = from->first % QUEUE;
  guint8 datagram[P2P_HANDSHAKE_MTU];
  gsize len = from->len[index];

  memcpy (datagram, from->data[index], len);
  for (guint changes = fuzz_u8 (in) % 4 + 1; changes > 0; changes--) {
    gsize at = fuzz_u16 (in) % len;

    datagram[at] ^= fuzz_u8 (in);
  }
  if (fuzz_u8 (in) & 1)
    len = fuzz_u16 (in) % len;
  give (to, datagram, len, now);
}

static void
step (FuzzInput *in, gint64 *now)
{
  guint op = fuzz_u8 (in);
  End *from = &end[op & 1], *to = &end[1 - (op & 1)];
  guint index = from->first % QUEUE;
  gboolean waiting = from->first != from->last;

  switch (op >> 1 & 7) {
    case 0: /* the network does its work */
    case 1:
      if (waiting) {
        from->first++;
        give (to, from->data[index], from->len[index], *now);
      }
      break;
    case 2: /* once more, later */
      if (waiting)
        give (to, from->data[index], from->len[index], *now);
      break;
    case 3:
      from->first += (guint)waiting;
      break;
    case 4:
      if (waiting)
        altered (in, from, to, *now);
      break;
    case 5:
      made_up (in, to, *now);
      break;
    case 6:
      *now += fuzz_u16 (in) * 10;
      note (from, p2p_handshake_tick (from->handshake, *now));
      break;
    default: /* to where it came from */
      if (waiting)
        give (from, from->data[index], from->len[index], *now);
      break;
  }
}

static void
check_keys (void)
{
  P2pSessionKeys a, b;

  if (!p2p_handshake_get_keys (end[0].handshake, &a)
      || !p2p_handshake_get_keys (end[1].handshake, &b))
    return;
  FUZZ_CHECK (!memcmp (a.send_secret, b.receive_secret, 32));
  FUZZ_CHECK (!memcmp (a.receive_secret, b.send_secret, 32));
  FUZZ_CHECK (a.send_id == b.receive_id && a.receive_id == b.send_id);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  FuzzInput in = { data, data + size };
  gint64 now = 0;

  for (guint i = 0; i < 2; i++)
    if (!identity[i])
      identity[i] = p2p_identity_new (NULL);
  for (guint i = 0; i < 2; i++) {
    /* Not the buffers: only what is queued is read. */
    memset (&end[i], 0, offsetof (End, len));
    end[i].allowed = MAX_ANSWER;
    end[i].handshake
        = p2p_handshake_new (identity[i], i == 0,
                             p2p_identity_get_fingerprint (identity[1 - i]),
                             on_send, &end[i], now, NULL);
    FUZZ_CHECK (end[i].handshake);
  }
  for (guint steps = 0; steps < MAX_STEPS && fuzz_left (&in); steps++)
    step (&in, &now);
  check_keys ();
  for (guint i = 0; i < 2; i++)
    p2p_handshake_free (end[i].handshake);
  return 0;
}
