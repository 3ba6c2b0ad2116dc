/* What a family implements, and the tools it finds for that.
 *
 * The functions of HalFamily are called by halcontext.c, halstream.c and
 * halaudio.c, which check arguments, wait, retry, count and serialise, so that
 * a family holds nothing but the vendor's calls:
 *   - open and close never overlap, for one family;
 *   - create, destroy, start, stop, set, request_idr and snapshot of one
 *     stream never overlap (HalStream.lock);
 *   - get_frame and release_frame of one stream never overlap each other, but
 *     run beside set, request_idr and snapshot.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef HAL_BACKEND_H
#define HAL_BACKEND_H

#include <pthread.h>

#include "hal.h"
#include "halwake.h"

#define HAL_N_ELEMENTS(array) (sizeof (array) / sizeof ((array)[0]))

#if defined(__GNUC__)
#define HAL_PRINTF(fmt, args) __attribute__ ((format (printf, fmt, args)))
#else
#define HAL_PRINTF(fmt, args)
#endif

struct HalFamily
{
  const char *name;      /* "hisi" */
  const char *long_name; /* "HiSilicon / Goke" */
  /* Of every chip of it; 0: not known. They are put into each HalInfo. */
  unsigned max_streams, max_width, max_height;

  /* Looks, does not touch. The caller cleared info and set family and
   * limits. */
  HalStatus (*probe) (const HalEnv *env, HalInfo *info, HalError *error);

  /* Loads and initialises; *ret_context embeds a HalContext whose info is
   * complete. */
  HalStatus (*open) (const HalEnv *env, const HalContextConfig *config,
                     HalContext **ret_context, HalError *error);
  void (*close) (HalContext *context);
  /* Sets up a sensor for a context that was opened without one. NULL: that
   * can only be done when it is opened. */
  HalStatus (*add_sensor) (HalContext *context, const HalContextConfig *config,
                           HalError *error);
  /* NULL without HAL_CAP_CLOCK. */
  HalStatus (*clock) (HalContext *context, uint64_t *ret_ns, HalError *error);

  /* *ret_stream embeds a HalStream whose config is what is in force. */
  HalStatus (*stream_create) (HalContext *context,
                              const HalStreamConfig *config,
                              HalStream **ret_stream, HalError *error);
  void (*stream_destroy) (HalStream *stream);
  HalStatus (*stream_start) (HalStream *stream, HalError *error);
  void (*stream_stop) (HalStream *stream);

  /* The descriptor that is readable when a frame waits; -1: none, and then
   * stream_wait is called. */
  int (*stream_fd) (HalStream *stream);
  /* Blocks in the vendor's library, never longer than slice ns: HAL_OK if a
   * frame waits, HAL_AGAIN if not. NULL with a descriptor. */
  HalStatus (*stream_wait) (HalStream *stream, uint64_t slice, HalError *error);
  /* Never blocks. Adds the segments with hal_segments_add to
   * stream->segments and fills in pts, raw_pts and sequence. HAL_AGAIN:
   * nothing there. HAL_VENDOR: may pass, is tried again a few times. */
  HalStatus (*get_frame) (HalStream *stream, HalFrame *frame, HalError *error);
  HalStatus (*release_frame) (HalStream *stream, HalError *error);

  /* Takes over the fields named by what from want into the encoder. Does not
   * write stream->config: on HAL_OK the caller does. */
  HalStatus (*set) (HalStream *stream, const HalStreamConfig *want,
                    uint32_t what, HalError *error);
  HalStatus (*request_idr) (HalStream *stream, HalError *error);
  /* NULL without HAL_CAP_SNAPSHOT. */
  HalStatus (*snapshot) (HalStream *stream, unsigned quality, uint64_t timeout,
                         HalSnapshotFunc func, void *user, HalError *error);

  /* NULL without HAL_CAP_AUDIO_IN and HAL_CAP_AUDIO_OUT. */
  HalStatus (*audio_open) (HalContext *context, const HalAudioConfig *config,
                           HalAudio **ret_audio, HalError *error);
  void (*audio_close) (HalAudio *audio);
  /* May block in the vendor's library, never longer than slice ns. */
  HalStatus (*audio_read) (HalAudio *audio, uint64_t slice, HalFrame *frame,
                           HalError *error);
  HalStatus (*audio_release) (HalAudio *audio, HalError *error);
  /* Takes the bytes of exactly one frame; HAL_AGAIN: no room just now. */
  HalStatus (*audio_write) (HalAudio *audio, const void *data, size_t size,
                            uint64_t slice, HalError *error);
};

/* The longest that a family may block in a vendor call that nothing can
 * interrupt: how late an interrupt can be without a descriptor. */
#define HAL_WAIT_SLICE (20 * HAL_MSECOND)

/* Segments of the frame that is out; grows once and is kept. */
typedef struct
{
  HalSegment *items;
  unsigned n, allocated;
} HalSegments;

struct HalContext
{
  const HalFamily *family;
  HalInfo info;
  /* Of halcontext.c, protected by its lock. */
  unsigned refs;
  char *library_path;
  char *sensor_config;
};

struct HalStream
{
  HalContext *context;
  HalCodec codec;         /* constant */
  HalStreamConfig config; /* in force; protected by lock */
  HalSegments segments;   /* of the reading thread */
  HalPlaces places;       /* constant while started; get NULL: none */
  /* Of halstream.c. */
  pthread_mutex_t lock;
  HalWake wake;
  bool started;         /* protected by lock */
  HalStreamStats stats; /* protected by stats_lock */
  pthread_mutex_t stats_lock;
  bool have_sequence; /* reading thread, as those below */
  uint32_t next_sequence;
  bool out;
  unsigned failures, empties, insane;
};

struct HalAudio
{
  HalContext *context;
  HalAudioConfig config; /* in force */
  HalSegments segments;
  /* Of halaudio.c. */
  HalWake wake;
  bool out;
  unsigned failures;
  uint8_t *partial; /* of a frame to be written */
  size_t partial_size;
};

/* For families: the base part of what they return. */
void hal_stream_init (HalStream *stream, HalContext *context,
                      const HalStreamConfig *config);
void hal_stream_finish (HalStream *stream);
void hal_audio_init (HalAudio *audio, HalContext *context,
                     const HalAudioConfig *config);
void hal_audio_finish (HalAudio *audio);

/* Fails with HAL_INSANE where data or size cannot be a part of a frame. Empty
 * segments are left out. */
HalStatus hal_segments_add (HalSegments *segments, const void *data,
                            size_t size, unsigned pack, HalError *error);

/* Fills in error, if there is one, and returns status. */
HalStatus hal_fail (HalError *error, HalStatus status, const char *call,
                    int64_t code, const char *hint, const char *format, ...)
    HAL_PRINTF (6, 7);

/* root and path as one; the result is freed by the caller, NULL: no memory. */
char *hal_env_path (const HalEnv *env, const char *path);
bool hal_env_exists (const HalEnv *env, const char *path);
/* The first line that contains what, without the line's end; false: none. */
bool hal_env_find_line (const HalEnv *env, const char *path, const char *what,
                        char *ret_line, size_t size);

/* CLOCK_MONOTONIC, for waiting only: never for timestamps. */
uint64_t hal_monotonic (void);

/* A counter that may wrap at 2^32, continued; frames may be asked about in
 * either order around the wrap. A counter of more than 32 bits passes
 * unchanged. Zeroed and serialised by the caller. */
typedef struct
{
  uint64_t last, epochs;
  bool any;
} HalUnwrap;
uint64_t hal_unwrap32 (HalUnwrap *unwrap, uint64_t raw);

/* The microseconds of a vendor's clock that all streams and sound share, and
 * that may wrap, as ns; from any thread. */
typedef struct
{
  pthread_mutex_t lock;
  HalUnwrap unwrap; /* protected by lock */
} HalMicroClock;
void hal_micro_clock_init (HalMicroClock *clock);
void hal_micro_clock_finish (HalMicroClock *clock);
uint64_t hal_micro_clock_ns (HalMicroClock *clock, uint64_t us);

/* bit/s: the rate, or what variable rates may reach. */
uint32_t hal_config_peak (const HalStreamConfig *config);
/* For set: whether the frame rate can be had from what the sensor gives. */
HalStatus hal_check_framerate (const HalStreamConfig *want, uint32_t what,
                               unsigned input_fps, HalError *error);

/* The directory of the library at path. */
void hal_info_set_library (HalInfo *info, const char *path);

#endif /* HAL_BACKEND_H */
