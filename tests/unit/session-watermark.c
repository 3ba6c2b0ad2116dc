/* What waits for a viewer that does not keep up, and its marks. The viewer's
 * network thread hangs for as long as the test says.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "session-util.h"

#include <string.h>

#define H264                                                                   \
  "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au"
#define OPUS "audio/x-opus, rate=(int)48000"
#define TEXT "text/x-raw, format=(string)utf8"

#define LOW 100000
#define WARN 200000
#define HIGH 300000
#define FRAME 20000
#define NO_DEADLINE_SOON 60000 /* ms */

/* The first viewer is the one that gets stuck. */
typedef struct
{
  Side device, viewers[2];
  Wish wishes[2];
  guint port;
  gchar *slow; /* its name with the device */
} Stage;

static void
stage_open (Stage *s, guint low, guint warn, guint high)
{
  P2pEndpointConfig config;
  gchar *uri;

  memset (s, 0, sizeof *s);
  s->port = free_port ();
  uri = g_strdup_printf ("tcp://0.0.0.0:%u", s->port);
  side_config (&config, P2P_ROLE_DEVICE, uri);
  config.low_watermark = low;
  config.warn_watermark = warn;
  config.high_watermark = high;
  side_open (&s->device, &config);
  g_free (uri);
  WAIT_FOR (s->device.steps[P2P_STEP_SERVER][TRUE] == 1);
}

static void
stage_join (Stage *s, guint number)
{
  P2pEndpointConfig config;
  gchar *uri = g_strdup_printf ("tcp://127.0.0.%u:%u", number + 1, s->port);

  side_config (&config, P2P_ROLE_VIEWER, uri);
  side_open (&s->viewers[number], &config);
  wish_open (&s->wishes[number], &s->viewers[number], "");
  WAIT_FOR (s->wishes[number].complete == 1);
  WAIT_FOR (s->device.added == number + 1);
  if (number == 0)
    s->slow = g_strdup (s->device.peer);
  g_free (uri);
}

static void
stage_leave (Stage *s, guint number)
{
  wish_close (&s->wishes[number]);
  side_close (&s->viewers[number]);
}

static void
stage_close (Stage *s)
{
  side_close (&s->device);
  g_free (s->slow);
  /* A busy machine may need longer for it than release() waits. */
  WAIT_FOR (p2p_endpoint_count_alive () == 0);
}

static void
set_stuck (Wish *wish, gboolean stuck)
{
  g_mutex_lock (&world);
  wish->stuck = stuck;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
}

static guint
count_frames (Wish *wish, const gchar *name)
{
  return wish_find (wish, name)->frames->len;
}

static guint
number_of (Wish *wish, const gchar *name, guint index)
{
  GBytes *frame = g_ptr_array_index (wish_find (wish, name)->frames, index);
  guint number;

  memcpy (&number, g_bytes_get_data (frame, NULL), sizeof number);
  g_assert_true (payload_matches (frame, "", number));
  return number;
}

static const Mark *
mark (Stage *s, guint index)
{
  return &g_array_index (s->device.marks, Mark, index);
}

static P2pPeerStats
stats_of (Stage *s, const gchar *peer)
{
  P2pEndpointStats *stats = p2p_endpoint_get_stats (s->device.endpoint);
  P2pPeerStats found = { 0 };
  guint i;

  for (i = 0; i < stats->peers->len; i++) {
    P2pPeerStats *one = g_ptr_array_index (stats->peers, i);

    if (g_str_equal (one->id, peer))
      found = *one;
  }
  p2p_endpoint_stats_free (stats);
  return found;
}

/* Frames until the device is told of HIGH; the keen viewer gets each. */
static void
push_until_high (Stage *s, Source *source, guint marks)
{
  while (source->sent < 1000) {
    gboolean high;

    source_push (source, FRAME, FALSE);
    WAIT_FOR (count_frames (&s->wishes[1], "video_0") == source->sent);
    g_mutex_lock (&world);
    high = s->device.marks->len >= marks;
    g_mutex_unlock (&world);
    if (high)
      return;
  }
  g_error ("no high mark");
}

/* WARN and HIGH once, nothing between HIGH and LOW, then on with a keyframe.
 * The other viewer has every frame. */
static void
test_live (void)
{
  guint64 accepted, dropped;
  guint key_units, i;
  Source video;
  Stage s;

  stage_open (&s, LOW, WARN, HIGH);
  source_open (&video, &s.device, P2P_WIRE_VIDEO, "video_0", NULL,
               NO_DEADLINE_SOON);
  p2p_stream_set_caps (video.stream, H264);
  stage_join (&s, 0);
  stage_join (&s, 1);
  source_push (&video, FRAME, TRUE);
  WAIT_FOR (count_frames (&s.wishes[0], "video_0") == 1);
  WAIT_FOR (count_frames (&s.wishes[1], "video_0") == 1);
  set_stuck (&s.wishes[0], TRUE);
  push_until_high (&s, &video, 2);
  g_assert_cmpuint (mark (&s, 0)->event, ==, IV_WATERMARK_WARN);
  g_assert_cmpuint (mark (&s, 0)->bytes, >, WARN);
  g_assert_cmpuint (mark (&s, 1)->event, ==, IV_WATERMARK_HIGH);
  g_assert_cmpuint (mark (&s, 1)->bytes, >, HIGH);
  g_assert_cmpuint (mark (&s, 1)->bytes, <=, HIGH + FRAME + 100);
  g_assert_cmpstr (mark (&s, 0)->peer, ==, s.slow);
  g_assert_cmpstr (mark (&s, 1)->peer, ==, s.slow);
  g_assert_cmpuint (mark (&s, 1)->us, >, 0);

  /* Full: keyframes are not taken either, and none is asked for. Each frame
   * that the other has was offered to this one before. */
  WAIT_FOR (stats_of (&s, s.slow).paused);
  accepted = stats_of (&s, s.slow).frames_sent;
  dropped = stats_of (&s, s.slow).frames_dropped;
  g_mutex_lock (&world);
  key_units = video.key_units;
  g_mutex_unlock (&world);
  for (i = 0; i < 20; i++) {
    source_push (&video, FRAME, i % 10 == 5);
    WAIT_FOR (count_frames (&s.wishes[1], "video_0") == video.sent);
  }
  WAIT_FOR (stats_of (&s, s.slow).frames_dropped >= dropped + 20);
  g_assert_cmpuint (stats_of (&s, s.slow).level_bytes, <=, HIGH + FRAME + 100);
  g_assert_cmpuint (stats_of (&s, s.slow).high_count, ==, 1);
  g_mutex_lock (&world);
  g_assert_cmpuint (video.key_units, ==, key_units);
  g_assert_cmpuint (s.device.marks->len, ==, 2);
  g_mutex_unlock (&world);

  set_stuck (&s.wishes[0], FALSE);
  WAIT_FOR (s.device.marks->len == 3);
  g_assert_cmpuint (mark (&s, 2)->event, ==, IV_WATERMARK_LOW);
  g_assert_cmpuint (mark (&s, 2)->bytes, <, LOW);
  WAIT_FOR (video.key_units == key_units + 1);
  source_push (&video, FRAME, FALSE);
  source_push (&video, FRAME, TRUE);
  source_push (&video, FRAME, FALSE);
  WAIT_FOR (count_frames (&s.wishes[0], "video_0") == accepted + 2);
  for (i = 0; i < accepted; i++)
    g_assert_cmpuint (number_of (&s.wishes[0], "video_0", i), ==, i);
  g_assert_cmpuint (number_of (&s.wishes[0], "video_0", i), ==, video.sent - 2);
  g_assert_cmpuint (s.device.marks->len, ==, 3);
  WAIT_FOR (count_frames (&s.wishes[1], "video_0") == video.sent);
  stage_leave (&s, 0);
  stage_leave (&s, 1);
  source_close (&video);
  stage_close (&s);
}

/* The marks are those of the viewer, not of one stream: sound waits too, and
 * goes on at once, as it needs no keyframe. */
static void
test_two_streams (void)
{
  Source video, audio;
  Stage s;
  guint before;

  stage_open (&s, LOW, WARN, HIGH);
  source_open (&video, &s.device, P2P_WIRE_VIDEO, "video_0", NULL,
               NO_DEADLINE_SOON);
  source_open (&audio, &s.device, P2P_WIRE_AUDIO, "audio_0", NULL,
               NO_DEADLINE_SOON);
  p2p_stream_set_caps (video.stream, H264);
  p2p_stream_set_caps (audio.stream, OPUS);
  stage_join (&s, 0);
  stage_join (&s, 1);
  source_push (&video, FRAME, TRUE);
  source_push (&audio, 100, TRUE);
  WAIT_FOR (count_frames (&s.wishes[0], "video_0") == 1);
  WAIT_FOR (count_frames (&s.wishes[0], "audio_0") == 1);
  WAIT_FOR (count_frames (&s.wishes[1], "audio_0") == 1);
  WAIT_FOR (count_frames (&s.wishes[1], "video_0") == 1);
  set_stuck (&s.wishes[0], TRUE);
  push_until_high (&s, &video, 2);
  before = audio.sent;
  source_push (&audio, 100, TRUE);
  WAIT_FOR (count_frames (&s.wishes[1], "audio_0") == audio.sent);
  set_stuck (&s.wishes[0], FALSE);
  WAIT_FOR (s.device.marks->len == 3);
  g_assert_cmpuint (mark (&s, 2)->event, ==, IV_WATERMARK_LOW);
  source_push (&audio, 100, TRUE);
  WAIT_FOR (count_frames (&s.wishes[0], "audio_0") == before + 1);
  g_assert_cmpuint (number_of (&s.wishes[0], "audio_0", before), ==,
                    before + 1);
  stage_leave (&s, 0);
  stage_leave (&s, 1);
  source_close (&video);
  source_close (&audio);
  stage_close (&s);
}

/* A source that can wait is made to, from above HIGH to below LOW, and nobody
 * is told: it is no trouble. */
static void
test_waiting_source (void)
{
  guint64 least, most;
  Source data;
  Stage s;
  guint i;

  stage_open (&s, LOW, WARN, HIGH);
  source_open (&data, &s.device, P2P_WIRE_DATA, "data_0", NULL, 0);
  p2p_stream_set_caps (data.stream, TEXT);
  stage_join (&s, 0);
  source_push (&data, FRAME, TRUE);
  WAIT_FOR (count_frames (&s.wishes[0], "data_0") == 1);
  set_stuck (&s.wishes[0], TRUE);
  while (source_push (&data, FRAME, TRUE) == P2P_PUSH_OK)
    g_assert_cmpuint (data.sent, <, 1000);
  p2p_stream_get_backlog (data.stream, &least, &most);
  g_assert_cmpuint (most, <=, HIGH + FRAME + 100);
  g_assert_cmpint (source_push (&data, 1, TRUE), ==, P2P_PUSH_FULL);
  set_stuck (&s.wishes[0], FALSE);
  WAIT_FOR (data.writable == 1);
  p2p_stream_get_backlog (data.stream, &least, &most);
  g_assert_cmpuint (most, <, LOW);
  g_assert_cmpint (source_push (&data, FRAME, TRUE), ==, P2P_PUSH_OK);
  WAIT_FOR (count_frames (&s.wishes[0], "data_0") == data.sent);
  for (i = 0; i < data.sent; i++)
    g_assert_cmpuint (number_of (&s.wishes[0], "data_0", i), ==, i);
  g_assert_cmpuint (s.device.marks->len, ==, 0);
  stage_leave (&s, 0);
  source_close (&data);
  stage_close (&s);
}

/* One that cannot wait, of a stream that drops nothing: told, and then the
 * viewer loses the stream. */
static void
test_overrun (void)
{
  guint64 least, most;
  Source data;
  Stage s;

  stage_open (&s, LOW, WARN, HIGH);
  source_open (&data, &s.device, P2P_WIRE_DATA, "data_0", NULL, 0);
  data.force = TRUE;
  p2p_stream_set_caps (data.stream, TEXT);
  stage_join (&s, 0);
  source_push (&data, FRAME, TRUE);
  WAIT_FOR (count_frames (&s.wishes[0], "data_0") == 1);
  set_stuck (&s.wishes[0], TRUE);
  for (most = 0; most <= 2 * HIGH && p2p_stream_count_viewers (data.stream) > 0;
       p2p_stream_get_backlog (data.stream, &least, &most))
    source_push (&data, FRAME, TRUE);
  WAIT_FOR (p2p_stream_count_viewers (data.stream) == 0);
  WAIT_FOR (s.device.marks->len >= 2);
  g_assert_cmpuint (mark (&s, 0)->event, ==, IV_WATERMARK_WARN);
  g_assert_cmpuint (mark (&s, 1)->event, ==, IV_WATERMARK_HIGH);
  set_stuck (&s.wishes[0], FALSE);
  WAIT_FOR (wish_find (&s.wishes[0], "data_0")->closed);
  /* What waited went with the stream. */
  WAIT_FOR (s.device.marks->len == 3);
  g_assert_cmpuint (mark (&s, 2)->event, ==, IV_WATERMARK_LOW);
  stage_leave (&s, 0);
  source_close (&data);
  stage_close (&s);
}

/* Without marks nobody is told and nothing pauses; memory is bounded still. */
static void
test_no_marks (void)
{
  const guint64 bound = 16 * 1024 * 1024;
  Source video, data;
  P2pPeerStats stats;
  Stage s;

  stage_open (&s, 0, 0, 0);
  source_open (&video, &s.device, P2P_WIRE_VIDEO, "video_0", NULL,
               NO_DEADLINE_SOON);
  source_open (&data, &s.device, P2P_WIRE_DATA, "data_0", NULL, 0);
  p2p_stream_set_caps (video.stream, H264);
  p2p_stream_set_caps (data.stream, TEXT);
  stage_join (&s, 0);
  stage_join (&s, 1);
  source_push (&video, FRAME, TRUE);
  source_push (&data, FRAME, TRUE);
  WAIT_FOR (count_frames (&s.wishes[0], "video_0") == 1);
  WAIT_FOR (count_frames (&s.wishes[0], "data_0") == 1);
  WAIT_FOR (count_frames (&s.wishes[1], "video_0") == 1);
  set_stuck (&s.wishes[0], TRUE);
  while (stats_of (&s, s.slow).frames_dropped == 0) {
    g_assert_cmpuint (video.sent * (guint64)FRAME, <, bound);
    source_push (&video, FRAME, FALSE);
    WAIT_FOR (count_frames (&s.wishes[1], "video_0") == video.sent);
  }
  stats = stats_of (&s, s.slow);
  g_assert_false (stats.paused);
  /* Beyond where the marks would be by default. */
  g_assert_cmpuint (stats.level_bytes, >, 512000);
  while (source_push (&data, FRAME, TRUE) == P2P_PUSH_OK)
    g_assert_cmpuint (data.sent, <, 1000);
  set_stuck (&s.wishes[0], FALSE);
  WAIT_FOR (data.writable >= 1);
  g_assert_cmpuint (s.device.marks->len, ==, 0);
  stage_leave (&s, 0);
  stage_leave (&s, 1);
  source_close (&video);
  source_close (&data);
  stage_close (&s);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/session/watermark/live", test_live);
  g_test_add_func ("/session/watermark/two-streams", test_two_streams);
  g_test_add_func ("/session/watermark/waiting-source", test_waiting_source);
  g_test_add_func ("/session/watermark/overrun", test_overrun);
  g_test_add_func ("/session/watermark/no-marks", test_no_marks);
  return g_test_run ();
}
