/* mqtt:// and mqtts://: a broker in the middle, which learns nothing.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Connects, connects again with backoff, and hands what comes to the part of
 * the device or of the viewer.
 *
 * Threads: that of the signaller's context.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2pconnect.h"
#include "p2pmqtt.h"

#include <string.h>

#define TOPIC_BYTES 16
#define CLIENT_ID_BYTES                                                        \
  8 /* as hex with its prefix below 23 characters,                             \
       which every broker takes */

static void connect_begin (P2pMqtt *mqtt);

static void
append_hex (GString *string, const guint8 *bytes, gsize len)
{
  gsize i;

  for (i = 0; i < len; i++)
    g_string_append_printf (string, "%02x", bytes[i]);
}

gchar *
p2p_mqtt_viewer_topic (P2pMqtt *mqtt, const guint8 *channel_id)
{
  GString *topic = g_string_new (mqtt->base);

  g_string_append (topic, "/viewer/");
  append_hex (topic, channel_id, P2P_CHANNEL_ID_BYTES);
  return g_string_free (topic, FALSE);
}

gboolean
p2p_mqtt_read_presence (P2pMqtt *mqtt, const guint8 *data, gsize len,
                        P2pMqttPresence *presence)
{
  guint8 body[P2P_MQTT_PRESENCE_BODY];
  guint64 incarnation;

  if (!p2p_box_open (mqtt->signaller->credential, P2P_BOX_MQTT_PRESENCE, NULL,
                     data, len, body, sizeof body))
    return FALSE;
  memcpy (&incarnation, body, 8);
  presence->incarnation = GUINT64_FROM_BE (incarnation);
  memcpy (presence->instance, body + 8, P2P_MQTT_INSTANCE);
  memcpy (presence->epoch, body + 8 + P2P_MQTT_INSTANCE, P2P_CHALLENGE_BYTES);
  return TRUE;
}

gboolean
p2p_mqtt_read_gone (P2pMqtt *mqtt, const guint8 *data, gsize len,
                    P2pMqttPresence *gone)
{
  guint8 body[P2P_MQTT_GONE_BODY];
  guint64 incarnation;

  if (!p2p_box_open (mqtt->signaller->credential, P2P_BOX_MQTT_GONE, NULL, data,
                     len, body, sizeof body))
    return FALSE;
  memcpy (&incarnation, body, 8);
  gone->incarnation = GUINT64_FROM_BE (incarnation);
  memcpy (gone->instance, body + 8, P2P_MQTT_INSTANCE);
  return TRUE;
}

/* What the broker writes in place of our presence when we are gone. It names
 * us, and the presence that this connection may come to have: of a twin that
 * was never let in, or of our connection before this one, it means nothing. */
static GBytes *
make_will (P2pMqtt *mqtt)
{
  guint8 body[P2P_MQTT_GONE_BODY];
  guint64 incarnation = GUINT64_TO_BE (mqtt->incarnation + 1);

  memcpy (body, &incarnation, 8);
  memcpy (body + 8, mqtt->instance, P2P_MQTT_INSTANCE);
  return p2p_box_seal (mqtt->signaller->credential, P2P_BOX_MQTT_GONE, NULL,
                       body, sizeof body, NULL);
}

/* -- Connection ----------------------------------------------------------- */

static gboolean
on_retry (gpointer user)
{
  P2pMqtt *mqtt = user;

  p2p_source_clear (&mqtt->retry);
  connect_begin (mqtt);
  return G_SOURCE_REMOVE;
}

void
p2p_mqtt_go_offline (P2pMqtt *mqtt, const gchar *reason, const gchar *detail)
{
  P2pSignaller *signaller = p2p_signaller_ref (mqtt->signaller);
  g_autofree gchar *text = g_strdup (detail);

  mqtt->part->lost (mqtt);
  g_clear_pointer (&mqtt->client, p2p_mqtt_client_free);
  g_free (mqtt->offline_detail);
  mqtt->offline_detail = g_strdup (text);
  p2p_source_clear (&mqtt->retry);
  mqtt->retry
      = p2p_signaller_timer (signaller, p2p_signaller_backoff (signaller),
                             on_retry, mqtt);
  p2p_signaller_set_state (signaller, P2P_SIGNALLER_OFFLINE, reason, text);
  if (!signaller->stopped)
    p2p_signaller_fail_channels (signaller, P2P_REASON_HEARTBEAT, text);
  p2p_signaller_unref (signaller);
}

static void
on_connected (gpointer user)
{
  P2pMqtt *mqtt = user;

  mqtt->part->connected (mqtt);
}

static void
on_subscribed (gint number, gboolean ok, gpointer user)
{
  P2pMqtt *mqtt = user;
  g_autofree gchar *detail = NULL;

  if (number == mqtt->subscription && !ok) {
    detail = g_strdup_printf (
        "%s does not let this user subscribe to " P2P_MQTT_PREFIX "#",
        mqtt->signaller->redacted);
    p2p_mqtt_go_offline (mqtt, P2P_REASON_TOKEN, detail);
    return;
  }
  mqtt->part->subscribed (mqtt, number, ok);
}

static void
on_message (const gchar *topic, const guint8 *data, gsize len, gpointer user)
{
  P2pMqtt *mqtt = user;

  mqtt->part->message (mqtt, topic, data, len);
}

static void
on_lost (const gchar *reason, const gchar *detail, gpointer user)
{
  p2p_mqtt_go_offline (user, reason, detail);
}

static const P2pMqttCallbacks client_callbacks
    = { on_connected, on_subscribed, on_message, on_lost };

static void
connect_begin (P2pMqtt *mqtt)
{
  g_autoptr (GString) client_id = g_string_new ("ivp2p-");
  g_autoptr (GBytes) will = NULL;

  append_hex (client_id, mqtt->instance, CLIENT_ID_BYTES);
  if (mqtt->signaller->role == P2P_ROLE_DEVICE)
    will = make_will (mqtt);
  mqtt->client = p2p_mqtt_client_new (mqtt->signaller, client_id->str,
                                      will ? mqtt->presence_topic : NULL, will,
                                      &client_callbacks, mqtt);
}

/* -- Operations ----------------------------------------------------------- */

static void
mqtt_start (P2pSignaller *signaller)
{
  P2pMqtt *mqtt = g_new0 (P2pMqtt, 1);
  g_autoptr (GString) base = g_string_new (P2P_MQTT_PREFIX);
  guint8 derived[TOPIC_BYTES];

  signaller->transport = mqtt;
  mqtt->signaller = signaller;
  mqtt->part = signaller->role == P2P_ROLE_DEVICE ? &p2p_mqtt_device
                                                  : &p2p_mqtt_viewer;
  p2p_random (mqtt->instance, sizeof mqtt->instance);
  p2p_credential_derive (signaller->credential, "mqtt topic", NULL, 0, derived,
                         sizeof derived);
  append_hex (base, derived, sizeof derived);
  mqtt->base = g_strdup (base->str);
  mqtt->presence_topic = g_strconcat (mqtt->base, "/presence", NULL);
  mqtt->device_topic = g_strconcat (mqtt->base, "/device", NULL);
  mqtt->query_topic = g_strconcat (mqtt->base, "/query", NULL);
  mqtt->alive_topic = g_strconcat (mqtt->base, "/alive", NULL);
  if (signaller->role == P2P_ROLE_DEVICE)
    p2p_mqtt_device_init (mqtt);
  connect_begin (mqtt);
}

static void
mqtt_stop (P2pSignaller *signaller)
{
  P2pMqtt *mqtt = g_steal_pointer (&signaller->transport);

  if (mqtt->established)
    p2p_mqtt_client_publish (mqtt->client, mqtt->presence_topic, NULL, 0, TRUE);
  p2p_mqtt_client_free (mqtt->client);
  p2p_source_clear (&mqtt->retry);
  if (signaller->role == P2P_ROLE_DEVICE)
    p2p_mqtt_device_clear (mqtt);
  g_free (mqtt->base);
  g_free (mqtt->presence_topic);
  g_free (mqtt->device_topic);
  g_free (mqtt->query_topic);
  g_free (mqtt->alive_topic);
  g_free (mqtt->offline_detail);
  g_free (mqtt);
}

static gboolean
mqtt_send (P2pChannel *channel, GBytes *envelope)
{
  P2pMqtt *mqtt = channel->signaller->transport;
  P2pMqttChannel *state = channel->transport;

  return mqtt->client
         && p2p_mqtt_client_publish (mqtt->client,
                                     channel->signaller->role == P2P_ROLE_VIEWER
                                         ? mqtt->device_topic
                                         : state->topic,
                                     g_bytes_get_data (envelope, NULL),
                                     g_bytes_get_size (envelope), FALSE);
}

static void
mqtt_close (P2pChannel *channel)
{
  P2pMqtt *mqtt = channel->signaller->transport;
  P2pMqttChannel *state = g_steal_pointer (&channel->transport);

  if (!state)
    return;
  if (state->topic && mqtt->client
      && channel->signaller->role == P2P_ROLE_VIEWER)
    p2p_mqtt_client_unsubscribe (mqtt->client, state->topic);
  p2p_source_clear (&state->deadline);
  g_free (state->topic);
  g_free (state);
}

static void
mqtt_network_changed (P2pSignaller *signaller)
{
  P2pMqtt *mqtt = signaller->transport;

  if (mqtt->client && p2p_mqtt_client_is_at_home (mqtt->client))
    return;
  if (mqtt->client)
    p2p_mqtt_go_offline (mqtt, P2P_REASON_HEARTBEAT, P2P_MOVED_TEXT);
  if (signaller->stopped)
    return;
  /* No reason to wait: it is not the broker's doing. */
  p2p_signaller_backoff_reset (signaller);
  p2p_source_clear (&mqtt->retry);
  mqtt->retry = p2p_signaller_timer (signaller, 0, on_retry, mqtt);
}

const P2pTransportOps p2p_transport_mqtt = {
  .start = mqtt_start,
  .stop = mqtt_stop,
  .open = p2p_mqtt_viewer_open,
  .send = mqtt_send,
  .close = mqtt_close,
  .network_changed = mqtt_network_changed,
  .over_broker = TRUE,
};
