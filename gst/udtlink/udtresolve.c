/* Looks a name up without anybody waiting for it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two references: the owner's and the thread's.
 */
#define _GNU_SOURCE
#include "udtresolve.h"

#include <fcntl.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

struct _UdtResolve
{
  gatomicrefcount refs;
  gchar *host;
  guint port;
  int wake_fd;

  GMutex lock;
  gboolean done; /* [lock], as is what follows */
  UdtAddress address;
  gchar *error;
};

static void
resolve_unref (UdtResolve *resolve)
{
  if (!g_atomic_ref_count_dec (&resolve->refs))
    return;
  if (resolve->wake_fd >= 0)
    close (resolve->wake_fd);
  g_mutex_clear (&resolve->lock);
  g_free (resolve->host);
  g_free (resolve->error);
  g_free (resolve);
}

static gpointer
resolve_thread (gpointer data)
{
  UdtResolve *resolve = data;
  struct addrinfo hints = { .ai_family = AF_UNSPEC,
                            .ai_socktype = SOCK_DGRAM,
                            .ai_flags = AI_ADDRCONFIG };
  struct addrinfo *list = NULL;
  gchar port[8];
  guint64 one = 1;
  gint code;

  g_snprintf (port, sizeof port, "%u", resolve->port);
  code = getaddrinfo (resolve->host, port, &hints, &list);

  g_mutex_lock (&resolve->lock);
  if (code == 0 && list->ai_addrlen <= sizeof resolve->address)
    memcpy (&resolve->address, list->ai_addr, list->ai_addrlen);
  else
    resolve->error
        = g_strdup_printf ("the name %s cannot be looked up: %s", resolve->host,
                           code != 0 ? gai_strerror (code) : "no IP address");
  resolve->done = TRUE;
  g_mutex_unlock (&resolve->lock);
  if (code == 0)
    freeaddrinfo (list);

  /* If the owner is gone, nobody reads it. */
  if (write (resolve->wake_fd, &one, sizeof one) < 0)
    g_debug ("nobody waits for %s", resolve->host);
  resolve_unref (resolve);
  return NULL;
}

UdtResolve *
udt_resolve_new (const gchar *host, guint port, int wake_fd)
{
  UdtResolve *resolve = g_new0 (UdtResolve, 1);
  GThread *thread;

  g_atomic_ref_count_init (&resolve->refs);
  g_mutex_init (&resolve->lock);
  resolve->host = g_strdup (host);
  resolve->port = port;
  resolve->wake_fd = fcntl (wake_fd, F_DUPFD_CLOEXEC, 0);
  g_atomic_ref_count_inc (&resolve->refs);
  thread
      = resolve->wake_fd < 0
            ? NULL
            : g_thread_try_new ("udt-resolve", resolve_thread, resolve, NULL);
  if (thread == NULL) {
    resolve_unref (resolve);
    resolve_unref (resolve);
    return NULL;
  }
  g_thread_unref (thread);
  return resolve;
}

gboolean
udt_resolve_get (UdtResolve *resolve, UdtAddress *address, gchar **error)
{
  gboolean done;

  g_mutex_lock (&resolve->lock);
  done = resolve->done;
  if (done) {
    *address = resolve->address;
    *error = g_strdup (resolve->error);
  }
  g_mutex_unlock (&resolve->lock);
  return done;
}

void
udt_resolve_free (UdtResolve *resolve)
{
  if (resolve != NULL)
    resolve_unref (resolve);
}
