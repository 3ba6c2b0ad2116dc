/* What p2pidentity.c lends to p2phandshake.c.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef P2P_HANDSHAKE_PRIVATE_H
#define P2P_HANDSHAKE_PRIVATE_H

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include "p2phandshake.h"

G_BEGIN_DECLS

/* The endpoint of the SSL that the identity's context makes: OpenSSL's BIO,
 * verification and messages end here. */
typedef struct
{
  /* One whole datagram out. */
  void (*write) (gpointer user, const guint8 *datagram, gsize len);
  /* One whole datagram in, cut at `capacity`; 0: none there. */
  gsize (*read) (gpointer user, guint8 *datagram, gsize capacity);
  /* Whether this is the certificate that was announced. */
  gboolean (*verify) (gpointer user,
                      const guint8 fingerprint[P2P_FINGERPRINT_BYTES]);
  gpointer user;
} P2pIdentityPort;

/* An SSL over `port`, which must outlive it. NULL: out of memory. */
SSL *p2p_identity_new_ssl (P2pIdentity *identity, gboolean client,
                           P2pIdentityPort *port);

G_END_DECLS

#endif /* P2P_HANDSHAKE_PRIVATE_H */
