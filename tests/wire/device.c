/* A device on tcp:// that answers each message with the same one, for a viewer
 * that was made from docs/wire.md alone.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   wire-device KEY     prints its port; ends with the end of its input
 */
#include "p2psignaller.h"

#include <glib-unix.h>
#include <stdio.h>
#include <string.h>

static void
on_state (P2pSignaller *signaller, P2pSignallerState state, const gchar *reason,
          const gchar *detail, gpointer user)
{
  if (state == P2P_SIGNALLER_ONLINE) {
    printf ("%u\n", p2p_signaller_get_port (signaller));
    fflush (stdout);
  }
}

static void
on_open (P2pSignaller *signaller, P2pChannel *channel, gpointer user)
{
}

/* A `bye` is answered by closing. */
static void
on_message (P2pSignaller *signaller, P2pChannel *channel, const gchar *text,
            gsize len, gpointer user)
{
  if (strstr (text, "\"bye\""))
    p2p_channel_close (channel);
  else
    p2p_channel_send (channel, text);
}

static void
on_closed (P2pSignaller *signaller, P2pChannel *channel, const gchar *reason,
           const gchar *detail, gpointer user)
{
}

static void
on_rejected (P2pSignaller *signaller, guint count, const gchar *from,
             gpointer user)
{
}

static gboolean
on_input (gint fd, GIOCondition condition, gpointer user)
{
  gchar byte;

  if (read (fd, &byte, 1) == 1)
    return G_SOURCE_CONTINUE;
  g_main_loop_quit (user);
  return G_SOURCE_REMOVE;
}

int
main (int argc, char **argv)
{
  static const P2pSignallerCallbacks callbacks
      = { on_state, on_open, on_message, on_closed, on_rejected };
  GMainLoop *loop = g_main_loop_new (NULL, FALSE);
  P2pCredential *credential;
  P2pSignaller *signaller;

  if (argc != 2
      || !(credential = p2p_credential_new ("camera-1", argv[1], NULL, NULL)))
    return 2;
  signaller = p2p_signaller_new ("tcp://127.0.0.1:0", P2P_ROLE_DEVICE,
                                 credential, &callbacks, NULL, NULL);
  if (!signaller)
    return 1;
  p2p_signaller_start (signaller, NULL);
  g_unix_fd_add (0, G_IO_IN | G_IO_HUP, on_input, loop);
  g_main_loop_run (loop);
  p2p_signaller_free (signaller);
  p2p_credential_unref (credential);
  g_main_loop_unref (loop);
  return 0;
}
