/* The secret that a device and its viewers share, and the keys made from it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: `lock` guards `stretched` until `ready` is set, after which nothing
 * changes any more. Secrets live in one allocation and are wiped with it.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2pcredential.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

/* 16 MiB, once per endpoint, given back at once: what a small camera can spare
 * at start, and what makes guessing keys expensive. */
#define SCRYPT_N 16384
#define SCRYPT_R 8
#define SCRYPT_P 1
#define SCRYPT_MAX_MEMORY (32 * 1024 * 1024)

#define SALT_LABEL "iv-p2p credential 1"
#define MAX_INFO 256

struct _P2pCredential
{
  gint ref_count;
  gchar device_id[P2P_DEVICE_ID_MAX_BYTES + 1];
  gsize key_len;
  /* Zero behind the key, so that two can be compared as a whole. */
  guint8 key[P2P_KEY_MAX_BYTES];

  GMutex lock;
  gint ready; /* atomic */
  guint8 stretched[P2P_CREDENTIAL_KEY_BYTES];
};

GQuark
p2p_credential_error_quark (void)
{
  return g_quark_from_static_string ("p2p-credential-error-quark");
}

gboolean
p2p_device_id_check (const gchar *device_id, GError **error)
{
  gsize len = device_id ? strlen (device_id) : 0;
  gsize i;

  if (len == 0 || len > P2P_DEVICE_ID_MAX_BYTES) {
    g_set_error (
        error, P2P_CREDENTIAL_ERROR, P2P_CREDENTIAL_ERROR_DEVICE_ID,
        "a device id has 1 to %d characters, this one has %" G_GSIZE_FORMAT,
        P2P_DEVICE_ID_MAX_BYTES, len);
    return FALSE;
  }
  for (i = 0; i < len; i++) {
    if (!g_ascii_isalnum (device_id[i]) && !strchr ("._-", device_id[i])) {
      g_set_error (error, P2P_CREDENTIAL_ERROR, P2P_CREDENTIAL_ERROR_DEVICE_ID,
                   "a device id consists of A-Z a-z 0-9 . _ - (character "
                   "%" G_GSIZE_FORMAT " is another)",
                   i + 1);
      return FALSE;
    }
  }
  return TRUE;
}

/* Takes the first line of `path` into `line`. Blanks at its end are no part of
 * the key: nobody sees them, and editors and shells leave them behind. */
static gboolean
read_key_file (const gchar *path, guint8 *line, gsize size, gsize *len,
               GError **error)
{
  struct stat st;
  const guint8 *end;
  gsize have = 0;
  /* Not blocking: a FIFO must not hang a state change. */
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

  if (fd < 0 || fstat (fd, &st) < 0) {
    g_set_error (error, P2P_CREDENTIAL_ERROR, P2P_CREDENTIAL_ERROR_FILE,
                 "cannot read key file %s: %s", path, g_strerror (errno));
    goto failed;
  }
  if (!S_ISREG (st.st_mode)) {
    g_set_error (error, P2P_CREDENTIAL_ERROR, P2P_CREDENTIAL_ERROR_FILE,
                 "key file %s is not a regular file", path);
    goto failed;
  }
  if (st.st_mode & (S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH)) {
    g_set_error (error, P2P_CREDENTIAL_ERROR, P2P_CREDENTIAL_ERROR_MODE,
                 "key file %s is open to other users (mode %03o): chmod 600 it",
                 path, (guint)(st.st_mode & 0777));
    goto failed;
  }
  while (have < size) {
    gssize n = read (fd, line + have, size - have);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      g_set_error (error, P2P_CREDENTIAL_ERROR, P2P_CREDENTIAL_ERROR_FILE,
                   "cannot read key file %s: %s", path, g_strerror (errno));
      goto failed;
    }
    if (n == 0)
      break;
    have += n;
  }
  close (fd);

  end = memchr (line, '\n', have);
  *len = end ? (gsize)(end - line) : have;
  while (*len > 0 && strchr (" \t\r", line[*len - 1]) != NULL
         && line[*len - 1] != '\0')
    (*len)--;
  return TRUE;

failed:
  if (fd >= 0)
    close (fd);
  return FALSE;
}

static gboolean
check_key (const guint8 *key, gsize len, GError **error)
{
  if (len < P2P_KEY_MIN_BYTES || len > P2P_KEY_MAX_BYTES) {
    g_set_error (error, P2P_CREDENTIAL_ERROR, P2P_CREDENTIAL_ERROR_KEY,
                 "a key has %d to %d bytes, this one has %s", P2P_KEY_MIN_BYTES,
                 P2P_KEY_MAX_BYTES, len < P2P_KEY_MIN_BYTES ? "fewer" : "more");
    return FALSE;
  }
  if (!g_utf8_validate_len ((const gchar *)key, len, NULL)) {
    g_set_error_literal (error, P2P_CREDENTIAL_ERROR, P2P_CREDENTIAL_ERROR_KEY,
                         "the key is not valid UTF-8 text");
    return FALSE;
  }
  return TRUE;
}

P2pCredential *
p2p_credential_new (const gchar *device_id, const gchar *key,
                    const gchar *key_file, GError **error)
{
  P2pCredential *credential;
  guint8 line[P2P_KEY_MAX_BYTES + 2]; /* and a line end */
  const guint8 *bytes = (const guint8 *)key;
  gsize len = key ? strlen (key) : 0;
  gboolean ok = TRUE;

  if (!p2p_device_id_check (device_id, error))
    return NULL;
  if (!key == !key_file) {
    g_set_error_literal (error, P2P_CREDENTIAL_ERROR, P2P_CREDENTIAL_ERROR_KEY,
                         key ? "both a key and a key file are given: choose one"
                             : "a key or a key file is needed");
    return NULL;
  }
  if (key_file) {
    ok = read_key_file (key_file, line, sizeof line, &len, error);
    bytes = line;
  }
  if (ok && !check_key (bytes, len, error)) {
    if (key_file)
      g_prefix_error (error, "key file %s: ", key_file);
    ok = FALSE;
  }
  if (!ok) {
    OPENSSL_cleanse (line, sizeof line);
    return NULL;
  }

  credential = g_new0 (P2pCredential, 1);
  credential->ref_count = 1;
  g_mutex_init (&credential->lock);
  g_strlcpy (credential->device_id, device_id, sizeof credential->device_id);
  memcpy (credential->key, bytes, len);
  credential->key_len = len;
  OPENSSL_cleanse (line, sizeof line);
  return credential;
}

P2pCredential *
p2p_credential_ref (P2pCredential *credential)
{
  g_atomic_int_inc (&credential->ref_count);
  return credential;
}

void
p2p_credential_unref (P2pCredential *credential)
{
  if (!credential || !g_atomic_int_dec_and_test (&credential->ref_count))
    return;
  g_mutex_clear (&credential->lock);
  OPENSSL_cleanse (credential, sizeof *credential);
  g_free (credential);
}

gboolean
p2p_credential_equal (const P2pCredential *a, const P2pCredential *b)
{
  return strcmp (a->device_id, b->device_id) == 0
         && (CRYPTO_memcmp (a->key, b->key, sizeof a->key)
             | CRYPTO_memcmp (&a->key_len, &b->key_len, sizeof a->key_len))
                == 0;
}

const gchar *
p2p_credential_get_device_id (const P2pCredential *credential)
{
  return credential->device_id;
}

P2pCredentialType
p2p_credential_get_kind (const P2pCredential *credential)
{
  return P2P_CREDENTIAL_PSK;
}

void
p2p_credential_stretch (P2pCredential *credential)
{
  guint8 salt[sizeof SALT_LABEL + P2P_DEVICE_ID_MAX_BYTES];
  gsize id_len = strlen (credential->device_id);

  if (g_atomic_int_get (&credential->ready))
    return;
  g_mutex_lock (&credential->lock);
  if (!g_atomic_int_get (&credential->ready)) {
    memcpy (salt, SALT_LABEL, sizeof SALT_LABEL); /* its NUL as well */
    memcpy (salt + sizeof SALT_LABEL, credential->device_id, id_len);
    /* Fails only for want of memory, or while the process exits, when another
     * thread may have shut OpenSSL down already. */
    if (EVP_PBE_scrypt ((const char *)credential->key, credential->key_len,
                        salt, sizeof SALT_LABEL + id_len, SCRYPT_N, SCRYPT_R,
                        SCRYPT_P, SCRYPT_MAX_MEMORY, credential->stretched,
                        sizeof credential->stretched)
        == 1)
      g_atomic_int_set (&credential->ready, TRUE);
    else
      g_warning ("cannot stretch the key (16 MiB of memory are needed once)");
  }
  g_mutex_unlock (&credential->lock);
}

gboolean
p2p_credential_is_stretched (P2pCredential *credential)
{
  return g_atomic_int_get (&credential->ready);
}

void
p2p_credential_derive (P2pCredential *credential, const gchar *label,
                       gconstpointer context, gsize context_len, guint8 *out,
                       gsize out_len)
{
  gsize label_len
      = strlen (label) + 1; /* NUL: ends the label, whatever follows */
  guint8 info[MAX_INFO];
  OSSL_PARAM params[4];
  EVP_KDF *kdf;
  EVP_KDF_CTX *ctx;
  int ok;

  g_assert (label_len + context_len <= sizeof info);
  p2p_credential_stretch (credential);
  if (!p2p_credential_is_stretched (credential))
    g_error ("no memory to stretch the key"); /* as g_malloc() does */

  memcpy (info, label, label_len);
  if (context_len > 0)
    memcpy (info + label_len, context, context_len);
  params[0] = OSSL_PARAM_construct_utf8_string (OSSL_KDF_PARAM_DIGEST,
                                                (char *)"SHA256", 0);
  params[1] = OSSL_PARAM_construct_octet_string (OSSL_KDF_PARAM_KEY,
                                                 credential->stretched,
                                                 sizeof credential->stretched);
  params[2] = OSSL_PARAM_construct_octet_string (OSSL_KDF_PARAM_INFO, info,
                                                 label_len + context_len);
  params[3] = OSSL_PARAM_construct_end ();

  kdf = EVP_KDF_fetch (NULL, "HKDF", NULL);
  ctx = kdf ? EVP_KDF_CTX_new (kdf) : NULL;
  ok = ctx && EVP_KDF_derive (ctx, out, out_len, params) == 1;
  EVP_KDF_CTX_free (ctx);
  EVP_KDF_free (kdf);
  if (!ok)
    g_error ("OpenSSL has no HKDF-SHA256");
}
