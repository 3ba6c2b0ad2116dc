/* What the camera and the viewer share: options, steps, a log of frames.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "program.h"

#include <errno.h>
#include <glib-unix.h>
#include <stdio.h>
#include <string.h>

/* -- Options --------------------------------------------------------------- */

gboolean
program_init (int *argc, char ***argv, ProgramOptions *options,
              const GOptionEntry *entries, const gchar *summary)
{
  const GOptionEntry common[]
      = { { "device-id", 0, 0, G_OPTION_ARG_STRING, &options->device_id,
            "Which camera", "ID" },
          { "key-file", 0, 0, G_OPTION_ARG_FILENAME, &options->key_file,
            "File with the secret that camera and viewers share", "FILE" },
          { "signaller", 0, 0, G_OPTION_ARG_STRING, &options->signaller,
            "How they find each other (lan://)", "URI" },
          { "stun-server", 0, 0, G_OPTION_ARG_STRING, &options->stun_server,
            "stun://HOST:PORT", "URI" },
          { "turn-server", 0, 0, G_OPTION_ARG_STRING, &options->turn_server,
            "turn://USER:PASSWORD@HOST:PORT", "URI" },
          { "frame-log", 0, 0, G_OPTION_ARG_FILENAME, &options->frame_log,
            "Write a line for each video frame", "FILE" },
          { "seconds", 0, 0, G_OPTION_ARG_INT, &options->seconds,
            "End after so long (0: never)", "N" },
          { NULL } };
  GOptionContext *context = g_option_context_new (NULL);
  GError *error = NULL;
  gboolean ok;

  g_option_context_set_summary (context, summary);
  g_option_context_add_main_entries (context, common, NULL);
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  ok = g_option_context_parse (context, argc, argv, &error);
  g_option_context_free (context);
  if (ok && *argc > 1) {
    g_set_error (&error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION,
                 "nobody knows what to do with \"%s\"", (*argv)[1]);
    ok = FALSE;
  }
  if (ok && (!options->device_id || !options->key_file)) {
    g_set_error (&error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                 "--device-id and --key-file are needed");
    ok = FALSE;
  }
  if (!ok) {
    g_printerr ("%s: %s (see --help)\n", g_get_prgname (), error->message);
    g_error_free (error);
  }
  /* Lines are read as they come, by a person or a program. */
  setvbuf (stdout, NULL, _IOLBF, 0);
  return ok;
}

void
program_options_clear (ProgramOptions *options)
{
  g_free (options->device_id);
  g_free (options->key_file);
  g_free (options->signaller);
  g_free (options->stun_server);
  g_free (options->turn_server);
  g_free (options->frame_log);
  memset (options, 0, sizeof *options);
}

void
program_configure (const ProgramOptions *options, GstElement *element)
{
  g_object_set (element, "key-file", options->key_file, NULL);
  if (options->signaller)
    g_object_set (element, "signaller", options->signaller, NULL);
  if (options->stun_server)
    g_object_set (element, "stun-server", options->stun_server, NULL);
  if (options->turn_server)
    g_object_set (element, "turn-server", options->turn_server, NULL);
}

/* -- Messages -------------------------------------------------------------- */

static void
print_text (const GstStructure *s, const gchar *name)
{
  const gchar *text = gst_structure_get_string (s, name);

  if (text && *text)
    g_print ("  %s", text);
}

gboolean
program_print_step (GstMessage *message, const gchar *who)
{
  const GstStructure *s = gst_message_get_structure (message);
  guint elapsed = 0;

  if (!gst_message_has_name (message, "p2p-step"))
    return FALSE;
  gst_structure_get_uint (s, "elapsed-ms", &elapsed);
  g_print ("%-7s step %-9s %-6s %6u ms", who,
           gst_structure_get_string (s, "step"),
           gst_structure_get_string (s, "status"), elapsed);
  print_text (s, "path");
  print_text (s, "reason");
  print_text (s, "detail");
  g_print ("\n");
  return TRUE;
}

void
program_print_error (GstMessage *message, const gchar *who)
{
  GError *error = NULL;
  gchar *debug = NULL;

  gst_message_parse_error (message, &error, &debug);
  g_printerr ("%s: %s: %s\n", who, GST_MESSAGE_SRC_NAME (message),
              error->message);
  if (debug)
    g_printerr ("%s: (%s)\n", who, debug);
  g_error_free (error);
  g_free (debug);
}

/* -- The end --------------------------------------------------------------- */

static gboolean
quit (gpointer loop)
{
  g_main_loop_quit (loop);
  return G_SOURCE_CONTINUE;
}

void
program_fail (GMainLoop *loop, GstBus *bus, const gchar *who, gboolean *failed)
{
  GstMessage *message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);

  if (message) {
    program_print_error (message, who);
    gst_message_unref (message);
  } else
    g_printerr ("%s: the pipeline does not start\n", who);
  *failed = TRUE;
  g_idle_add (quit, loop);
}

void
program_quit_by_signal (GMainLoop *loop)
{
  g_unix_signal_add (SIGINT, quit, loop);
  g_unix_signal_add (SIGTERM, quit, loop);
}

void
program_quit_after (GMainLoop *loop, gint seconds)
{
  if (seconds > 0)
    g_timeout_add_seconds ((guint)seconds, quit, loop);
}

/* -- Frame log ------------------------------------------------------------- */

struct _FrameLog
{
  GMutex lock;
  FILE *file;
};

FrameLog *
frame_log_new (const gchar *path, GError **error)
{
  FrameLog *log;
  FILE *file = fopen (path, "we");

  if (!file) {
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno),
                 "cannot write %s: %s", path, g_strerror (errno));
    return NULL;
  }
  log = g_new0 (FrameLog, 1);
  g_mutex_init (&log->lock);
  log->file = file;
  return log;
}

static GstPadProbeReturn
frame_passes (GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
  FrameLog *log = user;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  gboolean delta = GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  gint64 now = g_get_monotonic_time ();
  GstMapInfo map;
  gchar *sum;

  if (!gst_buffer_map (buffer, &map, GST_MAP_READ))
    return GST_PAD_PROBE_OK;
  sum = g_compute_checksum_for_data (G_CHECKSUM_SHA1, map.data, map.size);
  g_mutex_lock (&log->lock);
  fprintf (log->file, "%" G_GINT64_FORMAT " %s %s %" G_GSIZE_FORMAT " %s\n",
           now, GST_PAD_NAME (pad), delta ? "delta" : "key", map.size, sum);
  g_mutex_unlock (&log->lock);
  g_free (sum);
  gst_buffer_unmap (buffer, &map);
  return GST_PAD_PROBE_OK;
}

void
frame_log_watch (FrameLog *log, GstPad *pad)
{
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, frame_passes, log, NULL);
}

void
frame_log_close (FrameLog *log)
{
  if (!log)
    return;
  fprintf (log->file, "%" G_GINT64_FORMAT " end\n", g_get_monotonic_time ());
  fclose (log->file);
  g_mutex_clear (&log->lock);
  g_free (log);
}
