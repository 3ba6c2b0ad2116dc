/* Commands: a message of a peer's app, answered within the call; and, in the
 * newer shape, of ours.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: the session calls on a thread for each peer; the program is called
 * by one of them at a time, since the interface knows no more. Those that wait
 * give up when the module ends.
 * What a command says is the program's alone to judge: nothing here opens a
 * file or starts a program by it.
 */
#include "ivmodule.h"

#include <string.h>

static gboolean
enter (IvModule *module)
{
  gboolean ok;

  g_mutex_lock (&module->lock);
  while (module->in_command && !module->closing)
    g_cond_wait (&module->changed, &module->lock);
  ok = !module->closing;
  if (ok)
    module->in_command = TRUE;
  g_mutex_unlock (&module->lock);
  return ok;
}

static void
leave (IvModule *module)
{
  g_mutex_lock (&module->lock);
  module->in_command = FALSE;
  g_cond_broadcast (&module->changed);
  g_mutex_unlock (&module->lock);
}

static GBytes *
take_reply (const iv_cm_memory_s *memory, const gchar *peer)
{
  GBytes *reply = NULL;

  if (memory->buf == NULL)
    return NULL;
  if (memory->size > 0 && memory->size <= P2P_COMMAND_MAX)
    reply = g_bytes_new (memory->buf, memory->size);
  else if (memory->size > 0)
    iv_log (IV_LOG_ERROR,
            "%s: a reply of %" G_GSIZE_FORMAT " bytes is not "
            "sent: %d are the limit",
            peer, memory->size, P2P_COMMAND_MAX);
  if (memory->buf_free_fn != NULL)
    memory->buf_free_fn (memory->buf, memory->size);
  return reply;
}

GBytes *
iv_command_run (IvModule *module, const gchar *peer, GBytes *command)
{
  gsize len;
  const gchar *data = g_bytes_get_data (command, &len);
  iv_cm_memory_s memory;
  GBytes *reply;
  gchar *text;

  if (len == 0 || len > IV_MAX_COMMAND) {
    iv_log (IV_LOG_WARN,
            "%s: a command of %" G_GSIZE_FORMAT " bytes is "
            "refused: 1 to %d are allowed",
            peer, len, IV_MAX_COMMAND);
    return NULL;
  }
  if (!enter (module))
    return NULL;
  /* The program may end it from within. */
  iv_module_ref (module);
  /* With a NUL behind it, for programs that take it as text. */
  text = g_strndup ("", len);
  memcpy (text, data, len);
  memory = module->calls.command (text, len, peer);
  reply = take_reply (&memory, peer);
  g_free (text);
  leave (module);
  iv_module_unref (module);
  return reply;
}

/* -- Ours ------------------------------------------------------------------ */

typedef struct
{
  gint refs; /* [atomic] the waiting thread and the session */
  GMutex lock;
  GCond answered;
  gboolean done;
  GBytes *reply;
  int status;
} Question;

static void
question_unref (gpointer data)
{
  Question *question = data;

  if (!g_atomic_int_dec_and_test (&question->refs))
    return;
  g_clear_pointer (&question->reply, g_bytes_unref);
  g_mutex_clear (&question->lock);
  g_cond_clear (&question->answered);
  g_free (question);
}

static int
status_of (const gchar *error)
{
  static const struct
  {
    const gchar *error;
    int status;
  } table[] = {
    { P2P_COMMAND_NOT_CONNECTED, IV_ERR_AVT_CHN_NOT_EXIT },
    { P2P_COMMAND_BUSY, IV_ERR_AVT_REQ_CHN_BUSY },
    { P2P_COMMAND_NO_ANSWER, IV_ERR_SYS_COMMUNICATE_TIMEOUT },
    { P2P_COMMAND_TOO_BIG, IV_ERR_AVT_SEND_STREAM_TOO_BIG },
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (table); i++)
    if (g_str_equal (error, table[i].error))
      return table[i].status;
  return IV_ERR_SYS_COMMUNICATE_FAIL;
}

static void
on_reply (GBytes *reply, const gchar *error, gpointer user)
{
  Question *question = user;

  g_mutex_lock (&question->lock);
  question->done = TRUE;
  question->reply = reply != NULL ? g_bytes_ref (reply) : NULL;
  question->status = reply != NULL ? IV_ERR_NONE : status_of (error);
  g_cond_signal (&question->answered);
  g_mutex_unlock (&question->lock);
}

static int
copy_reply (GBytes *reply, unsigned char *buf, size_t *buf_len)
{
  gsize len, room = *buf_len;
  gconstpointer data = g_bytes_get_data (reply, &len);

  *buf_len = len;
  if (len > room)
    return IV_ERR_AVT_SEND_STREAM_TOO_BIG;
  if (len > 0)
    memcpy (buf, data, len);
  return IV_ERR_NONE;
}

static int
ask (IvModule *module, const char *peer, GBytes *command, unsigned char *buf,
     size_t *buf_len, guint timeout_ms)
{
  Question *question = g_new0 (Question, 1);
  int status;

  question->refs = 2;
  g_mutex_init (&question->lock);
  g_cond_init (&question->answered);
  p2p_endpoint_send_command (module->endpoint, peer, command, timeout_ms,
                             on_reply, question, question_unref);
  /* Every command gets its reply or an error, in time. */
  g_mutex_lock (&question->lock);
  while (!question->done)
    g_cond_wait (&question->answered, &question->lock);
  status = question->status;
  if (status == IV_ERR_NONE)
    status = copy_reply (question->reply, buf, buf_len);
  else
    *buf_len = 0;
  g_mutex_unlock (&question->lock);
  question_unref (question);
  return status;
}

int
iv_command_send (const char *peer, const char *msg, size_t msg_len,
                 unsigned char *recv_buf, size_t *recv_len, guint timeout_ms)
{
  IvModule *module;
  GBytes *command;
  int status;

  if (peer == NULL || msg == NULL || recv_buf == NULL || recv_len == NULL)
    return IV_ERR_AVT_INPUT_PARAM_NULL;
  if (msg_len == 0 || msg_len > IV_MAX_SENT_COMMAND)
    return IV_ERR_AVT_INPUT_PARAM_INVAILD;
  module = iv_module_get ();
  if (module == NULL)
    return IV_ERR_AVT_STATE_ERROR;
  command = g_bytes_new (msg, msg_len);
  status = ask (module, peer, command, recv_buf, recv_len,
                timeout_ms > 0 ? timeout_ms : IV_COMMAND_TIMEOUT_MS);
  g_bytes_unref (command);
  iv_module_unref (module);
  return status;
}
