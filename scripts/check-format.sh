#!/usr/bin/env bash
# Says which sources clang-format would change. Usage: scripts/check-format.sh [--fix]
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t files < <(git ls-files '*.h' '*.cpp')
if [ "${1:-}" = --fix ]; then exec clang-format-14 -i "${files[@]}"; fi
exec clang-format-14 --dry-run -Werror "${files[@]}"
