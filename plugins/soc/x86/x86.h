/* The family x86: what its files share.
 *
 * A private GStreamer pipeline per camera or test picture, with a branch per
 * stream: scaler, the best encoder of the registry, appsink. It passes the
 * same suite as the vendors' libraries and so says what is expected of them.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef X86_H
#define X86_H

#include <errno.h>
#include <gst/app/gstappsink.h>
#include <gst/base/gstadapter.h>
#include <gst/gst.h>
#include <string.h>

#include "halbackend.h"

G_BEGIN_DECLS

extern const HalFamily hal_x86;

#define X86_MAX_STREAMS 8
#define X86_MAX_WIDTH 7680
#define X86_MAX_HEIGHT 4320
#define X86_DEFAULT_WIDTH 1280
#define X86_DEFAULT_HEIGHT 720

/* x86encoder.c: the encoders, the best first */
typedef struct
{
  const gchar *factory;
  HalCodec codec;
  const gchar *settings;              /* "name=value name=value" */
  const gchar *bitrate;               /* property; NULL: none */
  guint bitrate_unit;                 /* bit/s in one of it */
  const gchar *max_bitrate;           /* NULL: none */
  const gchar *qp_min, *qp_max;       /* NULL: none */
  const gchar *rate_control;          /* NULL: none */
  const gchar *modes[HAL_RC_CQP + 1]; /* its values; NULL: has none */
  const gchar *quality;               /* JPEG */
} X86Encoder;

/* The best there is, or the one of this name. */
const X86Encoder *x86_encoder_find (HalCodec codec, const gchar *name);
GstElement *x86_encoder_make (const X86Encoder *encoder,
                              const HalStreamConfig *config, HalError *error);
void x86_encoder_set_bitrate (const X86Encoder *encoder, GstElement *element,
                              const HalStreamConfig *config);

/* x86picture.c: what all streams of one camera have in common */
typedef struct _X86Picture X86Picture;

typedef struct
{
  HalContext base;
  GstClock *clock;
  GMutex lock;
  GList *pictures; /* protected by lock */
} X86Context;

/* Starts the source if it is not running. Sizes are taken from config by the
 * first stream. */
X86Picture *x86_picture_get (X86Context *context, const HalStreamConfig *config,
                             HalError *error);
void x86_picture_unref (X86Context *context, X86Picture *picture);
/* Adds the branch to the pipeline, from the tee on; TRUE: it runs. */
gboolean x86_picture_add (X86Picture *picture, GstElement *branch,
                          HalError *error);
void x86_picture_remove (X86Picture *picture, GstElement *branch);
GstClockTime x86_picture_base_time (X86Picture *picture);
/* Whether the pipeline failed, and why. */
gboolean x86_picture_failed (X86Picture *picture, HalError *error);

/* Fills in error from what is on the pipeline's bus. */
HalStatus x86_fail_from_bus (GstElement *pipeline, const gchar *call,
                             HalError *error);
HalStatus x86_fail_from_message (GstMessage *message, const gchar *call,
                                 HalError *error);

/* x86venc.c */
HalStatus x86_stream_create (HalContext *base, const HalStreamConfig *config,
                             HalStream **ret_stream, HalError *error);
void x86_stream_destroy (HalStream *base);
HalStatus x86_stream_start (HalStream *base, HalError *error);
void x86_stream_stop (HalStream *base);
int x86_stream_fd (HalStream *base);
HalStatus x86_get_frame (HalStream *base, HalFrame *frame, HalError *error);
HalStatus x86_release_frame (HalStream *base, HalError *error);
HalStatus x86_set (HalStream *base, const HalStreamConfig *want, uint32_t what,
                   HalError *error);
HalStatus x86_request_idr (HalStream *base, HalError *error);

/* x86audio.c */
HalStatus x86_audio_open (HalContext *base, const HalAudioConfig *config,
                          HalAudio **ret_audio, HalError *error);
void x86_audio_close (HalAudio *base);
HalStatus x86_audio_read (HalAudio *base, uint64_t slice, HalFrame *frame,
                          HalError *error);
HalStatus x86_audio_release (HalAudio *base, HalError *error);

G_END_DECLS

#endif /* X86_H */
