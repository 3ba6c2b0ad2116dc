/* What is sent to one request: pulled from the program every 10 ms, pushed into
 * a stream of its own.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: a channel is a serial; everything without a comment belongs to its
 * run(). Notify threads make it and ask it to stop; any thread may look up its
 * handle, under the module's lock.
 *
 * The program's blocks are copied: it gets them back at once, and a viewer that
 * stalls cannot hold its memory. A big block goes out in pieces, which costs
 * nothing, since to the receiver the stream is bytes. Small ones that would
 * have to wait anyhow are gathered before they go, as each costs some hundred
 * bytes wherever it waits.
 */
#include "ivmodule.h"

#include <string.h>

#define CHUNK (64 * 1024)
/* With so much ahead of it, a small block waits until there are so many bytes.
 */
#define GATHER_BEHIND (64 * 1024)
#define GATHER_BYTES (16 * 1024)
#define SMALL_BLOCK (GATHER_BYTES / 4)
#define SAMPLES 16
#define SAMPLE_US (100 * 1000)
#define WINDOW_US G_USEC_PER_SEC
/* A request that says nothing is one for what there is. */
#define DEFAULT_PARAMS "action=live&channel=0"

typedef enum {
  CHANNEL_NEW,
  CHANNEL_OPEN,
  CHANNEL_ENDED,   /* the program has no more; its stop is still to come */
  CHANNEL_REFUSED, /* it never had any */
  CHANNEL_DONE,
} ChannelState;

typedef struct
{
  gint64 at_us;
  guint64 acked;
} Sample;

struct _IvChannel
{
  IvSerial serial;
  IvModule *module;
  gchar *peer, *params;
  guint request;
  ChannelState state;
  P2pStream *stream; /* [module's lock] to set and to look up */
  void *handle;      /* likewise */
  gboolean known;    /* [module's lock] the program knows the handle */
  gboolean stop;     /* [module's lock] wanted */

  IvWatermark watermark;
  IvWatermarkMarks own;   /* [module's lock] */
  gboolean has_own;       /* [module's lock] */
  gboolean own_changed;   /* [module's lock] */
  guint marks_generation; /* of those taken */
  gint64 opened_us;
  guint64 limit;           /* nothing is asked for beyond this */
  GByteArray *gathered;    /* NULL: nothing */
  gint gathered_len;       /* [atomic] to read */
  Sample samples[SAMPLES]; /* [module's lock] newest at `newest` */
  guint newest, n_samples; /* likewise */
};

static IvChannel *
from_serial (IvSerial *serial)
{
  return (IvChannel *)((gchar *)serial - G_STRUCT_OFFSET (IvChannel, serial));
}

static void
channel_free (IvSerial *serial)
{
  IvChannel *channel = from_serial (serial);

  if (channel->gathered != NULL)
    g_byte_array_unref (channel->gathered);
  g_free (channel->peer);
  g_free (channel->params);
  iv_module_unref (channel->module);
  g_free (channel);
}

/* -- Marks ----------------------------------------------------------------- */

/* FALSE: not in order. The documented order is stricter than the policy's: a
 * mark in the middle cannot be left out. */
gboolean
iv_marks_take (IvWatermarkMarks *marks, size_t low, size_t warn, size_t high)
{
  IvWatermarkMarks m = { low, warn, high };

  if (low > warn || warn > high || iv_watermark_check (&m) != IV_WATERMARK_OK)
    return FALSE;
  *marks = m;
  return TRUE;
}

static void
take_marks (IvChannel *channel)
{
  IvWatermarkMarks marks;
  guint generation;
  gboolean changed;

  iv_module_get_marks (&marks, &generation);
  g_mutex_lock (&channel->module->lock);
  changed = channel->own_changed || generation != channel->marks_generation;
  channel->own_changed = FALSE;
  if (channel->has_own)
    marks = channel->own;
  g_mutex_unlock (&channel->module->lock);
  if (!changed)
    return;
  channel->marks_generation = generation;
  iv_watermark_set_marks (&channel->watermark, &marks, NULL);
  channel->limit = MAX (marks.high, IV_CHANNEL_BYTES);
}

/* With the module's lock, or in run(). */
static guint64
get_level (IvChannel *channel)
{
  guint64 least, most;

  p2p_stream_get_backlog (channel->stream, &least, &most);
  return most + (guint64)g_atomic_int_get (&channel->gathered_len);
}

static void
tell (IvChannel *channel, unsigned events)
{
  const IvCallbacks *calls = &channel->module->calls;

  if (events & IV_WATERMARK_LOW)
    calls->event (IV_EVENT_LOW, channel->handle);
  if (events & IV_WATERMARK_WARN)
    calls->event (IV_EVENT_WARN, channel->handle);
  if (events & IV_WATERMARK_HIGH)
    calls->event (IV_EVENT_HIGH, channel->handle);
}

static guint64
look_at_level (IvChannel *channel)
{
  guint64 level = get_level (channel);

  tell (channel, iv_watermark_update (&channel->watermark, level, 0));
  return level;
}

/* -- Numbers --------------------------------------------------------------- */

static void
sample (IvChannel *channel, gint64 now)
{
  P2pStreamStats stats;

  if (channel->n_samples > 0
      && now - channel->samples[channel->newest].at_us < SAMPLE_US)
    return;
  p2p_stream_get_stats (channel->stream, &stats);
  if (stats.viewers == 0)
    return;
  g_mutex_lock (&channel->module->lock);
  channel->newest = (channel->newest + 1) % SAMPLES;
  channel->samples[channel->newest].at_us = now;
  channel->samples[channel->newest].acked = stats.acknowledged_bytes;
  channel->n_samples = MIN (channel->n_samples + 1, SAMPLES);
  g_mutex_unlock (&channel->module->lock);
}

/* With the module's lock: what was acknowledged in the second before now. */
static guint32
sent_rate (const IvChannel *channel, guint64 acked, gint64 now)
{
  guint i;

  for (i = 0; i < channel->n_samples; i++) {
    const Sample *s
        = &channel->samples[(channel->newest + SAMPLES - i) % SAMPLES];
    gint64 age = now - s->at_us;

    if (age >= WINDOW_US)
      return (guint32)MIN ((acked - MIN (acked, s->acked)) * WINDOW_US
                               / (guint64)age,
                           G_MAXUINT32);
  }
  /* All that there has been came within it. */
  return (guint32)MIN (acked, G_MAXUINT32);
}

/* -- Data ------------------------------------------------------------------ */

static void
push (IvChannel *channel, GBytes *bytes)
{
  P2pWireFrame frame = { .pts = P2P_WIRE_TIME_NONE,
                         .dts = P2P_WIRE_TIME_NONE,
                         .duration = P2P_WIRE_TIME_NONE };

  /* Bytes have no time to be shown at; when they set off tells the receiver
   * how long the way is. */
  frame.sent = (g_get_monotonic_time () - channel->opened_us) * 1000;
  /* Forced, which cannot overrun: our limit is far below the endpoint's. */
  p2p_stream_push (channel->stream, bytes, &frame, TRUE);
  g_bytes_unref (bytes);
}

static void
push_gathered (IvChannel *channel)
{
  if (channel->gathered == NULL)
    return;
  push (channel, g_byte_array_free_to_bytes (channel->gathered));
  channel->gathered = NULL;
  g_atomic_int_set (&channel->gathered_len, 0);
}

static void
gather (IvChannel *channel, const guint8 *data, gsize len)
{
  if (channel->gathered == NULL)
    channel->gathered = g_byte_array_sized_new (GATHER_BYTES);
  g_byte_array_append (channel->gathered, data, (guint)len);
  g_atomic_int_set (&channel->gathered_len, (gint)channel->gathered->len);
}

/* `level`: what is ahead of it. */
static void
take_block (IvChannel *channel, const guint8 *data, gsize len, guint64 level)
{
  gsize have = channel->gathered != NULL ? channel->gathered->len : 0;

  if (have + len > GATHER_BYTES || len > SMALL_BLOCK || level < GATHER_BEHIND)
    push_gathered (channel);
  if (len > 0 && len <= SMALL_BLOCK && level >= GATHER_BEHIND) {
    gather (channel, data, len);
    return;
  }
  for (; len > CHUNK; data += CHUNK, len -= CHUNK)
    push (channel, g_bytes_new (data, CHUNK));
  if (len > 0)
    push (channel, g_bytes_new (data, len));
}

static void
end (IvChannel *channel)
{
  channel->state = CHANNEL_ENDED;
  push_gathered (channel);
  p2p_stream_end (channel->stream);
}

static void
pull (IvChannel *channel, guint64 level)
{
  iv_cm_memory_s memory = channel->module->calls.send_get (channel->handle);
  gboolean last = memory.size == (size_t)-1;

  if (!last && memory.size > IV_MAX_BLOCK) {
    iv_log (IV_LOG_ERROR,
            "%s: a block of %" G_GSIZE_FORMAT " bytes ends the "
            "stream: %u are the limit",
            channel->peer, memory.size, IV_MAX_BLOCK);
    last = TRUE;
  }
  if (memory.buf != NULL) {
    if (!last)
      take_block (channel, memory.buf, memory.size, level);
    if (memory.buf_free_fn != NULL)
      memory.buf_free_fn (memory.buf, memory.size);
  }
  if (last)
    end (channel);
}

static void
on_tick (IvChannel *channel)
{
  guint64 level;

  sample (channel, g_get_monotonic_time ());
  take_marks (channel);
  if (get_level (channel) - (guint64)channel->gathered_len < GATHER_BEHIND)
    push_gathered (channel);
  level = look_at_level (channel);
  if (channel->state != CHANNEL_OPEN || level >= channel->limit
      || iv_watermark_is_paused (&channel->watermark))
    return;
  pull (channel, level);
  look_at_level (channel);
}

/* -- Life ------------------------------------------------------------------ */

static P2pStream *
publish (IvChannel *channel)
{
  P2pStreamConfig config = {
    .kind = P2P_WIRE_DATA, .name = "data_0", .priority = -1, .deadline_ms = 0
  };
  P2pStream *stream;

  config.only_peer = channel->peer;
  config.only_request = channel->request;
  stream
      = p2p_endpoint_publish (channel->module->endpoint, &config, NULL, NULL);
  p2p_stream_set_caps (stream, channel->module->caps);
  return stream;
}

/* What is refused ends before it began, so that the viewer does not wait. */
static void
open_channel (IvChannel *channel)
{
  IvModule *module = channel->module;
  void *handle = NULL;
  P2pStream *stream;

  if (iv_params_check (channel->params))
    handle = module->calls.send_init (channel->params, channel->peer);
  else
    iv_log (IV_LOG_WARN, "%s: a request with malformed parameters is refused",
            channel->peer);
  stream = publish (channel);
  g_mutex_lock (&module->lock);
  channel->stream = stream;
  channel->handle = handle;
  channel->known = handle != NULL;
  g_mutex_unlock (&module->lock);
  if (handle == NULL) {
    channel->state = CHANNEL_REFUSED;
    p2p_stream_end (stream);
    return;
  }
  channel->state = CHANNEL_OPEN;
  channel->opened_us = g_get_monotonic_time ();
  iv_watermark_init (&channel->watermark);
  take_marks (channel);
  iv_serial_set_ticking (&channel->serial, TRUE);
}

static void
close_channel (IvChannel *channel)
{
  IvModule *module = channel->module;
  P2pStream *stream;

  iv_serial_set_ticking (&channel->serial, FALSE);
  if (channel->state == CHANNEL_OPEN || channel->state == CHANNEL_ENDED)
    module->calls.send_stop (channel->handle);
  g_mutex_lock (&module->lock);
  channel->known = FALSE;
  stream = channel->stream;
  channel->stream = NULL;
  g_mutex_unlock (&module->lock);
  if (stream != NULL)
    p2p_stream_unpublish (stream);
  channel->state = CHANNEL_DONE;
  /* The module's reference. */
  iv_module_done (module, module->channels, channel);
  iv_serial_unref (&channel->serial);
}

static void
run (IvSerial *serial, guint why)
{
  IvChannel *channel = from_serial (serial);
  gboolean stop;

  if (channel->state == CHANNEL_DONE)
    return;
  g_mutex_lock (&channel->module->lock);
  stop = channel->stop;
  g_mutex_unlock (&channel->module->lock);
  if (stop)
    close_channel (channel);
  else if (channel->state == CHANNEL_NEW)
    open_channel (channel);
  else if ((why & IV_RUN_TICK) && channel->state != CHANNEL_REFUSED)
    on_tick (channel);
}

void
iv_channel_open (IvModule *module, const gchar *peer, guint request,
                 const gchar *params)
{
  IvChannel *channel;

  /* Viewers count from 1; to the session 0 would mean every request. */
  if (request == 0)
    return;
  channel = g_new0 (IvChannel, 1);
  iv_serial_init (&channel->serial, module->pool, run, channel_free);
  channel->module = iv_module_ref (module);
  channel->peer = g_strdup (peer);
  channel->params = g_strdup (params[0] != '\0' ? params : DEFAULT_PARAMS);
  channel->request = request;
  channel->limit = IV_CHANNEL_BYTES;
  iv_serial_ref (&channel->serial);
  g_mutex_lock (&module->lock);
  channel->stop = module->closing;
  g_ptr_array_add (module->channels, channel);
  g_mutex_unlock (&module->lock);
  iv_serial_schedule (&channel->serial);
  iv_serial_unref (&channel->serial);
}

void
iv_channel_close (IvModule *module, const gchar *peer, guint request)
{
  guint i;

  g_mutex_lock (&module->lock);
  for (i = 0; i < module->channels->len; i++) {
    IvChannel *channel = g_ptr_array_index (module->channels, i);

    if (peer != NULL
        && (channel->request != request || !g_str_equal (channel->peer, peer)))
      continue;
    channel->stop = TRUE;
    iv_serial_schedule (&channel->serial);
  }
  g_mutex_unlock (&module->lock);
}

void
iv_channel_close_all (IvModule *module)
{
  iv_channel_close (module, NULL, 0);
}

/* -- By handle ------------------------------------------------------------- */

/* With the module's lock. A program may give the same handle to several
 * requests: the one that opened last. */
static IvChannel *
find (IvModule *module, void *handle)
{
  guint i;

  for (i = module->channels->len; i-- > 0;) {
    IvChannel *channel = g_ptr_array_index (module->channels, i);

    if (channel->known && channel->handle == handle)
      return channel;
  }
  return NULL;
}

size_t
iv_channel_get_level (void *handle)
{
  IvModule *module = iv_module_get ();
  IvChannel *channel;
  guint64 level = 0;

  if (module == NULL)
    return 0;
  g_mutex_lock (&module->lock);
  channel = find (module, handle);
  if (channel != NULL)
    level = get_level (channel);
  g_mutex_unlock (&module->lock);
  iv_module_unref (module);
  return (size_t)MIN (level, SIZE_MAX);
}

static guint32
get_link_mode (IvModule *module, const gchar *peer)
{
  P2pEndpointStats *stats = p2p_endpoint_get_stats (module->endpoint);
  guint32 mode = 0;
  guint i;

  for (i = 0; i < stats->peers->len; i++) {
    const P2pPeerStats *s = g_ptr_array_index (stats->peers, i);

    if (s->path != NULL && g_strcmp0 (s->id, peer) == 0)
      mode = g_str_equal (s->path, "direct") ? 1 : 2;
  }
  p2p_endpoint_stats_free (stats);
  return mode;
}

void
iv_channel_get_stats (void *handle, IvSendStats *stats)
{
  IvModule *module = iv_module_get ();
  IvChannel *channel;
  P2pStreamStats s;

  memset (stats, 0, sizeof *stats);
  if (module == NULL)
    return;
  g_mutex_lock (&module->lock);
  channel = find (module, handle);
  if (channel != NULL) {
    p2p_stream_get_stats (channel->stream, &s);
    stats->net_rate = (guint32)MIN (s.delivery_rate / 8, G_MAXUINT32);
    /* The session forgets what a viewer got when that goes. */
    stats->acked = s.viewers > 0 ? s.acknowledged_bytes
                                 : channel->samples[channel->newest].acked;
    stats->sent_rate
        = sent_rate (channel, stats->acked, g_get_monotonic_time ());
    /* So little that it says nothing of the path. */
    if (stats->net_rate == 0)
      stats->net_rate = stats->sent_rate;
    stats->link_mode = get_link_mode (module, channel->peer);
  }
  g_mutex_unlock (&module->lock);
  iv_module_unref (module);
}

int
iv_channel_set_watermark (void *handle, size_t low, size_t warn, size_t high)
{
  IvModule *module = iv_module_get ();
  IvWatermarkMarks marks;
  IvChannel *channel;
  int status = IV_ERR_AVT_INPUT_PARAM_INVAILD;

  if (module == NULL)
    return IV_ERR_AVT_STATE_ERROR;
  if (iv_marks_take (&marks, low, warn, high)) {
    g_mutex_lock (&module->lock);
    channel = find (module, handle);
    status = channel != NULL ? IV_ERR_NONE : IV_ERR_AVT_CHN_NOT_EXIT;
    if (channel != NULL) {
      channel->own = marks;
      channel->has_own = channel->own_changed = TRUE;
    }
    g_mutex_unlock (&module->lock);
  }
  iv_module_unref (module);
  return status;
}
