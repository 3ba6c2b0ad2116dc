/* Streams that another program runs: what may be done to them, and what not.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "harness.h"
#include "unit/check.h"

/* A context with stream 0 running elsewhere, as H.264. */
static HalContext *
open_elsewhere (HalStreamConfig *ret_config)
{
  HalContext *context = open_context ();

  *ret_config = stream_config (HAL_CODEC_H264);
  ret_config->attach = true;
  if (CHECK (context != NULL))
    target_sim ()->run_elsewhere (0, ret_config);
  return context;
}

static HalStream *
attach (HalContext *context, const HalStreamConfig *config)
{
  HalStream *stream = NULL;
  HalError error = { 0 };

  if (!CHECK_EQ (hal_stream_create (context, config, &stream, &error), HAL_OK)
      || !CHECK_EQ (hal_stream_start (stream, &error), HAL_OK))
    printf ("# %s (%s)\n", error.text, error.hint);
  return stream;
}

/* It has its own settings, whatever is asked for. */
static void
test_settings (void)
{
  HalStreamConfig theirs, want, now;
  HalContext *context = open_elsewhere (&theirs);
  HalStream *stream;
  uint32_t bitrate;
  unsigned gop, fps;
  int min, max;

  want = theirs;
  want.width = want.height = 0;
  want.bitrate = 3000000;
  want.gop = 77;
  want.fps_num = 10;
  want.input_fps = 25;
  want.rate_control = HAL_RC_VBR;
  want.qp_min = 30;
  stream = attach (context, &want);
  if (stream != NULL) {
    hal_stream_get_config (stream, &now);
    CHECK_EQ (now.width, theirs.width);
    CHECK_EQ (now.height, theirs.height);
    CHECK_EQ (now.bitrate, theirs.bitrate);
    CHECK_EQ (now.gop, theirs.gop);
    CHECK_EQ (now.fps_num, 25);
    CHECK_EQ (now.rate_control, HAL_RC_CBR);
    CHECK_EQ (now.qp_min, -1);
  }
  target_sim ()->settings (0, &bitrate, &gop, &fps, &min, &max);
  CHECK_EQ (bitrate, theirs.bitrate);
  CHECK_EQ (gop, theirs.gop);
  CHECK_EQ (fps, 25);
  hal_stream_destroy (stream);
  hal_context_release (context);
}

/* One that keeps the quantiser and has no rate can still be changed. */
static void
test_no_rate (void)
{
  HalContext *context = open_context ();
  HalStreamConfig theirs = stream_config (HAL_CODEC_H264), now;
  HalStream *stream;
  uint32_t bitrate;
  unsigned gop, fps;
  HalError error;
  int min, max;

  theirs.attach = true;
  theirs.bitrate = 0;
  target_sim ()->run_elsewhere (0, &theirs);
  theirs.bitrate = 1000000;
  stream = attach (context, &theirs);
  if (stream != NULL) {
    hal_stream_get_config (stream, &now);
    CHECK_EQ (now.rate_control, HAL_RC_CQP);
    CHECK_EQ (now.bitrate, 0);
    theirs.gop = 5;
    CHECK_EQ (hal_stream_set (stream, &theirs, HAL_SET_GOP, &error), HAL_OK);
    target_sim ()->settings (0, &bitrate, &gop, &fps, &min, &max);
    CHECK_EQ (gop, 5);
    CHECK_EQ (bitrate, 0);
  }
  hal_stream_destroy (stream);
  hal_context_release (context);
}

static HalStatus
try_attach (HalContext *context, const HalStreamConfig *config, HalError *error)
{
  HalStream *stream = NULL;
  HalStatus status = hal_stream_create (context, config, &stream, error);

  hal_stream_destroy (stream);
  return status;
}

static void
test_mismatch (void)
{
  HalStreamConfig theirs, config;
  HalContext *context = open_elsewhere (&theirs);
  HalError error = { 0 };

  config = theirs;
  config.codec = HAL_CODEC_JPEG;
  CHECK_EQ (try_attach (context, &config, &error), HAL_INVALID);
  CHECK (strstr (error.text, "H.264, not JPEG") != NULL);
  config = theirs;
  config.width = 1920;
  config.height = 1080;
  CHECK_EQ (try_attach (context, &config, &error), HAL_INVALID);
  CHECK (strstr (error.text, "640x360, not of 1920x1080") != NULL);
  config = theirs;
  config.id = 1;
  CHECK_EQ (try_attach (context, &config, &error), HAL_NO_DEVICE);
  CHECK (strstr (error.text, "stream 1 does not run") != NULL);
  CHECK (error.hint[0] != '\0');
  CHECK_EQ (try_attach (context, &theirs, &error), HAL_OK);
  hal_context_release (context);
}

/* Nothing that is done here ends it, and what is refused changes nothing. */
static void
test_goes_on (void)
{
  HalStreamConfig theirs, want, now;
  HalContext *context = open_elsewhere (&theirs);
  HalStream *stream = attach (context, &theirs);
  HalError error = { 0 };
  uint32_t bitrate;
  unsigned gop, fps, i;
  int min, max;
  Taken taken;

  if (stream == NULL)
    goto out;
  CHECK (take (stream, &taken) && taken.frame.key);
  want = theirs;
  want.fps_num = 5;
  CHECK_EQ (hal_stream_set (stream, &want, HAL_SET_FRAMERATE, &error),
            HAL_UNSUPPORTED);
  CHECK (strstr (error.text, "framerate") != NULL);
  want.qp_max = 20;
  CHECK_EQ (hal_stream_set (stream, &want, HAL_SET_QP, &error),
            HAL_UNSUPPORTED);
  want.rate_control = HAL_RC_VBR;
  CHECK_EQ (hal_stream_set (stream, &want, HAL_SET_RATE_CONTROL, &error),
            HAL_UNSUPPORTED);
  hal_stream_get_config (stream, &now);
  CHECK_EQ (now.fps_num, 25);
  CHECK_EQ (now.qp_max, -1);
  /* Together with one that is possible, neither is made. */
  want.bitrate = 500000;
  CHECK_EQ (hal_stream_set (stream, &want, HAL_SET_BITRATE | HAL_SET_FRAMERATE,
                            &error),
            HAL_UNSUPPORTED);
  target_sim ()->settings (0, &bitrate, &gop, &fps, &min, &max);
  CHECK_EQ (bitrate, theirs.bitrate);
  CHECK_EQ (fps, 25);
  for (i = 0; i < 3; i++) {
    CHECK (take (stream, &taken));
    hal_stream_stop (stream);
    CHECK (target_sim ()->is_elsewhere (0));
    CHECK_EQ (hal_stream_start (stream, &error), HAL_OK);
    CHECK (take (stream, &taken) && taken.frame.key);
  }
  CHECK_EQ (target_sim ()->stops, 0);

out:
  hal_stream_destroy (stream);
  CHECK (target_sim ()->is_elsewhere (0));
  hal_context_release (context);
}

/* In the middle of a GOP that is long: the first frame is a keyframe, asked
 * for. */
static void
test_joins_with_key (void)
{
  HalStreamConfig theirs;
  HalContext *context = open_context ();
  HalStream *stream;
  Taken taken;

  target_sim ()->mode = SIM_MANUAL;
  theirs = stream_config (HAL_CODEC_H264);
  theirs.gop = 1000;
  theirs.attach = true;
  target_sim ()->run_elsewhere (0, &theirs);
  /* Nobody reads: what was first is lost. */
  target_sim ()->advance (120000);
  stream = attach (context, &theirs);
  if (stream != NULL) {
    CHECK (take (stream, &taken) && taken.frame.key);
    hal_stream_stop (stream);
    target_sim ()->advance (120000);
    CHECK_EQ (hal_stream_start (stream, NULL), HAL_OK);
    target_sim ()->advance (40000);
    CHECK (take (stream, &taken) && taken.frame.key);
    CHECK (take (stream, &taken) && !taken.frame.key);
  }
  hal_stream_destroy (stream);
  hal_context_release (context);
}

static void
test_ends (void)
{
  HalStreamConfig theirs;
  HalContext *context = open_elsewhere (&theirs);
  HalStream *stream = attach (context, &theirs);
  HalError error = { 0 };
  HalFrame frame;
  Taken taken;

  if (stream != NULL) {
    CHECK (take (stream, &taken));
    target_sim ()->run_elsewhere (0, NULL);
    CHECK_EQ (hal_stream_get_frame (stream, PATIENCE, &frame, &error),
              HAL_ENDED);
    CHECK (strstr (error.text, "stream 0 ended") != NULL);
    /* And begins anew. */
    hal_stream_stop (stream);
    target_sim ()->run_elsewhere (0, &theirs);
    CHECK_EQ (hal_stream_start (stream, &error), HAL_OK);
    CHECK (take (stream, &taken) && taken.frame.key);
  }
  hal_stream_destroy (stream);
  hal_context_release (context);
}

/* Without attach the stream is ours from then on. */
static void
test_taken_over (void)
{
  HalStreamConfig theirs, ours;
  HalContext *context = open_elsewhere (&theirs);
  HalStream *stream;
  Taken taken;

  ours = theirs;
  ours.attach = false;
  ours.width = 320;
  ours.height = 240;
  stream = attach (context, &ours);
  if (stream != NULL) {
    HalNal nal;
    HalSps sps = { 0 };
    size_t position = 0;

    CHECK (!target_sim ()->is_elsewhere (0));
    CHECK (take (stream, &taken) && taken.frame.key);
    while (hal_nal_next (HAL_CODEC_H264, taken.data, taken.size, &position,
                         &nal)) {
      if (hal_nal_is_sps (HAL_CODEC_H264, nal.type))
        CHECK (hal_sps_parse (HAL_CODEC_H264, nal.data, nal.size, &sps));
    }
    CHECK_EQ (sps.width, 320);
  }
  hal_stream_destroy (stream);
  hal_context_release (context);
}

/* What is told apart before there is a stream. */
static void
test_no_device (void)
{
  HalEnv env = target_env ();
  HalStreamConfig config = stream_config (HAL_CODEC_H264);
  HalContext *context = NULL;
  HalError error = { 0 };

  atomic_store (&target_sim ()->refuse_opens, 1);
  CHECK_EQ (hal_context_acquire (target->family, &env, NULL, &context, &error),
            HAL_NO_PERMISSION);
  CHECK (error.call[0] != '\0' && strstr (error.text, error.call) != NULL);
  CHECK (error.hint[0] != '\0');
  context = open_context ();
  CHECK (context != NULL);
  atomic_store (&target_sim ()->no_front, true);
  CHECK_EQ (try_attach (context, &config, &error), HAL_NO_DEVICE);
  CHECK (strstr (error.text, "sensor") != NULL && error.hint[0] != '\0');
  hal_context_release (context);
}

static const ConformanceCase cases[] = {
  { "attach-settings", test_settings, SIM | HAL_CAP_ATTACH },
  { "attach-no-rate", test_no_rate, SIM | HAL_CAP_ATTACH },
  { "attach-mismatch", test_mismatch, SIM | HAL_CAP_ATTACH },
  { "attach-goes-on", test_goes_on, SIM | HAL_CAP_ATTACH },
  { "attach-joins-with-key", test_joins_with_key, SIM | HAL_CAP_ATTACH },
  { "attach-ends", test_ends, SIM | HAL_CAP_ATTACH },
  { "attach-taken-over", test_taken_over, SIM | HAL_CAP_ATTACH },
  { "attach-no-device", test_no_device, SIM | HAL_CAP_ATTACH },
};

const ConformanceGroup conformance_attach
    = { cases, sizeof cases / sizeof cases[0], &check_failures };
