"""Who is measured. Each makes a balancer of the empty namespace `lb`, and says how the client addresses it.

Everything is as installed, except what the texts below say: peers use all cores by default, and so they do here.
"""

import os

import bench_lab
import figures
from bench_lab import (BALANCER, BRIDGED, BULK, CLIENTS, MORE_TARGETS, PORTS, SERVICE, TARGET_BULK, TARGET_UDP, TARGET_WEB,
                       TARGETS, UDP, WAYS, WEB)
from seed_lab import LabError, run, wait_until

ALL = ("round_trip", "pps", "bulk", "requests", "connections", "busy", "memory")


def behind(sessions):
    """The addresses over which a proxy spreads so many sessions."""
    return [*TARGETS.values(), *(MORE_TARGETS.values() if sessions else ())]


class Contender:
    name = ""
    title = ""
    measures = ALL
    kernel_is_silent = False
    is_proxy = False  # the targets see the balancer's address, not the client's
    balances = True
    address, web, bulk, udp = SERVICE, WEB, BULK, UDP  # where the client goes

    def start(self, lab, sessions):
        """sessions: so many will be opened and left idle; 0: few."""
        raise NotImplementedError

    def sessions(self, lab):
        """How many it holds; None: it holds none, or nobody can tell."""
        return None

    def memory(self, lab):
        """Bytes for which it is answerable, as far as they can be told apart from others'."""
        return lab.pss()

    def check(self, lab):
        """Requests are answered, through this contender, and by both targets if it balances."""
        if "requests" not in self.measures:
            return
        wait_until(lambda: lab.answers(self.address, self.web, 1), 10, f"{self.name} answers", interval=0.2)
        answers = lab.answers(self.address, self.web, 10)
        targets = {answer.split()[0] for answer in answers}
        seen = {answer.split()[1] for answer in answers}
        if len(answers) != 10:
            raise LabError(f"{self.name}: {len(answers)} of 10 requests answered")
        if targets != (set(TARGETS) if self.balances else {"t1"}):
            raise LabError(f"{self.name}: the requests went to {', '.join(sorted(targets))}")
        if not seen <= (set(WAYS.values()) if self.is_proxy else set(CLIENTS)):
            raise LabError(f"{self.name}: the targets saw {', '.join(sorted(seen))}")

    def write(self, lab, name, text):
        path = os.path.join(lab.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path


class Trivet(Contender):
    kernel_is_silent = True

    def __init__(self, access):
        self.name = access
        self.title = f"Trivet, access {access}"

    def start(self, lab, sessions):
        lines = ["hostname bench", "modules vrrp,arp,ping,hc,master,slb,rt", "set {", "  ipforwarding 1", "}"]
        interfaces = ("eth1", *PORTS.values())
        for number, port in enumerate(interfaces, 1):
            lines += [f"interface {number} {{", f"  name {port}", f"  access {self.name}", "}"]
        for number, way in enumerate((BALANCER, *WAYS.values()), 1):
            net = way.rpartition(".")[0]
            lines += [f"network {number} {{", f"  addr {net}.0", "  mask 255.255.255.0", f"  real {net}.2",
                      f"  virt {way}", f"  interface {number}", "}"]
        services = ((WEB, "tcp", TARGET_WEB, tuple(TARGETS)), (BULK, "tcp", TARGET_BULK, ("t1",)),
                    (UDP, "udp", TARGET_UDP, tuple(TARGETS)))
        target = 0
        for number, (port, protocol, target_port, hosts) in enumerate(services, 1):
            numbers = []
            for host in hosts:
                target += 1
                numbers.append(str(target))
                lines += [f"target {target} {{", f"  ipaddr {TARGETS[host]}", f"  port {target_port}",
                          f"  protocol {protocol}", "  sessionid dst+port", "}"]
            lines += [f"server {number} {{", f"  ipaddr {SERVICE}", f"  port {port}", f"  protocol {protocol}",
                      "  sessionid src+port", "  method rr", f"  targets {','.join(numbers)}", "}"]
        for kind, count in (("interfaces", 3), ("networks", 3), ("servers", len(services)), ("targets", target)):
            for verb in ("register", "enable"):
                lines.append(f"{verb} {kind} {','.join(map(str, range(1, count + 1)))}")
        lab.configs["lb"] = self.write(lab, f"trivet-{self.name}.conf", "\n".join(lines) + "\n")
        lab.start_node("lb")

    def check(self, lab):
        super().check(lab)
        for port in ("eth1", *PORTS.values()):
            has_program = "xdp" in lab.exec("lb", "ip", "-d", "link", "show", "dev", port).stdout
            if has_program != (self.name == "xdp"):
                raise LabError(f"{port} is not taken by access {self.name}")

    def sessions(self, lab):
        return sum(row["sessions"] for row in (lab.show("lb", "servers") or {}).get("servers", []))


class Nftables(Contender):
    name = "nft"
    title = "kernel, nftables DNAT"

    def start(self, lab, sessions):
        lab.kernel_addresses(forwarding=True, service=True)
        t1, t2 = TARGETS.values()
        lab.nft("lb", f"""
table ip balance {{
  chain services {{
    type nat hook prerouting priority dstnat;
    ip daddr {SERVICE} tcp dport {WEB} dnat to numgen inc mod 2 map {{ 0 : {t1}, 1 : {t2} }}:{TARGET_WEB}
    ip daddr {SERVICE} tcp dport {BULK} dnat to {t1}:{TARGET_BULK}
    ip daddr {SERVICE} udp dport {UDP} dnat to numgen inc mod 2 map {{ 0 : {t1}, 1 : {t2} }}:{TARGET_UDP}
  }}
}}
""")

    def sessions(self, lab):
        return int(lab.exec("lb", "cat", "/proc/sys/net/netfilter/nf_conntrack_count").stdout)

    def memory(self, lab):
        size = bench_lab.slab("nf_conntrack")
        if size is None:
            raise LabError("the kernel does not show /proc/slabinfo")
        return size


class Forwarding(Contender):
    name = "forward"
    title = "kernel, forwarding alone"
    measures = tuple(measure for measure in ALL if measure != "memory")  # it has no sessions
    balances = False
    address, web, bulk, udp = TARGETS["t1"], TARGET_WEB, TARGET_BULK, TARGET_UDP

    def start(self, lab, sessions):
        lab.kernel_addresses(forwarding=True, service=False)


class Bridge(Contender):
    name = "bridge"
    title = "kernel, bridge"
    measures = ("round_trip", "bulk")
    balances = False
    address, web, bulk, udp = BRIDGED["t1"], TARGET_WEB, TARGET_BULK, TARGET_UDP

    def start(self, lab, sessions):
        lab.ip("lb", "link add br0 type bridge stp_state 0 mcast_snooping 0", "link set br0 up",
               *(f"link set {port} master br0" for port in ("eth1", *PORTS.values())))
        for host, address in BRIDGED.items():
            lab.ip(host, f"address add {address}/24 dev eth0")
        wait_until(lambda: lab.exec("client", "ping", "-c", "1", "-W", "1", self.address, check=False).returncode == 0, 10,
                   "the bridge forwards")


class Haproxy(Contender):
    name = "haproxy"
    title = "HAProxy, TCP mode"
    measures = tuple(measure for measure in ALL if measure != "pps")  # no UDP
    is_proxy = True

    def start(self, lab, sessions):
        lab.kernel_addresses(forwarding=False, service=True)
        servers = "\n".join(f"  server s{number} {address}:{TARGET_WEB}" for number, address in enumerate(behind(sessions)))
        config = self.write(lab, "haproxy.cfg", f"""
global
  maxconn {min(120000, (lab.files - 500) // 2)}
  maxpipes 100
defaults
  mode tcp
  balance roundrobin
  option splice-auto
  timeout connect 10s
  timeout client 600s
  timeout server 600s
listen web
  bind {SERVICE}:{WEB} backlog 65535
{servers}
listen bulk
  bind {SERVICE}:{BULK}
  server t1 {TARGETS["t1"]}:{TARGET_BULK}
""")
        for number in range(figures.processes_for(2 * sessions, lab.files)):
            lab.popen(f"lb-{number}", "lb", "haproxy", "-db", "-q", "-f", config)

    def sessions(self, lab):
        return lab.tcp_connections("lb") // 2


class NginxStream(Contender):
    name = "nginx"
    title = "nginx, stream"
    is_proxy = True

    def start(self, lab, sessions):
        lab.kernel_addresses(forwarding=False, service=True)
        t1, t2 = TARGETS.values()
        workers = figures.processes_for(2 * sessions, lab.files)
        modules = "/usr/share/nginx/modules-available/mod-stream.conf"
        config = self.write(lab, "stream.conf", f"""
{f"include {modules};" if os.path.exists(modules) else ""}
daemon off; worker_processes {workers if workers > 1 else "auto"};
pid {lab.folder}/stream.pid; error_log {lab.folder}/stream.err error;
events {{ worker_connections {min(lab.files, 250000)}; }}
stream {{
  access_log off; proxy_timeout 600s;
  upstream web {{ {" ".join(f"server {address}:{TARGET_WEB};" for address in behind(sessions))} }}
  upstream bulk {{ server {t1}:{TARGET_BULK}; }}
  upstream udp {{ server {t1}:{TARGET_UDP}; server {t2}:{TARGET_UDP}; }}
  server {{ listen {SERVICE}:{WEB} backlog=65535{" reuseport" if workers > 1 else ""}; proxy_pass web; }}
  server {{ listen {SERVICE}:{BULK}; proxy_pass bulk; }}
  server {{ listen {SERVICE}:{UDP} udp reuseport; proxy_pass udp; }}
}}
""")
        lab.popen("lb", "lb", "nginx", "-c", config)

    def sessions(self, lab):
        return lab.tcp_connections("lb") // 2


# In the order of their turns.
CONTENDERS = (Trivet("raw"), Nftables(), Trivet("xdp"), Forwarding(), Haproxy(), NginxStream(), Bridge())


def version(*words):
    """The first line that a program says about itself."""
    result = run(*words, check=False)
    return (result.stdout + result.stderr).strip().split("\n")[0]
