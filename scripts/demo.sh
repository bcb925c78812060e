#!/usr/bin/env bash
# The main job on one machine: the seed pair in a virtual lab, with traffic and a failover to look at.
# Usage: sudo scripts/demo.sh [--keep]      --keep leaves the lab up and prints how to look around
set -euo pipefail
cd "$(dirname "$0")/.."

for option in "$@"; do
  case $option in
    --keep) ;;
    -h|--help) sed -n '2,3s/^# //p' "$0"; exit 0 ;;
    *) echo "demo.sh: no such option: $option (there is --keep)" >&2; exit 2 ;;
  esac
done
if [ "$(id -u)" -ne 0 ]; then
  echo "demo.sh: it makes network namespaces and needs root: sudo scripts/demo.sh" >&2
  exit 1
fi

# Until the lab takes over, a failure or Ctrl-C ends with a verdict, too.
stage="setting up"
verdict() { echo "DEMO FAILED: $1 while $stage"; }
trap 'verdict "error"' ERR
trap 'trap - ERR; verdict "interrupted"; exit 1' INT TERM HUP

scripts/setup.sh build lab
stage="building"
echo "Building (the first time takes some minutes) ..."
scripts/build.sh
trap - ERR INT TERM HUP
exec python3 scripts/demo.py "$@"
