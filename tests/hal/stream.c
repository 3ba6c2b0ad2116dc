/* A camera's launch line as it is written, run by a shell, and a viewer of it
 * in this process: the frames of every stream must come, first a keyframe.
 *
 *   hal-stream SCRIPT CAPS...
 *
 * SCRIPT is given settings of p2psink; CAPS are what the streams are, in the
 * order video_0, video_1, ..., audio_0. With the word decode in place of CAPS
 * the viewer is the one of the manual: p2psrc, decodebin, a sink.
 *
 * The camera's messages are waited for, and frames; time is only a limit.
 *
 * Threads: frames come on streaming threads, which wake the main loop by
 * messages; all else is the main thread's.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <gio/gio.h>
#include <gst/gst.h>
#include <signal.h>

#include "unit/check.h"

#define PATIENCE_SECONDS 40
#define FRAMES 10
#define MAX_STREAMS 4
#define KEY "0123456789abcdef0123456789abcdef"

typedef struct
{
  const gchar *caps; /* NULL: any */
  gint frames;       /* atomic */
  GstCaps *is;       /* set before the first frame is counted */
  gboolean key;      /* so is this */
} Stream;

static Stream streams[MAX_STREAMS];
static guint n_streams;
static GMainLoop *loop;
static GSubprocess *camera;
static gchar *signaller, *device_id;

static gboolean
give_up (gpointer unused)
{
  printf ("# not within %u s\n", PATIENCE_SECONDS);
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

static void
on_camera_end (GObject *source, GAsyncResult *result, gpointer unused)
{
  g_subprocess_wait_finish (G_SUBPROCESS (source), result, NULL);
  g_main_loop_quit (loop);
}

/* A port of the loopback that is free. */
static gchar *
free_signaller (void)
{
  GInetAddress *loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  GSocketAddress *any = g_inet_socket_address_new (loopback, 0), *bound;
  GSocket *socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM,
                                  G_SOCKET_PROTOCOL_TCP, NULL);
  gchar *uri;

  g_assert_true (g_socket_bind (socket, any, TRUE, NULL));
  bound = g_socket_get_local_address (socket, NULL);
  uri = g_strdup_printf ("signaller=tcp://127.0.0.1:%u",
                         g_inet_socket_address_get_port (
                             G_INET_SOCKET_ADDRESS (bound)));
  g_object_unref (bound);
  g_object_unref (socket);
  g_object_unref (any);
  g_object_unref (loopback);
  return uri;
}

/* --- The camera ---------------------------------------------------------- */

static gboolean
start_camera (const gchar *script)
{
  GError *error = NULL;
  gchar *id = g_strdup_printf ("device-id=%s", device_id);

  camera = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE
                                 | G_SUBPROCESS_FLAGS_STDERR_MERGE,
                             &error, script, id, "key=" KEY, signaller, NULL);
  g_free (id);
  if (camera == NULL) {
    printf ("# %s\n", error->message);
    g_error_free (error);
    return FALSE;
  }
  return TRUE;
}

/* What the camera says is the log of this test: all of it is read, until it
 * ends, and what is not a step or an error is left out. */
static void
on_line (GObject *source, GAsyncResult *result, gpointer ready)
{
  GDataInputStream *lines = G_DATA_INPUT_STREAM (source);
  gchar *line
      = g_data_input_stream_read_line_finish (lines, result, NULL, NULL);

  if (line == NULL)
    return;
  if (strstr (line, "p2p-step") != NULL || strstr (line, "ERROR") != NULL
      || strstr (line, "WARNING") != NULL || strstr (line, "rror:") != NULL)
    printf ("# camera: %s\n", line);
  if (strstr (line, "step=(string)server, status=(string)ok") != NULL)
    *(gboolean *)ready = TRUE;
  /* A line without -m tells no more than this. */
  if (strstr (line, "New clock") != NULL)
    *(gboolean *)ready = TRUE;
  g_free (line);
  g_data_input_stream_read_line_async (lines, G_PRIORITY_DEFAULT, NULL, on_line,
                                       ready);
}

static gboolean
wait_camera (void)
{
  static gboolean ready;
  GDataInputStream *lines
      = g_data_input_stream_new (g_subprocess_get_stdout_pipe (camera));

  g_data_input_stream_read_line_async (lines, G_PRIORITY_DEFAULT, NULL, on_line,
                                       &ready);
  g_object_unref (lines);
  while (!ready && g_subprocess_get_identifier (camera) != NULL)
    g_main_context_iteration (NULL, TRUE);
  return ready;
}

/* As Ctrl-C does. It ends, and by nothing else. */
static void
stop_camera (void)
{
  CHECK (g_subprocess_get_identifier (camera) != NULL);
  g_subprocess_send_signal (camera, SIGINT);
  while (g_subprocess_get_identifier (camera) != NULL)
    g_main_context_iteration (NULL, TRUE);
  g_object_unref (camera);
}

/* --- The viewer ---------------------------------------------------------- */

static gboolean
is_done (void)
{
  guint i;

  for (i = 0; i < n_streams; i++) {
    if (g_atomic_int_get (&streams[i].frames) < FRAMES)
      return FALSE;
  }
  return TRUE;
}

static void
on_frame (GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer data)
{
  Stream *stream = data;

  if (stream->frames == 0) {
    stream->is = gst_pad_get_current_caps (pad);
    stream->key = !GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  }
  g_atomic_int_inc (&stream->frames);
  if (stream->frames == FRAMES && is_done ())
    g_main_loop_quit (loop);
}

static gchar *
viewer_line (gboolean decode)
{
  GString *line = g_string_new (NULL);
  guint i, n_video = 0, n_audio = 0;

  g_string_printf (line, "p2psrc name=p2p uri=p2p://%s key=%s %s ", device_id,
                   KEY, signaller);
  if (decode)
    g_string_append (line, "! decodebin ! fakesink name=out0");
  for (i = 0; !decode && i < n_streams; i++) {
    gboolean video = g_str_has_prefix (streams[i].caps, "video/");

    g_string_append_printf (line, "p2p.%s_%u ! fakesink name=out%u async=0 ",
                            video ? "video" : "audio",
                            video ? n_video++ : n_audio++, i);
  }
  return g_string_free (line, FALSE);
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer unused)
{
  GError *error = NULL;

  if (GST_MESSAGE_TYPE (message) != GST_MESSAGE_ERROR)
    return G_SOURCE_CONTINUE;
  gst_message_parse_error (message, &error, NULL);
  printf ("# viewer: %s\n", error->message);
  g_error_free (error);
  g_main_loop_quit (loop);
  return G_SOURCE_CONTINUE;
}

static GstElement *
start_viewer (gboolean decode)
{
  gchar *line = viewer_line (decode);
  GstElement *viewer = gst_parse_launch (line, NULL);
  GstBus *bus = gst_element_get_bus (viewer);
  guint i;

  gst_bus_add_watch (bus, on_message, NULL);
  gst_object_unref (bus);
  for (i = 0; i < n_streams; i++) {
    gchar *name = g_strdup_printf ("out%u", i);
    GstElement *sink = gst_bin_get_by_name (GST_BIN (viewer), name);

    g_object_set (sink, "signal-handoffs", TRUE, NULL);
    g_signal_connect (sink, "handoff", G_CALLBACK (on_frame), &streams[i]);
    gst_object_unref (sink);
    g_free (name);
  }
  g_free (line);
  CHECK (gst_element_set_state (viewer, GST_STATE_PLAYING)
         != GST_STATE_CHANGE_FAILURE);
  return viewer;
}

static void
check_stream (Stream *stream, guint number)
{
  GstCaps *caps = gst_caps_from_string (stream->caps != NULL ? stream->caps
                                                             : "video/x-raw");

  gchar *is = stream->is != NULL ? gst_caps_to_string (stream->is) : NULL;

  printf ("# stream %u: %d frames, %s\n", number, stream->frames, is);
  g_free (is);
  CHECK (stream->frames >= FRAMES);
  CHECK (stream->is != NULL && gst_caps_is_subset (stream->is, caps));
  CHECK (stream->frames == 0 || stream->key);
  gst_clear_caps (&stream->is);
  gst_caps_unref (caps);
}

static void
run (const gchar *script, gboolean decode)
{
  GstElement *viewer = NULL;
  GstBus *bus;
  guint i;

  if (!CHECK (start_camera (script)))
    return;
  if (CHECK (wait_camera ())) {
    g_subprocess_wait_async (camera, NULL, on_camera_end, NULL);
    viewer = start_viewer (decode);
    g_main_loop_run (loop);
    gst_element_set_state (viewer, GST_STATE_NULL);
    bus = gst_element_get_bus (viewer);
    gst_bus_remove_watch (bus);
    gst_object_unref (bus);
    gst_object_unref (viewer);
    for (i = 0; i < n_streams; i++)
      check_stream (&streams[i], i);
  }
  stop_camera ();
}

int
main (int argc, char **argv)
{
  gboolean decode = argc == 3 && strcmp (argv[2], "decode") == 0;
  gint i;

  setvbuf (stdout, NULL, _IOLBF, 0);
  gst_init (&argc, &argv);
  if (argc < 3 || argc > 2 + MAX_STREAMS) {
    fprintf (stderr, "usage: %s SCRIPT CAPS...\n", argv[0]);
    return 2;
  }
  n_streams = decode ? 1 : (guint)argc - 2;
  for (i = 2; !decode && i < argc; i++)
    streams[i - 2].caps = argv[i];
  loop = g_main_loop_new (NULL, FALSE);
  signaller = free_signaller ();
  device_id = g_strdup_printf ("camera-%d", (gint)getpid ());
  g_timeout_add_seconds (PATIENCE_SECONDS, give_up, NULL);
  run (argv[1], decode);
  g_free (signaller);
  g_free (device_id);
  g_main_loop_unref (loop);
  printf ("%sok 1 - stream\n1..1\n", check_failures > 0 ? "not " : "");
  return check_failures > 0;
}
