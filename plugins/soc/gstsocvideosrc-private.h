/* What the files of the video source's base share: gstsocvideosrc.c (states,
 * streams, frames), gstsocvideosettings.c (properties), gstsocvideoevents.c
 * (keyframes and snapshots on request).
 *
 * Threads and locks:
 *   - the reader's thread takes frames (gstsocreader.c);
 *   - the streaming thread puts times and caps on them; `timeline`, `caps`,
 *     `last_pts` and their neighbours are its own, but for start and stop,
 *     when it does not run;
 *   - the object lock protects `want` and the other values of properties;
 *   - `stream_lock` protects `stream`, and is held during calls that may take
 *     the vendor some milliseconds, a snapshot longer; `reader_lock` protects
 *     `reader` and is held for moments, so that unlock never waits. The
 *     streaming thread writes both pointers, and reads them without a lock.
 *     Order: stream_lock, reader_lock, object lock;
 *   - `keyframe_lock` protects what is asked of keyframes.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef GST_SOC_VIDEO_SRC_PRIVATE_H
#define GST_SOC_VIDEO_SRC_PRIVATE_H

#include "gstsoccaps.h"
#include "gstsocvideosrc.h"

G_BEGIN_DECLS

typedef struct
{
  /* Constant after READY, until NULL. */
  HalContext *context;

  GMutex stream_lock;
  HalStream *stream; /* protected by stream_lock */

  GMutex reader_lock;
  /* Protected by reader_lock. */
  GstSocReader *reader;
  gboolean flushing, discard; /* for a reader that is not there yet, too */

  /* Protected by the object lock. Texts in want, and sensor_config, are
   * interned, for what is handed on outlives the lock. */
  HalStreamConfig want;
  const gchar *sensor_config; /* NULL: none */
  gchar *library_path;
  guint max_queued;
  guint64 timeout;
  guint64 idr_interval;
  gchar *refused; /* a value that was refused before READY, in words */
  gdouble drift;
  guint64 jumps, pushed, pushed_bytes;

  /* Of the streaming thread. */
  GstSocTimeline *timeline;
  guint64 timeline_jumps;
  GstCaps *caps;
  GstSocCapsMemo caps_memo;
  GstClockTime last_pts;
  gboolean discont;

  GMutex keyframe_lock;
  /* Protected by keyframe_lock. */
  gboolean keyframe_wanted, keyframe_asked, keyframe_headers;
  guint keyframe_count;
  GstClockTime keyframe_at;   /* running time; NONE: now */
  gint64 keyframe_asked_time; /* monotonic us */
} GstSocVideoSrcPrivate;

GstSocVideoSrcPrivate *gst_soc_video_src_priv (GstSocVideoSrc *src);

/* gstsocvideosettings.c */
void gst_soc_video_src_install_properties (GObjectClass *object_class);
void gst_soc_video_src_init_settings (GstSocVideoSrc *src);
/* Properties that change while it runs become what is in force. */
void gst_soc_video_src_adopt_settings (GstSocVideoSrc *src, HalStream *stream);

/* gstsocvideoevents.c */
void gst_soc_video_src_install_signals (GObjectClass *object_class);
/* Does not take the event. FALSE: not one of these. */
gboolean gst_soc_video_src_handle_upstream (GstSocVideoSrc *src,
                                            GstEvent *event);
/* Asks the encoder for the keyframe that is wanted, if it is time. */
void gst_soc_video_src_ask_keyframe (GstSocVideoSrc *src);
/* A keyframe comes: announces it downstream if it was asked for. */
void gst_soc_video_src_answer_keyframe (GstSocVideoSrc *src, GstClockTime pts);

G_END_DECLS

#endif /* GST_SOC_VIDEO_SRC_PRIVATE_H */
