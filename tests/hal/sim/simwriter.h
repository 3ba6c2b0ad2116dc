/* Bits into bytes, for simbits.c and simhevc.c.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef SIM_WRITER_H
#define SIM_WRITER_H

#include <stdlib.h>
#include <string.h>

#include "simbits.h"

/* A writer keeps its memory per thread: encoding allocates nothing once the
 * largest picture was written. */
typedef struct
{
  uint8_t *data;
  size_t bits, allocated;
} SimWriter;

void sim_writer_init (SimWriter *writer);
void sim_put (SimWriter *writer, uint32_t value, unsigned n);
void sim_put_ue (SimWriter *writer, uint32_t value);
void sim_put_se (SimWriter *writer, int32_t value);
/* Only at a byte boundary. */
void sim_put_bytes (SimWriter *writer, uint8_t value, size_t n);
/* Pads with zeros to whole bytes; returns how many there are. */
size_t sim_writer_finish (SimWriter *writer);

void sim_unit_add_nal (SimUnit *unit, const SimPicture *picture,
                       const uint8_t *header, size_t header_size, unsigned type,
                       const uint8_t *payload, size_t size);
void sim_h265_encode (SimUnit *unit, const SimPicture *picture);

#endif /* SIM_WRITER_H */
