/* Encoder channels of Ingenic chips: from an output of the ISP to frames.
 * Which calls overlap: halbackend.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ingenicprivate.h"

#define DEFAULT_WIDTH 1920
#define DEFAULT_HEIGHT 1080
#define HINT_LAYOUT                                                            \
  "the structures of this SDK version differ from the known ones"

static IngenicContext *
context_of (const IngenicStream *stream)
{
  return (IngenicContext *)stream->base.context;
}

static const IngenicApi *
api_of (const IngenicStream *stream)
{
  return &context_of (stream)->library.api;
}

static void
complete_config (const IngenicContext *context, IngenicStream *stream)
{
  HalStreamConfig *config = &stream->base.config;
  bool known = context->sensor.width != 0 && context->sensor.height != 0;

  if (config->width == 0 || config->height == 0) {
    config->width = known ? context->sensor.width : DEFAULT_WIDTH;
    config->height = known ? context->sensor.height : DEFAULT_HEIGHT;
  }
  stream->src_fps = (config->fps_num + config->fps_den - 1) / config->fps_den;
  if (config->input_fps > stream->src_fps)
    stream->src_fps = config->input_fps;
}

/* The channel, in the group of its source. */
static HalStatus
create_channel (IngenicStream *stream, HalError *error)
{
  const IngenicApi *api = api_of (stream);
  hal_u64 attr[INGENIC_OUT_SIZE / 8] = { 0 };
  HalStatus status = ingenic_attr_fill (context_of (stream),
                                        &stream->base.config, attr, error);
  int code;

  if (status != HAL_OK)
    return status;
  errno = 0;
  code = api->create (stream->channel, attr);
  if (code != 0)
    return ingenic_fail (error, "IMP_Encoder_CreateChn", code);
  code = api->add_to_group ((int)stream->source, stream->channel);
  if (code != 0) {
    status = ingenic_fail (error, "IMP_Encoder_RegisterChn", code);
    api->destroy (stream->channel);
    return status;
  }
  status = ingenic_config_finish (stream, error);
  if (status == HAL_OK && api->get_fd != NULL) {
    stream->fd = api->get_fd (stream->channel);
    if (stream->fd < 0)
      status = ingenic_fail (error, "IMP_Encoder_GetFd", stream->fd);
  }
  if (status != HAL_OK) {
    api->remove_from_group (stream->channel);
    api->destroy (stream->channel);
  }
  return status;
}

static HalStatus
create_stream (IngenicContext *context, const HalStreamConfig *config,
               int channel, unsigned source, IngenicStream **ret_stream,
               HalError *error)
{
  IngenicStream *stream = calloc (1, sizeof *stream);
  HalStatus status;

  if (stream == NULL)
    return hal_fail (error, HAL_NO_MEMORY, "", 0, NULL, "out of memory");
  hal_stream_init (&stream->base, &context->base, config);
  stream->channel = channel;
  stream->source = source;
  stream->fd = -1;
  complete_config (context, stream);
  status = ingenic_source_ref (context, source, &stream->base.config,
                               stream->src_fps, error);
  if (status == HAL_OK) {
    status = create_channel (stream, error);
    if (status == HAL_OK) {
      *ret_stream = stream;
      return HAL_OK;
    }
    ingenic_source_unref (context, source);
  }
  hal_stream_finish (&stream->base);
  free (stream);
  return status;
}

HalStatus
ingenic_stream_create (HalContext *base, const HalStreamConfig *config,
                       HalStream **ret_stream, HalError *error)
{
  unsigned source = config->input_channel >= 0 ? (unsigned)config->input_channel
                                               : config->id;
  IngenicStream *stream = NULL;
  HalStatus status;

  if (source >= INGENIC_MAX_STREAMS)
    return hal_fail (error, HAL_INVALID, "", 0, NULL,
                     "input-channel %u: there are outputs 0 to %u", source,
                     INGENIC_MAX_STREAMS - 1);
  status = create_stream ((IngenicContext *)base, config, (int)config->id,
                          source, &stream, error);
  if (status == HAL_OK)
    *ret_stream = &stream->base;
  return status;
}

void
ingenic_stream_destroy (HalStream *base)
{
  IngenicStream *stream = (IngenicStream *)base;

  api_of (stream)->remove_from_group (stream->channel);
  api_of (stream)->destroy (stream->channel);
  ingenic_source_unref (context_of (stream), stream->source);
  hal_stream_finish (base);
  free (stream);
}

HalStatus
ingenic_stream_start (HalStream *base, HalError *error)
{
  IngenicStream *stream = (IngenicStream *)base;
  HalStatus status
      = ingenic_source_start (context_of (stream), stream->source, error);
  int code;

  if (status != HAL_OK)
    return status;
  errno = 0;
  code = api_of (stream)->start (stream->channel);
  if (code == 0)
    return HAL_OK;
  status = ingenic_fail (error, "IMP_Encoder_StartRecvPic", code);
  ingenic_source_stop (context_of (stream), stream->source);
  return status;
}

void
ingenic_stream_stop (HalStream *base)
{
  IngenicStream *stream = (IngenicStream *)base;

  api_of (stream)->stop (stream->channel);
  ingenic_source_stop (context_of (stream), stream->source);
}

int
ingenic_stream_fd (HalStream *base)
{
  return ((IngenicStream *)base)->fd;
}

/* For libraries without descriptors. */
HalStatus
ingenic_stream_wait (HalStream *base, uint64_t slice, HalError *error)
{
  IngenicStream *stream = (IngenicStream *)base;

  (void)error;
  return api_of (stream)->poll (stream->channel,
                                (uint32_t)(slice / HAL_MSECOND))
                 == 0
             ? HAL_OK
             : HAL_AGAIN;
}

/* "Nothing there" and failures are the same number; what is queued tells. */
static HalStatus
get_failed (IngenicStream *stream, int code, HalError *error)
{
  hal_u64 memory[INGENIC_OUT_SIZE / 8] = { 0 };
  HalStatus status;

  if (errno == EINTR || errno == EAGAIN)
    return HAL_AGAIN;
  status = ingenic_fail (error, "IMP_Encoder_GetStream", code);
  if (api_of (stream)->query (stream->channel, memory) == 0
      && ((const IngenicStatus *)memory)->n_packs == 0)
    return HAL_AGAIN;
  /* Whatever the reason, it may pass, if the device is still there. */
  if (status == HAL_NO_DEVICE)
    return status;
  if (error != NULL)
    error->status = HAL_VENDOR;
  return status == HAL_OK ? HAL_OK : HAL_VENDOR;
}

/* The old kind */
static HalStatus
add_own_pack (IngenicStream *stream, const uint8_t *pack, unsigned number,
              HalError *error)
{
  const IngenicLayout *layout = context_of (stream)->library.layout;
  uint32_t length = hal_get_u32 (pack, layout->pack.length);

  if (length > INGENIC_MAX_WIDTH * INGENIC_MAX_HEIGHT * 2)
    return hal_fail (error, HAL_INSANE, "IMP_Encoder_GetStream", 0, HINT_LAYOUT,
                     "a pack of %u bytes", (unsigned)length);
  return hal_segments_add (&stream->base.segments,
                           hal_get_ptr (pack, layout->pack.address), length,
                           number, error);
}

/* A part of the ring, which may begin again at its beginning. */
static HalStatus
add_ring_pack (IngenicStream *stream, const uint8_t *pack, unsigned number,
               HalError *error)
{
  const IngenicLayout *layout = context_of (stream)->library.layout;
  HalSegments *segments = &stream->base.segments;
  const uint8_t *ring = hal_get_ptr (stream->stream, layout->stream.ring);
  uint32_t size = hal_get_u32 (stream->stream, layout->stream.ring_size);
  uint32_t offset = hal_get_u32 (pack, layout->pack.offset);
  uint32_t length = hal_get_u32 (pack, layout->pack.length);
  HalStatus status;

  if (ring == NULL || offset >= size || length > size)
    return hal_fail (error, HAL_INSANE, "IMP_Encoder_GetStream", 0, HINT_LAYOUT,
                     "a pack of %u bytes at byte %u of a ring of %u",
                     (unsigned)length, (unsigned)offset, (unsigned)size);
  if (length <= size - offset)
    return hal_segments_add (segments, ring + offset, length, number, error);
  status = hal_segments_add (segments, ring + offset, size - offset, number,
                             error);
  if (status != HAL_OK)
    return status;
  return hal_segments_add (segments, ring, length - (size - offset), number,
                           error);
}

HalStatus
ingenic_get_frame (HalStream *base, HalFrame *frame, HalError *error)
{
  IngenicStream *stream = (IngenicStream *)base;
  const IngenicLayout *layout = context_of (stream)->library.layout;
  HalStatus status = HAL_OK;
  const uint8_t *packs;
  uint32_t n, i;
  int code;

  memset (stream->stream, 0, sizeof stream->stream);
  errno = 0;
  code = api_of (stream)->get_stream (stream->channel, stream->stream, false);
  if (code != 0)
    return get_failed (stream, code, error);
  packs = hal_get_ptr (stream->stream, layout->stream.packs);
  n = hal_get_u32 (stream->stream, layout->stream.n_packs);
  if (n > INGENIC_MAX_PACKS || (n > 0 && packs == NULL))
    status = hal_fail (error, HAL_INSANE, "IMP_Encoder_GetStream", 0,
                       HINT_LAYOUT, "a frame of %u packs", (unsigned)n);
  for (i = 0; status == HAL_OK && i < n; i++) {
    const uint8_t *pack = packs + i * layout->pack.size;

    status = layout->new_kind ? add_ring_pack (stream, pack, i, error)
                              : add_own_pack (stream, pack, i, error);
  }
  if (status != HAL_OK) {
    api_of (stream)->release_stream (stream->channel, stream->stream);
    return status;
  }
  frame->sequence = hal_get_u32 (stream->stream, layout->stream.sequence);
  if (n > 0) {
    int64_t pts = hal_get_s64 (packs, layout->pack.pts);

    frame->raw_pts = (uint64_t)pts;
    frame->pts = ingenic_time (context_of (stream), pts);
  }
  return HAL_OK;
}

HalStatus
ingenic_release_frame (HalStream *base, HalError *error)
{
  IngenicStream *stream = (IngenicStream *)base;
  int code;

  errno = 0;
  code = api_of (stream)->release_stream (stream->channel, stream->stream);
  if (code != 0)
    return ingenic_fail (error, "IMP_Encoder_ReleaseStream", code);
  return HAL_OK;
}

HalStatus
ingenic_request_idr (HalStream *base, HalError *error)
{
  IngenicStream *stream = (IngenicStream *)base;
  int code;

  errno = 0;
  code = api_of (stream)->request_idr (stream->channel);
  if (code != 0)
    return ingenic_fail (error, "IMP_Encoder_RequestIDR", code);
  return HAL_OK;
}

/* A channel of its own in the stream's group, while it takes one picture. */
HalStatus
ingenic_snapshot (HalStream *base, unsigned quality, uint64_t timeout,
                  HalSnapshotFunc func, void *user, HalError *error)
{
  IngenicStream *of = (IngenicStream *)base;
  HalStreamConfig config = base->config;
  uint64_t ms = timeout / HAL_MSECOND;
  IngenicStream *shot = NULL;
  HalFrame frame = { 0 };
  HalStatus status;

  config.codec = HAL_CODEC_JPEG;
  config.jpeg_quality = quality;
  status = create_stream (context_of (of), &config, INGENIC_SNAPSHOT_CHANNEL,
                          of->source, &shot, error);
  if (status != HAL_OK)
    return status;
  status = ingenic_stream_start (&shot->base, error);
  if (status == HAL_OK) {
    status = api_of (shot)->poll (shot->channel,
                                  ms > INT32_MAX ? INT32_MAX : (uint32_t)ms)
                     == 0
                 ? ingenic_get_frame (&shot->base, &frame, error)
                 : HAL_AGAIN;
    if (status == HAL_AGAIN)
      status = hal_fail (error, HAL_TIMEOUT, "IMP_Encoder_PollingStream", 0,
                         NULL, "no picture came in time");
    if (status == HAL_OK) {
      func (user, shot->base.segments.items, shot->base.segments.n);
      ingenic_release_frame (&shot->base, NULL);
    }
    ingenic_stream_stop (&shot->base);
  }
  ingenic_stream_destroy (&shot->base);
  return status;
}
