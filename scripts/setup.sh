#!/usr/bin/env bash
# Installs what Trivet needs and Debian 12 lacks. Idempotent; silent when nothing is missing.
# Usage: scripts/setup.sh [build] [lab] [check] [bench]   (default: all but bench)
set -euo pipefail

build="g++ cmake ninja-build ccache pkg-config libboost1.81-dev libspdlog-dev libfmt-dev libtomlplusplus-dev
  nlohmann-json3-dev libcli11-dev libpcap-dev libmnl-dev libbpf-dev libxdp-dev clang-19 libxxhash-dev
  libgtest-dev libgmock-dev libbenchmark-dev valgrind"
lab="python3 iproute2 nftables nginx-light curl ethtool procps iputils-ping"
check="tshark tcpdump clang-tidy-19 clang-format-14 libclang-rt-19-dev python3 iperf3"
bench="haproxy libnginx-mod-stream wrk iperf3 nghttp2-client python3-matplotlib $lab"

wanted=""
for group in "${@:-build lab check}"; do
  for name in $group; do
    case $name in
      build) wanted+=" $build" ;;
      lab) wanted+=" $lab" ;;
      check) wanted+=" $check" ;;
      bench) wanted+=" $bench" ;;
      *) echo "setup.sh: no such group: $name (groups: build, lab, check, bench)" >&2; exit 2 ;;
    esac
  done
done

missing=""
for package in $wanted; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=" $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "setup.sh: these packages are missing; run as root or install them:" >&2
  echo "  apt-get install --no-install-recommends$missing" >&2
  exit 1
fi

# Packages such as nginx start a service when they are installed; nothing here wants one running.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086  # a list of words
apt-get install -y -qq --no-install-recommends $missing >/dev/null
