/* Integrity without secrecy.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * NH, the universal hash of UMAC: the sum of products of pairs of 32-bit words,
 * each with a word of the key added. Two passes with the key shifted by four
 * words make 128 bits; two messages that differ have the same with a
 * probability of 2^-64. A multiplication for eight bytes: on a CPU without
 * instructions for AES it is many times faster than any cipher.
 *
 * The associated data has a place of fixed size in front, lengths and the
 * number of the packet come last.
 */
#include "udtchecksum.h"

#include <string.h>

#define AAD_WORDS (UDT_CHECKSUM_MAX_AAD / 4)
#define SHIFT 4

static uint32_t
load (const uint8_t *at)
{
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16
         | (uint32_t)at[3] << 24;
}

static void
store (uint8_t *at, uint64_t value)
{
  for (unsigned i = 0; i < 8; i++)
    at[i] = (uint8_t)(value >> (8 * i));
}

/* SplitMix64 over the four words of the secret: the key only has to look like
 * nothing else, it is no secret. */
void
udt_checksum_init (UdtChecksum *checksum,
                   const uint8_t secret[UDT_CHECKSUM_SECRET])
{
  uint64_t state = 0;

  for (unsigned i = 0; i < UDT_CHECKSUM_WORDS; i++) {
    uint64_t z;

    state += UINT64_C (0x9e3779b97f4a7c15);
    z = state ^ (uint64_t)load (secret + 8 * (i % 4))
        ^ (uint64_t)load (secret + 8 * (i % 4) + 4) << 32;
    z = (z ^ z >> 30) * UINT64_C (0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C (0x94d049bb133111eb);
    z ^= z >> 31;
    state ^= z;
    checksum->key[i] = (uint32_t)(z >> 32);
  }
}

/* Adds `len` bytes that count as if zeros followed up to a multiple of 8. */
static void
add_bytes (uint64_t sum[2], const uint32_t *key, const uint8_t *data,
           size_t len)
{
  uint64_t a = sum[0], b = sum[1];
  size_t i, whole = len / 8;
  uint8_t rest[8] = { 0 };

  for (i = 0; i < whole; i++) {
    uint32_t x = load (data + 8 * i), y = load (data + 8 * i + 4);

    a += (uint64_t)(uint32_t)(x + key[2 * i]) * (uint32_t)(y + key[2 * i + 1]);
    b += (uint64_t)(uint32_t)(x + key[2 * i + SHIFT])
         * (uint32_t)(y + key[2 * i + 1 + SHIFT]);
  }
  if (len % 8 != 0) {
    uint32_t x, y;

    memcpy (rest, data + 8 * whole, len % 8);
    x = load (rest);
    y = load (rest + 4);
    a += (uint64_t)(uint32_t)(x + key[2 * i]) * (uint32_t)(y + key[2 * i + 1]);
    b += (uint64_t)(uint32_t)(x + key[2 * i + SHIFT])
         * (uint32_t)(y + key[2 * i + 1 + SHIFT]);
  }
  sum[0] = a;
  sum[1] = b;
}

bool
udt_checksum_make (const UdtChecksum *checksum, uint64_t number,
                   const uint8_t *aad, size_t aad_len, const uint8_t *data,
                   size_t len, uint8_t tag[UDT_CHECKSUM_SIZE])
{
  const uint32_t *last = checksum->key + AAD_WORDS + UDT_CHECKSUM_MAX_DATA / 4;
  uint64_t sum[2] = { 0, 0 };
  uint8_t end[16];

  if (aad_len > UDT_CHECKSUM_MAX_AAD || len > UDT_CHECKSUM_MAX_DATA)
    return false;
  add_bytes (sum, checksum->key, aad, aad_len);
  add_bytes (sum, checksum->key + AAD_WORDS, data, len);
  store (end, number);
  store (end + 8, (uint64_t)aad_len << 32 | len);
  add_bytes (sum, last, end, sizeof end);
  store (tag, sum[0]);
  store (tag + 8, sum[1]);
  return true;
}
