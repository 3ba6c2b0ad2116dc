/* mqtt:// with a real Mosquitto: devices and viewers that come, go and meet
 * their like.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "p2pmqtt.h"
#include "signalling-broker.h"

#include <string.h>

static const gchar *self;

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

/* -- Limits --------------------------------------------------------------- */

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

int
main (int argc, char **argv)
{
  self = argv[0];
  if (argc == 3 && strcmp (argv[1], "--device") == 0)
    return be_device (argv[2]);
  if (!broker_tests_begin (&argc, &argv))
    return 0;
  g_test_add_func ("/mqtt/conversation", test_conversation);
  g_test_add_func ("/mqtt/wrong-key", test_wrong_key);
  g_test_add_func ("/mqtt/device-comes-and-goes", test_device_comes_and_goes);
  g_test_add_func ("/mqtt/device-killed", test_device_killed);
  g_test_add_func ("/mqtt/viewer-silent", test_viewer_silent);
  g_test_add_func ("/mqtt/duplicate", test_duplicate);
  g_test_add_func ("/mqtt/duplicates-at-once", test_duplicates_at_once);
  g_test_add_func ("/mqtt/epochs", test_epochs);
  g_test_add_func ("/mqtt/busy", test_busy);
  return broker_tests_run ();
}
