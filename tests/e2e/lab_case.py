"""What the end-to-end tests in Python share: the runner, the measuring of outages, and a few questions to hosts."""

import collections
import json
import os
import subprocess
import sys
import time
import typing
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

from captures import CHANGE, Roles  # noqa: E402
from seed_lab import NODES, SERVER, SERVICE, LabError, SeedLab, hold, namespaces, run, wait_until  # noqa: E402

CONFIGS = {node: os.path.join(ROOT, "examples", f"{node}.conf") for node in NODES}


class Outage(typing.NamedTuple):
    gap: float  # longest time without an answer
    change: float  # from the cause until the expected change


class StoryTest(unittest.TestCase):
    """One laboratory for all tests of a class; they run in the order of their names, and end with the first failure."""

    build = None
    failed = False

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            type(self).failed = True
        return result

    def setUp(self):
        if self.failed:
            self.fail("not run: an earlier test of this laboratory has failed")


class LabTest(StoryTest):
    """The laboratory is the seed pair's."""

    options = {}

    @classmethod
    def setUpClass(cls):
        cls.lab = SeedLab(cls.build, CONFIGS, **cls.options)
        try:
            cls.lab.up()
            for node in NODES:
                cls.lab.start_node(node)
            cls.lab.wait_ready()
        except BaseException:
            cls.print_logs()
            cls.lab.close()
            raise

    @classmethod
    def tearDownClass(cls):
        """What holds for every run, whatever the tests did: never two masters, and nothing is left behind."""
        try:
            cls.print_logs()
            roles = Roles(cls.lab)
        finally:
            cls.lab.close()
        if not any(roles.spans.values()):
            raise AssertionError("the logs tell of no master")
        overlap = roles.overlap()
        print(f"  two masters: never for more than {max(overlap, 0) * 1000:.0f} ms", flush=True)
        if overlap > CHANGE:
            raise AssertionError(f"two masters for {overlap:.3f} s")
        left = cls.lab.left_behind()
        if left:
            raise AssertionError(f"left behind: {left}")

    @classmethod
    def print_logs(cls):
        for node in NODES:
            print(f"--- {node}\n{cls.lab.log(node)}", flush=True)

    def pair(self):
        """(master, backup), both in the state that they are said to be in."""
        master = wait_until(self.lab.master, 20, "one master")
        return master, "lb2" if master == "lb1" else "lb1"

    def wait_stable(self):
        """Until the backup may preempt: both nodes have every check decided and full priority for long enough."""
        self.lab.wait_stable()

    def outage(self, cause, until=None, within=20, after=3, always=lambda: True, host="client"):
        """Measures from before `cause` until `after` seconds behind it, or behind `until` if given, and until the service
        answers. `always` must hold in these seconds."""
        path = os.path.join(self.lab.folder, "prober.txt")
        prober = self.lab.popen("prober", host, sys.executable, os.path.join(HERE, "tools", "prober.py"), SERVER, "8080",
                                path)

        def successes():
            if not os.path.exists(path):
                return []
            with open(path, encoding="ascii") as log:
                return [float(line) for line in log.read().split("\n")[:-1]]

        wait_until(lambda: len(successes()) >= 10, 10, "the service answers")
        began = time.monotonic()
        cause()
        if until:
            wait_until(until, within, "the expected change")
        change = time.monotonic() - began if until else 0.0
        hold(lambda: prober.poll() is None and always(), after, "what was expected stays so", interval=0.2)
        count = len(successes())
        wait_until(lambda: len(successes()) >= count + 10, 20, "the service answers again")
        self.lab.stop("prober")
        times = successes()
        os.remove(path)
        return Outage(max(b - a for a, b in zip(times, times[1:])), change)

    def ping(self, host, address, count=1):
        result = self.lab.exec(host, "ping", "-c", str(count), "-i", "0.2", "-W", "2", address, check=False)
        return result.returncode == 0

    def neighbor(self, host, address):
        """The MAC that the host's kernel has for an address on its link."""
        self.ping(host, address)
        words = run("ip", "-n", self.lab.name(host), "neigh", "show", address).stdout.split()
        return words[words.index("lladdr") + 1] if "lladdr" in words else None

    def mac(self, host, port="eth0"):
        return self.lab.exec(host, "cat", f"/sys/class/net/{port}/address").stdout.strip()

    def modules(self, node):
        return {row["name"]: row for row in self.lab.show(node, "modules")["modules"]}


class Transfers(LabTest):
    """Whole files and many clients at once; for both settings of the hosts' offloads."""

    def transfers(self):
        size = 100 * 1024 * 1024
        for host in ("t1", "t2"):
            path = os.path.join(self.lab.folder, f"www-{host}", "big")
            if not os.path.exists(path):
                with open(path, "wb") as file, open("/dev/urandom", "rb") as source:
                    block = source.read(1024 * 1024)
                    for number in range(100):
                        file.write(number.to_bytes(8, "big") + block[8:])
        sums = {run("sha256sum", os.path.join(self.lab.folder, f"www-{host}", "big")).stdout.split()[0]
                for host in ("t1", "t2")}
        began = time.monotonic()
        got = self.lab.exec("client", "sh", "-c", f"curl -sgf -m 60 {SERVICE}big | sha256sum", timeout=90).stdout.split()[0]
        seconds = time.monotonic() - began
        self.assertIn(got, sums)
        print(f"  100 MB in {seconds:.1f} s ({size * 8 / seconds / 1e9:.2f} Gbit/s)")

        command = f"seq 200 | xargs -P 200 -I{{}} curl -sgf -m 20 {SERVICE}"
        answers = collections.Counter(self.lab.exec("client", "sh", "-c", command, timeout=90).stdout.split())
        self.assertEqual(sum(answers.values()), 200, answers)
        self.assertLessEqual(set(answers), {"t1", "t2"}, "each page came whole")
        print(f"  200 parallel requests: {dict(answers)}")


class Holder:
    """HTTP connections of the client to the service that stay open."""

    def __init__(self, lab):
        self.process = lab.popen("holder", "client", sys.executable, os.path.join(HERE, "tools", "holder.py"), SERVER,
                                 "8080", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, command):
        """The pages, one for each connection asked."""
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


class Story:
    """A program that tells what it does while it runs, in a laboratory of its own."""

    def __init__(self, test, *words):
        self.process = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        test.addCleanup(self.process.stdout.close)
        test.addCleanup(self.process.wait)
        test.addCleanup(self.process.kill)
        self.text = ""

    def read_until(self, words):
        """What it says is read until these words have been said. LabError when it ends without them."""
        while words not in self.text:
            character = self.process.stdout.read(1)
            if not character:
                raise LabError(f"it has ended without {words!r}:\n{self.text}")
            self.text += character

    def end(self):
        """(exit status, last line), when it has ended."""
        self.text += self.process.stdout.read()
        return self.process.wait(timeout=30), self.text.strip().split("\n")[-1]

    def namespaces(self):
        """Its own, as far as there are any left."""
        return [name for name in namespaces() if name.startswith(f"tv{self.process.pid}-")]


def main():
    """Runs the tests of the calling script: SCRIPT BUILD_FOLDER [unittest options]."""
    if os.geteuid() != 0:
        print("skipped: end-to-end tests make network namespaces and need root")
        sys.exit(1 if os.environ.get("CI") else 77)
    StoryTest.build = sys.argv[1]
    unittest.main(module="__main__", argv=[sys.argv[0], "-v", *sys.argv[2:]])
