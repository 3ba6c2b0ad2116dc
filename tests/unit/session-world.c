/* A camera and a viewer. See session-world.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "session-world.h"

void
device_open (World *w)
{
  P2pEndpointConfig config;
  gchar *any = g_strdup_printf ("tcp://0.0.0.0:%u", w->port);

  side_config (&config, P2P_ROLE_DEVICE, any);
  side_open (&w->device, &config);
  g_free (any);
}

void
world_open (World *w)
{
  w->port = free_port ();
  w->uri = tcp_uri (w->port);
  device_open (w);
  WAIT_FOR (w->device.steps[P2P_STEP_SERVER][TRUE] == 1);
}

void
viewer_open (World *w, Side *side)
{
  P2pEndpointConfig config;

  side_config (&config, P2P_ROLE_VIEWER, w->uri);
  side_open (side, &config);
}

void
world_close (World *w)
{
  side_close (&w->device);
  g_free (w->uri);
  /* A busy machine may need longer for it than release() waits. */
  WAIT_FOR (p2p_endpoint_count_alive () == 0);
}

void
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

void
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

void
stop_video (World *w, Source *video, Wish *wish)
{
  wish_close (wish);
  side_close (&w->viewer);
  source_close (video);
  world_close (w);
}
