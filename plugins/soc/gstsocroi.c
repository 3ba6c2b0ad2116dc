/* Regions of interest as the value of a property; see gstsocroi.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstsocroi.h"

#include <string.h>

#define NAME "roi"

GParamSpec *
gst_soc_roi_param_spec (const gchar *blurb, GParamFlags flags)
{
  return gst_param_spec_array ("roi", "Regions of interest", blurb,
                               g_param_spec_boxed ("region", "Region",
                                                   "x, y, w, h, qp-delta or qp",
                                                   GST_TYPE_STRUCTURE, flags),
                               flags);
}

static gboolean
parse (const GValue *value, HalRoi *ret_roi)
{
  const GstStructure *region = GST_VALUE_HOLDS_STRUCTURE (value)
                                   ? gst_value_get_structure (value)
                                   : NULL;
  gint x, y, w, h;

  if (region == NULL
      || !gst_structure_get (region, "x", G_TYPE_INT, &x, "y", G_TYPE_INT, &y,
                             "w", G_TYPE_INT, &w, "h", G_TYPE_INT, &h, NULL)
      || x < 0 || y < 0 || w < 0 || h < 0)
    return FALSE;
  ret_roi->x = (guint)x;
  ret_roi->y = (guint)y;
  ret_roi->width = (guint)w;
  ret_roi->height = (guint)h;
  ret_roi->absolute = gst_structure_get_int (region, "qp", &ret_roi->qp);
  return ret_roi->absolute
         || gst_structure_get_int (region, "qp-delta", &ret_roi->qp);
}

gboolean
gst_soc_roi_from_value (const GValue *value, HalStreamConfig *config,
                        gchar **ret_refused)
{
  guint n = gst_value_array_get_size (value), i;
  HalRoi roi[HAL_MAX_ROI];

  memset (roi, 0, sizeof roi);
  if (n > HAL_MAX_ROI) {
    *ret_refused
        = g_strdup_printf ("roi: %u regions are more than %u", n, HAL_MAX_ROI);
    return FALSE;
  }
  for (i = 0; i < n; i++) {
    if (!parse (gst_value_array_get_value (value, i), &roi[i])) {
      *ret_refused = g_strdup_printf (
          "roi: region %u does not have x, y, w, h from 0 on, and qp-delta or "
          "qp",
          i);
      return FALSE;
    }
  }
  memcpy (config->roi, roi, sizeof roi);
  config->n_roi = n;
  return TRUE;
}

void
gst_soc_roi_to_value (const HalStreamConfig *config, GValue *value)
{
  guint i;

  for (i = 0; i < config->n_roi; i++) {
    const HalRoi *roi = &config->roi[i];
    GstStructure *region = gst_structure_new (
        NAME, "x", G_TYPE_INT, (gint)roi->x, "y", G_TYPE_INT, (gint)roi->y, "w",
        G_TYPE_INT, (gint)roi->width, "h", G_TYPE_INT, (gint)roi->height,
        roi->absolute ? "qp" : "qp-delta", G_TYPE_INT, roi->qp, NULL);
    GValue one = G_VALUE_INIT;

    g_value_init (&one, GST_TYPE_STRUCTURE);
    g_value_take_boxed (&one, region);
    gst_value_array_append_and_take_value (value, &one);
  }
}
