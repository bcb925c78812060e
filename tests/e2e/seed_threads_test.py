#!/usr/bin/env python3
"""The seed pair with `threads 2` on every interface: many clients, whole transfers, failover, and a worker that hangs."""

import collections
import ctypes
import os
import re
import shutil
import signal
import tempfile

import lab_case
from lab_case import Transfers, main
from seed_lab import NODES, SERVICE, hold, run, wait_until

CLIENTS = 24
WALL = 0x40000000  # of waitpid: threads, too


def with_threads(path, folder, keys=""):
    """A copy of a configuration in which each interface says `threads 2`."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    text, count = re.subn(r"(?m)^(\s*)(name eth\d+)\s*$", rf"\1\2\n\1threads 2{keys}", text)
    assert count == 3, f"{path}: {count} interfaces"
    copy = os.path.join(folder, os.path.basename(path))
    with open(copy, "w", encoding="utf-8") as file:
        file.write(text)
    return copy


class SuspendedThread:
    """Holds one thread of a process, the others run on."""

    ATTACH, DETACH = 16, 17

    def __init__(self, thread):
        self.thread = thread
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.trace(self.ATTACH)
        os.waitpid(thread, WALL)

    def trace(self, request):
        if self.libc.ptrace(request, self.thread, None, None) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace of thread {self.thread}")

    def end(self):
        """Of the thread: it is reaped here, else its process would not vanish."""
        os.waitpid(self.thread, WALL)


class TwoWorkers(Transfers):
    keys = ""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="trivet-threads-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        former = lab_case.CONFIGS
        lab_case.CONFIGS = {node: with_threads(path, cls.folder, cls.keys) for node, path in former.items()}
        try:
            super().setUpClass()
        finally:
            lab_case.CONFIGS = former
        for number in range(CLIENTS):
            run("ip", "-n", cls.lab.name("client"), "-6", "address", "add", f"2001:db8::1:{200 + number}/48", "dev", "eth0",
                "nodad", "preferred_lft", "0")

    def workers(self, node):
        """Thread ids by name."""
        found = {}
        folder = f"/proc/{self.lab.processes[node].pid}/task"
        for thread in os.listdir(folder):
            with open(os.path.join(folder, thread, "comm"), encoding="ascii") as comm:
                name = comm.read().strip()
            if name.startswith("worker"):
                found[name] = int(thread)
        return found

    def switches(self, node):
        """How often each worker has gone to sleep: it has done something in between."""
        counts = {}
        for name, thread in self.workers(node).items():
            with open(f"/proc/{self.lab.processes[node].pid}/task/{thread}/status", encoding="ascii") as status:
                counts[name] = int(re.search(r"(?m)^voluntary_ctxt_switches:\s*(\d+)", status.read())[1])
        return counts

    def fetch_as(self, number):
        result = self.lab.exec("client", "curl", "-sfg", "-m", "5", "--interface", f"2001:db8::1:{200 + number}", SERVICE,
                               check=False)
        return result.stdout.strip() if result.returncode == 0 else None

    def clients_are_served(self):
        master, _ = self.pair()
        before = self.switches(master)
        self.assertEqual(sorted(before), ["worker 0", "worker 1"])
        answers = collections.Counter(self.fetch_as(number) for _ in range(3) for number in range(CLIENTS))
        self.assertEqual(set(answers), {"t1", "t2"}, answers)
        after = self.switches(master)
        print(f"  {dict(answers)}; sleeps {before} -> {after}")
        for name, count in before.items():
            self.assertGreater(after[name], count + CLIENTS, f"{name} has had hardly anything to do")
        # Who has asked is shown once, whichever worker has it.
        rows = self.lab.show(master, "sessions", "--limit", "100000")["sessions"]
        asked = [row["client"] for row in rows]
        self.assertEqual(len(asked), len(set(asked)))
        drops = {row["reason"]: row["packets"] for row in self.lab.show(master, "drops")["drops"]}
        self.assertNotIn("worker-queue-full", drops)

    def a_lost_link_hands_over(self):
        self.wait_stable()
        master, backup = self.pair()
        outage = self.outage(lambda: self.lab.link(master, "eth3", up=False),
                             until=lambda: self.lab.role(backup) == "master")
        print(f"  eth3 lost: longest time without an answer {outage.gap:.2f} s")
        self.assertLessEqual(outage.gap, 1.0)
        self.lab.link(master, "eth3", up=True)
        for number in range(4):
            self.assertIn(self.fetch_as(number), ("t1", "t2"))


class A_SeedPairWithTwoWorkers(TwoWorkers):  # 360 s
    def test_1_both_workers_serve_many_clients(self):
        self.clients_are_served()

    def test_2_a_whole_transfer_and_many_clients_at_once(self):
        self.transfers()

    def test_3_pings_and_routed_packets_pass(self):
        for number in range(8):
            source = f"2001:db8::1:{200 + number}"
            for size in ("56", "1400", "20000"):
                result = self.lab.exec("client", "ping", "-6", "-c", "2", "-i", "0.2", "-W", "2", "-s", size, "-I", source,
                                       "2001:db8:ffff::1:1", check=False)
                self.assertEqual(result.returncode, 0, f"{source}, {size} bytes: {result.stdout}")

    def test_4_a_reload_says_that_another_number_needs_a_restart(self):
        master, _ = self.pair()
        path = self.lab.configs[master]
        with open(path, encoding="utf-8") as file:
            text = file.read()
        try:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.replace("threads 2", "threads 3", 1))
            self.lab.processes[master].send_signal(signal.SIGHUP)
            wait_until(lambda: "changes from 2 to 3 when the node is started again" in self.lab.log(master), 5,
                       "the log tells of the restart")
        finally:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        self.lab.processes[master].send_signal(signal.SIGHUP)
        wait_until(lambda: self.lab.log(master).count("reloaded") >= 2, 5, "the former configuration is back")
        self.assertEqual(len(self.workers(master)), 2)
        self.clients_are_served()

    def test_5_loss_of_a_link_hands_over(self):
        self.a_lost_link_hands_over()

    def test_6_a_worker_that_hangs_hands_over_whichever_it_is(self):
        for name in ("worker 1", "worker 0"):
            self.wait_stable()
            master, backup = self.pair()
            suspended = []
            outage = self.outage(lambda: suspended.append(SuspendedThread(self.workers(master)[name])),
                                 until=lambda: self.lab.role(backup) == "master")
            print(f"  {name} hangs: the other node is master after {outage.change:.2f} s")
            suspended[0].end()
            wait_until(lambda: self.lab.processes[master].poll() is not None, 10, "the node has ended")
            self.assertIn(f"{name} is stuck", self.lab.log(master))
            self.lab.stop(master)
            self.lab.start_node(master)

    def test_7_an_idle_pair_keeps_its_roles_and_its_use_of_the_processor_is_printed(self):
        self.wait_stable()
        _, backup = self.pair()
        before = {node: self.lab.cpu_seconds(node) for node in NODES}
        hold(lambda: self.lab.role(backup) == "backup", 10, "the roles stay", interval=5)
        for node in NODES:
            print(f"  {node} idle: {(self.lab.cpu_seconds(node) - before[node]) * 10:.2f} % of a CPU")


class B_SeedPairWithTwoWorkersByXdp(TwoWorkers):  # 180 s
    keys = r"\n\1access xdp"

    def test_1_both_workers_serve_many_clients(self):
        self.clients_are_served()

    def test_2_loss_of_a_link_hands_over(self):
        self.a_lost_link_hands_over()


if __name__ == "__main__":
    main()
