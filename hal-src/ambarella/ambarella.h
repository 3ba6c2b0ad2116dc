/* The family Ambarella.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef AMBARELLA_H
#define AMBARELLA_H

#include "hal.h"

extern const HalFamily hal_ambarella;

#endif /* AMBARELLA_H */
