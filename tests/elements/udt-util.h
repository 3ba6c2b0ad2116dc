/* A sink and a source of udt:// over loopback, each in a harness.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef UDT_UTIL_H
#define UDT_UTIL_H

#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>

#define KEY "0123456789abcdef0123456789abcdef"
#define H264                                                                   \
  "video/x-h264, stream-format=(string)byte-stream, "                          \
  "alignment=(string)au, width=(int)640, height=(int)480"

typedef struct
{
  GstHarness *sink, *src;
} Pair;

/* `name`: the element's. Without a key it is insecure. Not started. */
GstHarness *make_end (const gchar *name, const gchar *uri, const gchar *key);
guint bound_port (GstHarness *harness);

/* Both ends, one of them listening at a port that is free. */
Pair make_pair (gboolean sink_listens, const gchar *host, const gchar *key);
void free_pair (Pair *pair);

/* All its bytes are `number`; 40 ms after the one before. */
GstBuffer *make_frame (guint number, gsize size, GstBufferFlags flags);
/* Until somebody receives. */
void wait_for_key_unit_request (GstHarness *sink);

#endif /* UDT_UTIL_H */
