/* What the files of this family share.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef FULLHAN_PRIVATE_H
#define FULLHAN_PRIVATE_H

#include "fullhan.h"
#include "fullhanapi.h"
#include "halbackend.h"

/* As many as the scaler has outputs; the last channel of the encoder takes
 * snapshots. */
#define FH_MAX_STREAMS FH_VPU_CHANNELS
#define FH_SNAPSHOT_CHANNEL (FH_ENC_CHANNELS - 1)
#define FH_MAX_WIDTH 3840
#define FH_MAX_HEIGHT 2160
/* Frames that wait for a stream that is slower than the others. */
#define FH_QUEUE 8

/* A copy of a frame, or how getting it failed. */
typedef struct
{
  HalStatus status;
  HalError error; /* if status is not HAL_OK */
  /* The frame is in a place of the caller's, or, with NULL, in data. */
  void *place;
  uint8_t *placed;
  uint8_t *data;
  size_t size, allocated;
  uint64_t raw_pts;
  uint32_t sequence;
} FhFrame;

/* Where the reader puts the frames of a channel. Protected by the context's
 * lock. */
typedef struct
{
  bool started;
  HalCodec codec;
  uint32_t mask;           /* FH_STREAM_... */
  const HalPlaces *places; /* NULL: none; constant while the reader reads */
  bool wanted;             /* someone waits */
  bool need_key;           /* what comes before the next keyframe is left out */
  int fd;                  /* readable while n > 0 */
  FhFrame frames[FH_QUEUE];
  unsigned first, n;
  uint32_t sequence;
} FhPort;

typedef struct
{
  HalContext base;
  FhLibrary library;
  uint32_t vo_mode;
  HalMicroClock clock;
  pthread_mutex_t lock;
  pthread_cond_t wake; /* the reader: something is wanted, or quit */
  pthread_cond_t idle; /* the reader does not read any more */
  bool reading;        /* between getting a frame and having released it */
  unsigned paused;
  FhPort ports[FH_ENC_CHANNELS];
  bool quit;
  pthread_t reader;
  FhFrame scratch; /* of the reader */
  /* What the library made of each channel; protected by vendor_lock, with all
   * calls that make or remove channels. */
  pthread_mutex_t vendor_lock;
  FhCap created[FH_ENC_CHANNELS];
  unsigned n_open;
  unsigned n_audio; /* of FH_AC_Init */
} FhContext;

typedef struct
{
  HalStream base;
  uint32_t channel, group, vpu;
  bool jpeg;
  FhFrame held; /* the frame that is out */
} FhStream;

typedef struct
{
  HalAudio base;
  uint8_t *memory;
  uint32_t size;
  uint32_t sequence;
} FhAudio;

/* fullhanreader.c */
bool fh_reader_start (FhContext *context);
void fh_reader_stop (FhContext *context);
/* Until as many resumes the reader has no frame of the library's, so that
 * channels can be changed and removed. It waits for the next frame of what
 * runs, so pause before a stop; where none comes, for as long as the library
 * does. */
void fh_reader_pause (FhContext *context);
void fh_reader_resume (FhContext *context);
bool fh_port_open (FhContext *context, unsigned channel, HalCodec codec,
                   uint32_t mask);
void fh_port_close (FhContext *context, unsigned channel);
void fh_port_start (FhContext *context, unsigned channel,
                    const HalPlaces *places);
void fh_port_stop (FhContext *context, unsigned channel);
/* Has the reader look for a frame; the descriptor that tells. */
int fh_port_want (FhContext *context, unsigned channel);
/* Exchanges the first frame with *frame; HAL_AGAIN: there is none. */
HalStatus fh_port_take (FhContext *context, unsigned channel, FhFrame *frame,
                        HalError *error);

/* fullhanconfig.c: between HalStreamConfig and the channel's attributes */
HalStatus fh_config_fill (const FhLayout *layout, const HalStreamConfig *config,
                          void *memory, HalError *error);
void fh_change_fill (const HalStreamConfig *config, FhChangeB *change);
FhRate fh_rate (const HalStreamConfig *config);
HalStatus fh_set (HalStream *base, const HalStreamConfig *want, uint32_t what,
                  HalError *error);

/* fullhanvenc.c */
HalStatus fh_stream_create (HalContext *base, const HalStreamConfig *config,
                            HalStream **ret_stream, HalError *error);
void fh_stream_destroy (HalStream *base);
HalStatus fh_stream_start (HalStream *base, HalError *error);
void fh_stream_stop (HalStream *base);
HalStatus fh_channel_start (FhStream *stream, HalError *error);
void fh_channel_stop (FhStream *stream);
int fh_stream_fd (HalStream *base);
HalStatus fh_get_frame (HalStream *base, HalFrame *frame, HalError *error);
HalStatus fh_release_frame (HalStream *base, HalError *error);
HalStatus fh_request_idr (HalStream *base, HalError *error);
HalStatus fh_snapshot (HalStream *base, unsigned quality, uint64_t timeout,
                       HalSnapshotFunc func, void *user, HalError *error);

/* fullhanaudio.c */
HalStatus fh_audio_open (HalContext *base, const HalAudioConfig *config,
                         HalAudio **ret_audio, HalError *error);
void fh_audio_close (HalAudio *base);
HalStatus fh_audio_read (HalAudio *base, uint64_t slice, HalFrame *frame,
                         HalError *error);
HalStatus fh_audio_release (HalAudio *base, HalError *error);
HalStatus fh_audio_write (HalAudio *base, const void *data, size_t size,
                          uint64_t slice, HalError *error);

#endif /* FULLHAN_PRIVATE_H */
