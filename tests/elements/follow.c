/* An encoder that follows, for real: x264enc in front of p2psink and of
 * udtsink, and a link that carries less than the encoder was set to.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The narrow link is a thread that hands datagrams on between two sockets of
 * 127.0.0.1, at a rate, with a queue that overflows. What the test waits for is
 * a notify of the encoder.
 */
#include "loopback.h"
#include <arpa/inet.h>
#include <errno.h>
#include <gst/base/gstbasesink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CAMERA                                                                 \
  "videotestsrc is-live=true pattern=snow ! "                                  \
  "video/x-raw,width=320,height=240,framerate=30/1 ! x264enc name=enc "        \
  "tune=zerolatency speed-preset=ultrafast key-int-max=60 "                    \
  "vbv-buf-capacity=200 bitrate=%u ! h264parse config-interval=-1 ! %s"

/* -- The encoder ----------------------------------------------------------- */

static GMutex lock;
static GCond changed;

static void
on_bitrate (GObject *object, GParamSpec *spec, gpointer unused)
{
  g_mutex_lock (&lock);
  g_cond_broadcast (&changed);
  g_mutex_unlock (&lock);
}

static guint
number_of (GstElement *element, const gchar *name)
{
  guint value;

  g_object_get (element, name, &value, NULL);
  return value;
}

/* kbit/s. */
static void
wait_bitrate (GstElement *encoder, guint least, guint most)
{
  guint bitrate;

  g_mutex_lock (&lock);
  while ((bitrate = number_of (encoder, "bitrate")) < least || bitrate > most)
    g_cond_wait (&changed, &lock);
  g_mutex_unlock (&lock);
}

static GstElement *
launch (const gchar *line)
{
  GError *error = NULL;
  GstElement *pipeline = gst_parse_launch (line, &error);

  fail_unless (pipeline != NULL && error == NULL, "%s", line);
  return pipeline;
}

static GstElement *
launch_camera (guint kbits, const gchar *sink, GstElement **encoder)
{
  gchar *line = g_strdup_printf (CAMERA, kbits, sink);
  GstElement *pipeline = launch (line);

  *encoder = gst_bin_get_by_name (GST_BIN (pipeline), "enc");
  g_signal_connect (*encoder, "notify::bitrate", G_CALLBACK (on_bitrate), NULL);
  g_free (line);
  return pipeline;
}

static void
play (GstElement *pipeline)
{
  fail_if (gst_element_set_state (pipeline, GST_STATE_PLAYING)
           == GST_STATE_CHANGE_FAILURE);
}

static void
drop (GstElement *pipeline)
{
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

/* -- p2psink: a good path -------------------------------------------------- */

/* It begins with what was asked for, rises to what the encoder had, obeys a new
 * maximum, and gives back. */
GST_START_TEST (test_good_path)
{
  gchar *signaller = free_signaller ();
  gchar *sink
      = g_strdup_printf ("p2psink name=net device-id=camera-1 key=\"" KEY
                         "\" signaller=%s start-bitrate=700000",
                         signaller);
  gchar *viewer_line = g_strdup_printf ("p2psrc uri=p2p://camera-1 key=\"" KEY
                                        "\" signaller=%s ! fakesink",
                                        signaller);
  GstElement *encoder, *net, *camera, *viewer;

  camera = launch_camera (800, sink, &encoder);
  viewer = launch (viewer_line);
  net = gst_bin_get_by_name (GST_BIN (camera), "net");
  play (camera);
  wait_bitrate (encoder, 700, 700);
  play (viewer);
  wait_bitrate (encoder, 800, 800);
  g_object_set (net, "max-bitrate", 500000, NULL);
  wait_bitrate (encoder, 500, 500);
  fail_unless_equals_int (number_of (net, "target-bitrate"), 500000);
  gst_element_set_state (camera, GST_STATE_READY);
  wait_bitrate (encoder, 800, 800);
  drop (viewer);
  gst_object_unref (net);
  gst_object_unref (encoder);
  drop (camera);
  g_free (viewer_line);
  g_free (sink);
  g_free (signaller);
}

GST_END_TEST;

/* -- udtsink: a narrow one ------------------------------------------------- */

#define NARROW 600000 /* bit/s */
#define QUEUE 24      /* datagrams */
#define DATAGRAM 1500

typedef struct
{
  int inside, outside, quit[2]; /* towards the sink; towards the caller */
  guint port;
  struct sockaddr_in caller;
  gboolean known;
  guint8 data[QUEUE][DATAGRAM];
  gsize sizes[QUEUE];
  guint first, n;
  gint64 free_at; /* us: the link can take the next */
  GThread *thread;
} Link;

static int
open_socket (struct sockaddr_in *address)
{
  int fd = socket (AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  socklen_t len = sizeof *address;

  memset (address, 0, sizeof *address);
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  fail_unless (fd >= 0);
  fail_unless (bind (fd, (struct sockaddr *)address, len) == 0);
  fail_unless (getsockname (fd, (struct sockaddr *)address, &len) == 0);
  return fd;
}

/* What comes back is acknowledgements: as fast as they come. */
static void
from_caller (Link *link)
{
  guint8 data[DATAGRAM];
  socklen_t len = sizeof link->caller;
  gssize size = recvfrom (link->outside, data, sizeof data, 0,
                          (struct sockaddr *)&link->caller, &len);

  if (size <= 0)
    return;
  link->known = TRUE;
  send (link->inside, data, (gsize)size, 0);
}

static void
from_sink (Link *link)
{
  guint8 surplus[DATAGRAM];
  guint last = (link->first + link->n) % QUEUE;
  gboolean full = link->n == QUEUE;
  gssize size
      = recv (link->inside, full ? surplus : link->data[last], DATAGRAM, 0);

  if (size <= 0 || full)
    return;
  link->sizes[last] = (gsize)size;
  if (link->n++ == 0)
    link->free_at = MAX (link->free_at, g_get_monotonic_time ());
}

static void
deliver (Link *link)
{
  while (link->n > 0) {
    gsize size = link->sizes[link->first];
    gint64 done = link->free_at + (gint64)size * 8 * G_USEC_PER_SEC / NARROW;

    if (done > g_get_monotonic_time ())
      return;
    if (link->known)
      sendto (link->outside, link->data[link->first], size, 0,
              (struct sockaddr *)&link->caller, sizeof link->caller);
    link->free_at = done;
    link->first = (link->first + 1) % QUEUE;
    link->n--;
  }
}

static gpointer
link_thread (gpointer data)
{
  Link *link = data;
  struct pollfd fds[] = { { link->inside, POLLIN, 0 },
                          { link->outside, POLLIN, 0 },
                          { link->quit[0], POLLIN, 0 } };

  while (fds[2].revents == 0) {
    if (poll (fds, G_N_ELEMENTS (fds), link->n > 0 ? 1 : -1) < 0
        && errno != EINTR)
      break;
    if (fds[0].revents != 0)
      from_sink (link);
    if (fds[1].revents != 0)
      from_caller (link);
    deliver (link);
  }
  return NULL;
}

static Link *
link_new (guint sink_port)
{
  Link *link = g_new0 (Link, 1);
  struct sockaddr_in address;

  link->inside = open_socket (&address);
  address.sin_port = htons ((guint16)sink_port);
  fail_unless (
      connect (link->inside, (struct sockaddr *)&address, sizeof address) == 0);
  link->outside = open_socket (&address);
  link->port = ntohs (address.sin_port);
  fail_unless (pipe (link->quit) == 0);
  link->thread = g_thread_new ("link", link_thread, link);
  return link;
}

static void
link_free (Link *link)
{
  close (link->quit[1]);
  g_thread_join (link->thread);
  close (link->quit[0]);
  close (link->inside);
  close (link->outside);
  g_free (link);
}

GST_START_TEST (test_narrow_path)
{
  GstElement *encoder, *net, *camera, *viewer;
  gchar *line;
  Link *link;

  camera = launch_camera (2500,
                          "udtsink name=net insecure=true max-bitrate=2000000 "
                          "uri=udt://127.0.0.1:0?mode=listener",
                          &encoder);
  net = gst_bin_get_by_name (GST_BIN (camera), "net");
  play (camera);
  wait_bitrate (encoder, 2000, 2000);
  /* The one of GstBaseSink would hold data back. */
  fail_unless_equals_uint64 (gst_base_sink_get_max_bitrate (
                                 GST_BASE_SINK (net)),
                             0);
  link = link_new (number_of (net, "bound-port"));
  line = g_strdup_printf ("udtsrc insecure=true uri=udt://127.0.0.1:%u ! "
                          "fakesink",
                          link->port);
  viewer = launch (line);
  play (viewer);
  wait_bitrate (encoder, 128, NARROW / 1000);
  fail_unless (number_of (net, "target-bitrate") < 2000000);
  drop (viewer);
  /* Nobody watches: back to the most. */
  wait_bitrate (encoder, 2000, 2000);
  gst_element_set_state (camera, GST_STATE_READY);
  wait_bitrate (encoder, 2500, 2500);
  link_free (link);
  gst_object_unref (net);
  gst_object_unref (encoder);
  drop (camera);
  g_free (line);
}

GST_END_TEST;

static Suite *
follow_suite (void)
{
  Suite *suite = suite_create ("encoders that follow");
  TCase *tcase = tcase_create ("follow");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_good_path);
  tcase_add_test (tcase, test_narrow_path);
  return suite;
}

GST_CHECK_MAIN (follow);
