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
#include "p2pendpoint-private.h"
#include "session-util.h"

#include <string.h>

#define H264                                                                   \
  "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au"
#define FLOW P2P_WIRE_FIRST_STREAM_FLOW
#define OFFER 77

/* -- Saying things --------------------------------------------------------- */

static void
release (void *owner)
{
  g_bytes_unref (owner);
}

static void
say (P2pPeer *peer, guint16 flow, gconstpointer data, gsize len)
{
  GBytes *bytes = g_bytes_new (data, len);
  UdtMessage message = { .payload = g_bytes_get_data (bytes, NULL),
                         .payload_len = len,
                         .owner = bytes,
                         .release = release,
                         .flags = UDT_MESSAGE_SYNC };
  UdtFlowConfig config = { .order = UDT_ORDER_STRICT,
                           .service = UDT_CLASS_COMMAND,
                           .deadline = UDT_DEADLINE_NONE };
  UdtTime now = (UdtTime)g_get_monotonic_time ();

  /* Those that are open already stay as they are. */
  udt_connection_open_flow (peer->engine, flow, &config, now);
  if (udt_connection_send (peer->engine, flow, &message, now) != UDT_OK)
    g_error ("the engine does not take it");
  p2p_connection_wake (peer->connection);
}

static void
control (P2pPeer *peer, P2pWireControl m)
{
  guint8 data[P2P_WIRE_MAX_CONTROL];
  gsize len = p2p_wire_write_control (&m, data, sizeof data);

  g_assert_cmpuint (len, >, 0);
  say (peer, P2P_WIRE_CONTROL_FLOW, data, len);
}

static void
command (P2pPeer *peer, guint16 flow, P2pWireCommand wire, gsize size)
{
  guint8 *data = g_malloc0 (P2P_WIRE_MAX_COMMAND_HEADER + size);
  gsize len = p2p_wire_write_command (&wire, data, P2P_WIRE_MAX_COMMAND_HEADER);

  g_assert_cmpuint (len, >, 0);
  say (peer, flow, data, len + size);
  g_free (data);
}

static void
frame (P2pPeer *peer, guint16 flow)
{
  P2pWireFrame f = { .pts = 0, .dts = 0, .duration = 0 };
  guint8 data[P2P_WIRE_MAX_FRAME_HEADER + 100] = { 0 };
  gsize len = p2p_wire_write_frame (&f, data, P2P_WIRE_MAX_FRAME_HEADER);

  say (peer, flow, data, len + 100);
}

static void
offer (P2pPeer *peer, guint32 id)
{
  control (peer, (P2pWireControl){ .type = P2P_WIRE_OFFER_OPEN,
                                   .request = id,
                                   .text = p2p_wire_text ("action=voice") });
}

static void
open_stream (P2pPeer *peer, guint16 flow, guint32 request)
{
  control (peer, (P2pWireControl){ .type = P2P_WIRE_STREAM_OPEN,
                                   .stream = flow,
                                   .request = request,
                                   .kind = P2P_WIRE_DATA,
                                   .text = p2p_wire_text ("data_0") });
}

static void
caps (P2pPeer *peer, guint16 flow, guint8 version, const gchar *text)
{
  control (peer, (P2pWireControl){ .type = P2P_WIRE_STREAM_CAPS,
                                   .stream = flow,
                                   .caps_version = version,
                                   .text = p2p_wire_text (text) });
}

/* -- What a viewer can do to a device -------------------------------------- */

static void
nothing_at_all (P2pPeer *peer)
{
  say (peer, P2P_WIRE_CONTROL_FLOW, "", 0);
}

static void
cut_short (P2pPeer *peer)
{
  const guint8 data[] = { P2P_WIRE_STREAM_OPEN, FLOW };

  say (peer, P2P_WIRE_CONTROL_FLOW, data, sizeof data);
}

static void
with_a_tail (P2pPeer *peer)
{
  const guint8 data[] = { P2P_WIRE_REQUEST_READY, 1, 0 };

  say (peer, P2P_WIRE_CONTROL_FLOW, data, sizeof data);
}

static void
too_long (P2pPeer *peer)
{
  guint8 *data = g_malloc0 (1 << 20);

  data[0] = P2P_WIRE_HELLO;
  say (peer, P2P_WIRE_CONTROL_FLOW, data, 1 << 20);
  g_free (data);
}

static void
long_command (P2pPeer *peer)
{
  command (peer, P2P_WIRE_COMMAND_FLOW,
           (P2pWireCommand){ .type = P2P_WIRE_COMMAND, .id = 1 },
           P2P_WIRE_MAX_COMMAND + 1);
}

static void
command_out_of_order (P2pPeer *peer)
{
  command (peer, P2P_WIRE_COMMAND_FLOW,
           (P2pWireCommand){ .type = P2P_WIRE_COMMAND, .id = 2 }, 1);
}

static void
command_again (P2pPeer *peer)
{
  guint i;

  for (i = 0; i < 2; i++)
    command (peer, P2P_WIRE_COMMAND_FLOW,
             (P2pWireCommand){ .type = P2P_WIRE_COMMAND, .id = 1 }, 1);
}

static void
command_as_reply (P2pPeer *peer)
{
  command (peer, P2P_WIRE_REPLY_FLOW,
           (P2pWireCommand){ .type = P2P_WIRE_COMMAND, .id = 1 }, 1);
}

static void
reply_to_nothing (P2pPeer *peer)
{
  command (peer, P2P_WIRE_REPLY_FLOW,
           (P2pWireCommand){ .type = P2P_WIRE_REPLY, .id = 1 }, 1);
}

static void
request_of_the_other_side (P2pPeer *peer)
{
  control (peer, (P2pWireControl){ .type = P2P_WIRE_REQUEST_OPEN,
                                   .request = P2P_DEVICE_REQUEST | 1 });
}

static void
request_twice (P2pPeer *peer)
{
  guint i;

  for (i = 0; i < 2; i++)
    control (peer,
             (P2pWireControl){ .type = P2P_WIRE_REQUEST_OPEN, .request = 9 });
}

static void
flood_of_requests (P2pPeer *peer)
{
  guint i;

  for (i = 0; i <= P2P_MAX_REQUESTS_PER_PEER; i++)
    control (peer, (P2pWireControl){ .type = P2P_WIRE_REQUEST_OPEN,
                                     .request = 100 + i });
}

static void
offer_twice (P2pPeer *peer)
{
  offer (peer, OFFER);
  offer (peer, OFFER);
}

static void
offer_of_the_other_side (P2pPeer *peer)
{
  offer (peer, P2P_DEVICE_REQUEST | OFFER);
}

static void
flood_of_offers (P2pPeer *peer)
{
  guint i;

  for (i = 0; i <= P2P_MAX_REQUESTS_PER_PEER; i++)
    offer (peer, OFFER + i);
}

static void
takes_no_offer (P2pPeer *peer)
{
  control (peer,
           (P2pWireControl){ .type = P2P_WIRE_OFFER_ACCEPT, .request = OFFER });
}

static void
flood_of_streams (P2pPeer *peer)
{
  guint i;

  offer (peer, OFFER);
  for (i = 0; i <= P2P_MAX_STREAMS_PER_REQUEST; i++)
    open_stream (peer, (guint16)(FLOW + i), OFFER);
}

static void
flow_number_twice (P2pPeer *peer)
{
  offer (peer, OFFER);
  open_stream (peer, FLOW + 5, OFFER);
  open_stream (peer, FLOW + 5, OFFER);
}

static void
flow_number_going_down (P2pPeer *peer)
{
  offer (peer, OFFER);
  open_stream (peer, FLOW + 5, OFFER);
  open_stream (peer, FLOW + 4, OFFER);
}

static void
flood_of_unknown_flows (P2pPeer *peer)
{
  guint i;

  for (i = 0; i <= P2P_MAX_UNANNOUNCED; i++)
    frame (peer, (guint16)(FLOW + i));
}

static void
oversized_caps (P2pPeer *peer)
{
  gchar *text = g_strnfill (P2P_WIRE_MAX_CAPS + 1, 'a');
  P2pWireControl m
      = { .type = P2P_WIRE_REQUEST_READY, .request = P2P_WIRE_MAX_CAPS + 1 };
  guint8 number[16];
  GByteArray *data = g_byte_array_new ();
  gsize len = p2p_wire_write_control (&m, number, sizeof number);
  const guint8 head[] = { P2P_WIRE_STREAM_CAPS, FLOW, 1 };

  offer (peer, OFFER);
  open_stream (peer, FLOW, OFFER);
  g_byte_array_append (data, head, sizeof head);
  /* A length is written as a request's number is. */
  g_byte_array_append (data, number + 1, (guint)len - 1);
  g_byte_array_append (data, (const guint8 *)text, P2P_WIRE_MAX_CAPS + 1);
  say (peer, P2P_WIRE_CONTROL_FLOW, data->data, data->len);
  g_byte_array_unref (data);
  g_free (text);
}

static void
nested_caps (P2pPeer *peer)
{
  offer (peer, OFFER);
  open_stream (peer, FLOW, OFFER);
  caps (peer, FLOW, 1, "video/x-h264, a=(int){ { { { { { 1 } } } } } }");
}

static void
any_caps (P2pPeer *peer)
{
  offer (peer, OFFER);
  open_stream (peer, FLOW, OFFER);
  caps (peer, FLOW, 1, "ANY");
}

static void
flood_of_caps (P2pPeer *peer)
{
  guint i;

  offer (peer, OFFER);
  open_stream (peer, FLOW, OFFER);
  for (i = 0; i <= P2P_MAX_PENDING_CAPS + 1; i++)
    caps (peer, FLOW, (guint8)i, H264);
}

static void
frame_without_header (P2pPeer *peer)
{
  const guint8 data[] = { 0xff, 0xff, 0xff };

  offer (peer, OFFER);
  open_stream (peer, FLOW, OFFER);
  say (peer, FLOW, data, sizeof data);
}

/* -- What does not matter -------------------------------------------------- */

/* Refused messages that are counted. */
static void
unknown_flows (P2pPeer *peer)
{
  frame (peer, 3);
  frame (peer, FLOW - 1);
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
  offer (peer, OFFER);
  open_stream (peer, FLOW, OFFER);
  control (peer, (P2pWireControl){ .type = P2P_WIRE_REQUEST_CLOSE,
                                   .request = OFFER });
  open_stream (peer, FLOW + 1, OFFER);
  caps (peer, FLOW + 1, 1, H264);
  frame (peer, FLOW + 1);
  control (peer, (P2pWireControl){ .type = P2P_WIRE_STREAM_END,
                                   .stream = FLOW + 1,
                                   .frames = 1 });
  control (peer, (P2pWireControl){ .type = P2P_WIRE_REQUEST_CLOSE,
                                   .request = OFFER });
}

static void
of_what_is_not_there (P2pPeer *peer)
{
  control (peer,
           (P2pWireControl){ .type = P2P_WIRE_REQUEST_CLOSE, .request = 4321 });
  control (peer,
           (P2pWireControl){ .type = P2P_WIRE_OFFER_STOP, .request = 4321 });
  control (peer,
           (P2pWireControl){ .type = P2P_WIRE_REQUEST_READY, .request = 4321 });
  control (peer, (P2pWireControl){ .type = P2P_WIRE_STREAM_END,
                                   .stream = 4321,
                                   .frames = 1 });
  control (peer,
           (P2pWireControl){ .type = P2P_WIRE_STREAM_CLOSE, .stream = 4321 });
  caps (peer, 4321, 1, H264);
}

static void
flood_of_key_units (P2pPeer *peer)
{
  guint i;

  for (i = 0; i < 2000; i++)
    control (peer,
             (P2pWireControl){ .type = P2P_WIRE_KEY_UNIT, .stream = FLOW });
}

/* -- The stage ------------------------------------------------------------- */

typedef struct
{
  const gchar *name;
  void (*run) (P2pPeer *peer);
} Breach;

typedef struct
{
  P2pEndpointConfig viewer_config;
  gchar *uri;
  Side device, viewer;
  Source video;
  Wish talk;
} World;

static void
world_open (World *w)
{
  P2pEndpointConfig config;

  memset (w, 0, sizeof *w);
  w->uri = tcp_uri (free_port ());
  side_config (&config, P2P_ROLE_DEVICE, w->uri);
  side_open (&w->device, &config);
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
  g_assert_cmpuint (p2p_endpoint_count_alive (), ==, 0);
}

static void
join (World *w)
{
  guint added = w->device.added;

  side_open (&w->viewer, &w->viewer_config);
  WAIT_FOR (w->viewer.added == 1 && w->device.added == added + 1);
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

static const Breach fatal[] = {
  { "an empty message", nothing_at_all },
  { "a message cut short", cut_short },
  { "a message with a tail", with_a_tail },
  { "a message of a megabyte", too_long },
  { "a command that is too long", long_command },
  { "commands out of order", command_out_of_order },
  { "a command twice", command_again },
  { "a command where replies go", command_as_reply },
  { "a reply to no question", reply_to_nothing },
  { "a request of the other side", request_of_the_other_side },
  { "a request twice", request_twice },
  { "a flood of requests", flood_of_requests },
  { "an offer twice", offer_twice },
  { "an offer of the other side", offer_of_the_other_side },
  { "a flood of offers", flood_of_offers },
  { "takes what was not offered", takes_no_offer },
  { "a flood of streams", flood_of_streams },
  { "a flow number twice", flow_number_twice },
  { "flow numbers that go down", flow_number_going_down },
  { "a flood of unknown flows", flood_of_unknown_flows },
  { "oversized caps", oversized_caps },
  { "nested caps", nested_caps },
  { "caps that say anything", any_caps },
  { "a flood of caps", flood_of_caps },
  { "a frame without a header", frame_without_header },
};

/* Each costs the offender its session and is counted; whoever comes next is
 * served, and nothing has piled up. */
static void
test_closed (void)
{
  guint i, threads = 0, fds = 0;
  World w;

  world_open (&w);
  for (i = 0; i < G_N_ELEMENTS (fatal); i++) {
    join (&w);
    g_test_message ("%s", fatal[i].name);
    commit (w.viewer.endpoint, &fatal[i]);
    WAIT_FOR (w.device.removed == i + 1);
    g_assert_cmpstr (w.device.removed_reason, ==, "protocol-error");
    WAIT_FOR (w.viewer.removed >= 1);
    side_close (&w.viewer);
    if (i == 0) {
      WAIT_FOR (p2p_endpoint_count_alive () == 1);
      threads = count_threads ();
      fds = count_fds ();
    }
  }
  WAIT_FOR (count_refused (w.device.endpoint) == G_N_ELEMENTS (fatal));
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
    command (peer, P2P_WIRE_COMMAND_FLOW,
             (P2pWireCommand){ .type = P2P_WIRE_COMMAND, .id = i + 1 }, 100);
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
  command (peer, P2P_WIRE_REPLY_FLOW,
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
  offer (peer, P2P_DEVICE_REQUEST | OFFER);
}

static void
request_with_a_viewers_number (P2pPeer *peer)
{
  control (peer,
           (P2pWireControl){ .type = P2P_WIRE_REQUEST_OPEN, .request = 1 });
}

static void
test_device (void)
{
  static const Breach breaches[] = {
    { "an offer to a viewer", offers_to_a_viewer },
    { "a request with a viewer's number", request_with_a_viewers_number },
    { "a reply to no question", reply_to_nothing },
    { "a flood of unknown flows", flood_of_unknown_flows },
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (breaches); i++) {
    World w;

    g_test_message ("%s", breaches[i].name);
    world_open (&w);
    join (&w);
    commit (w.device.endpoint, &breaches[i]);
    WAIT_FOR (w.viewer.removed == 1);
    g_assert_cmpstr (w.viewer.removed_reason, ==, "protocol-error");
    WAIT_FOR (count_refused (w.viewer.endpoint) == 1);
    side_close (&w.viewer);
    world_close (&w);
  }
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
    commit (w.viewer.endpoint, &fatal[0]);
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
