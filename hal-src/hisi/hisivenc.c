/* Encoder channels of HiSilicon and Goke: from an output of the scaler to
 * frames. Which calls overlap: halbackend.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "hisiprivate.h"

/* The encoder's picture size, if neither the user nor the scaler says. */
#define DEFAULT_WIDTH 1920
#define DEFAULT_HEIGHT 1080

#define ERROR_CODE_EXIST 4
#define ERROR_CODE_EXIST_V5 8

static const HisiLibrary *
library_of (const HisiStream *stream)
{
  return &((HisiContext *)stream->base.context)->library;
}

/* The size of the output of the scaler that feeds the channel. */
static void
complete_size (const HisiLibrary *library, int group, int channel,
               HalStreamConfig *config)
{
  hal_u64 attr[HISI_OUT_SIZE / 8] = { 0 };
  uint32_t width = DEFAULT_WIDTH, height = DEFAULT_HEIGHT;

  if (config->width != 0 && config->height != 0)
    return;
  if (library->layout->scaler.width != HAL_NO_OFFSET
      && library->api.scaler_get_attr != NULL
      && library->api.scaler_get_attr (group, channel, attr) == 0) {
    uint32_t w = hal_get_u32 (attr, library->layout->scaler.width);
    uint32_t h = hal_get_u32 (attr, library->layout->scaler.height);

    if (w >= 16 && w <= HISI_MAX_WIDTH && h >= 16 && h <= HISI_MAX_HEIGHT) {
      width = w;
      height = h;
    }
  }
  config->width = width;
  config->height = height;
}

static bool
exists_already (const HisiLayout *layout, int32_t code)
{
  return HISI_ERROR_MODULE (code) == layout->venc_module
         && HISI_ERROR_CODE (code)
                == (layout->generation == HISI_V5 ? ERROR_CODE_EXIST_V5
                                                  : ERROR_CODE_EXIST);
}

/* Creates the channel. One that exists is taken for what a program of ours
 * left behind that was killed, if it lets itself be removed. */
static HalStatus
create_channel (HisiStream *stream, HalError *error)
{
  const HisiLibrary *library = library_of (stream);
  hal_u64 attr[HISI_OUT_SIZE / 8] = { 0 };
  HalStatus status;
  int32_t code;

  hisi_attr_fill (library->layout, &stream->base.config, stream->src_fps, attr);
  status = hisi_rc_fill (library->layout, &stream->base.config, stream->src_fps,
                         attr, error);
  if (status != HAL_OK)
    return status;
  errno = 0;
  code = library->api.create (stream->channel, attr);
  if (exists_already (library->layout, code)) {
    library->api.sys_unbind (&stream->from, &stream->to);
    library->api.stop (stream->channel);
    if (library->api.remove_from_group != NULL)
      library->api.remove_from_group (stream->channel);
    library->api.destroy (stream->channel);
    if (library->api.destroy_group != NULL)
      library->api.destroy_group (stream->channel);
    code = library->api.create (stream->channel, attr);
  }
  if (code != 0)
    return hisi_fail_open (error, library->layout, "VENC_CreateChn", code);
  return HAL_OK;
}

/* v1 has a group between scaler and channel. */
static HalStatus
join_group (HisiStream *stream, HalError *error)
{
  const HisiLibrary *library = library_of (stream);
  int32_t code;

  if (library->api.create_group == NULL)
    return HAL_OK;
  code = library->api.create_group (stream->channel);
  if (code != 0)
    return hisi_fail (error, library->layout, "VENC_CreateGroup", code);
  code = library->api.add_to_group (stream->channel, stream->channel);
  if (code != 0) {
    library->api.destroy_group (stream->channel);
    return hisi_fail (error, library->layout, "VENC_RegisterChn", code);
  }
  stream->in_group = true;
  return HAL_OK;
}

static void
leave_group (HisiStream *stream)
{
  const HisiLibrary *library = library_of (stream);

  if (!stream->in_group)
    return;
  library->api.remove_from_group (stream->channel);
  library->api.destroy_group (stream->channel);
  stream->in_group = false;
}

static void
set_route (HisiStream *stream)
{
  const HisiLayout *layout = library_of (stream)->layout;
  const HalStreamConfig *config = &stream->base.config;
  bool groups = layout->generation == HISI_V1;

  stream->from.module = layout->vpss_module;
  stream->from.device = config->input_group >= 0 ? config->input_group : 0;
  stream->from.channel = config->input_channel >= 0 ? config->input_channel
                                                    : (int32_t)config->id;
  stream->to.module = groups ? HISI_MOD_GROUP : layout->venc_module;
  stream->to.device = groups ? stream->channel : 0;
  stream->to.channel = groups ? 0 : stream->channel;
}

static HalStatus
connect_channel (HisiStream *stream, HalError *error)
{
  const HisiLibrary *library = library_of (stream);
  int32_t code;
  HalStatus status = join_group (stream, error);

  if (status != HAL_OK)
    return status;
  status = hisi_qp_init (stream, error);
  if (status == HAL_OK && stream->base.config.n_roi > 0)
    status = hisi_roi_set (stream, &stream->base.config, error);
  if (status == HAL_OK) {
    stream->fd = library->api.get_fd (stream->channel);
    if (stream->fd < 0)
      status = hisi_fail (error, library->layout, "VENC_GetFd", stream->fd);
  }
  if (status == HAL_OK) {
    code = library->api.sys_bind (&stream->from, &stream->to);
    if (code == 0)
      return HAL_OK;
    status = hisi_fail (error, library->layout, "SYS_Bind", code);
    if (library->api.close_fd != NULL)
      library->api.close_fd (stream->channel);
  }
  leave_group (stream);
  return status;
}

static HalStatus
create_stream (HalContext *base, const HalStreamConfig *config, int channel,
               HisiStream **ret_stream, HalError *error)
{
  HisiContext *context = (HisiContext *)base;
  HisiStream *stream = calloc (1, sizeof *stream);
  HalStatus status;

  if (stream == NULL)
    return hal_fail (error, HAL_NO_MEMORY, "", 0, NULL, "out of memory");
  hal_stream_init (&stream->base, base, config);
  stream->channel = channel;
  stream->fd = -1;
  stream->default_qp_min = stream->default_qp_max = -1;
  set_route (stream);
  complete_size (&context->library, stream->from.device, stream->from.channel,
                 &stream->base.config);
  stream->src_fps
      = config->input_fps != 0
            ? config->input_fps
            : (config->fps_num + config->fps_den - 1) / config->fps_den;
  status = create_channel (stream, error);
  if (status == HAL_OK) {
    status = connect_channel (stream, error);
    if (status == HAL_OK) {
      *ret_stream = stream;
      return HAL_OK;
    }
    context->library.api.destroy (channel);
  }
  hal_stream_finish (&stream->base);
  free (stream);
  return status;
}

HalStatus
hisi_stream_create (HalContext *base, const HalStreamConfig *config,
                    HalStream **ret_stream, HalError *error)
{
  HisiStream *stream = NULL;
  HalStatus status
      = create_stream (base, config, (int)config->id, &stream, error);

  if (status == HAL_OK)
    *ret_stream = &stream->base;
  return status;
}

void
hisi_stream_destroy (HalStream *base)
{
  HisiStream *stream = (HisiStream *)base;
  const HisiLibrary *library = library_of (stream);

  library->api.sys_unbind (&stream->from, &stream->to);
  leave_group (stream);
  if (library->api.close_fd != NULL)
    library->api.close_fd (stream->channel);
  library->api.destroy (stream->channel);
  free (stream->packs);
  hal_stream_finish (base);
  free (stream);
}

static HalStatus
start_channel (HisiStream *stream, int count, HalError *error)
{
  const HisiLibrary *library = library_of (stream);
  HisiRecvParam param = { count };
  int32_t code;

  if (count < 0 && library->api.start != NULL)
    code = library->api.start (stream->channel);
  else
    code = library->api.start_count (stream->channel, &param);
  if (code != 0)
    return hisi_fail (error, library->layout, "VENC_StartRecv", code);
  return HAL_OK;
}

HalStatus
hisi_stream_start (HalStream *base, HalError *error)
{
  return start_channel ((HisiStream *)base, -1, error);
}

void
hisi_stream_stop (HalStream *base)
{
  HisiStream *stream = (HisiStream *)base;

  library_of (stream)->api.stop (stream->channel);
}

int
hisi_stream_fd (HalStream *base)
{
  return ((HisiStream *)base)->fd;
}

/* How many packs the next frame has, with room made for them. */
static HalStatus
count_packs (HisiStream *stream, unsigned *ret_n, HalError *error)
{
  const HisiLibrary *library = library_of (stream);
  hal_u64 state[HISI_OUT_SIZE / 8] = { 0 };
  int32_t code = library->api.query (stream->channel, state);
  uint32_t n;

  if (code != 0)
    return code == -1 && errno == EINTR
               ? HAL_AGAIN
               : hisi_fail (error, library->layout, "VENC_Query", code);
  n = hal_get_u32 (state, library->layout->status.n_packs);
  if (n == 0)
    return HAL_AGAIN;
  if (n > HISI_MAX_PACKS)
    return hal_fail (
        error, HAL_INSANE, "VENC_Query", 0,
        "the structures of this SDK version differ from the known ones",
        "a frame of %u packs", (unsigned)n);
  if (n > stream->n_packs) {
    uint8_t *packs = realloc (stream->packs, n * library->layout->pack.size);

    if (packs == NULL)
      return hal_fail (error, HAL_NO_MEMORY, "", 0, NULL, "out of memory");
    stream->packs = packs;
    stream->n_packs = n;
  }
  *ret_n = n;
  return HAL_OK;
}

static HalStatus
add_pack (HisiStream *stream, const uint8_t *pack, unsigned number,
          HalError *error)
{
  const HisiLayout *layout = library_of (stream)->layout;
  HalSegments *segments = &stream->base.segments;
  const uint8_t *data = hal_get_ptr (pack, layout->pack.address);
  uint32_t size = hal_get_u32 (pack, layout->pack.length);
  uint32_t offset = hal_get_u32 (pack, layout->pack.offset);
  uint32_t size2 = 0;
  HalStatus status;

  if (layout->pack.length2 != HAL_NO_OFFSET)
    size2 = hal_get_u32 (pack, layout->pack.length2);
  if (size > HISI_MAX_WIDTH * HISI_MAX_HEIGHT * 2
      || size2 > HISI_MAX_WIDTH * HISI_MAX_HEIGHT * 2
      || offset > (uint64_t)size + size2)
    return hal_fail (
        error, HAL_INSANE, "VENC_GetStream", 0,
        "the structures of this SDK version differ from the known ones",
        "a pack of %u and %u bytes, from byte %u on", (unsigned)size,
        (unsigned)size2, (unsigned)offset);
  if (offset < size) {
    status = hal_segments_add (segments, data + offset, size - offset, number,
                               error);
    if (status != HAL_OK)
      return status;
    offset = 0;
  } else {
    offset -= size;
  }
  if (size2 == 0)
    return HAL_OK;
  data = hal_get_ptr (pack, layout->pack.address2);
  return hal_segments_add (segments, data == NULL ? NULL : data + offset,
                           size2 - offset, number, error);
}

static HalStatus
get_failed (HisiStream *stream, int32_t code, HalError *error)
{
  const HisiLayout *layout = library_of (stream)->layout;

  if (code == HISI_ERROR (layout->venc_module, layout->buffer_empty)
      || (code == -1 && errno == EINTR))
    return HAL_AGAIN;
  return hisi_fail (error, layout, "VENC_GetStream", code);
}

HalStatus
hisi_get_frame (HalStream *base, HalFrame *frame, HalError *error)
{
  HisiStream *stream = (HisiStream *)base;
  const HisiLibrary *library = library_of (stream);
  const HisiLayout *layout = library->layout;
  unsigned asked = 0, i;
  uint32_t n;
  int32_t code;
  HalStatus status = count_packs (stream, &asked, error);

  if (status != HAL_OK)
    return status;
  memset (stream->stream, 0, sizeof stream->stream);
  memset (stream->packs, 0, (size_t)asked * layout->pack.size);
  hal_put_ptr (stream->stream, layout->stream.packs, stream->packs);
  hal_put_u32 (stream->stream, layout->stream.n_packs, asked);
  code = library->api.get_stream (stream->channel, stream->stream, 0);
  if (code != 0)
    return get_failed (stream, code, error);
  n = hal_get_u32 (stream->stream, layout->stream.n_packs);
  if (n > asked)
    status = hal_fail (
        error, HAL_INSANE, "VENC_GetStream", 0,
        "the structures of this SDK version differ from the known ones",
        "%u packs instead of %u", (unsigned)n, asked);
  for (i = 0; status == HAL_OK && i < n; i++)
    status = add_pack (stream, stream->packs + i * layout->pack.size, i, error);
  if (status != HAL_OK) {
    library->api.release_stream (stream->channel, stream->stream);
    return status;
  }
  frame->sequence = hal_get_u32 (stream->stream, layout->stream.sequence);
  if (n > 0) {
    frame->raw_pts = hal_get_u64 (stream->packs, layout->pack.pts);
    frame->pts = hal_micro_clock_ns (&((HisiContext *)base->context)->clock,
                                     frame->raw_pts);
  }
  return HAL_OK;
}

HalStatus
hisi_release_frame (HalStream *base, HalError *error)
{
  HisiStream *stream = (HisiStream *)base;
  const HisiLibrary *library = library_of (stream);
  int32_t code = library->api.release_stream (stream->channel, stream->stream);

  if (code != 0)
    return hisi_fail (error, library->layout, "VENC_ReleaseStream", code);
  return HAL_OK;
}

HalStatus
hisi_request_idr (HalStream *base, HalError *error)
{
  HisiStream *stream = (HisiStream *)base;
  const HisiApi *api = &library_of (stream)->api;
  int32_t code = api->request_idr != NULL
                     ? api->request_idr (stream->channel, 1)
                     : api->request_idr_now (stream->channel);

  if (code != 0)
    return hisi_fail (error, library_of (stream)->layout, "VENC_RequestIDR",
                      code);
  return HAL_OK;
}

/* A channel of its own, that takes one picture where the stream takes its. */
HalStatus
hisi_snapshot (HalStream *base, unsigned quality, uint64_t timeout,
               HalSnapshotFunc func, void *user, HalError *error)
{
  HisiStream *of = (HisiStream *)base;
  HalStreamConfig config = base->config;
  HisiStream *shot = NULL;
  HalFrame frame = { 0 };
  HalStatus status;
  struct pollfd fd;
  uint64_t ms = timeout / HAL_MSECOND;

  config.codec = HAL_CODEC_JPEG;
  config.jpeg_quality = quality;
  config.input_group = of->from.device;
  config.input_channel = of->from.channel;
  status = create_stream (base->context, &config, HISI_SNAPSHOT_CHANNEL, &shot,
                          error);
  if (status != HAL_OK)
    return status;
  status = start_channel (shot, 1, error);
  if (status == HAL_OK) {
    fd.fd = shot->fd;
    fd.events = POLLIN;
    status = poll (&fd, 1, ms > INT32_MAX ? INT32_MAX : (int)ms) > 0
                 ? hisi_get_frame (&shot->base, &frame, error)
                 : HAL_AGAIN;
    if (status == HAL_AGAIN)
      status = hal_fail (error, HAL_TIMEOUT, "VENC_GetStream", 0, NULL,
                         "no picture came in time");
    if (status == HAL_OK) {
      func (user, shot->base.segments.items, shot->base.segments.n);
      hisi_release_frame (&shot->base, NULL);
    }
    hisi_stream_stop (&shot->base);
  }
  hisi_stream_destroy (&shot->base);
  return status;
}
