/* The notify thread.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: `lock` covers the queue, the listeners and the state; it is a leaf
 * and not held while a listener runs. Listeners are told from a copy of the
 * list, each under its own guard, so that one may remove itself or another.
 * Commands come on other threads, several at a time: who is inside which
 * listener is kept in a list of it, under `lock`.
 */
#include "p2pnotify.h"
#include "p2pguard.h"

/* A listener that never returns must not fill the memory. What it misses then
 * are the newest events. */
#define MAX_QUEUED 4096

typedef struct
{
  gint refs;
  guint id;
  P2pListener calls;
  gpointer user;
  P2pGuard guard;
  GSList *inside; /* threads in command(); under the notify's lock */
  gboolean removed;
} Listener;

typedef enum {
  EVENT_STEP,
  EVENT_AUTHORIZE,
  EVENT_PEER_ADDED,
  EVENT_PEER_REMOVED,
  EVENT_REQUEST_ADDED,
  EVENT_REQUEST_REMOVED,
  EVENT_OFFER_ADDED,
  EVENT_OFFER_REMOVED,
  EVENT_WATERMARK,
  EVENT_RELAY_MISSING,
  EVENT_RUN, /* `destroy` is what it is about */
} EventType;

typedef struct
{
  EventType type;
  P2pStep step;
  P2pPeerInfo peer;
  gchar *texts[6]; /* what the pointers above point to */
  guint request;
  unsigned mark;
  guint64 level_bytes, level_us;
  P2pNotifyDecided decided;
  gpointer user;
  GDestroyNotify destroy;
} Event;

struct _P2pNotify
{
  gint refs; /* owner and thread */
  P2pEndpoint *endpoint;
  GMutex lock;
  GCond wake;
  GCond left; /* a command() has returned */
  GQueue events;
  GPtrArray *listeners;
  guint last_id;
  GThread *thread;
  gboolean quit;
};

/* -- Listeners ------------------------------------------------------------- */

static void
listener_unref (gpointer data)
{
  Listener *listener = data;

  if (g_atomic_int_dec_and_test (&listener->refs)) {
    p2p_guard_clear (&listener->guard);
    if (listener->calls.destroy != NULL)
      listener->calls.destroy (listener->user);
    g_free (listener);
  }
}

static gpointer
listener_ref (gconstpointer data, gpointer unused)
{
  Listener *listener = (Listener *)data;

  g_atomic_int_inc (&listener->refs);
  return listener;
}

static GPtrArray *
copy_listeners (P2pNotify *notify)
{
  GPtrArray *copy;

  g_mutex_lock (&notify->lock);
  copy = g_ptr_array_copy (notify->listeners, listener_ref, NULL);
  g_mutex_unlock (&notify->lock);
  g_ptr_array_set_free_func (copy, listener_unref);
  return copy;
}

/* -- Events ---------------------------------------------------------------- */

static void
event_free (Event *event)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (event->texts); i++)
    g_free (event->texts[i]);
  if (event->destroy != NULL)
    event->destroy (event->user);
  g_free (event);
}

static void
take_peer (Event *event, const P2pPeerInfo *peer)
{
  event->peer = *peer;
  event->peer.id = event->texts[0] = g_strdup (peer->id);
  event->peer.path = event->texts[1] = g_strdup (peer->path);
  event->peer.local_address = event->texts[2] = g_strdup (peer->local_address);
  event->peer.remote_address = event->texts[3]
      = g_strdup (peer->remote_address);
}

static gboolean
tell_authorize (P2pNotify *notify, GPtrArray *listeners, const Event *event)
{
  gboolean accepted = TRUE;
  guint i;

  /* All are asked, each may refuse. */
  for (i = 0; i < listeners->len; i++) {
    Listener *l = g_ptr_array_index (listeners, i);

    if (l->calls.authorize == NULL || !p2p_guard_enter (&l->guard))
      continue;
    if (!l->calls.authorize (notify->endpoint, &event->peer, l->user))
      accepted = FALSE;
    p2p_guard_leave (&l->guard);
  }
  return accepted;
}

static void
tell_one (P2pNotify *notify, const Listener *l, const Event *event)
{
  P2pEndpoint *endpoint = notify->endpoint;

  switch (event->type) {
    case EVENT_STEP:
      if (l->calls.step != NULL)
        l->calls.step (endpoint, &event->step, l->user);
      break;
    case EVENT_PEER_ADDED:
      if (l->calls.peer_added != NULL)
        l->calls.peer_added (endpoint, &event->peer, l->user);
      break;
    case EVENT_PEER_REMOVED:
      if (l->calls.peer_removed != NULL)
        l->calls.peer_removed (endpoint, event->texts[0], event->texts[1],
                               l->user);
      break;
    case EVENT_REQUEST_ADDED:
      if (l->calls.request_added != NULL)
        l->calls.request_added (endpoint, event->texts[0], event->request,
                                event->texts[1], l->user);
      break;
    case EVENT_REQUEST_REMOVED:
      if (l->calls.request_removed != NULL)
        l->calls.request_removed (endpoint, event->texts[0], event->request,
                                  l->user);
      break;
    case EVENT_OFFER_ADDED:
      if (l->calls.offer_added != NULL)
        l->calls.offer_added (endpoint, event->texts[0], event->request,
                              event->texts[1], l->user);
      break;
    case EVENT_OFFER_REMOVED:
      if (l->calls.offer_removed != NULL)
        l->calls.offer_removed (endpoint, event->texts[0], event->request,
                                l->user);
      break;
    case EVENT_WATERMARK:
      if (l->calls.watermark != NULL)
        l->calls.watermark (endpoint, event->texts[0], event->mark,
                            event->level_bytes, event->level_us, l->user);
      break;
    case EVENT_RELAY_MISSING:
      if (l->calls.relay_missing != NULL)
        l->calls.relay_missing (endpoint, event->texts[0], event->texts[1],
                                l->user);
      break;
    case EVENT_AUTHORIZE:
    case EVENT_RUN:
      break;
  }
}

/* Nobody else needs to hear of it. */
static gboolean
is_enough (const Listener *l, const Event *event)
{
  return event->type == EVENT_RELAY_MISSING && l->calls.relay_missing != NULL;
}

static void
tell (P2pNotify *notify, GPtrArray *listeners, Event *event)
{
  guint i;

  if (event->type == EVENT_AUTHORIZE) {
    event->decided (tell_authorize (notify, listeners, event), event->user);
    return;
  }
  for (i = 0; i < listeners->len; i++) {
    Listener *l = g_ptr_array_index (listeners, i);

    if (!p2p_guard_enter (&l->guard))
      continue;
    tell_one (notify, l, event);
    p2p_guard_leave (&l->guard);
    if (is_enough (l, event))
      break;
  }
}

static void
notify_unref (P2pNotify *notify)
{
  Event *event;

  if (!g_atomic_int_dec_and_test (&notify->refs))
    return;
  while ((event = g_queue_pop_head (&notify->events)) != NULL)
    event_free (event);
  g_ptr_array_unref (notify->listeners);
  g_mutex_clear (&notify->lock);
  g_cond_clear (&notify->wake);
  g_cond_clear (&notify->left);
  g_free (notify);
}

static gpointer
notify_thread (gpointer data)
{
  P2pNotify *notify = data;

  g_mutex_lock (&notify->lock);
  while (!notify->quit) {
    Event *event = g_queue_pop_head (&notify->events);
    GPtrArray *listeners;

    if (event == NULL) {
      g_cond_wait (&notify->wake, &notify->lock);
      continue;
    }
    g_mutex_unlock (&notify->lock);
    listeners = copy_listeners (notify);
    tell (notify, listeners, event);
    event_free (event);
    g_ptr_array_unref (listeners);
    g_mutex_lock (&notify->lock);
  }
  g_mutex_unlock (&notify->lock);
  notify_unref (notify);
  return NULL;
}

/* With the lock held. What is to be run has limits of its own. */
static gboolean
is_worth (P2pNotify *notify, const Event *event)
{
  if (notify->quit)
    return FALSE;
  return event->type == EVENT_RUN
         || (notify->listeners->len > 0
             && g_queue_get_length (&notify->events) < MAX_QUEUED);
}

static void
post (P2pNotify *notify, Event *event)
{
  g_mutex_lock (&notify->lock);
  if (!is_worth (notify, event)) {
    g_mutex_unlock (&notify->lock);
    event_free (event);
    return;
  }
  if (notify->thread == NULL) {
    g_atomic_int_inc (&notify->refs);
    notify->thread = g_thread_new ("p2p-notify", notify_thread, notify);
  }
  g_queue_push_tail (&notify->events, event);
  g_cond_signal (&notify->wake);
  g_mutex_unlock (&notify->lock);
}

/* -- Interface ------------------------------------------------------------- */

P2pNotify *
p2p_notify_new (P2pEndpoint *endpoint)
{
  P2pNotify *notify = g_new0 (P2pNotify, 1);

  notify->refs = 1;
  notify->endpoint = endpoint;
  notify->listeners = g_ptr_array_new_with_free_func (listener_unref);
  g_queue_init (&notify->events);
  g_mutex_init (&notify->lock);
  g_cond_init (&notify->wake);
  g_cond_init (&notify->left);
  return notify;
}

void
p2p_notify_free (P2pNotify *notify)
{
  GThread *thread;

  g_mutex_lock (&notify->lock);
  notify->quit = TRUE;
  thread = notify->thread;
  g_cond_signal (&notify->wake);
  g_mutex_unlock (&notify->lock);
  if (thread == g_thread_self ())
    g_thread_unref (thread);
  else if (thread != NULL)
    g_thread_join (thread);
  notify_unref (notify);
}

guint
p2p_notify_add (P2pNotify *notify, const P2pListener *calls, gpointer user)
{
  Listener *listener = g_new0 (Listener, 1);
  guint id;

  listener->refs = 1;
  listener->calls = *calls;
  listener->user = user;
  p2p_guard_init (&listener->guard);
  g_mutex_lock (&notify->lock);
  id = listener->id = ++notify->last_id;
  g_ptr_array_add (notify->listeners, listener);
  g_mutex_unlock (&notify->lock);
  return id;
}

/* Those in other threads; a removed listener gets no more. */
static void
wait_for_commands (P2pNotify *notify, Listener *l)
{
  GSList *self;

  g_mutex_lock (&notify->lock);
  l->removed = TRUE;
  while (l->calls.destroy == NULL && l->inside != NULL) {
    self = g_slist_find (l->inside, g_thread_self ());
    if (self != NULL && l->inside->next == NULL)
      break;
    g_cond_wait (&notify->left, &notify->lock);
  }
  g_mutex_unlock (&notify->lock);
}

void
p2p_notify_remove (P2pNotify *notify, guint id)
{
  Listener *found = NULL;
  guint i;

  g_mutex_lock (&notify->lock);
  for (i = 0; i < notify->listeners->len; i++) {
    Listener *l = g_ptr_array_index (notify->listeners, i);

    if (l->id == id) {
      found = listener_ref (l, NULL);
      g_ptr_array_remove_index (notify->listeners, i);
      break;
    }
  }
  g_mutex_unlock (&notify->lock);
  if (found == NULL)
    return;
  p2p_guard_close (&found->guard);
  wait_for_commands (notify, found);
  listener_unref (found);
}

/* -- Commands -------------------------------------------------------------- */

/* NULL: it does not reply. */
static GBytes *
ask (P2pNotify *notify, Listener *l, const gchar *peer, GBytes *command)
{
  gpointer self = g_thread_self ();
  gboolean enter;
  GBytes *reply;

  g_mutex_lock (&notify->lock);
  enter = !l->removed;
  if (enter)
    l->inside = g_slist_prepend (l->inside, self);
  g_mutex_unlock (&notify->lock);
  if (!enter)
    return NULL;
  reply = l->calls.command (notify->endpoint, peer, command, l->user);
  g_mutex_lock (&notify->lock);
  l->inside = g_slist_remove (l->inside, self);
  g_cond_broadcast (&notify->left);
  g_mutex_unlock (&notify->lock);
  return reply;
}

GBytes *
p2p_notify_command (P2pNotify *notify, const gchar *peer, GBytes *command)
{
  GPtrArray *listeners = copy_listeners (notify);
  GBytes *reply = NULL;
  guint i;

  for (i = 0; i < listeners->len && reply == NULL; i++) {
    Listener *l = g_ptr_array_index (listeners, i);

    if (l->calls.command != NULL)
      reply = ask (notify, l, peer, command);
  }
  g_ptr_array_unref (listeners);
  return reply;
}

void
p2p_notify_watermark (P2pNotify *notify, const gchar *peer, unsigned mark,
                      guint64 level_bytes, guint64 level_us)
{
  gboolean wanted = FALSE;
  Event *event;
  guint i;

  g_mutex_lock (&notify->lock);
  for (i = 0; i < notify->listeners->len; i++) {
    const Listener *l = g_ptr_array_index (notify->listeners, i);

    wanted |= l->calls.watermark != NULL;
  }
  g_mutex_unlock (&notify->lock);
  if (!wanted)
    return;
  event = g_new0 (Event, 1);
  event->type = EVENT_WATERMARK;
  event->texts[0] = g_strdup (peer);
  event->mark = mark;
  event->level_bytes = level_bytes;
  event->level_us = level_us;
  post (notify, event);
}

void
p2p_notify_relay_missing (P2pNotify *notify, const gchar *server,
                          const gchar *answer)
{
  Event *event = g_new0 (Event, 1);

  event->type = EVENT_RELAY_MISSING;
  event->texts[0] = g_strdup (server);
  event->texts[1] = g_strdup (answer);
  post (notify, event);
}

void
p2p_notify_run (P2pNotify *notify, GDestroyNotify func, gpointer data)
{
  Event *event = g_new0 (Event, 1);

  event->type = EVENT_RUN;
  event->destroy = func;
  event->user = data;
  post (notify, event);
}

void
p2p_notify_step (P2pNotify *notify, const P2pStep *step)
{
  Event *event = g_new0 (Event, 1);

  event->type = EVENT_STEP;
  event->step = *step;
  event->step.peer = event->texts[0] = g_strdup (step->peer);
  event->step.reason = event->texts[1] = g_strdup (step->reason);
  event->step.detail = event->texts[2] = g_strdup (step->detail);
  event->step.path = event->texts[3] = g_strdup (step->path);
  post (notify, event);
}

void
p2p_notify_peer_added (P2pNotify *notify, const P2pPeerInfo *peer)
{
  Event *event = g_new0 (Event, 1);

  event->type = EVENT_PEER_ADDED;
  take_peer (event, peer);
  post (notify, event);
}

void
p2p_notify_peer_removed (P2pNotify *notify, const gchar *peer,
                         const gchar *reason)
{
  Event *event = g_new0 (Event, 1);

  event->type = EVENT_PEER_REMOVED;
  event->texts[0] = g_strdup (peer);
  event->texts[1] = g_strdup (reason);
  post (notify, event);
}

static void
post_request (P2pNotify *notify, EventType type, const gchar *peer,
              guint request, const gchar *params)
{
  Event *event = g_new0 (Event, 1);

  event->type = type;
  event->texts[0] = g_strdup (peer);
  event->texts[1] = g_strdup (params);
  event->request = request;
  post (notify, event);
}

void
p2p_notify_request_added (P2pNotify *notify, const gchar *peer, guint request,
                          const gchar *params)
{
  post_request (notify, EVENT_REQUEST_ADDED, peer, request, params);
}

void
p2p_notify_request_removed (P2pNotify *notify, const gchar *peer, guint request)
{
  post_request (notify, EVENT_REQUEST_REMOVED, peer, request, NULL);
}

void
p2p_notify_offer_added (P2pNotify *notify, const gchar *peer, guint offer,
                        const gchar *params)
{
  post_request (notify, EVENT_OFFER_ADDED, peer, offer, params);
}

void
p2p_notify_offer_removed (P2pNotify *notify, const gchar *peer, guint offer)
{
  post_request (notify, EVENT_OFFER_REMOVED, peer, offer, NULL);
}

static gboolean
someone_decides (P2pNotify *notify)
{
  gboolean found = FALSE;
  guint i;

  g_mutex_lock (&notify->lock);
  for (i = 0; i < notify->listeners->len && !found; i++)
    found = ((Listener *)g_ptr_array_index (notify->listeners, i))
                ->calls.authorize
            != NULL;
  g_mutex_unlock (&notify->lock);
  return found;
}

gboolean
p2p_notify_authorize (P2pNotify *notify, const P2pPeerInfo *peer,
                      P2pNotifyDecided decided, gpointer user,
                      GDestroyNotify destroy)
{
  Event *event;

  if (!someone_decides (notify))
    return FALSE;
  event = g_new0 (Event, 1);
  event->type = EVENT_AUTHORIZE;
  take_peer (event, peer);
  event->decided = decided;
  event->user = user;
  event->destroy = destroy;
  post (notify, event);
  return TRUE;
}
