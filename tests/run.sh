#!/bin/sh
# Builds the project and runs its tests, job by job.
#
#   ./tests/run.sh                 every quick job (what CI runs)
#   ./tests/run.sh unit lab        these jobs alone
#   ./tests/run.sh --list          the jobs, a line each
#   ./tests/run.sh --soak [JOB…]   the long runs too (hours)
#
# Build trees and logs go to $P2P_BUILD_DIR (default: build-tests, beside the
# sources). P2P_TEST_CLIP names a clip (H.264 and AAC in MP4) for the tests that
# want real input; without it they are skipped, and say so.
# Exit status: 0, all jobs passed; 1, a job failed; 2, wrong use.

set -u
cd "$(dirname "$0")/.." || exit 2
root=$PWD
builds=${P2P_BUILD_DIR:-$root/build-tests}
fuzz_seconds=${P2P_FUZZ_SECONDS:-3}
soak=no

jobs="build-gcc build-clang unit sim hal element loopback leaks lab asan tsan valgrind fuzz"

describe () {
  cat <<'END'
build-gcc    everything with gcc, warnings are errors
build-clang  everything with clang, warnings are errors, and the fuzzers
unit         pure logic: codecs, keys, signalling, timeline; the wire as its document
             has it; what may include what
sim          the engine in virtual time: UDT4's defects, networks, invariants
hal          SoC sources: back ends on simulated vendor libraries, layouts, qemu
element      p2psink and p2psrc one by one
loopback     camera and viewer in one process over 127.0.0.1
leaks        element and loopback under GStreamer's leaks tracer
lab          hosts, NATs, relays and brokers in network namespaces
asan         unit, element, loopback, hal under ASan and UBSan (sim too: --soak)
tsan         the engine under TSan (the back ends of SoC encoders too: --soak)
valgrind     unit and element under valgrind memcheck
fuzz         every parser, a few seconds each, from the corpus
END
}

wanted=
for arg in "$@"; do
  case $arg in
    --list) describe; exit 0 ;;
    --soak) soak=yes ;;
    -h|--help) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) echo "run.sh: unknown option $arg (see --help)" >&2; exit 2 ;;
    *)
      case " $jobs " in
        *" $arg "*) wanted="$wanted $arg" ;;
        *) echo "run.sh: no job named $arg (see --list)" >&2; exit 2 ;;
      esac ;;
  esac
done
[ -n "$wanted" ] || wanted=$jobs

./tests/install-deps.sh || exit 1
mkdir -p "$builds/logs"
if [ $soak = yes ]; then
  export P2P_SOAK=1
  fuzz_seconds=${P2P_FUZZ_SECONDS:-600}
fi

# tree NAME COMPILER [MESON OPTION…]: configures and builds $builds/NAME.
tree () {
  name=$1; compiler=$2; shift 2
  if [ ! -f "$builds/$name/build.ninja" ]; then
    CC=$compiler meson setup "$builds/$name" --werror -Dp2p=enabled \
      -Dmqtt=enabled -Dsoc=enabled -Dtests=enabled -Dpipelines=enabled \
      -Dambarella-sdk=tests/hal/ambarella/sdk "$@" || return 1
  fi
  ninja -C "$builds/$name"
}

# run TREE SUITE [MESON TEST OPTION…]: runs one suite of a tree.
run () {
  name=$1; suite=$2; shift 2
  meson test -C "$builds/$name" --no-rebuild --print-errorlogs \
    --logbase "testlog-$job-$suite" --suite "$suite" "$@"
}

gcc_tree () { tree gcc gcc; }

sanitizers='-Db_lundef=false -Dbuildtype=debugoptimized'

job_build_gcc () { gcc_tree; }
job_build_clang () { tree clang clang -Dfuzz=true -Db_lundef=false; }
job_unit () { gcc_tree && run gcc unit && run gcc source; }
job_sim () {
  gcc_tree && run gcc sim || return 1
  [ $soak = no ] || "$builds/gcc/tests/sim/test-random" --count 10000
}
job_hal () { gcc_tree && run gcc hal; }
job_element () { gcc_tree && run gcc element; }
job_loopback () { gcc_tree && run gcc loopback; }
job_leaks () {
  gcc_tree && run gcc element --setup=leaks && run gcc loopback --setup=leaks
}
job_lab () { gcc_tree && run gcc lab --num-processes 1; }
job_asan () {
  # shellcheck disable=SC2086
  tree asan gcc -Db_sanitize=address,undefined $sanitizers || return 1
  suites='unit element loopback'
  [ $soak = no ] || suites="$suites sim"
  for suite in $suites; do
    run asan $suite --setup=asan || return 1
  done
  # Not what runs programs that are built without it, or real encoders.
  run asan hal --setup=asan --no-suite launch --no-suite cross --no-suite real
}
job_tsan () {
  # shellcheck disable=SC2086
  tree tsan gcc -Db_sanitize=thread $sanitizers || return 1
  run tsan sim --setup=tsan || return 1
  [ $soak = no ] || run tsan family --setup=tsan
}
job_valgrind () {
  gcc_tree && run gcc unit --setup=valgrind && run gcc element --setup=valgrind
}
job_fuzz () {
  job_build_clang &&
    ./tests/fuzz/run.sh --build "$builds/clang" --seconds "$fuzz_seconds"
}

failed=
summary=
for job in $wanted; do
  printf '\n=== %s\n' "$job"
  start=$(date +%s)
  log=$builds/logs/$job.log
  function=job_$(printf %s "$job" | tr - _)
  # The status of the job, not of tee.
  { { $function 2>&1; echo $? > "$log.status"; } | tee "$log"; }
  status=$(cat "$log.status"); rm -f "$log.status"
  seconds=$(($(date +%s) - start))
  if [ "$status" -eq 0 ]; then verdict=ok; else verdict=FAILED; failed=yes; fi
  summary="$summary$(printf '%-12s %-7s %4d s' "$job" $verdict $seconds)
"
done

printf '\n%s' "$summary"
if [ -n "$failed" ]; then
  echo "Logs: $builds/logs" >&2
  exit 1
fi
