/* Fullhan's media library, simulated: the names that the vendor exports,
 * around tests/hal/sim/simengine.c. SIM_FULLHAN is the generation that it is
 * compiled as: 1 A, 2 B.
 *
 * Calls that make, bind or remove channels are serialised by the caller; the
 * reader's two calls are those of one thread.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "simfullhan.h"

/* How long getting a frame blocks. */
#define GET_MS 100
#define NO_CHANNEL FH_ENC_CHANNELS

#if SIM_FULLHAN == 1
typedef FhConfigA Config;
typedef FhChangeA Change;
typedef FhStreamA Stream;
#define DEFAULT_CHIP 0x8626a100u
#else
typedef FhConfigB Config;
typedef FhChangeB Change;
typedef FhStreamB Stream;
#define DEFAULT_CHIP 0x8852a201u
#endif

static struct
{
  FhCap cap; /* types 0: not created */
  bool bound, receiving;
  /* The reader looks at these while others start and stop. */
  _Atomic uint32_t type;
  atomic_bool running;
  uint32_t vpu;
} channels[FH_ENC_CHANNELS];

static struct
{
  FhSize size;
  FhRate rate;
  bool open;
} vpus[FH_VPU_CHANNELS];

static uint32_t held = NO_CHANNEL, turn;

SIM_EXPORT SimControl *sim_control (void);

SIM_EXPORT SimControl *
sim_control (void)
{
  return sim_engine_control ();
}

#ifdef SIM_NEEDS
/* Of a library that this one does not name. */
extern int SIM_NEEDS (void);
#endif

/* SYS */

API (SYS_Init) (void)
{
#ifdef SIM_NEEDS
  if (SIM_NEEDS () == 0)
    return FAILURE;
#endif
  sim_engine_init ();
  return 0;
}

API (SYS_Exit) (void)
{
  uint32_t i;

  for (i = 0; i < FH_ENC_CHANNELS; i++) {
    if (channels[i].running)
      sim_channel_stop (i);
    if (sim_channel_exists (i))
      sim_channel_destroy (i);
  }
  atomic_store (&sim_engine_control ()->leftover, 0);
  memset (channels, 0, sizeof channels);
  memset (vpus, 0, sizeof vpus);
  held = NO_CHANNEL;
  sim_engine_exit ();
  return 0;
}

SIM_EXPORT uint32_t
FH_SYS_GetChipID (void)
{
  const SimControl *control = sim_engine_control ();

  return control->version[0] != '\0'
             ? (uint32_t)strtoul (control->version, NULL, 16)
             : DEFAULT_CHIP;
}

/* VPSS */

#if SIM_FULLHAN == 1
#define GROUP

API (VPSS_SetChnAttr) (GROUP uint32_t channel, const FhSize *size)
{
  if (!sim_engine_running ())
    return NOT_INIT;
  if (channel >= FH_VPU_CHANNELS)
    return CHAN;
  if (size->width < 16 || size->height < 16 || vpus[channel].open)
    return PARAM;
  vpus[channel].size = *size;
  return 0;
}

API (VPSS_SetVOMode) (GROUP uint32_t channel, uint32_t mode)
{
  /* One of the chips has no blocks. */
  return mode
                 == (DEFAULT_CHIP == 0x8626a100u
                             && FH_SYS_GetChipID () == DEFAULT_CHIP
                         ? FH_VO_LINES
                         : FH_VO_BLOCKS)
             ? 0
             : PARAM;
}
#else
#define GROUP uint32_t group,

/* The outputs are there, set up by another program; what follows the size is
 * of no known length. */
API (VPSS_GetChnAttr) (GROUP uint32_t channel, uint32_t *attr)
{
  if (!sim_engine_running ())
    return NOT_INIT;
  if (group != 0 || channel >= FH_VPU_CHANNELS)
    return CHAN;
  memset (attr, 0x11, 64);
  attr[0] = vpus[channel].size.width = 640;
  attr[1] = vpus[channel].size.height = 360;
  vpus[channel].open = true;
  return 0;
}
#endif

static void
apply_rate (uint32_t channel)
{
  SimSettings settings;

  if (!channels[channel].bound
      || !sim_channel_get_settings (channel, &settings))
    return;
  settings.fps_num = vpus[channels[channel].vpu].rate.count;
  settings.fps_den = vpus[channels[channel].vpu].rate.time;
  sim_channel_set_settings (channel, &settings);
}

API (VPSS_SetFramectrl) (GROUP uint32_t channel, const FhRate *rate)
{
  uint32_t i;

  if (channel >= FH_VPU_CHANNELS || rate->count == 0 || rate->time == 0)
    return PARAM;
  vpus[channel].rate = *rate;
  for (i = 0; i < FH_ENC_CHANNELS; i++) {
    if (channels[i].vpu == channel)
      apply_rate (i);
  }
  return 0;
}

#if SIM_FULLHAN == 1
API (VPSS_OpenChn) (GROUP uint32_t channel)
{
  if (channel >= FH_VPU_CHANNELS || vpus[channel].size.width == 0)
    return CHAN;
  vpus[channel].open = true;
  return 0;
}

API (VPSS_CloseChn) (GROUP uint32_t channel)
{
  if (channel >= FH_VPU_CHANNELS || !vpus[channel].open)
    atomic_fetch_add (&sim_engine_control ()->order_errors, 1);
  else
    vpus[channel].open = false;
  return 0;
}
#endif

/* VENC */

API (VENC_CreateChn) (uint32_t channel, const FhCap *cap)
{
  SimControl *control = sim_engine_control ();
  int code;

  if (!sim_engine_running ())
    return NOT_INIT;
  if (channel >= FH_ENC_CHANNELS)
    return CHAN;
  if (sim_fault (&control->refuse_creates))
    return NO_MEM;
  if (sim_fault (&control->busy_creates))
    return -EBUSY;
  code = sim_create_code ();
  if (code != 0)
    return code;
  if (channels[channel].cap.types != 0
      || (atomic_load (&control->leftover) & 1u << channel) != 0)
    return EXISTS;
  if (cap->types == 0 || cap->max.width < 16 || cap->b_frames != 0)
    return PARAM;
  channels[channel].cap = *cap;
  return 0;
}

/* What the encoder makes of the part about rate control; words: what follows
 * the mode. */
static bool
understand_rc (uint32_t mode, const uint32_t *words, SimSettings *settings)
{
  const FhLayout *layout = fh_layout ((FhGeneration)SIM_FULLHAN);
  bool h265 = settings->codec == HAL_CODEC_H265;
  FhCqp cqp;
  FhCbr cbr;
  FhVbr vbr;
  FhRate rate;

  memcpy (&cqp, words, sizeof cqp);
  memcpy (&cbr, words, sizeof cbr);
  memcpy (&vbr, words, sizeof vbr - sizeof vbr.more[1]);
  if (mode == layout->rc_modes[h265][HAL_RC_CQP]) {
    settings->bitrate = 0;
    settings->qp_min = (int)cqp.i;
    settings->qp_max = (int)cqp.p;
    rate = cqp.rate;
  } else if (mode == layout->rc_modes[h265][HAL_RC_CBR]) {
    if (cbr.max_percent < 120 || cbr.max_percent > 800 || cbr.qp_init > 51)
      return false;
    settings->bitrate = cbr.bitrate;
    rate = cbr.rate;
  } else if (mode != FH_NO_MODE
             && (mode == layout->rc_modes[h265][HAL_RC_VBR]
                 || mode == layout->rc_modes[h265][HAL_RC_AVBR]
                 || mode == layout->rc_modes[h265][HAL_RC_QVBR])) {
    if (vbr.max_percent < 120 || vbr.max_percent > 800 || vbr.i_max > 51
        || vbr.i_min > vbr.i_max || vbr.p_min > vbr.p_max)
      return false;
    settings->bitrate = vbr.bitrate;
    settings->qp_min = (int)vbr.p_min;
    settings->qp_max = (int)vbr.p_max;
    rate = vbr.rate;
  } else {
    return false;
  }
  if (rate.count == 0 || rate.time == 0)
    return false;
  if (settings->fps_num == 0) {
    settings->fps_num = rate.count;
    settings->fps_den = rate.time;
  }
  return mode == layout->rc_modes[h265][HAL_RC_CQP]
         || settings->bitrate >= 1000;
}

static bool
understand (const Config *config, SimSettings *settings)
{
  memset (settings, 0, sizeof *settings);
  settings->qp_min = settings->qp_max = -1;
  settings->gop = 1;
  if (config->type == FH_TYPE_JPEG) {
    settings->codec = HAL_CODEC_JPEG;
    settings->width = settings->height = 64;
    settings->fps_num = 25;
    settings->fps_den = 1;
    return config->of.jpeg.qp <= 98;
  }
  if (config->type == FH_TYPE_MJPEG) {
    FhMjpegCqp cqp;

    memcpy (&cqp, config->rc, sizeof cqp);
    settings->codec = HAL_CODEC_JPEG;
    settings->width = config->of.mjpeg.size.width;
    settings->height = config->of.mjpeg.size.height;
    settings->fps_num = cqp.rate.count;
    settings->fps_den = cqp.rate.time;
    return config->rc_mode == FH_RC_MJPEG_CQP && cqp.qp <= 98
           && settings->fps_num > 0 && settings->fps_den > 0;
  }
  if (config->type != FH_TYPE_H264 && config->type != FH_TYPE_H265)
    return false;
  settings->codec
      = config->type == FH_TYPE_H265 ? HAL_CODEC_H265 : HAL_CODEC_H264;
  settings->width = config->of.video.size.width;
  settings->height = config->of.video.size.height;
  settings->gop = config->of.video.gop;
  if (config->type == FH_TYPE_H265
          ? config->of.video.profile != FH_PROFILE_H265_MAIN
          : config->of.video.profile != FH_PROFILE_BASELINE
                && config->of.video.profile != FH_PROFILE_MAIN)
    return false;
  return settings->gop > 0 && settings->width >= 16
         && understand_rc (config->rc_mode, config->rc, settings);
}

API (VENC_SetChnAttr) (uint32_t channel, const Config *config)
{
  SimControl *control = sim_engine_control ();
  SimSettings settings;

  if (channel >= FH_ENC_CHANNELS || channels[channel].cap.types == 0)
    return CHAN;
  if (!understand (config, &settings)
      || (channels[channel].cap.types & config->type) == 0
      || settings.width > channels[channel].cap.max.width
      || settings.height > channels[channel].cap.max.height)
    return PARAM;
  if (channels[channel].receiving || sim_fault (&control->refuse_sets))
    return NOT_READY;
  /* It is made anew, and what it was bound to is forgotten. */
  if (sim_channel_exists (channel))
    sim_channel_destroy (channel);
  channels[channel].type = config->type;
  channels[channel].bound = false;
  return sim_channel_create (channel, &settings, false) ? 0 : FAILURE;
}

/* Frames come if the channel is bound and receives. */
static void
update (uint32_t channel)
{
  bool run = channels[channel].bound && channels[channel].receiving;

  if (run == channels[channel].running)
    return;
  channels[channel].running = run;
  if (run)
    sim_channel_start (channel, channels[channel].type == FH_TYPE_JPEG);
  else
    sim_channel_stop (channel);
}

API (VENC_StartRecvPic) (uint32_t channel)
{
  if (channel >= FH_ENC_CHANNELS || !sim_channel_exists (channel))
    return CHAN;
  channels[channel].receiving = true;
  update (channel);
  return 0;
}

API (VENC_StopRecvPic) (uint32_t channel)
{
  if (channel >= FH_ENC_CHANNELS || !sim_channel_exists (channel))
    return CHAN;
  channels[channel].receiving = false;
  update (channel);
  return 0;
}

static int32_t
bind_channel (uint32_t vpu, uint32_t channel)
{
  SimSettings settings;

  if (vpu >= FH_VPU_CHANNELS || !vpus[vpu].open || channel >= FH_ENC_CHANNELS
      || !sim_channel_exists (channel))
    return CHAN;
  if (channels[channel].type != FH_TYPE_JPEG
      && (!sim_channel_get_settings (channel, &settings)
          || settings.width != vpus[vpu].size.width
          || settings.height != vpus[vpu].size.height))
    return PARAM;
  channels[channel].vpu = vpu;
  channels[channel].bound = true;
  if (channels[channel].type != FH_TYPE_JPEG)
    apply_rate (channel);
  else
    atomic_fetch_add (&sim_engine_control ()->snapshots, 1);
  update (channel);
  return 0;
}

static int32_t
unbind_channel (uint32_t channel)
{
  if (channel >= FH_ENC_CHANNELS)
    return CHAN;
  channels[channel].bound = false;
  update (channel);
  return 0;
}

#if SIM_FULLHAN == 1
API (SYS_BindVpu2Enc) (uint32_t vpu, uint32_t channel)
{
  return bind_channel (vpu, channel);
}

API (SYS_UnBindbyDst) (uint32_t channel)
{
  return unbind_channel (channel);
}
#else
static bool
is_right (FhBind to)
{
  bool jpeg
      = to.channel < FH_ENC_CHANNELS
        && (channels[to.channel].type & (FH_TYPE_JPEG | FH_TYPE_MJPEG)) != 0;

  return to.device == 0 && to.object == (jpeg ? FH_OBJECT_JPEG : FH_OBJECT_ENC);
}

API (SYS_Bind) (FhBind from, FhBind to)
{
  if (from.object != FH_OBJECT_VPU_OUT || from.device != 0 || !is_right (to))
    return PARAM;
  return bind_channel (from.channel, to.channel);
}

API (SYS_UnBindbyDst) (FhBind to)
{
  return is_right (to) ? unbind_channel (to.channel) : PARAM;
}

API (VENC_DestroyChn) (uint32_t channel)
{
  SimControl *control = sim_engine_control ();

  /* What a killed process left is removed like any other. */
  if (channel < FH_ENC_CHANNELS
      && (atomic_load (&control->leftover) & 1u << channel) != 0) {
    atomic_fetch_and (&control->leftover, ~(1u << channel));
    return 0;
  }
  if (channel >= FH_ENC_CHANNELS || channels[channel].cap.types == 0)
    return CHAN;
  if (sim_channel_exists (channel))
    sim_channel_destroy (channel);
  memset (&channels[channel], 0, sizeof channels[channel]);
  return 0;
}
#endif

static uint32_t
stream_type (uint32_t channel)
{
  switch (atomic_load (&channels[channel].type)) {
    case FH_TYPE_H264:
      return FH_STREAM_H264;
    case FH_TYPE_H265:
      return FH_STREAM_H265;
    case FH_TYPE_MJPEG:
      return FH_STREAM_MJPEG;
    default:
      return FH_STREAM_JPEG;
  }
}

/* The next frame of the types, each channel in its turn. */
static const SimFrame *
next_frame (uint32_t types, uint32_t *ret_channel)
{
  uint32_t i;

  for (i = 0; i < FH_ENC_CHANNELS; i++) {
    uint32_t channel = (turn + i) % FH_ENC_CHANNELS;

    if (channels[channel].running && (types & stream_type (channel)) != 0
        && sim_channel_packs (channel) > 0) {
      const SimFrame *frame = sim_channel_get (channel);

      if (frame != NULL) {
        *ret_channel = channel;
        turn = channel + 1;
        return frame;
      }
    }
  }
  return NULL;
}

static void
wait_frame (uint32_t types, int ms)
{
  struct pollfd fds[FH_ENC_CHANNELS];
  nfds_t n = 0;
  uint32_t i;

  for (i = 0; i < FH_ENC_CHANNELS; i++) {
    if (channels[i].running && (types & stream_type (i)) != 0) {
      fds[n].fd = sim_channel_fd (i);
      fds[n++].events = POLLIN;
    }
  }
  poll (fds, n, ms);
}

static void
fill_video (Stream *stream, const SimFrame *frame, uint32_t size)
{
  uint32_t i;

  stream->of.video.data = (uint8_t *)frame->packs[0].data[0];
  stream->of.video.frame_type = frame->key ? 2 : 0;
  stream->of.video.length = size;
  stream->of.video.pts = frame->pts;
  /* There may be more NAL units than places for them. */
  stream->of.video.n_nals
      = frame->n_packs < FH_MAX_NALS ? frame->n_packs : FH_MAX_NALS;
  for (i = 0; i < stream->of.video.n_nals; i++) {
    stream->of.video.nals[i].type = frame->packs[i].type;
    stream->of.video.nals[i].length = (uint32_t)frame->packs[i].size[0];
    stream->of.video.nals[i].data = (uint8_t *)frame->packs[i].data[0];
  }
}

static void
fill (Stream *stream, const SimFrame *frame, uint32_t channel)
{
  uint32_t type = stream_type (channel), size = 0, i;
  bool insane = sim_fault (&sim_engine_control ()->insane);
  uint32_t named = insane ? 0x5a5a5a5a : channel;

  for (i = 0; i < frame->n_packs; i++)
    size += (uint32_t)frame->packs[i].size[0];
  sim_check_out (stream, sizeof *stream);
  memset (stream, 0, sizeof *stream);
  stream->type = type;
#if SIM_FULLHAN == 2
  stream->channel = named;
#endif
  if (type == FH_STREAM_H264 || type == FH_STREAM_H265) {
    fill_video (stream, frame, size);
#if SIM_FULLHAN == 1
    stream->of.video.channel = named;
#endif
    return;
  }
#if SIM_FULLHAN == 1
  stream->of.jpeg.channel = named;
#endif
  stream->of.jpeg.data = (uint8_t *)frame->packs[0].data[0];
  stream->of.jpeg.length = size;
  stream->of.jpeg.pts = frame->pts;
}

static int32_t
get (uint32_t types, Stream *stream, int ms)
{
  SimControl *control = sim_engine_control ();
  const SimFrame *frame;
  uint32_t channel;

  if (held != NO_CHANNEL)
    atomic_fetch_add (&control->order_errors, 1);
  wait_frame (types, ms);
  if (sim_fault (&control->eintr)) {
    errno = EINTR;
    return -1;
  }
  if (sim_fault (&control->get_failures))
    return FAILURE;
  if (sim_get_code () != 0)
    return sim_get_code ();
  frame = next_frame (types, &channel);
  if (frame == NULL)
    return EMPTY;
  held = channel;
  fill (stream, frame, channel);
  return 0;
}

static int32_t
release (uint32_t channel)
{
  if (held == NO_CHANNEL)
    atomic_fetch_add (&sim_engine_control ()->order_errors, 1);
  /* A number that cannot be is the fault above: what is out goes back. */
  if (channel != held)
    channel = held;
  held = NO_CHANNEL;
  return sim_channel_release (channel) ? 0 : PARAM;
}

#if SIM_FULLHAN == 1
API (VENC_GetStream_Block) (uint32_t types, Stream *stream)
{
  return get (types, stream, GET_MS);
}

API (VENC_ReleaseStream) (uint32_t channel)
{
  return release (channel);
}
#else
API (VENC_GetStream_Timeout) (uint32_t types, Stream *stream, uint32_t ms)
{
  return get (types, stream, (int)ms < GET_MS ? (int)ms : GET_MS);
}

API (VENC_ReleaseStream) (Stream *stream)
{
  uint32_t channel = stream->channel;

  memset (stream, SIM_POISON, sizeof *stream);
  return release (channel);
}
#endif

API (VENC_RequestIDR) (uint32_t channel)
{
  return sim_channel_idr (channel) ? 0 : CHAN;
}

API (VENC_SetRCAttr) (uint32_t channel, const FhRcA *rc)
{
  SimSettings settings;

  if (!sim_channel_get_settings (channel, &settings))
    return CHAN;
  if (!understand_rc (rc->mode, rc->words, &settings))
    return PARAM;
  if (sim_fault (&sim_engine_control ()->refuse_sets))
    return NOT_READY;
  sim_channel_set_settings (channel, &settings);
  return 0;
}

API (VENC_SetRcChangeParam) (uint32_t channel, const Change *change)
{
  const FhChangeA *a = (const FhChangeA *)change;
  SimSettings settings;

  if (!sim_channel_get_settings (channel, &settings))
    return CHAN;
  if (a->bitrate < 1000 || a->i_min > a->i_max || a->p_min > a->p_max
      || a->i_max > 51 || a->p_max > 51 || a->rate.count == 0
      || a->rate.time == 0)
    return PARAM;
#if SIM_FULLHAN == 2
  if (change->max_percent < 120 || change->max_percent > 800)
    return PARAM;
#endif
  if (sim_fault (&sim_engine_control ()->refuse_sets))
    return NOT_READY;
  settings.bitrate = a->bitrate;
  settings.qp_min = (int)a->p_min;
  settings.qp_max = (int)a->p_max;
  sim_channel_set_settings (channel, &settings);
  return 0;
}

#if SIM_FULLHAN == 2
API (VENC_SetEncParam) (uint32_t channel, uint32_t what, const uint32_t *param)
{
  SimSettings settings;

  if (!sim_channel_get_settings (channel, &settings))
    return CHAN;
  if (what != FH_PARAM_GOP || *param == 0)
    return PARAM;
  settings.gop = *param;
  sim_channel_set_settings (channel, &settings);
  return 0;
}
#endif

API (VENC_GetCurPts) (uint64_t *us)
{
  *us = sim_engine_now ();
  return 0;
}
