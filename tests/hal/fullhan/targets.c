/* The generations of Fullhan that the conformance suite plays.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>

#include "conformance.h"
#include "fullhan/fullhan.h"

static const ConformanceError errors[] = {
  { -1001, 0, HAL_NO_DEVICE, "cannot be opened" },
  { -1001, EACCES, HAL_NO_PERMISSION, "no permission" },
  { -1002, 0, HAL_VENDOR, "cannot be closed" },
  { -1003, 0, HAL_NO_DEVICE, "no device" },
  { -1004, 0, HAL_VENDOR, "null pointer" },
  { -1005, 0, HAL_INVALID, "illegal parameter" },
  { -1006, 0, HAL_INVALID, "misaligned" },
  { -1007, 0, HAL_NO_DEVICE, "not enabled" },
  { -1008, 0, HAL_INVALID, "invalid channel" },
  { -1009, 0, HAL_NO_MEMORY, "no memory" },
  { -1012, 0, HAL_VENDOR, "inside the SDK" },
  { -1013, 0, HAL_UNSUPPORTED, "not supported" },
  { -1014, 0, HAL_REFUSED, "not ready" },
  { -1015, 0, HAL_NO_DEVICE, "not initialised" },
  { -EBUSY, 0, HAL_BUSY, "busy" },
  { -ENOMEM, 0, HAL_NO_MEMORY, "no memory" },
  { -EACCES, 0, HAL_NO_PERMISSION, "no permission" },
  { -ENODEV, 0, HAL_NO_DEVICE, "no device" },
  { -4711, 0, HAL_VENDOR, "-4711" },
  { -1, 0, HAL_VENDOR, "-1" },
  { 0 },
};

#define TARGET(generation, foreign)                                            \
  {                                                                            \
    .name = "fullhan-" generation, .family = &hal_fullhan,                     \
    .directory = "fullhan/" generation, .library = "libdsp.so",                \
    .rate_tolerance = 8, .newer_version = "0x8999a100",                        \
    .foreign_version = foreign, .needed_library = "libdsp.so",                 \
    .errors = errors,                                                          \
    .gone                                                                      \
        = { -ENODEV,                                                           \
            0,                                                                 \
            HAL_NO_DEVICE,                                                     \
            "no device" }                                                      \
  }

const ConformanceTarget conformance_targets[] = {
  TARGET ("a", "0x8862a100"),
  TARGET ("b", "0x8626a100"),
};
const unsigned conformance_n_targets
    = sizeof conformance_targets / sizeof conformance_targets[0];
