#!/usr/bin/env python3
"""The laboratory of scripts/bench.sh: contenders do what they are measured for, faults are seen, nothing is left."""

import os
import signal
import sys
import unittest

import lab_case
from lab_case import Story, main
from seed_lab import LabError

FOLDER = os.path.join(lab_case.ROOT, "tests", "bench", "side_by_side")
sys.path.insert(0, FOLDER)
sys.dont_write_bytecode = True

import contenders  # noqa: E402
import measures  # noqa: E402
from bench_lab import BenchLab  # noqa: E402


class A_Contenders(unittest.TestCase):  # 120 s
    @classmethod
    def setUpClass(cls):
        cls.lab = BenchLab(lab_case.StoryTest.build)
        cls.addClassCleanup(cls.lab.close)
        cls.lab.up()
        cls.lab.start_web()

    def tearDown(self):
        self.lab.remove_balancer()
        self.assertEqual(self.lab.inodes, {self.lab.inode(host) for host in ("client", "t1", "t2")})

    def start(self, contender):
        self.lab.make_balancer(contender.kernel_is_silent)
        contender.start(self.lab, 0)

    def test_1_each_answers_is_passed_through_and_spreads(self):
        for contender in (contenders.Trivet("raw"), contenders.Trivet("xdp"), contenders.Nftables(), contenders.Forwarding(),
                          contenders.Bridge()):
            with self.subTest(contender.name):
                self.start(contender)
                contender.check(self.lab)
                self.assertGreater(measures.bulk(self.lab, contender)["bulk"], 0)
                self.lab.remove_balancer()

    def test_2_small_packets_arrive_translated_at_both_targets(self):
        for contender in (contenders.Trivet("raw"), contenders.Nftables()):
            with self.subTest(contender.name):
                self.start(contender)
                contender.check(self.lab)
                before = self.lab.arrived()
                self.assertEqual(before, {"t1": 0, "t2": 0})
                words = self.lab.exec("client", *measures.blaster_command(
                    self.lab.build, self.lab.mac_of_client(), self.lab.mac_towards(contender.address), contender, 5000)).stdout
                after = self.lab.arrived()
                self.assertGreater(min(after.values()), 0.4 * int(words.split()[0]), after)
                self.lab.remove_balancer()

    def test_3_one_that_does_not_spread_is_refused(self):
        contender = contenders.Nftables()
        self.start(contender)
        self.lab.nft("lb", "flush ruleset")
        self.lab.nft("lb", f"""
table ip balance {{
  chain services {{
    type nat hook prerouting priority dstnat;
    ip daddr {contender.address} tcp dport {contender.web} dnat to {contenders.TARGETS["t1"]}:{contenders.TARGET_WEB}
  }}
}}
""")
        with self.assertRaisesRegex(LabError, "the requests went to t1"):
            contender.check(self.lab)

    def test_4_one_that_is_not_passed_through_is_refused(self):
        contender = contenders.Forwarding()
        self.start(contender)
        contender.is_proxy = True  # so the targets should see the balancer's address, and do not
        with self.assertRaisesRegex(LabError, "the targets saw 10.0.0"):
            contender.check(self.lab)


class B_Interruption(unittest.TestCase):  # 60 s
    def test_1_it_ends_with_a_verdict_and_leaves_nothing(self):
        bench = Story(self, os.path.join(FOLDER, "side_by_side.py"), "--rounds", "1", "--only", "raw", "--only", "bulk")
        bench.read_until("round 1, Trivet")
        bench.process.send_signal(signal.SIGINT)
        status, last = bench.end()
        self.assertEqual(status, 1)
        self.assertRegex(last, r"BENCH FAILED: interrupted by SIGINT")
        self.assertEqual(bench.namespaces(), [])


if __name__ == "__main__":
    main()
