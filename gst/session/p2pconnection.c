/* The encrypted connection of one session.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: everything on the thread that owns the context; no lock.
 *
 * One source per link does all the work: it is due at the earliest of the
 * engine's and the handshake's times. It looks for itself, as
 * g_source_set_ready_time() wakes the context by a system call, even from the
 * context's own thread. What becomes due while other sources are dispatched is
 * done right behind them (p2p_connection_run()), before the loop asks the
 * system again what there is. Datagrams that arrive are fed to the engine at
 * once, but acknowledgements and callbacks wait for the source, so that a burst
 * that libnice drains in one go is answered once. A burst that does not end is
 * answered in between, since libnice reads until the socket is empty and would
 * starve our timers otherwise.
 *
 * References: the source holds none; p2p_connection_free() destroys it and,
 * when called from a callback, leaves the memory to the dispatch that is
 * running.
 */
#include "p2pconnection.h"
#include "p2pborrow.h"
#include "p2pdirect.h"

#include <string.h>

/* Of one round, so that sessions take turns. */
#define OUTPUT_BUDGET 64
#define MESSAGE_BUDGET 64
#define EVENT_BUDGET 64
/* Datagrams taken before the engine gets to answer. */
#define INPUT_BATCH 64
/* The socket was full. */
#define BUSY_RETRY_US 1000
/* Handshake datagrams that wait for a path; a flight is four or so. */
#define MAX_HELD 8
/* Engine packets that overtook the end of the handshake. */
#define MAX_EARLY 4

G_STATIC_ASSERT (UDT_MAX_PACKET <= P2P_TRAIN_DATAGRAM);

typedef enum {
  LINK_IDLE, /* no path yet */
  LINK_HANDSHAKE,
  LINK_RUNNING, /* the engine lives */
  LINK_FINISHED,
} LinkState;

struct _P2pConnection
{
  GSource *source;
  P2pConnectionConfig config;
  P2pConnectionCallbacks callbacks;
  gpointer user;
  P2pPath *path;

  LinkState state;
  gboolean dispatching, dead; /* dead: freed while dispatching */
  gboolean told_ready, told_connected;

  P2pHandshake *handshake;
  gchar *failure;
  P2pRecord *record;
  UdtConnection *conn;

  GBytes *held[MAX_HELD];
  guint n_held;
  GBytes *early[MAX_EARLY];
  guint n_early;

  guint input_batch;
  gint64 due; /* of the source */
  gint64 busy_until;
  P2pTrain *rest; /* what the socket had no room for */
  gint64 last_received;
  guint64 refused;
};

typedef struct
{
  GSource source;
  P2pConnection *link;
} ConnectionSource;

/* -- Sealing --------------------------------------------------------------- */

static bool
env_seal (void *user, uint64_t number, const uint8_t *aad, size_t aad_len,
          uint8_t *data, size_t len)
{
  P2pConnection *link = user;

  return p2p_record_seal (link->record, number, aad, aad_len, data, len);
}

static bool
env_open (void *user, uint64_t number, const uint8_t *aad, size_t aad_len,
          uint8_t *data, size_t len)
{
  P2pConnection *link = user;

  return p2p_record_open (link->record, number, aad, aad_len, data, len);
}

/* -- Handshake ------------------------------------------------------------- */

static void
send_held (P2pConnection *link)
{
  guint i;

  for (i = 0; i < link->n_held; i++) {
    gsize len;
    const guint8 *data = g_bytes_get_data (link->held[i], &len);

    p2p_path_send (link->path, data, len);
    g_bytes_unref (link->held[i]);
  }
  link->n_held = 0;
}

/* The device may be asked before its own side of the path stands; the answer
 * waits for that instead of for a retransmission. */
static void
on_handshake_send (const guint8 *datagram, gsize len, gpointer user)
{
  P2pConnection *link = user;

  if (link->path != NULL && p2p_path_is_usable (link->path))
    p2p_path_send (link->path, datagram, len);
  else if (link->n_held < MAX_HELD)
    link->held[link->n_held++] = g_bytes_new (datagram, len);
}

static gboolean
start_engine (P2pConnection *link)
{
  P2pSessionKeys keys;
  UdtConfig config;
  UdtEnv env;

  if (!p2p_handshake_get_keys (link->handshake, &keys))
    return FALSE;
  link->record = p2p_record_new (&keys, link->config.aead);
  p2p_borrow_env (&env, link);
  env.seal = env_seal;
  env.open = env_open;
  udt_config_init (&config);
  config.local_id = keys.receive_id;
  config.remote_id = keys.send_id;
  p2p_session_keys_clear (&keys);
  config.latency = (UdtTime)link->config.latency_ms * 1000;
  config.send_limit = link->config.send_limit;
  config.receive_limit = link->config.receive_limit;
  config.keep_alive_interval
      = (UdtTime)link->config.keep_alive_interval_s * G_USEC_PER_SEC;
  config.keep_alive_attempts = link->config.keep_alive_attempts;
  link->conn
      = udt_connection_new (&config, &env, (UdtTime)g_get_monotonic_time ());
  return link->record != NULL && link->conn != NULL;
}

static void
drop_handshake (P2pConnection *link)
{
  g_clear_pointer (&link->handshake, p2p_handshake_free);
  while (link->n_held > 0)
    g_bytes_unref (link->held[--link->n_held]);
}

static void
fail (P2pConnection *link, const gchar *detail)
{
  if (link->failure == NULL)
    link->failure = g_strdup (detail);
  link->state = LINK_FINISHED;
}

static void
take_early (P2pConnection *link)
{
  while (link->n_early > 0) {
    GBytes *bytes = link->early[0];
    gsize len;
    guint8 *data;

    link->n_early--;
    memmove (link->early, link->early + 1,
             link->n_early * sizeof link->early[0]);
    data = g_bytes_unref_to_data (bytes, &len);
    p2p_connection_input (link, data, len);
    g_free (data);
  }
}

static void
advance_handshake (P2pConnection *link, P2pHandshakeState state)
{
  if (state == P2P_HANDSHAKE_FAILED) {
    fail (link, p2p_handshake_get_error (link->handshake));
  } else if (state == P2P_HANDSHAKE_DONE && link->state == LINK_HANDSHAKE) {
    if (!start_engine (link)) {
      fail (link, "out of memory");
      return;
    }
    link->state = LINK_RUNNING;
    /* The server's last flight may get lost: it keeps what it would need to
     * repeat that until the client's first packet. */
    if (link->config.client)
      drop_handshake (link);
    take_early (link);
  }
}

static void
begin_handshake (P2pConnection *link, gint64 now)
{
  GError *error = NULL;

  link->state = LINK_HANDSHAKE;
  link->handshake
      = p2p_handshake_new (link->config.identity, link->config.client,
                           link->config.peer_fingerprint, on_handshake_send,
                           link, now, &error);
  if (link->handshake == NULL)
    fail (link, error->message);
  g_clear_error (&error);
}

static void
input_handshake (P2pConnection *link, const guint8 *data, gsize len, gint64 now)
{
  if (link->state == LINK_IDLE && !link->config.client)
    begin_handshake (link, now);
  if (link->handshake == NULL) {
    link->refused++;
    return;
  }
  advance_handshake (link,
                     p2p_handshake_input (link->handshake, data, len, now));
}

/* -- Input and output ------------------------------------------------------ */

static void
drop_rest (P2pConnection *link)
{
  if (link->rest != NULL)
    p2p_train_give (g_steal_pointer (&link->rest));
}

/* FALSE: the socket is full. What it had no room for waits here.
 * Other errors are the network's: unreachable for now, or a probe above the MTU
 * of the interface. What was lost is found out like any loss. */
static gboolean
send_train (P2pConnection *link, P2pTrain *train, gint64 now)
{
  if (p2p_path_send_train (link->path, train) == P2P_PATH_BUSY) {
    link->rest = train;
    link->busy_until = now + BUSY_RETRY_US;
    return FALSE;
  }
  p2p_train_give (train);
  return TRUE;
}

static void
flush (P2pConnection *link, gint64 now, guint budget)
{
  gsize len = 1;

  if (link->conn == NULL || link->path == NULL
      || !p2p_path_is_usable (link->path) || now < link->busy_until)
    return;
  if (link->rest != NULL
      && !send_train (link, g_steal_pointer (&link->rest), now))
    return;
  while (budget > 0 && len > 0) {
    P2pTrain *train = p2p_path_take_train (link->path);
    guint8 *packet;

    while (budget > 0 && (packet = p2p_train_reserve (train)) != NULL) {
      len = udt_connection_output (link->conn, packet, UDT_MAX_PACKET,
                                   (UdtTime)now);
      if (len == 0)
        break;
      p2p_path_add (link->path, train, len);
      budget--;
    }
    if (!send_train (link, train, now))
      return;
  }
}

static gboolean
input_engine (P2pConnection *link, guint8 *data, gsize len, gint64 now)
{
  if (link->conn == NULL) {
    if (link->state == LINK_HANDSHAKE && link->n_early < MAX_EARLY)
      link->early[link->n_early++] = g_bytes_new (data, len);
    else
      link->refused++;
    return FALSE;
  }
  if (udt_connection_input (link->conn, data, len, (UdtTime)now) != UDT_OK)
    return FALSE;
  link->last_received = now;
  if (++link->input_batch >= INPUT_BATCH) {
    link->input_batch = 0;
    udt_connection_tick (link->conn, (UdtTime)now);
    flush (link, now, OUTPUT_BUDGET);
  }
  return TRUE;
}

gboolean
p2p_connection_input (P2pConnection *link, guint8 *data, gsize len)
{
  gint64 now = g_get_monotonic_time ();
  gboolean authentic = FALSE;

  if (link->state == LINK_FINISHED || len == 0)
    return FALSE;
  if (data[0] >= P2P_FIRST_ENGINE_BYTE && len <= UDT_MAX_PACKET)
    authentic = input_engine (link, data, len, now);
  else if (p2p_handshake_is_datagram (data, len))
    input_handshake (link, data, len, now);
  else
    link->refused++;
  link->due = 0;
  return authentic;
}

/* -- The source ------------------------------------------------------------ */

/* A goodbye comes behind everything that was sent before it, and that has been
 * acknowledged: it must not be thrown away. */
static void
tell_rest (P2pConnection *link)
{
  UdtReceived message;

  link->callbacks.closing (link, link->user);
  while (!link->dead
         && udt_connection_receive (link->conn, &message,
                                    (UdtTime)g_get_monotonic_time ())
                == UDT_OK)
    link->callbacks.message (link, &message, link->user);
}

static void
tell_event (P2pConnection *link, const UdtEvent *event)
{
  switch (event->type) {
    case UDT_EVENT_CONNECTED:
      link->told_connected = TRUE;
      drop_handshake (link);
      link->callbacks.connected (link, link->user);
      break;
    case UDT_EVENT_CLOSED:
    case UDT_EVENT_DEAD:
      link->state = LINK_FINISHED;
      if (event->type == UDT_EVENT_CLOSED && event->by_peer)
        tell_rest (link);
      if (link->dead)
        return;
      link->callbacks.finished (link, event->type == UDT_EVENT_DEAD,
                                event->by_peer ? event->reason : "",
                                link->user);
      break;
    case UDT_EVENT_PATH_MTU:
    case UDT_EVENT_FLOW_OPENED:
      break;
    default:
      link->callbacks.event (link, event, link->user);
      break;
  }
}

/* FALSE: over, nothing more may be touched but link->dead. */
static gboolean
tell (P2pConnection *link, gint64 now, gboolean *more)
{
  UdtEvent event;
  UdtReceived message;
  guint n;

  if (!link->told_ready) {
    link->told_ready = TRUE;
    link->callbacks.ready (link, link->user);
  }
  for (n = 0; !link->dead && link->state == LINK_RUNNING && n < EVENT_BUDGET;
       n++) {
    if (udt_connection_event (link->conn, &event) != UDT_OK)
      break;
    tell_event (link, &event);
  }
  *more |= n == EVENT_BUDGET;
  for (n = 0; !link->dead && link->state == LINK_RUNNING && n < MESSAGE_BUDGET;
       n++) {
    if (udt_connection_receive (link->conn, &message, (UdtTime)now) != UDT_OK)
      break;
    link->callbacks.message (link, &message, link->user);
  }
  *more |= n == MESSAGE_BUDGET;
  if (!link->dead && link->state == LINK_RUNNING)
    link->callbacks.round (link, link->user);
  return !link->dead;
}

static void
rearm (P2pConnection *link, gint64 now, gboolean more)
{
  gint64 next = G_MAXINT64;

  if (link->handshake != NULL)
    next = MIN (next, p2p_handshake_next_time (link->handshake));
  if (link->conn != NULL && link->state == LINK_RUNNING && link->path != NULL
      && p2p_path_is_usable (link->path)) {
    UdtTime due = udt_connection_next_time (link->conn);
    gint64 when = due >= (UdtTime)G_MAXINT64 ? G_MAXINT64 : (gint64)due;

    next = MIN (next, MAX (when, link->busy_until));
  } else if (link->conn != NULL && link->state == LINK_RUNNING) {
    /* Without a path nothing can go out, but time goes on for deadlines. */
    next = MIN (next, now + 100 * 1000);
  }
  if (link->rest != NULL)
    next = MIN (next, link->busy_until);
  if (more)
    next = 0;
  link->due = next;
}

static void
work (P2pConnection *link)
{
  gint64 now = g_get_monotonic_time ();
  gboolean more = FALSE;

  link->input_batch = 0;
  if (link->handshake != NULL && link->state != LINK_FINISHED
      && p2p_handshake_next_time (link->handshake) <= now)
    advance_handshake (link, p2p_handshake_tick (link->handshake, now));
  if (link->failure != NULL) {
    link->callbacks.failed (link, link->failure, link->user);
    return;
  }
  if (link->state == LINK_RUNNING) {
    udt_connection_tick (link->conn, (UdtTime)now);
    if (!tell (link, now, &more) || link->state != LINK_RUNNING)
      return;
    flush (link, g_get_monotonic_time (), OUTPUT_BUDGET);
  }
  rearm (link, now, more);
}

static void
link_destroy (P2pConnection *link)
{
  guint i;

  drop_handshake (link);
  drop_rest (link);
  for (i = 0; i < link->n_early; i++)
    g_bytes_unref (link->early[i]);
  udt_connection_free (link->conn);
  if (link->record != NULL)
    p2p_record_free (link->record);
  p2p_identity_unref (link->config.identity);
  g_free (link->failure);
  g_source_destroy (link->source);
  g_source_unref (link->source);
  g_free (link);
}

static void
run (P2pConnection *link)
{
  link->due = G_MAXINT64;
  link->dispatching = TRUE;
  work (link);
  link->dispatching = FALSE;
  if (link->dead)
    link_destroy (link);
}

static gboolean
link_dispatch (GSource *source, GSourceFunc callback, gpointer user)
{
  run (((ConnectionSource *)source)->link);
  return G_SOURCE_CONTINUE;
}

static gboolean
link_prepare (GSource *source, gint *timeout_ms)
{
  gint64 due = ((ConnectionSource *)source)->link->due;
  gint64 left = due - g_source_get_time (source);

  *timeout_ms
      = due == G_MAXINT64 ? -1 : (gint)CLAMP ((left + 999) / 1000, 0, G_MAXINT);
  return left <= 0;
}

static gboolean
link_check (GSource *source)
{
  return ((ConnectionSource *)source)->link->due <= g_source_get_time (source);
}

static GSourceFuncs link_funcs = {
  .prepare = link_prepare,
  .check = link_check,
  .dispatch = link_dispatch,
};

/* -- Interface ------------------------------------------------------------- */

P2pConnection *
p2p_connection_new (const P2pConnectionConfig *config,
                    const P2pConnectionCallbacks *callbacks, gpointer user)
{
  P2pConnection *link = g_new0 (P2pConnection, 1);

  link->config = *config;
  p2p_identity_ref (link->config.identity);
  link->callbacks = *callbacks;
  link->user = user;
  link->due = G_MAXINT64;
  link->source = g_source_new (&link_funcs, sizeof (ConnectionSource));
  ((ConnectionSource *)link->source)->link = link;
  g_source_attach (link->source, config->context);
  return link;
}

void
p2p_connection_free (P2pConnection *link)
{
  if (link == NULL)
    return;
  link->dead = TRUE;
  link->path = NULL;
  if (!link->dispatching)
    link_destroy (link);
}

void
p2p_connection_use_path (P2pConnection *link, P2pPath *path)
{
  gint64 now = g_get_monotonic_time ();

  link->path = path;
  link->busy_until = 0;
  drop_rest (link);
  if (path != NULL && link->state == LINK_IDLE && link->config.client)
    begin_handshake (link, now);
  if (path != NULL && p2p_path_is_usable (path))
    send_held (link);
  link->due = 0;
}

void
p2p_connection_close (P2pConnection *link, const gchar *reason, guint drain_ms)
{
  if (link->conn == NULL || link->state != LINK_RUNNING)
    return;
  udt_connection_close (link->conn, 0, reason, (UdtTime)drain_ms * 1000,
                        (UdtTime)g_get_monotonic_time ());
  link->due = 0;
}

UdtConnection *
p2p_connection_get_engine (P2pConnection *link)
{
  return link->conn;
}

void
p2p_connection_wake (P2pConnection *link)
{
  link->due = 0;
}

void
p2p_connection_run (P2pConnection *link, gint64 now)
{
  if (link->due <= now)
    run (link);
}

gint64
p2p_connection_get_last_received (P2pConnection *link)
{
  return link->last_received;
}

guint64
p2p_connection_get_refused (P2pConnection *link)
{
  UdtStats stats;
  guint64 n = link->refused;

  if (link->conn != NULL) {
    udt_connection_get_stats (link->conn, (UdtTime)g_get_monotonic_time (),
                              &stats);
    n += stats.refused_truncated + stats.refused_other_id + stats.refused_forged
         + stats.refused_replayed + stats.refused_malformed
         + stats.refused_limit;
  }
  return n;
}
