/* Types that the parts of the IoT Video interface share.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef IV_CM_H
#define IV_CM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Memory that a callback hands over. It is read before the callback's thread
 * calls anything else of the program, then `buf_free_fn` is called with the
 * same `buf` and `size`, exactly once, on that thread. NULL: `buf` is the
 * program's own, and may be used again at the next callback. */
typedef struct
{
  uint8_t *buf;
  size_t size;
  void (*buf_free_fn) (uint8_t *buf, size_t size);
} iv_cm_memory_s;

/* Log levels of the system module. */
typedef enum {
  IV_eLOG_DISABLE = 0,
  IV_eLOG_ERROR = 1,
  IV_eLOG_WARN = 2,
  IV_eLOG_INFO = 3,
  IV_eLOG_DEBUG = 4,
} iv_sys_log_level_type_e;

typedef enum {
  IV_CM_AENC_TYPE_PCM = 0,
  IV_CM_AENC_TYPE_G711A = 1,
  IV_CM_AENC_TYPE_G711U = 2,
  IV_CM_AENC_TYPE_G726 = 3,
  IV_CM_AENC_TYPE_AAC = 4,
  IV_CM_AENC_TYPE_AMR = 5,
  IV_CM_AENC_TYPE_ADPCM = 6,
  IV_CM_AENC_TYPE_BUTT
} iv_cm_aenc_type_e;

typedef enum {
  IV_CM_VENC_TYPE_H264 = 0,
  IV_CM_VENC_TYPE_H265 = 1,
  IV_CM_VENC_TYPE_MJPG = 2,
  IV_CM_VENC_TYPE_BUTT
} iv_cm_venc_type_e;

typedef enum {
  IV_CM_FRAME_TYPE_I = 0,
  IV_CM_FRAME_TYPE_P = 1,
  IV_CM_FRAME_TYPE_BUTT
} iv_cm_frame_type_e;

#ifdef __cplusplus
}
#endif

#endif /* IV_CM_H */
