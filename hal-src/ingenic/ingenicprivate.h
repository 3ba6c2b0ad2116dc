/* What the files of this family share.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef INGENIC_PRIVATE_H
#define INGENIC_PRIVATE_H

#include "halbackend.h"
#include "ingenic.h"
#include "ingenicapi.h"

/* Encoder channels are the streams' numbers; one more takes snapshots. */
#define INGENIC_MAX_STREAMS 4
#define INGENIC_SNAPSHOT_CHANNEL INGENIC_MAX_STREAMS
#define INGENIC_MAX_WIDTH 3840
#define INGENIC_MAX_HEIGHT 2160

typedef struct
{
  bool given;
  IngenicSensorInfo info;
  /* How it is wired, where that is said (T40, T41). */
  IngenicT40SensorInfo wiring;
  bool has_wiring;
  unsigned width, height; /* 0: not known */
  unsigned fps_num, fps_den;
} IngenicSensor;

/* An output of the ISP with the encoder group that it feeds, which have the
 * same number. Several channels may be in a group. */
typedef struct
{
  unsigned refs, running; /* streams that were created, and started */
  unsigned width, height;
} IngenicSource;

typedef struct
{
  HalContext base;
  IngenicLibrary library;
  IngenicSensor sensor; /* constant while there are streams */
  HalMicroClock clock;
  pthread_mutex_t lock;
  IngenicSource sources[INGENIC_MAX_STREAMS]; /* protected by lock */
} IngenicContext;

typedef struct
{
  HalStream base;
  int channel;
  unsigned source;
  int fd; /* -1: the library has none */
  unsigned src_fps;
  hal_u64 stream[INGENIC_OUT_SIZE / 8]; /* the frame that is out */
} IngenicStream;

typedef struct
{
  HalAudio base;
  int device;
  hal_u64 frame[INGENIC_OUT_SIZE / 8];
} IngenicAudio;

/* us of the library's clock to ns, unwrapped; what is below 0 is 0 */
uint64_t ingenic_time (IngenicContext *context, int64_t us);

/* ingenicsensor.c: sensor, ISP, its outputs */
HalStatus ingenic_sensor_parse (const char *text, IngenicSensor *sensor,
                                HalError *error);
HalStatus ingenic_sensor_start (IngenicContext *context, HalError *error);
void ingenic_sensor_stop (IngenicContext *context);
/* Makes the output, or joins it if it is there with the same size. */
HalStatus ingenic_source_ref (IngenicContext *context, unsigned number,
                              const HalStreamConfig *config, unsigned fps,
                              HalError *error);
void ingenic_source_unref (IngenicContext *context, unsigned number);
/* Whether any output was made. */
bool ingenic_source_any (IngenicContext *context);
/* Pictures flow while any stream of the output is started. */
HalStatus ingenic_source_start (IngenicContext *context, unsigned number,
                                HalError *error);
void ingenic_source_stop (IngenicContext *context, unsigned number);

/* ingenicconfig.c: between HalStreamConfig and the channel */
HalStatus ingenic_attr_fill (IngenicContext *context,
                             const HalStreamConfig *config, void *attr,
                             HalError *error);
/* What the attributes leave to be said to a channel that was created. */
HalStatus ingenic_config_finish (IngenicStream *stream, HalError *error);
HalStatus ingenic_set (HalStream *base, const HalStreamConfig *want,
                       uint32_t what, HalError *error);

/* ingenicold.c: the same for the old kind. HAL_UNSUPPORTED: no such rate
 * control. */
HalStatus ingenic_old_attr_fill (const IngenicLayout *layout,
                                 const HalStreamConfig *config, void *attr,
                                 HalError *error);
int ingenic_old_set_rates (IngenicStream *stream, const HalStreamConfig *want,
                           uint32_t what, const char **ret_call);

/* ingenicvenc.c */
HalStatus ingenic_stream_create (HalContext *base,
                                 const HalStreamConfig *config,
                                 HalStream **ret_stream, HalError *error);
void ingenic_stream_destroy (HalStream *base);
HalStatus ingenic_stream_start (HalStream *base, HalError *error);
void ingenic_stream_stop (HalStream *base);
int ingenic_stream_fd (HalStream *base);
HalStatus ingenic_stream_wait (HalStream *base, uint64_t slice,
                               HalError *error);
HalStatus ingenic_get_frame (HalStream *base, HalFrame *frame, HalError *error);
HalStatus ingenic_release_frame (HalStream *base, HalError *error);
HalStatus ingenic_request_idr (HalStream *base, HalError *error);
HalStatus ingenic_snapshot (HalStream *base, unsigned quality, uint64_t timeout,
                            HalSnapshotFunc func, void *user, HalError *error);

/* ingenicaudio.c */
HalStatus ingenic_audio_open (HalContext *base, const HalAudioConfig *config,
                              HalAudio **ret_audio, HalError *error);
void ingenic_audio_close (HalAudio *base);
HalStatus ingenic_audio_read (HalAudio *base, uint64_t slice, HalFrame *frame,
                              HalError *error);
HalStatus ingenic_audio_release (HalAudio *base, HalError *error);
HalStatus ingenic_audio_write (HalAudio *base, const void *data, size_t size,
                               uint64_t slice, HalError *error);

#endif /* INGENIC_PRIVATE_H */
