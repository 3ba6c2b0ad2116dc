/* An encoder that follows: what the viewers' paths carry becomes the bit rate
 * of the encoder upstream.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A GstP2pFollow belongs to one pad that video comes in by. The network thread
 * says what the paths carry, ivbitrate.h decides, and one of GStreamer's
 * workers acts: events, properties and notifies of others run there and nowhere
 * else, one after the other, with no lock held.
 *
 * Lock: its own, a leaf. GstP2pFollowSettings are under the element's
 * OBJECT_LOCK.
 */
#ifndef GST_P2P_FOLLOW_H
#define GST_P2P_FOLLOW_H

#include <gst/gst.h>
#include "ivbitrate.h"

G_BEGIN_DECLS

/* The custom upstream event, with `bitrate` (uint, bit/s). */
#define GST_P2P_BITRATE_REQUEST "GstP2pBitrateRequest"

/* Property ids, from an element's own first one on. */
enum {
  GST_P2P_FOLLOW_ADAPT,
  GST_P2P_FOLLOW_ENCODER,
  GST_P2P_FOLLOW_MIN_BITRATE,
  GST_P2P_FOLLOW_MAX_BITRATE,
  GST_P2P_FOLLOW_START_BITRATE,
  GST_P2P_FOLLOW_TARGET_BITRATE,
  GST_P2P_FOLLOW_N_PROPERTIES
};

typedef struct
{
  gboolean adapt;
  gchar *encoder;
  guint min_bitrate, max_bitrate, start_bitrate; /* bit/s */
} GstP2pFollowSettings;

void gst_p2p_follow_settings_init (GstP2pFollowSettings *settings);
void gst_p2p_follow_settings_clear (GstP2pFollowSettings *settings);
void gst_p2p_follow_install (GObjectClass *klass, guint first_id);
/* `which`: one of the ids above, but target-bitrate. Takes the OBJECT_LOCK.
 * Whoever follows has to look again then. */
void gst_p2p_follow_set_property (GstP2pFollowSettings *settings,
                                  GstElement *element, guint which,
                                  const GValue *value);
void gst_p2p_follow_get_property (GstP2pFollowSettings *settings,
                                  GstElement *element, guint which,
                                  GValue *value);

typedef struct _GstP2pFollow GstP2pFollow;

/* `settings` are those of the element that the pad is on. */
GstP2pFollow *gst_p2p_follow_new (GstP2pFollowSettings *settings);
void gst_p2p_follow_unref (GstP2pFollow *follow);

/* Video comes in by `pad`. `encoder`: the setting of that name is for this pad.
 * Again: it may come from elsewhere, or settings have changed. Any thread. */
void gst_p2p_follow_start (GstP2pFollow *follow, GstElement *element,
                           GstPad *pad, gboolean encoder);
/* The same, if it has been started. */
void gst_p2p_follow_look (GstP2pFollow *follow, GstElement *element,
                          GstPad *pad);
/* The encoder gets back what it had. May be stopped already. */
void gst_p2p_follow_stop (GstP2pFollow *follow, GstElement *element,
                          GstPad *pad);

/* Network thread. What it would have on a good path comes back; 0: it does not
 * follow, or does not know yet. */
guint64 gst_p2p_follow_update (GstP2pFollow *follow, GstElement *element,
                               GstPad *pad, BitrateViewer *viewers, gsize n);

/* What it shall have now; 0: not known. */
guint64 gst_p2p_follow_get_target (GstP2pFollow *follow);

G_END_DECLS

#endif /* GST_P2P_FOLLOW_H */
