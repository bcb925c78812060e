#!/usr/bin/env python3
"""The seed pair with `access xdp` on every interface: requests, whole transfers, failover, and an idle daemon."""

import collections
import os
import re
import shutil
import signal
import tempfile
import time

import lab_case
from lab_case import Transfers, main
from seed_lab import NODES, VIRT_ACCESS, hold, run, wait_until

VIRTUAL_MAC = "00:00:5e:00:02:40"


def with_xdp(path, folder):
    """A copy of a configuration in which each interface says `access xdp`."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    text, count = re.subn(r"(?m)^(\s*)(name eth\d+)\s*$", r"\1\2\n\1access xdp", text)
    assert count == 3, f"{path}: {count} interfaces"
    copy = os.path.join(folder, os.path.basename(path))
    with open(copy, "w", encoding="utf-8") as file:
        file.write(text)
    return copy


class A_SeedPairByXdp(Transfers):  # 240 s
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="trivet-xdp-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        former = lab_case.CONFIGS
        lab_case.CONFIGS = {node: with_xdp(path, cls.folder) for node, path in former.items()}
        try:
            super().setUpClass()
        finally:
            lab_case.CONFIGS = former

    def programs(self, node):
        return [port for port in ("eth1", "eth2", "eth3")
                if "xdp" in self.lab.exec(node, "ip", "-d", "link", "show", "dev", port).stdout]

    def interface(self, node, name):
        return next(row for row in self.lab.show(node, "interfaces")["interfaces"] if row["name"] == name)

    def test_1_every_interface_is_taken_by_xdp_and_the_log_says_so(self):
        for node in NODES:
            self.assertEqual(self.programs(node), ["eth1", "eth2", "eth3"])
            with open(os.path.join(self.lab.folder, f"{node}.log"), encoding="utf-8") as log:
                text = log.read()
            for number in (1, 2, 3):
                self.assertIn(f"interface {number} (eth{number}): xdp: copy mode", text)

    def test_2_requests_reach_both_targets(self):
        for host in ("client", "outside"):
            answers = collections.Counter(self.lab.fetch(host) for _ in range(12))
            self.assertEqual(set(answers), {"t1", "t2"}, f"from {host}")

    def test_3_pings_of_every_size_are_answered(self):
        for size in ("0", "1400", "3000", "20000"):
            result = self.lab.exec("client", "ping", "-6", "-c", "2", "-W", "2", "-s", size, VIRT_ACCESS, check=False)
            self.assertEqual(result.returncode, 0, f"{size}: {result.stdout}")

    def test_4_a_whole_transfer_with_the_offloads_of_the_hosts(self):
        self.transfers()

    def test_5_an_idle_pair_keeps_its_roles_and_its_use_of_the_processor_is_printed(self):
        self.wait_stable()
        master, backup = self.pair()
        before, began = {node: self.lab.cpu_seconds(node) for node in NODES}, time.monotonic()
        hold(lambda: self.lab.role(backup) == "backup", 10, "the roles stay", interval=5)
        for node in (master, backup):
            share = (self.lab.cpu_seconds(node) - before[node]) / (time.monotonic() - began)
            print(f"  {node} idle: {share * 100:.2f} % of a CPU")

    def test_6_loss_of_a_link_hands_over(self):
        self.wait_stable()
        master, backup = self.pair()
        outage = self.outage(lambda: self.lab.link(master, "eth3", up=False),
                             until=lambda: self.lab.role(backup) == "master")
        print(f"  eth3 lost: longest time without an answer {outage.gap:.2f} s")
        self.assertLessEqual(outage.gap, 1.0)
        self.lab.link(master, "eth3", up=True)

    def test_7_kill_9_hands_over_leaves_no_program_and_a_start_works_at_once(self):
        self.wait_stable()
        master, backup = self.pair()
        outage = self.outage(lambda: self.lab.signal_node(master, signal.SIGKILL),
                             until=lambda: self.lab.role(backup) == "master")
        print(f"  kill -9: longest time without an answer {outage.gap:.2f} s")
        self.assertLessEqual(outage.gap, 3.6)
        wait_until(lambda: self.programs(master) == [], 2, "no program is attached")
        self.lab.start_node(master)
        wait_until(lambda: self.programs(master) == ["eth1", "eth2", "eth3"], 5, "every interface is taken again")
        self.wait_stable()

    def test_8_an_interface_that_disappears_is_taken_again_when_it_is_back(self):
        run("ip", "-n", self.lab.name("lb1"), "link", "del", "eth1")  # and its other end with it
        for node in NODES:
            wait_until(lambda: self.interface(node, "eth1")["link"] != "up", 5, f"{node} misses eth1")
        self.assertIn(self.lab.fetch(), ("t1", "t2"))
        self.lab.cable("lb1", "eth1", "lb2", "eth1", raw=NODES)
        for node in NODES:
            wait_until(lambda: self.interface(node, "eth1")["link"] == "up", 5, f"{node} has eth1 again")
            self.assertEqual(self.programs(node), ["eth1", "eth2", "eth3"])
        self.wait_stable()
        self.assertIn(self.lab.fetch(), ("t1", "t2"))

    def test_9_a_flood_of_data_changes_no_role(self):
        self.wait_stable()
        master, backup = self.pair()
        self.lab.link(master, "eth1", up=False)  # the advertisements take the flooded way
        mac = run("ip", "netns", "exec", self.lab.name("client"), "cat", "/sys/class/net/eth0/address").stdout.strip()
        seconds = 10
        flood = self.lab.popen("flood", "client", os.path.join(self.build, "bin", "blaster"), "eth0", mac, VIRTUAL_MAC,
                               "2001:db8::1:100", "2001:db8:ffff::9:9", str(seconds))
        before, roles = self.interface(master, "eth3"), set()
        while flood.poll() is None:
            roles.add((self.lab.role(master), self.lab.role(backup)))
        del self.lab.processes["flood"]
        self.assertEqual(flood.returncode, 0)
        after = self.interface(master, "eth3")
        with open(os.path.join(self.lab.folder, "flood.log"), encoding="ascii") as log:
            sent = int(log.read().split()[0])
        print(f"  {sent / seconds / 1e6:.2f} Mpps for {seconds} s; roles seen: {roles}")
        self.assertGreater(sum(after[key] - before[key] for key in ("rx_frames", "rx_dropped")), sent / 2)
        self.assertEqual(roles, {("master", "backup")})
        self.lab.link(master, "eth1", up=True)


if __name__ == "__main__":
    main()
