/* What the files of the elements' tests share.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef ELEMENTS_H
#define ELEMENTS_H

#include "soc-util.h"
#include "unit/check.h"

/* The cases of a file, with its own count of failures. */
typedef struct
{
  const CheckCase *cases;
  guint n;
  unsigned *failures;
} ElementCases;

extern const ElementCases element_streams, element_faults;

/* NULL is a failure. */
static inline GstSample *
must_pull (Camera *camera)
{
  GstSample *sample = pull (camera);

  CHECK (sample != NULL);
  return sample;
}

/* A frame, thrown away. */
static inline void
pull_one (Camera *camera)
{
  GstSample *sample = must_pull (camera);

  if (sample != NULL)
    gst_sample_unref (sample);
}

#endif /* ELEMENTS_H */
