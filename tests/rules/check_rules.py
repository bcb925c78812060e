#!/usr/bin/env python3
"""The rules between folders: who may include whom, and what nobody may call.

Usage: check_rules.py [ROOT]      prints every violation as file:line: rule, and ends with status 1 if there is one

    sdk/net <- sdk/wire <- sdk <- modules/* <- (loaded by) core

Comments and strings are not looked at. Exceptions are the tables below; each says why it is there.
"""
import os
import re
import sys

# Libraries that stay inside the core, and the files there that use them: elsewhere they are behind the core's headers.
LIBRARIES = {
    "toml++/": ["core/config/toml_front_end.cpp"],
    "spdlog/": ["core/log/log_sink.cpp"],
    "fmt/": ["core/cli/report_text.cpp"],
    "boost/dll": ["core/loader/module_loader.cpp"],
    "boost/asio": ["core/app/daemon.cpp", "core/cli/control_server.cpp"],
    "nlohmann/": ["core/cli/report_json.cpp"],
    "CLI/": ["core/main.cpp", "core/cli/command_line.cpp"],
    "pcap/": ["core/io/pcap.cpp"],
}
# Programs and files in modules/ that are no module code: the agent is a program with a clock and sockets of its own.
PROGRAMS = ("modules/hc/agent/",)
# Waiting for something real is done in one helper for each language; each polls a condition until a deadline.
WAIT_HELPERS = ("tests/e2e/lab.cpp", "tests/e2e/seed_lab.py")
# Generators of traffic send at a pace; nobody waits for them to be done.
PACED = ("tests/e2e/tools/",)

# Of a module, these files meet the core; every other one is an engine, a wire format or an algorithm, and knows neither
# host nor batch. What declares keys needs a Setup for that, and nothing else.
ADAPTERS = re.compile(r"modules/[^/]+/(module|worker|plugin|commands|show|steering)(_[^/]*)?\.(h|cpp)$")
DECLARES_KEYS = re.compile(r"modules/[^/]+/config\.(h|cpp)$")
SANS_IO_FORBIDDEN = ("trivet/host.h", "trivet/batch.h", "trivet/module.h", "trivet/setup.h", "trivet/snapshot.h")
CLOCKS = re.compile(r"\b(steady_clock|system_clock|high_resolution_clock|utc_clock|tai_clock|gps_clock|file_clock)\b|"
                    r"\b_*(builtin_ia32_)?rdtscp?\b|"
                    r"\b(clock_gettime|timespec_get|gettimeofday|random_device|getrandom|getentropy|srand|rand_r|drand48)\b|"
                    r"\b(arc4random\w*|mt19937\w*|minstd_rand0?|default_random_engine)\b|"
                    r"(?<![\w.>])rand\s*\(|(?<![\w.>])clock\s*\(\s*\)|(?<![\w.>])time\s*\(\s*(nullptr|NULL|0|&)")
SLEEPS = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep)\b|(?<![\w])(::|time\.)?sleep\s*\(")
SLEEPS_SHELL = re.compile(r"(^|[;&|]|\bdo|\bthen)\s*sleep\s+[\d.$]")
MODULE_FILES = ("README.md", "module.h", "module.cpp", "plugin.cpp", "CMakeLists.txt")
INCLUDE = re.compile(r'^\s*#\s*include\s+(<([^>]+)>|"([^"]+)")')


def code_lines(text, keep_strings=False):
    """The lines with comments and the insides of strings (or not) blanked out; includes keep their names."""
    kept = re.compile(r'^\s*#\s*include[^\n]*|//[^\n]*|/\*.*?\*/|R"\((?:.*?)\)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'',
                      re.MULTILINE | re.DOTALL)

    def blank(match):
        found = match.group(0)
        if found.lstrip().startswith("#") or (keep_strings and not found.startswith(("//", "/*"))):
            return found
        return re.sub(r"[^\n]", " ", found)

    return kept.sub(blank, text).split("\n")


class Check:
    def __init__(self, root):
        self.root = root
        self.violations = []
        modules = os.path.join(root, "modules")
        self.modules = sorted(n for n in os.listdir(modules) if os.path.isdir(os.path.join(modules, n)))

    def report(self, file, line, rule):
        self.violations.append(f"{file}:{line}: {rule}")

    def files(self, folder, endings):
        for path, folders, names in os.walk(os.path.join(self.root, folder)):
            folders[:] = sorted(f for f in folders if f not in ("corpus", "__pycache__", "found"))
            for name in sorted(names):
                if name.endswith(endings):
                    full = os.path.join(path, name)
                    with open(full, encoding="utf-8") as file:
                        yield os.path.relpath(full, self.root), file.read()

    def run(self):
        for folder in ("core", "modules", "sdk"):
            for file, text in self.files(folder, (".h", ".cpp")):
                for number, line in enumerate(code_lines(text), 1):
                    include = INCLUDE.match(line)
                    if include:
                        name = include.group(2) or include.group(3)
                        # Our own are ours in either kind of brackets.
                        own = name.startswith(("trivet/", "core/", "modules/", *(m + "/" for m in self.modules)))
                        self.included(file, number, name, own or include.group(3) is not None)
                    else:
                        self.code(file, number, line)
        self.names_in_core()
        self.tests()
        self.module_folders()
        return self.violations

    def included(self, file, line, name, quoted):
        for library, users in LIBRARIES.items():
            if not quoted and name.startswith(library) and not file.startswith((*users, *PROGRAMS)):
                self.report(file, line, f"<{name}> is for {', '.join(users)} only")
                return
        if file.startswith("sdk/include/trivet/"):
            self.included_by_sdk(file, line, name, quoted)
        elif file.startswith("sdk/testkit/include/"):
            if quoted and not name.startswith("trivet/"):
                self.report(file, line, f'a header of the testkit includes "{name}": only "trivet/..." is installed')
        elif file.startswith("sdk/src/"):
            self.included_by_sdk_source(file, line, name, quoted)
        elif file.startswith("modules/"):
            self.included_by_module(file, line, name, quoted)
        elif file.startswith("core/"):
            if name.startswith(("modules/", *(m + "/" for m in self.modules))) and quoted:
                self.report(file, line, f'the core includes "{name}": it names no module')

    def included_by_sdk(self, file, line, name, quoted):
        if not quoted:
            if not re.fullmatch(r"[a-z_0-9]+", name):  # the standard library's have no ending
                self.report(file, line, f"a public header includes <{name}>: it would become part of the module ABI")
            return
        if file.startswith("sdk/include/trivet/net/"):
            allowed = ("trivet/net/",)
        elif file.startswith("sdk/include/trivet/wire/"):
            allowed = ("trivet/net/", "trivet/wire/")
        else:
            allowed = ("trivet/",)
        if not name.startswith(allowed) or name.startswith("trivet/testkit/"):
            self.report(file, line, f'"{name}" is above this header (allowed: {", ".join(allowed)})')

    def included_by_sdk_source(self, file, line, name, quoted):
        if name.startswith(("core/", "modules/", *(m + "/" for m in self.modules))):
            self.report(file, line, f'the SDK includes "{name}": it knows neither the core nor modules')
            return
        if not quoted:
            return
        if file.startswith("sdk/src/net/"):
            layer, above = "net", ("wire/",)
            allowed = ("trivet/net/",)
        elif file.startswith("sdk/src/wire/"):
            layer, above = "wire", ()
            allowed = ("trivet/net/", "trivet/wire/")
        else:
            layer, above = "sdk", ()
            allowed = ("trivet/",)
        is_local = not name.startswith(("trivet/", "../")) and not name.startswith(above)
        if name.startswith("trivet/testkit/") or not (is_local or name.startswith(allowed)):
            self.report(file, line, f'"{name}" is above {layer} (allowed: {", ".join(allowed)})')

    def included_by_module(self, file, line, name, quoted):
        module = file.split("/")[1]
        if quoted and (not name.startswith(("trivet/", module + "/")) or name.startswith("trivet/testkit/")):
            self.report(file, line, f'module {module} includes "{name}": only "trivet/..." and "{module}/..."')
        if file.startswith(PROGRAMS) or ADAPTERS.match(file) or name not in SANS_IO_FORBIDDEN:
            return
        if not (DECLARES_KEYS.match(file) and name == "trivet/setup.h"):
            self.report(file, line, f'"{name}" in an engine or wire format: they know neither host nor batch')

    def code(self, file, line, text):
        if file.startswith(("modules/", "sdk/")) and not file.startswith(PROGRAMS):
            if CLOCKS.search(text):
                self.report(file, line, "reads a clock or a random device: both are arguments")
            if SLEEPS.search(text):
                self.report(file, line, "sleeps")

    def names_in_core(self):
        name = re.compile(r'"(' + "|".join(map(re.escape, self.modules)) + r')"')
        for file, text in self.files("core", (".h", ".cpp")):
            for number, line in enumerate(code_lines(text, keep_strings=True), 1):
                found = name.search(line)
                if found and not INCLUDE.match(line):
                    self.report(file, number, f"the core says {found.group(0)}: it names no module")

    def tests(self):
        for file, text in self.files("tests", (".h", ".cpp", ".py")):
            if file in WAIT_HELPERS or file.startswith(PACED):
                continue
            lines = code_lines(text) if not file.endswith(".py") else [re.sub(r"#.*", "", t) for t in text.split("\n")]
            for number, line in enumerate(lines, 1):
                if SLEEPS.search(line) and not file.startswith("tests/rules/"):
                    self.report(file, number, "sleeps: wait for a condition with a deadline")
        for file, text in self.files("tests", (".sh",)):
            for number, line in enumerate(text.split("\n"), 1):
                if SLEEPS_SHELL.search(re.sub(r"#.*", "", line)):
                    self.report(file, number, "sleeps: wait for a condition with a deadline")

    def module_folders(self):
        for module in self.modules:
            folder = f"modules/{module}"
            for name in MODULE_FILES:
                if not os.path.isfile(os.path.join(self.root, folder, name)):
                    self.report(folder, 0, f"has no {name}")
            tests = os.path.join(self.root, "tests", module)
            if not os.path.isdir(tests) or not any(name.endswith("_test.cpp") for name in os.listdir(tests)):
                self.report(folder, 0, f"has no tests in tests/{module}")


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
    violations = Check(os.path.normpath(root)).run()
    print("\n".join(violations) if violations else "the rules between folders hold")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
