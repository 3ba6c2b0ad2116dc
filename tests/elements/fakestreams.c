/* A session that the test plays: streams out, requests and streams in.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One lock for everything; it is never held across a callback.
 */
#include "fakeendpoint-private.h"

static GCond changed;
static gboolean caps_refused;

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
  g_mutex_lock (&fake_lock);
  g_ptr_array_add (endpoint->streams, stream);
  g_mutex_unlock (&fake_lock);
  return stream;
}

void
p2p_stream_unpublish (P2pStream *stream)
{
  g_mutex_lock (&fake_lock);
  g_assert_true (g_ptr_array_remove (stream->endpoint->streams, stream));
  fake_endpoint_free_if_done (stream->endpoint);
  g_mutex_unlock (&fake_lock);
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
  g_mutex_lock (&fake_lock);
  g_free (stream->caps);
  stream->caps = g_strdup (caps);
  g_mutex_unlock (&fake_lock);
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
  g_mutex_lock (&fake_lock);
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
  g_mutex_unlock (&fake_lock);
  return result;
}

void
p2p_stream_end (P2pStream *stream)
{
  g_mutex_lock (&fake_lock);
  stream->ends++;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&fake_lock);
}

guint
p2p_stream_count_viewers (P2pStream *stream)
{
  return 1;
}

void
p2p_stream_get_backlog (P2pStream *stream, guint64 *least, guint64 *most)
{
  g_mutex_lock (&fake_lock);
  *least = stream->least;
  *most = stream->most;
  g_mutex_unlock (&fake_lock);
}

P2pStream *
fake_stream (const gchar *name)
{
  P2pStream *found = NULL;
  guint i;

  g_mutex_lock (&fake_lock);
  for (i = 0; fake_current != NULL && i < fake_current->streams->len; i++) {
    P2pStream *stream = g_ptr_array_index (fake_current->streams, i);

    if (g_str_equal (stream->name, name))
      found = stream;
  }
  g_mutex_unlock (&fake_lock);
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

  g_mutex_lock (&fake_lock);
  count = stream->pushes->len;
  g_mutex_unlock (&fake_lock);
  return count;
}

const FakePush *
fake_stream_get (P2pStream *stream, guint index)
{
  const FakePush *push;

  g_mutex_lock (&fake_lock);
  g_assert_cmpuint (index, <, stream->pushes->len);
  push = g_ptr_array_index (stream->pushes, index);
  g_mutex_unlock (&fake_lock);
  return push;
}

const FakePush *
fake_stream_wait (P2pStream *stream, guint count)
{
  g_mutex_lock (&fake_lock);
  while (stream->pushes->len < count)
    g_cond_wait (&changed, &fake_lock);
  g_mutex_unlock (&fake_lock);
  return fake_stream_get (stream, count - 1);
}

void
fake_stream_set_full (P2pStream *stream, gboolean full)
{
  g_mutex_lock (&fake_lock);
  stream->full = full;
  g_mutex_unlock (&fake_lock);
  if (!full)
    stream->callbacks.writable (stream, stream->user);
}

void
fake_stream_wait_refused (P2pStream *stream, guint count)
{
  g_mutex_lock (&fake_lock);
  while (stream->refused < count)
    g_cond_wait (&changed, &fake_lock);
  g_mutex_unlock (&fake_lock);
}

void
fake_stream_set_backlog (P2pStream *stream, guint64 least, guint64 most)
{
  g_mutex_lock (&fake_lock);
  stream->least = least;
  stream->most = most;
  g_mutex_unlock (&fake_lock);
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
  return fake_current->request->params;
}

gboolean
fake_has_request (void)
{
  return fake_current != NULL && fake_current->request != NULL;
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
  stream->request = fake_current->request;
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
  P2pRequest *request = fake_current->request;

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
  g_mutex_lock (&fake_lock);
  stream->key_units++;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&fake_lock);
}

void
p2p_in_stream_resume (P2pInStream *stream)
{
  g_mutex_lock (&fake_lock);
  stream->resumed++;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&fake_lock);
}

guint
fake_key_units (P2pInStream *stream)
{
  return stream->key_units;
}

void
fake_wait_key_units (P2pInStream *stream, guint count)
{
  g_mutex_lock (&fake_lock);
  while (stream->key_units < count)
    g_cond_wait (&changed, &fake_lock);
  g_mutex_unlock (&fake_lock);
}

void
fake_wait_resumed (P2pInStream *stream, guint count)
{
  g_mutex_lock (&fake_lock);
  while (stream->resumed < count)
    g_cond_wait (&changed, &fake_lock);
  g_mutex_unlock (&fake_lock);
}
