/* Commands: messages between the applications of both ends, and their replies.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Commands travel on one flow and replies on another, so that who has too many
 * commands to carry out can hold those, and still gets the replies to its own.
 *
 * Threads: the network thread sends and receives. A worker for each peer that
 * has sent commands, started with the first and ended with the last of them,
 * asks the application, which may take its time. `lock` covers what the two
 * share; it is a leaf.
 *
 * Whoever sent a command hears of it once: Outgoing is told when it is settled,
 * on the notify thread, or else when the last reference to it goes.
 *
 * References: of P2pCommands the peer has one, the worker one, each answer and
 * the event that opens it one. Of Outgoing the inbox has one, the list of those
 * without a reply one, the event that tells it one.
 */
#include "p2pendpoint-private.h"

#include <string.h>

G_STATIC_ASSERT (P2P_COMMAND_MAX == P2P_WIRE_MAX_COMMAND);

typedef struct
{
  guint32 id;
  GBytes *command;
} Incoming;

typedef struct
{
  gint refs;    /* [atomic] */
  gchar *peer;  /* [const] NULL: the only one */
  gint64 allow; /* [const] us */
  P2pReplyFunc func;
  gpointer user;
  GDestroyNotify destroy;

  /* [net], and then whoever tells. */
  GBytes *command;
  guint32 id;
  gint64 deadline;
  GBytes *reply;
  const gchar *error;
  gboolean told;
} Outgoing;

/* What the engine had no room for. */
typedef struct
{
  guint16 flow;
  guint8 header[P2P_WIRE_MAX_COMMAND_HEADER];
  gsize header_len;
  GBytes *bytes;
} Unsent;

struct _P2pCommands
{
  gint refs;             /* [atomic] */
  P2pEndpoint *endpoint; /* [const] a reference */
  gchar *peer_id;        /* [const] */

  GMutex lock;
  GQueue waiting;   /* [lock] Incoming */
  gboolean open;    /* [lock] listeners know the peer */
  gboolean running; /* [lock] there is a worker */
  gboolean closed;  /* [lock] */

  /* [net] */
  P2pPeer *peer;    /* NULL: gone */
  guint unanswered; /* commands of the peer; a reply counts until the engine
                       has it */
  gboolean held;
  guint32 last_in, last_out;
  GQueue sent;   /* Outgoing without a reply, oldest first */
  GQueue unsent; /* Unsent */
};

/* -- References ------------------------------------------------------------ */

static void
incoming_free (gpointer data)
{
  Incoming *in = data;

  g_bytes_unref (in->command);
  g_free (in);
}

static void
unsent_free (gpointer data)
{
  Unsent *unsent = data;

  g_bytes_unref (unsent->bytes);
  g_free (unsent);
}

P2pCommands *
p2p_commands_new (P2pPeer *peer)
{
  P2pCommands *c = g_new0 (P2pCommands, 1);

  c->refs = 1;
  c->endpoint = p2p_endpoint_ref (peer->endpoint);
  c->peer_id = g_strdup (peer->id);
  c->peer = peer;
  g_mutex_init (&c->lock);
  g_queue_init (&c->waiting);
  g_queue_init (&c->sent);
  g_queue_init (&c->unsent);
  return c;
}

static P2pCommands *
commands_ref (P2pCommands *c)
{
  g_atomic_int_inc (&c->refs);
  return c;
}

void
p2p_commands_unref (P2pCommands *c)
{
  if (!g_atomic_int_dec_and_test (&c->refs))
    return;
  g_mutex_clear (&c->lock);
  g_free (c->peer_id);
  p2p_endpoint_unref (c->endpoint);
  g_free (c);
}

/* -- The end of a command that we sent ------------------------------------- */

static void
tell (Outgoing *out)
{
  const gchar *error = out->error;

  if (out->told)
    return;
  out->told = TRUE;
  if (out->reply == NULL && error == NULL)
    error = P2P_COMMAND_CLOSED;
  if (out->func != NULL)
    out->func (out->reply, out->reply != NULL ? NULL : error, out->user);
  if (out->destroy != NULL)
    out->destroy (out->user);
}

static void
outgoing_unref (gpointer data)
{
  Outgoing *out = data;

  if (!g_atomic_int_dec_and_test (&out->refs))
    return;
  tell (out);
  g_bytes_unref (out->command);
  if (out->reply != NULL)
    g_bytes_unref (out->reply);
  g_free (out->peer);
  g_free (out);
}

static Outgoing *
outgoing_ref (Outgoing *out)
{
  g_atomic_int_inc (&out->refs);
  return out;
}

/* On the notify thread. */
static void
tell_and_unref (gpointer data)
{
  tell (data);
  outgoing_unref (data);
}

/* [net] Once for each. */
static void
settle (P2pEndpoint *endpoint, Outgoing *out, GBytes *reply, const gchar *error)
{
  out->reply = reply != NULL ? g_bytes_ref (reply) : NULL;
  out->error = error;
  p2p_notify_run (endpoint->notify, tell_and_unref, outgoing_ref (out));
}

/* -- Into the engine ------------------------------------------------------- */

static void
set_held (P2pCommands *c)
{
  gboolean held = c->unanswered >= P2P_MAX_COMMANDS;

  if (held == c->held)
    return;
  c->held = held;
  udt_connection_hold_flow (c->peer->engine, P2P_WIRE_COMMAND_FLOW, held);
  p2p_connection_wake (c->peer->connection);
}

static void
release_bytes (void *owner)
{
  g_bytes_unref (owner);
}

static UdtStatus
submit (P2pCommands *c, const Unsent *what)
{
  UdtMessage message = { 0 };
  UdtStatus status;
  gsize len;

  message.header = what->header;
  message.header_len = what->header_len;
  message.payload = g_bytes_get_data (what->bytes, &len);
  message.payload_len = len;
  message.owner = g_bytes_ref (what->bytes);
  message.release = release_bytes;
  message.flags = UDT_MESSAGE_SYNC;
  status = udt_connection_send (c->peer->engine, what->flow, &message,
                                (UdtTime)g_get_monotonic_time ());
  if (status != UDT_OK)
    g_bytes_unref (what->bytes);
  if (status != UDT_ERR_FULL && what->flow == P2P_WIRE_REPLY_FLOW) {
    c->unanswered--;
    set_held (c);
  }
  return status;
}

/* Anything but UDT_OK: it will never go. */
static UdtStatus
transmit (P2pCommands *c, const P2pWireCommand *wire, GBytes *bytes)
{
  UdtStatus status = UDT_ERR_FULL;
  Unsent *what = g_new0 (Unsent, 1);

  what->flow = wire->type == P2P_WIRE_COMMAND ? P2P_WIRE_COMMAND_FLOW
                                              : P2P_WIRE_REPLY_FLOW;
  what->header_len
      = p2p_wire_write_command (wire, what->header, sizeof what->header);
  what->bytes = g_bytes_ref (bytes);
  if (g_queue_is_empty (&c->unsent))
    status = submit (c, what);
  if (status == UDT_ERR_FULL) {
    g_queue_push_tail (&c->unsent, what);
    status = UDT_OK;
  } else {
    unsent_free (what);
  }
  p2p_connection_wake (c->peer->connection);
  return status;
}

void
p2p_commands_flush (P2pCommands *c)
{
  Unsent *what;

  while ((what = g_queue_peek_head (&c->unsent)) != NULL) {
    if (submit (c, what) == UDT_ERR_FULL)
      return;
    unsent_free (g_queue_pop_head (&c->unsent));
  }
}

/* -- Sending --------------------------------------------------------------- */

/* Who it goes to; NULL: nobody. */
static P2pPeer *
find_peer (P2pEndpoint *endpoint, const gchar *id)
{
  P2pPeer *found = NULL;
  guint i;

  for (i = 0; i < endpoint->peers->len; i++) {
    P2pPeer *peer = g_ptr_array_index (endpoint->peers, i);

    if (peer->state != P2P_PEER_UP
        || (id != NULL && !g_str_equal (peer->id, id)))
      continue;
    if (found != NULL)
      return NULL;
    found = peer;
  }
  return found;
}

static const gchar *
try_send (P2pEndpoint *endpoint, Outgoing *out)
{
  P2pPeer *peer = find_peer (endpoint, out->peer);
  P2pWireCommand wire = { .type = P2P_WIRE_COMMAND };
  P2pCommands *c;

  if (g_bytes_get_size (out->command) > P2P_COMMAND_MAX)
    return P2P_COMMAND_TOO_BIG;
  if (endpoint->stopping)
    return P2P_COMMAND_CLOSED;
  if (peer == NULL)
    return P2P_COMMAND_NOT_CONNECTED;
  c = peer->commands;
  if (g_queue_get_length (&c->sent) >= P2P_MAX_COMMANDS
      || c->last_out == G_MAXUINT32)
    return P2P_COMMAND_BUSY;
  out->id = wire.id = ++c->last_out;
  out->deadline = g_get_monotonic_time () + out->allow;
  if (transmit (c, &wire, out->command) != UDT_OK)
    return P2P_COMMAND_TOO_BIG;
  g_queue_push_tail (&c->sent, outgoing_ref (out));
  return NULL;
}

static void
send_outgoing (P2pEndpoint *endpoint, gpointer data)
{
  const gchar *error = try_send (endpoint, data);

  if (error != NULL)
    settle (endpoint, data, NULL, error);
}

void
p2p_endpoint_send_command (P2pEndpoint *endpoint, const gchar *peer,
                           GBytes *command, guint timeout_ms, P2pReplyFunc func,
                           gpointer user, GDestroyNotify destroy)
{
  Outgoing *out = g_new0 (Outgoing, 1);

  out->refs = 1;
  out->peer = g_strdup (peer);
  out->command = g_bytes_ref (command);
  out->allow
      = (gint64)(timeout_ms > 0 ? timeout_ms : P2P_COMMAND_TIMEOUT_MS) * 1000;
  out->func = func;
  out->user = user;
  out->destroy = destroy;
  p2p_endpoint_post (endpoint, send_outgoing, out, outgoing_unref);
}

void
p2p_commands_tick (P2pCommands *c, gint64 now)
{
  GList *l, *next;

  for (l = c->sent.head; l != NULL; l = next) {
    Outgoing *out = l->data;

    next = l->next;
    if (now < out->deadline)
      continue;
    g_queue_delete_link (&c->sent, l);
    settle (c->endpoint, out, NULL, P2P_COMMAND_NO_ANSWER);
    outgoing_unref (out);
  }
}

static void
on_reply (P2pCommands *c, const P2pWireCommand *wire, GBytes *bytes)
{
  GList *l;

  if (wire->id > c->last_out) {
    p2p_peer_violation (c->peer, "reply to nothing");
    return;
  }
  for (l = c->sent.head; l != NULL; l = l->next) {
    Outgoing *out = l->data;

    if (out->id != wire->id)
      continue;
    g_queue_delete_link (&c->sent, l);
    settle (c->endpoint, out, wire->refused ? NULL : bytes,
            P2P_COMMAND_REFUSED);
    outgoing_unref (out);
    return;
  }
  /* Answered before, or given up. */
  c->endpoint->refused_messages++;
}

/* -- Carrying out ---------------------------------------------------------- */

typedef struct
{
  P2pCommands *commands;
  guint32 id;
  GBytes *reply; /* NULL: refused */
} Answer;

static void
answer_free (gpointer data)
{
  Answer *answer = data;

  p2p_commands_unref (answer->commands);
  if (answer->reply != NULL)
    g_bytes_unref (answer->reply);
  g_free (answer);
}

static void
send_answer (P2pEndpoint *endpoint, gpointer data)
{
  Answer *answer = data;
  P2pWireCommand wire = { .type = P2P_WIRE_REPLY, .id = answer->id };
  GBytes *nothing;

  if (answer->commands->peer == NULL)
    return;
  if (answer->reply != NULL
      && g_bytes_get_size (answer->reply) > P2P_COMMAND_MAX) {
    g_message ("a reply of %" G_GSIZE_FORMAT " bytes is larger than %d: the "
               "command counts as refused",
               g_bytes_get_size (answer->reply), P2P_COMMAND_MAX);
    g_clear_pointer (&answer->reply, g_bytes_unref);
  }
  wire.refused = answer->reply == NULL;
  nothing = g_bytes_new (NULL, 0);
  transmit (answer->commands, &wire,
            answer->reply != NULL ? answer->reply : nothing);
  g_bytes_unref (nothing);
}

static gpointer
work (gpointer data)
{
  P2pCommands *c = data;
  Incoming *in;

  g_mutex_lock (&c->lock);
  while ((in = g_queue_pop_head (&c->waiting)) != NULL) {
    Answer *answer;

    g_mutex_unlock (&c->lock);
    answer = g_new (Answer, 1);
    answer->commands = commands_ref (c);
    answer->id = in->id;
    answer->reply
        = p2p_notify_command (c->endpoint->notify, c->peer_id, in->command);
    incoming_free (in);
    p2p_endpoint_post (c->endpoint, send_answer, answer, answer_free);
    g_mutex_lock (&c->lock);
  }
  c->running = FALSE;
  g_mutex_unlock (&c->lock);
  p2p_commands_unref (c);
  return NULL;
}

/* A worker, if one is needed. With the lock held. What fails for want of
 * threads is tried again with the next command. */
static void
employ (P2pCommands *c)
{
  GThread *thread;

  if (!c->open || c->running || g_queue_is_empty (&c->waiting))
    return;
  thread = g_thread_try_new ("p2p-command", work, commands_ref (c), NULL);
  c->running = thread != NULL;
  if (thread != NULL)
    g_thread_unref (thread);
  else
    p2p_commands_unref (c);
}

static void
open_and_unref (gpointer data)
{
  P2pCommands *c = data;

  g_mutex_lock (&c->lock);
  c->open = !c->closed;
  employ (c);
  g_mutex_unlock (&c->lock);
  p2p_commands_unref (c);
}

/* Behind what listeners are yet to be told. */
void
p2p_commands_open (P2pCommands *c)
{
  p2p_notify_run (c->endpoint->notify, open_and_unref, commands_ref (c));
}

static void
on_command (P2pCommands *c, const P2pWireCommand *wire, GBytes *bytes)
{
  Incoming *in;

  if (wire->id != c->last_in + 1) {
    p2p_peer_violation (c->peer, "command out of order");
    return;
  }
  c->last_in = wire->id;
  c->unanswered++;
  set_held (c);
  in = g_new (Incoming, 1);
  in->id = wire->id;
  in->command = g_bytes_ref (bytes);
  g_mutex_lock (&c->lock);
  g_queue_push_tail (&c->waiting, in);
  employ (c);
  g_mutex_unlock (&c->lock);
}

void
p2p_commands_message (P2pCommands *c, UdtReceived *m)
{
  P2pWireCommand wire;
  gsize header_len;
  GBytes *whole, *bytes;

  if (!p2p_wire_read_command (m->data, m->size, &wire, &header_len)
      || (m->flow == P2P_WIRE_COMMAND_FLOW)
             != (wire.type == P2P_WIRE_COMMAND)) {
    g_free (m->data);
    p2p_peer_violation (c->peer, "malformed command");
    return;
  }
  whole = g_bytes_new_take (m->data, m->size);
  bytes = g_bytes_new_from_bytes (whole, header_len, m->size - header_len);
  if (wire.type == P2P_WIRE_COMMAND)
    on_command (c, &wire, bytes);
  else
    on_reply (c, &wire, bytes);
  g_bytes_unref (bytes);
  g_bytes_unref (whole);
}

/* -- The end --------------------------------------------------------------- */

void
p2p_commands_close (P2pCommands *c)
{
  const gchar *error
      = c->endpoint->stopping ? P2P_COMMAND_CLOSED : P2P_COMMAND_PEER_GONE;
  GQueue waiting;
  Outgoing *out;

  c->peer = NULL;
  g_mutex_lock (&c->lock);
  c->closed = TRUE;
  c->open = FALSE;
  waiting = c->waiting;
  g_queue_init (&c->waiting);
  g_mutex_unlock (&c->lock);
  g_queue_clear_full (&waiting, incoming_free);
  g_queue_clear_full (&c->unsent, unsent_free);
  while ((out = g_queue_pop_head (&c->sent)) != NULL) {
    settle (c->endpoint, out, NULL, error);
    outgoing_unref (out);
  }
}
