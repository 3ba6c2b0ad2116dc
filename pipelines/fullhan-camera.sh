#!/bin/sh
# A camera with a Fullhan chip: main stream, sub stream and sound to every
# viewer, and what viewers say to the loudspeaker. What is given are settings of
# p2psink:
#
#   ./pipelines/fullhan-camera.sh device-id=camera-1 key-file=camera.key
#
# Sensor and ISP must run: docs/soc/fullhan.md. The environment changes the
# rest: SOC (properties of all sources, such as library-path=...), MAIN, SUB
# and SOUND (of one), CODEC (h264 or h265), TALK=no, SINK (a stand-in for
# p2psink, to try the sources alone).
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
    ! fhaudiosink ${SOC:-}"
  [ "${TALK:-yes}" = yes ] || talk=
fi

# shellcheck disable=SC2086
exec gst-launch-1.0 -m $camera \
  fhvencsrc codec=$codec bitrate=2000000 ${SOC:-} ${MAIN:-} \
  ! ${codec}parse config-interval=-1 ! $queue ! $main \
  fhvencsrc stream-id=1 codec=$codec bitrate=400000 ${SOC:-} ${SUB:-} \
  ! ${codec}parse config-interval=-1 ! $queue ! $sub \
  fhaudiosrc ${SOC:-} ${SOUND:-} ! alawenc ! $queue ! $sound \
  $talk
