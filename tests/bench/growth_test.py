#!/usr/bin/env python3
"""The cost of a packet grows at most with the logarithm of the number of targets, servers and networks.

Usage: growth_test.py GROWTH_COST      GROWTH_COST: the program of that name, built for release

Instructions by callgrind, with one of a thing and with many. What the many may cost more is a number of instructions for
each doubling. It is chosen so that no walk through the things can hide in it: one instruction for each of 256 is 255,
and 8 doublings are allowed less. What is logarithmic (a heap, a tree, a binary search) stays below it; so does what is
constant but for a look-up that misses one of the program's own caches more often.
"""
import math
import sys

import callgrind_sections

LOOK_UPS = 25  # a doubling: packets of sessions, which only find things
BEGINNINGS = 90  # a doubling: new sessions, which go up and down a heap or a tree
# What is compared: (sections, few, many, instructions a doubling).
RULES = [(f"{what}/{family}", 1, many, most) for what, many, most in (
    ("targets/forward", 1024, LOOK_UPS), ("servers/forward", 512, LOOK_UPS),
    ("servers/new_session", 512, LOOK_UPS), ("networks/forward", 256, LOOK_UPS),
    ("networks/reverse", 256, LOOK_UPS), ("networks/reverse_vlans", 256, LOOK_UPS)) for family in ("ipv4", "ipv6")]
RULES += [(f"targets/new_{method}/ipv4", 1, 1024, BEGINNINGS) for method in ("rr", "random", "first", "session")]
# `hash` is the exception: each target draws. So many instructions a target at most.
HASH = "targets/new_hash/ipv4"
HASH_LIMIT = 26


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    cost = callgrind_sections.measure(sys.argv[1])
    bad = []

    def judge(name, few, many, limit):
        names = [f"{name}/{size}" for size in (few, many)]
        missing = [one for one in names if one not in cost]
        if missing:
            sys.exit(f"growth_test.py: nothing was counted for {missing}; sections: {sorted(cost)}")
        one, other = (cost[one] for one in names)
        print(f"{name:28} {one:8.1f} with {few:>2}, {other:8.1f} with {many:>4}: {other - one:+8.1f}  (at most {limit:+.0f})")
        if other - one > limit:
            bad.append(name)

    for name, few, many, most in RULES:
        limit = most * math.log2(many / few)
        # The rule of the rule: a walk of one instruction a thing fails.
        assert limit < many - few, name
        judge(name, few, many, limit)
    judge(HASH, 1, 1024, HASH_LIMIT * 1023)
    if bad:
        sys.exit("grows faster than the logarithm: " + ", ".join(bad))


if __name__ == "__main__":
    main()
