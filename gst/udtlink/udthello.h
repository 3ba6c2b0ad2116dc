/* The datagrams that come before a connection over plain UDP, or beside it.
 * Specified in docs/wire.md, "udt:// over plain UDP".
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure: no GLib, no sockets, no clock, nothing allocated. A reader takes
 * (pointer, length), touches nothing beyond and leaves its output untouched
 * when it refuses.
 */
#ifndef UDT_HELLO_H
#define UDT_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UDT_HELLO_VERSION 1

/* Outside of what STUN, DTLS, TURN and the engine's packets begin with. */
#define UDT_HELLO_FIRST_BYTE 0x55

#define UDT_HELLO_INSTANCE 8
#define UDT_HELLO_NONCE 16
#define UDT_HELLO_FINGERPRINT 32
#define UDT_HELLO_TOKEN 32
#define UDT_HELLO_PROOF 32
#define UDT_HELLO_MAC 16
#define UDT_HELLO_MAX 128

typedef enum {
  UDT_HELLO_CALL = 1,         /* caller: flags, instance, nonce, fingerprint,
                                 token (zero: has none yet) */
  UDT_HELLO_RETRY = 2,        /* listener: call again with this token. Nonce of
                                 the caller, fingerprint, token */
  UDT_HELLO_ACCEPT = 3,       /* listener, without a key: the caller's nonce,
                                 its own */
  UDT_HELLO_REFUSE = 4,       /* listener: reason, the caller's nonce, mac
                                 (zero unless the reason is the key) */
  UDT_HELLO_PROOF_CALLER = 5, /* proof that the key is known, each way */
  UDT_HELLO_PROOF_LISTENER = 6,
  UDT_HELLO_PROBE = 7,  /* either: are you at this address? id of the
                           one who is asked, nonce, mac */
  UDT_HELLO_ANSWER = 8, /* the same back: id of the one who asked */
} UdtHelloType;

#define UDT_HELLO_SENDER 1 /* flag: the caller sends the stream */
#define UDT_HELLO_OPEN 2   /* flag: without a key */
#define UDT_HELLO_CHACHA20                                                     \
  4 /* flag: packets are sealed with that, not with                            \
       AES-128-GCM. In a retry: the listener would                             \
       rather */
#define UDT_HELLO_FLAGS (UDT_HELLO_SENDER | UDT_HELLO_OPEN | UDT_HELLO_CHACHA20)

typedef enum {
  UDT_REFUSED_KEY = 1,  /* the keys differ */
  UDT_REFUSED_BUSY = 2, /* as many callers as there may be */
  UDT_REFUSED_ROLE = 3, /* both would send, or both receive */
  UDT_REFUSED_OPEN = 4, /* one of the two has a key, the other none */
  UDT_REFUSED_VERSION = 5,
} UdtRefusal;

typedef struct
{
  UdtHelloType type;
  uint8_t version;
  uint8_t flags;  /* UDT_HELLO_CALL, _RETRY */
  uint8_t reason; /* UDT_HELLO_REFUSE: UdtRefusal, or a later one */
  uint32_t id;    /* UDT_HELLO_PROBE, _ANSWER */
  uint8_t instance[UDT_HELLO_INSTANCE];
  uint8_t nonce[UDT_HELLO_NONCE];
  uint8_t own_nonce[UDT_HELLO_NONCE]; /* UDT_HELLO_ACCEPT */
  uint8_t fingerprint[UDT_HELLO_FINGERPRINT];
  uint8_t token[UDT_HELLO_TOKEN];
  uint8_t proof[UDT_HELLO_PROOF];
  uint8_t mac[UDT_HELLO_MAC];
} UdtHello;

/* Whether a datagram is for udt_hello_read(). */
bool udt_hello_is_datagram (const uint8_t *data, size_t len);

/* Bytes written; 0: does not fit, or not a type. */
size_t udt_hello_write (const UdtHello *hello, uint8_t *out, size_t capacity);

/* A call of another version is read as far as its version and nonce, so that
 * it can be refused; everything else has to be of this version. */
bool udt_hello_read (const uint8_t *data, size_t len, UdtHello *hello);

/* For a person. */
const char *udt_refusal_text (unsigned reason);
/* As in messages: "wrong-key" … */
const char *udt_refusal_name (unsigned reason);

#endif /* UDT_HELLO_H */
