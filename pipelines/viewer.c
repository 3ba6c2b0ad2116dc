/* p2p-viewer: watches a camera, records what it gets, and says how it goes.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   p2psrc --- queue --- tee --- decodebin ------- window or nothing
 *                         `---- queue --- parser --- mp4mux --- file
 *
 * The same for sound. The branches can only be built when all streams of the
 * camera are known (no-more-pads) and have shown their format, as a file's head
 * names them all. Until then the first queues keep what comes.
 *
 * Threads: pads come up in a streaming thread, where `lock` guards the list of
 * pads and the picture; everything else is done by the main thread.
 */
#include "program.h"

#include <gst/video/video.h>
#include <string.h>

#define REPORT_INTERVAL_S 1
/* How long the file may take to be finished. */
#define FINISH_TIMEOUT (5 * GST_SECOND)
#define PICTURE_TIMEOUT (5 * GST_SECOND)

typedef struct
{
  GstPad *pad; /* of the queue that takes what p2psrc's pad delivers */
  gboolean video;
  gulong block;
  gboolean waiting; /* has a first frame, and so its caps */
} Stream;

typedef struct
{
  ProgramOptions options;
  gchar *record;
  gchar *picture;
  gboolean window;
  gint latency;

  GMainLoop *loop;
  GstElement *pipeline;
  GstElement *source;
  GstElement *mux;
  FrameLog *frame_log;
  gint64 started;
  gint64 first_frame_ms;
  gint64 reported;
  guint64 reported_bytes;
  gboolean failed;
  gboolean ended; /* the camera's streams are over */

  GMutex lock;
  GPtrArray *streams; /* of Stream */
  gboolean complete;  /* no more streams will come */
  gboolean built;
  GstSample *shown; /* the last decoded picture */
} Viewer;

/* -- What is done with a stream -------------------------------------------- */

/* Keeps the last picture; it is turned into a file at the end. */
static GstPadProbeReturn
keep_picture (GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
  Viewer *viewer = user;
  GstCaps *caps = gst_pad_get_current_caps (pad);
  GstSample *sample
      = gst_sample_new (GST_PAD_PROBE_INFO_BUFFER (info), caps, NULL, NULL);

  g_mutex_lock (&viewer->lock);
  g_clear_pointer (&viewer->shown, gst_sample_unref);
  viewer->shown = sample;
  g_mutex_unlock (&viewer->lock);
  gst_caps_unref (caps);
  return GST_PAD_PROBE_OK;
}

/* What makes frames of this format fit for an MP4 file; NULL: nothing does. */
static const gchar *
parser_for (GstPad *pad)
{
  static const gchar *const parsers[][2] = {
    { "video/x-h264", "h264parse" }, { "video/x-h265", "h265parse" },
    { "image/jpeg", "jpegparse" },   { "audio/mpeg", "aacparse" },
    { "audio/x-opus", "opusparse" },
  };
  GstCaps *caps = gst_pad_get_current_caps (pad);
  const gchar *parser = NULL;
  guint i;

  for (i = 0; caps && i < G_N_ELEMENTS (parsers); i++) {
    if (gst_structure_has_name (gst_caps_get_structure (caps, 0),
                                parsers[i][0]))
      parser = parsers[i][1];
  }
  g_clear_pointer (&caps, gst_caps_unref);
  return parser;
}

static gchar *
describe_branch (Viewer *viewer, Stream *stream, const gchar *parser)
{
  const gchar *sink = "fakesink sync=true";
  const gchar *convert = stream->video ? "videoconvert" : "audioconvert";

  if (viewer->window && stream->video)
    sink = "autovideosink";
  else if (viewer->window)
    sink = "audioresample ! autoaudiosink";
  if (!viewer->mux || !parser)
    return g_strdup_printf ("decodebin name=in ! %s name=decoded ! %s", convert,
                            sink);
  return g_strdup_printf ("tee name=in in. ! queue ! decodebin "
                          "! %s name=decoded ! %s in. ! queue ! %s name=out",
                          convert, sink, parser);
}

static GstPad *
get_pad (GstElement *bin, const gchar *element_name, const gchar *pad_name)
{
  GstElement *element = gst_bin_get_by_name (GST_BIN (bin), element_name);
  GstPad *pad = gst_element_get_static_pad (element, pad_name);

  gst_object_unref (element);
  return pad;
}

static void
add_ghost (GstElement *bin, const gchar *element_name, const gchar *pad_name)
{
  GstPad *pad = get_pad (bin, element_name, pad_name);

  gst_element_add_pad (bin, gst_ghost_pad_new (pad_name, pad));
  gst_object_unref (pad);
}

static gboolean
add_branch (Viewer *viewer, Stream *stream, GError **error)
{
  const gchar *parser = parser_for (stream->pad);
  gchar *description = describe_branch (viewer, stream, parser);
  GstElement *branch
      = gst_parse_bin_from_description_full (description, FALSE, NULL,
                                             GST_PARSE_FLAG_FATAL_ERRORS,
                                             error);
  gboolean ok = TRUE;
  GstPad *end;

  g_free (description);
  if (!branch)
    return FALSE;
  gst_bin_add (GST_BIN (viewer->pipeline), branch);
  if (viewer->mux && parser) {
    add_ghost (branch, "out", "src");
    ok = gst_element_link (branch, viewer->mux);
  }
  if (stream->video) {
    end = get_pad (branch, "decoded", "src");
    gst_pad_add_probe (end, GST_PAD_PROBE_TYPE_BUFFER, keep_picture, viewer,
                       NULL);
    gst_object_unref (end);
  }
  add_ghost (branch, "in", "sink");
  gst_element_sync_state_with_parent (branch);
  end = gst_element_get_static_pad (branch, "sink");
  ok = ok && gst_pad_link (stream->pad, end) == GST_PAD_LINK_OK;
  gst_object_unref (end);
  if (!ok)
    g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
                 "the %s cannot be shown or recorded",
                 stream->video ? "picture" : "sound");
  return ok;
}

static gboolean
add_recorder (Viewer *viewer, GError **error)
{
  GstElement *file = gst_element_factory_make ("filesink", NULL);

  viewer->mux = gst_element_factory_make ("mp4mux", NULL);
  if (!viewer->mux || !file) {
    g_set_error (error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
                 "mp4mux is needed (gstreamer1.0-plugins-good)");
    g_clear_pointer (&viewer->mux, gst_object_unref);
    g_clear_pointer (&file, gst_object_unref);
    return FALSE;
  }
  /* What has arrived is written: this sink waits for no clock. */
  g_object_set (file, "location", viewer->record, "async", FALSE, "sync", FALSE,
                NULL);
  gst_bin_add_many (GST_BIN (viewer->pipeline), viewer->mux, file, NULL);
  return gst_element_link (viewer->mux, file);
}

static void
start_recorder (Viewer *viewer)
{
  GstPad *pad = gst_element_get_static_pad (viewer->mux, "src");
  GstPad *peer = gst_pad_get_peer (pad);
  GstElement *file = gst_pad_get_parent_element (peer);

  gst_element_sync_state_with_parent (file);
  gst_element_sync_state_with_parent (viewer->mux);
  gst_object_unref (file);
  gst_object_unref (peer);
  gst_object_unref (pad);
}

/* -- Building, once all streams are known ---------------------------------- */

static gboolean
all_known (Viewer *viewer)
{
  gboolean known = viewer->complete && !viewer->built;
  guint i;

  for (i = 0; known && i < viewer->streams->len; i++)
    known = ((Stream *)g_ptr_array_index (viewer->streams, i))->waiting;
  return known;
}

static gboolean
build_branches (gpointer user)
{
  Viewer *viewer = user;
  GError *error = NULL;
  gboolean ok = TRUE;
  guint i;

  g_mutex_lock (&viewer->lock);
  ok = all_known (viewer);
  viewer->built |= ok;
  g_mutex_unlock (&viewer->lock);
  if (!ok)
    return G_SOURCE_REMOVE;

  if (viewer->record)
    ok = add_recorder (viewer, &error);
  for (i = 0; ok && i < viewer->streams->len; i++) {
    Stream *stream = g_ptr_array_index (viewer->streams, i);

    ok = add_branch (viewer, stream, &error);
  }
  if (ok && viewer->mux)
    start_recorder (viewer);
  for (i = 0; ok && i < viewer->streams->len; i++) {
    Stream *stream = g_ptr_array_index (viewer->streams, i);

    gst_pad_remove_probe (stream->pad, stream->block);
  }
  if (!ok) {
    g_printerr ("viewer: %s\n", error ? error->message : "cannot link");
    g_clear_error (&error);
    viewer->failed = TRUE;
    g_main_loop_quit (viewer->loop);
  }
  return G_SOURCE_REMOVE;
}

/* The first frame of a stream. It stays here until there is a branch for it. */
static GstPadProbeReturn
frame_waits (GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
  Viewer *viewer = user;
  gint64 now = g_get_monotonic_time ();
  guint i;

  g_mutex_lock (&viewer->lock);
  for (i = 0; i < viewer->streams->len; i++) {
    Stream *stream = g_ptr_array_index (viewer->streams, i);

    if (stream->pad != pad)
      continue;
    stream->waiting = TRUE;
    if (stream->video && viewer->first_frame_ms == 0)
      viewer->first_frame_ms = (now - viewer->started) / 1000;
  }
  g_mutex_unlock (&viewer->lock);
  g_idle_add (build_branches, viewer);
  return GST_PAD_PROBE_OK;
}

static void
source_pad_added (GstElement *source, GstPad *pad, Viewer *viewer)
{
  GstElement *queue = gst_element_factory_make ("queue", NULL);
  GstPad *sink = gst_element_get_static_pad (queue, "sink");
  Stream *stream = g_new0 (Stream, 1);

  stream->video = g_str_has_prefix (GST_PAD_NAME (pad), "video_");
  stream->pad = gst_element_get_static_pad (queue, "src");
  g_mutex_lock (&viewer->lock);
  g_ptr_array_add (viewer->streams, stream);
  g_mutex_unlock (&viewer->lock);
  stream->block
      = gst_pad_add_probe (stream->pad,
                           GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER,
                           frame_waits, viewer, NULL);
  if (viewer->frame_log)
    frame_log_watch (viewer->frame_log, pad);
  gst_bin_add (GST_BIN (viewer->pipeline), queue);
  gst_element_sync_state_with_parent (queue);
  gst_pad_link (pad, sink);
  gst_object_unref (sink);
}

static void
source_complete (GstElement *source, Viewer *viewer)
{
  g_mutex_lock (&viewer->lock);
  viewer->complete = TRUE;
  g_mutex_unlock (&viewer->lock);
  g_idle_add (build_branches, viewer);
}

static void
stream_free (Stream *stream)
{
  gst_object_unref (stream->pad);
  g_free (stream);
}

/* -- How it goes ----------------------------------------------------------- */

static guint64
get_number (const GstStructure *structure, const gchar *name)
{
  guint64 value = 0;

  gst_structure_get_uint64 (structure, name, &value);
  return value;
}

static gboolean
report (gpointer user)
{
  Viewer *viewer = user;
  gint64 now = g_get_monotonic_time ();
  GstStructure *stats = NULL;
  const GstStructure *peer;
  const GValue *peers;
  const gchar *path;
  guint64 bytes;

  g_object_get (viewer->source, "stats", &stats, NULL);
  peers = gst_structure_get_value (stats, "peers");
  if (gst_value_array_get_size (peers) > 0) {
    peer = gst_value_get_structure (gst_value_array_get_value (peers, 0));
    path = gst_structure_get_string (peer, "path");
    bytes = get_number (peer, "received-payload-bytes");
    g_print ("viewer  %5.1f s  %6.0f kbit/s  rtt %5.1f ms  repaired "
             "%" G_GUINT64_FORMAT "  missed %" G_GUINT64_FORMAT "  %s\n",
             (now - viewer->started) / 1e6,
             (bytes - viewer->reported_bytes) * 8e3 / (now - viewer->reported),
             get_number (peer, "rtt-us") / 1e3,
             get_number (peer, "repaired-packets"),
             get_number (peer, "missed-frames"), path ? path : "no path");
    viewer->reported_bytes = bytes;
    viewer->reported = now;
  }
  gst_structure_free (stats);
  return G_SOURCE_CONTINUE;
}

static gboolean
bus_message (GstBus *bus, GstMessage *message, gpointer user)
{
  Viewer *viewer = user;

  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_ERROR:
      program_print_error (message, "viewer");
      viewer->failed = TRUE;
      g_main_loop_quit (viewer->loop);
      break;
    case GST_MESSAGE_EOS:
      g_print ("viewer  end of the stream\n");
      viewer->ended = TRUE;
      g_main_loop_quit (viewer->loop);
      break;
    case GST_MESSAGE_LATENCY:
      gst_bin_recalculate_latency (GST_BIN (viewer->pipeline));
      break;
    case GST_MESSAGE_ELEMENT:
      program_print_step (message, "viewer");
      break;
    default:
      break;
  }
  return G_SOURCE_CONTINUE;
}

/* -- The end --------------------------------------------------------------- */

/* A file is playable once its muxer has seen the end of each stream. */
static void
finish_recording (Viewer *viewer, GstBus *bus)
{
  GstMessage *message;
  guint i;

  if (!viewer->built || viewer->failed || viewer->ended)
    return;
  for (i = 0; i < viewer->streams->len; i++) {
    Stream *stream = g_ptr_array_index (viewer->streams, i);
    GstPad *peer = gst_pad_get_peer (stream->pad);

    if (peer) {
      gst_pad_send_event (peer, gst_event_new_eos ());
      gst_object_unref (peer);
    }
  }
  message = gst_bus_timed_pop_filtered (bus, FINISH_TIMEOUT,
                                        GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (!message || GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    g_printerr ("viewer: the recording could not be finished\n");
    viewer->failed = TRUE;
  }
  if (message)
    gst_message_unref (message);
}

static void
write_picture (Viewer *viewer)
{
  GstCaps *caps;
  GstSample *image;
  GstMapInfo map;
  GError *error = NULL;

  if (!viewer->picture || !viewer->shown)
    return;
  caps = gst_caps_new_empty_simple ("image/png");
  image
      = gst_video_convert_sample (viewer->shown, caps, PICTURE_TIMEOUT, &error);
  gst_caps_unref (caps);
  if (image
      && gst_buffer_map (gst_sample_get_buffer (image), &map, GST_MAP_READ)) {
    g_file_set_contents (viewer->picture, (const gchar *)map.data,
                         (gssize)map.size, &error);
    gst_buffer_unmap (gst_sample_get_buffer (image), &map);
  }
  if (error) {
    g_printerr ("viewer: no picture: %s\n", error->message);
    g_error_free (error);
    viewer->failed = TRUE;
  }
  g_clear_pointer (&image, gst_sample_unref);
}

/* -- The viewer ------------------------------------------------------------ */

static gboolean
build (Viewer *viewer, GError **error)
{
  gchar *uri;

  viewer->source = gst_element_factory_make ("p2psrc", "p2p");
  if (!viewer->source) {
    g_set_error (
        error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
        "there is no p2psrc; does GST_PLUGIN_PATH name its directory?");
    return FALSE;
  }
  viewer->pipeline = gst_pipeline_new ("viewer");
  gst_bin_add (GST_BIN (viewer->pipeline), gst_object_ref (viewer->source));
  uri = g_strdup_printf ("p2p://%s", viewer->options.device_id);
  g_object_set (viewer->source, "uri", uri, "latency", viewer->latency, NULL);
  g_free (uri);
  program_configure (&viewer->options, viewer->source);
  if (viewer->options.frame_log) {
    viewer->frame_log = frame_log_new (viewer->options.frame_log, error);
    if (!viewer->frame_log)
      return FALSE;
  }
  g_signal_connect (viewer->source, "pad-added", G_CALLBACK (source_pad_added),
                    viewer);
  g_signal_connect (viewer->source, "no-more-pads",
                    G_CALLBACK (source_complete), viewer);
  return TRUE;
}

static void
run (Viewer *viewer)
{
  GstBus *bus = gst_element_get_bus (viewer->pipeline);

  viewer->loop = g_main_loop_new (NULL, FALSE);
  gst_bus_add_watch (bus, bus_message, viewer);
  program_quit_by_signal (viewer->loop);
  program_quit_after (viewer->loop, viewer->options.seconds);
  g_timeout_add_seconds (REPORT_INTERVAL_S, report, viewer);
  viewer->started = viewer->reported = g_get_monotonic_time ();
  if (gst_element_set_state (viewer->pipeline, GST_STATE_PLAYING)
      == GST_STATE_CHANGE_FAILURE)
    program_fail (viewer->loop, bus, "viewer", &viewer->failed);
  g_main_loop_run (viewer->loop);

  gst_bus_remove_watch (bus);
  finish_recording (viewer, bus);
  gst_element_set_state (viewer->pipeline, GST_STATE_NULL);
  write_picture (viewer);
  if (viewer->built) {
    g_print ("viewer  first frame after %" G_GINT64_FORMAT " ms\n",
             viewer->first_frame_ms);
  } else {
    g_printerr ("viewer: nothing came\n");
    viewer->failed = TRUE;
  }
  gst_object_unref (bus);
  g_main_loop_unref (viewer->loop);
}

static void
viewer_clear (Viewer *viewer)
{
  g_ptr_array_unref (viewer->streams);
  g_clear_pointer (&viewer->shown, gst_sample_unref);
  g_clear_pointer (&viewer->source, gst_object_unref);
  g_clear_pointer (&viewer->pipeline, gst_object_unref);
  frame_log_close (viewer->frame_log);
  g_free (viewer->record);
  g_free (viewer->picture);
  g_mutex_clear (&viewer->lock);
  program_options_clear (&viewer->options);
}

int
main (int argc, char **argv)
{
  Viewer viewer = { { 0 }, .latency = 200 };
  const GOptionEntry entries[]
      = { { "record", 0, 0, G_OPTION_ARG_FILENAME, &viewer.record,
            "Write what comes to this MP4 file", "FILE" },
          { "picture", 0, 0, G_OPTION_ARG_FILENAME, &viewer.picture,
            "Write the last picture to this PNG file", "FILE" },
          { "window", 0, 0, G_OPTION_ARG_NONE, &viewer.window,
            "Show the picture, and let the sound be heard", NULL },
          { "latency", 0, 0, G_OPTION_ARG_INT, &viewer.latency,
            "Milliseconds that frames may take (200)", "MS" },
          { NULL } };
  GError *error = NULL;

  if (!program_init (&argc, &argv, &viewer.options, entries,
                     "Watches a camera."))
    return 2;
  g_mutex_init (&viewer.lock);
  viewer.streams = g_ptr_array_new_with_free_func ((GDestroyNotify)stream_free);
  if (build (&viewer, &error)) {
    run (&viewer);
  } else {
    g_printerr ("viewer: %s\n", error->message);
    g_error_free (error);
    viewer.failed = TRUE;
  }
  viewer_clear (&viewer);
  return viewer.failed ? 1 : 0;
}
