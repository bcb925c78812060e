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
started=$SECONDS
logs=build/test-logs
mkdir -p "$logs"

say() { printf '\n== %s (%d min %02d s)\n' "$1" $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60)); }

# One stage that is a single yes or no.
check() {
  local name=$1
  shift
  say "$name"
  if "$@" >"$logs/check.log" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    tail -n 60 "$logs/check.log"
    echo "FAILED: $name"
  fi
}

# ctest with its tests counted one by one.
run_ctest() {
  local name=$1 folder=$2
  shift 2
  say "$name"
  local status=0
  ctest --test-dir "$folder" --output-on-failure --no-tests=error -j "$jobs" "$@" >"$logs/ctest.log" 2>&1 || status=$?
  grep -vE '^ *(Start|[0-9]+/[0-9]+ Test .*Passed)' "$logs/ctest.log" | tail -n 400 || true
  local summary total bad
  summary=$(grep -E '[0-9]+% tests passed' "$logs/ctest.log" || true)
  total=$(sed -E 's/.*out of ([0-9]+).*/\1/' <<<"$summary")
  bad=$(sed -E 's/.*passed, ([0-9]+) tests? failed.*/\1/' <<<"$summary")
  if [ -z "$summary" ]; then total=1 bad=1; fi
  passed=$((passed + total - bad))
  failed=$((failed + bad))
  if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then failed=$((failed + 1)); fi
}

say "Setting up"
scripts/setup.sh build lab check

say "Building (release)"
cmake --preset release -DTRIVET_BUILD_TESTS=ON -DTRIVET_BUILD_BENCH=ON >/dev/null
NINJA_STATUS='[%p] ' ninja -C build | grep -vE '^\[ *[0-9]+%\] (Building|Linking)' || test "${PIPESTATUS[0]}" -eq 0
run_ctest "Unit, module and scenario tests" build -LE e2e
run_ctest "End-to-end tests" build -L e2e

check "Format (clang-format)" scripts/check-format.sh

if [ "$quick" = no ]; then
  say "Building (address and undefined behaviour sanitizers)"
  cmake --preset asan >/dev/null
  ninja -C build-asan >"$logs/asan-build.log" 2>&1 || { tail -n 60 "$logs/asan-build.log"; failed=$((failed + 1)); }
  run_ctest "The same with address and undefined behaviour sanitizers" build-asan -LE 'e2e|install'

  say "Building (thread sanitizer)"
  cmake --preset tsan >/dev/null
  ninja -C build-tsan core_tests >"$logs/tsan-build.log" 2>&1 || { tail -n 60 "$logs/tsan-build.log"; failed=$((failed + 1)); }
  run_ctest "Bus, rings, snapshots and workers with the thread sanitizer" build-tsan -L core -R 'Thread|EventBus|Epoch|Ring|NeighborTable'

  say "Building (fuzz targets)"
  cmake --preset fuzz >/dev/null
  fuzzers=()
  for source in tests/fuzz/*_fuzz.cpp; do fuzzers+=("$(basename "$source" _fuzz.cpp)"); done
  ninja -C build-fuzz "${fuzzers[@]/#/fuzz_}" >"$logs/fuzz-build.log" 2>&1 || { tail -n 60 "$logs/fuzz-build.log"; failed=$((failed + 1)); }
  for name in "${fuzzers[@]}"; do
    mkdir -p "build-fuzz/found/$name"
    check "Fuzzing $name for $fuzz_seconds s" "build-fuzz/bin/fuzz_$name" -max_total_time="$fuzz_seconds" -timeout=10 \
      -rss_limit_mb=4096 -artifact_prefix="build-fuzz/found/$name-" "build-fuzz/found/$name" "tests/fuzz/corpus/$name"
  done

  check "Static analysis (clang-tidy)" scripts/check-tidy.sh
fi

printf '\nTested in %d min %02d s.\n' $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60))
if [ "$failed" -eq 0 ]; then echo "TESTS PASSED"; else echo "TESTS FAILED"; fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
