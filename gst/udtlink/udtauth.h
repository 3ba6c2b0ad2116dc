/* Tokens of a listener, and what proves a key over a fresh handshake.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: one at a time.
 */
#ifndef UDT_AUTH_H
#define UDT_AUTH_H

#include <glib.h>
#include "p2pcredential.h"
#include "p2phandshake.h"
#include "udthello.h"
#include "udtsocket.h"

G_BEGIN_DECLS

/* Whom the salt of the key's stretching names, as nobody has an id here. */
#define UDT_AUTH_DEVICE_ID "udt"

#define UDT_BINDING_BYTES 32

/* -- Tokens: a caller gets one at its address and shows it --------------- */

#define UDT_TOKEN_LIFE_US (30 * G_USEC_PER_SEC)

typedef struct
{
  guint8 secrets[2][32]; /* of the generation, and of the one before */
  guint16 generation;
  gint64 rotate_us;
} UdtTokens;

gboolean udt_tokens_init (UdtTokens *tokens, gint64 now_us);
void udt_tokens_make (UdtTokens *tokens, const UdtAddress *address,
                      const UdtHello *call, gint64 now_us,
                      guint8 token[UDT_HELLO_TOKEN]);
gboolean udt_tokens_check (UdtTokens *tokens, const UdtAddress *address,
                           const UdtHello *call, gint64 now_us);

/* -- Binding -------------------------------------------------------------- */

/* A value that only the two ends of one handshake know, the same at both,
 * which covers what the caller said in its call. `caller`: this end is it. */
void udt_auth_bind (const P2pSessionKeys *keys, gboolean caller,
                    const UdtHello *call, guint8 binding[UDT_BINDING_BYTES]);

void udt_auth_proof (P2pCredential *credential,
                     const guint8 binding[UDT_BINDING_BYTES],
                     gboolean of_caller, guint8 proof[UDT_HELLO_PROOF]);
gboolean udt_auth_check_proof (P2pCredential *credential,
                               const guint8 binding[UDT_BINDING_BYTES],
                               gboolean of_caller,
                               const guint8 proof[UDT_HELLO_PROOF]);

/* The key becomes part of what the packets are sealed with. */
void udt_auth_mix (P2pCredential *credential, gboolean caller,
                   P2pSessionKeys *keys);

/* Without a key: what is made of the two nonces. No secret. */
void udt_auth_open (const UdtHello *call,
                    const guint8 listener_nonce[UDT_HELLO_NONCE],
                    gboolean caller, P2pSessionKeys *keys);

/* Of a refusal, a probe or an answer. `of_caller`: made by the caller. */
void udt_auth_mac (const guint8 binding[UDT_BINDING_BYTES],
                   const UdtHello *hello, gboolean of_caller,
                   guint8 mac[UDT_HELLO_MAC]);
gboolean udt_auth_check_mac (const guint8 binding[UDT_BINDING_BYTES],
                             const UdtHello *hello, gboolean of_caller);

G_END_DECLS

#endif /* UDT_AUTH_H */
