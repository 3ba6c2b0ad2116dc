/* The plugin: udtsink and udtsrc.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstudtsink.h"
#include "gstudtsrc.h"

GstUdtSettings *
gst_udt_settings_of (GstElement *element)
{
  return GST_IS_UDT_SINK (element) ? &GST_UDT_SINK (element)->settings
                                   : &GST_UDT_SRC (element)->settings;
}

static gboolean
plugin_init (GstPlugin *plugin)
{
  gboolean ok = GST_ELEMENT_REGISTER (udtsink, plugin);

  return GST_ELEMENT_REGISTER (udtsrc, plugin) && ok;
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, udt,
                   "A live stream over plain UDP, encrypted and repaired",
                   plugin_init, PLUGIN_VERSION, GST_LICENSE, GST_PACKAGE_NAME,
                   GST_PACKAGE_ORIGIN)
