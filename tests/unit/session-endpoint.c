/* Two endpoints and more in one process, over tcp:// on loopback: what a camera
 * and its viewers live through.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "session-util.h"

#include <string.h>

#define H264 "video/x-h264, stream-format=(string)byte-stream, " \
    "alignment=(string)au, width=(int)640"
#define H264_SMALL "video/x-h264, stream-format=(string)byte-stream, " \
    "alignment=(string)au, width=(int)320"
#define OPUS "audio/x-opus, rate=(int)48000"
#define TEXT "text/x-raw, format=(string)utf8"

typedef struct
{
  gchar *uri;
  Side device, viewer;
} World;

static void
world_open (World *w)
{
  P2pEndpointConfig config;

  w->uri = tcp_uri (free_port ());
  side_config (&config, P2P_ROLE_DEVICE, w->uri);
  side_open (&w->device, &config);
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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/session/three-streams", test_three_streams);
  return g_test_run ();
}
