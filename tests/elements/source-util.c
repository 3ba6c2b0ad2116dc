/* p2psrc on a bench that keeps a log.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "source-util.h"
#include <string.h>

/* -- A pipeline that keeps a log ------------------------------------------- */

static void G_GNUC_PRINTF (2, 3)
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
void
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
GstBuffer *
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
  /* As it is now, not when the test has read the line. */
  flow = rig->flow;
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

  /* Applications count on one at a time, gst-launch-1.0 does. */
  fail_unless_equals_int (g_atomic_int_add (&rig->adding, 1), 0);
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
  g_atomic_int_add (&rig->adding, -1);
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

void
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

void
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
void
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

void
rig_block (Rig *rig, gboolean blocked)
{
  g_mutex_lock (&rig->lock);
  rig->blocked = blocked;
  g_cond_broadcast (&rig->changed);
  g_mutex_unlock (&rig->lock);
}

void
rig_set_flow (Rig *rig, GstFlowReturn flow)
{
  g_mutex_lock (&rig->lock);
  rig->flow = flow;
  g_mutex_unlock (&rig->lock);
}

void
rig_expect_nothing (Rig *rig, const gchar *pad)
{
  gchar *prefix = g_strconcat (pad, " ", NULL);
  guint i;

  g_mutex_lock (&rig->lock);
  for (i = 0; i < rig->log->len; i++)
    fail_if (g_str_has_prefix (g_ptr_array_index (rig->log, i), prefix), "%s",
             (const gchar *)g_ptr_array_index (rig->log, i));
  g_mutex_unlock (&rig->lock);
  g_free (prefix);
}

/* A frame of `stream` with its sender's time `pts`, sent at that time, that
 * arrived `ago_us` before now. */
gboolean
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

void
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

P2pInStream *
open_video (Rig *rig)
{
  P2pInStream *video;

  video = fake_open ("video_0", P2P_WIRE_VIDEO, 1);
  fake_complete ();
  fake_caps (video, H264);
  expect_start (rig, "video_0", "video/x-h264");
  return video;
}
