/* udtsink: one stream to whom it calls, or to all who call it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lock: `lock` guards what is marked [lock] and is taken under nothing but the
 * pad's STREAM_LOCK; nothing is called under it. `settings` and the numbers
 * beside it are under the OBJECT_LOCK. The rest belongs to the streaming
 * thread.
 */
#ifndef GST_UDT_SINK_H
#define GST_UDT_SINK_H

#include <gst/base/gstbasesink.h>
#include "gstp2pfollow.h"
#include "gstp2ptime.h"
#include "gstudtsettings.h"

G_BEGIN_DECLS

#define GST_TYPE_UDT_SINK (gst_udt_sink_get_type ())
G_DECLARE_FINAL_TYPE (GstUdtSink, gst_udt_sink, GST, UDT_SINK, GstBaseSink)
GST_ELEMENT_REGISTER_DECLARE (udtsink);

struct _GstUdtSink
{
  GstBaseSink parent;

  GstUdtSettings settings;
  gint deadline; /* ms */
  guint max_callers;
  guint high_watermark; /* bytes */
  gboolean wait_for_connection;

  GstP2pFollow *follow;                 /* has a lock of its own */
  GstP2pFollowSettings follow_settings; /* OBJECT_LOCK */

  GMutex lock;
  GCond cond;
  gboolean flushing;    /* [lock] */
  guint unlocks;        /* [lock] how often it began */
  guint writable_count; /* [lock] */
  gboolean playing;     /* [lock] */
  gboolean end_wanted;  /* [lock] by the application */
  guint32 end_seqnum;   /* [lock] of its event */

  gboolean live, live_known;
  gboolean lossless;     /* nothing of the stream may be missing */
  gboolean too_big_told; /* of this format */
  gboolean ended;        /* EOS came */
  gboolean rebase;       /* running time began again: the next frame's is now */
  GstP2pSteadyTime steady; /* what the receivers are told */
  GstCaps *caps;
  GList *headers; /* of the caps, that the stream repeats */
};

GST_DEBUG_CATEGORY_EXTERN (gst_udt_sink_debug);

/* gstudtsinkrender.c */
void gst_udt_sink_reset_time (GstUdtSink *sink, gboolean rebase);
GstFlowReturn gst_udt_sink_render (GstBaseSink *base, GstBuffer *buffer);
gboolean gst_udt_sink_set_caps (GstBaseSink *base, GstCaps *caps);
void gst_udt_sink_get_times (GstBaseSink *base, GstBuffer *buffer,
                             GstClockTime *start, GstClockTime *end);
void gst_udt_sink_render_gap (GstUdtSink *sink, GstEvent *event);
/* Waits until all has arrived. */
void gst_udt_sink_drain (GstUdtSink *sink);
void gst_udt_sink_apply_deadline (GstUdtSink *sink);

G_END_DECLS

#endif /* GST_UDT_SINK_H */
