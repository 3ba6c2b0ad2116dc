/* Sensor, ISP and the ISP's outputs of Ingenic chips.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ingenicprivate.h"

#define MAX_I2C_ADDRESS 0x7f
#define MAX_I2C_ADAPTER 7
#define MAX_GPIO 255
#define MAX_INTERFACE 2 /* MIPI 0, MIPI 1, parallel */
#define MAX_CLOCK 2
#define USUAL_CLOCK 1
#define MAX_MODE 63
#define BUFFERS 2
#define HINT_FORMAT                                                            \
  "for example name=gc2053,i2c-address=0x37,width=1920,height=1080,fps=25"

static HalStatus
bad_part (const char *part, size_t size, HalError *error)
{
  return hal_fail (error, HAL_INVALID, "", 0, HINT_FORMAT,
                   "sensor-config: '%.*s' is not understood", (int)size, part);
}

static bool
parse_number (const char *value, size_t size, unsigned max, unsigned *ret)
{
  char *end = NULL;
  unsigned long number;

  if (size == 0 || *value < '0' || *value > '9')
    return false;
  number = strtoul (value, &end, 0);
  *ret = (unsigned)number;
  return end == value + size && number <= max;
}

/* Of T40 and T41. name: not ended by a zero. */
static bool
parse_wiring (const char *name, size_t name_size, const char *value,
              size_t size, IngenicSensor *sensor)
{
  IngenicT40SensorInfo *wiring = &sensor->wiring;
  unsigned number = 0;

#define IS(text)                                                               \
  (name_size == sizeof text - 1 && memcmp (name, text, name_size) == 0)
  if (IS ("interface") && parse_number (value, size, MAX_INTERFACE, &number))
    wiring->interface = number;
  else if (IS ("clock") && parse_number (value, size, MAX_CLOCK, &number))
    wiring->clock = number;
  else if (IS ("mode") && parse_number (value, size, MAX_MODE, &number))
    wiring->mode = (int32_t)number;
  else if (IS ("reset-gpio") && parse_number (value, size, MAX_GPIO, &number))
    wiring->reset_gpio = (int32_t)number;
  else if (IS ("power-down-gpio")
           && parse_number (value, size, MAX_GPIO, &number))
    wiring->power_down_gpio = (int32_t)number;
  else if (IS ("power-gpio") && parse_number (value, size, MAX_GPIO, &number))
    wiring->power_gpio = (int32_t)number;
  else
    return false;
#undef IS
  sensor->has_wiring = true;
  return true;
}

/* One name=value */
static bool
parse_part (const char *part, size_t size, IngenicSensor *sensor)
{
  const char *equals = memchr (part, '=', size);
  const char *value = equals != NULL ? equals + 1 : part + size;
  size_t name = equals != NULL ? (size_t)(equals - part) : size;
  size_t left = (size_t)(part + size - value);
  unsigned number = 0;

#define IS(text) (name == sizeof text - 1 && memcmp (part, text, name) == 0)
  if (IS ("name")) {
    if (left == 0 || left >= sizeof sensor->info.i2c_type)
      return false;
    memset (sensor->info.name, 0, sizeof sensor->info.name);
    memset (sensor->info.i2c_type, 0, sizeof sensor->info.i2c_type);
    memcpy (sensor->info.name, value, left);
    memcpy (sensor->info.i2c_type, value, left);
    return true;
  }
  if (IS ("i2c-address")
      && parse_number (value, left, MAX_I2C_ADDRESS, &number))
    sensor->info.i2c_address = (int32_t)number;
  else if (IS ("i2c-adapter")
           && parse_number (value, left, MAX_I2C_ADAPTER, &number))
    sensor->info.i2c_adapter = (int32_t)number;
  else if (IS ("width")
           && parse_number (value, left, INGENIC_MAX_WIDTH, &number))
    sensor->width = number;
  else if (IS ("height")
           && parse_number (value, left, INGENIC_MAX_HEIGHT, &number))
    sensor->height = number;
  else if (IS ("fps") && parse_number (value, left, HAL_MAX_FPS, &number))
    sensor->fps_num = number;
  else
    return parse_wiring (part, name, value, left, sensor);
#undef IS
  return true;
}

HalStatus
ingenic_sensor_parse (const char *text, IngenicSensor *sensor, HalError *error)
{
  memset (sensor, 0, sizeof *sensor);
  sensor->info.bus = INGENIC_BUS_I2C;
  sensor->fps_den = 1;
  sensor->wiring.clock = USUAL_CLOCK;
  sensor->wiring.reset_gpio = sensor->wiring.power_down_gpio
      = sensor->wiring.power_gpio = INGENIC_NO_GPIO;
  while (*text != '\0') {
    size_t size = strcspn (text, ",");

    if (!parse_part (text, size, sensor))
      return bad_part (text, size, error);
    text += size;
    text += *text == ',';
  }
  if (sensor->info.name[0] == '\0' || sensor->info.i2c_address == 0)
    return hal_fail (error, HAL_INVALID, "", 0, HINT_FORMAT,
                     "sensor-config needs name and i2c-address");
  sensor->given = true;
  return HAL_OK;
}

/* As this generation has it. */
static void
sensor_info (const IngenicContext *context, void *memory)
{
  const IngenicSensorInfo *info = &context->sensor.info;
  size_t bus = offsetof (IngenicSensorInfo, bus);

  memcpy (memory, info->name, sizeof info->name);
  memcpy ((char *)memory + context->library.layout->sensor_bus, &info->bus,
          sizeof *info - bus);
  if (context->library.layout->isp != INGENIC_ISP_ONE) {
    const IngenicT40SensorInfo *wiring = &context->sensor.wiring;
    size_t gpios = offsetof (IngenicT40SensorInfo, reset_gpio);

    memcpy ((char *)memory + gpios, &wiring->reset_gpio,
            sizeof *wiring - gpios);
  }
}

/* The functions of the ISP, however they are called. */
static int
add_sensor (const IngenicContext *context, void *info)
{
  const IngenicApi *api = &context->library.api;

  return context->library.layout->isp == INGENIC_ISP_ONE
             ? api->isp_add_sensor (info)
             : api->isp_add_sensor_of (INGENIC_MAIN_SENSOR, info);
}

static void
del_sensor (const IngenicContext *context, void *info)
{
  const IngenicApi *api = &context->library.api;

  if (context->library.layout->isp == INGENIC_ISP_ONE)
    api->isp_del_sensor (info);
  else
    api->isp_del_sensor_of (INGENIC_MAIN_SENSOR, info);
}

static int
enable_sensor (const IngenicContext *context, void *info)
{
  const IngenicApi *api = &context->library.api;

  return context->library.layout->isp == INGENIC_ISP_ONE
             ? api->isp_enable_sensor ()
             : api->isp_enable_sensor_of (INGENIC_MAIN_SENSOR, info);
}

static void
disable_sensor (const IngenicContext *context)
{
  const IngenicApi *api = &context->library.api;

  if (context->library.layout->isp == INGENIC_ISP_ONE)
    api->isp_disable_sensor ();
  else
    api->isp_disable_sensor_of (INGENIC_MAIN_SENSOR);
}

static int
set_sensor_fps (const IngenicContext *context)
{
  const IngenicApi *api = &context->library.api;
  IngenicFrameRate fps = { context->sensor.fps_num, context->sensor.fps_den };

  switch (context->library.layout->isp) {
    case INGENIC_ISP_MANY:
      return api->isp_set_fps_of (INGENIC_MAIN_SENSOR, &fps.num, &fps.den);
    case INGENIC_ISP_RATE:
      return api->isp_set_rate_of (INGENIC_MAIN_SENSOR, &fps);
    default:
      return api->isp_set_fps (fps.num, fps.den);
  }
}

/* Undoes the first n of what ingenic_sensor_start does. */
static void
undo (IngenicContext *context, unsigned n)
{
  const IngenicApi *api = &context->library.api;
  hal_u64 info[INGENIC_OUT_SIZE / 8] = { 0 };

  if (n > 4)
    api->isp_disable_tuning ();
  if (n > 3)
    api->system_exit ();
  if (n > 2)
    disable_sensor (context);
  if (n > 1) {
    sensor_info (context, info);
    del_sensor (context, info);
  }
  if (n > 0)
    api->isp_close ();
}

HalStatus
ingenic_sensor_start (IngenicContext *context, HalError *error)
{
  const IngenicApi *api = &context->library.api;
  hal_u64 info[INGENIC_OUT_SIZE / 8] = { 0 };
  const char *call = "IMP_ISP_Open";
  unsigned done = 0;
  HalStatus status;
  int code;

  if (!context->sensor.given)
    return HAL_OK;
  if (context->sensor.has_wiring
      && context->library.layout->isp == INGENIC_ISP_ONE)
    return hal_fail (error, HAL_INVALID, "", 0,
                     "on this chip the sensor's driver knows how it is wired",
                     "sensor-config: interface, clock, mode and pins are for "
                     "T40 and T41, not for %s",
                     context->library.layout->name);
  errno = 0;
  code = api->isp_open ();
  if (code == 0 && ++done) {
    call = "IMP_ISP_AddSensor";
    sensor_info (context, info);
    code = add_sensor (context, info);
  }
  if (code == 0 && ++done) {
    call = "IMP_ISP_EnableSensor";
    code = enable_sensor (context, info);
  }
  if (code == 0 && ++done) {
    call = "IMP_System_Init";
    code = api->system_init ();
  }
  if (code == 0 && ++done) {
    call = "IMP_ISP_EnableTuning";
    code = api->isp_enable_tuning ();
  }
  if (code == 0 && ++done && context->sensor.fps_num != 0) {
    call = "IMP_ISP_Tuning_SetSensorFPS";
    code = set_sensor_fps (context);
  }
  if (code == 0)
    return HAL_OK;
  status = ingenic_fail (error, call, code);
  undo (context, done);
  return status;
}

void
ingenic_sensor_stop (IngenicContext *context)
{
  if (context->sensor.given)
    undo (context, 5);
}

static void
source_attr (const IngenicContext *context, const HalStreamConfig *config,
             unsigned fps, IngenicSourceAttr *attr)
{
  const IngenicSensor *sensor = &context->sensor;

  attr->width = (int32_t)config->width;
  attr->height = (int32_t)config->height;
  attr->pixel_format = INGENIC_PIXEL_NV12;
  attr->fps_num = (int32_t)fps;
  attr->fps_den = 1;
  attr->n_buffers = BUFFERS;
  if (sensor->width != config->width || sensor->height != config->height) {
    attr->scaler.enable = 1;
    attr->scaler.width = attr->width;
    attr->scaler.height = attr->height;
  }
}

static HalStatus
make_source (IngenicContext *context, unsigned number,
             const HalStreamConfig *config, unsigned fps, HalError *error)
{
  const IngenicApi *api = &context->library.api;
  hal_u64 memory[INGENIC_OUT_SIZE / 8] = { 0 };
  IngenicCell from = { INGENIC_DEVICE_FRAME_SOURCE, (int32_t)number, 0 };
  IngenicCell to = { INGENIC_DEVICE_ENCODER, (int32_t)number, 0 };
  const char *call = "IMP_FrameSource_CreateChn";
  HalStatus status;
  int code;

  source_attr (
      context, config, fps,
      (IngenicSourceAttr *)(void *)((char *)memory
                                    + context->library.layout->source));
  errno = 0;
  code = api->source_create ((int)number, memory);
  if (code != 0)
    return ingenic_fail (error, call, code);
  call = "IMP_FrameSource_SetChnAttr";
  code = api->source_set_attr ((int)number, memory);
  if (code == 0) {
    call = "IMP_Encoder_CreateGroup";
    code = api->create_group ((int)number);
    if (code == 0) {
      call = "IMP_System_Bind";
      code = api->system_bind (&from, &to);
      if (code == 0)
        return HAL_OK;
      api->destroy_group ((int)number);
    }
  }
  status = ingenic_fail (error, call, code);
  api->source_destroy ((int)number);
  return status;
}

HalStatus
ingenic_source_ref (IngenicContext *context, unsigned number,
                    const HalStreamConfig *config, unsigned fps,
                    HalError *error)
{
  IngenicSource *source = &context->sources[number];
  HalStatus status = HAL_OK;

  pthread_mutex_lock (&context->lock);
  if (source->refs == 0)
    status = make_source (context, number, config, fps, error);
  else if (source->width != config->width || source->height != config->height)
    status = hal_fail (error, HAL_BUSY, "", 0,
                       "give it the same size, or another input-channel",
                       "output %u of the ISP already gives %ux%u", number,
                       source->width, source->height);
  if (status == HAL_OK) {
    source->refs++;
    source->width = config->width;
    source->height = config->height;
  }
  pthread_mutex_unlock (&context->lock);
  return status;
}

void
ingenic_source_unref (IngenicContext *context, unsigned number)
{
  const IngenicApi *api = &context->library.api;
  IngenicCell from = { INGENIC_DEVICE_FRAME_SOURCE, (int32_t)number, 0 };
  IngenicCell to = { INGENIC_DEVICE_ENCODER, (int32_t)number, 0 };

  pthread_mutex_lock (&context->lock);
  if (--context->sources[number].refs == 0) {
    api->system_unbind (&from, &to);
    api->destroy_group ((int)number);
    api->source_destroy ((int)number);
  }
  pthread_mutex_unlock (&context->lock);
}

bool
ingenic_source_any (IngenicContext *context)
{
  bool any = false;
  unsigned i;

  pthread_mutex_lock (&context->lock);
  for (i = 0; i < INGENIC_MAX_STREAMS; i++)
    any |= context->sources[i].refs > 0;
  pthread_mutex_unlock (&context->lock);
  return any;
}

HalStatus
ingenic_source_start (IngenicContext *context, unsigned number, HalError *error)
{
  IngenicSource *source = &context->sources[number];
  HalStatus status = HAL_OK;

  pthread_mutex_lock (&context->lock);
  if (source->running == 0) {
    int code;

    errno = 0;
    code = context->library.api.source_enable ((int)number);
    if (code != 0)
      status = ingenic_fail (error, "IMP_FrameSource_EnableChn", code);
  }
  source->running += status == HAL_OK;
  pthread_mutex_unlock (&context->lock);
  return status;
}

void
ingenic_source_stop (IngenicContext *context, unsigned number)
{
  pthread_mutex_lock (&context->lock);
  if (--context->sources[number].running == 0)
    context->library.api.source_disable ((int)number);
  pthread_mutex_unlock (&context->lock);
}
