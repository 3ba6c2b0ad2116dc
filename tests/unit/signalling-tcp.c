/* tcp:// between real sockets on loopback, with strangers, thieves and floods.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "p2ptcp.h"
#include "signalling-util.h"

#include <string.h>

static Node *
tcp_device (void)
{
  return node_online ("tcp://127.0.0.1:0", P2P_ROLE_DEVICE, KEY);
}

static void
test_conversation (void)
{
  Node *device = tcp_device ();
  Node *viewer = viewer_of (device, KEY);
  guint i;

  assert_conversation (viewer);
  for (i = 0; i < 200; i++) {
    g_autofree gchar *text = g_strdup_printf ("{\"n\":%u}", i);

    g_assert_true (p2p_channel_send (viewer->channel, text));
    if (i % 50 == 49)
      wait_until (viewer->messages->len == i + 2);
  }
  for (i = 0; i < 200; i++) {
    g_autofree gchar *text = g_strdup_printf ("{\"n\":%u}", i);

    g_assert_cmpstr (viewer->messages->pdata[i + 1], ==, text);
  }
  g_assert_cmpuint (device->opened, ==, 1);
  g_assert_cmpuint (device->rejected, ==, 0);
  g_assert_cmpstr (p2p_channel_get_remote (device->channel), ==, "127.0.0.1");

  p2p_channel_close (viewer->channel);
  wait_until (device->closed == 1);
  g_assert_cmpstr (device->close_reason, ==, P2P_REASON_PEER_GONE);
  g_assert_cmpuint (viewer->closed, ==, 0);
  node_free (viewer);
  node_free (device);
}

static void
test_ipv6 (void)
{
  Node *device = node_new ("tcp://[::1]:0", P2P_ROLE_DEVICE, DEVICE, KEY);
  g_autofree gchar *uri = NULL;
  Node *viewer;

  node_start (device);
  wait_until (device->state_detail || device->online);
  if (!device->online) {
    g_test_skip ("no IPv6 on this machine");
    node_free (device);
    return;
  }
  uri = g_strdup_printf ("tcp://[::1]:%u",
                         p2p_signaller_get_port (device->signaller));
  viewer = node_online (uri, P2P_ROLE_VIEWER, KEY);
  assert_conversation (viewer);
  g_assert_cmpstr (p2p_channel_get_remote (viewer->channel), ==, uri + 6);
  node_free (viewer);
  node_free (device);
}

static void
test_name (void)
{
  Node *device = node_online ("tcp://localhost:0", P2P_ROLE_DEVICE, KEY);
  g_autofree gchar *uri
      = g_strdup_printf ("tcp://localhost:%u",
                         p2p_signaller_get_port (device->signaller));
  Node *viewer = node_online (uri, P2P_ROLE_VIEWER, KEY);

  assert_conversation (viewer);
  node_free (viewer);
  node_free (device);
}

static void
test_message_limits (void)
{
  Node *device = tcp_device ();
  Node *viewer = viewer_of (device, KEY);
  g_autofree gchar *largest = g_strnfill (P2P_SIGNAL_MAX_MESSAGE, ' ');
  g_autofree gchar *larger = g_strnfill (P2P_SIGNAL_MAX_MESSAGE + 1, ' ');

  largest[0] = larger[0] = '{';
  largest[P2P_SIGNAL_MAX_MESSAGE - 1] = larger[P2P_SIGNAL_MAX_MESSAGE] = '}';
  assert_conversation (viewer);
  g_assert_false (p2p_channel_send (viewer->channel, larger));
  g_assert_true (p2p_channel_send (viewer->channel, largest));
  wait_until (viewer->messages->len == 2);
  g_assert_cmpstr (viewer->messages->pdata[1], ==, largest);
  node_free (viewer);
  node_free (device);
}

/* A viewer that has the key but talks nonsense loses its channel, no more. */
static void
test_bad_json (void)
{
  static const gchar *const bad[] = {
    "",
    "[]",
    "{",
    "{\"a\":[[[[[[[[]]]]]]]]}",
  };
  Node *device = tcp_device ();
  Node *viewer = viewer_of (device, KEY);
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (bad); i++) {
    assert_conversation (viewer);
    g_assert_true (p2p_channel_send (viewer->channel, bad[i]));
    wait_until (device->closed == i + 1);
    g_assert_cmpstr (device->close_reason, ==, P2P_REASON_CHECK_FAILURE);
    wait_until (viewer->closed == i + 1);
    g_assert_cmpuint (device->messages->len, ==, i + 1);
  }
  g_assert_cmpuint (device->rejected, ==, 0);
  node_free (viewer);
  node_free (device);
}

static void
test_wrong_key (void)
{
  Node *device = tcp_device ();
  Node *thief = viewer_of (device, WRONG_KEY);
  Node *viewer = viewer_of (device, KEY);

  p2p_signaller_open_channel (thief->signaller);
  wait_until (thief->closed == 1);
  g_assert_cmpstr (thief->close_reason, ==, P2P_REASON_CHECK_FAILURE);
  g_assert_cmpuint (thief->messages->len, ==, 0);
  g_assert_cmpuint (device->opened, ==, 0);
  g_assert_cmpuint (device->rejected, ==, 1);
  g_assert_cmpuint (p2p_signaller_get_rejected (device->signaller), ==, 1);
  assert_conversation (viewer);
  node_free (viewer);
  node_free (thief);
  node_free (device);
}

/* What a stranger gets to see, and when (from its last byte on). */
typedef struct
{
  GByteArray *bytes;
  gint64 took_us;
} Refusal;

static Refusal
be_refused (guint16 port, P2pCredential *credential)
{
  g_autoptr (GSocket) socket = raw_connect (port);
  GByteArray *hello = raw_read (socket, 3 + P2P_TCP_HELLO_BYTES);
  guint8 id[P2P_CHANNEL_ID_BYTES] = { 1, 2, 3 };
  P2pEnvelope *envelope;
  GBytes *first;
  GByteArray *frame = g_byte_array_new ();
  guint8 header[3];
  Refusal refusal;
  gint64 start;
  gsize len;

  g_assert_cmpint (hello->data[2], ==, P2P_FRAME_HELLO);
  envelope
      = p2p_envelope_new (credential, P2P_ROLE_VIEWER, hello->data + 11, id);
  first = p2p_envelope_seal (envelope, P2P_ENVELOPE_MESSAGE, "{}", 2);
  len = g_bytes_get_size (first) + 1;
  header[0] = len >> 8;
  header[1] = len & 0xff;
  header[2] = P2P_FRAME_ENVELOPE;
  g_byte_array_append (frame, header, 3);
  g_byte_array_append (frame, g_bytes_get_data (first, NULL), len - 1);

  start = g_get_monotonic_time ();
  raw_send (socket, frame->data, frame->len);
  refusal.bytes = raw_read_all (socket);
  refusal.took_us = g_get_monotonic_time () - start;
  g_byte_array_unref (frame);
  g_byte_array_unref (hello);
  g_bytes_unref (first);
  p2p_envelope_free (envelope);
  return refusal;
}

/* The same bytes, and one timer decides when, for an unknown id and for a wrong
 * key: never earlier than it. */
static void
test_refusals_alike (void)
{
  Node *device = tcp_device ();
  guint16 port = p2p_signaller_get_port (device->signaller);
  gint64 timer_us
      = p2p_signaller_get_timing (device->signaller)->refuse * 1000LL;
  static const guint8 refused[] = { 0, 1, P2P_FRAME_REFUSED };
  struct
  {
    const gchar *id, *key;
  } strangers[] = {
    { "no-such-device", KEY },
    { DEVICE, WRONG_KEY },
    { "no-such-device", WRONG_KEY },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (strangers); i++) {
    g_autoptr (P2pCredential) credential
        = p2p_credential_new (strangers[i].id, strangers[i].key, NULL, NULL);
    Refusal refusal;

    p2p_credential_stretch (credential);
    refusal = be_refused (port, credential);
    g_assert_cmpmem (refusal.bytes->data, refusal.bytes->len, refused,
                     sizeof refused);
    g_assert_cmpint (refusal.took_us, >=, timer_us - 2000);
    g_byte_array_unref (refusal.bytes);
  }
  wait_until (device->rejected == G_N_ELEMENTS (strangers));
  node_free (device);
}

static void
assert_garbage_refused (Node *device, gconstpointer data, gsize len)
{
  g_autoptr (GSocket) socket
      = raw_connect (p2p_signaller_get_port (device->signaller));
  guint64 rejected = p2p_signaller_get_rejected (device->signaller);
  GByteArray *hello, *rest;

  hello = raw_read (socket, 3 + P2P_TCP_HELLO_BYTES);
  raw_send (socket, data, len);
  rest = raw_read_all (socket);
  g_assert_cmpuint (rest->len, ==, 3);
  g_assert_cmpint (rest->data[2], ==, P2P_FRAME_REFUSED);
  g_assert_cmpuint (p2p_signaller_get_rejected (device->signaller), ==,
                    rejected + 1);
  g_byte_array_unref (hello);
  g_byte_array_unref (rest);
}

static void
test_garbage (void)
{
  Node *device = node_new ("tcp://127.0.0.1:0", P2P_ROLE_DEVICE, DEVICE, KEY);
  guint8 noise[5000];
  gsize i;
  Node *viewer;

  p2p_signaller_get_timing (device->signaller)->refuse = 5;
  p2p_signaller_get_timing (device->signaller)->handshake = 100;
  node_start (device);
  wait_until (device->online);

  for (i = 0; i < sizeof noise; i++)
    noise[i] = g_test_rand_int_range (0, 256);
  noise[0] = 0xff;
  assert_garbage_refused (device, noise, sizeof noise);
  assert_garbage_refused (device, "GET / HTTP/1.1\r\n\r\n", 18);
  assert_garbage_refused (device, "\0\0", 2);   /* an empty frame */
  assert_garbage_refused (device, "\0\1\2", 3); /* an empty envelope */
  assert_garbage_refused (device, "\0\1\1", 3); /* a hello from a viewer */
  assert_garbage_refused (device, "\0\1\3", 3); /* a refusal from a viewer */
  assert_garbage_refused (device, "\x20\x2d\2", 3); /* the rest never comes */
  noise[0] = 0;
  noise[1] = 200;
  noise[2] = P2P_FRAME_ENVELOPE;
  for (i = 0; i < 20; i++) {
    noise[3] = i < 10 ? P2P_ENVELOPE_VERSION : i;
    noise[4] = 1;
    noise[5] = 1 + i % 4;
    noise[6] = 1;
    memset (noise + 7 + P2P_CHANNEL_ID_BYTES, 0, 8);
    assert_garbage_refused (device, noise, 202);
  }
  viewer = viewer_of (device, KEY);
  assert_conversation (viewer);
  g_assert_cmpuint (device->opened, ==, 1);
  node_free (viewer);
  node_free (device);
}

/* The first flight of an honest viewer, played again by who has recorded it: on
 * another connection the challenge is another. And altered at each byte. */
static void
test_replay_and_tampering (void)
{
  Node *device = node_new ("tcp://127.0.0.1:0", P2P_ROLE_DEVICE, DEVICE, KEY);
  g_autoptr (P2pCredential) credential
      = p2p_credential_new (DEVICE, KEY, NULL, NULL);
  guint8 challenge[P2P_CHALLENGE_BYTES] = { 0 };
  guint8 id[P2P_CHANNEL_ID_BYTES] = { 0 };
  P2pEnvelope *envelope;
  GBytes *first;
  GByteArray *frame = g_byte_array_new ();
  guint8 header[3] = { 0, 0, P2P_FRAME_ENVELOPE };
  gsize at;

  p2p_signaller_get_timing (device->signaller)->refuse = 1;
  node_start (device);
  wait_until (device->online);
  envelope = p2p_envelope_new (credential, P2P_ROLE_VIEWER, challenge, id);
  first = p2p_envelope_seal (envelope, P2P_ENVELOPE_MESSAGE, "{}", 2);
  header[1] = g_bytes_get_size (first) + 1;
  g_byte_array_append (frame, header, 3);
  g_byte_array_append (frame, g_bytes_get_data (first, NULL),
                       g_bytes_get_size (first));
  assert_garbage_refused (device, frame->data, frame->len);

  for (at = 3; at < frame->len; at += 5) {
    g_autoptr (GSocket) socket
        = raw_connect (p2p_signaller_get_port (device->signaller));
    GByteArray *hello = raw_read (socket, 3 + P2P_TCP_HELLO_BYTES), *rest;

    p2p_envelope_free (envelope);
    g_bytes_unref (first);
    envelope
        = p2p_envelope_new (credential, P2P_ROLE_VIEWER, hello->data + 11, id);
    first = p2p_envelope_seal (envelope, P2P_ENVELOPE_MESSAGE, "{}", 2);
    memcpy (frame->data + 3, g_bytes_get_data (first, NULL),
            g_bytes_get_size (first));
    frame->data[at] ^= 0x10;
    raw_send (socket, frame->data, frame->len);
    rest = raw_read_all (socket);
    g_assert_cmpuint (rest->len, ==, 3);
    g_assert_cmpint (rest->data[2], ==, P2P_FRAME_REFUSED);
    g_byte_array_unref (hello);
    g_byte_array_unref (rest);
  }
  g_assert_cmpuint (device->opened, ==, 0);
  g_byte_array_unref (frame);
  g_bytes_unref (first);
  p2p_envelope_free (envelope);
  node_free (device);
}

/* Strangers who connect and wait hold no more than their share, and an honest
 * viewer still gets in. */
static void
test_flood (void)
{
  Node *device = tcp_device ();
  guint16 port = p2p_signaller_get_port (device->signaller);
  GSocket *sockets[300];
  guint before = count_fds (), held, i;
  Node *viewer;

  for (i = 0; i < G_N_ELEMENTS (sockets); i++) {
    sockets[i] = raw_connect (port);
    while (g_main_context_iteration (NULL, FALSE))
      ;
  }
  wait_until (p2p_signaller_get_rejected (device->signaller) > 0);
  held = count_fds () - before - G_N_ELEMENTS (sockets);
  g_assert_cmpuint (held, <=, P2P_TCP_MAX_UNPROVED_PER_SOURCE);
  /* Reported, but not three hundred times. */
  g_assert_cmpuint (device->reject_calls, <=, 5);
  for (i = 0; i < G_N_ELEMENTS (sockets); i++) {
    g_socket_close (sockets[i], NULL);
    g_object_unref (sockets[i]);
  }
  wait_until (count_fds () == before);

  viewer = viewer_of (device, KEY);
  while (viewer->messages->len == 0) {
    guint closed = viewer->closed;
    P2pChannel *channel = p2p_signaller_open_channel (viewer->signaller);

    wait_until (viewer->opened || viewer->closed > closed);
    if (viewer->channel == channel) {
      p2p_channel_send (channel, "{}");
      wait_until (viewer->messages->len > 0 || viewer->closed > closed);
    }
  }
  node_free (viewer);
  node_free (device);
}

static void
test_nobody_there (void)
{
  Node *device = tcp_device ();
  Node *viewer = viewer_of (device, KEY);

  node_free (device);
  p2p_signaller_open_channel (viewer->signaller);
  wait_until (viewer->closed == 1);
  g_assert_cmpstr (viewer->close_reason, ==, P2P_REASON_NO_ANSWER);
  g_assert_nonnull (strstr (viewer->close_detail, "127.0.0.1:"));
  node_free (viewer);
}

static void
test_device_goes (void)
{
  Node *device = tcp_device ();
  Node *viewer = viewer_of (device, KEY);

  assert_conversation (viewer);
  node_free (device);
  wait_until (viewer->closed == 1);
  g_assert_cmpstr (viewer->close_reason, ==, P2P_REASON_PEER_GONE);
  node_free (viewer);
}

static void
on_accepted (GObject *listener, GAsyncResult *result, gpointer user)
{
  GSocketConnection **connection = user;

  *connection = g_socket_listener_accept_finish (G_SOCKET_LISTENER (listener),
                                                 result, NULL, NULL);
}

/* Both sides still have a connection, but one has fallen silent. */
static void
test_silence (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketListener) listener = g_socket_listener_new ();
  guint16 port = g_socket_listener_add_any_inet_port (listener, NULL, &error);
  g_autofree gchar *uri = g_strdup_printf ("tcp://127.0.0.1:%u", port);
  Node *viewer = node_new (uri, P2P_ROLE_VIEWER, DEVICE, KEY);
  GSocketConnection *connection = NULL;
  guint8 hello[3 + P2P_TCP_HELLO_BYTES]
      = { 0,   1 + P2P_TCP_HELLO_BYTES, P2P_FRAME_HELLO, 'I', 'V', 'P',
          '2', P2P_ENVELOPE_VERSION };

  p2p_signaller_get_timing (viewer->signaller)->stream_ping = 20;
  p2p_signaller_get_timing (viewer->signaller)->stream_dead = 100;
  node_start (viewer);
  p2p_signaller_open_channel (viewer->signaller);
  g_socket_listener_accept_async (listener, NULL, on_accepted, &connection);
  wait_until (connection);
  raw_send (g_socket_connection_get_socket (connection), hello, sizeof hello);
  wait_until (viewer->opened == 1);
  wait_until (viewer->closed == 1);
  g_assert_cmpstr (viewer->close_reason, ==, P2P_REASON_PEER_GONE);
  node_free (viewer);
  g_object_unref (connection);
}

static void
test_pings_keep_alive (void)
{
  Node *device = node_new ("tcp://127.0.0.1:0", P2P_ROLE_DEVICE, DEVICE, KEY);
  Node *viewer;
  g_autofree gchar *uri = NULL;
  gint64 until;

  p2p_signaller_get_timing (device->signaller)->stream_ping = 50;
  p2p_signaller_get_timing (device->signaller)->stream_dead = 1000;
  node_start (device);
  wait_until (device->online);
  uri = g_strdup_printf ("tcp://127.0.0.1:%u",
                         p2p_signaller_get_port (device->signaller));
  viewer = node_new (uri, P2P_ROLE_VIEWER, DEVICE, KEY);
  *p2p_signaller_get_timing (viewer->signaller)
      = *p2p_signaller_get_timing (device->signaller);
  node_start (viewer);
  assert_conversation (viewer);
  until = g_get_monotonic_time () + 1500 * 1000;
  wait_until (g_get_monotonic_time () > until || viewer->closed
              || device->closed);
  g_assert_cmpuint (viewer->closed + device->closed, ==, 0);
  node_free (viewer);
  node_free (device);
}

static void
test_address_in_use (void)
{
  Node *device = tcp_device ();
  g_autofree gchar *uri
      = g_strdup_printf ("tcp://127.0.0.1:%u",
                         p2p_signaller_get_port (device->signaller));
  Node *second = node_new (uri, P2P_ROLE_DEVICE, DEVICE, KEY);
  Node *viewer;

  p2p_signaller_get_timing (second->signaller)->backoff = 50;
  node_start (second);
  wait_until (second->state == P2P_SIGNALLER_OFFLINE && second->state_reason);
  g_assert_cmpstr (second->state_reason, ==, P2P_REASON_DUPLICATE);
  g_assert_nonnull (strstr (second->state_detail, uri));
  viewer = viewer_of (device, KEY);
  assert_conversation (viewer);
  node_free (device);
  wait_until (second->online == 1);
  wait_until (viewer->closed == 1);
  assert_conversation (viewer);
  node_free (viewer);
  node_free (second);
}

static void
test_busy (void)
{
  Node *device = tcp_device ();
  Node *viewer = viewer_of (device, KEY);
  guint i;

  for (i = 0; i < P2P_SIGNAL_MAX_CHANNELS; i++)
    assert_conversation (viewer);
  p2p_signaller_open_channel (viewer->signaller);
  wait_until (viewer->closed == 1);
  g_assert_cmpstr (viewer->close_reason, ==, P2P_REASON_BUSY);
  g_assert_cmpuint (device->opened, ==, P2P_SIGNAL_MAX_CHANNELS);
  node_free (viewer);
  node_free (device);
}

/* Stopping from within every callback. */
static void
stop_now (gpointer user)
{
  Node *node = user;

  p2p_signaller_stop (node->signaller);
}

static void
free_now (gpointer user)
{
  Node *node = user;

  node->on_event = NULL;
  p2p_signaller_free (g_steal_pointer (&node->signaller));
}

static void
test_stop_in_callbacks (void)
{
  void (*const ways[]) (gpointer) = { stop_now, free_now };
  guint way, event;

  for (way = 0; way < G_N_ELEMENTS (ways); way++) {
    for (event = 0; event < 4; event++) {
      Node *device = tcp_device ();
      Node *viewer = viewer_of (device, event == 3 ? WRONG_KEY : KEY);

      if (event == 0) /* channel_open of a viewer */
        viewer->on_event = ways[way];
      if (event == 1) /* channel_open of a device */
        device->on_event = ways[way];
      if (event == 3) /* rejected */
        device->on_event = ways[way];
      p2p_signaller_open_channel (viewer->signaller);
      wait_until (event == 3 ? device->rejected : viewer->opened);
      if (event == 1) {
        p2p_channel_send (viewer->channel, "{}");
        wait_until (device->opened == 1 && viewer->closed == 1);
      } else if (event == 2) { /* message */
        viewer->on_event = ways[way];
        p2p_channel_send (viewer->channel, "{}");
        wait_until (viewer->messages->len == 1);
      }
      node_free (viewer);
      node_free (device);
    }
  }
}

/* Connecting to what never answers: stopping is at once, and nothing stays. */
static void
test_black_hole (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketListener) hole = g_socket_listener_new ();
  guint16 port;
  g_autofree gchar *uri = NULL;
  guint fds, threads, i;

  port = g_socket_listener_add_any_inet_port (hole, NULL, &error);
  uri = g_strdup_printf ("tcp://127.0.0.1:%u", port);
  node_free (node_online (uri, P2P_ROLE_VIEWER, KEY));
  fds = count_fds ();
  threads = count_threads ();
  for (i = 0; i < 50; i++) {
    Node *viewer = node_online (uri, P2P_ROLE_VIEWER, KEY);
    gint64 start;

    p2p_signaller_open_channel (viewer->signaller);
    while (g_main_context_iteration (NULL, FALSE))
      ;
    start = g_get_monotonic_time ();
    node_free (viewer);
    if (!g_getenv ("P2P_VALGRIND"))
      g_assert_cmpint (g_get_monotonic_time () - start, <, 50000);
  }
  wait_until (count_fds () == fds);
  /* GLib's own pool of workers may have come into being. */
  wait_until (count_threads () <= threads + 1);
}

static void
test_hello_never_comes (void)
{
  g_autoptr (GSocketListener) hole = g_socket_listener_new ();
  guint16 port = g_socket_listener_add_any_inet_port (hole, NULL, NULL);
  g_autofree gchar *uri = g_strdup_printf ("tcp://127.0.0.1:%u", port);
  Node *viewer = node_new (uri, P2P_ROLE_VIEWER, DEVICE, KEY);

  p2p_signaller_get_timing (viewer->signaller)->no_answer = 50;
  node_start (viewer);
  p2p_signaller_open_channel (viewer->signaller);
  wait_until (viewer->closed == 1);
  g_assert_cmpstr (viewer->close_reason, ==, P2P_REASON_NO_ANSWER);
  node_free (viewer);
}

/* Many short conversations leave nothing behind. */
static void
test_cycles (void)
{
  Node *device = tcp_device ();
  Node *viewer = viewer_of (device, KEY);
  guint before = count_fds (), i;

  for (i = 0; i < 500; i++) {
    assert_conversation (viewer);
    p2p_channel_close (viewer->channel);
  }
  wait_until (device->closed == 500);
  wait_until (count_fds () == before);
  g_assert_cmpuint (device->rejected, ==, 0);
  node_free (viewer);
  node_free (device);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tcp/conversation", test_conversation);
  g_test_add_func ("/tcp/ipv6", test_ipv6);
  g_test_add_func ("/tcp/name", test_name);
  g_test_add_func ("/tcp/message-limits", test_message_limits);
  g_test_add_func ("/tcp/bad-json", test_bad_json);
  g_test_add_func ("/tcp/wrong-key", test_wrong_key);
  g_test_add_func ("/tcp/refusals-alike", test_refusals_alike);
  g_test_add_func ("/tcp/garbage", test_garbage);
  g_test_add_func ("/tcp/replay-and-tampering", test_replay_and_tampering);
  g_test_add_func ("/tcp/flood", test_flood);
  g_test_add_func ("/tcp/nobody-there", test_nobody_there);
  g_test_add_func ("/tcp/device-goes", test_device_goes);
  g_test_add_func ("/tcp/silence", test_silence);
  g_test_add_func ("/tcp/pings-keep-alive", test_pings_keep_alive);
  g_test_add_func ("/tcp/address-in-use", test_address_in_use);
  g_test_add_func ("/tcp/busy", test_busy);
  g_test_add_func ("/tcp/stop-in-callbacks", test_stop_in_callbacks);
  g_test_add_func ("/tcp/black-hole", test_black_hole);
  g_test_add_func ("/tcp/hello-never-comes", test_hello_never_comes);
  g_test_add_func ("/tcp/cycles", test_cycles);
  return g_test_run ();
}
