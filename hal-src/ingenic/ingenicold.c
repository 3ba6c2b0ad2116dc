/* Between HalStreamConfig and a channel of the old kind (T20, T21, T23, T30):
 * attributes filled in by hand, kbit/s.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>
#include <string.h>

#include "ingenicprivate.h"

#define KBIT 1000u
#define DEFAULT_MIN_QP 15
#define DEFAULT_MAX_QP 45
#define DEFAULT_CQP 30
#define STATIC_SECONDS 2
/* Percent of the maximum from which on VBR raises the quantiser. */
#define CHANGE_POSITION 80
#define QUALITY_LEVEL 2
#define FRAME_QP_STEP 3
#define GOP_QP_STEP 15
#define FLUCTUATION_LEVEL 2

/* Positions in the words of the modes with a bit rate; 0 is the quantiser of
 * the mode without one. */
enum { MAX_QP = 0, MIN_QP = 1 };
enum { H264_CBR_RATE = 2, H264_CBR_STEPS = 4 };
enum { H265_CBR_TIME = 2, H265_CBR_RATE = 3, H265_CBR_STEPS = 5 };
enum {
  VBR_TIME = 2,
  VBR_RATE = 3,
  VBR_CHANGE = 5,
  VBR_QUALITY = 6,
  VBR_STEPS = 7
};

static void
put_steps (uint32_t *words, bool h265)
{
  words[0] = FRAME_QP_STEP;
  words[1] = GOP_QP_STEP;
  /* H.264 has two switches here, which stay off. */
  if (h265)
    words[2] = FLUCTUATION_LEVEL;
}

static uint32_t
kbits (const HalStreamConfig *config)
{
  return (hal_config_peak (config) + KBIT / 2) / KBIT;
}

static void
fill_limits (const HalStreamConfig *config, uint32_t *words)
{
  int min = config->qp_min >= 0 ? config->qp_min : DEFAULT_MIN_QP;
  int max = config->qp_max >= 0 ? config->qp_max : DEFAULT_MAX_QP;

  if (min > max && config->qp_max < 0)
    max = min;
  if (min > max)
    min = max;
  words[MAX_QP] = (uint32_t)max;
  words[MIN_QP] = (uint32_t)min;
}

static void
fill_rate (const HalStreamConfig *config, uint32_t *words)
{
  bool h265 = config->codec == HAL_CODEC_H265;

  fill_limits (config, words);
  if (config->rate_control != HAL_RC_CBR) {
    words[VBR_TIME] = STATIC_SECONDS;
    words[VBR_RATE] = kbits (config);
    words[VBR_CHANGE] = CHANGE_POSITION;
    words[VBR_QUALITY] = QUALITY_LEVEL;
    /* The last word is of one byte with H.264, and zero. */
    put_steps (words + VBR_STEPS, h265);
  } else if (h265) {
    words[H265_CBR_TIME] = STATIC_SECONDS;
    words[H265_CBR_RATE] = kbits (config);
    put_steps (words + H265_CBR_STEPS, true);
  } else {
    words[H264_CBR_RATE] = kbits (config);
    put_steps (words + H264_CBR_STEPS, false);
  }
}

static void
fill_rc (const IngenicLayout *layout, const HalStreamConfig *config,
         IngenicRcOld *rc)
{
  memset (rc, 0, sizeof *rc);
  rc->mode = layout->rc_modes[config->rate_control];
  if (config->rate_control != HAL_RC_CQP)
    fill_rate (config, rc->words);
  else
    rc->words[0] = (uint32_t)(config->qp_min >= 0   ? config->qp_min
                              : config->qp_max >= 0 ? config->qp_max
                                                    : DEFAULT_CQP);
}

static uint32_t
profile_number (const HalStreamConfig *config)
{
  if (config->codec != HAL_CODEC_H264)
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

static bool
has_mode (const IngenicLayout *layout, const HalStreamConfig *config)
{
  return config->codec == HAL_CODEC_JPEG
         || layout->rc_modes[config->rate_control] != INGENIC_NO_RC_MODE;
}

HalStatus
ingenic_old_attr_fill (const IngenicLayout *layout,
                       const HalStreamConfig *config, void *attr,
                       HalError *error)
{
  IngenicAttrOld *old = attr;

  if (!has_mode (layout, config))
    return hal_fail (error, HAL_UNSUPPORTED, "", 0, "try cbr or vbr",
                     "this rate-control does not exist on %s", layout->name);
  old->type = config->codec == HAL_CODEC_JPEG   ? INGENIC_PT_JPEG
              : config->codec == HAL_CODEC_H265 ? INGENIC_PT_H265
                                                : INGENIC_PT_H264;
  old->profile = profile_number (config);
  old->width = config->width;
  old->height = config->height;
  old->fps.num = config->fps_num;
  old->fps.den = config->fps_den;
  if (config->codec == HAL_CODEC_JPEG)
    return HAL_OK;
  old->gop = config->gop;
  fill_rc (layout, config, &old->rc);
  return HAL_OK;
}

int
ingenic_old_set_rates (IngenicStream *stream, const HalStreamConfig *want,
                       uint32_t what, const char **ret_call)
{
  IngenicContext *context = (IngenicContext *)stream->base.context;
  hal_u64 rc[INGENIC_OUT_SIZE / 8] = { 0 };

  *ret_call = "IMP_Encoder_SetChnAttrRcMode";
  if ((what
       & (HAL_SET_BITRATE | HAL_SET_MAX_BITRATE | HAL_SET_QP
          | HAL_SET_RATE_CONTROL))
      == 0)
    return 0;
  if (!has_mode (context->library.layout, want))
    return -1;
  fill_rc (context->library.layout, want, (IngenicRcOld *)rc);
  return context->library.api.set_rc_mode (stream->channel, rc);
}
