/* The threads that call the program.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An IvSerial is something whose callbacks come one after the other: a handle,
 * a talker, the events of the module. Its run() is called when there is work
 * (iv_serial_schedule) and, while it ticks, at every tick; never twice at a
 * time.
 *
 * One thread, the leader, waits for the tick and for nothing else; one wake-up
 * serves all that tick. When it has woken it calls the program itself, one
 * serial after the other, and then leads again. Another one stands by: half way
 * to the next tick it looks whether the leader is back, and leads if it is not.
 * Where a callback blocks, the next leader finds the rest, so that it costs the
 * others a tick, once. So there are two threads, and one more for each callback
 * that takes its time.
 *
 * Lock: the pool's own, a leaf; no lock is held across run().
 */
#ifndef IV_POOL_H
#define IV_POOL_H

#include <glib.h>

G_BEGIN_DECLS

typedef struct _IvPool IvPool;
typedef struct _IvSerial IvSerial;

enum {
  IV_RUN_TICK = 1 << 0,
  IV_RUN_WORK = 1 << 1,
};

struct _IvSerial
{
  gint refs; /* [atomic] */
  IvPool *pool;
  void (*run) (IvSerial *serial, guint why);
  void (*free) (IvSerial *serial);
  /* The pool's. */
  GList ready_link;
  guint why; /* of the next run */
  gboolean queued, running, ticking;
};

IvPool *iv_pool_new (guint interval_ms, int policy, int priority);
IvPool *iv_pool_ref (IvPool *pool);
void iv_pool_unref (IvPool *pool);
/* What is scheduled still runs, nothing ticks any more. Waits for the threads,
 * but not for the calling one, which ends when its callback has returned. */
void iv_pool_close (IvPool *pool);

void iv_serial_init (IvSerial *serial, IvPool *pool,
                     void (*run) (IvSerial *, guint),
                     void (*free) (IvSerial *));
IvSerial *iv_serial_ref (IvSerial *serial);
void iv_serial_unref (IvSerial *serial);
void iv_serial_schedule (IvSerial *serial);
void iv_serial_set_ticking (IvSerial *serial, gboolean ticking);
/* The one whose run() the calling thread is in, or NULL. */
IvSerial *iv_serial_get_current (void);

G_END_DECLS

#endif /* IV_POOL_H */
