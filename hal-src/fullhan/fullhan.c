/* The family Fullhan: what there is, and the clock.
 *
 * Sensor and ISP are run by another program; the scaler's outputs, the
 * encoder's channels and what binds them are ours, and with them FH_SYS_Init
 * and FH_SYS_Exit, which alone gives their memory back.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fullhanprivate.h"

#define CHIP_WITHOUT_BLOCKS 0x8626a100u

static HalStatus
fh_probe (const HalEnv *env, HalInfo *info, HalError *error)
{
  char path[512];
  bool driver = hal_env_exists (env, "/dev/media_process")
                || hal_env_exists (env, "/proc/driver/enc");
  bool found = hal_loader_find (env, "libdsp.so", path, sizeof path);

  /* The library's name is a common one: without the driver it says nothing,
   * unless it was pointed at. */
  if (!driver
      && (!found || env->library_path == NULL || env->library_path[0] == '\0'))
    return hal_fail (error, HAL_NO_DEVICE, "", 0, NULL, "no Fullhan chip");
  if (!found)
    return hal_fail (error, HAL_NOT_FOUND, "", 0,
                     "say where it is with library-path; firmware whose "
                     "programs are linked statically has none",
                     "the chip is there, but not libdsp.so");
  hal_info_set_library (info, path);
  info->caps = HAL_CAP_H264 | HAL_CAP_H265 | HAL_CAP_JPEG | HAL_CAP_AUDIO_IN;
  return HAL_OK;
}

static uint32_t
caps_of (const FhLibrary *library)
{
  const FhApi *api = &library->api;
  uint32_t caps = HAL_CAP_H264 | HAL_CAP_H265 | HAL_CAP_JPEG
                  | HAL_CAP_SET_BITRATE | HAL_CAP_SET_QP
                  | HAL_CAP_SET_RATE_CONTROL | HAL_CAP_SET_FRAMERATE
                  | HAL_CAP_IDR | HAL_CAP_SNAPSHOT | HAL_CAP_STREAM_FD
                  | HAL_CAP_DEMUX | HAL_CAP_SET_GOP;
  bool sound
      = api->ac_init != NULL && api->ac_exit != NULL && api->ac_config != NULL;

  if (api->get_pts != NULL)
    caps |= HAL_CAP_CLOCK;
  if (sound && api->ai_enable != NULL && api->ai_disable != NULL
      && api->ai_get != NULL)
    caps |= HAL_CAP_AUDIO_IN;
  if (sound && api->ao_enable != NULL && api->ao_disable != NULL
      && api->ao_send != NULL)
    caps |= HAL_CAP_AUDIO_OUT;
  return caps;
}

/* Which chip it is, as far as the library says; one of the other generation
 * means that the library is not the one that belongs here. */
static HalStatus
identify (FhContext *context, HalError *error)
{
  const FhLibrary *library = &context->library;
  uint32_t number = library->api.chip != NULL ? library->api.chip () : 0;
  const char *name = "";
  FhGeneration generation = fh_chip (number, &name);
  HalInfo *info = &context->base.info;

  snprintf (info->generation, sizeof info->generation, "%s",
            library->layout->name);
  snprintf (info->chip, sizeof info->chip, "%s", name);
  if (number != 0)
    snprintf (info->version, sizeof info->version, "chip 0x%08x",
              (unsigned)number);
  if (generation != 0 && generation != library->layout->generation)
    return hal_fail (
        error, HAL_BAD_VERSION, "FH_SYS_GetChipID", 0,
        "take libdsp.so from this camera's own firmware",
        "the chip is a %s (0x%08x), but the functions of libdsp.so "
        "are those of generation %s",
        name, (unsigned)number, library->layout->name);
  context->vo_mode = number == CHIP_WITHOUT_BLOCKS ? FH_VO_LINES : FH_VO_BLOCKS;
  return HAL_OK;
}

static HalStatus
start_system (FhContext *context, HalError *error)
{
  HalStatus status;
  int32_t code;

  errno = 0;
  code = context->library.api.init ();
  if (code != 0)
    return fh_fail (error, "FH_SYS_Init", code);
  status = identify (context, error);
  if (status == HAL_OK && !fh_reader_start (context))
    status = hal_fail (error, HAL_NO_MEMORY, "pthread_create", 0, NULL,
                       "no thread left");
  if (status != HAL_OK)
    context->library.api.exit ();
  return status;
}

static HalStatus
fh_open (const HalEnv *env, const HalContextConfig *config,
         HalContext **ret_context, HalError *error)
{
  FhContext *context;
  HalStatus status;
  HalInfo *info;

  if (config->sensor_config != NULL)
    return hal_fail (error, HAL_UNSUPPORTED, "", 0,
                     "start the program that sets up sensor and ISP first",
                     "sensor-config is not supported on Fullhan");
  context = calloc (1, sizeof *context);
  if (context == NULL)
    return hal_fail (error, HAL_NO_MEMORY, "", 0, NULL, "out of memory");
  status = fh_library_open (&context->library, env, error);
  if (status == HAL_OK) {
    status = start_system (context, error);
    if (status != HAL_OK)
      fh_library_close (&context->library);
  }
  if (status != HAL_OK) {
    free (context);
    return status;
  }
  hal_micro_clock_init (&context->clock);
  pthread_mutex_init (&context->vendor_lock, NULL);
  info = &context->base.info;
  snprintf (info->library_dir, sizeof info->library_dir, "%s",
            context->library.loader.directory);
  info->caps = caps_of (&context->library);
  *ret_context = &context->base;
  return HAL_OK;
}

static void
fh_close (HalContext *base)
{
  FhContext *context = (FhContext *)base;

  fh_reader_stop (context);
  context->library.api.exit ();
  fh_library_close (&context->library);
  hal_micro_clock_finish (&context->clock);
  pthread_mutex_destroy (&context->vendor_lock);
  free (context);
}

static HalStatus
fh_clock (HalContext *base, uint64_t *ret_ns, HalError *error)
{
  FhContext *context = (FhContext *)base;
  uint64_t us = 0;
  int32_t code = context->library.api.get_pts (&us);

  if (code != 0)
    return fh_fail (error, "FH_VENC_GetCurPts", code);
  *ret_ns = hal_micro_clock_ns (&context->clock, us);
  return HAL_OK;
}

const HalFamily hal_fullhan = {
  .name = "fullhan",
  .long_name = "Fullhan",
  .max_streams = FH_MAX_STREAMS,
  .max_width = FH_MAX_WIDTH,
  .max_height = FH_MAX_HEIGHT,
  .probe = fh_probe,
  .open = fh_open,
  .close = fh_close,
  .clock = fh_clock,
  .stream_create = fh_stream_create,
  .stream_destroy = fh_stream_destroy,
  .stream_start = fh_stream_start,
  .stream_stop = fh_stream_stop,
  .stream_fd = fh_stream_fd,
  .get_frame = fh_get_frame,
  .release_frame = fh_release_frame,
  .set = fh_set,
  .request_idr = fh_request_idr,
  .snapshot = fh_snapshot,
  .audio_open = fh_audio_open,
  .audio_close = fh_audio_close,
  .audio_read = fh_audio_read,
  .audio_release = fh_audio_release,
  .audio_write = fh_audio_write,
};
