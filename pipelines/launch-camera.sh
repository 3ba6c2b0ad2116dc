#!/bin/sh
# A camera with a synthetic picture and sound, by gst-launch-1.0 alone. What is
# given are settings of p2psink:
#
#   ./pipelines/launch-camera.sh device-id=camera-1 key-file=camera.key
#
# Copyright (C) 2026 the iv-p2p authors
# SPDX-License-Identifier: LGPL-2.1-or-later

here=$(dirname "$0")
export GST_PLUGIN_PATH="${GST_PLUGIN_PATH:+$GST_PLUGIN_PATH:}$here/../build/plugins/p2p"
exec gst-launch-1.0 -m p2psink name=p2p "$@" \
  videotestsrc is-live=true pattern=smpte horizontal-speed=4 \
  ! video/x-raw,format=I420,width=1280,height=720,framerate=25/1 ! timeoverlay \
  ! x264enc tune=zerolatency speed-preset=ultrafast bitrate=2000 \
    key-int-max=50 ! h264parse config-interval=-1 ! queue ! p2p.video_0 \
  audiotestsrc is-live=true wave=ticks ! audioconvert ! avenc_aac \
  ! aacparse ! queue ! p2p.audio_0
