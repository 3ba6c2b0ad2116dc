/* What the sending and the receiving program have in common: what they print of
 * the pipeline's messages, and what ends them.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef BENCH_PROGRAM_H
#define BENCH_PROGRAM_H

#include <gst/gst.h>

/* Watches a bus; `data` is the main loop. */
static inline gboolean
program_message (GstBus *bus, GstMessage *message, gpointer data)
{
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    GError *error;

    gst_message_parse_error (message, &error, NULL);
    g_print ("error %s\n", error->message);
    g_error_free (error);
    g_main_loop_quit (data);
  } else if (gst_message_has_name (message, "p2p-step")) {
    gchar *text = gst_structure_to_string (gst_message_get_structure (message));

    g_print ("%s\n", text);
    g_free (text);
  }
  return G_SOURCE_CONTINUE;
}

/* A signal; `data` is the main loop. */
static inline gboolean
program_signal (gpointer data)
{
  g_main_loop_quit (data);
  return G_SOURCE_CONTINUE;
}

#endif /* BENCH_PROGRAM_H */
