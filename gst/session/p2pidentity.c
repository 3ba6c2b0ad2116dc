/* The ephemeral identity of an endpoint: key, self-signed certificate, and the
 * OpenSSL context that all its handshakes share.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The certificate proves nothing by itself: no name in it, no date and no
 * signature of others counts, only its fingerprint, which the credential
 * authenticated. Its dates are there because X.509 wants some; they are not
 * checked, since a camera without a battery does not know what day it is.
 *
 * OpenSSL 3.0 has no memory BIO that keeps datagrams apart, so there is one
 * here: what OpenSSL writes at once is one datagram, what it reads at once
 * too.
 *
 * Threads: immutable after p2p_identity_new() and reference counted; may be
 * used from several threads at a time.
 */
#include "p2phandshake-private.h"

#include <string.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

/* Forward secrecy, AEAD and nothing else. */
#define CIPHERS "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"
#define GROUPS "X25519:P-256"
#define SIGNATURES "ECDSA+SHA256"

/* Clocks that are a day wrong are common. */
#define VALID_BEFORE_S (-24 * 60 * 60)
#define VALID_AFTER_S (30 * 24 * 60 * 60)

/* Of a peer's certificate, in bytes: ours has about 300. */
#define MAX_CERTIFICATE 4096

#define NAME_BYTES 8

struct _P2pIdentity
{
  gatomicrefcount refs;
  BIO_METHOD *method;
  SSL_CTX *context;
  guint8 fingerprint[P2P_FINGERPRINT_BYTES];
};

GQuark
p2p_handshake_error_quark (void)
{
  return g_quark_from_static_string ("p2p-handshake-error-quark");
}

/* -- Datagrams ------------------------------------------------------------- */

static int
port_create (BIO *bio)
{
  BIO_set_init (bio, 1);
  return 1;
}

static int
port_write (BIO *bio, const char *data, int len)
{
  P2pIdentityPort *port = BIO_get_data (bio);

  BIO_clear_retry_flags (bio);
  if (len > 0)
    port->write (port->user, (const guint8 *)data, (gsize)len);
  return len;
}

static int
port_read (BIO *bio, char *data, int capacity)
{
  P2pIdentityPort *port = BIO_get_data (bio);
  gsize len;

  BIO_clear_retry_flags (bio);
  if (capacity <= 0)
    return 0;
  len = port->read (port->user, (guint8 *)data, (gsize)capacity);
  if (len == 0) {
    BIO_set_retry_read (bio);
    return -1;
  }
  return (int)len;
}

static long
port_ctrl (BIO *bio, int command, long number, void *pointer)
{
  switch (command) {
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DUP:
      return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
      return P2P_HANDSHAKE_MTU;
    default:
      return 0;
  }
}

static BIO_METHOD *
port_method_new (void)
{
  BIO_METHOD *method;

  method = BIO_meth_new (BIO_get_new_index () | BIO_TYPE_SOURCE_SINK,
                         "iv-p2p datagrams");
  if (method != NULL) {
    BIO_meth_set_create (method, port_create);
    BIO_meth_set_write (method, port_write);
    BIO_meth_set_read (method, port_read);
    BIO_meth_set_ctrl (method, port_ctrl);
  }
  return method;
}

/* -- Certificate ----------------------------------------------------------- */

static gboolean
certificate_fingerprint (X509 *certificate, guint8 *fingerprint)
{
  guint8 digest[EVP_MAX_MD_SIZE];
  unsigned len = 0;

  if (!X509_digest (certificate, EVP_sha256 (), digest, &len)
      || len != P2P_FINGERPRINT_BYTES)
    return FALSE;
  memcpy (fingerprint, digest, len);
  return TRUE;
}

/* Nothing of it tells who we are. */
static gboolean
certificate_fill (X509 *certificate, EVP_PKEY *key)
{
  static const gchar digits[] = "0123456789abcdef";
  guint8 random[2 * NAME_BYTES], name_text[2 * NAME_BYTES];
  X509_NAME *name = X509_get_subject_name (certificate);
  guint64 serial;

  if (RAND_bytes (random, sizeof random) != 1)
    return FALSE;
  for (guint i = 0; i < NAME_BYTES; i++) {
    name_text[2 * i] = digits[random[i] >> 4];
    name_text[2 * i + 1] = digits[random[i] & 15];
  }
  memcpy (&serial, random + NAME_BYTES, sizeof serial);

  return X509_set_version (certificate, X509_VERSION_3)
         && ASN1_INTEGER_set_uint64 (X509_get_serialNumber (certificate),
                                     (serial >> 1) | 1)
         && X509_gmtime_adj (X509_getm_notBefore (certificate), VALID_BEFORE_S)
         && X509_gmtime_adj (X509_getm_notAfter (certificate), VALID_AFTER_S)
         && X509_NAME_add_entry_by_NID (name, NID_commonName, MBSTRING_ASC,
                                        name_text, sizeof name_text, -1, 0)
         && X509_set_issuer_name (certificate, name)
         && X509_set_pubkey (certificate, key)
         && X509_sign (certificate, key, EVP_sha256 ()) > 0;
}

static gboolean
identity_certify (P2pIdentity *identity)
{
  EVP_PKEY *key = EVP_EC_gen ("P-256");
  X509 *certificate = X509_new ();
  gboolean ok = key != NULL && certificate != NULL
                && certificate_fill (certificate, key)
                && certificate_fingerprint (certificate, identity->fingerprint)
                && SSL_CTX_use_certificate (identity->context, certificate) == 1
                && SSL_CTX_use_PrivateKey (identity->context, key) == 1;

  X509_free (certificate);
  EVP_PKEY_free (key);
  return ok;
}

/* -- Context --------------------------------------------------------------- */

/* Instead of OpenSSL's chain building. That the peer holds the private key is
 * checked by the handshake itself. */
static int
verify_certificate (X509_STORE_CTX *store, void *unused)
{
  SSL *ssl = X509_STORE_CTX_get_ex_data (store,
                                         SSL_get_ex_data_X509_STORE_CTX_idx ());
  P2pIdentityPort *port = SSL_get_app_data (ssl);
  X509 *certificate = X509_STORE_CTX_get0_cert (store);
  guint8 fingerprint[P2P_FINGERPRINT_BYTES];

  if (certificate != NULL && certificate_fingerprint (certificate, fingerprint)
      && port->verify (port->user, fingerprint)) {
    X509_STORE_CTX_set_error (store, X509_V_OK);
    return 1;
  }
  X509_STORE_CTX_set_error (store, X509_V_ERR_CERT_REJECTED);
  return 0;
}

static gboolean
context_configure (SSL_CTX *context)
{
  SSL_CTX_set_options (context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION
                                    | SSL_OP_NO_QUERY_MTU
                                    | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode (context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list (context, MAX_CERTIFICATE);
  SSL_CTX_set_verify (context,
                      SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  SSL_CTX_set_cert_verify_callback (context, verify_certificate, NULL);
  return SSL_CTX_set_min_proto_version (context, DTLS1_2_VERSION)
         && SSL_CTX_set_max_proto_version (context, DTLS1_2_VERSION)
         && SSL_CTX_set_cipher_list (context, CIPHERS)
         && SSL_CTX_set1_groups_list (context, GROUPS)
         && SSL_CTX_set1_sigalgs_list (context, SIGNATURES)
         && SSL_CTX_set1_client_sigalgs_list (context, SIGNATURES);
}

P2pIdentity *
p2p_identity_new (GError **error)
{
  P2pIdentity *identity = g_new0 (P2pIdentity, 1);

  g_atomic_ref_count_init (&identity->refs);
  ERR_clear_error ();
  identity->method = port_method_new ();
  identity->context = SSL_CTX_new (DTLS_method ());
  if (identity->method == NULL || identity->context == NULL
      || !context_configure (identity->context)
      || !identity_certify (identity)) {
    const gchar *reason = ERR_reason_error_string (ERR_peek_last_error ());

    g_set_error (error, P2P_HANDSHAKE_ERROR, P2P_HANDSHAKE_ERROR_CRYPTO,
                 "cannot make a key and certificate: %s",
                 reason != NULL ? reason : "OpenSSL gives no reason");
    ERR_clear_error ();
    p2p_identity_unref (identity);
    return NULL;
  }
  return identity;
}

P2pIdentity *
p2p_identity_ref (P2pIdentity *identity)
{
  g_atomic_ref_count_inc (&identity->refs);
  return identity;
}

void
p2p_identity_unref (P2pIdentity *identity)
{
  if (!g_atomic_ref_count_dec (&identity->refs))
    return;
  SSL_CTX_free (identity->context);
  BIO_meth_free (identity->method);
  g_free (identity);
}

const guint8 *
p2p_identity_get_fingerprint (P2pIdentity *identity)
{
  return identity->fingerprint;
}

SSL *
p2p_identity_new_ssl (P2pIdentity *identity, gboolean client,
                      P2pIdentityPort *port)
{
  SSL *ssl = SSL_new (identity->context);
  BIO *bio = BIO_new (identity->method);

  if (ssl == NULL || bio == NULL) {
    SSL_free (ssl);
    BIO_free (bio);
    return NULL;
  }
  BIO_set_data (bio, port);
  SSL_set_bio (ssl, bio, bio);
  SSL_set_app_data (ssl, port);
  SSL_set_mtu (ssl, P2P_HANDSHAKE_MTU);
  if (client)
    SSL_set_connect_state (ssl);
  else
    SSL_set_accept_state (ssl);
  return ssl;
}
