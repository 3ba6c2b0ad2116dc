/* bench-receive: checks what bench-send sent, behind any source.
 *
 *   bench-receive [OPTION…] 'SOURCE … ! fakesink name=out'
 *
 * What comes to a fakesink named "file", if there is one, is told of alone:
 * "file US BYTES" every time a block of it was right.
 *
 * Writes to standard output: "first US" when the first bytes come, the p2p-step
 * messages, with --samples a line "at US BYTES" every 100 ms, and at the end,
 * which SIGINT or SIGTERM asks for, "received FRAMES BYTES WRONG": frames that
 * came whole, bytes of them that were right, pieces that were not. --log has a
 * line for each frame that came whole: number, whether it is a keyframe, times
 * of sending and of arrival in us, bytes.
 *
 * Threads: buffers come in the source's thread; `lock` guards Receiver's
 * counters. The rest is the main thread's.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "content.h"
#include "program.h"

#include <glib-unix.h>
#include <gst/gst.h>
#include <stdio.h>

#define SAMPLE_MS 100
/* Frames that may be in the middle of arriving. */
#define OPEN_FRAMES 256

typedef struct
{
  GMainLoop *loop;
  GstElement *pipeline;
  uint8_t *pattern;
  FILE *log;

  GMutex lock;
  struct
  {
    guint32 number, have;
  } open[OPEN_FRAMES];
  guint64 frames, bytes, wrong;
  guint64 file_bytes;
} Receiver;

static gboolean samples;
static gchar *log_path;

static const GOptionEntry entries[] = {
  { "samples", 0, 0, G_OPTION_ARG_NONE, &samples, "tell how it goes", NULL },
  { "log", 0, 0, G_OPTION_ARG_FILENAME, &log_path, "log of frames", "FILE" },
  { NULL }
};

/* Lock held. A piece that is right in every byte. */
static void
take_piece (Receiver *receiver, const ContentHeader *header, guint32 size)
{
  guint slot = header->number % OPEN_FRAMES;
  guint64 now = content_now_us ();
  guint64 sent = now - (guint32)((guint32)now - header->sent);

  if (receiver->bytes == 0)
    g_print ("first %" G_GUINT64_FORMAT "\n", now);
  if (receiver->open[slot].number != header->number) {
    receiver->open[slot].number = header->number;
    receiver->open[slot].have = 0;
  }
  receiver->open[slot].have += size;
  receiver->bytes += size;
  if (receiver->open[slot].have != header->total)
    return;
  receiver->frames++;
  if (receiver->log)
    fprintf (receiver->log,
             "%u %u %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %u\n",
             header->number, header->magic & CONTENT_KEY, sent, now,
             header->total);
}

static void
on_buffer (GstElement *out, GstBuffer *buffer, GstPad *pad, Receiver *receiver)
{
  ContentHeader header;
  GstMapInfo map;

  if (!gst_buffer_map (buffer, &map, GST_MAP_READ))
    return;
  g_mutex_lock (&receiver->lock);
  if (content_read (receiver->pattern, map.data, map.size, &header))
    take_piece (receiver, &header, (guint32)(map.size - sizeof header));
  else
    receiver->wrong++;
  g_mutex_unlock (&receiver->lock);
  gst_buffer_unmap (buffer, &map);
}

static void
on_file (GstElement *out, GstBuffer *buffer, GstPad *pad, Receiver *receiver)
{
  ContentHeader header;
  GstMapInfo map;

  if (!gst_buffer_map (buffer, &map, GST_MAP_READ))
    return;
  g_mutex_lock (&receiver->lock);
  if (content_read (receiver->pattern, map.data, map.size, &header)) {
    receiver->file_bytes += map.size;
    g_print ("file %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n",
             content_now_us (), receiver->file_bytes);
  } else {
    receiver->wrong++;
  }
  g_mutex_unlock (&receiver->lock);
  gst_buffer_unmap (buffer, &map);
}

static gboolean
on_sample (gpointer data)
{
  Receiver *receiver = data;

  g_mutex_lock (&receiver->lock);
  g_print ("at %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n",
           content_now_us (), receiver->bytes);
  g_mutex_unlock (&receiver->lock);
  return G_SOURCE_CONTINUE;
}

static gboolean
watch (Receiver *receiver, const gchar *name, GCallback function)
{
  GstElement *out = gst_bin_get_by_name (GST_BIN (receiver->pipeline), name);

  if (!out)
    return FALSE;
  g_object_set (out, "signal-handoffs", TRUE, "sync", FALSE, "async", FALSE,
                NULL);
  g_signal_connect (out, "handoff", function, receiver);
  gst_object_unref (out);
  return TRUE;
}

static gboolean
build (Receiver *receiver, const gchar *description)
{
  GError *error = NULL;
  GstBus *bus;

  receiver->pipeline = gst_parse_launch (description, &error);
  if (!receiver->pipeline || error) {
    g_print ("error %s\n", error->message);
    g_error_free (error);
    return FALSE;
  }
  if (!watch (receiver, "out", G_CALLBACK (on_buffer))) {
    g_print ("error no fakesink named \"out\"\n");
    return FALSE;
  }
  watch (receiver, "file", G_CALLBACK (on_file));
  bus = gst_element_get_bus (receiver->pipeline);
  gst_bus_add_watch (bus, program_message, receiver->loop);
  gst_object_unref (bus);
  return TRUE;
}

int
main (int argc, char **argv)
{
  GOptionContext *context
      = g_option_context_new ("PIPELINE - checks frames of bench-send");
  Receiver receiver = { 0 };
  GError *error = NULL;

  setvbuf (stdout, NULL, _IOLBF, 0);
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 2) {
    g_printerr ("bench-receive: %s\n", error ? error->message : "wrong use");
    return 2;
  }
  receiver.loop = g_main_loop_new (NULL, FALSE);
  receiver.pattern = content_pattern_new ();
  receiver.log = log_path ? fopen (log_path, "w") : NULL;
  g_mutex_init (&receiver.lock);
  memset (receiver.open, 0xff, sizeof receiver.open);
  if (!receiver.pattern || (log_path && !receiver.log)
      || !build (&receiver, argv[1]))
    return 1;
  g_unix_signal_add (SIGINT, program_signal, receiver.loop);
  g_unix_signal_add (SIGTERM, program_signal, receiver.loop);
  if (samples)
    g_timeout_add (SAMPLE_MS, on_sample, &receiver);
  gst_element_set_state (receiver.pipeline, GST_STATE_PLAYING);
  g_main_loop_run (receiver.loop);
  gst_element_set_state (receiver.pipeline, GST_STATE_NULL);
  /* Whoever reads the line may read the log. */
  if (receiver.log)
    fclose (receiver.log);
  g_print ("received %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
           " %" G_GUINT64_FORMAT "\n",
           receiver.frames, receiver.bytes, receiver.wrong);
  return 0;
}
