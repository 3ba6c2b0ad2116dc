/* udtsrc: the stream of whom it calls, or of who calls it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The link's thread puts items into a queue, the streaming thread takes them
 * out, sets their times and pushes.
 *
 * Lock: `lock` guards what is marked [lock]; nothing of others is called under
 * it. `settings` and `latency` are under the OBJECT_LOCK. The rest belongs to
 * the streaming thread.
 */
#ifndef GST_UDT_SRC_H
#define GST_UDT_SRC_H

#include <gst/base/gstpushsrc.h>
#include "gstudtsettings.h"
#include "p2ptimeline.h"

G_BEGIN_DECLS

#define GST_TYPE_UDT_SRC (gst_udt_src_get_type ())
G_DECLARE_FINAL_TYPE (GstUdtSrc, gst_udt_src, GST, UDT_SRC, GstPushSrc)
GST_ELEMENT_REGISTER_DECLARE (udtsrc);

typedef enum {
  GST_UDT_ITEM_START, /* a stream begins */
  GST_UDT_ITEM_CAPS,
  GST_UDT_ITEM_FRAME,
  GST_UDT_ITEM_END,
} GstUdtItemType;

typedef struct
{
  GstUdtItemType type;
  GstCaps *caps;
  GBytes *payload;
  P2pWireFrame frame;
  gint64 arrival_us, age_us;
  gboolean gap, sampled;
} GstUdtItem;

struct _GstUdtSrc
{
  GstPushSrc parent;

  GstUdtSettings settings;
  guint latency; /* ms */

  GMutex lock;
  GCond cond;
  gboolean flushing;  /* [lock] */
  GQueue queue;       /* [lock] of GstUdtItem */
  gsize bytes;        /* [lock] */
  gint64 latency_us;  /* set before the link starts */
  P2pWireKind kind;   /* [lock] of the stream that comes in */
  gboolean wait_sync; /* [lock] frames were dropped here */
  gboolean held;      /* [lock] the link keeps a frame for us */
  gboolean resumed;   /* [lock] PLAYING began: another running time */

  P2pTimeline *timeline;
  guint streams; /* that have begun */
  gboolean discont;
  GstClockTime ts_offset;
  gint64 start_us;
  GList *headers; /* buffers of the caps, still to be pushed */
};

GST_DEBUG_CATEGORY_EXTERN (gst_udt_src_debug);

/* gstudtsrcqueue.c */
extern const UdtLinkCallbacks gst_udt_src_callbacks;
void gst_udt_item_free (gpointer item);
/* NULL: flushing. Samples what is in the queue for the mapping of times. */
GstUdtItem *gst_udt_src_next_item (GstUdtSrc *src);
void gst_udt_src_clear (GstUdtSrc *src);
/* Our running time stood still, the sender's did not. */
void gst_udt_src_resume (GstUdtSrc *src);
/* Running time here of a time of the sender; P2P_WIRE_TIME_NONE: has none. */
gint64 gst_udt_src_map (GstUdtSrc *src, gint64 time, gint64 latency);

G_END_DECLS

#endif /* GST_UDT_SRC_H */
