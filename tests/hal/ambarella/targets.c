/* How Ambarella's driver is played: streams that are ours, and streams that
 * another program runs.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>

#include "ambarella/ambarella.h"
#include "conformance.h"

static const ConformanceError errors[] = {
  { -1, EBUSY, HAL_BUSY, "busy" },
  { -1, EPERM, HAL_NO_PERMISSION, "not permitted" },
  { -1, EACCES, HAL_NO_PERMISSION, "no permission" },
  { -1, ENOMEM, HAL_NO_MEMORY, "no memory" },
  { -1, ENODEV, HAL_NO_DEVICE, "no such device" },
  { -1, ENXIO, HAL_NO_DEVICE, "no such device" },
  { -1, ENOTTY, HAL_BAD_VERSION, "another SDK" },
  { -1, EFAULT, HAL_BAD_VERSION, "other memory" },
  { -1, EINVAL, HAL_REFUSED, "refused" },
  { -1, EIO, HAL_VENDOR, "input or output" },
  { -1, EDOM, HAL_VENDOR, "errno" },
  { 0 },
};

/* Which header the back end was built with; by cross.sh: */
#ifndef GENERATION
#define GENERATION "ambarella"
#endif
#define TARGET(kind, ...)                                                      \
  {                                                                            \
    .name = GENERATION "-" kind, .family = &hal_ambarella,                     \
    .directory = GENERATION, .library = "libiav.so", .rate_tolerance = 8,      \
    .newer_version = "newer", .foreign_version = "another SDK",                \
    .needed_library = "libiav.so", .errors = errors,                           \
    .gone = { -1, ENODEV, HAL_NO_DEVICE, "no such device" }, __VA_ARGS__       \
  }

const ConformanceTarget conformance_targets[] = {
  TARGET ("own", .config = { .attach = false }),
  /* What belongs to the program that runs the stream. */
  TARGET ("attached", .config = { .attach = true },
          .without
          = HAL_CAP_SET_QP | HAL_CAP_SET_RATE_CONTROL | HAL_CAP_SET_FRAMERATE),
};
const unsigned conformance_n_targets
    = sizeof conformance_targets / sizeof conformance_targets[0];
