/* p2psrc against a session that the test plays (fakeendpoint.h): what its pads
 * push, in which order and at which times.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each pad that appears is linked to a probe that writes down what passes, one
 * line an item; tests wait for a line. Frames "arrive" at times that the test
 * says, and the pipeline's clock is a GstTestClock or the system's where only
 * the order counts.
 */
#include <string.h>
#include <gst/check/gstcheck.h>
#include <gst/video/video.h>
#include "fakeendpoint.h"
#include "gstp2psrc.h"

#define H264                                                                   \
  "video/x-h264, stream-format=(string)byte-stream, "                          \
  "alignment=(string)au"
#define AAC "audio/mpeg, mpegversion=(int)4"
#define DELTA P2P_FRAME_DELTA_UNIT

/* -- A pipeline that keeps a log ------------------------------------------- */

typedef struct
{
  GstElement *src;
  GstBus *bus;
  GMutex lock;
  GCond changed;
  GPtrArray *log;    /* of gchar */
  guint read;        /* lines that expect() has passed */
  GHashTable *peers; /* of GstPad, by name of p2psrc's */
  GList *buffers;    /* newest first */
  gboolean blocked;  /* downstream takes nothing */
  GstFlowReturn flow;
} Rig;

static void
write_line (Rig *rig, const gchar *format, ...)
{
  va_list args;

  va_start (args, format);
  g_mutex_lock (&rig->lock);
  g_ptr_array_add (rig->log, g_strdup_vprintf (format, args));
  g_cond_broadcast (&rig->changed);
  g_mutex_unlock (&rig->lock);
  va_end (args);
}

/* Waits for the next line of `pad` and compares it. Lines of other pads in
 * between stay for others to expect. */
static void
expect (Rig *rig, const gchar *pad, const gchar *line)
{
  gchar *prefix = g_strconcat (pad, " ", NULL);
  gchar *found = NULL;
  guint i;

  g_mutex_lock (&rig->lock);
  while (found == NULL) {
    for (i = 0; i < rig->log->len && found == NULL; i++) {
      if (g_str_has_prefix (g_ptr_array_index (rig->log, i), prefix))
        found = g_ptr_array_steal_index (rig->log, i);
    }
    if (found == NULL)
      g_cond_wait (&rig->changed, &rig->lock);
  }
  g_mutex_unlock (&rig->lock);
  fail_unless_equals_string (found + strlen (prefix), line);
  g_free (found);
  g_free (prefix);
}

/* What `pad` has pushed last; the caller's reference. */
static GstBuffer *
last_buffer (Rig *rig)
{
  GstBuffer *buffer;

  g_mutex_lock (&rig->lock);
  buffer = gst_buffer_ref (rig->buffers->data);
  g_mutex_unlock (&rig->lock);
  return buffer;
}

static GstFlowReturn
peer_chain (GstPad *peer, GstObject *parent, GstBuffer *buffer)
{
  Rig *rig = gst_pad_get_element_private (peer);
  GstMapInfo map;
  GstFlowReturn flow;

  g_mutex_lock (&rig->lock);
  rig->buffers = g_list_prepend (rig->buffers, buffer);
  g_mutex_unlock (&rig->lock);
  gst_buffer_map (buffer, &map, GST_MAP_READ);
  write_line (
      rig, "%s %.*s%s%s%s", GST_PAD_NAME (peer), (gint)map.size,
      (const gchar *)map.data,
      GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DISCONT) ? " discont"
                                                               : "",
      GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT) ? " delta"
                                                                  : "",
      GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_HEADER) ? " header" : "");
  gst_buffer_unmap (buffer, &map);
  g_mutex_lock (&rig->lock);
  while (rig->blocked)
    g_cond_wait (&rig->changed, &rig->lock);
  flow = rig->flow;
  g_mutex_unlock (&rig->lock);
  return flow;
}

static gboolean
peer_event (GstPad *peer, GstObject *parent, GstEvent *event)
{
  Rig *rig = gst_pad_get_element_private (peer);
  const GstSegment *segment;
  const gchar *id;
  GstCaps *caps;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      gst_event_parse_stream_start (event, &id);
      write_line (rig, "%s stream-start %s", GST_PAD_NAME (peer), id);
      break;
    case GST_EVENT_CAPS:
      gst_event_parse_caps (event, &caps);
      write_line (rig, "%s caps %s", GST_PAD_NAME (peer),
                  gst_structure_get_name (gst_caps_get_structure (caps, 0)));
      break;
    case GST_EVENT_SEGMENT:
      gst_event_parse_segment (event, &segment);
      write_line (rig, "%s segment %" G_GUINT64_FORMAT, GST_PAD_NAME (peer),
                  segment->start / GST_SECOND);
      break;
    case GST_EVENT_CUSTOM_DOWNSTREAM:
      break;
    case GST_EVENT_STREAM_COLLECTION:
      /* It has no fixed place among those before data. */
      break;
    default:
      write_line (rig, "%s %s", GST_PAD_NAME (peer),
                  GST_EVENT_TYPE_NAME (event));
      break;
  }
  gst_event_unref (event);
  return TRUE;
}

static void
on_pad_added (GstElement *src, GstPad *pad, gpointer user)
{
  Rig *rig = user;
  GstPad *peer = gst_pad_new (GST_PAD_NAME (pad), GST_PAD_SINK);

  write_line (rig, "element added %s", GST_PAD_NAME (pad));
  gst_pad_set_element_private (peer, rig);
  gst_pad_set_chain_function (peer, peer_chain);
  gst_pad_set_event_function (peer, peer_event);
  gst_pad_set_active (peer, TRUE);
  g_hash_table_insert (rig->peers, g_strdup (GST_PAD_NAME (pad)), peer);
  fail_unless_equals_int (gst_pad_link (pad, peer), GST_PAD_LINK_OK);
  /* Sticky events wait for the next thing to pass; let that be now. */
  gst_pad_push_event (pad,
                      gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
                                            gst_structure_new_empty ("nudge")));
}

static void
on_pad_removed (GstElement *src, GstPad *pad, gpointer user)
{
  write_line (user, "element removed %s", GST_PAD_NAME (pad));
}

static void
on_no_more_pads (GstElement *src, gpointer user)
{
  write_line (user, "element no-more-pads");
}

static void
rig_open (Rig *rig)
{
  memset (rig, 0, sizeof (*rig));
  g_mutex_init (&rig->lock);
  g_cond_init (&rig->changed);
  rig->log = g_ptr_array_new_with_free_func (g_free);
  rig->peers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                      gst_object_unref);
  rig->src = gst_element_factory_make ("p2psrc", NULL);
  rig->bus = gst_bus_new ();
  gst_element_set_bus (rig->src, rig->bus);
  g_object_set (rig->src, "uri", "p2p://camera-1?action=live&channel=0", "key",
                "correct horse battery", NULL);
  g_signal_connect (rig->src, "pad-added", G_CALLBACK (on_pad_added), rig);
  g_signal_connect (rig->src, "pad-removed", G_CALLBACK (on_pad_removed), rig);
  g_signal_connect (rig->src, "no-more-pads", G_CALLBACK (on_no_more_pads),
                    rig);
}

static void
rig_play (Rig *rig)
{
  GstClock *clock = gst_system_clock_obtain ();

  gst_element_set_clock (rig->src, clock);
  gst_element_set_base_time (rig->src, gst_clock_get_time (clock));
  gst_object_unref (clock);
  fail_unless_equals_int (gst_element_set_state (rig->src, GST_STATE_PLAYING),
                          GST_STATE_CHANGE_SUCCESS);
}

/* Streams that are still open are not told; the fake's references go here. */
static void
rig_close (Rig *rig, P2pInStream *one, P2pInStream *two)
{
  gst_element_set_state (rig->src, GST_STATE_NULL);
  if (one != NULL)
    p2p_in_stream_unref (one);
  if (two != NULL)
    p2p_in_stream_unref (two);
  gst_element_set_bus (rig->src, NULL);
  gst_object_unref (rig->bus);
  gst_object_unref (rig->src);
  g_hash_table_unref (rig->peers);
  g_list_free_full (rig->buffers, (GDestroyNotify)gst_buffer_unref);
  g_ptr_array_unref (rig->log);
  g_cond_clear (&rig->changed);
  g_mutex_clear (&rig->lock);
}

static void
rig_block (Rig *rig, gboolean blocked)
{
  g_mutex_lock (&rig->lock);
  rig->blocked = blocked;
  g_cond_broadcast (&rig->changed);
  g_mutex_unlock (&rig->lock);
}

/* A frame of `stream` with its sender's time `pts`, sent at that time, that
 * arrived `ago_us` before now. */
static gboolean
send_frame (P2pInStream *stream, const gchar *text, gint64 pts, guint flags,
            gint64 ago_us)
{
  P2pWireFrame frame = {
    0,
  };
  GBytes *payload = g_bytes_new (text, strlen (text));
  gboolean taken;

  frame.flags = flags;
  frame.pts = frame.sent = pts;
  frame.dts = frame.duration = P2P_WIRE_TIME_NONE;
  taken = fake_frame (stream, payload, &frame, g_get_monotonic_time () - ago_us,
                      FALSE);
  g_bytes_unref (payload);
  return taken;
}

static void
expect_start (Rig *rig, const gchar *pad, const gchar *caps)
{
  gchar *line;

  line = g_strdup_printf ("stream-start camera-1/peer-1/3/%s", pad);
  expect (rig, pad, line);
  g_free (line);
  if (caps != NULL) {
    line = g_strconcat ("caps ", caps, NULL);
    expect (rig, pad, line);
    g_free (line);
  }
  expect (rig, pad, "segment 0");
}

static P2pInStream *
open_video (Rig *rig)
{
  P2pInStream *video;

  video = fake_open ("video_0", P2P_WIRE_VIDEO, 1);
  fake_complete ();
  fake_caps (video, H264);
  expect_start (rig, "video_0", "video/x-h264");
  return video;
}

/* -- Tests ----------------------------------------------------------------- */

/* Live: no preroll, and the request begins at PAUSED. */
GST_START_TEST (test_states)
{
  Rig rig;

  rig_open (&rig);
  fail_unless_equals_int (gst_element_set_state (rig.src, GST_STATE_READY),
                          GST_STATE_CHANGE_SUCCESS);
  fail_if (fake_has_request ());
  fail_unless_equals_int (gst_element_set_state (rig.src, GST_STATE_PAUSED),
                          GST_STATE_CHANGE_NO_PREROLL);
  fail_unless_equals_string (fake_request_params (), "action=live&channel=0");
  fail_unless (fake_is_started (fake_endpoint ()));
  fail_unless_equals_int (fake_config (fake_endpoint ())->role,
                          P2P_ROLE_VIEWER);
  fail_unless_equals_int (fake_config (fake_endpoint ())->latency_ms, 200);
  fail_unless_equals_string (fake_config (fake_endpoint ())->device_id,
                             "camera-1");
  fail_unless_equals_int (gst_element_set_state (rig.src, GST_STATE_PLAYING),
                          GST_STATE_CHANGE_SUCCESS);
  fail_unless_equals_int (gst_element_set_state (rig.src, GST_STATE_PAUSED),
                          GST_STATE_CHANGE_NO_PREROLL);
  fail_unless_equals_int (gst_element_set_state (rig.src, GST_STATE_READY),
                          GST_STATE_CHANGE_SUCCESS);
  fail_if (fake_has_request ());
  rig_close (&rig, NULL, NULL);
  fail_unless_equals_int (p2p_endpoint_count_alive (), 0);
}

GST_END_TEST;

/* Pads come with everything that belongs before data, once all streams are
 * known; the series ends when the last has its format. */
GST_START_TEST (test_pads)
{
  P2pInStream *video, *audio;
  GstMessage *message;
  GstStreamCollection *collection = NULL;
  GstEvent *event;
  gchar *peer;
  guint request;
  GstPad *pad;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = fake_open ("video_0", P2P_WIRE_VIDEO, 1);
  audio = fake_open ("audio_0", P2P_WIRE_AUDIO, 1);
  fake_caps (video, H264);
  fake_complete ();
  expect (&rig, "element", "added video_0");
  expect_start (&rig, "video_0", "video/x-h264");
  fake_caps (audio, AAC);
  expect (&rig, "element", "added audio_0");
  expect (&rig, "element", "no-more-pads");
  expect_start (&rig, "audio_0", "audio/mpeg");

  message = gst_bus_pop_filtered (rig.bus, GST_MESSAGE_STREAM_COLLECTION);
  fail_unless (message != NULL);
  gst_message_parse_stream_collection (message, &collection);
  fail_unless_equals_int (gst_stream_collection_get_size (collection), 2);
  gst_object_unref (collection);
  gst_message_unref (message);

  pad = gst_element_get_static_pad (rig.src, "audio_0");
  event = gst_pad_get_sticky_event (pad, GST_EVENT_STREAM_COLLECTION, 0);
  fail_unless (event != NULL);
  gst_event_unref (event);
  g_object_get (pad, "peer", &peer, "request", &request, NULL);
  fail_unless_equals_string (peer, "peer-1");
  fail_unless_equals_int (request, 3);
  g_free (peer);
  gst_object_unref (pad);
  rig_close (&rig, video, audio);
}

GST_END_TEST;

/* All pads of a session are one group; the next session's another. */
GST_START_TEST (test_groups)
{
  P2pInStream *video, *audio;
  GstPad *pads[2];
  guint groups[3], i;
  GstEvent *event;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = fake_open ("video_0", P2P_WIRE_VIDEO, 1);
  audio = fake_open ("audio_0", P2P_WIRE_AUDIO, 1);
  fake_complete ();
  fake_caps (video, H264);
  fake_caps (audio, AAC);
  expect_start (&rig, "video_0", "video/x-h264");
  expect_start (&rig, "audio_0", "audio/mpeg");
  pads[0] = gst_element_get_static_pad (rig.src, "video_0");
  pads[1] = gst_element_get_static_pad (rig.src, "audio_0");
  for (i = 0; i < 2; i++) {
    event = gst_pad_get_sticky_event (pads[i], GST_EVENT_STREAM_START, 0);
    fail_unless (gst_event_parse_group_id (event, &groups[i]));
    gst_event_unref (event);
  }
  fail_unless_equals_int (groups[0], groups[1]);

  fake_close (video, TRUE);
  video = fake_open ("video_0", P2P_WIRE_VIDEO, 2);
  fake_caps (video, H264);
  fake_complete ();
  expect_start (&rig, "video_0", "video/x-h264");
  event = gst_pad_get_sticky_event (pads[0], GST_EVENT_STREAM_START, 0);
  fail_unless (gst_event_parse_group_id (event, &groups[2]));
  gst_event_unref (event);
  fail_if (groups[2] == groups[0]);
  gst_object_unref (pads[0]);
  gst_object_unref (pads[1]);
  rig_close (&rig, video, audio);
}

GST_END_TEST;

/* A frame keeps its bytes (the same memory), flags and duration; differences of
 * times survive exactly. */
GST_START_TEST (test_frame)
{
  static const gchar bytes[] = "key";
  GBytes *payload = g_bytes_new_static (bytes, 3);
  P2pWireFrame frame = {
    0,
  };
  GstClockTime start;
  gint64 arrival_us;
  P2pInStream *video;
  GstBuffer *buffer;
  GstMapInfo map;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = open_video (&rig);
  frame.pts = 1000 * (gint64)GST_SECOND;
  frame.dts = frame.pts - 40 * (gint64)GST_MSECOND;
  frame.sent = frame.pts;
  frame.duration = 20 * GST_MSECOND;
  frame.flags = P2P_FRAME_MARKER;
  arrival_us = g_get_monotonic_time ();
  fake_frame (video, payload, &frame, arrival_us, FALSE);
  /* It came in the first 40 ms, so decoding begins before zero. */
  expect (&rig, "video_0", "segment 1");
  expect (&rig, "video_0", "key discont");
  buffer = last_buffer (&rig);
  fail_unless (gst_buffer_map (buffer, &map, GST_MAP_READ));
  fail_unless (map.data == (gconstpointer)bytes);
  gst_buffer_unmap (buffer, &map);
  fail_unless_equals_uint64 (GST_BUFFER_DURATION (buffer), 20 * GST_MSECOND);
  fail_unless (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_MARKER));
  fail_unless_equals_uint64 (GST_BUFFER_PTS (buffer) - GST_BUFFER_DTS (buffer),
                             40 * GST_MSECOND);
  start = GST_BUFFER_PTS (buffer);
  gst_buffer_unref (buffer);

  frame.pts += 33333333;
  frame.dts += 33333333;
  frame.sent += 33333333;
  frame.flags = DELTA;
  fake_frame (video, payload, &frame, arrival_us + 33333, FALSE);
  expect (&rig, "video_0", "key delta");
  buffer = last_buffer (&rig);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (buffer) - start, 33333333);
  gst_buffer_unref (buffer);
  g_bytes_unref (payload);
  rig_close (&rig, video, NULL);
}

GST_END_TEST;

/* What belonged together at the sender belongs together here, whichever of the
 * streams was first: one mapping for all, and the sender's latency counted. */
GST_START_TEST (test_lip_sync)
{
  GBytes *payload = g_bytes_new_static ("x", 1);
  P2pInStream *video, *audio;
  P2pWireFrame frame = {
    0,
  };
  GstClockTime times[2];
  gint64 arrival_us;
  GstBuffer *buffer;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = fake_open ("video_0", P2P_WIRE_VIDEO, 1);
  audio = fake_open ("audio_0", P2P_WIRE_AUDIO, 1);
  fake_complete ();
  fake_caps (video, H264);
  fake_caps (audio, AAC);
  expect_start (&rig, "video_0", "video/x-h264");
  expect_start (&rig, "audio_0", "audio/mpeg");
  frame.dts = frame.duration = P2P_WIRE_TIME_NONE;
  frame.pts = 50 * (gint64)GST_SECOND;
  frame.latency = 2 * GST_SECOND;
  frame.sent = 51 * (gint64)GST_SECOND;
  arrival_us = g_get_monotonic_time ();
  fake_frame (audio, payload, &frame, arrival_us, FALSE);
  expect (&rig, "audio_0", "x discont");
  buffer = last_buffer (&rig);
  times[0] = GST_BUFFER_PTS (buffer);
  gst_buffer_unref (buffer);
  /* The same moment of the sender, encoded later, arrives later. */
  frame.sent = 52 * (gint64)GST_SECOND;
  fake_frame (video, payload, &frame, arrival_us + G_USEC_PER_SEC, FALSE);
  expect (&rig, "video_0", "x discont");
  buffer = last_buffer (&rig);
  times[1] = GST_BUFFER_PTS (buffer);
  gst_buffer_unref (buffer);
  fail_unless_equals_uint64 (times[0], times[1]);
  /* Sent a second before it is due: here a second after arrival. */
  fail_unless (times[0] >= GST_SECOND && times[0] < 2 * GST_SECOND);
  g_bytes_unref (payload);
  rig_close (&rig, video, audio);
}

GST_END_TEST;

/* In PAUSED nothing flows; what came meanwhile is not lost to the decoder, only
 * what is too old for the latency is, where newer frames can stand alone. */
GST_START_TEST (test_paused)
{
  P2pInStream *video;
  Rig rig;

  rig_open (&rig);
  gst_element_set_state (rig.src, GST_STATE_PAUSED);
  video = open_video (&rig);
  send_frame (video, "old-key", 0, 0, 900000);
  send_frame (video, "old", 0, DELTA, 800000);
  send_frame (video, "new-key", 0, 0, 1000);
  send_frame (video, "new", 0, DELTA, 1000);
  rig_play (&rig);
  expect (&rig, "video_0", "segment 1");
  expect (&rig, "video_0", "new-key discont");
  expect (&rig, "video_0", "new delta");
  rig_close (&rig, video, NULL);
}

GST_END_TEST;

/* EOS of one stream is EOS of its pad; the sender may begin it again. */
GST_START_TEST (test_eos_of_one)
{
  P2pInStream *video, *audio;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = fake_open ("video_0", P2P_WIRE_VIDEO, 1);
  audio = fake_open ("audio_0", P2P_WIRE_AUDIO, 1);
  fake_complete ();
  fake_caps (video, H264);
  fake_caps (audio, AAC);
  expect_start (&rig, "video_0", "video/x-h264");
  expect_start (&rig, "audio_0", "audio/mpeg");
  send_frame (video, "last", 1, 0, 0);
  fake_end (video);
  expect (&rig, "video_0", "last discont");
  expect (&rig, "video_0", "eos");
  send_frame (audio, "on", 1, 0, 0);
  expect (&rig, "audio_0", "on discont");
  send_frame (video, "again", 2, 0, 0);
  expect_start (&rig, "video_0", "video/x-h264");
  expect (&rig, "video_0", "again discont");
  rig_close (&rig, video, audio);
}

GST_END_TEST;

/* The network is lost and comes back: no EOS, the same pads, everything that
 * comes before data again, and a mapping of its own. */
GST_START_TEST (test_reconnect)
{
  GstBuffer *buffer;
  P2pInStream *video;
  GstClockTime before;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = open_video (&rig);
  send_frame (video, "one", 500 * (gint64)GST_SECOND, 0, 0);
  expect (&rig, "video_0", "one discont");
  buffer = last_buffer (&rig);
  before = GST_BUFFER_PTS (buffer);
  gst_buffer_unref (buffer);

  fake_close (video, TRUE);
  video = fake_open ("video_0", P2P_WIRE_VIDEO, 2);
  fake_caps (video, H264);
  fake_complete ();
  expect_start (&rig, "video_0", "video/x-h264");
  /* The sender's running time began again. */
  send_frame (video, "two", 0, 0, 0);
  expect (&rig, "video_0", "two discont");
  buffer = last_buffer (&rig);
  fail_unless (GST_BUFFER_PTS (buffer) > before);
  fail_unless (GST_BUFFER_PTS (buffer) < before + 60 * GST_SECOND);
  gst_buffer_unref (buffer);
  expect (&rig, "element", "added video_0");
  expect (&rig, "element", "no-more-pads");
  rig_close (&rig, video, NULL);
}

GST_END_TEST;

/* A pad that the sender took away ends and goes; one of that name may come
 * later. So does a pad that did not come back with its session. */
GST_START_TEST (test_removal)
{
  P2pInStream *video, *audio;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = fake_open ("video_0", P2P_WIRE_VIDEO, 1);
  audio = fake_open ("audio_0", P2P_WIRE_AUDIO, 1);
  fake_complete ();
  fake_caps (video, H264);
  expect (&rig, "element", "added video_0");
  fake_caps (audio, AAC);
  expect (&rig, "element", "added audio_0");
  expect (&rig, "element", "no-more-pads");
  expect_start (&rig, "audio_0", "audio/mpeg");
  fake_close (audio, FALSE);
  expect (&rig, "audio_0", "eos");
  expect (&rig, "element", "removed audio_0");
  audio = fake_open ("audio_0", P2P_WIRE_AUDIO, 1);
  fake_caps (audio, AAC);
  expect (&rig, "element", "added audio_0");

  fake_close (video, TRUE);
  fake_close (audio, TRUE);
  video = fake_open ("video_0", P2P_WIRE_VIDEO, 2);
  fake_caps (video, H264);
  fake_complete ();
  expect (&rig, "element", "removed audio_0");
  rig_close (&rig, video, NULL);
}

GST_END_TEST;

/* A key unit that downstream wants is asked of the sender, for that stream. */
GST_START_TEST (test_key_unit)
{
  P2pInStream *video;
  GstEvent *event;
  GstPad *peer;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = open_video (&rig);
  send_frame (video, "key", 0, 0, 0);
  expect (&rig, "video_0", "key discont");
  peer = g_hash_table_lookup (rig.peers, "video_0");
  event = gst_video_event_new_upstream_force_key_unit (GST_CLOCK_TIME_NONE,
                                                       TRUE, 1);
  fail_unless (gst_pad_push_event (peer, event));
  fake_wait_key_units (video, 1);
  event = gst_event_new_seek (1.0, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH,
                              GST_SEEK_TYPE_SET, 0, GST_SEEK_TYPE_NONE, 0);
  fail_if (gst_pad_push_event (peer, event));
  fail_unless_equals_int (fake_key_units (video), 1);
  rig_close (&rig, video, NULL);
}

GST_END_TEST;

/* Downstream is blocked: a live stream forgets what is too old, goes on with a
 * keyframe, and asks for one if there is none. */
GST_START_TEST (test_live_forgets)
{
  P2pInStream *video;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = open_video (&rig);
  rig_block (&rig, TRUE);
  send_frame (video, "k0", 0, 0, 10000000);
  expect (&rig, "video_0", "segment 10");
  expect (&rig, "video_0", "k0 discont");
  /* The task is blocked with k0; these wait. */
  fail_unless (send_frame (video, "d1", 1, DELTA, 9000000));
  fail_unless (send_frame (video, "k2", 2, 0, 5000000));
  fail_unless (send_frame (video, "d3", 3, DELTA, 4000000));
  fail_unless_equals_int (fake_key_units (video), 0);
  /* Too long a time with one keyframe only, itself too old. */
  fail_unless (send_frame (video, "d4", 4, DELTA, 0));
  fail_unless_equals_int (fake_key_units (video), 1);
  fail_unless (send_frame (video, "d5", 5, DELTA, 0));
  fail_unless (send_frame (video, "k6", 6, 0, 0));
  rig_block (&rig, FALSE);
  expect (&rig, "video_0", "k6 discont");
  rig_close (&rig, video, NULL);
}

GST_END_TEST;

/* Data is never dropped: the session is told to hold it, and to go on. */
GST_START_TEST (test_data_is_held)
{
  P2pInStream *data;
  GBytes *big = g_bytes_new_take (g_malloc0 (600000), 600000);
  P2pWireFrame frame = {
    0,
  };
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  data = fake_open ("data_0", P2P_WIRE_DATA, 1);
  fake_complete ();
  frame.pts = frame.dts = frame.duration = P2P_WIRE_TIME_NONE;
  rig_block (&rig, TRUE);
  fail_unless (send_frame (data, "small", 0, 0, 0));
  /* No format: none was declared. */
  expect_start (&rig, "data_0", NULL);
  expect (&rig, "data_0", "small discont");
  fail_unless (fake_frame (data, big, &frame, g_get_monotonic_time (), FALSE));
  fail_if (fake_frame (data, big, &frame, g_get_monotonic_time (), FALSE));
  rig_block (&rig, FALSE);
  fake_wait_resumed (data, 1);
  fail_unless (fake_frame (data, big, &frame, g_get_monotonic_time (), FALSE));
  g_bytes_unref (big);
  rig_close (&rig, data, NULL);
}

GST_END_TEST;

/* A container's headers come from its caps, to each viewer first. */
GST_START_TEST (test_headers)
{
  P2pInStream *data;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  data = fake_open ("data_0", P2P_WIRE_DATA, 1);
  fake_complete ();
  fake_caps (data, "video/x-flv, streamheader=(buffer)< 4142, 4344 >");
  expect_start (&rig, "data_0", "video/x-flv");
  send_frame (data, "tag", 0, 0, 0);
  expect (&rig, "data_0", "AB discont header");
  expect (&rig, "data_0", "CD header");
  expect (&rig, "data_0", "tag");
  rig_close (&rig, data, NULL);
}

GST_END_TEST;

/* A gap moves the stream on without data. */
GST_START_TEST (test_gap)
{
  P2pInStream *video;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = open_video (&rig);
  send_frame (video, "", 0, P2P_FRAME_GAP | DELTA, 0);
  expect (&rig, "video_0", "gap");
  rig_close (&rig, video, NULL);
}

GST_END_TEST;

/* What a hostile peer may say about a stream, and its kind: refused, told once,
 * and nothing of it reaches the pipeline. */
GST_START_TEST (test_hostile_streams)
{
  static const gchar *const formats[] = {
    "ANY",
    "EMPTY",
    "",
    "video/x-h264",
    "video/x-raw, format=I420",
    H264 "; " H264,
    "video/x-h264(memory:DMABuf), stream-format=byte-stream, "
    "alignment=au",
    "video/x-h264, stream-format=byte-stream, alignment={ au, nal }",
    H264 ", inner=(GstStructure)\"a;\"",
    H264 ", when=(GDate)2026-01-01",
    H264 ", nested=<<<<<<1>>>>>>",
    H264 ", range=(int)[ 1, 5 ]",
    H264 ", caps=(GstCaps)\"video/x-raw\"",
  };
  static const gchar *const names[]
      = { "video_x",          "video_",   "video_01", "audio_0",
          "video_4294967296", "x",        "",         "video_0/../x",
          "video_-1",         "video_+1", "video_ 1" };
  P2pInStream *stream;
  GstMessage *message;
  Rig rig;
  guint i;

  rig_open (&rig);
  rig_play (&rig);
  for (i = 0; i < G_N_ELEMENTS (names); i++) {
    stream = fake_open (names[i], P2P_WIRE_VIDEO, 1);
    fail_unless (fake_is_refused (stream), "%s", names[i]);
    fake_caps (stream, H264);
    fail_unless (send_frame (stream, "x", 0, 0, 0));
    fake_end (stream);
    fake_close (stream, FALSE);
  }
  fake_complete ();
  for (i = 0; i < G_N_ELEMENTS (formats); i++) {
    stream = fake_open ("video_0", P2P_WIRE_VIDEO, 1);
    fail_if (fake_is_refused (stream));
    fake_caps (stream, formats[i]);
    fail_unless (send_frame (stream, "x", 0, 0, 0));
    message
        = gst_bus_timed_pop_filtered (rig.bus, GST_CLOCK_TIME_NONE,
                                      GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
    fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_WARNING);
    gst_message_unref (message);
    fake_close (stream, TRUE);
  }
  /* More streams than a request may have. */
  for (i = 0; i < GST_P2P_SRC_MAX_PADS + 2; i++) {
    gchar *name = g_strdup_printf ("data_%u", i);

    stream = fake_open (name, P2P_WIRE_DATA, 1);
    /* One place is video_0's. */
    fail_unless (fake_is_refused (stream) == (i >= GST_P2P_SRC_MAX_PADS - 1));
    p2p_in_stream_unref (stream);
    g_free (name);
  }
  g_mutex_lock (&rig.lock);
  for (i = 0; i < rig.log->len; i++)
    fail_if (g_str_has_prefix (g_ptr_array_index (rig.log, i), "video"));
  g_mutex_unlock (&rig.lock);
  rig_close (&rig, NULL, NULL);
}

GST_END_TEST;

/* A device that never let us in is an error, and the end of trying; one that
 * served us before is waited for, and told of once an outage. */
GST_START_TEST (test_refused_by_the_device)
{
  GstMessage *message;
  GError *error;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  fake_step (P2P_STEP_AUTH, FALSE, "check-failure", "wrong key", NULL);
  message = gst_bus_pop_filtered (rig.bus, GST_MESSAGE_ELEMENT);
  fail_unless (message != NULL);
  gst_message_unref (message);
  message = gst_bus_pop_filtered (rig.bus, GST_MESSAGE_ERROR);
  fail_unless (message != NULL);
  gst_message_parse_error (message, &error, NULL);
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
                                GST_RESOURCE_ERROR_NOT_AUTHORIZED));
  fail_unless (strstr (error->message, "wrong key") != NULL);
  g_error_free (error);
  gst_message_unref (message);
  fail_if (fake_has_request ());
  rig_close (&rig, NULL, NULL);

  rig_open (&rig);
  rig_play (&rig);
  fake_step (P2P_STEP_MEDIA, TRUE, NULL, NULL, "direct");
  fake_step (P2P_STEP_AUTH, FALSE, "check-failure", "wrong key", NULL);
  fake_step (P2P_STEP_AUTH, FALSE, "check-failure", "wrong key", NULL);
  message
      = gst_bus_pop_filtered (rig.bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_WARNING);
  gst_message_unref (message);
  fail_unless (
      gst_bus_pop_filtered (rig.bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR)
      == NULL);
  fail_unless (fake_has_request ());
  rig_close (&rig, NULL, NULL);
}

GST_END_TEST;

/* Nothing to see is said, not left to be guessed. */
GST_START_TEST (test_no_streams)
{
  GstMessage *message;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  fake_complete ();
  message = gst_bus_timed_pop_filtered (rig.bus, GST_CLOCK_TIME_NONE,
                                        GST_MESSAGE_WARNING);
  gst_message_unref (message);
  rig_close (&rig, NULL, NULL);
}

GST_END_TEST;

/* EOS sent to the element (gst-launch-1.0 -e) ends every pad. */
GST_START_TEST (test_eos_from_the_application)
{
  P2pInStream *video;
  Rig rig;

  rig_open (&rig);
  rig_play (&rig);
  video = open_video (&rig);
  send_frame (video, "key", 0, 0, 0);
  expect (&rig, "video_0", "key discont");
  fail_unless (gst_element_send_event (rig.src, gst_event_new_eos ()));
  expect (&rig, "video_0", "eos");
  fail_unless (send_frame (video, "more", 0, 0, 0));
  rig_close (&rig, video, NULL);
}

GST_END_TEST;

/* Players ask; a live source answers. */
GST_START_TEST (test_queries)
{
  GstClockTime min, max;
  GstSchedulingFlags flags;
  gboolean live, seekable;
  P2pInStream *video;
  GstQuery *query;
  GstPad *peer;
  gchar *uri;
  Rig rig;

  rig_open (&rig);
  g_object_set (rig.src, "latency", 300, NULL);
  rig_play (&rig);
  video = open_video (&rig);
  peer = g_hash_table_lookup (rig.peers, "video_0");

  query = gst_query_new_latency ();
  fail_unless (gst_pad_peer_query (peer, query));
  gst_query_parse_latency (query, &live, &min, &max);
  fail_unless (live);
  fail_unless_equals_uint64 (min, 300 * GST_MSECOND);
  fail_unless (max > min);
  gst_query_unref (query);

  query = gst_query_new_seeking (GST_FORMAT_TIME);
  fail_unless (gst_pad_peer_query (peer, query));
  gst_query_parse_seeking (query, NULL, &seekable, NULL, NULL);
  fail_if (seekable);
  gst_query_unref (query);

  query = gst_query_new_duration (GST_FORMAT_TIME);
  fail_if (gst_pad_peer_query (peer, query));
  gst_query_unref (query);

  query = gst_query_new_scheduling ();
  fail_unless (gst_pad_peer_query (peer, query));
  fail_unless (gst_query_has_scheduling_mode (query, GST_PAD_MODE_PUSH));
  fail_if (gst_query_has_scheduling_mode (query, GST_PAD_MODE_PULL));
  gst_query_parse_scheduling (query, &flags, NULL, NULL, NULL);
  fail_unless (flags & GST_SCHEDULING_FLAG_BANDWIDTH_LIMITED);
  gst_query_unref (query);

  query = gst_query_new_uri ();
  fail_unless (gst_element_query (rig.src, query));
  gst_query_parse_uri (query, &uri);
  fail_unless_equals_string (uri, "p2p://camera-1?action=live&channel=0");
  g_free (uri);
  gst_query_unref (query);
  rig_close (&rig, video, NULL);
}

GST_END_TEST;

/* The URI, as players set it: checked at once, and not while it is in use. */
GST_START_TEST (test_uri)
{
  static const struct
  {
    const gchar *uri;
    gboolean good;
  } cases[] = {
    { "p2p://camera-1", TRUE },
    { "p2p://camera-1/", TRUE },
    { "p2p://Camera_1.Front?action=live&channel=0", TRUE },
    { "p2p://camera-1/?a=b%20c", TRUE },
    { "p2p://", FALSE },
    { "p2p://camera 1", FALSE },
    { "p2p://camera-1/path", FALSE },
    { "p2p://user@camera-1", FALSE },
    { "p2p://camera-1:80", FALSE },
    { "p2p://camera-1#x", FALSE },
    { "p2p://camera-1?a=b c", FALSE },
    { "p2p://camera-1?a=b#c", FALSE },
    { "p2p://camera-1?key=hunter2hunter2", FALSE },
    { "p2p://camera-1?a=b&Token=hunter2", FALSE },
    { "http://camera-1", FALSE },
    { "p2p://0123456789012345678901234567890123456789012345678901234567890123"
      "4",
      FALSE },
  };
  GstURIHandler *handler;
  GstElement *made;
  GError *error = NULL;
  gchar *uri;
  Rig rig;
  guint i;

  rig_open (&rig);
  handler = GST_URI_HANDLER (rig.src);
  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    fail_unless (gst_uri_handler_set_uri (handler, cases[i].uri, &error)
                     == cases[i].good,
                 "%s", cases[i].uri);
    fail_unless ((error == NULL) == cases[i].good);
    if (error != NULL)
      fail_if (strstr (error->message, "hunter2") != NULL);
    g_clear_error (&error);
  }
  uri = g_strconcat ("p2p://camera-1?", NULL);
  uri = g_realloc (uri, strlen (uri) + P2P_WIRE_MAX_PARAMS + 2);
  i = strlen (uri);
  memset (uri + i, 'a', P2P_WIRE_MAX_PARAMS + 1);
  uri[i + P2P_WIRE_MAX_PARAMS + 1] = '\0';
  fail_if (gst_uri_handler_set_uri (handler, uri, NULL));
  uri[i + P2P_WIRE_MAX_PARAMS] = '\0';
  fail_unless (gst_uri_handler_set_uri (handler, uri, NULL));
  g_free (uri);

  fail_unless (gst_uri_handler_set_uri (handler, "p2p://camera-1", NULL));
  gst_element_set_state (rig.src, GST_STATE_PAUSED);
  fail_unless_equals_string (fake_request_params (), "");
  fail_if (gst_uri_handler_set_uri (handler, "p2p://camera-2", &error));
  fail_unless (g_error_matches (error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE));
  g_clear_error (&error);
  uri = gst_uri_handler_get_uri (handler);
  fail_unless_equals_string (uri, "p2p://camera-1");
  g_free (uri);
  rig_close (&rig, NULL, NULL);

  made = gst_element_make_from_uri (GST_URI_SRC, "p2p://camera-1", NULL, NULL);
  fail_unless (GST_IS_P2P_SRC (made));
  gst_object_unref (made);
}

GST_END_TEST;

static Suite *
source_suite (void)
{
  Suite *suite = suite_create ("p2psrc");
  TCase *tcase = tcase_create ("source");

  GST_ELEMENT_REGISTER (p2psrc, NULL);
  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_states);
  tcase_add_test (tcase, test_pads);
  tcase_add_test (tcase, test_groups);
  tcase_add_test (tcase, test_frame);
  tcase_add_test (tcase, test_lip_sync);
  tcase_add_test (tcase, test_paused);
  tcase_add_test (tcase, test_eos_of_one);
  tcase_add_test (tcase, test_reconnect);
  tcase_add_test (tcase, test_removal);
  tcase_add_test (tcase, test_key_unit);
  tcase_add_test (tcase, test_live_forgets);
  tcase_add_test (tcase, test_data_is_held);
  tcase_add_test (tcase, test_headers);
  tcase_add_test (tcase, test_gap);
  tcase_add_test (tcase, test_hostile_streams);
  tcase_add_test (tcase, test_refused_by_the_device);
  tcase_add_test (tcase, test_no_streams);
  tcase_add_test (tcase, test_eos_from_the_application);
  tcase_add_test (tcase, test_queries);
  tcase_add_test (tcase, test_uri);
  return suite;
}

GST_CHECK_MAIN (source);
