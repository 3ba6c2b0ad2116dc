/* Error codes of the IoT Video P2P interface.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names and values are those that firmware written for the interface compares
 * with, misspelt ones included.
 */
#ifndef IV_ERR_H
#define IV_ERR_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  IV_ERR_NONE = 0,

  /* The system. */
  IV_ERR_SYS_NOT_SUPPORT = -105,
  IV_ERR_SYS_MALLOC_FAIL = -108,
  IV_ERR_SYS_COMMUNICATE_FAIL = -109,
  IV_ERR_SYS_COMMUNICATE_TIMEOUT = -110,
  IV_ERR_SYS_MAX_RETRY_COUNT = -111,

  /* Audio and video transport. */
  IV_ERR_AVT_INIT_PRM_NULL = -300,  /* no structure given to init */
  IV_ERR_AVT_INIT_CB_NULL = -301,   /* a callback in it is NULL */
  IV_ERR_AVT_INIT_PRM_RANGE = -302, /* a setting is wrong or missing */
  IV_ERR_AVT_REQ_CHN_BUSY = -303,
  IV_ERR_AVT_SEND_STREAM_TOO_BIG = -304,
  IV_ERR_AVT_CHN_NOT_EXIT = -305, /* no such channel, or no longer */
  IV_ERR_AVT_NEED_IDR_FRAME = -306,
  IV_ERR_AVT_MALLOC_BUFFER_FAILED = -307,
  IV_ERR_AVT_FAILED = -308,
  IV_ERR_AVT_INPUT_PARAM_NULL = -309,
  IV_ERR_AVT_INPUT_PARAM_INVAILD = -310,
  IV_ERR_AVT_SEND_DATA_TIMEOUT = -311,
  IV_ERR_AVT_STATE_ERROR = -312, /* not initialised, or already so */
  IV_ERR_AVT_VIDEO_DATA_ERROR = -313,

  /* Keep-alive. */
  IV_ERR_KP_PRM_NULL = -900,
  IV_ERR_KP_REGISTER_FAILED = -901,
  IV_ERR_KP_SEND_FAILED = -902,
  IV_ERR_KP_GET_TIMEOUT = -903,

  IV_ERR_DEVICE_OFFLINE = -1001,
} iv_err_code_e;

#ifdef __cplusplus
}
#endif

#endif /* IV_ERR_H */
