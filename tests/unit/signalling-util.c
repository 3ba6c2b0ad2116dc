/* Devices and viewers for the tests of signalling.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One thread, the default main context.
 */
#include "signalling-util.h"

#include <string.h>

/* Nothing here takes that long, unless it never comes. */
#define PATIENCE_S 30
#define PATIENCE_VALGRIND_S 300

gint64
wait_deadline (void)
{
  return g_get_monotonic_time ()
         + G_USEC_PER_SEC
               * (g_getenv ("P2P_VALGRIND") ? PATIENCE_VALGRIND_S : PATIENCE_S);
}

static gboolean
wake_up (gpointer user)
{
  return G_SOURCE_REMOVE;
}

gboolean
wait_step (gint64 deadline_us, const gchar *what)
{
  gint64 left = deadline_us - g_get_monotonic_time ();
  guint id;

  if (left <= 0) {
    g_test_message ("waited in vain for: %s", what);
    g_test_fail ();
    g_assert_not_reached ();
    return FALSE;
  }
  id = g_timeout_add (left / 1000 + 1, wake_up, NULL);
  g_main_context_iteration (NULL, TRUE);
  if (g_main_context_find_source_by_id (NULL, id))
    g_source_remove (id);
  return TRUE;
}

static void
noted (Node *node)
{
  if (node->on_event)
    node->on_event (node);
}

static void
on_state (P2pSignaller *signaller, P2pSignallerState state, const gchar *reason,
          const gchar *detail, gpointer user)
{
  Node *node = user;

  node->state = state;
  node->online += state == P2P_SIGNALLER_ONLINE;
  g_free (node->state_reason);
  g_free (node->state_detail);
  node->state_reason = g_strdup (reason);
  node->state_detail = g_strdup (detail);
  g_test_message ("state %d %s: %s", state, reason ? reason : "",
                  detail ? detail : "");
  noted (node);
}

static void
on_open (P2pSignaller *signaller, P2pChannel *channel, gpointer user)
{
  Node *node = user;

  node->opened++;
  node->channel = channel;
  noted (node);
}

static void
on_message (P2pSignaller *signaller, P2pChannel *channel, const gchar *text,
            gsize len, gpointer user)
{
  Node *node = user;

  g_assert_cmpuint (strlen (text), ==, len);
  g_ptr_array_add (node->messages, g_strdup (text));
  if (node->echo)
    g_assert_true (p2p_channel_send (channel, text));
  noted (node);
}

static void
on_closed (P2pSignaller *signaller, P2pChannel *channel, const gchar *reason,
           const gchar *detail, gpointer user)
{
  Node *node = user;

  node->closed++;
  node->closed_us = g_get_monotonic_time ();
  if (node->channel == channel)
    node->channel = NULL;
  g_free (node->close_reason);
  g_free (node->close_detail);
  node->close_reason = g_strdup (reason);
  node->close_detail = g_strdup (detail);
  g_test_message ("closed %s: %s", reason, detail);
  noted (node);
}

static void
on_rejected (P2pSignaller *signaller, guint count, const gchar *from,
             gpointer user)
{
  Node *node = user;

  g_assert_nonnull (from);
  node->rejected += count;
  node->reject_calls++;
  noted (node);
}

static const P2pSignallerCallbacks callbacks
    = { on_state, on_open, on_message, on_closed, on_rejected };

Node *
node_new (const gchar *uri, P2pRole role, const gchar *device_id,
          const gchar *key)
{
  Node *node = g_new0 (Node, 1);
  g_autoptr (GError) error = NULL;
  P2pCredential *credential;

  node->messages = g_ptr_array_new_with_free_func (g_free);
  node->echo = role == P2P_ROLE_DEVICE;
  credential = p2p_credential_new (device_id, key, NULL, &error);
  g_assert_no_error (error);
  node->signaller
      = p2p_signaller_new (uri, role, credential, &callbacks, node, &error);
  g_assert_no_error (error);
  p2p_credential_unref (credential);
  return node;
}

void
node_start (Node *node)
{
  p2p_signaller_start (node->signaller, NULL);
}

Node *
node_online (const gchar *uri, P2pRole role, const gchar *key)
{
  Node *node = node_new (uri, role, DEVICE, key);

  node_start (node);
  wait_until (node->online == 1);
  return node;
}

void
node_free (Node *node)
{
  p2p_signaller_free (node->signaller);
  g_ptr_array_unref (node->messages);
  g_free (node->close_reason);
  g_free (node->close_detail);
  g_free (node->state_reason);
  g_free (node->state_detail);
  g_free (node);
}

Node *
viewer_of (Node *device, const gchar *key)
{
  g_autofree gchar *uri
      = g_strdup_printf ("tcp://127.0.0.1:%u",
                         p2p_signaller_get_port (device->signaller));

  return node_online (uri, P2P_ROLE_VIEWER, key);
}

void
assert_conversation (Node *viewer)
{
  guint had = viewer->messages->len;
  guint opened = viewer->opened;

  g_assert_nonnull (p2p_signaller_open_channel (viewer->signaller));
  wait_until (viewer->opened == opened + 1);
  g_assert_true (p2p_channel_send (viewer->channel, "{\"say\":\"hello\"}"));
  wait_until (viewer->messages->len == had + 1);
  g_assert_cmpstr (viewer->messages->pdata[had], ==, "{\"say\":\"hello\"}");
}

GSocket *
raw_connect (guint16 port)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketAddress) address = NULL;
  GSocket *socket;

  address = g_inet_socket_address_new_from_string ("127.0.0.1", port);
  socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM,
                         G_SOCKET_PROTOCOL_TCP, &error);
  g_assert_no_error (error);
  g_socket_connect (socket, address, NULL, &error);
  g_assert_no_error (error);
  g_socket_set_blocking (socket, FALSE);
  return socket;
}

void
raw_send (GSocket *socket, gconstpointer data, gsize len)
{
  gsize sent = 0;

  while (sent < len) {
    g_autoptr (GError) error = NULL;
    gssize n = g_socket_send (socket, (const gchar *)data + sent, len - sent,
                              NULL, &error);

    if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)) {
      g_main_context_iteration (NULL, FALSE);
      continue;
    }
    if (n < 0)
      return; /* the other side has had enough */
    sent += n;
  }
}

static gboolean
quit (GSocket *socket, GIOCondition condition, gpointer user)
{
  return G_SOURCE_REMOVE;
}

/* Until `len` bytes or the end. */
static GByteArray *
read_some (GSocket *socket, gsize len)
{
  GByteArray *all = g_byte_array_new ();
  gint64 deadline = wait_deadline ();

  while (all->len < len) {
    g_autoptr (GError) error = NULL;
    guint8 buffer[512];
    gssize n
        = g_socket_receive (socket, (gchar *)buffer,
                            MIN (sizeof buffer, len - all->len), NULL, &error);

    if (n > 0) {
      g_byte_array_append (all, buffer, n);
    } else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)) {
      GSource *source = g_socket_create_source (socket, G_IO_IN, NULL);

      g_source_set_callback (source, (GSourceFunc)(void (*) (void))quit, NULL,
                             NULL);
      g_source_attach (source, NULL);
      wait_step (deadline, "bytes on a raw socket");
      g_source_destroy (source);
      g_source_unref (source);
    } else {
      break;
    }
  }
  return all;
}

GByteArray *
raw_read_all (GSocket *socket)
{
  return read_some (socket, G_MAXSIZE);
}

GByteArray *
raw_read (GSocket *socket, gsize len)
{
  GByteArray *all = read_some (socket, len);

  g_assert_cmpuint (all->len, ==, len);
  return all;
}

static guint
count_entries (const gchar *path)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  guint n = 0;

  g_assert_nonnull (dir);
  while (g_dir_read_name (dir))
    n++;
  g_dir_close (dir);
  return n;
}

guint
count_fds (void)
{
  return count_entries ("/proc/self/fd");
}

guint
count_threads (void)
{
  return count_entries ("/proc/self/task");
}
