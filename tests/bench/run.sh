#!/bin/sh
# Measures this project beside its peers, on the same links in the same run, and
# writes docs/benchmarks.md with its plots.
#
#   ./tests/bench/run.sh                  everything, about 14 minutes
#   ./tests/bench/run.sh --quick          everything, shorter, about 5 minutes
#   ./tests/bench/run.sh live bulk        these parts alone (see below)
#   ./tests/bench/run.sh --smoke          whether it works at all, 20 seconds
#
#   --output FILE      instead of docs/benchmarks.md; the plots go into a
#                      directory beside it that is named as it is
#   --build DIR        a build tree, instead of one that it makes
#   --seed N           of the links' losses (1)
#   --no-install       installs nothing
#
# Parts: connect viewers live step bulk beside cpu memory iv soc. Those not asked
# for keep the figures of the run before.
#
# Exit status: 0, measured; 1, something could not be; 77, no lab here.
#
# Copyright (C) 2026 the iv-p2p authors
# SPDX-License-Identifier: LGPL-2.1-or-later

set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=
install=yes
arguments=
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) sed -n '2,24s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --build) build=$(cd "$2" && pwd); install=no; shift ;;
    --no-install) install=no ;;
    *) arguments="$arguments $(printf "'%s'" "$1")" ;;
  esac
  shift
done

[ $install = no ] || "$root/tests/install-deps.sh" --bench
if [ -z "$build" ]; then
  build=$root/build-bench
  [ -f "$build/build.ninja" ] \
    || meson setup "$build" "$root" --buildtype=release
  ninja -C "$build"
fi
export BENCH_BIN_DIR="$build/tests/bench"
export LAB_BIN_DIR="$build/tests/lab"
export GST_PLUGIN_PATH="$build/plugins/p2p:$build/plugins/udt"
export GST_REGISTRY="$build/tests/bench/registry.bin"
export PYTHONDONTWRITEBYTECODE=1
eval "set -- $arguments"
exec python3 "$here/bench.py" "$@"
