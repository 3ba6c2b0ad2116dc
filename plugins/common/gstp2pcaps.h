/* Caps and buffers between pads and the wire.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Functions without state. Nothing here trusts the network.
 */
#ifndef GST_P2P_CAPS_H
#define GST_P2P_CAPS_H

#include <gst/gst.h>
#include "p2pwire.h"

G_BEGIN_DECLS

/* The formats of the pads, by direction. */
#define GST_P2P_VIDEO_CAPS                                                     \
  "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au; "    \
  "video/x-h265, stream-format=(string)byte-stream, alignment=(string)au; "    \
  "image/jpeg"
#define GST_P2P_AUDIO_CAPS                                                     \
  "audio/mpeg, mpegversion=(int){ 2, 4 }; "                                    \
  "audio/x-opus; audio/x-alaw; audio/x-mulaw"

const gchar *gst_p2p_kind_name (P2pWireKind kind); /* "video" … */
/* Of a pad's name ("video_3"); FALSE: not such a name. */
gboolean gst_p2p_pad_name_parse (const gchar *name, P2pWireKind *kind,
                                 guint *number);

/* What the wire will carry, or NULL and an error that says which field cannot
 * cross. */
gchar *gst_p2p_caps_to_wire (GstCaps *caps, GError **error);
/* NULL: refused. `text` is from the network; `allowed` is the template's. */
GstCaps *gst_p2p_caps_from_wire (const gchar *text, GstCaps *allowed);

/* The buffers of the caps' streamheader, or NULL. Free with
 * g_list_free_full (…, gst_buffer_unref). */
GList *gst_p2p_caps_get_headers (GstCaps *caps);

guint16 gst_p2p_flags_to_wire (GstBuffer *buffer);
void gst_p2p_flags_from_wire (guint16 flags, GstBuffer *buffer);

/* The buffer's bytes. They are referenced, not copied, unless the buffer comes
 * from a pool, which a viewer that stalls would drain. NULL: not mappable. */
GBytes *gst_p2p_buffer_to_bytes (GstBuffer *buffer);

G_END_DECLS

#endif /* GST_P2P_CAPS_H */
