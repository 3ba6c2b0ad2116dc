/* Peers that have the key and break the rules all the same: each has its own
 * session closed, or its message ignored and counted, and nothing is left of
 * it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The offender is an endpoint of ours that the test makes say things on its
 * network thread, past all that would keep it from doing so.
 */
#include "session-breaches.h"
#include "session-util.h"

#include <string.h>

#define H264 BREACH_CAPS
#define FLOW P2P_WIRE_FIRST_STREAM_FLOW
#define OFFER BREACH_OFFER

/* -- What does not matter -------------------------------------------------- */

/* Refused messages that are counted. */
static void
unknown_flows (P2pPeer *peer)
{
  say_frame (peer, 3);
  say_frame (peer, FLOW - 1);
}

static void
of_a_later_version (P2pPeer *peer)
{
  const guint8 data[] = { 200, 1, 2, 3 };

  say (peer, P2P_WIRE_CONTROL_FLOW, data, sizeof data);
}

static void
after_hanging_up (P2pPeer *peer)
{
  say_offer (peer, OFFER);
  say_stream (peer, FLOW, OFFER);
  say_control (peer, (P2pWireControl){ .type = P2P_WIRE_REQUEST_CLOSE,
                                       .request = OFFER });
  say_stream (peer, FLOW + 1, OFFER);
  say_caps (peer, FLOW + 1, 1, H264);
  say_frame (peer, FLOW + 1);
  say_control (peer, (P2pWireControl){ .type = P2P_WIRE_STREAM_END,
                                       .stream = FLOW + 1,
                                       .frames = 1 });
  say_control (peer, (P2pWireControl){ .type = P2P_WIRE_REQUEST_CLOSE,
                                       .request = OFFER });
}

static void
of_what_is_not_there (P2pPeer *peer)
{
  say_control (peer, (P2pWireControl){ .type = P2P_WIRE_REQUEST_CLOSE,
                                       .request = 4321 });
  say_control (peer, (P2pWireControl){ .type = P2P_WIRE_OFFER_STOP,
                                       .request = 4321 });
  say_control (peer, (P2pWireControl){ .type = P2P_WIRE_REQUEST_READY,
                                       .request = 4321 });
  say_control (peer, (P2pWireControl){ .type = P2P_WIRE_STREAM_END,
                                       .stream = 4321,
                                       .frames = 1 });
  say_control (peer, (P2pWireControl){ .type = P2P_WIRE_STREAM_CLOSE,
                                       .stream = 4321 });
  say_caps (peer, 4321, 1, H264);
}

static void
flood_of_key_units (P2pPeer *peer)
{
  guint i;

  for (i = 0; i < 2000; i++)
    say_control (peer,
                 (P2pWireControl){ .type = P2P_WIRE_KEY_UNIT, .stream = FLOW });
}

/* -- The stage ------------------------------------------------------------- */

typedef struct
{
  P2pEndpointConfig viewer_config;
  guint16 port;
  gchar *uri; /* for viewers */
  Side device, viewer;
  Source video;
  Wish talk;
} World;

static void
world_open (World *w)
{
  P2pEndpointConfig config;
  gchar *any;

  memset (w, 0, sizeof *w);
  w->port = free_port ();
  w->uri = tcp_uri (w->port);
  any = g_strdup_printf ("tcp://0.0.0.0:%u", w->port);
  side_config (&config, P2P_ROLE_DEVICE, any);
  side_open (&w->device, &config);
  g_free (any);
  source_open (&w->video, &w->device, P2P_WIRE_VIDEO, "video_0", NULL, 0);
  p2p_stream_set_caps (w->video.stream, H264);
  wish_accept (&w->talk, &w->device, "");
  WAIT_FOR (w->device.steps[P2P_STEP_SERVER][TRUE] == 1);
  side_config (&w->viewer_config, P2P_ROLE_VIEWER, w->uri);
}

static void
world_close (World *w)
{
  wish_close (&w->talk);
  source_close (&w->video);
  side_close (&w->device);
  g_free (w->uri);
  /* A busy machine may need longer for it than release() waits. */
  WAIT_FOR (p2p_endpoint_count_alive () == 0);
}

static void
join (World *w)
{
  guint added = w->device.added;

  side_open (&w->viewer, &w->viewer_config);
  WAIT_FOR (w->viewer.added == 1 && w->device.added == added + 1);
}

/* At a time, which is quicker than one by one. */
#define OFFENDERS 5
G_STATIC_ASSERT (BREACHES % OFFENDERS == 0);

/* Those of one process that name one signaller share a session: each names
 * another address of the device. */
static void
join_all (World *w, Side offenders[OFFENDERS])
{
  guint i, added = w->device.added;

  for (i = 0; i < OFFENDERS; i++) {
    P2pEndpointConfig config = w->viewer_config;
    gchar *uri = g_strdup_printf ("tcp://127.0.0.%u:%u", 2 + i, w->port);

    config.signaller = uri;
    side_open (&offenders[i], &config);
    g_free (uri);
  }
  for (i = 0; i < OFFENDERS; i++)
    WAIT_FOR (offenders[i].added == 1);
  WAIT_FOR (w->device.added == added + OFFENDERS);
}

static void
run_breach (P2pEndpoint *endpoint, gpointer data)
{
  const Breach *breach = data;

  g_assert_cmpuint (endpoint->peers->len, >, 0);
  breach->run (g_ptr_array_index (endpoint->peers, 0));
}

static void
commit (P2pEndpoint *endpoint, const Breach *breach)
{
  p2p_endpoint_post (endpoint, run_breach, (gpointer)breach, NULL);
}

static guint64
count_refused (P2pEndpoint *endpoint)
{
  P2pEndpointStats *stats = p2p_endpoint_get_stats (endpoint);
  guint64 n = stats->refused_messages;

  p2p_endpoint_stats_free (stats);
  return n;
}

/* That it is served like anybody else. */
static void
check_served (World *w)
{
  Wish wish = { 0 };

  wish_open (&wish, &w->viewer, "");
  WAIT_FOR (wish.complete == 1);
  source_push (&w->video, 1000, TRUE);
  WAIT_FOR (wish_find (&wish, "video_0")->frames->len >= 1);
  wish_close (&wish);
}

/* Each costs the offender its session and is counted; the others go on, whoever
 * comes next is served, and nothing has piled up. */
static void
test_closed (void)
{
  guint first, i, threads = 0, fds = 0;
  World w;

  world_open (&w);
  for (first = 0; first < BREACHES; first += OFFENDERS) {
    Side offenders[OFFENDERS];

    join_all (&w, offenders);
    for (i = 0; i < OFFENDERS; i++) {
      const Breach *breach = &breaches[first + i];

      g_test_message ("%s", breach->name);
      commit (offenders[i].endpoint, breach);
      WAIT_FOR (w.device.removed == first + i + 1);
      g_assert_cmpstr (w.device.removed_reason, ==, "protocol-error");
      WAIT_FOR (offenders[i].removed >= 1);
      side_close (&offenders[i]);
    }
    if (first == 0) {
      WAIT_FOR (p2p_endpoint_count_alive () == 1);
      threads = count_threads ();
      fds = count_fds ();
    }
  }
  WAIT_FOR (count_refused (w.device.endpoint) == BREACHES);
  WAIT_FOR (w.device.offers_added == w.device.offers_removed
            && w.device.requests_added == w.device.requests_removed);
  WAIT_FOR (count_threads () <= threads && count_fds () <= fds);
  join (&w);
  check_served (&w);
  side_close (&w.viewer);
  world_close (&w);
}

/* One session lives through all of it. */
static void
test_ignored (void)
{
  static const Breach harmless[] = {
    { "flows that mean nothing", unknown_flows },
    { "messages of a later version", of_a_later_version },
    { "streams of an offer that was hung up", after_hanging_up },
    { "ends of what is not there", of_what_is_not_there },
  };
  World w;
  guint i;

  world_open (&w);
  join (&w);
  for (i = 0; i < G_N_ELEMENTS (harmless); i++) {
    g_test_message ("%s", harmless[i].name);
    commit (w.viewer.endpoint, &harmless[i]);
    check_served (&w);
  }
  WAIT_FOR (count_refused (w.device.endpoint) == 2);
  WAIT_FOR (w.device.offers_removed == 1);
  WAIT_FOR (wish_find (&w.talk, "data_0")->closed);
  g_assert_cmpuint (w.talk.streams->len, ==, 1);
  g_assert_cmpuint (w.device.removed, ==, 0);
  side_close (&w.viewer);
  world_close (&w);
}

/* The encoder hears of few. */
static void
test_flood_of_key_units (void)
{
  static const Breach flood = { "key units", flood_of_key_units };
  Wish wish = { 0 };
  gint64 begin;
  World w;
  guint n;

  world_open (&w);
  join (&w);
  wish_open (&wish, &w.viewer, "");
  WAIT_FOR (wish.complete == 1);
  WAIT_FOR (w.video.key_units == 1);
  begin = g_get_monotonic_time ();
  commit (w.viewer.endpoint, &flood);
  /* Behind it on the same flow. */
  check_served (&w);
  g_mutex_lock (&world);
  n = w.video.key_units;
  g_mutex_unlock (&world);
  /* At most one each 100 ms, and the one that this last request made. */
  g_assert_cmpint (
      n, <=, 4 + (g_get_monotonic_time () - begin) / P2P_KEY_UNIT_WINDOW_US);
  wish_close (&wish);
  side_close (&w.viewer);
  world_close (&w);
}

/* -- Commands -------------------------------------------------------------- */

typedef struct
{
  guint calls;
  gboolean block;
} Handler;

static GBytes *
on_command (P2pEndpoint *endpoint, const gchar *peer, GBytes *bytes,
            gpointer user)
{
  Handler *handler = user;

  g_mutex_lock (&world);
  handler->calls++;
  g_cond_broadcast (&changed);
  while (handler->block)
    g_cond_wait (&changed, &world);
  g_mutex_unlock (&world);
  return g_bytes_ref (bytes);
}

static void
flood_of_commands (P2pPeer *peer)
{
  guint i;

  for (i = 0; i < 200; i++)
    say_command (peer, P2P_WIRE_COMMAND_FLOW,
                 (P2pWireCommand){ .type = P2P_WIRE_COMMAND, .id = i + 1 },
                 100);
}

/* An application that is busy with the first of 200 is not given the others,
 * nor are they kept without bound: they stay with the engine. All are answered
 * in the end, though nobody there asked for it by the book. */
static void
test_flood_of_commands (void)
{
  static const Breach flood = { "commands", flood_of_commands };
  const P2pListener listener = { .command = on_command };
  Handler handler = { .block = TRUE };
  World w;
  guint id;

  world_open (&w);
  id = p2p_endpoint_add_listener (w.device.endpoint, &listener, &handler);
  join (&w);
  commit (w.viewer.endpoint, &flood);
  WAIT_FOR (handler.calls == 1);
  check_served (&w);
  g_assert_cmpuint (handler.calls, ==, 1);
  g_mutex_lock (&world);
  handler.block = FALSE;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
  /* The answers are to questions that the viewer's own end never asked. */
  WAIT_FOR (w.viewer.removed == 1);
  g_assert_cmpstr (w.viewer.removed_reason, ==, "protocol-error");
  side_close (&w.viewer);
  WAIT_FOR (w.device.removed == 1);
  p2p_endpoint_remove_listener (w.device.endpoint, id);
  world_close (&w);
}

typedef struct
{
  guint replies;
} Asked;

static void
on_reply (GBytes *reply, const gchar *error, gpointer user)
{
  Asked *asked = user;

  g_mutex_lock (&world);
  g_assert_nonnull (reply);
  asked->replies++;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
}

static void
answer_again (P2pPeer *peer)
{
  say_command (peer, P2P_WIRE_REPLY_FLOW,
               (P2pWireCommand){ .type = P2P_WIRE_REPLY, .id = 1 }, 5);
}

/* The second answer goes nowhere, and is counted. */
static void
test_two_answers (void)
{
  static const Breach again = { "answers again", answer_again };
  const P2pListener listener = { .command = on_command };
  GBytes *question = g_bytes_new_static ("?", 1);
  Handler handler = { 0 };
  Asked asked = { 0 };
  World w;
  guint id;

  world_open (&w);
  join (&w);
  id = p2p_endpoint_add_listener (w.viewer.endpoint, &listener, &handler);
  p2p_endpoint_send_command (w.device.endpoint, NULL, question, 0, on_reply,
                             &asked, NULL);
  WAIT_FOR (asked.replies == 1);
  commit (w.viewer.endpoint, &again);
  WAIT_FOR (count_refused (w.device.endpoint) == 1);
  check_served (&w);
  g_assert_cmpuint (asked.replies, ==, 1);
  p2p_endpoint_remove_listener (w.viewer.endpoint, id);
  side_close (&w.viewer);
  world_close (&w);
  g_bytes_unref (question);
}

/* -- What a device can do to a viewer -------------------------------------- */

static void
offers_to_a_viewer (P2pPeer *peer)
{
  say_offer (peer, P2P_DEVICE_REQUEST | OFFER);
}

static void
request_with_a_viewers_number (P2pPeer *peer)
{
  say_control (peer,
               (P2pWireControl){ .type = P2P_WIRE_REQUEST_OPEN, .request = 1 });
}

static void
test_device (void)
{
  static const Breach of_devices[] = {
    { "an offer to a viewer", offers_to_a_viewer },
    { "a request with a viewer's number", request_with_a_viewers_number },
    { "a reply to no question", breach_reply_to_nothing },
    { "a flood of unknown flows", breach_flood_of_unknown_flows },
  };
  World w;
  guint i;

  world_open (&w);
  for (i = 0; i < G_N_ELEMENTS (of_devices); i++) {
    g_test_message ("%s", of_devices[i].name);
    join (&w);
    commit (w.device.endpoint, &of_devices[i]);
    WAIT_FOR (w.viewer.removed == 1);
    g_assert_cmpstr (w.viewer.removed_reason, ==, "protocol-error");
    WAIT_FOR (count_refused (w.viewer.endpoint) == 1);
    side_close (&w.viewer);
    WAIT_FOR (w.device.removed == i + 1);
  }
  world_close (&w);
}

/* -- Trying again ---------------------------------------------------------- */

/* Half a second, and twice as much each time, give or take a fifth. */
#define BACKOFFS (g_getenv ("P2P_SOAK") != NULL ? 4u : 1u)

static guint
elapsed_ms (gint64 since)
{
  return (guint)((g_get_monotonic_time () - since) / 1000);
}

/* Nobody comes back in a hurry to break the rules again. */
static void
test_backoff_of_offender (void)
{
  gint64 since;
  World w;
  guint i;

  world_open (&w);
  join (&w);
  for (i = 0; i < BACKOFFS; i++) {
    commit (w.viewer.endpoint, &breaches[0]);
    WAIT_FOR (w.device.removed == i + 1);
    since = g_get_monotonic_time ();
    WAIT_FOR (w.device.added == i + 2);
    g_assert_cmpuint (elapsed_ms (since), >=, 380u << i);
    WAIT_FOR (w.viewer.added == i + 2);
  }
  side_close (&w.viewer);
  world_close (&w);
}

/* Nor with a key that was refused. */
static void
test_backoff_of_wrong_key (void)
{
  gint64 since;
  World w;
  guint i;

  world_open (&w);
  w.viewer_config.key = "not the key of this device";
  side_open (&w.viewer, &w.viewer_config);
  WAIT_FOR (w.viewer.steps[P2P_STEP_AUTH][FALSE] >= 1);
  for (i = 0; i < BACKOFFS; i++) {
    since = g_get_monotonic_time ();
    WAIT_FOR (w.viewer.steps[P2P_STEP_AUTH][FALSE] >= i + 2);
    g_assert_cmpuint (elapsed_ms (since), >=, 350u << i);
  }
  g_assert_cmpstr (w.viewer.reasons[P2P_STEP_AUTH], ==, "check-failure");
  side_close (&w.viewer);
  world_close (&w);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rules/closed", test_closed);
  g_test_add_func ("/rules/ignored", test_ignored);
  g_test_add_func ("/rules/flood-of-key-units", test_flood_of_key_units);
  g_test_add_func ("/rules/flood-of-commands", test_flood_of_commands);
  g_test_add_func ("/rules/two-answers", test_two_answers);
  g_test_add_func ("/rules/device", test_device);
  g_test_add_func ("/rules/backoff-of-offender", test_backoff_of_offender);
  g_test_add_func ("/rules/backoff-of-wrong-key", test_backoff_of_wrong_key);
  return g_test_run ();
}
