/* Requests: what this side wants of its peers.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: opened and closed from any; the rest happens on the network thread.
 * References: the owner has one, the endpoint's list one, each incoming stream
 * one.
 */
#include "p2pendpoint-private.h"

P2pRequest *
p2p_request_ref (P2pRequest *request)
{
  g_atomic_int_inc (&request->refs);
  return request;
}

void
p2p_request_unref (P2pRequest *request)
{
  if (!g_atomic_int_dec_and_test (&request->refs))
    return;
  g_hash_table_unref (request->epochs);
  g_ptr_array_unref (request->leftovers);
  p2p_guard_clear (&request->guard);
  p2p_endpoint_unref (request->endpoint);
  g_free (request->params);
  g_free (request);
}

static void
add_request (P2pEndpoint *endpoint, gpointer data)
{
  P2pRequest *request = data;
  guint i;

  request->id = ++endpoint->next_request;
  g_ptr_array_add (endpoint->requests, p2p_request_ref (request));
  for (i = 0; i < endpoint->peers->len; i++)
    p2p_peer_open_request (g_ptr_array_index (endpoint->peers, i), request);
}

static P2pRequest *
open_request (P2pEndpoint *endpoint, const gchar *params, gboolean accepts,
              const P2pRequestCallbacks *callbacks, gpointer user)
{
  P2pRequest *request = g_new0 (P2pRequest, 1);

  request->refs = 1;
  request->accepts = accepts;
  request->endpoint = p2p_endpoint_ref (endpoint);
  request->params
      = g_strndup (params != NULL ? params : "", P2P_WIRE_MAX_PARAMS);
  request->callbacks = *callbacks;
  request->user = user;
  request->leftovers = g_ptr_array_new ();
  request->epochs
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  p2p_guard_init (&request->guard);
  p2p_endpoint_post (endpoint, add_request, p2p_request_ref (request),
                     (GDestroyNotify)p2p_request_unref);
  return request;
}

P2pRequest *
p2p_endpoint_request (P2pEndpoint *endpoint, const gchar *params,
                      const P2pRequestCallbacks *callbacks, gpointer user)
{
  return open_request (endpoint, params, FALSE, callbacks, user);
}

P2pRequest *
p2p_endpoint_accept (P2pEndpoint *endpoint, const gchar *match,
                     const P2pRequestCallbacks *callbacks, gpointer user)
{
  g_return_val_if_fail (endpoint->config.role == P2P_ROLE_DEVICE, NULL);
  return open_request (endpoint, match, TRUE, callbacks, user);
}

static void
remove_request (P2pEndpoint *endpoint, gpointer data)
{
  P2pRequest *request = data;
  guint i;

  for (i = 0; i < endpoint->peers->len; i++)
    p2p_peer_close_request (g_ptr_array_index (endpoint->peers, i), request);
  p2p_request_drop_leftovers (request);
  if (g_ptr_array_remove (endpoint->requests, request))
    p2p_request_unref (request);
}

void
p2p_request_close (P2pRequest *request)
{
  p2p_guard_close (&request->guard);
  /* Takes over our reference. */
  p2p_endpoint_post (request->endpoint, remove_request, request,
                     (GDestroyNotify)p2p_request_unref);
}
