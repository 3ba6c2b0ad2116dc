/* The plugin watermark: iv-watermark-queue.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Registration only.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstivwatermarkqueue.h"

static gboolean
plugin_init (GstPlugin *plugin)
{
  return GST_ELEMENT_REGISTER (iv_watermark_queue, plugin);
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, watermark,
                   "A queue that tells of congestion, and pauses or drops",
                   plugin_init, PLUGIN_VERSION, GST_LICENSE, GST_PACKAGE_NAME,
                   GST_PACKAGE_ORIGIN)
