/* What the camera and the viewer share: options, steps, a log of frames.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: everything in the main thread, except that a frame log is written
 * by the streaming thread of its pad; it has a lock of its own.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* Options that both programs have; p2psink and p2psrc have properties of the
 * same names. */
typedef struct
{
  gchar *device_id;
  gchar *key_file;
  gchar *signaller;
  gchar *stun_server;
  gchar *turn_server;
  gchar *frame_log;
  gint seconds;
} ProgramOptions;

/* Parses the common options and `entries`, and starts GStreamer. FALSE: what
 * is wrong has been said. */
gboolean program_init (int *argc, char ***argv, ProgramOptions *options,
                       const GOptionEntry *entries, const gchar *summary);
void program_options_clear (ProgramOptions *options);

/* Sets the properties that the options name on p2psink or p2psrc. */
void program_configure (const ProgramOptions *options, GstElement *element);

/* A line for a p2p-step message; FALSE if it is none. */
gboolean program_print_step (GstMessage *message, const gchar *who);

/* Says what went wrong, with what GStreamer knows about it. */
void program_print_error (GstMessage *message, const gchar *who);

/* The pipeline could not start: says why, sets `failed`, and lets the loop end
 * as soon as it runs. */
void program_fail (GMainLoop *loop, GstBus *bus, const gchar *who,
                   gboolean *failed);

/* SIGINT and SIGTERM, and, if not 0, `seconds`, end the loop. */
void program_quit_by_signal (GMainLoop *loop);
void program_quit_after (GMainLoop *loop, gint seconds);

typedef struct _FrameLog FrameLog;

/* One line for each frame that passes a pad: microseconds of the monotonic
 * clock, the pad's name, `key` or `delta`, bytes, and a checksum of the
 * content, by which the logs of two programs are compared. */
FrameLog *frame_log_new (const gchar *path, GError **error);
void frame_log_watch (FrameLog *log, GstPad *pad);
/* The last line says when this was. The pads must be at rest. NULL is allowed.
 */
void frame_log_close (FrameLog *log);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (FrameLog, frame_log_close)

G_END_DECLS

#endif /* PROGRAM_H */
