/* What the files of the simulated driver share: its streams, in simambarella.c;
 * its commands, in simambarellacommands.c; its frames, in
 * simambarellaframes.c.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef SIM_AMBARELLA_H
#define SIM_AMBARELLA_H

#include <pthread.h>

#include "ambarella/ambarellaiav.h"
#include "halbackend.h"
#include "simengine.h"

#define MEMORY_SIZE ((size_t)4 << 20)
#define MEMORY_OFFSET 0
#define MAX_PIECES 32
#define N_STREAMS SIM_MAX_CHANNELS
#define PIC_TYPE_FRAME_END 7
/* Rate control of another program, which is not ours to change. */
#define THEIR_MODE 93
#define CANVAS_FPS 25
#define TICKS(us) ((us)*9 / 100)
#define WRAP (UINT64_C (1) << 32)

#if AMB_NEW
typedef struct iav_h26x_gop Gop;
typedef struct iav_h26x_cfg Encoder;
#else
typedef struct iav_h264_gop Gop;
typedef struct iav_h264_cfg Encoder;
#endif

typedef struct
{
  enum iav_stream_state state;
  bool elsewhere; /* started by another program */
  bool ended;     /* it was stopped, which nobody has read yet */
  SimSettings settings;
  struct iav_bitrate rate;
  u32 profile, source;
  /* The frame that is out. */
  struct iav_framedesc pieces[MAX_PIECES];
  bool out[MAX_PIECES];
  unsigned n_pieces, next;
} Stream;

/* Protects what is here, and the memory. */
extern pthread_mutex_t driver_lock;
extern Stream driver_streams[N_STREAMS];
extern uint8_t *driver_memory;

/* With the lock, all but driver_ticks and driver_query_frame. They return 0, or
 * what errno is to be. */
void driver_run (unsigned id);
void driver_halt (unsigned id);
/* Of the 90 kHz timer. */
uint64_t driver_ticks (uint64_t us);
int driver_command (unsigned long request, unsigned long argument);
enum iav_stream_type driver_type (HalCodec codec);
int driver_query_frame (struct iav_framedesc *desc);
int driver_release_frame (unsigned id, const struct iav_framedesc *desc);

#endif /* SIM_AMBARELLA_H */
