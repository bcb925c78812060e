#!/usr/bin/env bash
# Says which sources (new ones that git does not know yet, too) clang-format would change. Usage: scripts/check-format.sh [--fix]
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t files < <(git ls-files --cached --others --exclude-standard '*.h' '*.cpp')
if [ "${1:-}" = --fix ]; then exec clang-format-14 -i "${files[@]}"; fi
exec clang-format-14 --dry-run -Werror "${files[@]}"
