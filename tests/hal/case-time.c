/* Time and load.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <pthread.h>
#include <stdlib.h>

#include "harness.h"
#include "unit/check.h"

/* --- Time --------------------------------------------------------------- */

static void
test_clock (void)
{
  HalContext *context = open_context ();
  HalStreamConfig config = stream_config (HAL_CODEC_H264);
  HalStream *stream = open_stream (context, &config);
  uint64_t now = 0, last = 0;
  HalError error;
  Taken taken;
  unsigned i;

  for (i = 0; stream != NULL && i < 20 && CHECK (take (stream, &taken)); i++) {
    CHECK_EQ (hal_context_clock (context, &now, &error), HAL_OK);
    CHECK (now >= last);
    /* The frame is of the recent past of this very clock. */
    CHECK (taken.frame.pts <= now);
    CHECK (now - taken.frame.pts < 5 * HAL_SECOND);
    last = now;
  }
  CHECK (stream != NULL);
  hal_stream_destroy (stream);
  hal_context_release (context);
}

static void
test_counter_wraps (void)
{
  SimControl *sim = target_sim ();
  HalStream *stream;
  uint64_t last = 0;
  Taken taken;
  unsigned i;

  /* Half a second before 2^32 us. */
  sim->wrap32 = true;
  sim->clock_us = (UINT64_C (1) << 32) - 500000;
  stream = NULL;
  {
    HalContext *context = open_context ();
    HalStreamConfig config = stream_config (HAL_CODEC_H264);

    sim->advance (sim->clock_us);
    stream = open_stream (context, &config);
    for (i = 0; stream != NULL && i < 50 && CHECK (take (stream, &taken));
         i++) {
      if (i > 0)
        CHECK_EQ (taken.frame.pts - last, 40 * HAL_MSECOND);
      last = taken.frame.pts;
    }
    CHECK (stream != NULL);
    hal_stream_destroy (stream);
    hal_context_release (context);
  }
}

static void
test_jumps (void)
{
  SimControl *sim = target_sim ();
  HalContext *context = open_context ();
  HalStreamConfig config = stream_config (HAL_CODEC_H264);
  HalStream *stream;
  uint64_t now, last = 0;
  HalError error;
  Taken taken;
  unsigned i;

  sim->advance (100000000);
  stream = open_stream (context, &config);
  for (i = 0; stream != NULL && i < 30 && CHECK (take (stream, &taken)); i++) {
    int64_t step = (int64_t)(taken.frame.pts - last);

    /* A jump is passed on as it is, and the clock jumped with it. */
    if (i == 11)
      CHECK (step > (int64_t)(3 * HAL_SECOND));
    else if (i == 21)
      CHECK (step < -(int64_t)(3 * HAL_SECOND));
    else if (i > 0)
      CHECK_EQ (step, 40 * HAL_MSECOND);
    CHECK_EQ (hal_context_clock (context, &now, &error), HAL_OK);
    CHECK (now - taken.frame.pts < HAL_SECOND);
    last = taken.frame.pts;
    if (i == 10)
      atomic_store (&sim->jump_us, 5000000);
    if (i == 20)
      atomic_store (&sim->jump_us, -5000000);
  }
  CHECK (stream != NULL);
  hal_stream_destroy (stream);
  hal_context_release (context);
}

/* --- Load --------------------------------------------------------------- */

#define N_CYCLES 1000

static void
test_cycles (void)
{
  unsigned n = target_sim () != NULL ? N_CYCLES : 10;
  HalStream *stream = open_all (HAL_CODEC_H264);
  unsigned fds, i;
  Taken taken;

  if (!CHECK (stream != NULL))
    return;
  close_all (stream);
  fds = count_fds ();
  for (i = 0; i < n; i++) {
    stream = open_all (HAL_CODEC_H264);
    if (!CHECK (stream != NULL))
      return;
    if (i % 3 != 0)
      CHECK (take (stream, &taken));
    if (i % 5 == 0) {
      hal_stream_stop (stream);
      CHECK_EQ (hal_stream_start (stream, NULL), HAL_OK);
      CHECK (take (stream, &taken) && taken.frame.key);
    }
    close_all (stream);
  }
  CHECK_EQ (count_fds (), fds);
}

typedef struct
{
  HalStream *stream;
  unsigned frames;
  bool bad;
} Reader;

static void *
reader_thread (void *data)
{
  Reader *reader = data;
  HalFrame frame;

  while (reader->frames < 200) {
    if (hal_stream_get_frame (reader->stream, PATIENCE, &frame, NULL)
        != HAL_OK) {
      reader->bad = true;
      break;
    }
    reader->frames++;
    if (hal_stream_release_frame (reader->stream, NULL) != HAL_OK)
      reader->bad = true;
  }
  return NULL;
}

static void
test_streams_together (void)
{
  HalContext *context = open_context ();
  Reader readers[4] = { { 0 } };
  pthread_t threads[4];
  unsigned i, k;

  for (i = 0; i < 4; i++) {
    HalStreamConfig config = stream_config (HAL_CODEC_H264);

    config.id = i;
    readers[i].stream = open_stream (context, &config);
    if (!CHECK (readers[i].stream != NULL))
      return;
  }
  for (i = 0; i < 4; i++)
    pthread_create (&threads[i], NULL, reader_thread, &readers[i]);
  /* Settings change while all of them read. */
  for (k = 0; k < 200; k++) {
    HalStreamConfig config = stream_config (HAL_CODEC_H264);

    config.bitrate = 500000 + k * 10000;
    CHECK_EQ (hal_stream_set (readers[k % 4].stream, &config, HAL_SET_BITRATE,
                              NULL),
              HAL_OK);
    hal_stream_request_idr (readers[k % 4].stream, NULL);
  }
  for (i = 0; i < 4; i++) {
    pthread_join (threads[i], NULL);
    CHECK (!readers[i].bad);
    CHECK_EQ (readers[i].frames, 200);
    hal_stream_destroy (readers[i].stream);
  }
  hal_context_release (context);
}

static const ConformanceCase cases[] = {
  { "clock", test_clock, HAL_CAP_CLOCK },
  { "counter-wraps", test_counter_wraps, SIM },
  { "jumps", test_jumps, SIM | HAL_CAP_CLOCK },
  { "cycles", test_cycles, 0 },
  { "streams-together", test_streams_together, SIM },
};

const ConformanceGroup conformance_time
    = { cases, sizeof cases / sizeof cases[0], &check_failures };
