/* Errors of hal-src as messages of elements.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef GST_SOC_ERROR_H
#define GST_SOC_ERROR_H

#include <gst/gst.h>

#include "hal.h"

G_BEGIN_DECLS

/* Each posts one message that names the call, the decoded code and what to do
 * about it. */
void gst_soc_post_error (GstElement *element, const HalError *error);
void gst_soc_post_warning (GstElement *element, const HalError *error);

G_END_DECLS

#endif /* GST_SOC_ERROR_H */
