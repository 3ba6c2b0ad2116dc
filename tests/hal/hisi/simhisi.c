/* HiSilicon's and Goke's media library, simulated: the names that the vendor
 * exports, around tests/hal/sim/simengine.c. SIM_HISI is the generation that
 * it is compiled as.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simhisi.h"

#define FAIL(code) HISI_ERROR (VENC, code)
#define CHANNELS 16

/* The order of calls is the engine's lock's business; these are only written
 * by create, destroy, bind and set, which the callers serialise. */
static struct
{
  Attr attr;
  RcParam rc;
  bool bound;
#if SIM_HISI == 1
  bool grouped;
#endif
} state[CHANNELS];

SIM_EXPORT SimControl *sim_control (void);

SIM_EXPORT SimControl *
sim_control (void)
{
  return sim_engine_control ();
}

static const HisiLayout *
layout (void)
{
  return hisi_layout ((HisiGeneration)SIM_HISI, sizeof (void *) == 8);
}

#ifdef SIM_NEEDS
/* Of a library that this one does not name. */
extern int SIM_NEEDS (void);
#endif

/* What the encoder makes of its attributes; false: it refuses them. */
static bool
understand (const Attr *attr, SimSettings *settings)
{
  const HisiLayout *l = layout ();
  uint32_t type = attr->type;
  uint32_t mode = attr->rc_mode, fps;
  unsigned codec, rc;

#ifdef SIM_NEEDS
  if (SIM_NEEDS () == 0)
    return false;
#endif
  memset (settings, 0, sizeof *settings);
  settings->qp_min = settings->qp_max = -1;
  settings->codec = type == HISI_PT_H264   ? HAL_CODEC_H264
                    : type == HISI_PT_H265 ? HAL_CODEC_H265
                                           : HAL_CODEC_JPEG;
  if (type != HISI_PT_H264 && type != HISI_PT_H265 && type != HISI_PT_MJPEG)
    return false;
  if (settings->codec == HAL_CODEC_JPEG) {
    settings->width = hal_get_u32 (attr, l->attr.jpeg_width);
    settings->height = hal_get_u32 (attr, l->attr.jpeg_height);
    fps = attr->rc[HISI_JPEG_DST_FPS];
    settings->gop = 1;
    if (mode != l->rc_jpeg || hal_get_u32 (attr, l->attr.jpeg_by_frame) != 1)
      return false;
  } else {
    settings->width = hal_get_u32 (attr, l->attr.width);
    settings->height = hal_get_u32 (attr, l->attr.height);
    codec = settings->codec == HAL_CODEC_H265;
    for (rc = 0; rc < HISI_N_RC_MODES; rc++) {
      if (l->rc_modes[codec][rc] == mode)
        break;
    }
    if (rc == HISI_N_RC_MODES || mode == 0)
      return false;
    settings->gop = attr->rc[HISI_RC_GOP];
    fps = attr->rc[rc == HAL_RC_CQP ? HISI_CQP_DST_FPS : HISI_RC_DST_FPS];
    /* The library has kbit/s. */
    if (rc != HAL_RC_CQP)
      settings->bitrate = attr->rc[HISI_RC_BITRATE] * 1000;
    if (rc != HAL_RC_CQP && attr->rc[HISI_RC_STAT_TIME] == 0)
      return false;
    if (l->qp[codec][rc].place == HISI_QP_ATTR) {
      settings->qp_min = (int)hal_get_u32 (attr, l->qp[codec][rc].min);
      settings->qp_max = (int)hal_get_u32 (attr, l->qp[codec][rc].max);
    }
  }
  settings->fps_num = fps & 0xffff;
  settings->fps_den = fps >> 16 != 0 ? fps >> 16 : 1;
  return settings->width >= 16 && settings->height >= 16
         && settings->fps_num > 0 && settings->gop > 0
         && hal_get_u32 (attr, l->attr.max_width) >= settings->width
         && hal_get_u32 (attr, l->attr.buffer_size) % 64 == 0;
}

/* SYS */

API (SYS_Init, sys_init) (void)
{
  sim_engine_init ();
  return 0;
}

API (SYS_Exit, sys_exit) (void)
{
  sim_engine_exit ();
  return 0;
}

API (SYS_GetVersion, sys_get_version) (HisiVersion *version)
{
  const SimControl *control = sim_engine_control ();

  snprintf (version->text, sizeof version->text, "%s",
            control->version[0] != '\0' ? control->version : VERSION);
  return 0;
}

#if SIM_HISI >= 4
API (SYS_GetCurPTS, sys_get_cur_pts) (hal_u64 *pts)
#else
API (SYS_GetCurPts, sys_get_cur_pts) (hal_u64 *pts)
#endif
{
  *pts = sim_engine_now ();
  return 0;
}

static int
bound_channel (const HisiMppChn *from, const HisiMppChn *to)
{
  const HisiLayout *l = layout ();

#if SIM_HISI == 1
  if (from->module != l->vpss_module || to->module != HISI_MOD_GROUP
      || to->channel != 0)
    return -1;
  return to->device >= 0 && to->device < CHANNELS ? to->device : -1;
#else
  if (from->module != l->vpss_module || to->module != l->venc_module
      || to->device != 0)
    return -1;
  return to->channel >= 0 && to->channel < CHANNELS ? to->channel : -1;
#endif
}

API (SYS_Bind, sys_bind) (const HisiMppChn *from, const HisiMppChn *to)
{
  int chn = bound_channel (from, to);

  if (chn < 0)
    return HISI_ERROR (HISI_MOD_SYS, PARAM);
  state[chn].bound = true;
  return 0;
}

API (SYS_UnBind, sys_unbind) (const HisiMppChn *from, const HisiMppChn *to)
{
  int chn = bound_channel (from, to);

  if (chn < 0)
    return HISI_ERROR (HISI_MOD_SYS, PARAM);
  state[chn].bound = false;
  return 0;
}

/* VENC */

API (VENC_CreateChn, venc_create_chn) (int32_t chn, const Attr *attr)
{
  SimControl *control = sim_engine_control ();
  SimSettings settings;
  int code;

  if (chn < 0 || chn >= CHANNELS)
    return FAIL (CHN);
  if (sim_fault (&control->refuse_creates))
    return FAIL (NO_MEM);
  if (sim_fault (&control->busy_creates))
    return FAIL (BUSY);
  code = sim_create_code ();
  if (code != 0)
    return code > 0 ? FAIL (code) : code;
  if (!understand (attr, &settings))
    return FAIL (PARAM);
  /* What a killed process left is there, as it was. */
  if ((atomic_load (&control->leftover) & 1u << chn) != 0)
    return FAIL (EXIST);
  if (!sim_channel_create ((unsigned)chn, &settings, SIM_HISI == 1))
    return FAIL (EXIST);
  memset (&state[chn], 0, sizeof state[chn]);
  state[chn].attr = *attr;
  {
    /* The library's own limits; an I frame has none in some of them. */
    unsigned codec = settings.codec == HAL_CODEC_H265, rc;

    for (rc = 0; rc < HISI_N_RC_MODES; rc++) {
      const HisiQpLimits *limits = &layout ()->qp[codec][rc];

      if (layout ()->rc_modes[codec][rc] == attr->rc_mode
          && limits->place == HISI_QP_PARAM) {
        hal_put_u32 (&state[chn].rc, limits->min, 16);
        hal_put_u32 (&state[chn].rc, limits->max, 48);
      }
    }
  }
  return 0;
}

API (VENC_DestroyChn, venc_destroy_chn) (int32_t chn)
{
  SimControl *control = sim_engine_control ();

  if (chn >= 0 && chn < CHANNELS
      && (atomic_load (&control->leftover) & 1u << chn) != 0) {
    atomic_fetch_and (&control->leftover, ~(1u << chn));
    return 0;
  }
#if SIM_HISI == 1
  if (chn >= 0 && chn < CHANNELS && state[chn].grouped)
    atomic_fetch_add (&control->order_errors, 1);
#endif
  return sim_channel_destroy ((unsigned)chn) ? 0 : FAIL (UNEXIST);
}

#if SIM_HISI <= 3
API (VENC_StartRecvPic, venc_start_pic) (int32_t chn)
{
  return sim_channel_start ((unsigned)chn, 0) ? 0 : FAIL (UNEXIST);
}

API (VENC_StartRecvPicEx, venc_start_ex) (int32_t chn, HisiRecvParam *param)
{
  return sim_channel_start ((unsigned)chn, (unsigned)param->n_pictures)
             ? 0
             : FAIL (UNEXIST);
}

API (VENC_StopRecvPic, venc_stop_pic) (int32_t chn)
#else
API (VENC_StartRecvFrame, venc_start_chn)
(int32_t chn, const HisiRecvParam *param)
{
  unsigned n = param->n_pictures > 0 ? (unsigned)param->n_pictures : 0;

  return sim_channel_start ((unsigned)chn, n) ? 0 : FAIL (UNEXIST);
}

API (VENC_StopRecvFrame, venc_stop_chn) (int32_t chn)
#endif
{
  return sim_channel_stop ((unsigned)chn) ? 0 : FAIL (UNEXIST);
}

#if SIM_HISI <= 3
API (VENC_Query, venc_query) (int32_t chn, Status *status)
#else
API (VENC_QueryStatus, venc_query_status) (int32_t chn, Status *status)
#endif
{
  SimControl *control = sim_engine_control ();

  if (!sim_channel_exists ((unsigned)chn))
    return FAIL (UNEXIST);
  if (sim_fault (&control->eintr)) {
    errno = EINTR;
    return -1;
  }
  /* All of it is written, whatever the caller expects. */
  sim_check_out (status, sizeof *status);
  memset (status, 0x11, sizeof *status);
  status->n_packs = state[chn].bound ? sim_channel_packs ((unsigned)chn) : 0;
  return 0;
}

static void
fill_pack (Pack *pack, const SimFrame *frame, unsigned i)
{
  memset (pack, 0, sizeof *pack);
#if SIM_HISI == 1
  pack->address[0] = (uint8_t *)frame->packs[i].data[0];
  pack->length[0] = (uint32_t)frame->packs[i].size[0];
  pack->address[1] = (uint8_t *)frame->packs[i].data[1];
  pack->length[1] = (uint32_t)frame->packs[i].size[1];
#else
  /* The data begins some way into the pack, as it does when the encoder puts
   * its own words before it. */
  pack->offset = i == 0 ? 0 : 4;
  pack->address = (uint8_t *)frame->packs[i].data[0] - pack->offset;
  pack->length = (uint32_t)frame->packs[i].size[0] + pack->offset;
#endif
  pack->pts = frame->pts;
  pack->frame_end = i + 1 == frame->n_packs;
  pack->type = frame->packs[i].type;
}

API (VENC_GetStream, venc_get_stream)
(int32_t chn, Stream *stream, int32_t wait)
{
  SimControl *control = sim_engine_control ();
  const SimFrame *frame;
  Pack *packs;
  unsigned i;

  if (!sim_channel_exists ((unsigned)chn))
    return FAIL (UNEXIST);
  if (stream->packs == NULL)
    return FAIL (NULL_PTR);
  if (wait != 0)
    atomic_fetch_add (&control->order_errors, 1);
  if (sim_fault (&control->eintr)) {
    errno = EINTR;
    return -1;
  }
  if (sim_fault (&control->get_failures))
    return FAIL (NO_BUF);
  if (sim_get_code () != 0)
    return FAIL (sim_get_code ());
  frame = sim_channel_get ((unsigned)chn);
  if (frame == NULL)
    return FAIL (EMPTY);
  packs = stream->packs;
  if (stream->n_packs < frame->n_packs) {
    sim_channel_release ((unsigned)chn);
    return FAIL (NO_BUF);
  }
  for (i = 0; i < frame->n_packs; i++)
    fill_pack (&packs[i], frame, i);
  if (sim_fault (&control->insane))
    packs[0].offset = 0x7fffffff;
  sim_check_out (stream, sizeof *stream);
  stream->n_packs = frame->n_packs;
  stream->sequence = frame->sequence;
  return 0;
}

API (VENC_ReleaseStream, venc_release_stream) (int32_t chn, Stream *stream)
{
  if (!sim_channel_release ((unsigned)chn))
    return FAIL (PARAM);
  /* The packs are the library's again. */
  memset (stream->packs, SIM_POISON, stream->n_packs * sizeof (Pack));
  return 0;
}

API (VENC_GetFd, venc_get_fd) (int32_t chn)
{
  return sim_channel_fd ((unsigned)chn);
}

#if SIM_HISI >= 2 && SIM_HISI <= 4
API (VENC_CloseFd, venc_close_fd) (int32_t chn)
{
  return sim_channel_exists ((unsigned)chn) ? 0 : FAIL (UNEXIST);
}
#endif

API (VENC_GetChnAttr, venc_get_chn_attr) (int32_t chn, Attr *attr)
{
  if (!sim_channel_exists ((unsigned)chn))
    return FAIL (UNEXIST);
  sim_check_out (attr, sizeof *attr);
  *attr = state[chn].attr;
  return 0;
}

API (VENC_SetChnAttr, venc_set_chn_attr) (int32_t chn, const Attr *attr)
{
  SimControl *control = sim_engine_control ();
  SimSettings settings, old;

  if (!sim_channel_get_settings ((unsigned)chn, &old))
    return FAIL (UNEXIST);
  if (!understand (attr, &settings))
    return FAIL (PARAM);
  /* What is fixed when the channel is created may not change. */
  if (sim_fault (&control->refuse_sets) || settings.codec != old.codec
      || settings.width != old.width || settings.height != old.height)
    return FAIL (PERM);
  if (settings.qp_min < 0) {
    settings.qp_min = old.qp_min;
    settings.qp_max = old.qp_max;
  }
  state[chn].attr = *attr;
  sim_channel_set_settings ((unsigned)chn, &settings);
  return 0;
}

static const HisiQpLimits *
limits_of (int32_t chn)
{
  static const HisiQpLimits none = { HISI_QP_NONE, 0, 0, 0, 0 };
  unsigned codec = state[chn].attr.type == HISI_PT_H265, rc;

  for (rc = 0; rc < HISI_N_RC_MODES; rc++) {
    if (layout ()->rc_modes[codec][rc] == state[chn].attr.rc_mode)
      return &layout ()->qp[codec][rc];
  }
  return &none;
}

#if SIM_HISI == 1
API (VENC_GetRcPara, venc_get_rc_para) (int32_t chn, RcParam *param)
#else
API (VENC_GetRcParam, venc_get_rc_param) (int32_t chn, RcParam *param)
#endif
{
  if (!sim_channel_exists ((unsigned)chn))
    return FAIL (UNEXIST);
  sim_check_out (param, sizeof *param);
  *param = state[chn].rc;
  return 0;
}

#if SIM_HISI == 1
API (VENC_SetRcPara, venc_set_rc_para) (int32_t chn, const RcParam *param)
#else
API (VENC_SetRcParam, venc_set_rc_param) (int32_t chn, const RcParam *param)
#endif
{
  const HisiQpLimits *limits = limits_of (chn);
  SimSettings settings;

  if (!sim_channel_get_settings ((unsigned)chn, &settings))
    return FAIL (UNEXIST);
  state[chn].rc = *param;
  if (limits->place == HISI_QP_PARAM) {
    settings.qp_min = (int)hal_get_u32 (param, limits->min);
    settings.qp_max = (int)hal_get_u32 (param, limits->max);
    if (settings.qp_min > settings.qp_max || settings.qp_max > 51)
      return FAIL (PARAM);
    sim_channel_set_settings ((unsigned)chn, &settings);
  }
  return 0;
}

#if SIM_HISI == 4
API (VENC_SetRoiAttr, venc_set_roi_attr) (int32_t chn, const HisiV4Roi *attr)
{
  SimControl *control = sim_engine_control ();
  SimSettings settings;
  HalRoi *roi;

  if (!sim_channel_get_settings ((unsigned)chn, &settings))
    return FAIL (UNEXIST);
  if (sim_fault (&control->refuse_sets))
    return FAIL (PERM);
  if (attr->index >= HAL_MAX_ROI || settings.codec == HAL_CODEC_JPEG)
    return FAIL (PARAM);
  if (attr->enable
      && (attr->width == 0 || attr->height == 0 || attr->x < 0 || attr->y < 0
          || (unsigned)attr->x + attr->width > settings.width
          || (unsigned)attr->y + attr->height > settings.height))
    return FAIL (PARAM);
  if (chn != 0)
    return 0;
  roi = &control->roi[attr->index];
  memset (roi, 0, sizeof *roi);
  if (attr->enable) {
    roi->x = (unsigned)attr->x;
    roi->y = (unsigned)attr->y;
    roi->width = attr->width;
    roi->height = attr->height;
    roi->absolute = attr->absolute;
    roi->qp = attr->qp;
  }
  return 0;
}
#endif

#if SIM_HISI == 1
API (VENC_RequestIDRInst, venc_request_idr_inst) (int32_t chn)
{
  return sim_channel_idr ((unsigned)chn) ? 0 : FAIL (UNEXIST);
}

API (VENC_CreateGroup, venc_create_group) (int32_t group)
{
  return group >= 0 && group < CHANNELS ? 0 : FAIL (CHN);
}

API (VENC_DestroyGroup, venc_destroy_group) (int32_t group)
{
  if (group >= 0 && group < CHANNELS && state[group].grouped)
    atomic_fetch_add (&sim_engine_control ()->order_errors, 1);
  return 0;
}

API (VENC_RegisterChn, venc_register_chn) (int32_t group, int32_t chn)
{
  if (group < 0 || group >= CHANNELS || !sim_channel_exists ((unsigned)chn))
    return FAIL (UNEXIST);
  state[chn].grouped = true;
  return 0;
}

API (VENC_UnRegisterChn, venc_unregister_chn) (int32_t chn)
{
  if (chn < 0 || chn >= CHANNELS)
    return FAIL (CHN);
  state[chn].grouped = false;
  return 0;
}
#else
API (VENC_RequestIDR, venc_request_idr) (int32_t chn, int32_t instant)
{
  return sim_channel_idr ((unsigned)chn) ? 0 : FAIL (UNEXIST);
}
#endif

#if SIM_HISI == 2
/* Only there to be found. */
API (VENC_SetRcPriority, venc_set_rc_priority) (int32_t chn, uint32_t priority)
{
  return FAIL (PERM);
}
#endif

#if SIM_HISI == 4
API (VPSS_GetChnAttr, vpss_get_chn_attr)
(int32_t group, int32_t chn, HisiV4VpssChnAttr *attr)
{
  sim_check_out (attr, sizeof *attr);
  attr->width = chn == 0 ? 1280 : 640;
  attr->height = chn == 0 ? 720 : 360;
  return 0;
}
#endif
