/* The network thread of an endpoint: from start to the last goodbye.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Everything here runs on it, but p2p_endpoint_thread()'s own start.
 *
 * The end, step by step: every peer is told goodbye (engine and signaller);
 * the loop goes on until all have gone and all agents have closed, at most
 * P2P_CLOSE_MS for the first and AGENTS_MS for the second; peers and their
 * paths are freed; the signaller stops; what the inbox still holds is run, so
 * that nothing posted is lost; release() is woken; the thread's reference goes.
 */
#include "p2pendpoint-private.h"

/* libnice asks the relay to end our allocation and waits for its answer. A
 * relay that no longer answers must not hold us for ever. */
#define AGENTS_MS 2000
#define STOP_TICK_MS 5
/* The tick is done when the thread is awake anyway; for it alone it is woken so
 * much later. */
#define TICK_LATE_MS 50

typedef struct
{
  GSource source;
  P2pEndpoint *endpoint;
} TickSource;

/* -- The tick -------------------------------------------------------------- */

static void
drop_tick (P2pEndpoint *endpoint)
{
  if (endpoint->tick == NULL)
    return;
  g_source_destroy (endpoint->tick);
  g_clear_pointer (&endpoint->tick, g_source_unref);
}

static void
tick (P2pEndpoint *endpoint, gint64 now)
{
  guint i;

  endpoint->ticked_us = now;
  /* Backwards: those that are gone leave the list. */
  for (i = endpoint->peers->len; i-- > 0;) {
    P2pPeer *peer = g_ptr_array_index (endpoint->peers, i);

    p2p_peer_tick (peer, now);
    if (peer->state == P2P_PEER_GONE) {
      g_ptr_array_remove_index (endpoint->peers, i);
      p2p_peer_free (peer);
    }
  }
  for (i = 0; i < endpoint->streams->len; i++)
    p2p_stream_tick (g_ptr_array_index (endpoint->streams, i), now);
  p2p_endpoint_take_snapshot (endpoint);
  p2p_memory_tick (endpoint, now);
  if (endpoint->peers->len > 0)
    return;
  p2p_memory_idle (endpoint);
  drop_tick (endpoint);
}

static gint64
time_of_tick (GSource *source)
{
  P2pEndpoint *endpoint = ((TickSource *)source)->endpoint;

  return endpoint->ticked_us + (P2P_TICK_MS + TICK_LATE_MS) * 1000;
}

static gboolean
tick_prepare (GSource *source, gint *timeout_ms)
{
  gint64 left = time_of_tick (source) - g_source_get_time (source);

  *timeout_ms = (gint)MAX ((left + 999) / 1000, 0);
  return left <= 0;
}

static gboolean
tick_check (GSource *source)
{
  return time_of_tick (source) <= g_source_get_time (source);
}

static gboolean
tick_dispatch (GSource *source, GSourceFunc callback, gpointer user)
{
  tick (((TickSource *)source)->endpoint, g_get_monotonic_time ());
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs tick_funcs = {
  .prepare = tick_prepare,
  .check = tick_check,
  .dispatch = tick_dispatch,
};

void
p2p_endpoint_peers_changed (P2pEndpoint *endpoint)
{
  if (endpoint->tick == NULL && endpoint->peers->len > 0) {
    endpoint->tick = g_source_new (&tick_funcs, sizeof (TickSource));
    ((TickSource *)endpoint->tick)->endpoint = endpoint;
    endpoint->ticked_us = g_get_monotonic_time ();
    g_source_attach (endpoint->tick, endpoint->context);
  }
  p2p_endpoint_take_snapshot (endpoint);
}

/* -- The end --------------------------------------------------------------- */

static gboolean
on_stop_tick (gpointer user)
{
  return G_SOURCE_CONTINUE;
}

/* Lets the loop run until `done` or for `ms`. */
static void
run_until (P2pEndpoint *endpoint, gboolean (*done) (P2pEndpoint *endpoint),
           guint ms)
{
  gint64 deadline = g_get_monotonic_time () + (gint64)ms * 1000;

  while (!done (endpoint) && g_get_monotonic_time () < deadline)
    g_main_context_iteration (endpoint->context, TRUE);
}

static gboolean
peers_gone (P2pEndpoint *endpoint)
{
  guint i;

  for (i = 0; i < endpoint->peers->len; i++) {
    P2pPeer *peer = g_ptr_array_index (endpoint->peers, i);

    if (peer->state != P2P_PEER_GONE)
      return FALSE;
  }
  return TRUE;
}

static gboolean
agents_closed (P2pEndpoint *endpoint)
{
  return endpoint->closing_agents == 0;
}

static gboolean
nothing_pending (P2pEndpoint *endpoint)
{
  return !g_main_context_pending (endpoint->context);
}

static void
drop_lists (P2pEndpoint *endpoint)
{
  while (endpoint->streams->len > 0)
    p2p_stream_unref (g_ptr_array_remove_index_fast (endpoint->streams, 0));
  while (endpoint->requests->len > 0) {
    P2pRequest *request = g_ptr_array_remove_index_fast (endpoint->requests, 0);

    p2p_request_drop_leftovers (request);
    p2p_request_unref (request);
  }
  while (endpoint->offers->len > 0)
    p2p_offer_unref (g_ptr_array_remove_index_fast (endpoint->offers, 0));
}

static void
say_goodbye (P2pEndpoint *endpoint)
{
  guint i;

  for (i = 0; i < endpoint->peers->len; i++)
    p2p_peer_close (g_ptr_array_index (endpoint->peers, i), P2P_REASON_CLOSED,
                    FALSE);
  run_until (endpoint, peers_gone, P2P_CLOSE_MS);
  while (endpoint->peers->len > 0)
    p2p_peer_free (g_ptr_array_remove_index (endpoint->peers, 0));
}

static void
tear_down (P2pEndpoint *endpoint)
{
  GSource *pace = g_timeout_source_new (STOP_TICK_MS);

  /* So that each iteration of the loop ends soon. */
  g_source_set_callback (pace, on_stop_tick, NULL, NULL);
  g_source_attach (pace, endpoint->context);
  p2p_viewer_stop (endpoint);
  p2p_network_unwatch (endpoint);
  g_clear_pointer (&endpoint->relay_probe, p2p_relay_probe_free);
  say_goodbye (endpoint);
  p2p_signaller_stop (endpoint->signaller);
  drop_tick (endpoint);
  run_until (endpoint, agents_closed, AGENTS_MS);
  if (endpoint->closing_agents > 0)
    g_message ("%u relay allocations were left to expire: the relay does not "
               "answer",
               endpoint->closing_agents);
  g_source_destroy (pace);
  g_source_unref (pace);
  run_until (endpoint, nothing_pending, STOP_TICK_MS);
  p2p_signaller_free (endpoint->signaller);
  endpoint->signaller = NULL;
  g_clear_pointer (&endpoint->servers, p2p_ice_servers_free);
  g_clear_pointer (&endpoint->identity, p2p_identity_unref);
}

/* From here on posts are refused; what came before is run. */
static void
finish (P2pEndpoint *endpoint)
{
  g_mutex_lock (&endpoint->lock);
  while (!g_queue_is_empty (&endpoint->inbox)) {
    g_mutex_unlock (&endpoint->lock);
    g_main_context_iteration (endpoint->context, FALSE);
    g_mutex_lock (&endpoint->lock);
  }
  endpoint->finished = TRUE;
  g_cond_broadcast (&endpoint->ended);
  g_mutex_unlock (&endpoint->lock);
}

/* -- The life -------------------------------------------------------------- */

static void
own_failure (P2pEndpoint *endpoint, const gchar *detail)
{
  P2pStep step = { 0 };

  step.step = P2P_STEP_SERVER;
  step.reason = P2P_REASON_HEARTBEAT;
  step.detail = detail;
  p2p_endpoint_step (endpoint, &step);
}

/* Waits until something happens. What the sources' work made due for a session
 * is done before the loop goes to ask the system again. */
static void
turn (P2pEndpoint *endpoint)
{
  gint64 now;
  guint i;

  g_main_context_iteration (endpoint->context, TRUE);
  endpoint->wake_ups++;
  now = g_get_monotonic_time ();
  for (i = 0; i < endpoint->peers->len; i++) {
    P2pPeer *peer = g_ptr_array_index (endpoint->peers, i);

    if (peer->connection != NULL)
      p2p_connection_run (peer->connection, now);
  }
  if (endpoint->tick != NULL && now - endpoint->ticked_us >= P2P_TICK_MS * 1000)
    tick (endpoint, now);
}

gpointer
p2p_endpoint_thread (gpointer data)
{
  P2pEndpoint *endpoint = data;
  GError *error = NULL;

  g_main_context_push_thread_default (endpoint->context);
  endpoint->started_us = g_get_monotonic_time ();
  p2p_credential_stretch (endpoint->credential);
  endpoint->identity = p2p_identity_new (&error);
  if (endpoint->identity == NULL) {
    own_failure (endpoint, error->message);
    g_clear_error (&error);
  } else {
    if (endpoint->config.role == P2P_ROLE_DEVICE)
      p2p_memory_warm_up (endpoint);
    p2p_ice_servers_refresh (endpoint->servers);
    p2p_signaller_start (endpoint->signaller, endpoint->context);
    p2p_network_watch (endpoint);
    if (endpoint->config.role == P2P_ROLE_VIEWER)
      p2p_viewer_dial (endpoint);
  }
  while (!endpoint->stopping)
    turn (endpoint);
  tear_down (endpoint);
  finish (endpoint);
  drop_lists (endpoint);
  g_main_context_pop_thread_default (endpoint->context);
  p2p_endpoint_unref (endpoint);
  return NULL;
}
