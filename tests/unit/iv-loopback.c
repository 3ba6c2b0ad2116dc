/* A device on iv_av.h and its viewers, over tcp:// on loopback: each row of the
 * interface's tables as it happens.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "iv-util.h"

#include <string.h>

#define LIVE "action=live&channel=0"

static void
viewer_open (Side *side, guint port)
{
  P2pEndpointConfig config;
  gchar *uri = tcp_uri (port);

  side_config (&config, P2P_ROLE_VIEWER, uri);
  side_open (side, &config);
  g_free (uri);
}


static void
check_bytes (Received *r, guint64 expected)
{
  guint64 at = 0;
  guint i;

  for (i = 0; i < r->frames->len; i++) {
    gsize len, j;
    const guint8 *data = g_bytes_get_data (g_ptr_array_index (r->frames, i),
                                           &len);

    for (j = 0; j < len; j++, at++)
      g_assert_cmpuint (data[j], ==, (guint8)(at * 2654435761u >> 13));
  }
  g_assert_cmpuint (at, ==, expected);
}

static void
end_device (void)
{
  g_assert_cmpint (iv_avt_p2p_exit (), ==, IV_ERR_NONE);
  device_close ();
}

/* init, get until it says end, EOS at the viewer, stop when that goes. */
static void
test_stream (gconstpointer keep)
{
  guint port = device_open ();
  Side viewer;
  Wish wish = { 0 };
  Received *r = NULL;
  Handle *h = &device.handles[0];

  device.model.blocks = 40;
  device.model.block_size = 3000;
  device.model.end = TRUE;
  device.model.keep_memory = keep != NULL;
  viewer_open (&viewer, port);
  wish_open (&wish, &viewer, LIVE);
  WAIT_FOR ((r = wish_find (&wish, "data_0")) != NULL && r->ended);
  g_assert_cmpstr (h->params, ==, LIVE);
  g_assert_cmpstr (h->peer, ==, viewer.peer != NULL ? h->peer : "");
  g_assert_cmpstr (g_ptr_array_index (r->caps, 0), ==, "video/x-flv");
  check_bytes (r, 40 * 3000);
  WAIT_FOR (iv_avt_p2p_get_send_status (h).sum_sent_acked >= 40 * 3000);
  g_assert_cmpuint (h->gets, ==, 41);
  g_assert_cmpuint (h->frees, ==, keep != NULL ? 0 : 40);
  g_assert_cmpuint (h->stops, ==, 0);
  wish_close (&wish);
  WAIT_FOR (h->stops == 1);
  g_assert_cmpuint (h->most_inside, ==, 1);
  g_assert_cmpuint (iv_avt_p2p_get_send_buf (h), ==, 0);
  g_assert_cmpuint (iv_avt_p2p_get_send_status (h).sum_sent_acked, ==, 0);
  side_close (&viewer);
  end_device ();
  g_assert_cmpuint (device.n_handles, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/iv/stream", NULL, test_stream);
  g_test_add_data_func ("/iv/stream-own-memory", "", test_stream);
  return g_test_run ();
}
