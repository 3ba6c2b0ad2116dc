/* The plugin soc: cameras' hardware encoders as live sources.
 *
 * Registration only: nothing here looks for hardware or loads a library. An
 * element of a chip that is not there says so when it goes to READY.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstsocelements.h"

const GstSocFamily *const gst_soc_families[] = {
#ifdef HAVE_HAL_HISI
  &gst_soc_hisi,
#endif
#ifdef HAVE_HAL_FULLHAN
  &gst_soc_fullhan,
#endif
#ifdef HAVE_HAL_INGENIC
  &gst_soc_ingenic,
#endif
#ifdef HAVE_HAL_AMBARELLA
  &gst_soc_ambarella,
#endif
#ifdef HAVE_HAL_X86
  &gst_soc_x86,
#endif
  NULL,
};

static gboolean
plugin_init (GstPlugin *plugin)
{
  gboolean ok = GST_DEVICE_PROVIDER_REGISTER (socdeviceprovider, plugin);
  guint i;

  for (i = 0; gst_soc_families[i] != NULL; i++)
    ok |= gst_soc_families[i]->register_elements (plugin);
  return ok;
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, soc,
                   "Hardware encoders of camera chips as live sources",
                   plugin_init, PLUGIN_VERSION, GST_LICENSE, GST_PACKAGE_NAME,
                   GST_PACKAGE_ORIGIN)
