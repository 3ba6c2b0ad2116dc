/* The properties that udtsink and udtsrc share, and what becomes of them.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: see gstudtsettings.h. gst_udt_settings_event() comes from the link's
 * thread; it posts messages and takes no lock across that.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstudtsettings.h"

#include <string.h>
#include "gstp2pproperties.h"
#include "udtauth.h"

/* Shorter than a session's: with no signalling to say so, it is how a caller
 * learns that the listener is another one by now. */
#define KEEP_ALIVE_INTERVAL_S 2

GType
gst_udt_mode_get_type (void)
{
  static gsize type;
  static const GEnumValue values[] = {
    { GST_UDT_MODE_CALLER, "Calls a listener", "caller" },
    { GST_UDT_MODE_LISTENER, "Waits for callers", "listener" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstUdtMode", values));
  return type;
}

void
gst_udt_settings_init (GstUdtSettings *settings)
{
  memset (settings, 0, sizeof (*settings));
  settings->keep_alive_interval = KEEP_ALIVE_INTERVAL_S;
  settings->keep_alive_attempts = GST_P2P_KEEP_ALIVE_ATTEMPTS;
}

void
gst_udt_settings_clear (GstUdtSettings *settings)
{
  g_clear_pointer (&settings->uri, g_free);
  g_clear_pointer (&settings->uri_error, g_free);
  g_clear_pointer (&settings->host, g_free);
  g_clear_pointer (&settings->local_address, g_free);
  g_clear_pointer (&settings->key, gst_p2p_secret_free);
  g_clear_pointer (&settings->key_file, g_free);
}

/* -- Properties ------------------------------------------------------------ */

static void
install_address (GObjectClass *klass)
{
  gst_p2p_install_string (
      klass, GST_UDT_PROP_URI, "uri", "URI",
      "udt://HOST:PORT[?mode=caller|listener&…]; a parameter is a property of "
      "that name. Without HOST: a listener on all addresses",
      GST_P2P_SETTING);
  g_object_class_install_property (
      klass, GST_UDT_PROP_MODE,
      g_param_spec_enum ("mode", "Mode", "Who begins", GST_TYPE_UDT_MODE,
                         GST_UDT_MODE_CALLER, GST_P2P_SETTING));
  gst_p2p_install_string (klass, GST_UDT_PROP_LOCAL_ADDRESS, "local-address",
                          "Local Address",
                          "Address that a caller sends from; any when unset",
                          GST_P2P_SETTING);
  gst_p2p_install_uint (klass, GST_UDT_PROP_LOCAL_PORT, "local-port",
                        "Local Port",
                        "UDP port that a caller sends from; 0: any", 0,
                        G_MAXUINT16, 0);
  g_object_class_install_property (
      klass, GST_UDT_PROP_BOUND_PORT,
      g_param_spec_uint ("bound-port", "Bound Port",
                         "UDP port in use; 0 before there is one", 0,
                         G_MAXUINT16, 0, GST_P2P_READABLE));
}

void
gst_udt_settings_install (GObjectClass *klass)
{
  install_address (klass);
  gst_p2p_install_key (klass, GST_UDT_PROP_KEY, GST_UDT_PROP_KEY_FILE,
                       "Secret that both ends share, 12 bytes or more");
  g_object_class_install_property (
      klass, GST_UDT_PROP_INSECURE,
      g_param_spec_boolean (
          "insecure", "Insecure",
          "Without a key: anybody can read and alter the stream, call and be "
          "called",
          FALSE, GST_P2P_SETTING));
  gst_p2p_install_keep_alive (klass, GST_UDT_PROP_KEEP_ALIVE_INTERVAL,
                              KEEP_ALIVE_INTERVAL_S,
                              GST_UDT_PROP_KEEP_ALIVE_ATTEMPTS);
  gst_p2p_install_stats (
      klass, GST_UDT_PROP_STATS,
      "Of the socket, and one structure per peer; units are in the names");
}

static gchar **
string_member (GstUdtSettings *settings, guint id)
{
  switch (id) {
    case GST_UDT_PROP_LOCAL_ADDRESS:
      return &settings->local_address;
    case GST_UDT_PROP_KEY:
      return &settings->key;
    case GST_UDT_PROP_KEY_FILE:
      return &settings->key_file;
    default:
      return NULL;
  }
}

static guint *
uint_member (GstUdtSettings *settings, guint id)
{
  switch (id) {
    case GST_UDT_PROP_LOCAL_PORT:
      return &settings->local_port;
    case GST_UDT_PROP_KEEP_ALIVE_INTERVAL:
      return &settings->keep_alive_interval;
    case GST_UDT_PROP_KEEP_ALIVE_ATTEMPTS:
      return &settings->keep_alive_attempts;
    default:
      return NULL;
  }
}

static void
store (gpointer data, guint id, const GValue *value)
{
  GstUdtSettings *settings = data;
  gchar **text = string_member (settings, id);
  guint *number = uint_member (settings, id);

  if (text != NULL) {
    gst_p2p_take_string (text, value);
  } else if (number != NULL) {
    *number = g_value_get_uint (value);
  } else if (id == GST_UDT_PROP_MODE) {
    settings->mode = g_value_get_enum (value);
    settings->mode_given = TRUE;
  } else if (id == GST_UDT_PROP_INSECURE) {
    settings->insecure = g_value_get_boolean (value);
  }
  settings->changed = TRUE;
}

gboolean
gst_udt_settings_set_property (GstUdtSettings *settings, GstElement *element,
                               guint id, const GValue *value)
{
  GError *error = NULL;

  if (id >= GST_UDT_PROP_OWN)
    return FALSE;
  if (!gst_p2p_store_setting (element, store, settings, id, value)
      || id != GST_UDT_PROP_URI)
    return TRUE;
  if (!gst_udt_settings_set_uri (settings, element, g_value_get_string (value),
                                 &error)) {
    /* An error when the element is started. */
    GST_WARNING_OBJECT (element, "%s", error->message);
    GST_OBJECT_LOCK (element);
    g_free (settings->uri_error);
    settings->uri_error = g_strdup (error->message);
    GST_OBJECT_UNLOCK (element);
    g_error_free (error);
  }
  return TRUE;
}

static void
get_from_link (GstUdtSettings *settings, GstElement *element, guint id,
               GValue *value)
{
  UdtLinkStats *stats = NULL;

  GST_OBJECT_LOCK (element);
  if (id == GST_UDT_PROP_BOUND_PORT)
    g_value_set_uint (value, settings->link != NULL
                                 ? udt_link_get_port (settings->link)
                                 : 0);
  else if (settings->link != NULL)
    stats = udt_link_get_stats (settings->link);
  GST_OBJECT_UNLOCK (element);
  if (id == GST_UDT_PROP_STATS)
    g_value_take_boxed (value, gst_udt_stats_to_structure (stats));
  udt_link_stats_free (stats);
}

gboolean
gst_udt_settings_get_property (GstUdtSettings *settings, GstElement *element,
                               guint id, GValue *value)
{
  guint *number = uint_member (settings, id);

  if (id >= GST_UDT_PROP_OWN)
    return FALSE;
  if (id == GST_UDT_PROP_STATS || id == GST_UDT_PROP_BOUND_PORT) {
    get_from_link (settings, element, id, value);
    return TRUE;
  }
  GST_OBJECT_LOCK (element);
  if (id == GST_UDT_PROP_URI)
    g_value_set_string (value, settings->uri);
  else if (id == GST_UDT_PROP_LOCAL_ADDRESS)
    g_value_set_string (value, settings->local_address);
  else if (number != NULL)
    g_value_set_uint (value, *number);
  else if (id == GST_UDT_PROP_MODE)
    g_value_set_enum (value, settings->mode);
  else if (id == GST_UDT_PROP_INSECURE)
    g_value_set_boolean (value, settings->insecure);
  GST_OBJECT_UNLOCK (element);
  return TRUE;
}

/* -- The link -------------------------------------------------------------- */

/* Lock held. FALSE: `error` is set. `credential` NULL: insecure. */
static gboolean
settle_key (GstUdtSettings *settings, P2pCredential **credential,
            GError **error)
{
  gboolean have_key = settings->key != NULL || settings->key_file != NULL;
  const gchar *wrong = NULL;

  if (settings->key != NULL && settings->key_file != NULL)
    wrong = "Both \"key\" and \"key-file\" are set; set one of them";
  else if (have_key && settings->insecure)
    wrong = "A key is set, and \"insecure\" too: which one is meant?";
  else if (!have_key && !settings->insecure)
    wrong
        = "No key is set: set \"key-file\" (or \"key\") to the secret that "
          "both ends share, or \"insecure=true\" to do without any protection";
  if (wrong != NULL) {
    g_set_error_literal (error, UDT_LINK_ERROR, UDT_LINK_ERROR_SETTINGS, wrong);
    return FALSE;
  }
  *credential = NULL;
  if (!have_key)
    return TRUE;
  *credential = p2p_credential_new (UDT_AUTH_DEVICE_ID, settings->key,
                                    settings->key_file, error);
  return *credential != NULL;
}

static void
post_settings_error (GstElement *element, const GError *error)
{
  if (g_error_matches (error, UDT_LINK_ERROR, UDT_LINK_ERROR_SYSTEM))
    GST_ELEMENT_ERROR (element, LIBRARY, INIT, ("%s", error->message), (NULL));
  else if (g_error_matches (error, UDT_LINK_ERROR, UDT_LINK_ERROR_ADDRESS))
    GST_ELEMENT_ERROR (element, RESOURCE, BUSY, ("%s", error->message), (NULL));
  else
    GST_ELEMENT_ERROR (element, RESOURCE, SETTINGS, ("%s", error->message),
                       (NULL));
}

gboolean
gst_udt_settings_make_link (GstUdtSettings *settings, GstElement *element,
                            UdtLinkConfig *config,
                            const UdtLinkCallbacks *callbacks)
{
  UdtLink *link = NULL;
  GError *error = NULL;

  if (settings->link != NULL)
    return TRUE;
  GST_OBJECT_LOCK (element);
  if (settings->uri_error != NULL) {
    g_set_error (&error, UDT_LINK_ERROR, UDT_LINK_ERROR_SETTINGS, "uri: %s",
                 settings->uri_error);
  } else if (settings->uri == NULL) {
    g_set_error (&error, UDT_LINK_ERROR, UDT_LINK_ERROR_SETTINGS,
                 "No \"uri\" is set: udt://HOST:PORT to call, "
                 "udt://:PORT?mode=listener to be called");
  } else if (settle_key (settings, &config->credential, &error)) {
    config->listener = settings->mode == GST_UDT_MODE_LISTENER;
    config->host = settings->host;
    config->port = settings->port;
    if (config->listener && config->port == 0)
      config->port = settings->same_port;
    config->local_host = settings->local_address;
    config->local_port = settings->local_port;
    config->keep_alive_interval_s = settings->keep_alive_interval;
    config->keep_alive_attempts = settings->keep_alive_attempts;
    link = udt_link_new (config, callbacks, element, &error);
    if (config->credential != NULL)
      p2p_credential_unref (config->credential);
  }
  settings->link = link;
  settings->changed = settings->trouble_told = settings->was_connected = FALSE;
  GST_OBJECT_UNLOCK (element);
  if (link == NULL) {
    post_settings_error (element, error);
    g_error_free (error);
  }
  return link != NULL;
}

gboolean
gst_udt_settings_start_link (GstUdtSettings *settings, GstElement *element)
{
  GError *error = NULL;
  gboolean insecure;

  if (!udt_link_start (settings->link, &error)) {
    post_settings_error (element, error);
    g_error_free (error);
    return FALSE;
  }
  GST_OBJECT_LOCK (element);
  insecure = settings->insecure;
  GST_OBJECT_UNLOCK (element);
  if (insecure)
    GST_ELEMENT_WARNING (
        element, RESOURCE, SETTINGS,
        ("This stream is not protected: anybody on the way can read and alter "
         "it"),
        ("insecure=true; set \"key-file\" on both ends instead"));
  return TRUE;
}

void
gst_udt_settings_stop_link (GstUdtSettings *settings, GstElement *element)
{
  UdtLink *link;

  GST_OBJECT_LOCK (element);
  link = g_steal_pointer (&settings->link);
  GST_OBJECT_UNLOCK (element);
  if (link != NULL)
    udt_link_stop (link);
}

gboolean
gst_udt_settings_remake_link (GstUdtSettings *settings, GstElement *element,
                              gboolean (*make_link) (GstElement *element))
{
  gboolean ok;

  if (settings->link != NULL)
    settings->same_port = udt_link_get_port (settings->link);
  gst_udt_settings_stop_link (settings, element);
  ok = make_link (element);
  settings->same_port = 0;
  return ok;
}

gboolean
gst_udt_settings_renew_link (GstUdtSettings *settings, GstElement *element,
                             gboolean (*make_link) (GstElement *element))
{
  return gst_udt_settings_remake_link (settings, element, make_link)
         && gst_udt_settings_start_link (settings, element);
}

GstStateChangeReturn
gst_udt_settings_change_state (GstUdtSettings *settings, GstElement *element,
                               GstStateChange transition, gpointer parent_class,
                               gboolean (*make_link) (GstElement *element))
{
  GstStateChangeReturn result;

  /* What is wrong with the settings shows here. */
  if (transition == GST_STATE_CHANGE_NULL_TO_READY && !make_link (element))
    return GST_STATE_CHANGE_FAILURE;
  result = GST_ELEMENT_CLASS (parent_class)->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_READY_TO_NULL)
    gst_udt_settings_stop_link (settings, element);
  return result;
}

/* -- What the link tells --------------------------------------------------- */

static const gchar *
status_name (UdtLinkEventType type)
{
  switch (type) {
    case UDT_LINK_CONNECTED:
      return "connected";
    case UDT_LINK_DISCONNECTED:
      return "disconnected";
    case UDT_LINK_FAILED:
      return "failed";
    case UDT_LINK_REJECTED:
      return "rejected";
    case UDT_LINK_REFUSED:
      return "refused";
  }
  return "unknown";
}

static void
post_connection (GstElement *element, const UdtLinkEvent *event)
{
  GstStructure *structure
      = gst_structure_new ("udt-connection", "status", G_TYPE_STRING,
                           status_name (event->type), "peer", G_TYPE_STRING,
                           event->peer != NULL ? event->peer : "", NULL);

  if (event->reason != NULL)
    gst_structure_set (structure, "reason", G_TYPE_STRING, event->reason, NULL);
  if (event->detail != NULL)
    gst_structure_set (structure, "detail", G_TYPE_STRING, event->detail, NULL);
  gst_element_post_message (element,
                            gst_message_new_element (GST_OBJECT_CAST (element),
                                                     structure));
}

static const gchar *
explain (const UdtLinkEvent *event)
{
  return event->detail != NULL ? event->detail : event->reason;
}

void
gst_udt_settings_event (GstUdtSettings *settings, GstElement *element,
                        const UdtLinkEvent *event)
{
  gboolean failed, warn;

  failed = event->type == UDT_LINK_FAILED || event->type == UDT_LINK_REFUSED;
  post_connection (element, event);
  GST_OBJECT_LOCK (element);
  if (event->type == UDT_LINK_CONNECTED)
    settings->trouble_told = FALSE;
  warn = failed && !settings->trouble_told;
  settings->trouble_told |= failed;
  GST_OBJECT_UNLOCK (element);

  if (failed && event->final)
    GST_ELEMENT_ERROR (element, RESOURCE, NOT_AUTHORIZED,
                       ("No connection to %s: %s", event->peer,
                        explain (event)),
                       ("reason %s; it is not tried again", event->reason));
  else if (warn)
    /* Once an outage; the attempts that follow are element messages. */
    GST_ELEMENT_WARNING (element, RESOURCE, OPEN_READ_WRITE,
                         ("No connection to %s: %s", event->peer,
                          explain (event)),
                         ("reason %s; it is tried again until it works",
                          event->reason));
}

/* -- Caps ------------------------------------------------------------------ */

P2pWireKind
gst_udt_kind_of_caps (GstCaps *caps)
{
  static const gchar *const video[]
      = { "video/x-h264", "video/x-h265", "video/x-vp8", "video/x-vp9",
          "video/x-av1",  "image/jpeg",   "video/x-raw" };
  static const gchar *const audio[]
      = { "audio/mpeg", "audio/x-opus", "audio/x-alaw", "audio/x-mulaw",
          "audio/x-raw" };
  const gchar *name;
  guint i;

  if (caps == NULL || gst_caps_is_any (caps) || gst_caps_is_empty (caps))
    return P2P_WIRE_DATA;
  name = gst_structure_get_name (gst_caps_get_structure (caps, 0));
  for (i = 0; i < G_N_ELEMENTS (video); i++)
    if (g_str_equal (name, video[i]))
      return P2P_WIRE_VIDEO;
  for (i = 0; i < G_N_ELEMENTS (audio); i++)
    if (g_str_equal (name, audio[i]))
      return P2P_WIRE_AUDIO;
  return P2P_WIRE_DATA;
}
