#!/bin/sh
# Fuzzes every target for a while.
#
#   tests/fuzz/run.sh [--build DIR] [--seconds N] [--keep] [TARGET…]
#
# DIR is a build tree configured with clang and -Dfuzz=true; without --build
# one is made beside the sources (build-fuzz). N seconds per target, default
# 10. New inputs go to DIR/fuzz-corpus; --keep merges the smallest set that
# reaches everything into the committed corpus. What crashes a target is left
# in DIR/fuzz-corpus/TARGET-crash-… and the exit status is 1.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=
seconds=10
keep=no
targets=

while [ $# -gt 0 ]; do
  case $1 in
    --build) build=$2; shift ;;
    --seconds) seconds=$2; shift ;;
    --keep) keep=yes ;;
    -h|--help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) echo "run.sh: unknown option $1" >&2; exit 2 ;;
    *) targets="$targets $1" ;;
  esac
  shift
done

if [ -z "$build" ]; then
  build=$root/build-fuzz
  if [ ! -f "$build/build.ninja" ]; then
    CC=clang meson setup "$build" "$root" -Dfuzz=true -Db_lundef=false \
      || exit 1
  fi
fi
build=$(cd "$build" && pwd) || exit 2

if [ -z "$targets" ]; then
  for file in "$here"/fuzz-*.c; do
    name=${file##*/fuzz-}
    # A target may need a library that this tree was built without.
    if grep -q "libfuzz-${name%.c}:" "$build/build.ninja"; then
      targets="$targets ${name%.c}"
    fi
  done
fi
[ -n "$targets" ] || { echo "run.sh: no fuzz targets in $build" >&2; exit 2; }

status=0
for name in $targets; do
  ninja -C "$build" "tests/fuzz/libfuzz-$name" > /dev/null || exit 1
  work=$build/fuzz-corpus/$name
  mkdir -p "$work" "$here/corpus/$name"
  if "$build/tests/fuzz/libfuzz-$name" -max_total_time="$seconds" \
      -max_len=4096 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="$build/fuzz-corpus/$name-" \
      "$work" "$here/corpus/$name" > "$work.log" 2>&1; then
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work.log")
    echo "ok $name: $runs inputs in $seconds s"
  else
    status=1
    echo "FAILED $name: see $work.log"
    tail -n 40 "$work.log"
  fi
  if [ $keep = yes ]; then
    "$build/tests/fuzz/libfuzz-$name" -merge=1 -max_len=512 \
      "$here/corpus/$name" "$work" > "$work.merge.log" 2>&1
  fi
done
exit $status
