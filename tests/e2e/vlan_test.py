#!/usr/bin/env python3
"""`vlan N`: a service whose clients and targets are in two VLANs of the node's one interface.

The hosts are kernels whose interfaces are made ends of VLANs by a program at their queueing discipline; the switch
carries the tags, and a capture at the node's port tells what is in the frames.
"""

import os
import sys

from captures import tshark
from lab_case import main
from one_node_lab import OneNodeTest
from seed_lab import wait_until

SERVICE = "10.5.0.80"
SERVICE6 = "2001:db8:5::80"


def config(access):
    return f"""hostname node
modules vrrp,arp,ping,hc,master,slb,rt
set ipforwarding 1
interface 1 {{
  name eth0
  access {access}
}}
register interface 1
enable interface 1
vrrp {{
  vrid 64
  priority 200
  network 1
}}
network 1 {{
  addr 10.5.0.0
  mask 255.255.255.0
  real 10.5.0.1
  virt 10.5.0.3
  mask6 64
  real6 2001:db8:5::1
  virt6 2001:db8:5::3
  vlan 5
  interface 1
}}
network 2 {{
  addr 10.6.0.0
  mask 255.255.255.0
  real 10.6.0.1
  virt 10.6.0.3
  mask6 64
  real6 2001:db8:6::1
  virt6 2001:db8:6::3
  vlan 6
  interface 1
}}
register networks 1,2
enable networks 1,2
server 1 {{
  ipaddr {SERVICE}
  port 80
  protocol tcp
  targets 1
}}
server 2 {{
  ipaddr6 {SERVICE6}
  port 80
  protocol tcp
  targets 2
}}
register servers 1,2
enable servers 1,2
target 1 {{
  ipaddr 10.6.0.9
  port 80
  protocol tcp
  tcpopen 80,1,5
}}
target 2 {{
  ipaddr6 2001:db8:6::9
  port 80
  protocol tcp
  tcpopen6 80,1,5
}}
register targets 1,2
enable targets 1,2
"""


class Vlans(OneNodeTest):
    @classmethod
    def build_lab(cls):
        lab = cls.lab
        program = os.path.join(cls.build, "tests", "e2e", "vlan_host.bpf.o")
        lab.add_switch("switch")
        for host, number in (("node", None), ("client", 5), ("t1", 6)):
            lab.add_host(host)
            lab.plug("switch", host, raw=("node",))
            if number is None:
                continue
            lab.exec(host, "tc", "qdisc", "add", "dev", "eth0", "clsact")
            for direction, action in (("egress", "push"), ("ingress", "pop")):
                lab.exec(host, "tc", "filter", "add", "dev", "eth0", direction, "bpf", "direct-action", "object-file",
                         program, "section", f"{action}{number}")
            lab.ip(host, "address", "add", f"10.{number}.0.9/24", "dev", "eth0")
            lab.ip(host, "address", "add", f"2001:db8:{number}::9/64", "dev", "eth0", "nodad")
            lab.ip(host, "route", "add", "default", "via", f"10.{number}.0.3")
            lab.ip(host, "-6", "route", "add", "default", "via", f"2001:db8:{number}::3")
        root = lab.serve_page("t1", "::", 80, "balanced")
        with open(os.path.join(root, "big"), "wb") as big:
            big.write(os.urandom(20 * 1024 * 1024))
        cls.big = os.path.join(root, "big")
        cls.capture = os.path.join(lab.folder, "capture.pcap")
        lab.popen("capture", "switch", "tcpdump", "--immediate-mode", "-B", "65536", "-U", "-n", "-s", "200", "-i",
                  "p-node", "-w", cls.capture)
        wait_until(lambda: "listening on" in lab.log("capture"), 10, "tcpdump listens")
        lab.start(config(cls.access))
        lab.wait_up("eth0")

    def balanced(self, address):
        return self.lab.fetch_from("client", address, 80)

    def test_1_both_families_are_balanced_between_the_vlans(self):
        wait_until(lambda: self.balanced(SERVICE) == "balanced", 20, "IPv4")
        wait_until(lambda: self.balanced(SERVICE6) == "balanced", 10, "IPv6")

    def test_2_own_addresses_answer_pings_of_every_size(self):
        for address in ("10.5.0.1", "10.5.0.3", SERVICE, "2001:db8:5::1", "2001:db8:5::3"):
            for size in ("0", "1472", "3000"):
                result = self.lab.exec("client", "ping", "-c", "1", "-W", "2", "-s", size, address, check=False)
                self.assertEqual(result.returncode, 0, f"{address}, {size} bytes: {result.stdout}")

    def test_3_packets_of_the_whole_mtu_are_routed(self):
        for address, size in (("10.6.0.9", "1472"), ("2001:db8:6::9", "1452")):
            result = self.lab.exec("client", "ping", "-M", "do", "-c", "2", "-i", "0.2", "-W", "2", "-s", size, address,
                                   check=False)
            self.assertEqual(result.returncode, 0, f"{address}: {result.stdout}")

    def test_4_everything_at_the_nodes_port_is_tagged_and_well_formed(self):
        self.lab.stop("capture")
        self.assertEqual(tshark(self.capture, "-Y", "!vlan"), "")
        kinds = {line for line in tshark(self.capture, "-Y", "eth.src == 00:00:5e:00:01:40 || eth.src == 00:00:5e:00:02:40",
                                         "-T", "fields", "-e", "vlan.id", "-e", "frame.protocols").splitlines()}
        for wanted in ("5\teth:ethertype:vlan:ethertype:arp", "6\teth:ethertype:vlan:ethertype:arp",
                       "5\teth:ethertype:vlan:ethertype:ip:vrrp", "6\teth:ethertype:vlan:ethertype:ip:tcp"):
            self.assertTrue(any(kind.startswith(wanted) for kind in kinds), f"{wanted} is not in {kinds}")
        self.assertFalse(any(kind.startswith("6") and "vrrp" in kind for kind in kinds), "VRRP in its VLAN only")
        self.assertEqual(tshark(self.capture, "-Y", "_ws.malformed && frame.len <= 200"), "")

    def transfer(self):
        expected = self.lab.exec("t1", "sha256sum", self.big).stdout.split()[0]
        for address in (SERVICE, f"[{SERVICE6}]"):
            got = self.lab.exec("client", "sh", "-c", f"curl -sgf -m 60 http://{address}/big | sha256sum", timeout=90)
            self.assertEqual(got.stdout.split()[0], expected, address)

    def test_5_whole_files_with_the_offloads_of_the_hosts(self):
        self.transfer()

    def test_6_whole_files_without_offloads(self):
        for host in ("client", "t1"):
            self.lab.exec(host, "ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off", "gro", "off")
        self.transfer()

    def test_7_what_has_no_tag_or_another_one_is_counted(self):
        def drops():
            rows = self.lab.show("node", "drops")["drops"]
            return {row["reason"]: row["packets"] for row in rows if row["module"] == "core"}
        before = drops()
        # An ARP request for 10.5.0.1, without a tag and with tag 7.
        send = ("import socket\n"
                "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
                "s.bind(('p-node', 0))\n"
                "macs = bytes.fromhex('ffffffffffff 020000000008')\n"
                "ask = bytes.fromhex('0806 0001080006040001 020000000008 0a050008 000000000000 0a050001') + bytes(18)\n"
                "s.send(macs + ask)\n"
                "s.send(macs + bytes.fromhex('8100 0007') + ask)\n")
        self.lab.exec("switch", sys.executable, "-c", send)
        wait_until(lambda: drops().get("untagged", 0) > before.get("untagged", 0), 5, "the untagged frame is counted")
        wait_until(lambda: drops().get("foreign-vlan", 0) > before.get("foreign-vlan", 0), 5, "the other one, too")


class A_ByPacketSockets(Vlans):  # 120 s
    access = "raw"


class B_ByXdp(Vlans):  # 120 s
    access = "xdp"


del Vlans, OneNodeTest  # bases are no tests

if __name__ == "__main__":
    main()
