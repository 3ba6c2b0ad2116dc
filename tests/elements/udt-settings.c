/* udtsink and udtsrc: settings that are refused, URIs, wrong keys, ports, and
 * states that wait for nobody.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "udt-util.h"

#define OTHER_KEY "fedcba9876543210fedcba9876543210"

/* What the element posts, going to PLAYING with these settings. */
static void
expect_error (const gchar *name, const gchar *uri, const gchar *key,
              gboolean insecure, gint code)
{
  GstElement *element = gst_element_factory_make (name, NULL);
  GstBus *bus = gst_bus_new ();
  GstMessage *message;
  GError *error = NULL;

  gst_element_set_bus (element, bus);
  g_object_set (element, "uri", uri, "key", key, "insecure", insecure, NULL);
  fail_unless_equals_int (gst_element_set_state (element, GST_STATE_READY),
                          GST_STATE_CHANGE_FAILURE);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  fail_unless (message != NULL);
  gst_message_parse_error (message, &error, NULL);
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR, code));
  if (key != NULL)
    fail_unless (strstr (error->message, key) == NULL);
  g_error_free (error);
  gst_message_unref (message);
  gst_element_set_state (element, GST_STATE_NULL);
  gst_element_set_bus (element, NULL);
  gst_object_unref (bus);
  gst_object_unref (element);
}

GST_START_TEST (test_refused_settings)
{
  const gchar *names[] = { "udtsink", "udtsrc" };
  const gchar *good = "udt://127.0.0.1:7001";
  guint i;

  for (i = 0; i < 2; i++) {
    expect_error (names[i], good, NULL, FALSE, GST_RESOURCE_ERROR_SETTINGS);
    expect_error (names[i], good, KEY, TRUE, GST_RESOURCE_ERROR_SETTINGS);
    expect_error (names[i], good, "short", FALSE, GST_RESOURCE_ERROR_SETTINGS);
    expect_error (names[i], NULL, KEY, FALSE, GST_RESOURCE_ERROR_SETTINGS);
    expect_error (names[i], "udt://camera.example:7001?mode=listener", KEY,
                  FALSE, GST_RESOURCE_ERROR_SETTINGS);
    expect_error (names[i], "udt://:0?mode=caller", KEY, FALSE,
                  GST_RESOURCE_ERROR_SETTINGS);
    expect_error (names[i], "udt://127.0.0.1:7001?key=" KEY, KEY, FALSE,
                  GST_RESOURCE_ERROR_SETTINGS);
  }
}
GST_END_TEST;

GST_START_TEST (test_uri)
{
  const gchar *bad[] = { "udt://127.0.0.1",
                         "srt://127.0.0.1:7001",
                         "udt://127.0.0.1:7001?key=0123456789abcdef",
                         "udt://me:x@127.0.0.1:7001",
                         "udt://127.0.0.1:7001/path",
                         "udt://127.0.0.1:7001?mode=rendezvous",
                         "udt://127.0.0.1:7001?latency=many",
                         "udt://127.0.0.1:7001?name=x" };
  GstElement *element;
  gboolean insecure;
  guint latency, attempts;
  gint mode;
  guint i;

  element = gst_element_make_from_uri (
      GST_URI_SRC,
      "udt://[::1]:7001?"
      "mode=listener&latency=300&insecure=true&keep-alive-attempts=7",
      NULL, NULL);
  fail_unless (element != NULL);
  g_object_get (element, "mode", &mode, "latency", &latency, "insecure",
                &insecure, "keep-alive-attempts", &attempts, NULL);
  fail_unless_equals_int (mode, 1);
  fail_unless_equals_int (latency, 300);
  fail_unless_equals_int (insecure, TRUE);
  fail_unless_equals_int (attempts, 7);
  for (i = 0; i < G_N_ELEMENTS (bad); i++) {
    GError *error = NULL;

    fail_if (
        gst_uri_handler_set_uri (GST_URI_HANDLER (element), bad[i], &error));
    fail_unless (error != NULL && error->domain == GST_URI_ERROR);
    g_error_free (error);
  }
  gst_object_unref (element);
  element = gst_element_make_from_uri (GST_URI_SINK, "udt://:7001", NULL, NULL);
  fail_unless (element != NULL);
  g_object_get (element, "mode", &mode, NULL);
  fail_unless_equals_int (mode, 1);
  gst_object_unref (element);
}
GST_END_TEST;

GST_START_TEST (test_wrong_key)
{
  GstHarness *sink
      = make_end ("udtsink", "udt://127.0.0.1:0?mode=listener", KEY),
      *src;
  GstBus *bus = gst_bus_new ();
  GstMessage *message;
  GError *error = NULL;
  gchar *uri;

  gst_harness_play (sink);
  uri = g_strdup_printf ("udt://127.0.0.1:%u", bound_port (sink));
  src = make_end ("udtsrc", uri, OTHER_KEY);
  gst_element_set_bus (src->element, bus);
  gst_harness_set_src_caps_str (sink, H264);
  gst_harness_play (src);
  message
      = gst_bus_timed_pop_filtered (bus, 30 * GST_SECOND, GST_MESSAGE_ERROR);
  fail_unless (message != NULL);
  gst_message_parse_error (message, &error, NULL);
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
                                GST_RESOURCE_ERROR_NOT_AUTHORIZED));
  fail_unless (gst_harness_buffers_received (src) == 0);
  g_error_free (error);
  gst_message_unref (message);
  gst_element_set_bus (src->element, NULL);
  gst_object_unref (bus);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
  g_free (uri);
}
GST_END_TEST;

/* insecure is said aloud. */
GST_START_TEST (test_insecure_warning)
{
  GstElement *element = gst_element_factory_make ("udtsink", NULL);
  GstBus *bus = gst_bus_new ();
  GstMessage *message;

  gst_element_set_bus (element, bus);
  g_object_set (element, "uri", "udt://127.0.0.1:0?mode=listener&insecure=true",
                NULL);
  fail_unless (gst_element_set_state (element, GST_STATE_PAUSED)
               != GST_STATE_CHANGE_FAILURE);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING);
  fail_unless (message != NULL);
  gst_message_unref (message);
  gst_element_set_state (element, GST_STATE_NULL);
  gst_element_set_bus (element, NULL);
  gst_object_unref (bus);
  gst_object_unref (element);
}
GST_END_TEST;

/* To where nobody answers, by number and by name: states change at once, and a
 * live source is not held up. */
GST_START_TEST (test_states_do_not_block)
{
  const gchar *uris[] = { "udt://192.0.2.1:7001", "udt://nowhere.invalid:7001",
                          "udt://127.0.0.1:9" };
  const gchar *names[] = { "udtsink", "udtsrc" };
  guint i, k, n;

  for (i = 0; i < G_N_ELEMENTS (uris); i++) {
    for (k = 0; k < 2; k++) {
      GstElement *element = gst_element_factory_make (names[k], NULL);

      g_object_set (element, "uri", uris[i], "key", KEY, NULL);
      for (n = 0; n < 3; n++) {
        gint64 before = g_get_monotonic_time ();

        fail_unless (gst_element_set_state (element, GST_STATE_PLAYING)
                     != GST_STATE_CHANGE_FAILURE);
        fail_unless_equals_int (gst_element_set_state (element, GST_STATE_NULL),
                                GST_STATE_CHANGE_SUCCESS);
        /* The machine may be busy; what would block blocks for longer. */
        fail_unless (g_get_monotonic_time () - before < 2 * G_TIME_SPAN_SECOND);
      }
      gst_object_unref (element);
    }
  }
}
GST_END_TEST;

/* What is set in READY counts from PAUSED on, and a port that was told to
 * others stays. What is wrong is found there, too. */
GST_START_TEST (test_settings_in_ready)
{
  GstElement *sender = gst_element_factory_make ("udtsink", NULL);
  GstElement *receiver = gst_element_factory_make ("udtsrc", NULL);
  GstHarness *sink, *src;
  GstBus *bus = gst_bus_new ();
  GstMessage *message;
  guint port, again;
  gchar *uri;

  g_object_set (sender, "uri", "udt://127.0.0.1:0?mode=listener", "key",
                OTHER_KEY, NULL);
  gst_element_set_state (sender, GST_STATE_READY);
  g_object_get (sender, "bound-port", &port, NULL);
  g_object_set (sender, "insecure", TRUE, NULL);
  for (again = 0; again < 2; again++)
    fail_unless_equals_int (gst_element_set_state (sender, GST_STATE_PAUSED),
                            GST_STATE_CHANGE_FAILURE);
  gst_element_set_state (sender, GST_STATE_NULL);
  g_object_set (sender, "insecure", FALSE, NULL);
  gst_element_set_state (sender, GST_STATE_READY);
  g_object_get (sender, "bound-port", &port, NULL);
  g_object_set (sender, "key", KEY, "high-watermark", 20000, NULL);
  gst_element_set_state (sender, GST_STATE_PAUSED);
  g_object_get (sender, "bound-port", &again, NULL);
  fail_unless_equals_int (again, port);
  sink = gst_harness_new_with_element (sender, "sink", NULL);
  gst_harness_use_systemclock (sink);
  gst_harness_set_src_caps_str (sink, H264);
  gst_harness_play (sink);

  uri = g_strdup_printf ("udt://127.0.0.1:%u", port);
  g_object_set (receiver, "uri", "udt://127.0.0.1:1", "key", KEY, NULL);
  gst_element_set_state (receiver, GST_STATE_READY);
  g_object_set (receiver, "uri", uri, NULL);
  src = gst_harness_new_with_element (receiver, NULL, "src");
  gst_harness_use_systemclock (src);
  gst_harness_play (src);
  wait_for_key_unit_request (sink);
  gst_harness_push (sink, make_frame (3, 100, 0));
  gst_buffer_unref (gst_harness_pull (src));

  gst_element_set_state (src->element, GST_STATE_READY);
  gst_element_set_bus (src->element, bus);
  g_object_set (src->element, "insecure", TRUE, NULL);
  fail_unless_equals_int (gst_element_set_state (src->element,
                                                 GST_STATE_PAUSED),
                          GST_STATE_CHANGE_FAILURE);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  fail_unless (message != NULL);
  gst_message_unref (message);
  gst_element_set_bus (src->element, NULL);
  gst_object_unref (bus);
  gst_harness_teardown (src);
  gst_harness_teardown (sink);
  gst_object_unref (receiver);
  gst_object_unref (sender);
  g_free (uri);
}
GST_END_TEST;

/* That nobody listens there is said as soon as the host says so. */
GST_START_TEST (test_nobody_listens)
{
  GstElement *element = gst_element_factory_make ("udtsrc", NULL);
  GstBus *bus = gst_bus_new ();
  GstMessage *message;
  GError *error = NULL;

  gst_element_set_bus (element, bus);
  g_object_set (element, "uri", "udt://127.0.0.1:1", "key", KEY, NULL);
  gst_element_set_state (element, GST_STATE_PLAYING);
  message
      = gst_bus_timed_pop_filtered (bus, 30 * GST_SECOND, GST_MESSAGE_ELEMENT);
  fail_unless (message != NULL);
  fail_unless_equals_string (
      gst_structure_get_string (gst_message_get_structure (message), "status"),
      "refused");
  gst_message_unref (message);
  message = gst_bus_timed_pop_filtered (bus, 30 * GST_SECOND,
                                        GST_MESSAGE_WARNING | GST_MESSAGE_ERROR
                                            | GST_MESSAGE_ELEMENT);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_WARNING);
  gst_message_parse_warning (message, &error, NULL);
  fail_unless_equals_string (
      error->message, "No connection to 127.0.0.1:1: nobody listens there");
  g_error_free (error);
  gst_message_unref (message);
  gst_element_set_state (element, GST_STATE_NULL);
  gst_element_set_bus (element, NULL);
  gst_object_unref (bus);
  gst_object_unref (element);
}
GST_END_TEST;

/* A port that is taken is said so. */
GST_START_TEST (test_port_taken)
{
  GstHarness *sink
      = make_end ("udtsink", "udt://127.0.0.1:0?mode=listener", KEY);
  gchar *uri = g_strdup_printf ("udt://127.0.0.1:%u?mode=listener",
                                (gst_harness_play (sink), bound_port (sink)));

  expect_error ("udtsrc", uri, KEY, FALSE, GST_RESOURCE_ERROR_BUSY);
  g_free (uri);
  gst_harness_teardown (sink);
}
GST_END_TEST;

static Suite *
udt_settings_suite (void)
{
  Suite *suite = suite_create ("udt-settings");
  TCase *tc = tcase_create ("general");

  suite_add_tcase (suite, tc);
  tcase_add_test (tc, test_refused_settings);
  tcase_add_test (tc, test_uri);
  tcase_add_test (tc, test_wrong_key);
  tcase_add_test (tc, test_insecure_warning);
  tcase_add_test (tc, test_states_do_not_block);
  tcase_add_test (tc, test_settings_in_ready);
  tcase_add_test (tc, test_nobody_listens);
  tcase_add_test (tc, test_port_taken);
  return suite;
}

GST_CHECK_MAIN (udt_settings);
