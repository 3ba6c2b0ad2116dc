/* An erasure code over the symbols of a message: what repair packets carry and
 * how lost symbols come back from them.
 *
 * Systematic, over GF(256): the symbols travel as they are, and repair symbol
 * `index` of a block is the sum of its symbols, each times a coefficient of a
 * Cauchy matrix scaled so that index 0 is a plain XOR. Any n repair symbols
 * give back any n lost ones of their block. No tables, no state.
 *
 * Pure functions, any thread.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef UDT_FEC_H
#define UDT_FEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UDT_FEC_MAX_SYMBOLS 64 /* of a block */
#define UDT_FEC_MAX_REPAIRS 32 /* of a block */
#define UDT_FEC_MAX_BLOCKS 16  /* of a message, interleaved */

uint8_t udt_gf_multiply (uint8_t a, uint8_t b);
/* Of anything but 0. */
uint8_t udt_gf_inverse (uint8_t a);

/* Of symbol `symbol` of a block in its repair symbol `repair`. Not 0. */
uint8_t udt_fec_coefficient (unsigned repair, unsigned symbol);

/* to[i] += from[i] * factor */
void udt_fec_add (uint8_t *to, const uint8_t *from, size_t len, uint8_t factor);

/* `rows` are the repair symbols `repairs`, less what the symbols that arrived
 * contribute to them, each of `len` bytes. Afterwards row i is the symbol
 * missing[i]. False: not solvable, which needs a repair or a symbol twice; the
 * rows are garbage then. */
bool udt_fec_solve (uint8_t *const *rows, const uint8_t *repairs,
                    const uint8_t *missing, unsigned n, size_t len);

#endif /* UDT_FEC_H */
