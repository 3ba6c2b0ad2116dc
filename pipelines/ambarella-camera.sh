#!/bin/sh
# A camera with an Ambarella chip: main stream, sub stream and sound to every
# viewer, and what viewers say to the loudspeaker. What is given are settings of
# p2psink:
#
#   ./pipelines/ambarella-camera.sh device-id=camera-1 key-file=camera.key
#
# The sensor must run: docs/soc/ambarella.md. The environment changes the rest:
# SOC (properties of all sources, such as attach=true, to read what the vendor's
# programs encode), MAIN and SUB (of one), CODEC (h264 or h265), MICROPHONE and
# SPEAKER (ALSA's), TALK=no, SINK (a stand-in for p2psink, to try the sources
# alone).
#
# Copyright (C) 2026 the iv-p2p authors
# SPDX-License-Identifier: LGPL-2.1-or-later

here=$(dirname "$0")
for plugin in soc p2p watermark; do
  GST_PLUGIN_PATH="${GST_PLUGIN_PATH:+$GST_PLUGIN_PATH:}$here/../build/plugins/$plugin"
done
export GST_PLUGIN_PATH
codec=${CODEC:-h264}
if [ -n "${SINK:-}" ]; then
  camera= main=$SINK sub=$SINK sound=$SINK queue=queue talk=
else
  camera="p2psink name=p2p $*"
  main=p2p.video_0 sub=p2p.video_1 sound=p2p.audio_0
  queue="iv-watermark-queue when-full=drop"
  talk="p2psrc $* ! decodebin ! audioconvert ! audioresample
    ! ${SPEAKER:-alsasink}"
  [ "${TALK:-yes}" = yes ] || talk=
fi

# shellcheck disable=SC2086
exec gst-launch-1.0 -m $camera \
  ambavencsrc codec=$codec bitrate=2000000 ${SOC:-} ${MAIN:-} \
  ! ${codec}parse config-interval=-1 ! $queue ! $main \
  ambavencsrc stream-id=1 codec=$codec bitrate=400000 ${SOC:-} ${SUB:-} \
  ! ${codec}parse config-interval=-1 ! $queue ! $sub \
  ${MICROPHONE:-alsasrc} ! audioconvert ! audioresample \
  ! audio/x-raw,rate=8000,channels=1 ! alawenc ! $queue ! $sound \
  $talk
