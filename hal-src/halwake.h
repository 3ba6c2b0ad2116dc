/* A switch that breaks a wait, and waiting for a descriptor beside it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef HAL_WAKE_H
#define HAL_WAKE_H

#include "hal.h"

typedef struct
{
  int fd;
} HalWake;

/* false: no descriptor left. */
bool hal_wake_init (HalWake *wake);
void hal_wake_finish (HalWake *wake);
/* From any thread. Stays on until it is turned off. */
void hal_wake_set (HalWake *wake, bool on);
/* Waits for fd, or for time alone if fd is -1: HAL_OK (fd is readable, or in
 * error, which the next call on it will tell), HAL_TIMEOUT,
 * HAL_INTERRUPTED. Signals do not shorten the wait. */
HalStatus hal_wake_wait (HalWake *wake, int fd, uint64_t timeout);

#endif /* HAL_WAKE_H */
