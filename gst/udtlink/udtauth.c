/* Tokens of a listener, and what proves a key over a fresh handshake.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * There is nobody here who vouches for fingerprints beforehand: the handshake
 * is run with whoever answers, and then both ends prove the key over what came
 * out of it. Someone in between has two handshakes, hence two bindings, and a
 * proof that is good for one is none for the other. (The extended master
 * secret, which the handshake insists on, makes its result depend on all that
 * was said in it, both certificates included.)
 *
 * The caller proves first, so that a stranger who calls learns nothing to guess
 * keys with.
 *
 * Threads: one at a time.
 */
#include "udtauth.h"

#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#define BINDING_LABEL "iv-p2p udt/1 binding"
#define OPEN_LABEL "iv-p2p udt/1 insecure"
#define PROOF_CALLER_LABEL "udt/1 proof of the caller"
#define PROOF_LISTENER_LABEL "udt/1 proof of the listener"
#define PACKETS_CALLER_LABEL "udt/1 packets of the caller"
#define PACKETS_LISTENER_LABEL "udt/1 packets of the listener"

#define SHA256_BYTES 32
#define MAX_HASHED 256

/* Pieces put together to be hashed at once. */
typedef struct
{
  guint8 bytes[MAX_HASHED];
  gsize len;
} Input;

static void
add (Input *input, gconstpointer bytes, gsize len)
{
  g_assert (input->len + len <= sizeof input->bytes);
  memcpy (input->bytes + input->len, bytes, len);
  input->len += len;
}

static void
add_call (Input *input, const UdtHello *call, guint8 flags)
{
  guint8 head[2] = { call->version, call->flags & flags };

  add (input, head, sizeof head);
  add (input, call->nonce, sizeof call->nonce);
  add (input, call->instance, sizeof call->instance);
  add (input, call->fingerprint, sizeof call->fingerprint);
}

static void
hash (Input *input, guint8 out[SHA256_BYTES])
{
  unsigned len = SHA256_BYTES;

  if (EVP_Digest (input->bytes, input->len, out, &len, EVP_sha256 (), NULL)
      != 1)
    g_error ("SHA-256 is not available");
  OPENSSL_cleanse (input, sizeof *input);
}

static void
hmac (const guint8 key[SHA256_BYTES], Input *input, guint8 out[SHA256_BYTES])
{
  unsigned len = SHA256_BYTES;

  if (HMAC (EVP_sha256 (), key, SHA256_BYTES, input->bytes, input->len, out,
            &len)
      == NULL)
    g_error ("HMAC-SHA-256 is not available");
}

/* -- Tokens ---------------------------------------------------------------- */

gboolean
udt_tokens_init (UdtTokens *tokens, gint64 now_us)
{
  tokens->rotate_us = now_us + UDT_TOKEN_LIFE_US;
  return RAND_bytes ((guint8 *)tokens->secrets, sizeof tokens->secrets) == 1
         && RAND_bytes ((guint8 *)&tokens->generation,
                        sizeof tokens->generation)
                == 1;
}

static void
rotate (UdtTokens *tokens, gint64 now_us)
{
  guint8 next[32];

  while (now_us >= tokens->rotate_us) {
    if (RAND_bytes (next, sizeof next) != 1)
      return;
    memcpy (tokens->secrets[1], tokens->secrets[0], sizeof next);
    memcpy (tokens->secrets[0], next, sizeof next);
    tokens->generation++;
    tokens->rotate_us += UDT_TOKEN_LIFE_US;
    /* After a long rest both are old: two new ones, however long it was. */
    if (now_us >= tokens->rotate_us + UDT_TOKEN_LIFE_US)
      tokens->rotate_us = now_us;
  }
}

static void
make_token (const guint8 secret[32], guint16 generation,
            const UdtAddress *address, const UdtHello *call,
            guint8 token[UDT_HELLO_TOKEN])
{
  Input input = { .len = 0 };
  guint8 bytes[20], mac[SHA256_BYTES];

  add (&input, bytes, udt_address_bytes (address, bytes));
  /* The cipher is settled by the answer that brings the token. */
  add_call (&input, call, UDT_HELLO_FLAGS & ~UDT_HELLO_CHACHA20);
  hmac (secret, &input, mac);
  token[0] = (guint8)(generation >> 8);
  token[1] = (guint8)generation;
  memcpy (token + 2, mac, UDT_HELLO_TOKEN - 2);
}

void
udt_tokens_make (UdtTokens *tokens, const UdtAddress *address,
                 const UdtHello *call, gint64 now_us,
                 guint8 token[UDT_HELLO_TOKEN])
{
  rotate (tokens, now_us);
  make_token (tokens->secrets[0], tokens->generation, address, call, token);
}

gboolean
udt_tokens_check (UdtTokens *tokens, const UdtAddress *address,
                  const UdtHello *call, gint64 now_us)
{
  guint16 generation = (guint16)(call->token[0] << 8 | call->token[1]);
  guint8 expected[UDT_HELLO_TOKEN];
  guint age;

  rotate (tokens, now_us);
  age = (guint16)(tokens->generation - generation);
  if (age > 1)
    return FALSE;
  make_token (tokens->secrets[age], generation, address, call, expected);
  return CRYPTO_memcmp (expected, call->token, sizeof expected) == 0;
}

/* -- Binding --------------------------------------------------------------- */

void
udt_auth_bind (const P2pSessionKeys *keys, gboolean caller,
               const UdtHello *call, guint8 binding[UDT_BINDING_BYTES])
{
  const guint8 *of_caller = caller ? keys->send_secret : keys->receive_secret;
  const guint8 *of_listener = caller ? keys->receive_secret : keys->send_secret;
  Input input = { .len = 0 };

  add (&input, BINDING_LABEL, strlen (BINDING_LABEL));
  add (&input, of_caller, sizeof keys->send_secret);
  add (&input, of_listener, sizeof keys->receive_secret);
  add_call (&input, call, UDT_HELLO_FLAGS);
  hash (&input, binding);
}

void
udt_auth_proof (P2pCredential *credential,
                const guint8 binding[UDT_BINDING_BYTES], gboolean of_caller,
                guint8 proof[UDT_HELLO_PROOF])
{
  p2p_credential_derive (credential,
                         of_caller ? PROOF_CALLER_LABEL : PROOF_LISTENER_LABEL,
                         binding, UDT_BINDING_BYTES, proof, UDT_HELLO_PROOF);
}

gboolean
udt_auth_check_proof (P2pCredential *credential,
                      const guint8 binding[UDT_BINDING_BYTES],
                      gboolean of_caller, const guint8 proof[UDT_HELLO_PROOF])
{
  guint8 expected[UDT_HELLO_PROOF];
  gboolean same;

  udt_auth_proof (credential, binding, of_caller, expected);
  same = CRYPTO_memcmp (expected, proof, sizeof expected) == 0;
  OPENSSL_cleanse (expected, sizeof expected);
  return same;
}

void
udt_auth_mix (P2pCredential *credential, gboolean caller, P2pSessionKeys *keys)
{
  guint8 mixed[32];

  p2p_credential_derive (credential,
                         caller ? PACKETS_CALLER_LABEL : PACKETS_LISTENER_LABEL,
                         keys->send_secret, sizeof keys->send_secret, mixed,
                         sizeof mixed);
  memcpy (keys->send_secret, mixed, sizeof mixed);
  p2p_credential_derive (credential,
                         caller ? PACKETS_LISTENER_LABEL : PACKETS_CALLER_LABEL,
                         keys->receive_secret, sizeof keys->receive_secret,
                         mixed, sizeof mixed);
  memcpy (keys->receive_secret, mixed, sizeof mixed);
  OPENSSL_cleanse (mixed, sizeof mixed);
}

static void
open_hash (const UdtHello *call, const guint8 nonce[UDT_HELLO_NONCE],
           guint8 use, guint8 out[SHA256_BYTES])
{
  Input input = { .len = 0 };

  add (&input, OPEN_LABEL, strlen (OPEN_LABEL));
  add (&input, &use, 1);
  add_call (&input, call, UDT_HELLO_FLAGS);
  add (&input, nonce, UDT_HELLO_NONCE);
  hash (&input, out);
}

static guint32
id_from (const guint8 *bytes)
{
  guint32 id;

  memcpy (&id, bytes, sizeof id);
  return g_ntohl (id);
}

void
udt_auth_open (const UdtHello *call,
               const guint8 listener_nonce[UDT_HELLO_NONCE], gboolean caller,
               P2pSessionKeys *keys)
{
  guint8 ids[SHA256_BYTES];
  guint32 of_caller, of_listener;

  open_hash (call, listener_nonce, 1,
             caller ? keys->send_secret : keys->receive_secret);
  open_hash (call, listener_nonce, 2,
             caller ? keys->receive_secret : keys->send_secret);
  open_hash (call, listener_nonce, 3, ids);
  of_caller = id_from (ids) | 1;
  of_listener = id_from (ids + 4) & ~(guint32)1;
  if (of_listener == 0)
    of_listener = 2;
  keys->send_id = caller ? of_caller : of_listener;
  keys->receive_id = caller ? of_listener : of_caller;
}

/* -- Refusals, probes, answers --------------------------------------------- */

void
udt_auth_mac (const guint8 binding[UDT_BINDING_BYTES], const UdtHello *hello,
              gboolean of_caller, guint8 mac[UDT_HELLO_MAC])
{
  guint8 head[4] = { (guint8)hello->type, hello->reason, of_caller ? 1 : 2 };
  guint32 id = g_htonl (hello->id);
  Input input = { .len = 0 };
  guint8 full[SHA256_BYTES];

  add (&input, head, sizeof head);
  add (&input, &id, sizeof id);
  add (&input, hello->nonce, sizeof hello->nonce);
  hmac (binding, &input, full);
  memcpy (mac, full, UDT_HELLO_MAC);
}

gboolean
udt_auth_check_mac (const guint8 binding[UDT_BINDING_BYTES],
                    const UdtHello *hello, gboolean of_caller)
{
  guint8 expected[UDT_HELLO_MAC];

  udt_auth_mac (binding, hello, of_caller, expected);
  return CRYPTO_memcmp (expected, hello->mac, sizeof expected) == 0;
}
