#!/usr/bin/env bash
# clang-tidy over everything that is no test, with the release build's compile commands.
# Usage: scripts/check-tidy.sh [FILE ...]
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -gt 0 ]; then files=("$@"); else mapfile -t files < <(git ls-files 'core/*.cpp' 'modules/*.cpp' 'sdk/src/*.cpp' 'sdk/testkit/*.cpp'); fi
printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 4 clang-tidy-19 -p build --quiet --extra-arg=-Wno-unknown-warning-option
