/* The generations of Ingenic that the conformance suite plays.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>

#include "conformance.h"
#include "ingenic/ingenic.h"

#define OLD_KIND "T20-X/IMP-3.12.0"
#define NEW_KIND "T31-X/IMP-1.1.6"
#define SENSOR                                                                 \
  "name=gc2053,i2c-address=0x37,i2c-adapter=0,width=1920,height=1080,fps=25"
/* What T40 and T41 are told besides. */
#define WIRED SENSOR ",interface=2,clock=2,mode=3,reset-gpio=91"
/* Its functions say -1, and the rest by errno. */
static const ConformanceError errors[] = {
  { -1, ENOMEM, HAL_NO_MEMORY, "no memory" },
  { -1, EBUSY, HAL_BUSY, "busy" },
  { -1, EEXIST, HAL_BUSY, "exists already" },
  { -1, EPERM, HAL_NO_PERMISSION, "not permitted" },
  { -1, EACCES, HAL_NO_PERMISSION, "no permission" },
  { -1, ENODEV, HAL_NO_DEVICE, "no such device" },
  { -1, ENOENT, HAL_NO_DEVICE, "no such device" },
  { -1, 0, HAL_VENDOR, "-1" },
  { 0 },
};

#define TARGET(generation, newer, foreign, sensor, bad)                        \
  {                                                                            \
    .name = "ingenic-" generation, .family = &hal_ingenic,                     \
    .directory = "ingenic/" generation, .library = "libimp.so",                \
    .rate_tolerance = 8, .newer_version = newer, .foreign_version = foreign,   \
    .needed_library = "libimp.so", .errors = errors,                           \
    .gone = { -1, ENODEV, HAL_NO_DEVICE, "no such device" },                   \
    .sensor_config = sensor, .bad_sensor_config = bad                          \
  }

const ConformanceTarget conformance_targets[] = {
  TARGET ("t20", "T20-X/IMP-9.9.9", NEW_KIND, SENSOR, WIRED),
  TARGET ("t21", "T21-N/IMP-9.9.9", NEW_KIND, SENSOR, WIRED),
  TARGET ("t23", "T23-N/IMP-9.9.9", NEW_KIND, SENSOR, WIRED),
  TARGET ("t30", "T30-X/IMP-9.9.9", NEW_KIND, SENSOR, WIRED),
  TARGET ("t31", "T31-X/IMP-9.9.9", OLD_KIND, SENSOR, WIRED),
  TARGET ("t40", "T40-N/IMP-9.9.9", OLD_KIND, WIRED, SENSOR ",clock=3"),
  TARGET ("t41", "T41-N/IMP-9.9.9", OLD_KIND, WIRED, SENSOR ",clock=3"),
  TARGET ("c100", "C100/IMP-9.9.9", OLD_KIND, SENSOR, WIRED),
};
const unsigned conformance_n_targets
    = sizeof conformance_targets / sizeof conformance_targets[0];
