/* What the files of a simulated libimp.so share.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef SIM_INGENIC_H
#define SIM_INGENIC_H

#include <errno.h>

#include "ingenic/ingeniclayout.h"
#include "simengine.h"

#define API(name) SIM_EXPORT int IMP_##name

/* A call that the vendor forbids at this point. */
static inline int
out_of_order (void)
{
  atomic_fetch_add (&sim_engine_control ()->order_errors, 1);
  return -1;
}

static inline int
fail (int number)
{
  errno = number;
  return -1;
}

/* By the calls of the ISP. */
bool sim_sensor_is_on (void);

#endif /* SIM_INGENIC_H */
