/* Faults one by one: the nth allocation fails, the nth send fails, until the
 * n is reached at which nothing fails any more.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "simtest.h"

#include <stdlib.h>
#include <string.h>

#define MANY 100000

static const UdtFlowConfig reliable
    = { .service = UDT_CLASS_COMMAND, .order = UDT_ORDER_STRICT };
static const UdtFlowConfig live = { .service = UDT_CLASS_VIDEO,
                                    .order = UDT_ORDER_STRICT,
                                    .deadline = 200 * SIM_MS };

/* ---- allocation ---- */

typedef struct
{
  SimMemory memory;
  SimRandom random;
  UdtConnection *conn;
  uint64_t accepted, released, received;
  bool open, wrong;
} Side;

static void *
side_alloc (void *user, size_t size)
{
  return sim_memory_alloc (&((Side *)user)->memory, size);
}

static void
side_free (void *user, void *block)
{
  sim_memory_free (&((Side *)user)->memory, block);
}

static uint64_t
side_random (void *user)
{
  return sim_random_next (&((Side *)user)->random);
}

static bool
side_seal (void *user, uint64_t packet_number, const uint8_t *aad,
           size_t aad_len, uint8_t *data, size_t len)
{
  static const SimSeal seal = { .key = { 7, 8 } };

  (void)user;
  sim_seal (&seal, packet_number, aad, aad_len, data, len);
  return true;
}

static bool
side_open (void *user, uint64_t packet_number, const uint8_t *aad,
           size_t aad_len, uint8_t *data, size_t len)
{
  static const SimSeal seal = { .key = { 7, 8 } };

  (void)user;
  return sim_open (&seal, packet_number, aad, aad_len, data, len);
}

static void
side_release (void *owner)
{
  ((Side *)owner)->released++;
}

static void
side_make (Side *side, unsigned index)
{
  UdtEnv env = { .user = side,
                 .alloc = side_alloc,
                 .free = side_free,
                 .random = side_random,
                 .seal = side_seal,
                 .open = side_open };
  UdtConfig config;

  udt_config_init (&config);
  config.local_id = 1 + index;
  config.remote_id = 2 - index;
  sim_random_init (&side->random, index);
  side->conn = udt_connection_new (&config, &env, 0);
}

static void
side_read (Side *side, UdtTime now)
{
  UdtReceived message;
  UdtEvent event;

  while (udt_connection_event (side->conn, &event) == UDT_OK)
    ;
  while (udt_connection_receive (side->conn, &message, now) == UDT_OK) {
    for (size_t i = 0; i < message.size; i++)
      side->wrong |= message.data[i] != (uint8_t)(i * 31 + message.id);
    side->received++;
    sim_memory_free (&side->memory, message.data);
  }
}

/* A millisecond of a perfect path. */
static void
side_exchange (Side *sides, UdtTime now)
{
  uint8_t packet[UDT_MAX_PACKET];
  size_t len;

  for (unsigned i = 0; i < 2; i++) {
    Side *side = &sides[i];

    udt_connection_tick (side->conn, now);
    for (unsigned n = 0; n < 1000; n++) {
      if (!(len
            = udt_connection_output (side->conn, packet, sizeof packet, now)))
        break;
      udt_connection_input (sides[!i].conn, packet, len, now);
    }
    side_read (side, now);
  }
}

static void
side_send (Side *side, uint16_t flow, UdtTime now)
{
  /* Each message is valid for every id: byte i is i * 31 + id. */
  static uint8_t bytes[256][5000];
  static bool made;
  static const UdtFlowConfig *const configs[] = { &reliable, &live };
  uint8_t id = (uint8_t)side->accepted;
  UdtMessage message = { .payload_len = 5000,
                         .owner = side,
                         .release = side_release,
                         .flags = UDT_MESSAGE_SYNC };

  if (!made)
    for (unsigned n = 0; n < 256; n++)
      for (size_t i = 0; i < 5000; i++)
        bytes[n][i] = (uint8_t)(i * 31 + n);
  made = true;
  message.payload = bytes[id];
  if (!side->open)
    side->open = udt_connection_open_flow (side->conn, flow, configs[flow], now)
                 == UDT_OK;
  if (side->open
      && udt_connection_send (side->conn, flow, &message, now) == UDT_OK)
    side->accepted++;
}

/* Everything that a connection does, with allocations `first` to `first` +
 * `count` failing on both sides. False: none failed any more. */
static bool
allocation_run (SimTest *test, uint64_t first, uint64_t count, uint16_t flow)
{
  Side *sides = calloc (2, sizeof *sides);
  bool touched;

  if (!sides)
    abort ();
  for (unsigned i = 0; i < 2; i++) {
    sides[i].memory.fail_first = first;
    sides[i].memory.fail_count = count;
    side_make (&sides[i], i);
  }
  for (UdtTime now = 0; now < 400 * SIM_MS && sides[0].conn && sides[1].conn;
       now += SIM_MS) {
    if (now % (20 * SIM_MS) == 10 * SIM_MS && now < 200 * SIM_MS)
      side_send (&sides[0], flow, now);
    side_exchange (sides, now);
  }
  touched = sides[0].memory.refused || sides[1].memory.refused;
  for (unsigned i = 0; i < 2; i++)
    udt_connection_free (sides[i].conn);
  for (unsigned i = 0; i < 2; i++) {
    CHECK_EQUAL (test, sides[i].memory.used, 0);
    CHECK_EQUAL (test, sides[i].released, sides[i].accepted);
    CHECK (test, !sides[i].memory.broken);
    CHECK (test, !sides[i].wrong);
  }
  if (!touched) {
    CHECK_LEAST (test, sides[0].accepted, 9);
    CHECK_EQUAL (test, sides[1].received, sides[0].accepted);
  } else if (count == 1 && sides[0].conn && sides[1].conn && flow == 0) {
    /* One refusal is survived: whatever was taken arrives. */
    CHECK_EQUAL (test, sides[1].received, sides[0].accepted);
  }
  free (sides);
  return touched;
}

static void
allocation_fails_once (SimTest *test)
{
  uint64_t n = 1;

  while (!test->failed && n < MANY && allocation_run (test, n, 1, 0))
    n++;
  sim_test_note (test, "%llu allocations", (unsigned long long)n - 1);
  CHECK_LEAST (test, n, 5);
  CHECK_MOST (test, n, MANY - 1);
}

static void
allocation_fails_from (SimTest *test)
{
  uint64_t n = 1;

  while (!test->failed && n < MANY && allocation_run (test, n, UINT64_MAX, 1))
    n++;
  CHECK_LEAST (test, n, 5);
  CHECK_MOST (test, n, MANY - 1);
}

/* Tables that grow while data fills the path: what does not fit into memory just
 * then waits, and is not stuck when there is memory again. */
static void
growth_fails (SimTest *test)
{
  static const UdtFlowConfig file
      = { .service = UDT_CLASS_BULK, .order = UDT_ORDER_STRICT };

  for (unsigned n = 1; n <= 12 && !test->failed; n++) {
    SimConfig config;
    SimFlow *flow;
    Sim *sim;

    sim_config_init (&config);
    sim = sim_new (&config, test->seed);
    flow = sim_flow_open (sim, 0, 1, &file);
    sim_connect (sim);
    sim->peer[0].memory.fail_first = sim->peer[0].memory.calls + n;
    sim->peer[0].memory.fail_count = 3;
    for (unsigned i = 0; i < 10; i++)
      sim_flow_send (flow, 60000, 0);
    sim_run_for (sim, 5 * SIM_SECOND);
    CHECK (test, sim_flow_all_delivered (flow));
    sim_finish (sim);
    sim_test_end (test, sim);
  }
}

/* ---- sending ---- */

/* Packets n to n + count of both ends are refused by their sockets. */
static bool
send_run (SimTest *test, uint64_t first, uint64_t count)
{
  SimConfig config;
  SimSourceConfig source;
  bool touched;
  Sim *sim;

  sim_config_init (&config);
  config.link[0].loss = config.link[1].loss = 0.02;
  sim = sim_new (&config, test->seed);
  for (unsigned i = 0; i < 2; i++) {
    sim->peer[i].send_fail_first = first;
    sim->peer[i].send_fail_count = count;
  }
  sim_connect (sim);
  for (unsigned i = 0; i < 2 && !sim->failed; i++) {
    sim_source_command (&source, 1);
    source.interval = 20 * SIM_MS;
    sim_source_add (sim, i, &source);
    sim_source_bulk (&source, 2, 60000);
    sim_source_add (sim, i, &source);
  }
  sim_run_for (sim, SIM_SECOND / 2);
  touched = sim->peer[0].send_failures || sim->peer[1].send_failures;
  /* Checks that every accepted message arrives. */
  sim_finish (sim);
  sim_test_end (test, sim);
  return touched;
}

static void
send_fails_once (SimTest *test)
{
  uint64_t n = 1;

  while (!test->failed && n < MANY && send_run (test, n, 1))
    n++;
  sim_test_note (test, "%llu sends", (unsigned long long)n - 1);
  CHECK_LEAST (test, n, 50);
  CHECK_MOST (test, n, MANY - 1);
}

static void
send_fails_for_a_while (SimTest *test)
{
  uint64_t n = 1;

  while (!test->failed && n < MANY && send_run (test, n, 40))
    n += 7;
  CHECK_LEAST (test, n, 50);
  CHECK_MOST (test, n, MANY - 1);
}

/* ---- an end in the middle of things ---- */

/* Freed with messages unread, half there, unsent and being repeated. */
static void
freed_midway (SimTest *test)
{
  for (UdtTime at = 0; at < 300 * SIM_MS; at += 7 * SIM_MS) {
    SimConfig config;
    SimSourceConfig source;
    Sim *sim;

    sim_config_init (&config);
    config.link[0].loss = config.link[1].loss = 0.1;
    sim = sim_new (&config, test->seed);
    sim_connect (sim);
    for (unsigned i = 0; i < 2 && !sim->failed; i++) {
      sim_source_bulk (&source, 1, 3000000);
      sim_source_add (sim, i, &source);
      sim_source_video (&source, 2, 4000000);
      sim_source_add (sim, i, &source);
      sim->peer[i].reading = false;
    }
    sim_run_for (sim, at);
    sim_abandon (sim);
    sim_test_end (test, sim);
  }
}

/* Flows closed amid their messages and opened again, thirty times over. */
static void
flows_reopened (SimTest *test)
{
  SimConfig config;
  SimFlow *flows[2];
  uint64_t resets[2];
  Sim *sim;

  sim_config_init (&config);
  config.link[0].loss = config.link[1].loss = 0.05;
  sim = sim_new (&config, test->seed);
  sim_connect (sim);
  flows[0] = sim_flow_open (sim, 0, 9, &reliable);
  flows[1] = sim_flow_open (sim, 1, 9, &live);
  for (unsigned round = 0; round < 30 && !sim->failed; round++) {
    for (unsigned i = 0; i < 20; i++)
      for (unsigned j = 0; j < 2; j++)
        sim_flow_send (flows[j], 100 + i * 700, UDT_MESSAGE_SYNC);
    sim_run_for (sim, round * 5 * SIM_MS);
    for (unsigned j = 0; j < 2; j++)
      resets[j] = sim->peer[j].resets;
    for (unsigned j = 0; j < 2 && !sim->failed; j++)
      sim_flow_close (flows[j]);
    sim_run_for (sim, 2 * SIM_SECOND);
    /* Who has seen the flow learns that it is closed, opened again or not. */
    for (unsigned j = 0; j < 2 && round >= 10; j++)
      CHECK_EQUAL (test, sim->peer[j].resets, resets[j] + 1);
    for (unsigned j = 0; j < 2 && !sim->failed; j++)
      sim_flow_reopen (flows[j]);
  }
  for (unsigned j = 0; j < 2 && !sim->failed; j++)
    sim_flow_send (flows[j], 5000, UDT_MESSAGE_SYNC);
  CHECK_LEAST (test, sim->peer[0].resets, 25);
  CHECK_LEAST (test, sim->peer[1].resets, 25);
  sim_finish (sim);
  CHECK_EQUAL (test, flows[0]->delivered, 1);
  sim_test_end (test, sim);
}

static const SimCase cases[] = {
  { "fault-allocation-fails-once", allocation_fails_once },
  { "fault-allocation-fails-from", allocation_fails_from },
  { "fault-growth-fails", growth_fails, 3 },
  { "fault-send-fails-once", send_fails_once },
  { "fault-send-fails-for-a-while", send_fails_for_a_while },
  { "fault-freed-midway", freed_midway },
  { "fault-flows-reopened", flows_reopened, 3 },
  { NULL },
};

int
main (int argc, char **argv)
{
  const SimCase *const tables[] = { cases, NULL };

  return sim_test_main (argc, argv, tables);
}
