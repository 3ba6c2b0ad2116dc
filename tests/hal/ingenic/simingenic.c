/* Ingenic's media library, simulated: the names that the vendor exports,
 * around tests/hal/sim/simengine.c. SIM_INGENIC is the generation that it is
 * compiled as.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "simingenic.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define CHANNELS 8
#define SOURCES 4

#if SIM_INGENIC == 31 || SIM_INGENIC == 40 || SIM_INGENIC == 41                \
    || SIM_INGENIC == 100
#define NEW_KIND 1
typedef IngenicRingStream Stream;
typedef IngenicRingPack Pack;
#if SIM_INGENIC == 41
typedef IngenicT41Attr Attr;
#else
typedef IngenicT31Attr Attr;
#endif
typedef IngenicRcMode Rc;
#else
#define NEW_KIND 0
typedef IngenicStreamOld Stream;
typedef IngenicPack Pack;
typedef IngenicAttrOld Attr;
typedef IngenicRcOld Rc;
#endif
#if SIM_INGENIC == 20
#define CHIP "T20-X"
#define VERSION "IMP-3.12.0"
#elif SIM_INGENIC == 21
#define CHIP "T21-N"
#define VERSION "IMP-1.0.33"
#elif SIM_INGENIC == 23
#define CHIP "T23-N"
#define VERSION "IMP-1.3.0"
#elif SIM_INGENIC == 30
#define CHIP "T30-X"
#define VERSION "IMP-1.0.5"
#elif SIM_INGENIC == 31
#define CHIP "T31-X"
#define VERSION "IMP-1.1.6"
#elif SIM_INGENIC == 40
#define CHIP "T40-N"
#define VERSION "IMP-1.3.1"
#elif SIM_INGENIC == 41
#define CHIP "T41-N"
#define VERSION "IMP-1.2.5"
#else
#define CHIP "C100"
#define VERSION "IMP-2.1.0"
#endif

/* Protected by lock; the frames of a channel by who reads it. */
static struct
{
  bool registered, starved;
  int group;
  Attr attr;
  Pack packs[SIM_MAX_NALS];
} state[CHANNELS];
static struct
{
  bool source, enabled, group, bound;
  unsigned members;
} sources[SOURCES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#ifdef SIM_NEEDS
/* Of a library that this one does not name. */
extern int SIM_NEEDS (void);
#endif

SIM_EXPORT SimControl *sim_control (void);

SIM_EXPORT SimControl *
sim_control (void)
{
  return sim_engine_control ();
}

/* System */

/* "chip/version", or the library's own. */
static void
identity (char *chip, char *version, size_t size)
{
  const char *given = sim_engine_control ()->version;
  const char *slash = strchr (given, '/');

  snprintf (chip, size, "%s", CHIP);
  snprintf (version, size, "%s", VERSION);
  if (slash == NULL)
    return;
  snprintf (chip, size, "%.*s", (int)(slash - given), given);
  snprintf (version, size, "%s", slash + 1);
}

SIM_EXPORT const char *
IMP_System_GetCPUInfo (void)
{
  static char chip[64];
  char version[64];

  identity (chip, version, sizeof chip);
  return chip;
}

API (System_GetVersion) (IngenicVersion *version)
{
  char chip[64];

  sim_check_out (version, sizeof *version);
  identity (chip, version->text, sizeof version->text);
  return 0;
}

API (System_Init) (void)
{
#ifdef SIM_NEEDS
  if (SIM_NEEDS () == 0)
    return -1;
#endif
  if (!sim_sensor_is_on ())
    return out_of_order ();
  sim_engine_init ();
  return 0;
}

API (System_Exit) (void)
{
  unsigned i;

  for (i = 0; i < SOURCES; i++) {
    if (sources[i].source || sources[i].group)
      return out_of_order ();
  }
  sim_engine_exit ();
  return 0;
}

SIM_EXPORT int64_t
IMP_System_GetTimeStamp (void)
{
  return (int64_t)sim_engine_now ();
}

/* FrameSource and binding */

#if SIM_INGENIC == 40 || SIM_INGENIC == 41
typedef IngenicT40SourceAttr SourceAttr;
#define SOURCE(given) (&(given)->attr)
#else
typedef IngenicSourceAttr SourceAttr;
#define SOURCE(given) (given)
#endif

static bool
is_source (int number)
{
  return number >= 0 && number < SOURCES && sources[number].source;
}

API (FrameSource_CreateChn) (int number, const SourceAttr *given)
{
  const IngenicSourceAttr *attr = SOURCE (given);

  if (number < 0 || number >= SOURCES || sources[number].source)
    return fail (EBUSY);
  if (attr->pixel_format != INGENIC_PIXEL_NV12 || attr->width < 16
      || attr->height < 16 || attr->fps_num < 1 || attr->fps_den < 1
      || attr->n_buffers < 1
      || (attr->scaler.enable
          && (attr->scaler.width != attr->width
              || attr->scaler.height != attr->height)))
    return fail (EINVAL);
  sources[number].source = true;
  return 0;
}

API (FrameSource_SetChnAttr) (int number, const SourceAttr *given)
{
  const IngenicSourceAttr *attr = SOURCE (given);

  if (!is_source (number) || sources[number].enabled)
    return out_of_order ();
  return attr->pixel_format == INGENIC_PIXEL_NV12 ? 0 : -1;
}

API (FrameSource_DestroyChn) (int number)
{
  if (!is_source (number) || sources[number].enabled || sources[number].bound)
    return out_of_order ();
  sources[number].source = false;
  return 0;
}

API (FrameSource_EnableChn) (int number)
{
  if (!is_source (number) || sources[number].enabled)
    return out_of_order ();
  sources[number].enabled = true;
  return 0;
}

API (FrameSource_DisableChn) (int number)
{
  if (!is_source (number) || !sources[number].enabled)
    return out_of_order ();
  sources[number].enabled = false;
  return 0;
}

static bool
is_pair (const IngenicCell *from, const IngenicCell *to)
{
  return from->device == INGENIC_DEVICE_FRAME_SOURCE
         && to->device == INGENIC_DEVICE_ENCODER && from->group == to->group
         && from->output == 0 && to->output == 0 && is_source (from->group)
         && sources[to->group].group;
}

API (System_Bind) (const IngenicCell *from, const IngenicCell *to)
{
  if (!is_pair (from, to) || sources[to->group].bound)
    return out_of_order ();
  sources[to->group].bound = true;
  return 0;
}

API (System_UnBind) (const IngenicCell *from, const IngenicCell *to)
{
  if (!is_pair (from, to) || !sources[to->group].bound)
    return out_of_order ();
  sources[to->group].bound = false;
  return 0;
}

/* Encoder */

API (Encoder_CreateGroup) (int group)
{
  if (group < 0 || group >= SOURCES || sources[group].group)
    return fail (EBUSY);
  sources[group].group = true;
  return 0;
}

API (Encoder_DestroyGroup) (int group)
{
  if (group < 0 || group >= SOURCES || !sources[group].group
      || sources[group].bound || sources[group].members > 0)
    return out_of_order ();
  sources[group].group = false;
  return 0;
}

#if NEW_KIND
static bool
is_rate_mode (uint32_t mode)
{
  return mode == INGENIC_RC_CBR || mode == INGENIC_RC_VBR
         || mode == INGENIC_RC_CAPPED_VBR || mode == INGENIC_RC_CAPPED_QUALITY;
}

API (Encoder_SetDefaultParam)
(Attr *attr, uint32_t profile, uint32_t mode, uint16_t width, uint16_t height,
 uint32_t fps_num, uint32_t fps_den, uint32_t gop, int max_same_scene,
 int initial_qp, uint32_t kbits)
{
  uint32_t type = profile >> 24;

  if ((type != INGENIC_TYPE_H264 && type != INGENIC_TYPE_H265
       && type != INGENIC_TYPE_JPEG)
      || (mode != INGENIC_RC_FIXQP && !is_rate_mode (mode)) || fps_den == 0
      || (type == INGENIC_TYPE_JPEG && mode != INGENIC_RC_FIXQP)
      || max_same_scene < 0)
    return -1;
  sim_check_out (attr, sizeof *attr);
  memset (attr, 0, sizeof *attr);
  attr->profile = profile;
  attr->width = width;
  attr->height = height;
  attr->rc.mode = mode;
  attr->fps.num = fps_num;
  attr->fps.den = fps_den;
  attr->gop_mode = 2;
  attr->gop = (uint16_t)gop;
  if (mode == INGENIC_RC_FIXQP) {
    attr->rc.u.qp = (int16_t)initial_qp;
  } else if (mode == INGENIC_RC_CBR) {
    attr->rc.u.cbr.target = kbits * 1000;
    attr->rc.u.cbr.qp_min = 15;
    attr->rc.u.cbr.qp_max = 48;
  } else {
    attr->rc.u.vbr.target = kbits * 1000;
    attr->rc.u.vbr.max = kbits * 4000 / 3;
    attr->rc.u.vbr.qp_min = 15;
    attr->rc.u.vbr.qp_max = 48;
  }
  return 0;
}

static void
understand_rc (const Rc *rc, SimSettings *settings)
{
  settings->bitrate = 0;
  settings->qp_min = settings->qp_max = rc->u.qp;
  if (rc->mode == INGENIC_RC_CBR) {
    settings->bitrate = rc->u.cbr.target;
    settings->qp_min = rc->u.cbr.qp_min;
    settings->qp_max = rc->u.cbr.qp_max;
  } else if (rc->mode != INGENIC_RC_FIXQP) {
    settings->bitrate = rc->u.vbr.target;
    settings->qp_min = rc->u.vbr.qp_min;
    settings->qp_max = rc->u.vbr.qp_max;
  }
}

/* What the encoder makes of its attributes; false: it refuses them. */
static bool
understand (const Attr *attr, SimSettings *settings)
{
  uint32_t type = attr->profile >> 24;

  memset (settings, 0, sizeof *settings);
  settings->codec = type == INGENIC_TYPE_H264   ? HAL_CODEC_H264
                    : type == INGENIC_TYPE_H265 ? HAL_CODEC_H265
                                                : HAL_CODEC_JPEG;
  settings->width = attr->width;
  settings->height = attr->height;
  settings->fps_num = attr->fps.num;
  settings->fps_den = attr->fps.den;
  settings->gop = attr->gop;
  understand_rc (&attr->rc, settings);
  if (settings->codec == HAL_CODEC_JPEG
      && (attr->rc.u.qp < 1 || attr->rc.u.qp > 100))
    return false;
#if SIM_INGENIC == 41
  if (attr->vpu != INGENIC_VPU_AVPU || attr->buffer_size != 0)
    return false;
#endif
  return settings->width >= 16 && settings->height >= 16
         && settings->fps_num > 0 && settings->fps_den > 0 && settings->gop > 0
         && attr->gop_mode == 2;
}
#else
/* Where the words of a mode with a bit rate have it. */
static unsigned
rate_word (uint32_t type, uint32_t mode)
{
  return type == INGENIC_PT_H264 && mode == INGENIC_OLD_RC_CBR ? 2 : 3;
}

static bool
understand_rc (uint32_t type, const Rc *rc, SimSettings *settings)
{
  settings->bitrate = 0;
  settings->qp_min = settings->qp_max = (int)rc->words[0];
  if (rc->mode > INGENIC_OLD_RC_SMART || rc->words[0] > 51)
    return false;
  if (rc->mode == INGENIC_OLD_RC_FIXQP)
    return true;
  /* The library has kbit/s. */
  settings->bitrate = rc->words[rate_word (type, rc->mode)] * 1000;
  settings->qp_max = (int)rc->words[0];
  settings->qp_min = (int)rc->words[1];
  return settings->bitrate > 0 && settings->qp_min <= settings->qp_max;
}

/* What the encoder makes of its attributes; false: it refuses them. */
static bool
understand (const Attr *attr, SimSettings *settings)
{
  memset (settings, 0, sizeof *settings);
  settings->codec = attr->type == INGENIC_PT_H264   ? HAL_CODEC_H264
                    : attr->type == INGENIC_PT_H265 ? HAL_CODEC_H265
                                                    : HAL_CODEC_JPEG;
  settings->width = attr->width;
  settings->height = attr->height;
  settings->fps_num = attr->fps.num;
  settings->fps_den = attr->fps.den;
  settings->gop = attr->gop;
  if (settings->codec == HAL_CODEC_JPEG)
    settings->gop = 1;
  else if (!understand_rc (attr->type, &attr->rc, settings))
    return false;
#if SIM_INGENIC == 20
  if (attr->type == INGENIC_PT_H265)
    return false;
#endif
  return attr->type <= INGENIC_PT_H265 && settings->width >= 16
         && settings->height >= 16 && settings->fps_num > 0
         && settings->fps_den > 0 && settings->gop > 0;
}
#endif

/* What a killed process had goes with it, so nothing is ever left over. */
API (Encoder_CreateChn) (int channel, const Attr *attr)
{
  SimControl *control = sim_engine_control ();
  SimSettings settings;

  if (channel < 0 || channel >= CHANNELS)
    return fail (EINVAL);
  if (sim_fault (&control->refuse_creates))
    return fail (ENOMEM);
  if (sim_fault (&control->busy_creates))
    return fail (EBUSY);
  if (sim_create_code () != 0)
    return -1;
  if (!understand (attr, &settings))
    return fail (EINVAL);
  if (!sim_channel_create ((unsigned)channel, &settings, NEW_KIND))
    return fail (EEXIST);
  memset (&state[channel], 0, sizeof state[channel]);
  state[channel].attr = *attr;
  return 0;
}

static bool
exists (int channel)
{
  return channel >= 0 && channel < CHANNELS
         && sim_channel_exists ((unsigned)channel);
}

API (Encoder_DestroyChn) (int channel)
{
  if (!exists (channel) || state[channel].registered)
    return out_of_order ();
  return sim_channel_destroy ((unsigned)channel) ? 0 : -1;
}

API (Encoder_RegisterChn) (int group, int channel)
{
  if (!exists (channel) || state[channel].registered || group < 0
      || group >= SOURCES || !sources[group].group)
    return out_of_order ();
  pthread_mutex_lock (&lock);
  state[channel].registered = true;
  state[channel].group = group;
  sources[group].members++;
  pthread_mutex_unlock (&lock);
  return 0;
}

API (Encoder_UnRegisterChn) (int channel)
{
  if (!exists (channel) || !state[channel].registered)
    return out_of_order ();
  pthread_mutex_lock (&lock);
  state[channel].registered = false;
  sources[state[channel].group].members--;
  pthread_mutex_unlock (&lock);
  return 0;
}

/* Pictures come through the group, from a source that runs. */
API (Encoder_StartRecvPic) (int channel)
{
  if (!exists (channel) || !state[channel].registered
      || !sources[state[channel].group].enabled
      || !sources[state[channel].group].bound)
    return out_of_order ();
  return sim_channel_start ((unsigned)channel, 0) ? 0 : -1;
}

API (Encoder_StopRecvPic) (int channel)
{
  return exists (channel) && sim_channel_stop ((unsigned)channel) ? 0 : -1;
}

API (Encoder_Query) (int channel, IngenicStatus *status)
{
  if (!exists (channel))
    return -1;
  sim_check_out (status, sizeof *status);
  status->registered = state[channel].registered;
  status->n_packs
      = state[channel].starved ? 0 : sim_channel_packs ((unsigned)channel);
  return 0;
}

API (Encoder_PollingStream) (int channel, uint32_t ms)
{
  return exists (channel) && sim_channel_wait ((unsigned)channel, ms) ? 0 : -1;
}

#if SIM_INGENIC != 20
API (Encoder_GetFd) (int channel)
{
  return exists (channel) ? sim_channel_fd ((unsigned)channel) : -1;
}
#endif

static void
fill_packs (int channel, const SimFrame *frame, Stream *stream)
{
  Pack *packs = state[channel].packs;
  unsigned i;

  memset (packs, 0, sizeof state[channel].packs);
  for (i = 0; i < frame->n_packs; i++) {
#if NEW_KIND
    packs[i].offset = (uint32_t)(frame->packs[i].data[0] - frame->ring);
    packs[i].nal_type = frame->packs[i].type;
#else
    packs[i].address = (uint8_t *)frame->packs[i].data[0];
    packs[i].type = frame->packs[i].type;
#endif
    packs[i].length
        = (uint32_t)(frame->packs[i].size[0] + frame->packs[i].size[1]);
    packs[i].pts = (int64_t)frame->pts;
    packs[i].frame_end = i + 1 == frame->n_packs;
  }
#if NEW_KIND
  stream->ring = frame->ring;
  stream->ring_size = (uint32_t)frame->ring_size;
#endif
  stream->packs = packs;
  stream->n_packs = frame->n_packs;
  stream->sequence = frame->sequence;
}

API (Encoder_GetStream) (int channel, Stream *stream, bool block)
{
  SimControl *control = sim_engine_control ();
  const SimFrame *frame = NULL;

  if (!exists (channel))
    return -1;
  if (block)
    return out_of_order ();
  if (sim_fault (&control->eintr))
    return fail (EINTR);
  state[channel].starved = false;
  if (sim_fault (&control->get_failures) || sim_get_code () != 0)
    return -1;
  if (sim_channel_packs ((unsigned)channel) > 0)
    frame = sim_channel_get ((unsigned)channel);
  state[channel].starved = frame == NULL;
  if (frame == NULL)
    return -1;
  sim_check_out (stream, sizeof *stream);
  fill_packs (channel, frame, stream);
  if (sim_fault (&control->insane))
    state[channel].packs[0].length = 0x7fffffff;
  return 0;
}

API (Encoder_ReleaseStream) (int channel, Stream *stream)
{
  if (!exists (channel) || stream->packs != state[channel].packs)
    return out_of_order ();
  memset (state[channel].packs, SIM_POISON, sizeof state[channel].packs);
  return sim_channel_release ((unsigned)channel) ? 0 : -1;
}

API (Encoder_RequestIDR) (int channel)
{
  return exists (channel) && sim_channel_idr ((unsigned)channel) ? 0 : -1;
}

/* A change of a channel's settings, unless it is refused. */
static bool
begin_set (int channel, SimSettings *settings)
{
  return exists (channel) && !sim_fault (&sim_engine_control ()->refuse_sets)
         && sim_channel_get_settings ((unsigned)channel, settings);
}

API (Encoder_SetChnFrmRate) (int channel, const IngenicFrameRate *fps)
{
  SimSettings settings;

  if (fps->num == 0 || fps->den == 0 || !begin_set (channel, &settings))
    return -1;
  settings.fps_num = fps->num;
  settings.fps_den = fps->den;
  return sim_channel_set_settings ((unsigned)channel, &settings) ? 0 : -1;
}

#if NEW_KIND
API (Encoder_SetChnBitRate) (int channel, int target, int max)
{
  SimSettings settings;

  if (target <= 0 || max < target || !begin_set (channel, &settings))
    return -1;
  if (!is_rate_mode (state[channel].attr.rc.mode))
    return -1;
  settings.bitrate = (uint32_t)target;
  return sim_channel_set_settings ((unsigned)channel, &settings) ? 0 : -1;
}

API (Encoder_SetChnGopLength) (int channel, int length)
{
  SimSettings settings;

  if (length < 1 || length > UINT16_MAX || !begin_set (channel, &settings))
    return -1;
  settings.gop = (unsigned)length;
  return sim_channel_set_settings ((unsigned)channel, &settings) ? 0 : -1;
}

/* T41 lost it. */
#if SIM_INGENIC != 41
API (Encoder_SetChnAttrRcMode) (int channel, const Rc *rc)
{
  SimSettings settings;

  if (!begin_set (channel, &settings))
    return -1;
  state[channel].attr.rc = *rc;
  understand_rc (rc, &settings);
  return sim_channel_set_settings ((unsigned)channel, &settings) ? 0 : -1;
}
#endif

API (Encoder_SetChnQpBounds) (int channel, int min, int max)
{
  SimSettings settings;

  if (min < 0 || max > 51 || min > max || !begin_set (channel, &settings))
    return -1;
  settings.qp_min = min;
  settings.qp_max = max;
  return sim_channel_set_settings ((unsigned)channel, &settings) ? 0 : -1;
}
#else
API (Encoder_SetGOPSize) (int channel, const IngenicGop *gop)
{
  SimSettings settings;

  if (gop->gop < 1 || !begin_set (channel, &settings))
    return -1;
  settings.gop = (unsigned)gop->gop;
  return sim_channel_set_settings ((unsigned)channel, &settings) ? 0 : -1;
}

API (Encoder_SetChnAttrRcMode) (int channel, const Rc *rc)
{
  SimSettings settings;

  if (!begin_set (channel, &settings)
      || !understand_rc (state[channel].attr.type, rc, &settings))
    return -1;
  state[channel].attr.rc = *rc;
  return sim_channel_set_settings ((unsigned)channel, &settings) ? 0 : -1;
}
#endif
