/* A camera and its viewers in one process.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>
#include <gio/gio.h>
#include <gst/video/video.h>
#include "loopback.h"

gchar *
free_signaller (void)
{
  GSocket *socket;
  GSocketAddress *any, *bound;
  GInetAddress *loopback;
  gchar *uri;

  loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  any = g_inet_socket_address_new (loopback, 0);
  socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM,
                         G_SOCKET_PROTOCOL_TCP, NULL);
  fail_unless (g_socket_bind (socket, any, TRUE, NULL));
  bound = g_socket_get_local_address (socket, NULL);
  uri = g_strdup_printf ("tcp://127.0.0.1:%u",
                         g_inet_socket_address_get_port (
                             G_INET_SOCKET_ADDRESS (bound)));
  g_object_unref (bound);
  g_object_unref (any);
  g_object_unref (loopback);
  g_object_unref (socket);
  return uri;
}

/* -- Frames ---------------------------------------------------------------- */

GstBuffer *
make_frame (guint seed, gsize size, GstClockTime pts, guint flags)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);
  GstMapInfo map;
  guint32 state = seed * 2654435761u + 1;
  gsize i;

  gst_buffer_map (buffer, &map, GST_MAP_WRITE);
  for (i = 0; i < size; i++) {
    state = state * 1664525u + 1013904223u;
    map.data[i] = state >> 24;
  }
  gst_buffer_unmap (buffer, &map);
  GST_BUFFER_PTS (buffer) = pts;
  GST_BUFFER_FLAG_SET (buffer, flags);
  return buffer;
}

guint32
frame_checksum (GstBuffer *buffer)
{
  GstMapInfo map;
  guint32 sum = 2166136261u;
  gsize i;

  gst_buffer_map (buffer, &map, GST_MAP_READ);
  for (i = 0; i < map.size; i++)
    sum = (sum ^ map.data[i]) * 16777619u;
  gst_buffer_unmap (buffer, &map);
  return sum;
}

/* -- Camera ---------------------------------------------------------------- */

static void
on_request_added (GstElement *sink, const gchar *peer, guint request,
                  const GstStructure *info, gpointer user)
{
  Camera *camera = user;

  g_mutex_lock (&camera->lock);
  camera->requests++;
  g_free (camera->last_viewer);
  camera->last_viewer = g_strdup (peer);
  g_cond_broadcast (&camera->changed);
  g_mutex_unlock (&camera->lock);
}

static void
on_viewer_removed (GstElement *sink, const gchar *peer, const gchar *reason,
                   gpointer user)
{
  Camera *camera = user;

  g_mutex_lock (&camera->lock);
  camera->viewers_removed++;
  g_free (camera->last_reason);
  camera->last_reason = g_strdup (reason);
  g_cond_broadcast (&camera->changed);
  g_mutex_unlock (&camera->lock);
}

void
camera_open (Camera *camera, const gchar *signaller)
{
  memset (camera, 0, sizeof (*camera));
  g_mutex_init (&camera->lock);
  g_cond_init (&camera->changed);
  camera->signaller = g_strdup (signaller);
  camera->pipeline = gst_pipeline_new ("camera");
  camera->bus = gst_element_get_bus (camera->pipeline);
  camera->sink = gst_element_factory_make ("p2psink", NULL);
  fail_unless (camera->sink != NULL);
  g_object_set (camera->sink, "device-id", "camera-1", "key", KEY, "signaller",
                signaller, NULL);
  g_signal_connect (camera->sink, "request-added",
                    G_CALLBACK (on_request_added), camera);
  g_signal_connect (camera->sink, "viewer-removed",
                    G_CALLBACK (on_viewer_removed), camera);
  gst_bin_add (GST_BIN (camera->pipeline), camera->sink);
}

static GstPadProbeReturn
on_encoder_event (GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
  Camera *camera = user;
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);
  gboolean all_headers;

  if (!gst_video_event_is_force_key_unit (event))
    return GST_PAD_PROBE_OK;
  gst_video_event_parse_upstream_force_key_unit (event, NULL, &all_headers,
                                                 NULL);
  g_mutex_lock (&camera->lock);
  camera->key_units++;
  camera->headers_wanted = all_headers;
  g_cond_broadcast (&camera->changed);
  g_mutex_unlock (&camera->lock);
  return GST_PAD_PROBE_OK;
}

GstAppSrc *
camera_add (Camera *camera, const gchar *pad, const gchar *caps)
{
  GstElement *src = gst_element_factory_make ("appsrc", NULL);
  GstCaps *parsed = gst_caps_from_string (caps);
  GstPad *src_pad;

  fail_unless (src != NULL);
  g_object_set (src, "is-live", TRUE, "format", GST_FORMAT_TIME, "caps", parsed,
                "max-bytes", G_GUINT64_CONSTANT (0), NULL);
  gst_caps_unref (parsed);
  gst_bin_add (GST_BIN (camera->pipeline), src);
  fail_unless (gst_element_link_pads (src, "src", camera->sink, pad));
  src_pad = gst_element_get_static_pad (src, "src");
  gst_pad_add_probe (src_pad, GST_PAD_PROBE_TYPE_EVENT_UPSTREAM,
                     on_encoder_event, camera, NULL);
  gst_object_unref (src_pad);
  return GST_APP_SRC (src);
}

void
camera_start (Camera *camera)
{
  fail_if (gst_element_set_state (camera->pipeline, GST_STATE_PLAYING)
           == GST_STATE_CHANGE_FAILURE);
  g_free (wait_step (camera->bus, "server", "ok"));
}

void
camera_close (Camera *camera)
{
  gst_element_set_state (camera->pipeline, GST_STATE_NULL);
  gst_object_unref (camera->bus);
  gst_object_unref (camera->pipeline);
  g_free (camera->signaller);
  g_free (camera->last_viewer);
  g_free (camera->last_reason);
  g_cond_clear (&camera->changed);
  g_mutex_clear (&camera->lock);
}

static void
camera_wait (Camera *camera, guint *counter, guint count)
{
  g_mutex_lock (&camera->lock);
  while (*counter < count)
    g_cond_wait (&camera->changed, &camera->lock);
  g_mutex_unlock (&camera->lock);
}

void
camera_wait_requests (Camera *camera, guint count)
{
  camera_wait (camera, &camera->requests, count);
}

void
camera_wait_removed (Camera *camera, guint count)
{
  camera_wait (camera, &camera->viewers_removed, count);
}

void
camera_wait_key_units (Camera *camera, guint count)
{
  camera_wait (camera, &camera->key_units, count);
}

/* -- Viewer ---------------------------------------------------------------- */

static void
stream_free (gpointer data)
{
  Stream *stream = data;

  g_ptr_array_unref (stream->buffers);
  g_array_unref (stream->groups);
  gst_clear_caps (&stream->caps);
  g_free (stream->name);
  g_free (stream);
}

/* Lock held. */
static Stream *
find_stream (Viewer *viewer, const gchar *name)
{
  guint i;

  for (i = 0; i < viewer->streams->len; i++) {
    Stream *stream = g_ptr_array_index (viewer->streams, i);

    if (g_str_equal (stream->name, name))
      return stream;
  }
  return NULL;
}

static void
take_event (Stream *stream, GstEvent *event)
{
  GstCaps *caps;
  guint group;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      fail_unless (gst_event_parse_group_id (event, &group));
      g_array_append_val (stream->groups, group);
      break;
    case GST_EVENT_CAPS:
      gst_event_parse_caps (event, &caps);
      gst_caps_replace (&stream->caps, caps);
      break;
    case GST_EVENT_EOS:
      stream->eos++;
      break;
    default:
      break;
  }
}

static GstPadProbeReturn
on_data (GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
  Viewer *viewer = user;
  Stream *stream;

  g_mutex_lock (&viewer->lock);
  stream = find_stream (viewer, GST_PAD_NAME (pad));
  if (GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_BUFFER) {
    while (stream->blocked)
      g_cond_wait (&viewer->changed, &viewer->lock);
    g_ptr_array_add (stream->buffers,
                     gst_buffer_ref (GST_PAD_PROBE_INFO_BUFFER (info)));
  } else {
    take_event (stream, GST_PAD_PROBE_INFO_EVENT (info));
  }
  g_cond_broadcast (&viewer->changed);
  g_mutex_unlock (&viewer->lock);
  return GST_PAD_PROBE_OK;
}

static void
on_pad_added (GstElement *src, GstPad *pad, gpointer user)
{
  Viewer *viewer = user;
  Stream *stream = g_new0 (Stream, 1);
  GstPad *sink_pad;

  stream->name = g_strdup (GST_PAD_NAME (pad));
  stream->buffers
      = g_ptr_array_new_with_free_func ((GDestroyNotify)gst_buffer_unref);
  stream->groups = g_array_new (FALSE, FALSE, sizeof (guint));
  stream->sink = gst_element_factory_make ("fakesink", NULL);
  g_object_set (stream->sink, "sync", FALSE, "async", FALSE,
                "enable-last-sample", FALSE, NULL);
  g_mutex_lock (&viewer->lock);
  g_ptr_array_add (viewer->streams, stream);
  g_cond_broadcast (&viewer->changed);
  g_mutex_unlock (&viewer->lock);

  gst_pad_add_probe (pad,
                     GST_PAD_PROBE_TYPE_BUFFER
                         | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
                     on_data, viewer, NULL);
  gst_bin_add (GST_BIN (viewer->pipeline), stream->sink);
  gst_element_sync_state_with_parent (stream->sink);
  sink_pad = gst_element_get_static_pad (stream->sink, "sink");
  fail_unless_equals_int (gst_pad_link (pad, sink_pad), GST_PAD_LINK_OK);
  gst_object_unref (sink_pad);
}

static void
on_no_more_pads (GstElement *src, gpointer user)
{
  Viewer *viewer = user;

  g_mutex_lock (&viewer->lock);
  viewer->no_more_pads = TRUE;
  g_cond_broadcast (&viewer->changed);
  g_mutex_unlock (&viewer->lock);
}

void
viewer_open (Viewer *viewer, const gchar *signaller, const gchar *uri,
             const gchar *key)
{
  memset (viewer, 0, sizeof (*viewer));
  g_mutex_init (&viewer->lock);
  g_cond_init (&viewer->changed);
  viewer->streams = g_ptr_array_new_with_free_func (stream_free);
  viewer->pipeline = gst_pipeline_new ("viewer");
  viewer->bus = gst_element_get_bus (viewer->pipeline);
  viewer->src = gst_element_factory_make ("p2psrc", NULL);
  fail_unless (viewer->src != NULL);
  g_object_set (viewer->src, "uri", uri != NULL ? uri : "p2p://camera-1", "key",
                key != NULL ? key : KEY, "signaller", signaller, NULL);
  g_signal_connect (viewer->src, "pad-added", G_CALLBACK (on_pad_added),
                    viewer);
  g_signal_connect (viewer->src, "no-more-pads", G_CALLBACK (on_no_more_pads),
                    viewer);
  gst_bin_add (GST_BIN (viewer->pipeline), viewer->src);
}

void
viewer_start (Viewer *viewer)
{
  fail_if (gst_element_set_state (viewer->pipeline, GST_STATE_PLAYING)
           == GST_STATE_CHANGE_FAILURE);
}

void
viewer_close (Viewer *viewer)
{
  gst_element_set_state (viewer->pipeline, GST_STATE_NULL);
  gst_object_unref (viewer->bus);
  gst_object_unref (viewer->pipeline);
  g_ptr_array_unref (viewer->streams);
  g_cond_clear (&viewer->changed);
  g_mutex_clear (&viewer->lock);
}

Stream *
viewer_stream (Viewer *viewer, const gchar *name)
{
  Stream *stream;

  g_mutex_lock (&viewer->lock);
  while ((stream = find_stream (viewer, name)) == NULL)
    g_cond_wait (&viewer->changed, &viewer->lock);
  g_mutex_unlock (&viewer->lock);
  return stream;
}

GstBuffer *
viewer_wait (Viewer *viewer, const gchar *name, guint count)
{
  Stream *stream = viewer_stream (viewer, name);
  GstBuffer *buffer;

  g_mutex_lock (&viewer->lock);
  while (stream->buffers->len < count)
    g_cond_wait (&viewer->changed, &viewer->lock);
  buffer = g_ptr_array_index (stream->buffers, count - 1);
  g_mutex_unlock (&viewer->lock);
  return buffer;
}

void
viewer_wait_eos (Viewer *viewer, const gchar *name)
{
  Stream *stream = viewer_stream (viewer, name);

  g_mutex_lock (&viewer->lock);
  while (stream->eos == 0)
    g_cond_wait (&viewer->changed, &viewer->lock);
  g_mutex_unlock (&viewer->lock);
}

void
viewer_wait_groups (Viewer *viewer, const gchar *name, guint count)
{
  Stream *stream = viewer_stream (viewer, name);

  g_mutex_lock (&viewer->lock);
  while (stream->groups->len < count)
    g_cond_wait (&viewer->changed, &viewer->lock);
  g_mutex_unlock (&viewer->lock);
}

guint
viewer_count (Viewer *viewer, const gchar *name)
{
  Stream *stream = viewer_stream (viewer, name);
  guint count;

  g_mutex_lock (&viewer->lock);
  count = stream->buffers->len;
  g_mutex_unlock (&viewer->lock);
  return count;
}

void
viewer_block (Viewer *viewer, const gchar *name, gboolean blocked)
{
  Stream *stream = viewer_stream (viewer, name);

  g_mutex_lock (&viewer->lock);
  stream->blocked = blocked;
  g_cond_broadcast (&viewer->changed);
  g_mutex_unlock (&viewer->lock);
}

/* -- Messages -------------------------------------------------------------- */

gchar *
wait_step (GstBus *bus, const gchar *step, const gchar *status)
{
  const GstStructure *structure;
  GstMessage *message;
  gchar *reason = NULL;
  GError *error;

  while (reason == NULL) {
    message
        = gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE,
                                      GST_MESSAGE_ELEMENT | GST_MESSAGE_ERROR);
    if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
      gst_message_parse_error (message, &error, NULL);
      fail ("error instead of step %s: %s", step, error->message);
    }
    structure = gst_message_get_structure (message);
    if (gst_structure_has_name (structure, "p2p-step")
        && g_str_equal (gst_structure_get_string (structure, "step"), step)
        && g_str_equal (gst_structure_get_string (structure, "status"), status))
      reason = g_strdup (gst_structure_get_string (structure, "reason"));
    gst_message_unref (message);
  }
  return reason;
}
