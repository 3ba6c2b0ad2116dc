/* A thread that takes frames from an encoder as they come, copies each once
 * and gives it back at once, and a bounded queue of the copies.
 *
 * An encoder's buffers are few: whoever holds one up stalls it. When the queue
 * is full, frames are dropped up to the next keyframe, which is asked for; if
 * it is still full then, what waits in it is stale and goes.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef GST_SOC_READER_H
#define GST_SOC_READER_H

#include <gst/gst.h>

#include "hal.h"

G_BEGIN_DECLS

typedef struct _GstSocReader GstSocReader;

typedef struct
{
  GstBuffer *buffer; /* its data and flags; no times */
  guint64 pts;       /* of the vendor's clock, ns */
  gboolean key;
} GstSocFrame;

typedef struct
{
  guint64 dropped; /* frames */
  guint64 overflows;
  guint queued;
} GstSocReaderStats;

/* The stream is started here and stopped by gst_soc_reader_free, but stays the
 * caller's. timeout: without a frame for so long, an error. NULL: error. */
GstSocReader *gst_soc_reader_new (HalStream *stream, guint max_queued,
                                  GstClockTime timeout, HalError *error);
void gst_soc_reader_free (GstSocReader *reader);

/* Waits for the next frame, whose buffer is then the caller's. FALSE: flushing,
 * or an error, which is then in error with a status other than
 * HAL_INTERRUPTED. */
gboolean gst_soc_reader_pop (GstSocReader *reader, GstSocFrame *ret_frame,
                             HalError *error);
/* While on, gst_soc_reader_pop returns at once. */
void gst_soc_reader_set_flushing (GstSocReader *reader, gboolean flushing);
/* While on, frames are thrown away as they come (PAUSED); turned off, the next
 * one out is a keyframe. */
void gst_soc_reader_set_discard (GstSocReader *reader, gboolean discard);
void gst_soc_reader_get_stats (GstSocReader *reader,
                               GstSocReaderStats *ret_stats);

G_END_DECLS

#endif /* GST_SOC_READER_H */
