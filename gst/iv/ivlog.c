/* What the library has to say.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: any, under a lock of its own, a leaf. Never a secret: what is logged
 * are names, numbers and the texts of errors that keep them out.
 */
#include "ivmodule.h"

#include <stdio.h>

static GMutex lock;
static guint level = IV_LOG_WARN; /* [lock] */
static gchar *file_name;          /* [lock] */
static FILE *file;                /* [lock] */
static guint64 file_size, file_written;

static void
reopen (const gchar *mode)
{
  if (file != NULL)
    fclose (file);
  file = fopen (file_name, mode);
  file_written = 0;
  if (file != NULL && fseek (file, 0, SEEK_END) == 0)
    file_written = (guint64)MAX (ftell (file), 0);
}

static void
rotate (void)
{
  gchar *old = g_strconcat (file_name, ".1", NULL);

  rename (file_name, old);
  g_free (old);
  reopen ("we");
}

void
iv_log (guint message_level, const gchar *format, ...)
{
  static const gchar *const names[]
      = { "", "error", "warning", "info", "debug" };
  gchar *text;
  va_list args;

  if (message_level > iv_log_get_level ())
    return;
  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_mutex_lock (&lock);
  if (file != NULL) {
    int n = fprintf (file, "%" G_GINT64_FORMAT " %s: %s\n",
                     g_get_real_time () / 1000, names[message_level], text);

    fflush (file);
    file_written += (guint64)MAX (n, 0);
    if (file_size > 0 && file_written >= file_size)
      rotate ();
  } else {
    fprintf (stderr, "iv-p2p: %s: %s\n", names[message_level], text);
  }
  g_mutex_unlock (&lock);
  g_free (text);
}

void
iv_log_set_level (guint new_level)
{
  g_mutex_lock (&lock);
  level = MIN (new_level, IV_LOG_DEBUG);
  g_mutex_unlock (&lock);
}

guint
iv_log_get_level (void)
{
  guint now;

  g_mutex_lock (&lock);
  now = level;
  g_mutex_unlock (&lock);
  return now;
}

void
iv_log_set_file (const gchar *path, guint64 size)
{
  gboolean failed = FALSE;

  g_mutex_lock (&lock);
  if (file != NULL)
    fclose (file);
  file = NULL;
  g_free (file_name);
  file_name = g_strdup (path);
  file_size = size;
  if (path != NULL) {
    reopen ("ae");
    failed = file == NULL;
  }
  g_mutex_unlock (&lock);
  if (failed)
    iv_log (IV_LOG_WARN, "%s: cannot be written; logging to standard error",
            path);
}
