/* The newer shape at work: a talker that the program stops, events 7 to 9, the
 * link mode, and a command to a viewer's app.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define IV_AV_API 2
#include "iv_av.h"

#include "iv-config.h"
#include "session-util.h"

#include <string.h>

/* Under `world`. */
static struct
{
  guint events[10];
  gchar *peer;
  guint gets, stops, voices, ends;
  guint asked; /* the viewer's app */
  gboolean thinking;
} seen;
static int the_handle;

static void
unlock (void)
{
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
}

static void *
on_init (const char *params, const char *peer)
{
  g_mutex_lock (&world);
  g_free (seen.peer);
  seen.peer = g_strdup (peer);
  unlock ();
  return &the_handle;
}

static iv_cm_memory_s
on_get (void *handle)
{
  static uint8_t data[500];
  iv_cm_memory_s memory = { data, sizeof data, NULL };

  g_mutex_lock (&world);
  seen.gets++;
  unlock ();
  return memory;
}

static int
on_stop (void *handle)
{
  g_mutex_lock (&world);
  seen.stops++;
  unlock ();
  return 0;
}

static void
on_event (iv_avt_event_e event, void *handle)
{
  g_mutex_lock (&world);
  g_assert_cmpint (event, <, IV_AVT_EVENT_P2P_BUTT);
  seen.events[event]++;
  unlock ();
}

static void
on_voice (void *handle, uint8_t *data, size_t len, uint8_t *stop)
{
  g_mutex_lock (&world);
  if (data != NULL)
    seen.voices++;
  else
    seen.ends++;
  *stop = 1;
  unlock ();
}

static iv_cm_memory_s
on_command (const char *command, size_t len, const char *peer)
{
  iv_cm_memory_s none = { NULL, 0, NULL };

  return none;
}

static guint
open_device (void)
{
  iv_p2p_parm_s parm;
  guint port = config_write (NULL);

  memset (&parm, 0, sizeof parm);
  parm.p2p_handle_send_init_cb = on_init;
  parm.p2p_handle_send_get_cb = on_get;
  parm.p2p_handle_send_stop_cb = on_stop;
  parm.p2p_handle_event_notify_cb = on_event;
  parm.p2p_handle_recv_init_cb = on_init;
  parm.p2p_handle_recv_voice_cb = on_voice;
  parm.p2p_handle_command_cb = on_command;
  parm.p2p_init_params.log_level = IV_AVT_P2P_LOG_WARN;
  parm.p2p_init_params.sender_interval_ms = 20;
  g_assert_cmpint (iv_avt_p2p_init (&parm), ==, IV_ERR_NONE);
  WAIT_FOR (seen.events[IV_AVT_EVENT_P2P_LOCAL_NET_READY] == 1);
  return port;
}

/* The viewer's app gives back what it got, or thinks about it. */
static GBytes *
app_command (P2pEndpoint *endpoint, const gchar *peer, GBytes *command,
             gpointer user)
{
  g_mutex_lock (&world);
  seen.asked++;
  g_cond_broadcast (&changed);
  while (seen.thinking)
    g_cond_wait (&changed, &world);
  g_mutex_unlock (&world);
  return g_bytes_ref (command);
}

typedef struct
{
  size_t size;
  int status;
} Size;

static void
check_sizes (const gchar *peer)
{
  static const Size table[] = {
    { 0, IV_ERR_AVT_INPUT_PARAM_INVAILD },
    { 1, IV_ERR_NONE },
    { 3000, IV_ERR_NONE },
    { 3001, IV_ERR_NONE },
    { 16384, IV_ERR_NONE },
    { 16385, IV_ERR_AVT_INPUT_PARAM_INVAILD },
  };
  static char message[16385];
  static unsigned char reply[16384];
  guint i;

  memset (message, 'm', sizeof message);
  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    size_t len = sizeof reply;

    g_test_message ("%zu bytes", table[i].size);
    g_assert_cmpint (iv_avt_p2p_send_command (peer, message, table[i].size,
                                              reply, &len, 0),
                     ==, table[i].status);
    if (table[i].status == IV_ERR_NONE)
      g_assert_cmpmem (reply, len, message, table[i].size);
  }
}

static void
check_commands (const gchar *peer)
{
  unsigned char reply[8];
  size_t len = sizeof reply;

  g_assert_cmpint (iv_avt_p2p_send_command (peer, "hello", 5, reply, &len, 0),
                   ==, IV_ERR_NONE);
  g_assert_cmpmem (reply, len, "hello", 5);
  len = 4;
  g_assert_cmpint (iv_avt_p2p_send_command (peer, "hello", 5, reply, &len, 0),
                   ==, IV_ERR_AVT_SEND_STREAM_TOO_BIG);
  g_assert_cmpuint (len, ==, 5);
  g_assert_cmpint (iv_avt_p2p_send_command ("nobody", "hello", 5, reply, &len,
                                            0),
                   ==, IV_ERR_AVT_CHN_NOT_EXIT);
}

static void
talk (Side *viewer)
{
  P2pStreamConfig config = {
    .kind = P2P_WIRE_AUDIO, .name = "audio_0", .priority = -1, .deadline_ms = 0
  };
  P2pWireFrame frame = { 0 };
  GBytes *bytes = g_bytes_new_static ("voice", 5);
  P2pStream *stream;
  guint i;

  config.offer = p2p_endpoint_offer (viewer->endpoint, "channel=0");
  stream = p2p_endpoint_publish (viewer->endpoint, &config, NULL, NULL);
  p2p_stream_set_caps (stream, "audio/x-alaw, rate=(int)8000");
  WAIT_FOR (p2p_stream_count_viewers (stream) == 1);
  for (i = 0; i < 20; i++)
    p2p_stream_push (stream, bytes, &frame, FALSE);
  p2p_stream_end (stream);
  WAIT_FOR (seen.events[IV_AVT_EVENT_P2P_CLI_SEND_CLOSE] == 1);
  /* It wanted no more after the first. */
  g_assert_cmpuint (seen.voices, ==, 1);
  g_assert_cmpuint (seen.ends, ==, 1);
  p2p_stream_unpublish (stream);
  p2p_offer_close (config.offer);
  g_bytes_unref (bytes);
}

static void
test_newer (void)
{
  static const P2pListener app = { .command = app_command };
  guint port = open_device (), id;
  gchar *uri = tcp_uri (port);
  P2pEndpointConfig config;
  Side viewer;
  Wish wish = { 0 };

  side_config (&config, P2P_ROLE_VIEWER, uri);
  side_open (&viewer, &config);
  id = p2p_endpoint_add_listener (viewer.endpoint, &app, NULL);
  wish_open (&wish, &viewer, "action=live");
  WAIT_FOR (seen.gets > 5);
  WAIT_FOR (iv_avt_p2p_get_send_status (&the_handle).link_mode == 1);
  WAIT_FOR (iv_avt_p2p_get_send_status (&the_handle).ave_sent_rate > 0);
  WAIT_FOR (iv_avt_p2p_get_send_status (&the_handle).inst_net_rate > 0);
  check_commands (seen.peer);
  check_sizes (seen.peer);
  talk (&viewer);
  p2p_endpoint_remove_listener (viewer.endpoint, id);
  wish_close (&wish);
  side_close (&viewer);
  WAIT_FOR (seen.events[IV_AVT_EVENT_P2P_LINK_DISCONNECT] == 1);
  WAIT_FOR (seen.stops == 1);
  g_assert_cmpint (iv_avt_p2p_exit (), ==, IV_ERR_NONE);
  config_remove ();
  g_free (uri);
  g_free (seen.peer);
}

/* A command that is under way when the module ends: it fails, and at once. */
static gpointer
command_thread (gpointer peer)
{
  unsigned char reply[8];
  size_t len = sizeof reply;

  return GINT_TO_POINTER (
      iv_avt_p2p_send_command (peer, "hello", 5, reply, &len, 3600 * 1000));
}

static void
test_exit_while_asking (void)
{
  static const P2pListener app = { .command = app_command };
  P2pEndpointConfig config;
  GThread *thread;
  gchar *uri;
  guint id;
  Side viewer;
  Wish wish = { 0 };

  memset (&seen, 0, sizeof seen);
  seen.thinking = TRUE;
  uri = tcp_uri (open_device ());
  side_config (&config, P2P_ROLE_VIEWER, uri);
  side_open (&viewer, &config);
  id = p2p_endpoint_add_listener (viewer.endpoint, &app, NULL);
  wish_open (&wish, &viewer, "action=live");
  WAIT_FOR (seen.peer != NULL && viewer.added == 1);
  thread = g_thread_new ("command", command_thread, seen.peer);
  WAIT_FOR (seen.asked == 1);
  g_assert_cmpint (iv_avt_p2p_exit (), ==, IV_ERR_NONE);
  g_assert_cmpint (GPOINTER_TO_INT (g_thread_join (thread)), ==,
                   IV_ERR_SYS_COMMUNICATE_FAIL);
  g_mutex_lock (&world);
  seen.thinking = FALSE;
  unlock ();
  p2p_endpoint_remove_listener (viewer.endpoint, id);
  wish_close (&wish);
  side_close (&viewer);
  config_remove ();
  g_free (uri);
  g_free (seen.peer);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/iv/newer", test_newer);
  g_test_add_func ("/iv/newer/exit-while-asking", test_exit_while_asking);
  return g_test_run ();
}
