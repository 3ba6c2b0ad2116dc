/* mqtt:// and mqtts:// with a real Mosquitto, started here on loopback; and
 * with brokers that are hostile, deaf, or not there.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "p2pmqtt.h"
#include "signalling-util.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static gchar *mosquitto;
static gchar *directory;
static const gchar *self;

/* -- The broker ----------------------------------------------------------- */

typedef struct
{
  GSubprocess *process;
  guint16 port;
  gchar *uri;
} Broker;

static guint16
free_port (void)
{
  g_autoptr (GSocketListener) listener = g_socket_listener_new ();

  return g_socket_listener_add_any_inet_port (listener, NULL, NULL);
}

/* Nothing that a test starts outlives it. */
static void
die_with_parent (gpointer unused)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
}

static GSubprocess *
spawn (GSubprocessFlags flags, const gchar *program, const gchar *option,
       const gchar *value)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (flags);
  g_autoptr (GError) error = NULL;
  GSubprocess *process;

  g_subprocess_launcher_set_child_setup (launcher, die_with_parent, NULL, NULL);
  process = g_subprocess_launcher_spawn (launcher, &error, program, option,
                                         value, NULL);
  g_assert_no_error (error);
  return process;
}

/* Returns when it listens, which it says. */
static void
broker_run (Broker *broker, const gchar *options)
{
  g_autofree gchar *path
      = g_strdup_printf ("%s/%u.conf", directory, broker->port);
  g_autofree gchar *config = g_strdup_printf (
      "user root\npersistence false\n"
      "log_dest stderr\nlog_type information\nlog_type error\n"
      "listener %u 127.0.0.1\n%s\n",
      broker->port, options);
  g_autoptr (GError) error = NULL;
  g_autoptr (GDataInputStream) log = NULL;

  g_assert_true (g_file_set_contents (path, config, -1, &error));
  broker->process
      = spawn (G_SUBPROCESS_FLAGS_STDERR_PIPE, mosquitto, "-c", path);
  log = g_data_input_stream_new (
      g_subprocess_get_stderr_pipe (broker->process));
  g_filter_input_stream_set_close_base_stream (G_FILTER_INPUT_STREAM (log),
                                               FALSE);
  for (;;) {
    g_autofree gchar *line
        = g_data_input_stream_read_line (log, NULL, NULL, &error);

    g_assert_no_error (error);
    if (!line)
      g_error ("the broker does not start");
    if (strstr (line, " running"))
      return;
  }
}

static Broker
broker_start (const gchar *options)
{
  Broker broker = { .port = free_port () };

  broker.uri = g_strdup_printf ("mqtt://localhost:%u", broker.port);
  broker_run (&broker, options);
  return broker;
}

static void
broker_kill (Broker *broker)
{
  g_subprocess_force_exit (broker->process);
  g_subprocess_wait (broker->process, NULL, NULL);
  g_clear_object (&broker->process);
}

static void
broker_stop (Broker *broker)
{
  broker_kill (broker);
  g_free (broker->uri);
}

#define ANYONE "allow_anonymous true"

static Node *
quick_node (const gchar *uri, P2pRole role, const gchar *key)
{
  Node *node = node_new (uri, role, DEVICE, key);

  p2p_signaller_get_timing (node->signaller)->backoff = 50;
  p2p_signaller_get_timing (node->signaller)->backoff_max = 200;
  return node;
}

/* -- Plain use ------------------------------------------------------------ */

static void
test_conversation (void)
{
  Broker broker = broker_start (ANYONE);
  Node *device = node_online (broker.uri, P2P_ROLE_DEVICE, KEY);
  Node *viewer = node_online (broker.uri, P2P_ROLE_VIEWER, KEY);
  g_autofree gchar *largest = g_strnfill (P2P_SIGNAL_MAX_MESSAGE, ' ');
  guint i;

  assert_conversation (viewer);
  for (i = 0; i < 100; i++) {
    g_autofree gchar *text = g_strdup_printf ("{\"n\":%u}", i);

    g_assert_true (p2p_channel_send (viewer->channel, text));
  }
  wait_until (viewer->messages->len == 101);
  for (i = 0; i < 100; i++) {
    g_autofree gchar *text = g_strdup_printf ("{\"n\":%u}", i);

    g_assert_cmpstr (viewer->messages->pdata[i + 1], ==, text);
  }
  largest[0] = '{';
  largest[P2P_SIGNAL_MAX_MESSAGE - 1] = '}';
  g_assert_true (p2p_channel_send (viewer->channel, largest));
  wait_until (viewer->messages->len == 102);
  g_assert_cmpuint (device->rejected + viewer->rejected, ==, 0);

  p2p_channel_close (viewer->channel);
  wait_until (device->closed == 1);
  g_assert_cmpstr (device->close_reason, ==, P2P_REASON_PEER_GONE);
  assert_conversation (viewer);
  p2p_channel_close (device->channel);
  wait_until (viewer->closed == 1);
  g_assert_cmpstr (viewer->close_reason, ==, P2P_REASON_PEER_GONE);
  node_free (viewer);
  node_free (device);
  broker_stop (&broker);
}

static void
assert_no_answer (Node *viewer)
{
  guint closed = viewer->closed;

  p2p_signaller_open_channel (viewer->signaller);
  wait_until (viewer->closed == closed + 1);
  g_assert_cmpstr (viewer->close_reason, ==, P2P_REASON_NO_ANSWER);
  g_assert_nonnull (
      strstr (viewer->close_detail, "offline, unknown or wrong key"));
}

static void
test_wrong_key (void)
{
  Broker broker = broker_start (ANYONE);
  Node *device = node_online (broker.uri, P2P_ROLE_DEVICE, KEY);
  Node *thief = node_new (broker.uri, P2P_ROLE_VIEWER, DEVICE, WRONG_KEY);

  p2p_signaller_get_timing (thief->signaller)->no_answer = 200;
  node_start (thief);
  wait_until (thief->online == 1);
  assert_no_answer (thief);
  g_assert_cmpuint (device->opened, ==, 0);
  node_free (thief);
  node_free (device);
  broker_stop (&broker);
}

static void
test_device_comes_and_goes (void)
{
  Broker broker = broker_start (ANYONE);
  Node *viewer = node_new (broker.uri, P2P_ROLE_VIEWER, DEVICE, KEY);
  Node *device;

  p2p_signaller_get_timing (viewer->signaller)->no_answer = 200;
  node_start (viewer);
  wait_until (viewer->online == 1);
  assert_no_answer (viewer);

  /* Wanted while it is not there: it opens as soon as it is. */
  p2p_signaller_get_timing (viewer->signaller)->no_answer = 60000;
  p2p_signaller_open_channel (viewer->signaller);
  device = node_online (broker.uri, P2P_ROLE_DEVICE, KEY);
  wait_until (viewer->opened == 1);
  p2p_channel_send (viewer->channel, "{}");
  wait_until (viewer->messages->len == 1);

  node_free (device);
  wait_until (viewer->closed == 2);
  g_assert_cmpstr (viewer->close_reason, ==, P2P_REASON_PEER_GONE);
  wait_until (!((P2pMqtt *)viewer->signaller->transport)->device_present);
  p2p_signaller_get_timing (viewer->signaller)->no_answer = 200;
  assert_no_answer (viewer);
  node_free (viewer);
  broker_stop (&broker);
}

/* A device in a process of its own, to be killed. */
static int
be_device (const gchar *uri)
{
  Node *device = node_online (uri, P2P_ROLE_DEVICE, KEY);

  g_print ("online\n");
  for (;;)
    g_main_context_iteration (NULL, TRUE);
  node_free (device);
  return 0;
}

static GSubprocess *
spawn_device (const gchar *uri)
{
  g_autoptr (GError) error = NULL;
  GSubprocess *process
      = spawn (G_SUBPROCESS_FLAGS_STDOUT_PIPE, self, "--device", uri);
  gchar line[8];

  g_input_stream_read_all (g_subprocess_get_stdout_pipe (process), line, 7,
                           NULL, NULL, &error);
  g_assert_no_error (error);
  return process;
}

static void
test_device_killed (void)
{
  Broker broker = broker_start (ANYONE);
  g_autoptr (GSubprocess) process = spawn_device (broker.uri);
  Node *viewer = node_online (broker.uri, P2P_ROLE_VIEWER, KEY);
  Node *device;

  assert_conversation (viewer);
  g_subprocess_force_exit (process);
  wait_until (viewer->closed == 1);
  g_assert_cmpstr (viewer->close_reason, ==, P2P_REASON_PEER_GONE);
  device = node_online (broker.uri, P2P_ROLE_DEVICE, KEY);
  assert_conversation (viewer);
  node_free (device);
  node_free (viewer);
  broker_stop (&broker);
}

static void
test_viewer_silent (void)
{
  Broker broker = broker_start (ANYONE);
  Node *device = node_new (broker.uri, P2P_ROLE_DEVICE, DEVICE, KEY);
  Node *viewer = node_online (broker.uri, P2P_ROLE_VIEWER, KEY);

  p2p_signaller_get_timing (device->signaller)->broker_ping = 20;
  p2p_signaller_get_timing (device->signaller)->broker_dead = 150;
  node_start (device);
  wait_until (device->online == 1);
  assert_conversation (viewer);
  wait_until (device->closed == 1);
  g_assert_cmpstr (device->close_reason, ==, P2P_REASON_PEER_GONE);
  node_free (viewer);
  node_free (device);
  broker_stop (&broker);
}

/* -- Twins ---------------------------------------------------------------- */

static void
test_duplicate (void)
{
  Broker broker = broker_start (ANYONE);
  Node *device = node_online (broker.uri, P2P_ROLE_DEVICE, KEY);
  Node *second = quick_node (broker.uri, P2P_ROLE_DEVICE, KEY);
  Node *viewer = node_online (broker.uri, P2P_ROLE_VIEWER, KEY);

  assert_conversation (viewer);
  node_start (second);
  wait_until (second->state == P2P_SIGNALLER_OFFLINE && second->state_reason);
  g_assert_cmpstr (second->state_reason, ==, P2P_REASON_DUPLICATE);
  g_assert_nonnull (strstr (second->state_detail, "another device"));
  g_assert_cmpuint (second->online, ==, 0);
  /* Not even a channel was disturbed. */
  g_assert_cmpuint (viewer->closed, ==, 0);
  g_assert_cmpint (device->state, ==, P2P_SIGNALLER_ONLINE);
  assert_conversation (viewer);
  g_assert_cmpuint (device->opened, ==, 2);
  node_free (device);
  wait_until (second->online == 1);
  assert_conversation (viewer);
  node_free (second);
  node_free (viewer);
  broker_stop (&broker);
}

static void
test_duplicates_at_once (void)
{
  Broker broker = broker_start (ANYONE);
  guint round;

  for (round = 0; round < 10; round++) {
    Node *one = node_new (broker.uri, P2P_ROLE_DEVICE, DEVICE, KEY);
    Node *other = node_new (broker.uri, P2P_ROLE_DEVICE, DEVICE, KEY);

    node_start (one);
    node_start (other);
    wait_until ((one->state == P2P_SIGNALLER_ONLINE)
                        + (other->state == P2P_SIGNALLER_ONLINE)
                    == 1
                && (one->state_reason || other->state_reason));
    g_assert_cmpstr (one->state == P2P_SIGNALLER_ONLINE ? other->state_reason
                                                        : one->state_reason,
                     ==, P2P_REASON_DUPLICATE);
    node_free (one);
    node_free (other);
  }
  broker_stop (&broker);
}

/* -- Someone else at the broker -------------------------------------------- */

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
static void
test_epochs (void)
{
  Broker broker = broker_start (ANYONE);
  Node *device = node_online (broker.uri, P2P_ROLE_DEVICE, KEY);
  Node *viewer = node_online (broker.uri, P2P_ROLE_VIEWER, KEY);
  guint epochs = g_getenv ("P2P_VALGRIND") ? 1 : 2;
  guint i, n = P2P_MQTT_EPOCH_CHANNELS * epochs + 10;

  for (i = 0; i < n; i++) {
    assert_conversation (viewer);
    p2p_channel_close (viewer->channel);
  }
  wait_until (device->closed == n);
  g_assert_cmpuint (device->rejected, ==, 0);
  g_assert_cmpuint (viewer->closed, ==, 0);
  node_free (viewer);
  node_free (device);
  broker_stop (&broker);
}

static void
test_busy (void)
{
  Broker broker = broker_start (ANYONE);
  Node *device = node_online (broker.uri, P2P_ROLE_DEVICE, KEY);
  Node *viewer = node_online (broker.uri, P2P_ROLE_VIEWER, KEY);
  guint i;

  for (i = 0; i < P2P_SIGNAL_MAX_CHANNELS; i++)
    assert_conversation (viewer);
  p2p_signaller_open_channel (viewer->signaller);
  wait_until (viewer->closed == 1);
  g_assert_cmpstr (viewer->close_reason, ==, P2P_REASON_BUSY);
  node_free (viewer);
  node_free (device);
  broker_stop (&broker);
}

/* -- Brokers that fail ----------------------------------------------------- */

static void
test_broker_restart (void)
{
  Broker broker = broker_start (ANYONE);
  Node *device = quick_node (broker.uri, P2P_ROLE_DEVICE, KEY);
  Node *viewer = quick_node (broker.uri, P2P_ROLE_VIEWER, KEY);
  guint round;

  node_start (device);
  node_start (viewer);
  wait_until (device->online && viewer->online);
  for (round = 1; round <= 3; round++) {
    assert_conversation (viewer);
    broker_kill (&broker);
    wait_until (device->state == P2P_SIGNALLER_OFFLINE
                && viewer->state == P2P_SIGNALLER_OFFLINE);
    wait_until (device->closed == round && viewer->closed == round);
    g_assert_cmpstr (viewer->state_reason, ==, P2P_REASON_HEARTBEAT);
    g_assert_cmpstr (viewer->close_reason, ==, P2P_REASON_HEARTBEAT);
    g_assert_cmpstr (device->close_reason, ==, P2P_REASON_HEARTBEAT);
    g_assert_nonnull (strstr (viewer->state_detail, broker.uri));
    broker_run (&broker, ANYONE);
    wait_until (device->online == round + 1 && viewer->online == round + 1);
  }
  assert_conversation (viewer);
  node_free (viewer);
  node_free (device);
  broker_stop (&broker);
}

static void
test_no_broker (void)
{
  g_autofree gchar *uri
      = g_strdup_printf ("mqtt://me:secret@127.0.0.1:%u", free_port ());
  Node *viewer = quick_node (uri, P2P_ROLE_VIEWER, KEY);

  node_start (viewer);
  wait_until (viewer->state_reason);
  g_assert_cmpint (viewer->state, ==, P2P_SIGNALLER_OFFLINE);
  g_assert_cmpstr (viewer->state_reason, ==, P2P_REASON_HEARTBEAT);
  g_assert_nonnull (strstr (viewer->state_detail, "Connection refused"));
  g_assert_nonnull (strstr (viewer->state_detail, "mqtt://me:***@127.0.0.1"));
  g_assert_null (strstr (viewer->state_detail, "secret"));
  p2p_signaller_open_channel (viewer->signaller);
  wait_until (viewer->closed == 1);
  g_assert_cmpstr (viewer->close_reason, ==, P2P_REASON_HEARTBEAT);
  node_free (viewer);
}

static void
test_unknown_name (void)
{
  Node *viewer
      = quick_node ("mqtt://no-such-host.invalid", P2P_ROLE_VIEWER, KEY);

  node_start (viewer);
  wait_until (viewer->state_reason);
  g_assert_cmpstr (viewer->state_reason, ==, P2P_REASON_HEARTBEAT);
  g_assert_nonnull (strstr (viewer->state_detail, "no-such-host.invalid"));
  node_free (viewer);
}

static void
test_not_authorised (void)
{
  Broker broker = broker_start ("allow_anonymous false");
  g_autofree gchar *uri
      = g_strdup_printf ("mqtt://me:secret@localhost:%u", broker.port);
  Node *viewer = quick_node (uri, P2P_ROLE_VIEWER, KEY);

  node_start (viewer);
  wait_until (viewer->state_reason);
  g_assert_cmpstr (viewer->state_reason, ==, P2P_REASON_TOKEN);
  g_assert_nonnull (strstr (viewer->state_detail, "not authorised"));
  g_assert_null (strstr (viewer->state_detail, "secret"));
  node_free (viewer);
  broker_stop (&broker);
}

static void
test_acl (void)
{
  g_autofree gchar *acl = g_strconcat (directory, "/acl", NULL);
  g_autofree gchar *options = g_strdup_printf (ANYONE "\nacl_file %s", acl);
  Broker broker;
  Node *device;

  g_assert_true (
      g_file_set_contents (acl, "topic readwrite other/#\n", -1, NULL));
  broker = broker_start (options);
  device = quick_node (broker.uri, P2P_ROLE_DEVICE, KEY);
  p2p_signaller_get_timing (device->signaller)->connect = 200;
  node_start (device);
  wait_until (device->state_reason || device->online);
  g_assert_cmpstr (device->state_reason, ==, P2P_REASON_TOKEN);
  g_assert_nonnull (strstr (device->state_detail, "rules"));
  node_free (device);
  broker_stop (&broker);
}

/* A port that takes connections and says nothing, and one that does not even
 * take them: stopping is at once, and nothing stays behind. */
static void
test_black_hole (void)
{
  g_autoptr (GSocketListener) hole = g_socket_listener_new ();
  guint16 port = g_socket_listener_add_any_inet_port (hole, NULL, NULL);
  const gchar *const schemes[] = { "mqtt", "mqtts" };
  guint fds, threads, i;
  Node *first;

  first = quick_node ("mqtt://localhost:1", P2P_ROLE_VIEWER, KEY);
  node_start (first);
  wait_until (first->state_reason);
  node_free (first);
  fds = count_fds ();
  threads = count_threads ();
  for (i = 0; i < 40; i++) {
    g_autofree gchar *uri
        = g_strdup_printf ("%s://%s:%u", schemes[i / 2 % 2],
                           i % 2 ? "localhost" : "127.0.0.1", port);
    Node *node = node_new (uri, i < 20 ? P2P_ROLE_DEVICE : P2P_ROLE_VIEWER,
                           DEVICE, KEY);
    gint64 patience = p2p_signaller_get_timing (node->signaller)->connect;
    guint steps = 0;
    gint64 start;

    node_start (node);
    while (p2p_signaller_get_state (node->signaller) == P2P_SIGNALLER_CONNECTING
           && !node->signaller->running)
      g_main_context_iteration (NULL, TRUE);
    for (steps = 0; steps < i; steps++)
      g_main_context_iteration (NULL, FALSE);
    start = g_get_monotonic_time ();
    node_free (node);
    /* What waits for the network here, waits until it gives up. */
    g_assert_cmpint ((g_get_monotonic_time () - start) / 1000, <, patience / 2);
  }
  wait_until (count_fds () == fds);
  wait_until (count_threads () <= threads + 2); /* GLib's workers */
}

static void
test_deaf_broker (void)
{
  g_autoptr (GSocketListener) hole = g_socket_listener_new ();
  guint16 port = g_socket_listener_add_any_inet_port (hole, NULL, NULL);
  g_autofree gchar *uri = g_strdup_printf ("mqtt://127.0.0.1:%u", port);
  Node *viewer = quick_node (uri, P2P_ROLE_VIEWER, KEY);

  p2p_signaller_get_timing (viewer->signaller)->connect = 100;
  node_start (viewer);
  wait_until (viewer->state_reason);
  g_assert_cmpstr (viewer->state_reason, ==, P2P_REASON_HEARTBEAT);
  g_assert_nonnull (strstr (viewer->state_detail, "MQTT"));
  node_free (viewer);
}

/* Not MQTT at all: whatever answers, it does not end well. */
static gboolean
on_garbage_client (GSocketService *service, GSocketConnection *connection,
                   GObject *source, gpointer user)
{
  guint8 noise[4000];
  gsize i;

  for (i = 0; i < sizeof noise; i++)
    noise[i] = g_test_rand_int_range (0, 256);
  g_output_stream_write (g_io_stream_get_output_stream (
                             G_IO_STREAM (connection)),
                         noise, sizeof noise, NULL, NULL);
  g_io_stream_close (G_IO_STREAM (connection), NULL, NULL);
  ++*(guint *)user;
  return TRUE;
}

static void
test_garbage_broker (void)
{
  g_autoptr (GSocketService) service = g_socket_service_new ();
  guint16 port
      = g_socket_listener_add_any_inet_port (G_SOCKET_LISTENER (service), NULL,
                                             NULL);
  g_autofree gchar *uri = g_strdup_printf ("mqtt://127.0.0.1:%u", port);
  Node *viewer = quick_node (uri, P2P_ROLE_VIEWER, KEY);
  guint clients = 0;

  p2p_signaller_get_timing (viewer->signaller)->backoff = 1;
  p2p_signaller_get_timing (viewer->signaller)->backoff_max = 1;
  p2p_signaller_get_timing (viewer->signaller)->connect = 200;
  g_signal_connect (service, "incoming", G_CALLBACK (on_garbage_client),
                    &clients);
  node_start (viewer);
  wait_until (clients >= 50);
  g_assert_cmpuint (viewer->online, ==, 0);
  node_free (viewer);
  g_socket_service_stop (service);
}

static void
stop_now (gpointer user)
{
  Node *node = user;

  p2p_signaller_stop (node->signaller);
}

static void
free_now (gpointer user)
{
  Node *node = user;

  node->on_event = NULL;
  p2p_signaller_free (g_steal_pointer (&node->signaller));
}

static void
test_stop_in_callbacks (void)
{
  Broker broker = broker_start (ANYONE);
  void (*const ways[]) (gpointer) = { stop_now, free_now };
  guint way, event;

  for (way = 0; way < G_N_ELEMENTS (ways); way++) {
    for (event = 0; event < 5; event++) {
      Node *device = node_new (broker.uri, P2P_ROLE_DEVICE, DEVICE, KEY);
      Node *viewer = node_online (broker.uri, P2P_ROLE_VIEWER, KEY);

      node_start (device);
      if (event == 0) /* CONNECTING */
        device->on_event = ways[way];
      wait_until (device->online == 1 || device->on_event
                  || !device->signaller);
      if (event == 0) {
        wait_until (!device->signaller || device->signaller->stopped);
        goto next;
      }
      p2p_signaller_open_channel (viewer->signaller);
      if (event == 1)
        viewer->on_event = ways[way];
      wait_until (viewer->opened == 1);
      if (event == 2 || event == 3) {
        (event == 2 ? device : viewer)->on_event = ways[way];
        p2p_channel_send (viewer->channel, "{}");
        wait_until (event == 2 ? device->opened && viewer->closed
                               : viewer->messages->len);
      } else if (event == 4) {
        viewer->on_event = ways[way];
        node_free (g_steal_pointer (&device));
        wait_until (viewer->closed == 1);
      }
    next:
      node_free (viewer);
      if (device)
        node_free (device);
    }
  }
  broker_stop (&broker);
}

/* -- TLS ------------------------------------------------------------------ */

static void G_GNUC_PRINTF (1, 2) openssl (const gchar *format, ...)
{
  g_autofree gchar *arguments = NULL, *command = NULL;
  va_list args;

  va_start (args, format);
  arguments = g_strdup_vprintf (format, args);
  va_end (args);
  command = g_strdup_printf ("cd '%s' && openssl %s 2>openssl.log", directory,
                             arguments);
  if (system (command) != 0)
    g_error ("failed: %s", command);
}

static void
make_ca (const gchar *name)
{
  openssl ("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
           "-days 2 -subj /CN=%s -keyout %s.key -out %s.crt",
           name, name, name);
}

static void
make_server (const gchar *name, const gchar *san)
{
  g_autofree gchar *ext = g_strconcat (directory, "/ext", NULL);
  g_autofree gchar *names = g_strdup_printf ("subjectAltName=%s\n", san);

  openssl ("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
           "-subj /CN=broker -keyout %s.key -out %s.csr",
           name, name);
  g_assert_true (g_file_set_contents (ext, names, -1, NULL));
  openssl ("x509 -req -in %s.csr -CA ca.crt -CAkey ca.key -CAcreateserial "
           "-days 2 -extfile ext -out %s.crt",
           name, name);
}

static Broker
tls_broker (const gchar *server)
{
  g_autofree gchar *options
      = g_strdup_printf (ANYONE "\n"
                                "certfile %s/%s.crt\nkeyfile %s/%s.key",
                         directory, server, directory, server);

  return broker_start (options);
}

static gchar *
tls_uri (Broker *broker, const gchar *host, const gchar *ca)
{
  return ca ? g_strdup_printf ("mqtts://%s:%u?ca-file=%s/%s", host,
                               broker->port, directory, ca)
            : g_strdup_printf ("mqtts://%s:%u", host, broker->port);
}

static void
assert_tls_refused (Broker *broker, const gchar *host, const gchar *ca,
                    const gchar *why)
{
  g_autofree gchar *uri = tls_uri (broker, host, ca);
  Node *device = quick_node (uri, P2P_ROLE_DEVICE, KEY);

  node_start (device);
  wait_until (device->state_reason || device->online);
  g_assert_cmpuint (device->online, ==, 0);
  g_assert_cmpstr (device->state_reason, ==, P2P_REASON_HEARTBEAT);
  if (!strstr (device->state_detail, why))
    g_error ("'%s' not in: %s", why, device->state_detail);
  node_free (device);
}

static void
test_tls (void)
{
  Broker broker, other, plain = broker_start (ANYONE);
  g_autofree gchar *by_name = NULL, *by_address = NULL;
  Node *device, *viewer;

  make_ca ("ca");
  make_ca ("wrong-ca");
  make_server ("server", "DNS:localhost,IP:127.0.0.1");
  make_server ("other", "DNS:other.example");
  broker = tls_broker ("server");
  other = tls_broker ("other");

  by_name = tls_uri (&broker, "localhost", "ca.crt");
  by_address = tls_uri (&broker, "127.0.0.1", "ca.crt");
  device = node_online (by_name, P2P_ROLE_DEVICE, KEY);
  viewer = node_online (by_address, P2P_ROLE_VIEWER, KEY);
  assert_conversation (viewer);
  node_free (viewer);
  node_free (device);

  assert_tls_refused (&broker, "localhost", "wrong-ca.crt", "certificate");
  assert_tls_refused (&broker, "localhost", NULL, "certificate");
  assert_tls_refused (&other, "localhost", "ca.crt", "hostname mismatch");
  assert_tls_refused (&other, "127.0.0.1", "ca.crt", "IP address mismatch");
  assert_tls_refused (&broker, "localhost", "server.key", "no CA cert");
  assert_tls_refused (&plain, "localhost", "ca.crt", "");
  broker_stop (&broker);
  broker_stop (&other);
  broker_stop (&plain);
}

int
main (int argc, char **argv)
{
  int status;

  self = argv[0];
  if (argc == 3 && strcmp (argv[1], "--device") == 0)
    return be_device (argv[2]);
  g_test_init (&argc, &argv, NULL);
  mosquitto = g_find_program_in_path ("mosquitto");
  if (!mosquitto
      && g_file_test ("/usr/sbin/mosquitto", G_FILE_TEST_IS_EXECUTABLE))
    mosquitto = g_strdup ("/usr/sbin/mosquitto");
  if (!mosquitto) {
    g_print ("1..0 # SKIP mosquitto is not installed\n");
    return 0;
  }
  directory = g_dir_make_tmp ("signalling-XXXXXX", NULL);
  g_test_add_func ("/mqtt/conversation", test_conversation);
  g_test_add_func ("/mqtt/wrong-key", test_wrong_key);
  g_test_add_func ("/mqtt/device-comes-and-goes", test_device_comes_and_goes);
  g_test_add_func ("/mqtt/device-killed", test_device_killed);
  g_test_add_func ("/mqtt/viewer-silent", test_viewer_silent);
  g_test_add_func ("/mqtt/duplicate", test_duplicate);
  g_test_add_func ("/mqtt/duplicates-at-once", test_duplicates_at_once);
  g_test_add_func ("/mqtt/wills-of-others", test_wills_of_others);
  g_test_add_func ("/mqtt/hostile-broker", test_hostile_broker);
  g_test_add_func ("/mqtt/garbage", test_garbage);
  g_test_add_func ("/mqtt/presence-restored", test_presence_restored);
  g_test_add_func ("/mqtt/presence-replayed", test_presence_replayed);
  g_test_add_func ("/mqtt/stale-presence", test_stale_presence);
  g_test_add_func ("/mqtt/epochs", test_epochs);
  g_test_add_func ("/mqtt/busy", test_busy);
  g_test_add_func ("/mqtt/broker-restart", test_broker_restart);
  g_test_add_func ("/mqtt/no-broker", test_no_broker);
  g_test_add_func ("/mqtt/unknown-name", test_unknown_name);
  g_test_add_func ("/mqtt/not-authorised", test_not_authorised);
  g_test_add_func ("/mqtt/acl", test_acl);
  g_test_add_func ("/mqtt/black-hole", test_black_hole);
  g_test_add_func ("/mqtt/deaf-broker", test_deaf_broker);
  g_test_add_func ("/mqtt/garbage-broker", test_garbage_broker);
  g_test_add_func ("/mqtt/stop-in-callbacks", test_stop_in_callbacks);
  g_test_add_func ("/mqtt/tls", test_tls);
  status = g_test_run ();
  if (status == 0) {
    g_autofree gchar *command = g_strdup_printf ("rm -r '%s'", directory);

    if (system (command) != 0)
      status = 1;
  }
  g_free (directory);
  g_free (mosquitto);
  return status;
}
