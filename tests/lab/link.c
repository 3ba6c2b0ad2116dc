/*
 * lab-link: a network link in user space, between two TUN (or TAP) devices
 * that live in two network namespaces. It stands where netem would, on kernels
 * that have none, and it can do what netem cannot: be frozen, cut and changed
 * while traffic runs, with every change acknowledged.
 *
 *   lab-link [--tap] [--seed N] LEFT-NETNS:DEVICE RIGHT-NETNS:DEVICE
 *
 * NETNS is the path of a namespace file (for example /proc/PID/fd/N). Commands
 * are lines on standard input, each answered by one line on standard output:
 * "ok …" or "error …". End of input ends the link.
 *
 *   [right|left|both] KEY VALUE [VALUE]     right: from left to right
 *     delay MS          one-way propagation time
 *     jitter MS         0..MS more, uniformly; the order is kept
 *     loss P [BURST]    P of the packets, in runs of BURST on average
 *     reorder P MS      P of the packets arrive MS later than their turn
 *     duplicate P       P of the packets arrive twice
 *     rate BIT/S        bottleneck, of IP packets; 0: none
 *     queue BYTES       what may wait in front of the bottleneck
 *     mtu BYTES         larger IP packets vanish without a word; 0: none do
 *     freeze MS         nothing departs for that long, then all that waited
 *     down, up          the cable is pulled, and put back
 *   stats               counters of both directions
 *
 * A packet goes through two stages, as on a real link: the queue in front of
 * the bottleneck (bounded, tail drop), then the way (delay, jitter). What
 * happens to a packet is drawn from the direction's own generator, seeded, so
 * the n-th packet of a direction meets the same fate in each run.
 *
 * Threads: one per direction, which owns its queues, generator and packets.
 * The main thread reads commands; `Direction.lock` guards what both use:
 * the settings and the counters. An eventfd tells a direction of new settings.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* An Ethernet frame of 1500 bytes of payload, with its header and a tag. */
#define PACKET_MAX 1536
#define ETHERNET_HEADER 14
/* Enough for 500 Mbit/s over 250 ms in packets of 1000 bytes. */
#define POOL_PACKETS 16384
#define QUEUE_BYTES_DEFAULT (256 * 1024)
/* One wake-up handles at most so many, so that what is due is not kept. */
#define READ_BATCH 64
#define LINE_MAX_BYTES 256
#define NS_PER_MS 1000000.0
#define NS_PER_S 1000000000ULL
#define NEVER UINT64_MAX

typedef struct
{
  uint64_t due;   /* when it arrives at the other end */
  uint64_t order; /* breaks ties: first in, first out */
  uint32_t size;
  uint8_t data[PACKET_MAX];
} Packet;

typedef struct
{
  uint64_t delay_ns;
  uint64_t jitter_ns;
  uint64_t reorder_ns;
  double loss;
  double loss_burst;
  double reorder;
  double duplicate;
  double rate;
  uint64_t queue_bytes;
  uint64_t mtu;
  uint64_t frozen_until;
  bool down;
} Settings;

typedef struct
{
  uint64_t packets_in;
  uint64_t packets_out;
  uint64_t bytes_out;
  uint64_t lost;
  uint64_t queue_drops;
  uint64_t mtu_drops;
  uint64_t down_drops;
  uint64_t duplicated;
  uint64_t reordered;
} Counters;

typedef struct
{
  const char *name;
  int in;
  int out;
  int wake;
  uint32_t header; /* link-layer bytes that MTU and rate do not count */
  pthread_t thread;

  pthread_mutex_t lock;
  Settings shared;
  Counters counters;

  /* The direction's thread alone, from here on. */
  Settings now;
  Counters count;
  uint64_t random;
  bool in_burst;
  uint64_t orders;
  uint64_t last_due;

  Packet *pool;
  Packet **spare;
  size_t n_spare;

  Packet **queue; /* ring: waits for the bottleneck */
  size_t queue_head;
  size_t queue_len;
  uint64_t queue_held; /* bytes in it */
  uint64_t line_free;  /* when the bottleneck takes the next packet */

  Packet **way; /* heap by (due, order): on its way */
  size_t way_len;
} Direction;

static uint64_t
now_ns (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* splitmix64: small, seeded by any number, good enough to lose packets by. */
static double
draw (Direction *d)
{
  uint64_t z = (d->random += 0x9e3779b97f4a7c15ULL);

  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  z ^= z >> 31;
  return (double)(z >> 11) / (double)(1ULL << 53);
}

/* Gilbert's model: in a burst everything is lost, outside nothing is; the two
 * chances make the share of lost packets `loss`, their runs `loss_burst`. */
static bool
is_lost (Direction *d)
{
  const Settings *s = &d->now;
  double leave = 1.0 / s->loss_burst;
  double enter = s->loss < 1.0 ? leave * s->loss / (1.0 - s->loss) : 1.0;
  double chance = draw (d);

  if (s->loss <= 0.0)
    d->in_burst = false;
  else if (s->loss_burst <= 1.0)
    d->in_burst = chance < s->loss;
  else if (d->in_burst)
    d->in_burst = s->loss >= 1.0 || chance >= leave;
  else
    d->in_burst = chance < enter;
  return d->in_burst;
}

static bool
arrives_before (const Packet *a, const Packet *b)
{
  return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void
way_push (Direction *d, Packet *p)
{
  size_t i = d->way_len++;

  while (i > 0 && arrives_before (p, d->way[(i - 1) / 2])) {
    d->way[i] = d->way[(i - 1) / 2];
    i = (i - 1) / 2;
  }
  d->way[i] = p;
}

static Packet *
way_pop (Direction *d)
{
  Packet *first = d->way[0];
  Packet *last = d->way[--d->way_len];
  size_t i = 0;

  for (;;) {
    size_t child = 2 * i + 1;

    if (child >= d->way_len)
      break;
    if (child + 1 < d->way_len
        && arrives_before (d->way[child + 1], d->way[child]))
      child++;
    if (!arrives_before (d->way[child], last))
      break;
    d->way[i] = d->way[child];
    i = child;
  }
  d->way[i] = last;
  return first;
}

static void
release (Direction *d, Packet *p)
{
  d->spare[d->n_spare++] = p;
}

/* The packet has passed the bottleneck at @departure: what becomes of it? */
static void
send_on_way (Direction *d, Packet *p, uint64_t departure)
{
  const Settings *s = &d->now;
  double jitter = draw (d);
  double reorder = draw (d);
  double duplicate = draw (d);

  if (is_lost (d)) {
    d->count.lost++;
    release (d, p);
    return;
  }
  p->due = departure + s->delay_ns + (uint64_t)(jitter * s->jitter_ns);
  p->order = d->orders++;
  if (reorder < s->reorder) {
    p->due += s->reorder_ns;
    d->count.reordered++;
  } else {
    if (p->due < d->last_due)
      p->due = d->last_due;
    d->last_due = p->due;
  }
  way_push (d, p);

  if (duplicate < s->duplicate && d->n_spare > 0) {
    Packet *twin = d->spare[--d->n_spare];

    memcpy (twin->data, p->data, p->size);
    twin->size = p->size;
    twin->due = p->due;
    twin->order = d->orders++;
    d->count.duplicated++;
    way_push (d, twin);
  }
}

/* Take in one packet that @d->in delivered: dropped, or queued. */
static void
accept_packet (Direction *d, Packet *p)
{
  const Settings *s = &d->now;

  d->count.packets_in++;
  if (s->down) {
    d->count.down_drops++;
  } else if (s->mtu != 0 && p->size > s->mtu + d->header) {
    d->count.mtu_drops++;
  } else if (d->queue_held + p->size > s->queue_bytes) {
    d->count.queue_drops++;
  } else {
    d->queue[(d->queue_head + d->queue_len++) % POOL_PACKETS] = p;
    d->queue_held += p->size;
    return;
  }
  release (d, p);
}

static void
read_packets (Direction *d)
{
  for (int i = 0; i < READ_BATCH && d->n_spare > 0; i++) {
    Packet *p = d->spare[d->n_spare - 1];
    ssize_t n = read (d->in, p->data, sizeof p->data);

    if (n <= 0)
      break;
    d->n_spare--;
    p->size = (uint32_t)n;
    accept_packet (d, p);
  }
}

/* Let through the bottleneck what has had its time on it. Returns when the
 * next packet will have. */
static uint64_t
serve_queue (Direction *d, uint64_t now)
{
  const Settings *s = &d->now;

  if (s->frozen_until > now)
    return d->queue_len > 0 ? s->frozen_until : NEVER;

  while (d->queue_len > 0) {
    Packet *p = d->queue[d->queue_head];
    uint64_t done = now;

    if (s->rate > 0.0) {
      done = d->line_free
             + (uint64_t)((p->size - d->header) * 8 * 1e9 / s->rate);
      if (done > now)
        return done;
    }
    d->line_free = done;
    d->queue_head = (d->queue_head + 1) % POOL_PACKETS;
    d->queue_len--;
    d->queue_held -= p->size;
    send_on_way (d, p, done);
  }
  return NEVER;
}

static uint64_t
deliver_due (Direction *d, uint64_t now)
{
  while (d->way_len > 0 && d->way[0]->due <= now) {
    Packet *p = way_pop (d);

    if (write (d->out, p->data, p->size) == (ssize_t)p->size) {
      d->count.packets_out++;
      d->count.bytes_out += p->size;
    }
    release (d, p);
  }
  return d->way_len > 0 ? d->way[0]->due : NEVER;
}

static void
take_settings (Direction *d)
{
  pthread_mutex_lock (&d->lock);
  d->now = d->shared;
  pthread_mutex_unlock (&d->lock);
}

static void
publish_counters (Direction *d)
{
  pthread_mutex_lock (&d->lock);
  d->counters = d->count;
  pthread_mutex_unlock (&d->lock);
}

static void *
run_direction (void *data)
{
  Direction *d = data;
  struct pollfd fds[2] = { { .fd = d->in, .events = POLLIN },
                           { .fd = d->wake, .events = POLLIN } };

  pthread_setname_np (pthread_self (), d->name);
  /* Wake up when asked to, not some 50 us later to save power. */
  prctl (PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  for (;;) {
    uint64_t now = now_ns ();
    uint64_t next, arrival;

    take_settings (d);
    /* A line that was idle, frozen or off does not save its time up. */
    if (d->queue_len == 0 || d->line_free < d->now.frozen_until)
      d->line_free = now;
    if (fds[0].revents & POLLERR)
      break; /* the device is gone */
    if (fds[0].revents & POLLIN)
      read_packets (d);
    next = serve_queue (d, now);
    arrival = deliver_due (d, now);
    if (arrival < next)
      next = arrival;
    publish_counters (d);

    struct timespec wait = { 0, 0 };
    now = now_ns ();
    if (next != NEVER && next > now) {
      wait.tv_sec = (time_t)((next - now) / NS_PER_S);
      wait.tv_nsec = (long)((next - now) % NS_PER_S);
    }
    /* With no packet to spare there is no point in hearing of more. */
    fds[0].events = d->n_spare > 0 ? POLLIN : 0;
    if (ppoll (fds, 2, next == NEVER ? NULL : &wait, NULL) < 0
        && errno != EINTR)
      break;
    if (fds[1].revents != 0) {
      uint64_t value;
      ssize_t n = read (d->wake, &value, sizeof value);
      (void)n;
    }
  }
  return NULL;
}

/* Open @where, "NETNS:DEVICE", inside its namespace: the device stays there,
 * and so does what the descriptor reads and writes, after we have left. */
static int
open_device (const char *where, bool tap)
{
  const char *colon = strrchr (where, ':');
  struct ifreq ifr = { .ifr_flags = IFF_NO_PI };
  char path[LINE_MAX_BYTES];
  int home, away, fd = -1;

  if (!colon || colon - where >= (ptrdiff_t)sizeof path
      || strlen (colon + 1) >= sizeof ifr.ifr_name || colon[1] == '\0') {
    fprintf (stderr, "lab-link: not NETNS:DEVICE: %s\n", where);
    return -1;
  }
  memcpy (path, where, (size_t)(colon - where));
  path[colon - where] = '\0';
  strcpy (ifr.ifr_name, colon + 1);
  ifr.ifr_flags |= tap ? IFF_TAP : IFF_TUN;

  home = open ("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  away = open (path, O_RDONLY | O_CLOEXEC);
  if (home < 0 || away < 0 || setns (away, CLONE_NEWNET) < 0) {
    fprintf (stderr, "lab-link: cannot enter %s: %m\n", path);
  } else {
    fd = open ("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || ioctl (fd, TUNSETIFF, &ifr) < 0) {
      fprintf (stderr, "lab-link: cannot create %s: %m\n", where);
      if (fd >= 0)
        close (fd);
      fd = -1;
    }
    if (setns (home, CLONE_NEWNET) < 0) {
      fprintf (stderr, "lab-link: cannot come back: %m\n");
      exit (1);
    }
  }
  if (home >= 0)
    close (home);
  if (away >= 0)
    close (away);
  return fd;
}

static bool
start_direction (Direction *d, const char *name, int in, int out, bool tap,
                 uint64_t seed)
{
  d->name = name;
  d->in = in;
  d->out = out;
  d->header = tap ? ETHERNET_HEADER : 0;
  d->random = seed;
  d->wake = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
  d->shared.queue_bytes = QUEUE_BYTES_DEFAULT;
  d->shared.loss_burst = 1.0;
  pthread_mutex_init (&d->lock, NULL);
  d->pool = calloc (POOL_PACKETS, sizeof *d->pool);
  d->spare = calloc (POOL_PACKETS, sizeof *d->spare);
  d->queue = calloc (POOL_PACKETS, sizeof *d->queue);
  d->way = calloc (POOL_PACKETS, sizeof *d->way);
  if (d->wake < 0 || !d->pool || !d->spare || !d->queue || !d->way)
    return false;
  for (size_t i = 0; i < POOL_PACKETS; i++)
    release (d, &d->pool[POOL_PACKETS - 1 - i]);
  return pthread_create (&d->thread, NULL, run_direction, d) == 0;
}

/* Apply one "KEY [A [B]]" to @s; false if it makes no sense. */
static bool
apply (Settings *s, const char *key, int n_values, double a, double b)
{
  bool chance = n_values >= 1 && a >= 0.0 && a <= 1.0;
  bool amount = n_values == 1 && a >= 0.0 && a <= 1e12;

  if (strcmp (key, "down") == 0 && n_values == 0)
    s->down = true;
  else if (strcmp (key, "up") == 0 && n_values == 0)
    s->down = false;
  else if (strcmp (key, "delay") == 0 && amount)
    s->delay_ns = (uint64_t)(a * NS_PER_MS);
  else if (strcmp (key, "jitter") == 0 && amount)
    s->jitter_ns = (uint64_t)(a * NS_PER_MS);
  else if (strcmp (key, "freeze") == 0 && amount)
    s->frozen_until = now_ns () + (uint64_t)(a * NS_PER_MS);
  else if (strcmp (key, "rate") == 0 && amount)
    s->rate = a;
  else if (strcmp (key, "queue") == 0 && amount)
    s->queue_bytes = (uint64_t)a;
  else if (strcmp (key, "mtu") == 0 && amount)
    s->mtu = (uint64_t)a;
  else if (strcmp (key, "duplicate") == 0 && chance && n_values == 1)
    s->duplicate = a;
  else if (strcmp (key, "reorder") == 0 && chance && n_values == 2 && b >= 0) {
    s->reorder = a;
    s->reorder_ns = (uint64_t)(b * NS_PER_MS);
  } else if (strcmp (key, "loss") == 0 && chance && (n_values == 1 || b >= 1)) {
    s->loss = a;
    s->loss_burst = n_values == 2 ? b : 1.0;
  } else
    return false;
  return true;
}

static void
wake (Direction *d)
{
  uint64_t one = 1;
  ssize_t n = write (d->wake, &one, sizeof one);
  (void)n;
}

static void
print_stats (Direction *d)
{
  Counters c;

  pthread_mutex_lock (&d->lock);
  c = d->counters;
  pthread_mutex_unlock (&d->lock);
  printf (" %s-in=%" PRIu64 " %s-out=%" PRIu64 " %s-bytes=%" PRIu64
          " %s-lost=%" PRIu64 " %s-queue-drops=%" PRIu64
          " %s-mtu-drops=%" PRIu64 " %s-down-drops=%" PRIu64
          " %s-duplicated=%" PRIu64 " %s-reordered=%" PRIu64,
          d->name, c.packets_in, d->name, c.packets_out, d->name, c.bytes_out,
          d->name, c.lost, d->name, c.queue_drops, d->name, c.mtu_drops,
          d->name, c.down_drops, d->name, c.duplicated, d->name, c.reordered);
}

static bool
run_command (Direction *right, Direction *left, const char *line)
{
  Direction *which[2] = { right, left };
  char key[16] = "", who[8] = "";
  double a = 0.0, b = 0.0;
  int n;

  if (sscanf (line, " %7s %15s", who, key) >= 1 && strcmp (who, "right") == 0)
    which[1] = NULL;
  else if (strcmp (who, "left") == 0)
    which[0] = NULL;
  if (strcmp (who, "right") == 0 || strcmp (who, "left") == 0
      || strcmp (who, "both") == 0)
    n = sscanf (line, " %*s %15s %lf %lf", key, &a, &b);
  else
    n = sscanf (line, " %15s %lf %lf", key, &a, &b);
  if (n < 1)
    return false;
  for (int i = 0; i < 2; i++) {
    bool understood;

    if (!which[i])
      continue;
    pthread_mutex_lock (&which[i]->lock);
    understood = apply (&which[i]->shared, key, n - 1, a, b);
    pthread_mutex_unlock (&which[i]->lock);
    if (!understood)
      return false;
    wake (which[i]);
  }
  return true;
}

static void
serve_commands (Direction *right, Direction *left)
{
  char line[LINE_MAX_BYTES];

  while (fgets (line, sizeof line, stdin)) {
    struct rusage usage;

    line[strcspn (line, "\n")] = '\0';
    if (strcmp (line, "stats") == 0) {
      getrusage (RUSAGE_SELF, &usage);
      printf (
          "ok cpu-us=%" PRIu64,
          (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000
              + (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
      print_stats (right);
      print_stats (left);
      printf ("\n");
    } else if (run_command (right, left, line))
      printf ("ok\n");
    else
      printf ("error not understood: %s\n", line);
    fflush (stdout);
  }
}

int
main (int argc, char **argv)
{
  static Direction right, left;
  uint64_t seed = 1;
  bool tap = false;
  int i, l, r;

  for (i = 1; i < argc && argv[i][0] == '-'; i++) {
    if (strcmp (argv[i], "--tap") == 0)
      tap = true;
    else if (strcmp (argv[i], "--seed") == 0 && i + 1 < argc)
      seed = strtoull (argv[++i], NULL, 0);
    else
      break;
  }
  if (argc - i != 2) {
    fprintf (stderr, "usage: %s [--tap] [--seed N] NETNS:DEVICE NETNS:DEVICE\n",
             argv[0]);
    return 2;
  }
  l = open_device (argv[i], tap);
  r = open_device (argv[i + 1], tap);
  if (l < 0 || r < 0)
    return 1;
  /* A link that has to wait for a busy machine is a slower link: where it is
   * allowed, go first. */
  if (setpriority (PRIO_PROCESS, 0, -10) < 0 && errno != EACCES)
    perror ("lab-link: setpriority");
  if (!start_direction (&right, "right", l, r, tap, seed)
      || !start_direction (&left, "left", r, l, tap, ~seed)) {
    fprintf (stderr, "lab-link: out of memory or threads\n");
    return 1;
  }
  printf ("ok ready\n");
  fflush (stdout);
  serve_commands (&right, &left);
  return 0;
}
