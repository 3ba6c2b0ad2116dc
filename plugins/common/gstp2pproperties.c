/* What the elements' properties have in common.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Locks: see gstp2pproperties.h.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstp2pproperties.h"

#define MAX_KEEP_ALIVE_INTERVAL_S 3600
#define MAX_KEEP_ALIVE_ATTEMPTS 100

void
gst_p2p_secret_free (gchar *secret)
{
  volatile gchar *byte;

  for (byte = secret; byte != NULL && *byte != '\0'; byte++)
    *byte = '\0';
  g_free (secret);
}

/* -- Installing ------------------------------------------------------------ */

void
gst_p2p_install_string (GObjectClass *klass, guint id, const gchar *name,
                        const gchar *nick, const gchar *blurb,
                        GParamFlags flags)
{
  g_object_class_install_property (klass, id,
                                   g_param_spec_string (name, nick, blurb, NULL,
                                                        flags));
}

void
gst_p2p_install_uint (GObjectClass *klass, guint id, const gchar *name,
                      const gchar *nick, const gchar *blurb, guint min,
                      guint max, guint value)
{
  g_object_class_install_property (klass, id,
                                   g_param_spec_uint (name, nick, blurb, min,
                                                      max, value,
                                                      GST_P2P_SETTING));
}

void
gst_p2p_install_key (GObjectClass *klass, guint key_id, guint file_id,
                     const gchar *blurb)
{
  gst_p2p_install_string (klass, key_id, "key", "Key", blurb,
                          GST_P2P_SETTING_WRITABLE);
  gst_p2p_install_string (
      klass, file_id, "key-file", "Key File",
      "File whose first line is the key; nobody else may be able to read it",
      GST_P2P_SETTING_WRITABLE);
}

void
gst_p2p_install_keep_alive (GObjectClass *klass, guint interval_id,
                            guint default_interval_s, guint attempts_id)
{
  gst_p2p_install_uint (
      klass, interval_id, "keep-alive-interval", "Keep-alive Interval",
      "Seconds of silence before the peer is asked whether it is there; 0: "
      "never",
      0, MAX_KEEP_ALIVE_INTERVAL_S, default_interval_s);
  gst_p2p_install_uint (
      klass, attempts_id, "keep-alive-attempts", "Keep-alive Attempts",
      "Count of questions without an answer after which the peer is gone; 0: "
      "never",
      0, MAX_KEEP_ALIVE_ATTEMPTS, GST_P2P_KEEP_ALIVE_ATTEMPTS);
}

void
gst_p2p_install_stats (GObjectClass *klass, guint id, const gchar *blurb)
{
  g_object_class_install_property (klass, id,
                                   g_param_spec_boxed ("stats", "Statistics",
                                                       blurb,
                                                       GST_TYPE_STRUCTURE,
                                                       GST_P2P_READABLE));
}

/* -- Storing --------------------------------------------------------------- */

void
gst_p2p_take_string (gchar **member, const GValue *value)
{
  gst_p2p_secret_free (*member);
  *member = g_value_dup_string (value);
  /* An empty string in a launch line means "none". */
  if (*member != NULL && **member == '\0')
    g_clear_pointer (member, g_free);
}

static gchar *
find_name (GstElement *element, guint id)
{
  guint i, n;
  GParamSpec **specs
      = g_object_class_list_properties (G_OBJECT_GET_CLASS (element), &n);
  gchar *name = NULL;

  for (i = 0; i < n && name == NULL; i++) {
    if (specs[i]->owner_type == G_OBJECT_TYPE (element)
        && specs[i]->param_id == id)
      name = g_strdup (specs[i]->name);
  }
  g_free (specs);
  return name;
}

/* Whoever sets it would wait for its effect in vain. */
static void
tell_late (GstElement *element, guint id)
{
  gchar *name = find_name (element, id);

  GST_ELEMENT_WARNING (element, RESOURCE, SETTINGS,
                       ("\"%s\" stays as it was: it can be changed in NULL and "
                        "READY only",
                        GST_STR_NULL (name)),
                       (NULL));
  g_free (name);
}

gboolean
gst_p2p_store_setting (GstElement *element, GstP2pStoreFunc store,
                       gpointer settings, guint id, const GValue *value)
{
  gboolean late;

  GST_OBJECT_LOCK (element);
  late = GST_STATE (element) > GST_STATE_READY;
  if (!late)
    store (settings, id, value);
  GST_OBJECT_UNLOCK (element);
  if (late)
    tell_late (element, id);
  return !late;
}
