/* A Mosquitto of the test's own on loopback.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: the test's own.
 */
#ifndef SIGNALLING_BROKER_H
#define SIGNALLING_BROKER_H

#include "signalling-util.h"

typedef struct
{
  GSubprocess *process;
  guint16 port;
  gchar *uri;
} Broker;

/* For files of the test; goes with broker_tests_run(). */
extern gchar *broker_directory;

/* FALSE: there is no Mosquitto; the program says so and ends with 0. */
gboolean broker_tests_begin (int *argc, char ***argv);
/* g_test_run(); what main() returns. */
int broker_tests_run (void);

#define ANYONE "allow_anonymous true"

/* `options`: more of its configuration. */
Broker broker_start (const gchar *options);
void broker_stop (Broker *broker);
/* As power cuts do; then again, at the same port. Returns when it listens,
 * which it says. */
void broker_kill (Broker *broker);
void broker_run (Broker *broker, const gchar *options);

/* One that tries again soon. Not started. */
Node *quick_node (const gchar *uri, P2pRole role, const gchar *key);

guint16 free_port (void);
/* Nothing that a test starts outlives it. */
GSubprocess *spawn (GSubprocessFlags flags, const gchar *program,
                    const gchar *option, const gchar *value);

#endif /* SIGNALLING_BROKER_H */
