/* Where things are in the structures of each generation, as data.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef INGENIC_LAYOUT_H
#define INGENIC_LAYOUT_H

#include "hal.h"
#include "ingenicabi.h"

/* More than any structure known that the library writes: zeroed before each
 * call, so that a newer SDK whose structures grew does no harm. */
#define INGENIC_OUT_SIZE 1024
/* Parts of a frame that are still believable. */
#define INGENIC_MAX_PACKS 128u
#define INGENIC_NO_RC_MODE UINT8_MAX
#define INGENIC_N_RC_MODES (HAL_RC_CQP + 1)

typedef enum {
  INGENIC_T20 = 20,
  INGENIC_T21 = 21,
  INGENIC_T23 = 23,
  INGENIC_T30 = 30,
  INGENIC_T31 = 31,
  INGENIC_T40 = 40,
  INGENIC_T41 = 41,
  INGENIC_C100 = 100,
} IngenicGeneration;

/* How the functions of the ISP are called. */
typedef enum {
  INGENIC_ISP_ONE,  /* one sensor */
  INGENIC_ISP_MANY, /* several, by number; and a rate of two pointers */
  INGENIC_ISP_RATE, /* the same; the rate is a structure */
} IngenicIsp;

typedef struct
{
  IngenicGeneration generation;
  const char *name; /* "t31" */
  /* Attributes are filled in by the library, and packs are in a ring. */
  bool new_kind;
  bool h265;
  IngenicIsp isp;
  uint16_t sensor_bus; /* where the bus and all after it are */
  uint16_t source;     /* where IngenicSourceAttr is in an output's */
  struct
  {
    uint16_t size, ring, ring_size, packs, n_packs, sequence;
  } stream;
  struct
  {
    uint16_t size, offset, address, length, pts; /* offset or address */
  } pack;
  struct
  {
    uint16_t size, rc; /* rc: the mode, then its parameters */
    uint16_t vpu;      /* HAL_NO_OFFSET: there is one encoder */
  } attr;
  uint16_t rc_size;
  uint8_t rc_modes[INGENIC_N_RC_MODES]; /* INGENIC_NO_RC_MODE: has none */
  /* The new kind. From the beginning of rc, by what rc_modes has: CBR, the
   * others. */
  uint16_t cbr_qp_min, cbr_qp_max, vbr_qp_min, vbr_qp_max;
} IngenicLayout;

/* By what the library says of the chip ("T31-X"), its version ("IMP-1.1.6"),
 * and whether its encoder has the functions of the new kind. */
HalStatus ingenic_identify (const char *chip, const char *version,
                            bool new_kind, const IngenicLayout **ret_layout,
                            HalError *error);
/* The layout of a generation; NULL: it is not known. */
const IngenicLayout *ingenic_layout (IngenicGeneration generation);

#endif /* INGENIC_LAYOUT_H */
