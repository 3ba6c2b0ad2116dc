/* An erasure code over the symbols of a message. See udtfec.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtfec.h"

#include <string.h>

/* x^8 + x^4 + x^3 + x^2 + 1 */
#define REDUCE 0x1d
/* Rows of the Cauchy matrix begin here, above all columns. */
#define FIRST_ROW 128

static uint8_t
twice (uint8_t a)
{
  return (uint8_t)(a << 1 ^ (a & 0x80 ? REDUCE : 0));
}

uint8_t
udt_gf_multiply (uint8_t a, uint8_t b)
{
  uint8_t product = 0;

  for (; b != 0; b >>= 1) {
    if (b & 1)
      product ^= a;
    a = twice (a);
  }
  return product;
}

/* a to the power of 254: all nonzero elements to that of 255 are 1. */
uint8_t
udt_gf_inverse (uint8_t a)
{
  uint8_t power = udt_gf_multiply (a, a), product = power;
  unsigned i;

  for (i = 0; i < 6; i++) {
    power = udt_gf_multiply (power, power);
    product = udt_gf_multiply (product, power);
  }
  return product;
}

uint8_t
udt_fec_coefficient (unsigned repair, unsigned symbol)
{
  uint8_t row = (uint8_t)((FIRST_ROW + repair) ^ symbol);

  if (repair == 0)
    return 1;
  return udt_gf_multiply ((uint8_t)(FIRST_ROW ^ symbol), udt_gf_inverse (row));
}

static void
add_plain (uint8_t *to, const uint8_t *from, size_t len)
{
  size_t i = 0;

  for (; i + 8 <= len; i += 8) {
    uint64_t a, b;

    memcpy (&a, to + i, 8);
    memcpy (&b, from + i, 8);
    a ^= b;
    memcpy (to + i, &a, 8);
  }
  for (; i < len; i++)
    to[i] ^= from[i];
}

/* All multiples of `factor`: the next power of two, plus those below it. */
static void
make_multiples (uint8_t multiples[256], uint8_t factor)
{
  unsigned n, bit, i;

  multiples[0] = 0;
  for (n = 0; n < 8; n++) {
    bit = 1u << n;
    for (i = 0; i < bit; i++)
      multiples[bit + i] = multiples[i] ^ factor;
    factor = twice (factor);
  }
}

void
udt_fec_add (uint8_t *to, const uint8_t *from, size_t len, uint8_t factor)
{
  uint8_t multiples[256];
  size_t i;

  if (factor == 1) {
    add_plain (to, from, len);
    return;
  }
  make_multiples (multiples, factor);
  for (i = 0; i < len; i++)
    to[i] ^= multiples[from[i]];
}

static void
scale (uint8_t *row, size_t len, uint8_t factor)
{
  uint8_t multiples[256];
  size_t i;

  if (factor == 1)
    return;
  make_multiples (multiples, factor);
  for (i = 0; i < len; i++)
    row[i] = multiples[row[i]];
}

bool
udt_fec_solve (uint8_t *const *rows, const uint8_t *repairs,
               const uint8_t *missing, unsigned n, size_t len)
{
  uint8_t matrix[UDT_FEC_MAX_REPAIRS][UDT_FEC_MAX_REPAIRS];
  unsigned row, column, i;

  if (n > UDT_FEC_MAX_REPAIRS)
    return false;
  for (row = 0; row < n; row++) {
    for (column = 0; column < n; column++)
      matrix[row][column] = udt_fec_coefficient (repairs[row], missing[column]);
  }
  /* No minor of a Cauchy matrix is 0, so each diagonal element is a pivot. */
  for (column = 0; column < n; column++) {
    uint8_t factor;

    if (matrix[column][column] == 0)
      return false;
    factor = udt_gf_inverse (matrix[column][column]);
    scale (matrix[column], n, factor);
    scale (rows[column], len, factor);
    for (i = 0; i < n; i++) {
      factor = matrix[i][column];
      if (i == column || factor == 0)
        continue;
      udt_fec_add (matrix[i], matrix[column], n, factor);
      udt_fec_add (rows[i], rows[column], len, factor);
    }
  }
  return true;
}
