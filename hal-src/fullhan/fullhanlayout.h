/* Where things are in the structures of each generation, as data.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef FULLHAN_LAYOUT_H
#define FULLHAN_LAYOUT_H

#include "fullhanabi.h"
#include "hal.h"

/* More than any structure known that a library writes. */
#define FH_OUT_SIZE 1024

typedef enum {
  FH_A = 1,
  FH_B,
} FhGeneration;

#define FH_N_RC_MODES (HAL_RC_CQP + 1)
/* A mode that there is not; 0 is one. */
#define FH_NO_MODE UINT8_MAX

typedef struct
{
  FhGeneration generation;
  const char *name; /* "a" */
  uint16_t config_size, config_rc;
  struct
  {
    uint16_t size;
    uint16_t channel, data, length, pts; /* H.264, H.265 */
    uint16_t n_nals;
    uint16_t jpeg_channel, jpeg_data, jpeg_length, jpeg_pts;
  } stream;
  uint16_t change_size;
  uint8_t rc_modes[2][FH_N_RC_MODES]; /* H.264, H.265 */
  bool high_profile;
} FhLayout;

const FhLayout *fh_layout (FhGeneration generation);
/* The generation that a chip of this number is of, and its name; 0: not
 * known. */
FhGeneration fh_chip (uint32_t number, const char **ret_name);

#endif /* FULLHAN_LAYOUT_H */
