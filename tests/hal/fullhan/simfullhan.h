/* What the files of a simulated libdsp.so of Fullhan share.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef SIM_FULLHAN_H
#define SIM_FULLHAN_H

#include "fullhan/fullhanlayout.h"
#include "simengine.h"

#define API(name) SIM_EXPORT int32_t FH_##name

enum {
  PARAM = -1005,
  CHAN = -1008,
  NO_MEM = -1009,
  EMPTY = FH_ERROR_EMPTY,
  EXISTS = FH_ERROR_EXISTS,
  FAILURE = -1012,
  NOT_READY = -1014,
  NOT_INIT = -1015,
};

#endif /* SIM_FULLHAN_H */
