/* The same session over each signaller: what differs is how the two find each
 * other, and what a stranger is told.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * mqtt:// needs mosquitto; says so and skips without it.
 */
#include "session-util.h"

#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define H264 "video/x-h264, stream-format=(string)byte-stream, " \
    "alignment=(string)au"

typedef struct
{
  Side device, viewer;
  Source video;
  Wish wish;
} World;

static void
world_open (World *w, const gchar *uri)
{
  P2pEndpointConfig config;

  memset (w, 0, sizeof *w);
  side_config (&config, P2P_ROLE_DEVICE, uri);
  side_open (&w->device, &config);
  WAIT_FOR (w->device.steps[P2P_STEP_SERVER][TRUE] >= 1);
  source_open (&w->video, &w->device, P2P_WIRE_VIDEO, "video_0", NULL, 0);
  p2p_stream_set_caps (w->video.stream, H264);
  config.role = P2P_ROLE_VIEWER;
  side_open (&w->viewer, &config);
  wish_open (&w->wish, &w->viewer, "action=live");
}

static void
world_close (World *w)
{
  wish_close (&w->wish);
  side_close (&w->viewer);
  source_close (&w->video);
  side_close (&w->device);
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
  g_assert_false (v->closed);
}

static void
check_steps (Side *side)
{
  guint step;

  WAIT_FOR (side->steps[P2P_STEP_MEDIA][TRUE] == 1);
  for (step = P2P_STEP_AUTH; step <= P2P_STEP_MEDIA; step++)
    g_assert_cmpuint (side->steps[step][TRUE], ==, 1);
  for (step = P2P_STEP_SERVER; step <= P2P_STEP_MEDIA; step++)
    g_assert_cmpuint (side->steps[step][FALSE], ==, 0);
}

static void
one_session (const gchar *uri)
{
  World w;

  world_open (&w, uri);
  WAIT_FOR (w.wish.complete == 1);
  send_frames (&w, 20);
  check_steps (&w.viewer);
  check_steps (&w.device);
  world_close (&w);
}

/* Nobody with that key is there: no word of who is. */
static void
wrong_key (const gchar *uri)
{
  P2pEndpointConfig config;
  Side device, viewer;

  side_config (&config, P2P_ROLE_DEVICE, uri);
  side_open (&device, &config);
  WAIT_FOR (device.steps[P2P_STEP_SERVER][TRUE] == 1);
  config.role = P2P_ROLE_VIEWER;
  config.key = "not the key of this camera";
  side_open (&viewer, &config);
  WAIT_FOR (viewer.steps[P2P_STEP_SERVER][FALSE]
      + viewer.steps[P2P_STEP_AUTH][FALSE] >= 1);
  g_assert_cmpuint (viewer.steps[P2P_STEP_AUTH][TRUE], ==, 0);
  g_assert_cmpstr (viewer.reasons[P2P_STEP_SERVER] != NULL
      ? viewer.reasons[P2P_STEP_SERVER] : viewer.reasons[P2P_STEP_AUTH], ==,
      "no-answer");
  g_assert_cmpuint (device.added, ==, 0);
  side_close (&viewer);
  side_close (&device);
  WAIT_FOR (p2p_endpoint_count_alive () == 0);
}

/* -- lan:// ---------------------------------------------------------------- */

static gchar *
lan_uri (void)
{
  return g_strdup_printf ("lan://lo:%u", free_port ());
}

static void
test_lan (void)
{
  gchar *uri = lan_uri ();

  one_session (uri);
  g_free (uri);
}

static void
test_lan_wrong_key (void)
{
  gchar *uri = lan_uri ();

  wrong_key (uri);
  g_free (uri);
}

/* -- mqtt:// --------------------------------------------------------------- */

typedef struct
{
  GPid pid;
  guint port;
  gchar *dir, *config, *program;
} Broker;

static void
broker_run (Broker *broker)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  gchar *argv[] = { broker->program, (gchar *) "-c", broker->config, NULL };
  gint64 deadline = g_get_monotonic_time () + 10 * G_TIME_SPAN_SECOND;
  gboolean up = FALSE;

  g_assert_true (g_spawn_async (broker->dir, argv, NULL,
          G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL
          | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &broker->pid, NULL));
  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  address.sin_port = htons ((guint16) broker->port);
  while (!up) {
    int fd = socket (AF_INET, SOCK_STREAM, 0);

    g_assert_cmpint (g_get_monotonic_time (), <, deadline);
    up = connect (fd, (struct sockaddr *) &address, sizeof address) == 0;
    close (fd);
    g_thread_yield ();
  }
}

static void
broker_kill (Broker *broker)
{
  kill (broker->pid, SIGKILL);
  waitpid (broker->pid, NULL, 0);
  g_spawn_close_pid (broker->pid);
}

static gboolean
broker_start (Broker *broker)
{
  gchar *text;

  broker->program = g_find_program_in_path ("mosquitto");
  if (broker->program == NULL
      && g_file_test ("/usr/sbin/mosquitto", G_FILE_TEST_IS_EXECUTABLE))
    broker->program = g_strdup ("/usr/sbin/mosquitto");
  if (broker->program == NULL) {
    g_test_skip ("mosquitto is not installed");
    return FALSE;
  }
  broker->port = free_port ();
  broker->dir = g_dir_make_tmp ("p2p-broker-XXXXXX", NULL);
  broker->config = g_build_filename (broker->dir, "conf", NULL);
  text = g_strdup_printf ("listener %u 127.0.0.1\nallow_anonymous true\n"
      "persistence false\n", broker->port);
  g_assert_true (g_file_set_contents (broker->config, text, -1, NULL));
  g_free (text);
  broker_run (broker);
  return TRUE;
}

static void
broker_stop (Broker *broker)
{
  broker_kill (broker);
  g_unlink (broker->config);
  g_rmdir (broker->dir);
  g_free (broker->config);
  g_free (broker->dir);
  g_free (broker->program);
}

static gchar *
mqtt_uri (Broker *broker)
{
  return g_strdup_printf ("mqtt://127.0.0.1:%u", broker->port);
}

static void
test_mqtt (void)
{
  Broker broker;
  gchar *uri;

  if (!broker_start (&broker))
    return;
  uri = mqtt_uri (&broker);
  one_session (uri);
  wrong_key (uri);
  g_free (uri);
  broker_stop (&broker);
}

/* The broker dies and comes back: the stream does not notice, and who comes
 * after that gets in. */
static void
test_broker_restarts (void)
{
  Broker broker;
  World w;
  P2pEndpointConfig config;
  gchar *uri;

  if (!broker_start (&broker))
    return;
  uri = mqtt_uri (&broker);
  world_open (&w, uri);
  WAIT_FOR (w.wish.complete == 1);
  send_frames (&w, 10);
  broker_kill (&broker);
  WAIT_FOR (w.device.steps[P2P_STEP_SERVER][FALSE] >= 1);
  send_frames (&w, 10);
  broker_run (&broker);
  WAIT_FOR (w.device.steps[P2P_STEP_SERVER][TRUE] >= 2);
  send_frames (&w, 10);
  g_assert_cmpuint (w.viewer.removed + w.device.removed, ==, 0);
  wish_close (&w.wish);
  side_close (&w.viewer);
  WAIT_FOR (w.device.removed == 1);
  side_config (&config, P2P_ROLE_VIEWER, uri);
  side_open (&w.viewer, &config);
  wish_open (&w.wish, &w.viewer, "");
  WAIT_FOR (w.wish.complete == 1);
  world_close (&w);
  g_free (uri);
  broker_stop (&broker);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/session/lan", test_lan);
  g_test_add_func ("/session/lan/wrong-key", test_lan_wrong_key);
#ifdef HAVE_MQTT
  g_test_add_func ("/session/mqtt", test_mqtt);
  g_test_add_func ("/session/mqtt/broker-restarts", test_broker_restarts);
#endif
  return g_test_run ();
}
