/* p2psink on a bench: live, as a harness has it, or fed by a file of the test's
 * own. The session is the test's (fakeendpoint.h): no network, no time that
 * passes by itself.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef SINK_UTIL_H
#define SINK_UTIL_H

#include "fakeendpoint.h"
#include "gstp2psink.h"
#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/check/gsttestclock.h>

#define H264                                                                   \
  "video/x-h264, stream-format=(string)byte-stream, "                          \
  "alignment=(string)au, width=(int)320, height=(int)240"
#define AAC                                                                    \
  "audio/mpeg, mpegversion=(int)4, stream-format=(string)raw, "                \
  "rate=(int)48000, channels=(int)1, codec_data=(buffer)1188"
#define FLV "video/x-flv, streamheader=(buffer)< 464c5601, 120000 >"

/* A device with a key. */
GstElement *make_sink (void);
/* A live source on `pad`: what a harness is. Its clock stands still. */
GstHarness *make_live (const gchar *pad);
GstBuffer *make_buffer (const gchar *text, GstClockTime pts);
void assert_payload (const FakePush *push, const gchar *text);

/* A file: a source that is not live, pushing from its own thread. */
typedef struct
{
  GstElement *sink;
  GstPad *pad, *sink_pad;
  GstTestClock *clock;
  GstBus *bus;
  GThread *thread;
  GstBuffer *buffer;
  GstFlowReturn flow;
} File;

/* In PAUSED, on a clock that the test sets. `caps` may be NULL. */
void file_open (File *file, const gchar *pad, const gchar *caps);
/* Takes the buffer; what became of it is file_join()'s to say. */
void file_push (File *file, GstBuffer *buffer);
GstFlowReturn file_join (File *file);
void file_close (File *file);

#endif /* SINK_UTIL_H */
