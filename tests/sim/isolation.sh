#!/bin/sh
# The engine, the policies and the HAL stand on the C library alone.
#
#   isolation.sh [--check-itself] COMPILER ROOT
#
# gst/udt, gst/watermark, gst/bitrate: include nothing but a few standard headers
# and their own; compile with -std=c11 and no include path but their own; call nothing but
# memory functions: no allocator, clock, socket, thread, stdio or errno; have no
# variable that can change. hal-src: no header of GLib or GStreamer, and each
# file compiles without their paths.
# --check-itself: each of these rules is broken once, and must be noticed.
set -u

fail () { echo "isolation: $*" >&2; status=1; }

# check_pure DIR
check_pure () {
  dir=$1
  rm -f "$work"/*.o
  for file in "$dir"/*.[ch]; do
    bad=$(sed -n 's/^ *# *include *\(["<][^">]*[">]\).*/\1/p' "$file" \
      | grep -v -x -e '<std\(bool\|def\|int\)\.h>' -e '<string\.h>' \
        -e '<limits\.h>' -e '"\(udt\|iv\)[a-z0-9-]*\.h"')
    [ -z "$bad" ] || fail "$file includes" $bad
  done
  for file in "$dir"/*.c; do
    object=$work/$(basename "$file" .c).o
    # shellcheck disable=SC2086
    $compiler -std=c11 -O1 -Wall -Wextra -Wno-unused-parameter -Werror \
      -fno-pic -fno-stack-protector -I"$dir" -c "$file" -o "$object" \
      || fail "$file does not compile alone"
  done
  nm -g --defined-only "$work"/*.o | awk 'NF == 3 { print $3 }' \
    | sort -u > "$work/defined"
  used=$(nm -u "$work"/*.o | awk '$1 == "U" { print $2 }' | sort -u \
    | comm -23 - "$work/defined" \
    | grep -v -x -e 'mem\(cpy\|move\|set\|cmp\|chr\)' -e 'strn\?len' \
      -e '_GLOBAL_OFFSET_TABLE_' -e '__[a-z]*[sdt]i[234]')
  [ -z "$used" ] || fail "$dir calls" $used
  # b, d, c: variables; const tables are r.
  variables=$(nm "$work"/*.o | awk '$2 ~ /^[bBdDcCsSgG]$/ { print $3 }')
  [ -z "$variables" ] || fail "$dir has variables:" $variables
}

# check_hal DIR
check_hal () {
  dir=$1
  [ -d "$dir" ] || return 0
  bad=$(grep -rnE '^ *# *include *["<](glib|gio|gobject|gst|gmodule)' "$dir")
  [ -z "$bad" ] || fail "$bad"
  find "$dir" -type d | sed 's/^/-I/' > "$work/includes"
  # In place of the header of an SDK that is not public.
  echo "-I$root/tests/hal/ambarella/sdk" >> "$work/includes"
  find "$dir" -name '*.c' > "$work/files"
  while read -r file; do
    # shellcheck disable=SC2086,SC2046
    $compiler -std=c11 -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE \
      $(cat "$work/includes") -fsyntax-only "$file" \
      || fail "$file does not compile alone"
  done < "$work/files"
}

# expect_failure WHAT: breaks a copy of the engine by the text on stdin.
expect_failure () {
  rm -rf "$work/copy"
  mkdir "$work/copy"
  cp "$root"/gst/udt/*.[ch] "$work/copy"
  cat > "$work/copy/udtbroken.c"
  if (status=0; check_pure "$work/copy"; exit $status) 2> /dev/null; then
    fail "did not notice $1"
  fi
  rm -f "$work"/*.o
}

check_itself () {
  echo '#include <glib.h>' | expect_failure "an include of GLib"
  echo '#include <time.h>' | expect_failure "an include of time.h"
  printf 'long time (long *);\nlong f (void);\nlong f (void)\n{ return time (0); }' \
    | expect_failure "a call of the clock"
  echo 'int udt_changes = 3; int udt_counter;' | expect_failure "a variable"
  echo 'int f (void) { static int n; return n++; }' \
    | expect_failure "a static variable"
}

mode=check
if [ "$1" = --check-itself ]; then mode=itself; shift; fi
compiler=$1
root=$2
status=0
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
if [ $mode = itself ]; then
  check_itself
else
  check_pure "$root/gst/udt"
  check_pure "$root/gst/watermark"
  check_pure "$root/gst/bitrate"
  check_hal "$root/hal-src"
fi
exit $status
