/* Between HalStreamConfig and a channel's attributes: kbit/s at this edge.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "hisiprivate.h"

#define KBIT 1000u
/* The quantisers of HAL_RC_CQP, if no limits are given. */
#define CQP_I 28
#define CQP_P 32
/* What VBR of v1 to v3 goes between, if nothing is said. */
#define VBR_MIN_QP 10
#define VBR_MAX_QP 51
#define ALIGN_UP(value, to) (((value) + (to)-1) / (to) * (to))
#define MIN_BUFFER (192u * 1024)

/* Frames a second as the libraries have them: a number, or a fraction with
 * its denominator in the upper half. */
static uint32_t
fr32 (const HalStreamConfig *config)
{
  if (config->fps_num % config->fps_den == 0)
    return config->fps_num / config->fps_den;
  return config->fps_den << 16 | config->fps_num;
}

static uint32_t
kbits (const HalStreamConfig *config)
{
  return (hal_config_peak (config) + KBIT / 2) / KBIT;
}

/* Over how many seconds the rate is kept: a GOP, so that every span has one
 * keyframe. */
static uint32_t
stat_time (const HalStreamConfig *config)
{
  uint32_t seconds
      = (uint32_t)((uint64_t)config->gop * config->fps_den / config->fps_num);

  return seconds < 1 ? 1 : seconds > 16 ? 16 : seconds;
}

static void
put_word (const HisiLayout *layout, void *attr, unsigned word, uint32_t value)
{
  hal_put_u32 (attr, layout->attr.rc + word * sizeof (uint32_t), value);
}

static void
fill_cqp (const HisiLayout *layout, const HalStreamConfig *config,
          unsigned src_fps, void *attr)
{
  int i = config->qp_min >= 0 ? config->qp_min : CQP_I;
  int p = config->qp_max >= 0   ? config->qp_max
          : config->qp_min >= 0 ? config->qp_min
                                : CQP_P;

  put_word (layout, attr, HISI_CQP_GOP, config->gop);
  put_word (layout, attr, HISI_CQP_SRC_FPS, src_fps);
  put_word (layout, attr, HISI_CQP_DST_FPS, fr32 (config));
  put_word (layout, attr, HISI_CQP_I, (uint32_t)i);
  put_word (layout, attr, HISI_CQP_P, (uint32_t)p);
  if (layout->generation >= HISI_V3)
    put_word (layout, attr, HISI_CQP_B, (uint32_t)p);
}

HalStatus
hisi_rc_fill (const HisiLayout *layout, const HalStreamConfig *config,
              unsigned src_fps, void *attr, HalError *error)
{
  unsigned codec = config->codec == HAL_CODEC_H265;
  unsigned mode;

  if (config->codec == HAL_CODEC_JPEG) {
    hal_put_u32 (attr, layout->attr.rc_mode, layout->rc_jpeg);
    put_word (layout, attr, HISI_JPEG_SRC_FPS, src_fps);
    put_word (layout, attr, HISI_JPEG_DST_FPS, fr32 (config));
    put_word (layout, attr, HISI_JPEG_QUALITY,
              config->jpeg_quality > 99 ? 99 : config->jpeg_quality);
    return HAL_OK;
  }
  mode = layout->rc_modes[codec][config->rate_control];
  if (mode == 0)
    return hal_fail (
        error, HAL_UNSUPPORTED, "", 0, "try cbr or vbr",
        "%s with this rate-control does not exist in generation %s",
        hal_codec_name (config->codec), layout->name);
  hal_put_u32 (attr, layout->attr.rc_mode, mode);
  if (config->rate_control == HAL_RC_CQP) {
    fill_cqp (layout, config, src_fps, attr);
    return HAL_OK;
  }
  put_word (layout, attr, HISI_RC_GOP, config->gop);
  put_word (layout, attr, HISI_RC_STAT_TIME, stat_time (config));
  put_word (layout, attr, HISI_RC_SRC_FPS, src_fps);
  put_word (layout, attr, HISI_RC_DST_FPS, fr32 (config));
  put_word (layout, attr, HISI_RC_BITRATE, kbits (config));
  if (layout->qp[codec][config->rate_control].place == HISI_QP_ATTR) {
    put_word (layout, attr, HISI_RC_MAX_QP,
              (uint32_t)(config->qp_max >= 0 ? config->qp_max : VBR_MAX_QP));
    put_word (layout, attr, HISI_RC_MIN_QP,
              (uint32_t)(config->qp_min >= 0 ? config->qp_min : VBR_MIN_QP));
  }
  return HAL_OK;
}

static uint32_t
profile_number (const HalStreamConfig *config)
{
  if (config->codec == HAL_CODEC_H265)
    return 0;
  switch (config->profile) {
    case HAL_PROFILE_BASELINE:
      return 0;
    case HAL_PROFILE_MAIN:
      return 1;
    default:
      return 2;
  }
}

void
hisi_attr_fill (const HisiLayout *layout, const HalStreamConfig *config,
                unsigned src_fps, void *attr)
{
  bool jpeg = config->codec == HAL_CODEC_JPEG;
  uint32_t size = config->width * config->height;
  uint32_t buffer = jpeg ? size * 3 / 2 : size * 3 / 4;

  hal_put_u32 (attr, layout->attr.type,
               jpeg                              ? HISI_PT_MJPEG
               : config->codec == HAL_CODEC_H265 ? HISI_PT_H265
                                                 : HISI_PT_H264);
  hal_put_u32 (attr, layout->attr.max_width, config->width);
  hal_put_u32 (attr, layout->attr.max_height, config->height);
  hal_put_u32 (attr, layout->attr.buffer_size,
               ALIGN_UP (buffer < MIN_BUFFER ? MIN_BUFFER : buffer, 64));
  if (!jpeg)
    hal_put_u32 (attr, layout->attr.profile, profile_number (config));
  hal_put_u32 (attr, jpeg ? layout->attr.jpeg_by_frame : layout->attr.by_frame,
               1);
  hal_put_u32 (attr, jpeg ? layout->attr.jpeg_width : layout->attr.width,
               config->width);
  hal_put_u32 (attr, jpeg ? layout->attr.jpeg_height : layout->attr.height,
               config->height);
  if (layout->attr.ip_qp_delta != HAL_NO_OFFSET && !jpeg)
    hal_put_u32 (attr, layout->attr.ip_qp_delta, 2);
}

static const HisiQpLimits *
limits_of (const HisiLayout *layout, const HalStreamConfig *config)
{
  return &layout->qp[config->codec == HAL_CODEC_H265][config->rate_control];
}

/* Reads the parameters, changes the limits that are given, writes them. -1:
 * what the library had at first. */
static HalStatus
change_qp (HisiStream *stream, const HalStreamConfig *config, bool first,
           HalError *error)
{
  HisiContext *context = (HisiContext *)stream->base.context;
  const HisiLayout *layout = context->library.layout;
  const HisiQpLimits *limits = limits_of (layout, config);
  hal_u64 param[HISI_OUT_SIZE / 8] = { 0 };
  int min, max;
  int32_t code;

  if (limits->place != HISI_QP_PARAM
      || context->library.api.get_rc_param == NULL
      || context->library.api.set_rc_param == NULL)
    return HAL_OK;
  code = context->library.api.get_rc_param (stream->channel, param);
  if (code != 0)
    return hisi_fail (error, layout, "VENC_GetRcParam", code);
  if (first) {
    stream->default_qp_min = (int)hal_get_u32 (param, limits->min);
    stream->default_qp_max = (int)hal_get_u32 (param, limits->max);
    if (config->qp_min < 0 && config->qp_max < 0)
      return HAL_OK;
  }
  min = config->qp_min >= 0 ? config->qp_min : stream->default_qp_min;
  max = config->qp_max >= 0 ? config->qp_max : stream->default_qp_max;
  if (min > max && config->qp_max < 0)
    max = min;
  if (min > max)
    min = max;
  hal_put_u32 (param, limits->min, (uint32_t)min);
  hal_put_u32 (param, limits->max, (uint32_t)max);
  if (limits->min_i != HAL_NO_OFFSET)
    hal_put_u32 (param, limits->min_i, (uint32_t)min);
  if (limits->max_i != HAL_NO_OFFSET)
    hal_put_u32 (param, limits->max_i, (uint32_t)max);
  code = context->library.api.set_rc_param (stream->channel, param);
  if (code != 0)
    return hisi_fail (error, layout, "VENC_SetRcParam", code);
  return HAL_OK;
}

HalStatus
hisi_qp_init (HisiStream *stream, HalError *error)
{
  if (stream->base.config.codec == HAL_CODEC_JPEG)
    return HAL_OK;
  return change_qp (stream, &stream->base.config, true, error);
}

/* What is in the channel's attributes. */
static HalStatus
change_attr (HisiStream *stream, const HalStreamConfig *want, HalError *error)
{
  HisiContext *context = (HisiContext *)stream->base.context;
  const HisiLayout *layout = context->library.layout;
  hal_u64 attr[HISI_OUT_SIZE / 8] = { 0 };
  HalStatus status;
  int32_t code = context->library.api.get_attr (stream->channel, attr);

  if (code != 0)
    return hisi_fail (error, layout, "VENC_GetChnAttr", code);
  status = hisi_rc_fill (layout, want, stream->src_fps, attr, error);
  if (status != HAL_OK)
    return status;
  code = context->library.api.set_attr (stream->channel, attr);
  return code == 0 ? HAL_OK
                   : hisi_fail (error, layout, "VENC_SetChnAttr", code);
}

HalStatus
hisi_set (HalStream *base, const HalStreamConfig *want, uint32_t what,
          HalError *error)
{
  HisiStream *stream = (HisiStream *)base;
  HisiContext *context = (HisiContext *)base->context;
  const HisiLayout *layout = context->library.layout;
  bool limits_in_attr = want->codec != HAL_CODEC_JPEG
                        && limits_of (layout, want)->place != HISI_QP_PARAM;
  uint32_t in_attr = what & ~(uint32_t)(HAL_SET_ROI | HAL_SET_QP);
  HalStatus status;

  if (limits_in_attr)
    in_attr |= what & HAL_SET_QP;
  status = hal_check_framerate (want, what, stream->src_fps, error);
  if (status == HAL_OK && in_attr != 0)
    status = change_attr (stream, want, error);
  if (status == HAL_OK && (what & HAL_SET_ROI) != 0)
    status = hisi_roi_set (stream, want, error);
  if (status != HAL_OK || (what & (HAL_SET_QP | HAL_SET_RATE_CONTROL)) == 0
      || limits_in_attr || want->codec == HAL_CODEC_JPEG)
    return status;
  return change_qp (stream, want, (what & HAL_SET_RATE_CONTROL) != 0, error);
}
