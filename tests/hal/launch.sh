#!/bin/sh
# A launch line of pipelines/ with the sources alone, until each of them has
# given so many buffers: it ends by itself, without an error.
#
#   launch.sh SCRIPT [NAME=VALUE...]
set -eu
script=$1
shift
log=$(mktemp)
trap 'rm -f "$log"' EXIT
env "$@" SINK='fakesink sync=false' "$script" > "$log" 2>&1 || { cat "$log"; exit 1; }
grep -q 'Got EOS' "$log" || { cat "$log"; exit 1; }
