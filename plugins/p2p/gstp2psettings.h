/* The properties that p2psink and p2psrc share, and what becomes of them.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A GstP2pSettings belongs to one element and is protected by that element's
 * OBJECT_LOCK, which the functions here take themselves. Values are kept as
 * they were given and judged when the element goes from NULL to READY, so that
 * a wrong one fails there, with a text that says which and why.
 */
#ifndef GST_P2P_SETTINGS_H
#define GST_P2P_SETTINGS_H

#include <gst/gst.h>
#include "p2pendpoint.h"

G_BEGIN_DECLS

typedef enum {
  GST_P2P_ICE_TRANSPORT_POLICY_ALL,
  GST_P2P_ICE_TRANSPORT_POLICY_RELAY,
} GstP2pIceTransportPolicy;

#define GST_TYPE_P2P_ICE_TRANSPORT_POLICY                                      \
  (gst_p2p_ice_transport_policy_get_type ())
GType gst_p2p_ice_transport_policy_get_type (void);

/* Property ids; an element's own begin at GST_P2P_PROP_OWN. */
enum {
  GST_P2P_PROP_DEVICE_ID = 1,
  GST_P2P_PROP_URI,
  GST_P2P_PROP_KEY,
  GST_P2P_PROP_KEY_FILE,
  GST_P2P_PROP_SIGNALLER,
  GST_P2P_PROP_STUN_SERVER,
  GST_P2P_PROP_TURN_SERVER,
  GST_P2P_PROP_ICE_TRANSPORT_POLICY,
  GST_P2P_PROP_LATENCY,
  GST_P2P_PROP_MAX_VIEWERS,
  GST_P2P_PROP_LOW_WATERMARK,
  GST_P2P_PROP_WARN_WATERMARK,
  GST_P2P_PROP_HIGH_WATERMARK,
  GST_P2P_PROP_KEEP_ALIVE_INTERVAL,
  GST_P2P_PROP_KEEP_ALIVE_ATTEMPTS,
  GST_P2P_PROP_OWN
};

typedef struct
{
  gchar *device_id;
  gchar *uri;
  gchar *key;
  gchar *key_file;
  gchar *signaller;
  gchar *stun_server;
  gchar *turn_server;
  GstP2pIceTransportPolicy ice_transport_policy;
  guint latency; /* ms */
  guint max_viewers;
  guint low_watermark, warn_watermark, high_watermark; /* bytes */
  guint keep_alive_interval;                           /* s */
  guint keep_alive_attempts;
  gboolean changed; /* since the endpoint was acquired */
} GstP2pSettings;

void gst_p2p_settings_init (GstP2pSettings *settings);
void gst_p2p_settings_clear (GstP2pSettings *settings);

/* Installs the shared properties; `sink`: with p2psink's own limits, else with
 * p2psrc's latency. */
void gst_p2p_settings_install (GObjectClass *klass, gboolean sink);

/* FALSE: not one of the shared properties. A change above READY is ignored
 * with a warning. */
gboolean gst_p2p_settings_set_property (GstP2pSettings *settings,
                                        GstElement *element, guint id,
                                        const GValue *value);
/* Passwords inside values are left out. */
gboolean gst_p2p_settings_get_property (GstP2pSettings *settings,
                                        GstElement *element, guint id,
                                        GValue *value);

/* p2p://DEVICE-ID?PARAMS. `device_id` and `params` may be NULL: check only.
 * PARAMS comes back as it stands, "" if there is none. */
gboolean gst_p2p_uri_parse (const gchar *uri, gchar **device_id, gchar **params,
                            GError **error);
/* `params` may be NULL. */
gchar *gst_p2p_uri_build (const gchar *device_id, const gchar *params);
/* One string field for each parameter, unescaped, and `params`: all of them as
 * they came. */
GstStructure *gst_p2p_params_to_structure (const gchar *params);

/* Judges the settings and finds or makes the endpoint. NULL: an error has been
 * posted. `role`: what is missing if neither device-id nor uri is set; then
 * what the one that is set makes of the element. `params`: of the URI, to be
 * freed, or left alone. */
P2pEndpoint *gst_p2p_settings_acquire (GstP2pSettings *settings,
                                       GstElement *element, P2pRole *role,
                                       gchar **params);

G_END_DECLS

#endif /* GST_P2P_SETTINGS_H */
