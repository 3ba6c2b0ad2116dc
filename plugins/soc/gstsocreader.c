/* The thread that reads an encoder; see gstsocreader.h.
 *
 * Threads: the reader's own gets frames, fills buffers and puts them into the
 * ring; one other takes them out. The lock protects the ring and the flags; it
 * is never held during a call of hal-src or a copy.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstsocreader.h"

#include <string.h>

GST_DEBUG_CATEGORY_STATIC (soc_reader_debug);
#define GST_CAT_DEFAULT soc_reader_debug

/* Buffers begin with room for so much, and grow to what frames need. */
#define FIRST_SIZE (16 * 1024)
/* How much more room is made than the frame that did not fit. */
#define GROWTH(size) ((size) + (size) / 2)
/* Frames after which a keyframe that did not come is asked for again. */
#define ASK_AGAIN 30

struct _GstSocReader
{
  HalStream *stream;
  guint max_queued;
  GstClockTime timeout;
  GThread *thread;
  GstBufferPool *pool;

  GMutex lock;
  GCond cond;
  /* Protected by lock. */
  GstSocFrame *ring;
  guint first, n;
  gboolean flushing, discard, stopping;
  gboolean wants_key; /* nothing but a keyframe goes in */
  guint refused;      /* since then */
  gboolean discont;   /* the next one in follows a gap */
  gboolean failed;
  HalError error;
  GstSocReaderStats stats;
};

/* A buffer of the pool with room for size, without an allocation once its
 * memory has grown to the largest frame. */
static GstBuffer *
get_buffer (GstSocReader *reader, gsize size)
{
  GstBuffer *buffer = NULL;
  GstMemory *memory;

  if (gst_buffer_pool_acquire_buffer (reader->pool, &buffer, NULL)
      != GST_FLOW_OK)
    return NULL;
  memory = gst_buffer_peek_memory (buffer, 0);
  if (memory->maxsize < size) {
    memory = gst_allocator_alloc (NULL, GROWTH (size), NULL);
    if (memory == NULL) {
      gst_buffer_unref (buffer);
      return NULL;
    }
    gst_buffer_replace_all_memory (buffer, memory);
    /* The pool would not take a buffer back whose memory was exchanged. */
    GST_BUFFER_FLAG_UNSET (buffer, GST_BUFFER_FLAG_TAG_MEMORY);
  }
  gst_buffer_set_size (buffer, size);
  return buffer;
}

/* A family that copies by itself does so right into one of our buffers. From
 * its thread. The memory is the system's, and so stays where it is. */
static void *
get_place (void *user, size_t size, uint8_t **ret_data)
{
  GstBuffer *buffer = get_buffer (user, size);
  GstMapInfo map;

  if (buffer == NULL)
    return NULL;
  gst_buffer_map (buffer, &map, GST_MAP_WRITE);
  *ret_data = map.data;
  gst_buffer_unmap (buffer, &map);
  return buffer;
}

static void
drop_place (void *user, void *place)
{
  gst_buffer_unref (place);
}

static void
copy_segments (GstBuffer *buffer, const HalFrame *frame)
{
  GstMapInfo map;
  gsize at = 0;
  guint i;

  gst_buffer_map (buffer, &map, GST_MAP_WRITE);
  for (i = 0; i < frame->n_segments; i++) {
    memcpy (map.data + at, frame->segments[i].data, frame->segments[i].size);
    at += frame->segments[i].size;
  }
  gst_buffer_unmap (buffer, &map);
}

static GstBuffer *
take_frame (GstSocReader *reader, const HalFrame *frame)
{
  GstBuffer *buffer = frame->place;

  if (buffer == NULL) {
    buffer = get_buffer (reader, frame->size);
    if (buffer == NULL)
      return NULL;
    copy_segments (buffer, frame);
  }
  GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_MARKER);
  if (!frame->key)
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  return buffer;
}

/* Called with the lock. */
static void
clear_ring (GstSocReader *reader)
{
  for (; reader->n > 0; reader->n--) {
    gst_buffer_unref (reader->ring[reader->first].buffer);
    reader->first = (reader->first + 1) % reader->max_queued;
    reader->stats.dropped++;
  }
}

/* Called with the lock. Whether a frame goes in; TRUE in *ret_ask: a keyframe
 * is needed. */
static gboolean
admit (GstSocReader *reader, gboolean key, gboolean *ret_ask)
{
  if (reader->discard)
    return FALSE;
  if (reader->wants_key && !key) {
    reader->discont = TRUE;
    *ret_ask = reader->refused++ % ASK_AGAIN == 0;
    return FALSE;
  }
  if (reader->n == reader->max_queued) {
    reader->discont = TRUE;
    reader->stats.overflows++;
    if (!key) {
      reader->wants_key = TRUE;
      reader->refused = 1;
      *ret_ask = TRUE;
      return FALSE;
    }
    clear_ring (reader);
  }
  reader->wants_key = FALSE;
  reader->refused = 0;
  return TRUE;
}

static void
put_frame (GstSocReader *reader, const HalFrame *frame, GstBuffer *buffer)
{
  gboolean ask = FALSE, taken;

  g_mutex_lock (&reader->lock);
  taken = admit (reader, frame->key, &ask);
  if (taken) {
    guint slot = (reader->first + reader->n) % reader->max_queued;

    if (reader->discont)
      GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
    reader->discont = FALSE;
    reader->ring[slot].buffer = buffer;
    reader->ring[slot].pts = frame->pts;
    reader->ring[slot].key = frame->key;
    reader->n++;
    g_cond_signal (&reader->cond);
  } else {
    reader->stats.dropped++;
  }
  g_mutex_unlock (&reader->lock);
  if (!taken)
    gst_buffer_unref (buffer);
  if (ask) {
    GST_INFO ("dropping to the next keyframe, which is asked for");
    hal_stream_request_idr (reader->stream, NULL);
  }
}

static void
fail (GstSocReader *reader, const HalError *error)
{
  g_mutex_lock (&reader->lock);
  reader->failed = TRUE;
  reader->error = *error;
  g_cond_signal (&reader->cond);
  g_mutex_unlock (&reader->lock);
}

static void
fail_status (GstSocReader *reader, HalStatus status, HalError *error)
{
  if (status == HAL_TIMEOUT) {
    g_snprintf (error->text, sizeof error->text,
                "No frame came for %" G_GUINT64_FORMAT " ms",
                reader->timeout / GST_MSECOND);
    g_strlcpy (error->hint,
               "is the sensor running, and the scaler's output enabled?",
               sizeof error->hint);
    error->call[0] = '\0';
    error->code = 0;
  } else if (status == HAL_ENDED) {
    g_strlcpy (error->text, "The encoder ended the stream", sizeof error->text);
  }
  error->status = status;
  fail (reader, error);
}

static gpointer
reader_thread (gpointer data)
{
  GstSocReader *reader = data;
  HalError error;

  for (;;) {
    HalFrame frame;
    GstBuffer *buffer;
    HalStatus status;

    memset (&error, 0, sizeof error);
    status = hal_stream_get_frame (reader->stream, reader->timeout, &frame,
                                   &error);
    if (status == HAL_INTERRUPTED)
      break;
    if (status != HAL_OK) {
      fail_status (reader, status, &error);
      break;
    }
    buffer = take_frame (reader, &frame);
    hal_stream_release_frame (reader->stream, NULL);
    if (buffer == NULL) {
      g_strlcpy (error.text, "Out of memory", sizeof error.text);
      fail_status (reader, HAL_NO_MEMORY, &error);
      break;
    }
    put_frame (reader, &frame, buffer);
  }
  return NULL;
}

static GstBufferPool *
make_pool (void)
{
  GstBufferPool *pool = gst_buffer_pool_new ();
  GstStructure *config = gst_buffer_pool_get_config (pool);

  gst_buffer_pool_config_set_params (config, NULL, FIRST_SIZE, 2, 0);
  if (!gst_buffer_pool_set_config (pool, config)
      || !gst_buffer_pool_set_active (pool, TRUE))
    g_clear_pointer (&pool, gst_object_unref);
  return pool;
}

GstSocReader *
gst_soc_reader_new (HalStream *stream, guint max_queued, GstClockTime timeout,
                    HalError *error)
{
  static gsize once;
  HalPlaces places = { get_place, drop_place, NULL };
  GstSocReader *reader;

  if (g_once_init_enter (&once)) {
    GST_DEBUG_CATEGORY_INIT (soc_reader_debug, "socreader", 0,
                             "reading SoC encoders");
    g_once_init_leave (&once, 1);
  }
  reader = g_new0 (GstSocReader, 1);
  reader->stream = stream;
  reader->max_queued = max_queued;
  reader->timeout = timeout;
  reader->pool = make_pool ();
  reader->ring = g_new0 (GstSocFrame, max_queued);
  reader->wants_key = reader->discont = TRUE;
  g_mutex_init (&reader->lock);
  g_cond_init (&reader->cond);
  places.user = reader;
  hal_stream_set_places (stream, &places);
  if (hal_stream_start (stream, error) != HAL_OK) {
    gst_soc_reader_free (reader);
    return NULL;
  }
  hal_stream_interrupt (stream, FALSE);
  reader->thread = g_thread_new ("soc-reader", reader_thread, reader);
  return reader;
}

void
gst_soc_reader_free (GstSocReader *reader)
{
  if (reader == NULL)
    return;
  if (reader->thread != NULL) {
    hal_stream_interrupt (reader->stream, TRUE);
    g_thread_join (reader->thread);
    hal_stream_interrupt (reader->stream, FALSE);
    hal_stream_stop (reader->stream);
  }
  hal_stream_set_places (reader->stream, NULL);
  clear_ring (reader);
  if (reader->pool != NULL) {
    gst_buffer_pool_set_active (reader->pool, FALSE);
    gst_object_unref (reader->pool);
  }
  g_free (reader->ring);
  g_mutex_clear (&reader->lock);
  g_cond_clear (&reader->cond);
  g_free (reader);
}

gboolean
gst_soc_reader_pop (GstSocReader *reader, GstSocFrame *ret_frame,
                    HalError *error)
{
  gboolean got;

  g_mutex_lock (&reader->lock);
  while (!reader->flushing && reader->n == 0 && !reader->failed)
    g_cond_wait (&reader->cond, &reader->lock);
  got = !reader->flushing && reader->n > 0;
  if (got) {
    *ret_frame = reader->ring[reader->first];
    reader->first = (reader->first + 1) % reader->max_queued;
    reader->n--;
  } else if (!reader->flushing) {
    *error = reader->error;
  } else {
    error->status = HAL_INTERRUPTED;
  }
  g_mutex_unlock (&reader->lock);
  return got;
}

void
gst_soc_reader_set_flushing (GstSocReader *reader, gboolean flushing)
{
  g_mutex_lock (&reader->lock);
  reader->flushing = flushing;
  g_cond_broadcast (&reader->cond);
  g_mutex_unlock (&reader->lock);
}

void
gst_soc_reader_set_discard (GstSocReader *reader, gboolean discard)
{
  gboolean ask;

  g_mutex_lock (&reader->lock);
  ask = reader->discard && !discard;
  reader->discard = discard;
  if (discard)
    clear_ring (reader);
  if (ask) {
    reader->wants_key = reader->discont = TRUE;
    reader->refused = 1;
  }
  g_mutex_unlock (&reader->lock);
  if (ask)
    hal_stream_request_idr (reader->stream, NULL);
}

void
gst_soc_reader_get_stats (GstSocReader *reader, GstSocReaderStats *ret_stats)
{
  g_mutex_lock (&reader->lock);
  *ret_stats = reader->stats;
  ret_stats->queued = reader->n;
  g_mutex_unlock (&reader->lock);
}
