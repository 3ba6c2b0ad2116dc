/* p2p-camera: a camera, whose picture and sound are synthetic or a clip's.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A real camera has the encoder of its SoC where this one has x264enc; from
 * there on nothing differs. Viewers come and go while it runs: p2psink sends
 * to each what it has, and goes on without any.
 *
 * Threads: the main thread builds, watches the bus and ends; GStreamer's
 * streaming threads do the rest.
 */
#include "program.h"

/* Motion, and a clock that shows which frame is which; a tick each second. A
 * keyframe every two seconds: a new viewer does not wait for it, as p2psink
 * asks the encoder for one. */
#define SYNTHETIC                                                              \
  "p2psink name=p2p "                                                          \
  "videotestsrc is-live=true pattern=smpte horizontal-speed=4 "                \
  "! video/x-raw,format=I420,width=1280,height=720,framerate=25/1 "            \
  "! timeoverlay shaded-background=true font-desc=\"Sans, 24\" "               \
  "! x264enc tune=zerolatency speed-preset=ultrafast bitrate=2000 "            \
  "  key-int-max=50 ! h264parse config-interval=-1 ! queue "                   \
  "! p2p.video_0 "                                                             \
  "audiotestsrc is-live=true wave=ticks ! audioconvert ! avenc_aac "           \
  "! aacparse ! queue ! p2p.audio_0"

/* Whatever the clip's container is, parsebin takes it apart. */
#define CLIP "p2psink name=p2p filesrc name=clip ! parsebin name=parse"

typedef struct
{
  ProgramOptions options;
  gchar *clip;
  GMainLoop *loop;
  GstElement *pipeline;
  GstElement *sink;
  FrameLog *frame_log;
  gboolean failed;

  /* parsebin's thread makes streams, p2psink's tells of viewers. */
  GMutex lock;
  gboolean wait;     /* for a viewer, before the clip begins */
  GPtrArray *held;   /* of GstPad: streams that wait */
  gint64 clip_start; /* running time at which it began */
} Camera;

static gboolean
bus_message (GstBus *bus, GstMessage *message, gpointer user)
{
  Camera *camera = user;

  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_ERROR:
      program_print_error (message, "camera");
      camera->failed = TRUE;
      g_main_loop_quit (camera->loop);
      break;
    case GST_MESSAGE_EOS:
      g_print ("camera  end of the clip\n");
      g_main_loop_quit (camera->loop);
      break;
    case GST_MESSAGE_ELEMENT:
      program_print_step (message, "camera");
      break;
    default:
      break;
  }
  return G_SOURCE_CONTINUE;
}

/* -- A clip, at the speed of life ------------------------------------------ */

/* Lets a stream of the clip go, at this moment of the pipeline. */
static void
release_stream (gpointer pad, gpointer offset)
{
  gst_pad_set_offset (pad, *(gint64 *)offset);
  gst_pad_remove_probe (pad,
                        GPOINTER_TO_SIZE (g_object_get_data (pad, "held")));
}

/* Somebody wants to see something. */
static void
request_added (GstElement *sink, const gchar *peer, guint request,
               GstStructure *info, Camera *camera)
{
  GPtrArray *held;
  gint64 now;

  g_mutex_lock (&camera->lock);
  now = (gint64)gst_element_get_current_running_time (camera->pipeline);
  if (camera->wait)
    camera->clip_start = now;
  camera->wait = FALSE;
  held = g_steal_pointer (&camera->held);
  g_mutex_unlock (&camera->lock);
  if (held) {
    g_ptr_array_foreach (held, release_stream, &now);
    g_ptr_array_unref (held);
  }
}

static GstPadProbeReturn
hold (GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
  return GST_PAD_PROBE_OK;
}

/* Holds a stream of the clip until there is a viewer, if that was asked for. */
static void
hold_stream (Camera *camera, GstPad *pad)
{
  gulong probe;

  g_mutex_lock (&camera->lock);
  if (camera->wait) {
    probe = gst_pad_add_probe (pad,
                               GST_PAD_PROBE_TYPE_BLOCK
                                   | GST_PAD_PROBE_TYPE_BUFFER,
                               hold, NULL, NULL);
    g_object_set_data (G_OBJECT (pad), "held", GSIZE_TO_POINTER (probe));
    g_ptr_array_add (camera->held, gst_object_ref (pad));
  } else
    gst_pad_set_offset (pad, camera->clip_start);
  g_mutex_unlock (&camera->lock);
}

/* Parameter sets before each keyframe, as a viewer may come at any. */
static const gchar *
chain_for (const gchar *format)
{
  if (g_str_equal (format, "video/x-h264"))
    return "h264parse config-interval=-1 ! identity sync=true ! queue";
  if (g_str_equal (format, "video/x-h265"))
    return "h265parse config-interval=-1 ! identity sync=true ! queue";
  return "identity sync=true ! queue";
}

static gboolean
link_branch (GstPad *pad, GstElement *branch, GstPad *sink_pad)
{
  GstPad *first = gst_element_get_static_pad (branch, "sink");
  GstPad *last = gst_element_get_static_pad (branch, "src");
  gboolean ok = gst_pad_link (pad, first) == GST_PAD_LINK_OK
                && gst_pad_link (last, sink_pad) == GST_PAD_LINK_OK;

  gst_object_unref (first);
  gst_object_unref (last);
  return ok;
}

/* parsebin has found a stream of the clip: through a pacer it goes to a pad of
 * p2psink. One that cannot be sent, such as subtitles, ends here. */
static void
clip_stream (GstElement *parsebin, GstPad *pad, Camera *camera)
{
  GstCaps *caps = gst_pad_get_current_caps (pad);
  const gchar *format
      = gst_structure_get_name (gst_caps_get_structure (caps, 0));
  gboolean audio = g_str_has_prefix (format, "audio/");
  GstElement *branch
      = gst_parse_bin_from_description_full (chain_for (format), TRUE, NULL,
                                             GST_PARSE_FLAG_FATAL_ERRORS, NULL);
  GstPad *sink_pad;

  hold_stream (camera, pad);
  if (branch) {
    gst_bin_add (GST_BIN (camera->pipeline), branch);
    gst_element_sync_state_with_parent (branch);
    sink_pad = gst_element_request_pad_simple (camera->sink,
                                               audio ? "audio_%u" : "video_%u");
    if (!link_branch (pad, branch, sink_pad)) {
      gst_element_release_request_pad (camera->sink, sink_pad);
      g_printerr ("camera: %s of the clip cannot be sent\n", format);
    }
    gst_object_unref (sink_pad);
  } else
    g_printerr ("camera: no parser for %s of the clip\n", format);
  gst_caps_unref (caps);
}

/* -- The camera ------------------------------------------------------------ */

static void
watch_pad (GstElement *sink, GstPad *pad, Camera *camera)
{
  frame_log_watch (camera->frame_log, pad);
}

static gboolean
watch_present_pad (GstElement *sink, GstPad *pad, gpointer camera)
{
  watch_pad (sink, pad, camera);
  return TRUE;
}

static void
configure_clip (Camera *camera)
{
  GstElement *source = gst_bin_get_by_name (GST_BIN (camera->pipeline), "clip");
  GstElement *parser
      = gst_bin_get_by_name (GST_BIN (camera->pipeline), "parse");

  g_object_set (source, "location", camera->clip, NULL);
  g_signal_connect (parser, "pad-added", G_CALLBACK (clip_stream), camera);
  if (camera->wait)
    g_signal_connect (camera->sink, "request-added", G_CALLBACK (request_added),
                      camera);
  gst_object_unref (source);
  gst_object_unref (parser);
}

static gboolean
build (Camera *camera, GError **error)
{
  camera->pipeline
      = gst_parse_launch_full (camera->clip ? CLIP : SYNTHETIC, NULL,
                               GST_PARSE_FLAG_FATAL_ERRORS, error);
  if (!camera->pipeline)
    return FALSE;
  camera->sink = gst_bin_get_by_name (GST_BIN (camera->pipeline), "p2p");
  g_object_set (camera->sink, "device-id", camera->options.device_id, NULL);
  program_configure (&camera->options, camera->sink);
  if (camera->clip)
    configure_clip (camera);
  if (camera->options.frame_log) {
    camera->frame_log = frame_log_new (camera->options.frame_log, error);
    if (!camera->frame_log)
      return FALSE;
    gst_element_foreach_sink_pad (camera->sink, watch_present_pad, camera);
    g_signal_connect (camera->sink, "pad-added", G_CALLBACK (watch_pad),
                      camera);
  }
  return TRUE;
}

static void
run (Camera *camera)
{
  GstBus *bus = gst_element_get_bus (camera->pipeline);

  camera->loop = g_main_loop_new (NULL, FALSE);
  gst_bus_add_watch (bus, bus_message, camera);
  program_quit_by_signal (camera->loop);
  program_quit_after (camera->loop, camera->options.seconds);
  if (gst_element_set_state (camera->pipeline, GST_STATE_PLAYING)
      == GST_STATE_CHANGE_FAILURE)
    program_fail (camera->loop, bus, "camera", &camera->failed);
  g_main_loop_run (camera->loop);
  gst_element_set_state (camera->pipeline, GST_STATE_NULL);
  gst_bus_remove_watch (bus);
  gst_object_unref (bus);
  g_main_loop_unref (camera->loop);
}

int
main (int argc, char **argv)
{
  Camera camera = { { 0 } };
  const GOptionEntry entries[]
      = { { "file", 0, 0, G_OPTION_ARG_FILENAME, &camera.clip,
            "Send this clip, once, instead of a synthetic picture", "CLIP" },
          { "wait", 0, 0, G_OPTION_ARG_NONE, &camera.wait,
            "Start the clip when the first viewer asks for it", NULL },
          { NULL } };
  GError *error = NULL;

  if (!program_init (&argc, &argv, &camera.options, entries,
                     "A camera, for any number of viewers."))
    return 2;
  g_mutex_init (&camera.lock);
  camera.held = g_ptr_array_new_with_free_func (gst_object_unref);
  if (build (&camera, &error)) {
    run (&camera);
  } else {
    g_printerr ("camera: %s\n", error->message);
    g_error_free (error);
    camera.failed = TRUE;
  }
  g_clear_pointer (&camera.held, g_ptr_array_unref);
  g_mutex_clear (&camera.lock);
  g_clear_pointer (&camera.sink, gst_object_unref);
  g_clear_pointer (&camera.pipeline, gst_object_unref);
  frame_log_close (camera.frame_log);
  g_free (camera.clip);
  program_options_clear (&camera.options);
  return camera.failed ? 1 : 0;
}
