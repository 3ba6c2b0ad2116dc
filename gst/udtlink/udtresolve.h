/* Looks a name up without anybody waiting for it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A resolver may hang for minutes. Each look-up has a thread of its own that
 * nobody joins; who started it may go at any time.
 *
 * Threads: any.
 */
#ifndef UDT_RESOLVE_H
#define UDT_RESOLVE_H

#include <glib.h>
#include "udtsocket.h"

G_BEGIN_DECLS

typedef struct _UdtResolve UdtResolve;

/* `wake_fd` is an eventfd (duplicated here), written to when there is a
 * result. NULL: no thread. */
UdtResolve *udt_resolve_new (const gchar *host, guint port, int wake_fd);
/* FALSE: not done. Then `error` NULL and `address` set, or the other way. */
gboolean udt_resolve_get (UdtResolve *resolve, UdtAddress *address,
                          gchar **error);
/* Lets go of it, done or not. Accepts NULL. */
void udt_resolve_free (UdtResolve *resolve);

G_END_DECLS

#endif /* UDT_RESOLVE_H */
