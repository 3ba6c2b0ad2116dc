/* One connection: the engine, what seals its packets, and where they go.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Network thread only.
 *
 * A packet finds its connection by the id in it, whatever address it came from.
 * When authentic ones come from another address (a NAT forgot us, or the peer
 * changed networks) that address is asked to answer a probe, which only the
 * peer can, before anything else is sent there: a packet that somebody caught
 * and sent on from elsewhere moves nothing.
 */
#include "udtlink-private.h"
#include "p2pborrow.h"

#include <string.h>
#include <openssl/rand.h>

/* Of one round, so that peers take turns. */
#define OUTPUT_BUDGET 64
#define MESSAGE_BUDGET 64
#define EVENT_BUDGET 64
#define PROBE_US (200 * 1000)
/* One stream may have half of it under way, as in a session. */
/* Two of the largest frames; payload is referenced, not copied, where it is
 * sent from. */
#define SEND_LIMIT (2 * UDT_MAX_MESSAGE)
#define RECEIVE_LIMIT (2 * UDT_MAX_MESSAGE)
/* No stream comes to who sends one. */
#define SENDER_RECEIVE_LIMIT (1024 * 1024)
#define LABEL "iv-p2p"

P2pWireString
udt_wire_text (const gchar *text)
{
  P2pWireString string = { text, strlen (text) };

  return string;
}

/* -- Sealing --------------------------------------------------------------- */

static bool
env_seal (void *user, uint64_t number, const uint8_t *aad, size_t aad_len,
          uint8_t *data, size_t len)
{
  UdtLinkPeer *peer = user;

  if (peer->record != NULL)
    return p2p_record_seal (peer->record, number, aad, aad_len, data, len);
  return udt_checksum_make (&peer->sums[0], number, aad, aad_len, data, len,
                            data + len);
}

static bool
env_open (void *user, uint64_t number, const uint8_t *aad, size_t aad_len,
          uint8_t *data, size_t len)
{
  UdtLinkPeer *peer = user;
  uint8_t tag[UDT_CHECKSUM_SIZE];

  if (peer->record != NULL)
    return p2p_record_open (peer->record, number, aad, aad_len, data, len);
  return len >= sizeof tag
         && udt_checksum_make (&peer->sums[1], number, aad, aad_len, data,
                               len - sizeof tag, tag)
         && memcmp (tag, data + len - sizeof tag, sizeof tag) == 0;
}

/* -- Birth and death ------------------------------------------------------- */

void
udt_peer_set_address (UdtLinkPeer *peer, const UdtAddress *address)
{
  peer->address = *address;
  udt_address_text (address, peer->name, sizeof peer->name);
}

UdtLinkPeer *
udt_peer_new (UdtLink *link, gboolean caller, const UdtAddress *address)
{
  UdtLinkPeer *peer = g_new0 (UdtLinkPeer, 1);

  peer->link = link;
  peer->caller = caller;
  peer->state = UDT_PEER_CALLING;
  peer->since_us = link->now;
  peer->due = link->now + UDT_LINK_ATTEMPT_US;
  udt_peer_set_address (peer, address);
  g_queue_init (&peer->control);
  g_queue_init (&peer->caps);
  g_queue_init (&peer->stash);
  g_ptr_array_add (link->peers, peer);
  return peer;
}

static void
bytes_unref (gpointer bytes)
{
  g_bytes_unref (bytes);
}

void
udt_peer_free (UdtLinkPeer *peer)
{
  udt_out_clear (peer);
  /* Frames under way are released by this. */
  udt_connection_free (peer->conn);
  if (peer->record != NULL)
    p2p_record_free (peer->record);
  if (peer->handshake != NULL)
    p2p_handshake_free (peer->handshake);
  while (peer->n_early > 0)
    g_bytes_unref (peer->early[--peer->n_early]);
  g_queue_clear_full (&peer->control, bytes_unref);
  p2p_session_keys_clear (&peer->keys);
  g_free (peer->sums);
  g_free (peer->detail);
  g_free (peer);
}

void
udt_peer_fail (UdtLinkPeer *peer, const gchar *reason, const gchar *detail)
{
  if (peer->state == UDT_PEER_GONE)
    return;
  peer->state = UDT_PEER_GONE;
  peer->due = G_MAXINT64;
  peer->reason = reason;
  g_free (peer->detail);
  peer->detail = g_strdup (detail);
}

void
udt_peer_close (UdtLinkPeer *peer, const gchar *reason, guint drain_ms)
{
  if (peer->state != UDT_PEER_UP)
    return;
  peer->state = UDT_PEER_CLOSING;
  peer->reason = reason;
  peer->due = 0;
  udt_connection_close (peer->conn, 0, reason, (UdtTime)drain_ms * 1000,
                        (UdtTime)peer->link->now);
}

static gboolean
make_seal (UdtLinkPeer *peer)
{
  if (peer->link->config.credential != NULL) {
    peer->record
        = p2p_record_new (&peer->keys, peer->call.flags & UDT_HELLO_CHACHA20
                                           ? P2P_AEAD_CHACHA20_POLY1305
                                           : P2P_AEAD_AES_128_GCM);
    return peer->record != NULL;
  }
  peer->sums = g_new (UdtChecksum, 2);
  udt_checksum_init (&peer->sums[0], peer->keys.send_secret);
  udt_checksum_init (&peer->sums[1], peer->keys.receive_secret);
  return TRUE;
}

static void
make_engine (UdtLinkPeer *peer)
{
  const UdtLinkConfig *settings = &peer->link->config;
  UdtConfig config;
  UdtEnv env;

  p2p_borrow_env (&env, peer);
  env.seal = env_seal;
  env.open = env_open;
  udt_config_init (&config);
  config.local_id = peer->local_id;
  config.remote_id = peer->remote_id;
  config.latency = (UdtTime)settings->latency_ms * 1000;
  config.send_limit = SEND_LIMIT;
  config.receive_limit
      = settings->sender ? SENDER_RECEIVE_LIMIT : RECEIVE_LIMIT;
  config.max_message = UDT_MAX_MESSAGE;
  config.keep_alive_interval
      = (UdtTime)settings->keep_alive_interval_s * G_USEC_PER_SEC;
  config.keep_alive_attempts = settings->keep_alive_attempts;
  peer->conn = udt_connection_new (&config, &env, (UdtTime)peer->link->now);
}

static void
begin_control (UdtLinkPeer *peer)
{
  UdtFlowConfig config
      = { UDT_CLASS_COMMAND, 0, UDT_ORDER_STRICT, UDT_DEADLINE_NONE };
  P2pWireControl hello = { 0 };

  udt_connection_open_flow (peer->conn, P2P_WIRE_CONTROL_FLOW, &config,
                            (UdtTime)peer->link->now);
  hello.type = P2P_WIRE_HELLO;
  hello.version = P2P_WIRE_VERSION;
  hello.text = udt_wire_text (LABEL);
  udt_peer_send_control (peer, &hello);
}

static void
take_early (UdtLinkPeer *peer)
{
  guint i;

  for (i = 0; i < peer->n_early; i++) {
    gsize len;
    guint8 *data = g_bytes_unref_to_data (peer->early[i], &len);

    udt_peer_input (peer, data, len, &peer->address);
    g_free (data);
  }
  peer->n_early = 0;
}

gboolean
udt_peer_start (UdtLinkPeer *peer)
{
  UdtLink *link = peer->link;
  gboolean sealed;

  peer->local_id = peer->keys.receive_id;
  peer->remote_id = peer->keys.send_id;
  sealed = make_seal (peer);
  p2p_session_keys_clear (&peer->keys);
  if (sealed
      && !g_hash_table_contains (link->by_id,
                                 GUINT_TO_POINTER (peer->local_id)))
    make_engine (peer);
  if (peer->conn == NULL) {
    udt_peer_fail (peer, "resources", "out of memory");
    return FALSE;
  }
  g_hash_table_insert (link->by_id, GUINT_TO_POINTER (peer->local_id), peer);
  peer->state = UDT_PEER_UP;
  peer->connected_us = peer->last_received = link->now;
  peer->due = 0;
  if (peer->caller) {
    peer->repeat.type = 0;
    link->attempts = 0;
  }
  begin_control (peer);
  if (link->config.sender)
    udt_out_open (peer);
  else
    link->source = peer;
  udt_link_tell (link, UDT_LINK_CONNECTED, peer);
  take_early (peer);
  return TRUE;
}

/* -- Control messages ------------------------------------------------------ */

static gboolean
submit_control (UdtLinkPeer *peer, GBytes *bytes)
{
  UdtMessage message = { 0 };
  gsize len;

  message.payload = g_bytes_get_data (bytes, &len);
  message.payload_len = len;
  message.owner = bytes;
  message.release = bytes_unref;
  message.flags = UDT_MESSAGE_SYNC;
  return udt_connection_send (peer->conn, P2P_WIRE_CONTROL_FLOW, &message,
                              (UdtTime)peer->link->now)
         == UDT_OK;
}

static void
flush_control (UdtLinkPeer *peer)
{
  GBytes *bytes;

  while ((bytes = g_queue_peek_head (&peer->control)) != NULL
         && submit_control (peer, bytes))
    g_queue_pop_head (&peer->control);
}

void
udt_peer_send_control (UdtLinkPeer *peer, const P2pWireControl *message)
{
  guint8 data[P2P_WIRE_MAX_CONTROL];
  gsize len = p2p_wire_write_control (message, data, sizeof data);

  g_return_if_fail (len > 0);
  if (peer->conn == NULL || peer->state != UDT_PEER_UP)
    return;
  if (g_queue_get_length (&peer->control) >= UDT_LINK_MAX_CONTROL) {
    udt_peer_close (peer, "control", 0);
    return;
  }
  g_queue_push_tail (&peer->control, g_bytes_new (data, len));
  flush_control (peer);
  peer->due = 0;
}

static void
on_control (UdtLinkPeer *peer, UdtReceived *received)
{
  P2pWireControl message;
  gboolean ok
      = p2p_wire_read_control (received->data, received->size, &message);

  /* The first word is who speaks. */
  if (ok && !peer->hello_received) {
    ok = message.type == P2P_WIRE_HELLO;
    peer->hello_received = TRUE;
  }
  if (!ok) {
    udt_peer_close (peer, "protocol-error", 0);
  } else if (message.type == P2P_WIRE_KEY_UNIT) {
    if (peer->link->config.sender && message.stream == UDT_LINK_STREAM)
      udt_out_want_key_unit (peer->link, message.all_headers);
  } else if (!peer->link->config.sender) {
    udt_in_control (peer, &message);
  }
  g_free (received->data);
}

/* -- Paths ----------------------------------------------------------------- */

static void
send_probe (UdtLinkPeer *peer)
{
  UdtHello hello = { .type = UDT_HELLO_PROBE, .version = UDT_HELLO_VERSION };

  peer->probe_us = peer->link->now;
  if (RAND_bytes (peer->probe_nonce, sizeof peer->probe_nonce) != 1)
    return;
  hello.id = peer->remote_id;
  memcpy (hello.nonce, peer->probe_nonce, sizeof hello.nonce);
  udt_auth_mac (peer->binding, &hello, peer->caller, hello.mac);
  udt_link_send_hello (peer->link, &hello, &peer->other);
}

/* An authentic packet came from elsewhere. */
static void
consider_address (UdtLinkPeer *peer, const UdtAddress *from)
{
  if (peer->probe_us != 0 && peer->link->now - peer->probe_us < PROBE_US)
    return;
  peer->other = *from;
  send_probe (peer);
}

void
udt_peer_path (UdtLinkPeer *peer, const UdtHello *hello, const UdtAddress *from)
{
  UdtHello answer = *hello;

  if (peer->state != UDT_PEER_UP
      || !udt_auth_check_mac (peer->binding, hello, !peer->caller)) {
    peer->link->counters.refused_datagrams++;
    return;
  }
  if (hello->type == UDT_HELLO_PROBE) {
    answer.type = UDT_HELLO_ANSWER;
    answer.id = peer->remote_id;
    udt_auth_mac (peer->binding, &answer, peer->caller, answer.mac);
    udt_link_send_hello (peer->link, &answer, from);
    return;
  }
  if (peer->probe_us == 0 || !udt_address_equal (from, &peer->other)
      || memcmp (hello->nonce, peer->probe_nonce, sizeof peer->probe_nonce)
             != 0)
    return;
  peer->probe_us = 0;
  udt_peer_set_address (peer, from);
  udt_connection_path_changed (peer->conn, 0, (UdtTime)peer->link->now);
  peer->due = 0;
}

/* -- Input and output ------------------------------------------------------ */

void
udt_peer_input (UdtLinkPeer *peer, guint8 *data, gsize len,
                const UdtAddress *from)
{
  UdtLink *link = peer->link;

  if (peer->conn == NULL || peer->state == UDT_PEER_GONE)
    return;
  if (udt_connection_input (peer->conn, data, len, (UdtTime)link->now)
      != UDT_OK)
    return;
  peer->last_received = link->now;
  peer->due = 0;
  if (peer->repeat.type != 0)
    peer->repeat.type = 0; /* it has our answer */
  if (udt_address_equal (from, &peer->address))
    peer->address.called = from->called;
  else
    consider_address (peer, from);
}

static void
on_message (UdtLinkPeer *peer, UdtReceived *message)
{
  if (message->flow == P2P_WIRE_CONTROL_FLOW)
    on_control (peer, message);
  else if (peer->link->config.sender)
    g_free (message->data);
  else
    udt_in_message (peer, message);
}

/* FALSE: there may be more. */
static gboolean
take_messages (UdtLinkPeer *peer, guint budget)
{
  UdtReceived message;

  while (budget-- > 0) {
    if (udt_connection_receive (peer->conn, &message, (UdtTime)peer->link->now)
        != UDT_OK)
      return TRUE;
    on_message (peer, &message);
  }
  return FALSE;
}

static void
on_finished (UdtLinkPeer *peer, const UdtEvent *event)
{
  if (event->type == UDT_EVENT_DEAD) {
    udt_peer_fail (peer, "peer-gone", "the peer no longer answers");
    return;
  }
  if (event->by_peer) {
    /* A goodbye comes behind all that was sent before it and acknowledged. */
    udt_in_keep (peer);
    take_messages (peer, G_MAXUINT);
  }
  udt_peer_fail (peer, peer->reason != NULL ? peer->reason : "closed",
                 event->by_peer && event->reason[0] != '\0' ? event->reason
                                                            : NULL);
}

static void
on_event (UdtLinkPeer *peer, const UdtEvent *event)
{
  switch (event->type) {
    case UDT_EVENT_WRITABLE:
      flush_control (peer);
      udt_out_writable (peer);
      break;
    case UDT_EVENT_DROPPED:
      peer->out.dropped += event->count;
      if (peer->link->config.sender && event->need_sync)
        udt_out_lost_sync (peer);
      break;
    case UDT_EVENT_GAP:
      if (!peer->link->config.sender)
        udt_in_gap (peer, event->flow, event->count);
      break;
    case UDT_EVENT_CLOSED:
    case UDT_EVENT_DEAD:
      on_finished (peer, event);
      break;
    default:
      break;
  }
}

static gboolean
take_events (UdtLinkPeer *peer)
{
  guint budget = EVENT_BUDGET;
  UdtEvent event;

  while (budget-- > 0 && peer->state != UDT_PEER_GONE) {
    if (udt_connection_event (peer->conn, &event) != UDT_OK)
      return TRUE;
    on_event (peer, &event);
  }
  return FALSE;
}

/* FALSE: there is more to send, now. */
static gboolean
output (UdtLinkPeer *peer)
{
  UdtSocket *socket = peer->link->socket;
  guint budget = OUTPUT_BUDGET;

  while (budget-- > 0) {
    guint8 *data = udt_socket_reserve (socket);
    gsize len;

    /* The socket's becoming writable wakes us. */
    if (data == NULL)
      return FALSE;
    len = udt_connection_output (peer->conn, data, UDT_SOCKET_MAX,
                                 (UdtTime)peer->link->now);
    if (len == 0)
      return TRUE;
    udt_socket_commit (socket, len, &peer->address);
  }
  return FALSE;
}

void
udt_peer_work (UdtLinkPeer *peer)
{
  UdtLink *link = peer->link;
  gboolean idle = TRUE;
  UdtTime next;

  udt_connection_tick (peer->conn, (UdtTime)link->now);
  idle &= take_messages (peer, MESSAGE_BUDGET);
  idle &= take_events (peer);
  if (peer->state == UDT_PEER_GONE)
    return;
  udt_out_listen (peer);
  if (link->config.sender
      && (!g_queue_is_empty (&peer->out.pending) || peer->end_owed))
    udt_out_writable (peer);
  if (!output (peer)) {
    /* Blocked: not before the socket says so, or a moment has passed. */
    peer->due = udt_socket_is_blocked (link->socket) ? link->now + 1000 : 0;
    return;
  }
  next = udt_connection_next_time (peer->conn);
  peer->due = !idle                         ? 0
              : next >= (UdtTime)G_MAXINT64 ? G_MAXINT64
                                            : (gint64)next;
  if (!link->config.sender)
    peer->due = MIN (peer->due, udt_in_tick (peer));
}
