/* What comes before a connection over plain UDP.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "vectors.h"

#include "udtauth.h"
#include "udtchecksum.h"

#include <stdlib.h>
#include <string.h>

#define KEY "a key of the vectors"

static UdtHello
make (UdtHelloType type)
{
  UdtHello hello = { .type = type, .version = UDT_HELLO_VERSION };

  vector_count (hello.nonce, sizeof hello.nonce, 1);
  vector_count (hello.own_nonce, sizeof hello.own_nonce, 31);
  vector_count (hello.instance, sizeof hello.instance, 61);
  vector_count (hello.fingerprint, sizeof hello.fingerprint, 91);
  vector_count (hello.token, sizeof hello.token, 131);
  vector_count (hello.proof, sizeof hello.proof, 171);
  vector_count (hello.mac, sizeof hello.mac, 211);
  if (type == UDT_HELLO_CALL)
    hello.flags = UDT_HELLO_SENDER | UDT_HELLO_CHACHA20;
  else if (type == UDT_HELLO_RETRY)
    hello.flags = UDT_HELLO_CHACHA20;
  else if (type == UDT_HELLO_REFUSE)
    hello.reason = UDT_REFUSED_ROLE;
  else if (type >= UDT_HELLO_PROBE)
    hello.id = 0x01020304;
  return hello;
}

static void
put_hello (const UdtHello *h)
{
  bool probe = h->type >= UDT_HELLO_PROBE;

  vector_number ("type", h->type);
  vector_number ("extra", h->type == UDT_HELLO_REFUSE ? h->reason : h->flags);
  if (probe)
    vector_number ("id", h->id);
  if (h->type <= UDT_HELLO_REFUSE || probe)
    vector_hex ("nonce", h->nonce, sizeof h->nonce);
  if (h->type == UDT_HELLO_ACCEPT)
    vector_hex ("own nonce", h->own_nonce, sizeof h->own_nonce);
  if (h->type == UDT_HELLO_CALL)
    vector_hex ("instance", h->instance, sizeof h->instance);
  if (h->type <= UDT_HELLO_RETRY) {
    vector_hex ("fingerprint", h->fingerprint, sizeof h->fingerprint);
    vector_hex ("token", h->token, sizeof h->token);
  }
  if (h->type == UDT_HELLO_PROOF_CALLER || h->type == UDT_HELLO_PROOF_LISTENER)
    vector_hex ("proof", h->proof, sizeof h->proof);
  if (h->type == UDT_HELLO_REFUSE || probe)
    vector_hex ("mac", h->mac, sizeof h->mac);
}

static void
put_packed (const char *key, const UdtHello *hello)
{
  uint8_t out[UDT_HELLO_MAX];

  vector_hex (key, out, udt_hello_write (hello, out, sizeof out));
}

static void
hellos (void)
{
  for (UdtHelloType type = UDT_HELLO_CALL; type <= UDT_HELLO_ANSWER; type++) {
    UdtHello hello = make (type);

    vector_begin ("hello", NULL);
    put_packed ("hex", &hello);
    vector_open ("want", '{');
    put_hello (&hello);
    vector_close ('}');
    vector_end ();
  }
}

static void
put_mac (const char *key, UdtHelloType type, const guint8 *binding,
         bool of_caller)
{
  UdtHello hello = make (type);

  udt_auth_mac (binding, &hello, of_caller, hello.mac);
  vector_hex (key, hello.mac, sizeof hello.mac);
}

static void
proofs (void)
{
  P2pCredential *credential
      = p2p_credential_new (UDT_AUTH_DEVICE_ID, KEY, NULL, NULL);
  UdtHello call = make (UDT_HELLO_CALL), refuse = make (UDT_HELLO_REFUSE);
  UdtHello probe = make (UDT_HELLO_PROBE);
  P2pSessionKeys keys = { .send_id = 1, .receive_id = 2 };
  guint8 binding[UDT_BINDING_BYTES], proof[UDT_HELLO_PROOF];

  if (!credential)
    exit (1);
  vector_count (keys.send_secret, 32, 1);
  vector_count (keys.receive_secret, 32, 33);
  udt_auth_bind (&keys, TRUE, &call, binding);
  vector_begin ("proofs", NULL);
  vector_text ("key", KEY, strlen (KEY));
  vector_hex ("C", keys.send_secret, 32);
  vector_hex ("S", keys.receive_secret, 32);
  put_packed ("call", &call);
  put_packed ("refuse", &refuse);
  put_packed ("probe", &probe);
  vector_open ("want", '{');
  vector_hex ("binding", binding, sizeof binding);
  udt_auth_proof (credential, binding, TRUE, proof);
  vector_hex ("proof of the caller", proof, sizeof proof);
  udt_auth_proof (credential, binding, FALSE, proof);
  vector_hex ("proof of the listener", proof, sizeof proof);
  put_mac ("mac of refuse", UDT_HELLO_REFUSE, binding, false);
  put_mac ("mac of the caller's probe", UDT_HELLO_PROBE, binding, true);
  udt_auth_mix (credential, TRUE, &keys);
  vector_hex ("C'", keys.send_secret, 32);
  vector_hex ("S'", keys.receive_secret, 32);
  vector_close ('}');
  vector_end ();
  p2p_credential_unref (credential);
}

static void
put_tag (const P2pSessionKeys *keys, size_t len, uint64_t number)
{
  uint8_t header[9], data[UDT_CHECKSUM_MAX_DATA], tag[UDT_CHECKSUM_SIZE];
  UdtChecksum checksum;

  vector_count (header, sizeof header, 0xc0);
  vector_count (data, len, 3);
  udt_checksum_init (&checksum, keys->send_secret);
  if (!udt_checksum_make (&checksum, number, header, sizeof header, data, len,
                          tag))
    exit (1);
  vector_open (NULL, '{');
  vector_number ("number", number);
  vector_number ("length", len);
  vector_hex ("tag", tag, sizeof tag);
  vector_close ('}');
}

static void
without_key (void)
{
  UdtHello call = make (UDT_HELLO_CALL), accept = make (UDT_HELLO_ACCEPT);
  P2pSessionKeys keys;

  call.flags |= UDT_HELLO_OPEN;
  udt_auth_open (&call, accept.own_nonce, TRUE, &keys);
  vector_begin ("without-key", NULL);
  put_packed ("call", &call);
  put_packed ("accept", &accept);
  vector_open ("want", '{');
  vector_hex ("C", keys.send_secret, 32);
  vector_hex ("S", keys.receive_secret, 32);
  vector_number ("caller id", keys.send_id);
  vector_number ("listener id", keys.receive_id);
  vector_open ("tags", '[');
  put_tag (&keys, 1, 0);
  put_tag (&keys, 20, 7);
  put_tag (&keys, 1191, ((uint64_t)1 << 62) - 1);
  put_tag (&keys, UDT_CHECKSUM_MAX_DATA, 1 << 30);
  vector_close (']');
  vector_close ('}');
  vector_end ();
}

void
vectors_udt (void)
{
  hellos ();
  proofs ();
  without_key ();
}
