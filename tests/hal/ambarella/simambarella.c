/* Ambarella's driver, simulated: what stands in for the kernel
 * (hal-src/ambarella/ambarellaops.h), around tests/hal/sim/simengine.c. It is
 * compiled with the same iav_ioctl.h as the back end, and is of the generation
 * of that header (AMB_NEW); the older one takes no frames back.
 *
 * The memory of frames is a file, mapped twice in a row, as the driver does it,
 * and written to in a ring of which a frame may lie across the end. A frame of
 * several slices comes in pieces: of slices alone, of slices and then one that
 * says that the frame is whole, or of tiles.
 *
 * The lock protects everything but the engine; it is not held while a call
 * waits for a frame.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "simambarella.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

pthread_mutex_t driver_lock = PTHREAD_MUTEX_INITIALIZER;
Stream driver_streams[N_STREAMS];
uint8_t *driver_memory;
static int device = -1, timer = -1;
static HalUnwrap counter;

SIM_EXPORT SimControl *sim_control (void);
SIM_EXPORT int iav_open (const char *path, int flags);
SIM_EXPORT int iav_close (int fd);
SIM_EXPORT int iav_ioctl (int fd, unsigned long request,
                          unsigned long argument);
SIM_EXPORT void *iav_mmap (int fd, uint64_t offset, size_t size);
SIM_EXPORT int iav_munmap (void *at, size_t size);
SIM_EXPORT ssize_t iav_pread (int fd, void *text, size_t size);

/* Streams */

static SimSettings
default_settings (void)
{
  SimSettings settings = { .width = 1280,
                           .height = 720,
                           .fps_num = 25,
                           .fps_den = 1,
                           .bitrate = 4000000,
                           .gop = 30 };

  return settings;
}

/* With the lock. */
void
driver_run (unsigned id)
{
  Stream *stream = &driver_streams[id];

  /* A JPEG is as large as it is. */
  if (stream->settings.codec == HAL_CODEC_JPEG) {
    stream->settings.bitrate = 0;
    stream->settings.gop = 1;
  }
  sim_channel_create (id, &stream->settings, true);
  sim_channel_start (id, 0);
  stream->state = IAV_STREAM_STATE_ENCODING;
}

/* With the lock. */
void
driver_halt (unsigned id)
{
  Stream *stream = &driver_streams[id];
  unsigned i;

#if AMB_NEW
  for (i = 0; i < stream->n_pieces; i++) {
    if (stream->out[i])
      atomic_fetch_add (&sim_engine_control ()->order_errors, 1);
  }
#else
  for (i = 0; i < stream->n_pieces; i++)
    driver_release_frame (id, &stream->pieces[i]);
#endif
  stream->n_pieces = stream->next = 0;
  sim_channel_stop (id);
  sim_channel_destroy (id);
  stream->state = IAV_STREAM_STATE_IDLE;
  stream->elsewhere = false;
  /* Which whoever comes next reads first, if nobody does now. */
  stream->ended = true;
}

/* What another program does. config: NULL, it stops the stream. */
static void
run_elsewhere (unsigned id, const HalStreamConfig *config)
{
  Stream *stream = &driver_streams[id];

  pthread_mutex_lock (&driver_lock);
  if (config == NULL && stream->state == IAV_STREAM_STATE_ENCODING) {
    driver_halt (id);
  } else if (config != NULL && !stream->elsewhere) {
    if (stream->state == IAV_STREAM_STATE_ENCODING)
      driver_halt (id);
    stream->settings = default_settings ();
    stream->settings.codec = config->codec;
    stream->settings.width = config->width;
    stream->settings.height = config->height;
    stream->settings.bitrate = config->bitrate;
    stream->settings.gop = config->gop;
    stream->rate.average_bitrate = config->bitrate;
    stream->rate.qp_max_on_I = stream->rate.qp_max_on_P = 51;
    stream->rate.vbr_setting = THEIR_MODE;
#if AMB_NEW
    stream->rate.skip_flag = 1;
#endif
    stream->elsewhere = true;
    driver_run (id);
  }
  pthread_mutex_unlock (&driver_lock);
}

static bool
is_elsewhere (unsigned id)
{
  bool is;

  pthread_mutex_lock (&driver_lock);
  is = driver_streams[id].elsewhere
       && driver_streams[id].state == IAV_STREAM_STATE_ENCODING;
  pthread_mutex_unlock (&driver_lock);
  return is;
}

SimControl *
sim_control (void)
{
  SimControl *control = sim_engine_control ();

  control->run_elsewhere = run_elsewhere;
  control->is_elsewhere = is_elsewhere;
  return control;
}

/* Programs that cannot reach into the library: SIM_RUNNING=1, all streams run
 * elsewhere. */
static void
run_by_environment (void)
{
  const HalStreamConfig config = { .codec = HAL_CODEC_H264,
                                   .width = 640,
                                   .height = 360,
                                   .bitrate = 1000000,
                                   .gop = 25 };
  unsigned i;

  if (getenv ("SIM_RUNNING") == NULL)
    return;
  for (i = 0; i < 4; i++)
    run_elsewhere (i, &config);
}

/* Files */

int
iav_open (const char *path, int flags)
{
  SimControl *control = sim_engine_control ();
  int fd = memfd_create ("iav", MFD_CLOEXEC);
  unsigned i;

  (void)flags;
  if (strstr (path, "hwtimer") != NULL) {
    timer = fd;
    return fd;
  }
  if (sim_fault (&control->refuse_opens)) {
    close (fd);
    errno = EACCES;
    return -1;
  }
  if (fd < 0 || ftruncate (fd, (off_t)MEMORY_SIZE) != 0)
    abort ();
  sim_engine_init ();
  pthread_mutex_lock (&driver_lock);
  device = fd;
  driver_memory
      = mmap (NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  memset (&counter, 0, sizeof counter);
  for (i = 0; i < N_STREAMS; i++) {
    if (driver_streams[i].state == IAV_STREAM_STATE_ENCODING)
      continue;
    memset (&driver_streams[i], 0, sizeof driver_streams[i]);
    driver_streams[i].state = IAV_STREAM_STATE_IDLE;
    driver_streams[i].settings = default_settings ();
    driver_streams[i].rate.average_bitrate = driver_streams[i].settings.bitrate;
    driver_streams[i].rate.qp_min_on_I = driver_streams[i].rate.qp_min_on_P
        = 14;
    driver_streams[i].rate.qp_max_on_I = driver_streams[i].rate.qp_max_on_P
        = 51;
    /* Killed, its frames go nowhere. */
    if ((atomic_load (&control->leftover) & 1u << i) != 0)
      driver_run (i);
  }
  pthread_mutex_unlock (&driver_lock);
  run_by_environment ();
  return fd;
}

int
iav_close (int fd)
{
  unsigned i;

  if (fd == timer) {
    timer = -1;
    return close (fd);
  }
  pthread_mutex_lock (&driver_lock);
  if (fd != device)
    atomic_fetch_add (&sim_engine_control ()->order_errors, 1);
  for (i = 0; i < N_STREAMS; i++) {
    /* What is left behind by a program that was killed, or runs elsewhere,
     * ends with the simulation. */
    if (driver_streams[i].state == IAV_STREAM_STATE_ENCODING) {
      if (!driver_streams[i].elsewhere
          && (atomic_load (&sim_engine_control ()->leftover) & 1u << i) == 0)
        atomic_fetch_add (&sim_engine_control ()->order_errors, 1);
      driver_halt (i);
    }
  }
  munmap (driver_memory, MEMORY_SIZE);
  device = -1;
  pthread_mutex_unlock (&driver_lock);
  sim_engine_exit ();
  return close (fd);
}

void *
iav_mmap (int fd, uint64_t offset, size_t size)
{
  uint8_t *at;

  if (fd != device || offset != MEMORY_OFFSET || size != 2 * MEMORY_SIZE) {
    errno = EINVAL;
    return NULL;
  }
  at = mmap (NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED
      || mmap (at, MEMORY_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0)
             == MAP_FAILED
      || mmap (at + MEMORY_SIZE, MEMORY_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED,
               fd, 0)
             == MAP_FAILED)
    abort ();
  return at;
}

int
iav_munmap (void *at, size_t size)
{
  if (size != 2 * MEMORY_SIZE)
    atomic_fetch_add (&sim_engine_control ()->order_errors, 1);
  return munmap (at, size);
}

/* A counter of 32 bits, if it is one, wraps when the engine's does. */
uint64_t
driver_ticks (uint64_t us)
{
  const SimControl *control = sim_engine_control ();
  uint64_t ticks;

  if (!control->wrap32)
    return TICKS (us);
  pthread_mutex_lock (&driver_lock);
  ticks = TICKS (hal_unwrap32 (&counter, us) + WRAP * 100);
  pthread_mutex_unlock (&driver_lock);
  /* Not through 0, which says that there is no time. */
  return (ticks - TICKS (WRAP * 101) + 1) % WRAP;
}

ssize_t
iav_pread (int fd, void *text, size_t size)
{
  if (fd != timer) {
    errno = EBADF;
    return -1;
  }
  return snprintf (text, size, "%llu\n",
                   (unsigned long long)driver_ticks (sim_engine_now ()));
}

int
iav_ioctl (int fd, unsigned long request, unsigned long argument)
{
  SimControl *control = sim_engine_control ();
  struct iav_querydesc *query = (void *)argument; /* NOLINT */
  int number;

  if (fd != device) {
    number = EBADF;
  } else if (strstr (control->version, "another SDK") != NULL) {
    number = ENOTTY;
  } else if (request == IAV_IOC_QUERY_DESC) {
    sim_check_out (query, sizeof *query);
    number = query->qid == IAV_DESC_FRAME && query->arg.frame.id < N_STREAMS
                 ? driver_query_frame (&query->arg.frame)
                 : EINVAL;
  } else {
    pthread_mutex_lock (&driver_lock);
    number = driver_command (request, argument);
    pthread_mutex_unlock (&driver_lock);
  }
  errno = number;
  return number == 0 ? 0 : -1;
}
