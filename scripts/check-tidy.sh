#!/usr/bin/env bash
# clang-tidy over everything that is no test, with the release build's compile commands. Files that were found clean and
# have not changed since, nor anything that they include, are not looked at again.
# Usage: scripts/check-tidy.sh [FILE ...]
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -gt 0 ]; then files=("$@"); else mapfile -t files < <(git ls-files 'core/*.cpp' 'modules/*.cpp' 'sdk/src/*.cpp' 'sdk/testkit/*.cpp'); fi
exec python3 scripts/check_tidy.py "${files[@]}"
