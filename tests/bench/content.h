/* What the measurements carry: frames whose every byte can be checked.
 *
 * A frame has a number, and its bytes follow from that number, so that a
 * receiver knows a frame that came whole and right from one that did not,
 * without trusting whoever carried it. It travels in one piece, or, where the
 * carrier takes only packets, in several, each with a header of its own. The
 * time in the header is CLOCK_MONOTONIC, which all processes of a machine
 * share.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef BENCH_CONTENT_H
#define BENCH_CONTENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Headers are in the machine's own byte order: both ends are one machine. */
#define CONTENT_MAGIC 0x1b45a700u
#define CONTENT_KEY 1u
#define CONTENT_FRAME_MAX (1024 * 1024)
#define CONTENT_PATTERN (1024 * 1024)

typedef struct
{
  uint32_t magic; /* and, in its last bit, CONTENT_KEY */
  uint32_t number;
  uint32_t offset; /* of this piece in the frame, headers not counted */
  uint32_t total;  /* bytes of the frame, headers not counted */
  uint32_t sent;   /* us, the low 32 bits */
} ContentHeader;

static inline uint64_t
content_now_us (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Bytes that nothing can compress or guess; a frame begins somewhere in the
 * first half. NULL: no memory. */
static inline uint8_t *
content_pattern_new (void)
{
  uint8_t *pattern = (uint8_t *)malloc (CONTENT_PATTERN + CONTENT_FRAME_MAX);
  uint64_t state = 0x9e3779b97f4a7c15u;

  for (size_t i = 0; pattern && i < CONTENT_PATTERN + CONTENT_FRAME_MAX; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    pattern[i] = (uint8_t)(state >> 32);
  }
  return pattern;
}

static inline const uint8_t *
content_of (const uint8_t *pattern, uint32_t number)
{
  return pattern + (number * 40503u) % CONTENT_PATTERN;
}

/* A piece of `size` bytes of frame `header->number`, written to `out`. */
static inline void
content_write (const uint8_t *pattern, const ContentHeader *header, size_t size,
               uint8_t *out)
{
  memcpy (out, header, sizeof *header);
  memcpy (out + sizeof *header,
          content_of (pattern, header->number) + header->offset, size);
}

/* Whether `data` is a piece of a frame, right in every byte. */
static inline bool
content_read (const uint8_t *pattern, const uint8_t *data, size_t size,
              ContentHeader *header)
{
  if (size < sizeof *header)
    return false;
  memcpy (header, data, sizeof *header);
  size -= sizeof *header;
  return (header->magic & ~CONTENT_KEY) == CONTENT_MAGIC
         && header->total <= CONTENT_FRAME_MAX
         && header->offset <= header->total
         && size <= header->total - header->offset
         && memcmp (data + sizeof *header,
                    content_of (pattern, header->number) + header->offset, size)
                == 0;
}

#endif
