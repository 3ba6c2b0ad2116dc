/* Devices and viewers for the tests of signalling, over real sockets.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A Node is a signaller that writes down what it is told. Tests wait for what
 * they expect, never for time to pass: wait_until() runs the main context until
 * the condition holds and fails the test after a generous time.
 */
#ifndef SIGNALLING_UTIL_H
#define SIGNALLING_UTIL_H

#include <gio/gio.h>
#include "p2psignalpriv.h"

#define KEY "a key that nobody guesses"
#define WRONG_KEY "a key that somebody guesses"
#define DEVICE "camera-1"

typedef struct
{
  P2pSignaller *signaller;
  gboolean echo;       /* send every message back */
  gboolean silent;     /* viewer: do not greet on open */
  P2pChannel *channel; /* the one that opened last, while it is open */
  guint opened;
  guint closed;
  gchar *close_reason;
  gchar *close_detail;
  gint64 closed_us;
  GPtrArray *messages;
  P2pSignallerState state;
  guint online; /* times it became ONLINE */
  gchar *state_reason;
  gchar *state_detail;
  guint64 rejected;
  guint reject_calls;
  void (*on_event) (gpointer node); /* anything was noted */
} Node;

/* Made but not started; every node of a process has its own credential. */
Node *node_new (const gchar *uri, P2pRole role, const gchar *device_id,
                const gchar *key);
void node_start (Node *node);
/* new, start, wait for ONLINE. */
Node *node_online (const gchar *uri, P2pRole role, const gchar *key);
void node_free (Node *node);
/* A viewer of `device`, a tcp node; online. */
Node *viewer_of (Node *device, const gchar *key);
/* Opens a channel and waits until it has echoed a message. */
void assert_conversation (Node *viewer);

/* The device at this loopback port, spoken to by hand. */
GSocket *raw_connect (guint16 port);
void raw_send (GSocket *socket, gconstpointer data, gsize len);
/* What comes until the other side closes; waits while the context runs. */
GByteArray *raw_read_all (GSocket *socket);
GByteArray *raw_read (GSocket *socket, gsize len);

guint count_fds (void);
guint count_threads (void);

gboolean wait_step (gint64 deadline_us, const gchar *what);
gint64 wait_deadline (void);
#define wait_until(condition)                                                  \
  G_STMT_START                                                                 \
  {                                                                            \
    gint64 deadline_ = wait_deadline ();                                       \
    while (!(condition)) {                                                     \
      if (!wait_step (deadline_, #condition))                                  \
        break;                                                                 \
    }                                                                          \
  }                                                                            \
  G_STMT_END

#endif /* SIGNALLING_UTIL_H */
