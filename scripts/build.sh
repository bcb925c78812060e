#!/usr/bin/env bash
# Makes the release build in build/: bin/trivetd, bin/trivet, bin/bngagent, lib/trivet/modules/*.so.
# Usage: scripts/build.sh [--with-tests]
set -euo pipefail
cd "$(dirname "$0")/.."

tests=OFF
targets=(trivetd trivet bngagent modules)
for option in "$@"; do
  case $option in
    --with-tests) tests=ON; targets=(all) ;;
    *) echo "build.sh: no such option: $option (there is --with-tests)" >&2; exit 2 ;;
  esac
done

scripts/setup.sh build
# A build with tests stays one: turning them off again would only cost time.
if [ "$tests" = OFF ] && grep -q '^TRIVET_BUILD_TESTS:BOOL=ON' build/CMakeCache.txt 2>/dev/null; then tests=ON; fi
cmake --preset release -DTRIVET_BUILD_TESTS=$tests -DTRIVET_BUILD_BENCH=$tests >/dev/null
NINJA_STATUS='[%p] ' ninja -C build "${targets[@]}"
