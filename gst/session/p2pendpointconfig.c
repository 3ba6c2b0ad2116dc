/* Settings of an endpoint: defaults, checks, and what happens when two elements
 * share one.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: any; the caller keeps others away from the structures.
 */
#include "p2pendpoint-private.h"

#include <string.h>

#define DEFAULT_LATENCY_MS 200
#define DEFAULT_MAX_VIEWERS 16
#define DEFAULT_KEEP_ALIVE_S 10
#define DEFAULT_KEEP_ALIVE_ATTEMPTS 3
#define DEFAULT_LOW (200 * 1024)
#define DEFAULT_WARN 409600
#define DEFAULT_HIGH 512000
#define MAX_LATENCY_MS 60000
#define MAX_VIEWERS 256

GQuark
p2p_endpoint_error_quark (void)
{
  return g_quark_from_static_string ("p2p-endpoint-error-quark");
}

void
p2p_endpoint_config_init (P2pEndpointConfig *config)
{
  memset (config, 0, sizeof *config);
  config->latency_ms = DEFAULT_LATENCY_MS;
  config->max_viewers = DEFAULT_MAX_VIEWERS;
  config->keep_alive_interval_s = DEFAULT_KEEP_ALIVE_S;
  config->keep_alive_attempts = DEFAULT_KEEP_ALIVE_ATTEMPTS;
  config->low_watermark = DEFAULT_LOW;
  config->warn_watermark = DEFAULT_WARN;
  config->high_watermark = DEFAULT_HIGH;
}

static gboolean
settings_error (GError **error, const gchar *text)
{
  g_set_error_literal (error, P2P_ENDPOINT_ERROR, P2P_ENDPOINT_ERROR_SETTINGS,
                       text);
  return FALSE;
}

/* Makes another domain's error one of ours, with the property in front. */
static gboolean
take_error (GError **error, GError *from, const gchar *property)
{
  g_set_error (error, P2P_ENDPOINT_ERROR, P2P_ENDPOINT_ERROR_SETTINGS, "%s: %s",
               property, from->message);
  g_error_free (from);
  return FALSE;
}

static gboolean
check_marks (const P2pEndpointConfig *config, P2pEndpointError code,
             GError **error)
{
  IvWatermarkMarks marks = { config->low_watermark, config->warn_watermark,
                             config->high_watermark };
  IvWatermarkStatus status = iv_watermark_check (&marks);

  if (status == IV_WATERMARK_OK)
    return TRUE;
  g_set_error (error, P2P_ENDPOINT_ERROR, code,
               "low-watermark, warn-watermark, high-watermark: %s; those that "
               "are not 0 must rise in this order",
               iv_watermark_status_text (status));
  return FALSE;
}

static gboolean
check_numbers (const P2pEndpointConfig *config, GError **error)
{
  if (config->latency_ms > MAX_LATENCY_MS)
    return settings_error (error, "latency: more than 60000 ms");
  if (config->role == P2P_ROLE_DEVICE
      && (config->max_viewers < 1 || config->max_viewers > MAX_VIEWERS))
    return settings_error (error, "max-viewers: must be 1 to 256");
  return check_marks (config, P2P_ENDPOINT_ERROR_SETTINGS, error);
}

gboolean
p2p_config_check (const P2pEndpointConfig *config, GError **error)
{
  const gchar *signaller = config->signaller ? config->signaller : "lan://";
  gboolean key = config->key != NULL && config->key[0] != '\0';
  gboolean file = config->key_file != NULL && config->key_file[0] != '\0';
  GError *sub = NULL;
  P2pIceServers *servers;

  if (config->device_id == NULL || config->device_id[0] == '\0')
    return settings_error (error,
                           config->role == P2P_ROLE_DEVICE
                               ? "device-id: not set; give this device a name"
                               : "uri: not set; write p2p://DEVICE-ID");
  if (!p2p_device_id_check (config->device_id, &sub))
    return take_error (error, sub, "device-id");
  if (!key && !file)
    return settings_error (error, "key: not set; set key or key-file to the "
                                  "secret that device and viewer share");
  if (key && file)
    return settings_error (error, "key, key-file: both are set; set one");
  if (!p2p_signaller_check_uri (signaller, config->role, &sub))
    return take_error (error, sub, "signaller");
  servers
      = p2p_ice_servers_new (config->stun_server, config->turn_server, error);
  if (servers == NULL)
    return FALSE;
  if (config->relay_only && !p2p_ice_servers_has_relay (servers)) {
    p2p_ice_servers_free (servers);
    return settings_error (error, "ice-transport-policy: is relay, but no "
                                  "turn-server is set");
  }
  p2p_ice_servers_free (servers);
  return check_numbers (config, error);
}

static gchar *
copy_text (const gchar *text)
{
  return text != NULL && text[0] != '\0' ? g_strdup (text) : NULL;
}

void
p2p_config_copy (P2pEndpointConfig *to, const P2pEndpointConfig *from)
{
  *to = *from;
  to->device_id = g_strdup (from->device_id);
  /* The credential keeps the secret; no second copy. */
  to->key = NULL;
  to->key_file = NULL;
  to->signaller = g_strdup (from->signaller != NULL && from->signaller[0]
                                ? from->signaller
                                : "lan://");
  to->stun_server = copy_text (from->stun_server);
  to->turn_server = copy_text (from->turn_server);
}

void
p2p_config_clear (P2pEndpointConfig *config)
{
  g_free ((gchar *)config->device_id);
  g_free ((gchar *)config->signaller);
  g_free ((gchar *)config->stun_server);
  if (config->turn_server != NULL)
    memset ((gchar *)config->turn_server, 0, strlen (config->turn_server));
  g_free ((gchar *)config->turn_server);
}

/* -- Sharing --------------------------------------------------------------- */

static gboolean
conflict (GError **error, const gchar *property)
{
  g_set_error (error, P2P_ENDPOINT_ERROR, P2P_ENDPOINT_ERROR_CONFLICT,
               "%s: another element shares this session (same device, key and "
               "signaller) with a different value; set the same one on both",
               property);
  return FALSE;
}

static gboolean
same_text (const gchar *mine, const gchar *other)
{
  return other == NULL || other[0] == '\0' || g_strcmp0 (mine, other) == 0;
}

typedef struct
{
  const gchar *property;
  gsize offset;
} NumberSetting;

static const NumberSetting numbers[] = {
  { "max-viewers", G_STRUCT_OFFSET (P2pEndpointConfig, max_viewers) },
  { "keep-alive-interval",
    G_STRUCT_OFFSET (P2pEndpointConfig, keep_alive_interval_s) },
  { "keep-alive-attempts",
    G_STRUCT_OFFSET (P2pEndpointConfig, keep_alive_attempts) },
  { "low-watermark", G_STRUCT_OFFSET (P2pEndpointConfig, low_watermark) },
  { "warn-watermark", G_STRUCT_OFFSET (P2pEndpointConfig, warn_watermark) },
  { "high-watermark", G_STRUCT_OFFSET (P2pEndpointConfig, high_watermark) },
};

#define NUMBER(config, offset) G_STRUCT_MEMBER (guint, config, offset)

/* A value at its default says nothing: it is that of an element which has no
 * such property, or on which nobody set it. Servers and policy decide where
 * packets go and are taken from the first user. The greatest latency wins. */
gboolean
p2p_config_merge (P2pEndpointConfig *config, const P2pEndpointConfig *other,
                  GError **error)
{
  P2pEndpointConfig defaults, merged = *config;
  guint i;

  p2p_endpoint_config_init (&defaults);
  if (!same_text (config->stun_server, other->stun_server))
    return conflict (error, "stun-server");
  if (!same_text (config->turn_server, other->turn_server))
    return conflict (error, "turn-server");
  if (other->relay_only != config->relay_only)
    return conflict (error, "ice-transport-policy");
  for (i = 0; i < G_N_ELEMENTS (numbers); i++) {
    gsize offset = numbers[i].offset;
    guint mine = NUMBER (config, offset), theirs = NUMBER (other, offset);

    if (mine != theirs && theirs != NUMBER (&defaults, offset)
        && mine != NUMBER (&defaults, offset))
      return conflict (error, numbers[i].property);
  }
  for (i = 0; i < G_N_ELEMENTS (numbers); i++) {
    gsize offset = numbers[i].offset;

    if (NUMBER (other, offset) != NUMBER (&defaults, offset))
      NUMBER (&merged, offset) = NUMBER (other, offset);
  }
  /* Each may have set one of them. */
  if (!check_marks (&merged, P2P_ENDPOINT_ERROR_CONFLICT, error))
    return FALSE;
  for (i = 0; i < G_N_ELEMENTS (numbers); i++)
    g_atomic_int_set (
        (gint *)&NUMBER (config, numbers[i].offset),
        (gint)NUMBER (&merged, numbers[i].offset));
  config->latency_ms = MAX (config->latency_ms, other->latency_ms);
  return TRUE;
}
