/* Frames over a TCP connection.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: that of the context. `busy` counts callbacks in progress, so that
 * free() from within one takes effect after it.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2pconnect.h"
#include "p2plink.h"

#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#define HEADER 2
#define READ_SIZE 2048
/* Per dispatch, so that one busy connection does not starve the others. */
#define MAX_READS 8

/* Dead connections are noticed by the kernel too: 15 + 3 * 5 s. */
#define KEEPALIVE_IDLE_S 15
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_COUNT 3

struct _P2pLink
{
  GSocket *socket;
  GMainContext *context; /* a reference until `finishing` */
  P2pLinkCallbacks callbacks;
  gpointer user;
  guint busy;
  gboolean freed;
  gboolean lost;
  gboolean finishing; /* no callbacks; input is thrown away */
  gint64 first_us;
  GByteArray *in;
  GByteArray *out;
  GSource *readable;
  GSource *writable;
  GSource *later; /* lost() to be called, or end of lingering */
};

static gboolean on_readable (GSocket *socket, GIOCondition condition,
                             gpointer user);
static gboolean on_writable (GSocket *socket, GIOCondition condition,
                             gpointer user);

/* A main context that is being freed has let go of its sources and destroys
 * each of them itself; it would lose its reference to one destroyed under it.
 */
static void
clear_source (GSource **source)
{
  if (*source) {
    if (g_source_is_destroyed (*source)
        || g_source_get_context (*source) != NULL)
      g_source_destroy (*source);
    g_source_unref (*source);
    *source = NULL;
  }
}

static GSource *
watch (P2pLink *link, GIOCondition condition, GSocketSourceFunc func)
{
  GSource *source = g_socket_create_source (link->socket, condition, NULL);

  g_source_set_callback (source, (GSourceFunc)(void (*) (void))func, link,
                         NULL);
  g_source_attach (source, link->context);
  return source;
}

static void
timer (P2pLink *link, guint ms, GSourceFunc func, GDestroyNotify notify)
{
  clear_source (&link->later);
  link->later = g_timeout_source_new (ms);
  g_source_set_callback (link->later, func, link, notify);
  g_source_attach (link->later, link->context);
}

P2pLink *
p2p_link_new (GSocket *socket, GMainContext *context,
              const P2pLinkCallbacks *callbacks, gpointer user)
{
  P2pLink *link = g_new0 (P2pLink, 1);

  link->socket = g_object_ref (socket);
  link->context = g_main_context_ref (context);
  link->callbacks = *callbacks;
  link->user = user;
  link->in = g_byte_array_new ();
  link->out = g_byte_array_new ();
  g_socket_set_blocking (link->socket, FALSE);
  g_socket_set_timeout (link->socket, 0);
  g_socket_set_keepalive (link->socket, TRUE);
  /* Best effort: signalling works without, a little slower. */
  g_socket_set_option (link->socket, IPPROTO_TCP, TCP_NODELAY, 1, NULL);
  g_socket_set_option (link->socket, IPPROTO_TCP, TCP_KEEPIDLE,
                       KEEPALIVE_IDLE_S, NULL);
  g_socket_set_option (link->socket, IPPROTO_TCP, TCP_KEEPINTVL,
                       KEEPALIVE_INTERVAL_S, NULL);
  g_socket_set_option (link->socket, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT,
                       NULL);
  link->readable = watch (link, G_IO_IN, on_readable);
  return link;
}

void
p2p_link_set_callbacks (P2pLink *link, const P2pLinkCallbacks *callbacks,
                        gpointer user)
{
  link->callbacks = *callbacks;
  link->user = user;
}

static void
really_free (P2pLink *link)
{
  clear_source (&link->readable);
  clear_source (&link->writable);
  clear_source (&link->later);
  g_socket_close (link->socket, NULL);
  g_object_unref (link->socket);
  if (!link->finishing)
    g_main_context_unref (link->context);
  g_byte_array_unref (link->in);
  g_byte_array_unref (link->out);
  g_free (link);
}

void
p2p_link_free (P2pLink *link)
{
  if (!link)
    return;
  link->freed = TRUE;
  if (link->busy == 0)
    really_free (link);
}

/* Around everything that calls back. FALSE: the link is gone. */
static gboolean
leave (P2pLink *link)
{
  if (--link->busy > 0 || !link->freed)
    return TRUE;
  if (link->finishing) {
    GSource *owner = g_steal_pointer (&link->later);

    g_source_destroy (owner); /* frees the link */
    g_source_unref (owner);
  } else {
    really_free (link);
  }
  return FALSE;
}

static void
set_lost (P2pLink *link, const gchar *why)
{
  if (link->lost)
    return;
  link->lost = TRUE;
  clear_source (&link->readable);
  clear_source (&link->writable);
  if (link->finishing) {
    link->freed = TRUE;
    return;
  }
  clear_source (&link->later);
  if (!link->freed)
    link->callbacks.lost (link, why, link->user);
}

static gboolean
send_failed_later (gpointer user)
{
  P2pLink *link = user;

  link->busy++;
  set_lost (link, "the connection does not take any more");
  leave (link);
  return G_SOURCE_REMOVE;
}

/* FALSE: the connection is broken. */
static gboolean
flush (P2pLink *link)
{
  while (link->out->len > 0) {
    g_autoptr (GError) error = NULL;
    gssize n = g_socket_send (link->socket, (const gchar *)link->out->data,
                              link->out->len, NULL, &error);

    if (n <= 0)
      return g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
    g_byte_array_remove_range (link->out, 0, n);
  }
  return TRUE;
}

gboolean
p2p_link_send (P2pLink *link, P2pFrameType type, gconstpointer body, gsize len)
{
  guint16 length = g_htons (len + 1);
  guint8 type_byte = type;

  g_assert (len + 1 <= P2P_FRAME_MAX);
  if (link->lost || link->freed || link->finishing)
    return FALSE;
  if (link->out->len + len + HEADER + 1 > P2P_LINK_MAX_QUEUE) {
    timer (link, 0, send_failed_later, NULL);
    return FALSE;
  }
  g_byte_array_append (link->out, (const guint8 *)&length, HEADER);
  g_byte_array_append (link->out, &type_byte, 1);
  if (len > 0)
    g_byte_array_append (link->out, body, len);
  if (!flush (link)) {
    timer (link, 0, send_failed_later, NULL);
    return FALSE;
  }
  if (link->out->len > 0 && !link->writable)
    link->writable = watch (link, G_IO_OUT, on_writable);
  return TRUE;
}

static gboolean
on_writable (GSocket *socket, GIOCondition condition, gpointer user)
{
  P2pLink *link = user;
  gboolean more;

  link->busy++;
  if (!flush (link))
    set_lost (link, "the connection broke");
  more = !link->lost && link->out->len > 0;
  if (!more)
    clear_source (&link->writable);
  if (!more && !link->lost && link->finishing)
    g_socket_shutdown (link->socket, FALSE, TRUE, NULL);
  leave (link);
  return more ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* Hands over every whole frame in `in`. */
static void
parse (P2pLink *link)
{
  gsize at = 0;

  while (!link->freed && !link->lost && !link->finishing && link->readable
         && link->in->len - at >= HEADER) {
    const guint8 *data = link->in->data + at;
    gsize length = (gsize)data[0] << 8 | data[1];

    if (length < 1 || length > P2P_FRAME_MAX) {
      p2p_link_stop_reading (link);
      link->callbacks.garbage (link, link->user);
      break;
    }
    if (link->in->len - at < HEADER + length)
      break;
    at += HEADER + length;
    link->callbacks.frame (link, data[HEADER], data + HEADER + 1, length - 1,
                           link->user);
  }
  if (!link->freed && at > 0)
    g_byte_array_remove_range (link->in, 0, at);
}

static gboolean
on_readable (GSocket *socket, GIOCondition condition, gpointer user)
{
  P2pLink *link = user;
  guint8 buffer[READ_SIZE];
  guint i;

  link->busy++;
  for (i = 0; i < MAX_READS && !link->freed && link->readable; i++) {
    g_autoptr (GError) error = NULL;
    gssize n = g_socket_receive (link->socket, (gchar *)buffer, sizeof buffer,
                                 NULL, &error);

    if (n < 0 && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
      break;
    if (n <= 0) {
      set_lost (link, n < 0 ? error->message : "closed by the other side");
      break;
    }
    if (link->first_us == 0)
      link->first_us = g_get_monotonic_time ();
    if (link->finishing)
      continue;
    g_byte_array_append (link->in, buffer, n);
    parse (link);
  }
  return leave (link) && link->readable ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static gboolean
linger_over (gpointer user)
{
  return G_SOURCE_REMOVE;
}

void
p2p_link_finish (P2pLink *link)
{
  if (!link)
    return;
  if (link->lost) {
    p2p_link_free (link);
    return;
  }
  link->finishing = TRUE;
  /* To close with unread input would be a reset, which may overtake what was
   * sent; so the input is read, and thrown away, to its end. */
  if (!link->readable)
    link->readable = watch (link, G_IO_IN, on_readable);
  if (link->out->len == 0)
    g_socket_shutdown (link->socket, FALSE, TRUE, NULL);
  /* From here on this timer owns the link, so that it goes with the context
   * if that is not run any more. */
  timer (link, P2P_LINK_LINGER_MS, linger_over, (GDestroyNotify)really_free);
  g_main_context_unref (link->context);
}

void
p2p_link_stop_reading (P2pLink *link)
{
  clear_source (&link->readable);
}

gint64
p2p_link_get_first_us (P2pLink *link)
{
  return link->first_us;
}

gboolean
p2p_link_is_at_home (P2pLink *link)
{
  return p2p_socket_is_at_home (g_socket_get_fd (link->socket));
}
