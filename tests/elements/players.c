/* What players make of a p2p:// URI: playbin and playbin3, as gst-play-1.0 uses
 * them, with a real encoder at the other end.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A player is given nothing but the URI, so key and signaller come from the
 * environment. Skipped where the encoder or a decoder is not installed.
 * P2P_TEST_CLIP: a clip with H.264 and AAC, for the case that wants one.
 */
#include "loopback.h"
#include <glib/gstdio.h>

typedef struct
{
  GMutex lock;
  GCond changed;
  guint pictures, sounds;
} Shown;

static void
count (Shown *shown, guint *counter)
{
  g_mutex_lock (&shown->lock);
  (*counter)++;
  g_cond_broadcast (&shown->changed);
  g_mutex_unlock (&shown->lock);
}

static void
on_picture (GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer user)
{
  count (user, &((Shown *)user)->pictures);
}

static void
on_sound (GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer user)
{
  count (user, &((Shown *)user)->sounds);
}

static gboolean
have (const gchar *const *names)
{
  for (; *names != NULL; names++) {
    GstElementFactory *factory = gst_element_factory_find (*names);

    if (factory == NULL) {
      g_print ("# skipped: no element %s\n", *names);
      return FALSE;
    }
    gst_object_unref (factory);
  }
  return TRUE;
}

static GstElement *
counting_sink (GCallback on_buffer, Shown *shown)
{
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);

  g_object_set (sink, "sync", TRUE, "signal-handoffs", TRUE, NULL);
  g_signal_connect (sink, "handoff", on_buffer, shown);
  return sink;
}

/* Plays what `camera` sends until so much has been shown. */
static void
play (const gchar *player_name, const gchar *camera_line, guint pictures,
      guint sounds)
{
  gchar *signaller = free_signaller ();
  gchar *dir = g_dir_make_tmp ("p2p-players-XXXXXX", NULL);
  gchar *key_file = g_build_filename (dir, "key", NULL);
  GstElement *camera, *player;
  Shown shown = { 0 };
  GError *error = NULL;
  GstBus *bus;

  g_mutex_init (&shown.lock);
  g_cond_init (&shown.changed);
  fail_unless (g_file_set_contents_full (key_file, KEY "\n", -1,
                                         G_FILE_SET_CONTENTS_NONE, 0600, NULL));
  g_setenv ("P2P_KEY_FILE", key_file, TRUE);
  g_setenv ("P2P_SIGNALLER", signaller, TRUE);

  camera = gst_parse_launch (camera_line, &error);
  fail_unless (error == NULL, "%s", error != NULL ? error->message : "");
  gst_element_set_state (camera, GST_STATE_PLAYING);
  bus = gst_element_get_bus (camera);
  g_free (wait_step (bus, "server", "ok"));

  player = gst_element_factory_make (player_name, NULL);
  g_object_set (player, "uri", "p2p://camera-1?action=live", "video-sink",
                counting_sink (G_CALLBACK (on_picture), &shown), "audio-sink",
                counting_sink (G_CALLBACK (on_sound), &shown), NULL);
  fail_if (gst_element_set_state (player, GST_STATE_PLAYING)
           == GST_STATE_CHANGE_FAILURE);
  g_mutex_lock (&shown.lock);
  while (shown.pictures < pictures || shown.sounds < sounds)
    g_cond_wait (&shown.changed, &shown.lock);
  g_mutex_unlock (&shown.lock);
  /* Buffering is for what can be waited for: a player would pause. */
  gst_object_unref (bus);
  bus = gst_element_get_bus (player);
  fail_unless (gst_bus_pop_filtered (bus, GST_MESSAGE_BUFFERING) == NULL);

  gst_element_set_state (player, GST_STATE_NULL);
  gst_element_set_state (camera, GST_STATE_NULL);
  gst_object_unref (player);
  gst_object_unref (bus);
  gst_object_unref (camera);
  g_remove (key_file);
  g_rmdir (dir);
  g_free (key_file);
  g_free (dir);
  g_free (signaller);
  g_cond_clear (&shown.changed);
  g_mutex_clear (&shown.lock);
}

static const gchar *const player_names[] = { "playbin", "playbin3" };

/* A live camera with picture and sound. */
GST_START_TEST (test_live)
{
  static const gchar *const needed[]
      = { "x264enc", "h264parse", "avdec_h264",   "opusenc",
          "opusdec", "playbin",   "videotestsrc", NULL };

  if (!have (needed))
    return;
  play (player_names[__i__],
        "videotestsrc is-live=true ! "
        "video/x-raw,width=160,height=120,framerate=25/1 ! "
        "x264enc tune=zerolatency key-int-max=1000 ! h264parse ! "
        "p2psink name=sink device-id=camera-1 "
        "audiotestsrc is-live=true ! audioconvert ! opusenc ! sink.",
        20, 20);
}

GST_END_TEST;

/* A clip, paced by the sink, as a camera that plays a recording. */
GST_START_TEST (test_clip)
{
  static const gchar *const needed[]
      = { "qtdemux",   "h264parse", "avdec_h264", "aacparse",
          "avdec_aac", "playbin",   NULL };
  const gchar *clip = g_getenv ("P2P_TEST_CLIP");
  gchar *line;

  if (clip == NULL) {
    g_print ("# skipped: P2P_TEST_CLIP is not set\n");
    return;
  }
  if (!have (needed))
    return;
  line = g_strdup_printf (
      "filesrc location=\"%s\" ! qtdemux name=demux "
      "demux.video_0 ! queue ! h264parse ! p2psink name=sink "
      "device-id=camera-1 demux.audio_0 ! queue ! aacparse ! sink.",
      clip);
  play (player_names[__i__], line, 40, 40);
  g_free (line);
}

GST_END_TEST;

static Suite *
players_suite (void)
{
  Suite *suite = suite_create ("players");
  TCase *tcase = tcase_create ("players");

  suite_add_tcase (suite, tcase);
  tcase_add_loop_test (tcase, test_live, 0, 2);
  tcase_add_loop_test (tcase, test_clip, 0, 2);
  return suite;
}

GST_CHECK_MAIN (players);
