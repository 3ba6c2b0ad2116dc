/* The family Ingenic.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef HAL_INGENIC_H
#define HAL_INGENIC_H

#include "hal.h"

extern const HalFamily hal_ingenic;

#endif /* HAL_INGENIC_H */
