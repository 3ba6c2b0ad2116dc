/* How the streams of p2psrc end: by their sender, by downstream, by the
 * application.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each pad ends for itself, with an EOS event behind what it has pushed. What
 * its sender has ended may begin again; a pad of which downstream wants no
 * more, or which the application has ended, takes nothing until the element has
 * been to READY.
 *
 * Threads: gst_p2p_src_end() runs in the application's, remove_pad() in
 * GStreamer's worker, everything else in the pad's task.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstp2psrc.h"

#define GST_CAT_DEFAULT gst_p2p_src_debug

/* -- Events ---------------------------------------------------------------- */

static void
push_eos (GstP2pSrcPad *pad, guint32 seqnum)
{
  GstEvent *event = gst_event_new_eos ();

  if (seqnum != 0)
    gst_event_set_seqnum (event, seqnum);
  GST_INFO_OBJECT (pad, "end of stream");
  pad->ended = TRUE;
  gst_pad_push_event (GST_PAD_CAST (pad), event);
}

void
gst_p2p_src_pad_push_end (GstP2pSrcPad *pad, guint32 seqnum)
{
  if (!pad->ended) {
    gst_p2p_src_pad_begin (pad);
    push_eos (pad, seqnum);
    /* The sender may begin again. */
    pad->start_pending = TRUE;
  }
  /* The application's end is for good. */
  pad->done = pad->done || seqnum != 0;
}

/* -- What downstream returns ----------------------------------------------- */

static void
post_not_linked (GstP2pSrc *src)
{
  GString *names = g_string_new (NULL);
  GList *walk;

  g_mutex_lock (&src->lock);
  for (walk = src->pads; walk != NULL; walk = walk->next)
    g_string_append_printf (names, " %s", GST_OBJECT_NAME (walk->data));
  g_mutex_unlock (&src->lock);
  GST_ELEMENT_ERROR (src, STREAM, FAILED,
                     ("None of the device's streams is taken"),
                     ("No pad is linked to anything that takes its data; there "
                      "are:%s",
                      names->str));
  g_string_free (names, TRUE);
}

/* Lock held. Only errors of this pad, or of all of them together, are the
 * element's: as long as pads still come, nobody can say that none is linked,
 * and what a viewer sends is no reason for a device to stop. */
static gboolean
is_fatal (GstP2pSrc *src, GstP2pSrcPad *pad, GstFlowReturn combined)
{
  if (combined > GST_FLOW_NOT_NEGOTIATED
      && (combined != GST_FLOW_NOT_LINKED || !src->no_more_pads))
    return FALSE;
  if (!src->accepts)
    return TRUE;
  GST_WARNING_OBJECT (pad, "%s: no more of this stream is taken",
                      gst_flow_get_name (combined));
  gst_flow_combiner_reset (src->combiner);
  return FALSE;
}

/* As in GstBaseSrc: a pad whose data is not wanted ends, those beside it go
 * on. */
void
gst_p2p_src_pad_take_flow (GstP2pSrcPad *pad, GstFlowReturn flow)
{
  GstP2pSrc *src = pad->src;
  GstFlowReturn combined;
  gboolean fatal;

  if (flow == GST_FLOW_OK)
    return;
  g_mutex_lock (&src->lock);
  combined = gst_flow_combiner_update_pad_flow (src->combiner,
                                                GST_PAD_CAST (pad), flow);
  fatal = flow != GST_FLOW_FLUSHING && is_fatal (src, pad, combined);
  if (flow == GST_FLOW_FLUSHING && !pad->flushing) {
    /* Downstream flushes: what it needs next is a beginning. */
    if (!pad->wait_sync)
      gst_p2p_src_pad_request_key_unit (pad, FALSE, 0);
    pad->wait_sync = TRUE;
  }
  pad->done
      = fatal || (flow != GST_FLOW_NOT_LINKED && flow != GST_FLOW_FLUSHING);
  if (pad->done)
    gst_p2p_src_pad_stop (pad);
  g_mutex_unlock (&src->lock);

  if (fatal && combined == GST_FLOW_NOT_LINKED)
    post_not_linked (src);
  else if (fatal)
    GST_ELEMENT_FLOW_ERROR (src, combined);
  if (pad->done) {
    GST_INFO_OBJECT (pad, "downstream: %s, all together: %s",
                     gst_flow_get_name (flow), gst_flow_get_name (combined));
    push_eos (pad, 0);
  }
}

/* -- Pads that go ---------------------------------------------------------- */

static void
pad_unref (gpointer pad)
{
  gst_object_unref (pad);
}

/* In the worker: a task cannot stop itself. */
static void
remove_pad (GstElement *element, gpointer data)
{
  GstP2pSrc *src = GST_P2P_SRC (element);
  GstP2pSrcPad *pad = data;
  gboolean ours;
  GList *walk;

  g_mutex_lock (&src->lock);
  /* It may have come again, or the element may be stopping. */
  ours = g_list_find (src->pads, pad) != NULL && pad->in_stream == NULL
         && g_queue_is_empty (&pad->queue) && !pad->dead;
  if (ours) {
    pad->dead = TRUE;
    if (pad->exposed)
      gst_flow_combiner_remove_pad (src->combiner, GST_PAD_CAST (pad));
  }
  g_mutex_unlock (&src->lock);
  if (!ours)
    return;

  gst_pad_set_active (GST_PAD_CAST (pad), FALSE);
  if (pad->exposed)
    gst_element_remove_pad (element, GST_PAD_CAST (pad));
  g_mutex_lock (&src->lock);
  walk = g_list_find (src->pads, pad);
  if (walk != NULL)
    src->pads = g_list_delete_link (src->pads, walk);
  else
    ours = FALSE;
  gst_p2p_src_wake_pads (src);
  g_mutex_unlock (&src->lock);
  if (ours)
    gst_object_unref (pad);
}

void
gst_p2p_src_pad_push_removal (GstP2pSrcPad *pad)
{
  if (pad->exposed && !pad->ended)
    gst_p2p_src_pad_push_end (pad, 0);
  gst_element_call_async (GST_ELEMENT_CAST (pad->src), remove_pad,
                          gst_object_ref (pad), pad_unref);
}

/* -- The application ends everything --------------------------------------- */

/* Lock held. TRUE: there is somebody to tell. */
static gboolean
end_pads (GstP2pSrc *src)
{
  gboolean any = FALSE;
  GList *walk;

  for (walk = src->pads; walk != NULL; walk = walk->next) {
    GstP2pSrcPad *pad = walk->data;

    if (pad->dead)
      continue;
    gst_p2p_src_pad_stop (pad);
    if (pad->exposed || pad->has_caps) {
      gst_p2p_src_pad_push_item (pad, gst_p2p_item_new (GST_P2P_ITEM_END,
                                                        src->end_seqnum));
      any = TRUE;
    } else {
      /* Its format would come too late. */
      pad->refused = TRUE;
    }
  }
  return any;
}

void
gst_p2p_src_end (GstP2pSrc *src)
{
  P2pRequest *request;
  gboolean any = FALSE, accepts;

  g_mutex_lock (&src->lock);
  request = g_steal_pointer (&src->request);
  accepts = src->accepts;
  if (request != NULL) {
    gst_p2p_src_unwatch_nothing (src);
    any = end_pads (src);
    /* A device's streams are never complete. */
    src->complete = src->complete || !accepts;
    gst_p2p_src_wake_pads (src);
  }
  g_mutex_unlock (&src->lock);
  if (request == NULL)
    return;
  p2p_request_close (request);
  gst_p2p_src_check_pads (src);
  /* Sinks that wait to be linked will never see an end: whoever waits for
   * theirs must hear of it otherwise. A device without talk is nothing odd. */
  if (!any && !accepts)
    GST_ELEMENT_ERROR (src, STREAM, FAILED,
                       ("The end was asked for before a stream had come"),
                       ("There is no pad that could end"));
}
