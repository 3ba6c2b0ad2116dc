/* UDT4's known defects, each a named case that shows ours without it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef DEFECTS_H
#define DEFECTS_H

#include "simtest.h"

extern const SimCase defects_recovery[]; /* 1-3, 7, 17, 18 */
extern const SimCase defects_rate[];     /* 4-6, 8-10, 13 */
extern const SimCase defects_session[];  /* 11, 14-16 */

/* Drops `left` packets that have one of the marks and one of the
 * watches, where given. */
typedef struct
{
  uint32_t watched;
  unsigned marks;
  unsigned skip; /* not the first ones */
  unsigned left;
  UdtTime from; /* not before this time */
  unsigned dropped;
} Drop;

bool drop_some (void *user, Sim *sim, const SimPacket *packet);

extern const UdtFlowConfig flow_reliable, flow_bulk;

/* A simulation of the default duplex link, connected. */
Sim *defect_sim (SimTest *test, const SimConfig *config);
void steady_source (Sim *sim, unsigned peer, uint16_t flow, UdtTime interval,
                    uint32_t size);
double goodput (const SimFlow *flow, UdtTime since, UdtTime until);

#endif /* DEFECTS_H */
