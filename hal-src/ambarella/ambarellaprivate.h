/* What the files of this family share.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef AMBARELLA_PRIVATE_H
#define AMBARELLA_PRIVATE_H

#include "ambarella.h"
#include "ambarellaiav.h"
#include "halbackend.h"

/* More slices and tiles than a frame is cut into. */
#define AMB_MAX_PIECES 64

typedef struct
{
  HalContext base;
  HalLoader loader;
  AmbDevice device;
  int timer;             /* the 90 kHz timer; -1: cannot be read */
  const uint8_t *memory; /* of frames, twice in a row */
  size_t length;         /* of it, once */
  pthread_mutex_t clock_lock;
  HalUnwrap clock; /* protected by clock_lock */
} AmbContext;

typedef struct
{
  HalStream base;
  unsigned id;
  bool attached;    /* another program runs it */
  unsigned src_fps; /* of the canvas, as far as it was said */
  AmbRate usual;    /* limits of the quantiser, if none are given */
  /* Of the reading thread: the frame that comes, or is out. */
  AmbPiece pieces[AMB_MAX_PIECES];
  unsigned n_pieces;
  bool whole;
  bool end_seen; /* which may be that of the time before */
  bool need_key; /* what comes before the first keyframe is left out */
} AmbStream;

/* Ticks of the timer to ns, unwrapped. */
uint64_t amb_time (AmbContext *context, uint64_t ticks);

/* ambarellaconfig.c: between HalStreamConfig and the encoder */
/* Takes over what the running stream has. */
HalStatus amb_config_read (AmbStream *stream, HalError *error);
/* Puts everything into an idle one. */
HalStatus amb_config_write (AmbStream *stream, HalError *error);
HalStatus amb_set (HalStream *base, const HalStreamConfig *want, uint32_t what,
                   HalError *error);

/* ambarellavenc.c */
HalStatus amb_stream_create (HalContext *base, const HalStreamConfig *config,
                             HalStream **ret_stream, HalError *error);
void amb_stream_destroy (HalStream *base);
HalStatus amb_stream_start (HalStream *base, HalError *error);
void amb_stream_stop (HalStream *base);
HalStatus amb_stream_wait (HalStream *base, uint64_t slice, HalError *error);
HalStatus amb_get_frame (HalStream *base, HalFrame *frame, HalError *error);
HalStatus amb_release_frame (HalStream *base, HalError *error);
HalStatus amb_request_idr (HalStream *base, HalError *error);

#endif /* AMBARELLA_PRIVATE_H */
