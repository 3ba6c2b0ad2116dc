/* A link: its thread, its socket, and what others ask of it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The thread sleeps until the earliest time that any peer named, until the
 * socket has something, or until somebody writes to the eventfd. What costs is
 * waking up, not bytes: once awake it takes all that there is, and lets what
 * comes in little by little come together (P2pHold) before it looks again.
 * Peers take turns, each with a budget a round, so that a flood from one of
 * them costs the others a round at most.
 *
 * Locks: `lock` is a leaf.
 */
#define _GNU_SOURCE /* ppoll */
#include "udtlink-private.h"
#include "p2phold.h"

#include <errno.h>
#include <gio/gio.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <openssl/rand.h>

/* Datagrams taken in one round. */
#define RECEIVE_BUDGET 512
#define SNAPSHOT_US (100 * 1000)
#define GOODBYE_MS 100
#define GOODBYE_US (250 * 1000)
#define REJECTED_US (G_USEC_PER_SEC)
/* Between calls: the first, and the longest. */
#define BACKOFF_FIRST_US (250 * 1000)
#define BACKOFF_MAX_US (10 * G_USEC_PER_SEC)
#define BACKOFF_DOUBLINGS 6

GQuark
udt_link_error_quark (void)
{
  return g_quark_from_static_string ("udt-link-error-quark");
}

/* -- From anywhere --------------------------------------------------------- */

void
udt_link_wake (UdtLink *link)
{
  guint64 one = 1;

  if (!g_atomic_int_compare_and_exchange (&link->woken, 0, 1))
    return;
  while (write (link->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
    continue;
}

guint
udt_link_get_port (UdtLink *link)
{
  guint port;

  g_mutex_lock (&link->lock);
  port = link->port;
  g_mutex_unlock (&link->lock);
  return port;
}

void
udt_link_resume (UdtLink *link)
{
  g_atomic_int_set (&link->resume, 1);
  udt_link_wake (link);
}

void
udt_link_request_key_unit (UdtLink *link, gboolean all_headers, guint count)
{
  g_mutex_lock (&link->lock);
  link->key_units++;
  link->key_headers |= all_headers ? 1 : 0;
  link->key_count = count;
  g_mutex_unlock (&link->lock);
  udt_link_wake (link);
}

/* -- Statistics ------------------------------------------------------------ */

static void
peer_stats_free (gpointer data)
{
  UdtLinkPeerStats *stats = data;

  g_free (stats->address);
  g_free (stats);
}

static UdtLinkStats *
stats_copy (const UdtLinkStats *from)
{
  UdtLinkStats *stats = g_new (UdtLinkStats, 1);
  guint i;

  *stats = *from;
  stats->peers = g_ptr_array_new_with_free_func (peer_stats_free);
  for (i = 0; from->peers != NULL && i < from->peers->len; i++) {
    UdtLinkPeerStats *peer
        = g_memdup2 (g_ptr_array_index (from->peers, i), sizeof *peer);

    peer->address = g_strdup (peer->address);
    g_ptr_array_add (stats->peers, peer);
  }
  return stats;
}

void
udt_link_stats_free (UdtLinkStats *stats)
{
  if (stats == NULL)
    return;
  g_clear_pointer (&stats->peers, g_ptr_array_unref);
  g_free (stats);
}

UdtLinkStats *
udt_link_get_stats (UdtLink *link)
{
  UdtLinkStats *stats;

  g_mutex_lock (&link->lock);
  stats = stats_copy (link->snapshot);
  g_mutex_unlock (&link->lock);
  return stats;
}

static UdtLinkPeerStats *
peer_stats (UdtLinkPeer *peer)
{
  UdtLinkPeerStats *stats = g_new0 (UdtLinkPeerStats, 1);

  stats->address = g_strdup (peer->name);
  stats->connected_us = peer->connected_us;
  stats->frames_sent = peer->out.frames;
  stats->frames_dropped = peer->out.dropped;
  stats->frames_received = peer->delivered;
  stats->frames_missed = peer->missed;
  stats->backlog = peer->link->config.sender ? udt_out_backlog (peer) : 0;
  udt_connection_get_stats (peer->conn, (UdtTime)peer->link->now,
                            &stats->engine);
  return stats;
}

static void
tell_targets (UdtLink *link, GPtrArray *stats)
{
  BitrateViewer viewers[UDT_LINK_MAX_CALLERS];
  UdtLinkPeer *who[UDT_LINK_MAX_CALLERS];
  guint i, n = 0;

  if (link->callbacks.targets == NULL)
    return;
  for (i = 0; i < link->peers->len && n < stats->len; i++) {
    UdtLinkPeer *peer = g_ptr_array_index (link->peers, i);

    if (peer->state != UDT_PEER_UP || peer->conn == NULL
        || n == UDT_LINK_MAX_CALLERS)
      continue;
    viewers[n].bitrate = ((UdtLinkPeerStats *)g_ptr_array_index (stats, n))
                             ->engine.target_bitrate;
    viewers[n].left_out = peer->left_out;
    who[n++] = peer;
  }
  link->callbacks.targets (link, viewers, n, link->user);
  while (n-- > 0)
    who[n]->left_out = viewers[n].left_out;
}

static void
take_snapshot (UdtLink *link)
{
  UdtLinkStats *stats, *old;
  UdtSocketStats io = { 0 };
  guint i;

  link->snapshot_us = link->now;
  link->snapshot_old = FALSE;
  if (link->socket != NULL)
    udt_socket_get_stats (link->socket, &io);
  stats = stats_copy (&link->counters);
  stats->datagrams_sent = io.datagrams_sent;
  stats->datagrams_received = io.datagrams_received;
  stats->send_calls = io.send_calls;
  stats->receive_calls = io.receive_calls;
  stats->send_errors = io.send_errors;
  stats->segmentation = io.segmentation;
  stats->coalescing = io.coalescing;
  for (i = 0; i < link->peers->len; i++) {
    UdtLinkPeer *peer = g_ptr_array_index (link->peers, i);

    if (peer->state == UDT_PEER_UP && peer->conn != NULL)
      g_ptr_array_add (stats->peers, peer_stats (peer));
  }
  tell_targets (link, stats->peers);
  g_mutex_lock (&link->lock);
  old = link->snapshot;
  link->snapshot = stats;
  g_mutex_unlock (&link->lock);
  udt_link_stats_free (old);
}

/* -- The network thread ---------------------------------------------------- */

void
udt_link_tell (UdtLink *link, UdtLinkEventType type, UdtLinkPeer *peer)
{
  UdtLinkEvent event = { .type = type };
  gchar *called = NULL;

  if (type == UDT_LINK_REJECTED) {
    link->counters.rejected_callers++;
    if (link->rejected_us != 0 && link->now - link->rejected_us < REJECTED_US)
      return;
    link->rejected_us = link->now;
  }
  take_snapshot (link);
  if (link->callbacks.event == NULL)
    return;
  if (peer == NULL)
    event.peer = called
        = g_strdup_printf ("%s:%u", link->config.host, link->config.port);
  else
    event.peer = peer->name;
  if (peer != NULL && type != UDT_LINK_CONNECTED) {
    event.reason = peer->reason != NULL ? peer->reason : "closed";
    event.detail = peer->detail;
    event.final = peer->final;
  }
  link->callbacks.event (link, &event, link->user);
  g_free (called);
}

void
udt_link_send_hello (UdtLink *link, const UdtHello *hello, const UdtAddress *to)
{
  guint8 *data = udt_socket_reserve (link->socket);

  /* Full: as if it were lost on the way. */
  if (data != NULL)
    udt_socket_commit (link->socket,
                       udt_hello_write (hello, data, UDT_SOCKET_MAX), to);
}

static void
schedule_dial (UdtLink *link)
{
  gint64 wait = BACKOFF_FIRST_US << MIN (link->attempts, BACKOFF_DOUBLINGS);

  wait = MIN (wait, BACKOFF_MAX_US);
  /* So that those that were lost together do not come back together. */
  wait += g_random_int_range (0, (gint32)(wait / 4));
  link->attempts++;
  link->dial_at = link->now + wait;
}

static void
bury (UdtLink *link, UdtLinkPeer *peer)
{
  gboolean was_up = peer->connected_us != 0;

  udt_in_close (peer);
  if (link->source == peer)
    link->source = NULL;
  if (peer->local_id != 0
      && g_hash_table_lookup (link->by_id, GUINT_TO_POINTER (peer->local_id))
             == peer)
    g_hash_table_remove (link->by_id, GUINT_TO_POINTER (peer->local_id));
  g_ptr_array_remove (link->peers, peer);
  if (!link->stopping) {
    if (was_up) {
      link->attempts = 0;
      link->counters.reconnects += peer->caller ? 1 : 0;
      udt_link_tell (link, UDT_LINK_DISCONNECTED, peer);
    } else if (peer->caller) {
      link->hopeless |= peer->final;
      udt_link_tell (link, UDT_LINK_FAILED, peer);
    } else if (g_strcmp0 (peer->reason, "wrong-key") == 0) {
      udt_link_tell (link, UDT_LINK_REJECTED, peer);
    }
    if (peer->caller && !link->hopeless && !link->ended)
      schedule_dial (link);
  }
  udt_peer_free (peer);
}

static void
reap (UdtLink *link)
{
  guint i;

  for (i = link->peers->len; i-- > 0;) {
    UdtLinkPeer *peer = g_ptr_array_index (link->peers, i);

    /* What it left may still wait for the application. */
    if (peer->state == UDT_PEER_GONE
        && (link->stopping || !udt_in_is_pending (peer)))
      bury (link, peer);
  }
}

static void
on_datagram (guint8 *data, gsize len, const UdtAddress *from, gpointer user)
{
  UdtLink *link = user;
  UdtLinkPeer *peer;
  guint32 id;

  if (udt_hello_is_datagram (data, len)) {
    udt_call_input (link, data, len, from);
  } else if (p2p_handshake_is_datagram (data, len)) {
    udt_call_handshake_input (link, data, len, from);
  } else if (udt_packet_peek_id (data, len, &id) && len <= UDT_MAX_PACKET) {
    peer = g_hash_table_lookup (link->by_id, GUINT_TO_POINTER (id));
    if (peer != NULL)
      udt_peer_input (peer, data, len, from);
    else
      udt_call_early (link, data, len, id);
  } else {
    link->counters.refused_datagrams++;
  }
}

static gint64
next_time (UdtLink *link)
{
  gint64 next = link->dial_at != 0 ? link->dial_at : G_MAXINT64;
  guint i;

  for (i = 0; i < link->peers->len; i++) {
    UdtLinkPeer *peer = g_ptr_array_index (link->peers, i);

    next = MIN (next, peer->due);
  }
  if (link->config.sender)
    next = MIN (next, udt_out_tick (link));
  /* Once more after the last that happened; while more does, that is when. */
  if (link->snapshot_old)
    next = MIN (next, link->now + SNAPSHOT_US);
  return next;
}

/* TRUE: the socket may have something. */
static gboolean
sleep_until (UdtLink *link, gint64 next, gboolean look)
{
  struct pollfd fds[2] = { { .fd = link->wake_fd, .events = POLLIN } };
  gint64 left = next == G_MAXINT64 ? G_MAXINT64
                                   : MAX (next - g_get_monotonic_time (), 0);
  struct timespec timeout;
  guint64 count;
  nfds_t n = 1;

  if (look && link->socket != NULL) {
    fds[n].fd = udt_socket_get_fd (link->socket);
    fds[n].events = POLLIN;
    if (udt_socket_is_blocked (link->socket))
      fds[n].events |= POLLOUT;
    n++;
  }
  timeout.tv_sec = left / G_USEC_PER_SEC;
  timeout.tv_nsec = left % G_USEC_PER_SEC * 1000;
  if (ppoll (fds, n, left == G_MAXINT64 ? NULL : &timeout, NULL) <= 0)
    return FALSE;
  if (fds[0].revents != 0
      && read (link->wake_fd, &count, sizeof count) == sizeof count)
    g_atomic_int_set (&link->woken, 0);
  return n == 2 && fds[1].revents != 0;
}

static void
take_commands (UdtLink *link)
{
  guint i;

  if (link->config.sender)
    udt_out_drain (link);
  else
    udt_in_send_key_units (link);
  if (!g_atomic_int_compare_and_exchange (&link->resume, 1, 0))
    return;
  for (i = 0; i < link->peers->len; i++)
    udt_in_retry (g_ptr_array_index (link->peers, i));
}

static void
work (UdtLink *link)
{
  guint i, n = link->peers->len;

  if (link->dial_at != 0 && link->now >= link->dial_at && !link->stopping) {
    link->dial_at = 0;
    udt_call_dial (link);
    n = link->peers->len;
  }
  link->turn++;
  for (i = 0; i < n; i++) {
    UdtLinkPeer *peer = g_ptr_array_index (link->peers, (i + link->turn) % n);

    if (peer->due > link->now)
      continue;
    peer->due = G_MAXINT64;
    if (peer->state < UDT_PEER_UP)
      udt_call_work (peer);
    /* A handshake that this very call completed has a connection now. */
    if (peer->state == UDT_PEER_UP || peer->state == UDT_PEER_CLOSING)
      udt_peer_work (peer);
  }
  if (link->config.sender)
    udt_out_publish (link, 0);
  if (link->socket != NULL)
    udt_socket_flush (link->socket);
  reap (link);
  if (link->now - link->snapshot_us >= SNAPSHOT_US)
    take_snapshot (link);
  else
    link->snapshot_old = TRUE;
}

static gboolean
all_are_up (UdtLink *link)
{
  guint i;

  for (i = 0; i < link->peers->len; i++)
    if (((UdtLinkPeer *)g_ptr_array_index (link->peers, i))->state
        != UDT_PEER_UP)
      return FALSE;
  return link->peers->len > 0;
}

static void
take_datagrams (UdtLink *link, P2pHold *hold)
{
  guint n
      = udt_socket_receive (link->socket, RECEIVE_BUDGET, on_datagram, link);

  if (!link->config.listener)
    udt_call_check_refusal (link);
  p2p_hold_looked (hold, n, link->now);
  /* How a connection begins is not to take longer than it has to. */
  if (!all_are_up (link))
    hold->until = 0;
}

static void
begin_stop (UdtLink *link)
{
  guint i;

  link->stopping = TRUE;
  link->dial_at = 0;
  for (i = 0; i < link->peers->len; i++) {
    UdtLinkPeer *peer = g_ptr_array_index (link->peers, i);

    if (peer->state == UDT_PEER_UP)
      udt_peer_close (peer, "closed", GOODBYE_MS);
    else if (peer->state < UDT_PEER_UP)
      peer->state = UDT_PEER_GONE;
  }
}

static void
run_until_stopped (UdtLink *link)
{
  gint64 stop_at = G_MAXINT64;
  P2pHold hold = { 0 };

  while (!link->stopping || (link->peers->len > 0 && link->now < stop_at)) {
    gint64 next = MIN (next_time (link), stop_at);
    gboolean held = p2p_hold_is_on (&hold, link->now);
    gboolean look;

    if (held)
      next = MIN (next, hold.until);
    look = sleep_until (link, next, !held);
    link->now = g_get_monotonic_time ();
    link->counters.wake_ups++;
    if (held)
      look = !p2p_hold_is_on (&hold, link->now);
    if (look && link->socket != NULL)
      take_datagrams (link, &hold);
    if (g_atomic_int_get (&link->quit) && !link->stopping) {
      take_commands (link);
      begin_stop (link);
      stop_at = link->now + GOODBYE_US;
    }
    if (!link->stopping)
      take_commands (link);
    work (link);
  }
}

static gpointer
link_thread (gpointer data)
{
  UdtLink *link = data;
  GError *error = NULL;

  link->now = g_get_monotonic_time ();
  if (link->config.credential != NULL) {
    /* Tens of milliseconds: not for a state change. */
    p2p_credential_stretch (link->config.credential);
    link->identity = p2p_identity_new (&error);
  }
  if (error != NULL || !udt_tokens_init (&link->tokens, link->now)
      || RAND_bytes (link->instance, sizeof link->instance) != 1) {
    UdtLinkEvent event
        = { .type = UDT_LINK_FAILED,
            .reason = "crypto",
            .detail = error != NULL ? error->message : "no random numbers",
            .final = TRUE };

    if (link->callbacks.event != NULL)
      link->callbacks.event (link, &event, link->user);
    g_clear_error (&error);
    return NULL;
  }
  if (!link->config.listener)
    link->dial_at = link->now;
  run_until_stopped (link);
  while (link->peers->len > 0)
    bury (link, g_ptr_array_index (link->peers, 0));
  return NULL;
}

/* -- Birth and death ------------------------------------------------------- */

static gboolean
check_settings (const UdtLinkConfig *config, UdtAddress *local, GError **error)
{
  const gchar *host = config->listener ? config->host : config->local_host;
  guint port = config->listener ? config->port : config->local_port;

  if (!config->listener
      && (config->host == NULL || *config->host == '\0' || config->port == 0)) {
    g_set_error (error, UDT_LINK_ERROR, UDT_LINK_ERROR_SETTINGS,
                 "A caller needs the host and the port of the listener, as in "
                 "udt://192.0.2.1:7001");
    return FALSE;
  }
  if (host != NULL && g_ascii_strcasecmp (host, "localhost") == 0)
    host = "127.0.0.1";
  if (config->port > G_MAXUINT16 || config->local_port > G_MAXUINT16
      || !udt_address_parse (host, port, local)) {
    g_set_error (
        error, UDT_LINK_ERROR, UDT_LINK_ERROR_SETTINGS,
        "\"%s\" cannot be listened at: give a numeric address of this host, "
        "or none for all of them",
        host);
    return FALSE;
  }
  return TRUE;
}

static void
link_free (UdtLink *link)
{
  g_ptr_array_unref (link->peers);
  g_hash_table_unref (link->by_id);
  p2p_items_clear (&link->items);
  udt_resolve_free (link->resolve);
  udt_socket_free (link->socket);
  if (link->identity != NULL)
    p2p_identity_unref (link->identity);
  if (link->config.credential != NULL)
    p2p_credential_unref (link->config.credential);
  g_free ((gchar *)link->config.host);
  g_free ((gchar *)link->config.local_host);
  g_free (link->caps);
  udt_link_stats_free (link->snapshot);
  if (link->wake_fd >= 0)
    close (link->wake_fd);
  g_mutex_clear (&link->lock);
  g_free (link);
}

UdtLink *
udt_link_new (const UdtLinkConfig *config, const UdtLinkCallbacks *callbacks,
              gpointer user, GError **error)
{
  UdtAddress local;
  UdtLink *link;

  if (!check_settings (config, &local, error))
    return NULL;
  link = g_new0 (UdtLink, 1);
  link->config = *config;
  link->config.host = g_strdup (config->host);
  link->config.local_host = g_strdup (config->local_host);
  if (config->credential != NULL)
    p2p_credential_ref (config->credential);
  link->callbacks = *callbacks;
  link->user = user;
  g_mutex_init (&link->lock);
  p2p_items_init (&link->items);
  link->peers = g_ptr_array_new ();
  link->by_id = g_hash_table_new (NULL, NULL);
  link->stream.kind = link->current.kind = P2P_WIRE_DATA;
  link->stream.deadline_ms = link->current.deadline_ms = -1;
  link->snapshot = stats_copy (&link->counters);
  link->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (link->wake_fd < 0) {
    g_set_error (error, UDT_LINK_ERROR, UDT_LINK_ERROR_SYSTEM,
                 "Out of file descriptors");
    link_free (link);
    return NULL;
  }
  if (config->listener || config->local_host != NULL
      || config->local_port != 0) {
    GError *reason = NULL;

    link->socket = udt_socket_new (&local, &reason);
    if (link->socket == NULL) {
      g_set_error_literal (error, UDT_LINK_ERROR, UDT_LINK_ERROR_ADDRESS,
                           reason->message);
      g_error_free (reason);
      link_free (link);
      return NULL;
    }
    if (config->listener)
      udt_socket_note_called (link->socket);
    link->port = udt_socket_get_port (link->socket);
  }
  return link;
}

gboolean
udt_link_start (UdtLink *link, GError **error)
{
  GError *reason = NULL;

  link->thread = g_thread_try_new ("udt-link", link_thread, link, &reason);
  if (link->thread != NULL)
    return TRUE;
  g_set_error_literal (error, UDT_LINK_ERROR, UDT_LINK_ERROR_SYSTEM,
                       reason->message);
  g_error_free (reason);
  return FALSE;
}

void
udt_link_stop (UdtLink *link)
{
  g_atomic_int_set (&link->quit, 1);
  udt_link_wake (link);
  if (link->thread != NULL)
    g_thread_join (link->thread);
  link->stopping = TRUE;
  link_free (link);
}
