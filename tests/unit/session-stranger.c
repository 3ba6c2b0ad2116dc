/* Handshakes with strangers: OpenSSL by itself as the client, which keeps to
 * other rules than ours.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * No time passes here. Both ends are called in turn until neither has anything
 * to say.
 */
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/ssl.h>

#include "check.h"
#include "p2phandshake.h"

#define LABEL "EXPORTER-iv-p2p-v1"

static P2pIdentity *identity;

/* Over a socket pair. */
typedef struct
{
  SSL_CTX *context;
  SSL *ssl;
  X509 *certificate;
  gint fd[2];
  P2pHandshake *handshake;
  P2pHandshakeState state;
} Stranger;

static int
stranger_trusts (int ok, X509_STORE_CTX *store)
{
  return 1;
}

static void
stranger_send (const guint8 *data, gsize len, gpointer user)
{
  Stranger *stranger = user;

  CHECK_EQ (write (stranger->fd[1], data, len), len);
}

static X509 *
make_certificate (EVP_PKEY *key)
{
  X509 *certificate = X509_new ();

  X509_set_version (certificate, X509_VERSION_3);
  ASN1_INTEGER_set (X509_get_serialNumber (certificate), 1);
  /* Long expired: dates do not count. */
  X509_gmtime_adj (X509_getm_notBefore (certificate), -2000000);
  X509_gmtime_adj (X509_getm_notAfter (certificate), -1000000);
  X509_set_pubkey (certificate, key);
  X509_sign (certificate, key, EVP_sha256 ());
  return certificate;
}

static void
stranger_init (Stranger *stranger, EVP_PKEY *key)
{
  guint8 fingerprint[EVP_MAX_MD_SIZE];

  stranger->context = SSL_CTX_new (DTLS_client_method ());
  stranger->certificate = make_certificate (key);
  SSL_CTX_set_verify (stranger->context, SSL_VERIFY_PEER, stranger_trusts);
  CHECK (SSL_CTX_use_certificate (stranger->context, stranger->certificate));
  CHECK (SSL_CTX_use_PrivateKey (stranger->context, key));
  EVP_PKEY_free (key);
  CHECK (socketpair (AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, stranger->fd)
         == 0);
  CHECK (X509_digest (stranger->certificate, EVP_sha256 (), fingerprint, NULL));
  stranger->handshake = p2p_handshake_new (identity, FALSE, fingerprint,
                                           stranger_send, stranger, 0, NULL);
}

/* Until both wait for the other. */
static P2pHandshakeState
stranger_run (Stranger *stranger)
{
  guint8 datagram[4096];
  gssize len;

  stranger->ssl = SSL_new (stranger->context);
  SSL_set_bio (stranger->ssl, BIO_new_fd (stranger->fd[0], BIO_NOCLOSE),
               BIO_new_fd (stranger->fd[0], BIO_NOCLOSE));
  SSL_set_options (stranger->ssl, SSL_OP_NO_QUERY_MTU);
  SSL_set_mtu (stranger->ssl, 1400);
  SSL_set_connect_state (stranger->ssl);
  do {
    SSL_do_handshake (stranger->ssl);
    len = read (stranger->fd[1], datagram, sizeof datagram);
    if (len > 0)
      stranger->state
          = p2p_handshake_input (stranger->handshake, datagram, (gsize)len, 0);
  } while (len > 0);
  return stranger->state;
}

static void
stranger_clear (Stranger *stranger)
{
  p2p_handshake_free (stranger->handshake);
  SSL_free (stranger->ssl);
  X509_free (stranger->certificate);
  SSL_CTX_free (stranger->context);
  close (stranger->fd[0]);
  close (stranger->fd[1]);
}

/* Any DTLS 1.2 with the right certificate gets through, and to the keys that
 * RFC 5705 promises. */
static void
test_welcome (void)
{
  Stranger stranger = { 0 };
  P2pSessionKeys keys;
  guint8 exported[72];

  stranger_init (&stranger, EVP_EC_gen ("P-256"));
  CHECK_EQ (stranger_run (&stranger), P2P_HANDSHAKE_DONE);
  CHECK (SSL_is_init_finished (stranger.ssl));
  CHECK_STR (SSL_get_version (stranger.ssl), "DTLSv1.2");
  CHECK (!SSL_SESSION_has_ticket (SSL_get_session (stranger.ssl)));
  CHECK (SSL_export_keying_material (stranger.ssl, exported, sizeof exported,
                                     LABEL, strlen (LABEL), NULL, 0, 0));
  CHECK (p2p_handshake_get_keys (stranger.handshake, &keys));
  CHECK_MEM (keys.receive_secret, exported, 32);
  CHECK_MEM (keys.send_secret, exported + 32, 32);
  CHECK_EQ (keys.receive_id, (guint32)exported[64] << 24 | exported[65] << 16
                                 | exported[66] << 8 | exported[67]);
  stranger_clear (&stranger);
}

static void
expect_refusal (Stranger *stranger, const gchar *reason)
{
  const gchar *error;

  CHECK_EQ (stranger_run (stranger), P2P_HANDSHAKE_FAILED);
  error = p2p_handshake_get_error (stranger->handshake);
  if (!CHECK (error != NULL && strstr (error, reason) != NULL))
    printf ("# %s\n", error != NULL ? error : "no error");
  CHECK (!SSL_is_init_finished (stranger->ssl));
  stranger_clear (stranger);
}

/* Knows the certificate, does not have its key: shows none at all. */
static void
test_without_certificate (void)
{
  Stranger stranger = { 0 };

  stranger_init (&stranger, EVP_EC_gen ("P-256"));
  SSL_CTX_free (stranger.context);
  stranger.context = SSL_CTX_new (DTLS_client_method ());
  expect_refusal (&stranger, "peer did not return a certificate");
}

static void
test_with_rsa (void)
{
  Stranger stranger = { 0 };

  stranger_init (&stranger, EVP_RSA_gen (2048));
  /* It has no certificate that we ask for, and so shows none. */
  expect_refusal (&stranger, "peer did not return a certificate");
}

static void
test_without_aead (void)
{
  Stranger stranger = { 0 };

  stranger_init (&stranger, EVP_EC_gen ("P-256"));
  CHECK (
      SSL_CTX_set_cipher_list (stranger.context, "ECDHE-ECDSA-AES128-SHA256"));
  expect_refusal (&stranger, "no shared cipher");
}

static void
test_of_old (void)
{
  Stranger stranger = { 0 };

  stranger_init (&stranger, EVP_EC_gen ("P-256"));
  SSL_CTX_set_security_level (stranger.context, 0);
  SSL_CTX_set_min_proto_version (stranger.context, DTLS1_VERSION);
  SSL_CTX_set_max_proto_version (stranger.context, DTLS1_VERSION);
  expect_refusal (&stranger, "unsupported protocol");
}

static void
test_unbound (void)
{
  Stranger stranger = { 0 };

  stranger_init (&stranger, EVP_EC_gen ("P-256"));
  SSL_CTX_set_options (stranger.context, SSL_OP_NO_EXTENDED_MASTER_SECRET);
  expect_refusal (&stranger, "not bound");
}

static const CheckCase cases[] = {
  { "welcome", test_welcome }, { "no certificate", test_without_certificate },
  { "RSA", test_with_rsa },    { "no AEAD", test_without_aead },
  { "DTLS 1.0", test_of_old }, { "no extended master secret", test_unbound },
};

int
main (int argc, char **argv)
{
  int result;

  identity = p2p_identity_new (NULL);
  result = check_main (argc, argv, cases, G_N_ELEMENTS (cases));
  p2p_identity_unref (identity);
  return result;
}
