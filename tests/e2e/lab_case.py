"""What the end-to-end tests in Python share: the runner, the measuring of outages, and a few questions to hosts."""

import os
import signal
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

from seed_lab import SERVER, SeedLab, run, wait_until  # noqa: E402

CONFIGS = {node: os.path.join(ROOT, "examples", f"{node}.conf") for node in ("lb1", "lb2")}


class LabTest(unittest.TestCase):
    """One laboratory for all tests of a class; they run in the order of their names."""

    build = None
    options = {}

    @classmethod
    def setUpClass(cls):
        cls.lab = SeedLab(cls.build, CONFIGS, **cls.options)
        try:
            cls.lab.up()
            for node in ("lb1", "lb2"):
                cls.lab.start_node(node)
            cls.lab.wait_ready()
        except BaseException:
            cls.print_logs()
            cls.lab.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.print_logs()
        cls.lab.close()

    @classmethod
    def print_logs(cls):
        for node in ("lb1", "lb2"):
            path = os.path.join(cls.lab.folder, f"{node}.log")
            if os.path.exists(path):
                with open(path, encoding="utf-8") as log:
                    print(f"--- {node}\n{log.read()}", flush=True)

    def pair(self):
        """(master, backup), both in the state that they are said to be in."""
        master = wait_until(self.lab.master, 20, "one master")
        return master, "lb2" if master == "lb1" else "lb1"

    def wait_stable(self):
        """Until the backup may preempt: both nodes have every check decided and full priority for long enough."""
        self.lab.wait_stable()

    def outage(self, cause, seconds, until=None):
        """Longest time without an answer, from before `cause` until `seconds` after it (or until `until` holds)."""
        path = os.path.join(self.lab.folder, "prober.txt")
        prober = self.lab.popen("prober", "client", sys.executable, os.path.join(HERE, "tools", "prober.py"), SERVER,
                                "8080", path)

        def successes():
            if not os.path.exists(path):
                return []
            with open(path, encoding="ascii") as log:
                return [float(line) for line in log.read().splitlines()]

        wait_until(lambda: len(successes()) >= 10, 10, "the service answers")
        cause()
        began = time.monotonic()
        if until:
            wait_until(until, seconds, "the expected change", interval=0.1)
        wait_until(lambda: time.monotonic() - began > seconds or until, seconds + 1, "time passes")
        count = len(successes())
        wait_until(lambda: len(successes()) >= count + 10, 20, "the service answers again")
        prober.send_signal(signal.SIGTERM)
        prober.wait(timeout=5)
        del self.lab.processes["prober"]
        times = successes()
        os.remove(path)
        return max(b - a for a, b in zip(times, times[1:]))

    def ping(self, host, address, count=1):
        return self.lab.exec(host, "ping", "-6", "-c", str(count), "-W", "2", address, check=False).returncode == 0

    def neighbor(self, host, address):
        """The MAC that the host's kernel has for an address on its link."""
        self.ping(host, address)
        words = run("ip", "-n", self.lab.name(host), "-6", "neigh", "show", address).stdout.split()
        return words[words.index("lladdr") + 1] if "lladdr" in words else None


def main():
    """Runs the tests of the calling script: SCRIPT BUILD_FOLDER [unittest options]."""
    if os.geteuid() != 0:
        print("skipped: end-to-end tests make network namespaces and need root")
        sys.exit(1 if os.environ.get("CI") else 77)
    LabTest.build = sys.argv[1]
    unittest.main(module="__main__", argv=[sys.argv[0], "-v", *sys.argv[2:]], failfast=True)
