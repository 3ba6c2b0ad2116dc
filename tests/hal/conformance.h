/* The suite that every family passes, through the vtable alone.
 *
 * A family's test program defines conformance_targets: its generations, each
 * with the directory of a simulated library. The program is run with the name
 * of one target, and then, as all tests are, with parts of names of cases.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include "hal.h"
#include "simengine.h"

/* What a call of the vendor's fails with: its number, and errno; and what
 * that means. */
typedef struct
{
  int code, number;
  HalStatus status;
  const char *words; /* in the text of the error */
} ConformanceError;

typedef struct
{
  const char *name; /* "hisi-v4" */
  const HalFamily *family;
  /* Below the directory of simulated libraries: where these are, and the one
   * that has sim_control. NULL: real, cases with faults are left out. */
  const char *directory;
  const char *library;
  HalStreamConfig config; /* what differs from the defaults; 0: does not */
  uint32_t without;       /* of its HAL_CAP_..., what these streams do not do */
  /* How far a measured bit rate may be off, in percent. */
  unsigned rate_tolerance;
  /* What the version must contain to be known, and a newer one that is not. */
  const char *newer_version;
  /* A version of another generation, that does not go with the functions. */
  const char *foreign_version;
  /* The name of the library that is missed first, for the error text. */
  const char *needed_library;
  /* All that are known of making a channel, without one at the end (code 0);
   * and that of a device which is there no more. */
  const ConformanceError *errors;
  ConformanceError gone;
  /* Of those with devices of which one is named: one that is not there. */
  const char *bad_device;
  /* Of those that set up sensor and ISP themselves. */
  const char *sensor_config;
  /* One that is refused in words. */
  const char *bad_sensor_config;
} ConformanceTarget;

extern const ConformanceTarget conformance_targets[];
extern const unsigned conformance_n_targets;

#endif /* CONFORMANCE_H */
