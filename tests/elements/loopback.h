/* A camera and its viewers in one process, over tcp:// on 127.0.0.1: the
 * elements as the plugin has them, with the real session between them.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Nothing here sleeps: every wait is for a buffer, an event, a signal or a
 * message, and without it the test runs into its time limit.
 */
#ifndef LOOPBACK_H
#define LOOPBACK_H

#include <gst/check/gstcheck.h>
#include <gst/app/gstappsrc.h>

#define H264                                                                   \
  "video/x-h264, stream-format=(string)byte-stream, "                          \
  "alignment=(string)au, width=(int)320, height=(int)240, "                    \
  "framerate=(fraction)25/1"
#define AAC                                                                    \
  "audio/mpeg, mpegversion=(int)4, stream-format=(string)raw, "                \
  "rate=(int)48000, channels=(int)1, codec_data=(buffer)1188"
#define OPUS                                                                   \
  "audio/x-opus, rate=(int)48000, channels=(int)1, "                           \
  "channel-mapping-family=(int)0"
#define DATA "application/x-test-data"
#define KEY "a key for tests, and for nothing else"

/* "tcp://127.0.0.1:PORT" with a port that is free just now. */
gchar *free_signaller (void);

/* -- Camera ---------------------------------------------------------------- */

typedef struct
{
  GstElement *pipeline, *sink;
  GstBus *bus;
  gchar *signaller;
  GMutex lock;
  GCond changed;
  guint requests; /* added so far */
  guint viewers_removed;
  gchar *last_viewer, *last_reason;
  guint key_units;         /* that reached an encoder's place */
  gboolean headers_wanted; /* in the last of them */
} Camera;

void camera_open (Camera *camera, const gchar *signaller);
/* An encoder's place: a live appsrc. `pad`: of p2psink. Before start. */
GstAppSrc *camera_add (Camera *camera, const gchar *pad, const gchar *caps);
void camera_start (Camera *camera);
void camera_close (Camera *camera);
void camera_wait_requests (Camera *camera, guint count);
void camera_wait_removed (Camera *camera, guint count);
void camera_wait_key_units (Camera *camera, guint count);

/* A frame: `size` bytes made from `seed`, at `pts`. */
GstBuffer *make_frame (guint seed, gsize size, GstClockTime pts, guint flags);
guint32 frame_checksum (GstBuffer *buffer);

/* -- Viewer ---------------------------------------------------------------- */

typedef struct
{
  gchar *name;        /* of p2psrc's pad */
  GstElement *sink;   /* a fakesink */
  GPtrArray *buffers; /* of GstBuffer */
  guint eos;
  GArray *groups; /* of guint: group ids of stream-start events */
  GstCaps *caps;
  gboolean blocked;
} Stream;

typedef struct
{
  GstElement *pipeline, *src;
  GstBus *bus;
  GMutex lock;
  GCond changed;
  GPtrArray *streams; /* of Stream */
  gboolean no_more_pads;
} Viewer;

/* `uri`: NULL for p2p://camera-1. */
void viewer_open (Viewer *viewer, const gchar *signaller, const gchar *uri,
                  const gchar *key);
void viewer_start (Viewer *viewer);
void viewer_close (Viewer *viewer);
/* Waits until the pad is there. */
Stream *viewer_stream (Viewer *viewer, const gchar *name);
/* Waits until it has `count` buffers; the last, borrowed. */
GstBuffer *viewer_wait (Viewer *viewer, const gchar *name, guint count);
void viewer_wait_eos (Viewer *viewer, const gchar *name);
void viewer_wait_groups (Viewer *viewer, const gchar *name, guint count);
guint viewer_count (Viewer *viewer, const gchar *name);
/* While blocked, the pad's buffers are not taken. */
void viewer_block (Viewer *viewer, const gchar *name, gboolean blocked);

/* Waits for a p2p-step of this kind; the rest of the bus is thrown away. NULL
 * matches anything. Returns its reason. */
gchar *wait_step (GstBus *bus, const gchar *step, const gchar *status);

#endif /* LOOPBACK_H */
