/* The generations of Fullhan that the conformance suite plays.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conformance.h"
#include "fullhan/fullhan.h"

#define TARGET(generation, foreign)                                            \
  {                                                                            \
    .name = "fullhan-" generation, .family = &hal_fullhan,                     \
    .directory = "fullhan/" generation, .library = "libdsp.so",                \
    .rate_tolerance = 8, .newer_version = "0x8999a100",                        \
    .foreign_version = foreign, .needed_library = "libdsp.so"                  \
  }

const ConformanceTarget conformance_targets[] = {
  TARGET ("a", "0x8862a100"),
  TARGET ("b", "0x8626a100"),
};
const unsigned conformance_n_targets
    = sizeof conformance_targets / sizeof conformance_targets[0];
