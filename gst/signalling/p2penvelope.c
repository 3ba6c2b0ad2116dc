/* Sealing of signalling messages.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * AES-256-GCM with the header as associated data. Every key is used by one
 * sender only, its nonce is the message number, which never repeats: a box's
 * key has its own random salt and seals once.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2penvelope.h"

#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#define KEY_BYTES 32
#define NONCE_BYTES 12
#define BOX_HEADER (4 + P2P_BOX_SALT)

/* Offsets in an envelope's header. */
#define AT_VERSION 0
#define AT_CREDENTIAL 1
#define AT_KIND 2
#define AT_DIRECTION 3
#define AT_CHANNEL 4
#define AT_NUMBER (AT_CHANNEL + P2P_CHANNEL_ID_BYTES)

typedef enum {
  TO_DEVICE = 1,
  TO_VIEWER = 2,
} Direction;

struct _P2pEnvelope
{
  P2pCredentialType credential;
  Direction sends;
  Direction receives;
  guint64 next_number;     /* to send */
  guint64 expected_number; /* lowest acceptable */
  guint8 channel_id[P2P_CHANNEL_ID_BYTES];
  guint8 send_key[KEY_BYTES];
  guint8 receive_key[KEY_BYTES];
};

void
p2p_random (gpointer out, gsize len)
{
  if (RAND_bytes (out, (int)len) != 1)
    g_error ("the system has no random numbers");
}

static void
write_u64 (guint8 *out, guint64 value)
{
  value = GUINT64_TO_BE (value);
  memcpy (out, &value, 8);
}

static guint64
read_u64 (const guint8 *in)
{
  guint64 value;

  memcpy (&value, in, 8);
  return GUINT64_FROM_BE (value);
}

/* `out` gets `len` bytes and the tag. */
static void
aead_seal (const guint8 *key, guint64 number, const guint8 *aad, gsize aad_len,
           gconstpointer data, gsize len, guint8 *out)
{
  guint8 nonce[NONCE_BYTES] = { 0 };
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new ();
  int n;

  write_u64 (nonce + NONCE_BYTES - 8, number);
  if (!ctx
      || EVP_EncryptInit_ex (ctx, EVP_aes_256_gcm (), NULL, key, nonce) != 1
      || EVP_EncryptUpdate (ctx, NULL, &n, aad, (int)aad_len) != 1
      || (len > 0 && EVP_EncryptUpdate (ctx, out, &n, data, (int)len) != 1)
      || EVP_EncryptFinal_ex (ctx, out + len, &n) != 1
      || EVP_CIPHER_CTX_ctrl (ctx, EVP_CTRL_AEAD_GET_TAG, P2P_ENVELOPE_TAG,
                              out + len)
             != 1)
    g_error ("OpenSSL has no AES-256-GCM");
  EVP_CIPHER_CTX_free (ctx);
}

/* `data` has `len` bytes and the tag. Nothing that did not prove genuine stays
 * in `out`. */
static gboolean
aead_open (const guint8 *key, guint64 number, const guint8 *aad, gsize aad_len,
           const guint8 *data, gsize len, guint8 *out)
{
  guint8 nonce[NONCE_BYTES] = { 0 };
  guint8 tag[P2P_ENVELOPE_TAG];
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new ();
  gboolean ok;
  int n;

  /* What fails here shall not stay in OpenSSL's error queue, where this
   * thread's next TLS call would take it for its own. */
  ERR_set_mark ();
  write_u64 (nonce + NONCE_BYTES - 8, number);
  memcpy (tag, data + len, sizeof tag);
  ok = ctx
       && EVP_DecryptInit_ex (ctx, EVP_aes_256_gcm (), NULL, key, nonce) == 1
       && EVP_DecryptUpdate (ctx, NULL, &n, aad, (int)aad_len) == 1
       && (len == 0 || EVP_DecryptUpdate (ctx, out, &n, data, (int)len) == 1)
       && EVP_CIPHER_CTX_ctrl (ctx, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) == 1
       && EVP_DecryptFinal_ex (ctx, out + len, &n) == 1;
  EVP_CIPHER_CTX_free (ctx);
  ERR_pop_to_mark ();
  if (!ok)
    OPENSSL_cleanse (out, len);
  return ok;
}

P2pEnvelope *
p2p_envelope_new (P2pCredential *credential, P2pRole role,
                  const guint8 *challenge, const guint8 *channel_id)
{
  P2pEnvelope *envelope = g_new0 (P2pEnvelope, 1);
  guint8 context[P2P_CHALLENGE_BYTES + P2P_CHANNEL_ID_BYTES];
  gboolean device = role == P2P_ROLE_DEVICE;

  memcpy (context, challenge, P2P_CHALLENGE_BYTES);
  memcpy (context + P2P_CHALLENGE_BYTES, channel_id, P2P_CHANNEL_ID_BYTES);
  memcpy (envelope->channel_id, channel_id, P2P_CHANNEL_ID_BYTES);
  envelope->credential = p2p_credential_get_kind (credential);
  envelope->sends = device ? TO_VIEWER : TO_DEVICE;
  envelope->receives = device ? TO_DEVICE : TO_VIEWER;
  p2p_credential_derive (credential, "signal to device", context,
                         sizeof context,
                         device ? envelope->receive_key : envelope->send_key,
                         KEY_BYTES);
  p2p_credential_derive (credential, "signal to viewer", context,
                         sizeof context,
                         device ? envelope->send_key : envelope->receive_key,
                         KEY_BYTES);
  return envelope;
}

void
p2p_envelope_free (P2pEnvelope *envelope)
{
  if (!envelope)
    return;
  OPENSSL_cleanse (envelope, sizeof *envelope);
  g_free (envelope);
}

const guint8 *
p2p_envelope_get_channel_id (const P2pEnvelope *envelope)
{
  return envelope->channel_id;
}

GBytes *
p2p_envelope_seal (P2pEnvelope *envelope, P2pEnvelopeKind kind,
                   gconstpointer data, gsize len)
{
  guint8 *out;

  if (len > P2P_SIGNAL_MAX_MESSAGE)
    return NULL;
  out = g_malloc (len + P2P_ENVELOPE_OVERHEAD);
  out[AT_VERSION] = P2P_ENVELOPE_VERSION;
  out[AT_CREDENTIAL] = envelope->credential;
  out[AT_KIND] = kind;
  out[AT_DIRECTION] = envelope->sends;
  memcpy (out + AT_CHANNEL, envelope->channel_id, P2P_CHANNEL_ID_BYTES);
  write_u64 (out + AT_NUMBER, envelope->next_number);
  aead_seal (envelope->send_key, envelope->next_number, out,
             P2P_ENVELOPE_HEADER, data, len, out + P2P_ENVELOPE_HEADER);
  envelope->next_number++;
  return g_bytes_new_take (out, len + P2P_ENVELOPE_OVERHEAD);
}

P2pEnvelopeResult
p2p_envelope_open (P2pEnvelope *envelope, const guint8 *data, gsize len,
                   P2pEnvelopeKind *kind, guint8 *body, gsize *body_len)
{
  guint8 plain[P2P_SIGNAL_MAX_MESSAGE];
  gsize plain_len = len - P2P_ENVELOPE_OVERHEAD;
  guint64 number;

  if (len < P2P_ENVELOPE_OVERHEAD || len > P2P_ENVELOPE_MAX)
    return P2P_ENVELOPE_MALFORMED;
  if (data[AT_VERSION] != P2P_ENVELOPE_VERSION
      || data[AT_CREDENTIAL] != envelope->credential)
    return P2P_ENVELOPE_OTHER_VERSION;
  if (data[AT_KIND] < P2P_ENVELOPE_MESSAGE || data[AT_KIND] > P2P_ENVELOPE_PING
      || data[AT_DIRECTION] != envelope->receives)
    return P2P_ENVELOPE_MALFORMED;
  if (memcmp (data + AT_CHANNEL, envelope->channel_id, P2P_CHANNEL_ID_BYTES)
      != 0)
    return P2P_ENVELOPE_OTHER_CHANNEL;
  number = read_u64 (data + AT_NUMBER);
  if (number < envelope->expected_number || number == G_MAXUINT64)
    return P2P_ENVELOPE_REPLAYED;
  if (!aead_open (envelope->receive_key, number, data, P2P_ENVELOPE_HEADER,
                  data + P2P_ENVELOPE_HEADER, plain_len, plain))
    return P2P_ENVELOPE_FORGED;

  envelope->expected_number = number + 1;
  *kind = data[AT_KIND];
  memcpy (body, plain, plain_len);
  *body_len = plain_len;
  OPENSSL_cleanse (plain, plain_len);
  return P2P_ENVELOPE_OK;
}

gboolean
p2p_envelope_peek (const guint8 *data, gsize len, P2pRole from,
                   const guint8 **channel_id, guint64 *number)
{
  if (len < P2P_ENVELOPE_OVERHEAD || len > P2P_ENVELOPE_MAX
      || data[AT_VERSION] != P2P_ENVELOPE_VERSION
      || data[AT_DIRECTION]
             != (from == P2P_ROLE_VIEWER ? TO_DEVICE : TO_VIEWER))
    return FALSE;
  *channel_id = data + AT_CHANNEL;
  *number = read_u64 (data + AT_NUMBER);
  return TRUE;
}

static void
box_key (P2pCredential *credential, const guint8 *header, const guint8 *bound,
         guint8 *key)
{
  guint8 context[BOX_HEADER + P2P_BOX_SALT];

  memcpy (context, header, BOX_HEADER);
  if (bound)
    memcpy (context + BOX_HEADER, bound, P2P_BOX_SALT);
  p2p_credential_derive (credential, "signal box", context,
                         BOX_HEADER + (bound ? P2P_BOX_SALT : 0), key,
                         KEY_BYTES);
}

GBytes *
p2p_box_seal (P2pCredential *credential, P2pBoxKind kind, const guint8 *bound,
              gconstpointer data, gsize len, guint8 *salt)
{
  guint8 key[KEY_BYTES];
  guint8 *out;

  g_assert (len + P2P_BOX_OVERHEAD <= P2P_BOX_MAX);
  out = g_malloc (len + P2P_BOX_OVERHEAD);
  out[AT_VERSION] = P2P_ENVELOPE_VERSION;
  out[AT_CREDENTIAL] = p2p_credential_get_kind (credential);
  out[AT_KIND] = kind;
  out[AT_DIRECTION] = 0;
  p2p_random (out + 4, P2P_BOX_SALT);
  box_key (credential, out, bound, key);
  aead_seal (key, 0, out, BOX_HEADER, data, len, out + BOX_HEADER);
  OPENSSL_cleanse (key, sizeof key);
  if (salt)
    memcpy (salt, out + 4, P2P_BOX_SALT);
  return g_bytes_new_take (out, len + P2P_BOX_OVERHEAD);
}

const guint8 *
p2p_box_peek (P2pBoxKind kind, const guint8 *box, gsize len, gsize body_len)
{
  if (len != body_len + P2P_BOX_OVERHEAD
      || box[AT_VERSION] != P2P_ENVELOPE_VERSION || box[AT_KIND] != kind
      || box[AT_DIRECTION] != 0)
    return NULL;
  return box + 4;
}

gboolean
p2p_box_open (P2pCredential *credential, P2pBoxKind kind, const guint8 *bound,
              const guint8 *box, gsize len, guint8 *body, gsize body_len)
{
  guint8 plain[P2P_BOX_MAX];
  guint8 key[KEY_BYTES];
  gboolean ok;

  if (body_len + P2P_BOX_OVERHEAD > P2P_BOX_MAX
      || !p2p_box_peek (kind, box, len, body_len)
      || box[AT_CREDENTIAL] != p2p_credential_get_kind (credential))
    return FALSE;
  box_key (credential, box, bound, key);
  ok = aead_open (key, 0, box, BOX_HEADER, box + BOX_HEADER, body_len, plain);
  if (ok)
    memcpy (body, plain, body_len);
  OPENSSL_cleanse (key, sizeof key);
  OPENSSL_cleanse (plain, sizeof plain);
  return ok;
}
