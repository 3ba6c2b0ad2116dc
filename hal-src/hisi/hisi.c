/* The family HiSilicon and Goke: what there is, and the clock.
 *
 * Sensor, ISP and scaler are run by another program; only encoder channels,
 * bound to outputs of the scaler, are ours. SYS_Init and SYS_Exit are left to
 * that program: the state behind them is the kernel's, and Exit would end it
 * for all.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "halelf.h"
#include "hisiprivate.h"

static HalStatus
hisi_probe (const HalEnv *env, HalInfo *info, HalError *error)
{
  char path[512];
  bool driver = hal_env_exists (env, "/proc/umap/sys")
                || hal_env_exists (env, "/proc/umap/venc");
  char kind = hisi_library_kind (env, path, sizeof path);

  if (kind == 0 && !driver)
    return hal_fail (error, HAL_NO_DEVICE, "", 0, NULL,
                     "no HiSilicon or Goke chip");
  if (kind == 0)
    return hal_fail (
        error, HAL_NOT_FOUND, "", 0, "say where they are with library-path",
        "the chip is there, but not libmpi.so, libhi_mpi.so or libss_mpi.so");
  if (!driver && (env->library_path == NULL || env->library_path[0] == '\0'))
    return hal_fail (error, HAL_NO_DEVICE, "/proc/umap", 0,
                     "load the vendor's kernel modules",
                     "the libraries are there, but no driver");
  hal_info_set_library (info, path);
  snprintf (info->generation, sizeof info->generation, "%s",
            kind == 's' ? "v5" : "");
  hal_env_find_line (env, "/proc/umap/sys", "Version", info->version,
                     sizeof info->version);
  info->caps = HAL_CAP_H264 | (kind == 'm' ? 0u : HAL_CAP_H265) | HAL_CAP_JPEG
               | HAL_CAP_AUDIO_IN;
  return HAL_OK;
}

static uint32_t
caps_of (const HisiLibrary *library)
{
  const HisiApi *api = &library->api;
  uint32_t caps = HAL_CAP_H264 | HAL_CAP_JPEG | HAL_CAP_SET_BITRATE
                  | HAL_CAP_SET_GOP | HAL_CAP_SET_RATE_CONTROL
                  | HAL_CAP_SET_FRAMERATE | HAL_CAP_IDR | HAL_CAP_CLOCK
                  | HAL_CAP_STREAM_FD;

  if (library->layout->rc_modes[1][HAL_RC_CBR] != 0)
    caps |= HAL_CAP_H265;
  if (api->get_rc_param != NULL && api->set_rc_param != NULL)
    caps |= HAL_CAP_SET_QP;
  if (hisi_roi_known (library))
    caps |= HAL_CAP_SET_ROI;
  if (library->layout->generation == HISI_V1)
    caps |= HAL_CAP_RING;
  if (api->start_count != NULL)
    caps |= HAL_CAP_SNAPSHOT;
  if (api->ai_set_attr != NULL && api->ai_enable != NULL
      && api->ai_disable != NULL && api->ai_enable_chn != NULL
      && api->ai_disable_chn != NULL && api->ai_get_frame != NULL
      && api->ai_release_frame != NULL)
    caps |= HAL_CAP_AUDIO_IN;
  if (api->ao_set_attr != NULL && api->ao_enable != NULL
      && api->ao_disable != NULL && api->ao_enable_chn != NULL
      && api->ao_disable_chn != NULL && api->ao_send_frame != NULL)
    caps |= HAL_CAP_AUDIO_OUT;
  return caps;
}

static HalStatus
hisi_open (const HalEnv *env, const HalContextConfig *config,
           HalContext **ret_context, HalError *error)
{
  HisiContext *context;
  HalStatus status;
  HalInfo *info;

  if (config->sensor_config != NULL)
    return hal_fail (
        error, HAL_UNSUPPORTED, "", 0,
        "start the program that sets up sensor, ISP and scaler first",
        "sensor-config is not supported on HiSilicon and Goke");
  context = calloc (1, sizeof *context);
  if (context == NULL)
    return hal_fail (error, HAL_NO_MEMORY, "", 0, NULL, "out of memory");
  status = hisi_library_open (&context->library, env, error);
  if (status != HAL_OK) {
    free (context);
    return status;
  }
  hal_micro_clock_init (&context->clock);
  info = &context->base.info;
  snprintf (info->generation, sizeof info->generation, "%s",
            context->library.layout->name);
  snprintf (info->version, sizeof info->version, "%s",
            context->library.version);
  snprintf (info->chip, sizeof info->chip, "%s", context->library.chip);
  snprintf (info->library_dir, sizeof info->library_dir, "%s",
            context->library.loader.directory);
  info->caps = caps_of (&context->library);
  *ret_context = &context->base;
  return HAL_OK;
}

static void
hisi_close (HalContext *base)
{
  HisiContext *context = (HisiContext *)base;

  hisi_library_close (&context->library);
  hal_micro_clock_finish (&context->clock);
  free (context);
}

static HalStatus
hisi_clock (HalContext *base, uint64_t *ret_ns, HalError *error)
{
  HisiContext *context = (HisiContext *)base;
  hal_u64 us = 0;
  int32_t code = context->library.api.sys_get_pts (&us);

  if (code != 0)
    return hisi_fail (error, context->library.layout, "SYS_GetCurPts", code);
  *ret_ns = hal_micro_clock_ns (&context->clock, us);
  return HAL_OK;
}

const HalFamily hal_hisi = {
  .name = "hisi",
  .long_name = "HiSilicon / Goke",
  .max_streams = HISI_MAX_STREAMS,
  .max_width = HISI_MAX_WIDTH,
  .max_height = HISI_MAX_HEIGHT,
  .probe = hisi_probe,
  .open = hisi_open,
  .close = hisi_close,
  .clock = hisi_clock,
  .stream_create = hisi_stream_create,
  .stream_destroy = hisi_stream_destroy,
  .stream_start = hisi_stream_start,
  .stream_stop = hisi_stream_stop,
  .stream_fd = hisi_stream_fd,
  .get_frame = hisi_get_frame,
  .release_frame = hisi_release_frame,
  .set = hisi_set,
  .request_idr = hisi_request_idr,
  .snapshot = hisi_snapshot,
  .audio_open = hisi_audio_open,
  .audio_close = hisi_audio_close,
  .audio_read = hisi_audio_read,
  .audio_release = hisi_audio_release,
  .audio_write = hisi_audio_write,
};
