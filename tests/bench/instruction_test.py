#!/usr/bin/env python3
"""Instructions that a packet costs, held below a limit: from receive to transmit, in the door and in the balancer.

Usage: instruction_test.py PACKET_COST      PACKET_COST: the program of that name, built for release

Counts by callgrind, which repeats exactly, so limits need a margin only for compilers. Without valgrind the test fails:
a limit that nobody checks is none.
"""
import sys

import callgrind_sections

# Section of packet_cost: instructions a packet at most. Whoever makes something slower on purpose raises a number here
# and says why.
LIMITS = {
    "forward/ipv4": 905,
    "reverse/ipv4": 1055,
    "routed/ipv4": 735,
    "forward/ipv6": 895,
    "reverse/ipv6": 1045,
    "routed/ipv6": 680,
    "door/ipv4": 117,
    "door/ipv6": 98,
    "slb-hit/ipv4/1000": 391,
    "slb-hit/ipv4/1000000": 391,
    "slb-hit/ipv6/1000": 403,
    "slb-hit/ipv6/1000000": 403,
    "slb-miss/ipv4/1000": 416,
    "slb-miss/ipv4/1000000": 416,
    "slb-miss/ipv6/1000": 438,
    "slb-miss/ipv6/1000000": 438,
}
# What one more module that wants every packet and does nothing may add to "forward".
IDLE_MODULE_LIMIT = 12


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    cost = callgrind_sections.measure(sys.argv[1])
    bad = []

    def judge(name, value, limit):
        print(f"{name:32} {value:8.1f}  (at most {limit})")
        if value > limit:
            bad.append(name)

    for name, limit in LIMITS.items():
        if name not in cost:
            sys.exit(f"instruction_test.py: nothing was counted for {name}; sections: {sorted(cost)}")
        judge(name, cost[name], limit)
    for family in ("ipv4", "ipv6"):
        judge(f"an idle module/{family}", cost[f"with-idle-module/{family}"] - cost[f"forward/{family}"],
              IDLE_MODULE_LIMIT)
    if bad:
        sys.exit("too many instructions a packet: " + ", ".join(bad))


if __name__ == "__main__":
    main()
