/* The layouts of Ingenic's generations, and which of them a library has.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "ingeniclayout.h"

#include <string.h>

#include "halbackend.h"

#define OFFSET(type, member) (uint16_t) offsetof (type, member)

#define RING_STREAM                                                            \
  {                                                                            \
    sizeof (IngenicRingStream), OFFSET (IngenicRingStream, ring),              \
        OFFSET (IngenicRingStream, ring_size),                                 \
        OFFSET (IngenicRingStream, packs),                                     \
        OFFSET (IngenicRingStream, n_packs),                                   \
        OFFSET (IngenicRingStream, sequence)                                   \
  }
#define RING_PACK                                                              \
  {                                                                            \
    sizeof (IngenicRingPack), OFFSET (IngenicRingPack, offset),                \
        OFFSET (IngenicRingPack, length), OFFSET (IngenicRingPack, pts)        \
  }
#define NEW_RC                                                                 \
  {                                                                            \
    INGENIC_RC_CBR, INGENIC_RC_VBR, INGENIC_RC_CAPPED_VBR,                     \
        INGENIC_RC_CAPPED_QUALITY, INGENIC_RC_FIXQP                            \
  }

static const IngenicLayout layouts[] = {
  {
      .generation = INGENIC_T31,
      .name = "t31",
      .stream = RING_STREAM,
      .pack = RING_PACK,
      .attr = { sizeof (IngenicT31Attr), OFFSET (IngenicT31Attr, rc) },
      .rc_size = sizeof (IngenicRcMode),
      .rc_modes = NEW_RC,
      .cbr_qp_min = OFFSET (IngenicRcMode, u.cbr.qp_min),
      .cbr_qp_max = OFFSET (IngenicRcMode, u.cbr.qp_max),
      .vbr_qp_min = OFFSET (IngenicRcMode, u.vbr.qp_min),
      .vbr_qp_max = OFFSET (IngenicRcMode, u.vbr.qp_max),
  },
};

/* What the chip's name begins with. */
static const struct
{
  const char *chip;
  IngenicGeneration generation;
  bool new_kind;
} chips[] = {
  { "T31", INGENIC_T31, true },
};

const IngenicLayout *
ingenic_layout (IngenicGeneration generation)
{
  size_t i;

  for (i = 0; i < HAL_N_ELEMENTS (layouts); i++) {
    if (layouts[i].generation == generation)
      return &layouts[i];
  }
  return NULL;
}

HalStatus
ingenic_identify (const char *chip, const char *version, bool new_kind,
                  const IngenicLayout **ret_layout, HalError *error)
{
  size_t i;

  for (i = 0; i < HAL_N_ELEMENTS (chips); i++) {
    if (strncmp (chip, chips[i].chip, strlen (chips[i].chip)) != 0)
      continue;
    if (chips[i].new_kind != new_kind)
      break;
    *ret_layout = ingenic_layout (chips[i].generation);
    return HAL_OK;
  }
  if (i < HAL_N_ELEMENTS (chips))
    return hal_fail (error, HAL_BAD_VERSION, "IMP_System_GetCPUInfo", 0,
                     "the library is of another chip's SDK; take that of this "
                     "chip",
                     "'%s/%s' does not go with the library's functions", chip,
                     version);
  return hal_fail (error, HAL_BAD_VERSION, "IMP_System_GetCPUInfo", 0,
                   "the structures of this chip's SDK are not known; please "
                   "report it",
                   "'%s/%s' is no chip that is supported", chip, version);
}
