/* The elements under an application that knows no patience: states change at
 * any moment and from several threads at once, pads go while data flows, and
 * the last reference goes in the middle of a connection.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is shown: nothing crashes or hangs, and in the end everybody has let go
 * of the element. Threads dawdle for a random number of turns, so that moments
 * differ; the seed is fixed. With P2P_SOAK there are thousands of rounds.
 */
#include <gst/check/gstcheck.h>

#define KEY "0123456789abcdef0123456789abcdef"
#define H264                                                                   \
  "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au"
#define SOAK_TIMES 50
#define MAX_TURNS 300
#define PATIENCE_US (30 * G_TIME_SPAN_SECOND)

static guint
rounds (guint quick)
{
  return g_getenv ("P2P_SOAK") != NULL ? quick * SOAK_TIMES : quick;
}

static void
dawdle (GRand *rand)
{
  gint turns = g_rand_int_range (rand, 0, MAX_TURNS);

  while (turns-- > 0)
    g_thread_yield ();
}

/* -- An element whose end is seen ------------------------------------------ */

static GstElement *
make (const gchar *line)
{
  GstElement *element = gst_parse_launch (line, NULL);

  fail_unless (element != NULL, "%s", line);
  gst_object_ref_sink (element);
  return element;
}

/* The last reference of the application goes; so do all others. */
static void
let_go (GstElement *element)
{
  gint64 until = g_get_monotonic_time () + PATIENCE_US;
  gpointer alive = element;

  g_object_add_weak_pointer (G_OBJECT (element), &alive);
  gst_object_unref (element);
  while (g_atomic_pointer_get (&alive) != NULL) {
    fail_unless (g_get_monotonic_time () < until, "somebody holds it still");
    g_thread_yield ();
  }
}

/* -- States ---------------------------------------------------------------- */

typedef struct
{
  GstElement *element;
  guint32 seed;
  gint quit;
} Hand;

static gpointer
change_states (gpointer data)
{
  Hand *hand = data;
  GRand *rand = g_rand_new_with_seed (hand->seed);

  while (!g_atomic_int_get (&hand->quit)) {
    gst_element_set_state (hand->element,
                           g_rand_int_range (rand, GST_STATE_NULL,
                                             GST_STATE_PLAYING + 1));
    dawdle (rand);
  }
  g_rand_free (rand);
  return NULL;
}

static void
come_and_go (GstElement *element)
{
  GstPad *pad = gst_element_request_pad_simple (element, "video_%u");

  if (pad == NULL)
    return;
  gst_element_release_request_pad (element, pad);
  gst_object_unref (pad);
}

/* What an application asks meanwhile. */
static gpointer
ask (gpointer data)
{
  Hand *hand = data;
  GRand *rand = g_rand_new_with_seed (hand->seed);

  while (!g_atomic_int_get (&hand->quit)) {
    GstQuery *query = gst_query_new_latency ();
    GstStructure *stats = NULL;

    g_object_get (hand->element, "stats", &stats, NULL);
    gst_structure_free (stats);
    gst_element_query (hand->element, query);
    gst_query_unref (query);
    gst_element_send_event (hand->element, gst_event_new_latency (0));
    if (g_rand_boolean (rand))
      gst_element_send_event (hand->element, gst_event_new_eos ());
    if (g_str_has_prefix (GST_OBJECT_NAME (hand->element), "p2psink"))
      come_and_go (hand->element);
    dawdle (rand);
  }
  g_rand_free (rand);
  return NULL;
}

static void
hammer (const gchar *line, guint n)
{
  GRand *rand = g_rand_new_with_seed (7);
  GstElement *element = make (line);
  Hand other = { element, 11, 0 }, curious = { element, 13, 0 };
  GThread *threads[2];
  guint i;

  threads[0] = g_thread_new ("other", change_states, &other);
  threads[1] = g_thread_new ("curious", ask, &curious);
  for (i = 0; i < n; i++) {
    gst_element_set_state (element, GST_STATE_PLAYING);
    dawdle (rand);
    gst_element_set_state (element, GST_STATE_NULL);
    dawdle (rand);
  }
  g_atomic_int_set (&other.quit, 1);
  g_atomic_int_set (&curious.quit, 1);
  g_thread_join (threads[0]);
  g_thread_join (threads[1]);
  /* An EOS that was sent just as the element stopped is kept by GstBaseSrc
   * until the next stop, but not let go at the end. */
  gst_element_set_state (element, GST_STATE_PAUSED);
  fail_unless_equals_int (gst_element_set_state (element, GST_STATE_NULL),
                          GST_STATE_CHANGE_SUCCESS);
  let_go (element);
  g_rand_free (rand);
}

/* As soon as it calls, it is gone. */
static void
drop (const gchar *line, guint n)
{
  GRand *rand = g_rand_new_with_seed (17);
  guint i;

  for (i = 0; i < n; i++) {
    GstElement *element = make (line);

    gst_element_set_state (element, GST_STATE_PLAYING);
    dawdle (rand);
    gst_element_set_state (element, GST_STATE_NULL);
    let_go (element);
  }
  g_rand_free (rand);
}

static const gchar *const lines[] = {
  "p2psink device-id=hammer key=" KEY " signaller=tcp://127.0.0.1:0",
  "p2psrc device-id=hammer key=" KEY " signaller=tcp://127.0.0.1:0",
  "p2psink uri=p2p://hammer key=" KEY " signaller=tcp://127.0.0.1:1",
  "p2psrc uri=p2p://hammer key=" KEY " signaller=tcp://192.0.2.1:9",
#ifdef HAVE_MQTT
  "p2psrc uri=p2p://hammer key=" KEY " signaller=mqtt://192.0.2.1",
  "p2psink device-id=hammer key=" KEY " signaller=mqtt://127.0.0.1:1",
#endif
#ifdef HAVE_UDT
  "udtsink uri=udt://127.0.0.1:1 key=" KEY,
  "udtsrc uri=udt://192.0.2.1:1 insecure=true",
  "udtsink uri=\"udt://127.0.0.1:0?mode=listener\" insecure=true",
  "udtsrc uri=\"udt://127.0.0.1:0?mode=listener\" key=" KEY,
#endif
};

GST_START_TEST (test_states)
{
  hammer (lines[__i__], rounds (2));
}
GST_END_TEST;

GST_START_TEST (test_dropped)
{
  drop (lines[__i__], rounds (1));
}
GST_END_TEST;

/* -- Pads ------------------------------------------------------------------ */

typedef struct
{
  GstPad *src;
  gint pushed;
} Pusher;

/* Until it is not wanted any more. */
static gpointer
push_frames (gpointer data)
{
  Pusher *pusher = data;
  GstFlowReturn flow = GST_FLOW_OK;

  while (flow == GST_FLOW_OK) {
    GstBuffer *buffer = gst_buffer_new_allocate (NULL, 2000, NULL);

    gst_buffer_memset (buffer, 0, 1, 2000);
    flow = gst_pad_push (pusher->src, buffer);
    g_atomic_int_inc (&pusher->pushed);
  }
  return NULL;
}

static GstPad *
make_source (GstPad *sink_pad)
{
  GstPad *src = gst_pad_new ("src", GST_PAD_SRC);
  GstCaps *caps = gst_caps_from_string (H264);
  GstSegment segment;

  gst_object_ref_sink (src);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_set_active (src, TRUE);
  gst_pad_push_event (src, gst_event_new_stream_start ("hammer"));
  gst_pad_push_event (src, gst_event_new_caps (caps));
  gst_pad_push_event (src, gst_event_new_segment (&segment));
  gst_caps_unref (caps);
  fail_unless_equals_int (gst_pad_link (src, sink_pad), GST_PAD_LINK_OK);
  return src;
}

/* A viewer is there or not, data flows into two pads, and one of them goes, or
 * the element stops under both. */
GST_START_TEST (test_pads)
{
  GRand *rand = g_rand_new_with_seed (19);
  GstElement *camera = make ("p2psink device-id=hammer key=" KEY
                             " signaller=tcp://127.0.0.1:0 max-viewers=2");
  guint i, k, n = rounds (5);

  gst_element_set_state (camera, GST_STATE_PLAYING);
  for (i = 0; i < n; i++) {
    Pusher pushers[2] = { { 0 } };
    GThread *threads[2];
    GstPad *pads[2];

    for (k = 0; k < 2; k++) {
      pads[k] = gst_element_request_pad_simple (camera, "video_%u");
      pushers[k].src = make_source (pads[k]);
      threads[k] = g_thread_new ("push", push_frames, &pushers[k]);
    }
    while (g_atomic_int_get (&pushers[0].pushed) == 0)
      g_thread_yield ();
    dawdle (rand);
    if (i % 4 == 3)
      gst_element_set_state (camera, GST_STATE_READY);
    for (k = 0; k < 2; k++) {
      gst_element_release_request_pad (camera, pads[k]);
      dawdle (rand);
    }
    for (k = 0; k < 2; k++) {
      g_thread_join (threads[k]);
      gst_pad_set_active (pushers[k].src, FALSE);
      gst_object_unref (pushers[k].src);
      gst_object_unref (pads[k]);
    }
    gst_element_set_state (camera, GST_STATE_PLAYING);
  }
  gst_element_set_state (camera, GST_STATE_NULL);
  let_go (camera);
  g_rand_free (rand);
}
GST_END_TEST;

static Suite *
hammer_suite (void)
{
  Suite *suite = suite_create ("hammer");
  TCase *tc = tcase_create ("general");

  suite_add_tcase (suite, tc);
  if (g_getenv ("P2P_SOAK") != NULL)
    tcase_set_timeout (tc, 1200);
  tcase_add_loop_test (tc, test_states, 0, G_N_ELEMENTS (lines));
  tcase_add_loop_test (tc, test_dropped, 0, G_N_ELEMENTS (lines));
  tcase_add_test (tc, test_pads);
  return suite;
}

GST_CHECK_MAIN (hammer);
