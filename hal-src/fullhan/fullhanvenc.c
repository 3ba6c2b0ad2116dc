/* Encoder channels of Fullhan: an output of the scaler, the channel, and what
 * binds them. Which calls overlap: halbackend.h; vendor_lock serialises what
 * makes or removes channels of different streams.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "fullhanprivate.h"

#define DEFAULT_WIDTH 1920
#define DEFAULT_HEIGHT 1080

static FhContext *
context_of (const FhStream *stream)
{
  return (FhContext *)stream->base.context;
}

static uint32_t
stream_mask (HalCodec codec)
{
  return codec == HAL_CODEC_H264   ? FH_STREAM_H264
         : codec == HAL_CODEC_H265 ? FH_STREAM_H265
                                   : FH_STREAM_MJPEG;
}

/* Memory of a channel is only given back by FH_SYS_Exit, in A: what exists is
 * used again, if it is large enough. With vendor_lock. */
static HalStatus
create_channel (FhContext *context, uint32_t channel, uint32_t types,
                const FhSize *size, HalError *error)
{
  const FhApi *api = &context->library.api;
  FhCap *created = &context->created[channel];
  FhCap cap = { types, *size, 0 };
  int32_t code;

  if (created->types != 0) {
    if ((created->types & types) == types && created->max.width >= size->width
        && created->max.height >= size->height)
      return HAL_OK;
    return hal_fail (
        error, HAL_NO_MEMORY, "FH_VENC_CreateChn", 0,
        "start with the largest size, or stop all streams before a change",
        "FH_VENC_CreateChn: channel %u was made for another codec, or for at "
        "most %ux%u",
        (unsigned)channel, (unsigned)created->max.width,
        (unsigned)created->max.height);
  }
  errno = 0;
  code = api->create (channel, &cap);
  /* What a program left behind that was killed: it is removed, or goes with the
   * system, if nobody of ours uses that. */
  if (code == FH_ERROR_EXISTS && api->destroy != NULL) {
    api->destroy (channel);
    code = api->create (channel, &cap);
  } else if (code == FH_ERROR_EXISTS && context->n_open == 0) {
    memset (context->created, 0, sizeof context->created);
    api->exit ();
    code = api->init ();
    if (code != 0)
      return fh_fail (error, "FH_SYS_Init", code);
    code = api->create (channel, &cap);
  }
  if (code != 0)
    return fh_fail (error, "FH_VENC_CreateChn", code);
  *created = cap;
  return HAL_OK;
}

/* With vendor_lock. */
static void
remove_channel (FhContext *context, uint32_t channel)
{
  if (context->library.api.destroy == NULL)
    return;
  context->library.api.destroy (channel);
  memset (&context->created[channel], 0, sizeof context->created[channel]);
}

/* Encoder and scaler have the same size. In A the scaler is told; in B its
 * output is there already, with its size as the first member of its
 * attributes in all versions. */
static HalStatus
complete_size (FhStream *stream, HalError *error)
{
  const FhLibrary *library = &context_of (stream)->library;
  HalStreamConfig *config = &stream->base.config;
  bool given = config->width != 0 && config->height != 0;
  hal_u64 attr[FH_OUT_SIZE / 8] = { 0 };
  FhSize size = { DEFAULT_WIDTH, DEFAULT_HEIGHT };
  int32_t code;

  if (library->layout->generation == FH_B) {
    code = library->api.vpu_get_b (stream->group, stream->vpu, attr);
    if (code != 0)
      return fh_fail (error, "FH_VPSS_GetChnAttr", code);
    size.width = hal_get_u32 (attr, offsetof (FhSize, width));
    size.height = hal_get_u32 (attr, offsetof (FhSize, height));
    if (size.width < 16 || size.width > FH_MAX_WIDTH || size.height < 16
        || size.height > FH_MAX_HEIGHT)
      return hal_fail (
          error, HAL_INSANE, "FH_VPSS_GetChnAttr", 0,
          "has the program that runs the scaler set this output up?",
          "output %u of the scaler is %ux%u", (unsigned)stream->vpu,
          (unsigned)size.width, (unsigned)size.height);
    if (given && (size.width != config->width || size.height != config->height))
      return hal_fail (error, HAL_INVALID, "FH_VPSS_GetChnAttr", 0,
                       "leave the size open, or take another input-channel",
                       "%ux%u is not the %ux%u of the scaler's output %u",
                       config->width, config->height, (unsigned)size.width,
                       (unsigned)size.height, (unsigned)stream->vpu);
  }
  if (!given) {
    config->width = size.width;
    config->height = size.height;
  }
  return HAL_OK;
}

/* With vendor_lock. */
static HalStatus
make_channel (FhStream *stream, HalError *error)
{
  FhContext *context = context_of (stream);
  const FhLibrary *library = &context->library;
  const HalStreamConfig *config = &stream->base.config;
  FhSize size = { config->width, config->height };
  hal_u64 attr[FH_OUT_SIZE / 8] = { 0 };
  FhRate rate = fh_rate (config);
  const char *call = NULL;
  HalStatus status;
  int32_t code;

  status = fh_config_fill (library->layout, config, attr, error);
  if (status == HAL_OK)
    status = create_channel (context, stream->channel,
                             stream->jpeg ? FH_TYPE_MJPEG
                                          : FH_TYPE_H264 | FH_TYPE_H265,
                             &size, error);
  if (status != HAL_OK)
    return status;
  code = fh_vpu_open (library, stream->group, stream->vpu, &size,
                      context->vo_mode, &rate, &call);
  if (code == 0) {
    call = "FH_VENC_SetChnAttr";
    code = library->api.set_config (stream->channel, attr);
    if (code != 0)
      fh_vpu_close (library, stream->group, stream->vpu);
  }
  if (code == 0)
    return HAL_OK;
  remove_channel (context, stream->channel);
  return fh_fail (error, call, code);
}

/* CBR has its limits apart from the attributes. */
static HalStatus
set_limits (FhStream *stream, HalError *error)
{
  const HalStreamConfig *config = &stream->base.config;
  FhChangeB change;
  int32_t code;

  if (stream->jpeg || config->rate_control != HAL_RC_CBR
      || (config->qp_min < 0 && config->qp_max < 0))
    return HAL_OK;
  fh_change_fill (config, &change);
  code = context_of (stream)->library.api.change_rc (stream->channel, &change);
  return code == 0 ? HAL_OK : fh_fail (error, "FH_VENC_SetRcChangeParam", code);
}

static void
free_stream (FhStream *stream)
{
  free (stream->held.data);
  hal_stream_finish (&stream->base);
  free (stream);
}

static void
unmake_channel (FhStream *stream)
{
  FhContext *context = context_of (stream);

  pthread_mutex_lock (&context->vendor_lock);
  fh_reader_pause (context);
  fh_vpu_close (&context->library, stream->group, stream->vpu);
  remove_channel (context, stream->channel);
  fh_reader_resume (context);
  context->n_open--;
  pthread_mutex_unlock (&context->vendor_lock);
}

HalStatus
fh_stream_create (HalContext *base, const HalStreamConfig *config,
                  HalStream **ret_stream, HalError *error)
{
  FhContext *context = (FhContext *)base;
  FhStream *stream = calloc (1, sizeof *stream);
  HalStatus status;

  if (stream == NULL)
    return hal_fail (error, HAL_NO_MEMORY, "", 0, NULL, "out of memory");
  hal_stream_init (&stream->base, base, config);
  stream->channel = config->id;
  stream->group = config->input_group >= 0 ? (uint32_t)config->input_group : 0;
  stream->vpu = config->input_channel >= 0 ? (uint32_t)config->input_channel
                                           : config->id;
  stream->jpeg = config->codec == HAL_CODEC_JPEG;
  pthread_mutex_lock (&context->vendor_lock);
  status = complete_size (stream, error);
  fh_reader_pause (context);
  if (status == HAL_OK)
    status = make_channel (stream, error);
  fh_reader_resume (context);
  context->n_open += status == HAL_OK;
  pthread_mutex_unlock (&context->vendor_lock);
  if (status == HAL_OK) {
    status = set_limits (stream, error);
    if (status == HAL_OK
        && !fh_port_open (context, stream->channel, config->codec,
                          stream_mask (config->codec)))
      status = hal_fail (error, HAL_NO_MEMORY, "eventfd", 0, NULL,
                         "no file descriptor left");
    if (status == HAL_OK) {
      *ret_stream = &stream->base;
      return HAL_OK;
    }
    unmake_channel (stream);
  }
  free_stream (stream);
  return status;
}

void
fh_stream_destroy (HalStream *base)
{
  FhStream *stream = (FhStream *)base;

  fh_port_close (context_of (stream), stream->channel);
  unmake_channel (stream);
  free_stream (stream);
}

HalStatus
fh_channel_start (FhStream *stream, HalError *error)
{
  const FhLibrary *library = &context_of (stream)->library;
  int32_t code = library->api.start (stream->channel);

  if (code != 0)
    return fh_fail (error, "FH_VENC_StartRecvPic", code);
  code = fh_bind (library, stream->group, stream->vpu, stream->channel,
                  stream->jpeg);
  if (code != 0) {
    library->api.stop (stream->channel);
    return fh_fail (error, "FH_SYS_Bind", code);
  }
  return HAL_OK;
}

void
fh_channel_stop (FhStream *stream)
{
  const FhLibrary *library = &context_of (stream)->library;

  fh_unbind (library, stream->channel, stream->jpeg);
  library->api.stop (stream->channel);
}

HalStatus
fh_stream_start (HalStream *base, HalError *error)
{
  FhStream *stream = (FhStream *)base;
  HalStatus status;

  fh_port_start (context_of (stream), stream->channel,
                 base->places.get != NULL ? &base->places : NULL);
  status = fh_channel_start (stream, error);
  if (status != HAL_OK)
    fh_port_stop (context_of (stream), stream->channel);
  return status;
}

void
fh_stream_stop (HalStream *base)
{
  FhStream *stream = (FhStream *)base;

  fh_reader_pause (context_of (stream));
  fh_channel_stop (stream);
  fh_port_stop (context_of (stream), stream->channel);
  fh_reader_resume (context_of (stream));
}

int
fh_stream_fd (HalStream *base)
{
  FhStream *stream = (FhStream *)base;

  return fh_port_want (context_of (stream), stream->channel);
}

HalStatus
fh_get_frame (HalStream *base, HalFrame *frame, HalError *error)
{
  FhStream *stream = (FhStream *)base;
  HalStatus status = fh_port_take (context_of (stream), stream->channel,
                                   &stream->held, error);

  if (status != HAL_OK)
    return status;
  frame->sequence = stream->held.sequence;
  frame->raw_pts = stream->held.raw_pts;
  frame->pts = hal_micro_clock_ns (&context_of (stream)->clock, frame->raw_pts);
  frame->place = stream->held.place;
  stream->held.place = NULL;
  return hal_segments_add (&base->segments,
                           frame->place != NULL ? stream->held.placed
                                                : stream->held.data,
                           stream->held.size, 0, error);
}

/* The library has it back already. */
HalStatus
fh_release_frame (HalStream *base, HalError *error)
{
  return HAL_OK;
}

HalStatus
fh_request_idr (HalStream *base, HalError *error)
{
  FhStream *stream = (FhStream *)base;
  int32_t code = context_of (stream)->library.api.request_idr (stream->channel);

  return code == 0 ? HAL_OK : fh_fail (error, "FH_VENC_RequestIDR", code);
}

/* Binding a channel for single pictures takes one, and unbinds it. */
static HalStatus
take_picture (FhStream *of, uint64_t timeout, FhFrame *frame, HalError *error)
{
  FhContext *context = context_of (of);
  const FhLibrary *library = &context->library;
  uint64_t ms = timeout / HAL_MSECOND;
  struct pollfd fd = { .events = POLLIN };
  HalStatus status;
  int32_t code = library->api.start (FH_SNAPSHOT_CHANNEL);

  if (code != 0)
    return fh_fail (error, "FH_VENC_StartRecvPic", code);
  fh_port_start (context, FH_SNAPSHOT_CHANNEL, NULL);
  code = fh_bind (library, of->group, of->vpu, FH_SNAPSHOT_CHANNEL, true);
  if (code != 0) {
    status = fh_fail (error, "FH_SYS_Bind", code);
  } else {
    fd.fd = fh_port_want (context, FH_SNAPSHOT_CHANNEL);
    status = poll (&fd, 1, ms > INT32_MAX ? INT32_MAX : (int)ms) > 0
                 ? fh_port_take (context, FH_SNAPSHOT_CHANNEL, frame, error)
                 : HAL_AGAIN;
    /* What did not fit into the library's buffer is a frame of no bytes. */
    if (status == HAL_AGAIN)
      status = hal_fail (error, HAL_TIMEOUT, "FH_VENC_GetStream", 0, NULL,
                         "no picture came in time");
    else if (status == HAL_OK && frame->size == 0)
      status = hal_fail (error, HAL_NO_MEMORY, "FH_VENC_GetStream", 0,
                         "a lower quality, or a larger buffer for JPEG",
                         "the picture does not fit into the buffer");
    fh_unbind (library, FH_SNAPSHOT_CHANNEL, true);
  }
  fh_reader_pause (context);
  library->api.stop (FH_SNAPSHOT_CHANNEL);
  fh_port_stop (context, FH_SNAPSHOT_CHANNEL);
  fh_reader_resume (context);
  return status;
}

HalStatus
fh_snapshot (HalStream *base, unsigned quality, uint64_t timeout,
             HalSnapshotFunc func, void *user, HalError *error)
{
  FhStream *stream = (FhStream *)base;
  FhContext *context = context_of (stream);
  FhSize size = { base->config.width, base->config.height };
  FhConfigB config = { 0 };
  FhFrame frame = { 0 };
  HalSegment segment;
  HalStatus status;
  int32_t code;

  config.type = FH_TYPE_JPEG;
  config.of.jpeg.qp = quality < 98 ? quality : 98;
  pthread_mutex_lock (&context->vendor_lock);
  status = create_channel (context, FH_SNAPSHOT_CHANNEL, FH_TYPE_JPEG, &size,
                           error);
  if (status == HAL_OK) {
    code = context->library.api.set_config (FH_SNAPSHOT_CHANNEL, &config);
    if (code != 0)
      status = fh_fail (error, "FH_VENC_SetChnAttr", code);
    else if (!fh_port_open (context, FH_SNAPSHOT_CHANNEL, HAL_CODEC_JPEG,
                            FH_STREAM_JPEG))
      status = hal_fail (error, HAL_NO_MEMORY, "eventfd", 0, NULL,
                         "no file descriptor left");
    if (status == HAL_OK) {
      status = take_picture (stream, timeout, &frame, error);
      fh_port_close (context, FH_SNAPSHOT_CHANNEL);
    }
    fh_reader_pause (context);
    remove_channel (context, FH_SNAPSHOT_CHANNEL);
    fh_reader_resume (context);
  }
  pthread_mutex_unlock (&context->vendor_lock);
  if (status == HAL_OK) {
    segment.data = frame.data;
    segment.size = frame.size;
    segment.pack = 0;
    func (user, &segment, 1);
  }
  free (frame.data);
  return status;
}
