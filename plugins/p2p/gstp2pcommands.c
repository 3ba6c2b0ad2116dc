/* Commands on p2psink and p2psrc: the action signal that sends one, the signal
 * that carries one out.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: a command is carried out on a worker of the session, one at a time
 * for each peer. An element that stops does not wait for that; the worker's
 * listener keeps it alive until then. Replies come on the session's notify
 * thread.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstp2pcommands.h"

/* -- Sending --------------------------------------------------------------- */

static void
on_reply (GBytes *reply, const gchar *error, gpointer user)
{
  GstStructure *answer = gst_structure_new_empty ("application/x-p2p-reply");

  if (reply != NULL)
    gst_structure_set (answer, "reply", G_TYPE_BYTES, reply, NULL);
  else
    gst_structure_set (answer, "error", G_TYPE_STRING, error, NULL);
  gst_promise_reply (user, answer);
}

void
gst_p2p_send_command (P2pEndpoint *endpoint, const gchar *peer, GBytes *command,
                      GstPromise *promise)
{
  GBytes *bytes
      = command != NULL ? g_bytes_ref (command) : g_bytes_new (NULL, 0);

  if (peer != NULL && *peer == '\0')
    peer = NULL;
  if (promise != NULL)
    gst_promise_ref (promise);
  if (endpoint != NULL) {
    p2p_endpoint_send_command (endpoint, peer, bytes, 0,
                               promise != NULL ? on_reply : NULL, promise,
                               promise != NULL
                                   ? (GDestroyNotify)gst_promise_unref
                                   : NULL);
  } else if (promise != NULL) {
    on_reply (NULL, P2P_COMMAND_CLOSED, promise);
    gst_promise_unref (promise);
  }
  g_bytes_unref (bytes);
}

/* -- Carrying out ---------------------------------------------------------- */

GBytes *
gst_p2p_emit_command (gpointer element, guint signal, const gchar *peer,
                      GBytes *command)
{
  GBytes *reply = NULL;

  g_signal_emit (element, signal, 0, peer, command, &reply);
  return reply;
}

/* The first handler that replies is the last that is asked. */
static gboolean
first_reply (GSignalInvocationHint *hint, GValue *result, const GValue *reply,
             gpointer data)
{
  if (g_value_get_boxed (reply) == NULL)
    return TRUE;
  g_value_copy (reply, result);
  return FALSE;
}

/* -- Installing ------------------------------------------------------------ */

guint
gst_p2p_install_commands (GType type, GCallback send)
{
  /**
   * GstP2pSink::send-command:
   * GstP2pSrc::send-command:
   * @peer: (nullable): whom to send to; %NULL or empty: the device, or the only
   *     viewer
   * @command: at most 65536 bytes
   * @promise: (nullable): replied with application/x-p2p-reply, which has
   *     `reply` (GBytes) or `error` (string)
   *
   * Sends a command to the application of the peer. The promise is replied
   * exactly once, within half a minute.
   */
  g_signal_new_class_handler ("send-command", type,
                              G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION, send, NULL,
                              NULL, NULL, G_TYPE_NONE, 3, G_TYPE_STRING,
                              G_TYPE_BYTES, GST_TYPE_PROMISE);
  /**
   * GstP2pSink::command:
   * GstP2pSrc::command:
   * @peer: who sent it
   * @command: what it says
   *
   * A command of a peer; the handler may take its time.
   *
   * Returns: (transfer full) (nullable): the reply, at most 65536 bytes. %NULL:
   * another handler is asked; if none replies the peer is told that the command
   * was refused.
   */
  return g_signal_new ("command", type, G_SIGNAL_RUN_LAST, 0, first_reply, NULL,
                       NULL, G_TYPE_BYTES, 2, G_TYPE_STRING, G_TYPE_BYTES);
}
