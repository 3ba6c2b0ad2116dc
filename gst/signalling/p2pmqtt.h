/* mqtt:// and mqtts://: what the device's and the viewer's part share.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Mqtt (P2pSignaller.transport) belongs to the signaller from start to stop.
 * The two parts are tables of functions on it; both lose all their channels
 * with the broker.
 *
 * Threads: that of the signaller's context.
 */
#ifndef P2P_MQTT_H
#define P2P_MQTT_H

#include "p2plimit.h"
#include "p2pmqttclient.h"

G_BEGIN_DECLS

#define P2P_MQTT_PREFIX "ivp2p/"
#define P2P_MQTT_INSTANCE 16
/* Body of the presence: incarnation (of the connection), instance, epoch. */
#define P2P_MQTT_PRESENCE_BODY (8 + P2P_MQTT_INSTANCE + P2P_CHALLENGE_BYTES)
/* Body of the last will: incarnation, instance. */
#define P2P_MQTT_GONE_BODY (8 + P2P_MQTT_INSTANCE)
/* Channels a device has opened under one epoch. */
#define P2P_MQTT_EPOCH_CHANNELS 1024

/* The device's challenge to all who read its presence. */
typedef struct
{
  gboolean valid;
  guint8 challenge[P2P_CHALLENGE_BYTES];
  P2pSeen seen; /* channel ids used under it */
} P2pMqttEpoch;

typedef struct
{
  guint64 incarnation;
  guint8 instance[P2P_MQTT_INSTANCE];
  guint8 epoch[P2P_CHALLENGE_BYTES];
} P2pMqttPresence;

typedef struct _P2pMqtt P2pMqtt;

typedef struct
{
  void (*connected) (P2pMqtt *mqtt);
  void (*subscribed) (P2pMqtt *mqtt, gint number, gboolean ok);
  void (*message) (P2pMqtt *mqtt, const gchar *topic, const guint8 *data,
                   gsize len);
  void (*lost) (P2pMqtt *mqtt);
} P2pMqttPart;

extern const P2pMqttPart p2p_mqtt_device;
extern const P2pMqttPart p2p_mqtt_viewer;

struct _P2pMqtt
{
  P2pSignaller *signaller;
  const P2pMqttPart *part;
  P2pMqttClient *client;
  GSource *retry;
  gchar *base; /* of all topics of this credential */
  gchar *presence_topic;
  gchar *device_topic;   /* to the device: envelopes */
  gchar *query_topic;    /* between devices: is there another? */
  gchar *alive_topic;    /* there is */
  gchar *offline_detail; /* why there is no broker, for channels */
  gint subscription;
  guint8 instance[P2P_MQTT_INSTANCE];

  /* device */
  gboolean established;
  gboolean twin_present; /* someone else's presence is on the broker */
  guint64 incarnation;
  guint8 query_salt[P2P_BOX_SALT];
  GSource *echo_timer;    /* for the query to come back */
  GSource *twin_timer;    /* then, for the answer of a twin */
  P2pMqttEpoch epochs[2]; /* the current one, the one before */
  P2pBucket strangers;
  P2pBucket restores;     /* of the presence */
  GSource *restore_timer; /* one that was put off */
  P2pSeen queries;        /* answered */

  /* viewer */
  gboolean device_present;
  P2pMqttPresence device;
};

/* Ends the connection without touching the presence, says why, and tries again
 * with backoff. */
void p2p_mqtt_go_offline (P2pMqtt *mqtt, const gchar *reason,
                          const gchar *detail);
gchar *p2p_mqtt_viewer_topic (P2pMqtt *mqtt, const guint8 *channel_id);
gboolean p2p_mqtt_read_presence (P2pMqtt *mqtt, const guint8 *data, gsize len,
                                 P2pMqttPresence *presence);
/* A last will: fills in all but the epoch. */
gboolean p2p_mqtt_read_gone (P2pMqtt *mqtt, const guint8 *data, gsize len,
                             P2pMqttPresence *gone);
void p2p_mqtt_device_init (P2pMqtt *mqtt);
void p2p_mqtt_device_clear (P2pMqtt *mqtt);
void p2p_mqtt_viewer_open (P2pSignaller *signaller, P2pChannel *channel);

/* The transport state of a channel (P2pChannel.transport). */
typedef struct
{
  gchar *topic;      /* where the viewer listens; NULL: not yet */
  GSource *deadline; /* viewer: for the device to appear */
} P2pMqttChannel;

G_END_DECLS

#endif /* P2P_MQTT_H */
