/* One session with one peer: its life, from the first message to the last.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All on the network thread. A peer is freed by its endpoint only, at a tick or
 * at the end, never while one of its own callbacks is on the stack:
 * p2p_peer_close() lets go of everything but the memory.
 */
#include "p2pendpoint-private.h"

#include <string.h>

/* Silence while media is expected: after the first we ask for a sign of life,
 * after the second a new path is tried, after the third the peer is given up.
 */
#define SILENCE_PROBE_US (2 * G_USEC_PER_SEC)
#define SILENCE_RESTART_US (4 * G_USEC_PER_SEC)
#define SILENCE_LOST_US (8 * G_USEC_PER_SEC)
/* The same once the signaller has said that the peer's end is gone. */
#define SILENCE_GONE_US (3 * G_USEC_PER_SEC)
#define MEDIA_RECENT_US (2 * G_USEC_PER_SEC)
/* For what has no deadline of its own: everything in flight on a long fat
 * path on top of what watermarks allow to wait. */
#define IN_FLIGHT_ALLOWANCE (2 * 1024 * 1024)
#define RECEIVE_LIMIT (8 * 1024 * 1024)

/* -- Steps ----------------------------------------------------------------- */

typedef struct
{
  P2pStepKind step;
  const gchar *reason;
  gchar *detail;
  const gchar *path;
  guint elapsed_ms;
} HeldStep;

static void
held_step_free (gpointer data)
{
  HeldStep *held = data;

  g_free (held->detail);
  g_free (held);
}

static void
post_step (P2pPeer *peer, const HeldStep *held)
{
  P2pStep step = { 0 };

  step.step = held->step;
  step.ok = held->reason == NULL;
  step.peer = peer->id;
  step.reason = held->reason;
  step.detail = held->detail;
  step.path = held->path;
  step.elapsed_ms = held->elapsed_ms;
  p2p_endpoint_step (peer->endpoint, &step);
}

static void
release_steps (P2pPeer *peer)
{
  guint i;

  for (i = 0; i < peer->held_steps->len; i++)
    post_step (peer, g_ptr_array_index (peer->held_steps, i));
  g_ptr_array_set_size (peer->held_steps, 0);
}

/* While the application decides about a viewer, the path is already being made;
 * the steps are told in their order all the same. */
void
p2p_peer_step (P2pPeer *peer, P2pStepKind step, const gchar *reason,
               const gchar *detail)
{
  HeldStep *held = g_new0 (HeldStep, 1);

  held->step = step;
  held->reason = reason;
  held->detail = g_strdup (detail);
  if (step >= P2P_STEP_PUNCH && reason == NULL && peer->path != NULL)
    held->path = p2p_path_is_relayed (peer->path) ? "relay" : "direct";
  held->elapsed_ms
      = (guint)((g_get_monotonic_time () - peer->started_us) / 1000);
  if (peer->role == P2P_ROLE_DEVICE && !peer->authorized
      && step != P2P_STEP_AUTH) {
    g_ptr_array_add (peer->held_steps, held);
    return;
  }
  post_step (peer, held);
  held_step_free (held);
}

void
p2p_peer_fill_info (P2pPeer *peer, P2pPeerInfo *info)
{
  memset (info, 0, sizeof *info);
  info->id = peer->id;
  if (peer->path != NULL && p2p_path_is_usable (peer->path)) {
    info->path = p2p_path_is_relayed (peer->path) ? "relay" : "direct";
    info->local_address = p2p_path_get_local (peer->path);
    info->remote_address = p2p_path_get_remote (peer->path);
  }
  if (peer->engine != NULL)
    info->latency_ms
        = (guint)(udt_connection_peer_latency (peer->engine) / 1000);
}

/* -- The connection's callbacks -------------------------------------------- */

/* Nothing that a viewer says is read before it is accepted. */
static void
hold_words (P2pPeer *peer, bool hold)
{
  udt_connection_hold_flow (peer->engine, P2P_WIRE_CONTROL_FLOW, hold);
  udt_connection_hold_flow (peer->engine, P2P_WIRE_COMMAND_FLOW, hold);
  udt_connection_hold_flow (peer->engine, P2P_WIRE_REPLY_FLOW, hold);
}

/* Both ways, and the application agrees. */
static void
try_up (P2pPeer *peer)
{
  P2pPeerInfo info;

  if (peer->state != P2P_PEER_SETUP || !peer->connected || !peer->authorized)
    return;
  peer->state = P2P_PEER_UP;
  peer->connected_us = g_get_monotonic_time ();
  peer->saw_transport = TRUE;
  p2p_peer_step (peer, P2P_STEP_TRANSPORT, NULL, NULL);
  p2p_peer_fill_info (peer, &info);
  p2p_notify_peer_added (peer->endpoint->notify, &info);
  peer->added = TRUE;
  if (peer->role == P2P_ROLE_VIEWER)
    peer->endpoint->previous[0] = '\0';
  else
    hold_words (peer, false);
  p2p_commands_open (peer->commands);
  p2p_connection_wake (peer->connection);
  p2p_memory_settles (peer->endpoint);
  p2p_endpoint_take_snapshot (peer->endpoint);
}

static void
on_ready (P2pConnection *connection, gpointer user)
{
  P2pPeer *peer = user;

  peer->engine = p2p_connection_get_engine (connection);
  p2p_peer_tell_engine_path (peer);
  if (peer->role == P2P_ROLE_DEVICE && !peer->authorized)
    hold_words (peer, true);
  p2p_peer_control_start (peer);
}

static void
on_connected (P2pConnection *connection, gpointer user)
{
  P2pPeer *peer = user;

  peer->connected = TRUE;
  try_up (peer);
}

static void
on_failed (P2pConnection *connection, const gchar *detail, gpointer user)
{
  P2pPeer *peer = user;

  p2p_peer_step (peer, P2P_STEP_TRANSPORT, P2P_REASON_CHECK_FAILURE, detail);
  p2p_peer_send_bye (peer, P2P_REASON_CHECK_FAILURE);
  p2p_peer_close (peer, P2P_REASON_CHECK_FAILURE, TRUE);
}

static void
on_message (P2pConnection *connection, UdtReceived *message, gpointer user)
{
  p2p_peer_message (user, message);
}

static void
on_event (P2pConnection *connection, const UdtEvent *event, gpointer user)
{
  p2p_peer_event (user, event);
}

static void
on_round (P2pConnection *connection, gpointer user)
{
  P2pPeer *peer = user;
  guint i;

  if (peer->next_follow)
    p2p_peer_follow (peer);
  for (i = 0; i < peer->outs->len; i++) {
    P2pOutStream *out = g_ptr_array_index (peer->outs, i);

    if (out->stream != NULL && !out->flow.live)
      p2p_stream_update_backlog (out->stream);
  }
  p2p_peer_watch_level (peer);
}

/* It has not said goodbye: for who watches the steps that is the end of what
 * they said had been reached. */
static void
lost (P2pPeer *peer, gboolean told)
{
  if (peer->state == P2P_PEER_UP)
    p2p_peer_step (peer, P2P_STEP_TRANSPORT, P2P_REASON_PEER_GONE,
                   "nothing has come from it for too long");
  p2p_peer_close (peer, P2P_REASON_PEER_GONE, told);
}

/* Reasons that the peer gives are shown as they are: the message that carries
 * them is authentic. */
static void
on_finished (P2pConnection *connection, gboolean dead, const gchar *reason,
             gpointer user)
{
  P2pPeer *peer = user;

  if (peer->state == P2P_PEER_CLOSING) {
    peer->state = P2P_PEER_GONE;
    return;
  }
  if (dead)
    lost (peer, TRUE);
  else
    p2p_peer_close (peer,
                    reason[0] == '\0' || g_str_equal (reason, P2P_REASON_CLOSED)
                        ? P2P_REASON_PEER_GONE
                        : reason,
                    TRUE);
}

static void
on_closing (P2pConnection *connection, gpointer user)
{
  P2pPeer *peer = user;
  GHashTableIter iter;
  gpointer in;

  g_hash_table_iter_init (&iter, peer->ins);
  while (g_hash_table_iter_next (&iter, NULL, &in))
    p2p_in_keep (in);
}

static const P2pConnectionCallbacks connection_callbacks = {
  .ready = on_ready,
  .connected = on_connected,
  .failed = on_failed,
  .message = on_message,
  .event = on_event,
  .round = on_round,
  .closing = on_closing,
  .finished = on_finished,
};

gboolean
p2p_peer_start_connection (P2pPeer *peer)
{
  P2pEndpoint *endpoint = peer->endpoint;
  P2pConnectionConfig config = { 0 };

  if (peer->connection != NULL)
    return TRUE;
  config.context = endpoint->context;
  config.identity = endpoint->identity;
  config.client = peer->role == P2P_ROLE_VIEWER;
  memcpy (config.peer_fingerprint, peer->fingerprint,
          sizeof config.peer_fingerprint);
  config.aead = peer->aead;
  g_mutex_lock (&endpoint->lock);
  config.latency_ms = endpoint->config.latency_ms;
  config.send_limit
      = 2 * (gsize)p2p_endpoint_high_watermark (endpoint)
        + IN_FLIGHT_ALLOWANCE;
  config.keep_alive_interval_s = endpoint->config.keep_alive_interval_s;
  config.keep_alive_attempts = endpoint->config.keep_alive_attempts;
  g_mutex_unlock (&endpoint->lock);
  config.receive_limit = RECEIVE_LIMIT;
  peer->connection = p2p_connection_new (&config, &connection_callbacks, peer);
  return peer->connection != NULL;
}

void
p2p_peer_media (P2pPeer *peer)
{
  if (peer->saw_media)
    return;
  peer->saw_media = TRUE;
  p2p_peer_step (peer, P2P_STEP_MEDIA, NULL, NULL);
}

/* -- The application's word ------------------------------------------------ */

void
p2p_peer_authorized (P2pPeer *peer, gboolean accepted)
{
  if (peer->authorized || peer->state != P2P_PEER_SETUP)
    return;
  if (!accepted) {
    p2p_peer_step (peer, P2P_STEP_AUTH, P2P_REASON_REFUSED,
                   "the application refused this viewer");
    p2p_peer_send_bye (peer, P2P_REASON_REFUSED);
    p2p_peer_close (peer, P2P_REASON_REFUSED, TRUE);
    return;
  }
  peer->authorized = TRUE;
  p2p_peer_step (peer, P2P_STEP_AUTH, NULL, NULL);
  release_steps (peer);
  try_up (peer);
}

/* -- Birth and death ------------------------------------------------------- */

P2pPeer *
p2p_peer_new (P2pEndpoint *endpoint, P2pRole role, const gchar *id,
              const gchar *session, gint64 started_us)
{
  P2pPeer *peer = g_new0 (P2pPeer, 1);

  peer->endpoint = endpoint;
  peer->role = role;
  peer->id = g_strdup (id);
  g_strlcpy (peer->session, session, sizeof peer->session);
  peer->started_us = started_us;
  peer->authorized = role == P2P_ROLE_VIEWER;
  peer->next_flow = P2P_WIRE_FIRST_STREAM_FLOW;
  peer->local_candidates = g_array_new (FALSE, FALSE, sizeof (P2pCandidate));
  peer->held_steps = g_ptr_array_new_with_free_func (held_step_free);
  peer->remote_requests = g_ptr_array_new ();
  peer->offers = g_ptr_array_new ();
  peer->commands = p2p_commands_new (peer);
  peer->outs = g_ptr_array_new ();
  peer->ins = g_hash_table_new (NULL, NULL);
  g_queue_init (&peer->control);
  iv_watermark_init (&peer->watermark);
  g_ptr_array_add (endpoint->peers, peer);
  return peer;
}

void
p2p_peer_free (P2pPeer *peer)
{
  p2p_peer_drop_streams (peer, TRUE);
  if (peer->connection != NULL)
    p2p_connection_free (peer->connection);
  p2p_peer_drop_paths (peer);
  if (peer->channel != NULL) {
    p2p_channel_set_user (peer->channel, NULL);
    p2p_channel_close (peer->channel);
  }
  if (peer->endpoint->session == peer)
    peer->endpoint->session = NULL;
  g_array_unref (peer->local_candidates);
  g_ptr_array_unref (peer->held_steps);
  g_ptr_array_unref (peer->remote_requests);
  g_ptr_array_unref (peer->offers);
  p2p_commands_close (peer->commands);
  p2p_commands_unref (peer->commands);
  g_ptr_array_unref (peer->outs);
  g_hash_table_unref (peer->ins);
  g_queue_clear_full (&peer->control, (GDestroyNotify)g_bytes_unref);
  g_free (peer->id);
  g_free (peer);
}

static void
count_refused (P2pPeer *peer)
{
  if (peer->connection != NULL)
    peer->endpoint->refused_of_gone
        += p2p_connection_get_refused (peer->connection);
}

void
p2p_peer_close (P2pPeer *peer, const gchar *reason, gboolean told)
{
  P2pEndpoint *endpoint = peer->endpoint;
  gchar *why;

  if (peer->state >= P2P_PEER_CLOSING)
    return;
  why = g_strdup (reason);
  if (!told)
    p2p_peer_send_bye (peer, why);
  p2p_peer_drop_streams (peer, TRUE);
  p2p_commands_close (peer->commands);
  if (peer->added)
    p2p_notify_peer_removed (endpoint->notify, peer->id, why);
  peer->added = FALSE;
  peer->state = P2P_PEER_CLOSING;
  peer->closing_until = g_get_monotonic_time () + P2P_CLOSE_MS * 1000;
  count_refused (peer);
  if (!told && peer->engine != NULL)
    p2p_connection_close (peer->connection, why, P2P_CLOSE_MS / 2);
  else
    peer->state = P2P_PEER_GONE;
  if (peer->role == P2P_ROLE_VIEWER)
    p2p_viewer_session_over (endpoint, peer, why);
  /* A goodbye to a viewer that hangs on to nothing else is still under way;
   * the channel goes with the memory. */
  p2p_endpoint_take_snapshot (endpoint);
  g_free (why);
}

void
p2p_peer_violation (P2pPeer *peer, const gchar *what)
{
  if (peer->state >= P2P_PEER_CLOSING)
    return;
  g_debug ("%s broke the protocol: %s", peer->id, what);
  peer->endpoint->refused_messages++;
  p2p_peer_close (peer, P2P_REASON_PROTOCOL, FALSE);
}

/* -- Time ------------------------------------------------------------------ */

static void
attempt_failed (P2pPeer *peer)
{
  const gchar *reason = P2P_REASON_NO_ANSWER;
  const gchar *detail = "the device did not answer";
  P2pStepKind step = P2P_STEP_AUTH;

  if (peer->saw_punch) {
    step = P2P_STEP_TRANSPORT;
    detail = "the peer did not answer on the path";
  } else if (peer->have_remote && peer->path != NULL) {
    step = P2P_STEP_PUNCH;
    reason = p2p_path_get_blame (peer->path, &detail);
  } else if (peer->role == P2P_ROLE_VIEWER && !peer->channel_open) {
    step = P2P_STEP_SERVER;
  }
  p2p_peer_step (peer, step, reason, detail);
  p2p_peer_close (peer, reason, FALSE);
}

static gboolean
expects_media (P2pPeer *peer, gint64 last)
{
  return peer->last_media_us != 0
         && last - peer->last_media_us < MEDIA_RECENT_US
         && g_hash_table_size (peer->ins) > 0;
}

/* The viewer of a live stream has nothing in flight that would tell it that
 * the device died; the engine's own keep-alives are for idle sessions. */
static void
watch_silence (P2pPeer *peer, gint64 now)
{
  gint64 last = p2p_connection_get_last_received (peer->connection);
  gint64 silence = now - last;
  P2pWireControl probe = { 0 };

  if (last == 0)
    return;
  if (silence < SILENCE_PROBE_US) {
    peer->probe_us = 0;
    return;
  }
  if (peer->probe_us == 0
      && (expects_media (peer, last) || peer->channel_lost)) {
    peer->probe_us = now;
    probe.type = P2P_WIRE_HELLO;
    probe.version = P2P_WIRE_VERSION;
    p2p_peer_send_control (peer, &probe);
  }
  if (peer->probe_us == 0)
    return;
  if (peer->channel_lost && silence >= SILENCE_GONE_US
      && peer->role == P2P_ROLE_DEVICE) {
    lost (peer, FALSE);
  } else if (silence >= SILENCE_LOST_US) {
    lost (peer, FALSE);
  } else if ((peer->channel_lost || silence >= SILENCE_RESTART_US)
             && peer->role == P2P_ROLE_VIEWER) {
    /* Without a channel as soon as there is a doubt: the device may have moved,
     * and gives us up after SILENCE_GONE_US. */
    p2p_peer_restart (peer);
  }
}

static void
tick_streams (P2pPeer *peer, gint64 now)
{
  GHashTableIter iter;
  gpointer in;
  guint i;

  for (i = peer->outs->len; i-- > 0;)
    if (p2p_out_tick (g_ptr_array_index (peer->outs, i), now))
      p2p_out_free (g_ptr_array_index (peer->outs, i));
  g_hash_table_iter_init (&iter, peer->ins);
  while (g_hash_table_iter_next (&iter, NULL, &in))
    if (((P2pInStream *)in)->end_known && !((P2pInStream *)in)->ended) {
      /* May remove itself: one a tick is enough. */
      p2p_in_tick (in, now);
      break;
    }
}

void
p2p_peer_tick (P2pPeer *peer, gint64 now)
{
  if (peer->state == P2P_PEER_CLOSING && now >= peer->closing_until)
    peer->state = P2P_PEER_GONE;
  if (peer->state == P2P_PEER_SETUP
      && (now - peer->started_us >= P2P_ATTEMPT_TIMEOUT_US
          || (peer->path != NULL && !peer->saw_punch
              && p2p_path_is_hopeless (peer->path, now))))
    attempt_failed (peer);
  if (peer->state == P2P_PEER_UP && peer->bye_at != 0 && now >= peer->bye_at)
    p2p_peer_close (peer, peer->bye_reason, TRUE);
  if (peer->state == P2P_PEER_UP)
    watch_silence (peer, now);
  if (peer->state == P2P_PEER_UP) {
    tick_streams (peer, now);
    p2p_peer_update_level (peer);
  }
  if (peer->state == P2P_PEER_UP)
    p2p_commands_tick (peer->commands, now);
  if (peer->state <= P2P_PEER_UP)
    p2p_peer_paths_tick (peer, now);
}
