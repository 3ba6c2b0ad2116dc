/* The DTLS 1.2 handshake of a session, without I/O: datagrams in, datagrams
 * out, keying material at the end.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * OpenSSL over memory BIOs. The peer's certificate is self-signed and ephemeral;
 * its SHA-256 fingerprint, which the credential authenticated in signalling, is
 * the only thing that counts. No application data ever goes through DTLS: its
 * exporter (RFC 5705, the DTLS-SRTP pattern of RFC 5764) keys the engine's
 * packets, then the handshake is freed.
 *
 * Threads: one thread at a time. Time: microseconds, monotonic, given in.
 */
#ifndef P2P_HANDSHAKE_H
#define P2P_HANDSHAKE_H

#include <glib.h>

G_BEGIN_DECLS

#define P2P_FINGERPRINT_BYTES 32
#define P2P_HANDSHAKE_MTU 1200
/* First retransmission; doubles up to 1 s. RFC 6347 says 1 s and lets those who
 * know their network choose less. */
#define P2P_HANDSHAKE_TIMER_US 100000
/* From new() to FAILED. */
#define P2P_HANDSHAKE_EXPIRY_S 10
#define P2P_HANDSHAKE_EXPIRY_US (P2P_HANDSHAKE_EXPIRY_S * G_USEC_PER_SEC)

typedef enum
{
  P2P_HANDSHAKE_ERROR_CRYPTO,   /* OpenSSL: memory, randomness, build */
} P2pHandshakeError;

#define P2P_HANDSHAKE_ERROR (p2p_handshake_error_quark ())
GQuark p2p_handshake_error_quark (void);

/* Ephemeral ECDSA P-256 key and self-signed certificate, shared by all
 * handshakes of an endpoint. */
typedef struct _P2pIdentity P2pIdentity;

P2pIdentity *p2p_identity_new (GError ** error);
P2pIdentity *p2p_identity_ref (P2pIdentity * identity);
void p2p_identity_unref (P2pIdentity * identity);
const guint8 *p2p_identity_get_fingerprint (P2pIdentity * identity);

typedef enum
{
  P2P_AEAD_AES_128_GCM = 1,
  P2P_AEAD_CHACHA20_POLY1305 = 2,
} P2pAead;

/* What this CPU does faster (AES instructions or not). */
P2pAead p2p_aead_preferred (void);

/* Secrets of one session; wipe with p2p_session_keys_clear(). */
typedef struct
{
  guint8 send_secret[32];
  guint8 receive_secret[32];
  guint32 send_id;              /* connection ids, from the exporter */
  guint32 receive_id;
} P2pSessionKeys;

void p2p_session_keys_clear (P2pSessionKeys * keys);

typedef enum
{
  P2P_HANDSHAKE_RUNNING,
  P2P_HANDSHAKE_DONE,           /* keys can be taken */
  P2P_HANDSHAKE_FAILED,         /* see p2p_handshake_get_error() */
} P2pHandshakeState;

typedef struct _P2pHandshake P2pHandshake;

/* `send` may be called from within new(), input() and tick(); each datagram has
 * at most P2P_HANDSHAKE_MTU bytes and is borrowed. It must not call back into
 * the handshake. The viewer is the client and starts at once. */
typedef void (*P2pHandshakeSend) (const guint8 * datagram, gsize len,
    gpointer user);

P2pHandshake *p2p_handshake_new (P2pIdentity * identity, gboolean client,
    const guint8 * peer_fingerprint, P2pHandshakeSend send, gpointer user,
    gint64 now_us, GError ** error);
void p2p_handshake_free (P2pHandshake * handshake);

/* RFC 7983: first byte 20 to 63. */
gboolean p2p_handshake_is_datagram (const guint8 * datagram, gsize len);

P2pHandshakeState p2p_handshake_input (P2pHandshake * handshake,
    const guint8 * datagram, gsize len, gint64 now_us);
P2pHandshakeState p2p_handshake_tick (P2pHandshake * handshake, gint64 now_us);
/* When to tick next; G_MAXINT64: never. */
gint64 p2p_handshake_next_time (P2pHandshake * handshake);

/* Once DONE; the caller clears its copy. The server keeps the handshake, which is
 * small by then, and goes on giving it what arrives, until the client's first
 * engine packet shows that its last flight arrived; then it frees it. */
gboolean p2p_handshake_get_keys (P2pHandshake * handshake,
    P2pSessionKeys * keys);
const gchar *p2p_handshake_get_error (P2pHandshake * handshake);

/* -- Sealing of engine packets (UdtEnv.seal and UdtEnv.open) -------------- */

typedef struct _P2pRecord P2pRecord;

/* The key of a direction changes every 2^22 packets, by packet number, so that
 * both sides agree without a word. */
#define P2P_RECORD_KEY_PACKETS (G_GUINT64_CONSTANT (1) << 22)
/* Longest payload, and longest associated data. */
#define P2P_RECORD_MAX_BYTES 65535

/* NULL: OpenSSL cannot do it, or `aead` is none. */
P2pRecord *p2p_record_new (const P2pSessionKeys * keys, P2pAead aead);
void p2p_record_free (P2pRecord * record);

/* In place; the tag of 16 bytes goes behind `len` bytes. Packet numbers must
 * rise from call to call, and by less than P2P_RECORD_KEY_PACKETS: one that was
 * used already is refused. */
gboolean p2p_record_seal (P2pRecord * record, guint64 packet_number,
    const guint8 * aad, gsize aad_len, guint8 * data, gsize len);

/* In place; `len` counts the tag. In any order, as far back as one key and as
 * far ahead. FALSE: not authentic, and `data` has been zeroed. */
gboolean p2p_record_open (P2pRecord * record, guint64 packet_number,
    const guint8 * aad, gsize aad_len, guint8 * data, gsize len);

G_END_DECLS

#endif /* P2P_HANDSHAKE_H */
