/* The properties that p2psink and p2psrc share.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lock: the element's OBJECT_LOCK protects its settings; it is never held while
 * an endpoint is acquired or a message posted.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <string.h>
#include "gstp2pproperties.h"
#include "gstp2psettings.h"

#define DEFAULT_LATENCY_MS 200
#define DEFAULT_MAX_VIEWERS 16
#define DEFAULT_LOW_WATERMARK 204800
#define DEFAULT_WARN_WATERMARK 409600
#define DEFAULT_HIGH_WATERMARK 512000

#define MAX_LATENCY_MS 60000
#define MAX_VIEWERS 256
#define MAX_WATERMARK (1u << 30)

GType
gst_p2p_ice_transport_policy_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { GST_P2P_ICE_TRANSPORT_POLICY_ALL, "Direct paths and the relay", "all" },
    { GST_P2P_ICE_TRANSPORT_POLICY_RELAY, "The relay only", "relay" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type)) {
    GType made = g_enum_register_static ("GstP2pIceTransportPolicy", values);

    gst_type_mark_as_plugin_api (made, 0);
    g_once_init_leave (&type, made);
  }
  return type;
}

void
gst_p2p_settings_init (GstP2pSettings *settings)
{
  memset (settings, 0, sizeof (*settings));
  settings->ice_transport_policy = GST_P2P_ICE_TRANSPORT_POLICY_ALL;
  settings->latency = DEFAULT_LATENCY_MS;
  settings->max_viewers = DEFAULT_MAX_VIEWERS;
  settings->low_watermark = DEFAULT_LOW_WATERMARK;
  settings->warn_watermark = DEFAULT_WARN_WATERMARK;
  settings->high_watermark = DEFAULT_HIGH_WATERMARK;
  settings->keep_alive_interval = GST_P2P_KEEP_ALIVE_INTERVAL_S;
  settings->keep_alive_attempts = GST_P2P_KEEP_ALIVE_ATTEMPTS;
}

void
gst_p2p_settings_clear (GstP2pSettings *settings)
{
  g_clear_pointer (&settings->device_id, g_free);
  g_clear_pointer (&settings->uri, g_free);
  g_clear_pointer (&settings->key, gst_p2p_secret_free);
  g_clear_pointer (&settings->key_file, g_free);
  g_clear_pointer (&settings->signaller, gst_p2p_secret_free);
  g_clear_pointer (&settings->stun_server, g_free);
  g_clear_pointer (&settings->turn_server, gst_p2p_secret_free);
}

static void
copy_settings (GstP2pSettings *settings, GstElement *element,
               GstP2pSettings *copy)
{
  GST_OBJECT_LOCK (element);
  *copy = *settings;
  copy->device_id = g_strdup (settings->device_id);
  copy->uri = g_strdup (settings->uri);
  copy->key = g_strdup (settings->key);
  copy->key_file = g_strdup (settings->key_file);
  copy->signaller = g_strdup (settings->signaller);
  copy->stun_server = g_strdup (settings->stun_server);
  copy->turn_server = g_strdup (settings->turn_server);
  settings->changed = FALSE;
  GST_OBJECT_UNLOCK (element);
}

/* -- Properties ------------------------------------------------------------ */

static void
install_limits (GObjectClass *klass)
{
  gst_p2p_install_uint (klass, GST_P2P_PROP_MAX_VIEWERS, "max-viewers",
                        "Most Viewers", "Count of peers served at one time", 1,
                        MAX_VIEWERS, DEFAULT_MAX_VIEWERS);
  gst_p2p_install_uint (klass, GST_P2P_PROP_LOW_WATERMARK, "low-watermark",
                        "Low Watermark",
                        "Bytes waiting for a viewer below which all is well "
                        "again",
                        0, MAX_WATERMARK, DEFAULT_LOW_WATERMARK);
  gst_p2p_install_uint (klass, GST_P2P_PROP_WARN_WATERMARK, "warn-watermark",
                        "Warn Watermark",
                        "Bytes waiting for a viewer above which it falls "
                        "behind",
                        0, MAX_WATERMARK, DEFAULT_WARN_WATERMARK);
  gst_p2p_install_uint (klass, GST_P2P_PROP_HIGH_WATERMARK, "high-watermark",
                        "High Watermark",
                        "Bytes waiting for a viewer above which no more is "
                        "taken for it",
                        0, MAX_WATERMARK, DEFAULT_HIGH_WATERMARK);
}

void
gst_p2p_settings_install (GObjectClass *klass, gboolean sink)
{
  gst_p2p_install_string (klass, GST_P2P_PROP_DEVICE_ID, "device-id",
                          "Device Id",
                          "Be this device: 1 to 64 of A-Z a-z 0-9 . _ -",
                          GST_P2P_SETTING);
  gst_p2p_install_string (
      klass, GST_P2P_PROP_URI, "uri", "URI",
      "p2p://DEVICE-ID?PARAMS: be a viewer of this device; PARAMS, for "
      "example action=live&channel=0, is what is asked of it",
      GST_P2P_SETTING);
  gst_p2p_install_key (klass, GST_P2P_PROP_KEY, GST_P2P_PROP_KEY_FILE,
                       "Secret that device and viewer share, 12 bytes or more");
  gst_p2p_install_string (
      klass, GST_P2P_PROP_SIGNALLER, "signaller", "Signaller",
      "Where the two find each other: lan:// (used when unset), "
      "tcp://host:port, mqtt://[user:pass@]host:port, mqtts://…",
      GST_P2P_SETTING);
  gst_p2p_install_string (klass, GST_P2P_PROP_STUN_SERVER, "stun-server",
                          "STUN Server", "stun://host:port; none when unset",
                          GST_P2P_SETTING);
  gst_p2p_install_string (
      klass, GST_P2P_PROP_TURN_SERVER, "turn-server", "TURN Server",
      "turn://user:pass@host:port?transport=udp or tcp; none "
      "when unset",
      GST_P2P_SETTING);
  g_object_class_install_property (
      klass, GST_P2P_PROP_ICE_TRANSPORT_POLICY,
      g_param_spec_enum ("ice-transport-policy", "ICE Transport Policy",
                         "Which paths may be used",
                         GST_TYPE_P2P_ICE_TRANSPORT_POLICY,
                         GST_P2P_ICE_TRANSPORT_POLICY_ALL, GST_P2P_SETTING));
  if (sink)
    install_limits (klass);
  else
    gst_p2p_install_uint (
        klass, GST_P2P_PROP_LATENCY, "latency", "Latency",
        "Milliseconds for jitter and repairs, reported to the pipeline and "
        "announced to the sender",
        0, MAX_LATENCY_MS, DEFAULT_LATENCY_MS);
  gst_p2p_install_keep_alive (klass, GST_P2P_PROP_KEEP_ALIVE_INTERVAL,
                              GST_P2P_KEEP_ALIVE_INTERVAL_S,
                              GST_P2P_PROP_KEEP_ALIVE_ATTEMPTS);
}

static gchar **
string_member (GstP2pSettings *settings, guint id)
{
  switch (id) {
    case GST_P2P_PROP_DEVICE_ID:
      return &settings->device_id;
    case GST_P2P_PROP_URI:
      return &settings->uri;
    case GST_P2P_PROP_KEY:
      return &settings->key;
    case GST_P2P_PROP_KEY_FILE:
      return &settings->key_file;
    case GST_P2P_PROP_SIGNALLER:
      return &settings->signaller;
    case GST_P2P_PROP_STUN_SERVER:
      return &settings->stun_server;
    case GST_P2P_PROP_TURN_SERVER:
      return &settings->turn_server;
    default:
      return NULL;
  }
}

static guint *
uint_member (GstP2pSettings *settings, guint id)
{
  switch (id) {
    case GST_P2P_PROP_LATENCY:
      return &settings->latency;
    case GST_P2P_PROP_MAX_VIEWERS:
      return &settings->max_viewers;
    case GST_P2P_PROP_LOW_WATERMARK:
      return &settings->low_watermark;
    case GST_P2P_PROP_WARN_WATERMARK:
      return &settings->warn_watermark;
    case GST_P2P_PROP_HIGH_WATERMARK:
      return &settings->high_watermark;
    case GST_P2P_PROP_KEEP_ALIVE_INTERVAL:
      return &settings->keep_alive_interval;
    case GST_P2P_PROP_KEEP_ALIVE_ATTEMPTS:
      return &settings->keep_alive_attempts;
    default:
      return NULL;
  }
}

static gboolean
is_mine (GstP2pSettings *settings, guint id)
{
  return string_member (settings, id) != NULL
         || uint_member (settings, id) != NULL
         || id == GST_P2P_PROP_ICE_TRANSPORT_POLICY;
}

static void
store (gpointer data, guint id, const GValue *value)
{
  GstP2pSettings *settings = data;
  gchar **text = string_member (settings, id);
  guint *number = uint_member (settings, id);

  if (text != NULL)
    gst_p2p_take_string (text, value);
  else if (number != NULL)
    *number = g_value_get_uint (value);
  else
    settings->ice_transport_policy = g_value_get_enum (value);
  settings->changed = TRUE;
}

gboolean
gst_p2p_settings_set_property (GstP2pSettings *settings, GstElement *element,
                               guint id, const GValue *value)
{
  if (!is_mine (settings, id))
    return FALSE;
  gst_p2p_store_setting (element, store, settings, id, value);
  return TRUE;
}

/* scheme://user:PASS@host becomes scheme://user@host: what is shown ends up in
 * logs and pipeline dumps. */
static gchar *
without_password (const gchar *uri)
{
  const gchar *user, *end, *at, *colon;

  if (uri == NULL)
    return NULL;
  user = strstr (uri, "://");
  if (user == NULL)
    return g_strdup (uri);
  user += 3;
  /* A careless password may itself contain an '@' or a '/'. */
  end = user + strcspn (user, "?");
  at = g_strrstr_len (user, end - user, "@");
  colon = at != NULL ? memchr (user, ':', at - user) : NULL;
  if (colon == NULL)
    return g_strdup (uri);
  return g_strdup_printf ("%.*s%s", (gint)(colon - uri), uri, at);
}

gboolean
gst_p2p_settings_get_property (GstP2pSettings *settings, GstElement *element,
                               guint id, GValue *value)
{
  gchar **text = string_member (settings, id);
  guint *number = uint_member (settings, id);

  if (!is_mine (settings, id))
    return FALSE;

  GST_OBJECT_LOCK (element);
  if (text != NULL)
    g_value_take_string (value, without_password (*text));
  else if (number != NULL)
    g_value_set_uint (value, *number);
  else
    g_value_set_enum (value, settings->ice_transport_policy);
  GST_OBJECT_UNLOCK (element);
  return TRUE;
}

/* -- Keys ------------------------------------------------------------------ */

/* The places where a key is looked for when neither key nor key-file is set, so
 * that a bare p2p://camera-1 works in any player. NULL: none has one. */
static gchar *
find_key_file (const gchar *device_id)
{
  const gchar *from_env = g_getenv ("P2P_KEY_FILE");
  gchar *name, *path;

  if (from_env != NULL && *from_env != '\0')
    return g_strdup (from_env);

  name = g_strconcat (device_id, ".key", NULL);
  path = g_build_filename (g_get_user_config_dir (), "iv-p2p", name, NULL);
  if (!g_file_test (path, G_FILE_TEST_EXISTS)) {
    g_free (path);
    path = g_build_filename ("/etc/iv-p2p", name, NULL);
    if (!g_file_test (path, G_FILE_TEST_EXISTS))
      g_clear_pointer (&path, g_free);
  }
  g_free (name);
  return path;
}

static gboolean
settle_key (GstP2pSettings *copy, const gchar *device_id, GError **error)
{
  if (copy->key != NULL && copy->key_file != NULL) {
    g_set_error (error, P2P_ENDPOINT_ERROR, P2P_ENDPOINT_ERROR_SETTINGS,
                 "Both \"key\" and \"key-file\" are set; set one of them");
    return FALSE;
  }
  if (copy->key != NULL || copy->key_file != NULL)
    return TRUE;
  copy->key_file = find_key_file (device_id);
  if (copy->key_file != NULL)
    return TRUE;
  g_set_error (
      error, P2P_ENDPOINT_ERROR, P2P_ENDPOINT_ERROR_SETTINGS,
      "No key for %s: set \"key-file\" (or \"key\"), or put the key into "
      "%s/iv-p2p/%s.key",
      device_id, g_get_user_config_dir (), device_id);
  return FALSE;
}

/* -- The endpoint ---------------------------------------------------------- */

/* Who names a device is a viewer of it, who has a name of its own is one. */
static gboolean
settle_identity (GstP2pSettings *copy, P2pRole *role, gchar **device_id,
                 gchar **params, GError **error)
{
  if (copy->device_id != NULL && copy->uri != NULL) {
    g_set_error (error, P2P_ENDPOINT_ERROR, P2P_ENDPOINT_ERROR_SETTINGS,
                 "Both \"device-id\" and \"uri\" are set: \"device-id\" to be "
                 "that device, \"uri\" to be a viewer of another; set one");
    return FALSE;
  }
  if (copy->device_id != NULL)
    *role = P2P_ROLE_DEVICE;
  else if (copy->uri != NULL)
    *role = P2P_ROLE_VIEWER;

  if (*role == P2P_ROLE_DEVICE) {
    if (copy->device_id == NULL) {
      g_set_error (
          error, P2P_ENDPOINT_ERROR, P2P_ENDPOINT_ERROR_SETTINGS,
          "No \"device-id\" is set: it is the name that viewers ask for");
      return FALSE;
    }
    if (!p2p_device_id_check (copy->device_id, error))
      return FALSE;
    *device_id = g_strdup (copy->device_id);
    return TRUE;
  }
  if (copy->uri == NULL) {
    g_set_error (error, P2P_ENDPOINT_ERROR, P2P_ENDPOINT_ERROR_SETTINGS,
                 "No \"uri\" is set: it names the device, as p2p://DEVICE-ID");
    return FALSE;
  }
  return gst_p2p_uri_parse (copy->uri, device_id, params, error);
}

static void
fill_config (const GstP2pSettings *copy, P2pRole role, const gchar *device_id,
             P2pEndpointConfig *config)
{
  const gchar *from_env = g_getenv ("P2P_SIGNALLER");

  p2p_endpoint_config_init (config);
  config->role = role;
  config->device_id = device_id;
  config->key = copy->key;
  config->key_file = copy->key_file;
  config->signaller = copy->signaller;
  if (config->signaller == NULL && from_env != NULL && *from_env != '\0')
    config->signaller = from_env;
  config->stun_server = copy->stun_server;
  config->turn_server = copy->turn_server;
  config->relay_only
      = copy->ice_transport_policy == GST_P2P_ICE_TRANSPORT_POLICY_RELAY;
  config->latency_ms = copy->latency;
  config->max_viewers = copy->max_viewers;
  config->keep_alive_interval_s = copy->keep_alive_interval;
  config->keep_alive_attempts = copy->keep_alive_attempts;
  config->low_watermark = copy->low_watermark;
  config->warn_watermark = copy->warn_watermark;
  config->high_watermark = copy->high_watermark;
}

static void
post_settings_error (GstElement *element, const GError *error)
{
  if (g_error_matches (error, P2P_ENDPOINT_ERROR, P2P_ENDPOINT_ERROR_SYSTEM))
    GST_ELEMENT_ERROR (element, LIBRARY, INIT, ("%s", error->message), (NULL));
  else
    GST_ELEMENT_ERROR (element, RESOURCE, SETTINGS, ("%s", error->message),
                       (NULL));
}

P2pEndpoint *
gst_p2p_settings_acquire (GstP2pSettings *settings, GstElement *element,
                          P2pRole *role, gchar **params)
{
  GstP2pSettings copy;
  P2pEndpointConfig config;
  P2pEndpoint *endpoint = NULL;
  gchar *device_id = NULL;
  GError *error = NULL;

  copy_settings (settings, element, &copy);
  if (settle_identity (&copy, role, &device_id, params, &error)
      && settle_key (&copy, device_id, &error)) {
    fill_config (&copy, *role, device_id, &config);
    endpoint = p2p_endpoint_acquire (&config, &error);
  }
  if (endpoint == NULL)
    post_settings_error (element, error);

  g_clear_error (&error);
  g_free (device_id);
  gst_p2p_settings_clear (&copy);
  return endpoint;
}
