/* What a fuzz target needs: its entry point, a reader of its input, and a
 * check that is there in every build.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* Ends the program: what was found is in the input at hand. */
#define FUZZ_CHECK(condition)                                                  \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf (stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);         \
      abort ();                                                                \
    }                                                                          \
  } while (0)

/* An input as a sequence of decisions; zeros when it is used up. */
typedef struct
{
  const uint8_t *at, *end;
} FuzzInput;

static inline size_t
fuzz_left (const FuzzInput *in)
{
  return (size_t)(in->end - in->at);
}

static inline uint8_t
fuzz_u8 (FuzzInput *in)
{
  return in->at < in->end ? *in->at++ : 0;
}

static inline uint16_t
fuzz_u16 (FuzzInput *in)
{
  uint16_t high = fuzz_u8 (in);

  return (uint16_t)(high << 8 | fuzz_u8 (in));
}

static inline uint32_t
fuzz_u32 (FuzzInput *in)
{
  uint32_t high = fuzz_u16 (in);

  return high << 16 | fuzz_u16 (in);
}

#endif /* FUZZ_H */
