/* Events that are not about a handle, in the order they happen.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: posted on any, told by the pool's, one after the other, so that a
 * program that takes its time with one holds up nothing but the next.
 */
#include "ivmodule.h"

static IvModule *
from_serial (IvSerial *serial)
{
  return (IvModule *)((gchar *)serial - G_STRUCT_OFFSET (IvModule, events));
}

static void
run (IvSerial *serial, guint why)
{
  IvModule *module = from_serial (serial);

  for (;;) {
    gpointer event = NULL;

    g_mutex_lock (&module->lock);
    if (!module->closing)
      event = g_queue_pop_head (&module->event_queue);
    g_mutex_unlock (&module->lock);
    if (event == NULL)
      return;
    module->calls.event (GPOINTER_TO_UINT (event) - 1, NULL);
  }
}

/* The program may end the module from within an event: the serial, which is
 * part of it, keeps it until that has returned. */
static void
last_unref (IvSerial *serial)
{
  iv_module_unref (from_serial (serial));
}

void
iv_events_init (IvModule *module)
{
  iv_serial_init (&module->events, iv_module_ref (module)->pool, run,
                  last_unref);
  g_queue_init (&module->event_queue);
}

void
iv_events_end (IvModule *module)
{
  iv_serial_unref (&module->events);
}

void
iv_events_post (IvModule *module, guint event)
{
  gboolean posted;

  if (event > IV_EVENT_HIGH && module->calls.api < 2)
    return;
  g_mutex_lock (&module->lock);
  posted = !module->closing
           && g_queue_get_length (&module->event_queue) < IV_MAX_EVENTS;
  if (posted)
    g_queue_push_tail (&module->event_queue, GUINT_TO_POINTER (event + 1));
  g_mutex_unlock (&module->lock);
  if (posted)
    iv_serial_schedule (&module->events);
}

/* The server, as the interface calls it, is the signaller. Each state is told
 * when it begins, not with every attempt. */
static void
server_step (IvModule *module, const P2pStep *step)
{
  if (step->ok) {
    if (module->server != IV_SERVER_REACHED) {
      iv_events_post (module, IV_EVENT_READY);
      iv_events_post (module, IV_EVENT_LOCAL_NET_READY);
    }
    module->server = IV_SERVER_REACHED;
    return;
  }
  iv_log (IV_LOG_WARN, "server: %s: %s", step->reason,
          step->detail != NULL ? step->detail : "");
  if (module->server == IV_SERVER_REACHED) {
    iv_events_post (module, IV_EVENT_ERROR);
    module->server = IV_SERVER_LOST;
    return;
  }
  if (module->server != IV_SERVER_UNREACHABLE)
    iv_events_post (module, IV_EVENT_CONNECT_FAIL);
  module->server = IV_SERVER_UNREACHABLE;
}

void
iv_events_step (IvModule *module, const P2pStep *step)
{
  if (step->step == P2P_STEP_SERVER)
    server_step (module, step);
  else if (!step->ok)
    iv_log (IV_LOG_INFO, "%s: %s: %s: %s",
            step->peer != NULL ? step->peer : "a viewer",
            p2p_step_kind_name (step->step), step->reason,
            step->detail != NULL ? step->detail : "");
}
