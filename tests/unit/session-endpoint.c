/* Two endpoints and more in one process, over tcp:// on loopback: what a camera
 * and its viewers live through.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "p2pendpoint-private.h"
#include "session-util.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define H264 "video/x-h264, stream-format=(string)byte-stream, " \
    "alignment=(string)au, width=(int)640"
#define H264_SMALL "video/x-h264, stream-format=(string)byte-stream, " \
    "alignment=(string)au, width=(int)320"
#define OPUS "audio/x-opus, rate=(int)48000"
#define TEXT "text/x-raw, format=(string)utf8"

typedef struct
{
  guint port;
  gchar *uri;
  Side device, viewer;
} World;

static void
device_open (World *w)
{
  P2pEndpointConfig config;
  gchar *any = g_strdup_printf ("tcp://0.0.0.0:%u", w->port);

  side_config (&config, P2P_ROLE_DEVICE, any);
  side_open (&w->device, &config);
  g_free (any);
}

static void
world_open (World *w)
{
  w->port = free_port ();
  w->uri = tcp_uri (w->port);
  device_open (w);
  WAIT_FOR (w->device.steps[P2P_STEP_SERVER][TRUE] == 1);
}

static void
viewer_open (World *w, Side *side)
{
  P2pEndpointConfig config;

  side_config (&config, P2P_ROLE_VIEWER, w->uri);
  side_open (side, &config);
}

static void
world_close (World *w)
{
  side_close (&w->device);
  g_free (w->uri);
  g_assert_cmpuint (p2p_endpoint_count_alive (), ==, 0);
}

/* Every frame of the stream from `first` on, in order, as it was sent. */
static void
check_frames (Received *r, guint first, guint count)
{
  guint i;

  g_mutex_lock (&world);
  g_assert_cmpuint (r->frames->len, ==, count);
  for (i = 0; i < count; i++) {
    P2pWireFrame *frame = &g_array_index (r->headers, P2pWireFrame, i);

    g_assert_true (payload_matches (g_ptr_array_index (r->frames, i), "",
            first + i));
    g_assert_cmpint (frame->pts, ==, (gint64) (first + i) * 33333333);
  }
  g_mutex_unlock (&world);
}

/* -- Media ----------------------------------------------------------------- */

static void
test_three_streams (void)
{
  World w;
  Source video, audio, data;
  Wish wish = { 0 };
  Received *v, *a, *d;
  guint i;

  world_open (&w);
  source_open (&video, &w.device, P2P_WIRE_VIDEO, "video_0", NULL, 0);
  source_open (&audio, &w.device, P2P_WIRE_AUDIO, "audio_0", NULL, 0);
  source_open (&data, &w.device, P2P_WIRE_DATA, "data_0", NULL, -1);
  g_assert_true (p2p_stream_set_caps (video.stream, H264));
  g_assert_true (p2p_stream_set_caps (audio.stream, OPUS));
  g_assert_true (p2p_stream_set_caps (data.stream, TEXT));
  viewer_open (&w, &w.viewer);
  wish_open (&wish, &w.viewer, "action=live&channel=0");
  WAIT_FOR (wish.complete == 1 && wish.streams->len == 3);
  WAIT_FOR (w.device.steps[P2P_STEP_TRANSPORT][TRUE] == 1);
  for (i = 0; i < 200; i++) {
    g_assert_cmpint (source_push (&video, 3000 + 137 * (i % 50), i % 25 == 0),
        ==, P2P_PUSH_OK);
    g_assert_cmpint (source_push (&audio, 160, TRUE), ==, P2P_PUSH_OK);
    g_assert_cmpint (source_push (&data, 1 + i, TRUE), ==, P2P_PUSH_OK);
    v = NULL;
    /* At the pace of the viewer, so that nothing is held back. */
    WAIT_FOR ((v = wish_find (&wish, "video_0"))->frames->len == i + 1);
  }
  a = wish_find (&wish, "audio_0");
  d = wish_find (&wish, "data_0");
  WAIT_FOR (a->frames->len == 200 && d->frames->len == 200);
  check_frames (v, 0, 200);
  check_frames (a, 0, 200);
  check_frames (d, 0, 200);
  g_assert_cmpstr (g_ptr_array_index (v->caps, 0), ==, H264);
  g_assert_cmpstr (g_ptr_array_index (a->caps, 0), ==, OPUS);
  g_assert_cmpint (a->kind, ==, P2P_WIRE_AUDIO);
  g_assert_cmpstr (w.viewer.path, ==, "direct");
  WAIT_FOR (w.viewer.steps[P2P_STEP_MEDIA][TRUE] == 1
      && w.device.steps[P2P_STEP_MEDIA][TRUE] == 1);
  for (i = P2P_STEP_SERVER; i <= P2P_STEP_MEDIA; i++) {
    g_assert_cmpuint (w.viewer.steps[i][TRUE], ==, 1);
    g_assert_cmpuint (w.viewer.steps[i][FALSE], ==, 0);
    g_assert_cmpuint (w.device.steps[i][TRUE], ==, 1);
    g_assert_cmpuint (w.device.steps[i][FALSE], ==, 0);
  }
  wish_close (&wish);
  side_close (&w.viewer);
  WAIT_FOR (w.device.removed == 1);
  source_close (&video);
  source_close (&audio);
  source_close (&data);
  world_close (&w);
}


/* Both ends up, with one stream and one request. */
static void
start_video (World *w, Source *video, Wish *wish)
{
  world_open (w);
  source_open (video, &w->device, P2P_WIRE_VIDEO, "video_0", NULL, 0);
  g_assert_true (p2p_stream_set_caps (video->stream, H264));
  viewer_open (w, &w->viewer);
  wish_open (wish, &w->viewer, "action=live&channel=0");
  WAIT_FOR (wish->complete == 1);
  g_assert_cmpuint (p2p_stream_count_viewers (video->stream), ==, 1);
}

static void
stop_video (World *w, Source *video, Wish *wish)
{
  wish_close (wish);
  side_close (&w->viewer);
  source_close (video);
  world_close (w);
}

/* Who comes in the middle of a group of pictures sees nothing of it, asks for a
 * keyframe and begins with that. */
static void
test_late_viewer (void)
{
  World w;
  Source video;
  Wish wish = { 0 };
  Received *v;
  guint i, first;

  world_open (&w);
  source_open (&video, &w.device, P2P_WIRE_VIDEO, "video_0", NULL, 0);
  g_assert_true (p2p_stream_set_caps (video.stream, H264));
  source_push (&video, 2000, TRUE);
  for (i = 0; i < 20; i++)
    source_push (&video, 500, FALSE);
  viewer_open (&w, &w.viewer);
  wish_open (&wish, &w.viewer, "");
  WAIT_FOR (wish.complete == 1 && video.key_units == 1);
  for (i = 0; i < 5; i++)
    source_push (&video, 500, FALSE);
  first = video.sent;
  source_push (&video, 2000, TRUE);
  for (i = 0; i < 5; i++)
    source_push (&video, 500, FALSE);
  v = wish_find (&wish, "video_0");
  WAIT_FOR (v->frames->len == 6);
  check_frames (v, first, 6);
  g_assert_cmpuint (v->headers->len, ==, 6);
  g_assert_cmpint (g_array_index (v->headers, P2pWireFrame, 0).flags
      & P2P_FRAME_DELTA_UNIT, ==, 0);
  stop_video (&w, &video, &wish);
}

static void
test_key_unit_round_trip (void)
{
  World w;
  Source video;
  Wish wish = { 0 };
  Received *v;
  guint before;

  start_video (&w, &video, &wish);
  source_push (&video, 1000, TRUE);
  v = wish_find (&wish, "video_0");
  WAIT_FOR (v->frames->len == 1);
  g_mutex_lock (&world);
  before = video.key_units;
  g_mutex_unlock (&world);
  p2p_in_stream_request_key_unit (v->in, TRUE, 1);
  WAIT_FOR (video.key_units == before + 1);
  stop_video (&w, &video, &wish);
}

static void
test_new_caps (void)
{
  World w;
  Source video;
  Wish wish = { 0 };
  Received *v;
  guint i;

  start_video (&w, &video, &wish);
  for (i = 0; i < 10; i++)
    source_push (&video, 4000, i == 0);
  g_assert_true (p2p_stream_set_caps (video.stream, H264_SMALL));
  for (i = 0; i < 10; i++)
    source_push (&video, 2000, i == 0);
  v = wish_find (&wish, "video_0");
  WAIT_FOR (v->frames->len == 20);
  check_frames (v, 0, 20);
  g_assert_cmpuint (v->caps->len, ==, 2);
  g_assert_cmpstr (g_ptr_array_index (v->caps, 1), ==, H264_SMALL);
  g_assert_cmpuint (g_array_index (v->caps_at, guint, 0), ==, 0);
  g_assert_cmpuint (g_array_index (v->caps_at, guint, 1), ==, 10);
  g_assert_false (p2p_stream_set_caps (video.stream, "not; caps{"));
  stop_video (&w, &video, &wish);
}

/* The end comes behind the last frame; what follows is a new stream of the same
 * name. */
static void
test_end_and_again (void)
{
  World w;
  Source video;
  Wish wish = { 0 };
  Received *first, *second;
  guint i;

  start_video (&w, &video, &wish);
  for (i = 0; i < 30; i++)
    source_push (&video, 8000, i == 0);
  p2p_stream_end (video.stream);
  first = wish_find (&wish, "video_0");
  WAIT_FOR (first->ended);
  check_frames (first, 0, 30);
  g_assert_false (first->closed);
  source_push (&video, 500, TRUE);
  WAIT_FOR (wish.streams->len == 2);
  second = wish_find (&wish, "video_0");
  WAIT_FOR (second->frames->len == 1);
  check_frames (second, 30, 1);
  g_assert_cmpuint (first->epoch, ==, 0);
  g_assert_cmpuint (second->epoch, ==, 1);
  g_assert_true (first->closed);
  g_assert_false (first->lost);
  stop_video (&w, &video, &wish);
}

static void
test_unpublish (void)
{
  World w;
  Source video, late;
  Wish wish = { 0 };
  Received *v;

  start_video (&w, &video, &wish);
  source_push (&video, 500, TRUE);
  v = wish_find (&wish, "video_0");
  WAIT_FOR (v->frames->len == 1);
  source_close (&video);
  WAIT_FOR (v->closed && !v->lost);
  /* And one that comes while the request stands. */
  source_open (&late, &w.device, P2P_WIRE_AUDIO, "audio_0", NULL, 0);
  g_assert_true (p2p_stream_set_caps (late.stream, OPUS));
  source_push (&late, 100, TRUE);
  WAIT_FOR ((v = wish_find (&wish, "audio_0")) != NULL
      && v->frames->len == 1);
  stop_video (&w, &late, &wish);
}

static void
test_match (void)
{
  World w;
  Source main_, sub;
  Wish one = { 0 }, two = { 0 };

  world_open (&w);
  source_open (&main_, &w.device, P2P_WIRE_VIDEO, "video_0",
      "action=live&channel=0", 0);
  source_open (&sub, &w.device, P2P_WIRE_VIDEO, "video_1",
      "action=live&channel=1", 0);
  p2p_stream_set_caps (main_.stream, H264);
  p2p_stream_set_caps (sub.stream, H264_SMALL);
  viewer_open (&w, &w.viewer);
  wish_open (&one, &w.viewer, "action=live&channel=0");
  wish_open (&two, &w.viewer, "action=live&channel=1");
  WAIT_FOR (one.complete == 1 && two.complete == 1);
  g_assert_cmpuint (one.streams->len, ==, 1);
  g_assert_cmpuint (two.streams->len, ==, 1);
  g_assert_nonnull (wish_find (&one, "video_0"));
  g_assert_nonnull (wish_find (&two, "video_1"));
  WAIT_FOR (w.device.requests_added == 2);
  wish_close (&two);
  WAIT_FOR (w.device.requests_removed == 1);
  wish_close (&one);
  WAIT_FOR (w.device.requests_removed == 2);
  side_close (&w.viewer);
  source_close (&main_);
  source_close (&sub);
  world_close (&w);
}

/* A viewer whose application takes nothing makes a source without deadline
 * wait, and it goes on when the viewer does; not a byte is lost. */
static void
test_lossless_back_pressure (void)
{
  World w;
  Source data;
  Wish wish = { .refuse_new = TRUE };
  Received *d;
  guint sent, writable;

  world_open (&w);
  source_open (&data, &w.device, P2P_WIRE_DATA, "data_0", NULL, -1);
  p2p_stream_set_caps (data.stream, TEXT);
  viewer_open (&w, &w.viewer);
  wish_open (&wish, &w.viewer, "");
  WAIT_FOR (wish.complete == 1);
  d = wish_find (&wish, "data_0");
  /* Until the viewer's buffers are full too and none comes free any more. */
  for (writable = 0; data.sent < 2000;) {
    if (source_push (&data, 64 * 1024, TRUE) == P2P_PUSH_OK)
      continue;
    g_mutex_lock (&world);
    if (data.writable == writable)
      g_cond_wait_until (&changed, &world, g_get_monotonic_time ()
          + G_TIME_SPAN_SECOND);
    if (data.writable == writable) {
      g_mutex_unlock (&world);
      break;
    }
    writable = data.writable;
    g_mutex_unlock (&world);
  }
  /* Below the mark there may be a little room left: writable() comes a good
   * way under it only. */
  while (source_push (&data, 64 * 1024, TRUE) == P2P_PUSH_OK)
    g_assert_cmpuint (data.sent, <, 1000);
  sent = data.sent;
  g_mutex_lock (&world);
  d->refuse = FALSE;
  g_mutex_unlock (&world);
  p2p_in_stream_resume (d->in);
  WAIT_FOR (d->frames->len == sent);
  WAIT_FOR (data.writable > writable);
  check_frames (d, 0, sent);
  g_assert_cmpint (source_push (&data, 10, TRUE), ==, P2P_PUSH_OK);
  p2p_stream_end (data.stream);
  WAIT_FOR (d->ended);
  check_frames (d, 0, sent + 1);
  wish_close (&wish);
  side_close (&w.viewer);
  source_close (&data);
  world_close (&w);
}

/* A file whose sender has gone as soon as all had arrived is still taken to its
 * end, at the receiver's pace. */
static void
test_sender_gone_before_receiver (void)
{
  World w;
  Source data;
  Wish wish = { .refuse_new = TRUE };
  Received *d;
  guint64 least, most = 1;
  guint i;

  world_open (&w);
  source_open (&data, &w.device, P2P_WIRE_DATA, "data_0", NULL, -1);
  p2p_stream_set_caps (data.stream, TEXT);
  viewer_open (&w, &w.viewer);
  wish_open (&wish, &w.viewer, "");
  WAIT_FOR (wish.complete == 1);
  d = wish_find (&wish, "data_0");
  for (i = 0; i < 40; i++)
    g_assert_cmpint (source_push (&data, 5000, TRUE), ==, P2P_PUSH_OK);
  p2p_stream_end (data.stream);
  while (most > 0) {
    p2p_stream_get_backlog (data.stream, &least, &most);
    g_thread_yield ();
  }
  source_close (&data);
  side_close (&w.device);
  WAIT_FOR (w.viewer.removed == 1);
  g_assert_cmpuint (d->frames->len, ==, 0);
  g_assert_false (d->closed);
  g_mutex_lock (&world);
  d->refuse = FALSE;
  g_mutex_unlock (&world);
  p2p_in_stream_resume (d->in);
  WAIT_FOR (d->closed);
  g_assert_true (d->ended);
  g_assert_false (d->lost);
  check_frames (d, 0, 40);
  wish_close (&wish);
  side_close (&w.viewer);
  g_free (w.uri);
  WAIT_FOR (p2p_endpoint_count_alive () == 0);
}

/* One of eight does not take its frames: it alone loses some. */
static void
test_stalled_viewer (void)
{
  enum { N = 8 };
  const guint frames = g_getenv ("P2P_VALGRIND") != NULL ? 40 : 200;
  World w;
  Source video;
  P2pEndpointConfig config;
  Side sides[N];
  Wish wishes[N];
  guint i, n;

  memset (wishes, 0, sizeof wishes);
  world_open (&w);
  source_open (&video, &w.device, P2P_WIRE_VIDEO, "video_0", NULL, 10000);
  p2p_stream_set_caps (video.stream, H264);
  for (i = 0; i < N; i++) {
    /* Endpoints of one process that name the same signaller are one; each
     * gets an address of its own here. */
    gchar *uri = g_strdup_printf ("tcp://127.0.0.%u:%u", i + 1, w.port);

    side_config (&config, P2P_ROLE_VIEWER, uri);
    side_open (&sides[i], &config);
    wishes[i].refuse_new = i == 3;
    wish_open (&wishes[i], &sides[i], "");
    g_free (uri);
  }
  for (i = 0; i < N; i++)
    WAIT_FOR (wishes[i].complete == 1);
  g_assert_cmpuint (p2p_stream_count_viewers (video.stream), ==, N);
  for (n = 0; n < frames; n++) {
    source_push (&video, 50000, n % 30 == 0);
    for (i = 0; i < N; i++)
      if (i != 3)
        WAIT_FOR (wish_find (&wishes[i], "video_0")->frames->len == n + 1);
  }
  for (i = 0; i < N; i++)
    if (i != 3)
      check_frames (wish_find (&wishes[i], "video_0"), 0, frames);
  g_assert_cmpuint (wish_find (&wishes[3], "video_0")->frames->len, ==, 0);
  for (i = 0; i < N; i++) {
    wish_close (&wishes[i]);
    side_close (&sides[i]);
  }
  source_close (&video);
  world_close (&w);
}

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
  g_test_add_func ("/session/three-streams", test_three_streams);
  g_test_add_func ("/session/late-viewer", test_late_viewer);
  g_test_add_func ("/session/key-unit-round-trip", test_key_unit_round_trip);
  g_test_add_func ("/session/new-caps", test_new_caps);
  g_test_add_func ("/session/end-and-again", test_end_and_again);
  g_test_add_func ("/session/unpublish", test_unpublish);
  g_test_add_func ("/session/match", test_match);
  g_test_add_func ("/session/lossless-back-pressure",
      test_lossless_back_pressure);
  g_test_add_func ("/session/sender-gone-before-receiver",
      test_sender_gone_before_receiver);
  g_test_add_func ("/session/stalled-viewer", test_stalled_viewer);
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
