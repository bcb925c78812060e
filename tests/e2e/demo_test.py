#!/usr/bin/env python3
"""The demonstration: what it shows, its verdict, and that nothing of it stays behind, also when it is interrupted."""

import os
import re
import signal
import subprocess
import sys
import unittest

import lab_case
from lab_case import Story, main
from seed_lab import SERVICE

PROGRAM = os.path.join(lab_case.ROOT, "scripts", "demo.py")


class A_Demonstration(unittest.TestCase):  # 120 s
    def test_1_it_shows_the_spread_and_the_takeover_and_passes(self):
        demo = Story(self, PROGRAM)
        demo.read_until("Both nodes start")
        self.assertNotEqual(demo.namespaces(), [])
        status, last = demo.end()
        self.assertEqual((status, last), (0, "DEMO PASSED: the pair balances, fails over and is cleaned up."), demo.text)
        self.assertEqual(demo.namespaces(), [])
        spread = {target: int(count) for target, count in re.findall(r"(?m)^ +(t\d|no answer) +(\d+)  #+$", demo.text)}
        self.assertEqual(sum(spread.values()), 40, demo.text)
        self.assertEqual(set(spread), {"t1", "t2"}, demo.text)
        self.assertRegex(demo.text, r"(?m)^\d+ requests, [0-3] lost \(at most 3 may be\)")
        masters = re.findall(r"(?m)^(?:(lb\d) is master|(lb\d) was seen as master)", demo.text)
        self.assertEqual(sorted(first or second for first, second in masters), ["lb1", "lb2"])

    def test_2_interrupted_it_says_so_and_leaves_nothing(self):
        demo = Story(self, PROGRAM)
        demo.read_until(f"requests to {SERVICE}")
        demo.process.send_signal(signal.SIGINT)
        self.assertEqual(demo.end(), (1, "DEMO FAILED: interrupted by SIGINT"))
        self.assertEqual(demo.namespaces(), [])

    def test_3_kept_it_can_be_looked_at_with_the_commands_that_it_prints(self):
        demo = Story(self, PROGRAM, "--keep")
        demo.read_until("Ctrl-C takes it down.")
        commands = re.findall(r"(?m)^   (\S*trivet --run-dir .*|ip netns exec .*)$", demo.text)
        self.assertEqual(len(commands), 3, demo.text)
        for command in commands:
            result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=10, check=False)
            self.assertEqual(result.returncode, 0, f"{command}: {result.stderr}")
            self.assertRegex(result.stdout, r"^t[12]$|Role", command)
        demo.process.send_signal(signal.SIGINT)
        status, last = demo.end()
        self.assertEqual((status, last), (0, "DEMO PASSED: the pair balances, fails over and is cleaned up."), demo.text)
        self.assertEqual(demo.namespaces(), [])


if __name__ == "__main__":
    sys.exit(main())
