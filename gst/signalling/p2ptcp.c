/* Channels over a TCP connection.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: that of the signaller's context. A Peer belongs to its channel, from
 * the channel's opening until p2p_tcp_channel_close(); nothing outlives that.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2pconnect.h"
#include "p2ptcp.h"

#include <string.h>

typedef struct
{
  P2pChannel *channel;
  gchar *target;           /* for error texts */
  P2pConnector *connector; /* while connecting */
  P2pLink *link;           /* from then on */
  GSource *timer;          /* for the hello */
  gboolean knows_challenge;
  guint8 challenge[P2P_CHALLENGE_BYTES];
  guint8 channel_id[P2P_CHANNEL_ID_BYTES];
  gboolean heard; /* something genuine has come */
} Peer;

static void
on_hello (Peer *peer, const guint8 *body, gsize len)
{
  P2pChannel *channel = peer->channel;

  if (len < 5 || memcmp (body, P2P_TCP_MAGIC, 4) != 0) {
    p2p_channel_fail (channel, P2P_REASON_NO_ANSWER,
                      "what listens at %s is not a device", peer->target);
    return;
  }
  if (body[4] != P2P_ENVELOPE_VERSION || len != P2P_TCP_HELLO_BYTES) {
    p2p_channel_fail (
        channel, P2P_REASON_NO_ANSWER,
        "the device at %s speaks version %u of the protocol, this is %d",
        peer->target, body[4], P2P_ENVELOPE_VERSION);
    return;
  }
  p2p_source_clear (&peer->timer);
  memcpy (peer->challenge, body + 8, P2P_CHALLENGE_BYTES);
  peer->knows_challenge = TRUE;
  p2p_channel_ready (channel,
                     p2p_envelope_new (channel->signaller->credential,
                                       P2P_ROLE_VIEWER, peer->challenge,
                                       peer->channel_id));
}

static void
on_envelope (Peer *peer, const guint8 *body, gsize len)
{
  P2pChannel *channel = p2p_channel_ref (peer->channel);
  P2pSignaller *signaller = p2p_signaller_ref (channel->signaller);
  gboolean heard = peer->heard;

  peer->heard = TRUE; /* the peer may be gone when input() returns */
  if (p2p_channel_input (channel, body, len) != P2P_ENVELOPE_OK) {
    /* TCP does not damage anything: someone did. */
    p2p_signaller_reject (signaller, channel->remote);
    p2p_channel_fail (channel, P2P_REASON_CHECK_FAILURE,
                      heard ? "what came from %s was altered on the way"
                            : "the device at %s has another key",
                      channel->remote);
  }
  p2p_signaller_unref (signaller);
  p2p_channel_unref (channel);
}

static void
on_frame (P2pLink *link, guint8 type, const guint8 *body, gsize len,
          gpointer user)
{
  Peer *peer = user;
  gboolean viewer = peer->channel->signaller->role == P2P_ROLE_VIEWER;

  if (type == P2P_FRAME_HELLO && viewer && !peer->knows_challenge)
    on_hello (peer, body, len);
  else if (type == P2P_FRAME_REFUSED && viewer && !peer->heard)
    p2p_channel_fail (
        peer->channel, P2P_REASON_CHECK_FAILURE,
        "%s refuses: there is no such device, or the key is wrong",
        peer->target);
  else if (type == P2P_FRAME_ENVELOPE && peer->knows_challenge)
    on_envelope (peer, body, len);
  else
    p2p_channel_fail (peer->channel, P2P_REASON_NO_ANSWER,
                      "what listens at %s is not a device", peer->target);
}

static void
on_garbage (P2pLink *link, gpointer user)
{
  Peer *peer = user;

  p2p_channel_fail (peer->channel,
                    peer->heard ? P2P_REASON_CHECK_FAILURE
                                : P2P_REASON_NO_ANSWER,
                    "%s does not speak this protocol", peer->target);
}

static void
on_lost (P2pLink *link, const gchar *why, gpointer user)
{
  Peer *peer = user;

  p2p_channel_fail (peer->channel,
                    peer->heard ? P2P_REASON_PEER_GONE : P2P_REASON_NO_ANSWER,
                    "connection to %s: %s", peer->target, why);
}

static const P2pLinkCallbacks link_callbacks
    = { on_frame, on_garbage, on_lost };

static gboolean
no_hello (gpointer user)
{
  Peer *peer = user;

  p2p_channel_fail (peer->channel, P2P_REASON_NO_ANSWER,
                    "%s accepts connections but says nothing", peer->target);
  return G_SOURCE_REMOVE;
}

static void
on_connected (GSocket *socket, const gchar *error, gpointer user)
{
  Peer *peer = user;
  P2pChannel *channel = peer->channel;
  P2pSignaller *signaller = channel->signaller;

  if (!socket) {
    p2p_channel_fail (channel, P2P_REASON_NO_ANSWER, "cannot reach %s: %s",
                      peer->target, error);
    return;
  }
  peer->link = p2p_link_new (socket, signaller->context, &link_callbacks, peer);
  p2p_channel_set_remote (channel, peer->target);
  if (peer->knows_challenge)
    p2p_channel_ready (channel,
                       p2p_envelope_new (signaller->credential, P2P_ROLE_VIEWER,
                                         peer->challenge, peer->channel_id));
  else
    peer->timer = p2p_signaller_timer (signaller, signaller->timing.no_answer,
                                       no_hello, peer);
}

static Peer *
peer_new (P2pChannel *channel, gchar *target)
{
  Peer *peer = g_new0 (Peer, 1);

  peer->channel = channel;
  peer->target = target;
  channel->transport = peer;
  return peer;
}

void
p2p_tcp_channel_connect (P2pChannel *channel, const gchar *host, guint16 port,
                         const guint8 *challenge, const guint8 *channel_id)
{
  P2pSignaller *signaller = channel->signaller;
  Peer *peer
      = peer_new (channel,
                  g_strdup_printf (strchr (host, ':') ? "[%s]:%u" : "%s:%u",
                                   host, port));

  if (challenge) {
    peer->knows_challenge = TRUE;
    memcpy (peer->challenge, challenge, P2P_CHALLENGE_BYTES);
    memcpy (peer->channel_id, channel_id, P2P_CHANNEL_ID_BYTES);
  } else {
    p2p_random (peer->channel_id, P2P_CHANNEL_ID_BYTES);
  }
  peer->connector
      = p2p_connector_new (signaller->context, host, port,
                           signaller->timing.connect, on_connected, peer);
}

void
p2p_tcp_channel_adopt (P2pChannel *channel, P2pLink *link)
{
  Peer *peer = peer_new (channel, g_strdup (channel->remote));

  peer->heard = peer->knows_challenge = TRUE;
  peer->link = link;
  p2p_link_set_callbacks (link, &link_callbacks, peer);
}

gboolean
p2p_tcp_channel_send (P2pChannel *channel, GBytes *envelope)
{
  Peer *peer = channel->transport;

  return p2p_link_send (peer->link, P2P_FRAME_ENVELOPE,
                        g_bytes_get_data (envelope, NULL),
                        g_bytes_get_size (envelope));
}

void
p2p_tcp_channel_close (P2pChannel *channel)
{
  Peer *peer = g_steal_pointer (&channel->transport);

  if (!peer)
    return;
  p2p_connector_free (peer->connector);
  p2p_source_clear (&peer->timer);
  p2p_link_finish (peer->link);
  g_free (peer->target);
  g_free (peer);
}

void
p2p_tcp_network_changed (P2pSignaller *signaller)
{
  GList *channels
      = g_list_copy_deep (signaller->channels,
                          (GCopyFunc)(void (*) (void))p2p_channel_ref, NULL);
  GList *l;

  for (l = channels; l; l = l->next) {
    P2pChannel *channel = l->data;
    Peer *peer = channel->transport;

    if (!signaller->stopped && peer && peer->link
        && !p2p_link_is_at_home (peer->link))
      p2p_channel_fail (channel, P2P_REASON_HEARTBEAT, P2P_MOVED_TEXT);
  }
  g_list_free_full (channels, (GDestroyNotify)p2p_channel_unref);
}
