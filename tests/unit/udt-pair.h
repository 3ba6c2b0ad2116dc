/* Two connections with a wire between them that the test holds in its hands:
 * nothing moves unless it says so. For tests of what one call does; whole
 * networks are the simulator's.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef UDT_PAIR_H
#define UDT_PAIR_H

#include "check.h"
#include "udt.h"

#include <stdlib.h>

#define PAIR_QUEUE 4096
#define PAIR_MS 1000u
#define PAIR_HEAD 16 /* before each block: its size */
/* With a number of a call: that one and all after it fail. */
#define PAIR_FAIL_FOR_EVER ((size_t)1 << 30)

typedef struct
{
  uint8_t data[UDT_MAX_PACKET];
  size_t len;
  UdtTime due;
} PairPacket;

typedef struct
{
  size_t blocks;  /* allocated and not freed */
  size_t bytes;   /* of these, and the most at a time */
  size_t most_bytes;
  size_t calls;   /* of alloc */
  size_t fail_at; /* that call fails; 0: none */
} PairMemory;

typedef struct
{
  UdtConnection *conn[2];
  PairMemory memory;
  UdtTime now, delay;
  PairPacket *queue[2]; /* towards end 0, end 1 */
  size_t head[2], tail[2];
  bool cut[2];            /* what end i sends is lost */
  unsigned lose_every[2]; /* of what end i sends */
  unsigned sent[2];
  unsigned released;
  UdtEvent last[2][UDT_EVENT_DEAD + 1];
  unsigned events[2][UDT_EVENT_DEAD + 1];
} Pair;

static void *
pair_alloc (void *user, size_t size)
{
  PairMemory *memory = user;
  size_t fail_at = memory->fail_at & ~PAIR_FAIL_FOR_EVER;
  size_t *head;

  if (++memory->calls == fail_at
      || (memory->fail_at != fail_at && memory->calls > fail_at))
    return NULL;
  head = malloc (PAIR_HEAD + size);
  if (head == NULL)
    return NULL;
  *head = size;
  memory->blocks++;
  memory->bytes += size;
  if (memory->bytes > memory->most_bytes)
    memory->most_bytes = memory->bytes;
  return (uint8_t *)head + PAIR_HEAD;
}

static void
pair_free (void *user, void *block)
{
  PairMemory *memory = user;

  size_t *head = (size_t *)((uint8_t *)block - PAIR_HEAD);

  memory->blocks--;
  memory->bytes -= *head;
  free (head);
}

static uint64_t
pair_random (void *user)
{
  return 4;
}

/* A checksum under a key: altered packets are noticed, nothing is hidden. */
static uint64_t
pair_sum (uint64_t number, const uint8_t *aad, size_t aad_len,
          const uint8_t *data, size_t len)
{
  uint64_t sum = number * 0x9e3779b97f4a7c15u + 1;

  for (size_t i = 0; i < aad_len; i++)
    sum = (sum ^ aad[i]) * 0x100000001b3u;
  for (size_t i = 0; i < len; i++)
    sum = (sum ^ data[i]) * 0x100000001b3u;
  return sum;
}

static bool
pair_seal (void *user, uint64_t number, const uint8_t *aad, size_t aad_len,
           uint8_t *data, size_t len)
{
  uint64_t sum = pair_sum (number, aad, aad_len, data, len);

  memset (data + len, 0, UDT_TAG_SIZE);
  memcpy (data + len, &sum, sizeof sum);
  return true;
}

static bool
pair_open (void *user, uint64_t number, const uint8_t *aad, size_t aad_len,
           uint8_t *data, size_t len)
{
  uint64_t sum = pair_sum (number, aad, aad_len, data, len - UDT_TAG_SIZE);

  return memcmp (&sum, data + len - UDT_TAG_SIZE, sizeof sum) == 0;
}

static inline UdtEnv
pair_env (Pair *pair)
{
  return (UdtEnv){ .user = &pair->memory,
                   .alloc = pair_alloc,
                   .free = pair_free,
                   .random = pair_random,
                   .seal = pair_seal,
                   .open = pair_open };
}

/* False: an allocation failed. */
static inline bool
pair_init (Pair *pair, const UdtConfig *config, size_t fail_at)
{
  UdtConfig c = *config;
  UdtEnv env;

  memset (pair, 0, sizeof *pair);
  pair->memory.fail_at = fail_at;
  pair->now = 1000000;
  pair->delay = 10 * PAIR_MS;
  env = pair_env (pair);
  for (unsigned i = 0; i < 2; i++) {
    c.local_id = i + 1;
    c.remote_id = 2 - i;
    pair->queue[i] = malloc (PAIR_QUEUE * sizeof *pair->queue[i]);
    pair->conn[i] = udt_connection_new (&c, &env, pair->now);
  }
  return pair->conn[0] != NULL && pair->conn[1] != NULL;
}

static inline void
pair_clear (Pair *pair)
{
  for (unsigned i = 0; i < 2; i++) {
    udt_connection_free (pair->conn[i]);
    free (pair->queue[i]);
  }
  CHECK_EQ (pair->memory.blocks, 0);
}

/* Everything that end `i` has to say now goes onto the wire. */
static inline unsigned
pair_flush (Pair *pair, unsigned i)
{
  unsigned n = 0;

  for (;;) {
    PairPacket *p = &pair->queue[!i][pair->tail[!i] % PAIR_QUEUE];

    p->len = udt_connection_output (pair->conn[i], p->data, UDT_MAX_PACKET,
                                    pair->now);
    if (p->len == 0)
      return n;
    n++;
    pair->sent[i]++;
    if (pair->cut[i]
        || (pair->lose_every[i] && pair->sent[i] % pair->lose_every[i] == 0))
      continue;
    p->due = pair->now + pair->delay;
    if (CHECK (pair->tail[!i] - pair->head[!i] < PAIR_QUEUE))
      pair->tail[!i]++;
  }
}

static inline void
pair_events (Pair *pair, unsigned i)
{
  UdtEvent event;

  while (udt_connection_event (pair->conn[i], &event) == UDT_OK) {
    pair->events[i][event.type]++;
    pair->last[i][event.type] = event;
  }
}

static inline void
pair_service (Pair *pair, unsigned i)
{
  PairPacket *p;

  while (pair->head[i] < pair->tail[i]
         && (p = &pair->queue[i][pair->head[i] % PAIR_QUEUE])->due
                <= pair->now) {
    pair->head[i]++;
    udt_connection_input (pair->conn[i], p->data, p->len, pair->now);
  }
  udt_connection_tick (pair->conn[i], pair->now);
  pair_events (pair, i);
  pair_flush (pair, i);
  pair_events (pair, i);
}

static inline UdtTime
pair_next (const Pair *pair)
{
  UdtTime next = UDT_NEVER;

  for (unsigned i = 0; i < 2; i++) {
    UdtTime time = udt_connection_next_time (pair->conn[i]);

    if (time < next)
      next = time;
    if (pair->head[i] < pair->tail[i]
        && pair->queue[i][pair->head[i] % PAIR_QUEUE].due < next)
      next = pair->queue[i][pair->head[i] % PAIR_QUEUE].due;
  }
  return next;
}

/* Lets `time` pass. Each step must get somewhere. */
static inline void
pair_run (Pair *pair, UdtTime time)
{
  UdtTime end = pair->now + time, next;
  unsigned stuck = 0;

  for (;;) {
    pair_service (pair, 0);
    pair_service (pair, 1);
    next = pair_next (pair);
    if (next > end)
      break;
    stuck = next > pair->now ? 0 : stuck + 1;
    if (!CHECK (stuck < 100))
      break;
    if (next > pair->now)
      pair->now = next;
  }
  pair->now = end;
}

static inline void
pair_count_release (void *owner)
{
  ++*(unsigned *)owner;
}

static const uint8_t pair_payload[1 << 20];

/* A message of zeros from end 0. */
static inline UdtStatus
pair_send (Pair *pair, uint16_t flow, size_t size, unsigned flags)
{
  UdtMessage message = { .payload = pair_payload,
                         .payload_len = size,
                         .owner = &pair->released,
                         .release = pair_count_release,
                         .flags = flags };

  return udt_connection_send (pair->conn[0], flow, &message, pair->now);
}

/* The next message at end `i`; its data is freed. */
static inline bool
pair_receive (Pair *pair, unsigned i, UdtReceived *message)
{
  if (udt_connection_receive (pair->conn[i], message, pair->now) != UDT_OK)
    return false;
  pair_free (&pair->memory, message->data);
  message->data = NULL;
  return true;
}

#endif /* UDT_PAIR_H */
