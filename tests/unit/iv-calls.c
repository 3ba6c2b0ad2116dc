/* What a program may do from where: every function from every callback, exit
 * from every callback, callbacks that do not return. In either shape.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Everything that callbacks write lies under `world`, see session-util.h.
 */
#include "iv_av.h"

#include "iv-config.h"
#include "session-util.h"

#include <string.h>

#define LIVE "action=live&channel=0"
#define MAX_HANDLES 16
#define BLOCK 4000
/* Each block is above all of them, and then soon below. */
#define LOW 1000
#define WARN 2000
#define HIGH 3000
#define NOT_YET 1
#define UNDER_WAY 2

typedef enum {
  IN_SEND_INIT,
  IN_GET,
  IN_FREE,
  IN_MARK, /* an event of a handle */
  IN_STOP,
  IN_EVENT, /* one without */
  IN_RECV_INIT,
  IN_VOICE,
  IN_VOICE_END,
  IN_COMMAND,
  IN_REPLY_FREE,
  N_PLACES,
  NOWHERE = N_PLACES,
} Place;

static const gchar *const place_names[N_PLACES] = {
  "send-init", "get",   "free",      "mark",    "stop",       "event",
  "recv-init", "voice", "voice-end", "command", "reply-free",
};

typedef struct
{
  guint gets, stops, inside;
  gint hold; /* the place where it waits */
} Handle;

static struct
{
  Handle handles[MAX_HANDLES];
  guint opened, talks, talk_ends;
  guint visits[N_PLACES];
  guint hold, held; /* places, as bits */
  Place exit_at;
  gboolean again; /* and init, there and then */
  gboolean ask;   /* every function, everywhere */
  int exit_status, init_status;
} seen;

static iv_p2p_parm_s parm;

/* -- What callbacks do ----------------------------------------------------- */

/* In one line each, what the functions say in that place. */
static void
ask_all (Place place, Handle *h)
{
  static const int marks[N_PLACES] = {
    [IN_SEND_INIT] = IV_ERR_AVT_CHN_NOT_EXIT, /* it is not out yet */
    [IN_GET] = IV_ERR_NONE,
    [IN_FREE] = IV_ERR_NONE,
    [IN_MARK] = IV_ERR_NONE,
    [IN_STOP] = IV_ERR_NONE,
    [IN_EVENT] = IV_ERR_AVT_INPUT_PARAM_NULL,
    [IN_RECV_INIT] = IV_ERR_AVT_INPUT_PARAM_NULL,
    [IN_VOICE] = IV_ERR_AVT_INPUT_PARAM_NULL,
    [IN_VOICE_END] = IV_ERR_AVT_INPUT_PARAM_NULL,
    [IN_COMMAND] = IV_ERR_AVT_INPUT_PARAM_NULL,
    [IN_REPLY_FREE] = IV_ERR_AVT_INPUT_PARAM_NULL,
  };
  size_t level = iv_avt_p2p_get_send_buf (h);
  iv_p2p_send_stats_s stats = iv_avt_p2p_get_send_status (h);

  g_assert_cmpint (iv_avt_p2p_set_handle_watermark (h, LOW, WARN, HIGH), ==,
                   marks[place]);
  if (marks[place] != IV_ERR_NONE) {
    g_assert_cmpuint (level, ==, 0);
    g_assert_cmpuint (stats.sum_sent_acked, ==, 0);
  }
  g_assert_cmpint (iv_avt_p2p_init (NULL), ==, IV_ERR_AVT_INIT_PRM_NULL);
  g_assert_cmpint (iv_avt_p2p_init (&parm), ==, IV_ERR_AVT_STATE_ERROR);
  g_assert_cmpint (iv_avt_p2p_set_buf_watermark (LOW, WARN, HIGH), ==,
                   IV_ERR_NONE);
  g_assert_cmpint (iv_avt_p2p_set_buf_watermark (HIGH, WARN, LOW), ==,
                   IV_ERR_AVT_INPUT_PARAM_INVAILD);
#if IV_AV_API == 2
  unsigned char reply[4];
  size_t len = sizeof reply;

  g_assert_cmpint (iv_avt_p2p_send_command ("nobody", "x", 1, reply, &len, 0),
                   ==, IV_ERR_AVT_CHN_NOT_EXIT);
  g_assert_cmpuint (len, ==, 0);
  iv_avt_set_mtu (iv_avt_get_mtu ());
  iv_avt_set_p2p_log_level (iv_avt_get_p2p_log_level ());
#endif
}

static void
leave_module (void)
{
  int exited = iv_avt_p2p_exit (), init = NOT_YET;

  if (seen.again)
    init = iv_avt_p2p_init (&parm);
  g_mutex_lock (&world);
  seen.exit_status = exited;
  seen.init_status = init;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
}

static void
visit (Place place, Handle *h)
{
  gboolean leave, ask;

  g_mutex_lock (&world);
  seen.visits[place]++;
  if (h != NULL) {
    g_assert_cmpuint (h->inside, ==, 0);
    g_assert_cmpuint (h->stops, ==, place == IN_STOP);
    h->inside++;
  }
  g_cond_broadcast (&changed);
  while (h != NULL ? h->hold == (gint)place : seen.hold >> place & 1) {
    seen.held |= 1u << place;
    g_cond_broadcast (&changed);
    g_cond_wait (&changed, &world);
  }
  leave = seen.exit_at == place && seen.exit_status == NOT_YET;
  if (leave)
    seen.exit_status = UNDER_WAY;
  ask = seen.ask;
  g_mutex_unlock (&world);
  if (leave)
    leave_module ();
  else if (ask)
    ask_all (place, h);
  g_mutex_lock (&world);
  if (h != NULL)
    h->inside--;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
}

/* -- The device ------------------------------------------------------------ */

static void *
on_send_init (const char *params, const char *peer)
{
  const gchar *hold = strstr (params, "hold=");
  Handle *h;

  g_mutex_lock (&world);
  g_assert_cmpuint (seen.opened, <, MAX_HANDLES);
  h = &seen.handles[seen.opened++];
  h->hold = hold != NULL ? atoi (hold + 5) : NOWHERE;
  g_mutex_unlock (&world);
  visit (IN_SEND_INIT, h);
  return h;
}

/* Whose it is lies behind what is sent. */
static void
on_free (uint8_t *buf, size_t size)
{
  Handle *h;

  memcpy (&h, buf + size, sizeof h);
  g_free (buf);
  visit (IN_FREE, h);
}

static iv_cm_memory_s
on_send_get (void *handle)
{
  Handle *h = handle;
  iv_cm_memory_s memory = { g_malloc0 (BLOCK + sizeof h), BLOCK, on_free };

  memcpy (memory.buf + BLOCK, &h, sizeof h);
  g_mutex_lock (&world);
  h->gets++;
  g_mutex_unlock (&world);
  visit (IN_GET, h);
  return memory;
}

static int
on_send_stop (void *handle)
{
  Handle *h = handle;

  g_mutex_lock (&world);
  h->stops++;
  g_mutex_unlock (&world);
  visit (IN_STOP, h);
  return 0;
}

static void
on_event (iv_avt_event_e event, void *handle)
{
  visit (handle != NULL ? IN_MARK : IN_EVENT, handle);
}

static void *
on_recv_init (const char *params, const char *peer)
{
  g_mutex_lock (&world);
  seen.talks++;
  g_mutex_unlock (&world);
  visit (IN_RECV_INIT, NULL);
  return NULL; /* which may be a handle */
}

static void
heard (uint8_t *data)
{
  g_mutex_lock (&world);
  seen.talk_ends += data == NULL;
  g_mutex_unlock (&world);
  visit (data != NULL ? IN_VOICE : IN_VOICE_END, NULL);
}

#if IV_AV_API == 2
static void
on_recv_voice (void *handle, uint8_t *data, size_t len, uint8_t *stop)
{
  g_assert_cmpuint (*stop, ==, 0);
  heard (data);
}
#else
static void
on_recv_voice (void *handle, uint8_t *data, size_t len)
{
  heard (data);
}
#endif

static void
on_reply_free (uint8_t *buf, size_t size)
{
  g_free (buf);
  visit (IN_REPLY_FREE, NULL);
}

static iv_cm_memory_s
on_command (const char *command, size_t len, const char *peer)
{
  iv_cm_memory_s memory
      = { (uint8_t *)g_strndup (command, len), len, on_reply_free };

  visit (IN_COMMAND, NULL);
  return memory;
}

static guint
device_start (void)
{
  guint port = config_write (NULL);

  seen.exit_status = seen.init_status = NOT_YET;
  memset (&parm, 0, sizeof parm);
  parm.p2p_handle_send_init_cb = on_send_init;
  parm.p2p_handle_send_get_cb = on_send_get;
  parm.p2p_handle_send_stop_cb = on_send_stop;
  parm.p2p_handle_event_notify_cb = on_event;
  parm.p2p_handle_recv_init_cb = on_recv_init;
  parm.p2p_handle_recv_voice_cb = on_recv_voice;
  parm.p2p_handle_command_cb = on_command;
  g_assert_cmpint (iv_avt_p2p_set_buf_watermark (LOW, WARN, HIGH), ==,
                   IV_ERR_NONE);
  g_assert_cmpint (iv_avt_p2p_init (&parm), ==, IV_ERR_NONE);
  return port;
}

static void
device_forget (void)
{
  config_remove ();
  memset (&seen, 0, sizeof seen);
  seen.exit_at = NOWHERE;
}

/* -- A viewer that gives cause for all of it ------------------------------- */

typedef struct
{
  Side side;
  Wish wish;
  P2pOffer *offer;
  P2pStream *voice;
} Viewer;

static void
viewer_open (Viewer *viewer, guint port)
{
  P2pEndpointConfig config;
  gchar *uri = tcp_uri (port);

  memset (viewer, 0, sizeof *viewer);
  side_config (&config, P2P_ROLE_VIEWER, uri);
  side_open (&viewer->side, &config);
  g_free (uri);
}

static gboolean
has_left (void)
{
  return seen.exit_status != NOT_YET && seen.exit_status != UNDER_WAY;
}

static void
command (Viewer *viewer)
{
  GBytes *bytes = g_bytes_new_static ("hello", 5);

  p2p_endpoint_send_command (viewer->side.endpoint, NULL, bytes, 0, NULL, NULL,
                             NULL);
  g_bytes_unref (bytes);
}

static void
talk (Viewer *viewer)
{
  P2pStreamConfig config = {
    .kind = P2P_WIRE_AUDIO, .name = "audio_0", .priority = -1, .deadline_ms = 0
  };
  P2pWireFrame frame = { 0 };
  GBytes *bytes = g_bytes_new_static ("voice", 5);

  config.offer = viewer->offer
      = p2p_endpoint_offer (viewer->side.endpoint, "channel=0");
  viewer->voice
      = p2p_endpoint_publish (viewer->side.endpoint, &config, NULL, NULL);
  p2p_stream_set_caps (viewer->voice, "audio/x-alaw, rate=(int)8000");
  WAIT_FOR (has_left () || p2p_stream_count_viewers (viewer->voice) == 1);
  p2p_stream_push (viewer->voice, bytes, &frame, FALSE);
  p2p_stream_end (viewer->voice);
  g_bytes_unref (bytes);
}

static void
viewer_close (Viewer *viewer)
{
  if (viewer->voice != NULL) {
    p2p_stream_unpublish (viewer->voice);
    p2p_offer_close (viewer->offer);
  }
  if (viewer->wish.request != NULL)
    wish_close (&viewer->wish);
  side_close (&viewer->side);
}

/* Until the program has left, or all places were visited. */
static void
provoke (Viewer *viewer, guint port)
{
  WAIT_FOR (seen.visits[IN_EVENT] > 0);
  viewer_open (viewer, port);
  if (seen.exit_at == IN_EVENT)
    return;
  WAIT_FOR (viewer->side.added == 1);
  if (seen.exit_at == IN_COMMAND || seen.exit_at == IN_REPLY_FREE || seen.ask)
    command (viewer);
  if (seen.exit_at >= IN_RECV_INIT && seen.exit_at <= IN_VOICE_END)
    talk (viewer);
  wish_open (&viewer->wish, &viewer->side, LIVE);
  WAIT_FOR (has_left ()
            || (seen.handles[0].gets >= 3 && seen.visits[IN_MARK] >= 3));
  if (seen.ask) {
    talk (viewer);
    WAIT_FOR (seen.visits[IN_VOICE_END] && seen.visits[IN_REPLY_FREE]);
  }
  if (!seen.ask && seen.exit_at != IN_STOP)
    return;
  wish_close (&viewer->wish);
  WAIT_FOR (has_left () || seen.visits[IN_STOP] == 1);
}

/* -- Every function, in every callback ------------------------------------- */

static void
test_ask (void)
{
  Viewer viewer;
  guint i;

  seen.ask = TRUE;
  provoke (&viewer, device_start ());
  viewer_close (&viewer);
  g_assert_cmpint (iv_avt_p2p_exit (), ==, IV_ERR_NONE);
  for (i = 0; i < N_PLACES; i++)
    g_assert_cmpuint (seen.visits[i], >, 0);
  /* What it was is not a handle any more. */
  g_assert_cmpuint (iv_avt_p2p_get_send_buf (&seen.handles[0]), ==, 0);
  g_assert_cmpint (iv_avt_p2p_set_handle_watermark (&seen.handles[0], LOW, WARN,
                                                    HIGH),
                   ==, IV_ERR_AVT_STATE_ERROR);
  device_forget ();
}

/* After stop, with the module at work. */
static void
test_stopped (void)
{
  Viewer viewer;
  Handle *h = &seen.handles[0];

  provoke (&viewer, device_start ());
  wish_close (&viewer.wish);
  WAIT_FOR (h->stops == 1 && h->inside == 0);
  /* It is forgotten just after the callback has returned. */
  WAIT_FOR (iv_avt_p2p_set_handle_watermark (h, LOW, WARN, HIGH)
            == IV_ERR_AVT_CHN_NOT_EXIT);
  g_assert_cmpuint (iv_avt_p2p_get_send_buf (h), ==, 0);
  g_assert_cmpuint (iv_avt_p2p_get_send_status (h).sum_sent_acked, ==, 0);
  g_assert_cmpuint (iv_avt_p2p_get_send_status (h).inst_net_rate, ==, 0);
  viewer_close (&viewer);
  g_assert_cmpint (iv_avt_p2p_exit (), ==, IV_ERR_NONE);
  device_forget ();
}

/* -- Exit, in every callback ----------------------------------------------- */

static guint
count_stops (void)
{
  guint i, n = 0;

  for (i = 0; i < seen.opened; i++)
    n += seen.handles[i].stops;
  return n;
}

static void
test_exit (gconstpointer place)
{
  Viewer viewer;

  seen.exit_at = (Place)GPOINTER_TO_UINT (place);
  provoke (&viewer, device_start ());
  WAIT_FOR (has_left ());
  g_assert_cmpint (seen.exit_status, ==, IV_ERR_NONE);
  /* Its own handle is told when the callback has returned. */
  WAIT_FOR (count_stops () == seen.opened && seen.talks == seen.talk_ends);
  g_assert_cmpint (iv_avt_p2p_exit (), ==, IV_ERR_AVT_STATE_ERROR);
  viewer_close (&viewer);
  device_forget ();
}

/* And begins anew before it returns. */
static void
test_exit_and_init (gconstpointer place)
{
  Viewer viewer;

  seen.exit_at = (Place)GPOINTER_TO_UINT (place);
  seen.again = TRUE;
  provoke (&viewer, device_start ());
  WAIT_FOR (has_left ());
  g_assert_cmpint (seen.exit_status, ==, IV_ERR_NONE);
  g_assert_cmpint (seen.init_status, ==, IV_ERR_NONE);
  viewer_close (&viewer);
  g_assert_cmpint (iv_avt_p2p_exit (), ==, IV_ERR_NONE);
  WAIT_FOR (count_stops () == seen.opened);
  device_forget ();
}

/* -- Callbacks that do not return ------------------------------------------ */

static gpointer
exit_thread (gpointer unused)
{
  int status = iv_avt_p2p_exit ();

  g_mutex_lock (&world);
  /* None is left open, whoever was inside. */
  g_assert_cmpuint (count_stops (), ==, seen.opened);
  seen.exit_status = status;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
  return NULL;
}

/* One handle in each of its places, and all that has no handle. */
static void
hold_all (Viewer *viewer, Wish *wishes)
{
  guint place;

  WAIT_FOR (seen.held & 1u << IN_EVENT);
  for (place = IN_SEND_INIT; place <= IN_STOP; place++) {
    gchar *params = g_strdup_printf (LIVE "&hold=%u", place);
    guint n = seen.opened;

    wish_open (&wishes[place], &viewer->side, params);
    WAIT_FOR (seen.opened == n + 1);
    g_free (params);
  }
  WAIT_FOR (seen.handles[IN_STOP].gets > 0);
  wish_close (&wishes[IN_STOP]);
  command (viewer);
  talk (viewer);
  WAIT_FOR (seen.held
            == (1u << IN_SEND_INIT | 1u << IN_GET | 1u << IN_FREE
                | 1u << IN_MARK | 1u << IN_STOP | 1u << IN_EVENT
                | 1u << IN_VOICE | 1u << IN_COMMAND));
}

static void
let_go (guint places)
{
  guint i;

  g_mutex_lock (&world);
  seen.hold &= ~places;
  for (i = 0; i < seen.opened && (places & 1); i++)
    seen.handles[i].hold = NOWHERE;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
}

static void
test_blocked (void)
{
  Viewer viewer, other;
  Wish wishes[IN_STOP + 1] = { { 0 } };
  Handle *free_one = &seen.handles[IN_STOP + 1];
  GThread *thread;
  guint i, port;

  seen.hold = 1u << IN_EVENT | 1u << IN_VOICE | 1u << IN_COMMAND;
  port = device_start ();
  viewer_open (&viewer, port);
  WAIT_FOR (viewer.side.added == 1);
  hold_all (&viewer, wishes);
  /* Others go on: a handle of the same viewer, and a new viewer. */
  wish_open (&viewer.wish, &viewer.side, LIVE);
  viewer_open (&other, port);
  wish_open (&other.wish, &other.side, LIVE);
  WAIT_FOR (free_one->gets >= 30 && free_one[1].gets >= 30);
  for (i = IN_SEND_INIT; i <= IN_STOP; i++)
    g_assert_cmpuint (seen.handles[i].inside, ==, 1);
  g_assert_cmpuint (seen.handles[IN_GET].gets, ==, 1);
  /* Exit waits for those inside, and stops the others meanwhile. */
  let_go (1u << IN_COMMAND);
  thread = g_thread_new ("exit", exit_thread, NULL);
  WAIT_FOR (free_one->stops == 1 && free_one[1].stops == 1);
  g_assert_cmpint (seen.exit_status, ==, NOT_YET);
  let_go (~0u);
  g_thread_join (thread);
  g_assert_cmpint (seen.exit_status, ==, IV_ERR_NONE);
  g_assert_cmpuint (seen.talk_ends, ==, 1);
  for (i = IN_SEND_INIT; i < IN_STOP; i++)
    wish_close (&wishes[i]);
  viewer_close (&viewer);
  viewer_close (&other);
  device_forget ();
}

/* Those from get, event and command are in iv-loopback.c, in more detail. */
static void
add_exits (void)
{
  guint i;

  for (i = 0; i < N_PLACES; i++) {
    gchar *path = g_strdup_printf ("/iv-calls/exit/%s", place_names[i]);

    /* The shapes differ in what is heard. */
    if (IV_AV_API == 1 ? i != IN_GET && i != IN_EVENT && i != IN_COMMAND
                       : i == IN_VOICE || i == IN_VOICE_END)
      g_test_add_data_func (path, GUINT_TO_POINTER (i), test_exit);
    g_free (path);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  seen.exit_at = NOWHERE;
  g_test_add_func ("/iv-calls/ask", test_ask);
  g_test_add_func ("/iv-calls/stopped", test_stopped);
  add_exits ();
  g_test_add_data_func ("/iv-calls/exit-and-init/get",
                        GUINT_TO_POINTER (IN_GET), test_exit_and_init);
  if (IV_AV_API == 1)
    g_test_add_data_func ("/iv-calls/exit-and-init/command",
                          GUINT_TO_POINTER (IN_COMMAND), test_exit_and_init);
  g_test_add_func ("/iv-calls/blocked", test_blocked);
  return g_test_run ();
}
