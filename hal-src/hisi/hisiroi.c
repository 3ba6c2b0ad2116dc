/* Regions of interest. Known of v4 and Goke alone: other generations have other
 * structures.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "hisiprivate.h"

bool
hisi_roi_known (const HisiLibrary *library)
{
  return library->layout->generation == HISI_V4 && library->api.set_roi != NULL;
}

/* All of them are written, as those that were and are no more must be turned
 * off. */
HalStatus
hisi_roi_set (HisiStream *stream, const HalStreamConfig *config,
              HalError *error)
{
  HisiContext *context = (HisiContext *)stream->base.context;
  unsigned i;

  if (config->codec == HAL_CODEC_JPEG)
    return config->n_roi == 0
               ? HAL_OK
               : hal_fail (error, HAL_UNSUPPORTED, "", 0, "leave roi empty",
                           "JPEG has no regions of interest");
  for (i = 0; i < HAL_MAX_ROI; i++) {
    const HalRoi *roi = &config->roi[i];
    HisiV4Roi attr = { .index = i };
    int32_t code;

    if (i < config->n_roi) {
      attr.enable = 1;
      attr.absolute = roi->absolute;
      attr.qp = roi->qp;
      attr.x = (int32_t)roi->x;
      attr.y = (int32_t)roi->y;
      attr.width = roi->width;
      attr.height = roi->height;
    }
    code = context->library.api.set_roi (stream->channel, &attr);
    if (code != 0)
      return hisi_fail (error, context->library.layout, "VENC_SetRoiAttr",
                        code);
  }
  return HAL_OK;
}
