/* A device on iv_av.h that tells how it is called: for lab and bench.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   lab-ivprobe BITRATE      each handle gives so many bits a second
 *
 * The newer shape of the interface: it is compiled with IV_AV_API 2. The
 * settings are in the file that IV_P2P_CONF names. It says:
 *
 *   loaded KB                its own memory, before it calls the library
 *   event NAME [LEVEL]       and, of a handle, its bytes then
 *   paused GETS              gets between a high and the next low
 *   resumed MICROSECONDS N   from that low to the next get; the link's mode
 *   acked BYTES              when a handle stops
 *
 * and answers to lines on its input:
 *
 *   reset                    ok; what was counted is forgotten
 *   count N                  counted, once there have been N gets
 *   stats                    stats NAME=VALUE…: how far, in microseconds, the
 *                            times between two gets of a handle were from the
 *                            interval, second by second, and of these the
 *                            median; the same of a thread that only waits; and
 *                            how often a thread was woken for a get
 *
 * Threads: `lock` covers what is counted, `timer_lock`, within it, what the
 * thread that only waits counts: neither disturbs the other. A handle belongs
 * to the library's calls for it.
 */
#define IV_AV_API 2
#define _GNU_SOURCE /* RUSAGE_THREAD */

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "iv_av.h"

#define INTERVAL_US 10000
#define MAX_SAMPLES (1 << 17)
#define MAX_SECONDS 128
#define SECOND_US 1000000
#define MAX_BLOCK (256 * 1024)
#define LINE 256

typedef struct
{
  float us[MAX_SAMPLES];
  size_t count;
  size_t begin[MAX_SECONDS]; /* of each second */
  size_t seconds;
  int64_t second_end;
} Deviations;

typedef struct
{
  int64_t start_us, last_us;
  int64_t low_us; /* of a low that no get has followed */
  uint64_t given;
  unsigned paused_gets;
  int paused;
} Handle;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t timer_lock = PTHREAD_MUTEX_INITIALIZER;
static Deviations gets;    /* [lock] */
static Deviations timer;   /* [timer_lock] */
static uint64_t wake_ups;  /* [lock] */
static size_t wanted_gets; /* [lock] 0: none */
static uint64_t bytes_a_second;
static uint8_t block[MAX_BLOCK];
static __thread long woken_before;

static int64_t
now_us (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* -- Counting -------------------------------------------------------------- */

static void
add (Deviations *d, int64_t interval_us, int64_t now)
{
  int64_t off = interval_us - INTERVAL_US;

  if (d->count == MAX_SAMPLES)
    return;
  if (d->seconds == 0 || (now >= d->second_end && d->seconds < MAX_SECONDS)) {
    d->begin[d->seconds++] = d->count;
    d->second_end = now + SECOND_US;
  }
  d->us[d->count++] = (float)(off < 0 ? -off : off);
}

static void
forget (Deviations *d)
{
  d->count = d->seconds = 0;
}

/* Whether this thread has slept since it was here last. */
static int
has_slept (void)
{
  struct rusage usage;
  int slept;

  getrusage (RUSAGE_THREAD, &usage);
  slept = usage.ru_nvcsw != woken_before;
  woken_before = usage.ru_nvcsw;
  return slept;
}

static void *
timer_thread (void *unused)
{
  struct timespec next;
  int64_t last = 0, now;

  clock_gettime (CLOCK_MONOTONIC, &next);
  for (;;) {
    next.tv_nsec += INTERVAL_US * 1000;
    if (next.tv_nsec >= 1000000000) {
      next.tv_nsec -= 1000000000;
      next.tv_sec++;
    }
    clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    now = now_us ();
    pthread_mutex_lock (&timer_lock);
    if (last != 0)
      add (&timer, now - last, now);
    pthread_mutex_unlock (&timer_lock);
    last = now;
  }
  return unused;
}

static int
compare (const void *a, const void *b)
{
  const float *x = a, *y = b;

  return (*x > *y) - (*x < *y);
}

static double
median (float *values, size_t n)
{
  qsort (values, n, sizeof *values, compare);
  return (double)values[n / 2];
}

/* Of the seconds' means and percentiles the medians: a second in which the
 * machine had other things to do counts as one, whichever thread it hit. */
static void
tell_deviations (const char *name, Deviations *d)
{
  float mean[MAX_SECONDS], p99[MAX_SECONDS], most = 0;
  size_t i, k, n = 0;

  for (i = 0; i < d->seconds; i++) {
    float *us = d->us + d->begin[i];
    size_t count
        = (i + 1 < d->seconds ? d->begin[i + 1] : d->count) - d->begin[i];
    float sum = 0;

    /* The last is not over, if there are others. */
    if (count == 0 || (n > 0 && i + 1 == d->seconds))
      continue;
    qsort (us, count, sizeof *us, compare);
    for (k = 0; k < count; k++)
      sum += us[k];
    mean[n] = sum / (float)count;
    p99[n++] = us[count * 99 / 100];
    if (us[count - 1] > most)
      most = us[count - 1];
  }
  if (n > 0)
    printf (" %s=%zu %s-mean=%.1f %s-p99=%.0f %s-max=%.0f", name, d->count,
            name, median (mean, n), name, median (p99, n), name, (double)most);
}

/* -- The device ------------------------------------------------------------ */

static void *
on_send_init (const char *params, const char *peer)
{
  Handle *h = calloc (1, sizeof *h);

  printf ("request %s %s\n", peer, params);
  if (h != NULL)
    h->start_us = now_us ();
  return h;
}

static iv_cm_memory_s
on_send_get (void *handle)
{
  Handle *h = handle;
  iv_cm_memory_s memory = { NULL, 0, NULL };
  int64_t now = now_us ();
  uint64_t due = (uint64_t)(now - h->start_us) * bytes_a_second / 1000000;
  int slept;

  h->paused_gets += h->paused != 0;
  if (h->low_us != 0) {
    printf ("resumed %lld %u\n", (long long)(now - h->low_us),
            iv_avt_p2p_get_send_status (h).link_mode);
    h->low_us = h->last_us = 0; /* the pause is no deviation */
  }
  slept = has_slept ();
  pthread_mutex_lock (&lock);
  wake_ups += (uint64_t)slept;
  if (h->last_us != 0)
    add (&gets, now - h->last_us, now);
  if (wanted_gets != 0 && gets.count >= wanted_gets) {
    wanted_gets = 0;
    printf ("counted\n");
  }
  pthread_mutex_unlock (&lock);
  h->last_us = now;
  if (due > h->given) {
    memory.buf = block;
    memory.size = due - h->given < MAX_BLOCK ? due - h->given : MAX_BLOCK;
    h->given = due;
  }
  return memory;
}

static int
on_send_stop (void *handle)
{
  iv_p2p_send_stats_s stats = iv_avt_p2p_get_send_status (handle);

  printf ("acked %llu\n", (unsigned long long)stats.sum_sent_acked);
  free (handle);
  return 0;
}

static void
on_event (iv_avt_event_e event, void *handle)
{
  static const char *const names[] = {
    "peer-ready", "connect-fail",   "peer-error", "addr-changed",
    "low",        "warn",           "high",       "local-net-ready",
    "disconnect", "cli-send-close",
  };
  Handle *h = handle;

  if (h == NULL) {
    printf ("event %s\n", names[event]);
    return;
  }
  if (event == IV_AVT_EVENT_P2P_WATERMARK_LOW && h->paused)
    printf ("paused %u\n", h->paused_gets);
  printf ("event %s %zu\n", names[event], iv_avt_p2p_get_send_buf (h));
  if (event == IV_AVT_EVENT_P2P_WATERMARK_HIGH) {
    h->paused = 1;
    h->paused_gets = 0;
  } else if (event == IV_AVT_EVENT_P2P_WATERMARK_LOW) {
    h->low_us = h->paused ? now_us () : 0;
    h->paused = 0;
  }
}

static void *
on_recv_init (const char *params, const char *peer)
{
  printf ("talk %s %s\n", peer, params);
  return NULL;
}

static void
on_recv_voice (void *handle, uint8_t *data, size_t len, uint8_t *stop)
{
}

static void
free_reply (uint8_t *buf, size_t size)
{
  free (buf);
}

static iv_cm_memory_s
on_command (const char *command, size_t len, const char *peer)
{
  iv_cm_memory_s memory = { (uint8_t *)strdup (command), len, free_reply };

  printf ("command %s %s\n", peer, command);
  return memory;
}

/* -- The program ----------------------------------------------------------- */

static void
on_line (const char *line)
{
  pthread_mutex_lock (&lock);
  pthread_mutex_lock (&timer_lock);
  if (strcmp (line, "reset\n") == 0) {
    forget (&gets);
    forget (&timer);
    wake_ups = 0;
    printf ("ok\n");
  } else if (strncmp (line, "count ", 6) == 0) {
    wanted_gets = strtoul (line + 6, NULL, 10);
  } else if (strcmp (line, "stats\n") == 0) {
    printf ("stats wake-ups=%llu", (unsigned long long)wake_ups);
    tell_deviations ("gets", &gets);
    tell_deviations ("timer", &timer);
    printf ("\n");
  } else {
    printf ("error %s", line);
  }
  pthread_mutex_unlock (&timer_lock);
  pthread_mutex_unlock (&lock);
}

/* Resident and not of a file. */
static void
tell_memory (void)
{
  FILE *status = fopen ("/proc/self/status", "r");
  char line[LINE];
  long kb;

  while (status != NULL && fgets (line, sizeof line, status) != NULL)
    if (sscanf (line, "RssAnon: %ld", &kb) == 1)
      printf ("loaded %ld\n", kb);
  if (status != NULL)
    fclose (status);
}

int
main (int argc, char **argv)
{
  iv_p2p_parm_s parm;
  pthread_t thread;
  char line[LINE];
  int status;

  if (argc != 2) {
    fprintf (stderr, "usage: %s BITRATE\n", argv[0]);
    return 2;
  }
  setvbuf (stdout, NULL, _IOLBF, 0);
  /* Theirs from the beginning: who measures memory shall not see them grow. */
  memset (&gets, 0, sizeof gets);
  memset (&timer, 0, sizeof timer);
  tell_memory ();
  bytes_a_second = strtoull (argv[1], NULL, 10) / 8;
  memset (&parm, 0, sizeof parm);
  parm.p2p_handle_send_init_cb = on_send_init;
  parm.p2p_handle_send_get_cb = on_send_get;
  parm.p2p_handle_send_stop_cb = on_send_stop;
  parm.p2p_handle_event_notify_cb = on_event;
  parm.p2p_handle_recv_init_cb = on_recv_init;
  parm.p2p_handle_recv_voice_cb = on_recv_voice;
  parm.p2p_handle_command_cb = on_command;
  /* Who is dead is noticed soon. */
  parm.p2p_keep_alive.time_inter_s = 1;
  parm.p2p_keep_alive.max_attempt_num = 2;
  parm.p2p_init_params.log_level = IV_AVT_P2P_LOG_WARN;
  status = iv_avt_p2p_init (&parm);
  if (status != IV_ERR_NONE) {
    fprintf (stderr, "p2p init failed: %d\n", status);
    return 1;
  }
  if (pthread_create (&thread, NULL, timer_thread, NULL) != 0)
    return 1;
  while (fgets (line, sizeof line, stdin) != NULL)
    on_line (line);
  iv_avt_p2p_exit ();
  return 0;
}
