/* Encoders of Ambarella chips: from a configured stream to frames. Which calls
 * overlap: halbackend.h.
 *
 * There is no descriptor that tells of frames: asking for one waits for it. A
 * frame may come in pieces, slices or tiles, which are gathered while waiting.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "ambarellaprivate.h"
#include "halnal.h"

#define HINT_HEADER                                                            \
  "is the plugin built with the header of this camera's own SDK?"

static AmbContext *
context_of (const AmbStream *stream)
{
  return (AmbContext *)stream->base.context;
}

static AmbDevice *
device_of (const AmbStream *stream)
{
  return &context_of (stream)->device;
}

/* --- Streams --------------------------------------------------------------
 */

static HalStatus
check_running (AmbStream *stream, HalError *error)
{
  bool running = false;
  HalStatus status = amb_iav_is_running (device_of (stream), &running, error);

  if (status == HAL_OK && !running)
    return hal_fail (error, HAL_NO_DEVICE, "IAV_IOC_GET_IAV_STATE", 0,
                     "start the vendor's program that sets up the sensor first",
                     "no picture comes from the sensor yet");
  return status;
}

static HalStatus
attach (AmbStream *stream, HalError *error)
{
  AmbState state = AMB_IDLE;
  HalStatus status
      = amb_iav_state (device_of (stream), stream->id, &state, error);

  if (status != HAL_OK)
    return status;
  if (state != AMB_ENCODING)
    return hal_fail (error, HAL_NO_DEVICE, "", 0,
                     "start the program that runs it, or leave attach off to "
                     "run it here",
                     "stream %u does not run", stream->id);
  stream->attached = true;
  return amb_config_read (stream, error);
}

/* A stream that runs is taken over: it may be what a program of ours left
 * behind that was killed, which looks like any other. */
static HalStatus
take_over (AmbStream *stream, HalError *error)
{
  HalStatus status = amb_iav_stop (device_of (stream), stream->id, error);

  return status == HAL_OK ? amb_config_write (stream, error) : status;
}

HalStatus
amb_stream_create (HalContext *base, const HalStreamConfig *config,
                   HalStream **ret_stream, HalError *error)
{
  AmbStream *stream = calloc (1, sizeof *stream);
  HalStatus status;

  if (stream == NULL)
    return hal_fail (error, HAL_NO_MEMORY, "", 0, NULL, "out of memory");
  hal_stream_init (&stream->base, base, config);
  stream->id = config->id;
  status = check_running (stream, error);
  if (status == HAL_OK)
    status
        = config->attach ? attach (stream, error) : take_over (stream, error);
  if (status != HAL_OK) {
    hal_stream_finish (&stream->base);
    free (stream);
    return status;
  }
  *ret_stream = &stream->base;
  return HAL_OK;
}

void
amb_stream_destroy (HalStream *base)
{
  hal_stream_finish (base);
  free (base);
}

HalStatus
amb_stream_start (HalStream *base, HalError *error)
{
  AmbStream *stream = (AmbStream *)base;

  stream->need_key = true;
  stream->end_seen = false;
  if (!stream->attached)
    return amb_iav_start (device_of (stream), stream->id, error);
  /* If it is refused, the next one of the stream will do. */
  if (base->codec != HAL_CODEC_JPEG)
    amb_request_idr (base, NULL);
  return HAL_OK;
}

void
amb_stream_stop (HalStream *base)
{
  AmbStream *stream = (AmbStream *)base;

  amb_release_frame (base, NULL);
  if (!stream->attached)
    amb_iav_stop (device_of (stream), stream->id, NULL);
}

HalStatus
amb_request_idr (HalStream *base, HalError *error)
{
  AmbStream *stream = (AmbStream *)base;

  return amb_iav_request_idr (device_of (stream), stream->id, base->codec,
                              error);
}

/* --- Frames ----------------------------------------------------------------
 */

HalStatus
amb_release_frame (HalStream *base, HalError *error)
{
  AmbStream *stream = (AmbStream *)base;
  HalStatus status = HAL_OK;
  unsigned i;

  for (i = 0; i < stream->n_pieces; i++) {
    HalStatus one
        = amb_iav_release_piece (device_of (stream), &stream->pieces[i], error);

    if (one != HAL_OK)
      status = one;
  }
  stream->n_pieces = 0;
  stream->whole = false;
  return status;
}

static HalStatus
too_many (AmbStream *stream, HalError *error)
{
  amb_release_frame (&stream->base, NULL);
  return hal_fail (error, HAL_INSANE, "IAV_IOC_QUERY_DESC", 0, HINT_HEADER,
                   "a frame of more than %d pieces", AMB_MAX_PIECES);
}

/* Takes the piece into the frame. */
static HalStatus
gather (AmbStream *stream, const AmbPiece *piece, HalError *error)
{
  AmbPiece *pieces = stream->pieces;

  /* The rest of the frame before was lost. */
  if (stream->n_pieces > 0 && !piece->frame_end
      && pieces[0].number != piece->number)
    amb_release_frame (&stream->base, NULL);
  if (stream->n_pieces == AMB_MAX_PIECES)
    return too_many (stream, error);
  pieces[stream->n_pieces++] = *piece;
  if (piece->frame_end) {
    /* What was whole by its count does not need it. */
    if (stream->n_pieces == 1)
      amb_release_frame (&stream->base, NULL);
    else
      stream->whole = true;
    return HAL_OK;
  }
  stream->whole = piece->slice + 1 >= piece->n_slices
                  && piece->tile + 1 >= piece->n_tiles;
  return HAL_OK;
}

static HalStatus
add_pieces (AmbStream *stream, HalError *error)
{
  const AmbContext *context = context_of (stream);
  unsigned i;

  stream->base.segments.n = 0;
  for (i = 0; i < stream->n_pieces; i++) {
    const AmbPiece *piece = &stream->pieces[i];
    HalStatus status;

    if (piece->frame_end)
      continue;
    if (piece->offset >= context->length || piece->size > context->length)
      return hal_fail (error, HAL_INSANE, "IAV_IOC_QUERY_DESC", 0, HINT_HEADER,
                       "%u bytes at byte %llu of a memory of %llu",
                       (unsigned)piece->size, (unsigned long long)piece->offset,
                       (unsigned long long)context->length);
    status = hal_segments_add (&stream->base.segments,
                               context->memory + piece->offset, piece->size, i,
                               error);
    if (status != HAL_OK)
      return status;
  }
  return HAL_OK;
}

/* Whether the whole frame comes before the first keyframe. */
static bool
is_early (AmbStream *stream)
{
  const HalSegments *segments = &stream->base.segments;

  if (!stream->need_key || add_pieces (stream, NULL) != HAL_OK
      || !hal_frame_starts_well (stream->base.codec, segments->items,
                                 segments->n))
    return false;
  stream->need_key
      = !hal_frame_is_key (stream->base.codec, segments->items, segments->n);
  return stream->need_key;
}

/* The end may be one that nobody has read, of the time before the last start;
 * the stream's state tells. */
static HalStatus
check_ended (AmbStream *stream, HalError *error)
{
  AmbState state = AMB_ENCODING;
  HalStatus status
      = amb_iav_state (device_of (stream), stream->id, &state, error);

  if (status == HAL_OK && state == AMB_IDLE)
    return hal_fail (error, HAL_ENDED, "IAV_IOC_QUERY_DESC", 0,
                     "another program stopped it", "stream %u ended",
                     stream->id);
  return status;
}

HalStatus
amb_stream_wait (HalStream *base, uint64_t slice, HalError *error)
{
  AmbStream *stream = (AmbStream *)base;
  uint64_t start = hal_monotonic (), spent = 0;
  AmbPiece piece;

  while (!stream->whole) {
    uint64_t left = spent < slice ? slice - spent : 0;
    unsigned ms = left > HAL_MSECOND ? (unsigned)(left / HAL_MSECOND) : 1;
    HalStatus status
        = amb_iav_get_piece (device_of (stream), stream->id, ms, &piece, error);

    if (status == HAL_OK && !piece.ended)
      status = gather (stream, &piece, error);
    if (status == HAL_OK)
      stream->end_seen = piece.ended;
    if (stream->end_seen && (status == HAL_OK || status == HAL_AGAIN)) {
      HalStatus ended = check_ended (stream, error);

      if (ended != HAL_OK)
        return ended;
    }
    if (status == HAL_OK && stream->whole && is_early (stream))
      amb_release_frame (base, NULL);
    spent = hal_monotonic () - start;
    if (status == HAL_AGAIN)
      /* One that does not wait is an empty announcement, which is not
       * believed for ever. */
      return spent >= slice / 2 ? HAL_AGAIN : HAL_OK;
    if (status != HAL_OK)
      return status;
    if (spent >= slice && !stream->whole)
      return HAL_AGAIN;
  }
  return HAL_OK;
}

HalStatus
amb_get_frame (HalStream *base, HalFrame *frame, HalError *error)
{
  AmbStream *stream = (AmbStream *)base;
  const AmbPiece *first = &stream->pieces[0];
  HalStatus status;

  if (!stream->whole)
    return HAL_AGAIN;
  status = add_pieces (stream, error);
  if (status != HAL_OK) {
    amb_release_frame (base, NULL);
    return status;
  }
  frame->sequence = first->number;
  frame->raw_pts = first->ticks;
  if (first->ticks != 0)
    frame->pts = amb_time (context_of (stream), first->ticks);
  return HAL_OK;
}
