/* The module: from iv_avt_p2p_init() to iv_avt_p2p_exit().
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: any. `registry` covers which module there is, what it is doing, and
 * the marks, which live longer than a module.
 *
 * Exit waits for callbacks that run, but never for the one that it was called
 * from: what that one's handle still needs follows when it has returned, on a
 * module that lives on for so long. By then there may be the next one.
 */
#include "ivmodule.h"

#include <string.h>

#define DEFAULT_LOW (200 * 1024)
#define DEFAULT_WARN (400 * 1024)
#define DEFAULT_HIGH (500 * 1024)

typedef enum {
  STATE_IDLE,
  STATE_STARTING,
  STATE_RUNNING,
  STATE_STOPPING,
} State;

static GMutex registry;
static GCond settled;    /* no longer starting */
static State state;      /* [registry] */
static IvModule *module; /* [registry] while running or stopping */
static IvWatermarkMarks marks = { DEFAULT_LOW, DEFAULT_WARN, DEFAULT_HIGH };
static gboolean marks_set;         /* [registry] by the program */
static guint marks_generation = 1; /* [registry] */

/* -- References ------------------------------------------------------------ */

IvModule *
iv_module_ref (IvModule *m)
{
  g_atomic_int_inc (&m->refs);
  return m;
}

void
iv_module_unref (IvModule *m)
{
  if (!g_atomic_int_dec_and_test (&m->refs))
    return;
  g_queue_clear (&m->event_queue);
  g_ptr_array_unref (m->channels);
  g_ptr_array_unref (m->talks);
  iv_pool_unref (m->pool);
  p2p_endpoint_unref (m->endpoint);
  g_mutex_clear (&m->lock);
  g_cond_clear (&m->changed);
  g_free (m->caps);
  g_free (m);
}

IvModule *
iv_module_get (void)
{
  IvModule *m;

  g_mutex_lock (&registry);
  m = module != NULL ? iv_module_ref (module) : NULL;
  g_mutex_unlock (&registry);
  return m;
}

void
iv_module_done (IvModule *m, GPtrArray *list, gpointer item)
{
  g_mutex_lock (&m->lock);
  g_ptr_array_remove (list, item);
  g_cond_broadcast (&m->changed);
  g_mutex_unlock (&m->lock);
}

/* -- Marks ----------------------------------------------------------------- */

int
iv_module_set_watermark (size_t low, size_t warn, size_t high)
{
  IvWatermarkMarks m;

  if (!iv_marks_take (&m, low, warn, high))
    return IV_ERR_AVT_INPUT_PARAM_INVAILD;
  g_mutex_lock (&registry);
  marks = m;
  marks_set = TRUE;
  marks_generation++;
  g_mutex_unlock (&registry);
  return IV_ERR_NONE;
}

void
iv_module_get_marks (IvWatermarkMarks *m, guint *generation)
{
  g_mutex_lock (&registry);
  *m = marks;
  *generation = marks_generation;
  g_mutex_unlock (&registry);
}

/* What the program has said counts for more than the file. */
static void
take_marks (const IvConfig *config)
{
  const P2pEndpointConfig *c = &config->endpoint;

  g_mutex_lock (&registry);
  if (config->has_watermarks && !marks_set
      && iv_marks_take (&marks, c->low_watermark, c->warn_watermark,
                        c->high_watermark))
    marks_generation++;
  g_mutex_unlock (&registry);
}

/* -- What the session tells ------------------------------------------------ */

static void
on_step (P2pEndpoint *endpoint, const P2pStep *step, gpointer user)
{
  iv_events_step (user, step);
}

static void
on_peer_removed (P2pEndpoint *endpoint, const gchar *peer, const gchar *reason,
                 gpointer user)
{
  iv_log (IV_LOG_INFO, "%s has gone: %s", peer, reason);
  iv_events_post (user, IV_EVENT_DISCONNECT);
}

static void
on_request_added (P2pEndpoint *endpoint, const gchar *peer, guint request,
                  const gchar *params, gpointer user)
{
  iv_channel_open (user, peer, request, params);
}

static void
on_request_removed (P2pEndpoint *endpoint, const gchar *peer, guint request,
                    gpointer user)
{
  iv_channel_close (user, peer, request);
}

static GBytes *
on_command (P2pEndpoint *endpoint, const gchar *peer, GBytes *command,
            gpointer user)
{
  return iv_command_run (user, peer, command);
}

static const P2pListener listener = {
  .step = on_step,
  .peer_removed = on_peer_removed,
  .request_added = on_request_added,
  .request_removed = on_request_removed,
  .command = on_command,
};

/* -- Init ------------------------------------------------------------------ */

int
iv_module_check (const IvParams *params)
{
  const IvCallbacks *calls = &params->calls;

  if (calls->send_init == NULL || calls->send_get == NULL
      || calls->send_stop == NULL || calls->event == NULL
      || calls->recv_init == NULL || calls->command == NULL)
    return IV_ERR_AVT_INIT_CB_NULL;
  if (calls->api == 2 ? calls->recv_voice_stop == NULL
                      : calls->recv_voice == NULL)
    return IV_ERR_AVT_INIT_CB_NULL;
  return IV_ERR_NONE;
}

/* The session has a bound of its own, at which it would cut a viewer off. Ours
 * is much lower and only pauses. */
static void
take_settings (IvConfig *config, const IvParams *params)
{
  P2pEndpointConfig *c = &config->endpoint;

  if (!config->has_keep_alive) {
    gboolean on = params->keep_alive_s > 0 && params->keep_alive_attempts > 0;

    c->keep_alive_interval_s = on ? params->keep_alive_s : 0;
    c->keep_alive_attempts
        = on ? MIN (params->keep_alive_attempts, IV_MAX_KEEP_ALIVE_ATTEMPTS)
             : 0;
  }
  c->low_watermark = c->warn_watermark = c->high_watermark = G_MAXINT;
}

static gboolean
check_marks (const IvConfig *config, GError **error)
{
  const P2pEndpointConfig *c = &config->endpoint;
  IvWatermarkMarks m;

  if (iv_marks_take (&m, c->low_watermark, c->warn_watermark,
                     c->high_watermark))
    return TRUE;
  g_set_error (error, P2P_ENDPOINT_ERROR, P2P_ENDPOINT_ERROR_SETTINGS,
               "low-watermark, warn-watermark, high-watermark: must rise in "
               "this order, or all be 0");
  iv_config_locate (config, error);
  return FALSE;
}

static P2pEndpoint *
make_endpoint (const IvParams *params, gchar **caps, GError **error)
{
  IvConfig *config = iv_config_load (error);
  P2pEndpoint *endpoint = NULL;

  if (config == NULL)
    return NULL;
  if (check_marks (config, error)) {
    take_marks (config);
    take_settings (config, params);
    endpoint = p2p_endpoint_acquire (&config->endpoint, error);
    if (endpoint == NULL)
      iv_config_locate (config, error);
  }
  *caps = g_steal_pointer (&config->caps);
  iv_config_free (config);
  return endpoint;
}

static IvModule *
module_new (const IvParams *params, P2pEndpoint *endpoint, gchar *caps)
{
  IvModule *m = g_new0 (IvModule, 1);

  m->refs = 1;
  m->calls = params->calls;
  /* Exit releases it, with callers still on their way into it. */
  m->endpoint = p2p_endpoint_ref (endpoint);
  m->caps = caps;
  m->pool = iv_pool_new (params->interval_ms, params->thread_policy,
                         params->thread_priority);
  g_mutex_init (&m->lock);
  g_cond_init (&m->changed);
  m->channels = g_ptr_array_new ();
  m->talks = g_ptr_array_new ();
  iv_events_init (m);
  return m;
}

static int
start (const IvParams *params, IvModule **started)
{
  GError *error = NULL;
  gchar *caps = NULL;
  P2pEndpoint *endpoint = make_endpoint (params, &caps, &error);
  int status;

  if (endpoint == NULL) {
    status = error->domain == P2P_ENDPOINT_ERROR
                     && error->code != P2P_ENDPOINT_ERROR_SYSTEM
                 ? IV_ERR_AVT_INIT_PRM_RANGE
                 : IV_ERR_AVT_FAILED;
    iv_log (IV_LOG_ERROR, "%s", error->message);
    g_error_free (error);
    g_free (caps);
    return status;
  }
  *started = module_new (params, endpoint, caps);
  return IV_ERR_NONE;
}

static void
go_online (IvModule *m)
{
  m->listener = p2p_endpoint_add_listener (m->endpoint, &listener, m);
  m->talkers = p2p_endpoint_accept (m->endpoint, NULL, &iv_talk_callbacks, m);
  m->network = iv_network_new (m);
  p2p_endpoint_start (m->endpoint);
}

int
iv_module_init (const IvParams *params)
{
  int status = iv_module_check (params);
  IvModule *started = NULL;

  if (status != IV_ERR_NONE)
    return status;
  g_mutex_lock (&registry);
  if (state != STATE_IDLE) {
    g_mutex_unlock (&registry);
    return IV_ERR_AVT_STATE_ERROR;
  }
  state = STATE_STARTING;
  g_mutex_unlock (&registry);
  status = start (params, &started);
  /* The program may be called, and call anything, before init returns. */
  g_mutex_lock (&registry);
  module = started;
  g_mutex_unlock (&registry);
  if (started != NULL)
    go_online (started);
  g_mutex_lock (&registry);
  state = started != NULL ? STATE_RUNNING : STATE_IDLE;
  g_cond_broadcast (&settled);
  g_mutex_unlock (&registry);
  return status;
}

/* -- Exit ------------------------------------------------------------------ */

/* All but what the calling thread itself is in the midst of. */
static void
wait_for_handles (IvModule *m)
{
  IvSerial *own = iv_serial_get_current ();
  guint mine = 0, i;

  g_mutex_lock (&m->lock);
  for (i = 0; i < m->channels->len; i++)
    mine += g_ptr_array_index (m->channels, i) == (gpointer)own;
  for (i = 0; i < m->talks->len; i++)
    mine += g_ptr_array_index (m->talks, i) == (gpointer)own;
  while (m->channels->len + m->talks->len > mine)
    g_cond_wait (&m->changed, &m->lock);
  g_mutex_unlock (&m->lock);
}

static void
shut_down (IvModule *m)
{
  g_mutex_lock (&m->lock);
  m->closing = TRUE;
  g_cond_broadcast (&m->changed);
  g_mutex_unlock (&m->lock);
  p2p_endpoint_remove_listener (m->endpoint, m->listener);
  p2p_request_close (m->talkers);
  iv_network_free (m->network);
  iv_channel_close_all (m);
  iv_talk_close_all (m);
  wait_for_handles (m);
  iv_pool_close (m->pool);
  p2p_endpoint_release (m->endpoint);
  iv_events_end (m);
}

int
iv_module_exit (void)
{
  IvModule *m;

  g_mutex_lock (&registry);
  /* Which takes a moment and waits for no callback. */
  while (state == STATE_STARTING)
    g_cond_wait (&settled, &registry);
  if (state != STATE_RUNNING) {
    g_mutex_unlock (&registry);
    return IV_ERR_AVT_STATE_ERROR;
  }
  state = STATE_STOPPING;
  m = module;
  g_mutex_unlock (&registry);
  shut_down (m);
  g_mutex_lock (&registry);
  module = NULL;
  state = STATE_IDLE;
  g_mutex_unlock (&registry);
  iv_module_unref (m);
  return IV_ERR_NONE;
}
