/* What the conformance cases share: a context, a stream, joined frames.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef HARNESS_H
#define HARNESS_H

#include "conformance.h"
#include "halnal.h"

/* Long enough for a busy machine; a wait that lasts so long is a failure. */
#define PATIENCE (10 * HAL_SECOND)

#define SIM (1u << 31)
#define N_CODECS 3

typedef struct
{
  const char *name;
  void (*run) (void);
  uint32_t needs; /* HAL_CAP_..., SIM: faults */
} ConformanceCase;

/* The cases of a file, with its own count of failures. */
typedef struct
{
  const ConformanceCase *cases;
  unsigned n;
  unsigned *failures;
} ConformanceGroup;

extern const ConformanceGroup conformance_open, conformance_frames,
    conformance_control, conformance_time, conformance_attach;
extern const HalCodec conformance_codecs[N_CODECS];

typedef struct
{
  HalFrame frame; /* its segments are not valid any more */
  uint8_t *data;  /* joined */
  size_t size;
} Taken;

extern const ConformanceTarget *target;

/* The directory of the target's libraries; NULL: none is needed. */
const char *target_path (void);
uint32_t target_caps (void);
bool has_codec (HalCodec codec);
/* Whatever was done, it was done in the vendor's order and nothing is left;
 * says what is. */
bool is_clean (void);
/* NULL for a real family. */
SimControl *target_sim (void);
void sim_begin (void); /* faults and counters at zero */

HalEnv target_env (void);
HalContext *open_context (void); /* fails the case if it cannot */
HalStreamConfig stream_config (HalCodec codec);
HalStream *open_stream (HalContext *context, const HalStreamConfig *config);
/* A context and a started stream in one; closed by close_all. */
HalStream *open_all (HalCodec codec);
void close_all (HalStream *stream);
/* Gets, joins, releases. The data is valid until the next take. */
bool take (HalStream *stream, Taken *ret_taken);
void take_clear (void);
unsigned count_fds (void);

#endif /* HARNESS_H */
