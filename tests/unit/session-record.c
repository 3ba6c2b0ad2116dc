/* Sealing and opening of packets: what fits opens, anything else does not.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <stdlib.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "check.h"
#include "p2phandshake.h"

#define TAG 16
#define BOUNDARY P2P_RECORD_KEY_PACKETS

static const P2pAead aeads[]
    = { P2P_AEAD_AES_128_GCM, P2P_AEAD_CHACHA20_POLY1305 };

typedef struct
{
  P2pRecord *a, *b;
} Pair;

static P2pSessionKeys
make_keys (guint8 first, guint8 second)
{
  P2pSessionKeys keys = { .send_id = 1, .receive_id = 2 };

  for (guint i = 0; i < 32; i++) {
    keys.send_secret[i] = (guint8)(first + i);
    keys.receive_secret[i] = (guint8)(second + i);
  }
  return keys;
}

static Pair
pair_new (P2pAead aead)
{
  P2pSessionKeys a = make_keys (1, 101), b = make_keys (101, 1);
  Pair pair = { p2p_record_new (&a, aead), p2p_record_new (&b, aead) };

  CHECK (pair.a != NULL && pair.b != NULL);
  return pair;
}

static void
pair_clear (Pair *pair)
{
  p2p_record_free (pair->a);
  p2p_record_free (pair->b);
}

typedef struct
{
  guint64 number;
  guint8 aad[9];
  gsize len;
  guint8 data[1200 + TAG];
} Packet;

static Packet
seal (P2pRecord *record, guint64 number, gsize len)
{
  Packet packet = { number, "headers", len + TAG, { 0 } };

  for (gsize i = 0; i < len; i++)
    packet.data[i] = (guint8)(number + i);
  CHECK (p2p_record_seal (record, number, packet.aad, sizeof packet.aad,
                          packet.data, len));
  return packet;
}

/* In a block of its own size, so that a sanitizer sees what is beyond. */
static bool
opens (P2pRecord *record, const Packet *packet)
{
  guint8 *data = malloc (packet->len > 0 ? packet->len : 1);
  bool ok;

  memcpy (data, packet->data, packet->len);
  ok = p2p_record_open (record, packet->number, packet->aad, sizeof packet->aad,
                        data, packet->len);
  for (gsize i = 0; ok && i < packet->len - TAG; i++)
    CHECK_EQ (data[i], (guint8)(packet->number + i));
  for (gsize i = 0; !ok && i < packet->len; i++)
    CHECK_EQ (data[i], 0);
  free (data);
  return ok;
}

static void
test_both_ways (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (aeads); i++) {
    Pair pair = pair_new (aeads[i]);

    for (guint64 number = 0; number < 300; number++) {
      Packet there = seal (pair.a, number, number * 4);
      Packet back = seal (pair.b, number, number * 4);

      CHECK (opens (pair.b, &there));
      CHECK (opens (pair.a, &back));
      if (number > 4)
        CHECK (memcmp (there.data, back.data, there.len) != 0);
    }
    pair_clear (&pair);
  }
}

static void
test_every_byte_counts (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (aeads); i++) {
    Pair pair = pair_new (aeads[i]);
    Packet packet = seal (pair.a, 77, 50);

    for (gsize at = 0; at < packet.len; at++) {
      for (guint bit = 0; bit < 8; bit++) {
        packet.data[at] ^= (guint8)(1 << bit);
        CHECK (!opens (pair.b, &packet));
        packet.data[at] ^= (guint8)(1 << bit);
      }
    }
    for (gsize at = 0; at < sizeof packet.aad; at++) {
      packet.aad[at] ^= 1;
      CHECK (!opens (pair.b, &packet));
      packet.aad[at] ^= 1;
    }
    for (; packet.len > 0; packet.len--)
      CHECK (packet.len == 66 || !opens (pair.b, &packet));
    packet.len = 66;
    CHECK (opens (pair.b, &packet));
    pair_clear (&pair);
  }
}

static void
test_wrong_place (void)
{
  Pair pair = pair_new (P2P_AEAD_AES_128_GCM);
  Pair other = pair_new (P2P_AEAD_CHACHA20_POLY1305);
  Packet packet = seal (pair.a, 1000, 100);

  /* Its own direction, another cipher, another number. */
  CHECK (!opens (pair.a, &packet));
  CHECK (!opens (other.b, &packet));
  for (guint bit = 0; bit < 64; bit++) {
    packet.number ^= G_GUINT64_CONSTANT (1) << bit;
    CHECK (!opens (pair.b, &packet));
    packet.number ^= G_GUINT64_CONSTANT (1) << bit;
  }
  CHECK (opens (pair.b, &packet));
  pair_clear (&pair);
  pair_clear (&other);
}

static void
test_key_changes (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (aeads); i++) {
    Pair pair = pair_new (aeads[i]);
    Packet early = seal (pair.a, 5, 20), last = seal (pair.a, BOUNDARY - 1, 20);
    Packet first, middle, next;

    CHECK (opens (pair.b, &early));
    first = seal (pair.a, BOUNDARY, 20);
    middle = seal (pair.a, BOUNDARY + 5, 20);
    /* Around the boundary in any order. */
    CHECK (opens (pair.b, &first));
    CHECK (opens (pair.b, &last));
    CHECK (opens (pair.b, &middle));
    CHECK (opens (pair.b, &early));
    /* Two changes on, the first key is gone. */
    next = seal (pair.a, 2 * BOUNDARY, 20);
    CHECK (opens (pair.b, &next));
    CHECK (opens (pair.b, &middle));
    CHECK (!opens (pair.b, &early));
    for (guint64 generation = 3; generation < 20; generation++) {
      next = seal (pair.a, generation * BOUNDARY + generation, 20);
      CHECK (opens (pair.b, &next));
    }
    pair_clear (&pair);
  }
}

/* A forged number moves nothing, however often it comes. */
static void
test_forged_number (void)
{
  Pair pair = pair_new (P2P_AEAD_AES_128_GCM);
  Packet packet = seal (pair.a, 1, 20), next;

  for (guint i = 0; i < 1000; i++) {
    packet.number = BOUNDARY + i;
    CHECK (!opens (pair.b, &packet));
    packet.number = (2 + i) * BOUNDARY;
    CHECK (!opens (pair.b, &packet));
    packet.number = G_MAXUINT64 - i;
    CHECK (!opens (pair.b, &packet));
  }
  packet.number = 1;
  CHECK (opens (pair.b, &packet));
  next = seal (pair.a, BOUNDARY + 1, 20);
  CHECK (opens (pair.b, &next));
  pair_clear (&pair);
}

/* A number used twice would give the key away: not even by mistake. */
static void
test_number_used_twice (void)
{
  Pair pair = pair_new (P2P_AEAD_AES_128_GCM);
  guint8 data[64] = { 0 };
  Packet packet = seal (pair.a, 10, 20);

  CHECK (opens (pair.b, &packet));
  CHECK (!p2p_record_seal (pair.a, 10, NULL, 0, data, 20));
  CHECK (!p2p_record_seal (pair.a, 9, NULL, 0, data, 20));
  CHECK (p2p_record_seal (pair.a, 11, NULL, 0, data, 20));
  CHECK (!p2p_record_seal (pair.a, 2 * BOUNDARY, NULL, 0, data, 20));
  CHECK (p2p_record_seal (pair.a, BOUNDARY, NULL, 0, data, 20));
  CHECK (!p2p_record_seal (pair.a, 12, NULL, 0, data, 20));
  CHECK (!p2p_record_seal (pair.a, G_MAXUINT64, NULL, 0, data, 20));
  pair_clear (&pair);
}

static void
test_edges (void)
{
  P2pSessionKeys keys = make_keys (1, 2);
  Pair pair = pair_new (P2P_AEAD_CHACHA20_POLY1305);
  guint8 empty[TAG], small[8] = { 0 };

  CHECK (p2p_record_new (&keys, 0) == NULL);
  CHECK (p2p_record_new (&keys, 3) == NULL);
  p2p_record_free (NULL);
  CHECK (p2p_record_seal (pair.a, 0, NULL, 0, empty, 0));
  CHECK (p2p_record_open (pair.b, 0, NULL, 0, empty, TAG));
  CHECK (!p2p_record_open (pair.b, 0, NULL, 0, small, sizeof small));
  CHECK (!p2p_record_open (pair.b, 0, NULL, 0, small, 0));
  CHECK (
      !p2p_record_seal (pair.a, 1, NULL, 0, small, P2P_RECORD_MAX_BYTES + 1));
  CHECK (p2p_aead_preferred () == P2P_AEAD_AES_128_GCM
         || p2p_aead_preferred () == P2P_AEAD_CHACHA20_POLY1305);
  pair_clear (&pair);
}

/* HKDF-Expand, asked for separately. */
static void
expand (const guint8 *secret, const gchar *label, P2pAead aead, guint8 *out,
        gsize len)
{
  EVP_KDF *kdf = EVP_KDF_fetch (NULL, "HKDF", NULL);
  EVP_KDF_CTX *context = EVP_KDF_CTX_new (kdf);
  gchar info[32], digest[] = "SHA256";
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  int info_len = g_snprintf (info, sizeof info, "%s%c", label, (gint)aead);
  OSSL_PARAM params[] = {
    OSSL_PARAM_int (OSSL_KDF_PARAM_MODE, &mode),
    OSSL_PARAM_utf8_string (OSSL_KDF_PARAM_DIGEST, digest, 6),
    OSSL_PARAM_octet_string (OSSL_KDF_PARAM_KEY, (void *)secret, 32),
    OSSL_PARAM_octet_string (OSSL_KDF_PARAM_INFO, info, (gsize)info_len),
    OSSL_PARAM_END,
  };

  CHECK (EVP_KDF_derive (context, out, len, params) == 1);
  EVP_KDF_CTX_free (context);
  EVP_KDF_free (kdf);
}

/* What docs/wire.md says, done again step by step for the third key. */
static void
test_as_specified (void)
{
  P2pSessionKeys keys = make_keys (1, 101);
  Pair pair = pair_new (P2P_AEAD_AES_128_GCM);
  guint64 number = 2 * BOUNDARY + 0x010203;
  guint8 secret[32], key[16], iv[12], plain[20], expected[20 + TAG];
  EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new ();
  Packet packet;
  int len;

  memcpy (secret, keys.send_secret, 32);
  for (guint i = 0; i < 2; i++) {
    guint8 next[32];

    expand (secret, "iv-p2p next", P2P_AEAD_AES_128_GCM, next, 32);
    memcpy (secret, next, 32);
  }
  expand (secret, "iv-p2p key", P2P_AEAD_AES_128_GCM, key, sizeof key);
  expand (secret, "iv-p2p iv", P2P_AEAD_AES_128_GCM, iv, sizeof iv);
  for (guint i = 0; i < 8; i++)
    iv[11 - i] ^= (guint8)(number >> (8 * i));
  for (guint i = 0; i < sizeof plain; i++)
    plain[i] = (guint8)(number + i);

  seal (pair.a, BOUNDARY, 0);
  packet = seal (pair.a, number, sizeof plain);
  CHECK (EVP_EncryptInit_ex (cipher, EVP_aes_128_gcm (), NULL, key, iv));
  CHECK (EVP_EncryptUpdate (cipher, NULL, &len, packet.aad, sizeof packet.aad));
  CHECK (EVP_EncryptUpdate (cipher, expected, &len, plain, sizeof plain));
  CHECK (EVP_EncryptFinal_ex (cipher, expected + len, &len));
  CHECK (EVP_CIPHER_CTX_ctrl (cipher, EVP_CTRL_AEAD_GET_TAG, TAG,
                              expected + sizeof plain));
  CHECK_MEM (packet.data, expected, sizeof expected);
  EVP_CIPHER_CTX_free (cipher);
  pair_clear (&pair);
}

/* Printed, not judged: machines differ. */
static void
test_speed (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (aeads); i++) {
    enum { PACKETS = 20000 };
    Pair pair = pair_new (aeads[i]);
    guint8 data[1200 + TAG] = { 0 }, sealed[sizeof data];
    gint64 sealing, opening, begin = g_get_monotonic_time ();
    guint opened = 0;

    for (guint64 number = 0; number < PACKETS; number++)
      p2p_record_seal (pair.a, number, data, 16, data + 16, 1184);
    sealing = g_get_monotonic_time () - begin;
    memcpy (sealed, data, sizeof data);
    begin = g_get_monotonic_time ();
    for (guint count = 0; count < PACKETS; count++) {
      memcpy (data, sealed, sizeof data);
      opened += (guint)p2p_record_open (pair.b, PACKETS - 1, data, 16,
                                        data + 16, 1200);
    }
    opening = g_get_monotonic_time () - begin;
    CHECK_EQ (opened, PACKETS);
    printf ("# %s: seals %.0f Mbit/s, opens %.0f Mbit/s\n",
            aeads[i] == P2P_AEAD_AES_128_GCM ? "AES-128-GCM"
                                             : "ChaCha20-Poly1305",
            PACKETS * 1200 * 8.0 / (gdouble)MAX (sealing, 1),
            PACKETS * 1200 * 8.0 / (gdouble)MAX (opening, 1));
    pair_clear (&pair);
  }
}

static const CheckCase cases[] = {
  { "both ways", test_both_ways },
  { "every byte counts", test_every_byte_counts },
  { "wrong direction, cipher, number", test_wrong_place },
  { "the key changes", test_key_changes },
  { "forged numbers", test_forged_number },
  { "a number used twice", test_number_used_twice },
  { "edges", test_edges },
  { "as specified", test_as_specified },
  { "speed", test_speed },
};

CHECK_MAIN (cases)
