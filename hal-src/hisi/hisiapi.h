/* The functions of HiSilicon's and Goke's media libraries, and which of them
 * an SDK has.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef HISI_API_H
#define HISI_API_H

#include "halloader.h"
#include "hisilayout.h"

/* All return 0 or an error code. Structures differ by generation, so they are
 * passed as untyped memory. */
typedef struct
{
  /* SYS */
  int32_t (*sys_init) (void);
  int32_t (*sys_exit) (void);
  int32_t (*sys_get_version) (HisiVersion *version);
  int32_t (*sys_get_pts) (hal_u64 *pts);
  int32_t (*sys_bind) (const HisiMppChn *from, const HisiMppChn *to);
  int32_t (*sys_unbind) (const HisiMppChn *from, const HisiMppChn *to);
  /* VENC */
  int32_t (*create) (int32_t chn, const void *attr);
  int32_t (*destroy) (int32_t chn);
  int32_t (*start) (int32_t chn); /* v1 to v3 */
  int32_t (*start_count) (int32_t chn, const HisiRecvParam *param);
  int32_t (*stop) (int32_t chn);
  int32_t (*query) (int32_t chn, void *status);
  /* v1: whether to block; later: milliseconds. 0 is the same in both. */
  int32_t (*get_stream) (int32_t chn, void *stream, int32_t wait);
  int32_t (*release_stream) (int32_t chn, void *stream);
  int32_t (*get_fd) (int32_t chn);
  int32_t (*close_fd) (int32_t chn); /* v2 to v4 */
  int32_t (*get_attr) (int32_t chn, void *attr);
  int32_t (*set_attr) (int32_t chn, const void *attr);
  int32_t (*get_rc_param) (int32_t chn, void *param);
  int32_t (*set_rc_param) (int32_t chn, const void *param);
  int32_t (*set_roi) (int32_t chn, const HisiV4Roi *roi); /* v4 */
  int32_t (*request_idr) (int32_t chn, int32_t instant);  /* v2 and later */
  int32_t (*request_idr_now) (int32_t chn);               /* v1 */
  /* v1: groups between the scaler and the encoder */
  int32_t (*create_group) (int32_t group);
  int32_t (*destroy_group) (int32_t group);
  int32_t (*add_to_group) (int32_t group, int32_t chn);
  int32_t (*remove_from_group) (int32_t chn);
  /* VPSS */
  int32_t (*scaler_get_attr) (int32_t group, int32_t chn, void *attr);
  /* AI, AO */
  int32_t (*ai_set_attr) (int32_t device, const void *attr);
  int32_t (*ai_enable) (int32_t device);
  int32_t (*ai_disable) (int32_t device);
  int32_t (*ai_enable_chn) (int32_t device, int32_t chn);
  int32_t (*ai_disable_chn) (int32_t device, int32_t chn);
  int32_t (*ai_get_param) (int32_t device, int32_t chn, void *param);
  int32_t (*ai_set_param) (int32_t device, int32_t chn, const void *param);
  int32_t (*ai_get_frame) (int32_t device, int32_t chn, void *frame, void *aec,
                           int32_t ms);
  int32_t (*ai_release_frame) (int32_t device, int32_t chn, void *frame,
                               void *aec);
  int32_t (*ao_set_attr) (int32_t device, const void *attr);
  int32_t (*ao_enable) (int32_t device);
  int32_t (*ao_disable) (int32_t device);
  int32_t (*ao_enable_chn) (int32_t device, int32_t chn);
  int32_t (*ao_disable_chn) (int32_t device, int32_t chn);
  int32_t (*ao_send_frame) (int32_t device, int32_t chn, const void *frame,
                            int32_t ms);
} HisiApi;

typedef struct
{
  HalLoader loader;
  HisiApi api;
  const HisiLayout *layout;
  char version[80];
  char chip[32];
  bool known_version;
} HisiLibrary;

/* Which set of libraries there is, by file: 'g' Goke, 's' v5, 'm' the others,
 * 0 none. ret_path: where the main one is. */
char hisi_library_kind (const HalEnv *env, char *ret_path, size_t size);
HalStatus hisi_library_open (HisiLibrary *library, const HalEnv *env,
                             HalError *error);
void hisi_library_close (HisiLibrary *library);

/* Fills in error from a vendor's error code. call: "VENC_CreateChn". */
HalStatus hisi_fail (HalError *error, const HisiLayout *layout,
                     const char *call, int32_t code);
/* Of a call that opens a node of the driver, with errno 0 before it: one that
 * may not be opened is "not ready" to the library. */
HalStatus hisi_fail_open (HalError *error, const HisiLayout *layout,
                          const char *call, int32_t code);

#endif /* HISI_API_H */
