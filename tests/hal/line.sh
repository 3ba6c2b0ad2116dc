#!/bin/sh
# The camera's launch line of a page of the manual, as it is written there but
# for the settings of p2psink, which are given.
#
#   PAGE=docs/soc/x86.md line.sh SETTING...
#
# Copyright (C) 2026 the iv-p2p authors
# SPDX-License-Identifier: LGPL-2.1-or-later
set -eu
line=$(sed -n 's/^ *\(gst-launch-1.0 .*vencsrc .* ! p2psink\) device-id=.*/\1/p' \
  "$PAGE" | head -n 1)
[ -n "$line" ] || { echo "ERROR: $PAGE has no launch line"; exit 1; }
# shellcheck disable=SC2086
exec $line "$@"
