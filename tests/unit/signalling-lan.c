/* lan:// over loopback's multicast, with strangers; and in namespaces of its
 * own, with nothing but a veth pair.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include "p2plan.h"
#include "p2ptcp.h"
#include "signalling-util.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A port of our own for discovery, so that nothing else on this machine hears
 * us. */
static gchar *
lan_uri (void)
{
  g_autoptr (GSocket) socket
      = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM,
                      G_SOCKET_PROTOCOL_UDP, NULL);
  g_autoptr (GSocketAddress) any
      = g_inet_socket_address_new_from_string ("127.0.0.1", 0);
  g_autoptr (GSocketAddress) bound = NULL;

  g_assert_true (g_socket_bind (socket, any, FALSE, NULL));
  bound = g_socket_get_local_address (socket, NULL);
  return g_strdup_printf ("lan://lo:%u", g_inet_socket_address_get_port (
                                             G_INET_SOCKET_ADDRESS (bound)));
}

static void
test_conversation (void)
{
  g_autofree gchar *uri = lan_uri ();
  Node *device = node_online (uri, P2P_ROLE_DEVICE, KEY);
  Node *viewer = node_online (uri, P2P_ROLE_VIEWER, KEY);

  assert_conversation (viewer);
  assert_conversation (viewer);
  g_assert_cmpuint (device->opened, ==, 2);
  g_assert_cmpuint (device->rejected, ==, 0);
  node_free (device);
  wait_until (viewer->closed == 2);
  g_assert_cmpstr (viewer->close_reason, ==, P2P_REASON_PEER_GONE);
  node_free (viewer);
}

static void
test_every_interface (void)
{
  g_autofree gchar *lo = lan_uri ();
  g_autofree gchar *uri = g_strdup_printf ("lan://:%s", strrchr (lo, ':') + 1);
  Node *device = node_online (uri, P2P_ROLE_DEVICE, KEY);
  Node *viewer = node_online (uri, P2P_ROLE_VIEWER, KEY);

  assert_conversation (viewer);
  node_free (viewer);
  node_free (device);
}

/* Several devices on one machine share the port; each answers its own viewer.
 */
static void
test_several_devices (void)
{
  g_autofree gchar *uri = lan_uri ();
  Node *devices[3], *viewers[3];
  guint i;

  for (i = 0; i < 3; i++) {
    g_autofree gchar *id = g_strdup_printf ("camera-%u", i);

    devices[i] = node_new (uri, P2P_ROLE_DEVICE, id, KEY);
    viewers[i] = node_new (uri, P2P_ROLE_VIEWER, id, KEY);
    node_start (devices[i]);
    node_start (viewers[i]);
  }
  for (i = 0; i < 3; i++)
    wait_until (devices[i]->online == 1 && viewers[i]->online == 1);
  for (i = 0; i < 3; i++) {
    assert_conversation (viewers[i]);
    g_assert_cmpuint (devices[i]->opened, ==, 1);
  }
  for (i = 0; i < 3; i++) {
    node_free (viewers[i]);
    node_free (devices[i]);
  }
}

static void
test_wrong_key (void)
{
  g_autofree gchar *uri = lan_uri ();
  Node *device = node_online (uri, P2P_ROLE_DEVICE, KEY);
  Node *thief = node_new (uri, P2P_ROLE_VIEWER, DEVICE, WRONG_KEY);

  p2p_signaller_get_timing (thief->signaller)->no_answer = 350;
  node_start (thief);
  p2p_signaller_open_channel (thief->signaller);
  wait_until (thief->closed == 1);
  g_assert_cmpstr (thief->close_reason, ==, P2P_REASON_NO_ANSWER);
  g_assert_nonnull (strstr (thief->close_detail, "offline, unknown or wrong"));
  g_assert_cmpuint (p2p_signaller_get_rejected (device->signaller), >=, 2);
  g_assert_cmpuint (device->reject_calls, <=, 2);
  g_assert_cmpuint (device->opened, ==, 0);
  node_free (thief);
  node_free (device);
}

static void
test_nobody_there (void)
{
  g_autofree gchar *uri = lan_uri ();
  Node *viewer = node_new (uri, P2P_ROLE_VIEWER, DEVICE, KEY);
  Node *elsewhere = node_new ("lan://no-such-if", P2P_ROLE_VIEWER, DEVICE, KEY);

  p2p_signaller_get_timing (viewer->signaller)->no_answer = 50;
  p2p_signaller_get_timing (elsewhere->signaller)->no_answer = 50;
  node_start (viewer);
  node_start (elsewhere);
  p2p_signaller_open_channel (viewer->signaller);
  p2p_signaller_open_channel (elsewhere->signaller);
  wait_until (viewer->closed == 1 && elsewhere->closed == 1);
  g_assert_cmpstr (viewer->close_reason, ==, P2P_REASON_NO_ANSWER);
  g_assert_cmpstr (elsewhere->close_reason, ==, P2P_REASON_NO_ANSWER);
  g_assert_nonnull (strstr (elsewhere->close_detail, "no-such-if"));
  node_free (viewer);
  node_free (elsewhere);
}

/* The device comes up while it is looked for. */
static void
test_device_later (void)
{
  g_autofree gchar *uri = lan_uri ();
  Node *viewer = node_online (uri, P2P_ROLE_VIEWER, KEY);
  Node *device = node_new (uri, P2P_ROLE_DEVICE, DEVICE, KEY);

  p2p_signaller_open_channel (viewer->signaller);
  node_start (device);
  wait_until (viewer->opened == 1);
  p2p_channel_send (viewer->channel, "{}");
  wait_until (viewer->messages->len == 1);
  node_free (viewer);
  node_free (device);
}

/* -- By hand -------------------------------------------------------------- */

typedef struct
{
  GSocket *socket;
  GSocketAddress *group;
} Raw;

static Raw
raw_open (const gchar *uri)
{
  Raw raw;
  struct ip_mreqn request = { .imr_ifindex = (int)if_nametoindex ("lo") };

  raw.group
      = g_inet_socket_address_new_from_string (P2P_LAN_GROUP,
                                               atoi (strrchr (uri, ':') + 1));
  raw.socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM,
                             G_SOCKET_PROTOCOL_UDP, NULL);
  g_socket_set_blocking (raw.socket, FALSE);
  g_assert_cmpint (setsockopt (g_socket_get_fd (raw.socket), IPPROTO_IP,
                               IP_MULTICAST_IF, &request, sizeof request),
                   ==, 0);
  return raw;
}

static void
raw_close (Raw *raw)
{
  g_object_unref (raw->socket);
  g_object_unref (raw->group);
}

static void
raw_probe (Raw *raw, gconstpointer data, gsize len)
{
  g_assert_cmpint (g_socket_send_to (raw->socket, raw->group, data, len, NULL,
                                     NULL),
                   ==, len);
}

/* Bytes waiting, without waiting. */
static gssize
raw_receive (Raw *raw, guint8 *data, gsize size)
{
  return g_socket_receive (raw->socket, (gchar *)data, size, NULL, NULL);
}

static GBytes *
good_probe (P2pCredential *credential)
{
  P2pLanBody body = { .purpose = P2P_LAN_FOR_VIEWER };
  guint8 plain[P2P_LAN_BODY];

  p2p_lan_write_body (&body, plain);
  return p2p_box_seal (credential, P2P_BOX_LAN_PROBE, NULL, plain, sizeof plain,
                       NULL);
}

/* A fence: the device has handled all that was sent before. */
static void
settle (const gchar *uri)
{
  Node *viewer = node_online (uri, P2P_ROLE_VIEWER, KEY);

  assert_conversation (viewer);
  node_free (viewer);
}

/* Garbage gets nothing; a probe is answered once, however often it is played
 * again; each probe altered by a bit gets nothing. */
static void
test_only_genuine_probes (void)
{
  g_autofree gchar *uri = lan_uri ();
  Node *device = node_online (uri, P2P_ROLE_DEVICE, KEY);
  g_autoptr (P2pCredential) credential
      = p2p_credential_new (DEVICE, KEY, NULL, NULL);
  g_autoptr (GBytes) probe = good_probe (credential);
  g_autoptr (GBytes) another = good_probe (credential);
  Raw raw = raw_open (uri);
  guint8 data[2000] = { 0 };
  gsize at, len;
  guint i;

  /* Nothing is the same in two probes but the three bytes of its type. */
  for (at = len = 0; at < P2P_LAN_PROBE; at++)
    len += ((const guint8 *)g_bytes_get_data (probe, NULL))[at]
           == ((const guint8 *)g_bytes_get_data (another, NULL))[at];
  g_assert_cmpuint (len, <, 4 + 8);

  for (len = 0; len < 200; len++)
    raw_probe (&raw, data, len);
  for (i = 0; i < 100; i++) {
    for (at = 0; at < sizeof data; at++)
      data[at] = g_test_rand_int_range (0, 256);
    raw_probe (&raw, data, i < 50 ? P2P_LAN_PROBE : 1400);
  }
  for (at = 0; at < P2P_LAN_PROBE; at++) {
    memcpy (data, g_bytes_get_data (probe, NULL), P2P_LAN_PROBE);
    data[at] ^= 1;
    raw_probe (&raw, data, P2P_LAN_PROBE);
    while (g_main_context_iteration (NULL, FALSE))
      ;
  }
  settle (uri);
  g_assert_cmpint (raw_receive (&raw, data, sizeof data), <, 0);

  for (i = 0; i < 5; i++)
    raw_probe (&raw, g_bytes_get_data (probe, NULL), P2P_LAN_PROBE);
  settle (uri);
  g_assert_cmpint (raw_receive (&raw, data, sizeof data), ==, P2P_LAN_ANSWER);
  g_assert_cmpint (raw_receive (&raw, data, sizeof data), <, 0);
  g_assert_cmpuint (device->opened, ==, 2);
  raw_close (&raw);
  node_free (device);
}

/* Who finds the TCP port, by scanning, is told nothing at all. */
static void
test_silent_port (void)
{
  g_autofree gchar *uri = lan_uri ();
  Node *device = node_new (uri, P2P_ROLE_DEVICE, DEVICE, KEY);
  g_autoptr (P2pCredential) credential
      = p2p_credential_new (DEVICE, KEY, NULL, NULL);
  static const guint8 zero[P2P_CHALLENGE_BYTES];
  guint8 noise[1000] = { 0 }, header[3] = { 0, 0, P2P_FRAME_ENVELOPE };
  P2pEnvelope *envelope;
  GBytes *first;
  guint i;

  p2p_signaller_get_timing (device->signaller)->refuse = 5;
  p2p_signaller_get_timing (device->signaller)->handshake = 50;
  node_start (device);
  wait_until (device->online == 1);
  for (i = 0; i < 4; i++) {
    g_autoptr (GSocket) socket
        = raw_connect (p2p_signaller_get_port (device->signaller));
    GByteArray *said;

    if (i == 1)
      raw_send (socket, noise, sizeof noise);
    if (i == 2)
      raw_send (socket, "\1\1\2", 3);
    if (i == 3) { /* has the key, but was not answered */
      envelope = p2p_envelope_new (credential, P2P_ROLE_VIEWER, zero, zero);
      first = p2p_envelope_seal (envelope, P2P_ENVELOPE_MESSAGE, "{}", 2);
      header[1] = g_bytes_get_size (first) + 1;
      raw_send (socket, header, 3);
      raw_send (socket, g_bytes_get_data (first, NULL),
                g_bytes_get_size (first));
      g_bytes_unref (first);
      p2p_envelope_free (envelope);
    }
    said = raw_read_all (socket);
    g_assert_cmpuint (said->len, ==, 0);
    g_byte_array_unref (said);
  }
  g_assert_cmpuint (p2p_signaller_get_rejected (device->signaller), ==, 3);
  node_free (device);
}

static void
test_flood (void)
{
  g_autofree gchar *uri = lan_uri ();
  Node *device = node_online (uri, P2P_ROLE_DEVICE, KEY);
  g_autoptr (P2pCredential) wrong
      = p2p_credential_new (DEVICE, WRONG_KEY, NULL, NULL);
  g_autoptr (GBytes) probe = good_probe (wrong);
  Raw raw = raw_open (uri);
  guint i;

  for (i = 0; i < 3000; i++) {
    raw_probe (&raw, g_bytes_get_data (probe, NULL), P2P_LAN_PROBE);
    if (i % 20 == 0)
      while (g_main_context_iteration (NULL, FALSE))
        ;
  }
  settle (uri);
  g_assert_cmpuint (p2p_signaller_get_rejected (device->signaller), >, 500);
  g_assert_cmpuint (device->reject_calls, <, 10);
  raw_close (&raw);
  node_free (device);
}

static void
test_duplicate (void)
{
  g_autofree gchar *uri = lan_uri ();
  Node *device = node_online (uri, P2P_ROLE_DEVICE, KEY);
  Node *second = node_new (uri, P2P_ROLE_DEVICE, DEVICE, KEY);
  Node *viewer = node_online (uri, P2P_ROLE_VIEWER, KEY);

  p2p_signaller_get_timing (second->signaller)->backoff = 50;
  node_start (second);
  wait_until (second->state == P2P_SIGNALLER_OFFLINE && second->state_reason);
  g_assert_cmpstr (second->state_reason, ==, P2P_REASON_DUPLICATE);
  g_assert_nonnull (strstr (second->state_detail, "is running at "));
  g_assert_cmpuint (second->online, ==, 0);
  assert_conversation (viewer);
  g_assert_cmpuint (device->opened, ==, 1);
  g_assert_cmpint (device->state, ==, P2P_SIGNALLER_ONLINE);
  /* The first goes; the second takes over by itself. */
  node_free (device);
  wait_until (second->online == 1);
  assert_conversation (viewer);
  node_free (second);
  node_free (viewer);
}

static void
test_duplicates_at_once (void)
{
  g_autofree gchar *uri = lan_uri ();
  Node *one = node_new (uri, P2P_ROLE_DEVICE, DEVICE, KEY);
  Node *other = node_new (uri, P2P_ROLE_DEVICE, DEVICE, KEY);

  p2p_signaller_get_timing (one->signaller)->backoff = 10000;
  p2p_signaller_get_timing (other->signaller)->backoff = 10000;
  node_start (one);
  node_start (other);
  wait_until (one->online + other->online == 1
              && (one->state_reason || other->state_reason));
  g_assert_cmpstr (one->online ? other->state_reason : one->state_reason, ==,
                   P2P_REASON_DUPLICATE);
  node_free (one);
  node_free (other);
}

static void
stop_now (gpointer user)
{
  Node *node = user;

  p2p_signaller_stop (node->signaller);
}

static void
test_stop_anywhere (void)
{
  g_autofree gchar *uri = lan_uri ();
  guint fds, i;
  Node *keeper = node_online (uri, P2P_ROLE_DEVICE, KEY);

  fds = count_fds ();
  for (i = 0; i < 30; i++) {
    Node *device = node_new (uri, P2P_ROLE_DEVICE, "other", KEY);
    Node *viewer = node_new (uri, P2P_ROLE_VIEWER, DEVICE, KEY);
    Node *twin = node_new (uri, P2P_ROLE_DEVICE, DEVICE, KEY);
    guint steps = i;

    twin->on_event = device->on_event = stop_now;
    node_start (device);
    node_start (viewer);
    node_start (twin);
    p2p_signaller_open_channel (viewer->signaller);
    while (steps--)
      g_main_context_iteration (NULL, FALSE);
    node_free (device);
    node_free (viewer);
    node_free (twin);
  }
  wait_until (count_fds () == fds);
  node_free (keeper);
}

/* -- In namespaces -------------------------------------------------------- */

static gboolean
write_file (const gchar *path, const gchar *text)
{
  int fd = open (path, O_WRONLY);
  gboolean ok = fd >= 0 && write (fd, text, strlen (text)) > 0;

  if (fd >= 0)
    close (fd);
  return ok;
}

/* A network of this process's own, with loopback down. */
static gboolean
leave_network (void)
{
  g_autofree gchar *uid = g_strdup_printf ("0 %u 1", geteuid ());
  g_autofree gchar *gid = g_strdup_printf ("0 %u 1", getegid ());

  if (unshare (CLONE_NEWNET) == 0)
    return TRUE;
  return unshare (CLONE_NEWUSER | CLONE_NEWNET) == 0
         && write_file ("/proc/self/setgroups", "deny")
         && write_file ("/proc/self/uid_map", uid)
         && write_file ("/proc/self/gid_map", gid);
}

static void G_GNUC_PRINTF (1, 2) run (const gchar *format, ...)
{
  g_autofree gchar *command = NULL;
  va_list args;

  va_start (args, format);
  command = g_strdup_vprintf (format, args);
  va_end (args);
  if (system (command) != 0)
    g_error ("failed: %s", command);
}

static void
wait_byte (int fd)
{
  gchar byte;

  if (read (fd, &byte, 1) != 1)
    _exit (2);
}

/* Another host: runs `device` when told so. */
static void
other_host (int commands, int answers)
{
  Node *device;

  if (unshare (CLONE_NEWNET) != 0)
    _exit (1);
  run ("ip link set lo up");
  g_assert_cmpint (write (answers, "n", 1), ==, 1);
  wait_byte (commands); /* the veth may still be missing */
  device = node_new ("lan://", P2P_ROLE_DEVICE, DEVICE, KEY);
  p2p_signaller_get_timing (device->signaller)->lan_rejoin = 50;
  node_start (device);
  wait_until (device->online == 1);
  g_assert_cmpint (write (answers, "d", 1), ==, 1);
  wait_until (device->messages->len == 1);
  wait_until (device->closed == 1);
  node_free (device);
  _exit (0);
}

static void
plug_in (pid_t host)
{
  run ("ip link add v0 type veth peer name v1 && ip link set v1 netns %d",
       host);
  run ("ip addr add 10.1.0.1/24 dev v0 && ip link set v0 up");
  run ("nsenter -t %d -n sh -c 'ip addr add 10.1.0.2/24 dev v1 && "
       "ip link set v1 up'",
       host);
}

/* Two hosts, a cable, no default route, and a second interface that leads
 * nowhere. `late`: the cable is plugged in when all runs already. */
static void
two_hosts (gboolean late)
{
  int commands[2], answers[2], status;
  pid_t host;
  Node *viewer;

  run ("ip link set lo up");
  run ("ip link add x0 type veth peer name x1 && ip addr add 10.9.0.1/24 dev "
       "x0 && ip link set x0 up && ip link set x1 up");
  g_assert_cmpint (pipe (commands), ==, 0);
  g_assert_cmpint (pipe (answers), ==, 0);
  host = fork ();
  if (host == 0) {
    close (commands[1]);
    close (answers[0]);
    other_host (commands[0], answers[1]);
  }
  close (commands[0]);
  close (answers[1]);
  wait_byte (answers[0]);
  if (!late)
    plug_in (host);
  g_assert_cmpint (write (commands[1], "g", 1), ==, 1);
  wait_byte (answers[0]);
  viewer = node_online ("lan://", P2P_ROLE_VIEWER, KEY);
  p2p_signaller_get_timing (viewer->signaller)->no_answer = 20000;
  if (late) {
    p2p_signaller_open_channel (viewer->signaller);
    while (g_main_context_iteration (NULL, FALSE))
      ;
    plug_in (host);
    wait_until (viewer->opened == 1);
    p2p_channel_send (viewer->channel, "{}");
    wait_until (viewer->messages->len == 1);
  } else {
    assert_conversation (viewer);
  }
  g_assert_true (
      g_str_has_prefix (p2p_channel_get_remote (viewer->channel), "10.1.0.2:"));
  node_free (viewer);
  g_assert_cmpint (waitpid (host, &status, 0), ==, host);
  g_assert_cmpint (status, ==, 0);
}

/* Runs `func` in a process and a network of its own. */
static void
in_own_network (void (*func) (void))
{
  int status;
  pid_t child = fork ();

  if (child == 0) {
    if (!leave_network () || system ("ip link set lo up") != 0)
      _exit (77);
    func ();
    _exit (0);
  }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  if (WIFEXITED (status) && WEXITSTATUS (status) == 77)
    g_test_skip ("network namespaces are not allowed here");
  else
    g_assert_cmpint (status, ==, 0);
}

static void
only_loopback (void)
{
  Node *device = node_online ("lan://", P2P_ROLE_DEVICE, KEY);
  Node *viewer = node_online ("lan://", P2P_ROLE_VIEWER, KEY);

  assert_conversation (viewer);
  node_free (viewer);
  node_free (device);
}

static void
cable (void)
{
  two_hosts (FALSE);
}

static void
late_cable (void)
{
  two_hosts (TRUE);
}

static void
test_only_loopback (void)
{
  in_own_network (only_loopback);
}

static void
test_cable (void)
{
  in_own_network (cable);
}

static void
test_late_cable (void)
{
  in_own_network (late_cable);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* These fork, so they come before any thread. */
  g_test_add_func ("/lan/only-loopback", test_only_loopback);
  g_test_add_func ("/lan/cable", test_cable);
  g_test_add_func ("/lan/late-cable", test_late_cable);
  g_test_add_func ("/lan/conversation", test_conversation);
  g_test_add_func ("/lan/every-interface", test_every_interface);
  g_test_add_func ("/lan/several-devices", test_several_devices);
  g_test_add_func ("/lan/wrong-key", test_wrong_key);
  g_test_add_func ("/lan/nobody-there", test_nobody_there);
  g_test_add_func ("/lan/device-later", test_device_later);
  g_test_add_func ("/lan/only-genuine-probes", test_only_genuine_probes);
  g_test_add_func ("/lan/silent-port", test_silent_port);
  g_test_add_func ("/lan/flood", test_flood);
  g_test_add_func ("/lan/duplicate", test_duplicate);
  g_test_add_func ("/lan/duplicates-at-once", test_duplicates_at_once);
  g_test_add_func ("/lan/stop-anywhere", test_stop_anywhere);
  return g_test_run ();
}
