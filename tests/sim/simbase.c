/* Randomness, memory and sealing for the simulator.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * No state of its own; everything belongs to the caller's structures.
 */
#include "simbase.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN 0x9e3779b97f4a7c15u
#define BLOCK_MAGIC 0x51a7e0f3c2b4d695u
#define BLOCK_FREED 0xdeadb10cdeadb10cu
#define POISON 0xdb
/* Packet numbers further apart than this in one run mean a broken counter. */
#define NUMBER_SET_SPAN ((uint64_t)1 << 28)

uint64_t
sim_mix (uint64_t value)
{
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

void
sim_random_init (SimRandom *random, uint64_t seed)
{
  random->state = sim_mix (seed + GOLDEN);
}

uint64_t
sim_random_next (SimRandom *random)
{
  random->state += GOLDEN;
  return sim_mix (random->state);
}

uint64_t
sim_random_range (SimRandom *random, uint64_t low, uint64_t high)
{
  uint64_t span = high - low + 1;

  /* The modulo's bias does not matter for spans this small. */
  return span ? low + sim_random_next (random) % span
              : sim_random_next (random);
}

double
sim_random_unit (SimRandom *random)
{
  return (double)(sim_random_next (random) >> 11) * 0x1p-53;
}

bool
sim_random_chance (SimRandom *random, double probability)
{
  /* No draw for what is switched off: adding an impairment to one link does
   * not change the fate of the packets on another. */
  return probability > 0 && sim_random_unit (random) < probability;
}

double
sim_random_gauss (SimRandom *random)
{
  double sum = -6;

  for (int i = 0; i < 12; i++)
    sum += sim_random_unit (random);
  return sum;
}

double
sim_random_exponential (SimRandom *random, double mean)
{
  return -mean * log (1 - sim_random_unit (random));
}

unsigned
sim_random_poisson (SimRandom *random, double mean)
{
  double limit = exp (-mean), product = sim_random_unit (random);
  unsigned count = 0;

  while (product > limit) {
    product *= sim_random_unit (random);
    count++;
  }
  return count;
}

typedef struct
{
  uint64_t magic;
  uint64_t size;
} BlockHead;

void *
sim_memory_alloc (SimMemory *memory, size_t size)
{
  BlockHead *head;

  memory->calls++;
  if (memory->fail_first && memory->calls >= memory->fail_first
      && memory->calls - memory->fail_first < memory->fail_count) {
    memory->refused++;
    return NULL;
  }
  if (!(head = malloc (sizeof *head + size)))
    abort ();
  head->magic = BLOCK_MAGIC;
  head->size = size;
  memory->used += size;
  memory->blocks++;
  if (memory->used > memory->peak)
    memory->peak = memory->used;
  memset (head + 1, POISON, size);
  return head + 1;
}

void
sim_memory_free (SimMemory *memory, void *block)
{
  BlockHead *head;

  if (!block)
    return;
  head = (BlockHead *)block - 1;
  if (head->magic != BLOCK_MAGIC) {
    memory->broken = true;
    return;
  }
  head->magic = BLOCK_FREED;
  memory->used -= head->size;
  memory->blocks--;
  memset (block, POISON, head->size);
  free (head);
}

static uint64_t
load (const uint8_t *data, size_t len)
{
  uint64_t word = 0;

  memcpy (&word, data, len < 8 ? len : 8);
  return word;
}

static uint64_t
hash (uint64_t state, const uint8_t *data, size_t len)
{
  state = sim_mix (state + len);
  for (size_t i = 0; i < len; i += 8) {
    state = (state ^ load (data + i, len - i)) * 0xff51afd7ed558ccdu;
    state ^= state >> 32;
  }
  return state;
}

static void
tag (const SimSeal *seal, uint64_t packet_number, const uint8_t *aad,
     size_t aad_len, const uint8_t *data, size_t len, uint8_t *out)
{
  for (int i = 0; i < 2; i++) {
    uint64_t state = seal->key[i] ^ sim_mix (packet_number + (unsigned)i);

    state = hash (state, aad, aad_len);
    state = sim_mix (hash (state, data, len));
    memcpy (out + 8 * i, &state, 8);
  }
}

static void
crypt_words (const SimSeal *seal, uint64_t packet_number, uint8_t *data,
             size_t len)
{
  uint64_t stream = seal->key[0] + sim_mix (packet_number ^ seal->key[1]);

  for (size_t i = 0; i < len; i += 8) {
    size_t n = len - i < 8 ? len - i : 8;
    uint64_t word = load (data + i, n) ^ sim_mix (stream += GOLDEN);

    memcpy (data + i, &word, n);
  }
}

void
sim_seal (const SimSeal *seal, uint64_t packet_number, const uint8_t *aad,
          size_t aad_len, uint8_t *data, size_t len)
{
  crypt_words (seal, packet_number, data, len);
  tag (seal, packet_number, aad, aad_len, data, len, data + len);
}

bool
sim_open (const SimSeal *seal, uint64_t packet_number, const uint8_t *aad,
          size_t aad_len, uint8_t *data, size_t len)
{
  uint8_t expected[UDT_TAG_SIZE];

  if (len < UDT_TAG_SIZE)
    return false;
  len -= UDT_TAG_SIZE;
  tag (seal, packet_number, aad, aad_len, data, len, expected);
  if (memcmp (expected, data + len, UDT_TAG_SIZE))
    return false;
  crypt_words (seal, packet_number, data, len);
  return true;
}

bool
sim_number_set_add (SimNumberSet *set, uint64_t number)
{
  uint64_t at, word;

  if (!set->started) {
    set->started = true;
    set->first = number & ~(uint64_t)63;
  }
  if (number < set->first || number - set->first > NUMBER_SET_SPAN)
    return false;
  at = number - set->first;
  word = at / 64;
  if (word >= set->words) {
    uint64_t words = word * 2 + 16;

    if (!(set->bits = realloc (set->bits, words * sizeof *set->bits)))
      abort ();
    memset (set->bits + set->words, 0,
            (words - set->words) * sizeof *set->bits);
    set->words = words;
  }
  if (set->bits[word] >> at % 64 & 1)
    return false;
  set->bits[word] |= (uint64_t)1 << at % 64;
  return true;
}

void
sim_number_set_clear (SimNumberSet *set)
{
  free (set->bits);
  memset (set, 0, sizeof *set);
}
