/* The image processor and the sensor of a simulated libimp.so: whether they are
 * called in order. One thread at a time.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "simingenic.h"

#if SIM_INGENIC == 23
typedef IngenicT23SensorInfo SensorInfo;
#elif SIM_INGENIC == 40 || SIM_INGENIC == 41
typedef IngenicT40SensorInfo SensorInfo;
#else
typedef IngenicSensorInfo SensorInfo;
#endif

static struct
{
  bool isp, sensor, sensor_on, tuning;
} front;

bool
sim_sensor_is_on (void)
{
  return front.sensor_on;
}

API (ISP_Open) (void)
{
  if (front.isp)
    return fail (EBUSY);
  front.isp = true;
  return 0;
}

/* T40 and T41 number their sensors. */
#if SIM_INGENIC == 40 || SIM_INGENIC == 41
#define SENSOR uint32_t number,
#define SENSOR_ALONE uint32_t number
#define IS_SENSOR (number == INGENIC_MAIN_SENSOR)

/* As it is if nothing is said, or as targets.c says. */
static bool
is_wired (const SensorInfo *info)
{
  bool said = info->reset_gpio != INGENIC_NO_GPIO;

  return (!said || info->reset_gpio == 91)
         && info->power_down_gpio == INGENIC_NO_GPIO
         && info->power_gpio == INGENIC_NO_GPIO
         && info->interface == (said ? 2 : 0) && info->clock == (said ? 2 : 1)
         && info->mode == (said ? 3 : 0);
}
#else
#define SENSOR
#define SENSOR_ALONE void
#define IS_SENSOR true
#define is_wired(info) true
#endif

API (ISP_AddSensor) (SENSOR const SensorInfo *info)
{
  if (!IS_SENSOR || !is_wired (info))
    return fail (EINVAL);
  if (!front.isp || front.sensor)
    return out_of_order ();
  if (info->bus != INGENIC_BUS_I2C || info->i2c_address != 0x37
      || strcmp (info->name, info->i2c_type) != 0 || info->name[0] == '\0')
    return fail (ENODEV);
  front.sensor = true;
  return 0;
}

#if SIM_INGENIC == 40 || SIM_INGENIC == 41
API (ISP_EnableSensor) (SENSOR const SensorInfo *info)
{
  if (!IS_SENSOR || info->i2c_address != 0x37)
    return fail (EINVAL);
#else
API (ISP_EnableSensor) (void)
{
#endif
  if (!front.sensor || front.sensor_on)
    return out_of_order ();
  front.sensor_on = true;
  return 0;
}

API (ISP_EnableTuning) (void)
{
  if (!sim_engine_running ())
    return out_of_order ();
  front.tuning = true;
  return 0;
}

#if SIM_INGENIC == 40
API (ISP_Tuning_SetSensorFPS) (SENSOR uint32_t *at_num, uint32_t *at_den)
{
  uint32_t num = IS_SENSOR ? *at_num : 0, den = *at_den;

#elif SIM_INGENIC == 41
API (ISP_Tuning_SetSensorFPS) (SENSOR IngenicFrameRate *fps)
{
  uint32_t num = IS_SENSOR ? fps->num : 0, den = fps->den;

#else
API (ISP_Tuning_SetSensorFPS) (uint32_t num, uint32_t den)
{
#endif
  return front.tuning && num > 0 && den > 0 ? 0 : out_of_order ();
}

API (ISP_DisableTuning) (void)
{
  if (!front.tuning)
    return out_of_order ();
  front.tuning = false;
  return 0;
}

API (ISP_DisableSensor) (SENSOR_ALONE)
{
  if (!IS_SENSOR || !front.sensor_on || front.tuning || sim_engine_running ())
    return out_of_order ();
  front.sensor_on = false;
  return 0;
}

API (ISP_DelSensor) (SENSOR const SensorInfo *info)
{
  if (!IS_SENSOR || !front.sensor || front.sensor_on || info->name[0] == '\0')
    return out_of_order ();
  front.sensor = false;
  return 0;
}

API (ISP_Close) (void)
{
  if (!front.isp || front.sensor)
    return out_of_order ();
  front.isp = false;
  return 0;
}
