/* The secret that a device and its viewers share, and the keys made from it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A key is any UTF-8 string of P2P_KEY_MIN_BYTES or more. It is stretched once
 * by scrypt, salted with the device id; every use gets its own key from the
 * result (HKDF-SHA256, one label a use), so that nothing derived from it, a
 * topic for example, helps to learn another.
 *
 * Threads: immutable once stretched; stretching takes about 50 ms of CPU and
 * p2p_credential_stretch() may be called from any thread, by several.
 * Ownership: reference counted; secrets are wiped when the last one goes.
 */
#ifndef P2P_CREDENTIAL_H
#define P2P_CREDENTIAL_H

#include <glib.h>

G_BEGIN_DECLS

#define P2P_KEY_MIN_BYTES 12
#define P2P_KEY_MAX_BYTES 1024
#define P2P_DEVICE_ID_MAX_BYTES 64
#define P2P_CREDENTIAL_KEY_BYTES 32

/* On the wire from version 1, so that signed tokens and device public keys fit
 * in later. */
typedef enum {
  P2P_CREDENTIAL_PSK = 1,
} P2pCredentialType;

typedef enum {
  P2P_CREDENTIAL_ERROR_KEY,  /* too short, too long, not UTF-8 */
  P2P_CREDENTIAL_ERROR_FILE, /* cannot be read */
  P2P_CREDENTIAL_ERROR_MODE, /* others can read it */
  P2P_CREDENTIAL_ERROR_DEVICE_ID,
} P2pCredentialError;

#define P2P_CREDENTIAL_ERROR (p2p_credential_error_quark ())
GQuark p2p_credential_error_quark (void);

typedef struct _P2pCredential P2pCredential;

/* Device ids: 1 to P2P_DEVICE_ID_MAX_BYTES of A-Z a-z 0-9 . _ - */
gboolean p2p_device_id_check (const gchar *device_id, GError **error);

/* Exactly one of `key` and `key_file` is given; a key file's first line,
 * without blanks at its end, is the key. Checks everything, stretches nothing:
 * cheap. */
P2pCredential *p2p_credential_new (const gchar *device_id, const gchar *key,
                                   const gchar *key_file, GError **error);
P2pCredential *p2p_credential_ref (P2pCredential *credential);
void p2p_credential_unref (P2pCredential *credential);

/* Same device id and same key, in constant time. */
gboolean p2p_credential_equal (const P2pCredential *a, const P2pCredential *b);
const gchar *p2p_credential_get_device_id (const P2pCredential *credential);
P2pCredentialType p2p_credential_get_kind (const P2pCredential *credential);

/* Needs 16 MiB of memory while it runs; without them it warns, and the key is
 * not stretched. */
void p2p_credential_stretch (P2pCredential *credential);
gboolean p2p_credential_is_stretched (P2pCredential *credential);

/* HKDF-SHA256 of the stretched key: `label` names the use, `context` (may be
 * NULL) binds it to an exchange. Stretches first if need be. */
void p2p_credential_derive (P2pCredential *credential, const gchar *label,
                            gconstpointer context, gsize context_len,
                            guint8 *out, gsize out_len);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2pCredential, p2p_credential_unref)

G_END_DECLS

#endif /* P2P_CREDENTIAL_H */
