/* A session that the test plays.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One lock for everything; it is never held across a callback.
 */
#include <string.h>
#include "fakeendpoint.h"

struct _P2pEndpoint
{
  P2pEndpointConfig config;
  gchar *device_id, *signaller;
  gboolean started, released;
  const P2pListener *listener;
  gpointer listener_user;
  GPtrArray *streams;
  P2pRequest *request;
};

struct _P2pStream
{
  P2pEndpoint *endpoint;
  P2pStreamConfig config;
  gchar *name, *match, *caps;
  P2pStreamCallbacks callbacks;
  gpointer user;
  GPtrArray *pushes;
  guint ends, refused;
  gboolean full;
  guint64 least, most;
};

struct _P2pRequest
{
  P2pEndpoint *endpoint;
  gchar *params;
  const P2pRequestCallbacks *callbacks;
  gpointer user;
};

struct _P2pInStream
{
  gint references;
  P2pRequest *request;
  gpointer stream; /* what stream_opened returned */
  guint key_units, resumed;
};

static GMutex lock;
static GCond changed;
static P2pEndpoint *current;
static guint alive;
static GError *acquire_error;
static gboolean caps_refused;
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
  g_mutex_lock (&lock);
  current = endpoint;
  alive++;
  g_mutex_unlock (&lock);
  return endpoint;
}

void
p2p_endpoint_start (P2pEndpoint *endpoint)
{
  endpoint->started = TRUE;
}

/* Lock held. Streams may outlive the last user. */
static void
free_if_done (P2pEndpoint *endpoint)
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
  g_mutex_lock (&lock);
  if (current == endpoint)
    current = NULL;
  endpoint->released = TRUE;
  free_if_done (endpoint);
  g_mutex_unlock (&lock);
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
  return current;
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

  current->listener->step (current, &step, current->listener_user);
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

  return current->listener->authorize (current, &info, current->listener_user);
}

void
fake_peer_added (const gchar *peer)
{
  P2pPeerInfo info = peer_info (peer);

  current->listener->peer_added (current, &info, current->listener_user);
}

void
fake_peer_removed (const gchar *peer, const gchar *reason)
{
  current->listener->peer_removed (current, peer, reason,
                                   current->listener_user);
}

void
fake_watermark (const gchar *peer, unsigned event, guint64 level_bytes,
                guint64 level_us)
{
  current->listener->watermark (current, peer, event, level_bytes, level_us,
                                current->listener_user);
}

void
fake_relay_missing (const gchar *server, const gchar *answer)
{
  current->listener->relay_missing (current, server, answer,
                                    current->listener_user);
}

void
fake_request_added (const gchar *peer, guint request, const gchar *params)
{
  current->listener->request_added (current, peer, request, params,
                                    current->listener_user);
}

void
fake_request_removed (const gchar *peer, guint request)
{
  current->listener->request_removed (current, peer, request,
                                      current->listener_user);
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

/* -- Streams --------------------------------------------------------------- */

static void
push_free (gpointer data)
{
  FakePush *push = data;

  g_bytes_unref (push->payload);
  g_free (push);
}

void
p2p_stream_set_config (P2pStream *stream, const P2pStreamConfig *config)
{
  g_free (stream->name);
  g_free (stream->match);
  stream->config = *config;
  stream->config.name = stream->name = g_strdup (config->name);
  stream->config.match = stream->match = g_strdup (config->match);
}

P2pStream *
p2p_endpoint_publish (P2pEndpoint *endpoint, const P2pStreamConfig *config,
                      const P2pStreamCallbacks *callbacks, gpointer user)
{
  P2pStream *stream = g_new0 (P2pStream, 1);

  stream->endpoint = endpoint;
  stream->callbacks = *callbacks;
  stream->user = user;
  stream->pushes = g_ptr_array_new_with_free_func (push_free);
  p2p_stream_set_config (stream, config);
  g_mutex_lock (&lock);
  g_ptr_array_add (endpoint->streams, stream);
  g_mutex_unlock (&lock);
  return stream;
}

void
p2p_stream_unpublish (P2pStream *stream)
{
  g_mutex_lock (&lock);
  g_assert_true (g_ptr_array_remove (stream->endpoint->streams, stream));
  free_if_done (stream->endpoint);
  g_mutex_unlock (&lock);
  g_ptr_array_unref (stream->pushes);
  g_free (stream->name);
  g_free (stream->match);
  g_free (stream->caps);
  g_free (stream);
}

void
fake_refuse_caps (gboolean refuse)
{
  caps_refused = refuse;
}

gboolean
p2p_stream_set_caps (P2pStream *stream, const gchar *caps)
{
  if (caps_refused)
    return FALSE;
  g_mutex_lock (&lock);
  g_free (stream->caps);
  stream->caps = g_strdup (caps);
  g_mutex_unlock (&lock);
  return TRUE;
}

P2pPushResult
p2p_stream_push (P2pStream *stream, GBytes *payload, const P2pWireFrame *frame,
                 gboolean force)
{
  P2pPushResult result = P2P_PUSH_OK;
  FakePush *push;

  if (g_bytes_get_size (payload) > P2P_STREAM_MAX_PAYLOAD)
    return P2P_PUSH_TOO_BIG;
  g_mutex_lock (&lock);
  if (stream->full && !force) {
    stream->refused++;
    result = P2P_PUSH_FULL;
  } else {
    push = g_new0 (FakePush, 1);
    push->payload = g_bytes_ref (payload);
    push->frame = *frame;
    push->force = force;
    g_ptr_array_add (stream->pushes, push);
  }
  g_cond_broadcast (&changed);
  g_mutex_unlock (&lock);
  return result;
}

void
p2p_stream_end (P2pStream *stream)
{
  g_mutex_lock (&lock);
  stream->ends++;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&lock);
}

guint
p2p_stream_count_viewers (P2pStream *stream)
{
  return 1;
}

void
p2p_stream_get_backlog (P2pStream *stream, guint64 *least, guint64 *most)
{
  g_mutex_lock (&lock);
  *least = stream->least;
  *most = stream->most;
  g_mutex_unlock (&lock);
}

P2pStream *
fake_stream (const gchar *name)
{
  P2pStream *found = NULL;
  guint i;

  g_mutex_lock (&lock);
  for (i = 0; current != NULL && i < current->streams->len; i++) {
    P2pStream *stream = g_ptr_array_index (current->streams, i);

    if (g_str_equal (stream->name, name))
      found = stream;
  }
  g_mutex_unlock (&lock);
  return found;
}

const P2pStreamConfig *
fake_stream_config (P2pStream *stream)
{
  return &stream->config;
}

const gchar *
fake_stream_caps (P2pStream *stream)
{
  return stream->caps;
}

guint
fake_stream_ends (P2pStream *stream)
{
  return stream->ends;
}

guint
fake_stream_count (P2pStream *stream)
{
  guint count;

  g_mutex_lock (&lock);
  count = stream->pushes->len;
  g_mutex_unlock (&lock);
  return count;
}

const FakePush *
fake_stream_get (P2pStream *stream, guint index)
{
  const FakePush *push;

  g_mutex_lock (&lock);
  g_assert_cmpuint (index, <, stream->pushes->len);
  push = g_ptr_array_index (stream->pushes, index);
  g_mutex_unlock (&lock);
  return push;
}

const FakePush *
fake_stream_wait (P2pStream *stream, guint count)
{
  g_mutex_lock (&lock);
  while (stream->pushes->len < count)
    g_cond_wait (&changed, &lock);
  g_mutex_unlock (&lock);
  return fake_stream_get (stream, count - 1);
}

void
fake_stream_set_full (P2pStream *stream, gboolean full)
{
  g_mutex_lock (&lock);
  stream->full = full;
  g_mutex_unlock (&lock);
  if (!full)
    stream->callbacks.writable (stream, stream->user);
}

void
fake_stream_wait_refused (P2pStream *stream, guint count)
{
  g_mutex_lock (&lock);
  while (stream->refused < count)
    g_cond_wait (&changed, &lock);
  g_mutex_unlock (&lock);
}

void
fake_stream_set_backlog (P2pStream *stream, guint64 least, guint64 most)
{
  g_mutex_lock (&lock);
  stream->least = least;
  stream->most = most;
  g_mutex_unlock (&lock);
}

void
fake_stream_key_unit (P2pStream *stream, gboolean all_headers)
{
  stream->callbacks.key_unit (stream, all_headers, stream->user);
}

guint64
fake_stream_targets (P2pStream *stream, BitrateViewer *viewers, gsize n)
{
  return stream->callbacks.targets (stream, viewers, n, stream->user);
}

/* -- Requests -------------------------------------------------------------- */

P2pRequest *
p2p_endpoint_request (P2pEndpoint *endpoint, const gchar *params,
                      const P2pRequestCallbacks *callbacks, gpointer user)
{
  P2pRequest *request = g_new0 (P2pRequest, 1);

  g_assert_null (endpoint->request);
  request->endpoint = endpoint;
  request->params = g_strdup (params);
  request->callbacks = callbacks;
  request->user = user;
  endpoint->request = request;
  return request;
}

P2pRequest *
p2p_endpoint_accept (P2pEndpoint *endpoint, const gchar *match,
                     const P2pRequestCallbacks *callbacks, gpointer user)
{
  return p2p_endpoint_request (endpoint, match, callbacks, user);
}

void
p2p_request_close (P2pRequest *request)
{
  request->endpoint->request = NULL;
  g_free (request->params);
  g_free (request);
}

const gchar *
fake_request_params (void)
{
  return current->request->params;
}

gboolean
fake_has_request (void)
{
  return current != NULL && current->request != NULL;
}

P2pInStream *
p2p_in_stream_ref (P2pInStream *stream)
{
  g_atomic_int_inc (&stream->references);
  return stream;
}

void
p2p_in_stream_unref (P2pInStream *stream)
{
  if (g_atomic_int_dec_and_test (&stream->references))
    g_free (stream);
}

P2pInStream *
fake_open (const gchar *name, P2pWireKind kind, guint epoch)
{
  P2pInStreamInfo info = { kind, name, "peer-1", 3 };
  P2pInStream *stream = g_new0 (P2pInStream, 1);

  stream->references = 1;
  stream->request = current->request;
  stream->stream
      = stream->request->callbacks->stream_opened (stream->request, stream,
                                                   &info, epoch,
                                                   stream->request->user);
  return stream;
}

gboolean
fake_is_refused (P2pInStream *stream)
{
  return stream->stream == NULL;
}

void
fake_complete (void)
{
  P2pRequest *request = current->request;

  request->callbacks->streams_complete (request, request->user);
}

void
fake_caps (P2pInStream *stream, const gchar *caps)
{
  P2pRequest *request = stream->request;

  request->callbacks->stream_caps (request, stream->stream, caps,
                                   request->user);
}

gboolean
fake_frame (P2pInStream *stream, GBytes *payload, const P2pWireFrame *frame,
            gint64 arrival_us, gboolean gap)
{
  P2pRequest *request = stream->request;

  return request->callbacks->stream_frame (request, stream->stream, payload,
                                           frame, arrival_us, 0, gap,
                                           request->user);
}

void
fake_end (P2pInStream *stream)
{
  P2pRequest *request = stream->request;

  request->callbacks->stream_end (request, stream->stream, request->user);
}

/* Drops the fake's own reference too. */
void
fake_close (P2pInStream *stream, gboolean lost)
{
  P2pRequest *request = stream->request;

  request->callbacks->stream_closed (request, stream->stream, lost,
                                     request->user);
  p2p_in_stream_unref (stream);
}

void
p2p_in_stream_request_key_unit (P2pInStream *stream, gboolean all_headers,
                                guint count)
{
  g_mutex_lock (&lock);
  stream->key_units++;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&lock);
}

void
p2p_in_stream_resume (P2pInStream *stream)
{
  g_mutex_lock (&lock);
  stream->resumed++;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&lock);
}

guint
fake_key_units (P2pInStream *stream)
{
  return stream->key_units;
}

void
fake_wait_key_units (P2pInStream *stream, guint count)
{
  g_mutex_lock (&lock);
  while (stream->key_units < count)
    g_cond_wait (&changed, &lock);
  g_mutex_unlock (&lock);
}

void
fake_wait_resumed (P2pInStream *stream, guint count)
{
  g_mutex_lock (&lock);
  while (stream->resumed < count)
    g_cond_wait (&changed, &lock);
  g_mutex_unlock (&lock);
}
