/* The watermark policy against a model that knows nothing of latches: it looks
 * back over the whole history for what was told, as the rules say it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every short sequence of levels under every small set of marks, one dimension
 * and both; then long random ones with marks that change on the way.
 */
#include "check.h"
#include "ivwatermark.h"

#include <stdlib.h>

#define MAX_STEPS 600

/* -- The model ------------------------------------------------------------- */

typedef struct
{
  IvWatermarkMarks bytes, time; /* in force at this step */
  uint64_t byte_level, time_level;
  bool forgotten; /* all before this step is */
  unsigned told;
} Step;

static bool
used (const IvWatermarkMarks *m)
{
  return m->low + m->warn + m->high > 0;
}

static bool
above_warn (const Step *s)
{
  return (s->bytes.warn > 0 && s->byte_level > s->bytes.warn)
         || (s->time.warn > 0 && s->time_level > s->time.warn);
}

static bool
above_high (const Step *s)
{
  return (s->bytes.high > 0 && s->byte_level > s->bytes.high)
         || (s->time.high > 0 && s->time_level > s->time.high);
}

/* low 0: below it is the empty buffer. */
static bool
below (const IvWatermarkMarks *m, uint64_t level)
{
  if (!used (m))
    return true;
  return m->low > 0 ? level < m->low : level == 0;
}

/* Whether `event` was told since the last LOW before step `now`. */
static bool
told_since_low (const Step *steps, int now, unsigned event)
{
  for (int i = now - 1; i >= 0; i--) {
    if (steps[i + 1].forgotten || (steps[i].told & IV_WATERMARK_LOW))
      return false;
    if (steps[i].told & event)
      return true;
  }
  return false;
}

/* What step `now` tells, and whether data waits after it. */
static unsigned
model (const Step *steps, int now, bool *ret_paused)
{
  const Step *s = &steps[now];
  bool warned = told_since_low (steps, now, IV_WATERMARK_WARN);
  bool full = told_since_low (steps, now, IV_WATERMARK_HIGH);
  unsigned told = 0;

  if (above_warn (s) && !warned)
    told |= IV_WATERMARK_WARN;
  if (above_high (s) && !full)
    told |= IV_WATERMARK_HIGH;
  if ((warned || full) && below (&s->bytes, s->byte_level)
      && below (&s->time, s->time_level))
    told |= IV_WATERMARK_LOW;
  *ret_paused = (full || (told & IV_WATERMARK_HIGH))
                && !(told & IV_WATERMARK_LOW)
                && (s->bytes.high > 0 || s->time.high > 0);
  return told;
}

/* In words: each pair of used marks that is in the wrong order. */
static bool
model_valid (const IvWatermarkMarks *m)
{
  if (m->low > 0 && m->warn == 0 && m->high == 0)
    return false;
  return !(m->warn > 0 && m->low > m->warn)
         && !(m->high > 0 && m->low > m->high)
         && !(m->warn > 0 && m->high > 0 && m->warn > m->high);
}

/* -- Both, step by step ---------------------------------------------------- */

static unsigned long compared;

/* Steps 0 to `now` - 1 have run. False after the first difference. */
static bool
compare_step (IvWatermark *w, Step *steps, int now)
{
  bool paused;
  unsigned expected = model (steps, now, &paused);
  unsigned told
      = iv_watermark_update (w, steps[now].byte_level, steps[now].time_level);

  steps[now].told = expected;
  compared++;
  if (told == expected && iv_watermark_is_paused (w) == paused)
    return true;
  printf ("# bytes %d/%d/%d, time %d/%d/%d; levels up to here:",
          (int)steps[now].bytes.low, (int)steps[now].bytes.warn,
          (int)steps[now].bytes.high, (int)steps[now].time.low,
          (int)steps[now].time.warn, (int)steps[now].time.high);
  for (int i = now > 20 ? now - 20 : 0; i <= now; i++)
    printf (" %d,%d", (int)steps[i].byte_level, (int)steps[i].time_level);
  printf ("\n");
  CHECK_EQ (told, expected);
  CHECK_EQ (iv_watermark_is_paused (w), paused);
  return false;
}

/* Every continuation of the first `now` steps. */
static bool
compare_all (IvWatermark before, Step *steps, int now, int length,
             uint64_t max_bytes, uint64_t max_time)
{
  if (now == length)
    return true;
  for (uint64_t b = 0; b <= max_bytes; b++) {
    for (uint64_t t = 0; t <= max_time; t++) {
      IvWatermark w = before;

      steps[now].byte_level = b;
      steps[now].time_level = t;
      if (!compare_step (&w, steps, now)
          || !compare_all (w, steps, now + 1, length, max_bytes, max_time))
        return false;
    }
  }
  return true;
}

/* All triples of 0 to `max`, as numbers from 0 to (max + 1)^3 - 1. */
static IvWatermarkMarks
marks_number (unsigned n, unsigned max)
{
  IvWatermarkMarks m;

  m.low = n % (max + 1);
  m.warn = n / (max + 1) % (max + 1);
  m.high = n / (max + 1) / (max + 1);
  return m;
}

static bool
compare_marks (const IvWatermarkMarks *bytes, const IvWatermarkMarks *time,
               int length, uint64_t max_bytes, uint64_t max_time)
{
  Step steps[8] = { 0 };
  IvWatermark w;

  iv_watermark_init (&w);
  if (!CHECK_EQ (iv_watermark_set_marks (&w, bytes, time), IV_WATERMARK_OK))
    return false;
  for (int i = 0; i < length; i++) {
    if (bytes != NULL)
      steps[i].bytes = *bytes;
    if (time != NULL)
      steps[i].time = *time;
  }
  return compare_all (w, steps, 0, length, max_bytes, max_time);
}

/* Marks 0 to 4, levels 0 to 5: below, at and above each of three marks. */
static void
test_every_sequence_of_one (void)
{
  compared = 0;
  for (unsigned n = 0; n < 125; n++) {
    IvWatermarkMarks m = marks_number (n, 4);

    if (!model_valid (&m))
      continue;
    if (!compare_marks (&m, NULL, 6, 5, 0)
        || !compare_marks (NULL, &m, 6, 0, 5))
      return;
  }
  CHECK (compared > 4000000);
}

/* Marks 0 to 2, levels 0 to 3, in both dimensions. */
static void
test_every_sequence_of_both (void)
{
  compared = 0;
  for (unsigned n = 0; n < 27 * 27; n++) {
    IvWatermarkMarks b = marks_number (n % 27, 2);
    IvWatermarkMarks t = marks_number (n / 27, 2);

    if (!model_valid (&b) || !model_valid (&t))
      continue;
    if (!compare_marks (&b, &t, 4, 3, 3))
      return;
  }
  CHECK (compared > 4000000);
}

/* -- Random ---------------------------------------------------------------- */

static uint64_t seed;

static unsigned
random_below (unsigned limit)
{
  seed = seed * UINT64_C (6364136223846793005) + UINT64_C (1442695040888963407);
  return (unsigned)(seed >> 33) % limit;
}

static uint64_t
wander (uint64_t level, unsigned max)
{
  unsigned step = random_below (7);

  if (random_below (20) == 0)
    return random_below (max + 1);
  if (random_below (2) == 0)
    return level > step ? level - step : 0;
  return level + step <= max ? level + step : max;
}

static void
random_marks (IvWatermark *w, Step *step)
{
  IvWatermarkMarks b
      = { random_below (40), random_below (40), random_below (40) };
  IvWatermarkMarks t
      = { random_below (40), random_below (40), random_below (40) };
  IvWatermark before = *w;
  bool valid;

  if (random_below (3) == 0)
    t = (IvWatermarkMarks){ 0 };
  if (random_below (3) == 0)
    b = (IvWatermarkMarks){ 0 };
  valid = model_valid (&b) && model_valid (&t);
  CHECK_EQ (iv_watermark_set_marks (w, &b, &t) == IV_WATERMARK_OK, valid);
  if (!valid) {
    CHECK_EQ (iv_watermark_is_raised (w), iv_watermark_is_raised (&before));
    return;
  }
  step->bytes = b;
  step->time = t;
  step->forgotten = !used (&b) && !used (&t);
}

static void
test_random (void)
{
  static Step steps[MAX_STEPS];
  unsigned long told = 0;

  for (unsigned run = 0; run < 2000; run++) {
    IvWatermark w;

    seed = run;
    memset (steps, 0, sizeof steps);
    iv_watermark_init (&w);
    for (int i = 0; i < MAX_STEPS; i++) {
      steps[i].byte_level = i > 0 ? steps[i - 1].byte_level : 0;
      steps[i].time_level = i > 0 ? steps[i - 1].time_level : 0;
      if (i > 0) {
        steps[i].bytes = steps[i - 1].bytes;
        steps[i].time = steps[i - 1].time;
      }
      if (random_below (30) == 0)
        random_marks (&w, &steps[i]);
      if (random_below (200) == 0) {
        iv_watermark_reset (&w);
        steps[i].forgotten = true;
      }
      steps[i].byte_level = wander (steps[i].byte_level, 50);
      steps[i].time_level = wander (steps[i].time_level, 50);
      if (!compare_step (&w, steps, i)) {
        printf ("# run %u, step %d\n", run, i);
        return;
      }
      told += steps[i].told != 0;
    }
  }
  CHECK (told > 10000);
}

/* -- By hand --------------------------------------------------------------- */

static void
test_order (void)
{
  static const struct
  {
    IvWatermarkMarks marks;
    IvWatermarkStatus status;
  } table[] = {
    { { 0, 0, 0 }, IV_WATERMARK_OK },
    { { 200, 400, 500 }, IV_WATERMARK_OK },
    { { 400, 400, 400 }, IV_WATERMARK_OK },
    { { 0, 400, 500 }, IV_WATERMARK_OK },
    { { 200, 0, 500 }, IV_WATERMARK_OK },
    { { 200, 400, 0 }, IV_WATERMARK_OK },
    { { 0, 0, 1 }, IV_WATERMARK_OK },
    { { 0, 1, 0 }, IV_WATERMARK_OK },
    { { 0, UINT64_MAX, UINT64_MAX }, IV_WATERMARK_OK },
    { { 401, 400, 500 }, IV_WATERMARK_ERR_LOW_ABOVE_WARN },
    { { 401, 400, 0 }, IV_WATERMARK_ERR_LOW_ABOVE_WARN },
    { { 501, 400, 500 }, IV_WATERMARK_ERR_LOW_ABOVE_WARN },
    { { 501, 0, 500 }, IV_WATERMARK_ERR_LOW_ABOVE_HIGH },
    { { 200, 501, 500 }, IV_WATERMARK_ERR_WARN_ABOVE_HIGH },
    { { 0, 501, 500 }, IV_WATERMARK_ERR_WARN_ABOVE_HIGH },
    { { 1, 0, 0 }, IV_WATERMARK_ERR_LOW_ALONE },
  };
  const char *text = iv_watermark_status_text (IV_WATERMARK_OK);

  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    IvWatermark w;
    IvWatermarkStatus status = table[i].status;

    CHECK_EQ (iv_watermark_check (&table[i].marks), status);
    iv_watermark_init (&w);
    CHECK_EQ (iv_watermark_set_marks (&w, &table[i].marks, NULL), status);
    CHECK_EQ (iv_watermark_set_marks (&w, NULL, &table[i].marks), status);
    CHECK ((strcmp (iv_watermark_status_text (status), text) == 0)
           == (status == IV_WATERMARK_OK));
  }
  CHECK_STR (iv_watermark_status_text ((IvWatermarkStatus)77), "unknown");
}

/* The values of the interface's own sample, as a link falters and recovers. */
static void
test_a_link_falters (void)
{
  static const IvWatermarkMarks marks = { 200 << 10, 400 << 10, 500 << 10 };
  IvWatermark w;

  iv_watermark_init (&w);
  CHECK_EQ (iv_watermark_set_marks (&w, &marks, NULL), IV_WATERMARK_OK);
  CHECK_EQ (iv_watermark_update (&w, 100 << 10, 0), 0);
  CHECK_EQ (iv_watermark_update (&w, 400 << 10, 0), 0);
  CHECK_EQ (iv_watermark_update (&w, (400 << 10) + 1, 0), IV_WATERMARK_WARN);
  CHECK_EQ (iv_watermark_update (&w, 300 << 10, 0), 0);
  CHECK_EQ (iv_watermark_update (&w, 450 << 10, 0), 0);
  CHECK (!iv_watermark_is_paused (&w));
  CHECK_EQ (iv_watermark_update (&w, 501 << 10, 0), IV_WATERMARK_HIGH);
  CHECK (iv_watermark_is_paused (&w));
  CHECK_EQ (iv_watermark_update (&w, 499 << 10, 0), 0);
  CHECK_EQ (iv_watermark_update (&w, 600 << 10, 0), 0);
  CHECK_EQ (iv_watermark_update (&w, 200 << 10, 0), 0);
  CHECK (iv_watermark_is_paused (&w));
  CHECK_EQ (iv_watermark_update (&w, (200 << 10) - 1, 0), IV_WATERMARK_LOW);
  CHECK (!iv_watermark_is_paused (&w) && !iv_watermark_is_raised (&w));
  CHECK_EQ (iv_watermark_update (&w, 0, 0), 0);
  CHECK_EQ (iv_watermark_update (&w, 900 << 10, 0),
            IV_WATERMARK_WARN | IV_WATERMARK_HIGH);
}

/* Marks of 0 during a pause: the application looks after itself from here. */
static void
test_off_while_paused (void)
{
  static const IvWatermarkMarks marks = { 2, 4, 5 }, no_high = { 2, 4, 0 };
  IvWatermark w;

  iv_watermark_init (&w);
  iv_watermark_set_marks (&w, &marks, NULL);
  iv_watermark_update (&w, 6, 0);
  CHECK (iv_watermark_is_paused (&w));
  CHECK_EQ (iv_watermark_set_marks (&w, NULL, NULL), IV_WATERMARK_OK);
  CHECK (!iv_watermark_is_paused (&w));
  CHECK_EQ (iv_watermark_update (&w, 0, 0), 0);

  iv_watermark_set_marks (&w, &marks, NULL);
  iv_watermark_update (&w, 6, 0);
  CHECK_EQ (iv_watermark_set_marks (&w, &no_high, NULL), IV_WATERMARK_OK);
  CHECK (!iv_watermark_is_paused (&w));
  CHECK_EQ (iv_watermark_update (&w, 1, 0), IV_WATERMARK_LOW);
}

/* The greatest values there are. */
static void
test_extremes (void)
{
  static const IvWatermarkMarks marks = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
  IvWatermark w;

  iv_watermark_init (&w);
  iv_watermark_set_marks (&w, &marks, &marks);
  CHECK_EQ (iv_watermark_update (&w, UINT64_MAX, UINT64_MAX), 0);
  iv_watermark_set_marks (&w, &(IvWatermarkMarks){ 0, 0, UINT64_MAX - 1 },
                          NULL);
  CHECK_EQ (iv_watermark_update (&w, UINT64_MAX, 0), IV_WATERMARK_HIGH);
  CHECK_EQ (iv_watermark_update (&w, 1, UINT64_MAX), 0);
  CHECK_EQ (iv_watermark_update (&w, 0, UINT64_MAX), IV_WATERMARK_LOW);
}

static const CheckCase cases[] = {
  { "the order of the marks", test_order },
  { "a link falters and recovers", test_a_link_falters },
  { "marks taken away during a pause", test_off_while_paused },
  { "extreme values", test_extremes },
  { "every short sequence, one dimension", test_every_sequence_of_one },
  { "every short sequence, both dimensions", test_every_sequence_of_both },
  { "long random ones, marks that change", test_random },
};

CHECK_MAIN (cases)
