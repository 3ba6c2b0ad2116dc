/* The erasure code: the field, and every way to lose symbols.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The naive side multiplies polynomials bit by bit and checks a solution by
 * putting it into the equations, which shares nothing with how it was found.
 */
#include "check.h"
#include "udtfec.h"

#define LEN 37

static uint64_t random_state = 1;

static unsigned
random_below (unsigned n)
{
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (unsigned)(random_state >> 33) % n;
}

/* The product as polynomials over GF(2), then the remainder. */
static uint8_t
naive_multiply (uint8_t a, uint8_t b)
{
  unsigned product = 0;

  for (int i = 0; i < 8; i++)
    if (b >> i & 1)
      product ^= (unsigned)a << i;
  for (int i = 15; i >= 8; i--)
    if (product >> i & 1)
      product ^= 0x11du << (i - 8);
  return (uint8_t)product;
}

static void
field (void)
{
  for (unsigned a = 0; a < 256; a++) {
    for (unsigned b = 0; b < 256; b++)
      if (udt_gf_multiply ((uint8_t)a, (uint8_t)b)
          != naive_multiply ((uint8_t)a, (uint8_t)b))
        CHECK_EQ (a, b);
    if (a > 0)
      CHECK_EQ (naive_multiply ((uint8_t)a, udt_gf_inverse ((uint8_t)a)), 1);
  }
}

static void
coefficients (void)
{
  for (unsigned symbol = 0; symbol < UDT_FEC_MAX_SYMBOLS; symbol++) {
    CHECK_EQ (udt_fec_coefficient (0, symbol), 1);
    for (unsigned repair = 0; repair < UDT_FEC_MAX_REPAIRS; repair++)
      CHECK (udt_fec_coefficient (repair, symbol) != 0);
  }
}

static void
addition (void)
{
  uint8_t from[LEN], to[LEN], wanted[LEN];

  for (unsigned factor = 0; factor < 256; factor++)
    for (size_t len = 0; len <= LEN; len += 9) {
      for (size_t i = 0; i < LEN; i++) {
        from[i] = (uint8_t)random_below (256);
        wanted[i] = to[i] = (uint8_t)random_below (256);
        if (i < len)
          wanted[i] ^= naive_multiply (from[i], (uint8_t)factor);
      }
      udt_fec_add (to, from, len, (uint8_t)factor);
      CHECK_MEM (to, wanted, LEN);
    }
}

/* `n` different numbers below `limit`. */
static void
choose (uint8_t *out, unsigned n, unsigned limit)
{
  bool taken[256] = { false };

  for (unsigned i = 0; i < n;) {
    unsigned x = random_below (limit);

    if (taken[x])
      continue;
    taken[x] = true;
    out[i++] = (uint8_t)x;
  }
}

static uint8_t symbols[UDT_FEC_MAX_SYMBOLS][LEN];
static uint8_t repairs[UDT_FEC_MAX_REPAIRS][LEN];

static void
lose (unsigned k, unsigned lost)
{
  uint8_t missing[UDT_FEC_MAX_REPAIRS], used[UDT_FEC_MAX_REPAIRS];
  uint8_t *rows[UDT_FEC_MAX_REPAIRS];
  bool gone[UDT_FEC_MAX_SYMBOLS] = { false };

  for (unsigned i = 0; i < k; i++)
    for (unsigned j = 0; j < LEN; j++)
      symbols[i][j] = (uint8_t)random_below (256);
  choose (missing, lost, k);
  choose (used, lost, UDT_FEC_MAX_REPAIRS);
  memset (repairs, 0, sizeof repairs);
  for (unsigned i = 0; i < lost; i++)
    gone[missing[i]] = true;
  for (unsigned r = 0; r < lost; r++) {
    rows[r] = repairs[r];
    for (unsigned i = 0; i < k; i++)
      for (unsigned j = 0; j < LEN; j++)
        repairs[r][j]
            ^= naive_multiply (symbols[i][j], udt_fec_coefficient (used[r], i));
    for (unsigned i = 0; i < k; i++)
      if (!gone[i])
        udt_fec_add (repairs[r], symbols[i], LEN,
                     udt_fec_coefficient (used[r], i));
  }
  CHECK (udt_fec_solve (rows, used, missing, lost, LEN));
  for (unsigned r = 0; r < lost; r++)
    CHECK_MEM (rows[r], symbols[missing[r]], LEN);
}

static void
recovery (void)
{
  for (unsigned k = 1; k <= UDT_FEC_MAX_SYMBOLS; k += k < 12 ? 1 : 13)
    for (unsigned lost = 1; lost <= k && lost <= UDT_FEC_MAX_REPAIRS; lost++)
      lose (k, lost);
}

/* Two times the same equation is no more than one, and no disaster. */
static void
not_solvable (void)
{
  uint8_t same[2] = { 3, 3 }, different[2] = { 3, 4 };
  uint8_t *rows[2] = { repairs[0], repairs[1] };

  CHECK (!udt_fec_solve (rows, same, different, 2, LEN));
  CHECK (!udt_fec_solve (rows, different, same, 2, LEN));
  CHECK (!udt_fec_solve (rows, same, same, UDT_FEC_MAX_REPAIRS + 1, LEN));
  CHECK (udt_fec_solve (rows, same, different, 0, LEN));
}

static const CheckCase cases[] = {
  { "field", field },
  { "coefficients", coefficients },
  { "addition", addition },
  { "recovery", recovery },
  { "not-solvable", not_solvable },
};

CHECK_MAIN (cases)
