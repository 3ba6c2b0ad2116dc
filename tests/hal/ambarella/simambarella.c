/* Ambarella's driver, simulated: what stands in for the kernel
 * (hal-src/ambarella/ambarellaops.h), around tests/hal/sim/simengine.c. It is
 * compiled with the same iav_ioctl.h as the back end.
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
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ambarella/ambarellaiav.h"
#include "halbackend.h"
#include "simengine.h"

#define MEMORY_SIZE ((size_t)4 << 20)
#define MEMORY_OFFSET 0
#define MAX_PIECES 32
#define N_STREAMS SIM_MAX_CHANNELS
#define PIC_TYPE_FRAME_END 7
/* Rate control of another program, which is not ours to change. */
#define THEIR_MODE 93
#define TICKS(us) ((us)*9 / 100)
#define WRAP (UINT64_C (1) << 32)

typedef struct
{
  enum iav_stream_state state;
  bool elsewhere; /* started by another program */
  bool ended;     /* it was stopped, which nobody has read yet */
  SimSettings settings;
  struct iav_bitrate rate;
  u32 profile, source;
  /* The frame that is out. */
  struct iav_framedesc pieces[MAX_PIECES];
  bool out[MAX_PIECES];
  unsigned n_pieces, next;
} Stream;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Stream streams[N_STREAMS];
static int device = -1, timer = -1;
static uint8_t *memory;
static size_t position;
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
static void
run (unsigned id)
{
  Stream *stream = &streams[id];

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
static void
halt (unsigned id)
{
  Stream *stream = &streams[id];
  unsigned i;

  for (i = 0; i < stream->n_pieces; i++) {
    if (stream->out[i])
      atomic_fetch_add (&sim_engine_control ()->order_errors, 1);
  }
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
  Stream *stream = &streams[id];

  pthread_mutex_lock (&lock);
  if (config == NULL && stream->state == IAV_STREAM_STATE_ENCODING) {
    halt (id);
  } else if (config != NULL && !stream->elsewhere) {
    if (stream->state == IAV_STREAM_STATE_ENCODING)
      halt (id);
    stream->settings = default_settings ();
    stream->settings.codec = config->codec;
    stream->settings.width = config->width;
    stream->settings.height = config->height;
    stream->settings.bitrate = config->bitrate;
    stream->settings.gop = config->gop;
    stream->rate.average_bitrate = config->bitrate;
    stream->rate.qp_max_on_I = stream->rate.qp_max_on_P = 51;
    stream->rate.vbr_setting = THEIR_MODE;
    stream->rate.skip_flag = 1;
    stream->elsewhere = true;
    run (id);
  }
  pthread_mutex_unlock (&lock);
}

static bool
is_elsewhere (unsigned id)
{
  bool is;

  pthread_mutex_lock (&lock);
  is = streams[id].elsewhere && streams[id].state == IAV_STREAM_STATE_ENCODING;
  pthread_mutex_unlock (&lock);
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
  pthread_mutex_lock (&lock);
  device = fd;
  memory = mmap (NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  position = 0;
  memset (&counter, 0, sizeof counter);
  for (i = 0; i < N_STREAMS; i++) {
    if (streams[i].state == IAV_STREAM_STATE_ENCODING)
      continue;
    memset (&streams[i], 0, sizeof streams[i]);
    streams[i].state = IAV_STREAM_STATE_IDLE;
    streams[i].settings = default_settings ();
    streams[i].rate.average_bitrate = streams[i].settings.bitrate;
    streams[i].rate.qp_min_on_I = streams[i].rate.qp_min_on_P = 14;
    streams[i].rate.qp_max_on_I = streams[i].rate.qp_max_on_P = 51;
    /* Killed, its frames go nowhere. */
    if ((atomic_load (&control->leftover) & 1u << i) != 0)
      run (i);
  }
  pthread_mutex_unlock (&lock);
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
  pthread_mutex_lock (&lock);
  if (fd != device)
    atomic_fetch_add (&sim_engine_control ()->order_errors, 1);
  for (i = 0; i < N_STREAMS; i++) {
    /* What is left behind by a program that was killed, or runs elsewhere,
     * ends with the simulation. */
    if (streams[i].state == IAV_STREAM_STATE_ENCODING) {
      if (!streams[i].elsewhere
          && (atomic_load (&sim_engine_control ()->leftover) & 1u << i) == 0)
        atomic_fetch_add (&sim_engine_control ()->order_errors, 1);
      halt (i);
    }
  }
  munmap (memory, MEMORY_SIZE);
  device = -1;
  pthread_mutex_unlock (&lock);
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
static uint64_t
ticks_of (uint64_t us)
{
  const SimControl *control = sim_engine_control ();
  uint64_t ticks;

  if (!control->wrap32)
    return TICKS (us);
  pthread_mutex_lock (&lock);
  ticks = TICKS (hal_unwrap32 (&counter, us) + WRAP * 100);
  pthread_mutex_unlock (&lock);
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
                   (unsigned long long)ticks_of (sim_engine_now ()));
}

/* Commands */

static int
query_memory (struct iav_querymem *query)
{
  if (query->mid != IAV_MEM_PARTITION
      || query->arg.partition.pid != IAV_PART_BSB)
    return EINVAL;
  query->arg.partition.mem.addr = MEMORY_OFFSET;
  query->arg.partition.mem.length = MEMORY_SIZE;
  return 0;
}

static int
query_info (struct iav_queryinfo *query)
{
  unsigned id = query->arg.stream.id;

  if (query->qid != IAV_INFO_STREAM || id >= N_STREAMS)
    return EINVAL;
  query->arg.stream.state = streams[id].state;
  return 0;
}

static int
start (unsigned long mask)
{
  unsigned i;

  for (i = 0; i < N_STREAMS; i++) {
    if ((mask & 1ul << i) == 0)
      continue;
    if (streams[i].state != IAV_STREAM_STATE_IDLE)
      return EBUSY;
    run (i);
  }
  return 0;
}

static int
stop (unsigned long mask)
{
  unsigned i;

  for (i = 0; i < N_STREAMS; i++) {
    if ((mask & 1ul << i) == 0)
      continue;
    if (streams[i].state != IAV_STREAM_STATE_ENCODING)
      return EPERM;
    halt (i);
    atomic_fetch_and (&sim_engine_control ()->leftover, ~(1u << i));
  }
  return 0;
}

static void
apply (unsigned id)
{
  if (streams[id].state == IAV_STREAM_STATE_ENCODING)
    sim_channel_set_settings (id, &streams[id].settings);
}

static int
get_config (struct iav_stream_cfg *cfg)
{
  const Stream *stream = &streams[cfg->id];
  const SimSettings *s = &stream->settings;

  switch (cfg->cid) {
    case IAV_STMCFG_FORMAT:
      cfg->arg.format.type = s->codec == HAL_CODEC_H264 ? IAV_STREAM_TYPE_H264
                             : s->codec == HAL_CODEC_H265
                                 ? IAV_STREAM_TYPE_H265
                                 : IAV_STREAM_TYPE_MJPEG;
      cfg->arg.format.enc_win.width = s->width;
      cfg->arg.format.enc_win.height = s->height;
      cfg->arg.format.enc_src_id = (u8)stream->source;
      return 0;
    case IAV_STMCFG_FPS:
      cfg->arg.fps.abs_fps_enable = 1;
      cfg->arg.fps.abs_fps = (u16)(s->fps_num / s->fps_den);
      return 0;
    case IAV_H264_CFG_BITRATE:
      cfg->arg.h264_rc = stream->rate;
      return s->codec == HAL_CODEC_H264 ? 0 : EINVAL;
    case IAV_H265_CFG_BITRATE:
      cfg->arg.h265_rc = stream->rate;
      return s->codec == HAL_CODEC_H265 ? 0 : EINVAL;
    default:
      return EINVAL;
  }
}

static int
set_format (Stream *stream, const struct iav_stream_format *format)
{
  SimControl *control = sim_engine_control ();

  if (stream->state != IAV_STREAM_STATE_IDLE)
    return EPERM;
  if (sim_fault (&control->refuse_creates))
    return ENOMEM;
  if (sim_fault (&control->busy_creates))
    return EBUSY;
  if (sim_create_code () != 0)
    return errno;
  if (format->enc_win.width < 16 || format->enc_win.height < 16
      || format->enc_win.width > 3840)
    return EINVAL;
  stream->settings.width = format->enc_win.width;
  stream->settings.height = format->enc_win.height;
  stream->settings.codec = format->type == IAV_STREAM_TYPE_H264 ? HAL_CODEC_H264
                           : format->type == IAV_STREAM_TYPE_H265
                               ? HAL_CODEC_H265
                               : HAL_CODEC_JPEG;
  stream->source = format->enc_src_id;
  return 0;
}

static int
set_rate (Stream *stream, const struct iav_bitrate *rc, HalCodec codec)
{
  if (stream->elsewhere) {
    struct iav_bitrate same = *rc;

    same.average_bitrate = stream->rate.average_bitrate;
    if (memcmp (&same, &stream->rate, sizeof same) != 0)
      return EPERM;
    stream->rate = *rc;
    stream->settings.bitrate = rc->average_bitrate;
    return 0;
  }
  if (stream->settings.codec != codec || rc->vbr_setting != IAV_BRC_SCBR
      || rc->average_bitrate < 1000 || rc->qp_max_on_I > 51
      || rc->qp_max_on_P > 51 || rc->qp_min_on_I > rc->qp_max_on_I
      || rc->qp_min_on_P > rc->qp_max_on_P || rc->qp_min_on_B > rc->qp_max_on_B
      || rc->qp_min_on_Q > rc->qp_max_on_Q)
    return EINVAL;
  stream->rate = *rc;
  stream->settings.bitrate = rc->average_bitrate;
  stream->settings.qp_min = rc->qp_min_on_P;
  stream->settings.qp_max = rc->qp_max_on_P;
  return 0;
}

static int
set_gop (Stream *stream, unsigned id, const struct iav_h26x_gop *gop,
         HalCodec codec)
{
  if (stream->settings.codec != codec || gop->id != id || gop->N == 0
      || gop->idr_interval == 0)
    return EINVAL;
  stream->settings.gop = gop->N * gop->idr_interval;
  return 0;
}

static int
set_one (Stream *stream, const struct iav_stream_cfg *cfg)
{
  switch (cfg->cid) {
    case IAV_STMCFG_FORMAT:
      return set_format (stream, &cfg->arg.format);
    case IAV_STMCFG_FPS:
      if (!cfg->arg.fps.abs_fps_enable || cfg->arg.fps.abs_fps == 0)
        return EINVAL;
      stream->settings.fps_num = cfg->arg.fps.abs_fps;
      return 0;
    case IAV_H264_CFG_BITRATE:
      return set_rate (stream, &cfg->arg.h264_rc, HAL_CODEC_H264);
    case IAV_H265_CFG_BITRATE:
      return set_rate (stream, &cfg->arg.h265_rc, HAL_CODEC_H265);
    case IAV_H264_CFG_GOP:
      return set_gop (stream, cfg->id, &cfg->arg.h264_gop, HAL_CODEC_H264);
    case IAV_H265_CFG_GOP:
      return set_gop (stream, cfg->id, &cfg->arg.h265_gop, HAL_CODEC_H265);
    default:
      return EINVAL;
  }
}

static int
set_config (const struct iav_stream_cfg *cfg)
{
  Stream *stream = &streams[cfg->id];
  int number;

  if ((cfg->cid == IAV_H264_CFG_FORCE_IDR && cfg->arg.h264_force_idr == 1
       && stream->settings.codec == HAL_CODEC_H264)
      || (cfg->cid == IAV_H265_CFG_FORCE_IDR && cfg->arg.h265_force_idr == 1
          && stream->settings.codec == HAL_CODEC_H265))
    return sim_channel_idr (cfg->id) ? 0 : EPERM;
  if (stream->state == IAV_STREAM_STATE_ENCODING
      && sim_fault (&sim_engine_control ()->refuse_sets))
    return EINVAL;
  number = set_one (stream, cfg);
  if (number == 0)
    apply (cfg->id);
  return number;
}

static int
get_h26x (struct iav_h26x_cfg *cfg, HalCodec codec)
{
  if (cfg->id >= N_STREAMS || streams[cfg->id].settings.codec != codec)
    return EINVAL;
  cfg->M = 1;
  cfg->N = (u16)streams[cfg->id].settings.gop;
  cfg->idr_interval = 1;
  cfg->profile = streams[cfg->id].profile;
  return 0;
}

static int
set_h26x (const struct iav_h26x_cfg *cfg, HalCodec codec)
{
  Stream *stream = &streams[cfg->id % N_STREAMS];

  if (cfg->id >= N_STREAMS || stream->settings.codec != codec || cfg->M != 1
      || cfg->N == 0 || cfg->idr_interval == 0
      || cfg->profile != stream->profile)
    return EINVAL;
  if (stream->state != IAV_STREAM_STATE_IDLE)
    return EPERM;
  stream->settings.gop = cfg->N * cfg->idr_interval;
  return 0;
}

static int
mjpeg (const struct iav_mjpeg_cfg *cfg, bool set)
{
  if (cfg->id >= N_STREAMS || streams[cfg->id].settings.codec != HAL_CODEC_JPEG
      || (set && (cfg->quality < 1 || cfg->quality > 100)))
    return EINVAL;
  return 0;
}

/* Frames */

static bool
is_slice (HalCodec codec, unsigned type)
{
  return codec == HAL_CODEC_H265 ? type < 32 : type >= 1 && type <= 5;
}

/* With the lock: a copy in the ring, and where it is. */
static size_t
place (const SimFrame *frame, size_t size)
{
  unsigned wrap_at = atomic_load (&sim_engine_control ()->wrap_at);
  size_t begin = position, at;
  unsigned i;
  int part;

  if (wrap_at > 0 && wrap_at < size)
    begin = MEMORY_SIZE - wrap_at;
  at = begin;
  for (i = 0; i < frame->n_packs; i++) {
    for (part = 0; part < 2; part++) {
      size_t k;

      /* Not memcpy, which tests count. */
      for (k = 0; k < frame->packs[i].size[part]; k++)
        memory[(at + k) % MEMORY_SIZE] = frame->packs[i].data[part][k];
      at = (at + k) % MEMORY_SIZE;
    }
  }
  position = at;
  return begin;
}

/* With the lock: marks pieces as slices, slices with an end, or tiles. */
static void
number_pieces (Stream *stream)
{
  unsigned n = stream->n_pieces, i;

  for (i = 0; n > 1 && i < n; i++) {
    struct iav_framedesc *piece = &stream->pieces[i];

    if (n % 7 == 0) {
      piece->tile_id = (u8)(i / 7);
      piece->tile_num = (u8)(n / 7);
      piece->slice_id = (u8)(i % 7);
      piece->slice_num = 7;
    } else if (n % 2 == 0) {
      piece->slice_id = (u8)i;
      piece->slice_num = (u8)n;
    } else {
      /* As many as it says never come. */
      piece->slice_id = (u8)i;
      piece->slice_num = (u8)(n + 1);
    }
  }
  if (n > 1 && n % 7 != 0 && n % 2 != 0) {
    stream->pieces[n] = stream->pieces[0];
    stream->pieces[n].size = 0;
    stream->pieces[n].encoded_frame_num = 0;
    stream->pieces[n].pic_type = PIC_TYPE_FRAME_END;
    stream->n_pieces++;
  }
}

/* With the lock. */
static void
cut (Stream *stream, const SimFrame *frame, uint64_t ticks)
{
  HalCodec codec = stream->settings.codec;
  struct iav_framedesc desc = { 0 };
  bool filled = false;
  size_t size = 0, at;
  unsigned i, n = 0;

  for (i = 0; i < frame->n_packs; i++)
    size += frame->packs[i].size[0] + frame->packs[i].size[1];
  if (size > MEMORY_SIZE / N_STREAMS)
    abort ();
  at = place (frame, size);
  desc.arm_pts = ticks;
  desc.encoded_frame_num = frame->sequence;
  desc.stream_type = codec == HAL_CODEC_H264   ? IAV_STREAM_TYPE_H264
                     : codec == HAL_CODEC_H265 ? IAV_STREAM_TYPE_H265
                                               : IAV_STREAM_TYPE_MJPEG;
  desc.pic_type = codec == HAL_CODEC_JPEG ? IAV_PIC_TYPE_MJPEG_FRAME
                  : frame->key            ? IAV_PIC_TYPE_IDR_FRAME
                                          : IAV_PIC_TYPE_P_FRAME;
  desc.reso.width = (u16)stream->settings.width;
  desc.reso.height = (u16)stream->settings.height;
  stream->pieces[0] = desc;
  stream->pieces[0].data_addr_offset = at;
  for (i = 0; i < frame->n_packs; i++) {
    size_t length = frame->packs[i].size[0] + frame->packs[i].size[1];
    bool slice = is_slice (codec, frame->packs[i].type);

    /* What is before a slice goes with it, what is after the last one, too. */
    if (slice && filled && n + 2 < MAX_PIECES) {
      stream->pieces[++n] = desc;
      stream->pieces[n].data_addr_offset = at;
    }
    filled |= slice;
    stream->pieces[n].size += (u32)length;
    at = (at + length) % MEMORY_SIZE;
  }
  stream->n_pieces = n + 1;
  stream->next = 0;
  number_pieces (stream);
}

/* With the lock. */
static int
next_piece (Stream *stream, struct iav_framedesc *desc)
{
  u32 id = desc->id, ms = desc->time_ms;

  if (stream->next == stream->n_pieces)
    return EAGAIN;
  *desc = stream->pieces[stream->next];
  desc->id = id;
  desc->time_ms = ms;
  stream->pieces[stream->next].id = id;
  stream->out[stream->next++] = true;
  if (sim_fault (&sim_engine_control ()->insane)) {
    desc->data_addr_offset = MEMORY_SIZE + 5;
    desc->size = 0x7fffffff;
  }
  return 0;
}

static int
query_frame (struct iav_framedesc *desc)
{
  SimControl *control = sim_engine_control ();
  unsigned id = desc->id;
  Stream *stream = &streams[id];
  const SimFrame *frame;
  uint64_t ticks;
  bool ended, more;
  int number;

  /* Zero means something else to each driver. */
  if (desc->time_ms == 0)
    atomic_fetch_add (&control->order_errors, 1);
  pthread_mutex_lock (&lock);
  ended = stream->ended;
  more = stream->next < stream->n_pieces;
  stream->ended = false;
  desc->stream_end = ended;
  if (!ended && stream->state != IAV_STREAM_STATE_ENCODING) {
    pthread_mutex_unlock (&lock);
    return EINVAL;
  }
  pthread_mutex_unlock (&lock);
  if (ended)
    return 0;
  if (!more && !sim_channel_wait (id, desc->time_ms))
    return EAGAIN;
  if (sim_fault (&control->eintr))
    return EINTR;
  if (sim_fault (&control->get_failures))
    return EIO;
  if (sim_get_code () != 0)
    return errno;
  if (!more) {
    if (sim_channel_packs (id) == 0)
      return EAGAIN;
    frame = sim_channel_get (id);
    if (frame == NULL)
      return EAGAIN;
    ticks = ticks_of (frame->pts);
    pthread_mutex_lock (&lock);
    cut (stream, frame, ticks);
  } else {
    pthread_mutex_lock (&lock);
  }
  number = next_piece (stream, desc);
  pthread_mutex_unlock (&lock);
  return number;
}

/* With the lock. */
static int
release_frame (const struct iav_framedesc *desc)
{
  Stream *stream = &streams[desc->id % N_STREAMS];
  unsigned i, left = 0;
  bool found = false;

  for (i = 0; i < stream->n_pieces; i++) {
    struct iav_framedesc *piece = &stream->pieces[i];
    uint32_t k;

    if (!found && stream->out[i] && piece->pic_type == desc->pic_type
        && piece->slice_id == desc->slice_id
        && piece->tile_id == desc->tile_id) {
      for (k = 0; k < piece->size; k++)
        memory[(piece->data_addr_offset + k) % MEMORY_SIZE] = SIM_POISON;
      stream->out[i] = false;
      found = true;
    }
    left += stream->out[i];
  }
  if (!found) {
    atomic_fetch_add (&sim_engine_control ()->order_errors, 1);
    return EINVAL;
  }
  if (left == 0 && stream->next == stream->n_pieces) {
    sim_channel_release (desc->id);
    stream->n_pieces = stream->next = 0;
  }
  return 0;
}

/* --- */

static int
command (unsigned long request, unsigned long argument)
{
  void *at = (void *)argument; /* NOLINT */
  struct iav_stream_cfg *cfg = at;

  switch (request) {
    case IAV_IOC_GET_IAV_STATE:
      *(u32 *)at = sim_engine_control ()->no_front ? IAV_STATE_IDLE
                                                   : IAV_STATE_PREVIEW;
      return 0;
    case IAV_IOC_QUERY_MEMBLOCK:
      return query_memory (at);
    case IAV_IOC_QUERY_INFO:
      return query_info (at);
    case IAV_IOC_START_ENCODE:
      return start (argument);
    case IAV_IOC_STOP_ENCODE:
    case IAV_IOC_ABORT_ENCODE:
      return stop (argument);
    case IAV_IOC_GET_STREAM_CONFIG:
      return cfg->id < N_STREAMS ? get_config (cfg) : EINVAL;
    case IAV_IOC_SET_STREAM_CONFIG:
      return cfg->id < N_STREAMS ? set_config (cfg) : EINVAL;
    case IAV_IOC_GET_H264_CONFIG:
      return get_h26x (at, HAL_CODEC_H264);
    case IAV_IOC_SET_H264_CONFIG:
      return set_h26x (at, HAL_CODEC_H264);
    case IAV_IOC_GET_H265_CONFIG:
      return get_h26x (at, HAL_CODEC_H265);
    case IAV_IOC_SET_H265_CONFIG:
      return set_h26x (at, HAL_CODEC_H265);
    case IAV_IOC_GET_MJPEG_CONFIG:
      return mjpeg (at, false);
    case IAV_IOC_SET_MJPEG_CONFIG:
      return mjpeg (at, true);
    case IAV_IOC_RELEASE_FRAMEDESC:
      return release_frame (at);
    default:
      return ENOTTY;
  }
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
                 ? query_frame (&query->arg.frame)
                 : EINVAL;
  } else {
    pthread_mutex_lock (&lock);
    number = command (request, argument);
    pthread_mutex_unlock (&lock);
  }
  errno = number;
  return number == 0 ? 0 : -1;
}
