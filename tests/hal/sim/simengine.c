/* The encoders behind the simulated vendor libraries; see simengine.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "simengine.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* A key picture is so many times as large as the others. */
#define KEY_FACTOR 4
/* How far behind a structure the caller's memory is looked at. */
#define CANARY 64

typedef struct
{
  SimFrame frame;
  SimUnit unit;
  uint8_t *memory;
  size_t allocated;
} Slot;

typedef struct
{
  bool exists, started, ring, held;
  SimSettings settings;
  Slot slots[SIM_SLOTS];
  unsigned first, n; /* of the slots that are full */
  unsigned number, idr_id, idr_in;
  bool idr_wanted;
  unsigned produced, limit;
  uint64_t next_due; /* us */
  uint32_t sequence;
  double debt; /* bytes sent beyond the bit rate */
  int epoll, event, timer;
} Channel;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Channel channels[SIM_MAX_CHANNELS]; /* all protected by lock */
static uint64_t virtual_now;
static int64_t real_offset;
static unsigned running;

static void advance (uint64_t us);
static void reset (void);
static void settings_of (unsigned id, uint32_t *ret_bitrate, unsigned *ret_gop,
                         unsigned *ret_fps, int *ret_qp_min, int *ret_qp_max);

static SimControl control
    = { .advance = advance, .reset = reset, .settings = settings_of };

SimControl *
sim_engine_control (void)
{
  return &control;
}

/* For programs that cannot reach into the library: SIM_MODE=realtime. */
__attribute__ ((constructor)) static void
mode_from_environment (void)
{
  const char *mode = getenv ("SIM_MODE");

  if (mode != NULL && strcmp (mode, "realtime") == 0)
    control.mode = SIM_REALTIME;
}

bool
sim_fault (atomic_uint *counter)
{
  unsigned value = atomic_load (counter);

  while (value > 0) {
    if (atomic_compare_exchange_weak (counter, &value, value - 1))
      return true;
  }
  return false;
}

int
sim_create_code (void)
{
  int code = atomic_exchange (&control.create_code, 0);

  if (code != 0)
    errno = atomic_load (&control.create_errno);
  return code;
}

int
sim_get_code (void)
{
  int code = atomic_load (&control.get_code);

  if (code != 0)
    errno = atomic_load (&control.get_errno);
  return code;
}

static uint64_t
real_us (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* With the lock. */
static uint64_t
now_us (void)
{
  if (control.mode == SIM_REALTIME)
    return (uint64_t)((int64_t)real_us () + real_offset);
  return virtual_now;
}

static uint64_t
as_counter (uint64_t us)
{
  return control.wrap32 ? us & UINT32_MAX : us;
}

uint64_t
sim_engine_now (void)
{
  uint64_t now;

  pthread_mutex_lock (&lock);
  now = as_counter (now_us ());
  pthread_mutex_unlock (&lock);
  return now;
}

void
sim_engine_init (void)
{
  pthread_mutex_lock (&lock);
  if (running > 0)
    atomic_fetch_add (&control.double_inits, 1);
  running++;
  atomic_fetch_add (&control.inits, 1);
  virtual_now = control.clock_us;
  real_offset = (int64_t)control.clock_us - (int64_t)real_us ();
  pthread_mutex_unlock (&lock);
}

void
sim_engine_exit (void)
{
  pthread_mutex_lock (&lock);
  if (running > 0)
    running--;
  atomic_fetch_add (&control.exits, 1);
  pthread_mutex_unlock (&lock);
}

bool
sim_engine_running (void)
{
  bool is;

  pthread_mutex_lock (&lock);
  is = running > 0;
  pthread_mutex_unlock (&lock);
  return is;
}

static void
reset (void)
{
  pthread_mutex_lock (&lock);
  /* The functions at its end stay. */
  memset (&control, 0, offsetof (SimControl, advance));
  running = 0;
  virtual_now = 0;
  pthread_mutex_unlock (&lock);
  mode_from_environment ();
}

static uint64_t
interval_us (const Channel *channel)
{
  return UINT64_C (1000000) * channel->settings.fps_den
         / channel->settings.fps_num;
}

static bool
is_stalled (const Channel *channel)
{
  unsigned stop_after = atomic_load (&control.stop_after);

  return (stop_after != 0 && channel->produced >= stop_after)
         || (channel->limit != 0 && channel->produced >= channel->limit);
}

/* With the lock: the descriptor tells whether there is something. */
static void
update_event (Channel *channel)
{
  bool on = channel->started
            && (channel->n > 0
                || (control.mode == SIM_AUTO && !is_stalled (channel)));
  uint64_t value = 1;
  ssize_t done;

  done = on ? write (channel->event, &value, sizeof value)
            : read (channel->event, &value, sizeof value);
  (void)done;
}

static size_t
target_size (const Channel *channel, bool key)
{
  const SimSettings *s = &channel->settings;
  double mean, unit, target;

  if (s->bitrate == 0)
    return 0;
  mean = (double)s->bitrate / 8 * s->fps_den / s->fps_num;
  unit = mean * s->gop / (s->gop + KEY_FACTOR - 1);
  target = (key && s->gop > 1 ? unit * KEY_FACTOR : unit) - channel->debt;
  return target > 64 ? (size_t)target : 64;
}

/* Lays the picture into the slot's own ring, packs by NAL units or one. */
static void
lay_out (const Channel *channel, Slot *slot)
{
  size_t size = slot->unit.size;
  unsigned wrap_at = atomic_load (&control.wrap_at);
  bool wrap = channel->ring && wrap_at > 0 && wrap_at < size;
  size_t ring_size = size + 32;
  size_t at = wrap ? ring_size - wrap_at : 0;
  SimFrame *frame = &slot->frame;
  bool bundle = atomic_load (&control.bundle);
  unsigned n = bundle ? 1 : slot->unit.n_nals;
  size_t i;

  if (slot->allocated < ring_size) {
    slot->allocated = ring_size * 2;
    slot->memory = realloc (slot->memory, slot->allocated);
    if (slot->memory == NULL)
      abort ();
  }
  for (i = 0; i < size; i++)
    slot->memory[(at + i) % ring_size] = slot->unit.data[i];
  frame->ring = slot->memory;
  frame->ring_size = ring_size;
  frame->n_packs = n;
  for (i = 0; i < n; i++) {
    size_t offset = at + (bundle ? 0 : slot->unit.nals[i].offset);
    size_t length = bundle ? size : slot->unit.nals[i].size;
    size_t room;

    offset %= ring_size;
    room = ring_size - offset;
    frame->packs[i].data[0] = slot->memory + offset;
    frame->packs[i].size[0] = length < room ? length : room;
    frame->packs[i].data[1] = length > room ? slot->memory : NULL;
    frame->packs[i].size[1] = length > room ? length - room : 0;
    frame->packs[i].type
        = slot->unit.nals[bundle ? slot->unit.n_nals - 1 : i].type;
  }
}

static void
spoil (Slot *slot)
{
  if (sim_fault (&control.garbage))
    memset (slot->unit.data, 0xa5, slot->unit.size);
  if (sim_fault (&control.zero_frames)) {
    unsigned i;

    slot->unit.size = 0;
    for (i = 0; i < slot->unit.n_nals; i++)
      slot->unit.nals[i].size = slot->unit.nals[i].offset = 0;
  }
}

static bool
key_is_due (Channel *channel)
{
  bool key
      = channel->produced == 0 || channel->number + 1 >= channel->settings.gop;

  if (channel->settings.codec == HAL_CODEC_JPEG)
    return true;
  if (channel->idr_wanted && channel->idr_in-- == 0)
    key = true;
  if (key)
    channel->idr_wanted = false;
  return key;
}

/* With the lock. */
static void
produce (Channel *channel, uint64_t pts)
{
  unsigned slices = atomic_load (&control.slices);
  const SimSettings *s = &channel->settings;
  SimPicture picture = {
    .codec = s->codec,
    .width = s->width,
    .height = s->height,
    .fps_num = s->fps_num,
    .fps_den = s->fps_den,
    .short_start_codes = atomic_load (&control.short_start_codes),
    .slices = slices != 0 ? slices : 1,
  };
  Slot *slot;

  if (channel->n == SIM_SLOTS) {
    atomic_fetch_add (&control.overruns, 1);
    return;
  }
  slot = &channel->slots[(channel->first + channel->n) % SIM_SLOTS];
  picture.key = key_is_due (channel);
  channel->number = picture.key ? 0 : channel->number + 1;
  channel->idr_id += picture.key;
  picture.number = channel->number;
  picture.idr_id = channel->idr_id;
  picture.target = target_size (channel, picture.key);
  sim_unit_encode (&slot->unit, &picture);
  if (picture.target != 0)
    channel->debt = (double)slot->unit.size - (double)picture.target;
  spoil (slot);
  lay_out (channel, slot);
  slot->frame.pts = as_counter (pts);
  slot->frame.sequence = channel->sequence++;
  slot->frame.key = picture.key;
  channel->produced++;
  channel->n++;
}

/* With the lock: what is due by now; in SIM_AUTO one frame, if asked for. */
static void
pump (Channel *channel, bool wanted)
{
  uint64_t value;

  if (!channel->started)
    return;
  if (control.mode == SIM_AUTO) {
    if (wanted && channel->n == 0 && !is_stalled (channel)) {
      virtual_now = (uint64_t)((int64_t)virtual_now
                               + atomic_exchange (&control.jump_us, 0));
      channel->next_due = channel->next_due + interval_us (channel);
      if (channel->next_due < virtual_now
          || channel->next_due > virtual_now + 1000000)
        channel->next_due = virtual_now + interval_us (channel);
      virtual_now = channel->next_due;
      produce (channel, virtual_now);
    }
  } else {
    if (channel->timer >= 0 && read (channel->timer, &value, sizeof value) < 0)
      value = 0;
    while (channel->next_due <= now_us () && !is_stalled (channel)) {
      produce (channel, channel->next_due);
      channel->next_due += interval_us (channel);
    }
  }
  update_event (channel);
}

static void
advance (uint64_t us)
{
  unsigned i;

  pthread_mutex_lock (&lock);
  virtual_now = (uint64_t)((int64_t)virtual_now + (int64_t)us
                           + atomic_exchange (&control.jump_us, 0));
  for (i = 0; i < SIM_MAX_CHANNELS; i++)
    pump (&channels[i], false);
  pthread_mutex_unlock (&lock);
}

static Channel *
find (unsigned id)
{
  return id < SIM_MAX_CHANNELS && channels[id].exists ? &channels[id] : NULL;
}

bool
sim_channel_create (unsigned id, const SimSettings *settings, bool ring)
{
  struct epoll_event event = { .events = EPOLLIN };
  Channel *channel;
  bool fresh;

  if (id >= SIM_MAX_CHANNELS)
    return false;
  pthread_mutex_lock (&lock);
  channel = &channels[id];
  fresh = !channel->exists;
  if (fresh) {
    memset (channel, 0, sizeof *channel);
    channel->exists = true;
    channel->ring = ring;
    channel->settings = *settings;
    channel->epoll = epoll_create1 (EPOLL_CLOEXEC);
    channel->event = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    channel->timer = -1;
    epoll_ctl (channel->epoll, EPOLL_CTL_ADD, channel->event, &event);
    if (control.mode == SIM_REALTIME) {
      channel->timer
          = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
      epoll_ctl (channel->epoll, EPOLL_CTL_ADD, channel->timer, &event);
    }
    atomic_fetch_add (&control.creates, 1);
  }
  pthread_mutex_unlock (&lock);
  return fresh;
}

bool
sim_channel_exists (unsigned id)
{
  bool exists;

  pthread_mutex_lock (&lock);
  exists = find (id) != NULL;
  pthread_mutex_unlock (&lock);
  return exists;
}

bool
sim_channel_destroy (unsigned id)
{
  Channel *channel;
  unsigned i;

  pthread_mutex_lock (&lock);
  channel = find (id);
  if (channel != NULL) {
    if (channel->started || channel->held)
      atomic_fetch_add (&control.order_errors, 1);
    for (i = 0; i < SIM_SLOTS; i++) {
      sim_unit_clear (&channel->slots[i].unit);
      free (channel->slots[i].memory);
    }
    close (channel->epoll);
    close (channel->event);
    if (channel->timer >= 0)
      close (channel->timer);
    memset (channel, 0, sizeof *channel);
    atomic_fetch_add (&control.destroys, 1);
  }
  pthread_mutex_unlock (&lock);
  return channel != NULL;
}

static void
arm (Channel *channel)
{
  uint64_t ns = interval_us (channel) * 1000;
  struct itimerspec spec;

  if (channel->timer < 0)
    return;
  spec.it_interval.tv_sec = (time_t)(ns / HAL_SECOND);
  spec.it_interval.tv_nsec = (long)(ns % HAL_SECOND);
  spec.it_value = spec.it_interval;
  timerfd_settime (channel->timer, 0, &spec, NULL);
}

bool
sim_channel_start (unsigned id, unsigned n_frames)
{
  Channel *channel;

  pthread_mutex_lock (&lock);
  channel = find (id);
  if (channel != NULL) {
    if (channel->started)
      atomic_fetch_add (&control.order_errors, 1);
    channel->started = true;
    channel->produced = 0;
    channel->limit = n_frames;
    channel->next_due
        = now_us () + (control.mode == SIM_AUTO ? 0 : interval_us (channel));
    arm (channel);
    update_event (channel);
    atomic_fetch_add (&control.starts, 1);
  }
  pthread_mutex_unlock (&lock);
  return channel != NULL;
}

bool
sim_channel_stop (unsigned id)
{
  Channel *channel;

  pthread_mutex_lock (&lock);
  channel = find (id);
  if (channel != NULL) {
    channel->started = false;
    /* What waits is thrown away; what is out stays. */
    channel->n = channel->held ? 1 : 0;
    update_event (channel);
    atomic_fetch_add (&control.stops, 1);
  }
  pthread_mutex_unlock (&lock);
  return channel != NULL;
}

int
sim_channel_fd (unsigned id)
{
  Channel *channel;
  int fd = -1;

  pthread_mutex_lock (&lock);
  channel = find (id);
  if (channel != NULL)
    fd = channel->epoll;
  pthread_mutex_unlock (&lock);
  return fd;
}

unsigned
sim_channel_packs (unsigned id)
{
  Channel *channel;
  unsigned n = 0;

  pthread_mutex_lock (&lock);
  channel = find (id);
  if (channel != NULL && !sim_fault (&control.empty_wakeups)) {
    pump (channel, true);
    if (channel->n > 0)
      n = channel->slots[channel->first].frame.n_packs;
  }
  pthread_mutex_unlock (&lock);
  return n;
}

const SimFrame *
sim_channel_get (unsigned id)
{
  const SimFrame *frame = NULL;
  Channel *channel;

  pthread_mutex_lock (&lock);
  channel = find (id);
  if (channel != NULL) {
    if (channel->held)
      atomic_fetch_add (&control.order_errors, 1);
    pump (channel, true);
    if (channel->n > 0) {
      frame = &channel->slots[channel->first].frame;
      channel->held = true;
      atomic_fetch_add (&control.gets, 1);
    }
  }
  pthread_mutex_unlock (&lock);
  return frame;
}

bool
sim_channel_release (unsigned id)
{
  Channel *channel;
  bool was = false;

  pthread_mutex_lock (&lock);
  channel = find (id);
  if (channel != NULL && channel->held) {
    Slot *slot = &channel->slots[channel->first];

    was = true;
    memset (slot->memory, SIM_POISON, slot->allocated);
    channel->held = false;
    channel->first = (channel->first + 1) % SIM_SLOTS;
    channel->n--;
    update_event (channel);
    atomic_fetch_add (&control.releases, 1);
  } else {
    atomic_fetch_add (&control.order_errors, 1);
  }
  pthread_mutex_unlock (&lock);
  return was;
}

bool
sim_channel_wait (unsigned id, unsigned ms)
{
  struct pollfd fd = { sim_channel_fd (id), POLLIN, 0 };

  return poll (&fd, 1, (int)ms) > 0;
}

bool
sim_channel_idr (unsigned id)
{
  Channel *channel;

  pthread_mutex_lock (&lock);
  channel = find (id);
  if (channel != NULL) {
    if (!channel->idr_wanted)
      channel->idr_in = atomic_load (&control.idr_delay);
    channel->idr_wanted = true;
    atomic_fetch_add (&control.idr_requests, 1);
  }
  pthread_mutex_unlock (&lock);
  return channel != NULL;
}

bool
sim_channel_get_settings (unsigned id, SimSettings *ret_settings)
{
  Channel *channel;

  pthread_mutex_lock (&lock);
  channel = find (id);
  if (channel != NULL)
    *ret_settings = channel->settings;
  pthread_mutex_unlock (&lock);
  return channel != NULL;
}

bool
sim_channel_set_settings (unsigned id, const SimSettings *settings)
{
  Channel *channel;

  pthread_mutex_lock (&lock);
  channel = find (id);
  if (channel != NULL) {
    bool rearm = channel->settings.fps_num != settings->fps_num
                 || channel->settings.fps_den != settings->fps_den;

    channel->settings = *settings;
    if (rearm && channel->started)
      arm (channel);
    atomic_fetch_add (&control.sets, 1);
  }
  pthread_mutex_unlock (&lock);
  return channel != NULL;
}

static void
settings_of (unsigned id, uint32_t *ret_bitrate, unsigned *ret_gop,
             unsigned *ret_fps, int *ret_qp_min, int *ret_qp_max)
{
  SimSettings settings = { 0 };

  sim_channel_get_settings (id, &settings);
  *ret_bitrate = settings.bitrate;
  *ret_gop = settings.gop;
  *ret_fps = settings.fps_den != 0 ? settings.fps_num / settings.fps_den : 0;
  *ret_qp_min = settings.qp_min;
  *ret_qp_max = settings.qp_max;
}

void
sim_check_out (void *structure, size_t size)
{
  uint8_t *bytes = structure;
  unsigned grow = atomic_load (&control.grow);
  unsigned i;

  for (i = 0; i < CANARY; i++) {
    if (bytes[size + i] != 0)
      atomic_fetch_add (&control.dirty, 1);
  }
  for (i = 0; i < grow && i < CANARY; i++)
    bytes[size + i] = 0x5a;
}
