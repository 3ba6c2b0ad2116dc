/* Two endpoints and more in one process: streams, from the first frame to the
 * last, and what becomes of a viewer that does not keep up.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "session-world.h"

#include <string.h>

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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
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
  return g_test_run ();
}
