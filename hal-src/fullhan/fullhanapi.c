/* Loading Fullhan's media libraries, and what differs between the generations
 * in calling them.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fullhanapi.h"

#include "halbackend.h"

/* How long B waits for a frame; A has its own second. */
#define GET_MS 1000

/* Dependencies first. What only some SDKs have is optional: the libraries are
 * bound lazily. */
static const HalLibrary libraries[] = {
  { "libvmm.so", true },     { "libmipi.so", true }, { "libispcore.so", true },
  { "libisp.so", true },     { "libdsp.so", false }, { "libadvapi.so", true },
  { "libacw_mpi.so", true },
};

#define FH(member, symbol) HAL_SYMBOL (FhApi, member, "FH_" symbol)
#define FH_OPTIONAL(member, symbol)                                            \
  HAL_SYMBOL_OPTIONAL (FhApi, member, "FH_" symbol)

static const HalSymbol symbols[] = {
  FH (init, "SYS_Init"),
  FH (exit, "SYS_Exit"),
  FH_OPTIONAL (chip, "SYS_GetChipID"),
  FH (create, "VENC_CreateChn"),
  FH (set_config, "VENC_SetChnAttr"),
  FH (start, "VENC_StartRecvPic"),
  FH (stop, "VENC_StopRecvPic"),
  FH (request_idr, "VENC_RequestIDR"),
  FH (set_rc, "VENC_SetRCAttr"),
  FH (change_rc, "VENC_SetRcChangeParam"),
  FH_OPTIONAL (get_pts, "VENC_GetCurPts"),
  FH_OPTIONAL (ac_init, "AC_Init"),
  FH_OPTIONAL (ac_exit, "AC_DeInit"),
  FH_OPTIONAL (ac_config, "AC_Set_Config"),
  FH_OPTIONAL (ai_enable, "AC_AI_Enable"),
  FH_OPTIONAL (ai_disable, "AC_AI_Disable"),
  FH_OPTIONAL (ai_get, "AC_AI_GetFrameWithPts"),
  FH_OPTIONAL (ai_volume, "AC_AI_SetVol"),
  FH_OPTIONAL (ao_enable, "AC_AO_Enable"),
  FH_OPTIONAL (ao_disable, "AC_AO_Disable"),
  FH_OPTIONAL (ao_send, "AC_AO_SendFrame"),
  FH_OPTIONAL (ao_volume, "AC_AO_SetVol"),
};

static const HalSymbol a_symbols[] = {
  FH (vpu_attr, "VPSS_SetChnAttr"),   FH (vpu_mode, "VPSS_SetVOMode"),
  FH (vpu_rate, "VPSS_SetFramectrl"), FH (vpu_open, "VPSS_OpenChn"),
  FH (vpu_close, "VPSS_CloseChn"),    FH (bind, "SYS_BindVpu2Enc"),
  FH (unbind, "SYS_UnBindbyDst"),     FH (get, "VENC_GetStream_Block"),
  FH (release, "VENC_ReleaseStream"),
};

static const HalSymbol b_symbols[] = {
  FH (vpu_get_b, "VPSS_GetChnAttr"),
  FH (vpu_rate_b, "VPSS_SetFramectrl"),
  FH (destroy, "VENC_DestroyChn"),
  FH (bind_b, "SYS_Bind"),
  FH (unbind_b, "SYS_UnBindbyDst"),
  FH (get_b, "VENC_GetStream_Timeout"),
  FH (release_b, "VENC_ReleaseStream"),
  FH_OPTIONAL (set_param, "VENC_SetEncParam"),
};

HalStatus
fh_library_open (FhLibrary *library, const HalEnv *env, HalError *error)
{
  HalStatus status;
  bool b;

  memset (library, 0, sizeof *library);
  status = hal_loader_open (&library->loader, env, libraries,
                            HAL_N_ELEMENTS (libraries), error);
  if (status != HAL_OK)
    return status;
  /* The generations have functions of one name with other arguments, so they
   * must not be mixed up: these two only B has. */
  b = hal_loader_symbol (&library->loader, "FH_SYS_Bind") != NULL
      || hal_loader_symbol (&library->loader, "FH_VENC_GetStream_Timeout")
             != NULL;
  library->layout = fh_layout (b ? FH_B : FH_A);
  status = hal_loader_bind (&library->loader, symbols, HAL_N_ELEMENTS (symbols),
                            &library->api, error);
  if (status == HAL_OK)
    status = hal_loader_bind (&library->loader, b ? b_symbols : a_symbols,
                              b ? HAL_N_ELEMENTS (b_symbols)
                                : HAL_N_ELEMENTS (a_symbols),
                              &library->api, error);
  if (status != HAL_OK)
    fh_library_close (library);
  return status;
}

void
fh_library_close (FhLibrary *library)
{
  hal_loader_close (&library->loader);
}

static bool
is_b (const FhLibrary *library)
{
  return library->layout->generation == FH_B;
}

int32_t
fh_vpu_rate (const FhLibrary *library, uint32_t group, uint32_t channel,
             const FhRate *rate)
{
  return is_b (library) ? library->api.vpu_rate_b (group, channel, rate)
                        : library->api.vpu_rate (channel, rate);
}

int32_t
fh_vpu_open (const FhLibrary *library, uint32_t group, uint32_t channel,
             const FhSize *size, uint32_t mode, const FhRate *rate,
             const char **ret_call)
{
  const FhApi *api = &library->api;
  int32_t code;

  if (is_b (library)) {
    *ret_call = "FH_VPSS_SetFramectrl";
    return fh_vpu_rate (library, group, channel, rate);
  }
  *ret_call = "FH_VPSS_SetChnAttr";
  code = api->vpu_attr (channel, size);
  if (code == 0) {
    *ret_call = "FH_VPSS_SetVOMode";
    code = api->vpu_mode (channel, mode);
  }
  if (code == 0) {
    *ret_call = "FH_VPSS_SetFramectrl";
    code = fh_vpu_rate (library, group, channel, rate);
  }
  if (code == 0) {
    *ret_call = "FH_VPSS_OpenChn";
    code = api->vpu_open (channel);
  }
  return code;
}

void
fh_vpu_close (const FhLibrary *library, uint32_t group, uint32_t channel)
{
  if (!is_b (library))
    library->api.vpu_close (channel);
}

static FhBind
encoder (uint32_t channel, bool jpeg)
{
  FhBind to = { jpeg ? FH_OBJECT_JPEG : FH_OBJECT_ENC, 0, channel };

  return to;
}

int32_t
fh_bind (const FhLibrary *library, uint32_t group, uint32_t vpu,
         uint32_t channel, bool jpeg)
{
  FhBind from = { FH_OBJECT_VPU_OUT, group, vpu };

  return is_b (library) ? library->api.bind_b (from, encoder (channel, jpeg))
                        : library->api.bind (vpu, channel);
}

void
fh_unbind (const FhLibrary *library, uint32_t channel, bool jpeg)
{
  if (is_b (library))
    library->api.unbind_b (encoder (channel, jpeg));
  else
    library->api.unbind (channel);
}

int32_t
fh_get (const FhLibrary *library, uint32_t types, void *stream)
{
  return is_b (library) ? library->api.get_b (types, stream, GET_MS)
                        : library->api.get (types, stream);
}

int32_t
fh_release (const FhLibrary *library, uint32_t channel, void *stream)
{
  return is_b (library) ? library->api.release_b (stream)
                        : library->api.release (channel);
}
