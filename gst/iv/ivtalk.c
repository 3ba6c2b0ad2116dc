/* What a peer sends: talk, from the network thread to the program.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: the network thread makes a talk and fills its queue, under the
 * module's lock; its run() empties it into the program. Where that takes its
 * time the queue fills up, and the talker waits.
 */
#include "ivmodule.h"

#include <string.h>

typedef struct
{
  IvSerial serial;
  IvModule *module;
  gchar *peer, *params;
  P2pInStream *stream;
  /* [module's lock] */
  GQueue queue; /* GBytes */
  gsize bytes;
  gboolean starved;   /* the stream waits for room */
  gboolean ended;     /* nothing follows what is in the queue */
  gboolean closed;    /* nothing more is known of the stream */
  gboolean discarded; /* the program, or exit, wants no more */

  /* run()'s */
  void *handle;
  gboolean opened, told_end, done;
} IvTalk;

static IvTalk *
from_serial (IvSerial *serial)
{
  return (IvTalk *)((gchar *)serial - G_STRUCT_OFFSET (IvTalk, serial));
}

static void
unref_bytes (gpointer data)
{
  g_bytes_unref (data);
}

static void
talk_free (IvSerial *serial)
{
  IvTalk *talk = from_serial (serial);

  g_queue_clear_full (&talk->queue, unref_bytes);
  p2p_in_stream_unref (talk->stream);
  g_free (talk->peer);
  g_free (talk->params);
  iv_module_unref (talk->module);
  g_free (talk);
}

/* -- The program ----------------------------------------------------------- */

/* With the module's lock. The stream cannot close meanwhile. */
static void
make_room (IvTalk *talk)
{
  if (!talk->starved || talk->closed || talk->bytes > IV_TALK_BYTES / 2)
    return;
  talk->starved = FALSE;
  p2p_in_stream_resume (talk->stream);
}

/* With the module's lock. */
static void
discard (IvTalk *talk)
{
  talk->discarded = TRUE;
  g_queue_clear_full (&talk->queue, unref_bytes);
  talk->bytes = 0;
  make_room (talk);
}

static GBytes *
take_next (IvTalk *talk)
{
  GBytes *bytes;

  g_mutex_lock (&talk->module->lock);
  bytes = g_queue_pop_head (&talk->queue);
  if (bytes != NULL) {
    talk->bytes -= g_bytes_get_size (bytes);
    make_room (talk);
  }
  g_mutex_unlock (&talk->module->lock);
  return bytes;
}

static void
voice (IvTalk *talk, guint8 *data, gsize len)
{
  const IvCallbacks *calls = &talk->module->calls;
  uint8_t stop = 0;

  if (calls->api == 2)
    calls->recv_voice_stop (talk->handle, data, len, &stop);
  else
    calls->recv_voice (talk->handle, data, len);
  if (stop == 0 || data == NULL)
    return;
  g_mutex_lock (&talk->module->lock);
  discard (talk);
  g_mutex_unlock (&talk->module->lock);
}

/* The program may write into what it gets. */
static void
deliver (IvTalk *talk, GBytes *bytes)
{
  gsize len;
  guint8 *data = g_bytes_unref_to_data (bytes, &len);

  if (len > 0)
    voice (talk, data, len);
  g_free (data);
}

static void
open_talk (IvTalk *talk)
{
  talk->opened = TRUE;
  talk->handle = talk->module->calls.recv_init (talk->params, talk->peer);
}

static void
tell_end (IvTalk *talk)
{
  talk->told_end = TRUE;
  voice (talk, NULL, 0);
  iv_events_post (talk->module, IV_EVENT_SEND_CLOSE);
}

static void
finish (IvTalk *talk)
{
  talk->done = TRUE;
  iv_module_done (talk->module, talk->module->talks, talk);
  iv_serial_unref (&talk->serial);
}

static void
run (IvSerial *serial, guint why)
{
  IvTalk *talk = from_serial (serial);
  gboolean ended, closed;
  GBytes *bytes;

  if (talk->done)
    return;
  if (!talk->opened)
    open_talk (talk);
  while ((bytes = take_next (talk)) != NULL)
    deliver (talk, bytes);
  g_mutex_lock (&talk->module->lock);
  ended = talk->ended && g_queue_is_empty (&talk->queue);
  closed = talk->closed;
  g_mutex_unlock (&talk->module->lock);
  if (ended && !talk->told_end)
    tell_end (talk);
  if (ended && closed)
    finish (talk);
}

/* -- The network thread ---------------------------------------------------- */

static gpointer
on_opened (P2pRequest *request, P2pInStream *stream,
           const P2pInStreamInfo *info, guint epoch, gpointer user)
{
  IvModule *module = user;
  IvTalk *talk = g_new0 (IvTalk, 1);

  iv_serial_init (&talk->serial, module->pool, run, talk_free);
  talk->module = iv_module_ref (module);
  talk->peer = g_strdup (info->peer);
  talk->params = g_strdup (info->params != NULL ? info->params : "");
  talk->stream = p2p_in_stream_ref (stream);
  g_queue_init (&talk->queue);
  g_mutex_lock (&module->lock);
  if (module->talks->len >= IV_MAX_TALKS || module->closing
      || (talk->params[0] != '\0' && !iv_params_check (talk->params))) {
    g_mutex_unlock (&module->lock);
    iv_log (IV_LOG_WARN, "%s: its talk is refused", talk->peer);
    iv_serial_unref (&talk->serial);
    return NULL;
  }
  g_ptr_array_add (module->talks, talk);
  iv_serial_schedule (&talk->serial);
  g_mutex_unlock (&module->lock);
  return talk;
}

static void
on_caps (P2pRequest *request, gpointer stream, const gchar *caps, gpointer user)
{
}

static gboolean
on_frame (P2pRequest *request, gpointer stream, GBytes *payload,
          const P2pWireFrame *frame, gint64 arrival_us, gint64 age_us,
          gboolean gap, gpointer user)
{
  IvModule *module = user;
  IvTalk *talk = stream;
  gsize len = g_bytes_get_size (payload);

  if (talk == NULL)
    return TRUE;
  g_mutex_lock (&module->lock);
  if (talk->discarded) {
    g_mutex_unlock (&module->lock);
    return TRUE;
  }
  if (talk->bytes > 0 && talk->bytes + len > IV_TALK_BYTES) {
    talk->starved = TRUE;
    g_mutex_unlock (&module->lock);
    return FALSE;
  }
  g_queue_push_tail (&talk->queue, g_bytes_ref (payload));
  talk->bytes += len;
  iv_serial_schedule (&talk->serial);
  g_mutex_unlock (&module->lock);
  return TRUE;
}

static void
ended (IvModule *module, IvTalk *talk, gboolean closed)
{
  if (talk == NULL)
    return;
  g_mutex_lock (&module->lock);
  talk->ended = TRUE;
  talk->closed |= closed;
  iv_serial_schedule (&talk->serial);
  g_mutex_unlock (&module->lock);
}

static void
on_end (P2pRequest *request, gpointer stream, gpointer user)
{
  ended (user, stream, FALSE);
}

static void
on_closed (P2pRequest *request, gpointer stream, gboolean lost, gpointer user)
{
  ended (user, stream, TRUE);
}

static void
on_complete (P2pRequest *request, gpointer user)
{
}

const P2pRequestCallbacks iv_talk_callbacks = {
  .stream_opened = on_opened,
  .stream_caps = on_caps,
  .stream_frame = on_frame,
  .stream_end = on_end,
  .stream_closed = on_closed,
  .streams_complete = on_complete,
};

/* After the acceptance was closed: no callback of a stream comes any more. What
 * was not heard by now is not. */
void
iv_talk_close_all (IvModule *module)
{
  guint i;

  g_mutex_lock (&module->lock);
  for (i = 0; i < module->talks->len; i++) {
    IvTalk *talk = g_ptr_array_index (module->talks, i);

    talk->ended = talk->closed = TRUE;
    discard (talk);
    iv_serial_schedule (&talk->serial);
  }
  g_mutex_unlock (&module->lock);
}
