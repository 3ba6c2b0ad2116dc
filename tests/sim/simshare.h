/* Several senders behind one bottleneck: sessions of the engine under any law,
 * and TCP's CUBIC.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Virtual time. One queue that drops what does not fit, the same way for all in
 * both directions, no loss but the queue's; what comes back is not held up. The
 * same calls give the same run. One thread.
 */
#ifndef SIM_SHARE_H
#define SIM_SHARE_H

#include "udtcongestion.h"

typedef struct _SimShare SimShare;

SimShare *sim_share_new (uint64_t rate, UdtTime delay, size_t queue_limit);
void sim_share_free (SimShare *share);
/* Each gives the number of the sender. */
unsigned sim_share_add_session (SimShare *share, const UdtCongestion *law,
                                UdtTime start);
unsigned sim_share_add_cubic (SimShare *share, UdtTime start);
void sim_share_run_until (SimShare *share, UdtTime time);
/* Bytes of a sender that have passed the bottleneck, headers included. */
uint64_t sim_share_passed (const SimShare *share, unsigned sender);
/* The longest time that a packet has waited in the queue since the last call,
 * and the mean. */
UdtTime sim_share_longest_wait (SimShare *share, UdtTime *mean);

#endif /* SIM_SHARE_H */
