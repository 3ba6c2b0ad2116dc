/* Keyframes, bit rates and snapshots on request. Which lock protects what:
 * gstsocvideosrc-private.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <gst/video/video.h>
#include <string.h>

#include "gstsocerror.h"
#include "gstsocvideosrc-private.h"

/* An upstream event with a field `bitrate` (uint, bit/s), from a sink that
 * knows what the network carries. */
#define BITRATE_EVENT "GstP2pBitrateRequest"
#define SNAPSHOT_TIMEOUT (2 * HAL_SECOND)

#define PRIVATE(src) gst_soc_video_src_priv (src)

enum { SIGNAL_REQUEST_KEYFRAME, SIGNAL_SNAPSHOT, N_SIGNALS };

static guint signals[N_SIGNALS];

static GstClockTime
running_time (GstSocVideoSrc *src)
{
  GstClock *clock = gst_element_get_clock (GST_ELEMENT (src));
  GstClockTime now = GST_CLOCK_TIME_NONE;

  if (clock != NULL) {
    GstClockTime base = gst_element_get_base_time (GST_ELEMENT (src));

    now = gst_clock_get_time (clock);
    now = now > base ? now - base : 0;
    gst_object_unref (clock);
  }
  return now;
}

/* Asks the encoder, unless it was asked and has not answered, it is too early
 * for the request, or for the interval between requests. */
void
gst_soc_video_src_ask_keyframe (GstSocVideoSrc *src)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  gint64 now = g_get_monotonic_time ();
  GstClockTime running = running_time (src);
  guint64 interval;
  gboolean ask;

  GST_OBJECT_LOCK (src);
  interval = priv->idr_interval / GST_USECOND;
  GST_OBJECT_UNLOCK (src);
  g_mutex_lock (&priv->keyframe_lock);
  ask = priv->keyframe_wanted && !priv->keyframe_asked
        && (!GST_CLOCK_TIME_IS_VALID (priv->keyframe_at)
            || !GST_CLOCK_TIME_IS_VALID (running)
            || running >= priv->keyframe_at)
        && (priv->keyframe_asked_time == 0
            || (guint64)(now - priv->keyframe_asked_time) >= interval);
  if (ask) {
    priv->keyframe_asked = TRUE;
    priv->keyframe_asked_time = now;
  }
  g_mutex_unlock (&priv->keyframe_lock);
  if (!ask)
    return;
  g_mutex_lock (&priv->stream_lock);
  if (priv->stream != NULL)
    hal_stream_request_idr (priv->stream, NULL);
  g_mutex_unlock (&priv->stream_lock);
}

/* Several requests before the keyframe are one. */
static void
want_keyframe (GstSocVideoSrc *src, GstClockTime at, gboolean headers,
               guint count)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);

  g_mutex_lock (&priv->keyframe_lock);
  if (!priv->keyframe_wanted) {
    priv->keyframe_at = at;
    priv->keyframe_headers = headers;
  } else {
    if (!GST_CLOCK_TIME_IS_VALID (at)
        || (GST_CLOCK_TIME_IS_VALID (priv->keyframe_at)
            && at < priv->keyframe_at))
      priv->keyframe_at = at;
    priv->keyframe_headers |= headers;
  }
  priv->keyframe_wanted = TRUE;
  priv->keyframe_count = count;
  g_mutex_unlock (&priv->keyframe_lock);
  gst_soc_video_src_ask_keyframe (src);
}

void
gst_soc_video_src_answer_keyframe (GstSocVideoSrc *src, GstClockTime pts)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  GstSegment *segment = &GST_BASE_SRC (src)->segment;
  gboolean answer, headers;
  guint count;

  g_mutex_lock (&priv->keyframe_lock);
  answer = priv->keyframe_wanted && priv->keyframe_asked;
  headers = priv->keyframe_headers;
  count = priv->keyframe_count;
  if (answer)
    priv->keyframe_wanted = priv->keyframe_asked = FALSE;
  g_mutex_unlock (&priv->keyframe_lock);
  if (answer)
    gst_pad_push_event (
        GST_BASE_SRC_PAD (src),
        gst_video_event_new_downstream_force_key_unit (
            pts, gst_segment_to_stream_time (segment, GST_FORMAT_TIME, pts),
            gst_segment_to_running_time (segment, GST_FORMAT_TIME, pts),
            headers, count));
}

gboolean
gst_soc_video_src_handle_upstream (GstSocVideoSrc *src, GstEvent *event)
{
  const GstStructure *structure;
  GstClockTime at;
  gboolean headers;
  guint count, bitrate;

  if (GST_EVENT_TYPE (event) != GST_EVENT_CUSTOM_UPSTREAM)
    return FALSE;
  structure = gst_event_get_structure (event);
  if (gst_video_event_is_force_key_unit (event)) {
    if (!gst_video_event_parse_upstream_force_key_unit (event, &at, &headers,
                                                        &count))
      return FALSE;
    GST_DEBUG_OBJECT (src, "keyframe asked for, at %" GST_TIME_FORMAT,
                      GST_TIME_ARGS (at));
    want_keyframe (src, at, headers, count);
    return TRUE;
  }
  if (gst_structure_has_name (structure, BITRATE_EVENT)
      && gst_structure_get_uint (structure, "bitrate", &bitrate)) {
    g_object_set (src, "bitrate", MAX (bitrate, HAL_MIN_BITRATE), NULL);
    return TRUE;
  }
  return FALSE;
}

static void
gst_soc_video_src_request_keyframe (GstSocVideoSrc *src, gboolean headers)
{
  want_keyframe (src, GST_CLOCK_TIME_NONE, headers, 0);
}

static void
collect_snapshot (gpointer user, const HalSegment *segments, guint n)
{
  GByteArray *bytes = user;
  guint i;

  for (i = 0; i < n; i++)
    g_byte_array_append (bytes, segments[i].data, (guint)segments[i].size);
}

static GstSample *
gst_soc_video_src_snapshot (GstSocVideoSrc *src)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  GByteArray *bytes = g_byte_array_new ();
  HalStatus status = HAL_NO_DEVICE;
  GstSample *sample = NULL;
  HalError error = { .status = HAL_NO_DEVICE,
                     .text = "no snapshot while the stream does not run" };
  guint quality;

  GST_OBJECT_LOCK (src);
  quality = priv->want.jpeg_quality;
  GST_OBJECT_UNLOCK (src);
  g_mutex_lock (&priv->stream_lock);
  if (priv->stream != NULL)
    status = hal_stream_snapshot (priv->stream, quality, SNAPSHOT_TIMEOUT,
                                  collect_snapshot, bytes, &error);
  g_mutex_unlock (&priv->stream_lock);
  if (status == HAL_OK) {
    GBytes *all = g_byte_array_free_to_bytes (bytes);
    GstBuffer *buffer = gst_buffer_new_wrapped_bytes (all);
    GstCaps *caps = gst_caps_new_empty_simple ("image/jpeg");

    sample = gst_sample_new (buffer, caps, NULL, NULL);
    gst_caps_unref (caps);
    gst_buffer_unref (buffer);
    g_bytes_unref (all);
  } else {
    g_byte_array_unref (bytes);
    gst_soc_post_warning (GST_ELEMENT (src), &error);
  }
  return sample;
}

void
gst_soc_video_src_install_signals (GObjectClass *object_class)
{
  GType type = G_TYPE_FROM_CLASS (object_class);

  /**
   * GstSocVideoSrc::request-keyframe:
   * @src: the source
   * @all-headers: whether the parameter sets shall come again
   */
  signals[SIGNAL_REQUEST_KEYFRAME] = g_signal_new_class_handler (
      "request-keyframe", type, G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
      G_CALLBACK (gst_soc_video_src_request_keyframe), NULL, NULL, NULL,
      G_TYPE_NONE, 1, G_TYPE_BOOLEAN);
  /**
   * GstSocVideoSrc::snapshot:
   * @src: the source
   *
   * Returns: (transfer full) (nullable): one picture as image/jpeg
   */
  signals[SIGNAL_SNAPSHOT]
      = g_signal_new_class_handler ("snapshot", type,
                                    G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
                                    G_CALLBACK (gst_soc_video_src_snapshot),
                                    NULL, NULL, NULL, GST_TYPE_SAMPLE, 0);
}
