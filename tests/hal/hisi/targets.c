/* The generations of HiSilicon and Goke that the conformance suite plays.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conformance.h"
#include "hisi/hisi.h"

#define FOREIGN_OLD "HI_VERSION=Hi3518_MPP_V1.0.A.0 B030 Release"
#define FOREIGN_NEW "HI_VERSION=Hi3516EV200_MPP_V1.0.1.2 B030 Release"
#define TARGET(generation, lib, foreign)                                       \
  {                                                                            \
    .name = "hisi-" generation, .family = &hal_hisi,                           \
    .directory = "hisi/" generation, .library = lib, .rate_tolerance = 8,      \
    .newer_version = "HI_VERSION=Hi3599ZV900_MPP_V9.0.0.0",                    \
    .foreign_version = foreign, .needed_library = "libmpi.so"                  \
  }

const ConformanceTarget conformance_targets[] = {
  TARGET ("v1", "libmpi.so", FOREIGN_NEW),
  TARGET ("v2", "libmpi.so", FOREIGN_NEW),
  TARGET ("v3", "libmpi.so", FOREIGN_NEW),
  TARGET ("v4", "libmpi.so", FOREIGN_OLD),
  TARGET ("goke", "libhi_mpi.so", FOREIGN_OLD),
  TARGET ("v5", "libss_mpi.so", FOREIGN_OLD),
};
const unsigned conformance_n_targets
    = sizeof conformance_targets / sizeof conformance_targets[0];
