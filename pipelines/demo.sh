#!/bin/sh
# A camera and a viewer, two processes, from nothing to a picture: installs what
# is missing (Debian 12), builds, runs both, and sums up.
#
#   ./pipelines/demo.sh [options]
#     --seconds N             how long to watch (20)
#     --file CLIP             send this clip instead of a synthetic picture
#     --nat cone|symmetric    on two hosts behind NATs of that kind, with a
#                             broker and a relay on the internet between them,
#                             50 ms apart, 1 % loss (network namespaces: root)
#     --output DIR            where received.mp4 and received.png go (.)
#     --no-window             no window, even where there is a display
#
# Without --nat there is no server at all: the two find each other on the local
# network (lan://). Needs no terminal; ends by itself. Exit status 0: frames came
# through, each as it was sent, and the recording plays.
#
# Copyright (C) 2026 the iv-p2p authors
# SPDX-License-Identifier: LGPL-2.1-or-later

set -u
usage () { sed -n '2,18s/^# \{0,1\}//p' "$0"; }
fail () { echo "demo: $*" >&2; exit 1; }

seconds=20 file='' nat='' output=. window=yes inside=no
while [ $# -gt 0 ]; do
  case $1 in
    --seconds | --file | --nat | --output)
      [ $# -ge 2 ] || fail "$1 needs a value (see --help)" ;;
  esac
  case $1 in
    --seconds) seconds=$2; shift ;;
    --file) file=$2; shift ;;
    --nat) nat=$2; shift ;;
    --output) output=$2; shift ;;
    --no-window) window=no ;;
    --inside-the-lab) inside=yes ;;     # how it calls itself for --nat
    -h | --help) usage; exit 0 ;;
    *) fail "unknown option $1 (see --help)" ;;
  esac
  shift
done
case $seconds in '' | *[!0-9]* | 0) fail "--seconds $seconds is no number" ;; esac
case $nat in '' | cone | symmetric) ;; *) fail "--nat is cone or symmetric" ;; esac
if [ -n "$file" ]; then
  [ -r "$file" ] || fail "cannot read $file"
  file=$(realpath "$file")
fi
if ! mkdir -p "$output" || [ ! -w "$output" ]; then
  fail "cannot write to $output"
fi
output=$(realpath "$output")
cd "$(dirname "$0")/.." || exit 1
build=${P2P_DEMO_BUILD_DIR:-$PWD/build}

say () { echo "demo: $*"; }

prepare () {
  say "looking for what the build needs"
  if [ -n "$nat" ]; then
    ./tests/install-deps.sh --nat || exit 1
  else
    ./tests/install-deps.sh --demo || exit 1
  fi
  say "building in $build"
  [ -f "$build/build.ninja" ] || meson setup "$build" -Dtests=disabled \
    -Dp2p=enabled -Dmqtt=enabled -Dpipelines=enabled > "$build.log" 2>&1 \
    || { cat "$build.log"; fail "meson setup failed"; }
  rm -f "$build.log"
  ninja -C "$build" || fail "the build failed"
  if [ -n "$nat" ]; then
    mkdir -p "$build/tests/lab"
    cc -std=gnu11 -O2 -pthread -o "$build/tests/lab/lab-link" \
      tests/lab/link.c || fail "the lab's link does not build"
  fi
}

# -- The run ------------------------------------------------------------------

camera='' viewer='' work=''
finish () {
  trap - EXIT INT TERM HUP
  for pid in $viewer $camera; do kill "$pid" 2> /dev/null; done
  wait
  [ -z "$work" ] || rm -rf "$work"
}

# on HOST COMMAND…: in the lab on that host, otherwise right here. Goes with the
# shell that calls it.
on () {
  host=$1; shift
  [ $inside = no ] || exec tests/lab/lab.py exec "$host" -- "$@"
  exec "$@"
}

run () {
  trap finish EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  work=$(mktemp -d) || exit 1
  (umask 077; od -An -N16 -tx1 /dev/urandom | tr -d ' \n' > "$work/key")

  GST_PLUGIN_PATH=$build/plugins/p2p${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}
  GST_REGISTRY=$work/registry
  export GST_PLUGIN_PATH GST_REGISTRY
  # Makes GStreamer's registry, which is no part of connecting.
  gst-inspect-1.0 p2psink > /dev/null || fail "GStreamer has no p2psink"

  set -- --device-id demo-camera --key-file "$work/key"
  [ $inside = no ] || set -- "$@" --signaller "$LAB_MQTT" \
    --stun-server "$LAB_STUN" --turn-server "$LAB_TURN"
  say "starting camera and viewer, for $seconds s"
  on device "$build/pipelines/p2p-camera" "$@" \
    --frame-log "$work/camera.log" ${file:+--file "$file" --wait} &
  camera=$!
  if [ $window = yes ] && [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    set -- "$@" --window
  fi
  # It ends by itself; should it not, that is a failure like any other.
  on app timeout $((seconds + 30)) "$build/pipelines/p2p-viewer" "$@" \
    --seconds "$seconds" --frame-log "$work/viewer.log" \
    --record "$output/received.mp4" --picture "$output/received.png" &
  viewer=$!
  while kill -0 $viewer 2> /dev/null && kill -0 $camera 2> /dev/null; do
    sleep 0.2
  done
  if ! kill -0 $camera 2> /dev/null; then
    wait $camera || fail "the camera failed"    # a clip's end is none
    camera=
  fi
  wait $viewer || fail "the viewer failed"
  viewer=
  if [ -n "$camera" ]; then
    kill $camera
    wait $camera || fail "the camera failed"
    camera=
  fi
  sum_up
}

sum_up () {
  echo
  say "summary"
  ./pipelines/summary.py "$work/camera.log" "$work/viewer.log" || return 1
  gst-launch-1.0 -q filesrc location="$output/received.mp4" ! decodebin name=d \
    d. ! video/x-raw ! fakesink d. ! audio/x-raw ! fakesink \
    || fail "the recording does not play"
  echo "files:  $output/received.mp4 (plays), $output/received.png"
}

if [ $inside = yes ]; then
  run
  exit
fi
prepare
if [ -z "$nat" ]; then
  run
  exit
fi
say "building two homes with $nat NATs, and an internet between them"
set -- --inside-the-lab --seconds "$seconds" --output "$output"
[ -z "$file" ] || set -- "$@" --file "$file"
[ $window = yes ] || set -- "$@" --no-window
LAB_BIN_DIR=$build/tests/lab PYTHONDONTWRITEBYTECODE=1 exec \
  tests/lab/lab.py run --nat "$nat" --rtt 50 --loss 0.01 -- \
  ./pipelines/demo.sh "$@"
