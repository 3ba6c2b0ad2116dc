/* What every part of the simulator stands on: seeded randomness, a counting
 * allocator and the stand-in for packet encryption.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Plain C11. Nothing here is global, so that two simulations may run in two
 * threads at once and give what each gives alone.
 */
#ifndef SIM_BASE_H
#define SIM_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "udt.h"

#define SIM_MS ((UdtTime)1000)
#define SIM_SECOND ((UdtTime)1000000)

/* Randomness: one seed, one sequence, on every machine. */
typedef struct
{
  uint64_t state;
} SimRandom;

void sim_random_init (SimRandom *random, uint64_t seed);
uint64_t sim_random_next (SimRandom *random);
/* [low, high], both included. */
uint64_t sim_random_range (SimRandom *random, uint64_t low, uint64_t high);
/* [0, 1). */
double sim_random_unit (SimRandom *random);
bool sim_random_chance (SimRandom *random, double probability);
/* Mean 0, deviation 1. */
double sim_random_gauss (SimRandom *random);
double sim_random_exponential (SimRandom *random, double mean);
unsigned sim_random_poisson (SimRandom *random, double mean);
uint64_t sim_mix (uint64_t value);

/* An allocator that counts, and that fails when told to. */
typedef struct
{
  size_t used, peak;   /* bytes handed out */
  uint64_t blocks;     /* blocks handed out */
  uint64_t calls;      /* allocations asked for, ever */
  uint64_t refused;    /* of these, failed on purpose */
  uint64_t fail_first; /* 1-based number of the first call to fail */
  uint64_t fail_count; /* how many calls fail from there */
  bool broken;         /* a block was freed twice or not ours */
} SimMemory;

void *sim_memory_alloc (SimMemory *memory, size_t size);
void sim_memory_free (SimMemory *memory, void *block);

/* Not encryption, but every altered bit of packet, header, key or packet
 * number is noticed, and nothing of the plaintext shows. */
typedef struct
{
  uint64_t key[2];
} SimSeal;

void sim_seal (const SimSeal *seal, uint64_t packet_number, const uint8_t *aad,
               size_t aad_len, uint8_t *data, size_t len);
bool sim_open (const SimSeal *seal, uint64_t packet_number, const uint8_t *aad,
               size_t aad_len, uint8_t *data, size_t len);

/* A set of packet numbers, dense above a first one. */
typedef struct
{
  uint64_t first, words;
  uint64_t *bits;
  bool started;
} SimNumberSet;

/* False: it was in the set already, or is out of all proportion. */
bool sim_number_set_add (SimNumberSet *set, uint64_t number);
void sim_number_set_clear (SimNumberSet *set);

#endif /* SIM_BASE_H */
