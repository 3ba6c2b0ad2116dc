/*
 * lab-statetime: how long the state changes of a pipeline take, measured where
 * they are called.
 *
 *   lab-statetime ROUNDS 'PIPELINE DESCRIPTION'
 *
 * Goes from NULL to PLAYING and back as often as asked for, and prints a line
 * for each change: "up MICROSECONDS" or "down MICROSECONDS". Each time it stays
 * up until "p2p" has told of a first step, or for 300 ms: long enough for the
 * network to be busy, too short for anything that waits for it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <gst/gst.h>

#define STAY (300 * GST_MSECOND)

static gboolean
change (GstElement *pipeline, GstState state, const gchar *name)
{
  gint64 start = g_get_monotonic_time ();
  GstStateChangeReturn result = gst_element_set_state (pipeline, state);

  g_print ("%s %" G_GINT64_FORMAT "\n", name, g_get_monotonic_time () - start);
  return result != GST_STATE_CHANGE_FAILURE;
}

int
main (int argc, char **argv)
{
  GError *error = NULL;
  GstElement *pipeline;
  GstMessage *message;
  GstBus *bus;
  gint i, rounds;

  gst_init (&argc, &argv);
  if (argc != 3)
    return 2;
  rounds = (gint)g_ascii_strtoll (argv[1], NULL, 10);
  pipeline = gst_parse_launch (argv[2], &error);
  if (!pipeline) {
    g_printerr ("%s\n", error->message);
    return 1;
  }
  bus = gst_element_get_bus (pipeline);
  for (i = 0; i < rounds; i++) {
    if (!change (pipeline, GST_STATE_PLAYING, "up"))
      return 1;
    message = gst_bus_timed_pop_filtered (bus, STAY, GST_MESSAGE_ELEMENT);
    g_clear_pointer (&message, gst_message_unref);
    if (!change (pipeline, GST_STATE_NULL, "down"))
      return 1;
  }
  gst_object_unref (bus);
  gst_object_unref (pipeline);
  return 0;
}
