/* The congestion watermarks; see ivwatermark.h for the rules.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two latches and three comparisons. Valid marks make "above" and "below"
 * exclude each other, so no update can tell LOW together with WARN or HIGH.
 */
#include "ivwatermark.h"

#include <stddef.h>

static const IvWatermarkMarks no_marks;

/* -- One dimension --------------------------------------------------------- */

static bool
is_used (const IvWatermarkMarks *marks)
{
  return marks->warn != 0 || marks->high != 0;
}

static bool
is_above (uint64_t level, uint64_t mark)
{
  return mark != 0 && level > mark;
}

static bool
is_below_low (const IvWatermarkMarks *marks, uint64_t level)
{
  return !is_used (marks) || level == 0 || level < marks->low;
}

IvWatermarkStatus
iv_watermark_check (const IvWatermarkMarks *marks)
{
  if (!is_used (marks))
    return marks->low == 0 ? IV_WATERMARK_OK : IV_WATERMARK_ERR_LOW_ALONE;
  if (marks->warn != 0 && marks->low > marks->warn)
    return IV_WATERMARK_ERR_LOW_ABOVE_WARN;
  if (marks->high != 0 && marks->low > marks->high)
    return IV_WATERMARK_ERR_LOW_ABOVE_HIGH;
  if (marks->high != 0 && marks->warn > marks->high)
    return IV_WATERMARK_ERR_WARN_ABOVE_HIGH;
  return IV_WATERMARK_OK;
}

const char *
iv_watermark_status_text (IvWatermarkStatus status)
{
  switch (status) {
    case IV_WATERMARK_OK:
      return "the marks are in order";
    case IV_WATERMARK_ERR_LOW_ABOVE_WARN:
      return "the low mark is above the warn mark";
    case IV_WATERMARK_ERR_LOW_ABOVE_HIGH:
      return "the low mark is above the high mark";
    case IV_WATERMARK_ERR_WARN_ABOVE_HIGH:
      return "the warn mark is above the high mark";
    case IV_WATERMARK_ERR_LOW_ALONE:
      return "there is a low mark, but neither a warn nor a high mark";
  }
  return "unknown";
}

/* -- Both ------------------------------------------------------------------ */

void
iv_watermark_init (IvWatermark *watermark)
{
  watermark->bytes = no_marks;
  watermark->time = no_marks;
  iv_watermark_reset (watermark);
}

void
iv_watermark_reset (IvWatermark *watermark)
{
  watermark->warned = false;
  watermark->full = false;
}

IvWatermarkStatus
iv_watermark_set_marks (IvWatermark *watermark, const IvWatermarkMarks *bytes,
                        const IvWatermarkMarks *time)
{
  IvWatermarkStatus status;

  if (bytes == NULL)
    bytes = &no_marks;
  if (time == NULL)
    time = &no_marks;
  status = iv_watermark_check (bytes);
  if (status == IV_WATERMARK_OK)
    status = iv_watermark_check (time);
  if (status != IV_WATERMARK_OK)
    return status;
  watermark->bytes = *bytes;
  watermark->time = *time;
  if (!is_used (bytes) && !is_used (time))
    iv_watermark_reset (watermark);
  return IV_WATERMARK_OK;
}

unsigned
iv_watermark_update (IvWatermark *watermark, uint64_t bytes, uint64_t time)
{
  unsigned events = 0;

  if (!watermark->warned
      && (is_above (bytes, watermark->bytes.warn)
          || is_above (time, watermark->time.warn))) {
    watermark->warned = true;
    events |= IV_WATERMARK_WARN;
  }
  if (!watermark->full
      && (is_above (bytes, watermark->bytes.high)
          || is_above (time, watermark->time.high))) {
    watermark->full = true;
    events |= IV_WATERMARK_HIGH;
  }
  if (iv_watermark_is_raised (watermark)
      && is_below_low (&watermark->bytes, bytes)
      && is_below_low (&watermark->time, time)) {
    iv_watermark_reset (watermark);
    events |= IV_WATERMARK_LOW;
  }
  return events;
}

bool
iv_watermark_is_paused (const IvWatermark *watermark)
{
  return watermark->full
         && (watermark->bytes.high != 0 || watermark->time.high != 0);
}

bool
iv_watermark_is_raised (const IvWatermark *watermark)
{
  return watermark->warned || watermark->full;
}
