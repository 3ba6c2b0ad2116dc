/* The encoders behind the simulated vendor libraries, and their faults.
 *
 * A simulated library is this engine with a vendor's exported names and
 * structures around it. It runs in the process of the test, which finds
 * sim_control in it and tells it what to do wrong.
 *
 * Time, by SimControl.mode: SIM_AUTO, a frame is there whenever one is asked
 * for, and each moves the clock by one frame interval; SIM_MANUAL, the test
 * moves the clock; SIM_REALTIME, frames come at their rate.
 *
 * Threads: one lock in the engine protects everything but SimControl's faults
 * and counters, which are atomic.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef SIM_ENGINE_H
#define SIM_ENGINE_H

#include <stdatomic.h>

#include "hal.h"
#include "simbits.h"

#define SIM_MAX_CHANNELS 16
#define SIM_SLOTS 8
#define SIM_EXPORT __attribute__ ((visibility ("default")))
/* What released memory is filled with. */
#define SIM_POISON 0xdd

typedef enum { SIM_AUTO, SIM_MANUAL, SIM_REALTIME } SimMode;

typedef struct
{
  /* Set before the library is initialised. */
  SimMode mode;
  char version[64];  /* "": the library's own */
  char missing[64];  /* a function to be without, for libraries with tables */
  uint64_t clock_us; /* where the clock begins */
  bool wrap32;       /* the clock is a counter of 32 bits */

  /* The shape of the stream. */
  atomic_uint slices; /* per picture; 0: 1 */
  atomic_bool short_start_codes;
  atomic_bool bundle;  /* all NAL units of a picture in one pack */
  atomic_uint wrap_at; /* bytes of a picture before the ring's end */

  /* Faults; the counted ones go down to 0 as they happen. */
  atomic_uint empty_wakeups;  /* announced frames that are not there */
  atomic_uint eintr;          /* calls interrupted by a signal */
  atomic_uint get_failures;   /* "no buffer" from getting a frame */
  atomic_uint zero_frames;    /* frames of no bytes */
  atomic_uint garbage;        /* frames that are no bitstream */
  atomic_uint insane;         /* frames whose structure cannot be true */
  atomic_uint refuse_sets;    /* changes that are not permitted */
  atomic_uint refuse_creates; /* out of the SoC's memory */
  atomic_uint busy_creates;   /* used by someone else */
  atomic_uint leftover;   /* channels, as bits, of a process that was killed */
  atomic_uint idr_delay;  /* frames from request to keyframe */
  atomic_uint stop_after; /* frames after which the sensor stops; 0: runs */
  atomic_int jump_us;     /* added to the clock before the next frame */
  atomic_uint grow; /* bytes that the library writes past known structures */
  atomic_uint refuse_opens; /* of the device: no permission */
  /* What the next creation of a channel fails with, and, until it is 0 again,
   * getting a frame: the vendor's number, and errno. */
  atomic_int create_code, create_errno, get_code, get_errno;
  atomic_bool no_front;     /* sensor and scaler do not run */

  /* What happened. */
  atomic_uint inits, exits, double_inits;
  atomic_uint creates, destroys, starts, stops;
  atomic_uint gets, releases, idr_requests, sets, overruns, snapshots;
  atomic_uint audio_gets, audio_releases, audio_plays;
  atomic_uint order_errors; /* calls that the vendor forbids at this point */
  atomic_uint dirty;        /* bytes that were not zero beyond a structure */
  /* Regions of interest of channel 0; no size: off. */
  HalRoi roi[HAL_MAX_ROI];

  /* Moves the clock (SIM_MANUAL). */
  void (*advance) (uint64_t us);
  /* Faults and counters as at the beginning; nothing may be open. */
  void (*reset) (void);
  /* Bit/s, frames, and frames/s as the encoder of a channel has them. */
  void (*settings) (unsigned channel, uint32_t *ret_bitrate, unsigned *ret_gop,
                    unsigned *ret_fps, int *ret_qp_min, int *ret_qp_max);
  /* Of families whose streams can be other programs': one runs a channel, or,
   * with NULL, stops it. */
  void (*run_elsewhere) (unsigned channel, const HalStreamConfig *config);
  bool (*is_elsewhere) (unsigned channel);
} SimControl;

/* Exported by every simulated library. */
typedef SimControl *(*SimControlFunc) (void);

/* For the libraries. */
typedef struct
{
  HalCodec codec;
  unsigned width, height;
  unsigned fps_num, fps_den;
  uint32_t bitrate; /* bit/s; 0: as it comes (constant quantiser) */
  unsigned gop;
  int qp_min, qp_max;
} SimSettings;

typedef struct
{
  struct
  {
    const uint8_t *data[2]; /* the second part is at the ring's beginning */
    size_t size[2];
    unsigned type;
  } packs[SIM_MAX_NALS];
  unsigned n_packs;
  uint8_t *ring;
  size_t ring_size;
  uint64_t pts; /* us */
  uint32_t sequence;
  bool key;
} SimFrame;

SimControl *sim_engine_control (void);
/* Takes one from a counted fault; false: it is at 0. */
bool sim_fault (atomic_uint *counter);
/* The numbers above; 0: no failure. errno is set. */
int sim_create_code (void);
int sim_get_code (void);
uint64_t sim_engine_now (void); /* us */
/* Where the library is initialised. */
void sim_engine_init (void);
void sim_engine_exit (void);
bool sim_engine_running (void);

/* ring: packs may wrap. false: it exists. */
bool sim_channel_create (unsigned id, const SimSettings *settings, bool ring);
bool sim_channel_exists (unsigned id);
bool sim_channel_destroy (unsigned id);
bool sim_channel_start (unsigned id, unsigned n_frames); /* 0: for ever */
bool sim_channel_stop (unsigned id);
int sim_channel_fd (unsigned id);
/* Packs of the next frame; 0: none. */
unsigned sim_channel_packs (unsigned id);
/* The frame stays until it is released; NULL: none. */
const SimFrame *sim_channel_get (unsigned id);
bool sim_channel_release (unsigned id);
/* Waits in real time; for libraries without descriptors. */
bool sim_channel_wait (unsigned id, unsigned ms);
bool sim_channel_idr (unsigned id);
bool sim_channel_get_settings (unsigned id, SimSettings *ret_settings);
bool sim_channel_set_settings (unsigned id, const SimSettings *settings);

/* Checks that a structure of the caller is followed by zeros, and writes past
 * it as much as the fault asks for. */
void sim_check_out (void *structure, size_t size);

#endif /* SIM_ENGINE_H */
