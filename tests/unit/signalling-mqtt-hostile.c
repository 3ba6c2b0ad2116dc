/* mqtt:// with someone else at the broker, who reads all and writes what she
 * likes.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "p2pmqtt.h"
#include "signalling-broker.h"

#include <string.h>

/* -- Eve ------------------------------------------------------------------- */

typedef struct
{
  Node *node; /* for its context and URI */
  P2pMqttClient *client;
  gboolean subscribed;
  GPtrArray *topics;
  GPtrArray *payloads;
} Eve;

static void
eve_connected (gpointer user)
{
  Eve *eve = user;
  const gchar *topic = P2P_MQTT_PREFIX "#";

  p2p_mqtt_client_subscribe (eve->client, &topic, 1);
}

static void
eve_subscribed (gint number, gboolean ok, gpointer user)
{
  Eve *eve = user;

  eve->subscribed = ok;
}

static void
eve_message (const gchar *topic, const guint8 *data, gsize len, gpointer user)
{
  Eve *eve = user;

  g_ptr_array_add (eve->topics, g_strdup (topic));
  g_ptr_array_add (eve->payloads, g_bytes_new (data, len));
}

static void
eve_lost (const gchar *reason, const gchar *detail, gpointer user)
{
  g_error ("%s", detail);
}

static Eve *
eve_new (Broker *broker)
{
  static const P2pMqttCallbacks callbacks
      = { eve_connected, eve_subscribed, eve_message, eve_lost };
  Eve *eve = g_new0 (Eve, 1);

  eve->topics = g_ptr_array_new_with_free_func (g_free);
  eve->payloads
      = g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref);
  eve->node = node_new (broker->uri, P2P_ROLE_VIEWER, "eve", WRONG_KEY);
  node_start (eve->node);
  wait_until (eve->node->online == 1);
  eve->client = p2p_mqtt_client_new (eve->node->signaller, "eve", NULL, NULL,
                                     &callbacks, eve);
  wait_until (eve->subscribed);
  return eve;
}

static void
eve_free (Eve *eve)
{
  p2p_mqtt_client_free (eve->client);
  node_free (eve->node);
  g_ptr_array_unref (eve->topics);
  g_ptr_array_unref (eve->payloads);
  g_free (eve);
}

static void
eve_says (Eve *eve, const gchar *topic, gconstpointer data, gsize len,
          gboolean retain)
{
  g_assert_true (
      p2p_mqtt_client_publish (eve->client, topic, data, len, retain));
}

/* The first message she has heard on a topic that ends like this. */
static GBytes *
eve_heard (Eve *eve, const gchar *suffix, const gchar **topic)
{
  guint i;

  *topic = NULL;
  for (i = 0; i < eve->topics->len; i++) {
    if (g_str_has_suffix (eve->topics->pdata[i], suffix)
        && g_bytes_get_size (eve->payloads->pdata[i]) > 0) {
      *topic = eve->topics->pdata[i];
      return eve->payloads->pdata[i];
    }
  }
  return NULL;
}

/* All that was said before has been handled by all. */
static void
settle (Broker *broker)
{
  Node *viewer = node_online (broker->uri, P2P_ROLE_VIEWER, KEY);

  assert_conversation (viewer);
  node_free (viewer);
}

/* Writes what the broker would, were that connection of that device lost. */
static void
eve_buries (Eve *eve, Node *device, const guint8 *instance, guint64 incarnation)
{
  P2pMqtt *mqtt = device->signaller->transport;
  guint8 body[P2P_MQTT_GONE_BODY];
  guint64 number = GUINT64_TO_BE (incarnation);
  GBytes *will;

  memcpy (body, &number, 8);
  memcpy (body + 8, instance, P2P_MQTT_INSTANCE);
  will = p2p_box_seal (device->signaller->credential, P2P_BOX_MQTT_GONE, NULL,
                       body, sizeof body, NULL);
  eve_says (eve, mqtt->presence_topic, g_bytes_get_data (will, NULL),
            g_bytes_get_size (will), TRUE);
  g_bytes_unref (will);
}

/* A broker writes wills late, and those of twins that were sent away, too. */
static void
test_wills_of_others (void)
{
  static const guint8 twin[P2P_MQTT_INSTANCE] = { 1 };
  Broker broker = broker_start (ANYONE);
  Eve *eve = eve_new (&broker);
  Node *device = node_online (broker.uri, P2P_ROLE_DEVICE, KEY);
  Node *viewer = node_online (broker.uri, P2P_ROLE_VIEWER, KEY);
  P2pMqtt *mqtt = device->signaller->transport;

  assert_conversation (viewer);
  eve_buries (eve, device, twin, mqtt->incarnation);
  eve_buries (eve, device, mqtt->instance, mqtt->incarnation - 1);
  /* Who comes now finds the device: its presence is there again. */
  settle (&broker);
  g_assert_cmpuint (viewer->closed, ==, 0);
  assert_conversation (viewer);
  eve_buries (eve, device, mqtt->instance, mqtt->incarnation);
  wait_until (viewer->closed == 2);
  g_assert_cmpstr (viewer->close_reason, ==, P2P_REASON_PEER_GONE);
  node_free (viewer);
  node_free (device);
  eve_free (eve);
  broker_stop (&broker);
}

/* Who reads everything and writes what he likes gets nowhere. */
static void
test_hostile_broker (void)
{
  Broker broker = broker_start (ANYONE);
  Eve *eve = eve_new (&broker);
  Node *device = node_online (broker.uri, P2P_ROLE_DEVICE, KEY);
  Node *viewer = node_online (broker.uri, P2P_ROLE_VIEWER, KEY);
  const gchar *topic;
  guint8 copy[P2P_ENVELOPE_MAX];
  GBytes *first;
  gsize len, at;
  guint i, messages;

  assert_conversation (viewer);
  wait_until (eve_heard (eve, "/device", &topic));
  first = eve_heard (eve, "/device", &topic);
  len = g_bytes_get_size (first);
  g_assert_null (strstr (topic, DEVICE));
  for (i = 0; i < eve->payloads->len; i++) {
    g_autofree gchar *text
        = g_strndup (g_bytes_get_data (eve->payloads->pdata[i], NULL),
                     g_bytes_get_size (eve->payloads->pdata[i]));

    g_assert_null (strstr (text, "hello"));
    g_assert_null (strstr (text, DEVICE));
  }

  /* Replayed; and altered at each byte. */
  eve_says (eve, topic, g_bytes_get_data (first, NULL), len, FALSE);
  settle (&broker);
  g_assert_cmpuint (p2p_signaller_get_rejected (device->signaller), ==, 1);
  for (at = 0; at < len; at++) {
    memcpy (copy, g_bytes_get_data (first, NULL), len);
    copy[at] ^= 0x40;
    eve_says (eve, topic, copy, len, FALSE);
  }
  settle (&broker);
  g_assert_cmpuint (p2p_signaller_get_rejected (device->signaller), ==,
                    1 + len);
  /* Replayed when the channel is gone. */
  p2p_channel_close (viewer->channel);
  wait_until (device->closed >= 1);
  eve_says (eve, topic, g_bytes_get_data (first, NULL), len, FALSE);
  settle (&broker);
  g_assert_cmpuint (p2p_signaller_get_rejected (device->signaller), ==,
                    2 + len);
  g_assert_cmpuint (device->opened, ==, 4);

  /* Reflected: what the device said is no message to it, and the other way. */
  assert_conversation (viewer);
  messages = viewer->messages->len;
  wait_until (g_str_has_prefix (
      strrchr (eve->topics->pdata[eve->topics->len - 1], '/') - 6, "viewer"));
  for (i = eve->topics->len; i-- > 0;) {
    GBytes *payload = eve->payloads->pdata[i];

    if (strstr (eve->topics->pdata[i], "/viewer/")) {
      eve_says (eve, topic, g_bytes_get_data (payload, NULL),
                g_bytes_get_size (payload), FALSE);
      eve_says (eve, eve->topics->pdata[i], g_bytes_get_data (first, NULL), len,
                FALSE);
      break;
    }
  }
  g_assert_true (p2p_channel_send (viewer->channel, "{}"));
  wait_until (viewer->messages->len == messages + 1);
  g_assert_cmpuint (p2p_signaller_get_rejected (viewer->signaller), >=, 1);
  g_assert_cmpuint (p2p_signaller_get_rejected (device->signaller), ==,
                    3 + len);
  node_free (viewer);
  node_free (device);
  eve_free (eve);
  broker_stop (&broker);
}

static void
test_garbage (void)
{
  Broker broker = broker_start (ANYONE);
  Eve *eve = eve_new (&broker);
  Node *device = node_online (broker.uri, P2P_ROLE_DEVICE, KEY);
  Node *viewer = node_online (broker.uri, P2P_ROLE_VIEWER, KEY);
  static const gchar *const leaves[] = { "device", "query", "alive" };
  g_autofree gchar *base = NULL;
  const gchar *topic;
  guint8 noise[100 * 1000];
  gsize i, j;

  wait_until (eve_heard (eve, "/presence", &topic));
  base = g_strndup (topic, strlen (topic) - strlen ("presence"));
  for (i = 0; i < sizeof noise; i++)
    noise[i] = g_test_rand_int_range (0, 256);
  for (i = 0; i < G_N_ELEMENTS (leaves); i++) {
    g_autofree gchar *name = g_strconcat (base, leaves[i], NULL);

    for (j = 0; j < 120; j++)
      eve_says (eve, name, noise + j, j, FALSE);
    eve_says (eve, name, noise, sizeof noise, FALSE);
    noise[0] = noise[1] = P2P_ENVELOPE_VERSION;
    for (j = 0; j < 50; j++) {
      noise[2] = j % 6;
      noise[3] = j / 6;
      eve_says (eve, name, noise, 40 + 8 * j, FALSE);
    }
  }
  assert_conversation (viewer);
  g_assert_cmpint (device->state, ==, P2P_SIGNALLER_ONLINE);
  g_assert_cmpuint (device->opened, ==, 1);
  g_assert_cmpuint (device->rejected, >, 0);
  node_free (viewer);
  node_free (device);
  eve_free (eve);
  broker_stop (&broker);
}

/* The presence is emptied, and overwritten, by someone else: it comes back. */
static void
test_presence_restored (void)
{
  Broker broker = broker_start (ANYONE);
  Eve *eve = eve_new (&broker);
  Node *device = node_online (broker.uri, P2P_ROLE_DEVICE, KEY);
  Node *viewer;
  const gchar *topic;
  g_autofree gchar *copy = NULL;

  wait_until (eve_heard (eve, "/presence", &topic));
  copy = g_strdup (topic);
  eve_says (eve, copy, "", 0, TRUE);
  viewer = node_online (broker.uri, P2P_ROLE_VIEWER, KEY);
  assert_conversation (viewer);
  node_free (viewer);
  eve_says (eve, copy, "not from the device", 19, TRUE);
  viewer = node_online (broker.uri, P2P_ROLE_VIEWER, KEY);
  assert_conversation (viewer);
  node_free (viewer);
  node_free (device);
  eve_free (eve);
  broker_stop (&broker);
}

/* The last thing she has heard on the topic, if it is a presence. */
static gboolean
eve_sees_other (Eve *eve, GBytes *than)
{
  guint i;

  for (i = eve->topics->len; i-- > 0;) {
    if (g_str_has_suffix (eve->topics->pdata[i], "/presence"))
      return g_bytes_get_size (eve->payloads->pdata[i]) > 0
             && !g_bytes_equal (eve->payloads->pdata[i], than);
  }
  return FALSE;
}

static guint
eve_count (Eve *eve, GBytes *payload)
{
  guint n = 0, i;

  for (i = 0; i < eve->payloads->len; i++)
    n += g_bytes_equal (eve->payloads->pdata[i], payload);
  return n;
}

/* Presences of the device's earlier lives, written over that of the living. */
static void
test_presence_replayed (void)
{
  Broker broker = broker_start (ANYONE);
  Eve *eve = eve_new (&broker);
  Node *device = node_online (broker.uri, P2P_ROLE_DEVICE, KEY);
  const gchar *topic;
  g_autoptr (GBytes) old = NULL;
  Node *viewer;
  guint i;

  wait_until (eve_heard (eve, "/presence", &topic));
  old = g_bytes_ref (eve_heard (eve, "/presence", &topic));
  node_free (device);
  device = node_online (broker.uri, P2P_ROLE_DEVICE, KEY);
  for (i = 0; i < 20; i++)
    eve_says (eve, topic, g_bytes_get_data (old, NULL), g_bytes_get_size (old),
              TRUE);
  /* Each of them has come back to her, and then the right one. */
  wait_until (eve_count (eve, old) == 21 && eve_sees_other (eve, old));
  viewer = node_online (broker.uri, P2P_ROLE_VIEWER, KEY);
  assert_conversation (viewer);
  g_assert_cmpuint (device->opened, ==, 1);
  g_assert_cmpuint (device->online, ==, 1);
  node_free (viewer);
  node_free (device);
  eve_free (eve);
  broker_stop (&broker);
}

/* A presence that nobody keeps any more: a device that died, and a broker that
 * did not tell. The next one asks, hears nothing, and takes its place. */
static void
test_stale_presence (void)
{
  Broker broker = broker_start (ANYONE);
  Eve *eve = eve_new (&broker);
  Node *device = node_online (broker.uri, P2P_ROLE_DEVICE, KEY);
  Node *next = node_new (broker.uri, P2P_ROLE_DEVICE, DEVICE, KEY);
  Node *viewer = node_online (broker.uri, P2P_ROLE_VIEWER, KEY);
  const gchar *topic;
  GBytes *presence;

  wait_until (eve_heard (eve, "/presence", &topic));
  presence = eve_heard (eve, "/presence", &topic);
  node_free (device);
  wait_until (g_bytes_get_size (eve->payloads->pdata[eve->payloads->len - 1])
              == 0);
  eve_says (eve, topic, g_bytes_get_data (presence, NULL),
            g_bytes_get_size (presence), TRUE);
  p2p_signaller_open_channel (viewer->signaller);
  wait_until (viewer->opened == 1);

  p2p_signaller_get_timing (next->signaller)->broker_twin = 100;
  node_start (next);
  wait_until (next->online == 1);
  wait_until (viewer->closed == 1);
  g_assert_cmpstr (viewer->close_reason, ==, P2P_REASON_PEER_GONE);
  assert_conversation (viewer);
  node_free (viewer);
  node_free (next);
  eve_free (eve);
  broker_stop (&broker);
}

/* More channels than one epoch remembers. */

int
main (int argc, char **argv)
{
  if (!broker_tests_begin (&argc, &argv))
    return 0;
  g_test_add_func ("/mqtt/wills-of-others", test_wills_of_others);
  g_test_add_func ("/mqtt/hostile-broker", test_hostile_broker);
  g_test_add_func ("/mqtt/garbage", test_garbage);
  g_test_add_func ("/mqtt/presence-restored", test_presence_restored);
  g_test_add_func ("/mqtt/presence-replayed", test_presence_replayed);
  g_test_add_func ("/mqtt/stale-presence", test_stale_presence);
  return broker_tests_run ();
}
