/* One stream that comes in from one peer.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All on the network thread, but for the reference count and the two requests
 * that any thread may make.
 *
 * Control messages and frames travel on different flows and may overtake each
 * other. What the frames at hand still lack (the announcement, their caps, room
 * with the application) makes the stream hold its flow: one frame waits here,
 * those behind it in the engine, and the sender is slowed down or drops.
 *
 * References: the peer's table has one; whoever got the stream from a callback
 * may take more, which keep the memory only.
 */
#include "p2pendpoint-private.h"

#include <string.h>

/* Frames that were announced with the end and never came, nor were said to be
 * lost. */
#define END_PATIENCE_US (3 * G_USEC_PER_SEC)

static void
received_free (gpointer data)
{
  UdtReceived *m = data;

  g_free (m->data);
  g_free (m);
}

static void
stash_clear (P2pInStream *in)
{
  if (in->stashed)
    g_free (in->stash.data);
  in->stashed = FALSE;
  g_queue_clear_full (&in->rest, received_free);
}

static void
pending_caps_free (gpointer data)
{
  P2pPendingCaps *pending = data;

  g_free (pending->caps);
  g_free (pending);
}

P2pInStream *
p2p_in_stream_ref (P2pInStream *in)
{
  g_atomic_int_inc (&in->refs);
  return in;
}

void
p2p_in_stream_unref (P2pInStream *in)
{
  if (!g_atomic_int_dec_and_test (&in->refs))
    return;
  stash_clear (in);
  g_queue_clear_full (&in->caps, pending_caps_free);
  if (in->request != NULL)
    p2p_request_unref (in->request);
  p2p_endpoint_unref (in->endpoint);
  g_free (in->name);
  g_free (in->peer_id);
  g_free (in);
}

static void
hold (P2pInStream *in, gboolean held)
{
  if (in->held == held || in->peer->engine == NULL || (held && in->keep))
    return;
  in->held = held;
  udt_connection_hold_flow (in->peer->engine, in->flow, held);
  if (!held)
    p2p_connection_wake (in->peer->connection);
}

P2pInStream *
p2p_in_unannounced (P2pPeer *peer, guint16 flow)
{
  P2pInStream *in = g_new0 (P2pInStream, 1);

  in->refs = 1;
  in->endpoint = p2p_endpoint_ref (peer->endpoint);
  in->peer = peer;
  in->flow = flow;
  g_queue_init (&in->caps);
  g_queue_init (&in->rest);
  g_hash_table_insert (peer->ins, GUINT_TO_POINTER ((guint)flow), in);
  peer->unannounced++;
  return in;
}

/* -- To the application ---------------------------------------------------- */

static guint
next_epoch (P2pRequest *request, const gchar *peer, const gchar *name)
{
  gchar *key = g_strdup_printf ("%s/%s", peer, name);
  guint epoch = GPOINTER_TO_UINT (g_hash_table_lookup (request->epochs, key));

  g_hash_table_insert (request->epochs, key, GUINT_TO_POINTER (epoch + 1));
  return epoch;
}

static void
tell_closed (P2pInStream *in, gboolean lost)
{
  P2pRequest *request = in->request;

  if (request == NULL || !p2p_guard_enter (&request->guard))
    return;
  if (request->callbacks.stream_closed != NULL)
    request->callbacks.stream_closed (request, in->handle, lost, request->user);
  p2p_guard_leave (&request->guard);
}

/* The same stream of a new session takes the place of what was left. */
static void
drop_leftover (P2pRequest *request, const P2pInStream *by)
{
  guint i;

  for (i = request->leftovers->len; i-- > 0;) {
    P2pInStream *in = g_ptr_array_index (request->leftovers, i);

    if (!g_str_equal (in->name, by->name)
        || !g_str_equal (in->peer_id, by->peer_id) || in->offer != by->offer)
      continue;
    g_ptr_array_remove_index (request->leftovers, i);
    tell_closed (in, TRUE);
    stash_clear (in);
    p2p_in_stream_unref (in);
  }
}

void
p2p_request_drop_leftovers (P2pRequest *request)
{
  while (request->leftovers->len > 0) {
    P2pInStream *in = g_ptr_array_remove_index (request->leftovers, 0);

    tell_closed (in, TRUE);
    stash_clear (in);
    p2p_in_stream_unref (in);
  }
}

void
p2p_in_announce (P2pInStream *in, P2pRequest *request,
                 const P2pRemoteOffer *offer, P2pWireKind kind,
                 const gchar *name)
{
  P2pInStreamInfo info = { 0 };
  guint epoch;

  in->request = p2p_request_ref (request);
  in->kind = kind;
  in->name = g_strdup (name);
  in->peer_id = g_strdup (in->peer->id);
  in->offer = offer != NULL ? offer->id : 0;
  in->peer->unannounced--;
  drop_leftover (request, in);
  info.kind = kind;
  info.name = in->name;
  info.peer = in->peer_id;
  info.request = offer != NULL ? offer->id : request->id;
  info.params = offer != NULL ? offer->params : request->params;
  /* A viewer's next session is another peer: nothing of it comes again. */
  epoch = offer != NULL ? 0 : next_epoch (request, in->peer_id, name);
  if (p2p_guard_enter (&request->guard)) {
    if (request->callbacks.stream_opened != NULL)
      in->handle = request->callbacks.stream_opened (request, in, &info, epoch,
                                                     request->user);
    p2p_guard_leave (&request->guard);
  }
  p2p_in_retry (in);
}

static void
tell_caps (P2pInStream *in, P2pPendingCaps *pending)
{
  P2pRequest *request = in->request;

  in->have_caps = TRUE;
  in->caps_version = pending->version;
  if (p2p_guard_enter (&request->guard)) {
    if (request->callbacks.stream_caps != NULL)
      request->callbacks.stream_caps (request, in->handle, pending->caps,
                                      request->user);
    p2p_guard_leave (&request->guard);
  }
  pending_caps_free (pending);
}

/* TRUE: the caps of `version` have been told, now or before. */
static gboolean
reach_caps (P2pInStream *in, guint8 version)
{
  GList *l;

  if (in->have_caps && in->caps_version == version)
    return TRUE;
  for (l = in->caps.head; l != NULL; l = l->next)
    if (((P2pPendingCaps *)l->data)->version == version)
      break;
  if (l == NULL)
    return FALSE;
  /* Those before it were for frames that never came. */
  while (in->caps.head != l)
    pending_caps_free (g_queue_pop_head (&in->caps));
  tell_caps (in, g_queue_pop_head (&in->caps));
  return TRUE;
}

gboolean
p2p_in_caps (P2pInStream *in, guint8 version, const gchar *caps)
{
  P2pPendingCaps *pending;

  if (g_queue_get_length (&in->caps) >= P2P_MAX_PENDING_CAPS)
    return FALSE;
  pending = g_new (P2pPendingCaps, 1);
  pending->version = version;
  pending->caps = g_strdup (caps);
  g_queue_push_tail (&in->caps, pending);
  /* The first ones at once: pads can be made before the first frame. */
  if (!in->have_caps)
    tell_caps (in, g_queue_pop_head (&in->caps));
  p2p_in_retry (in);
  return TRUE;
}

/* FALSE: no room. */
static gboolean
tell_frame (P2pInStream *in, GBytes *payload, const P2pWireFrame *frame,
            const UdtReceived *m)
{
  P2pRequest *request = in->request;
  gboolean taken = TRUE;

  if (p2p_guard_enter (&request->guard)) {
    if (request->callbacks.stream_frame != NULL)
      taken = request->callbacks.stream_frame (request, in->handle, payload,
                                               frame, (gint64)m->first_arrival,
                                               (gint64)m->age, m->gap,
                                               request->user);
    p2p_guard_leave (&request->guard);
  }
  return taken;
}

static void
check_end (P2pInStream *in)
{
  P2pRequest *request = in->request;

  if (!in->end_known || in->ended || in->stashed || request == NULL
      || (in->next_id < in->end_frames
          && in->delivered + in->missed < in->end_frames))
    return;
  in->ended = TRUE;
  if (p2p_guard_enter (&request->guard)) {
    if (request->callbacks.stream_end != NULL)
      request->callbacks.stream_end (request, in->handle, request->user);
    p2p_guard_leave (&request->guard);
  }
  if (in->close_owed && in->peer != NULL)
    p2p_in_close (in, FALSE);
}

static void
count_delivered (P2pInStream *in, const UdtReceived *m)
{
  in->delivered++;
  in->next_id = m->id + 1;
  if (in->peer == NULL)
    return;
  in->peer->frames_received++;
  in->peer->last_media_us = g_get_monotonic_time ();
  p2p_peer_media (in->peer);
}

/* FALSE: the message stays with the caller. TRUE: it was taken, or refused with
 * the whole session. */
static gboolean
deliver (P2pInStream *in, UdtReceived *m)
{
  P2pWireFrame frame;
  gsize header_len;
  GBytes *whole, *payload;
  gboolean taken;

  if (!p2p_wire_read_frame (m->data, m->size, &frame, &header_len)) {
    g_free (m->data);
    if (in->peer != NULL)
      p2p_peer_violation (in->peer, "malformed frame header");
    return TRUE;
  }
  if (!reach_caps (in, frame.caps_version))
    return FALSE;
  whole = g_bytes_new_take (m->data, m->size);
  payload = g_bytes_new_from_bytes (whole, header_len, m->size - header_len);
  taken = tell_frame (in, payload, &frame, m);
  if (taken) {
    count_delivered (in, m);
    g_bytes_unref (payload);
    g_bytes_unref (whole);
    return TRUE;
  }
  /* Not taken and not kept: this gives the very block back. */
  g_bytes_unref (payload);
  m->data = g_bytes_unref_to_data (whole, &m->size);
  return FALSE;
}

void
p2p_in_message (P2pInStream *in, UdtReceived *m)
{
  if (in->ended) {
    g_free (m->data);
    return;
  }
  p2p_in_stream_ref (in);
  if (in->stashed || in->request == NULL || !deliver (in, m)) {
    if (in->stashed && in->keep) {
      g_queue_push_tail (&in->rest, g_memdup2 (m, sizeof *m));
    } else if (in->stashed || in->peer == NULL) {
      g_free (m->data);
    } else {
      in->stash = *m;
      in->stashed = TRUE;
      hold (in, TRUE);
    }
  } else if (in->peer != NULL) {
    check_end (in);
  }
  p2p_in_stream_unref (in);
}

/* FALSE: one frame is still not taken. */
static gboolean
deliver_stash (P2pInStream *in)
{
  gboolean leftover = in->peer == NULL;

  while (in->stashed) {
    UdtReceived m = in->stash, *next;

    /* Not there while it is with the callbacks: they may close the stream. */
    in->stashed = FALSE;
    if (!deliver (in, &m)) {
      if (in->peer == NULL && !leftover) {
        g_free (m.data);
      } else {
        in->stash = m;
        in->stashed = TRUE;
      }
      return FALSE;
    }
    next = g_queue_pop_head (&in->rest);
    if (next != NULL) {
      in->stash = *next;
      in->stashed = TRUE;
      g_free (next);
    }
  }
  return TRUE;
}

/* Its session is over; the application takes what was left of it. */
static void
retry_leftover (P2pInStream *in)
{
  P2pRequest *request = in->request;

  if (!g_ptr_array_find (request->leftovers, in, NULL) || !deliver_stash (in))
    return;
  check_end (in);
  g_ptr_array_remove (request->leftovers, in);
  tell_closed (in, !in->ended);
  p2p_in_stream_unref (in);
}

void
p2p_in_retry (P2pInStream *in)
{
  if (in->request == NULL)
    return;
  p2p_in_stream_ref (in);
  if (in->peer == NULL) {
    retry_leftover (in);
  } else {
    deliver_stash (in);
    if (in->peer != NULL && !in->stashed)
      hold (in, FALSE);
    if (in->peer != NULL)
      check_end (in);
  }
  p2p_in_stream_unref (in);
}

void
p2p_in_keep (P2pInStream *in)
{
  in->keep = TRUE;
  hold (in, FALSE);
}

void
p2p_in_gap (P2pInStream *in, guint32 count)
{
  in->missed += count;
  check_end (in);
}

void
p2p_in_end (P2pInStream *in, guint64 frames)
{
  in->end_known = TRUE;
  in->end_frames = frames;
  in->end_since = g_get_monotonic_time ();
  check_end (in);
}

/* A gap at the very end may never be told. */
void
p2p_in_tick (P2pInStream *in, gint64 now)
{
  UdtStats stats;

  if (!in->end_known || in->ended || in->stashed
      || now - in->end_since < END_PATIENCE_US)
    return;
  udt_connection_get_stats (in->peer->engine, (UdtTime)now, &stats);
  if (stats.receive_buffered > 0
      || now - in->peer->last_media_us < END_PATIENCE_US)
    return;
  in->next_id = in->end_frames;
  check_end (in);
}

void
p2p_in_close (P2pInStream *in, gboolean lost)
{
  P2pPeer *peer = in->peer;

  if (peer == NULL)
    return;
  if (in->request == NULL)
    peer->unannounced--;
  hold (in, FALSE);
  in->peer = NULL;
  g_hash_table_remove (peer->ins, GUINT_TO_POINTER ((guint)in->flow));
  if (in->keep && in->stashed && in->end_known && !in->ended) {
    /* The reference of the table becomes that of the list. */
    g_ptr_array_add (in->request->leftovers, in);
    return;
  }
  tell_closed (in, lost);
  stash_clear (in);
  p2p_in_stream_unref (in);
}

/* -- From any thread ------------------------------------------------------- */

typedef struct
{
  P2pInStream *in;
  gboolean all_headers;
  guint count;
} KeyUnit;

static void
key_unit_free (gpointer data)
{
  KeyUnit *key = data;

  p2p_in_stream_unref (key->in);
  g_free (key);
}

static void
send_key_unit (P2pEndpoint *endpoint, gpointer data)
{
  KeyUnit *key = data;
  P2pWireControl m = { 0 };

  if (key->in->peer == NULL)
    return;
  m.type = P2P_WIRE_KEY_UNIT;
  m.stream = key->in->flow;
  m.all_headers = key->all_headers;
  m.count = key->count;
  p2p_peer_send_control (key->in->peer, &m);
}

void
p2p_in_stream_request_key_unit (P2pInStream *in, gboolean all_headers,
                                guint count)
{
  KeyUnit *key = g_new (KeyUnit, 1);

  key->in = p2p_in_stream_ref (in);
  key->all_headers = all_headers;
  key->count = count;
  p2p_endpoint_post (in->endpoint, send_key_unit, key, key_unit_free);
}

static void
resume (P2pEndpoint *endpoint, gpointer data)
{
  p2p_in_retry (data);
}

void
p2p_in_stream_resume (P2pInStream *in)
{
  p2p_endpoint_post (in->endpoint, resume, p2p_in_stream_ref (in),
                     (GDestroyNotify)p2p_in_stream_unref);
}
