/* The congestion watermarks: when a buffer that data waits in is told of, when
 * its source pauses and when it goes on.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Plain C11: no allocation, no clock, no lock, no globals. An IvWatermark is a
 * value: its owner serializes the calls, and may copy it to try an update.
 *
 * A buffer's level has two dimensions, bytes and time. Each has three marks:
 *
 *   WARN  once, when the level has risen above warn in either dimension;
 *   HIGH  once, when it has risen above high in either: data pauses;
 *   LOW   once, when after a WARN or a HIGH it has fallen below low in every
 *         dimension that has marks: data goes on, WARN and HIGH are armed
 *         again, and not before.
 *
 * Above and below are strict: nothing happens at a level that equals a mark. A
 * mark of 0 is not used: no WARN, or no HIGH and no pause, by that dimension.
 * A low mark of 0 beside others that are used stands for an empty buffer: LOW
 * comes at level 0. A dimension whose marks are all 0 counts for nothing, and
 * where both are so there are no events and no pause at all.
 *
 * The used marks of a dimension must not fall: low <= warn <= high, equal ones
 * are taken; a low mark alone, with nothing to come down from, is an error.
 */
#ifndef IV_WATERMARK_H
#define IV_WATERMARK_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct
{
  uint64_t low, warn, high;
} IvWatermarkMarks;

typedef enum {
  IV_WATERMARK_OK = 0,
  IV_WATERMARK_ERR_LOW_ABOVE_WARN = -1,
  IV_WATERMARK_ERR_LOW_ABOVE_HIGH = -2, /* warn is not used */
  IV_WATERMARK_ERR_WARN_ABOVE_HIGH = -3,
  IV_WATERMARK_ERR_LOW_ALONE = -4,
} IvWatermarkStatus;

/* A set of them; WARN comes before HIGH, and LOW never with another. */
enum {
  IV_WATERMARK_LOW = 1 << 0,
  IV_WATERMARK_WARN = 1 << 1,
  IV_WATERMARK_HIGH = 1 << 2,
};

/* Opaque, but for where it is kept. */
typedef struct
{
  IvWatermarkMarks bytes, time;
  bool warned; /* WARN was told, LOW not since */
  bool full;   /* HIGH likewise */
} IvWatermark;

/* The marks of one dimension. */
IvWatermarkStatus iv_watermark_check (const IvWatermarkMarks *marks);
/* One line, in terms of low, warn and high; never NULL. */
const char *iv_watermark_status_text (IvWatermarkStatus status);

/* No marks, nothing told. */
void iv_watermark_init (IvWatermark *watermark);
/* NULL: no marks in that dimension. On an error nothing has changed. What was
 * told stays so: a pause lasts until the level is below the new low marks, and
 * the next update tells what follows from the new ones. With no marks left all
 * is forgotten, without a LOW; with no high mark left nothing pauses. */
IvWatermarkStatus iv_watermark_set_marks (IvWatermark *watermark,
                                          const IvWatermarkMarks *bytes,
                                          const IvWatermarkMarks *time);
/* Forgets what was told, without a LOW: the buffer is a new one. */
void iv_watermark_reset (IvWatermark *watermark);

/* The level is now this; the events that come of it. */
unsigned iv_watermark_update (IvWatermark *watermark, uint64_t bytes,
                              uint64_t time);

/* Data shall wait: since HIGH, until LOW. */
bool iv_watermark_is_paused (const IvWatermark *watermark);
/* A LOW is still to come: the level is worth watching as it falls. */
bool iv_watermark_is_raised (const IvWatermark *watermark);

#ifdef __cplusplus
}
#endif

#endif /* IV_WATERMARK_H */
