#!/bin/sh
# Watches a camera, by gst-launch-1.0 alone. What is given are settings of
# p2psrc:
#
#   ./pipelines/launch-viewer.sh uri=p2p://camera-1 key-file=camera.key
#
# Copyright (C) 2026 the iv-p2p authors
# SPDX-License-Identifier: LGPL-2.1-or-later

here=$(dirname "$0")
export GST_PLUGIN_PATH="${GST_PLUGIN_PATH:+$GST_PLUGIN_PATH:}$here/../build/plugins/p2p"
exec gst-launch-1.0 -m p2psrc name=p2p "$@" \
  p2p.video_0 ! queue ! decodebin ! videoconvert ! autovideosink \
  p2p.audio_0 ! queue ! decodebin ! audioconvert ! audioresample \
  ! autoaudiosink
