/* The parts of a link one by one: tokens, proofs, the checksum, sockets.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "check.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>
#include "udtauth.h"
#include "udtchecksum.h"
#include "udthello.h"
#include "udtsocket.h"

static UdtHello
make_call (void)
{
  UdtHello call = { .type = UDT_HELLO_CALL,
                    .version = UDT_HELLO_VERSION,
                    .flags = UDT_HELLO_SENDER };

  memset (call.nonce, 1, sizeof call.nonce);
  memset (call.instance, 2, sizeof call.instance);
  memset (call.fingerprint, 3, sizeof call.fingerprint);
  return call;
}

/* -- Tokens ---------------------------------------------------------------- */

static void
tokens_are_of_an_address (void)
{
  UdtAddress here, there, other_port;
  UdtHello call = make_call ();
  UdtTokens tokens;

  udt_address_parse ("192.0.2.1", 1000, &here);
  udt_address_parse ("192.0.2.2", 1000, &there);
  udt_address_parse ("192.0.2.1", 1001, &other_port);
  CHECK (udt_tokens_init (&tokens, 0));
  CHECK (!udt_tokens_check (&tokens, &here, &call, 1));
  udt_tokens_make (&tokens, &here, &call, 1, call.token);
  CHECK (udt_tokens_check (&tokens, &here, &call, 1));
  CHECK (!udt_tokens_check (&tokens, &there, &call, 1));
  CHECK (!udt_tokens_check (&tokens, &other_port, &call, 1));
  /* The cipher may still change, nothing else. */
  call.flags |= UDT_HELLO_CHACHA20;
  CHECK (udt_tokens_check (&tokens, &here, &call, 1));
  call.flags ^= UDT_HELLO_SENDER;
  CHECK (!udt_tokens_check (&tokens, &here, &call, 1));
  call.flags ^= UDT_HELLO_SENDER;
  call.nonce[3] ^= 1;
  CHECK (!udt_tokens_check (&tokens, &here, &call, 1));
}

static void
tokens_age (void)
{
  UdtHello call = make_call ();
  UdtTokens tokens;
  UdtAddress here;
  gint64 t;

  udt_address_parse ("2001:db8::1", 1000, &here);
  CHECK (udt_tokens_init (&tokens, 0));
  udt_tokens_make (&tokens, &here, &call, 1, call.token);
  for (t = 1; t < 2 * UDT_TOKEN_LIFE_US; t += UDT_TOKEN_LIFE_US / 4)
    CHECK (udt_tokens_check (&tokens, &here, &call, t));
  CHECK (!udt_tokens_check (&tokens, &here, &call, 2 * UDT_TOKEN_LIFE_US));
  /* After a long rest too, and a new one is good. */
  t = G_GINT64_CONSTANT (1000) * UDT_TOKEN_LIFE_US;
  CHECK (!udt_tokens_check (&tokens, &here, &call, t));
  udt_tokens_make (&tokens, &here, &call, t, call.token);
  CHECK (udt_tokens_check (&tokens, &here, &call, t + 1));
}

/* -- Proofs ---------------------------------------------------------------- */

static P2pCredential *
make_credential (const gchar *key)
{
  GError *error = NULL;
  P2pCredential *credential
      = p2p_credential_new (UDT_AUTH_DEVICE_ID, key, NULL, &error);

  g_assert_no_error (error);
  return credential;
}

static void
make_keys (P2pSessionKeys *keys, gboolean caller, guint8 seed)
{
  memset (caller ? keys->send_secret : keys->receive_secret, seed, 32);
  memset (caller ? keys->receive_secret : keys->send_secret, seed + 1, 32);
}

static void
proofs_are_bound (void)
{
  P2pCredential *ours = make_credential ("one secret of both");
  P2pCredential *other = make_credential ("a secret of others");
  guint8 caller[32], listener[32], between[32], proof[UDT_HELLO_PROOF];
  UdtHello call = make_call (), altered;
  P2pSessionKeys a, b, m;

  make_keys (&a, TRUE, 1);
  make_keys (&b, FALSE, 1);
  make_keys (&m, FALSE, 7);
  udt_auth_bind (&a, TRUE, &call, caller);
  udt_auth_bind (&b, FALSE, &call, listener);
  udt_auth_bind (&m, FALSE, &call, between);
  CHECK_MEM (caller, listener, 32);

  udt_auth_proof (ours, caller, TRUE, proof);
  CHECK (udt_auth_check_proof (ours, listener, TRUE, proof));
  /* Not of the other end, not over another handshake, not with another key. */
  CHECK (!udt_auth_check_proof (ours, listener, FALSE, proof));
  CHECK (!udt_auth_check_proof (ours, between, TRUE, proof));
  CHECK (!udt_auth_check_proof (other, listener, TRUE, proof));
  proof[31] ^= 1;
  CHECK (!udt_auth_check_proof (ours, listener, TRUE, proof));

  /* What the caller said is part of it. */
  altered = call;
  altered.flags ^= UDT_HELLO_SENDER;
  udt_auth_bind (&b, FALSE, &altered, listener);
  CHECK (memcmp (caller, listener, 32) != 0);
  p2p_credential_unref (ours);
  p2p_credential_unref (other);
}

static void
keys_are_mixed (void)
{
  P2pCredential *ours = make_credential ("one secret of both");
  P2pCredential *other = make_credential ("a secret of others");
  P2pSessionKeys a, b, c;

  make_keys (&a, TRUE, 1);
  make_keys (&b, FALSE, 1);
  make_keys (&c, FALSE, 1);
  udt_auth_mix (ours, TRUE, &a);
  udt_auth_mix (ours, FALSE, &b);
  udt_auth_mix (other, FALSE, &c);
  CHECK_MEM (a.send_secret, b.receive_secret, 32);
  CHECK_MEM (a.receive_secret, b.send_secret, 32);
  CHECK (memcmp (a.send_secret, c.receive_secret, 32) != 0);
  CHECK (memcmp (a.send_secret, a.receive_secret, 32) != 0);
  p2p_credential_unref (ours);
  p2p_credential_unref (other);
}

static void
macs (void)
{
  UdtHello probe = { .type = UDT_HELLO_PROBE, .id = 5 };
  guint8 binding[32] = { 9 };

  udt_auth_mac (binding, &probe, TRUE, probe.mac);
  CHECK (udt_auth_check_mac (binding, &probe, TRUE));
  /* It is no answer to itself. */
  CHECK (!udt_auth_check_mac (binding, &probe, FALSE));
  probe.type = UDT_HELLO_ANSWER;
  CHECK (!udt_auth_check_mac (binding, &probe, TRUE));
  probe.type = UDT_HELLO_PROBE;
  probe.id = 6;
  CHECK (!udt_auth_check_mac (binding, &probe, TRUE));
}

/* -- Checksum -------------------------------------------------------------- */

static void
checksum_finds_every_bit (void)
{
  guint8 secret[UDT_CHECKSUM_SECRET], data[1472], aad[9] = { 1 };
  guint8 tag[16], other[16];
  static const gsize sizes[] = { 0, 1, 7, 8, 9, 100, 1447, 1472 };
  UdtChecksum checksum;
  guint i, bit;

  for (i = 0; i < sizeof secret; i++)
    secret[i] = (guint8)(i * 3);
  memset (data, 0, sizeof data);
  udt_checksum_init (&checksum, secret);
  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    CHECK (
        udt_checksum_make (&checksum, 7, aad, sizeof aad, data, sizes[i], tag));
    for (bit = 0; bit < sizes[i] * 8; bit++) {
      data[bit / 8] ^= (guint8)(1 << bit % 8);
      udt_checksum_make (&checksum, 7, aad, sizeof aad, data, sizes[i], other);
      CHECK (memcmp (tag, other, 16) != 0);
      data[bit / 8] ^= (guint8)(1 << bit % 8);
    }
    for (bit = 0; bit < sizeof aad * 8; bit++) {
      aad[bit / 8] ^= (guint8)(1 << bit % 8);
      udt_checksum_make (&checksum, 7, aad, sizeof aad, data, sizes[i], other);
      CHECK (memcmp (tag, other, 16) != 0);
      aad[bit / 8] ^= (guint8)(1 << bit % 8);
    }
    udt_checksum_make (&checksum, 8, aad, sizeof aad, data, sizes[i], other);
    CHECK (memcmp (tag, other, 16) != 0);
    if (sizes[i] < sizeof data) {
      udt_checksum_make (&checksum, 7, aad, sizeof aad, data, sizes[i] + 1,
                         other);
      CHECK (memcmp (tag, other, 16) != 0);
    }
  }
  CHECK (!udt_checksum_make (&checksum, 7, aad, sizeof aad, data,
                             UDT_CHECKSUM_MAX_DATA + 1, tag));
}

/* -- Sockets --------------------------------------------------------------- */

typedef struct
{
  guint n;
  gsize sizes[256];
  guint8 first[256];
} Seen;

static void
on_datagram (guint8 *data, gsize len, const UdtAddress *from, gpointer user)
{
  Seen *seen = user;

  if (seen->n >= G_N_ELEMENTS (seen->sizes))
    return;
  seen->sizes[seen->n] = len;
  seen->first[seen->n++] = len > 0 ? data[0] : 0;
}

static void
receive_all (UdtSocket *socket, Seen *seen, guint n)
{
  struct pollfd fd = { udt_socket_get_fd (socket), POLLIN, 0 };

  while (seen->n < n && poll (&fd, 1, 10000) == 1)
    udt_socket_receive (socket, 64, on_datagram, seen);
}

/* Datagrams of several sizes to two addresses arrive as they were. */
static void
move (const gchar *host, gboolean offload)
{
  UdtSocket *from, *to[2];
  UdtAddress local, addresses[2];
  Seen seen[2] = { { 0 } };
  UdtSocketStats stats;
  GError *error = NULL;
  guint i, n[2] = { 0 };

  CHECK (udt_address_parse (host, 0, &local));
  from = udt_socket_new (&local, &error);
  g_assert_no_error (error);
  for (i = 0; i < 2; i++) {
    to[i] = udt_socket_new (&local, &error);
    udt_address_parse (host, udt_socket_get_port (to[i]), &addresses[i]);
    if (!offload)
      udt_socket_disable_offload (to[i]);
  }
  if (!offload)
    udt_socket_disable_offload (from);
  for (i = 0; i < 200; i++) {
    guint which = i / 20 % 2;
    gsize size = i % 20 < 12 ? 1200 : i % 20 == 12 ? 100 : 1452;
    guint8 *data = udt_socket_reserve (from);

    CHECK (data != NULL);
    memset (data, (int)i, size);
    udt_socket_commit (from, size, &addresses[which]);
  }
  CHECK (udt_socket_flush (from));
  for (i = 0; i < 2; i++)
    receive_all (to[i], &seen[i], 100);
  CHECK_EQ (seen[0].n, 100);
  CHECK_EQ (seen[1].n, 100);
  for (i = 0; i < 200; i++) {
    guint which = i / 20 % 2, at = n[which]++;

    CHECK_EQ (seen[which].first[at], (guint8)i);
    CHECK_EQ (seen[which].sizes[at], i % 20 < 12    ? 1200
                                     : i % 20 == 12 ? 100
                                                    : 1452);
  }
  udt_socket_get_stats (from, &stats);
  CHECK_EQ (stats.datagrams_sent, 200);
  CHECK (stats.send_calls < 20);
  udt_socket_free (from);
  udt_socket_free (to[0]);
  udt_socket_free (to[1]);
}

static void
echo (guint8 *data, gsize len, const UdtAddress *from, gpointer user)
{
  guint8 *room = udt_socket_reserve (user);

  CHECK (room != NULL);
  memcpy (room, data, len);
  udt_socket_commit (user, len, from);
}

/* A caller that, as a firewall does, hears only the address that it called. */
static void
answer (const gchar *listen, const gchar *call, gboolean offload)
{
  UdtAddress local, remote;
  UdtSocket *listener;
  GError *error = NULL;
  guint8 data[1200] = { 0 };
  struct pollfd fd = { -1, POLLIN, 0 };
  guint i, n = 0;

  CHECK (udt_address_parse (listen, 0, &local));
  listener = udt_socket_new (&local, &error);
  g_assert_no_error (error);
  udt_socket_note_called (listener);
  if (!offload)
    udt_socket_disable_offload (listener);
  udt_address_parse (call, udt_socket_get_port (listener), &remote);
  fd.fd = socket (remote.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  CHECK_EQ (connect (fd.fd, &remote.any,
                     remote.any.sa_family == AF_INET6 ? sizeof remote.v6
                                                      : sizeof remote.v4),
            0);
  for (i = 0; i < 20; i++)
    CHECK_EQ (send (fd.fd, data, sizeof data, 0), sizeof data);
  /* Over loopback they are there by now. */
  CHECK_EQ (udt_socket_receive (listener, 64, echo, listener), 20);
  CHECK (udt_socket_flush (listener));
  while (n < 20 && poll (&fd, 1, 10000) == 1
         && recv (fd.fd, data, sizeof data, 0) == sizeof data)
    n++;
  CHECK_EQ (n, 20);
  close (fd.fd);
  udt_socket_free (listener);
}

static void
many_addresses (void)
{
  guint i;

  for (i = 0; i < 2; i++) {
    answer (NULL, "127.0.0.2", i == 0);
    answer ("0.0.0.0", "127.0.0.2", i == 0);
    answer (NULL, "127.0.0.1", i == 0);
    answer (NULL, "::1", i == 0);
    answer ("127.0.0.3", "127.0.0.3", i == 0);
  }
}

/* A source that this host does not have (any more) costs the datagrams that
 * name it, and no others their segmentation. */
static void
lost_address (void)
{
  UdtAddress local, remote;
  UdtSocket *socket;
  UdtSocketStats before, after;
  GError *error = NULL;
  guint i;

  udt_address_parse ("0.0.0.0", 0, &local);
  socket = udt_socket_new (&local, &error);
  g_assert_no_error (error);
  udt_socket_get_stats (socket, &before);
  udt_address_parse ("127.0.0.1", udt_socket_get_port (socket), &remote);
  remote.called.v4.sin_family = AF_INET;
  remote.called.v4.sin_addr.s_addr = g_htonl (0xc0000201);
  for (i = 0; i < 5; i++) {
    memset (udt_socket_reserve (socket), 0, 1000);
    udt_socket_commit (socket, 1000, &remote);
  }
  CHECK (udt_socket_flush (socket));
  udt_socket_get_stats (socket, &after);
  CHECK_EQ (after.send_errors, 5);
  CHECK_EQ (after.datagrams_sent, 0);
  CHECK_EQ (after.segmentation, before.segmentation);
  udt_socket_free (socket);
}

static void
sockets (void)
{
  move ("127.0.0.1", TRUE);
  move ("127.0.0.1", FALSE);
  move ("::1", TRUE);
}

static void
addresses (void)
{
  UdtAddress a, b;
  gchar text[UDT_ADDRESS_TEXT];

  CHECK (udt_address_parse ("192.0.2.7", 80, &a));
  udt_address_text (&a, text, sizeof text);
  CHECK_STR (text, "192.0.2.7:80");
  CHECK (udt_address_parse ("2001:db8::7", 80, &b));
  udt_address_text (&b, text, sizeof text);
  CHECK_STR (text, "[2001:db8::7]:80");
  CHECK (!udt_address_equal (&a, &b));
  CHECK (!udt_address_parse ("camera", 80, &a));
  CHECK (udt_address_parse ("192.0.2.7", 81, &b));
  CHECK (!udt_address_equal (&a, &b));
  CHECK (udt_address_same_host (&a, &b));
}

static const CheckCase cases[] = {
  { "a token is good for one address and one call", tokens_are_of_an_address },
  { "tokens age", tokens_age },
  { "a proof is of one key, one end and one handshake", proofs_are_bound },
  { "the key is part of what seals", keys_are_mixed },
  { "probes and answers", macs },
  { "the checksum finds every bit", checksum_finds_every_bit },
  { "sockets", sockets },
  { "answers leave from the address that was called", many_addresses },
  { "a source address that is gone", lost_address },
  { "addresses", addresses },
};

CHECK_MAIN (cases)
