/* The frames of the simulated driver: laid into its memory, cut into pieces,
 * and given back; see simambarella.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "simambarella.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t position; /* where the next one goes; protected by driver_lock */

static bool
is_same (const struct iav_framedesc *a, const struct iav_framedesc *b)
{
#if AMB_NEW
  return a->pic_type == b->pic_type && a->slice_id == b->slice_id
         && a->tile_id == b->tile_id;
#else
  return a->frame_num == b->frame_num;
#endif
}

/* With the lock. */
int
driver_release_frame (unsigned id, const struct iav_framedesc *desc)
{
  Stream *stream = &driver_streams[id % N_STREAMS];
  unsigned i, left = 0;
  bool found = false;

  for (i = 0; i < stream->n_pieces; i++) {
    struct iav_framedesc *piece = &stream->pieces[i];
    uint32_t k;

    if (!found && stream->out[i] && is_same (piece, desc)) {
      for (k = 0; k < piece->size; k++)
        driver_memory[(piece->data_addr_offset + k) % MEMORY_SIZE] = SIM_POISON;
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
    sim_channel_release (id);
    stream->n_pieces = stream->next = 0;
  }
  return 0;
}

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
        driver_memory[(at + k) % MEMORY_SIZE] = frame->packs[i].data[part][k];
      at = (at + k) % MEMORY_SIZE;
    }
  }
  position = at;
  return begin;
}

#if AMB_NEW
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
#endif

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
#if AMB_NEW
  desc.encoded_frame_num = frame->sequence;
#else
  desc.frame_num = frame->sequence;
#endif
  desc.stream_type = driver_type (codec);
  desc.pic_type = codec == HAL_CODEC_JPEG ? IAV_PIC_TYPE_MJPEG_FRAME
                  : frame->key            ? IAV_PIC_TYPE_IDR_FRAME
                                          : IAV_PIC_TYPE_P_FRAME;
  desc.reso.width = (u16)stream->settings.width;
  desc.reso.height = (u16)stream->settings.height;
  stream->pieces[0] = desc;
  stream->pieces[0].data_addr_offset = (u32)at;
  for (i = 0; i < frame->n_packs; i++) {
    size_t length = frame->packs[i].size[0] + frame->packs[i].size[1];
    bool slice = is_slice (codec, frame->packs[i].type);

    /* What is before a slice goes with it, what is after the last one, too. */
    if (AMB_NEW && slice && filled && n + 2 < MAX_PIECES) {
      stream->pieces[++n] = desc;
      stream->pieces[n].data_addr_offset = (u32)at;
    }
    filled |= slice;
    stream->pieces[n].size += (u32)length;
    at = (at + length) % MEMORY_SIZE;
  }
  stream->n_pieces = n + 1;
  stream->next = 0;
#if AMB_NEW
  number_pieces (stream);
#endif
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

int
driver_query_frame (struct iav_framedesc *desc)
{
  SimControl *control = sim_engine_control ();
  unsigned id = desc->id;
  Stream *stream = &driver_streams[id];
  const SimFrame *frame;
  uint64_t ticks;
  bool ended, more;
  int number;

  /* Zero means something else to each driver. */
  if (desc->time_ms == 0)
    atomic_fetch_add (&control->order_errors, 1);
  pthread_mutex_lock (&driver_lock);
#if !AMB_NEW
  /* The one before is over when the next one is asked for. */
  if (stream->n_pieces > 0)
    driver_release_frame (id, &stream->pieces[0]);
#endif
  ended = stream->ended;
  more = stream->next < stream->n_pieces;
  stream->ended = false;
  desc->stream_end = ended;
  if (!ended && stream->state != IAV_STREAM_STATE_ENCODING) {
    pthread_mutex_unlock (&driver_lock);
    return EINVAL;
  }
  pthread_mutex_unlock (&driver_lock);
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
    ticks = driver_ticks (frame->pts);
    pthread_mutex_lock (&driver_lock);
    cut (stream, frame, ticks);
  } else {
    pthread_mutex_lock (&driver_lock);
  }
  number = next_piece (stream, desc);
  pthread_mutex_unlock (&driver_lock);
  return number;
}
