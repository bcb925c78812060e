"""The network of the seed pair, in network namespaces of its own.

                       crossover (eth1 - eth1)
                   LB1 ------------------------ LB2
                  /   \\ eth3            eth3 /   \\
            eth2 /     +---- access -------+     \\ eth2
                /      |        |          |      \\
       target switch   client   gateway    ...     target switch
          |      |                 |
         t1      t2             outside

One object of class SeedLab is one laboratory. Everything carries a prefix of this process, so that several run side by
side; close() removes all of it, whatever state it is in. Needs root.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

SERVICE = "http://[2001:db8::2:4]:8080/"
VIRT_ACCESS = "2001:db8::2:3"
VIRT_TARGETS = "2001:db8:ffff::2:3"
SERVER = "2001:db8::2:4"
GATEWAY = "2001:db8::2:10"
CLIENT = "2001:db8::1:100"
CLIENT4 = "10.0.0.100"
NODES = ("lb1", "lb2")
NAMESPACES = "/run/netns"
MEMBERSHIP = 7


class LabError(Exception):
    """Something that the laboratory needs does not work; the text says what."""


def wait_until(condition, seconds, what, interval=0.05):
    """Calls condition() until it is true; returns its value. The one place where the laboratory waits."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise LabError(f"not within {seconds} s: {what}")
        time.sleep(interval)


def hold(condition, seconds, what, interval=0.1):
    """Calls condition() for so long; it must be true each time."""
    deadline = time.monotonic() + seconds
    while True:
        if not condition():
            raise LabError(f"{seconds - max(0.0, deadline - time.monotonic()):.1f} s of {seconds} s only: {what}")
        if time.monotonic() > deadline:
            return
        time.sleep(interval)


def run(*words, check=True, timeout=30, **options):
    """A command to its end. A session of its own keeps the terminal's Ctrl-C away from it: who called decides."""
    result = subprocess.run(words, capture_output=True, text=True, timeout=timeout, check=False,
                            start_new_session=True, **options)
    if check and result.returncode != 0:
        raise LabError(f"{' '.join(words)}: exit {result.returncode}: {result.stderr.strip() or result.stdout.strip()}")
    return result


class Interrupted(Exception):
    """Ctrl-C, kill, or a terminal that was closed."""


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupt(number, _frame):
    """The handler of a program that has a laboratory to take down."""
    for other in SIGNALS:  # from here on the way leads to the end, and nothing cuts it short
        signal.signal(other, signal.SIG_IGN)
    raise Interrupted(f"interrupted by {signal.Signals(number).name}")


@contextlib.contextmanager
def signals_ignored():
    """What runs inside is not ended by Ctrl-C, kill, or a closed terminal."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def close_pipes(process):
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()


def namespaces():
    return os.listdir(NAMESPACES) if os.path.isdir(NAMESPACES) else []


def processes_in(inodes):
    """Those whose network namespace is one of these."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # it has ended
            if os.stat(f"/proc/{pid}/ns/net").st_ino in inodes:
                found.append(int(pid))
    return found


def end_strays(known):
    """Ends this process's children that nobody knows: an interruption may fall between a start and its being noted."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                parent = int(stat.read().rpartition(")")[2].split()[1])
            if parent == os.getpid() and int(pid) not in known:
                os.kill(int(pid), signal.SIGKILL)
                os.waitpid(int(pid), 0)


def remove_namespaces(names):
    """With everything that still runs in them."""
    inodes = set()
    for name in names:
        with contextlib.suppress(OSError):
            inodes.add(os.stat(os.path.join(NAMESPACES, name)).st_ino)
    for pid in processes_in(inodes):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(LabError):
        wait_until(lambda: not processes_in(inodes), 5, "the laboratory's processes end")
    for name in names:
        run("ip", "netns", "del", name, check=False)


def sweep_dead_labs():
    """Removes what earlier processes left that were killed before they could clean up. Names carry the process."""
    def dead(pattern, name):
        match = re.match(pattern, name)
        return match and not os.path.exists(f"/proc/{match[1]}")
    remove_namespaces([name for name in namespaces() if dead(r"tv(\d+)(?:x\d+)?-", name)])
    for name in os.listdir(tempfile.gettempdir()):
        if dead(r"trivet-lab-(\d+)-", name):
            shutil.rmtree(os.path.join(tempfile.gettempdir(), name), ignore_errors=True)


class SeedLab:
    def __init__(self, build, configs, offloads=True, ageing=None, snooping=False, own_configs=False):
        """build: folder of the build (bin/, lib/); configs: {"lb1": file, "lb2": file}; own_configs: copies to change."""
        self.build = os.path.abspath(build)
        self.configs = configs
        self.offloads = offloads
        self.ageing = ageing
        self.snooping = snooping
        sweep_dead_labs()
        self.prefix = f"tv{os.getpid()}"
        self.folder = tempfile.mkdtemp(prefix=f"trivet-lab-{os.getpid()}-")
        os.chmod(self.folder, 0o755)  # nginx's workers read from here
        if own_configs:
            self.configs = {node: shutil.copy(path, os.path.join(self.folder, f"{node}.conf"))
                            for node, path in configs.items()}
        self.namespaces = []
        self.inodes = set()
        self.processes = {}  # name -> Popen
        self.killed = {}  # node -> times of SIGKILL, as in its log

    # --- construction -----------------------------------------------------------------------------------------------

    def name(self, host):
        return f"{self.prefix}-{host}"

    def exec(self, host, *words, **options):
        return run("ip", "netns", "exec", self.name(host), *words, **options)

    def popen(self, key, host, *words, **options):
        with open(self.log_path(key), "ab") as log:
            options = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **options}
            process = subprocess.Popen(["ip", "netns", "exec", self.name(host), *words], start_new_session=True, **options)
            self.processes[key] = process
        return process

    def log_path(self, key):
        return os.path.join(self.folder, f"{key}.log")

    def log(self, key):
        with contextlib.suppress(FileNotFoundError), open(self.log_path(key), encoding="utf-8") as file:
            return file.read()
        return ""

    def stop(self, key, number=signal.SIGTERM):
        process = self.processes[key]
        process.send_signal(number)
        process.wait(timeout=10)
        close_pipes(process)
        del self.processes[key]

    def add_host(self, host):
        name = self.name(host)
        self.namespaces.append(name)  # first: an interruption must not leave it behind
        run("ip", "netns", "add", name)
        self.inodes.add(os.stat(os.path.join(NAMESPACES, name)).st_ino)
        self.exec(host, "ip", "link", "set", "lo", "up")
        self.exec(host, "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0",
                  "net.ipv6.conf.all.dad_transmits=0", "net.ipv6.conf.default.dad_transmits=0")

    def cable(self, host_a, port_a, host_b, port_b, raw=()):
        """A veth pair. Hosts in `raw` have their end taken by a node: the kernel must stay silent on it."""
        run("ip", "-n", self.name(host_a), "link", "add", port_a, "type", "veth", "peer", "name", port_b,
            "netns", self.name(host_b))
        for host, port in ((host_a, port_a), (host_b, port_b)):
            if host in raw:
                self.exec(host, "sysctl", "-qw", f"net.ipv6.conf.{port}.disable_ipv6=1")
            if not self.offloads:
                self.exec(host, "ethtool", "-K", port, "tx", "off", "tso", "off", "gso", "off", "gro", "off")
            run("ip", "-n", self.name(host), "link", "set", port, "up")

    def add_switch(self, host):
        self.add_host(host)
        name = self.name(host)
        run("ip", "-n", name, "link", "add", "br0", "type", "bridge", "mcast_snooping",
            "1" if self.snooping else "0", "stp_state", "0")
        if self.snooping:
            # In hundredths of a second. A member that answers no query is forgotten after MEMBERSHIP seconds.
            run("ip", "-n", name, "link", "set", "br0", "type", "bridge", "mcast_querier", "1", "mcast_query_interval",
                "300", "mcast_query_response_interval", "100", "mcast_startup_query_interval", "100",
                "mcast_membership_interval", str(MEMBERSHIP * 100), "mcast_last_member_interval", "100",
                "mcast_last_member_count", "2")
        if self.ageing is not None:
            run("ip", "-n", name, "link", "set", "br0", "type", "bridge", "ageing_time", str(int(self.ageing * 100)))
        if not self.snooping:  # an MLD querier needs an address of its own
            self.exec(host, "sysctl", "-qw", "net.ipv6.conf.br0.disable_ipv6=1")
        run("ip", "-n", name, "link", "set", "br0", "up")

    def plug(self, switch, host, port="eth0", raw=()):
        end = f"p-{host}"
        self.cable(host, port, switch, end, raw=raw)
        self.exec(switch, "sysctl", "-qw", f"net.ipv6.conf.{end}.disable_ipv6=1")
        run("ip", "-n", self.name(switch), "link", "set", end, "master", "br0")

    def up(self):
        for switch in ("access", "inside"):
            self.add_switch(switch)
        nodes = NODES
        for host in nodes + ("t1", "t2", "client", "gw", "outside"):
            self.add_host(host)
        self.cable("lb1", "eth1", "lb2", "eth1", raw=nodes)
        for node in nodes:
            self.plug("inside", node, "eth2", raw=nodes)
            self.plug("access", node, "eth3", raw=nodes)
        for number, host in ((1, "t1"), (2, "t2")):
            self.plug("inside", host)
            self.address(host, "eth0", f"2001:db8:ffff::1:{number}/48", VIRT_TARGETS)
        self.plug("access", "client")
        self.address("client", "eth0", f"{CLIENT}/48", VIRT_ACCESS)
        run("ip", "-n", self.name("client"), "address", "add", f"{CLIENT4}/8", "broadcast", "+", "dev", "eth0")
        self.plug("access", "gw")
        self.exec("gw", "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
        self.address("gw", "eth0", f"{GATEWAY}/48", None)
        run("ip", "-n", self.name("gw"), "-6", "route", "add", "2001:db8:ffff::/48", "via", VIRT_ACCESS)
        self.cable("gw", "eth9", "outside", "eth0")
        self.address("gw", "eth9", "2001:db8:8000::1/64", None)
        self.address("outside", "eth0", "2001:db8:8000::2/64", "2001:db8:8000::1")
        self.start_web()
        self.start_agents()

    def address(self, host, port, address, gateway):
        run("ip", "-n", self.name(host), "-6", "address", "add", address, "dev", port, "nodad")
        if gateway:
            run("ip", "-n", self.name(host), "-6", "route", "add", "default", "via", gateway)

    def start_web(self):
        for host in ("t1", "t2"):
            root = os.path.join(self.folder, f"www-{host}")
            os.mkdir(root)
            with open(os.path.join(root, "index.html"), "w", encoding="utf-8") as page:
                page.write(f"{host}\n")
            config = os.path.join(self.folder, f"nginx-{host}.conf")
            with open(config, "w", encoding="utf-8") as file:
                file.write(f"""
daemon off; worker_processes 1; pid {self.folder}/nginx-{host}.pid; error_log {self.folder}/nginx-{host}.err;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {self.folder}/{host}-b; proxy_temp_path {self.folder}/{host}-p;
  fastcgi_temp_path {self.folder}/{host}-f; uwsgi_temp_path {self.folder}/{host}-u; scgi_temp_path {self.folder}/{host}-s;
  server {{ listen [::]:80; root {root}; }}
}}
""")
            self.popen(f"nginx-{host}", host, "nginx", "-c", config)
            wait_until(lambda: self.exec(host, "curl", "-s", "-m", "2", "http://[::1]:80/", check=False).stdout, 10,
                       f"nginx on {host} answers")

    def start_agents(self):
        for host in ("t1", "t2"):
            self.start_agent(host)

    def start_agent(self, host):
        self.popen(f"agent-{host}", host, os.path.join(self.build, "bin", "bngagent"), "-6", "10000")

    # --- nodes ------------------------------------------------------------------------------------------------------

    def run_dir(self, node):
        return os.path.join(self.folder, f"run-{node}")

    def start_node(self, node):
        return self.popen(node, node, os.path.join(self.build, "bin", "trivetd"), "-f", "-c", self.configs[node],
                          "--run-dir", self.run_dir(node))

    def signal_node(self, node, number):
        if number == signal.SIGKILL:
            self.killed.setdefault(node, []).append(time.time())
        self.stop(node, number)

    def cpu_seconds(self, node):
        """Processor time that a node has used so far."""
        with open(f"/proc/{self.processes[node].pid}/stat", encoding="ascii") as stat:
            words = stat.read().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def show(self, node, *words):
        """The JSON of `trivet show ...`; None when the node does not answer."""
        result = run(os.path.join(self.build, "bin", "trivet"), "--run-dir", self.run_dir(node), "--json", "show", *words,
                     check=False)
        if result.returncode != 0:
            return None
        return json.loads(result.stdout)

    def role(self, node):
        state = self.show(node, "vrrp")
        return state["role"] if state else None

    def roles(self):
        return {node: self.role(node) for node in NODES if node in self.processes}

    def master(self):
        """The one master; None when there is none or more than one."""
        masters = [node for node, role in self.roles().items() if role == "master"]
        return masters[0] if len(masters) == 1 else None

    def targets_up(self, node):
        state = self.show(node, "targets")
        return sum(1 for target in (state or {}).get("targets", []) if target["health"] == "up")

    def wait_ready(self, seconds=30):
        """One master whose targets are both up."""
        return wait_until(lambda: (lambda m: m if m and self.targets_up(m) == 2 else None)(self.master()), seconds,
                          "one master with two targets up", interval=0.1)

    def wait_stable(self, seconds=40):
        """Both nodes have every check decided and full priority for so long that the backup may preempt."""
        def ready(node):
            state = self.show(node, "vrrp")
            return state and state["effective_priority"] == 200 and state["preemption"] == "ready"
        self.wait_ready()
        wait_until(lambda: all(ready(node) for node in NODES), seconds, "both nodes are stable", interval=0.2)

    def link(self, node, port, up):
        """Pulls the cable: the far end goes down, so the node's end loses its carrier."""
        far = {"eth1": ("lb2" if node == "lb1" else "lb1", "eth1"), "eth2": ("inside", f"p-{node}"),
               "eth3": ("access", f"p-{node}")}[port]
        run("ip", "-n", self.name(far[0]), "link", "set", far[1], "up" if up else "down")

    def fetch(self, host="client", url=SERVICE, seconds=2):
        """The page's text, or None."""
        result = self.exec(host, "curl", "-sf", "-g", "-m", str(seconds), url, check=False)
        return result.stdout.strip() if result.returncode == 0 else None

    # --- end --------------------------------------------------------------------------------------------------------

    def close(self):
        """Removes everything, whatever state it is in; a second Ctrl-C does not stop it."""
        with signals_ignored():
            try:
                self.end_processes()
            finally:
                try:
                    remove_namespaces(self.namespaces)
                finally:
                    shutil.rmtree(self.folder, ignore_errors=True)

    def end_processes(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=5)
            close_pipes(process)
        self.processes.clear()

    def left_behind(self):
        """What close() should have removed and has not, in words."""
        left = [f"namespace {name}" for name in namespaces() if name.startswith(f"{self.prefix}-")]
        left += [f"process {pid}" for pid in processes_in(self.inodes)]
        return left + ([f"folder {self.folder}"] if os.path.exists(self.folder) else [])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
