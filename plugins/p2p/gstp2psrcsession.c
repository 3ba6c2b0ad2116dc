/* What the session calls on p2psrc.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: the listener's functions run in the session's notify thread and may
 * post messages. The request's run in its network thread: they put things into
 * queues under the source's lock and return; whatever runs code of others
 * (pads, messages) is left to the pads' tasks or to GStreamer's worker.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstp2pcaps.h"
#include "gstp2pcommands.h"
#include "gstp2pmessages.h"
#include "gstp2psrc.h"

#define GST_CAT_DEFAULT gst_p2p_src_debug

/* -- Steps (notify thread) ------------------------------------------------- */

static const gchar *
explain (const P2pStep *step)
{
  if (step->detail != NULL)
    return step->detail;
  return step->reason != NULL ? step->reason : "unknown";
}

/* Nobody else asks for anything on it any more: no reason to call again. If the
 * element is being stopped just now that is left to it; it waits for us. */
static void
hang_up (GstP2pSrc *src)
{
  P2pEndpoint *endpoint = NULL;
  guint id;

  g_mutex_lock (&src->lock);
  id = src->listener;
  src->listener = 0;
  if (id != 0)
    endpoint = g_steal_pointer (&src->endpoint);
  g_mutex_unlock (&src->lock);
  if (id == 0)
    return;
  p2p_endpoint_remove_listener (endpoint, id);
  p2p_endpoint_release (endpoint);
}

/* The device refused the key, or there is no such device. Trying again would
 * only be guessing, so it ends here; a viewer that was served before goes on.
 */
static void
give_up (GstP2pSrc *src, const P2pStep *step)
{
  P2pRequest *request;

  g_mutex_lock (&src->lock);
  request = g_steal_pointer (&src->request);
  gst_p2p_src_unwatch_nothing (src);
  g_mutex_unlock (&src->lock);
  if (request == NULL)
    return;
  /* Once hung up, nobody waits for this callback. */
  gst_object_ref (src);
  p2p_request_close (request);
  GST_ELEMENT_ERROR (src, RESOURCE, NOT_AUTHORIZED,
                     ("The device does not let us in: %s", explain (step)),
                     ("Check the device's id and the key; step %s, reason %s",
                      p2p_step_kind_name (step->step),
                      GST_STR_NULL (step->reason)));
  hang_up (src);
  gst_object_unref (src);
}

static void
tell_device_step (GstP2pSrc *src, const P2pStep *step)
{
  gboolean warn;

  if (step->step != P2P_STEP_SERVER)
    return;
  g_mutex_lock (&src->lock);
  warn = !step->ok && !src->trouble_told;
  src->trouble_told = !step->ok;
  g_mutex_unlock (&src->lock);
  if (warn)
    GST_ELEMENT_WARNING (src, RESOURCE, OPEN_READ,
                         ("New viewers cannot come: %s", explain (step)),
                         ("It is tried again until it works; present viewers "
                          "stay"));
}

static void
on_step (P2pEndpoint *endpoint, const P2pStep *step, gpointer user)
{
  GstP2pSrc *src = user;
  gboolean warn = FALSE, final = FALSE;

  gst_element_post_message (GST_ELEMENT_CAST (src),
                            gst_p2p_step_message_new (GST_ELEMENT_CAST (src),
                                                      step));
  /* A device: viewers fail one by one, and for themselves. */
  if (src->accepts) {
    tell_device_step (src, step);
    return;
  }

  g_mutex_lock (&src->lock);
  if (step->ok && step->step == P2P_STEP_MEDIA) {
    src->was_connected = TRUE;
    src->trouble_told = FALSE;
  } else if (!step->ok) {
    final = !src->was_connected
            && g_strcmp0 (step->reason, P2P_REASON_CHECK_FAILURE) == 0;
    warn = !final && !src->trouble_told;
    src->trouble_told = TRUE;
  }
  g_mutex_unlock (&src->lock);

  if (final)
    give_up (src, step);
  /* Once an outage; the attempts that follow are p2p-step messages. */
  if (warn)
    GST_ELEMENT_WARNING (
        src, RESOURCE, OPEN_READ,
        ("No connection to the device: %s", explain (step)),
        ("It is tried again until it works; step %s, reason %s",
         p2p_step_kind_name (step->step), GST_STR_NULL (step->reason)));
}

static GBytes *
on_command (P2pEndpoint *endpoint, const gchar *peer, GBytes *command,
            gpointer user)
{
  return gst_p2p_emit_command (user, gst_p2p_src_command_signal, peer, command);
}

static void
on_relay_missing (P2pEndpoint *endpoint, const gchar *server,
                  const gchar *answer, gpointer user)
{
  gst_p2p_warn_of_relay (user, server, answer);
}

const P2pListener gst_p2p_src_listener = {
  .step = on_step,
  .command = on_command,
  .relay_missing = on_relay_missing,
  .destroy = gst_object_unref,
};

/* -- Streams (network thread) ---------------------------------------------- */

static void
check_pads_async (GstElement *element, gpointer data)
{
  gst_p2p_src_check_pads (GST_P2P_SRC (element));
}

/* Lock held. NULL: no such pad. */
static GstP2pSrcPad *
find_pad (GstP2pSrc *src, const gchar *name)
{
  GList *walk;

  for (walk = src->pads; walk != NULL; walk = walk->next) {
    GstP2pSrcPad *pad = walk->data;

    if (!pad->dead && g_str_equal (GST_OBJECT_NAME (pad), name))
      return pad;
  }
  return NULL;
}

/* Lock held. The sender came for the first time, or again: what is known of its
 * clock and its streams begins anew. */
static void
begin_epoch (GstP2pSrc *src, guint epoch)
{
  if (src->have_epoch && src->epoch == epoch)
    return;
  src->have_epoch = TRUE;
  src->epoch = epoch;
  src->group_id = gst_util_group_id_next ();
  gst_p2p_src_unmap_queued (src);
  p2p_timeline_reset (src->times->timeline);
}

/* Lock held. A device hears several senders: those of one offer share a clock,
 * which is the sending element's, and a group. */
static GstP2pTimes *
find_times (GstP2pSrc *src, const P2pInStreamInfo *info)
{
  GstP2pTimes *times;
  GList *walk;

  if (!src->accepts)
    return gst_p2p_times_ref (src->times);
  for (walk = src->pads; walk != NULL; walk = walk->next) {
    GstP2pSrcPad *pad = walk->data;

    if (pad->request == info->request && g_str_equal (pad->peer, info->peer))
      return gst_p2p_times_ref (pad->times);
  }
  times = gst_p2p_times_new ();
  times->group_id = gst_util_group_id_next ();
  return times;
}

/* Lock held. A viewer's pads are called as the device calls them; what several
 * viewers send would clash, so a device counts. */
static gchar *
make_pad_name (GstP2pSrc *src, P2pWireKind kind, const gchar *name)
{
  if (!src->accepts)
    return g_strdup (name);
  return g_strdup_printf ("%s_%u", gst_p2p_kind_name (kind),
                          src->next_number[kind]++);
}

static gchar *
make_stream_id (GstP2pSrc *src, const P2pInStreamInfo *info)
{
  return g_strdup_printf ("%s/%s/%u/%s",
                          p2p_endpoint_get_device_id (src->endpoint),
                          info->peer, info->request, info->name);
}

/* Lock held. A cancelled removal leaves no trace. */
static void
cancel_removal (GstP2pSrcPad *pad)
{
  GstP2pItem *last = g_queue_peek_tail (&pad->queue);

  if (last != NULL && last->type == GST_P2P_ITEM_REMOVE)
    gst_p2p_item_free (g_queue_pop_tail (&pad->queue));
}

static gpointer
on_stream_opened (P2pRequest *request, P2pInStream *stream,
                  const P2pInStreamInfo *info, guint epoch, gpointer user)
{
  GstP2pSrc *src = user;
  GstP2pSrcPad *pad = NULL;
  P2pWireKind kind;
  gboolean is_new = FALSE;
  GstP2pTimes *times;
  gchar *stream_id, *name;
  guint number;

  if (!gst_p2p_pad_name_parse (info->name, &kind, &number)
      || kind != info->kind) {
    GST_WARNING_OBJECT (src, "the sender named a stream \"%s\"", info->name);
    return NULL;
  }
  g_mutex_lock (&src->lock);
  /* Closing the request may wait for us. */
  if (src->end_wanted) {
    g_mutex_unlock (&src->lock);
    return NULL;
  }
  src->any_stream = TRUE;
  if (!src->accepts) {
    begin_epoch (src, epoch);
    pad = find_pad (src, info->name);
  }
  times = find_times (src, info);
  if (pad == NULL && g_list_length (src->pads) < GST_P2P_SRC_MAX_PADS) {
    stream_id = make_stream_id (src, info);
    name = make_pad_name (src, kind, info->name);
    pad = gst_p2p_src_pad_new (src, name, kind, stream_id);
    g_free (name);
    g_free (stream_id);
    src->pads = g_list_append (src->pads, pad);
    src->collection_stale = TRUE;
    is_new = TRUE;
  }
  if (pad != NULL) {
    cancel_removal (pad);
    g_clear_pointer (&pad->in_stream, p2p_in_stream_unref);
    pad->in_stream = p2p_in_stream_ref (stream);
    g_free (pad->peer);
    pad->peer = g_strdup (info->peer);
    pad->request = info->request;
    if (pad->times != NULL)
      gst_p2p_times_unref (pad->times);
    pad->times = gst_p2p_times_ref (times);
    pad->has_caps = pad->refused = pad->wait_sync = pad->held = FALSE;
    gst_p2p_src_pad_push_item (pad,
                               gst_p2p_item_new (GST_P2P_ITEM_START,
                                                 src->accepts ? times->group_id
                                                              : src->group_id));
  }
  gst_p2p_times_unref (times);
  g_mutex_unlock (&src->lock);
  if (is_new)
    gst_pad_set_active (GST_PAD_CAST (pad), TRUE);
  return pad;
}

static void
post_refusal (GstElement *element, gpointer data)
{
  GST_ELEMENT_WARNING (
      element, STREAM, FORMAT,
      ("A stream of the device has a format that is not taken"),
      ("%s", (const gchar *)data));
  gst_p2p_src_check_pads (GST_P2P_SRC (element));
}

static void
on_stream_caps (P2pRequest *request, gpointer stream, const gchar *text,
                gpointer user)
{
  GstP2pSrc *src = user;
  GstP2pSrcPad *pad = stream;
  GstP2pItem *item;
  GstCaps *allowed, *caps;

  if (pad == NULL)
    return;
  allowed = gst_pad_get_pad_template_caps (GST_PAD_CAST (pad));
  caps = gst_p2p_caps_from_wire (text, allowed);
  gst_caps_unref (allowed);

  g_mutex_lock (&src->lock);
  pad->refused = caps == NULL;
  pad->has_caps = caps != NULL;
  if (caps != NULL) {
    item = gst_p2p_item_new (GST_P2P_ITEM_CAPS, 0);
    item->caps = caps;
    gst_p2p_src_pad_push_item (pad, item);
  } else {
    gst_p2p_src_wake_pads (src);
  }
  g_mutex_unlock (&src->lock);
  if (caps == NULL)
    gst_element_call_async (GST_ELEMENT_CAST (src), post_refusal,
                            g_strdup_printf ("%s: %s", GST_OBJECT_NAME (pad),
                                             text),
                            g_free);
}

static gboolean
on_stream_frame (P2pRequest *request, gpointer stream, GBytes *payload,
                 const P2pWireFrame *frame, gint64 arrival_us, gint64 age_us,
                 gboolean gap, gpointer user)
{
  GstP2pSrc *src = user;
  GstP2pSrcPad *pad = stream;
  gboolean taken;

  if (pad == NULL)
    return TRUE;
  gst_object_ref (pad);
  g_mutex_lock (&src->lock);
  taken = gst_p2p_src_pad_take_frame (pad, payload, frame, arrival_us, age_us,
                                      gap);
  g_mutex_unlock (&src->lock);
  if (taken)
    g_cond_broadcast (&pad->cond);
  gst_object_unref (pad);
  return taken;
}

static void
on_stream_end (P2pRequest *request, gpointer stream, gpointer user)
{
  GstP2pSrc *src = user;

  if (stream == NULL)
    return;
  g_mutex_lock (&src->lock);
  gst_p2p_src_pad_push_item (stream, gst_p2p_item_new (GST_P2P_ITEM_END, 0));
  g_mutex_unlock (&src->lock);
}

static void
on_stream_closed (P2pRequest *request, gpointer stream, gboolean lost,
                  gpointer user)
{
  GstP2pSrc *src = user;
  GstP2pSrcPad *pad = stream;

  if (pad == NULL)
    return;
  g_mutex_lock (&src->lock);
  g_clear_pointer (&pad->in_stream, p2p_in_stream_unref);
  /* All of them come again, and are complete again. A device may also begin its
   * first stream only after it has said that there are no more for now. */
  if (lost) {
    src->complete = src->any_stream = FALSE;
    gst_p2p_src_unwatch_nothing (src);
  }
  /* What was lost comes again: its pad waits for it. A viewer that went is
   * another when it comes back. */
  if (!lost || src->accepts)
    gst_p2p_src_pad_push_item (pad, gst_p2p_item_new (GST_P2P_ITEM_REMOVE, 0));
  gst_p2p_src_wake_pads (src);
  g_mutex_unlock (&src->lock);
}

static void
on_streams_complete (P2pRequest *request, gpointer user)
{
  GstP2pSrc *src = user;
  GList *walk;

  g_mutex_lock (&src->lock);
  src->complete = TRUE;
  gst_p2p_src_watch_nothing (src);
  for (walk = src->pads; walk != NULL; walk = walk->next) {
    GstP2pSrcPad *pad = walk->data;

    /* The sender came back without it. */
    if (pad->in_stream == NULL && !pad->dead)
      gst_p2p_src_pad_push_item (pad,
                                 gst_p2p_item_new (GST_P2P_ITEM_REMOVE, 0));
  }
  gst_p2p_src_wake_pads (src);
  g_mutex_unlock (&src->lock);
  gst_element_call_async (GST_ELEMENT_CAST (src), check_pads_async, NULL, NULL);
}

const P2pRequestCallbacks gst_p2p_src_request_callbacks
    = { on_stream_opened, on_stream_caps,   on_stream_frame,
        on_stream_end,    on_stream_closed, on_streams_complete };
