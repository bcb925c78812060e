"""What the nodes say on their interfaces, and when which of them was master: captures, logs, and questions to both."""

import collections
import datetime
import re

from seed_lab import NODES, run, wait_until

CHANGE = 0.2  # seconds around a change of roles in which both nodes may speak
PORTS = ("eth1", "eth2", "eth3")


class Captures:
    """tcpdump on interfaces of both nodes, from the making of the object until stop()."""

    def __init__(self, lab, ports=PORTS, direction="out"):
        self.lab = lab
        self.paths = {}
        self.keys = []
        for node in NODES:
            for port in ports:
                key = f"capture{len(lab.processes)}-{node}-{port}"
                self.paths[node, port] = f"{lab.folder}/{key}.pcap"
                self.keys.append(key)
                # Without --immediate-mode, what the kernel's ring holds is lost at the end.
                lab.popen(key, node, "tcpdump", "--immediate-mode", "-B", "16384", "-Q", direction, "-U", "-n", "-s", "0",
                          "-i", port, "-w", self.paths[node, port])
        wait_until(lambda: all("listening on" in lab.log(key) for key in self.keys), 10, "tcpdump listens")

    def stop(self):
        for key in self.keys:
            self.lab.stop(key)
            lost = re.search(r"(\d+) packets? dropped by kernel", self.lab.log(key))
            if not lost or int(lost[1]):
                raise AssertionError(f"{key} is not complete: {self.lab.log(key)}")

    def fields(self, node, port, display_filter, *names):
        """These fields of each frame that the filter takes; of a field that a frame has twice, the outermost."""
        words = [word for name in names for word in ("-e", name)]
        text = tshark(self.paths[node, port], "-Y", display_filter, "-T", "fields", "-E", "occurrence=f", *words)
        return [line.split("\t") for line in text.splitlines()]

    def kinds(self):
        """protocol -> number of frames that have it; "frame" -> all."""
        rows = [row for node, port in self.paths for row in self.fields(node, port, "frame", "frame.protocols")]
        return collections.Counter(kind for row in rows for kind in {"frame", *row[0].split(":")})


def tshark(path, *words):
    checks = [word for protocol in ("ip", "tcp", "udp") for word in ("-o", f"{protocol}.check_checksum:TRUE")]
    return run("tshark", "-n", "-r", path, *checks, *words, timeout=120).stdout


def faulty(captures, only="frame"):
    """Lines about frames that are malformed or whose checksum is not known to be right.

    A fragment carries its checksum in the first piece of the whole, and a packet quoted in an ICMP error is cut short.
    """
    quoting = "(icmpv6.type < 128 || icmp.type == 3 || icmp.type == 11)"
    right = [f"({name} && !({name}.checksum.status == 1))" for name in ("icmpv6", "icmp", "igmp", "vrrp")]
    right += [f"({name} && !{quoting} && !({name}.checksum.status == 1))" for name in ("tcp", "udp")]
    bad = f"({only}) && (_ws.malformed || (ip && !(ip.checksum.status == 1)) || {' || '.join(right)})"
    return [line for path in captures.paths.values() for line in tshark(path, "-Y", bad).splitlines()]


class Roles:
    """When each node was master, from the logs, in the wall clock's time."""

    def __init__(self, lab):
        self.spans = {}
        self.changes = []
        for node in NODES:
            self.spans[node] = self.read(lab.log(node), lab.killed.get(node, []))

    def read(self, log, kills):
        events = [(when, "killed") for when in kills]
        for when, role in re.findall(r"^(\S+) \w+ +vrrp +role \w+ -> (\w+):", log, re.MULTILINE):
            events.append((datetime.datetime.fromisoformat(when).timestamp(), role))
        self.changes += [when for when, _ in events]
        spans, began = [], None
        for when, role in sorted(events):
            if began is not None:
                spans.append((began, when))
            began = when if role == "master" else None
        return spans + ([(began, float("inf"))] if began is not None else [])

    def overlap(self):
        """For how long both nodes thought that they were master, at most."""
        return max((min(a[1], b[1]) - max(a[0], b[0]) for a in self.spans["lb1"] for b in self.spans["lb2"]), default=0.0)

    def masters(self, when):
        return [node for node in NODES for began, ended in self.spans[node] if began <= when < ended]

    def changing(self, when):
        return any(abs(when - change) <= CHANGE for change in self.changes)


def voices(captures, virtual):
    """address -> [(time, node)] of all frames in which a node speaks for it, whatever the MAC: ND, ARP, IP source."""
    spoken = collections.defaultdict(list)
    for node, port in captures.paths:
        for when, source6, target, kind, sender, source4 in captures.fields(
                node, port, "ipv6 || arp || ip", "frame.time_epoch", "ipv6.src", "icmpv6.nd.na.target_address",
                "icmpv6.type", "arp.src.proto_ipv4", "ip.src"):
            for address in {source6, target if kind == "136" else "", sender, source4} - {"", "0.0.0.0", "::"}:
                spoken[address].append((float(when), node))
    missing = [address for address in virtual if not spoken[address]]
    if missing:
        raise AssertionError(f"nobody has spoken for {missing}")
    return spoken
