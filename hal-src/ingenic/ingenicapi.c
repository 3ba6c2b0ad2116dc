/* Loading Ingenic's media library, and its errors.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "ingenicapi.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "halbackend.h"

static const HalLibrary libraries[] = {
  { "libsysutils.so", true },
  { "libalog.so", true },
  { "libimp.so", false },
  { "libaudioProcess.so", true },
};

#define IMP(member, symbol) HAL_SYMBOL (IngenicApi, member, "IMP_" symbol)
#define IMP_OPTIONAL(member, symbol)                                           \
  HAL_SYMBOL_OPTIONAL (IngenicApi, member, "IMP_" symbol)

static const HalSymbol symbols[] = {
  IMP (system_init, "System_Init"),
  IMP (system_exit, "System_Exit"),
  IMP (system_version, "System_GetVersion"),
  IMP (system_cpu, "System_GetCPUInfo"),
  IMP (system_time, "System_GetTimeStamp"),
  IMP (system_bind, "System_Bind"),
  IMP (system_unbind, "System_UnBind"),
  IMP (isp_open, "ISP_Open"),
  IMP (isp_close, "ISP_Close"),
  IMP (isp_add_sensor, "ISP_AddSensor"),
  IMP (isp_del_sensor, "ISP_DelSensor"),
  IMP (isp_enable_sensor, "ISP_EnableSensor"),
  IMP (isp_disable_sensor, "ISP_DisableSensor"),
  IMP (isp_enable_tuning, "ISP_EnableTuning"),
  IMP (isp_disable_tuning, "ISP_DisableTuning"),
  IMP (isp_set_fps, "ISP_Tuning_SetSensorFPS"),
  /* One function, of another shape by generation */
  IMP (isp_add_sensor_of, "ISP_AddSensor"),
  IMP (isp_del_sensor_of, "ISP_DelSensor"),
  IMP (isp_enable_sensor_of, "ISP_EnableSensor"),
  IMP (isp_disable_sensor_of, "ISP_DisableSensor"),
  IMP (isp_set_fps_of, "ISP_Tuning_SetSensorFPS"),
  IMP (isp_set_rate_of, "ISP_Tuning_SetSensorFPS"),
  IMP (source_create, "FrameSource_CreateChn"),
  IMP (source_destroy, "FrameSource_DestroyChn"),
  IMP (source_set_attr, "FrameSource_SetChnAttr"),
  IMP (source_enable, "FrameSource_EnableChn"),
  IMP (source_disable, "FrameSource_DisableChn"),
  IMP (create_group, "Encoder_CreateGroup"),
  IMP (destroy_group, "Encoder_DestroyGroup"),
  IMP (create, "Encoder_CreateChn"),
  IMP (destroy, "Encoder_DestroyChn"),
  IMP (add_to_group, "Encoder_RegisterChn"),
  IMP (remove_from_group, "Encoder_UnRegisterChn"),
  IMP (start, "Encoder_StartRecvPic"),
  IMP (stop, "Encoder_StopRecvPic"),
  IMP (query, "Encoder_Query"),
  IMP (poll, "Encoder_PollingStream"),
  IMP (get_stream, "Encoder_GetStream"),
  IMP (release_stream, "Encoder_ReleaseStream"),
  IMP_OPTIONAL (get_fd, "Encoder_GetFd"),
  IMP (request_idr, "Encoder_RequestIDR"),
  IMP_OPTIONAL (set_fps, "Encoder_SetChnFrmRate"),
  IMP_OPTIONAL (set_default, "Encoder_SetDefaultParam"),
  IMP_OPTIONAL (set_bitrate, "Encoder_SetChnBitRate"),
  IMP_OPTIONAL (set_gop_length, "Encoder_SetChnGopLength"),
  IMP_OPTIONAL (set_rc_mode, "Encoder_SetChnAttrRcMode"),
  IMP_OPTIONAL (set_qp_bounds, "Encoder_SetChnQpBounds"),
  IMP_OPTIONAL (set_gop, "Encoder_SetGOPSize"),
  IMP_OPTIONAL (ai_set_attr, "AI_SetPubAttr"),
  IMP_OPTIONAL (ai_enable, "AI_Enable"),
  IMP_OPTIONAL (ai_disable, "AI_Disable"),
  IMP_OPTIONAL (ai_set_param, "AI_SetChnParam"),
  IMP_OPTIONAL (ai_enable_chn, "AI_EnableChn"),
  IMP_OPTIONAL (ai_disable_chn, "AI_DisableChn"),
  IMP_OPTIONAL (ai_set_volume, "AI_SetVol"),
  IMP_OPTIONAL (ai_poll, "AI_PollingFrame"),
  IMP_OPTIONAL (ai_get_frame, "AI_GetFrame"),
  IMP_OPTIONAL (ai_release_frame, "AI_ReleaseFrame"),
  IMP_OPTIONAL (ao_set_attr, "AO_SetPubAttr"),
  IMP_OPTIONAL (ao_enable, "AO_Enable"),
  IMP_OPTIONAL (ao_disable, "AO_Disable"),
  IMP_OPTIONAL (ao_enable_chn, "AO_EnableChn"),
  IMP_OPTIONAL (ao_disable_chn, "AO_DisableChn"),
  IMP_OPTIONAL (ao_set_volume, "AO_SetVol"),
  IMP_OPTIONAL (ao_query, "AO_QueryChnStat"),
  IMP_OPTIONAL (ao_send_frame, "AO_SendFrame"),
};

/* Chip and version can be read before anything is initialised. */
static HalStatus
identify (IngenicLibrary *library, HalError *error)
{
  bool new_kind = library->api.set_default != NULL;
  char memory[INGENIC_OUT_SIZE] = { 0 };
  const char *chip = library->api.system_cpu ();

  if (library->api.system_version ((IngenicVersion *)memory) != 0)
    memset (memory, 0, sizeof memory);
  snprintf (library->version, sizeof library->version, "%.63s", memory);
  snprintf (library->chip, sizeof library->chip, "%.31s",
            chip != NULL ? chip : "");
  /* The first versions for T20 have attributes of another shape. */
  if (!new_kind && library->api.set_rc_mode == NULL)
    return hal_fail (error, HAL_BAD_VERSION, "IMP_System_GetVersion", 0,
                     "take the libraries of a newer SDK",
                     "'%s/%s' has no IMP_Encoder_SetChnAttrRcMode",
                     library->chip, library->version);
  return ingenic_identify (library->chip, library->version, new_kind,
                           &library->layout, error);
}

HalStatus
ingenic_library_open (IngenicLibrary *library, const HalEnv *env,
                      HalError *error)
{
  HalStatus status;

  memset (library, 0, sizeof *library);
  status = hal_loader_open (&library->loader, env, libraries,
                            HAL_N_ELEMENTS (libraries), error);
  if (status != HAL_OK)
    return status;
  status = hal_loader_bind (&library->loader, symbols, HAL_N_ELEMENTS (symbols),
                            &library->api, error);
  if (status == HAL_OK)
    status = identify (library, error);
  if (status != HAL_OK)
    ingenic_library_close (library);
  return status;
}

void
ingenic_library_close (IngenicLibrary *library)
{
  hal_loader_close (&library->loader);
}

static const struct
{
  int number;
  HalStatus status;
  const char *name, *hint;
} reasons[] = {
  { ENOMEM, HAL_NO_MEMORY, "no memory",
    "the memory set aside for video (rmem) is used up: fewer or smaller "
    "streams, or a larger rmem= on the kernel's command line" },
  { EBUSY, HAL_BUSY, "busy", "another program uses the encoder or the ISP" },
  { EEXIST, HAL_BUSY, "it exists already", "another program uses it" },
  { EPERM, HAL_NO_PERMISSION, "not permitted", "run as root" },
  { EACCES, HAL_NO_PERMISSION, "no permission", "run as root" },
  { ENODEV, HAL_NO_DEVICE, "no such device",
    "are the vendor's kernel modules loaded (tx-isp, avpu)?" },
  { ENOENT, HAL_NO_DEVICE, "no such device",
    "are the vendor's kernel modules loaded (tx-isp, avpu)?" },
};

HalStatus
ingenic_fail (HalError *error, const char *call, int code)
{
  int number = errno;
  size_t i;

  for (i = 0; i < HAL_N_ELEMENTS (reasons); i++) {
    if (reasons[i].number == number)
      return hal_fail (error, reasons[i].status, call, code, reasons[i].hint,
                       "%s failed: %d, %s (errno %d)", call, code,
                       reasons[i].name, number);
  }
  return hal_fail (
      error, HAL_VENDOR, call, code,
      "logcat shows what the library says; is there enough rmem, and does the "
      "sensor run?",
      "%s failed: %d (errno %d)", call, code, number);
}

HalStatus
ingenic_refused (HalError *error, const char *call, int code)
{
  return hal_fail (error, HAL_REFUSED, call, code,
                   "logcat shows what the library says", "%s failed: %d", call,
                   code);
}
