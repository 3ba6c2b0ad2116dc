/* iv-watermark-queue, inside: what its files share.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: upstream's streaming thread on the sink pad, the queue's own task on
 * the source pad, and whoever sets properties, asks or sends events. One lock,
 * taken after the pads' stream locks and before any object lock; it is never
 * held across a push, an event, a query, a message, a signal or the end of a
 * buffer. [lock] marks functions that are called with it held.
 */
#ifndef GST_IV_WATERMARK_QUEUE_H
#define GST_IV_WATERMARK_QUEUE_H

#include <gst/gst.h>
#include <gst/base/base.h>
#include "ivwatermark.h"

G_BEGIN_DECLS

#define GST_TYPE_IV_WATERMARK_QUEUE (gst_iv_watermark_queue_get_type ())
G_DECLARE_FINAL_TYPE (GstIvWatermarkQueue, gst_iv_watermark_queue, GST,
    IV_WATERMARK_QUEUE, GstElement)
GST_ELEMENT_REGISTER_DECLARE (iv_watermark_queue)

typedef enum
{
  GST_IV_WATERMARK_QUEUE_PAUSE,
  GST_IV_WATERMARK_QUEUE_DROP,
} GstIvWatermarkQueueWhenFull;

/* The query that holders of data answer: how much is not out yet. */
#define IV_SINK_LEVEL "iv-sink-level"
#define IV_SINK_LEVEL_BYTES "level-bytes"

typedef struct
{
  GstMiniObject *object;        /* owned; but a query is its asker's */
  guint64 bytes;
  GstClockTimeDiff start;       /* running time without what was dropped */
} IvQueueItem;

/* What the sink gets, kept while it may still hold it. */
typedef struct
{
  guint64 bytes;
  GstClockTimeDiff start;
} IvQueueSent;

/* Something to tell the application, once the lock is free. */
typedef struct
{
  const gchar *event;
  guint64 bytes, time;
} IvQueueNotice;

struct _GstIvWatermarkQueue
{
  GstElement parent;

  GstPad *sinkpad, *srcpad;     /* [const] */
  /* The system's: a pipeline's may stand still while it is paused. [const] */
  GstClock *clock;

  GMutex lock;
  GCond arrived;                /* the task: an item, or an end */
  GCond changed;                /* upstream: room, or an end */
  GCond answered;               /* upstream: its query, or an end */

  /* Settings. [lock] */
  guint low_bytes, warn_bytes, high_bytes;
  guint64 low_time, warn_time, high_time;
  GstIvWatermarkQueueWhenFull when_full;

  /* The queue. [lock] */
  GstQueueArray *items;         /* of IvQueueItem */
  guint64 bytes;                /* in `items` */
  IvQueueSent in_flight;        /* being pushed; bytes 0: nothing is */
  GstFlowReturn flow;           /* not OK: the task stands, or soon will */
  gboolean eos;                 /* upstream's EOS is in the queue, or through */
  gboolean skipping;            /* downstream said EOS: up to a new segment */
  guint restarts;               /* in `items`: what ends `skipping` */
  GstSegment segment;           /* of what comes in */
  GstClockTimeDiff end;         /* of what came in, running time */
  GstClockTimeDiff dropped_time;        /* left out of all running times */
  GstQuery *query_running, *query_done;
  gboolean query_result;

  /* Dropping. [lock] */
  gboolean dropping;            /* until a keyframe, once there is room */
  gboolean discont_owed;
  gboolean video;               /* buffers of one timestamp are one frame */
  gboolean parts;               /* those without one belong to the last too */
  gboolean delta_seen;          /* this stream has key units to ask for */
  GstClockTime frame_pts;       /* of the last buffer, taken or dropped */
  guint frame_buffers;
  GstClockTime key_asked;       /* when a key unit was asked for last */
  gboolean key_owed;

  /* The level. [lock] */
  IvWatermark watermark;
  gboolean asking;              /* a thread is about to know better */
  gboolean sink_answers;
  GstClockTime asked;           /* when; NONE: not yet */
  guint64 sink_bytes;           /* what it answered */
  guint64 pushed;               /* bytes, ever */
  guint64 pushed_before;        /* the same, before it was asked */
  GstQueueArray *sent;          /* of IvQueueSent, oldest first */
  guint64 sent_bytes;           /* in `sent` */
  GstClockID tick;              /* the task's wait, for others to end */
  GQueue notices;               /* of IvQueueNotice */
  gboolean telling;             /* a thread is at it: keeps them in order */

  /* Counters. [lock] */
  guint64 buffers_in, bytes_in, buffers_dropped, bytes_dropped;
  guint64 lows, warns, highs, key_requests;
  GstClockTime paused_since, paused_total;
};

/* gstivwatermarkqueuein.c: the sink pad */
GstFlowReturn iv_queue_chain (GstPad * pad, GstObject * parent,
    GstBuffer * buffer);
GstFlowReturn iv_queue_chain_list (GstPad * pad, GstObject * parent,
    GstBufferList * list);
GstFlowReturn iv_queue_sink_event (GstPad * pad, GstObject * parent,
    GstEvent * event);
gboolean iv_queue_sink_query (GstPad * pad, GstObject * parent,
    GstQuery * query);
gboolean iv_queue_sink_activate (GstPad * pad, GstObject * parent,
    GstPadMode mode, gboolean active);

/* gstivwatermarkqueueout.c: the source pad and its task */
gboolean iv_queue_src_event (GstPad * pad, GstObject * parent,
    GstEvent * event);
gboolean iv_queue_src_query (GstPad * pad, GstObject * parent,
    GstQuery * query);
gboolean iv_queue_src_activate (GstPad * pad, GstObject * parent,
    GstPadMode mode, gboolean active);
/* [lock] The task runs if the source pad is active. */
void iv_queue_start (GstIvWatermarkQueue * queue);
/* [lock] Everybody who waits looks again. */
void iv_queue_wake (GstIvWatermarkQueue * queue);

/* gstivwatermarkqueuelevel.c: how full, and who is told */
/* Not with the lock. Asks the sink if that is due, or if the level is wanted as
 * it is right now, and tells what follows. */
void iv_queue_check_level (GstIvWatermarkQueue * queue, gboolean exact);
/* [lock] As the sink answered last. */
guint64 iv_queue_get_bytes (GstIvWatermarkQueue * queue);
guint64 iv_queue_get_sink_bytes (GstIvWatermarkQueue * queue);
guint64 iv_queue_get_time (GstIvWatermarkQueue * queue);
gboolean iv_queue_is_watching (GstIvWatermarkQueue * queue);
void iv_queue_will_push (GstIvWatermarkQueue * queue, const IvQueueItem * item);
void iv_queue_has_pushed (GstIvWatermarkQueue * queue);
/* [lock] A key unit would be of use: asked for at the next check. */
void iv_queue_want_key_unit (GstIvWatermarkQueue * queue);
/* [lock] As before the first buffer, but for the marks. */
void iv_queue_forget_level (GstIvWatermarkQueue * queue);
/* How often the level is looked at while it has to be watched. */
#define IV_QUEUE_TICK (10 * GST_MSECOND)

GST_DEBUG_CATEGORY_EXTERN (gst_iv_watermark_queue_debug);

G_END_DECLS

#endif /* GST_IV_WATERMARK_QUEUE_H */
