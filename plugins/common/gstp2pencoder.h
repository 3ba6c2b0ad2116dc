/* The encoder upstream of a pad, and its bit rate in bit/s whatever the
 * element's own unit is.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Functions without state. They run code of other elements: call them without
 * any lock, and not from a thread that others wait for.
 */
#ifndef GST_P2P_ENCODER_H
#define GST_P2P_ENCODER_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* An encoder that names no bit rate of its own is taken to have this one. */
#define GST_P2P_ENCODER_DEFAULT_BITRATE 4000000

/* `name` NULL: the encoder on the unbranched way up from `pad`: through
 * elements with one input and one output, into and out of bins. Else the
 * element of that name in the pipeline. Only one whose unit is known and whose
 * bit rate can be changed while it runs; NULL: there is none. */
GstElement *gst_p2p_encoder_find (GstPad *pad, const gchar *name);

/* 0: it decides by itself. */
guint64 gst_p2p_encoder_get_bitrate (GstElement *encoder);
/* FALSE: better not. Some begin anew, with a keyframe, at each change, which a
 * small rise is not worth. */
gboolean gst_p2p_encoder_is_worth (GstElement *encoder, guint64 has,
                                   guint64 wanted);
/* As near as the element's unit and range allow; 0: by itself again. */
void gst_p2p_encoder_set_bitrate (GstElement *encoder, guint64 bitrate);

G_END_DECLS

#endif /* GST_P2P_ENCODER_H */
