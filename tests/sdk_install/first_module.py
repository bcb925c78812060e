#!/usr/bin/env python3
"""Follows docs/first-module.md: every `sh` block, in order, against an installation of this build in a scratch folder.

Usage: first_module.py SOURCE_FOLDER BUILD_FOLDER

Blocks marked `sh root` need root and namespaces; without, they are skipped with one line (a failure where CI is set).
The listings of the page must stand in the example as they are.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

DEADLINE = 20  # seconds until something must have happened


class Failure(Exception):
    pass


def blocks(page):
    """(tag, text) of every fenced block."""
    return re.findall(r"^```(\w[\w ]*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


class Reader:
    """A person at a shell, whose home is a scratch folder."""

    def __init__(self, source, build, home):
        self.source, self.build, self.home = source, build, home
        self.folder = source
        self.namespace = f"trivet-hello-{os.getpid()}"
        self.seen = set()  # what has been looked for and found
        self.environment = {**os.environ, "HOME": home}
        for name in ("DESTDIR", "CMAKE_PREFIX_PATH"):
            self.environment.pop(name, None)

    def type(self, text):
        """Runs one block; the folder it ends in is where the next one starts. Returns its output."""
        text = re.sub(r"^scripts/build\.sh.*\n", "", text, flags=re.MULTILINE)  # the build is there: it runs this test
        text = text.replace("cmake --install build ", f'cmake --install "{self.build}" ')
        text = re.sub(r"\b(ip netns (?:add|del|exec)|ip -n) hello\b", rf"\1 {self.namespace}", text)
        where = os.path.join(self.home, "where")
        script = f"set -euo pipefail\n{text}\npwd > '{where}'\n"
        done = subprocess.run(["bash", "-c", script], cwd=self.folder, env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=480)
        print(text + done.stdout, flush=True)
        if done.returncode != 0:
            raise Failure(f"status {done.returncode} of:\n{text}")
        with open(where, encoding="utf-8") as file:
            self.folder = file.read().strip()
        return done.stdout

    def ask(self, *words):
        """A command of `trivet`, as JSON."""
        done = subprocess.run([f"{self.home}/trivet/bin/trivet", "--run-dir", f"{self.home}/run", "--json", *words],
                              stdout=subprocess.PIPE, text=True, timeout=DEADLINE, check=False)
        if done.returncode != 0:
            raise Failure(f"trivet {' '.join(words)}: {done.stdout}")
        return json.loads(done.stdout)

    def wait_for(self, what, condition):
        limit = time.monotonic() + DEADLINE
        while not condition():
            if time.monotonic() > limit:
                raise Failure(f"not within {DEADLINE} s: {what}")

    def daemon_ended(self):
        return not os.path.exists(f"{self.home}/run/trivetd.pid")

    def clean_up(self):
        try:
            with open(f"{self.home}/run/trivetd.pid", encoding="utf-8") as file:
                os.kill(int(file.read()), 15)
        except (OSError, ValueError):
            pass
        if os.geteuid() == 0:
            subprocess.run(["ip", "netns", "del", self.namespace], stderr=subprocess.DEVNULL, check=False)


def check_listings(page, example):
    files = {name: open(os.path.join(example, name), encoding="utf-8").read() for name in os.listdir(example)}
    for tag, text in blocks(page):
        if tag in ("cpp", "cmake", "conf") and not any(text in content for content in files.values()):
            raise Failure(f"this listing of the page stands in no file of the example:\n{text}")
    lines = files["hello.cpp"].count("\n")
    if lines >= 40:
        raise Failure(f"hello.cpp has {lines} lines; the page promises a module of under 40")


# What the page must lead to, wherever it says how; as root the packets, too.
WANTED = {"the configuration is fine", "the example's own test passes", "the daemon shows the module's interface and counter",
          "the module is loaded", "the daemon ends after kill"}
WANTED_OF_ROOT = {"packets of the wire are counted"}


def follow(reader, page):
    skipped = 0
    for tag, text in blocks(page):
        if tag == "sh root" and os.geteuid() != 0:
            skipped += 1
            continue
        if tag not in ("sh", "sh root"):
            continue
        if "ip netns del" in text:  # before the lab goes
            expect_packets(reader)
        output = reader.type(text)
        expect(reader, text, output)
    missing = (WANTED if skipped else WANTED | WANTED_OF_ROOT) - reader.seen
    if missing:
        raise Failure(f"the page no longer leads to: {', '.join(sorted(missing))}")
    return skipped


def expect(reader, text, output):
    """What a reader would look for in the output."""
    def see(what, found):
        if not found:
            raise Failure(f"not so: {what}\n{output}")
        reader.seen.add(what)

    if "--check" in text:
        see("the configuration is fine", "hello.conf: fine" in output)
    if "ctest" in text:
        see("the example's own test passes", "100% tests passed" in output)
    if "show interfaces" in text:
        see("the daemon shows the module's interface and counter",
            all(word in output for word in ("hello0", "Packets", "counting packets")))
    if "kill" in text:
        reader.wait_for("the daemon ends after kill", reader.daemon_ended)
        reader.seen.add("the daemon ends after kill")
    if "show modules" in text:
        see("the module is loaded", "hello" in output)


def expect_packets(reader):
    reader.wait_for("hello counts a packet of the wire", lambda: reader.ask("show", "hello")["packets"] > 0)
    print(f"hello has seen {reader.ask('show', 'hello')['packets']} packets")
    reader.seen.add("packets of the wire are counted")


def main():
    source, build = sys.argv[1:3]
    with open(os.path.join(source, "docs/first-module.md"), encoding="utf-8") as file:
        page = file.read()
    home = tempfile.mkdtemp(prefix="trivet-first-module-")
    reader = Reader(source, build, home)
    try:
        check_listings(page, os.path.join(source, "sdk/examples/hello"))
        skipped = follow(reader, page)
        if skipped:
            print("SKIPPED: packets on a real interface, which need root")
            if os.environ.get("CI"):
                raise Failure("where CI is set, nothing may be skipped")
    except (Failure, subprocess.TimeoutExpired) as failure:
        print(f"FAILED: {failure}")
        return 1
    finally:
        reader.clean_up()
        shutil.rmtree(home, ignore_errors=True)
    print("PASSED")
    return 0


if __name__ == "__main__":
    sys.exit(main())
