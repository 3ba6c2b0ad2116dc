/* The family HiSilicon and Goke.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef HAL_HISI_H
#define HAL_HISI_H

#include "hal.h"

extern const HalFamily hal_hisi;

#endif /* HAL_HISI_H */
