/* p2psrc: what a device sends to its viewer.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Internal to the plugin. Threads and locks: docs/threads.md, "The elements".
 *
 *   gstp2psrc.c         the element: states, settings, queries, URI
 *   gstp2psrcsession.c  what the session calls, in its threads
 *   gstp2psrcpad.c      a pad and its queue
 *   gstp2psrcpush.c     a pad's task, which pushes downstream
 *   gstp2psrcend.c      how streams end
 */
#ifndef GST_P2P_SRC_H
#define GST_P2P_SRC_H

#include <gst/gst.h>
#include <gst/base/gstflowcombiner.h>
#include "gstp2psettings.h"
#include "p2ptimeline.h"

G_BEGIN_DECLS

#define GST_TYPE_P2P_SRC (gst_p2p_src_get_type ())
G_DECLARE_FINAL_TYPE (GstP2pSrc, gst_p2p_src, GST, P2P_SRC, GstElement)
#define GST_TYPE_P2P_SRC_PAD (gst_p2p_src_pad_get_type ())
G_DECLARE_FINAL_TYPE (GstP2pSrcPad, gst_p2p_src_pad, GST, P2P_SRC_PAD, GstPad)

GST_ELEMENT_REGISTER_DECLARE (p2psrc)

GST_DEBUG_CATEGORY_EXTERN (gst_p2p_src_debug);

/* Most streams of a request. */
#define GST_P2P_SRC_MAX_PADS 32
/* What a live stream's queue takes beyond the latency before it begins to
 * forget: downstream is blocked, in PAUSED or too slow. */
#define GST_P2P_SRC_QUEUE_TIME_US (2 * G_TIME_SPAN_SECOND)

/* The mapping of one sender's times, shared by all pads of a request. Its
 * memory is counted; it is used under the source's lock. */
typedef struct
{
  P2pTimeline *timeline;
  guint group_id; /* as a device: of the streams of one viewer's offer */
} GstP2pTimes;

GstP2pTimes *gst_p2p_times_new (void);
GstP2pTimes *gst_p2p_times_ref (GstP2pTimes *times);
void gst_p2p_times_unref (GstP2pTimes *times);

struct _GstP2pSrc
{
  GstElement parent;

  GstP2pSettings settings; /* OBJECT_LOCK */

  /* Protects everything below and in the pads, queues included. Held for a few
   * instructions; the session's functions that neither block nor call back may
   * be called under it, nothing else. */
  GMutex lock;
  P2pEndpoint *endpoint; /* from READY on */
  gboolean accepts;      /* the same: it is a device, and takes what viewers
                            offer */
  gchar *params;         /* of the URI */
  guint listener;
  P2pRequest *request; /* PAUSED and above */
  gint64 latency_us;   /* of the property, from PAUSED on */

  GList *pads;               /* of GstP2pSrcPad, owned; also those that are
                                not exposed yet */
  gboolean any_stream;       /* one was there, for this request */
  gboolean end_wanted;       /* by the application, which may say so before
                                it starts the element */
  guint32 end_seqnum;        /* of its event */
  GstClockID nothing_id;     /* gstp2psrcnothing.c */
  GstFlowCombiner *combiner; /* of the exposed ones */
  guint exposing;            /* pads being added just now */
  GCond cond;                /* exposing */
  gboolean playing;
  GstClock *clock; /* while playing, or NULL */
  GstClockTime base_time;
  gint64 start_us; /* of PLAYING, for when there is no clock */

  GstP2pTimes *times;                   /* of the device: one for all pads */
  guint next_number[P2P_WIRE_DATA + 1]; /* of a pad, as a device */
  gboolean have_epoch;
  guint epoch;           /* of the session's streams */
  guint group_id;        /* of the epoch */
  gboolean complete;     /* all streams of the epoch are known */
  gboolean no_more_pads; /* was emitted */
  gboolean collection_stale;
  GstStreamCollection *collection;

  gboolean was_connected; /* since READY */
  gboolean trouble_told;  /* a warning has been posted */
};

typedef struct
{
  enum {
    GST_P2P_ITEM_START, /* the stream opens, again perhaps */
    GST_P2P_ITEM_CAPS,
    GST_P2P_ITEM_FRAME,
    GST_P2P_ITEM_END,    /* EOS: the sender's, or the application's */
    GST_P2P_ITEM_REMOVE, /* the sender's pad is gone */
  } type;
  guint number;  /* START: group id; END: seqnum of the application's */
  GstCaps *caps; /* CAPS */
  /* FRAME. */
  GBytes *payload;
  P2pWireFrame frame;
  gint64 arrival_us;
  gint64 age_us;
  gboolean gap;    /* frames before it are missing */
  gboolean mapped; /* these two are valid */
  gint64 pts, dts; /* running time here, or P2P_WIRE_TIME_NONE */
} GstP2pItem;

struct _GstP2pSrcPad
{
  GstPad parent;

  /* Constant. */
  GstP2pSrc *src; /* which outlives the pad's task */
  P2pWireKind kind;
  gchar *stream_id;

  /* Protected by the source's lock. */
  gchar *peer;
  guint request;
  GstP2pTimes *times;
  P2pInStream *in_stream; /* while open; owned */
  GstStream *stream;
  GQueue queue; /* of GstP2pItem */
  gsize bytes;  /* of the frames in it */
  GCond cond;
  gboolean flushing;
  gboolean held;      /* the session holds frames for us */
  gboolean wait_sync; /* frames were forgotten here: only one that is
                         no delta unit goes on */
  gboolean has_caps;  /* a format that is taken is known */
  gboolean refused;   /* its format is not taken */
  gboolean stopped;   /* no more frames are wanted */
  gboolean exposed;
  gboolean dead; /* the worker is about to remove it */

  /* The pad's task. */
  gboolean start_pending; /* stream-start and what follows it */
  guint start_group;
  gboolean discont;
  gboolean ended; /* EOS was pushed */
  gboolean done;  /* and for good */
  GstCaps *caps;
  GList *headers;         /* to be pushed before the next frame */
  GstClockTime ts_offset; /* of timestamps above running time */
};

/* gstp2psrcpad.c; lock held unless said otherwise. */
/* Not held. */
GstP2pSrcPad *gst_p2p_src_pad_new (GstP2pSrc *src, const gchar *name,
                                   P2pWireKind kind, const gchar *stream_id);
void gst_p2p_src_pad_push_item (GstP2pSrcPad *pad, GstP2pItem *item);
GstP2pItem *gst_p2p_src_pad_pop_item (GstP2pSrcPad *pad);
/* FALSE: no room in a stream that loses nothing; not taken. Else the caller
 * wakes the task, once the lock is free: it would run into it, sleep again, and
 * have to be woken twice. */
gboolean gst_p2p_src_pad_take_frame (GstP2pSrcPad *pad, GBytes *payload,
                                     const P2pWireFrame *frame,
                                     gint64 arrival_us, gint64 age_us,
                                     gboolean gap);
/* Forgets frames that came more than `age_us` ago where newer ones can go on
 * without them. */
void gst_p2p_src_pad_trim (GstP2pSrcPad *pad, gint64 age_us);
void gst_p2p_src_pad_drop_frames (GstP2pSrcPad *pad);
/* Nothing that has come or comes is wanted. */
void gst_p2p_src_pad_stop (GstP2pSrcPad *pad);
void gst_p2p_src_pad_clear (GstP2pSrcPad *pad);
void gst_p2p_src_pad_request_key_unit (GstP2pSrcPad *pad, gboolean all_headers,
                                       guint count);
/* Something of the list of pads has changed that their tasks may wait for. */
void gst_p2p_src_wake_pads (GstP2pSrc *src);
/* Not held. */
GstP2pItem *gst_p2p_item_new (gint type, guint number);
void gst_p2p_item_free (GstP2pItem *item);

/* gstp2psrcpush.c */
void gst_p2p_src_pad_loop (gpointer pad);
/* In the task: pushes everything that comes before data, if that was not done.
 */
void gst_p2p_src_pad_begin (GstP2pSrcPad *pad);
/* Lock held: everything in the queues gets its place in running time. */
void gst_p2p_src_map_queued (GstP2pSrc *src);
/* Lock held: gives what waits of an earlier session up, or its times. */
void gst_p2p_src_unmap_queued (GstP2pSrc *src);
/* Lock held: samples the timeline and places one frame. */
void gst_p2p_src_map_item (GstP2pSrcPad *pad, GstP2pItem *item);

/* gstp2psrcend.c; lock not held. The first three in the pad's task. */
/* `seqnum` 0: the sender's end, which may begin again. */
void gst_p2p_src_pad_push_end (GstP2pSrcPad *pad, guint32 seqnum);
void gst_p2p_src_pad_push_removal (GstP2pSrcPad *pad);
/* What a push returned. */
void gst_p2p_src_pad_take_flow (GstP2pSrcPad *pad, GstFlowReturn flow);
/* The application's end, if the element runs. */
void gst_p2p_src_end (GstP2pSrc *src);

/* gstp2psrc.c; lock not held. */
/* Publishes the stream collection, and says when no more pads come. */
void gst_p2p_src_check_pads (GstP2pSrc *src);
gboolean gst_p2p_src_answer (GstP2pSrc *src, GstQuery *query);

/* gstp2psrcnothing.c; lock held. The device has said that it has no more
 * streams for now: warns if there has been none a while later. */
void gst_p2p_src_watch_nothing (GstP2pSrc *src);
void gst_p2p_src_unwatch_nothing (GstP2pSrc *src);

/* gstp2psrcsession.c: what the session calls. */
extern const P2pListener gst_p2p_src_listener;
/* The signal `command`, as installed. */
extern guint gst_p2p_src_command_signal;
extern const P2pRequestCallbacks gst_p2p_src_request_callbacks;

G_END_DECLS

#endif /* GST_P2P_SRC_H */
