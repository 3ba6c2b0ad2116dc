/* The properties that udtsink and udtsrc share, and what becomes of them.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A GstUdtSettings belongs to one element and is protected by that element's
 * OBJECT_LOCK, which the functions here take themselves. Values are judged when
 * the element goes from NULL to READY, so that a wrong one fails there, with a
 * text that says which and why.
 */
#ifndef GST_UDT_SETTINGS_H
#define GST_UDT_SETTINGS_H

#include <gst/gst.h>
#include "udtlink.h"

G_BEGIN_DECLS

typedef enum {
  GST_UDT_MODE_CALLER,
  GST_UDT_MODE_LISTENER,
} GstUdtMode;

#define GST_TYPE_UDT_MODE (gst_udt_mode_get_type ())
GType gst_udt_mode_get_type (void);

/* Property ids; an element's own begin at GST_UDT_PROP_OWN. */
enum {
  GST_UDT_PROP_URI = 1,
  GST_UDT_PROP_MODE,
  GST_UDT_PROP_LOCAL_ADDRESS,
  GST_UDT_PROP_LOCAL_PORT,
  GST_UDT_PROP_BOUND_PORT,
  GST_UDT_PROP_KEY,
  GST_UDT_PROP_KEY_FILE,
  GST_UDT_PROP_INSECURE,
  GST_UDT_PROP_KEEP_ALIVE_INTERVAL,
  GST_UDT_PROP_KEEP_ALIVE_ATTEMPTS,
  GST_UDT_PROP_STATS,
  GST_UDT_PROP_OWN
};

typedef struct
{
  gchar *uri;       /* as it was given */
  gchar *uri_error; /* what was wrong with the last one, or NULL */
  gchar *host;      /* of it, or NULL */
  guint port;
  GstUdtMode mode;
  gboolean mode_given; /* by the property, not by the URI */
  gchar *local_address;
  guint local_port;
  guint same_port; /* of the link before, which a new one is to have */
  gchar *key;
  gchar *key_file;
  gboolean insecure;
  guint keep_alive_interval; /* s */
  guint keep_alive_attempts;
  gboolean changed;      /* since the link was made */
  gboolean trouble_told; /* once an outage */
  gboolean was_connected;
  UdtLink *link; /* from READY on; set in state changes, so that the
                    streaming thread need not lock */
} GstUdtSettings;

void gst_udt_settings_init (GstUdtSettings *settings);
void gst_udt_settings_clear (GstUdtSettings *settings);
void gst_udt_settings_install (GObjectClass *klass);

/* FALSE: not one of the shared properties. */
gboolean gst_udt_settings_set_property (GstUdtSettings *settings,
                                        GstElement *element, guint id,
                                        const GValue *value);
gboolean gst_udt_settings_get_property (GstUdtSettings *settings,
                                        GstElement *element, guint id,
                                        GValue *value);

/* udt://[HOST]:PORT[?PARAM=VALUE&…]; parameters are properties of `element`,
 * and are set. FALSE: nothing was changed. */
gboolean gst_udt_settings_set_uri (GstUdtSettings *settings,
                                   GstElement *element, const gchar *uri,
                                   GError **error);
void gst_udt_uri_handler_init (gpointer iface, gpointer unused);

/* Judges the settings and makes the link, not started, unless there is one. The
 * caller fills in what of `config` is its own. FALSE: an error has been posted.
 */
gboolean gst_udt_settings_make_link (GstUdtSettings *settings,
                                     GstElement *element, UdtLinkConfig *config,
                                     const UdtLinkCallbacks *callbacks);
/* Starts it; posts what the user has to know. */
gboolean gst_udt_settings_start_link (GstUdtSettings *settings,
                                      GstElement *element);
/* A new link in place of the one that there may be, at the port of that one
 * where any will do: the application may have told it to others. */
gboolean gst_udt_settings_remake_link (GstUdtSettings *settings,
                                       GstElement *element,
                                       gboolean (*make_link) (GstElement *));
/* The same, started. */
gboolean gst_udt_settings_renew_link (GstUdtSettings *settings,
                                      GstElement *element,
                                      gboolean (*make_link) (GstElement *));
/* If there is one. */
void gst_udt_settings_stop_link (GstUdtSettings *settings, GstElement *element);
/* An element's change_state(). `make_link` calls the above. */
GstStateChangeReturn
gst_udt_settings_change_state (GstUdtSettings *settings, GstElement *element,
                               GstStateChange transition, gpointer parent_class,
                               gboolean (*make_link) (GstElement *element));

/* Messages and errors for what a link tells. */
void gst_udt_settings_event (GstUdtSettings *settings, GstElement *element,
                             const UdtLinkEvent *event);

/* How a stream of these caps is treated; NULL: of none. */
P2pWireKind gst_udt_kind_of_caps (GstCaps *caps);

GstStructure *gst_udt_stats_to_structure (const UdtLinkStats *stats);

/* Each element has one; gst_udt_settings_*() find it by this. */
GstUdtSettings *gst_udt_settings_of (GstElement *element);

G_END_DECLS

#endif /* GST_UDT_SETTINGS_H */
