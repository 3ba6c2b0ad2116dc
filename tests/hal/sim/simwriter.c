/* Bits into bytes.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "simwriter.h"

#include <pthread.h>

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

typedef struct
{
  uint8_t *data;
  size_t allocated;
} Memory;

static void
free_memory (void *data)
{
  Memory *memory = data;

  free (memory->data);
  free (memory);
}

static void
make_key (void)
{
  pthread_key_create (&key, free_memory);
}

static Memory *
my_memory (void)
{
  Memory *memory;

  pthread_once (&once, make_key);
  memory = pthread_getspecific (key);
  if (memory == NULL) {
    memory = calloc (1, sizeof *memory);
    if (memory == NULL)
      abort ();
    pthread_setspecific (key, memory);
  }
  return memory;
}

static void
reserve (SimWriter *writer, size_t bytes)
{
  Memory *memory = my_memory ();
  size_t need = writer->bits / 8 + bytes + 8;

  if (memory->allocated < need) {
    memory->allocated = need * 2;
    memory->data = realloc (memory->data, memory->allocated);
    if (memory->data == NULL)
      abort ();
  }
  writer->data = memory->data;
  writer->allocated = memory->allocated;
}

void
sim_writer_init (SimWriter *writer)
{
  writer->bits = 0;
  reserve (writer, 64);
}

void
sim_put (SimWriter *writer, uint32_t value, unsigned n)
{
  if (writer->bits / 8 + 8 > writer->allocated)
    reserve (writer, 8);
  while (n-- > 0) {
    size_t at = writer->bits++;

    if (at % 8 == 0)
      writer->data[at / 8] = 0;
    writer->data[at / 8] |= (uint8_t)(((value >> n) & 1) << (7 - at % 8));
  }
}

void
sim_put_ue (SimWriter *writer, uint32_t value)
{
  unsigned length = 0;

  while ((value + 1) >> (length + 1) != 0)
    length++;
  sim_put (writer, 0, length);
  sim_put (writer, value + 1, length + 1);
}

void
sim_put_se (SimWriter *writer, int32_t value)
{
  sim_put_ue (writer,
              value > 0 ? (uint32_t)value * 2 - 1 : (uint32_t)-value * 2);
}

void
sim_put_bytes (SimWriter *writer, uint8_t value, size_t n)
{
  reserve (writer, n);
  memset (writer->data + writer->bits / 8, value, n);
  writer->bits += n * 8;
}

size_t
sim_writer_finish (SimWriter *writer)
{
  while (writer->bits % 8 != 0)
    sim_put (writer, 0, 1);
  return writer->bits / 8;
}
