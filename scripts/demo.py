"""The demonstration behind scripts/demo.sh: see there."""

import collections
import os
import signal
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.dont_write_bytecode = True  # root's files have no place in the user's clone
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))

from seed_lab import (NODES, SERVICE, SIGNALS, Interrupted, SeedLab, end_strays, interrupt, run,  # noqa: E402
                      signals_ignored, wait_until)

BOLD, GREEN, RED, PLAIN = ("\033[1m", "\033[32m", "\033[31m", "\033[0m") if sys.stdout.isatty() else ("",) * 4
REQUESTS = 40
MOST_LOST = 3  # requests that may stay without an answer in the takeover
LONGEST_GAP = 1.5  # seconds


def say(text):
    print(f"{BOLD}== {text}{PLAIN}", flush=True)


def show(lab, node, *words):
    print(run(os.path.join(lab.build, "bin", "trivet"), "--run-dir", lab.run_dir(node), "show", *words).stdout, flush=True)


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

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()

    def gap(self):
        """The longest time between two answers."""
        times = [when for when, text in self.answers if text]
        return max((b - a for a, b in zip(times, times[1:])), default=0.0)


class Demonstration:
    def __init__(self, lab):
        self.lab = lab
        self.problems = []
        self.pulled = None  # the node without its cable

    def expect(self, fine, problem):
        if not fine:
            self.problems.append(problem)

    def run(self):
        say("The network: two balancers, two targets, a client, a gateway and a host behind it, in namespaces")
        self.lab.up()
        say("Both nodes start with the files of the seed pair: examples/lb1.conf and examples/lb2.conf")
        for node in NODES:
            self.lab.start_node(node)
        master = self.lab.wait_ready()
        backup = "lb2" if master == "lb1" else "lb1"
        print(f"{master} is master, {backup} is backup; both targets are up.\n")
        show(self.lab, master, "vrrp")
        show(self.lab, master, "targets")
        self.spread()
        self.failover(master, backup)

    def spread(self):
        say(f"{REQUESTS} requests to {SERVICE}")
        spread = collections.Counter(self.lab.fetch() for _ in range(REQUESTS))
        for target, count in sorted(spread.items(), key=str):
            print(f"   {target or 'no answer':<10} {count:>3}  {'#' * count}")
        self.expect(set(spread) == {"t1", "t2"}, f"the requests went to {', '.join(sorted(map(str, spread)))}")
        behind = self.lab.fetch(host="outside")
        print(f"\nFrom behind the gateway: {behind or 'no answer'}\n")
        self.expect(behind in ("t1", "t2"), "no answer behind the gateway")

    def failover(self, master, backup):
        print("Waiting until both nodes have been stable for 8 s (vrrppreemptts of the seed pair) ...\n", flush=True)
        self.lab.wait_stable()
        say(f"Failover: the cable at eth2 of {master} is pulled while the client goes on asking")
        with Client(self.lab) as client:
            wait_until(lambda: len(client.answers) >= 20, 20, "the client asks")
            self.pulled = master
            self.lab.link(master, "eth2", up=False)
            began = time.monotonic()
            wait_until(lambda: self.lab.role(backup) == "master", 10, f"{backup} takes over")
            print(f"{backup} was seen as master {time.monotonic() - began:.1f} s after the cut.")
            before = len(client.answers)
            wait_until(lambda: len(client.answers) >= before + 40, 30, "the client goes on")
        lost = sum(1 for _, text in client.answers if text is None)
        print(f"{len(client.answers)} requests, {lost} lost (at most {MOST_LOST} may be), longest time without an answer "
              f"{client.gap():.1f} s (at most {LONGEST_GAP} s).\n")
        show(self.lab, backup, "vrrp")
        show(self.lab, backup, "sessions", "--limit", "5")
        self.expect(lost <= MOST_LOST, f"{lost} requests lost")
        self.expect(client.gap() <= LONGEST_GAP, f"{client.gap():.1f} s without an answer")
        roles = self.lab.roles()
        self.expect(roles == {backup: "master", master: "backup"}, f"the roles at the end are {roles}")

    def look_around(self):
        trivet = os.path.join(self.lab.build, "bin", "trivet")
        say("The lab stays up. Look around:")
        for node in NODES:
            print(f"   {trivet} --run-dir {self.lab.run_dir(node)} show vrrp")
        print(f"   ip netns exec {self.lab.name('client')} curl -g '{SERVICE}'")
        if self.pulled:
            print(f"   ip -n {self.lab.name('inside')} link set p-{self.pulled} up        # plug {self.pulled}'s cable in again")
        print(f"   logs: {', '.join(self.lab.log_path(node) for node in NODES)}")
        say("Ctrl-C takes it down.")
        signal.pause()


def demonstrate(keep):
    """The problems that there were, in words."""
    problems = []
    lab = None
    try:
        lab = SeedLab(os.path.join(ROOT, "build"), {node: os.path.join(ROOT, "examples", f"{node}.conf") for node in NODES})
        demonstration = Demonstration(lab)
        problems = demonstration.problems
        try:
            demonstration.run()
        except Interrupted:
            raise
        except Exception as error:  # whatever it is: the verdict says so
            problems.append(str(error) or repr(error))
        if keep:
            if problems:
                print(f"{RED}Failed so far: {'; '.join(problems)}{PLAIN}")
            try:
                demonstration.look_around()
            except Interrupted:
                print()
    except (Exception, KeyboardInterrupt) as error:
        problems.append(str(error) or repr(error))
    finally:
        with signals_ignored():
            if lab:
                try:
                    end_strays({process.pid for process in lab.processes.values()})
                    lab.close()
                except Exception as error:
                    problems.append(f"cleaning up: {error}")
                problems += [f"left behind: {thing}" for thing in lab.left_behind()]
    return problems


def main():
    for number in SIGNALS:
        signal.signal(number, interrupt)
    problems = demonstrate("--keep" in sys.argv[1:])
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if problems:
        print(f"{RED}{BOLD}DEMO FAILED: {'; '.join(problems)}{PLAIN}", flush=True)
        return 1
    print(f"{GREEN}{BOLD}DEMO PASSED: the pair balances, fails over and is cleaned up.{PLAIN}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
