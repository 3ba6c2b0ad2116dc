/* Sealed messages: what is refused, byte by byte.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "p2penvelope.h"
#include "p2plimit.h"

#include <string.h>

static P2pCredential *credential;
static P2pCredential *other_key;
static guint8 challenge[P2P_CHALLENGE_BYTES];
static guint8 channel_id[P2P_CHANNEL_ID_BYTES];

typedef struct
{
  P2pEnvelopeKind kind;
  guint8 body[P2P_SIGNAL_MAX_MESSAGE];
  gsize len;
} Opened;

static P2pEnvelope *
viewer_side (void)
{
  return p2p_envelope_new (credential, P2P_ROLE_VIEWER, challenge, channel_id);
}

static P2pEnvelope *
device_side (void)
{
  return p2p_envelope_new (credential, P2P_ROLE_DEVICE, challenge, channel_id);
}

static P2pEnvelopeResult
open_bytes (P2pEnvelope *envelope, const guint8 *data, gsize len,
            Opened *opened)
{
  return p2p_envelope_open (envelope, data, len, &opened->kind, opened->body,
                            &opened->len);
}

static P2pEnvelopeResult
open_sealed (P2pEnvelope *envelope, GBytes *sealed, Opened *opened)
{
  return open_bytes (envelope, g_bytes_get_data (sealed, NULL),
                     g_bytes_get_size (sealed), opened);
}

static void
test_both_ways (void)
{
  g_autoptr (P2pEnvelope) viewer = viewer_side ();
  g_autoptr (P2pEnvelope) device = device_side ();
  Opened opened;
  guint i;

  for (i = 0; i < 50; i++) {
    g_autofree gchar *text = g_strnfill (i * 160, 'x');
    g_autoptr (GBytes) there
        = p2p_envelope_seal (viewer, P2P_ENVELOPE_MESSAGE, text, strlen (text));
    g_autoptr (GBytes) back
        = p2p_envelope_seal (device, P2P_ENVELOPE_PING, "", 0);

    g_assert_cmpuint (g_bytes_get_size (there), ==,
                      strlen (text) + P2P_ENVELOPE_OVERHEAD);
    g_assert_cmpint (open_sealed (device, there, &opened), ==, P2P_ENVELOPE_OK);
    g_assert_cmpint (opened.kind, ==, P2P_ENVELOPE_MESSAGE);
    g_assert_cmpmem (opened.body, opened.len, text, strlen (text));
    g_assert_cmpint (open_sealed (viewer, back, &opened), ==, P2P_ENVELOPE_OK);
    g_assert_cmpint (opened.kind, ==, P2P_ENVELOPE_PING);
    g_assert_cmpuint (opened.len, ==, 0);
  }
}

static void
test_too_long (void)
{
  g_autoptr (P2pEnvelope) viewer = viewer_side ();
  static gchar text[P2P_SIGNAL_MAX_MESSAGE + 1];
  g_autoptr (GBytes) largest = p2p_envelope_seal (viewer, P2P_ENVELOPE_MESSAGE,
                                                  text, P2P_SIGNAL_MAX_MESSAGE);

  g_assert_cmpuint (g_bytes_get_size (largest), ==, P2P_ENVELOPE_MAX);
  g_assert_null (
      p2p_envelope_seal (viewer, P2P_ENVELOPE_MESSAGE, text, sizeof text));
}

/* Each bit of each byte; and the outputs stay as they were. */
static void
test_altered (void)
{
  g_autoptr (P2pEnvelope) viewer = viewer_side ();
  g_autoptr (P2pEnvelope) device = device_side ();
  g_autoptr (GBytes) sealed
      = p2p_envelope_seal (viewer, P2P_ENVELOPE_MESSAGE, "{\"a\":1}", 7);
  gsize len = g_bytes_get_size (sealed), at;
  guint8 copy[200];
  Opened opened;
  guint bit;

  for (at = 0; at < len; at++) {
    for (bit = 0; bit < 8; bit++) {
      memset (&opened, 0x5a, sizeof opened);
      memcpy (copy, g_bytes_get_data (sealed, NULL), len);
      copy[at] ^= 1 << bit;
      g_assert_cmpint (open_bytes (device, copy, len, &opened), !=,
                       P2P_ENVELOPE_OK);
      g_assert_cmpuint (opened.body[0], ==, 0x5a);
      g_assert_cmpuint (opened.len & 0xff, ==, 0x5a);
    }
  }
  /* None of that has used up its number. */
  g_assert_cmpint (open_sealed (device, sealed, &opened), ==, P2P_ENVELOPE_OK);
}

static void
test_truncated (void)
{
  g_autoptr (P2pEnvelope) viewer = viewer_side ();
  g_autoptr (P2pEnvelope) device = device_side ();
  g_autoptr (GBytes) sealed
      = p2p_envelope_seal (viewer, P2P_ENVELOPE_MESSAGE, "{\"a\":1}", 7);
  gsize full = g_bytes_get_size (sealed), len;
  Opened opened;

  for (len = 0; len < full; len++) {
    /* Of its own size, so that reading beyond it is noticed. */
    g_autofree guint8 *exact = g_memdup2 (g_bytes_get_data (sealed, NULL), len);

    g_assert_cmpint (open_bytes (device, exact, len, &opened), !=,
                     P2P_ENVELOPE_OK);
  }
  {
    g_autofree guint8 *longer = g_malloc0 (full + 1);

    memcpy (longer, g_bytes_get_data (sealed, NULL), full);
    g_assert_cmpint (open_bytes (device, longer, full + 1, &opened), ==,
                     P2P_ENVELOPE_FORGED);
  }
}

static void
test_replayed (void)
{
  g_autoptr (P2pEnvelope) viewer = viewer_side ();
  g_autoptr (P2pEnvelope) device = device_side ();
  GBytes *sealed[4];
  Opened opened;
  guint i;

  for (i = 0; i < 4; i++)
    sealed[i] = p2p_envelope_seal (viewer, P2P_ENVELOPE_MESSAGE, "{}", 2);
  g_assert_cmpint (open_sealed (device, sealed[0], &opened), ==,
                   P2P_ENVELOPE_OK);
  g_assert_cmpint (open_sealed (device, sealed[0], &opened), ==,
                   P2P_ENVELOPE_REPLAYED);
  /* One lost on the way is no reason to stop; what is late stays out. */
  g_assert_cmpint (open_sealed (device, sealed[2], &opened), ==,
                   P2P_ENVELOPE_OK);
  g_assert_cmpint (open_sealed (device, sealed[1], &opened), ==,
                   P2P_ENVELOPE_REPLAYED);
  g_assert_cmpint (open_sealed (device, sealed[3], &opened), ==,
                   P2P_ENVELOPE_OK);
  for (i = 0; i < 4; i++) {
    g_assert_cmpint (open_sealed (device, sealed[i], &opened), ==,
                     P2P_ENVELOPE_REPLAYED);
    g_bytes_unref (sealed[i]);
  }
}

/* Sent back to who made it, with and without a change of the direction. */
static void
test_reflected (void)
{
  g_autoptr (P2pEnvelope) viewer = viewer_side ();
  g_autoptr (GBytes) sealed
      = p2p_envelope_seal (viewer, P2P_ENVELOPE_MESSAGE, "{}", 2);
  guint8 copy[100];
  Opened opened;

  g_assert_cmpint (open_sealed (viewer, sealed, &opened), ==,
                   P2P_ENVELOPE_MALFORMED);
  memcpy (copy, g_bytes_get_data (sealed, NULL), g_bytes_get_size (sealed));
  copy[3] = 2;
  g_assert_cmpint (open_bytes (viewer, copy, g_bytes_get_size (sealed),
                               &opened),
                   ==, P2P_ENVELOPE_FORGED);
}

static void
assert_forged_for (P2pCredential *whose, const guint8 *its_challenge,
                   const guint8 *its_id, P2pEnvelopeResult expected)
{
  g_autoptr (P2pEnvelope) viewer = viewer_side ();
  g_autoptr (P2pEnvelope) device
      = p2p_envelope_new (whose, P2P_ROLE_DEVICE, its_challenge, its_id);
  g_autoptr (GBytes) sealed
      = p2p_envelope_seal (viewer, P2P_ENVELOPE_MESSAGE, "{}", 2);
  Opened opened;

  g_assert_cmpint (open_sealed (device, sealed, &opened), ==, expected);
}

static void
test_bound (void)
{
  guint8 another_challenge[P2P_CHALLENGE_BYTES] = { 1 };
  guint8 another_id[P2P_CHANNEL_ID_BYTES] = { 1 };

  assert_forged_for (credential, challenge, channel_id, P2P_ENVELOPE_OK);
  assert_forged_for (other_key, challenge, channel_id, P2P_ENVELOPE_FORGED);
  assert_forged_for (credential, another_challenge, channel_id,
                     P2P_ENVELOPE_FORGED);
  assert_forged_for (credential, challenge, another_id,
                     P2P_ENVELOPE_OTHER_CHANNEL);
}

static void
test_versions (void)
{
  g_autoptr (P2pEnvelope) viewer = viewer_side ();
  g_autoptr (P2pEnvelope) device = device_side ();
  g_autoptr (GBytes) sealed
      = p2p_envelope_seal (viewer, P2P_ENVELOPE_MESSAGE, "{}", 2);
  guint8 copy[100];
  Opened opened;
  guint at;

  for (at = 0; at < 2; at++) {
    memcpy (copy, g_bytes_get_data (sealed, NULL), g_bytes_get_size (sealed));
    copy[at]++;
    g_assert_cmpint (open_bytes (device, copy, g_bytes_get_size (sealed),
                                 &opened),
                     ==, P2P_ENVELOPE_OTHER_VERSION);
  }
}

static void
test_boxes (void)
{
  guint8 salt[P2P_BOX_SALT], no_salt[P2P_BOX_SALT] = { 0 };
  guint8 body[16], copy[100];
  g_autoptr (GBytes) box = p2p_box_seal (credential, P2P_BOX_LAN_PROBE, NULL,
                                         "0123456789abcdef", 16, salt);
  g_autoptr (GBytes) answer = p2p_box_seal (credential, P2P_BOX_LAN_ANSWER,
                                            salt, "fedcba9876543210", 16, NULL);
  const guint8 *data = g_bytes_get_data (box, NULL);
  gsize len = g_bytes_get_size (box), at;

  g_assert_cmpuint (len, ==, 16 + P2P_BOX_OVERHEAD);
  g_assert_cmpmem (p2p_box_peek (P2P_BOX_LAN_PROBE, data, len, 16), 16, salt,
                   16);
  g_assert_true (
      p2p_box_open (credential, P2P_BOX_LAN_PROBE, NULL, data, len, body, 16));
  g_assert_cmpmem (body, 16, "0123456789abcdef", 16);
  g_assert_false (
      p2p_box_open (other_key, P2P_BOX_LAN_PROBE, NULL, data, len, body, 16));
  g_assert_false (
      p2p_box_open (credential, P2P_BOX_LAN_ANSWER, NULL, data, len, body, 16));
  g_assert_false (
      p2p_box_open (credential, P2P_BOX_LAN_PROBE, salt, data, len, body, 16));
  for (at = 0; at < len; at++) {
    g_autofree guint8 *shorter = g_memdup2 (data, at);

    g_assert_false (p2p_box_open (credential, P2P_BOX_LAN_PROBE, NULL, shorter,
                                  at, body, 16));
    memcpy (copy, data, len);
    copy[at] ^= 0x80;
    g_assert_false (p2p_box_open (credential, P2P_BOX_LAN_PROBE, NULL, copy,
                                  len, body, 16));
  }
  data = g_bytes_get_data (answer, NULL);
  g_assert_true (
      p2p_box_open (credential, P2P_BOX_LAN_ANSWER, salt, data, len, body, 16));
  g_assert_false (p2p_box_open (credential, P2P_BOX_LAN_ANSWER, no_salt, data,
                                len, body, 16));
}

/* -- Rates ---------------------------------------------------------------- */

static void
test_bucket (void)
{
  P2pBucket bucket;
  guint i, taken = 0;

  p2p_bucket_init (&bucket, 10, 20, 0);
  for (i = 0; i < 100; i++)
    taken += p2p_bucket_take (&bucket, 0);
  g_assert_cmpuint (taken, ==, 20);
  for (i = 1; i <= 100; i++) /* ten seconds */
    taken += p2p_bucket_take (&bucket, i * 100000) ? 1 : 0;
  g_assert_cmpuint (taken, >=, 119);
  g_assert_cmpuint (taken, <=, 120);
  g_assert_false (p2p_bucket_take (&bucket, 10000000));
  p2p_bucket_give_back (&bucket);
  g_assert_true (p2p_bucket_take (&bucket, 10000000));
}

static void
test_sources (void)
{
  static P2pSources sources;
  P2pSource *one[5], *other;
  g_autoptr (GInetAddress) a = g_inet_address_new_from_string ("10.0.0.1");
  g_autoptr (GInetAddress) mapped
      = g_inet_address_new_from_string ("::ffff:10.0.0.1");
  g_autoptr (GInetAddress) b = g_inet_address_new_from_string ("2001:db8::1");
  g_autoptr (GInetAddress) b2
      = g_inet_address_new_from_string ("2001:db8::ffff:2");
  guint i;

  p2p_sources_init (&sources, 10, 100, 4);
  for (i = 0; i < 4; i++)
    g_assert_nonnull (one[i]
                      = p2p_sources_enter (&sources, i % 2 ? a : mapped, 1));
  g_assert_null (p2p_sources_enter (&sources, a, 1));
  g_assert_nonnull (other = p2p_sources_enter (&sources, b, 1));
  g_assert_true (p2p_sources_enter (&sources, b2, 1) == other);
  p2p_sources_leave (one[0], FALSE);
  g_assert_nonnull (p2p_sources_enter (&sources, a, 1));

  /* More sources than the table has room for: the busy ones keep their place.
   */
  for (i = 0; i < 1000; i++) {
    g_autofree gchar *text = g_strdup_printf ("11.0.%u.%u", i / 256, i % 256);
    g_autoptr (GInetAddress) c = g_inet_address_new_from_string (text);
    P2pSource *source = p2p_sources_enter (&sources, c, 2 + i);

    g_assert_nonnull (source);
    p2p_sources_leave (source, FALSE);
  }
  g_assert_null (p2p_sources_enter (&sources, a, 2000));
}

static void
test_seen (void)
{
  P2pSeen seen;
  guint8 id[P2P_SEEN_ID] = { 0 };
  guint i;

  p2p_seen_init (&seen, 8);
  for (i = 0; i < 20; i++) {
    id[0] = i;
    g_assert_false (p2p_seen_has (&seen, id));
    g_assert_true (p2p_seen_add (&seen, id));
    g_assert_false (p2p_seen_add (&seen, id));
  }
  for (i = 0; i < 20; i++) {
    id[0] = i;
    g_assert_true (p2p_seen_has (&seen, id) == (i >= 12));
  }
  p2p_seen_clear (&seen);
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  credential = p2p_credential_new ("d", "0123456789ab", NULL, NULL);
  other_key = p2p_credential_new ("d", "0123456789aB", NULL, NULL);
  g_test_add_func ("/envelope/both-ways", test_both_ways);
  g_test_add_func ("/envelope/too-long", test_too_long);
  g_test_add_func ("/envelope/altered", test_altered);
  g_test_add_func ("/envelope/truncated", test_truncated);
  g_test_add_func ("/envelope/replayed", test_replayed);
  g_test_add_func ("/envelope/reflected", test_reflected);
  g_test_add_func ("/envelope/bound", test_bound);
  g_test_add_func ("/envelope/versions", test_versions);
  g_test_add_func ("/envelope/boxes", test_boxes);
  g_test_add_func ("/limit/bucket", test_bucket);
  g_test_add_func ("/limit/sources", test_sources);
  g_test_add_func ("/limit/seen", test_seen);
  status = g_test_run ();
  p2p_credential_unref (credential);
  p2p_credential_unref (other_key);
  return status;
}
