/* What all signallers have in common: life cycle, state, counting of attempts.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: all on the thread of the context given to start(), but for the
 * stretching of the key, which a worker does; it holds its own reference of the
 * credential, so that stop() need not wait for it.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2psignalpriv.h"

#include <string.h>

#define REJECT_REPORT_MS 1000
#define MAX_BACKOFF_STEP 16

static const P2pSignalTiming default_timing = {
  .refuse = 250,
  .handshake = 10000,
  .connect = 10000,
  .no_answer = 5000,
  .stream_ping = 10000,
  .stream_dead = 30000,
  .broker_ping = 30000,
  .broker_dead = 90000,
  .lan_twin = 300,
  .broker_twin = 1000,
  .lan_rejoin = 5000,
  .backoff = 1000,
  .backoff_max = 30000,
};

P2pSignaller *
p2p_signaller_ref (P2pSignaller *signaller)
{
  g_atomic_int_inc (&signaller->ref_count);
  return signaller;
}

void
p2p_signaller_unref (P2pSignaller *signaller)
{
  if (!g_atomic_int_dec_and_test (&signaller->ref_count))
    return;
  p2p_credential_unref (signaller->credential);
  p2p_signal_uri_free (signaller->uri);
  if (signaller->context)
    g_main_context_unref (signaller->context);
  g_free (signaller->redacted);
  g_free (signaller->rejected_from);
  g_free (signaller);
}

static const P2pTransportOps *
find_ops (P2pScheme scheme)
{
  switch (scheme) {
    case P2P_SCHEME_LAN:
      return &p2p_transport_lan;
    case P2P_SCHEME_TCP:
      return &p2p_transport_tcp;
    default:
#ifdef HAVE_MQTT
      return &p2p_transport_mqtt;
#else
      return NULL; /* the parser refuses the scheme */
#endif
  }
}

P2pSignaller *
p2p_signaller_new (const gchar *uri, P2pRole role, P2pCredential *credential,
                   const P2pSignallerCallbacks *callbacks, gpointer user,
                   GError **error)
{
  P2pSignalUri *parsed = p2p_signal_uri_parse (uri, role, error);
  P2pSignaller *signaller;

  if (!parsed)
    return NULL;
  signaller = g_new0 (P2pSignaller, 1);
  signaller->ref_count = 1;
  signaller->uri = parsed;
  signaller->redacted = p2p_signaller_redact_uri (uri);
  signaller->role = role;
  signaller->credential = p2p_credential_ref (credential);
  signaller->callbacks = *callbacks;
  signaller->user = user;
  signaller->timing = default_timing;
  signaller->ops = find_ops (parsed->scheme);
  return signaller;
}

P2pSignalTiming *
p2p_signaller_get_timing (P2pSignaller *signaller)
{
  return &signaller->timing;
}

/* -- Timers --------------------------------------------------------------- */

GSource *
p2p_signaller_timer (P2pSignaller *signaller, guint ms, GSourceFunc func,
                     gpointer user)
{
  GSource *source = g_timeout_source_new (ms);

  g_source_set_callback (source, func, user, NULL);
  g_source_attach (source, signaller->context);
  return source;
}

void
p2p_source_clear (GSource **source)
{
  if (!*source)
    return;
  g_source_destroy (*source);
  g_source_unref (*source);
  *source = NULL;
}

guint
p2p_signaller_backoff (P2pSignaller *signaller)
{
  guint64 delay = (guint64)signaller->timing.backoff << signaller->backoff_step;

  delay = MIN (delay, signaller->timing.backoff_max);
  if (signaller->backoff_step < MAX_BACKOFF_STEP)
    signaller->backoff_step++;
  /* A quarter either way, so that a fleet does not come back as one. */
  return delay * g_random_int_range (75, 126) / 100;
}

void
p2p_signaller_backoff_reset (P2pSignaller *signaller)
{
  signaller->backoff_step = 0;
}

/* -- Start and stop ------------------------------------------------------- */

static gboolean
begin (gpointer user)
{
  P2pSignaller *signaller = user;
  GList *waiting, *l;

  if (signaller->stopped)
    return G_SOURCE_REMOVE;
  p2p_signaller_set_state (signaller, P2P_SIGNALLER_CONNECTING, NULL, NULL);
  if (signaller->stopped)
    return G_SOURCE_REMOVE;
  signaller->running = TRUE;
  signaller->ops->start (signaller);

  waiting
      = g_list_copy_deep (signaller->channels,
                          (GCopyFunc)(void (*) (void))p2p_channel_ref, NULL);
  for (l = waiting; l; l = l->next) {
    P2pChannel *channel = l->data;

    if (!signaller->stopped && channel->state == P2P_CHANNEL_WAITING) {
      channel->state = P2P_CHANNEL_OPENING;
      signaller->ops->open (signaller, channel);
    }
  }
  g_list_free_full (waiting, (GDestroyNotify)p2p_channel_unref);
  return G_SOURCE_REMOVE;
}

typedef struct
{
  P2pCredential *credential;
  GSource *begin; /* attached when the key is ready */
  GMainContext *context;
} Stretch;

/* A thread of its own, which nobody waits for. */
static gpointer
stretch_key (gpointer data)
{
  /* One at a time in a process: each takes 16 MiB and a core. */
  static GMutex one_at_a_time;
  Stretch *stretch = data;

  g_mutex_lock (&one_at_a_time);
  p2p_credential_stretch (stretch->credential);
  g_mutex_unlock (&one_at_a_time);
  if (p2p_credential_is_stretched (stretch->credential))
    g_source_attach (stretch->begin, stretch->context);
  g_source_unref (stretch->begin);
  g_main_context_unref (stretch->context);
  p2p_credential_unref (stretch->credential);
  g_free (stretch);
  return NULL;
}

void
p2p_signaller_start (P2pSignaller *signaller, GMainContext *context)
{
  GSource *source;

  g_return_if_fail (signaller->context == NULL && !signaller->stopped);
  signaller->context = context ? g_main_context_ref (context)
                               : g_main_context_ref (g_main_context_default ());
  signaller->state = P2P_SIGNALLER_CONNECTING;

  source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, begin, p2p_signaller_ref (signaller),
                         (GDestroyNotify)p2p_signaller_unref);
  if (p2p_credential_is_stretched (signaller->credential)) {
    g_source_attach (source, signaller->context);
    g_source_unref (source);
  } else {
    Stretch *stretch = g_new (Stretch, 1);

    stretch->credential = p2p_credential_ref (signaller->credential);
    stretch->begin = source;
    stretch->context = g_main_context_ref (signaller->context);
    g_thread_unref (g_thread_new ("p2p-key", stretch_key, stretch));
  }
}

void
p2p_signaller_stop (P2pSignaller *signaller)
{
  if (signaller->stopped)
    return;
  signaller->stopped = TRUE;
  p2p_signaller_ref (signaller);
  while (signaller->channels)
    p2p_channel_close (signaller->channels->data);
  if (signaller->running)
    signaller->ops->stop (signaller);
  p2p_source_clear (&signaller->heartbeat);
  p2p_source_clear (&signaller->rejected_timer);
  signaller->running = FALSE;
  signaller->state = P2P_SIGNALLER_OFFLINE;
  signaller->port = 0;
  p2p_signaller_unref (signaller);
}

void
p2p_signaller_free (P2pSignaller *signaller)
{
  if (!signaller)
    return;
  p2p_signaller_stop (signaller);
  p2p_signaller_unref (signaller);
}

void
p2p_signaller_network_changed (P2pSignaller *signaller)
{
  if (!signaller->running || signaller->stopped)
    return;
  p2p_signaller_ref (signaller);
  signaller->ops->network_changed (signaller);
  p2p_signaller_unref (signaller);
}

/* -- State and counters --------------------------------------------------- */

P2pSignallerState
p2p_signaller_get_state (P2pSignaller *signaller)
{
  return signaller->state;
}

guint16
p2p_signaller_get_port (P2pSignaller *signaller)
{
  return signaller->port;
}

guint64
p2p_signaller_get_rejected (P2pSignaller *signaller)
{
  return signaller->rejected;
}

void
p2p_signaller_set_state (P2pSignaller *signaller, P2pSignallerState state,
                         const gchar *reason, const gchar *detail)
{
  if (signaller->stopped)
    return;
  signaller->state = state;
  if (signaller->callbacks.state) {
    p2p_signaller_ref (signaller);
    signaller->callbacks.state (signaller, state, reason, detail,
                                signaller->user);
    p2p_signaller_unref (signaller);
  }
}

static void
report_rejected (P2pSignaller *signaller)
{
  guint count = signaller->rejected_pending;
  g_autofree gchar *from = g_steal_pointer (&signaller->rejected_from);

  signaller->rejected_pending = 0;
  if (signaller->callbacks.rejected) {
    p2p_signaller_ref (signaller);
    signaller->callbacks.rejected (signaller, count, from, signaller->user);
    p2p_signaller_unref (signaller);
  }
}

static gboolean
rejected_timeout (gpointer user)
{
  P2pSignaller *signaller = user;

  if (signaller->rejected_pending > 0) {
    report_rejected (signaller);
    return G_SOURCE_CONTINUE;
  }
  p2p_source_clear (&signaller->rejected_timer);
  return G_SOURCE_REMOVE;
}

void
p2p_signaller_reject (P2pSignaller *signaller, const gchar *from)
{
  if (signaller->stopped)
    return;
  signaller->rejected++;
  signaller->rejected_pending++;
  g_free (signaller->rejected_from);
  signaller->rejected_from = g_strdup (from);
  if (signaller->rejected_timer)
    return;
  signaller->rejected_timer = p2p_signaller_timer (signaller, REJECT_REPORT_MS,
                                                   rejected_timeout, signaller);
  report_rejected (signaller);
}
