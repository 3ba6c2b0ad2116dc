/* What a frame of live video costs the network threads: how often they wake up
 * for it, and how many system calls it takes.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Counted, not timed: a busy host does more with one wake-up, never less. The
 * source is a live one, at its own pace, since what is between two frames
 * counts as well: timers, and answers that could have waited.
 */
#include "loopback.h"

#define CAPS                                                                   \
  "video/x-h264,stream-format=(string)byte-stream,alignment=(string)au"
/* 80 KB each, 100 a second. */
#define SOURCE                                                                 \
  "fakesrc is-live=true sync=true format=time do-timestamp=true "              \
  "sizetype=fixed sizemax=80000 filltype=nothing datarate=8000000 ! " CAPS
#define WARM_UP 25
#define FRAMES 60
/* The frame and its acknowledgements; its first packets and the others; and a
 * little for all that is not of every frame. */
#define MOST_WAKE_UPS 3.5
/* 64 KB leave in a call; an answer goes with what is there to be answered. */
#define MOST_SEND_CALLS 2.5

typedef struct
{
  guint64 wake_ups, frames, send_calls;
} Count;

typedef struct
{
  GstElement *sender, *receiver; /* pipelines */
  GstElement *sink, *src;        /* "net" of each */
  GMutex lock;
  GCond cond;
  guint arrived;              /* [lock] */
  Count sent[2], received[2]; /* after WARM_UP, at the end */
} Run;

static guint64
field (const GstStructure *structure, const gchar *name)
{
  guint64 value = 0;

  fail_unless (gst_structure_get_uint64 (structure, name, &value));
  return value;
}

static void
count (GstElement *element, const gchar *frames, Count *result)
{
  GstStructure *stats;
  const GValue *peers;

  g_object_get (element, "stats", &stats, NULL);
  peers = gst_structure_get_value (stats, "peers");
  fail_unless_equals_int (gst_value_array_get_size (peers), 1);
  result->frames
      = field (gst_value_get_structure (gst_value_array_get_value (peers, 0)),
               frames);
  result->wake_ups = field (stats, "wake-ups");
  if (gst_structure_has_field (stats, "send-calls"))
    result->send_calls = field (stats, "send-calls");
  gst_structure_free (stats);
}

static void
count_both (Run *run, guint i)
{
  count (run->sink, "sent-frames", &run->sent[i]);
  count (run->src, "received-frames", &run->received[i]);
}

static GstPadProbeReturn
on_frame (GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
  Run *run = user;
  guint n;

  g_mutex_lock (&run->lock);
  n = ++run->arrived;
  g_mutex_unlock (&run->lock);
  if (n == WARM_UP || n == WARM_UP + FRAMES)
    count_both (run, n > WARM_UP);
  if (n == WARM_UP + FRAMES)
    g_cond_signal (&run->cond);
  return GST_PAD_PROBE_OK;
}

static GstElement *
launch (const gchar *line, GstElement **net)
{
  GError *error = NULL;
  GstElement *pipeline = gst_parse_launch (line, &error);

  fail_unless (pipeline != NULL && error == NULL);
  *net = gst_bin_get_by_name (GST_BIN (pipeline), "net");
  return pipeline;
}

static void
open_run (Run *run, const gchar *sender, const gchar *receiver)
{
  GstElement *out;
  GstPad *pad;

  memset (run, 0, sizeof *run);
  g_mutex_init (&run->lock);
  g_cond_init (&run->cond);
  run->sender = launch (sender, &run->sink);
  run->receiver = launch (receiver, &run->src);
  out = gst_bin_get_by_name (GST_BIN (run->receiver), "out");
  pad = gst_element_get_static_pad (out, "sink");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_frame, run, NULL);
  gst_object_unref (pad);
  gst_object_unref (out);
}

static void
close_run (Run *run)
{
  gst_element_set_state (run->receiver, GST_STATE_NULL);
  gst_element_set_state (run->sender, GST_STATE_NULL);
  gst_object_unref (run->sink);
  gst_object_unref (run->src);
  gst_object_unref (run->sender);
  gst_object_unref (run->receiver);
  g_mutex_clear (&run->lock);
  g_cond_clear (&run->cond);
}

static void
check (const gchar *who, const Count *from)
{
  gdouble frames = (gdouble)(from[1].frames - from[0].frames);
  gdouble wake_ups = (gdouble)(from[1].wake_ups - from[0].wake_ups) / frames;
  gdouble calls = (gdouble)(from[1].send_calls - from[0].send_calls) / frames;

  /* The snapshots are some 100 ms old. */
  fail_unless (frames >= FRAMES / 2.0);
  GST_INFO ("%s: %g wake-ups, %g calls to send", who, wake_ups, calls);
  fail_unless (wake_ups <= MOST_WAKE_UPS, "%s: %g wake-ups for a frame", who,
               wake_ups);
  fail_unless (calls <= MOST_SEND_CALLS, "%s: %g calls to send for a frame",
               who, calls);
}

static void
run_through (Run *run)
{
  fail_unless (gst_element_set_state (run->receiver, GST_STATE_PLAYING)
               != GST_STATE_CHANGE_FAILURE);
  g_mutex_lock (&run->lock);
  while (run->arrived < WARM_UP + FRAMES)
    g_cond_wait (&run->cond, &run->lock);
  g_mutex_unlock (&run->lock);
  check ("sender", run->sent);
  check ("receiver", run->received);
  close_run (run);
}

GST_START_TEST (test_udt)
{
  Run run;
  guint port;
  gchar *uri;

  open_run (&run,
            SOURCE " ! udtsink name=net uri=\"udt://127.0.0.1:0?mode=listener\""
                   " key=\"" KEY "\"",
            "udtsrc name=net key=\"" KEY "\" ! fakesink name=out sync=false");
  fail_unless (gst_element_set_state (run.sender, GST_STATE_PLAYING)
               != GST_STATE_CHANGE_FAILURE);
  g_object_get (run.sink, "bound-port", &port, NULL);
  uri = g_strdup_printf ("udt://127.0.0.1:%u", port);
  g_object_set (run.src, "uri", uri, NULL);
  g_free (uri);
  run_through (&run);
}
GST_END_TEST;

GST_START_TEST (test_p2p)
{
  gchar *signaller = free_signaller ();
  gchar *sender, *receiver;
  Run run;

  sender = g_strdup_printf (SOURCE " ! net.video_0 p2psink name=net "
                                   "device-id=camera-1 key=\"" KEY "\""
                                   " signaller=%s",
                            signaller);
  receiver
      = g_strdup_printf ("p2psrc name=net uri=p2p://camera-1 key=\"" KEY "\""
                         " signaller=%s ! fakesink name=out sync=false",
                         signaller);
  open_run (&run, sender, receiver);
  fail_unless (gst_element_set_state (run.sender, GST_STATE_PLAYING)
               != GST_STATE_CHANGE_FAILURE);
  run_through (&run);
  g_free (sender);
  g_free (receiver);
  g_free (signaller);
}
GST_END_TEST;

static Suite *
cost_suite (void)
{
  Suite *s = suite_create ("cost");
  TCase *tc = tcase_create ("general");

  suite_add_tcase (s, tc);
  tcase_add_test (tc, test_udt);
  tcase_add_test (tc, test_p2p);
  return s;
}

GST_CHECK_MAIN (cost);
