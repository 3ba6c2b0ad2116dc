/* Two endpoints and more in one process: who may come, coming back, beginning and
 * end, settings.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "p2pendpoint-private.h"
#include "session-world.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* -- Who may come ---------------------------------------------------------- */

static void
test_wrong_key (void)
{
  World w;
  P2pEndpointConfig config;

  world_open (&w);
  side_config (&config, P2P_ROLE_VIEWER, w.uri);
  config.key = "not the key of this camera";
  side_open (&w.viewer, &config);
  WAIT_FOR (w.viewer.steps[P2P_STEP_AUTH][FALSE] >= 1);
  g_assert_cmpstr (w.viewer.reasons[P2P_STEP_AUTH], ==, "check-failure");
  g_assert_cmpuint (w.viewer.steps[P2P_STEP_AUTH][TRUE], ==, 0);
  WAIT_FOR (w.device.steps[P2P_STEP_AUTH][FALSE] >= 1);
  g_assert_cmpstr (w.device.reasons[P2P_STEP_AUTH], ==, "check-failure");
  g_assert_cmpuint (w.device.added, ==, 0);
  side_close (&w.viewer);
  world_close (&w);
}

static void
test_unknown_device (void)
{
  World w;
  P2pEndpointConfig config;

  world_open (&w);
  side_config (&config, P2P_ROLE_VIEWER, w.uri);
  config.device_id = "camera-2";
  side_open (&w.viewer, &config);
  WAIT_FOR (w.viewer.steps[P2P_STEP_AUTH][FALSE] >= 1);
  g_assert_cmpstr (w.viewer.reasons[P2P_STEP_AUTH], ==, "check-failure");
  side_close (&w.viewer);
  world_close (&w);
}

static void
test_refused_by_application (void)
{
  World w;

  world_open (&w);
  w.device.refuse = TRUE;
  viewer_open (&w, &w.viewer);
  WAIT_FOR (w.viewer.steps[P2P_STEP_AUTH][FALSE] == 1
      || w.viewer.steps[P2P_STEP_PUNCH][FALSE] == 1);
  WAIT_FOR (w.device.steps[P2P_STEP_AUTH][FALSE] == 1);
  g_assert_cmpuint (w.device.asked, ==, 1);
  g_assert_cmpuint (w.device.added, ==, 0);
  g_assert_cmpuint (w.device.steps[P2P_STEP_TRANSPORT][TRUE], ==, 0);
  side_close (&w.viewer);
  world_close (&w);
}

/* The application may take its time; nothing is given out meanwhile. */
static void
test_slow_application (void)
{
  World w;
  Source video;
  Wish wish = { 0 };

  world_open (&w);
  source_open (&video, &w.device, P2P_WIRE_VIDEO, "video_0", NULL, 0);
  p2p_stream_set_caps (video.stream, H264);
  g_mutex_lock (&world);
  w.device.stall = TRUE;
  g_mutex_unlock (&world);
  viewer_open (&w, &w.viewer);
  wish_open (&wish, &w.viewer, "");
  WAIT_FOR (w.viewer.steps[P2P_STEP_PUNCH][TRUE] == 1);
  g_assert_cmpuint (wish.streams->len, ==, 0);
  g_assert_cmpuint (w.device.steps[P2P_STEP_PUNCH][TRUE], ==, 0);
  g_mutex_lock (&world);
  w.device.stall = FALSE;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
  WAIT_FOR (wish.complete == 1 && w.device.added == 1);
  stop_video (&w, &video, &wish);
}

static void
test_max_viewers (void)
{
  P2pEndpointConfig config;
  Side device, one, two;
  guint port = free_port ();
  gchar *uri = tcp_uri (port);
  gchar *other = g_strdup_printf ("tcp://127.0.0.2:%u", port);
  gchar *any = g_strdup_printf ("tcp://0.0.0.0:%u", port);

  side_config (&config, P2P_ROLE_DEVICE, any);
  config.max_viewers = 1;
  side_open (&device, &config);
  WAIT_FOR (device.steps[P2P_STEP_SERVER][TRUE] == 1);
  side_config (&config, P2P_ROLE_VIEWER, uri);
  side_open (&one, &config);
  WAIT_FOR (device.added == 1 && one.added == 1);
  side_config (&config, P2P_ROLE_VIEWER, other);
  side_open (&two, &config);
  WAIT_FOR (two.steps[P2P_STEP_AUTH][FALSE] >= 1);
  g_assert_cmpstr (two.reasons[P2P_STEP_AUTH], ==, "busy");
  g_assert_cmpuint (device.added, ==, 1);
  /* A place becomes free, and the second comes in by itself. */
  side_close (&one);
  WAIT_FOR (device.removed == 1);
  WAIT_FOR (two.added == 1);
  side_close (&two);
  side_close (&device);
  g_free (uri);
  g_free (other);
  g_free (any);
}

static void
test_kick (void)
{
  World w;
  Source video;
  Wish wish = { 0 };
  Received *v;
  gchar *peer;

  start_video (&w, &video, &wish);
  WAIT_FOR (w.device.added == 1);
  g_mutex_lock (&world);
  peer = g_strdup (w.device.peer);
  g_mutex_unlock (&world);
  v = wish_find (&wish, "video_0");
  g_assert_false (p2p_endpoint_kick (w.device.endpoint, "nobody"));
  g_assert_true (p2p_endpoint_kick (w.device.endpoint, peer));
  WAIT_FOR (w.device.removed == 1 && w.viewer.removed == 1 && v->closed);
  g_assert_cmpstr (w.device.removed_reason, ==, "kicked");
  g_assert_cmpstr (w.viewer.removed_reason, ==, "kicked");
  g_assert_true (v->lost);
  g_free (peer);
  stop_video (&w, &video, &wish);
}

/* Datagrams of every kind, from a stranger, at the socket that the session uses:
 * they are not even looked at, and the stream goes on. */
static void
test_garbage_at_the_socket (void)
{
  static const guint8 first_bytes[] = { 0x00, 0x01, 0x16, 0x17, 0x40, 0x7f,
    0xc0, 0xff };
  World w;
  Source video;
  Wish wish = { 0 };
  Received *v;
  P2pEndpointStats *stats;
  GSocketConnectable *address;
  GSocketAddressEnumerator *all;
  GSocketAddress *target;
  GSocket *stranger;
  guint i;

  start_video (&w, &video, &wish);
  source_push (&video, 1000, TRUE);
  v = wish_find (&wish, "video_0");
  WAIT_FOR (v->frames->len == 1);
  stats = p2p_endpoint_get_stats (w.viewer.endpoint);
  g_assert_cmpuint (stats->peers->len, ==, 1);
  address = g_network_address_parse (((P2pPeerStats *) g_ptr_array_index (
              stats->peers, 0))->local_address, 0, NULL);
  g_assert_nonnull (address);
  p2p_endpoint_stats_free (stats);
  all = g_socket_connectable_enumerate (address);
  target = g_socket_address_enumerator_next (all, NULL, NULL);
  stranger = g_socket_new (g_socket_address_get_family (target),
      G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, NULL);
  for (i = 0; i < 4000; i++) {
    gchar data[1400];
    guint j, size = 1 + (guint) g_test_rand_int_range (0, sizeof data);

    for (j = 0; j < size; j++)
      data[j] = (gchar) g_test_rand_int ();
    data[0] = (gchar) first_bytes[i % sizeof first_bytes];
    g_socket_send_to (stranger, target, data, size, NULL, NULL);
    if (i % 100 == 0) {
      source_push (&video, 3000, FALSE);
      WAIT_FOR (v->frames->len == video.sent);
    }
  }
  check_frames (v, 0, video.sent);
  g_assert_cmpuint (w.viewer.removed + w.device.removed, ==, 0);
  g_object_unref (stranger);
  g_object_unref (target);
  g_object_unref (all);
  g_object_unref (address);
  stop_video (&w, &video, &wish);
}

/* -- Coming back ----------------------------------------------------------- */

static void
test_device_restarts (void)
{
  World w;
  Source video;
  Wish wish = { 0 };
  Received *v;

  start_video (&w, &video, &wish);
  source_push (&video, 1000, TRUE);
  v = wish_find (&wish, "video_0");
  WAIT_FOR (v->frames->len == 1);
  source_close (&video);
  side_close (&w.device);
  WAIT_FOR (v->closed && w.viewer.removed == 1);
  device_open (&w);
  source_open (&video, &w.device, P2P_WIRE_VIDEO, "video_0", NULL, 0);
  p2p_stream_set_caps (video.stream, H264);
  WAIT_FOR (wish.streams->len == 2 && video.key_units == 1);
  source_push (&video, 1000, TRUE);
  v = wish_find (&wish, "video_0");
  WAIT_FOR (v->frames->len == 1);
  g_assert_cmpuint (v->epoch, ==, 1);
  g_assert_cmpuint (w.viewer.added, ==, 2);
  stop_video (&w, &video, &wish);
}

static void
test_viewer_first (void)
{
  World w;

  w.port = free_port ();
  w.uri = tcp_uri (w.port);
  viewer_open (&w, &w.viewer);
  WAIT_FOR (w.viewer.steps[P2P_STEP_SERVER][FALSE] >= 1);
  device_open (&w);
  WAIT_FOR (w.viewer.added == 1 && w.device.added == 1);
  side_close (&w.viewer);
  world_close (&w);
}

/* -- Beginning and end ----------------------------------------------------- */

static void
release_at (P2pStepKind stage, gboolean device_first)
{
  World w;
  Wish wish = { 0 };
  gint64 before;

  world_open (&w);
  viewer_open (&w, &w.viewer);
  wish_open (&wish, &w.viewer, "");
  WAIT_FOR (w.viewer.steps[stage][TRUE] == 1);
  before = g_get_monotonic_time ();
  if (device_first)
    side_close (&w.device);
  wish_close (&wish);
  side_close (&w.viewer);
  if (!device_first)
    side_close (&w.device);
  if (g_getenv ("P2P_VALGRIND") == NULL)
    g_assert_cmpint (g_get_monotonic_time () - before, <,
        2 * 600 * G_TIME_SPAN_MILLISECOND);
  g_free (w.uri);
  WAIT_FOR (p2p_endpoint_count_alive () == 0);
}

static void
test_release_at_every_stage (void)
{
  P2pStepKind stage;

  for (stage = P2P_STEP_SERVER; stage <= P2P_STEP_TRANSPORT; stage++) {
    release_at (stage, FALSE);
    release_at (stage, TRUE);
  }
}

/* What listens there accepts and never says a word: no call waits for it. */
static void
test_mute_server (void)
{
  GSocket *mute = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM,
      G_SOCKET_PROTOCOL_TCP, NULL);
  GSocketAddress *address = g_inet_socket_address_new_from_string (
      "127.0.0.1", 0);
  P2pEndpointConfig config;
  gint64 before, failed, started;
  Side viewer;
  gchar *uri;

  g_assert_true (g_socket_bind (mute, address, FALSE, NULL));
  g_object_unref (address);
  address = g_socket_get_local_address (mute, NULL);
  g_assert_true (g_socket_listen (mute, NULL));
  uri = tcp_uri (g_inet_socket_address_get_port (
          G_INET_SOCKET_ADDRESS (address)));
  side_config (&config, P2P_ROLE_VIEWER, uri);
  before = g_get_monotonic_time ();
  side_open (&viewer, &config);
  started = g_get_monotonic_time ();
  WAIT_FOR (viewer.steps[P2P_STEP_SERVER][FALSE] >= 1);
  failed = g_get_monotonic_time ();
  side_close (&viewer);
  if (g_getenv ("P2P_VALGRIND") == NULL) {
    g_assert_cmpint (started - before, <, 50 * G_TIME_SPAN_MILLISECOND);
    g_assert_cmpint (g_get_monotonic_time () - failed, <,
        600 * G_TIME_SPAN_MILLISECOND);
  }
  g_object_unref (address);
  g_object_unref (mute);
  g_free (uri);
  WAIT_FOR (p2p_endpoint_count_alive () == 0);
}

/* With and without ever having been started; nothing may stay behind. */
static void
test_never_started (void)
{
  P2pEndpointConfig config;
  P2pEndpoint *endpoint;
  P2pStreamConfig stream = { P2P_WIRE_DATA, "data_0", NULL, -1, -1 };
  P2pRequestCallbacks callbacks = { 0 };
  P2pStream *s;
  P2pRequest *r;

  side_config (&config, P2P_ROLE_DEVICE, "tcp://127.0.0.1:9");
  endpoint = p2p_endpoint_acquire (&config, NULL);
  s = p2p_endpoint_publish (endpoint, &stream, NULL, NULL);
  r = p2p_endpoint_request (endpoint, "action=talk", &callbacks, NULL);
  p2p_stream_set_caps (s, TEXT);
  p2p_request_close (r);
  p2p_stream_unpublish (s);
  p2p_endpoint_release (endpoint);
  g_assert_cmpuint (p2p_endpoint_count_alive (), ==, 0);
}

static void
one_cycle (World *w, Source *video, guint number)
{
  Wish wish = { 0 };
  Received *v;

  viewer_open (w, &w->viewer);
  wish_open (&wish, &w->viewer, "");
  WAIT_FOR (wish.complete == 1);
  source_push (video, 3000, TRUE);
  v = wish_find (&wish, "video_0");
  WAIT_FOR (v->frames->len == 1);
  wish_close (&wish);
  side_close (&w->viewer);
  WAIT_FOR (w->device.removed == number);
}

/* Of malloc; 0 where something else takes its place (ASan, valgrind), which
 * finds leaks by itself. */
static gsize
count_bytes (void)
{
  return mallinfo2 ().uordblks + mallinfo2 ().hblkhd;
}

typedef struct
{
  guint peers;
  gboolean done;
} Count;

static void
count_peers (P2pEndpoint *endpoint, gpointer user)
{
  Count *count = user;

  g_mutex_lock (&world);
  count->peers = endpoint->peers->len;
  count->done = TRUE;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
}

/* Until the memory of the peers that went has gone too. */
static void
wait_until_alone (P2pEndpoint *endpoint)
{
  Count count;

  do {
    count.done = FALSE;
    p2p_endpoint_post (endpoint, count_peers, &count, NULL);
    WAIT_FOR (count.done);
  } while (count.peers > 0);
}

/* What caches may take for good, in all and for each cycle: GnuTLS, which libnice
 * has its random numbers from, keeps 200 bytes of every thread that there was. A
 * session that was not freed is much more than that. */
#define BYTES_ONCE 65536
#define BYTES_PER_CYCLE 320
/* By then caches are as large as they get. */
#define WARM 10

static void
test_cycles (void)
{
  const gchar *more = g_getenv ("P2P_CYCLES");
  guint n = more != NULL ? (guint) atoi (more)
      : g_getenv ("P2P_VALGRIND") != NULL ? 5
      : g_getenv ("P2P_SOAK") != NULL ? 500 : 50;
  guint i, threads = 0, fds = 0;
  gsize bytes = 0;
  World w;
  Source video;

  world_open (&w);
  source_open (&video, &w.device, P2P_WIRE_VIDEO, "video_0", NULL, 0);
  p2p_stream_set_caps (video.stream, H264);
  for (i = 1; i <= n + 1; i++) {
    one_cycle (&w, &video, i);
    if (i == WARM) {
      wait_until_alone (w.device.endpoint);
      WAIT_FOR (count_threads () <= threads && count_fds () <= fds);
      bytes = count_bytes ();
    }
    /* The first makes what stays: GLib's worker threads. */
    if (i == 1) {
      threads = count_threads ();
      fds = count_fds ();
    }
  }
  /* The device lets go of the last path in the background. */
  WAIT_FOR (count_threads () <= threads && count_fds () <= fds);
  wait_until_alone (w.device.endpoint);
  if (n > WARM && bytes > 0)
    WAIT_FOR (count_bytes () <= bytes + BYTES_ONCE + n * BYTES_PER_CYCLE);
  g_test_message ("%" G_GSIZE_FORMAT " bytes after cycle %u, %" G_GSIZE_FORMAT
      " at the end", bytes, WARM, count_bytes ());
  source_close (&video);
  world_close (&w);
}

/* -- Settings -------------------------------------------------------------- */

static void
expect_error (P2pEndpointConfig *config, gint code, const gchar *mentions)
{
  GError *error = NULL;

  g_assert_null (p2p_endpoint_acquire (config, &error));
  g_assert_error (error, P2P_ENDPOINT_ERROR, code);
  if (strstr (error->message, mentions) == NULL)
    g_error ("\"%s\" does not mention %s", error->message, mentions);
  g_assert_null (strstr (error->message, KEY));
  g_assert_null (strstr (error->message, "hunter2"));
  g_error_free (error);
}

static void
test_settings (void)
{
  P2pEndpointConfig c;
  const gint bad = P2P_ENDPOINT_ERROR_SETTINGS;

  side_config (&c, P2P_ROLE_DEVICE, "tcp://127.0.0.1:9");
  c.device_id = NULL;
  expect_error (&c, bad, "device-id");
  c.device_id = "no spaces";
  expect_error (&c, bad, "device-id");
  side_config (&c, P2P_ROLE_VIEWER, "tcp://127.0.0.1:9");
  c.device_id = NULL;
  expect_error (&c, bad, "uri");
  side_config (&c, P2P_ROLE_DEVICE, "tcp://127.0.0.1:9");
  c.key = NULL;
  expect_error (&c, bad, "key-file");
  c.key = "short";
  expect_error (&c, bad, "key");
  side_config (&c, P2P_ROLE_DEVICE, "carrier-pigeon://here");
  expect_error (&c, bad, "signaller");
  side_config (&c, P2P_ROLE_DEVICE, "tcp://127.0.0.1:9");
  c.stun_server = "stun.example.org";
  expect_error (&c, bad, "stun-server");
  c.stun_server = NULL;
  c.turn_server = "turn://example.org";
  expect_error (&c, bad, "turn-server");
  c.turn_server = "turn://me:hunter2@example.org:99999";
  expect_error (&c, bad, "turn-server");
  c.turn_server = "turns://me:hunter2@example.org";
  expect_error (&c, bad, "turns://");
  c.turn_server = "turn://me:hunter2@example.org?transport=carrier";
  expect_error (&c, bad, "transport");
  c.turn_server = NULL;
  c.relay_only = TRUE;
  expect_error (&c, bad, "turn-server");
  c.relay_only = FALSE;
  c.max_viewers = 0;
  expect_error (&c, bad, "max-viewers");
  c.max_viewers = 4;
  c.warn_watermark = 1;
  expect_error (&c, bad, "watermark");
  c.warn_watermark = 0;
  c.high_watermark = 1;
  expect_error (&c, bad, "low-watermark");
  c.high_watermark = 0;
  expect_error (&c, bad, "low-watermark");
}

/* Marks are what the watermark policy takes, and two elements that share a
 * session and set one each have to fit together. */
static void
test_settings_of_marks (void)
{
  P2pEndpointConfig c, d;
  P2pEndpoint *one, *two;

  side_config (&c, P2P_ROLE_DEVICE, "tcp://127.0.0.1:9");
  c.low_watermark = c.warn_watermark = c.high_watermark = 0;
  one = p2p_endpoint_acquire (&c, NULL);
  g_assert_nonnull (one);
  p2p_endpoint_release (one);
  c.warn_watermark = 1;
  one = p2p_endpoint_acquire (&c, NULL);
  g_assert_nonnull (one);
  p2p_endpoint_release (one);

  side_config (&c, P2P_ROLE_DEVICE, "tcp://127.0.0.1:9");
  c.low_watermark = 300000;
  one = p2p_endpoint_acquire (&c, NULL);
  g_assert_nonnull (one);
  side_config (&d, P2P_ROLE_DEVICE, "tcp://127.0.0.1:9");
  d.warn_watermark = 250000;
  expect_error (&d, P2P_ENDPOINT_ERROR_CONFLICT, "low mark");
  d.warn_watermark = 350000;
  two = p2p_endpoint_acquire (&d, NULL);
  g_assert_true (two == one);
  p2p_endpoint_release (two);
  p2p_endpoint_release (one);
}

static void
test_shared_settings (void)
{
  P2pEndpointConfig c, d;
  P2pEndpoint *one, *two;

  side_config (&c, P2P_ROLE_DEVICE, "tcp://127.0.0.1:9");
  c.max_viewers = 4;
  one = p2p_endpoint_acquire (&c, NULL);
  /* One that says nothing about the number of viewers. */
  side_config (&d, P2P_ROLE_DEVICE, "tcp://127.0.0.1:9");
  two = p2p_endpoint_acquire (&d, NULL);
  g_assert_true (one == two);
  p2p_endpoint_release (two);
  d.max_viewers = 5;
  expect_error (&d, P2P_ENDPOINT_ERROR_CONFLICT, "max-viewers");
  d.max_viewers = 4;
  d.stun_server = "stun://192.0.2.1";
  expect_error (&d, P2P_ENDPOINT_ERROR_CONFLICT, "stun-server");
  /* Another key is another identity. */
  d.stun_server = NULL;
  d.key = "quite another key";
  two = p2p_endpoint_acquire (&d, NULL);
  g_assert_true (two != NULL && two != one);
  p2p_endpoint_release (two);
  p2p_endpoint_release (one);
  g_assert_cmpuint (p2p_endpoint_count_alive (), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/session/settings", test_settings);
  g_test_add_func ("/session/settings-of-marks", test_settings_of_marks);
  g_test_add_func ("/session/shared-settings", test_shared_settings);
  g_test_add_func ("/session/never-started", test_never_started);
  g_test_add_func ("/session/wrong-key", test_wrong_key);
  g_test_add_func ("/session/unknown-device", test_unknown_device);
  g_test_add_func ("/session/refused-by-application",
      test_refused_by_application);
  g_test_add_func ("/session/slow-application", test_slow_application);
  g_test_add_func ("/session/max-viewers", test_max_viewers);
  g_test_add_func ("/session/kick", test_kick);
  g_test_add_func ("/session/garbage-at-the-socket",
      test_garbage_at_the_socket);
  g_test_add_func ("/session/device-restarts", test_device_restarts);
  g_test_add_func ("/session/viewer-first", test_viewer_first);
  g_test_add_func ("/session/release-at-every-stage",
      test_release_at_every_stage);
  g_test_add_func ("/session/mute-server", test_mute_server);
  g_test_add_func ("/session/cycles", test_cycles);
  return g_test_run ();
}
