/* The viewer over a broker: waits for the device's presence, and talks to it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A retained presence comes right after the subscription. While there is none a
 * channel waits for a short time, and goes on at once when the device appears.
 *
 * Threads: that of the signaller's context.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2pmqtt.h"

#include <string.h>

static gboolean
no_device (gpointer user)
{
  P2pChannel *channel = user;
  P2pSignaller *signaller = channel->signaller;

  if (signaller->state == P2P_SIGNALLER_ONLINE)
    p2p_channel_fail (channel, P2P_REASON_NO_ANSWER,
                      "device %s is not at %s: offline, unknown or wrong key",
                      p2p_credential_get_device_id (signaller->credential),
                      signaller->redacted);
  else
    p2p_channel_fail (channel, P2P_REASON_HEARTBEAT, "%s does not answer",
                      signaller->redacted);
  return G_SOURCE_REMOVE;
}

/* The device is there: the channel has all it needs. */
static void
proceed (P2pMqtt *mqtt, P2pChannel *channel)
{
  P2pMqttChannel *state = channel->transport;
  guint8 id[P2P_CHANNEL_ID_BYTES];
  const gchar *topic;

  p2p_source_clear (&state->deadline);
  p2p_random (id, sizeof id);
  topic = state->topic = p2p_mqtt_viewer_topic (mqtt, id);
  /* The broker takes what follows in this order: no need to wait. */
  p2p_mqtt_client_subscribe (mqtt->client, &topic, 1);
  p2p_channel_ready (channel, p2p_envelope_new (mqtt->signaller->credential,
                                                P2P_ROLE_VIEWER,
                                                mqtt->device.epoch, id));
}

void
p2p_mqtt_viewer_open (P2pSignaller *signaller, P2pChannel *channel)
{
  P2pMqtt *mqtt = signaller->transport;
  P2pMqttChannel *state = g_new0 (P2pMqttChannel, 1);

  channel->transport = state;
  if (signaller->state == P2P_SIGNALLER_OFFLINE) {
    p2p_channel_fail (channel, P2P_REASON_HEARTBEAT, "%s",
                      mqtt->offline_detail ? mqtt->offline_detail
                                           : "no broker");
    return;
  }
  if (signaller->state == P2P_SIGNALLER_ONLINE && mqtt->device_present)
    proceed (mqtt, channel);
  else
    state->deadline
        = p2p_signaller_timer (signaller, signaller->timing.no_answer,
                               no_device, channel);
}

/* Calls `func` for each channel, whatever it does to the list; until the
 * signaller is stopped. */
static void
for_each_channel (P2pMqtt *mqtt, void (*func) (P2pMqtt *, P2pChannel *))
{
  P2pSignaller *signaller = p2p_signaller_ref (mqtt->signaller);
  GList *all
      = g_list_copy_deep (signaller->channels,
                          (GCopyFunc)(void (*) (void))p2p_channel_ref, NULL),
      *l;

  for (l = all; l && !signaller->stopped; l = l->next) {
    P2pChannel *channel = l->data;

    if (channel->state != P2P_CHANNEL_CLOSED)
      func (mqtt, channel);
  }
  g_list_free_full (all, (GDestroyNotify)p2p_channel_unref);
  p2p_signaller_unref (signaller);
}

static void
proceed_if_waiting (P2pMqtt *mqtt, P2pChannel *channel)
{
  if (channel->state == P2P_CHANNEL_OPENING && mqtt->device_present
      && mqtt->signaller->state == P2P_SIGNALLER_ONLINE)
    proceed (mqtt, channel);
}

static void
fail_if_open (P2pMqtt *mqtt, P2pChannel *channel)
{
  if (channel->state == P2P_CHANNEL_OPEN)
    p2p_channel_fail (channel, P2P_REASON_PEER_GONE,
                      mqtt->device_present ? "the device has started again"
                                           : "the device has left the broker");
}

static void
device_gone (P2pMqtt *mqtt)
{
  mqtt->device_present = FALSE;
  for_each_channel (mqtt, fail_if_open);
}

static gboolean
same_instance (const P2pMqttPresence *a, const P2pMqttPresence *b)
{
  return memcmp (a->instance, b->instance, sizeof a->instance) == 0;
}

static void
on_presence (P2pMqtt *mqtt, const guint8 *data, gsize len)
{
  P2pSignaller *signaller = mqtt->signaller;
  P2pMqttPresence now;
  gboolean same;

  if (len == 0) {
    device_gone (mqtt);
    return;
  }
  if (!p2p_mqtt_read_presence (mqtt, data, len, &now)) {
    if (!p2p_mqtt_read_gone (mqtt, data, len, &now))
      p2p_signaller_reject (signaller, "broker");
    else if (mqtt->device_present && same_instance (&now, &mqtt->device)
             && now.incarnation >= mqtt->device.incarnation)
      device_gone (mqtt);
    return;
  }
  same = mqtt->device_present && now.incarnation == mqtt->device.incarnation
         && same_instance (&now, &mqtt->device);
  p2p_signaller_ref (signaller);
  mqtt->device = now;
  mqtt->device_present = TRUE;
  /* Its channels ended with its connection to the broker. */
  if (!same)
    for_each_channel (mqtt, fail_if_open);
  if (!signaller->stopped)
    for_each_channel (mqtt, proceed_if_waiting);
  p2p_signaller_unref (signaller);
}

static void
viewer_message (P2pMqtt *mqtt, const gchar *topic, const guint8 *data,
                gsize len)
{
  P2pSignaller *signaller = mqtt->signaller;
  GList *l;

  if (strcmp (topic, mqtt->presence_topic) == 0) {
    on_presence (mqtt, data, len);
    return;
  }
  for (l = signaller->channels; l; l = l->next) {
    P2pChannel *channel = l->data;
    P2pMqttChannel *state = channel->transport;

    if (channel->state != P2P_CHANNEL_OPEN || strcmp (state->topic, topic) != 0)
      continue;
    p2p_signaller_ref (signaller);
    if (p2p_channel_input (channel, data, len) != P2P_ENVELOPE_OK)
      p2p_signaller_reject (signaller, "broker");
    p2p_signaller_unref (signaller);
    return;
  }
}

static void
viewer_connected (P2pMqtt *mqtt)
{
  const gchar *topic = mqtt->presence_topic;

  mqtt->subscription = p2p_mqtt_client_subscribe (mqtt->client, &topic, 1);
}

static void
viewer_subscribed (P2pMqtt *mqtt, gint number, gboolean ok)
{
  P2pSignaller *signaller = mqtt->signaller;

  if (number != mqtt->subscription)
    return;
  p2p_signaller_backoff_reset (signaller);
  p2p_signaller_ref (signaller);
  p2p_signaller_set_state (signaller, P2P_SIGNALLER_ONLINE, NULL, NULL);
  /* Some brokers deliver what is retained first. */
  if (!signaller->stopped)
    for_each_channel (mqtt, proceed_if_waiting);
  p2p_signaller_unref (signaller);
}

static void
viewer_lost (P2pMqtt *mqtt)
{
  mqtt->device_present = FALSE;
  mqtt->subscription = 0;
}

const P2pMqttPart p2p_mqtt_viewer
    = { viewer_connected, viewer_subscribed, viewer_message, viewer_lost };
