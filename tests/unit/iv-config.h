/* The settings file of a device on iv_av.h, for tests of either shape.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef IV_CONFIG_FILE_H
#define IV_CONFIG_FILE_H

#include <glib.h>

/* Writes it and names it; the port, which is taken by nobody, is the device's.
 * `signaller` NULL: tcp:// on that port. */
guint config_write (const gchar *signaller);
void config_remove (void);

#endif /* IV_CONFIG_FILE_H */
