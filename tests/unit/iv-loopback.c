/* A device on iv_av.h and its viewers, over tcp:// on loopback: each row of the
 * interface's tables as it happens.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "iv-util.h"

#include <string.h>

#define LIVE "action=live&channel=0"

static void
viewer_open (Side *side, guint port)
{
  P2pEndpointConfig config;
  gchar *uri = tcp_uri (port);

  side_config (&config, P2P_ROLE_VIEWER, uri);
  side_open (side, &config);
  g_free (uri);
}

/* With `world`. */
static guint64
count_bytes (Received *r)
{
  guint64 n = 0;
  guint i;

  for (i = 0; i < r->frames->len; i++)
    n += g_bytes_get_size (g_ptr_array_index (r->frames, i));
  return n;
}

static void
check_bytes (Received *r, guint64 expected)
{
  guint64 at = 0;
  guint i;

  for (i = 0; i < r->frames->len; i++) {
    gsize len, j;
    const guint8 *data
        = g_bytes_get_data (g_ptr_array_index (r->frames, i), &len);

    for (j = 0; j < len; j++, at++)
      g_assert_cmpuint (data[j], ==, (guint8)(at * 2654435761u >> 13));
  }
  g_assert_cmpuint (at, ==, expected);
}

typedef struct
{
  guint done;
  gchar *error;
  GBytes *reply;
} Answer;

static void
on_reply (GBytes *reply, const gchar *error, gpointer user)
{
  Answer *answer = user;

  g_mutex_lock (&world);
  answer->done++;
  answer->error = g_strdup (error);
  answer->reply = reply != NULL ? g_bytes_ref (reply) : NULL;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
}

static void
answer_clear (Answer *answer)
{
  g_clear_pointer (&answer->reply, g_bytes_unref);
  g_clear_pointer (&answer->error, g_free);
}

static void
end_device (void)
{
  g_assert_cmpint (iv_avt_p2p_exit (), ==, IV_ERR_NONE);
  device_close ();
}

/* init, get until it says end, EOS at the viewer, stop when that goes. */
static void
test_stream (gconstpointer keep)
{
  guint port = device_open ();
  Side viewer;
  Wish wish = { 0 };
  Received *r = NULL;
  Handle *h = &device.handles[0];

  device.model.blocks = 40;
  device.model.block_size = 3000;
  device.model.end = TRUE;
  device.model.keep_memory = keep != NULL;
  viewer_open (&viewer, port);
  wish_open (&wish, &viewer, LIVE);
  WAIT_FOR ((r = wish_find (&wish, "data_0")) != NULL && r->ended);
  g_assert_cmpstr (h->params, ==, LIVE);
  g_assert_cmpstr (h->peer, ==, viewer.peer != NULL ? h->peer : "");
  g_assert_cmpstr (g_ptr_array_index (r->caps, 0), ==, "video/x-flv");
  check_bytes (r, 40 * 3000);
  WAIT_FOR (iv_avt_p2p_get_send_status (h).sum_sent_acked >= 40 * 3000);
  g_assert_cmpuint (h->gets, ==, 41);
  g_assert_cmpuint (h->frees, ==, keep != NULL ? 0 : 40);
  g_assert_cmpuint (h->stops, ==, 0);
  wish_close (&wish);
  WAIT_FOR (h->stops == 1);
  g_assert_cmpuint (h->most_inside, ==, 1);
  /* When stop has returned, the handle is nothing any more. */
  WAIT_FOR (iv_avt_p2p_get_send_status (h).sum_sent_acked == 0);
  g_assert_cmpuint (iv_avt_p2p_get_send_buf (h), ==, 0);
  side_close (&viewer);
  end_device ();
  g_assert_cmpuint (device.n_handles, ==, 0);
}

/* A viewer that takes nothing: warn, high and a pause within one interval; when
 * it goes on, low, and data again within one interval. Intervals are those of
 * another handle, which is asked all the while. From `small_above` on in small
 * blocks, which are gathered. */
static void
test_watermarks (gconstpointer small_above)
{
  guint port = device_open ();
  Side viewer;
  Wish wish = { .refuse_new = TRUE }, other = { 0 };
  Received *r = NULL;
  Handle *h = &device.handles[0], *clock = &device.handles[1];
  guint gets, lows, ticks;

  device.model.blocks = 200;
  device.model.block_size = 60000;
  device.model.small_above = GPOINTER_TO_UINT (small_above);
  viewer_open (&viewer, port);
  wish_open (&wish, &viewer, LIVE);
  WAIT_FOR (h->events[IV_AVT_EVENT_P2P_WATERMARK_HIGH] == 1);
  g_mutex_lock (&world);
  /* What came before may have risen above warn alone, and fallen again. */
  lows = h->events[IV_AVT_EVENT_P2P_WATERMARK_LOW];
  g_assert_cmpuint (h->events[IV_AVT_EVENT_P2P_WATERMARK_WARN], ==, lows + 1);
  g_assert_cmpuint (h->levels_at[IV_AVT_EVENT_P2P_WATERMARK_WARN], >,
                    400 * 1024);
  g_assert_cmpuint (h->levels_at[IV_AVT_EVENT_P2P_WATERMARK_HIGH], >,
                    500 * 1024);
  /* One block more than the mark at the most, and none after the event. */
  g_assert_cmpuint (h->levels_at[IV_AVT_EVENT_P2P_WATERMARK_HIGH], <=,
                    500 * 1024 + 60000 + 4096);
  gets = h->gets_at[IV_AVT_EVENT_P2P_WATERMARK_HIGH];
  g_mutex_unlock (&world);
  WAIT_FOR ((r = wish_find (&wish, "data_0")) != NULL);
  /* The level is looked at, ticks come, and no get with them. */
  g_mutex_lock (&world);
  device.model.blocks = 0;
  g_mutex_unlock (&world);
  wish_open (&other, &viewer, LIVE);
  WAIT_FOR (clock->gets > 0);
  ticks = clock->gets;
  WAIT_FOR (clock->gets >= ticks + 20);
  g_assert_cmpuint (iv_avt_p2p_get_send_buf (h), >, 200 * 1024);
  g_mutex_lock (&world);
  g_assert_cmpuint (h->gets, ==, gets);
  g_assert_cmpuint (h->events[IV_AVT_EVENT_P2P_WATERMARK_HIGH], ==, 1);
  r->refuse = FALSE;
  g_mutex_unlock (&world);
  p2p_in_stream_resume (r->in);
  WAIT_FOR (h->events[IV_AVT_EVENT_P2P_WATERMARK_LOW] > lows);
  g_mutex_lock (&world);
  g_assert_cmpuint (h->gets_at[IV_AVT_EVENT_P2P_WATERMARK_LOW], >=, gets);
  g_assert_cmpuint (h->levels_at[IV_AVT_EVENT_P2P_WATERMARK_LOW], <,
                    200 * 1024);
  g_mutex_unlock (&world);
  WAIT_FOR (h->blocks == 0 && count_bytes (r) == h->given);
  check_bytes (r, h->given);
  g_mutex_lock (&world);
  g_assert_cmpuint (h->slowest, <=, 1);
  g_mutex_unlock (&world);
  wish_close (&other);
  wish_close (&wish);
  side_close (&viewer);
  end_device ();
}

/* All marks 0: no events; memory ends all the same. Then marks of one handle.
 */
static void
test_no_marks (void)
{
  guint port = device_open ();
  Side viewer;
  Wish wish = { .refuse_new = TRUE }, running = { 0 };
  Handle *h = &device.handles[0], *other = &device.handles[1];
  guint i, seen;

  g_assert_cmpint (iv_avt_p2p_set_buf_watermark (0, 0, 0), ==, IV_ERR_NONE);
  device.model.blocks = 400;
  device.model.block_size = 60000;
  viewer_open (&viewer, port);
  wish_open (&wish, &viewer, LIVE);
  WAIT_FOR (device.n_handles == 1);
  wish_open (&running, &viewer, LIVE);
  WAIT_FOR (iv_avt_p2p_get_send_buf (h) >= 512 * 1024);
  /* Ten ticks later, as another handle's data shows, it is no more. */
  seen = other->gets;
  WAIT_FOR (other->gets >= seen + 10);
  g_assert_cmpuint (iv_avt_p2p_get_send_buf (h), <, 512 * 1024 + 60000 + 4096);
  wish_close (&running);
  g_mutex_lock (&world);
  g_assert_cmpuint (h->blocks, >, 300);
  for (i = 4; i < 7; i++)
    g_assert_cmpuint (h->events[i], ==, 0);
  g_mutex_unlock (&world);
  g_assert_cmpint (iv_avt_p2p_set_handle_watermark (h, 1000, 2000, 3000), ==,
                   IV_ERR_NONE);
  WAIT_FOR (h->events[IV_AVT_EVENT_P2P_WATERMARK_HIGH] == 1);
  wish_close (&wish);
  side_close (&viewer);
  end_device ();
}

/* From high to low nothing is asked for, however much room there would be by
 * other limits: another handle's data shows that the ticks come. */
static void
test_pause (void)
{
  guint port = device_open ();
  Side viewer;
  Wish stalled = { .refuse_new = TRUE }, running = { 0 };
  Handle *h = &device.handles[0], *other = &device.handles[1];
  guint lows, gets, seen;
  gboolean paused;

  g_assert_cmpint (iv_avt_p2p_set_buf_watermark (100000, 200000, 300000), ==,
                   IV_ERR_NONE);
  device.model.blocks = 1000;
  device.model.block_size = 60000;
  viewer_open (&viewer, port);
  wish_open (&stalled, &viewer, LIVE);
  WAIT_FOR (device.n_handles == 1);
  wish_open (&running, &viewer, LIVE);
  WAIT_FOR (device.n_handles == 2);
  do {
    /* What the network takes at the start may end a first congestion. */
    WAIT_FOR (h->events[IV_AVT_EVENT_P2P_WATERMARK_HIGH]
              > h->events[IV_AVT_EVENT_P2P_WATERMARK_LOW]);
    g_mutex_lock (&world);
    lows = h->events[IV_AVT_EVENT_P2P_WATERMARK_LOW];
    seen = other->gets;
    g_mutex_unlock (&world);
    WAIT_FOR (other->gets >= seen + 10);
    g_mutex_lock (&world);
    paused = h->events[IV_AVT_EVENT_P2P_WATERMARK_LOW] == lows;
    gets = h->gets;
    g_mutex_unlock (&world);
  } while (!paused);
  g_assert_cmpuint (gets, ==, h->gets_at[IV_AVT_EVENT_P2P_WATERMARK_HIGH]);
  g_assert_cmpuint (h->blocks, >, 0);
  wish_close (&stalled);
  wish_close (&running);
  side_close (&viewer);
  end_device ();
}

/* A block of more than 16 MB is a mistake: it ends the stream, and is freed. */
static void
test_giant_block (void)
{
  guint port = device_open ();
  Side viewer;
  Wish wish = { 0 };
  Received *r = NULL;
  Handle *h = &device.handles[0];

  device.model.blocks = 1;
  device.model.block_size = (16 << 20) + 1;
  viewer_open (&viewer, port);
  wish_open (&wish, &viewer, LIVE);
  WAIT_FOR ((r = wish_find (&wish, "data_0")) != NULL && r->ended);
  g_assert_cmpuint (count_bytes (r), ==, 0);
  g_assert_cmpuint (h->gets, ==, 1);
  g_assert_cmpuint (h->frees, ==, 1);
  wish_close (&wish);
  WAIT_FOR (h->stops == 1);
  side_close (&viewer);
  end_device ();
}

/* One callback blocks: the others go on, and its handle waits for it. */
static void
test_blocked (void)
{
  guint port = device_open ();
  Side viewer;
  Wish one = { 0 }, two = { 0 };
  Handle *a = &device.handles[0], *b = &device.handles[1];
  guint gets;

  device.model.hold = TRUE;
  viewer_open (&viewer, port);
  wish_open (&one, &viewer, LIVE);
  WAIT_FOR (a->holding);
  g_mutex_lock (&world);
  device.model.hold = FALSE;
  g_mutex_unlock (&world);
  wish_open (&two, &viewer, LIVE);
  WAIT_FOR (b->gets >= 20);
  /* The viewer closes it: its stop waits for get to return. */
  wish_close (&one);
  gets = b->gets;
  WAIT_FOR (b->gets >= gets + 20);
  g_mutex_lock (&world);
  g_assert_cmpuint (a->gets, ==, 1);
  g_assert_cmpuint (a->stops, ==, 0);
  a->hold = FALSE;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
  WAIT_FOR (a->stops == 1);
  g_assert_cmpuint (a->most_inside, ==, 1);
  g_assert_cmpuint (b->most_inside, ==, 1);
  wish_close (&two);
  side_close (&viewer);
  end_device ();
}

/* Exit calls the stop of every open handle before it returns. */
static void
test_exit_open (void)
{
  guint port = device_open ();
  Side viewer;
  Wish wishes[3] = { { 0 } };
  guint i;

  viewer_open (&viewer, port);
  for (i = 0; i < 3; i++)
    wish_open (&wishes[i], &viewer, LIVE);
  WAIT_FOR (device.n_handles == 3 && device.handles[2].gets > 0);
  g_assert_cmpint (iv_avt_p2p_exit (), ==, IV_ERR_NONE);
  for (i = 0; i < 3; i++)
    g_assert_cmpuint (device.handles[i].stops, ==, 1);
  g_assert_cmpint (iv_avt_p2p_exit (), ==, IV_ERR_AVT_STATE_ERROR);
  g_assert_cmpuint (iv_avt_p2p_get_send_buf (&device.handles[0]), ==, 0);
  for (i = 0; i < 3; i++)
    wish_close (&wishes[i]);
  side_close (&viewer);
  device_close ();
}

/* From within a callback: the others before it returns, its own after. */
static void
test_exit_inside (void)
{
  guint port = device_open ();
  Side viewer;
  Wish one = { 0 }, two = { 0 };
  Handle *a = &device.handles[0], *b = &device.handles[1];

  viewer_open (&viewer, port);
  wish_open (&one, &viewer, LIVE);
  WAIT_FOR (device.n_handles == 1);
  g_mutex_lock (&world);
  device.model.exit_in_get = TRUE;
  g_mutex_unlock (&world);
  a->exit_status = b->exit_status = 1;
  device.model.exit_status = 1;
  wish_open (&two, &viewer, LIVE);
  WAIT_FOR (a->stops == 1 && b->stops == 1);
  g_assert_cmpint (b->exit_status, ==, IV_ERR_NONE);
  g_assert_cmpuint (b->most_inside, ==, 1);
  /* It is over when the callback has returned, and can begin again. */
  g_assert_cmpint (iv_avt_p2p_exit (), ==, IV_ERR_AVT_STATE_ERROR);
  g_assert_cmpint (iv_avt_p2p_init (&device_parm), ==, IV_ERR_NONE);
  g_assert_cmpint (iv_avt_p2p_exit (), ==, IV_ERR_NONE);
  wish_close (&one);
  wish_close (&two);
  side_close (&viewer);
  device_close ();
}

/* What else the program is called for. */
static void
test_exit_in_event (void)
{
  config_write (NULL);
  device_reset ();
  device.exit_in_event = TRUE;
  device.exit_status = 1;
  g_assert_cmpint (iv_avt_p2p_init (&device_parm), ==, IV_ERR_NONE);
  WAIT_FOR (device.exit_status != 1);
  g_assert_cmpint (device.exit_status, ==, IV_ERR_NONE);
  device_close ();
}

static void
test_exit_in_command (void)
{
  guint port = device_open ();
  GBytes *command = g_bytes_new_static ("bye", 3);
  Side viewer;
  Answer answer = { 0 };
  Wish wish = { 0 };

  device.exit_in_command = TRUE;
  device.exit_status = 1;
  device.reply_size = 10;
  viewer_open (&viewer, port);
  wish_open (&wish, &viewer, LIVE);
  /* The device may have opened the request before the viewer has heard that it
   * is connected, and sends commands. */
  WAIT_FOR (device.n_handles == 1 && viewer.added == 1);
  p2p_endpoint_send_command (viewer.endpoint, NULL, command, 0, on_reply,
                             &answer, NULL);
  WAIT_FOR (device.exit_status != 1 && answer.done == 1);
  /* The device has gone before its reply could be on its way. */
  g_assert_cmpstr (answer.error, ==, P2P_COMMAND_PEER_GONE);
  answer_clear (&answer);
  g_assert_cmpint (device.exit_status, ==, IV_ERR_NONE);
  g_assert_cmpuint (device.handles[0].stops, ==, 1);
  WAIT_FOR (device.reply_frees == 1);
  g_bytes_unref (command);
  wish_close (&wish);
  side_close (&viewer);
  device_close ();
}

typedef struct
{
  const gchar *params;
  gboolean taken;
} Params;

/* What the interface forbids in parameters does not reach the program, and the
 * viewer is told that there is nothing. */
static void
test_params (void)
{
  static const Params table[] = {
    { "action=live&channel=0&quality=high", TRUE },
    { "ipc.flv?action=live&channel=0&_crypto=off", TRUE },
    { "action=live&_crypto=off", TRUE },
    { "action=live&path=../../etc/passwd", FALSE },
    { "action=live&a=b=c", FALSE },
    { "action=live&a=b+c", FALSE },
    { "action=live&_secret=1", FALSE },
    { "ipc.flv?_secret=1", FALSE },
    { "action=live&&channel=0", FALSE },
    { "=live", FALSE },
    { "action", FALSE },
  };
  guint port = device_open ();
  Side viewer;
  guint i, taken = 0;

  device.model.end = TRUE;
  viewer_open (&viewer, port);
  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    Wish wish = { 0 };
    Received *r = NULL;

    g_test_message ("%s", table[i].params);
    wish_open (&wish, &viewer, table[i].params);
    WAIT_FOR ((r = wish_find (&wish, "data_0")) != NULL && r->ended);
    taken += table[i].taken;
    g_assert_cmpuint (device.n_handles, ==, taken);
    if (table[i].taken)
      g_assert_cmpstr (device.handles[taken - 1].params, ==, table[i].params);
    wish_close (&wish);
  }
  side_close (&viewer);
  end_device ();
}

/* A NULL handle refuses. */
static void
test_refused (void)
{
  guint port = device_open ();
  Side viewer;
  Wish wish = { 0 };
  Received *r = NULL;

  device.refuse = TRUE;
  viewer_open (&viewer, port);
  wish_open (&wish, &viewer, LIVE);
  WAIT_FOR ((r = wish_find (&wish, "data_0")) != NULL && r->ended);
  g_assert_cmpuint (r->frames->len, ==, 0);
  wish_close (&wish);
  side_close (&viewer);
  end_device ();
}

/* -- Talk ------------------------------------------------------------------ */

static void
test_talk (void)
{
  guint port = device_open ();
  Side viewer;
  P2pOffer *offer;
  P2pStreamConfig config = {
    .kind = P2P_WIRE_AUDIO, .name = "audio_0", .priority = -1, .deadline_ms = 0
  };
  P2pWireFrame frame = { 0 };
  P2pStream *stream;
  guint i;

  viewer_open (&viewer, port);
  offer = p2p_endpoint_offer (viewer.endpoint, "action=voice&channel=0");
  config.offer = offer;
  stream = p2p_endpoint_publish (viewer.endpoint, &config, NULL, NULL);
  g_assert_true (p2p_stream_set_caps (stream, "audio/x-alaw, rate=(int)8000"));
  WAIT_FOR (p2p_stream_count_viewers (stream) == 1);
  for (i = 0; i < 50; i++) {
    guint8 data[160];
    GBytes *bytes;

    memset (data, (int)i + 1, sizeof data);
    bytes = g_bytes_new (data, sizeof data);
    g_assert_cmpint (p2p_stream_push (stream, bytes, &frame, FALSE), ==,
                     P2P_PUSH_OK);
    g_bytes_unref (bytes);
  }
  WAIT_FOR (device.talk->len == 50 * 160);
  g_assert_cmpuint (device.talks, ==, 1);
  g_assert_cmpuint (device.talk_ends, ==, 0);
  g_assert_cmpstr (device.talk_params, ==, "action=voice&channel=0");
  for (i = 0; i < device.talk->len; i++)
    g_assert_cmpuint (device.talk->data[i], ==, i / 160 + 1);
  p2p_stream_end (stream);
  WAIT_FOR (device.talk_ends == 1);
  p2p_stream_unpublish (stream);
  p2p_offer_close (offer);
  side_close (&viewer);
  end_device ();
}

/* -- Commands -------------------------------------------------------------- */

typedef struct
{
  gsize size, reply;
  gboolean called, answered;
} Command;

static void
test_commands (void)
{
  static const Command table[] = {
    { 1, 1, TRUE, TRUE },       { 3000, 100, TRUE, TRUE },
    { 0, 1, FALSE, FALSE },     { 3001, 1, FALSE, FALSE },
    { 16385, 1, FALSE, FALSE }, { 100, 16384, TRUE, TRUE },
    { 100, 65536, TRUE, TRUE }, { 100, 65537, TRUE, FALSE },
    { 100, 0, TRUE, FALSE }, /* NULL closes the channel */
    { 100, 10, TRUE, TRUE }, /* that one alone */
  };
  guint port = device_open ();
  Side viewer;
  guint i;

  viewer_open (&viewer, port);
  WAIT_FOR (viewer.added == 1);
  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    gchar *text = g_strnfill (table[i].size, 'c');
    GBytes *command = g_bytes_new_take (text, table[i].size);
    Answer answer = { 0 };

    g_test_message ("row %u", i);
    g_mutex_lock (&world);
    device.commands = device.reply_frees = 0;
    device.reply_size = table[i].reply;
    g_mutex_unlock (&world);
    p2p_endpoint_send_command (viewer.endpoint, NULL, command, 0, on_reply,
                               &answer, NULL);
    WAIT_FOR (answer.done == 1);
    g_assert_cmpuint (device.commands, ==, table[i].called);
    g_assert_true ((answer.reply != NULL) == table[i].answered);
    g_assert_cmpuint (device.reply_frees, ==,
                      table[i].called && table[i].reply > 0);
    if (table[i].called)
      g_assert_cmpuint (device.command->len, ==, table[i].size);
    if (answer.reply != NULL)
      g_assert_cmpuint (g_bytes_get_size (answer.reply), ==, table[i].reply);
    else
      g_assert_cmpstr (answer.error, ==, P2P_COMMAND_REFUSED);
    answer_clear (&answer);
    g_bytes_unref (command);
  }
  side_close (&viewer);
  end_device ();
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/iv/stream", NULL, test_stream);
  g_test_add_data_func ("/iv/stream-own-memory", "", test_stream);
  g_test_add_data_func ("/iv/watermarks", NULL, test_watermarks);
  g_test_add_data_func ("/iv/watermarks-small-blocks",
                        GUINT_TO_POINTER (128 * 1024), test_watermarks);
  g_test_add_func ("/iv/no-marks", test_no_marks);
  g_test_add_func ("/iv/pause", test_pause);
  g_test_add_func ("/iv/giant-block", test_giant_block);
  g_test_add_func ("/iv/blocked", test_blocked);
  g_test_add_func ("/iv/exit-open", test_exit_open);
  g_test_add_func ("/iv/exit-inside", test_exit_inside);
  g_test_add_func ("/iv/exit-in-event", test_exit_in_event);
  g_test_add_func ("/iv/exit-in-command", test_exit_in_command);
  g_test_add_func ("/iv/params", test_params);
  g_test_add_func ("/iv/refused", test_refused);
  g_test_add_func ("/iv/talk", test_talk);
  g_test_add_func ("/iv/commands", test_commands);
  return g_test_run ();
}
