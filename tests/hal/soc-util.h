/* What the tests of elements on simulated encoders share: which family, and a
 * pipeline of its source and an appsink.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef SOC_UTIL_H
#define SOC_UTIL_H

#include <gst/app/gstappsink.h>
#include <gst/gst.h>

#include "simengine.h"

#define PATIENCE (20 * GST_SECOND)

/* A family, as one of its generations. */
typedef struct
{
  const gchar *name; /* "hisi-v4" */
  const gchar *source;
  const gchar *audio_source, *audio_sink; /* NULL: has none, nor snapshots */
  const gchar *directory, *library;       /* below HAL_SIM_DIR */
  const gchar *settings;                  /* of the source */
  const gchar *caps;                      /* of its first frames */
  /* What errors name: calls of the vendor, and what is said of its memory. */
  const gchar *create_call, *set_call, *get_error, *memory;
  /* The vendor's numbers of a node that may not be opened, with errno EACCES,
   * and of a device that is gone, with ENODEV. */
  gint denied, gone;
  /* Of bitrate and max-bitrate, what an encoder with a variable rate is told.
   */
  gboolean told_max;
  guint audio_samples; /* per channel and frame of the loudspeaker */
} SocTarget;

typedef struct
{
  GstElement *pipeline, *src, *sink;
} Camera;

extern const SocTarget *soc;
extern SimControl *sim;
extern gchar *path; /* of the libraries */

/* Starts GStreamer and finds the target of this name. FALSE: has said why. */
gboolean soc_util_init (const gchar *name);
void soc_util_deinit (void);

/* properties: of the source, behind those of the target; and what is between
 * it and the sink. */
Camera make (const gchar *properties);
/* ... ! the sink of this description, named sink. */
Camera make_with_sink (const gchar *properties, const gchar *sink);
void drop (Camera *camera);
/* FALSE: refused. */
gboolean play (Camera *camera);
/* NULL: none came. */
GstSample *pull (Camera *camera);
gboolean is_key (GstSample *sample);
gboolean is_discont (GstSample *sample);
/* The next message of these types: its error's domain, code and text. */
gchar *wait_message (Camera *camera, GstMessageType types, GQuark *ret_domain,
                     gint *ret_code);
uint32_t encoder_bitrate (void);
/* Entries of a directory: of open descriptors, or of threads. */
guint count_fds (void);
guint count_threads (void);

#endif /* SOC_UTIL_H */
