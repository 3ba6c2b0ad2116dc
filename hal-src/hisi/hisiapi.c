/* Loading HiSilicon's and Goke's media libraries.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "hisiapi.h"

#include <stdio.h>
#include <unistd.h>

#include "halbackend.h"

/* Dependencies first. What only some SDKs of a kind have is optional: the
 * libraries are bound lazily, and a function that is missing and needed is
 * found out below. */
static const HalLibrary mpi_libraries[] = {
  { "libsecurec.so", true }, { "libupvqe.so", true },
  { "libdnvqe.so", true },   { "libVoiceEngine.so", true },
  { "libmpi.so", false },    { "lib_hicalcflicker.so", true },
  { "libisp.so", true },     { "lib_hiae.so", true },
  { "lib_hiawb.so", true },  { "lib_hiir_auto.so", true },
  { "lib_hildci.so", true }, { "lib_hidehaze.so", true },
  { "lib_hidrc.so", true },  { "lib_hiacs.so", true },
};

static const HalLibrary goke_libraries[] = {
  { "libsecurec.so", true }, { "libupvqe.so", true },
  { "libdnvqe.so", true },   { "libvoice_engine.so", true },
  { "libgk_api.so", false }, { "libhi_mpi.so", false },
  { "libgk_isp.so", true },  { "libgk_ae.so", true },
  { "libhi_ae.so", true },   { "libgk_awb.so", true },
  { "libhi_awb.so", true },  { "libir_auto.so", true },
  { "libldci.so", true },    { "libdrc.so", true },
  { "libdehaze.so", true },  { "libhi_isp.so", true },
};

static const HalLibrary ss_libraries[] = {
  { "libsecurec.so", true },       { "libot_osal.so", true },
  { "libss_mpi_sysmem.so", true }, { "libss_mpi_sysbind.so", true },
  { "libupvqe.so", true },         { "libdnvqe.so", true },
  { "libvoice_engine.so", true },  { "libss_mpi.so", false },
  { "libss_mpi_audio.so", true },
};

#define MPI(member, symbol) HAL_SYMBOL (HisiApi, member, "HI_MPI_" symbol)
#define MPI_OPTIONAL(member, symbol)                                           \
  HAL_SYMBOL_OPTIONAL (HisiApi, member, "HI_MPI_" symbol)
#define SS(member, symbol) HAL_SYMBOL (HisiApi, member, "ss_mpi_" symbol)
#define SS_OPTIONAL(member, symbol)                                            \
  HAL_SYMBOL_OPTIONAL (HisiApi, member, "ss_mpi_" symbol)

static const HalSymbol mpi_symbols[] = {
  MPI (sys_init, "SYS_Init"),
  MPI (sys_exit, "SYS_Exit"),
  MPI (sys_get_version, "SYS_GetVersion"),
  MPI (sys_bind, "SYS_Bind"),
  MPI (sys_unbind, "SYS_UnBind"),
  MPI (create, "VENC_CreateChn"),
  MPI (destroy, "VENC_DestroyChn"),
  MPI (get_stream, "VENC_GetStream"),
  MPI (release_stream, "VENC_ReleaseStream"),
  MPI (get_fd, "VENC_GetFd"),
  MPI_OPTIONAL (close_fd, "VENC_CloseFd"),
  MPI (get_attr, "VENC_GetChnAttr"),
  MPI (set_attr, "VENC_SetChnAttr"),
  MPI_OPTIONAL (scaler_get_attr, "VPSS_GetChnAttr"),
  MPI_OPTIONAL (ai_set_attr, "AI_SetPubAttr"),
  MPI_OPTIONAL (ai_enable, "AI_Enable"),
  MPI_OPTIONAL (ai_disable, "AI_Disable"),
  MPI_OPTIONAL (ai_enable_chn, "AI_EnableChn"),
  MPI_OPTIONAL (ai_disable_chn, "AI_DisableChn"),
  MPI_OPTIONAL (ai_get_param, "AI_GetChnParam"),
  MPI_OPTIONAL (ai_set_param, "AI_SetChnParam"),
  MPI_OPTIONAL (ai_get_frame, "AI_GetFrame"),
  MPI_OPTIONAL (ai_release_frame, "AI_ReleaseFrame"),
  MPI_OPTIONAL (ao_set_attr, "AO_SetPubAttr"),
  MPI_OPTIONAL (ao_enable, "AO_Enable"),
  MPI_OPTIONAL (ao_disable, "AO_Disable"),
  MPI_OPTIONAL (ao_enable_chn, "AO_EnableChn"),
  MPI_OPTIONAL (ao_disable_chn, "AO_DisableChn"),
  MPI_OPTIONAL (ao_send_frame, "AO_SendFrame"),
};

/* By generation */
static const HalSymbol v1_symbols[] = {
  MPI (sys_get_pts, "SYS_GetCurPts"),
  MPI (start, "VENC_StartRecvPic"),
  MPI_OPTIONAL (start_count, "VENC_StartRecvPicEx"),
  MPI (stop, "VENC_StopRecvPic"),
  MPI (query, "VENC_Query"),
  MPI_OPTIONAL (get_rc_param, "VENC_GetRcPara"),
  MPI_OPTIONAL (set_rc_param, "VENC_SetRcPara"),
  MPI (request_idr_now, "VENC_RequestIDRInst"),
  MPI (create_group, "VENC_CreateGroup"),
  MPI (destroy_group, "VENC_DestroyGroup"),
  MPI (add_to_group, "VENC_RegisterChn"),
  MPI (remove_from_group, "VENC_UnRegisterChn"),
};

static const HalSymbol v2_symbols[] = {
  MPI (sys_get_pts, "SYS_GetCurPts"),
  MPI (start, "VENC_StartRecvPic"),
  MPI_OPTIONAL (start_count, "VENC_StartRecvPicEx"),
  MPI (stop, "VENC_StopRecvPic"),
  MPI (query, "VENC_Query"),
  MPI_OPTIONAL (get_rc_param, "VENC_GetRcParam"),
  MPI_OPTIONAL (set_rc_param, "VENC_SetRcParam"),
  MPI (request_idr, "VENC_RequestIDR"),
};

static const HalSymbol v4_symbols[] = {
  MPI (sys_get_pts, "SYS_GetCurPTS"),
  MPI (start_count, "VENC_StartRecvFrame"),
  MPI (stop, "VENC_StopRecvFrame"),
  MPI (query, "VENC_QueryStatus"),
  MPI_OPTIONAL (get_rc_param, "VENC_GetRcParam"),
  MPI_OPTIONAL (set_rc_param, "VENC_SetRcParam"),
  MPI_OPTIONAL (set_roi, "VENC_SetRoiAttr"),
  MPI (request_idr, "VENC_RequestIDR"),
};

static const HalSymbol v5_symbols[] = {
  SS (sys_init, "sys_init"),
  SS (sys_exit, "sys_exit"),
  SS (sys_get_version, "sys_get_version"),
  SS (sys_get_pts, "sys_get_cur_pts"),
  SS (sys_bind, "sys_bind"),
  SS (sys_unbind, "sys_unbind"),
  SS (create, "venc_create_chn"),
  SS (destroy, "venc_destroy_chn"),
  SS (start_count, "venc_start_chn"),
  SS (stop, "venc_stop_chn"),
  SS (query, "venc_query_status"),
  SS (get_stream, "venc_get_stream"),
  SS (release_stream, "venc_release_stream"),
  SS (get_fd, "venc_get_fd"),
  SS (get_attr, "venc_get_chn_attr"),
  SS (set_attr, "venc_set_chn_attr"),
  SS_OPTIONAL (get_rc_param, "venc_get_rc_param"),
  SS_OPTIONAL (set_rc_param, "venc_set_rc_param"),
  SS (request_idr, "venc_request_idr"),
  SS_OPTIONAL (scaler_get_attr, "vpss_get_chn_attr"),
  SS_OPTIONAL (ai_set_attr, "ai_set_pub_attr"),
  SS_OPTIONAL (ai_enable, "ai_enable"),
  SS_OPTIONAL (ai_disable, "ai_disable"),
  SS_OPTIONAL (ai_enable_chn, "ai_enable_chn"),
  SS_OPTIONAL (ai_disable_chn, "ai_disable_chn"),
  SS_OPTIONAL (ai_get_param, "ai_get_chn_attr"),
  SS_OPTIONAL (ai_set_param, "ai_set_chn_attr"),
  SS_OPTIONAL (ai_get_frame, "ai_get_frame"),
  SS_OPTIONAL (ai_release_frame, "ai_release_frame"),
  SS_OPTIONAL (ao_set_attr, "ao_set_pub_attr"),
  SS_OPTIONAL (ao_enable, "ao_enable"),
  SS_OPTIONAL (ao_disable, "ao_disable"),
  SS_OPTIONAL (ao_enable_chn, "ao_enable_chn"),
  SS_OPTIONAL (ao_disable_chn, "ao_disable_chn"),
  SS_OPTIONAL (ao_send_frame, "ao_send_frame"),
};

typedef struct
{
  const HalSymbol *symbols;
  unsigned n;
} SymbolTable;

static const SymbolTable by_generation[] = {
  [HISI_V1] = { v1_symbols, HAL_N_ELEMENTS (v1_symbols) },
  [HISI_V2] = { v2_symbols, HAL_N_ELEMENTS (v2_symbols) },
  [HISI_V3] = { v2_symbols, HAL_N_ELEMENTS (v2_symbols) },
  [HISI_V4] = { v4_symbols, HAL_N_ELEMENTS (v4_symbols) },
  [HISI_V5] = { v5_symbols, HAL_N_ELEMENTS (v5_symbols) },
};

char
hisi_library_kind (const HalEnv *env, char *ret_path, size_t size)
{
  if (hal_loader_find (env, "libss_mpi.so", ret_path, size))
    return 's';
  if (hal_loader_find (env, "libhi_mpi.so", ret_path, size))
    return 'g';
  if (hal_loader_find (env, "libmpi.so", ret_path, size))
    return 'm';
  return 0;
}

static HalStatus
load (HisiLibrary *library, const HalEnv *env, char kind, HalError *error)
{
  switch (kind) {
    case 's':
      return hal_loader_open (&library->loader, env, ss_libraries,
                              HAL_N_ELEMENTS (ss_libraries), error);
    case 'g':
      return hal_loader_open (&library->loader, env, goke_libraries,
                              HAL_N_ELEMENTS (goke_libraries), error);
    default:
      return hal_loader_open (&library->loader, env, mpi_libraries,
                              HAL_N_ELEMENTS (mpi_libraries), error);
  }
}

/* Asks for the version; it can be read before anything is initialised. */
static HalStatus
identify (HisiLibrary *library, char kind, HalError *error)
{
  HisiShape shape = {
    .groups
    = hal_loader_symbol (&library->loader, "HI_MPI_VENC_CreateGroup") != NULL,
    .rc_priority
    = hal_loader_symbol (&library->loader, "HI_MPI_VENC_SetRcPriority") != NULL,
    .recv_frame
    = hal_loader_symbol (&library->loader, "HI_MPI_VENC_StartRecvFrame")
      != NULL,
    .ss = kind == 's',
  };
  char memory[HISI_OUT_SIZE] = { 0 };
  HisiGeneration generation;
  HalStatus status;

  /* Without an answer the functions decide. */
  if (library->api.sys_get_version ((HisiVersion *)memory) != 0)
    memset (memory, 0, sizeof memory);
  snprintf (library->version, sizeof library->version, "%.63s", memory);
  status
      = hisi_generation (library->version, &shape, &generation, library->chip,
                         sizeof library->chip, &library->known_version, error);
  if (status == HAL_OK)
    library->layout = hisi_layout (generation, sizeof (void *) == 8);
  return status;
}

HalStatus
hisi_library_open (HisiLibrary *library, const HalEnv *env, HalError *error)
{
  char path[512] = "";
  char kind = hisi_library_kind (env, path, sizeof path);
  HalStatus status;

  memset (library, 0, sizeof *library);
  status = load (library, env, kind, error);
  if (status != HAL_OK)
    return status;
  if (kind != 's')
    status
        = hal_loader_bind (&library->loader, mpi_symbols,
                           HAL_N_ELEMENTS (mpi_symbols), &library->api, error);
  else
    status
        = hal_loader_bind (&library->loader, v5_symbols,
                           HAL_N_ELEMENTS (v5_symbols), &library->api, error);
  if (status == HAL_OK)
    status = identify (library, kind, error);
  if (status == HAL_OK && kind != 's') {
    const SymbolTable *table = &by_generation[library->layout->generation];

    status = hal_loader_bind (&library->loader, table->symbols, table->n,
                              &library->api, error);
  }
  if (status != HAL_OK)
    hisi_library_close (library);
  return status;
}

void
hisi_library_close (HisiLibrary *library)
{
  hal_loader_close (&library->loader);
}
