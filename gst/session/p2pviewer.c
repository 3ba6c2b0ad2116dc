/* The viewer's end of signalling: dialling, and dialling again.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All on the network thread. There is one session at a time; a channel's user
 * pointer is its peer.
 */
#include "p2pendpoint-private.h"

#include <openssl/rand.h>

#define BACKOFF_FIRST_MS 500
#define BACKOFF_MAX_MS 30000
/* After a session that had worked: someone just restarted something. */
#define BACKOFF_AFTER_SESSION_MS 200

static gboolean
on_redial (gpointer user)
{
  P2pEndpoint *endpoint = user;

  g_clear_pointer (&endpoint->redial, g_source_unref);
  p2p_viewer_dial (endpoint);
  return G_SOURCE_REMOVE;
}

static void
cancel_redial (P2pEndpoint *endpoint)
{
  if (endpoint->redial != NULL) {
    g_source_destroy (endpoint->redial);
    g_clear_pointer (&endpoint->redial, g_source_unref);
  }
}

/* Spread, so that viewers of one camera do not come back in step. */
static void
redial_in (P2pEndpoint *endpoint, guint ms)
{
  cancel_redial (endpoint);
  if (endpoint->stopping)
    return;
  ms = (guint)g_random_int_range ((gint32)(ms * 4 / 5),
                                  (gint32)(ms * 6 / 5) + 1);
  endpoint->redial = g_timeout_source_new (ms);
  g_source_set_callback (endpoint->redial, on_redial, endpoint, NULL);
  g_source_attach (endpoint->redial, endpoint->context);
}

static guint
next_backoff (P2pEndpoint *endpoint)
{
  guint ms = BACKOFF_FIRST_MS;
  guint i;

  for (i = 0; i < endpoint->attempt && ms < BACKOFF_MAX_MS; i++)
    ms *= 2;
  endpoint->attempt++;
  return MIN (ms, BACKOFF_MAX_MS);
}

static void
new_session_id (gchar *out)
{
  guint8 bytes[P2P_SESSION_ID_BYTES];
  guint i;

  if (RAND_bytes (bytes, sizeof bytes) != 1)
    for (i = 0; i < sizeof bytes; i++)
      bytes[i] = (guint8)g_random_int ();
  for (i = 0; i < sizeof bytes; i++)
    g_snprintf (out + 2 * i, 3, "%02x", bytes[i]);
}

void
p2p_viewer_dial (P2pEndpoint *endpoint)
{
  gchar session[P2P_SESSION_ID_CHARS + 1];
  P2pPeer *peer;

  cancel_redial (endpoint);
  if (endpoint->stopping || endpoint->session != NULL)
    return;
  new_session_id (session);
  peer = p2p_peer_new (endpoint, P2P_ROLE_VIEWER, endpoint->config.device_id,
                       session, g_get_monotonic_time ());
  endpoint->session = peer;
  p2p_endpoint_peers_changed (endpoint);
  p2p_viewer_reopen_channel (endpoint, peer);
}

void
p2p_viewer_reopen_channel (P2pEndpoint *endpoint, P2pPeer *peer)
{
  peer->channel = p2p_signaller_open_channel (endpoint->signaller);
  peer->channel_open = FALSE;
  if (peer->channel != NULL) {
    p2p_channel_set_user (peer->channel, peer);
  } else if (peer->state == P2P_PEER_SETUP) {
    p2p_peer_step (peer, P2P_STEP_SERVER, P2P_REASON_HEARTBEAT,
                   "the signaller is not reachable");
    p2p_peer_close (peer, P2P_REASON_HEARTBEAT, TRUE);
  }
}

void
p2p_viewer_session_over (P2pEndpoint *endpoint, P2pPeer *peer,
                         const gchar *reason)
{
  /* Who breaks the rules, or meets one who does, would do it again at once. */
  gboolean worked = peer->saw_transport
                    && g_strcmp0 (reason, P2P_REASON_PROTOCOL) != 0;

  if (endpoint->session != peer)
    return;
  endpoint->session = NULL;
  if (peer->have_remote)
    g_strlcpy (endpoint->previous, peer->session, sizeof endpoint->previous);
  if (endpoint->stopping)
    return;
  if (worked) {
    endpoint->attempt = 0;
    endpoint->reconnects++;
  }
  /* Who was sent away does not come back at once. */
  if (g_strcmp0 (reason, P2P_REASON_KICKED) == 0
      || g_strcmp0 (reason, P2P_REASON_REFUSED) == 0)
    redial_in (endpoint, BACKOFF_MAX_MS);
  else if (worked)
    redial_in (endpoint, BACKOFF_AFTER_SESSION_MS);
  else
    redial_in (endpoint, next_backoff (endpoint));
}

void
p2p_viewer_stop (P2pEndpoint *endpoint)
{
  cancel_redial (endpoint);
}

/* -- Callbacks ------------------------------------------------------------- */

static void
on_state (P2pSignaller *signaller, P2pSignallerState state, const gchar *reason,
          const gchar *detail, gpointer user)
{
  P2pEndpoint *endpoint = user;

  endpoint->online = state == P2P_SIGNALLER_ONLINE;
  p2p_endpoint_take_snapshot (endpoint);
  /* What failed is told by the channel that was asked for. Back online: no
   * reason to wait any longer. */
  if (endpoint->online && endpoint->redial != NULL)
    p2p_viewer_dial (endpoint);
}

static void
on_channel_open (P2pSignaller *signaller, P2pChannel *channel, gpointer user)
{
  P2pPeer *peer = p2p_channel_get_user (channel);

  if (peer == NULL)
    return;
  peer->channel_open = TRUE;
  peer->channel_lost = FALSE;
  peer->loopback = p2p_remote_is_loopback (p2p_channel_get_remote (channel));
  if (peer->state == P2P_PEER_SETUP) {
    p2p_peer_step (peer, P2P_STEP_SERVER, NULL, NULL);
    p2p_peer_begin (peer);
  } else if (peer->state == P2P_PEER_UP) {
    /* It was opened for that. */
    peer->restart_at = 0;
    p2p_peer_restart (peer);
  }
}

static void
on_channel_message (P2pSignaller *signaller, P2pChannel *channel,
                    const gchar *text, gsize len, gpointer user)
{
  P2pEndpoint *endpoint = user;
  P2pPeer *peer = p2p_channel_get_user (channel);
  P2pMessage *message;
  const gchar *why = NULL;

  if (peer == NULL)
    return;
  message = g_new0 (P2pMessage, 1);
  if (!p2p_message_read (text, len, message, &why)) {
    g_debug ("refused a message of the device: %s", why);
    endpoint->refused_of_gone++;
  } else if (message->type != P2P_MESSAGE_UNKNOWN
             && g_str_equal (message->session, peer->session)) {
    p2p_peer_signal (peer, message);
  }
  g_free (message);
}

/* Before it was open: which step it is that failed depends on how far the
 * signaller came. A refusal means that someone answered. */
static void
tell_failure (P2pPeer *peer, const gchar *reason, const gchar *detail)
{
  const gchar *uri = peer->endpoint->config.signaller;
  gboolean broker = g_str_has_prefix (uri, "mqtt");

  if (g_strcmp0 (reason, P2P_REASON_CHECK_FAILURE) == 0
      || (broker && g_strcmp0 (reason, P2P_REASON_NO_ANSWER) == 0)
      || peer->channel_open) {
    if (!peer->channel_open)
      p2p_peer_step (peer, P2P_STEP_SERVER, NULL, NULL);
    p2p_peer_step (peer, P2P_STEP_AUTH, reason, detail);
  } else {
    p2p_peer_step (peer, P2P_STEP_SERVER, reason, detail);
  }
}

static void
on_channel_closed (P2pSignaller *signaller, P2pChannel *channel,
                   const gchar *reason, const gchar *detail, gpointer user)
{
  P2pPeer *peer = p2p_channel_get_user (channel);

  if (peer == NULL)
    return;
  if (reason == NULL)
    reason = P2P_REASON_NO_ANSWER;
  if (peer->state == P2P_PEER_SETUP && !peer->have_remote) {
    tell_failure (peer, reason, detail);
    peer->channel = NULL;
    p2p_peer_close (peer, reason, TRUE);
  } else {
    p2p_peer_channel_lost (peer);
  }
}

const P2pSignallerCallbacks p2p_viewer_callbacks = {
  .state = on_state,
  .channel_open = on_channel_open,
  .channel_message = on_channel_message,
  .channel_closed = on_channel_closed,
};
