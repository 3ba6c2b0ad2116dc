/**
 * SECTION:element-iv-watermark-queue
 * @title: iv-watermark-queue
 * @short_description: a queue that tells of congestion, and pauses or drops
 *
 * A queue before a network sink. Its level is all that has not left the device:
 * what it holds itself and what the sink behind it still holds, where that says
 * so (p2psink and udtsink do). It tells when the level rises above the warn
 * mark, so that the encoder can be slowed down, and above the high mark, when
 * data pauses; and when it has fallen below the low mark, and data goes on.
 * Data that pauses waits upstream, or is dropped up to the next keyframe.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 -m videotestsrc is-live=1 ! x264enc tune=zerolatency ! \
 *     h264parse ! iv-watermark-queue when-full=drop ! \
 *     p2psink device-id=camera-1 key-file=camera-1.key
 * ]|
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The object: settings, stats, pads. Threads and the lock: see the header.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstivwatermarkqueue.h"

GST_DEBUG_CATEGORY (gst_iv_watermark_queue_debug);
#define GST_CAT_DEFAULT gst_iv_watermark_queue_debug

/* p2psink's per viewer, and the interface's own sample values. */
#define DEFAULT_LOW_WATERMARK 204800
#define DEFAULT_WARN_WATERMARK 409600
#define DEFAULT_HIGH_WATERMARK 512000
#define DEFAULT_WHEN_FULL GST_IV_WATERMARK_QUEUE_PAUSE

enum {
  PROP_0,
  PROP_LOW_WATERMARK,
  PROP_WARN_WATERMARK,
  PROP_HIGH_WATERMARK,
  PROP_LOW_TIME,
  PROP_WARN_TIME,
  PROP_HIGH_TIME,
  PROP_WHEN_FULL,
  PROP_LEVEL_BYTES,
  PROP_LEVEL_TIME,
  PROP_STATS,
};

static GstStaticPadTemplate sink_template
    = GST_STATIC_PAD_TEMPLATE ("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                               GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate src_template
    = GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                               GST_STATIC_CAPS_ANY);

#define GST_TYPE_IV_WATERMARK_QUEUE_WHEN_FULL (when_full_get_type ())

static GType
when_full_get_type (void)
{
  static const GEnumValue values[] = {
    { GST_IV_WATERMARK_QUEUE_PAUSE, "Upstream waits", "pause" },
    { GST_IV_WATERMARK_QUEUE_DROP, "Drop up to the next keyframe", "drop" },
    { 0, NULL, NULL },
  };
  static gsize type;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type,
                       g_enum_register_static ("GstIvWatermarkQueueWhenFull",
                                               values));
  return type;
}

G_DEFINE_TYPE (GstIvWatermarkQueue, gst_iv_watermark_queue, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE_WITH_CODE (
    iv_watermark_queue, "iv-watermark-queue", GST_RANK_NONE,
    GST_TYPE_IV_WATERMARK_QUEUE,
    GST_DEBUG_CATEGORY_INIT (gst_iv_watermark_queue_debug, "iv-watermark-queue",
                             0, "watermark queue"))

/* -- Settings -------------------------------------------------------------- */

/* With the lock. Marks are set one by one, and may be out of order on the way:
 * those before stay in force until they are in order again. */
static IvWatermarkStatus
use_marks (GstIvWatermarkQueue *queue, const gchar **ret_dimension)
{
  IvWatermarkMarks bytes
      = { queue->low_bytes, queue->warn_bytes, queue->high_bytes };
  IvWatermarkMarks time
      = { queue->low_time, queue->warn_time, queue->high_time };

  *ret_dimension = iv_watermark_check (&bytes) != IV_WATERMARK_OK
                       ? "low-watermark, warn-watermark and high-watermark"
                       : "low-time, warn-time and high-time";
  return iv_watermark_set_marks (&queue->watermark, &bytes, &time);
}

static gboolean
check_settings (GstIvWatermarkQueue *queue)
{
  IvWatermarkStatus status;
  const gchar *dimension;

  g_mutex_lock (&queue->lock);
  status = use_marks (queue, &dimension);
  g_mutex_unlock (&queue->lock);
  if (status == IV_WATERMARK_OK)
    return TRUE;
  GST_ELEMENT_ERROR (queue, RESOURCE, SETTINGS,
                     ("%s must rise in this order, or be 0.", dimension),
                     ("%s", iv_watermark_status_text (status)));
  return FALSE;
}

static void
gst_iv_watermark_queue_set_property (GObject *object, guint id,
                                     const GValue *value, GParamSpec *pspec)
{
  GstIvWatermarkQueue *queue = GST_IV_WATERMARK_QUEUE (object);
  gboolean latency = id == PROP_HIGH_TIME || id == PROP_WHEN_FULL;
  const gchar *dimension;

  g_mutex_lock (&queue->lock);
  switch (id) {
    case PROP_LOW_WATERMARK:
      queue->low_bytes = g_value_get_uint (value);
      break;
    case PROP_WARN_WATERMARK:
      queue->warn_bytes = g_value_get_uint (value);
      break;
    case PROP_HIGH_WATERMARK:
      queue->high_bytes = g_value_get_uint (value);
      break;
    case PROP_LOW_TIME:
      queue->low_time = g_value_get_uint64 (value);
      break;
    case PROP_WARN_TIME:
      queue->warn_time = g_value_get_uint64 (value);
      break;
    case PROP_HIGH_TIME:
      queue->high_time = g_value_get_uint64 (value);
      break;
    case PROP_WHEN_FULL:
      queue->when_full = g_value_get_enum (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  if (use_marks (queue, &dimension) != IV_WATERMARK_OK)
    GST_INFO_OBJECT (queue, "%s are out of order: not used yet", dimension);
  g_cond_broadcast (&queue->changed);
  g_mutex_unlock (&queue->lock);
  iv_queue_check_level (queue, FALSE);
  if (latency)
    gst_element_post_message (GST_ELEMENT_CAST (queue),
                              gst_message_new_latency (
                                  GST_OBJECT_CAST (queue)));
}

static GstClockTime
get_paused_time (GstIvWatermarkQueue *queue)
{
  if (!GST_CLOCK_TIME_IS_VALID (queue->paused_since))
    return queue->paused_total;
  return queue->paused_total + gst_clock_get_time (queue->clock)
         - queue->paused_since;
}

static GstStructure *
make_stats (GstIvWatermarkQueue *queue)
{
  guint64 bytes = iv_queue_get_bytes (queue);
  guint64 sink_bytes = iv_queue_get_sink_bytes (queue);

  /* A field a line. */
  /* clang-format off */
  return gst_structure_new ("application/x-iv-watermark-queue-stats",
      "level-bytes", G_TYPE_UINT64, bytes,
      "queue-bytes", G_TYPE_UINT64, bytes - sink_bytes,
      "sink-bytes", G_TYPE_UINT64, sink_bytes,
      "level-time-ns", G_TYPE_UINT64, iv_queue_get_time (queue),
      "paused", G_TYPE_BOOLEAN, iv_watermark_is_paused (&queue->watermark),
      "paused-total-ns", G_TYPE_UINT64, get_paused_time (queue),
      "warn-count", G_TYPE_UINT64, queue->warns,
      "high-count", G_TYPE_UINT64, queue->highs,
      "low-count", G_TYPE_UINT64, queue->lows,
      "buffers-in", G_TYPE_UINT64, queue->buffers_in,
      "bytes-in", G_TYPE_UINT64, queue->bytes_in,
      "buffers-dropped", G_TYPE_UINT64, queue->buffers_dropped,
      "bytes-dropped", G_TYPE_UINT64, queue->bytes_dropped,
      "key-unit-requests", G_TYPE_UINT64, queue->key_requests, NULL);
  /* clang-format on */
}

static void
gst_iv_watermark_queue_get_property (GObject *object, guint id, GValue *value,
                                     GParamSpec *pspec)
{
  GstIvWatermarkQueue *queue = GST_IV_WATERMARK_QUEUE (object);

  if (id >= PROP_LEVEL_BYTES)
    iv_queue_check_level (queue, TRUE);
  g_mutex_lock (&queue->lock);
  switch (id) {
    case PROP_LOW_WATERMARK:
      g_value_set_uint (value, queue->low_bytes);
      break;
    case PROP_WARN_WATERMARK:
      g_value_set_uint (value, queue->warn_bytes);
      break;
    case PROP_HIGH_WATERMARK:
      g_value_set_uint (value, queue->high_bytes);
      break;
    case PROP_LOW_TIME:
      g_value_set_uint64 (value, queue->low_time);
      break;
    case PROP_WARN_TIME:
      g_value_set_uint64 (value, queue->warn_time);
      break;
    case PROP_HIGH_TIME:
      g_value_set_uint64 (value, queue->high_time);
      break;
    case PROP_WHEN_FULL:
      g_value_set_enum (value, queue->when_full);
      break;
    case PROP_LEVEL_BYTES:
      g_value_set_uint64 (value, iv_queue_get_bytes (queue));
      break;
    case PROP_LEVEL_TIME:
      g_value_set_uint64 (value, iv_queue_get_time (queue));
      break;
    case PROP_STATS:
      g_value_take_boxed (value, make_stats (queue));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  g_mutex_unlock (&queue->lock);
}

/* -- Object ---------------------------------------------------------------- */

static GstStateChangeReturn
gst_iv_watermark_queue_change_state (GstElement *element,
                                     GstStateChange transition)
{
  if (transition == GST_STATE_CHANGE_NULL_TO_READY
      && !check_settings (GST_IV_WATERMARK_QUEUE (element)))
    return GST_STATE_CHANGE_FAILURE;
  return GST_ELEMENT_CLASS (gst_iv_watermark_queue_parent_class)
      ->change_state (element, transition);
}

static void
gst_iv_watermark_queue_finalize (GObject *object)
{
  GstIvWatermarkQueue *queue = GST_IV_WATERMARK_QUEUE (object);
  IvQueueItem *item;

  while ((item = gst_queue_array_pop_head_struct (queue->items)) != NULL)
    gst_mini_object_unref (item->object);
  gst_queue_array_free (queue->items);
  gst_queue_array_free (queue->sent);
  g_queue_clear_full (&queue->notices, g_free);
  gst_object_unref (queue->clock);
  g_cond_clear (&queue->arrived);
  g_cond_clear (&queue->changed);
  g_cond_clear (&queue->answered);
  g_mutex_clear (&queue->lock);
  G_OBJECT_CLASS (gst_iv_watermark_queue_parent_class)->finalize (object);
}

static void
install_mark (GObjectClass *klass, guint id, const gchar *name,
              const gchar *nick, const gchar *blurb, guint value)
{
  g_object_class_install_property (
      klass, id,
      g_param_spec_uint (name, nick, blurb, 0, G_MAXUINT, value,
                         G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS
                             | GST_PARAM_MUTABLE_PLAYING));
}

static void
install_time (GObjectClass *klass, guint id, const gchar *name,
              const gchar *nick, const gchar *blurb, GParamFlags flags)
{
  if (flags & G_PARAM_WRITABLE)
    flags |= GST_PARAM_MUTABLE_PLAYING;
  g_object_class_install_property (
      klass, id,
      g_param_spec_uint64 (name, nick, blurb, 0, G_MAXUINT64, 0,
                           flags | G_PARAM_STATIC_STRINGS));
}

static void
install_properties (GObjectClass *klass)
{
  install_mark (
      klass, PROP_LOW_WATERMARK, "low-watermark", "Low Watermark",
      "Bytes below which data goes on and the other marks are armed again (0: "
      "when all is out; all three marks 0: no events)",
      DEFAULT_LOW_WATERMARK);
  install_mark (klass, PROP_WARN_WATERMARK, "warn-watermark", "Warn Watermark",
                "Bytes above which a warning is due (0: unused)",
                DEFAULT_WARN_WATERMARK);
  install_mark (klass, PROP_HIGH_WATERMARK, "high-watermark", "High Watermark",
                "Bytes above which data pauses (0: unused)",
                DEFAULT_HIGH_WATERMARK);
  install_time (klass, PROP_LOW_TIME, "low-time", "Low Time",
                "Nanoseconds below which data goes on (0: when all is out)",
                G_PARAM_READWRITE);
  install_time (klass, PROP_WARN_TIME, "warn-time", "Warn Time",
                "Nanoseconds above which a warning is due (0: unused)",
                G_PARAM_READWRITE);
  install_time (klass, PROP_HIGH_TIME, "high-time", "High Time",
                "Nanoseconds above which data pauses (0: unused)",
                G_PARAM_READWRITE);
  g_object_class_install_property (
      klass, PROP_WHEN_FULL,
      g_param_spec_enum ("when-full", "When Full",
                         "What becomes of data while it pauses",
                         GST_TYPE_IV_WATERMARK_QUEUE_WHEN_FULL,
                         DEFAULT_WHEN_FULL,
                         G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS
                             | GST_PARAM_MUTABLE_PLAYING));
  g_object_class_install_property (
      klass, PROP_LEVEL_BYTES,
      g_param_spec_uint64 ("level-bytes", "Level Bytes",
                           "Bytes in here and in the sink", 0, G_MAXUINT64, 0,
                           G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
  install_time (klass, PROP_LEVEL_TIME, "level-time", "Level Time",
                "Nanoseconds of data in here and in the sink",
                G_PARAM_READABLE);
  g_object_class_install_property (
      klass, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
                          "Levels now; events, buffers and drops so far",
                          GST_TYPE_STRUCTURE,
                          G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void
gst_iv_watermark_queue_class_init (GstIvWatermarkQueueClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  object_class->set_property = gst_iv_watermark_queue_set_property;
  object_class->get_property = gst_iv_watermark_queue_get_property;
  object_class->finalize = gst_iv_watermark_queue_finalize;
  element_class->change_state = gst_iv_watermark_queue_change_state;
  install_properties (object_class);
  /**
   * GstIvWatermarkQueue::watermark:
   * @queue: the queue
   * @event: "low", "warn" or "high"
   * @level_bytes: the level then
   * @level_time: the level then, in nanoseconds
   *
   * The same as the element message `iv-watermark`, from a streaming thread.
   */
  g_signal_new ("watermark", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0,
                NULL, NULL, NULL, G_TYPE_NONE, 3, G_TYPE_STRING, G_TYPE_UINT64,
                G_TYPE_UINT64);
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (
      element_class, "Watermark Queue", "Generic",
      "Tells of congestion, and pauses or drops until it is over",
      "the iv-p2p authors");
  gst_type_mark_as_plugin_api (GST_TYPE_IV_WATERMARK_QUEUE_WHEN_FULL, 0);
}

static void
init_pads (GstIvWatermarkQueue *queue)
{
  GstPad *sink = gst_pad_new_from_static_template (&sink_template, "sink");
  GstPad *src = gst_pad_new_from_static_template (&src_template, "src");

  gst_pad_set_chain_function (sink, iv_queue_chain);
  gst_pad_set_chain_list_function (sink, iv_queue_chain_list);
  gst_pad_set_event_full_function (sink, iv_queue_sink_event);
  gst_pad_set_query_function (sink, iv_queue_sink_query);
  gst_pad_set_activatemode_function (sink, iv_queue_sink_activate);
  GST_PAD_SET_PROXY_CAPS (sink);
  gst_pad_set_event_function (src, iv_queue_src_event);
  gst_pad_set_query_function (src, iv_queue_src_query);
  gst_pad_set_activatemode_function (src, iv_queue_src_activate);
  GST_PAD_SET_PROXY_CAPS (src);
  queue->sinkpad = sink;
  queue->srcpad = src;
  gst_element_add_pad (GST_ELEMENT_CAST (queue), sink);
  gst_element_add_pad (GST_ELEMENT_CAST (queue), src);
}

static void
gst_iv_watermark_queue_init (GstIvWatermarkQueue *queue)
{
  const gchar *dimension;

  g_mutex_init (&queue->lock);
  g_cond_init (&queue->arrived);
  g_cond_init (&queue->changed);
  g_cond_init (&queue->answered);
  queue->clock = gst_system_clock_obtain ();
  queue->low_bytes = DEFAULT_LOW_WATERMARK;
  queue->warn_bytes = DEFAULT_WARN_WATERMARK;
  queue->high_bytes = DEFAULT_HIGH_WATERMARK;
  queue->when_full = DEFAULT_WHEN_FULL;
  iv_watermark_init (&queue->watermark);
  use_marks (queue, &dimension);
  queue->items = gst_queue_array_new_for_struct (sizeof (IvQueueItem), 64);
  queue->sent = gst_queue_array_new_for_struct (sizeof (IvQueueSent), 64);
  queue->flow = GST_FLOW_FLUSHING;
  gst_segment_init (&queue->segment, GST_FORMAT_UNDEFINED);
  queue->end = GST_CLOCK_STIME_NONE;
  queue->frame_pts = GST_CLOCK_TIME_NONE;
  queue->key_asked = GST_CLOCK_TIME_NONE;
  queue->asked = GST_CLOCK_TIME_NONE;
  queue->paused_since = GST_CLOCK_TIME_NONE;
  init_pads (queue);
}
