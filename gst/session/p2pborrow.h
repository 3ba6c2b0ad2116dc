/* What the engine borrows from this host: memory and randomness.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: any.
 */
#ifndef P2P_BORROW_H
#define P2P_BORROW_H

#include "udt.h"

/* Fills in all but how packets are sealed and opened; `user` is for these. */
void p2p_borrow_env (UdtEnv *env, void *user);

#endif /* P2P_BORROW_H */
