/* Opening and settings: what is missing, wrong, or in use.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <pthread.h>
#include <stdlib.h>

#include "harness.h"
#include "unit/check.h"

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

/* Sound may come before the picture, and does not know of the sensor. */
static void
test_sensor_later (void)
{
  HalEnv env = target_env ();
  HalContextConfig other = { .sensor_config = "name=other,i2c-address=0x40" };
  HalContext *early = NULL, *context, *bad = NULL;
  HalStreamConfig config = stream_config (HAL_CODEC_H264);
  HalStream *stream;
  HalError error = { 0 };
  Taken taken;

  if (target->sensor_config == NULL)
    return;
  CHECK_EQ (hal_context_acquire (target->family, &env, NULL, &early, &error),
            HAL_OK);
  CHECK_EQ (target_sim ()->inits, 0);
  context = open_context ();
  CHECK (context != NULL && context == early);
  CHECK_EQ (target_sim ()->inits, 1);
  stream = open_stream (context, &config);
  CHECK (stream != NULL && take (stream, &taken));
  CHECK_EQ (hal_context_acquire (target->family, &env, &other, &bad, &error),
            HAL_BUSY);
  CHECK (strstr (error.text, target->sensor_config) != NULL);
  hal_stream_destroy (stream);
  hal_context_release (context);
  hal_context_release (early);
}

static void
test_bad_sensor (void)
{
  HalEnv env = target_env ();
  HalContextConfig config = { .sensor_config = target->bad_sensor_config };
  HalContext *context = NULL;
  HalError error = { 0 };

  if (target->bad_sensor_config == NULL)
    return;
  CHECK_EQ (hal_context_acquire (target->family, &env, &config, &context,
                                 &error),
            HAL_INVALID);
  CHECK (strstr (error.text, "clock") != NULL && error.hint[0] != '\0');
  CHECK_EQ (target_sim ()->inits, 0);
}

/* --- Settings that cannot be ------------------------------------------ */

static HalStatus
try_config (HalContext *context, const HalStreamConfig *config, HalError *error)
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
  if ((target_caps () & HAL_CAP_ATTACH) == 0) {
    config = stream_config (HAL_CODEC_H264);
    config.attach = true;
    CHECK_EQ (try_config (context, &config, &error), HAL_UNSUPPORTED);
  }
  hal_context_release (context);
}

static void
test_resources (void)
{
  HalContext *context = open_context ();
  HalStreamConfig config = stream_config (HAL_CODEC_H264);
  HalError error = { 0 };

  /* There nothing is created. */
  if (target->config.attach) {
    hal_context_release (context);
    return;
  }
  atomic_store (&target_sim ()->refuse_creates, 1);
  CHECK_EQ (try_config (context, &config, &error), HAL_NO_MEMORY);
  CHECK (error.call[0] != '\0' && error.hint[0] != '\0');
  CHECK (strstr (error.text, error.call) != NULL);
  atomic_store (&target_sim ()->busy_creates, 1);
  CHECK_EQ (try_config (context, &config, &error), HAL_BUSY);
  CHECK_EQ (try_config (context, &config, &error), HAL_OK);
  hal_context_release (context);
}

/* Every number that the vendor has is told apart from the others, by the name
 * of the call and what the number means, with a hint. */
static void
test_vendor_errors (void)
{
  HalContext *context = open_context ();
  HalStreamConfig config = stream_config (HAL_CODEC_H264);
  const ConformanceError *one;

  /* Attached, nothing is created. */
  for (one = target->errors; !target->config.attach && one->code != 0; one++) {
    HalError error = { 0 };

    atomic_store (&target_sim ()->create_errno, one->number);
    atomic_store (&target_sim ()->create_code, one->code);
    CHECK_EQ (try_config (context, &config, &error), one->status);
    if (!CHECK (error.call[0] != '\0' && error.hint[0] != '\0'
                && strstr (error.text, error.call) != NULL
                && strstr (error.text, one->words) != NULL))
      printf ("# %d (%d): %s (%s)\n", one->code, one->number, error.text,
              error.hint);
  }
  hal_context_release (context);
}

static void
test_bad_device (void)
{
  HalContext *context = open_context ();
  HalStreamConfig config = stream_config (HAL_CODEC_H264);
  HalStream *stream = NULL;
  HalError error = { 0 };

  if (target->bad_device != NULL) {
    HalStatus status;

    config.device = target->bad_device;
    status = hal_stream_create (context, &config, &stream, &error);
    if (status == HAL_OK)
      status = hal_stream_start (stream, &error);
    CHECK_EQ (status, HAL_NO_DEVICE);
    if (!CHECK (strstr (error.text, target->bad_device) != NULL))
      printf ("# %s\n", error.text);
    hal_stream_destroy (stream);
  }
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

static const ConformanceCase cases[] = {
  { "probe", test_probe, 0 },
  { "share", test_share, 0 },
  { "sensor-later", test_sensor_later, SIM },
  { "bad-sensor", test_bad_sensor, SIM },
  { "missing-library", test_missing_library, SIM },
  { "newer-version", test_newer_version, SIM },
  { "foreign-version", test_foreign_version, SIM },
  { "bad-settings", test_bad_settings, 0 },
  { "resources", test_resources, SIM },
  { "vendor-errors", test_vendor_errors, SIM },
  { "bad-device", test_bad_device, 0 },
  { "after-kill", test_after_kill, SIM },
};

const ConformanceGroup conformance_open
    = { cases, sizeof cases / sizeof cases[0], &check_failures };
