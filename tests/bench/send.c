/* bench-send: a camera whose frames can be checked byte by byte (content.h),
 * in front of any sink.
 *
 *   bench-send [OPTION…] 'appsrc name=in … ! SINK name=net …'
 *
 * An appsrc named "file", if there is one, gets --file bytes as fast as they
 * are taken, two seconds after the video began.
 *
 * Writes to standard output: "ready", the p2p-step messages, "request" for each
 * request that a viewer adds, and at the end, which SIGINT or SIGTERM asks for,
 * "sent FRAMES KEYS BYTES". --log has a line for each frame: number, whether it
 * is a keyframe, time in us, bytes.
 *
 * Threads: each Maker has one; `key_wanted`, `target` and `stop` are atomic.
 * Everything else is the main thread's.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "content.h"
#include "program.h"

#include <glib-unix.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <stdio.h>

/* Keyframes are so many times larger than others, as in the simulator. */
#define KEY_WEIGHT 5
/* Of a bulk transfer, what one buffer has; the queue that waits for the sink.
 */
#define BULK_BLOCK 60000
#define BULK_QUEUE (4 * BULK_BLOCK)
#define FILE_DELAY_US (2 * G_USEC_PER_SEC)
/* Never less than this is asked of an encoder that follows. */
#define LEAST_RATE 100000

typedef struct Sender Sender;

/* Who fills one appsrc, in a thread of its own: all but the first two is that
 * thread's while it runs. */
typedef struct
{
  Sender *sender;
  GThread *thread;
  GstElement *in;
  FILE *log;
  guint32 number;
  guint64 frames, keys, bytes;
} Maker;

struct Sender
{
  GMainLoop *loop;
  GstElement *pipeline, *net;
  uint8_t *pattern;
  gint key_wanted, target, stop;
  Maker video, file;
};

static struct
{
  gint rate, fps, gop, chunk, file;
  gboolean bulk, wait_request, follow;
  gchar *log;
} option = { 4000000, 30, 60, 0, 0, FALSE, FALSE, FALSE, NULL };

static const GOptionEntry entries[] = {
  { "rate", 0, 0, G_OPTION_ARG_INT, &option.rate, "bit/s of video", "N" },
  { "fps", 0, 0, G_OPTION_ARG_INT, &option.fps, "frames a second", "N" },
  { "gop", 0, 0, G_OPTION_ARG_INT, &option.gop, "frames to a keyframe", "N" },
  { "chunk", 0, 0, G_OPTION_ARG_INT, &option.chunk,
    "bytes of a buffer; 0: a frame is one buffer", "N" },
  { "bulk", 0, 0, G_OPTION_ARG_NONE, &option.bulk,
    "as much as the sink takes, instead of video", NULL },
  { "file", 0, 0, G_OPTION_ARG_INT, &option.file, "bytes of the file", "N" },
  { "wait-request", 0, 0, G_OPTION_ARG_NONE, &option.wait_request,
    "begin when somebody watches", NULL },
  { "follow", 0, 0, G_OPTION_ARG_NONE, &option.follow,
    "obey the sink's target-bitrate", NULL },
  { "log", 0, 0, G_OPTION_ARG_FILENAME, &option.log, "log of frames", "FILE" },
  { NULL }
};

/* An encoder that follows. */
static void
on_target (GstElement *net, GParamSpec *spec, Sender *sender)
{
  guint target;

  g_object_get (net, "target-bitrate", &target, NULL);
  g_atomic_int_set (&sender->target, (gint)MIN (target, G_MAXINT));
}

static gint
current_rate (Sender *sender)
{
  gint target = g_atomic_int_get (&sender->target);

  return target == 0 ? option.rate : CLAMP (target, LEAST_RATE, option.rate);
}

/* Bytes of the next frame, so that a group of them has the rate asked for. */
static guint
frame_size (Sender *sender, gboolean key)
{
  gdouble unit = (gdouble)current_rate (sender) / 8 / option.fps * option.gop
                 / (option.gop - 1 + KEY_WEIGHT);

  return (guint)MIN (unit * (key ? KEY_WEIGHT : 1), CONTENT_FRAME_MAX);
}

static gboolean
push_piece (Maker *maker, const ContentHeader *header, gsize size)
{
  GstBuffer *buffer
      = gst_buffer_new_allocate (NULL, sizeof *header + size, NULL);
  GstMapInfo map;

  if (!gst_buffer_map (buffer, &map, GST_MAP_WRITE)) {
    gst_buffer_unref (buffer);
    return FALSE;
  }
  content_write (maker->sender->pattern, header, size, map.data);
  gst_buffer_unmap (buffer, &map);
  if (!(header->magic & CONTENT_KEY))
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  return gst_app_src_push_buffer (GST_APP_SRC (maker->in), buffer)
         == GST_FLOW_OK;
}

static gboolean
push_frame (Maker *maker, gboolean key, guint total)
{
  guint64 now = content_now_us ();
  ContentHeader header = { CONTENT_MAGIC | (key ? CONTENT_KEY : 0),
                           maker->number++, 0, total, (guint32)now };
  guint room
      = option.chunk ? (guint)(option.chunk - (gint)sizeof header) : total;

  if (maker->log)
    fprintf (maker->log, "%u %d %" G_GUINT64_FORMAT " %u\n", header.number, key,
             now, total);
  maker->frames++;
  maker->keys += key;
  do {
    gsize size = MIN (room, total - header.offset);

    if (!push_piece (maker, &header, size))
      return FALSE;
    maker->bytes += sizeof header + size;
    header.offset += (guint32)size;
  } while (header.offset < total);
  return TRUE;
}

static void
make_video (Maker *maker)
{
  Sender *sender = maker->sender;
  guint64 next = content_now_us ();
  gint since_key = 0;

  while (!g_atomic_int_get (&sender->stop)) {
    gboolean key
        = g_atomic_int_compare_and_exchange (&sender->key_wanted, TRUE, FALSE)
          || since_key == 0;
    struct timespec until;

    since_key = key ? option.gop - 1 : since_key - 1;
    if (!push_frame (maker, key, frame_size (sender, key)))
      return;
    next += 1000000 / (guint)option.fps;
    until.tv_sec = (time_t)(next / 1000000);
    until.tv_nsec = (long)(next % 1000000) * 1000;
    clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
  }
}

static void
make_bulk (Maker *maker, guint64 bytes)
{
  while (!g_atomic_int_get (&maker->sender->stop) && maker->bytes < bytes
         && push_frame (maker, TRUE, BULK_BLOCK))
    ;
}

static gpointer
run_video (gpointer data)
{
  if (option.bulk)
    make_bulk (data, G_MAXUINT64);
  else
    make_video (data);
  return NULL;
}

static gpointer
run_file (gpointer data)
{
  g_usleep (FILE_DELAY_US);
  g_print ("file %" G_GUINT64_FORMAT "\n", content_now_us ());
  make_bulk (data, (guint64)option.file);
  return NULL;
}

static void
start_making (Sender *sender)
{
  if (sender->video.thread)
    return;
  sender->video.thread = g_thread_new ("video", run_video, &sender->video);
  if (sender->file.in)
    sender->file.thread = g_thread_new ("file", run_file, &sender->file);
}

static gboolean
request_in_main (gpointer data)
{
  g_print ("request\n");
  start_making (data);
  return G_SOURCE_REMOVE;
}

static void
on_request (GstElement *net, const gchar *peer, guint request,
            GstStructure *info, Sender *sender)
{
  g_idle_add (request_in_main, sender);
}

static GstPadProbeReturn
on_upstream (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Sender *sender = data;

  if (gst_video_event_is_force_key_unit (GST_PAD_PROBE_INFO_EVENT (info)))
    g_atomic_int_set (&sender->key_wanted, TRUE);
  return GST_PAD_PROBE_OK;
}

static void
set_bulk (GstElement *in)
{
  g_object_set (in, "block", TRUE, "max-bytes", (guint64)BULK_QUEUE, NULL);
}

static gboolean
build (Sender *sender, const gchar *description)
{
  GError *error = NULL;
  GstBus *bus;
  GstPad *pad;

  sender->pipeline = gst_parse_launch (description, &error);
  if (!sender->pipeline || error) {
    g_print ("error %s\n", error->message);
    g_error_free (error);
    return FALSE;
  }
  sender->video.in = gst_bin_get_by_name (GST_BIN (sender->pipeline), "in");
  sender->file.in = gst_bin_get_by_name (GST_BIN (sender->pipeline), "file");
  sender->net = gst_bin_get_by_name (GST_BIN (sender->pipeline), "net");
  if (!sender->video.in || !sender->net) {
    g_print ("error no appsrc named \"in\", or no sink named \"net\"\n");
    return FALSE;
  }
  if (option.bulk)
    set_bulk (sender->video.in);
  else
    g_object_set (sender->video.in, "is-live", TRUE, "do-timestamp", TRUE,
                  "format", GST_FORMAT_TIME, "max-bytes", (guint64)0, NULL);
  if (sender->file.in)
    set_bulk (sender->file.in);
  pad = gst_element_get_static_pad (sender->video.in, "src");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_EVENT_UPSTREAM, on_upstream,
                     sender, NULL);
  gst_object_unref (pad);
  if (g_signal_lookup ("request-added", G_OBJECT_TYPE (sender->net)))
    g_signal_connect (sender->net, "request-added", G_CALLBACK (on_request),
                      sender);
  if (option.follow) {
    g_object_set (sender->net, "max-bitrate", (guint)option.rate, NULL);
    g_signal_connect (sender->net, "notify::target-bitrate",
                      G_CALLBACK (on_target), sender);
  }
  bus = gst_element_get_bus (sender->pipeline);
  gst_bus_add_watch (bus, program_message, sender->loop);
  gst_object_unref (bus);
  return TRUE;
}

/* Video ends by itself; bulk may be held up by the sink until that goes down.
 */
static void
finish (Sender *sender)
{
  g_atomic_int_set (&sender->stop, TRUE);
  if (!option.bulk && sender->video.thread)
    g_thread_join (g_steal_pointer (&sender->video.thread));
  gst_element_set_state (sender->pipeline, GST_STATE_NULL);
  if (sender->video.thread)
    g_thread_join (sender->video.thread);
  if (sender->file.thread)
    g_thread_join (sender->file.thread);
  /* Whoever reads the line may read the log. */
  if (sender->video.log)
    fclose (sender->video.log);
  g_print ("sent %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
           "\n",
           sender->video.frames, sender->video.keys, sender->video.bytes);
}

int
main (int argc, char **argv)
{
  GOptionContext *context
      = g_option_context_new ("PIPELINE - sends frames that can be checked");
  Sender sender = { 0 };
  GError *error = NULL;

  setvbuf (stdout, NULL, _IOLBF, 0);
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 2
      || option.fps < 1 || option.gop < 1
      || (option.chunk && option.chunk <= (gint)sizeof (ContentHeader))) {
    g_printerr ("bench-send: %s\n", error ? error->message : "wrong use");
    return 2;
  }
  sender.loop = g_main_loop_new (NULL, FALSE);
  sender.pattern = content_pattern_new ();
  sender.video.sender = sender.file.sender = &sender;
  sender.video.log = option.log ? fopen (option.log, "w") : NULL;
  if (!sender.pattern || (option.log && !sender.video.log)
      || !build (&sender, argv[1]))
    return 1;
  g_unix_signal_add (SIGINT, program_signal, sender.loop);
  g_unix_signal_add (SIGTERM, program_signal, sender.loop);
  gst_element_set_state (sender.pipeline, GST_STATE_PLAYING);
  g_print ("ready\n");
  if (!option.wait_request)
    start_making (&sender);
  g_main_loop_run (sender.loop);
  finish (&sender);
  return 0;
}
