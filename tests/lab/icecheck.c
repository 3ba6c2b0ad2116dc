/*
 * lab-icecheck: one bare libnice agent, so that the lab can be judged without
 * any other code of this project. Two of them, fed with each other's output,
 * show which path ICE finds between two hosts, and how soon.
 *
 *   lab-icecheck controlling|controlled [--stun HOST:PORT]
 *                [--turn udp|tcp HOST:PORT USER PASSWORD]
 *
 * Output, a line each: what the other side is to be told ("remote …": the
 * credentials, then each candidate as it is found), "connected direct|relay MS"
 * and, when the other side's greeting has come over that path, "greeted". Lines
 * "remote …" are read from standard input; its end is the end.
 *
 * Everything runs in the main thread, in its GMainContext.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <gio/gio.h>
#include <gio/gunixinputstream.h>
#include <nice/agent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GREETING "hello over there"
#define COMPONENT 1

typedef struct
{
  NiceAgent *agent;
  guint stream;
  GMainLoop *loop;
  GDataInputStream *input;
  gint64 started;
  gboolean connected;
} Check;

G_GNUC_PRINTF (1, 2)
static void
say (const gchar *format, ...)
{
  va_list args;

  va_start (args, format);
  vprintf (format, args);
  va_end (args);
  printf ("\n");
  fflush (stdout);
}

static void
new_candidate (NiceAgent *agent, NiceCandidate *candidate, Check *check)
{
  gchar *sdp = nice_agent_generate_local_candidate_sdp (agent, candidate);

  say ("remote candidate %s", sdp);
  g_free (sdp);
}

static void
state_changed (NiceAgent *agent, guint stream, guint component, guint state,
               Check *check)
{
  NiceCandidate *local, *remote;
  gboolean relayed;

  if (state == NICE_COMPONENT_STATE_FAILED)
    say ("failed");
  if (state != NICE_COMPONENT_STATE_CONNECTED || check->connected)
    return;
  check->connected = TRUE;
  if (!nice_agent_get_selected_pair (agent, stream, component, &local, &remote))
    return;
  relayed = local->type == NICE_CANDIDATE_TYPE_RELAYED
            || remote->type == NICE_CANDIDATE_TYPE_RELAYED;
  say ("connected %s %" G_GINT64_FORMAT, relayed ? "relay" : "direct",
       (g_get_monotonic_time () - check->started) / 1000);
  nice_agent_send (agent, stream, component, strlen (GREETING), GREETING);
}

static void
received (NiceAgent *agent, guint stream, guint component, guint len,
          gchar *data, gpointer user)
{
  if (len == strlen (GREETING) && memcmp (data, GREETING, len) == 0)
    say ("greeted");
}

static gboolean
take_remote (Check *check, const gchar *line)
{
  gchar ufrag[64], password[256];
  NiceCandidate *candidate;
  GSList *list;

  if (sscanf (line, "remote credentials %63s %255s", ufrag, password) == 2)
    return nice_agent_set_remote_credentials (check->agent, check->stream,
                                              ufrag, password);
  if (!g_str_has_prefix (line, "remote candidate "))
    return FALSE;
  candidate = nice_agent_parse_remote_candidate_sdp (
      check->agent, check->stream, line + strlen ("remote candidate "));
  if (!candidate)
    return FALSE;
  list = g_slist_append (NULL, candidate);
  nice_agent_set_remote_candidates (check->agent, check->stream, COMPONENT,
                                    list);
  g_slist_free_full (list, (GDestroyNotify)nice_candidate_free);
  return TRUE;
}

static void
line_read (GObject *source, GAsyncResult *result, gpointer data)
{
  Check *check = data;
  gchar *line
      = g_data_input_stream_read_line_finish (check->input, result, NULL, NULL);

  if (!line) {
    g_main_loop_quit (check->loop);
    return;
  }
  if (!take_remote (check, line))
    say ("error not understood: %s", line);
  g_free (line);
  g_data_input_stream_read_line_async (check->input, G_PRIORITY_DEFAULT, NULL,
                                       line_read, check);
}

/* HOST is a number here: names are nothing that this program is about. */
static gboolean
split_address (const gchar *address, gchar **host, guint *port)
{
  const gchar *colon = strrchr (address, ':');

  if (!colon)
    return FALSE;
  *host = g_strndup (address, (gsize)(colon - address));
  *port = (guint)g_ascii_strtoull (colon + 1, NULL, 10);
  return *port != 0;
}

static gboolean
configure (Check *check, gint argc, gchar **argv)
{
  gchar *host = NULL;
  guint port;
  gint i;

  for (i = 2; i < argc; i++) {
    if (g_str_equal (argv[i], "--stun") && i + 1 < argc
        && split_address (argv[i + 1], &host, &port)) {
      g_object_set (check->agent, "stun-server", host, "stun-server-port", port,
                    NULL);
      i += 1;
    } else if (g_str_equal (argv[i], "--turn") && i + 4 < argc
               && split_address (argv[i + 2], &host, &port)) {
      nice_agent_set_relay_info (check->agent, check->stream, COMPONENT, host,
                                 port, argv[i + 3], argv[i + 4],
                                 g_str_equal (argv[i + 1], "tcp")
                                     ? NICE_RELAY_TYPE_TURN_TCP
                                     : NICE_RELAY_TYPE_TURN_UDP);
      i += 4;
    } else
      return FALSE;
    g_clear_pointer (&host, g_free);
  }
  return TRUE;
}

int
main (int argc, char **argv)
{
  Check check = { 0 };
  GInputStream *standard_input;
  gchar *ufrag, *password;

  if (argc < 2)
    return 2;
  check.loop = g_main_loop_new (NULL, FALSE);
  /* Regular nomination would wait for all checks, those of addresses that can
   * never answer included. */
  check.agent = nice_agent_new_full (NULL, NICE_COMPATIBILITY_RFC5245,
                                     NICE_AGENT_OPTION_ICE_TRICKLE);
  g_object_set (check.agent, "controlling-mode",
                g_str_equal (argv[1], "controlling"), "ice-tcp", FALSE, "upnp",
                FALSE, NULL);
  check.stream = nice_agent_add_stream (check.agent, 1);
  nice_agent_set_stream_name (check.agent, check.stream, "application");
  if (!configure (&check, argc, argv))
    return 2;
  g_signal_connect (check.agent, "new-candidate-full",
                    G_CALLBACK (new_candidate), &check);
  g_signal_connect (check.agent, "component-state-changed",
                    G_CALLBACK (state_changed), &check);
  nice_agent_attach_recv (check.agent, check.stream, COMPONENT, NULL, received,
                          NULL);

  check.started = g_get_monotonic_time ();
  nice_agent_get_local_credentials (check.agent, check.stream, &ufrag,
                                    &password);
  say ("remote credentials %s %s", ufrag, password);
  g_free (ufrag);
  g_free (password);
  nice_agent_gather_candidates (check.agent, check.stream);

  standard_input = g_unix_input_stream_new (STDIN_FILENO, FALSE);
  check.input = g_data_input_stream_new (standard_input);
  g_data_input_stream_read_line_async (check.input, G_PRIORITY_DEFAULT, NULL,
                                       line_read, &check);
  g_main_loop_run (check.loop);

  g_object_unref (check.agent);
  g_object_unref (check.input);
  g_object_unref (standard_input);
  g_main_loop_unref (check.loop);
  return 0;
}
