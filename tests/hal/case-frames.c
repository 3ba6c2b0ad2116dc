/* Frames: their shapes, faults that pass and faults that last, waiting.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <pthread.h>
#include <stdlib.h>

#include "harness.h"
#include "unit/check.h"

/* --- Frames ------------------------------------------------------------ */

/* Every NAL unit of a frame is whole, and says what it should. n: the frame's
 * number, of which 0 is a keyframe. */
static void
check_unit (HalCodec codec, const Taken *taken, unsigned n)
{
  size_t position = 0;
  bool vcl = false, sps_seen = false;
  HalNal nal;
  HalSps sps;

  if (codec == HAL_CODEC_JPEG) {
    CHECK (taken->size > 4 && taken->data[0] == 0xff && taken->data[1] == 0xd8);
    CHECK (taken->data[taken->size - 2] == 0xff
           && taken->data[taken->size - 1] == 0xd9);
    return;
  }
  while (hal_nal_next (codec, taken->data, taken->size, &position, &nal)) {
    CHECK (nal.size > 1);
    if (hal_nal_is_vcl (codec, nal.type)) {
      CHECK_EQ (hal_nal_is_key (codec, nal.type), taken->frame.key);
      vcl = true;
    } else if (hal_nal_is_sps (codec, nal.type)) {
      HalStreamConfig config = stream_config (codec);

      sps_seen = true;
      if (CHECK (hal_sps_parse (codec, nal.data, nal.size, &sps))) {
        CHECK_EQ (sps.width, config.width);
        CHECK_EQ (sps.height, config.height);
      }
    }
  }
  CHECK (vcl);
  if (n == 0)
    CHECK (taken->frame.key && sps_seen);
}

static void
run_frames (HalCodec codec, unsigned n)
{
  HalStream *stream = open_all (codec);
  uint64_t last = 0;
  Taken taken;
  unsigned i;

  if (!CHECK (stream != NULL))
    return;
  for (i = 0; i < n && CHECK (take (stream, &taken)); i++) {
    check_unit (codec, &taken, i);
    if (i > 0)
      CHECK (taken.frame.pts > last);
    last = taken.frame.pts;
  }
  close_all (stream);
}

static void
test_frames (void)
{
  unsigned i;

  for (i = 0; i < N_CODECS; i++) {
    if (has_codec (conformance_codecs[i]))
      run_frames (conformance_codecs[i], 30);
  }
}

/* A held frame is not given twice, and is given back by a stop. */
static void
test_release (void)
{
  HalStream *stream = open_all (HAL_CODEC_H264);
  HalStreamStats stats;
  HalFrame frame;
  HalError error;

  if (!CHECK (stream != NULL))
    return;
  CHECK_EQ (hal_stream_release_frame (stream, &error), HAL_INVALID);
  CHECK_EQ (hal_stream_get_frame (stream, PATIENCE, &frame, &error), HAL_OK);
  CHECK_EQ (hal_stream_get_frame (stream, PATIENCE, &frame, &error),
            HAL_INVALID);
  hal_stream_get_stats (stream, &stats);
  CHECK_EQ (stats.held, 1);
  hal_stream_stop (stream);
  hal_stream_get_stats (stream, &stats);
  CHECK_EQ (stats.held, 0);
  CHECK_EQ (hal_stream_start (stream, &error), HAL_OK);
  CHECK_EQ (hal_stream_get_frame (stream, PATIENCE, &frame, &error), HAL_OK);
  close_all (stream);
}

static void
test_shapes (void)
{
  static const unsigned slices[] = { 1, 2, 9, 21 };
  SimControl *sim = target_sim ();
  unsigned shape, i;

  for (shape = 0; shape < 16; shape++) {
    sim->reset ();
    sim->short_start_codes = shape & 1;
    sim->bundle = (shape & 2) != 0;
    sim->slices = slices[shape / 4];
    for (i = 0; i < 2; i++) {
      if (has_codec (conformance_codecs[i]))
        run_frames (conformance_codecs[i], 12);
    }
    CHECK (is_clean ());
  }
}

/* The end of the ring goes through every byte of the first NAL units, start
 * codes and headers included. */
static void
test_ring (void)
{
  SimControl *sim = target_sim ();
  HalStream *stream = open_all (HAL_CODEC_H264);
  Taken taken;
  unsigned i;

  if (!CHECK (stream != NULL))
    return;
  for (i = 1; i < 120; i++) {
    sim->wrap_at = i;
    hal_stream_request_idr (stream, NULL);
    if (!CHECK (take (stream, &taken)))
      break;
    if (i > 1)
      CHECK (taken.frame.key);
    check_unit (HAL_CODEC_H264, &taken, taken.frame.key ? 0 : 1);
  }
  close_all (stream);
}

static void
test_grown_structures (void)
{
  target_sim ()->grow = 48;
  run_frames (HAL_CODEC_H264, 30);
}

/* --- Faults that pass --------------------------------------------------- */

static void
test_empty_wakeups (void)
{
  HalStream *stream = open_all (HAL_CODEC_H264);
  HalStreamStats stats;
  Taken taken;
  unsigned i;

  if (!CHECK (stream != NULL))
    return;
  for (i = 0; i < 10; i++) {
    atomic_store (&target_sim ()->empty_wakeups, i);
    CHECK (take (stream, &taken));
  }
  hal_stream_get_stats (stream, &stats);
  CHECK (stats.empty_wakeups >= 9);
  CHECK_EQ (stats.frames, 10);
  close_all (stream);
}

static void
test_interrupted_calls (void)
{
  HalStream *stream = open_all (HAL_CODEC_H264);
  HalStreamStats stats;
  Taken taken;
  unsigned i;

  if (!CHECK (stream != NULL))
    return;
  for (i = 0; i < 10; i++) {
    atomic_store (&target_sim ()->eintr, 3);
    CHECK (take (stream, &taken));
  }
  /* A signal is no failure. */
  hal_stream_get_stats (stream, &stats);
  CHECK_EQ (stats.vendor_errors, 0);
  close_all (stream);
}

static void
test_passing_failures (void)
{
  HalStream *stream = open_all (HAL_CODEC_H264);
  HalStreamStats stats;
  Taken taken;

  if (!CHECK (stream != NULL))
    return;
  CHECK (take (stream, &taken));
  atomic_store (&target_sim ()->get_failures, 6);
  CHECK (take (stream, &taken));
  hal_stream_get_stats (stream, &stats);
  CHECK_EQ (stats.vendor_errors, 6);
  /* Frames of no bytes are left out, and released. */
  atomic_store (&target_sim ()->zero_frames, 3);
  CHECK (take (stream, &taken));
  CHECK (taken.size > 0);
  /* So are single ones that are no bitstream. */
  atomic_store (&target_sim ()->garbage, 2);
  CHECK (take (stream, &taken));
  check_unit (HAL_CODEC_H264, &taken, 1);
  close_all (stream);
}

/* --- Faults that last --------------------------------------------------- */

static void
test_lasting_failures (void)
{
  HalStream *stream = open_all (HAL_CODEC_H264);
  HalError error = { 0 };
  HalFrame frame;

  if (!CHECK (stream != NULL))
    return;
  atomic_store (&target_sim ()->get_failures, 1000000);
  CHECK_EQ (hal_stream_get_frame (stream, PATIENCE, &frame, &error),
            HAL_VENDOR);
  CHECK (error.code != 0 && error.call[0] != '\0');
  CHECK (strstr (error.text, error.call) != NULL);
  close_all (stream);
}

static void
test_garbage (void)
{
  HalStream *stream = open_all (HAL_CODEC_H264);
  HalError error = { 0 };
  HalFrame frame;

  if (!CHECK (stream != NULL))
    return;
  atomic_store (&target_sim ()->garbage, 1000000);
  CHECK_EQ (hal_stream_get_frame (stream, PATIENCE, &frame, &error),
            HAL_INSANE);
  close_all (stream);
}

static void
test_insane_structures (void)
{
  HalStream *stream = open_all (HAL_CODEC_H264);
  HalError error = { 0 };
  HalFrame frame;

  if (!CHECK (stream != NULL))
    return;
  atomic_store (&target_sim ()->insane, 1000000);
  CHECK_EQ (hal_stream_get_frame (stream, PATIENCE, &frame, &error),
            HAL_INSANE);
  CHECK (error.hint[0] != '\0');
  close_all (stream);
}

static void
test_sensor_stops (void)
{
  HalStream *stream;
  HalError error;
  HalFrame frame;
  Taken taken;
  unsigned i;

  target_sim ()->stop_after = 5;
  stream = open_all (HAL_CODEC_H264);
  if (!CHECK (stream != NULL))
    return;
  for (i = 0; i < 5; i++)
    CHECK (take (stream, &taken));
  CHECK_EQ (hal_stream_get_frame (stream, 30 * HAL_MSECOND, &frame, &error),
            HAL_TIMEOUT);
  close_all (stream);
}

/* Unplugged, or the driver unloaded: that cannot pass, and is said at once. */
static void
test_device_gone (void)
{
  HalStream *stream = open_all (HAL_CODEC_H264);
  HalError error = { 0 };
  HalStatus status;
  HalFrame frame;
  Taken taken;

  if (!CHECK (stream != NULL))
    return;
  CHECK (take (stream, &taken));
  atomic_store (&target_sim ()->get_errno, target->gone.number);
  atomic_store (&target_sim ()->get_code, target->gone.code);
  /* What was read ahead is still good. */
  while ((status = hal_stream_get_frame (stream, PATIENCE, &frame, &error))
         == HAL_OK)
    hal_stream_release_frame (stream, NULL);
  CHECK_EQ (status, target->gone.status);
  if (!CHECK (strstr (error.text, target->gone.words) != NULL
              && strstr (error.text, error.call) != NULL
              && error.hint[0] != '\0'))
    printf ("# %s (%s)\n", error.text, error.hint);
  atomic_store (&target_sim ()->get_code, 0);
  close_all (stream);
}

/* --- Waiting ------------------------------------------------------------ */

static void *
interrupt_thread (void *data)
{
  hal_stream_interrupt (data, true);
  return NULL;
}

static void
test_interrupt (void)
{
  HalStream *stream;
  pthread_t thread;
  HalError error;
  HalFrame frame;
  Taken taken;

  if (target_sim () != NULL)
    target_sim ()->stop_after = 1;
  stream = open_all (HAL_CODEC_H264);
  if (!CHECK (stream != NULL))
    return;
  CHECK (take (stream, &taken));
  pthread_create (&thread, NULL, interrupt_thread, stream);
  /* Without the interrupt this waits for ever, so that the test would not
   * end. A real source may have frames before it comes. */
  while (hal_stream_get_frame (stream, UINT64_MAX, &frame, &error) == HAL_OK)
    hal_stream_release_frame (stream, NULL);
  pthread_join (thread, NULL);
  CHECK_EQ (hal_stream_get_frame (stream, UINT64_MAX, &frame, &error),
            HAL_INTERRUPTED);
  hal_stream_interrupt (stream, false);
  if (target_sim () != NULL)
    target_sim ()->stop_after = 0;
  else
    CHECK (take (stream, &taken));
  close_all (stream);
}

static void
test_slow_reader (void)
{
  SimControl *sim = target_sim ();
  HalStream *stream;
  Taken taken;
  unsigned i;

  sim->mode = SIM_MANUAL;
  stream = open_all (HAL_CODEC_H264);
  if (!CHECK (stream != NULL))
    return;
  /* Two seconds pass without a reader; what was lost is lost, the rest is
   * whole, and new frames come. */
  sim->advance (2000000);
  CHECK (sim->overruns > 0);
  for (i = 0; i < SIM_SLOTS; i++) {
    CHECK (take (stream, &taken));
    check_unit (HAL_CODEC_H264, &taken, i);
  }
  sim->advance (40000);
  CHECK (take (stream, &taken));
  check_unit (HAL_CODEC_H264, &taken, 1);
  close_all (stream);
}

static const ConformanceCase cases[] = {
  { "frames", test_frames, 0 },
  { "release", test_release, 0 },
  { "shapes", test_shapes, SIM },
  { "ring", test_ring, SIM | HAL_CAP_RING },
  { "grown-structures", test_grown_structures, SIM },
  { "empty-wakeups", test_empty_wakeups, SIM },
  { "interrupted-calls", test_interrupted_calls, SIM },
  { "passing-failures", test_passing_failures, SIM },
  { "lasting-failures", test_lasting_failures, SIM },
  { "garbage", test_garbage, SIM },
  { "insane-structures", test_insane_structures, SIM },
  { "sensor-stops", test_sensor_stops, SIM },
  { "device-gone", test_device_gone, SIM },
  { "interrupt", test_interrupt, 0 },
  { "slow-reader", test_slow_reader, SIM },
};

const ConformanceGroup conformance_frames
    = { cases, sizeof cases / sizeof cases[0], &check_failures };
