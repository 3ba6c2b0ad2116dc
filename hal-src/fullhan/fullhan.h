/* The family Fullhan.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef FULLHAN_H
#define FULLHAN_H

#include "hal.h"

extern const HalFamily hal_fullhan;

#endif /* FULLHAN_H */
