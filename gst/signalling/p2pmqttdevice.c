/* The device over a broker: keeps its presence there, lets viewers in, and
 * makes sure that it is the only one of its name.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The presence carries the epoch, the challenge of all channels until it
 * changes: with each connection, and before the memory of the channel ids used
 * under it is full. The epoch before stays good, for viewers who have just read
 * it.
 *
 * Twins: after subscribing, a device sends a query to all with its credential.
 * It comes back to itself too, which tells that what is retained has come. If
 * another's presence is there, and its answer to the query comes, this one
 * gives way; if none comes in time, that presence was left by a dead one, and
 * is replaced. Established devices answer; so does the one with the lower
 * instance of two newcomers, and of two established ones the lower stays.
 *
 * Threads: that of the signaller's context.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2pmqtt.h"

#include <string.h>

/* First messages looked at, from who has not proved the key yet, a second. */
#define STRANGER_RATE 100
#define STRANGER_BURST 200
/* Presence written again, a second: who can write to the broker's topics must
 * not make a device, or two, write without end. What is too early is put off.
 */
#define RESTORE_RATE 1
#define RESTORE_BURST 5
#define RESTORE_LATER_MS 1000
/* Queries answered, which must not be answered again. */
#define MAX_QUERIES 256

void
p2p_mqtt_device_init (P2pMqtt *mqtt)
{
  gint64 now = g_get_monotonic_time ();

  p2p_bucket_init (&mqtt->strangers, STRANGER_RATE, STRANGER_BURST, now);
  p2p_bucket_init (&mqtt->restores, RESTORE_RATE, RESTORE_BURST, now);
  p2p_seen_init (&mqtt->queries, MAX_QUERIES);
}

static void
epoch_clear (P2pMqttEpoch *epoch)
{
  epoch->valid = FALSE;
  p2p_seen_clear (&epoch->seen);
}

static void device_lost (P2pMqtt *mqtt);

void
p2p_mqtt_device_clear (P2pMqtt *mqtt)
{
  device_lost (mqtt);
  epoch_clear (&mqtt->epochs[0]);
  epoch_clear (&mqtt->epochs[1]);
  p2p_seen_clear (&mqtt->queries);
}

static void
new_epoch (P2pMqtt *mqtt)
{
  epoch_clear (&mqtt->epochs[1]);
  mqtt->epochs[1] = mqtt->epochs[0];
  mqtt->epochs[0].valid = TRUE;
  p2p_random (mqtt->epochs[0].challenge, P2P_CHALLENGE_BYTES);
  p2p_seen_init (&mqtt->epochs[0].seen, P2P_MQTT_EPOCH_CHANNELS);
}

static void
publish_box (P2pMqtt *mqtt, const gchar *topic, GBytes *box, gboolean retain)
{
  p2p_mqtt_client_publish (mqtt->client, topic, g_bytes_get_data (box, NULL),
                           g_bytes_get_size (box), retain);
  g_bytes_unref (box);
}

static void
publish_presence (P2pMqtt *mqtt)
{
  guint8 body[P2P_MQTT_PRESENCE_BODY];
  guint64 incarnation = GUINT64_TO_BE (mqtt->incarnation);

  memcpy (body, &incarnation, 8);
  memcpy (body + 8, mqtt->instance, P2P_MQTT_INSTANCE);
  memcpy (body + 8 + P2P_MQTT_INSTANCE, mqtt->epochs[0].challenge,
          P2P_CHALLENGE_BYTES);
  publish_box (mqtt, mqtt->presence_topic,
               p2p_box_seal (mqtt->signaller->credential, P2P_BOX_MQTT_PRESENCE,
                             NULL, body, sizeof body, NULL),
               TRUE);
}

static void
query_twins (P2pMqtt *mqtt)
{
  publish_box (mqtt, mqtt->query_topic,
               p2p_box_seal (mqtt->signaller->credential, P2P_BOX_MQTT_QUERY,
                             NULL, mqtt->instance, P2P_MQTT_INSTANCE,
                             mqtt->query_salt),
               FALSE);
}

static gboolean
restore_now (gpointer user)
{
  P2pMqtt *mqtt = user;

  p2p_source_clear (&mqtt->restore_timer);
  publish_presence (mqtt);
  return G_SOURCE_REMOVE;
}

/* Publishes the presence again, if not now, then soon. */
static void
restore_presence (P2pMqtt *mqtt)
{
  if (mqtt->restore_timer)
    return;
  if (p2p_bucket_take (&mqtt->restores, g_get_monotonic_time ()))
    publish_presence (mqtt);
  else
    mqtt->restore_timer
        = p2p_signaller_timer (mqtt->signaller, RESTORE_LATER_MS, restore_now,
                               mqtt);
}

static void
establish (P2pMqtt *mqtt)
{
  P2pSignaller *signaller = mqtt->signaller;

  p2p_source_clear (&mqtt->twin_timer);
  mqtt->established = TRUE;
  mqtt->incarnation++;
  new_epoch (mqtt);
  publish_presence (mqtt);
  p2p_signaller_backoff_reset (signaller);
  p2p_signaller_set_state (signaller, P2P_SIGNALLER_ONLINE, NULL, NULL);
}

static gboolean
no_twin (gpointer user)
{
  establish (user);
  return G_SOURCE_REMOVE;
}

/* Subscribed, but what we say does not come back: brokers drop what their rules
 * forbid without a word. */
static gboolean
no_echo (gpointer user)
{
  P2pMqtt *mqtt = user;
  g_autofree gchar *detail
      = g_strdup_printf ("%s does not deliver to " P2P_MQTT_PREFIX
                         "# (do its rules let this user read and write there?)",
                         mqtt->signaller->redacted);

  p2p_mqtt_go_offline (mqtt, P2P_REASON_TOKEN, detail);
  return G_SOURCE_REMOVE;
}

static void
on_query (P2pMqtt *mqtt, const guint8 *data, gsize len)
{
  P2pCredential *credential = mqtt->signaller->credential;
  guint8 instance[P2P_MQTT_INSTANCE];
  const guint8 *salt;
  GBytes *box;
  guint8 packet[P2P_BOX_SALT + P2P_MQTT_INSTANCE + P2P_BOX_OVERHEAD];

  if (!p2p_box_open (credential, P2P_BOX_MQTT_QUERY, NULL, data, len, instance,
                     sizeof instance)) {
    p2p_signaller_reject (mqtt->signaller, "broker");
    return;
  }
  salt = p2p_box_peek (P2P_BOX_MQTT_QUERY, data, len, sizeof instance);
  if (memcmp (instance, mqtt->instance, sizeof instance) == 0) {
    /* Our own is back. */
    if (!mqtt->echo_timer || memcmp (salt, mqtt->query_salt, P2P_BOX_SALT) != 0)
      return;
    p2p_source_clear (&mqtt->echo_timer);
    if (mqtt->twin_present)
      mqtt->twin_timer
          = p2p_signaller_timer (mqtt->signaller,
                                 mqtt->signaller->timing.broker_twin, no_twin,
                                 mqtt);
    else
      establish (mqtt);
    return;
  }
  if ((!mqtt->established
       && memcmp (mqtt->instance, instance, sizeof instance) > 0)
      || !p2p_seen_add (&mqtt->queries, salt))
    return;
  box = p2p_box_seal (credential, P2P_BOX_MQTT_ALIVE, salt, mqtt->instance,
                      P2P_MQTT_INSTANCE, NULL);
  memcpy (packet, salt, P2P_BOX_SALT);
  memcpy (packet + P2P_BOX_SALT, g_bytes_get_data (box, NULL),
          g_bytes_get_size (box));
  g_bytes_unref (box);
  p2p_mqtt_client_publish (mqtt->client, mqtt->alive_topic, packet,
                           sizeof packet, FALSE);
}

static void
on_alive (P2pMqtt *mqtt, const guint8 *data, gsize len)
{
  guint8 instance[P2P_MQTT_INSTANCE];
  g_autofree gchar *detail = NULL;

  /* Others ask as well: only the answer to our own question counts. */
  if (len < P2P_BOX_SALT || memcmp (data, mqtt->query_salt, P2P_BOX_SALT) != 0
      || !p2p_box_open (mqtt->signaller->credential, P2P_BOX_MQTT_ALIVE, data,
                        data + P2P_BOX_SALT, len - P2P_BOX_SALT, instance,
                        sizeof instance)
      || memcmp (instance, mqtt->instance, sizeof instance) == 0)
    return;
  if (mqtt->established
      && memcmp (mqtt->instance, instance, sizeof instance) < 0) {
    restore_presence (mqtt); /* so that it asks, and gives way */
    return;
  }
  detail = g_strdup_printf ("another device with this id and key is running "
                            "at %s",
                            mqtt->signaller->redacted);
  mqtt->established = FALSE; /* the presence is the other's */
  p2p_mqtt_go_offline (mqtt, P2P_REASON_DUPLICATE, detail);
}

static void
on_presence (P2pMqtt *mqtt, const guint8 *data, gsize len)
{
  P2pMqttPresence presence;
  gboolean genuine = p2p_mqtt_read_presence (mqtt, data, len, &presence);
  gboolean own
      = genuine
        && memcmp (presence.instance, mqtt->instance, P2P_MQTT_INSTANCE) == 0;

  if (!mqtt->established) {
    mqtt->twin_present |= genuine && !own;
    return;
  }
  if (own && presence.incarnation == mqtt->incarnation)
    return;
  if (!genuine || own) {
    /* The will of a twin that was sent away, or of our connection before, or
     * someone who writes what he likes. */
    restore_presence (mqtt);
    return;
  }
  /* A twin's, or one kept from better days: a living twin answers, before ours
   * is written again. */
  if (mqtt->restore_timer)
    return;
  mqtt->restore_timer = p2p_signaller_timer (mqtt->signaller, RESTORE_LATER_MS,
                                             restore_now, mqtt);
  query_twins (mqtt);
}

/* -- Viewers -------------------------------------------------------------- */

/* NULL: not genuine, or used before. */
static P2pEnvelope *
open_first (P2pMqtt *mqtt, const guint8 *id, const guint8 *data, gsize len,
            P2pEnvelopeKind *kind, guint8 *body, gsize *body_len)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (mqtt->epochs); i++) {
    P2pMqttEpoch *epoch = &mqtt->epochs[i];
    P2pEnvelope *envelope;

    if (!epoch->valid)
      continue;
    envelope = p2p_envelope_new (mqtt->signaller->credential, P2P_ROLE_DEVICE,
                                 epoch->challenge, id);
    if (p2p_envelope_open (envelope, data, len, kind, body, body_len)
            == P2P_ENVELOPE_OK
        && p2p_seen_add (&epoch->seen, id))
      return envelope;
    p2p_envelope_free (envelope);
  }
  return NULL;
}

static void
send_busy (P2pMqtt *mqtt, P2pEnvelope *envelope, const gchar *topic)
{
  GBytes *bytes = p2p_envelope_seal (envelope, P2P_ENVELOPE_CLOSE,
                                     P2P_REASON_BUSY, strlen (P2P_REASON_BUSY));

  publish_box (mqtt, topic, bytes, FALSE);
  p2p_envelope_free (envelope);
}

static void
on_stranger (P2pMqtt *mqtt, const guint8 *id, const guint8 *data, gsize len)
{
  P2pSignaller *signaller = mqtt->signaller;
  guint8 body[P2P_SIGNAL_MAX_MESSAGE];
  P2pEnvelope *envelope = NULL;
  P2pEnvelopeKind kind;
  P2pMqttChannel *state;
  P2pChannel *channel;
  gsize body_len;
  gchar *topic;

  if (p2p_bucket_take (&mqtt->strangers, g_get_monotonic_time ()))
    envelope = open_first (mqtt, id, data, len, &kind, body, &body_len);
  if (!envelope) {
    p2p_signaller_reject (signaller, "broker");
    return;
  }
  p2p_bucket_give_back (&mqtt->strangers);
  if (mqtt->epochs[0].seen.count == P2P_MQTT_EPOCH_CHANNELS) {
    new_epoch (mqtt);
    publish_presence (mqtt);
  }
  topic = p2p_mqtt_viewer_topic (mqtt, id);
  if (signaller->n_channels >= P2P_SIGNAL_MAX_CHANNELS) {
    send_busy (mqtt, envelope, topic);
    g_free (topic);
    return;
  }
  channel = p2p_channel_new (signaller);
  state = g_new0 (P2pMqttChannel, 1);
  state->topic = topic;
  channel->transport = state;
  p2p_channel_ready (channel, envelope);
  p2p_channel_deliver (channel, kind, body, body_len);
}

static P2pChannel *
find_channel (P2pSignaller *signaller, const guint8 *id)
{
  GList *l;

  for (l = signaller->channels; l; l = l->next) {
    P2pChannel *channel = l->data;

    if (memcmp (p2p_envelope_get_channel_id (channel->envelope), id,
                P2P_CHANNEL_ID_BYTES)
        == 0)
      return channel;
  }
  return NULL;
}

static void
on_envelope (P2pMqtt *mqtt, const guint8 *data, gsize len)
{
  P2pSignaller *signaller = mqtt->signaller;
  const guint8 *id;
  P2pChannel *channel;
  guint64 number;
  gboolean known;

  if (!mqtt->established)
    return;
  if (!p2p_envelope_peek (data, len, P2P_ROLE_VIEWER, &id, &number)) {
    p2p_signaller_reject (signaller, "broker");
    return;
  }
  channel = find_channel (signaller, id);
  known
      = (mqtt->epochs[0].valid && p2p_seen_has (&mqtt->epochs[0].seen, id))
        || (mqtt->epochs[1].valid && p2p_seen_has (&mqtt->epochs[1].seen, id));
  if (channel) {
    p2p_signaller_ref (signaller);
    if (p2p_channel_input (channel, data, len) != P2P_ENVELOPE_OK)
      p2p_signaller_reject (signaller, "broker");
    p2p_signaller_unref (signaller);
  } else if (number == 0) {
    on_stranger (mqtt, id, data, len);
  } else if (!known) {
    p2p_signaller_reject (signaller, "broker");
  }
  /* What is known, but has no channel, crossed our closing of it. */
}

/* -- Part ----------------------------------------------------------------- */

static void
device_message (P2pMqtt *mqtt, const gchar *topic, const guint8 *data,
                gsize len)
{
  if (strcmp (topic, mqtt->device_topic) == 0)
    on_envelope (mqtt, data, len);
  else if (strcmp (topic, mqtt->presence_topic) == 0)
    on_presence (mqtt, data, len);
  else if (strcmp (topic, mqtt->query_topic) == 0)
    on_query (mqtt, data, len);
  else if (strcmp (topic, mqtt->alive_topic) == 0)
    on_alive (mqtt, data, len);
}

static void
device_connected (P2pMqtt *mqtt)
{
  const gchar *topics[] = { mqtt->presence_topic, mqtt->query_topic,
                            mqtt->alive_topic, mqtt->device_topic };

  mqtt->twin_present = FALSE;
  mqtt->subscription
      = p2p_mqtt_client_subscribe (mqtt->client, topics, G_N_ELEMENTS (topics));
}

static void
device_subscribed (P2pMqtt *mqtt, gint number, gboolean ok)
{
  if (number != mqtt->subscription)
    return;
  p2p_source_clear (&mqtt->echo_timer);
  mqtt->echo_timer
      = p2p_signaller_timer (mqtt->signaller, mqtt->signaller->timing.connect,
                             no_echo, mqtt);
  query_twins (mqtt);
}

static void
device_lost (P2pMqtt *mqtt)
{
  mqtt->established = FALSE;
  mqtt->subscription = 0;
  p2p_source_clear (&mqtt->twin_timer);
  p2p_source_clear (&mqtt->echo_timer);
  p2p_source_clear (&mqtt->restore_timer);
}

const P2pMqttPart p2p_mqtt_device
    = { device_connected, device_subscribed, device_message, device_lost };
