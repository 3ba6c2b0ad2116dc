/* p2psink on a bench.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "sink-util.h"
#include <string.h>

static GstStaticPadTemplate any_src
    = GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                               GST_STATIC_CAPS_ANY);

GstElement *
make_sink (void)
{
  GstElement *sink = gst_element_factory_make ("p2psink", NULL);

  fail_unless (sink != NULL);
  g_object_set (sink, "device-id", "camera-1", "key", "correct horse battery",
                NULL);
  return sink;
}

/* A live source: what a harness is. Its clock stands still. */
GstHarness *
make_live (const gchar *pad)
{
  GstElement *sink = make_sink ();
  GstHarness *h = gst_harness_new_with_element (sink, pad, NULL);

  gst_object_unref (sink);
  return h;
}

GstBuffer *
make_buffer (const gchar *text, GstClockTime pts)
{
  GstBuffer *buffer = gst_buffer_new_wrapped (g_strdup (text), strlen (text));

  GST_BUFFER_PTS (buffer) = pts;
  return buffer;
}

void
assert_payload (const FakePush *push, const gchar *text)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (push->payload, &size);

  fail_unless_equals_int (size, strlen (text));
  fail_unless (size == 0 || memcmp (data, text, size) == 0);
}

/* -- A file ---------------------------------------------------------------- */

void
file_open (File *file, const gchar *pad, const gchar *caps)
{
  GstSegment segment;
  GstCaps *parsed;

  memset (file, 0, sizeof (*file));
  file->sink = make_sink ();
  file->clock = GST_TEST_CLOCK (gst_test_clock_new ());
  file->bus = gst_bus_new ();
  gst_element_set_bus (file->sink, file->bus);
  gst_element_set_clock (file->sink, GST_CLOCK (file->clock));
  gst_element_set_base_time (file->sink, 0);
  file->sink_pad = gst_element_request_pad_simple (file->sink, pad);
  file->pad = gst_pad_new_from_static_template (&any_src, "src");
  gst_pad_set_active (file->pad, TRUE);
  fail_unless_equals_int (gst_pad_link (file->pad, file->sink_pad),
                          GST_PAD_LINK_OK);
  fail_unless_equals_int (gst_element_set_state (file->sink, GST_STATE_PAUSED),
                          GST_STATE_CHANGE_SUCCESS);
  gst_pad_push_event (file->pad, gst_event_new_stream_start ("file"));
  if (caps != NULL) {
    parsed = gst_caps_from_string (caps);
    gst_pad_push_event (file->pad, gst_event_new_caps (parsed));
    gst_caps_unref (parsed);
  }
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (file->pad, gst_event_new_segment (&segment));
}

static gpointer
file_thread (gpointer user)
{
  File *file = user;

  file->flow = gst_pad_push (file->pad, file->buffer);
  return NULL;
}

void
file_push (File *file, GstBuffer *buffer)
{
  file->buffer = buffer;
  file->thread = g_thread_new ("file", file_thread, file);
}

GstFlowReturn
file_join (File *file)
{
  g_thread_join (file->thread);
  return file->flow;
}

void
file_close (File *file)
{
  gst_element_set_state (file->sink, GST_STATE_NULL);
  gst_element_release_request_pad (file->sink, file->sink_pad);
  gst_object_unref (file->sink_pad);
  gst_object_unref (file->pad);
  gst_element_set_bus (file->sink, NULL);
  gst_object_unref (file->sink);
  gst_object_unref (file->bus);
  gst_object_unref (file->clock);
}
