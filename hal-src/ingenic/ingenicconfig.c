/* Between HalStreamConfig and a channel; here of the new kind (T31, T40,
 * T41, C100), in
 * ingenicold.c of the old one.
 *
 * The library fills in attributes by itself, from a bit rate in kbit/s; what
 * unit it then has in them differs, so they are never written here. The rate
 * that counts is set afterwards, by the function whose unit is known: bit/s.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>
#include <string.h>

#include "ingenicprivate.h"

#define KBIT 1000u
#define MAX_SAME_SCENE 2
#define DEFAULT_CQP 30
#define H264_BASELINE 66
#define H264_MAIN 77
#define H264_HIGH 100
#define H265_MAIN 1

static uint32_t
profile_number (const HalStreamConfig *config)
{
  if (config->codec == HAL_CODEC_JPEG)
    return INGENIC_PROFILE (INGENIC_TYPE_JPEG, 0);
  if (config->codec == HAL_CODEC_H265)
    return INGENIC_PROFILE (INGENIC_TYPE_H265, H265_MAIN);
  switch (config->profile) {
    case HAL_PROFILE_BASELINE:
      return INGENIC_PROFILE (INGENIC_TYPE_H264, H264_BASELINE);
    case HAL_PROFILE_MAIN:
      return INGENIC_PROFILE (INGENIC_TYPE_H264, H264_MAIN);
    default:
      return INGENIC_PROFILE (INGENIC_TYPE_H264, H264_HIGH);
  }
}

/* The quantiser to begin with; of a JPEG, its quality. */
static int
initial_qp (const HalStreamConfig *config)
{
  if (config->codec == HAL_CODEC_JPEG)
    return (int)config->jpeg_quality;
  if (config->rate_control != HAL_RC_CQP)
    return -1;
  return config->qp_min >= 0   ? config->qp_min
         : config->qp_max >= 0 ? config->qp_max
                               : DEFAULT_CQP;
}

static bool
qp_offsets (const IngenicLayout *layout, const HalStreamConfig *config,
            uint16_t *ret_min, uint16_t *ret_max)
{
  if (config->codec == HAL_CODEC_JPEG || config->rate_control == HAL_RC_CQP)
    return false;
  *ret_min = config->rate_control == HAL_RC_CBR ? layout->cbr_qp_min
                                                : layout->vbr_qp_min;
  *ret_max = config->rate_control == HAL_RC_CBR ? layout->cbr_qp_max
                                                : layout->vbr_qp_max;
  return true;
}

/* The limits that hold: what is given, or else the library's. rc: as the
 * library filled it in. */
static bool
qp_limits (const IngenicLayout *layout, const HalStreamConfig *config,
           const void *rc, int *ret_min, int *ret_max)
{
  uint16_t at_min, at_max;
  int min, max;

  if (!qp_offsets (layout, config, &at_min, &at_max))
    return false;
  min = (int16_t)hal_get_u16 (rc, at_min);
  max = (int16_t)hal_get_u16 (rc, at_max);
  min = config->qp_min >= 0 ? config->qp_min : min < 0 ? 0 : min;
  max = config->qp_max >= 0           ? config->qp_max
        : max < 0 || max > HAL_MAX_QP ? HAL_MAX_QP
                                      : max;
  if (min > max && config->qp_max < 0)
    max = min;
  if (min > max)
    min = max;
  *ret_min = min;
  *ret_max = max;
  return true;
}

HalStatus
ingenic_attr_fill (IngenicContext *context, const HalStreamConfig *config,
                   void *attr, HalError *error)
{
  const IngenicLayout *layout = context->library.layout;
  bool jpeg = config->codec == HAL_CODEC_JPEG;
  HalRateControl mode = jpeg ? HAL_RC_CQP : config->rate_control;
  uint8_t *rc = (uint8_t *)attr + layout->attr.rc;
  uint32_t kbits = mode == HAL_RC_CQP ? 0 : (config->bitrate + KBIT - 1) / KBIT;
  uint16_t at_min, at_max;
  int min, max, code;

  if (!layout->new_kind)
    return ingenic_old_attr_fill (layout, config, attr, error);
  errno = 0;
  code = context->library.api.set_default (
      attr, profile_number (config), layout->rc_modes[mode],
      (uint16_t)config->width, (uint16_t)config->height, config->fps_num,
      config->fps_den, jpeg ? 1 : config->gop, jpeg ? 0 : MAX_SAME_SCENE,
      initial_qp (config), kbits);
  if (code != 0)
    return ingenic_fail (error, "IMP_Encoder_SetDefaultParam", code);
  if (layout->attr.vpu != HAL_NO_OFFSET
      && hal_get_u32 (attr, layout->attr.vpu) == 0)
    hal_put_u32 (attr, layout->attr.vpu, INGENIC_VPU_AVPU);
  if (config->qp_min < 0 && config->qp_max < 0)
    return HAL_OK;
  if (qp_offsets (layout, config, &at_min, &at_max)
      && qp_limits (layout, config, rc, &min, &max)) {
    hal_put_u16 (rc, at_min, (uint16_t)min);
    hal_put_u16 (rc, at_max, (uint16_t)max);
  }
  return HAL_OK;
}

static int
set_bitrate (IngenicStream *stream, const HalStreamConfig *config)
{
  const IngenicApi *api
      = &((IngenicContext *)stream->base.context)->library.api;

  if (config->codec == HAL_CODEC_JPEG || config->rate_control == HAL_RC_CQP)
    return 0;
  return api->set_bitrate (stream->channel, (int)config->bitrate,
                           (int)hal_config_peak (config));
}

HalStatus
ingenic_config_finish (IngenicStream *stream, HalError *error)
{
  IngenicContext *context = (IngenicContext *)stream->base.context;
  int code;

  if (!context->library.layout->new_kind)
    return HAL_OK;
  errno = 0;
  code = set_bitrate (stream, &stream->base.config);
  if (code != 0)
    return ingenic_fail (error, "IMP_Encoder_SetChnBitRate", code);
  return HAL_OK;
}

/* Rate control, limits and bit rate, of which each rests on the one before.
 * *ret_call: what failed. */
static int
set_rates (IngenicStream *stream, const HalStreamConfig *want, uint32_t what,
           const char **ret_call)
{
  IngenicContext *context = (IngenicContext *)stream->base.context;
  const IngenicApi *api = &context->library.api;
  hal_u64 attr[INGENIC_OUT_SIZE / 8] = { 0 };
  const uint8_t *rc = (const uint8_t *)attr + context->library.layout->attr.rc;
  int code = 0, min, max;

  *ret_call = "IMP_Encoder_SetDefaultParam";
  if (what & (HAL_SET_RATE_CONTROL | HAL_SET_QP)
      && ingenic_attr_fill (context, want, attr, NULL) != HAL_OK)
    return -1;
  if (what & HAL_SET_RATE_CONTROL
      || (what & HAL_SET_QP && want->rate_control == HAL_RC_CQP)) {
    *ret_call = "IMP_Encoder_SetChnAttrRcMode";
    code = api->set_rc_mode != NULL ? api->set_rc_mode (stream->channel, rc)
                                    : -1;
  }
  if (code == 0 && what & HAL_SET_QP && api->set_qp_bounds != NULL
      && qp_limits (context->library.layout, want, rc, &min, &max)) {
    *ret_call = "IMP_Encoder_SetChnQpBounds";
    code = api->set_qp_bounds (stream->channel, min, max);
  }
  if (code == 0
      && what
             & (HAL_SET_BITRATE | HAL_SET_MAX_BITRATE | HAL_SET_RATE_CONTROL)) {
    *ret_call = "IMP_Encoder_SetChnBitRate";
    code = set_bitrate (stream, want);
  }
  return code;
}

static int
apply (IngenicStream *stream, const HalStreamConfig *want, uint32_t what,
       const char **ret_call)
{
  const IngenicApi *api
      = &((IngenicContext *)stream->base.context)->library.api;
  IngenicFrameRate fps = { want->fps_num, want->fps_den };
  IngenicGop gop = { (int32_t)want->gop };
  bool old = api->set_default == NULL;
  int code = old ? ingenic_old_set_rates (stream, want, what, ret_call)
                 : set_rates (stream, want, what, ret_call);

  if (code == 0 && what & HAL_SET_GOP) {
    *ret_call = old ? "IMP_Encoder_SetGOPSize" : "IMP_Encoder_SetChnGopLength";
    code = old ? api->set_gop (stream->channel, &gop)
               : api->set_gop_length (stream->channel, (int)want->gop);
  }
  if (code == 0 && what & HAL_SET_FRAMERATE) {
    *ret_call = "IMP_Encoder_SetChnFrmRate";
    code = api->set_fps (stream->channel, &fps);
  }
  return code;
}

HalStatus
ingenic_set (HalStream *base, const HalStreamConfig *want, uint32_t what,
             HalError *error)
{
  IngenicStream *stream = (IngenicStream *)base;
  const char *call, *ignored;
  HalStatus status;
  int code;

  status = hal_check_framerate (want, what, stream->src_fps, error);
  if (status != HAL_OK)
    return status;
  if (want->codec == HAL_CODEC_JPEG)
    what &= HAL_SET_FRAMERATE;
  code = apply (stream, want, what, &call);
  if (code == 0)
    return HAL_OK;
  /* Of several changes the first may have been taken. */
  apply (stream, &base->config, what, &ignored);
  return ingenic_refused (error, call, code);
}
