/* The public face of the elements, as gst-inspect-1.0 would show it, compared
 * with what is written down in golden/: nothing of it changes unnoticed. Every
 * property is read in NULL, and every one that can be is written.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * P2P_GOLDEN_DIR: where the files are. P2P_UPDATE_GOLDEN=1 writes them.
 */
#include <string.h>
#include <glib/gstdio.h>
#include <gst/base/gstbasesink.h>
#include <gst/base/gstpushsrc.h>
#include <gst/check/gstcheck.h>

#include "describe.h"

GST_START_TEST (test_golden)
{
  compare_element ("p2psink", GST_TYPE_ELEMENT);
  compare_element ("p2psrc", GST_TYPE_ELEMENT);
#ifdef HAVE_UDT
  compare_element ("udtsink", GST_TYPE_BASE_SINK);
  compare_element ("udtsrc", GST_TYPE_PUSH_SRC);
#endif
}

GST_END_TEST;

/* What is written is read again; secrets are not, nor passwords in URIs. */
GST_START_TEST (test_set_and_get)
{
  static const struct
  {
    const gchar *element, *name, *value, *shown;
  } cases[] = {
    { "p2psink", "device-id", "camera-1", "camera-1" },
    { "p2psink", "uri", "p2p://camera-1?talk=1", "p2p://camera-1?talk=1" },
    { "p2psink", "signaller", "tcp://127.0.0.1:7000", "tcp://127.0.0.1:7000" },
    { "p2psink", "signaller", "mqtt://me:hunter2@broker:1883",
      "mqtt://me@broker:1883" },
    { "p2psink", "signaller", "mqtts://me:hun@ter/2@broker?ca-file=/a@b",
      "mqtts://me@broker?ca-file=/a@b" },
    { "p2psink", "signaller", "", NULL },
    { "p2psink", "stun-server", "stun://a:1", "stun://a:1" },
    { "p2psink", "turn-server", "turn://me:hunter2@a:1?transport=tcp",
      "turn://me@a:1?transport=tcp" },
    { "p2psrc", "uri", "p2p://camera-1", "p2p://camera-1" },
    { "p2psrc", "uri", "not a uri, found out later",
      "not a uri, found out later" },
  };
  guint i, number;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstElement *element = gst_element_factory_make (cases[i].element, NULL);
    gchar *shown;

    g_object_set (element, cases[i].name, cases[i].value, NULL);
    g_object_get (element, cases[i].name, &shown, NULL);
    fail_unless_equals_string (shown, cases[i].shown);
    g_free (shown);
    g_object_set (element, cases[i].name, NULL, NULL);
    g_object_get (element, cases[i].name, &shown, NULL);
    fail_unless (shown == NULL);
    gst_object_unref (element);
  }
  {
    static const gchar *const numbers[]
        = { "max-viewers",    "low-watermark",       "warn-watermark",
            "high-watermark", "keep-alive-interval", "keep-alive-attempts" };
    GstElement *sink = gst_element_factory_make ("p2psink", NULL);

    for (i = 0; i < G_N_ELEMENTS (numbers); i++)
      g_object_set (sink, numbers[i], 50 + i, NULL);
    for (i = 0; i < G_N_ELEMENTS (numbers); i++) {
      g_object_get (sink, numbers[i], &number, NULL);
      fail_unless_equals_int (number, 50 + i);
    }
    gst_object_unref (sink);
  }
}

GST_END_TEST;

static void
expect_refusal (GstElement *element, const gchar *words)
{
  GstBus *bus = gst_bus_new ();
  GstMessage *message;
  GError *error;

  gst_element_set_bus (element, bus);
  fail_unless_equals_int (gst_element_set_state (element, GST_STATE_READY),
                          GST_STATE_CHANGE_FAILURE);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  fail_unless (message != NULL);
  gst_message_parse_error (message, &error, NULL);
  fail_unless (
      g_error_matches (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS));
  fail_unless (strstr (error->message, words) != NULL,
               "\"%s\" says nothing "
               "of \"%s\"",
               error->message, words);
  fail_if (strstr (error->message, "hunter2") != NULL);
  g_error_free (error);
  gst_message_unref (message);
  gst_element_set_state (element, GST_STATE_NULL);
  gst_element_set_bus (element, NULL);
  gst_object_unref (bus);
}

/* Each wrong setting fails NULL to READY with a text that names it. */
GST_START_TEST (test_wrong_settings)
{
  static const struct
  {
    const gchar *line, *words;
  } cases[] = {
    { "p2psink key=hunter2hunter2", "device-id" },
    { "p2psink device-id=a/b key=hunter2hunter2", "device id" },
    { "p2psink device-id=camera-1", "key-file" },
    { "p2psink device-id=camera-1 key=hunter2", "12" },
    { "p2psink device-id=camera-1 key=hunter2hunter2 key-file=/x", "Both" },
    { "p2psink device-id=camera-1 key-file=/nonexistent", "/nonexistent" },
    { "p2psink uri=http://camera-1 key=hunter2hunter2", "p2p://" },
    { "p2psink uri=p2p://camera-1 device-id=x key=hunter2hunter2", "Both" },
    { "p2psink device-id=a key=hunter2hunter2 signaller=x://y", "signaller" },
    { "p2psink device-id=a key=hunter2hunter2 signaller=tcp://y", "signaller" },
    { "p2psink device-id=a key=hunter2hunter2 stun-server=x", "stun-server" },
    { "p2psink device-id=a key=hunter2hunter2 "
      "turn-server=turns://u:hunter2@h:1",
      "turns://" },
    { "p2psink device-id=a key=hunter2hunter2 turn-server=turn://h:1",
      "turn-server" },
    { "p2psink device-id=a key=hunter2hunter2 ice-transport-policy=relay",
      "turn-server" },
    { "p2psink device-id=a key=hunter2hunter2 low-watermark=500000",
      "low-watermark" },
    { "p2psrc key=hunter2hunter2", "uri" },
    { "p2psrc uri=p2p://camera-1 device-id=x key=hunter2hunter2", "Both" },
    { "p2psrc device-id=a/b key=hunter2hunter2", "device id" },
    { "p2psrc uri=p2p://camera-1", "key-file" },
    { "p2psrc uri=http://camera-1 key=hunter2hunter2", "p2p://" },
    { "p2psrc uri=p2p://camera-1?key=hunter2 key=hunter2hunter2", "key-file" },
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    GError *error = NULL;
    GstElement *element = gst_parse_launch (cases[i].line, &error);

    fail_unless (error == NULL, "%s", cases[i].line);
    expect_refusal (element, cases[i].words);
    gst_object_unref (element);
  }
}

GST_END_TEST;

/* Two elements that are the same device must agree on how. */
GST_START_TEST (test_conflict)
{
  GstElement *one = gst_parse_launch (
      "p2psink device-id=camera-1 "
      "key=hunter2hunter2 signaller=tcp://127.0.0.1:1 max-viewers=3",
      NULL);
  GstElement *two = gst_parse_launch (
      "p2psink device-id=camera-1 "
      "key=hunter2hunter2 signaller=tcp://127.0.0.1:1 max-viewers=4",
      NULL);

  fail_unless_equals_int (gst_element_set_state (one, GST_STATE_READY),
                          GST_STATE_CHANGE_SUCCESS);
  expect_refusal (two, "max-viewers");
  g_object_set (two, "max-viewers", 3, NULL);
  fail_unless_equals_int (gst_element_set_state (two, GST_STATE_READY),
                          GST_STATE_CHANGE_SUCCESS);
  gst_element_set_state (one, GST_STATE_NULL);
  gst_element_set_state (two, GST_STATE_NULL);
  gst_object_unref (one);
  gst_object_unref (two);
}

GST_END_TEST;

/* A key that is not set is looked for, a file that others can read is not
 * taken. */
GST_START_TEST (test_key_files)
{
  GstElement *src = gst_parse_launch ("p2psrc uri=p2p://camera-1 "
                                      "signaller=tcp://127.0.0.1:1",
                                      NULL);
  /* Not the user's own: the test's environment names another place. */
  gchar *sub = g_build_filename (g_get_user_config_dir (), "iv-p2p", NULL);
  gchar *file = g_build_filename (sub, "camera-1.key", NULL);

  fail_unless_equals_int (g_mkdir_with_parents (sub, 0700), 0);
  fail_unless (g_file_set_contents_full (file, "hunter2hunter2\n", -1,
                                         G_FILE_SET_CONTENTS_NONE, 0600, NULL));
  g_setenv ("P2P_KEY_FILE", file, TRUE);
  fail_unless_equals_int (gst_element_set_state (src, GST_STATE_READY),
                          GST_STATE_CHANGE_SUCCESS);
  gst_element_set_state (src, GST_STATE_NULL);
  fail_unless_equals_int (g_chmod (file, 0644), 0);
  expect_refusal (src, file);
  fail_unless_equals_int (g_chmod (file, 0600), 0);
  g_unsetenv ("P2P_KEY_FILE");
  fail_unless_equals_int (gst_element_set_state (src, GST_STATE_READY),
                          GST_STATE_CHANGE_SUCCESS);
  gst_element_set_state (src, GST_STATE_NULL);
  g_remove (file);
  expect_refusal (src, "camera-1.key");
  g_rmdir (sub);
  g_free (file);
  g_free (sub);
  gst_object_unref (src);
}

GST_END_TEST;

/* Every state, from NULL, without any setting: refused, and nothing hangs. */
GST_START_TEST (test_states_without_settings)
{
  static const gchar *const names[] = { "p2psink", "p2psrc" };
  guint i;
  GstState state;

  for (i = 0; i < 2; i++) {
    GstElement *element = gst_element_factory_make (names[i], NULL);

    for (state = GST_STATE_READY; state <= GST_STATE_PLAYING; state++) {
      fail_unless_equals_int (gst_element_set_state (element, state),
                              GST_STATE_CHANGE_FAILURE);
      fail_unless_equals_int (gst_element_set_state (element, GST_STATE_NULL),
                              GST_STATE_CHANGE_SUCCESS);
    }
    gst_object_unref (element);
  }
}

GST_END_TEST;

/* -- What can be changed when ---------------------------------------------- */

/* Another value than it has; FALSE: that type is nothing to set. */
static gboolean
change_value (GParamSpec *spec, GValue *value)
{
  if (G_IS_PARAM_SPEC_STRING (spec))
    g_value_set_string (value, g_str_has_suffix (spec->name, "rver")
                                   ? "turn://u:p@127.0.0.1"
                                   : "other");
  else if (G_IS_PARAM_SPEC_BOOLEAN (spec))
    g_value_set_boolean (value, !g_value_get_boolean (value));
  else if (G_IS_PARAM_SPEC_ENUM (spec))
    g_value_set_enum (value, !g_value_get_enum (value));
  else if (G_IS_PARAM_SPEC_UINT (spec))
    g_value_set_uint (value,
                      g_value_get_uint (value) == 100000 ? 200000 : 100000);
  else if (G_IS_PARAM_SPEC_UINT64 (spec))
    g_value_set_uint64 (value, g_value_get_uint64 (value) + 100000);
  else if (G_IS_PARAM_SPEC_INT (spec))
    g_value_set_int (value, g_value_get_int (value) == 20 ? 10 : 20);
  else
    return FALSE;
  /* Into the range that it has. */
  g_param_value_validate (spec, value);
  return TRUE;
}

static void
check_property (GstElement *element, GstBus *bus, GParamSpec *spec)
{
  gboolean fixed = (spec->flags & GST_PARAM_MUTABLE_READY) != 0;
  gboolean readable = (spec->flags & G_PARAM_READABLE) != 0;
  GValue before = G_VALUE_INIT, wanted = G_VALUE_INIT, after = G_VALUE_INIT;
  GstMessage *message;

  fail_unless (fixed || (spec->flags & GST_PARAM_MUTABLE_PLAYING), "%s.%s",
               GST_OBJECT_NAME (element), spec->name);
  g_value_init (&before, spec->value_type);
  g_value_init (&wanted, spec->value_type);
  g_value_init (&after, spec->value_type);
  if (readable)
    g_object_get_property (G_OBJECT (element), spec->name, &before);
  g_value_copy (&before, &wanted);
  if (change_value (spec, &wanted)) {
    g_object_set_property (G_OBJECT (element), spec->name, &wanted);
    message = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING);
    fail_unless ((message != NULL) == fixed, "%s.%s", GST_OBJECT_NAME (element),
                 spec->name);
    if (message != NULL)
      gst_message_unref (message);
    if (readable) {
      g_object_get_property (G_OBJECT (element), spec->name, &after);
      fail_unless_equals_int (g_param_values_cmp (spec, &after,
                                                  fixed ? &before : &wanted),
                              0);
    }
  }
  g_value_unset (&before);
  g_value_unset (&wanted);
  g_value_unset (&after);
}

/* What can only be set before PAUSED is refused there, aloud, and stays as it
 * was; everything else can be set, without a word. */
GST_START_TEST (test_what_can_change)
{
  static const gchar *const lines[] = {
    "p2psink uri=p2p://camera-1 key=hunter2hunter2 signaller=tcp://127.0.0.1:1",
    "p2psrc uri=p2p://camera-1 key=hunter2hunter2 signaller=tcp://127.0.0.1:1",
#ifdef HAVE_UDT
    "udtsink uri=udt://192.0.2.1:1 key=hunter2hunter2",
    "udtsrc uri=udt://192.0.2.1:1 key=hunter2hunter2",
#endif
  };
  guint i, k, n;

  for (i = 0; i < G_N_ELEMENTS (lines); i++) {
    GstElement *element = gst_parse_launch (lines[i], NULL);
    GstBus *bus = gst_bus_new ();
    GParamSpec **specs;

    fail_unless (element != NULL);
    gst_element_set_state (element, GST_STATE_PAUSED);
    gst_element_set_bus (element, bus);
    specs = g_object_class_list_properties (G_OBJECT_GET_CLASS (element), &n);
    for (k = 0; k < n; k++)
      if (specs[k]->owner_type == G_OBJECT_TYPE (element)
          && (specs[k]->flags & G_PARAM_WRITABLE))
        check_property (element, bus, specs[k]);
    g_free (specs);
    gst_element_set_bus (element, NULL);
    gst_element_set_state (element, GST_STATE_NULL);
    gst_object_unref (bus);
    gst_object_unref (element);
  }
}

GST_END_TEST;

static Suite *
inspect_suite (void)
{
  Suite *suite = suite_create ("inspect");
  TCase *tcase = tcase_create ("inspect");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_golden);
  tcase_add_test (tcase, test_set_and_get);
  tcase_add_test (tcase, test_wrong_settings);
  tcase_add_test (tcase, test_conflict);
  tcase_add_test (tcase, test_key_files);
  tcase_add_test (tcase, test_states_without_settings);
  tcase_add_test (tcase, test_what_can_change);
  return suite;
}

GST_CHECK_MAIN (inspect);
