#!/bin/sh
# A camera with an Ingenic chip: main stream, sub stream and sound to every
# viewer, and what viewers say to the loudspeaker. What is given are settings
# of p2psink:
#
#   ./pipelines/ingenic-camera.sh device-id=camera-1 key-file=camera.key
#
# The environment changes the rest: SENSOR (sensor-config of the board,
# docs/soc/ingenic.md), SOC (properties of all sources, such as
# library-path=...), MAIN, SUB and SOUND (of one), CODEC (h264 or h265), TALK=no,
# SINK (a stand-in for p2psink, to try the sources alone).
#
# Copyright (C) 2026 the iv-p2p authors
# SPDX-License-Identifier: LGPL-2.1-or-later

here=$(dirname "$0")
for plugin in soc p2p watermark; do
  GST_PLUGIN_PATH="${GST_PLUGIN_PATH:+$GST_PLUGIN_PATH:}$here/../build/plugins/$plugin"
done
export GST_PLUGIN_PATH
codec=${CODEC:-h264}
sensor=${SENSOR:-name=gc2053,i2c-address=0x37,width=1920,height=1080,fps=25}
if [ -n "${SINK:-}" ]; then
  camera= main=$SINK sub=$SINK sound=$SINK queue=queue talk=
else
  camera="p2psink name=p2p $*"
  main=p2p.video_0 sub=p2p.video_1 sound=p2p.audio_0
  queue="iv-watermark-queue when-full=drop"
  talk="p2psrc $* ! decodebin ! audioconvert ! audioresample
    ! ingenicaudiosink ${SOC:-}"
  [ "${TALK:-yes}" = yes ] || talk=
fi

# shellcheck disable=SC2086
exec gst-launch-1.0 -m $camera \
  ingenicvencsrc sensor-config=$sensor codec=$codec bitrate=2000000 \
  ${SOC:-} ${MAIN:-} ! video/x-$codec,width=1920,height=1080 \
  ! ${codec}parse config-interval=-1 ! $queue ! $main \
  ingenicvencsrc stream-id=1 sensor-config=$sensor codec=$codec \
  bitrate=400000 ${SOC:-} ${SUB:-} ! video/x-$codec,width=640,height=360 \
  ! ${codec}parse config-interval=-1 ! $queue ! $sub \
  ingenicaudiosrc ${SOC:-} ${SOUND:-} ! alawenc ! $queue ! $sound \
  $talk
