#!/usr/bin/env bash
# Makes the release build in build/: bin/trivetd, bin/trivet, bin/bngagent, lib/trivet/modules/*.so.
# Usage: scripts/build.sh [--with-tests | --with-bench]      --with-bench: and the programs of scripts/bench.sh
# Called by sudo in a clone that belongs to the caller, it builds as the caller: no file of root's is to stop the next
# build.
set -euo pipefail
cd "$(dirname "$0")/.."

tests=OFF
targets=(trivetd trivet bngagent modules)
for option in "$@"; do
  case $option in
    --with-tests) tests=ON; targets=(all) ;;
    --with-bench) tests=ON; targets+=(blaster seed_bench slb_bench) ;;
    *) echo "build.sh: no such option: $option (there are --with-tests and --with-bench)" >&2; exit 2 ;;
  esac
done

scripts/setup.sh build
owner=$(stat -c %U .)
if [ "$(id -u)" -eq 0 ] && [ "$owner" != root ] && [ "$owner" = "${SUDO_USER:-}" ] &&
  { [ ! -e build ] || [ "$(stat -c %U build)" = "$owner" ]; }; then
  exec runuser -u "$owner" -- env "HOME=$(getent passwd "$owner" | cut -d: -f6)" scripts/build.sh "$@"
fi
# A build with tests stays one: turning them off again would only cost time.
if [ "$tests" = OFF ] && grep -q '^TRIVET_BUILD_TESTS:BOOL=ON' build/CMakeCache.txt 2>/dev/null; then tests=ON; fi
cmake --preset release -DTRIVET_BUILD_TESTS=$tests -DTRIVET_BUILD_BENCH=$tests >/dev/null
NINJA_STATUS='[%p] ' ninja -C build "${targets[@]}"
