/* The driver's commands; see ambarellaiav.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "ambarellaiav.h"

#include <errno.h>
#include <string.h>

#include "halbackend.h"

#if AMB_NEW
/* What says that the pieces before were the whole frame; the header has no
 * name for it. */
#define PIC_TYPE_FRAME_END 7
#endif

/* A structure with room behind it, zeroed. */
#define WITH_ROOM(type, name)                                                  \
  union                                                                        \
  {                                                                            \
    type s;                                                                    \
    uint8_t room[sizeof (type) + AMB_ROOM];                                    \
  } name;                                                                      \
  memset (&name, 0, sizeof name)

/* A member may be narrower than what goes into it. */
#define PUT(member, value, name, error)                                        \
  do {                                                                         \
    (member) = (value);                                                        \
    if ((uint64_t)(member) != (uint64_t)(value))                               \
      return hal_fail (error, HAL_INVALID, "", 0, NULL,                        \
                       "%s %u is more than this SDK's driver has room for",    \
                       name, (unsigned)(value));                               \
  } while (0)

/* Of a command: 0, or what errno says. A signal does not end it. */
#define CALL(device, request, argument)                                        \
  call (device, request, (unsigned long)(argument))
/* With the command's own name for the error. */
#define TRY(device, request, argument, error)                                  \
  do {                                                                         \
    int number_ = CALL (device, request, argument);                            \
                                                                               \
    if (number_ != 0)                                                          \
      return amb_iav_fail (error, #request, number_);                          \
  } while (0)

static int
call (AmbDevice *device, unsigned long request, unsigned long argument)
{
  int done;

  do
    done = device->ops.ioctl (device->fd, request, argument);
  while (done < 0 && errno == EINTR);
  return done < 0 ? errno : 0;
}

static const struct
{
  int number;
  HalStatus status;
  const char *name, *text, *hint;
} reasons[] = {
  { EBUSY, HAL_BUSY, "EBUSY", "busy",
    "another program uses this encoder, or is starting or stopping it" },
  { EPERM, HAL_NO_PERMISSION, "EPERM", "not permitted",
    "run as root; or the stream is in a state in which this cannot be done" },
  { EACCES, HAL_NO_PERMISSION, "EACCES", "no permission",
    "run as root, or give this user /dev/iav" },
  { ENOMEM, HAL_NO_MEMORY, "ENOMEM", "no memory",
    "the memory set aside for encoders is used up: fewer or smaller streams, "
    "or a larger one in the vendor's resource settings" },
  { ENODEV, HAL_NO_DEVICE, "ENODEV", "no such device",
    "are the vendor's kernel modules loaded (iav)?" },
  { ENXIO, HAL_NO_DEVICE, "ENXIO", "no such device",
    "are the vendor's kernel modules loaded (iav)?" },
  { ENOENT, HAL_NO_DEVICE, "ENOENT", "no such device",
    "are the vendor's kernel modules loaded (iav)?" },
  { ENOTTY, HAL_BAD_VERSION, "ENOTTY", "the driver is of another SDK",
    "build the plugin with the header of this camera's own SDK" },
  { EFAULT, HAL_BAD_VERSION, "EFAULT", "the driver takes other memory",
    "build the plugin with the header of this camera's own SDK" },
  { EINVAL, HAL_REFUSED, "EINVAL", "the driver refused it",
    "a value that this chip cannot do, or not now: the kernel's log says "
    "more" },
  { EAGAIN, HAL_TIMEOUT, "EAGAIN", "it did not happen in time",
    "does the sensor run? the kernel's log says more" },
  { EIO, HAL_VENDOR, "EIO", "input or output error",
    "the kernel's log says more" },
};

HalStatus
amb_iav_fail (HalError *error, const char *call_name, int number)
{
  size_t i;

  for (i = 0; i < HAL_N_ELEMENTS (reasons); i++) {
    if (reasons[i].number == number)
      return hal_fail (error, reasons[i].status, call_name, number,
                       reasons[i].hint, "%s failed: %s (%s)", call_name,
                       reasons[i].text, reasons[i].name);
  }
  return hal_fail (error, HAL_VENDOR, call_name, number,
                   "the kernel's log says more", "%s failed: errno %d",
                   call_name, number);
}

bool
amb_iav_is_stand_in (void)
{
#ifdef IAV_STAND_IN
  return true;
#else
  return false;
#endif
}

HalStatus
amb_iav_memory (AmbDevice *device, uint64_t *ret_offset, size_t *ret_length,
                HalError *error)
{
#if AMB_NEW
  const char *name = "IAV_IOC_QUERY_MEMBLOCK";
  WITH_ROOM (struct iav_querymem, query);

  query.s.mid = IAV_MEM_PARTITION;
  query.s.arg.partition.pid = IAV_PART_BSB;
  TRY (device, IAV_IOC_QUERY_MEMBLOCK, &query, error);
  *ret_offset = query.s.arg.partition.mem.addr;
  *ret_length = query.s.arg.partition.mem.length;
#else
  const char *name = "IAV_IOC_QUERY_BUF";
  WITH_ROOM (struct iav_querybuf, query);

  query.s.buf = IAV_BUFFER_BSB;
  TRY (device, IAV_IOC_QUERY_BUF, &query, error);
  *ret_offset = query.s.offset;
  *ret_length = query.s.length;
#endif
  if (*ret_length == 0 || *ret_length > SIZE_MAX / 2)
    return hal_fail (error, HAL_NO_DEVICE, name, 0,
                     "start the program that sets up sensor and DSP first",
                     "the driver has no memory for frames yet");
  return HAL_OK;
}

HalStatus
amb_iav_is_running (AmbDevice *device, bool *ret_running, HalError *error)
{
  WITH_ROOM (int, state);

  TRY (device, IAV_IOC_GET_IAV_STATE, &state, error);
  *ret_running = state.s == IAV_STATE_PREVIEW || state.s == IAV_STATE_ENCODING;
  return HAL_OK;
}

HalStatus
amb_iav_state (AmbDevice *device, unsigned id, AmbState *ret_state,
               HalError *error)
{
  int state;
#if AMB_NEW
  WITH_ROOM (struct iav_queryinfo, query);

  query.s.qid = IAV_INFO_STREAM;
  query.s.arg.stream.id = id;
  TRY (device, IAV_IOC_QUERY_INFO, &query, error);
  state = (int)query.s.arg.stream.state;
#else
  WITH_ROOM (struct iav_stream_info, query);

  query.s.id = id;
  TRY (device, IAV_IOC_GET_STREAM_INFO, &query, error);
  state = (int)query.s.state;
#endif
  *ret_state = state == IAV_STREAM_STATE_ENCODING ? AMB_ENCODING
               : state == IAV_STREAM_STATE_STARTING
                       || state == IAV_STREAM_STATE_STOPPING
                   ? AMB_CHANGING
                   : AMB_IDLE;
  return HAL_OK;
}

HalStatus
amb_iav_start (AmbDevice *device, unsigned id, HalError *error)
{
  TRY (device, IAV_IOC_START_ENCODE, 1ul << id, error);
  return HAL_OK;
}

HalStatus
amb_iav_stop (AmbDevice *device, unsigned id, HalError *error)
{
  AmbState state = AMB_IDLE;
  HalStatus status = amb_iav_state (device, id, &state, error);

  if (status == HAL_OK && state == AMB_ENCODING) {
    TRY (device, IAV_IOC_STOP_ENCODE, 1ul << id, error);
    status = amb_iav_state (device, id, &state, error);
  }
  if (status == HAL_OK && state == AMB_CHANGING)
    TRY (device, IAV_IOC_ABORT_ENCODE, 1ul << id, error);
  return status;
}

/* The structure of formats, and how it is read and written. */
#if AMB_NEW
#define FORMAT struct iav_stream_cfg
#define FORMAT_OF(cfg) (&(cfg).arg.format)
#else
#define FORMAT struct iav_stream_format
#define FORMAT_OF(cfg) (&(cfg))
#endif

static HalStatus
get_format (AmbDevice *device, unsigned id, FORMAT *cfg, HalError *error)
{
  cfg->id = id;
#if AMB_NEW
  cfg->cid = IAV_STMCFG_FORMAT;
  TRY (device, IAV_IOC_GET_STREAM_CONFIG, cfg, error);
#else
  TRY (device, IAV_IOC_GET_STREAM_FORMAT, cfg, error);
#endif
  cfg->id = id;
  return HAL_OK;
}

static HalStatus
set_format (AmbDevice *device, FORMAT *cfg, HalError *error)
{
#if AMB_NEW
  TRY (device, IAV_IOC_SET_STREAM_CONFIG, cfg, error);
#else
  TRY (device, IAV_IOC_SET_STREAM_FORMAT, cfg, error);
#endif
  return HAL_OK;
}

static const struct
{
  int type;
  HalCodec codec;
} types[] = {
  { IAV_STREAM_TYPE_H264, HAL_CODEC_H264 },
#if AMB_NEW
  { IAV_STREAM_TYPE_H265, HAL_CODEC_H265 },
#endif
  { IAV_STREAM_TYPE_MJPEG, HAL_CODEC_JPEG },
};

HalStatus
amb_iav_get_format (AmbDevice *device, unsigned id, AmbFormat *ret_format,
                    HalError *error)
{
  HalStatus status;
  size_t i;
  WITH_ROOM (FORMAT, cfg);

  status = get_format (device, id, &cfg.s, error);
  ret_format->known = false;
  for (i = 0; i < HAL_N_ELEMENTS (types); i++) {
    if (types[i].type == (int)FORMAT_OF (cfg.s)->type) {
      ret_format->known = true;
      ret_format->codec = types[i].codec;
    }
  }
  ret_format->width = FORMAT_OF (cfg.s)->enc_win.width;
  ret_format->height = FORMAT_OF (cfg.s)->enc_win.height;
  return status;
}

HalStatus
amb_iav_set_format (AmbDevice *device, unsigned id, const AmbFormat *format,
                    int canvas, HalError *error)
{
  HalStatus status;
  size_t i;
  WITH_ROOM (FORMAT, cfg);

  status = get_format (device, id, &cfg.s, error);
  if (status != HAL_OK)
    return status;
  for (i = 0; i < HAL_N_ELEMENTS (types); i++) {
    if (types[i].codec == format->codec)
      FORMAT_OF (cfg.s)->type
          = (__typeof__ (FORMAT_OF (cfg.s)->type))types[i].type;
  }
  PUT (FORMAT_OF (cfg.s)->enc_win.width, format->width, "width", error);
  PUT (FORMAT_OF (cfg.s)->enc_win.height, format->height, "height", error);
#if AMB_NEW
  if (canvas >= 0) {
    PUT (cfg.s.arg.format.enc_src_id, (unsigned)canvas, "input-channel", error);
    cfg.s.arg.format.use_enc_src_map = 0;
    cfg.s.arg.format.enc_src_map = 0;
  }
#else
  if (canvas >= 0)
    cfg.s.buf_id = (__typeof__ (cfg.s.buf_id))canvas;
#endif
  return set_format (device, &cfg.s, error);
}

/* Which part of a stream's settings it is, by codec; both are of one type. */
#if AMB_NEW
#define BY_CODEC(codec, name)                                                  \
  ((codec) == HAL_CODEC_H265 ? IAV_H265_CFG_##name : IAV_H264_CFG_##name)
#define ARG_BY_CODEC(codec, cfg, name)                                         \
  ((codec) == HAL_CODEC_H265 ? &(cfg).arg.h265_##name : &(cfg).arg.h264_##name)
#else
#define BY_CODEC(codec, name) ((void)(codec), IAV_H264_CFG_##name)
#define ARG_BY_CODEC(codec, cfg, name) (&(cfg).arg.h264_##name)
#endif
#define RATE __typeof__ (((struct iav_stream_cfg *)0)->arg.h264_rc)
#define GOP __typeof__ (((struct iav_stream_cfg *)0)->arg.h264_gop)

HalStatus
amb_iav_get_rate (AmbDevice *device, unsigned id, HalCodec codec,
                  AmbRate *ret_rate, HalError *error)
{
  RATE *rc;
  WITH_ROOM (struct iav_stream_cfg, cfg);

  rc = ARG_BY_CODEC (codec, cfg.s, rc);
  cfg.s.id = id;
  cfg.s.cid = BY_CODEC (codec, BITRATE);
  TRY (device, IAV_IOC_GET_STREAM_CONFIG, &cfg, error);
  ret_rate->bitrate = rc->average_bitrate;
  ret_rate->min_i = rc->qp_min_on_I;
  ret_rate->max_i = rc->qp_max_on_I;
  ret_rate->min = rc->qp_min_on_P;
  ret_rate->max = rc->qp_max_on_P;
  return HAL_OK;
}

/* All modes are this one, with other limits of the quantiser. */
HalStatus
amb_iav_set_rate (AmbDevice *device, unsigned id, HalCodec codec,
                  const AmbRate *rate, HalError *error)
{
  RATE *rc;
  WITH_ROOM (struct iav_stream_cfg, cfg);

  rc = ARG_BY_CODEC (codec, cfg.s, rc);
  cfg.s.id = id;
  cfg.s.cid = BY_CODEC (codec, BITRATE);
  TRY (device, IAV_IOC_GET_STREAM_CONFIG, &cfg, error);
  rc->vbr_setting = IAV_BRC_SCBR;
  PUT (rc->average_bitrate, rate->bitrate, "bitrate", error);
  rc->qp_min_on_I = (uint8_t)rate->min_i;
  rc->qp_max_on_I = (uint8_t)rate->max_i;
  rc->qp_min_on_P = rc->qp_min_on_B = (uint8_t)rate->min;
  rc->qp_max_on_P = rc->qp_max_on_B = (uint8_t)rate->max;
#if AMB_NEW
  rc->qp_min_on_Q = (uint8_t)rate->min;
  rc->qp_max_on_Q = (uint8_t)rate->max;
  /* Frames are never left out to keep the rate. */
  rc->skip_flag = 0;
#endif
  TRY (device, IAV_IOC_SET_STREAM_CONFIG, &cfg, error);
  return HAL_OK;
}

HalStatus
amb_iav_set_bitrate (AmbDevice *device, unsigned id, HalCodec codec,
                     uint32_t bitrate, HalError *error)
{
  RATE *rc;
  WITH_ROOM (struct iav_stream_cfg, cfg);

  rc = ARG_BY_CODEC (codec, cfg.s, rc);
  cfg.s.id = id;
  cfg.s.cid = BY_CODEC (codec, BITRATE);
  TRY (device, IAV_IOC_GET_STREAM_CONFIG, &cfg, error);
  PUT (rc->average_bitrate, bitrate, "bitrate", error);
  TRY (device, IAV_IOC_SET_STREAM_CONFIG, &cfg, error);
  return HAL_OK;
}

/* What an encoder has before it starts. */
#if AMB_NEW
#define ENCODER struct iav_h26x_cfg
#else
#define ENCODER struct iav_h264_cfg
#endif

static HalStatus
get_encoder (AmbDevice *device, HalCodec codec, ENCODER *cfg, HalError *error)
{
#if AMB_NEW
  if (codec == HAL_CODEC_H265) {
    TRY (device, IAV_IOC_GET_H265_CONFIG, cfg, error);
    return HAL_OK;
  }
#endif
  (void)codec;
  TRY (device, IAV_IOC_GET_H264_CONFIG, cfg, error);
  return HAL_OK;
}

static HalStatus
set_encoder (AmbDevice *device, HalCodec codec, ENCODER *cfg, HalError *error)
{
#if AMB_NEW
  if (codec == HAL_CODEC_H265) {
    TRY (device, IAV_IOC_SET_H265_CONFIG, cfg, error);
    return HAL_OK;
  }
#endif
  (void)codec;
  TRY (device, IAV_IOC_SET_H264_CONFIG, cfg, error);
  return HAL_OK;
}

HalStatus
amb_iav_get_gop (AmbDevice *device, unsigned id, HalCodec codec,
                 unsigned *ret_gop, HalError *error)
{
  HalStatus status;
  WITH_ROOM (ENCODER, cfg);

  cfg.s.id = id;
  status = get_encoder (device, codec, &cfg.s, error);
  if (status == HAL_OK)
    *ret_gop = (unsigned)cfg.s.N
               * (cfg.s.idr_interval > 1 ? (unsigned)cfg.s.idr_interval : 1u);
  return status;
}

HalStatus
amb_iav_set_gop (AmbDevice *device, unsigned id, HalCodec codec, unsigned gop,
                 HalError *error)
{
  HalStatus status;
  WITH_ROOM (ENCODER, cfg);

  cfg.s.id = id;
  status = get_encoder (device, codec, &cfg.s, error);
  if (status != HAL_OK)
    return status;
  cfg.s.id = id;
  /* No B frames, and every I frame an IDR. */
  cfg.s.M = 1;
  PUT (cfg.s.N, gop, "gop-size", error);
  cfg.s.idr_interval = 1;
  return set_encoder (device, codec, &cfg.s, error);
}

HalStatus
amb_iav_change_gop (AmbDevice *device, unsigned id, HalCodec codec,
                    unsigned gop, HalError *error)
{
  GOP *change;
  WITH_ROOM (struct iav_stream_cfg, cfg);

  change = ARG_BY_CODEC (codec, cfg.s, gop);
  cfg.s.id = id;
  cfg.s.cid = BY_CODEC (codec, GOP);
  change->id = id;
  PUT (change->N, gop, "gop-size", error);
  change->idr_interval = 1;
  TRY (device, IAV_IOC_SET_STREAM_CONFIG, &cfg, error);
  return HAL_OK;
}

HalStatus
amb_iav_get_fps (AmbDevice *device, unsigned id, unsigned input_fps,
                 unsigned *ret_fps, HalError *error)
{
  WITH_ROOM (struct iav_stream_cfg, cfg);

  cfg.s.id = id;
  cfg.s.cid = IAV_STMCFG_FPS;
  TRY (device, IAV_IOC_GET_STREAM_CONFIG, &cfg, error);
#if AMB_NEW
  (void)input_fps;
  *ret_fps = cfg.s.arg.fps.abs_fps_enable ? cfg.s.arg.fps.abs_fps : 0;
#else
  *ret_fps = cfg.s.arg.fps.fps_div != 0
                 ? input_fps * cfg.s.arg.fps.fps_multi / cfg.s.arg.fps.fps_div
                 : 0;
#endif
  return HAL_OK;
}

HalStatus
amb_iav_set_fps (AmbDevice *device, unsigned id, unsigned fps,
                 unsigned input_fps, HalError *error)
{
  WITH_ROOM (struct iav_stream_cfg, cfg);

  cfg.s.id = id;
  cfg.s.cid = IAV_STMCFG_FPS;
  TRY (device, IAV_IOC_GET_STREAM_CONFIG, &cfg, error);
#if AMB_NEW
  (void)input_fps;
  cfg.s.arg.fps.abs_fps_enable = 1;
  PUT (cfg.s.arg.fps.abs_fps, fps, "framerate", error);
#else
  PUT (cfg.s.arg.fps.fps_multi, fps, "framerate", error);
  PUT (cfg.s.arg.fps.fps_div, input_fps, "input-framerate", error);
#endif
  TRY (device, IAV_IOC_SET_STREAM_CONFIG, &cfg, error);
  return HAL_OK;
}

HalStatus
amb_iav_set_quality (AmbDevice *device, unsigned id, unsigned quality,
                     HalError *error)
{
  WITH_ROOM (struct iav_mjpeg_cfg, cfg);

  cfg.s.id = id;
  TRY (device, IAV_IOC_GET_MJPEG_CONFIG, &cfg, error);
  cfg.s.id = id;
  PUT (cfg.s.quality, quality, "jpeg-quality", error);
  TRY (device, IAV_IOC_SET_MJPEG_CONFIG, &cfg, error);
  return HAL_OK;
}

HalStatus
amb_iav_request_idr (AmbDevice *device, unsigned id, HalCodec codec,
                     HalError *error)
{
  WITH_ROOM (struct iav_stream_cfg, cfg);

  cfg.s.id = id;
  cfg.s.cid = BY_CODEC (codec, FORCE_IDR);
  *ARG_BY_CODEC (codec, cfg.s, force_idr) = 1;
  TRY (device, IAV_IOC_SET_STREAM_CONFIG, &cfg, error);
  return HAL_OK;
}

HalStatus
amb_iav_get_piece (AmbDevice *device, unsigned id, unsigned ms,
                   AmbPiece *ret_piece, HalError *error)
{
  const struct iav_framedesc *desc;
  HalStatus status;
  WITH_ROOM (struct iav_querydesc, query);

  desc = &query.s.arg.frame;
  query.s.qid = IAV_DESC_FRAME;
  query.s.arg.frame.id = id;
  query.s.arg.frame.time_ms = ms;
  if (device->ops.ioctl (device->fd, IAV_IOC_QUERY_DESC, (unsigned long)&query)
      < 0) {
    if (errno == EAGAIN || errno == EINTR)
      return HAL_AGAIN;
    status = amb_iav_fail (error, "IAV_IOC_QUERY_DESC", errno);
    if (status == HAL_BAD_VERSION || status == HAL_NO_DEVICE)
      return status;
    /* Whatever the reason, it may pass. */
    if (error != NULL)
      error->status = HAL_VENDOR;
    return HAL_VENDOR;
  }
  ret_piece->driver = *desc;
  ret_piece->offset = desc->data_addr_offset;
  ret_piece->size = desc->size;
  ret_piece->ticks = desc->arm_pts;
  ret_piece->ended = desc->stream_end != 0;
#if AMB_NEW
  ret_piece->number = desc->encoded_frame_num;
  ret_piece->frame_end = desc->pic_type == PIC_TYPE_FRAME_END;
  ret_piece->slice = desc->slice_id;
  ret_piece->n_slices = desc->slice_num;
  ret_piece->tile = desc->tile_id;
  ret_piece->n_tiles = desc->tile_num;
#else
  ret_piece->number = desc->frame_num;
  ret_piece->frame_end = false;
  ret_piece->slice = ret_piece->n_slices = 0;
  ret_piece->tile = ret_piece->n_tiles = 0;
#endif
  return HAL_OK;
}

/* Not all drivers take frames back, or all kinds of pieces. */
HalStatus
amb_iav_release_piece (AmbDevice *device, AmbPiece *piece, HalError *error)
{
#ifdef IAV_IOC_RELEASE_FRAMEDESC
  int number = CALL (device, IAV_IOC_RELEASE_FRAMEDESC, &piece->driver);

  if (number != 0 && number != ENOTTY && number != EINVAL)
    return amb_iav_fail (error, "IAV_IOC_RELEASE_FRAMEDESC", number);
#else
  (void)device;
  (void)piece;
  (void)error;
#endif
  return HAL_OK;
}
