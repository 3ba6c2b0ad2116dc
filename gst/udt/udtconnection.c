/* A connection: birth, timers, events, keep-alive, close.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtprivate.h"

#define MIN_RECEIVE_LIMIT (64u << 10)
#define MIN_SEND_LIMIT 4096u
#define INITIAL_WINDOW (256u << 10) /* before the peer has told its own */
#define FIRST_EVENTS 32             /* that there is room for at first */

void
udt_config_init (UdtConfig *config)
{
  memset (config, 0, sizeof *config);
  config->latency = 200 * MS;
  config->send_limit = 4u << 20;
  config->receive_limit = 4u << 20;
  config->max_message = 2u << 20;
  config->packets_in_flight = 4096;
  config->mtu = UDT_MIN_MTU;
  config->max_mtu = UDT_MAX_PACKET;
  config->keep_alive_interval = 10 * SECOND;
  config->keep_alive_attempts = 3;
}

static bool
config_is_valid (const UdtConfig *config, const UdtEnv *env)
{
  if (env->alloc == NULL || env->free == NULL || env->seal == NULL
      || env->open == NULL)
    return false;
  return config->mtu >= 256 && config->mtu <= UDT_MAX_PACKET
         && config->max_mtu <= UDT_MAX_PACKET && config->max_message >= 1
         && config->max_message <= UDT_MAX_MESSAGE
         && config->send_limit >= MIN_SEND_LIMIT
         && config->receive_limit >= MIN_RECEIVE_LIMIT
         && config->packets_in_flight >= 2 * UDT_SENT_RESERVE
         && config->packets_in_flight <= (1u << 20)
         && config->latency <= UDT_MAX_LATENCY;
}

static uint32_t
power_of_two (uint32_t n)
{
  uint32_t p = 1;

  while (p <= n / 2)
    p *= 2;
  return p;
}

static void
init_settings (UdtConnection *conn)
{
  UdtConfig *c = &conn->config;

  if (c->max_message > c->receive_limit / 2)
    c->max_message = (uint32_t)(c->receive_limit / 2);
  conn->own.version = UDT_VERSION;
  conn->own.latency = c->latency;
  conn->own.max_message = c->max_message;
  conn->own.flow_window = c->receive_limit / 2;
  conn->own.id_window = UDT_ID_WINDOW;
  conn->settings_due = true;
  conn->peer.max_message = UDT_MAX_MESSAGE;
  conn->peer.flow_window = INITIAL_WINDOW;
  conn->peer.id_window = UDT_ID_WINDOW;
}

/* The ring's end moves, so that it goes on as it is. */
static bool
grow_events (UdtConnection *conn)
{
  uint32_t before = conn->events_size, tail;

  if (!udt_array_grow (&conn->env, &conn->events, &conn->events_size,
                       sizeof *conn->events, FIRST_EVENTS, UDT_MAX_EVENTS))
    return false;
  tail = before - conn->events_head;
  if (conn->events_head > 0) {
    memmove (&conn->events[conn->events_size - tail],
             &conn->events[conn->events_head], tail * sizeof *conn->events);
    conn->events_head = conn->events_size - tail;
  }
  return true;
}

UdtConnection *
udt_connection_new (const UdtConfig *config, const UdtEnv *env, UdtTime now)
{
  UdtConnection *conn;
  uint32_t limit;

  if (!config_is_valid (config, env))
    return NULL;
  conn = env->alloc (env->user, sizeof *conn);
  if (conn == NULL)
    return NULL;
  memset (conn, 0, sizeof *conn);
  conn->env = *env;
  conn->config = *config;
  conn->congestion
      = config->congestion != NULL ? config->congestion : &udt_congestion_delay;
  limit = power_of_two (config->packets_in_flight);
  conn->config.packets_in_flight = limit;
  conn->sent_size = limit < UDT_SENT_INITIAL ? limit : UDT_SENT_INITIAL;
  conn->sent_mask = conn->sent_size - 1;
  conn->sent = env->alloc (env->user, conn->sent_size * sizeof *conn->sent);
  conn->law = env->alloc (env->user, conn->congestion->state_size);
  udt_pool_init (&conn->out_pool, &conn->env, sizeof (UdtOut), 32,
                 UDT_MAX_OUT_MESSAGES);
  udt_pool_init (&conn->item_pool, &conn->env, sizeof (UdtItem), 128,
                 limit * 2 + 2 * UDT_MAX_FLOWS);
  udt_pool_init (&conn->in_pool, &conn->env, sizeof (UdtIn), 32,
                 UDT_MAX_IN_MESSAGES);
  udt_pool_init (&conn->hole_pool, &conn->env, sizeof (UdtHole), 256,
                 UDT_MAX_HOLES);
  udt_pool_init (&conn->protected_pool, &conn->env, sizeof (UdtProtected), 16,
                 UDT_MAX_PROTECTED);
  udt_pool_init (&conn->twins_pool, &conn->env, sizeof (UdtTwins), 32,
                 UDT_MAX_TWINS);
  udt_pool_init (&conn->repair_pool, &conn->env, sizeof (UdtRepair), 16,
                 UDT_MAX_REPAIRS_HELD);
  udt_pool_init (&conn->settled_pool, &conn->env, UDT_SETTLED_SIZE, 4,
                 UDT_MAX_FLOWS);
  if (conn->sent == NULL || conn->law == NULL || !grow_events (conn)
      || !udt_pool_reserve (&conn->item_pool, 1)
      || !udt_pool_reserve (&conn->out_pool, 1)) {
    udt_connection_free (conn);
    return NULL;
  }
  memset (conn->sent, 0, conn->sent_size * sizeof *conn->sent);
  conn->now = conn->created = now;
  conn->last_heard = conn->data_time = now;
  conn->in_flight.head = conn->in_flight.tail = UDT_NUMBER_NONE;
  conn->lost.head = conn->lost.tail = UDT_NUMBER_NONE;
  conn->largest_acked = conn->last_output = UDT_NUMBER_NONE;
  conn->loss_time = conn->ack_time = conn->nak_time = UDT_NEVER;
  conn->copies_time = UDT_NEVER;
  conn->close_time = conn->life_end = UDT_NEVER;
  conn->mtu = conn->config.mtu;
  conn->max_mtu
      = conn->config.max_mtu > conn->mtu ? conn->config.max_mtu : conn->mtu;
  udt_seen_init (&conn->seen);
  init_settings (conn);
  udt_path_init (conn, now);
  udt_mtu_start (conn, now);
  return conn;
}

static void
release_all (UdtConnection *conn)
{
  uint32_t i;

  for (i = 0; i < conn->flows_out_size; i++) {
    if (conn->flows_out[i].used)
      udt_flow_out_clear (conn, &conn->flows_out[i]);
  }
}

static void
free_block (const UdtEnv *env, void *block)
{
  if (block != NULL)
    env->free (env->user, block);
}

void
udt_connection_free (UdtConnection *conn)
{
  UdtEnv env;

  if (conn == NULL)
    return;
  env = conn->env;
  release_all (conn);
  udt_in_free_all (conn);
  udt_sent_free_all (conn);
  udt_pool_clear (&conn->out_pool);
  udt_pool_clear (&conn->item_pool);
  udt_pool_clear (&conn->in_pool);
  udt_pool_clear (&conn->hole_pool);
  udt_pool_clear (&conn->protected_pool);
  udt_pool_clear (&conn->repair_pool);
  udt_pool_clear (&conn->settled_pool);
  udt_pool_clear (&conn->twins_pool);
  free_block (&env, conn->law);
  free_block (&env, conn->flows_out);
  free_block (&env, conn->flows_in);
  free_block (&env, conn->missing);
  free_block (&env, conn->events);
  env.free (env.user, conn);
}

UdtTime
udt_advance (UdtConnection *conn, UdtTime now)
{
  if (now > conn->now)
    conn->now = now;
  else if (now < conn->now)
    conn->stood_still = conn->now + 1;
  return conn->now;
}

/* --- Events --- */

/* What one packet, or the time, can cause stays below this. */
static uint32_t
events_reserve (uint32_t flows)
{
  return 3 * flows + 16;
}

bool
udt_events_have_room (UdtConnection *conn)
{
  uint32_t flows = conn->flows_out_size > conn->flows_in_size
                       ? conn->flows_out_size
                       : conn->flows_in_size;

  if (conn->n_events + events_reserve (UDT_MAX_FLOWS) >= UDT_MAX_EVENTS)
    return false;
  while (conn->n_events + events_reserve (flows) > conn->events_size) {
    if (!grow_events (conn))
      return false;
  }
  return true;
}

static UdtQueuedEvent *
queued (UdtConnection *conn, uint32_t i)
{
  return &conn->events[(conn->events_head + i) % conn->events_size];
}

static bool
merges (UdtEventType type)
{
  return type == UDT_EVENT_DROPPED || type == UDT_EVENT_GAP
         || type == UDT_EVENT_WRITABLE || type == UDT_EVENT_PATH_MTU;
}

void
udt_event_push (UdtConnection *conn, UdtEventType type, uint16_t flow,
                uint32_t count, bool need_sync, uint64_t value)
{
  UdtQueuedEvent *e;
  uint32_t i;

  for (i = conn->n_events; i-- > 0;) {
    e = queued (conn, i);
    if (e->flow == flow && e->type == UDT_EVENT_FLOW_OPENED
        && type == UDT_EVENT_GAP)
      break;
    if (e->type != type || e->flow != flow || !merges (type))
      continue;
    e->count += count;
    e->need_sync |= need_sync;
    e->value = value;
    return;
  }
  if (conn->n_events == conn->events_size && !grow_events (conn))
    return;
  e = queued (conn, conn->n_events++);
  memset (e, 0, sizeof *e);
  e->type = (uint8_t)type;
  e->flow = flow;
  e->count = count;
  e->need_sync = need_sync;
  e->value = value;
}

UdtStatus
udt_connection_event (UdtConnection *conn, UdtEvent *event)
{
  const UdtQueuedEvent *e;

  if (conn->n_events == 0)
    return UDT_ERR_EMPTY;
  e = queued (conn, 0);
  conn->events_head = (conn->events_head + 1) % conn->events_size;
  conn->n_events--;
  memset (event, 0, sizeof *event);
  event->type = (UdtEventType)e->type;
  event->flow = e->flow;
  event->count = e->count;
  event->need_sync = e->need_sync;
  event->value = e->value;
  if (event->type == UDT_EVENT_CLOSED) {
    event->code = conn->close_code;
    event->by_peer = conn->close_by_peer;
    memcpy (event->reason, conn->close_reason, sizeof event->reason);
  }
  return UDT_OK;
}

/* --- Close --- */

void
udt_finish (UdtConnection *conn, UdtLife life)
{
  conn->life = life;
  release_all (conn);
  conn->mask_reset = 0;
  conn->in_window_due = 0;
  conn->settings_due = false;
  conn->ping_due = false;
  conn->probes_owed = 0;
  conn->nak_time = UDT_NEVER;
}

/* Between repeats of CLOSE; bounded, whatever the round trip is taken for. */
static UdtTime
close_interval (const UdtConnection *conn)
{
  UdtTime interval = udt_expiry_interval (conn);

  return interval < UDT_MAX_CLOSE_INTERVAL ? interval : UDT_MAX_CLOSE_INTERVAL;
}

static void
start_closing (UdtConnection *conn)
{
  udt_finish (conn, LIFE_CLOSING);
  conn->life_end = UDT_NEVER;
  conn->close_due = true;
  conn->close_tries = 1;
  conn->close_time = conn->now + close_interval (conn);
}

/* No message is left to arrive, not even an empty one. */
static bool
is_drained (const UdtConnection *conn)
{
  uint32_t i;

  if (conn->buffered > 0)
    return false;
  for (i = 0; i < conn->flows_out_size; i++) {
    if (conn->flows_out[i].used && udt_first_live (&conn->flows_out[i]) != NULL)
      return false;
  }
  return true;
}

void
udt_connection_close (UdtConnection *conn, uint32_t code, const char *reason,
                      UdtTime drain, UdtTime now)
{
  size_t len = reason != NULL ? strlen (reason) : 0;

  if (conn->life != LIFE_OPEN)
    return;
  now = udt_advance (conn, now);
  if (len > UDT_MAX_CLOSE_REASON)
    len = UDT_MAX_CLOSE_REASON;
  if (len > 0)
    memcpy (conn->close_reason, reason, len);
  conn->close_reason[len] = '\0';
  conn->close_code = code;
  if (drain > 0 && !is_drained (conn)) {
    conn->life = LIFE_DRAINING;
    conn->life_end = drain > UDT_NEVER - 1 - now ? UDT_NEVER : now + drain;
    return;
  }
  start_closing (conn);
}

static void
closed (UdtConnection *conn)
{
  udt_finish (conn, LIFE_FINISHED);
  udt_event_push (conn, UDT_EVENT_CLOSED, 0, 0, false, 0);
}

void
udt_close_confirmed (UdtConnection *conn)
{
  if (conn->life == LIFE_CLOSING)
    closed (conn);
}

void
udt_closed_by_peer (UdtConnection *conn, const UdtCloseFrame *frame)
{
  if (conn->life == LIFE_LINGERING || conn->life == LIFE_FINISHED)
    return;
  if (conn->life != LIFE_CLOSING) {
    conn->close_by_peer = true;
    conn->close_code = (uint32_t)frame->code;
    memset (conn->close_reason, 0, sizeof conn->close_reason);
    if (frame->reason_len > 0)
      memcpy (conn->close_reason, frame->reason, frame->reason_len);
  }
  /* Stays to answer repeats, in case our acknowledgement is lost. */
  udt_finish (conn, LIFE_LINGERING);
  conn->close_due = false;
  conn->close_time = UDT_NEVER;
  conn->life_end = conn->now + UDT_CLOSE_TRIES * close_interval (conn);
  udt_event_push (conn, UDT_EVENT_CLOSED, 0, 0, false, 0);
}

bool
udt_connection_is_finished (const UdtConnection *conn)
{
  return conn->life == LIFE_FINISHED;
}

static void
close_tick (UdtConnection *conn, UdtTime now)
{
  switch (conn->life) {
    case LIFE_DRAINING:
      if (is_drained (conn) || conn->life_end <= now)
        start_closing (conn);
      break;
    case LIFE_CLOSING:
      if (conn->close_time > now)
        break;
      if (conn->close_tries >= UDT_CLOSE_TRIES) {
        closed (conn);
        break;
      }
      conn->close_tries++;
      conn->close_due = true;
      conn->close_time = now + close_interval (conn);
      break;
    case LIFE_LINGERING:
      if (conn->life_end <= now)
        conn->life = LIFE_FINISHED;
      break;
    default:
      break;
  }
}

static UdtTime
close_tick_time (const UdtConnection *conn)
{
  switch (conn->life) {
    case LIFE_DRAINING:
      return is_drained (conn) ? conn->now : conn->life_end;
    case LIFE_CLOSING:
      return conn->close_time;
    case LIFE_LINGERING:
      return conn->life_end;
    default:
      return UDT_NEVER;
  }
}

/* --- Keep-alive --- */

static UdtTime
keep_alive_time (const UdtConnection *conn)
{
  UdtTime interval = conn->config.keep_alive_interval;

  if (interval == 0 || conn->life > LIFE_DRAINING)
    return UDT_NEVER;
  return conn->last_heard + interval * (conn->pings_unanswered + 1);
}

static void
keep_alive_tick (UdtConnection *conn, UdtTime now)
{
  if (keep_alive_time (conn) > now)
    return;
  if (conn->pings_unanswered >= conn->config.keep_alive_attempts) {
    udt_finish (conn, LIFE_FINISHED);
    udt_event_push (conn, UDT_EVENT_DEAD, 0, 0, false, 0);
    return;
  }
  /* A long sleep of our own must not look like the peer's silence. */
  if (now - conn->last_heard
      > conn->config.keep_alive_interval * (conn->pings_unanswered + 2))
    conn->last_heard
        = now - conn->config.keep_alive_interval * (conn->pings_unanswered + 1);
  conn->pings_unanswered++;
  conn->ping_due = true;
}

/* --- Time --- */

void
udt_connection_tick (UdtConnection *conn, UdtTime now)
{
  now = udt_advance (conn, now);
  if (conn->life == LIFE_FINISHED)
    return;
  if (conn->life <= LIFE_DRAINING) {
    keep_alive_tick (conn, now);
    if (conn->life > LIFE_DRAINING)
      return;
    udt_loss_tick (conn, now);
    udt_drop_late (conn, now);
    udt_expire_late (conn, now);
    if (conn->congestion->next_time (conn->law) <= now)
      conn->congestion->on_tick (conn->law, now);
  }
  close_tick (conn, now);
}

static UdtTime
earlier (UdtTime a, UdtTime b)
{
  return a < b ? a : b;
}

UdtTime
udt_connection_next_time (const UdtConnection *conn)
{
  UdtTime time;

  if (conn->life == LIFE_FINISHED)
    return UDT_NEVER;
  time = earlier (udt_output_time (conn), close_tick_time (conn));
  if (conn->life > LIFE_DRAINING)
    return time;
  time = earlier (time, keep_alive_time (conn));
  time = earlier (time, conn->loss_time);
  time = earlier (time, udt_expiry_time (conn));
  time = earlier (time, udt_drop_time (conn));
  time = earlier (time, udt_expire_time (conn));
  return earlier (time, conn->congestion->next_time (conn->law));
}

/* --- Latency --- */

UdtTime
udt_connection_peer_latency (const UdtConnection *conn)
{
  return conn->connected ? conn->peer.latency : 0;
}

void
udt_connection_set_latency (UdtConnection *conn, UdtTime latency, UdtTime now)
{
  udt_advance (conn, now);
  if (latency > UDT_MAX_LATENCY)
    latency = UDT_MAX_LATENCY;
  if (conn->own.latency == latency || conn->life > LIFE_DRAINING)
    return;
  conn->own.latency = latency;
  conn->settings_due = true;
  conn->settings_confirmed = false;
}
