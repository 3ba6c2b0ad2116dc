/* The threads that call the program: leader and followers.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Everything lies under the pool's lock. Waiting threads wait on one condition:
 * `pokes` says how many of them shall look for work; without a leader, one of
 * them becomes it. Who was called to lead does that first, and leaves what there
 * is to do to the others.
 */
#include "ivpool.h"

#include <pthread.h>
#include <sched.h>

/* Far more than there can be callbacks that block at a time in practice; then
 * the others wait. */
#define MAX_THREADS 128
/* How long a thread that nobody needs stays, and how many may: each costs its
 * stack and what the allocator keeps for it, and all get their turn to lead. */
#define IDLE_US (2 * G_USEC_PER_SEC)
#define MAX_IDLE 2

struct _IvPool
{
  gint refs; /* [atomic] */
  gint64 interval_us;
  int policy, priority;

  GMutex lock;
  GCond wake;
  GCond ended;
  GQueue ready;
  GPtrArray *ticking;
  gint64 next_tick;
  gint64 standby_at; /* when one looks whether it must lead; 0: none will */
  guint threads, idle, pokes;
  gboolean led;
  GThread *caller; /* who has called for a leader, and none has come yet */
  gboolean closed;
};

static GPrivate current_serial;
static GPrivate current_pool;

static gpointer worker_thread (gpointer data);
static gpointer leader_thread (gpointer data);

/* -- References ------------------------------------------------------------ */

IvPool *
iv_pool_new (guint interval_ms, int policy, int priority)
{
  IvPool *pool = g_new0 (IvPool, 1);

  pool->refs = 1;
  pool->interval_us = (gint64)interval_ms * 1000;
  pool->policy = policy;
  pool->priority = priority;
  g_mutex_init (&pool->lock);
  g_cond_init (&pool->wake);
  g_cond_init (&pool->ended);
  g_queue_init (&pool->ready);
  pool->ticking = g_ptr_array_new ();
  return pool;
}

IvPool *
iv_pool_ref (IvPool *pool)
{
  g_atomic_int_inc (&pool->refs);
  return pool;
}

void
iv_pool_unref (IvPool *pool)
{
  if (!g_atomic_int_dec_and_test (&pool->refs))
    return;
  g_ptr_array_unref (pool->ticking);
  g_mutex_clear (&pool->lock);
  g_cond_clear (&pool->wake);
  g_cond_clear (&pool->ended);
  g_free (pool);
}

/* -- With the lock held ---------------------------------------------------- */

static gboolean
spawn (IvPool *pool, GThreadFunc func)
{
  GThread *thread;

  if (pool->threads >= MAX_THREADS)
    return FALSE;
  thread = g_thread_try_new ("iv-p2p", func, iv_pool_ref (pool), NULL);
  if (thread == NULL) {
    iv_pool_unref (pool);
    return FALSE;
  }
  pool->threads++;
  g_thread_unref (thread);
  return TRUE;
}

static gboolean
wants_leader (IvPool *pool)
{
  return !pool->led && !pool->closed && pool->ticking->len > 0;
}

/* Half way between two ticks, and never at once, however late the leader is: it
 * would not get the lock. */
static gint64
standby_time (IvPool *pool)
{
  gint64 now = g_get_monotonic_time ();
  gint64 at = pool->next_tick - pool->interval_us / 2;

  if (at <= now)
    at += pool->interval_us;
  return at > now ? at : now + pool->interval_us;
}

/* Whether an idle thread must be woken to lead; where there is none, a new one
 * comes. Asked before this thread goes out to call the program. Once is enough
 * for all that a tick brings: who is called leads, or calls another. */
static gboolean
calls_leader (IvPool *pool)
{
  gboolean wake = pool->idle > 0;

  if (!wants_leader (pool) || pool->caller == g_thread_self ())
    return FALSE;
  /* One looks for itself before the next tick. To wake it now would cost more
   * than a callback does, and come before all of them. */
  if (pool->standby_at != 0 && pool->standby_at <= pool->next_tick)
    return FALSE;
  pool->caller = wake || spawn (pool, leader_thread) ? g_thread_self () : NULL;
  return wake;
}

/* Each piece of work has a thread of its own coming for it: the one that takes
 * the first may be in the program for long. */
static void
poke (IvPool *pool)
{
  if (pool->pokes < pool->idle + (pool->led ? 1 : 0)) {
    pool->pokes++;
    /* The leader may be the only one who listens, and the signal must not go
     * to one that is about to leave. */
    g_cond_broadcast (&pool->wake);
  } else {
    spawn (pool, worker_thread);
  }
}

static void
enqueue (IvSerial *serial, guint why)
{
  serial->why |= why;
  if (serial->queued || serial->running)
    return;
  serial->queued = TRUE;
  iv_serial_ref (serial);
  g_queue_push_tail_link (&serial->pool->ready, &serial->ready_link);
}

/* A tick that finds a callback still under way is left out. */
static void
tick (IvPool *pool, gint64 now)
{
  guint i;

  for (i = 0; i < pool->ticking->len; i++) {
    IvSerial *serial = g_ptr_array_index (pool->ticking, i);

    if (!serial->running)
      enqueue (serial, IV_RUN_TICK);
  }
  pool->next_tick += pool->interval_us;
  if (pool->next_tick <= now)
    pool->next_tick = now + pool->interval_us;
}

static void
run_next (IvPool *pool)
{
  IvSerial *serial = g_queue_pop_head_link (&pool->ready)->data;
  guint why = serial->why;
  gboolean wake;

  serial->why = 0;
  serial->queued = FALSE;
  serial->running = TRUE;
  wake = calls_leader (pool);
  g_mutex_unlock (&pool->lock);
  /* Not before: who wakes wants the lock. */
  if (wake)
    g_cond_signal (&pool->wake);
  g_private_set (&current_serial, serial);
  serial->run (serial, why);
  g_private_set (&current_serial, NULL);
  g_mutex_lock (&pool->lock);
  serial->running = FALSE;
  if (serial->why != 0)
    enqueue (serial, 0);
  g_mutex_unlock (&pool->lock);
  iv_serial_unref (serial);
  g_mutex_lock (&pool->lock);
}

static void
take_poke (IvPool *pool)
{
  if (pool->pokes > 0)
    pool->pokes--;
}

/* Until the tick, or until there is something to do before. */
static void
lead (IvPool *pool)
{
  gint64 now = g_get_monotonic_time ();

  pool->led = TRUE;
  pool->caller = NULL;
  if (pool->next_tick == 0)
    pool->next_tick = now + pool->interval_us;
  while (!pool->closed && pool->pokes == 0 && pool->ticking->len > 0
         && (now = g_get_monotonic_time ()) < pool->next_tick)
    g_cond_wait_until (&pool->wake, &pool->lock, pool->next_tick);
  take_poke (pool);
  pool->led = FALSE;
  if (!pool->closed && pool->ticking->len > 0 && now >= pool->next_tick)
    tick (pool, now);
  if (pool->ticking->len == 0)
    pool->next_tick = 0;
}

/* One of those who wait stands by: it is awake once between two ticks, and
 * leads where the one that did is still in the program. */
static void
wait_idle (IvPool *pool, gint64 until)
{
  if (pool->standby_at != 0 || pool->next_tick == 0) {
    g_cond_wait_until (&pool->wake, &pool->lock, until);
    return;
  }
  pool->standby_at = standby_time (pool);
  g_cond_wait_until (&pool->wake, &pool->lock, pool->standby_at);
  pool->standby_at = 0;
}

/* FALSE: nobody needs this thread. `leads`: it was called for that, and what
 * there is to do is somebody else's. */
static gboolean
follow (IvPool *pool, gboolean *leads)
{
  gint64 until = g_get_monotonic_time () + IDLE_US;
  gboolean in_time = TRUE;

  if (pool->idle >= MAX_IDLE && pool->pokes == 0)
    return FALSE;
  pool->idle++;
  while (in_time && pool->pokes == 0 && !pool->closed && !wants_leader (pool)) {
    wait_idle (pool, until);
    in_time = g_get_monotonic_time () < until;
  }
  pool->idle--;
  if (pool->pokes > 0) {
    take_poke (pool);
    return TRUE;
  }
  *leads = wants_leader (pool);
  /* The last but one stays as long as something ticks: it leads next. */
  return in_time || *leads || (pool->ticking->len > 0 && pool->idle == 0);
}

static void
take_policy (IvPool *pool)
{
  struct sched_param param = { .sched_priority = pool->priority };

  /* Without the right to it the usual one remains. */
  if (pool->policy == SCHED_FIFO || pool->policy == SCHED_RR)
    pthread_setschedparam (pthread_self (), pool->policy, &param);
}

static void
run_thread (IvPool *pool, gboolean leads)
{
  gboolean stay = TRUE;

  g_private_set (&current_pool, pool);
  take_policy (pool);
  g_mutex_lock (&pool->lock);
  while (stay) {
    if (leads && wants_leader (pool))
      lead (pool);
    leads = FALSE;
    while (!g_queue_is_empty (&pool->ready))
      run_next (pool);
    if (wants_leader (pool))
      lead (pool);
    else if (pool->closed)
      break;
    else
      stay = follow (pool, &leads);
  }
  pool->threads--;
  g_cond_broadcast (&pool->ended);
  g_mutex_unlock (&pool->lock);
  iv_pool_unref (pool);
}

static gpointer
worker_thread (gpointer data)
{
  run_thread (data, FALSE);
  return NULL;
}

static gpointer
leader_thread (gpointer data)
{
  run_thread (data, TRUE);
  return NULL;
}

void
iv_pool_close (IvPool *pool)
{
  guint own = g_private_get (&current_pool) == pool;

  g_mutex_lock (&pool->lock);
  pool->closed = TRUE;
  g_cond_broadcast (&pool->wake);
  while (pool->threads > own)
    g_cond_wait (&pool->ended, &pool->lock);
  g_mutex_unlock (&pool->lock);
}

/* -- Serials --------------------------------------------------------------- */

void
iv_serial_init (IvSerial *serial, IvPool *pool, void (*run) (IvSerial *, guint),
                void (*free) (IvSerial *))
{
  serial->refs = 1;
  serial->pool = iv_pool_ref (pool);
  serial->run = run;
  serial->free = free;
  serial->ready_link.data = serial;
}

IvSerial *
iv_serial_ref (IvSerial *serial)
{
  g_atomic_int_inc (&serial->refs);
  return serial;
}

void
iv_serial_unref (IvSerial *serial)
{
  IvPool *pool = serial->pool;

  if (!g_atomic_int_dec_and_test (&serial->refs))
    return;
  serial->free (serial);
  iv_pool_unref (pool);
}

void
iv_serial_schedule (IvSerial *serial)
{
  IvPool *pool = serial->pool;
  gboolean wake;

  g_mutex_lock (&pool->lock);
  wake = !serial->queued && !serial->running;
  enqueue (serial, IV_RUN_WORK);
  if (wake)
    poke (pool);
  g_mutex_unlock (&pool->lock);
}

void
iv_serial_set_ticking (IvSerial *serial, gboolean ticking)
{
  IvPool *pool = serial->pool;

  g_mutex_lock (&pool->lock);
  if (serial->ticking != ticking) {
    serial->ticking = ticking;
    if (ticking)
      g_ptr_array_add (pool->ticking, serial);
    else
      g_ptr_array_remove_fast (pool->ticking, serial);
    if (calls_leader (pool))
      g_cond_signal (&pool->wake);
  }
  g_mutex_unlock (&pool->lock);
}

IvSerial *
iv_serial_get_current (void)
{
  return g_private_get (&current_serial);
}
