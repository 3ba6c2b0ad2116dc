#!/bin/sh
# Builds a family and its simulated library for another processor, and runs the
# conformance suite under qemu: the offsets are then those of the real thing.
#
#   cross.sh SOURCE-ROOT [--soak] TRIPLE QEMU FAMILY TARGET DEFINE DIRECTORY
#     LIBRARY...
#
# --soak: only if P2P_SOAK is set. Of the libraries the first is the vendor's main one, the others are empty.
# Exit status: 77, a tool is missing.
#
# Copyright (C) 2026 the iv-p2p authors
# SPDX-License-Identifier: LGPL-2.1-or-later
set -eu
root=$1
shift
if [ "$1" = --soak ]; then
  shift
  if [ -z "${P2P_SOAK:-}" ]; then
    echo "1..0 # SKIP only with P2P_SOAK"
    exit 77
  fi
fi
triple=$1 qemu=$2 family=$3 target=$4 define=$5 directory=$6
shift 6
cc=$triple-gcc
for tool in "$cc" "$qemu"; do
  if ! command -v "$tool" > /dev/null; then
    echo "1..0 # SKIP no $tool"
    exit 77
  fi
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags="-std=gnu11 -O1 -g -D_GNU_SOURCE -I$root/hal-src -I$root/tests
  -I$root/tests/hal -I$root/tests/hal/sim -I$root/tests/hal/$family/sdk"
hal=$root/hal-src test=$root/tests/hal
# Only some families have structures by offset.
layout=$(find "$hal/$family" -name '*layout.c')
mkdir -p "$work/$directory"
main=$1
shift
# shellcheck disable=SC2086
$cc $flags -fPIC -shared -fvisibility=hidden "-D$define" -w \
  "$test/$family"/sim*.c "$test"/sim/*.c "$hal"/halutil.c \
  $layout -lpthread -o "$work/$directory/$main"
for empty in "$@"; do
  # shellcheck disable=SC2086
  $cc $flags -fPIC -shared -DSIM_EMPTY_NAME=sim_securec \
    "$test"/simempty.c -o "$work/$directory/$empty"
done
# shellcheck disable=SC2086
$cc $flags -o "$work/suite" "$hal"/*.c "$hal/$family"/*.c \
  "$test"/case-*.c "$test"/conformance.c "$test"/harness.c "$test/$family"/targets.c \
  -lpthread -ldl
HAL_SIM_DIR=$work "$qemu" -L "/usr/$triple" "$work/suite" "$target"
