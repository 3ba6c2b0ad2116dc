/* Offers: streams that a viewer has to send (talk), and who takes them.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A viewer says what it has; nothing of it goes out before the device takes it.
 * From then on the offer is to the viewer what a request of the device would
 * be: its streams are attached to it. The device keeps every offer of a peer,
 * and gives each to the first p2p_endpoint_accept() that matches.
 *
 * Threads: offers are made and closed from any; the rest happens on the network
 * thread.
 * References of a P2pOffer: its owner's, the endpoint's list, each of its
 * streams, each peer that takes it. Those of the taker of a peer's offer: one.
 */
#include "p2pendpoint-private.h"

#include <string.h>

/* -- Our offers (viewer) --------------------------------------------------- */

P2pOffer *
p2p_offer_ref (P2pOffer *offer)
{
  g_atomic_int_inc (&offer->refs);
  return offer;
}

void
p2p_offer_unref (P2pOffer *offer)
{
  if (!g_atomic_int_dec_and_test (&offer->refs))
    return;
  p2p_endpoint_unref (offer->endpoint);
  g_free (offer->params);
  g_free (offer);
}

void
p2p_peer_open_offer (P2pPeer *peer, P2pOffer *offer)
{
  P2pWireControl m = { 0 };

  if (peer->engine == NULL || peer->state > P2P_PEER_UP)
    return;
  m.type = P2P_WIRE_OFFER_OPEN;
  m.request = offer->id;
  m.text = p2p_wire_text (offer->params);
  p2p_peer_send_control (peer, &m);
}

static void
add_offer (P2pEndpoint *endpoint, gpointer data)
{
  P2pOffer *offer = data;
  guint i;

  offer->id = ++endpoint->next_request;
  g_ptr_array_add (endpoint->offers, p2p_offer_ref (offer));
  for (i = 0; i < endpoint->peers->len; i++)
    p2p_peer_open_offer (g_ptr_array_index (endpoint->peers, i), offer);
}

P2pOffer *
p2p_endpoint_offer (P2pEndpoint *endpoint, const gchar *params)
{
  P2pOffer *offer = g_new0 (P2pOffer, 1);

  g_return_val_if_fail (endpoint->config.role == P2P_ROLE_VIEWER, NULL);
  offer->refs = 1;
  offer->endpoint = p2p_endpoint_ref (endpoint);
  offer->params = g_strndup (params != NULL ? params : "", P2P_WIRE_MAX_PARAMS);
  p2p_endpoint_post (endpoint, add_offer, p2p_offer_ref (offer),
                     (GDestroyNotify)p2p_offer_unref);
  return offer;
}

static void
remove_offer (P2pEndpoint *endpoint, gpointer data)
{
  P2pOffer *offer = data;
  guint i;

  for (i = 0; i < endpoint->peers->len; i++)
    p2p_peer_close_offer (g_ptr_array_index (endpoint->peers, i), offer);
  if (g_ptr_array_remove (endpoint->offers, offer))
    p2p_offer_unref (offer);
}

void
p2p_offer_close (P2pOffer *offer)
{
  /* Takes over our reference. */
  p2p_endpoint_post (offer->endpoint, remove_offer, offer,
                     (GDestroyNotify)p2p_offer_unref);
}

static P2pOffer *
find_own (P2pPeer *peer, guint32 id)
{
  GPtrArray *offers = peer->endpoint->offers;
  guint i;

  for (i = 0; i < offers->len; i++) {
    P2pOffer *offer = g_ptr_array_index (offers, i);

    if (offer->id == id)
      return offer;
  }
  return NULL;
}

void
p2p_peer_on_offer_accept (P2pPeer *peer, const P2pWireControl *m)
{
  P2pOffer *offer;

  if (peer->role != P2P_ROLE_VIEWER) {
    p2p_peer_violation (peer, "took what was not offered");
    return;
  }
  offer = find_own (peer, m->request);
  /* It may just have been closed by us. */
  if (offer != NULL)
    p2p_peer_add_remote_request (peer, offer->id, offer->params, offer);
}

/* -- The peer's offers (device) -------------------------------------------- */

P2pRemoteOffer *
p2p_peer_find_offer (P2pPeer *peer, guint32 id)
{
  guint i;

  for (i = 0; i < peer->offers->len; i++) {
    P2pRemoteOffer *offer = g_ptr_array_index (peer->offers, i);

    if (offer->id == id)
      return offer;
  }
  return NULL;
}

static void
say (P2pPeer *peer, P2pWireType type, guint32 id)
{
  P2pWireControl m = { 0 };

  m.type = type;
  m.request = id;
  p2p_peer_send_control (peer, &m);
}

static gboolean
takes (P2pRequest *request, const P2pRemoteOffer *offer)
{
  return request->accepts
         && (request->params[0] == '\0'
             || p2p_wire_match (request->params, offer->params,
                                strlen (offer->params)));
}

/* `but`: is on its way out. */
static void
find_taker (P2pPeer *peer, P2pRemoteOffer *offer, P2pRequest *but)
{
  GPtrArray *requests = peer->endpoint->requests;
  guint i;

  for (i = 0; i < requests->len && offer->taker == NULL; i++) {
    P2pRequest *request = g_ptr_array_index (requests, i);

    if (request == but || !takes (request, offer))
      continue;
    offer->taker = p2p_request_ref (request);
    say (peer, P2P_WIRE_OFFER_ACCEPT, offer->id);
  }
}

void
p2p_peer_on_offer_open (P2pPeer *peer, const P2pWireControl *m)
{
  P2pRemoteOffer *offer;

  if (peer->role != P2P_ROLE_DEVICE || m->request == 0
      || (m->request & P2P_DEVICE_REQUEST) != 0) {
    p2p_peer_violation (peer, "offer of the wrong side");
    return;
  }
  if (p2p_peer_find_offer (peer, m->request) != NULL
      || p2p_peer_find_remote_request (peer, m->request, NULL) != NULL) {
    p2p_peer_violation (peer, "offer opened twice");
    return;
  }
  if (peer->offers->len >= P2P_MAX_REQUESTS_PER_PEER) {
    p2p_peer_violation (peer, "too many offers");
    return;
  }
  offer = g_new0 (P2pRemoteOffer, 1);
  offer->id = m->request;
  offer->params
      = g_strndup (m->text.data != NULL ? m->text.data : "", m->text.len);
  g_ptr_array_add (peer->offers, offer);
  p2p_notify_offer_added (peer->endpoint->notify, peer->id, offer->id,
                          offer->params);
  find_taker (peer, offer, NULL);
}

void
p2p_peer_accept_offers (P2pPeer *peer)
{
  guint i;

  for (i = 0; i < peer->offers->len; i++)
    find_taker (peer, g_ptr_array_index (peer->offers, i), NULL);
}

void
p2p_peer_leave_offers (P2pPeer *peer, P2pRequest *taker)
{
  guint i;

  for (i = 0; i < peer->offers->len; i++) {
    P2pRemoteOffer *offer = g_ptr_array_index (peer->offers, i);

    if (offer->taker != taker)
      continue;
    g_clear_pointer (&offer->taker, p2p_request_unref);
    say (peer, P2P_WIRE_OFFER_STOP, offer->id);
    find_taker (peer, offer, taker);
  }
}

void
p2p_peer_drop_offer (P2pPeer *peer, P2pRemoteOffer *offer)
{
  g_ptr_array_remove (peer->offers, offer);
  p2p_notify_offer_removed (peer->endpoint->notify, peer->id, offer->id);
  g_clear_pointer (&offer->taker, p2p_request_unref);
  g_free (offer->params);
  g_free (offer);
}
