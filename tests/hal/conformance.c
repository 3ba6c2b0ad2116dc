/* The conformance suite: cases and which of them apply to a target.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <pthread.h>
#include <stdlib.h>

#include "harness.h"
#include "unit/check.h"

static const HalCodec codecs[] = { HAL_CODEC_H264, HAL_CODEC_H265,
  HAL_CODEC_JPEG };
#define N_CODECS 3

static uint32_t
target_caps (void)
{
  static uint32_t caps;
  HalContext *context;

  if (caps == 0) {
    context = open_context ();
    if (context != NULL)
      caps = hal_context_info (context)->caps;
    hal_context_release (context);
  }
  return caps;
}

static bool
has_codec (HalCodec codec)
{
  static const uint32_t bits[] = { HAL_CAP_H264, HAL_CAP_H265, HAL_CAP_JPEG };

  return (target_caps () & bits[codec]) != 0;
}

/* After each case: whatever was done, it was done in the vendor's order and
 * nothing is left. */
static void
check_clean (void)
{
  SimControl *sim = target_sim ();

  if (sim == NULL)
    return;
  CHECK_EQ (sim->gets, sim->releases);
  CHECK_EQ (sim->audio_gets, sim->audio_releases);
  CHECK_EQ (sim->creates, sim->destroys);
  CHECK_EQ (sim->inits, sim->exits);
  CHECK_EQ (sim->order_errors, 0);
  CHECK_EQ (sim->double_inits, 0);
  CHECK_EQ (sim->dirty, 0);
}

/* --- Opening ---------------------------------------------------------- */

static void
test_probe (void)
{
  HalEnv env = target_env ();
  HalInfo info = { 0 };
  HalError error = { 0 };

  CHECK_EQ (hal_probe (target->family, &env, &info, &error), HAL_OK);
  CHECK_STR (info.family, hal_family_name (target->family));
  CHECK (info.caps != 0);
  /* It only looks. */
  if (target_sim () != NULL)
    CHECK_EQ (target_sim ()->inits, 0);
}

static void
test_share (void)
{
  HalEnv env = target_env ();
  HalContext *a = open_context (), *b = open_context (), *c = NULL;
  HalError error = { 0 };

  CHECK (a != NULL && a == b);
  if (target->directory != NULL) {
    env.library_path = "/somewhere/else";
    CHECK_EQ (hal_context_acquire (target->family, &env, NULL, &c, &error),
        HAL_BUSY);
    CHECK (strstr (error.text, target_path ()) != NULL);
    CHECK (c == NULL);
  }
  hal_context_release (b);
  /* Still good with one reference. */
  CHECK (a != NULL && hal_context_info (a)->caps != 0);
  hal_context_release (a);
  a = open_context ();
  CHECK (a != NULL);
  hal_context_release (a);
}

static void
test_missing_library (void)
{
  HalEnv env = { .library_path = "/nonexistent", .root = "/nonexistent" };
  HalContext *context = NULL;
  HalError error = { 0 };
  HalInfo info;

  CHECK_EQ (hal_context_acquire (target->family, &env, NULL, &context, &error),
      HAL_NOT_FOUND);
  CHECK (strstr (error.text, target->needed_library) != NULL);
  CHECK (strstr (error.text, "/nonexistent") != NULL);
  CHECK (error.hint[0] != '\0');
  CHECK_EQ (hal_probe (target->family, &env, &info, &error), HAL_NO_DEVICE);
}

static void
test_newer_version (void)
{
  HalStream *stream;
  Taken taken;
  unsigned i;

  snprintf (target_sim ()->version, sizeof target_sim ()->version, "%s",
      target->newer_version);
  stream = open_all (HAL_CODEC_H264);
  CHECK (stream != NULL);
  for (i = 0; stream != NULL && i < 20; i++)
    CHECK (take (stream, &taken));
  if (stream != NULL)
    close_all (stream);
}

static void
test_foreign_version (void)
{
  HalEnv env = target_env ();
  HalContext *context = NULL;
  HalError error = { 0 };

  snprintf (target_sim ()->version, sizeof target_sim ()->version, "%s",
      target->foreign_version);
  CHECK_EQ (hal_context_acquire (target->family, &env, NULL, &context, &error),
      HAL_BAD_VERSION);
  CHECK (strstr (error.text, target->foreign_version) != NULL);
  hal_context_release (context);
}

/* --- Settings that cannot be ------------------------------------------ */

static HalStatus
try_config (HalContext *context, const HalStreamConfig *config,
    HalError *error)
{
  HalStream *stream = NULL;
  HalStatus status = hal_stream_create (context, config, &stream, error);

  hal_stream_destroy (stream);
  return status;
}

static void
test_bad_settings (void)
{
  HalContext *context = open_context ();
  HalError error = { 0 };
  HalStreamConfig config = stream_config (HAL_CODEC_H264);

  if (!CHECK (context != NULL))
    return;
  config.bitrate = 12;
  CHECK_EQ (try_config (context, &config, &error), HAL_INVALID);
  CHECK (strstr (error.text, "12 bit/s: did you mean kbit/s?") != NULL);
  config = stream_config (HAL_CODEC_H264);
  config.gop = 0;
  CHECK_EQ (try_config (context, &config, &error), HAL_INVALID);
  config = stream_config (HAL_CODEC_H264);
  config.fps_den = 0;
  CHECK_EQ (try_config (context, &config, &error), HAL_INVALID);
  config = stream_config (HAL_CODEC_H264);
  config.qp_min = 40;
  config.qp_max = 30;
  CHECK_EQ (try_config (context, &config, &error), HAL_INVALID);
  config = stream_config (HAL_CODEC_H264);
  config.rate_control = HAL_RC_VBR;
  config.max_bitrate = config.bitrate / 2;
  CHECK_EQ (try_config (context, &config, &error), HAL_INVALID);
  config = stream_config (HAL_CODEC_H264);
  config.id = 1000;
  CHECK_EQ (try_config (context, &config, &error), HAL_INVALID);
  config = stream_config (HAL_CODEC_JPEG);
  config.jpeg_quality = 0;
  CHECK_EQ (try_config (context, &config, &error), HAL_INVALID);
  hal_context_release (context);
}

static void
test_resources (void)
{
  HalContext *context = open_context ();
  HalStreamConfig config = stream_config (HAL_CODEC_H264);
  HalError error = { 0 };

  atomic_store (&target_sim ()->refuse_creates, 1);
  CHECK_EQ (try_config (context, &config, &error), HAL_NO_MEMORY);
  CHECK (error.call[0] != '\0' && error.hint[0] != '\0');
  CHECK (strstr (error.text, error.call) != NULL);
  atomic_store (&target_sim ()->busy_creates, 1);
  CHECK_EQ (try_config (context, &config, &error), HAL_BUSY);
  CHECK_EQ (try_config (context, &config, &error), HAL_OK);
  hal_context_release (context);
}

static void
test_after_kill (void)
{
  HalStream *stream;
  Taken taken;

  atomic_store (&target_sim ()->leftover, 0xff);
  stream = open_all (HAL_CODEC_H264);
  if (!CHECK (stream != NULL))
    return;
  CHECK (take (stream, &taken) && taken.frame.key);
  close_all (stream);
}

/* --- Frames ------------------------------------------------------------ */

/* Every NAL unit of a frame is whole, and says what it should. */
static void
check_unit (HalCodec codec, const Taken *taken, unsigned n, uint32_t bitrate)
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
    check_unit (codec, &taken, i, 0);
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
    if (has_codec (codecs[i]))
      run_frames (codecs[i], 30);
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
      if (has_codec (codecs[i]))
        run_frames (codecs[i], 12);
    }
    check_clean ();
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
    check_unit (HAL_CODEC_H264, &taken, taken.frame.key ? 0 : 1, 0);
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
  Taken taken;
  unsigned i;

  if (!CHECK (stream != NULL))
    return;
  for (i = 0; i < 10; i++) {
    atomic_store (&target_sim ()->eintr, 3);
    CHECK (take (stream, &taken));
  }
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
  check_unit (HAL_CODEC_H264, &taken, 1, 0);
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
  CHECK_EQ (
      hal_stream_get_frame (stream, 30 * HAL_MSECOND, &frame, &error),
      HAL_TIMEOUT);
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

/* --- Changes while the stream runs -------------------------------------- */

static uint64_t
measure (HalStream *stream, unsigned n)
{
  uint64_t bytes = 0;
  Taken taken;

  while (n-- > 0 && CHECK (take (stream, &taken)))
    bytes += taken.size;
  return bytes;
}

static void
test_bitrate (void)
{
  static const uint32_t rates[] = { 1000000, 4000000, 500000, 2000000 };
  HalStreamConfig config = stream_config (HAL_CODEC_H264);
  HalStream *stream = open_all (HAL_CODEC_H264);
  unsigned i, n = config.gop * 5;
  HalError error;

  if (!CHECK (stream != NULL))
    return;
  measure (stream, config.gop);
  for (i = 0; i < 4; i++) {
    double share = target->rate_tolerance / 100.0, expected;

    config.bitrate = rates[i];
    CHECK_EQ (hal_stream_set (stream, &config, HAL_SET_BITRATE, &error),
        HAL_OK);
    if (target_sim () != NULL) {
      uint32_t bitrate;
      unsigned gop, fps;
      int min, max;

      /* It is in the encoder before the next frame. */
      target_sim ()->settings (0, &bitrate, &gop, &fps, &min, &max);
      CHECK_RANGE (bitrate, rates[i] - 1000, rates[i] + 1000);
    }
    /* To the end of the GOP, for real encoders to settle. */
    measure (stream, config.gop);
    expected = (double) rates[i] / 8 * n / 25;
    CHECK_RANGE (measure (stream, n), expected * (1 - share),
        expected * (1 + share));
  }
  close_all (stream);
}

static unsigned
distance_of_keys (HalStream *stream, unsigned most)
{
  Taken taken;
  unsigned n = 0;

  while (n++ < most && take (stream, &taken) && !taken.frame.key)
    ;
  n = 0;
  do {
    if (!CHECK (take (stream, &taken)))
      break;
    n++;
  } while (n < most && !taken.frame.key);
  return n;
}

static void
test_gop (void)
{
  HalStreamConfig config = stream_config (HAL_CODEC_H264);
  HalStream *stream = open_all (HAL_CODEC_H264);
  HalError error;

  if (!CHECK (stream != NULL))
    return;
  CHECK_EQ (distance_of_keys (stream, 40), config.gop);
  config.gop = 15;
  CHECK_EQ (hal_stream_set (stream, &config, HAL_SET_GOP, &error), HAL_OK);
  distance_of_keys (stream, 40);
  CHECK_EQ (distance_of_keys (stream, 40), 15);
  close_all (stream);
}

static void
test_idr (void)
{
  HalStreamConfig config = stream_config (HAL_CODEC_H264);
  HalContext *context = open_context ();
  HalStream *stream;
  HalStreamStats stats;
  HalError error;
  Taken taken;
  unsigned i, round;

  config.gop = 1000;
  stream = open_stream (context, &config);
  if (!CHECK (stream != NULL)) {
    hal_context_release (context);
    return;
  }
  CHECK (take (stream, &taken) && taken.frame.key);
  for (round = 0; round < 5; round++) {
    if (target_sim () != NULL)
      atomic_store (&target_sim ()->idr_delay, round);
    CHECK_EQ (hal_stream_request_idr (stream, &error), HAL_OK);
    /* What is in the encoder already comes first. */
    for (i = 0; i < 20; i++) {
      if (!CHECK (take (stream, &taken)) || taken.frame.key)
        break;
    }
    CHECK (taken.frame.key);
    if (target_sim () != NULL)
      CHECK_EQ (i, round);
    CHECK (take (stream, &taken) && !taken.frame.key);
  }
  hal_stream_get_stats (stream, &stats);
  CHECK_EQ (stats.idr_requests, 5);
  hal_stream_destroy (stream);
  hal_context_release (context);
}

static void
test_framerate (void)
{
  HalStreamConfig config = stream_config (HAL_CODEC_H264);
  HalStream *stream = open_all (HAL_CODEC_H264);
  HalError error;
  Taken taken;
  uint64_t last;
  unsigned i;

  if (!CHECK (stream != NULL))
    return;
  CHECK (take (stream, &taken));
  config.fps_num = 10;
  CHECK_EQ (hal_stream_set (stream, &config, HAL_SET_FRAMERATE, &error),
      HAL_OK);
  measure (stream, 5);
  CHECK (take (stream, &taken));
  last = taken.frame.pts;
  for (i = 0; i < 5 && CHECK (take (stream, &taken)); i++) {
    CHECK_RANGE (taken.frame.pts - last, 90 * HAL_MSECOND, 110 * HAL_MSECOND);
    last = taken.frame.pts;
  }
  close_all (stream);
}

static void
test_limits (void)
{
  static const HalRateControl modes[] = { HAL_RC_CBR, HAL_RC_VBR };
  SimControl *sim = target_sim ();
  HalStreamConfig config = stream_config (HAL_CODEC_H264);
  HalStream *stream = open_all (HAL_CODEC_H264);
  uint32_t bitrate;
  unsigned gop, fps, i;
  HalError error;
  int min, max;

  if (!CHECK (stream != NULL))
    return;
  for (i = 0; i < 2; i++) {
    config.rate_control = modes[i];
    config.qp_min = 20;
    config.qp_max = 40;
    CHECK_EQ (hal_stream_set (stream, &config,
                  HAL_SET_RATE_CONTROL | HAL_SET_QP, &error),
        HAL_OK);
    sim->settings (0, &bitrate, &gop, &fps, &min, &max);
    CHECK_EQ (min, 20);
    CHECK_EQ (max, 40);
    config.qp_min = 25;
    CHECK_EQ (hal_stream_set (stream, &config, HAL_SET_QP, &error), HAL_OK);
    sim->settings (0, &bitrate, &gop, &fps, &min, &max);
    CHECK_EQ (min, 25);
    CHECK_EQ (max, 40);
  }
  close_all (stream);
}

static void
test_refused_change (void)
{
  HalStreamConfig config = stream_config (HAL_CODEC_H264), now;
  HalStream *stream = open_all (HAL_CODEC_H264);
  uint32_t before = config.bitrate;
  HalError error = { 0 };
  Taken taken;

  if (!CHECK (stream != NULL))
    return;
  CHECK (take (stream, &taken));
  atomic_store (&target_sim ()->refuse_sets, 1);
  config.bitrate = 2000000;
  CHECK_EQ (hal_stream_set (stream, &config, HAL_SET_BITRATE, &error),
      HAL_REFUSED);
  CHECK (strstr (error.text, error.call) != NULL && error.call[0] != '\0');
  hal_stream_get_config (stream, &now);
  CHECK_EQ (now.bitrate, before);
  /* The stream goes on, and the next change is taken. */
  CHECK (take (stream, &taken));
  CHECK_EQ (hal_stream_set (stream, &config, HAL_SET_BITRATE, &error), HAL_OK);
  close_all (stream);
}

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
    int64_t step = (int64_t) (taken.frame.pts - last);

    /* A jump is passed on as it is, and the clock jumped with it. */
    if (i == 11)
      CHECK (step > (int64_t) (3 * HAL_SECOND));
    else if (i == 21)
      CHECK (step < -(int64_t) (3 * HAL_SECOND));
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
    check_unit (HAL_CODEC_H264, &taken, i, 0);
  }
  sim->advance (40000);
  CHECK (take (stream, &taken));
  check_unit (HAL_CODEC_H264, &taken, 1, 0);
  close_all (stream);
}

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

typedef struct {
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

/* --- Snapshots and sound ------------------------------------------------ */

static void
snapshot_parts (void *user, const HalSegment *segments, unsigned n)
{
  bool *good = user;

  *good = n > 0 && hal_frame_starts_well (HAL_CODEC_JPEG, segments, n);
}

static void
test_snapshot (void)
{
  HalStream *stream = open_all (HAL_CODEC_H264);
  bool good = false;
  HalError error = { 0 };
  Taken taken;

  if (!CHECK (stream != NULL))
    return;
  CHECK (take (stream, &taken));
  CHECK_EQ (hal_stream_snapshot (stream, 80, PATIENCE, snapshot_parts, &good,
                &error),
      HAL_OK);
  CHECK (good);
  CHECK_EQ (hal_stream_snapshot (stream, 0, PATIENCE, snapshot_parts, &good,
                &error),
      HAL_INVALID);
  /* The stream is none the worse for it. */
  CHECK (take (stream, &taken));
  close_all (stream);
}

static void
test_audio_in (void)
{
  HalContext *context = open_context ();
  HalAudioConfig config;
  HalAudio *audio = NULL;
  HalError error = { 0 };
  HalFrame frame;
  uint64_t last = 0;
  unsigned i;

  hal_audio_config_init (&config);
  if (!CHECK_EQ (hal_audio_open (context, &config, &audio, &error), HAL_OK)) {
    printf ("# %s\n", error.text);
    hal_context_release (context);
    return;
  }
  hal_audio_get_config (audio, &config);
  for (i = 0; i < 20; i++) {
    if (!CHECK_EQ (hal_audio_read (audio, PATIENCE, &frame, &error), HAL_OK))
      break;
    CHECK_EQ (frame.size, config.samples * config.channels * 2);
    if (i > 0)
      CHECK_RANGE (frame.pts - last,
          (uint64_t) config.samples * HAL_SECOND / config.rate - HAL_MSECOND,
          (uint64_t) config.samples * HAL_SECOND / config.rate + HAL_MSECOND);
    last = frame.pts;
    CHECK_EQ (hal_audio_release (audio, &error), HAL_OK);
  }
  hal_audio_interrupt (audio, true);
  CHECK_EQ (hal_audio_read (audio, UINT64_MAX, &frame, &error),
      HAL_INTERRUPTED);
  hal_audio_close (audio);
  hal_context_release (context);
}

static void
test_audio_out (void)
{
  HalContext *context = open_context ();
  HalAudioConfig config;
  HalAudio *audio = NULL;
  HalError error = { 0 };
  int16_t samples[1000] = { 0 };
  unsigned i;

  hal_audio_config_init (&config);
  config.output = true;
  if (!CHECK_EQ (hal_audio_open (context, &config, &audio, &error), HAL_OK)) {
    hal_context_release (context);
    return;
  }
  /* Whatever sizes come in, whole frames go out. */
  for (i = 0; i < 20; i++)
    CHECK_EQ (hal_audio_write (audio, samples, sizeof samples / 2 + i * 2,
                  PATIENCE, &error),
        HAL_OK);
  hal_audio_get_config (audio, &config);
  if (target_sim () != NULL)
    CHECK_EQ (target_sim ()->audio_plays,
        (500 * 20 + 190) / config.samples);
  hal_audio_close (audio);
  hal_context_release (context);
}

/* ------------------------------------------------------------------------ */

#define SIM (1u << 31)

static const struct {
  const char *name;
  void (*run) (void);
  uint32_t needs; /* HAL_CAP_..., SIM */
} cases[] = {
  { "probe", test_probe, 0 },
  { "share", test_share, 0 },
  { "missing-library", test_missing_library, SIM },
  { "newer-version", test_newer_version, SIM },
  { "foreign-version", test_foreign_version, SIM },
  { "bad-settings", test_bad_settings, 0 },
  { "resources", test_resources, SIM },
  { "after-kill", test_after_kill, SIM },
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
  { "interrupt", test_interrupt, 0 },
  { "bitrate", test_bitrate, HAL_CAP_SET_BITRATE },
  { "gop", test_gop, HAL_CAP_SET_GOP },
  { "idr", test_idr, HAL_CAP_IDR },
  { "framerate", test_framerate, HAL_CAP_SET_FRAMERATE },
  { "limits", test_limits, SIM | HAL_CAP_SET_QP | HAL_CAP_SET_RATE_CONTROL },
  { "refused-change", test_refused_change, SIM | HAL_CAP_SET_BITRATE },
  { "clock", test_clock, HAL_CAP_CLOCK },
  { "counter-wraps", test_counter_wraps, SIM },
  { "jumps", test_jumps, SIM | HAL_CAP_CLOCK },
  { "slow-reader", test_slow_reader, SIM },
  { "cycles", test_cycles, 0 },
  { "streams-together", test_streams_together, SIM },
  { "snapshot", test_snapshot, HAL_CAP_SNAPSHOT },
  { "audio-in", test_audio_in, HAL_CAP_AUDIO_IN },
  { "audio-out", test_audio_out, HAL_CAP_AUDIO_OUT },
};

static unsigned current;

static void
run_clean (void)
{
  sim_begin ();
  cases[current].run ();
  check_clean ();
  sim_begin ();
}

/* As check_main, with the cases that do not apply left out. */
static int
run_all (int argc, char **argv)
{
  int failed = 0;
  unsigned i, k, n = 0;

  for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    bool wanted = argc < 1;
    uint32_t needs = cases[i].needs;

    for (k = 0; (int) k < argc; k++)
      wanted |= strstr (cases[i].name, argv[k]) != NULL;
    if (!wanted || ((needs & SIM) != 0 && target_sim () == NULL)
        || (needs & ~SIM & ~target_caps ()) != 0)
      continue;
    current = i;
    check_failures = 0;
    run_clean ();
    printf ("%sok %u - %s\n", check_failures > 0 ? "not " : "", ++n,
        cases[i].name);
    failed += check_failures > 0;
  }
  printf ("1..%u\n", n);
  take_clear ();
  return failed > 0 || n == 0;
}

int
main (int argc, char **argv)
{
  unsigned i;

  setvbuf (stdout, NULL, _IOLBF, 0);
  for (i = 0; argc > 1 && i < conformance_n_targets; i++) {
    if (strcmp (conformance_targets[i].name, argv[1]) == 0)
      target = &conformance_targets[i];
  }
  if (target == NULL) {
    fprintf (stderr, "usage: %s TARGET [CASE...]; targets:", argv[0]);
    for (i = 0; i < conformance_n_targets; i++)
      fprintf (stderr, " %s", conformance_targets[i].name);
    fprintf (stderr, "\n");
    return 2;
  }
  sim_begin ();
  return run_all (argc - 2, argv + 2);
}
