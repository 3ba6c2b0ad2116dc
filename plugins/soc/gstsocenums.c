/* Enumerations of the SoC elements' properties.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstsocenums.h"

#include "hal.h"

GType
gst_soc_codec_get_type (void)
{
  static const GEnumValue values[] = {
    { HAL_CODEC_H264, "H.264", "h264" },
    { HAL_CODEC_H265, "H.265", "h265" },
    { HAL_CODEC_JPEG, "Motion JPEG", "jpeg" },
    { 0, NULL, NULL },
  };
  static gsize type;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstSocCodec", values));
  return type;
}

GType
gst_soc_rate_control_get_type (void)
{
  static const GEnumValue values[] = {
    { HAL_RC_CBR, "Constant bit rate", "cbr" },
    { HAL_RC_VBR, "Variable bit rate", "vbr" },
    { HAL_RC_AVBR, "Variable bit rate that follows the scene", "avbr" },
    { HAL_RC_QVBR, "Variable bit rate with a quality target", "qvbr" },
    { HAL_RC_CQP, "Constant quantiser", "cqp" },
    { 0, NULL, NULL },
  };
  static gsize type;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type,
                       g_enum_register_static ("GstSocRateControl", values));
  return type;
}
