"""How each number is taken: with a contender in place, through the whole network, for a bounded time."""

import os
import subprocess
import sys

import bench_lab
import figures
from bench_lab import CLIENTS, HERE, TARGETS
from seed_lab import LabError, close_pipes, wait_until

FLOWS = 1000  # source ports of the small packets
BURST = 0.3  # seconds of one burst of small packets
CONNECTIONS = 64  # of wrk
SECONDS = 2  # of wrk and of the fixed rate
BULK_SECONDS = 1
RATE = 20000  # requests a second, on PACED connections
PACED = 20
IDLE = 100000  # sessions
ENOUGH = 0.99  # of them, to divide by what there are
MOST_WRONG = 0.001  # share of requests that may go wrong


def trivial(wrong, what):
    if wrong > MOST_WRONG:
        raise LabError(f"{what}: {wrong:.2%} of the requests went wrong")


# --- commands: what the page shows is what is run -----------------------------------------------------------------------

def blaster_command(build, source_mac, mac, contender, rate):
    return [os.path.join(build, "bin", "blaster"), "eth0", source_mac, mac, CLIENTS[0], contender.address, str(BURST),
            str(contender.udp), str(FLOWS), *([f"{rate:.0f}"] if rate else [])]


def iperf3_command(contender):
    return ["iperf3", "-c", contender.address, "-p", str(contender.bulk), "-t", str(BULK_SECONDS), "-J"]


def wrk_command(contender, closing=False, connections=CONNECTIONS, seconds=SECONDS):
    return ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--latency",
            *(["-H", "Connection: close"] if closing else []), f"http://{contender.address}:{contender.web}/"]


def round_trip_command(contender):
    return wrk_command(contender, connections=1, seconds=1)


def paced_command(contender):
    return ["h2load", "--h1", "-c", str(PACED), "--rps", str(RATE // PACED), "-D", str(SECONDS),
            f"http://{contender.address}:{contender.web}/"]


# --- measures: {key of figures.MEASURES: value} -------------------------------------------------------------------------

def pps(lab, contender):
    source_mac, mac = lab.mac_of_client(), lab.mac_towards(contender.address)

    def settled():
        """Datagrams at the targets, when no more come."""
        counts = [None]

        def is_settled():
            counts.append(sum(lab.arrived().values()))
            return counts[-1] == counts[-2]

        wait_until(is_settled, 5, f"{contender.name}: no more datagrams come", interval=0.03)
        return counts[-1]

    def burst(rate):
        words = lab.exec("client", *blaster_command(lab.build, source_mac, mac, contender, rate)).stdout.split()
        return int(words[0]), float(words[1])

    began = lab.arrived()
    burst(FLOWS * 10)  # begins the sessions
    before = settled()

    def offer(rate):
        nonlocal before
        sent, seconds = burst(rate)
        after = settled()
        got, before = figures.Offer(sent, after - before, seconds), after
        return got

    best = figures.highest_rate(offer)
    shares = {host: count - began[host] for host, count in lab.arrived().items()}
    total = sum(shares.values())
    if contender.balances and not all(0.3 * total < count < 0.7 * total for count in shares.values()):
        raise LabError(f"{contender.name}: the datagrams went to {shares}")
    return {"pps": best}


def bulk(lab, contender):
    result = lab.exec("client", *iperf3_command(contender), check=False)
    try:
        return {"bulk": figures.read_iperf3(result.stdout)}
    except (OSError, ValueError, KeyError) as error:
        raise LabError(f"{contender.name}: iperf3: {error}") from error


def round_trip(lab, contender):
    _, p50, _, wrong = figures.read_wrk(lab.exec("client", *round_trip_command(contender)).stdout)
    trivial(wrong, f"{contender.name}: wrk, one connection")
    return {"round_trip": p50}


def requests(lab, contender):
    rate, p50, p99, wrong = figures.read_wrk(lab.exec("client", *wrk_command(contender)).stdout)
    trivial(wrong, f"{contender.name}: wrk")
    return {"requests": rate, "requests_p50": p50, "requests_p99": p99}


def connections(lab, contender):
    rate, p50, p99, wrong = figures.read_wrk(lab.exec("client", *wrk_command(contender, closing=True)).stdout)
    trivial(wrong, f"{contender.name}: wrk, new connections")
    return {"connections": rate, "connections_p50": p50, "connections_p99": p99}


def busy(lab, contender):
    before = bench_lab.busy_and_all()
    text = lab.exec("client", *paced_command(contender)).stdout
    after = bench_lab.busy_and_all()
    right, _ = figures.read_h2load(text)
    if right < 0.95 * RATE * SECONDS:
        raise LabError(f"{contender.name}: {right} answers of {RATE * SECONDS} at the fixed rate")
    return {"busy": (after[0] - before[0]) / (after[1] - before[1])}


def memory(lab, contender):
    def at_targets():
        return sum(lab.tcp_connections(host) for host in TARGETS)

    before = contender.memory(lab)
    clients = figures.processes_for(IDLE, lab.files)
    keys = [f"idle-{number}" for number in range(clients)]
    idle = [lab.popen(key, "client", sys.executable, os.path.join(HERE, "tools", "idle_clients.py"), contender.address,
                      str(contender.web), str(IDLE // clients + 1), *CLIENTS, stdin=subprocess.PIPE,
                      stdout=subprocess.PIPE, text=True) for key in keys]
    try:
        opened = sum(int(process.stdout.readline() or 0) for process in idle)
        if opened < ENOUGH * IDLE:
            raise LabError(f"{contender.name}: {opened} of {IDLE} connections open")
        try:
            wait_until(lambda: at_targets() >= ENOUGH * IDLE, 20, "the connections reach the targets", interval=0.2)
        except LabError as error:
            raise LabError(f"{contender.name}: {at_targets()} of {IDLE} connections reached the targets") from error
        held = contender.sessions(lab)
        if held is None or held < ENOUGH * IDLE:
            raise LabError(f"{contender.name}: {held} sessions of {IDLE}")
        after = contender.memory(lab)
    finally:
        for key, process in zip(keys, idle):
            close_pipes(process)
            process.wait(timeout=30)
            lab.processes.pop(key, None)
    wait_until(lambda: at_targets() < 1000, 20, f"{contender.name}: the targets' connections end", interval=0.2)
    return {"memory": (after - before) / held}


TRAFFIC = {"round_trip": round_trip, "pps": pps, "bulk": bulk, "requests": requests, "busy": busy,
           "connections": connections}  # in this order
FRESH = {"memory": memory}  # on a balancer that has seen nothing yet
