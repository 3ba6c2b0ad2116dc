/* The generations of HiSilicon and Goke that the conformance suite plays.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>

#include "conformance.h"
#include "hisi/hisi.h"

#define FOREIGN_OLD "HI_VERSION=Hi3518_MPP_V1.0.A.0 B030 Release"
#define FOREIGN_NEW "HI_VERSION=Hi3516EV200_MPP_V1.0.1.2 B030 Release"
/* Numbers up to v4, and of v5; with errno, what the driver's node says. */
static const ConformanceError errors[] = {
  { 1, 0, HAL_INVALID, "invalid device" },
  { 2, 0, HAL_INVALID, "invalid channel" },
  { 3, 0, HAL_INVALID, "illegal parameter" },
  { 5, 0, HAL_NO_DEVICE, "does not exist" },
  { 6, 0, HAL_VENDOR, "null pointer" },
  { 7, 0, HAL_NO_DEVICE, "not configured" },
  { 8, 0, HAL_UNSUPPORTED, "not supported" },
  { 9, 0, HAL_REFUSED, "not permitted now" },
  { 12, 0, HAL_NO_MEMORY, "no memory" },
  { 13, 0, HAL_VENDOR, "no buffer" },
  { 15, 0, HAL_VENDOR, "buffer full" },
  { 16, 0, HAL_NO_DEVICE, "not ready" },
  { 16, EACCES, HAL_NO_PERMISSION, "no permission" },
  { 16, EPERM, HAL_NO_PERMISSION, "no permission" },
  { 17, 0, HAL_VENDOR, "bad address" },
  { 18, 0, HAL_BUSY, "busy" },
  { 99, 0, HAL_VENDOR, "code 99" },
  { -1, 0, HAL_VENDOR, "-1" },
  { -1, EACCES, HAL_NO_PERMISSION, "no permission" },
  { 0 },
};
static const ConformanceError errors_v5[] = {
  { 1, 0, HAL_INVALID, "invalid device" },
  { 3, 0, HAL_INVALID, "invalid channel" },
  { 7, 0, HAL_INVALID, "illegal parameter" },
  { 9, 0, HAL_NO_DEVICE, "does not exist" },
  { 0xa, 0, HAL_VENDOR, "null pointer" },
  { 0xb, 0, HAL_NO_DEVICE, "not configured" },
  { 0xc, 0, HAL_UNSUPPORTED, "not supported" },
  { 0xd, 0, HAL_REFUSED, "not permitted now" },
  { 0x14, 0, HAL_NO_MEMORY, "no memory" },
  { 0x15, 0, HAL_VENDOR, "no buffer" },
  { 0x17, 0, HAL_VENDOR, "buffer full" },
  { 0x18, 0, HAL_NO_DEVICE, "not ready" },
  { 0x18, EACCES, HAL_NO_PERMISSION, "no permission" },
  { 0x21, 0, HAL_VENDOR, "bad address" },
  { 0x22, 0, HAL_BUSY, "busy" },
  { 99, 0, HAL_VENDOR, "code 99" },
  { -1, EACCES, HAL_NO_PERMISSION, "no permission" },
  { 0 },
};

#define TARGET(generation, lib, foreign, numbers, gone_number)                 \
  {                                                                            \
    .name = "hisi-" generation, .family = &hal_hisi,                           \
    .directory = "hisi/" generation, .library = lib, .rate_tolerance = 8,      \
    .newer_version = "HI_VERSION=Hi3599ZV900_MPP_V9.0.0.0",                    \
    .foreign_version = foreign, .needed_library = "libmpi.so",                 \
    .errors = numbers,                                                         \
    .gone                                                                      \
        = { gone_number,                                                       \
            0,                                                                 \
            HAL_NO_DEVICE,                                                     \
            "not exist" }                                                      \
  }

const ConformanceTarget conformance_targets[] = {
  TARGET ("v1", "libmpi.so", FOREIGN_NEW, errors, 5),
  TARGET ("v2", "libmpi.so", FOREIGN_NEW, errors, 5),
  TARGET ("v3", "libmpi.so", FOREIGN_NEW, errors, 5),
  TARGET ("v4", "libmpi.so", FOREIGN_OLD, errors, 5),
  TARGET ("goke", "libhi_mpi.so", FOREIGN_OLD, errors, 5),
  TARGET ("v5", "libss_mpi.so", FOREIGN_OLD, errors_v5, 9),
};
const unsigned conformance_n_targets
    = sizeof conformance_targets / sizeof conformance_targets[0];
