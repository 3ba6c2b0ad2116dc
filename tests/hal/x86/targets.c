/* The family x86 in the conformance suite: real, with each encoder there is.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <gst/gst.h>

#include "conformance.h"
#include "x86/x86.h"

const ConformanceTarget conformance_targets[] = {
  {
      .name = "x86",
      .family = &hal_x86,
      .config = { .width = 320, .height = 240, .device = "test:zone-plate" },
      .rate_tolerance = 40,
      .bad_device = "/dev/no-such-camera",
  },
  {
      .name = "x86-openh264",
      .family = &hal_x86,
      .config = { .width = 640,
                  .height = 480,
                  .device = "test:zone-plate",
                  .encoder = "openh264enc" },
      .rate_tolerance = 40,
      .bad_device = "/dev/no-such-camera",
  },
};
const unsigned conformance_n_targets
    = sizeof conformance_targets / sizeof conformance_targets[0];

__attribute__ ((constructor)) static void
initialise (void)
{
  gst_init (NULL, NULL);
}
