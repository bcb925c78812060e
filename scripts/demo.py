"""The demonstration behind scripts/demo.sh: see there."""

import collections
import os
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))

from seed_lab import SERVICE, LabError, SeedLab, run, wait_until  # noqa: E402

BOLD, GREEN, RED, PLAIN = ("\033[1m", "\033[32m", "\033[31m", "\033[0m") if sys.stdout.isatty() else ("",) * 4
REQUESTS = 40


def say(text):
    print(f"{BOLD}== {text}{PLAIN}", flush=True)


def show(lab, node, *words):
    print(run(os.path.join(lab.build, "bin", "trivet"), "--run-dir", lab.run_dir(node), "show", *words).stdout)


class Client(threading.Thread):
    """Asks for the page again and again; remembers each answer with its time."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.lab = lab
        self.answers = []  # (time, text or None)
        self.ended = threading.Event()

    def run(self):
        while not self.ended.is_set():
            text = self.lab.fetch(seconds=0.5)
            self.answers.append((time.monotonic(), text))
            self.ended.wait(0.05)

    def stop(self):
        self.ended.set()
        self.join()

    def gap(self):
        """The longest time between two answers."""
        times = [when for when, text in self.answers if text]
        return max((b - a for a, b in zip(times, times[1:])), default=0.0)


def demonstrate(lab):
    say("The network: two balancers, two targets, a client, a gateway and a host behind it, in namespaces")
    lab.up()
    say("Both nodes start with the files of the seed pair: examples/lb1.conf and examples/lb2.conf")
    for node in ("lb1", "lb2"):
        lab.start_node(node)
    master = lab.wait_ready()
    backup = "lb2" if master == "lb1" else "lb1"
    print(f"{master} is master, {backup} is backup; both targets are up.\n")
    show(lab, master, "vrrp")
    show(lab, master, "targets")

    say(f"{REQUESTS} requests to {SERVICE}")
    spread = collections.Counter(lab.fetch() for _ in range(REQUESTS))
    for target, count in sorted(spread.items(), key=str):
        print(f"   {target or 'no answer':<10} {count:>3}  {'#' * count}")
    print()
    behind = lab.fetch(host="outside")
    print(f"From behind the gateway: {behind or 'no answer'}\n")

    print("Waiting until both nodes have been stable for 8 s (vrrppreemptts of the seed pair) ...\n")
    lab.wait_stable()
    say(f"Failover: the cable at eth2 of {master} is pulled while the client goes on asking")
    client = Client(lab)
    client.start()
    wait_until(lambda: len(client.answers) >= 20, 20, "the client asks")
    lab.link(master, "eth2", up=False)
    pulled = time.monotonic()
    wait_until(lambda: lab.role(backup) == "master", 10, f"{backup} takes over")
    print(f"{backup} was seen as master {time.monotonic() - pulled:.1f} s after the cut.")
    before = len(client.answers)
    wait_until(lambda: len(client.answers) >= before + 40, 30, "the client goes on")
    client.stop()
    lost = sum(1 for _, text in client.answers if text is None)
    print(f"{len(client.answers)} requests, {lost} lost, longest time without an answer {client.gap():.1f} s.\n")
    show(lab, backup, "vrrp")
    show(lab, backup, "sessions", "--limit", "5")

    problems = []
    if set(spread) != {"t1", "t2"}:
        problems.append("requests did not reach both targets")
    if behind not in ("t1", "t2"):
        problems.append("no answer behind the gateway")
    if client.gap() > 3.0:
        problems.append(f"{client.gap():.1f} s without an answer")
    return problems


def look_around(lab):
    trivet = os.path.join(lab.build, "bin", "trivet")
    say("The lab stays up. Look around:")
    for node in ("lb1", "lb2"):
        print(f"   {trivet} --run-dir {lab.run_dir(node)} show vrrp")
    print(f"   ip netns exec {lab.name('client')} curl -g '{SERVICE}'")
    print(f"   ip -n {lab.name('inside')} link set p-lb1 up        # plug the cable in again (or: down)")
    print(f"   logs: {lab.folder}/lb1.log, {lab.folder}/lb2.log")
    say("Ctrl-C takes it down.")
    try:
        signal.pause()
    except KeyboardInterrupt:
        print()


def main():
    keep = "--keep" in sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    configs = {node: os.path.join(ROOT, "examples", f"{node}.conf") for node in ("lb1", "lb2")}
    try:
        with SeedLab(os.path.join(ROOT, "build"), configs) as lab:
            problems = demonstrate(lab)
            if keep:
                look_around(lab)
    except KeyboardInterrupt:
        print(f"\n{RED}Interrupted; the lab has been removed.{PLAIN}")
        return 130
    except (LabError, subprocess.TimeoutExpired) as error:
        problems = [str(error)]
    if problems:
        print(f"{RED}{BOLD}DEMO FAILED: {'; '.join(problems)}{PLAIN}")
        return 1
    print(f"{GREEN}{BOLD}DEMO PASSED: the pair balances, fails over and is cleaned up.{PLAIN}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
