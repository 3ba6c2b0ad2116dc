/* The family Ingenic: what there is, and the clock.
 *
 * The media library lives in one process: sensor, ISP and encoder must be set
 * up where frames are read. With a sensor-config that is done here; without
 * one, the program around has done it, and IMP_System_Init with it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "ingenic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingenicprivate.h"

uint64_t
ingenic_time (IngenicContext *context, int64_t us)
{
  return hal_micro_clock_ns (&context->clock, us > 0 ? (uint64_t)us : 0);
}

static HalStatus
ingenic_probe (const HalEnv *env, HalInfo *info, HalError *error)
{
  char path[512];
  bool driver = hal_env_exists (env, "/proc/jz");
  bool library = hal_loader_find (env, "libimp.so", path, sizeof path);

  if (!library && !driver)
    return hal_fail (error, HAL_NO_DEVICE, "", 0, NULL, "no Ingenic chip");
  if (!library)
    return hal_fail (error, HAL_NOT_FOUND, "", 0,
                     "say where it is with library-path",
                     "the chip is there, but not libimp.so");
  if (!driver && (env->library_path == NULL || env->library_path[0] == '\0'))
    return hal_fail (error, HAL_NO_DEVICE, "/proc/jz", 0, NULL,
                     "libimp.so is there, but no Ingenic chip");
  hal_info_set_library (info, path);
  info->caps = HAL_CAP_H264 | HAL_CAP_JPEG | HAL_CAP_AUDIO_IN;
  return HAL_OK;
}

static uint32_t
caps_of (const IngenicLibrary *library)
{
  const IngenicApi *api = &library->api;
  uint32_t caps = HAL_CAP_H264 | HAL_CAP_JPEG | HAL_CAP_IDR | HAL_CAP_CLOCK
                  | HAL_CAP_SNAPSHOT;

  if (library->layout->h265)
    caps |= HAL_CAP_H265;
  if (library->layout->new_kind)
    caps |= HAL_CAP_RING;
  else
    caps |= HAL_CAP_SET_BITRATE | HAL_CAP_SET_QP | HAL_CAP_SET_RATE_CONTROL;
  if (api->set_gop != NULL && !library->layout->new_kind)
    caps |= HAL_CAP_SET_GOP;
  if (api->set_bitrate != NULL)
    caps |= HAL_CAP_SET_BITRATE;
  if (api->set_gop_length != NULL)
    caps |= HAL_CAP_SET_GOP;
  if (api->set_qp_bounds != NULL)
    caps |= HAL_CAP_SET_QP;
  if (api->set_rc_mode != NULL && api->set_bitrate != NULL)
    caps |= HAL_CAP_SET_RATE_CONTROL;
  if (api->set_fps != NULL)
    caps |= HAL_CAP_SET_FRAMERATE;
  if (api->get_fd != NULL)
    caps |= HAL_CAP_STREAM_FD;
  if (api->ai_set_attr != NULL && api->ai_enable != NULL
      && api->ai_disable != NULL && api->ai_enable_chn != NULL
      && api->ai_disable_chn != NULL && api->ai_set_param != NULL
      && api->ai_poll != NULL && api->ai_get_frame != NULL
      && api->ai_release_frame != NULL)
    caps |= HAL_CAP_AUDIO_IN;
  if (api->ao_set_attr != NULL && api->ao_enable != NULL
      && api->ao_disable != NULL && api->ao_enable_chn != NULL
      && api->ao_disable_chn != NULL && api->ao_query != NULL
      && api->ao_send_frame != NULL)
    caps |= HAL_CAP_AUDIO_OUT;
  return caps;
}

static void
fill_info (const IngenicLibrary *library, HalInfo *info)
{
  snprintf (info->generation, sizeof info->generation, "%s",
            library->layout->name);
  snprintf (info->version, sizeof info->version, "%s", library->version);
  snprintf (info->chip, sizeof info->chip, "%s", library->chip);
  snprintf (info->library_dir, sizeof info->library_dir, "%s",
            library->loader.directory);
  info->caps = caps_of (library);
}

static HalStatus
ingenic_open (const HalEnv *env, const HalContextConfig *config,
              HalContext **ret_context, HalError *error)
{
  IngenicContext *context = calloc (1, sizeof *context);
  HalStatus status = HAL_OK;

  if (context == NULL)
    return hal_fail (error, HAL_NO_MEMORY, "", 0, NULL, "out of memory");
  if (config->sensor_config != NULL)
    status
        = ingenic_sensor_parse (config->sensor_config, &context->sensor, error);
  if (status == HAL_OK)
    status = ingenic_library_open (&context->library, env, error);
  if (status == HAL_OK) {
    status = ingenic_sensor_start (context, error);
    if (status != HAL_OK)
      ingenic_library_close (&context->library);
  }
  if (status != HAL_OK) {
    free (context);
    return status;
  }
  pthread_mutex_init (&context->lock, NULL);
  hal_micro_clock_init (&context->clock);
  fill_info (&context->library, &context->base.info);
  *ret_context = &context->base;
  return HAL_OK;
}

static void
ingenic_close (HalContext *base)
{
  IngenicContext *context = (IngenicContext *)base;

  ingenic_sensor_stop (context);
  ingenic_library_close (&context->library);
  pthread_mutex_destroy (&context->lock);
  hal_micro_clock_finish (&context->clock);
  free (context);
}

/* Sound does not need the sensor, so it may have come first. */
static HalStatus
ingenic_add_sensor (HalContext *base, const HalContextConfig *config,
                    HalError *error)
{
  IngenicContext *context = (IngenicContext *)base;
  HalStatus status;

  if (ingenic_source_any (context))
    return hal_fail (error, HAL_BUSY, "", 0,
                     "give sensor-config to the first source of the process",
                     "a stream already runs without sensor-config");
  status
      = ingenic_sensor_parse (config->sensor_config, &context->sensor, error);
  if (status == HAL_OK)
    status = ingenic_sensor_start (context, error);
  if (status != HAL_OK)
    memset (&context->sensor, 0, sizeof context->sensor);
  return status;
}

static HalStatus
ingenic_clock (HalContext *base, uint64_t *ret_ns, HalError *error)
{
  IngenicContext *context = (IngenicContext *)base;
  int64_t us = context->library.api.system_time ();

  if (us < 0)
    return ingenic_fail (error, "IMP_System_GetTimeStamp", (int)us);
  *ret_ns = ingenic_time (context, us);
  return HAL_OK;
}

const HalFamily hal_ingenic = {
  .name = "ingenic",
  .long_name = "Ingenic",
  .max_streams = INGENIC_MAX_STREAMS,
  .max_width = INGENIC_MAX_WIDTH,
  .max_height = INGENIC_MAX_HEIGHT,
  .probe = ingenic_probe,
  .open = ingenic_open,
  .close = ingenic_close,
  .add_sensor = ingenic_add_sensor,
  .clock = ingenic_clock,
  .stream_create = ingenic_stream_create,
  .stream_destroy = ingenic_stream_destroy,
  .stream_start = ingenic_stream_start,
  .stream_stop = ingenic_stream_stop,
  .stream_fd = ingenic_stream_fd,
  .stream_wait = ingenic_stream_wait,
  .get_frame = ingenic_get_frame,
  .release_frame = ingenic_release_frame,
  .set = ingenic_set,
  .request_idr = ingenic_request_idr,
  .snapshot = ingenic_snapshot,
  .audio_open = ingenic_audio_open,
  .audio_close = ingenic_audio_close,
  .audio_read = ingenic_audio_read,
  .audio_release = ingenic_audio_release,
  .audio_write = ingenic_audio_write,
};
