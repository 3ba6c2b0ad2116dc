/* The device's end of signalling: viewers that come.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All on the network thread. A channel's user pointer is its peer, or NULL
 * before its offer.
 */
#include "p2pendpoint-private.h"

#include <string.h>

/* How often strangers at the door are reported. */
#define REJECTED_INTERVAL_US (5 * G_USEC_PER_SEC)

static void
on_state (P2pSignaller *signaller, P2pSignallerState state, const gchar *reason,
          const gchar *detail, gpointer user)
{
  P2pEndpoint *endpoint = user;
  P2pStep step = { 0 };

  endpoint->online = state == P2P_SIGNALLER_ONLINE;
  p2p_endpoint_take_snapshot (endpoint);
  step.step = P2P_STEP_SERVER;
  step.elapsed_ms
      = (guint)((g_get_monotonic_time () - endpoint->started_us) / 1000);
  if (state == P2P_SIGNALLER_ONLINE) {
    step.ok = TRUE;
    p2p_endpoint_step (endpoint, &step);
  } else if (state == P2P_SIGNALLER_OFFLINE) {
    step.reason = reason != NULL ? reason : P2P_REASON_HEARTBEAT;
    step.detail = detail;
    p2p_endpoint_step (endpoint, &step);
    /* The next success is timed from here. */
    endpoint->started_us = g_get_monotonic_time ();
  }
}

static void
on_channel_open (P2pSignaller *signaller, P2pChannel *channel, gpointer user)
{
}

static void
refuse (P2pChannel *channel, const gchar *session, const gchar *reason)
{
  P2pMessage *bye = g_new0 (P2pMessage, 1);
  gchar *text;

  bye->type = P2P_MESSAGE_BYE;
  g_strlcpy (bye->session, session, sizeof bye->session);
  g_strlcpy (bye->reason, reason, sizeof bye->reason);
  text = p2p_message_write (bye);
  p2p_channel_send (channel, text);
  p2p_channel_close (channel);
  g_free (text);
  g_free (bye);
}

static P2pPeer *
find_session (P2pEndpoint *endpoint, const gchar *session)
{
  guint i;

  for (i = 0; i < endpoint->peers->len; i++) {
    P2pPeer *peer = g_ptr_array_index (endpoint->peers, i);

    if (peer->state <= P2P_PEER_UP && g_str_equal (peer->session, session))
      return peer;
  }
  return NULL;
}

static guint
count_viewers (P2pEndpoint *endpoint)
{
  guint i, n = 0;

  for (i = 0; i < endpoint->peers->len; i++)
    if (((P2pPeer *)g_ptr_array_index (endpoint->peers, i))->state
        <= P2P_PEER_UP)
      n++;
  return n;
}

/* A viewer that was cut off comes back before its old session is noticed to
 * be dead; the id of that one, which only it knows, tells. */
static void
drop_previous (P2pEndpoint *endpoint, const gchar *previous)
{
  P2pPeer *old;

  if (previous[0] == '\0')
    return;
  old = find_session (endpoint, previous);
  if (old != NULL)
    p2p_peer_close (old, P2P_REASON_REPLACED, TRUE);
}

static guint
get_max_viewers (P2pEndpoint *endpoint)
{
  guint max;

  g_mutex_lock (&endpoint->lock);
  max = endpoint->config.max_viewers;
  g_mutex_unlock (&endpoint->lock);
  return max;
}

/* What the device tells of a viewer before anything is known: part of a number
 * that the viewer drew for this session. */
static gchar *
viewer_id (const gchar *session)
{
  return g_strdup_printf ("viewer-%.8s", session);
}

static void
new_viewer (P2pEndpoint *endpoint, P2pChannel *channel, const P2pMessage *offer)
{
  P2pPeer *peer;
  gchar *id;

  drop_previous (endpoint, offer->previous);
  if (count_viewers (endpoint) >= get_max_viewers (endpoint)) {
    refuse (channel, offer->session, P2P_REASON_BUSY);
    return;
  }
  id = viewer_id (offer->session);
  peer = p2p_peer_new (endpoint, P2P_ROLE_DEVICE, id, offer->session,
                       g_get_monotonic_time ());
  g_free (id);
  peer->channel = channel;
  peer->channel_open = TRUE;
  peer->loopback = p2p_remote_is_loopback (p2p_channel_get_remote (channel));
  p2p_channel_set_user (channel, peer);
  p2p_endpoint_peers_changed (endpoint);
  p2p_peer_signal (peer, offer);
}

/* A new channel for a session that stands: its viewer lost the old one. */
static void
adopt_channel (P2pPeer *peer, P2pChannel *channel)
{
  if (peer->channel != NULL && peer->channel != channel) {
    p2p_channel_set_user (peer->channel, NULL);
    p2p_channel_close (peer->channel);
  }
  peer->channel = channel;
  peer->channel_open = TRUE;
  peer->channel_lost = FALSE;
  p2p_channel_set_user (channel, peer);
}

static void
first_message (P2pEndpoint *endpoint, P2pChannel *channel,
               const P2pMessage *message)
{
  P2pPeer *peer = find_session (endpoint, message->session);

  if (message->type != P2P_MESSAGE_OFFER) {
    if (message->type != P2P_MESSAGE_BYE)
      refuse (channel, message->session, P2P_REASON_UNKNOWN);
    return;
  }
  if (peer != NULL) {
    adopt_channel (peer, channel);
    p2p_peer_signal (peer, message);
  } else if (message->generation > 0) {
    /* It wants a new path for a session that we do not have (any more). */
    refuse (channel, message->session, P2P_REASON_UNKNOWN);
  } else {
    new_viewer (endpoint, channel, message);
  }
}

static void
on_channel_message (P2pSignaller *signaller, P2pChannel *channel,
                    const gchar *text, gsize len, gpointer user)
{
  P2pEndpoint *endpoint = user;
  P2pPeer *peer = p2p_channel_get_user (channel);
  P2pMessage *message = g_new0 (P2pMessage, 1);
  const gchar *why = NULL;

  if (endpoint->stopping) {
    g_free (message);
    return;
  }
  if (!p2p_message_read (text, len, message, &why)) {
    g_debug ("refused a message of %s: %s", p2p_channel_get_remote (channel),
             why);
    endpoint->refused_of_gone++;
  } else if (message->type != P2P_MESSAGE_UNKNOWN) {
    if (peer == NULL)
      first_message (endpoint, channel, message);
    else if (g_str_equal (peer->session, message->session))
      p2p_peer_signal (peer, message);
  }
  g_free (message);
}

static void
on_channel_closed (P2pSignaller *signaller, P2pChannel *channel,
                   const gchar *reason, const gchar *detail, gpointer user)
{
  P2pPeer *peer = p2p_channel_get_user (channel);

  if (peer != NULL)
    p2p_peer_channel_lost (peer);
}

static void
on_rejected (P2pSignaller *signaller, guint count, const gchar *from,
             gpointer user)
{
  P2pEndpoint *endpoint = user;
  gint64 now = g_get_monotonic_time ();
  P2pStep step = { 0 };
  gchar *detail;

  endpoint->rejected_count += count;
  p2p_endpoint_take_snapshot (endpoint);
  if (now < endpoint->next_rejected_us)
    return;
  endpoint->next_rejected_us = now + REJECTED_INTERVAL_US;
  detail = g_strdup_printf (endpoint->rejected_count == 1
                                ? "%u attempt did not prove the key, from %s"
                                : "%u attempts did not prove the key, the last "
                                  "one from %s",
                            endpoint->rejected_count, from);
  endpoint->rejected_count = 0;
  step.step = P2P_STEP_AUTH;
  step.reason = P2P_REASON_CHECK_FAILURE;
  step.detail = detail;
  p2p_endpoint_step (endpoint, &step);
  g_free (detail);
}

const P2pSignallerCallbacks p2p_device_callbacks = {
  .state = on_state,
  .channel_open = on_channel_open,
  .channel_message = on_channel_message,
  .channel_closed = on_channel_closed,
  .rejected = on_rejected,
};
