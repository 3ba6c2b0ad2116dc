/* p2psrc on a bench that keeps a log. The session is the test's
 * (fakeendpoint.h).
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each pad that appears is linked to one that writes down what passes, one line
 * an item; tests wait for a line. Frames "arrive" when the test says.
 */
#ifndef SOURCE_UTIL_H
#define SOURCE_UTIL_H

#include "fakeendpoint.h"
#include "gstp2psrc.h"
#include <gst/check/gstcheck.h>

#define H264                                                                   \
  "video/x-h264, stream-format=(string)byte-stream, "                          \
  "alignment=(string)au"
#define AAC "audio/mpeg, mpegversion=(int)4"
#define DELTA P2P_FRAME_DELTA_UNIT

typedef struct
{
  GstElement *src;
  GstBus *bus;
  GMutex lock;
  GCond changed;
  GPtrArray *log;    /* of gchar */
  guint read;        /* lines that expect() has passed */
  GHashTable *peers; /* of GstPad, by name of p2psrc's */
  GList *buffers;    /* newest first */
  gboolean blocked;  /* downstream takes nothing */
  gint adding;       /* handlers of pad-added at work */
  GstFlowReturn flow;
} Rig;

/* In NULL, for p2p://camera-1?action=live&channel=0. */
void rig_open (Rig *rig);
void rig_play (Rig *rig);
/* Streams that are still open are not told; the fake's references go here. */
void rig_close (Rig *rig, P2pInStream *one, P2pInStream *two);
/* While blocked, downstream takes nothing. */
void rig_block (Rig *rig, gboolean blocked);

/* What downstream answers from now on. */
void rig_set_flow (Rig *rig, GstFlowReturn flow);
/* Nothing of `pad` is left that was not expected. */
void rig_expect_nothing (Rig *rig, const gchar *pad);

/* Waits for the next line of `pad` and compares it. Lines of other pads stay
 * for others to expect. */
void expect (Rig *rig, const gchar *pad, const gchar *line);
/* Everything that comes before data. `caps`: name of the format, or NULL. */
void expect_start (Rig *rig, const gchar *pad, const gchar *caps);
/* What was pushed last; the caller's reference. */
GstBuffer *last_buffer (Rig *rig);

/* A frame with the sender's time `pts`, sent at that time, that arrived
 * `ago_us` before now. */
gboolean send_frame (P2pInStream *stream, const gchar *text, gint64 pts,
                     guint flags, gint64 ago_us);
/* Opens video_0 with a format, and waits for its pad. */
P2pInStream *open_video (Rig *rig);

#endif /* SOURCE_UTIL_H */
