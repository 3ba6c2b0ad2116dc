/* mqtt:// and mqtts:// with brokers that refuse, are deaf, not there, or not
 * who they should be.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "p2pmqtt.h"
#include "signalling-broker.h"

#include <stdlib.h>
#include <string.h>

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
  g_autofree gchar *acl = g_strconcat (broker_directory, "/acl", NULL);
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
  command = g_strdup_printf ("cd '%s' && openssl %s 2>openssl.log",
                             broker_directory, arguments);
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
  g_autofree gchar *ext = g_strconcat (broker_directory, "/ext", NULL);
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
                         broker_directory, server, broker_directory, server);

  return broker_start (options);
}

static gchar *
tls_uri (Broker *broker, const gchar *host, const gchar *ca)
{
  return ca ? g_strdup_printf ("mqtts://%s:%u?ca-file=%s/%s", host,
                               broker->port, broker_directory, ca)
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
  if (!broker_tests_begin (&argc, &argv))
    return 0;
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
  return broker_tests_run ();
}
