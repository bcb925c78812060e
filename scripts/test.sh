#!/usr/bin/env bash
# Passes all tests: unit, module, scenario and end-to-end tests, sanitizers, fuzz targets, static checks.
# Usage: scripts/test.sh [--quick]      --quick: the release build's tests and the format only
# End-to-end tests need root; without it they are skipped (where CI is set, a skip is a failure).
set -euo pipefail
cd "$(dirname "$0")/.."

quick=no
for option in "$@"; do
  case $option in
    --quick) quick=yes ;;
    -h|--help) sed -n '2,4s/^# //p' "$0"; exit 0 ;;
    *) echo "test.sh: no such option: $option (there is --quick)" >&2; exit 2 ;;
  esac
done

jobs=$(nproc)
fuzz_seconds=${TRIVET_FUZZ_SECONDS:-20}
passed=0
failed=0
skipped=0
failures=()
started=$SECONDS
logs=build/test-logs
mkdir -p "$logs"

clock() { printf '%d min %02d s' $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60)); }
say() { printf '\n== %s (%s)\n' "$1" "$(clock)"; }

fail() {
  failed=$((failed + 1))
  failures+=("$1")
  echo "FAILED: $1"
}

# The last words, whatever happened. The last line is for machines.
finish() {
  printf '\nTested in %s.\n' "$(clock)"
  if [ "$failed" -eq 0 ]; then echo "TESTS PASSED"; else printf 'TESTS FAILED:\n' && printf '  %s\n' "${failures[@]}"; fi
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ] || exit 1
  exit 0
}

# A stage without which others make no sense: counted when it fails, and only then. Its output goes to a log.
need() {
  local name=$1
  shift
  say "$name"
  "$@" >"$logs/stage.log" 2>&1 && return
  tail -n 60 "$logs/stage.log"
  fail "$name"
  return 1
}

# One stage that is a single yes or no.
check() {
  if need "$@"; then passed=$((passed + 1)); fi
}

release() { cmake --preset release -DTRIVET_BUILD_TESTS=ON -DTRIVET_BUILD_BENCH=ON && ninja -C build; }

build() {
  local preset=$1
  shift
  cmake --preset "$preset" && ninja -C "build-$preset" "$@"
}

# ctest with its tests counted one by one, from its own report.
run_ctest() {
  local name=$1 folder=$2 report line
  shift 2
  say "$name"
  report=$PWD/$logs/report.xml
  rm -f "$report"
  local status=0
  ctest --test-dir "$folder" --output-on-failure --no-tests=error -j "$jobs" --output-junit "$report" "$@" \
    >"$logs/ctest.log" 2>&1 || status=$?
  grep -vE '^ *(Start|[0-9]+/[0-9]+ Test .*Passed)' "$logs/ctest.log" | tail -n 400 || true
  line=$(grep -m1 -A12 '<testsuite ' "$report" 2>/dev/null | tr '\n' ' ') || true
  number() { sed -nE "s/.*[[:space:]]$1=\"([0-9]+)\".*/\1/p" <<<"${line%%>*}"; }
  local total bad unrun disabled
  total=$(number tests)
  bad=$(number failures)
  if [ -z "$total" ] || [ -z "$bad" ] || { [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; }; then
    fail "$name: ctest ended with status $status"
    return
  fi
  unrun=$(number skipped)
  disabled=$(number disabled)
  unrun=$((${unrun:-0} + ${disabled:-0}))
  passed=$((passed + total - bad - unrun))
  skipped=$((skipped + unrun))
  if [ "$bad" -gt 0 ]; then
    failed=$((failed + bad))
    failures+=("$name: $bad of $total")
  fi
}

need "Setting up" scripts/setup.sh build lab check || finish

if need "Building (release)" release; then
  run_ctest "Unit, module and scenario tests" build -LE e2e
  [ "$(id -u)" -eq 0 ] || echo "End-to-end tests need root and network namespaces: they are skipped."
  run_ctest "End-to-end tests" build -L e2e
fi

# What a user builds first has neither tests nor benchmarks in it.
plain() {
  cmake --preset debug && cmake --preset release -B build-plain -DTRIVET_BUILD_TESTS=OFF -DTRIVET_BUILD_BENCH=OFF &&
    ninja -C build-plain trivetd trivet bngagent modules && build-plain/bin/trivetd --check examples/lb1.conf
}
set_up_again() {
  local said
  said=$(scripts/setup.sh build lab check 2>&1) && [ -z "$said" ] && return
  echo "scripts/setup.sh said: $said"
  return 1
}
check "The build without tests" plain
check "Setting up again finds nothing to do and says nothing" set_up_again
check "Format (clang-format)" scripts/check-format.sh

if [ "$quick" = no ]; then
  if need "Building (address and undefined behaviour sanitizers)" build asan; then
    run_ctest "The same with address and undefined behaviour sanitizers" build-asan -LE 'e2e|install'
  fi

  if need "Building (thread sanitizer)" build tsan core_tests; then
    run_ctest "Bus, rings, snapshots and workers with the thread sanitizer" build-tsan -L core -R 'Thread|EventBus|Epoch|Ring|NeighborTable|Exchange'
  fi

  fuzzers=()
  for source in tests/fuzz/*_fuzz.cpp; do fuzzers+=("$(basename "$source" _fuzz.cpp)"); done
  if need "Building (fuzz targets)" build fuzz "${fuzzers[@]/#/fuzz_}"; then
    for name in "${fuzzers[@]}"; do
      mkdir -p "build-fuzz/found/$name"
      check "Fuzzing $name for $fuzz_seconds s" "build-fuzz/bin/fuzz_$name" -max_total_time="$fuzz_seconds" -timeout=10 \
        -rss_limit_mb=4096 -artifact_prefix="build-fuzz/found/$name-" "build-fuzz/found/$name" "tests/fuzz/corpus/$name"
    done
  fi

  check "Static analysis (clang-tidy)" scripts/check-tidy.sh
fi

finish
