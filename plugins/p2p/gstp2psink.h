/* p2psink: streams to everyone who watches this device.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Internal to the plugin. Threads and locks: docs/threads.md, "The elements".
 */
#ifndef GST_P2P_SINK_H
#define GST_P2P_SINK_H

#include <gst/gst.h>
#include "gstp2pfollow.h"
#include "gstp2psettings.h"
#include "gstp2ptime.h"

G_BEGIN_DECLS

#define GST_TYPE_P2P_SINK (gst_p2p_sink_get_type ())
G_DECLARE_FINAL_TYPE (GstP2pSink, gst_p2p_sink, GST, P2P_SINK, GstElement)
#define GST_TYPE_P2P_SINK_PAD (gst_p2p_sink_pad_get_type ())
G_DECLARE_FINAL_TYPE (GstP2pSinkPad, gst_p2p_sink_pad, GST, P2P_SINK_PAD,
                      GstPad)

GST_ELEMENT_REGISTER_DECLARE (p2psink)

GST_DEBUG_CATEGORY_EXTERN (gst_p2p_sink_debug);

enum {
  GST_P2P_SINK_SIGNAL_AUTHORIZE,
  GST_P2P_SINK_SIGNAL_VIEWER_ADDED,
  GST_P2P_SINK_SIGNAL_VIEWER_REMOVED,
  GST_P2P_SINK_SIGNAL_REQUEST_ADDED,
  GST_P2P_SINK_SIGNAL_REQUEST_REMOVED,
  GST_P2P_SINK_SIGNAL_KICK_VIEWER,
  GST_P2P_SINK_SIGNAL_COMMAND,
  GST_P2P_SINK_N_SIGNALS
};

extern guint gst_p2p_sink_signals[GST_P2P_SINK_N_SIGNALS];

struct _GstP2pSink
{
  GstElement parent;

  GstP2pSettings settings;     /* OBJECT_LOCK */
  GstP2pFollowSettings follow; /* the same */

  /* Protects everything below and the members of the pads that say so. Held
   * for a few instructions; the session's functions that neither block nor
   * call back may be called under it, nothing else. */
  GMutex lock;
  P2pEndpoint *endpoint; /* from READY on */
  P2pRole role;          /* the same */
  gchar *params;         /* of the URI, as a viewer */
  P2pOffer *offer; /* as a viewer, PAUSED and above: what its pads are of */
  guint listener;
  gboolean published; /* PAUSED and above: pads have streams */
  gboolean playing;
  GstP2pSteadyTime steady; /* what viewers are told; its clock while playing */
  GstClockTime latency;    /* of the LATENCY event */

  /* After a flushing seek upstream, running time begins at zero again while the
   * clock goes on, as no state change comes in between. What is added to it: */
  GstClockTimeDiff running_offset;
  gboolean rebase;      /* the next timed buffer sets running_offset */
  guint32 flush_seqnum; /* of the flush that all pads see */

  gboolean eos_posted;
  guint32 eos_seqnum;
  gboolean end_wanted;    /* by the application, while there is no pad */
  gboolean server_lost;   /* a warning has been posted */
  gboolean was_connected; /* as a viewer: the device let it in */
  gboolean refused;       /* as a viewer: it did not, and has been left alone */

  guint next_number[P2P_WIRE_DATA + 1]; /* of a pad, by kind */
};

struct _GstP2pSinkPad
{
  GstPad parent;

  /* Constant. */
  P2pWireKind kind;
  gboolean named;       /* asked for by its own name */
  GstP2pFollow *follow; /* of video, or NULL; has a lock of its own */

  /* Protected by the sink's lock. */
  P2pStream *stream; /* while published; used without the lock by the
                        streaming thread, which has stopped before
                        it is unpublished */
  gint deadline;     /* ms */
  gchar *match;
  gint priority;
  gboolean flushing;
  gboolean eos;
  GstClockID clock_id;  /* being waited for */
  guint writable_count; /* of writable() callbacks */
  GCond cond;           /* any of the above, or the sink's state */

  gint key_unit_pending; /* atomic */
  guint key_units;       /* asked for upstream; async worker only */

  /* Streaming thread. */
  GstSegment segment;
  gboolean have_caps;
  gboolean refusal_told; /* of a format; sources go on offering it */
  gboolean too_big_told; /* that a frame was */
  gboolean live;         /* upstream is */
  gboolean live_known;
  GList *headers; /* of the caps, still expected as buffers */
};

/* gstp2psinkpad.c */
GstPad *gst_p2p_sink_pad_new (GstPadTemplate *templ, const gchar *name,
                              P2pWireKind kind, gboolean named,
                              GstP2pFollowSettings *follow);
/* Sink's lock held. */
void gst_p2p_sink_pad_publish (GstP2pSinkPad *pad, P2pEndpoint *endpoint,
                               P2pOffer *offer);
/* Sink's lock held; what comes back is for p2p_stream_unpublish() without it.
 */
P2pStream *gst_p2p_sink_pad_steal_stream (GstP2pSinkPad *pad);
/* Sink's lock held: whoever waits in the pad looks at the state again. */
void gst_p2p_sink_pad_wake (GstP2pSinkPad *pad);

/* gstp2psinkrender.c: what the streaming threads do with data. */
GstFlowReturn gst_p2p_sink_pad_chain (GstPad *pad, GstObject *parent,
                                      GstBuffer *buffer);
GstFlowReturn gst_p2p_sink_pad_chain_list (GstPad *pad, GstObject *parent,
                                           GstBufferList *list);
void gst_p2p_sink_pad_render_gap (GstP2pSinkPad *pad, GstP2pSink *sink,
                                  GstClockTime timestamp,
                                  GstClockTime duration);
void gst_p2p_sink_pad_drain (GstP2pSinkPad *pad, GstP2pSink *sink);

/* Settings have changed; no lock held. */
void gst_p2p_sink_pad_look (GstP2pSinkPad *pad, GstP2pSink *sink);

/* gstp2psink.c; no lock held. */
/* References to the pads there are now. */
GList *gst_p2p_sink_get_pads (GstP2pSink *sink);
void gst_p2p_sink_free_pads (GList *pads);

/* gstp2psinksession.c; its user is a reference to the sink. */
extern const P2pListener gst_p2p_sink_listener;
void gst_p2p_sink_hang_up (GstP2pSink *sink);

/* gstp2psinkevents.c: queries and events of the element; no lock held. */
/* `seqnum`: of the EOS event that came now; 0: something else changed. */
void gst_p2p_sink_check_eos (GstP2pSink *sink, guint32 seqnum);
gboolean gst_p2p_sink_query (GstElement *element, GstQuery *query);
gboolean gst_p2p_sink_send_event (GstElement *element, GstEvent *event);
gboolean gst_p2p_sink_answer_level (GstP2pSink *sink, GstP2pSinkPad *only,
                                    GstQuery *query);

G_END_DECLS

#endif /* GST_P2P_SINK_H */
