#!/bin/sh
# A camera of a PC, or its test picture: what is given are settings of p2psink.
#
#   ./pipelines/x86-camera.sh device-id=camera-1 key-file=camera.key
#   SOC=device=/dev/video0 ./pipelines/x86-camera.sh ...
#
# SOC and MAIN are properties of the video source, SOUND of the audio source;
# SINK is a stand-in for p2psink, to try the sources alone.
#
# Copyright (C) 2026 the iv-p2p authors
# SPDX-License-Identifier: LGPL-2.1-or-later

here=$(dirname "$0")
for plugin in soc p2p watermark; do
  GST_PLUGIN_PATH="${GST_PLUGIN_PATH:+$GST_PLUGIN_PATH:}$here/../build/plugins/$plugin"
done
export GST_PLUGIN_PATH
if [ -n "${SINK:-}" ]; then
  camera= main=$SINK sound=$SINK queue=queue
else
  camera="p2psink name=p2p $*" main=p2p.video_0 sound=p2p.audio_0
  queue="iv-watermark-queue when-full=drop"
fi

# shellcheck disable=SC2086
exec gst-launch-1.0 -m $camera \
  x86vencsrc bitrate=2000000 ${SOC:-} ${MAIN:-} \
  ! h264parse config-interval=-1 ! $queue ! $main \
  x86audiosrc ${SOUND:-} ! alawenc ! $queue ! $sound
