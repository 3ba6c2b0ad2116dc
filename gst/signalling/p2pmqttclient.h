/* One connection to an MQTT broker, by libmosquitto, without a thread and
 * without blocking.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The name is resolved first, by GResolver, and libmosquitto is given numeric
 * addresses only, so that its own blocking look-up has nothing to do. Its
 * socket is watched by a source of the context. TLS is checked against the name
 * all the same: the client brings its own SSL_CTX.
 *
 * Threads: that of the context. Callbacks come from its sources only, never
 * from within a call, and any of them may free the client; none comes after
 * free(). A client connects once: after lost() make another.
 */
#ifndef P2P_MQTT_CLIENT_H
#define P2P_MQTT_CLIENT_H

#include "p2psignalpriv.h"

G_BEGIN_DECLS

#define P2P_MQTT_KEEPALIVE_S 20

typedef struct _P2pMqttClient P2pMqttClient;

typedef struct
{
  void (*connected) (gpointer user);
  /* All topics of the subscription with this number, unless `ok` is FALSE. */
  void (*subscribed) (gint number, gboolean ok, gpointer user);
  void (*message) (const gchar *topic, const guint8 *data, gsize len,
                   gpointer user);
  void (*lost) (const gchar *reason, const gchar *detail, gpointer user);
} P2pMqttCallbacks;

/* `will_topic` (NULL: none) gets `will` as a retained message when the connection
 * ends without free(), and at times in spite of it: a goodbye can be lost. */
P2pMqttClient *p2p_mqtt_client_new (P2pSignaller *signaller,
                                    const gchar *client_id,
                                    const gchar *will_topic, GBytes *will,
                                    const P2pMqttCallbacks *callbacks,
                                    gpointer user);
/* Says goodbye if that takes no time. */
void p2p_mqtt_client_free (P2pMqttClient *client);

/* FALSE: what it sends goes nowhere, as this host has another address now. */
gboolean p2p_mqtt_client_is_at_home (P2pMqttClient *client);

gboolean p2p_mqtt_client_publish (P2pMqttClient *client, const gchar *topic,
                                  gconstpointer data, gsize len,
                                  gboolean retain);
/* A number for subscribed(); 0: not connected. */
gint p2p_mqtt_client_subscribe (P2pMqttClient *client,
                                const gchar *const *topics, guint n_topics);
void p2p_mqtt_client_unsubscribe (P2pMqttClient *client, const gchar *topic);

G_END_DECLS

#endif /* P2P_MQTT_CLIENT_H */
