/* What the session calls on p2psink.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: commands come on workers of the session, everything else on its
 * notify thread; messages and signals are left to run here, so no lock is held
 * around them. The element's role is settled before the listener is added.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstp2pcommands.h"
#include "gstp2pmessages.h"
#include "gstp2psink.h"

#define GST_CAT_DEFAULT gst_p2p_sink_debug

static const gchar *
explain (const P2pStep *step)
{
  return step->detail != NULL ? step->detail : step->reason;
}

/* The key is wrong, or there is no such device. Trying again would only be
 * guessing: it ends here, as it does for p2psrc. */
static void
give_up (GstP2pSink *sink, const P2pStep *step)
{
  GList *pads, *walk;

  /* Once hung up, nobody waits for this callback. */
  gst_object_ref (sink);
  GST_ELEMENT_ERROR (sink, RESOURCE, NOT_AUTHORIZED,
                     ("The device does not let us in: %s", explain (step)),
                     ("Check the device's id and the key; step %s, reason %s",
                      p2p_step_kind_name (step->step),
                      GST_STR_NULL (step->reason)));
  pads = gst_p2p_sink_get_pads (sink);
  g_mutex_lock (&sink->lock);
  sink->refused = TRUE;
  for (walk = pads; walk != NULL; walk = walk->next)
    gst_p2p_sink_pad_wake (walk->data);
  g_mutex_unlock (&sink->lock);
  gst_p2p_sink_free_pads (pads);
  gst_p2p_sink_hang_up (sink);
  gst_object_unref (sink);
}

/* As a viewer. Refused and never let in: an error. One that was let in before
 * goes on trying, as a device may get its key back, and so does one that met
 * any other trouble. */
static void
judge_step (GstP2pSink *sink, const P2pStep *step)
{
  gboolean fatal = FALSE, warn = FALSE;

  g_mutex_lock (&sink->lock);
  if (step->ok && step->step == P2P_STEP_TRANSPORT) {
    sink->was_connected = TRUE;
    sink->server_lost = FALSE;
  } else if (!step->ok) {
    fatal = !sink->was_connected && !sink->refused
            && g_strcmp0 (step->reason, P2P_REASON_CHECK_FAILURE) == 0;
    warn = !fatal && !sink->server_lost;
    sink->server_lost = TRUE;
  }
  g_mutex_unlock (&sink->lock);
  if (fatal)
    give_up (sink, step);
  if (warn)
    GST_ELEMENT_WARNING (sink, RESOURCE, OPEN_WRITE,
                         ("No connection to the device: %s", explain (step)),
                         ("It is tried again until it works"));
}

static void
on_step (P2pEndpoint *endpoint, const P2pStep *step, gpointer user)
{
  GstP2pSink *sink = user;
  gboolean warn = FALSE;

  gst_element_post_message (GST_ELEMENT_CAST (sink),
                            gst_p2p_step_message_new (GST_ELEMENT_CAST (sink),
                                                      step));
  if (sink->role == P2P_ROLE_VIEWER) {
    judge_step (sink, step);
    return;
  }
  if (step->step != P2P_STEP_SERVER)
    return;
  g_mutex_lock (&sink->lock);
  warn = !step->ok && !sink->server_lost;
  sink->server_lost = !step->ok;
  g_mutex_unlock (&sink->lock);
  /* Once an outage; the attempts that follow are p2p-step messages. */
  if (warn)
    GST_ELEMENT_WARNING (
        sink, RESOURCE, OPEN_WRITE,
        ("New viewers cannot come: %s", explain (step)),
        ("It is tried again until it works; present viewers stay"));
}

static gboolean
on_authorize (P2pEndpoint *endpoint, const P2pPeerInfo *peer, gpointer user)
{
  GstStructure *info = gst_p2p_peer_structure_new (peer);
  gboolean allowed = TRUE;

  g_signal_emit (user, gst_p2p_sink_signals[GST_P2P_SINK_SIGNAL_AUTHORIZE], 0,
                 peer->id, info, &allowed);
  gst_structure_free (info);
  return allowed;
}

static void
on_peer_added (P2pEndpoint *endpoint, const P2pPeerInfo *peer, gpointer user)
{
  GstStructure *info;

  if (((GstP2pSink *)user)->role == P2P_ROLE_VIEWER)
    return;
  info = gst_p2p_peer_structure_new (peer);
  GST_INFO_OBJECT (user, "viewer %s: %" GST_PTR_FORMAT, peer->id, info);
  g_signal_emit (user, gst_p2p_sink_signals[GST_P2P_SINK_SIGNAL_VIEWER_ADDED],
                 0, peer->id, info);
  gst_structure_free (info);
}

static void
on_peer_removed (P2pEndpoint *endpoint, const gchar *peer, const gchar *reason,
                 gpointer user)
{
  if (((GstP2pSink *)user)->role == P2P_ROLE_VIEWER)
    return;
  GST_INFO_OBJECT (user, "viewer %s went: %s", peer, reason);
  g_signal_emit (user, gst_p2p_sink_signals[GST_P2P_SINK_SIGNAL_VIEWER_REMOVED],
                 0, peer, reason);
}

/* `direction` is not the peer's to say. */
static void
tell_request (gpointer sink, const gchar *peer, guint request,
              const gchar *params, const gchar *direction)
{
  GstStructure *info = gst_p2p_params_to_structure (params);

  gst_structure_set (info, "direction", G_TYPE_STRING, direction, NULL);
  g_signal_emit (sink, gst_p2p_sink_signals[GST_P2P_SINK_SIGNAL_REQUEST_ADDED],
                 0, peer, request, info);
  gst_structure_free (info);
}

static void
on_request_added (P2pEndpoint *endpoint, const gchar *peer, guint request,
                  const gchar *params, gpointer user)
{
  tell_request (user, peer, request, params, "send");
}

static void
on_offer_added (P2pEndpoint *endpoint, const gchar *peer, guint offer,
                const gchar *params, gpointer user)
{
  tell_request (user, peer, offer, params, "receive");
}

static void
on_request_removed (P2pEndpoint *endpoint, const gchar *peer, guint request,
                    gpointer user)
{
  g_signal_emit (user,
                 gst_p2p_sink_signals[GST_P2P_SINK_SIGNAL_REQUEST_REMOVED], 0,
                 peer, request);
}

static GBytes *
on_command (P2pEndpoint *endpoint, const gchar *peer, GBytes *command,
            gpointer user)
{
  return gst_p2p_emit_command (
      user, gst_p2p_sink_signals[GST_P2P_SINK_SIGNAL_COMMAND], peer, command);
}

static void
on_watermark (P2pEndpoint *endpoint, const gchar *peer, unsigned event,
              guint64 level_bytes, guint64 level_us, gpointer user)
{
  GstElement *sink = user;

  gst_element_post_message (sink,
                            gst_p2p_watermark_message_new (sink, peer, event,
                                                           level_bytes,
                                                           level_us));
}

static void
on_relay_missing (P2pEndpoint *endpoint, const gchar *server,
                  const gchar *answer, gpointer user)
{
  gst_p2p_warn_of_relay (user, server, answer);
}

const P2pListener gst_p2p_sink_listener = {
  .step = on_step,
  .authorize = on_authorize,
  .peer_added = on_peer_added,
  .peer_removed = on_peer_removed,
  .request_added = on_request_added,
  .request_removed = on_request_removed,
  .offer_added = on_offer_added,
  .offer_removed = on_request_removed,
  .command = on_command,
  .watermark = on_watermark,
  .relay_missing = on_relay_missing,
  .destroy = gst_object_unref,
};
