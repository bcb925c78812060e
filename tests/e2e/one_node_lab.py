"""One node and its hosts on a switch, in network namespaces: for what a pair is not needed for.

       client ---+--- switch ---+--- t1 (a web page on port 80)
                 |              |
                 +--- node -----+      (or with an interface of its own for t1)

The kernels of the hosts are the judges. A base of `SeedLab`: see there for namespaces, processes and cleaning up.
"""

import os
import signal
import sys

from lab_case import StoryTest
from seed_lab import SeedLab, run, wait_until

PAGE = "import http.server, socket, sys\n" \
       "class Server(http.server.ThreadingHTTPServer):\n" \
       "    address_family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET\n" \
       "    request_queue_size = 256\n" \
       "class Page(http.server.SimpleHTTPRequestHandler):\n" \
       "    def log_message(self, *words): pass\n" \
       "Server((sys.argv[1], int(sys.argv[2])), Page).serve_forever()\n"

# Answers each line with the same line, one client after the other.
ECHO = "import socket, sys\n" \
       "server = socket.create_server((sys.argv[1], int(sys.argv[2])))\n" \
       "while True:\n" \
       "    client, _ = server.accept()\n" \
       "    while data := client.recv(4096): client.sendall(data)\n"


class OneNodeLab(SeedLab):
    """`node`, `client` and `t1` are plugged in by the test; the configuration is given as text."""

    def __init__(self, build, **options):
        super().__init__(build, {}, **options)
        self.configs = {"node": os.path.join(self.folder, "node.conf")}

    def write_config(self, text):
        with open(self.configs["node"], "w", encoding="utf-8") as file:
            file.write(text)

    def start(self, text, *options):
        """Starts trivetd and waits until it answers."""
        self.write_config(text)
        self.popen("node", "node", os.path.join(self.build, "bin", "trivetd"), "-f", "-c", self.configs["node"],
                   "--run-dir", self.run_dir("node"), *options)
        wait_until(lambda: self.show("node", "interfaces"), 10, "trivetd answers")

    def reload(self, text):
        """Until the node runs by it."""
        self.write_config(text)
        before = self.log("node").count(" reloaded\n")
        self.processes["node"].send_signal(signal.SIGHUP)
        wait_until(lambda: self.log("node").count(" reloaded\n") > before, 10, "the configuration has been read again")

    def interface(self, name):
        return next(row for row in self.show("node", "interfaces")["interfaces"] if row["name"] == name)

    def wait_up(self, name):
        wait_until(lambda: self.interface(name)["link"] == "up", 10, f"{name} is up")

    def ip(self, host, *words, check=True):
        return run("ip", "-n", self.name(host), *words, check=check)

    def serve_page(self, host, address, port, text):
        """An HTTP server of the host's kernel with one page (and whatever else is put into its folder)."""
        key = f"www-{host}-{port}"
        root = os.path.join(self.folder, key)
        os.makedirs(root, exist_ok=True)
        with open(os.path.join(root, "index.html"), "w", encoding="utf-8") as page:
            page.write(text + "\n")
        self.popen(key, host, sys.executable, "-c", PAGE, address, str(port), cwd=root)
        wait_until(lambda: self.fetch_from(host, address, port) == text, 10, f"{key} answers")
        return root

    def fetch_from(self, host, address, port, path=""):
        """The page's text; None when there is no answer."""
        place = f"[{address}]" if ":" in address else address
        result = self.exec(host, "curl", "-sgf", "-m", "3", f"http://{place}:{port}/{path}", check=False)
        return result.stdout.strip() if result.returncode == 0 else None

    def kernel_counters(self, host, *names):
        """Counters of the host's kernel, as nstat names them."""
        lines = self.exec(host, "nstat", "-asz", *names).stdout.splitlines()
        return {line.split()[0]: int(line.split()[1]) for line in lines if line and not line.startswith("#")}


class OneNodeTest(StoryTest):
    access = "raw"

    @classmethod
    def setUpClass(cls):
        cls.lab = OneNodeLab(cls.build)
        try:
            cls.build_lab()
        except BaseException:
            print(cls.lab.log("node"), flush=True)
            cls.lab.close()
            raise

    @classmethod
    def tearDownClass(cls):
        print(f"--- node\n{cls.lab.log('node')}", flush=True)
        cls.lab.close()
        left = cls.lab.left_behind()
        if left:
            raise AssertionError(f"left behind: {left}")
