/* How fast an encoder shall be, of how much each viewer's path carries.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure, see ivbitrate.h.
 */
#include "ivbitrate.h"

#include <string.h>

void
bitrate_policy_init (BitratePolicy *policy)
{
  memset (policy, 0, sizeof *policy);
}

static uint64_t
at_most (const BitratePolicy *policy, uint64_t bitrate)
{
  return policy->max != 0 && bitrate > policy->max ? policy->max : bitrate;
}

/* 0: as long as there is no maximum, whatever it is. */
static uint64_t
beginning (const BitratePolicy *policy)
{
  return at_most (policy, policy->start != 0 ? policy->start : policy->max);
}

/* -- What the viewers can get, together ------------------------------------ */

/* Of `values`, whose order it changes, the one that would be at `rank` if they
 * were sorted: each round leaves the part in which it is. */
static uint64_t
select_rank (uint64_t *values, size_t n, size_t rank)
{
  size_t first = 0, last = n - 1;

  while (first < last) {
    uint64_t pivot = values[first + (last - first) / 2];
    size_t low = first, high = last;

    for (;;) {
      uint64_t value;

      while (values[low] < pivot)
        low++;
      while (values[high] > pivot)
        high--;
      if (low >= high)
        break;
      value = values[low];
      values[low++] = values[high];
      values[high--] = value;
    }
    if (rank <= high)
      last = high;
    else
      first = high + 1;
  }
  return values[rank];
}

/* The upper one of two; more than the maximum is of no use to anybody. */
static uint64_t
median (const BitratePolicy *policy, const BitrateViewer *viewers, size_t n)
{
  uint64_t values[BITRATE_POLICY_MAX_VIEWERS];
  size_t i;

  for (i = 0; i < n; i++)
    values[i] = at_most (policy, viewers[i].bitrate);
  return select_rank (values, n, n / 2);
}

/* Who has been left out has to be clearly above `limit`. */
static bool
is_below (const BitrateViewer *viewer, uint64_t limit)
{
  return viewer->bitrate < (viewer->left_out ? limit + limit / 4 : limit);
}

static bool
few_below (const BitrateViewer *viewers, size_t n, uint64_t limit)
{
  size_t i, below = 0;

  for (i = 0; i < n; i++)
    below += is_below (&viewers[i], limit);
  return below * BITRATE_POLICY_FEW < n;
}

/* What all who count can get; `min` if that is nobody. */
static uint64_t
goal (const BitratePolicy *policy, BitrateViewer *viewers, size_t n)
{
  uint64_t middle = median (policy, viewers, n);
  uint64_t limit = middle / BITRATE_POLICY_FEW_FLOOR, lowest = UINT64_MAX;
  size_t i;

  if (!few_below (viewers, n, limit))
    limit = middle / BITRATE_POLICY_FLOOR;
  if (limit < policy->min)
    limit = policy->min;
  for (i = 0; i < n; i++) {
    viewers[i].left_out = is_below (&viewers[i], limit);
    if (!viewers[i].left_out && viewers[i].bitrate < lowest)
      lowest = viewers[i].bitrate;
  }
  return at_most (policy, lowest != UINT64_MAX ? lowest : policy->min);
}

/* -- How it gets there ----------------------------------------------------- */

static bool
set (BitratePolicy *policy, uint64_t bitrate)
{
  bool changed = policy->current != bitrate;

  policy->current = bitrate;
  return changed;
}

bool
bitrate_policy_limit (BitratePolicy *policy)
{
  uint64_t least = at_most (policy, policy->min);

  if (!policy->served || policy->current == 0)
    return set (policy, beginning (policy));
  if (policy->current < least)
    return set (policy, least);
  return set (policy, at_most (policy, policy->current));
}

static bool
fall (BitratePolicy *policy, uint64_t wanted, uint64_t now_us)
{
  policy->lowest = UINT64_MAX;
  policy->rise_at = now_us + BITRATE_POLICY_HOLD_US;
  return set (policy, wanted);
}

static bool
rise (BitratePolicy *policy, uint64_t now_us)
{
  uint64_t current = policy->current, wanted = policy->lowest;
  uint64_t most = current + current * BITRATE_POLICY_RISE_PERCENT / 100;
  uint64_t step = current * BITRATE_POLICY_STEP_PERCENT / 100;

  policy->lowest = UINT64_MAX;
  policy->rise_at = now_us + BITRATE_POLICY_RISE_US;
  if (wanted > most)
    wanted = most;
  /* The last step to the maximum may be a small one. */
  if (wanted <= current || (wanted < current + step && wanted != policy->max))
    return false;
  return set (policy, wanted);
}

bool
bitrate_policy_update (BitratePolicy *policy, BitrateViewer *viewers, size_t n,
                       uint64_t now_us)
{
  uint64_t wanted;

  if (n > BITRATE_POLICY_MAX_VIEWERS)
    n = BITRATE_POLICY_MAX_VIEWERS;
  if (n == 0) {
    policy->served = false;
    return set (policy, beginning (policy));
  }
  wanted = goal (policy, viewers, n);
  if (!policy->served || policy->current == 0) {
    policy->served = true;
    policy->lowest = UINT64_MAX;
    policy->rise_at = now_us + BITRATE_POLICY_RISE_US;
    if (policy->current == 0)
      return set (policy, wanted);
  }
  if (wanted < policy->lowest)
    policy->lowest = wanted;
  if (wanted * 100 < policy->current * (100 - BITRATE_POLICY_STEP_PERCENT))
    return fall (policy, wanted, now_us);
  return now_us >= policy->rise_at && rise (policy, now_us);
}
