/* Encoders of the test's own, under names that the sinks know: they pass
 * everything on and remember what they were set to.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: fields under GST_OBJECT_LOCK, as properties are.
 */
#ifndef FAKE_ENCODER_H
#define FAKE_ENCODER_H

#include <gst/base/gstbasetransform.h>

typedef struct
{
  GstBaseTransform parent;
  guint bitrate, bps;
  GstStructure *controls;
  guint asked; /* by the event */
  gboolean obeys;
} FakeEncoder;

typedef GstBaseTransformClass FakeEncoderClass;

GType fake_encoder_get_type (void);

/* Which property it has: "bitrate", in kbit/s, that may change in PLAYING or
 * not, "bps", or "extra-controls". */
void fake_encoder_live_class (gpointer klass, gpointer data);
void fake_encoder_fixed_class (gpointer klass, gpointer data);
void fake_encoder_bps_class (gpointer klass, gpointer data);
void fake_encoder_controls_class (gpointer klass, gpointer data);

void fake_encoder_register (const gchar *name, GClassInitFunc class_init);

#endif /* FAKE_ENCODER_H */
