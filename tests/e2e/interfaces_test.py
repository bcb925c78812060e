#!/usr/bin/env python3
"""Interfaces with MTUs of their own, an MTU that changes, and interfaces that go and come back under the same name."""

from lab_case import main
from one_node_lab import OneNodeTest
from seed_lab import wait_until

SERVICE = "10.1.0.80"


def config(access):
    return f"""hostname node
modules arp,ping,hc,slb,rt
set ipforwarding 1
interface 1 {{
  name eth0
  access {access}
}}
interface 2 {{
  name eth1
  access {access}
}}
register interfaces 1,2
enable interfaces 1,2
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
  interface 2
}}
register networks 1,2
enable networks 1,2
server 1 {{
  ipaddr {SERVICE}
  port 80
  protocol tcp
  targets 1
}}
register server 1
enable server 1
target 1 {{
  ipaddr 10.2.0.9
  port 80
  protocol tcp
  tcpopen 80,1,5
}}
register target 1
enable target 1
"""


class Interfaces(OneNodeTest):
    @classmethod
    def build_lab(cls):
        lab = cls.lab
        for host in ("node", "client", "t1"):
            lab.add_host(host)
        lab.cable("node", "eth0", "client", "eth0", raw=("node",))
        lab.cable("node", "eth1", "t1", "eth0", raw=("node",))
        for host, network in (("client", 1), ("t1", 2)):
            lab.ip(host, "address", "add", f"10.{network}.0.9/24", "dev", "eth0")
            lab.ip(host, "address", "add", f"2001:db8:{network}::9/64", "dev", "eth0", "nodad")
            lab.ip(host, "route", "add", "default", "via", f"10.{network}.0.1")
            lab.ip(host, "-6", "route", "add", "default", "via", f"2001:db8:{network}::1")
        lab.serve_page("t1", "::", 80, "balanced")
        lab.start(config(cls.access))
        for port in ("eth0", "eth1"):
            lab.wait_up(port)

    def set_mtu(self, mtu):
        """Of the way to t1, at both ends."""
        self.lab.ip("node", "link", "set", "eth1", "mtu", str(mtu))
        self.lab.ip("t1", "link", "set", "eth0", "mtu", str(mtu))
        wait_until(lambda: self.lab.interface("eth1")["mtu"] == mtu, 5, "the new MTU is known")

    def probe(self, address, size):
        """A packet of this many bytes that is not to be cut, without what the client has learnt before; its words."""
        self.lab.ip("client", "route", "flush", "cache")
        self.lab.ip("client", "-6", "route", "flush", "cache")
        headers = 48 if ":" in address else 28
        return self.lab.exec("client", "ping", "-M", "do", "-c", "2", "-i", "0.2", "-W", "1", "-s", str(size - headers),
                             address, check=False)

    def assert_limit(self, mtu):
        for address in ("10.2.0.9", "2001:db8:2::9"):
            result = self.probe(address, mtu)
            self.assertEqual(result.returncode, 0, f"{mtu} bytes to {address}: {result.stdout}")
            if mtu == 1500:
                continue
            result = self.probe(address, mtu + 1)
            self.assertNotEqual(result.returncode, 0)
            self.assertRegex(result.stdout, rf"mtu ?= ?{mtu}|mtu: {mtu}|message too long, mtu={mtu}")

    def test_1_both_ends_agree(self):
        wait_until(lambda: self.lab.fetch_from("client", SERVICE, 80) == "balanced", 10, "balanced")
        self.assert_limit(1500)

    def test_2_a_smaller_mtu_is_told_from_the_moment_that_it_changes(self):
        self.set_mtu(1400)
        self.assert_limit(1400)
        self.set_mtu(1300)
        self.assert_limit(1300)

    def test_3_a_page_passes_the_smaller_one(self):
        self.assertEqual(self.lab.fetch_from("client", SERVICE, 80), "balanced")

    def test_4_and_the_former_one_again(self):
        self.set_mtu(1500)
        self.assert_limit(1500)

    def again(self, port, host, network):
        self.lab.ip("node", "link", "del", port)
        wait_until(lambda: self.lab.interface(port)["link"] != "up", 5, f"{port} is gone")
        self.lab.cable("node", port, host, "eth0", raw=("node",))
        self.lab.ip(host, "address", "add", f"10.{network}.0.9/24", "dev", "eth0")
        self.lab.ip(host, "address", "add", f"2001:db8:{network}::9/64", "dev", "eth0", "nodad")
        self.lab.ip(host, "route", "add", "default", "via", f"10.{network}.0.1")
        self.lab.ip(host, "-6", "route", "add", "default", "via", f"2001:db8:{network}::1")
        self.lab.wait_up(port)
        wait_until(lambda: self.lab.fetch_from("client", SERVICE, 80) == "balanced", 15, "balanced again")

    def test_5_interfaces_that_went_are_taken_again(self):
        self.again("eth0", "client", 1)
        self.again("eth1", "t1", 2)
        self.again("eth0", "client", 1)
        self.assert_limit(1500)

    def test_6_with_another_mtu_than_before(self):
        self.lab.ip("node", "link", "del", "eth1")
        wait_until(lambda: self.lab.interface("eth1")["link"] != "up", 5, "eth1 is gone")
        self.lab.cable("node", "eth1", "t1", "eth0", raw=("node",))
        self.lab.ip("node", "link", "set", "eth1", "mtu", "1350")
        self.lab.ip("t1", "link", "set", "eth0", "mtu", "1350")
        self.lab.ip("t1", "address", "add", "10.2.0.9/24", "dev", "eth0")
        self.lab.ip("t1", "address", "add", "2001:db8:2::9/64", "dev", "eth0", "nodad")
        self.lab.ip("t1", "route", "add", "default", "via", "10.2.0.1")
        self.lab.ip("t1", "-6", "route", "add", "default", "via", "2001:db8:2::1")
        self.lab.wait_up("eth1")
        wait_until(lambda: self.lab.fetch_from("client", SERVICE, 80) == "balanced", 15, "balanced again")
        self.assert_limit(1350)


class A_ByPacketSockets(Interfaces):  # 120 s
    access = "raw"


class B_ByXdp(Interfaces):  # 120 s
    access = "xdp"


del Interfaces, OneNodeTest  # bases are no tests

if __name__ == "__main__":
    main()
