/* The properties of the video sources. Which lock protects what:
 * gstsocvideosrc-private.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <string.h>

#include "gstsocenums.h"
#include "gstsocerror.h"
#include "gstsocroi.h"
#include "gstsocvideosrc-private.h"

#define DEFAULT_QUEUED 16
#define MAX_QUEUED 1024
#define DEFAULT_TIMEOUT (5 * GST_SECOND)
#define DEFAULT_IDR_INTERVAL 0

#define PRIVATE(src) gst_soc_video_src_priv (src)

enum {
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
  /* Of the families that have them. */
  PROP_INPUT_GROUP,
  PROP_INPUT_CHANNEL,
  PROP_SENSOR_CONFIG,
  PROP_DEVICE,
  PROP_ENCODER,
  PROP_ATTACH,
  PROP_ROI,
};

static void
post_refused (GstSocVideoSrc *src, const gchar *what)
{
  GST_ELEMENT_WARNING (src, RESOURCE, SETTINGS, ("%s", what),
                       ("the value in force is unchanged"));
}

void
gst_soc_video_src_adopt_settings (GstSocVideoSrc *src, HalStream *stream)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);
  HalStreamConfig now;

  hal_stream_get_config (stream, &now);
  GST_OBJECT_LOCK (src);
  priv->want.bitrate = now.bitrate;
  priv->want.max_bitrate = now.max_bitrate;
  priv->want.gop = now.gop;
  priv->want.qp_min = now.qp_min;
  priv->want.qp_max = now.qp_max;
  priv->want.rate_control = now.rate_control;
  priv->want.fps_num = now.fps_num;
  priv->want.fps_den = now.fps_den;
  memcpy (priv->want.roi, now.roi, sizeof now.roi);
  priv->want.n_roi = now.n_roi;
  GST_OBJECT_UNLOCK (src);
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
    if (status != HAL_OK)
      gst_soc_video_src_adopt_settings (src, priv->stream);
  }
  g_mutex_unlock (&priv->stream_lock);
  if (status != HAL_OK)
    gst_soc_post_warning (GST_ELEMENT (src), &error);
}

/* Takes a value over if it is possible together with the others; before READY
 * they may still change, so that only what is impossible alone is refused, or
 * what could not be read. */
static void
change (GstSocVideoSrc *src, guint32 what, const HalStreamConfig *next,
        const gchar *why)
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
  if (what & HAL_SET_ROI) {
    memcpy (alone.roi, next->roi, sizeof alone.roi);
    alone.n_roi = next->n_roi;
  }
  if (why != NULL)
    refused = g_strdup (why);
  else if (hal_stream_config_check (&alone, &error) != HAL_OK)
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
  gchar *why = NULL;
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
      next.rate_control = (HalRateControl)g_value_get_enum (value);
      what = HAL_SET_RATE_CONTROL;
      break;
    case PROP_FRAMERATE:
      next.fps_num = (guint)gst_value_get_fraction_numerator (value);
      next.fps_den = (guint)gst_value_get_fraction_denominator (value);
      what = HAL_SET_FRAMERATE;
      break;
    case PROP_ROI:
      gst_soc_roi_from_value (value, &next, &why);
      what = HAL_SET_ROI;
      break;
    default:
      g_assert_not_reached ();
  }
  change (src, what, &next, why);
  g_free (why);
}

/* Called with the object lock. FALSE: not one of these. */
static gboolean
set_family_property (GstSocVideoSrcPrivate *priv, guint id, const GValue *value)
{
  switch (id) {
    case PROP_INPUT_GROUP:
      priv->want.input_group = g_value_get_int (value);
      break;
    case PROP_INPUT_CHANNEL:
      priv->want.input_channel = g_value_get_int (value);
      break;
    case PROP_SENSOR_CONFIG:
      priv->sensor_config = g_intern_string (g_value_get_string (value));
      break;
    case PROP_DEVICE:
      priv->want.device = g_intern_string (g_value_get_string (value));
      break;
    case PROP_ENCODER:
      priv->want.encoder = g_intern_string (g_value_get_string (value));
      break;
    case PROP_ATTACH:
      priv->want.attach = g_value_get_boolean (value);
      break;
    default:
      return FALSE;
  }
  return TRUE;
}

/* As above. */
static gboolean
get_family_property (GstSocVideoSrcPrivate *priv, guint id, GValue *value)
{
  switch (id) {
    case PROP_INPUT_GROUP:
      g_value_set_int (value, priv->want.input_group);
      break;
    case PROP_INPUT_CHANNEL:
      g_value_set_int (value, priv->want.input_channel);
      break;
    case PROP_SENSOR_CONFIG:
      g_value_set_string (value, priv->sensor_config);
      break;
    case PROP_DEVICE:
      g_value_set_string (value, priv->want.device);
      break;
    case PROP_ENCODER:
      g_value_set_string (value, priv->want.encoder);
      break;
    case PROP_ATTACH:
      g_value_set_boolean (value, priv->want.attach);
      break;
    case PROP_ROI:
      gst_soc_roi_to_value (&priv->want, value);
      break;
    default:
      return FALSE;
  }
  return TRUE;
}

static void
gst_soc_video_src_set_property (GObject *object, guint id, const GValue *value,
                                GParamSpec *pspec)
{
  GstSocVideoSrc *src = GST_SOC_VIDEO_SRC (object);
  GstSocVideoSrcPrivate *priv = PRIVATE (src);

  if ((id >= PROP_BITRATE && id <= PROP_FRAMERATE) || id == PROP_ROI) {
    set_running (src, id, value);
    return;
  }
  GST_OBJECT_LOCK (src);
  switch (id) {
    case PROP_STREAM_ID:
      priv->want.id = g_value_get_uint (value);
      break;
    case PROP_CODEC:
      priv->want.codec = (HalCodec)g_value_get_enum (value);
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
      if (!set_family_property (priv, id, value))
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
  stats = gst_structure_new (
      "application/x-soc-stats", "frames", G_TYPE_UINT64, priv->pushed, "bytes",
      G_TYPE_UINT64, priv->pushed_bytes, "encoded-frames", G_TYPE_UINT64,
      stream.frames, "dropped-frames", G_TYPE_UINT64, queue.dropped,
      "overflows", G_TYPE_UINT64, queue.overflows, "queued-frames", G_TYPE_UINT,
      queue.queued, "idr-requests", G_TYPE_UINT64, stream.idr_requests,
      "vendor-errors", G_TYPE_UINT64, stream.vendor_errors, "empty-wakeups",
      G_TYPE_UINT64, stream.empty_wakeups, "sequence-gaps", G_TYPE_UINT64,
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
      g_value_set_enum (value, (gint)priv->want.codec);
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
      g_value_set_enum (value, (gint)priv->want.rate_control);
      break;
    case PROP_FRAMERATE:
      gst_value_set_fraction (value, (gint)priv->want.fps_num,
                              (gint)priv->want.fps_den);
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
      if (!get_family_property (priv, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (src);
}

#define FLAGS_READY                                                            \
  (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)
#define FLAGS_PLAYING                                                          \
  (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING)

/* Ranges are wide: what is out of an encoder's reach is refused in words. */
static void
install_running_properties (GObjectClass *object_class)
{
  HalStreamConfig initial;

  hal_stream_config_init (&initial);
  g_object_class_install_property (
      object_class, PROP_BITRATE,
      g_param_spec_uint ("bitrate", "Bit rate",
                         "Bit/s: constant, or the mean of variable rates", 0,
                         G_MAXUINT, initial.bitrate, FLAGS_PLAYING));
  g_object_class_install_property (
      object_class, PROP_MAX_BITRATE,
      g_param_spec_uint (
          "max-bitrate", "Maximum bit rate",
          "Bit/s that variable rates may reach (0: half as much again)", 0,
          G_MAXUINT, initial.max_bitrate, FLAGS_PLAYING));
  g_object_class_install_property (
      object_class, PROP_GOP_SIZE,
      g_param_spec_uint ("gop-size", "GOP size",
                         "Frames from one keyframe to the next", 0, G_MAXUINT,
                         initial.gop, FLAGS_PLAYING));
  g_object_class_install_property (
      object_class, PROP_QP_MIN,
      g_param_spec_int ("qp-min", "Minimum QP",
                        "Lowest quantiser (-1: the encoder's choice)", -1,
                        HAL_MAX_QP, -1, FLAGS_PLAYING));
  g_object_class_install_property (
      object_class, PROP_QP_MAX,
      g_param_spec_int ("qp-max", "Maximum QP",
                        "Highest quantiser (-1: the encoder's choice)", -1,
                        HAL_MAX_QP, -1, FLAGS_PLAYING));
  g_object_class_install_property (
      object_class, PROP_RATE_CONTROL,
      g_param_spec_enum ("rate-control", "Rate control",
                         "How the bit rate is kept", GST_TYPE_SOC_RATE_CONTROL,
                         (gint)initial.rate_control, FLAGS_PLAYING));
  g_object_class_install_property (
      object_class, PROP_FRAMERATE,
      gst_param_spec_fraction (
          "framerate", "Frame rate",
          "Frames per second; caps downstream may say otherwise", 0, 1,
          HAL_MAX_FPS, 1, (gint)initial.fps_num, (gint)initial.fps_den,
          FLAGS_PLAYING));
  g_object_class_install_property (
      object_class, PROP_IDR_INTERVAL,
      g_param_spec_uint64 (
          "min-force-key-unit-interval", "Minimum interval of requests",
          "Nanoseconds between two requests for a keyframe to the encoder", 0,
          G_MAXUINT64, DEFAULT_IDR_INTERVAL, FLAGS_PLAYING));
}

static void
install_ready_properties (GObjectClass *object_class)
{
  HalStreamConfig initial;

  hal_stream_config_init (&initial);
  g_object_class_install_property (
      object_class, PROP_STREAM_ID,
      g_param_spec_uint ("stream-id", "Stream",
                         "Which encoder channel: 0 main, 1 sub, ...", 0,
                         G_MAXUINT, 0, FLAGS_READY));
  g_object_class_install_property (
      object_class, PROP_CODEC,
      g_param_spec_enum ("codec", "Codec", "What the encoder makes",
                         GST_TYPE_SOC_CODEC, (gint)initial.codec, FLAGS_READY));
  g_object_class_install_property (
      object_class, PROP_INPUT_FRAMERATE,
      g_param_spec_uint (
          "input-framerate", "Input frame rate",
          "Frames per second that the sensor delivers (0: as framerate); "
          "framerate can be raised up to it while the stream runs",
          0, HAL_MAX_FPS, 0, FLAGS_READY));
  g_object_class_install_property (
      object_class, PROP_JPEG_QUALITY,
      g_param_spec_uint ("jpeg-quality", "JPEG quality",
                         "Percent, for codec=jpeg and for snapshots", 1, 100,
                         initial.jpeg_quality, FLAGS_READY));
  g_object_class_install_property (
      object_class, PROP_LIBRARY_PATH,
      g_param_spec_string (
          "library-path", "Library path",
          "Directories of the vendor's libraries, ':' between them (default: "
          "the usual ones)",
          NULL, FLAGS_READY));
  g_object_class_install_property (
      object_class, PROP_MAX_QUEUED,
      g_param_spec_uint (
          "max-queued-frames", "Queued frames",
          "Frames that wait for a slow pipeline before frames are dropped up "
          "to the next keyframe",
          1, MAX_QUEUED, DEFAULT_QUEUED, FLAGS_READY));
  g_object_class_install_property (
      object_class, PROP_TIMEOUT,
      g_param_spec_uint64 (
          "timeout", "Timeout",
          "Nanoseconds without a frame that are an error (0: wait for ever)", 0,
          G_MAXUINT64, DEFAULT_TIMEOUT, FLAGS_READY));
  g_object_class_install_property (
      object_class, PROP_STATS,
      g_param_spec_boxed (
          "stats", "Statistics",
          "Frames, bytes, drops, errors, clocks: application/x-soc-stats",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

/* A property is set by the class that installed it, and a class begins without
 * functions for that: those of the base serve. */
static void
add_property (GstSocVideoSrcClass *klass, guint id, GParamSpec *pspec)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->set_property = gst_soc_video_src_set_property;
  object_class->get_property = gst_soc_video_src_get_property;
  g_object_class_install_property (object_class, id, pspec);
}

void
gst_soc_video_src_class_add_input_group (GstSocVideoSrcClass *klass, gint max,
                                         const gchar *blurb)
{
  add_property (klass, PROP_INPUT_GROUP,
                g_param_spec_int ("input-group", "Input group", blurb, -1, max,
                                  -1, FLAGS_READY));
}

void
gst_soc_video_src_class_add_input_channel (GstSocVideoSrcClass *klass, gint max,
                                           const gchar *blurb)
{
  add_property (klass, PROP_INPUT_CHANNEL,
                g_param_spec_int ("input-channel", "Input channel", blurb, -1,
                                  max, -1, FLAGS_READY));
}

void
gst_soc_video_src_class_add_sensor_config (GstSocVideoSrcClass *klass,
                                           const gchar *blurb)
{
  add_property (klass, PROP_SENSOR_CONFIG,
                g_param_spec_string ("sensor-config", "Sensor configuration",
                                     blurb, NULL, FLAGS_READY));
}

void
gst_soc_video_src_class_add_device (GstSocVideoSrcClass *klass,
                                    const gchar *blurb)
{
  add_property (klass, PROP_DEVICE,
                g_param_spec_string ("device", "Device", blurb, NULL,
                                     FLAGS_READY));
}

void
gst_soc_video_src_class_add_roi (GstSocVideoSrcClass *klass, const gchar *blurb)
{
  add_property (klass, PROP_ROI, gst_soc_roi_param_spec (blurb, FLAGS_PLAYING));
}

void
gst_soc_video_src_class_add_encoder (GstSocVideoSrcClass *klass,
                                     const gchar *blurb)
{
  add_property (klass, PROP_ENCODER,
                g_param_spec_string ("encoder", "Encoder", blurb, NULL,
                                     FLAGS_READY));
}

void
gst_soc_video_src_class_add_attach (GstSocVideoSrcClass *klass,
                                    const gchar *blurb)
{
  add_property (klass, PROP_ATTACH,
                g_param_spec_boolean ("attach", "Attach", blurb, FALSE,
                                      FLAGS_READY));
}

void
gst_soc_video_src_install_properties (GObjectClass *object_class)
{
  object_class->set_property = gst_soc_video_src_set_property;
  object_class->get_property = gst_soc_video_src_get_property;
  install_running_properties (object_class);
  install_ready_properties (object_class);
}

void
gst_soc_video_src_init_settings (GstSocVideoSrc *src)
{
  GstSocVideoSrcPrivate *priv = PRIVATE (src);

  hal_stream_config_init (&priv->want);
  priv->max_queued = DEFAULT_QUEUED;
  priv->timeout = DEFAULT_TIMEOUT;
  priv->idr_interval = DEFAULT_IDR_INTERVAL;
}
