/* Commands and their replies, between endpoints over tcp:// on loopback.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "session-util.h"

#include <string.h>

typedef struct
{
  P2pEndpoint *endpoint;
  guint id;
  GPtrArray *commands;          /* GBytes, in the order carried out */
  gchar *last_peer;
  const gchar *block;           /* this peer's commands wait; "": all */
  gboolean silent;              /* NULL for a reply */
  gsize reply_size;             /* 0: what came goes back */
  guint inside, inside_of_blocked, most_of_blocked;
  gboolean leave;               /* takes itself off */
  guint destroyed;
} Handler;

typedef struct
{
  guint calls, destroyed;
  GBytes *reply;
  gchar *error;
} Call;

static GBytes *
on_command (P2pEndpoint *endpoint, const gchar *peer, GBytes *command,
    gpointer user)
{
  Handler *h = user;
  gboolean blocks, leave;
  GBytes *reply;

  g_mutex_lock (&world);
  g_ptr_array_add (h->commands, g_bytes_ref (command));
  g_free (h->last_peer);
  h->last_peer = g_strdup (peer);
  blocks = h->block != NULL && (h->block[0] == '\0'
      || g_str_equal (h->block, peer));
  h->inside++;
  if (blocks) {
    h->inside_of_blocked++;
    h->most_of_blocked = MAX (h->most_of_blocked, h->inside_of_blocked);
  }
  g_cond_broadcast (&changed);
  while (blocks && h->block != NULL)
    g_cond_wait (&changed, &world);
  if (blocks)
    h->inside_of_blocked--;
  h->inside--;
  leave = h->leave;
  reply = h->silent ? NULL : h->reply_size > 0
      ? make_payload ("reply", 1, h->reply_size) : g_bytes_ref (command);
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
  if (leave)
    p2p_endpoint_remove_listener (endpoint, h->id);
  return reply;
}

static void
on_destroy (gpointer user)
{
  Handler *h = user;

  g_mutex_lock (&world);
  h->destroyed++;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
}

static void
handler_open (Handler *h, Side *side, gboolean destroy)
{
  P2pListener listener = { .command = on_command };

  memset (h, 0, sizeof *h);
  h->commands = g_ptr_array_new_with_free_func (
      (GDestroyNotify) g_bytes_unref);
  h->endpoint = side->endpoint;
  if (destroy)
    listener.destroy = on_destroy;
  h->id = p2p_endpoint_add_listener (side->endpoint, &listener, h);
}

static void
handler_clear (Handler *h)
{
  g_ptr_array_unref (h->commands);
  g_free (h->last_peer);
}

static void
handler_close (Handler *h)
{
  p2p_endpoint_remove_listener (h->endpoint, h->id);
  handler_clear (h);
}

static void
unblock (Handler *h)
{
  g_mutex_lock (&world);
  h->block = NULL;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
}

static void
on_reply (GBytes *reply, const gchar *error, gpointer user)
{
  Call *call = user;

  g_mutex_lock (&world);
  g_assert_cmpuint (call->calls++, ==, 0);
  g_assert_cmpuint (call->destroyed, ==, 0);
  g_assert_true ((reply == NULL) != (error == NULL));
  if (reply != NULL)
    call->reply = g_bytes_ref (reply);
  call->error = g_strdup (error);
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
}

static void
on_call_destroy (gpointer user)
{
  Call *call = user;

  g_mutex_lock (&world);
  g_assert_cmpuint (call->calls, ==, 1);
  g_assert_cmpuint (call->destroyed++, ==, 0);
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
}

static void
call_begin (Call *call, P2pEndpoint *endpoint, const gchar *peer,
    const gchar *name, gsize size, guint timeout_ms)
{
  GBytes *command = make_payload (name, 7, MAX (size, 64));
  GBytes *cut = g_bytes_new_from_bytes (command, 0, size);

  memset (call, 0, sizeof *call);
  p2p_endpoint_send_command (endpoint, peer, cut, timeout_ms, on_reply, call,
      on_call_destroy);
  g_bytes_unref (cut);
  g_bytes_unref (command);
}

/* `error` NULL: a reply is expected. */
static void
call_end (Call *call, const gchar *error)
{
  WAIT_FOR (call->destroyed == 1);
  g_assert_cmpstr (call->error, ==, error);
  g_assert_cmpuint (call->calls, ==, 1);
  if (call->reply != NULL)
    g_bytes_unref (call->reply);
  g_free (call->error);
}

/* -- A device and viewers -------------------------------------------------- */

typedef struct
{
  guint port;
  Side device, viewers[3];
  guint n;
} World;

static void
viewer_open (World *w, Side *side, guint number)
{
  gchar *uri = g_strdup_printf ("tcp://127.0.0.%u:%u", number + 1, w->port);
  P2pEndpointConfig config;

  side_config (&config, P2P_ROLE_VIEWER, uri);
  side_open (side, &config);
  g_free (uri);
}

/* The device's ids of viewers are drawn by them: each is waited for alone. */
static void
world_open (World *w, guint viewers, gchar **ids)
{
  P2pEndpointConfig config;
  gchar *any;
  guint i;

  memset (w, 0, sizeof *w);
  w->port = free_port ();
  any = g_strdup_printf ("tcp://0.0.0.0:%u", w->port);
  side_config (&config, P2P_ROLE_DEVICE, any);
  side_open (&w->device, &config);
  g_free (any);
  WAIT_FOR (w->device.steps[P2P_STEP_SERVER][TRUE] == 1);
  for (i = 0; i < viewers; i++) {
    viewer_open (w, &w->viewers[i], i);
    WAIT_FOR (w->viewers[i].added == 1 && w->device.added == i + 1);
    g_mutex_lock (&world);
    if (ids != NULL)
      ids[i] = g_strdup (w->device.peer);
    g_mutex_unlock (&world);
  }
  w->n = viewers;
}

static void
world_close (World *w)
{
  guint i;

  for (i = 0; i < w->n; i++)
    if (w->viewers[i].endpoint != NULL)
      side_close (&w->viewers[i]);
  if (w->device.endpoint != NULL)
    side_close (&w->device);
  WAIT_FOR (p2p_endpoint_count_alive () == 0);
}

/* -- Tests ----------------------------------------------------------------- */

static void
check_sizes (Side *from, Handler *at, const gchar *peer)
{
  static const gsize sizes[] = { 0, 1, 3000, 16384, P2P_COMMAND_MAX };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    Call call;
    GBytes *got;

    call_begin (&call, from->endpoint, NULL, "c", sizes[i], 0);
    WAIT_FOR (call.destroyed == 1);
    g_assert_cmpstr (call.error, ==, NULL);
    g_mutex_lock (&world);
    g_assert_cmpuint (at->commands->len, ==, i + 1);
    got = g_ptr_array_index (at->commands, i);
    g_assert_cmpuint (g_bytes_get_size (got), ==, sizes[i]);
    g_assert_true (sizes[i] < 64 || payload_matches (got, "c", 7));
    g_assert_true (g_bytes_equal (got, call.reply));
    g_assert_cmpstr (at->last_peer, ==, peer);
    g_mutex_unlock (&world);
    call_end (&call, NULL);
  }
}

static void
test_sizes (void)
{
  World w;
  gchar *ids[1];
  Handler device, viewer;
  Call call;

  world_open (&w, 1, ids);
  handler_open (&device, &w.device, FALSE);
  handler_open (&viewer, &w.viewers[0], FALSE);
  check_sizes (&w.viewers[0], &device, ids[0]);
  check_sizes (&w.device, &viewer, "camera-1");
  call_begin (&call, w.device.endpoint, ids[0], "c", P2P_COMMAND_MAX + 1, 0);
  call_end (&call, P2P_COMMAND_TOO_BIG);
  call_begin (&call, w.device.endpoint, "viewer-none", "c", 1, 0);
  call_end (&call, P2P_COMMAND_NOT_CONNECTED);
  g_assert_cmpuint (viewer.commands->len, ==, 5);
  handler_close (&device);
  handler_close (&viewer);
  world_close (&w);
  g_free (ids[0]);
}

static void
test_refused (void)
{
  World w;
  Handler h, second;
  Call call;

  world_open (&w, 1, NULL);
  call_begin (&call, w.viewers[0].endpoint, NULL, "c", 10, 0);
  call_end (&call, P2P_COMMAND_REFUSED);
  handler_open (&h, &w.device, FALSE);
  h.silent = TRUE;
  call_begin (&call, w.viewers[0].endpoint, NULL, "c", 10, 0);
  call_end (&call, P2P_COMMAND_REFUSED);
  /* The next listener is asked. */
  handler_open (&second, &w.device, FALSE);
  call_begin (&call, w.viewers[0].endpoint, NULL, "c", 10, 0);
  call_end (&call, NULL);
  g_assert_cmpuint (h.commands->len, ==, 2);
  g_assert_cmpuint (second.commands->len, ==, 1);
  g_mutex_lock (&world);
  second.reply_size = P2P_COMMAND_MAX + 1;
  g_mutex_unlock (&world);
  call_begin (&call, w.viewers[0].endpoint, NULL, "c", 10, 0);
  call_end (&call, P2P_COMMAND_REFUSED);
  handler_close (&h);
  handler_close (&second);
  world_close (&w);
}

static void
test_not_connected (void)
{
  World w;
  P2pEndpointConfig config;
  P2pEndpoint *never;
  Call calls[3];

  world_open (&w, 0, NULL);
  call_begin (&calls[0], w.device.endpoint, NULL, "c", 10, 0);
  call_end (&calls[0], P2P_COMMAND_NOT_CONNECTED);
  side_config (&config, P2P_ROLE_VIEWER, "tcp://127.0.0.1:9");
  never = p2p_endpoint_acquire (&config, NULL);
  call_begin (&calls[1], never, NULL, "c", 10, 0);
  p2p_endpoint_release (never);
  call_end (&calls[1], P2P_COMMAND_CLOSED);
  /* Released right behind it. */
  never = p2p_endpoint_acquire (&config, NULL);
  p2p_endpoint_start (never);
  call_begin (&calls[2], never, NULL, "c", 10, 0);
  p2p_endpoint_release (never);
  WAIT_FOR (calls[2].destroyed == 1);
  g_assert_nonnull (calls[2].error);
  g_free (calls[2].error);
  world_close (&w);
}

/* Who blocks holds up nobody else, and is asked one at a time, in order. */
static void
test_blocking_handler (void)
{
  World w;
  gchar *ids[3];
  Handler h;
  Call slow[P2P_MAX_COMMANDS], other, busy;
  guint i;

  world_open (&w, 3, ids);
  handler_open (&h, &w.device, FALSE);
  h.block = ids[1];
  for (i = 0; i < P2P_MAX_COMMANDS; i++)
    call_begin (&slow[i], w.viewers[1].endpoint, NULL, "s", 64 + i, 0);
  WAIT_FOR (h.inside_of_blocked == 1);
  call_begin (&busy, w.viewers[1].endpoint, NULL, "s", 10, 0);
  call_end (&busy, P2P_COMMAND_BUSY);
  for (i = 0; i < 20; i++) {
    call_begin (&other, w.viewers[i % 2 * 2].endpoint, NULL, "o", 100, 0);
    call_end (&other, NULL);
  }
  g_assert_cmpuint (slow[0].calls, ==, 0);
  g_assert_cmpuint (h.commands->len, ==, 21);
  /* From here on the same peer's run without waiting. */
  unblock (&h);
  for (i = 0; i < P2P_MAX_COMMANDS; i++) {
    WAIT_FOR (slow[i].calls == 1);
    g_assert_cmpuint (g_bytes_get_size (slow[i].reply), ==, 64 + i);
    call_end (&slow[i], NULL);
  }
  g_assert_cmpuint (h.most_of_blocked, ==, 1);
  handler_close (&h);
  world_close (&w);
  for (i = 0; i < 3; i++)
    g_free (ids[i]);
}

/* Given up by the sender, they are still carried out; what is too much for the
 * receiver waits on the way, and replies come through meanwhile. */
static void
test_timeout (void)
{
  World w;
  Handler h, back;
  Call late[3 * P2P_MAX_COMMANDS], call;
  guint i;

  world_open (&w, 1, NULL);
  handler_open (&h, &w.device, FALSE);
  handler_open (&back, &w.viewers[0], FALSE);
  h.block = "";
  for (i = 0; i < G_N_ELEMENTS (late); i++) {
    call_begin (&late[i], w.viewers[0].endpoint, NULL, "l", 100, 1);
    call_end (&late[i], P2P_COMMAND_NO_ANSWER);
  }
  call_begin (&call, w.device.endpoint, NULL, "b", 20000, 0);
  call_end (&call, NULL);
  unblock (&h);
  call_begin (&call, w.viewers[0].endpoint, NULL, "n", 100, 0);
  call_end (&call, NULL);
  g_assert_cmpuint (h.commands->len, ==, G_N_ELEMENTS (late) + 1);
  handler_close (&h);
  handler_close (&back);
  world_close (&w);
}

static void
test_sender_gone (void)
{
  World w;
  Handler h;
  Call call, other;

  world_open (&w, 2, NULL);
  handler_open (&h, &w.device, FALSE);
  h.block = "";
  call_begin (&call, w.viewers[0].endpoint, NULL, "c", 100, 0);
  WAIT_FOR (h.inside == 1);
  side_close (&w.viewers[0]);
  call_end (&call, P2P_COMMAND_CLOSED);
  WAIT_FOR (w.device.removed == 1);
  unblock (&h);
  call_begin (&other, w.viewers[1].endpoint, NULL, "c", 100, 0);
  call_end (&other, NULL);
  handler_close (&h);
  world_close (&w);
}

static void
test_receiver_gone (void)
{
  World w;
  Handler h;
  Call call[3];
  guint i;

  world_open (&w, 1, NULL);
  handler_open (&h, &w.device, TRUE);
  h.block = "";
  for (i = 0; i < G_N_ELEMENTS (call); i++)
    call_begin (&call[i], w.viewers[0].endpoint, NULL, "c", 100, 0);
  WAIT_FOR (h.inside == 1);
  /* Does not wait for it. */
  p2p_endpoint_remove_listener (w.device.endpoint, h.id);
  side_close (&w.device);
  for (i = 0; i < G_N_ELEMENTS (call); i++)
    call_end (&call[i], P2P_COMMAND_PEER_GONE);
  g_assert_cmpuint (h.destroyed, ==, 0);
  unblock (&h);
  WAIT_FOR (h.destroyed == 1);
  g_assert_cmpuint (h.commands->len, ==, 1);
  handler_clear (&h);
  world_close (&w);
}

static gpointer
remove_elsewhere (gpointer user)
{
  Handler *h = user;

  p2p_endpoint_remove_listener (h->endpoint, h->id);
  g_mutex_lock (&world);
  g_assert_cmpuint (h->inside, ==, 0);
  h->destroyed++;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
  return NULL;
}

static void
test_removal (void)
{
  World w;
  Handler h;
  Call call;
  GThread *thread;

  world_open (&w, 1, NULL);
  /* From another thread: waits for the one under way. */
  handler_open (&h, &w.device, FALSE);
  h.block = "";
  call_begin (&call, w.viewers[0].endpoint, NULL, "c", 100, 0);
  WAIT_FOR (h.inside == 1);
  thread = g_thread_new ("remove", remove_elsewhere, &h);
  unblock (&h);
  call_end (&call, NULL);
  g_thread_join (thread);
  g_assert_cmpuint (h.destroyed, ==, 1);
  handler_clear (&h);
  /* From within. */
  handler_open (&h, &w.device, FALSE);
  h.leave = TRUE;
  call_begin (&call, w.viewers[0].endpoint, NULL, "c", 100, 0);
  call_end (&call, NULL);
  call_begin (&call, w.viewers[0].endpoint, NULL, "c", 100, 0);
  call_end (&call, P2P_COMMAND_REFUSED);
  g_assert_cmpuint (h.commands->len, ==, 1);
  handler_clear (&h);
  world_close (&w);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/commands/sizes", test_sizes);
  g_test_add_func ("/commands/refused", test_refused);
  g_test_add_func ("/commands/not-connected", test_not_connected);
  g_test_add_func ("/commands/blocking-handler", test_blocking_handler);
  g_test_add_func ("/commands/timeout", test_timeout);
  g_test_add_func ("/commands/sender-gone", test_sender_gone);
  g_test_add_func ("/commands/receiver-gone", test_receiver_gone);
  g_test_add_func ("/commands/removal", test_removal);
  return g_test_run ();
}
