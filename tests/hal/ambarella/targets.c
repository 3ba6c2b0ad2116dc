/* How Ambarella's driver is played: streams that are ours, and streams that
 * another program runs.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "ambarella/ambarella.h"
#include "conformance.h"

#define TARGET(kind, ...)                                                      \
  {                                                                            \
    .name = "ambarella-" kind, .family = &hal_ambarella,                       \
    .directory = "ambarella", .library = "libiav.so", .rate_tolerance = 8,     \
    .newer_version = "newer", .foreign_version = "another SDK",                \
    .needed_library = "libiav.so", __VA_ARGS__                                 \
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
