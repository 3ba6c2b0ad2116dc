/* A session that the test plays: endpoint, listeners, commands, offers.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One lock for everything; it is never held across a callback.
 */
#include <string.h>
#include "fakeendpoint-private.h"

GMutex fake_lock;
P2pEndpoint *fake_current;
static guint alive;
static GError *acquire_error;
static gchar *kicked;

GQuark
p2p_endpoint_error_quark (void)
{
  return g_quark_from_static_string ("p2p-endpoint-error");
}

/* -- Endpoint -------------------------------------------------------------- */

void
p2p_endpoint_config_init (P2pEndpointConfig *config)
{
  memset (config, 0, sizeof (*config));
}

void
fake_fail_acquire (P2pEndpointError code, const gchar *text)
{
  g_clear_error (&acquire_error);
  acquire_error = g_error_new_literal (P2P_ENDPOINT_ERROR, code, text);
}

P2pEndpoint *
p2p_endpoint_acquire (const P2pEndpointConfig *config, GError **error)
{
  P2pEndpoint *endpoint;

  if (acquire_error != NULL) {
    g_propagate_error (error, g_steal_pointer (&acquire_error));
    return NULL;
  }
  endpoint = g_new0 (P2pEndpoint, 1);
  endpoint->config = *config;
  endpoint->device_id = g_strdup (config->device_id);
  endpoint->signaller = g_strdup (config->signaller);
  endpoint->config.device_id = endpoint->device_id;
  endpoint->config.signaller = endpoint->signaller;
  endpoint->config.key = endpoint->config.key_file = NULL;
  endpoint->streams = g_ptr_array_new ();
  g_mutex_lock (&fake_lock);
  fake_current = endpoint;
  alive++;
  g_mutex_unlock (&fake_lock);
  return endpoint;
}

void
p2p_endpoint_start (P2pEndpoint *endpoint)
{
  endpoint->started = TRUE;
}

void
fake_endpoint_free_if_done (P2pEndpoint *endpoint)
{
  if (!endpoint->released || endpoint->streams->len > 0)
    return;
  alive--;
  g_ptr_array_unref (endpoint->streams);
  g_free (endpoint->device_id);
  g_free (endpoint->signaller);
  g_free (endpoint);
}

void
p2p_endpoint_release (P2pEndpoint *endpoint)
{
  /* The elements owe us this order. */
  g_assert_null (endpoint->listener);
  g_assert_null (endpoint->request);
  g_mutex_lock (&fake_lock);
  if (fake_current == endpoint)
    fake_current = NULL;
  endpoint->released = TRUE;
  fake_endpoint_free_if_done (endpoint);
  g_mutex_unlock (&fake_lock);
}

guint
p2p_endpoint_count_alive (void)
{
  return alive;
}

const gchar *
p2p_endpoint_get_device_id (P2pEndpoint *endpoint)
{
  return endpoint->device_id;
}

P2pEndpoint *
fake_endpoint (void)
{
  return fake_current;
}

const P2pEndpointConfig *
fake_config (P2pEndpoint *endpoint)
{
  return &endpoint->config;
}

gboolean
fake_is_started (P2pEndpoint *endpoint)
{
  return endpoint->started;
}

/* -- Listener -------------------------------------------------------------- */

guint
p2p_endpoint_add_listener (P2pEndpoint *endpoint, const P2pListener *listener,
                           gpointer user)
{
  g_assert_null (endpoint->listener);
  endpoint->listener = listener;
  endpoint->listener_user = user;
  return 1;
}

void
p2p_endpoint_remove_listener (P2pEndpoint *endpoint, guint id)
{
  const P2pListener *listener = endpoint->listener;

  g_assert_nonnull (listener);
  endpoint->listener = NULL;
  if (listener->destroy != NULL)
    listener->destroy (endpoint->listener_user);
}

/* -- Commands -------------------------------------------------------------- */

/* Whoever is named echoes. */
void
p2p_endpoint_send_command (P2pEndpoint *endpoint, const gchar *peer,
                           GBytes *command, guint timeout_ms, P2pReplyFunc func,
                           gpointer user, GDestroyNotify destroy)
{
  if (func != NULL && peer != NULL)
    func (command, NULL, user);
  else if (func != NULL)
    func (NULL, P2P_COMMAND_NOT_CONNECTED, user);
  if (destroy != NULL)
    destroy (user);
}

/* -- Offers ---------------------------------------------------------------- */

struct _P2pOffer
{
  gchar *params;
};

static P2pOffer *offered;

P2pOffer *
p2p_endpoint_offer (P2pEndpoint *endpoint, const gchar *params)
{
  g_assert_null (offered);
  g_assert_cmpint (endpoint->config.role, ==, P2P_ROLE_VIEWER);
  offered = g_new0 (P2pOffer, 1);
  offered->params = g_strdup (params);
  return offered;
}

void
p2p_offer_close (P2pOffer *offer)
{
  g_assert_true (offer == offered);
  offered = NULL;
  g_free (offer->params);
  g_free (offer);
}

const gchar *
fake_offer_params (void)
{
  return offered != NULL ? offered->params : NULL;
}

const gchar *
p2p_step_kind_name (P2pStepKind step)
{
  static const gchar *const names[]
      = { "server", "auth", "punch", "transport", "media" };

  return names[step];
}

void
fake_step (P2pStepKind kind, gboolean ok, const gchar *reason,
           const gchar *detail, const gchar *path)
{
  P2pStep step
      = { kind, ok, kind == P2P_STEP_SERVER ? NULL : "peer-1", reason, detail,
          path, 12 };

  fake_current->listener->step (fake_current, &step, fake_current->listener_user);
}

static P2pPeerInfo
peer_info (const gchar *peer)
{
  P2pPeerInfo info = { peer, "direct", "127.0.0.1:1", "127.0.0.1:2", 200 };

  return info;
}

gboolean
fake_authorize (const gchar *peer)
{
  P2pPeerInfo info = peer_info (peer);

  return fake_current->listener->authorize (fake_current, &info, fake_current->listener_user);
}

void
fake_peer_added (const gchar *peer)
{
  P2pPeerInfo info = peer_info (peer);

  fake_current->listener->peer_added (fake_current, &info, fake_current->listener_user);
}

void
fake_peer_removed (const gchar *peer, const gchar *reason)
{
  fake_current->listener->peer_removed (fake_current, peer, reason,
                                   fake_current->listener_user);
}

void
fake_watermark (const gchar *peer, unsigned event, guint64 level_bytes,
                guint64 level_us)
{
  fake_current->listener->watermark (fake_current, peer, event, level_bytes, level_us,
                                fake_current->listener_user);
}

void
fake_relay_missing (const gchar *server, const gchar *answer)
{
  fake_current->listener->relay_missing (fake_current, server, answer,
                                    fake_current->listener_user);
}

void
fake_request_added (const gchar *peer, guint request, const gchar *params)
{
  fake_current->listener->request_added (fake_current, peer, request, params,
                                    fake_current->listener_user);
}

void
fake_request_removed (const gchar *peer, guint request)
{
  fake_current->listener->request_removed (fake_current, peer, request,
                                      fake_current->listener_user);
}

gboolean
p2p_endpoint_kick (P2pEndpoint *endpoint, const gchar *peer)
{
  g_free (kicked);
  kicked = g_strdup (peer);
  return TRUE;
}

const gchar *
fake_kicked (void)
{
  return kicked;
}

P2pEndpointStats *
p2p_endpoint_get_stats (P2pEndpoint *endpoint)
{
  P2pEndpointStats *stats = g_new0 (P2pEndpointStats, 1);
  P2pPeerStats *peer = g_new0 (P2pPeerStats, 1);

  stats->online = TRUE;
  stats->rejected_attempts = 7;
  stats->peers = g_ptr_array_new_with_free_func (g_free);
  peer->id = (gchar *)"peer-1";
  peer->path = (gchar *)"direct";
  peer->rtt_us = 1234;
  peer->level_bytes = 5678;
  peer->level_us = 910;
  g_ptr_array_add (stats->peers, peer);
  return stats;
}

void
p2p_endpoint_stats_free (P2pEndpointStats *stats)
{
  g_ptr_array_unref (stats->peers);
  g_free (stats);
}
