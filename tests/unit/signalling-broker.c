/* A Mosquitto of the test's own. See signalling-broker.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "signalling-broker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static gchar *mosquitto;
gchar *broker_directory;

gboolean
broker_tests_begin (int *argc, char ***argv)
{
  g_test_init (argc, argv, NULL);
  mosquitto = g_find_program_in_path ("mosquitto");
  if (!mosquitto
      && g_file_test ("/usr/sbin/mosquitto", G_FILE_TEST_IS_EXECUTABLE))
    mosquitto = g_strdup ("/usr/sbin/mosquitto");
  if (!mosquitto) {
    g_print ("1..0 # SKIP mosquitto is not installed\n");
    return FALSE;
  }
  broker_directory = g_dir_make_tmp ("signalling-XXXXXX", NULL);
  return TRUE;
}

int
broker_tests_run (void)
{
  int status = g_test_run ();

  if (status == 0) {
    g_autofree gchar *command
        = g_strdup_printf ("rm -r '%s'", broker_directory);

    if (system (command) != 0)
      status = 1;
  }
  g_free (broker_directory);
  g_free (mosquitto);
  return status;
}

guint16
free_port (void)
{
  g_autoptr (GSocketListener) listener = g_socket_listener_new ();

  return g_socket_listener_add_any_inet_port (listener, NULL, NULL);
}

static void
die_with_parent (gpointer unused)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
}

GSubprocess *
spawn (GSubprocessFlags flags, const gchar *program, const gchar *option,
       const gchar *value)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (flags);
  g_autoptr (GError) error = NULL;
  GSubprocess *process;

  g_subprocess_launcher_set_child_setup (launcher, die_with_parent, NULL, NULL);
  process = g_subprocess_launcher_spawn (launcher, &error, program, option,
                                         value, NULL);
  g_assert_no_error (error);
  return process;
}

void
broker_run (Broker *broker, const gchar *options)
{
  g_autofree gchar *path
      = g_strdup_printf ("%s/%u.conf", broker_directory, broker->port);
  g_autofree gchar *config = g_strdup_printf (
      "user root\npersistence false\n"
      "log_dest stderr\nlog_type information\nlog_type error\n"
      "listener %u 127.0.0.1\n%s\n",
      broker->port, options);
  g_autoptr (GError) error = NULL;
  g_autoptr (GDataInputStream) log = NULL;

  g_assert_true (g_file_set_contents (path, config, -1, &error));
  broker->process
      = spawn (G_SUBPROCESS_FLAGS_STDERR_PIPE, mosquitto, "-c", path);
  log = g_data_input_stream_new (
      g_subprocess_get_stderr_pipe (broker->process));
  g_filter_input_stream_set_close_base_stream (G_FILTER_INPUT_STREAM (log),
                                               FALSE);
  for (;;) {
    g_autofree gchar *line
        = g_data_input_stream_read_line (log, NULL, NULL, &error);

    g_assert_no_error (error);
    if (!line)
      g_error ("the broker does not start");
    if (strstr (line, " running"))
      return;
  }
}

Broker
broker_start (const gchar *options)
{
  Broker broker = { .port = free_port () };

  broker.uri = g_strdup_printf ("mqtt://localhost:%u", broker.port);
  broker_run (&broker, options);
  return broker;
}

void
broker_kill (Broker *broker)
{
  g_subprocess_force_exit (broker->process);
  g_subprocess_wait (broker->process, NULL, NULL);
  g_clear_object (&broker->process);
}

void
broker_stop (Broker *broker)
{
  broker_kill (broker);
  g_free (broker->uri);
}

Node *
quick_node (const gchar *uri, P2pRole role, const gchar *key)
{
  Node *node = node_new (uri, role, DEVICE, key);

  p2p_signaller_get_timing (node->signaller)->backoff = 50;
  p2p_signaller_get_timing (node->signaller)->backoff_max = 200;
  return node;
}
