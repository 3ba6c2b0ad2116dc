/* What the defect cases share, and their program.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "defects.h"

const UdtFlowConfig flow_reliable
    = { .service = UDT_CLASS_COMMAND, .order = UDT_ORDER_STRICT };
const UdtFlowConfig flow_bulk
    = { .service = UDT_CLASS_BULK, .order = UDT_ORDER_STRICT };

bool
drop_some (void *user, Sim *sim, const SimPacket *packet)
{
  Drop *drop = user;

  if (!drop->left || sim->now < drop->from
      || (drop->watched && !(packet->watched & drop->watched))
      || (drop->marks && !(packet->marks & drop->marks)))
    return false;
  if (drop->skip) {
    drop->skip--;
    return false;
  }
  drop->left--;
  drop->dropped++;
  return true;
}

Sim *
defect_sim (SimTest *test, const SimConfig *config)
{
  SimConfig standard;
  Sim *sim;

  if (!config) {
    sim_config_init (&standard);
    config = &standard;
  }
  sim = sim_new (config, test->seed);
  sim->mark_packets = true;
  sim_connect (sim);
  return sim;
}

void
steady_source (Sim *sim, unsigned peer, uint16_t flow, UdtTime interval,
               uint32_t size)
{
  SimSourceConfig config = { .kind = SIM_SOURCE_STEADY,
                             .flow = flow,
                             .interval = interval,
                             .size = size,
                             .config = flow_reliable };

  sim_source_add (sim, peer, &config);
}

/* bit/s of what was handed out between the two times. */
double
goodput (const SimFlow *flow, UdtTime since, UdtTime until)
{
  double bits = 0;

  for (size_t i = 0; i < flow->n_messages; i++)
    if (flow->messages[i].delivered && flow->messages[i].handed >= since
        && flow->messages[i].handed < until)
      bits += flow->messages[i].size * 8.0;
  return bits * 1e6 / (double)(until - since);
}

int
main (int argc, char **argv)
{
  const SimCase *const tables[]
      = { defects_recovery, defects_rate, defects_session, NULL };

  return sim_test_main (argc, argv, tables);
}
