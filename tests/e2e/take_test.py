#!/usr/bin/env python3
"""`--take`: an interface that carries addresses of the system is refused without it, and given back with them."""

import signal

from lab_case import main
from one_node_lab import OneNodeTest
from seed_lab import hold, wait_until

ADDRESS = "10.1.0.5"
CONFIG = """hostname node
modules arp,ping
interface 1 {
  name eth0
}
register interface 1
enable interface 1
network 1 {
  addr 10.1.0.0
  mask 255.255.255.0
  real 10.1.0.1
  interface 1
}
register network 1
enable network 1
"""


class A_Take(OneNodeTest):  # 60 s
    @classmethod
    def build_lab(cls):
        cls.lab.add_switch("switch")
        for host in ("node", "client"):
            cls.lab.add_host(host)
            cls.lab.plug("switch", host)
        cls.lab.ip("node", "address", "add", f"{ADDRESS}/24", "dev", "eth0")
        cls.lab.ip("client", "address", "add", "10.1.0.9/24", "dev", "eth0")

    def pings(self, address):
        return self.lab.exec("client", "ping", "-c", "1", "-W", "1", address, check=False).returncode == 0

    def kernel_has_it(self):
        return ADDRESS in self.lab.ip("node", "-4", "address", "show", "dev", "eth0").stdout

    def test_1_without_it_the_interface_is_refused_and_untouched(self):
        self.lab.start(CONFIG)
        row = self.lab.interface("eth0")
        self.assertNotEqual(row["link"], "up", row)
        self.assertIn("--take", str(row), "the reason says what to do")
        self.assertIn(ADDRESS, str(row))
        hold(lambda: self.kernel_has_it() and self.pings(ADDRESS), 1, "the system keeps its address")
        self.lab.stop("node")
        self.assertTrue(self.kernel_has_it())

    def test_2_with_it_the_node_has_the_interface_until_it_ends_in_whatever_way(self):
        for ending in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(ending.name):
                self.lab.start(CONFIG, "--take")
                self.lab.wait_up("eth0")
                self.assertFalse(self.kernel_has_it())
                wait_until(lambda: self.pings("10.1.0.1"), 10, "the node answers")
                self.assertFalse(self.pings(ADDRESS))
                self.lab.stop("node", ending)
                wait_until(self.kernel_has_it, 5, "the system has its address again")
                wait_until(lambda: self.pings(ADDRESS), 10, "and answers for it")


if __name__ == "__main__":
    main()
