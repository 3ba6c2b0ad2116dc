/* Endpoints for tests.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: callbacks of the network and notify threads write under `world`, the
 * test's thread reads under it.
 */
#include "session-util.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

GMutex world;
GCond changed;

static void
lock (void)
{
  g_mutex_lock (&world);
}

static void
unlock (void)
{
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
}

static void
replace (gchar **text, const gchar *with)
{
  g_free (*text);
  *text = g_strdup (with);
}

/* -- Sides ----------------------------------------------------------------- */

static void
on_step (P2pEndpoint *endpoint, const P2pStep *step, gpointer user)
{
  Side *side = user;

  g_debug ("%p %s %s %s %s %s %u ms (%s)", user,
      p2p_step_kind_name (step->step), step->ok ? "ok" : "failed",
      step->reason, step->peer, step->path, step->elapsed_ms, step->detail);
  lock ();
  side->steps[step->step][step->ok]++;
  if (!step->ok)
    replace (&side->reasons[step->step], step->reason);
  if (step->step == P2P_STEP_PUNCH && step->ok)
    replace (&side->path, step->path);
  unlock ();
}

static gboolean
on_authorize (P2pEndpoint *endpoint, const P2pPeerInfo *peer, gpointer user)
{
  Side *side = user;
  gboolean accept;

  lock ();
  side->asked++;
  g_cond_broadcast (&changed);
  while (side->stall)
    g_cond_wait (&changed, &world);
  accept = !side->refuse;
  unlock ();
  return accept;
}

static void
on_peer_added (P2pEndpoint *endpoint, const P2pPeerInfo *peer, gpointer user)
{
  Side *side = user;

  lock ();
  side->added++;
  replace (&side->peer, peer->id);
  unlock ();
}

static void
on_peer_removed (P2pEndpoint *endpoint, const gchar *peer,
    const gchar *reason, gpointer user)
{
  Side *side = user;

  g_debug ("%p removed %s: %s", user, peer, reason);
  lock ();
  side->removed++;
  replace (&side->removed_reason, reason);
  unlock ();
}

static void
on_request_added (P2pEndpoint *endpoint, const gchar *peer, guint request,
    const gchar *params, gpointer user)
{
  Side *side = user;

  lock ();
  side->requests_added++;
  side->request = request;
  replace (&side->params, params);
  unlock ();
}

static void
on_request_removed (P2pEndpoint *endpoint, const gchar *peer, guint request,
    gpointer user)
{
  Side *side = user;

  lock ();
  side->requests_removed++;
  unlock ();
}

static void
on_offer_added (P2pEndpoint *endpoint, const gchar *peer, guint offer,
    const gchar *params, gpointer user)
{
  Side *side = user;

  lock ();
  side->offers_added++;
  side->offer = offer;
  replace (&side->params, params);
  unlock ();
}

static void
on_offer_removed (P2pEndpoint *endpoint, const gchar *peer, guint offer,
    gpointer user)
{
  Side *side = user;

  lock ();
  side->offers_removed++;
  unlock ();
}

static void
on_watermark (P2pEndpoint *endpoint, const gchar *peer, unsigned event,
    guint64 bytes, guint64 us, gpointer user)
{
  Side *side = user;
  Mark mark = { .event = event, .bytes = bytes, .us = us };

  g_strlcpy (mark.peer, peer, sizeof mark.peer);
  lock ();
  g_array_append_val (side->marks, mark);
  unlock ();
}

static void
on_relay_missing (P2pEndpoint *endpoint, const gchar *server,
    const gchar *answer, gpointer user)
{
  Side *side = user;

  lock ();
  side->relay_missing++;
  g_free (side->relay);
  side->relay = g_strdup_printf ("%s: %s", server, answer);
  unlock ();
}

static const P2pListener listener = {
  .step = on_step,
  .authorize = on_authorize,
  .peer_added = on_peer_added,
  .peer_removed = on_peer_removed,
  .request_added = on_request_added,
  .request_removed = on_request_removed,
  .offer_added = on_offer_added,
  .offer_removed = on_offer_removed,
  .watermark = on_watermark,
  .relay_missing = on_relay_missing,
};

void
side_config (P2pEndpointConfig *config, P2pRole role, const gchar *uri)
{
  p2p_endpoint_config_init (config);
  config->role = role;
  config->device_id = "camera-1";
  config->key = KEY;
  config->signaller = uri;
}

void
side_open (Side *side, const P2pEndpointConfig *config)
{
  GError *error = NULL;

  memset (side, 0, sizeof *side);
  side->marks = g_array_new (FALSE, FALSE, sizeof (Mark));
  side->endpoint = p2p_endpoint_acquire (config, &error);
  g_assert_no_error (error);
  side->listener = p2p_endpoint_add_listener (side->endpoint, &listener,
      side);
  p2p_endpoint_start (side->endpoint);
}

void
side_close (Side *side)
{
  guint i;

  p2p_endpoint_remove_listener (side->endpoint, side->listener);
  p2p_endpoint_release (side->endpoint);
  for (i = 0; i < G_N_ELEMENTS (side->reasons); i++)
    g_free (side->reasons[i]);
  g_array_unref (side->marks);
  g_free (side->path);
  g_free (side->peer);
  g_free (side->removed_reason);
  g_free (side->params);
  g_free (side->relay);
  memset (side, 0, sizeof *side);
}

/* -- Received streams ------------------------------------------------------ */

static void
received_free (gpointer data)
{
  Received *r = data;

  g_ptr_array_unref (r->frames);
  g_array_unref (r->headers);
  g_ptr_array_unref (r->caps);
  g_array_unref (r->caps_at);
  if (r->in != NULL)
    p2p_in_stream_unref (r->in);
  g_free (r->name);
  g_free (r->peer);
  g_free (r->params);
  g_free (r);
}

static gpointer
on_opened (P2pRequest *request, P2pInStream *in, const P2pInStreamInfo *info,
    guint epoch, gpointer user)
{
  Wish *wish = user;
  Received *r = g_new0 (Received, 1);

  lock ();
  r->name = g_strdup (info->name);
  r->peer = g_strdup (info->peer);
  r->request = info->request;
  r->params = g_strdup (info->params);
  r->kind = info->kind;
  r->epoch = epoch;
  r->in = p2p_in_stream_ref (in);
  r->refuse = wish->refuse_new;
  r->frames = g_ptr_array_new_with_free_func (
      (GDestroyNotify) g_bytes_unref);
  r->headers = g_array_new (FALSE, FALSE, sizeof (P2pWireFrame));
  r->caps = g_ptr_array_new_with_free_func (g_free);
  r->caps_at = g_array_new (FALSE, FALSE, sizeof (guint));
  g_ptr_array_add (wish->streams, r);
  unlock ();
  return r;
}

static void
on_caps (P2pRequest *request, gpointer stream, const gchar *caps,
    gpointer user)
{
  Received *r = stream;

  lock ();
  g_ptr_array_add (r->caps, g_strdup (caps));
  g_array_append_val (r->caps_at, r->frames->len);
  unlock ();
}

static gboolean
on_frame (P2pRequest *request, gpointer stream, GBytes *payload,
    const P2pWireFrame *frame, gint64 arrival_us, gint64 age_us, gboolean gap,
    gpointer user)
{
  Received *r = stream;
  gboolean taken;

  lock ();
  while (((Wish *) user)->stuck)
    g_cond_wait (&changed, &world);
  g_assert_false (r->ended);
  g_assert_false (r->closed);
  taken = !r->refuse;
  if (taken) {
    g_ptr_array_add (r->frames, g_bytes_ref (payload));
    g_array_append_val (r->headers, *frame);
    r->gaps += gap;
  }
  unlock ();
  return taken;
}

static void
on_end (P2pRequest *request, gpointer stream, gpointer user)
{
  Received *r = stream;

  lock ();
  g_assert_false (r->closed);
  r->ended = TRUE;
  unlock ();
}

static void
on_closed (P2pRequest *request, gpointer stream, gboolean lost, gpointer user)
{
  Received *r = stream;

  lock ();
  g_assert_false (r->closed);
  r->closed = TRUE;
  r->lost = lost;
  unlock ();
}

static void
on_complete (P2pRequest *request, gpointer user)
{
  Wish *wish = user;

  lock ();
  wish->complete++;
  unlock ();
}

static const P2pRequestCallbacks request_callbacks = {
  .stream_opened = on_opened,
  .stream_caps = on_caps,
  .stream_frame = on_frame,
  .stream_end = on_end,
  .stream_closed = on_closed,
  .streams_complete = on_complete,
};

static void
wish_init (Wish *wish)
{
  gboolean refuse = wish->refuse_new;

  memset (wish, 0, sizeof *wish);
  wish->refuse_new = refuse;
  wish->streams = g_ptr_array_new_with_free_func (received_free);
}

void
wish_accept (Wish *wish, Side *side, const gchar *match)
{
  wish_init (wish);
  wish->request = p2p_endpoint_accept (side->endpoint, match,
      &request_callbacks, wish);
}

void
wish_open (Wish *wish, Side *side, const gchar *params)
{
  wish_init (wish);
  wish->request = p2p_endpoint_request (side->endpoint, params,
      &request_callbacks, wish);
}

void
wish_close (Wish *wish)
{
  p2p_request_close (wish->request);
  g_ptr_array_unref (wish->streams);
  memset (wish, 0, sizeof *wish);
}

Received *
wish_find (Wish *wish, const gchar *name)
{
  guint i;

  for (i = wish->streams->len; i-- > 0;) {
    Received *r = g_ptr_array_index (wish->streams, i);

    if (g_str_equal (r->name, name))
      return r;
  }
  return NULL;
}

/* -- Published streams ----------------------------------------------------- */

static void
on_key_unit (P2pStream *stream, gboolean all_headers, gpointer user)
{
  Source *source = user;

  lock ();
  source->key_units++;
  unlock ();
}

static void
on_writable (P2pStream *stream, gpointer user)
{
  Source *source = user;

  lock ();
  source->writable++;
  unlock ();
}

static const P2pStreamCallbacks stream_callbacks = {
  .key_unit = on_key_unit,
  .writable = on_writable,
};

void
source_open (Source *source, Side *side, P2pWireKind kind, const gchar *name,
    const gchar *match, gint deadline_ms)
{
  P2pStreamConfig config = { .kind = kind, .name = name, .match = match,
    .priority = -1, .deadline_ms = deadline_ms };

  memset (source, 0, sizeof *source);
  source->stream = p2p_endpoint_publish (side->endpoint, &config,
      &stream_callbacks, source);
}

void
source_offer (Source *source, P2pOffer *offer, Side *side, P2pWireKind kind,
    const gchar *name)
{
  P2pStreamConfig config = { .kind = kind, .name = name, .priority = -1,
    .offer = offer };

  memset (source, 0, sizeof *source);
  source->stream = p2p_endpoint_publish (side->endpoint, &config,
      &stream_callbacks, source);
}

void
source_close (Source *source)
{
  p2p_stream_unpublish (source->stream);
}

/* The number in front, then bytes that depend on it and on their place. */
GBytes *
make_payload (const gchar *name, guint number, guint size)
{
  guint8 *data = g_malloc (MAX (size, 4));
  guint32 state = g_str_hash (name) ^ number * 2654435761u;
  guint i;

  size = MAX (size, 4);
  for (i = 0; i < size; i++) {
    state = state * 1664525 + 1013904223;
    data[i] = (guint8) (state >> 24);
  }
  memcpy (data, &number, 4);
  return g_bytes_new_take (data, size);
}

gboolean
payload_matches (GBytes *payload, const gchar *name, guint number)
{
  GBytes *expected = make_payload (name, number,
      (guint) g_bytes_get_size (payload));
  gboolean same = g_bytes_equal (payload, expected);

  g_bytes_unref (expected);
  return same;
}

P2pPushResult
source_push (Source *source, guint size, gboolean key)
{
  P2pWireFrame frame = { 0 };
  GBytes *payload = make_payload ("", source->sent, size);
  P2pPushResult result;

  frame.flags = key ? 0 : P2P_FRAME_DELTA_UNIT;
  frame.pts = (gint64) source->sent * 33333333;
  frame.dts = frame.pts;
  frame.duration = 33333333;
  frame.sent = frame.pts;
  frame.latency = 0;
  result = p2p_stream_push (source->stream, payload, &frame, source->force);
  if (result == P2P_PUSH_OK)
    source->sent++;
  g_bytes_unref (payload);
  return result;
}

/* -- This process ---------------------------------------------------------- */

guint
free_port (void)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t len = sizeof address;
  int fd = socket (AF_INET, SOCK_STREAM, 0);

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, len), ==, 0);
  getsockname (fd, (struct sockaddr *) &address, &len);
  close (fd);
  return ntohs (address.sin_port);
}

gchar *
tcp_uri (guint port)
{
  return g_strdup_printf ("tcp://127.0.0.1:%u", port);
}

static guint
count_entries (const gchar *path)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  g_dir_close (dir);
  return n;
}

guint
count_threads (void)
{
  return count_entries ("/proc/self/task");
}

guint
count_fds (void)
{
  return count_entries ("/proc/self/fd");
}
