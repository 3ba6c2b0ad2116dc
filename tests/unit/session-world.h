/* A camera and a viewer, over tcp:// on loopback: where the stories of
 * session-media.c and session-endpoint.c take place.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: the test's own.
 */
#ifndef SESSION_WORLD_H
#define SESSION_WORLD_H

#include "session-util.h"

#define H264 "video/x-h264, stream-format=(string)byte-stream, " \
    "alignment=(string)au, width=(int)640"
#define H264_SMALL "video/x-h264, stream-format=(string)byte-stream, " \
    "alignment=(string)au, width=(int)320"
#define OPUS "audio/x-opus, rate=(int)48000"
#define TEXT "text/x-raw, format=(string)utf8"

typedef struct
{
  guint port;
  gchar *uri;                   /* for viewers */
  Side device, viewer;
} World;

/* The device alone, once its signaller is up; world_close() wants the viewer
 * closed already, and checks that no endpoint is left. */
void world_open (World * w);
void world_close (World * w);
/* Once more, after side_close (&w->device). */
void device_open (World * w);
void viewer_open (World * w, Side * side);

/* Both ends up, with one stream, video_0, and one request. */
void start_video (World * w, Source * video, Wish * wish);
void stop_video (World * w, Source * video, Wish * wish);

/* Every frame of the stream from `first` on, in order, as it was sent. */
void check_frames (Received * r, guint first, guint count);

#endif /* SESSION_WORLD_H */
