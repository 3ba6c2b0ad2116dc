/* What the elements' properties have in common: settings, which can be changed
 * in NULL and READY only, and secrets.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Functions without state; each takes the locks that it says.
 */
#ifndef GST_P2P_PROPERTIES_H
#define GST_P2P_PROPERTIES_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_P2P_SETTING_WRITABLE                                               \
  (G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)
#define GST_P2P_SETTING (G_PARAM_READABLE | GST_P2P_SETTING_WRITABLE)
#define GST_P2P_READABLE (G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)

#define GST_P2P_KEEP_ALIVE_INTERVAL_S 10
#define GST_P2P_KEEP_ALIVE_ATTEMPTS 3

/* Secrets do not stay in memory that is given back. Accepts NULL. */
void gst_p2p_secret_free (gchar *secret);

void gst_p2p_install_string (GObjectClass *klass, guint id, const gchar *name,
                             const gchar *nick, const gchar *blurb,
                             GParamFlags flags);
void gst_p2p_install_uint (GObjectClass *klass, guint id, const gchar *name,
                           const gchar *nick, const gchar *blurb, guint min,
                           guint max, guint value);
/* key, which `blurb` describes, and key-file. */
void gst_p2p_install_key (GObjectClass *klass, guint key_id, guint file_id,
                          const gchar *blurb);
void gst_p2p_install_keep_alive (GObjectClass *klass, guint interval_id,
                                 guint default_interval_s, guint attempts_id);
void gst_p2p_install_stats (GObjectClass *klass, guint id, const gchar *blurb);

/* Replaces a string, as a secret; an empty one means "none". */
void gst_p2p_take_string (gchar **member, const GValue *value);

/* Calls `store` under the element's OBJECT_LOCK, or warns: above READY a
 * setting stays as it was, and FALSE is returned. */
typedef void (*GstP2pStoreFunc) (gpointer settings, guint id,
                                 const GValue *value);
gboolean gst_p2p_store_setting (GstElement *element, GstP2pStoreFunc store,
                                gpointer settings, guint id,
                                const GValue *value);

G_END_DECLS

#endif /* GST_P2P_PROPERTIES_H */
