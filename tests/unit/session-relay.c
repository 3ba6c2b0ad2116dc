/* Sessions through a relay on loopback, and sessions that change their path.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Needs coturn's turnserver; says so and skips without it. The tests of path
 * changes reach into the endpoint, on its own thread, for what a network does
 * only when it breaks.
 */
#include "session-util.h"
#include "p2pendpoint-private.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define H264 "video/x-h264, stream-format=(string)byte-stream, " \
    "alignment=(string)au"

typedef struct
{
  GPid pid;
  guint port;
  gchar *dir;
} Relay;

static gboolean
accepts (guint port)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  int fd = socket (AF_INET, SOCK_STREAM, 0);
  gboolean ok;

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  address.sin_port = htons ((guint16) port);
  ok = connect (fd, (struct sockaddr *) &address, sizeof address) == 0;
  close (fd);
  return ok;
}

/* It listens to UDP a moment after it does to TCP. */
static gboolean
answers (guint port)
{
  /* A STUN binding request. */
  static const guint8 request[20] = { 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 7 };
  struct sockaddr_in address = { .sin_family = AF_INET };
  int fd = socket (AF_INET, SOCK_DGRAM, 0);
  struct pollfd poller = { fd, POLLIN, 0 };
  guint8 reply[512];
  gboolean ok;

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  address.sin_port = htons ((guint16) port);
  ok = connect (fd, (struct sockaddr *) &address, sizeof address) == 0
      && send (fd, request, sizeof request, 0) == sizeof request
      && poll (&poller, 1, 100) == 1 && recv (fd, reply, sizeof reply, 0) > 0;
  close (fd);
  return ok;
}

static gboolean
relay_start (Relay *relay)
{
  gchar *program = g_find_program_in_path ("turnserver");
  gint64 deadline = g_get_monotonic_time () + 10 * G_TIME_SPAN_SECOND;
  gchar *port, *pidfile, *userdb;

  if (program == NULL) {
    g_test_skip ("turnserver (package coturn) is not installed");
    return FALSE;
  }
  relay->port = free_port ();
  relay->dir = g_dir_make_tmp ("p2p-relay-XXXXXX", NULL);
  port = g_strdup_printf ("%u", relay->port);
  pidfile = g_strdup_printf ("--pidfile=%s/pid", relay->dir);
  userdb = g_strdup_printf ("--userdb=%s/db", relay->dir);
  gchar *argv[] = { program, (gchar *) "-n",
    (gchar *) "--listening-ip=127.0.0.1", (gchar *) "--relay-ip=127.0.0.1",
    (gchar *) "--listening-port", port, (gchar *) "--realm=test",
    (gchar *) "--user=me:hunter2", (gchar *) "--lt-cred-mech",
    (gchar *) "--no-tls", (gchar *) "--no-dtls", (gchar *) "--no-cli",
    (gchar *) "--allow-loopback-peers", (gchar *) "--log-file=stdout",
    (gchar *) "--simple-log", pidfile, userdb, NULL };
  g_assert_true (g_spawn_async (relay->dir, argv, NULL,
          G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL
          | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &relay->pid, NULL));
  /* It says nothing when it is ready; a connection does, and an answer. */
  while (!accepts (relay->port) || !answers (relay->port)) {
    g_assert_cmpint (g_get_monotonic_time (), <, deadline);
    g_thread_yield ();
  }
  g_free (program);
  g_free (port);
  g_free (pidfile);
  g_free (userdb);
  return TRUE;
}

static void
relay_stop (Relay *relay)
{
  const gchar *files[] = { "pid", "db", "db-wal", "db-shm" };
  guint i;

  kill (relay->pid, SIGKILL);
  g_spawn_close_pid (relay->pid);
  for (i = 0; i < G_N_ELEMENTS (files); i++) {
    gchar *path = g_build_filename (relay->dir, files[i], NULL);

    unlink (path);
    g_free (path);
  }
  rmdir (relay->dir);
  g_free (relay->dir);
}

typedef struct
{
  gchar *uri;
  Side device, viewer;
  Source video;
  Wish wish;
} World;

static void
world_open (World *w, const gchar *turn, gboolean relay_only)
{
  P2pEndpointConfig config;

  memset (w, 0, sizeof *w);
  w->uri = tcp_uri (free_port ());
  side_config (&config, P2P_ROLE_DEVICE, w->uri);
  config.turn_server = turn;
  config.relay_only = relay_only;
  side_open (&w->device, &config);
  WAIT_FOR (w->device.steps[P2P_STEP_SERVER][TRUE] == 1);
  source_open (&w->video, &w->device, P2P_WIRE_VIDEO, "video_0", NULL, 0);
  p2p_stream_set_caps (w->video.stream, H264);
  config.role = P2P_ROLE_VIEWER;
  side_open (&w->viewer, &config);
  wish_open (&w->wish, &w->viewer, "");
  WAIT_FOR (w->wish.complete == 1);
}

static void
world_close (World *w)
{
  wish_close (&w->wish);
  side_close (&w->viewer);
  source_close (&w->video);
  side_close (&w->device);
  g_free (w->uri);
  WAIT_FOR (p2p_endpoint_count_alive () == 0);
}

static void
send_frames (World *w, guint n)
{
  Received *v = wish_find (&w->wish, "video_0");
  guint i;

  for (i = 0; i < n; i++) {
    source_push (&w->video, 5000, TRUE);
    WAIT_FOR (v->frames->len == w->video.sent);
  }
  for (i = 0; i < v->frames->len; i++)
    g_assert_true (payload_matches (g_ptr_array_index (v->frames, i), "",
            i));
  g_assert_false (v->closed);
}

static void
through_relay (const gchar *parameters)
{
  Relay relay;
  World w;
  gchar *turn;

  if (!relay_start (&relay))
    return;
  turn = g_strdup_printf ("turn://me:hunter2@127.0.0.1:%u%s", relay.port,
      parameters);
  world_open (&w, turn, TRUE);
  g_assert_cmpstr (w.viewer.path, ==, "relay");
  WAIT_FOR (w.device.path != NULL);
  g_assert_cmpstr (w.device.path, ==, "relay");
  send_frames (&w, 50);
  world_close (&w);
  g_free (turn);
  relay_stop (&relay);
}

static void
test_udp (void)
{
  through_relay ("?transport=udp");
}

static void
test_tcp (void)
{
  through_relay ("?transport=tcp");
}

static void
test_wrong_password (void)
{
  Relay relay;
  World w = { 0 };
  P2pEndpointConfig config;
  gchar *turn;

  if (!relay_start (&relay))
    return;
  turn = g_strdup_printf ("turn://me:other@127.0.0.1:%u", relay.port);
  w.uri = tcp_uri (free_port ());
  side_config (&config, P2P_ROLE_DEVICE, w.uri);
  config.turn_server = turn;
  config.relay_only = TRUE;
  side_open (&w.device, &config);
  config.role = P2P_ROLE_VIEWER;
  WAIT_FOR (w.device.steps[P2P_STEP_SERVER][TRUE] == 1);
  side_open (&w.viewer, &config);
  WAIT_FOR (w.viewer.steps[P2P_STEP_PUNCH][FALSE] >= 1);
  g_assert_cmpuint (w.viewer.steps[P2P_STEP_AUTH][TRUE], >=, 1);
  g_assert_cmpstr (w.viewer.reasons[P2P_STEP_PUNCH], ==, "local-nat");
  side_close (&w.viewer);
  side_close (&w.device);
  g_free (w.uri);
  g_free (turn);
  relay_stop (&relay);
  WAIT_FOR (p2p_endpoint_count_alive () == 0);
}

static void
on_answer (gboolean trusted, const gchar *answer, gpointer user)
{
  *(gchar **) user = g_strdup (answer);
}

/* What a relay at `port` says to that password. */
static void
expect_answer (guint port, const gchar *password, const gchar *expected)
{
  gchar *uri = g_strdup_printf ("turn://me:%s@127.0.0.1:%u?transport=udp",
      password, port);
  GMainContext *context = g_main_context_new ();
  P2pIceServers *servers;
  P2pRelayProbe *probe;
  gchar *answer = NULL;
  GError *error = NULL;

  servers = p2p_ice_servers_new (NULL, uri, &error);
  g_assert_no_error (error);
  probe = p2p_relay_probe_new (servers, context, on_answer, &answer);
  p2p_ice_servers_free (servers);
  while (answer == NULL)
    g_main_context_iteration (context, TRUE);
  g_assert_true (g_str_has_prefix (answer, expected));
  g_assert_null (strstr (answer, password));
  p2p_relay_probe_free (probe);
  g_main_context_unref (context);
  g_free (answer);
  g_free (uri);
}

static void
test_answers (void)
{
  Relay relay;

  if (!relay_start (&relay))
    return;
  expect_answer (relay.port, "other", "it refuses the user or the password");
  expect_answer (relay.port, "hunter2", "it knows the user and the password");
  relay_stop (&relay);
  expect_answer (free_port (), "hunter2", "nobody listens there");
}

static guint generation_of (Side *side);
static void restart (P2pEndpoint *endpoint, gpointer data);

/* Nobody would notice while the direct path works: so each end is told once,
 * without the password, however often it asks the relay. */
static void
test_missing (void)
{
  Relay relay;
  World w;
  gchar *turn, *expected;
  guint i;

  if (!relay_start (&relay))
    return;
  turn = g_strdup_printf ("turn://me:other@127.0.0.1:%u?transport=udp",
      relay.port);
  expected = g_strdup_printf ("127.0.0.1:%u: it refuses the user or the password (error 401)",
      relay.port);
  world_open (&w, turn, FALSE);
  send_frames (&w, 10);
  WAIT_FOR (w.viewer.relay_missing == 1 && w.device.relay_missing == 1);
  g_assert_cmpstr (w.viewer.relay, ==, expected);
  g_assert_cmpstr (w.device.relay, ==, expected);
  g_assert_cmpstr (w.viewer.path, ==, "direct");
  p2p_endpoint_post (w.viewer.endpoint, restart, NULL, NULL);
  for (i = 0; generation_of (&w.viewer) == 0
      || generation_of (&w.device) == 0; i++) {
    g_assert_cmpuint (i, <, 5000);
    send_frames (&w, 1);
  }
  send_frames (&w, 20);
  g_assert_cmpuint (w.viewer.relay_missing, ==, 1);
  g_assert_cmpuint (w.device.relay_missing, ==, 1);
  world_close (&w);
  g_free (expected);
  g_free (turn);
  relay_stop (&relay);
}

/* -- Changes of the path --------------------------------------------------- */

typedef struct
{
  guint generation;
  gboolean settled;
} Seen;

static void
look (P2pEndpoint *endpoint, gpointer data)
{
  Seen *seen = data;
  P2pPeer *peer = endpoint->peers->len > 0
      ? g_ptr_array_index (endpoint->peers, 0) : NULL;

  g_mutex_lock (&world);
  seen->settled = TRUE;
  seen->generation = peer != NULL ? peer->generation : 0;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
}

static guint
generation_of (Side *side)
{
  Seen seen = { 0 };

  p2p_endpoint_post (side->endpoint, look, &seen, NULL);
  WAIT_FOR (seen.settled);
  return seen.generation;
}

static void
restart (P2pEndpoint *endpoint, gpointer data)
{
  p2p_peer_restart (endpoint->session);
}

/* Nothing is wrong with the old path: the session moves and no one notices. */
static void
test_new_path (void)
{
  World w;
  guint i;

  world_open (&w, NULL, FALSE);
  send_frames (&w, 10);
  p2p_endpoint_post (w.viewer.endpoint, restart, NULL, NULL);
  for (i = 0; generation_of (&w.viewer) == 0
      || generation_of (&w.device) == 0; i++) {
    g_assert_cmpuint (i, <, 5000);
    send_frames (&w, 1);
  }
  send_frames (&w, 20);
  g_assert_cmpuint (w.viewer.removed + w.device.removed, ==, 0);
  g_assert_cmpuint (w.wish.streams->len, ==, 1);
  world_close (&w);
}

static void
go_deaf (P2pEndpoint *endpoint, gpointer data)
{
  P2pPeer *peer = g_ptr_array_index (endpoint->peers, 0);

  p2p_connection_use_path (peer->connection, NULL);
}

/* The path dies without a word. The viewer notices the silence, makes another
 * one, and the stream goes on in the same session. */
static void
test_dead_path (void)
{
  World w;
  Received *v;
  guint n;

  world_open (&w, NULL, FALSE);
  send_frames (&w, 10);
  p2p_endpoint_post (w.device.endpoint, go_deaf, NULL, NULL);
  source_push (&w.video, 5000, TRUE);
  n = w.video.sent;
  v = wish_find (&w.wish, "video_0");
  WAIT_FOR (v->frames->len == n);
  g_assert_cmpuint (generation_of (&w.device), ==, 1);
  send_frames (&w, 20);
  g_assert_cmpuint (w.viewer.removed + w.device.removed, ==, 0);
  world_close (&w);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/session/relay/udp", test_udp);
  g_test_add_func ("/session/relay/tcp", test_tcp);
  g_test_add_func ("/session/relay/wrong-password", test_wrong_password);
  g_test_add_func ("/session/relay/answers", test_answers);
  g_test_add_func ("/session/relay/missing", test_missing);
  g_test_add_func ("/session/path/new", test_new_path);
  g_test_add_func ("/session/path/dead", test_dead_path);
  return g_test_run ();
}
