/* Streams: what is the same for all families about an encoder channel.
 *
 * Checks of values, waiting with an interrupt, retries of failures that pass,
 * sanity of what came, counters. Which lock protects what: halbackend.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "halbackend.h"
#include "halnal.h"

/* Failures in a row after which an error is taken as lasting. */
#define MAX_FAILURES 16
/* How long to leave the library alone after a failure. */
#define FAILURE_PAUSE (2 * HAL_MSECOND)
/* Announcements in a row of frames that are not there, after which they are no
 * longer believed at once, so that a descriptor that is always readable does
 * not cost a core. */
#define MAX_EMPTIES 4
#define EMPTY_PAUSE (2 * HAL_MSECOND)
/* Frames in a row that are no bitstream, after which the layout is wrong. */
#define MAX_INSANE 8

#define HINT_UNITS "the unit is bit/s"

void
hal_stream_config_init (HalStreamConfig *config)
{
  memset (config, 0, sizeof *config);
  config->codec = HAL_CODEC_H264;
  config->fps_num = 25;
  config->fps_den = 1;
  config->bitrate = 2000000;
  config->gop = 50;
  config->rate_control = HAL_RC_CBR;
  config->qp_min = config->qp_max = -1;
  config->jpeg_quality = 80;
  config->input_group = config->input_channel = -1;
}

static HalStatus
check_bitrate (const char *name, uint32_t value, HalError *error)
{
  if (value < HAL_MIN_BITRATE)
    return hal_fail (error, HAL_INVALID, "", 0, HINT_UNITS,
                     "%s: %u bit/s: did you mean kbit/s?", name,
                     (unsigned)value);
  if (value > HAL_MAX_BITRATE)
    return hal_fail (error, HAL_INVALID, "", 0, HINT_UNITS,
                     "%s: %u bit/s is more than %u", name, (unsigned)value,
                     HAL_MAX_BITRATE);
  return HAL_OK;
}

static HalStatus
check_qp (const HalStreamConfig *config, HalError *error)
{
  if (config->qp_min < -1 || config->qp_min > HAL_MAX_QP || config->qp_max < -1
      || config->qp_max > HAL_MAX_QP)
    return hal_fail (
        error, HAL_INVALID, "", 0, NULL,
        "qp-min %d, qp-max %d: they go from 0 to %d, -1 leaves it to the "
        "encoder",
        config->qp_min, config->qp_max, HAL_MAX_QP);
  if (config->qp_min >= 0 && config->qp_max >= 0
      && config->qp_min > config->qp_max)
    return hal_fail (error, HAL_INVALID, "", 0, NULL,
                     "qp-min %d is above qp-max %d", config->qp_min,
                     config->qp_max);
  return HAL_OK;
}

static HalStatus
check_roi (const HalStreamConfig *config, HalError *error)
{
  unsigned i;

  if (config->n_roi > HAL_MAX_ROI)
    return hal_fail (error, HAL_INVALID, "", 0, NULL,
                     "roi: %u regions are more than %u", config->n_roi,
                     HAL_MAX_ROI);
  for (i = 0; i < config->n_roi; i++) {
    const HalRoi *roi = &config->roi[i];

    if (roi->width == 0 || roi->height == 0 || roi->width > UINT16_MAX
        || roi->height > UINT16_MAX || roi->x > UINT16_MAX
        || roi->y > UINT16_MAX
        || (config->width != 0 && roi->x + roi->width > config->width)
        || (config->height != 0 && roi->y + roi->height > config->height))
      return hal_fail (error, HAL_INVALID, "", 0, NULL,
                       "roi: %ux%u at %u,%u is not in the picture", roi->width,
                       roi->height, roi->x, roi->y);
    if (roi->qp > HAL_MAX_QP || roi->qp < (roi->absolute ? 0 : -HAL_MAX_QP))
      return hal_fail (error, HAL_INVALID, "", 0, NULL,
                       "roi: a quantiser goes from 0 to %d, a difference from "
                       "-%d to %d, not %d",
                       HAL_MAX_QP, HAL_MAX_QP, HAL_MAX_QP, roi->qp);
  }
  return HAL_OK;
}

HalStatus
hal_stream_config_check (const HalStreamConfig *config, HalError *error)
{
  HalStatus status = HAL_OK;

  if (config->fps_num == 0 || config->fps_den == 0
      || config->fps_num / config->fps_den > HAL_MAX_FPS
      || config->fps_num > UINT16_MAX || config->fps_den > UINT16_MAX)
    return hal_fail (error, HAL_INVALID, "", 0, NULL,
                     "a frame rate of %u/%u is not possible", config->fps_num,
                     config->fps_den);
  if (config->codec == HAL_CODEC_JPEG) {
    if (config->jpeg_quality < 1 || config->jpeg_quality > 100)
      return hal_fail (error, HAL_INVALID, "", 0, NULL,
                       "jpeg-quality %u: it goes from 1 to 100",
                       config->jpeg_quality);
    return HAL_OK;
  }
  if (config->rate_control != HAL_RC_CQP)
    status = check_bitrate ("bitrate", config->bitrate, error);
  if (status == HAL_OK && config->max_bitrate != 0)
    status = check_bitrate ("max-bitrate", config->max_bitrate, error);
  if (status != HAL_OK)
    return status;
  if (config->max_bitrate != 0 && config->max_bitrate < config->bitrate
      && config->rate_control != HAL_RC_CBR)
    return hal_fail (error, HAL_INVALID, "", 0, NULL,
                     "max-bitrate %u is below bitrate %u",
                     (unsigned)config->max_bitrate, (unsigned)config->bitrate);
  if (config->gop == 0 || config->gop > HAL_MAX_GOP)
    return hal_fail (error, HAL_INVALID, "", 0, NULL,
                     "gop-size %u: it goes from 1 to %u frames", config->gop,
                     HAL_MAX_GOP);
  status = check_roi (config, error);
  return status == HAL_OK ? check_qp (config, error) : status;
}

void
hal_stream_init (HalStream *stream, HalContext *context,
                 const HalStreamConfig *config)
{
  stream->context = context;
  stream->codec = config->codec;
  stream->config = *config;
  stream->config.device = stream->config.encoder = NULL;
  stream->wake.fd = -1;
  pthread_mutex_init (&stream->lock, NULL);
  pthread_mutex_init (&stream->stats_lock, NULL);
}

void
hal_stream_finish (HalStream *stream)
{
  hal_wake_finish (&stream->wake);
  pthread_mutex_destroy (&stream->lock);
  pthread_mutex_destroy (&stream->stats_lock);
  free (stream->segments.items);
  stream->segments.items = NULL;
}

HalStatus
hal_segments_add (HalSegments *segments, const void *data, size_t size,
                  unsigned pack, HalError *error)
{
  if (size == 0)
    return HAL_OK;
  if (data == NULL || segments->n >= HAL_MAX_SEGMENTS)
    return hal_fail (error, HAL_INSANE, "", 0, NULL,
                     data == NULL ? "a part of a frame has no address"
                                  : "a frame of more than %u parts",
                     HAL_MAX_SEGMENTS);
  if (segments->n == segments->allocated) {
    unsigned n = segments->allocated != 0 ? segments->allocated * 2 : 32;
    HalSegment *items = realloc (segments->items, n * sizeof *items);

    if (items == NULL)
      return hal_fail (error, HAL_NO_MEMORY, "", 0, NULL, "out of memory");
    segments->items = items;
    segments->allocated = n;
  }
  segments->items[segments->n].data = data;
  segments->items[segments->n].size = size;
  segments->items[segments->n].pack = pack;
  segments->n++;
  return HAL_OK;
}

static uint32_t
codec_cap (HalCodec codec)
{
  return codec == HAL_CODEC_H264   ? HAL_CAP_H264
         : codec == HAL_CODEC_H265 ? HAL_CAP_H265
                                   : HAL_CAP_JPEG;
}

static HalStatus
check_roi_known (const HalContext *context, HalError *error)
{
  if ((context->info.caps & HAL_CAP_SET_ROI) != 0)
    return HAL_OK;
  return hal_fail (error, HAL_UNSUPPORTED, "", 0, "leave roi empty",
                   "regions of interest are not supported on %s %s",
                   context->family->long_name, context->info.generation);
}

HalStatus
hal_stream_create (HalContext *context, const HalStreamConfig *config,
                   HalStream **ret_stream, HalError *error)
{
  const HalInfo *info = &context->info;
  HalStream *stream = NULL;
  HalStatus status = hal_stream_config_check (config, error);

  if (status == HAL_OK && config->n_roi > 0)
    status = check_roi_known (context, error);
  if (status != HAL_OK)
    return status;
  if ((info->caps & codec_cap (config->codec)) == 0)
    return hal_fail (error, HAL_UNSUPPORTED, "", 0, NULL,
                     "%s %s has no encoder for %s", context->family->long_name,
                     info->generation, hal_codec_name (config->codec));
  if (config->attach && (info->caps & HAL_CAP_ATTACH) == 0)
    return hal_fail (error, HAL_UNSUPPORTED, "", 0, NULL,
                     "on %s no stream can be read that another program runs",
                     context->family->long_name);
  if (info->max_streams != 0 && config->id >= info->max_streams)
    return hal_fail (error, HAL_INVALID, "", 0, NULL,
                     "stream-id %u: there are streams 0 to %u", config->id,
                     info->max_streams - 1);
  if ((info->max_width != 0 && config->width > info->max_width)
      || (info->max_height != 0 && config->height > info->max_height))
    return hal_fail (error, HAL_INVALID, "", 0, NULL,
                     "%ux%u is more than the %ux%u of this chip", config->width,
                     config->height, info->max_width, info->max_height);
  status = context->family->stream_create (context, config, &stream, error);
  if (status != HAL_OK)
    return status;
  if (!hal_wake_init (&stream->wake)) {
    context->family->stream_destroy (stream);
    return hal_fail (error, HAL_NO_MEMORY, "eventfd", 0, NULL,
                     "no file descriptor left");
  }
  *ret_stream = stream;
  return HAL_OK;
}

void
hal_stream_destroy (HalStream *stream)
{
  if (stream == NULL)
    return;
  hal_stream_stop (stream);
  stream->context->family->stream_destroy (stream);
}

void
hal_stream_set_places (HalStream *stream, const HalPlaces *places)
{
  static const HalPlaces none;

  stream->places = places != NULL ? *places : none;
}

HalStatus
hal_stream_start (HalStream *stream, HalError *error)
{
  HalStatus status = HAL_OK;

  pthread_mutex_lock (&stream->lock);
  if (!stream->started) {
    stream->failures = stream->empties = stream->insane = 0;
    stream->have_sequence = false;
    status = stream->context->family->stream_start (stream, error);
    stream->started = status == HAL_OK;
  }
  pthread_mutex_unlock (&stream->lock);
  return status;
}

void
hal_stream_stop (HalStream *stream)
{
  pthread_mutex_lock (&stream->lock);
  if (stream->started) {
    if (stream->out)
      hal_stream_release_frame (stream, NULL);
    stream->context->family->stream_stop (stream);
    stream->started = false;
  }
  pthread_mutex_unlock (&stream->lock);
}

void
hal_stream_get_config (HalStream *stream, HalStreamConfig *ret_config)
{
  pthread_mutex_lock (&stream->lock);
  *ret_config = stream->config;
  pthread_mutex_unlock (&stream->lock);
}

static bool
same_roi (const HalStreamConfig *a, const HalStreamConfig *b)
{
  unsigned i;

  for (i = 0; i < a->n_roi && i < b->n_roi; i++) {
    const HalRoi *x = &a->roi[i], *y = &b->roi[i];

    if (x->x != y->x || x->y != y->y || x->width != y->width
        || x->height != y->height || x->absolute != y->absolute
        || x->qp != y->qp)
      return false;
  }
  return a->n_roi == b->n_roi;
}

/* What of want differs from now, as far as what asks for it. */
static uint32_t
merge (HalStreamConfig *now, const HalStreamConfig *want, uint32_t what)
{
  HalStreamConfig old = *now;
  uint32_t changed = 0;

  if (what & HAL_SET_BITRATE)
    now->bitrate = want->bitrate;
  if (what & HAL_SET_MAX_BITRATE)
    now->max_bitrate = want->max_bitrate;
  if (what & HAL_SET_GOP)
    now->gop = want->gop;
  if (what & HAL_SET_QP) {
    now->qp_min = want->qp_min;
    now->qp_max = want->qp_max;
  }
  if (what & HAL_SET_RATE_CONTROL)
    now->rate_control = want->rate_control;
  if (what & HAL_SET_FRAMERATE) {
    now->fps_num = want->fps_num;
    now->fps_den = want->fps_den;
  }
  if (what & HAL_SET_ROI) {
    memcpy (now->roi, want->roi, sizeof now->roi);
    now->n_roi = want->n_roi;
  }
  if (!same_roi (now, &old))
    changed |= HAL_SET_ROI;
  if (now->bitrate != old.bitrate)
    changed |= HAL_SET_BITRATE;
  if (now->max_bitrate != old.max_bitrate)
    changed |= HAL_SET_MAX_BITRATE;
  if (now->gop != old.gop)
    changed |= HAL_SET_GOP;
  if (now->qp_min != old.qp_min || now->qp_max != old.qp_max)
    changed |= HAL_SET_QP;
  if (now->rate_control != old.rate_control)
    changed |= HAL_SET_RATE_CONTROL;
  if (now->fps_num != old.fps_num || now->fps_den != old.fps_den)
    changed |= HAL_SET_FRAMERATE;
  return changed;
}

static HalStatus
check_settable (const HalStream *stream, uint32_t what, HalError *error)
{
  static const struct
  {
    uint32_t what, cap;
    const char *name;
  } rules[] = {
    { HAL_SET_BITRATE | HAL_SET_MAX_BITRATE, HAL_CAP_SET_BITRATE, "bitrate" },
    { HAL_SET_GOP, HAL_CAP_SET_GOP, "gop-size" },
    { HAL_SET_QP, HAL_CAP_SET_QP, "qp-min and qp-max" },
    { HAL_SET_RATE_CONTROL, HAL_CAP_SET_RATE_CONTROL, "rate-control" },
    { HAL_SET_FRAMERATE, HAL_CAP_SET_FRAMERATE, "framerate" },
  };
  size_t i;

  if (what & HAL_SET_ROI) {
    HalStatus status = check_roi_known (stream->context, error);

    if (status != HAL_OK)
      return status;
  }
  for (i = 0; i < HAL_N_ELEMENTS (rules); i++) {
    if ((what & rules[i].what) != 0
        && (stream->context->info.caps & rules[i].cap) == 0)
      return hal_fail (error, HAL_NEEDS_RESTART, "", 0, NULL,
                       "%s cannot change while the stream runs on %s %s",
                       rules[i].name, stream->context->family->long_name,
                       stream->context->info.generation);
  }
  return HAL_OK;
}

HalStatus
hal_stream_set (HalStream *stream, const HalStreamConfig *want, uint32_t what,
                HalError *error)
{
  HalStreamConfig merged;
  HalStatus status;
  uint32_t changed;

  pthread_mutex_lock (&stream->lock);
  merged = stream->config;
  changed = merge (&merged, want, what);
  status = hal_stream_config_check (&merged, error);
  if (status == HAL_OK)
    status = check_settable (stream, changed, error);
  if (status == HAL_OK && changed != 0)
    status = stream->context->family->set (stream, &merged, changed, error);
  if (status == HAL_OK)
    stream->config = merged;
  pthread_mutex_unlock (&stream->lock);
  return status;
}

HalStatus
hal_stream_request_idr (HalStream *stream, HalError *error)
{
  HalStatus status;

  if (stream->codec == HAL_CODEC_JPEG)
    return HAL_OK;
  if ((stream->context->info.caps & HAL_CAP_IDR) == 0)
    return hal_fail (error, HAL_UNSUPPORTED, "", 0, NULL,
                     "%s cannot be asked for a keyframe",
                     stream->context->family->long_name);
  pthread_mutex_lock (&stream->lock);
  status = stream->context->family->request_idr (stream, error);
  pthread_mutex_unlock (&stream->lock);
  if (status == HAL_OK) {
    pthread_mutex_lock (&stream->stats_lock);
    stream->stats.idr_requests++;
    pthread_mutex_unlock (&stream->stats_lock);
  }
  return status;
}

/* Waits until the family says that a frame is there. */
static HalStatus
wait_frame (HalStream *stream, uint64_t deadline, HalError *error)
{
  const HalFamily *family = stream->context->family;
  int fd = family->stream_fd != NULL ? family->stream_fd (stream) : -1;

  for (;;) {
    uint64_t now = hal_monotonic ();
    uint64_t left = deadline > now ? deadline - now : 0;
    uint64_t pause = stream->empties >= MAX_EMPTIES ? EMPTY_PAUSE : 0;
    HalStatus status;

    if (pause > 0) {
      status = hal_wake_wait (&stream->wake, -1, pause < left ? pause : left);
      if (status != HAL_TIMEOUT)
        return status;
    }
    if (fd >= 0 || family->stream_wait == NULL)
      return hal_wake_wait (&stream->wake, fd, left);
    status = hal_wake_wait (&stream->wake, -1, 0);
    if (status == HAL_INTERRUPTED)
      return status;
    status = family->stream_wait (stream,
                                  left < HAL_WAIT_SLICE ? left : HAL_WAIT_SLICE,
                                  error);
    if (status != HAL_AGAIN)
      return status;
    if (left == 0)
      return HAL_TIMEOUT;
  }
}

static void
count (HalStream *stream, uint64_t *counter)
{
  pthread_mutex_lock (&stream->stats_lock);
  (*counter)++;
  pthread_mutex_unlock (&stream->stats_lock);
}

/* Completes the frame from the segments; HAL_AGAIN for one to be left out. */
static HalStatus
finish_frame (HalStream *stream, HalFrame *frame, HalError *error)
{
  HalCodec codec = stream->codec;
  unsigned i;

  frame->segments = stream->segments.items;
  frame->n_segments = stream->segments.n;
  frame->size = 0;
  for (i = 0; i < frame->n_segments; i++)
    frame->size += frame->segments[i].size;
  if (frame->size == 0) {
    count (stream, &stream->stats.empty_wakeups);
    return HAL_AGAIN;
  }
  if (!hal_frame_starts_well (codec, frame->segments, frame->n_segments)) {
    if (++stream->insane >= MAX_INSANE)
      return hal_fail (
          error, HAL_INSANE, "", 0,
          "the structures of this SDK version differ from the known ones; "
          "please report it with the version string",
          "%u frames in a row do not begin like %s", MAX_INSANE,
          hal_codec_name (codec));
    count (stream, &stream->stats.vendor_errors);
    return HAL_AGAIN;
  }
  stream->insane = 0;
  frame->key = hal_frame_is_key (codec, frame->segments, frame->n_segments);
  return HAL_OK;
}

static void
count_frame (HalStream *stream, const HalFrame *frame)
{
  pthread_mutex_lock (&stream->stats_lock);
  stream->stats.frames++;
  stream->stats.bytes += frame->size;
  stream->stats.held = 1;
  if (stream->have_sequence && frame->sequence != stream->next_sequence)
    stream->stats.sequence_gaps++;
  pthread_mutex_unlock (&stream->stats_lock);
  stream->have_sequence = true;
  stream->next_sequence = frame->sequence + 1;
}

static void
drop_place (HalStream *stream, HalFrame *frame)
{
  if (frame->place != NULL)
    stream->places.drop (stream->places.user, frame->place);
  frame->place = NULL;
}

static HalStatus
take_frame (HalStream *stream, HalFrame *frame, HalError *error)
{
  HalStatus status;

  memset (frame, 0, sizeof *frame);
  frame->pts = HAL_TIME_NONE;
  stream->segments.n = 0;
  status = stream->context->family->get_frame (stream, frame, error);
  if (status != HAL_OK) {
    drop_place (stream, frame);
    return status;
  }
  stream->out = true;
  status = finish_frame (stream, frame, error);
  if (status == HAL_OK) {
    count_frame (stream, frame);
    return HAL_OK;
  }
  drop_place (stream, frame);
  hal_stream_release_frame (stream, NULL);
  return status;
}

HalStatus
hal_stream_get_frame (HalStream *stream, uint64_t timeout, HalFrame *ret_frame,
                      HalError *error)
{
  uint64_t now = hal_monotonic ();
  uint64_t deadline = timeout < UINT64_MAX - now ? now + timeout : UINT64_MAX;
  HalStatus status;
  HalFrame frame;

  if (stream->out)
    return hal_fail (error, HAL_INVALID, "", 0, NULL,
                     "the last frame was not released");
  for (;;) {
    status = wait_frame (stream, deadline, error);
    if (status == HAL_OK)
      status = take_frame (stream, &frame, error);
    switch (status) {
      case HAL_OK:
        stream->failures = stream->empties = 0;
        *ret_frame = frame;
        return HAL_OK;
      case HAL_AGAIN:
        stream->empties++;
        count (stream, &stream->stats.empty_wakeups);
        break;
      case HAL_VENDOR:
        count (stream, &stream->stats.vendor_errors);
        if (++stream->failures >= MAX_FAILURES)
          return status;
        status = hal_wake_wait (&stream->wake, -1, FAILURE_PAUSE);
        if (status == HAL_INTERRUPTED)
          return status;
        break;
      default:
        return status;
    }
    if (hal_monotonic () >= deadline)
      return HAL_TIMEOUT;
  }
}

HalStatus
hal_stream_release_frame (HalStream *stream, HalError *error)
{
  HalStatus status;

  if (!stream->out)
    return hal_fail (error, HAL_INVALID, "", 0, NULL, "no frame is out");
  stream->out = false;
  status = stream->context->family->release_frame (stream, error);
  pthread_mutex_lock (&stream->stats_lock);
  stream->stats.held = 0;
  if (status != HAL_OK)
    stream->stats.vendor_errors++;
  pthread_mutex_unlock (&stream->stats_lock);
  return status;
}

void
hal_stream_interrupt (HalStream *stream, bool on)
{
  hal_wake_set (&stream->wake, on);
}

void
hal_stream_get_stats (HalStream *stream, HalStreamStats *ret_stats)
{
  pthread_mutex_lock (&stream->stats_lock);
  *ret_stats = stream->stats;
  pthread_mutex_unlock (&stream->stats_lock);
}

HalStatus
hal_stream_snapshot (HalStream *stream, unsigned quality, uint64_t timeout,
                     HalSnapshotFunc func, void *user, HalError *error)
{
  HalStatus status;

  if (stream->context->family->snapshot == NULL
      || (stream->context->info.caps & HAL_CAP_SNAPSHOT) == 0)
    return hal_fail (error, HAL_UNSUPPORTED, "", 0,
                     "use a stream with codec=jpeg",
                     "%s cannot take a snapshot",
                     stream->context->family->long_name);
  if (quality < 1 || quality > 100)
    return hal_fail (error, HAL_INVALID, "", 0, NULL,
                     "a quality of %u: it goes from 1 to 100", quality);
  pthread_mutex_lock (&stream->lock);
  status = stream->context->family->snapshot (stream, quality, timeout, func,
                                              user, error);
  pthread_mutex_unlock (&stream->lock);
  return status;
}
