/* Endpoints: the registry of those alive in this process, and what any thread
 * may ask of one.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: `registry` covers the list, and users, started and thread of each
 * endpoint in it; an endpoint's own lock is taken under it, nothing else.
 *
 * References: users (acquire) keep an endpoint working; references keep its
 * memory: one for the users together, one for the network thread, one for each
 * stream, request and incoming stream, one for each question to the notify
 * thread.
 */
#include "p2pendpoint-private.h"

/* What release() waits for goodbyes; they go on in the background after. */
#define RELEASE_WAIT_US (500 * 1000)

static GMutex registry;
static GList *endpoints; /* [lock: registry] */
static gint alive;       /* [atomic] */

typedef struct
{
  P2pCommandFunc func;
  gpointer data;
  GDestroyNotify destroy;
} Command;

/* -- The inbox ------------------------------------------------------------- */

static void
command_free (Command *command)
{
  if (command->destroy != NULL)
    command->destroy (command->data);
  g_free (command);
}

/* `user` is what g_source_set_callback() was given. */
static gboolean
inbox_dispatch (GSource *source, GSourceFunc callback, gpointer user)
{
  P2pEndpoint *endpoint = user;
  gboolean streams;
  Command *command;
  guint i;

  g_source_set_ready_time (source, -1);
  g_mutex_lock (&endpoint->lock);
  while ((command = g_queue_pop_head (&endpoint->inbox)) != NULL) {
    g_mutex_unlock (&endpoint->lock);
    command->func (endpoint, command->data);
    command_free (command);
    g_mutex_lock (&endpoint->lock);
  }
  streams = endpoint->streams_pending;
  endpoint->streams_pending = FALSE;
  g_mutex_unlock (&endpoint->lock);
  for (i = 0; streams && i < endpoint->streams->len; i++)
    p2p_stream_drain (g_ptr_array_index (endpoint->streams, i));
  return G_SOURCE_CONTINUE;
}

static gboolean
no_callback (gpointer user)
{
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs inbox_funcs = { .dispatch = inbox_dispatch };

void
p2p_endpoint_post (P2pEndpoint *endpoint, P2pCommandFunc func, gpointer data,
                   GDestroyNotify destroy)
{
  Command *command = g_new (Command, 1);

  command->func = func;
  command->data = data;
  command->destroy = destroy;
  g_mutex_lock (&endpoint->lock);
  if (endpoint->finished) {
    g_mutex_unlock (&endpoint->lock);
    command_free (command);
    return;
  }
  g_queue_push_tail (&endpoint->inbox, command);
  g_mutex_unlock (&endpoint->lock);
  g_source_set_ready_time (endpoint->wake, 0);
}

void
p2p_endpoint_post_streams (P2pEndpoint *endpoint)
{
  g_mutex_lock (&endpoint->lock);
  endpoint->streams_pending = TRUE;
  g_mutex_unlock (&endpoint->lock);
  g_source_set_ready_time (endpoint->wake, 0);
}

/* -- Birth and death ------------------------------------------------------- */

static P2pEndpoint *
endpoint_new (const P2pEndpointConfig *config, P2pCredential *credential,
              GError **error)
{
  P2pEndpoint *endpoint = g_new0 (P2pEndpoint, 1);
  GError *sub = NULL;

  endpoint->refs = 1;
  p2p_config_copy (&endpoint->config, config);
  endpoint->credential = p2p_credential_ref (credential);
  endpoint->signaller
      = p2p_signaller_new (endpoint->config.signaller, config->role, credential,
                           config->role == P2P_ROLE_DEVICE
                               ? &p2p_device_callbacks
                               : &p2p_viewer_callbacks,
                           endpoint, &sub);
  if (endpoint->signaller == NULL) {
    g_set_error (error, P2P_ENDPOINT_ERROR, P2P_ENDPOINT_ERROR_SETTINGS,
                 "signaller: %s", sub->message);
    g_error_free (sub);
    p2p_config_clear (&endpoint->config);
    p2p_credential_unref (endpoint->credential);
    g_free (endpoint);
    return NULL;
  }
  endpoint->servers = p2p_ice_servers_new (endpoint->config.stun_server,
                                           endpoint->config.turn_server, NULL);
  g_mutex_init (&endpoint->lock);
  g_cond_init (&endpoint->ended);
  g_queue_init (&endpoint->inbox);
  endpoint->notify = p2p_notify_new (endpoint);
  endpoint->context = g_main_context_new ();
  endpoint->peers = g_ptr_array_new ();
  endpoint->streams = g_ptr_array_new ();
  endpoint->requests = g_ptr_array_new ();
  endpoint->offers = g_ptr_array_new ();
  endpoint->snapshot = g_new0 (P2pEndpointStats, 1);
  endpoint->snapshot->peers = g_ptr_array_new ();
  endpoint->wake = g_source_new (&inbox_funcs, sizeof (GSource));
  g_source_set_callback (endpoint->wake, no_callback, endpoint, NULL);
  g_source_attach (endpoint->wake, endpoint->context);
  g_atomic_int_inc (&alive);
  return endpoint;
}

P2pEndpoint *
p2p_endpoint_ref (P2pEndpoint *endpoint)
{
  g_atomic_int_inc (&endpoint->refs);
  return endpoint;
}

static void
drop_inbox (P2pEndpoint *endpoint)
{
  Command *command;

  while ((command = g_queue_pop_head (&endpoint->inbox)) != NULL)
    command_free (command);
}

void
p2p_endpoint_unref (P2pEndpoint *endpoint)
{
  if (!g_atomic_int_dec_and_test (&endpoint->refs))
    return;
  p2p_notify_free (endpoint->notify);
  p2p_signaller_free (endpoint->signaller);
  p2p_ice_servers_free (endpoint->servers);
  drop_inbox (endpoint);
  g_ptr_array_unref (endpoint->peers);
  g_ptr_array_unref (endpoint->streams);
  g_ptr_array_unref (endpoint->requests);
  g_ptr_array_unref (endpoint->offers);
  g_source_destroy (endpoint->wake);
  g_source_unref (endpoint->wake);
  g_main_context_unref (endpoint->context);
  p2p_endpoint_stats_free (endpoint->snapshot);
  p2p_credential_unref (endpoint->credential);
  p2p_config_clear (&endpoint->config);
  g_mutex_clear (&endpoint->lock);
  g_cond_clear (&endpoint->ended);
  g_free (endpoint);
  g_atomic_int_dec_and_test (&alive);
}

guint
p2p_endpoint_count_alive (void)
{
  return (guint)g_atomic_int_get (&alive);
}

/* -- The registry ---------------------------------------------------------- */

static P2pEndpoint *
find_shared (const P2pEndpointConfig *config, P2pCredential *credential)
{
  const gchar *signaller = config->signaller != NULL && config->signaller[0]
                               ? config->signaller
                               : "lan://";
  GList *l;

  for (l = endpoints; l != NULL; l = l->next) {
    P2pEndpoint *endpoint = l->data;

    if (endpoint->config.role == config->role
        && g_str_equal (endpoint->config.signaller, signaller)
        && p2p_credential_equal (endpoint->credential, credential))
      return endpoint;
  }
  return NULL;
}

/* Those that a newcomer joins are told how long it waits. */
static void
announce_latency (P2pEndpoint *endpoint, gpointer unused)
{
  UdtTime now = (UdtTime)g_get_monotonic_time ();
  UdtTime latency;
  guint i;

  g_mutex_lock (&endpoint->lock);
  latency = (UdtTime)endpoint->config.latency_ms * 1000;
  g_mutex_unlock (&endpoint->lock);
  for (i = 0; i < endpoint->peers->len; i++) {
    P2pPeer *peer = g_ptr_array_index (endpoint->peers, i);

    if (peer->engine == NULL || peer->state > P2P_PEER_UP)
      continue;
    udt_connection_set_latency (peer->engine, latency, now);
    p2p_connection_wake (peer->connection);
  }
}

static P2pEndpoint *
share (P2pEndpoint *endpoint, const P2pEndpointConfig *config, GError **error)
{
  guint latency_ms;
  gboolean ok, longer;

  g_mutex_lock (&endpoint->lock);
  latency_ms = endpoint->config.latency_ms;
  ok = p2p_config_merge (&endpoint->config, config, error);
  longer = endpoint->config.latency_ms > latency_ms;
  g_mutex_unlock (&endpoint->lock);
  if (!ok)
    return NULL;
  if (longer)
    p2p_endpoint_post (endpoint, announce_latency, NULL, NULL);
  endpoint->users++;
  return endpoint;
}

P2pEndpoint *
p2p_endpoint_acquire (const P2pEndpointConfig *config, GError **error)
{
  P2pCredential *credential;
  P2pEndpoint *endpoint;
  GError *sub = NULL;

  if (!p2p_config_check (config, error))
    return NULL;
  credential = p2p_credential_new (
      config->device_id,
      config->key != NULL && config->key[0] ? config->key : NULL,
      config->key_file != NULL && config->key_file[0] ? config->key_file : NULL,
      &sub);
  if (credential == NULL) {
    g_set_error (error, P2P_ENDPOINT_ERROR, P2P_ENDPOINT_ERROR_SETTINGS, "%s",
                 sub->message);
    g_error_free (sub);
    return NULL;
  }
  g_mutex_lock (&registry);
  endpoint = find_shared (config, credential);
  if (endpoint != NULL) {
    endpoint = share (endpoint, config, error);
  } else {
    endpoint = endpoint_new (config, credential, error);
    if (endpoint != NULL) {
      endpoint->users = 1;
      endpoints = g_list_prepend (endpoints, endpoint);
    }
  }
  g_mutex_unlock (&registry);
  p2p_credential_unref (credential);
  return endpoint;
}

void
p2p_endpoint_start (P2pEndpoint *endpoint)
{
  g_mutex_lock (&registry);
  if (!endpoint->started) {
    endpoint->started = TRUE;
    p2p_endpoint_ref (endpoint);
    endpoint->thread = g_thread_new ("p2p-net", p2p_endpoint_thread, endpoint);
  }
  g_mutex_unlock (&registry);
}

static void
stop (P2pEndpoint *endpoint, gpointer unused)
{
  endpoint->stopping = TRUE;
}

static void
stop_and_wait (P2pEndpoint *endpoint)
{
  gint64 deadline = g_get_monotonic_time () + RELEASE_WAIT_US;
  gboolean finished;

  p2p_endpoint_post (endpoint, stop, NULL, NULL);
  g_mutex_lock (&endpoint->lock);
  while (!endpoint->finished
         && g_cond_wait_until (&endpoint->ended, &endpoint->lock, deadline))
    ;
  finished = endpoint->finished;
  g_mutex_unlock (&endpoint->lock);
  if (finished)
    g_thread_join (endpoint->thread);
  else
    g_thread_unref (endpoint->thread);
}

/* Streams and requests that were added wait in the inbox, each holding a
 * reference to the endpoint: nobody will come for them. */
static void
never_started (P2pEndpoint *endpoint)
{
  g_mutex_lock (&endpoint->lock);
  endpoint->finished = TRUE;
  g_mutex_unlock (&endpoint->lock);
  drop_inbox (endpoint);
}

void
p2p_endpoint_release (P2pEndpoint *endpoint)
{
  g_mutex_lock (&registry);
  if (--endpoint->users > 0) {
    g_mutex_unlock (&registry);
    return;
  }
  endpoints = g_list_remove (endpoints, endpoint);
  g_mutex_unlock (&registry);
  /* Nobody else can reach it any more, so `thread` is ours to read. */
  if (endpoint->thread != NULL)
    stop_and_wait (endpoint);
  else
    never_started (endpoint);
  p2p_endpoint_unref (endpoint);
}

/* -- Small things ---------------------------------------------------------- */

const gchar *
p2p_endpoint_get_device_id (P2pEndpoint *endpoint)
{
  return endpoint->config.device_id;
}

const gchar *
p2p_step_kind_name (P2pStepKind step)
{
  static const gchar *const names[]
      = { "server", "auth", "punch", "transport", "media" };

  return names[step];
}

guint
p2p_endpoint_add_listener (P2pEndpoint *endpoint, const P2pListener *listener,
                           gpointer user)
{
  return p2p_notify_add (endpoint->notify, listener, user);
}

void
p2p_endpoint_remove_listener (P2pEndpoint *endpoint, guint id)
{
  p2p_notify_remove (endpoint->notify, id);
}

void
p2p_endpoint_step (P2pEndpoint *endpoint, const P2pStep *step)
{
  p2p_notify_step (endpoint->notify, step);
}

static gboolean
is_known (P2pEndpoint *endpoint, const gchar *peer)
{
  gboolean found = FALSE;
  guint i;

  g_mutex_lock (&endpoint->lock);
  for (i = 0; i < endpoint->snapshot->peers->len && !found; i++) {
    P2pPeerStats *stats = g_ptr_array_index (endpoint->snapshot->peers, i);

    found = g_str_equal (stats->id, peer);
  }
  g_mutex_unlock (&endpoint->lock);
  return found;
}

static void
kick (P2pEndpoint *endpoint, gpointer data)
{
  guint i;

  for (i = 0; i < endpoint->peers->len; i++) {
    P2pPeer *peer = g_ptr_array_index (endpoint->peers, i);

    if (peer->state <= P2P_PEER_UP && g_str_equal (peer->id, data))
      p2p_peer_close (peer, P2P_REASON_KICKED, FALSE);
  }
}

gboolean
p2p_endpoint_kick (P2pEndpoint *endpoint, const gchar *peer)
{
  if (endpoint->config.role != P2P_ROLE_DEVICE || !is_known (endpoint, peer))
    return FALSE;
  p2p_endpoint_post (endpoint, kick, g_strdup (peer), g_free);
  return TRUE;
}
