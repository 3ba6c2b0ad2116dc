/* Between HalStreamConfig and an encoder: bit/s on both sides.
 *
 * The driver has one mode that keeps a rate; the others are made of it with
 * limits of the quantiser: a variable rate is its upper end with a quantiser
 * that does not go below what a still picture needs, and a constant quantiser
 * is one between limits that are the same.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "ambarellaprivate.h"

/* The encoder's picture size, if nobody says. */
#define DEFAULT_WIDTH 1920
#define DEFAULT_HEIGHT 1080
/* The quantisers of HAL_RC_CQP, if no limits are given. */
#define CQP_I 28
#define CQP_P 32
/* How good a picture gets at most at a variable rate, if nothing is said. */
#define VBR_QP_MIN 24

/* What belongs to the program that runs an attached stream. */
#define NOT_ATTACHED (HAL_SET_QP | HAL_SET_RATE_CONTROL | HAL_SET_FRAMERATE)

static AmbDevice *
device_of (const AmbStream *stream)
{
  return &((AmbContext *)stream->base.context)->device;
}

/* The encoder knows whole frames a second. */
static unsigned
whole_fps (const HalStreamConfig *config)
{
  unsigned fps = (config->fps_num + config->fps_den / 2) / config->fps_den;

  return fps > 0 ? fps : 1;
}

static void
limit (int given, int other, int usual, bool is_min, int *ret_value)
{
  *ret_value = given >= 0 ? given : usual;
  if (given < 0 && other >= 0
      && (is_min ? *ret_value > other : *ret_value < other))
    *ret_value = other;
}

static void
fill_rate (const AmbStream *stream, const HalStreamConfig *config,
           AmbRate *rate)
{
  const AmbRate *usual = &stream->usual;
  int min = config->qp_min, max = config->qp_max;

  rate->bitrate = config->bitrate;
  if (config->rate_control == HAL_RC_CQP) {
    rate->min_i = rate->max_i = min >= 0 ? min : CQP_I;
    rate->min = rate->max = max >= 0 ? max : min >= 0 ? min : CQP_P;
    return;
  }
  if (config->rate_control == HAL_RC_VBR) {
    rate->bitrate = hal_config_peak (config);
    limit (min, max, VBR_QP_MIN, true, &rate->min_i);
    limit (min, max, VBR_QP_MIN, true, &rate->min);
  } else {
    limit (min, max, usual->min_i, true, &rate->min_i);
    limit (min, max, usual->min, true, &rate->min);
  }
  limit (max, min, usual->max_i, false, &rate->max_i);
  limit (max, min, usual->max, false, &rate->max);
  /* A driver that was never told has no limits. */
  if (rate->max_i < rate->min_i || usual->max_i == 0)
    rate->max_i = max >= 0 ? max : HAL_MAX_QP;
  if (rate->max < rate->min || usual->max == 0)
    rate->max = max >= 0 ? max : HAL_MAX_QP;
}

static HalStatus
check_mode (const HalStreamConfig *config, HalError *error)
{
  if (config->codec != HAL_CODEC_JPEG
      && (config->rate_control == HAL_RC_AVBR
          || config->rate_control == HAL_RC_QVBR))
    return hal_fail (error, HAL_UNSUPPORTED, "", 0, "try cbr or vbr",
                     "this rate-control does not exist on Ambarella");
  return HAL_OK;
}

/* That the stream is the one that was asked for. */
static HalStatus
check_format (const AmbStream *stream, const AmbFormat *format, HalError *error)
{
  const HalStreamConfig *config = &stream->base.config;

  if (!format->known || format->codec != config->codec)
    return hal_fail (error, HAL_INVALID, "", 0,
                     "say so with codec, or choose another stream-id",
                     "stream %u is %s, not %s", stream->id,
                     format->known ? hal_codec_name (format->codec)
                                   : "of an unknown codec",
                     hal_codec_name (config->codec));
  if ((config->width != 0 && config->width != format->width)
      || (config->height != 0 && config->height != format->height))
    return hal_fail (error, HAL_INVALID, "", 0,
                     "leave the size open, or have the program that runs the "
                     "stream change it",
                     "stream %u is of %ux%u, not of %ux%u", stream->id,
                     format->width, format->height, config->width,
                     config->height);
  return HAL_OK;
}

HalStatus
amb_config_read (AmbStream *stream, HalError *error)
{
  HalStreamConfig *config = &stream->base.config;
  AmbDevice *device = device_of (stream);
  AmbFormat format = { 0 };
  unsigned fps = 0;
  HalStatus status = amb_iav_get_format (device, stream->id, &format, error);

  if (status == HAL_OK)
    status = check_format (stream, &format, error);
  if (status != HAL_OK)
    return status;
  config->width = format.width;
  config->height = format.height;
  status = amb_iav_get_fps (device, stream->id, config->input_fps, &fps, error);
  if (fps > 0) {
    config->fps_num = fps;
    config->fps_den = 1;
  }
  if (status != HAL_OK || config->codec == HAL_CODEC_JPEG)
    return status;
  status = amb_iav_get_rate (device, stream->id, config->codec, &stream->usual,
                             error);
  if (status == HAL_OK)
    status = amb_iav_get_gop (device, stream->id, config->codec, &config->gop,
                              error);
  config->gop = config->gop == 0            ? 1
                : config->gop > HAL_MAX_GOP ? HAL_MAX_GOP
                                            : config->gop;
  config->bitrate = stream->usual.bitrate;
  config->max_bitrate = 0;
  /* Without a rate it keeps the quantiser. */
  config->rate_control
      = config->bitrate < HAL_MIN_BITRATE ? HAL_RC_CQP : HAL_RC_CBR;
  config->qp_min = config->qp_max = -1;
  return status;
}

static HalStatus
write_rates (AmbStream *stream, HalError *error)
{
  HalStreamConfig *config = &stream->base.config;
  AmbDevice *device = device_of (stream);
  AmbRate rate;
  HalStatus status
      = amb_iav_set_gop (device, stream->id, config->codec, config->gop, error);

  if (status == HAL_OK)
    status = amb_iav_get_rate (device, stream->id, config->codec,
                               &stream->usual, error);
  if (status != HAL_OK)
    return status;
  fill_rate (stream, config, &rate);
  return amb_iav_set_rate (device, stream->id, config->codec, &rate, error);
}

HalStatus
amb_config_write (AmbStream *stream, HalError *error)
{
  HalStreamConfig *config = &stream->base.config;
  AmbDevice *device = device_of (stream);
  AmbFormat format = { 0 };
  HalStatus status = check_mode (config, error);

  stream->src_fps = whole_fps (config);
  if (config->input_fps > stream->src_fps)
    stream->src_fps = config->input_fps;
  if (status == HAL_OK)
    status = amb_iav_get_format (device, stream->id, &format, error);
  if (status != HAL_OK)
    return status;
  /* The size that the vendor's settings have, if none is given. */
  if (config->width == 0 || config->height == 0) {
    bool is_set = format.width >= 16 && format.height >= 16;

    config->width = is_set ? format.width : DEFAULT_WIDTH;
    config->height = is_set ? format.height : DEFAULT_HEIGHT;
  }
  format.codec = config->codec;
  format.width = config->width;
  format.height = config->height;
  status = amb_iav_set_format (device, stream->id, &format,
                               config->input_channel, error);
  if (status == HAL_OK)
    status = config->codec == HAL_CODEC_JPEG
                 ? amb_iav_set_quality (device, stream->id,
                                        config->jpeg_quality, error)
                 : write_rates (stream, error);
  if (status == HAL_OK)
    status = amb_iav_set_fps (device, stream->id, whole_fps (config),
                              stream->src_fps, error);
  config->fps_num = whole_fps (config);
  config->fps_den = 1;
  return status;
}

static HalStatus
apply (AmbStream *stream, const HalStreamConfig *want, uint32_t what,
       HalError *error)
{
  AmbDevice *device = device_of (stream);
  HalStatus status = HAL_OK;
  AmbRate rate;

  if ((what & HAL_SET_FRAMERATE) != 0)
    status = amb_iav_set_fps (device, stream->id, whole_fps (want),
                              stream->src_fps, error);
  if (want->codec == HAL_CODEC_JPEG)
    return status;
  if (status == HAL_OK && (what & HAL_SET_GOP) != 0)
    status = amb_iav_change_gop (device, stream->id, want->codec, want->gop,
                                 error);
  if (status == HAL_OK
      && (what
          & (HAL_SET_BITRATE | HAL_SET_MAX_BITRATE | HAL_SET_QP
             | HAL_SET_RATE_CONTROL))
             != 0) {
    fill_rate (stream, want, &rate);
    status = stream->attached
                 ? amb_iav_set_bitrate (device, stream->id, want->codec,
                                        want->bitrate, error)
                 : amb_iav_set_rate (device, stream->id, want->codec, &rate,
                                     error);
  }
  return status;
}

HalStatus
amb_set (HalStream *base, const HalStreamConfig *want, uint32_t what,
         HalError *error)
{
  AmbStream *stream = (AmbStream *)base;
  HalStatus status = check_mode (want, error);

  /* A frame rate is a share of the canvas's. */
  if (status == HAL_OK && !AMB_NEW && !stream->attached)
    status = hal_check_framerate (want, what, stream->src_fps, error);
  if (status != HAL_OK)
    return status;
  if (stream->attached && (what & NOT_ATTACHED) != 0)
    return hal_fail (error, HAL_UNSUPPORTED, "", 0,
                     "bitrate, gop-size and keyframes on request are possible",
                     "%s of an attached stream belongs to the program that "
                     "runs it",
                     (what & HAL_SET_FRAMERATE) != 0      ? "framerate"
                     : (what & HAL_SET_RATE_CONTROL) != 0 ? "rate-control"
                                                          : "the quantiser");
  status = apply (stream, want, what, error);
  /* Of several changes the first may have been taken. */
  if (status != HAL_OK)
    apply (stream, &base->config, what, NULL);
  return status;
}
