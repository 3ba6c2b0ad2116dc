/* Channels: one conversation between a device and a viewer, on any transport.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Seals and opens, checks what is delivered, notices silence. The threads and
 * ownership are those of p2psignalpriv.h.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2pjsoncheck.h"
#include "p2psignalpriv.h"

#include <string.h>

/* Reasons that a CLOSE may carry; anything else is taken for peer-gone. */
static const gchar *const close_reasons[] = {
  P2P_REASON_BUSY,
  P2P_REASON_PEER_GONE,
};

static void arm_heartbeat (P2pSignaller *signaller);

P2pChannel *
p2p_channel_ref (P2pChannel *channel)
{
  channel->ref_count++;
  return channel;
}

void
p2p_channel_unref (P2pChannel *channel)
{
  if (--channel->ref_count > 0)
    return;
  p2p_envelope_free (channel->envelope);
  g_free (channel->remote);
  g_free (channel);
}

P2pChannel *
p2p_channel_new (P2pSignaller *signaller)
{
  P2pChannel *channel = g_new0 (P2pChannel, 1);

  channel->ref_count = 1;
  channel->signaller = signaller;
  channel->state = P2P_CHANNEL_OPENING;
  channel->remote = g_strdup (signaller->redacted);
  signaller->channels = g_list_prepend (signaller->channels, channel);
  signaller->n_channels++;
  return channel;
}

void
p2p_channel_set_remote (P2pChannel *channel, const gchar *remote)
{
  g_free (channel->remote);
  channel->remote = g_strdup (remote);
}

/* Out of the signaller's hands. The list's reference goes to the caller. */
static void
detach (P2pChannel *channel)
{
  P2pSignaller *signaller = channel->signaller;

  signaller->channels = g_list_remove (signaller->channels, channel);
  signaller->n_channels--;
  signaller->ops->close (channel);
  channel->state = P2P_CHANNEL_CLOSED;
  channel->signaller = NULL;
}

static gboolean
send_kind (P2pChannel *channel, P2pEnvelopeKind kind, const gchar *text)
{
  GBytes *envelope;
  gboolean ok;

  if (channel->state != P2P_CHANNEL_OPEN)
    return FALSE;
  envelope = p2p_envelope_seal (channel->envelope, kind, text, strlen (text));
  if (!envelope)
    return FALSE;
  ok = channel->signaller->ops->send (channel, envelope);
  g_bytes_unref (envelope);
  channel->sent_us = g_get_monotonic_time ();
  return ok;
}

gboolean
p2p_channel_send (P2pChannel *channel, const gchar *text)
{
  return send_kind (channel, P2P_ENVELOPE_MESSAGE, text);
}

void
p2p_channel_close (P2pChannel *channel)
{
  if (channel->state == P2P_CHANNEL_CLOSED)
    return;
  send_kind (channel, P2P_ENVELOPE_CLOSE, "");
  detach (channel);
  p2p_channel_unref (channel);
}

void
p2p_channel_fail (P2pChannel *channel, const gchar *reason, const gchar *detail,
                  ...)
{
  P2pSignaller *signaller = channel->signaller;
  g_autofree gchar *text = NULL;
  va_list args;

  if (channel->state == P2P_CHANNEL_CLOSED)
    return;
  va_start (args, detail);
  text = g_strdup_vprintf (detail, args);
  va_end (args);

  p2p_signaller_ref (signaller);
  detach (channel);
  /* A device's user has not heard of a channel that said nothing yet. */
  if (!signaller->stopped && signaller->callbacks.channel_closed
      && (channel->announced || signaller->role == P2P_ROLE_VIEWER))
    signaller->callbacks.channel_closed (signaller, channel, reason, text,
                                         signaller->user);
  p2p_channel_unref (channel);
  p2p_signaller_unref (signaller);
}

void
p2p_signaller_fail_channels (P2pSignaller *signaller, const gchar *reason,
                             const gchar *detail)
{
  GList *all
      = g_list_copy_deep (signaller->channels,
                          (GCopyFunc)(void (*) (void))p2p_channel_ref, NULL);
  GList *l;

  p2p_signaller_ref (signaller);
  for (l = all; l; l = l->next)
    p2p_channel_fail (l->data, reason, "%s", detail);
  g_list_free_full (all, (GDestroyNotify)p2p_channel_unref);
  p2p_signaller_unref (signaller);
}

static void
announce (P2pChannel *channel)
{
  P2pSignaller *signaller = channel->signaller;

  channel->announced = TRUE;
  if (signaller->callbacks.channel_open)
    signaller->callbacks.channel_open (signaller, channel, signaller->user);
}

void
p2p_channel_ready (P2pChannel *channel, P2pEnvelope *envelope)
{
  P2pSignaller *signaller = channel->signaller;

  channel->envelope = envelope;
  channel->state = P2P_CHANNEL_OPEN;
  channel->received_us = g_get_monotonic_time ();
  channel->sent_us = 0;
  arm_heartbeat (signaller);
  if (signaller->role == P2P_ROLE_DEVICE)
    return;

  p2p_channel_ref (channel);
  p2p_signaller_ref (signaller);
  announce (channel);
  if (channel->sent_us == 0)
    send_kind (channel, P2P_ENVELOPE_PING, "");
  p2p_signaller_unref (signaller);
  p2p_channel_unref (channel);
}

static void
closed_by_peer (P2pChannel *channel, const guint8 *body, gsize len)
{
  const gchar *reason = P2P_REASON_PEER_GONE;
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (close_reasons); i++) {
    if (len == strlen (close_reasons[i])
        && memcmp (body, close_reasons[i], len) == 0)
      reason = close_reasons[i];
  }
  if (reason[0] == P2P_REASON_BUSY[0])
    p2p_channel_fail (channel, reason,
                      "the device has all the viewers it can "
                      "take");
  else
    p2p_channel_fail (channel, reason, "the other side closed the channel");
}

void
p2p_channel_deliver (P2pChannel *channel, P2pEnvelopeKind kind,
                     const guint8 *body, gsize len)
{
  P2pSignaller *signaller = channel->signaller;
  gchar *text;

  channel->received_us = g_get_monotonic_time ();
  if (kind == P2P_ENVELOPE_PING)
    return;
  if (kind == P2P_ENVELOPE_CLOSE) {
    closed_by_peer (channel, body, len);
    return;
  }
  /* It has the key and yet talks nonsense: of another make, or broken. */
  if (!p2p_json_check ((const gchar *)body, len, P2P_SIGNAL_MAX_MESSAGE)) {
    p2p_channel_fail (
        channel, P2P_REASON_CHECK_FAILURE,
        "the other side sent a message that is not one JSON object");
    return;
  }
  p2p_channel_ref (channel);
  p2p_signaller_ref (signaller);
  if (!channel->announced)
    announce (channel);
  if (channel->state == P2P_CHANNEL_OPEN
      && signaller->callbacks.channel_message) {
    text = g_strndup ((const gchar *)body, len);
    signaller->callbacks.channel_message (signaller, channel, text, len,
                                          signaller->user);
    g_free (text);
  }
  p2p_signaller_unref (signaller);
  p2p_channel_unref (channel);
}

P2pEnvelopeResult
p2p_channel_input (P2pChannel *channel, const guint8 *data, gsize len)
{
  guint8 body[P2P_SIGNAL_MAX_MESSAGE];
  P2pEnvelopeKind kind;
  P2pEnvelopeResult result;
  gsize body_len;

  result = p2p_envelope_open (channel->envelope, data, len, &kind, body,
                              &body_len);
  if (result == P2P_ENVELOPE_OK)
    p2p_channel_deliver (channel, kind, body, body_len);
  return result;
}

/* -- Silence -------------------------------------------------------------- */

/* Pings a channel or gives it up; called several times per ping interval. */
static void
check_channel (P2pChannel *channel, gint64 now)
{
  P2pSignaller *signaller = channel->signaller;
  const P2pSignalTiming *timing = &signaller->timing;
  gboolean broker = signaller->ops->over_broker;
  gint64 ping_us
      = (broker ? timing->broker_ping : timing->stream_ping) * 1000LL;
  gint64 dead_us
      = (broker ? timing->broker_dead : timing->stream_dead) * 1000LL;

  if (now - channel->received_us >= dead_us)
    p2p_channel_fail (channel, P2P_REASON_PEER_GONE,
                      "nothing heard from %s for %" G_GINT64_FORMAT " s",
                      channel->remote, dead_us / G_USEC_PER_SEC);
  else if (now - channel->sent_us >= ping_us)
    send_kind (channel, P2P_ENVELOPE_PING, "");
}

static gboolean
heartbeat (gpointer user)
{
  P2pSignaller *signaller = p2p_signaller_ref (user);
  GList *all
      = g_list_copy_deep (signaller->channels,
                          (GCopyFunc)(void (*) (void))p2p_channel_ref, NULL);
  gint64 now = g_get_monotonic_time ();
  gboolean again;
  GList *l;

  for (l = all; l; l = l->next) {
    P2pChannel *channel = l->data;

    if (channel->state == P2P_CHANNEL_OPEN)
      check_channel (channel, now);
  }
  g_list_free_full (all, (GDestroyNotify)p2p_channel_unref);
  again = signaller->channels != NULL && !signaller->stopped;
  if (!again)
    p2p_source_clear (&signaller->heartbeat);
  p2p_signaller_unref (signaller);
  return again ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void
arm_heartbeat (P2pSignaller *signaller)
{
  if (!signaller->heartbeat)
    signaller->heartbeat
        = p2p_signaller_timer (signaller,
                               MAX (1, (signaller->ops->over_broker
                                            ? signaller->timing.broker_ping
                                            : signaller->timing.stream_ping)
                                           / 4),
                               heartbeat, signaller);
}

/* -- What the user sees --------------------------------------------------- */

static gboolean
open_later (gpointer user)
{
  P2pChannel *channel = user;

  if (channel->state == P2P_CHANNEL_WAITING && channel->signaller->running) {
    channel->state = P2P_CHANNEL_OPENING;
    channel->signaller->ops->open (channel->signaller, channel);
  }
  return G_SOURCE_REMOVE;
}

P2pChannel *
p2p_signaller_open_channel (P2pSignaller *signaller)
{
  P2pChannel *channel;
  GSource *source;

  g_return_val_if_fail (signaller->role == P2P_ROLE_VIEWER, NULL);
  g_return_val_if_fail (signaller->context && !signaller->stopped, NULL);
  channel = p2p_channel_new (signaller);
  channel->state = P2P_CHANNEL_WAITING;
  /* Before the signaller runs, its start takes care of it. */
  source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, open_later, p2p_channel_ref (channel),
                         (GDestroyNotify)p2p_channel_unref);
  g_source_attach (source, signaller->context);
  g_source_unref (source);
  return channel;
}

void
p2p_channel_set_user (P2pChannel *channel, gpointer user)
{
  channel->user = user;
}

gpointer
p2p_channel_get_user (P2pChannel *channel)
{
  return channel->user;
}

const gchar *
p2p_channel_get_remote (P2pChannel *channel)
{
  return channel->remote;
}
