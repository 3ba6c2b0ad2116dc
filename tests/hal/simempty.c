/* A library that others depend on: it only has to be there, and first.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "simengine.h"

SIM_EXPORT int SIM_EMPTY_NAME (void);

SIM_EXPORT int
SIM_EMPTY_NAME (void)
{
  return 1;
}
