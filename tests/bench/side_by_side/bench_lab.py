"""The network in which contenders are measured: a client, the balancer in the middle, two targets behind it.

              eth1       eth2 10.1.1.0/24 -- t1
    client ---------- lb
           10.0.0.0/24   eth3 10.1.2.0/24 -- t2

Client and targets stay; the balancer's namespace and its cables are made anew for each turn, so that no contender meets
what another left. Offloads are as the kernel has them on virtual cables. All of it is of the class that the end-to-end
tests have for the seed pair, with another network.
"""

import contextlib
import json
import os
import resource
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))

from seed_lab import NAMESPACES, LabError, SeedLab, processes_in, remove_namespaces, run, wait_until  # noqa: E402

import figures  # noqa: E402

CLIENTS = [f"10.0.0.{number}" for number in (11, 12, 13, 14)]
BALANCER = "10.0.0.1"  # the way of the client to the targets
SERVICE = "10.0.0.100"
TARGETS = {"t1": "10.1.1.10", "t2": "10.1.2.10"}
MORE_TARGETS = {"t1": "10.1.1.11", "t2": "10.1.2.11"}
# Between two addresses the kernel quickly finds source ports for some 30,000 connections to a port, not for more: that is
# why the clients have four addresses, and the targets two each, which proxies use where 100,000 are to be open.
WAYS = {"t1": "10.1.1.1", "t2": "10.1.2.1"}  # of the targets to the client
PORTS = {"t1": "eth2", "t2": "eth3"}
BRIDGED = {"client": "10.9.0.1", "t1": "10.9.0.11"}  # where the balancer is a bridge
WEB, BULK, UDP = 8080, 5201, 9000  # of the service
FILES = 2**19  # that a process may open, if possible
TARGET_WEB, TARGET_BULK, TARGET_UDP = 80, 5201, 9001


def busy_and_all():
    """Ticks of the whole machine so far."""
    with open("/proc/stat", encoding="ascii") as stat:
        return figures.read_stat(stat.read())


def slab(name):
    """Bytes; None where the kernel does not tell."""
    try:
        with open("/proc/slabinfo", encoding="ascii") as file:
            return figures.read_slab(file.read(), name)
    except OSError:
        return None


def raise_limit(wanted):
    """Files that a process may open from now on: so many if that is allowed, else as many as are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        with contextlib.suppress(ValueError, OSError):  # not this root's to raise
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return wanted
        wanted = hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    return wanted


class BenchLab(SeedLab):
    def __init__(self, build):
        super().__init__(build, {})
        self.files = raise_limit(FILES)
        self.web_workers = 0

    # --- network ----------------------------------------------------------------------------------------------------

    def up(self):
        for host in ("client", "t1", "t2"):
            self.add_host(host)
            self.sysctl(host, "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1",
                        "net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_tw_reuse=1",
                        "net.core.somaxconn=65535", "net.ipv4.tcp_max_syn_backlog=65535")
        self.popen("iperf3", "t1", "iperf3", "-s", "-p", str(TARGET_BULK))

    def inode(self, host):
        return os.stat(os.path.join(NAMESPACES, self.name(host))).st_ino

    def sysctl(self, host, *settings):
        self.exec(host, "sysctl", "-qw", *settings)

    def nft(self, host, text):
        self.exec(host, "nft", "-f", "-", input=text)

    def ip(self, host, *commands):
        run("ip", "-n", self.name(host), "-batch", "-", input="\n".join(commands) + "\n")

    def start_web(self, sessions=0):
        """Says on every path who it is and whom it sees; keeps so many connections open that ask nothing. One process for
        each target, or as many as the limit of open files asks for."""
        workers = figures.processes_for(sessions / len(TARGETS), self.files)
        if workers == self.web_workers:
            return
        self.web_workers = workers
        for host in TARGETS:
            if f"web-{host}" in self.processes:
                self.stop(f"web-{host}")
            config = os.path.join(self.folder, f"web-{host}.conf")
            with open(config, "w", encoding="utf-8") as file:
                file.write(f"""
daemon off; worker_processes {workers}; pid {self.folder}/web-{host}.pid; error_log {self.folder}/web-{host}.err;
events {{ worker_connections {min(self.files, 120000)}; }}
http {{
  access_log off; client_body_temp_path {self.folder}/{host}-b; proxy_temp_path {self.folder}/{host}-p;
  fastcgi_temp_path {self.folder}/{host}-f; uwsgi_temp_path {self.folder}/{host}-u; scgi_temp_path {self.folder}/{host}-s;
  keepalive_requests 1000000000; keepalive_timeout 600s; client_header_timeout 600s;
  server {{
    listen {TARGET_WEB} backlog=65535{" reuseport" if workers > 1 else ""};
    default_type text/plain; return 200 "{host} $remote_addr\\n";
  }}
}}
""")
            self.popen(f"web-{host}", host, "nginx", "-c", config)
            wait_until(lambda: self.exec(host, "curl", "-s", "-m", "2", f"http://127.0.0.1:{TARGET_WEB}/", check=False)
                       .stdout, 10, f"the web server of {host} answers")

    def make_balancer(self, kernel_is_silent):
        """The namespace `lb` with its three cables. What it does is the contender's."""
        self.add_host("lb")
        self.sysctl("lb", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1",
                    "net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_tw_reuse=1", "net.core.somaxconn=65535",
                    "net.ipv4.tcp_max_syn_backlog=65535")
        raw = ("lb",) if kernel_is_silent else ()
        self.cable("lb", "eth1", "client", "eth0", raw=raw)
        for host, port in PORTS.items():
            self.cable("lb", port, host, "eth0", raw=raw)
        self.ip("client", *(f"address add {address}/24 dev eth0" for address in CLIENTS),
                f"route add default via {BALANCER}")
        for host, address in TARGETS.items():
            self.ip(host, f"address add {address}/24 dev eth0", f"address add {MORE_TARGETS[host]}/24 dev eth0",
                    f"route add default via {WAYS[host]}")
            # Datagrams that arrived as they should are counted, and cost the target as little as can be.
            self.nft(host, f"""
table netdev sink {{
  counter arrived {{ }}
  chain in {{
    type filter hook ingress device eth0 priority 0;
    ip daddr {address} udp dport {TARGET_UDP} counter name arrived drop
  }}
}}
""")

    def kernel_addresses(self, forwarding, service):
        """For the contenders that use the kernel's stack."""
        extra = [f"address add {SERVICE}/32 dev eth1"] if service else []
        self.ip("lb", f"address add {BALANCER}/24 dev eth1", *extra,
                *(f"address add {WAYS[host]}/24 dev {port}" for host, port in PORTS.items()))
        if forwarding:
            self.sysctl("lb", "net.ipv4.ip_forward=1")

    def remove_balancer(self):
        """With all that runs in it, and at once: the cables' other ends go with them."""
        name = self.name("lb")
        if name not in self.namespaces:
            return
        for key in [key for key in self.processes if key.startswith(("lb", "idle"))]:
            self.stop(key)
        for host in TARGETS:
            self.exec(host, "nft", "delete", "table", "netdev", "sink", check=False)
        for port in ("eth1", *PORTS.values()):
            run("ip", "-n", name, "link", "del", port, check=False)
        with contextlib.suppress(FileNotFoundError):  # it was not made any more
            self.inodes.discard(self.inode("lb"))  # the kernel gives the number to others
        remove_namespaces([name])
        self.namespaces.remove(name)

    # --- questions --------------------------------------------------------------------------------------------------

    def arrived(self):
        """Datagrams at each target, since the balancer was made."""
        result = {}
        for host in TARGETS:
            report = json.loads(self.exec(host, "nft", "-j", "list", "counter", "netdev", "sink", "arrived").stdout)
            result[host] = next(entry["counter"]["packets"] for entry in report["nftables"] if "counter" in entry)
        return result

    def answers(self, address, port, count):
        """What so many requests, each on a connection of its own, were answered."""
        result = self.exec("client", "curl", "-s", "-m", "5", "-H", "Connection: close", f"http://{address}:{port}/[1-{count}]",
                           check=False)
        return result.stdout.split("\n")[:-1]

    def mac_of_client(self):
        return self.exec("client", "cat", "/sys/class/net/eth0/address").stdout.strip()

    def mac_towards(self, address):
        """The MAC that the client's kernel sends to for this address."""
        words = run("ip", "-n", self.name("client"), "route", "get", address).stdout.split()
        hop = words[words.index("via") + 1] if "via" in words else address
        words = run("ip", "-n", self.name("client"), "neigh", "show", hop).stdout.split()
        if "lladdr" not in words:
            raise LabError(f"the client has no neighbour {hop}")
        return words[words.index("lladdr") + 1]

    def tcp_connections(self, host):
        text = self.exec(host, "cat", "/proc/net/sockstat").stdout
        words = next(line for line in text.split("\n") if line.startswith("TCP:")).split()
        return int(words[words.index("inuse") + 1])

    def pss(self):
        """Bytes of the processes in the balancer's namespace: their own, and their share of what they share."""
        total = 0
        for pid in processes_in({self.inode("lb")}):
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                total += sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))
        return total

    @staticmethod
    def wait_quiet(seconds=4, share=0.05):
        """Until the machine does nothing else; False if it does not stop to."""
        samples = [busy_and_all()]

        def is_quiet():
            samples.append(busy_and_all())
            busy, passed = (samples[-1][part] - samples[-2][part] for part in (0, 1))
            return passed > 0 and busy <= share * passed

        try:
            return wait_until(is_quiet, seconds, "the machine is quiet", interval=0.1)
        except LabError:
            return False
