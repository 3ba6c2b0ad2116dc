/* What audio sources and sinks share: the context, the open device, and the
 * properties that say which.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef GST_SOC_AUDIO_H
#define GST_SOC_AUDIO_H

#include <gst/gst.h>

#include "hal.h"

G_BEGIN_DECLS

typedef struct
{
  HalContext *context; /* constant after READY, until NULL */

  GMutex lock;
  HalAudio *device;  /* protected by lock; read by the streaming thread */
  gboolean flushing; /* protected by lock */

  /* Protected by the element's object lock. */
  gchar *library_path;
  gint number;
} GstSocAudio;

/* The properties that the functions below take; those of an element follow. */
enum {
  GST_SOC_AUDIO_PROP_0,
  GST_SOC_AUDIO_PROP_LIBRARY_PATH,
  GST_SOC_AUDIO_PROP_DEVICE,
  GST_SOC_AUDIO_PROP_LAST,
};

void gst_soc_audio_init (GstSocAudio *audio);
void gst_soc_audio_clear (GstSocAudio *audio);

void gst_soc_audio_install_properties (GObjectClass *object_class,
                                       const gchar *device_blurb);
/* Called with the object lock. FALSE: not one of these. */
gboolean gst_soc_audio_set_property (GstSocAudio *audio, guint id,
                                     const GValue *value);
gboolean gst_soc_audio_get_property (GstSocAudio *audio, guint id,
                                     GValue *value);

/* The state change of the parent class, and the context with it: from READY on
 * the vendor's libraries are loaded. */
GstStateChangeReturn gst_soc_audio_change_state (GstSocAudio *audio,
                                                 GstElement *element,
                                                 GstElementClass *parent_class,
                                                 const HalFamily *family,
                                                 GstStateChange transition);

/* Opens the device that the properties say; *config becomes what is in force.
 * An error is posted. */
gboolean gst_soc_audio_open (GstSocAudio *audio, GstElement *element,
                             HalAudioConfig *config);
void gst_soc_audio_close (GstSocAudio *audio);
/* While on, whoever waits for the device returns at once; from any thread. */
void gst_soc_audio_set_flushing (GstSocAudio *audio, gboolean flushing);

G_END_DECLS

#endif /* GST_SOC_AUDIO_H */
