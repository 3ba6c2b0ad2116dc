/* The base of all video sources; see gstsocvideosrc.h.
 *
 * NULL to READY loads the vendor's libraries, so that what is missing is said
 * there; the encoder channel is made and started by the streaming thread when
 * it knows what downstream takes, which for a live source is in PLAYING.
 *
 * Threads and locks:
 *   - the reader's thread takes frames (gstsocreader.c);
 *   - the streaming thread puts times and caps on them; `timeline`, `caps`,
 *     `last_pts` and their neighbours are its own, but for start and stop,
 *     when it does not run;
 *   - the object lock protects `want` and the other values of properties;
 *   - `stream_lock` protects `stream`, and is held during calls that may take
 *     the vendor some milliseconds, a snapshot longer; `reader_lock` protects
 *     `reader` and is held for moments, so that unlock never waits. The
 *     streaming thread writes both pointers, and reads them without a lock.
 *     Order: stream_lock, reader_lock, object lock;
 *   - `keyframe_lock` protects what is asked of keyframes.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstsocvideosrc.h"

#include <gst/video/video.h>
#include <string.h>

#include "gstsoccaps.h"
#include "gstsocenums.h"
#include "gstsocerror.h"

GST_DEBUG_CATEGORY_STATIC (soc_video_src_debug);
#define GST_CAT_DEFAULT soc_video_src_debug

#define DEFAULT_QUEUED 16
#define MAX_QUEUED 1024
#define DEFAULT_TIMEOUT (5 * GST_SECOND)
#define DEFAULT_IDR_INTERVAL 0
/* An upstream event with a field `bitrate` (uint, bit/s), from a sink that
 * knows what the network carries. */
#define BITRATE_EVENT "GstP2pBitrateRequest"

typedef struct
{
  /* Constant after READY, until NULL. */
  HalContext *context;

  GMutex stream_lock;
  HalStream *stream; /* protected by stream_lock */

  GMutex reader_lock;
  /* Protected by reader_lock. */
  GstSocReader *reader;
  gboolean flushing, discard; /* for a reader that is not there yet, too */

  /* Protected by the object lock. */
  HalStreamConfig want;
  gchar *library_path;
  guint max_queued;
  guint64 timeout;
  guint64 idr_interval;
  gchar *refused; /* a value that was refused before READY, in words */
  gdouble drift;
  guint64 jumps, pushed, pushed_bytes;

  /* Of the streaming thread. */
  GstSocTimeline *timeline;
  guint64 timeline_jumps;
  GstCaps *caps;
  GstClockTime last_pts;
  gboolean discont;

  GMutex keyframe_lock;
  /* Protected by keyframe_lock. */
  gboolean keyframe_wanted, keyframe_asked, keyframe_headers;
  guint keyframe_count;
  GstClockTime keyframe_at;   /* running time; NONE: now */
  gint64 keyframe_asked_time; /* monotonic us */
} GstSocVideoSrcPrivate;

enum
{
  PROP_0,
  PROP_STREAM_ID,
  PROP_CODEC,
  PROP_BITRATE,
  PROP_MAX_BITRATE,
  PROP_GOP_SIZE,
  PROP_QP_MIN,
  PROP_QP_MAX,
  PROP_RATE_CONTROL,
  PROP_FRAMERATE,
  PROP_INPUT_FRAMERATE,
  PROP_JPEG_QUALITY,
  PROP_LIBRARY_PATH,
  PROP_MAX_QUEUED,
  PROP_TIMEOUT,
  PROP_IDR_INTERVAL,
  PROP_STATS,
};

enum
{
  SIGNAL_REQUEST_KEYFRAME,
  SIGNAL_SNAPSHOT,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

G_DEFINE_ABSTRACT_TYPE_WITH_CODE (GstSocVideoSrc, gst_soc_video_src,
    GST_TYPE_PUSH_SRC,
    G_ADD_PRIVATE (GstSocVideoSrc)
        GST_DEBUG_CATEGORY_INIT (soc_video_src_debug, "socvideosrc", 0,
            "SoC video sources"));

#define PRIVATE(src) gst_soc_video_src_get_instance_private (src)

/* --- Settings ------------------------------------------------------------ */

static void
add_config (GstSocVideoSrc *src, HalContextConfig *context,
    HalStreamConfig *stream)
{
  GstSocVideoSrcClass *klass = GST_SOC_VIDEO_SRC_GET_CLASS (src);

  if (klass->add_config != NULL)
    klass->add_config (src, context, stream);
}

static void
post_refused (GstSocVideoSrc *src, const gchar *what)
{
  GST_ELEMENT_WARNING (src, RESOURCE, SETTINGS, ("%s", what),
      ("the value in force is unchanged"));
}

/* Puts the changed fields into the running encoder; what it does not take
 * stays as it was. */
static void
apply (GstSocVideoSrc *src, guint32 what)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  HalError error = { 0 };
  HalStreamConfig want;
  HalStatus status = HAL_OK;

  g_mutex_lock (&priv->stream_lock);
  if (priv->stream != NULL) {
    GST_OBJECT_LOCK (src);
    want = priv->want;
    GST_OBJECT_UNLOCK (src);
    status = hal_stream_set (priv->stream, &want, what, &error);
    if (status != HAL_OK) {
      HalStreamConfig now;

      hal_stream_get_config (priv->stream, &now);
      GST_OBJECT_LOCK (src);
      priv->want.bitrate = now.bitrate;
      priv->want.max_bitrate = now.max_bitrate;
      priv->want.gop = now.gop;
      priv->want.qp_min = now.qp_min;
      priv->want.qp_max = now.qp_max;
      priv->want.rate_control = now.rate_control;
      priv->want.fps_num = now.fps_num;
      priv->want.fps_den = now.fps_den;
      GST_OBJECT_UNLOCK (src);
    }
  }
  g_mutex_unlock (&priv->stream_lock);
  if (status != HAL_OK)
    gst_soc_post_warning (GST_ELEMENT (src), &error);
}

/* Takes a value over if it is possible together with the others; before READY
 * they may still change, so that only what is impossible alone is refused. */
static void
change (GstSocVideoSrc *src, guint32 what, const HalStreamConfig *next)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  HalStreamConfig alone;
  HalError error = { 0 };
  gchar *refused = NULL;

  hal_stream_config_init (&alone);
  if (what & HAL_SET_BITRATE)
    alone.bitrate = next->bitrate;
  if ((what & HAL_SET_MAX_BITRATE) && next->max_bitrate != 0)
    alone.bitrate = alone.max_bitrate = next->max_bitrate;
  if (what & HAL_SET_GOP)
    alone.gop = next->gop;
  if (what & HAL_SET_FRAMERATE) {
    alone.fps_num = next->fps_num;
    alone.fps_den = next->fps_den;
  }
  if (hal_stream_config_check (&alone, &error) != HAL_OK)
    refused = g_strdup (error.text);
  GST_OBJECT_LOCK (src);
  if (refused == NULL)
    priv->want = *next;
  if (priv->context == NULL) {
    g_free (priv->refused);
    priv->refused = g_strdup (refused);
  }
  GST_OBJECT_UNLOCK (src);
  if (refused != NULL)
    post_refused (src, refused);
  else
    apply (src, what);
  g_free (refused);
}

static void
set_running (GstSocVideoSrc *src, guint id, const GValue *value)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  HalStreamConfig next;
  guint32 what = 0;

  GST_OBJECT_LOCK (src);
  next = priv->want;
  GST_OBJECT_UNLOCK (src);
  switch (id) {
    case PROP_BITRATE:
      next.bitrate = g_value_get_uint (value);
      what = HAL_SET_BITRATE;
      break;
    case PROP_MAX_BITRATE:
      next.max_bitrate = g_value_get_uint (value);
      what = HAL_SET_MAX_BITRATE;
      break;
    case PROP_GOP_SIZE:
      next.gop = g_value_get_uint (value);
      what = HAL_SET_GOP;
      break;
    case PROP_QP_MIN:
      next.qp_min = g_value_get_int (value);
      what = HAL_SET_QP;
      break;
    case PROP_QP_MAX:
      next.qp_max = g_value_get_int (value);
      what = HAL_SET_QP;
      break;
    case PROP_RATE_CONTROL:
      next.rate_control = (HalRateControl) g_value_get_enum (value);
      what = HAL_SET_RATE_CONTROL;
      break;
    case PROP_FRAMERATE:
      next.fps_num = (guint) gst_value_get_fraction_numerator (value);
      next.fps_den = (guint) gst_value_get_fraction_denominator (value);
      what = HAL_SET_FRAMERATE;
      break;
    default:
      g_assert_not_reached ();
  }
  change (src, what, &next);
}

static void
gst_soc_video_src_set_property (GObject *object, guint id, const GValue *value,
    GParamSpec *pspec)
{
  GstSocVideoSrc *src = GST_SOC_VIDEO_SRC (object);
  GstSocVideoSrcPrivate *priv = PRIVATE (src);

  if (id >= PROP_BITRATE && id <= PROP_FRAMERATE) {
    set_running (src, id, value);
    return;
  }
  GST_OBJECT_LOCK (src);
  switch (id) {
    case PROP_STREAM_ID:
      priv->want.id = g_value_get_uint (value);
      break;
    case PROP_CODEC:
      priv->want.codec = (HalCodec) g_value_get_enum (value);
      break;
    case PROP_INPUT_FRAMERATE:
      priv->want.input_fps = g_value_get_uint (value);
      break;
    case PROP_JPEG_QUALITY:
      priv->want.jpeg_quality = g_value_get_uint (value);
      break;
    case PROP_LIBRARY_PATH:
      g_free (priv->library_path);
      priv->library_path = g_value_dup_string (value);
      break;
    case PROP_MAX_QUEUED:
      priv->max_queued = g_value_get_uint (value);
      break;
    case PROP_TIMEOUT:
      priv->timeout = g_value_get_uint64 (value);
      break;
    case PROP_IDR_INTERVAL:
      priv->idr_interval = g_value_get_uint64 (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (src);
}

static GstStructure *
make_stats (GstSocVideoSrc *src)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  GstSocReaderStats queue = { 0 };
  HalStreamStats stream = { 0 };
  GstStructure *stats;

  g_mutex_lock (&priv->stream_lock);
  if (priv->stream != NULL)
    hal_stream_get_stats (priv->stream, &stream);
  g_mutex_lock (&priv->reader_lock);
  if (priv->reader != NULL)
    gst_soc_reader_get_stats (priv->reader, &queue);
  g_mutex_unlock (&priv->reader_lock);
  g_mutex_unlock (&priv->stream_lock);
  GST_OBJECT_LOCK (src);
  stats = gst_structure_new ("application/x-soc-stats", "frames",
      G_TYPE_UINT64, priv->pushed, "bytes", G_TYPE_UINT64, priv->pushed_bytes,
      "encoded-frames", G_TYPE_UINT64, stream.frames, "dropped-frames",
      G_TYPE_UINT64, queue.dropped, "overflows", G_TYPE_UINT64,
      queue.overflows, "queued-frames", G_TYPE_UINT, queue.queued,
      "idr-requests", G_TYPE_UINT64, stream.idr_requests, "vendor-errors",
      G_TYPE_UINT64, stream.vendor_errors, "empty-wakeups", G_TYPE_UINT64,
      stream.empty_wakeups, "sequence-gaps", G_TYPE_UINT64,
      stream.sequence_gaps, "clock-jumps", G_TYPE_UINT64, priv->jumps,
      "clock-drift-ppm", G_TYPE_DOUBLE, priv->drift, NULL);
  GST_OBJECT_UNLOCK (src);
  return stats;
}

static void
gst_soc_video_src_get_property (GObject *object, guint id, GValue *value,
    GParamSpec *pspec)
{
  GstSocVideoSrc *src = GST_SOC_VIDEO_SRC (object);
  GstSocVideoSrcPrivate *priv = PRIVATE (src);

  if (id == PROP_STATS) {
    g_value_take_boxed (value, make_stats (src));
    return;
  }
  GST_OBJECT_LOCK (src);
  switch (id) {
    case PROP_STREAM_ID:
      g_value_set_uint (value, priv->want.id);
      break;
    case PROP_CODEC:
      g_value_set_enum (value, (gint) priv->want.codec);
      break;
    case PROP_BITRATE:
      g_value_set_uint (value, priv->want.bitrate);
      break;
    case PROP_MAX_BITRATE:
      g_value_set_uint (value, priv->want.max_bitrate);
      break;
    case PROP_GOP_SIZE:
      g_value_set_uint (value, priv->want.gop);
      break;
    case PROP_QP_MIN:
      g_value_set_int (value, priv->want.qp_min);
      break;
    case PROP_QP_MAX:
      g_value_set_int (value, priv->want.qp_max);
      break;
    case PROP_RATE_CONTROL:
      g_value_set_enum (value, (gint) priv->want.rate_control);
      break;
    case PROP_FRAMERATE:
      gst_value_set_fraction (value, (gint) priv->want.fps_num,
          (gint) priv->want.fps_den);
      break;
    case PROP_INPUT_FRAMERATE:
      g_value_set_uint (value, priv->want.input_fps);
      break;
    case PROP_JPEG_QUALITY:
      g_value_set_uint (value, priv->want.jpeg_quality);
      break;
    case PROP_LIBRARY_PATH:
      g_value_set_string (value, priv->library_path);
      break;
    case PROP_MAX_QUEUED:
      g_value_set_uint (value, priv->max_queued);
      break;
    case PROP_TIMEOUT:
      g_value_set_uint64 (value, priv->timeout);
      break;
    case PROP_IDR_INTERVAL:
      g_value_set_uint64 (value, priv->idr_interval);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (src);
}

/* --- Keyframes on request ------------------------------------------------ */

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
static void
ask_keyframe (GstSocVideoSrc *src)
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
          || (guint64) (now - priv->keyframe_asked_time) >= interval);
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
  ask_keyframe (src);
}

/* A keyframe comes: announces it downstream if it was asked for. */
static void
answer_keyframe (GstSocVideoSrc *src, GstClockTime pts)
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
    gst_pad_push_event (GST_BASE_SRC_PAD (src),
        gst_video_event_new_downstream_force_key_unit (pts,
            gst_segment_to_stream_time (segment, GST_FORMAT_TIME, pts),
            gst_segment_to_running_time (segment, GST_FORMAT_TIME, pts),
            headers, count));
}

/* Does not take the event. */
static gboolean
handle_upstream (GstSocVideoSrc *src, GstEvent *event)
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

static gboolean
gst_soc_video_src_event (GstBaseSrc *base, GstEvent *event)
{
  if (handle_upstream (GST_SOC_VIDEO_SRC (base), event))
    return TRUE;
  return GST_BASE_SRC_CLASS (gst_soc_video_src_parent_class)->event (base,
      event);
}

static gboolean
gst_soc_video_src_send_event (GstElement *element, GstEvent *event)
{
  if (handle_upstream (GST_SOC_VIDEO_SRC (element), event)) {
    gst_event_unref (event);
    return TRUE;
  }
  return GST_ELEMENT_CLASS (gst_soc_video_src_parent_class)
      ->send_event (element, event);
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
    g_byte_array_append (bytes, segments[i].data, (guint) segments[i].size);
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
    status = hal_stream_snapshot (priv->stream, quality, 2 * HAL_SECOND,
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

/* --- Opening and closing ------------------------------------------------- */

static gboolean
open_context (GstSocVideoSrc *src)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  GstSocVideoSrcClass *klass = GST_SOC_VIDEO_SRC_GET_CLASS (src);
  HalContextConfig config = { 0 };
  HalContext *context = NULL;
  HalStreamConfig stream;
  HalError error = { 0 };
  HalEnv env = { 0 };
  gchar *path, *refused;
  HalStatus status;

  GST_OBJECT_LOCK (src);
  path = g_strdup (priv->library_path);
  refused = g_strdup (priv->refused);
  stream = priv->want;
  GST_OBJECT_UNLOCK (src);
  if (refused != NULL) {
    GST_ELEMENT_ERROR (src, RESOURCE, SETTINGS, ("%s", refused), (NULL));
    g_free (refused);
    g_free (path);
    return FALSE;
  }
  env.library_path = path;
  add_config (src, &config, &stream);
  status = hal_stream_config_check (&stream, &error);
  if (status == HAL_OK)
    status = hal_context_acquire (klass->family, &env, &config, &context,
        &error);
  g_free (path);
  if (status != HAL_OK) {
    gst_soc_post_error (GST_ELEMENT (src), &error);
    return FALSE;
  }
  GST_OBJECT_LOCK (src);
  priv->context = context;
  GST_OBJECT_UNLOCK (src);
  GST_INFO_OBJECT (src, "%s %s, version '%s', chip '%s'",
      hal_family_long_name (klass->family),
      hal_context_info (context)->generation,
      hal_context_info (context)->version, hal_context_info (context)->chip);
  return TRUE;
}

static void
close_context (GstSocVideoSrc *src)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  HalContext *context;

  GST_OBJECT_LOCK (src);
  context = priv->context;
  priv->context = NULL;
  GST_OBJECT_UNLOCK (src);
  hal_context_release (context);
}

static void
close_stream (GstSocVideoSrc *src)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  GstSocReader *reader;
  HalStream *stream;

  g_mutex_lock (&priv->stream_lock);
  g_mutex_lock (&priv->reader_lock);
  reader = priv->reader;
  stream = priv->stream;
  priv->reader = NULL;
  priv->stream = NULL;
  g_mutex_unlock (&priv->reader_lock);
  g_mutex_unlock (&priv->stream_lock);
  gst_soc_reader_free (reader);
  hal_stream_destroy (stream);
}

/* Makes and starts the encoder channel with what properties and downstream
 * say. */
static gboolean
open_stream (GstSocVideoSrc *src, const GstCaps *allowed)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  HalContextConfig unused = { 0 };
  HalStreamConfig config;
  GstSocReader *reader = NULL;
  HalStream *stream = NULL;
  HalError error = { 0 };
  guint64 timeout;
  guint max_queued;
  HalStatus status;

  GST_OBJECT_LOCK (src);
  config = priv->want;
  timeout = priv->timeout;
  max_queued = priv->max_queued;
  GST_OBJECT_UNLOCK (src);
  add_config (src, &unused, &config);
  if (!gst_soc_caps_to_config (allowed, &config)) {
    GST_ELEMENT_ERROR (src, STREAM, FORMAT,
        ("Downstream takes no %s.", hal_codec_name (config.codec)),
        ("set codec to what it takes, or add a parser; it takes %" GST_PTR_FORMAT,
            allowed));
    return FALSE;
  }
  status = hal_stream_create (priv->context, &config, &stream, &error);
  if (status == HAL_OK) {
    reader = gst_soc_reader_new (stream, max_queued,
        timeout != 0 ? timeout : G_MAXUINT64, &error);
    if (reader == NULL)
      hal_stream_destroy (stream);
  }
  if (reader == NULL) {
    gst_soc_post_error (GST_ELEMENT (src), &error);
    return FALSE;
  }
  GST_OBJECT_LOCK (src);
  priv->want.fps_num = config.fps_num;
  priv->want.fps_den = config.fps_den;
  GST_OBJECT_UNLOCK (src);
  g_mutex_lock (&priv->stream_lock);
  g_mutex_lock (&priv->reader_lock);
  priv->stream = stream;
  priv->reader = reader;
  gst_soc_reader_set_flushing (reader, priv->flushing);
  gst_soc_reader_set_discard (reader, priv->discard);
  g_mutex_unlock (&priv->reader_lock);
  g_mutex_unlock (&priv->stream_lock);
  return TRUE;
}

static gboolean
gst_soc_video_src_negotiate (GstBaseSrc *base)
{
  GstSocVideoSrc *src = GST_SOC_VIDEO_SRC (base);
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  GstCaps *mine, *allowed;
  gboolean good;

  /* The caps of what comes are set when it comes. */
  if (priv->stream != NULL)
    return TRUE;
  mine = gst_pad_get_pad_template_caps (GST_BASE_SRC_PAD (base));
  allowed = gst_pad_peer_query_caps (GST_BASE_SRC_PAD (base), mine);
  good = open_stream (src, allowed);
  gst_caps_unref (allowed);
  gst_caps_unref (mine);
  return good;
}

static gboolean
gst_soc_video_src_start (GstBaseSrc *base)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (GST_SOC_VIDEO_SRC (base));

  priv->timeline_jumps = G_MAXUINT64;
  priv->last_pts = GST_CLOCK_TIME_NONE;
  priv->discont = TRUE;
  priv->keyframe_wanted = priv->keyframe_asked = FALSE;
  priv->keyframe_asked_time = 0;
  GST_OBJECT_LOCK (base);
  priv->jumps = priv->pushed = priv->pushed_bytes = 0;
  priv->drift = 0;
  GST_OBJECT_UNLOCK (base);
  return TRUE;
}

static gboolean
gst_soc_video_src_stop (GstBaseSrc *base)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (GST_SOC_VIDEO_SRC (base));

  close_stream (GST_SOC_VIDEO_SRC (base));
  g_clear_pointer (&priv->timeline, gst_soc_timeline_unref);
  gst_clear_caps (&priv->caps);
  return TRUE;
}

static void
set_flushing (GstBaseSrc *base, gboolean flushing)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (GST_SOC_VIDEO_SRC (base));

  g_mutex_lock (&priv->reader_lock);
  priv->flushing = flushing;
  if (priv->reader != NULL)
    gst_soc_reader_set_flushing (priv->reader, flushing);
  g_mutex_unlock (&priv->reader_lock);
}

static gboolean
gst_soc_video_src_unlock (GstBaseSrc *base)
{
  set_flushing (base, TRUE);
  return TRUE;
}

static gboolean
gst_soc_video_src_unlock_stop (GstBaseSrc *base)
{
  set_flushing (base, FALSE);
  return TRUE;
}

static void
set_discard (GstSocVideoSrc *src, gboolean discard)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);

  g_mutex_lock (&priv->reader_lock);
  priv->discard = discard;
  if (priv->reader != NULL)
    gst_soc_reader_set_discard (priv->reader, discard);
  g_mutex_unlock (&priv->reader_lock);
}

static GstStateChangeReturn
gst_soc_video_src_change_state (GstElement *element, GstStateChange transition)
{
  GstSocVideoSrc *src = GST_SOC_VIDEO_SRC (element);
  GstStateChangeReturn result;

  switch (transition) {
    case GST_STATE_CHANGE_NULL_TO_READY:
      if (!open_context (src))
        return GST_STATE_CHANGE_FAILURE;
      break;
    case GST_STATE_CHANGE_PAUSED_TO_PLAYING:
      set_discard (src, FALSE);
      break;
    default:
      break;
  }
  result = GST_ELEMENT_CLASS (gst_soc_video_src_parent_class)
               ->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED)
    set_discard (src, TRUE);
  else if (transition == GST_STATE_CHANGE_READY_TO_NULL
      || (transition == GST_STATE_CHANGE_NULL_TO_READY
          && result == GST_STATE_CHANGE_FAILURE))
    close_context (src);
  return result;
}

/* --- Frames ---------------------------------------------------------------- */

static GstClockTime
frame_interval (GstSocVideoSrc *src)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  guint num, den;

  GST_OBJECT_LOCK (src);
  num = priv->want.fps_num;
  den = priv->want.fps_den;
  GST_OBJECT_UNLOCK (src);
  return gst_util_uint64_scale_int (GST_SECOND, (gint) den, (gint) num);
}

static void
put_times (GstSocVideoSrc *src, const GstSocFrame *frame)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  GstClock *clock = gst_element_get_clock (GST_ELEMENT (src));
  GstClockTime base = gst_element_get_base_time (GST_ELEMENT (src));
  GstClockTime interval = frame_interval (src), pts = 0;
  GstSocTimeline *timeline;
  gboolean jumped = FALSE;

  if (clock != NULL) {
    /* The timeline of this clock; it is the same one nearly always. */
    timeline = gst_soc_timeline_get (priv->context, clock);
    if (timeline != priv->timeline)
      priv->timeline_jumps = G_MAXUINT64;
    gst_soc_timeline_unref (priv->timeline);
    priv->timeline = timeline;
    pts = gst_soc_timeline_map (timeline, frame->pts, interval,
        &priv->timeline_jumps, &jumped);
    pts = pts > base ? pts - base : 0;
    gst_object_unref (clock);
  }
  if (GST_CLOCK_TIME_IS_VALID (priv->last_pts) && pts <= priv->last_pts)
    pts = priv->last_pts + 1;
  priv->last_pts = pts;
  GST_BUFFER_PTS (frame->buffer) = GST_BUFFER_DTS (frame->buffer) = pts;
  GST_BUFFER_DURATION (frame->buffer) = interval;
  GST_OBJECT_LOCK (src);
  priv->jumps += jumped;
  if (priv->timeline != NULL)
    priv->drift = gst_soc_timeline_drift (priv->timeline);
  priv->pushed++;
  priv->pushed_bytes += gst_buffer_get_size (frame->buffer);
  GST_OBJECT_UNLOCK (src);
  priv->discont |= jumped;
  if (priv->discont)
    GST_BUFFER_FLAG_SET (frame->buffer, GST_BUFFER_FLAG_DISCONT);
  priv->discont = FALSE;
}

/* Caps by the parameter sets of a keyframe, if they are others than before. */
static gboolean
put_caps (GstSocVideoSrc *src, GstBuffer *buffer)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  HalStreamConfig config;
  GstMapInfo map;
  GstCaps *caps;
  gboolean good = TRUE;

  hal_stream_get_config (priv->stream, &config);
  gst_buffer_map (buffer, &map, GST_MAP_READ);
  caps = gst_soc_caps_from_frame (config.codec, map.data, map.size, &config);
  gst_buffer_unmap (buffer, &map);
  if (caps == NULL && priv->caps == NULL) {
    GST_ELEMENT_ERROR (src, STREAM, FORMAT,
        ("The first keyframe has no parameter sets that can be read."),
        (NULL));
    return FALSE;
  }
  if (caps != NULL
      && (priv->caps == NULL || !gst_caps_is_equal (caps, priv->caps))) {
    GST_INFO_OBJECT (src, "caps %" GST_PTR_FORMAT, caps);
    good = gst_base_src_set_caps (GST_BASE_SRC (src), caps);
    gst_caps_replace (&priv->caps, caps);
  }
  gst_clear_caps (&caps);
  return good;
}

static GstFlowReturn
gst_soc_video_src_create (GstPushSrc *push, GstBuffer **ret_buffer)
{
  GstSocVideoSrc *src = GST_SOC_VIDEO_SRC (push);
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  HalError error = { 0 };
  GstSocFrame frame;

  if (!gst_soc_reader_pop (priv->reader, &frame, &error)) {
    if (error.status == HAL_INTERRUPTED)
      return GST_FLOW_FLUSHING;
    gst_soc_post_error (GST_ELEMENT (src), &error);
    return GST_FLOW_ERROR;
  }
  if (frame.key && !put_caps (src, frame.buffer)) {
    gst_buffer_unref (frame.buffer);
    return GST_FLOW_NOT_NEGOTIATED;
  }
  put_times (src, &frame);
  if (frame.key)
    answer_keyframe (src, GST_BUFFER_PTS (frame.buffer));
  ask_keyframe (src);
  GST_LOG_OBJECT (src, "%" GST_PTR_FORMAT, frame.buffer);
  *ret_buffer = frame.buffer;
  return GST_FLOW_OK;
}

static gboolean
gst_soc_video_src_query (GstBaseSrc *base, GstQuery *query)
{
  GstSocVideoSrc *src = GST_SOC_VIDEO_SRC (base);
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  GstClockTime interval;
  guint max_queued;

  if (GST_QUERY_TYPE (query) != GST_QUERY_LATENCY)
    return GST_BASE_SRC_CLASS (gst_soc_video_src_parent_class)->query (base,
        query);
  interval = frame_interval (src);
  GST_OBJECT_LOCK (src);
  max_queued = priv->max_queued;
  GST_OBJECT_UNLOCK (src);
  gst_query_set_latency (query, TRUE, interval, interval * max_queued);
  return TRUE;
}

/* --- The class ---------------------------------------------------------- */

static void
gst_soc_video_src_finalize (GObject *object)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (GST_SOC_VIDEO_SRC (object));

  g_free (priv->library_path);
  g_free (priv->refused);
  g_mutex_clear (&priv->stream_lock);
  g_mutex_clear (&priv->reader_lock);
  g_mutex_clear (&priv->keyframe_lock);
  G_OBJECT_CLASS (gst_soc_video_src_parent_class)->finalize (object);
}

static void
gst_soc_video_src_init (GstSocVideoSrc *src)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);

  g_mutex_init (&priv->stream_lock);
  g_mutex_init (&priv->reader_lock);
  g_mutex_init (&priv->keyframe_lock);
  hal_stream_config_init (&priv->want);
  priv->max_queued = DEFAULT_QUEUED;
  priv->timeout = DEFAULT_TIMEOUT;
  priv->idr_interval = DEFAULT_IDR_INTERVAL;
  gst_base_src_set_live (GST_BASE_SRC (src), TRUE);
  gst_base_src_set_format (GST_BASE_SRC (src), GST_FORMAT_TIME);
  gst_base_src_set_do_timestamp (GST_BASE_SRC (src), FALSE);
}

#define FLAGS_READY                                                          \
  (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)
#define FLAGS_PLAYING                                                        \
  (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING)

/* Ranges are wide: what is out of an encoder's reach is refused in words. */
static void
install_running_properties (GObjectClass *object_class)
{
  HalStreamConfig initial;

  hal_stream_config_init (&initial);
  g_object_class_install_property (object_class, PROP_BITRATE,
      g_param_spec_uint ("bitrate", "Bit rate",
          "Bit/s: constant, or the mean of variable rates", 0, G_MAXUINT,
          initial.bitrate, FLAGS_PLAYING));
  g_object_class_install_property (object_class, PROP_MAX_BITRATE,
      g_param_spec_uint ("max-bitrate", "Maximum bit rate",
          "Bit/s that variable rates may reach (0: half as much again)", 0,
          G_MAXUINT, initial.max_bitrate, FLAGS_PLAYING));
  g_object_class_install_property (object_class, PROP_GOP_SIZE,
      g_param_spec_uint ("gop-size", "GOP size",
          "Frames from one keyframe to the next", 0, G_MAXUINT, initial.gop,
          FLAGS_PLAYING));
  g_object_class_install_property (object_class, PROP_QP_MIN,
      g_param_spec_int ("qp-min", "Minimum QP",
          "Lowest quantiser (-1: the encoder's choice)", -1, HAL_MAX_QP, -1,
          FLAGS_PLAYING));
  g_object_class_install_property (object_class, PROP_QP_MAX,
      g_param_spec_int ("qp-max", "Maximum QP",
          "Highest quantiser (-1: the encoder's choice)", -1, HAL_MAX_QP, -1,
          FLAGS_PLAYING));
  g_object_class_install_property (object_class, PROP_RATE_CONTROL,
      g_param_spec_enum ("rate-control", "Rate control",
          "How the bit rate is kept", GST_TYPE_SOC_RATE_CONTROL,
          (gint) initial.rate_control, FLAGS_PLAYING));
  g_object_class_install_property (object_class, PROP_FRAMERATE,
      gst_param_spec_fraction ("framerate", "Frame rate",
          "Frames per second; caps downstream may say otherwise", 0, 1,
          HAL_MAX_FPS, 1, (gint) initial.fps_num, (gint) initial.fps_den,
          FLAGS_PLAYING));
  g_object_class_install_property (object_class, PROP_IDR_INTERVAL,
      g_param_spec_uint64 ("min-force-key-unit-interval",
          "Minimum interval of requests",
          "Nanoseconds between two requests for a keyframe to the encoder", 0,
          G_MAXUINT64, DEFAULT_IDR_INTERVAL, FLAGS_PLAYING));
}

static void
install_ready_properties (GObjectClass *object_class)
{
  HalStreamConfig initial;

  hal_stream_config_init (&initial);
  g_object_class_install_property (object_class, PROP_STREAM_ID,
      g_param_spec_uint ("stream-id", "Stream",
          "Which encoder channel: 0 main, 1 sub, ...", 0, G_MAXUINT, 0,
          FLAGS_READY));
  g_object_class_install_property (object_class, PROP_CODEC,
      g_param_spec_enum ("codec", "Codec", "What the encoder makes",
          GST_TYPE_SOC_CODEC, (gint) initial.codec, FLAGS_READY));
  g_object_class_install_property (object_class, PROP_INPUT_FRAMERATE,
      g_param_spec_uint ("input-framerate", "Input frame rate",
          "Frames per second that the sensor delivers (0: as framerate); "
          "framerate can be raised up to it while the stream runs",
          0, HAL_MAX_FPS, 0, FLAGS_READY));
  g_object_class_install_property (object_class, PROP_JPEG_QUALITY,
      g_param_spec_uint ("jpeg-quality", "JPEG quality",
          "Percent, for codec=jpeg and for snapshots", 1, 100,
          initial.jpeg_quality, FLAGS_READY));
  g_object_class_install_property (object_class, PROP_LIBRARY_PATH,
      g_param_spec_string ("library-path", "Library path",
          "Directories of the vendor's libraries, ':' between them (default: "
          "the usual ones)",
          NULL, FLAGS_READY));
  g_object_class_install_property (object_class, PROP_MAX_QUEUED,
      g_param_spec_uint ("max-queued-frames", "Queued frames",
          "Frames that wait for a slow pipeline before frames are dropped up "
          "to the next keyframe",
          1, MAX_QUEUED, DEFAULT_QUEUED, FLAGS_READY));
  g_object_class_install_property (object_class, PROP_TIMEOUT,
      g_param_spec_uint64 ("timeout", "Timeout",
          "Nanoseconds without a frame that are an error (0: wait for ever)",
          0, G_MAXUINT64, DEFAULT_TIMEOUT, FLAGS_READY));
  g_object_class_install_property (object_class, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Frames, bytes, drops, errors, clocks: application/x-soc-stats",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void
install_signals (GObjectClass *object_class)
{
  GType type = G_TYPE_FROM_CLASS (object_class);

  /**
   * GstSocVideoSrc::request-keyframe:
   * @src: the source
   * @all-headers: whether the parameter sets shall come again
   */
  signals[SIGNAL_REQUEST_KEYFRAME]
      = g_signal_new_class_handler ("request-keyframe", type,
          G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
          G_CALLBACK (gst_soc_video_src_request_keyframe), NULL, NULL, NULL,
          G_TYPE_NONE, 1, G_TYPE_BOOLEAN);
  /**
   * GstSocVideoSrc::snapshot:
   * @src: the source
   *
   * Returns: (transfer full) (nullable): one picture as image/jpeg
   */
  signals[SIGNAL_SNAPSHOT] = g_signal_new_class_handler ("snapshot", type,
      G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
      G_CALLBACK (gst_soc_video_src_snapshot), NULL, NULL, NULL,
      GST_TYPE_SAMPLE, 0);
}

static void
gst_soc_video_src_class_init (GstSocVideoSrcClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSrcClass *base_class = GST_BASE_SRC_CLASS (klass);

  object_class->set_property = gst_soc_video_src_set_property;
  object_class->get_property = gst_soc_video_src_get_property;
  object_class->finalize = gst_soc_video_src_finalize;
  element_class->change_state = gst_soc_video_src_change_state;
  element_class->send_event = gst_soc_video_src_send_event;
  base_class->negotiate = gst_soc_video_src_negotiate;
  base_class->start = gst_soc_video_src_start;
  base_class->stop = gst_soc_video_src_stop;
  base_class->unlock = gst_soc_video_src_unlock;
  base_class->unlock_stop = gst_soc_video_src_unlock_stop;
  base_class->event = gst_soc_video_src_event;
  base_class->query = gst_soc_video_src_query;
  GST_PUSH_SRC_CLASS (klass)->create = gst_soc_video_src_create;
  install_running_properties (object_class);
  install_ready_properties (object_class);
  install_signals (object_class);
  gst_type_mark_as_plugin_api (GST_TYPE_SOC_VIDEO_SRC, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_SOC_CODEC, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_SOC_RATE_CONTROL, 0);
}

void
gst_soc_video_src_class_setup (GstSocVideoSrcClass *klass,
    const HalFamily *family, const gchar *long_name, const gchar *description)
{
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstCaps *caps = gst_soc_caps_template ();

  klass->family = family;
  gst_element_class_set_metadata (element_class, long_name,
      "Source/Video/Hardware", description,
      "the iv-p2p authors <iv-p2p@iv-p2p.invalid>");
  gst_element_class_add_pad_template (element_class,
      gst_pad_template_new ("src", GST_PAD_SRC, GST_PAD_ALWAYS, caps));
  gst_caps_unref (caps);
}
