"""Instructions a packet of a program's sections (callgrind_section.h). Without valgrind the caller fails: a limit that
nobody checks is none."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile


def measure(program):
    """{section: instructions a packet}."""
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is missing (Debian: valgrind); scripts/setup.sh installs it")
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--collect-atstart=no",
                   f"--callgrind-out-file={out}", program]
        run = subprocess.run(command, capture_output=True, text=True, timeout=280)
        if run.returncode != 0:
            sys.exit(f"{' '.join(command)} ended with status {run.returncode}:\n{run.stdout}{run.stderr}")
        packets = dict((name, int(count)) for name, count in (line.split() for line in run.stdout.splitlines()))
        result = {}
        for path in glob.glob(out + "*"):
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read()
            trigger = re.search(r"^desc: Trigger: Client Request: (\S+)$", text, re.MULTILINE)
            total = re.search(r"^(?:totals|summary): (\d+)$", text, re.MULTILINE)
            if trigger and total:
                result[trigger[1]] = int(total[1]) / packets[trigger[1]]
        return result
