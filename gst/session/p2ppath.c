/* One try at a network path to the peer.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: everything on the thread that owns the context, no lock. libnice
 * calls back from inside its own calls (signals) and from its socket sources
 * (datagrams); signals only set flags here and arm `event`, a source whose
 * dispatch tells the owner.
 *
 * References: the path owns its agent until p2p_path_close(), which gives that
 * reference to the asynchronous close; its callback drops it. Signal handlers
 * are taken off before, and the receive function exchanged, so nothing of the
 * agent points to a path that is gone.
 */
#include "p2ppath.h"
#include "p2pnicecandidate.h"
#include "p2pdirect.h"
#include "p2psignaller.h"

#include <nice/agent.h>
#include <nice/interfaces.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define COMPONENT 1
/* First retransmission of requests to STUN and TURN servers, ms. libnice's
 * 500 would cost a whole half second per lost packet. */
#define STUN_TIMEOUT_MS 250
#define STUN_RETRANSMISSIONS 6
/* Between two checks, ms: the least that RFC 8445 (14.2) allows. */
#define PACING_MS 5
/* What the checks get when there is no relay to fall back on, because the one
 * that is set has refused us, and nothing new can come: several tries of each
 * pair. */
#define WITHOUT_RELAY_US (2 * G_USEC_PER_SEC)
/* With no check under way any more, how long to wait for late candidates. Until
 * then libnice looks after them every PACING_MS, so not for long once there is
 * a pair that works; candidates that come later start it again. */
#define IDLE_TIMEOUT_MS 5000
#define IDLE_CONNECTED_MS 50 /* the least it takes */
/* For a train of packets of the pacer, and for a burst of arrivals while the
 * network thread is busy. The kernel halves or caps it as it sees fit. */
#define SOCKET_BUFFER (512 * 1024)
#define MAX_QUEUED_CANDIDATES 64

struct _P2pPath
{
  GMainContext *context; /* outlives the path */
  NiceAgent *agent;
  guint stream;
  GSource *event;
  P2pPathCallbacks callbacks;
  gpointer user;
  guint *closing;

  gboolean relay_only;
  gboolean has_stun, has_relay;

  /* Local side. */
  GArray *candidates; /* of P2pCandidate, not taken yet */
  gboolean complete;
  gboolean complete_taken;
  gboolean saw_reflexive, saw_relay;

  /* Remote side. */
  GArray *remote_relays; /* of P2pCandidate */
  guint n_remote;
  gboolean remote_beyond_host;
  gboolean remote_complete;
  gint64 changed_us; /* when either side's candidates did last */

  /* Noted by signal handlers, told by `event`. */
  gboolean candidates_pending;
  gboolean usable_pending;
  gboolean failed_pending;

  gboolean usable;
  NiceCandidateType local_type;
  NiceCandidateType remote_type;
  NiceAddress local_address, remote_address;
  gchar *local_text, *remote_text;

  /* NULL: what is sent has to be wrapped by libnice. */
  P2pDirect *direct;
};

/* -- The event source ------------------------------------------------------ */

typedef struct
{
  GSource source;
  P2pPath *path; /* NULL once closed */
} EventSource;

static gboolean
event_dispatch (GSource *source, GSourceFunc callback, gpointer user)
{
  EventSource *event = (EventSource *)source;
  P2pPath *path = event->path;

  g_source_set_ready_time (source, -1);
  if (path != NULL && path->candidates_pending) {
    path->candidates_pending = FALSE;
    path->callbacks.candidates (path, path->user);
  }
  /* Each callback may have closed the path. */
  path = event->path;
  if (path != NULL && path->usable_pending) {
    path->usable_pending = FALSE;
    path->callbacks.usable (path, path->user);
  }
  path = event->path;
  if (path != NULL && path->failed_pending) {
    path->failed_pending = FALSE;
    path->callbacks.failed (path, path->user);
  }
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs event_funcs = { .dispatch = event_dispatch };

static void
arm (P2pPath *path)
{
  g_source_set_ready_time (path->event, 0);
}

/* -- Candidates ------------------------------------------------------------ */

static void
on_candidate (NiceAgent *agent, NiceCandidate *candidate, gpointer user)
{
  P2pPath *path = user;
  P2pCandidate c;

  if (candidate->transport != NICE_CANDIDATE_TRANSPORT_UDP
      || path->candidates->len >= MAX_QUEUED_CANDIDATES)
    return;
  p2p_nice_candidate_read (&c, candidate);
  path->saw_reflexive |= c.kind == P2P_CANDIDATE_SRFLX;
  path->saw_relay |= c.kind == P2P_CANDIDATE_RELAY;
  g_array_append_val (path->candidates, c);
  path->candidates_pending = TRUE;
  arm (path);
}

static void
on_gathered (NiceAgent *agent, guint stream, gpointer user)
{
  P2pPath *path = user;

  path->complete = TRUE;
  path->changed_us = g_get_monotonic_time ();
  path->candidates_pending = TRUE;
  arm (path);
}

guint
p2p_path_take_candidates (P2pPath *path, P2pCandidate *out, guint max,
                          gboolean *complete)
{
  guint n = MIN (max, path->candidates->len);

  if (n > 0) {
    memcpy (out, path->candidates->data, n * sizeof *out);
    g_array_remove_range (path->candidates, 0, n);
  }
  *complete = path->complete && path->candidates->len == 0;
  if (path->candidates->len > 0) {
    path->candidates_pending = TRUE;
    arm (path);
  }
  return n;
}

/* What the peer sends through its relay may arrive before the candidate does
 * and is then taken for a peer-reflexive one; its address tells. */
static gboolean
remote_is_relayed (P2pPath *path)
{
  guint i;

  if (path->remote_type == NICE_CANDIDATE_TYPE_RELAYED)
    return TRUE;
  for (i = 0; i < path->remote_relays->len; i++)
    if (p2p_nice_candidate_is_at (
            &g_array_index (path->remote_relays, P2pCandidate, i),
            &path->remote_address))
      return TRUE;
  return FALSE;
}

void
p2p_path_add_remote (P2pPath *path, const P2pCandidate *candidates, guint n,
                     gboolean complete)
{
  GSList *list = NULL;
  guint i;

  path->changed_us = g_get_monotonic_time ();
  path->remote_complete |= complete;
  for (i = 0; i < n && path->n_remote < P2P_MESSAGE_MAX_CANDIDATES; i++) {
    NiceCandidate *candidate
        = p2p_nice_candidate_new (&candidates[i], path->stream, COMPONENT);

    if (candidate == NULL)
      continue;
    path->n_remote++;
    path->remote_beyond_host |= candidates[i].kind != P2P_CANDIDATE_HOST;
    if (candidates[i].kind == P2P_CANDIDATE_RELAY)
      g_array_append_val (path->remote_relays, candidates[i]);
    list = g_slist_prepend (list, candidate);
  }
  if (list != NULL) {
    list = g_slist_reverse (list);
    nice_agent_set_remote_candidates (path->agent, path->stream, COMPONENT,
                                      list);
    g_slist_free_full (list, (GDestroyNotify)nice_candidate_free);
  }
  if (complete)
    nice_agent_peer_candidate_gathering_done (path->agent, path->stream);
}

/* -- State ----------------------------------------------------------------- */

static gchar *
address_text (const NiceAddress *address)
{
  gchar text[NICE_ADDRESS_STRING_LEN];

  nice_address_to_string (address, text);
  return g_strdup_printf (strchr (text, ':') != NULL ? "[%s]:%u" : "%s:%u",
                          text, nice_address_get_port (address));
}

static void
on_packet (guint8 *data, gsize len, gpointer user)
{
  P2pPath *path = user;

  path->callbacks.datagram (path, data, len, path->user);
}

/* Where datagrams go out as they are and come in as they are, libnice need not
 * be asked, which moves one at a time. */
static void
find_direct (P2pPath *path)
{
  union
  {
    struct sockaddr any;
    struct sockaddr_in6 v6;
  } to;
  GSocket *socket = NULL;

  nice_address_copy_to_sockaddr (&path->remote_address, &to.any);
  /* The scope of link-local addresses is libnice's own affair. */
  if (path->local_type != NICE_CANDIDATE_TYPE_RELAYED
      && (to.any.sa_family != AF_INET6
          || !IN6_IS_ADDR_LINKLOCAL (&to.v6.sin6_addr)))
    socket
        = nice_agent_get_selected_socket (path->agent, path->stream, COMPONENT);
  if (path->direct != NULL && !p2p_direct_is_of (path->direct, socket))
    g_clear_pointer (&path->direct, p2p_direct_free);
  if (path->direct == NULL && socket != NULL)
    path->direct = p2p_direct_new (socket, SOCKET_BUFFER, path->context,
                                   on_packet, path);
  if (path->direct != NULL)
    p2p_direct_set_destination (path->direct, &to.any);
  g_clear_object (&socket);
}

static void
on_pair (NiceAgent *agent, guint stream, guint component, NiceCandidate *local,
         NiceCandidate *remote, gpointer user)
{
  P2pPath *path = user;

  path->local_type = local->type;
  path->remote_type = remote->type;
  path->local_address = local->addr;
  path->remote_address = remote->addr;
  g_free (path->local_text);
  g_free (path->remote_text);
  path->local_text = address_text (&local->addr);
  path->remote_text = address_text (&remote->addr);
  find_direct (path);
  if (path->usable) {
    path->usable_pending = TRUE;
    arm (path);
  }
}

/* CONNECTED: a pair works. READY would be two seconds later and says only that
 * no better one is being tried any more. */
static void
on_state (NiceAgent *agent, guint stream, guint component, guint state,
          gpointer user)
{
  P2pPath *path = user;

  if (state == NICE_COMPONENT_STATE_CONNECTED && !path->usable) {
    path->usable = TRUE;
    path->usable_pending = TRUE;
    path->failed_pending = FALSE;
    g_object_set (agent, "idle-timeout", IDLE_CONNECTED_MS, NULL);
  } else if (state == NICE_COMPONENT_STATE_FAILED) {
    path->usable = FALSE;
    path->usable_pending = FALSE;
    path->failed_pending = TRUE;
  } else {
    return;
  }
  arm (path);
}

static void
on_datagram (NiceAgent *agent, guint stream, guint component, guint len,
             gchar *data, gpointer user)
{
  P2pPath *path = user;

  path->callbacks.datagram (path, (guint8 *)data, len, path->user);
}

gboolean
p2p_path_set_remote (P2pPath *path, const gchar *ufrag, const gchar *pwd)
{
  return nice_agent_set_remote_credentials (path->agent, path->stream, ufrag,
                                            pwd);
}

void
p2p_path_get_credentials (P2pPath *path, gchar *ufrag, gchar *pwd)
{
  gchar *u = NULL, *p = NULL;

  nice_agent_get_local_credentials (path->agent, path->stream, &u, &p);
  g_strlcpy (ufrag, u != NULL ? u : "", P2P_ICE_UFRAG_MAX + 1);
  g_strlcpy (pwd, p != NULL ? p : "", P2P_ICE_PWD_MAX + 1);
  g_free (u);
  g_free (p);
}

P2pPathSend
p2p_path_send (P2pPath *path, const guint8 *data, gsize len)
{
  GOutputVector vector = { data, len };
  NiceOutputMessage message = { &vector, 1 };
  GError *error = NULL;
  P2pPathSend result;

  if (!path->usable)
    return P2P_PATH_ERROR;
  if (nice_agent_send_messages_nonblocking (path->agent, path->stream,
                                            COMPONENT, &message, 1, NULL,
                                            &error)
      == 1)
    return P2P_PATH_SENT;
  result = g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)
               ? P2P_PATH_BUSY
               : P2P_PATH_ERROR;
  g_clear_error (&error);
  return result;
}

P2pTrain *
p2p_path_take_train (P2pPath *path)
{
  return path->direct != NULL ? p2p_direct_take_train (path->direct)
                              : p2p_train_take ();
}

void
p2p_path_add (P2pPath *path, P2pTrain *train, gsize len)
{
  p2p_train_add (train, len,
                 path->direct != NULL
                     ? p2p_direct_get_destination (path->direct)
                     : NULL);
}

P2pPathSend
p2p_path_send_train (P2pPath *path, P2pTrain *train)
{
  const guint8 *data;
  gsize len;

  if (path->usable && path->direct != NULL && p2p_direct_is_open (path->direct))
    return p2p_direct_send (path->direct, train) ? P2P_PATH_SENT
                                                 : P2P_PATH_BUSY;
  while ((data = p2p_train_first (train, &len)) != NULL) {
    if (p2p_path_send (path, data, len) == P2P_PATH_BUSY)
      return P2P_PATH_BUSY;
    p2p_train_drop_first (train);
  }
  return P2P_PATH_SENT;
}

gboolean
p2p_path_is_usable (P2pPath *path)
{
  return path->usable;
}

gboolean
p2p_path_is_relayed (P2pPath *path)
{
  return path->local_type == NICE_CANDIDATE_TYPE_RELAYED
         || remote_is_relayed (path);
}

const gchar *
p2p_path_get_local (P2pPath *path)
{
  return path->local_text;
}

const gchar *
p2p_path_get_remote (P2pPath *path)
{
  return path->remote_text;
}

gboolean
p2p_path_local_is_present (P2pPath *path)
{
  GList *addresses, *l;
  gboolean found = FALSE;

  /* What a NAT or a relay lends us does not show up in the list. */
  if (path->local_type != NICE_CANDIDATE_TYPE_HOST)
    return TRUE;
  addresses = nice_interfaces_get_local_ips (TRUE);
  for (l = addresses; l != NULL && !found; l = l->next) {
    NiceAddress a;

    nice_address_init (&a);
    found = nice_address_set_from_string (&a, l->data)
            && nice_address_equal_no_port (&a, &path->local_address);
  }
  g_list_free_full (addresses, g_free);
  return found;
}

P2pPathRelay
p2p_path_get_relay (P2pPath *path)
{
  if (path->saw_relay)
    return P2P_PATH_RELAY_THERE;
  if (!path->has_relay || (!path->usable && !path->complete))
    return P2P_PATH_RELAY_UNKNOWN;
  return path->complete ? P2P_PATH_RELAY_MISSING : P2P_PATH_RELAY_LATE;
}

gboolean
p2p_path_is_hopeless (P2pPath *path, gint64 now)
{
  return !path->usable && path->has_relay && !path->saw_relay && path->complete
         && path->remote_complete && now - path->changed_us >= WITHOUT_RELAY_US;
}

const gchar *
p2p_path_get_blame (P2pPath *path, const gchar **detail)
{
  if (path->has_relay && !path->saw_relay) {
    *detail
        = path->complete
              ? "the relay (turn-server) does not let us in: check its user "
                "and password, and its address"
              : "the relay (turn-server) does not answer: check its "
                "address, and whether this network lets it through";
    return P2P_REASON_LOCAL_NAT;
  }
  if (!path->saw_reflexive && !path->saw_relay) {
    *detail = path->has_stun ? "the STUN server did not answer, so only "
                               "addresses of this local "
                               "network could be offered"
                             : "no stun-server or turn-server is set, so only "
                               "addresses of this "
                               "local network could be offered";
    return P2P_REASON_LOCAL_NAT;
  }
  if (path->n_remote == 0) {
    *detail = "the peer told no address to try";
    return P2P_REASON_REMOTE_NAT;
  }
  if (!path->remote_beyond_host) {
    *detail = "the peer offered only addresses of its own local network";
    return P2P_REASON_REMOTE_NAT;
  }
  *detail = "no pair of addresses works between these two networks; a relay "
            "(turn-server) would";
  return P2P_REASON_REMOTE_NAT;
}

/* -- Birth ----------------------------------------------------------------- */

/* libnice looks at all interfaces but loopback by itself. */
static void
add_loopback (P2pPath *path, gboolean wanted)
{
  GList *addresses = nice_interfaces_get_local_ips (FALSE);
  GList *l;

  if (addresses != NULL && !wanted) {
    g_list_free_full (addresses, g_free);
    return;
  }
  g_list_free_full (addresses, g_free);
  addresses = nice_interfaces_get_local_ips (TRUE);
  for (l = addresses; l != NULL; l = l->next) {
    NiceAddress a;

    nice_address_init (&a);
    if (nice_address_set_from_string (&a, l->data))
      nice_agent_add_local_address (path->agent, &a);
  }
  g_list_free_full (addresses, g_free);
}

static void
add_servers (P2pPath *path, P2pIceServers *servers)
{
  const P2pIceServer *stun = p2p_ice_servers_get_stun (servers);
  const P2pIceServer *relays;
  guint i, n = p2p_ice_servers_get_relays (servers, &relays);

  path->has_stun = p2p_ice_servers_has_stun (servers);
  path->has_relay = p2p_ice_servers_has_relay (servers);
  for (i = 0; i < n; i++) {
    nice_agent_set_relay_info (path->agent, path->stream, COMPONENT,
                               relays[i].address, relays[i].port,
                               p2p_ice_servers_get_user (servers),
                               p2p_ice_servers_get_password (servers),
                               relays[i].tcp ? NICE_RELAY_TYPE_TURN_TCP
                                             : NICE_RELAY_TYPE_TURN_UDP);
    /* An allocation tells the reflexive address too, and the TURN socket
     * would swallow the answer to a plain request to the same place. */
    if (stun != NULL && !relays[i].tcp && stun->port == relays[i].port
        && g_str_equal (stun->address, relays[i].address))
      stun = NULL;
  }
  if (stun != NULL)
    g_object_set (path->agent, "stun-server", stun->address, "stun-server-port",
                  (guint)stun->port, NULL);
}

/* DF set and the kernel's idea of the path MTU ignored: packets of the engine
 * that are too big get lost instead of fragmented, which its search for the
 * MTU counts on. */
static void
tune_sockets (P2pPath *path)
{
  GPtrArray *sockets
      = nice_agent_get_sockets (path->agent, path->stream, COMPONENT);
  guint i;

  if (sockets == NULL)
    return;
  for (i = 0; i < sockets->len; i++) {
    GSocket *socket = g_ptr_array_index (sockets, i);

    g_socket_set_option (socket, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER, NULL);
    g_socket_set_option (socket, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER, NULL);
    if (g_socket_get_family (socket) == G_SOCKET_FAMILY_IPV4)
      g_socket_set_option (socket, IPPROTO_IP, IP_MTU_DISCOVER,
                           IP_PMTUDISC_PROBE, NULL);
    else
      g_socket_set_option (socket, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
                           IPV6_PMTUDISC_PROBE, NULL);
  }
  g_ptr_array_unref (sockets);
}

static void
connect_signals (P2pPath *path)
{
  g_signal_connect (path->agent, "new-candidate-full",
                    G_CALLBACK (on_candidate), path);
  g_signal_connect (path->agent, "candidate-gathering-done",
                    G_CALLBACK (on_gathered), path);
  g_signal_connect (path->agent, "new-selected-pair-full", G_CALLBACK (on_pair),
                    path);
  g_signal_connect (path->agent, "component-state-changed",
                    G_CALLBACK (on_state), path);
}

P2pPath *
p2p_path_new (const P2pPathConfig *config, const P2pPathCallbacks *callbacks,
              gpointer user)
{
  P2pPath *path = g_new0 (P2pPath, 1);

  path->context = config->context;
  path->callbacks = *callbacks;
  path->user = user;
  path->closing = config->closing;
  path->relay_only = config->relay_only;
  path->candidates = g_array_new (FALSE, FALSE, sizeof (P2pCandidate));
  path->remote_relays = g_array_new (FALSE, FALSE, sizeof (P2pCandidate));
  path->event = g_source_new (&event_funcs, sizeof (EventSource));
  ((EventSource *)path->event)->path = path;
  g_source_attach (path->event, config->context);

  /* Not NICE_AGENT_OPTION_CONSENT_FRESHNESS: in libnice 0.1.21 one lost check
   * of those it makes every five seconds can fail the path. Whether the peer
   * is there and wants to hear us (RFC 7675) the engine knows better: from
   * authentic packets. */
  path->agent
      = nice_agent_new_full (config->context, NICE_COMPATIBILITY_RFC5245,
                             NICE_AGENT_OPTION_ICE_TRICKLE);
  g_object_set (path->agent, "ice-tcp", FALSE, "upnp", FALSE,
                "controlling-mode", config->controlling, "force-relay",
                config->relay_only, "stun-initial-timeout", STUN_TIMEOUT_MS,
                "stun-max-retransmissions", STUN_RETRANSMISSIONS,
                "stun-pacing-timer", PACING_MS, "idle-timeout", IDLE_TIMEOUT_MS,
                NULL);
  path->stream = nice_agent_add_stream (path->agent, 1);
  add_loopback (path, config->loopback);
  if (config->servers != NULL)
    add_servers (path, config->servers);
  connect_signals (path);
  nice_agent_attach_recv (path->agent, path->stream, COMPONENT, config->context,
                          on_datagram, path);
  if (!nice_agent_gather_candidates (path->agent, path->stream)) {
    p2p_path_close (path);
    return NULL;
  }
  tune_sockets (path);
  return path;
}

/* -- Death ----------------------------------------------------------------- */

typedef struct
{
  NiceAgent *agent;
  guint *closing;
} Closing;

static void
on_closed (GObject *source, GAsyncResult *result, gpointer user)
{
  Closing *closing = user;

  (*closing->closing)--;
  g_object_unref (closing->agent);
  g_free (closing);
}

static void
on_late_datagram (NiceAgent *agent, guint stream, guint component, guint len,
                  gchar *data, gpointer user)
{
}

void
p2p_path_close (P2pPath *path)
{
  Closing *closing;

  if (path == NULL)
    return;
  ((EventSource *)path->event)->path = NULL;
  g_source_destroy (path->event);
  g_source_unref (path->event);
  g_signal_handlers_disconnect_by_data (path->agent, path);
  /* Without a receiver libnice would stop reading, and never see the relay
   * agree to end the allocation. */
  nice_agent_attach_recv (path->agent, path->stream, COMPONENT, path->context,
                          on_late_datagram, NULL);

  closing = g_new0 (Closing, 1);
  closing->agent = path->agent;
  closing->closing = path->closing;
  (*closing->closing)++;
  nice_agent_close_async (path->agent, on_closed, closing);

  p2p_direct_free (path->direct);
  g_array_unref (path->candidates);
  g_array_unref (path->remote_relays);
  g_free (path->local_text);
  g_free (path->remote_text);
  g_free (path);
}
