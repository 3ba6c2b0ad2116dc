/* The platform's settings, from a key file.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef IV_CONFIG_H
#define IV_CONFIG_H

#include "p2pendpoint.h"

G_BEGIN_DECLS

#define IV_CONFIG_ENV "IV_P2P_CONF"
#define IV_CONFIG_FILE "/etc/iv-p2p.conf"
#define IV_CONFIG_GROUP "p2p"

typedef struct
{
  P2pEndpointConfig endpoint; /* its texts belong to `file` */
  gchar *caps;                /* of what is sent */
  gboolean has_watermarks, has_keep_alive;
  gchar *name; /* of the file, for errors */
  gchar *text;
  GPtrArray *strings;
} IvConfig;

/* Reads and checks all that can be checked without the network. An error of
 * P2P_ENDPOINT_ERROR names file, line and key, never a secret; one of
 * G_FILE_ERROR says that there is no such file to read. */
IvConfig *iv_config_load (GError **error);
void iv_config_free (IvConfig *config);
/* Puts file and line in front of an error that begins with a key ("key: …"). */
void iv_config_locate (const IvConfig *config, GError **error);

G_END_DECLS

#endif /* IV_CONFIG_H */
