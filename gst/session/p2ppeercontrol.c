/* One session with one peer: control messages, and the requests they are about.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All on the network thread. Everything here comes from an authenticated peer
 * and is still limited: a peer that breaks a rule loses its session.
 */
#include "p2pendpoint-private.h"

#include <string.h>

P2pWireString
p2p_wire_text (const gchar *text)
{
  P2pWireString s = { text, text != NULL ? strlen (text) : 0 };

  return s;
}

/* -- Sending --------------------------------------------------------------- */

static void
release_bytes (void *owner)
{
  g_bytes_unref (owner);
}

static UdtStatus
send_bytes (P2pPeer *peer, GBytes *bytes)
{
  UdtMessage message = { 0 };
  gsize len;

  message.payload = g_bytes_get_data (bytes, &len);
  message.payload_len = len;
  message.owner = g_bytes_ref (bytes);
  message.release = release_bytes;
  message.flags = UDT_MESSAGE_SYNC;
  UdtStatus status
      = udt_connection_send (peer->engine, P2P_WIRE_CONTROL_FLOW, &message,
                             (UdtTime)g_get_monotonic_time ());
  if (status != UDT_OK)
    g_bytes_unref (bytes);
  return status;
}

/* FALSE: the session is as good as over. */
gboolean
p2p_peer_send_control (P2pPeer *peer, const P2pWireControl *control)
{
  guint8 text[P2P_WIRE_MAX_CONTROL];
  gsize len = p2p_wire_write_control (control, text, sizeof text);
  GBytes *bytes;
  UdtStatus status = UDT_ERR_FULL;

  if (len == 0 || peer->engine == NULL || peer->state > P2P_PEER_UP)
    return FALSE;
  bytes = g_bytes_new (text, len);
  if (g_queue_is_empty (&peer->control))
    status = send_bytes (peer, bytes);
  if (status == UDT_ERR_FULL) {
    if (g_queue_get_length (&peer->control) >= P2P_MAX_CONTROL_QUEUE) {
      g_bytes_unref (bytes);
      peer->overflow_pending = TRUE;
      return FALSE;
    }
    g_queue_push_tail (&peer->control, g_bytes_ref (bytes));
    status = UDT_OK;
  }
  g_bytes_unref (bytes);
  p2p_connection_wake (peer->connection);
  return status == UDT_OK;
}

void
p2p_peer_flush_control (P2pPeer *peer)
{
  GBytes *bytes;

  while ((bytes = g_queue_peek_head (&peer->control)) != NULL) {
    if (send_bytes (peer, bytes) == UDT_ERR_FULL)
      return;
    g_bytes_unref (g_queue_pop_head (&peer->control));
  }
}

static void
send_request_close (P2pPeer *peer, guint32 request, const gchar *reason)
{
  P2pWireControl m = { 0 };

  m.type = P2P_WIRE_REQUEST_CLOSE;
  m.request = request;
  m.text = p2p_wire_text (reason);
  p2p_peer_send_control (peer, &m);
}

/* -- Our requests ---------------------------------------------------------- */

static guint32
wire_request (P2pPeer *peer, guint32 id)
{
  return peer->role == P2P_ROLE_DEVICE ? id | P2P_DEVICE_REQUEST : id;
}

void
p2p_peer_open_request (P2pPeer *peer, P2pRequest *request)
{
  P2pWireControl m = { 0 };

  if (peer->engine == NULL || peer->state > P2P_PEER_UP)
    return;
  if (request->accepts) {
    p2p_peer_accept_offers (peer);
    return;
  }
  m.type = P2P_WIRE_REQUEST_OPEN;
  m.request = wire_request (peer, request->id);
  m.text = p2p_wire_text (request->params);
  p2p_peer_send_control (peer, &m);
}

static void
close_in_streams (P2pPeer *peer, P2pRequest *request, gboolean lost)
{
  GList *ins = g_hash_table_get_values (peer->ins);
  GList *l;

  for (l = ins; l != NULL; l = l->next)
    if (request == NULL || ((P2pInStream *)l->data)->request == request)
      p2p_in_close (l->data, lost);
  g_list_free (ins);
}

static void
close_behind_end (P2pInStream *in)
{
  if (in->end_known && !in->ended)
    in->close_owed = TRUE; /* behind the frames that are still to come */
  else
    p2p_in_close (in, FALSE);
}

void
p2p_peer_close_request (P2pPeer *peer, P2pRequest *request)
{
  if (peer->engine == NULL || peer->state > P2P_PEER_UP)
    return;
  close_in_streams (peer, request, FALSE);
  if (request->accepts)
    p2p_peer_leave_offers (peer, request);
  else
    send_request_close (peer, wire_request (peer, request->id), "");
}

/* The engine has just come to life. */
void
p2p_peer_control_start (P2pPeer *peer)
{
  UdtFlowConfig config
      = { UDT_CLASS_COMMAND, 0, UDT_ORDER_STRICT, UDT_DEADLINE_NONE };
  UdtTime now = (UdtTime)g_get_monotonic_time ();
  P2pWireControl hello = { 0 };
  guint i;

  udt_connection_open_flow (peer->engine, P2P_WIRE_CONTROL_FLOW, &config, now);
  /* What applications say to each other comes behind what we have to say. */
  config.priority = 1;
  udt_connection_open_flow (peer->engine, P2P_WIRE_COMMAND_FLOW, &config, now);
  udt_connection_open_flow (peer->engine, P2P_WIRE_REPLY_FLOW, &config, now);
  hello.type = P2P_WIRE_HELLO;
  hello.version = P2P_WIRE_VERSION;
  hello.text = p2p_wire_text ("iv-p2p");
  p2p_peer_send_control (peer, &hello);
  for (i = 0; i < peer->endpoint->requests->len; i++)
    p2p_peer_open_request (peer,
                           g_ptr_array_index (peer->endpoint->requests, i));
  for (i = 0; i < peer->endpoint->offers->len; i++)
    p2p_peer_open_offer (peer, g_ptr_array_index (peer->endpoint->offers, i));
}

static P2pRequest *
find_own_request (P2pPeer *peer, guint32 wire)
{
  guint i;

  for (i = 0; i < peer->endpoint->requests->len; i++) {
    P2pRequest *request = g_ptr_array_index (peer->endpoint->requests, i);

    if (!request->accepts && wire_request (peer, request->id) == wire)
      return request;
  }
  return NULL;
}

/* -- The peer's requests --------------------------------------------------- */

P2pRemoteRequest *
p2p_peer_find_remote_request (P2pPeer *peer, guint32 id, guint *index)
{
  guint i;

  for (i = 0; i < peer->remote_requests->len; i++) {
    P2pRemoteRequest *request = g_ptr_array_index (peer->remote_requests, i);

    if (request->id == id) {
      if (index != NULL)
        *index = i;
      return request;
    }
  }
  return NULL;
}

static void
send_ready (P2pPeer *peer, guint32 request)
{
  P2pWireControl m = { 0 };

  m.type = P2P_WIRE_REQUEST_READY;
  m.request = request;
  p2p_peer_send_control (peer, &m);
}

static void
attach_streams (P2pPeer *peer, P2pRemoteRequest *request)
{
  guint i, n = 0;

  for (i = 0; i < peer->endpoint->streams->len; i++) {
    P2pStream *stream = g_ptr_array_index (peer->endpoint->streams, i);

    if (n < P2P_MAX_STREAMS_PER_REQUEST
        && p2p_stream_matches (stream, peer, request)
        && p2p_out_open (peer, stream, request->id) != NULL)
      n++;
  }
  if (request->offer == NULL)
    send_ready (peer, request->id);
}

void
p2p_peer_add_remote_request (P2pPeer *peer, guint32 id, const gchar *params,
                             P2pOffer *offer)
{
  P2pRemoteRequest *request;

  if (p2p_peer_find_remote_request (peer, id, NULL) != NULL) {
    p2p_peer_violation (peer, "request opened twice");
    return;
  }
  if (peer->remote_requests->len >= P2P_MAX_REQUESTS_PER_PEER) {
    p2p_peer_violation (peer, "too many requests");
    return;
  }
  request = g_new0 (P2pRemoteRequest, 1);
  request->id = id;
  request->params = g_strdup (params);
  request->offer = offer != NULL ? p2p_offer_ref (offer) : NULL;
  g_ptr_array_add (peer->remote_requests, request);
  p2p_notify_request_added (peer->endpoint->notify, peer->id, id, params);
  attach_streams (peer, request);
}

static void
on_request_open (P2pPeer *peer, const P2pWireControl *m)
{
  gboolean from_device = (m->request & P2P_DEVICE_REQUEST) != 0;
  gchar *params;

  if (from_device != (peer->role == P2P_ROLE_VIEWER)) {
    p2p_peer_violation (peer, "request number of the wrong side");
    return;
  }
  if (p2p_peer_find_offer (peer, m->request) != NULL) {
    p2p_peer_violation (peer, "request opened twice");
    return;
  }
  params = g_strndup (m->text.data != NULL ? m->text.data : "", m->text.len);
  p2p_peer_add_remote_request (peer, m->request, params, NULL);
  g_free (params);
}

static void
drop_remote_request (P2pPeer *peer, guint index)
{
  P2pRemoteRequest *request = g_ptr_array_index (peer->remote_requests, index);
  guint i;

  g_ptr_array_remove_index (peer->remote_requests, index);
  for (i = peer->outs->len; i-- > 0;) {
    P2pOutStream *out = g_ptr_array_index (peer->outs, i);

    if (out->request == request->id)
      p2p_out_free (out);
  }
  p2p_notify_request_removed (peer->endpoint->notify, peer->id, request->id);
  if (request->offer != NULL)
    p2p_offer_unref (request->offer);
  g_free (request->params);
  g_free (request);
}

/* The streams of an offer are told of one by one: the peer may take the offer
 * again at once, and must know old from new. `politely`: what was unpublished
 * before and is still under way goes on. */
static void
drop_offer_request (P2pPeer *peer, guint index, gboolean politely)
{
  P2pRemoteRequest *request = g_ptr_array_index (peer->remote_requests, index);
  guint i;

  for (i = peer->outs->len; i-- > 0;) {
    P2pOutStream *out = g_ptr_array_index (peer->outs, i);

    if (out->request != request->id)
      continue;
    if (out->stream != NULL)
      p2p_out_detach (out, politely ? NULL : P2P_REASON_CLOSED);
    if (politely)
      out->request = 0;
  }
  drop_remote_request (peer, index);
}

void
p2p_peer_close_offer (P2pPeer *peer, P2pOffer *offer)
{
  guint index;

  if (peer->engine == NULL || peer->state > P2P_PEER_UP)
    return;
  if (p2p_peer_find_remote_request (peer, offer->id, &index) != NULL)
    drop_offer_request (peer, index, TRUE);
  send_request_close (peer, offer->id, "");
}

static void
on_offer_stop (P2pPeer *peer, const P2pWireControl *m)
{
  P2pRemoteRequest *request;
  guint index;

  request = p2p_peer_find_remote_request (peer, m->request, &index);
  if (request != NULL && request->offer != NULL)
    drop_offer_request (peer, index, FALSE);
}

/* What has ended is still taken in. */
static void
on_offer_close (P2pPeer *peer, P2pRemoteOffer *offer)
{
  GList *ins = g_hash_table_get_values (peer->ins);
  GList *l;

  for (l = ins; l != NULL; l = l->next) {
    P2pInStream *in = l->data;

    if (in->offer == offer->id)
      close_behind_end (in);
  }
  g_list_free (ins);
  p2p_peer_drop_offer (peer, offer);
}

static void
on_request_close (P2pPeer *peer, const P2pWireControl *m)
{
  P2pRemoteOffer *offer = p2p_peer_find_offer (peer, m->request);
  P2pRemoteRequest *request;
  guint index;
  P2pRequest *own;

  if (offer != NULL) {
    on_offer_close (peer, offer);
    return;
  }
  request = p2p_peer_find_remote_request (peer, m->request, &index);
  if (request != NULL) {
    if (request->offer != NULL)
      drop_offer_request (peer, index, FALSE);
    else
      drop_remote_request (peer, index);
    return;
  }
  own = find_own_request (peer, m->request);
  if (own != NULL)
    close_in_streams (peer, own, TRUE);
}

static void
on_request_ready (P2pPeer *peer, const P2pWireControl *m)
{
  P2pRequest *request = find_own_request (peer, m->request);

  if (request == NULL || request->callbacks.streams_complete == NULL)
    return;
  p2p_request_ref (request);
  if (p2p_guard_enter (&request->guard)) {
    request->callbacks.streams_complete (request, request->user);
    p2p_guard_leave (&request->guard);
  }
  p2p_request_unref (request);
}

/* -- The peer's streams ---------------------------------------------------- */

static P2pInStream *
find_in (P2pPeer *peer, guint16 flow)
{
  return g_hash_table_lookup (peer->ins, GUINT_TO_POINTER ((guint)flow));
}

static guint
count_in (P2pPeer *peer, P2pRequest *request, guint32 offer)
{
  GHashTableIter iter;
  gpointer in;
  guint n = 0;

  g_hash_table_iter_init (&iter, peer->ins);
  while (g_hash_table_iter_next (&iter, NULL, &in))
    n += ((P2pInStream *)in)->request == request
         && ((P2pInStream *)in)->offer == offer;
  return n;
}

/* Flows are numbered upwards; what belongs to one that was announced and has
 * gone is a late rest. */
static gboolean
is_stale (P2pPeer *peer, guint16 flow)
{
  return peer->any_in && (gint16)(flow - peer->highest_in) <= 0;
}

static void
on_stream_open (P2pPeer *peer, const P2pWireControl *m)
{
  P2pRequest *request = find_own_request (peer, m->request);
  P2pRemoteOffer *offer = p2p_peer_find_offer (peer, m->request);
  P2pInStream *in = find_in (peer, m->stream);
  gchar *name;

  if (m->stream < P2P_WIRE_FIRST_STREAM_FLOW
      || (in != NULL && in->request != NULL) || is_stale (peer, m->stream)) {
    p2p_peer_violation (peer, "stream number used twice");
    return;
  }
  peer->any_in = TRUE;
  peer->highest_in = m->stream;
  if (offer != NULL)
    request = offer->taker;
  if (request == NULL) {
    /* Just closed by us. The peer will know in a moment. */
    if (in != NULL)
      p2p_in_close (in, FALSE);
    return;
  }
  if (g_hash_table_size (peer->ins) >= P2P_MAX_IN_STREAMS
      || count_in (peer, request, offer != NULL ? offer->id : 0)
             >= P2P_MAX_STREAMS_PER_REQUEST) {
    p2p_peer_violation (peer, "too many streams");
    return;
  }
  if (in == NULL)
    in = p2p_in_unannounced (peer, m->stream);
  name = g_strndup (m->text.data, m->text.len);
  p2p_in_announce (in, request, offer, m->kind, name);
  g_free (name);
}

static void
on_stream_caps (P2pPeer *peer, const P2pWireControl *m)
{
  P2pInStream *in = find_in (peer, m->stream);
  gchar *caps;

  if (in == NULL || in->request == NULL)
    return;
  if (!p2p_wire_check_caps (m->text.data, m->text.len)) {
    p2p_peer_violation (peer, "bad caps");
    return;
  }
  caps = g_strndup (m->text.data, m->text.len);
  if (!p2p_in_caps (in, m->caps_version, caps))
    p2p_peer_violation (peer, "too many caps");
  g_free (caps);
}

static void
on_key_unit (P2pPeer *peer, const P2pWireControl *m)
{
  guint i;

  for (i = 0; i < peer->outs->len; i++) {
    P2pOutStream *out = g_ptr_array_index (peer->outs, i);

    if (out->flow.id == m->stream && out->stream != NULL)
      p2p_stream_want_key_unit (out->stream, m->all_headers);
  }
}

static void
on_stream_gone (P2pPeer *peer, const P2pWireControl *m)
{
  P2pInStream *in = find_in (peer, m->stream);

  if (in == NULL)
    return;
  if (m->type == P2P_WIRE_STREAM_END)
    p2p_in_end (in, m->frames);
  else
    close_behind_end (in);
}

/* -- Dispatch -------------------------------------------------------------- */

static void
on_control (P2pPeer *peer, const guint8 *data, gsize len)
{
  P2pWireControl m;

  if (!p2p_wire_read_control (data, len, &m)) {
    p2p_peer_violation (peer, "malformed control message");
    return;
  }
  if (!peer->hello_received && m.type != P2P_WIRE_HELLO) {
    p2p_peer_violation (peer, "no hello");
    return;
  }
  switch (m.type) {
    case P2P_WIRE_HELLO:
      peer->hello_received = TRUE;
      break;
    case P2P_WIRE_REQUEST_OPEN:
      on_request_open (peer, &m);
      break;
    case P2P_WIRE_REQUEST_CLOSE:
      on_request_close (peer, &m);
      break;
    case P2P_WIRE_REQUEST_READY:
      on_request_ready (peer, &m);
      break;
    case P2P_WIRE_STREAM_OPEN:
      on_stream_open (peer, &m);
      break;
    case P2P_WIRE_STREAM_CAPS:
      on_stream_caps (peer, &m);
      break;
    case P2P_WIRE_STREAM_END:
    case P2P_WIRE_STREAM_CLOSE:
      on_stream_gone (peer, &m);
      break;
    case P2P_WIRE_KEY_UNIT:
      on_key_unit (peer, &m);
      break;
    case P2P_WIRE_OFFER_OPEN:
      p2p_peer_on_offer_open (peer, &m);
      break;
    case P2P_WIRE_OFFER_ACCEPT:
      p2p_peer_on_offer_accept (peer, &m);
      break;
    case P2P_WIRE_OFFER_STOP:
      on_offer_stop (peer, &m);
      break;
    default:
      break; /* of a later version */
  }
}

void
p2p_peer_message (P2pPeer *peer, UdtReceived *message)
{
  P2pInStream *in;

  if (peer->state > P2P_PEER_UP) {
    g_free (message->data);
    return;
  }
  if (message->flow == P2P_WIRE_CONTROL_FLOW) {
    on_control (peer, message->data, message->size);
    g_free (message->data);
    return;
  }
  if (message->flow == P2P_WIRE_COMMAND_FLOW
      || message->flow == P2P_WIRE_REPLY_FLOW) {
    p2p_commands_message (peer->commands, message);
    return;
  }
  in = find_in (peer, message->flow);
  if (in == NULL
      && (message->flow < P2P_WIRE_FIRST_STREAM_FLOW
          || is_stale (peer, message->flow))) {
    if (message->flow < P2P_WIRE_FIRST_STREAM_FLOW)
      peer->endpoint->refused_messages++;
    g_free (message->data);
    return;
  }
  if (in == NULL) {
    if (peer->unannounced >= P2P_MAX_UNANNOUNCED) {
      g_free (message->data);
      p2p_peer_violation (peer, "too many streams not announced");
      return;
    }
    in = p2p_in_unannounced (peer, message->flow);
  }
  p2p_in_message (in, message);
}

static void
on_dropped (P2pPeer *peer, const UdtEvent *event)
{
  guint i;

  peer->frames_dropped += event->count;
  for (i = 0; i < peer->outs->len; i++) {
    P2pOutStream *out = g_ptr_array_index (peer->outs, i);

    if (out->flow.id != event->flow)
      continue;
    out->flow.dropped += event->count;
    if (event->need_sync && out->stream != NULL)
      p2p_out_lost_sync (out);
  }
}

void
p2p_peer_event (P2pPeer *peer, const UdtEvent *event)
{
  P2pInStream *in;
  guint i;

  if (peer->state > P2P_PEER_UP)
    return;
  switch (event->type) {
    case UDT_EVENT_WRITABLE:
      p2p_peer_flush_control (peer);
      p2p_commands_flush (peer->commands);
      for (i = 0; i < peer->outs->len; i++)
        p2p_out_writable (g_ptr_array_index (peer->outs, i));
      break;
    case UDT_EVENT_DROPPED:
      on_dropped (peer, event);
      break;
    case UDT_EVENT_GAP:
      peer->frames_missed += event->count;
      in = find_in (peer, event->flow);
      if (in != NULL)
        p2p_in_gap (in, event->count);
      break;
    default:
      break; /* a reset flow is closed by STREAM_CLOSE */
  }
}

void
p2p_peer_drop_streams (P2pPeer *peer, gboolean lost)
{
  while (peer->outs->len > 0)
    p2p_out_free (g_ptr_array_index (peer->outs, peer->outs->len - 1));
  close_in_streams (peer, NULL, lost);
  while (peer->remote_requests->len > 0)
    drop_remote_request (peer, peer->remote_requests->len - 1);
  while (peer->offers->len > 0)
    p2p_peer_drop_offer (peer, g_ptr_array_index (peer->offers, 0));
}
