/* Sealing and opening of the engine's packets.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A direction has a chain of generations, one for each P2P_RECORD_KEY_PACKETS
 * packet numbers. HKDF-Expand makes from the secret of a generation its key,
 * its IV and the secret of the next one, after which the secret is wiped: who
 * learns a key cannot read what was sent under earlier ones. The nonce is the
 * IV XOR the packet number.
 *
 * The receiver can open packets of the generation it is in, the one before
 * (reordering) and the one after. The next one's key is made once, when a
 * packet first claims to be of it, and the receiver moves on only when one has
 * proved to be: forged numbers cost one AEAD pass each and change nothing. A
 * receiver that misses 2^22 packets in a row is lost; it has long been declared
 * dead by then.
 *
 * Nothing is allocated per packet: each generation held has a cipher context
 * with its key schedule, in which only the nonce is replaced.
 *
 * Threads: one at a time.
 */
#include "p2phandshake.h"

#include <string.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#if defined(__aarch64__) || defined(__arm__)
#include <sys/auxv.h>
#include <asm/hwcap.h>
#endif

#define SECRET_BYTES 32
#define IV_BYTES 12
#define TAG_BYTES 16
#define MAX_KEY_BYTES 32

#define LABEL_KEY "iv-p2p key"
#define LABEL_IV "iv-p2p iv"
#define LABEL_NEXT "iv-p2p next"
#define MAX_LABEL 16

typedef struct
{
  gboolean ready;
  EVP_CIPHER_CTX *cipher;
  guint8 iv[IV_BYTES];
} Generation;

typedef struct
{
  P2pAead aead;
  gboolean seal;
  guint64 current;                  /* generation */
  guint8 next_secret[SECRET_BYTES]; /* of the first one not derived */
  /* [0]: the previous one, [1]: the current one, [2]: the next one. A sender
   * has no use for the first and moves on as soon as it has the last. */
  Generation generation[3];
} Direction;

enum {
  PREVIOUS,
  CURRENT,
  NEXT,
};

struct _P2pRecord
{
  Direction send;
  Direction receive;
  guint64 send_minimum; /* packet numbers below it are used up */
};

/* -- Which cipher ---------------------------------------------------------- */

P2pAead
p2p_aead_preferred (void)
{
#if defined(__x86_64__) || defined(__i386__)
  gboolean aes
      = __builtin_cpu_supports ("aes") && __builtin_cpu_supports ("pclmul");
#elif defined(__aarch64__)
  gulong needed = HWCAP_AES | HWCAP_PMULL;
  gboolean aes = (getauxval (AT_HWCAP) & needed) == needed;
#elif defined(__arm__)
  gulong needed = HWCAP2_AES | HWCAP2_PMULL;
  gboolean aes = (getauxval (AT_HWCAP2) & needed) == needed;
#else
  gboolean aes = FALSE;
#endif
  return aes ? P2P_AEAD_AES_128_GCM : P2P_AEAD_CHACHA20_POLY1305;
}

static const EVP_CIPHER *
aead_cipher (P2pAead aead)
{
  switch (aead) {
    case P2P_AEAD_AES_128_GCM:
      return EVP_aes_128_gcm ();
    case P2P_AEAD_CHACHA20_POLY1305:
      return EVP_chacha20_poly1305 ();
  }
  return NULL;
}

/* -- Keys ------------------------------------------------------------------ */

/* HKDF-Expand (secret, label | aead): a key is never used with two ciphers. */
static gboolean
expand (const guint8 *secret, const gchar *label, P2pAead aead, guint8 *out,
        gsize out_len)
{
  EVP_KDF *kdf = EVP_KDF_fetch (NULL, OSSL_KDF_NAME_HKDF, NULL);
  EVP_KDF_CTX *context = EVP_KDF_CTX_new (kdf);
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  gchar digest[] = "SHA256";
  guint8 info[MAX_LABEL];
  gsize info_len = strlen (label);
  OSSL_PARAM params[5];
  gboolean ok;

  g_assert (info_len < sizeof info);
  memcpy (info, label, info_len);
  info[info_len++] = (guint8)aead;
  params[0] = OSSL_PARAM_construct_int (OSSL_KDF_PARAM_MODE, &mode);
  params[1]
      = OSSL_PARAM_construct_utf8_string (OSSL_KDF_PARAM_DIGEST, digest, 0);
  params[2] = OSSL_PARAM_construct_octet_string (OSSL_KDF_PARAM_KEY,
                                                 (void *)secret, SECRET_BYTES);
  params[3]
      = OSSL_PARAM_construct_octet_string (OSSL_KDF_PARAM_INFO, info, info_len);
  params[4] = OSSL_PARAM_construct_end ();
  ok = context != NULL && EVP_KDF_derive (context, out, out_len, params) == 1;
  EVP_KDF_CTX_free (context);
  EVP_KDF_free (kdf);
  return ok;
}

/* Makes the next generation in the chain and moves the chain on. */
static gboolean
direction_derive (Direction *direction, Generation *generation)
{
  guint8 key[MAX_KEY_BYTES], next[SECRET_BYTES];
  gsize key_len
      = (gsize)EVP_CIPHER_get_key_length (aead_cipher (direction->aead));
  gboolean ok;

  ok = expand (direction->next_secret, LABEL_KEY, direction->aead, key, key_len)
       && expand (direction->next_secret, LABEL_IV, direction->aead,
                  generation->iv, sizeof generation->iv)
       && expand (direction->next_secret, LABEL_NEXT, direction->aead, next,
                  sizeof next)
       && EVP_CipherInit_ex (generation->cipher, NULL, NULL, key, NULL,
                             direction->seal)
              == 1;
  if (ok)
    memcpy (direction->next_secret, next, sizeof next);
  generation->ready = ok;
  OPENSSL_cleanse (key, sizeof key);
  OPENSSL_cleanse (next, sizeof next);
  ERR_clear_error ();
  return ok;
}

static gboolean
generation_init (Generation *generation, P2pAead aead, gboolean seal)
{
  generation->cipher = EVP_CIPHER_CTX_new ();
  return generation->cipher != NULL
         && EVP_CipherInit_ex (generation->cipher, aead_cipher (aead), NULL,
                               NULL, NULL, seal)
                == 1;
}

static gboolean
direction_init (Direction *direction, P2pAead aead, gboolean seal,
                const guint8 *secret)
{
  direction->aead = aead;
  direction->seal = seal;
  memcpy (direction->next_secret, secret, SECRET_BYTES);
  for (guint i = seal ? CURRENT : PREVIOUS; i <= NEXT; i++) {
    if (!generation_init (&direction->generation[i], aead, seal))
      return FALSE;
  }
  return direction_derive (direction, &direction->generation[CURRENT]);
}

static void
direction_clear (Direction *direction)
{
  /* OpenSSL wipes the key schedules. */
  for (guint i = PREVIOUS; i <= NEXT; i++)
    EVP_CIPHER_CTX_free (direction->generation[i].cipher);
}

/* The next generation becomes the current one. The cipher context of the one
 * that falls out is used again. */
static void
direction_move_on (Direction *direction)
{
  Generation *generation = direction->generation;
  Generation oldest = generation[direction->seal ? CURRENT : PREVIOUS];

  generation[PREVIOUS] = generation[CURRENT];
  generation[CURRENT] = generation[NEXT];
  generation[NEXT] = oldest;
  generation[NEXT].ready = FALSE;
  if (direction->seal)
    memset (&generation[PREVIOUS], 0, sizeof generation[PREVIOUS]);
  direction->current++;
}

/* PREVIOUS, CURRENT, NEXT, or -1: too far off. */
static gint
direction_find (const Direction *direction, guint64 packet_number)
{
  guint64 wanted = packet_number / P2P_RECORD_KEY_PACKETS;

  if (wanted == direction->current)
    return CURRENT;
  if (wanted == direction->current + 1)
    return NEXT;
  if (wanted + 1 == direction->current && !direction->seal)
    return PREVIOUS;
  return -1;
}

/* -- Packets --------------------------------------------------------------- */

static gboolean
generation_begin (Generation *generation, guint64 packet_number, gboolean seal,
                  const guint8 *aad, gsize aad_len)
{
  guint8 nonce[IV_BYTES];
  int len;

  memcpy (nonce, generation->iv, sizeof nonce);
  for (guint i = 0; i < sizeof packet_number; i++)
    nonce[sizeof nonce - 1 - i] ^= (guint8)(packet_number >> (8 * i));
  return EVP_CipherInit_ex (generation->cipher, NULL, NULL, NULL, nonce, seal)
             == 1
         && (aad_len == 0
             || EVP_CipherUpdate (generation->cipher, NULL, &len, aad,
                                  (int)aad_len)
                    == 1);
}

static gboolean
generation_seal (Generation *generation, guint64 packet_number,
                 const guint8 *aad, gsize aad_len, guint8 *data, gsize len)
{
  int used = 0;

  return generation_begin (generation, packet_number, TRUE, aad, aad_len)
         && (len == 0
             || EVP_EncryptUpdate (generation->cipher, data, &used, data,
                                   (int)len)
                    == 1)
         && EVP_EncryptFinal_ex (generation->cipher, data + used, &used) == 1
         && EVP_CIPHER_CTX_ctrl (generation->cipher, EVP_CTRL_AEAD_GET_TAG,
                                 TAG_BYTES, data + len)
                == 1;
}

static gboolean
generation_open (Generation *generation, guint64 packet_number,
                 const guint8 *aad, gsize aad_len, guint8 *data, gsize len)
{
  int used = 0;

  return generation_begin (generation, packet_number, FALSE, aad, aad_len)
         && EVP_CIPHER_CTX_ctrl (generation->cipher, EVP_CTRL_AEAD_SET_TAG,
                                 TAG_BYTES, data + len)
                == 1
         && (len == 0
             || EVP_DecryptUpdate (generation->cipher, data, &used, data,
                                   (int)len)
                    == 1)
         && EVP_DecryptFinal_ex (generation->cipher, data + used, &used) == 1;
}

/* -- API ------------------------------------------------------------------- */

P2pRecord *
p2p_record_new (const P2pSessionKeys *keys, P2pAead aead)
{
  P2pRecord *record;

  if (aead_cipher (aead) == NULL)
    return NULL;
  record = g_new0 (P2pRecord, 1);
  if (!direction_init (&record->send, aead, TRUE, keys->send_secret)
      || !direction_init (&record->receive, aead, FALSE,
                          keys->receive_secret)) {
    ERR_clear_error ();
    p2p_record_free (record);
    return NULL;
  }
  return record;
}

void
p2p_record_free (P2pRecord *record)
{
  if (record == NULL)
    return;
  direction_clear (&record->send);
  direction_clear (&record->receive);
  OPENSSL_cleanse (record, sizeof *record);
  g_free (record);
}

gboolean
p2p_record_seal (P2pRecord *record, guint64 packet_number, const guint8 *aad,
                 gsize aad_len, guint8 *data, gsize len)
{
  Direction *send = &record->send;
  gint index = direction_find (send, packet_number);

  if (index < 0 || packet_number < record->send_minimum
      || len > P2P_RECORD_MAX_BYTES || aad_len > P2P_RECORD_MAX_BYTES)
    return FALSE;
  if (index == NEXT) {
    if (!direction_derive (send, &send->generation[NEXT]))
      return FALSE;
    direction_move_on (send);
  }
  record->send_minimum = packet_number + 1;
  return generation_seal (&send->generation[CURRENT], packet_number, aad,
                          aad_len, data, len);
}

gboolean
p2p_record_open (P2pRecord *record, guint64 packet_number, const guint8 *aad,
                 gsize aad_len, guint8 *data, gsize len)
{
  Direction *receive = &record->receive;
  gint index = direction_find (receive, packet_number);
  Generation *generation;

  if (index < 0 || len < TAG_BYTES || len > P2P_RECORD_MAX_BYTES + TAG_BYTES
      || aad_len > P2P_RECORD_MAX_BYTES)
    goto refused;
  generation = &receive->generation[index];
  if (!generation->ready
      && !(index == NEXT && direction_derive (receive, generation)))
    goto refused;
  if (!generation_open (generation, packet_number, aad, aad_len, data,
                        len - TAG_BYTES)) {
    ERR_clear_error ();
    goto refused;
  }
  if (index == NEXT)
    direction_move_on (receive);
  return TRUE;

refused:
  /* What was deciphered must not be mistaken for what was sent. */
  memset (data, 0, len);
  return FALSE;
}
