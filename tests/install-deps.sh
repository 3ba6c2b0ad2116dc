#!/bin/sh
# Installs the Debian packages that the build, the tests or the demo need, and
# nothing that is there already. Debian 12 is what the project is tested on.
#
#   ./tests/install-deps.sh           to build everything and run every test
#   ./tests/install-deps.sh --demo    to build and run pipelines/demo.sh
#   ./tests/install-deps.sh --nat     the demo's set, and what its --nat needs
#   ./tests/install-deps.sh --bench   what tests/bench/run.sh needs, with its peers
#   ./tests/install-deps.sh --list    only prints the packages
#
# Needs root, or sudo. Exit status: 0, everything is there; 1, it is not.
#
# Copyright (C) 2026 the iv-p2p authors
# SPDX-License-Identifier: LGPL-2.1-or-later

set -u

demo="gcc libc6-dev meson ninja-build pkg-config
  libglib2.0-dev libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev
  libnice-dev libssl-dev libmosquitto-dev libjson-glib-dev
  gstreamer1.0-tools gstreamer1.0-x gstreamer1.0-plugins-base
  gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
  gstreamer1.0-plugins-ugly gstreamer1.0-libav"
nat="coturn mosquitto nftables iproute2 python3 openssl util-linux"
all="clang libclang-rt-14-dev valgrind
  qemu-user gcc-arm-linux-gnueabi libc6-dev-armel-cross
  gcc-mipsel-linux-gnu libc6-dev-mipsel-cross
  gcc-aarch64-linux-gnu libc6-dev-arm64-cross
  gstreamer1.0-plugins-base-apps mosquitto-clients"

# Peers of the measurements: SRT's programs, UDT4 (which is C++). SRT's elements
# are in plugins-bad.
bench="srt-tools libudt-dev g++"

case ${1:-} in
  '') packages="$demo $nat $all" ;;
  --demo) packages=$demo ;;
  --nat) packages="$demo $nat" ;;
  --bench) packages="$demo $nat $bench" ;;
  --list) printf '%s\n' $demo $nat $all $bench | sort; exit 0 ;;
  *) sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 1 ;;
esac

if ! command -v dpkg-query > /dev/null || ! command -v apt-get > /dev/null; then
  echo "install-deps: this is no Debian; what is needed there:" >&2
  printf '  %s\n' $packages >&2
  exit 1
fi

missing=
for package in $packages; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null)
  [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

root=
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo > /dev/null; then
    echo "install-deps: as root, please: apt-get install -y" \
      "--no-install-recommends$missing" >&2
    exit 1
  fi
  root=sudo
fi

# Services that come with the packages are for the lab to start, not for the
# machine: where this is allowed, they are not started on installation.
policy=/usr/sbin/policy-rc.d
made_policy=no
if [ ! -e $policy ] && [ -z "$root" ]; then
  printf '#!/bin/sh\nexit 101\n' > $policy && chmod +x $policy \
    && made_policy=yes
fi
trap '[ $made_policy = no ] || rm -f $policy' EXIT
trap 'exit 1' INT TERM HUP

echo "install-deps: installing$missing"
install () {
  $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
    --no-install-recommends $missing
}
# The lists may be old, or, in a fresh image, not there.
if ! { $root apt-get update -q && install; }; then
  echo "install-deps: not everything could be installed; see above" >&2
  exit 1
fi
