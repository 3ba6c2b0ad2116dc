/* The family Ambarella: what there is, and the clock.
 *
 * There is no library: the driver is asked for everything by ioctl, and frames
 * are read from its memory. Sensor, image processing and canvases are set up by
 * the vendor's programs.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "ambarella.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ambarellaprivate.h"

#define DEVICE "/dev/iav"
#define TIMER "/proc/ambarella/ambarella_hwtimer"
#define TICKS_PER_SECOND 90000u

uint64_t
amb_time (AmbContext *context, uint64_t ticks)
{
  pthread_mutex_lock (&context->clock_lock);
  ticks = hal_unwrap32 (&context->clock, ticks);
  pthread_mutex_unlock (&context->clock_lock);
  return ticks / TICKS_PER_SECOND * HAL_SECOND
         + ticks % TICKS_PER_SECOND * HAL_SECOND / TICKS_PER_SECOND;
}

static void
fill_info (HalInfo *info)
{
  if (amb_iav_is_stand_in ())
    snprintf (info->version, sizeof info->version, "stand-in for the SDK");
  snprintf (info->generation, sizeof info->generation, AMB_NEW ? "cv" : "s");
  info->caps = HAL_CAP_H264 | (AMB_NEW ? HAL_CAP_H265 : 0u) | HAL_CAP_JPEG
               | HAL_CAP_SET_BITRATE | HAL_CAP_SET_GOP | HAL_CAP_SET_QP
               | HAL_CAP_SET_RATE_CONTROL | HAL_CAP_SET_FRAMERATE | HAL_CAP_IDR
               | HAL_CAP_RING | HAL_CAP_ATTACH;
}

static HalStatus
amb_probe (const HalEnv *env, HalInfo *info, HalError *error)
{
  bool own = env->library_path != NULL && env->library_path[0] != '\0';
  char path[512] = "";

  if (own && hal_loader_find (env, AMB_LIBRARY, path, sizeof path))
    hal_info_set_library (info, path);
  else if (amb_iav_is_stand_in () || !hal_env_exists (env, DEVICE))
    return hal_fail (error, HAL_NO_DEVICE, "", 0, NULL, "no Ambarella chip");
  fill_info (info);
  return HAL_OK;
}

/* Opens a file below the root. */
static int
open_below (const AmbOps *ops, const HalEnv *env, const char *path, int flags)
{
  char *full = hal_env_path (env, path);
  int fd = full != NULL ? ops->open (full, flags) : -1;
  int number = full != NULL ? errno : ENOMEM;

  free (full);
  errno = number;
  return fd;
}

static HalStatus
read_timer (AmbContext *context, uint64_t *ret_ticks, HalError *error)
{
  char text[32];
  ssize_t n = context->device.ops.pread (context->timer, text, sizeof text - 1);
  char *end;

  if (n < 0)
    return amb_iav_fail (error, TIMER, errno);
  text[n] = '\0';
  *ret_ticks = strtoull (text, &end, 10);
  if (end == text)
    return hal_fail (error, HAL_INSANE, TIMER, 0, NULL,
                     "%s does not say a number", TIMER);
  return HAL_OK;
}

static HalStatus
map_memory (AmbContext *context, HalError *error)
{
  uint64_t offset = 0;
  HalStatus status
      = amb_iav_memory (&context->device, &offset, &context->length, error);

  if (status != HAL_OK)
    return status;
  context->memory = context->device.ops.map (context->device.fd, offset,
                                             context->length * 2);
  return context->memory != NULL ? HAL_OK : amb_iav_fail (error, "mmap", errno);
}

static HalStatus
open_device (AmbContext *context, const HalEnv *env, HalError *error)
{
  const AmbOps *ops = &context->device.ops;
  uint64_t ticks;
  HalStatus status;

  if (context->loader.n == 0 && amb_iav_is_stand_in ())
    return hal_fail (error, HAL_BAD_VERSION, "", 0,
                     "build the plugin with -Dambarella-sdk and the header of "
                     "this camera's own SDK",
                     "the plugin was built with a stand-in for the SDK");
  context->device.fd = open_below (ops, env, DEVICE, O_RDWR);
  if (context->device.fd < 0)
    return amb_iav_fail (error, DEVICE, errno);
  status = map_memory (context, error);
  if (status != HAL_OK) {
    ops->close (context->device.fd);
    return status;
  }
  context->timer = open_below (ops, env, TIMER, O_RDONLY);
  if (context->timer >= 0 && read_timer (context, &ticks, NULL) != HAL_OK) {
    ops->close (context->timer);
    context->timer = -1;
  }
  return HAL_OK;
}

static HalStatus
amb_open (const HalEnv *env, const HalContextConfig *config,
          HalContext **ret_context, HalError *error)
{
  AmbContext *context;
  HalStatus status;

  if (config->sensor_config != NULL)
    return hal_fail (error, HAL_UNSUPPORTED, "", 0,
                     "start the vendor's program that sets up the sensor first",
                     "sensor-config is not supported on Ambarella");
  context = calloc (1, sizeof *context);
  if (context == NULL)
    return hal_fail (error, HAL_NO_MEMORY, "", 0, NULL, "out of memory");
  status = amb_ops_open (&context->device.ops, &context->loader, env, error);
  if (status == HAL_OK) {
    pthread_mutex_init (&context->clock_lock, NULL);
    status = open_device (context, env, error);
    if (status != HAL_OK) {
      pthread_mutex_destroy (&context->clock_lock);
      hal_loader_close (&context->loader);
    }
  }
  if (status != HAL_OK) {
    free (context);
    return status;
  }
  snprintf (context->base.info.library_dir,
            sizeof context->base.info.library_dir, "%s",
            context->loader.directory);
  fill_info (&context->base.info);
  if (context->timer >= 0)
    context->base.info.caps |= HAL_CAP_CLOCK;
  *ret_context = &context->base;
  return HAL_OK;
}

static void
amb_close (HalContext *base)
{
  AmbContext *context = (AmbContext *)base;
  const AmbOps *ops = &context->device.ops;

  if (context->timer >= 0)
    ops->close (context->timer);
  ops->unmap ((void *)context->memory, context->length * 2);
  ops->close (context->device.fd);
  hal_loader_close (&context->loader);
  pthread_mutex_destroy (&context->clock_lock);
  free (context);
}

static HalStatus
amb_clock (HalContext *base, uint64_t *ret_ns, HalError *error)
{
  AmbContext *context = (AmbContext *)base;
  uint64_t ticks = 0;
  HalStatus status = read_timer (context, &ticks, error);

  if (status == HAL_OK)
    *ret_ns = amb_time (context, ticks);
  return status;
}

const HalFamily hal_ambarella = {
  .name = "ambarella",
  .long_name = "Ambarella",
  .max_streams = AMB_MAX_STREAMS,
  .probe = amb_probe,
  .open = amb_open,
  .close = amb_close,
  .clock = amb_clock,
  .stream_create = amb_stream_create,
  .stream_destroy = amb_stream_destroy,
  .stream_start = amb_stream_start,
  .stream_stop = amb_stream_stop,
  .stream_wait = amb_stream_wait,
  .get_frame = amb_get_frame,
  .release_frame = amb_release_frame,
  .set = amb_set,
  .request_idr = amb_request_idr,
};
