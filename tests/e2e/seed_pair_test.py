#!/usr/bin/env python3
"""The seed pair with real frames: the kernel as hosts, nginx, curl, bngagent; both files verbatim; every failure."""

import collections
import os
import signal
import subprocess
import time

from lab_case import LabTest, main
from seed_lab import GATEWAY, SERVER, SERVICE, VIRT_ACCESS, VIRT_TARGETS, run, wait_until

VIRTUAL_MAC = "00:00:5e:00:02:40"


class Transfers(LabTest):
    """Whole files and many clients at once; for both settings of the hosts' offloads."""

    __test__ = False

    def transfers(self):
        size = 100 * 1024 * 1024
        for host in ("t1", "t2"):
            path = os.path.join(self.lab.folder, f"www-{host}", "big")
            if not os.path.exists(path):
                with open(path, "wb") as file, open("/dev/urandom", "rb") as source:
                    block = source.read(1024 * 1024)
                    for number in range(100):
                        file.write(number.to_bytes(8, "big") + block[8:])
        sums = {run("sha256sum", os.path.join(self.lab.folder, f"www-{host}", "big")).stdout.split()[0]
                for host in ("t1", "t2")}
        began = time.monotonic()
        got = self.lab.exec("client", "sh", "-c", f"curl -sgf -m 60 {SERVICE}big | sha256sum", timeout=90).stdout.split()[0]
        seconds = time.monotonic() - began
        self.assertIn(got, sums)
        print(f"  100 MB in {seconds:.1f} s ({size * 8 / seconds / 1e9:.2f} Gbit/s)")

        command = f"seq 200 | xargs -P 200 -I{{}} curl -sgf -m 20 {SERVICE}"
        answers = collections.Counter(self.lab.exec("client", "sh", "-c", command, timeout=90).stdout.split())
        self.assertEqual(sum(answers.values()), 200, answers)
        print(f"  200 parallel requests: {dict(answers)}")


class A_SeedPair(Transfers):
    def test_01_exactly_one_node_is_master(self):
        master, backup = self.pair()
        self.assertEqual(self.lab.roles(), {master: "master", backup: "backup"})

    def test_02_the_master_answers_for_virtual_addresses_both_for_their_own(self):
        for host, address in (("client", VIRT_ACCESS), ("client", SERVER), ("t1", VIRT_TARGETS)):
            self.assertEqual(self.neighbor(host, address), VIRTUAL_MAC, address)
        for number, node in ((1, "lb1"), (2, "lb2")):
            macs = {row["name"]: row["mac"] for row in self.lab.show(node, "interfaces")["interfaces"]}
            self.assertEqual(self.neighbor("client", f"2001:db8::2:{number}"), macs["eth3"])
            self.assertEqual(self.neighbor("t1", f"2001:db8:ffff::2:{number}"), macs["eth2"])

    def test_03_targets_and_gateway_are_checked_by_both(self):
        for node in ("lb1", "lb2"):
            wait_until(lambda: self.lab.targets_up(node) == 2, 15, f"{node} sees both targets up")
            self.assertEqual(self.lab.show(node, "gateway")["health"], "up")

    def test_04_requests_reach_both_targets_and_come_back_from_the_service(self):
        for host in ("client", "outside"):
            answers = collections.Counter(self.lab.fetch(host) for _ in range(12))
            self.assertEqual(set(answers), {"t1", "t2"}, f"from {host}")

    def test_05_hosts_of_both_networks_route_through_the_master(self):
        self.assertTrue(self.ping("client", "2001:db8:ffff::1:1"))
        self.assertTrue(self.ping("t2", "2001:db8::1:100"))
        self.assertTrue(self.ping("outside", "2001:db8:ffff::1:2"))

    def test_06_large_and_fragmented_pings_are_answered(self):
        for size in ("1400", "3000", "20000"):
            result = self.lab.exec("client", "ping", "-6", "-c", "2", "-W", "2", "-s", size, VIRT_ACCESS, check=False)
            self.assertEqual(result.returncode, 0, f"{size}: {result.stdout}")

    def test_07_whole_transfers_with_offloads(self):
        self.transfers()

    def test_08_loss_of_the_crossover_changes_nothing(self):
        self.wait_stable()
        master, _ = self.pair()
        gap = self.outage(lambda: self.lab.link(master, "eth1", up=False), 5)
        print(f"  crossover lost: longest time without an answer {gap:.2f} s")
        self.assertEqual(self.lab.master(), master)
        self.assertLess(gap, 0.5)
        self.lab.link(master, "eth1", up=True)

    def check_takeover(self, name, cause, seconds, bounds):
        self.wait_stable()
        master, backup = self.pair()
        gap = self.outage(lambda: cause(master), seconds, until=lambda: self.lab.role(backup) == "master")
        print(f"  {name}: {backup} took over, longest time without an answer {gap:.2f} s (bounds {bounds})")
        self.assertGreaterEqual(gap, bounds[0])
        self.assertLessEqual(gap, bounds[1])
        return master, backup

    def test_09_loss_of_eth2(self):
        master, _ = self.check_takeover("eth2 lost", lambda node: self.lab.link(node, "eth2", up=False), 8, (0, 1.0))
        self.lab.link(master, "eth2", up=True)

    def test_10_loss_of_eth3(self):
        master, _ = self.check_takeover("eth3 lost", lambda node: self.lab.link(node, "eth3", up=False), 8, (0, 1.0))
        self.lab.link(master, "eth3", up=True)

    def test_11_a_repaired_node_stays_backup(self):
        self.wait_stable()
        _, backup = self.pair()
        time_before = time.monotonic()
        wait_until(lambda: time.monotonic() - time_before > 10, 12, "ten quiet seconds")
        self.assertEqual(self.pair()[1], backup)

    def test_12_sigterm_hands_over(self):
        master, _ = self.check_takeover("SIGTERM", lambda node: self.lab.signal_node(node, signal.SIGTERM), 8, (0, 0.6))
        self.lab.start_node(master)

    def test_13_kill_9(self):
        master, _ = self.check_takeover("kill -9", lambda node: self.lab.signal_node(node, signal.SIGKILL), 8, (2.15, 3.6))
        self.lab.start_node(master)

    def test_14_a_gateway_that_only_the_master_cannot_reach(self):
        self.wait_stable()
        master, backup = self.pair()

        def lose_answers():
            # The switch drops echo replies of the gateway on the master's port; adverts and the rest pass.
            self.lab.exec("access", "nft", "add table bridge lose; add chain bridge lose out "
                          "{ type filter hook forward priority 0; }; add rule bridge lose out "
                          f"oifname p-{master} ip6 saddr {GATEWAY} icmpv6 type echo-reply drop")
        began = time.monotonic()
        gap = self.outage(lose_answers, 20, until=lambda: self.lab.role(backup) == "master")
        print(f"  gateway lost for the master: takeover after {time.monotonic() - began:.1f} s, "
              f"longest time without an answer {gap:.2f} s (bound 11)")
        self.assertLessEqual(gap, 11)
        self.lab.exec("access", "nft", "delete table bridge lose")

    def test_15_loss_of_both_access_links_leaves_one_node_serving(self):
        self.wait_stable()
        master, backup = self.pair()
        for port in ("eth1", "eth3"):
            self.lab.link(master, port, up=False)
        wait_until(lambda: self.lab.roles() == {master: "init", backup: "master"}, 10, "the cut node gives up the role")
        wait_until(lambda: self.lab.fetch() in ("t1", "t2"), 5, "the other node serves")
        for port in ("eth1", "eth3"):
            self.lab.link(master, port, up=True)


class B_WithoutOffloads(Transfers):
    options = {"offloads": False}

    def test_1_whole_transfers_without_offloads(self):
        self.transfers()


class C_Wire(LabTest):
    """What the nodes send, read by tshark; who speaks for the virtual addresses, and when."""

    options = {"offloads": False}

    def test_1_no_malformed_frame_no_bad_checksum_and_one_voice(self):
        self.wait_stable()
        master, backup = self.pair()
        captures = {}
        for node in ("lb1", "lb2"):
            for port in ("eth1", "eth2", "eth3"):
                path = os.path.join(self.lab.folder, f"{node}-{port}.pcap")
                captures[node, port] = path
                self.lab.popen(f"capture-{node}-{port}", node, "tcpdump", "--immediate-mode", "-Q",
                               "out", "-U", "-n", "-i", port, "-w", path)
        wait_until(lambda: all(os.path.exists(path) for path in captures.values()), 10, "tcpdump runs")
        for _ in range(10):
            self.assertIn(self.lab.fetch(), ("t1", "t2"))
        self.ping("client", "2001:db8:ffff::1:1", 3)
        self.ping("client", VIRT_ACCESS, 3)
        self.lab.exec("client", "ping", "-6", "-c", "1", "-t", "1", "-W", "1", "2001:db8:ffff::1:1", check=False)
        self.lab.exec("client", "ping", "-6", "-c", "1", "-W", "1", "2001:db8:ffff::77", check=False)
        self.lab.link(master, "eth2", up=False)
        wait_until(lambda: self.lab.role(backup) == "master", 10, "takeover")
        spoken = os.path.getsize(captures[backup, "eth3"])
        wait_until(lambda: all(self.lab.fetch() for _ in range(5)), 10, "service")
        wait_until(lambda: os.path.getsize(captures[backup, "eth3"]) > spoken + 1000, 10, "the new master is captured")
        for key in [key for key in self.lab.processes if key.startswith("capture-")]:
            process = self.lab.processes.pop(key)
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=10)

        bad = ("_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0 || "
               "icmp.checksum.status == 0 || icmpv6.checksum.status == 0 || vrrp.checksum.status == 0 || "
               "igmp.checksum.status == 0")
        checks = [word for protocol in ("ip", "tcp", "udp") for word in ("-o", f"{protocol}.check_checksum:TRUE")]
        total = 0
        for path in captures.values():
            frames = run("tshark", "-r", path, *checks, "-Y", bad, timeout=120).stdout
            self.assertEqual(frames, "", path)
            total += len(run("tshark", "-r", path, "-T", "fields", "-e", "frame.number", timeout=120).stdout.split())
        print(f"  {total} frames of both nodes: none malformed, no bad checksum")
        self.assertGreater(total, 100)
        self.check_one_voice(captures)

    def check_one_voice(self, captures):
        """Frames with the virtual MAC as source come from one node at a time, but for 200 ms around a change."""
        spoken = []
        for (node, _), path in captures.items():
            times = run("tshark", "-r", path, "-Y", "eth.src[0:4] == 00:00:5e:00", "-T", "fields", "-e",
                        "frame.time_epoch", timeout=120).stdout.split()
            spoken += [(float(when), node) for when in times]
        spoken.sort()
        spans = {node: [when for when, who in spoken if who == node] for node in ("lb1", "lb2")}
        self.assertTrue(all(spans.values()), "both nodes have been master")
        first, second = sorted(spans, key=lambda node: spans[node][0])
        overlap = spans[first][-1] - spans[second][0]
        print(f"  virtual MAC: {first} silent {-overlap:.3f} s before {second} spoke (negative: both for so long)")
        self.assertLess(overlap, 0.2)


class D_Ageing(LabTest):
    options = {"ageing": 5}

    def test_1_switch_tables_still_point_at_the_master_after_30_s_idle(self):
        self.wait_stable()
        master, _ = self.pair()
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > 30, 35, "30 idle seconds")
        for switch in ("access", "inside"):
            table = self.lab.exec(switch, "bridge", "fdb", "show", "br", "br0").stdout
            places = [line.split()[2] for line in table.splitlines() if line.startswith(VIRTUAL_MAC)]
            self.assertEqual(places, [f"p-{master}"], switch)


class E_Snooping(LabTest):
    options = {"snooping": True}

    def test_1_the_pair_works_behind_switches_that_snoop(self):
        self.wait_stable()
        master, backup = self.pair()
        for host in ("client", "outside"):
            self.assertIn(self.lab.fetch(host), ("t1", "t2"))
        for address in (VIRT_ACCESS, SERVER):
            run("ip", "-n", self.lab.name("client"), "-6", "neigh", "flush", "dev", "eth0")
            self.assertEqual(self.neighbor("client", address), VIRTUAL_MAC)
        groups = self.lab.exec("access", "bridge", "mdb", "show").stdout
        self.assertIn(f"port p-{master} grp ff02::1:ff02:4", groups, "the master has joined the service's group")
        self.lab.link(master, "eth2", up=False)
        wait_until(lambda: self.lab.role(backup) == "master", 10, "takeover")
        run("ip", "-n", self.lab.name("client"), "-6", "neigh", "flush", "dev", "eth0")
        wait_until(lambda: self.neighbor("client", SERVER) == VIRTUAL_MAC, 10, "the new master is found")


class F_Hub(LabTest):
    options = {"ageing": 0}

    def test_1_a_node_that_hears_the_other_ones_frames_forwards_none(self):
        master, backup = self.pair()

        def sent(node):
            rows = {row["name"]: row for row in self.lab.show(node, "modules")["modules"]}
            return sum(rows[name]["sent"] for name in ("slb", "rt", "ping"))

        def foreign(node):
            return sum(row["packets"] for row in self.lab.show(node, "drops")["drops"] if row["reason"] == "not-for-us")

        before, heard = sent(backup), foreign(backup)
        for _ in range(10):
            self.assertIn(self.lab.fetch(), ("t1", "t2"))
        self.assertTrue(self.ping("client", "2001:db8:ffff::1:1"))
        self.assertEqual(sent(backup), before)
        self.assertGreater(foreign(backup), heard + 20, "the hub gives it the other node's frames")
        self.assertGreater(sent(master), 20)


class G_Flood(LabTest):
    SECONDS = 60

    def test_1_a_flood_on_eth3_without_the_crossover_changes_no_role(self):
        self.wait_stable()
        master, backup = self.pair()
        self.lab.link(master, "eth1", up=False)
        mac = run("ip", "netns", "exec", self.lab.name("client"), "cat", "/sys/class/net/eth0/address").stdout.strip()
        flood = subprocess.Popen(
            ["ip", "netns", "exec", self.lab.name("client"), os.path.join(self.build, "bin", "blaster"), "eth0", mac,
             VIRTUAL_MAC, "2001:db8::1:100", "2001:db8:ffff::9:9", str(self.SECONDS)], stdout=subprocess.PIPE, text=True)
        roles = set()
        while flood.poll() is None:
            roles.add((self.lab.role(master), self.lab.role(backup)))
        frames = int(flood.stdout.read())
        print(f"  {frames / self.SECONDS / 1e6:.2f} Mpps for {self.SECONDS} s; roles seen: {roles}")
        self.assertEqual(roles, {("master", "backup")})
        with open(os.path.join(self.lab.folder, f"{master}.log"), encoding="utf-8") as log:
            self.assertNotIn("role master -> ", log.read())


if __name__ == "__main__":
    main()
