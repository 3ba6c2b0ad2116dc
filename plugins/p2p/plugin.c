/* The plugin p2p: p2psink and p2psrc.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Registration only: nothing here touches the network, a thread or a file.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstp2psink.h"
#include "gstp2psrc.h"

static gboolean
plugin_init (GstPlugin *plugin)
{
  gboolean ok = FALSE;

  ok |= GST_ELEMENT_REGISTER (p2psink, plugin);
  ok |= GST_ELEMENT_REGISTER (p2psrc, plugin);
  return ok;
}

GST_PLUGIN_DEFINE (
    GST_VERSION_MAJOR, GST_VERSION_MINOR, p2p,
    "Audio, video and data straight between a camera and its viewers",
    plugin_init, PLUGIN_VERSION, GST_LICENSE, GST_PACKAGE_NAME,
    GST_PACKAGE_ORIGIN)
