/* Commands on p2psink and p2psrc.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef GST_P2P_COMMANDS_H
#define GST_P2P_COMMANDS_H

#include <gst/gst.h>
#include "p2pendpoint.h"

G_BEGIN_DECLS

/* Both signals; `send` (element, peer, command, promise) is the action's class
 * handler. Returns the id of `command`. */
guint gst_p2p_install_commands (GType type, GCallback send);

/* `endpoint` NULL: the promise is told at once. May be called with the
 * element's lock held. */
void gst_p2p_send_command (P2pEndpoint *endpoint, const gchar *peer,
                           GBytes *command, GstPromise *promise);

/* Runs the application's handlers: no lock held. */
GBytes *gst_p2p_emit_command (gpointer element, guint signal, const gchar *peer,
                              GBytes *command);

G_END_DECLS

#endif /* GST_P2P_COMMANDS_H */
