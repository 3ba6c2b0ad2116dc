/* Bitstreams for the simulated encoders: real ones, that decoders decode.
 *
 * A grey picture, then pictures that repeat it, in H.264, H.265 or JPEG: the
 * smallest thing that is not a fake. Filler data brings each access unit to
 * the size that rate control asks for.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef SIM_BITS_H
#define SIM_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal.h"

#define SIM_MAX_NALS 64

/* One access unit; NAL units lie one after the other in data. */
typedef struct
{
  uint8_t *data;
  size_t size, allocated;
  struct
  {
    size_t offset, size; /* with the start code */
    unsigned type;
  } nals[SIM_MAX_NALS];
  unsigned n_nals;
} SimUnit;

typedef struct
{
  HalCodec codec;
  unsigned width, height;
  unsigned fps_num, fps_den;
  bool short_start_codes; /* three bytes except for the first */
  unsigned slices;        /* at least 1 */
  bool key;
  unsigned number; /* since the last key picture */
  unsigned idr_id;
  size_t target; /* bytes; 0: as it comes */
} SimPicture;

/* Overwrites unit; its memory is kept from one call to the next. */
void sim_unit_encode (SimUnit *unit, const SimPicture *picture);
void sim_unit_clear (SimUnit *unit);

#endif /* SIM_BITS_H */
