/* The settings file of a device on iv_av.h, for tests of either shape.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "iv-config.h"

#include "session-util.h"

#include <glib/gstdio.h>

static gchar *name;

guint
config_write (const gchar *signaller)
{
  guint port = free_port ();
  gchar *own = tcp_uri (port);
  gchar *text = g_strdup_printf ("[p2p]\ndevice-id=camera-1\nkey=" KEY
                                 "\nsignaller=%s\n",
                                 signaller != NULL ? signaller : own);
  GError *error = NULL;
  int fd = g_file_open_tmp ("iv-p2p-XXXXXX.conf", &name, &error);

  g_assert_no_error (error);
  g_close (fd, NULL);
  g_assert_true (g_file_set_contents_full (name, text, -1,
                                           G_FILE_SET_CONTENTS_NONE, 0600,
                                           &error));
  g_assert_true (g_setenv ("IV_P2P_CONF", name, TRUE));
  g_free (own);
  g_free (text);
  return port;
}

void
config_remove (void)
{
  g_remove (name);
  g_clear_pointer (&name, g_free);
}
