/* The DTLS 1.2 handshake of a session.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * OpenSSL does the cryptography and the messages, the timing is ours. Its own
 * retransmission timer reads the wall clock and cannot be told the time; a
 * camera that learns the date while it connects would see it jump. So that
 * timer is set to where it never fires, and what the last call wrote, a flight,
 * is kept and sent again byte by byte. A repeated record that did arrive
 * before is dropped by the peer's replay window; one that did not is as good as
 * the first. This is sound because a flight of ours fits into one datagram, so
 * none of its records can arrive before those that it builds upon, and be
 * dropped for that, only to be taken for a replay when it comes again.
 *
 * When the handshake is over the keys are exported and OpenSSL's memory is
 * given back at once. Only the last flight stays: the server's may have been
 * lost, and the client then asks for it by repeating its own.
 *
 * The owner's send function is called when OpenSSL has returned.
 *
 * Threads: one at a time.
 */
#include "p2phandshake-private.h"

#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

/* Ours have one datagram. OpenSSL repeats by itself, in a datagram a message,
 * should the wall clock jump by over an hour: what is beyond this is lost, as
 * datagrams are. */
#define MAX_FLIGHT 4

#define MAX_TIMER_US 1000000

/* A copy that the network made follows sooner than this; it is no request to
 * send again. */
#define MIN_RESEND_US (P2P_HANDSHAKE_TIMER_US / 2)

/* The longest that OpenSSL's timer can be set to. */
#define OPENSSL_TIMER_US G_MAXUINT32

/* Type of the first record of a datagram that repeats a flight. */
#define RECORD_HANDSHAKE 22

#define EXPORTER_LABEL "EXPORTER-iv-p2p-v1"

/* What the exporter gives, in this order; the id is in clear in the packets of
 * that direction. */
typedef struct
{
  guint8 client_secret[32];
  guint8 server_secret[32];
  guint8 client_id[4];
  guint8 server_id[4];
} Exported;

G_STATIC_ASSERT (sizeof (Exported) == 72);

struct _P2pHandshake
{
  P2pIdentity *identity;
  P2pIdentityPort port;
  SSL *ssl; /* NULL: over */
  gboolean client;
  guint8 peer_fingerprint[P2P_FINGERPRINT_BYTES];
  gboolean verified;
  gboolean mismatch;

  P2pHandshakeSend send;
  gpointer user;

  P2pHandshakeState state;
  P2pSessionKeys keys;
  gchar *error;

  gint64 now_us;
  gint64 expiry_us;
  gint64 sent_us;  /* flight, last time */
  gint64 timer_us; /* from then to the next time */

  const guint8 *input; /* the datagram that OpenSSL may read */
  gsize input_len;

  guint flight_count;
  gboolean flight_new; /* written by the call under way */
  gsize flight_len[MAX_FLIGHT];
  guint8 flight[MAX_FLIGHT][P2P_HANDSHAKE_MTU];
};

void
p2p_session_keys_clear (P2pSessionKeys *keys)
{
  OPENSSL_cleanse (keys, sizeof *keys);
}

/* -- What OpenSSL calls ---------------------------------------------------- */

static void
handshake_write (gpointer user, const guint8 *datagram, gsize len)
{
  P2pHandshake *handshake = user;

  if (!handshake->flight_new) {
    handshake->flight_new = TRUE;
    handshake->flight_count = 0;
  }
  if (handshake->flight_count == MAX_FLIGHT || len > P2P_HANDSHAKE_MTU)
    return;
  memcpy (handshake->flight[handshake->flight_count], datagram, len);
  handshake->flight_len[handshake->flight_count++] = len;
}

static gsize
handshake_read (gpointer user, guint8 *datagram, gsize capacity)
{
  P2pHandshake *handshake = user;
  gsize len = MIN (handshake->input_len, capacity);

  if (len > 0)
    memcpy (datagram, handshake->input, len);
  handshake->input_len = 0;
  return len;
}

static gboolean
handshake_verify (gpointer user,
                  const guint8 fingerprint[P2P_FINGERPRINT_BYTES])
{
  P2pHandshake *handshake = user;

  handshake->verified = CRYPTO_memcmp (fingerprint, handshake->peer_fingerprint,
                                       P2P_FINGERPRINT_BYTES)
                        == 0;
  handshake->mismatch = !handshake->verified;
  return handshake->verified;
}

static unsigned int
never_expires (SSL *ssl, unsigned int timer_us)
{
  return OPENSSL_TIMER_US;
}

/* -- The end --------------------------------------------------------------- */

static void
handshake_fail (P2pHandshake *handshake, const gchar *reason)
{
  if (handshake->error == NULL)
    handshake->error = g_strdup (reason);
  handshake->state = P2P_HANDSHAKE_FAILED;
  /* An alert may have to be sent again, what came before it not. */
  if (!handshake->flight_new)
    handshake->flight_count = 0;
  SSL_free (handshake->ssl);
  handshake->ssl = NULL;
}

/* Says for a person what OpenSSL says for a programmer. */
static void
handshake_fail_ssl (P2pHandshake *handshake)
{
  unsigned long code = ERR_peek_error ();
  const gchar *reason = ERR_reason_error_string (code);
  gchar *text;

  if (handshake->mismatch) {
    handshake_fail (handshake, "the peer's certificate is not the one whose "
                               "fingerprint it announced");
    return;
  }
  if (ERR_GET_LIB (code) == ERR_LIB_SSL
      && ERR_GET_REASON (code) == SSL_AD_REASON_OFFSET + SSL_AD_BAD_CERTIFICATE)
    text = g_strdup ("the peer refused our certificate: its fingerprint is not "
                     "the one we announced");
  else if (ERR_GET_LIB (code) == ERR_LIB_SSL
           && ERR_GET_REASON (code) > SSL_AD_REASON_OFFSET)
    text = g_strdup_printf ("the peer ended the handshake: %s", reason);
  else
    text
        = g_strdup_printf ("the handshake failed: %s",
                           reason != NULL ? reason : "OpenSSL gives no reason");
  handshake_fail (handshake, text);
  g_free (text);
}

static guint32
read_u32 (const guint8 bytes[4])
{
  return (guint32)bytes[0] << 24 | (guint32)bytes[1] << 16
         | (guint32)bytes[2] << 8 | bytes[3];
}

/* Ids are not 0 and not the same: both sides mend them the same way. */
static void
keys_from_exported (P2pSessionKeys *keys, const Exported *exported,
                    gboolean client)
{
  guint32 client_id = read_u32 (exported->client_id);
  guint32 server_id = read_u32 (exported->server_id);

  if (client_id == 0)
    client_id = 1;
  if (server_id == client_id)
    server_id++;
  if (server_id == 0)
    server_id = client_id == 1 ? 2 : 1;

  memcpy (client ? keys->send_secret : keys->receive_secret,
          exported->client_secret, sizeof exported->client_secret);
  memcpy (client ? keys->receive_secret : keys->send_secret,
          exported->server_secret, sizeof exported->server_secret);
  keys->send_id = client ? client_id : server_id;
  keys->receive_id = client ? server_id : client_id;
}

static void
handshake_complete (P2pHandshake *handshake)
{
  Exported exported;

  if (!handshake->verified || SSL_get_extms_support (handshake->ssl) != 1) {
    /* The peer shall not take it for done. */
    handshake->flight_new = FALSE;
    handshake_fail (handshake, "the peer's handshake is not bound to its "
                               "certificate");
    return;
  }
  if (SSL_export_keying_material (handshake->ssl, (guint8 *)&exported,
                                  sizeof exported, EXPORTER_LABEL,
                                  strlen (EXPORTER_LABEL), NULL, 0, 0)
      != 1) {
    handshake_fail_ssl (handshake);
    return;
  }
  keys_from_exported (&handshake->keys, &exported, handshake->client);
  OPENSSL_cleanse (&exported, sizeof exported);
  handshake->state = P2P_HANDSHAKE_DONE;
  SSL_free (handshake->ssl);
  handshake->ssl = NULL;
  /* Nothing is owed to the server any more. */
  if (handshake->client)
    handshake->flight_count = 0;
}

/* -- Flights --------------------------------------------------------------- */

static void
handshake_send_flight (P2pHandshake *handshake)
{
  handshake->sent_us = handshake->now_us;
  for (guint i = 0; i < handshake->flight_count; i++)
    handshake->send (handshake->flight[i], handshake->flight_len[i],
                     handshake->user);
}

/* The peer repeats itself: our last flight may not have arrived. Alerts are not
 * answered, lest two that failed keep each other busy. */
static void
handshake_answer_repetition (P2pHandshake *handshake, const guint8 *datagram,
                             gint64 interval_us)
{
  if (datagram[0] == RECORD_HANDSHAKE && handshake->flight_count > 0
      && handshake->now_us - handshake->sent_us >= interval_us)
    handshake_send_flight (handshake);
}

static void
handshake_advance (P2pHandshake *handshake)
{
  gint result;

  handshake->flight_new = FALSE;
  ERR_clear_error ();
  result = SSL_do_handshake (handshake->ssl);
  if (result == 1)
    handshake_complete (handshake);
  else if (SSL_get_error (handshake->ssl, result) != SSL_ERROR_WANT_READ)
    handshake_fail_ssl (handshake);
  ERR_clear_error ();

  if (handshake->flight_new) {
    handshake->timer_us = P2P_HANDSHAKE_TIMER_US;
    handshake_send_flight (handshake);
  }
}

static void
handshake_set_time (P2pHandshake *handshake, gint64 now_us)
{
  handshake->now_us = MAX (handshake->now_us, now_us);
}

/* -- API ------------------------------------------------------------------- */

P2pHandshake *
p2p_handshake_new (P2pIdentity *identity, gboolean client,
                   const guint8 *peer_fingerprint, P2pHandshakeSend send,
                   gpointer user, gint64 now_us, GError **error)
{
  P2pHandshake *handshake = g_new0 (P2pHandshake, 1);

  handshake->identity = p2p_identity_ref (identity);
  handshake->client = client;
  memcpy (handshake->peer_fingerprint, peer_fingerprint, P2P_FINGERPRINT_BYTES);
  handshake->send = send;
  handshake->user = user;
  handshake->state = P2P_HANDSHAKE_RUNNING;
  handshake->now_us = now_us;
  handshake->expiry_us = now_us + P2P_HANDSHAKE_EXPIRY_US;
  handshake->port.write = handshake_write;
  handshake->port.read = handshake_read;
  handshake->port.verify = handshake_verify;
  handshake->port.user = handshake;

  handshake->ssl = p2p_identity_new_ssl (identity, client, &handshake->port);
  if (handshake->ssl == NULL) {
    g_set_error (error, P2P_HANDSHAKE_ERROR, P2P_HANDSHAKE_ERROR_CRYPTO,
                 "cannot begin a DTLS handshake");
    ERR_clear_error ();
    p2p_handshake_free (handshake);
    return NULL;
  }
  DTLS_set_timer_cb (handshake->ssl, never_expires);
  if (client)
    handshake_advance (handshake);
  return handshake;
}

void
p2p_handshake_free (P2pHandshake *handshake)
{
  if (handshake == NULL)
    return;
  SSL_free (handshake->ssl);
  p2p_identity_unref (handshake->identity);
  p2p_session_keys_clear (&handshake->keys);
  g_free (handshake->error);
  g_free (handshake);
}

gboolean
p2p_handshake_is_datagram (const guint8 *datagram, gsize len)
{
  return len > 0 && datagram[0] >= 20 && datagram[0] <= 63;
}

P2pHandshakeState
p2p_handshake_input (P2pHandshake *handshake, const guint8 *datagram, gsize len,
                     gint64 now_us)
{
  handshake_set_time (handshake, now_us);
  if (!p2p_handshake_is_datagram (datagram, len))
    return handshake->state;
  if (handshake->state != P2P_HANDSHAKE_RUNNING) {
    handshake_answer_repetition (handshake, datagram, MIN_RESEND_US);
    return handshake->state;
  }

  handshake->input = datagram;
  handshake->input_len = len;
  handshake_advance (handshake);
  handshake->input = NULL;
  handshake->input_len = 0;
  if (handshake->state == P2P_HANDSHAKE_RUNNING && !handshake->flight_new)
    handshake_answer_repetition (handshake, datagram, P2P_HANDSHAKE_TIMER_US);
  return handshake->state;
}

P2pHandshakeState
p2p_handshake_tick (P2pHandshake *handshake, gint64 now_us)
{
  handshake_set_time (handshake, now_us);
  if (handshake->state != P2P_HANDSHAKE_RUNNING)
    return handshake->state;

  if (handshake->now_us >= handshake->expiry_us) {
    handshake->flight_count = 0;
    handshake_fail (
        handshake,
        "the peer did not complete the handshake within " G_STRINGIFY (
            P2P_HANDSHAKE_EXPIRY_S) " s");
  } else if (handshake->flight_count > 0
             && handshake->now_us >= handshake->sent_us + handshake->timer_us) {
    handshake->timer_us = MIN (2 * handshake->timer_us, MAX_TIMER_US);
    handshake_send_flight (handshake);
  }
  return handshake->state;
}

gint64
p2p_handshake_next_time (P2pHandshake *handshake)
{
  if (handshake->state != P2P_HANDSHAKE_RUNNING)
    return G_MAXINT64;
  if (handshake->flight_count == 0)
    return handshake->expiry_us;
  return MIN (handshake->expiry_us, handshake->sent_us + handshake->timer_us);
}

gboolean
p2p_handshake_get_keys (P2pHandshake *handshake, P2pSessionKeys *keys)
{
  if (handshake->state != P2P_HANDSHAKE_DONE)
    return FALSE;
  *keys = handshake->keys;
  return TRUE;
}

const gchar *
p2p_handshake_get_error (P2pHandshake *handshake)
{
  return handshake->error;
}
