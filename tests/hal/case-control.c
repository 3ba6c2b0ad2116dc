/* Changes while the stream runs, snapshots and sound.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <pthread.h>
#include <stdlib.h>

#include "harness.h"
#include "unit/check.h"

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
    expected = (double)rates[i] / 8 * n / 25;
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
                   (uint64_t)config.samples * HAL_SECOND / config.rate
                       - HAL_MSECOND,
                   (uint64_t)config.samples * HAL_SECOND / config.rate
                       + HAL_MSECOND);
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
    CHECK_EQ (target_sim ()->audio_plays, (500 * 20 + 190) / config.samples);
  hal_audio_close (audio);
  hal_context_release (context);
}

static void
test_roi (void)
{
  SimControl *sim = target_sim ();
  HalStreamConfig config = stream_config (HAL_CODEC_H264);
  HalContext *context = open_context ();
  HalError error = { 0 };
  HalStream *stream;
  Taken taken;

  config.n_roi = 2;
  config.roi[0] = (HalRoi){ 16, 32, 320, 160, false, -6 };
  config.roi[1] = (HalRoi){ 0, 0, 64, 64, true, 40 };
  stream = open_stream (context, &config);
  if (CHECK (stream != NULL)) {
    /* As it starts, and as it runs. */
    CHECK_EQ (sim->roi[0].x, 16);
    CHECK_EQ (sim->roi[0].y, 32);
    CHECK_EQ (sim->roi[0].width, 320);
    CHECK_EQ (sim->roi[0].height, 160);
    CHECK_EQ (sim->roi[0].qp, -6);
    CHECK (!sim->roi[0].absolute && sim->roi[1].absolute);
    CHECK_EQ (sim->roi[1].qp, 40);
    CHECK (take (stream, &taken));
    config.n_roi = 1;
    config.roi[0].qp = 4;
    CHECK_EQ (hal_stream_set (stream, &config, HAL_SET_ROI, &error), HAL_OK);
    CHECK_EQ (sim->roi[0].qp, 4);
    CHECK_EQ (sim->roi[1].width, 0);
    config.roi[0].width = 10000;
    CHECK_EQ (hal_stream_set (stream, &config, HAL_SET_ROI, &error),
              HAL_INVALID);
    CHECK (strstr (error.text, "10000x160 at 16,32") != NULL);
    config.roi[0].width = 64;
    config.roi[0].qp = 52;
    CHECK_EQ (hal_stream_set (stream, &config, HAL_SET_ROI, &error),
              HAL_INVALID);
    config.roi[0].qp = 5;
    atomic_store (&sim->refuse_sets, 1);
    CHECK_EQ (hal_stream_set (stream, &config, HAL_SET_ROI, &error),
              HAL_REFUSED);
    CHECK (strstr (error.text, error.call) != NULL && error.hint[0] != '\0');
    CHECK_EQ (sim->roi[0].qp, 4);
    CHECK (take (stream, &taken));
  }
  hal_stream_destroy (stream);
  hal_context_release (context);
}

/* Where there are none, that is said, not passed over. */
static void
test_no_roi (void)
{
  HalStreamConfig config = stream_config (HAL_CODEC_H264);
  HalContext *context = open_context ();
  HalStream *stream = NULL;
  HalError error = { 0 };

  if ((target_caps () & HAL_CAP_SET_ROI) == 0) {
    config.n_roi = 1;
    config.roi[0] = (HalRoi){ 0, 0, 64, 64, false, -6 };
    CHECK_EQ (hal_stream_create (context, &config, &stream, &error),
              HAL_UNSUPPORTED);
    CHECK (strstr (error.text, "regions of interest") != NULL);
  }
  hal_context_release (context);
}

static const ConformanceCase cases[] = {
  { "bitrate", test_bitrate, HAL_CAP_SET_BITRATE },
  { "gop", test_gop, HAL_CAP_SET_GOP },
  { "idr", test_idr, HAL_CAP_IDR },
  { "framerate", test_framerate, HAL_CAP_SET_FRAMERATE },
  { "limits", test_limits, SIM | HAL_CAP_SET_QP | HAL_CAP_SET_RATE_CONTROL },
  { "refused-change", test_refused_change, SIM | HAL_CAP_SET_BITRATE },
  { "roi", test_roi, SIM | HAL_CAP_SET_ROI },
  { "no-roi", test_no_roi, 0 },
  { "snapshot", test_snapshot, HAL_CAP_SNAPSHOT },
  { "audio-in", test_audio_in, HAL_CAP_AUDIO_IN },
  { "audio-out", test_audio_out, HAL_CAP_AUDIO_OUT },
};

const ConformanceGroup conformance_control
    = { cases, sizeof cases / sizeof cases[0], &check_failures };
