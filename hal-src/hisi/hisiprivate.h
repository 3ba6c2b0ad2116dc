/* What the files of this family share.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef HISI_PRIVATE_H
#define HISI_PRIVATE_H

#include "halbackend.h"
#include "hisi.h"
#include "hisiapi.h"

/* Channels of the encoder. Of the 16 that the libraries have, the last takes
 * snapshots. */
#define HISI_MAX_STREAMS 8
#define HISI_SNAPSHOT_CHANNEL 15
#define HISI_MAX_WIDTH 3840
#define HISI_MAX_HEIGHT 2160

typedef struct
{
  HalContext base;
  HisiLibrary library;
  HalMicroClock clock;
} HisiContext;

typedef struct
{
  HalStream base;
  int channel;
  int fd;
  HisiMppChn from, to; /* what is bound */
  unsigned src_fps;
  int default_qp_min, default_qp_max; /* the library's; -1: not known */
  bool in_group;
  unsigned n_packs; /* that packs has room for */
  uint8_t *packs;
  hal_u64 stream[HISI_OUT_SIZE / 8]; /* the frame that is out */
} HisiStream;

typedef struct
{
  HalAudio base;
  int device;
  hal_u64 frame[HISI_OUT_SIZE / 8];
  hal_u64 echo[HISI_OUT_SIZE / 8];
  uint32_t sequence;
  uint64_t written; /* samples */
} HisiAudio;

/* hisiconfig.c: between HalStreamConfig and the channel's attributes */
void hisi_attr_fill (const HisiLayout *layout, const HalStreamConfig *config,
                     unsigned src_fps, void *attr);
HalStatus hisi_rc_fill (const HisiLayout *layout, const HalStreamConfig *config,
                        unsigned src_fps, void *attr, HalError *error);
HalStatus hisi_set (HalStream *base, const HalStreamConfig *want, uint32_t what,
                    HalError *error);
/* After the channel was created. */
HalStatus hisi_qp_init (HisiStream *stream, HalError *error);

/* hisiroi.c */
bool hisi_roi_known (const HisiLibrary *library);
HalStatus hisi_roi_set (HisiStream *stream, const HalStreamConfig *config,
                        HalError *error);

/* hisivenc.c */
HalStatus hisi_stream_create (HalContext *base, const HalStreamConfig *config,
                              HalStream **ret_stream, HalError *error);
void hisi_stream_destroy (HalStream *base);
HalStatus hisi_stream_start (HalStream *base, HalError *error);
void hisi_stream_stop (HalStream *base);
int hisi_stream_fd (HalStream *base);
HalStatus hisi_get_frame (HalStream *base, HalFrame *frame, HalError *error);
HalStatus hisi_release_frame (HalStream *base, HalError *error);
HalStatus hisi_request_idr (HalStream *base, HalError *error);
HalStatus hisi_snapshot (HalStream *base, unsigned quality, uint64_t timeout,
                         HalSnapshotFunc func, void *user, HalError *error);

/* hisiaudio.c */
HalStatus hisi_audio_open (HalContext *base, const HalAudioConfig *config,
                           HalAudio **ret_audio, HalError *error);
void hisi_audio_close (HalAudio *base);
HalStatus hisi_audio_read (HalAudio *base, uint64_t slice, HalFrame *frame,
                           HalError *error);
HalStatus hisi_audio_release (HalAudio *base, HalError *error);
HalStatus hisi_audio_write (HalAudio *base, const void *data, size_t size,
                            uint64_t slice, HalError *error);

#endif /* HISI_PRIVATE_H */
