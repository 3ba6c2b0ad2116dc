/* Names, errors, files below a root, wrapping counters. No state.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "halbackend.h"

/* What variable rates may reach if nothing is said. */
#define VBR_HEADROOM(bitrate) ((bitrate) + (bitrate) / 2)

const char *
hal_status_name (HalStatus status)
{
  static const char *const names[] = {
    [HAL_OK] = "ok",
    [HAL_TIMEOUT] = "timeout",
    [HAL_AGAIN] = "nothing there",
    [HAL_INTERRUPTED] = "interrupted",
    [HAL_ENDED] = "ended",
    [HAL_UNSUPPORTED] = "not supported",
    [HAL_NEEDS_RESTART] = "needs a restart",
    [HAL_NOT_FOUND] = "not found",
    [HAL_BAD_LIBRARY] = "wrong library",
    [HAL_BAD_VERSION] = "unknown version",
    [HAL_NO_DEVICE] = "no device",
    [HAL_BUSY] = "busy",
    [HAL_NO_PERMISSION] = "no permission",
    [HAL_NO_MEMORY] = "no memory",
    [HAL_INVALID] = "invalid",
    [HAL_REFUSED] = "refused",
    [HAL_INSANE] = "impossible answer",
    [HAL_VENDOR] = "vendor error",
  };

  if ((unsigned)status >= HAL_N_ELEMENTS (names))
    return "?";
  return names[status];
}

const char *
hal_codec_name (HalCodec codec)
{
  switch (codec) {
    case HAL_CODEC_H264:
      return "H.264";
    case HAL_CODEC_H265:
      return "H.265";
    case HAL_CODEC_JPEG:
      return "JPEG";
  }
  return "?";
}

HalStatus
hal_fail (HalError *error, HalStatus status, const char *call, int64_t code,
          const char *hint, const char *format, ...)
{
  va_list args;

  if (error == NULL)
    return status;
  error->status = status;
  error->code = code;
  snprintf (error->call, sizeof error->call, "%s", call ? call : "");
  snprintf (error->hint, sizeof error->hint, "%s", hint ? hint : "");
  va_start (args, format);
  vsnprintf (error->text, sizeof error->text, format, args);
  va_end (args);
  return status;
}

char *
hal_env_path (const HalEnv *env, const char *path)
{
  const char *root = env != NULL && env->root != NULL ? env->root : "";
  size_t size = strlen (root) + strlen (path) + 1;
  char *full = malloc (size);

  if (full != NULL)
    snprintf (full, size, "%s%s", root, path);
  return full;
}

bool
hal_env_exists (const HalEnv *env, const char *path)
{
  char *full = hal_env_path (env, path);
  bool there = full != NULL && access (full, F_OK) == 0;

  free (full);
  return there;
}

bool
hal_env_find_line (const HalEnv *env, const char *path, const char *what,
                   char *ret_line, size_t size)
{
  char line[256];
  bool found = false;
  char *full = hal_env_path (env, path);
  FILE *file = full != NULL ? fopen (full, "re") : NULL;

  free (full);
  if (file == NULL)
    return false;
  while (!found && fgets (line, sizeof line, file) != NULL) {
    if (strstr (line, what) == NULL)
      continue;
    line[strcspn (line, "\r\n")] = '\0';
    snprintf (ret_line, size, "%s", line);
    found = true;
  }
  fclose (file);
  return found;
}

uint64_t
hal_unwrap32 (HalUnwrap *unwrap, uint64_t raw)
{
  const uint64_t period = UINT64_C (1) << 32;
  uint64_t last = unwrap->last;

  if (raw >= period) {
    /* More than 32 bits: this counter does not wrap in our time. */
    unwrap->epochs = 0;
    return raw;
  }
  /* Only from the last quarter into the first: any other step back is a
   * counter that was set anew. */
  if (unwrap->any && last >= period / 4 * 3 && raw < period / 4) {
    unwrap->epochs++;
  } else if (unwrap->epochs > 0 && last < period / 4 && raw >= period / 4 * 3) {
    /* Taken before the wrap, asked about after it. */
    return raw + (unwrap->epochs - 1) * period;
  }
  unwrap->any = true;
  unwrap->last = raw;
  return raw + unwrap->epochs * period;
}

void
hal_micro_clock_init (HalMicroClock *clock)
{
  memset (&clock->unwrap, 0, sizeof clock->unwrap);
  pthread_mutex_init (&clock->lock, NULL);
}

void
hal_micro_clock_finish (HalMicroClock *clock)
{
  pthread_mutex_destroy (&clock->lock);
}

uint64_t
hal_micro_clock_ns (HalMicroClock *clock, uint64_t us)
{
  pthread_mutex_lock (&clock->lock);
  us = hal_unwrap32 (&clock->unwrap, us);
  pthread_mutex_unlock (&clock->lock);
  return us * HAL_USECOND;
}

void
hal_info_set_library (HalInfo *info, const char *path)
{
  const char *end = strrchr (path, '/');

  snprintf (info->library_dir, sizeof info->library_dir, "%.*s",
            end != NULL ? (int)(end - path) : 0, path);
}

uint32_t
hal_config_peak (const HalStreamConfig *config)
{
  if (config->rate_control == HAL_RC_CBR)
    return config->bitrate;
  return config->max_bitrate != 0 ? config->max_bitrate
                                  : VBR_HEADROOM (config->bitrate);
}

HalStatus
hal_check_framerate (const HalStreamConfig *want, uint32_t what,
                     unsigned input_fps, HalError *error)
{
  if ((what & HAL_SET_FRAMERATE) != 0
      && want->fps_num > input_fps * want->fps_den)
    return hal_fail (error, HAL_INVALID, "", 0,
                     "input-framerate says what the sensor delivers",
                     "%u/%u frames/s are more than the input's %u",
                     want->fps_num, want->fps_den, input_fps);
  return HAL_OK;
}
