/* What the tests of iv-watermark-queue share: a queue between a source that the
 * test plays and a sink that takes buffers only when the test lets it, or says
 * how much it holds.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Time stands still unless a test turns the clock. Waiting functions wait for
 * an event, never for a time; the test runner's timeout ends what never comes.
 */
#ifndef WATERMARK_UTIL_H
#define WATERMARK_UTIL_H

#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/check/gsttestclock.h>

#define H264 "video/x-h264, stream-format=(string)byte-stream, " \
  "alignment=(string)au"
#define H264_NAL "video/x-h264, stream-format=(string)byte-stream, " \
  "alignment=(string)nal"
#define DATA "application/x-test"

#define FRAME_TIME (10 * GST_MSECOND)
#define KEY 0
#define DELTA GST_BUFFER_FLAG_DELTA_UNIT

typedef struct
{
  GstHarness *h;
  GstElement *queue;
  GstTestClock *clock;
  GstBus *bus;

  GMutex lock;
  GCond changed;
  gboolean closed;              /* the sink takes what `permits` says */
  guint permits;
  guint at_gate;                /* buffers that wait there: 0 or 1 */
  guint through;
  guint waiting;                /* times that upstream began to wait */
  gboolean answers;             /* iv-sink-level */
  gboolean holds;               /* what it takes is added to `level` */
  guint64 level;
  guint asked;
  GstFlowReturn flow;           /* of the sink */
} Bench;

/* The marks are the launch line's. The gate is open. */
void bench_open (Bench * bench, const gchar * launch, const gchar * caps);
void bench_close (Bench * bench);

/* -- The sink -- */
void bench_shut_gate (Bench * bench);
void bench_open_gate (Bench * bench);
/* Lets one buffer through, and waits until the next one is there. */
void bench_pass_one (Bench * bench, gboolean another);
void bench_wait_at_gate (Bench * bench);
void bench_wait_through (Bench * bench, guint count);
/* From now on the sink says that it holds this. */
void bench_answer (Bench * bench, guint64 level);
/* Turns the clock to the queue's next look at the sink. */
void bench_tick (Bench * bench);

/* -- The source -- */
GstBuffer *bench_buffer (guint size, guint number, guint flags);
GstFlowReturn bench_push (Bench * bench, guint size, guint number,
    guint flags);
/* In a thread of its own, until one is refused; gst_flow as pointer. */
GThread *bench_push_many (Bench * bench, guint size, guint number,
    guint count);
GstFlowReturn bench_join (GThread * thread);
/* Until upstream has begun to wait `count` times. */
void bench_wait_waiting (Bench * bench, guint count);
/* Key unit requests that went upstream since the last call. */
guint bench_take_key_requests (Bench * bench);

/* -- What is told -- */
void bench_expect (Bench * bench, const gchar * event, guint64 bytes);
void bench_expect_nothing (Bench * bench);
guint64 bench_get (Bench * bench, const gchar * property);
guint64 bench_stat (Bench * bench, const gchar * name);

/* Queues of a few bytes, and of a few frames' time. */
#define SMALL_QUEUE                                                                  \
  "iv-watermark-queue low-watermark=20 warn-watermark=40 "                     \
  "high-watermark=50 "
#define SHORT_QUEUE                                                                  \
  "iv-watermark-queue low-watermark=0 warn-watermark=0 "                       \
  "high-watermark=0 low-time=20000000 warn-time=40000000 high-time=50000000 "

/* The next buffer that comes out is frame `number`. */
void bench_expect_next (Bench *bench, guint number, gboolean discont);

#endif /* WATERMARK_UTIL_H */
