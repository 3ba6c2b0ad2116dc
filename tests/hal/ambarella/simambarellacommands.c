/* The commands of the simulated driver, but for that which gets frames; see
 * simambarella.h. Called with the lock.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "simambarella.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#if AMB_NEW
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
  query->arg.stream.state = driver_streams[id].state;
  return 0;
}
#else
static int
query_memory (struct iav_querybuf *query)
{
  if (query->buf != IAV_BUFFER_BSB)
    return EINVAL;
  query->offset = MEMORY_OFFSET;
  query->length = MEMORY_SIZE;
  return 0;
}

static int
query_info (struct iav_stream_info *query)
{
  if (query->id >= N_STREAMS)
    return EINVAL;
  query->state = driver_streams[query->id].state;
  return 0;
}
#endif

static void
apply (unsigned id)
{
  if (driver_streams[id].state == IAV_STREAM_STATE_ENCODING)
    sim_channel_set_settings (id, &driver_streams[id].settings);
}

static const struct
{
  enum iav_stream_type type;
  HalCodec codec;
} types[] = {
  { IAV_STREAM_TYPE_H264, HAL_CODEC_H264 },
#if AMB_NEW
  { IAV_STREAM_TYPE_H265, HAL_CODEC_H265 },
#endif
  { IAV_STREAM_TYPE_MJPEG, HAL_CODEC_JPEG },
};

enum iav_stream_type
driver_type (HalCodec codec)
{
  size_t i;

  for (i = 0; i < HAL_N_ELEMENTS (types); i++) {
    if (types[i].codec == codec)
      return types[i].type;
  }
  abort ();
}

static int
get_format (const Stream *stream, struct iav_stream_format *format)
{
  format->type = driver_type (stream->settings.codec);
  format->enc_win.width = stream->settings.width;
  format->enc_win.height = stream->settings.height;
#if AMB_NEW
  format->enc_src_id = (u8)stream->source;
#else
  format->buf_id = stream->source;
#endif
  return 0;
}

static int
get_config (struct iav_stream_cfg *cfg)
{
  const Stream *stream = &driver_streams[cfg->id];
  const SimSettings *s = &stream->settings;

  switch (cfg->cid) {
#if AMB_NEW
    case IAV_STMCFG_FORMAT:
      return get_format (stream, &cfg->arg.format);
    case IAV_STMCFG_FPS:
      cfg->arg.fps.abs_fps_enable = 1;
      cfg->arg.fps.abs_fps = (u16)(s->fps_num / s->fps_den);
      return 0;
    case IAV_H265_CFG_BITRATE:
      cfg->arg.h265_rc = stream->rate;
      return s->codec == HAL_CODEC_H265 ? 0 : EINVAL;
#else
    case IAV_STMCFG_FPS:
      cfg->arg.fps.fps_multi = s->fps_num;
      cfg->arg.fps.fps_div = CANVAS_FPS * s->fps_den;
      return 0;
#endif
    case IAV_H264_CFG_BITRATE:
      cfg->arg.h264_rc = stream->rate;
      return s->codec == HAL_CODEC_H264 ? 0 : EINVAL;
    default:
      return EINVAL;
  }
}

static int
set_format (Stream *stream, const struct iav_stream_format *format)
{
  SimControl *control = sim_engine_control ();
  size_t i;

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
  for (i = 0; i < HAL_N_ELEMENTS (types); i++) {
    if (types[i].type == format->type)
      stream->settings.codec = types[i].codec;
  }
#if AMB_NEW
  stream->source = format->enc_src_id;
#else
  stream->source = format->buf_id;
#endif
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
      || rc->qp_min_on_P > rc->qp_max_on_P || rc->qp_min_on_B > rc->qp_max_on_B)
    return EINVAL;
#if AMB_NEW
  if (rc->qp_min_on_Q > rc->qp_max_on_Q || rc->skip_flag != 0)
    return EINVAL;
#endif
  stream->rate = *rc;
  stream->settings.bitrate = rc->average_bitrate;
  stream->settings.qp_min = rc->qp_min_on_P;
  stream->settings.qp_max = rc->qp_max_on_P;
  return 0;
}

static int
set_gop (Stream *stream, unsigned id, const Gop *gop, HalCodec codec)
{
  if (stream->settings.codec != codec || gop->id != id || gop->N == 0
      || gop->idr_interval == 0)
    return EINVAL;
  stream->settings.gop = (unsigned)gop->N * gop->idr_interval;
  return 0;
}

static int
set_fps (Stream *stream, const struct iav_stream_fps *fps)
{
#if AMB_NEW
  if (!fps->abs_fps_enable || fps->abs_fps == 0)
    return EINVAL;
  stream->settings.fps_num = fps->abs_fps;
#else
  if (fps->fps_multi == 0 || fps->fps_div < fps->fps_multi)
    return EINVAL;
  stream->settings.fps_num = CANVAS_FPS * fps->fps_multi / fps->fps_div;
#endif
  return 0;
}

static int
set_one (Stream *stream, const struct iav_stream_cfg *cfg)
{
  switch (cfg->cid) {
    case IAV_STMCFG_FPS:
      return set_fps (stream, &cfg->arg.fps);
    case IAV_H264_CFG_BITRATE:
      return set_rate (stream, &cfg->arg.h264_rc, HAL_CODEC_H264);
    case IAV_H264_CFG_GOP:
      return set_gop (stream, cfg->id, &cfg->arg.h264_gop, HAL_CODEC_H264);
#if AMB_NEW
    case IAV_STMCFG_FORMAT:
      return set_format (stream, &cfg->arg.format);
    case IAV_H265_CFG_BITRATE:
      return set_rate (stream, &cfg->arg.h265_rc, HAL_CODEC_H265);
    case IAV_H265_CFG_GOP:
      return set_gop (stream, cfg->id, &cfg->arg.h265_gop, HAL_CODEC_H265);
#endif
    default:
      return EINVAL;
  }
}

static bool
is_idr_request (const Stream *stream, const struct iav_stream_cfg *cfg)
{
#if AMB_NEW
  if (cfg->cid == IAV_H265_CFG_FORCE_IDR)
    return cfg->arg.h265_force_idr == 1
           && stream->settings.codec == HAL_CODEC_H265;
#endif
  return cfg->cid == IAV_H264_CFG_FORCE_IDR && cfg->arg.h264_force_idr == 1
         && stream->settings.codec == HAL_CODEC_H264;
}

static int
set_config (const struct iav_stream_cfg *cfg)
{
  Stream *stream = &driver_streams[cfg->id];
  int number;

  if (is_idr_request (stream, cfg))
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
get_encoder (Encoder *cfg, HalCodec codec)
{
  if (cfg->id >= N_STREAMS || driver_streams[cfg->id].settings.codec != codec)
    return EINVAL;
  cfg->M = 1;
  cfg->N = (u16)driver_streams[cfg->id].settings.gop;
  cfg->idr_interval = 1;
  cfg->profile = (u8)driver_streams[cfg->id].profile;
  return 0;
}

static int
set_encoder (const Encoder *cfg, HalCodec codec)
{
  Stream *stream = &driver_streams[cfg->id % N_STREAMS];

  if (cfg->id >= N_STREAMS || stream->settings.codec != codec || cfg->M != 1
      || cfg->N == 0 || cfg->idr_interval == 0
      || cfg->profile != stream->profile)
    return EINVAL;
  if (stream->state != IAV_STREAM_STATE_IDLE)
    return EPERM;
  stream->settings.gop = (unsigned)cfg->N * cfg->idr_interval;
  return 0;
}

static int
mjpeg (const struct iav_mjpeg_cfg *cfg, bool set)
{
  if (cfg->id >= N_STREAMS
      || driver_streams[cfg->id].settings.codec != HAL_CODEC_JPEG
      || (set && (cfg->quality < 1 || cfg->quality > 100)))
    return EINVAL;
  return 0;
}

static int
start (unsigned long mask)
{
  unsigned i;

  for (i = 0; i < N_STREAMS; i++) {
    if ((mask & 1ul << i) == 0)
      continue;
    if (driver_streams[i].state != IAV_STREAM_STATE_IDLE)
      return EBUSY;
    driver_run (i);
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
    if (driver_streams[i].state != IAV_STREAM_STATE_ENCODING)
      return EPERM;
    driver_halt (i);
    atomic_fetch_and (&sim_engine_control ()->leftover, ~(1u << i));
  }
  return 0;
}

int
driver_command (unsigned long request, unsigned long argument)
{
  void *at = (void *)argument; /* NOLINT */
  struct iav_stream_cfg *cfg = at;
#if !AMB_NEW
  struct iav_stream_format *format = at;
#endif

  switch (request) {
    case IAV_IOC_GET_IAV_STATE:
      *(u32 *)at = sim_engine_control ()->no_front ? IAV_STATE_IDLE
                                                   : IAV_STATE_PREVIEW;
      return 0;
#if AMB_NEW
    case IAV_IOC_QUERY_MEMBLOCK:
      return query_memory (at);
    case IAV_IOC_QUERY_INFO:
      return query_info (at);
    case IAV_IOC_GET_H265_CONFIG:
      return get_encoder (at, HAL_CODEC_H265);
    case IAV_IOC_SET_H265_CONFIG:
      return set_encoder (at, HAL_CODEC_H265);
    case IAV_IOC_RELEASE_FRAMEDESC:
      return driver_release_frame (((const struct iav_framedesc *)at)->id, at);
#else
    case IAV_IOC_QUERY_BUF:
      return query_memory (at);
    case IAV_IOC_GET_STREAM_INFO:
      return query_info (at);
    case IAV_IOC_GET_STREAM_FORMAT:
      return format->id < N_STREAMS
                 ? get_format (&driver_streams[format->id], format)
                 : EINVAL;
    case IAV_IOC_SET_STREAM_FORMAT:
      return format->id < N_STREAMS
                 ? set_format (&driver_streams[format->id], format)
                 : EINVAL;
#endif
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
      return get_encoder (at, HAL_CODEC_H264);
    case IAV_IOC_SET_H264_CONFIG:
      return set_encoder (at, HAL_CODEC_H264);
    case IAV_IOC_GET_MJPEG_CONFIG:
      return mjpeg (at, false);
    case IAV_IOC_SET_MJPEG_CONFIG:
      return mjpeg (at, true);
    default:
      return ENOTTY;
  }
}
