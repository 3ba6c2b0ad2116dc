/* The layouts of Ingenic's generations, and which of them a library has.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "ingeniclayout.h"

#include <string.h>

#include "halbackend.h"

#define OFFSET(type, member) (uint16_t) offsetof (type, member)

#define NEW(number, text, isp_kind, source_at, attr_type, vpu_at)              \
  {                                                                            \
    .generation = number, .name = text, .new_kind = true, .h265 = true,        \
    .isp = isp_kind, .sensor_bus = OFFSET (IngenicSensorInfo, bus),            \
    .source = source_at,                                                       \
    .stream = { sizeof (IngenicRingStream),                                    \
                OFFSET (IngenicRingStream, ring),                              \
                OFFSET (IngenicRingStream, ring_size),                         \
                OFFSET (IngenicRingStream, packs),                             \
                OFFSET (IngenicRingStream, n_packs),                           \
                OFFSET (IngenicRingStream, sequence) },                        \
    .pack = { sizeof (IngenicRingPack), OFFSET (IngenicRingPack, offset),      \
              HAL_NO_OFFSET, OFFSET (IngenicRingPack, length),                 \
              OFFSET (IngenicRingPack, pts) },                                 \
    .attr = { sizeof (attr_type), OFFSET (attr_type, rc), vpu_at },            \
    .rc_size = sizeof (IngenicRcMode),                                         \
    .rc_modes = { INGENIC_RC_CBR, INGENIC_RC_VBR, INGENIC_RC_CAPPED_VBR,       \
                  INGENIC_RC_CAPPED_QUALITY, INGENIC_RC_FIXQP },               \
    .cbr_qp_min = OFFSET (IngenicRcMode, u.cbr.qp_min),                        \
    .cbr_qp_max = OFFSET (IngenicRcMode, u.cbr.qp_max),                        \
    .vbr_qp_min = OFFSET (IngenicRcMode, u.vbr.qp_min),                        \
    .vbr_qp_max = OFFSET (IngenicRcMode, u.vbr.qp_max)                         \
  }

#define OLD(number, text, has_h265, sensor)                                    \
  {                                                                            \
    .generation = number, .name = text, .h265 = has_h265,                      \
    .sensor_bus = OFFSET (sensor, bus),                                        \
    .stream = { sizeof (IngenicStreamOld),                                     \
                HAL_NO_OFFSET,                                                 \
                HAL_NO_OFFSET,                                                 \
                OFFSET (IngenicStreamOld, packs),                              \
                OFFSET (IngenicStreamOld, n_packs),                            \
                OFFSET (IngenicStreamOld, sequence) },                         \
    .pack = { sizeof (IngenicPack), HAL_NO_OFFSET,                             \
              OFFSET (IngenicPack, address), OFFSET (IngenicPack, length),     \
              OFFSET (IngenicPack, pts) },                                     \
    .attr = { sizeof (IngenicAttrOld), OFFSET (IngenicAttrOld, rc),            \
              HAL_NO_OFFSET },                                                 \
    .rc_size = sizeof (IngenicRcOld),                                          \
    .rc_modes                                                                  \
        = { INGENIC_OLD_RC_CBR,                                                \
            INGENIC_OLD_RC_VBR,                                                \
            INGENIC_OLD_RC_SMART,                                              \
            INGENIC_NO_RC_MODE,                                                \
            INGENIC_OLD_RC_FIXQP }                                             \
  }

static const IngenicLayout layouts[] = {
  OLD (INGENIC_T20, "t20", false, IngenicSensorInfo),
  OLD (INGENIC_T21, "t21", true, IngenicSensorInfo),
  OLD (INGENIC_T23, "t23", true, IngenicT23SensorInfo),
  OLD (INGENIC_T30, "t30", true, IngenicSensorInfo),
  NEW (INGENIC_T31, "t31", INGENIC_ISP_ONE, 0, IngenicT31Attr, HAL_NO_OFFSET),
  NEW (INGENIC_T40, "t40", INGENIC_ISP_MANY,
       OFFSET (IngenicT40SourceAttr, attr), IngenicT31Attr, HAL_NO_OFFSET),
  NEW (INGENIC_T41, "t41", INGENIC_ISP_RATE,
       OFFSET (IngenicT40SourceAttr, attr), IngenicT41Attr,
       OFFSET (IngenicT41Attr, vpu)),
  NEW (INGENIC_C100, "c100", INGENIC_ISP_ONE, 0, IngenicT31Attr, HAL_NO_OFFSET),
};

/* What the chip's name begins with. */
static const struct
{
  const char *chip;
  IngenicGeneration generation;
} chips[] = {
  { "T20", INGENIC_T20 }, { "T21", INGENIC_T21 },   { "T23", INGENIC_T23 },
  { "T30", INGENIC_T30 }, { "T31", INGENIC_T31 },   { "T40", INGENIC_T40 },
  { "T41", INGENIC_T41 }, { "C100", INGENIC_C100 },
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
    *ret_layout = ingenic_layout (chips[i].generation);
    if ((*ret_layout)->new_kind != new_kind)
      break;
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
