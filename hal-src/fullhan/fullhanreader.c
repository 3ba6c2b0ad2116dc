/* The one reader of all channels, and where it puts their frames.
 *
 * The library has no call that waits for one channel: it gives whatever comes
 * first of the types that are asked for, and gives the same again until it is
 * released. So one thread gets, copies and releases at once, and puts the copy
 * into the port of its channel. It gets nothing while nobody waits: then
 * frames stay in the library, as they do with other families.
 *
 * The context's lock protects the ports; scratch is the thread's own.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fullhanprivate.h"
#include "halnal.h"

#define MAX_FRAME_SIZE (FH_MAX_WIDTH * FH_MAX_HEIGHT * 2u)
#define HINT_LAYOUT                                                            \
  "the structures of this SDK version differ from the known ones"

static void
signal_port (FhPort *port, bool on)
{
  uint64_t value = 1;
  ssize_t done;

  done = on ? write (port->fd, &value, sizeof value)
            : read (port->fd, &value, sizeof value);
  (void)done;
}

/* With the lock; the place for the next frame, or NULL. */
static FhFrame *
room_of (FhPort *port)
{
  return port->n < FH_QUEUE ? &port->frames[(port->first + port->n) % FH_QUEUE]
                            : NULL;
}

static void
push (FhPort *port)
{
  if (port->n++ == 0)
    signal_port (port, true);
  port->wanted = false;
}

/* With the lock: all that wait are told. */
static void
tell_waiting (FhContext *context, HalStatus status, const HalError *error)
{
  unsigned i;

  for (i = 0; i < FH_ENC_CHANNELS; i++) {
    FhPort *port = &context->ports[i];
    FhFrame *frame = room_of (port);

    if (!port->started || !port->wanted || frame == NULL)
      continue;
    frame->status = status;
    frame->error = *error;
    push (port);
  }
}

static const uint8_t *
data_of (const FhFrame *frame)
{
  return frame->place != NULL ? frame->placed : frame->data;
}

static void
drop_place (const FhPort *port, FhFrame *frame)
{
  if (frame->place != NULL)
    port->places->drop (port->places->user, frame->place);
  frame->place = NULL;
}

/* places: where to; NULL: into the frame's own memory. */
static bool
copy_frame (FhFrame *frame, const HalPlaces *places, const uint8_t *data,
            uint32_t size)
{
  if (places != NULL && size > 0) {
    frame->place = places->get (places->user, size, &frame->placed);
    if (frame->place == NULL)
      return false;
    memcpy (frame->placed, data, size);
    frame->size = size;
    return true;
  }
  if (frame->allocated < size) {
    uint8_t *memory = realloc (frame->data, (size_t)size * 2);

    if (memory == NULL)
      return false;
    frame->data = memory;
    frame->allocated = (size_t)size * 2;
  }
  if (size > 0)
    memcpy (frame->data, data, size);
  frame->size = size;
  return true;
}

/* It stays as it is while the reader reads: see fh_reader_pause. */
static const HalPlaces *
places_of (FhContext *context, unsigned channel)
{
  const FhPort *port = &context->ports[channel];
  const HalPlaces *places;

  pthread_mutex_lock (&context->lock);
  places = port->started ? port->places : NULL;
  pthread_mutex_unlock (&context->lock);
  return places;
}

/* What is in the library's structure, into scratch. */
static HalStatus
read_stream (FhContext *context, const void *stream, uint32_t *ret_channel,
             HalError *error)
{
  const FhLayout *layout = context->library.layout;
  uint32_t type = hal_get_u32 (stream, 0);
  bool jpeg = type == FH_STREAM_JPEG || type == FH_STREAM_MJPEG;
  uint32_t channel = hal_get_u32 (stream, jpeg ? layout->stream.jpeg_channel
                                               : layout->stream.channel);
  const uint8_t *data = hal_get_ptr (stream, jpeg ? layout->stream.jpeg_data
                                                  : layout->stream.data);
  uint32_t length = hal_get_u32 (stream, jpeg ? layout->stream.jpeg_length
                                              : layout->stream.length);

  *ret_channel = channel;
  if (channel >= FH_ENC_CHANNELS || length > MAX_FRAME_SIZE
      || (data == NULL && length > 0))
    return hal_fail (error, HAL_INSANE, "FH_VENC_GetStream", 0, HINT_LAYOUT,
                     "%u bytes of channel %u", (unsigned)length,
                     (unsigned)channel);
  if (!copy_frame (&context->scratch, places_of (context, channel), data,
                   length))
    return hal_fail (error, HAL_NO_MEMORY, "", 0, NULL, "out of memory");
  context->scratch.raw_pts = hal_get_u64 (stream, jpeg ? layout->stream.jpeg_pts
                                                       : layout->stream.pts);
  return HAL_OK;
}

/* A frame of a former start may still come after the next one; the first frame
 * of a start is a keyframe. The same goes for what follows a loss. */
static bool
is_too_early (const FhPort *port, const FhFrame *frame)
{
  HalSegment segment = { data_of (frame), frame->size, 0 };

  return port->need_key && frame->size > 0
         && hal_frame_starts_well (port->codec, &segment, 1)
         && !hal_frame_is_key (port->codec, &segment, 1);
}

/* With the lock: scratch goes to its port. true: a frame was lost, and the
 * next must be a keyframe. */
static bool
hand_over (FhContext *context, uint32_t channel)
{
  FhPort *port = &context->ports[channel];
  FhFrame *to = room_of (port);
  FhFrame old;

  if (!port->started || is_too_early (port, &context->scratch)) {
    drop_place (port, &context->scratch);
    return false;
  }
  context->scratch.sequence = port->sequence++;
  if (to == NULL) {
    bool first = !port->need_key && port->codec != HAL_CODEC_JPEG;

    port->need_key = port->codec != HAL_CODEC_JPEG;
    drop_place (port, &context->scratch);
    return first;
  }
  port->need_key = false;
  old = *to;
  *to = context->scratch;
  to->status = HAL_OK;
  context->scratch = old;
  push (port);
  return false;
}

static uint32_t
wanted_types (const FhContext *context)
{
  uint32_t types = 0;
  bool wanted = false;
  unsigned i;

  for (i = 0; i < FH_ENC_CHANNELS; i++) {
    if (context->ports[i].started) {
      types |= context->ports[i].mask;
      wanted |= context->ports[i].wanted;
    }
  }
  return wanted ? types : 0;
}

/* Without the lock. */
static void
get_one (FhContext *context, uint32_t types)
{
  hal_u64 stream[FH_OUT_SIZE / 8] = { 0 };
  HalError error = { 0 };
  uint32_t channel = 0;
  bool lost = false;
  HalStatus status;
  int32_t code;

  errno = 0;
  code = fh_get (&context->library, types, stream);
  if (code == -1 && errno == EINTR)
    return;
  if (code == 0) {
    status = read_stream (context, stream, &channel, &error);
    /* Whatever it is, it is given back, or it would come again. */
    code = fh_release (&context->library, channel, stream);
    if (code != 0 && status == HAL_OK)
      status = fh_fail (&error, "FH_VENC_ReleaseStream", code);
  } else {
    status = fh_fail (&error, "FH_VENC_GetStream", code);
  }
  pthread_mutex_lock (&context->lock);
  if (status == HAL_OK) {
    lost = hand_over (context, channel);
  } else {
    if (context->scratch.place != NULL)
      drop_place (&context->ports[channel], &context->scratch);
    tell_waiting (context, status, &error);
  }
  pthread_mutex_unlock (&context->lock);
  if (lost)
    context->library.api.request_idr (channel);
}

static void *
reader_thread (void *data)
{
  FhContext *context = data;

  pthread_mutex_lock (&context->lock);
  while (!context->quit) {
    uint32_t types = wanted_types (context);

    if (types == 0 || context->paused > 0) {
      pthread_cond_wait (&context->wake, &context->lock);
      continue;
    }
    context->reading = true;
    pthread_mutex_unlock (&context->lock);
    get_one (context, types);
    pthread_mutex_lock (&context->lock);
    context->reading = false;
    pthread_cond_broadcast (&context->idle);
  }
  pthread_mutex_unlock (&context->lock);
  return NULL;
}

bool
fh_reader_start (FhContext *context)
{
  unsigned i;

  for (i = 0; i < FH_ENC_CHANNELS; i++)
    context->ports[i].fd = -1;
  pthread_mutex_init (&context->lock, NULL);
  pthread_cond_init (&context->wake, NULL);
  pthread_cond_init (&context->idle, NULL);
  if (pthread_create (&context->reader, NULL, reader_thread, context) == 0)
    return true;
  pthread_cond_destroy (&context->idle);
  pthread_cond_destroy (&context->wake);
  pthread_mutex_destroy (&context->lock);
  return false;
}

void
fh_reader_stop (FhContext *context)
{
  unsigned i, k;

  pthread_mutex_lock (&context->lock);
  context->quit = true;
  pthread_cond_signal (&context->wake);
  pthread_mutex_unlock (&context->lock);
  pthread_join (context->reader, NULL);
  for (i = 0; i < FH_ENC_CHANNELS; i++) {
    for (k = 0; k < FH_QUEUE; k++)
      free (context->ports[i].frames[k].data);
  }
  free (context->scratch.data);
  pthread_cond_destroy (&context->idle);
  pthread_cond_destroy (&context->wake);
  pthread_mutex_destroy (&context->lock);
}

void
fh_reader_pause (FhContext *context)
{
  pthread_mutex_lock (&context->lock);
  context->paused++;
  while (context->reading)
    pthread_cond_wait (&context->idle, &context->lock);
  pthread_mutex_unlock (&context->lock);
}

void
fh_reader_resume (FhContext *context)
{
  pthread_mutex_lock (&context->lock);
  context->paused--;
  pthread_cond_signal (&context->wake);
  pthread_mutex_unlock (&context->lock);
}

bool
fh_port_open (FhContext *context, unsigned channel, HalCodec codec,
              uint32_t mask)
{
  FhPort *port = &context->ports[channel];
  int fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);

  if (fd < 0)
    return false;
  pthread_mutex_lock (&context->lock);
  port->fd = fd;
  port->codec = codec;
  port->mask = mask;
  pthread_mutex_unlock (&context->lock);
  return true;
}

void
fh_port_close (FhContext *context, unsigned channel)
{
  FhPort *port = &context->ports[channel];

  pthread_mutex_lock (&context->lock);
  if (port->fd >= 0)
    close (port->fd);
  port->fd = -1;
  pthread_mutex_unlock (&context->lock);
}

void
fh_port_start (FhContext *context, unsigned channel, const HalPlaces *places)
{
  FhPort *port = &context->ports[channel];

  pthread_mutex_lock (&context->lock);
  port->started = true;
  port->places = places;
  port->wanted = false;
  port->need_key = port->codec != HAL_CODEC_JPEG;
  pthread_mutex_unlock (&context->lock);
}

void
fh_port_stop (FhContext *context, unsigned channel)
{
  FhPort *port = &context->ports[channel];

  pthread_mutex_lock (&context->lock);
  port->started = port->wanted = false;
  if (port->n > 0)
    signal_port (port, false);
  for (; port->n > 0; port->n--) {
    drop_place (port, &port->frames[port->first]);
    port->first = (port->first + 1) % FH_QUEUE;
  }
  pthread_mutex_unlock (&context->lock);
}

int
fh_port_want (FhContext *context, unsigned channel)
{
  FhPort *port = &context->ports[channel];

  pthread_mutex_lock (&context->lock);
  if (port->started && port->n == 0 && !port->wanted) {
    port->wanted = true;
    pthread_cond_signal (&context->wake);
  }
  pthread_mutex_unlock (&context->lock);
  return port->fd;
}

HalStatus
fh_port_take (FhContext *context, unsigned channel, FhFrame *frame,
              HalError *error)
{
  FhPort *port = &context->ports[channel];
  HalStatus status = HAL_AGAIN;

  pthread_mutex_lock (&context->lock);
  if (port->n > 0) {
    FhFrame *from = &port->frames[port->first];
    FhFrame old = *frame;

    *frame = *from;
    *from = old;
    status = frame->status;
    if (status != HAL_OK && error != NULL)
      *error = frame->error;
    port->first = (port->first + 1) % FH_QUEUE;
    if (--port->n == 0)
      signal_port (port, false);
  }
  pthread_mutex_unlock (&context->lock);
  return status;
}
