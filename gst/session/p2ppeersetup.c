/* One session with one peer: offers and answers, and the paths they make.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All on the network thread.
 *
 * The viewer offers, the device answers; each offer is a generation of the
 * path. The first makes the session. A later one makes a new path for the same
 * keys, because the old one died (then whoever can use the new one first does),
 * or because it goes through a relay (then the viewer moves if the new one is
 * better, and the device follows the first authentic packet that comes on it).
 */
#include "p2pendpoint-private.h"

#include <string.h>

#define BYE_PATIENCE_US (2 * P2P_CLOSE_MS * 1000)
#define OLD_PATH_US (3 * G_USEC_PER_SEC)
#define NEXT_PATH_TIMEOUT_US (10 * G_USEC_PER_SEC)
/* A new path that comes up relayed may find a direct pair a little later. */
#define DIRECT_PATIENCE_US (3 * G_USEC_PER_SEC)
#define RETRY_FIRST_US (15 * G_USEC_PER_SEC)
#define RETRY_MAX_US (10 * 60 * G_USEC_PER_SEC)
#define RESTART_INTERVAL_US (3 * G_USEC_PER_SEC)
#define RELAY_MAX_MTU 1400 /* a relay adds up to 36 bytes */

gboolean
p2p_remote_is_loopback (const gchar *remote)
{
  return g_str_has_prefix (remote, "127.") || g_str_has_prefix (remote, "::1")
         || g_str_has_prefix (remote, "[::1]")
         || g_str_has_prefix (remote, "[::ffff:127.")
         || g_str_has_prefix (remote, "::ffff:127.");
}

/* -- Sending --------------------------------------------------------------- */

static void
send_message (P2pPeer *peer, P2pMessage *message)
{
  gchar *text;

  if (peer->channel == NULL || !peer->channel_open)
    return;
  g_strlcpy (message->session, peer->session, sizeof message->session);
  text = p2p_message_write (message);
  p2p_channel_send (peer->channel, text);
  g_free (text);
}

void
p2p_peer_send_bye (P2pPeer *peer, const gchar *reason)
{
  P2pMessage *bye = g_new0 (P2pMessage, 1);

  bye->type = P2P_MESSAGE_BYE;
  bye->generation = peer->generation;
  g_strlcpy (bye->reason, reason, sizeof bye->reason);
  send_message (peer, bye);
  g_free (bye);
}

void
p2p_peer_ask_restart (P2pPeer *peer)
{
  P2pMessage *m = g_new0 (P2pMessage, 1);

  m->type = P2P_MESSAGE_RESTART;
  m->generation = peer->generation;
  send_message (peer, m);
  g_free (m);
}

static P2pPath *
newest_path (P2pPeer *peer)
{
  return peer->next_path != NULL ? peer->next_path : peer->path;
}

static guint
newest_generation (P2pPeer *peer)
{
  return peer->next_path != NULL ? peer->next_generation : peer->generation;
}

/* Notes what the path has found; the copy answers repeated offers. */
static guint
collect_candidates (P2pPeer *peer, P2pCandidate *out, gboolean *complete)
{
  guint n = p2p_path_take_candidates (newest_path (peer), out,
                                      P2P_MESSAGE_MAX_CANDIDATES, complete);

  n = MIN (n, P2P_MESSAGE_MAX_CANDIDATES - peer->local_candidates->len);
  if (n > 0)
    g_array_append_vals (peer->local_candidates, out, n);
  peer->local_complete = *complete;
  return n;
}

/* Our offer or answer, with every candidate known so far. */
static void
send_description (P2pPeer *peer)
{
  P2pMessage *m = g_new0 (P2pMessage, 1);
  P2pCandidate fresh[P2P_MESSAGE_MAX_CANDIDATES];
  gboolean complete;

  collect_candidates (peer, fresh, &complete);
  m->type
      = peer->role == P2P_ROLE_VIEWER ? P2P_MESSAGE_OFFER : P2P_MESSAGE_ANSWER;
  m->generation = newest_generation (peer);
  if (peer->role == P2P_ROLE_VIEWER) {
    m->preferred = p2p_aead_preferred ();
    m->aeads = 1u << P2P_AEAD_AES_128_GCM | 1u << P2P_AEAD_CHACHA20_POLY1305;
    g_strlcpy (m->previous, peer->endpoint->previous, sizeof m->previous);
  } else {
    m->preferred = peer->aead;
    m->aeads = 1u << peer->aead;
  }
  memcpy (m->fingerprint,
          p2p_identity_get_fingerprint (peer->endpoint->identity),
          P2P_FINGERPRINT_BYTES);
  p2p_path_get_credentials (newest_path (peer), m->ufrag, m->pwd);
  m->n_candidates = peer->local_candidates->len;
  if (m->n_candidates > 0)
    memcpy (m->candidates, peer->local_candidates->data,
            m->n_candidates * sizeof (P2pCandidate));
  m->complete = peer->local_complete;
  peer->described = TRUE;
  send_message (peer, m);
  g_free (m);
}

static void
first_path_failed (P2pPeer *peer)
{
  const gchar *detail, *reason = p2p_path_get_blame (peer->path, &detail);

  p2p_peer_step (peer, peer->saw_punch ? P2P_STEP_TRANSPORT : P2P_STEP_PUNCH,
                 reason, detail);
  p2p_peer_close (peer, reason, FALSE);
}

static void
on_relay_answered (gboolean trusted, const gchar *answer, gpointer user)
{
  P2pEndpoint *endpoint = user;
  gchar *server = p2p_ice_servers_dup_relay_name (endpoint->servers);

  /* Its address may only be late. */
  endpoint->relay_told = !trusted || endpoint->relay_missing;
  if (endpoint->relay_told)
    p2p_notify_relay_missing (endpoint->notify, server, answer);
  g_free (server);
  g_clear_pointer (&endpoint->relay_probe, p2p_relay_probe_free);
}

/* While another way works nobody would notice that there is none to fall back
 * on. */
static void
watch_relay (P2pEndpoint *endpoint, P2pPath *path)
{
  P2pPathRelay relay = p2p_path_get_relay (path);

  if (relay == P2P_PATH_RELAY_THERE)
    endpoint->relay_told = endpoint->relay_missing = FALSE;
  if (relay == P2P_PATH_RELAY_MISSING)
    endpoint->relay_missing = TRUE;
  if ((relay == P2P_PATH_RELAY_LATE || relay == P2P_PATH_RELAY_MISSING)
      && !endpoint->relay_told && endpoint->relay_probe == NULL
      && !endpoint->stopping)
    endpoint->relay_probe
        = p2p_relay_probe_new (endpoint->servers, endpoint->context,
                               on_relay_answered, endpoint);
}

/* -- The path's callbacks -------------------------------------------------- */

static void
on_candidates (P2pPath *path, gpointer user)
{
  P2pPeer *peer = user;
  P2pMessage *m;

  watch_relay (peer->endpoint, path);
  if (path != newest_path (peer) || !peer->described)
    return;
  m = g_new0 (P2pMessage, 1);
  m->n_candidates = collect_candidates (peer, m->candidates, &m->complete);
  if (peer->local_complete && peer->local_candidates->len == 0
      && path == peer->path && peer->state == P2P_PEER_SETUP) {
    /* Only a relay would do, and it gave nothing. */
    g_free (m);
    first_path_failed (peer);
    return;
  }
  m->type = m->n_candidates > 0 ? P2P_MESSAGE_CANDIDATES
                                : P2P_MESSAGE_END_OF_CANDIDATES;
  m->generation = newest_generation (peer);
  if (m->n_candidates > 0 || m->complete)
    send_message (peer, m);
  g_free (m);
}

static void
schedule_retry (P2pPeer *peer)
{
  gint64 wait = RETRY_FIRST_US;
  guint i;

  for (i = 0; i < peer->retries && wait < RETRY_MAX_US; i++)
    wait *= 2;
  peer->retries++;
  peer->retry_at = g_get_monotonic_time () + MIN (wait, RETRY_MAX_US);
}

static void
tell_path (P2pPeer *peer)
{
  gboolean relayed = p2p_path_is_relayed (peer->path);

  if (!peer->saw_punch || relayed != peer->relayed) {
    peer->saw_punch = TRUE;
    peer->relayed = relayed;
    p2p_peer_step (peer, P2P_STEP_PUNCH, NULL, NULL);
  }
  if (!relayed) {
    peer->retry_at = 0;
    peer->retries = 0;
  } else if (peer->retry_at == 0 && peer->role == P2P_ROLE_VIEWER
             && !peer->endpoint->config.relay_only) {
    schedule_retry (peer);
  }
}

void
p2p_peer_tell_engine_path (P2pPeer *peer)
{
  if (peer->engine != NULL && peer->path != NULL)
    udt_connection_path_changed (peer->engine,
                                 p2p_path_is_relayed (peer->path)
                                     ? RELAY_MAX_MTU
                                     : UDT_MAX_PACKET,
                                 (UdtTime)g_get_monotonic_time ());
}

static void
move (P2pPeer *peer)
{
  p2p_path_close (peer->old_path);
  peer->old_path = peer->path;
  peer->old_until = g_get_monotonic_time () + OLD_PATH_US;
  peer->path = peer->next_path;
  peer->generation = peer->next_generation;
  peer->next_path = NULL;
  peer->next_follow = FALSE;
  p2p_connection_use_path (peer->connection, peer->path);
  p2p_peer_tell_engine_path (peer);
  tell_path (peer);
  p2p_endpoint_take_snapshot (peer->endpoint);
}

static gboolean
path_works (P2pPeer *peer)
{
  return peer->path != NULL && p2p_path_is_usable (peer->path)
         && peer->probe_us == 0;
}

static void
next_usable (P2pPeer *peer)
{
  if (!path_works (peer)) {
    move (peer);
  } else if (peer->role == P2P_ROLE_VIEWER) {
    if (!p2p_path_is_relayed (peer->next_path))
      move (peer);
    else if (peer->next_usable_since == 0)
      peer->next_usable_since = g_get_monotonic_time ();
  }
}

static void
on_usable (P2pPath *path, gpointer user)
{
  P2pPeer *peer = user;
  gboolean before = peer->saw_punch;

  if (peer->state > P2P_PEER_UP)
    return;
  watch_relay (peer->endpoint, path);
  if (path == peer->next_path) {
    next_usable (peer);
  } else if (path == peer->path) {
    tell_path (peer);
    if (before)
      p2p_peer_tell_engine_path (peer);
    if (!p2p_peer_start_connection (peer)) {
      p2p_peer_close (peer, P2P_REASON_PEER_GONE, FALSE);
      return;
    }
    p2p_connection_use_path (peer->connection, path);
    p2p_endpoint_take_snapshot (peer->endpoint);
  }
}

static void
drop_next (P2pPeer *peer)
{
  p2p_path_close (peer->next_path);
  peer->next_path = NULL;
  peer->next_follow = FALSE;
  peer->next_usable_since = 0;
}

static void
on_failed (P2pPath *path, gpointer user)
{
  P2pPeer *peer = user;

  if (peer->state > P2P_PEER_UP)
    return;
  if (path == peer->next_path)
    drop_next (peer);
  else if (path == peer->path && peer->state == P2P_PEER_SETUP) {
    /* The viewer knows best; it may still be gathering what will work. */
    if (peer->role == P2P_ROLE_VIEWER || peer->saw_punch)
      first_path_failed (peer);
  } else if (path == peer->path && peer->role == P2P_ROLE_VIEWER)
    p2p_peer_restart (peer);
}

/* In libnice's hands: nothing may be freed here. */
static void
on_datagram (P2pPath *path, guint8 *data, gsize len, gpointer user)
{
  P2pPeer *peer = user;

  if (peer->connection == NULL) {
    /* The device: the viewer's side of the path stands before ours. */
    if (peer->role != P2P_ROLE_DEVICE || peer->state != P2P_PEER_SETUP
        || !peer->have_remote || !p2p_peer_start_connection (peer))
      return;
  }
  if (p2p_connection_input (peer->connection, data, len)
      && path == peer->next_path && peer->role == P2P_ROLE_DEVICE)
    peer->next_follow = TRUE;
}

void
p2p_peer_follow (P2pPeer *peer)
{
  peer->next_follow = FALSE;
  if (peer->next_path != NULL && p2p_path_is_usable (peer->next_path))
    move (peer);
}

static const P2pPathCallbacks path_callbacks = {
  .candidates = on_candidates,
  .usable = on_usable,
  .failed = on_failed,
  .datagram = on_datagram,
};

static P2pPath *
make_path (P2pPeer *peer)
{
  P2pPathConfig config = { 0 };

  config.context = peer->endpoint->context;
  config.servers = peer->endpoint->servers;
  config.controlling = peer->role == P2P_ROLE_VIEWER;
  config.relay_only = peer->endpoint->config.relay_only;
  config.loopback = peer->loopback;
  config.closing = &peer->endpoint->closing_agents;
  g_array_set_size (peer->local_candidates, 0);
  peer->local_complete = FALSE;
  peer->described = FALSE;
  return p2p_path_new (&config, &path_callbacks, peer);
}

static void
no_path (P2pPeer *peer)
{
  p2p_peer_step (
      peer, P2P_STEP_PUNCH, P2P_REASON_LOCAL_NAT,
      "no network interface has an address, or no socket could be opened");
  p2p_peer_close (peer, P2P_REASON_LOCAL_NAT, FALSE);
}

/* -- Viewer ---------------------------------------------------------------- */

static void
begin_now (gpointer user)
{
  P2pPeer *peer = user;

  peer->waiting_servers = FALSE;
  peer->path = make_path (peer);
  if (peer->path == NULL)
    no_path (peer);
  else
    send_description (peer);
}

void
p2p_peer_begin (P2pPeer *peer)
{
  peer->waiting_servers = TRUE;
  p2p_ice_servers_when_ready (peer->endpoint->servers, begin_now, peer);
}

/* A new path for a session that stands. */
void
p2p_peer_restart (P2pPeer *peer)
{
  gint64 now = g_get_monotonic_time ();

  if (peer->state != P2P_PEER_UP || peer->role != P2P_ROLE_VIEWER
      || peer->next_path != NULL || now < peer->restart_at)
    return;
  if (peer->channel == NULL) {
    peer->restart_at = now + G_USEC_PER_SEC;
    p2p_viewer_reopen_channel (peer->endpoint, peer);
    return;
  }
  if (!peer->channel_open)
    return;
  peer->restart_at = now + RESTART_INTERVAL_US;
  peer->next_path = make_path (peer);
  if (peer->next_path == NULL)
    return;
  peer->next_generation = peer->generation + 1;
  peer->next_started = now;
  peer->next_usable_since = 0;
  send_description (peer);
}

static void
take_description (P2pPeer *peer, const P2pMessage *m)
{
  P2pPath *path = newest_path (peer);

  p2p_path_set_remote (path, m->ufrag, m->pwd);
  p2p_path_add_remote (path, m->candidates, m->n_candidates, m->complete);
}

static void
take_answer (P2pPeer *peer, const P2pMessage *m)
{
  if (peer->role != P2P_ROLE_VIEWER || newest_path (peer) == NULL
      || m->generation != newest_generation (peer))
    return;
  if (peer->next_path != NULL) {
    take_description (peer, m);
    return;
  }
  if (peer->have_remote)
    return; /* a repeat */
  peer->have_remote = TRUE;
  memcpy (peer->fingerprint, m->fingerprint, P2P_FINGERPRINT_BYTES);
  peer->aead = m->preferred;
  if (!peer->saw_auth) {
    peer->saw_auth = TRUE;
    p2p_peer_step (peer, P2P_STEP_AUTH, NULL, NULL);
  }
  take_description (peer, m);
}

/* -- Device ---------------------------------------------------------------- */

typedef struct
{
  P2pEndpoint *endpoint;
  gchar session[P2P_SESSION_ID_CHARS + 1];
  gboolean accepted;
} Decision;

static void
decision_free (gpointer data)
{
  Decision *decision = data;

  p2p_endpoint_unref (decision->endpoint);
  g_free (decision);
}

static void
take_decision (P2pEndpoint *endpoint, gpointer data)
{
  Decision *decision = data;
  guint i;

  for (i = 0; i < endpoint->peers->len; i++) {
    P2pPeer *peer = g_ptr_array_index (endpoint->peers, i);

    if (g_str_equal (peer->session, decision->session)) {
      p2p_peer_authorized (peer, decision->accepted);
      return;
    }
  }
}

/* Notify thread. */
static void
on_decided (gboolean accepted, gpointer user)
{
  Decision *decision = user;
  Decision *copy = g_new (Decision, 1);

  *copy = *decision;
  copy->accepted = accepted;
  p2p_endpoint_ref (copy->endpoint);
  p2p_endpoint_post (copy->endpoint, take_decision, copy, decision_free);
}

static void
ask_application (P2pPeer *peer)
{
  Decision *decision = g_new0 (Decision, 1);
  P2pPeerInfo info;

  peer->asked = TRUE;
  decision->endpoint = p2p_endpoint_ref (peer->endpoint);
  g_strlcpy (decision->session, peer->session, sizeof decision->session);
  p2p_peer_fill_info (peer, &info);
  info.remote_address = p2p_channel_get_remote (peer->channel);
  if (!p2p_notify_authorize (peer->endpoint->notify, &info, on_decided,
                             decision, decision_free)) {
    decision_free (decision);
    p2p_peer_authorized (peer, TRUE);
  }
}

/* Both have AES instructions, or else nobody need suffer without. */
static P2pAead
choose_aead (const P2pMessage *offer)
{
  P2pAead mine = p2p_aead_preferred ();

  if (mine == offer->preferred)
    return mine;
  if (offer->aeads & 1u << P2P_AEAD_CHACHA20_POLY1305)
    return P2P_AEAD_CHACHA20_POLY1305;
  return P2P_AEAD_AES_128_GCM;
}

static void
take_first_offer (P2pPeer *peer, const P2pMessage *m)
{
  peer->have_remote = TRUE;
  memcpy (peer->fingerprint, m->fingerprint, P2P_FINGERPRINT_BYTES);
  peer->aead = choose_aead (m);
  /* Our answer does not wait for names: known since the start, as a rule. */
  p2p_ice_servers_refresh (peer->endpoint->servers);
  peer->path = make_path (peer);
  if (peer->path == NULL) {
    no_path (peer);
    return;
  }
  take_description (peer, m);
  send_description (peer);
  ask_application (peer);
}

static void
take_restart_offer (P2pPeer *peer, const P2pMessage *m)
{
  if (peer->next_path != NULL)
    drop_next (peer);
  peer->next_path = make_path (peer);
  if (peer->next_path == NULL)
    return;
  peer->next_generation = m->generation;
  peer->next_started = g_get_monotonic_time ();
  take_description (peer, m);
  send_description (peer);
}

static void
take_offer (P2pPeer *peer, const P2pMessage *m)
{
  if (peer->role != P2P_ROLE_DEVICE)
    return;
  if (!peer->have_remote)
    take_first_offer (peer, m);
  else if (newest_path (peer) != NULL
           && m->generation == newest_generation (peer))
    send_description (peer); /* our answer got lost, say it again */
  else if (m->generation > newest_generation (peer)
           && peer->state == P2P_PEER_UP
           && memcmp (m->fingerprint, peer->fingerprint, P2P_FINGERPRINT_BYTES)
                  == 0)
    take_restart_offer (peer, m);
}

/* -- Both ------------------------------------------------------------------ */

/* The device gave up. At which step, we know as well as it does; of a path that
 * failed it says which side it blames, which is the other one seen from here.
 */
static void
attempt_ended (P2pPeer *peer, const gchar *reason)
{
  const gchar *detail = "the device ended the attempt";
  const gchar *blame = P2P_REASON_PEER_GONE;

  if (peer->saw_punch) {
    p2p_peer_step (peer, P2P_STEP_TRANSPORT, blame, detail);
  } else if (peer->have_remote && peer->path != NULL) {
    blame = p2p_path_get_blame (peer->path, &detail);
    if (g_str_equal (reason, P2P_REASON_LOCAL_NAT)
        && !g_str_equal (blame, P2P_REASON_LOCAL_NAT)) {
      blame = P2P_REASON_REMOTE_NAT;
      detail = "the device found no way out of its own network";
    }
    p2p_peer_step (peer, P2P_STEP_PUNCH, blame, detail);
  } else {
    p2p_peer_step (peer, P2P_STEP_AUTH, blame, detail);
  }
}

static void
take_bye (P2pPeer *peer, const P2pMessage *m)
{
  gchar reason[P2P_MESSAGE_MAX_REASON + 1];

  g_strlcpy (reason, m->reason, sizeof reason);
  if (peer->role == P2P_ROLE_VIEWER && peer->state == P2P_PEER_SETUP) {
    if (g_str_equal (reason, P2P_REASON_BUSY))
      p2p_peer_step (peer, P2P_STEP_AUTH, P2P_REASON_BUSY,
                     "the device has as many viewers as it accepts");
    else if (g_str_equal (reason, P2P_REASON_REFUSED))
      p2p_peer_step (peer, P2P_STEP_AUTH, P2P_REASON_REFUSED,
                     "the device's application refused this viewer");
    else
      attempt_ended (peer, reason);
  }
  if (g_str_equal (reason, P2P_REASON_CLOSED)
      || g_str_equal (reason, P2P_REASON_UNKNOWN))
    g_strlcpy (reason, P2P_REASON_PEER_GONE, sizeof reason);
  if (peer->state == P2P_PEER_UP
      && !g_str_equal (m->reason, P2P_REASON_UNKNOWN)) {
    /* It comes on the path too, behind the last frames. */
    g_strlcpy (peer->bye_reason, reason, sizeof peer->bye_reason);
    peer->bye_at = g_get_monotonic_time () + BYE_PATIENCE_US;
    return;
  }
  p2p_peer_close (peer, reason, TRUE);
}

void
p2p_peer_signal (P2pPeer *peer, const P2pMessage *m)
{
  P2pPath *path;

  if (peer->state > P2P_PEER_UP)
    return;
  switch (m->type) {
    case P2P_MESSAGE_OFFER:
      take_offer (peer, m);
      break;
    case P2P_MESSAGE_ANSWER:
      take_answer (peer, m);
      break;
    case P2P_MESSAGE_CANDIDATES:
    case P2P_MESSAGE_END_OF_CANDIDATES:
      path = newest_path (peer);
      if (path != NULL && peer->have_remote
          && m->generation == newest_generation (peer))
        p2p_path_add_remote (path, m->candidates, m->n_candidates,
                             m->complete
                                 || m->type == P2P_MESSAGE_END_OF_CANDIDATES);
      break;
    case P2P_MESSAGE_RESTART:
      p2p_peer_restart (peer);
      break;
    case P2P_MESSAGE_BYE:
      take_bye (peer, m);
      break;
    default:
      break;
  }
}

/* A living session does not need it; one still being set up goes on with what
 * it has. */
void
p2p_peer_channel_lost (P2pPeer *peer)
{
  peer->channel = NULL;
  peer->channel_open = FALSE;
  peer->channel_lost = TRUE;
  if (peer->state == P2P_PEER_SETUP && peer->role == P2P_ROLE_DEVICE
      && !peer->saw_punch)
    p2p_peer_close (peer, P2P_REASON_PEER_GONE, TRUE);
}

void
p2p_peer_drop_paths (P2pPeer *peer)
{
  if (peer->waiting_servers)
    p2p_ice_servers_forget (peer->endpoint->servers, peer);
  p2p_path_close (peer->path);
  p2p_path_close (peer->next_path);
  p2p_path_close (peer->old_path);
  peer->path = peer->next_path = peer->old_path = NULL;
}

void
p2p_peer_paths_tick (P2pPeer *peer, gint64 now)
{
  if (peer->old_path != NULL && now >= peer->old_until) {
    p2p_path_close (peer->old_path);
    peer->old_path = NULL;
  }
  if (peer->next_path != NULL) {
    /* It came up and is no better than the one there is. */
    if (now - peer->next_started >= NEXT_PATH_TIMEOUT_US
        || (peer->next_usable_since != 0
            && now - peer->next_usable_since >= DIRECT_PATIENCE_US))
      drop_next (peer);
  }
  if (peer->retry_at != 0 && now >= peer->retry_at
      && peer->state == P2P_PEER_UP) {
    schedule_retry (peer);
    p2p_peer_restart (peer);
  }
}
