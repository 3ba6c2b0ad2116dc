/* Talk: what viewers offer and a device takes, and streams for one request
 * alone, over tcp:// on loopback.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "session-util.h"

#include <string.h>

#define OPUS "audio/x-opus, rate=(int)48000"
#define TEXT "text/x-raw, format=(string)utf8"
#define VOICE "action=voice&channel=0"

typedef struct
{
  guint port;
  Side device;
} World;

static void
device_open (World *w)
{
  P2pEndpointConfig config;
  gchar *any = g_strdup_printf ("tcp://0.0.0.0:%u", w->port);

  side_config (&config, P2P_ROLE_DEVICE, any);
  side_open (&w->device, &config);
  g_free (any);
  WAIT_FOR (w->device.steps[P2P_STEP_SERVER][TRUE] == 1);
}

static void
world_open (World *w)
{
  memset (w, 0, sizeof *w);
  w->port = free_port ();
  device_open (w);
}

static void
viewer_open (World *w, Side *side, guint number)
{
  gchar *uri = g_strdup_printf ("tcp://127.0.0.%u:%u", number + 1, w->port);
  P2pEndpointConfig config;

  side_config (&config, P2P_ROLE_VIEWER, uri);
  side_open (side, &config);
  g_free (uri);
}

static void
world_close (World *w)
{
  side_close (&w->device);
  WAIT_FOR (p2p_endpoint_count_alive () == 0);
}

typedef struct
{
  Side side;
  P2pOffer *offer;
  Source source;
} Talker;

static void
talker_open (Talker *t, World *w, guint number, const gchar *params)
{
  viewer_open (w, &t->side, number);
  t->offer = p2p_endpoint_offer (t->side.endpoint, params);
  source_offer (&t->source, t->offer, &t->side, P2P_WIRE_AUDIO, "audio_0");
  g_assert_true (p2p_stream_set_caps (t->source.stream, OPUS));
}

static void
talker_close (Talker *t)
{
  source_close (&t->source);
  p2p_offer_close (t->offer);
  side_close (&t->side);
}

static void
say (Talker *t, guint n)
{
  guint i;

  for (i = 0; i < n; i++)
    g_assert_cmpint (source_push (&t->source, 100, TRUE), ==, P2P_PUSH_OK);
}

/* With `world` held. */
static Received *
find_of (Wish *wish, const gchar *peer)
{
  guint i;

  for (i = wish->streams->len; i-- > 0;) {
    Received *r = g_ptr_array_index (wish->streams, i);

    if (g_str_equal (r->peer, peer))
      return r;
  }
  return NULL;
}

#define FRAMES_OF(wish, peer) \
  (find_of (wish, peer) != NULL ? find_of (wish, peer)->frames->len : 0)

/* -- Tests ----------------------------------------------------------------- */

/* Each on a stream of its own that says whose it is; live goes on beside it. */
static void
test_three_talkers (void)
{
  World w;
  Talker t[3];
  gchar *ids[3];
  Wish taken = { 0 }, live = { 0 };
  Source video;
  guint i, j;

  world_open (&w);
  wish_accept (&taken, &w.device, NULL);
  source_open (&video, &w.device, P2P_WIRE_DATA, "data_0", NULL, 0);
  g_assert_true (p2p_stream_set_caps (video.stream, TEXT));
  for (i = 0; i < 3; i++) {
    talker_open (&t[i], &w, i, VOICE);
    WAIT_FOR (w.device.offers_added == i + 1 && taken.streams->len == i + 1);
    g_mutex_lock (&world);
    ids[i] = g_strdup (w.device.peer);
    g_assert_cmpstr (w.device.params, ==, VOICE);
    g_mutex_unlock (&world);
    WAIT_FOR (t[i].side.requests_added == 1);
  }
  wish_open (&live, &t[1].side, "");
  WAIT_FOR (live.complete == 1);
  for (i = 0; i < 3; i++)
    say (&t[i], 10 + i);
  for (i = 0; i < 20; i++)
    source_push (&video, 1000, TRUE);
  for (i = 0; i < 3; i++) {
    Received *r;

    WAIT_FOR (FRAMES_OF (&taken, ids[i]) == 10 + i);
    g_mutex_lock (&world);
    r = find_of (&taken, ids[i]);
    g_assert_cmpstr (r->params, ==, VOICE);
    g_assert_cmpstr (r->name, ==, "audio_0");
    g_assert_cmpstr (g_ptr_array_index (r->caps, 0), ==, OPUS);
    for (j = 0; j < r->frames->len; j++)
      g_assert_true (payload_matches (g_ptr_array_index (r->frames, j), "",
              j));
    g_mutex_unlock (&world);
  }
  WAIT_FOR (wish_find (&live, "data_0") != NULL
      && wish_find (&live, "data_0")->frames->len == 20);
  /* The end crosses behind the frames; then the offer goes. */
  p2p_stream_end (t[0].source.stream);
  WAIT_FOR (find_of (&taken, ids[0])->ended);
  source_close (&t[0].source);
  p2p_offer_close (t[0].offer);
  WAIT_FOR (w.device.offers_removed == 1
      && find_of (&taken, ids[0])->closed);
  g_assert_false (find_of (&taken, ids[0])->lost);
  side_close (&t[0].side);
  /* One is cut off without a word of its streams. */
  side_close (&t[2].side);
  WAIT_FOR (find_of (&taken, ids[2])->closed && w.device.offers_removed == 2);
  source_close (&t[2].source);
  p2p_offer_close (t[2].offer);
  say (&t[1], 5);
  WAIT_FOR (FRAMES_OF (&taken, ids[1]) == 16);
  wish_close (&live);
  talker_close (&t[1]);
  source_close (&video);
  wish_close (&taken);
  world_close (&w);
  for (i = 0; i < 3; i++)
    g_free (ids[i]);
}

/* Nothing goes out before someone takes it; who takes it may change. */
static void
test_taken_late_and_again (void)
{
  World w;
  Talker t;
  Wish other = { 0 }, first = { 0 }, second = { 0 };

  world_open (&w);
  wish_accept (&other, &w.device, "action=voice&channel=1");
  talker_open (&t, &w, 0, VOICE);
  WAIT_FOR (w.device.offers_added == 1 && t.side.added == 1);
  g_assert_cmpuint (p2p_stream_count_viewers (t.source.stream), ==, 0);
  wish_accept (&first, &w.device, "action=voice");
  wish_accept (&second, &w.device, "");
  WAIT_FOR (first.streams->len == 1 && t.side.requests_added == 1);
  say (&t, 3);
  WAIT_FOR (wish_find (&first, "audio_0")->frames->len == 3);
  g_assert_cmpuint (second.streams->len, ==, 0);
  wish_close (&first);
  /* Handed on: old streams are not mistaken for new ones. */
  WAIT_FOR (second.streams->len >= 1 && t.side.requests_added == 2
      && t.side.requests_removed == 1);
  WAIT_FOR (p2p_stream_count_viewers (t.source.stream) == 1);
  while (source_push (&t.source, 100, TRUE) == P2P_PUSH_OK
      && t.source.sent < 10);
  WAIT_FOR (wish_find (&second, "audio_0")->frames->len == 7);
  wish_close (&second);
  WAIT_FOR (t.side.requests_removed == 2);
  g_assert_cmpuint (other.streams->len, ==, 0);
  wish_close (&other);
  talker_close (&t);
  world_close (&w);
}

/* The offer stands again by itself. */
static void
test_device_restarts (void)
{
  World w;
  Talker t;
  Wish taken = { 0 };

  world_open (&w);
  wish_accept (&taken, &w.device, NULL);
  talker_open (&t, &w, 0, VOICE);
  WAIT_FOR (taken.streams->len == 1);
  side_close (&w.device);
  WAIT_FOR (t.side.removed == 1);
  wish_close (&taken);
  device_open (&w);
  wish_accept (&taken, &w.device, NULL);
  WAIT_FOR (taken.streams->len == 1 && t.side.requests_added == 2);
  say (&t, 3);
  WAIT_FOR (wish_find (&taken, "audio_0")->frames->len == 3);
  talker_close (&t);
  wish_close (&taken);
  world_close (&w);
}

/* Let go of in every order, and at every stage of the way. */
static void
test_teardown_at_every_stage (void)
{
  guint stage;

  for (stage = 0; stage < 6; stage++) {
    World w;
    Talker t;
    Wish taken = { 0 };

    world_open (&w);
    wish_accept (&taken, &w.device, NULL);
    talker_open (&t, &w, 0, VOICE);
    switch (stage) {
      case 0:
        break;
      case 1:
        WAIT_FOR (t.side.steps[P2P_STEP_AUTH][TRUE] == 1);
        break;
      case 2:
        WAIT_FOR (t.side.added == 1);
        break;
      case 3:
        WAIT_FOR (w.device.offers_added == 1);
        wish_close (&taken);
        wish_accept (&taken, &w.device, NULL);
        break;
      case 4:
        WAIT_FOR (taken.streams->len == 1);
        p2p_offer_close (t.offer);
        t.offer = p2p_endpoint_offer (t.side.endpoint, VOICE);
        break;
      default:
        say (&t, 1);
        WAIT_FOR (taken.streams->len == 1);
        break;
    }
    if (stage % 2) {
      wish_close (&taken);
      talker_close (&t);
    } else {
      talker_close (&t);
      wish_close (&taken);
    }
    world_close (&w);
  }
}

/* As the sender of one request alone does it: a stream made when the request
 * came, for it, and told apart from another of the same params. */
static void
test_stream_for_one_request (void)
{
  World w;
  Side viewers[2];
  Wish wishes[2];
  Source sources[2];
  P2pStreamStats stats;
  guint i;

  memset (wishes, 0, sizeof wishes);
  world_open (&w);
  for (i = 0; i < 2; i++) {
    P2pStreamConfig config = { .kind = P2P_WIRE_DATA, .name = "data_0",
      .priority = -1, .deadline_ms = 0 };

    viewer_open (&w, &viewers[i], i);
    wish_open (&wishes[i], &viewers[i], "action=live&channel=0");
    WAIT_FOR (w.device.requests_added == i + 1);
    memset (&sources[i], 0, sizeof sources[i]);
    config.only_peer = w.device.peer;
    config.only_request = w.device.request;
    sources[i].stream = p2p_endpoint_publish (w.device.endpoint, &config, NULL,
        NULL);
    g_assert_true (p2p_stream_set_caps (sources[i].stream, TEXT));
    WAIT_FOR (wishes[i].streams->len == 1);
  }
  for (i = 0; i < 30; i++)
    source_push (&sources[0], 1000, TRUE);
  source_push (&sources[1], 500, TRUE);
  WAIT_FOR (wish_find (&wishes[0], "data_0")->frames->len == 30);
  WAIT_FOR (wish_find (&wishes[1], "data_0")->frames->len == 1);
  g_assert_cmpuint (wishes[0].streams->len, ==, 1);
  g_assert_cmpuint (wishes[1].streams->len, ==, 1);
  /* A frame has a header of at most 48 bytes. */
  WAIT_FOR ((p2p_stream_get_stats (sources[0].stream, &stats),
          stats.acknowledged_bytes >= 30 * 1000));
  g_assert_cmpuint (stats.acknowledged_bytes, ==, stats.sent_bytes);
  g_assert_cmpuint (stats.sent_bytes, <=, 30 * (1000 + P2P_WIRE_MAX_FRAME_HEADER));
  g_assert_cmpuint (stats.unacknowledged_bytes, ==, 0);
  g_assert_cmpuint (stats.unsent_bytes, ==, 0);
  g_assert_cmpuint (stats.queued_bytes, ==, 0);
  g_assert_cmpuint (stats.frames_sent, ==, 30);
  g_assert_cmpuint (stats.frames_dropped, ==, 0);
  g_assert_cmpuint (stats.viewers, ==, 1);
  g_assert_cmpuint (stats.rtt_us, >, 0);
  g_assert_cmpuint (stats.pacing_rate, >, 0);
  wish_close (&wishes[0]);
  WAIT_FOR (p2p_stream_count_viewers (sources[0].stream) == 0);
  WAIT_FOR ((p2p_stream_get_stats (sources[0].stream, &stats),
          stats.viewers == 0));
  g_assert_cmpuint (stats.sent_bytes, ==, 0);
  g_assert_cmpuint (stats.frames_sent, ==, 30);
  /* The viewer's next request is another one. */
  wish_open (&wishes[0], &viewers[0], "action=live&channel=0");
  WAIT_FOR (wishes[0].complete == 1);
  g_assert_cmpuint (wishes[0].streams->len, ==, 0);
  for (i = 0; i < 2; i++) {
    wish_close (&wishes[i]);
    source_close (&sources[i]);
    side_close (&viewers[i]);
  }
  world_close (&w);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/talk/three-talkers", test_three_talkers);
  g_test_add_func ("/talk/taken-late-and-again", test_taken_late_and_again);
  g_test_add_func ("/talk/device-restarts", test_device_restarts);
  g_test_add_func ("/talk/teardown-at-every-stage",
      test_teardown_at_every_stage);
  g_test_add_func ("/talk/stream-for-one-request",
      test_stream_for_one_request);
  return g_test_run ();
}
