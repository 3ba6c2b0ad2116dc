/* See udt-util.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udt-util.h"

GstHarness *
make_end (const gchar *name, const gchar *uri, const gchar *key)
{
  GstElement *element = gst_element_factory_make (name, NULL);
  GstHarness *harness;

  fail_unless (element != NULL);
  g_object_set (element, "uri", uri, NULL);
  /* However busy the machine is, no frame may be given up. */
  if (g_str_equal (name, "udtsink"))
    g_object_set (element, "deadline", 0, NULL);
  if (key != NULL)
    g_object_set (element, "key", key, NULL);
  else
    g_object_set (element, "insecure", TRUE, NULL);
  harness = gst_harness_new_with_element (
      element, g_str_equal (name, "udtsink") ? "sink" : NULL,
      g_str_equal (name, "udtsink") ? NULL : "src");
  gst_object_unref (element);
  gst_harness_use_systemclock (harness);
  return harness;
}

guint
bound_port (GstHarness *harness)
{
  guint port;

  g_object_get (harness->element, "bound-port", &port, NULL);
  fail_unless (port != 0);
  return port;
}

/* Both ends, one of them listening at a port that is free. */
Pair
make_pair (gboolean sink_listens, const gchar *host, const gchar *key)
{
  gchar *uri = g_strdup_printf ("udt://%s:0?mode=listener", host);
  GstHarness *listener, *caller;
  Pair pair;

  listener = make_end (sink_listens ? "udtsink" : "udtsrc", uri, key);
  g_free (uri);
  gst_harness_play (listener);
  uri = g_strdup_printf ("udt://%s:%u", host, bound_port (listener));
  caller = make_end (sink_listens ? "udtsrc" : "udtsink", uri, key);
  g_free (uri);
  gst_harness_play (caller);
  pair.sink = sink_listens ? listener : caller;
  pair.src = sink_listens ? caller : listener;
  return pair;
}

void
free_pair (Pair *pair)
{
  gst_harness_teardown (pair->sink);
  gst_harness_teardown (pair->src);
}

GstBuffer *
make_frame (guint number, gsize size, GstBufferFlags flags)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);

  gst_buffer_memset (buffer, 0, (guint8)number, size);
  GST_BUFFER_PTS (buffer) = (number + 1) * 40 * GST_MSECOND;
  GST_BUFFER_DTS (buffer) = number * 40 * GST_MSECOND;
  GST_BUFFER_DURATION (buffer) = 40 * GST_MSECOND;
  GST_BUFFER_FLAG_SET (buffer, flags);
  return buffer;
}

/* The harness is a live source, which does not wait for a peer; that there is
 * one shows in its wanting a key unit. */
void
wait_for_key_unit_request (GstHarness *sink)
{
  GstEvent *event;
  gboolean found = FALSE;

  while (!found) {
    event = gst_harness_pull_upstream_event (sink);
    fail_unless (event != NULL);
    found = gst_event_has_name (event, "GstForceKeyUnit");
    gst_event_unref (event);
  }
}
