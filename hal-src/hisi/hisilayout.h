/* Where things are in the structures of each generation, as data.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef HISI_LAYOUT_H
#define HISI_LAYOUT_H

#include "hal.h"
#include "hisiabi.h"

/* More than any structure known that a library writes: zeroed before each
 * call, so that a newer SDK whose structures grew does no harm. */
#define HISI_OUT_SIZE 1024
/* Parts of a frame that are still believable. */
#define HISI_MAX_PACKS 128u

typedef enum {
  HISI_V1 = 1,
  HISI_V2,
  HISI_V3,
  HISI_V4,
  HISI_V5,
} HisiGeneration;

/* Positions in the words that hold a mode's parameters; the same for all
 * generations. */
enum {
  /* Modes with a bit rate */
  HISI_RC_GOP = 0,
  HISI_RC_STAT_TIME = 1,
  HISI_RC_SRC_FPS = 2,
  HISI_RC_DST_FPS = 3,
  HISI_RC_BITRATE = 4, /* kbit/s; a maximum in the variable ones */
  HISI_RC_MAX_QP = 5,  /* v1 to v3, VBR alone */
  HISI_RC_MIN_QP = 6,
  /* Constant quantiser */
  HISI_CQP_GOP = 0,
  HISI_CQP_SRC_FPS = 1,
  HISI_CQP_DST_FPS = 2,
  HISI_CQP_I = 3,
  HISI_CQP_P = 4,
  HISI_CQP_B = 5, /* v3 and later */
  /* Motion JPEG with a constant quality */
  HISI_JPEG_SRC_FPS = 0,
  HISI_JPEG_DST_FPS = 1,
  HISI_JPEG_QUALITY = 2,
};

#define HISI_N_RC_MODES (HAL_RC_CQP + 1)

/* The limits of the quantiser in a mode: offsets in the RC parameters, or in
 * the channel's attributes. */
typedef enum {
  HISI_QP_NONE,
  HISI_QP_PARAM,
  HISI_QP_ATTR,
} HisiQpPlace;

typedef struct
{
  HisiQpPlace place;
  uint16_t max, min, max_i, min_i; /* HAL_NO_OFFSET: has none */
} HisiQpLimits;

typedef struct
{
  HisiGeneration generation;
  const char *name; /* "v4" */
  unsigned venc_module, vpss_module;
  unsigned buffer_empty; /* the code of "nothing there" */
  struct
  {
    uint16_t size, packs, n_packs, sequence;
  } stream;
  struct
  {
    uint16_t size, address, length, address2, length2, pts, offset;
  } pack;
  struct
  {
    uint16_t size, n_packs;
  } status;
  struct
  {
    uint16_t size, type, max_width, max_height, buffer_size, profile, by_frame,
        width, height;
    uint16_t jpeg_by_frame, jpeg_width, jpeg_height;
    uint16_t rc_mode, rc, gop_mode, ip_qp_delta;
  } attr;
  uint16_t rc_param_size;
  /* Numbers of the modes: H.264, H.265; 0: has none. */
  uint8_t rc_modes[2][HISI_N_RC_MODES];
  uint8_t rc_jpeg;
  HisiQpLimits qp[2][HISI_N_RC_MODES];
  struct
  {
    uint16_t size, address, pts, sequence, length;
  } audio_frame;
  struct
  {
    uint16_t width, height;
  } scaler; /* HAL_NO_OFFSET: not known */
  uint16_t aio_size;
} HisiLayout;

const HisiLayout *hisi_layout (HisiGeneration generation, bool is_64);
/* By the SDK's version string and the shape of its functions. The string is
 * believed only if it agrees with the functions. */
typedef struct
{
  bool groups;      /* v1: channels are registered in groups */
  bool rc_priority; /* v2: gone in v3 */
  bool recv_frame;  /* v4 */
  bool ss;          /* v5 */
} HisiShape;
/* The chip's name is put into ret_chip. *ret_known: the version names a chip
 * that is known. */
HalStatus hisi_generation (const char *version, const HisiShape *shape,
                           HisiGeneration *ret_generation, char *ret_chip,
                           size_t chip_size, bool *ret_known, HalError *error);

#endif /* HISI_LAYOUT_H */
