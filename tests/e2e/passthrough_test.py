#!/usr/bin/env python3
"""`passthrough enable`: a machine with one interface keeps its own services on it, and the kernel stays off ours.

The node's kernel routes (ip_forward), has a route to the targets, and an own address on the interface: it would forward
or refuse whatever is not kept from it.
"""

import os
import signal
import subprocess
import sys

from lab_case import main
from one_node_lab import ECHO, OneNodeTest
from seed_lab import wait_until

SYSTEM = "10.1.0.5"
SYSTEM6 = "2001:db8:1::5"
SERVICE = "10.1.0.80"
SERVICE6 = "2001:db8:1::80"
KERNEL = ("IpForwDatagrams", "Ip6OutForwDatagrams", "TcpOutRsts", "IcmpOutDestUnreachs", "Icmp6OutDestUnreachs",
          "IcmpOutRedirects", "Icmp6OutRedirects")


def config(access, more="", ipforwarding=0):
    return f"""hostname node
modules arp,ping,hc,slb,rt
set ipforwarding {ipforwarding}
interface 1 {{
  name eth0
  access {access}
  passthrough enable
}}
register interface 1
enable interface 1
network 1 {{
  addr 10.1.0.0
  mask 255.255.255.0
  real 10.1.0.1
  mask6 64
  real6 2001:db8:1::1
  interface 1
}}
network 2 {{
  addr 10.2.0.0
  mask 255.255.255.0
  real 10.2.0.1
  mask6 64
  real6 2001:db8:2::1
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
  ipaddr 10.2.0.9
  port 80
  protocol tcp
  tcpopen 80,1,5
}}
target 2 {{
  ipaddr6 2001:db8:2::9
  port 80
  protocol tcp
  tcpopen6 80,1,5
}}
register targets 1,2
enable targets 1,2
{more}"""


class Passthrough(OneNodeTest):
    @classmethod
    def build_lab(cls):
        lab = cls.lab
        lab.add_switch("switch")
        for host in ("node", "client", "t1"):
            lab.add_host(host)
            lab.plug("switch", host)
        cls.give_addresses()
        lab.ip("client", "address", "add", "10.1.0.9/24", "dev", "eth0")
        lab.ip("client", "address", "add", "2001:db8:1::9/64", "dev", "eth0", "nodad")
        lab.ip("t1", "address", "add", "10.2.0.9/24", "dev", "eth0")
        lab.ip("t1", "address", "add", "2001:db8:2::9/64", "dev", "eth0", "nodad")
        lab.ip("t1", "route", "add", "default", "via", "10.2.0.1")
        lab.ip("t1", "-6", "route", "add", "default", "via", "2001:db8:2::1")
        lab.exec("node", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                 "net.ipv4.icmp_ratelimit=0")
        lab.serve_page("t1", "::", 80, "balanced")
        lab.serve_page("t1", "::", 8080, "other")
        lab.serve_page("t1", "::", 8081, "routed")
        lab.serve_page("node", "::", 2222, "system")

    @classmethod
    def give_addresses(cls):
        lab = cls.lab
        lab.ip("node", "address", "add", f"{SYSTEM}/24", "dev", "eth0")
        lab.ip("node", "address", "add", f"{SYSTEM6}/64", "dev", "eth0", "nodad")
        # The kernel could reach the targets itself.
        lab.ip("node", "route", "add", "10.2.0.0/24", "dev", "eth0")
        lab.ip("node", "-6", "route", "add", "2001:db8:2::/64", "dev", "eth0")

    def system(self, address=SYSTEM):
        return self.lab.fetch_from("client", address, 2222)

    def balanced(self, address=SERVICE):
        return self.lab.fetch_from("client", address, 80)

    def capture(self, host):
        """tcpdump on the host; what it returns gives the lines that tshark has for a filter, so far."""
        key = f"capture-{host}-{self.id().rpartition('.')[2]}"
        path = os.path.join(self.lab.folder, f"{key}.pcap")
        self.lab.popen(key, host, "tcpdump", "--immediate-mode", "-B", "16384", "-U", "-n", "-i", "eth0", "-w", path)
        self.addCleanup(self.lab.stop, key)
        wait_until(lambda: "listening on" in self.lab.log(key), 10, "tcpdump listens")
        return lambda condition: self.lab.exec(host, "tshark", "-n", "-r", path, "-Y", condition, check=False,
                                               timeout=60).stdout.splitlines()

    def test_1_before(self):
        self.assertEqual(self.system(), "system")
        self.assertIsNone(self.balanced())

    def test_2_a_connection_of_the_system_lives_through_start_and_kill(self):
        self.lab.popen("echo", "node", sys.executable, "-c", ECHO, "0.0.0.0", "2223")
        talk = ("import socket, sys\n"
                f"s = socket.create_connection(('{SYSTEM}', 2223), 10)\n"
                "for line in sys.stdin:\n"
                "    s.sendall(line.encode()); print(s.recv(4096).decode(), end='', flush=True)\n")
        wait_until(lambda: self.lab.exec("node", "ss", "-Hltn", "sport", "=", ":2223").stdout, 5, "the echo listens")
        client = self.lab.popen("talk", "client", sys.executable, "-c", talk, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)

        def says(text):
            client.stdin.write(text + "\n")
            client.stdin.flush()
            return client.stdout.readline().strip()
        self.assertEqual(says("before"), "before")
        self.lab.start(config(self.access))
        self.lab.wait_up("eth0")
        self.assertEqual(says("during"), "during")
        wait_until(lambda: self.balanced() == "balanced", 10, "the service is balanced")
        self.lab.stop("node", signal.SIGKILL)
        self.assertEqual(says("after"), "after")
        self.lab.stop("talk")
        self.assertEqual(self.system(), "system")
        wait_until(lambda: "trivet" not in self.lab.exec("node", "nft", "list", "tables").stdout, 5, "the filter is gone")

    def test_3_both_work_at_once_in_both_families(self):
        self.lab.start(config(self.access))
        self.lab.wait_up("eth0")
        log = self.lab.log("node")
        self.assertIn("shared with the system", log)
        self.assertIn("xdp:" if self.access == "xdp" else ": raw", log)
        wait_until(lambda: self.balanced() == "balanced", 10, "IPv4 is balanced")
        wait_until(lambda: self.balanced(SERVICE6) == "balanced", 10, "IPv6 is balanced")
        self.assertEqual(self.system(), "system")
        self.assertEqual(self.system(SYSTEM6), "system")
        for address in (SYSTEM, SYSTEM6, "10.1.0.1", "2001:db8:1::1", SERVICE):
            result = self.lab.exec("client", "ping", "-c", "2", "-i", "0.2", "-W", "2", address, check=False)
            self.assertEqual(result.returncode, 0, f"{address}: {result.stdout}")
            self.assertNotIn("DUP", result.stdout, address)
        addresses = self.lab.ip("node", "address", "show", "dev", "eth0").stdout
        self.assertIn(SYSTEM, addresses)
        self.assertNotIn("NOARP", addresses)

    def test_4_the_kernel_says_nothing_for_what_is_ours(self):
        # What came for us while nobody had the interface the kernel may still be about to refuse.
        wait_until(lambda: not self.lab.ip("node", "neigh", "show", "nud", "incomplete").stdout, 10, "the kernel is quiet")
        before = self.lab.kernel_counters("node", *KERNEL)
        seen = self.capture("client")
        for _ in range(20):
            self.assertEqual(self.balanced(), "balanced")
        for _ in range(5):
            self.assertEqual(self.balanced(SERVICE6), "balanced")
        # Nobody listens there: with the kernel it would be a reset, with us it is silence.
        self.lab.exec("client", "curl", "-s", "-m", "1", f"http://{SERVICE}:81/", check=False)
        self.lab.exec("client", "curl", "-s", "-m", "1", "http://10.1.0.1:81/", check=False)
        self.assertEqual(self.balanced(), "balanced")
        wait_until(lambda: len(seen(f"tcp.flags.fin == 1 && ip.src == {SERVICE}")) >= 21, 10, "all has been captured")
        self.assertEqual(seen("tcp.flags.reset == 1 && ip.src != 10.1.0.9"), [])
        self.assertEqual(seen("icmp || ip.src == 10.2.0.9"), [])
        self.assertEqual(len(seen(f"tcp.flags == 0x012 && ip.src == {SERVICE}")), 21, "one SYN-ACK each")
        self.assertEqual(self.lab.kernel_counters("node", *KERNEL), before)

    def test_5_the_rest_is_the_systems_and_trivet_says_nothing_for_it(self):
        seen = self.capture("client")
        # What the system does not serve it refuses, once.
        result = self.lab.exec("client", "curl", "-sS", "-m", "2", f"http://{SYSTEM}:81/", check=False)
        self.assertEqual(result.returncode, 7, f"connection refused: {result.stderr}")
        self.assertEqual(self.system(), "system")
        wait_until(lambda: seen(f"tcp.flags.fin == 1 && ip.src == {SYSTEM}"), 10, "all has been captured")
        self.assertEqual(len(seen(f"tcp.flags.reset == 1 && tcp.srcport == 81 && ip.src == {SYSTEM}")), 1)
        self.assertEqual(seen("icmp"), [])
        # An address that neither has is nobody's.
        result = self.lab.exec("client", "ping", "-c", "1", "-W", "1", "10.1.0.77", check=False)
        self.assertNotEqual(result.returncode, 0)
        # The system reaches out itself.
        self.lab.ip("t1", "route", "add", f"{SYSTEM}/32", "dev", "eth0")
        self.assertEqual(self.lab.fetch_from("node", "10.2.0.9", 80), "balanced")

    def test_6_addresses_of_the_system_may_come_and_go(self):
        self.lab.ip("node", "address", "add", "10.1.0.6/24", "dev", "eth0")
        wait_until(lambda: self.system("10.1.0.6") == "system", 5, "the new address is the system's")
        self.lab.ip("node", "address", "del", "10.1.0.6/24", "dev", "eth0")
        self.assertEqual(self.balanced(), "balanced")
        self.assertEqual(self.system(), "system")

    def test_7_servers_may_come_and_go(self):
        more = ("server 3 {\n  ipaddr 10.1.0.81\n  port 80\n  protocol tcp\n  targets 3\n}\nregister server 3\n"
                "enable server 3\ntarget 3 {\n  ipaddr 10.2.0.9\n  port 8080\n  protocol tcp\n}\nregister target 3\n"
                "enable target 3\n")
        self.lab.reload(config(self.access, more))
        wait_until(lambda: self.balanced("10.1.0.81") == "other", 5, "the new server")
        before = self.lab.kernel_counters("node", *KERNEL)
        self.assertEqual(self.balanced("10.1.0.81"), "other")
        self.assertEqual(self.lab.kernel_counters("node", *KERNEL), before)
        self.lab.reload(config(self.access))
        wait_until(lambda: self.balanced("10.1.0.81") is None, 5, "the server is gone")
        self.assertEqual(self.system(), "system")

    def test_8_with_forwarding_ours_routes_and_the_kernel_does_not(self):
        # Before anything is sent: what the kernel still forwarded it would count later, when it finds no neighbour.
        self.lab.reload(config(self.access, ipforwarding=1))
        self.lab.ip("client", "route", "add", "10.2.0.0/24", "via", "10.1.0.1")
        self.lab.ip("t1", "route", "del", f"{SYSTEM}/32")
        wait_until(lambda: self.lab.fetch_from("client", "10.2.0.9", 8081) == "routed", 5, "routed")
        before = self.lab.kernel_counters("node", *KERNEL)
        result = self.lab.exec("client", "ping", "-c", "3", "-i", "0.2", "-W", "2", "10.2.0.9", check=False)
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertNotIn("DUP", result.stdout)
        self.assertEqual(self.lab.kernel_counters("node", *KERNEL), before)
        self.assertEqual(self.system(), "system")
        result = self.lab.exec("client", "ping", "-c", "3", "-i", "0.2", "-W", "2", SYSTEM, check=False)
        self.assertNotIn("Unreachable", result.stdout)
        self.lab.ip("client", "route", "del", "10.2.0.0/24")
        self.lab.reload(config(self.access))

    def test_9_the_interface_may_go_and_come_back(self):
        self.lab.ip("node", "link", "del", "eth0")
        wait_until(lambda: self.lab.interface("eth0")["link"] != "up", 5, "eth0 is gone")
        self.lab.plug("switch", "node")
        self.give_addresses()
        self.lab.wait_up("eth0")
        wait_until(lambda: self.balanced() == "balanced", 15, "the service is balanced again")
        # Its MAC is another one, and a kernel announces nothing.
        self.lab.ip("client", "neigh", "flush", "dev", "eth0")
        self.assertEqual(self.system(), "system")
        self.lab.stop("node")
        self.assertEqual(self.system(), "system")
        wait_until(lambda: self.balanced() is None, 5, "nobody balances")


class A_ByPacketSockets(Passthrough):  # 120 s
    access = "raw"


class B_ByXdp(Passthrough):  # 120 s
    access = "xdp"


del Passthrough, OneNodeTest  # bases are no tests

if __name__ == "__main__":
    main()
