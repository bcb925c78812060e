#!/usr/bin/env python3
"""The seed pair with real frames: the kernel as hosts, nginx, curl, bngagent; both files verbatim; every failure."""

import collections
import os
import re
import signal
import subprocess
import sys
import time

from captures import Captures, Roles, faulty, voices
from lab_case import HERE, Holder, LabTest, Transfers, main
from seed_lab import (CLIENT, CLIENT4, MEMBERSHIP, NODES, SERVER, SERVICE, VIRT_ACCESS, VIRT_TARGETS, hold, run,
                      wait_until)

VIRTUAL = (VIRT_ACCESS, VIRT_TARGETS, SERVER)
VIRTUAL_MAC = "00:00:5e:00:02:40"
VIRTUAL_MAC4 = "00:00:5e:00:01:40"
REAL = {"lb1": {"10.0.0.1", "2001:db8::2:1", "2001:db8:ffff::2:1"},
        "lb2": {"10.0.0.2", "2001:db8::2:2", "2001:db8:ffff::2:2"}}
# The comment behind a class is its limit in ctest.


class A_SeedPair(Transfers):  # 150 s
    """Section by section what the pair must do while nothing fails."""

    def test_01_exactly_one_node_is_master(self):
        master, backup = self.pair()
        self.assertEqual(self.lab.roles(), {master: "master", backup: "backup"})

    def test_02_the_master_answers_for_virtual_addresses_both_for_their_own(self):
        for host, address in (("client", VIRT_ACCESS), ("client", SERVER), ("t1", VIRT_TARGETS)):
            self.assertEqual(self.neighbor(host, address), VIRTUAL_MAC, address)
        for number, node in ((1, "lb1"), (2, "lb2")):
            macs = {row["name"]: row["mac"] for row in self.lab.show(node, "interfaces")["interfaces"]}
            self.assertEqual(self.neighbor("client", f"2001:db8::2:{number}"), macs["eth3"])
            self.assertEqual(self.neighbor("client", f"10.0.0.{number}"), macs["eth3"])
            self.assertEqual(self.neighbor("t1", f"2001:db8:ffff::2:{number}"), macs["eth2"])

    def test_03_targets_and_gateway_are_checked_by_both(self):
        for node in NODES:
            wait_until(lambda: self.lab.targets_up(node) == 2, 15, f"{node} sees both targets up")
            self.assertEqual(self.lab.show(node, "gateway")["health"], "up")

    def test_03_a_target_without_its_agent_gets_no_requests(self):
        self.lab.stop("agent-t1")
        try:
            for node in NODES:
                wait_until(lambda: self.lab.targets_up(node) == 1, 15, f"{node} sees t1 down")
            self.assertTrue(self.ping("client", "2001:db8:ffff::1:1"), "only the agent is gone")
            self.assertEqual(collections.Counter(self.lab.fetch() for _ in range(10)), {"t2": 10})
        finally:
            self.lab.start_agent("t1")
        for node in NODES:
            wait_until(lambda: self.lab.targets_up(node) == 2, 15, f"{node} sees t1 up again")

    def test_04_requests_reach_both_targets_and_come_back_from_the_service(self):
        for host in ("client", "outside"):
            answers = collections.Counter(self.lab.fetch(host) for _ in range(12))
            self.assertEqual(set(answers), {"t1", "t2"}, f"from {host}")

    def test_05_the_target_with_fewer_sessions_is_chosen(self):
        master, _ = self.pair()

        def sessions():
            return [row["sessions"] for row in self.lab.show(master, "targets")["targets"]]

        wait_until(lambda: sessions() == [0, 0], 30, "earlier sessions leave")
        holder = Holder(self.lab)
        self.assertEqual(collections.Counter(holder.say("open 8")), {"t1": 4, "t2": 4})
        self.assertEqual(holder.say("close t2"), ["t1"] * 4)
        wait_until(lambda: sessions() == [4, 0], 20, "closed sessions leave")
        self.assertEqual(holder.say("open 4"), ["t2"] * 4)
        self.assertEqual(sessions(), [4, 4])
        self.assertEqual(sorted(holder.say("open 2")), ["t1", "t2"])
        self.assertEqual(collections.Counter(holder.say("ask")), {"t1": 5, "t2": 5})
        self.lab.stop("holder")

    def test_06_hosts_of_both_networks_route_through_the_master(self):
        self.assertTrue(self.ping("client", "2001:db8:ffff::1:1"))
        self.assertTrue(self.ping("t2", CLIENT))
        self.assertTrue(self.ping("outside", "2001:db8:ffff::1:2"))

    def test_07_large_and_fragmented_pings_are_answered(self):
        for size in ("1400", "3000", "20000"):
            result = self.lab.exec("client", "ping", "-6", "-c", "2", "-W", "2", "-s", size, VIRT_ACCESS, check=False)
            self.assertEqual(result.returncode, 0, f"{size}: {result.stdout}")

    def test_08_whole_transfers_with_offloads(self):
        self.transfers()

    def test_09_no_frame_is_relayed_between_eth1_and_eth3(self):
        master, backup = self.pair()
        macs = {(row["name"], node): row["mac"] for node in NODES for row in self.lab.show(node, "interfaces")["interfaces"]}
        client = self.mac("client")
        captures = Captures(self.lab, ("eth1", "eth3"), direction="inout")
        source = client.replace(":", "")
        marker = "88b5"  # an EtherType for experiments
        udp = "60000000" "0008" "1140" "20010db8000000000000000000010100" "20010db8000000000000000000020077" "0fa00fa100081234"
        self.lab.exec("client", sys.executable, os.path.join(HERE, "tools", "frames.py"), "eth0",
                      *[f"ffffffffffff{source}{marker}"] * 5, *[f"020000000099{source}{marker}"] * 5,
                      f"333300000099{source}{marker}", f"020000000099{source}86dd{udp}")
        for words in (("-b", "10.255.255.255"), ("10.0.0.77",), ("ff02::1%eth0",), ("2001:db8::77",)):
            self.lab.exec("client", "ping", "-c", "2", "-i", "0.2", "-W", "1", *words, check=False)
        self.lab.fetch()
        # An access host that no node knows yet, reached through the master.
        self.lab.address("client", "eth0", "2001:db8::1:101/48", None)
        self.assertTrue(self.ping("t1", "2001:db8::1:101"))
        captures.stop()

        for node in NODES:
            heard = captures.fields(node, "eth3", f"eth.src == {client} && eth.type == 0x{marker}", "eth.dst")
            self.assertEqual(len(heard), 11, f"each frame passes eth3 of {node} once")
            sources = {row[0] for row in captures.fields(node, "eth1", "frame", "eth.src")}
            self.assertLessEqual(sources, {macs["eth1", "lb1"], macs["eth1", "lb2"], VIRTUAL_MAC, VIRTUAL_MAC4})
            relayed = captures.fields(
                node, "eth1", f"eth.addr == {client} || ipv6.addr == {CLIENT} || ip.addr == {CLIENT4} || "
                f"arp.src.proto_ipv4 == {CLIENT4}", "frame.number", "_ws.col.Info")
            self.assertEqual(relayed, [], f"eth1 of {node}")
        for port in ("eth1", "eth3"):
            asked = captures.fields(master, port, f"eth.src == {macs[port, master]} && icmpv6.type == 135 && "
                                    "icmpv6.nd.ns.target_address == 2001:db8::1:101", "eth.dst")
            self.assertTrue(asked, f"{master} has solicited on {port}")

    def test_10_neighbors_learned_on_eth3_go_with_its_link(self):
        master, backup = self.pair()

        def on_eth3():
            return {row["address"] for row in self.lab.show(master, "neighbors")["neighbors"] if row["interface"] == "eth3"}

        self.assertTrue(self.ping("t1", "2001:db8::1:101"))
        self.assertIn("2001:db8::1:101", on_eth3())
        self.lab.link(master, "eth3", up=False)
        wait_until(lambda: not on_eth3(), 2, "entries of eth3 are gone")
        hold(lambda: not on_eth3(), 1, "none comes back")
        wait_until(lambda: self.lab.role(backup) == "master", 10, "the other node takes over")
        self.lab.link(master, "eth3", up=True)


class B_WithoutOffloads(Transfers):  # 120 s
    """Whole transfers, and what the nodes send read by tshark: each checksum is in the bytes."""

    options = {"offloads": False}

    def test_1_no_malformed_frame_and_no_bad_checksum(self):
        self.wait_stable()
        master, backup = self.pair()
        captures = Captures(self.lab)
        for host in ("client", "outside"):
            for _ in range(10):
                self.assertIn(self.lab.fetch(host), ("t1", "t2"))
        for address in ("2001:db8:ffff::1:1", VIRT_ACCESS, "2001:db8::2:1", "2001:db8::2:2", "10.0.0.1", "10.0.0.2"):
            self.assertTrue(self.ping("client", address, 3), address)
        # Errors that a router makes: hop limit, no such host, too big for the next network.
        self.lab.exec("client", "ping", "-6", "-c", "1", "-t", "1", "-W", "1", "2001:db8:ffff::1:1", check=False)
        self.lab.exec("client", "ping", "-6", "-c", "1", "-W", "1", "2001:db8:ffff::77", check=False)
        self.lab.exec("client", "ping", "-6", "-c", "2", "-W", "1", "-s", "3000", VIRT_ACCESS, check=False)
        # Fresh questions over ARP.
        self.lab.exec("client", "ip", "neigh", "flush", "dev", "eth0")
        self.assertTrue(self.ping("client", "10.0.0.1"))
        self.lab.link(master, "eth2", up=False)
        wait_until(lambda: self.lab.role(backup) == "master", 10, "takeover")
        wait_until(lambda: all(self.lab.fetch() for _ in range(5)), 10, "service")
        # A cable that comes back makes both join their groups again.
        for up in (False, True):
            self.lab.link(master, "eth1", up=up)
            state = "up" if up else "down"
            wait_until(lambda: all({row["name"]: row["link"] for row in self.lab.show(node, "interfaces")["interfaces"]}
                                   ["eth1"] == state for node in NODES), 5, f"both nodes see eth1 {state}")
        hold(lambda: self.lab.role(backup) == "master", 3, "the new master stays")
        captures.stop()

        self.assertEqual(faulty(captures), [])
        kinds = captures.kinds()
        print(f"  frames of both nodes, none malformed, each checksum right: {dict(kinds)}")
        for kind in ("tcp", "udp", "icmpv6", "icmp", "arp", "vrrp", "igmp"):
            self.assertIn(kind, kinds)
        self.lab.link(master, "eth2", up=True)

    def test_2_whole_transfers_without_offloads(self):
        self.transfers()


class C_Failures(LabTest):  # 300 s
    """Everything that can fail, one after the other, with captures of all interfaces throughout."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.lab.wait_stable()
            cls.captures = Captures(cls.lab)
        except BaseException:
            cls.print_logs()
            cls.lab.close()
            raise

    def check_takeover(self, name, cause, low, high, within=20, host="client"):
        self.wait_stable()
        master, backup = self.pair()
        outage = self.outage(lambda: cause(master), until=lambda: self.lab.role(backup) == "master", within=within,
                             always=lambda: self.lab.role(backup) == "master", host=host)
        print(f"  {name}: {backup} took over after {outage.change:.2f} s, longest time without an answer for {host} "
              f"{outage.gap:.2f} s (bounds {low} and {high} s)", flush=True)
        self.assertGreaterEqual(outage.gap, low)
        self.assertLessEqual(outage.gap, high)
        return master, outage

    def test_1_loss_of_the_crossover_changes_nothing(self):
        self.wait_stable()
        master, backup = self.pair()
        outage = self.outage(lambda: self.lab.link(master, "eth1", up=False), after=5,
                             always=lambda: self.lab.roles() == {master: "master", backup: "backup"})
        print(f"  crossover lost: longest time without an answer {outage.gap:.2f} s", flush=True)
        self.assertLess(outage.gap, 0.5)
        self.lab.link(master, "eth1", up=True)

    def test_2_loss_of_eth2(self):
        master, _ = self.check_takeover("eth2 lost", lambda node: self.lab.link(node, "eth2", up=False), 0, 1)
        self.lab.link(master, "eth2", up=True)

    def test_3_loss_of_eth3_and_a_repaired_node_stays_backup(self):
        master, _ = self.check_takeover("eth3 lost", lambda node: self.lab.link(node, "eth3", up=False), 0, 1)
        self.lab.link(master, "eth3", up=True)
        self.wait_stable()
        roles = self.lab.roles()
        self.assertEqual(roles[master], "backup")
        hold(lambda: self.lab.roles() == roles, 10, "the repaired node stays backup", interval=0.3)

    def test_4_sigterm(self):
        master, _ = self.check_takeover("SIGTERM", lambda node: self.lab.signal_node(node, signal.SIGTERM), 0, 0.6)
        self.lab.start_node(master)

    def test_5_kill_9(self):
        master, _ = self.check_takeover("kill -9", lambda node: self.lab.signal_node(node, signal.SIGKILL), 2.2, 3.6)
        self.lab.start_node(master)

    def test_6_a_gateway_that_only_the_master_cannot_reach(self):
        def cut(node):
            self.lab.exec("access", "nft", "add table bridge lose; add chain bridge lose out "
                          "{ type filter hook forward priority 0; }; add rule bridge lose out "
                          f"iifname p-gw oifname p-{node} counter drop")
        _, outage = self.check_takeover("gateway lost for the master", cut, 0, 11, host="outside")
        self.assertLessEqual(outage.change, 11)
        self.assertNotIn("packets 0 ", self.lab.exec("access", "nft", "list table bridge lose").stdout)
        self.lab.exec("access", "nft", "delete table bridge lose")

    def test_7_loss_of_both_access_links_leaves_one_node_serving(self):
        self.wait_stable()
        master, backup = self.pair()

        def cut():
            for port in ("eth1", "eth3"):
                self.lab.link(master, port, up=False)

        roles = {master: "init", backup: "master"}
        outage = self.outage(cut, until=lambda: self.lab.roles() == roles, within=10,
                             always=lambda: self.lab.roles() == roles)
        print(f"  eth1 and eth3 lost: longest time without an answer {outage.gap:.2f} s", flush=True)
        for port in ("eth1", "eth3"):
            self.lab.link(master, port, up=True)
        self.wait_stable()

    def test_8_one_voice_for_each_address(self):
        self.captures.stop()
        roles = Roles(self.lab)
        spoken = voices(self.captures, VIRTUAL)
        for address in VIRTUAL:
            wrong = [(f"{when:.3f}", node) for when, node in spoken[address]
                     if not roles.changing(when) and roles.masters(when) != [node]]
            self.assertEqual(wrong, [], f"{address}: spoken for by a node that is not the one master")
            self.assertEqual({node for _, node in spoken[address]}, set(NODES), address)
        for owner in NODES:
            for address in REAL[owner]:
                self.assertEqual({node for _, node in spoken[address]}, {owner}, address)
        print(f"  {sum(map(len, spoken.values()))} frames, {len(roles.changes)} changes of role: one voice for each address")

    def test_9_no_malformed_frame_and_no_bad_checksum_in_what_the_nodes_originate(self):
        # The hosts' offloads are on: what is forwarded has no checksum in its bytes yet.
        own = " || ".join(f"ip{'v6' if ':' in address else ''}.src == {address}"
                          for address in sorted(REAL["lb1"] | REAL["lb2"] | {VIRT_ACCESS, VIRT_TARGETS}))
        own = f"{own} || (icmpv6 && ipv6.src == {SERVER}) || arp || ipv6.src == fe80::/10 || vrrp || igmp"
        self.assertEqual(faulty(self.captures, own), [])
        print(f"  {self.captures.kinds()['frame']} frames; of those of the nodes' own none malformed, each checksum right")


class D_Ageing(LabTest):  # 120 s
    options = {"ageing": 5}

    def test_1_switch_tables_point_at_the_master_through_30_s_idle(self):
        self.wait_stable()
        master, backup = self.pair()

        def places(switch):
            table = self.lab.exec(switch, "bridge", "fdb", "show", "br", "br0").stdout
            return [line.split()[2] for line in table.splitlines() if line.startswith(VIRTUAL_MAC)]

        before, began = {node: self.lab.cpu_seconds(node) for node in NODES}, time.monotonic()
        hold(lambda: all(places(switch) == [f"p-{master}"] for switch in ("access", "inside")), 30,
             f"both switches have the virtual MAC at {master}", interval=0.5)
        seconds = time.monotonic() - began
        for node in (master, backup):
            used = (self.lab.cpu_seconds(node) - before[node]) / seconds
            with open(f"/proc/{self.lab.processes[node].pid}/status", encoding="ascii") as status:
                memory = re.search(r"VmRSS:\s+(\d+)", status.read())[1]
            print(f"  {node} idle: {used * 100:.2f} % of a CPU over {seconds:.0f} s, {int(memory) / 1024:.1f} MiB resident")
        self.assertEqual(self.pair(), (master, backup))


class E_Snooping(LabTest):  # 120 s
    options = {"snooping": True}

    def test_1_the_pair_works_behind_switches_that_snoop(self):
        self.wait_stable()
        master, backup = self.pair()
        groups = {f"port p-{node} grp ff02::1:ff02:{number}" for number, node in ((1, "lb1"), (2, "lb2"))}
        groups |= {f"port p-{master} grp ff02::1:ff02:3"}

        def members(switch):
            text = self.lab.exec(switch, "bridge", "mdb", "show").stdout
            return {match for match in re.findall(r"port \S+ grp \S+", text)}

        expected = {"inside": groups, "access": groups | {f"port p-{master} grp ff02::1:ff02:4"}}
        hold(lambda: all(expected[switch] <= members(switch) for switch in expected), 2 * MEMBERSHIP + 2,
             "both nodes answer the querier for their groups", interval=0.5)
        self.assertNotIn(f"port p-{backup} grp ff02::1:ff02:4", members("access"))

        self.check_discovery()
        self.lab.link(master, "eth2", up=False)
        wait_until(lambda: self.lab.role(backup) == "master", 10, "takeover")
        wait_until(lambda: f"port p-{backup} grp ff02::1:ff02:4" in members("access"), 5, "the new master has joined")
        self.check_discovery()

    def check_discovery(self):
        for host, addresses in (("client", (VIRT_ACCESS, SERVER, "2001:db8::2:1", "2001:db8::2:2")),
                                ("t1", (VIRT_TARGETS,))):
            for address in addresses:
                run("ip", "-n", self.lab.name(host), "-6", "neigh", "flush", "dev", "eth0")
                self.assertIsNotNone(self.neighbor(host, address), address)
        for host in ("client", "outside"):
            self.assertIn(self.lab.fetch(host), ("t1", "t2"))


class F_Hub(LabTest):  # 120 s
    """Switches that know no place flood every frame to both nodes."""

    options = {"ageing": 0}

    def foreign(self, node):
        return sum(row["packets"] for row in self.lab.show(node, "drops")["drops"] if row["reason"] == "not-for-us")

    def sent(self, node):
        rows = self.modules(node)
        return {name: rows[name]["sent"] for name in ("slb", "rt", "ping")}

    def check(self):
        self.wait_stable()
        master, backup = self.pair()
        # No host speaks to the service: what the master hears are the backup's probes and their answers.
        before, heard = self.sent(master), self.foreign(master)
        wait_until(lambda: self.foreign(master) > heard + 12, 20, "the hub gives the master the backup's frames")
        self.assertEqual(self.sent(master), before, "the master forwards none of them")
        # Five questions and five answers are to be forwarded, by the master and once.
        idle, heard = self.sent(backup), self.foreign(backup)
        self.assertTrue(self.ping("client", "2001:db8:ffff::1:1", 5))
        self.assertEqual(self.sent(master), {**before, "rt": before["rt"] + 10})
        for _ in range(10):
            self.assertIn(self.lab.fetch(), ("t1", "t2"))
        self.assertGreater(self.foreign(backup), heard + 20, "the hub gives the backup the master's frames")
        self.assertEqual(self.sent(backup), idle, "the backup forwards none of them")
        self.assertEqual(self.sent(master)["rt"], before["rt"] + 10)
        self.assertGreater(self.sent(master)["slb"], before["slb"] + 20)
        return master, backup

    def test_1_a_node_that_hears_the_other_ones_frames_forwards_none(self):
        master, backup = self.check()
        self.lab.link(master, "eth2", up=False)
        wait_until(lambda: self.lab.role(backup) == "master", 10, "takeover")
        self.lab.link(master, "eth2", up=True)
        self.assertEqual(self.check(), (backup, master), "the same with swapped roles")


class G_Reload(LabTest):  # 200 s
    """SIGHUP at the master, under a transfer and connections that stay open."""

    options = {"own_configs": True}

    def reload(self, change, result="reloaded"):
        """Writes the master's file anew, sends SIGHUP, waits for the log. Nothing that goes on may notice."""
        path = self.lab.configs[self.master]
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(change(text))
        before = self.lab.log(self.master)
        self.lab.processes[self.master].send_signal(signal.SIGHUP)
        wait_until(lambda: re.search(rf"core +{result}", self.lab.log(self.master)[len(before):]), 5, result)
        self.assertEqual(self.established(), self.sessions, "the sessions are the same")
        self.assertEqual(self.holder.say("ask"), self.pages, "connections go on")
        self.assertIsNone(self.transfer.poll(), "the transfer goes on")
        return self.lab.log(self.master)[len(before):]

    def established(self):
        rows = self.lab.show(self.master, "sessions", "--limit", "1000")["sessions"]
        return {(row["client"], row["target"]) for row in rows if row["state"] == "established"}

    def weights(self):
        return [row["weight"] for row in self.lab.show(self.master, "targets")["targets"]]

    def test_1_reloads_under_traffic(self):
        self.wait_stable()
        self.master, _ = self.pair()
        roles = self.lab.roles()
        content = os.urandom(1 << 20) * 40
        for host in ("t1", "t2"):
            with open(os.path.join(self.lab.folder, f"www-{host}", "file"), "wb") as file:
                file.write(content)
        checksum = run("sha256sum", os.path.join(self.lab.folder, "www-t1", "file")).stdout.split()[0]
        self.holder = Holder(self.lab)
        self.pages = self.holder.say("open 4")
        self.assertEqual(set(self.pages), {"t1", "t2"})
        self.transfer = self.lab.popen("transfer", "client", "sh", "-c",
                                       f"curl -sgf --limit-rate 1500k -m 120 {SERVICE}file | sha256sum",
                                       stdout=subprocess.PIPE, text=True)
        wait_until(lambda: len(self.established()) == 5, 5, "four connections and the transfer have sessions")
        self.sessions = self.established()

        self.reload(lambda text: text)
        self.assertEqual(self.weights(), [1, 1])

        self.reload(lambda text: text.replace("target 1 {", "target 1 {\n   weight 3"))
        self.assertEqual(self.weights(), [3, 1])

        self.reload(lambda text: text.replace("targets 1,2\n }", "targets 1,2,3\n }").replace(
            "target 2 {", "target 3 {\n   ipaddr6 2001:db8:ffff::1:3\n   port 80\n   protocol tcp\n   ping6 3,10\n }\n target 2 {")
            .replace("targets 1,2\n //", "targets 1,2,3\n //").replace("register targets 1,2", "register targets 1,2,3")
            .replace("enable targets 1,2", "enable targets 1,2,3"))
        self.assertEqual([row["targets"] for row in self.lab.show(self.master, "servers")["servers"]], [3])

        with open(self.lab.configs[self.master], encoding="utf-8") as file:
            good = file.read()
        said = self.reload(lambda text: text.replace("weight 3", "weight 7").replace("vrid 64", "vrid 640"),
                           result="reload refused")
        self.assertRegex(said, r"error +core .*\.conf:\d+:\d+: .*640")
        self.assertEqual(self.weights(), [3, 1, 1])

        self.assertTrue(self.ping("client", VIRT_ACCESS))
        self.reload(lambda _: good.replace("modules vrrp,arp,ping,hc", "modules vrrp,arp,hc"))
        self.assertNotIn("ping", self.modules(self.master))
        self.assertFalse(self.ping("client", VIRT_ACCESS))
        self.reload(lambda _: good)
        self.assertEqual(list(self.modules(self.master)), ["vrrp", "arp", "ping", "hc", "master", "slb", "rt"])
        self.assertTrue(self.ping("client", VIRT_ACCESS))

        self.assertEqual(self.transfer.communicate(timeout=90)[0].split()[0], checksum)
        del self.lab.processes["transfer"]
        self.assertEqual(self.lab.roles(), roles)
        self.assertEqual(self.holder.say("ask"), self.pages)


class H_Flood(LabTest):  # 200 s
    SECONDS = 60
    ENOUGH = 300_000  # frames a second that make it a flood

    def blast(self, host, port, destination, seconds):
        """A process that sends frames as fast as it can; its output is their number."""
        return self.lab.popen(
            f"blaster-{host}", host, os.path.join(self.build, "bin", "blaster"), port, self.mac(host, port), destination,
            CLIENT, "2001:db8:ffff::9:9", str(seconds), stdout=subprocess.PIPE, text=True)

    def frames(self, blaster, seconds):
        text, _ = blaster.communicate(timeout=seconds + 10)
        self.assertEqual(blaster.returncode, 0)
        return int(text.split()[0])

    def received(self, node):
        row = next(row for row in self.lab.show(node, "interfaces")["interfaces"] if row["name"] == "eth3")
        return row["rx_frames"], row["rx_dropped"]

    def test_1_a_flood_on_eth3_without_the_crossover_changes_no_role(self):
        self.wait_stable()
        master, backup = self.pair()
        # What this machine can do now, on a cable that no node is at.
        able = self.frames(self.blast("gw", "eth9", "02:00:00:00:00:99", 2), 2) / 2
        self.lab.link(master, "eth1", up=False)
        hold(lambda: self.lab.master() == master, 4, "without the crossover nothing changes", interval=0.5)
        logs = {node: len(self.lab.log(node)) for node in NODES}
        frames, dropped = self.received(master)
        flood = self.blast("client", "eth0", VIRTUAL_MAC, self.SECONDS)
        hold(lambda: self.lab.roles() == {master: "master", backup: "backup"}, self.SECONDS - 1, "no role changes",
             interval=0.5)
        sent = self.frames(flood, self.SECONDS)
        now = self.received(master)
        frames, dropped = now[0] - frames, now[1] - dropped
        rate = sent / self.SECONDS
        print(f"  {rate / 1e6:.2f} Mpps for {self.SECONDS} s (machine without nodes: {able / 1e6:.2f} Mpps); the master took "
              f"{frames / sent * 100:.0f} %, its ring dropped {dropped / sent * 100:.0f} %")
        if rate < self.ENOUGH:
            print(f"  NOTE: less than {self.ENOUGH / 1e6} Mpps; this machine, as busy as it is, makes no more of a flood")
        self.assertGreater(rate, min(self.ENOUGH, able / 5))
        self.assertGreater(frames + dropped, sent * 0.8, "the flood arrives at the master")
        for node in NODES:
            self.assertNotIn(" role ", self.lab.log(node)[logs[node]:], node)


if __name__ == "__main__":
    main()
