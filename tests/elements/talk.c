/* Talk and commands: what viewers send to a camera, and what both say to each
 * other.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>
#include <gst/video/video.h>
#include "loopback.h"

#define FRAME (20 * GST_MSECOND)
#define TALKERS 3
#define VOICE "p2p://camera-1?action=voice&channel=0"

/* What shares an endpoint shares its session: each viewer finds the camera at
 * another of this machine's own addresses. */
static gchar *
address (const gchar *signaller, const gchar *host)
{
  return g_strdup_printf ("tcp://%s%s", host, strrchr (signaller, ':'));
}

static gchar *
address_of (const gchar *signaller, guint number)
{
  gchar *host = g_strdup_printf ("127.0.0.%u", number + 1);
  gchar *uri = address (signaller, host);

  g_free (host);
  return uri;
}

static void
open_camera (Camera *camera, const gchar *signaller)
{
  gchar *any = address (signaller, "0.0.0.0");

  camera_open (camera, any);
  g_free (any);
}

/* -- Talk ------------------------------------------------------------------ */

/* A pipeline that sends to the camera; it looks like a camera to the test. */
static GstAppSrc *
talker_open (Camera *talker, const gchar *signaller, guint number)
{
  gchar *uri = address_of (signaller, number);
  GstAppSrc *voice;

  camera_open (talker, uri);
  g_object_set (talker->sink, "device-id", NULL, "uri", VOICE, NULL);
  voice = camera_add (talker, "audio_0", OPUS);
  camera_start (talker);
  g_free (uri);
  return voice;
}

/* The camera's ear: a pipeline of its own, the same device. */
static void
ear_open (Viewer *ear, const gchar *signaller)
{
  gchar *any = address (signaller, "0.0.0.0");

  viewer_open (ear, any, NULL, NULL);
  g_object_set (ear->src, "uri", NULL, "device-id", "camera-1", NULL);
  viewer_start (ear);
  g_free (any);
}

static void
say (Camera *talker, GstAppSrc *voice, guint seed)
{
  GstClockTime now = gst_element_get_current_running_time (talker->pipeline);

  fail_unless_equals_int (gst_app_src_push_buffer (voice, make_frame (seed, 100,
                                                                      now, 0)),
                          GST_FLOW_OK);
}

typedef struct
{
  GMutex lock;
  GCond changed;
  guint removed;
  gchar *direction, *action;
} Seen;

static void
on_pad_removed (GstElement *src, GstPad *pad, gpointer user)
{
  Seen *seen = user;

  g_mutex_lock (&seen->lock);
  seen->removed++;
  g_cond_broadcast (&seen->changed);
  g_mutex_unlock (&seen->lock);
}

static void
on_request (GstElement *sink, const gchar *peer, guint request,
            const GstStructure *info, gpointer user)
{
  Seen *seen = user;

  g_mutex_lock (&seen->lock);
  g_free (seen->direction);
  g_free (seen->action);
  seen->direction = g_strdup (gst_structure_get_string (info, "direction"));
  g_cond_broadcast (&seen->changed);
  seen->action = g_strdup (gst_structure_get_string (info, "action"));
  g_mutex_unlock (&seen->lock);
}

static gchar *
peer_of (Viewer *ear, const gchar *name, guint *request)
{
  GstPad *pad = gst_element_get_static_pad (ear->src, name);
  gchar *peer;

  fail_unless (pad != NULL);
  g_object_get (pad, "peer", &peer, "request", request, NULL);
  gst_object_unref (pad);
  return peer;
}

/* Three talk at once, one of them watches as well, on the same session. */
GST_START_TEST (test_talk)
{
  gchar *signaller = free_signaller (), *uri, *peers[TALKERS];
  Seen seen = { 0 };
  Camera camera, talkers[TALKERS];
  GstAppSrc *voices[TALKERS], *video;
  Viewer ear, viewer;
  guint i, j, request;

  g_mutex_init (&seen.lock);
  g_cond_init (&seen.changed);
  open_camera (&camera, signaller);
  video = camera_add (&camera, "video_0", H264);
  g_signal_connect (camera.sink, "request-added", G_CALLBACK (on_request),
                    &seen);
  camera_start (&camera);
  ear_open (&ear, signaller);
  g_signal_connect (ear.src, "pad-removed", G_CALLBACK (on_pad_removed), &seen);
  for (i = 0; i < TALKERS; i++) {
    gchar *name = g_strdup_printf ("audio_%u", i);
    GstBuffer *got;

    voices[i] = talker_open (&talkers[i], signaller, i);
    camera_wait_requests (&talkers[i], 1);
    say (&talkers[i], voices[i], 100 * i);
    got = viewer_wait (&ear, name, 1);
    fail_unless_equals_int (gst_buffer_get_size (got), 100);
    peers[i] = peer_of (&ear, name, &request);
    fail_unless (request > 0);
    for (j = 0; j < i; j++)
      fail_if (g_str_equal (peers[i], peers[j]));
    g_free (name);
  }
  camera_wait_requests (&camera, TALKERS);
  g_mutex_lock (&seen.lock);
  while (seen.direction == NULL)
    g_cond_wait (&seen.changed, &seen.lock);
  fail_unless_equals_string (seen.direction, "receive");
  fail_unless_equals_string (seen.action, "voice");
  g_mutex_unlock (&seen.lock);

  uri = address_of (signaller, 1);
  viewer_open (&viewer, uri, NULL, NULL);
  g_free (uri);
  viewer_start (&viewer);
  camera_wait_requests (&camera, TALKERS + 1);
  fail_unless_equals_string (camera.last_viewer, peers[1]);
  /* The camera's own handler may have counted it before ours was asked. */
  g_mutex_lock (&seen.lock);
  while (!g_str_equal (seen.direction, "send"))
    g_cond_wait (&seen.changed, &seen.lock);
  g_mutex_unlock (&seen.lock);
  fail_unless_equals_int (gst_app_src_push_buffer (
                              video,
                              make_frame (7, 5000,
                                          gst_element_get_current_running_time (
                                              camera.pipeline),
                                          0)),
                          GST_FLOW_OK);
  viewer_wait (&viewer, "video_0", 1);
  for (i = 0; i < TALKERS; i++)
    say (&talkers[i], voices[i], 100 * i + 1);
  for (i = 0; i < TALKERS; i++) {
    gchar *name = g_strdup_printf ("audio_%u", i);
    GstBuffer *got = viewer_wait (&ear, name, 2);
    GstBuffer *sent = make_frame (100 * i + 1, 100, 0, 0);

    fail_unless_equals_int (frame_checksum (got), frame_checksum (sent));
    gst_buffer_unref (sent);
    g_free (name);
  }

  /* Each goes in its own way: with an end, and without. The pads go, the others
   * stay, and the camera runs on. */
  fail_unless_equals_int (gst_app_src_end_of_stream (voices[0]), GST_FLOW_OK);
  viewer_wait_eos (&ear, "audio_0");
  camera_close (&talkers[0]);
  camera_close (&talkers[2]);
  viewer_wait_eos (&ear, "audio_2");
  g_mutex_lock (&seen.lock);
  while (seen.removed < 2)
    g_cond_wait (&seen.changed, &seen.lock);
  g_mutex_unlock (&seen.lock);
  say (&talkers[1], voices[1], 102);
  viewer_wait (&ear, "audio_1", 3);

  /* The ear goes and comes while the mouth is there. */
  viewer_close (&ear);
  ear_open (&ear, signaller);
  camera_wait_requests (&talkers[1], 2);
  say (&talkers[1], voices[1], 103);
  viewer_wait (&ear, "audio_0", 1);
  viewer_close (&viewer);
  camera_close (&talkers[1]);
  viewer_close (&ear);
  camera_close (&camera);
  for (i = 0; i < TALKERS; i++)
    g_free (peers[i]);
  g_free (seen.direction);
  g_free (seen.action);
  g_cond_clear (&seen.changed);
  g_mutex_clear (&seen.lock);
  g_free (signaller);
}

GST_END_TEST;

/* The mouth is there before the camera has an ear, or is there at all. */
GST_START_TEST (test_talk_waits)
{
  gchar *signaller = free_signaller (), *uri = address_of (signaller, 0);
  Camera talker;
  GstAppSrc *voice;
  Viewer ear;

  camera_open (&talker, uri);
  g_object_set (talker.sink, "device-id", NULL, "uri", VOICE, NULL);
  voice = camera_add (&talker, "audio_0", OPUS);
  fail_if (gst_element_set_state (talker.pipeline, GST_STATE_PLAYING)
           == GST_STATE_CHANGE_FAILURE);
  g_free (wait_step (talker.bus, "server", "failed"));
  say (&talker, voice, 1);
  ear_open (&ear, signaller);
  camera_wait_requests (&talker, 1);
  say (&talker, voice, 2);
  viewer_wait (&ear, "audio_0", 1);
  viewer_close (&ear);
  camera_close (&talker);
  g_free (uri);
  g_free (signaller);
}

GST_END_TEST;

/* -- Commands -------------------------------------------------------------- */

typedef struct
{
  GMutex lock;
  GCond changed;
  guint asked;
  gchar *blocked; /* this peer waits */
} Oracle;

static GBytes *
on_command (GstElement *element, const gchar *peer, GBytes *command,
            gpointer user)
{
  Oracle *oracle = user;

  g_mutex_lock (&oracle->lock);
  oracle->asked++;
  g_cond_broadcast (&oracle->changed);
  while (oracle->blocked != NULL && g_str_equal (oracle->blocked, peer))
    g_cond_wait (&oracle->changed, &oracle->lock);
  g_mutex_unlock (&oracle->lock);
  return g_bytes_ref (command);
}

static GBytes *
on_nothing (GstElement *element, const gchar *peer, GBytes *command,
            gpointer user)
{
  return NULL;
}

static GstPromise *
ask (GstElement *element, const gchar *peer, gsize size)
{
  GstPromise *promise = gst_promise_new ();
  GBytes *command = g_bytes_new_take (g_strnfill (size, 'c'), size);

  g_signal_emit_by_name (element, "send-command", peer, command, promise);
  g_bytes_unref (command);
  return promise;
}

/* `size` < 0: an error is expected. */
static void
expect (GstPromise *promise, gssize size, const gchar *error)
{
  const GstStructure *answer;
  GBytes *reply = NULL;

  fail_unless_equals_int (gst_promise_wait (promise),
                          GST_PROMISE_RESULT_REPLIED);
  answer = gst_promise_get_reply (promise);
  fail_unless (gst_structure_has_name (answer, "application/x-p2p-reply"));
  fail_unless_equals_string (gst_structure_get_string (answer, "error"), error);
  if (error == NULL) {
    fail_unless (
        gst_structure_get (answer, "reply", G_TYPE_BYTES, &reply, NULL));
    fail_unless_equals_int (g_bytes_get_size (reply), size);
    g_bytes_unref (reply);
  }
  gst_promise_unref (promise);
}

GST_START_TEST (test_commands)
{
  static const gsize sizes[] = { 0, 1, 3000, 16384, 65536 };
  gchar *signaller = free_signaller (), *uri;
  Oracle oracle = { 0 };
  Camera camera;
  Viewer viewers[2];
  GstPromise *slow;
  gchar *peer;
  guint i;

  g_mutex_init (&oracle.lock);
  g_cond_init (&oracle.changed);
  open_camera (&camera, signaller);
  camera_add (&camera, "video_0", H264);
  expect (ask (camera.sink, NULL, 1), -1, "closed");
  camera_start (&camera);
  for (i = 0; i < 2; i++) {
    uri = address_of (signaller, i);
    viewer_open (&viewers[i], uri, NULL, NULL);
    viewer_start (&viewers[i]);
    camera_wait_requests (&camera, i + 1);
    g_free (wait_step (viewers[i].bus, "transport", "ok"));
    g_free (uri);
  }
  peer = g_strdup (camera.last_viewer);
  expect (ask (viewers[0].src, NULL, 5), -1, "refused");
  g_signal_connect (camera.sink, "command", G_CALLBACK (on_nothing), NULL);
  expect (ask (viewers[0].src, NULL, 5), -1, "refused");
  g_signal_connect (camera.sink, "command", G_CALLBACK (on_command), &oracle);
  g_signal_connect (viewers[1].src, "command", G_CALLBACK (on_command),
                    &oracle);
  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    expect (ask (viewers[1].src, NULL, sizes[i]), (gssize)sizes[i], NULL);
    expect (ask (viewers[1].src, "camera-1", sizes[i]), (gssize)sizes[i], NULL);
    expect (ask (camera.sink, peer, sizes[i]), (gssize)sizes[i], NULL);
  }
  expect (ask (camera.sink, peer, 65537), -1, "too-big");
  expect (ask (camera.sink, "viewer-none", 1), -1, "not-connected");
  expect (ask (camera.sink, NULL, 1), -1, "not-connected");

  /* Whose handler is busy waits; the other does not, and the camera stops all
   * the same. */
  g_mutex_lock (&oracle.lock);
  oracle.asked = 0;
  oracle.blocked = peer;
  g_mutex_unlock (&oracle.lock);
  slow = ask (viewers[1].src, NULL, 10);
  g_mutex_lock (&oracle.lock);
  while (oracle.asked < 1)
    g_cond_wait (&oracle.changed, &oracle.lock);
  g_mutex_unlock (&oracle.lock);
  expect (ask (viewers[0].src, NULL, 20), 20, NULL);
  camera_close (&camera);
  expect (slow, -1, "peer-gone");
  g_mutex_lock (&oracle.lock);
  oracle.blocked = NULL;
  g_cond_broadcast (&oracle.changed);
  g_mutex_unlock (&oracle.lock);
  for (i = 0; i < 2; i++)
    viewer_close (&viewers[i]);
  g_free (peer);
  g_free (signaller);
}

GST_END_TEST;

static Suite *
talk_suite (void)
{
  Suite *suite = suite_create ("talk");
  TCase *tcase = tcase_create ("talk");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_talk);
  tcase_add_test (tcase, test_talk_waits);
  tcase_add_test (tcase, test_commands);
  return suite;
}

GST_CHECK_MAIN (talk);
