/* iv-watermark-queue before sinks that know nothing of it: slow ones, and
 * srtsink while nobody has called yet.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <arpa/inet.h>
#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define H264                                                                   \
  "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au"
#define SIZE 5000
#define MARKS                                                                  \
  "iv-watermark-queue name=q when-full=drop low-watermark=20000 "              \
  "warn-watermark=50000 high-watermark=100000 ! "

typedef struct
{
  GstElement *bin;
  GstHarness *h;
  GstBus *bus;
  guint pushed;
} Line;

static void
line_open (Line *line, const gchar *sink)
{
  gchar *text = g_strconcat (MARKS, sink, NULL);
  GError *error = NULL;

  memset (line, 0, sizeof *line);
  line->bin = gst_parse_bin_from_description (text, TRUE, &error);
  fail_unless (line->bin != NULL && error == NULL);
  line->bus = gst_bus_new ();
  line->h = gst_harness_new_with_element (line->bin, "sink", NULL);
  gst_element_set_bus (line->bin, line->bus);
  gst_harness_set_src_caps_str (line->h, H264);
  g_free (text);
}

static void
line_close (Line *line)
{
  gst_element_set_bus (line->bin, NULL);
  gst_harness_teardown (line->h);
  gst_object_unref (line->bus);
  gst_object_unref (line->bin);
}

/* Its number is all that is in it. */
static void
push (Line *line, gboolean key)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, SIZE, NULL);

  gst_buffer_memset (buffer, 0, (guint8)line->pushed, SIZE);
  GST_BUFFER_PTS (buffer) = line->pushed++ * 40 * GST_MSECOND;
  if (!key)
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  fail_unless_equals_int (gst_harness_push (line->h, buffer), GST_FLOW_OK);
}

static guint64
expect (Line *line, const gchar *event)
{
  GstMessage *message;
  guint64 level = 0;

  do {
    message = gst_bus_timed_pop_filtered (line->bus, 30 * GST_SECOND,
                                          GST_MESSAGE_ELEMENT);
    fail_unless (message != NULL);
  } while (!gst_message_has_name (message, "iv-watermark")
           && (gst_message_unref (message), TRUE));
  fail_unless_equals_string (
      gst_structure_get_string (gst_message_get_structure (message), "event"),
      event);
  gst_structure_get_uint64 (gst_message_get_structure (message), "level-bytes",
                            &level);
  gst_message_unref (message);
  return level;
}

static void
expect_key_unit_request (Line *line)
{
  GstEvent *event;
  gboolean found = FALSE;

  while (!found) {
    event = gst_harness_pull_upstream_event (line->h);
    fail_unless (event != NULL);
    found = gst_video_event_is_force_key_unit (event);
    gst_event_unref (event);
  }
}

/* -- A slow sink ----------------------------------------------------------- */

typedef struct
{
  GMutex lock;
  GCond changed;
  gboolean open;
  guint8 numbers[256];
  gboolean discont[256];
  guint count;
} Slow;

static void
on_handoff (GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer user)
{
  Slow *slow = user;

  g_mutex_lock (&slow->lock);
  while (!slow->open)
    g_cond_wait (&slow->changed, &slow->lock);
  gst_buffer_extract (buffer, 0, &slow->numbers[slow->count], 1);
  slow->discont[slow->count++]
      = GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  g_cond_broadcast (&slow->changed);
  g_mutex_unlock (&slow->lock);
}

/* What it has in hand counts; what came in before the mark arrives whole, and
 * then a keyframe. */
GST_START_TEST (test_slow_sink)
{
  Slow slow = { .count = 0 };
  GstElement *sink;
  guint before, i;
  Line line;

  line_open (&line, "fakesink name=s sync=false async=false "
                    "signal-handoffs=true");
  sink = gst_bin_get_by_name (GST_BIN (line.bin), "s");
  g_signal_connect (sink, "handoff", G_CALLBACK (on_handoff), &slow);
  push (&line, TRUE);
  while (line.pushed * SIZE <= 100000)
    push (&line, FALSE);
  fail_unless_equals_uint64 (expect (&line, "warn"), 55000);
  fail_unless_equals_uint64 (expect (&line, "high"), 105000);
  before = line.pushed;
  for (i = 0; i < 10; i++)
    push (&line, i == 5);
  g_mutex_lock (&slow.lock);
  slow.open = TRUE;
  g_cond_broadcast (&slow.changed);
  g_mutex_unlock (&slow.lock);
  fail_unless_equals_uint64 (expect (&line, "low"), 15000);
  expect_key_unit_request (&line);
  push (&line, FALSE);
  push (&line, TRUE);
  push (&line, FALSE);
  g_mutex_lock (&slow.lock);
  while (slow.count < before + 2)
    g_cond_wait (&slow.changed, &slow.lock);
  for (i = 0; i < before; i++)
    fail_unless_equals_int (slow.numbers[i], i);
  fail_unless_equals_int (slow.numbers[before], line.pushed - 2);
  fail_unless_equals_int (slow.numbers[before + 1], line.pushed - 1);
  fail_unless (slow.discont[before] && !slow.discont[before + 1]);
  g_mutex_unlock (&slow.lock);
  line_close (&line);
  gst_object_unref (sink);
}

GST_END_TEST;

/* -- srtsink --------------------------------------------------------------- */

static guint
free_udp_port (void)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t len = sizeof address;
  int fd = socket (AF_INET, SOCK_DGRAM, 0);

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  fail_unless (bind (fd, (struct sockaddr *)&address, len) == 0);
  getsockname (fd, (struct sockaddr *)&address, &len);
  close (fd);
  return ntohs (address.sin_port);
}

/* Nobody is there: the queue fills, and drops. The first caller gets what was
 * there before that and then a keyframe: never a frame that was dropped. */
GST_START_TEST (test_srt_sink)
{
  guint port = free_udp_port (), before, keyframe, i;
  GstElement *source;
  GstHarness *viewer;
  guint8 number = 0;
  gchar *text;
  Line line;

  text = g_strdup_printf ("srtsink uri=srt://127.0.0.1:%u?mode=listener "
                          "sync=false async=false",
                          port);
  line_open (&line, text);
  g_free (text);
  push (&line, TRUE);
  while (line.pushed * SIZE <= 100000)
    push (&line, FALSE);
  expect (&line, "warn");
  expect (&line, "high");
  before = line.pushed;
  for (i = 0; i < 10; i++)
    push (&line, FALSE);

  text = g_strdup_printf ("srt://127.0.0.1:%u?mode=caller", port);
  source = gst_element_factory_make ("srtsrc", NULL);
  g_object_set (source, "uri", text, NULL);
  g_free (text);
  viewer = gst_harness_new_with_element (source, NULL, "src");
  gst_object_unref (source);
  gst_harness_use_systemclock (viewer);
  gst_harness_play (viewer);
  expect (&line, "low");
  expect_key_unit_request (&line);
  push (&line, FALSE);
  keyframe = line.pushed;
  /* More of them, as SRT gives up what comes too late. */
  while (number < keyframe) {
    GstBuffer *got = gst_harness_try_pull (viewer);

    if (got == NULL && line.pushed < 250)
      push (&line, TRUE);
    if (got == NULL)
      got = gst_harness_pull (viewer);
    fail_unless (got != NULL);
    gst_buffer_extract (got, 0, &number, 1);
    gst_buffer_unref (got);
    fail_unless (number < before || number >= keyframe);
  }
  gst_harness_teardown (viewer);
  line_close (&line);
}

GST_END_TEST;

static Suite *
watermark_sinks_suite (void)
{
  Suite *suite = suite_create ("watermark-sinks");
  TCase *tcase = tcase_create ("sinks");
  GstElementFactory *srt = gst_element_factory_find ("srtsink");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_slow_sink);
  /* What memcheck says of libsrt is not ours to judge. */
  if (srt != NULL && g_getenv ("P2P_VALGRIND") == NULL)
    tcase_add_test (tcase, test_srt_sink);
  else
    g_print ("no srtsink here: not tried\n");
  gst_clear_object (&srt);
  return suite;
}

GST_CHECK_MAIN (watermark_sinks);
