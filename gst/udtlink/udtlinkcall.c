/* Until a connection stands: calls, tokens, handshakes, proofs.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Network thread only.
 *
 *   caller                                    listener
 *   CALL without a token            ->
 *                                   <-        RETRY with one, nothing kept
 *   CALL with it, DTLS              ->        a peer, if there is room
 *                  ... the rest of the DTLS handshake ...
 *   PROOF_CALLER                    ->        checked: the connection stands
 *                                   <-        PROOF_LISTENER, or REFUSE
 *   checked: it stands here too
 *
 * Without a key ACCEPT answers the second CALL, and the connection stands.
 *
 * The caller repeats what was not answered, the listener repeats its answer
 * when it is asked again.
 */
#include "udtlink-private.h"

#include <gio/gio.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#define REPEAT_FIRST_US (100 * 1000)
#define REPEAT_MAX_US (G_USEC_PER_SEC)

/* AES is slow without instructions for it; then ChaCha20 is used, if either end
 * has none. */
static guint8
cipher_flag (UdtLink *link)
{
  return link->config.credential != NULL
                 && p2p_aead_preferred () == P2P_AEAD_CHACHA20_POLY1305
             ? UDT_HELLO_CHACHA20
             : 0;
}

static gboolean
random_bytes (guint8 *bytes, gsize len)
{
  return RAND_bytes (bytes, (int)len) == 1;
}

static void
hello_init (UdtHello *hello, UdtHelloType type)
{
  memset (hello, 0, sizeof *hello);
  hello->type = type;
  hello->version = UDT_HELLO_VERSION;
}

static void
repeat (UdtLinkPeer *peer, const UdtHello *hello)
{
  peer->repeat = *hello;
  peer->repeat_interval = REPEAT_FIRST_US;
  peer->repeat_at = peer->link->now + REPEAT_FIRST_US;
  peer->due = MIN (peer->due, peer->repeat_at);
  udt_link_send_hello (peer->link, hello, &peer->address);
}

/* -- Proofs ---------------------------------------------------------------- */

static void
send_refusal (UdtLink *link, const UdtAddress *to, const UdtHello *call,
              UdtRefusal reason, const guint8 *binding)
{
  UdtHello hello;

  hello_init (&hello, UDT_HELLO_REFUSE);
  hello.reason = (guint8)reason;
  memcpy (hello.nonce, call->nonce, sizeof hello.nonce);
  if (binding != NULL)
    udt_auth_mac (binding, &hello, FALSE, hello.mac);
  udt_link_send_hello (link, &hello, to);
}

static void
handshake_done (UdtLinkPeer *peer)
{
  UdtLink *link = peer->link;
  UdtHello hello;

  if (!p2p_handshake_get_keys (peer->handshake, &peer->keys)) {
    udt_peer_fail (peer, "crypto", NULL);
    return;
  }
  peer->state = UDT_PEER_PROVING;
  udt_auth_bind (&peer->keys, peer->caller, &peer->call, peer->binding);
  udt_auth_mix (link->config.credential, peer->caller, &peer->keys);
  if (!peer->caller)
    return;
  g_clear_pointer (&peer->handshake, p2p_handshake_free);
  hello_init (&hello, UDT_HELLO_PROOF_CALLER);
  udt_auth_proof (link->config.credential, peer->binding, TRUE, hello.proof);
  repeat (peer, &hello);
}

static void
advance (UdtLinkPeer *peer, P2pHandshakeState state)
{
  if (state == P2P_HANDSHAKE_FAILED)
    udt_peer_fail (peer, "handshake",
                   p2p_handshake_get_error (peer->handshake));
  else if (state == P2P_HANDSHAKE_DONE && peer->state == UDT_PEER_HANDSHAKE)
    handshake_done (peer);
  peer->due = MIN (peer->due, udt_call_next_time (peer));
}

static void
on_handshake_send (const guint8 *datagram, gsize len, gpointer user)
{
  UdtLinkPeer *peer = user;
  guint8 *data = udt_socket_reserve (peer->link->socket);

  if (data == NULL)
    return;
  memcpy (data, datagram, len);
  udt_socket_commit (peer->link->socket, len, &peer->address);
}

static void
begin_handshake (UdtLinkPeer *peer)
{
  UdtLink *link = peer->link;
  GError *error = NULL;

  peer->state = UDT_PEER_HANDSHAKE;
  peer->handshake
      = p2p_handshake_new (link->identity, peer->caller, peer->peer_fingerprint,
                           on_handshake_send, peer, link->now, &error);
  if (peer->handshake == NULL)
    udt_peer_fail (peer, "crypto", error->message);
  g_clear_error (&error);
  if (peer->handshake != NULL)
    peer->due = MIN (peer->due, udt_call_next_time (peer));
}

/* -- Caller ---------------------------------------------------------------- */

static UdtLinkPeer *
called_peer (UdtLink *link)
{
  UdtLinkPeer *peer
      = link->peers->len > 0
            ? g_ptr_array_index (link->peers, link->peers->len - 1)
            : NULL;

  return peer != NULL && peer->caller ? peer : NULL;
}

static void
attempt_failed (UdtLink *link, const gchar *reason, const gchar *detail)
{
  UdtAddress nowhere;
  UdtLinkPeer *peer;

  /* Told, and tried again, in the same way as any other. */
  memset (&nowhere, 0, sizeof nowhere);
  peer = udt_peer_new (link, TRUE, &nowhere);
  g_snprintf (peer->name, sizeof peer->name, "%s:%u", link->config.host,
              link->config.port);
  udt_peer_fail (peer, reason, detail);
}

/* FALSE: no socket for this address. */
static gboolean
have_socket (UdtLink *link, const UdtAddress *remote)
{
  GError *error = NULL;
  UdtAddress any;

  if (link->socket != NULL)
    return TRUE;
  udt_address_parse (remote->any.sa_family == AF_INET6 ? "::" : "0.0.0.0", 0,
                     &any);
  link->socket = udt_socket_new (&any, &error);
  if (link->socket == NULL) {
    attempt_failed (link, "network", error->message);
    g_error_free (error);
    return FALSE;
  }
  g_mutex_lock (&link->lock);
  link->port = udt_socket_get_port (link->socket);
  g_mutex_unlock (&link->lock);
  return TRUE;
}

static gboolean
has_no_token (const UdtHello *hello)
{
  static const guint8 none[UDT_HELLO_TOKEN];

  return memcmp (hello->token, none, sizeof none) == 0;
}

static void
call (UdtLink *link, const UdtAddress *address)
{
  UdtLinkPeer *peer;
  UdtHello *hello;

  if (!have_socket (link, address))
    return;
  peer = udt_peer_new (link, TRUE, address);
  hello = &peer->call;
  hello_init (hello, UDT_HELLO_CALL);
  hello->flags = (link->config.sender ? UDT_HELLO_SENDER : 0)
                 | (link->config.credential == NULL ? UDT_HELLO_OPEN : 0)
                 | cipher_flag (link);
  memcpy (hello->instance, link->instance, sizeof hello->instance);
  if (link->identity != NULL)
    memcpy (hello->fingerprint, p2p_identity_get_fingerprint (link->identity),
            sizeof hello->fingerprint);
  if (!random_bytes (hello->nonce, sizeof hello->nonce)) {
    udt_peer_fail (peer, "crypto", "no random numbers");
    return;
  }
  udt_socket_watch_refusals (link->socket, TRUE);
  repeat (peer, hello);
}

/* It is told, once an attempt, and changes nothing: who listens a moment later
 * is found by the next repetition. Once somebody has answered, nobody needs to
 * hear of it. */
void
udt_call_check_refusal (UdtLink *link)
{
  UdtLinkPeer *peer = called_peer (link);

  if (peer == NULL || peer->state != UDT_PEER_CALLING
      || !has_no_token (&peer->call)) {
    udt_socket_watch_refusals (link->socket, FALSE);
    return;
  }
  if (!udt_socket_take_refusal (link->socket, &peer->address)
      || peer->refusal_told)
    return;
  peer->refusal_told = TRUE;
  peer->reason = "refused";
  peer->detail = g_strdup ("nobody listens there");
  udt_link_tell (link, UDT_LINK_REFUSED, peer);
  peer->reason = NULL;
  g_clear_pointer (&peer->detail, g_free);
}

void
udt_call_dial (UdtLink *link)
{
  UdtAddress address;
  gchar *error = NULL;

  if (link->resolve == NULL) {
    if (udt_address_parse (link->config.host, link->config.port, &address)) {
      call (link, &address);
      return;
    }
    link->resolve
        = udt_resolve_new (link->config.host, link->config.port, link->wake_fd);
    if (link->resolve == NULL) {
      attempt_failed (link, "name", "no thread to look up a name");
      return;
    }
  }
  if (!udt_resolve_get (link->resolve, &address, &error)) {
    /* It wakes us; in case that it hangs we look now and then. */
    link->dial_at = link->now + G_USEC_PER_SEC / 10;
    return;
  }
  g_clear_pointer (&link->resolve, udt_resolve_free);
  if (error != NULL)
    attempt_failed (link, "name", error);
  else
    call (link, &address);
  g_free (error);
}

static gboolean
is_for_call (UdtLinkPeer *peer, const UdtHello *hello)
{
  return peer != NULL
         && CRYPTO_memcmp (peer->call.nonce, hello->nonce, sizeof hello->nonce)
                == 0;
}

static void
on_retry (UdtLinkPeer *peer, const UdtHello *hello)
{
  /* One a call: whoever sees our calls can answer, but not without end. */
  if (peer->state != UDT_PEER_CALLING || !has_no_token (&peer->call))
    return;
  memcpy (peer->call.token, hello->token, sizeof hello->token);
  peer->call.flags |= hello->flags & UDT_HELLO_CHACHA20;
  memcpy (peer->peer_fingerprint, hello->fingerprint,
          sizeof peer->peer_fingerprint);
  repeat (peer, &peer->call);
  if (peer->link->config.credential != NULL)
    begin_handshake (peer);
}

static void
on_accept (UdtLinkPeer *peer, const UdtHello *hello)
{
  if (peer->state != UDT_PEER_CALLING || peer->link->config.credential != NULL)
    return;
  udt_auth_open (&peer->call, hello->own_nonce, TRUE, &peer->keys);
  udt_auth_bind (&peer->keys, TRUE, &peer->call, peer->binding);
  udt_peer_start (peer);
}

static void
on_refuse (UdtLinkPeer *peer, const UdtHello *hello)
{
  if (peer->state >= UDT_PEER_UP)
    return;
  if (hello->reason == UDT_REFUSED_KEY) {
    /* Only who did the handshake with us can say that. */
    if (peer->state != UDT_PEER_PROVING
        || !udt_auth_check_mac (peer->binding, hello, FALSE))
      return;
    /* Once it was right it may be so again. */
    peer->final = peer->link->counters.reconnects == 0;
  } else if (peer->state == UDT_PEER_PROVING
             && !udt_auth_check_mac (peer->binding, hello, FALSE)) {
    return;
  }
  udt_peer_fail (peer, udt_refusal_name (hello->reason),
                 udt_refusal_text (hello->reason));
}

static void
on_proof_of_listener (UdtLinkPeer *peer, const UdtHello *hello)
{
  if (peer == NULL || peer->state != UDT_PEER_PROVING)
    return;
  if (!udt_auth_check_proof (peer->link->config.credential, peer->binding,
                             FALSE, hello->proof)) {
    /* It did not refuse ours, so it does not know the key, but would like to
     * have us believe that. Somebody else may yet answer. */
    peer->link->counters.refused_datagrams++;
    return;
  }
  udt_peer_start (peer);
}

/* -- Listener -------------------------------------------------------------- */

static UdtLinkPeer *
find_caller (UdtLink *link, const UdtAddress *from)
{
  guint i;

  for (i = link->peers->len; i-- > 0;) {
    UdtLinkPeer *peer = g_ptr_array_index (link->peers, i);

    if (peer->state != UDT_PEER_GONE && !peer->caller
        && udt_address_equal (&peer->address, from))
      return peer;
  }
  return NULL;
}

static gboolean
same_call (const UdtHello *a, const UdtHello *b)
{
  return memcmp (a->nonce, b->nonce, sizeof a->nonce) == 0;
}

static gboolean
rate_allows (UdtLink *link)
{
  if (link->now - link->rate_us >= G_USEC_PER_SEC) {
    link->rate_us = link->now;
    link->rate_count = 0;
  }
  return link->rate_count++ < UDT_LINK_CALLS_PER_SECOND;
}

/* Room for one who has not proved anything. */
static gboolean
have_room_to_try (UdtLink *link, const UdtAddress *from)
{
  guint i, pending = 0, of_host = 0;

  for (i = 0; i < link->peers->len; i++) {
    UdtLinkPeer *peer = g_ptr_array_index (link->peers, i);

    if (peer->state >= UDT_PEER_UP)
      continue;
    pending++;
    of_host += udt_address_same_host (&peer->address, from);
  }
  return pending < UDT_LINK_MAX_PENDING
         && of_host < UDT_LINK_MAX_PENDING_OF_HOST;
}

/* Lets the caller take its place, also of an earlier connection of its own.
 * FALSE: there is none. */
static gboolean
make_place (UdtLink *link, UdtLinkPeer *newcomer)
{
  guint i, most = link->config.sender ? link->config.max_callers : 1;
  guint up = 0;

  for (i = 0; i < link->peers->len; i++) {
    UdtLinkPeer *peer = g_ptr_array_index (link->peers, i);

    if (peer == newcomer || peer->state != UDT_PEER_UP)
      continue;
    if (memcmp (peer->call.instance, newcomer->call.instance,
                sizeof peer->call.instance)
            == 0
        || udt_address_equal (&peer->address, &newcomer->address)) {
      udt_peer_fail (peer, "replaced", NULL);
    } else if (!link->config.sender
               && link->now - peer->last_received >= UDT_LINK_SILENCE_US) {
      udt_peer_close (peer, "replaced", 0);
    } else {
      up++;
    }
  }
  return up < most && !(link->ended && !link->config.sender);
}

static void
refuse (UdtLinkPeer *peer, UdtRefusal reason)
{
  send_refusal (peer->link, &peer->address, &peer->call, reason,
                peer->state == UDT_PEER_PROVING ? peer->binding : NULL);
  udt_peer_fail (peer, udt_refusal_name (reason), udt_refusal_text (reason));
}

static void
accept_open (UdtLinkPeer *peer)
{
  UdtHello hello;

  hello_init (&hello, UDT_HELLO_ACCEPT);
  memcpy (hello.nonce, peer->call.nonce, sizeof hello.nonce);
  if (!random_bytes (hello.own_nonce, sizeof hello.own_nonce)) {
    udt_peer_fail (peer, "crypto", NULL);
    return;
  }
  if (!make_place (peer->link, peer)) {
    refuse (peer, UDT_REFUSED_BUSY);
    return;
  }
  udt_auth_open (&peer->call, hello.own_nonce, FALSE, &peer->keys);
  udt_auth_bind (&peer->keys, FALSE, &peer->call, peer->binding);
  peer->repeat = hello;
  if (udt_peer_start (peer))
    udt_link_send_hello (peer->link, &hello, &peer->address);
}

static void
take_caller (UdtLink *link, const UdtHello *hello, const UdtAddress *from)
{
  UdtLinkPeer *peer = find_caller (link, from);

  if (peer != NULL && same_call (&peer->call, hello)) {
    /* Our answer was lost. */
    if (peer->repeat.type == UDT_HELLO_ACCEPT)
      udt_link_send_hello (link, &peer->repeat, from);
    return;
  }
  if (peer != NULL && peer->state < UDT_PEER_UP)
    udt_peer_fail (peer, "replaced", NULL);
  if (!rate_allows (link) || !have_room_to_try (link, from))
    return;
  link->counters.calls++;
  peer = udt_peer_new (link, FALSE, from);
  peer->call = *hello;
  memset (peer->call.token, 0, sizeof peer->call.token);
  memcpy (peer->peer_fingerprint, hello->fingerprint,
          sizeof peer->peer_fingerprint);
  if (link->config.credential == NULL)
    accept_open (peer);
  else
    begin_handshake (peer);
}

static void
on_call (UdtLink *link, const UdtHello *hello, const UdtAddress *from)
{
  gboolean open = (hello->flags & UDT_HELLO_OPEN) != 0;
  gboolean sends = (hello->flags & UDT_HELLO_SENDER) != 0;
  UdtHello retry;

  if (hello->version != UDT_HELLO_VERSION) {
    send_refusal (link, from, hello, UDT_REFUSED_VERSION, NULL);
  } else if (open != (link->config.credential == NULL)) {
    send_refusal (link, from, hello, UDT_REFUSED_OPEN, NULL);
  } else if (sends == link->config.sender) {
    send_refusal (link, from, hello, UDT_REFUSED_ROLE, NULL);
  } else if (!has_no_token (hello)
             && udt_tokens_check (&link->tokens, from, hello, link->now)) {
    take_caller (link, hello, from);
  } else {
    hello_init (&retry, UDT_HELLO_RETRY);
    retry.flags = cipher_flag (link);
    memcpy (retry.nonce, hello->nonce, sizeof retry.nonce);
    if (link->identity != NULL)
      memcpy (retry.fingerprint, p2p_identity_get_fingerprint (link->identity),
              sizeof retry.fingerprint);
    udt_tokens_make (&link->tokens, from, hello, link->now, retry.token);
    udt_link_send_hello (link, &retry, from);
  }
}

static void
on_proof_of_caller (UdtLink *link, UdtLinkPeer *peer, const UdtHello *hello)
{
  UdtHello answer;

  if (peer == NULL)
    return;
  if (peer->state == UDT_PEER_UP
      && peer->repeat.type == UDT_HELLO_PROOF_LISTENER) {
    udt_link_send_hello (link, &peer->repeat, &peer->address);
    return;
  }
  if (peer->state != UDT_PEER_PROVING)
    return;
  if (!udt_auth_check_proof (link->config.credential, peer->binding, TRUE,
                             hello->proof)) {
    refuse (peer, UDT_REFUSED_KEY);
    return;
  }
  if (!make_place (link, peer)) {
    refuse (peer, UDT_REFUSED_BUSY);
    return;
  }
  hello_init (&answer, UDT_HELLO_PROOF_LISTENER);
  udt_auth_proof (link->config.credential, peer->binding, FALSE, answer.proof);
  g_clear_pointer (&peer->handshake, p2p_handshake_free);
  peer->repeat = answer;
  if (udt_peer_start (peer))
    udt_link_send_hello (link, &answer, &peer->address);
}

/* -- Datagrams ------------------------------------------------------------- */

static void
on_answer_to_call (UdtLinkPeer *peer, const UdtHello *hello)
{
  if (!is_for_call (peer, hello)) {
    if (peer != NULL)
      peer->link->counters.refused_datagrams++;
    return;
  }
  switch (hello->type) {
    case UDT_HELLO_RETRY:
      on_retry (peer, hello);
      break;
    case UDT_HELLO_ACCEPT:
      on_accept (peer, hello);
      break;
    default:
      on_refuse (peer, hello);
      break;
  }
}

static void
on_path (UdtLink *link, const UdtHello *hello, const UdtAddress *from)
{
  UdtLinkPeer *peer
      = g_hash_table_lookup (link->by_id, GUINT_TO_POINTER (hello->id));

  if (peer != NULL)
    udt_peer_path (peer, hello, from);
  else
    link->counters.refused_datagrams++;
}

void
udt_call_input (UdtLink *link, const guint8 *data, gsize len,
                const UdtAddress *from)
{
  UdtHello hello;

  if (link->stopping)
    return;
  if (!udt_hello_read (data, len, &hello)) {
    link->counters.refused_datagrams++;
    return;
  }
  switch (hello.type) {
    case UDT_HELLO_PROBE:
    case UDT_HELLO_ANSWER:
      on_path (link, &hello, from);
      break;
    case UDT_HELLO_CALL:
      if (link->config.listener)
        on_call (link, &hello, from);
      break;
    case UDT_HELLO_PROOF_CALLER:
      if (link->config.listener)
        on_proof_of_caller (link, find_caller (link, from), &hello);
      break;
    case UDT_HELLO_PROOF_LISTENER:
      if (!link->config.listener)
        on_proof_of_listener (called_peer (link), &hello);
      break;
    default:
      if (!link->config.listener)
        on_answer_to_call (called_peer (link), &hello);
      break;
  }
}

void
udt_call_handshake_input (UdtLink *link, const guint8 *data, gsize len,
                          const UdtAddress *from)
{
  UdtLinkPeer *peer
      = link->config.listener ? find_caller (link, from) : called_peer (link);

  if (peer == NULL || peer->handshake == NULL) {
    link->counters.refused_datagrams++;
    return;
  }
  /* The listener knows the token: the call need not be repeated. */
  if (peer->repeat.type == UDT_HELLO_CALL)
    peer->repeat.type = 0;
  advance (peer, p2p_handshake_input (peer->handshake, data, len, link->now));
}

void
udt_call_early (UdtLink *link, const guint8 *data, gsize len, guint32 id)
{
  UdtLinkPeer *peer = link->config.listener ? NULL : called_peer (link);

  if (peer != NULL && peer->state == UDT_PEER_PROVING
      && peer->keys.receive_id == id && peer->n_early < UDT_LINK_MAX_EARLY)
    peer->early[peer->n_early++] = g_bytes_new (data, len);
  else
    link->counters.refused_datagrams++;
}

/* -- Time ------------------------------------------------------------------ */

gint64
udt_call_next_time (UdtLinkPeer *peer)
{
  gint64 next = peer->since_us + UDT_LINK_ATTEMPT_US;

  if (peer->handshake != NULL)
    next = MIN (next, p2p_handshake_next_time (peer->handshake));
  if (peer->repeat.type != 0)
    next = MIN (next, peer->repeat_at);
  return next;
}

static const gchar *
why_no_answer (UdtLinkPeer *peer)
{
  if (!peer->caller)
    return "the caller did not go on";
  return peer->state == UDT_PEER_CALLING ? "nobody answers there"
                                         : "the listener did not go on";
}

void
udt_call_work (UdtLinkPeer *peer)
{
  gint64 now = peer->link->now;

  if (now >= peer->since_us + UDT_LINK_ATTEMPT_US) {
    udt_peer_fail (peer, "no-answer", why_no_answer (peer));
    return;
  }
  if (peer->handshake != NULL
      && p2p_handshake_next_time (peer->handshake) <= now)
    advance (peer, p2p_handshake_tick (peer->handshake, now));
  if (peer->state < UDT_PEER_UP && peer->repeat.type != 0
      && now >= peer->repeat_at) {
    udt_link_send_hello (peer->link, &peer->repeat, &peer->address);
    peer->repeat_interval = MIN (2 * peer->repeat_interval, REPEAT_MAX_US);
    peer->repeat_at = now + peer->repeat_interval;
  }
  if (peer->state < UDT_PEER_UP)
    peer->due = MIN (peer->due, udt_call_next_time (peer));
}
