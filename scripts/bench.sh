#!/usr/bin/env bash
# Measures Trivet beside the kernel, HAProxy and nginx, in a virtual lab; writes docs/performance.md with its charts.
# Usage: sudo scripts/bench.sh [--quick] [--rounds N] [--only NAME]... [--json FILE] [--page FOLDER] [--render FILE]
#        sudo scripts/bench.sh --growth [--quick] [--json FILE] [--page FOLDER]
#   --quick   two rounds, for trying          --only    one contender or one measure (--help lists them)
#   --json    every run, as JSON              --render  measures nothing: table, verdict and page of such a file
#   --growth  instead: how the cost of a packet grows with sessions, targets, servers, networks, modules and workers;
#             writes that section of docs/performance.md, with its charts
# docs/performance/notes.md, if there is one, becomes the end of the page.
# Ends with a verdict for each target; the page is written to docs/ by a full run only.
set -euo pipefail
cd "$(dirname "$0")/.."
program=tests/bench/side_by_side/side_by_side.py

case " $* " in *" -h "* | *" --help "*) exec /usr/bin/python3 "$program" --help ;; esac
if [ "$(id -u)" -ne 0 ]; then
  echo "bench.sh: it makes network namespaces and needs root: sudo scripts/bench.sh" >&2
  exit 1
fi

# Until the lab takes over, a failure or Ctrl-C ends with a verdict, too.
stage="setting up"
verdict() { echo "BENCH FAILED: $1 while $stage"; }
trap 'verdict "error"' ERR
trap 'trap - ERR; verdict "interrupted"; exit 1' INT TERM HUP

scripts/setup.sh build bench
stage="building"
echo "Building (the first time takes some minutes) ..."
scripts/build.sh --with-bench
trap - ERR INT TERM HUP
exec /usr/bin/python3 "$program" "$@"
