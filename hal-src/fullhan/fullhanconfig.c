/* Between HalStreamConfig and a channel's attributes: bit/s on both sides.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "fullhanprivate.h"

/* The quantisers of HAL_RC_CQP, if no limits are given. */
#define CQP_I 28
#define CQP_P 32
/* What rate control starts with and goes between, if nothing is said. */
#define QP_INIT 35
#define QP_MIN 15
#define QP_MAX 50
/* How far a rate may go above the mean, in percent of it. */
#define CBR_PERCENT 200
#define VBR_PERCENT 150
#define MIN_PERCENT 120
#define MAX_PERCENT 800
#define IP_DELTA 3
#define I_SHARE 5
#define P_SHARE 1
/* AVBR: the least rate, and the highest quantiser at it. */
#define STILL_PERCENT 30
#define STILL_QP 34
/* QVBR: from which quality on the rate falls, up to which it grows; a
 * hundredth of a dB. */
#define QVBR_HIGH 3800
#define QVBR_LOW 3400
#define MAX_JPEG_QUALITY 98

FhRate
fh_rate (const HalStreamConfig *config)
{
  FhRate rate = { (uint16_t)config->fps_num, (uint16_t)config->fps_den };

  return rate;
}

static uint32_t
percent_of (const HalStreamConfig *config)
{
  uint64_t percent = config->rate_control == HAL_RC_CBR ? CBR_PERCENT
                     : config->max_bitrate == 0         ? VBR_PERCENT
                                                : (uint64_t)config->max_bitrate
                                                      * 100 / config->bitrate;

  return percent < MIN_PERCENT   ? MIN_PERCENT
         : percent > MAX_PERCENT ? MAX_PERCENT
                                 : (uint32_t)percent;
}

static uint32_t
limit (int given, int other, bool is_min)
{
  int value = given >= 0 ? given : is_min ? QP_MIN : QP_MAX;

  if (given < 0 && other >= 0 && (is_min ? value > other : value < other))
    value = other;
  return (uint32_t)value;
}

static void
fill_vbr (const HalStreamConfig *config, FhVbr *vbr)
{
  vbr->qp_init = QP_INIT;
  vbr->bitrate = config->bitrate;
  vbr->i_min = vbr->p_min = limit (config->qp_min, config->qp_max, true);
  vbr->i_max = vbr->p_max = limit (config->qp_max, config->qp_min, false);
  vbr->rate = fh_rate (config);
  vbr->max_percent = percent_of (config);
  vbr->ip_delta = IP_DELTA;
  vbr->i_share = I_SHARE;
  vbr->p_share = P_SHARE;
  vbr->least_percent = STILL_PERCENT;
  if (config->rate_control == HAL_RC_QVBR) {
    vbr->more[0] = QVBR_HIGH;
    vbr->more[1] = QVBR_LOW;
  } else {
    vbr->more[0] = STILL_QP;
  }
}

static void
fill_cqp (const HalStreamConfig *config, FhCqp *cqp)
{
  int p = config->qp_max >= 0   ? config->qp_max
          : config->qp_min >= 0 ? config->qp_min
                                : CQP_P;

  cqp->i = (uint32_t)(config->qp_min >= 0 ? config->qp_min : CQP_I);
  cqp->p = (uint32_t)p;
  cqp->rate = fh_rate (config);
}

/* The attributes of rate control, at their place in memory. */
static HalStatus
fill_rc (const FhLayout *layout, const HalStreamConfig *config, void *memory,
         HalError *error)
{
  uint8_t *words = (uint8_t *)memory + sizeof (uint32_t);
  FhMjpegCqp mjpeg = { 0 };
  FhCbr cbr = { 0 };
  FhVbr vbr = { 0 };
  FhCqp cqp = { 0 };
  unsigned mode;

  if (config->codec == HAL_CODEC_JPEG) {
    mjpeg.qp = config->jpeg_quality < MAX_JPEG_QUALITY ? config->jpeg_quality
                                                       : MAX_JPEG_QUALITY;
    mjpeg.rate = fh_rate (config);
    hal_put_u32 (memory, 0, FH_RC_MJPEG_CQP);
    memcpy (words, &mjpeg, sizeof mjpeg);
    return HAL_OK;
  }
  mode
      = layout->rc_modes[config->codec == HAL_CODEC_H265][config->rate_control];
  if (mode == FH_NO_MODE)
    return hal_fail (
        error, HAL_UNSUPPORTED, "", 0, "try cbr or vbr",
        "%s with this rate-control does not exist in generation %s",
        hal_codec_name (config->codec), layout->name);
  hal_put_u32 (memory, 0, mode);
  switch (config->rate_control) {
    case HAL_RC_CQP:
      fill_cqp (config, &cqp);
      memcpy (words, &cqp, sizeof cqp);
      break;
    case HAL_RC_CBR:
      cbr.qp_init = QP_INIT;
      cbr.bitrate = config->bitrate;
      cbr.rate = fh_rate (config);
      cbr.max_percent = percent_of (config);
      cbr.ip_delta = IP_DELTA;
      cbr.i_share = I_SHARE;
      cbr.p_share = P_SHARE;
      memcpy (words, &cbr, sizeof cbr);
      break;
    default:
      fill_vbr (config, &vbr);
      /* Only QVBR has the last word, and A has no QVBR. */
      memcpy (words, &vbr,
              config->rate_control == HAL_RC_QVBR
                  ? sizeof vbr
                  : sizeof vbr - sizeof vbr.more[1]);
      break;
  }
  return HAL_OK;
}

static uint32_t
profile_of (const FhLayout *layout, const HalStreamConfig *config)
{
  if (config->codec == HAL_CODEC_H265)
    return FH_PROFILE_H265_MAIN;
  if (config->profile == HAL_PROFILE_BASELINE)
    return FH_PROFILE_BASELINE;
  return config->profile == HAL_PROFILE_HIGH && layout->high_profile
             ? FH_PROFILE_HIGH
             : FH_PROFILE_MAIN;
}

HalStatus
fh_config_fill (const FhLayout *layout, const HalStreamConfig *config,
                void *memory, HalError *error)
{
  /* This part is the same in both generations. */
  FhConfigA attr = { 0 };

  if (config->codec == HAL_CODEC_JPEG) {
    attr.type = FH_TYPE_MJPEG;
    attr.of.mjpeg.size.width = config->width;
    attr.of.mjpeg.size.height = config->height;
  } else {
    attr.type = config->codec == HAL_CODEC_H265 ? FH_TYPE_H265 : FH_TYPE_H264;
    attr.of.video.profile = profile_of (layout, config);
    attr.of.video.gop = config->gop;
    attr.of.video.size.width = config->width;
    attr.of.video.size.height = config->height;
  }
  memset (memory, 0, layout->config_size);
  memcpy (memory, &attr, offsetof (FhConfigA, rc_mode));
  return fill_rc (layout, config, (uint8_t *)memory + layout->config_rc, error);
}

void
fh_change_fill (const HalStreamConfig *config, FhChangeB *change)
{
  memset (change, 0, sizeof *change);
  change->first.bitrate = config->bitrate;
  change->first.i_min = change->first.p_min
      = limit (config->qp_min, config->qp_max, true);
  change->first.i_max = change->first.p_max
      = limit (config->qp_max, config->qp_min, false);
  change->first.rate = fh_rate (config);
  change->max_percent = percent_of (config);
  change->i_share = I_SHARE;
  change->p_share = P_SHARE;
}

/* Keeps the state of rate control. */
static HalStatus
change_rate (FhStream *stream, const HalStreamConfig *want, HalError *error)
{
  const FhLibrary *library = &((FhContext *)stream->base.context)->library;
  FhChangeB change;
  int32_t code;

  fh_change_fill (want, &change);
  code = library->api.change_rc (stream->channel, &change);
  return code == 0 ? HAL_OK : fh_fail (error, "FH_VENC_SetRcChangeParam", code);
}

static HalStatus
change_mode (FhStream *stream, const HalStreamConfig *want, HalError *error)
{
  const FhLibrary *library = &((FhContext *)stream->base.context)->library;
  uint32_t rc[FH_OUT_SIZE / 4] = { 0 };
  HalStatus status = fill_rc (library->layout, want, rc, error);
  int32_t code;

  if (status != HAL_OK)
    return status;
  code = library->api.set_rc (stream->channel, rc);
  return code == 0 ? HAL_OK : fh_fail (error, "FH_VENC_SetRCAttr", code);
}

/* The channel is stopped for a moment; it starts again with a keyframe. */
static HalStatus
change_stopped (FhStream *stream, const void *config, HalError *error)
{
  FhContext *context = (FhContext *)stream->base.context;
  HalStatus status;
  int32_t code;

  fh_reader_pause (context);
  fh_channel_stop (stream);
  code = context->library.api.set_config (stream->channel, config);
  if (code != 0) {
    status = fh_fail (error, "FH_VENC_SetChnAttr", code);
    fh_channel_start (stream, NULL);
  } else {
    status = fh_channel_start (stream, error);
  }
  fh_reader_resume (context);
  return status;
}

/* A takes a new GOP only while the channel is stopped. */
static HalStatus
change_gop (FhStream *stream, const HalStreamConfig *want, HalError *error)
{
  const FhLibrary *library = &((FhContext *)stream->base.context)->library;
  hal_u64 config[FH_OUT_SIZE / 8] = { 0 };
  uint32_t gop = want->gop;
  HalStatus status;
  int32_t code;

  if (library->api.set_param != NULL) {
    code = library->api.set_param (stream->channel, FH_PARAM_GOP, &gop);
    return code == 0 ? HAL_OK : fh_fail (error, "FH_VENC_SetEncParam", code);
  }
  status = fh_config_fill (library->layout, want, config, error);
  if (status != HAL_OK)
    return status;
  if (stream->base.started)
    return change_stopped (stream, config, error);
  code = library->api.set_config (stream->channel, config);
  return code == 0 ? HAL_OK : fh_fail (error, "FH_VENC_SetChnAttr", code);
}

HalStatus
fh_set (HalStream *base, const HalStreamConfig *want, uint32_t what,
        HalError *error)
{
  FhStream *stream = (FhStream *)base;
  const FhLibrary *library = &((FhContext *)base->context)->library;
  bool jpeg = want->codec == HAL_CODEC_JPEG;
  HalStatus status = HAL_OK;
  FhRate rate = fh_rate (want);
  int32_t code;

  if ((what & HAL_SET_FRAMERATE) != 0) {
    code = fh_vpu_rate (library, stream->group, stream->vpu, &rate);
    if (code != 0)
      return fh_fail (error, "FH_VPSS_SetFramectrl", code);
  }
  if ((what & HAL_SET_GOP) != 0 && !jpeg)
    status = change_gop (stream, want, error);
  if (status == HAL_OK
      && (what & (HAL_SET_RATE_CONTROL | HAL_SET_MAX_BITRATE)) != 0 && !jpeg)
    status = change_mode (stream, want, error);
  if (status != HAL_OK || jpeg)
    return status;
  /* Constant quantisers are part of the mode; so are the limits of VBR, but
   * CBR has them nowhere else than here. */
  if (want->rate_control == HAL_RC_CQP)
    return (what & HAL_SET_QP) != 0 && (what & HAL_SET_RATE_CONTROL) == 0
               ? change_mode (stream, want, error)
               : HAL_OK;
  if ((what & (HAL_SET_BITRATE | HAL_SET_QP | HAL_SET_FRAMERATE)) != 0)
    return change_rate (stream, want, error);
  return HAL_OK;
}
